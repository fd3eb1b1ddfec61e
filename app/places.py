"""What is received at a place, and from where."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import geopandas as gpd
import pandas as pd
import pyproj
import scipy.special
import shapely

from app import study
from coverage.results import ANY_OPERATOR, CoverageResult
from data import vintages
from data.grid import Grid
from data.schema import LEVELS
from data.store import Workspace


@dataclass(frozen=True)
class Reception:
    """One technology at a place.

    Parameters
    ----------
    technology
        E.g. "4G".
    metric
        What the level is, e.g. RSRP.
    level_dbm
        Level of the best server; None without signal. [dBm]
    threshold_dbm
        Level that counts as covered. [dBm]
    probability
        Share of locations at which the threshold is reached, 0 to 1.
    covered
        Whether that is enough.
    asked
        The operator whose best server it is, or "any".
    server
        Row of the best server in the layer `cells`; -1 without signal.
    cell_id, band, operator, mast_id, mast_name
        The best server; empty without signal.
    distance_m
        To its mast. [m]
    """

    technology: str
    metric: str
    level_dbm: float | None
    threshold_dbm: float
    probability: float
    covered: bool
    asked: str = ANY_OPERATOR
    server: int = -1
    cell_id: str = ""
    band: str = ""
    operator: str = ""
    mast_id: str = ""
    mast_name: str = ""
    distance_m: float | None = None


@dataclass(frozen=True)
class Place:
    """A place and what is received there.

    Parameters
    ----------
    latitude_deg, longitude_deg
        WGS 84. [deg]
    zones
        Names of the zones that it lies in, widest first.
    ground_m
        Height of the ground; None where the terrain is unknown. [m]
    inside
        Whether it lies on the analysis grid.
    pixel
        Row and column on it.
    receptions
        One for each technology, of the operator asked for.
    by_operator
        One for each technology and operator.
    """

    latitude_deg: float
    longitude_deg: float
    zones: tuple[str, ...]
    ground_m: float | None
    inside: bool
    pixel: tuple[int, int]
    receptions: tuple[Reception, ...]
    by_operator: tuple[Reception, ...]


def explain(
    area: Workspace,
    result: CoverageResult,
    latitude_deg: float,
    longitude_deg: float,
    operator: str = ANY_OPERATOR,
) -> Place:
    """Find out what is received at a place.

    Parameters
    ----------
    area
        The workspace.
    result
        Its coverage.
    latitude_deg, longitude_deg
        The place, WGS 84. [deg]
    operator
        Operator, or "any".

    Returns
    -------
    Place
        The answer.
    """
    grid = result.grid
    to_grid = pyproj.Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    x_m, y_m = to_grid.transform(longitude_deg, latitude_deg)
    column = math.floor((x_m - grid.x_min) / grid.resolution_m)
    row = math.floor((grid.y_max - y_m) / grid.resolution_m)
    inside = 0 <= row < grid.height and 0 <= column < grid.width
    table = result.at(row, column) if inside else None
    thresholds = result.summary["provenance"]["thresholds"]
    receptions = () if table is None else tuple(_receptions(area, table, thresholds, (x_m, y_m)))
    return Place(
        latitude_deg,
        longitude_deg,
        _zones_at(study.layer(area, "zones"), x_m, y_m),
        _ground(area, x_m, y_m),
        inside,
        (row, column),
        tuple(item for item in receptions if item.asked == operator),
        tuple(item for item in receptions if item.asked != ANY_OPERATOR),
    )


def _zones_at(zones: pd.DataFrame, x_m: float, y_m: float) -> tuple[str, ...]:
    assert isinstance(zones, gpd.GeoDataFrame)  # noqa: S101 - told to the type checker
    zones = zones.reset_index(drop=True)
    hits = set(zones.sindex.query(shapely.Point(x_m, y_m), predicate="intersects").tolist())
    for level in reversed(LEVELS):
        # Units of other times lie at the place as well, but are not its units.
        here = [row for row in vintages.newest(zones, level).index if row in hits]
        if here:
            return _line_of(zones, here[0])
    return ()


def _line_of(zones: gpd.GeoDataFrame, row: int) -> tuple[str, ...]:
    """Return the names of a zone and of those that it belongs to, widest first."""
    parents = vintages.parents(zones)
    line: list[int] = []
    while row >= 0 and row not in line:
        line.insert(0, row)
        row = int(parents[row])
    return tuple(zones["name"].iloc[line])


def _ground(area: Workspace, x_m: float, y_m: float) -> float | None:
    own = area.raster_info("terrain").grid
    pixel = Grid(
        area.area.crs,
        x_m - own.resolution_m / 2,
        y_m + own.resolution_m / 2,
        own.resolution_m,
        1,
        1,
    )
    height = float(area.read_raster("terrain", pixel).values[0, 0])
    return height if math.isfinite(height) else None


def _receptions(
    area: Workspace,
    table: pd.DataFrame,
    thresholds: dict[str, dict[str, object]],
    position_m: tuple[float, float],
) -> Iterator[Reception]:
    cells, masts = study.layer(area, "cells"), study.layer(area, "masts")
    place_of = dict(zip(masts["mast_id"], range(len(masts)), strict=True))
    for found in table.to_dict("records"):
        technology = str(found["technology"])
        known = {
            "technology": technology,
            "metric": str(thresholds[technology]["metric"]),
            "threshold_dbm": float(str(thresholds[technology]["threshold_dbm"])),
            "asked": str(found["operator"]),
        }
        number = int(found["server"])
        if not math.isfinite(found["level_dbm"]) or number < 0:
            yield Reception(level_dbm=None, probability=0.0, covered=False, **known)
            continue
        cell = cells.iloc[number]
        mast = masts.iloc[place_of[cell["mast_id"]]]
        yield Reception(
            level_dbm=float(found["level_dbm"]),
            probability=float(scipy.special.ndtr(found["fade_margin"])),
            covered=bool(found["covered"]),
            server=number,
            cell_id=str(cell["cell_id"]),
            band=_text(cell["band"]),
            operator=str(cell["operator"]),
            mast_id=str(cell["mast_id"]),
            mast_name=_text(mast["name"]),
            distance_m=math.hypot(mast.geometry.x - position_m[0], mast.geometry.y - position_m[1]),
            **known,
        )


def _text(value: object) -> str:
    return "" if pd.isna(value) else str(value)
