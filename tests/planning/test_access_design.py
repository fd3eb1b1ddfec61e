"""Access design against enumeration, and the laws that any design has to keep."""

from __future__ import annotations

import itertools
import math
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from numpy.typing import NDArray

from data.errors import CancelledError, InputError
from planning import facilities, route_graph
from planning.access_design import AccessDesign, AccessRequest, design_access
from planning.cost import unit_costs
from planning.facilities import Location, Task
from planning.route_graph import RouteGraph
from tests.planning.fibre_areas import CRS, X, Y, at, roads
from tests.planning.test_shared_routes import least_tree

COSTS = unit_costs()


def homes_at(*places: tuple[float, float], households: list[float] | None = None) -> Any:
    """Return homes at places of the area."""
    xy = np.array([at(*place) for place in places]).reshape(-1, 2)
    columns = {"home_id": [f"H{k}" for k in range(len(xy))]}
    frame = gpd.GeoDataFrame(columns, geometry=gpd.points_from_xy(xy[:, 0], xy[:, 1]), crs=CRS)
    if households is not None:
        frame["households"] = households
    return frame


def node_at(graph: RouteGraph, x: float, y: float) -> int:
    """Return the node nearest to a place of the area."""
    return int(np.argmin(np.hypot(graph.x_m - X - x, graph.y_m - Y - y)))


