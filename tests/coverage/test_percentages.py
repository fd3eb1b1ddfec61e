"""Shares by zone against direct sums and against simulated fading."""

import itertools

import geopandas as gpd
import numpy as np
import pytest
import scipy.special
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from coverage import percentages
from data.grid import Grid

GRID = Grid("EPSG:32648", 0.0, 1200.0, 100.0, 12, 12)


def zones(*shapes: shapely.Geometry) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=list(shapes), crs=GRID.crs)


def service_of(margin: np.ndarray, probability: float = 0.5, error: float = 0.0):
    return percentages.service(
        margin.astype(np.float32),
        threshold_dbm=0.0,
        probability=probability,
        sigma_db=1.0,
        model_error_db=error,
    )


def test_pixels_are_split_on_a_border_by_area() -> None:
    weights = percentages.zone_weights(
        zones(shapely.box(0, 0, 250, 1200), shapely.box(250, 0, 1200, 1200)), GRID
    )
    margin = np.full(GRID.shape, -1.0)
    margin[:, 2] = 1.0  # the column that the border halves
    shares = percentages.tally_pixels(weights, service_of(margin))["area"].shares()["share"]
    assert shares.to_numpy() == pytest.approx([0.5 / 2.5, 0.5 / 9.5])


@given(st.lists(st.floats(50, 1150), min_size=1, max_size=5, unique=True), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_zones_that_tile_an_area_add_up_to_it(cuts: list[float], seed: int) -> None:
    edges = [0.0, *sorted(cuts), 1200.0]
    parts = [shapely.box(a, 0, b, 1200) for a, b in itertools.pairwise(edges)]
    weights = percentages.zone_weights(zones(*parts, shapely.box(0, 0, 1200, 1200)), GRID)
    rng = np.random.default_rng(seed)
    people = rng.exponential(10.0, GRID.shape)
    tally = percentages.tally_pixels(
        weights, service_of(rng.normal(size=GRID.shape), 0.8, 1.0), people
    )["population"]
    for name in ("weight", "covered", "covered_low", "covered_high", "expected"):
        values = getattr(tally, name)
        assert values[:-1].sum() == pytest.approx(values[-1], rel=1e-5), name
    assert tally.weight[-1] == pytest.approx(people.sum(), rel=1e-6)


def test_the_deviation_equals_that_of_simulated_correlated_fading() -> None:
    rng = np.random.default_rng(4)
    margin = rng.normal(0.5, 1.2, GRID.shape)
    x, y = np.meshgrid(GRID.x_centres(), GRID.y_centres())
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    correlation = np.exp(-distance / percentages.DECORRELATION_DISTANCE_M)
    root = np.linalg.cholesky(correlation + 1e-10 * np.eye(len(points)))
    fading = root @ rng.normal(size=(len(points), 40_000))
    simulated = (margin.ravel()[:, None] + fading > 0.0).mean(axis=0)

    whole = percentages.zone_weights(zones(shapely.box(0, 0, 1200, 1200)), GRID)
    tally = percentages.tally_pixels(whole, service_of(margin))["area"]
    share = tally.shares().iloc[0]
    assert share["expected"] == pytest.approx(simulated.mean(), abs=0.002)
    deviation = np.sqrt(tally.variance[0]) / tally.weight[0]
    assert deviation == pytest.approx(simulated.std(), rel=0.03)
    half_width = percentages.NORMAL_95 * deviation
    assert share["shadowing_high"] - share["share"] == pytest.approx(half_width, abs=1e-9)


def test_the_model_error_moves_all_pixels_together() -> None:
    whole = percentages.zone_weights(zones(shapely.box(0, 0, 1200, 1200)), GRID)
    margin = np.linspace(-10.0, 10.0, GRID.width * GRID.height).reshape(GRID.shape)
    share = percentages.tally_pixels(whole, service_of(margin, error=2.0))["area"].shares().iloc[0]
    shift = percentages.NORMAL_95 * 2.0
    assert share["model_low"] == pytest.approx(np.mean(margin - shift >= 0.0), abs=0.01)
    assert share["model_high"] == pytest.approx(np.mean(margin + shift >= 0.0), abs=0.01)
    assert share["interval_low"] <= share["model_low"] < share["share"]
    assert share["share"] < share["model_high"] <= share["interval_high"]


def test_a_higher_probability_asks_for_the_fade_margin_of_the_normal_distribution() -> None:
    needed = scipy.special.ndtri(0.95) * 2.0
    where = percentages.service(
        np.array([[-95.0 + needed - 0.01, -95.0 + needed + 0.01]], np.float32),
        threshold_dbm=-95.0,
        probability=0.95,
        sigma_db=2.0,
        model_error_db=0.0,
    )
    assert where.covered.tolist() == [[False, True]]


def test_no_signal_is_nought_percent_and_no_people_no_figure() -> None:
    weights = percentages.zone_weights(zones(shapely.box(0, 0, 600, 600)), GRID)
    nowhere = service_of(np.full(GRID.shape, -np.inf))
    tally = percentages.tally_pixels(weights, nowhere, np.zeros(GRID.shape))
    area = tally["area"].shares().iloc[0]
    assert area[["share", "expected", "interval_high"]].tolist() == [0.0, 0.0, 0.0]
    people = tally["population"].shares().iloc[0]
    assert np.isnan(people["share"])
    assert people["weight"] == 0.0


def test_the_union_serves_where_any_member_does() -> None:
    one = service_of(np.array([[1.0, -1.0, -1.0]]))
    other = service_of(np.array([[-1.0, 1.0, -1.0]]))
    both = percentages.any_of([one, other])
    assert both.covered.tolist() == [[True, True, False]]
    assert both.fade_margin.tolist() == [[1.0, 1.0, -1.0]]


def test_villages_are_counted_where_they_stand() -> None:
    area = zones(shapely.box(0, 0, 600, 1200), shapely.box(600, 0, 1200, 1200))
    margin = np.full(GRID.shape, -1.0)
    margin[0, 0] = 1.0
    points = gpd.GeoDataFrame(
        geometry=gpd.points_from_xy([50.0, 150.0, 5000.0], [1150.0, 1150.0, 0.0]), crs=GRID.crs
    )
    tally = percentages.tally_points(area, points, GRID, service_of(margin))
    assert tally.weight.tolist() == [2.0, 0.0]
    assert tally.covered.tolist() == [1.0, 0.0]
    assert np.isnan(tally.shares()["share"][1])


def test_tiles_add_up_to_the_whole() -> None:
    rng = np.random.default_rng(1)
    margin = rng.normal(size=GRID.shape)
    area = zones(shapely.Point(600, 600).buffer(555))
    whole = percentages.tally_pixels(percentages.zone_weights(area, GRID), service_of(margin))[
        "area"
    ]
    parts = None
    for column in (0, 5):
        tile = GRID.window(0, column, 12, 5 if column == 0 else 7)
        part = percentages.tally_pixels(
            percentages.zone_weights(area, tile),
            service_of(margin[:, column : column + tile.width]),
        )["area"]
        parts = part if parts is None else parts + part
    assert parts is not None
    assert parts.covered == pytest.approx(whole.covered, rel=1e-6)
    assert parts.weight == pytest.approx(whole.weight, rel=1e-6)
