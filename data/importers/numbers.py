# ruff: noqa: A005 (always imported from its package)
"""Read numbers as people write them: decimal commas, points or blanks between thousands.

"1.234,5" and "1,234.5" say themselves which sign is which, and so do "42,5" and
"1,234,567". "1,234" does not; it is read as the other numbers of its column are
written, or else those of the file, and where these do not tell either, it is
refused: nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data import geometry
from data.errors import Problem, message
from data.faults import shown
from data.importers.header import Wanted

Sign = Literal[",", "."]

_PLAIN = re.compile(r"[-+]?\d*\.?\d*(?:[eE][-+]?\d+)?")
_GROUPED = {
    sign: re.compile(rf"[-+]?[1-9]\d{{0,2}}(?:{re.escape(sign)}\d{{3}})+(?:{re.escape(other)}\d+)?")
    for sign, other in ((",", "."), (".", ","))
}
_MARKED = re.compile(r"[,'\u2019\u00a0\u202f]|\d \d|\..*\.")
_BLANKS = re.compile(r"(?<=\d)[ \u00a0\u202f'\u2019](?=\d{3}(?:\D|$))")
_UNCLEAR = re.compile(r"[-+]?[1-9]\d{0,2}[.,]\d{3}")


def decimal_sign(text: str) -> Sign | None:
    """Return the decimal sign that a number shows beyond doubt, or None.

    Parameters
    ----------
    text
        A number.

    Returns
    -------
    str or None
        Comma or point.

    Examples
    --------
    >>> [decimal_sign(text) for text in ("1.234,5", "1,234.5", "42,5", "1,234", "12")]
    [',', '.', ',', None, None]
    """
    if _UNCLEAR.fullmatch(text):
        return None
    if _GROUPED["."].fullmatch(text):
        return ","
    if _GROUPED[","].fullmatch(text):
        return "."
    if "," in text and re.fullmatch(r"[-+]?\d*,\d+(?:[eE][-+]?\d+)?", text):
        return ","
    return "." if "." in text and _PLAIN.fullmatch(text) else None


def with_points(text: str, decimal: Sign) -> str:
    """Return a number as programs write it.

    Parameters
    ----------
    text
        A number.
    decimal
        Its decimal sign.

    Returns
    -------
    str
        The number with a decimal point and nothing between thousands.

    Examples
    --------
    >>> with_points("1.234,5", ","), with_points("1,234", ".")
    ('1234.5', '1234')
    """
    return text.replace("." if decimal == "," else ",", "").replace(",", ".")


def number_columns(frame: pd.DataFrame, wanted: Wanted) -> list[int]:
    """Return the positions of columns that hold numbers.

    Parameters
    ----------
    frame
        A table.
    wanted
        What it is for.

    Returns
    -------
    list of int
        Positions of numbers that the layer declares, and of coordinates.
    """
    names = {
        name.lower()
        for name, column in wanted.layer.table.columns.items()
        if (column.metadata or {})["kind"] in ("number", "whole")
    }
    names |= {*geometry.LONGITUDE_NAMES, *geometry.LATITUDE_NAMES, "x", "y"}
    return [k for k, name in enumerate(frame.columns) if str(name).strip().lower() in names]


def read_numbers(frame: pd.DataFrame, wanted: Wanted, usual: Sign | None = None) -> list[Problem]:
    """Bring text in columns of numbers into the form that programs read, in place.

    Parameters
    ----------
    frame
        A table of cells as they stand in the file.
    wanted
        What it is for.
    usual
        Decimal sign that the form of the file itself tells: semicolons between
        values come with decimal commas.

    Returns
    -------
    list of Problem
        Numbers that can be read in two ways; they are left empty.
    """
    # Every different text is looked at once: large files repeat few.
    columns: dict[int, dict[str, str]] = {}
    for position in number_columns(frame, wanted):
        found = {value for value in frame.iloc[:, position].tolist() if isinstance(value, str)}
        columns[position] = {text: _BLANKS.sub("", text.strip()) for text in found}
    if not any(_MARKED.search(text) for texts in columns.values() for text in texts):
        return []
    seen = {position: _signs(texts.values()) for position, texts in columns.items()}
    in_file = {sign for signs in seen.values() for sign in signs}
    problems = []
    for position, texts in columns.items():
        rule = _rule(texts.values(), seen[position], in_file, usual)
        done = {text: _rewritten(clean, rule) for text, clean in texts.items()}
        if all(text == new for text, new in done.items()):
            continue
        values = frame.iloc[:, position].tolist()
        frame.isetitem(
            position,
            objects([done[value] if isinstance(value, str) else value for value in values]),
        )
        unclear = {text for text, new in done.items() if new is None}
        problems += [
            Problem(
                wanted.layer.name,
                int(frame.index[row]),
                str(frame.columns[position]),
                shown(value),
                message(
                    "expected a number; it can mean {first} or {second}",
                    first=with_points(texts[value], "."),
                    second=with_points(texts[value], ","),
                ),
                wanted.name,
            )
            for row, value in enumerate(values)
            if isinstance(value, str) and value in unclear
        ]
    return problems


def objects(values: Sequence[object]) -> NDArray[np.object_]:
    """Return values as an array that keeps them as they are.

    Parameters
    ----------
    values
        Values of a column.

    Returns
    -------
    NDArray
        The values.
    """
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _signs(texts: Iterable[str]) -> set[Sign]:
    """Return the decimal signs that the numbers of a column show beyond doubt."""
    signs: set[Sign] = set()
    for text in texts:
        if (sign := decimal_sign(text)) is not None:
            signs.add(sign)
            if len(signs) == 2:
                break
    return signs


def _rule(
    texts: Iterable[str], own: set[Sign], in_file: set[Sign], usual: Sign | None
) -> Sign | None:
    """Return the decimal sign of the numbers of a column that do not show it."""
    if own:
        return next(iter(own)) if len(own) == 1 else None
    if len(in_file) == 2:
        return None
    if in_file:
        return next(iter(in_file))
    # Where no number of the file has a comma, points are what programs write.
    return usual if any("," in text for text in texts) else "."


def _rewritten(text: str, rule: Sign | None) -> str | None:
    """Return a text as programs write numbers; None where it is unclear."""
    if "," not in text and "." not in text:
        return text
    sign = decimal_sign(text)
    if sign is None and _UNCLEAR.fullmatch(text):
        sign = rule
        if sign is None:
            return None
    return text if sign is None else with_points(text, sign)
