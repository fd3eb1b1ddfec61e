"""Levels at single points, on the path's own profile: what measurements are compared with."""

from __future__ import annotations

from collections.abc import Callable

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
from numpy.typing import NDArray

from coverage import antenna, sweep, terrain
from coverage.mast import north_offset_deg, reference_eirp_dbm
from data.errors import InputError
from data.grid import Raster

#: Levels of one cell in a square of this side count once. [m]
BIN_M = 50.0


def thin(measurements: pd.DataFrame, *, bin_m: float = BIN_M) -> pd.DataFrame:
    """Bring the levels of each cell within a square of ground to one: their median.

    Parameters
    ----------
    measurements
        Columns `x_m`, `y_m`, `level_dbm`, `cell_id`.
    bin_m
        Side of the squares. [m]

    Returns
    -------
    pandas.DataFrame
        Mean position and median level of each cell and square, with `samples`.
    """
    if not bin_m > 0.0:
        raise InputError("The bin size is {value} m, but it must be greater than 0", value=bin_m)
    keys = [
        measurements["cell_id"].astype(str).to_numpy(object),
        np.floor(measurements["x_m"].to_numpy(np.float64) / bin_m).astype(np.int64),
        np.floor(measurements["y_m"].to_numpy(np.float64) / bin_m).astype(np.int64),
    ]
    grouped = measurements.groupby(keys, sort=True)
    return pd.DataFrame(
        {
            "cell_id": grouped["cell_id"].first().astype(str).to_numpy(object),
            "x_m": grouped["x_m"].mean().to_numpy(),
            "y_m": grouped["y_m"].mean().to_numpy(),
            "level_dbm": grouped["level_dbm"].median().to_numpy(),
            "samples": grouped.size().to_numpy(),
        }
    )


def predict_points(
    elevation: Raster,
    clutter_height: Raster | None,
    masts: gpd.GeoDataFrame,
    cells: pd.DataFrame,
    points: pd.DataFrame,
    *,
    settings: sweep.SweepSettings,
    clutter_class: Raster | None = None,
    own_patterns: dict[str, antenna.Pattern] | None = None,
    on_progress: Callable[[float], None] = lambda _: None,
) -> pd.DataFrame:
    """Predict the level of a cell at each of some points, on the path's own profile.

    Parameters
    ----------
    elevation
        Terrain heights. [m]
    clutter_height
        Clutter heights, or None for open land. [m]
    masts, cells
        The layers; masts in the CRS of the terrain.
    points
        Columns `x_m`, `y_m`, `cell_id`, in the same CRS.
    settings
        Model and receiver; the radius does not matter.
    clutter_class
        Land-cover classes, to say the class at each point.
    own_patterns
        Antenna patterns read from files, by name.
    on_progress
        Called with the finished share; may raise `CancelledError`.

    Returns
    -------
    pandas.DataFrame
        The points in their order with `predicted_dbm` (NaN where the cell is
        unknown, stands on the point, or the path leaves the terrain),
        `loss_db`, `distance_m`, `frequency_mhz` and `clutter_class` (NaN where
        unknown).
    """
    result = points.reset_index(drop=True).copy()
    number_of = pd.Series(np.arange(len(cells)), index=cells["cell_id"].astype(str).to_numpy())
    mast_of = pd.Series(np.arange(len(masts)), index=masts["mast_id"].astype(str).to_numpy())
    cell = number_of.reindex(result["cell_id"].astype(str)).to_numpy(np.float64)
    mast_by_cell = mast_of.reindex(cells["mast_id"].astype(str)).to_numpy(np.float64)
    known = np.isfinite(cell)
    cell_number = np.where(known, cell, 0).astype(np.int64)
    found_mast = np.where(known, mast_by_cell[cell_number], np.nan) if len(cells) else cell
    known &= np.isfinite(found_mast)
    mast_number = np.where(known, found_mast, 0).astype(np.int64)
    x = result["x_m"].to_numpy(np.float64)
    y = result["y_m"].to_numpy(np.float64)
    for column in ("predicted_dbm", "loss_db", "distance_m", "frequency_mhz"):
        result[column] = np.nan
    result["clutter_class"] = (
        terrain.sample(clutter_class, x, y, nearest=True) if clutter_class is not None else np.nan
    )
    if not known.any():
        return result
    mast_x, mast_y = masts.geometry.x.to_numpy(), masts.geometry.y.to_numpy()
    dx, dy = x - mast_x[mast_number], y - mast_y[mast_number]
    distance = np.hypot(dx, dy)
    frequency = cells["frequency_mhz"].to_numpy(np.float64)[cell_number]
    height = cells["antenna_height_m"].to_numpy(np.float64)[cell_number]
    loss = np.full(len(result), np.nan)
    rows = np.flatnonzero(known & (distance > 0.0))
    # Cells of a mast at the same height and place share the profile.
    paths = pd.DataFrame(
        {"mast": mast_number[rows], "height": height[rows], "x": x[rows], "y": y[rows]}
    )
    groups = list(paths.groupby(["mast", "height", "x", "y"], sort=False).indices.values())
    latitude = _latitudes(mast_x, mast_y, elevation.grid.crs)
    for done, members in enumerate(groups, start=1):
        chosen = rows[members]
        first = chosen[0]
        own = mast_number[first]
        loss[chosen] = _path_losses(
            elevation,
            clutter_height,
            start_m=(float(mast_x[own]), float(mast_y[own])),
            end_m=(float(x[first]), float(y[first])),
            antenna_height_m=float(height[first]),
            frequencies_mhz=frequency[chosen],
            latitude_deg=float(latitude[own]),
            settings=settings,
        )
        if done % 100 == 0 or done == len(groups):
            on_progress(done / len(groups))
    attenuation = _attenuation_db(
        elevation, masts, cells, cell_number, mast_number, x, y, settings, own_patterns, rows
    )
    eirp = reference_eirp_dbm(cells)[cell_number]
    result["loss_db"] = loss
    result["predicted_dbm"] = np.where(known, eirp - attenuation - loss, np.nan)
    result["distance_m"] = np.where(known, distance, np.nan)
    result["frequency_mhz"] = np.where(known, frequency, np.nan)
    return result


