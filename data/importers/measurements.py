"""Drive-test measurements from text tables: what can be used, and why the rest cannot.

A row is one level of one cell at one place: `lat` and `lon` (WGS 84) or `x_m`
and `y_m` (the study area's CRS), `level_dbm`, `cell_id`, and optionally
`frequency_mhz`. Faulty rows are named and left out; the others are kept, with
their further columns.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyproj
from numpy.typing import NDArray

from data.errors import InputError, Message, Problem, ValidationError, message
from data.faults import Faults
from data.values import to_number, to_text

LAYER = "measurements"

#: Names under which a column is recognised, in lower case.
NAMES: dict[str, tuple[str, ...]] = {
    "lat": ("lat", "latitude", "vĩ độ", "vi_do"),
    "lon": ("lon", "lng", "long", "longitude", "kinh độ", "kinh_do"),
    "x_m": ("x_m", "x", "easting"),
    "y_m": ("y_m", "y", "northing"),
    "level_dbm": ("level_dbm", "level", "rsrp", "rsrp_dbm", "rscp", "rscp_dbm", "rxlev",
                  "rxlev_dbm", "ss_rsrp", "ss_rsrp_dbm"),
    "cell_id": ("cell_id", "cellid", "cell", "ci", "eci"),
    "frequency_mhz": ("frequency_mhz", "frequency", "freq", "freq_mhz"),
}  # fmt: skip

LEVEL_RANGE_DBM = (-150.0, -10.0)
FREQUENCY_RANGE_MHZ = (30.0, 100_000.0)

#: Larger files are refused. [bytes]
MAX_BYTES = 500_000_000

#: Places farther than this from the study area are faults. [m]
FAR_M = 100_000.0

_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+\s*")


@dataclass(frozen=True, eq=False)
class Measurements:
    """What a file of measurements holds.

    Parameters
    ----------
    frame
        The usable rows: `x_m`, `y_m`, `level_dbm`, `cell_id`, `frequency_mhz` (NaN
        where unknown), then the file's other columns as text. The index, named
        ``"row"``, is the row number that users see.
    rows_read
        How many rows the file has.
    problems
        Faults, by row.
    """

    frame: pd.DataFrame
    rows_read: int
    problems: list[Problem] = field(default_factory=list)


def read(
    source: Path | bytes,
    *,
    crs: str,
    cell_ids: Collection[str] | None = None,
    bounds: tuple[float, float, float, float] | None = None,
    mapping: Mapping[str, str] | None = None,
    file: str | None = None,
    strict: bool = False,
) -> Measurements:
    """Read drive-test measurements.

    Parameters
    ----------
    source
        CSV file (comma, semicolon or tab; decimal point, or decimal comma where
        the comma does not separate), or its content.
    crs
        The study area's CRS, in metres.
    cell_ids
        Cells that exist; rows of others are faults. None does not check.
    bounds
        x_min, y_min, x_max, y_max of the study area, to find rows that cannot
        belong to it. None does not check. [m]
    mapping
        Our column -> the file's, where it has another name.
    file
        Name for messages where `source` is content.
    strict
        Whether to raise the faults in place of leaving rows out.

    Returns
    -------
    Measurements
        The usable rows and the faults.

    Raises
    ------
    InputError
        If the file is no text table or a needed column is missing.
    ValidationError
        If `strict` and a row is faulty.
    """
    name = file or (source.name if isinstance(source, Path) else LAYER)
    table, ragged = _table(_text(source, name), name)
    columns = _columns(table, mapping or {}, name)
    faults = Faults(LAYER, name, table.index.to_numpy())
    for position, count in ragged.items():
        faults.row(
            position,
            None,
            message("the row has {count} values", count=count),
            message("expected {count}, one for each column", count=len(table.columns)),
        )
    raw = {key: table[column].reset_index(drop=True) for key, column in columns.items()}
    cell_id, wrong = to_text(raw["cell_id"])
    faults.values("cell_id", wrong | cell_id.isna().to_numpy(bool), raw["cell_id"],
                  message("expected the identifier of a cell"))  # fmt: skip
    if cell_ids is not None:
        unknown = cell_id.notna() & ~cell_id.isin({str(item) for item in cell_ids})
        faults.values(
            "cell_id",
            unknown.to_numpy(bool),
            raw["cell_id"],
            message("expected a cell of the layer cells, which has {count}", count=len(cell_ids)),
        )
    level = _numbers("level_dbm", raw["level_dbm"], LEVEL_RANGE_DBM, "dBm", faults)
    frequency = np.full(len(table), np.nan)
    if "frequency_mhz" in raw:
        frequency = _numbers(
            "frequency_mhz", raw["frequency_mhz"], FREQUENCY_RANGE_MHZ, "MHz", faults, empty=True
        )
    x, y = _positions(raw, crs, bounds, faults)
    good = ~faults.faulty
    frame = pd.DataFrame(
        {
            "x_m": x,
            "y_m": y,
            "level_dbm": level,
            "cell_id": cell_id.to_numpy(object),
            "frequency_mhz": frequency,
        },
        index=table.index,
    )
    used = set(columns.values())
    for column in table.columns:
        if column not in used and column not in frame.columns:
            frame[column] = table[column]
    problems = faults.sorted()
    if strict and any(problem.severity == "error" for problem in problems):
        raise ValidationError(problem for problem in problems if problem.severity == "error")
    return Measurements(frame.loc[good], len(table), problems)


def _numbers(
    column: str,
    values: pd.Series,
    limits: tuple[float, float],
    unit: str,
    faults: Faults,
    *,
    empty: bool = False,
) -> NDArray[np.float64]:
    numbers, wrong = to_number(values)
    found = numbers.to_numpy(np.float64)
    outside = ~((found >= limits[0]) & (found <= limits[1]))
    bad = wrong | (outside & (np.isfinite(found) | (not empty)))
    expected = message(
        "expected a number from {low} to {high} {unit}",
        low=f"{limits[0]:g}",
        high=f"{limits[1]:g}",
        unit=unit,
    )
    faults.values(column, bad, values, expected)
    return found


def _positions(
    raw: dict[str, pd.Series],
    crs: str,
    bounds: tuple[float, float, float, float] | None,
    faults: Faults,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return positions in the study area's CRS; report those that cannot be right."""
    if "lat" in raw:
        keys, limits, unit = ("lon", "lat"), ((-180.0, 180.0), (-90.0, 90.0)), "degrees"
    else:
        keys, limits, unit = ("x_m", "y_m"), ((-1e8, 1e8), (-1e8, 1e8)), "m"
    first, second = (
        _numbers(key, raw[key], limit, unit, faults)
        for key, limit in zip(keys, limits, strict=True)
    )
    x, y = first, second
    if unit == "degrees":
        project = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
        x, y = (np.asarray(part) for part in project.transform(first, second))
        beyond = ~(np.isfinite(x) & np.isfinite(y)) & ~faults.faulty
        faults.values("lat", beyond, raw["lat"], message("expected a place that {crs} covers",
                                                         crs=crs))  # fmt: skip
    if bounds is None:
        return x, y
    far = _distance(x, y, bounds) > FAR_M
    expected: Message = message(
        "expected a place within {distance} km of the study area", distance=f"{FAR_M / 1000:g}"
    )
    if unit == "degrees":
        turned = project.transform(second, np.clip(first, -90.0, 90.0))
        swapped = far & (_distance(np.asarray(turned[0]), np.asarray(turned[1]), bounds) <= FAR_M)
        faults.values(keys[1], swapped & ~faults.faulty, raw[keys[1]],
                      message("lat and lon seem to be swapped"))  # fmt: skip
    faults.values(keys[1], far & ~faults.faulty, raw[keys[1]], expected)
    return x, y


