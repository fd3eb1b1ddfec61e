"""The graph along which cable is laid: where lines join, what it costs, what hangs loose."""

from __future__ import annotations

import itertools

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
import shapely.ops
from hypothesis import given, settings
from hypothesis import strategies as st

from data.clutter_classes import CROP, WATER
from data.errors import InputError
from data.grid import Grid, Raster
from planning import cost, route_graph

CRS = "EPSG:32648"
COSTS = cost.unit_costs()


def roads(*lines, surface=None, road_class="tertiary") -> gpd.GeoDataFrame:
    shapes = [shapely.LineString(line) for line in lines]
    return gpd.GeoDataFrame(
        {
            "road_id": [f"R{k}" for k in range(len(lines))],
            "name": None,
            "road_class": road_class,
            "surface": surface,
        },
        geometry=shapes,
        crs=CRS,
    )


def segments(*lines, kind="duct", owner="A", cores=None, used=None) -> gpd.GeoDataFrame:
    count = len(lines)
    return gpd.GeoDataFrame(
        {
            "segment_id": [f"S{k}" for k in range(count)],
            "segment_type": [kind] * count,
            "owner": [owner] * count,
            "status": ["existing"] * count,
            "cores": pd.array([cores] * count, dtype="Int64"),
            "cores_used": pd.array([used] * count, dtype="Int64"),
        },
        geometry=[shapely.LineString(line) for line in lines],
        crs=CRS,
    )


def built(road_lines=None, fibre=None, **options) -> route_graph.BuiltGraph:
    return route_graph.build(roads=road_lines, fibre_segments=fibre, costs=COSTS, **options)


def degrees(graph) -> list[int]:
    counts = np.bincount(np.r_[graph.tail, graph.head], minlength=graph.n_nodes)
    return sorted(counts.tolist())


def test_lines_that_cross_without_a_vertex_do_not_meet() -> None:
    over = built(roads([(0, 0), (100, 0)], [(50, -50), (50, 50)])).graph
    assert degrees(over) == [1, 1, 1, 1]
    assert over.n_edges == 2


def test_lines_that_share_an_inner_vertex_meet_there() -> None:
    graph = built(roads([(0, 0), (50, 0), (100, 0)], [(50, -50), (50, 0), (50, 50)])).graph
    assert degrees(graph) == [1, 1, 1, 1, 4]
    assert graph.length_m.sum() == pytest.approx(200.0)


def test_an_end_on_a_line_within_the_tolerance_meets_it() -> None:
    lines = roads([(0, 0), (100, 0)], [(40, 0.8), (40, 60)])
    assert degrees(built(lines).graph) == [1, 1, 1, 3]
    assert degrees(built(lines, snap_m=0.5).graph) == [1, 1, 1, 1]


def test_an_end_obliquely_before_an_end_is_joined_all_the_same() -> None:
    # 0.9 m along and 0.9 m beside: near the line, yet not within 1 m of its end.
    graph = built(roads([(0, 0), (100, 0)], [(0.9, 0.9), (0.9, 60)])).graph
    assert (graph.components() == 0).all()
    assert graph.n_edges == 2


def test_a_finely_drawn_line_does_not_shrink_where_it_is_joined_vertex_by_vertex() -> None:
    fine = [(0.5 * k, 0.0) for k in range(101)]
    graph = built(roads(fine), segments(fine)).graph
    assert graph.length_m[graph.layer == "roads"].sum() == pytest.approx(50.0, abs=2.5)
    distance, _ = graph.distances([int(np.argmin(graph.x_m))])
    assert distance.max() == pytest.approx(50.0, abs=2.5)


def test_an_end_just_beyond_the_tolerance_is_reported_as_a_gap() -> None:
    found = built(roads([(0, 0), (100, 0)], [(40, 6), (40, 60)]))
    said = [str(problem) for problem in found.problems]
    assert any("stops 6.0 m short of row 1" in text for text in said)
    assert any("not connected with the rest" in text for text in said)
    assert all(problem.severity == "warning" for problem in found.problems)


def test_a_gap_between_roads_is_reported_though_a_duct_is_nearer() -> None:
    lines = roads([(0, 0), (100, 0)], [(40, 6), (40, 60)])
    found = built(lines, segments([(0, 3), (100, 3)]))
    said = [str(problem) for problem in found.problems]
    assert any("stops 6.0 m short of row 1" in text for text in said)


