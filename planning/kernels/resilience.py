"""Failures in networks: depth-first search, losses of risk groups, random states.

A network is given by `first`, `neighbour` and `edge`: the half-edges of node v are
the slots ``first[v]:first[v + 1]``, and slot p leads to node ``neighbour[p]`` over
edge ``edge[p]``.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.uint8]


@njit(cache=True, nogil=True)
def depth_first(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    start: int,
    order: Ints,
    place: Ints,
    size: Ints,
    low: Ints,
    parent: Ints,
    parent_edge: Ints,
) -> int:
    """Give the nodes that `start` reaches their places; return how many there are.

    Parameters
    ----------
    order, place
        out: the nodes in the order of their first visit; where each stands in it, -1 for
        nodes that cannot be reached.
    size, low
        out: nodes in the subtree of each node; the earliest place that an edge from the
        subtree reaches, other than the edge to the parent.
    parent, parent_edge
        out: the node and edge that each node was reached from; -1 at the start.
    """
    count = first.shape[0] - 1
    place[:] = -1
    parent[:] = -1
    parent_edge[:] = -1
    slot = np.empty(count, np.int64)
    stack = np.empty(count, np.int64)
    stack[0] = start
    depth = 1
    order[0] = start
    place[start] = 0
    low[start] = 0
    size[start] = 1
    slot[start] = first[start]
    reached = 1
    while depth > 0:
        v = stack[depth - 1]
        if slot[v] < first[v + 1]:
            p = slot[v]
            slot[v] += 1
            if edge[p] == parent_edge[v]:
                continue
            w = neighbour[p]
            if place[w] >= 0:
                low[v] = min(low[v], place[w])
                continue
            place[w] = reached
            order[reached] = w
            reached += 1
            low[w] = place[w]
            size[w] = 1
            parent[w] = v
            parent_edge[w] = edge[p]
            slot[w] = first[w]
            stack[depth] = w
            depth += 1
        else:
            depth -= 1
            u = parent[v]
            if u >= 0:
                size[u] += size[v]
                low[u] = min(low[u], low[v])
    return reached


@njit(cache=True, nogil=True)
def reach(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    start: int,
    edge_down: Mask,
    node_down: Mask,
    seen: Mask,
    stack: Ints,
) -> None:
    """Mark in `seen` the nodes that `start` reaches over what is not down."""
    seen[:] = 0
    if node_down[start]:
        return
    seen[start] = 1
    stack[0] = start
    depth = 1
    while depth > 0:
        depth -= 1
        v = stack[depth]
        for p in range(first[v], first[v + 1]):
            w = neighbour[p]
            if seen[w] or edge_down[edge[p]] or node_down[w]:
                continue
            seen[w] = 1
            stack[depth] = w
            depth += 1


@njit(cache=True, nogil=True)
def shallow_tree(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    start: int,
    order: Ints,
    place: Ints,
    size: Ints,
    child: Ints,
) -> None:
    """Search breadth first, and put every subtree of the tree found in one stretch.

    Parameters
    ----------
    order, place
        out: nodes so that each subtree is a stretch, where each stands, -1 if not reached.
    size
        out: nodes in the subtree of each node.
    child
        out: for each edge of the tree its node farther from `start`, otherwise -1.
    """
    count = first.shape[0] - 1
    parent = np.empty(count, np.int64)
    queue = np.empty(count, np.int64)
    free = np.empty(count, np.int64)
    place[:] = -1
    child[:] = -1
    queue[0] = start
    place[start] = 0
    read, write = 0, 1
    while read < write:
        v = queue[read]
        read += 1
        size[v] = 1
        for p in range(first[v], first[v + 1]):
            w = neighbour[p]
            if place[w] < 0:
                place[w] = 0
                parent[w] = v
                child[edge[p]] = w
                queue[write] = w
                write += 1
    for i in range(write - 1, 0, -1):
        size[parent[queue[i]]] += size[queue[i]]
    free[start] = 1
    order[0] = start
    for i in range(1, write):
        v = queue[i]
        u = parent[v]
        place[v] = free[u]
        free[u] += size[v]
        free[v] = place[v] + 1
        order[place[v]] = v


@njit(cache=True, nogil=True)
def group_losses(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    order: Ints,
    place: Ints,
    size: Ints,
    child: Ints,
    group_first: Ints,
    group_edge: Ints,
    weight: Floats,
    lost_count: Ints,
    lost_weight: Floats,
    ever_lost: Mask,
) -> None:
    """Fail every group of edges in turn; count and weigh the nodes that lose the start.

    Only the subtrees below the edges of a group are looked at: the rest of the tree
    still holds together.

    Parameters
    ----------
    order, place, size, child
        As `shallow_tree` gives them.
    lost_count, lost_weight
        out: nodes lost and the sum of their weights, per group.
    ever_lost
        in and out: is set for nodes that any group cuts off.
    """
    count = first.shape[0] - 1
    edge_down = np.zeros(child.shape[0], np.uint8)
    # 0: still connected by the tree; 1: below a cut; 2: below a cut, but connected anew.
    state = np.zeros(count, np.uint8)
    below = np.empty(count, np.int64)
    stack = np.empty(count, np.int64)
    for g in range(group_first.shape[0] - 1):
        lost_count[g] = 0
        lost_weight[g] = 0.0
        found = 0
        for k in range(group_first[g], group_first[g + 1]):
            top = child[group_edge[k]]
            edge_down[group_edge[k]] = 1
            if top < 0 or state[top] != 0:
                continue
            for i in range(place[top], place[top] + size[top]):
                v = order[i]
                if state[v] == 0:
                    state[v] = 1
                    below[found] = v
                    found += 1
        depth = 0
        for i in range(found):
            v = below[i]
            for p in range(first[v], first[v + 1]):
                if not edge_down[edge[p]] and state[neighbour[p]] == 0:
                    state[v] = 2
                    stack[depth] = v
                    depth += 1
                    break
        while depth > 0:
            depth -= 1
            v = stack[depth]
            for p in range(first[v], first[v + 1]):
                w = neighbour[p]
                if state[w] == 1 and not edge_down[edge[p]]:
                    state[w] = 2
                    stack[depth] = w
                    depth += 1
        for i in range(found):
            v = below[i]
            if state[v] == 1:
                lost_count[g] += 1
                lost_weight[g] += weight[v]
                ever_lost[v] = 1
            state[v] = 0
        for k in range(group_first[g], group_first[g + 1]):
            edge_down[group_edge[k]] = 0


@njit(cache=True, nogil=True)
def _mixed(state: np.uint64) -> np.uint64:
    """Return a whole number that looks random: the output step of SplitMix64."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@njit(cache=True, nogil=True)
