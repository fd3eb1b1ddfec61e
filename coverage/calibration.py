"""Calibrate a propagation model with drive-test measurements.

The correction, in dB to be added to the predicted level, is

    offset + slope log10(d / d0) + clutter[class at the receiver] + g log10(f / f0)

with d kept within the distances that were measured and f within the
frequencies. Levels of one cell within one 50 m bin count once (their median),
because samples a few metres apart tell the same thing.

*Robust.* The parameters minimise Huber's loss, then Tukey's biweight from there
(an MM-estimate: Yohai, V. J. (1987), Annals of Statistics 15(2)), so outliers
such as levels of a mistaken cell lose their pull.

*No more than the data say.* Clutter corrections are shrunk to 0 as if each class
had a prior of 6 dB and its bins within one block were one observation. A term
(offset, slope, clutter, frequency) enters only if it lowers the error on
blocks that were left out, by more than one standard error of that gain.

*Held-out error.* Bins are split into folds by square blocks of ground, so that a
test block's shadow fading is not known from its neighbours. In every fold the
choice of terms and the fit see the other folds only.

Errors are prediction minus measurement, as in Recommendation ITU-R P.311.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
from numpy.typing import ArrayLike, NDArray

from coverage import antenna, sweep, terrain
from coverage.mast import north_offset_deg, reference_eirp_dbm
from coverage.propagation.ranges import ModelRangeWarning
from data.errors import InputError
from data.grid import Raster

#: Folder of calibrated models in a workspace.
FOLDER = "models"

#: What a saved model says it is.
FORMAT = "phusong-calibrated-model"
VERSION = 1

#: Fewest bins and blocks from which a calibration is made.
MINIMUM_BINS = 60
MINIMUM_BLOCKS = 8

#: Fewest bins and blocks for a correction of a clutter class.
MINIMUM_CLASS_BINS = 15
MINIMUM_CLASS_BLOCKS = 3

#: Frequencies must span this ratio for a frequency term.
MINIMUM_FREQUENCY_RATIO = 1.2

#: Levels of one cell in a square of this side count once. [m]
BIN_M = 50.0

#: Side of the blocks that are held out together; halved while they are too few. [m]
BLOCK_M = 1000.0
_LEAST_BLOCK_M = 250.0

FOLDS = 5

#: P.1812 states no validity below; near the mast the antenna's position decides. [m]
MINIMUM_DISTANCE_M = 250.0

_PRIOR_DB = 6.0
_HUBER = 1.345
_BISQUARE = 4.685
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

TERMS = ("offset", "slope", "clutter", "frequency")


@dataclass(frozen=True)
class ErrorStatistics:
    """Errors of predicted levels, prediction minus measurement.

    Parameters
    ----------
    count
        Number of bins.
    mean_db, std_db, rmse_db, mae_db
        Mean, standard deviation, root mean square and mean absolute error. [dB]
    median_db, robust_std_db
        Median, and the standard deviation without what lies beyond three times
        itself: the two that outliers do not reach. [dB]
    """

    count: int
    mean_db: float
    std_db: float
    rmse_db: float
    mae_db: float
    median_db: float
    robust_std_db: float

    @classmethod
    def of(cls, error_db: NDArray[np.float64]) -> ErrorStatistics:
        """Return the statistics of some errors.

        Parameters
        ----------
        error_db
            At least one error. [dB]

        Returns
        -------
        ErrorStatistics
            The statistics.
        """
        return cls(
            count=len(error_db),
            mean_db=float(np.mean(error_db)),
            std_db=float(np.std(error_db)),
            rmse_db=float(np.sqrt(np.mean(error_db**2))),
            mae_db=float(np.mean(np.abs(error_db))),
            median_db=float(np.median(error_db)),
            robust_std_db=_scale(error_db - np.median(error_db)),
        )


@dataclass(frozen=True)
class CalibratedModel:
    """A propagation model with corrections from measurements.

    Parameters
    ----------
    name
        Name; letters, digits, `-` and `_`.
    base_model
        The model that is corrected, a key of `coverage.models.MODELS`.
    created
        ISO date, as the caller gives it.
    terms
        Which of `TERMS` the measurements support.
    offset_db
        Correction of the level at the reference distance and frequency. [dB]
    slope_db_per_decade
        Its change with ten times the distance. [dB]
    frequency_slope_db_per_decade
        Its change with ten times the frequency. [dB]
    clutter_db
        Its change by clutter class; other classes have 0. [dB]
    clutter_bins
        Measured bins by clutter class.
    reference_distance_m, reference_frequency_mhz
        Where slope terms are 0. [m, MHz]
    distance_range_m, frequency_range_mhz
        Range of the measurements. [m, MHz]
    held_out_before, held_out_after
        Errors of the base model, and of models fitted without the block concerned.
    fitted
        Errors of the model on the measurements it was fitted to.
    sigma_db
        Spread of single places around the calibrated level, held out, without
        outliers: the sigma for coverage probabilities. [dB]
    mean_error_db
        Standard error of the held-out mean error, blocks as independent units:
        the model error for intervals of percentages. [dB]
    cells, bins, blocks
        Numbers of the measurements used.
    left_out
        Reason -> number of measurements not used.
    data_sha256
        Hash of the measurements used.
    settings
        Settings of the base model's prediction.
    """

    name: str
    base_model: str
    created: str
    terms: tuple[str, ...]
    offset_db: float
    slope_db_per_decade: float
    frequency_slope_db_per_decade: float
    clutter_db: Mapping[int, float]
    clutter_bins: Mapping[int, int]
    reference_distance_m: float
    reference_frequency_mhz: float
    distance_range_m: tuple[float, float]
    frequency_range_mhz: tuple[float, float]
    held_out_before: ErrorStatistics
    held_out_after: ErrorStatistics
    fitted: ErrorStatistics
    sigma_db: float
    mean_error_db: float
    cells: int
    bins: int
    blocks: int
    data_sha256: str
    left_out: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def correction_db(
        self, distance_m: ArrayLike, clutter_class: ArrayLike, frequency_mhz: ArrayLike
    ) -> NDArray[np.float64]:
        """Return what to add to a predicted level (or take off a loss).

        Parameters
        ----------
        distance_m
            Distance from the mast. [m]
        clutter_class
            Land-cover class at the receiver; NaN and classes without
            measurements have no correction of their own.
        frequency_mhz
            Frequency. [MHz]

        Returns
        -------
        numpy.ndarray
            Correction, broadcast over the arguments. [dB]

        Warns
        -----
        ModelRangeWarning
            If a frequency lies more than a fifth outside the measured range.
        """
        distance = np.clip(np.asarray(distance_m, np.float64), *self.distance_range_m)
        asked = np.asarray(frequency_mhz, np.float64)
        low, high = self.frequency_range_mhz
        if np.any((asked < low / 1.2) | (asked > high * 1.2)):
            warnings.warn(
                f"{self.name}: calibrated with measurements at {low:g} to {high:g} MHz, used at "
                f"{float(asked.min()):g} to {float(asked.max()):g} MHz",
                ModelRangeWarning,
                stacklevel=2,
            )
        frequency = np.clip(asked, low, high)
        codes = np.nan_to_num(np.asarray(clutter_class, np.float64), nan=-1.0).astype(np.int64)
        table = np.zeros(257)
        for code, value in self.clutter_db.items():
            table[code] = value
        by_class = table[np.where((codes >= 0) & (codes <= 255), codes, 256)]
        return np.asarray(
            self.offset_db
            + self.slope_db_per_decade * np.log10(distance / self.reference_distance_m)
            + self.frequency_slope_db_per_decade
            * np.log10(frequency / self.reference_frequency_mhz)
            + by_class
        )

    def correct_loss(
        self,
        window: sweep.LossWindow,
        *,
        x_m: float,
        y_m: float,
        frequencies_mhz: Sequence[float],
        clutter_class: NDArray[Any] | None = None,
    ) -> sweep.LossWindow:
        """Return the calibrated loss of a mast over an area.

        Parameters
        ----------
        window
            What the base model predicted (`coverage.sweep.predict_loss`).
        x_m, y_m
            The mast. [m]
        frequencies_mhz
            Frequencies of the window. [MHz]
        clutter_class
            Class at each pixel of the window; None corrects no class.

        Returns
        -------
        sweep.LossWindow
            Loss minus correction, float32. [dB]
        """
        grid = window.grid
        distance = np.hypot(grid.x_centres()[None, :] - x_m, grid.y_centres()[:, None] - y_m)
        codes = np.full(grid.shape, np.nan) if clutter_class is None else clutter_class
        loss = np.empty_like(window.loss_db)
        for index, frequency in enumerate(frequencies_mhz):
            correction = self.correction_db(distance, codes, frequency)
            loss[index] = window.loss_db[index] - correction.astype(np.float32)
        return dataclasses.replace(window, loss_db=loss)

    def to_json(self) -> str:
        """Return the model as JSON text."""
        content = {"format": FORMAT, "version": VERSION, **dataclasses.asdict(self)}
        for key in ("clutter_db", "clutter_bins"):
            content[key] = {str(code): value for code, value in sorted(content[key].items())}
        return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=False)


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


@dataclass(frozen=True, eq=False)
class _Bins:
    """The usable bins as arrays."""

    residual_db: NDArray[np.float64]  # measured minus predicted
    log_distance: NDArray[np.float64]
    log_frequency: NDArray[np.float64]
    clutter: NDArray[np.int64]  # position in `classes`, or len(classes)
    classes: NDArray[np.int64]
    block: NDArray[np.int64]

    def part(self, mask: NDArray[np.bool_]) -> _Bins:
        return dataclasses.replace(
            self,
            **{
                name: getattr(self, name)[mask]
                for name in ("residual_db", "log_distance", "log_frequency", "clutter", "block")
            },
        )

    def design(self, terms: Sequence[str]) -> NDArray[np.float64]:
        columns = []
        if "offset" in terms:
            columns.append(np.ones(len(self.residual_db)))
        if "slope" in terms:
            columns.append(self.log_distance)
        if "frequency" in terms:
            columns.append(self.log_frequency)
        if "clutter" in terms:
            columns += [(self.clutter == k).astype(float) for k in range(len(self.classes))]
        return np.stack(columns, axis=1) if columns else np.zeros((len(self.residual_db), 0))


def _median_scale(deviation: NDArray[np.float64]) -> float:
    """Return the standard deviation that the median absolute deviation stands for."""
    return 1.4826 * float(np.median(np.abs(deviation)))


def _scale(deviation: NDArray[np.float64]) -> float:
    """Return the standard deviation of the deviations, without outliers.

    From the median absolute deviation on, what lies beyond three times it is
    left out; 0.9866 is what that leaves of a normal distribution's.
    """
    size = np.abs(deviation)
    scale = _median_scale(deviation)
    for _ in range(10):
        kept = size <= 3.0 * scale
        if not kept.any():
            break
        scale = float(np.sqrt(np.mean(size[kept] ** 2))) / 0.9866
    return scale


def _fit(bins: _Bins, terms: Sequence[str]) -> NDArray[np.float64]:
    """Return the coefficients of the columns of `bins.design(terms)`."""
    design = bins.design(terms)
    count = design.shape[1]
    if count == 0:
        return np.zeros(0)
    target = bins.residual_db
    # Bins of one block share their fading: together they count as one observation.
    per_block = len(target) / max(1, len(np.unique(bins.block)))
    shrunk = np.zeros(count, bool)
    if "clutter" in terms:
        shrunk[count - len(bins.classes) :] = True
    coefficients = np.zeros(count)
    coefficients[0] = np.median(target) if "offset" in terms else 0.0
    for bisquare in (False, True):
        for _ in range(50):
            deviation = target - design @ coefficients
            # Before the first fit has settled, outliers cannot be told by their size.
            scale = max(_scale(deviation) if bisquare else _median_scale(deviation), 0.1)
            ratio = np.abs(deviation) / scale
            if bisquare:
                weight = np.clip(1.0 - (ratio / _BISQUARE) ** 2, 0.0, None) ** 2
            else:
                weight = np.minimum(1.0, _HUBER / np.maximum(ratio, 1e-12))
            ridge = np.where(shrunk, (scale / _PRIOR_DB) ** 2 * per_block, 1e-9)
            weighted = design * weight[:, None]
            new = np.linalg.solve(design.T @ weighted + np.diag(ridge), weighted.T @ target)
            done = np.max(np.abs(new - coefficients)) < 1e-5
            coefficients = new
            if done:
                break
    if "clutter" in terms and "offset" in terms and len(bins.classes):
        # The offset, which is all that other classes get, is that of the mean place.
        number = np.bincount(bins.clutter, minlength=len(bins.classes))[: len(bins.classes)]
        mean = float(np.sum(number * coefficients[shrunk]) / max(1, number.sum()))
        coefficients[shrunk] -= mean
        coefficients[0] += mean
    return coefficients


def _huber_loss(deviation: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    size = np.abs(deviation) / scale
    return np.where(size <= _HUBER, 0.5 * size**2, _HUBER * (size - 0.5 * _HUBER))


def _folds(block: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the fold of each bin; whole blocks, about the same number of bins in each."""
    blocks, position, size = np.unique(block, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(blocks))
    order = order[np.argsort(-size[order], kind="stable")]
    fold_of_block = np.empty(len(blocks), np.int64)
    filled = np.zeros(min(FOLDS, len(blocks)))
    for index in order:
        fold = int(np.argmin(filled))
        fold_of_block[index] = fold
        filled[fold] += size[index]
    return fold_of_block[position]


