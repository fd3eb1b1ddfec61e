"""Say what a workspace holds, and everything that is wrong or doubtful in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio.features
import shapely
from numpy.typing import NDArray

from data import geometry, schema, vintages
from data.errors import Message, Problem, message
from data.faults import shown
from data.grid import Grid
from data.store import Provenance, Workspace
from data.study_area import finest_zones
from data.zonal import people_by_zone

POPULATION_TOLERANCE = 0.05
"""Share by which a population raster and the zones' table may differ in total."""

GAP_TOLERANCE = 0.001
"""Share of a zone's area above which gaps between the zones in it are reported."""

_MAX_PIXELS = 2_000_000
_ALL = 0.9999
_NEEDED: dict[str, tuple[Literal["error", "warning"], Message]] = {
    "zones": ("error", message("coverage is counted by zone")),
    "terrain": ("error", message("the propagation models need ground heights")),
    "masts": ("warning", message("without masts coverage is 0 %")),
    "cells": ("warning", message("without cells coverage is 0 %")),
    "population": ("warning", message("without it there are shares of area only")),
    "clutter": ("warning", message("without land cover every place is open ground")),
}


@dataclass(frozen=True)
class LayerInfo:
    """A layer or raster of a workspace, in a line.

    Parameters
    ----------
    name
        Name.
    kind
        ``"layer"``, ``"table"`` or ``"raster"``.
    size
        Number of rows, or pixels as "width x height".
    crs
        CRS, empty for tables.
    provenance
        Where it came from.
    """

    name: str
    kind: Literal["layer", "table", "raster"]
    size: str
    crs: str
    provenance: Provenance

    def __str__(self) -> str:
        about = self.provenance
        facts = [about.source, about.vintage, about.licence, about.method]
        said = "; ".join(fact for fact in facts if fact)
        mark = " [illustrative]" if about.illustrative else ""
        return f"{self.name:12s} {self.size:>12s}  {self.crs:12s} {said}{mark}".rstrip()


def _no_progress(fraction: float) -> None:
    """Do nothing."""


def describe(workspace: Workspace) -> list[LayerInfo]:
    """Return what a workspace holds.

    Parameters
    ----------
    workspace
        The workspace.

    Returns
    -------
    list of LayerInfo
        Layers, then rasters.
    """
    sources = workspace.provenance()
    found = []
    for name in workspace.layers():
        frame = workspace.read(name)
        spatial = schema.LAYERS[name].geometry is not None
        crs = workspace.area.crs if spatial else ""
        kind: Literal["layer", "table"] = "layer" if spatial else "table"
        found.append(LayerInfo(name, kind, str(len(frame)), crs, sources[name]))
    for name in workspace.rasters():
        info = workspace.raster_info(name)
        size = f"{info.width} x {info.height}"
        found.append(LayerInfo(name, "raster", size, info.crs, sources[name]))
    return found


def check(
    workspace: Workspace, *, on_progress: Callable[[float], None] = _no_progress
) -> list[Problem]:
    """Return everything that is wrong or doubtful in a workspace.

    Parameters
    ----------
    workspace
        The workspace.
    on_progress
        Called with the fraction done.

    Returns
    -------
    list of Problem
        Errors first. Rows are the feature numbers that QGIS shows.
    """
    problems = _missing(workspace)
    frames: dict[str, pd.DataFrame] = {}
    for name in workspace.layers():
        raw = workspace.read_raw(name)
        found = schema.examine(name, raw, crs=workspace.area.crs, context=frames)
        problems += found.problems
        frames[name] = found.frame.set_index(raw.index)
    on_progress(0.3)
    zones = frames.get("zones")
    if zones is not None and len(zones):
        usable = zones[zones.geometry.notna()]
        problems += _nesting(usable)
        problems += _zone_population(usable)
        if "villages" in frames:
            problems += _villages(frames["villages"], usable)
        outline = shapely.union_all(_finest(usable).geometry.to_numpy())
        for name in workspace.rasters():
            problems += _raster(workspace, name, outline)
        on_progress(0.7)
        if "population" in workspace.rasters():
            problems += _population_total(workspace, usable)
    problems += _idle_masts(frames)
    on_progress(1.0)
    return sorted(problems, key=lambda problem: problem.severity != "error")


def _warning(
    layer: str, value: str | Message, expected: Message, row: Any = None, column: str | None = None
) -> Problem:
    number = None if row is None else int(row)
    return Problem(layer, number, column, value, expected, None, "warning")


