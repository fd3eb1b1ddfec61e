"""Fibre design: the cheapest routes, the best use of a budget, cores, bill and clear refusals."""

from __future__ import annotations

import csv
import itertools
import json
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import geopandas as gpd
import networkx as nx
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import planning
from data.errors import CancelledError, InputError, ValidationError
from planning import cost, fibre
from planning.fibre import DesignRequest
from tests.areas import small_area, write_area
from tests.planning.fibre_areas import (
    CRS,
    MemoryArea,
    at,
    exchanges,
    roads,
    segments,
    sites,
)

COSTS = cost.unit_costs()
DIG = ("trench_unpaved", "trench_paved")
POLES = COSTS["aerial_new_poles"].cost.typical
UNPAVED = COSTS["trench_unpaved"].cost.typical
PAVED = COSTS["trench_paved"].cost.typical
OWN_DUCT = COSTS["cable_in_own_duct"].cost.typical
SPARE = COSTS["spare_cores"].cost.typical

#: A road with a branch: three sites hang on it.
FORK = roads([(0, 0), (500, 0), (1000, 0)], [(500, 0), (500, 400)])


def area(folder: Path, **layers) -> MemoryArea:
    return MemoryArea(folder, **layers)


def assert_sound(result: fibre.RouteDesign) -> None:
    """Check what holds of every design."""
    routes = result.routes
    surcharge = result.bill.loc[result.bill["item"] == "cable_per_core", "typical"].sum()
    assert result.cost.typical == pytest.approx(routes["cost"].sum() + surcharge)
    assert result.route_cost == pytest.approx(routes["cost"].sum())
    assert result.cost.typical == pytest.approx(result.bill["typical"].sum())
    assert result.cost.low <= result.cost.typical <= result.cost.high
    assert (routes["cable"] >= routes["cores"]).all()
    assert (routes["sites"] >= 1).all()
    summary = result.summary
    assert summary["new_m"] + summary["existing_m"] == pytest.approx(summary["length_m"])
    assert summary["connected"] == result.sites["connected"].sum()
    assert [why is None for why in result.reasons] == result.sites["connected"].tolist()
    if summary["objective"] == "cost":
        assert result.route_cost >= result.bound * (1.0 - 1e-9)
        if result.bound > 0:
            assert result.gap == pytest.approx(result.route_cost / result.bound - 1.0, abs=1e-9)
    else:
        assert result.value <= result.bound * (1.0 + 1e-9)
        assert result.route_cost <= summary["budget"] * (1.0 + 1e-9)
        assert result.gap == pytest.approx(
            (result.bound - result.value) / result.bound if result.bound else 0.0
        )
    json.dumps(summary, allow_nan=False)


# Enumerated optima


def lattice(seed: int) -> tuple[gpd.GeoDataFrame, nx.Graph]:
    """Return roads on a lattice of 3 x 3 places, and the same as a graph with its costs."""
    rng = np.random.default_rng(seed)
    places = [(100.0 * i, 130.0 * j) for i in range(3) for j in range(3)]
    plain = nx.Graph()
    plain.add_nodes_from(places)
    lines, surfaces = [], []
    for one, other in itertools.combinations(places, 2):
        apart = abs(one[0] - other[0]) / 100.0 + abs(one[1] - other[1]) / 130.0
        if apart != 1.0 or rng.random() < 0.2:
            continue
        paved = rng.random() < 0.3
        length = float(np.hypot(one[0] - other[0], one[1] - other[1]))
        plain.add_edge(one, other, cost=length * (PAVED if paved else UNPAVED))
        lines.append([one, other])
        surfaces.append("asphalt" if paved else "dirt")
    return roads(*lines, surface=surfaces), plain


def cheapest(plain: nx.Graph, wanted: set) -> float:
    """Return the cost of the cheapest tree over some places, by trying all sets of places."""
    best = np.inf if len(wanted) > 1 else 0.0
    others = [place for place in plain if place not in wanted]
    for size in range(len(others) + 1):
        for more in itertools.combinations(others, size):
            part = plain.subgraph(wanted | set(more))
            if nx.is_connected(part):
                tree = nx.minimum_spanning_tree(part, weight="cost")
                best = min(best, tree.size(weight="cost"))
    return float(best)


def main_part(plain: nx.Graph) -> set:
    return max(nx.connected_components(plain), key=len)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10**9), count=st.integers(1, 5), exchange=st.booleans())
def test_connecting_all_costs_what_trying_everything_finds(tmp_path, seed, count, exchange) -> None:
    lines, plain = lattice(seed)
    part = sorted(main_part(plain))
    if len(part) < 6:
        return
    rng = np.random.default_rng(seed + 1)
    chosen = [part[k] for k in rng.choice(len(part), count + 1, replace=False)]
    nodes = exchanges(chosen[-1]) if exchange else None
    wanted = chosen if exchange else chosen[:-1]
    result = fibre.design(
        area(tmp_path, roads=lines, fibre_nodes=nodes),
        DesignRequest(road_items=DIG, time_limit_s=5.0),
        sites=sites(*chosen[:-1]),
    )
    assert_sound(result)
    assert result.sites["connected"].all()
    best = cheapest(plain, set(wanted))
    assert result.bound <= best * (1.0 + 1e-9)
    assert result.route_cost == pytest.approx(best, rel=1e-6)


