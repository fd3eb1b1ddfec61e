"""Single failures and availability against removal and enumeration one by one."""

from __future__ import annotations

import itertools
import math
import time
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import CancelledError, InputError
from planning import reliability, resilience


def served(
    n: int, tail: Any, head: Any, roots: Any, *, edges: Any = (), nodes: Any = ()
) -> set[int]:
    """Return the nodes that reach a root after things are taken out."""
    graph = nx.MultiGraph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(
        (a, b) for i, (a, b) in enumerate(zip(tail, head, strict=True)) if i not in set(edges)
    )
    graph.remove_nodes_from(list(nodes))
    return {
        node
        for part in nx.connected_components(graph)
        if not part.isdisjoint(roots)
        for node in part
    }


@st.composite
def networks(draw: st.DrawFn, most_nodes: int = 9, most_edges: int = 14) -> tuple[Any, ...]:
    """Networks with loops, parallel edges, several roots and cut-off parts."""
    count = draw(st.integers(1, most_nodes))
    node = st.integers(0, count - 1)
    ends = draw(st.lists(st.tuples(node, node), max_size=most_edges))
    roots = draw(st.lists(node, min_size=1, max_size=3))
    groups = {}
    if ends:
        edge = st.integers(0, len(ends) - 1)
        lists = draw(st.lists(st.lists(edge, max_size=4), max_size=3))
        groups = {f"duct {i}": edges for i, edges in enumerate(lists)}
    return count, [a for a, _ in ends], [b for _, b in ends], roots, groups


# ----------------------------------------------------------------------------------------
# Single failures


@settings(max_examples=300, deadline=None)
@given(networks())
def test_removing_everything_in_turn_finds_the_same(network: tuple[Any, ...]) -> None:
    n, tail, head, roots, groups = network
    failures = resilience.single_failures(n, tail, head, roots, groups=groups)
    before = served(n, tail, head, roots)
    weight = np.random.default_rng(n).integers(0, 100, n).astype(float)
    sums = failures.weights(weight)
    survive = resilience.protected(n, tail, head, roots, groups=groups)
    masks = {name: set(before) for name in ("edge", "node", "root", "group")}
    assert set(np.flatnonzero(~failures.unserved)) == before
    assert set(np.flatnonzero(survive.served)) == before
    for e in range(len(tail)):
        lost = before - served(n, tail, head, roots, edges=[e])
        assert failures.lost_by_edge(e).tolist() == sorted(lost)
        assert failures.edge_count[e] == len(lost)
        assert sums.edge[e] == sum(weight[v] for v in lost)
        masks["edge"] -= lost
    for v in range(n):
        lost = before - served(n, tail, head, roots, nodes=[v]) - {v}
        assert failures.lost_by_node(v).tolist() == sorted(lost)
        assert failures.node_count[v] == len(lost)
        assert sums.node[v] == sum(weight[u] for u in lost)
        masks["root" if v in roots else "node"] -= lost
    for name, edges in groups.items():
        lost = before - served(n, tail, head, roots, edges=edges)
        assert failures.lost_by_group(name).tolist() == sorted(lost)
        assert failures.group_count[name] == len(lost)
        assert sums.group[name] == sum(weight[u] for u in lost)
        masks["group"] -= lost
    for name, expected in masks.items():
        assert set(np.flatnonzero(getattr(survive, name))) == expected


@settings(max_examples=100, deadline=None)
@given(networks(most_nodes=7, most_edges=12))
def test_protected_nodes_have_two_ways_without_a_common_edge(network: tuple[Any, ...]) -> None:
    n, tail, head, roots, _ = network
    survive = resilience.protected(n, tail, head, roots)
    flow = nx.DiGraph()
    flow.add_nodes_from(range(n))
    for a, b in zip(tail, head, strict=True):
        for u, v in ((a, b), (b, a)):
            more = flow.get_edge_data(u, v, {"capacity": 0})["capacity"] + 1
            flow.add_edge(u, v, capacity=more)
    for root in roots:
        flow.add_edge(root, "all roots", capacity=math.inf)
    for node in set(range(n)) - set(roots):
        ways = nx.maximum_flow_value(flow, node, "all roots")
        assert survive.served[node] == (ways >= 1)
        assert survive.edge[node] == (ways >= 2)


