"""What the map and the panel beside it say is what was computed."""

import dataclasses

import numpy as np
import pyproj
import pytest
import shapely

from app import overlays, places
from app.components import map_layers
from coverage import percentages, run
from tests.app.conftest import DEFAULT


@pytest.fixture(scope="module")
def result(computed):
    return run.lookup(computed, DEFAULT)


def degrees_of(result, row: int, column: int) -> tuple[float, float]:
    grid = result.grid
    to_degrees = pyproj.Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(
        grid.x_min + (column + 0.3) * grid.resolution_m,
        grid.y_max - (row + 0.3) * grid.resolution_m,
    )
    return lat, lon


@pytest.mark.parametrize("operator", ["any", "A"])
def test_a_place_has_the_level_of_its_pixel(computed, result, operator) -> None:
    heard = [result.level(name, operator).values for name in ("2G", "3G", "4G")]
    count = np.isfinite(heard).sum(axis=0)
    row, column = np.argwhere(count == count.max())[100].tolist()
    place = places.explain(computed, result, *degrees_of(result, row, column), operator)
    assert place.inside
    assert place.ground_m is not None
    assert [item.technology for item in place.receptions] == ["2G", "3G", "4G"]
    cells = computed.read("cells")
    masts = computed.read("masts").set_index("mast_id")
    for item in place.receptions:
        level = result.level(item.technology, operator).values[row, column]
        if np.isnan(level):
            assert item.level_dbm is None
            continue
        assert item.level_dbm == pytest.approx(float(level))
        cell = cells.iloc[int(result.server(item.technology, operator).values[row, column])]
        assert (item.cell_id, item.mast_id) == (cell["cell_id"], cell["mast_id"])
        assert cell["technology"] == item.technology
        x = result.grid.x_min + (column + 0.3) * 100.0
        y = result.grid.y_max - (row + 0.3) * 100.0
        distance = masts.geometry[item.mast_id].distance(shapely.Point(x, y))
        assert item.distance_m == pytest.approx(distance, abs=0.5)
        assert item.covered == (item.probability >= 0.95)


def test_a_place_names_its_zones_from_wide_to_narrow(computed, result) -> None:
    zones = computed.read("zones")
    commune = zones[zones["level"] == "commune"].iloc[0]
    point = commune.geometry.representative_point()
    to_degrees = pyproj.Transformer.from_crs(zones.crs, "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(point.x, point.y)
    place = places.explain(computed, result, lat, lon)
    assert place.zones[-1] == commune["name"]
    assert place.zones[0] == zones[zones["level"] == "province"].iloc[0]["name"]


def test_a_place_elsewhere_has_nothing(computed, result) -> None:
    place = places.explain(computed, result, 10.0, 100.0)
    assert (place.inside, place.zones, place.ground_m, place.receptions) == (False, (), None, ())


def test_a_place_without_signal_says_so(own) -> None:
    result = run.compute(own, dataclasses.replace(DEFAULT, radius_m=300.0))
    level = result.level("4G").values
    row, column = np.argwhere(np.isnan(level))[0]
    place = places.explain(own, result, *degrees_of(result, int(row), int(column)))
    reception = next(item for item in place.receptions if item.technology == "4G")
    assert reception.level_dbm is None
    assert not reception.covered


@pytest.mark.parametrize("service", ["2G", "4G", "3G_or_4G", "any"])
@pytest.mark.parametrize("operator", ["any", "B"])
def test_the_map_shows_the_figures(computed, result, service, operator) -> None:
    """The share of the province's pixels that the map paints as covered is the figure."""
    classes = map_layers.covered_classes(computed, result, service, operator)
    zones = computed.read("zones")
    province = zones[zones["level"] == "province"]
    weights = percentages.zone_weights(province, result.grid)
    share = (weights.fraction @ (classes == 0).ravel().astype(float))[0] / weights.fraction.sum()
    table = result.figures
    figure = table[
        (table["level"] == "province")
        & (table["service"] == service)
        & (table["operator"] == operator)
        & (table["measure"] == "area")
    ]["share"].item()
    assert share == pytest.approx(figure, abs=1e-6)


def test_pixels_far_outside_are_left_out(computed, result) -> None:
    classes = map_layers.covered_classes(computed, result, "4G", "any")
    assert (classes == overlays.TRANSPARENT).any()
