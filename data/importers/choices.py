"""Foreign names of the values that a column may have, such as LTE for 4G.

The names are in the table `choice_names.csv`; one that could stand for two
values is in it for neither.
"""

from __future__ import annotations

import csv
import functools
from collections import Counter
from pathlib import Path

import pandas as pd

from data import schema
from data.errors import Problem, message
from data.importers.text_forms import bare

_TABLE = Path(__file__).with_name("choice_names.csv")


def options(layer: str, column: str) -> list[str]:
    """Return the values that a column may have, none where all are allowed.

    Parameters
    ----------
    layer, column
        Declared column.

    Returns
    -------
    list of str
        The values.
    """
    for check in schema.layer_named(layer).table.columns[column].checks:
        if check.name == "isin":
            return [str(value) for value in check.statistics["allowed_values"]]
    return []


@functools.cache
def names_of(layer: str, column: str) -> dict[str, str]:
    """Return the values of a column by the names that they go by.

    Parameters
    ----------
    layer, column
        Declared column.

    Returns
    -------
    dict
        Value by name without diacritics, case and punctuation.
    """
    allowed = options(layer, column)
    found = {bare(value): value for value in allowed}
    with _TABLE.open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            if row["layer"] in ("*", layer) and row["column"] == column and row["value"] in allowed:
                for name in row["names"].split("|"):
                    found.setdefault(bare(name), row["value"])
    return found


def translated(
    layer: str, column: str, values: pd.Series, file: str | None
) -> tuple[pd.Series, list[Problem]]:
    """Give values their names here.

    Parameters
    ----------
    layer, column
        Declared column.
    values
        As they stand in the file.
    file
        File name for the notes.

    Returns
    -------
    tuple of Series and list of Problem
        The values, those not known as they were, and a note on each name that
        was replaced.
    """
    allowed = options(layer, column)
    if not allowed:
        return values, []
    names = names_of(layer, column)
    other = {
        value: names[bare(value)]
        for value in values.dropna().unique()
        if isinstance(value, str) and value.strip() not in allowed and bare(value) in names
    }
    if not other:
        return values, []
    counts = Counter(value for value in values if isinstance(value, str))
    notes = [
        Problem(
            layer,
            None,
            column,
            message("'{value}' in {count} rows", value=theirs, count=counts[theirs]),
            message("read as {ours}", ours=ours),
            file,
            "warning",
        )
        for theirs, ours in sorted(other.items())
    ]
    return values.map(
        lambda value: other.get(value, value) if isinstance(value, str) else value
    ), notes
