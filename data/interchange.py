"""What exports write and imports read back: names, marks and limits of both sides."""

from __future__ import annotations

import re
from collections.abc import Iterable

WKT_COLUMN = "geometry_wkt"
"""Column of tables that holds lines and polygons; long ones go on in `geometry_wkt_2` ..."""

SIDECAR_SUFFIX = ".columns.json"
"""Ending of the file beside a Shapefile that holds what its own format cannot."""

SHORT_NAME_LENGTH = 10
"""Most characters of a column name in a Shapefile."""

WGS84 = "EPSG:4326"

_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def guarded(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula when it opens a CSV file.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    str
        The text, with a quote before it where it starts like a formula.

    Examples
    --------
    >>> guarded("=1+1"), guarded("Đồng Văn")
    ("'=1+1", 'Đồng Văn')
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """Return what `guarded` was given.

    Parameters
    ----------
    text
        A text from a CSV file.

    Returns
    -------
    str
        The text without its guard.

    Examples
    --------
    >>> unguarded("'=1+1"), unguarded("'quoted'")
    ('=1+1', "'quoted'")
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def distinct_names(names: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Return names that differ from each other, and from others, in more than case.

    Parameters
    ----------
    names
        Names as they are.
    taken
        Names that must not be used.

    Returns
    -------
    dict
        Each name to the one to use.

    Examples
    --------
    >>> distinct_names(["Lon", "name"], taken=["lon"])
    {'Lon': 'Lon_2', 'name': 'name'}
    """
    used = {name.lower() for name in taken}
    result = {}
    for name in names:
        free, count = name, 1
        while free.lower() in used or not free:
            count += 1
            free = f"{name}_{count}"
        used.add(free.lower())
        result[name] = free
    return result


def short_names(names: Iterable[str], length: int = SHORT_NAME_LENGTH) -> dict[str, str]:
    """Return column names as short as a Shapefile needs them.

    Parameters
    ----------
    names
        Full names.
    length
        Most characters.

    Returns
    -------
    dict
        Each name to its short form: plain ASCII, all different.

    Examples
    --------
    >>> short_names(["antenna_gain_dbi", "antenna_gain_max", "xây dựng"])
    {'antenna_gain_dbi': 'antenna_ga', 'antenna_gain_max': 'antenna__2', 'xây dựng': 'x_y_d_ng'}
    """
    used: set[str] = set()
    result = {}
    for name in names:
        plain = re.sub(r"[^0-9A-Za-z_]", "_", name) or "column"
        short, count = plain[:length], 1
        while short.lower() in used:
            count += 1
            short = plain[: length - len(str(count)) - 1] + f"_{count}"
        used.add(short.lower())
        result[name] = short
    return result
