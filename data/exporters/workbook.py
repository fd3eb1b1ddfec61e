"""Write Excel workbooks: numbers to the last digit, and no text that runs as a formula."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from data.errors import InputError, message
from data.exporters.sheet import Column, Sheet, Value

MAX_ROWS = 1_048_575
"""Most rows of a sheet below the header."""

MAX_TEXT = 32_767
"""Most characters of a cell."""

_HEADER, _TEXT, _QUOTED, _DATE = 1, 2, 3, 4
_EPOCH = dt.date(1899, 12, 30)
_FIRST_SAFE_DAY = dt.date(1900, 3, 1)
_SPECIAL = re.compile(r"_x[0-9A-Fa-f]{4}_")

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

_CONTENT_TYPES = (
    f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/>'
    "</Types>"
)
_ROOT = (
    f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/>'
    "</Relationships>"
)
_BOOK_RELATIONS = (
    f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_RELATIONS}/styles" Target="styles.xml"/>'
    "</Relationships>"
)
# Format 49 is text, 14 the date of the reader's country.
_STYLES = (
    f'{_XML}<styleSheet xmlns="{_MAIN}">'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="5">'
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" '
    'quotePrefix="1"/>'
    '<xf numFmtId="14" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)


def write(sheet: Sheet, path: Path) -> None:
    """Write an Excel workbook of one sheet.

    Parameters
    ----------
    sheet
        The layer.
    path
        File to make.

    Raises
    ------
    InputError
        If it has more rows than a sheet can.
    """
    if len(sheet.frame) > MAX_ROWS:
        raise InputError(
            "{layer} has {count} rows; an Excel sheet holds {limit}. Export CSV or a GeoPackage",
            layer=sheet.layer.name,
            count=len(sheet.frame),
            limit=MAX_ROWS,
        )
    columns = sheet.flat(MAX_TEXT)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        archive.writestr("[Content_Types].xml", _CONTENT_TYPES)
        archive.writestr("_rels/.rels", _ROOT)
        archive.writestr("xl/_rels/workbook.xml.rels", _BOOK_RELATIONS)
        archive.writestr("xl/styles.xml", _STYLES)
        archive.writestr(
            "xl/workbook.xml",
            f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>'
            f'<sheet name={quoteattr(sheet.layer.name)} sheetId="1" r:id="rId1"/>'
            "</sheets></workbook>",
        )
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part:
            for text in _sheet_xml(sheet, columns):
                part.write(text.encode("utf-8"))


def _sheet_xml(sheet: Sheet, columns: list[Column]) -> Iterator[str]:
    letters = [_letters(position) for position in range(len(columns))]
    yield (
        f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
        "</sheetView></sheetViews><sheetData>"
    )
    header = "".join(
        _text_cell(f"{letter}1", column.name, _HEADER)
        for letter, column in zip(letters, columns, strict=True)
    )
    yield f'<row r="1">{header}</row>'
    cut = dict.fromkeys((column.name for column in columns), 0)
    for number, row in enumerate(sheet.rows(columns), start=2):
        cells = []
        for letter, column, value in zip(letters, columns, row, strict=True):
            if value is None:
                continue
            if isinstance(value, str) and len(value) > MAX_TEXT:
                cut[column.name] += 1
                value = value[:MAX_TEXT]
            cells.append(_cell(f"{letter}{number}", value, column.kind))
        yield f'<row r="{number}">{"".join(cells)}</row>\n'
    yield "</sheetData></worksheet>"
    for name, count in cut.items():
        if count:
            sheet.notes.append(
                message(
                    "{count} texts of the column {column} were cut to {limit} characters",
                    count=count,
                    column=name,
                    limit=MAX_TEXT,
                )
            )


def _cell(place: str, value: Value, kind: str) -> str:
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, str):
        if kind == "date" and (day := _day(value)) is not None:
            return f'<c r="{place}" s="{_DATE}"><v>{day}</v></c>'
        style = _QUOTED if value[:1] in tuple("=+-@\t\r'") else _TEXT
        return _text_cell(place, value, style)
    return f'<c r="{place}"><v>{value!r}</v></c>'


def _text_cell(place: str, value: str, style: int) -> str:
    # Excel writes characters that XML changes as _x000D_, and so must text that looks like that.
    plain = _SPECIAL.sub(lambda found: "_x005F" + found.group(), value).replace("\r", "_x000D_")
    return (
        f'<c r="{place}" s="{style}" t="inlineStr"><is><t xml:space="preserve">'
        f"{escape(plain)}</t></is></c>"
    )


def _day(text: str) -> int | None:
    """Return Excel's number of a day; it counts a day in 1900 that never was."""
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return (day - _EPOCH).days if day >= _FIRST_SAFE_DAY else None


def _letters(position: int) -> str:
    letters = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
