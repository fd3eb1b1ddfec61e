"""Designs of dedicated networks against enumerated optima, and rings that hold."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import networkx as nx
import numpy as np
import openpyxl
import pandas as pd
import pytest
import scipy.sparse
import shapely

from data import schema
from data.errors import CancelledError, InputError
from planning import (
    cost,
    dedicated_network,
    network_design,
    network_designer,
    network_layers,
    network_phases,
)
from planning.network_budget import SharedWays
from planning.network_design import NetworkDesign, NetworkDesignRequest
from planning.network_designer import Choice, Designer
from planning.network_phases import PhaseRequest
from planning.steiner import relative_gap
from tests.planning import fibre_areas, networks
from tests.planning.fibre_areas import MemoryArea, roads, segments

COSTS = cost.unit_costs()
NEW_M = COSTS["aerial_new_poles"].cost.typical
SPARE_M = COSTS["spare_cores"].cost.typical
MODULE = COSTS["optical_module"].cost.typical
ROUTER = COSTS["router_access"].cost.typical

Place = tuple[float, float]


def area(
    folder: Path,
    places: list[tuple[Place, dict[str, Any]]],
    links: list[tuple[int, int, dict[str, Any]]] = (),
    **layers: gpd.GeoDataFrame,
) -> MemoryArea:
    """Return an area whose first site is the data centre."""
    rows = []
    for k, (place, more) in enumerate(places):
        usual = {"role": "hub" if k == 0 else "access", "status": "none" if k else "connected"}
        row = usual | more | {"at": fibre_areas.at(*place)}
        row["connected_on"] = "2021-01-01" if row["status"] == "connected" else None
        rows.append(row)
    at = networks.sites(rows)
    ends = [{"from_site": f"S{a}", "to_site": f"S{b}", **more} for a, b, more in links]
    return MemoryArea(folder, network_sites=at, network_links=networks.links(ends, at), **layers)


def quick(**more: Any) -> NetworkDesignRequest:
    return NetworkDesignRequest(**({"points": 0, "time_limit_s": 2.0} | more))


def grid(columns: list[float], rows: list[float]) -> list[list[Place]]:
    """Return the roads of a grid, each between two crossings."""
    lines = []
    for y in rows:
        lines += [[(a, y), (b, y)] for a, b in itertools.pairwise(columns)]
    for x in columns:
        lines += [[(x, a), (x, b)] for a, b in itertools.pairwise(rows)]
    return lines


def cheapest(
    lines: list[list[Place]], hub: Place, todo: list[Place], protect: list[Place]
) -> float:
    """Return the least length of roads that connects and protects, by trying all choices."""
    metres = [float(np.hypot(b[0] - a[0], b[1] - a[1])) for a, b in lines]
    best = np.inf
    for used in itertools.product([False, True], repeat=len(lines)):
        length = sum(m for m, yes in zip(metres, used, strict=True) if yes)
        if length >= best:
            continue
        graph = nx.Graph()
        graph.add_nodes_from([hub, *todo, *protect])
        graph.add_edges_from(tuple(line) for line, yes in zip(lines, used, strict=True) if yes)
        if not set(todo) | set(protect) <= nx.node_connected_component(graph, hub):
            continue
        for edge in list(graph.edges):
            graph.remove_edge(*edge)
            held = set(protect) <= nx.node_connected_component(graph, hub)
            graph.add_edge(*edge)
            if not held:
                break
        else:
            best = length
    return best


def survives(result: NetworkDesign, site: str) -> bool:
    """Say whether a site keeps a way to the data centre when any one section is cut."""
    live = dedicated_network.network(result.inventory)
    hubs = set(live.sites.loc[live.hub, "site_id"])
    routes = {row.link_id: set(schema.route_segments(row.route)) for row in live.links.itertuples()}
    cuts = [{name} for name in routes] + [
        {link for link, names in routes.items() if section in names}
        for section in set().union(*routes.values())
    ]
    for down in cuts:
        graph = live.to_networkx()
        graph.remove_edges_from([e for e in graph.edges(keys=True) if e[2] in down])
        if not nx.node_connected_component(graph, site) & hubs:
            return False
    return True


@pytest.mark.parametrize("seed", range(4))
def test_a_ring_costs_as_little_as_any_and_has_no_bridge(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = np.cumsum(rng.integers(3, 15, 3) * 100.0).tolist()
    rows = np.cumsum(rng.integers(3, 15, 3) * 100.0).tolist()
    lines = grid(columns, rows)
    corners = list(itertools.product(columns, rows))
    picked = [corners[k] for k in rng.permutation(len(corners))[:4].tolist()]
    places: list[tuple[Place, dict[str, Any]]] = [(picked[0], {})]
    places += [(place, {"level": "district"}) for place in picked[1:3]]
    places += [(picked[3], {"level": "commune"})]
    result = network_design.design(
        area(tmp_path, places, roads=roads(*lines)), quick(protect=("district",))
    )
    least = NEW_M * cheapest(lines, picked[0], picked[1:], picked[1:3])
    assert result.route_cost == pytest.approx(least)
    assert result.bound <= result.route_cost * (1.0 + 1e-9)
    assert result.gap == pytest.approx(result.route_cost / result.bound - 1.0)
    state = result.sites.set_index("site_id")
    assert state.loc[["S1", "S2"], "protected"].all()
    assert state["connected"].all()
    assert survives(result, "S1")
    assert survives(result, "S2")
    # Of equipment: a router at each site, and two modules for each link.
    extra = 3 * ROUTER + 2 * MODULE * len(result.links)
    assert result.cost.typical == pytest.approx(result.route_cost + extra)
    assert state.loc["S1", "availability_percent"] > state.loc["S3", "availability_percent"]


@pytest.mark.parametrize("seed", range(4))
def test_a_tree_costs_as_little_as_any(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(10 + seed)
    columns = np.cumsum(rng.integers(3, 15, 3) * 100.0).tolist()
    rows = np.cumsum(rng.integers(3, 15, 3) * 100.0).tolist()
    lines = grid(columns, rows)
    corners = list(itertools.product(columns, rows))
    picked = [corners[k] for k in rng.permutation(len(corners))[:4].tolist()]
    result = network_design.design(
        area(tmp_path, [(place, {}) for place in picked], roads=roads(*lines)), quick()
    )
    assert result.route_cost == pytest.approx(NEW_M * cheapest(lines, picked[0], picked[1:], []))
    assert result.bound == pytest.approx(result.route_cost)
    assert result.gap < 1e-9
    assert result.links["to_site"].tolist() == ["S0"] * 3
    assert result.lines["length_m"].min() > 0.0


def test_a_budget_connects_what_is_worth_most(tmp_path: Path) -> None:
    # A star of three arms; the far end is worth most but dear.
    lines = [[(0, 0), (1000, 0)], [(0, 0), (0, 2000)], [(0, 0), (-3000, 0)]]
    places = [
        ((0, 0), {}),
        ((1000, 0), {"criticality": 2.0}),
        ((0, 2000), {"criticality": 3.0}),
        ((-3000, 0), {"criticality": 4.0}),
    ]
    there = area(tmp_path, places, roads=roads(*lines))
    own = ROUTER + 2 * MODULE
    price = {1: 1000 * NEW_M + own, 2: 2000 * NEW_M + own, 3: 3000 * NEW_M + own}
    worth = {1: 2.0, 2: 3.0, 3: 4.0}
    for budget in (0.0, price[1], price[2] + 1, price[1] + price[2], price[3] + 1, 9e8):
        best = max(
            sum(worth[k] for k in some)
            for n in range(4)
            for some in itertools.combinations(price, n)
            if sum(price[k] for k in some) <= budget
        )
        result = network_design.design(there, quick(budget=budget))
        assert result.summary["value"] == best
        assert result.bound == pytest.approx(best)
        assert result.cost.typical <= budget + 1e-6
        left = result.sites[~result.sites["connected"]]
        assert (left["reason"] == "not within the budget").all()


def starved(folder: Path) -> MemoryArea:
    """Return three sites behind a cable with fibres for two of them."""
    ducts = segments([(0, 0), (2000, 0)], cores=12, used=8)
    places: list[tuple[Place, dict[str, Any]]] = [((0, 0), {})]
    places += [((2000.0 + 100.0 * k, 0), {"criticality": 2.0 + k}) for k in (1, 2, 3)]
    street = roads([(2000, 0), (2300, 0)])
    return area(folder, places, roads=street, fibre_segments=ducts)


@pytest.mark.parametrize("protect", [(), ("access",)])
def test_a_budget_pays_for_the_cable_that_its_links_need(
    tmp_path: Path, protect: tuple[str, ...]
) -> None:
    there = starved(tmp_path)
    # Enough for three sites with the fibres that are free, but not for a cable of their own.
    budget = 2000 * SPARE_M + 300 * NEW_M + 3 * (ROUTER + 2 * MODULE) + 1.0
    result = network_design.design(there, quick(budget=budget, points=3, protect=protect))
    assert result.cost.typical <= budget
    assert result.bill["item"].tolist().count("spare_cores") == 1
    # The two that are worth most, of 4 and 5; all three, of 12, would need the cable.
    assert result.summary["value"] == 9.0
    assert result.bound == 12.0
    assert result.gap == pytest.approx(0.25)
    assert (result.tradeoff["cost"] <= budget).all()
    state = result.sites.set_index("site_id")
    assert state.loc["S1", "reason"] == "not within the budget"


def test_points_of_the_trade_off_cost_no_more_than_their_budgets(tmp_path: Path) -> None:
    problem = network_design.prepare(starved(tmp_path), quick())
    designer = Designer(problem, quick())
    one = 2000 * SPARE_M + 100 * NEW_M + ROUTER + 2 * MODULE
    more = 100 * NEW_M + ROUTER + 2 * MODULE
    steps = [one - 1.0, one, one + 2 * more, 10 * one]
    found = designer.budgets(steps)
    assert all(designer.price(c) <= budget for c, budget in zip(found, steps, strict=True))
    assert [c.connected.sum() for c in found] == [0, 1, 2, 3]
    assert [designer.value(c) for c in found] == [0.0, 3.0, 9.0, 12.0]
    assert all(designer.value(c) <= c.bound for c in found)
    assert [c.gap for c in found] == pytest.approx([0.0, 0.0, 0.25, 0.0])


def test_a_budget_for_all_is_not_spent_on_dearer_routes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Too few fibres are free in the short duct, enough in the one that leads round.
    short = segments([(0, 0), (2000, 0)], cores=12, used=8)
    round_ = segments([(0, 0), (0, 1000), (2000, 1000), (2000, 0)], cores=24, used=4)
    ducts = pd.concat([short, round_.assign(segment_id="F1")], ignore_index=True)
    places = [((0, 0), {}), *(((2000.0 + 100.0 * k, 0.0), {}) for k in (1, 2, 3))]
    street = roads([(2000, 0), (2300, 0)])
    there = area(tmp_path, places, roads=street, fibre_segments=ducts)
    # Time for a single tree of the budget, which takes the short one.
    monkeypatch.setattr(network_designer, "_TREES_FOR", 1e-3)
    rich = network_design.design(there, quick(budget=1e9))
    assert rich.summary["newly_connected"] == 3
    assert rich.route_cost == pytest.approx(4000 * SPARE_M + 300 * NEW_M)


def test_a_budget_pays_for_the_large_cable_that_its_links_need(tmp_path: Path) -> None:
    # Three links of 20 fibres need a cable of 96 in the street, two one of 48.
    line = [[(0, 0), (0, 3000)]]
    places: list[tuple[Place, dict[str, Any]]] = [((0, 0), {})]
    places += [((0, 3000.0 - k), {"criticality": 2.0}) for k in (0, 1, 2)]
    there = area(tmp_path, places, roads=roads(*line))
    dear = COSTS["cable_per_core"].cost.typical
    own = ROUTER + 2 * MODULE
    for sites, beyond in ((3, 72.0), (2, 24.0), (1, 0.0)):
        budget = 3000 * (NEW_M + beyond * dear) + sites * own
        for spare, connected in ((0.0, sites), (-3e6, sites - 1)):
            result = network_design.design(
                there, quick(budget=budget + spare, cores_per_site=20, reach_m=500.0)
            )
            assert result.summary["newly_connected"] == connected
            assert result.cost.typical <= budget + spare


@pytest.mark.parametrize("seed", range(6))
def test_a_budget_brings_the_most_that_any_choice_of_ways_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, edges = 7, 10
    before = [-1, *(int(rng.integers(-1, k)) for k in range(1, edges))]
    uses = np.zeros((n, edges))
    for site in range(n):
        edge = int(rng.integers(0, edges))
        while edge >= 0:
            uses[site, edge] = 1.0
            edge = before[edge]
    # Each way more costs something, and from some number on much more.
    price = np.cumsum(rng.uniform(0.0, 1.0, (n + 1, edges)), axis=0)
    price[1:] += 5.0
    price[int(rng.integers(2, 5)) :] += 8.0
    price[0] = 0.0
    worth, own = rng.integers(1, 6, n).astype(float), rng.uniform(0.0, 2.0, n)
    ways = SharedWays(scipy.sparse.csr_array(uses), worth, own, price)
    every = np.array(list(itertools.product([False, True], repeat=n)))
    cost_of = np.array([ways.cost(some) for some in every])
    number = uses[every[77]].sum(axis=0).astype(int)
    by_hand = price[number, np.arange(edges)].sum() + own[every[77]].sum()
    assert cost_of[77] == pytest.approx(by_hand)
    reached = []
    for budget in np.linspace(0.0, cost_of.max(), 12):
        chosen = ways.affordable(budget, np.ones(n, dtype=bool))
        best = (every[cost_of <= budget] @ worth).max()
        assert ways.cost(chosen) <= budget
        assert worth[chosen].sum() <= best
        reached.append(worth[chosen].sum() / best if best else 1.0)
    assert reached[0] == reached[-1] == 1.0
    assert np.mean(reached) > 0.95


def test_two_cables_in_one_trench_are_no_second_way(tmp_path: Path) -> None:
    # Two ducts side by side lead straight there, a road leads round.
    ducts = segments([(0, 0), (2000, 0)], [(0, 3), (2000, 3)], cores=24, used=0)
    round_ = [[(0, 0), (0, 800), (2000, 800), (2000, 0)]]
    places = [((0, 0), {}), ((2000, 0), {"level": "district"})]
    there = area(tmp_path, places, roads=roads(*round_), fibre_segments=ducts)
    single = network_design.design(there, quick())
    assert single.routes["item"].unique().tolist() == ["spare_cores"]
    ringed = network_design.design(there, quick(protect=("district",)))
    assert ringed.summary["protected"] == 1
    metres = ringed.routes.groupby("item")["length_m"].sum()
    assert metres["aerial_new_poles"] == pytest.approx(3600.0)
    assert metres["spare_cores"] == pytest.approx(2000.0)
    assert len(ringed.links) == 2
    assert ringed.after.sites.set_index("site_id").loc["S1", "safe_duct"]


def test_a_live_site_gets_a_second_way_round_the_duct_that_its_links_share(tmp_path: Path) -> None:
    ducts = segments([(0, 0), (2000, 0)], cores=24, used=4)
    places = [
        ((0, 0), {}),
        ((2000, 0), {"status": "connected", "role": "aggregation"}),
        ((2000, 800), {"status": "connected"}),
    ]
    links = [
        (0, 1, {"route": "F0", "provider": "A"}),
        (0, 1, {"route": "F0", "provider": "B"}),
        (1, 2, {"medium": "microwave"}),
    ]
    other = roads([(0, 0), (0, 800), (2000, 800)], [(2000, 800), (2000, 0)])
    there = area(tmp_path, places, links, roads=other, fibre_segments=ducts)
    result = network_design.design(there, quick(protect=("aggregation",)))
    assert result.summary["protected_before"] == 0
    assert result.summary["protected"] == 1
    assert survives(result, "S1")
    assert result.summary["newly_connected"] == 0
    assert "router_access" not in result.bill["item"].tolist()
    assert result.route_cost == pytest.approx(3600.0 * NEW_M)
    assert result.links[["from_site", "to_site"]].to_numpy().tolist() == [["S1", "S0"]]


def test_where_only_one_way_leads_this_is_said(tmp_path: Path) -> None:
    lines = [[(0, 0), (1000, 0)], [(1000, 0), (1000, 1000)], [(1000, 1000), (0, 0)]]
    spur = [[(1000, 0), (2000, 0)]]
    places = [((0, 0), {}), ((1000, 1000), {}), ((2000, 0), {})]
    there = area(tmp_path, places, roads=roads(*lines, *spur))
    result = network_design.design(there, quick(protect=("commune",)))
    state = result.sites.set_index("site_id")
    assert state["protected"].to_dict() == {"S0": True, "S1": True, "S2": False}
    assert state.loc["S2", "reason"].startswith("no second way leads round NEW-R")
    assert state.loc["S2", "reason"].endswith("for the site S2")
    assert [row["site"] for row in result.summary["unprotected"]] == ["S2"]


def test_a_connected_site_without_a_live_path_is_named(tmp_path: Path) -> None:
    ring = [[(0, 0), (2000, 0)], [(2000, 0), (2000, 1000)], [(2000, 1000), (0, 0)]]
    dark = {"status": "connected", "level": "district"}
    places = [((0, 0), {}), ((2000, 0), dark), ((2000, 1000), dark), ((1000, 0), {})]
    there = area(tmp_path, places, [(1, 2, {})], roads=roads(*ring))
    result = network_design.design(there, quick(protect=("district",)))
    state = result.sites.set_index("site_id")
    assert state["served"].to_dict() == {"S0": True, "S1": False, "S2": False, "S3": True}
    assert (state.loc[["S1", "S2"], "reason"] == result.summary["unprotected"][0]["reason"]).all()
    assert state.loc["S1", "reason"].startswith("has no live path to a data centre")
    assert state.loc["S3", "reason"] == ""
    (note,) = result.notes
    assert str(note) == (
        "2 connected sites have no live path to a data centre, and the design leaves them as they "
        "are: S1, S2"
    )
    # None of them is to be protected: they are named all the same.
    alone = network_design.design(there, quick())
    assert alone.notes == result.notes
    assert alone.sites["reason"].tolist() == result.sites["reason"].tolist()


def test_only_sites_of_a_zone_are_protected(tmp_path: Path) -> None:
    # The border of the zones W and E lies at 250.
    ring = [[(0, 0), (2000, 0)], [(2000, 0), (2000, 1000)], [(2000, 1000), (0, 0)]]
    live = {"status": "connected", "level": "district"}
    places = [((0, 0), {}), ((200, 0), live), ((2000, 0), live), ((1000, 0), {})]
    links = [(0, 1, {"provider": "B"}), (0, 2, {"provider": "B"})]
    there = area(tmp_path, places, links, roads=roads(*ring))
    every = network_design.design(there, quick(protect=("district",)))
    assert every.summary["to_protect"] == every.summary["protected"] == 2
    east = network_design.design(there, quick(protect=("district",), zones=("E",), points=2))
    assert east.summary["to_protect"] == east.summary["protected"] == 1
    assert east.sites.set_index("site_id")["protect"].to_dict() == {
        "S0": False, "S1": False, "S2": True, "S3": False,
    }  # fmt: skip
    assert east.tradeoff["protected"].max() == 1
    assert "S1" not in {*east.links["from_site"], *east.links["to_site"]}


def test_a_site_beside_the_road_gets_two_lead_ins(tmp_path: Path) -> None:
    ring = [[(0, 0), (2000, 0)], [(2000, 0), (2000, 1000)], [(2000, 1000), (0, 0)]]
    places = [((0, 0), {}), ((1500, 40), {})]
    there = area(tmp_path, places, roads=roads(*ring))
    result = network_design.design(there, quick(protect=("access",)))
    assert result.summary["protected"] == 1
    lead = result.routes[result.routes["kind"] == "link"]
    assert lead["length_m"].tolist() == pytest.approx([40.0, 40.0])
    assert any("second lead-in" in str(note) for note in result.notes)


def test_a_cable_with_too_few_free_fibres_is_not_used_for_all(tmp_path: Path) -> None:
    # Four fibres are free: two links of two; the third site needs a cable of its own.
    ducts = segments([(0, 0), (2000, 0)], cores=12, used=8)
    street = roads([(2000, 0), (2300, 0)])
    places = [((0, 0), {}), ((2100, 0), {}), ((2200, 0), {}), ((2300, 0), {})]
    there = area(tmp_path, places, roads=street, fibre_segments=ducts)
    two = network_design.design(
        area(tmp_path, places[:3], roads=street, fibre_segments=ducts), quick()
    )
    assert two.routes.groupby("item")["length_m"].sum()["spare_cores"] == pytest.approx(2000.0)
    three = network_design.design(there, quick())
    metres = three.routes.groupby("item")["length_m"].sum()
    assert "spare_cores" not in metres
    assert metres["cable_in_own_duct"] == pytest.approx(2000.0)
    # The bound still holds for designs without such limits.
    assert three.bound <= 2000.0 * SPARE_M + 300.0 * NEW_M + 1.0
    assert three.gap > 0.0


def test_what_cannot_be_reached_is_said(tmp_path: Path) -> None:
    places = [((0, 0), {}), ((1000, 0), {}), ((1000, 5000), {}), ((9000, 0), {})]
    lines = roads([(0, 0), (1000, 0)], [(8900, 0), (9100, 0)])
    result = network_design.design(area(tmp_path, places, roads=lines), quick())
    reasons = {row["site"]: row["reason"] for row in result.summary["unreachable"]}
    assert set(reasons) == {"S2", "S3"}
    assert "more than 2000 m from every route" in reasons["S2"]
    assert "its routes are not connected with the rest" in reasons["S3"]
    assert result.summary["newly_connected"] == 1


def test_input_that_cannot_be_designed_for(tmp_path: Path) -> None:
    line = roads([(0, 0), (1000, 0)])
    done = area(tmp_path, [((0, 0), {})], roads=line)
    with pytest.raises(InputError, match="nothing to design"):
        network_design.design(done, quick())
    far = area(tmp_path, [((0, 0), {}), ((1000, 9000), {})], roads=line)
    with pytest.raises(InputError, match="None of the 1 sites can be reached"):
        network_design.design(far, quick())
    dark = area(tmp_path, [((0, 0), {"role": "access"}), ((1000, 0), {})], roads=line)
    with pytest.raises(InputError, match="data centre"):
        network_design.design(dark, quick())
    with pytest.raises(InputError, match="no dedicated data network"):
        network_design.design(MemoryArea(tmp_path, roads=line), quick())
    with pytest.raises(InputError, match="no sites called towns to protect"):
        quick(protect=("towns",))
    with pytest.raises(InputError, match="budget is -1"):
        quick(budget=-1.0)
    with pytest.raises(InputError, match="There is no zone X"):
        network_design.design(far, quick(zones=("X",)))


def test_only_sites_of_a_zone_and_of_a_day_are_connected(tmp_path: Path) -> None:
    line = roads([(0, 0), (1000, 0)])
    places = [
        ((0, 0), {}),
        ((100, 0), {"status": "planned", "planned_on": "2026-03-01"}),
        ((900, 0), {}),
    ]
    there = area(tmp_path, places, roads=line)
    # The border of the zones W and E lies at 250.
    east = network_design.design(there, quick(zones=("E",)))
    assert east.links["from_site"].tolist() == ["S2"]
    later = network_design.design(there, quick(on="2026-03-01"))
    assert later.links["from_site"].tolist() == ["S2"]
    assert later.summary["connected_before"] == 2
    sooner = network_design.design(there, quick(on="2026-02-28"))
    assert sooner.links["from_site"].tolist() == ["S1", "S2"]


@pytest.fixture(scope="module")
def ringed(tmp_path_factory: pytest.TempPathFactory) -> tuple[MemoryArea, NetworkDesign]:
    """A grid with eight sites to connect, four of them to protect."""
    columns, rows = [0.0, 900.0, 2000.0], [0.0, 1000.0, 1700.0]
    corners = list(itertools.product(columns, rows))
    places: list[tuple[Place, dict[str, Any]]] = [(corners[0], {})]
    for k, corner in enumerate(corners[1:]):
        more = {"level": "district" if k % 2 else "commune", "criticality": 2.0 + k % 4}
        places.append((corner, more))
    there = area(tmp_path_factory.mktemp("ringed"), places, roads=roads(*grid(columns, rows)))
    request = NetworkDesignRequest(protect=("district",), time_limit_s=3.0, points=3)
    return there, network_design.design(there, request)


def test_the_trade_off_leads_from_today_to_the_design(ringed) -> None:
    _, result = ringed
    table = result.tradeoff
    assert table["kind"].iloc[0] == "today"
    assert table["cost"].iloc[0] == 0.0
    assert table["connected"].iloc[0] == 1
    assert table["cost"].iloc[-1] == pytest.approx(result.cost.typical)
    assert table["cost"].is_monotonic_increasing
    assert {"today", "connect", "protect"} == set(table["kind"])
    assert len(table) >= 5
    # No row is worse in everything than another one.
    for a, b in itertools.permutations(table.itertuples(), 2):
        assert not (a.cost <= b.cost and a.connected > b.connected and a.protected > b.protected)
    assert table["protected"].iloc[-1] == 4
    assert table["lost_hours"].iloc[-1] == table["lost_hours"].min()


def test_what_does_all_that_the_design_does_shares_its_bound(ringed, monkeypatch) -> None:
    there, _ = ringed
    whole: list[Choice] = []
    price = Designer.price

    def less(self: Designer, full: Choice, *_: Any, share: float) -> Choice:
        whole.append(full)
        return replace(full, cost=0.99 * full.cost, bound=0.0, gap=np.inf)

    def cheaper(designer: Designer, choice: Choice) -> float:
        found = bool(whole) and choice.cost == 0.99 * whole[0].cost
        return price(designer, choice) * (0.99 if found else 1.0)

    monkeypatch.setattr(Designer, "ring_or_less", less)
    monkeypatch.setattr(Designer, "price", cheaper)
    request = NetworkDesignRequest(protect=("district",), time_limit_s=3.0, points=3)
    result = network_design.design(there, request)
    last = result.tradeoff.iloc[-1]
    assert last["cost"] == pytest.approx(0.99 * result.cost.typical)
    assert last["gap"] == relative_gap(0.99 * whole[0].cost, result.bound)


def test_with_a_budget_as_many_are_protected_as_it_pays(ringed) -> None:
    there, full = ringed
    tree = network_design.design(there, quick())
    middle = 0.5 * (tree.cost.typical + full.cost.typical)
    some = network_design.design(there, quick(protect=("district",), budget=middle))
    assert some.cost.typical <= middle
    assert some.summary["newly_connected"] == 8
    assert 0 < some.summary["protected"] <= 4
    assert any("The budget protects" in str(note) for note in some.notes)
    poor = network_design.design(
        there, quick(protect=("district",), budget=0.5 * tree.cost.typical)
    )
    assert poor.cost.typical <= 0.5 * tree.cost.typical
    assert any("to connect all sites within the budget" in str(note) for note in poor.notes)
    # The proof is of what the budget connects, not of what routes cost.
    assert poor.summary["objective"] == "value"
    assert poor.summary["value"] <= poor.bound <= there.read("network_sites")["criticality"].sum()


def test_new_links_are_rows_of_the_layer(ringed) -> None:
    there, result = ringed
    sites = there.read("network_sites")
    checked = schema.validate("network_links", result.links, context={"network_sites": sites})
    assert len(checked) == len(result.links)
    assert set(result.links["status"]) == {"planned"}
    known = set(result.inventory.segments["segment_id"])
    for route in result.links["route"]:
        assert set(schema.route_segments(route)) <= known


def test_a_design_is_written_as_layers_to_be_imported(tmp_path: Path) -> None:
    # A duct of which a site is led off half way, and a new stretch of an earlier design.
    ducts = segments([(0, 0), (2000, 0)], [(0, 4000), (900, 4000)], cores=24, used=4)
    ducts["segment_id"] = ["F0", "NEW-R1"]
    places = [
        ((0, 0), {}),
        ((2000, 0), {"status": "connected", "role": "aggregation"}),
        ((1000, 0), {}),
        ((2000, 800), {}),
    ]
    links = [
        (0, 1, {"route": "F0"}),
        (0, 1, {"route": "NEW-R1;F0", "status": "planned"}),
    ]
    street = roads([(2000, 0), (2000, 800)])
    there = area(tmp_path, places, links, roads=street, fibre_segments=ducts)
    result = network_design.design(there, quick())
    parts = network_layers.segments(result.designer, result.choice).set_index("segment_id")
    (new,) = set(parts.index) - {"F0/1", "F0/2", "NEW-R1"}
    assert new.startswith("NEW2-R")
    assert parts.loc[new, ["segment_type", "status"]].tolist() == ["aerial", "planned"]
    assert parts.loc[new, ["cores", "cores_used"]].tolist() == [12, 2]
    assert parts.geometry.length[["F0/1", "F0/2", new]].tolist() == [1000.0, 1000.0, 800.0]
    assert parts["cores"][["F0/1", "F0/2", "NEW-R1"]].tolist() == [24, 24, 24]
    # Site S2 lies half way: one of the halves carries its link.
    assert sorted(parts["cores_used"][["F0/1", "F0/2"]]) == [4, 6]
    assert parts["cores_used"]["NEW-R1"] == 4
    every = network_layers.links(result.designer, result.choice).set_index("link_id")
    assert every.loc[["L0", "L1"], "route"].tolist() == ["F0/1;F0/2", "NEW-R1;F0/1;F0/2"]
    assert every["status"].value_counts().to_dict() == {"planned": 3, "existing": 1}
    assert sorted(every["route"].iloc[2:]) in (["F0/1", new], ["F0/2", new])
    alone = network_layers.new_links(result.designer, result.choice)
    assert sorted(alone["route"]) == ["F0", new]
    bare = network_design.design(area(tmp_path, places, roads=street), quick())
    assert network_layers.segments(bare.designer, bare.choice)["status"].eq("planned").all()


def test_a_design_is_written(ringed, tmp_path: Path) -> None:
    _, result = ringed
    network_design.save(result, tmp_path)
    written = json.loads((tmp_path / "network_design.json").read_text("utf-8"))
    assert written == json.loads(json.dumps(result.summary))
    assert written["provenance"]["request"]["protect"] == ["district"]
    assert written["illustrative"]
    for layer, frame in (("routes", result.routes), ("sites", result.sites)):
        assert len(gpd.read_file(tmp_path / "design.gpkg", layer=layer)) == len(frame)
    lines = gpd.read_file(tmp_path / "design.gpkg", layer="links")
    assert shapely.length(lines.geometry).tolist() == pytest.approx(lines["length_m"].tolist())
    bill = pd.read_csv(tmp_path / "bill.csv")
    assert bill["typical"].sum() == pytest.approx(result.cost.typical)
    assert openpyxl.load_workbook(tmp_path / "bill.xlsx").sheetnames[0] == "Bill of quantities"
    assert len(pd.read_csv(tmp_path / "tradeoff.csv")) == len(result.tradeoff)
    for name in ("links.csv", "network_links.csv"):
        table = pd.read_csv(tmp_path / name)
        assert table["from_site"].tolist() == result.links["from_site"].tolist()
    parts = gpd.read_file(tmp_path / "fibre_segments.gpkg")
    assert set(parts["segment_id"]) == set(result.inventory.segments["segment_id"])


def test_a_design_can_be_cancelled(ringed) -> None:
    there, _ = ringed
    told: list[float] = []

    def stop(share: float) -> None:
        told.append(share)
        if share > 0.3:
            raise CancelledError

    with pytest.raises(CancelledError):
        network_design.design(there, quick(protect=("district",)), on_progress=stop)
    assert told == sorted(told)


# Phases


def star(folder: Path) -> MemoryArea:
    """Return four sites on two arms of a road: two of them share the first kilometre."""
    lines = [[(0, 0), (1000, 0)], [(1000, 0), (1000, 500)], [(1000, 0), (1800, 0)],
             [(0, 0), (0, 700)]]  # fmt: skip
    places = [
        ((0, 0), {}),
        ((1000, 500), {"criticality": 3.0}),
        ((1800, 0), {"criticality": 5.0}),
        ((0, 700), {"criticality": 2.0}),
    ]
    return area(folder, places, roads=roads(*lines))


@pytest.mark.parametrize("priority", ["none", "criticality"])
@pytest.mark.parametrize("budget", [1.2e8, 1.7e8, 2.6e8, 4e8])
def test_the_years_are_as_good_as_any(tmp_path: Path, budget: float, priority: str) -> None:
    there = star(tmp_path)
    made = network_phases.plan(
        there, PhaseRequest((budget,) * 3, priority=priority, first_year=2026), quick()
    )
    own = ROUTER + 2 * MODULE
    pieces = {1: ("trunk", "up"), 2: ("trunk", "on"), 3: ("left",)}
    metres = {"trunk": 1000.0, "up": 500.0, "on": 800.0, "left": 700.0}
    worth = {1: 3.0, 2: 5.0, 3: 2.0}

    def value(years: dict[int, int]) -> tuple[float, ...] | None:
        spent, built = 0.0, set()
        for year in range(3):
            for site in (k for k in years if years[k] == year):
                spent += own + NEW_M * sum(metres[p] for p in pieces[site] if p not in built)
                built |= set(pieces[site])
            if spent > budget * (year + 1) + 1e-6:
                return None
        gain = {k: worth[k] * (3 - years[k]) for k in years if years[k] < 3}
        if priority == "none":
            return (sum(gain.values()),)
        return tuple(gain.get(k, 0.0) for k in (2, 1, 3))

    best = max(
        found
        for years in itertools.product(range(4), repeat=3)
        if (found := value(dict(zip((1, 2, 3), years, strict=True)))) is not None
    )
    table = made.projects.set_index("site_id")["year"]
    mine = {k: 3 if pd.isna(table[f"S{k}"]) else int(table[f"S{k}"]) - 2026 for k in (1, 2, 3)}
    assert value(mine) == pytest.approx(best)
    assert (made.classes["gap"] <= 1e-9).all()
    spent = made.years["spent"].to_numpy()[1:]
    assert (np.cumsum(spent) <= budget * np.arange(1, 4) + 1e-6).all()
    assert made.years["year"].dropna().tolist() == [2026, 2027, 2028]
    assert made.years["connected"].iloc[-1] == 1 + sum(year < 3 for year in mine.values())
    late = made.projects[made.projects["year"].isna()]
    assert (late["reason"] != "").all()
    for year in (2026, 2027, 2028):
        built = made.routes[made.routes["year"] == year]["length_m"].sum()
        new = [k for k in mine if mine[k] == year - 2026]
        sooner = {p for k in mine if mine[k] < year - 2026 for p in pieces[k]}
        wanted = {p for k in new for p in pieces[k]} - sooner
        assert built == pytest.approx(sum(metres[p] for p in wanted))


def test_second_ways_come_after_all_connections(ringed) -> None:
    there, design = ringed
    money = design.cost.typical / 4.0
    made = network_phases.plan(there, PhaseRequest((money,) * 5), design=design)
    projects = made.projects
    assert projects["year"].notna().all()
    assert made.years["spent"].sum() == pytest.approx(design.cost.typical)
    first = projects[projects["kind"] == "connect"].set_index("site_id")["year"]
    second = projects[projects["kind"] == "protect"].set_index("site_id")["year"]
    assert len(second) == 4
    assert (second >= first[second.index]).all()
    assert made.years["protected"].iloc[-1] == 4
    assert made.years["lost_hours"].is_monotonic_decreasing
    assert made.years["year"].tolist()[1:] == [1, 2, 3, 4, 5]


def test_a_plan_is_written_and_bad_input_refused(tmp_path: Path) -> None:
    there = star(tmp_path)
    made = network_phases.plan(there, PhaseRequest((2e8, 0.0)), quick())
    network_phases.save(made, tmp_path / "o")
    written = json.loads((tmp_path / "o" / "phases.json").read_text("utf-8"))
    assert written["to_connect"] == 3
    assert [row["year"] for row in written["years"]] == [None, 1, 2]
    table = pd.read_csv(tmp_path / "o" / "phases.csv")
    assert table["site_id"].tolist() == made.projects["site_id"].tolist()
    routes = gpd.read_file(tmp_path / "o" / "phases.gpkg", layer="routes")
    assert len(routes) == len(made.routes)
    assert (tmp_path / "o" / "network_design.json").exists()
    for wrong, said in (
        ({"budgets": ()}, "at least one year"),
        ({"budgets": (-1.0,)}, "The budget is -1"),
        ({"budgets": (1.0,), "priority": "luck"}, "There is no priority luck"),
    ):
        with pytest.raises(InputError, match=said):
            PhaseRequest(**wrong)
