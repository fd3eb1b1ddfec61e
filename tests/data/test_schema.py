"""Every fault is found, and named by file, row, column, value and expectation."""

from __future__ import annotations

import time

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from data import schema
from data.errors import InputError, Problem, ValidationError
from tests.data import samples
from tests.data.samples import CRS, X, Y


def problems_of(layer: str, frame: pd.DataFrame, **options: object) -> list[Problem]:
    return schema.examine(layer, frame, file="tệp.csv", **options).problems  # type: ignore[arg-type]


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, [str(problem) for problem in problems]
    return problems[0]


@pytest.mark.parametrize("layer", list(schema.LAYERS))
def test_a_sound_frame_has_no_problem_and_keeps_its_values(layer: str) -> None:
    frame = samples.LAYERS[layer]()
    found = schema.examine(layer, frame, crs=CRS, context={"masts": samples.masts()})
    assert found.problems == []
    assert not found.faulty.any()
    assert list(found.frame.columns)[: len(schema.LAYERS[layer].columns)] == (
        schema.LAYERS[layer].columns
    )
    for column in set(frame.columns) - {"geometry"}:
        left, right = found.frame[column], frame[column]
        assert (left.isna() == right.isna()).all()
        assert (left[left.notna()] == right[right.notna()]).all()
    again = schema.examine(layer, found.frame, crs=CRS)
    pd.testing.assert_frame_equal(
        pd.DataFrame(again.frame.drop(columns="geometry", errors="ignore")),
        pd.DataFrame(found.frame.drop(columns="geometry", errors="ignore")),
    )


def test_every_column_is_declared_with_description_and_unit_where_its_name_has_one() -> None:
    suffixes = {"m": "m", "mhz": "MHz", "dbm": "dBm", "dbi": "dBi", "db": "dB", "deg": "deg"}
    for layer in schema.LAYERS.values():
        for name, column in layer.table.columns.items():
            assert column.description
            suffix = name.rsplit("_", 1)[-1]
            if suffix in suffixes:
                assert layer.unit(name) == suffixes[suffix], name


def test_all_faults_are_found_at_once_and_named() -> None:
    frame = samples.cells(6).astype({"antenna_height_m": object, "power_dbm": object})
    frame.loc[0, "technology"] = "6G"
    frame.loc[1, "antenna_height_m"] = 0
    frame.loc[2, "power_dbm"] = "mạnh"
    frame.loc[3, "cell_id"] = "C0"
    frame.loc[4, "mast_id"] = "M9"
    frame.loc[5, "frequency_mhz"] = np.inf
    found = schema.examine("cells", frame, file="cells.csv", context={"masts": samples.masts()})
    said = """
cells.csv, row 2, column technology: '6G' (expected one of 2G, 3G, 4G, 5G)
cells.csv, row 3, column antenna_height_m: 0 (expected a number greater than 0 and at most 1000 m)
cells.csv, row 4, column power_dbm: 'mạnh' (expected a number from -30 to 80 dBm)
cells.csv, row 5, column cell_id: 'C0' (expected a value that no other row has; row 2 has it too)
cells.csv, row 6, column mast_id: 'M9' (expected a mast_id of the layer masts, which has 3)
cells.csv, row 7, column frequency_mhz: inf (expected a number from 30 to 100000 MHz)
"""
    assert [str(problem) for problem in found.problems] == said.strip().splitlines()
    assert found.faulty.all()
    with pytest.raises(ValidationError) as caught:
        schema.validate("cells", frame, context={"masts": samples.masts()})
    assert len(caught.value.problems) == 6


def test_row_numbers_are_those_of_the_file() -> None:
    frame = samples.masts().drop(columns=["max_tenants"])
    frame["height_m"] = [42.0, -1.0, 42.0]
    assert only(problems_of("masts", frame)).row == 3
    assert only(problems_of("masts", frame, row_offset=10)).row == 11
    frame.index = pd.Index([7, 9, 15], name="row")
    assert only(problems_of("masts", frame)).row == 9


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("Height", "height_m"),
        ("height", "height_m"),
        ("hieght_m", "height_m"),
        ("mastid", "mast_id"),
    ],
)
def test_a_misnamed_column_gets_a_suggestion(wrong: str, right: str) -> None:
    problem = only(problems_of("masts", samples.masts().rename(columns={right: wrong})))
    assert (problem.column, problem.row, problem.severity) == (right, None, "error")
    assert f"did you mean the column {wrong}?" in str(problem)