def test_a_budget_brings_nearly_what_trying_every_choice_finds(tmp_path) -> None:
    shares = []
    for seed in range(30):
        lines, plain = lattice(seed)
        part = sorted(main_part(plain))
        if len(part) < 6:
            continue
        rng = np.random.default_rng(seed + 1)
        chosen = [part[k] for k in rng.choice(len(part), 5, replace=False)]
        weight = rng.integers(1, 100, 4).astype(float)
        cost_of = {
            some: cheapest(plain, {chosen[-1], *(chosen[k] for k in some)})
            for size in range(5)
            for some in itertools.combinations(range(4), size)
        }
        budget = float(rng.uniform(0.1, 1.1)) * max(cost_of.values())
        result = fibre.design(
            area(tmp_path, roads=lines, fibre_nodes=exchanges(chosen[-1])),
            DesignRequest(road_items=DIG, budget=budget, time_limit_s=5.0),
            sites=sites(*chosen[:-1], weight=weight.tolist()),
        )
        assert_sound(result)
        best = max(
            weight[list(some)].sum()
            for some, cost in cost_of.items()
            if cost <= budget * (1 + 1e-9)
        )
        assert result.value <= best + 1e-6 <= result.bound + 2e-6
        shares.append(result.value / best if best else 1.0)
    assert len(shares) > 20
    assert min(shares) > 0.7
    assert np.mean(shares) > 0.97


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10**9))
def test_the_order_of_rows_changes_no_cost(tmp_path, seed) -> None:
    lines, plain = lattice(seed)
    part = sorted(main_part(plain))
    if len(part) < 6:
        return
    rng = np.random.default_rng(seed)
    chosen = sites(*[part[k] for k in rng.choice(len(part), 4, replace=False)])
    request = DesignRequest(road_items=DIG, cores_per_site=16, time_limit_s=5.0)
    one = fibre.design(area(tmp_path, roads=lines), request, sites=chosen)
    other = fibre.design(
        area(tmp_path, roads=lines.sample(frac=1.0, random_state=seed).reset_index(drop=True)),
        request,
        sites=chosen.sample(frac=1.0, random_state=seed).reset_index(drop=True),
    )
    assert other.route_cost == pytest.approx(one.route_cost)
    assert other.bound == pytest.approx(one.bound)


def test_without_an_exchange_cables_lead_to_the_site_in_the_middle(tmp_path) -> None:
    places = [(0, 0), (500, 400), (1000, 0), (500, 0)]
    for order in itertools.permutations(range(4)):
        result = fibre.design(
            area(tmp_path, roads=FORK),
            DesignRequest(cores_per_site=30),
            sites=sites(*places).iloc[list(order)].reset_index(drop=True),
        )
        assert result.routes["cores"].tolist() == [30, 30, 30]
        assert result.cost.typical == pytest.approx(
            1400 * (POLES + 24 * COSTS["cable_per_core"].cost.typical)
        )


# What is there comes first


def test_a_duct_is_used_before_anything_is_dug(tmp_path) -> None:
    straight = roads([(0, 0), (1000, 0)])
    detour = segments([(0, 0), (0, 300), (1000, 300), (1000, 0)])
    there = area(tmp_path, roads=straight, fibre_segments=detour, fibre_nodes=exchanges((0, 0)))
    result = fibre.design(there, DesignRequest(), sites=sites((1000, 0)))
    assert_sound(result)
    assert result.routes["item"].tolist() == ["cable_in_own_duct"]
    assert result.route_cost == pytest.approx(1600 * OWN_DUCT)
    assert result.summary["existing_m"] == pytest.approx(1600)
    assert result.summary["new_m"] == 0.0
    # Somebody else's duct is rented.
    rented = fibre.design(
        area(
            tmp_path,
            roads=straight,
            fibre_segments=detour.assign(owner="B"),
            fibre_nodes=exchanges((0, 0)),
        ),
        DesignRequest(owner="A"),
        sites=sites((1000, 0)),
    )
    assert rented.routes["item"].tolist() == ["cable_in_rented_duct"]


def test_a_site_beside_a_long_duct_is_linked_with_it_and_not_only_with_the_road(tmp_path) -> None:
    # The road is nearer, but it is a long way along it to where the duct ends.
    lines = roads([(1000, 60), (1000, 5000)])
    there = area(
        tmp_path,
        roads=lines,
        fibre_segments=segments([(0, 0), (9000, 0)]),
        fibre_nodes=exchanges((0, 0)),
    )
    result = fibre.design(there, DesignRequest(), sites=sites((1000, 80)))
    assert_sound(result)
    assert result.route_cost == pytest.approx(1000 * OWN_DUCT + 80 * POLES)


def test_free_cores_are_used_as_far_as_they_go(tmp_path) -> None:
    cable = segments([(0, 0), (1000, 0)], kind="aerial", cores=24, used=20)
    branches = roads(*[[(1000, 0), (1000, 100 * (k + 1))] for k in range(3)])
    there = area(tmp_path, roads=branches, fibre_segments=cable, fibre_nodes=exchanges((0, 0)))
    places = [(1000, 100.0 * (k + 1)) for k in range(3)]
    two = fibre.design(there, DesignRequest(), sites=sites(*places[:2]))
    assert_sound(two)
    assert two.summary["length_m_by_item"]["spare_cores"] == pytest.approx(1000)
    three = fibre.design(there, DesignRequest(), sites=sites(*places))
    assert_sound(three)
    items = three.summary["length_m_by_item"]
    assert items["aerial_existing_poles"] == pytest.approx(1000)
    assert "spare_cores" not in items
    # The proof is that of cables without limits.
    assert three.bound == pytest.approx(three.routes["cost"].sum() - 1000 * (34_500 - 1_000))
    assert three.gap > 0.0


