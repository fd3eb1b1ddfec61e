"""Shared routes: fair splitting by its axioms, and joint designs against enumeration."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from data.errors import CancelledError, InputError
from planning import route_graph
from planning.cost import unit_costs
from planning.shared_routes import (
    Carrier,
    Coalition,
    _shapley,
    carriers_on,
    overlap,
    share_routes,
)
from tests.planning.fibre_areas import exchanges, roads, segments


def partitions(items: Sequence[int]) -> Iterator[list[list[int]]]:
    if not items:
        yield []
        return
    first, *rest = items
    for part in partitions(rest):
        yield [[first], *part]
        for k in range(len(part)):
            yield [*part[:k], [first, *part[k]], *part[k + 1 :]]


def least_tree(tail: NDArray, head: NDArray, cost: NDArray, terminals: Sequence[int]) -> float:
    """Return the least cost of edges that connect the terminals, by trying all sets of them."""
    best = math.inf
    wanted = set(terminals)
    if len(wanted) == 1:
        return 0.0
    for size in range(1, len(tail) + 1):
        for edges in itertools.combinations(range(len(tail)), size):
            total = float(cost[list(edges)].sum())
            if total >= best:
                continue
            reached, grown = {terminals[0]}, True
            while grown:
                grown = False
                for e in edges:
                    a, b = int(tail[e]), int(head[e])
                    if (a in reached) != (b in reached):
                        reached |= {a, b}
                        grown = True
            if wanted <= reached:
                best = total
    return best


def least_joint(tail: NDArray, head: NDArray, carriers: Sequence[Carrier]) -> float:
    """Return the least cost over all divisions into groups that share a design."""
    best = math.inf
    for part in partitions(list(range(len(carriers)))):
        total = 0.0
        for block in part:
            cost = np.min([carriers[i].cost for i in block], axis=0)
            nodes = sorted({t for i in block for t in carriers[i].terminals})
            total += least_tree(tail, head, cost, nodes)
        best = min(best, total)
    return best


@st.composite
def problems(draw: st.DrawFn) -> tuple[NDArray, NDArray, list[Carrier]]:
    """Small connected graphs with two or three carriers, some with ducts of their own."""
    count = draw(st.integers(3, 6))
    node = st.integers(0, count - 1)
    links = [(i, draw(st.integers(0, i - 1))) for i in range(1, count)]
    links += draw(st.lists(st.tuples(node, node), max_size=3))
    build = np.array([float(draw(st.integers(0, 20))) for _ in links])
    carriers = []
    for k in range(draw(st.integers(1, 3))):
        cost = build.copy()
        for edge in draw(st.lists(st.integers(0, len(links) - 1), max_size=2)):
            cost[edge] = min(cost[edge], 1.0)
        carriers.append(
            Carrier("ABC"[k], tuple(draw(st.lists(node, min_size=1, max_size=3))), cost)
        )
    return np.array([a for a, _ in links]), np.array([b for _, b in links]), carriers


@settings(max_examples=60, deadline=None)
@given(problems(), st.sampled_from(["shapley", "proportional"]))
def test_small_cases_against_enumeration(
    problem: tuple[NDArray, NDArray, list[Carrier]], split: str
) -> None:
    tail, head, carriers = problem
    shared = share_routes(tail, head, carriers, split=split)  # type: ignore[arg-type]
    optimum = least_joint(tail, head, carriers)
    assert shared.joint_bound <= optimum + 1e-9
    assert optimum - 1e-9 <= shared.joint_cost <= 1.05 * optimum + 1e-9
    assert shared.joint_cost <= shared.separate_cost + 1e-9
    table = shared.carriers
    # Efficiency: the parts are the whole.
    assert table["pays"].sum() == pytest.approx(shared.joint_cost, abs=1e-9)
    assert (table["pays_low"] <= table["pays"] + 1e-9).all()
    assert (table["pays"] <= table["pays_high"] + 1e-9).all()
    assert np.allclose(table["saving"], table["alone"] - table["pays"])
    # Whoever does not join pays for its own design, so nobody is worse off.
    assert table["better_off"].all()
    stretches = shared.stretches
    assert stretches["cost_together"].sum() == pytest.approx(shared.joint_cost)
    assert stretches["cost_alone"].sum() == pytest.approx(shared.separate_cost)
    # Each carrier's places hang together on its part of the joint design.
    for carrier in carriers:
        mine = [carrier.name in users for users in stretches["together"]]
        edges = stretches.loc[mine, "edge"].to_numpy()
        reached, grown = {carrier.terminals[0]}, True
        while grown:
            grown = False
            for e in edges:
                if (int(tail[e]) in reached) != (int(head[e]) in reached):
                    reached |= {int(tail[e]), int(head[e])}
                    grown = True
        assert set(carrier.terminals) <= reached


@settings(max_examples=40, deadline=None)
@given(problems(), st.integers(0, 5))
def test_who_brings_and_needs_nothing_pays_nothing(
    problem: tuple[NDArray, NDArray, list[Carrier]], place: int
) -> None:
    tail, head, carriers = problem
    dear = np.max([carrier.cost for carrier in carriers], axis=0)
    idle = Carrier("idle", (min(place, int(max(tail.max(), head.max()))),), dear)
    shared = share_routes(tail, head, [*carriers, idle])
    assume(all(one.cost == one.lower_bound for one in shared.coalitions))
    assert shared.carriers["pays"].iloc[-1] == pytest.approx(0.0, abs=1e-9)
    without = share_routes(tail, head, carriers)
    assert np.allclose(shared.carriers["pays"].iloc[:-1], without.carriers["pays"])


@settings(max_examples=40, deadline=None)
@given(problems(), st.sampled_from(["shapley", "proportional"]))
def test_equal_carriers_pay_the_same_and_order_does_not_matter(
    problem: tuple[NDArray, NDArray, list[Carrier]], split: str
) -> None:
    tail, head, carriers = problem
    twin = Carrier("twin", carriers[0].terminals, carriers[0].cost)
    shared = share_routes(tail, head, [*carriers, twin], split=split)  # type: ignore[arg-type]
    pays = dict(zip(shared.carriers["carrier"], shared.carriers["pays"], strict=True))
    assert pays["A"] == pytest.approx(pays["twin"], abs=1e-9)
    turned = share_routes(tail, head, [twin, *carriers[::-1]], split=split)  # type: ignore[arg-type]
    other = dict(zip(turned.carriers["carrier"], turned.carriers["pays"], strict=True))
    assert other == pytest.approx(pays, abs=1e-9)


def game(costs: Mapping[tuple[int, ...], float]) -> dict[tuple[int, ...], Coalition]:
    return {members: Coalition(members, c, c, (members,)) for members, c in costs.items()}


@settings(max_examples=100, deadline=None)
@given(st.data(), st.integers(1, 5))
def test_shapley_is_the_average_over_all_orders(data: st.DataObject, count: int) -> None:
    groups = [
        members
        for size in range(1, count + 1)
        for members in itertools.combinations(range(count), size)
    ]
    costs = {members: data.draw(st.floats(0.0, 100.0)) for members in groups}
    expected = np.zeros(count)
    orders = list(itertools.permutations(range(count)))
    for order in orders:
        before = 0.0
        for k, i in enumerate(order):
            after = costs[tuple(sorted(order[: k + 1]))]
            expected[i] += (after - before) / len(orders)
            before = after
    pays, low, high = _shapley(count, game(costs))
    assert np.allclose(pays, expected)
    assert np.allclose(low, pays)
    assert np.allclose(high, pays)
    assert pays.sum() == pytest.approx(costs[tuple(range(count))], abs=1e-9)


def test_two_carriers_along_one_road() -> None:
    # A needs 0-1-2, B needs 0-1-3; 0-1 is the common road.
    tail, head = np.array([0, 1, 1]), np.array([1, 2, 3])
    cost = np.array([100.0, 10.0, 30.0])
    shared = share_routes(tail, head, [Carrier("A", (0, 2), cost), Carrier("B", (0, 3), cost)])
    assert (shared.separate_cost, shared.joint_cost, shared.joint_bound) == (240.0, 140.0, 140.0)
    assert shared.carriers["pays"].tolist() == [60.0, 80.0]
    assert shared.carriers["saving"].tolist() == [50.0, 50.0]
    assert shared.carriers["surely_better_off"].all()
    assert shared.dissatisfied == ()
    both = overlap(shared)
    assert both["edge"].tolist() == [0]
    assert both["alone"].tolist() == [("A", "B")]
    assert both["saved"].tolist() == [100.0]
    by_size = share_routes(
        tail,
        head,
        [Carrier("A", (0, 2), cost), Carrier("B", (0, 3), cost)],
        split="proportional",
    )
    assert by_size.carriers["pays"].tolist() == pytest.approx([140 * 110 / 240, 140 * 130 / 240])


def test_carriers_far_apart_stay_apart() -> None:
    tail, head, cost = np.array([0, 2]), np.array([1, 3]), np.array([5.0, 7.0])
    shared = share_routes(tail, head, [Carrier("A", (0, 1), cost), Carrier("B", (2, 3), cost)])
    assert shared.carriers["pays"].tolist() == [5.0, 7.0]
    assert shared.coalitions[-1].blocks == ((0,), (1,))
    assert overlap(shared).empty


def test_a_duct_of_one_serves_the_other_and_is_worth_something() -> None:
    # A has a duct along 0-1 and nothing to build; B has to get from 0 to 1.
    tail, head = np.array([0]), np.array([1])
    own, other = np.array([2.0]), np.array([50.0])
    shared = share_routes(tail, head, [Carrier("A", (0,), own), Carrier("B", (0, 1), other)])
    assert (shared.separate_cost, shared.joint_cost) == (50.0, 2.0)
    # A is paid for its duct half of what B saves.
    assert shared.carriers["pays"].tolist() == [-24.0, 26.0]


def test_another_ones_cable_is_closed_until_they_build_together() -> None:
    tail, head = np.array([0, 0]), np.array([1, 1])
    mine, theirs = np.array([np.inf, 80.0]), np.array([1.0, 80.0])
    shared = share_routes(tail, head, [Carrier("A", (0, 1), mine), Carrier("B", (0, 1), theirs)])
    assert shared.carriers["alone"].tolist() == [80.0, 1.0]
    assert shared.joint_cost == 1.0
    with pytest.raises(InputError, match=r"^Carrier A: 1 of 2 nodes to connect are not in"):
        share_routes([0], [1], [Carrier("A", (0, 2), np.array([1.0]))])


def test_coalitions_that_would_rather_build_alone_are_named() -> None:
    # Proportional to the cost alone: C's long branch makes the others pay for it.
    tail, head = np.array([0, 1, 1, 1]), np.array([1, 2, 3, 4])
    cost = np.array([1.0, 0.0, 0.0, 100.0])
    carriers = [Carrier("A", (0, 2), cost), Carrier("B", (0, 3), cost), Carrier("C", (0, 4), cost)]
    shapley = share_routes(tail, head, carriers)
    assert shapley.dissatisfied == ()
    carriers[2] = Carrier("C", (1, 4), cost)
    by_size = share_routes(tail, head, carriers, split="proportional")
    assert [one.members for one in by_size.dissatisfied] == [(0, 1)]


def test_prices_of_carriers_on_roads_and_ducts() -> None:
    costs = unit_costs()
    there = segments([(0, 0), (1000, 0)], owner="A")
    built = route_graph.build(
        roads=roads([(0, 200), (1000, 200)], [(0, 0), (0, 200)], [(1000, 0), (1000, 200)]),
        fibre_segments=there,
        fibre_nodes=exchanges((0, 0)),
        costs=costs,
    )
    graph = built.graph
    a, b = (
        carriers_on(graph, there, {"A": [0], "B": [1]}, costs)[k].cost / graph.length_m
        for k in (0, 1)
    )
    duct = graph.layer == "fibre_segments"
    assert duct.any()
    assert not duct.all()
    assert np.allclose(a[duct], costs["cable_in_own_duct"].cost.typical)
    assert np.allclose(b[duct], costs["cable_in_rented_duct"].cost.typical)
    assert np.allclose(a[~duct], b[~duct])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"carriers": []}, "There is no carrier to compare routes for"),
        ({"split": "equal"}, "There is no way to split costs called equal"),
        ({"names": ["A", "A"]}, "The carrier A is there twice"),
        ({"names": list("ABCDEFGHI")}, "There are 9 carriers, but at most 8 can be compared"),
        ({"cost": np.array([1.0, 2.0])}, "Carrier A has 2 costs, expected one for each of 1 edges"),
        ({"cost": np.array([-1.0])}, "Carrier A, edge 0: the cost is -1.0"),
        ({"cost": np.array([np.nan])}, "Carrier A, edge 0: the cost is nan"),
        ({"terminals": ()}, "Carrier A has no place to connect"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], text: str) -> None:
    names = change.get("names", ["A"])
    cost, terminals = change.get("cost", np.array([1.0])), change.get("terminals", (0, 1))
    carriers = [Carrier(name, terminals, cost) for name in names]  # type: ignore[arg-type, attr-defined]
    with pytest.raises(InputError) as caught:
        share_routes(
            [0],
            [1],
            change.get("carriers", carriers),  # type: ignore[arg-type]
            split=change.get("split", "shapley"),  # type: ignore[arg-type]
        )
    assert text in str(caught.value)


def test_progress_rises_and_can_cancel() -> None:
    tail, head, cost = np.array([0, 1]), np.array([1, 2]), np.array([1.0, 1.0])
    carriers = [Carrier("A", (0, 1), cost), Carrier("B", (0, 2), cost)]
    seen: list[float] = []
    share_routes(tail, head, carriers, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    def stop(_: float) -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        share_routes(tail, head, carriers, on_progress=stop)