def test_points_of_the_network_that_are_double_or_far_from_lines_are_reported() -> None:
    nodes = gpd.GeoDataFrame(
        {
            "node_id": ["N1", "N2", "N3", "N4", "N5"],
            "node_type": ["olt", "olt", "cabinet", "olt", "olt"],
            "status": ["existing"] * 4 + ["removed"],
        },
        geometry=gpd.points_from_xy([10, 10.4, 10, 50, 60], [0, 0, 0, 80, 500]),
        crs=CRS,
    )
    found = built(roads([(0, 0), (100, 0)]), fibre_nodes=nodes).problems
    said = [(problem.layer, problem.row, str(problem)) for problem in found]
    assert [row for _, row, _ in said] == [4, 2]
    assert "the point N4 lies more than 50 m from every line" in said[0][2]
    assert "the point N2 lies where N1 of the same kind lies" in said[1][2]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9))
def test_pieces_of_lines_equal_those_that_shapely_cuts(seed) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 5))
    lines, number, along = [], [], []
    for k in range(count):
        xy = rng.integers(0, 50, (int(rng.integers(2, 7)), 2)) * 1.0
        xy[1:] += (xy[1:] == xy[:-1]).all(axis=1)[:, None]
        line = shapely.LineString(xy)
        lines.append(line)
        places = set(rng.uniform(0.01, 0.99, int(rng.integers(0, 4))) * line.length)
        # At vertices, too.
        steps = np.cumsum(np.hypot(*np.diff(xy, axis=0).T))[:-1]
        places |= {float(at) for at in steps if rng.random() < 0.4 and at < line.length - 1e-3}
        number += [k] * len(places)
        along += sorted(places)
    whole = np.array(lines, dtype=object)
    pieces, of = route_graph.cut_lines(whole, np.array(number, dtype=int), np.array(along))
    for k, line in enumerate(lines):
        cuts = [0.0, *[a for n, a in zip(number, along, strict=True) if n == k], line.length]
        mine = pieces[of == k]
        assert len(mine) == len(cuts) - 1
        for piece, start, end in zip(mine, cuts[:-1], cuts[1:], strict=True):
            assert piece.length == pytest.approx(end - start, abs=1e-6)
            expected = shapely.ops.substring(line, start, end)
            assert shapely.hausdorff_distance(piece, expected) < 1e-6
            assert piece.is_valid or piece.length < 1e-6
        for one, other in itertools.pairwise(mine):
            assert one.coords[-1] == other.coords[0]


def test_two_parts_that_are_far_apart_are_reported_once() -> None:
    (problem,) = built(roads([(0, 0), (100, 0)], [(0, 900), (100, 900), (150, 900)])).problems
    assert "1 stretches with 0.10 km" in str(problem)


@pytest.mark.parametrize(
    ("surface", "allowed", "item"),
    [
        ("asphalt", route_graph.ROAD_ITEMS, "aerial_new_poles"),
        ("asphalt", ("trench_unpaved", "trench_paved"), "trench_paved"),
        ("dirt", ("trench_unpaved", "trench_paved"), "trench_unpaved"),
        ("asphalt", ("trench_unpaved",), "trench_paved"),
    ],
)
def test_a_road_costs_by_its_surface_and_by_what_is_allowed(surface, allowed, item) -> None:
    graph = built(roads([(0, 0), (100, 0)], surface=surface), road_items=allowed).graph
    assert graph.item.tolist() == [item]
    assert graph.cost[0] == pytest.approx(100.0 * COSTS[item].cost.typical)


@pytest.mark.parametrize(
    ("given_segments", "options", "item"),
    [
        (segments([(0, 0), (100, 0)]), {}, "cable_in_own_duct"),
        (segments([(0, 0), (100, 0)]), {"owner": "A"}, "cable_in_own_duct"),
        (segments([(0, 0), (100, 0)]), {"owner": "B"}, "cable_in_rented_duct"),
        (segments([(0, 0), (100, 0)], kind="aerial"), {}, "aerial_existing_poles"),
        (segments([(0, 0), (100, 0)], kind="buried", cores=24, used=20), {}, "spare_cores"),
    ],
)
def test_what_is_there_already_is_used_at_its_own_cost(given_segments, options, item) -> None:
    assert built(None, given_segments, **options).graph.item.tolist() == [item]


