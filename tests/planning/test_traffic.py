"""Traffic: conservation of flow, and shortest ways found by another program."""

from __future__ import annotations

import math
import time
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import CancelledError, InputError
from planning import traffic
from planning.traffic import Demands


@st.composite
def problems(draw: st.DrawFn) -> tuple[Any, ...]:
    """Networks with loops, parallel links and parts apart, and demands within them."""
    count = draw(st.integers(1, 8))
    node = st.integers(0, count - 1)
    ends = draw(st.lists(st.tuples(node, node), max_size=14))
    step = draw(st.sampled_from([st.just(1.0), st.integers(1, 3).map(float)]))
    weight = [draw(step) for _ in ends]
    sent = draw(st.lists(st.tuples(node, node, st.integers(0, 9)), max_size=6))
    demands = Demands(*(list(part) for part in zip(*sent, strict=True))) if sent else None
    closed = draw(st.lists(st.integers(0, len(ends) - 1), max_size=2)) if ends else []
    shut = draw(st.lists(node, max_size=1))
    return count, [a for a, _ in ends], [b for _, b in ends], weight, demands, closed, shut


def split_loads(
    tail: Any, head: Any, weight: Any, demands: Demands, closed: Any, shut: Any, n: int
) -> tuple[Any, Any, list[float]]:
    """Send every demand on its own, node by node, over distances that networkx finds."""
    graph = nx.MultiGraph()
    graph.add_nodes_from(range(n))
    for e, (a, b) in enumerate(zip(tail, head, strict=True)):
        if e not in closed:
            graph.add_edge(a, b, key=e, weight=weight[e])
    graph.remove_nodes_from(shut)
    forward, backward = np.zeros(len(tail)), np.zeros(len(tail))
    lengths = []
    for source, target, mbps in zip(demands.source, demands.target, demands.mbps, strict=True):
        reach: dict[Any, float] = {}
        if target in graph:
            reach = nx.single_source_dijkstra_path_length(graph, int(target))
        lengths.append(reach.get(int(source), math.inf))
        if int(source) not in reach:
            continue
        waiting = {int(source): float(mbps)}
        while waiting:
            node = max(waiting, key=lambda v: reach[v])
            amount = waiting.pop(node)
            if node == target:
                continue
            ways = [
                (e, other)
                for _, other, e in graph.edges(node, keys=True)
                if other != node and reach[other] + weight[e] == reach[node]
            ]
            for e, other in ways:
                (forward if tail[e] == node else backward)[e] += amount / len(ways)
                waiting[other] = waiting.get(other, 0.0) + amount / len(ways)
    return forward, backward, lengths


@settings(max_examples=200, deadline=None)
@given(problems())
def test_loads_equal_those_of_demands_sent_one_by_one(problem: tuple[Any, ...]) -> None:
    n, tail, head, weight, demands, closed, shut = problem
    if demands is None:
        demands = Demands([], [], [])
    routing = traffic.route(
        n, tail, head, demands, weight=weight, closed_edges=closed, closed_nodes=shut
    )
    forward, backward, lengths = split_loads(tail, head, weight, demands, closed, shut, n)
    assert routing.forward_mbps == pytest.approx(forward, abs=1e-9)
    assert routing.backward_mbps == pytest.approx(backward, abs=1e-9)
    assert routing.length.tolist() == lengths
    assert routing.routed.tolist() == [math.isfinite(length) for length in lengths]
    assert routing.lost_mbps == sum(
        mbps for mbps, length in zip(demands.mbps, lengths, strict=True) if math.isinf(length)
    )


@settings(max_examples=200, deadline=None)
@given(problems(), st.booleans(), st.booleans())
def test_what_comes_in_goes_out(problem: tuple[Any, ...], split: bool, back: bool) -> None:
    n, tail, head, weight, demands, closed, shut = problem
    if demands is None:
        return
    routing = traffic.route(
        n,
        tail,
        head,
        demands,
        weight=weight,
        split=split,
        there_and_back=back,
        closed_edges=closed,
        closed_nodes=shut,
    )
    surplus = np.zeros(n)
    np.add.at(surplus, tail, routing.forward_mbps - routing.backward_mbps)
    np.add.at(surplus, head, routing.backward_mbps - routing.forward_mbps)
    asked = np.zeros(n)
    np.add.at(asked, demands.source[routing.routed], demands.mbps[routing.routed])
    np.add.at(asked, demands.target[routing.routed], -demands.mbps[routing.routed])
    assert surplus == pytest.approx(asked, abs=1e-9)
    # Loads times weights are rates times lengths: every way is a shortest one.
    work = float(np.dot(routing.forward_mbps + routing.backward_mbps, weight))
    due = float(np.dot(demands.mbps[routing.routed], routing.length[routing.routed]))
    assert work == pytest.approx(due, abs=1e-9)
    if not split and not back:
        single = [
            traffic.route(
                n,
                tail,
                head,
                Demands([a], [b], [m]),
                weight=weight,
                split=False,
                closed_edges=closed,
                closed_nodes=shut,
            )
            for a, b, m in zip(demands.source, demands.target, demands.mbps, strict=True)
        ]
        assert routing.forward_mbps == pytest.approx(sum(r.forward_mbps for r in single))
        for one, mbps in zip(single, demands.mbps, strict=True):
            assert set(one.load_mbps) <= {0.0, mbps}


