"""Units of foreign columns, and their conversion to those of the schema.

The unit of a column is what the user says, else what its name says ("Height
(ft)", "Công suất [W]", "freq_ghz"), else what stands behind its values ("40 W");
a column without any is in the schema's unit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data import schema
from data.errors import InputError, Message, Problem, message
from data.faults import Faults, shown
from data.values import to_number

Numbers = NDArray[np.float64]
Conversion = Callable[[Numbers], Numbers]

FOOT_M = 0.3048
"""International foot. [m]"""


def _times(factor: float) -> Conversion:
    return lambda values: values * factor


def _as_is(values: Numbers) -> Numbers:
    return values


def _from_watts(factor: float) -> Conversion:
    def convert(values: Numbers) -> Numbers:
        with np.errstate(divide="ignore", invalid="ignore"):
            dbm = 10.0 * np.log10(values * factor) + 30.0
        return np.where(values > 0.0, dbm, np.nan)

    return convert


#: For every unit of the schema, the units that are brought to it. Percent and shares are
#: the units of columns without one that lie between 0 and 1.
CONVERSIONS: dict[str, dict[str, Conversion]] = {
    "m": {
        "m": _as_is,
        "ft": _times(FOOT_M),
        "km": _times(1e3),
        "cm": _times(1e-2),
        "mm": _times(1e-3),
        "yd": _times(3 * FOOT_M),
    },
    "MHz": {"MHz": _as_is, "GHz": _times(1e3), "kHz": _times(1e-3), "Hz": _times(1e-6)},
    "dBm": {
        "dBm": _as_is,
        "dBW": lambda values: values + 30.0,
        "W": _from_watts(1.0),
        "mW": _from_watts(1e-3),
        "kW": _from_watts(1e3),
    },
    "dBi": {"dBi": _as_is, "dBd": lambda values: values + 2.15, "dB": _as_is},
    "dB": {"dB": _as_is},
    "deg": {
        "deg": _as_is,
        "rad": lambda values: np.rad2deg(values),
        "gon": _times(0.9),
        "mil": _times(360.0 / 6400.0),
    },
    "km2": {"km2": _as_is, "m2": _times(1e-6), "ha": _times(1e-2)},
    "Mbit/s": {
        "Mbit/s": _as_is,
        "kbit/s": _times(1e-3),
        "Gbit/s": _times(1e3),
        "bit/s": _times(1e-6),
    },
    "ms": {"ms": _as_is, "s": _times(1e3)},
    "share": {"share": _as_is, "%": _times(1e-2)},
    "%": {"%": _as_is, "share": _times(1e2)},
    "": {"people": _as_is, "thousand": _times(1e3), "million": _times(1e6)},
}

#: How units are written; compared without blanks, case counts only where it must.
_SPELLINGS: dict[str, tuple[str, ...]] = {
    "m": ("m", "mét", "met", "metre", "metres", "meter", "meters", "mts"),
    "ft": ("ft", "feet", "foot", "'", "ft."),
    "km": ("km", "kilometre", "kilometer", "kilômét"),
    "cm": ("cm",),
    "mm": ("mm",),
    "yd": ("yd", "yard", "yards"),
    "MHz": ("mhz", "megahertz"),
    "GHz": ("ghz", "gigahertz"),
    "kHz": ("khz", "kilohertz"),
    "Hz": ("hz", "hertz"),
    "dBm": ("dbm",),
    "dBW": ("dbw",),
    "W": ("w", "watt", "watts", "oát"),
    "mW": ("mw", "milliwatt", "milliwatts"),
    "kW": ("kw", "kilowatt"),
    "dBi": ("dbi",),
    "dBd": ("dbd",),
    "dB": ("db", "decibel"),
    "deg": ("deg", "degree", "degrees", "°", "độ", "do"),
    "rad": ("rad", "radian", "radians"),
    "gon": ("gon", "grad"),
    "mil": ("mil", "mils"),
    "km2": ("km2", "km²", "km^2", "sq km", "sqkm"),
    "m2": ("m2", "m²", "m^2", "sqm"),
    "ha": ("ha", "hecta", "hectare", "hectares"),
    "Mbit/s": ("mbit/s", "mbps", "mb/s", "mbits"),
    "kbit/s": ("kbit/s", "kbps", "kb/s"),
    "Gbit/s": ("gbit/s", "gbps", "gb/s"),
    "bit/s": ("bit/s", "bps"),
    "ms": ("ms", "mili giây"),
    "s": ("s", "sec", "second", "seconds", "giây"),
    "%": ("%", "percent", "pct", "phần trăm"),
    "share": ("share", "0-1", "0..1"),
    "people": ("people", "persons", "người", "nguoi"),
    "thousand": ("thousand", "nghìn", "nghìn người", "ngàn", "ngàn người", "1000"),
    "million": ("million", "triệu", "triệu người"),
}
_BY_SPELLING = {
    unicodedata.normalize("NFC", spelling).replace(" ", ""): unit
    for unit, spellings in _SPELLINGS.items()
    for spelling in spellings
}
_BRACKETS = re.compile(r"\s*[(\[{<]\s*([^()\[\]{}<>]*?)\s*[)\]}>]\s*$")
_LAST_WORD = re.compile(r"^(.*\S)(?:[ _./,;:-]+)([^\s_.,;:-]+)$")
_SUFFIX = re.compile(r"([-+−]?[\d.,\s\u00a0'’]*\d[\d.,]*(?:[eE][-+]?\d+)?)\s*([^\d\s.,].*?)\s*")
#: Too short or too common to be a unit where they end a name without brackets.
_NOT_LAST_WORDS = {"'", "do", "độ", "s", "1000", "mb", "°", "met", "mts"}


def parse(text: str) -> str | None:
    """Return the unit that a text names, or None.

    Parameters
    ----------
    text
        As people write it.

    Returns
    -------
    str or None
        Name of the unit in `CONVERSIONS`.

    Examples
    --------
    >>> parse("feet"), parse("dBm"), parse("Mbps"), parse("nếu có")
    ('ft', 'dBm', 'Mbit/s', None)
    """
    plain = re.sub(r"\s+", "", unicodedata.normalize("NFC", text).strip().rstrip("."))
    return _BY_SPELLING.get(plain.lower())


def in_name(name: str) -> str | None:
    """Return the unit that the name of a column states, or None.

    Parameters
    ----------
    name
        Name of the column.

    Returns
    -------
    str or None
        Name of the unit in `CONVERSIONS`.

    Examples
    --------
    >>> in_name("Height (ft)"), in_name("Công suất [W]"), in_name("freq_ghz"), in_name("Ghi chú")
    ('ft', 'W', 'GHz', None)
    """
    return _split(name)[1]


def without_unit(name: str) -> str:
    """Return the name of a column without the unit that it states.

    Parameters
    ----------
    name
        Name of the column.

    Returns
    -------
    str
        The rest of it.

    Examples
    --------
    >>> without_unit("Height (ft)"), without_unit("Ghi chú (nếu có)")
    ('Height', 'Ghi chú (nếu có)')
    """
    return _split(name)[0]


def _split(name: str) -> tuple[str, str | None]:
    bracket = _BRACKETS.search(name)
    if bracket:
        # "Height (m, above ground)" states its unit as well.
        for part in (bracket.group(1), re.split(r"[,;:]", bracket.group(1))[0]):
            unit = parse(part)
            if unit is not None:
                return name[: bracket.start()], unit
        return name, None
    words = _LAST_WORD.match(name)
    if words and words.group(2).lower() not in _NOT_LAST_WORDS:
        unit = parse(words.group(2))
        if unit is not None:
            return words.group(1), unit
    return name, None


def quantity(layer: str, column: str) -> str | None:
    """Return the entry of `CONVERSIONS` for a column of numbers, or None.

    Parameters
    ----------
    layer
        Layer name.
    column
        Declared column.

    Returns
    -------
    str or None
        Unit of the schema, ``"share"`` for shares, empty for counts.
    """
    declared = schema.layer_named(layer).table.columns.get(column)
    if declared is None or (declared.metadata or {})["kind"] not in ("number", "whole"):
        return None
    unit = schema.layer_named(layer).unit(column)
    limits = [check.statistics.get("max_value") for check in declared.checks]
    if not unit and limits and limits[-1] == 1:
        return "share"
    return unit if unit in CONVERSIONS else None


def check(layer: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return units that the user states, in the names of `CONVERSIONS`.

    Parameters
    ----------
    layer
        Layer name.
    given
        Our name of a column, with or without the unit in it, to a unit.

    Returns
    -------
    dict
        Declared column to unit.

    Raises
    ------
    InputError
        If there is no such column, or the unit does not fit it.
    """
    columns = schema.layer_named(layer).columns
    short = {without_unit(column): column for column in columns}
    found = {}
    for name, text in given.items():
        column = name if name in columns else short.get(name)
        if column is None:
            raise InputError(
                "A unit is given for {column}, which is not a column of {layer} (expected one of "
                "{expected})",
                column=name,
                layer=layer,
                expected=", ".join(columns),
            )
        base = quantity(layer, column)
        known = CONVERSIONS.get(base, {}) if base is not None else {}
        unit = parse(text)
        if unit not in known:
            raise InputError(
                "{unit} is not a unit of {column} (expected one of {expected})",
                unit=text,
                column=column,
                expected=", ".join(known) or "-",
            )
        found[column] = unit
    return found


