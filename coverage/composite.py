"""Many cells over an area: best and second-best server and interference of each carrier."""

from __future__ import annotations

import dataclasses
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
from numpy.typing import NDArray

from coverage import antenna, sweep, technology, terrain
from coverage.kernels import cells as kernels
from data.errors import InputError
from data.grid import Grid, Raster


class Carrier(NamedTuple):
    """Cells that share a frequency: what one operator's technology does on one band."""

    technology: str
    operator: str
    frequency_mhz: float


def carriers(cells: pd.DataFrame) -> list[Carrier]:
    """Return the carriers that the cells use, in a fixed order.

    Parameters
    ----------
    cells
        Layer `cells`.

    Returns
    -------
    list of Carrier
        Sorted, each once.
    """
    columns = (cells["technology"], cells["operator"], cells["frequency_mhz"].astype(float))
    return sorted({Carrier(*key) for key in zip(*columns, strict=True)})


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
    total_mw: NDArray[np.float32]
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
            np.zeros(shape, np.float32),
        )


@dataclass(frozen=True, eq=False)
class _MastJob:
    """One mast with its cells, ready for the compiled code."""

    mast_id: str
    x_m: float
    y_m: float
    ground_m: float
    north_offset_deg: float
    antenna_heights_m: tuple[float, ...]
    frequencies_mhz: tuple[float, ...]
    cell_numbers: NDArray[np.int32]
    carrier: NDArray[np.int64]
    loss: NDArray[np.int64]
    antenna_amsl_m: NDArray[np.float64]
    eirp_dbm: NDArray[np.float64]
    azimuth_deg: NDArray[np.float64]
    electrical_tilt_deg: NDArray[np.float64]
    mechanical_tilt_deg: NDArray[np.float64]
    patterns: tuple[antenna.Pattern, ...]
    load: NDArray[np.float64]


def reference_eirp_dbm(cells: pd.DataFrame) -> NDArray[np.float64]:
    """Return each cell's EIRP of the signal that its technology's metric is about.

    Parameters
    ----------
    cells
        Layer `cells`.

    Returns
    -------
    numpy.ndarray
        Power plus gain minus feeder loss, less the share that the metric leaves
        out (see `technology.reference_power_offset_db`). [dBm]
    """
    offset = [
        technology.reference_power_offset_db(name, bandwidth)
        for name, bandwidth in zip(cells["technology"], cells["bandwidth_mhz"], strict=True)
    ]
    return (
        cells["power_dbm"].to_numpy(np.float64)
        + cells["antenna_gain_dbi"].to_numpy(np.float64)
        - cells["feeder_loss_db"].to_numpy(np.float64)
        + np.array(offset)
    )


def north_offset_deg(
    x_m: NDArray[np.float64], y_m: NDArray[np.float64], crs: str
) -> NDArray[np.float64]:
    """Return the bearing of grid north from true north (meridian convergence).

    Parameters
    ----------
    x_m, y_m
        Positions in the projected CRS. [m]
    crs
        The CRS.

    Returns
    -------
    numpy.ndarray
        Degrees to add to a bearing on the grid to get the one from true north.
    """
    projection = pyproj.Proj(crs)
    longitude, latitude = projection(x_m, y_m, inverse=True)
    return np.atleast_1d(projection.get_factors(longitude, latitude).meridian_convergence)


def _jobs(
    elevation: Raster,
    masts: gpd.GeoDataFrame,
    cells: pd.DataFrame,
    wanted: Sequence[Carrier],
    own_patterns: dict[str, antenna.Pattern] | None,
) -> tuple[list[_MastJob], list[str]]:
    """Sort the cells by mast; cells of masts not in `masts` are left out."""
    number_of = {carrier: index for index, carrier in enumerate(wanted)}
    frequencies = cells["frequency_mhz"].to_numpy(np.float64)
    keys = zip(cells["technology"], cells["operator"], frequencies, strict=True)
    numbers = np.array([number_of.get(Carrier(*key), -1) for key in keys], np.int64)
    eirp = reference_eirp_dbm(cells)
    has_azimuth = cells["azimuth_deg"].notna().to_numpy()
    azimuth = cells["azimuth_deg"].to_numpy(np.float64, na_value=np.nan)
    tilt = cells["tilt_deg"].to_numpy(np.float64)
    mechanical = (
        cells["mechanical_tilt_deg"].fillna(0.0).to_numpy(np.float64)
        if "mechanical_tilt_deg" in cells.columns
        else np.zeros(len(cells))
    )
    heights = cells["antenna_height_m"].to_numpy(np.float64)
    load = cells["load"].to_numpy(np.float64)
    names = [name if isinstance(name, str) else None for name in cells["pattern"]]
    by_mast: dict[str, NDArray[np.int64]] = cells.groupby("mast_id").indices  # type: ignore[assignment]

    x, y = masts.geometry.x.to_numpy(), masts.geometry.y.to_numpy()
    ground = terrain.sample(elevation, x, y)
    offset = north_offset_deg(x, y, elevation.grid.crs) if len(masts) else np.zeros(0)
    jobs, without_terrain = [], []
    for row, mast_id in enumerate(masts["mast_id"]):
        chosen = by_mast.get(mast_id)
        if chosen is None:
            continue
        chosen = chosen[numbers[chosen] >= 0]
        if len(chosen) == 0:
            continue
        if np.isnan(ground[row]):
            without_terrain.append(str(mast_id))
            continue
        pairs = list(zip(heights[chosen], frequencies[chosen], strict=True))
        own_heights = tuple(sorted(set(heights[chosen])))
        own_frequencies = tuple(sorted(set(frequencies[chosen])))
        jobs.append(
            _MastJob(
                mast_id=str(mast_id),
                x_m=float(x[row]),
                y_m=float(y[row]),
                ground_m=float(ground[row]),
                north_offset_deg=float(offset[row]),
                antenna_heights_m=own_heights,
                frequencies_mhz=own_frequencies,
                cell_numbers=chosen.astype(np.int32),
                carrier=numbers[chosen],
                loss=np.array(
                    [
                        own_heights.index(height) * len(own_frequencies) + own_frequencies.index(f)
                        for height, f in pairs
                    ],
                    np.int64,
                ),
                antenna_amsl_m=ground[row] + heights[chosen],
                eirp_dbm=eirp[chosen],
                azimuth_deg=azimuth[chosen],
                electrical_tilt_deg=tilt[chosen],
                mechanical_tilt_deg=mechanical[chosen],
                patterns=tuple(
                    antenna.pattern_by_name(
                        names[index], has_azimuth=bool(has_azimuth[index]), own=own_patterns
                    )
                    for index in chosen
                ),
                load=load[chosen],
            )
        )
    return jobs, without_terrain