def test_a_full_cable_sends_some_sites_another_way(tmp_path) -> None:
    cable = segments([(0, 0), (1000, 0)], kind="buried", cores=4, used=0)
    lines = roads([(1000, 0), (2000, 0)], [(2000, 0), (2000, 1100), (0, 1100), (0, 0)])
    there = area(tmp_path, roads=lines, fibre_segments=cable, fibre_nodes=exchanges((0, 0)))
    found = fibre.design(there, DesignRequest(), sites=sites((1000, 0), (1500, 0), (2000, 0)))
    assert_sound(found)
    used = found.routes[found.routes["item"] == "spare_cores"]
    assert (used["cores"] <= 4).all()
    assert found.sites["connected"].all()


def test_a_budget_respects_free_cores_too(tmp_path) -> None:
    cable = segments([(0, 0), (1000, 0)], kind="aerial", cores=24, used=20)
    branches = roads(*[[(1000, 0), (1000, 100 * (k + 1))] for k in range(3)])
    there = area(tmp_path, roads=branches, fibre_segments=cable, fibre_nodes=exchanges((0, 0)))
    places = sites(*[(1000, 100.0 * (k + 1)) for k in range(3)])
    # Three sites over the free cores would cost this; but there is room for two only.
    budget = 1000 * SPARE + 300 * POLES
    result = fibre.design(there, DesignRequest(budget=budget), sites=places)
    assert_sound(result)
    assert result.bound == 3.0
    assert result.value == 2.0
    spare = result.routes[result.routes["item"] == "spare_cores"]
    assert (spare["cores"] <= 4).all()
    table = fibre.curve(there, DesignRequest(), [budget, 10 * 1000 * POLES], sites=places)
    assert table["value"].iloc[0] == result.value
    assert table["sites"].tolist()[1] == 3
    assert (table["gap"] >= 0).all()


def cheapest_within_cores(seed: int) -> tuple[dict, list, tuple, float]:
    """Return cables with few free cores, sites, an exchange and the least cost of all trees."""
    rng = np.random.default_rng(seed)
    places = [(100.0 * i, 130.0 * j) for i in range(3) for j in range(3)]
    pairs = [
        (a, b)
        for a, b in itertools.combinations(range(9), 2)
        if abs(places[a][0] - places[b][0]) / 100 + abs(places[a][1] - places[b][1]) / 130 == 1
    ]
    is_cable = rng.random(len(pairs)) < 0.6
    free = rng.integers(2, 7, len(pairs))
    chosen = rng.choice(9, 6, replace=False).tolist()
    root, wanted = chosen[-1], chosen[:-1]
    length = [float(np.hypot(*np.subtract(places[a], places[b]))) for a, b in pairs]
    old = np.where(is_cable, SPARE, POLES) * length
    new = np.where(is_cable, COSTS["aerial_existing_poles"].cost.typical, POLES) * length
    best = np.inf
    for size in range(len(wanted), 9):
        for some in itertools.combinations(range(len(pairs)), size):
            tree = nx.Graph([(*pairs[k], {"k": k}) for k in some])
            if not (set(chosen) <= set(tree) and nx.is_tree(tree)):
                continue
            flow = np.zeros(len(pairs))
            for site in wanted:
                way = nx.shortest_path(tree, site, root)
                flow[[tree.edges[a, b]["k"] for a, b in itertools.pairwise(way)]] += 2
            price = np.where(is_cable & (flow > free), new, old)
            best = min(best, float(price[list(some)].sum()))
    cables = [
        segments([places[a], places[b]], kind="aerial", cores=int(f) + 10, used=10)
        for (a, b), f, cable in zip(pairs, free, is_cable, strict=True)
        if cable
    ]
    layers = {
        "roads": roads(
            *[[places[a], places[b]] for k, (a, b) in enumerate(pairs) if not is_cable[k]]
        ),
        "fibre_segments": gpd.GeoDataFrame(pd.concat(cables, ignore_index=True), crs=CRS),
    }
    return layers, [places[k] for k in wanted], places[root], best


def test_few_free_cores_cost_little_more_than_in_the_best_of_all_trees(tmp_path) -> None:
    excess = []
    for seed in range(6):
        layers, wanted, root, best = cheapest_within_cores(seed)
        there = area(tmp_path, **layers, fibre_nodes=exchanges(root))
        found = fibre.design(there, DesignRequest(time_limit_s=2.0), sites=sites(*wanted))
        assert_sound(found)
        spare = found.routes[found.routes["item"] == "spare_cores"]
        assert len(spare)
        assert found.bound <= best * (1.0 + 1e-9)
        assert found.route_cost >= best * (1.0 - 1e-9)
        excess.append(found.route_cost / best - 1.0)
    assert np.mean(excess) < 0.05
    assert max(excess) < 0.2


# Exchanges


def test_each_site_is_led_to_the_exchange_that_is_cheapest_to_reach(tmp_path) -> None:
    lines = roads([(0, 0), (10_000, 0)])
    there = area(tmp_path, roads=lines, fibre_nodes=exchanges((0, 0), (10_000, 0)))
    result = fibre.design(there, DesignRequest(), sites=sites((1000, 0), (8500, 0)))
    assert_sound(result)
    assert sorted(result.routes["length_m"].round()) == [1000, 1500]


