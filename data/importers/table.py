"""Read tables and layers from files, by what is in them, not by their name.

Text (CSV with comma, semicolon, tab or bar; Unicode or older Vietnamese
encodings), workbooks, GeoPackage, GeoJSON, FlatGeobuf, KML, Shapefile, MapInfo
and GPX are told apart by their first bytes, in archives by what is in them.
Whatever else comes in is refused with one sentence, before much of it is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pyproj.exceptions
import shapely

from data import geometry, schema
from data.errors import InputError, Message, Problem, ValidationError, message
from data.faults import shown
from data.importers import archive, excel_table, kml, rows, text_table, vector_file
from data.importers.header import WKT_NAMES, Wanted
from data.importers.numbers import Sign
from data.importers.source_file import SAMPLE, SourceFile, not_a_table
from data.interchange import WGS84

Kind = Literal[
    "text",
    "excel",
    "geopackage",
    "geojson",
    "flatgeobuf",
    "kml",
    "gpx",
    "shapefile",
    "dbf",
    "mapinfo",
]

MAX_BYTES = 500_000_000
"""Largest file that is looked at."""

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


_INSIDE = (".csv", ".tsv", ".xlsx", ".xls", ".gpkg", ".geojson", ".json", ".fgb", ".gpx")
"""Files that are taken out of an archive that holds nothing else of the kind."""


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
        Rows that do not have the shape of the table, numbers that mean two
        things, places that are none; and notes (warnings) on what was taken for
        what.
    header_row
        Row that the names of the columns are from; None where a file has names
        without such a row.
    decimal
        Decimal sign that the form of the file tells, for `numbers.read_numbers`.
    """

    frame: pd.DataFrame
    file: str
    kind: Kind
    sha256: str
    problems: list[Problem] = field(default_factory=list)
    header_row: int | None = None
    decimal: Sign | None = None


def read_table(
    source: Path | bytes,
    layer: str | schema.Layer,
    *,
    file_name: str | None = None,
    sheet: str | None = None,
    table: str | None = None,
    crs: str | None = None,
) -> pd.DataFrame:
    """Read the rows that a file has for a layer, as they stand there.

    Parameters
    ----------
    source
        File, or its content.
    layer
        Layer that they are for, or the declaration of a table that is none; its column
        names choose among sheets, rows and delimiters.
    file_name
        Name to show, where `source` is content.
    sheet
        Sheet of a workbook, where it has several.
    table
        Layer of a GeoPackage or an archive, where it has several.
    crs
        CRS of geometry that does not say its own.

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
        If rows have more values than the table has columns, or numbers or
        places that cannot be read.
    """
    found = read(source, layer, file_name=file_name, sheet=sheet, table=table, crs=crs)
    errors = [problem for problem in found.problems if problem.severity == "error"]
    if errors:
        raise ValidationError(errors)
    return found.frame


def read(
    source: Path | bytes,
    layer: str | schema.Layer,
    *,
    file_name: str | None = None,
    sheet: str | None = None,
    table: str | None = None,
    mapping: Mapping[str, str] | None = None,
    crs: str | None = None,
    any_header: bool = False,
) -> Table:
    """Read a file like `read_table`, with all that is known about it.

    Parameters
    ----------
    source, layer, file_name, sheet, table, crs
        See `read_table`.
    mapping
        The file's name of a column to the layer's, where they differ.
    any_header
        Whether to take a file of which no column is known.

    Returns
    -------
    Table
        Rows, hash, and problems with the shape of rows.
    """
    declared = layer if isinstance(layer, schema.Layer) else schema.layer_named(layer)
    name = file_name or (source.name if isinstance(source, Path) else "upload")
    wanted = Wanted(declared, name, dict(mapping or {}), any_header)
    file = SourceFile(source, name)
    with file.readable():
        file.check_size(MAX_BYTES)
        sample, sha256 = file.sample()
        found, kind = _read(file, sample, wanted, _Choice(sheet, table, crs))
    if not len(found.frame) and not found.problems:
        raise InputError("{file} has no rows", file=name)
    frame = _with_shapes(found, wanted, crs)
    return Table(
        _named(frame, declared), name, kind, sha256, found.problems, found.header_row, found.decimal
    )