def test_a_full_buried_cable_is_of_no_use() -> None:
    full = segments([(0, 0), (100, 0)], kind="buried", cores=24, used=20)
    with pytest.raises(InputError, match="no road and no stretch of fibre"):
        built(None, full, cores=5)


def test_motorways_take_no_cable() -> None:
    with pytest.raises(InputError, match="no road"):
        built(roads([(0, 0), (100, 0)], road_class="motorway"))


def test_a_duct_beside_a_road_is_linked_with_it() -> None:
    found = built(roads([(0, 0), (100, 0)]), segments([(20, 8), (80, 8)]))
    graph = found.graph
    assert found.problems == []
    assert (graph.layer == "link").sum() == 2
    assert (graph.components() == 0).all()
    apart = built(roads([(0, 0), (100, 0)]), segments([(20, 8), (80, 8)]), link_m=5.0)
    assert apart.graph.components().max() == 1


def test_a_road_that_meets_the_middle_of_a_duct_is_linked_there() -> None:
    graph = built(roads([(500, 20), (500, 400)]), segments([(0, 0), (1000, 0)])).graph
    link = int(np.flatnonzero(graph.layer == "link")[0])
    assert (graph.layer == "link").sum() == 1
    assert graph.length_m[link] == pytest.approx(20.0)
    assert graph.cost[link] == pytest.approx(20.0 * COSTS["trench_unpaved"].cost.typical)
    assert (graph.components() == 0).all()


def test_a_road_node_is_not_linked_with_the_end_of_a_duct_that_has_its_own_link() -> None:
    graph = built(roads([(0, 20), (0, 10), (0, 400)]), segments([(5, 10), (300, 10)])).graph
    assert (graph.layer == "link").sum() == 1


def test_crossings_of_railway_and_water_cost_extra() -> None:
    rail = gpd.GeoDataFrame(
        {"railway_id": ["T1"]}, geometry=[shapely.LineString([(30, -50), (30, 50)])], crs=CRS
    )
    grid = Grid.covering((0.0, -50.0, 200.0, 50.0), 10.0, CRS)
    codes = np.full(grid.shape, CROP, dtype=np.uint8)
    x = grid.transform.c + 10.0 * (np.arange(grid.shape[1]) + 0.5)
    codes[:, ((x > 80) & (x < 110)) | ((x > 140) & (x < 170))] = WATER
    graph = built(roads([(0, 0), (200, 0)]), railways=rail, clutter=Raster(grid, codes)).graph
    assert graph.rail_crossings.tolist() == [1]
    assert graph.water_crossings.tolist() == [2]
    expected = 200.0 * COSTS["aerial_new_poles"].cost.typical
    expected += COSTS["railway_crossing"].cost.typical + 2 * COSTS["bridge_crossing"].cost.typical
    assert graph.cost[0] == pytest.approx(expected)
    split, node, _ = graph.attach(np.array([50.0, 125.0]), np.array([1.0, 1.0]), tolerance_m=5.0)
    assert split.cost.sum() == pytest.approx(expected)
    # Each crossing stays where it is: railway | first water | second water.
    order = np.argsort(shapely.get_x(shapely.centroid(split.line)))
    assert split.rail_crossings[order].tolist() == [1, 0, 0]
    assert split.water_crossings[order].tolist() == [0, 1, 1]
    metre = COSTS["aerial_new_poles"].cost.typical
    crossing = [
        COSTS["railway_crossing"].cost.typical,
        *[COSTS["bridge_crossing"].cost.typical] * 2,
    ]
    assert split.cost[order] == pytest.approx(np.array([50.0, 75.0, 75.0]) * metre + crossing)
    # A second split moves them again.
    again, _, _ = split.attach(np.array([20.0, 150.0]), np.array([0.0, 0.0]), tolerance_m=5.0)
    order = np.argsort(shapely.get_x(shapely.centroid(again.line)))
    assert again.rail_crossings[order].tolist() == [0, 1, 0, 0, 0]
    assert again.water_crossings[order].tolist() == [0, 0, 1, 0, 1]
    assert node[0] != node[1]