def test_a_missing_column_without_a_near_name_lists_what_is_there() -> None:
    problem = only(problems_of("cells", samples.cells().drop(columns="technology")))
    assert problem.column == "technology"
    assert "the column is missing" in str(problem)


def test_a_misnamed_optional_column_is_a_warning() -> None:
    problem = only(problems_of("cells", samples.cells().rename(columns={"tilt_deg": "tilt"})))
    assert problem.severity == "warning"
    assert "did you mean the column tilt?" in str(problem)


def test_a_default_that_is_taken_is_told() -> None:
    found = schema.examine("cells", samples.cells().drop(columns=["load", "feeder_loss_db"]))
    assert {problem.column for problem in found.warnings} == {"load", "feeder_loss_db"}
    assert (found.frame["load"] == 0.5).all()
    assert found.errors == []


def test_unknown_columns_are_kept() -> None:
    frame = samples.masts()
    frame["ghi chú"] = ["một", None, "ba"]
    frame["năm"] = [2014, 2015, 2016]
    frame["lẫn lộn"] = [1, "hai", None]
    kept = schema.validate("masts", frame)
    assert kept["ghi chú"].tolist()[::2] == ["một", "ba"]
    assert kept["năm"].tolist() == [2014, 2015, 2016]
    assert kept["lẫn lộn"].tolist()[:2] == ["1", "hai"]


def test_text_that_no_database_holds_is_left_out_of_unknown_columns() -> None:
    frame = samples.masts()
    frame["ghi chú"] = pd.Series(["một", "hai\x00", "\ud800"], dtype=object)
    found = schema.examine("masts", frame)
    assert [(p.row, p.column, p.severity) for p in found.problems] == [
        (3, "ghi chú", "warning"),
        (4, "ghi chú", "warning"),
    ]
    assert found.frame["ghi chú"].isna().tolist() == [False, True, True]


def test_a_column_that_is_there_twice_is_an_error() -> None:
    frame = samples.cells()
    frame = pd.concat([frame, frame[["load"]]], axis=1)
    assert "there twice" in str(only(problems_of("cells", frame)))


@pytest.mark.parametrize("layer", list(schema.LAYERS))
def test_an_empty_layer_is_sound(layer: str) -> None:
    found = schema.examine(layer, schema.empty_frame(layer, CRS), crs=CRS)
    assert found.problems == []
    assert len(found.frame) == 0


def test_unknown_layer_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="no layer towers; known layers: zones, masts"):
        schema.validate("towers", pd.DataFrame())


# Coordinates


def table_of_masts(lon: list[object], lat: list[object]) -> pd.DataFrame:
    frame = pd.DataFrame(samples.masts(len(lon)).drop(columns="geometry"))
    return frame.assign(lon=lon, lat=lat)


def test_points_come_from_lon_and_lat() -> None:
    found = schema.examine(
        "masts", table_of_masts([105.95, "105.96"], [20.45, "20.46"]), crs=CRS, reproject=True
    )
    assert found.problems == []
    there = found.frame.to_crs(4326).geometry
    assert there.x.tolist() == pytest.approx([105.95, 105.96])
    assert there.y.tolist() == pytest.approx([20.45, 20.46])
    assert "lon" not in found.frame


def test_swapped_coordinates_are_recognised_by_range_and_by_area() -> None:
    frame = table_of_masts([20.45, 105.95], [105.95, 20.45])
    problem = only(problems_of("masts", frame, crs=CRS, reproject=True))
    assert (problem.row, problem.column) == (2, "lon")
    assert "longitude and latitude look swapped" in str(problem)
    # Helsinki: both orders are within range, only the area tells.
    area = gpd.GeoDataFrame(
        samples.zones().iloc[:1].drop(columns="geometry"),
        geometry=[box(24.9, 60.1, 25.1, 60.3)],
        crs=4326,
    ).to_crs("EPSG:32635")
    frame = table_of_masts([24.95, 60.2], [60.2, 24.95])
    problem = only(
        problems_of("masts", frame, crs="EPSG:32635", reproject=True, context={"zones": area})
    )
    assert problem.row == 3
    assert "swapped" in str(problem)


@pytest.mark.parametrize(
    ("lon", "lat", "column"),
    [
        (181.0, 20.4, "lon"),
        (105.9, -90.5, "lat"),
        (np.inf, 20.4, "lon"),
        ("105°54'", 20.4, "lon"),
        (105.9, None, "lat"),
        (1e308, 20.4, "lon"),
    ],
)
def test_coordinates_out_of_range(lon: object, lat: object, column: str) -> None:
    frame = table_of_masts([105.95, lon], [20.45, lat])
    problem = only(problems_of("masts", frame, crs=CRS, reproject=True))
    assert (problem.row, problem.column, problem.severity) == (3, column, "error")


