"""Read tables and layers from files, by what is in them, not by their name.

Text (CSV with comma, semicolon or tab; UTF-8 or UTF-16), Excel workbooks
(.xlsx), GeoPackages and GeoJSON are told apart by their first bytes. Whatever
else comes in is refused with one sentence, before much of it is read.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import itertools
import re
import shutil
import tempfile
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyogrio.errors

from data import geometry, schema
from data.errors import InputError, Message, Problem, ValidationError, message
from data.faults import shown

Kind = Literal["text", "excel", "geopackage", "geojson"]

MAX_BYTES = 500_000_000
"""Largest file that is looked at."""

MAX_UNPACKED_BYTES = 800_000_000
"""Most that an Excel workbook may unpack to; small files can hide endless ones."""

MAX_ROWS = 500_000
MAX_COLUMNS = 300

_SAMPLE = 65_536
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+\s*")

_FOREIGN: tuple[tuple[bytes, Message], ...] = (
    (b"%PDF", message("a PDF document")),
    (b"\x89PNG", message("a picture")),
    (b"\xff\xd8\xff", message("a picture")),
    (b"GIF8", message("a picture")),
    (b"II*\0", message("a TIFF raster")),
    (b"MM\0*", message("a TIFF raster")),
    (b"\x1f\x8b", message("a compressed (gzip) file")),
    (b"7z\xbc\xaf", message("a compressed (7z) file")),
    (b"Rar!", message("a compressed (rar) file")),
    (b"\x7fELF", message("a program")),
    (b"MZ", message("a program")),
)


@dataclass(frozen=True, eq=False)
class Table:
    """What a file holds.

    Parameters
    ----------
    frame
        The rows; the index, named ``"row"``, is the number that users see.
    file
        File name.
    kind
        Kind of file.
    sha256
        Hash of the file.
    problems
        Rows that do not have the shape of the table.
    """

    frame: pd.DataFrame
    file: str
    kind: Kind
    sha256: str
    problems: list[Problem] = field(default_factory=list)


def read_table(
    source: Path | bytes,
    layer: str,
    *,
    file_name: str | None = None,
    sheet: str | None = None,
    table: str | None = None,
) -> pd.DataFrame:
    """Read the rows that a file has for a layer, as they stand there.

    Parameters
    ----------
    source
        File, or its content.
    layer
        Layer that they are for; its column names choose among sheets and
        delimiters.
    file_name
        Name to show, where `source` is content.
    sheet
        Sheet of an Excel workbook, where it has several.
    table
        Layer of a GeoPackage, where it has several.

    Returns
    -------
    DataFrame or GeoDataFrame
        The index, named ``"row"``, is the row number that users see. Values
        are not checked; see `data.schema.examine`.

    Raises
    ------
    InputError
        If the file is not readable as what it is, or has no rows.
    ValidationError
        If rows have more values than the table has columns.
    """
    found = read(source, layer, file_name=file_name, sheet=sheet, table=table)
    if found.problems:
        raise ValidationError(found.problems)
    return found.frame


def read(
    source: Path | bytes,
    layer: str,
    *,
    file_name: str | None = None,
    sheet: str | None = None,
    table: str | None = None,
    mapping: Mapping[str, str] | None = None,
) -> Table:
    """Read a file like `read_table`, with all that is known about it.

    Parameters
    ----------
    source, layer, file_name, sheet, table
        See `read_table`.
    mapping
        The file's name of a column to the layer's, where they differ.

    Returns
    -------
    Table
        Rows, hash, and problems with the shape of rows.
    """
    declared = schema.layer_named(layer)
    name = file_name or (source.name if isinstance(source, Path) else "upload")
    with _readable(source, name):
        _check_size(source, name)
        with _stream(source) as stream:
            sample = stream.read(_SAMPLE)
            sha256 = _sha256(sample, stream)
        kind, encoding = _kind(sample, source, name)
        if kind == "text":
            frame, problems = _read_text(source, declared, name, encoding, mapping or {})
        elif kind == "excel":
            frame, problems = _read_excel(source, declared, name, sheet, mapping or {})
        elif kind == "geopackage":
            frame, problems = _read_geopackage(source, declared, name, table), []
        else:
            frame, problems = _read_geojson(source, name), []
    if kind in ("geopackage", "geojson"):
        frame.columns = _mapped(
            [str(column) for column in frame.columns], mapping or {}, declared, name
        )
    if not len(frame) and not problems:
        raise InputError("{file} has no rows", file=name)
    return Table(_named(frame, declared), name, kind, sha256, problems)


def _check_size(source: Path | bytes, name: str) -> None:
    if isinstance(source, Path) and not source.exists():
        raise InputError("There is no file {file}", file=source)
    if isinstance(source, Path) and not source.is_file():
        raise InputError("{file} is not a file", file=source)
    size = source.stat().st_size if isinstance(source, Path) else len(source)
    if size == 0:
        raise InputError("{file} is empty", file=name)
    if size > MAX_BYTES:
        raise InputError(
            "{file} has {size} MB; the most is {limit} MB",
            file=name,
            size=round(size / 1e6),
            limit=round(MAX_BYTES / 1e6),
        )


@contextmanager
def _readable(source: Path | bytes, name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            "{file} cannot be read: {reason}", file=name, reason=error.strerror or str(error)
        ) from error


@contextmanager
def _stream(source: Path | bytes) -> Iterator[IO[bytes]]:
    with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as stream:
        yield stream


def _sha256(sample: bytes, rest: IO[bytes]) -> str:
    digest = hashlib.sha256(sample)
    while block := rest.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def _kind(sample: bytes, source: Path | bytes, name: str) -> tuple[Kind, str]:
    """Tell the kind of a file and, for text, its encoding, from its first bytes."""
    if sample.startswith(b"SQLite format 3\0"):
        return "geopackage", ""
    if sample.startswith(b"PK\x03\x04"):
        return "excel", ""
    if sample.startswith(b"\xd0\xcf\x11\xe0"):
        raise InputError(
            "{file} is an old Excel file (.xls) or has a password; save it as .xlsx without "
            "password, or as CSV",
            file=name,
        )
    for start, what in _FOREIGN:
        if sample.startswith(start):
            raise _not_a_table(name, what)
    encoding = _encoding(sample, name)
    text = _decoded(sample, encoding, name)
    head = text.lstrip("\ufeff \t\r\n")
    if re.match(r"(<!doctype\s+html|<html)", head, re.IGNORECASE):
        raise _not_a_table(name, message("a web page"))
    if head.startswith("<"):
        raise _not_a_table(name, message("an XML document"))
    if head.startswith(("{", "[")):
        return "geojson", ""
    if not head:
        raise InputError("{file} is empty", file=name)
    if "\n" not in text and "\r" not in text and len(sample) == _SAMPLE:
        raise _not_a_table(name, message("text without lines"))
    return "text", encoding


def _not_a_table(name: str, what: Message) -> InputError:
    return InputError(
        "{file} is {what}; expected a table: CSV, Excel (.xlsx), GeoPackage or GeoJSON",
        file=name,
        what=what,
    )


def _encoding(sample: bytes, name: str) -> str:
    if sample.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    zeros = np.frombuffer(sample, np.uint8) == 0
    if zeros.any():
        # UTF-16 without a mark: every other byte of plain characters is zero.
        even, odd = zeros[::2].mean(), zeros[1::2].mean()
        if max(even, odd) > 0.3 and min(even, odd) < 0.01:
            return "utf-16-le" if odd > even else "utf-16-be"
        raise _not_a_table(name, message("a binary file of unknown kind"))
    return "utf-8"


def _decoded(sample: bytes, encoding: str, name: str) -> str:
    """Return the sample as text; refuse what is none."""
    try:
        # The sample may end within a character.
        text = codecs.getincrementaldecoder(encoding)("strict").decode(sample, final=False)
    except UnicodeDecodeError as error:
        raise _not_utf8(name, error) from error
    if _CONTROL.search(text):
        raise _not_a_table(name, message("a binary file of unknown kind"))
    return text


def _not_utf8(name: str, error: UnicodeDecodeError) -> InputError:
    return InputError(
        "{file} is not text in UTF-8 or UTF-16 (byte {byte} at position {position}); expected a "
        "table: CSV saved as UTF-8, Excel (.xlsx), GeoPackage or GeoJSON",
        file=name,
        byte=f"0x{error.object[error.start]:02x}",
        position=error.start,
    )


def _read_text(
    source: Path | bytes,
    layer: schema.Layer,
    name: str,
    encoding: str,
    mapping: Mapping[str, str],
) -> tuple[pd.DataFrame, list[Problem]]:
    with (
        _stream(source) as stream,
        io.TextIOWrapper(stream, encoding=encoding, newline="") as text,
    ):
        try:
            line = _first_line(text, name)
            delimiter = _delimiter(line, layer)
            text.seek(0)
            frame, problems = _table(_numbered(text, delimiter, name), layer, name, mapping)
        except UnicodeDecodeError as error:
            raise _not_utf8(name, error) from error
    if delimiter == ";":
        numbers = {
            column
            for column, declaration in layer.table.columns.items()
            if (declaration.metadata or {})["kind"] in ("number", "whole")
        }
        places = {*geometry.LONGITUDE_NAMES, *geometry.LATITUDE_NAMES, "x", "y"}
        for position, column in enumerate(frame.columns):
            if str(column).strip().lower() in numbers | places:
                pointed = frame.iloc[:, position].map(_with_point, na_action="ignore")
                frame.isetitem(position, pointed.to_numpy(dtype=object))
    return frame, problems


def _numbered(text: IO[str], delimiter: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows with their number, which counts blank ones as spreadsheets do."""
    number = 0
    try:
        for row in csv.reader(text, delimiter=delimiter, strict=True):
            number += 1
            yield number, row
    except csv.Error as error:
        raise InputError(
            "{file}, row {row}: the line cannot be split into values ({reason}); expected values "
            "separated by {delimiter}, and every quotation mark closed",
            file=name,
            row=number + 1,
            reason=str(error),
            delimiter={",": "commas", ";": "semicolons"}.get(delimiter, "tabs"),
        ) from error


