"""From administrative areas of any country to zones of levels 1, 2 and 3.

Countries have from one to seven levels below the state, and a study area may be any
of them. So the place itself is level 1, and the levels below it that cover it come
after it, in order; what more there is, is said and left out.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from data.plan import short_name
from data.schema import LEVELS
from data.sources.boundary_check import flat
from data.sources.source import Place

#: Share of a zone's area within the place above which it belongs to it.
WITHIN = 0.5

#: Common over joint area from which a zone is the place itself.
SAME = 0.5

#: By how much more a narrower zone has to be the place than a wider one.
NOTICEABLY = 0.05

#: Share of the place, as far as any zone reaches, that the zones of a level have to cover.
COVERS = 0.9

#: First words of names of the lowest level, by country: where Vietnam's provinces have
#: no districts, what comes next are communes.
LOWEST_NAMES: dict[str, tuple[str, ...]] = {
    "VNM": ("xã ", "phường ", "thị trấn ", "đặc khu "),
}


#: Words for kinds of areas that some maps write with the name and others leave out.
_KIND_WORDS = re.compile(
    r"^(?:tinh|thanh-pho|huyen|quan|thi-xa|thi-tran|xa|phuong|dac-khu|province-of|district-of)-"
    r"|-(?:province|district|county|commune|ward|town|township|municipality|city|region)$"
)


def plain_name(name: str) -> str:
    """Return a name as it can be compared between maps.

    Parameters
    ----------
    name
        As a map has it.

    Returns
    -------
    str
        Without marks, capitals and the kind of the area.

    Examples
    --------
    >>> plain_name("Tỉnh Hà Nam"), plain_name("Ha Nam Province")
    ('ha-nam', 'ha-nam')
    """
    return _KIND_WORDS.sub("", short_name(name))


def arrange(areas: gpd.GeoDataFrame, place: Place) -> tuple[gpd.GeoDataFrame, tuple[str, ...]]:
    """Choose the areas that belong to a place, and give them levels and parents.

    Parameters
    ----------
    areas
        Columns ``rank`` (number of the level in its country; greater is narrower),
        ``code``, ``name``, ``name_en`` and others; polygons in WGS 84.
    place
        Where; without an outline, its bounds.

    Returns
    -------
    tuple
        Layer `zones`, wider levels first, with the other columns of `areas` and
        ``rank``; empty if no area belongs to the place. And what was left out or
        made up.
    """
    place_shape = place.outline if place.outline is not None else shapely.box(*place.bounds)
    notes: list[str] = []
    ground = flat(np.array([place_shape], dtype=object), place.bounds)[0]
    shapes = flat(areas.geometry.to_numpy(), place.bounds)
    size = shapely.area(shapes)
    common = shapely.area(shapely.intersection(shapes, ground))
    inside = (size > 0) & (common > WITHIN * size)
    areas = areas[inside].reset_index(drop=True)
    shapes, size, common = shapes[inside], size[inside], common[inside]
    if not len(areas):
        return _zones(areas, []), ()
    rank = areas["rank"].to_numpy(np.int64)
    own = _own(rank, common / (ground.area + size - common))
    # At a coast, or in a box, nothing covers the place itself.
    reached = shapely.union_all(shapes) if own is None else shapes[own]
    whole = shapely.intersection(reached, ground)
    lower = _lower_ranks(rank, shapes, whole, own, notes)
    chosen: list[tuple[str, NDArray[np.int64]]] = []
    if own is not None:
        chosen.append((LEVELS[0], np.array([own])))
    elif lower:
        notes.append(
            f"No area of the source is {place.name} as a whole: level 1 is the union of the areas "
            "that belong to it"
        )
    for level, number in zip(_level_names(areas, rank, lower, place), lower, strict=True):
        chosen.append((level, np.flatnonzero(rank == number)))
    if not chosen:
        return _zones(areas.iloc[:0], []), tuple(notes)
    frame = _zones(areas, chosen)
    order = np.concatenate([rows for _, rows in chosen])
    shapes = shapes[order]
    if own is None:
        frame, shapes = _with_whole(frame, shapes, place)
    frame["code"] = _unique(frame["code"])
    frame["parent_code"] = pd.Series(_parents(frame, shapes), dtype=object)
    return frame, tuple(notes)


def _own(rank: NDArray[np.int64], iou: NDArray[np.float64]) -> int | None:
    """Return the row that is the place itself: alone on its level, and about as large."""
    best: int | None = None
    for number in np.unique(rank):
        rows = np.flatnonzero(rank == number)
        least = SAME if best is None else iou[best] + NOTICEABLY
        if len(rows) == 1 and iou[rows[0]] >= least:
            best = int(rows[0])
    return best


def _lower_ranks(
    rank: NDArray[np.int64],
    shapes: NDArray[np.object_],
    whole: Any,
    own: int | None,
    notes: list[str],
) -> list[int]:
    """Return the first two levels below the place that cover it."""
    found: list[int] = []
    for number in np.unique(rank):
        rows = np.flatnonzero(rank == number)
        if own is not None and number <= rank[own]:
            continue
        joint = shapely.union_all(shapes[rows])
        share = float(shapely.area(shapely.intersection(joint, whole)) / whole.area)
        if share < COVERS:
            notes.append(
                f"{len(rows)} areas of level {number} cover only {100 * share:.0f} % of the place "
                "and are left out"
            )
        elif len(found) == len(LEVELS) - 1:
            notes.append(
                f"{len(rows)} areas of level {number} are left out: there are {len(LEVELS)} levels"
            )
        else:
            found.append(int(number))
    return found


def _level_names(
    areas: gpd.GeoDataFrame, rank: NDArray[np.int64], lower: Sequence[int], place: Place
) -> list[str]:
    starts = LOWEST_NAMES.get(place.country)
    if starts is not None and len(lower) == 1:
        names = areas["name"][rank == lower[0]].astype(str).str.lower()
        if names.str.startswith(starts).mean() >= COVERS:
            return [LEVELS[-1]]
    return list(LEVELS[1 : 1 + len(lower)])


def _zones(
    areas: gpd.GeoDataFrame, chosen: Sequence[tuple[str, NDArray[np.int64]]]
) -> gpd.GeoDataFrame:
    parts = []
    for level, rows in chosen:
        part = areas.iloc[rows].assign(level=level)
        parts.append(part.sort_values("code"))
        rows[:] = part.sort_values("code").index.to_numpy()
    frame = pd.concat(parts, ignore_index=True) if parts else areas.assign(level=None)
    # Inhabitants are counted later, from the population raster, alike for all zones.
    frame = frame.assign(parent_code=None, population=np.nan)
    first = ["code", "name", "name_en", "level", "parent_code", "population"]
    others = [name for name in frame.columns if name not in (*first, "geometry")]
    return gpd.GeoDataFrame(frame[[*first, *others, "geometry"]], crs="EPSG:4326")


def _with_whole(
    frame: gpd.GeoDataFrame, shapes: NDArray[np.object_], place: Place
) -> tuple[gpd.GeoDataFrame, NDArray[np.object_]]:
    """Put the union of the finest zones before the others."""
    finest = (frame["level"] == frame["level"].iloc[-1]).to_numpy(bool)
    row = gpd.GeoDataFrame(
        {
            "code": ["area"],
            "name": [place.name or "area"],
            "name_en": [None],
            "level": [LEVELS[0]],
            "parent_code": [None],
        },
        geometry=[shapely.union_all(frame.geometry.to_numpy()[finest])],
        crs=frame.crs,
    )
    joint = np.array([shapely.union_all(shapes[finest])], dtype=object)
    both = pd.concat([row, frame.astype({"parent_code": object})], ignore_index=True)
    return gpd.GeoDataFrame(both, crs=frame.crs), np.concatenate([joint, shapes])


def _unique(codes: pd.Series) -> list[str]:
    """Return codes of which none comes twice."""
    seen: dict[str, int] = {}
    result = []
    for code in codes.astype(str):
        seen[code] = seen.get(code, 0) + 1
        result.append(code if seen[code] == 1 else f"{code}-{seen[code]}")
    return result


def _parents(frame: gpd.GeoDataFrame, shapes: NDArray[np.object_]) -> list[str | None]:
    """Return for each zone the one of the next wider level that it shares most ground with."""
    parents: list[str | None] = [None] * len(frame)
    codes = frame["code"].to_numpy(dtype=object)
    level = frame["level"].to_numpy(dtype=object)
    present = [name for name in LEVELS if (level == name).any()]
    for wider, narrower in itertools.pairwise(present):
        above = np.flatnonzero(level == wider)
        for row in np.flatnonzero(level == narrower):
            common = shapely.area(shapely.intersection(shapes[above], shapes[row]))
            parents[row] = str(codes[above[int(np.argmax(common))]])
    return parents
