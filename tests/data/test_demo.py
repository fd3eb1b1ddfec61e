"""The generated areas: they add up, look like what they stand for, and repeat exactly."""

from __future__ import annotations

import hashlib

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from exactextract import exact_extract
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.io import MemoryFile

from data import clutter_classes, demo, schema
from data.demo.boundaries import partition_by_area
from data.demo.placing import share_out, spread, weighted_order
from data.errors import InputError
from data.grid import Raster
from data.study_area import area_outline


@pytest.fixture(scope="module")
def hanam() -> demo.GeneratedArea:
    return demo.generate()


@pytest.fixture(scope="module")
def communes(hanam: demo.GeneratedArea) -> gpd.GeoDataFrame:
    return hanam.zones[hanam.zones["level"] == "commune"].reset_index(drop=True)


def fingerprint(area: demo.GeneratedArea) -> str:
    digest = hashlib.sha256()
    for frame in area.layers.values():
        table = pd.DataFrame(frame.drop(columns="geometry", errors="ignore"))
        digest.update(table.to_csv().encode())
        if "geometry" in frame:
            digest.update(b"".join(frame.geometry.to_wkb()))
    for raster in area.rasters.values():
        digest.update(np.ascontiguousarray(raster.values).tobytes())
    return digest.hexdigest()


def sums_by_zone(raster: Raster, zones: gpd.GeoDataFrame) -> np.ndarray:
    grid = raster.grid
    frame = {"width": grid.width, "height": grid.height, "count": 1, "dtype": "float32"}
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", crs=grid.crs, transform=grid.transform, **frame) as out:
            out.write(raster.values.astype("float32"), 1)
        with memory.open() as source:
            return exact_extract(source, zones, "sum", output="pandas")["sum"].to_numpy()


def test_communes_are_those_published(communes: gpd.GeoDataFrame) -> None:
    assert len(communes) == 33
    assert communes["code"].is_unique
    assert communes["name"].str.startswith("Phường ").sum() == 16
    assert communes["valid_from"].eq("2025-07-01").all()


def test_areas_are_near_the_published_ones(
    hanam: demo.GeneratedArea, communes: gpd.GeoDataFrame
) -> None:
    published = hanam.spec.communes["area_km2"].to_numpy()
    achieved = communes.geometry.area.to_numpy() / 1e6
    assert np.abs(achieved / published - 1.0).max() < 0.02
    assert achieved.sum() == pytest.approx(861.93, rel=0.005)
    np.testing.assert_allclose(communes["area_km2"], achieved, atol=0.001)


def test_communes_leave_no_gap_and_do_not_overlap(
    hanam: demo.GeneratedArea, communes: gpd.GeoDataFrame
) -> None:
    shapes = communes.geometry.to_numpy()
    assert shapely.is_valid(shapes).all()
    assert shapely.coverage_is_valid(shapes)
    outline = area_outline(hanam.zones)
    assert len(outline.geoms) == 1
    assert len(outline.geoms[0].interiors) == 0
    province = hanam.zones.loc[hanam.zones["level"] == "province"].geometry.iloc[0]
    assert outline.symmetric_difference(province).area < 1.0
    assert communes.geometry.area.sum() == pytest.approx(province.area, rel=1e-9)


def test_each_commune_holds_its_published_point(
    hanam: demo.GeneratedArea, communes: gpd.GeoDataFrame
) -> None:
    points = shapely.points(hanam.spec.communes[["x_m", "y_m"]].to_numpy())
    assert shapely.contains(communes.geometry.to_numpy(), points).all()