def _first_line(text: IO[str], name: str) -> str:
    for line in text:
        if line.strip("\ufeff \t\r\n,;"):
            if len(line) > _SAMPLE:
                raise _not_a_table(name, message("text without lines"))
            return line
    raise InputError("{file} is empty", file=name)


def _delimiter(line: str, layer: schema.Layer) -> str:
    """Return the delimiter that finds most of the layer's columns in the header."""
    known = {*layer.columns, *geometry.LONGITUDE_NAMES, *geometry.LATITUDE_NAMES}

    def score(delimiter: str) -> tuple[int, int]:
        names = next(csv.reader([line], delimiter=delimiter), [])
        plain = [part.strip("\ufeff \r\n").lower() for part in names]
        return sum(part in known for part in plain), len(names)

    return max((",", ";", "\t"), key=score)


def _with_point(value: str) -> str:
    return value.replace(",", ".") if _DECIMAL_COMMA.fullmatch(value) else value


def _table(
    rows: Iterable[tuple[int, Iterable[Any]]],
    layer: schema.Layer,
    name: str,
    mapping: Mapping[str, str],
) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the table under the first row that is not empty, and rows that are too long."""
    header: list[str] = []
    numbers: list[int] = []
    values: list[list[Any]] = []
    problems: list[Problem] = []
    for number, cells in rows:
        row = list(cells)
        while row and (row[-1] is None or row[-1] == "" or str(row[-1]).isspace()):
            row.pop()
        if len(row) > MAX_COLUMNS:
            raise InputError(
                "{file}, row {row}: the row has {count} columns; the most is {limit}",
                file=name,
                row=number,
                count=len(row),
                limit=MAX_COLUMNS,
            )
        if number > MAX_ROWS:
            raise InputError("{file} has more than {limit} rows", file=name, limit=MAX_ROWS)
        if not any(cell is not None and str(cell).strip() for cell in row):
            continue
        if not header:
            header = [str("" if cell is None else cell).strip("\ufeff \t\r\n") for cell in row]
            header = _mapped(header, mapping, layer, name)
            _check_header(header, layer, name)
            continue
        if len(row) > len(header):
            problems.append(
                Problem(
                    layer.name,
                    number,
                    None,
                    message("the row has {count} values", count=len(row)),
                    message("expected {count}, one for each column", count=len(header)),
                    name,
                )
            )
            row = row[: len(header)]
        row += [None] * (len(header) - len(row))
        numbers.append(number)
        values.append(row)
    index = pd.Index(numbers, name="row", dtype="int64")
    columns = [
        pd.Series(column, index=index, dtype=object)
        for column in (zip(*values, strict=True) if values else [[] for _ in header])
    ]
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=index)
    frame.columns = pd.Index(header, dtype=object)
    # A column without a name and without values is the edge of the sheet.
    keep = [bool(column) or bool(frame.iloc[:, i].notna().any()) for i, column in enumerate(header)]
    frame = frame.loc[:, keep]
    frame.columns = pd.Index(
        [column or f"column_{i + 1}" for i, column in enumerate(header) if keep[i]], dtype=object
    )
    return frame, problems


def _mapped(
    header: list[str], mapping: Mapping[str, str], layer: schema.Layer, name: str
) -> list[str]:
    """Give columns the names that a mapping says."""
    for theirs, ours in mapping.items():
        if theirs not in header:
            raise InputError(
                "{file} has no column {column}, which the mapping names (found {found})",
                file=name,
                column=theirs,
                found=", ".join(str(shown(column)) for column in header[:20]),
            )
        if ours not in {*layer.columns, *geometry.LONGITUDE_NAMES, *geometry.LATITUDE_NAMES}:
            raise InputError(
                "The mapping names {column}, which is not a column of {layer} (expected one of "
                "{expected})",
                column=ours,
                layer=layer.name,
                expected=", ".join(layer.columns),
            )
    return [mapping.get(column, column) for column in header]


def _check_header(header: list[str], layer: schema.Layer, name: str) -> None:
    """Refuse a file at once if nothing in its header is a column of the layer."""
    known = {*layer.columns, *geometry.LONGITUDE_NAMES, *geometry.LATITUDE_NAMES}
    if any(column.lower() in known for column in header):
        return
    if any(schema.near_name(column, header) for column in layer.columns):
        return
    raise InputError(
        "{file}: the first row has none of the columns of {layer}; found {found}; expected "
        "{expected}",
        file=name,
        layer=layer.name,
        found=", ".join(str(shown(column)) for column in header[:8]),
        expected=", ".join(layer.columns),
    )


_EXCEL_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    ET.ParseError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)
"""What openpyxl and zipfile raise on damaged workbooks."""


def _read_excel(
    source: Path | bytes,
    layer: schema.Layer,
    name: str,
    sheet: str | None,
    mapping: Mapping[str, str],
) -> tuple[pd.DataFrame, list[Problem]]:
    import openpyxl  # takes as long to load as all else here, and few files need it

    with _stream(source) as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                members = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise InputError(
                "{file} is damaged: it is a zip archive or Excel file that is cut off", file=name
            ) from error
        if not any(member.filename == "xl/workbook.xml" for member in members):
            raise _not_a_table(name, message("a zip archive that is no Excel workbook"))
        unpacked = sum(member.file_size for member in members)
        if unpacked > MAX_UNPACKED_BYTES:
            raise InputError(
                "{file} unpacks to {size} MB; the most is {limit} MB",
                file=name,
                size=round(unpacked / 1e6),
                limit=round(MAX_UNPACKED_BYTES / 1e6),
            )
        stream.seek(0)
        try:
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
            try:
                chosen = _sheet(book, layer, name, sheet)
                return _table(enumerate(_sheet_rows(chosen), start=1), layer, name, mapping)
            finally:
                book.close()
        except InputError:
            raise
        except _EXCEL_ERRORS as error:
            raise InputError("{file} is a damaged Excel workbook", file=name) from error


def _sheet_rows(sheet: Any) -> Iterator[tuple[Any, ...]]:
    # The stated size of a sheet may be wrong, or made up.
    sheet.reset_dimensions()
    rows: Iterator[tuple[Any, ...]] = sheet.iter_rows(values_only=True)
    return rows


def _sheet(book: Any, layer: schema.Layer, name: str, wanted: str | None) -> Any:
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    if wanted is not None:
        if wanted not in sheets:
            raise InputError(
                "{file} has no sheet {sheet}; it has {sheets}",
                file=name,
                sheet=wanted,
                sheets=", ".join(sheets),
            )
        return sheets[wanted]
    if not sheets:
        raise InputError("{file} has no sheet with rows", file=name)
    if len(sheets) == 1:
        return next(iter(sheets.values()))
    for title, sheet in sheets.items():
        if title.strip().lower() == layer.name:
            return sheet
    fitting = [sheet for sheet in sheets.values() if _has_key(sheet, layer)]
    if len(fitting) == 1:
        return fitting[0]
    raise InputError(
        "{file} has several sheets: {sheets}; say which one holds {layer}",
        file=name,
        sheets=", ".join(sheets),
        layer=layer.name,
    )


def _has_key(sheet: Any, layer: schema.Layer) -> bool:
    for row in itertools.islice(_sheet_rows(sheet), 20):
        names = {str(cell).strip().lower() for cell in row if cell is not None}
        if layer.key in names:
            return True
    return False


@contextmanager
def _pyogrio_errors(name: str, what: Message) -> Iterator[None]:
    try:
        yield
    except (
        pyogrio.errors.DataSourceError,
        pyogrio.errors.DataLayerError,
        pyogrio.errors.FeatureError,
        pyogrio.errors.FieldError,
        pyogrio.errors.GeometryError,
        pyogrio.errors.CRSError,
        ValueError,
        TypeError,
    ) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("{file} is damaged or is not {what}", file=name, what=what) from error


def _read_geopackage(
    source: Path | bytes, layer: schema.Layer, name: str, wanted: str | None
) -> pd.DataFrame:
    with _named_gpkg(source) as path, _pyogrio_errors(name, message("a GeoPackage")):
        names = [str(row[0]) for row in pyogrio.list_layers(path)]
        if wanted is None:
            if layer.name in names:
                wanted = layer.name
            elif len(names) == 1:
                wanted = names[0]
        if wanted is None or wanted not in names:
            raise InputError(
                "{file} has the layers {layers}; say which one holds {layer}",
                file=name,
                layers=", ".join(names) or "-",
                layer=layer.name,
            )
        _check_count(pyogrio.read_info(path, layer=wanted), name)
        frame = pyogrio.read_dataframe(path, layer=wanted, fid_as_index=True)
    frame.index.name = "row"
    return frame


@contextmanager
def _named_gpkg(source: Path | bytes) -> Iterator[Path]:
    """Give a GeoPackage the name that GDAL goes by."""
    if isinstance(source, Path) and source.suffix.lower() == ".gpkg":
        yield source
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload.gpkg"
        if isinstance(source, Path):
            shutil.copyfile(source, path)
        else:
            path.write_bytes(source)
        yield path


def _read_geojson(source: Path | bytes, name: str) -> pd.DataFrame:
    content = source.read_bytes() if isinstance(source, Path) else source
    if b'"Feature' not in content[:1_000_000]:
        raise _not_a_table(name, message("JSON without geographic features"))
    with _pyogrio_errors(name, message("GeoJSON")):
        _check_count(pyogrio.read_info(content), name)
        frame = pyogrio.read_dataframe(content)
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="row")
    return frame


def _check_count(info: dict[str, Any], name: str) -> None:
    if info["features"] > MAX_ROWS:
        raise InputError("{file} has more than {limit} rows", file=name, limit=MAX_ROWS)


def _named(frame: pd.DataFrame, layer: schema.Layer) -> pd.DataFrame:
    """Give columns that differ from declared ones only in case their declared name."""
    declared = {column.lower(): column for column in layer.columns}
    names = {}
    active = frame.active_geometry_name if isinstance(frame, gpd.GeoDataFrame) else None
    for column in frame.columns:
        plain = str(column).strip().lower()
        if column != active and plain in declared and declared[plain] not in frame.columns:
            names[column] = declared[plain]
    return frame.rename(columns=names)