def test_a_bridge_belongs_to_one_place_however_the_road_is_drawn() -> None:
    grid = Grid.covering((0.0, -50.0, 200.0, 50.0), 10.0, CRS)
    codes = np.full(grid.shape, CROP, dtype=np.uint8)
    codes[:, 9:12] = WATER
    one = built(roads([(0, 0), (200, 0)]), clutter=Raster(grid, codes)).graph
    back = built(roads([(200, 0), (140, 0), (0, 0)]), clutter=Raster(grid, codes)).graph
    assert one.crossings.along_m == pytest.approx([105.0], abs=10.0)
    assert back.crossings.along_m == pytest.approx([95.0], abs=10.0)
    assert one.cost.sum() == pytest.approx(back.cost.sum())


def test_points_get_nodes_on_the_nearest_route() -> None:
    graph = built(roads([(0, 0), (100, 0)], [(100, 0), (100, 100)])).graph
    x, y = np.array([20.0, 20.0, 60.0, 0.0, 400.0]), np.array([3.0, -4.0, 0.0, 0.0, 400.0])
    split, node, offset = graph.attach(x, y, tolerance_m=10.0)
    assert node[0] == node[1]
    assert node[4] == -1
    assert not np.isfinite(offset[4])
    assert offset[:4].tolist() == pytest.approx([3.0, 4.0, 0.0, 0.0])
    assert node[3] in set(graph.tail.tolist()) | set(graph.head.tolist())
    assert split.n_edges == graph.n_edges + 2
    assert split.length_m.sum() == pytest.approx(graph.length_m.sum())
    far, nearest = split.distances([int(node[2])])
    assert far[node[0]] == pytest.approx(40.0)
    assert nearest[node[0]] == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.integers(2, 25), st.integers(1, 40), st.integers(1, 4))
def test_distances_equal_those_of_networkx(seed, n_nodes, n_edges, n_sources) -> None:
    rng = np.random.default_rng(seed)
    xy = rng.integers(0, 1000, (n_nodes, 2)) * 10.0
    tail, head = rng.integers(0, n_nodes, (2, n_edges))
    apart = (xy[tail] != xy[head]).any(axis=1)
    if not apart.any():
        return
    lines = [np.vstack([xy[a], xy[b]]) for a, b in zip(tail[apart], head[apart], strict=True)]
    graph = built(roads(*lines)).graph
    sources = rng.integers(0, graph.n_nodes, n_sources)
    offsets = rng.integers(0, 500, n_sources).astype(float)
    limit = float(rng.choice([np.inf, 8000.0]))
    distance, nearest = graph.distances(sources, offsets=offsets, limit=limit)
    plain = graph.to_networkx()
    for node in range(graph.n_nodes):
        ways = [
            offset + length
            for source, offset in zip(sources.tolist(), offsets.tolist(), strict=True)
            if (length := _length(plain, source, node)) is not None
        ]
        best = min(ways, default=np.inf)
        if np.isfinite(best) and best <= limit:
            assert distance[node] == pytest.approx(best)
            k = nearest[node]
            assert offsets[k] + _length(plain, sources[k], node) == pytest.approx(best)
        else:
            assert not np.isfinite(distance[node])
            assert nearest[node] == -1


def _length(plain: nx.MultiGraph, source: int, node: int) -> float | None:
    try:
        return nx.shortest_path_length(plain, int(source), node, weight="length_m")
    except nx.NetworkXNoPath:
        return None


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 12))
def test_the_order_of_lines_changes_nothing(seed, count) -> None:
    rng = np.random.default_rng(seed)
    ends = rng.integers(0, 6, (count, 2, 2)) * 50.0
    lines = [line for line in ends if (line[0] != line[1]).any()]
    if not lines:
        return
    order = rng.permutation(len(lines))
    one = built(roads(*lines)).graph
    other = built(roads(*[lines[k] for k in order])).graph
    assert degrees(one) == degrees(other)
    assert one.length_m.sum() == pytest.approx(other.length_m.sum())
    assert one.components().max() == other.components().max()


def test_bad_input_is_one_sentence() -> None:
    with pytest.raises(InputError, match="no road and no stretch of fibre"):
        built(None)
    with pytest.raises(InputError, match="called rope"):
        built(roads([(0, 0), (1, 0)]), road_items=("rope",))
    with pytest.raises(InputError, match="several CRSs"):
        built(roads([(0, 0), (1, 0)]), segments([(0, 0), (1, 0)]).to_crs("EPSG:3857"))