def test_what_comes_takes_the_way_back_of_what_goes() -> None:
    # Two equal ways of S1 to S0, by S2 and by S3; S4 is behind one of them only.
    tail, head = [1, 1, 2, 3, 4], [2, 3, 0, 0, 2]
    both = traffic.hub_demands([1, 4], 0, up_mbps=1.0, down_mbps=1.0)
    routing = traffic.route(5, tail, head, both, there_and_back=True)
    assert routing.forward_mbps.tolist() == routing.backward_mbps.tolist()
    assert routing.forward_mbps.tolist() == [0.5, 0.5, 1.5, 0.5, 1.0]


@settings(max_examples=150, deadline=None)
@given(problems(), st.booleans())
def test_only_what_changes_is_routed_anew_after_failures(
    problem: tuple[Any, ...], back: bool
) -> None:
    n, tail, head, weight, demands, _, _ = problem
    if demands is None or not tail:
        return
    groups = {"two": [0, len(tail) - 1]}
    table = traffic.after_failures(
        n, tail, head, 2.0, demands, groups=groups, weight=weight, there_and_back=back
    )

    def routed(closed: list[int]) -> traffic.Routing:
        return traffic.route(
            n, tail, head, demands, weight=weight, there_and_back=back, closed_edges=closed
        )

    usual = routed([])
    failed = {int(row.position) for row in table.itertuples() if row.element == "edge"}
    assert failed == set(np.flatnonzero(usual.load_mbps > 0.0).tolist())
    for row in table.itertuples():
        closed = [row.position] if row.element == "edge" else groups[row.name]
        again = routed(closed)
        assert row.lost_mbps == pytest.approx(again.lost_mbps - usual.lost_mbps, abs=1e-9)
        if not back:
            load = again.load_mbps.copy()
            load[closed] = 0.0
            assert row.greatest_utilisation == pytest.approx(load.max() / 2.0, abs=1e-9)


def test_parallel_links_share_and_decimals_are_equally_long() -> None:
    demands = Demands([0], [2], [9.0])
    routing = traffic.route(3, [0, 0, 1, 0], [1, 1, 2, 2], demands, weight=[0.1, 0.1, 0.2, 0.3])
    assert routing.forward_mbps == pytest.approx([3.0, 3.0, 6.0, 3.0])
    alone = traffic.route(3, [0, 0, 1], [1, 1, 2], demands, split=False)
    assert alone.forward_mbps.tolist() == [9.0, 0.0, 9.0]


def test_links_of_no_length_make_no_circles() -> None:
    rng = np.random.default_rng(5)
    tail, head = rng.integers(0, 30, 200), rng.integers(0, 30, 200)
    demands = traffic.site_demands(np.arange(30), rng.integers(1, 9, 30))
    routing = traffic.route(30, tail, head, demands, weight=rng.integers(0, 2, 200))
    surplus = np.zeros(30)
    np.add.at(surplus, tail, routing.forward_mbps - routing.backward_mbps)
    np.add.at(surplus, head, routing.backward_mbps - routing.forward_mbps)
    asked = np.zeros(30)
    np.add.at(asked, demands.source, demands.mbps)
    np.add.at(asked, demands.target, -demands.mbps)
    assert surplus == pytest.approx(asked, abs=1e-9)
    assert float(routing.load_mbps.sum()) <= 30 * demands.total_mbps


