"""What tags of OpenStreetMap mean in the layers of a study area.

The tables here say which objects are taken; queries of Overpass and filters of
`.osm.pbf` files are made of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from data.sources.opencellid import MAST_HEIGHT_M
from data.sources.osm_elements import Element

#: Layers that are made of tags.
LAYERS = ("roads", "railways", "villages", "points_of_interest", "masts")

#: Value of ``highway`` -> road_class; slip roads belong to their road. Ways for
#: walking, cycling and riding only, and roads that are planned or gone, are no roads.
ROAD_CLASSES: Mapping[str, str] = {
    **{name: name for name in ("motorway", "trunk", "primary", "secondary", "tertiary")},
    **{f"{name}_link": name for name in ("motorway", "trunk", "primary", "secondary", "tertiary")},
    "unclassified": "unclassified",
    "residential": "residential",
    "living_street": "residential",
    "road": "unclassified",
    "service": "service",
    "track": "track",
    "busway": "service",
}

#: Value of ``railway`` -> railway_class; what is planned, gone or a building is left out.
RAILWAY_CLASSES: Mapping[str, str] = {
    "rail": "rail",
    "narrow_gauge": "rail",
    "light_rail": "light rail",
    "subway": "subway",
    "tram": "tram",
    "monorail": "monorail",
}

#: Values of ``place`` that are settlements or parts of them.
PLACES = (
    "city",
    "town",
    "village",
    "hamlet",
    "isolated_dwelling",
    "suburb",
    "quarter",
    "neighbourhood",
    "allotments",
)

#: Key and value -> kind of a point of interest; the first that fits holds.
POINT_KINDS: Mapping[tuple[str, str], str] = {
    ("amenity", "post_office"): "post_office",
    ("amenity", "townhall"): "town_hall",
    ("office", "government"): "government_office",
    ("amenity", "school"): "school",
    ("amenity", "college"): "college",
    ("amenity", "university"): "college",
    ("amenity", "hospital"): "hospital",
    ("amenity", "clinic"): "clinic",
    ("telecom", "exchange"): "telephone_exchange",
    ("telecom", "central_office"): "telephone_exchange",
    ("telecom", "data_center"): "data_centre",
    ("telecom", "data_centre"): "data_centre",
    ("man_made", "telephone_exchange"): "telephone_exchange",
}

#: Values of ``man_made`` that may carry antennas.
MAST_STRUCTURES = ("mast", "tower", "communications_tower", "antenna")

MAST_NOTE = (
    "Masts of OpenStreetMap are those that volunteers have mapped: many are missing, and the "
    f"height of {{assumed}} of {{count}} is not tagged and taken to be {MAST_HEIGHT_M:g} m"
)

_LENGTH = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*(m|metres?|meters?|ft|feet|'|)\s*", re.IGNORECASE)

_METRES_PER_FOOT = 0.3048


def wanted() -> dict[str, tuple[str, ...]]:
    """Return the keys and values by which objects are asked for.

    Returns
    -------
    dict
        Key -> values. Ways with ``highway`` and ``railway``, any object with the others.
    """
    values: dict[str, list[str]] = {
        "highway": list(ROAD_CLASSES),
        "railway": list(RAILWAY_CLASSES),
        "place": list(PLACES),
        "man_made": list(MAST_STRUCTURES),
    }
    for key, value in POINT_KINDS:
        values.setdefault(key, []).append(value)
    return {key: tuple(dict.fromkeys(some)) for key, some in values.items()}


#: Keys that count only on ways.
WAY_KEYS = ("highway", "railway")


def is_wanted(kind: str, tags: Mapping[str, str]) -> bool:
    """Whether an object belongs to a layer, or may.

    Parameters
    ----------
    kind
        ``"n"``, ``"w"`` or ``"r"``.
    tags
        Its tags.

    Returns
    -------
    bool
        As Overpass answers the query made of `wanted`.
    """
    return any(
        tags.get(key) in values
        for key, values in _WANTED.items()
        if key not in WAY_KEYS or kind == "w"
    )


_WANTED = wanted()


def length_m(text: str | None) -> float:
    """Read a length as mappers write it.

    Parameters
    ----------
    text
        E.g. ``"35"``, ``"35 m"``, ``"115 ft"``, ``"115'"``.

    Returns
    -------
    float
        NaN where it is none, or not greater than 0. [m]

    Examples
    --------
    >>> length_m("35,5 m"), round(length_m("100 ft"), 2), length_m("high")
    (35.5, 30.48, nan)
    """
    match = _LENGTH.fullmatch(text or "")
    if match is None:
        return np.nan
    value = float(match[1].replace(",", "."))
    if match[2].lower() in ("ft", "feet", "'"):
        value *= _METRES_PER_FOOT
    return value if 0.0 < value <= 1000.0 else np.nan


def population_of(text: str | None) -> float:
    """Read a number of inhabitants as mappers write it.

    Parameters
    ----------
    text
        E.g. ``"1234"``, ``"1,234"``, ``"1 234"``, ``"~1.234"``.

    Returns
    -------
    float
        NaN where it is none.

    Examples
    --------
    >>> population_of("1,234"), population_of("12.345"), population_of("many")
    (1234.0, 12345.0, nan)
    """
    digits = re.fullmatch(r"[~\s]*(\d{1,3}(?:[ ,.']\d{3})+|\d{1,9})\s*", text or "")
    return float(re.sub(r"\D", "", digits[1])) if digits else np.nan


def layers(elements: Iterable[Element]) -> tuple[dict[str, gpd.GeoDataFrame], tuple[str, ...]]:
    """Make layers of objects.

    Parameters
    ----------
    elements
        From Overpass or a PBF file.

    Returns
    -------
    tuple
        Layer name -> rows in WGS 84 by identifier, only those that have rows; and
        what the reader should know. Beside the columns of their schema, roads have
        ``ref``, ``bridge``, ``tunnel`` and ``layer``, masts ``operator`` and ``assumed``,
        villages ``place``.
    """
    rows: dict[str, list[dict[str, object]]] = {name: [] for name in LAYERS}
    for element in sorted(elements, key=lambda e: (e.kind, e.osm_id)):
        for name, row in _rows_of(element):
            rows[name].append(row)
    made = {
        name: gpd.GeoDataFrame(pd.DataFrame(some), geometry="geometry", crs="EPSG:4326")
        for name, some in rows.items()
        if some
    }
    notes = []
    if "masts" in made:
        assumed = int((made["masts"]["assumed"] != "").sum())
        notes.append(MAST_NOTE.format(assumed=assumed, count=len(made["masts"])))
    return made, tuple(notes)


def _rows_of(element: Element) -> Iterable[tuple[str, dict[str, object]]]:
    tags = element.tags
    if element.kind == "w":
        road = ROAD_CLASSES.get(tags.get("highway", ""))
        if road is not None and tags.get("area") != "yes":
            line = _line(element)
            if line is not None:
                yield "roads", _road(element, road, line)
        rails = RAILWAY_CLASSES.get(tags.get("railway", ""))
        if rails is not None:
            line = _line(element)
            if line is not None:
                row = {"railway_id": element.key, "name": _name(tags), "railway_class": rails}
                yield "railways", {**row, "geometry": line}
    kind = _point_kind(tags)
    is_place = tags.get("place") in PLACES
    is_mast = _carries_antennas(tags)
    if not (kind or is_place or is_mast):
        return
    point = element.point()
    if point is None:
        return
    if is_place:
        yield (
            "villages",
            {
                "village_id": element.key,
                "name": _name(tags),
                "zone_code": None,
                "population": population_of(tags.get("population")),
                "place": tags["place"],
                "geometry": point,
            },
        )
    if kind:
        yield (
            "points_of_interest",
            {
                "poi_id": element.key,
                "kind": kind,
                "name": _name(tags),
                "operator": tags.get("operator"),
                "geometry": point,
            },
        )
    if is_mast:
        yield "masts", _mast(element, point)


def _name(tags: Mapping[str, str]) -> str | None:
    return tags.get("name") or tags.get("name:vi") or tags.get("name:en") or None


def _line(element: Element) -> shapely.LineString | None:
    """Return the line of a way, None if it has no length."""
    if element.line is None or len(element.line) < 2:
        return None
    if not (element.line != element.line[0]).any():
        return None
    return shapely.LineString(element.line)


def _road(element: Element, road: str, line: shapely.LineString) -> dict[str, object]:
    tags = element.tags
    surface = tags.get("surface", "").partition(";")[0].strip().lower()
    return {
        "road_id": element.key,
        "name": _name(tags) or tags.get("ref"),
        "road_class": road,
        "surface": surface or None,
        "ref": tags.get("ref"),
        "bridge": _not_no(tags.get("bridge")),
        "tunnel": _not_no(tags.get("tunnel")),
        "layer": tags.get("layer"),
        "geometry": line,
    }


def _not_no(value: str | None) -> str | None:
    return None if value in (None, "", "no") else value


def _point_kind(tags: Mapping[str, str]) -> str | None:
    for (key, value), kind in POINT_KINDS.items():
        if tags.get(key) == value:
            return kind
    return None


def _carries_antennas(tags: Mapping[str, str]) -> bool:
    """Whether a structure is said to be for telecommunication, of whatever kind."""
    structure = tags.get("man_made")
    if structure not in MAST_STRUCTURES:
        return False
    if structure == "communications_tower" or tags.get("tower:type") == "communication":
        return True
    mobile = [v for k, v in tags.items() if k.startswith("communication:")]
    return tags.get("telecom") in ("antenna", "bts") or any(v not in ("no", "") for v in mobile)


def _mast(element: Element, point: shapely.Point) -> dict[str, object]:
    tags = element.tags
    height_m = length_m(tags.get("height"))
    known = not np.isnan(height_m)
    return {
        "mast_id": element.key,
        "name": _name(tags) or tags.get("ref"),
        "owner": tags.get("owner") or tags.get("operator"),
        "mast_class": None,
        "height_m": height_m if known else MAST_HEIGHT_M,
        "status": "existing",
        "shareable": False,
        "max_tenants": np.nan,
        "operator": tags.get("operator"),
        "assumed": "" if known else "height_m",
        "geometry": point,
    }