def _latitudes(x_m: NDArray[np.float64], y_m: NDArray[np.float64], crs: str) -> NDArray[np.float64]:
    project = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    return np.atleast_1d(np.asarray(project.transform(x_m, y_m)[1], np.float64))


def _path_losses(
    elevation: Raster,
    clutter_height: Raster | None,
    *,
    start_m: tuple[float, float],
    end_m: tuple[float, float],
    antenna_height_m: float,
    frequencies_mhz: NDArray[np.float64],
    latitude_deg: float,
    settings: sweep.SweepSettings,
) -> NDArray[np.float64]:
    """Return the loss at the end of one path; NaN if the terrain has a hole on it."""
    try:
        profile = terrain.profile_between(
            elevation, clutter_height, start_m=start_m, end_m=end_m, step_m=settings.profile_step_m
        )
    except InputError:
        return np.full(len(frequencies_mhz), np.nan)
    used, position = np.unique(frequencies_mhz, return_inverse=True)
    length_km = float(profile.distance_km[-1])
    end_latitude = latitude_deg + (end_m[1] - start_m[1]) / 1000.0 / 111.195
    losses = sweep.radial_loss(
        profile.height_m,
        step_m=1000.0 * length_km / (len(profile.height_m) - 1),
        antenna_height_m=antenna_height_m,
        frequencies_mhz=used.tolist(),
        settings=settings,
        latitude_deg=latitude_deg,
        latitude_per_km_deg=(end_latitude - latitude_deg) / length_km,
        clutter_height_m=profile.clutter_height_m,
    )
    return losses[:, -1].astype(np.float64)[position]


def _attenuation_db(
    elevation: Raster,
    masts: gpd.GeoDataFrame,
    cells: pd.DataFrame,
    cell_number: NDArray[np.int64],
    mast_number: NDArray[np.int64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    settings: sweep.SweepSettings,
    own_patterns: dict[str, antenna.Pattern] | None,
    rows: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the antenna's attenuation towards each point, as the area prediction has it."""
    mast_x, mast_y = masts.geometry.x.to_numpy(), masts.geometry.y.to_numpy()
    top = (
        terrain.sample(elevation, mast_x, mast_y)[mast_number]
        + cells["antenna_height_m"].to_numpy(np.float64)[cell_number]
    )
    receiver = terrain.sample(elevation, x, y) + settings.rx_height_m
    dx, dy = x - mast_x[mast_number], y - mast_y[mast_number]
    north = north_offset_deg(mast_x, mast_y, elevation.grid.crs)[mast_number]
    bearing = np.degrees(np.arctan2(dx, dy)) + north
    below = np.degrees(np.arctan2(top - receiver, np.hypot(dx, dy)))
    azimuth = cells["azimuth_deg"].to_numpy(np.float64, na_value=np.nan)
    tilt = cells["tilt_deg"].to_numpy(np.float64)
    mechanical = (
        cells["mechanical_tilt_deg"].fillna(0.0).to_numpy(np.float64)
        if "mechanical_tilt_deg" in cells.columns
        else np.zeros(len(cells))
    )
    names = cells["pattern"].where(cells["pattern"].notna(), None).tolist()
    attenuation = np.full(len(x), np.nan)
    for members in pd.Series(rows).groupby(cell_number[rows]).indices.values():
        chosen = rows[members]
        number = int(cell_number[chosen[0]])
        points = not np.isnan(azimuth[number])
        pattern = antenna.pattern_by_name(names[number], has_azimuth=points, own=own_patterns)
        offset = bearing[chosen] - azimuth[number] if points else np.zeros(len(chosen))
        lowered = tilt[number] + (
            mechanical[number] * np.cos(np.radians(offset)) if points else 0.0
        )
        attenuation[chosen] = antenna.attenuation_db(pattern, offset, below[chosen] - lowered)
    return attenuation
