"""Ring designs against all designs of small networks, and laws on larger ones."""

from __future__ import annotations

import itertools
import math
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.network import read_sndlib
from benchmarks.steiner import road_network
from data.errors import CancelledError, InputError
from planning import resilience, ring_design
from planning.kernels import ring_design as kernels
from planning.ring_design import Exposure, RingDesign
from tests.vectors import shared_path


def reached(n: int, ends: Any, edges: Any, roots: Any) -> set[int]:
    """Return the nodes that some edges connect with a root."""
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(ends[e] for e in edges)
    return set().union(*(nx.node_connected_component(graph, root) for root in roots))


def risks_of(problem: dict[str, Any]) -> dict[tuple[str, Any], set[int]]:
    """Return what may fail, and the edges that it takes along."""
    ends = problem["ends"]
    risks: dict[tuple[str, Any], set[int]] = {("edge", e): {e} for e in range(len(ends))}
    risks |= {("group", name): set(edges) for name, edges in problem["groups"].items()}
    if problem["dual_homing"]:
        risks |= {
            ("root", r): {e for e, pair in enumerate(ends) if r in pair} for r in problem["roots"]
        }
    return risks


def survives(problem: dict[str, Any], edges: Any) -> dict[tuple[str, Any], set[int]]:
    """Return the nodes that stay connected, per failure."""
    result = {}
    for (kind, which), gone in risks_of(problem).items():
        roots = [r for r in problem["roots"] if (kind, which) != ("root", r)]
        result[kind, which] = (
            reached(problem["n"], problem["ends"], set(edges) - gone, roots) if roots else set()
        )
    return result


def solved(problem: dict[str, Any], **options: Any) -> RingDesign:
    ends = problem["ends"]
    return ring_design.ring_design(
        problem["n"],
        [a for a, _ in ends],
        [b for _, b in ends],
        problem["cost"],
        problem["roots"],
        problem["terminals"],
        protect=problem["protect"],
        groups=problem["groups"],
        dual_homing=problem["dual_homing"],
        **options,
    )


def check(problem: dict[str, Any], design: RingDesign) -> None:
    """Assert that a design does all that is possible, by failing everything in turn."""
    n, ends, roots = problem["n"], problem["ends"], problem["roots"]
    everything = range(len(ends))
    possible = reached(n, ends, everything, roots)
    sites = (set(problem["terminals"]) | set(problem["protect"])) - set(roots)
    guarded = set(problem["protect"]) - set(roots)
    assert set(design.unreached.tolist()) == sites - possible
    assert sites & possible <= reached(n, ends, design.edges.tolist(), roots)
    best, mine = survives(problem, everything), survives(problem, design.edges.tolist())
    hopeless: dict[int, set[tuple[str, Any]]] = {}
    for risk, nodes in best.items():
        assert guarded & nodes <= mine[risk]
        for site in (guarded & possible) - nodes:
            hopeless.setdefault(site, set()).add(risk)
    named = {
        site: {(e.kind, e.name if e.kind == "group" else e.position) for e in exposures}
        for site, exposures in design.exposed.items()
    }
    assert named == hopeless
    assert design.cost == math.fsum(problem["cost"][e] for e in design.edges)
    assert 0.0 <= design.lower_bound <= design.cost


def cheapest(problem: dict[str, Any]) -> float:
    """Return the cost of the best of all designs."""
    n, ends, roots = problem["n"], problem["ends"], problem["roots"]
    everything = range(len(ends))
    sites = (set(problem["terminals"]) | set(problem["protect"])) & reached(
        n, ends, everything, roots
    )
    guarded = set(problem["protect"]) - set(roots)
    wanted = {risk: guarded & nodes for risk, nodes in survives(problem, everything).items()}
    least = math.inf
    for count in range(len(ends) + 1):
        for edges in itertools.combinations(everything, count):
            cost = math.fsum(problem["cost"][e] for e in edges)
            if cost >= least or not sites <= reached(n, ends, edges, roots):
                continue
            mine = survives(problem, edges)
            if all(nodes <= mine[risk] for risk, nodes in wanted.items()):
                least = cost
    return least


