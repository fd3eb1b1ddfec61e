"""Read files whose text is in an encoding that is stated, or typed in old fonts."""

from __future__ import annotations

import codecs
import dataclasses
import hashlib
from pathlib import Path

import geopandas as gpd
import pandas as pd

from data.errors import InputError, Problem, message
from data.importers import legacy_vietnamese as legacy
from data.importers import table as tables
from data.importers.text_forms import bare
from data.values import FLAG_WORDS

#: Names of encodings that a user may state, besides those that Python knows.
NAMES = {
    "tcvn3": legacy.TCVN3,
    "abc": legacy.TCVN3,
    "tcvn": legacy.TCVN_5712,
    "tcvn5712": legacy.TCVN_5712,
    "vni": legacy.VNI,
    "vni windows": legacy.VNI,
    "viscii": legacy.VISCII,
    "cp1258": legacy.WINDOWS_1258,
    "windows 1258": legacy.WINDOWS_1258,
}


def read(
    source: Path | bytes,
    layer: str,
    encoding: str | None,
    *,
    file_name: str | None = None,
    sheet: str | None = None,
    table: str | None = None,
    crs: str | None = None,
    any_header: bool = False,
) -> tuple[tables.Table, list[Problem]]:
    """Read a file with its text in Unicode.

    Parameters
    ----------
    source, layer, file_name, sheet, table, crs, any_header
        See `data.importers.table.read`.
    encoding
        One of `NAMES` or of Python's codecs; None to recognise it.

    Returns
    -------
    tuple of Table and list of Problem
        Rows, and notes on the columns that were converted.

    Raises
    ------
    InputError
        If the file cannot be read, or not in this encoding.
    """
    name = file_name or (source.name if isinstance(source, Path) else "upload")
    stated = None if encoding is None else _known(encoding)
    content = source
    original = None
    if stated is not None:
        raw = source.read_bytes() if isinstance(source, Path) and source.is_file() else source
        # Workbooks and databases are no text; what they hold may be in an old font.
        if isinstance(raw, bytes) and not raw.startswith((b"PK", b"SQLite", b"\xd0\xcf\x11\xe0")):
            original = hashlib.sha256(raw).hexdigest()
            content = _in_utf8(raw, stated, name)
    found = tables.read(
        content,
        layer,
        file_name=name,
        sheet=sheet,
        table=table,
        crs=crs,
        any_header=any_header,
    )
    if original is not None:
        return dataclasses.replace(found, sha256=original), []
    return _converted(found, layer, stated if stated in legacy.NAMES else None)


def _known(encoding: str) -> str:
    name = NAMES.get(bare(encoding)) or NAMES.get(bare(encoding).replace(" ", ""))
    if name is not None:
        return name
    try:
        return codecs.lookup(encoding).name
    except LookupError as error:
        raise InputError(
            "There is no encoding {encoding} (expected one such as {expected})",
            encoding=encoding,
            expected="utf-8, utf-16, tcvn3, vni, viscii, cp1258",
        ) from error


def _in_utf8(raw: bytes, encoding: str, name: str) -> bytes:
    if encoding in legacy.NAMES:
        return legacy.decoded_as(raw, encoding).encode()
    try:
        return raw.decode(encoding).encode()
    except (UnicodeError, ValueError) as error:
        raise InputError(
            "{file} is not text in {encoding}", file=name, encoding=encoding
        ) from error


def _converted(
    found: tables.Table, layer: str, stated: str | None
) -> tuple[tables.Table, list[Problem]]:
    """Bring names and texts to Unicode that were typed in an old font."""
    frame = found.frame
    active = frame.active_geometry_name if isinstance(frame, gpd.GeoDataFrame) else None
    header = [str(column) for column in frame.columns if column != active]
    texts = {}
    # Columns that are there twice are reported later.
    for column in frame.columns[~frame.columns.duplicated(keep=False)]:
        if column == active or not _may_hold_text(frame[column]):
            continue
        # "có" and "không" would be words in old fonts, too, which nobody means.
        marked = {
            value
            for value in frame[column]
            if isinstance(value, str)
            and not value.isascii()
            and value.strip().lower() not in FLAG_WORDS
        }
        if marked:
            texts[column] = marked
    in_header = {name for name in header if not name.isascii()}
    encodings = {column: _encoding(values, stated) for column, values in texts.items()}
    of_header = _encoding(in_header, stated)
    known = {each for each in (*encodings.values(), of_header) if each is not None}
    if not known:
        return found, []
    if len(known) == 1:
        # Where one column tells the font, short ones that do not are most likely in it as well.
        (usual,) = known
        pool = {value for values in texts.values() for value in values} | in_header
        if legacy.encoding_of(pool) == usual:
            encodings = dict.fromkeys(texts, usual)
            of_header = usual if in_header else None
    frame = frame.copy()
    notes = []
    for column, encoding in encodings.items():
        if encoding is None:
            continue
        done = {value: legacy.in_unicode(value, encoding) for value in texts[column]}
        frame[column] = frame[column].map(
            lambda value, done=done: done.get(value, value) if isinstance(value, str) else value
        )
        name = str(column)
        if of_header is not None and not name.isascii():
            name = legacy.in_unicode(name, of_header)
        notes.append(
            Problem(
                layer,
                None,
                name,
                message("the text is in the old Vietnamese encoding {name}", name=encoding),
                message("converted to Unicode"),
                found.file,
                "warning",
            )
        )
        if encoding == legacy.TCVN3 and any(map(legacy.in_capital_font, done)):
            notes.append(
                Problem(
                    layer,
                    None,
                    name,
                    message("words in capitals have small letters with marks"),
                    message("taken as a font of capitals; the letters were made capitals"),
                    found.file,
                    "warning",
                )
            )
    if of_header is not None:
        frame = frame.rename(
            columns={name: legacy.in_unicode(name, of_header) for name in in_header}
        )
    return dataclasses.replace(found, frame=frame), notes


def _may_hold_text(column: pd.Series) -> bool:
    return column.dtype == object or isinstance(column.dtype, pd.StringDtype)


def _encoding(values: set[str], stated: str | None) -> str | None:
    if not values:
        return None
    return stated or legacy.encoding_of(sorted(values))
