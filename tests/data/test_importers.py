"""Files go in by what is in them; what cannot go in changes nothing and says why."""

from __future__ import annotations

import io
import os
import struct
import time
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon

from data import importers
from data.errors import CancelledError, InputError, ValidationError
from data.importers import import_layer, read_table
from data.importers import table as tables
from data.store import Workspace
from tests.areas import small_area, write_area
from tests.data import samples
from tests.data.samples import CRS, MADE_UP, REAL

HEADER = "mast_id,name,height_m,lon,lat\n"
ROWS = 'M1,"Cột Đồng Văn, số 1",42.5,105.99,20.45\nM2,Cột Lý Nhân,30,106.0,20.46\n'
CSV = HEADER + ROWS


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return samples.workspace(tmp_path / "w")


def lon_lat(frame: gpd.GeoDataFrame) -> pd.DataFrame:
    points = frame.to_crs(4326).geometry
    return pd.DataFrame(frame.drop(columns="geometry")).assign(lon=points.x, lat=points.y)


def excel(frame: pd.DataFrame, sheet: str = "Sheet1", **others: pd.DataFrame) -> bytes:
    book = io.BytesIO()
    with pd.ExcelWriter(book, engine="openpyxl") as writer:
        frame.to_excel(writer, sheet_name=sheet, index=False)
        for name, other in others.items():
            other.to_excel(writer, sheet_name=name, index=False)
    return book.getvalue()


# Reading


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_text_in_every_encoding(encoding: str, line_end: str) -> None:
    frame = read_table(CSV.replace("\n", line_end).encode(encoding), "masts")
    assert frame["name"].tolist() == ["Cột Đồng Văn, số 1", "Cột Lý Nhân"]
    assert frame["mast_id"].tolist() == ["M1", "M2"]
    assert frame.index.tolist() == [2, 3]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_delimiter(delimiter: str) -> None:
    text = "mast_id/name/height_m/lon/lat\nM1/Cột, một; hai/42/105.9/20.4\n"
    quoted = text.replace("Cột, một; hai", '"Cột, một; hai"').replace("/", delimiter)
    frame = read_table(quoted.encode(), "masts")
    assert frame.loc[2].tolist() == ["M1", "Cột, một; hai", "42", "105.9", "20.4"]


def test_decimal_commas_where_semicolons_separate(workspace: Workspace) -> None:
    text = "mast_id;name;height_m;lon;lat\nM1;1,5;42,5;105,99;20,45\n"
    import_layer(workspace, "masts", text.encode(), drop_orphans=True)
    mast = workspace.read("masts").iloc[0]
    assert (mast["height_m"], mast["name"]) == (42.5, "1,5")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_title_rows_above_the_header(delimiter: str) -> None:
    titles = ["SỞ THÔNG TIN, HÀ NAM; 2024", "", "Danh sách cột | lần 2"]
    header = ["Mã trạm", "Tên", "Chiều cao (m)", "Kinh độ", "Vĩ độ"]
    lines = [*titles, delimiter.join(header), delimiter.join(["M1", "a", "42", "105.9", "20.4"])]
    found = tables.read("\n".join(lines).encode(), "masts")
    assert found.header_row == 4
    assert found.frame.columns.tolist() == header
    assert found.frame.loc[5].tolist() == ["M1", "a", "42", "105.9", "20.4"]
    assert [str(p) for p in found.problems] == [
        "upload: row 4 is taken for the names of the columns (the rows above it are left out)"
    ]


NUMBERS = {
    "both signs": (["1.234,5", "1,234.5", "1.234.567,8"], ["1234.5", "1234.5", "1234567.8"]),
    "commas": (["42,5", "1,234", "1.234"], ["42.5", "1.234", "1234"]),
    "points": (["42.5", "1,234", "1.234"], ["42.5", "1234", "1.234"]),
    "points only": (["1.234", "12.345", "7"], ["1.234", "12.345", "7"]),
    "thousands": (["1,234,567", "1,234", "12"], ["1234567", "1234", "12"]),
    "blanks": (["1 234,5", "12\u00a0345", "1'234'567"], ["1234.5", "12345", "1234567"]),
    "signs": (["-0,5", "+1,5", ",5"], ["-0.5", "+1.5", ".5"]),
    "exponents": (["1,5e3", "2.5E-3", "1e5"], ["1.5e3", "2.5E-3", "1e5"]),
    "no numbers": (["a,b", "1,2,3", "20°27'30\"N"], ["a,b", "1,2,3", "20°27'30\"N"]),
    "unclear": (["1,234", "5", "6"], [None, "5", "6"]),
    "both ways": (["42,5", "42.5", "1.234"], ["42.5", "42.5", None]),
}