def test_a_tenth_of_the_province_lies_above_50_m(hanam: demo.GeneratedArea) -> None:
    grid, heights = hanam.terrain.grid, hanam.terrain.values
    outline = area_outline(hanam.zones)
    x, y = np.meshgrid(grid.x_centres(), grid.y_centres())
    inside = shapely.contains_xy(outline, x, y)
    assert 0.08 <= (heights[inside] > 50.0).mean() <= 0.12
    assert 380.0 < heights[inside].max() <= 450.0
    assert heights.min() >= 0.0
    assert 1.0 <= np.median(heights[inside]) <= 6.0
    # The hills stand in the west: Kim Bảng and Thanh Liêm.
    x_mean = x[inside & (heights > 50.0)].mean()
    assert x_mean < x[inside].mean() - 8000.0


def test_terrain_and_clutter_reach_beyond_the_area(hanam: demo.GeneratedArea) -> None:
    x_min, y_min, x_max, y_max = hanam.zones.total_bounds
    for raster in (hanam.terrain, hanam.clutter):
        left, bottom, right, top = raster.grid.bounds
        assert min(x_min - left, y_min - bottom, right - x_max, top - y_max) >= 5000.0
        assert np.isfinite(raster.values).all()


def test_clutter_holds_known_classes_in_plausible_shares(hanam: demo.GeneratedArea) -> None:
    codes = hanam.clutter.values
    assert codes.dtype == np.uint8
    assert set(np.unique(codes).tolist()) <= set(clutter_classes.CLASS_CODES) - {0}
    share = {code: float((codes == code).mean()) for code in clutter_classes.CLASS_CODES}
    assert 0.4 < share[clutter_classes.CROP] < 0.75
    assert 0.1 < share[clutter_classes.VILLAGE] < 0.3
    assert 0.001 < share[clutter_classes.DENSE_URBAN] < 0.01
    assert 0.01 < share[clutter_classes.WATER] < 0.06
    assert 0.05 < share[clutter_classes.TREE] < 0.25
    # Rivers do not run over hills.
    assert hanam.terrain.values[codes == clutter_classes.WATER].max() <= 10.0


def test_people_add_up_at_every_level(
    hanam: demo.GeneratedArea, communes: gpd.GeoDataFrame
) -> None:
    people = hanam.population.values
    assert people.astype(np.float64).sum() == 852_800
    assert (people == np.round(people)).all()
    assert people.min() >= 0
    assert communes["population"].sum() == 852_800
    assert hanam.zones["population"].iloc[0] == 852_800
    by_village = hanam.villages.groupby("zone_code")["population"].sum()
    np.testing.assert_array_equal(by_village[communes["code"]], communes["population"])
    # Pixels on a border are empty, so area-weighted sums are whole too.
    np.testing.assert_allclose(
        sums_by_zone(hanam.population, communes), communes["population"], rtol=1e-9
    )


def test_towns_are_denser_than_villages(communes: gpd.GeoDataFrame) -> None:
    density = communes.set_index("name")["population"] / communes.set_index("name")["area_km2"]
    assert density.idxmax() == "Phường Phủ Lý"
    assert density["Phường Phủ Lý"] > 4.0 * density.median()
    assert density["Phường Tam Chúc"] < density.median()
    assert density.min() > 50.0


def test_villages_lie_in_their_zone(hanam: demo.GeneratedArea, communes: gpd.GeoDataFrame) -> None:
    assert 700 <= len(hanam.villages) <= 1000
    zone = communes.set_index("code").geometry[hanam.villages["zone_code"]]
    assert shapely.contains(zone.to_numpy(), hanam.villages.geometry.to_numpy()).all()
    assert (hanam.villages["population"] > 0).all()


def test_roads_form_one_network_that_meets_at_its_ends(hanam: demo.GeneratedArea) -> None:
    graph = nx.Graph()
    for line in hanam.roads.geometry:
        graph.add_edge(line.coords[0], line.coords[-1])
    assert nx.number_connected_components(graph) == 1
    length_km = hanam.roads.length.groupby(hanam.roads["road_class"]).sum() / 1000.0
    assert length_km["national"] > 20.0
    assert length_km["national"] < length_km["provincial"] < length_km["commune"]
    # Nearly every village stands at a road.
    nodes = shapely.MultiPoint(list(graph.nodes))
    away = shapely.distance(hanam.villages.geometry.to_numpy(), nodes)
    assert (away < 300.0).mean() > 0.99