def test_several_failures_at_once() -> None:
    failures = resilience.single_failures(5, [0, 1, 2, 3, 3], [1, 2, 3, 0, 4], [0])
    assert failures.edge_count.tolist() == [0, 0, 0, 0, 1]
    assert failures.lost_by(edges=[0, 2]).tolist() == [1, 2]
    assert failures.lost_by(edges=[0], nodes=[3]).tolist() == [1, 2, 4]
    assert failures.lost_by(nodes=[0]).tolist() == [1, 2, 3, 4]


def test_nodes_without_a_way_are_told_apart_from_lost_ones() -> None:
    failures = resilience.single_failures(4, [0, 2], [1, 3], [0])
    assert failures.unserved.tolist() == [False, False, True, True]
    assert failures.edge_count.tolist() == [1, 0]


def test_a_network_without_edges_and_an_empty_group() -> None:
    failures = resilience.single_failures(2, [], [], [1], groups={"none": []})
    assert failures.unserved.tolist() == [True, False]
    assert failures.node_count.tolist() == [0, 0]
    assert failures.group_count == {"none": 0}


def test_eleven_thousand_sites_take_seconds() -> None:
    n = 11_000
    rng = np.random.default_rng(1)
    tail = np.concatenate([np.arange(1, n), rng.integers(0, n, 3000)])
    head = np.concatenate([rng.integers(0, np.arange(1, n)), rng.integers(0, n, 3000)])
    groups = {f"duct {i}": rng.integers(0, tail.size, 4) for i in range(2000)}
    resilience.single_failures(2, [0], [1], [0], groups={"duct": [0]})  # compiled before
    start_s = time.perf_counter()
    failures = resilience.single_failures(n, tail, head, [0, 1], groups=groups)
    assert time.perf_counter() - start_s < 10.0
    for e in np.argsort(failures.edge_count)[-3:]:
        assert failures.lost_by_edge(e).tolist() == failures.lost_by(edges=[e]).tolist()
    for v in np.argsort(failures.node_count)[-3:]:
        assert failures.lost_by_node(v).tolist() == failures.lost_by(nodes=[v]).tolist()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((2, [0], [2], [0]), "head, entry 0: node 2 is not there, the network has 2 nodes"),
        ((2, [-1], [1], [0]), "tail, entry 0: node -1 is negative"),
        ((2, [0, 1], [1], [0]), "tail and head have 2 and 1 entries"),
        ((2, [0], [1], []), "No root is given"),
        ((2, [0], [1], [7]), "roots, entry 0: node 7 is not there"),
        ((-1, [], [], []), "n_nodes is -1"),
    ],
)
def test_faults_of_a_network_are_named(arguments: tuple[Any, ...], sentence: str) -> None:
    for function in (
        resilience.single_failures,
        resilience.protected,
        resilience.availability,
    ):
        with pytest.raises(InputError, match=sentence):
            function(*arguments)


def test_faults_of_groups_and_questions_are_named() -> None:
    with pytest.raises(InputError, match="Risk group duct: edge 1 is not there"):
        resilience.single_failures(2, [0], [1], [0], groups={"duct": [1]})
    failures = resilience.single_failures(2, [0], [1], [0])
    with pytest.raises(InputError, match="Edge 1 is not there"):
        failures.lost_by_edge(1)
    with pytest.raises(InputError, match="Edge 4 is not there"):
        failures.lost_by(edges=[0, 4])
    with pytest.raises(InputError, match="Node -1 is not there"):
        failures.lost_by_node(-1)
    with pytest.raises(InputError, match="no risk group ring"):
        failures.lost_by_group("ring")
    with pytest.raises(InputError, match="weight has 3 entries, expected 2"):
        failures.weights([1, 2, 3])
    with pytest.raises(InputError, match=r"weight, entry 1: -1.0, expected a number from 0"):
        failures.weights([1, -1])


