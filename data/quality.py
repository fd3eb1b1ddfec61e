"""How good the data of a study area are: figures for a planner to judge by.

`data.check` says what is wrong, row by row; this module measures. Zones are
compared within one level and vintage, that is among those valid on one day:
zones of other years may and do overlap them.

Terms used in the report:

- A *gap* is ground that zones of a vintage enclose but none of them covers, an
  *overlap* ground that two of them cover.
- A *sliver* is a gap or overlap that is less than `SLIVER_WIDTH_M` wide on average
  (twice its area by its perimeter): borders drawn twice rather than ground that
  is disputed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import rasterio.features
import shapely
from numpy.typing import NDArray

from data import clutter_classes as cover
from data import rasters, schema
from data.check import coverage_of_raster
from data.grid import Grid
from data.quality_report import (
    AreaColumn,
    Heights,
    Outlines,
    QualityReport,
    RasterCover,
    Spot,
    Strayed,
    Tiling,
    Total,
    Water,
    ZoneShare,
    restored,
)
from data.store import Workspace
from data.study_area import area_outline, finest_zones
from data.vintages import of, vintages
from data.warp import LOWEST_GROUND_M, windows
from data.zonal import people_by_zone

Progress = Callable[[float], None]

FILE = "quality.json"

#: Gaps and overlaps smaller than this come from rounded coordinates. [km2]
_LEAST_KM2 = 1e-4

#: Highest ground on Earth and lowest dry ground. [m]
_HIGHEST_M, _DEEPEST_M = 8849.0, -431.0

#: Pixel size at which people and water are compared, at least. [m]
_WATER_STEP_M = 50.0
_MOST_PIXELS = 60_000_000

#: Columns by which masts may say in which zone they stand.
_ZONE_COLUMNS = ("zone_code", "commune_code", "commune", "zone", "ward", "xa", "phuong")


def assess(
    workspace: Workspace,
    *,
    build: Mapping[str, Any] | None = None,
    on_progress: Progress = lambda _share: None,
) -> QualityReport:
    """Measure how good the data of a workspace are.

    Parameters
    ----------
    workspace
        The workspace.
    build
        What the build found and did; what the last report has if None.
    on_progress
        Called with the share done.

    Returns
    -------
    QualityReport
        The report; it is not saved.
    """
    if build is None:
        last = load(workspace, current=False)
        build = last.build if last is not None else {}
    zones = _zones(workspace)
    facts: dict[str, Any] = {"invalid": _invalid(workspace), "years": _years(workspace)}
    on_progress(0.15)
    if zones is not None:
        facts["tilings"], unions = _tilings(zones)
        facts["outlines"] = _outlines(unions)
        facts["areas"] = _areas(zones)
        on_progress(0.35)
        outline = area_outline(zones)
        facts["covers"] = tuple(
            RasterCover(name, *coverage_of_raster(workspace, name, outline))
            for name in workspace.rasters()
        )
        on_progress(0.5)
        if workspace.has("masts"):
            facts["strayed"], facts["masts_outside"] = _masts(workspace, zones)
        if workspace.has("terrain"):
            facts["heights"] = _heights(workspace, outline)
        on_progress(0.65)
        if workspace.has("population"):
            facts |= _people(workspace, zones)
            if workspace.has("clutter"):
                facts["water"] = _water(workspace, finest_zones(zones))
    on_progress(1.0)
    return QualityReport(content=workspace.content_hash(), build=dict(build), **facts)


def save(workspace: Workspace, report: QualityReport) -> Path:
    """Keep a report beside the manifest of its workspace.

    Parameters
    ----------
    workspace
        The workspace.
    report
        The report.

    Returns
    -------
    Path
        The JSON file.
    """
    path = workspace.folder / FILE
    about = asdict(report) | {"said": [str(line) for line in report.lines()]}
    temporary = workspace.folder / f".tmp-{os.getpid()}-quality.json"
    temporary.write_text(
        json.dumps(about, ensure_ascii=False, indent=2, default=_plain) + "\n", encoding="utf-8"
    )
    temporary.replace(path)
    return path


def load(workspace: Workspace, *, current: bool = True) -> QualityReport | None:
    """Return the report that was kept.

    Parameters
    ----------
    workspace
        The workspace.
    current
        Whether it must be about the content of now.

    Returns
    -------
    QualityReport or None
        None if there is none, or if it is about older content.
    """
    path = workspace.folder / FILE
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        report = restored(about)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if current and report.content != workspace.content_hash():
        return None
    return report


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no place in JSON")


# Zones


def _zones(workspace: Workspace) -> gpd.GeoDataFrame | None:
    if not workspace.has("zones"):
        return None
    zones: gpd.GeoDataFrame = workspace.read("zones")
    zones = zones[zones.geometry.notna()].reset_index(drop=True)
    if not len(zones):
        return None
    shapes = zones.geometry.to_numpy()
    valid = np.where(shapely.is_valid(shapes), shapes, shapely.make_valid(shapes))
    return zones.set_geometry(gpd.GeoSeries(valid, index=zones.index, crs=zones.crs))


def _tilings(zones: gpd.GeoDataFrame) -> tuple[tuple[Tiling, ...], dict[str, Any]]:
    found = []
    unions: dict[str, Any] = {}
    to_degrees = pyproj.Transformer.from_crs(zones.crs, "EPSG:4326", always_xy=True)
    for vintage in vintages(zones):
        part = of(zones, vintage)
        shapes = part.geometry.to_numpy()
        codes = part["code"].to_numpy(dtype=object)
        union = shapely.union_all(shapes)
        tree = shapely.STRtree(shapes)
        overlaps = _overlaps(shapes, codes, tree, to_degrees)
        gaps = _gaps(union, codes, tree, to_degrees)
        tiling = Tiling(
            vintage.level,
            vintage.valid_from,
            vintage.valid_to,
            len(part),
            round(float(union.area) / 1e6, 4),
            tuple(gaps),
            tuple(overlaps),
            round(sum(spot.area_km2 for spot in gaps), 4),
            round(sum(spot.area_km2 for spot in overlaps), 4),
        )
        found.append(tiling)
        unions[tiling.name] = union
    return tuple(found), unions


def _overlaps(
    shapes: NDArray[Any],
    codes: NDArray[Any],
    tree: shapely.STRtree,
    to_degrees: pyproj.Transformer,
) -> list[Spot]:
    first, second = tree.query(shapes, predicate="intersects")
    keep = first < second
    first, second = first[keep], second[keep]
    common = shapely.intersection(shapes[first], shapes[second])
    spots = []
    for k in np.flatnonzero(shapely.area(common) / 1e6 > _LEAST_KM2):
        pair = (str(codes[first[k]]), str(codes[second[k]]))
        spots.append(_spot(common[k], pair, to_degrees))
    return sorted(spots, key=lambda spot: -spot.area_km2)


def _gaps(
    union: Any, codes: NDArray[Any], tree: shapely.STRtree, to_degrees: pyproj.Transformer
) -> list[Spot]:
    """Return the holes in a union; a lake that belongs to no zone is one, too."""
    spots = []
    for polygon in shapely.get_parts(union):
        if polygon.geom_type != "Polygon":
            continue
        for ring in polygon.interiors:
            hole = shapely.Polygon(ring)
            if hole.area / 1e6 <= _LEAST_KM2:
                continue
            around = tuple(sorted(str(codes[k]) for k in tree.query(hole, predicate="intersects")))
            spots.append(_spot(hole, around, to_degrees))
    return sorted(spots, key=lambda spot: -spot.area_km2)


def _spot(shape: Any, codes: tuple[str, ...], to_degrees: pyproj.Transformer) -> Spot:
    point = shapely.point_on_surface(shape)
    lon, lat = to_degrees.transform(point.x, point.y)
    width_m = 2.0 * shape.area / shape.length if shape.length else 0.0
    return Spot(
        round(float(shape.area) / 1e6, 6),
        round(float(lon), 6),
        round(float(lat), 6),
        round(float(width_m), 2),
        codes,
    )


def _outlines(unions: dict[str, Any]) -> tuple[Outlines, ...]:
    names = list(unions)
    found = []
    for k, first in enumerate(names):
        for second in names[k + 1 :]:
            area = shapely.symmetric_difference(unions[first], unions[second]).area / 1e6
            if area > 0.01:
                found.append(Outlines(first, second, round(float(area), 3)))
    return tuple(found)


def _areas(zones: gpd.GeoDataFrame) -> tuple[AreaColumn, ...]:
    found = []
    for name in zones.columns:
        if not str(name).startswith("area_km2_"):
            continue
        given = pd.to_numeric(zones[name], errors="coerce").to_numpy(float)
        off = np.abs(given - zones["area_km2"].to_numpy(float))
        known = np.isfinite(off)
        if known.any():
            worst = int(np.nanargmax(off))
            found.append(
                AreaColumn(
                    str(name),
                    int(known.sum()),
                    round(float(off[worst]), 3),
                    str(zones["code"].iloc[worst]),
                )
            )
    return tuple(found)


def _invalid(workspace: Workspace) -> dict[str, int]:
    found = {}
    for name in workspace.layers():
        if schema.LAYERS[name].geometry is None:
            continue
        shapes = workspace.read_raw(name).geometry.to_numpy()
        missing = shapely.is_missing(shapes) | shapely.is_empty(shapes)
        found[name] = int((missing | ~shapely.is_valid(shapes)).sum())
    return found


def _years(workspace: Workspace) -> dict[str, int]:
    """Return the latest year that each vintage names."""
    found = {}
    for name, origin in workspace.provenance().items():
        years = [int(year) for year in re.findall(r"(?<!\d)(?:19|20)\d{2}(?!\d)", origin.vintage)]
        if years and not origin.illustrative:
            found[name] = max(years)
    return found


# Masts


def _masts(workspace: Workspace, zones: gpd.GeoDataFrame) -> tuple[tuple[Strayed, ...], int]:
    masts = workspace.read("masts")
    finest = finest_zones(zones)
    points = masts.geometry.to_numpy()
    tree = shapely.STRtree(finest.geometry.to_numpy())
    at = np.full(len(masts), -1)
    hit = tree.query(points, predicate="intersects")
    at[hit[0]] = hit[1]
    strayed = []
    column = next((name for name in _ZONE_COLUMNS if name in masts), None)
    if column is not None:
        strayed = _strayed(masts, column, finest, at)
    return tuple(sorted(strayed, key=lambda one: -one.distance_m)), int((at < 0).sum())


def _strayed(
    masts: gpd.GeoDataFrame, column: str, finest: gpd.GeoDataFrame, at: NDArray[np.int64]
) -> list[Strayed]:
    codes = finest["code"].astype(str).to_list()
    by_text: dict[str, list[int]] = {}
    for k, (code, name) in enumerate(zip(codes, finest["name"].astype(str), strict=True)):
        for text in {code, _plain_name(name), _plain_name(_without_kind(name))}:
            by_text.setdefault(text, []).append(k)
    shapes = finest.geometry.to_numpy()
    found = []
    for row, said in enumerate(masts[column].to_list()):
        if said is None or pd.isna(said):
            continue
        text = str(said).removesuffix(".0")
        named = by_text.get(text) or by_text.get(_plain_name(text)) or []
        # A name of the time before a merger, or one that several zones bear, proves nothing.
        if not named or int(at[row]) in named:
            continue
        point = masts.geometry.iloc[row]
        distance = min(float(shapes[k].distance(point)) for k in named)
        lies = codes[at[row]] if at[row] >= 0 else ""
        found.append(
            Strayed(str(masts["mast_id"].iloc[row]), codes[named[0]], lies, round(distance, 1))
        )
    return found


def _plain_name(text: str) -> str:
    return " ".join(text.casefold().split())


def _without_kind(name: str) -> str:
    """Return a name without the kind of zone before it."""
    return re.sub(r"^(phường|xã|thị trấn|huyện|quận|thị xã|thành phố|tỉnh)\s+", "", name.casefold())


# Rasters


def _grid_over(bounds: Any, step_m: float, crs: str) -> Grid:
    x_min, y_min, x_max, y_max = (float(value) for value in bounds)
    step = max(step_m, ((x_max - x_min) * (y_max - y_min) / _MOST_PIXELS) ** 0.5)
    return Grid.covering((x_min, y_min, x_max, y_max), step, crs)


def _heights(workspace: Workspace, outline: Any) -> Heights:
    native = workspace.raster_info("terrain").grid
    grid = _grid_over(outline.bounds, native.resolution_m, native.crs)
    part = native.part_over(outline.bounds)
    if part is not None and grid.resolution_m == native.resolution_m:
        grid = native.window(*part)
    low, high = np.inf, -np.inf
    below = impossible = holes = 0
    for _, _, window in windows(grid):
        values = workspace.read_raster("terrain", window, "nearest").values
        inside = rasterio.features.geometry_mask(
            [outline], window.shape, window.transform, invert=True
        )
        heights = values[inside]
        known = heights[np.isfinite(heights)]
        holes += int(len(heights) - len(known))
        if len(known):
            low, high = min(low, float(known.min())), max(high, float(known.max()))
            below += int((known < LOWEST_GROUND_M).sum())
            impossible += int(((known > _HIGHEST_M) | (known < _DEEPEST_M)).sum())
    if low > high:
        low = high = float("nan")
    return Heights(round(low, 1), round(high, 1), below, impossible, holes)


def _people(workspace: Workspace, zones: gpd.GeoDataFrame) -> dict[str, Any]:
    path = workspace.raster_path("population")
    counted = people_by_zone(path, zones)
    finest = finest_zones(zones)
    total = float(counted[finest.index].sum())
    whole = _everyone(workspace)
    columns = {
        f"zones.{name}": pd.to_numeric(zones[name], errors="coerce")
        for name in zones.columns
        if str(name).startswith(("population", "people", "dân_số"))
    }
    people = []
    for name, values in columns.items():
        for level in schema.LEVELS:
            of_level = (zones["level"] == level) & values.notna()
            if level == finest["level"].iloc[0]:
                of_level &= zones.index.isin(finest.index)
            if of_level.any():
                people.append(
                    Total(
                        f"{name} ({level})",
                        int(of_level.sum()),
                        round(float(values[of_level].sum()), 1),
                        round(float(counted[of_level.to_numpy()].sum()), 1),
                    )
                )
    if workspace.has("offices"):
        people += _registered(workspace, finest, counted)
    empty = finest["code"][counted[finest.index] < 0.5]
    return {
        "people": tuple(people),
        "people_raster": (round(total, 1), round(whole, 1)),
        "empty_zones": tuple(empty.astype(str)),
    }


def _registered(
    workspace: Workspace, finest: gpd.GeoDataFrame, counted: NDArray[np.float64]
) -> list[Total]:
    offices = workspace.read("offices")
    by_zone = offices.dropna(subset=["population_registered"]).groupby("zone_code")
    sums = by_zone["population_registered"].sum().reindex(finest["code"])
    known = sums.notna().to_numpy()
    if not known.any():
        return []
    return [
        Total(
            "offices.population_registered",
            int(known.sum()),
            float(sums.sum()),
            round(float(counted[finest.index][known].sum()), 1),
        )
    ]


def _everyone(workspace: Workspace) -> float:
    total = 0.0
    with rasters.opened(workspace.raster_path("population")) as dataset:
        for _, values in rasters.strips(dataset):
            total += float(np.nansum(values, dtype=np.float64))
    return total


def _water(workspace: Workspace, finest: gpd.GeoDataFrame) -> Water | None:
    """Spread the people of each pixel evenly over it and count those on water."""
    native = workspace.raster_info("clutter").grid
    step = max(_WATER_STEP_M, native.resolution_m)
    grid = _grid_over(finest.total_bounds, step, native.crs)
    wet_people = np.zeros(len(finest) + 1)
    all_people = np.zeros(len(finest) + 1)
    any_water = False
    shapes = list(zip(finest.geometry, range(1, len(finest) + 1), strict=True))
    for _, _, window in windows(grid):
        zone = rasterio.features.rasterize(
            shapes, window.shape, fill=0, transform=window.transform, dtype="int32"
        )
        classes = workspace.read_raster("clutter", window, "nearest").values
        people = np.nan_to_num(workspace.read_raster("population", window, "sum").values)
        wet = classes == cover.WATER
        any_water |= bool(wet.any())
        all_people += np.bincount(zone.ravel(), people.ravel(), len(finest) + 1)
        wet_people += np.bincount(zone.ravel(), np.where(wet, people, 0.0).ravel(), len(finest) + 1)
    if not any_water:
        return None
    people, wet_in = all_people[1:], wet_people[1:]
    share = np.divide(wet_in, people, out=np.zeros(len(finest)), where=people > 0)
    worst = [k for k in np.argsort(-share, kind="stable")[:20] if wet_in[k] > 0]
    return Water(
        round(float(wet_in.sum() / people.sum()), 6) if people.sum() else 0.0,
        round(float(wet_in.sum()), 1),
        grid.resolution_m,
        tuple(
            ZoneShare(
                str(finest["code"].iloc[k]),
                str(finest["name"].iloc[k]),
                round(float(share[k]), 6),
                round(float(wet_in[k]), 1),
            )
            for k in worst
        ),
    )
