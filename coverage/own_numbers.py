"""What a workspace brings of its own in place of the built-in numbers.

==========================  =============================================================
`patterns/*.msi`, `*.pln`   antenna patterns that cells name
`clutter_heights.csv`       clutter classes and their heights
`throughput.csv`            how SINR becomes a rate
`thresholds.csv`            threshold profiles (read by `coverage.request`)
`service_zones.csv`         classes of service zones (read by `coverage.products`)
`models/*.json`             calibrated models
==========================  =============================================================
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from coverage import antenna, calibrated_model, clutter, throughput
from data.errors import InputError

#: Folder of antenna patterns in a workspace.
PATTERNS = "patterns"


@dataclass(frozen=True, eq=False)
class OwnNumbers:
    """Numbers of a workspace, with the built-in ones where it has none.

    Parameters
    ----------
    patterns
        Own antenna patterns by name.
    clutter_heights
        Clutter classes as `clutter.clutter_table` returns them.
    rate_models
        Technology -> how SINR becomes a rate.
    """

    patterns: dict[str, antenna.Pattern]
    clutter_heights: pd.DataFrame
    rate_models: dict[str, throughput.RateModel]

    def described(self) -> dict[str, Any]:
        """Return all that figures depend on, for keys and provenance.

        Returns
        -------
        dict
            For JSON; patterns by their hash.
        """
        heights = self.clutter_heights["height_m"].to_dict()
        return {
            "patterns": {name: antenna.digest(item) for name, item in self.patterns.items()},
            "clutter_heights_m": {str(code): float(height) for code, height in heights.items()},
            "rate_models": {
                name: dataclasses.asdict(item) for name, item in sorted(self.rate_models.items())
            },
        }


def read(folder: Path) -> OwnNumbers:
    """Read the numbers of a workspace.

    Parameters
    ----------
    folder
        The workspace's folder.

    Returns
    -------
    OwnNumbers
        The numbers.

    Raises
    ------
    InputError
        If a file cannot be used; the sentence names it.
    """
    return OwnNumbers(
        antenna.patterns_of_folder(folder / PATTERNS),
        clutter.clutter_table(folder / "clutter_heights.csv"),
        throughput.rate_models(folder / "throughput.csv"),
    )


def calibrated(folder: Path, name: str, base_model: str) -> calibrated_model.CalibratedModel:
    """Return a calibrated model of a workspace.

    Parameters
    ----------
    folder
        The workspace's folder.
    name
        Name of the calibrated model.
    base_model
        The model that it must correct.

    Returns
    -------
    calibrated_model.CalibratedModel
        The model.

    Raises
    ------
    InputError
        If there is none of this name, it cannot be read, or it corrects another
        model; the sentence names those that can be used.
    """
    calibrated_model.check_name(name)
    models = folder / calibrated_model.FOLDER
    path = models / f"{name}.json"
    if not path.exists():
        raise InputError(
            "There is no calibrated model {value} (expected one of {expected})",
            value=name,
            expected=", ".join(sorted(item.stem for item in models.glob("[!.]*.json"))) or "none",
        )
    model = calibrated_model.load(path)
    if model.base_model != base_model:
        fitting = [key for key, item in _readable(models).items() if item.base_model == base_model]
        raise InputError(
            "The calibrated model {name} corrects {base}, but the model asked for is {model} "
            "(calibrated models of it: {expected})",
            name=name,
            base=model.base_model,
            model=base_model,
            expected=", ".join(fitting) or "none",
        )
    return model


def _readable(folder: Path) -> dict[str, calibrated_model.CalibratedModel]:
    found = {}
    for path in sorted(folder.glob("[!.]*.json")):
        try:
            found[path.stem] = calibrated_model.load(path)
        except InputError:
            continue  # only a suggestion is lost
    return found