@dataclass(frozen=True)
class _Choice:
    sheet: str | None
    table: str | None
    crs: str | None
    inside: bool = False


def _read(
    file: SourceFile, sample: bytes, wanted: Wanted, choice: _Choice
) -> tuple[rows.Rows, Kind]:
    """Read a file of any kind, by its first bytes."""
    if sample.startswith(b"SQLite format 3\0"):
        return vector_file.read_geopackage(file, wanted, choice.table), "geopackage"
    if sample.startswith(b"PK\x03\x04"):
        return _read_archive(file, wanted, choice)
    if sample.startswith(b"\xd0\xcf\x11\xe0"):
        return excel_table.read(file, None, wanted, choice.sheet), "excel"
    if sample.startswith(b"fgb"):
        return vector_file.read_flatgeobuf(file, wanted), "flatgeobuf"
    if sample.startswith(b"\0\0\x27\x0a"):
        return _vector(vector_file.read_single(file, wanted, choice.crs, table=False))
    if vector_file.is_dbase(sample):
        return _vector(vector_file.read_single(file, wanted, choice.crs, table=True))
    for start, what in _FOREIGN:
        if sample.startswith(start):
            raise not_a_table(wanted.name, what)
    return _read_text(file, sample, wanted, choice)


def _vector(found: tuple[rows.Rows, str]) -> tuple[rows.Rows, Kind]:
    kinds: dict[str, Kind] = {"shapefile": "shapefile", "dbf": "dbf", "mapinfo": "mapinfo"}
    return found[0], kinds[found[1]]


def _read_archive(file: SourceFile, wanted: Wanted, choice: _Choice) -> tuple[rows.Rows, Kind]:
    with archive.opened(file) as opened:
        if excel_table.is_workbook(opened):
            return excel_table.read(file, opened, wanted, choice.sheet), "excel"
        if opened.with_suffix(".kml"):
            return kml.read(file, opened, wanted, choice.table), "kml"
        if vector_file.has_layers(opened):
            return _vector(vector_file.read_archive(opened, wanted, choice.table, choice.crs))
        names = opened.with_suffix(*_INSIDE)
        if choice.inside or not names:
            raise archive.nothing_inside(wanted.name)
        groups = {inner: [inner] for inner in names}
        table = choice.table if choice.table in groups else None
        content = opened.read(archive.chosen(groups, opened, table, wanted.layer.name)[0])
    inner_file = SourceFile(content, wanted.name)
    inner_file.check_size(MAX_BYTES)
    return _read(
        inner_file,
        content[:SAMPLE],
        wanted,
        _Choice(choice.sheet, choice.table if table is None else None, choice.crs, True),
    )


def _read_text(
    file: SourceFile, sample: bytes, wanted: Wanted, choice: _Choice
) -> tuple[rows.Rows, Kind]:
    """Read a file that is text; tell its kind by how it starts."""
    encoding = text_table.encoding_of(sample, wanted.name)
    whole: str | None = None
    old: str | None = None
    try:
        text = text_table.decoded(sample, encoding, wanted.name)
    except UnicodeDecodeError as error:
        whole, old = _legacy(file, wanted, error)
        text = whole[:SAMPLE]
    head = text.lstrip("\ufeff \t\r\n")
    if re.match(r"(<!doctype\s+html|<html)", head, re.IGNORECASE):
        raise not_a_table(wanted.name, message("a web page"))
    if head.startswith("<"):
        if re.search(r"<([\w.-]+:)?kml[\s>]", head):
            return kml.read(file, None, wanted, choice.table), "kml"
        if re.search(r"<gpx[\s>]", head):
            return vector_file.read_gpx(file, wanted, choice.table), "gpx"
        raise not_a_table(wanted.name, message("an XML document"))
    if head.startswith(("{", "[")):
        return vector_file.read_geojson(file, wanted), "geojson"
    if not head:
        raise InputError("{file} is empty", file=wanted.name)
    if "\n" not in text and "\r" not in text and len(sample) == SAMPLE:
        raise not_a_table(wanted.name, message("text without lines"))
    try:
        found = text_table.read(file, wanted, encoding, whole)
    except text_table.NotUnicodeError as error:
        # The first bytes were plain; the encoding shows only further down.
        whole, old = _legacy(file, wanted, error.cause)
        found = text_table.read(file, wanted, encoding, whole)
    if old is not None:
        found.problems.append(vector_file.encoding_note(wanted, old))
    return found, "text"


