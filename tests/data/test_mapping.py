"""Foreign columns find their names here, or the user is asked."""

from __future__ import annotations

import io
import unicodedata
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import importers, schema
from data.errors import InputError, ValidationError
from data.importers import choices, legacy_vietnamese, mapping, units
from data.store import Workspace
from tests.data import samples
from tests.data.samples import REAL


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace.create(tmp_path / "w", samples.AREA)
    workspace.write({"zones": samples.zones()}, {"zones": REAL})
    return workspace


def columns_of(layer: str, *names: str) -> dict[str, str]:
    return mapping.suggest(layer, names).mapping


@pytest.mark.parametrize("layer", list(schema.LAYERS))
def test_every_name_of_the_table_is_for_a_column_and_found(layer: str) -> None:
    index = mapping.names_of(layer)
    places = set(mapping.PLACES) if schema.LAYERS[layer].geometry == "Point" else set()
    assert set(index) == {*schema.LAYERS[layer].columns} | places
    for column, names in index.items():
        for name in names:
            assert mapping.is_known(layer, name)
            found = mapping.suggest(layer, [name]).columns[0]
            assert column in found.ours, (name, found)


def test_the_table_names_only_what_there_is() -> None:
    table = pd.read_csv(Path(mapping.__file__).with_name("column_names.csv"))
    for layer, column in zip(table["layer"], table["column"], strict=True):
        if layer == "*":
            assert any(column in mapping.names_of(name) for name in schema.LAYERS)
        else:
            assert column in mapping.names_of(layer)
    table = pd.read_csv(Path(choices.__file__).with_name("choice_names.csv"))
    for layer, column, value in zip(table["layer"], table["column"], table["value"], strict=True):
        names = [name for name in schema.LAYERS if column in schema.LAYERS[name].columns]
        known = [value in choices.options(name, column) for name in names if layer in ("*", name)]
        # What holds for any layer need not be a value of all of them.
        assert any(known)


def test_vietnamese_and_english_headers() -> None:
    assert columns_of(
        "masts",
        "STT",
        "Mã trạm",
        "Tên trạm",
        "Địa chỉ",
        "Kinh độ",
        "Vĩ độ",
        "Chiều cao cột (m)",
        "Loại cột",
        "Chủ sở hữu",
        "Ghi chú",
    ) == {
        "Mã trạm": "mast_id",
        "Tên trạm": "name",
        "Kinh độ": "lon",
        "Vĩ độ": "lat",
        "Chiều cao cột (m)": "height_m",
        "Loại cột": "mast_class",
        "Chủ sở hữu": "owner",
    }
    assert columns_of(
        "cells",
        "Cell ID",
        "Site ID",
        "Operator",
        "Technology",
        "Frequency (MHz)",
        "BW",
        "Tx Power [W]",
        "Antenna gain (dBi)",
        "Azimuth",
        "Total tilt",
        "Antenna height (m)",
    ) == {
        "Cell ID": "cell_id",
        "Site ID": "mast_id",
        "Operator": "operator",
        "Technology": "technology",
        "Frequency (MHz)": "frequency_mhz",
        "BW": "bandwidth_mhz",
        "Tx Power [W]": "power_dbm",
        "Antenna gain (dBi)": "antenna_gain_dbi",
        "Azimuth": "azimuth_deg",
        "Total tilt": "tilt_deg",
        "Antenna height (m)": "antenna_height_m",
    }


NAMES = [
    (layer, column, name)
    for layer in ("masts", "cells")
    for column, names in mapping.names_of(layer).items()
    for name, rank in names.items()
    if rank == 0
]


