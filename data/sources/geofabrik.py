"""Layers of OpenStreetMap from `.osm.pbf` files: Geofabrik's extracts, or the user's own.

The same tables as for Overpass say what is taken, and the same code makes layers of
it: for the same data both give the same layers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import osmium
import osmium.filter
import osmium.io
import osmium.osm
import shapely
import shapely.geometry

from data.area import Provenance
from data.errors import InputError
from data.sources import download, osm_tags, overpass
from data.sources.addresses import ADDRESSES
from data.sources.ingredients import VectorSource, sha256_of
from data.sources.local_files import at_hand
from data.sources.osm_elements import LICENCE, Coordinates, Element, Member
from data.sources.source import Fetched, Item, Place, Progress, Reading

TITLE = "OpenStreetMap extract of Geofabrik: roads, railways, settlements, offices and masts"

#: How old the list of extracts, and an extract, may be. [s]
INDEX_MAX_AGE_S = 30 * 86_400.0
EXTRACT_MAX_AGE_S = 90 * 86_400.0

#: Larger files keep the places of their nodes on the disk. [bytes]
_MOST_IN_MEMORY_BYTES = 100_000_000

#: Share of a place that an extract has to cover: its outline is drawn coarsely.
_COVERED = 0.999

_HOME = "https://download.geofabrik.de"


@dataclass(frozen=True)
class Geofabrik:
    """Geofabrik's extracts as a source of layers."""

    name: str = "geofabrik"
    title: str = TITLE
    gives: tuple[str, ...] = osm_tags.LAYERS
    licence: str = LICENCE

    def find(self, place: Place) -> list[Item]:
        """Return the smallest extract that covers a place.

        Parameters
        ----------
        place
            Where.

        Returns
        -------
        list of Item
            One file.

        Raises
        ------
        InputError
            If there is none, or the list of extracts cannot be had.
        """
        index = Item(self.name, "index-v1.json", f"{ADDRESSES['geofabrik']}/index-v1.json")
        document = download.json_from(index, max_age_s=INDEX_MAX_AGE_S)
        wanted = _shape_of(place)
        best: tuple[float, str, str] | None = None
        for feature in document.get("features", ()):
            about = feature.get("properties", {})
            url = about.get("urls", {}).get("pbf", "")
            if not url or not feature.get("geometry"):
                continue
            outline = shapely.make_valid(shapely.geometry.shape(feature["geometry"]))
            common = shapely.area(shapely.intersection(outline, wanted))
            if common >= _COVERED * wanted.area:
                found = (float(outline.area), str(about.get("name", about.get("id", ""))), url)
                best = found if best is None else min(best, found)
        if best is None:
            raise InputError(
                "{source}: no extract covers {place}; use the source overpass, or a .osm.pbf file "
                "of your own",
                source=self.title,
                place=place.name,
            )
        url = best[2]
        if url.startswith(_HOME):
            url = ADDRESSES["geofabrik"] + url.removeprefix(_HOME)
        key = url.rpartition("/")[2]
        return [Item(self.name, key, url, licence=self.licence, vintage="the latest extract")]

    def size_up(self, items: Sequence[Item]) -> list[Item]:
        """Return the items with their sizes.

        Parameters
        ----------
        items
            From `find`.

        Returns
        -------
        list of Item
            As the server says.
        """
        return [
            replace(item, size_bytes=download.size_of(item.url, source=self.name)) for item in items
        ]

    def fetch(
        self, items: Sequence[Item], place: Place, *, on_progress: Progress = lambda _share: None
    ) -> list[Fetched]:
        """Bring the extract here, or find it in the cache.

        Parameters
        ----------
        items
            From `find` or `size_up`.
        place
            Where.
        on_progress
            Called with the share done.

        Returns
        -------
        list of Fetched
            The file.
        """
        return [
            download.fetch(item, max_age_s=EXTRACT_MAX_AGE_S, on_progress=on_progress)
            for item in items
        ]

    def read(self, fetched: Sequence[Fetched], place: Place, folder: Path) -> Reading:
        """Make layers of what the extract has in the bounds of a place.

        Parameters
        ----------
        fetched
            From `fetch`.
        place
            Where.
        folder
            For a large file's index.

        Returns
        -------
        Reading
            The layers that have rows.
        """
        one = fetched[0]
        return read_file(one.path, place, folder=folder, title=self.title, fetched=one)