def test_points_without_coordinates_say_what_is_needed() -> None:
    found = problems_of("masts", table_of_masts([1], [2]).drop(columns=["lon", "lat"]))
    assert [problem.column for problem in found] == ["lon", "lat"]
    assert "lon and lat in degrees" in str(found[0])


def test_missing_and_wrong_crs() -> None:
    bare = gpd.GeoDataFrame(
        samples.masts().drop(columns="geometry"), geometry=samples.masts().geometry.to_numpy()
    )
    assert "has no CRS" in str(only(problems_of("masts", bare, crs=CRS)))
    degrees = samples.masts().to_crs(4326)
    problem = only(problems_of("masts", degrees, crs=CRS))
    assert "EPSG:4326 (expected EPSG:32648)" in str(problem)
    # Metres that claim to be degrees.
    lying = samples.masts().set_crs(4326, allow_override=True)
    found = problems_of("masts", lying, crs=CRS, reproject=True)
    assert [problem.row for problem in found] == [2, 3, 4]
    # Another zone's metres: every mast far away.
    zone = samples.masts().set_crs("EPSG:32633", allow_override=True)
    found = problems_of("masts", zone, crs=CRS, reproject=True, context={"zones": samples.zones()})
    assert "check the coordinate reference system" in str(found[0])
    assert found[0].severity == "error"


def test_a_mast_outside_the_area_is_kept_with_a_warning() -> None:
    frame = samples.masts()
    frame.loc[1, "geometry"] = Point(X - 3_000, Y)
    found = schema.examine("masts", frame, crs=CRS, context={"zones": samples.zones()})
    problem = only(found.problems)
    assert (problem.row, problem.severity) == (3, "warning")
    assert len(found.frame) == 3
    assert not found.faulty.any()


def test_an_antenna_above_its_mast_is_a_warning() -> None:
    frame = samples.cells()
    frame.loc[2, "antenna_height_m"] = 50.0
    problem = only(problems_of("cells", frame, context={"masts": samples.masts()}))
    assert (problem.row, problem.column, problem.severity) == (4, "antenna_height_m", "warning")


# Zones


def with_shape(shape: object) -> gpd.GeoDataFrame:
    frame = samples.zones()
    frame["geometry"] = gpd.GeoSeries([*frame.geometry[:2], shape], crs=CRS)
    return frame


def test_a_boundary_that_hardly_crosses_itself_is_repaired() -> None:
    x = X + 5_000
    # A spike of 1 m x 10 m, drawn so that it crosses itself.
    spiked = Polygon(
        [
            *[(x, Y), (x + 5_000, Y), (x + 5_000, Y + 5_000), (x + 20, Y + 5_000)],
            *[(x + 10, Y + 4_990), (x + 20, Y + 4_990), (x + 10, Y + 5_000), (x, Y + 5_000)],
        ]
    )
    assert not spiked.is_valid
    found = schema.examine("zones", with_shape(spiked), crs=CRS)
    problem = only(found.problems)
    assert (problem.row, problem.severity) == (4, "warning")
    assert "Self-intersection" in str(problem)
    assert found.frame.geometry.is_valid.all()
    assert found.frame.geometry[2].area == pytest.approx(25e6, rel=1e-3)


def test_a_bow_tie_is_refused() -> None:
    x = X + 5_000
    tie = Polygon([(x, Y), (x + 5_000, Y + 5_000), (x + 5_000, Y), (x, Y + 5_000)])
    problem = only(problems_of("zones", with_shape(tie), crs=CRS))
    assert (problem.row, problem.severity) == (4, "error")
    assert "repair changes the area" in str(problem)


with np.errstate(invalid="ignore"):
    NOT_FINITE = Polygon([(X, Y), (X + 100, Y), (X + 100, np.nan)])


@pytest.mark.parametrize(
    "shape",
    [
        None,
        Polygon(),
        Point(X, Y),
        LineString([(X, Y), (X + 1, Y)]),
        Polygon([(X, Y), (X + 100, Y), (X + 50, Y)]),
        NOT_FINITE,
    ],
)
def test_a_zone_without_area_is_refused(shape: object) -> None:
    problem = only(problems_of("zones", with_shape(shape), crs=CRS))
    assert (problem.row, problem.column, problem.severity) == (4, "geometry", "error")


