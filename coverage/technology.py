"""Link budgets and thresholds per technology, read from two documented tables.

`coverage/tables/link_budgets.csv` and `coverage/tables/thresholds.csv` carry
every number with its source; those not taken from a standard or regulation say
``verified = no`` and are defaults to be edited. A workspace may add profiles of
its own in a file of the same columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from coverage.own_table import read_own_table
from data.errors import InputError

TABLES = Path(__file__).parent / "tables"

#: Technologies in the order in which they are shown.
TECHNOLOGIES = ("2G", "3G", "4G", "5G")

#: Figures over several technologies: a place counts if any member serves it.
COMBINATIONS: dict[str, tuple[str, ...]] = {
    "3G_or_4G": ("3G", "4G"),
    "any": TECHNOLOGIES,
}

#: Metric that each technology's threshold is about.
METRICS = {"2G": "RxLev", "3G": "RSCP", "4G": "RSRP", "5G": "SS-RSRP"}

#: Resource blocks by channel bandwidth in MHz: 3GPP TS 36.101 table 5.6-1 (LTE).
LTE_RESOURCE_BLOCKS = {1.4: 6, 3.0: 15, 5.0: 25, 10.0: 50, 15.0: 75, 20.0: 100}

#: The same for NR at 30 kHz subcarrier spacing, and at 15 kHz up to 20 MHz for
#: low bands: 3GPP TS 38.101-1 table 5.3.2-1.
NR_RESOURCE_BLOCKS = {
    5.0: 25,
    10.0: 52,
    15.0: 79,
    20.0: 106,
    40.0: 106,
    50.0: 133,
    60.0: 162,
    80.0: 217,
    90.0: 245,
    100.0: 273,
}


@dataclass(frozen=True)
class Threshold:
    """Level and probability from which a place counts as covered.

    Parameters
    ----------
    profile
        Name of the set of thresholds it belongs to.
    technology
        "2G", "3G", "4G" or "5G".
    metric
        What the level is: RxLev, RSCP, RSRP or SS-RSRP.
    threshold_dbm
        The level. [dBm]
    probability
        Share of locations of a pixel that must reach it, 0 to 1.
    environment
        Where the receiver is.
    verified
        Whether the numbers were checked against the source itself.
    source
        Where the numbers come from.
    """

    profile: str
    technology: str
    metric: str
    threshold_dbm: float
    probability: float
    environment: str
    verified: bool
    source: str


_THRESHOLD_COLUMNS = (
    "profile",
    "technology",
    "metric",
    "threshold_dbm",
    "probability",
    "environment",
    "verified",
    "source",
)


def read_thresholds(path: Path) -> dict[str, dict[str, Threshold]]:
    """Read a table of threshold profiles.

    Parameters
    ----------
    path
        CSV file with the columns of `Threshold`.

    Returns
    -------
    dict
        Profile name -> technology -> `Threshold`.

    Raises
    ------
    InputError
        If a column is missing or a value cannot be used.
    """
    frame = read_own_table(path, _THRESHOLD_COLUMNS)
    profiles: dict[str, dict[str, Threshold]] = {}
    rows: list[dict[str, str]] = frame.to_dict("records")  # type: ignore[assignment]
    for number, row in enumerate(rows, start=2):
        threshold = _threshold(path.name, number, row)
        profiles.setdefault(threshold.profile, {})[threshold.technology] = threshold
    return profiles


def _threshold(file: str, number: int, row: dict[str, str]) -> Threshold:
    def number_in(column: str, low: float, high: float) -> float:
        try:
            value = float(row[column])
        except ValueError:
            value = np.nan
        if not low <= value <= high:
            raise InputError(
                "{file}, row {row}, column {column}: {value} (expected a number from {low} to "
                "{high})",
                file=file,
                row=number,
                column=column,
                value=row[column] or "nothing",
                low=low,
                high=high,
            )
        return value

    if row["technology"] not in TECHNOLOGIES:
        raise InputError(
            "{file}, row {row}, column technology: {value} (expected one of {expected})",
            file=file,
            row=number,
            value=row["technology"] or "nothing",
            expected=", ".join(TECHNOLOGIES),
        )
    return Threshold(
        profile=row["profile"],
        technology=row["technology"],
        metric=row["metric"],
        threshold_dbm=number_in("threshold_dbm", -150.0, 0.0),
        probability=number_in("probability", 0.01, 0.99),
        environment=row["environment"],
        verified=row["verified"].strip().lower() == "yes",
        source=row["source"],
    )


@cache
def _built_in_thresholds() -> dict[str, dict[str, Threshold]]:
    return read_thresholds(TABLES / "thresholds.csv")


def threshold_profiles(own_table: Path | None = None) -> dict[str, dict[str, Threshold]]:
    """Return all threshold profiles: the built-in ones and those of `own_table`.

    Parameters
    ----------
    own_table
        A user's file in the same form, read if it exists; its profiles win.

    Returns
    -------
    dict
        Profile name -> technology -> `Threshold`.
    """
    profiles = dict(_built_in_thresholds())
    if own_table is not None and own_table.exists():
        profiles.update(read_thresholds(own_table))
    return profiles


@cache
def link_budgets() -> pd.DataFrame:
    """Return the table of link budgets, indexed by technology.

    Returns
    -------
    pandas.DataFrame
        The columns of `coverage/tables/link_budgets.csv`.
    """
    return pd.read_csv(TABLES / "link_budgets.csv", index_col="technology")


def resource_blocks(technology: str, bandwidth_mhz: float) -> int:
    """Return the number of resource blocks of an LTE or NR carrier.

    Parameters
    ----------
    technology
        "4G" or "5G".
    bandwidth_mhz
        Channel bandwidth. [MHz]

    Returns
    -------
    int
        N_RB of 3GPP TS 36.101 table 5.6-1 or TS 38.101-1 table 5.3.2-1.

    Raises
    ------
    InputError
        If the bandwidth is not one of the standard's.

    Examples
    --------
    >>> resource_blocks("4G", 10.0)
    50
    """
    table = LTE_RESOURCE_BLOCKS if technology == "4G" else NR_RESOURCE_BLOCKS
    blocks = table.get(float(bandwidth_mhz))
    if blocks is None:
        raise InputError(
            "A {technology} carrier of {value} MHz is not a channel bandwidth of the standard "
            "(expected one of {expected})",
            technology=technology,
            value=f"{bandwidth_mhz:g}",
            expected=", ".join(f"{width:g}" for width in table),
        )
    return blocks


@cache
def reference_power_offset_db(technology: str, bandwidth_mhz: float) -> float:
    """Return how far the power that the metric is about lies below the cell's total power.

    2G RxLev is about the full power of a transceiver, 3G RSCP about the pilot
    channel, 4G RSRP and 5G SS-RSRP about one resource element.

    Parameters
    ----------
    technology
        "2G", "3G", "4G" or "5G".
    bandwidth_mhz
        Channel bandwidth, used for 4G and 5G. [MHz]

    Returns
    -------
    float
        A number of decibels, 0 or negative. [dB]

    Raises
    ------
    InputError
        If the bandwidth is not one of the standard's.

    References
    ----------
    3GPP TS 36.214, section 5.1.1 (RSRP); TS 25.215, section 5.1.1 (RSCP).

    Examples
    --------
    >>> round(reference_power_offset_db("4G", 20.0), 2)
    -30.79
    """
    if technology in ("4G", "5G"):
        return float(-10.0 * np.log10(12 * resource_blocks(technology, bandwidth_mhz)))
    share = float(str(link_budgets().loc[technology, "reference_power_share"]))
    return float(10.0 * np.log10(share))


@cache
def _model_errors() -> pd.DataFrame:
    return pd.read_csv(TABLES / "model_errors.csv", index_col="model")


def model_mean_error_db(model: str) -> float:
    """Return by how much all levels of a model may be wrong together.

    Parameters
    ----------
    model
        Name in `coverage.models.MODELS`.

    Returns
    -------
    float
        Standard deviation of the mean error over an area, from
        `coverage/tables/model_errors.csv`; the largest one for other models. [dB]
    """
    errors: dict[str, float] = _model_errors()["mean_error_db"].to_dict()  # type: ignore[assignment]
    return errors.get(model, max(errors.values()))
