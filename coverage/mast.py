"""One mast: its cells, its losses and its levels, as pure functions of its surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
class MastJob:
    """One mast with its cells, ready for the compiled code.

    Parameters
    ----------
    mast_id
        The mast.
    x_m, y_m, ground_m
        Where it stands. [m]
    north_offset_deg
        Bearing of grid north there.
    antenna_heights_m, frequencies_mhz
        Each one that occurs once; a loss is needed for each pair. [m, MHz]
    cell_numbers
        Position of each of its cells in the table of cells.
    carrier
        Number of each cell's carrier among those wanted.
    loss
        Number of each cell's pair of height and frequency.
    antenna_amsl_m, eirp_dbm, azimuth_deg, electrical_tilt_deg, mechanical_tilt_deg, load
        Of each cell; the azimuth is NaN for an omni. [m, dBm, degrees]
    patterns
        Of each cell.
    """

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


#: Columns of the cells that a mast's levels follow from.
CELL_COLUMNS = (
    "cell_id",
    "mast_id",
    "operator",
    "technology",
    "frequency_mhz",
    "bandwidth_mhz",
    "power_dbm",
    "antenna_gain_dbi",
    "feeder_loss_db",
    "azimuth_deg",
    "tilt_deg",
    "mechanical_tilt_deg",
    "antenna_height_m",
    "pattern",
    "load",
)


def mast_jobs(
    elevation: Raster,
    masts: gpd.GeoDataFrame,
    cells: pd.DataFrame,
    wanted: Sequence[Carrier],
    own_patterns: dict[str, antenna.Pattern] | None = None,
) -> tuple[list[MastJob], list[str]]:
    """Sort the cells by mast.

    Parameters
    ----------
    elevation
        Terrain heights. [m]
    masts
        Layer `masts`, in the CRS of the terrain; only these transmit.
    cells
        Layer `cells`; those of other masts and carriers are left out.
    wanted
        The carriers to predict.
    own_patterns
        Antenna patterns read from files, by name.

    Returns
    -------
    jobs
        One for each mast with cells wanted.
    without_terrain
        Masts that the terrain does not cover; they have no job.
    """
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
            MastJob(
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
class Losses:
    """Losses around a mast, for each pair of antenna height and frequency.

    Parameters
    ----------
    grid
        The part of the analysis grid within the radius.
    packed
        Shape (pairs, rows, columns), uint16: loss in steps of
        `kernels.cells.LOSS_STEP_DB`, or `NO_LOSS`.
    """

    grid: Grid
    packed: NDArray[np.uint16]


def predict_losses(
    job: MastJob,
    elevation: Raster,
    clutter_height: Raster | None,
    grid: Grid,
    settings: sweep.SweepSettings,
) -> Losses:
    """Predict the losses of one mast.

    Only the surroundings within the radius are looked at, so the outcome is the
    same bits whatever else the rasters cover.

    Parameters
    ----------
    job
        The mast.
    elevation, clutter_height
        Terrain and clutter heights. [m]
    grid
        The analysis grid.
    settings
        Model, radius and its conditions.

    Returns
    -------
    Losses
        On the part of the grid within the radius.

    Raises
    ------
    InputError
        If the terrain does not reach the mast.
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
    loss = np.concatenate([part.loss_db for part in windows])
    packed = np.empty(loss.shape, np.uint16)
    kernels.pack_loss(loss, packed)
    return Losses(windows[0].grid, packed)


@dataclass(frozen=True, eq=False)
class Levels:
    """Levels around a mast.

    Parameters
    ----------
    grid
        The part of the analysis grid within the radius.
    carriers
        Number of each carrier of the mast among those wanted.
    level_dbm, cell, power_mw
        Strongest level, its cell's position in the table of cells and the power
        of all its cells times their load, shape (carriers, rows, columns); -inf,
        -1 and 0 without signal.
    """

    grid: Grid
    carriers: NDArray[np.int64]
    level_dbm: NDArray[np.float32]
    cell: NDArray[np.int32]
    power_mw: NDArray[np.float64]