def test_overlapping_and_duplicate_zones_are_warnings() -> None:
    overlap = box(X + 4_000, Y, X + 9_000, Y + 5_000)
    problem = only(problems_of("zones", with_shape(overlap), crs=CRS))
    assert (problem.row, problem.severity) == (4, "warning")
    assert "overlaps 101 by 5 km²" in str(problem)
    same = samples.zones().geometry[1]
    assert "same ground as 101" in str(only(problems_of("zones", with_shape(same), crs=CRS)))


def test_zones_of_different_times_may_overlap() -> None:
    frame = with_shape(samples.zones().geometry[1])
    frame["valid_from"] = [None, "2020-01-01", "2025-07-01"]
    frame["valid_to"] = [None, "2025-06-30", None]
    assert problems_of("zones", frame, crs=CRS) == []


def test_a_commune_without_population_and_area_is_completed() -> None:
    frame = samples.zones()
    frame["population"] = None
    found = schema.examine("zones", frame, crs=CRS)
    assert found.problems == []
    assert found.frame["area_km2"].tolist() == pytest.approx([50.0, 25.0, 25.0])
    assert isinstance(found.frame.geometry[0], MultiPolygon)


@pytest.mark.parametrize("day", ["2025-02-30", "1.7.2025", "07/01/2025", "2025"])
def test_dates_are_iso(day: str) -> None:
    frame = samples.zones()
    frame["valid_from"] = [None, day, "2025-07-01"]
    problem = only(problems_of("zones", frame, crs=CRS))
    assert (problem.row, problem.column) == (3, "valid_from")


def two_vintages() -> gpd.GeoDataFrame:
    """Return the sample with its communes once more on other ground, under the same codes."""
    old, new = samples.zones().iloc[1:], samples.zones().iloc[1:]
    old = old.assign(valid_from="2020-01-01", valid_to="2025-06-30")
    new = new.assign(valid_from="2025-07-01", valid_to=None)
    new.geometry = new.geometry.to_numpy()[::-1]
    whole = samples.zones().iloc[:1].assign(valid_from=None, valid_to=None)
    return gpd.GeoDataFrame(pd.concat([whole, old, new], ignore_index=True), crs=CRS)


def test_a_code_may_be_used_again_at_another_time() -> None:
    found = schema.examine("zones", two_vintages(), crs=CRS)
    assert found.problems == []
    assert found.frame["code"].tolist() == ["35", "101", "102", "101", "102"]


@pytest.mark.parametrize(
    ("first", "second", "row"),
    [
        (("2020-01-01", None), ("2025-07-01", None), 5),
        ((None, None), (None, None), 5),
        (("2025-07-01", None), ("2020-01-01", "2025-07-01"), 5),
        (("2020-01-01", "2025-06-30"), ("2020-01-01", "2025-06-30"), 5),
        (("2020-01-01", "2025-06-30"), (None, "2020-01-01"), 5),
        (("2020-01-01", "2025-06-30"), ("2025-07-01", None), None),
        (("2025-07-01", None), (None, "2025-06-30"), None),
    ],
)
def test_a_code_is_that_of_one_zone_on_each_day(first, second, row: int | None) -> None:
    frame = two_vintages().astype({"valid_from": object, "valid_to": object})
    frame.loc[1, ["valid_from", "valid_to"]] = first
    frame.loc[3, ["valid_from", "valid_to"]] = second
    problems = [item for item in problems_of("zones", frame, crs=CRS) if item.column == "code"]
    assert [(item.row, item.severity) for item in problems] == (
        [] if row is None else [(row, "error")]
    )
    if row is not None:
        assert "101" in str(problems[0])
        assert "row 3 has it too" in str(problems[0])


def test_the_longest_of_many_periods_is_not_forgotten() -> None:
    """A short period within a long one does not hide that a third meets the long one."""
    former = pd.concat([samples.former_zones().iloc[:1]] * 3, ignore_index=True)
    former["valid_from"] = ["2000-01-01", "2001-01-01", "2005-01-01"]
    former["valid_to"] = ["2010-12-31", "2001-12-31", "2006-01-01"]
    found = schema.examine("former_zones", former)
    assert [problem.row for problem in found.errors] == [3, 4]
    assert all("row 2 has it too" in str(problem) for problem in found.errors)


def test_a_parent_with_the_same_code_must_be_another_zone() -> None:
    frame = two_vintages().astype({"parent_code": object})
    frame.loc[0, "parent_code"] = "35"
    problem = only(problems_of("zones", frame, crs=CRS))
    assert (problem.row, problem.column) == (2, "parent_code")
    frame.loc[[0, 1], "parent_code"] = [None, "101"]
    assert problems_of("zones", frame, crs=CRS) == []