def _held_out_deviation(bins: _Bins, terms: Sequence[str], seed: int) -> NDArray[np.float64]:
    """Return what remains of each bin's residual after a fit without its fold."""
    rest = np.empty(len(bins.residual_db))
    fold = _folds(bins.block, seed)
    for number in range(int(fold.max()) + 1):
        test = fold == number
        coefficients = _fit(bins.part(~test), terms)
        rest[test] = bins.residual_db[test] - bins.part(test).design(terms) @ coefficients
    return rest


def _choose_terms(bins: _Bins, candidates: Sequence[str], seed: int) -> tuple[str, ...]:
    """Add the term that helps most on left-out blocks, while one helps beyond doubt."""
    chosen: tuple[str, ...] = ()
    scale = max(_median_scale(bins.residual_db - np.median(bins.residual_db)), 0.1)
    _, block = np.unique(bins.block, return_inverse=True)
    now = _huber_loss(bins.residual_db, scale)
    while True:
        rest = [term for term in candidates if term not in chosen]
        # Every model has an offset; the other terms are tried alone only beside it.
        rounds: list[list[tuple[str, ...]]] = [[(term,) for term in rest]]
        if "offset" not in chosen:
            rounds = [[("offset",)], [("offset", term) for term in rest if term != "offset"]]
        best: tuple[float, tuple[str, ...], NDArray[np.float64]] | None = None
        for trials in rounds:
            for added in trials:
                loss = _huber_loss(_held_out_deviation(bins, (*chosen, *added), seed), scale)
                gain = np.bincount(block, now - loss)
                doubt = math.sqrt(len(gain)) * float(np.std(gain))
                if gain.sum() > doubt and (best is None or gain.sum() > best[0]):
                    best = (float(gain.sum()), added, loss)
            if best is not None:
                break
        if best is None:
            return chosen
        chosen, now = (*chosen, *best[1]), best[2]