@pytest.mark.parametrize("case", list(NUMBERS))
def test_numbers_as_people_write_them(case: str) -> None:
    written, read = NUMBERS[case]
    lines = ["village_id\tname\tpopulation", *(f"{n}\t1,234\t{n}" for n in written)]
    found = tables.read("\n".join(lines).encode(), "villages")
    values = found.frame["population"].astype(object).where(found.frame["population"].notna(), None)
    assert values.tolist() == read
    assert found.frame["village_id"].tolist() == written
    assert found.frame["name"].tolist() == ["1,234"] * 3
    said = [str(p) for p in found.problems]
    assert len(said) == read.count(None)
    if said:
        text = written[read.index(None)]
        assert f"column population: {text if '.' in text else repr(text)} (expected a" in said[0]
        assert "it can mean 1.234 or 1234" in said[0] or "it can mean 1234 or 1.234" in said[0]


def test_the_other_columns_tell_what_a_comma_is() -> None:
    text = "village_id\tpopulation\tlon\tlat\n1\t1.234\t105{0}9876\t20{0}41\n"
    assert read_table(text.format(",").encode(), "villages")["population"].tolist() == ["1234"]
    assert read_table(text.format(".").encode(), "villages")["population"].tolist() == ["1.234"]
    quoted = 'village_id,population,lon,lat\n1,"1,234",105.9876,20.41\n'
    assert read_table(quoted.encode(), "villages")["population"].tolist() == ["1234"]
    mixed = text.replace("105{0}", "105,").replace("20{0}", "20.")
    with pytest.raises(ValidationError, match=r"it can mean 1\.234 or 1234"):
        read_table(mixed.encode(), "villages")


def test_text_in_an_encoding_from_before_unicode() -> None:
    text = "mast_id,name,lon,lat\n1,Hµ Nam,105.9,20.4\n2,ThÞ trÊn VÜnh Trô,105.9,20.4\n"
    text += "3,X· Thi S¬n,105.9,20.4\n4,Ph\xadêng Lª Hång Phong,105.9,20.4\n"
    found = tables.read(text.encode("latin-1"), "masts")
    assert found.frame["name"].tolist()[:3] == ["Hà Nam", "Thị trấn Vĩnh Trụ", "Xã Thi Sơn"]
    assert "the text is read as TCVN3" in str(found.problems[0])
    # The same, with nothing but plain characters in the first bytes.
    far = text[:21] + "9,a,1,1\n" * 20_000 + text[21:]
    assert tables.read(far.encode("latin-1"), "masts").frame["name"].iloc[-3] == "Thị trấn Vĩnh Trụ"


@pytest.mark.parametrize("name", ["geometry_wkt", "WKT", "geom"])
def test_geometry_as_text(name: str) -> None:
    text = f'road_id,road_class,{name}\n1,a,"LINESTRING (105 20, 106 21)"\n2,b,"LINE (1"\n3,c,\n'
    found = tables.read(text.encode(), "roads")
    assert found.frame.crs == "EPSG:4326"
    assert found.frame.geom_type.dropna().tolist() == ["LineString"]
    assert [str(p) for p in found.problems] == [
        f"upload, row 3, column {name}: 'LINE (1' (expected geometry as text (WKT))"
    ]
    metres = 'road_id,road_class,wkt\n1,a,"{}LINESTRING (600000 2260000, 600100 2260000)"\n'
    assert tables.read(metres.format("SRID=32648;").encode(), "roads").frame.crs == CRS
    assert tables.read(metres.format("").encode(), "roads").frame.crs is None
    assert tables.read(metres.format("").encode(), "roads", crs=CRS).frame.crs == CRS
    with pytest.raises(InputError, match="no coordinate reference system EPSG:999999"):
        tables.read(metres.format("SRID=999999;").encode(), "roads")


def test_blank_lines_and_spaces_do_not_shift_row_numbers() -> None:
    frame = read_table(b"\n mast_id , height_m,lon,lat,\n\n,,,,\nM1,1,2,3,\n", "masts")
    assert frame.columns.tolist() == ["mast_id", "height_m", "lon", "lat"]
    assert frame.index.tolist() == [5]