@dataclass(frozen=True)
class OwnExtract:
    """The user's own `.osm.pbf` file as a source of layers.

    Parameters
    ----------
    path
        The file.
    """

    path: Path
    name: str = "osm_file"
    title: str = "OpenStreetMap file of the user"
    gives: tuple[str, ...] = osm_tags.LAYERS
    licence: str = LICENCE

    def find(self, place: Place) -> list[Item]:
        """Return the file.

        Parameters
        ----------
        place
            Where.

        Returns
        -------
        list of Item
            One.

        Raises
        ------
        InputError
            If it is missing.
        """
        if not self.path.is_file():
            raise InputError("There is no file {file}", file=str(self.path))
        size = self.path.stat().st_size
        return [Item(self.name, self.path.name, "", size_bytes=size, licence=self.licence)]

    def size_up(self, items: Sequence[Item]) -> list[Item]:
        """Return the items as they are; nothing is carried.

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
        """Return the file with its hash.

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
            The file.
        """
        done = [at_hand(item, self.path) for item in items]
        on_progress(1.0)
        return done

    def read(self, fetched: Sequence[Fetched], place: Place, folder: Path) -> Reading:
        """Make layers of what the file has in the bounds of a place.

        Parameters
        ----------
        fetched
            From `fetch`.
        place
            Where.
        folder
            For a large file's index.

        Returns
        -------
        Reading
            The layers that have rows.
        """
        one = fetched[0]
        return read_file(one.path, place, folder=folder, title=self.title, fetched=one)


def read_file(
    path: Path,
    place: Place | None = None,
    *,
    folder: Path | None = None,
    title: str = "OpenStreetMap file of the user",
    fetched: Fetched | None = None,
) -> Reading:
    """Make layers of an `.osm.pbf` file.

    Parameters
    ----------
    path
        The file.
    place
        Only what touches its bounds is taken; None takes all.
    folder
        For a large file's index; the system's folder for such if None.
    title
        Who gave the file.
    fetched
        How it was fetched.

    Returns
    -------
    Reading
        The layers that have rows.

    Raises
    ------
    InputError
        If the file is missing, damaged or no OSM file.
    """
    made, notes = osm_tags.layers(elements(path, place, folder=folder))
    origin = Provenance(
        source=title,
        licence=LICENCE,
        vintage=vintage_of(path),
        url_or_file=fetched.item.url if fetched is not None and fetched.item.url else path.name,
        sha256=fetched.sha256 if fetched is not None else sha256_of(path),
        method=overpass.METHOD,
    )
    if fetched is not None:
        origin = replace(origin, retrieved_at=fetched.retrieved_at)
    return Reading(
        {name: VectorSource(frame, origin) for name, frame in made.items()},
        notes=(*notes, *overpass.missing_notes(made, title)),
    )


def vintage_of(path: Path) -> str:
    """Return the time of the data of a file, by its head.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    str
        ISO 8601; says so where the head does not tell.
    """
    with _readable(path):
        reader = osmium.io.Reader(str(path), osmium.osm.NOTHING)
        try:
            time = reader.header().get("osmosis_replication_timestamp", "")
        finally:
            reader.close()
    return time or "not stated in the file"


@dataclass
class _Box:
    """Bounds as one or two boxes between -180 and 180 degrees."""

    boxes: tuple[tuple[float, float, float, float], ...]
    area: Any = field(init=False)

    def __post_init__(self) -> None:
        self.area = shapely.union_all([shapely.box(*box) for box in self.boxes])
        shapely.prepare(self.area)

    def touches(self, line: Coordinates) -> bool:
        """Whether a node or way comes into the bounds."""
        if len(line) == 0:
            return False
        (west, south), (east, north) = line.min(axis=0), line.max(axis=0)
        if not any(
            west <= box[2] and east >= box[0] and south <= box[3] and north >= box[1]
            for box in self.boxes
        ):
            return False
        shape = shapely.Point(line[0]) if len(line) == 1 else shapely.LineString(line)
        return bool(self.area.intersects(shape))


def elements(
    path: Path, place: Place | None = None, *, folder: Path | None = None
) -> list[Element]:
    """Read the objects of a file that belong to a layer.

    Parameters
    ----------
    path
        The file.
    place
        Only what touches its bounds is taken; None takes all.
    folder
        For a large file's index.

    Returns
    -------
    list of Element
        With their geometry; nodes that the file lacks are left out of ways.

    Raises
    ------
    InputError
        If the file is missing, damaged or no OSM file.
    """
    box = None if place is None else _Box(tuple(overpass.boxes(place.bounds, 360.0)))
    keys = osmium.filter.KeyFilter(*osm_tags.wanted())
    with (
        _readable(path),
        tempfile.TemporaryDirectory(prefix="osm-", dir=folder) as scratch,
    ):
        relations = _relations(path, keys)
        storage = "flex_mem"
        if path.stat().st_size > _MOST_IN_MEMORY_BYTES:
            storage = f"sparse_file_array,{scratch}/nodes"
        processor = osmium.FileProcessor(str(path), osmium.osm.NODE | osmium.osm.WAY)
        processor = processor.with_locations(storage).with_filter(keys)
        found = [element for element in _simple(processor) if _is_in(box, [element.line])]
        if relations:
            lines = _lines(path, relations, processor.node_location_storage)
            for number, tags, members in relations:
                parts = tuple(
                    Member(way, role, lines[way]) for way, role in members if way in lines
                )
                if _is_in(box, [part.line for part in parts]):
                    found.append(Element("r", number, tags, members=parts))
    return found


def _is_in(box: _Box | None, lines: Iterable[Coordinates | None]) -> bool:
    there = [line for line in lines if line is not None and len(line)]
    return bool(there) and (box is None or any(box.touches(line) for line in there))


def _relations(
    path: Path, keys: Any
) -> list[tuple[int, dict[str, str], tuple[tuple[int, str], ...]]]:
    found = []
    processor: Any = osmium.FileProcessor(str(path), osmium.osm.RELATION).with_filter(keys)
    for one in processor:
        tags = {tag.k: tag.v for tag in one.tags}
        if osm_tags.is_wanted("r", tags):
            members = tuple((m.ref, m.role) for m in one.members if m.type == "w")
            found.append((one.id, tags, members))
    return found


def _simple(processor: Any) -> Iterator[Element]:
    for one in processor:
        kind = "n" if one.is_node() else "w"
        tags = {tag.k: tag.v for tag in one.tags}
        if not osm_tags.is_wanted(kind, tags):
            continue
        if kind == "n":
            line = np.array([(one.location.lon, one.location.lat)])
        else:
            line = _line([node.location for node in one.nodes])
        yield Element(kind, one.id, tags, line)


def _line(locations: Iterable[Any]) -> Coordinates:
    points = [(place.lon, place.lat) for place in locations if place.valid()]
    return np.array(points, np.float64).reshape(-1, 2)


def _lines(path: Path, relations: Sequence[Any], places: Any) -> dict[int, Coordinates]:
    """Return the lines of the ways of relations, from the places of nodes read before."""
    wanted = {way for _, _, members in relations for way, _ in members}
    lines = {}
    processor: Any = osmium.FileProcessor(str(path), osmium.osm.WAY)
    for way in processor.with_filter(osmium.filter.IdFilter(sorted(wanted))):
        locations = []
        for node in way.nodes:
            try:
                locations.append(places.get(node.ref))
            except KeyError:
                continue
        lines[way.id] = _line(locations)
    return lines


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    if not path.is_file():
        raise InputError("There is no file {file}", file=str(path))
    try:
        yield
    except (RuntimeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            "{file} is damaged or is no OpenStreetMap file (expected .osm.pbf)", file=path.name
        ) from error


def _shape_of(place: Place) -> Any:
    """Return a place between -180 and 180 degrees."""
    shape = place.outline if place.outline is not None else shapely.box(*place.bounds)
    halves = [
        shapely.intersection(shape, shapely.box(-180.0, -90.0, 180.0, 90.0)),
        shapely.transform(
            shapely.intersection(shape, shapely.box(180.0, -90.0, 540.0, 90.0)),
            lambda xy: xy - [360.0, 0.0],
        ),
    ]
    return shapely.union_all(halves)


SOURCE = Geofabrik()
