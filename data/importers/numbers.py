# ruff: noqa: A005 (always imported from its package)
"""Read numbers as people write them: decimal commas, points or blanks between thousands.

"1.234,5" and "1,234.5" say themselves which sign is which, and so do "42,5" and
"1,234,567". "1,234" does not; it is read as the other numbers of its column are
written, or else those of the file, and where these do not tell either, it is
refused: nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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
_SIGNS = re.compile(r"[,.'\u2019\u00a0\u202f]|\d \d")
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
    columns: dict[int, list[object]] = {}
    for position in number_columns(frame, wanted):
        values = frame.iloc[:, position].tolist()
        if any(isinstance(value, str) and _SIGNS.search(value) for value in values):
            columns[position] = [
                _BLANKS.sub("", value.strip()) if isinstance(value, str) else value
                for value in values
            ]
    seen = {position: _signs(texts) for position, texts in columns.items()}
    in_file = {sign for signs in seen.values() for sign in signs}
    problems = []
    for position, texts in columns.items():
        done, unclear = _rewritten(texts, _rule(texts, seen[position], in_file, usual))
        frame.isetitem(position, objects(done))
        problems += [
            Problem(
                wanted.layer.name,
                int(frame.index[row]),
                str(frame.columns[position]),
                shown(str(texts[row])),
                message(
                    "expected a number; it can mean {first} or {second}",
                    first=with_points(str(texts[row]), "."),
                    second=with_points(str(texts[row]), ","),
                ),
                wanted.name,
            )
            for row in unclear
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


def _signs(texts: list[object]) -> set[Sign]:
    """Return the decimal signs that the numbers of a column show beyond doubt."""
    signs: set[Sign] = set()
    for text in texts:
        if isinstance(text, str) and (sign := decimal_sign(text)) is not None:
            signs.add(sign)
            if len(signs) == 2:
                break
    return signs


def _rule(
    texts: list[object], own: set[Sign], in_file: set[Sign], usual: Sign | None
) -> Sign | None:
    """Return the decimal sign of the numbers of a column that do not show it."""
    if own:
        return next(iter(own)) if len(own) == 1 else None
    if len(in_file) == 2:
        return None
    if in_file:
        return next(iter(in_file))
    commas = any(isinstance(text, str) and "," in text for text in texts)
    # Where no number of the file has a comma, points are what programs write.
    return usual if commas else "."


def _rewritten(texts: list[object], rule: Sign | None) -> tuple[list[object], list[int]]:
    """Return the texts as programs write numbers, and where they are unclear."""
    done: list[object] = []
    unclear = []
    for row, text in enumerate(texts):
        if not isinstance(text, str) or ("," not in text and "." not in text):
            done.append(text)
            continue
        sign = decimal_sign(text)
        if sign is None and _UNCLEAR.fullmatch(text):
            sign = rule
            if sign is None:
                unclear.append(row)
                done.append(None)
                continue
        done.append(text if sign is None else with_points(text, sign))
    return done, unclear