def test_names_differ_from_declared_ones_in_case_only() -> None:
    frame = read_table(CSV.replace("mast_id", "MAST_ID").encode(), "masts")
    assert "mast_id" in frame.columns


def test_excel_with_numbers_dates_and_several_sheets(workspace: Workspace) -> None:
    masts = lon_lat(samples.masts()).assign(mast_id=[101, 102, 103])
    masts["xây dựng"] = pd.Timestamp("2014-07-28")
    content = excel(pd.DataFrame({"ghi chú": ["đọc"]}), "Bìa", Masts=masts)
    report = import_layer(workspace, "masts", content, file_name="cột.xlsx", drop_orphans=True)
    assert report.rows_written == 3
    back = workspace.read("masts")
    assert back["mast_id"].tolist() == ["101", "102", "103"]
    assert back["xây dựng"].tolist()[0].startswith("2014-07-28")
    content = excel(masts, "A", B=masts)
    with pytest.raises(InputError, match="several sheets: A, B; say which"):
        read_table(content, "masts")
    assert len(read_table(content, "masts", sheet="B")) == 3
    with pytest.raises(InputError, match="no sheet C; it has A, B"):
        read_table(content, "masts", sheet="C")


def test_excel_row_numbers_are_those_of_the_sheet() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["B3"], sheet["C3"], sheet["D3"], sheet["E3"] = "mast_id", "height_m", "lon", "lat"
    sheet["B7"], sheet["C7"], sheet["D7"], sheet["E7"] = "M1", "cao", 105.9, 20.4
    content = io.BytesIO()
    book.save(content)
    frame = read_table(content.getvalue(), "masts")
    assert frame.index.tolist() == [7]
    assert frame.columns.tolist() == ["mast_id", "height_m", "lon", "lat"]


def test_geopackage_and_geojson(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "dữ liệu.gpkg"
    masts = samples.masts(5).to_crs(4326)
    pyogrio.write_dataframe(masts, path, layer="cột", driver="GPKG")
    for source in (path, path.read_bytes()):
        report = import_layer(workspace, "masts", source)
        assert report.rows_written == 5
    moved = workspace.read("masts").geometry.distance(samples.masts(5).geometry)
    assert moved.max() < 0.01
    pyogrio.write_dataframe(samples.zones(), path, layer="vùng", driver="GPKG")
    with pytest.raises(InputError, match="the layers cột, vùng; say which one holds zones"):
        import_layer(workspace, "zones", path)
    assert import_layer(workspace, "zones", path, table="vùng").rows_written == 3
    renamed = tmp_path / "masts.csv"
    renamed.write_bytes(path.read_bytes())
    assert len(read_table(renamed, "masts", table="cột")) == 5
    text = masts.to_json().encode()
    assert import_layer(workspace, "masts", text).rows_written == 5


def test_projected_columns_need_their_crs(workspace: Workspace) -> None:
    text = f"mast_id,height_m,X,Y\nM0,30,{samples.X},{samples.Y}\n".encode()
    with pytest.raises(ValidationError, match="columns lon and lat"):
        import_layer(workspace, "masts", text)
    import_layer(workspace, "masts", text, coordinates=("x", "y", CRS), drop_orphans=True)
    assert workspace.read("masts").geometry.x.tolist() == [samples.X]


@settings(max_examples=25, deadline=None)
@given(
    names=st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12), min_size=1, max_size=9
    ),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_any_text_survives_a_csv(names: list[str], delimiter: str, encoding: str) -> None:
    frame = pd.DataFrame({"village_id": range(len(names)), "name": names, "lon": 1.5, "lat": 2.5})
    content = frame.to_csv(index=False, sep=delimiter).encode(encoding)
    back = read_table(content, "villages")
    assert [name or "" for name in back["name"]] == names
    assert back["lon"].tolist() == ["1.5"] * len(names)


# Importing


def test_an_import_tells_what_it_did_and_where_the_data_came_from(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "cột.csv"
    path.write_text(CSV, encoding="utf-8")
    seen: list[float] = []
    report = import_layer(
        workspace,
        "masts",
        path,
        drop_orphans=True,
        source_name="Viettel Hà Nam",
        licence="internal",
        vintage="2026-11",
        on_progress=seen.append,
    )
    assert (report.rows_read, report.rows_written) == (2, 2)
    about = workspace.provenance()["masts"]
    assert (about.source, about.licence, about.vintage) == ("Viettel Hà Nam", "internal", "2026-11")
    assert about.url_or_file == "cột.csv"
    assert len(about.sha256) == 64
    assert not about.illustrative
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.0, 1.0)


