"""A bill of quantities as an Excel workbook, formatted to be read and printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

_HEADER = PatternFill("solid", fgColor="0B6280")
_TOTAL = PatternFill("solid", fgColor="E3EEF2")
_LINE = Border(top=Side(style="thin", color="0B6280"))
_MONEY = "#,##0"
_LENGTH = "#,##0.0"

#: Column of the bill, its heading, width and number format.
_BILL = (
    ("item", "Item", 26, None),
    ("unit", "Unit", 8, None),
    ("quantity", "Quantity", 14, _LENGTH),
    ("unit_low", "Unit cost, low", 16, _MONEY),
    ("unit_typical", "Unit cost, typical", 16, _MONEY),
    ("unit_high", "Unit cost, high", 16, _MONEY),
    ("low", "Cost, low", 18, _MONEY),
    ("typical", "Cost, typical", 18, _MONEY),
    ("high", "Cost, high", 18, _MONEY),
    ("currency", "Currency", 10, None),
    ("verified", "Verified price", 14, None),
    ("source", "Source of the price", 60, None),
)

_SITES = (
    ("site_id", "Site", 18, None),
    ("name", "Name", 34, None),
    ("weight", "Weight", 12, _LENGTH),
    ("connected", "Connected", 12, None),
    ("reason", "Why not", 80, None),
    ("x_m", "East, m", 12, "0.0"),
    ("y_m", "North, m", 12, "0.0"),
)


def write(bill: pd.DataFrame, sites: gpd.GeoDataFrame, path: Path) -> None:
    """Write a workbook of two sheets: the bill with its sum, and the sites.

    Parameters
    ----------
    bill
        From `planning.cost.bill_of_quantities`.
    sites
        Sites of a design, with site_id, name, weight, connected and reason.
    path
        File to make. Text in it never runs as a formula; the sums are formulas.
    """
    book = Workbook()
    for sheet in book.worksheets:
        book.remove(sheet)
    sheet = book.create_sheet("Bill of quantities")
    _fill(sheet, bill, _BILL)
    _sum(sheet, bill)
    places = book.create_sheet("Sites")
    named = pd.DataFrame(sites.drop(columns=sites.geometry.name)).assign(
        x_m=sites.geometry.x.to_numpy(), y_m=sites.geometry.y.to_numpy()
    )
    _fill(places, named, _SITES)
    book.save(path)


def _fill(
    sheet: Worksheet, frame: pd.DataFrame, columns: Sequence[tuple[str, str, int, str | None]]
) -> None:
    for position, (name, title, width, form) in enumerate(columns, start=1):
        head = sheet.cell(1, position)
        head.value = title
        head.font = Font(bold=True, color="FFFFFF")
        head.fill = _HEADER
        head.alignment = Alignment(wrap_text=True, vertical="center")
        sheet.column_dimensions[get_column_letter(position)].width = width
        for row, value in enumerate(frame[name].tolist(), start=2):
            _put(sheet.cell(row, position), value, form)
    sheet.row_dimensions[1].height = 32
    sheet.freeze_panes = "B2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{max(len(frame), 1) + 1}"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.print_title_rows = "1:1"


def _put(cell: Any, value: object, form: str | None) -> None:
    if value is None or value is pd.NA or value != value:
        return
    if isinstance(value, str):
        cell.value = value
        cell.data_type = "s"
        cell.quotePrefix = value.startswith(tuple("=+-@\t\r'"))
    elif isinstance(value, bool):
        cell.value = "yes" if value else "no"
    else:
        cell.value = value
    if form is not None:
        cell.number_format = form


def _sum(sheet: Worksheet, bill: pd.DataFrame) -> None:
    last = len(bill) + 1
    for position, (name, _, _, form) in enumerate(_BILL, start=1):
        cell = sheet.cell(last + 1, position)
        cell.font = Font(bold=True)
        cell.fill = _TOTAL
        cell.border = _LINE
        if name == "item":
            cell.value = "Total"
        elif name in ("low", "typical", "high"):
            letter = get_column_letter(position)
            cell.value = f"=SUM({letter}2:{letter}{last})" if len(bill) else 0
            cell.number_format = str(form)
        elif name == "currency" and len(bill):
            _put(cell, str(bill["currency"].iloc[0]), None)
