"""Drive-test files: rows that can be used, rows that cannot and why."""

from pathlib import Path

import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import InputError, ValidationError
from data.importers import measurements

CRS = "EPSG:32648"
BOUNDS = (580_000.0, 2_250_000.0, 620_000.0, 2_290_000.0)


def read(text: str, **options: object) -> measurements.Measurements:
    return measurements.read(text.encode(), crs=CRS, file="drive.csv", **options)  # type: ignore[arg-type]


def said(found: measurements.Measurements) -> list[str]:
    return [str(problem.message) for problem in found.problems]


def test_degrees_become_metres_of_the_study_area() -> None:
    found = read("lat,lon,level_dbm,cell_id,time\n20.5,105.9,-95.5,A1,10:00\n")
    x, y = pyproj.Transformer.from_crs(4326, CRS, always_xy=True).transform(105.9, 20.5)
    row = found.frame.iloc[0]
    assert (row.x_m, row.y_m) == pytest.approx((x, y))
    assert row.level_dbm == -95.5
    assert row.cell_id == "A1"
    assert row.time == "10:00"
    assert found.frame.index.tolist() == [2]
    assert found.frame["frequency_mhz"].isna().all()
    assert found.problems == []


@pytest.mark.parametrize(
    "text",
    [
        "x_m;y_m;RSRP;Cell;freq\n600000,5;2270000;-95,5;7;1800\n",
        "Easting\tNorthing\tLevel\tCI\tFrequency\n600000.5\t2270000\t-95.5\t7\t1800\n",
        "\ufeffx,y,rscp,cellid,freq_mhz\r\n600000.5,2270000,-95.5,7,1800\r\n\r\n",
    ],
)
def test_names_delimiters_and_decimal_commas(text: str) -> None:
    row = read(text).frame.iloc[0]
    assert (row.x_m, row.y_m, row.level_dbm) == (600_000.5, 2_270_000.0, -95.5)
    assert (row.cell_id, row.frequency_mhz) == ("7", 1800.0)


def test_each_fault_names_its_row_and_the_others_are_kept() -> None:
    text = (
        "lat,lon,level_dbm,cell_id,frequency_mhz\n"
        "20.5,105.9,-95,A1,1800\n"
        "20.5,105.9,95,A1,\n"
        "north,105.9,-95,A1,\n"
        "20.5,105.9,-95,Z9,\n"
        "20.5,105.9,,A1,\n"
        "105.9,20.5,-95,A1,\n"
        "10.5,105.9,-95,A1,\n"
        "89,20.5,-95,A1,\n"
        "20.5,105.9,-95,A1,1800,surplus\n"
        "20.5,105.9,-95,,\n"
        "20.5,105.9,-95,A1,fast\n"
        "20.5,105.9,-101.5,A1,\n"
    )
    found = read(text, cell_ids=["A1", "A2"], bounds=BOUNDS)
    assert found.frame.index.tolist() == [2, 13]
    assert found.rows_read == 12
    assert said(found) == [
        "drive.csv, row 3, column level_dbm: 95 (expected a number from -150 to -10 dBm)",
        "drive.csv, row 4, column lat: 'north' (expected a number from -90 to 90 degrees)",
        "drive.csv, row 5, column cell_id: 'Z9' (expected a cell of the layer cells, which has 2)",
        "drive.csv, row 6, column level_dbm: '' (expected a number from -150 to -10 dBm)",
        "drive.csv, row 7, column lat: 105.9 (expected a number from -90 to 90 degrees)",
        "drive.csv, row 8, column lat: 10.5 (expected a place within 100 km of the study area)",
        "drive.csv, row 9, column lat: 89 (expected a place within 100 km of the study area)",
        "drive.csv, row 10: the row has 6 values (expected 5, one for each column)",
        "drive.csv, row 11, column cell_id: '' (expected the identifier of a cell)",
        "drive.csv, row 12, column frequency_mhz: 'fast' (expected a number from 30 to 100000 MHz)",
    ]
    with pytest.raises(ValidationError) as caught:
        read(text, cell_ids=["A1", "A2"], bounds=BOUNDS, strict=True)
    assert len(caught.value.problems) == 10


def test_swapped_coordinates_are_recognised_where_both_are_possible_degrees() -> None:
    found = measurements.read(
        b"lat,lon,level_dbm,cell_id\n15.0,60.0,-95,A\n",
        crs="EPSG:32633",
        bounds=(400_000.0, 6_600_000.0, 600_000.0, 6_700_000.0),
        file="drive.csv",
    )
    assert said(found) == ["drive.csv, row 2, column lat: 15.0 (lat and lon seem to be swapped)"]


def test_a_column_may_be_named_by_the_user() -> None:
    text = "lat,lon,RSRP_serving,cell_id\n20.5,105.9,-95,A1\n"
    found = read(text, mapping={"level_dbm": "RSRP_serving"})
    assert found.frame["level_dbm"].tolist() == [-95.0]
    with pytest.raises(InputError, match="there is no column SINR"):
        read(text, mapping={"level_dbm": "SINR"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty"),
        ("lat,lon,level_dbm,cell_id\n", "no rows below the header"),
        ("lat,level_dbm,cell_id\n1,2,3\n", "column lon is missing"),
        ("lat,lon,cell_id\n1,2,3\n", "column level_dbm is missing"),
        ("lat,lat,lon,level_dbm,cell_id\n1,1,2,3,4\n", "column lat is there twice"),
        ("Dear all,\nno table here\n", "column lat is missing"),
        ("\x00\x01\x02", "not a text table"),
    ],
)
def test_files_that_are_no_such_table(text: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected) as caught:
        read(text)
    assert str(caught.value).startswith("drive.csv")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: the file cannot be read"):
        measurements.read(tmp_path / "none.csv", crs=CRS)


@given(st.lists(st.text(max_size=12), min_size=4, max_size=4))
def test_any_values_give_a_row_or_a_fault(values: list[str]) -> None:
    row = ",".join('"' + value.replace('"', "") + '"' for value in values)
    text = "lat,lon,level_dbm,cell_id\n20.5,105.9,-95,A1\n" + row + "\n"
    try:
        found = read(text, bounds=BOUNDS)
    except InputError as error:
        assert "not a text table" in str(error)  # noqa: PT017
        return
    faulty = {problem.row for problem in found.problems if problem.severity == "error"}
    assert 2 in found.frame.index
    assert not faulty & set(found.frame.index)
    assert found.frame[["x_m", "y_m", "level_dbm"]].notna().all(axis=None)
