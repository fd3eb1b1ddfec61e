"""Workbooks as offices keep them: titles, merged cells, several sheets, formulas."""

from __future__ import annotations

import datetime as dt
import io
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

from data.errors import InputError, ValidationError
from data.importers import import_layer, read_table
from data.importers import table as tables
from tests.data import samples

HEADER = ["mast_id", "name", "height_m", "lon", "lat"]
ROWS = [["M1", "Cột 1", 42.5, 105.99, 20.45], ["M2", "Cột 2", 30, 106.0, 20.46]]


def book(*rows: list[Any], sheet: str = "Sheet1") -> openpyxl.Workbook:
    made = openpyxl.Workbook()
    assert made.active is not None
    made.active.title = sheet
    for row in rows:
        made.active.append(row)
    return made


def saved(made: openpyxl.Workbook) -> bytes:
    content = io.BytesIO()
    made.save(content)
    return content.getvalue()


def changed(content: bytes, part: str, old: bytes, new: bytes) -> bytes:
    """Return a workbook with other bytes in one of its parts."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            data = source.read(name)
            if name == part:
                assert old in data
                data = data.replace(old, new)
            target.writestr(name, data)
    return out.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


def test_title_rows_above_the_header() -> None:
    titles = [["SỞ THÔNG TIN VÀ TRUYỀN THÔNG"], [], ["Danh sách cột anten", None, "năm 2024"]]
    found = tables.read(saved(book(*titles, HEADER, *ROWS)), "masts")
    assert found.header_row == 4
    assert found.frame.index.tolist() == [5, 6]
    assert found.frame.columns.tolist() == HEADER
    assert [str(p) for p in found.problems] == [
        "upload: row 4 is taken for the names of the columns (the rows above it are left out)"
    ]


def test_merged_cells_have_their_value_everywhere() -> None:
    made = book(
        ["mast_id", "owner", "height_m", "Tọa độ", None, "Số người", None],
        [None, None, None, "lon", "lat", "nam", "nữ"],
        ["M1", "Viettel", 42.5, 105.99, 20.45, 1, 2],
        ["M2", None, 30, 106.0, 20.46, 3, 4],
        ["Huyện Lý Nhân"],
        ["M3", None, 30, 106.0, 20.46, 5, 6],
        ["M4", "VNPT", 30, 106.0, 20.46, 7, None],
    )
    sheet = made.active
    for span in ("A1:A2", "B1:B2", "C1:C2", "D1:E1", "F1:G1", "B3:B4", "A5:G5", "F7:G7"):
        sheet.merge_cells(span)
    found = tables.read(saved(made), "masts")
    frame = found.frame
    assert frame.columns.tolist() == [
        "mast_id", "owner", "height_m", "lon", "lat", "Số người nam", "Số người nữ",
    ]  # fmt: skip
    assert frame.index.tolist() == [3, 4, 6, 7]
    assert frame["owner"].tolist() == ["Viettel", "Viettel", None, "VNPT"]
    assert frame["Số người nữ"].tolist() == [2, 4, 6, 7]
    assert any("one merged cell are left out: 5" in str(p) for p in found.problems)


def test_a_header_of_two_rows_of_which_only_some_cells_are_merged() -> None:
    made = book(
        ["mast_id", "owner", "height_m", "Tọa độ", None, "Số người", None, "ghi chú"],
        [None, None, None, "lon", "lat", "nam", "nữ"],
        ["M4", "VNPT", 30, 106.0, 20.46, 7, None, "x"],
    )
    for span in ("A1:A2", "D1:E1", "F1:G1"):
        made.active.merge_cells(span)
    frame = read_table(saved(made), "masts")
    assert frame.columns.tolist() == [
        "mast_id", "owner", "height_m", "lon", "lat", "Số người nam", "Số người nữ", "ghi chú",
    ]  # fmt: skip
    assert frame.index.tolist() == [3]


def test_the_sheet_with_the_columns_is_taken_and_hidden_ones_are_not() -> None:
    made = book(["đọc kỹ"], sheet="Hướng dẫn")
    for title in ("Cột", "Cột cũ"):
        sheet = made.create_sheet(title)
        for row in ([], HEADER, *ROWS):
            sheet.append(row)
    made["Cột cũ"].sheet_state = "hidden"
    made["Cột cũ"]["A3"] = "CŨ"
    made.create_chartsheet("Biểu đồ")
    content = saved(made)
    assert read_table(content, "masts")["mast_id"].tolist() == ["M1", "M2"]
    assert read_table(content, "masts", sheet="Cột cũ")["mast_id"].tolist() == ["CŨ", "M2"]
    with pytest.raises(InputError, match="no sheet X; it has Hướng dẫn, Cột, Cột cũ"):
        read_table(content, "masts", sheet="X")
    made["Cột cũ"].sheet_state = "visible"
    with pytest.raises(InputError, match="several sheets: Hướng dẫn, Cột, Cột cũ; say which one"):
        read_table(saved(made), "masts")


def test_formulas_without_result_are_told_by_cell(tmp_path: Path) -> None:
    made = book([*HEADER, "owner", "ghi chú"], *([*row, "Viettel", "x"] for row in ROWS), ["M3"])
    sheet = made.active
    for cell, said in (("C2", "#DIV/0!"), ("F3", "#N/A"), ("G3", "#REF!")):
        sheet[cell] = said
        sheet[cell].data_type = "e"
    found = tables.read(saved(made), "masts")
    said = [str(p) for p in found.problems]
    assert said == [
        "upload, row 3, column owner: #N/A (the formula has no result; expected text)",
        "upload, column ghi chú: 1 formulas have no result (left empty)",
    ]
    workspace = samples.workspace(tmp_path / "w")
    with pytest.raises(ValidationError) as caught:
        import_layer(workspace, "masts", saved(made))
    problems = [str(p) for p in caught.value.problems]
    assert any("row 2, column height_m: '#DIV/0!'" in text for text in problems)
    assert any("row 3, column owner: #N/A" in text for text in problems)


def test_results_of_formulas_dates_and_numbers_that_are_text(tmp_path: Path) -> None:
    made = book(
        ["code", "name", "level", "valid_from", "population"],
        ["013", "Xã A", "commune", dt.datetime(2025, 7, 1), "12.345,5"],  # noqa: DTZ001
        [14, "Xã B", "commune", "2025-07-01", "1 234,25"],
        [15.0, True, "commune", dt.date(2025, 7, 1), 7],
    )
    made.active["B3"] = "=1+1"
    content = changed(saved(made), SHEET, b"<f>1+1</f><v></v>", b"<f>1+1</f><v>2</v>")
    frame = read_table(content, "zones")
    assert frame["population"].tolist() == ["12345.5", "1234.25", 7]
    assert frame["name"].tolist() == ["Xã A", 2, True]
    from data import schema

    examined = schema.examine("zones", frame).frame
    assert examined["code"].tolist() == ["013", "14", "15"]
    assert examined["valid_from"].tolist() == ["2025-07-01"] * 3
    assert examined["population"].tolist() == [12345.5, 1234.25, 7]


@pytest.mark.parametrize("end", [b"></c>", b"/>", b"> </c>"])
def test_styled_cells_far_away_do_not_count(end: bytes) -> None:
    made = book(HEADER, *ROWS)
    made.active["XFD1"].font = openpyxl.styles.Font(bold=True)
    made.active["A1048576"].font = openpyxl.styles.Font(bold=True)
    content = changed(saved(made), SHEET, b't="n"></c>', b't="n"' + end)
    assert len(read_table(content, "masts")) == 2


@pytest.mark.parametrize(
    ("cell", "said"),
    [("A1048576", "more than 500000 rows"), ("XFD400000", "so far right or down")],
)
def test_a_value_far_away_is_refused_before_it_fills_the_memory(cell: str, said: str) -> None:
    made = book(HEADER, *ROWS)
    made.active[cell] = 1
    start = time.perf_counter()
    with pytest.raises(InputError, match=said):
        read_table(saved(made), "masts")
    assert time.perf_counter() - start < 5


def test_many_sheets_together_are_too_large_as_well() -> None:
    made = book(HEADER, *ROWS)
    for number in range(40):
        made.create_sheet(f"S{number}")["AB30000"] = 1
    with pytest.raises(InputError, match="so far right or down"):
        read_table(saved(made), "masts")


@pytest.mark.parametrize(
    "place", [b'r="&#65;9999999"', b"r='A9999999'", b'x=">" r="A9999999"', b'r = "ZZZZZZ2"']
)
def test_places_written_in_odd_ways_do_not_slip_through(place: bytes) -> None:
    content = changed(saved(book(HEADER, *ROWS)), SHEET, b'r="A2"', place)
    with pytest.raises(InputError):
        read_table(content, "masts")


def test_sizes_that_are_lies_are_found_out() -> None:
    content = bytearray(saved(book(HEADER, *ROWS)))
    start = content.rfind(b"xl/worksheets/sheet1.xml") - 46
    assert content[start : start + 4] == b"PK\x01\x02"
    content[start + 24 : start + 28] = (50).to_bytes(4, "little")
    with pytest.raises(InputError, match="damaged"):
        read_table(bytes(content), "masts")


def test_a_document_type_is_refused() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "b">]><workbook'
    content = changed(saved(book(HEADER, *ROWS)), "xl/workbook.xml", b"<workbook", bomb)
    with pytest.raises(InputError, match="a damaged Excel workbook"):
        read_table(content, "masts")


def test_a_workbook_with_a_password_says_so() -> None:
    # What Office makes of a workbook with a password: an old container with this stream in it.
    content = (Path(__file__).parent / "encrypted.xlsx").read_bytes()
    with pytest.raises(InputError, match="has a password; save it without"):
        read_table(content, "masts", file_name="mật.xlsx")


def ods(*rows: str) -> bytes:
    content = io.BytesIO()
    names = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr(
            "content.xml",
            f"<office:document-content{names}><office:body><office:spreadsheet>"
            f'<table:table table:name="Cột">{"".join(rows)}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return content.getvalue()


def ods_row(*values: object, repeat: int = 1) -> str:
    cells = "".join(
        f'<table:table-cell office:value-type="float" office:value="{value}">'
        f"<text:p>{value}</text:p></table:table-cell>"
        if isinstance(value, float)
        else f'<table:table-cell office:value-type="string"><text:p>{value}</text:p>'
        "</table:table-cell>"
        for value in values
    )
    return f'<table:table-row table:number-rows-repeated="{repeat}">{cells}</table:table-row>'


EMPTY = '<table:table-cell table:number-columns-repeated="16384"/>'
FILLED = "<table:table-cell><text:p>1</text:p></table:table-cell>"


def test_opendocument() -> None:
    end = f'<table:table-row table:number-rows-repeated="1048000">{EMPTY}</table:table-row>'
    content = ods(ods_row(*HEADER), *(ods_row(*row) for row in ROWS), end)
    frame = read_table(content, "masts")
    assert frame["name"].tolist() == ["Cột 1", "Cột 2"]
    assert frame["lat"].tolist() == [20.45, 20.46]


@pytest.mark.parametrize(
    "rows",
    [
        [ods_row("a", repeat=900_000_000)],
        [f"<table:table-row>{EMPTY * 9_000}{FILLED}</table:table-row>"],
        [
            f'<table:table-row table:number-rows-repeated="400000">{EMPTY}</table:table-row>',
            f"<table:table-row>{EMPTY}{FILLED}</table:table-row>",
        ],
    ],
)
def test_repetitions_that_never_end(rows: list[str]) -> None:
    start = time.perf_counter()
    with pytest.raises(InputError, match=r"more than|so far right or down"):
        read_table(ods(ods_row(*HEADER), *rows, ods_row("b")), "masts")
    assert time.perf_counter() - start < 5


def test_old_workbooks() -> None:
    content = (Path(__file__).parent / "masts.xls").read_bytes()
    frame = read_table(content, "masts")
    assert frame["mast_id"].tolist() == ["M1", "M2"]
    assert frame["name"].tolist() == ["Cột Đồng Văn", "Cột Lý Nhân"]
    assert frame["height_m"].tolist() == [42.5, 30]


def record(kind: int, content: bytes = b"") -> bytes:
    """Return a record of a binary workbook."""
    code = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    return code + bytes([len(content)]) + content


def wide(text: str) -> bytes:
    return len(text).to_bytes(4, "little") + text.encode("utf-16-le")


def xlsb(rows: dict[int, list[object]], first_column: int = 0) -> bytes:
    """Return a binary workbook of one sheet."""
    cells = b""
    for number, row in rows.items():
        cells += record(0, number.to_bytes(4, "little") + bytes(13))
        for column, value in enumerate(row, start=first_column):
            place = column.to_bytes(4, "little") + bytes(4)
            if isinstance(value, float):
                cells += record(5, place + struct.pack("<d", value))
            else:
                cells += record(6, place + wide(str(value)))
    size = struct.pack("<4I", 0, max(rows), 0, 9)
    sheet = record(129) + record(148, size) + record(145) + cells + record(146) + record(130)
    bundle = record(156, bytes(8) + wide("rId1") + wide("Sheet1"))
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        'relationships/worksheet" Target="worksheets/sheet1.bin"/></Relationships>'
    )
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/_rels/workbook.bin.rels", relations)
        archive.writestr("xl/workbook.bin", record(131) + bundle + record(144) + record(132))
        archive.writestr("xl/worksheets/sheet1.bin", sheet)
    return content.getvalue()


def test_binary_workbooks() -> None:
    rows = {0: HEADER, 1: ["M1", "Cột Đồng Văn", 42.5, 105.99, 20.45]}
    frame = read_table(xlsb(rows), "masts")
    assert frame.loc[2].tolist() == ["M1", "Cột Đồng Văn", 42.5, 105.99, 20.45]
    with pytest.raises(InputError, match="more than 500000 rows"):
        read_table(xlsb(rows | {1_000_000: ["x"]}), "masts")
    with pytest.raises(InputError, match="so far right or down"):
        read_table(xlsb(rows | {400_000: ["x"]}, first_column=16_000), "masts")


@pytest.mark.parametrize("cut", [300, 500, 700, 900])
def test_an_opendocument_sheet_that_is_cut_off(cut: int) -> None:
    content = changed(
        ods(ods_row(*HEADER), *(ods_row(*row) for row in ROWS)),
        "content.xml",
        b"<office:",
        b"<office:",
    )
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        text = archive.read("content.xml")
    broken = changed(content, "content.xml", text, text[:cut])
    with pytest.raises(InputError, match="a damaged Excel workbook"):
        read_table(broken, "masts")


@pytest.mark.parametrize("seed", range(8))
def test_damaged_workbooks_are_read_or_refused_readably(seed: int) -> None:
    random = np.random.default_rng(seed)
    old = (Path(__file__).parent / "masts.xls").read_bytes()
    new = saved(book(HEADER, *ROWS))
    for whole in (old, new, xlsb({0: HEADER, 1: ["M1", "a", 42.5, 105.99, 20.45]})):
        content = bytearray(whole)
        for place in random.integers(0, len(content), 3):
            content[place] = random.integers(0, 256)
        try:
            frame = read_table(bytes(content), "masts", file_name="cột")
        except InputError as error:
            assert str(error).startswith("cột")  # noqa: PT017
        else:
            assert len(frame) <= 2