def test_demands_of_hub_sites_and_conferences() -> None:
    hub = traffic.hub_demands([0, 1, 2], [0, 0, 4], up_mbps=[9.0, 1.0, 2.0], down_mbps=5.0)
    assert hub.source.tolist() == [1, 2, 0, 4]
    assert hub.target.tolist() == [0, 4, 1, 2]
    assert hub.mbps.tolist() == [1.0, 2.0, 5.0, 5.0]
    sites = traffic.site_demands([3, 5, 8], [2.0, 4.0, 0.0])
    assert (sites.source.tolist(), sites.target.tolist()) == ([3, 5], [5, 3])
    assert sites.mbps.tolist() == [2.0, 4.0]
    bridge = traffic.conference_demands([1, 2, 3], [1.0, 2.0, 4.0], mcu=2)
    assert bridge.source.tolist() == [1, 3, 2, 2]
    assert bridge.mbps.tolist() == [1.0, 4.0, 1.0, 4.0]
    mesh = traffic.conference_demands([1, 2, 3], [1.0, 2.0, 4.0], mcu=None)
    assert mesh.total_mbps == 2 * (1.0 + 2.0 + 4.0)
    assert (hub + mesh).total_mbps == hub.total_mbps + mesh.total_mbps


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0.01, 1e4), min_size=2, max_size=8))
def test_every_site_sends_its_rate(rates: list[float]) -> None:
    demands = traffic.site_demands(np.arange(len(rates)), rates)
    sent = np.bincount(demands.source, demands.mbps, minlength=len(rates))
    assert sent == pytest.approx(rates, rel=1e-9)


#: Hub 0; sites 1 and 2 behind it in a row; site 3 on its own link; site 4 is cut off.
STAR: tuple[Any, ...] = (5, [0, 1, 0], [1, 2, 3])


def test_a_conference_of_all_endpoints() -> None:
    usual = traffic.hub_demands([1, 2, 3], 0, up_mbps=1.0, down_mbps=10.0)
    effect = traffic.conference_effect(*STAR, [25.0, 20.0, 100.0], usual, [1, 2, 3, 4], 4.0, mcu=0)
    assert effect.routing.forward_mbps.tolist() == [28.0, 14.0, 14.0]
    assert effect.routing.backward_mbps.tolist() == [10.0, 5.0, 5.0]
    assert effect.utilisation_before.tolist() == pytest.approx([0.8, 0.5, 0.1])
    assert effect.overloaded.tolist() == effect.newly_overloaded.tolist() == [0]
    assert effect.disturbed.tolist() == [1, 2]
    assert effect.unreached.tolist() == [4]
    # Link 0 has 5 Mbit/s left, for two streams.
    assert effect.greatest_mbps == pytest.approx(2.5)
    fits = traffic.conference_effect(
        *STAR, [25.0, 20.0, 100.0], usual, [1, 2, 3], effect.greatest_mbps, mcu=0
    )
    assert fits.overloaded.size == 0
    assert fits.utilisation.max() == pytest.approx(1.0)


def test_an_endpoint_at_the_bridge_is_neither_disturbed_nor_unreached() -> None:
    usual = traffic.hub_demands([1, 2, 3], 0, up_mbps=1.0, down_mbps=10.0)
    effect = traffic.conference_effect(
        *STAR, [25.0, 20.0, 100.0], usual, [0, 1, 2, 3, 4], 4.0, mcu=0
    )
    assert effect.disturbed.tolist() == [1, 2]
    assert effect.unreached.tolist() == [4]


def test_only_streams_in_the_overloaded_direction_are_disturbed() -> None:
    usual = Demands([0], [1], [99.0])
    effect = traffic.conference_effect(
        3, [0, 0], [1, 2], [100.0, 10.0], usual, [1, 2], 4.0, mcu=None
    )
    # From 2 to 1 over the full direction; from 1 to 2 over the free one.
    assert effect.overloaded.tolist() == [0]
    assert effect.disturbed.tolist() == [1, 2]
    bridge = traffic.conference_effect(
        3, [0, 0], [1, 2], [100.0, math.nan], usual, [1, 2], 4.0, mcu=0
    )
    assert bridge.disturbed.tolist() == [1]
    assert math.isnan(bridge.utilisation[1])
    assert bridge.greatest_mbps == pytest.approx(1.0)


def test_a_link_that_is_full_anyway_leaves_nothing_for_a_conference() -> None:
    usual = Demands([0], [1], [30.0])
    effect = traffic.conference_effect(2, [0], [1], [20.0], usual, [1], 1.0, mcu=0)
    assert effect.greatest_mbps == 0.0
    assert effect.overloaded.tolist() == [0]
    assert effect.newly_overloaded.size == 0