def test_parts_with_an_exchange_each_are_both_served(tmp_path) -> None:
    lines = roads([(0, 0), (1000, 0)], [(0, 9000), (1000, 9000)])
    there = area(tmp_path, roads=lines, fibre_nodes=exchanges((0, 0), (0, 9000)))
    result = fibre.design(there, DesignRequest(), sites=sites((700, 0), (600, 9000)))
    assert_sound(result)
    assert result.sites["connected"].all()
    assert result.summary["length_m"] == pytest.approx(1300)


def test_a_site_at_the_exchange_costs_nothing(tmp_path) -> None:
    there = area(tmp_path, roads=FORK, fibre_nodes=exchanges((0, 0)))
    result = fibre.design(there, DesignRequest(), sites=sites((0, 0)))
    assert_sound(result)
    assert result.sites["connected"].all()
    assert result.cost.typical == 0.0
    assert result.gap == 0.0
    some = fibre.design(there, DesignRequest(budget=0.0), sites=sites((0, 0), (1000, 0)))
    assert_sound(some)
    assert some.sites["connected"].tolist() == [True, False]
    assert some.value == 1.0


def test_an_exchange_far_from_routes_pays_its_way_or_is_not_used(tmp_path) -> None:
    lines = roads([(0, 0), (1000, 0)])
    there = area(tmp_path, roads=lines, fibre_nodes=exchanges((0, 400)))
    result = fibre.design(there, DesignRequest(), sites=sites((1000, 0)))
    assert_sound(result)
    assert result.route_cost == pytest.approx(1400 * POLES)
    beside = area(tmp_path, roads=lines, fibre_nodes=exchanges((0, 40)))
    assert fibre.design(
        beside, DesignRequest(), sites=sites((1000, 0))
    ).route_cost == pytest.approx(1000 * POLES)
    lost = area(tmp_path, roads=lines, fibre_nodes=exchanges((0, 4000)))
    result = fibre.design(lost, DesignRequest(), sites=sites((1000, 0), (0, 0)))
    assert not result.summary["exchange"]
    assert any("1 exchanges lie more than 2000 m" in note for note in result.summary["notes"])
    assert any("N0" in str(problem) for problem in result.problems)
    with pytest.raises(InputError, match="A budget needs a live network"):
        fibre.design(lost, DesignRequest(budget=1e9), sites=sites((1000, 0)))


def test_an_owner_without_fibre_is_pointed_out(tmp_path) -> None:
    there = area(tmp_path, roads=FORK, fibre_nodes=exchanges((0, 0)))
    result = fibre.design(there, DesignRequest(owner="Vietel"), sites=sites((1000, 0), (0, 0)))
    assert any(
        "Nothing of the fibre network belongs to Vietel (owners: A)" in note
        for note in result.summary["notes"]
    )


# Sites


def test_sites_that_cannot_be_reached_are_named_with_the_nearest_break(tmp_path) -> None:
    lines = roads([(0, 0), (1000, 0)], [(1000, 230), (1000, 1000)])
    places = sites((0, 0), (500, 0), (1000, 800), (9000, 9000))
    result = fibre.design(area(tmp_path, roads=lines), DesignRequest(), sites=places)
    assert_sound(result)
    assert result.sites["connected"].tolist() == [True, True, False, False]
    x, y = at(1000, 230)
    assert result.sites["reason"].tolist()[2:] == [
        (
            "the site S2: its routes are not connected with the rest; the nearest break is 230 m "
            f"at {x:.0f}, {y:.0f}"
        ),
        "the site S3 lies more than 2000 m from every route",
    ]
    assert [row["site"] for row in result.summary["unreachable"]] == ["S2", "S3"]
    assert result.summary["problems"]["count"] == 1
    with pytest.raises(InputError, match="None of the 1 sites can be reached: the site S0 lies"):
        fibre.design(area(tmp_path, roads=lines), DesignRequest(), sites=sites((9000, 9000)))


def test_one_site_alone_needs_no_route(tmp_path) -> None:
    result = fibre.design(area(tmp_path, roads=FORK), DesignRequest(), sites=sites((500, 100)))
    assert_sound(result)
    assert result.sites["connected"].tolist() == [True]
    assert len(result.routes) == 0
    assert result.cost.high == 0.0


def test_sites_at_one_place_share_one_link_and_are_counted_each(tmp_path) -> None:
    there = area(tmp_path, roads=FORK, fibre_nodes=exchanges((0, 0)))
    twice = sites((1000, 50), (1000, 50), weight=[3.0, 4.0])
    result = fibre.design(there, DesignRequest(cores_per_site=10), sites=twice)
    assert_sound(result)
    assert result.route_cost == pytest.approx(1050 * POLES)
    assert set(result.routes["cores"]) == {20}
    budget = fibre.design(there, DesignRequest(budget=1051 * POLES), sites=twice)
    assert_sound(budget)
    assert budget.value == 7.0
    assert budget.summary["connected"] == 2
    alone = fibre.design(area(tmp_path, roads=FORK), DesignRequest(), sites=twice)
    assert alone.sites["connected"].all()
    assert alone.cost.typical == 0.0


def test_duplicate_roads_cost_once(tmp_path) -> None:
    double = gpd.GeoDataFrame(pd.concat([FORK, FORK.assign(road_id=["a", "b"])]), crs=CRS)
    one = fibre.design(area(tmp_path, roads=FORK), DesignRequest(), sites=sites((0, 9), (900, 9)))
    two = fibre.design(area(tmp_path, roads=double), DesignRequest(), sites=sites((0, 9), (900, 9)))
    assert_sound(two)
    assert two.route_cost == pytest.approx(one.route_cost)


