"""Roads, railways, settlements, offices and masts of OpenStreetMap, asked of Overpass.

Overpass answers for small areas at once; for a whole country its extract from
Geofabrik is the better way, and kinder to those who run the servers.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from data.area import Provenance
from data.errors import InputError
from data.sources import download, osm_tags
from data.sources.addresses import ADDRESSES
from data.sources.file_kinds import Kind
from data.sources.ingredients import VectorSource
from data.sources.osm_elements import LICENCE, from_overpass
from data.sources.osm_elements import SOURCE as OSM
from data.sources.source import Fetched, Item, Place, Progress, Reading

TITLE = "OpenStreetMap by Overpass: roads, railways, settlements, offices and masts"

#: Server and its mirrors, in the order in which they are asked.
SERVERS = ("overpass", "overpass_2", "overpass_3")

#: Largest side of what is asked for at once. [deg]
TILE_DEG = 1.0

#: Most tiles; beyond, an extract is the better way.
MOST_TILES = 30

#: What a server may spend on one query. [s], [bytes]
TIMEOUT_S = 180
MAXSIZE_BYTES = 536_870_912

#: Answers are asked for again when they are older. [s]
MAX_AGE_S = 30 * 86_400.0

#: Tries at one server before the next is asked.
_ATTEMPTS = 3

Box = tuple[float, float, float, float]


def boxes(bounds: Box, side_deg: float = TILE_DEG) -> list[Box]:
    """Cut bounds into pieces that Overpass can be asked for.

    Parameters
    ----------
    bounds
        West, south, east, north; east may exceed 180. [deg]
    side_deg
        Largest side of a piece. [deg]

    Returns
    -------
    list of tuple
        West, south, east, north, all from -180 to 180; none crosses the antimeridian.

    Examples
    --------
    >>> boxes((177.0, -19.0, 182.0, -16.0), 10.0)
    [(177.0, -19.0, 180.0, -16.0), (-180.0, -19.0, -178.0, -16.0)]
    """
    west, south, east, north = bounds
    halves = [(west, east)]
    if east > 180.0:
        halves = [(west, 180.0), (-180.0, east - 360.0)]
    pieces: list[Box] = []
    for left, right in halves:
        across = max(1, math.ceil((right - left) / side_deg - 1e-9))
        up = max(1, math.ceil((north - south) / side_deg - 1e-9))
        x = [_between(left, right, k / across) for k in range(across + 1)]
        y = [_between(south, north, k / up) for k in range(up + 1)]
        pieces += [(x[i], y[j], x[i + 1], y[j + 1]) for j in range(up) for i in range(across)]
    return pieces


def _between(low: float, high: float, share: float) -> float:
    return round(low + (high - low) * share, 7)


def box_text(box: Box) -> str:
    """Return a box in the order of Overpass: south, west, north, east.

    Parameters
    ----------
    box
        West, south, east, north. [deg]

    Returns
    -------
    str
        For a query.

    Examples
    --------
    >>> box_text((105.5, 20.25, 106.0, 20.75))
    '20.25,105.5,20.75,106.0'
    """
    west, south, east, north = box
    return f"{south},{west},{north},{east}"


def header(*, timeout_s: int = TIMEOUT_S) -> str:
    """Return the head of a query.

    Parameters
    ----------
    timeout_s
        What the server may spend. [s]

    Returns
    -------
    str
        With time and memory that it may take.
    """
    return f"[out:json][timeout:{timeout_s}][maxsize:{MAXSIZE_BYTES}];"


def layers_query(box: Box) -> str:
    """Return the query for all layers of a box.

    Parameters
    ----------
    box
        West, south, east, north. [deg]

    Returns
    -------
    str
        In Overpass QL.
    """
    parts = []
    for key, values in osm_tags.wanted().items():
        kind = "way" if key in osm_tags.WAY_KEYS else "nwr"
        parts.append(f'{kind}["{key}"~"^({"|".join(values)})$"]({box_text(box)});')
    return f"{header()}({''.join(parts)});out geom;"


def query_item(source: str, name: str, query: str) -> Item:
    """Return the item that an answer to a query is.

    Parameters
    ----------
    source
        Name of the source.
    name
        What it is, for the file's name.
    query
        In Overpass QL.

    Returns
    -------
    Item
        Its address holds the query, so that the answer is known again in the cache.
    """
    mark = hashlib.sha256(query.encode()).hexdigest()[:16]
    url = f"{ADDRESSES[SERVERS[0]]}?{urlencode({'data': query})}"
    return Item(source, f"{name}-{mark}.json", url, licence=LICENCE)


def ask(item: Item, *, on_progress: Progress = lambda _share: None) -> Fetched:
    """Bring the answer to a query here, from the first server that gives a whole one.

    Parameters
    ----------
    item
        From `query_item`.
    on_progress
        Called with the share done.

    Returns
    -------
    Fetched
        The answer, JSON.

    Raises
    ------
    InputError
        If no server gives an answer, with the reason of the last one; if the query
        is too much for all of them.
    """
    question = item.url.partition("?")[2]
    fault: InputError | None = None
    for server in SERVERS:
        try:
            with download.using(attempts=min(_ATTEMPTS, download.settings().attempts)):
                fetched = download.fetch(
                    item,
                    url=f"{ADDRESSES[server]}?{question}",
                    kind=Kind.JSON,
                    max_age_s=MAX_AGE_S,
                    on_progress=on_progress,
                )
            document_of(fetched)
        except download.SourceError as error:
            if download.is_offline():
                raise
            fault = error
        else:
            return fetched
    assert fault is not None  # noqa: S101 - SERVERS is not empty
    raise fault


def document_of(fetched: Fetched) -> dict[str, Any]:
    """Read an answer; one that the server broke off is removed from the cache.

    Parameters
    ----------
    fetched
        From `ask`.

    Returns
    -------
    dict
        With ``elements`` and, mostly, ``osm3s``.

    Raises
    ------
    SourceError
        If the server says in the answer that it gave up, or it is no answer of Overpass.
    """
    document = json.loads(fetched.path.read_bytes())
    remark = document.get("remark", "") if isinstance(document, dict) else ""
    if "error" in str(remark).lower():
        # Overpass answers with status 200 and a part of the data.
        fetched.path.unlink(missing_ok=True)
        raise download.SourceError(
            "{source}: the server gave up: {said}; try again later, take a smaller area, or use "
            "the source geofabrik",
            source=fetched.item.source,
            said=" ".join(str(remark).split())[:300],
        )
    if not isinstance(document, dict) or not isinstance(document.get("elements"), list):
        fetched.path.unlink(missing_ok=True)
        raise download.SourceError(
            "{source}: {file} is no answer of Overpass (expected a list of elements)",
            source=fetched.item.source,
            file=fetched.item.key,
        )
    return document


def vintage_of(documents: Sequence[dict[str, Any]]) -> str:
    """Return the time of the data of answers.

    Parameters
    ----------
    documents
        From `document_of`.

    Returns
    -------
    str
        ISO 8601; first and last, where they differ.
    """
    times = sorted(
        {str(d.get("osm3s", {}).get("timestamp_osm_base", "")) for d in documents} - {""}
    )
    return " to ".join(dict.fromkeys((times[0], times[-1]))) if times else ""


def provenance_of(
    fetched: Sequence[Fetched], documents: Sequence[dict[str, Any]], method: str
) -> Provenance:
    """Say where answers came from.

    Parameters
    ----------
    fetched
        From `ask`.
    documents
        What they hold.
    method
        What was done.

    Returns
    -------
    Provenance
        Of the layers made of them.
    """
    return Provenance(
        source=f"{OSM}, by Overpass",
        licence=LICENCE,
        vintage=vintage_of(documents),
        url_or_file=", ".join(dict.fromkeys(one.item.url.partition("?")[0] for one in fetched)),
        sha256=" ".join(one.sha256 for one in fetched),
        retrieved_at=max(one.retrieved_at for one in fetched),
        method=method,
    )


@dataclass(frozen=True)
class Overpass:
    """Overpass as a source of layers."""

    name: str = "overpass"
    title: str = TITLE
    gives: tuple[str, ...] = osm_tags.LAYERS
    licence: str = LICENCE

    def find(self, place: Place) -> list[Item]:
        """Return the queries for a place.

        Parameters
        ----------
        place
            Where.

        Returns
        -------
        list of Item
            One, or several where the place is large or crosses the antimeridian.

        Raises
        ------
        InputError
            If the place is too large for Overpass.
        """
        west, south, east, north = place.bounds
        if (east - west) * (north - south) > MOST_TILES * TILE_DEG**2:
            raise InputError(
                "{source}: {place} is {width} by {height} degrees, too much for the servers of "
                "Overpass; use the source geofabrik",
                source=self.title,
                place=place.name,
                width=f"{east - west:.1f}",
                height=f"{north - south:.1f}",
            )
        return [query_item(self.name, "layers", layers_query(box)) for box in boxes(place.bounds)]

    def size_up(self, items: Sequence[Item]) -> list[Item]:
        """Return the items as they are: no server of Overpass tells sizes beforehand.

        Parameters
        ----------
        items
            From `find`.

        Returns
        -------
        list of Item
            The same.
        """
        return list(items)

    def fetch(
        self, items: Sequence[Item], place: Place, *, on_progress: Progress = lambda _share: None
    ) -> list[Fetched]:
        """Bring the answers here, or find them in the cache.

        Parameters
        ----------
        items
            From `find`.
        place
            Where.
        on_progress
            Called with the share done.

        Returns
        -------
        list of Fetched
            The answers.

        Raises
        ------
        InputError
            If no server gives a whole answer.
        """
        return list(asked_in_turn(items, on_progress))

    def read(self, fetched: Sequence[Fetched], place: Place, folder: Path) -> Reading:
        """Make layers of the answers; objects in several tiles are taken once.

        Parameters
        ----------
        fetched
            From `fetch`.
        place
            Where.
        folder
            Not needed.

        Returns
        -------
        Reading
            The layers that have rows.
        """
        documents = [document_of(one) for one in fetched]
        made, notes = osm_tags.layers(from_overpass(documents))
        origin = provenance_of(fetched, documents, METHOD)
        return Reading(
            {name: VectorSource(frame, origin) for name, frame in made.items()},
            notes=(*notes, *missing_notes(made, self.title)),
        )


#: What was done to objects.
METHOD = (
    "Objects by their tags; roads and railways whole where they touch the area; areas as a point "
    "on them. Rivers are left out"
)


def missing_notes(made: dict[str, Any], title: str) -> tuple[str, ...]:
    """Say which layers have no row.

    Parameters
    ----------
    made
        Layers.
    title
        Of the source.

    Returns
    -------
    tuple of str
        One sentence, or none.
    """
    empty = [name for name in osm_tags.LAYERS if name not in made]
    return (f"{title}: nothing is mapped here for {', '.join(empty)}",) if empty else ()


def asked_in_turn(items: Sequence[Item], on_progress: Progress) -> Iterator[Fetched]:
    """Ask one query after the other.

    Parameters
    ----------
    items
        From `query_item`.
    on_progress
        Called with the share done.

    Yields
    ------
    Fetched
        The answers.
    """
    for number, item in enumerate(items):

        def step(share: float, number: int = number) -> None:
            on_progress((number + share) / len(items))

        yield ask(item, on_progress=step)
    on_progress(1.0)


SOURCE = Overpass()