@st.composite
def problems(draw: st.DrawFn) -> dict[str, Any]:
    """Small networks with loops, parallel and free edges, ducts and several roots."""
    n = draw(st.integers(2, 6))
    node = st.integers(0, n - 1)
    ends = draw(st.lists(st.tuples(node, node), min_size=1, max_size=9))
    price = draw(
        st.sampled_from(
            [
                st.integers(0, 6).map(float),
                st.just(1.0),
                st.floats(0.01, 50.0),
                # Fibres in a cable beside trenches to dig.
                st.sampled_from([0.0, 0.002, 0.02, 1.0, 1.5]),
            ]
        )
    )
    edge = st.integers(0, len(ends) - 1)
    groups = draw(st.lists(st.lists(edge, min_size=1, max_size=3, unique=True), max_size=2))
    return {
        "n": n,
        "ends": ends,
        "cost": [draw(price) for _ in ends],
        "roots": draw(st.lists(node, min_size=1, max_size=2, unique=True)),
        "terminals": draw(st.lists(node, max_size=3)),
        "protect": draw(st.lists(node, max_size=3)),
        "groups": {f"duct {i}": edges for i, edges in enumerate(groups)},
        "dual_homing": draw(st.booleans()),
    }


@settings(max_examples=150, deadline=None)
@given(problems())
def test_small_networks_against_all_designs(problem: dict[str, Any]) -> None:
    design = solved(problem, time_limit_s=5.0)
    check(problem, design)
    least = cheapest(problem)
    assert design.cost == pytest.approx(least, rel=1e-9, abs=1e-12)
    assert design.lower_bound <= least * (1.0 + 1e-12)
    assert design.gap <= 1e-5


@settings(max_examples=60, deadline=None)
@given(problems())
def test_no_time_still_gives_a_design_and_a_bound(problem: dict[str, Any]) -> None:
    design = solved(problem, time_limit_s=0.0)
    check(problem, design)
    assert design.lower_bound <= cheapest(problem) * (1.0 + 1e-12)


class _Untrimmed(ring_design._Search):
    """A search that rules no edge out and keeps bounds even above its best design."""

    raw = 0.0

    def raise_lower(self, bound: float) -> None:
        self.raw = max(self.raw, bound)
        super().raise_lower(bound)

    def eliminate(self, *_: Any) -> bool:
        return False


def untrimmed(problem: dict[str, Any]) -> tuple[ring_design._Core, _Untrimmed] | None:
    """Return the core of a problem and a search with a first bound, None without any need."""
    ends = np.array(problem["ends"], np.int64)
    roots, sites, guarded = (
        np.unique(np.array(problem[name], np.int64)) for name in ("roots", "terminals", "protect")
    )
    groups = {name: np.unique(np.array(edges)) for name, edges in problem["groups"].items()}
    core = ring_design._Core.of(
        ring_design._Problem(
            problem["n"], ends[:, 0], ends[:, 1], np.array(problem["cost"]), roots,
            np.setdiff1d(np.union1d(sites, guarded), roots), np.setdiff1d(guarded, roots),
            groups, problem["dual_homing"],
        )
    )  # fmt: skip
    if not core.need.any():
        return None
    search = _Untrimmed(core, ring_design._Clock(5.0, lambda _: None))
    search.begin([])
    search.ascend()
    return core, search


@settings(max_examples=100, deadline=None)
@given(problems())
def test_no_design_costs_less_than_the_programme(problem: dict[str, Any]) -> None:
    if (made := untrimmed(problem)) is None:
        return
    core, search = made
    ring_design._Programme(search).run(until=0.0)
    least = cheapest(problem)
    assert core.fixed_cost + search.raw <= least * (1.0 + 1e-9) + 1e-12