def test_a_budget_below_the_cheapest_site_says_what_that_costs(tmp_path) -> None:
    there = area(tmp_path, roads=FORK, fibre_nodes=exchanges((0, 0)))
    result = fibre.design(
        there, DesignRequest(budget=30e6), sites=sites((500, 0), (1000, 0), weight=[1.0, 0.0])
    )
    assert_sound(result)
    assert result.value == 0.0
    assert (
        "The budget of 30,000,000 VND is smaller than the cost of the cheapest site, "
        "55,000,000 VND" in result.summary["notes"]
    )
    assert result.sites["reason"].tolist() == [
        "not within the budget",
        "its weight is 0, so nothing of a budget is spent on it",
    ]


def test_a_budget_needs_a_live_network(tmp_path) -> None:
    with pytest.raises(InputError, match="A budget needs a live network to start from"):
        fibre.design(area(tmp_path, roads=FORK), DesignRequest(budget=1e9), sites=sites((0, 0)))
    with pytest.raises(InputError, match="A budget needs a live network to start from"):
        fibre.curve(area(tmp_path, roads=FORK), DesignRequest(), [1e9], sites=sites((0, 0)))


def test_a_larger_budget_never_brings_less(tmp_path) -> None:
    there = area(tmp_path, roads=FORK, fibre_nodes=exchanges((0, 0)))
    places = sites((400, 0), (500, 300), (900, 10), weight=[5.0, 9.0, 2.0])
    everything = fibre.design(there, DesignRequest(), sites=places)
    budgets = np.linspace(0.0, everything.route_cost, 6)
    table = fibre.curve(there, DesignRequest(), budgets.tolist(), sites=places)
    assert (np.diff(table["value"]) >= 0).all()
    assert (table["cost"] <= table["budget"] * (1 + 1e-9)).all()
    assert table["value"].tolist()[-1] == 16.0
    assert table["sites"].tolist()[-1] == 3
    assert fibre.curve(there, DesignRequest(), [], sites=places).empty


# Money


def own_costs(folder: Path, **figures: float) -> None:
    rows = [
        [
            "item",
            "group",
            "unit",
            "low",
            "typical",
            "high",
            "currency",
            "year",
            "verified",
            "source",
        ]
    ]
    for item, figure in figures.items():
        unit = COSTS[item].unit
        rows.append([item, "fibre", unit, figure, figure, figure, "VND", 2026, "yes", "=1+1"])
    with (folder / "unit_costs.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def test_own_costs_of_nothing_are_taken(tmp_path) -> None:
    own_costs(tmp_path, aerial_new_poles=0, trench_unpaved=0)
    there = area(tmp_path, roads=FORK, fibre_nodes=exchanges((0, 0)))
    result = fibre.design(there, DesignRequest(), sites=sites((1000, 0), (500, 400)))
    assert_sound(result)
    assert result.cost.typical == 0.0
    assert result.gap == 0.0
    assert result.summary["length_m"] >= 1400.0 - 1e-6
    budget = fibre.design(there, DesignRequest(budget=0.0), sites=sites((1000, 0), (500, 400)))
    assert_sound(budget)
    assert budget.value == 2.0


def test_a_negative_cost_is_refused(tmp_path) -> None:
    own_costs(tmp_path, aerial_new_poles=-5)
    with pytest.raises(InputError, match=r"unit_costs\.csv, row 2, column low: -5"):
        fibre.design(area(tmp_path, roads=FORK), DesignRequest(), sites=sites((0, 0), (9, 0)))


def test_free_cores_that_cost_more_than_a_new_cable_are_not_used(tmp_path) -> None:
    own_costs(tmp_path, spare_cores=1e6)
    there = area(
        tmp_path,
        fibre_segments=segments([(0, 0), (1000, 0)], cores=24, used=0),
        fibre_nodes=exchanges((0, 0)),
    )
    result = fibre.design(there, DesignRequest(), sites=sites((1000, 0)))
    assert_sound(result)
    assert result.routes["item"].tolist() == ["cable_in_own_duct"]


def test_cores_add_up_towards_the_exchange(tmp_path) -> None:
    rng = np.random.default_rng(5)
    lines, plain = lattice(3)
    part = sorted(main_part(plain))
    chosen = [part[k] for k in rng.choice(len(part), 6, replace=False)]
    there = area(tmp_path, roads=lines, fibre_nodes=exchanges(chosen[-1]))
    result = fibre.design(
        there, DesignRequest(road_items=DIG, cores_per_site=14), sites=sites(*chosen[:-1])
    )
    assert_sound(result)
    # Each site's own way through the tree, one after the other.
    tree = nx.Graph()
    for row, line in enumerate(result.routes.geometry):
        ends = [
            tuple(np.round(np.subtract(end, at(0, 0)), 1))
            for end in line.coords[:: len(line.coords) - 1]
        ]
        tree.add_edge(*ends, row=row)
    cores = np.zeros(len(result.routes), dtype=int)
    for place in chosen[:-1]:
        way = nx.shortest_path(tree, place, chosen[-1])
        for one, other in itertools.pairwise(way):
            cores[tree.edges[one, other]["row"]] += 14
    assert result.routes["cores"].tolist() == cores.tolist()
    assert result.routes["cable"].tolist() == [
        min(size for size in fibre.CABLE_SIZES if size >= count) for count in cores
    ]
    assert max(cores) > 24
    surcharge = ((result.routes["cable"] - 24).clip(lower=0) * result.routes["length_m"]).sum()
    bill = result.bill.set_index("item")
    assert bill.loc["cable_per_core", "quantity"] == pytest.approx(surcharge)


def test_crossings_are_paid_only_where_they_are_crossed(tmp_path) -> None:
    rail = gpd.GeoDataFrame(
        {"railway_id": ["T"]},
        geometry=[shapely.LineString([at(800, -500), at(800, 500)])],
        crs=CRS,
    )
    lines = roads([(0, 0), (1000, 0)])
    there = area(tmp_path, roads=lines, railways=rail, fibre_nodes=exchanges((0, 0)))
    near = fibre.design(there, DesignRequest(), sites=sites((600, 0)))
    assert_sound(near)
    assert near.route_cost == pytest.approx(600 * POLES)
    beyond = fibre.design(there, DesignRequest(), sites=sites((900, 0)))
    assert_sound(beyond)
    crossing = COSTS["railway_crossing"].cost.typical
    assert beyond.route_cost == pytest.approx(900 * POLES + crossing)
    # A link of a site across the railway pays, too.
    short = area(tmp_path, roads=roads([(0, 0), (700, 0)]), railways=rail)
    linked = fibre.design(short, DesignRequest(), sites=sites((0, 0), (900, 0)))
    assert_sound(linked)
    assert linked.route_cost == pytest.approx(900 * POLES + crossing)
    assert linked.routes["rail_crossings"].sum() == 1


# Refusals and stops


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sites": "shops"}, "There are no sites called shops"),
        ({"cores_per_site": 0}, "cores_per_site is 0, but it must be greater"),
        ({"cores_per_site": 1.5}, "cores_per_site is 1.5, but it must be a whole"),
        ({"reach_m": -1.0}, "reach_m is -1.0"),
        ({"time_limit_s": float("inf")}, "time_limit_s is inf"),
        ({"budget": -1.0}, "The budget is -1.0"),
        ({"budget": float("nan")}, "The budget is nan"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(options, said) -> None:
    with pytest.raises(InputError, match=said):
        DesignRequest(**options)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.iloc[:0], "The list of sites is empty"),
        (lambda s: s.set_crs(None, allow_override=True), "coordinate reference system"),
        (lambda s: s.assign(site_id="X"), "The site X is there twice"),
        (lambda s: s.assign(weight=[1.0, -2.0]), "The site S1 has the weight -2.0"),
        (lambda s: s.assign(weight=[np.nan, 1.0]), "The site S0 has the weight nan"),
        (lambda s: s.set_geometry(s.buffer(5.0)), "Site 1 is not a point"),
    ],
)
def test_sites_that_cannot_be_used_are_refused(tmp_path, change, said) -> None:
    with pytest.raises(InputError, match=said):
        fibre.design(
            area(tmp_path, roads=FORK), DesignRequest(), sites=change(sites((0, 0), (9, 0)))
        )


