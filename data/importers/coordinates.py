"""Places in tables: degrees in all their spellings, and which column is which.

Degrees come as decimals with a point or a comma, or as degrees, minutes and
seconds with all kinds of marks, and with the hemisphere before or behind: N, S,
E, W or, in Vietnamese, B (Bắc, north), N (Nam, south), Đ (Đông, east) and T (Tây,
west). N means opposite things in the two languages: the other letters of the
file tell which, and the study area has the last word.

Lists of Vietnamese surveys have the northing in X and the easting in Y. Columns
in a grid are told apart by their values where one reading alone is possible in
the study area; the report says how they were read. Longitude and latitude that
look swapped are reported and not put right.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
import pyproj
from numpy.typing import NDArray

from data.errors import Message, message
from data.geometry import Bounds
from data.importers import vn2000
from data.values import to_number

Axis = Literal["lat", "lon"]
Language = Literal["en", "vi"]

_WORDS = {
    "north": "N", "bắc": "B", "bac": "B", "south": "S", "nam": "Nam",
    "east": "E", "đông": "Đ", "dong": "Đ", "west": "W", "tây": "T", "tay": "T",
}  # fmt: skip
_AXIS: dict[str, Axis] = {
    "N": "lat", "S": "lat", "B": "lat", "Nam": "lat",
    "E": "lon", "W": "lon", "Đ": "lon", "T": "lon",
}  # fmt: skip
#: Letters that only one of the languages has.
_LANGUAGE: dict[str, Language] = {
    "S": "en", "E": "en", "W": "en", "B": "vi", "Nam": "vi", "Đ": "vi", "T": "vi",
}  # fmt: skip
_SIGN = {"N": 1.0, "S": -1.0, "E": 1.0, "W": -1.0, "B": 1.0, "Nam": -1.0, "Đ": 1.0, "T": -1.0}

_LETTER = f"(?:(?i:{'|'.join(_WORDS)})|[NSEWBĐDTnewbđt])"
_NUMBER = r"\d+(?:[.,]\d+)?|[.,]\d+"
_DEGREE = r"(?:°|º|˚|\*|(?i:độ|degrees?|deg)|d|D(?=\s*\d))"
_MINUTE = r"(?:′|'(?!')|’(?!’)|‘|´|`|ʹ|(?i:phút|phut|minutes?|min)|m|M(?=\s*\d))"
_SECOND = r"(?:″|\"|”|“|''|’’|′′|´´|ʺ|(?i:giây|giay|seconds?|sec)|s)"
_ANGLE = re.compile(
    rf"""\s*
    (?P<before>{_LETTER})?[\s.:]*
    (?P<sign>[-+−–])?\s*
    (?P<degrees>{_NUMBER})
    (?:
        (?:\s*{_DEGREE}[\s,]*|\s*[-:]\s*|\s+)
        (?P<minutes>{_NUMBER})
        (?:
            (?:\s*{_MINUTE}[\s,]*|\s*[-:]\s*|\s+)
            (?P<seconds>{_NUMBER})
            (?:\s*{_SECOND})?
          | \s*{_MINUTE}
        )?
      | \s*{_DEGREE}
    )?
    [\s.,:-]*(?P<behind>{_LETTER})?\s*
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Angle:
    """One reading of degrees.

    Parameters
    ----------
    value_deg
        Degrees without the hemisphere, but with a sign before it.
    hemisphere
        N, S, E, W, B, Nam, Đ, T, or empty.
    in_parts
        Whether it is in degrees, minutes and maybe seconds.
    """

    value_deg: float
    hemisphere: str = ""
    in_parts: bool = False


@functools.lru_cache(maxsize=200_000)
def parse(text: str) -> Angle | None:
    r"""Read degrees in any usual spelling.

    Parameters
    ----------
    text
        E.g. ``20°32'45.6"N``, ``20 32 45,6 B``, ``105d55m``, ``N20.5459``.

    Returns
    -------
    Angle or None
        None where it is not one, or minutes or seconds are 60 or more.

    Examples
    --------
    >>> parse("20°32'45.6\"N")
    Angle(value_deg=20.546, hemisphere='N', in_parts=True)
    >>> parse("105,912 Đ")
    Angle(value_deg=105.912, hemisphere='Đ', in_parts=False)
    """
    found = _ANGLE.fullmatch(unicodedata.normalize("NFC", text))
    if not found:
        return None
    letters = [name for name in (found["before"], found["behind"]) if name]
    parts = [found["degrees"], found["minutes"], found["seconds"]]
    texts = [part for part in parts if part is not None]
    numbers = [float(part.replace(",", ".")) for part in texts]
    # Only the last part may have decimals, and every part but the first has its limit.
    whole = all(number.is_integer() for number in numbers[:-1])
    if len(letters) > 1 or (letters and found["sign"]) or not whole:
        return None
    if any(number >= 60 for number in numbers[1:]):
        return None
    value = sum(number / 60**power for power, number in enumerate(numbers))
    if found["sign"] in ("-", "−", "–"):
        value = -value
    letter = _letter(letters[0]) if letters else ""
    return Angle(round(value, 12), letter, len(numbers) > 1)


