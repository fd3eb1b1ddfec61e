"""Polygons against the pixels they come from: areas, people, validity, ranks."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from coverage import service_zones
from data.errors import InputError
from data.grid import Grid

CRS = "EPSG:32648"
GRID = Grid(CRS, 600_000.0, 2_280_000.0, 50.0, 40, 30)

label_arrays = arrays(np.int32, st.tuples(st.integers(1, 12), st.integers(1, 12)),
                      elements=st.integers(0, 3))  # fmt: skip


def grid_of(array: np.ndarray) -> Grid:
    return Grid(CRS, 600_000.0, 2_280_000.0, 50.0, array.shape[1], array.shape[0])


def box_zone(x0: float, y0: float, x1: float, y1: float) -> shapely.Geometry:
    """A box in pixels of GRID, from its lower left corner."""
    x, y = GRID.bounds[0], GRID.bounds[1]
    return shapely.box(x + 50 * x0, y + 50 * y0, x + 50 * x1, y + 50 * y1)


def communes() -> gpd.GeoDataFrame:
    """A province of two communes, west and east; the border splits column 20 in halves."""
    west, east = box_zone(0, 0, 20.5, 30), box_zone(20.5, 0, 40, 30)
    return gpd.GeoDataFrame(
        {
            "code": ["P", "W", "E"],
            "name": ["Province", "Tây", "Đông"],
            "level": ["province", "commune", "commune"],
        },
        geometry=[shapely.union(west, east), west, east],
        crs=CRS,
    )


def villages() -> gpd.GeoDataFrame:
    x, y = GRID.x_centres(), GRID.y_centres()
    places = [(3, 3), (25, 10), (26, 10), (38, 28)]  # column, row
    return gpd.GeoDataFrame(
        {"village_id": ["a", "b", "c", "d"], "name": ["An", None, "Cẩm", "Đa"]},
        geometry=gpd.points_from_xy([x[c] for c, _ in places], [y[r] for _, r in places]),
        crs=CRS,
    )


@settings(max_examples=150, deadline=None)
@given(label_arrays)
def test_polygons_are_valid_disjoint_and_cover_exactly_their_pixels(labels: np.ndarray) -> None:
    grid = grid_of(labels)
    found = service_zones.polygonize(labels, grid)
    assert sorted(found.index) == sorted(set(labels[labels > 0].tolist()))
    assert found.is_valid.all()
    assert set(found.geom_type) <= {"MultiPolygon"}
    for label, shape in found.items():
        assert shape.area == pytest.approx(2500.0 * np.sum(labels == label))
    centres_x, centres_y = np.meshgrid(grid.x_centres(), grid.y_centres())
    for label, shape in found.items():
        assert np.array_equal(shapely.contains_xy(shape, centres_x, centres_y), labels == label)


def test_a_region_that_meets_itself_at_a_corner_stays_valid() -> None:
    for pattern in ([[1, 1, 1], [1, 0, 1], [1, 1, 0]], [[1, 1, 0], [1, 0, 1], [1, 1, 1]],
                    [[1, 0], [0, 1]], [[0, 1, 1], [1, 0, 1], [1, 1, 1]]):  # fmt: skip
        labels = np.array(pattern, np.int32)
        shape = service_zones.polygonize(labels, grid_of(labels)).iloc[0]
        assert shape.is_valid
        assert shape.area == pytest.approx(2500.0 * labels.sum())


def test_the_polygon_lies_where_its_pixels_are() -> None:
    labels = np.zeros(GRID.shape, np.int32)
    labels[2:5, 10:14] = 7
    shape = service_zones.polygonize(labels, GRID)[7]
    assert shape.bounds == (600_500.0, 2_279_750.0, 600_700.0, 2_279_900.0)
    assert len(shape.geoms[0].exterior.coords) == 5


def test_simplified_neighbours_still_meet_without_overlap() -> None:
    y, x = np.mgrid[:60, :60]
    labels = np.where(np.hypot(x - 25, y - 30) < 20, 1, 2).astype(np.int32)
    grid = grid_of(labels)
    exact = service_zones.polygonize(labels, grid)
    simple = service_zones.polygonize(labels, grid, tolerance_m=100.0)
    assert simple.is_valid.all()
    assert (
        shapely.get_num_coordinates(simple).sum() < 0.6 * shapely.get_num_coordinates(exact).sum()
    )
    assert simple[1].intersection(simple[2]).area == pytest.approx(0.0, abs=1e-6)
    assert simple.area.sum() == pytest.approx(exact.area.sum(), rel=0.01)
    assert simple[1].area == pytest.approx(exact[1].area, rel=0.03)


def test_rates_become_zones_with_the_areas_and_people_of_their_pixels() -> None:
    rng = np.random.default_rng(1)
    rate = np.where(rng.random(GRID.shape) < 0.1, np.nan, rng.uniform(0.0, 8.0, GRID.shape))
    people = rng.uniform(0.0, 10.0, GRID.shape)
    people[0, 0] = np.nan
    classes = service_zones.service_classes()["4G"]
    zones = service_zones.service_zones(
        rate, GRID, classes=classes, operator="Viettel", population=people
    )
    assert list(zones.columns) == [*service_zones.SERVICE_ZONE_COLUMNS, "geometry"]
    expected = [rate >= 5.0, (rate >= 2.5) & (rate < 5.0)]
    for row, pixels in zip(zones.itertuples(), expected, strict=True):
        assert row.area_km2 == pytest.approx(pixels.sum() * 0.0025)
        assert row.people == pytest.approx(np.nansum(people[pixels]))
        assert row.operator == "Viettel"
    assert zones.geometry.is_valid.all()
    assert zones["minimum"].tolist() == [5.0, 2.5]


def test_small_regions_fall_into_the_next_worse_class() -> None:
    rate = np.zeros(GRID.shape)
    rate[:10, :10] = 3.0
    rate[5, 5] = 9.0  # one pixel of zone 1 in zone 2
    rate[20:24, 20:24] = 9.0
    rate[28, 38] = 3.0  # one pixel of zone 2 in nothing
    zones = service_zones.service_zones(
        rate, GRID, classes=service_zones.service_classes()["4G"], minimum_area_km2=0.01
    )
    assert zones["area_km2"].tolist() == pytest.approx([16 * 0.0025, 100 * 0.0025])


def test_nothing_served_gives_an_empty_table_with_its_columns() -> None:
    nothing = np.full(GRID.shape, np.nan)
    zones = service_zones.service_zones(
        nothing, GRID, classes=service_zones.service_classes()["3G"]
    )
    assert len(zones) == 0
    assert zones.crs == CRS
    holes = service_zones.coverage_holes(np.ones(GRID.shape, bool), GRID, communes()[1:])
    assert len(holes) == 0
    assert list(holes.columns) == [*service_zones.REGION_COLUMNS, "geometry"]


def test_holes_are_ranked_by_people_and_named() -> None:
    served = np.ones(GRID.shape, bool)
    served[2:5, 2:5] = False  # 9 pixels in the west, village An
    served[8:12, 24:28] = False  # 16 pixels in the east, villages b and Cẩm
    served[20:29, 5:15] = False  # 90 pixels in the west, nobody
    people = np.zeros(GRID.shape)
    people[3, 3], people[9, 25] = 120.0, 80.0
    holes = service_zones.coverage_holes(
        served, GRID, communes()[1:], population=people, villages=villages()
    )
    assert holes["rank"].tolist() == [1, 2, 3]
    assert holes["people"].tolist() == [120.0, 80.0, 0.0]
    assert holes["area_km2"].tolist() == pytest.approx([9 * 0.0025, 16 * 0.0025, 90 * 0.0025])
    assert holes["zone_name"].tolist() == ["Tây", "Đông", "Tây"]
    assert holes["village_names"].tolist() == ["An", "Cẩm; b", ""]
    assert holes["villages"].tolist() == [1, 2, 0]
    assert holes["radius_m"].iloc[0] == pytest.approx(np.sqrt(9 * 2500 / np.pi))
    at = gpd.points_from_xy(holes["x_m"], holes["y_m"])
    assert holes.geometry.contains(gpd.GeoSeries(at, crs=CRS)).all()


def test_a_hole_across_a_border_belongs_to_where_its_people_are() -> None:
    served = np.ones(GRID.shape, bool)
    served[10, 15:24] = False
    people = np.zeros(GRID.shape)
    people[10, 23] = 5.0
    zones = communes()[1:]
    holes = service_zones.coverage_holes(served, GRID, zones, population=people)
    assert holes["zone_code"].tolist() == ["E"]
    assert holes["zone_codes"].tolist() == ["W; E"]
    by_area = service_zones.coverage_holes(served, GRID, zones)
    assert by_area["zone_code"].tolist() == ["W"]


def test_outside_the_zones_there_are_no_holes() -> None:
    zones = communes()[1:].iloc[:1]
    holes = service_zones.coverage_holes(np.zeros(GRID.shape, bool), GRID, zones)
    # 20 whole columns and one that lies half in the zone.
    assert holes["area_km2"].sum() == pytest.approx(21 * 30 * 0.0025)


def test_small_holes_can_be_left_out() -> None:
    served = np.ones(GRID.shape, bool)
    served[3, 3] = False
    served[10:12, 10:12] = False
    holes = service_zones.coverage_holes(served, GRID, communes()[1:], minimum_area_km2=0.01)
    assert holes["area_km2"].tolist() == pytest.approx([0.01])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_regions_of_any_mask_add_up_to_area_and_people(seed: int) -> None:
    rng = np.random.default_rng(seed)
    served = rng.random(GRID.shape) < rng.uniform(0.1, 0.95)
    people = rng.exponential(3.0, GRID.shape)
    holes = service_zones.coverage_holes(
        served, GRID, communes()[1:], population=people, villages=villages()
    )
    assert holes["area_km2"].sum() == pytest.approx(0.0025 * (~served).sum())
    assert holes["people"].sum() == pytest.approx(people[~served].sum())
    assert holes.geometry.is_valid.all()
    assert holes["people"].is_monotonic_decreasing
    column = np.array([3, 25, 26, 38])
    row = np.array([3, 10, 10, 28])
    assert holes["villages"].sum() == (~served)[row, column].sum()


def switch_off_case() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    g2 = np.zeros(GRID.shape, bool)
    g3, g4 = g2.copy(), g2.copy()
    g2[:, :30] = True
    g3[:, :18] = True
    g4[:15, 10:25] = True
    people = np.arange(GRID.width * GRID.height, dtype=float).reshape(GRID.shape)
    return {"2G": g2}, {"3G": g3, "4G": g4}, people


def test_the_switch_off_check_finds_where_only_2g_serves() -> None:
    going, staying, people = switch_off_case()
    check = service_zones.switch_off(
        going, staying, GRID, communes(), level="commune", population=people, villages=villages()
    )
    expected = going["2G"] & ~(staying["3G"] | staying["4G"])
    assert np.array_equal(check.lost, expected)
    assert check.regions["area_km2"].sum() == pytest.approx(0.0025 * expected.sum())
    assert check.regions["people"].sum() == pytest.approx(people[expected].sum())
    figures = check.by_zone.set_index("code")
    assert figures.loc["P", "area_km2"] == pytest.approx(0.0025 * expected.sum())
    assert figures.loc["P", "people"] == pytest.approx(people[expected].sum())
    # Column 20 is half west, half east.
    west = expected[:, :20].sum() + 0.5 * expected[:, 20].sum()
    assert figures.loc["W", "area_km2"] == pytest.approx(0.0025 * west)
    assert figures.loc["W", "area_percent"] == pytest.approx(100 * west / (20.5 * 30))
    assert figures.loc[["W", "E"], "people"].sum() == pytest.approx(figures.loc["P", "people"])
    # Villages b (column 25) and c (26) lie in the lost part of the east, d beyond 2G.
    assert figures.loc["E", "village_names"] == "Cẩm; b"
    assert figures.loc["E", "villages_percent"] == pytest.approx(200.0 / 3.0)
    assert figures.loc["W", "villages"] == 0


def test_any_technology_against_any_others() -> None:
    going, staying, _ = switch_off_case()
    none_stay = service_zones.switch_off(going, {}, GRID, communes(), level="commune")
    assert none_stay.regions["area_km2"].sum() == pytest.approx(0.0025 * going["2G"].sum())
    nothing_lost = service_zones.switch_off(staying, going, GRID, communes(), level="province")
    assert len(nothing_lost.regions) == 0
    assert nothing_lost.by_zone["area_km2"].tolist() == [0.0, 0.0, 0.0]


def test_a_switch_off_that_makes_no_sense() -> None:
    going, staying, _ = switch_off_case()
    with pytest.raises(InputError, match="3G cannot be switched off and stay"):
        service_zones.switch_off(staying, staying, GRID, communes(), level="commune")
    with pytest.raises(InputError, match="No technology to switch off"):
        service_zones.switch_off({}, staying, GRID, communes(), level="commune")
    with pytest.raises(InputError, match=r"no zone of level district .*commune, province"):
        service_zones.switch_off(going, staying, GRID, communes(), level="district")


def test_files_are_read_back_by_other_tools(tmp_path: Path) -> None:
    going, staying, people = switch_off_case()
    check = service_zones.switch_off(
        going, staying, GRID, communes(), level="commune", population=people
    )
    path = tmp_path / "products.gpkg"
    for _ in range(2):  # a second time replaces the file
        service_zones.write_layers(
            {"switch_off": check.regions, "switch_off_by_zone": check.by_zone}, path
        )
    assert pyogrio.list_layers(path)[:, 0].tolist() == ["switch_off", "switch_off_by_zone"]
    again = gpd.read_file(path, layer="switch_off")
    assert again.geometry.area.sum() == pytest.approx(check.regions.area.sum())
    assert again.crs == CRS
    assert again["people"].tolist() == pytest.approx(check.regions["people"].tolist())
    table = pyogrio.read_dataframe(path, layer="switch_off_by_zone", read_geometry=False)
    pd.testing.assert_series_equal(table["area_km2"], check.by_zone["area_km2"])
    service_zones.write_geojson(check.regions, tmp_path / "lost.geojson")
    text = json.loads((tmp_path / "lost.geojson").read_text())
    longitude, latitude = text["features"][0]["geometry"]["coordinates"][0][0][0][:2]
    assert 105.0 < longitude < 107.0
    assert 20.0 < latitude < 21.0
    assert sorted(item.name for item in tmp_path.iterdir()) == ["lost.geojson", "products.gpkg"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("4G,1,zone 1,downlink_rate,5.0", "4G,1,zone 1,downlink_rate,1.0", "falling minima"),
        ("4G,2,", "4G,3,", "numbered 1, 2"),
        ("4G,2,zone 2,downlink_rate,2.5", "4G,2,zone 2,downlink_rate,fast", "column minimum: fast"),
        ("4G,2,zone 2,downlink_rate", "4G,2,zone 2,ping", "column metric: ping"),
        ("2.5,Mbit/s", "2.5,kbit/s", "column unit: kbit/s (expected Mbit/s)"),
        ("4G,2", "6G,2", "column technology: 6G"),
        ("class_name", "title", "column class_name is missing"),
    ],
)
def test_faults_of_a_users_table_are_named(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    path = tmp_path / "zones.csv"
    path.write_text(service_zones.TABLE.read_text().replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        service_zones.service_classes(path)
    assert expected in str(caught.value)


def test_arguments_that_make_no_sense() -> None:
    with pytest.raises(InputError, match="must fall"):
        service_zones.classify(np.zeros(3), [1.0, 2.0])
    with pytest.raises(InputError, match="least area"):
        service_zones.regions(np.ones(GRID.shape, bool), GRID, communes(), minimum_area_km2=-1.0)
    with pytest.raises(InputError, match="labels have shape"):
        service_zones.polygonize(np.zeros((2, 2), np.int32), GRID)