@settings(max_examples=200, deadline=None)
@given(
    chosen=st.sampled_from(NAMES),
    case=st.sampled_from([str.lower, str.upper, str.title, str.capitalize]),
    joint=st.sampled_from([" ", "_", "-", "  ", "."]),
    marks=st.sampled_from(["NFC", "NFD", "none"]),
    around=st.sampled_from(["{}", " {} ", "{} ", "{}:"]),
)
def test_spelling_does_not_matter(chosen, case, joint, marks, around) -> None:
    layer, column, name = chosen
    written = around.format(case(joint.join(name.split())))
    if marks == "none":
        written = "".join(
            char
            for char in unicodedata.normalize("NFD", written.replace("đ", "d").replace("Đ", "D"))
            if not unicodedata.combining(char)
        )
    else:
        written = unicodedata.normalize(marks, written)
    assert column in mapping.suggest(layer, [written]).columns[0].ours


def test_our_own_names_go_before_others() -> None:
    found = mapping.suggest("masts", ["mast_id", "Site ID", "height_m", "Height"])
    assert found.mapping == {"mast_id": "mast_id", "height_m": "height_m"}
    assert not found.questions


def test_two_columns_for_one_are_a_question() -> None:
    found = mapping.suggest("masts", ["Mã trạm", "Site ID", "Chiều cao"])
    assert found.mapping == {"Chiều cao": "height_m"}
    said = [str(question) for _, question in found.questions]
    assert said == [
        "it may be mast_id, and so may Site ID",
        "it may be mast_id, and so may Mã trạm",
    ]


def test_a_name_that_is_only_near_is_suggested_but_not_taken() -> None:
    found = mapping.suggest("cells", ["Frequenzy", "Azimut h", "Zzz"])
    assert found.mapping == {}
    assert [each.ours[:1] for each in found.columns] == [("frequency_mhz",), ("azimuth_deg",), ()]
    assert {each.confidence for each in found.columns} == {"near", None}


def test_degrees_go_before_a_grid() -> None:
    assert columns_of("masts", "X", "Y", "Tọa độ X", "Tọa độ Y") == {"X": "x", "Y": "y"}
    assert columns_of("masts", "X VN2000", "Y VN2000", "Kinh độ", "Vĩ độ") == {
        "Kinh độ": "lon",
        "Vĩ độ": "lat",
    }


# Importing

HEADER = ["STT", "Mã trạm", "Tên trạm", "Kinh độ", "Vĩ độ", "Cao cột (m)", "Tình trạng", "Ghi chú"]
ROW = [1, "HNM001", "Đồng Văn", 105.98, 20.45, 42, "Đang hoạt động", "x"]


def workbook(*rows: list[object]) -> bytes:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def test_a_carriers_workbook_goes_in_as_it_is(workspace: Workspace) -> None:
    content = workbook(["DANH SÁCH TRẠM BTS TỈNH HÀ NAM"], [], HEADER, ROW)
    report = importers.import_layer(workspace, "masts", content, file_name="trạm.xlsx")
    mast = workspace.read("masts").iloc[0]
    assert (mast["mast_id"], mast["name"], mast["height_m"]) == ("HNM001", "Đồng Văn", 42.0)
    assert (mast["status"], mast["Ghi chú"]) == ("existing", "x")
    taken = {each.theirs: each.ours for each in report.columns if each.ours}
    assert taken["Cao cột (m)"] == "height_m"
    said = [str(problem) for problem in report.problems]
    assert any("'Đang hoạt động' in 1 rows (read as existing)" in text for text in said)
    method = workspace.provenance()["masts"].method
    assert method.startswith("import from excel; columns: mast_id = Mã trạm")
    assert method.endswith("places in EPSG:4326")


def test_an_ambiguous_file_is_asked_about(workspace: Workspace) -> None:
    content = workbook([*HEADER, "Site ID"], [*ROW, "S1"])
    with pytest.raises(ValidationError, match="column mast_id: the column is missing"):
        importers.import_layer(workspace, "masts", content)
    seen = importers.preview(workspace, "masts", content)
    maybe = {each.theirs: each.maybe for each in seen.columns if each.maybe}
    assert maybe == {"Mã trạm": ("mast_id",), "Site ID": ("mast_id",)}
    importers.import_layer(workspace, "masts", content, mapping={"Site ID": "mast_id"})
    assert workspace.read("masts")["mast_id"].tolist() == ["S1"]


