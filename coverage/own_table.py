"""Small tables that users may replace by their own, as CSV files."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import pandas as pd

from data.errors import InputError

Row = TypeVar("Row")


def read_own_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read a table as text.

    Parameters
    ----------
    path
        CSV file in UTF-8, separated by commas or semicolons.
    columns
        Columns that it must have.

    Returns
    -------
    pandas.DataFrame
        All its columns as text, without the spaces around it; the index counts
        from 2, as a spreadsheet numbers the rows below the header.

    Raises
    ------
    InputError
        If it cannot be read, a column is missing or a row has another number of
        values than the header.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        head = text.partition("\n")[0]
        mark = ";" if head.count(";") > head.count(",") else ","
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=mark) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            "{file}: the table cannot be read (expected a CSV file in UTF-8)", file=path.name
        ) from error
    header = [name.strip() for name in rows[0]] if rows else []
    for column in columns:
        if header.count(column) != 1:
            raise InputError(
                "{file}: column {column} is missing or there twice (expected {expected})",
                file=path.name,
                column=column,
                expected=", ".join(columns),
            )
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise InputError(
                "{file}, row {row}: {count} values (expected {expected}, one for each column)",
                file=path.name,
                row=number,
                count=len(row),
                expected=len(header),
            )
    values = [[value.strip() for value in row] for row in rows[1:]]
    return pd.DataFrame(values, columns=header, index=range(2, len(rows) + 1), dtype=object)


def with_own_rows(
    built_in: Mapping[str, Row], own: Path | None, read: Callable[[Path], Mapping[str, Row]]
) -> dict[str, Row]:
    """Return assumptions, with those that the user's own file names in their place.

    Parameters
    ----------
    built_in
        By name.
    own
        File that need not exist; None for none.
    read
        Reads a file of assumptions by name.

    Returns
    -------
    dict
        By name.

    Raises
    ------
    InputError
        If `read` does, or the file names what `built_in` has not.
    """
    found = dict(built_in)
    if own is not None and own.exists():
        for name, row in read(own).items():
            if name not in found:
                raise InputError(
                    "{file}: there is no assumption {value} (expected one of {expected})",
                    file=own.name,
                    value=name,
                    expected=", ".join(found),
                )
            found[name] = row
    return found