@pytest.mark.parametrize("seed", range(6))
def test_every_design_crosses_every_cut(seed: int) -> None:
    problem = denser(seed, ducts=40)
    # Ducts that are alike but for what nothing protects some site from.
    for k, site in enumerate(problem["protect"]):
        beside = [e for e, pair in enumerate(problem["ends"]) if site in pair]
        problem["groups"][f"all of {site}"] = [*problem["groups"][f"duct {k}"], *beside]
    made = untrimmed(problem)
    assert made is not None
    core, search = made
    programme = ring_design._Programme(search)
    begun = len(programme.rows)
    rng = np.random.default_rng(seed)
    for free in (-1.0, 2.0, 10.0, 20.0):
        for share in (0.2, 0.5):
            value = rng.choice([0.0, 0.5, 1.0], 2 * core.tail.size, p=[1 - share, *[share / 2] * 2])
            programme.separate(value, free)
    assert len(programme.rows) > begun + 20
    for _ in range(40):
        price = core.cost * rng.uniform(0.1, 3.0, core.cost.size)
        design = np.zeros(core.tail.size, np.uint8)
        assert search.build(price, rng.permutation(search.double), design) < math.inf
        for row, at_least in zip(programme.rows, programme.at_least, strict=True):
            assert not at_least or design[row >> 1].any()


