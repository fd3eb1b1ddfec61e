"""Which places each mast covers alone: what siting and sharing choose among.

A mast covers a pixel for a technology and an operator if the strongest of its own cells
reaches the threshold with the probability asked for, compared as `coverage.request.services`
compares the strongest cell of all masts. Losses come from the same engine and the same
cache, so masts that coverage was computed for before cost no new propagation.

The pixels that at least one mast covers are those that `coverage.run` finds covered, to the
pixel, for an operator whose cells of the technology all have one location variability: one
frequency, or a calibration. With several frequencies there may be a few pixels more: the
engine judges a pixel by its strongest cell alone, also where a slightly weaker one on a lower
frequency, whose level varies less, reaches the threshold more surely. Any operator is the
union of the operators, in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray

from coverage import composite, mast, percentages, run, validity
from coverage.request import (
    CoverageRequest,
    Plan,
    cells_of,
    make_plan,
    masts_on_air,
    people_per_pixel,
    predictable_cells,
    sigma_by_cell,
    surroundings,
)
from data import vintages
from data.grid import Grid, Raster
from data.schema import LEVELS
from data.store import Workspace
from data.study_area import finest_zones

#: Technology and operator.
Service = tuple[str, str]

Ints = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Demand:
    """What lies under the pixels of a grid.

    Parameters
    ----------
    people
        People within the zones, per pixel in row order.
    area_m2
        Area within the zones, per pixel. [m²]
    commune
        Row in the layer `zones` of the zone of the finest level that has the greatest share
        of the pixel; -1 outside.
    zones
        The layer.
    """

    people: NDArray[np.float64]
    area_m2: NDArray[np.float64]
    commune: Ints
    zones: gpd.GeoDataFrame


@dataclass(frozen=True, eq=False)
class MastCoverage:
    """The pixels that each mast covers alone.

    Parameters
    ----------
    grid
        The analysis grid.
    masts
        The masts, numbered from 0.
    services
        (technology, operator), in order.
    membership
        Service -> table of pixels of the grid in row order × masts; an entry means "covers".
    people, area_m2, commune, zones
        See `Demand`.
    """

    grid: Grid
    masts: gpd.GeoDataFrame
    services: tuple[Service, ...]
    membership: Mapping[Service, scipy.sparse.csr_array]
    people: NDArray[np.float64]
    area_m2: NDArray[np.float64]
    commune: Ints
    zones: gpd.GeoDataFrame

    def covered(
        self, service: Service, masts: NDArray[np.bool_] | None = None
    ) -> NDArray[np.bool_]:
        """Return which pixels at least one of some masts covers.

        Parameters
        ----------
        service
            Technology and operator.
        masts
            Flags of the masts, or None for all.

        Returns
        -------
        numpy.ndarray
            One flag per pixel in row order.
        """
        table = self.membership[service]
        if masts is None:
            return np.diff(table.indptr) > 0
        found: NDArray[np.bool_] = table @ np.asarray(masts, np.int32) > 0
        return found


def demand(workspace: Workspace, grid: Grid) -> Demand:
    """Return people and area under each pixel, and the commune it belongs to.

    Parameters
    ----------
    workspace
        The study area.
    grid
        The pixels.

    Returns
    -------
    Demand
        Of zones with dates the newest vintage of each level counts.
    """
    zones = workspace.read("zones").reset_index(drop=True)
    fraction = percentages.zone_weights(zones, grid).fraction
    pixels = grid.width * grid.height
    inside = np.zeros(pixels)
    commune = np.full(pixels, -1, np.int32)
    communes = set(finest_zones(zones).index)
    for level in LEVELS:
        share, best = np.zeros(pixels), np.zeros(pixels)
        for row in vintages.newest(zones, level).index:
            first, last = fraction.indptr[row], fraction.indptr[row + 1]
            at, part = fraction.indices[first:last], fraction.data[first:last]
            share[at] += part
            if row in communes:
                more = part > best[at]
                best[at[more]] = part[more]
                commune[at[more]] = row
        np.maximum(inside, share, out=inside)
    inside = np.minimum(inside, 1.0)
    people = people_per_pixel(workspace, grid).ravel() * inside
    return Demand(people, inside * grid.resolution_m**2, commune, zones)


def compute(
    workspace: Workspace,
    request: CoverageRequest | None = None,
    masts: gpd.GeoDataFrame | None = None,
    cells: pd.DataFrame | None = None,
    *,
    threads: int | None = None,
    on_progress: Callable[[float], None] = lambda _: None,
) -> MastCoverage:
    """Compute which pixels each mast covers alone.

    Parameters
    ----------
    workspace
        The study area.
    request
        Technologies, operators, model, thresholds and grid; the defaults if None.
    masts
        Masts of any status, in the CRS of the area; those on air if None. Candidates need
        terrain under them.
    cells
        Their cells, columns of the layer `cells`; the workspace's if None.
    threads
        Masts computed at once; all processors if None.
    on_progress
        Called with the finished share from the caller's thread; may raise `CancelledError`.

    Returns
    -------
    MastCoverage
        One column a mast, also for those without cells or beyond the radius.

    Raises
    ------
    InputError
        If the request or a layer cannot be used.
    """
    plan = make_plan(workspace, request or CoverageRequest())
    under = demand(workspace, plan.grid)
    masts = (masts_on_air(workspace) if masts is None else masts).reset_index(drop=True)
    own = cells is None
    cells = cells_of(workspace) if cells is None else cells.reset_index(drop=True)
    operators = plan.operators
    if not own and plan.request.operators is None:
        operators = tuple(sorted({*operators, *cells["operator"]}))
    services = tuple((name, operator) for name in plan.thresholds for operator in operators)
    asked = cells[
        cells["mast_id"].isin(masts["mast_id"])
        & cells["operator"].isin(operators)
        & cells["technology"].isin(plan.thresholds)
    ]
    validity.require_some(plan.model, asked.reset_index(drop=True))
    found = _covered_by_mast(
        plan, masts, cells, mast.carriers(asked), threads or run.default_threads(), on_progress
    )
    membership = {
        service: _table([item.get(service) for item in found], plan.grid) for service in services
    }
    return MastCoverage(
        plan.grid,
        masts,
        services,
        membership,
        under.people,
        under.area_m2,
        under.commune,
        under.zones,
    )


def _covered_by_mast(
    plan: Plan,
    masts: gpd.GeoDataFrame,
    cells: pd.DataFrame,
    wanted: list[mast.Carrier],
    threads: int,
    on_progress: Callable[[float], None],
) -> list[dict[Service, Ints]]:
    """Return for each mast the pixels that it covers, by service."""
    found: list[dict[Service, Ints]] = [{} for _ in range(len(masts))]
    number = {str(name): index for index, name in enumerate(masts["mast_id"])}
    predicted = predictable_cells(plan, cells)
    judge = _Judge(plan, wanted, sigma_by_cell(plan, cells))
    cache = run.loss_cache(plan.workspace)
    done, count = 0, max(1, len(masts))
    for tile, rows in _by_tile(masts, plan.grid, plan.request.radius_m):
        around = surroundings(plan, tile)
        losses = run.losses_of(plan, around, cache)
        jobs, _ = mast.mast_jobs(
            around.elevation, masts.iloc[rows], predicted, wanted, plan.own.patterns
        )

        work = partial(_pixels_of, judge, losses, around.elevation, plan.settings.rx_height_m)
        with ThreadPoolExecutor(threads) as pool:
            waiting = [pool.submit(work, job) for job in jobs]
            try:
                for step, (job, future) in enumerate(zip(jobs, waiting, strict=True), start=1):
                    found[number[job.mast_id]] = future.result()
                    on_progress((done + step * len(rows) / len(jobs)) / count)
            finally:
                for future in waiting:
                    future.cancel()
        done += len(rows)
    cache.trim()
    on_progress(1.0)
    return found


def _pixels_of(
    judge: _Judge,
    losses: Callable[[mast.MastJob], mast.Losses],
    elevation: Raster,
    receiver_height_m: float,
    job: mast.MastJob,
) -> dict[Service, Ints]:
    return judge.covered(mast.cell_levels(job, losses(job), elevation, receiver_height_m))


class _Judge:
    """Compares the levels of one mast with the thresholds."""

    def __init__(
        self, plan: Plan, carriers: list[mast.Carrier], sigma_db: NDArray[np.float32]
    ) -> None:
        self._plan = plan
        self._carriers = carriers
        self._sigma_db = sigma_db

    def covered(self, levels: mast.Levels) -> dict[Service, Ints]:
        """Return the pixels of the whole grid that are covered, ascending, by service."""
        grid = self._plan.grid
        top, left = composite.place_in(grid, levels.grid)
        rows: dict[Service, list[int]] = {}
        for index, carrier in enumerate(levels.carriers):
            rows.setdefault(self._carriers[carrier][:2], []).append(index)
        found = {}
        for service, own in rows.items():
            threshold = self._plan.thresholds[service[0]]
            level, cell = composite.first_of(levels.level_dbm[own], levels.cell[own])
            where = percentages.service(
                level,
                threshold_dbm=threshold.threshold_dbm,
                probability=threshold.probability,
                sigma_db=self._sigma_db[cell],
                model_error_db=self._plan.model_error_db,
            )
            row, column = np.nonzero(where.covered)
            found[service] = ((row + top) * grid.width + column + left).astype(np.int32)
        return found


def _by_tile(
    masts: gpd.GeoDataFrame, grid: Grid, radius_m: float
) -> Iterable[tuple[Grid, NDArray[np.int64]]]:
    """Yield blocks of the grid with the masts on or nearest to them that can reach the grid."""
    size = run.TILE_PIXELS
    x, y = masts.geometry.x.to_numpy(), masts.geometry.y.to_numpy()
    x_min, y_min, x_max, y_max = grid.bounds
    near = (
        (x >= x_min - radius_m)
        & (x <= x_max + radius_m)
        & (y >= y_min - radius_m)
        & (y <= y_max + radius_m)
    )
    column = np.clip((x - grid.x_min) // grid.resolution_m, 0, grid.width - 1) // size
    row = np.clip((grid.y_max - y) // grid.resolution_m, 0, grid.height - 1) // size
    for top in np.unique(row[near]):
        for left in np.unique(column[near & (row == top)]):
            chosen = np.flatnonzero(near & (row == top) & (column == left))
            first_row, first_column = int(top) * size, int(left) * size
            tile = grid.window(
                first_row,
                first_column,
                min(size, grid.height - first_row),
                min(size, grid.width - first_column),
            )
            yield tile, chosen


def _table(pixels: list[Ints | None], grid: Grid) -> scipy.sparse.csr_array:
    """Put the pixels of all masts into one table, pixels × masts."""
    none = np.zeros(0, np.int32)
    parts = [none if part is None else part for part in pixels]
    first = np.concatenate([np.zeros(1, np.int64), np.cumsum([len(part) for part in parts])])
    items = np.concatenate([none, *parts])
    by_mast = scipy.sparse.csc_array(
        (np.ones(len(items), np.bool_), items, first), shape=(grid.width * grid.height, len(parts))
    )
    table = by_mast.tocsr()
    table.sort_indices()
    return table