def _draw(state: np.uint64, chance_up: float) -> bool:
    # 53 bits make a number from 0 to below 1.
    return bool((_mixed(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0) < chance_up)


@njit(cache=True, nogil=True)
def sample_states(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    start: int,
    edge_up: Floats,
    node_up: Floats,
    group_up: Floats,
    group_first: Ints,
    group_edge: Ints,
    seed: int,
    sample_from: int,
    sample_to: int,
    together: Ints,
    served: Ints,
) -> int:
    """Draw states of the network; count how often each node reaches `start`.

    Parameters
    ----------
    edge_up, node_up, group_up
        Chance that each is up; a group that is down takes its edges along.
    seed, sample_from, sample_to
        Sample k of a seed is the same whatever the range it is drawn in.
    together
        Nodes that must be served at the same time for the count that is returned.
    served
        in and out: samples in which a node reaches `start`.
    """
    count = first.shape[0] - 1
    edge_down = np.zeros(edge_up.shape[0], np.uint8)
    node_down = np.zeros(count, np.uint8)
    seen = np.empty(count, np.uint8)
    stack = np.empty(count, np.int64)
    step = np.uint64(0x9E3779B97F4A7C15)
    all_served = 0
    for k in range(sample_from, sample_to):
        state = _mixed(_mixed(np.uint64(seed) + step) + np.uint64(k) * step)
        for e in range(edge_up.shape[0]):
            edge_down[e] = 0
            if edge_up[e] < 1.0:
                state += step
                edge_down[e] = not _draw(state, edge_up[e])
        for v in range(count):
            node_down[v] = 0
            if node_up[v] < 1.0:
                state += step
                node_down[v] = not _draw(state, node_up[v])
        for g in range(group_up.shape[0]):
            if group_up[g] < 1.0:
                state += step
                if not _draw(state, group_up[g]):
                    for p in range(group_first[g], group_first[g + 1]):
                        edge_down[group_edge[p]] = 1
        reach(first, neighbour, edge, start, edge_down, node_down, seen, stack)
        for v in range(count):
            served[v] += seen[v]
        good = True
        for v in together:
            if not seen[v]:
                good = False
                break
        all_served += good
    return all_served