def test_masts_and_owners(hanam: demo.GeneratedArea) -> None:
    masts = hanam.masts
    assert 850 <= len(masts) <= 870
    assert shapely.contains(area_outline(hanam.zones), masts.geometry.to_numpy()).all()
    classes = masts["mast_class"].value_counts(normalize=True)
    assert 0.82 < classes["A2b"] < 0.95
    assert set(masts["owner"]) == {"A", "B", "C"}
    rooftop = masts.loc[masts["mast_class"] == "A2a", "height_m"]
    ground = masts.loc[masts["mast_class"] == "A2b", "height_m"]
    assert rooftop.between(12.0, 24.0).all()
    assert ground.between(27.0, 45.0).all()
    grid = hanam.clutter.grid
    column = ((masts.geometry.x - grid.x_min) // grid.resolution_m).astype(int)
    row = ((grid.y_max - masts.geometry.y) // grid.resolution_m).astype(int)
    assert (hanam.clutter.values[row, column] != clutter_classes.WATER).all()


def test_cells_stand_on_masts_and_differ_by_technology(hanam: demo.GeneratedArea) -> None:
    cells, masts = hanam.cells, hanam.masts
    assert cells["cell_id"].is_unique
    assert set(cells["mast_id"]) <= set(masts["mast_id"])
    height = masts.set_index("mast_id")["height_m"][cells["mast_id"]].to_numpy()
    assert (cells["antenna_height_m"] < height).all()
    on_masts = cells.groupby("technology")["mast_id"].nunique()
    assert on_masts["2G"] > on_masts["3G"] > on_masts["4G"] > 0.6 * len(masts)
    shared = cells.drop_duplicates(["mast_id", "operator"]).groupby("mast_id").size() > 1
    assert 0.05 < shared.mean() < 0.3
    assert shared[shared].index.isin(masts.loc[masts["shareable"], "mast_id"]).all()
    sectors = cells.groupby(["mast_id", "operator", "band"])["azimuth_deg"].agg(["size", "count"])
    assert set(sectors["size"]) == {1, 3}
    assert (sectors["count"] == sectors["size"].where(sectors["size"] == 3, 0)).all()


def test_every_layer_is_valid(hanam: demo.GeneratedArea) -> None:
    context: dict[str, pd.DataFrame] = {}
    for name, frame in hanam.layers.items():
        found = schema.examine(name, frame, crs=hanam.spec.crs, context=context)
        assert found.errors == []
        assert found.warnings == []
        context[name] = found.frame


def test_same_seed_gives_the_same_area() -> None:
    first = demo.generate(7, n_communes=4, extent_km=10.0, n_masts=6)
    again = demo.generate(7, n_communes=4, extent_km=10.0, n_masts=6)
    other = demo.generate(8, n_communes=4, extent_km=10.0, n_masts=6)
    assert fingerprint(first) == fingerprint(again)
    assert fingerprint(first) != fingerprint(other)


@pytest.mark.parametrize(
    ("n_communes", "extent_km", "n_masts", "lon", "lat", "crs"),
    [
        (1, 4.0, 1, 105.9, 20.5, "EPSG:32648"),
        (2, 5.0, 0, 108.2, 16.0, "EPSG:32649"),
        (4, 10.0, 6, 105.9, 20.5, "EPSG:32648"),
        (7, 12.0, 20, -70.6, -33.4, "EPSG:32719"),
        (12, 20.0, 60, 9.0, 47.0, "EPSG:32632"),
    ],
)
def test_areas_of_any_size(
    n_communes: int, extent_km: float, n_masts: int, lon: float, lat: float, crs: str
) -> None:
    area = demo.generate(
        3, n_communes=n_communes, extent_km=extent_km, n_masts=n_masts, lon=lon, lat=lat
    )
    assert area.zones.crs == crs
    assert len(area.zones) == n_communes + 1
    communes = area.zones[area.zones["level"] == "commune"]
    assert shapely.coverage_is_valid(communes.geometry.to_numpy())
    assert communes["area_km2"].sum() == pytest.approx(extent_km**2, rel=0.02)
    assert len(area.masts) == n_masts
    assert area.population.values.sum() == communes["population"].sum()
    middle = area.zones.to_crs(4326).geometry.iloc[0].centroid
    assert (middle.x, middle.y) == pytest.approx((lon, lat), abs=0.05)
    for name, frame in area.layers.items():
        context = {"zones": area.zones, "masts": area.masts}
        assert schema.examine(name, frame, crs=crs, context=context).errors == []


def test_an_area_without_hills_is_flat() -> None:
    area = demo.generate(3, n_communes=2, extent_km=5.0, n_masts=2, share_above_50_m=0.0)
    assert area.terrain.values.max() < 15.0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"n_communes": 0}, "n_communes is 0"),
        ({"n_communes": 3, "extent_km": 0.0}, "extent_km is 0"),
        ({"n_communes": 3, "n_masts": -1}, "n_masts is -1"),
        ({"n_communes": 3, "share_above_50_m": 0.9}, "share_above_50_m is 0.9"),
        ({"n_communes": 3, "lat": 89.0}, "latitude 89.0"),
    ],
)
def test_unusable_numbers_are_named(arguments: dict[str, float], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        demo.generate(1, **arguments)  # type: ignore[arg-type]


def test_progress_rises_to_one() -> None:
    seen: list[float] = []
    demo.generate(1, n_communes=3, extent_km=6.0, n_masts=3, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 25),
    spread_of_areas=st.floats(0.0, 0.6),
)
def test_partition_meets_any_areas(seed: int, count: int, spread_of_areas: float) -> None:
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(count)))
    lattice = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
    points = 5000.0 * (lattice[:count] + rng.uniform(-0.3, 0.3, (count, 2)))
    areas = 25e6 * np.exp(rng.uniform(-spread_of_areas, spread_of_areas, count))
    zones = partition_by_area(points, areas, rng)
    achieved = shapely.area(zones)
    assert np.abs(achieved / areas - 1.0).max() < 0.05
    assert shapely.is_valid(zones).all()
    assert shapely.coverage_is_valid(zones)