def test_real_masts_drive_out_generated_ones(tmp_path: Path) -> None:
    workspace = samples.workspace(tmp_path / "w", source=MADE_UP)
    report = import_layer(workspace, "masts", CSV.encode())
    assert not workspace.has("cells")
    assert workspace.read("masts")["mast_id"].tolist() == ["M1", "M2"]
    said = [str(problem) for problem in report.problems if problem.row is None]
    assert any("3 generated rows were removed" in text for text in said)
    assert any("6 generated cells were removed with their masts" in text for text in said)
    added = b"mast_id,height_m,lon,lat\nM3,30,105.99,20.45\n"
    import_layer(workspace, "masts", added, replace=False)
    assert workspace.read("masts")["mast_id"].tolist() == ["M1", "M2", "M3"]


def test_generated_masts_are_not_mixed_with_real_ones(tmp_path: Path) -> None:
    workspace = samples.workspace(tmp_path / "w", source=MADE_UP)
    import_layer(workspace, "masts", CSV.encode(), replace=False)
    assert workspace.read("masts")["mast_id"].tolist() == ["M1", "M2"]


def test_rows_can_be_added_but_not_twice(workspace: Workspace) -> None:
    with pytest.raises(ValidationError, match=r"row 2, column mast_id: 'M1'.*does not have yet"):
        import_layer(workspace, "masts", CSV.encode(), replace=False)
    report = import_layer(
        workspace, "masts", CSV.replace("M1", "M9").replace("M2,", "M8,").encode(), replace=False
    )
    assert report.rows_written == 2
    assert len(workspace.read("masts")) == 5
    assert len(workspace.read("cells")) == 6


def test_cells_need_their_masts(workspace: Workspace) -> None:
    cells = samples.cells()
    cells.loc[3, "mast_id"] = "M77"
    content = cells.to_csv(index=False).encode()
    with pytest.raises(ValidationError, match=r"cells\.csv, row 5, column mast_id: 'M77'"):
        import_layer(workspace, "cells", content, file_name="cells.csv")
    report = import_layer(workspace, "cells", content, accept_rows=True)
    assert (report.rows_read, report.rows_written) == (6, 5)
    assert [problem.row for problem in report.problems if problem.severity == "error"] == [5]
    assert "C3" not in workspace.read("cells")["cell_id"].tolist()
    workspace.write({}, {}, drop=["cells", "masts"])
    with pytest.raises(InputError, match="import the masts first"):
        import_layer(workspace, "cells", content)


def test_masts_under_real_cells_are_not_taken_away_silently(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="stand on masts that the new layer masts does not have"):
        import_layer(workspace, "masts", CSV.encode())
    report = import_layer(workspace, "masts", CSV.encode(), drop_orphans=True)
    assert sorted(workspace.read("cells")["mast_id"].unique()) == ["M1", "M2"]
    assert any("2 cells without mast were removed" in str(p) for p in report.problems)


def test_a_mast_outside_the_area_is_kept(workspace: Workspace) -> None:
    content = (HEADER + "M1,xa,40,105.90,20.40\n").encode()
    report = import_layer(workspace, "masts", content, drop_orphans=True)
    assert report.rows_written == 1
    assert "outside the study area" in str(report.problems[-1])


def test_a_workspace_without_masts_is_fine(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "w", samples.AREA)
    workspace.write({"zones": samples.zones()}, {"zones": REAL})
    assert import_layer(workspace, "masts", CSV.encode()).rows_written == 2


def test_a_preview_changes_nothing(workspace: Workspace) -> None:
    before = workspace.content_hash()
    seen = importers.preview(workspace, "masts", (HEADER + "M1,a,0,105.99,20.45\n" + ROWS).encode())
    assert seen.rows_read == 3
    assert [problem.row for problem in seen.errors] == [2, 3]
    assert seen.frame["mast_id"].tolist() == ["M2"]
    assert workspace.content_hash() == before


# Bad input: one readable message, nothing lost