# ----------------------------------------------------------------------------------------
# Availability


def enumerated(
    network: tuple[Any, ...], edge_up: Any, node_up: Any, group_up: Any, together: Any = ()
) -> tuple[list[float], float]:
    """Return the chance of service per node, and of all of a set, over all states."""
    n, tail, head, roots, groups = network
    chances = [*edge_up, *node_up, *group_up.values()]
    doubtful = [i for i, p in enumerate(chances) if 0.0 < p < 1.0]
    each, joint = [0.0] * n, 0.0
    for states in itertools.product((False, True), repeat=len(doubtful)):
        up = [p >= 1.0 for p in chances]
        for i, state in zip(doubtful, states, strict=True):
            up[i] = state
        chance = math.prod(
            chances[i] if s else 1.0 - chances[i] for i, s in zip(doubtful, states, strict=True)
        )
        down = {e for e in range(len(tail)) if not up[e]}
        for k, name in enumerate(group_up):
            if not up[len(tail) + n + k]:
                down |= set(groups[name])
        seen = served(
            n, tail, head, roots, edges=down, nodes=[v for v in range(n) if not up[len(tail) + v]]
        )
        for v in seen:
            each[v] += chance
        joint += chance * (set(together) <= seen)
    return each, joint


@st.composite
def doubtful_networks(draw: st.DrawFn) -> tuple[Any, ...]:
    """Networks of which not more than nine things may fail."""
    network = draw(networks(most_nodes=6, most_edges=8))
    n, tail, _, _, groups = network
    kinds = ["edge"] * len(tail) + ["node"] * n + ["group"] * len(groups)
    chances = [1.0] * len(kinds)
    order = draw(st.permutations(range(len(kinds))))
    for i in order[: draw(st.integers(0, 9))]:
        chances[i] = draw(st.sampled_from([0.0, 0.3, 0.5, 0.9, 0.999]))
    cut = len(tail), len(tail) + n
    group_up = dict(zip(groups, chances[cut[1] :], strict=True))
    together = draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=3))
    return network, chances[: cut[0]], chances[cut[0] : cut[1]], group_up, together


@settings(max_examples=120, deadline=None)
@given(doubtful_networks())
def test_availability_equals_enumeration(problem: tuple[Any, ...]) -> None:
    network, edge_up, node_up, group_up, together = problem
    n, tail, head, roots, groups = network
    given_up: dict[str, Any] = {
        "edge_availability": edge_up,
        "node_availability": node_up,
        "groups": groups,
        "group_availability": group_up,
    }
    each, joint = enumerated(network, edge_up, node_up, group_up, together)
    one = resilience.availability(n, tail, head, roots, **given_up)
    assert one.exact.all()
    assert one.samples == 0
    assert one.value == pytest.approx(each, abs=1e-12)
    assert one.low.tolist() == one.value.tolist() == one.high.tolist()
    both = resilience.joint_availability(n, tail, head, roots, together, **given_up)
    assert both.exact
    assert both.value == pytest.approx(joint, abs=1e-12)


#: A ladder of four rungs with a duct shared by two rails; hub at one corner.
LADDER = (
    8,
    [0, 1, 2, 4, 5, 6, 0, 1, 2, 3],
    [1, 2, 3, 5, 6, 7, 4, 5, 6, 7],
    [0],
    {"duct": [1, 4]},
)


