"""Write a report as a workbook: one sheet a table, numbers as numbers."""

from __future__ import annotations

import datetime as dt
import io
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from data.errors import message
from planning.reports import files
from planning.reports.language import Language, clean
from planning.reports.model import Column, Document, Number, Table, Value

_HEADER = PatternFill("solid", fgColor="0B6280")
_TOTAL = PatternFill("solid", fgColor="E3EEF2")
_WARN = PatternFill("solid", fgColor="FDF0D5")
_LINE = Border(top=Side(style="thin", color="0B6280"))

#: Most characters of a cell.
_MOST_TEXT = 32_767

_FORBIDDEN = re.compile(r"[\[\]:*?/\\']")


def write(document: Document, language: Language, path: Path) -> None:
    """Write a workbook.

    Parameters
    ----------
    document
        The report.
    language
        Language of headings and texts.
    path
        File to make. Text in it never runs as a formula.
    """
    book = Workbook()
    for sheet in book.worksheets:
        book.remove(sheet)
    title = language.say(document.title)
    book.properties.title = title
    book.properties.creator = "Phủ Sóng"
    book.properties.language = language.tag
    contents = book.create_sheet(_named(language.say(message("Contents")), set()))
    names: set[str] = {contents.title}
    captions = files.captions(document, language)
    links = []
    for number, table in enumerate(document.tables(), start=1):
        name = _named(f"{number} {language.say(table.title)}", names)
        names.add(name)
        _fill(book.create_sheet(name), table, language)
        note = "" if table.note is None else language.say(table.note)
        links.append((captions[table.key], name, note))
    _contents(contents, document, language, links)
    written = io.BytesIO()
    book.save(written)
    path.write_bytes(files.same_bytes(written.getvalue(), files.moment(document)))


def _named(text: str, taken: set[str]) -> str:
    """Return a name that a sheet may have and no other sheet has."""
    name = _FORBIDDEN.sub(" ", text)[:31].strip() or "–"
    if name not in taken:
        return name
    return next(other for k in range(2, 1000) if (other := f"{name[:27]} {k}") not in taken)


def _contents(
    sheet: Worksheet, document: Document, language: Language, links: list[tuple[str, str, str]]
) -> None:
    lines = [language.say(document.title), *(language.say(line) for line in document.subtitle)]
    for row, text in enumerate(lines, start=1):
        _put(sheet.cell(row, 1), text)
    sheet.cell(1, 1).font = Font(bold=True, size=14, color="0B6280")
    row = len(lines) + 1
    if document.banner is not None:
        _put(sheet.cell(row, 1), language.say(document.banner))
        sheet.cell(row, 1).fill = _WARN
        sheet.cell(row, 1).alignment = Alignment(wrap_text=True, vertical="top")
        sheet.row_dimensions[row].height = 48
        row += 1
    row += 1
    for caption, name, note in links:
        cell = sheet.cell(row, 1)
        _put(cell, caption)
        cell.hyperlink = f"#'{name}'!A1"
        cell.font = Font(color="0B6280", underline="single")
        _put(sheet.cell(row, 2), note)
        sheet.cell(row, 2).alignment = Alignment(wrap_text=True, vertical="top")
        row += 1
    sheet.column_dimensions["A"].width = 80
    sheet.column_dimensions["B"].width = 90
    sheet.sheet_view.showGridLines = False


def _flat(column: Column, language: Language) -> Iterator[tuple[str, str | None]]:
    """Yield heading and number format of the columns that a column becomes."""
    title = language.say(column.title)
    share = f"0.{'0' * column.digits}%" if column.digits else "0%"
    if column.kind == "estimate":
        yield title, share
        yield language.say(message("{figure}, interval from", figure=column.title)), share
        yield language.say(message("{figure}, interval to", figure=column.title)), share
    elif column.kind == "share":
        yield title, share
    elif column.kind == "number":
        yield title, f"#,##0.{'0' * column.digits}" if column.digits else "#,##0"
    elif column.kind == "day":
        yield title, "dd/mm/yyyy" if language.code == "vi" else "d mmm yyyy"
    else:
        yield title, None


def _values(column: Column, value: Value, language: Language) -> list[Any]:
    if column.kind == "estimate":
        return list(value) if isinstance(value, tuple) else [value, None, None]
    if column.kind == "day" and isinstance(value, str):
        try:
            return [dt.date.fromisoformat(value[:10])]
        except ValueError:
            return [clean(value)]
    if value is None or isinstance(value, (int, float, Number, tuple)):
        return [value]
    return [language.name(value)]


def _fill(sheet: Worksheet, table: Table, language: Language) -> None:
    position = 1
    for column in table.columns:
        for text, _ in _flat(column, language):
            head = sheet.cell(1, position)
            _put(head, text)
            head.font = Font(bold=True, color="FFFFFF")
            head.fill = _HEADER
            head.alignment = Alignment(wrap_text=True, vertical="center")
            width = 11.0 * min(column.width, 3.0) if column.kind == "text" else 13.0
            sheet.column_dimensions[get_column_letter(position)].width = max(10.0, width * 1.25)
            position += 1
    forms = [form for column in table.columns for _, form in _flat(column, language)]
    for number, row in enumerate(table.rows, start=2):
        values = [
            each
            for column, value in zip(table.columns, row, strict=True)
            for each in _values(column, value, language)
        ]
        last = number > len(table.rows) + 1 - table.totals
        for place, (value, form) in enumerate(zip(values, forms, strict=True), start=1):
            cell = sheet.cell(number, place)
            if isinstance(value, Number):
                form = f"#,##0.{'0' * value.digits}" if value.digits else "#,##0"
                value = value.value
            _put(cell, value)
            if form is not None and not isinstance(value, str):
                cell.number_format = form
            if last:
                cell.font = Font(bold=True)
                cell.fill = _TOTAL
                cell.border = _LINE
    sheet.row_dimensions[1].height = 45
    sheet.freeze_panes = "B2"
    rows = len(table.rows) + 1 - table.totals
    sheet.auto_filter.ref = f"A1:{get_column_letter(position - 1)}{max(rows, 2)}"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.print_title_rows = "1:1"
    if sheet.oddFooter is not None:
        sheet.oddFooter.center.text = "&P/&N"


def _put(cell: Any, value: Any) -> None:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return
    if isinstance(value, str):
        text = clean(value)[:_MOST_TEXT]
        if not text:
            return
        cell.value = text
        # A text that begins like a formula stays a text.
        cell.data_type = "s"
        cell.quotePrefix = text.startswith(tuple("=+-@\t\r'"))
        return
    cell.value = value