def fit(
    points: pd.DataFrame,
    *,
    name: str,
    base_model: str,
    created: str,
    settings: Mapping[str, Any] | None = None,
    floor_dbm: float | None = None,
    minimum_distance_m: float = MINIMUM_DISTANCE_M,
    block_m: float = BLOCK_M,
    seed: int = 0,
    on_progress: Callable[[float], None] = lambda _: None,
) -> CalibratedModel:
    """Fit a calibrated model to measured and predicted levels.

    Parameters
    ----------
    points
        One row a bin: `x_m`, `y_m`, `cell_id`, `level_dbm` (measured),
        `predicted_dbm`, `distance_m`, `clutter_class`, `frequency_mhz`.
    name
        Name of the model.
    base_model, settings, created
        Where the predictions come from, and the date, to be kept with it.
    floor_dbm
        Least level that the receiver reports. Where the calibrated level lies
        less than two standard deviations above, only places that are better
        than predicted are heard, which would raise the fit: bins are left out
        there, whatever was measured. None keeps all. [dBm]
    minimum_distance_m
        Bins nearer to the mast are left out. [m]
    block_m
        Side of the blocks that are held out together. [m]
    seed
        Of the split into folds.
    on_progress
        Called with the finished share; may raise `CancelledError`.

    Returns
    -------
    CalibratedModel
        The model.

    Raises
    ------
    InputError
        If there are too few measurements or too few places, with the number needed.
    """
    _check_name(name)
    usable, left_out = _usable(points, minimum_distance_m)
    if floor_dbm is not None and len(usable) >= MINIMUM_BINS:
        heard = _well_heard(usable, floor_dbm)
        if not heard.all():
            left_out[f"too near the floor of {floor_dbm:g} dBm"] = int((~heard).sum())
        usable = usable.loc[heard].reset_index(drop=True)
    if len(usable) < MINIMUM_BINS:
        raise InputError(
            "There are {count} usable measurements ({left_out}), but a calibration needs at least "
            "{needed}, each of one cell in its own square of {bin} m",
            count=len(usable),
            left_out=", ".join(f"{number} {why}" for why, number in left_out.items())
            or "none left out",
            needed=MINIMUM_BINS,
            bin=f"{BIN_M:g}",
        )
    block, side_m = _blocks(usable, block_m)
    bins = _bins(usable, block)
    candidates = [term for term in TERMS if term != "frequency"]
    frequency = usable["frequency_mhz"].to_numpy(np.float64)
    if frequency.max() >= MINIMUM_FREQUENCY_RATIO * frequency.min():
        candidates.append("frequency")

    held_out = np.empty(len(bins.residual_db))
    fold = _folds(block, seed)
    for number in range(int(fold.max()) + 1):
        test = fold == number
        train = bins.part(~test)
        terms = _choose_terms(train, candidates, seed + 1)
        held_out[test] = bins.residual_db[test] - bins.part(test).design(terms) @ _fit(train, terms)
        on_progress((number + 1) / (int(fold.max()) + 2))
    terms = _choose_terms(bins, candidates, seed + 1)
    terms = tuple(term for term in TERMS if term in terms)
    coefficients = _fit(bins, terms)
    fitted = bins.residual_db - bins.design(terms) @ coefficients
    value = _by_name(terms, coefficients, bins.classes)
    after = ErrorStatistics.of(-held_out)
    codes, counts = np.unique(usable["clutter_class"].dropna().to_numpy(np.int64),
                              return_counts=True)  # fmt: skip
    distance = usable["distance_m"].to_numpy(np.float64)
    model = CalibratedModel(
        name=name,
        base_model=base_model,
        created=created,
        terms=terms,
        offset_db=value["offset"],
        slope_db_per_decade=value["slope"],
        frequency_slope_db_per_decade=value["frequency"],
        clutter_db={int(code): value[f"clutter {code}"] for code in bins.classes.tolist()}
        if "clutter" in terms
        else {},
        clutter_bins={int(c): int(n) for c, n in zip(codes, counts, strict=True)},
        reference_distance_m=_reference(distance),
        reference_frequency_mhz=_reference(frequency),
        distance_range_m=(float(distance.min()), float(distance.max())),
        frequency_range_mhz=(float(frequency.min()), float(frequency.max())),
        held_out_before=ErrorStatistics.of(-bins.residual_db),
        held_out_after=after,
        fitted=ErrorStatistics.of(-fitted),
        sigma_db=after.robust_std_db,
        mean_error_db=_mean_error_db(held_out, block),
        cells=int(usable["cell_id"].nunique()),
        bins=len(usable),
        blocks=len(np.unique(block)),
        data_sha256=_data_hash(usable),
        left_out=left_out,
        # As JSON gives it back: lists in place of tuples.
        settings=json.loads(json.dumps({**(settings or {}), "block_m": side_m, "seed": seed})),
    )
    on_progress(1.0)
    return model


