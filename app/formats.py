"""Numbers, shares, dates and units as they are written in the language in use.

Vietnamese: 1.980 and 30,8 % and 16/11/2020; English: 1,980 and 30.8% and 16 Nov 2020.
"""

from __future__ import annotations

import datetime as dt
import functools
import math
import unicodedata
import zoneinfo

import streamlit as st
from babel.numbers import format_decimal

from app.i18n import _, day, language, percent_sign

#: Shown where there is no value.
NOTHING = "–"

_NO_BREAK = "\u00a0"


def _is_missing(value: float | None) -> bool:
    return value is None or not math.isfinite(value)


@functools.lru_cache(maxsize=20_000)
def _unsigned(value: float, digits: int, locale: str) -> str:
    # Kept, because maps and tables write the same heights and shares many times over.
    fraction = "." + "0" * digits if digits else ""
    return str(format_decimal(value, f"#,##0{fraction}", locale=locale))


def number(value: float | None, digits: int = 0, *, signed: bool = False) -> str:
    """Write a number with a fixed count of decimals.

    Parameters
    ----------
    value
        The number; None and NaN give a dash.
    digits
        Decimals.
    signed
        Whether a positive number gets a plus sign.

    Returns
    -------
    str
        E.g. "1.980" or "1,980".
    """
    if value is None or _is_missing(value):
        return NOTHING
    rounded = round(float(value), digits) + 0.0
    text = _unsigned(abs(rounded), digits, language())
    if rounded < 0:
        return f"−{text}"
    return f"+{text}" if signed and rounded > 0 else text


def percent(share: float | None, digits: int = 1) -> str:
    """Write a share from 0 to 1 as a percentage.

    Parameters
    ----------
    share
        The share; None and NaN give a dash.
    digits
        Decimals of the percentage.

    Returns
    -------
    str
        E.g. "30,8 %" (with a no-break space) or "30.8%".
    """
    if share is None or _is_missing(share):
        return NOTHING
    return number(100.0 * share, digits) + percent_sign()


def percent_range(low: float | None, high: float | None, digits: int = 1) -> str:
    """Write an interval of shares.

    Parameters
    ----------
    low, high
        Its ends, from 0 to 1.
    digits
        Decimals of the percentages.

    Returns
    -------
    str
        E.g. "30,1–31,5 %".
    """
    if low is None or high is None or _is_missing(low) or _is_missing(high):
        return NOTHING
    return f"{number(100.0 * low, digits)}–{number(100.0 * high, digits)}{percent_sign()}"


def points(difference: float | None, digits: int = 1) -> str:
    """Write the difference of two shares in percentage points.

    Parameters
    ----------
    difference
        The difference of shares, from -1 to 1.
    digits
        Decimals.

    Returns
    -------
    str
        E.g. "−1,3 điểm %".
    """
    if difference is None or _is_missing(difference):
        return NOTHING
    written = number(100.0 * difference, digits, signed=True)
    return _("{number} pp", number=written).replace(" ", _NO_BREAK)


def quantity(value: float | None, unit: str, digits: int = 0) -> str:
    """Write a number with its unit, which a line break does not part.

    Parameters
    ----------
    value
        The number; None and NaN give a dash.
    unit
        Unit symbol.
    digits
        Decimals.

    Returns
    -------
    str
        E.g. "−95 dBm".
    """
    if value is None or _is_missing(value):
        return NOTHING
    if unit == "%":
        return number(value, digits) + percent_sign()
    return f"{number(value, digits)}{_NO_BREAK}{unit}"


def distance(metres: float | None) -> str:
    """Write a distance in metres, or in kilometres from 1 km on.

    Parameters
    ----------
    metres
        The distance. [m]

    Returns
    -------
    str
        E.g. "850 m" or "1,85 km".
    """
    if metres is None or _is_missing(metres):
        return NOTHING
    return quantity(metres, "m") if metres < 1000 else quantity(metres / 1000, "km", 2)


def date(value: dt.date | str | None) -> str:
    """Write a date.

    Parameters
    ----------
    value
        A date, or ISO text (a time after it is left out); text that is no date is
        returned as it is.

    Returns
    -------
    str
        E.g. "16/11/2020" or "16 Nov 2020".
    """
    if value is None or value == "":
        return NOTHING
    if isinstance(value, str):
        try:
            value = dt.date.fromisoformat(value[:10])
        except ValueError:
            return value
    return day(value)


def sort_key(text: str) -> str:
    """Return what a Vietnamese name is sorted by: its letters without marks, đ as d.

    Parameters
    ----------
    text
        A name.

    Returns
    -------
    str
        Lower case, the marks only at the end to tell equal letters apart.

    Examples
    --------
    >>> sorted(["Tiên Sơn", "Đồng Văn", "Duy Hà"], key=sort_key)
    ['Đồng Văn', 'Duy Hà', 'Tiên Sơn']
    """
    lower = text.lower()
    letters = unicodedata.normalize("NFD", lower.replace("đ", "d"))
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return f"{plain}\0{lower}"


def coordinates(latitude_deg: float, longitude_deg: float) -> str:
    """Write a position in degrees.

    Parameters
    ----------
    latitude_deg, longitude_deg
        WGS 84. [deg]

    Returns
    -------
    str
        Latitude and longitude with five decimals (about 1 m).
    """
    return f"{number(latitude_deg, 5)}°; {number(longitude_deg, 5)}°"


def moment(value: dt.datetime) -> str:
    """Write a moment as date and time in the time zone of the browser.

    Parameters
    ----------
    value
        With a time zone.

    Returns
    -------
    str
        E.g. "16/11/2020 08:05" or "16 Nov 2020 08:05".
    """
    local = value.astimezone(_time_zone())
    return f"{date(local.date())} {local:%H:%M}"


def time_of_day(value: dt.datetime) -> str:
    """Write the time of day of a moment in the time zone of the browser.

    Parameters
    ----------
    value
        With a time zone.

    Returns
    -------
    str
        E.g. "08:05".
    """
    return f"{value.astimezone(_time_zone()):%H:%M}"


def _time_zone() -> dt.tzinfo | None:
    """Return the time zone of the browser, or None for the one of this machine."""
    try:
        return zoneinfo.ZoneInfo(st.context.timezone or "")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return None
