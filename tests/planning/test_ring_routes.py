"""Ways through cables with few free fibres, against all choices tried one by one."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest

from planning.ring_design import ring_design
from planning.ring_routes import RouteNetwork, RouteSearch, RouteSite

CORES = 2


def scarce_network(seed: int) -> tuple[RouteNetwork, list[RouteSite]]:
    """Return a small network without bridges and its sites, of which two are protected."""
    random = np.random.default_rng(seed)
    nodes = int(random.integers(5, 7))
    order = random.permutation(np.arange(1, nodes))
    ring = [0, *order.tolist(), 0]
    ends = {tuple(sorted(pair)) for pair in itertools.pairwise(ring)}
    while len(ends) < nodes + 3:
        a, b = random.choice(nodes, 2, replace=False).tolist()
        ends.add((min(a, b), max(a, b)))
    tail, head = np.array(sorted(ends), np.int64).T
    m = tail.size
    length = random.integers(100, 1000, m).astype(float)
    free = random.choice([0.0, 2.0, 4.0, np.inf], m)
    new = length * 10.0
    # Where no link fits, the new cable is the price from the start, as in `route_graph`.
    cost = np.where(free < CORES, new, length)
    network = RouteNetwork(
        nodes, tail, head, length, cost, new, np.where(free < CORES, np.inf, free),
        np.zeros(m, bool), np.array([0]), np.array([0]), {},
    )  # fmt: skip
    places = random.choice(np.arange(1, nodes), 3, replace=False).tolist()
    sites = [RouteSite(node, nodes + k, k < 2) for k, node in enumerate(places)]
    return network, sites


def price(network: RouteNetwork, ways: list[frozenset[int]]) -> float:
    """Return what ways of separate links cost."""
    used = np.zeros(network.tail.size)
    for way in ways:
        used[list(way)] += CORES
    each = np.where(used > network.free_cores, network.instead_cost, network.cost)
    return float(each[used > 0].sum())


def cheapest(network: RouteNetwork, sites: list[RouteSite]) -> float:
    """Return the least cost of all choices of ways."""
    graph = nx.Graph()
    for edge, (a, b) in enumerate(zip(network.tail.tolist(), network.head.tolist(), strict=True)):
        graph.add_edge(a, b, number=edge)
    options: list[list[tuple[frozenset[int], ...]]] = []
    for site in sites:
        paths = [
            frozenset(graph.edges[pair]["number"] for pair in path)
            for path in nx.all_simple_edge_paths(graph, site.node, 0)
        ]
        if site.protect:
            # Where no edge is on all ways of a site, two of its ways share none (Menger).
            pairs = itertools.combinations(paths, 2)
            options.append([(a, b) for a, b in pairs if not a & b])
        else:
            options.append([(path,) for path in paths])
    return min(
        price(network, [way for ways in choice for way in ways])
        for choice in itertools.product(*options)
    )


@pytest.mark.parametrize("seed", range(25))
def test_ways_and_bound_against_all_choices(seed: int) -> None:
    network, sites = scarce_network(seed)
    best = cheapest(network, sites)
    search = RouteSearch(network, sites, CORES)
    for site in range(len(sites)):
        assert search.place(site)
    search.improve(60, lambda: True)
    flat = [
        [frozenset(edge for run in way for edge in run) for way in ways] for ways in search.ways
    ]
    for site, ways in zip(sites, flat, strict=True):
        assert ways
        if site.protect:
            assert not frozenset.intersection(*ways)
    assert search.cost == pytest.approx(price(network, [way for ways in flat for way in ways]))
    assert best * (1 - 1e-9) <= search.cost <= best * 1.1
    # No design costs less than the bound, in which cables carry any number of links.
    bound = ring_design(
        network.n_nodes, network.tail, network.head, network.cost, [0],
        [site.node for site in sites], protect=[s.node for s in sites if s.protect],
        time_limit_s=0.5,
    ).lower_bound  # fmt: skip
    assert bound <= best * (1 + 1e-9)
    assert bound > 0.0