def zip_of(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def zip_bomb() -> bytes:
    """Return a workbook of a few kilobytes that says it unpacks to two gigabytes."""
    content = bytearray(zip_of({"xl/workbook.xml": b"<workbook/>", "xl/big.xml": b"0" * 1000}))
    size = struct.pack("<I", 1000)
    big = struct.pack("<I", 2_000_000_000)
    start = content.rfind(size)
    content[start : start + 4] = big
    return bytes(content)


def endless_rows() -> bytes:
    """Return a workbook whose one row says that it is number 4,000,000,000."""
    good = excel(lon_lat(samples.masts()))
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    sheet = files["xl/worksheets/sheet1.xml"]
    files["xl/worksheets/sheet1.xml"] = sheet.replace(b'<row r="3"', b'<row r="4000000000"')
    return zip_of(files)


def broken_workbook() -> bytes:
    good = excel(lon_lat(samples.masts()))
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["xl/worksheets/sheet1.xml"] = files["xl/worksheets/sheet1.xml"][:400]
    return zip_of(files)


def other_geopackage() -> bytes:
    path = Path(os.environ["PYTEST_TMP"]) / "đường.gpkg"
    pyogrio.write_dataframe(samples.roads(), path, layer="masts", driver="GPKG")
    return path.read_bytes()


def no_crs_geopackage() -> bytes:
    path = Path(os.environ["PYTEST_TMP"]) / "không.gpkg"
    frame = gpd.GeoDataFrame(
        samples.masts().drop(columns="geometry"), geometry=samples.masts().geometry.to_numpy()
    )
    with pytest.warns(UserWarning, match="crs"):
        pyogrio.write_dataframe(frame, path, layer="masts", driver="GPKG")
    return path.read_bytes()


def csv_of(**columns: object) -> bytes:
    return lon_lat(samples.masts()).assign(**columns).to_csv(index=False).encode()


BAD_MASTS = {
    "empty file": (lambda: b"", "masts.csv is empty"),
    "blank file": (lambda: b" \n\n", "masts.csv is empty"),
    "header only": (lambda: HEADER.encode(), "has no rows"),
    "other table": (lambda: b"a,b\n1,2\n", "none of the columns of masts; found 'a', 'b'"),
    "missing column": (
        lambda: CSV.replace("height_m", "zzz").encode(),
        "column height_m: the column is missing",
    ),
    "misnamed column": (
        lambda: CSV.replace("height_m", "Hieght").encode(),
        "did you mean the column Hieght",
    ),
    "out of range": (lambda: csv_of(lat=[20.4, 95, 20.4]), "row 3, column lat: 95"),
    "swapped": (
        lambda: (
            lon_lat(samples.masts())
            .rename(columns={"lon": "lat", "lat": "lon"})
            .to_csv(index=False)
            .encode()
        ),
        "row 2, column lon: .*look swapped",
    ),
    "duplicate id": (
        lambda: csv_of(mast_id=["A", "B", "A"]),
        "row 4, column mast_id: 'A' .*row 2 has it too",
    ),
    "height 0": (
        lambda: csv_of(height_m=[30, 0, -1]),
        "row 3, column height_m: 0 .*greater than 0",
    ),
    "no number": (lambda: csv_of(height_m="cao"), "row 2, column height_m: 'cao'"),
    "NaN": (lambda: csv_of(height_m=[1, np.nan, 3]), "row 3, column height_m: no value"),
    "infinite": (lambda: csv_of(height_m=[1, np.inf, 3]), "row 3, column height_m: .*inf"),
    "long row": (
        lambda: (CSV + "M3,a,1,105.99,20.4,5,6\n").encode(),
        "row 4: the row has 7 values",
    ),
    "open quote": (lambda: (CSV + 'M3,"a,1,105,20\n').encode(), "row 4: the line cannot be split"),
    "column twice": (
        lambda: CSV.replace("name", "height_m").encode(),
        "column height_m: the column is there twice",
    ),
    "wrong CRS": (
        lambda: samples.masts().set_crs(32633, allow_override=True).to_crs(4326).to_json().encode(),
        "check the coordinate reference system",
    ),
    "no CRS": (no_crs_geopackage, "the layer has no CRS"),
    "lines for points": (other_geopackage, "mast_id: the column is missing"),
    "pdf": (lambda: b"%PDF-1.7\n" + b"x" * 999, "is a PDF document"),
    "picture": (lambda: b"\x89PNG\r\n\x1a\n" + os.urandom(999), "is a picture"),
    "web page": (lambda: b"<!DOCTYPE html><html><body>404", "is a web page"),
    "xml": (lambda: b"<?xml version='1.0'?><kml/>", "is an XML document"),
    "json": (lambda: b'{"a": [1, 2, 3]}', "JSON without geographic features"),
    "cut geojson": (
        lambda: samples.masts().to_crs(4326).to_json().encode()[:400],
        "damaged or is not GeoJSON",
    ),
    "old excel": (
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(999),
        "a damaged Excel workbook",
    ),
    "zip": (lambda: zip_of({"readme.txt": b"hi"}), "a zip archive without a table or layer"),
    "cut excel": (lambda: excel(lon_lat(samples.masts()))[:-300], "damaged"),
    "broken excel": (broken_workbook, "a damaged Excel workbook"),
    "zip bomb": (zip_bomb, "unpacks to 2000 MB; the most is 800 MB"),
    "endless rows": (endless_rows, "has more than 500000 rows"),
    "cut geopackage": (lambda: b"SQLite format 3\0" + bytes(5000), "is not a GeoPackage"),
    "legacy encoding": (
        lambda: (HEADER + "M1,Cột,1,105.99,20.45\n").encode("cp1258", "replace") + b"\xf0\n",
        "not text in UTF-8",
    ),
    "garbage": (lambda: os.urandom(50_000_000), "masts.csv is "),
    "garbage text": (lambda: b"x" * 50_000_000, "text without lines"),
    "garbage lines": (lambda: b"xy\n" * 17_000_000, "none of the columns"),
    "garbage rows": (lambda: HEADER.encode() + b"x\n" * 25_000_000, "has more than 500000 rows"),
    "garbage line": (
        lambda: HEADER.encode() + b"x" * 50_000_000,
        "row 2: the line cannot be split",
    ),
    "garbage zip": (lambda: b"PK\x03\x04" + os.urandom(50_000_000), "is damaged"),
    "garbage json": (lambda: b'{"Feature":' * 5_000_000, "is damaged or is not GeoJSON"),
    "wide": (
        lambda: (
            HEADER.strip() + "," * 0 + "".join(f",c{k}" for k in range(400)) + "\n1,2\n"
        ).encode(),
        "the row has 405 columns; the most is 300",
    ),
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("loaded")
    os.environ["PYTEST_TMP"] = str(folder)
    return samples.workspace(folder / "w")


@pytest.mark.parametrize("case", list(BAD_MASTS))
def test_bad_masts_change_nothing_and_say_why_in_a_sentence(loaded: Workspace, case: str) -> None:
    make, said = BAD_MASTS[case]
    content = make()
    before = loaded.content_hash()
    start = time.perf_counter()
    with pytest.raises(InputError, match=said) as caught:
        import_layer(loaded, "masts", content, file_name="masts.csv", drop_orphans=True)
    assert time.perf_counter() - start < 10
    assert str(caught.value).startswith("masts.csv")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert loaded.content_hash() == before
    assert loaded.provenance()["masts"] == REAL


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("technology", "6G", "expected one of 2G, 3G, 4G, 5G"),
        ("mast_id", "M77", "expected a mast_id of the layer masts"),
        ("antenna_height_m", 0, "greater than 0"),
        ("azimuth_deg", 400, "from 0 to 360 deg"),
        ("frequency_mhz", "GSM", "from 30 to 100000 MHz"),
        ("cell_id", "C0", "no other row has"),
        ("operator", None, "expected text"),
    ],
)
def test_bad_cells_change_nothing_and_say_why(
    loaded: Workspace, column: str, value: object, said: str
) -> None:
    cells = samples.cells().astype({column: object})
    cells.loc[2, column] = value
    before = loaded.content_hash()
    with pytest.raises(ValidationError, match=said) as caught:
        import_layer(loaded, "cells", cells.to_csv(index=False).encode(), file_name="cells.csv")
    assert [(p.row, p.column) for p in caught.value.problems] == [(4, column)]
    assert loaded.content_hash() == before