def calibrate(
    measurements: pd.DataFrame,
    elevation: Raster,
    clutter_height: Raster | None,
    clutter_class: Raster | None,
    masts: gpd.GeoDataFrame,
    cells: pd.DataFrame,
    *,
    name: str,
    created: str,
    settings: sweep.SweepSettings,
    own_patterns: dict[str, antenna.Pattern] | None = None,
    floor_dbm: float | None = None,
    minimum_distance_m: float = MINIMUM_DISTANCE_M,
    on_progress: Callable[[float], None] = lambda _: None,
) -> CalibratedModel:
    """Calibrate a model from measurements: thin, predict, fit.

    Parameters
    ----------
    measurements
        What `data.importers.measurements.read` returned.
    elevation, clutter_height, clutter_class, masts, cells, own_patterns
        See `predict_points`.
    name, created, floor_dbm, minimum_distance_m
        See `fit`.
    settings
        Base model and its conditions.
    on_progress
        Called with the finished share; may raise `CancelledError`.

    Returns
    -------
    CalibratedModel
        The model; not saved yet.
    """
    _check_name(name)
    bins = thin(measurements)
    points = predict_points(
        elevation,
        clutter_height,
        masts,
        cells,
        bins,
        settings=settings,
        clutter_class=clutter_class,
        own_patterns=own_patterns,
        on_progress=lambda part: on_progress(0.7 * part),
    )
    return fit(
        points,
        name=name,
        base_model=settings.model,
        created=created,
        settings=dataclasses.asdict(settings),
        floor_dbm=floor_dbm,
        minimum_distance_m=minimum_distance_m,
        on_progress=lambda part: on_progress(0.7 + 0.3 * part),
    )