def test_rows_that_are_there_already_are_told_by_code_and_first_day() -> None:
    frame = schema.examine("zones", two_vintages(), crs=CRS).frame
    again = schema.repeated("zones", frame, frame.iloc[[0, 3]])
    assert again.tolist() == [True, False, False, True, False]
    masts = samples.masts()
    assert schema.repeated("masts", masts, masts.iloc[[1]]).tolist() == [False, True, False]


def test_a_zone_does_not_end_before_it_begins() -> None:
    frame = samples.zones()
    frame["valid_from"], frame["valid_to"] = "2025-07-01", ["2026-01-01", "2025-06-30", None]
    assert only(problems_of("zones", frame, crs=CRS)).row == 3


# Mutations

MUTATIONS: dict[str, dict[str, list[object]]] = {
    "masts": {
        "mast_id": [None, "", "  ", "M0", "a\x00b"],
        "height_m": [0, -1, np.nan, np.inf, "cao", 1001, None, True],
        "status": ["built", "EXISTING"],
        "mast_class": ["A3"],
        "shareable": ["maybe", 2],
        "max_tenants": [0, 2.5, "hai", 101],
    },
    "cells": {
        "cell_id": [None, "", "C0"],
        "mast_id": [None, "M77"],
        "operator": [None, " "],
        "technology": [None, "6G", "4g", ""],
        "frequency_mhz": [None, 0, 1.8, "GSM", -np.inf],
        "bandwidth_mhz": [0, None, "5 MHz"],
        "power_dbm": [81, "x", None],
        "antenna_gain_dbi": [51, None],
        "feeder_loss_db": [-0.1],
        "azimuth_deg": [-1, 360.5, "bắc"],
        "tilt_deg": [91],
        "antenna_height_m": [0, None, "30m"],
        "load": [1.01, -0.5],
    },
    "villages": {"village_id": [None, "V1"], "population": [-1, "nhiều"]},
    "zones": {
        "code": [None, "35"],
        "name": [None, ""],
        "level": [None, "ward"],
        "population": [-5],
        "area_km2": [0, "rộng"],
    },
}


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_mutation_is_always_named_by_row_and_column(data: st.DataObject) -> None:
    layer = data.draw(st.sampled_from(sorted(MUTATIONS)))
    column = data.draw(st.sampled_from(sorted(MUTATIONS[layer])))
    value = data.draw(st.sampled_from(MUTATIONS[layer][column]))
    frame = samples.LAYERS[layer]()
    if column not in frame:
        frame[column] = np.nan
    row = data.draw(st.integers(1, len(frame) - 1))
    frame[column] = frame[column].astype(object)
    frame.loc[row, column] = value
    found = schema.examine(layer, frame, crs=CRS, context={"masts": samples.masts()})
    assert {problem.row for problem in found.errors} == {row + 2}
    assert column in {problem.column for problem in found.errors}
    assert found.faulty.tolist() == [k == row for k in range(len(frame))]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=8), st.booleans()),
        min_size=6,
        max_size=6,
    ),
    st.sampled_from(list(samples.cells().columns)),
)
def test_any_value_is_sound_or_named_never_a_crash(values: list[object], column: str) -> None:
    frame = samples.cells()
    frame[column] = pd.Series(values, dtype=object)
    found = schema.examine("cells", frame, context={"masts": samples.masts()})
    named = {problem.row for problem in found.errors}
    assert named == {int(k) + 2 for k in np.flatnonzero(found.faulty)}
    kept = found.frame.loc[~found.faulty].reset_index(drop=True)
    assert schema.examine("cells", kept, context={"masts": samples.masts()}).errors == []
    assert all(str(problem).isprintable() for problem in found.problems)


def test_a_hundred_thousand_rows_are_checked_in_seconds() -> None:
    frame = samples.cells(100_000)
    frame["technology"] = "6G"
    start = time.perf_counter()
    found = schema.examine("cells", frame, context={"masts": samples.masts()})
    assert time.perf_counter() - start < 10
    assert len(found.problems) == 100_000
    assert found.problems[-1].row == 100_001


def test_endless_faults_are_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.faults.LIMIT", 20_000)
    frame = samples.cells(10_000).assign(technology="6G", antenna_height_m=-1.0, load=2.0)
    found = schema.examine("cells", frame, context={"masts": samples.masts()})
    assert found.faulty.all()
    assert len(found.problems) < 20_010
    assert any("10000 more rows are wrong" in str(problem) for problem in found.problems[:3])
