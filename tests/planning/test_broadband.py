"""Broadband coverage: distances against a naive search, fair ports, figures and bad input."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from coverage import run
from data.errors import CancelledError, InputError
from data.grid import Raster
from data.store import Workspace
from planning import __main__ as command_line
from planning import (
    access_network,
    access_reach,
    broadband,
    cost,
    homes,
    light_paths,
    optical,
    route_graph,
)
from planning.broadband import SERVED, BroadbandRequest
from tests.areas import small_area, write_area
from tests.data import samples
from tests.data.samples import CRS, X, Y

# Small networks and a naive search on them


def network(rng: np.random.Generator) -> route_graph.RouteGraph:
    """Return a graph of a few bent roads, at times in several parts."""
    places = rng.uniform(0.0, 1000.0, (int(rng.integers(3, 9)), 2)).round(1)
    lines = []
    for _ in range(int(rng.integers(2, 14))):
        a, b = rng.choice(len(places), 2, replace=False)
        inner = (places[a] + places[b]) / 2 + rng.uniform(-60.0, 60.0, 2)
        lines.append(shapely.LineString([places[a], inner.round(1), places[b]]))
    roads = gpd.GeoDataFrame(
        {"road_class": "tertiary", "surface": None},
        index=range(len(lines)),
        geometry=lines,
        crs=CRS,
    )
    return route_graph.build(roads=roads, fibre_segments=None, costs=cost.unit_costs()).graph


def naive_distances(graph, home_xy, access_xy, tolerance_m) -> np.ndarray:
    """Return all distances by splitting edges by hand and networkx; no shared code."""
    placed = []
    for number, xy in enumerate([*home_xy, *access_xy]):
        point = shapely.Point(xy)
        far = [point.distance(line) for line in graph.line]
        edge = int(np.argmin(far))
        if far[edge] <= tolerance_m:
            placed.append((edge, graph.line[edge].project(point), number, far[edge]))
    net = nx.Graph()

    def link(a, b, length):
        if not net.has_edge(a, b) or net[a][b]["weight"] > length:
            net.add_edge(a, b, weight=length)

    for edge, line in enumerate(graph.line):
        on = sorted((at, number) for e, at, number, _ in placed if e == edge)
        stops = [(0.0, ("n", int(graph.tail[edge])))]
        stops += [(at, ("p", number)) for at, number in on]
        stops += [(line.length, ("n", int(graph.head[edge])))]
        for (from_at, a), (to_at, b) in itertools.pairwise(stops):
            if a != b:
                link(a, b, to_at - from_at)
    for _, _, number, offset in placed:
        link(("p", number), ("x", number), offset)
    found = np.full((len(home_xy), len(access_xy)), np.inf)
    for a in range(len(access_xy)):
        source = ("x", len(home_xy) + a)
        if source in net:
            reached = nx.single_source_dijkstra_path_length(net, source)
            for h in range(len(home_xy)):
                found[h, a] = reached.get(("x", h), np.inf)
    return found


def points(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.uniform(-50.0, 1050.0, (count, 2)).round(1)


def pairs_of(graph, home_xy, access_xy, drop_m, tolerance_m=150.0) -> access_reach.Pairs:
    return access_reach.find_pairs(
        graph,
        home_xy[:, 0],
        home_xy[:, 1],
        access_xy[:, 0],
        access_xy[:, 1],
        drop_m=drop_m,
        access_reach_m=tolerance_m,
    )


def given_ports(pairs, home_xy, households, access_xy, ports) -> np.ndarray:
    return access_reach.assign(
        pairs,
        households,
        ports,
        home_rank=access_reach.ranks(home_xy[:, 0], home_xy[:, 1], households),
        access_rank=access_reach.ranks(access_xy[:, 0], access_xy[:, 1]),
    )


SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=120, deadline=None)
@given(seed=SEEDS, drop_m=st.sampled_from([40.0, 150.0, 400.0, 1500.0]))
def test_pairs_are_those_of_a_naive_search(seed: int, drop_m: float) -> None:
    rng = np.random.default_rng(seed)
    graph = network(rng)
    home_xy, access_xy = points(rng, 25), points(rng, int(rng.integers(1, 9)))
    # Some stand exactly on a junction or on an access point.
    home_xy[0] = graph.x_m[0], graph.y_m[0]
    access_xy[-1] = home_xy[1] if seed % 2 else home_xy[0]
    want = naive_distances(graph, home_xy, access_xy, 150.0)
    found = pairs_of(graph, home_xy, access_xy, drop_m)
    got = np.full(want.shape, np.inf)
    got[found.home, found.access] = found.distance_m
    assert len(found.home) == np.isfinite(got).sum()  # each pair once
    certain = np.abs(want - drop_m) > 0.01
    np.testing.assert_array_equal(np.isfinite(got)[certain], (want <= drop_m)[certain])
    both = np.isfinite(got) & (want <= drop_m)
    np.testing.assert_allclose(got[both], want[both], atol=2e-3)
    np.testing.assert_allclose(found.nearest_m, want.min(axis=1), atol=2e-3)
    reached = np.flatnonzero(found.nearest >= 0)
    np.testing.assert_allclose(
        want[reached, found.nearest[reached]], found.nearest_m[reached], atol=2e-3
    )


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_nothing_gets_worse_by_more_access_points_ports_or_drop_length(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = network(rng)
    home_xy, access_xy = points(rng, 30), points(rng, 6)
    households = rng.integers(1, 9, 30) / 2.0
    ports = rng.integers(0, 7, 6).astype(float)

    def served(drop_m: float, access: np.ndarray, free: np.ndarray) -> np.ndarray:
        pairs = pairs_of(graph, home_xy, access, drop_m)
        return given_ports(pairs, home_xy, households, access, free)

    base = served(300.0, access_xy[:5], ports[:5])
    assert (base <= households + 1e-9).all()
    assert base.sum() <= ports[:5].sum() + 1e-9
    assert (served(300.0, access_xy, ports) >= base - 1e-9).all()
    assert (served(420.0, access_xy[:5], ports[:5]) >= base - 1e-9).all()
    assert (served(300.0, access_xy[:5], ports[:5] + 1.5) >= base - 1e-9).all()


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_the_order_of_the_rows_plays_no_part(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = network(rng)
    home_xy, access_xy = points(rng, 30), points(rng, 6)
    home_xy[5:8] = home_xy[4]  # several at one place
    access_xy[3] = access_xy[2]
    households, ports = np.ones(30), rng.integers(0, 5, 6).astype(float)
    ports[3] = ports[2]
    home_order, access_order = rng.permutation(30), rng.permutation(6)
    one = given_ports(
        pairs_of(graph, home_xy, access_xy, 400.0), home_xy, households, access_xy, ports
    )
    moved = home_xy[home_order], access_xy[access_order]
    other = given_ports(
        pairs_of(graph, *moved, 400.0), moved[0], households, moved[1], ports[access_order]
    )
    # Homes at one place are interchangeable, and none of the others changes.
    different = np.r_[np.arange(4), np.arange(8, 30)]
    back = np.empty(30)
    back[home_order] = other
    np.testing.assert_array_equal(back[different], one[different])
    assert sorted(back[4:8]) == sorted(one[4:8])


def test_the_shortest_drop_gets_the_last_port() -> None:
    pairs = access_reach.Pairs(
        np.array([0, 1, 1]),
        np.array([0, 0, 1]),
        np.array([90.0, 80.0, 120.0]),
        *(np.zeros(2),) * 2,
        np.zeros(2, dtype=np.int64),
        np.zeros(2),
    )
    rank = np.arange(2)
    ports = np.array([3.0, math.inf])
    got = access_reach.assign(pairs, np.array([2.0, 2.5]), ports, home_rank=rank, access_rank=rank)
    # The second home takes 2.5 of the three ports, the first what is left of them.
    assert got.tolist() == [0.5, 2.5]


# A hand-made area: one road of 9 km, an exchange at its start


def access_nodes(at_m, **columns) -> gpd.GeoDataFrame:
    road = samples.roads().geometry.iloc[0]
    base = {
        "node_id": ["OLT", *[f"P{k}" for k in range(len(at_m))]],
        "name": None,
        "node_type": ["olt", *["splitter"] * len(at_m)],
        "owner": "VNPT",
        "status": "existing",
        "ports": [np.nan, *[8.0] * len(at_m)],
        "ports_used": [np.nan, *[0.0] * len(at_m)],
        "pon_class": ["B+", *[None] * len(at_m)],
        "split_ratio": [np.nan, *[32.0] * len(at_m)],
    }
    places = [road.interpolate(at) for at in (0.0, *at_m)]
    return gpd.GeoDataFrame(base | columns, geometry=places, crs=CRS)


def whole_cable(**columns) -> gpd.GeoDataFrame:
    base = {
        "segment_id": ["F1"],
        "name": None,
        "segment_type": ["aerial"],
        "owner": "VNPT",
        "status": "existing",
        "cores": [24.0],
        "cores_used": [24.0],
    }
    return gpd.GeoDataFrame(base | columns, geometry=[samples.roads().geometry.iloc[0]], crs=CRS)


def homes_at(*along_and_off, households=1.0) -> gpd.GeoDataFrame:
    road = samples.roads().geometry.iloc[0]
    (x0, y0), (x1, y1) = road.coords
    across = np.array([y0 - y1, x1 - x0]) / road.length
    places = [
        shapely.Point(*(np.array(road.interpolate(along).coords[0]) + off * across))
        for along, off in along_and_off
    ]
    return gpd.GeoDataFrame(
        {"households": households}, index=range(len(places)), geometry=places, crs=CRS
    )


def area(folder: Path, nodes=None, segments=None, without=(), **layers) -> Workspace:
    """Write the sample area with a fibre network and no radio, which makes it quick."""
    content = {name: samples.LAYERS[name]() for name in ("zones", "villages", "roads")}
    content |= {"fibre_nodes": access_nodes([1_000.0]) if nodes is None else nodes}
    content |= {"fibre_segments": whole_cable() if segments is None else segments}
    content |= layers
    content = {name: frame for name, frame in content.items() if name not in without}
    rasters = {} if "population" in without else {"population": samples.raster(0.6)}
    rasters = {"clutter": samples.raster(51.0)} | rasters
    names = [*content, *rasters]
    return Workspace.replace(
        folder, samples.AREA, content, dict.fromkeys(names, samples.REAL), rasters=rasters
    )


def shares(result, service=SERVED, measure="household", code="35") -> pd.Series:
    table = result.figures.set_index(["code", "service", "measure"])
    return table.loc[(code, service, measure)]


def served_of(result) -> list[float]:
    return result.homes["served_share"].tolist()


def test_a_home_is_served_by_the_length_of_its_drop_and_not_as_the_crow_flies(
    tmp_path: Path,
) -> None:
    # A detour: both sides of a gap in the road are 100 m apart and far by road.
    line = [(X, Y + 2_000), (X + 1_000, Y + 2_000), (X + 1_000, Y + 3_000), (X + 900, Y + 3_000)]
    line += [(X + 900, Y + 2_100)]
    roads = samples.roads().set_geometry([shapely.LineString(line)], crs=CRS)
    nodes = access_nodes([0.0]).set_geometry(
        gpd.points_from_xy([X, X + 900], [Y + 2_000, Y + 2_000]), crs=CRS
    )
    near = gpd.GeoDataFrame(
        geometry=gpd.points_from_xy([X + 900, X + 700], [Y + 2_100, Y + 2_050]), crs=CRS
    )
    cable = whole_cable().set_geometry([shapely.LineString(line)], crs=CRS)
    workspace = area(tmp_path, nodes=nodes, roads=roads, segments=cable)
    result = broadband.coverage(workspace, homes=near)
    found = result.homes.set_index("home_id")
    assert found["distance_m"].tolist() == [2100.0, 250.0]
    assert found["state"].tolist() == ["too_far", "served"]


def test_ports_budget_and_reach_are_counted_apart_and_together(tmp_path: Path) -> None:
    given = homes_at((1_000, 100), (1_150, 100), (1_350, 100), (8_000, 20), households=5.0)
    nodes = access_nodes([1_000.0, 8_000.0], split_ratio=[np.nan, 32.0, 1024.0])
    nodes.loc[1, "ports_used"] = 6.0
    result = broadband.coverage(area(tmp_path, nodes=nodes), homes=given)
    assert result.summary["homes"]["source"] == "given"
    for service, count in {
        "broadband_reach": 15.0,
        "broadband_port": 13.0,
        "broadband_free_port": 7.0,
        "broadband_budget": 10.0,
        SERVED: 8.0,
    }.items():
        row = shares(result, service)
        assert row["count"] == pytest.approx(count), service
        assert row["share"] == pytest.approx(count / 20.0)
        assert row["weight"] == 20.0
        assert row["interval_low"] <= row["share"] <= row["interval_high"]
    assert served_of(result) == [1.0, 0.6, 0.0, 0.0]
    assert result.homes["state"].tolist() == ["served", "partly_served", "too_far", "no_budget"]
    assert result.access_points["state"].tolist() == ["live", "budget_does_not_close"]
    assert result.access_points["path_m"].tolist() == [1_000.0, 8_000.0]
    free = broadband.coverage(Workspace.open(tmp_path), BroadbandRequest(ports="free"), homes=given)
    assert shares(free)["count"] == pytest.approx(2.0)
    # The commune in the west holds three of the homes, the east one.
    assert shares(result, "broadband_reach", code="101")["weight"] == 15.0
    assert shares(result, "broadband_reach", code="102")["count"] == 5.0


def test_the_budget_is_that_of_the_way_along_the_cable(tmp_path: Path) -> None:
    at = [500.0, 4_000.0, 8_500.0]
    nodes = access_nodes(at, pon_class=["A", None, None, None])
    result = broadband.coverage(area(tmp_path, nodes=nodes), homes=homes_at((500, 0)))
    points_ = result.access_points
    for row in points_.itertuples():
        want = optical.path_loss_db("A", row.path_m, 32)
        assert row.loss_db == pytest.approx(want, abs=0.01)
        assert (row.state == "live") == bool(optical.closes("A", row.path_m, 32))
    assert points_["state"].tolist() == ["live", "budget_does_not_close", "budget_does_not_close"]


@pytest.mark.parametrize(
    ("segments", "nodes", "state"),
    [
        (whole_cable(), access_nodes([1_000.0]), "live"),
        # Light does not go through a duct without cable, nor through one that is planned.
        (
            whole_cable(segment_type=["duct"], cores=[np.nan], cores_used=[np.nan]),
            access_nodes([1_000.0]),
            "no_way_to_exchange",
        ),
        (whole_cable(status=["planned"]), access_nodes([1_000.0]), "no_way_to_exchange"),
        # The exchange of another company does not feed it, the cable of another may.
        (whole_cable(), access_nodes([1_000.0], owner=["FPT", "VNPT"]), "no_way_to_exchange"),
        (whole_cable(owner=["FPT"]), access_nodes([1_000.0]), "live"),
        (whole_cable(owner=[None]), access_nodes([1_000.0], owner=["VNPT", None]), "live"),
        (whole_cable(), access_nodes([1_000.0], status=["planned", "existing"]), "live"),
    ],
)
def test_light_comes_along_live_cables_from_an_exchange_of_the_owner(
    tmp_path: Path, segments, nodes, state
) -> None:
    result = broadband.coverage(
        area(tmp_path, nodes=nodes, segments=segments), homes=homes_at((1_000, 0))
    )
    assert result.access_points["state"].tolist() == [state]
    assert result.access_points["rented_cable"].tolist() == [segments["owner"].iloc[0] == "FPT"]
    # Without any live exchange nothing can be checked, and the result says so.
    assert result.summary["budget_checked"] == (nodes["status"].iloc[0] == "existing")


def test_light_paths_without_anything_are_none() -> None:
    nodes = access_nodes([10.0])
    found = light_paths.light_paths(None, nodes.iloc[1:], nodes.iloc[:1], tolerance_m=10.0)
    assert found.length_m.tolist() == [np.inf]
    assert found.exchange.tolist() == [-1]


def test_missing_data_widen_the_range(tmp_path: Path) -> None:
    nodes = access_nodes([1_000.0], ports=[np.nan, np.nan], ports_used=[np.nan, np.nan])
    nodes["split_ratio"] = np.nan
    result = broadband.coverage(
        area(tmp_path, nodes=nodes), homes=homes_at((1_000, 10), households=20.0)
    )
    row = shares(result, "broadband_port")
    assert (row["interval_low"], row["share"], row["interval_high"]) == (0.0, 0.4, 1.0)
    said = " ".join(note["text"] for note in result.summary["provenance"]["notes"])
    assert "Access points without a number of ports: 1; 8 were assumed" in said
    assert "Access points without a split ratio: 1; 1:64 was assumed" in said
    # Between 240 and 360 m from the access point it depends on the drop length.
    for along, low, share, high in ((1_260, 0, 1, 1), (1_340, 0, 0, 1), (1_230, 1, 1, 1)):
        row = shares(
            broadband.coverage(area(tmp_path), homes=homes_at((along, 0))), "broadband_reach"
        )
        assert (row["interval_low"], row["share"], row["interval_high"]) == (low, share, high)


def test_homes_off_the_network_and_disconnected_parts_are_said(tmp_path: Path) -> None:
    roads = pd.concat([samples.roads(), samples.roads()], ignore_index=True)
    roads["road_id"] = ["R1", "R2"]
    far = shapely.LineString([(X + 100, Y + 4_500), (X + 3_000, Y + 4_500)])
    roads = roads.set_geometry([roads.geometry.iloc[0], far], crs=CRS)
    given = pd.concat(
        [
            homes_at((1_000, 0)),
            gpd.GeoDataFrame(
                {"households": [2.0, 3639.0]},
                geometry=gpd.points_from_xy([X + 500, X + 500], [Y + 4_480, Y + 500]),
                crs=CRS,
            ),
        ],
        ignore_index=True,
    )
    result = broadband.coverage(area(tmp_path, roads=roads), homes=given)
    assert result.homes["state"].tolist() == ["served", "too_far", "off_network"]
    assert result.homes["distance_m"].isna().tolist() == [False, True, True]
    said = " ".join(note["text"] for note in result.summary["provenance"]["notes"])
    assert "counted as not served: 3,639 households" in said
    assert "The routes are in 2 parts" in said


def test_a_drop_crosses_the_road_to_a_cable_beside_it(tmp_path: Path) -> None:
    beside = shapely.affinity.translate(samples.roads().geometry.iloc[0], 0.0, 4.0)
    nodes = access_nodes([4_500.0])
    nodes = nodes.set_geometry(nodes.geometry.translate(0.0, 4.0), crs=CRS)
    workspace = area(tmp_path, nodes=nodes, segments=whole_cable().set_geometry([beside], crs=CRS))
    result = broadband.coverage(workspace, homes=homes_at((4_500, -50), (4_500, 50)))
    assert result.homes["distance_m"].tolist() == pytest.approx([54.0, 54.0], abs=0.5)
    assert served_of(result) == [1.0, 1.0]


def test_ducts_away_from_roads_are_routes_too() -> None:
    road = samples.roads().geometry.iloc[0]
    away = shapely.LineString([road.interpolate(3_000.0), (X + 3_000, Y + 3_500)])
    graph = access_network.drop_routes(
        samples.roads(), whole_cable().set_geometry([away], crs=CRS)
    ).graph
    assert (graph.layer == "fibre_segments").any()
    assert graph.components().max() == 0
    assert graph.length_m.sum() == pytest.approx(road.length + away.length, rel=0.01)


# A generated area


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return write_area(tmp_path_factory.mktemp("broadband") / "area", small_area())


@pytest.fixture(scope="module")
def computed(generated: Workspace) -> broadband.BroadbandResult:
    coarse = run.CoverageRequest(technologies=("4G",), resolution_m=300.0, radius_m=3_000.0)
    return broadband.coverage(generated, BroadbandRequest(mobile_coverage=coarse), threads=1)


def test_figures_of_all_zones_agree_with_each_other(computed, generated) -> None:
    table = computed.figures
    assert set(table["service"]) == set(broadband.SERVICES)
    assert (table["share"].between(0.0, 1.0)).all()
    assert (table["interval_low"] <= table["share"]).all()
    assert (table["share"] <= table["interval_high"]).all()
    np.testing.assert_allclose(table["count"], table["share"] * table["weight"], rtol=1e-9)
    by_level = table.groupby(["service", "measure", "level"])[["count", "weight"]].sum()
    for service, measure in by_level.index.droplevel("level").unique():
        np.testing.assert_allclose(
            by_level.loc[(service, measure, "province")],
            by_level.loc[(service, measure, "commune")],
            rtol=1e-9,
        )
    wide = table[table["measure"] == "household"].pivot(
        index="zone", columns="service", values="share"
    )
    for more, less in (
        ("broadband_reach", "broadband_budget"),
        ("broadband_reach", "broadband_port"),
        ("broadband_port", "broadband_free_port"),
        ("broadband_budget", SERVED),
        ("broadband_or_mobile", SERVED),
        ("broadband_or_mobile", "mobile_broadband"),
    ):
        assert (wide[more] >= wide[less] - 1e-9).all(), (more, less)
    people = generated.read_raster("population").values.sum()
    province = table[(table["level"] == "province") & (table["measure"] == "population")]
    np.testing.assert_allclose(province["weight"], people, rtol=1e-6)
    assert 0.3 < float(province.set_index("service").loc[SERVED, "share"]) < 0.98


def test_the_mobile_figure_is_that_of_the_rate(computed, generated) -> None:
    coarse = BroadbandRequest().mobile_coverage or run.CoverageRequest(
        technologies=("4G",), resolution_m=300.0, radius_m=3_000.0
    )
    radio = run.lookup(generated, coarse)
    assert radio is not None
    good = radio.covered("4G").values & (radio.rate("4G").values >= 10.0)
    grid = radio.grid
    layer = computed.homes
    column = ((layer.geometry.x - grid.x_min) // grid.resolution_m).astype(int)
    row = ((grid.y_max - layer.geometry.y) // grid.resolution_m).astype(int)
    np.testing.assert_array_equal(layer["mobile"].astype(bool), good[row, column])
    count = float(layer["people"][layer["mobile"].astype(bool)].sum())
    row_ = computed.figures.query(
        "service == 'mobile_broadband' and level == 'province' and measure == 'population'"
    )
    assert float(row_["count"].iloc[0]) == pytest.approx(count, rel=1e-3)
    faster = broadband.coverage(
        generated, BroadbandRequest(mobile_coverage=coarse, rate_mbps=1_000.0)
    )
    assert not faster.homes["mobile"].astype(bool).any()


def test_a_result_is_kept_saved_and_read_again(computed, generated, tmp_path: Path) -> None:
    seen: list[float] = []
    coarse = run.CoverageRequest(technologies=("4G",), resolution_m=300.0, radius_m=3_000.0)
    again = broadband.coverage(
        generated, BroadbandRequest(mobile_coverage=coarse), on_progress=seen.append
    )
    assert again.folder == computed.folder
    assert seen == [1.0]
    broadband.save(computed, tmp_path / "out")
    read = broadband.load(tmp_path / "out")
    pd.testing.assert_frame_equal(read.figures, computed.figures)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {"broadband.json", "homes.gpkg", "communes.gpkg", "communes.csv"}
    summary = json.loads((tmp_path / "out" / "broadband.json").read_text(encoding="utf-8"))
    first = summary["zones"][0]
    want = computed.figures.query("zone == 0 and measure == 'household'").set_index("service")
    assert first[SERVED]["household_percent"] == pytest.approx(
        100 * want.loc[SERVED, "share"], abs=1e-3
    )
    about = summary["provenance"]
    assert about["request"]["drop_m"] == 300.0
    assert set(about["inputs"]) >= {"fibre_nodes", "fibre_segments", "roads", "population"}
    assert all(len(value) == 64 for value in about["content_sha256"].values())
    assert about["mobile_coverage"] is not None
    communes = gpd.read_file(tmp_path / "out" / "communes.gpkg", layer="communes")
    assert f"{SERVED}_household_percent" in communes
    with pytest.raises(InputError, match="holds no broadband result"):
        broadband.load(tmp_path)


def test_another_input_makes_another_result(tmp_path: Path) -> None:
    given = homes_at((1_000, 0))
    workspace = area(tmp_path)
    first = broadband.coverage(workspace, homes=given)
    assert broadband.coverage(workspace, homes=homes_at((1_001, 0))).folder != first.folder
    assert broadband.coverage(workspace, BroadbandRequest(drop_m=299.0), homes=given).folder != (
        first.folder
    )
    workspace.write({"fibre_nodes": access_nodes([900.0])}, {"fibre_nodes": samples.REAL})
    assert broadband.coverage(workspace, homes=given).folder != first.folder


def test_a_cancelled_computation_leaves_nothing(tmp_path: Path) -> None:
    workspace = area(tmp_path)

    def stop(share: float) -> None:
        if share > 0.3:
            raise CancelledError

    with pytest.raises(CancelledError):
        broadband.coverage(workspace, on_progress=stop)
    assert list((tmp_path / "results").iterdir()) == []


# Homes


def test_people_of_coarse_pixels_move_to_the_settlements_and_none_is_lost(tmp_path: Path) -> None:
    codes = np.full(samples.grid().shape, 40.0, np.float32)
    codes[:, ::10] = 51.0
    workspace = area(tmp_path)
    workspace.write(
        {},
        dict.fromkeys(["population", "clutter"], samples.REAL),
        rasters={
            "population": samples.raster(60.0, 1_000.0),
            "clutter": Raster(samples.grid(), codes),
        },
    )
    found = homes.find(workspace)
    assert found.people.sum() == pytest.approx(60.0 * 50, rel=1e-4)
    column = ((found.x_m - X) // 100).astype(int)
    assert set(column % 10) == {0}
    assert any("pixels of 1000 m" in str(note) for note in found.notes)
    assert len(homes.find(workspace, most_points=200)) <= 200
    assert homes.find(workspace, most_points=200).people.sum() == pytest.approx(3_000.0, rel=1e-4)


def test_households_are_those_of_the_finest_zone_that_says(tmp_path: Path) -> None:
    zones = samples.zones()
    zones["households"] = [1_000.0, 500.0, np.nan]
    found = homes.find(area(tmp_path, zones=zones), household_size=5.0)
    west = found.x_m < X + 5_000
    np.testing.assert_allclose((found.people / found.households)[west], 2.0)
    # The east has none of its own and takes the province's.
    np.testing.assert_allclose((found.people / found.households)[~west], 3.0)
    assert found.belongs.sum() == 2 * len(found)


def test_villages_stand_in_where_there_is_no_raster(tmp_path: Path) -> None:
    workspace = area(tmp_path, without=("population",))
    found = homes.find(workspace)
    assert found.people.tolist() == [300.0]
    said = [str(note) for note in found.notes]
    assert any("Villages without population, left out: 1" in text for text in said)
    empty = area(tmp_path / "none", without=("population", "villages"))
    with pytest.raises(InputError, match="neither population nor villages"):
        homes.find(empty)
    with pytest.raises(InputError, match="has no population"):
        homes.find(workspace, source="population")


def test_given_homes_are_checked_row_by_row(tmp_path: Path) -> None:
    workspace = area(tmp_path)
    outlines = homes_at((1_000, 0))
    outlines = outlines.set_geometry(outlines.buffer(5.0), crs=CRS).to_crs(4326)
    found = homes.find(workspace, given=outlines.drop(columns="households"))
    assert found.households.tolist() == [1.0]
    assert found.people.tolist() == [homes.HOUSEHOLD_SIZE]
    for value, said in ((-1.0, "Home 1, column households: -1.0"), ("many", "many")):
        with pytest.raises(InputError, match=said):
            homes.find(workspace, given=homes_at((1_000, 0), households=value))
    with pytest.raises(InputError, match="no CRS"):
        homes.find(workspace, given=homes_at((1_000, 0)).set_crs(None, allow_override=True))
    nowhere = homes_at((1_000, 0)).set_geometry([None], crs=CRS)
    with pytest.raises(InputError, match="1 of 1 homes have no place"):
        homes.find(workspace, given=nowhere)
    with pytest.raises(InputError, match="Nobody lives in the zones"):
        homes.find(workspace, given=homes_at((1_000, 0)).translate(1e6).to_frame("geometry"))
    with pytest.raises(InputError, match="cannot be read as homes"):
        homes.read_file(tmp_path / "manifest.json")


# Bad input


@pytest.mark.parametrize(
    ("without", "said"),
    [
        (("fibre_nodes",), "no fibre_nodes.*data import fibre_nodes FILE"),
        (("roads", "fibre_segments"), "neither roads nor fibre_segments.*data import roads FILE"),
        (("zones",), "no zones.*data import zones FILE"),
        (("population", "villages"), "neither population nor villages"),
    ],
)
def test_a_missing_layer_is_named_with_what_to_import(tmp_path: Path, without, said) -> None:
    with pytest.raises(InputError, match=said):
        broadband.coverage(area(tmp_path, without=without))


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        (access_nodes([]), "None of the 1 rows of fibre_nodes is a live access point"),
        (access_nodes([5.0], status=["existing", "planned"]), "None of the 2 rows"),
        (access_nodes([5.0], ports=[np.nan, 0.0]), "None of the 2 rows"),
        (
            access_nodes([5.0], node_type=["olt", "manhole"], ports=np.nan, ports_used=np.nan),
            "None",
        ),
        (
            access_nodes([5.0]).set_geometry(gpd.points_from_xy([X, X], [Y, Y + 4_900]), crs=CRS),
            "None of the 1 live access points stands within 300 m",
        ),
    ],
)
def test_a_network_without_live_access_is_refused(tmp_path: Path, nodes, said) -> None:
    with pytest.raises(InputError, match=said):
        broadband.coverage(area(tmp_path, nodes=nodes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"drop_m": 0.0}, "drop_m is 0.0 .expected a number from 1 to 20000"),
        ({"drop_m": math.nan}, "drop_m is nan"),
        ({"access_reach_m": -1.0}, "access_reach_m is -1.0"),
        ({"rate_mbps": 0.0}, "rate_mbps is 0.0"),
        ({"drop_uncertainty": 1.0}, "drop_uncertainty is 1.0"),
        ({"ports": "some"}, "ports is some .expected one of all, free"),
        ({"homes": "tents"}, "homes is tents"),
        ({"mobile_technologies": ("2G",)}, "mobile_technologies is 2G"),
        ({"assumed_pon_class": "Z"}, "no optical budget class Z"),
        ({"assumed_split_ratio": 500}, "split ratio is 500"),
        ({"household_size": 0.0}, "size of a household is 0.0"),
        ({"spacing_m": 1.0}, "distance between homes is 1.0 m"),
    ],
)
def test_unusable_requests_are_named(tmp_path: Path, changes, said) -> None:
    with pytest.raises(InputError, match=said):
        broadband.coverage(area(tmp_path), replace(BroadbandRequest(), **changes))


def test_classes_that_are_not_known_are_said(tmp_path: Path) -> None:
    nodes = access_nodes([1_000.0], pon_class=["B+", "gpon"])
    result = broadband.coverage(area(tmp_path, nodes=nodes), homes=homes_at((1_000, 0)))
    said = " ".join(note["text"] for note in result.summary["provenance"]["notes"])
    assert "not known, taken as B+: GPON" in said


# The command


def test_the_command_writes_figures_and_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    area(tmp_path / "area")
    words = ["broadband", "--workspace", str(tmp_path / "area"), "--out", str(tmp_path / "out")]
    assert command_line.main([*words, "--drop-m", "250", "--rate-mbps", "20"]) == 0
    said = capsys.readouterr().out
    assert "Hà Nam, within reach, budget closes, and a port for it:" in said
    assert "There are no mobile figures" in said
    summary = json.loads((tmp_path / "out" / "broadband.json").read_text(encoding="utf-8"))
    assert summary["provenance"]["request"]["drop_m"] == 250.0
    assert summary["provenance"]["request"]["rate_mbps"] == 20.0
    given = tmp_path / "homes.gpkg"
    homes_at((1_000, 0)).to_file(given)
    assert command_line.main([*words, "--homes-file", str(given)]) == 0
    assert "100.0 % of households" in capsys.readouterr().out
    area(tmp_path / "bare", without=("fibre_nodes",))
    words[2] = str(tmp_path / "bare")
    assert command_line.main(words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "data import fibre_nodes FILE" in said
