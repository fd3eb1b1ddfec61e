"""Losses of masts, corrected by a calibrated model.

The correction comes after the losses, so that kept losses serve with any
calibration or none, and the outcome is the same bits whether a loss was
computed here, by a cluster, or taken from the cache.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from coverage import terrain
from coverage.calibrated_model import CalibratedModel
from coverage.kernels import cells as kernels
from coverage.mast import Losses, MastJob
from data.grid import Raster


def corrected(
    losses: Losses, job: MastJob, model: CalibratedModel, clutter_class: Raster | None
) -> Losses:
    """Take a calibration's correction off the losses of a mast.

    Parameters
    ----------
    losses
        What the base model predicted.
    job
        The mast.
    model
        The calibrated model.
    clutter_class
        Land-cover classes around the mast; None corrects no class.

    Returns
    -------
    Losses
        Rounded to the same step.
    """
    grid = losses.grid
    x, y = np.meshgrid(grid.x_centres(), grid.y_centres())
    codes = np.full(grid.shape, np.nan)
    if clutter_class is not None and model.clutter_db:
        codes = terrain.sample(clutter_class, x, y, nearest=True)
    distance = np.hypot(x - job.x_m, y - job.y_m)
    frequencies = np.array(job.frequencies_mhz)
    low, high = model.frequency_range_mhz
    # The model holds the nearest frequency's correction and would warn for every mast.
    steps = [
        np.rint(model.correction_db(distance, codes, frequency) / kernels.LOSS_STEP_DB)
        for frequency in np.clip(frequencies, low, high).tolist()
    ]
    packed = np.empty_like(losses.packed)
    for pair in range(len(packed)):
        found = losses.packed[pair]
        moved = np.clip(found - steps[pair % len(steps)], 0, kernels.NO_LOSS - 1)
        packed[pair] = np.where(found == kernels.NO_LOSS, kernels.NO_LOSS, moved)
    return Losses(grid, packed)


def calibrated_losses(
    losses: Callable[[MastJob], Losses], model: CalibratedModel, clutter_class: Raster | None
) -> Callable[[MastJob], Losses]:
    """Return a function that gives corrected losses.

    Parameters
    ----------
    losses
        Where the base model's losses come from.
    model, clutter_class
        See `corrected`.

    Returns
    -------
    Callable
        For `composite.compose`.
    """

    def found(job: MastJob) -> Losses:
        return corrected(losses(job), job, model, clutter_class)

    return found