@dataclass(frozen=True, eq=False)
class _MastResult:
    grid: Grid
    carriers: NDArray[np.int64]
    level_dbm: NDArray[np.float32]
    cell: NDArray[np.int32]
    power_mw: NDArray[np.float32]


def _predict_mast(
    job: _MastJob,
    elevation: Raster,
    clutter_height: Raster | None,
    grid: Grid,
    settings: sweep.SweepSettings,
) -> _MastResult:
    """Predict the levels of one mast's cells on the part of `grid` that they reach.

    Only the surroundings of the mast are looked at, so the outcome is the same
    bits whatever else the rasters cover.
    """
    near = elevation.around(job.x_m, job.y_m, settings.radius_m)
    if near is None:
        raise InputError("The terrain does not reach mast {mast}", mast=job.mast_id)
    windows = [
        sweep.predict_loss(
            near,
            clutter_height and clutter_height.around(job.x_m, job.y_m, settings.radius_m),
            x_m=job.x_m,
            y_m=job.y_m,
            antenna_height_m=height,
            frequencies_mhz=job.frequencies_mhz,
            grid=grid,
            settings=settings,
        )
        for height in job.antenna_heights_m
    ]
    window = windows[0].grid
    x_m, y_m = np.meshgrid(window.x_centres(), window.y_centres())
    used, local_carrier = np.unique(job.carrier, return_inverse=True)
    level = np.empty((len(used), *window.shape), np.float32)
    cell = np.empty((len(used), *window.shape), np.int32)
    power = np.empty((len(used), *window.shape), np.float32)
    kernels.mast_levels(
        np.concatenate([part.loss_db for part in windows]),
        terrain.sample(near, x_m, y_m),
        float(x_m[0, 0]),
        float(y_m[0, 0]),
        window.resolution_m,
        job.x_m,
        job.y_m,
        settings.rx_height_m,
        job.north_offset_deg,
        job.loss,
        local_carrier.astype(np.int64),
        job.antenna_amsl_m,
        job.eirp_dbm,
        job.azimuth_deg,
        job.electrical_tilt_deg,
        job.mechanical_tilt_deg,
        np.stack([antenna.resample(pattern.horizontal_db) for pattern in job.patterns]),
        np.stack([antenna.resample(pattern.vertical_db) for pattern in job.patterns]),
        np.array([pattern.max_attenuation_db for pattern in job.patterns]),
        job.load,
        level,
        cell,
        power,
    )
    numbers = np.append(job.cell_numbers, np.int32(-1))  # -1 keeps meaning "no cell"
    return _MastResult(window, used, level, numbers[cell], power)


def _in_order(
    pool: ThreadPoolExecutor,
    work: Callable[[_MastJob], _MastResult],
    jobs: Sequence[_MastJob],
    ahead: int,
) -> Iterator[_MastResult]:
    """Yield results in the order of the jobs, with few of them in memory."""
    waiting: deque[Future[_MastResult]] = deque()
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
    jobs, without_terrain = _jobs(elevation, masts, cells, wanted, own_patterns)
    frame = grid if tile is None else tile
    result = Composite.empty(frame, wanted)

    def work(job: _MastJob) -> _MastResult:
        return _predict_mast(job, elevation, clutter_height, grid, settings)

    with ThreadPoolExecutor(threads) as pool:
        for done, found in enumerate(_in_order(pool, work, jobs, ahead=2 * threads), start=1):
            row = round((frame.y_max - found.grid.y_max) / frame.resolution_m)
            column = round((found.grid.x_min - frame.x_min) / frame.resolution_m)
            for index, carrier in enumerate(found.carriers):
                kernels.merge_best(
                    found.level_dbm[index],
                    found.cell[index],
                    found.power_mw[index],
                    row,
                    column,
                    result.best_dbm[carrier],
                    result.best_cell[carrier],
                    result.second_dbm[carrier],
                    result.second_cell[carrier],
                    result.total_mw[carrier],
                )
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
    rows = [
        index
        for index, carrier in enumerate(levels.carriers)
        if carrier[:2] == (technology_name, operator)
    ]
    return first_of(levels.best_dbm[rows], levels.best_cell[rows])


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