def test_the_same_network_by_samples_holds_the_truth_as_often_as_promised() -> None:
    edge_up, node_up = [0.9] * 10, [1.0] * 8
    each, _ = enumerated(LADDER, edge_up, node_up, {"duct": 0.8})
    n, tail, head, roots, groups = LADDER
    held, tried = 0, 300
    for seed in range(tried):
        result = resilience.availability(
            n,
            tail,
            head,
            roots,
            edge_availability=edge_up,
            groups=groups,
            group_availability={"duct": 0.8},
            samples=300,
            seed=seed,
            confidence=0.9,
            state_limit=0,
        )
        assert not result.exact[7]
        assert result.samples == 300
        assert result.low[7] < result.value[7] < result.high[7]
        held += bool(result.low[7] <= each[7] <= result.high[7])
    # Clopper and Pearson promise at least 90 %; three standard deviations of chance.
    assert held / tried >= 0.9 - 3.0 * math.sqrt(0.9 * 0.1 / tried)
    assert held < tried


def test_samples_agree_with_the_exact_figure_and_with_themselves() -> None:
    n, tail, head, roots, groups = LADDER
    chances: dict[str, Any] = {
        "edge_availability": np.linspace(0.8, 0.99, 10),
        "node_availability": np.linspace(0.9, 1.0, 8),
        "groups": groups,
        "group_availability": {"duct": 0.7},
    }
    exact = resilience.availability(n, tail, head, roots, **chances)
    assert exact.exact.all()
    counted = resilience.availability(
        n, tail, head, roots, **chances, samples=100_000, state_limit=0, confidence=0.9999
    )
    assert (counted.low <= exact.value).all()
    assert (exact.value <= counted.high).all()
    assert (counted.high - counted.low < 0.02).all()
    again = resilience.availability(
        n, tail, head, roots, **chances, samples=100_000, state_limit=0, confidence=0.9999
    )
    assert again.value.tolist() == counted.value.tolist()
    both = resilience.joint_availability(n, tail, head, roots, [3, 7], **chances)
    drawn = resilience.joint_availability(
        n, tail, head, roots, [3, 7], **chances, samples=100_000, state_limit=0, confidence=0.9999
    )
    assert both.exact
    assert not drawn.exact
    assert drawn.low <= both.value <= drawn.high


def test_a_meshed_core_is_sampled_and_the_spurs_behind_a_bridge_are_not() -> None:
    side = 7
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(side, side))
    ends = np.array(graph.edges)
    tail = np.concatenate([ends[:, 0], [0, side**2]])
    head = np.concatenate([ends[:, 1], [side**2, side**2 + 1]])
    result = resilience.availability(
        side**2 + 2, tail, head, [0], edge_availability=0.99, state_limit=500, samples=2000
    )
    assert result.exact[[0, side**2, side**2 + 1]].all()
    assert result.value[side**2 + 1] == pytest.approx(0.99**2, abs=1e-15)
    assert not result.exact[side**2 - 1]
    assert result.low[side**2 - 1] <= result.value[side**2 - 1] <= result.high[side**2 - 1]


def test_a_ring_in_one_duct_is_worth_no_more_than_the_duct() -> None:
    ring: tuple[Any, ...] = (3, [0, 1, 2], [1, 2, 0], [0])
    apart = resilience.availability(*ring, edge_availability=0.99)
    assert apart.value[1] == pytest.approx(1 - 0.01 * (1 - 0.99**2), abs=1e-12)
    together = resilience.availability(
        *ring, edge_availability=1.0, groups={"duct": [0, 1, 2]}, group_availability={"duct": 0.99}
    )
    assert together.value.tolist() == pytest.approx([1.0, 0.99, 0.99], abs=1e-15)


def test_of_a_large_mesh_all_sites_together_are_sampled() -> None:
    side = 40
    at = np.arange(side * side).reshape(side, side)
    tail = np.concatenate([at[:, :-1].ravel(), at[:-1].ravel()])
    head = np.concatenate([at[:, 1:].ravel(), at[1:].ravel()])
    found = resilience.joint_availability(
        side * side, tail, head, [0], np.arange(side * side), edge_availability=0.9, samples=200
    )
    assert not found.exact
    assert 0.0 <= found.low < found.value < found.high <= 1.0