def _letter(text: str) -> str:
    upper = text.upper()
    return _WORDS.get(text.lower(), "Đ" if upper == "D" else upper)


def to_dms(value_deg: float, axis: Axis, *, digits: int = 2) -> str:
    r"""Write degrees as degrees, minutes and seconds.

    Parameters
    ----------
    value_deg
        Degrees.
    axis
        Latitude or longitude.
    digits
        Decimals of the seconds.

    Returns
    -------
    str
        Text that `parse` reads.

    Examples
    --------
    >>> to_dms(20.546, "lat", digits=1), to_dms(-105.5, "lon", digits=0)
    ('20°32\'45.6"N', '105°30\'00"W')
    """
    unit = 10**digits
    total = round(abs(value_deg) * 3600 * unit)
    minutes, seconds = divmod(total, 60 * unit)
    degrees, minutes = divmod(minutes, 60)
    shown = f"{seconds / unit:0{digits + 3 if digits else 2}.{digits}f}"
    letter = ("N" if value_deg >= 0 else "S") if axis == "lat" else ("E" if value_deg >= 0 else "W")
    return f"{degrees}°{minutes:02d}'{shown}\"{letter}"


Note = tuple[str, Message, Message]
"""Column, what was found, and how it was read."""


@dataclass(frozen=True, eq=False)
class Degrees:
    """Longitudes and latitudes of a table.

    Parameters
    ----------
    lon, lat
        Decimal degrees; what cannot be read as it stands in the file.
    notes
        How the columns were read.
    """

    lon: pd.Series
    lat: pd.Series
    notes: list[Note] = field(default_factory=list)


def degrees(lon: pd.Series, lat: pd.Series, area: Bounds | None) -> Degrees:
    """Read columns of longitude and latitude in all usual spellings.

    Parameters
    ----------
    lon, lat
        As they stand in the file.
    area
        West, south, east, north of the surroundings of the study area, if known.
        [degrees]

    Returns
    -------
    Degrees
        Decimal degrees, and how they were read.
    """
    columns: dict[Axis, pd.Series] = {"lon": lon, "lat": lat}
    angles = {name: _angles(column) for name, column in columns.items()}
    letters = {angle.hemisphere for found in angles.values() for angle in found.values()} - {""}
    notes: list[Note] = []
    north = 1.0
    if "N" in letters:
        marked = [a.value_deg for a in angles["lat"].values() if a.hemisphere == "N"]
        north, said = _meaning_of_n(marked, letters, area)
        notes += [] if said is None else [("lat", *said)]
    result = {}
    for name, column in columns.items():
        array = column.to_numpy(dtype=object, copy=True)
        for row, angle in angles[name].items():
            sign = north if angle.hemisphere == "N" else _SIGN.get(angle.hemisphere, 1.0)
            array[row] = angle.value_deg * sign
        result[name] = pd.Series(array, index=column.index) if angles[name] else column
        notes += _notes(name, angles[name].values())
    return Degrees(result["lon"], result["lat"], notes)