def test_bad_zones_change_nothing(loaded: Workspace) -> None:
    zones = samples.zones()
    x, y = samples.X, samples.Y
    tie = Polygon([(x, y), (x + 5_000, y + 5_000), (x + 5_000, y), (x, y + 5_000)])
    zones["geometry"] = gpd.GeoSeries([*zones.geometry[:2], tie], crs=CRS)
    before = loaded.content_hash()
    with pytest.raises(ValidationError, match="row 3, column geometry: 'Self-intersection"):
        import_layer(loaded, "zones", zones.to_crs(4326).to_json().encode())
    with pytest.raises(InputError, match="the file has no geometry"):
        import_layer(loaded, "zones", b"code,name,level\n1,a,commune\n")
    assert loaded.content_hash() == before


def test_no_usable_row_is_an_error_even_where_rows_are_accepted(loaded: Workspace) -> None:
    before = loaded.content_hash()
    with pytest.raises(InputError, match="none of the 3 rows is usable"):
        import_layer(loaded, "masts", csv_of(height_m=0), accept_rows=True)
    with pytest.raises(ValidationError, match="the column is missing"):
        import_layer(loaded, "masts", CSV.replace("height_m", "z").encode(), accept_rows=True)
    assert loaded.content_hash() == before


@pytest.mark.parametrize("at", [0.0, 0.5, 0.7])
def test_a_cancelled_import_changes_nothing(loaded: Workspace, at: float) -> None:
    def cancel(fraction: float) -> None:
        if fraction >= at:
            raise CancelledError

    before = loaded.content_hash()
    with pytest.raises(CancelledError):
        import_layer(loaded, "masts", CSV.encode(), drop_orphans=True, on_progress=cancel)
    assert loaded.content_hash() == before