def _missing(workspace: Workspace) -> list[Problem]:
    problems = []
    for name, (severity, reason) in _NEEDED.items():
        if not workspace.has(name):
            said = message("the layer is missing")
            problems.append(Problem(name, None, None, said, reason, None, severity))
        elif name in schema.LAYERS and not len(workspace.read(name)):
            said = message("the layer has no rows")
            problems.append(Problem(name, None, None, said, reason, None, severity))
    return problems


def _finest(zones: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the zones of the finest level that is there, in their newest vintage."""
    return finest_zones(zones) if zones["level"].isin(schema.LEVELS).any() else zones


def _nesting(zones: gpd.GeoDataFrame) -> list[Problem]:
    """Return gaps between the zones within a zone, and zones that leave theirs."""
    problems = []
    parents = vintages.parents(zones)
    inner = np.flatnonzero(parents >= 0)
    for (position, _level), group in zones.iloc[inner].groupby([parents[inner], "level"]):
        parent = zones.iloc[position]
        code, whole = parent["code"], parent.geometry
        for vintage in vintages.vintages(group):
            together = vintages.of(group, vintage)
            union = shapely.union_all(together.geometry.to_numpy())
            gap_km2 = shapely.difference(whole, union).area / 1e6
            if gap_km2 > GAP_TOLERANCE * whole.area / 1e6:
                said = message(
                    "{area} km² of the zone {code} is in none of the {count} zones in it",
                    area=f"{gap_km2:.3g}",
                    code=code,
                    count=len(together),
                )
                expected = message("expected zones without gaps between them")
                problems.append(_warning("zones", said, expected, parent.name, "geometry"))
        beyond = shapely.area(shapely.difference(group.geometry.to_numpy(), whole))
        share = beyond / group.geometry.area.to_numpy()
        for k in np.flatnonzero(share > 0.01):
            said = message(
                "{share} % of the zone {code} is outside the zone {parent}",
                share=f"{100 * share[k]:.3g}",
                code=group["code"].iloc[k],
                parent=code,
            )
            expected = message("expected a zone within the one it belongs to")
            problems.append(_warning("zones", said, expected, group.index[k], "geometry"))
    finest = shapely.union_all(_finest(zones).geometry.to_numpy())
    holes = _holes_km2(finest)
    if holes > GAP_TOLERANCE * finest.area / 1e6:
        said = message("there are holes of {area} km² between the zones", area=f"{holes:.3g}")
        problems.append(_warning("zones", said, message("expected zones without gaps")))
    return problems


def _holes_km2(shape: Any) -> float:
    polygons = shapely.get_parts(shape)
    filled = shapely.area(shapely.polygons(shapely.get_exterior_ring(polygons)))
    return float((filled - shapely.area(polygons)).sum() / 1e6)


def _zone_population(zones: gpd.GeoDataFrame) -> list[Problem]:
    finest = _finest(zones)
    empty = finest["population"].isna()
    expected = message("its share of the population is taken from the raster alone")
    if empty.all():
        said = message("no zone of the finest level has a population")
        return [_warning("zones", said, expected, column="population")]
    return [
        _warning("zones", message("no value"), expected, row, "population")
        for row in finest.index[empty]
    ]


def _villages(villages: gpd.GeoDataFrame, zones: gpd.GeoDataFrame) -> list[Problem]:
    problems = []
    code = villages["zone_code"]
    for row in villages.index[code.notna() & ~code.isin(zones["code"])]:
        expected = message("expected the code of a zone")
        problems.append(_warning("villages", shown(code.loc[row]), expected, row, "zone_code"))
    outside = geometry.outside(villages.geometry, zones.geometry)
    places = geometry.coordinates_text(villages.geometry)
    for k in np.flatnonzero(outside):
        expected = message("expected a place in one of the zones")
        problems.append(_warning("villages", places[k], expected, villages.index[k], "geometry"))
    return problems


def coverage_of_raster(workspace: Workspace, name: str, outline: Any) -> tuple[float, float]:
    """Return how much of an area a raster does not cover.

    Parameters
    ----------
    workspace
        The workspace.
    name
        Raster.
    outline
        The area, in its CRS.

    Returns
    -------
    tuple of float
        Share of the area beyond the raster's edge, and share without data inside it.
    """
    info = workspace.raster_info(name)
    width = info.bounds[2] - info.bounds[0]
    corners = shapely.segmentize(shapely.box(*info.bounds), width / 20)
    footprint = gpd.GeoSeries([corners], crs=info.crs).to_crs(workspace.area.crs).iloc[0]
    beyond = float(shapely.difference(outline, footprint).area / outline.area)
    if beyond > _ALL:
        return 1.0, 0.0
    missing = _missing_share(workspace, name, shapely.intersection(outline, footprint))
    return beyond, (1.0 if missing > _ALL else missing) * (1.0 - beyond)


def _raster(workspace: Workspace, name: str, outline: Any) -> list[Problem]:
    """Return how far a raster does not cover the zones: outside its edge, and in holes."""
    severity: Literal["error", "warning"] = "error" if schema.RASTERS[name].required else "warning"
    expected = message("expected values in the whole study area")
    beyond, holes = coverage_of_raster(workspace, name, outline)
    if beyond == 1.0:
        said = message("the raster lies wholly outside the study area")
        return [Problem(name, None, None, said, expected, None, severity)]
    problems = []
    # Pixels' edges and bent lines make a hair of difference at the border.
    if beyond > 1e-4:
        said = message(
            "{share} % of the study area lies beyond the raster", share=f"{100 * beyond:.3g}"
        )
        problems.append(_warning(name, said, expected))
    if holes == 1.0 - beyond:
        said = message("the raster has no data in the study area")
        problems.append(Problem(name, None, None, said, expected, None, severity))
    elif holes > 0:
        said = message(
            "{share} % of the study area has no data (holes in the raster)",
            share=f"{100 * holes:.3g}",
        )
        problems.append(_warning(name, said, expected))
    return problems


def _missing_share(workspace: Workspace, name: str, part: Any) -> float:
    """Return the share of an area in which a raster has no data, by pixel centres."""
    native = workspace.raster_info(name).grid
    bounds = tuple(float(value) for value in part.bounds)
    area = (bounds[2] - bounds[0]) * (bounds[3] - bounds[1])
    resolution = max(native.resolution_m, (area / _MAX_PIXELS) ** 0.5)
    grid = Grid.covering((bounds[0], bounds[1], bounds[2], bounds[3]), resolution, native.crs)
    if resolution == native.resolution_m:
        grid = _window_of(native, grid)
    values = workspace.read_raster(name, grid, "nearest").values
    inside: NDArray[np.bool_] = rasterio.features.geometry_mask(
        [part.buffer(-0.75 * resolution)], grid.shape, grid.transform, invert=True
    )
    lost = np.isnan(values[inside])
    if lost.all():
        return 1.0 if lost.size else 0.0
    return float(lost.sum() * resolution**2 / part.area)


def _window_of(native: Grid, wanted: Grid) -> Grid:
    """Return the window of a grid over another of the same resolution."""
    row = int(np.floor((native.y_max - wanted.y_max) / native.resolution_m))
    column = int(np.floor((wanted.x_min - native.x_min) / native.resolution_m))
    return native.window(row, column, wanted.height + 1, wanted.width + 1)


def _population_total(workspace: Workspace, zones: gpd.GeoDataFrame) -> list[Problem]:
    """Compare the raster with the table, where all zones of a vintage have a population."""
    problems = []
    path = workspace.raster_path("population")
    for vintage in vintages.vintages(zones):
        level, part = vintage.level, vintages.of(zones, vintage)
        if part["population"].isna().any():
            continue
        table = float(part["population"].sum())
        total = float(people_by_zone(path, part).sum())
        if abs(total - table) > POPULATION_TOLERANCE * max(table, 1.0):
            said = message(
                "the raster has {total} people in the zones of level {level}, their table {table}",
                total=f"{total:,.0f}",
                level=level,
                table=f"{table:,.0f}",
            )
            expected = message(
                "expected a difference of at most {limit} %",
                limit=round(100 * POPULATION_TOLERANCE),
            )
            problems.append(_warning("population", said, expected))
    return problems


def _idle_masts(frames: dict[str, pd.DataFrame]) -> list[Problem]:
    if "masts" not in frames or "cells" not in frames or not len(frames["cells"]):
        return []
    masts = frames["masts"]
    idle = ~masts["mast_id"].isin(frames["cells"]["mast_id"]) & (masts["status"] == "existing")
    if not idle.any():
        return []
    said = message(
        "{count} existing masts, such as {mast}, carry no cell",
        count=int(idle.sum()),
        mast=masts.loc[idle, "mast_id"].iloc[0],
    )
    return [_warning("masts", said, message("they add no coverage"))]