def denser(seed: int, n: int = 30, ducts: int = 8) -> dict[str, Any]:
    """A network of middling size, with ducts that several edges share."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(0.0, 100.0, (n, 2))
    graph = nx.random_geometric_graph(n, 32.0, pos=dict(enumerate(place.tolist())))
    ends = [(int(a), int(b)) for a, b in graph.edges]
    length = [float(np.hypot(*(place[a] - place[b]))) for a, b in ends]
    groups = {f"duct {i}": rng.choice(len(ends), 3, replace=False).tolist() for i in range(ducts)}
    sites = rng.choice(n, 12, replace=False).tolist()
    return {
        "n": n,
        "ends": ends,
        "cost": length,
        "roots": sites[:2],
        "terminals": sites[2:],
        "protect": sites[6:],
        "groups": groups,
        "dual_homing": bool(seed % 2),
    }


@pytest.mark.parametrize("seed", range(4))
def test_protected_sites_have_no_bridge_also_at_duct_level(seed: int) -> None:
    problem = denser(seed)
    design = solved(problem, time_limit_s=4.0)
    check(problem, design)
    assert design.gap < 0.1
    ends = np.array(problem["ends"])[design.edges]
    position = {int(e): i for i, e in enumerate(design.edges)}
    ducts = {
        name: [position[e] for e in edges if e in position]
        for name, edges in problem["groups"].items()
    }
    survive = resilience.protected(
        problem["n"], ends[:, 0], ends[:, 1], problem["roots"], groups=ducts
    )
    free = [site for site in problem["protect"] if site not in design.exposed]
    assert survive.edge[free].all()
    assert survive.group[free].all()
    if problem["dual_homing"]:
        assert survive.root[free].all()


@pytest.mark.parametrize("seed", range(6))
def test_no_edge_is_left_that_nothing_needs(seed: int) -> None:
    problem = denser(seed)
    design = solved(problem, time_limit_s=0.0)
    check(problem, design)
    best = survives(problem, range(len(problem["ends"])))
    guarded, sites = set(problem["protect"]), {*problem["terminals"], *problem["protect"]}
    for edge in design.edges.tolist():
        rest = [e for e in design.edges.tolist() if e != edge]
        connects = sites <= reached(problem["n"], problem["ends"], rest, problem["roots"])
        mine = survives(problem, rest)
        assert not connects or any(guarded & nodes - mine[risk] for risk, nodes in best.items())


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("skip", [False, True])
def test_violated_cuts_are_all_found_and_are_violated(seed: int, skip: bool) -> None:
    rng = np.random.default_rng(seed)
    n, m, root = 12, 24 if skip else 30, 0
    tail = rng.integers(0, n, m)
    head = (tail + rng.integers(1, n, m)) % n
    value = rng.choice([0.0, 0.3, 0.5, 1.0], 2 * m, p=[0.3, 0.3, 0.2, 0.2])
    if skip:
        value[1::2] = value[0::2]
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    for e, (a, b) in enumerate(zip(tail.tolist(), head.tolist(), strict=True)):
        for start, end, amount in ((a, b, value[2 * e]), (b, a, value[2 * e + 1])):
            before = graph.get_edge_data(start, end, {"capacity": 0.0})["capacity"]
            graph.add_edge(start, end, capacity=before + amount)
    first, neighbour, edge = resilience.half_edges(n, tail, head)
    arc = 2 * edge + (tail[edge] != np.repeat(np.arange(n), np.diff(first)))
    node = np.arange(1, n) if skip else np.tile(np.arange(1, n), 2)
    outward = (np.arange(node.size) >= n - 1).astype(np.uint8)
    inside, owner = np.zeros((4 * n, n), np.uint8), np.zeros(4 * n, np.int64)
    count = kernels.violated_cuts(
        first, neighbour, arc, root, node, outward, value, skip, inside, owner, np.zeros(4 * n)
    )
    found = set()
    for chosen, k in zip(inside[:count] != 0, owner[:count].tolist(), strict=True):
        assert chosen[node[k]]
        assert not chosen[root]
        there, back = chosen[head] & ~chosen[tail], chosen[tail] & ~chosen[head]
        if outward[k]:
            there, back = back, there
        assert value[0::2][there].sum() + value[1::2][back].sum() < 1.0 - 1e-5
        found.update((int(v), 0) for v in np.flatnonzero(chosen) if skip)
        found.add((int(node[k]), int(outward[k])))
    short = set()
    for v, out in zip(node.tolist(), outward.tolist(), strict=True):
        ends = (v, root) if out else (root, v)
        if nx.minimum_cut_value(graph, *ends) < 1.0 - 1e-5:
            short.add((v, out))
    assert found == short
    assert short


def test_what_exists_is_used_first_and_protection_costs_more() -> None:
    problem = denser(5)
    unprotected = solved({**problem, "protect": [], "terminals": problem["terminals"]})
    full = solved(problem, time_limit_s=4.0)
    assert unprotected.cost < full.cost
    built = set(unprotected.edges.tolist())
    price = [0.0 if e in built else c for e, c in enumerate(problem["cost"])]
    extension = solved({**problem, "cost": price}, time_limit_s=4.0)
    check({**problem, "cost": price}, extension)
    assert extension.cost < full.cost
    assert extension.cost + unprotected.cost >= full.lower_bound


def test_a_known_design_is_never_made_worse() -> None:
    problem = denser(7)
    best = solved(problem, time_limit_s=4.0)
    again = solved(problem, time_limit_s=0.0, known=[best.edges])
    assert again.cost <= best.cost * (1.0 + 1e-12)


def test_only_one_way_is_said_and_the_rest_is_protected() -> None:
    # Hub 0, ring 0-1-2, then a single edge to 3, a ring 3-4-5, and site 6 on nothing.
    ends = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 5), (5, 3)]
    problem = {
        "n": 7,
        "ends": ends,
        "cost": [1.0] * 7,
        "roots": [0],
        "terminals": [6],
        "protect": [4],
        "groups": {"duct": [4, 6], "bridge": [0, 3]},
        "dual_homing": True,
    }
    design = solved(problem)
    check(problem, design)
    assert design.cost == 7.0
    assert design.unreached.tolist() == [6]
    assert design.exposed == {
        4: [
            Exposure("edge", 3),
            Exposure("group", -1, "duct"),
            Exposure("group", -1, "bridge"),
            Exposure("root", 0),
        ]
    }


def test_nothing_to_connect_costs_nothing() -> None:
    design = ring_design.ring_design(2, [0], [1], [1.0], [0], [0])
    assert (design.edges.size, design.cost, design.lower_bound, design.gap) == (0, 0.0, 0.0, 0.0)
    alone = ring_design.ring_design(1, [], [], [], [0], [])
    assert alone.cost == 0.0


def test_the_same_question_gets_the_same_answer() -> None:
    problem = denser(3, n=20)
    first, second = (solved(problem, time_limit_s=60.0) for _ in range(2))
    assert first.edges.tolist() == second.edges.tolist()
    assert first.lower_bound == second.lower_bound


@pytest.mark.parametrize("protected", [0, 12])
def test_a_road_network(protected: int) -> None:
    tail, head, cost, sites = road_network(40, 1500)
    n = int(max(tail.max(), head.max())) + 1
    design = ring_design.ring_design(
        n,
        tail,
        head,
        cost,
        sites[:1],
        sites[1:],
        protect=sites[1 : 1 + protected],
        time_limit_s=5.0,
    )
    assert design.unreached.size == 0
    failures = resilience.single_failures(n, tail[design.edges], head[design.edges], sites[:1])
    assert not failures.unserved[sites].any()
    cuts = {
        site: {
            int(design.edges[e])
            for e in np.flatnonzero(failures.edge_count)
            if site in failures.lost_by_edge(int(e))
        }
        for site in sites[1 : 1 + protected].tolist()
    }
    for site, edges in cuts.items():
        assert edges == {e.position for e in design.exposed.get(site, [])}
    assert design.gap < 0.12
    if protected == 0:
        from planning.steiner import steiner_tree

        tree = steiner_tree(tail, head, cost, sites, time_limit_s=5.0)
        assert design.cost >= tree.lower_bound
        assert design.lower_bound <= tree.cost
        assert design.cost <= 1.03 * tree.cost


@pytest.mark.parametrize(
    ("name", "largest_gap"),
    [("polska", 1e-5), ("nobel-germany", 1e-5), ("germany50", 0.03), ("janos-us-ca", 0.03)],
)
def test_survivable_network_instances(name: str, largest_gap: float) -> None:
    instance = read_sndlib(shared_path(f"vectors/opt/sndlib/{name}.txt"))
    n = len(instance.nodes)
    design = ring_design.ring_design(
        n,
        instance.tail,
        instance.head,
        instance.length_km,
        [0],
        range(1, n),
        protect=range(1, n),
        time_limit_s=8.0,
    )
    graph = nx.Graph()
    graph.add_edges_from(zip(instance.tail[design.edges], instance.head[design.edges], strict=True))
    assert graph.number_of_nodes() == n
    assert nx.is_connected(graph)
    assert not list(nx.bridges(graph))
    assert design.exposed == {}
    assert design.gap <= largest_gap


def test_progress_and_cancelling() -> None:
    problem = denser(1)
    seen: list[float] = []
    solved(problem, time_limit_s=2.0, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    def cancel(_: float) -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        solved(problem, on_progress=cancel)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cost": [-1.0]}, r"cost, entry 0: -1.0, expected a number from 0"),
        ({"cost": [math.inf]}, r"cost, entry 0: inf"),
        ({"cost": [1.0, 2.0]}, "cost has 2 entries, expected 1"),
        ({"roots": []}, "No root is given"),
        ({"roots": [9]}, "roots, entry 0: node 9 is not there"),
        ({"terminals": [5]}, "terminals, entry 0: node 5 is not there"),
        ({"protect": [5]}, "protect, entry 0: node 5 is not there"),
        ({"ends": [(0, 3)]}, "head, entry 0: node 3 is not there"),
        ({"groups": {"duct": [4]}}, "Risk group duct: edge 4 is not there"),
    ],
)
def test_faults_are_named(change: dict[str, Any], sentence: str) -> None:
    problem = {
        "n": 2,
        "ends": [(0, 1)],
        "cost": [1.0],
        "roots": [0],
        "terminals": [1],
        "protect": [],
        "groups": {},
        "dual_homing": False,
    }
    with pytest.raises(InputError, match=sentence):
        solved({**problem, **change})
    with pytest.raises(InputError, match="time_limit_s is nan"):
        solved(problem, time_limit_s=math.nan)
