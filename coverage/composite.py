"""Many cells over an area: best and second-best server and interference of each carrier."""

from __future__ import annotations

import dataclasses
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from coverage import antenna, sweep
from coverage.kernels import cells as kernels
from coverage.mast import (
    Carrier,
    Levels,
    Losses,
    MastJob,
    cell_levels,
    mast_jobs,
    predict_losses,
)
from data.grid import Grid, Raster


@dataclass(frozen=True, eq=False)
class Composite:
    """Best and second-best server of each carrier at each pixel of a grid.

    Parameters
    ----------
    grid
        The frame.
    carriers
        The carrier of each layer of the arrays.
    best_dbm, second_dbm
        Level of the metric of the technology, shape (carriers, rows, columns);
        -inf without signal. The second best comes from another mast. [dBm]
    best_cell, second_cell
        Position of the serving cell in the table of cells; -1 without signal.
    total_mw
        Sum over all cells of their power, as the metric counts it, times their
        load: the serving cell's share and the interference. [mW]
    masts_without_terrain
        Masts left out because the terrain raster does not cover them.
    """

    grid: Grid
    carriers: tuple[Carrier, ...]
    best_dbm: NDArray[np.float32]
    best_cell: NDArray[np.int32]
    second_dbm: NDArray[np.float32]
    second_cell: NDArray[np.int32]
    total_mw: NDArray[np.float64]
    masts_without_terrain: tuple[str, ...] = ()

    @classmethod
    def empty(cls, grid: Grid, wanted: Sequence[Carrier]) -> Composite:
        """Return a composite without any signal.

        Parameters
        ----------
        grid
            The frame.
        wanted
            The carrier of each layer.

        Returns
        -------
        Composite
            All levels -inf.
        """
        shape = (len(wanted), *grid.shape)
        return cls(
            grid,
            tuple(wanted),
            np.full(shape, -np.inf, np.float32),
            np.full(shape, -1, np.int32),
            np.full(shape, -np.inf, np.float32),
            np.full(shape, -1, np.int32),
            np.zeros(shape, np.float64),
        )

    def part(self, row: int, column: int, height: int, width: int) -> Composite:
        """Return a window as views of the arrays.

        Parameters
        ----------
        row, column, height, width
            The window.

        Returns
        -------
        Composite
            On the window's grid.
        """
        window = (slice(None), slice(row, row + height), slice(column, column + width))
        return Composite(
            self.grid.window(row, column, height, width),
            self.carriers,
            self.best_dbm[window],
            self.best_cell[window],
            self.second_dbm[window],
            self.second_cell[window],
            self.total_mw[window],
            self.masts_without_terrain,
        )

    def copy(self) -> Composite:
        """Return the same levels in arrays of their own.

        Returns
        -------
        Composite
            Not changed when this one is.
        """
        arrays = ("best_dbm", "best_cell", "second_dbm", "second_cell", "total_mw")
        return dataclasses.replace(self, **{name: getattr(self, name).copy() for name in arrays})


def place_in(frame: Grid, window: Grid) -> tuple[int, int]:
    """Return row and column of a window's first pixel in an aligned grid.

    Parameters
    ----------
    frame, window
        Two grids with the same pixels; the window may reach over the frame's edges.

    Returns
    -------
    row, column
        Negative before the frame's first pixel.
    """
    return (
        round((frame.y_max - window.y_max) / frame.resolution_m),
        round((window.x_min - frame.x_min) / frame.resolution_m),
    )


def merge(levels: Levels, into: Composite) -> None:
    """Put the levels of one mast into a composite, without its power.

    Parameters
    ----------
    levels
        Of a mast that is not in the composite yet.
    into
        Changed in place.
    """
    row, column = place_in(into.grid, levels.grid)
    for index, carrier in enumerate(levels.carriers):
        kernels.merge_best(
            levels.level_dbm[index],
            levels.cell[index],
            row,
            column,
            into.best_dbm[carrier],
            into.best_cell[carrier],
            into.second_dbm[carrier],
            into.second_cell[carrier],
        )


def add_power(levels: Levels, into: Composite, sign: float = 1.0) -> None:
    """Add the power of one mast to a composite, or take it away.

    Parameters
    ----------
    levels
        Of the mast.
    into
        Changed in place.
    sign
        1 to add, -1 to take away.
    """
    row, column = place_in(into.grid, levels.grid)
    for index, carrier in enumerate(levels.carriers):
        kernels.add_power(levels.power_mw[index], row, column, sign, into.total_mw[carrier])


def _in_order(
    pool: ThreadPoolExecutor,
    work: Callable[[MastJob], Levels],
    jobs: Sequence[MastJob],
    ahead: int,
) -> Iterator[Levels]:
    """Yield results in the order of the jobs, with few of them in memory."""
    waiting: deque[Future[Levels]] = deque()
    source = iter(jobs)
    waiting.extend(pool.submit(work, job) for job in itertools.islice(source, ahead))
    try:
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(work, job) for job in itertools.islice(source, 1))
    finally:
        for future in waiting:
            future.cancel()


