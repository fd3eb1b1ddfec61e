"""The administrative units that values of indicators are about, those of today and former ones.

A value names its unit by a code, and codes are used again for other ground: the unit is
the one of that code on the day that the value describes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from data import vintages
from data.errors import InputError
from data.schema import LEVELS
from data.store import Workspace

_COLUMNS = ("code", "name", "level", "valid_from", "valid_to")


@dataclass(frozen=True, eq=False)
class Units:
    """All units of an area, of whatever time.

    Parameters
    ----------
    table
        Columns code, name, level, valid_from, valid_to (None where they are open). Units
        of the layer `zones` have their row in it as index; former ones, whose boundaries
        nobody has kept, come below.
    """

    table: pd.DataFrame

    @cached_property
    def codes(self) -> dict[str, list[int]]:
        """Code -> rows of its units, the newest last."""
        start, _ = vintages.periods(self.table)
        order = self.table.assign(start=start).sort_values("start", kind="stable")
        return {
            str(code): [int(row) for row in part.index]
            for code, part in order.groupby("code", sort=False)
        }

    @cached_property
    def whole(self) -> set[int]:
        """Rows of the area itself: the units of the widest level, where it is one at a time."""
        levels = set(self.table["level"])
        if len(levels) < 2:
            return set()
        widest = self.table[self.table["level"] == next(i for i in LEVELS if i in levels)]
        return set() if len(set(widest["code"])) > 1 else {int(row) for row in widest.index}

    def row(self, code: str, as_of: str = "") -> int | None:
        """Return the row of a unit.

        Parameters
        ----------
        code
            Its code.
        as_of
            The day that a value describes, ISO date; empty where it is not known.

        Returns
        -------
        int or None
            Of the unit with that code that was there on the day, else of the newest one;
            None where there is none.
        """
        rows = self.codes.get(code)
        if not rows:
            return None
        if as_of:
            there = vintages.on(self.table.loc[rows], as_of)
            if len(there):
                return int(there.index[-1])
        return rows[-1]

    def level(self, code: str, as_of: str = "") -> str:
        """Return the level of a unit, see `row`; empty where there is none."""
        row = self.row(code, as_of)
        return "" if row is None else str(self.table.loc[row, "level"])

    def count(self, level: str, as_of: str = "") -> int:
        """Return how many units of a level there are on a day, or were at any time."""
        there = vintages.on(self.table, as_of) if as_of else self.table
        return int((there["level"] == level).sum())

    def require(self, code: str) -> None:
        """Do nothing if there is a unit with a code.

        Raises
        ------
        InputError
            If there is none.
        """
        if code in self.codes:
            return
        example = next(iter(self.codes), None)
        if example is None:
            raise InputError(
                "There is no unit with the code {code}: the area has no administrative units",
                code=code,
            )
        raise InputError(
            "There is no unit with the code {code} among the administrative units (expected a "
            "code such as {example})",
            code=code,
            example=example,
        )


def read(workspace: Workspace) -> Units:
    """Return the units of an area.

    Parameters
    ----------
    workspace
        The study area.

    Returns
    -------
    Units
        Without rows where the area has no layer of zones.
    """
    parts: list[pd.DataFrame] = []
    if workspace.has("zones"):
        parts.append(pd.DataFrame(workspace.read("zones").drop(columns="geometry")))
    if workspace.has("former_zones"):
        # Lists of former units are those of communes; a layer of units has boundaries.
        parts.append(workspace.read("former_zones").assign(level="commune"))
    rows: list[dict[str, Any]] = [
        {name: None if pd.isna(row.get(name)) else str(row[name]) for name in _COLUMNS}
        for part in parts
        for row in part.to_dict("records")
    ]
    return Units(pd.DataFrame(rows, columns=list(_COLUMNS), dtype=object))