def test_what_was_decided_is_kept_for_files_with_the_same_columns(workspace: Workspace) -> None:
    header = ["Ký tự", *HEADER[2:]]
    row = ["K1", *ROW[2:]]
    first = workbook(header, row)
    with pytest.raises(ValidationError):
        importers.import_layer(workspace, "masts", first)
    decided = {"Ký tự": "mast_id"}
    importers.import_layer(workspace, "masts", first, mapping=decided, units={"height_m": "ft"})
    assert workspace.read("masts")["height_m"].tolist() == [pytest.approx(42 * 0.3048)]
    # Again, in another order, from another process, without saying anything.
    second = workbook(header[::-1], ["K2", *ROW[2:]][::-1])
    again = Workspace.open(workspace.folder)
    report = importers.import_layer(again, "masts", second)
    mast = again.read("masts").iloc[0]
    assert (mast["mast_id"], mast["height_m"]) == ("K2", pytest.approx(42 * 0.3048))
    assert any(
        "mast_id = Ký tự" in str(p) and "same columns before" in str(p) for p in report.problems
    )
    # What is said now goes before what was said then.
    report = importers.import_layer(again, "masts", second, units={"height_m": "m"})
    assert again.read("masts")["height_m"].tolist() == [42.0]
    # Another set of columns is another file.
    with pytest.raises(ValidationError):
        importers.import_layer(again, "masts", workbook([*header, "Thêm"], [*row, 1]))
    assert importers.forget(again, "masts", second)
    assert not importers.forget(again, "masts", second)
    with pytest.raises(ValidationError):
        importers.import_layer(again, "masts", second)


def test_a_failed_import_decides_nothing(workspace: Workspace) -> None:
    content = workbook(["Ký tự", *HEADER[2:]], ["K1", "x", 105.98, 20.45, "cao", "", ""])
    with pytest.raises(ValidationError):
        importers.import_layer(workspace, "masts", content, mapping={"Ký tự": "mast_id"})
    assert mapping.remembered(workspace, "masts", ["Ký tự", *HEADER[2:]]) is None


def test_damaged_decisions_count_as_none(workspace: Workspace) -> None:
    (workspace.folder / "import_settings.json").write_text("[1, 2", encoding="utf-8")
    assert mapping.remembered(workspace, "masts", ["a"]) is None
    mapping.remember(workspace, "masts", ["a"], mapping.Settings({"a": "mast_id"}))
    assert mapping.remembered(workspace, "masts", ["a"]) == mapping.Settings({"a": "mast_id"})
    (workspace.folder / "import_settings.json").write_text('{"masts": 5}', encoding="utf-8")
    assert mapping.remembered(workspace, "masts", ["a"]) is None


def test_a_column_can_take_the_name_of_another(workspace: Workspace) -> None:
    content = b"mast_id,name,Anten,height_m,lon,lat\nM1,a,35,42,105.98,20.45\n"
    importers.import_layer(workspace, "masts", content, mapping={"Anten": "height_m"})
    mast = workspace.read("masts").iloc[0]
    assert (mast["height_m"], mast["height_m_2"]) == (35.0, "42")


def test_a_column_can_be_left_as_it_is(workspace: Workspace) -> None:
    content = workbook(HEADER, ROW)
    importers.import_layer(workspace, "masts", content, mapping={"Tên trạm": ""})
    masts = workspace.read("masts")
    assert masts["name"].isna().all()
    assert masts["Tên trạm"].tolist() == ["Đồng Văn"]
    importers.import_layer(workspace, "masts", content)
    assert workspace.read("masts")["name"].isna().all()
    content = b"mast_id,name,height_m,lon,lat\nM1,a,35,105.98,20.45\n"
    importers.import_layer(workspace, "masts", content, mapping={"name": ""})
    assert workspace.read("masts")[["name_2"]].to_numpy().tolist() == [["a"]]