def test_shares_of_capacities_and_the_years_until_a_limit() -> None:
    demands = traffic.hub_demands([1, 2, 3], 0, up_mbps=0.0, down_mbps=[10.0, 20.0, 5.0])
    routing = traffic.route(*STAR, demands)
    share = routing.utilisation([60.0, 10.0, math.nan])
    assert share.tolist()[:2] == [0.5, 2.0]
    years = traffic.years_until(share, 0.5, limit=0.8).tolist()
    assert 0.5 * 1.5 ** years[0] == pytest.approx(0.8)
    assert years[1] == 0.0
    assert math.isnan(years[2])
    assert routing.utilisation([0.0, 1.0, 1.0])[0] == math.inf
    assert traffic.route(*STAR, Demands([], [], [])).utilisation(0.0).tolist() == [0.0, 0.0, 0.0]
    assert traffic.years_until(0.5, -0.1) == math.inf
    assert traffic.years_until(0.5, 0.0) == math.inf


def test_traffic_takes_another_way_after_a_failure() -> None:
    ring: tuple[Any, ...] = (4, [0, 1, 2, 0], [1, 2, 0, 3])
    demands = traffic.hub_demands([1, 2, 3], 0, up_mbps=0.0, down_mbps=[10.0, 6.0, 2.0])
    table = traffic.after_failures(*ring, 12.0, demands, groups={"duct": [0, 2]}, limit=1.0)
    assert table["element"].tolist() == ["group", "edge", "edge", "edge"]
    assert table["lost_mbps"].tolist() == [16.0, 2.0, 0.0, 0.0]
    rerouted = table[(table["element"] == "edge") & (table["position"] == 0)].iloc[0]
    # Site 1 is served over 2: 10 + 6 on link 2.
    assert rerouted["greatest_utilisation"] == pytest.approx(16 / 12)
    assert rerouted["busiest_edge"] == 2
    assert rerouted["overloaded"] == 1
    assert table.loc[0, "name"] == "duct"
    by_hand = traffic.route(*ring, demands, closed_edges=[0])
    assert by_hand.backward_mbps.tolist() == [0.0, 10.0, 16.0, 0.0]
    assert by_hand.load_mbps.tolist() == [0.0, 10.0, 16.0, 2.0]


def test_failures_report_progress_and_can_be_cancelled() -> None:
    demands = traffic.hub_demands([1, 2, 3], 0, up_mbps=1.0, down_mbps=1.0)
    seen: list[float] = []
    traffic.after_failures(*STAR, 10.0, demands, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    def cancel(_: float) -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        traffic.after_failures(*STAR, 10.0, demands, on_progress=cancel)


def test_every_site_to_every_other_in_a_province() -> None:
    rng = np.random.default_rng(0)
    n = 150
    tail = np.concatenate([np.arange(1, n), rng.integers(0, n, 60)])
    head = np.concatenate([rng.integers(0, np.arange(1, n)), rng.integers(0, n, 60)])
    demands = traffic.site_demands(np.arange(n), rng.uniform(1.0, 20.0, n))
    traffic.route(2, [0], [1], Demands([0], [1], [1.0]))  # compiled before
    start_s = time.perf_counter()
    table = traffic.after_failures(n, tail, head, 1000.0, demands)
    assert time.perf_counter() - start_s < 20.0
    assert len(table) > n


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Demands([0], [1], [-1.0]), r"mbps, entry 0: -1.0, expected a number from 0"),
        (lambda: Demands([0], [1], [math.inf]), r"mbps, entry 0: inf"),
        (lambda: Demands([0, 1], [1], [1.0]), "source and target have 2 and 1 entries"),
        (lambda: traffic.years_until(0.5, -1.0), r"growth is -1.0"),
        (lambda: traffic.hub_demands([1, 2], [0, 0, 0], up_mbps=1, down_mbps=1), "hub has 3"),
        (lambda: traffic.site_demands([1, 1], 2.0), "nodes holds node 1 2 times"),
        (lambda: traffic.conference_demands([1, 1], 2.0, mcu=0), "endpoints holds node 1"),
        (lambda: traffic.route(*STAR, Demands([0], [9], [1.0])), "target, entry 0: node 9"),
        (
            lambda: traffic.route(*STAR, Demands([], [], []), weight=[1.0, -2.0, 1.0]),
            r"weight, entry 1: -2.0",
        ),
        (
            lambda: traffic.route(*STAR, Demands([], [], []), closed_edges=[3]),
            "Edge 3 is not there",
        ),
        (
            lambda: traffic.route(*STAR, Demands([], [], [])).utilisation([1.0, 2.0, -1.0]),
            r"capacity_mbps, entry 2: -1.0",
        ),
        (lambda: traffic.years_until(0.5, 0.1, limit=0.0), r"limit is 0.0"),
        (
            lambda: traffic.conference_effect(*STAR, 10.0, Demands([], [], []), [1], 0.0, mcu=0),
            r"mbps is 0.0, expected a rate above 0",
        ),
    ],
)
def test_faults_are_named(call: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        call()