def _legacy(file: SourceFile, wanted: Wanted, error: UnicodeDecodeError) -> tuple[str, str]:
    found = text_table.legacy_text(file)
    if found is None or text_table.is_binary(found[0][:SAMPLE]):
        raise text_table.not_unicode(wanted.name, error) from error
    return found


def _with_shapes(found: rows.Rows, wanted: Wanted, crs: str | None) -> pd.DataFrame:
    """Make geometry of the column of a table that holds it as text (WKT)."""
    frame = found.frame
    if wanted.layer.geometry is None or isinstance(frame, gpd.GeoDataFrame):
        return frame
    lower = {str(name).strip().lower(): name for name in frame.columns}
    if wanted.layer.geometry == "Point" and any(n in lower for n in geometry.LONGITUDE_NAMES):
        return frame
    first = next((lower[name] for name in WKT_NAMES if name in lower), None)
    if first is None or frame.columns.duplicated().any():
        return frame
    more = [
        name
        for key, name in lower.items()
        if re.fullmatch(re.escape(str(first).lower()) + r"_\d+", key)
    ]
    more.sort(key=lambda name: int(str(name).rsplit("_", 1)[1]))
    parts = frame[[first, *more]].to_numpy(dtype=object)
    texts = [
        "".join(str(part) for part in row if part is not None and part == part) for row in parts
    ]
    shapes, code = _shapes(texts, found, wanted, str(first))
    system = crs if code is None else f"EPSG:{code}"
    if system is None and _in_degrees(shapes):
        system = WGS84
    try:
        column = gpd.GeoSeries(shapes, index=frame.index, crs=system)
    except pyproj.exceptions.CRSError as error:
        raise InputError(
            "There is no coordinate reference system {crs}; expected e.g. EPSG:4326", crs=system
        ) from error
    return gpd.GeoDataFrame(frame.drop(columns=[first, *more]), geometry=column)


def _shapes(
    texts: list[str], found: rows.Rows, wanted: Wanted, column: str
) -> tuple[np.ndarray[Any, Any], int | None]:
    """Return the geometry that texts say, and the number of their CRS if they say one."""
    codes: dict[int, int] = {}
    plain = []
    for text in texts:
        said = re.match(r"\s*SRID\s*=\s*(\d{1,6})\s*;", text, re.IGNORECASE)
        number = int(said[1]) if said else 0
        codes[number] = codes.get(number, 0) + bool(text)
        plain.append(text[said.end() :] if said else text)
    used = [number for number, count in codes.items() if count]
    code = used[0] if len(used) == 1 and used[0] else None
    shapes = shapely.from_wkt(np.array(plain, dtype=object), on_invalid="ignore")
    if len(used) > 1:
        shapes[:] = None
        found.problems.append(
            Problem(
                wanted.layer.name,
                None,
                column,
                message("rows are in different coordinate reference systems"),
                message("expected one for all rows"),
                wanted.name,
            )
        )
        return shapes, None
    found.problems += [
        Problem(
            wanted.layer.name,
            int(found.frame.index[row]),
            column,
            shown(texts[row]),
            message("expected geometry as text (WKT)"),
            wanted.name,
        )
        for row in np.flatnonzero(shapely.is_missing(shapes)).tolist()
        if texts[row]
    ]
    return shapes, code


def _in_degrees(shapes: np.ndarray[Any, Any]) -> bool:
    box = shapely.total_bounds(shapes)
    return bool(
        np.isfinite(box).all()
        and np.abs(box[[0, 2]]).max() <= 180
        and np.abs(box[[1, 3]]).max() <= 90
    )


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