def test_shapes_in_vn2000_go_the_official_way(workspace: Workspace, tmp_path: Path) -> None:
    masts = samples.masts(2).to_crs("EPSG:5897")
    path = tmp_path / "cột.gpkg"
    masts.rename(columns={"height_m": "Chiều cao (m)"}).to_file(path, layer="cột", engine="pyogrio")
    importers.import_layer(workspace, "masts", path)
    back = workspace.read("masts")
    assert back["height_m"].tolist() == [42.0, 42.0]
    assert back.geometry.distance(samples.masts(2).geometry).max() < 0.01
    assert "places in VN-2000 3° 105°00' (EPSG:5897)" in workspace.provenance()["masts"].method


def test_swapped_columns_can_be_swapped_back(workspace: Workspace) -> None:
    content = b"mast_id,height_m,lon,lat\nM1,35,20.45,105.98\n"
    with pytest.raises(ValidationError, match="look swapped"):
        importers.import_layer(workspace, "masts", content)
    swap = {"lon": "lat", "lat": "lon"}
    importers.import_layer(workspace, "masts", content, mapping=swap)
    assert workspace.read("masts").to_crs(4326).geometry.x.tolist() == [pytest.approx(105.98)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"Không": "height_m"}, "has no column Không, which the mapping names"),
        ({"Ghi chú": "colour"}, "colour, which is not a column of masts"),
        ({"Ghi chú": "name", "STT": "name"}, "the column name twice"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(workspace, given, said) -> None:
    with pytest.raises(InputError, match=said):
        importers.import_layer(workspace, "masts", workbook(HEADER, ROW), mapping=given)
    assert not workspace.has("masts")


@pytest.mark.parametrize("encoding", [legacy_vietnamese.TCVN3, legacy_vietnamese.VNI])
def test_a_workbook_typed_in_an_old_font(workspace: Workspace, encoding: str) -> None:
    def typed(values: list[object]) -> list[object]:
        return [
            legacy_vietnamese.as_typed(value, encoding) if isinstance(value, str) else value
            for value in values
        ]

    content = workbook(typed(HEADER), typed(ROW))
    report = importers.import_layer(workspace, "masts", content)
    mast = workspace.read("masts").iloc[0]
    assert (mast["mast_id"], mast["name"], mast["height_m"]) == ("HNM001", "Đồng Văn", 42.0)
    assert "Ghi chú" in workspace.read("masts").columns
    said = [str(problem) for problem in report.problems]
    assert any(f"old Vietnamese encoding {encoding}" in text for text in said)


def test_the_encoding_can_be_stated(workspace: Workspace) -> None:
    text = "mast_id,name,height_m,lon,lat\nM1,Hµ,42,105.98,20.45\n"
    importers.import_layer(workspace, "masts", text.encode("cp1252"), encoding="tcvn3")
    assert workspace.read("masts")["name"].tolist() == ["Hà"]
    about = workspace.provenance()["masts"]
    importers.import_layer(workspace, "masts", text.encode("utf-16"), encoding="utf-16")
    assert workspace.read("masts")["name"].tolist() == ["Hµ"]
    assert workspace.provenance()["masts"].sha256 != about.sha256
    with pytest.raises(InputError, match="no encoding klingon"):
        importers.preview(workspace, "masts", text.encode(), encoding="klingon")
    with pytest.raises(InputError, match="is not text in ascii"):
        importers.preview(workspace, "masts", text.encode("cp1252"), encoding="ascii")


def test_units_in_names_do_not_hide_them() -> None:
    for name in ("Chiều cao (ft)", "Height_ft", "height [m]", "HEIGHT, m", "Chiều cao cột(m)"):
        assert columns_of("masts", name) == {name: "height_m"}
    assert units.in_name("Chiều cao (ft)") == "ft"
    assert columns_of("masts", "Tên (nếu có)") == {}
