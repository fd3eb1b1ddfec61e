"""A propagation model with corrections from measurements: what it says, saved and loaded.

The correction, in dB to be added to the predicted level, is

    offset + slope log10(d / d0) + clutter[class at the receiver] + g log10(f / f0)

with d kept within the distances that were measured and f within the
frequencies. `coverage.calibration` fits it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coverage import robust, sweep
from coverage.propagation.ranges import ModelRangeWarning
from data.errors import InputError

#: Folder of calibrated models in a workspace.
FOLDER = "models"

#: What a saved model says it is.
FORMAT = "phusong-calibrated-model"
VERSION = 1

#: Terms that a correction may have.
TERMS = ("offset", "slope", "clutter", "frequency")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


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
            robust_std_db=robust.clipped_scale(error_db - np.median(error_db)),
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
    check_name(model.name)
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


def check_name(name: str) -> None:
    """Check the name of a model, which is also that of its file.

    Parameters
    ----------
    name
        The name.

    Raises
    ------
    InputError
        If it is empty, too long or holds anything but letters without marks,
        digits, `-` and `_`.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            "The name of a model is {value} (expected 1 to 64 letters without marks, digits, - "
            "and _, with a letter or digit first)",
            value=name or "nothing",
        )
