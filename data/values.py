"""Turn columns as files hold them into the types of the schema, all rows at once.

Every converter returns the column in its type, with faulty values empty, and a
mask of the rows whose value is there but not of that type.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TEXT = pd.StringDtype(na_value=np.nan)
"""Type of text columns: missing values are NaN in every version of pandas."""

_EMPTY = {"", "nan", "na", "n/a", "null", "none"}
_YES = {"yes", "y", "true", "t", "1", "có", "x"}
_NO = {"no", "n", "false", "f", "0", "không"}
FLAG_WORDS = frozenset(_YES | _NO)
"""Words that stand for yes or no, in small letters."""
# Characters that databases and XML cut or refuse; tab and line breaks are fine.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def to_text(series: pd.Series) -> tuple[pd.Series, NDArray[np.bool_]]:
    """Return text, trimmed and in Unicode NFC; whole numbers lose their ".0".

    Parameters
    ----------
    series
        The column.

    Returns
    -------
    tuple of Series and NDArray
        The text and a mask of rows that hold control characters.
    """
    # Text with lone surrogates fits into no string type: search it as objects first.
    wrong = np.zeros(len(series), bool)
    if _all_text(series):
        objects = series.to_numpy(dtype=object, copy=True)
        objects[series.isna().to_numpy(bool)] = None
        # One search for all; what is wrong is looked for only if something is.
        clean = not _CONTROL.search("\n".join(text for text in objects if text is not None))
    else:
        objects = _objects(series, _one_text)
        clean = False
    for position, text in enumerate(() if clean else objects):
        if text is not None and _CONTROL.search(text):
            wrong[position] = True
            objects[position] = None
    texts = pd.Series(objects, index=series.index, dtype=TEXT).str.normalize("NFC").str.strip()
    return texts.mask(texts == ""), wrong


def to_number(series: pd.Series) -> tuple[pd.Series, NDArray[np.bool_]]:
    """Return float64 numbers; infinite ones are faults.

    Parameters
    ----------
    series
        The column.

    Returns
    -------
    tuple of Series and NDArray
        The numbers and a mask of rows that hold something else.
    """
    if pd.api.types.is_bool_dtype(series.dtype):
        return pd.Series(np.nan, index=series.index), series.notna().to_numpy(bool)
    if pd.api.types.is_numeric_dtype(series.dtype):
        numbers = series.astype("float64")
        given = series.notna().to_numpy(bool)
    else:
        if _all_text(series):
            numbers = pd.to_numeric(series, errors="coerce").astype("float64")
            if np.isfinite(numbers.to_numpy()).sum() == series.notna().sum():
                return numbers, np.zeros(len(series), bool)
        texts = pd.Series(_objects(series, _number_text), index=series.index, dtype=object)
        given = (texts.notna() & ~texts.isin(_EMPTY)).to_numpy(bool)
        numbers = pd.to_numeric(texts.where(given), errors="coerce").astype("float64")
    wrong = given & ~np.isfinite(numbers.to_numpy())
    return numbers.mask(wrong), wrong


def to_whole(series: pd.Series) -> tuple[pd.Series, NDArray[np.bool_]]:
    """Return whole numbers as float64, which can be empty.

    Parameters
    ----------
    series
        The column.

    Returns
    -------
    tuple of Series and NDArray
        The numbers and a mask of rows that hold something else.
    """
    numbers, wrong = to_number(series)
    fraction = (numbers.notna() & (numbers != numbers.round())).to_numpy(bool)
    return numbers.mask(fraction), wrong | fraction


def to_flag(series: pd.Series) -> tuple[pd.Series, NDArray[np.bool_]]:
    """Return yes or no from booleans, 0 and 1, and the usual words.

    Parameters
    ----------
    series
        The column.

    Returns
    -------
    tuple of Series and NDArray
        Nullable booleans and a mask of rows that hold something else.
    """
    if pd.api.types.is_bool_dtype(series.dtype):
        return series.astype("boolean"), np.zeros(len(series), bool)
    texts = _objects(series, lambda value: _one_text(value).strip().lower())
    words = pd.Series(texts, index=series.index, dtype=object)
    yes, no = words.isin(_YES).to_numpy(bool), words.isin(_NO).to_numpy(bool)
    wrong = (words.notna() & ~words.isin(_EMPTY)).to_numpy(bool) & ~yes & ~no
    flags = pd.Series(pd.NA, index=series.index, dtype="boolean")
    flags[yes] = True
    flags[no] = False
    return flags, wrong


def to_date(series: pd.Series) -> tuple[pd.Series, NDArray[np.bool_]]:
    """Return ISO dates as text.

    Parameters
    ----------
    series
        The column: text YYYY-MM-DD (a time after it is cut), or dates.

    Returns
    -------
    tuple of Series and NDArray
        Text and a mask of rows that hold something else.
    """
    texts, wrong = to_text(series)
    days = texts.str.replace(r"[T ]00:00:00(\.0+)?(Z|\+00:00)?$", "", regex=True)
    right = days.str.fullmatch(r"\d{4}-\d{2}-\d{2}").eq(True)
    right &= pd.to_datetime(days.where(right), format="%Y-%m-%d", errors="coerce").notna()
    wrong = wrong | (days.notna() & ~right).to_numpy(bool)
    return days.mask(wrong), wrong


def _all_text(series: pd.Series) -> bool:
    """Return whether all values of a column are text, which spares a look at each."""
    return series.dtype == object and pd.api.types.infer_dtype(series, skipna=True) == "string"


def _objects(series: pd.Series, convert: Callable[[Any], object]) -> NDArray[np.object_]:
    """Return converted values as an array of objects; missing ones are None."""
    values = series.to_numpy(dtype=object)
    missing = series.isna().to_numpy(bool)
    out = np.full(len(values), None, dtype=object)
    out[~missing] = [convert(value) for value in values[~missing]]
    return out


def _one_text(value: object) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    return str(value)


def _number_text(value: object) -> object:
    if isinstance(value, str):
        text = value.strip()
        return text.lower() if len(text) <= 4 else text
    if isinstance(value, bool | dt.datetime | dt.date | dt.time):
        return str(value)
    return value