def test_paths_that_are_no_files(loaded: Workspace, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        import_layer(loaded, "masts", tmp_path / "không có.csv")
    with pytest.raises(InputError, match="is not a file"):
        import_layer(loaded, "masts", tmp_path)
    with pytest.raises(InputError, match="no layer towers"):
        import_layer(loaded, "towers", CSV.encode())


def test_a_file_that_is_too_large_is_not_read(
    loaded: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MAX_BYTES", 20)
    with pytest.raises(InputError, match="the most is 0 MB"):
        import_layer(loaded, "masts", CSV.encode())


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.text(st.characters(codec="utf-8"), max_size=200).map(
            lambda text: (HEADER + text).encode()
        ),
        st.tuples(st.integers(0, len(CSV) - 1), st.binary(min_size=1, max_size=3)).map(
            lambda cut: CSV.encode()[: cut[0]] + cut[1] + CSV.encode()[cut[0] :]
        ),
    )
)
def test_any_content_is_read_or_refused_readably(content: bytes) -> None:
    try:
        frame = read_table(content, "masts", file_name="tệp.csv")
    except InputError as error:
        assert str(error).startswith("tệp.csv")  # noqa: PT017
    else:
        assert len(frame) > 0


def test_a_hundred_thousand_cells_are_imported_in_seconds(loaded: Workspace) -> None:
    content = samples.cells(100_000).to_csv(index=False).encode()
    start = time.perf_counter()
    report = import_layer(loaded, "cells", content)
    assert time.perf_counter() - start < 20
    assert report.rows_written == 100_000


def test_columns_of_other_names_are_mapped(tmp_path) -> None:
    workspace = write_area(tmp_path / "w", small_area())
    path = tmp_path / "cot.csv"
    path.write_text(
        "Mã cột;Tên;Chủ sở hữu;Chiều cao;lon;lat\nC1;Cột 1;A;42,5;105,9;20,5\n", encoding="utf-8"
    )
    mapping = {"Mã cột": "mast_id", "Tên": "name", "Chủ sở hữu": "owner", "Chiều cao": "height_m"}
    importers.import_layer(workspace, "masts", path, mapping=mapping)
    masts = workspace.read("masts")
    assert masts["mast_id"].tolist() == ["C1"]
    assert masts["height_m"].tolist() == [42.5]
    assert masts["owner"].tolist() == ["A"]


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"Cao": "height_m"}, "has no column Cao, which the mapping names"),
        ({"lon": "longitudinal"}, "longitudinal, which is not a column of masts"),
    ],
)
def test_a_mapping_that_fits_nothing_is_refused(tmp_path, mapping, said) -> None:
    workspace = write_area(tmp_path / "w", small_area())
    before = workspace.content_hash()
    path = tmp_path / "cot.csv"
    path.write_text("mast_id,name,owner,height_m,lon,lat\nC1,x,A,42,105.9,20.5\n")
    with pytest.raises(InputError, match=said):
        importers.import_layer(workspace, "masts", path, mapping=mapping)
    assert workspace.content_hash() == before