@dataclass(frozen=True, eq=False)
class Apart:
    """The values of a column, taken apart.

    Parameters
    ----------
    values
        As they stand in the file.
    numbers
        The same, without the units behind them.
    units
        Unit behind each value; None where there is none.
    """

    values: pd.Series
    numbers: pd.Series
    units: NDArray[np.object_]

    @property
    def any(self) -> bool:
        """Whether a value has a unit."""
        return any(unit is not None for unit in self.units)


def apart(layer: str, column: str, values: pd.Series) -> Apart:
    """Take units that stand behind values off them.

    Parameters
    ----------
    layer, column
        Declared column of numbers.
    values
        As they stand in the file.

    Returns
    -------
    Apart
        Numbers, still as text, and units. A value whose unit does not fit the
        column is left whole.
    """
    units = np.full(len(values), None, dtype=object)
    base = quantity(layer, column)
    if base is None or pd.api.types.is_numeric_dtype(values.dtype):
        return Apart(values, values, units)
    known = CONVERSIONS[base]
    if not to_number(values)[1].any():
        return Apart(values, values, units)
    array = values.to_numpy(dtype=object, copy=True)
    for position, value in enumerate(array.tolist()):
        if not isinstance(value, str) or not value or value[-1].isdigit():
            continue
        match = _SUFFIX.fullmatch(value.strip())
        unit = parse(match.group(2)) if match else None
        if match and unit in known:
            array[position], units[position] = match.group(1).strip().replace("−", "-"), unit
    return Apart(values, pd.Series(array, index=values.index, dtype=object), units)


