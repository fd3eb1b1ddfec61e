"""Which cells a model can predict, and what to say where it is used outside its range.

Beyond the range that a model's authors state its results are extrapolations:
they are given, with a note. Beyond its limits it gives none: such cells are left
out, with a note, and a technology of which no cell is left is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from coverage.calibrated_model import CalibratedModel
from coverage.models import Model, SweepSettings
from data.errors import InputError, Message, message

#: Most cells that a note names.
EXAMPLES = 5

#: How far a calibration carries beyond the frequencies measured.
_FREQUENCY_RATIO = 1.2


def _within(cells: pd.DataFrame, name: str, low: float, high: float) -> NDArray[np.bool_]:
    values = cells[name].to_numpy(np.float64)
    return np.asarray((values >= low) & (values <= high))


def predictable(model: Model, cells: pd.DataFrame) -> NDArray[np.bool_]:
    """Return for which cells a model gives a result.

    Parameters
    ----------
    model
        The model.
    cells
        Layer `cells`.

    Returns
    -------
    numpy.ndarray
        One boolean a cell.
    """
    found = np.ones(len(cells), bool)
    for name, (low, high, _) in model.limits.items():
        found &= _within(cells, name, low, high)
    return found


def require_some(model: Model, cells: pd.DataFrame) -> None:
    """Check that a model can predict at least one cell of each technology.

    Parameters
    ----------
    model
        The model.
    cells
        The cells to be predicted.

    Raises
    ------
    InputError
        If it can predict none of a technology's cells.
    """
    good = predictable(model, cells)
    for name, rows in cells.groupby("technology").indices.items():
        if not good[rows].any():
            raise InputError(
                "{model} gives no result for any cell of {technology}: it is limited to {limits} "
                "(choose another model or other technologies)",
                model=model.title,
                technology=name,
                limits=", ".join(
                    f"{key} {low:g} to {high:g}" for key, (low, high, _) in model.limits.items()
                ),
            )


def notes(
    model: Model,
    cells: pd.DataFrame,
    settings: SweepSettings,
    calibration: CalibratedModel | None = None,
) -> list[Message]:
    """Say where a model is used outside its range.

    Parameters
    ----------
    model
        The model.
    cells
        The cells to be predicted.
    settings
        Radius and conditions.
    calibration
        Its calibration.

    Returns
    -------
    list of Message
        Empty where all is within.
    """
    found: list[Message] = []
    good = predictable(model, cells)
    if not good.all():
        found.append(
            message(
                "Cells left out because {model} gives no result for their frequency or antenna "
                "height: {count} ({examples}).",
                model=model.title,
                count=int((~good).sum()),
                examples=_examples(cells[~good]),
            )
        )
    cells = cells[good]
    beyond = _beyond(cells, "frequency_mhz", model.valid_range)
    if beyond:
        found.append(
            message(
                "{model} is stated for {low} to {high} MHz; outside it results are "
                "extrapolations: {count} of {total} cells ({examples}).",
                model=model.title,
                **beyond,
            )
        )
    beyond = _beyond(cells, "antenna_height_m", model.valid_range)
    if beyond:
        found.append(
            message(
                "{model} is stated for antennas {low} to {high} m above ground; outside it "
                "results are extrapolations: {count} of {total} cells ({examples}).",
                model=model.title,
                **beyond,
            )
        )
    _, far_km, _ = model.valid_range["distance_km"]
    if settings.radius_m > 1000.0 * far_km:
        found.append(
            message(
                "{model} is stated for distances up to {high} km; beyond it, up to the radius of "
                "{radius} km, results are extrapolations.",
                model=model.title,
                high=f"{far_km:g}",
                radius=f"{settings.radius_m / 1000.0:g}",
            )
        )
    if not model.uses_terrain and settings.time_percent != SweepSettings().time_percent:
        found.append(
            message(
                "{model} does not tell shares of time apart: {percent} % of time was not taken "
                "into account.",
                model=model.title,
                percent=f"{settings.time_percent:g}",
            )
        )
    if calibration is not None:
        low, high = calibration.frequency_range_mhz
        reach = {"frequency_mhz": (low / _FREQUENCY_RATIO, high * _FREQUENCY_RATIO, "MHz")}
        beyond = _beyond(cells, "frequency_mhz", reach)
        if beyond:
            beyond |= {"low": f"{low:g}", "high": f"{high:g}"}
            found.append(
                message(
                    "The calibration {name} was measured at {low} to {high} MHz; cells far from "
                    "it get the correction of the nearest frequency: {count} of {total} cells "
                    "({examples}).",
                    name=calibration.name,
                    **beyond,
                )
            )
    return found


def _beyond(
    cells: pd.DataFrame, name: str, ranges: Mapping[str, tuple[float, float, str]]
) -> dict[str, object]:
    """Return what to say of the cells outside a range; nothing if there are none."""
    if name not in ranges:
        return {}
    low, high, _ = ranges[name]
    outside = cells[~_within(cells, name, low, high)]
    if outside.empty:
        return {}
    return {
        "low": f"{low:g}",
        "high": f"{high:g}",
        "count": len(outside),
        "total": len(cells),
        "examples": _examples(outside),
    }


def _examples(cells: pd.DataFrame) -> str:
    names = [str(name) for name in cells["cell_id"].iloc[:EXAMPLES]]
    return ", ".join(names) + (", …" if len(cells) > EXAMPLES else "")