def test_the_work_is_limited() -> None:
    grid = nx.convert_node_labels_to_integers(nx.grid_2d_graph(5, 5))
    edges = [(a, b, 0.9, frozenset()) for a, b in grid.edges]
    with pytest.raises(reliability.TooLargeError):
        reliability.chance_connected(edges, {}, {}, [0, 24], reliability.Budget(50))


def test_sampling_reports_progress_and_can_be_cancelled() -> None:
    n, tail, head, roots, _ = LADDER
    seen: list[float] = []
    resilience.availability(
        n, tail, head, roots, edge_availability=0.9, state_limit=0, on_progress=seen.append
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 10

    def cancel(share: float) -> None:
        if share > 0.6:
            raise CancelledError

    with pytest.raises(CancelledError):
        resilience.availability(
            n, tail, head, roots, edge_availability=0.9, state_limit=0, on_progress=cancel
        )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"edge_availability": 1.2}, r"edge_availability, entry 0: 1.2, expected .* 0 to 1"),
        ({"edge_availability": [0.9, 0.9]}, "edge_availability has 2 entries, expected 1"),
        ({"edge_availability": "often"}, "edge_availability holds values that are not numbers"),
        ({"node_availability": [1.0, -0.1]}, "node_availability, entry 1: -0.1"),
        ({"node_availability": math.nan}, "node_availability, entry 0: nan"),
        (
            {"groups": {"duct": [0]}, "group_availability": {"duct": 7}},
            "Risk group duct: availability 7, expected",
        ),
        ({"group_availability": {"duct": 0.9}}, "no risk group duct"),
        ({"samples": 0}, "samples is 0"),
        ({"confidence": 1.0}, "confidence is 1.0"),
    ],
)
def test_faults_of_availabilities_are_named(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        resilience.availability(2, [0], [1], [0], **options)
    with pytest.raises(InputError, match=sentence):
        resilience.joint_availability(2, [0], [1], [0], [1], **options)


def test_a_joint_question_needs_nodes() -> None:
    with pytest.raises(InputError, match="No node is given"):
        resilience.joint_availability(2, [0], [1], [0], [])


# ----------------------------------------------------------------------------------------
# Ranking


def test_what_costs_most_service_comes_first() -> None:
    # Hub 0 - 1 - 2, and site 3 at node 1.
    failures = resilience.single_failures(4, [0, 1, 1], [1, 2, 3], [0], groups={"duct": [1, 2]})
    table = resilience.ranking(
        failures,
        edge_availability=[0.999, 0.99, 1.0],
        node_availability=[1.0, 0.999, 1.0, 1.0],
        group_availability={"duct": 0.995},
        weight=[0.0, 10.0, 20.0, 40.0],
    )
    assert table["element"].tolist()[:4] == ["group", "edge", "edge", "node"]
    assert table["expected_loss"].tolist()[:4] == pytest.approx(
        [60 * 43.8, 20 * 87.6, 70 * 8.76, 60 * 8.76]
    )
    assert table["hours_down"].tolist()[:2] == pytest.approx([43.8, 87.6])
    assert table["name"].tolist()[0] == "duct"
    assert table["position"].tolist()[1] == 1
    # What cuts nothing off is not listed: nodes 2 and 3.
    assert set(table.loc[table["element"] == "node", "position"]) == {0, 1}


def test_costs_change_the_order() -> None:
    failures = resilience.single_failures(3, [0, 1], [1, 2], [0])
    table = resilience.ranking(
        failures, edge_availability=0.99, weight=1.0, edge_cost=[100.0, 10.0]
    )
    edges = table[table["element"] == "edge"]
    assert edges["position"].tolist() == [1, 0]
    assert edges["loss_per_cost"].tolist() == pytest.approx([8.76, 1.752])
    with pytest.raises(InputError, match=r"edge_cost, entry 0: -1.0"):
        resilience.ranking(failures, edge_cost=-1.0)
    with pytest.raises(InputError, match="no risk group duct"):
        resilience.ranking(failures, group_cost={"duct": 1.0})