def town(
    count: int, *, size_m: float = 2_000.0, block_m: float = 250.0, seed: int = 1
) -> tuple[RouteGraph, gpd.GeoDataFrame, list[int]]:
    """Return streets with some missing, homes in clusters and an exchange in a corner."""
    rng = np.random.default_rng(seed)
    side = int(size_m / block_m)
    shift = rng.uniform(-50.0, 50.0, (side + 1, side + 1, 2))
    corner = [
        [(a * block_m + shift[a, b, 0], b * block_m + shift[a, b, 1]) for b in range(side + 1)]
        for a in range(side + 1)
    ]
    lines = []
    for a, b in itertools.product(range(side + 1), repeat=2):
        if a < side and (b == 0 or rng.random() < 0.8):
            lines.append([corner[a][b], corner[a + 1][b]])
        if b < side and (a == 0 or rng.random() < 0.8):
            lines.append([corner[a][b], corner[a][b + 1]])
    graph = route_graph.build(roads=roads(*lines), fibre_segments=None, costs=COSTS).graph
    centre = rng.uniform(300.0, size_m - 300.0, (max(2, count // 100), 2))
    place = centre[rng.integers(0, len(centre), count)] + rng.normal(0.0, 200.0, (count, 2))
    homes = homes_at(*[(float(x), float(y)) for x, y in place])
    return graph, homes, [node_at(graph, *corner[0][0])]


def check(design: AccessDesign, request: AccessRequest) -> None:
    """Assert all that must hold for every design."""
    homes, cabinets, drops = design.homes, design.cabinets, design.drops
    served = homes["cabinet_id"].notna().to_numpy()
    # Each home has one cabinet, or one reason.
    assert [reason is None for reason in design.reasons] == served.tolist()
    assert homes["reason"].isna().tolist() == served.tolist()
    assert sorted(drops["home"].tolist()) == np.flatnonzero(served).tolist()
    assert set(homes["cabinet_id"].dropna()) == set(cabinets["cabinet_id"])
    # Drops, ports and light.
    assert (drops["length_m"] <= request.drop_m + 1e-6).all()
    most = request.split * request.splitters_per_cabinet
    load = homes[served].groupby("cabinet_id")["connections"].sum()
    assert load.to_dict() == cabinets.set_index("cabinet_id")["connections"].to_dict()
    assert (cabinets["connections"] <= most).all()
    assert (cabinets["ports"] == request.split * cabinets["splitters"]).all()
    assert (cabinets["ports_free"] >= 0).all()
    assert (cabinets["ports_free"] < request.split).all()
    assert (cabinets["feeder_m"] + cabinets["longest_drop_m"] <= request.reach_m + 1e-6).all()
    # Money: the bill is the design.
    assert design.cost.typical == pytest.approx(design.design_cost, rel=1e-9)
    assert 0.0 <= design.lower_bound <= design.design_cost
    assert sum(part["cost"] for part in design.parts.values()) == pytest.approx(design.design_cost)
    assert design.feeders["cost"].sum() == pytest.approx(design.parts["feeder"]["cost"])
    assert design.summary["connections_served"] == load.sum()


# ----------------------------------------------------------------------------------------
# Location alone


def random_task(seed: int, *, homes: int = 6, places: int = 4, tight: bool = False) -> Task:
    rng = np.random.default_rng(seed)
    near = rng.random((homes, places)) < 0.7
    near[:, 0] |= ~near.any(axis=1)
    home, place = np.nonzero(near)
    return Task.of(
        rng.integers(1, 4, homes),
        (home, place, rng.integers(1, 60, len(home)).astype(float)),
        rng.integers(20, 100, places).astype(float),
        per_box=float(rng.integers(1, 30)),
        ports=2,
        boxes=2 if tight else 5,
    )


def least_location(task: Task) -> float:
    """Return the least cost by trying all assignments."""
    options = [
        [-1, *range(int(task.first[i]), int(task.first[i + 1]))] for i in range(len(task.demand))
    ]
    best = math.inf
    for choice in itertools.product(*options):
        chosen = np.array(choice)
        served = chosen >= 0
        load = np.zeros(len(task.fixed), dtype=int)
        np.add.at(load, task.place[chosen[served]], task.demand[served])
        if (load <= task.ports * task.boxes).all():
            best = min(best, task.cost(chosen))
    return best


@pytest.mark.parametrize("tight", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_location_equals_enumeration(seed: int, tight: bool) -> None:
    task = random_task(seed, tight=tight)
    optimum = least_location(task)
    start = facilities.nearest(task, np.ones(len(task.fixed), dtype=bool))
    better = facilities.anneal(task, start, moves=20_000)
    assert optimum - 1e-9 <= task.cost(better) <= task.cost(start)
    # Fitting buildings into the last ports is left to the solver.
    assert tight or task.cost(better) <= 1.1 * optimum
    bound, _, worth = facilities.bound(task, task.cost(better))
    assert bound <= optimum + 1e-6
    assert bound >= 0.6 * optimum
    assert worth.shape == task.fixed.shape
    found = facilities.solve_exactly(
        task, Location(start, task.cost(start), bound), time_limit_s=10.0
    )
    assert found.cost == pytest.approx(optimum, rel=1e-9)
    assert found.bound == pytest.approx(optimum, rel=1e-6)


def test_annealing_of_a_larger_task_comes_near_its_bound() -> None:
    rng = np.random.default_rng(4)
    homes, places = rng.uniform(0, 1000, (250, 2)), rng.uniform(0, 1000, (60, 2))
    far = np.hypot(*(homes[:, None] - places[None]).transpose(2, 0, 1))
    home, place = np.nonzero(far < 300.0)
    task = Task.of(
        np.ones(250, dtype=int),
        (home, place, far[home, place]),
        np.full(60, 800.0),
        per_box=120.0,
        ports=16,
        boxes=2,
    )
    start = facilities.nearest(task, np.ones(60, dtype=bool))
    better = facilities.anneal(task, start, moves=200_000)
    bound, _, _ = facilities.bound(task, task.cost(better))
    assert (better >= 0).all()
    load = np.bincount(task.place[better], minlength=60)
    assert load.max() <= 32
    assert bound <= task.cost(better) <= 1.03 * bound


# ----------------------------------------------------------------------------------------
# The whole


def least_design(
    graph: RouteGraph,
    homes: gpd.GeoDataFrame,
    exchange: int,
    places: list[int],
    request: AccessRequest,
    drop_m: NDArray,
) -> float:
    """Return the least cost of all designs that serve all homes, by trying all assignments."""
    typical = {item: cost.cost.typical for item, cost in COSTS.items()}
    box = typical[f"splitter_1_{request.split}"] + typical["olt_port"]
    trees = {
        chosen: least_tree(
            graph.tail, graph.head, graph.cost, [exchange, *[places[j] for j in chosen]]
        )
        for size in range(1, len(places) + 1)
        for chosen in itertools.combinations(range(len(places)), size)
    }
    best = math.inf
    for choice in itertools.product(range(len(places)), repeat=len(homes)):
        way = drop_m[np.arange(len(homes)), list(choice)]
        load = np.bincount(choice, minlength=len(places))
        if (way > request.drop_m).any():
            continue
        if load.max() > request.split * request.splitters_per_cabinet:
            continue
        boxes = -(-load // request.split)
        opened = tuple(np.flatnonzero(load).tolist())
        total = typical["cabinet"] * len(opened) + box * boxes.sum() + trees[opened]
        total += typical["drop_cable"] * way.sum() + typical["home_connection"] * len(homes)
        best = min(best, float(total))
    return best


@pytest.mark.parametrize("seed", range(10))
def test_small_designs_equal_enumeration(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = route_graph.build(
        roads=roads(
            [(0, 0), (200, 0)],
            [(200, 0), (400, 0)],
            [(0, 0), (0, 200)],
            [(0, 200), (200, 200)],
            [(200, 0), (200, 200)],
            [(200, 200), (400, 200)],
            [(400, 0), (400, 200)],
        ),
        fibre_segments=None,
        costs=COSTS,
    ).graph
    # Homes beside corners, so that the way of a drop is easily told.
    corners = [(200.0, 0.0), (400.0, 0.0), (0.0, 200.0), (200.0, 200.0), (400.0, 200.0)]
    at_corner = rng.integers(0, 5, 6)
    homes = homes_at(*[corners[k] for k in at_corner])
    exchange = node_at(graph, 0.0, 0.0)
    places = [node_at(graph, *corners[k]) for k in (0, 2, 3, 4)]
    far = graph.matrix()
    drop_m = np.array(
        [[graph.distances([p])[0][node_at(graph, *corners[k])] for p in places] for k in at_corner]
    )
    assert far.shape[0] == graph.n_nodes
    request = AccessRequest(
        drop_m=float(rng.choice([210.0, 410.0])), split=8, splitters_per_cabinet=1
    )
    design = design_access(graph, homes, [exchange], COSTS, request, places=places)
    check(design, request)
    assert all(reason is None for reason in design.reasons)
    optimum = least_design(graph, homes, exchange, places, request, drop_m)
    assert design.lower_bound <= optimum * (1.0 + 1e-6)
    assert design.design_cost >= optimum * (1.0 - 1e-9)
    assert design.design_cost <= 1.02 * optimum
    assert design.gap <= 0.1


@pytest.mark.parametrize("split", [8, 64])
def test_a_town_is_served_near_the_least_cost(split: int) -> None:
    graph, homes, exchange = town(250)
    request = AccessRequest(candidates=60, split=split, time_limit_s=4.0)
    design = design_access(graph, homes, exchange, COSTS, request)
    check(design, request)
    assert design.gap <= 0.05
    assert design.summary["homes_served"] >= 245


def test_order_of_the_homes_changes_nothing() -> None:
    graph, homes, exchange = town(80, size_m=1_000.0)
    request = AccessRequest(candidates=30)
    order = np.random.default_rng(0).permutation(len(homes))
    one = design_access(graph, homes, exchange, COSTS, request)
    other = design_access(graph, homes.iloc[order], exchange, COSTS, request)
    assert other.design_cost == one.design_cost
    assert other.homes.sort_index()["cabinet_id"].equals(one.homes["cabinet_id"])
    check(other, request)


def test_more_places_longer_drops_and_more_light_are_never_worse() -> None:
    graph, homes, exchange = town(60, size_m=1_000.0)
    few = AccessRequest(candidates=8, drop_m=400.0)
    last = design_access(graph, homes, exchange, COSTS, few)
    for count in (16, 48):
        request = AccessRequest(candidates=count, drop_m=400.0, time_limit_s=3.0)
        design = design_access(graph, homes, exchange, COSTS, request)
        assert design.summary["connections_served"] >= last.summary["connections_served"]
        if design.summary["connections_served"] == last.summary["connections_served"]:
            # What is proven holds exactly, what is found nearly.
            assert design.lower_bound <= last.design_cost * (1.0 + 1e-9)
            assert design.design_cost <= last.design_cost * 1.01
        last = design
    for change in ({"drop_m": 150.0}, {"reach_m": 900.0}):
        less = design_access(graph, homes, exchange, COSTS, AccessRequest(candidates=64, **change))
        check(less, AccessRequest(candidates=64, **change))
        assert less.summary["connections_served"] <= last.summary["connections_served"]


def test_reasons_of_homes_that_are_not_served() -> None:
    graph = route_graph.build(
        roads=roads([(0, 0), (1000, 0)], [(1000, 0), (3000, 0)], [(0, 5000), (500, 5000)]),
        fibre_segments=None,
        costs=COSTS,
    ).graph
    homes = homes_at(
        (50, 10),  # near the exchange
        (500, 900),  # off the routes
        (2900, 5),  # beyond the light
        (100, 5010),  # on a road that leads nowhere
        (60, 10),  # too many ports
        households=[1.2, 1, 1, 1, 100],
    )
    request = AccessRequest(reach_m=2_000.0, split=8, splitters_per_cabinet=2)
    exchange = [node_at(graph, 0, 0)]
    design = design_access(graph, homes, exchange, COSTS, request)
    check(design, request)
    assert design.homes["connections"].tolist() == [2, 1, 1, 1, 100]
    reasons = [None if reason is None else str(reason) for reason in design.reasons]
    assert reasons[0] is None
    assert reasons[1] == "there is no route within 200 m"
    assert reasons[2] is not None
    assert reasons[2].startswith("the fibre from the exchange would be 2")
    assert reasons[3] == "no route leads from the exchange to a place near it"
    assert reasons[4] == "it needs 100 ports, a cabinet has 16"
    assert "4 of 5 homes are not served; each has a reason" in [str(n) for n in design.notes]
    # A place that was given, but too far for a drop.
    far = design_access(graph, homes, exchange, COSTS, request, places=[node_at(graph, 1000, 0)])
    assert str(far.reasons[0]) == (
        "the nearest place for a cabinet is 960 m away, farther than 300 m"
    )


def test_homes_are_left_out_only_when_all_ports_are_taken() -> None:
    graph = route_graph.build(
        roads=roads([(0, 0), (1000, 0)]), fibre_segments=None, costs=COSTS
    ).graph
    homes = homes_at(*[(900.0 + k, 5.0) for k in range(20)])
    request = AccessRequest(split=8, splitters_per_cabinet=2)
    design = design_access(
        graph, homes, [node_at(graph, 0, 0)], COSTS, request, places=[node_at(graph, 1000, 0)]
    )
    check(design, request)
    assert design.summary["connections_served"] == 16
    left = [str(reason) for reason in design.reasons if reason is not None]
    assert left == ["all ports of the places near it are taken"] * 4
    # The nearest ones are served.
    assert design.homes["cabinet_id"].isna().tolist() == [True] * 4 + [False] * 16


def test_a_building_goes_to_one_cabinet_as_a_whole() -> None:
    graph = route_graph.build(
        roads=roads([(0, 0), (300, 0)], [(300, 0), (600, 0)]), fibre_segments=None, costs=COSTS
    ).graph
    homes = homes_at((310, 5), (305, 5), (295, 5), households=[6.0, 6.0, 4.0])
    request = AccessRequest(split=8, splitters_per_cabinet=1, drop_m=350.0)
    places = [node_at(graph, x, 0) for x in (0, 300, 600)]
    design = design_access(graph, homes, [node_at(graph, 0, 0)], COSTS, request, places=places)
    check(design, request)
    assert len(design.cabinets) == 3


def test_a_cheap_detour_that_is_too_long_for_the_light_is_not_taken() -> None:
    # The direct road is paved and dear, the way round is a cheap track.
    costs = {**COSTS, "aerial_new_poles": COSTS["trench_paved"]}
    graph = route_graph.build(
        roads=roads(
            [(0, 0), (2000, 0)],
            [(0, 0), (0, 900)],
            [(0, 900), (2000, 900)],
            [(2000, 900), (2000, 0)],
            surface=["asphalt", "dirt", "dirt", "dirt"],
        ),
        fibre_segments=None,
        costs=costs,
    ).graph
    homes = homes_at((2000, 5))
    exchange = [node_at(graph, 0, 0)]
    long = design_access(graph, homes, exchange, costs, AccessRequest(reach_m=5_000.0))
    short = design_access(graph, homes, exchange, costs, AccessRequest(reach_m=2_500.0))
    assert long.cabinets["feeder_m"].iloc[0] > 3_000.0
    assert short.cabinets["feeder_m"].iloc[0] <= 2_500.0
    assert short.design_cost > long.design_cost
    check(short, AccessRequest(reach_m=2_500.0))


def test_straight_drops_are_shorter_than_those_along_the_routes() -> None:
    graph, homes, exchange = town(60, size_m=1_000.0)
    along = design_access(graph, homes, exchange, COSTS, AccessRequest(candidates=30))
    request = AccessRequest(candidates=30, straight_drops=True, time_limit_s=2.0)
    straight = design_access(graph, homes, exchange, COSTS, request)
    check(straight, request)
    assert straight.drops["length_m"].to_numpy() == pytest.approx(straight.drops.length.to_numpy())
    assert (along.drops["length_m"] >= along.drops.length - 1e-2).all()
    assert "Drops are measured straight from home to cabinet" in [
        str(note) for note in straight.notes
    ]


def test_nobody_in_reach_makes_an_empty_design() -> None:
    graph, homes, exchange = town(5, size_m=1_000.0)
    design = design_access(graph, homes, exchange, COSTS, AccessRequest(reach_m=1.0))
    check(design, AccessRequest(reach_m=1.0))
    assert (len(design.cabinets), design.design_cost, design.gap) == (0, 0.0, 0.0)
    assert design.bill.empty


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"split": 12}, "There are no splitters with 12 ports (expected one of 8, 16, 32, 64)"),
        ({"drop_m": 0.0}, "The design's drop_m is 0.0, but it must be greater than 0"),
        ({"reach_m": math.nan}, "The design's reach_m is nan"),
        ({"candidates": 0}, "The design's candidates is 0, but it must be a whole number from 1"),
        ({"splitters_per_cabinet": 1.5}, "The design's splitters_per_cabinet is 1.5"),
    ],
)
def test_bad_requests_are_named(change: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError) as caught:
        AccessRequest(**change)
    assert text in str(caught.value)


def test_bad_homes_and_nodes_are_named() -> None:
    graph, homes, exchange = town(5, size_m=1_000.0)
    none = homes_at((10, 10), households=[0.0])
    lines = homes.copy()
    lines.geometry = lines.geometry.buffer(1.0)
    cases = (
        ((homes.iloc[:0], exchange), "There are no homes to serve"),
        ((homes, []), "There is no exchange for feeder cable to start from"),
        ((homes, [10**6]), "exchanges: the routes have no node 1000000"),
        ((homes.to_crs("EPSG:4326"), exchange), "The homes are in EPSG:4326, expected"),
        ((none, exchange), "Home 0: 0.0 households (expected a number greater than 0)"),
        ((lines, exchange), "The homes must be points"),
    )
    for (given, nodes), text in cases:
        with pytest.raises(InputError) as caught:
            design_access(graph, given, nodes, COSTS)
        assert text in str(caught.value)


def test_progress_rises_and_can_cancel() -> None:
    graph, homes, exchange = town(60, size_m=1_000.0)
    seen: list[float] = []
    design_access(graph, homes, exchange, COSTS, on_progress=seen.append)
    assert len(seen) > 5
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    def stop(done: float) -> None:
        if done > 0.1:
            raise CancelledError

    with pytest.raises(CancelledError):
        design_access(graph, homes, exchange, COSTS, on_progress=stop)