def test_own_sites_need_no_more_than_a_place(tmp_path) -> None:
    bare = sites((0, 0), (1000, 0))[["geometry"]].to_crs("EPSG:4326")
    result = fibre.design(area(tmp_path, roads=FORK), DesignRequest(), sites=bare)
    assert_sound(result)
    assert result.sites["site_id"].tolist() == ["1", "2"]
    assert result.route_cost == pytest.approx(1000 * POLES, rel=1e-6)
    assert result.summary["provenance"]["request"]["sites"] == "own"
    west = fibre.design(area(tmp_path, roads=FORK), DesignRequest(zones=("W",)), sites=bare)
    assert west.sites["site_id"].tolist() == ["1"]
    with pytest.raises(InputError, match="There is no zone Q"):
        fibre.design(area(tmp_path, roads=FORK), DesignRequest(zones=("Q",)), sites=bare)


def test_it_stops_when_asked_to(tmp_path) -> None:
    def stop(share: float) -> None:
        assert 0.0 <= share <= 1.0
        if share > 0.5:
            raise CancelledError

    with pytest.raises(CancelledError):
        fibre.design(
            area(tmp_path, roads=FORK),
            DesignRequest(),
            sites=sites((0, 0), (9, 0)),
            on_progress=stop,
        )


def test_progress_goes_one_way_also_where_cables_are_too_small(tmp_path) -> None:
    cable = segments([(0, 0), (1000, 0)], kind="aerial", cores=24, used=20)
    branches = roads(*[[(1000, 0), (1000, 100 * (k + 1))] for k in range(3)])
    there = area(tmp_path, roads=branches, fibre_segments=cable, fibre_nodes=exchanges((0, 0)))
    places = sites(*[(1000, 100.0 * (k + 1)) for k in range(3)])
    for work in (
        lambda told: fibre.design(there, DesignRequest(), sites=places, on_progress=told),
        lambda told: fibre.curve(
            there, DesignRequest(), [3e7, 5e7, 9e7], sites=places, on_progress=told
        ),
    ):
        shares: list[float] = []
        work(shares.append)
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
        assert max(shares) <= 1.0


# A study area with files


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return write_area(tmp_path_factory.mktemp("fibre") / "w", small_area())


