"""What a page's address says besides its name, so that what is looked at can be shared.

Only values that a page offers are taken from an address, and only when a
session begins: later the session knows better. What differs from a page's
default is written back. The map's position is read and written by the map
itself (`app.components.web_map`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from data.importers import coordinates

#: Parameter of the place that was clicked.
PLACE = "at"

#: Choices that are part of an address: name in `kept.keep` -> parameter.
PARAMETERS = {
    "model": "model",
    "resolution": "resolution",
    "profile": "profile",
    "probability": "probability",
    "service": "technology",
    "operator": "operator",
    "subject": "show",
    "measure": "of",
    "background": "background",
    "level": "level",
}

#: Parameter of the part of a page that is looked at, in `kept.keep` the page's name and ".part".
PART = "part"

#: Longest text of a parameter that is looked at.
_LONGEST = 80

#: What may stand between latitude and longitude; a comma may also stand before decimals.
_BETWEEN = (";", r",\s+", ",", r"\s+")

#: Greatest number of something kept, and its digits: PostgreSQL's integer.
_GREATEST = 2**31 - 1
_DIGITS = len(str(_GREATEST))


def written(value: object) -> str:
    """Return a choice as it stands in an address.

    Parameters
    ----------
    value
        A text or number.

    Returns
    -------
    str
        Short and without locale.
    """
    return f"{value:g}" if isinstance(value, float) else str(value)


def read(name: str, options: Sequence[object] | None) -> object | None:
    """Return the choice that the address asks for.

    Parameters
    ----------
    name
        Name of the choice in `kept.keep`.
    options
        What the page offers.

    Returns
    -------
    object or None
        One of the options; None where the address has none of them.
    """
    parameter = _parameter(name)
    if parameter is None or options is None:
        return None
    text = st.query_params.get(parameter)
    if text is None or len(text) > _LONGEST:
        return None
    return next((option for option in options if written(option) == text), None)


def write(name: str, value: object, default: object) -> None:
    """Note a choice in the address where it is not the default.

    Parameters
    ----------
    name
        Name of the choice in `kept.keep`; others than `PARAMETERS` and parts of pages are left
        out.
    value, default
        What is chosen, and what would be without the parameter.
    """
    parameter = _parameter(name)
    if parameter is not None:
        put(parameter, "" if value == default else written(value))


def _parameter(name: str) -> str | None:
    return PART if name.endswith(f".{PART}") else PARAMETERS.get(name)


def put(parameter: str, text: str) -> None:
    """Set a parameter of the address, or take it away.

    Parameters
    ----------
    parameter
        Its name.
    text
        Its value; empty takes it away.
    """
    if st.query_params.get(parameter, "") == text:
        return
    if text:
        st.query_params[parameter] = text
    else:
        st.query_params.pop(parameter, None)


def number(parameter: str) -> int:
    """Return the number of something kept, as the address has it.

    Parameters
    ----------
    parameter
        Its name.

    Returns
    -------
    int
        0 where the address has none that a database could hold.
    """
    text = st.query_params.get(parameter, "")
    found = int(text) if len(text) <= _DIGITS and text.isascii() and text.isdigit() else 0
    return found if found <= _GREATEST else 0


def place() -> tuple[float, float] | None:
    """Return latitude and longitude of the place in the address, or None. [deg]."""
    return degrees(st.query_params.get(PLACE, ""))


def degrees(text: str) -> tuple[float, float] | None:
    """Return the latitude and longitude that a text says, or None. [deg].

    Parameters
    ----------
    text
        Of somebody else, e.g. "20.54, 105.92", "20,54°; 105,92°" or "20°32'24"N 105°55'12"E".
    """
    if len(text) > _LONGEST:
        return None
    for between in _BETWEEN:
        parts = re.split(between, text.strip())
        found = _place(*parts) if len(parts) == 2 else None
        if found is not None:
            return found
    return None


def _place(latitude: str, longitude: str) -> tuple[float, float] | None:
    read = coordinates.degrees(pd.Series([longitude]), pd.Series([latitude]), None)
    try:
        latitude_deg, longitude_deg = (
            float(str(axis.iloc[0]).replace(",", ".")) for axis in (read.lat, read.lon)
        )
    except ValueError:
        return None
    inside = abs(latitude_deg) <= 90.0 and abs(longitude_deg) <= 180.0
    return (latitude_deg, longitude_deg) if inside else None


def note_place(latitude_deg: float, longitude_deg: float) -> None:
    """Note a place in the address.

    Parameters
    ----------
    latitude_deg, longitude_deg
        WGS 84. [deg]
    """
    put(PLACE, f"{latitude_deg:.5f},{longitude_deg:.5f}")