@dataclass(frozen=True, eq=False)
class Converted:
    """A column in the schema's unit.

    Parameters
    ----------
    values
        Numbers; where a value cannot be read, the value as it stands in the file.
    units
        Units that the values were in.
    problems
        Values whose unit is not clear, and doubts about all of them.
    """

    values: pd.Series
    units: tuple[str, ...]
    problems: list[Problem]


def convert(
    layer: str,
    column: str,
    found: Apart,
    *,
    unit: str | None = None,
    file: str | None = None,
) -> Converted:
    """Bring a column of numbers to the schema's unit.

    Parameters
    ----------
    layer, column
        Declared column of numbers.
    found
        Its values; the index is the row number.
    unit
        Unit of values that do not state one; None where nothing tells it.
    file
        File name for the problems.

    Returns
    -------
    Converted
        The numbers and what is wrong or doubtful about them.
    """
    base = quantity(layer, column)
    if base is None:
        return Converted(found.values, (), [])
    known = CONVERSIONS[base]
    faults = Faults(layer, file, found.values.index.to_numpy())
    told = unit in known
    if unit is not None and not told:
        faults.whole(
            column,
            message("the name of the column says {unit}", unit=unit),
            message("expected one of {units}; {unit} is taken", units=", ".join(known), unit=base),
            "warning",
        )
    usual = unit if unit is not None and told else next(iter(known))
    plain, _ = to_number(found.numbers)
    without = np.array([name is None for name in found.units], bool)
    units = np.where(without, usual, found.units)
    behind = list(dict.fromkeys(name for name in found.units if name is not None))
    result = plain.to_numpy(np.float64, copy=True)
    for name in dict.fromkeys(units.tolist()):
        rows = units == name
        result[rows] = known[name](result[rows])
    filled = found.numbers.notna().to_numpy(bool)
    bare = without & filled
    if behind and not told and behind != [usual]:
        faults.values(
            column,
            bare & plain.notna().to_numpy(bool),
            found.values,
            message("expected a unit, as other rows have: {units}", units=", ".join(behind)),
        )
    if len(behind) > 1:
        faults.whole(
            column,
            message("the values are in {units}", units=", ".join(behind)),
            message("each is converted from its own unit"),
            "warning",
        )
    if told:
        faults.values(
            column,
            ~bare & (units != usual) & filled,
            found.values,
            message("expected {unit}, as stated for the column; its own unit is taken", unit=usual),
            "warning",
        )
    doubt = _doubt(
        base, column, plain.to_numpy(np.float64), None if not told and not behind else usual
    )
    if doubt is not None:
        faults.whole(column, *doubt, "warning")
    values = pd.Series(result, index=found.values.index)
    lost = np.isnan(result) & filled
    if lost.any():
        # What is no number, or no power at all, stays for the schema to report.
        values = values.astype(object)
        values[lost] = [
            f"{value} {name}" if known[name] is not _as_is and not isinstance(value, str) else value
            for value, name in zip(found.values[lost], units[lost], strict=True)
        ]
        nothing = lost & plain.notna().to_numpy(bool)
        values[nothing] = [
            f"{value} {name}"
            for value, name in zip(found.numbers[nothing], units[nothing], strict=True)
        ]
    used = dict.fromkeys(name for name, there in zip(units, filled, strict=True) if there)
    return Converted(values, tuple(used), faults.sorted())


