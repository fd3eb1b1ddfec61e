"""Calibrate a workspace's model with a file of measurements."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coverage import (
    calibrated_model,
    calibration,
    models,
    own_numbers,
    request,
    sweep,
    validity,
)
from data.errors import InputError, Message, Problem
from data.importers import measurements
from data.store import Workspace


@dataclass(frozen=True, eq=False)
class Calibration:
    """A calibrated model and what was used for it.

    Parameters
    ----------
    model
        The model, saved in the workspace.
    path
        Its file.
    rows_read, rows_used
        Rows of the file, and those that could be used.
    problems
        Faults of the others, by row.
    notes
        Where the base model was used outside its range.
    """

    model: calibrated_model.CalibratedModel
    path: Path
    rows_read: int
    rows_used: int
    problems: list[Problem]
    notes: list[Message]


def calibrate_workspace(
    workspace: Workspace,
    file: Path,
    *,
    name: str,
    model: str = "p1812",
    replace: bool = False,
    floor_dbm: float | None = None,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Calibration:
    """Fit a model to a drive test and save it in the workspace.

    Parameters
    ----------
    workspace
        The study area with terrain, masts and cells.
    file
        Measurements; see `data.importers.measurements`.
    name
        Name of the calibrated model.
    model
        Name of the base model in `coverage.models.MODELS`.
    replace
        Whether a model of the same name may be replaced.
    floor_dbm
        Least level that the receiver reports; see `calibration.fit`. [dBm]
    on_progress
        Called with the finished share; may raise `CancelledError`, which leaves
        nothing behind.

    Returns
    -------
    Calibration
        The model and what was used.

    Raises
    ------
    InputError
        If the file, the name or the model cannot be used, or the measurements
        are too few.
    """
    calibrated_model.check_name(name)
    folder = workspace.folder / calibrated_model.FOLDER
    if not replace and (folder / f"{name}.json").exists():
        raise InputError("There is a calibrated model {name} already", name=name)
    base = models.get_model(model)
    settings = sweep.SweepSettings(model=base.name)
    masts = request.masts_on_air(workspace)
    cells = workspace.read("cells")
    cells = cells[cells["mast_id"].isin(masts["mast_id"]) & validity.predictable(base, cells)]
    found = measurements.read(
        file,
        crs=workspace.area.crs,
        cell_ids=set(cells["cell_id"].astype(str)),
        bounds=workspace.analysis_grid().bounds,
    )
    if found.frame.empty:
        why = str(found.problems[0]) if found.problems else ""
        raise InputError("{file}: no row can be used ({reason})", file=file.name, reason=why)
    used = cells[cells["cell_id"].isin(set(found.frame["cell_id"]))].reset_index(drop=True)
    ends = masts[masts["mast_id"].isin(used["mast_id"])].reset_index(drop=True)
    if not workspace.has("terrain"):
        raise InputError("The workspace has no terrain, which the propagation model needs")
    x = np.concatenate([found.frame["x_m"], ends.geometry.x])
    y = np.concatenate([found.frame["y_m"], ends.geometry.y])
    # A pixel more on every side, for values between pixels.
    edge = 2.0 * workspace.raster_info("terrain").grid.resolution_m
    bounds = (x.min() - edge, y.min() - edge, x.max() + edge, y.max() + edge)
    elevation = request.read_within(workspace, "terrain", bounds)
    if elevation is None:
        raise InputError("The terrain does not reach the measurements")
    own = own_numbers.read(workspace.folder)
    fitted = calibration.calibrate(
        found.frame,
        elevation,
        request.read_clutter_height(workspace, bounds, own.clutter_heights),
        request.read_within(workspace, "clutter", bounds) if workspace.has("clutter") else None,
        ends,
        used,
        name=name,
        created=dt.datetime.now(dt.UTC).date().isoformat(),
        settings=settings,
        own_patterns=own.patterns,
        floor_dbm=floor_dbm,
        on_progress=on_progress,
    )
    path = calibrated_model.save(fitted, folder, replace=replace)
    return Calibration(
        fitted,
        path,
        found.rows_read,
        len(found.frame),
        found.problems,
        validity.notes(base, used, settings),
    )