def save(model: CalibratedModel, folder: Path, *, replace: bool = False) -> Path:
    """Save a model as `<folder>/<name>.json`, in one step.

    Parameters
    ----------
    model
        The model.
    folder
        Folder of models; made if absent.
    replace
        Whether a model of the same name may be replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the name is taken and `replace` is false.
    """
    _check_name(model.name)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{model.name}.json"
    handle, part = tempfile.mkstemp(dir=folder, prefix=f".{model.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(model.to_json())
        Path(part).chmod(0o644)
        if replace:
            Path(part).replace(path)
        else:
            try:
                os.link(part, path)  # fails, in one step, if the name is taken
            except FileExistsError as error:
                raise InputError(
                    "There is a calibrated model {name} already", name=model.name
                ) from error
    finally:
        Path(part).unlink(missing_ok=True)
    return path


def load(path: Path) -> CalibratedModel:
    """Read a saved model.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    CalibratedModel
        The model.

    Raises
    ------
    InputError
        If it cannot be read as one.
    """
    try:
        return _from_content(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "{file} holds no calibrated model that can be read", file=path.name
        ) from error


def _from_content(content: dict[str, Any]) -> CalibratedModel:
    """Build a model from JSON; what is wrong with it raises a built-in error."""
    if content.pop("format") != FORMAT or content.pop("version") != VERSION:
        raise ValueError
    for key in ("held_out_before", "held_out_after", "fitted"):
        content[key] = ErrorStatistics(**content[key])
    content["terms"] = tuple(content["terms"])
    content["clutter_db"] = {int(k): float(v) for k, v in content["clutter_db"].items()}
    content["clutter_bins"] = {int(k): int(v) for k, v in content["clutter_bins"].items()}
    for key in ("distance_range_m", "frequency_range_mhz"):
        low, high = (float(item) for item in content[key])
        content[key] = (low, high)
    model = CalibratedModel(**content)
    _check_numbers(model)
    return model


def saved(folder: Path) -> dict[str, CalibratedModel]:
    """Return all models of a folder.

    Parameters
    ----------
    folder
        Folder of models; may be absent.

    Returns
    -------
    dict
        Name -> model, sorted by name.
    """
    return {path.stem: load(path) for path in sorted(folder.glob("[!.]*.json"))}


def _check_numbers(model: CalibratedModel) -> None:
    """Raise ValueError unless the parameters are numbers that can be applied."""
    if not isinstance(model.name, str) or not _NAME.fullmatch(model.name):
        raise ValueError
    numbers = [
        model.offset_db,
        model.slope_db_per_decade,
        model.frequency_slope_db_per_decade,
        model.sigma_db,
        model.mean_error_db,
        *model.clutter_db.values(),
    ]
    if not all(isinstance(item, int | float) and abs(item) <= 200.0 for item in numbers):
        raise ValueError
    if not (model.reference_distance_m > 0.0 and model.reference_frequency_mhz > 0.0):
        raise ValueError
    for low, high in (model.distance_range_m, model.frequency_range_mhz):
        if not 0.0 < low <= high:
            raise ValueError
    if not all(0 <= code <= 255 for code in model.clutter_db):
        raise ValueError


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(
            "The name of a model is {value} (expected 1 to 64 letters without marks, digits, - "
            "and _, with a letter or digit first)",
            value=name or "nothing",
        )


def _usable(points: pd.DataFrame, minimum_distance_m: float) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the bins to fit to, and how many were left out for which reason."""
    reasons = {
        "of unknown cells or beyond the terrain": ~np.isfinite(
            points["predicted_dbm"].to_numpy(np.float64)
        ),
        "without a level": ~np.isfinite(points["level_dbm"].to_numpy(np.float64)),
        f"nearer than {minimum_distance_m:g} m": points["distance_m"].to_numpy(np.float64)
        < minimum_distance_m,
    }
    kept = np.ones(len(points), bool)
    left_out = {}
    for reason, mask in reasons.items():
        count = int((kept & mask).sum())
        if count:
            left_out[reason] = count
        kept &= ~mask
    return points.loc[kept].reset_index(drop=True), left_out


def _well_heard(usable: pd.DataFrame, floor_dbm: float) -> NDArray[np.bool_]:
    """Return the bins whose calibrated level lies two deviations above the receiver's floor."""
    predicted = usable["predicted_dbm"].to_numpy(np.float64)
    bins = _bins(usable, np.arange(len(usable)))
    design = bins.design(("offset", "slope"))
    kept = np.ones(len(usable), bool)
    for _ in range(10):
        coefficients = _fit(bins.part(kept), ("offset", "slope"))
        level = predicted + design @ coefficients
        spread = _scale(bins.residual_db[kept] - design[kept] @ coefficients)
        now = level > floor_dbm + 2.0 * spread
        if now.sum() < MINIMUM_BINS or np.array_equal(now, kept):
            return now
        kept = now
    return kept


def _blocks(usable: pd.DataFrame, block_m: float) -> tuple[NDArray[np.int64], float]:
    """Return the number of each bin's block, and the side of the blocks."""
    x, y = usable["x_m"].to_numpy(np.float64), usable["y_m"].to_numpy(np.float64)
    side = float(block_m)
    while True:
        pairs = np.stack([np.floor(x / side), np.floor(y / side)], axis=1).astype(np.int64)
        blocks, number = np.unique(pairs, axis=0, return_inverse=True)
        if len(blocks) >= MINIMUM_BLOCKS:
            return number.ravel().astype(np.int64), side
        if side / 2.0 < _LEAST_BLOCK_M:
            raise InputError(
                "The measurements lie in {count} squares of {side} m, but a calibration needs at "
                "least {needed}, to test it where it was not fitted",
                count=len(blocks),
                side=f"{side:g}",
                needed=MINIMUM_BLOCKS,
            )
        side /= 2.0


def _reference(values: NDArray[np.float64]) -> float:
    return float(10.0 ** np.mean(np.log10(values)))


def _bins(usable: pd.DataFrame, block: NDArray[np.int64]) -> _Bins:
    code = usable["clutter_class"].to_numpy(np.float64)
    classes = []
    for item in np.unique(code[np.isfinite(code)]):
        own = code == item
        if own.sum() >= MINIMUM_CLASS_BINS and len(np.unique(block[own])) >= MINIMUM_CLASS_BLOCKS:
            classes.append(int(item))
    known = np.array(classes, np.int64)
    position = np.full(len(code), len(known), np.int64)
    for index, item in enumerate(classes):
        position[code == item] = index
    distance = usable["distance_m"].to_numpy(np.float64)
    frequency = usable["frequency_mhz"].to_numpy(np.float64)
    return _Bins(
        residual_db=(usable["level_dbm"] - usable["predicted_dbm"]).to_numpy(np.float64),
        log_distance=np.log10(distance / _reference(distance)),
        log_frequency=np.log10(frequency / _reference(frequency)),
        clutter=position,
        classes=known,
        block=block,
    )


def _by_name(
    terms: Sequence[str], coefficients: NDArray[np.float64], classes: NDArray[np.int64]
) -> dict[str, float]:
    """Return the coefficients by name, in the order of `_Bins.design`."""
    names = [term for term in ("offset", "slope", "frequency") if term in terms]
    if "clutter" in terms:
        names += [f"clutter {code}" for code in classes.tolist()]
    found = dict(zip(names, coefficients.tolist(), strict=True))
    return {"offset": 0.0, "slope": 0.0, "frequency": 0.0, **found}


def _mean_error_db(held_out: NDArray[np.float64], block: NDArray[np.int64]) -> float:
    """Return the standard error of the mean, from the medians of the blocks."""
    medians = pd.Series(held_out).groupby(block).median().to_numpy()
    return float(np.std(medians, ddof=1) / math.sqrt(len(medians)))


def _data_hash(usable: pd.DataFrame) -> str:
    """Return a hash of the measurements that does not depend on their order."""
    rows = sorted(
        f"{row.cell_id}|{row.x_m:.3f}|{row.y_m:.3f}|{row.level_dbm:.3f}"
        for row in usable.itertuples()
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()