def test_communes_are_their_offices_and_zones_choose_among_them(workspace) -> None:
    found = fibre.sites_of(workspace, "communes")
    zones = workspace.read("zones")
    finest = zones[zones["level"] == "commune"]
    assert found["site_id"].tolist() == finest["code"].tolist()
    assert found["weight"].tolist() == finest["population"].tolist()
    inside = finest.set_index("code").geometry.loc[found["site_id"]]
    assert shapely.contains(inside.to_numpy(), found.geometry.to_numpy()).all()
    one = fibre.sites_of(workspace, "communes", [found["site_id"].iloc[0]])
    assert one["site_id"].tolist() == [found["site_id"].iloc[0]]
    province = zones.loc[zones["level"] == "province", "code"].tolist()
    assert len(fibre.sites_of(workspace, "communes", province)) == len(found)
    with pytest.raises(InputError, match="There is no zone 404"):
        fibre.sites_of(workspace, "communes", ["404"])


def test_a_seat_outside_its_commune_is_its_site_all_the_same(tmp_path) -> None:
    offices = gpd.GeoDataFrame(
        {"office_id": ["b", "a", "c"], "name": None, "zone_code": ["W", "W", None]},
        geometry=gpd.points_from_xy(*zip(at(300, 0), at(280, 0), at(0, 0), strict=True)),
        crs=CRS,
    )
    there = area(tmp_path, roads=FORK, offices=offices)
    west = fibre.sites_of(there, "communes", ["W"])
    assert west["site_id"].tolist() == ["W"]
    assert west.geometry.iloc[0].coords[0] == at(280, 0)
    assert len(fibre.sites_of(there, "offices")) == 3


def test_masts_and_villages_are_sites(workspace) -> None:
    assert len(fibre.sites_of(workspace, "masts")) == len(workspace.read("masts"))
    villages = fibre.sites_of(workspace, "villages")
    assert villages["weight"].sum() == pytest.approx(workspace.read("villages")["population"].sum())
    with pytest.raises(InputError, match="has no layer offices"):
        fibre.sites_of(workspace, "offices")


def test_people_of_villages_that_are_not_known_at_all_count_alike(tmp_path) -> None:
    villages = gpd.GeoDataFrame(
        {"village_id": ["v", "w"], "name": None, "population": pd.array([None, None], "Float64")},
        geometry=gpd.points_from_xy(*zip(at(0, 0), at(9, 0), strict=True)),
        crs=CRS,
    )
    found = fibre.sites_of(area(tmp_path, villages=villages), "villages")
    assert found["weight"].tolist() == [1.0, 1.0]


def test_homes_without_service_are_sites_square_by_square(tmp_path, monkeypatch) -> None:
    homes = gpd.GeoDataFrame(
        {
            "people": [40.0, 40.0, 10.0, 30.0, 500.0],
            "served_share": [0.0, 0.5, 0.0, 0.25, 1.0],
            "zone_code": ["W", "W", "W", "E", "E"],
        },
        geometry=gpd.points_from_xy(
            *zip(*(at(x, 100) for x in (100, 180, 1100, 2100, 3100)), strict=True)
        ),
        crs=CRS,
    )
    asked = []

    def coverage(workspace, **options) -> SimpleNamespace:
        asked.append(options)
        return SimpleNamespace(homes=homes)

    fake = SimpleNamespace(coverage=coverage)
    monkeypatch.setattr(planning, "broadband", fake, raising=False)
    monkeypatch.setitem(sys.modules, "planning.broadband", fake)
    there = area(tmp_path, roads=roads([(0, 100), (5000, 100)]), fibre_nodes=exchanges((0, 100)))
    found = fibre.sites_of(there, "unserved")
    # 40 + 20 people in the first square, where the first home is nearest to their middle; 10
    # and 22.5 in the next ones are too few.
    assert found["weight"].tolist() == [60.0]
    assert found.geometry.iloc[0].coords[0] == at(100, 100)
    assert found["name"].tolist() == ["W"]
    assert not asked[0]["compute_mobile"]
    result = fibre.design(there, DesignRequest(sites="unserved"))
    assert_sound(result)
    assert result.value == 60.0
    with pytest.raises(InputError, match="no site to connect among the unserved"):
        fibre.sites_of(there, "unserved", ["E"])


def test_a_design_of_an_area_is_written_and_made_again(workspace, tmp_path) -> None:
    request = DesignRequest(time_limit_s=10.0)
    one, two = fibre.design(workspace, request), fibre.design(workspace, request)
    assert_sound(one)
    assert one.summary == two.summary
    assert one.summary["illustrative"]
    assert {"roads", "zones"} <= set(one.summary["provenance"]["inputs"])
    fibre.save(one, tmp_path / "a" / "b")
    folder = tmp_path / "a" / "b"
    assert sorted(path.name for path in folder.iterdir()) == [
        "bill.csv",
        "bill.xlsx",
        "design.gpkg",
        "design.json",
    ]
    routes = gpd.read_file(folder / "design.gpkg", layer="routes")
    assert routes.crs == one.routes.crs
    assert routes["cost"].sum() == pytest.approx(one.route_cost)
    places = gpd.read_file(folder / "design.gpkg", layer="sites")
    assert places["connected"].sum() == one.summary["connected"]
    written = json.loads((folder / "design.json").read_text("utf-8"))
    assert written == json.loads(json.dumps(one.summary))
    bill = pd.read_csv(folder / "bill.csv")
    assert bill["typical"].sum() == pytest.approx(one.cost.typical)


def test_a_design_without_routes_is_written_too(tmp_path) -> None:
    result = fibre.design(area(tmp_path, roads=FORK), DesignRequest(), sites=sites((0, 0)))
    fibre.save(result, tmp_path / "out")
    assert len(gpd.read_file(tmp_path / "out" / "design.gpkg", layer="routes")) == 0
    book = openpyxl.load_workbook(tmp_path / "out" / "bill.xlsx")
    assert book["Bill of quantities"]["A2"].value == "Total"


