"""Numbers that candidate sites are found with.

`planning/tables/siting_assumptions.csv` holds them with their sources; a workspace replaces
single rows by a file ``siting_assumptions.csv`` of the same columns.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

from coverage.own_table import read_own_table, with_own_rows
from data.errors import InputError

#: The built-in table.
TABLE = Path(__file__).parent / "tables" / "siting_assumptions.csv"

#: Name of the table that a workspace may bring.
OWN_FILE = "siting_assumptions.csv"

_COLUMNS = ("name", "low", "typical", "high", "unit", "verified", "source")


def assumptions(workspace_folder: Path | None = None) -> dict[str, float]:
    """Return the typical values, those of a workspace in place of the built-in ones.

    Parameters
    ----------
    workspace_folder
        Folder that may hold `OWN_FILE`.

    Returns
    -------
    dict
        By name, in metres.

    Raises
    ------
    InputError
        If the table cannot be read, names an unknown row, or has a figure that is not a
        number greater than 0.
    """
    own = None if workspace_folder is None else workspace_folder / OWN_FILE
    return with_own_rows(_built_in(), own, _read)


@cache
def _built_in() -> dict[str, float]:
    return _read(TABLE)


def _read(path: Path) -> dict[str, float]:
    found = {}
    for number, row in read_own_table(path, _COLUMNS).iterrows():
        try:
            value = float(row["typical"])
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value > 0.0):
            raise InputError(
                "{file}, row {row}, column {column}: {value} (expected a number greater than 0)",
                file=path.name,
                row=number,
                column="typical",
                value=row["typical"] or "empty",
            )
        found[str(row["name"])] = value
    return found
