"""Collect the faults of a frame, row by row, without ever growing out of hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.errors import Message, Problem, message

Severity = Literal["error", "warning"]

LIMIT = 1_000_000
"""Most problems that are listed one by one; above it, each check says how many more.

A hundred thousand rows with faults in ten columns each are still listed in full."""


def shown(value: object) -> str | Message:
    """Return a value as a problem shows it: text in quotes, numbers without noise.

    Parameters
    ----------
    value
        The value.

    Returns
    -------
    str or Message
        Its text, at most 80 characters.
    """
    if value is None or value is pd.NA or value is pd.NaT:
        return message("no value")
    if isinstance(value, float | np.floating):
        return message("no value") if np.isnan(value) else f"{value:.10g}"
    if isinstance(value, str):
        if re.fullmatch(r"[-+]?\d[\d.]{0,30}", value):
            return value
        short = value if len(value) <= 80 else value[:77] + "..."
        # Faulty text may hold what no terminal can print.
        clean = "".join(char if char.isprintable() else "\ufffd" for char in short)
        return f"'{clean}'"
    return str(value)[:80]


class Faults:
    """The faults found so far in one frame.

    Parameters
    ----------
    layer
        Layer name.
    file
        File name, or None.
    rows
        Row number of every position, as the user sees it.

    Attributes
    ----------
    faulty
        For every position, whether it has an error.
    missing
        Columns that are not there at all.
    """

    def __init__(self, layer: str, file: str | None, rows: NDArray[Any]) -> None:
        self.layer = layer
        self.file = file
        self.rows: list[int] = [int(row) for row in rows.tolist()]
        self.faulty = np.zeros(len(self.rows), bool)
        self.missing: set[str] = set()
        self._problems: list[Problem] = []
        self._known: dict[str, NDArray[np.bool_]] = {}

    def sorted(self) -> list[Problem]:
        """Return the problems: those of the whole first, then by row."""
        return sorted(self._problems, key=lambda p: -1 if p.row is None else p.row)

    def whole(
        self,
        column: str | None,
        value: str | Message,
        expected: Message,
        severity: Severity = "error",
    ) -> None:
        """Report a fault of a whole column, or of the frame."""
        if column is not None and severity == "error":
            self.missing.add(column)
        self._problems.append(
            Problem(self.layer, None, column, value, expected, self.file, severity)
        )

    def row(
        self,
        position: int,
        column: str | None,
        value: str | Message,
        expected: Message,
        severity: Severity = "error",
    ) -> None:
        """Report a fault of one row."""
        if severity == "error":
            self.faulty[position] = True
        if len(self._problems) < LIMIT:
            row = self.rows[position]
            self._problems.append(
                Problem(self.layer, row, column, value, expected, self.file, severity)
            )

    def values(
        self,
        column: str,
        mask: NDArray[np.bool_],
        values: pd.Series | Sequence[object],
        expected: Message,
        severity: Severity = "error",
    ) -> None:
        """Report the rows of `mask`; a row is reported once per column."""
        known = self._known.setdefault(column, np.zeros(len(self.rows), bool))
        positions = np.flatnonzero(mask & ~known)
        if severity == "error":
            known[positions] = True
            self.faulty[positions] = True
        room = max(0, LIMIT - len(self._problems))
        series = values if isinstance(values, pd.Series) else pd.Series(list(values), dtype=object)
        found = series.iloc[positions[:room]].tolist()
        texts: dict[object, str | Message] = {}
        for position, value in zip(positions[:room].tolist(), found, strict=True):
            if isinstance(value, Message):
                text: str | Message = value
            elif isinstance(value, str):
                # The same wrong value often stands in every row.
                known_text = texts.get(value)
                text = texts.setdefault(value, shown(value)) if known_text is None else known_text
            else:
                text = shown(value)
            self._problems.append(
                Problem(
                    self.layer, self.rows[position], column, text, expected, self.file, severity
                )
            )
        if len(positions) > room:
            more = message("{count} more rows are wrong", count=len(positions) - room)
            self._problems.append(
                Problem(self.layer, None, column, more, expected, self.file, severity)
            )

    def duplicates(self, column: str, mask: NDArray[np.bool_], values: pd.Series) -> None:
        """Report rows whose value an earlier row has; each names that row."""
        positions = np.flatnonzero(mask)
        first = pd.Series(range(len(values)), index=values.to_numpy())
        first = first[~first.index.duplicated()]
        earlier = first.reindex(values.iloc[positions].to_numpy()).tolist()
        found = values.iloc[positions].tolist()
        for position, other, value in zip(positions.tolist(), earlier, found, strict=True):
            self.row(
                position,
                column,
                shown(value),
                message(
                    "expected a value that no other row has; row {row} has it too",
                    row=self.rows[int(other)],
                ),
            )