def test_partition_refuses_points_that_coincide() -> None:
    with pytest.raises(InputError, match="same point"):
        partition_by_area(np.zeros((2, 2)), np.array([1e6, 1e6]), np.random.default_rng(0))


@given(
    total=st.integers(0, 10_000_000),
    weights=st.lists(st.floats(0.0, 1e6), min_size=1, max_size=40).filter(lambda w: sum(w) > 1e-3),
)
def test_shares_add_up(total: int, weights: list[float]) -> None:
    shares = share_out(total, np.array(weights))
    assert shares.sum() == total
    assert shares.min() >= 0
    exact = total * np.array(weights) / sum(weights)
    assert np.abs(shares - exact).max() <= 1.0 + 1e-6 * total


def test_spread_keeps_distances_while_there_is_room() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0.0, 10_000.0, (5000, 2))
    chosen = points[spread(points, np.full(5000, 800.0), 40)]
    away = np.hypot(*(chosen[:, None] - chosen[None]).transpose(2, 0, 1))
    assert away[~np.eye(40, dtype=bool)].min() >= 800.0
    assert len(np.unique(spread(points, np.full(5000, 800.0), 5000))) == 5000


def test_weighted_order_prefers_heavy_items_and_drops_empty_ones() -> None:
    rng = np.random.default_rng(0)
    weights = np.array([0.0, 1.0, 9.0])
    first = [int(weighted_order(weights, rng)[0]) for _ in range(2000)]
    assert set(first) == {1, 2}
    assert np.mean(np.array(first) == 2) == pytest.approx(0.9, abs=0.03)