def _distance(
    x: NDArray[np.float64], y: NDArray[np.float64], bounds: tuple[float, float, float, float]
) -> NDArray[np.float64]:
    across = np.maximum(np.maximum(bounds[0] - x, x - bounds[2]), 0.0)
    along = np.maximum(np.maximum(bounds[1] - y, y - bounds[3]), 0.0)
    found = np.hypot(across, along)
    return np.where(np.isfinite(found), found, np.inf)


def _text(source: Path | bytes, name: str) -> str:
    if isinstance(source, Path):
        try:
            if source.stat().st_size > MAX_BYTES:
                raise InputError("{file}: the file is larger than {limit} MB", file=name,
                                 limit=MAX_BYTES // 1_000_000)  # fmt: skip
            content = source.read_bytes()
        except OSError as error:
            raise InputError(
                "{file}: the file cannot be read ({reason})",
                file=name,
                reason=error.strerror or "unknown reason",
            ) from error
    else:
        content = source
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1258"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not re.search(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]", text[:100_000]):
            return text
    raise InputError("{file}: not a text table (expected a CSV file)", file=name)


def _table(text: str, name: str) -> tuple[pd.DataFrame, dict[int, int]]:
    """Return the rows as text, and how many values the rows of a wrong length have."""
    head = next((line for line in text.splitlines() if line.strip()), "")
    if not head:
        raise InputError("{file}: the file is empty", file=name)
    delimiter = max(
        (",", ";", "\t"), key=lambda mark: len(next(csv.reader([head], delimiter=mark)))
    )
    header: list[str] = []
    rows: list[list[str]] = []
    numbers: list[int] = []
    ragged: dict[int, int] = {}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for values in reader:
            if not any(value.strip() for value in values):
                continue
            if not header:
                header = [value.strip() for value in values]
                continue
            while len(values) > len(header) and not values[-1].strip():
                values.pop()
            if len(values) != len(header):
                ragged[len(rows)] = len(values)
            rows.append((values + [""] * len(header))[: len(header)])
            numbers.append(reader.line_num)
    except csv.Error as error:
        raise InputError(
            "{file}, row {row}: the row cannot be read as CSV", file=name, row=reader.line_num
        ) from error
    if not rows:
        raise InputError("{file}: there are no rows below the header", file=name)
    repeated = sorted({item for item in header if item and header.count(item) > 1})
    if repeated:
        raise InputError(
            "{file}: the column {column} is there twice", file=name, column=repeated[0]
        )
    header = [item or f"column_{index + 1}" for index, item in enumerate(header)]
    frame = pd.DataFrame(rows, columns=header, index=pd.Index(numbers, name="row"), dtype=object)
    if delimiter != ",":
        frame = frame.map(
            lambda value: value.replace(",", ".") if _DECIMAL_COMMA.fullmatch(value) else value
        )
    return frame, ragged


def _columns(table: pd.DataFrame, mapping: Mapping[str, str], name: str) -> dict[str, str]:
    """Return our column -> the file's."""
    lower = {str(column).lower(): str(column) for column in table.columns}
    found: dict[str, str] = {}
    for key, names in NAMES.items():
        if key in mapping:
            if mapping[key] not in table.columns:
                raise InputError(
                    "{file}: there is no column {column} (found {found})",
                    file=name,
                    column=mapping[key],
                    found=", ".join(map(str, table.columns)),
                )
            found[key] = mapping[key]
            continue
        present = next((lower[item] for item in names if item in lower), None)
        if present is not None:
            found[key] = present
    pair = ("lat", "lon") if {"lat", "lon"} <= set(found) else ("x_m", "y_m")
    if not set(pair) <= set(found):
        pair = ("lat", "lon")
    for key in (*pair, "level_dbm", "cell_id"):
        if key not in found:
            raise InputError(
                "{file}: the column {column} is missing (found {found}; expected lat and lon or "
                "x_m and y_m, level_dbm, cell_id)",
                file=name,
                column=key,
                found=", ".join(map(str, table.columns[:12])),
            )
    if pair == ("x_m", "y_m"):
        found.pop("lat", None)
    return found
