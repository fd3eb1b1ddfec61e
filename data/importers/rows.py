"""Make a table of rows of cells: title rows off, one value for every column."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from data.errors import InputError, Problem, message
from data.importers.header import SEARCHED_ROWS, Wanted
from data.importers.source_file import MAX_COLUMNS, MAX_ROWS

Row = tuple[int, list[Any]]
"""Number of a row as the user sees it, and its cells."""


@dataclass(eq=False)
class Rows:
    """A table and what was odd about its rows.

    Parameters
    ----------
    frame
        The rows below the header; the index, named ``"row"``, is their number.
    header_row
        Number of the row that the names were taken from; None where a file has
        names without such a row.
    problems
        Rows of another shape, and notes.
    decimal
        Decimal sign that the form of the file tells.
    """

    frame: pd.DataFrame
    header_row: int | None = None
    problems: list[Problem] = field(default_factory=list)
    decimal: Literal[",", "."] | None = None


def note(wanted: Wanted, value: Any, expected: Any, column: str | None = None) -> Problem:
    """Return a warning about a file as a whole.

    Parameters
    ----------
    wanted
        What is read.
    value, expected, column
        See `data.errors.Problem`.

    Returns
    -------
    Problem
        The warning.
    """
    return Problem(wanted.layer.name, None, column, value, expected, wanted.name, "warning")


def build(
    rows: Iterable[Row],
    wanted: Wanted,
    above: dict[int, str] | None = None,
    header_row: int | None = None,
) -> Rows:
    """Return the table under the header row.

    Parameters
    ----------
    rows
        All rows from the top.
    wanted
        What is looked for; tells the header.
    above
        Position of a column to the name that stands over several columns
        together; it goes before names that would be there twice.
    header_row
        Number of the row with the names, where the form of the file tells.

    Returns
    -------
    Rows
        The table.

    Raises
    ------
    InputError
        If there are too many rows or columns, or none of the wanted ones.
    """
    filled = _filled(rows, wanted.name)
    first = list(itertools.islice(filled, SEARCHED_ROWS))
    if not first:
        raise InputError("{file} is empty", file=wanted.name)
    numbers_of = [number for number, _ in first]
    if header_row in numbers_of:
        position = numbers_of.index(header_row)
    else:
        position = wanted.position([cells for _, cells in first])
    header_row, cells = first[position]
    header = [str("" if cell is None else cell).strip("\ufeff \t\r\n") for cell in cells]
    if above:
        header += [""] * (max(above) + 1 - len(header))
        header = _joined(header, above, wanted)
    header = wanted.mapped(header)
    wanted.check(header)
    numbers: list[int] = []
    values: list[list[Any]] = []
    problems: list[Problem] = []
    if position > 0:
        problems.append(
            note(
                wanted,
                message("row {row} is taken for the names of the columns", row=header_row),
                message("the rows above it are left out"),
            )
        )
    width = len(header)
    for number, row in itertools.chain(first[position + 1 :], filled):
        if len(row) > width:
            problems.append(
                Problem(
                    wanted.layer.name,
                    number,
                    None,
                    message("the row has {count} values", count=len(row)),
                    message("expected {count}, one for each column", count=width),
                    wanted.name,
                )
            )
            row = row[:width]
        elif len(row) < width:
            row += [None] * (width - len(row))
        numbers.append(number)
        values.append(row)
    return Rows(_frame(header, numbers, values), header_row, problems)


def _filled(rows: Iterable[Row], name: str) -> Iterator[Row]:
    """Yield the rows that are not blank, without the blank cells at their end."""
    for number, row in rows:
        while row and (row[-1] is None or row[-1] == "" or str(row[-1]).isspace()):
            row.pop()
        if len(row) > MAX_COLUMNS:
            raise InputError(
                "{file}, row {row}: the row has {count} columns; the most is {limit}",
                file=name,
                row=number,
                count=len(row),
                limit=MAX_COLUMNS,
            )
        if number > MAX_ROWS:
            raise InputError("{file} has more than {limit} rows", file=name, limit=MAX_ROWS)
        if row and (len(row) > 1 or str(row[0]).strip("\ufeff \t\r\n")):
            yield number, row


def _joined(header: list[str], above: dict[int, str], wanted: Wanted) -> list[str]:
    """Put the name over several columns before names that are not known or there twice."""
    result = []
    for position, name in enumerate(header):
        over = above.get(position, "")
        alone = wanted.score([name]) > 0 and header.count(name) == 1
        result.append(name if alone or not over or over == name else f"{over} {name}".strip())
    return result


def _frame(header: list[str], numbers: list[int], values: list[list[Any]]) -> pd.DataFrame:
    index = pd.Index(numbers, name="row", dtype="int64")
    columns = [
        pd.Series(column, index=index, dtype=object)
        for column in (zip(*values, strict=True) if values else [[] for _ in header])
    ]
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=index)
    frame.columns = pd.Index(header, dtype=object)
    # A column without a name and without values is the edge of the sheet.
    keep = [bool(column) or bool(frame.iloc[:, i].notna().any()) for i, column in enumerate(header)]
    frame = frame.loc[:, keep]
    frame.columns = pd.Index(
        [column or f"column_{i + 1}" for i, column in enumerate(header) if keep[i]], dtype=object
    )
    return frame
