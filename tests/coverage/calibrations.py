"""Calibrated models for tests."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from coverage import calibrated_model
from data.store import Workspace

_ERROR = calibrated_model.ErrorStatistics(100, 3.0, 7.0, 7.6, 6.0, 3.0, 6.5)

CORRECTION = calibrated_model.CalibratedModel(
    name="test",
    base_model="p1812",
    created="2026-01-31",
    terms=("offset", "slope", "clutter"),
    offset_db=-6.0,
    slope_db_per_decade=-8.0,
    frequency_slope_db_per_decade=0.0,
    clutter_db={50: -5.0, 40: 2.0},
    clutter_bins={50: 40, 40: 60},
    reference_distance_m=1500.0,
    reference_frequency_mhz=1800.0,
    distance_range_m=(300.0, 4000.0),
    frequency_range_mhz=(900.0, 2100.0),
    held_out_before=dataclasses.replace(_ERROR, rmse_db=9.4),
    held_out_after=_ERROR,
    fitted=_ERROR,
    sigma_db=6.5,
    mean_error_db=0.8,
    cells=5,
    bins=100,
    blocks=20,
    data_sha256="0" * 64,
)


def save_correction(workspace: Workspace, **changes: Any) -> Path:
    """Save `CORRECTION`, with changes, as a model of a workspace."""
    return calibrated_model.save(
        dataclasses.replace(CORRECTION, **changes),
        workspace.folder / calibrated_model.FOLDER,
        replace=True,
    )
