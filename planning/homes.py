"""Where homes are, and how many people and households each point stands for.

Points come from what is known best: homes that the user gives (buildings or
addresses), else the pixels of the population raster, else the villages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import scipy.sparse
import shapely
from numpy.typing import NDArray

from data import clutter_classes
from data.errors import InputError, Message, message
from data.grid import Grid
from data.schema import LEVELS
from data.store import Workspace
from data.vintages import newest

FloatArray = NDArray[np.float64]
Source = Literal["auto", "population", "villages"]

#: People of one household where the zones do not say: Vietnam's census of 1 April
#: 2019. From general knowledge, not verified.
HOUSEHOLD_SIZE = 3.6

#: Distance between points made of the population raster. [m]
SPACING_M = 100.0

#: Most points that are made; beyond it their distance is doubled.
MOST_POINTS = 2_000_000

# Pixels that are read at once.
_STRIP_PIXELS = 4_000_000

# Points that are compared with zones at once.
_CHUNK = 200_000


@dataclass(frozen=True, eq=False)
class Homes:
    """Points where people live, with what each stands for.

    Parameters
    ----------
    x_m, y_m
        Places in the area's CRS, shape (n,). [m]
    people, households
        How many live there, 0 or more, not always whole.
    source
        ``"given"``, ``"population"`` or ``"villages"``.
    spacing_m
        About how far the homes of a point may lie apart. [m]
    belongs
        Sparse matrix (zones, homes), 1 where a home lies in a zone.
    notes
        What a reader must know.
    """

    x_m: FloatArray
    y_m: FloatArray
    people: FloatArray
    households: FloatArray
    source: str
    spacing_m: float
    belongs: scipy.sparse.csr_array
    notes: list[Message] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.x_m)


def find(
    workspace: Workspace,
    *,
    given: gpd.GeoDataFrame | None = None,
    source: Source = "auto",
    household_size: float = HOUSEHOLD_SIZE,
    spacing_m: float = SPACING_M,
    most_points: int = MOST_POINTS,
) -> Homes:
    """Return the homes of a study area.

    Parameters
    ----------
    workspace
        The study area with zones.
    given
        Homes of the user's own, one row a building or address, in any CRS, with
        `households` or `population` where known; a row without either is one household.
    source
        Which layer to take where none are given; ``"auto"`` takes the population
        raster, else the villages.
    household_size
        People of one household in zones that do not give both figures.
    spacing_m
        Distance between points made of the population raster. [m]
    most_points
        Beyond this many points their distance is doubled.

    Returns
    -------
    Homes
        Those within the zones.

    Raises
    ------
    InputError
        If there is neither, nobody lives there, or a number is not usable.
    """
    if not 1.0 <= household_size <= 20.0:
        raise InputError(
            "The size of a household is {value} (expected a number from 1 to 20)",
            value=household_size,
        )
    if not 10.0 <= spacing_m <= 10_000.0:
        raise InputError(
            "The distance between homes is {value} m (expected a number from 10 to 10000)",
            value=spacing_m,
        )
    zones = workspace.read("zones").reset_index(drop=True)
    notes: list[Message] = []
    if given is not None:
        xy, people, households = _of_frame(given, workspace.area.crs, household_size)
        kind, spacing = "given", 0.0
    elif source == "population" or (source == "auto" and workspace.has("population")):
        if not workspace.has("population"):
            raise InputError(
                "The workspace has no population: import it with `python -m planning data import "
                "population FILE`, or take the villages"
            )
        xy, people, spacing = _of_raster(workspace, zones, spacing_m, most_points, notes)
        households = np.full(len(people), np.nan)
        kind = "population"
    elif workspace.has("villages"):
        xy, people = _of_villages(workspace.read("villages"), notes)
        households, spacing, kind = np.full(len(people), np.nan), 500.0, "villages"
    else:
        raise InputError(
            "The workspace has neither population nor villages, so it is not known where homes "
            "are: import one of them with `python -m planning data import population FILE` or "
            "give a file of homes"
        )
    belongs = _belongs(zones, xy)
    inside = np.asarray(belongs.sum(axis=0)).ravel() > 0
    size = _household_sizes(zones, belongs, household_size)
    households = np.where(np.isnan(households), people / size, households)
    people = np.where(np.isnan(people), households * size, people)
    keep = inside & ((people > 0.0) | (households > 0.0))
    if not keep.any():
        raise InputError("Nobody lives in the zones, by the {source} that is there", source=kind)
    outside = float(households[~inside].sum())
    if kind == "given" and outside > 0.0:
        notes.append(
            message(
                "Homes outside all zones, left out: {count} households.", count=f"{outside:,.0f}"
            )
        )
    index = np.flatnonzero(keep)
    return Homes(
        xy[index, 0],
        xy[index, 1],
        people[index],
        households[index],
        kind,
        spacing,
        belongs[:, index].tocsr(),
        notes,
    )


def read_file(path: Path) -> gpd.GeoDataFrame:
    """Read homes from a file of points or outlines.

    Parameters
    ----------
    path
        GeoPackage, GeoJSON, Shapefile or anything else that GDAL reads.

    Returns
    -------
    GeoDataFrame
        For `find`.

    Raises
    ------
    InputError
        If it cannot be read or has no CRS.
    """
    try:
        frame = gpd.read_file(path)
    except (OSError, ValueError, pyogrio.errors.DataSourceError) as error:
        raise InputError(
            "{file} cannot be read as homes (expected points or outlines in a file such as "
            "GeoPackage or GeoJSON)",
            file=path.name,
        ) from error
    if not isinstance(frame, gpd.GeoDataFrame) or frame.crs is None:
        raise InputError(
            "{file} has no places with a CRS (expected points or outlines of homes)",
            file=path.name,
        )
    return frame


def _of_frame(
    frame: gpd.GeoDataFrame, crs: str, household_size: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    if frame.crs is None:
        raise InputError("The homes have no CRS, so it is not known where they are")
    shapes = frame.geometry.to_crs(crs)
    if not len(frame) or shapes.is_empty.any() or shapes.isna().any():
        raise InputError(
            "{count} of {total} homes have no place (expected a point or outline for each)",
            count=f"{int((shapes.is_empty | shapes.isna()).sum()):,}",
            total=f"{len(frame):,}",
        )
    points = shapely.point_on_surface(shapes.to_numpy())
    values = {}
    for name in ("households", "population"):
        column = frame[name] if name in frame else pd.Series(np.nan, index=frame.index)
        figures = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
        wrong = np.flatnonzero((figures < 0.0) | (np.isnan(figures) & column.notna().to_numpy()))
        if len(wrong):
            raise InputError(
                "Home {row}, column {column}: {value} (expected a number of at least 0)",
                row=int(wrong[0]) + 1,
                column=name,
                value=str(column.iloc[int(wrong[0])]),
            )
        values[name] = figures
    households, people = values["households"], values["population"]
    # Where people are given and households are not, the zone's size of households says.
    households = np.where(np.isnan(households) & np.isnan(people), 1.0, households)
    return shapely.get_coordinates(points), people, households


def _of_villages(villages: gpd.GeoDataFrame, notes: list[Message]) -> tuple[FloatArray, FloatArray]:
    people = villages["population"].to_numpy(dtype=float)
    known = np.isfinite(people)
    if not known.all():
        notes.append(
            message(
                "Villages without population, left out: {count}.", count=f"{int((~known).sum()):,}"
            )
        )
    notes.append(
        message(
            "Homes are taken to stand at the point of their village, which is coarse: a drop "
            "length is shorter than a village is wide."
        )
    )
    xy = np.column_stack([villages.geometry.x, villages.geometry.y])
    return xy[known], people[known]


def _of_raster(
    workspace: Workspace,
    zones: gpd.GeoDataFrame,
    spacing_m: float,
    most_points: int,
    notes: list[Message],
) -> tuple[FloatArray, FloatArray, float]:
    """Return a point for each pixel with people, of about the wanted distance."""
    native = workspace.raster_info("population").grid
    x_min, y_min, x_max, y_max = (float(value) for value in zones.total_bounds)
    bounds = (x_min, y_min, x_max, y_max)
    coarse = native.resolution_m > 1.5 * spacing_m
    while True:
        if not coarse and native.resolution_m > 0.67 * spacing_m:
            part = native.part_over(bounds)
            grid = None if part is None else native.window(*part)
        else:
            grid = Grid.covering(bounds, spacing_m, workspace.area.crs)
        found = _read_points(workspace, grid, native if coarse else None, most_points)
        if found is not None:
            break
        spacing_m *= 2.0
        coarse = native.resolution_m > 1.5 * spacing_m
    xy, people = found
    spacing = spacing_m if grid is None else grid.resolution_m
    if coarse:
        built = workspace.has("clutter")
        notes.append(
            message(
                "The population raster has pixels of {pixel} m; its people are spread over the "
                "settlements of the land cover at {spacing} m, so single places are uncertain.",
                pixel=round(native.resolution_m),
                spacing=round(spacing),
            )
            if built
            else message(
                "The population raster has pixels of {pixel} m; its people are spread evenly at "
                "{spacing} m, so single places are uncertain.",
                pixel=round(native.resolution_m),
                spacing=round(spacing),
            )
        )
    return xy, people, spacing


def _read_points(
    workspace: Workspace, grid: Grid | None, native: Grid | None, most_points: int
) -> tuple[FloatArray, FloatArray] | None:
    """Return pixels with people; None if there are too many."""
    if grid is None:
        return np.zeros((0, 2)), np.zeros(0)
    # The rows of coarse pixels are kept together, because their people are moved within them.
    ratio = 1 if native is None else max(1, round(native.resolution_m / grid.resolution_m))
    rows = max(1, _STRIP_PIXELS // grid.width // ratio) * ratio
    places, counts, total = [], [], 0
    for first in range(0, grid.height, rows):
        strip = grid.window(first, 0, min(rows, grid.height - first), grid.width)
        people = workspace.read_raster("population", strip, resampling="sum").values
        people = np.maximum(np.nan_to_num(people).astype(np.float64), 0.0)
        if native is not None:
            people = _settled(workspace, people, strip, native)
        row, column = np.nonzero(people > 1e-9)
        total += len(row)
        if total > most_points:
            return None
        places.append(np.column_stack([strip.x_centres()[column], strip.y_centres()[row]]))
        counts.append(people[row, column])
    return np.concatenate(places), np.concatenate(counts)


def _settled(workspace: Workspace, people: FloatArray, grid: Grid, native: Grid) -> FloatArray:
    """Move the people of each coarse pixel to its settlements; off the water at least."""
    if not workspace.has("clutter"):
        return people
    codes = workspace.read_raster("clutter", grid).values
    settled = np.isin(codes, clutter_classes.SETTLED).astype(np.float64)
    dry = (codes != clutter_classes.WATER).astype(np.float64)
    column = np.floor((grid.x_centres() - native.x_min) / native.resolution_m).astype(np.int64)
    row = np.floor((native.y_max - grid.y_centres()) / native.resolution_m).astype(np.int64)
    cell = ((row - row.min())[:, None] * (np.ptp(column) + 1) + (column - column.min())).ravel()
    count = int(cell.max()) + 1

    def total(values: FloatArray) -> FloatArray:
        return np.bincount(cell, values.ravel(), minlength=count)[cell].reshape(grid.shape)

    weight = np.where(total(settled) > 0.0, settled, np.where(total(dry) > 0.0, dry, 1.0))
    return np.asarray(total(people) * weight / total(weight))


def _belongs(zones: gpd.GeoDataFrame, xy: FloatArray) -> scipy.sparse.csr_array:
    """Return which home lies in which zone; on a border in the first of a level and time."""
    starts = zones["valid_from"].astype(object).where(zones["valid_from"].notna(), "")
    group = pd.MultiIndex.from_arrays([zones["level"].astype(object), starts]).factorize()[0]
    shapes = zones.geometry.to_numpy()
    tree = shapely.STRtree(shapes)
    rows, columns = [], []
    for first in range(0, len(xy), _CHUNK):
        points = shapely.points(xy[first : first + _CHUNK])
        home, zone = tree.query(points, predicate="intersects")
        order = np.lexsort((zone, group[zone], home))
        home, zone = home[order], zone[order]
        once = np.ones(len(home), dtype=bool)
        once[1:] = (home[1:] != home[:-1]) | (group[zone[1:]] != group[zone[:-1]])
        rows.append(zone[once])
        columns.append(home[once] + first)
    row = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)
    column = np.concatenate(columns) if columns else np.zeros(0, dtype=np.int64)
    return scipy.sparse.csr_array((np.ones(len(row)), (row, column)), shape=(len(zones), len(xy)))


def _household_sizes(
    zones: gpd.GeoDataFrame, belongs: scipy.sparse.csr_array, default: float
) -> FloatArray:
    """Return the people of one household at each home: those of the finest zone that says."""
    size = np.full(belongs.shape[1], default)
    population = zones["population"].to_numpy(dtype=float)
    households = zones["households"].to_numpy(dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = population / households
    good = np.isfinite(ratio) & (ratio >= 1.0) & (ratio <= 20.0)
    for level in LEVELS:
        for zone in newest(zones, level).index:
            if good[zone]:
                size[belongs[[zone]].indices] = ratio[zone]
    return size