#: Transmit powers that are usual in dBm and odd in W.
_DBM_POWERS = (36.0, 37.0, 43.0, 46.0, 47.0, 47.8, 48.0, 49.0)
#: Transmit powers that are usual in W and odd in dBm.
_WATT_POWERS = (1.0, 2.0, 5.0, 10.0, 12.0, 15.0, 20.0, 25.0, 40.0, 60.0, 80.0, 100.0)


def _doubt(
    base: str, column: str, values: Numbers, unit: str | None
) -> tuple[Message, Message] | None:
    """Return what is odd about numbers in a unit; None as unit where nothing states one."""
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    middle = float(np.median(values))
    said = message("half of the values are above {value}", value=shown(middle))
    looks: tuple[str, str] | None = None
    if base == "m" and unit in (None, "m") and 80.0 < middle <= 400.0:
        looks = ("ft", "m")
    if base == "dBm" and unit == "W" and np.isin(values, _DBM_POWERS).mean() > 0.5:
        looks = ("dBm", "W")
    if base == "dBm" and unit is None and np.isin(values, _WATT_POWERS).mean() > 0.9:
        looks = ("W", "dBm")
    if base == "MHz" and unit is None and column.startswith("bandwidth") and middle >= 150.0:
        looks = ("kHz", "MHz")
    if base == "MHz" and unit is None and column.startswith("frequency"):
        looks = ("GHz", "MHz") if middle < 10.0 else ("kHz", "MHz") if middle > 1e5 else None
    if base == "share" and unit is None and 1.0 < middle <= 100.0:
        looks = ("%", "share")
    if looks is None:
        return None
    return said, message(
        "that looks like {other}; {unit} is taken, state the unit if that is wrong",
        other=looks[0],
        unit=looks[1],
    )
