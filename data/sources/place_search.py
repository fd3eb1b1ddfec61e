"""Find a place on Earth: by its name, by a box, or by the boundary in a file.

Names are looked up with Nominatim, the search of OpenStreetMap, at most once a second
and each only once in a month, as its operators ask for.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import geopandas as gpd
import shapely
import shapely.geometry
from shapely.geometry.base import BaseGeometry

from data.errors import InputError
from data.sources import download, own_files
from data.sources.addresses import ADDRESSES
from data.sources.boundary_check import near
from data.sources.osm_elements import LICENCE
from data.sources.source import Item, Place
from data.sources.zone_levels import plain_name
from data.study_area import lonlat_bounds

NAME = "nominatim"

#: Time between two requests. [s]
INTERVAL_S = 1.0

#: Answers are asked for again when they are older. [s]
MAX_AGE_S = 30 * 86_400.0

#: Most places that are asked for, and that a message names.
_LIMIT = 10

#: Two finds whose boxes agree by this much are one place, mapped twice.
_SAME_BOX = 0.95

_COUNTRIES_FILE = Path(__file__).parent / "mobile_countries.csv"
_ID = re.compile(r"(?:relation|r|way|w)[ /]?(\d+)", re.IGNORECASE)

_lock = threading.Lock()
_last_asked = [0.0]


@dataclass(frozen=True, eq=False)
class Found:
    """A place that was found by its name.

    Parameters
    ----------
    name
        Its own name.
    long_name
        With what it lies in.
    bounds
        West, south, east, north; east exceeds 180 across the antimeridian. [deg]
    country
        ISO 3166-1 alpha-3 code, or empty.
    level
        Administrative level of OpenStreetMap, None where it is not told.
    osm_id
        E.g. ``"r49915"``; as a name to search for, it finds exactly this place.
    kind
        E.g. ``"boundary/administrative"``.
    importance
        0 to 1, as Nominatim weighs it.
    outline
        Polygon, None for a place that is mapped as a point or line.
    """

    name: str
    long_name: str
    bounds: tuple[float, float, float, float]
    country: str
    level: int | None
    osm_id: str
    kind: str
    importance: float
    outline: BaseGeometry | None

    def __str__(self) -> str:
        return f"{self.long_name} ({self.kind.rpartition('/')[2]}, {self.osm_id})"

    def place(self) -> Place:
        """Return it as a place.

        Returns
        -------
        Place
            With its outline.

        Raises
        ------
        InputError
            If it has no outline.
        """
        if self.outline is None:
            raise InputError(
                "{name} is mapped in OpenStreetMap without an outline; give a box (west, south, "
                "east, north) or a file with the boundary",
                name=self.long_name,
            )
        return Place(self.name, self.bounds, self.country, self.outline)


def search(text: str) -> list[Found]:
    """Look a name up.

    Parameters
    ----------
    text
        E.g. ``"Hà Nam, Vietnam"`` or ``"Ha Nam, Vietnam"``, or an identifier of
        OpenStreetMap such as ``"r49915"``.

    Returns
    -------
    list of Found
        Administrative areas first, then other places with an outline, the more
        important first; at least one.

    Raises
    ------
    InputError
        If nothing is found or the server cannot be asked.
    """
    wanted = " ".join(text.split())
    if not wanted:
        raise InputError(
            "The name of the place is empty (expected for example {example})",
            example="Hà Nam, Vietnam",
        )
    match = _ID.fullmatch(wanted)
    more = {"format": "jsonv2", "polygon_geojson": "1", "addressdetails": "1", "extratags": "1"}
    if match:
        number = f"{wanted[0].upper()}{match[1]}"
        url = f"{ADDRESSES[NAME]}/lookup?{urlencode({'osm_ids': number, **more})}"
    else:
        asked = {"q": wanted, **more, "limit": str(_LIMIT)}
        url = f"{ADDRESSES[NAME]}/search?{urlencode(asked)}"
    mark = hashlib.sha256(wanted.encode()).hexdigest()[:16]
    item = Item(NAME, f"search-{mark}.json", url, licence=LICENCE)
    rows = _asked(item)
    if not isinstance(rows, list):
        raise download.SourceError(
            "{source}: the answer to a search is not a list of places", source=NAME
        )
    found = [one for one in (_found(row) for row in rows) if one is not None]
    if not found:
        raise InputError(
            "Nothing is found for {name}; write it as in OpenStreetMap, with the country after a "
            "comma, or give a box or a boundary file",
            name=wanted,
        )
    return sorted(found, key=_order)


def find(text: str) -> Place:
    """Return the one place that a name stands for.

    Parameters
    ----------
    text
        See `search`.

    Returns
    -------
    Place
        With outline and, where it is told, country.

    Raises
    ------
    InputError
        If nothing is found; if several places bear the name, with all of them; if
        it has no outline.
    """
    found = search(text)
    shaped = [one for one in found if one.outline is not None]
    if not shaped:
        return found[0].place()
    own = plain_name(text.split(",")[0])
    candidates = [one for one in shaped if plain_name(one.name) == own] or shaped
    areas = [one for one in candidates if one.kind == "boundary/administrative"]
    candidates = areas or candidates
    others = [one for one in candidates[1:] if not _same(one, candidates[0])]
    if others:
        listed = [candidates[0], *others][:_LIMIT]
        raise InputError(
            "{name} may be {count} places; be more exact, or write the identifier in place of the "
            "name: {places}",
            name=" ".join(text.split()),
            count=1 + len(others),
            places="; ".join(str(one) for one in listed),
        )
    return candidates[0].place()


def place_of_bbox(west: float, south: float, east: float, north: float, name: str = "") -> Place:
    """Return the place of a box.

    Parameters
    ----------
    west, south, east, north
        WGS 84; a west greater than the east crosses the antimeridian. [deg]
    name
        What to call it.

    Returns
    -------
    Place
        With the box as its outline; the country is not known.

    Raises
    ------
    InputError
        If the numbers are no box on Earth.

    Examples
    --------
    >>> place_of_bbox(177, -19, -178, -16).bounds
    (177.0, -19.0, 182.0, -16.0)
    """
    return own_files.place_of_bounds((west, south, east, north), name)


def place_of_file(path: Path, name: str = "") -> Place:
    """Return the place whose boundary a file holds.

    Parameters
    ----------
    path
        Polygons in a file that GDAL reads, in any CRS.
    name
        What to call it; the file's name if empty.

    Returns
    -------
    Place
        The union of the polygons; the country is not known.

    Raises
    ------
    InputError
        If the file cannot be read, holds no polygon or has no CRS.
    """
    return own_files.place_of_boundary(path, name)


def _asked(item: Item) -> Any:
    """Ask, or read from the cache; only requests are held to the interval."""
    if download.cached(item) is None and not download.is_offline():
        with _lock:
            wait_s = _last_asked[0] + INTERVAL_S - time.monotonic()
            if wait_s > 0:
                time.sleep(wait_s)
            try:
                return download.json_from(item, max_age_s=MAX_AGE_S)
            finally:
                _last_asked[0] = time.monotonic()
    return download.json_from(item, max_age_s=MAX_AGE_S)


def _found(row: Mapping[str, Any]) -> Found | None:
    """Read one row of the answer; None for what is no part of the Earth's surface."""
    try:
        south, north, west, east = (float(value) for value in row["boundingbox"])
        osm_id = f"{str(row['osm_type'])[0]}{int(row['osm_id'])}"
    except (KeyError, ValueError, TypeError, IndexError):
        return None
    bounds = (west, south, east, north)
    outline = None
    geometry = row.get("geojson")
    if isinstance(geometry, dict) and geometry.get("type") in ("Polygon", "MultiPolygon"):
        outline = shapely.geometry.shape(geometry)
        if not outline.is_valid:
            outline = shapely.make_valid(outline)
        bounds = lonlat_bounds(gpd.GeoSeries([outline], crs="EPSG:4326"))
        outline = near(outline, (bounds[0] + bounds[2]) / 2.0)
    elif east < west:
        bounds = (west, south, east + 360.0, north)
    long_name = str(row.get("display_name") or row.get("name") or osm_id)
    level = str((row.get("extratags") or {}).get("admin_level", ""))
    return Found(
        name=str(row.get("name") or long_name.split(",")[0]),
        long_name=long_name,
        bounds=bounds,
        country=_alpha_3(str((row.get("address") or {}).get("country_code", ""))),
        level=int(level) if level.isdigit() else None,
        osm_id=osm_id,
        kind=f"{row.get('category', row.get('class', ''))}/{row.get('type', '')}",
        importance=float(row.get("importance") or 0.0),
        outline=outline,
    )


def _order(found: Found) -> tuple[bool, bool, float]:
    return (
        found.kind != "boundary/administrative",
        found.outline is None,
        -found.importance,
    )


def _same(one: Found, other: Found) -> bool:
    """Whether two finds are one place, such as a relation and its main part."""
    a, b = shapely.box(*one.bounds), shapely.box(*other.bounds)
    joint = a.union(b).area
    return joint > 0 and a.intersection(b).area / joint >= _SAME_BOX


@functools.cache
def countries() -> Mapping[str, str]:
    """Return the countries' codes: ISO 3166-1 alpha-2 -> alpha-3."""
    with _COUNTRIES_FILE.open(encoding="utf-8", newline="") as stream:
        rows: Sequence[Mapping[str, str]] = list(csv.DictReader(stream))
    return {row["alpha_2"]: row["country"] for row in rows if row["alpha_2"]}


def _alpha_3(code: str) -> str:
    return countries().get(code.upper(), "")
