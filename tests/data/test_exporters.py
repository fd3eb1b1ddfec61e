"""What is exported can be imported again, and is the same to the last digit and accent."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, Point, Polygon, box

from data import exporters, schema
from data.errors import CancelledError, InputError
from data.exporters.export import FORMATS
from data.importers import import_layer
from data.importers import table as tables
from data.store import Workspace
from tests.data import samples
from tests.data.samples import CRS, X, Y

SUFFIXES = [suffixes[0] for suffixes in FORMATS.values()]
VN_2000 = "EPSG:3405"

#: Text that programs like to take for something else.
ODD = [
    "013",
    "=1+1",
    "'=1+1",
    "+84 226",
    "-5",
    "@SUM(A1)",
    "'nháy'",
    "NA",
    "null",
    "true",
    "2020-01-01",
    "1e5",
    "1.234,5",
    'Cột "Đồng Văn", số 1; đường 2|3',
    "dòng một\ndòng hai\r\nba\rbốn\ttab",
    "<b>&amp; ]]>",
    "_x0041_ _x000D_",
    "Đ\u0323 Ỹ 𠀀 \u2028 \x7f",
    "#N/A",
    "SRID=4326;POINT (1 2)",
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return samples.workspace(tmp_path_factory.mktemp("xuất") / "w")


def stored(layer: str, frame: pd.DataFrame, crs: str = CRS) -> pd.DataFrame:
    """Return the rows of a frame that are sound, as a workspace holds them."""
    found = schema.examine(layer, frame, crs=crs)
    kept = found.frame.loc[~found.faulty].reset_index(drop=True)
    assert len(kept)
    return kept


def read_back(path: Path, layer: str, crs: str = CRS, **options: object) -> pd.DataFrame:
    """Return the layer that a file holds; nothing may be wrong with it."""
    table = tables.read(path, layer, **options)
    assert [str(p) for p in table.problems if p.severity == "error"] == []
    frame = table.frame
    if schema.LAYERS[layer].geometry is None and isinstance(frame, gpd.GeoDataFrame):
        frame = pd.DataFrame(frame.drop(columns=frame.active_geometry_name))
    found = schema.examine(layer, frame, crs=crs, reproject=True)
    assert [str(p) for p in found.errors] == []
    return found.frame


def assert_same(back: pd.DataFrame, frame: pd.DataFrame) -> None:
    """Check values, types, order of columns, and places to 1 cm."""
    assert list(back.columns) == list(frame.columns)
    for name in frame.columns:
        if name == "geometry":
            continue
        pd.testing.assert_series_equal(back[name], frame[name], check_exact=True)
    if isinstance(frame, gpd.GeoDataFrame):
        assert back.crs == frame.crs
        moved = shapely.hausdorff_distance(back.geometry.to_numpy(), frame.geometry.to_numpy())
        assert moved.max() < 0.01
        assert (back.geom_type == frame.geom_type).all()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("layer", list(samples.LAYERS))
def test_every_layer_comes_back_from_every_format(layer: str, suffix: str, tmp_path: Path) -> None:
    frame = stored(layer, samples.LAYERS[layer]())
    path = tmp_path / f"lớp{suffix}"
    report = exporters.export_layer(frame, layer, path)
    assert (report.rows, report.notes) == (len(frame), [])
    assert_same(read_back(path, layer), frame)
    assert [child.name for child in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_odd_text_and_empty_values_come_back(suffix: str, tmp_path: Path) -> None:
    villages = gpd.GeoDataFrame(
        {
            "village_id": [f"0{k}" for k in range(len(ODD))],
            "name": ODD,
            "zone_code": [None, *ODD[:-1]],
            "population": [np.nan, 0.1 + 0.2, 1e-7, *np.linspace(0, 1e8, len(ODD) - 3) / 3],
            "ghi chú": [*ODD[1:], None],
        },
        geometry=[Point(X + k / 7, Y - k / 11) for k in range(len(ODD))],
        crs=CRS,
    )
    frame = stored("villages", villages)
    assert len(frame) == len(ODD)
    path = tmp_path / f"làng{suffix}"
    exporters.export_layer(frame, "villages", path)
    assert_same(read_back(path, "villages"), frame)


@pytest.mark.parametrize("suffix", [".gpkg", ".zip", ".kml", ".kmz"])
def test_types_of_columns_that_no_layer_declares_come_back(suffix: str, tmp_path: Path) -> None:
    masts = samples.masts(4)
    masts["count"] = [1, -2, 3, 2**40]
    masts["share"] = [0.1, np.nan, 1 / 3, 1e-20]
    masts["checked"] = [True, False, True, True]
    masts["an_unknown_column_with_a_long_name"] = ["a", None, "c", "d"]
    masts["an_unknown_column_with_a_long_nose"] = ["x", None, "z", "w"]
    frame = stored("masts", masts)
    path = tmp_path / f"cột{suffix}"
    exporters.export_layer(frame, "masts", path)
    assert_same(read_back(path, "masts"), frame)


def polygon_with_hole() -> gpd.GeoDataFrame:
    zones = samples.zones().iloc[[0, 1]].copy()
    hole = [(X + 9_000, Y + 100), (X + 9_100, Y + 100), (X + 9_100, Y + 200)]
    outer = Polygon([(X, Y), (X + 10_000, Y), (X + 10_000, Y + 5_000), (X, Y + 5_000)], [hole])
    island = Polygon(box(X + 20_000, Y, X + 20_010.123, Y + 10.456))
    zones["geometry"] = gpd.GeoSeries(
        [shapely.MultiPolygon([outer, island]), zones.geometry.iloc[1]], crs=CRS, index=zones.index
    )
    return zones


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("crs", [CRS, VN_2000])
def test_holes_and_islands_come_back(suffix: str, crs: str, tmp_path: Path) -> None:
    frame = stored("zones", polygon_with_hole().set_crs(crs, allow_override=True), crs)
    path = tmp_path / f"vùng{suffix}"
    exporters.export_layer(frame, "zones", path)
    back = read_back(path, "zones", crs)
    assert_same(back, frame)
    assert np.allclose(back.area, frame.area, atol=1)


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".zip", ".gpkg"])
def test_another_crs_can_be_asked_for(suffix: str, tmp_path: Path) -> None:
    roads = stored("roads", samples.roads())
    path = tmp_path / f"đường{suffix}"
    report = exporters.export_layer(roads, "roads", path, crs=VN_2000)
    assert report.crs == VN_2000
    assert_same(read_back(path, "roads"), roads)


def test_points_of_a_table_in_metres(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "cột.csv"
    exporters.export_layer(workspace, "masts", path, crs=VN_2000, byte_order_mark=False)
    assert path.read_text(encoding="utf-8").splitlines()[0].endswith(",x,y")
    other = samples.workspace(tmp_path / "w")
    import_layer(other, "masts", path, coordinates=("x", "y", VN_2000))
    assert_same(other.read("masts"), workspace.read("masts"))


def test_boundaries_longer_than_a_cell_of_excel(tmp_path: Path) -> None:
    zones = samples.zones().iloc[[0, 1]].copy()
    angle = np.linspace(0, 2 * np.pi, 5_000)
    ring = Polygon(np.c_[X + 5_000 * np.cos(angle), Y + 5_000 * np.sin(angle)])
    zones["geometry"] = gpd.GeoSeries([ring, zones.geometry.iloc[1]], crs=CRS, index=zones.index)
    frame = stored("zones", zones)
    for suffix in (".xlsx", ".csv"):
        path = tmp_path / f"vùng{suffix}"
        exporters.export_layer(frame, "zones", path)
        assert_same(read_back(path, "zones"), frame)
    book = openpyxl.load_workbook(tmp_path / "vùng.xlsx", read_only=True)
    longest = max(len(str(cell or "")) for row in book["zones"].values for cell in row)
    assert 30_000 < longest <= 32_767


def test_formulas_are_text_in_other_programs(tmp_path: Path) -> None:
    villages = samples.villages()
    villages["name"] = ["=HYPERLINK(1)", "+1"]
    exporters.export_layer(villages, "villages", tmp_path / "a.csv")
    exporters.export_layer(villages, "villages", tmp_path / "a.xlsx")
    text = (tmp_path / "a.csv").read_text(encoding="utf-8-sig")
    assert [row["name"] for row in csv.DictReader(io.StringIO(text))] == ["'=HYPERLINK(1)", "'+1"]
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx")["villages"]
    cells = [sheet["B2"], sheet["B3"]]
    assert [(cell.value, cell.data_type) for cell in cells] == [
        ("=HYPERLINK(1)", "s"),
        ("+1", "s"),
    ]


def test_dates_are_dates_in_excel_and_shapefiles(tmp_path: Path) -> None:
    zones = samples.zones().assign(valid_from="2025-07-01", valid_to=[None, "2030-12-31", None])
    frame = stored("zones", zones)
    for suffix in (".xlsx", ".zip"):
        path = tmp_path / f"vùng{suffix}"
        exporters.export_layer(frame, "zones", path)
        assert_same(read_back(path, "zones"), frame)
    sheet = openpyxl.load_workbook(tmp_path / "vùng.xlsx")["zones"]
    header = [cell.value for cell in sheet[1]]
    assert sheet.cell(2, header.index("valid_from") + 1).is_date
    shape = pyogrio.read_dataframe(f"/vsizip/{tmp_path}/vùng.zip/vùng.shp")
    assert str(shape["valid_from"].dtype).startswith("datetime64")


def test_text_that_is_too_long_for_a_format_is_said(tmp_path: Path) -> None:
    villages = samples.villages()
    villages["name"] = ["Đ" * 200, "ngắn"]
    report = exporters.export_layer(villages, "villages", tmp_path / "a.zip")
    assert "1 texts of the column name were cut to 254 bytes" in str(report.notes[0])
    assert read_back(tmp_path / "a.zip", "villages")["name"].tolist() == ["Đ" * 127, "ngắn"]
    villages["name"] = ["a" * 40_000, "ngắn"]
    report = exporters.export_layer(villages, "villages", tmp_path / "a.xlsx")
    assert "cut to 32767 characters" in str(report.notes[0])


def test_columns_that_a_format_needs_for_itself_get_another_name(tmp_path: Path) -> None:
    masts = samples.masts().assign(Lon="a", x="b")
    report = exporters.export_layer(masts, "masts", tmp_path / "a.csv")
    assert [str(note) for note in report.notes] == [
        "the column Lon is called Lon_2",
        "the column x is called x_2",
    ]
    back = read_back(tmp_path / "a.csv", "masts")
    assert back["Lon_2"].tolist() == ["a", "a", "a"]
    assert back.geometry.distance(samples.masts().geometry).max() < 0.01
    report = exporters.export_layer(samples.masts().assign(FID=1), "masts", tmp_path / "a.gpkg")
    assert str(report.notes[0]) == "the column FID is called FID_2"


def test_other_programs_read_the_files(workspace: Workspace, tmp_path: Path) -> None:
    for suffix, inside in ((".kml", ""), (".geojson", ""), (".zip", "/a.shp"), (".gpkg", "")):
        path = tmp_path / f"a{suffix}"
        exporters.export(workspace, "masts", path)
        there = f"/vsizip/{path}{inside}" if inside else path
        frame = pyogrio.read_dataframe(there).to_crs(CRS)
        moved = frame.geometry.force_2d().distance(workspace.read("masts").geometry)
        assert moved.max() < 0.01
        assert frame["mast_id"].tolist() == ["M0", "M1", "M2"]
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert sorted(archive.namelist()) == [
            f"a{end}" for end in (".columns.json", ".cpg", ".dbf", ".prj", ".shp", ".shx")
        ]
    collection = json.loads((tmp_path / "a.geojson").read_text(encoding="utf-8"))
    assert collection["features"][0]["properties"]["name"] == "Cột số 0 – Đồng Văn"
    exporters.export(workspace, "zones", tmp_path / "v.geojson")
    zone = json.loads((tmp_path / "v.geojson").read_text(encoding="utf-8"))["features"][0]
    assert shapely.geometry.shape(zone["geometry"]).geoms[0].exterior.is_ccw


def test_a_whole_workspace_moves_by_files(workspace: Workspace, tmp_path: Path) -> None:
    other = Workspace.create(tmp_path / "w", samples.AREA)
    for layer in ("zones", "masts", "cells", "villages", "roads"):
        path = tmp_path / f"{layer}.zip"
        exporters.export(workspace, layer, path)
        import_layer(other, layer, path)
        assert_same(other.read(layer), workspace.read(layer))


# Bad requests


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("a.shp", {}, "a Shapefile is several files"),
        ("a.docx", {}, "the ending says no format"),
        ("a", {"format": "pdf"}, "There is no format pdf"),
        ("không/a.csv", {}, "There is no folder"),
        (".", {"format": "csv"}, "is a folder"),
        ("a.kml", {"crs": "EPSG:32648"}, "always in longitude and latitude"),
        ("a.csv", {"crs": "EPSG:1"}, "no coordinate reference system EPSG:1"),
    ],
)
def test_what_cannot_be_exported(
    workspace: Workspace, tmp_path: Path, name: str, options: dict[str, str], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        exporters.export_layer(workspace, "masts", tmp_path / name, **options)
    with pytest.raises(InputError, match="no layer towers"):
        exporters.export(workspace, "towers", tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("at", [0.0, 0.05, 0.9])
def test_a_cancelled_export_leaves_the_old_file(
    workspace: Workspace, tmp_path: Path, suffix: str, at: float
) -> None:
    def cancel(fraction: float) -> None:
        if fraction >= at:
            raise CancelledError

    path = tmp_path / f"a{suffix}"
    path.write_text("old")
    with pytest.raises(CancelledError):
        exporters.export(workspace, "cells", path, on_progress=cancel)
    assert path.read_text() == "old"
    assert [child.name for child in tmp_path.iterdir()] == [path.name]


def test_progress_only_grows(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        seen: list[float] = []
        exporters.export_layer(
            samples.cells(9_000), "cells", tmp_path / f"a{suffix}", on_progress=seen.append
        )
        assert seen == sorted(seen)
        assert (seen[0], seen[-1]) == (0.0, 1.0)


# Any frame of any layer

TEXTS = st.one_of(
    st.none(),
    st.sampled_from(ODD),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
)


@st.composite
def any_frame(draw: st.DrawFn) -> tuple[str, pd.DataFrame]:
    """Return rows of a layer with whatever its columns allow, and more."""
    layer = draw(st.sampled_from(list(schema.LAYERS.values())))
    count = draw(st.integers(1, 4))
    columns: dict[str, list[object]] = {}
    for name, column in layer.table.columns.items():
        values = TEXTS
        limits = {check.name: check.statistics for check in column.checks}
        kind = (column.metadata or {})["kind"]
        if name == layer.key:
            columns[name] = [f"0{k}" for k in range(count)]
            continue
        if "isin" in limits:
            values = st.sampled_from(limits["isin"]["allowed_values"])
        elif kind in ("number", "whole"):
            low = limits.get("greater_than_or_equal_to", {}).get("min_value", 1e-9)
            high = limits.get("less_than_or_equal_to", {}).get("max_value", 1e12)
            values = (
                st.floats(low, high) if kind == "number" else st.integers(int(low) + 1, int(high))
            )
        elif kind == "flag":
            values = st.booleans()
        elif kind == "date":
            values = st.one_of(st.none(), st.dates().map(str))
        if kind != "flag" and column.nullable:
            values = st.one_of(st.none(), values)
        columns[name] = [draw(values) for _ in range(count)]
    columns["thêm"] = [draw(TEXTS) for _ in range(count)]
    frame = pd.DataFrame(
        {name: pd.Series(values, dtype=object) for name, values in columns.items()}
    )
    if layer.geometry is None:
        return layer.name, frame
    offsets = st.floats(0, 50_000, allow_nan=False)
    shapes = []
    for _ in range(count):
        x, y, size = X + draw(offsets), Y + draw(offsets), 1 + draw(offsets)
        shapes.append(
            {
                "Point": Point(x, y),
                "LineString": LineString([(x, y), (x + size, y), (x, y + size)]),
                "Polygon": box(x, y, x + size, y + size / 3),
            }[layer.geometry]
        )
    return layer.name, gpd.GeoDataFrame(frame, geometry=shapes, crs=CRS)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(made=any_frame(), suffix=st.sampled_from(SUFFIXES))
def test_any_frame_comes_back(
    made: tuple[str, pd.DataFrame], suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    layer, frame = made
    found = schema.examine(layer, frame, crs=CRS)
    frame = found.frame.loc[~found.faulty].reset_index(drop=True)
    if not len(frame):
        return
    path = tmp_path_factory.mktemp("any") / f"a{suffix}"
    exporters.export_layer(frame, layer, path)
    back = read_back(path, layer)
    assert_same(back, frame)