def test_the_workbook_adds_up_and_runs_no_text(tmp_path) -> None:
    own_costs(tmp_path, aerial_new_poles=1000)
    evil = sites((0, 0), (1000, 30)).assign(name=["=HYPERLINK(1)", "@x"])
    there = area(tmp_path, roads=FORK)
    result = fibre.design(there, DesignRequest(), sites=evil)
    fibre.save(result, tmp_path / "out")
    book = openpyxl.load_workbook(tmp_path / "out" / "bill.xlsx")
    sheet = book["Bill of quantities"]
    heads = [cell.value for cell in sheet[1]]
    assert heads[:3] == ["Item", "Unit", "Quantity"]
    source = sheet.cell(2, heads.index("Source of the price") + 1)
    assert source.value == "=1+1"
    assert source.data_type == "s"
    assert source.quotePrefix
    names = [book["Sites"].cell(row, 2) for row in (2, 3)]
    assert [cell.data_type for cell in names] == ["s", "s"]
    total = sheet.cell(sheet.max_row, heads.index("Cost, typical") + 1)
    assert total.value == f"=SUM(H2:H{sheet.max_row - 1})"
    figures = [sheet.cell(row, 8).value for row in range(2, sheet.max_row)]
    assert sum(figures) == pytest.approx(result.cost.typical)
    assert sheet.freeze_panes == "B2"
    with zipfile.ZipFile(tmp_path / "out" / "bill.xlsx") as archive:
        text = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>1+1</f>" not in text
    assert (tmp_path / "out" / "bill.csv").read_text("utf-8-sig").count("'=1+1") == len(result.bill)


# Files of sites


def test_sites_come_from_files_of_all_kinds(workspace, tmp_path) -> None:
    masts = workspace.read("masts").to_crs("EPSG:4326")
    plain = pd.DataFrame(
        {
            "id": [f"Đ{k}" for k in range(len(masts))],
            "Tên": [f"Điểm {k}" for k in range(len(masts))],
            "Trọng số": 10.0 * np.arange(len(masts)),
            "lon": masts.geometry.x.to_numpy(),
            "lat": masts.geometry.y.to_numpy(),
        }
    )
    plain.to_csv(tmp_path / "a.csv", index=False)
    plain.to_excel(tmp_path / "a.xlsx", index=False)
    shapes = gpd.GeoDataFrame(
        plain.rename(columns={"Tên": "name", "Trọng số": "weight"}).drop(columns=["lon", "lat"]),
        geometry=masts.geometry.to_numpy(),
        crs="EPSG:4326",
    )
    shapes.to_crs(workspace.area.crs).to_file(tmp_path / "a.gpkg", layer="points")
    shapes.to_file(tmp_path / "a.geojson")
    marks = "".join(
        f"<Placemark><name>{row.name_}</name><ExtendedData><Data name='id'><value>{row.id}</value>"
        f"</Data><Data name='weight'><value>{row.weight}</value></Data></ExtendedData>"
        f"<Point><coordinates>{row.geometry.x},{row.geometry.y}</coordinates></Point></Placemark>"
        for row in shapes.rename(columns={"name": "name_"}).itertuples()
    )
    (tmp_path / "a.kml").write_text(
        f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{marks}</Document></kml>', "utf-8"
    )
    expected = workspace.read("masts").geometry
    for name in ("a.csv", "a.xlsx", "a.gpkg", "a.geojson", "a.kml"):
        found = fibre.sites_from_file(workspace, tmp_path / name)
        assert found["site_id"].tolist() == plain["id"].tolist(), name
        assert found["name"].tolist() == plain["Tên"].tolist(), name
        assert found["weight"].tolist() == plain["Trọng số"].tolist(), name
        assert found.crs == expected.crs
        assert found.geometry.distance(expected, align=False).max() < 0.05, name


def test_a_file_of_places_alone_will_do(workspace, tmp_path) -> None:
    masts = workspace.read("masts").to_crs("EPSG:4326").geometry
    pd.DataFrame({"lat": masts.y, "lon": masts.x}).to_csv(tmp_path / "a.csv", index=False)
    found = fibre.sites_from_file(workspace, tmp_path / "a.csv")
    assert found["site_id"].tolist() == [str(k + 1) for k in range(len(masts))]
    assert (found["weight"] == 1.0).all()
    result = fibre.design(workspace, DesignRequest(time_limit_s=5.0), sites=found)
    assert_sound(result)


def test_a_bad_file_of_sites_is_refused_row_by_row(workspace, tmp_path) -> None:
    masts = workspace.read("masts").to_crs("EPSG:4326").geometry
    table = pd.DataFrame({"id": ["a", "a", "c"], "lat": masts.y[:3], "lon": masts.x[:3]})
    table["weight"] = [1, 1, -4]
    table.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(ValidationError) as caught:
        fibre.sites_from_file(workspace, tmp_path / "a.csv")
    said = [(problem.row, problem.column) for problem in caught.value.problems]
    assert (3, "site_id") in said or (2, "site_id") in said
    assert (4, "weight") in said
    with pytest.raises(InputError, match="There is no file"):
        fibre.sites_from_file(workspace, tmp_path / "none.csv")
    (tmp_path / "b.csv").write_text("id,name\n1,x\n", "utf-8")
    with pytest.raises(InputError, match=r"b\.csv"):
        fibre.sites_from_file(workspace, tmp_path / "b.csv")