def _angles(column: pd.Series) -> dict[int, Angle]:
    """Return the values that are degrees but no plain numbers, by position."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return {}
    _, wrong = to_number(column)
    found = {}
    values = column.to_numpy(dtype=object)
    for row in np.flatnonzero(wrong).tolist():
        angle = parse(values[row]) if isinstance(values[row], str) else None
        if angle is not None:
            found[row] = angle
    return found


def _notes(name: Axis, angles: Collection[Angle]) -> list[Note]:
    parts = sum(angle.in_parts for angle in angles)
    other = sum(_AXIS.get(angle.hemisphere, name) != name for angle in angles)
    notes: list[Note] = []
    if parts:
        said = message("{count} values are in degrees, minutes and seconds", count=parts)
        notes.append((name, said, message("converted to decimal degrees")))
    if other:
        said = message("{count} values have a letter of the other direction", count=other)
        notes.append((name, said, message("longitude and latitude look swapped")))
    return notes


def _meaning_of_n(
    values: Sequence[float], letters: set[str], area: Bounds | None
) -> tuple[float, tuple[Message, Message] | None]:
    """Return 1 where N is north and -1 where it is south (Nam), and what to say about it."""
    languages = {_LANGUAGE[letter] for letter in letters if letter in _LANGUAGE}
    by_language = -1.0 if languages == {"vi"} and "B" in letters else 1.0
    said = message("N can mean north (English) or south (Vietnamese: Nam)")
    if area is not None:
        array = np.array(values)
        inside = {
            sign: int(((sign * array >= area[1]) & (sign * array <= area[3])).sum())
            for sign in (1.0, -1.0)
        }
        if inside[1.0] != inside[-1.0]:
            by_area = 1.0 if inside[1.0] > inside[-1.0] else -1.0
            if by_area == by_language and "vi" not in languages:
                return by_area, None
            taken = "north" if by_area > 0 else "south"
            return by_area, (said, _TAKEN_BY_AREA[taken])
    if not languages:
        return by_language, (said, message("taken as north, as nothing else tells"))
    if "vi" not in languages:
        return by_language, None
    return by_language, (said, _TAKEN_BY_LETTERS["south" if by_language < 0 else "north"])


_TAKEN_BY_AREA = {
    "north": message("taken as north, where the study area lies"),
    "south": message("taken as south, where the study area lies"),
}
_TAKEN_BY_LETTERS = {
    "north": message("taken as north, by the other letters of the file"),
    "south": message("taken as south, by the other letters of the file"),
}


# Places in a grid

Order = Literal["as named", "northing first"]

#: Eastings and northings that a grid of Vietnam has. [m]
_EASTINGS_M = (50_000.0, 900_000.0)
_NORTHINGS_M = (900_000.0, 2_650_000.0)


def order(
    x: NDArray[np.float64], y: NDArray[np.float64], crs: str, area: Bounds | None
) -> Order | None:
    """Tell whether columns named x and y hold eastings and northings, or the reverse.

    Parameters
    ----------
    x, y
        Numbers of the columns; missing ones are NaN. [m]
    crs
        Their CRS, a grid.
    area
        West, south, east, north of the surroundings of the study area in `crs`,
        if known. [m]

    Returns
    -------
    str or None
        None where neither reading has most of the points.
    """
    there = np.isfinite(x) & np.isfinite(y)
    if not there.any():
        return "as named"
    x, y = x[there], y[there]
    if area is not None:
        east, north = (area[0], area[2]), (area[1], area[3])
    elif crs in vn2000.candidates():
        east, north = _EASTINGS_M, _NORTHINGS_M
    else:
        return "as named"
    named = _between(x, east) & _between(y, north)
    reverse = _between(y, east) & _between(x, north)
    if named.mean() >= 0.5 or not reverse.any():
        return "as named" if named.any() else None
    # A few odd rows must not hide what all others say.
    return "northing first" if reverse.mean() > 0.9 and not named.any() else None


def _between(values: NDArray[np.float64], limits: tuple[float, float]) -> NDArray[np.bool_]:
    return (values >= limits[0]) & (values <= limits[1])


def fitting_crs(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    bounds: Bounds,
    crs: str,
    first: Sequence[str] = (),
) -> list[tuple[str, Order]]:
    """Return the grids in which points lie in the study area.

    Parameters
    ----------
    x, y
        Numbers of the columns; missing ones are NaN. [m]
    bounds
        West, south, east, north of the study area in `crs`. [m]
    crs
        CRS of the study area.
    first
        Grids to try besides those of VN-2000.

    Returns
    -------
    list of tuple
        CRS and order of the columns, those first that have most points inside.
    """
    there = np.isfinite(x) & np.isfinite(y)
    x, y = x[there][:2000], y[there][:2000]
    found: list[tuple[float, str, Order]] = []
    for code in dict.fromkeys((*first, *vn2000.candidates())):
        if pyproj.CRS(code).is_geographic:
            continue
        transformer = pyproj.Transformer.from_crs(code, crs, always_xy=True)
        orders: tuple[tuple[Order, tuple[NDArray[np.float64], NDArray[np.float64]]], ...] = (
            ("as named", (x, y)),
            ("northing first", (y, x)),
        )
        for name, pair in orders:
            east, north = transformer.transform(*pair)
            inside = _between(east, (bounds[0], bounds[2])) & _between(
                north, (bounds[1], bounds[3])
            )
            share = float(inside.mean()) if len(inside) else 0.0
            if share > 0.5:
                found.append((-share, code, name))
    found.sort(key=lambda each: each[0])
    return [(code, name) for _, code, name in found]