#: Power ratio of each packed loss.
_LOSS_RATIO: NDArray[np.float64] = 10.0 ** (
    -0.1 * kernels.LOSS_STEP_DB * np.arange(kernels.NO_LOSS + 1, dtype=np.float64)
)


def cell_levels(
    job: MastJob, losses: Losses, elevation: Raster, receiver_height_m: float
) -> Levels:
    """Add power, antenna pattern and tilt of each cell to the mast's losses.

    Parameters
    ----------
    job
        The mast.
    losses
        Its losses.
    elevation
        Terrain heights. [m]
    receiver_height_m
        Receiver above ground. [m]

    Returns
    -------
    Levels
        The strongest cell of each carrier at each pixel.
    """
    x_m, y_m = np.meshgrid(losses.grid.x_centres(), losses.grid.y_centres())
    used, level, cell, power = levels_at(job, losses.packed, x_m, y_m, elevation, receiver_height_m)
    return Levels(losses.grid, used, level, cell, power)


def levels_at(
    job: MastJob,
    packed_loss: NDArray[np.uint16],
    x_m: NDArray[np.float64],
    y_m: NDArray[np.float64],
    elevation: Raster,
    receiver_height_m: float,
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int32], NDArray[np.float64]]:
    """Do what `cell_levels` does at any places.

    Parameters
    ----------
    job
        The mast.
    packed_loss
        Its losses there, shape (pairs, rows, columns).
    x_m, y_m
        The places, shape (rows, columns). [m]
    elevation
        Terrain heights. [m]
    receiver_height_m
        Receiver above ground. [m]

    Returns
    -------
    carriers, level_dbm, cell, power_mw
        See `Levels`.
    """
    used, local_carrier = np.unique(job.carrier, return_inverse=True)
    heights, antenna_height = np.unique(job.antenna_amsl_m, return_inverse=True)
    first, antenna_of = _antennas(job)
    level = np.empty((len(used), *x_m.shape), np.float32)
    cell = np.empty((len(used), *x_m.shape), np.int32)
    power = np.empty((len(used), *x_m.shape), np.float64)
    kernels.mast_levels(
        packed_loss,
        _LOSS_RATIO,
        terrain.sample(elevation, x_m, y_m),
        x_m,
        y_m,
        job.x_m,
        job.y_m,
        receiver_height_m,
        job.north_offset_deg,
        heights,
        antenna_height[first].astype(np.int64),
        job.azimuth_deg[first],
        job.electrical_tilt_deg[first],
        job.mechanical_tilt_deg[first],
        np.stack([antenna.tables(job.patterns[index])[0] for index in first]),
        np.stack([antenna.tables(job.patterns[index])[1] for index in first]),
        np.array([job.patterns[index].max_attenuation_db for index in first]),
        antenna_of,
        job.loss,
        local_carrier.astype(np.int64),
        job.eirp_dbm,
        job.load * 10.0 ** (0.1 * job.eirp_dbm),
        level,
        cell,
        power,
    )
    numbers = np.append(job.cell_numbers, np.int32(-1))  # -1 keeps meaning "no cell"
    return used, level, numbers[cell], power


def _antennas(job: MastJob) -> tuple[list[int], NDArray[np.int64]]:
    """Return a cell of each antenna and each cell's antenna: cells of one panel share it."""
    numbers: dict[tuple[object, ...], int] = {}
    first: list[int] = []
    antenna_of = np.empty(len(job.eirp_dbm), np.int64)
    columns = (
        job.antenna_amsl_m,
        np.nan_to_num(job.azimuth_deg, nan=-1.0),
        job.electrical_tilt_deg,
        job.mechanical_tilt_deg,
    )
    for index, described in enumerate(zip(*columns, strict=True)):
        key = (*described, id(job.patterns[index]))
        if key not in numbers:
            numbers[key] = len(first)
            first.append(index)
        antenna_of[index] = numbers[key]
    return first, antenna_of