def compose(
    elevation: Raster,
    clutter_height: Raster | None,
    masts: gpd.GeoDataFrame,
    cells: pd.DataFrame,
    grid: Grid,
    *,
    tile: Grid | None = None,
    wanted: Sequence[Carrier],
    settings: sweep.SweepSettings,
    own_patterns: dict[str, antenna.Pattern] | None = None,
    losses: Callable[[MastJob], Losses] | None = None,
    threads: int = 2,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Composite:
    """Predict all cells and keep the best servers of each carrier at each pixel.

    The result does not depend on the number of threads nor on the order of the
    masts (ties go to the cell that comes first in the table).

    Parameters
    ----------
    elevation
        Terrain heights in the CRS of the grid. [m]
    clutter_height
        Representative clutter heights, or None for open land. [m]
    masts
        Layer `masts`, in the CRS of the grid; only these transmit.
    cells
        Layer `cells`.
    grid
        The analysis grid; masts outside it serve it too.
    tile
        The part of the grid wanted, or None for all of it. A pixel's values do
        not depend on the tile.
    wanted
        The carriers to predict.
    settings
        Model, radius, receiver and its conditions.
    own_patterns
        Antenna patterns read from files, by name.
    losses
        Where the losses of a mast come from: a cache or a cluster; None to
        predict them here.
    threads
        Number of masts computed at once.
    on_progress
        Called with the finished share, 0 to 1, from the caller's thread; may
        raise `CancelledError`.

    Returns
    -------
    Composite
        The levels and their cells.
    """
    jobs, without_terrain = mast_jobs(elevation, masts, cells, wanted, own_patterns)
    result = Composite.empty(grid if tile is None else tile, wanted)

    def work(job: MastJob) -> Levels:
        if losses is None:
            found = predict_losses(job, elevation, clutter_height, grid, settings)
        else:
            found = losses(job)
        return cell_levels(job, found, elevation, settings.rx_height_m)

    with ThreadPoolExecutor(threads) as pool:
        for done, found in enumerate(_in_order(pool, work, jobs, ahead=2 * threads), start=1):
            merge(found, result)
            add_power(found, result)
            on_progress(done / len(jobs))
    return dataclasses.replace(result, masts_without_terrain=tuple(without_terrain))


def strongest(
    levels: Composite, technology_name: str, operator: str
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return the best level and its cell over all carriers of one operator's technology.

    Parameters
    ----------
    levels
        Levels of carriers.
    technology_name, operator
        Which carriers.

    Returns
    -------
    level_dbm
        Shape of the grid; -inf without signal. [dBm]
    cell
        Position in the table of cells; -1 without signal.
    """
    rows = _rows_of(levels, technology_name, operator)
    return first_of(levels.best_dbm[rows], levels.best_cell[rows])


def second_strongest(
    levels: Composite, technology_name: str, operator: str, mast_of_cell: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the best level from a mast other than the best server's.

    Parameters
    ----------
    levels
        Levels of carriers.
    technology_name, operator
        Which carriers.
    mast_of_cell
        Number of each cell's mast.

    Returns
    -------
    numpy.ndarray
        Shape of the grid; -inf where fewer than two masts are received. [dBm]
    """
    rows = _rows_of(levels, technology_name, operator)
    _, server = first_of(levels.best_dbm[rows], levels.best_cell[rows])
    own = np.append(mast_of_cell, -1)[server]
    second = np.full(levels.grid.shape, -np.inf, np.float32)
    for row in rows:
        other = np.append(mast_of_cell, -1)[levels.best_cell[row]] != own
        # On a carrier whose best is the server's mast the second is another one's.
        level = np.where(other, levels.best_dbm[row], levels.second_dbm[row])
        np.maximum(second, level, out=second)
    return second


def _rows_of(levels: Composite, technology_name: str, operator: str) -> list[int]:
    return [
        index
        for index, carrier in enumerate(levels.carriers)
        if carrier[:2] == (technology_name, operator)
    ]


def first_of(
    ranked: NDArray[np.float32], other: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Return the highest of several values at each pixel, and what stands beside it.

    Parameters
    ----------
    ranked, other
        Shape (layers, rows, columns), without NaN in `ranked`.

    Returns
    -------
    ranked, other
        Shape (rows, columns); without any layer -inf and -1.
    """
    if len(ranked) == 0:
        shape = ranked.shape[1:]
        return np.full(shape, -np.inf, np.float32), np.full(shape, -1, other.dtype)
    best = np.argmax(ranked, axis=0)[None]
    return (
        np.take_along_axis(ranked, best, 0)[0],
        np.take_along_axis(other, best, 0)[0],
    )
