"""Traffic on shortest ways: search from a target, loads, and what crosses given links.

A network is given by `first`, `neighbour` and `edge`: the half-edges of node v are
the slots ``first[v]:first[v + 1]``, and slot p leads to node ``neighbour[p]`` over
edge ``edge[p]``.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.uint8]

#: Ways count as equally long within this share: sums of decimals are not exact.
_SAME = 1e-9


@njit(cache=True, nogil=True)
def _before(distance: Floats, hops: Ints, a: int, b: int) -> bool:
    """Say whether node a comes before node b: nearer, then fewer hops, then number."""
    if distance[a] != distance[b]:
        return bool(distance[a] < distance[b])
    if hops[a] != hops[b]:
        return bool(hops[a] < hops[b])
    return a < b


@njit(cache=True, nogil=True)
def _search(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    weight: Floats,
    node_closed: Mask,
    target: int,
    distance: Floats,
    hops: Ints,
    place: Ints,
    order: Ints,
    heap: Ints,
    slot: Ints,
) -> int:
    """Order the nodes by their distance to the target; return how many reach it."""
    distance[:] = math.inf
    place[:] = -1
    slot[:] = -1
    if node_closed[target]:
        return 0
    distance[target] = 0.0
    hops[target] = 0
    heap[0] = target
    slot[target] = 0
    size = 1
    done = 0
    while size > 0:
        top = heap[0]
        size -= 1
        if size > 0:
            node = heap[size]
            at = 0
            while True:
                child = 2 * at + 1
                if child >= size:
                    break
                if child + 1 < size and _before(distance, hops, heap[child + 1], heap[child]):
                    child += 1
                if not _before(distance, hops, heap[child], node):
                    break
                heap[at] = heap[child]
                slot[heap[at]] = at
                at = child
            heap[at] = node
            slot[node] = at
        place[top] = done
        order[done] = top
        done += 1
        for p in range(first[top], first[top + 1]):
            w = neighbour[p]
            step = weight[edge[p]]
            if place[w] >= 0 or node_closed[w] or step == math.inf:
                continue
            reach = distance[top] + step
            if reach > distance[w] or (reach == distance[w] and hops[top] + 1 >= hops[w]):
                continue
            distance[w] = reach
            hops[w] = hops[top] + 1
            if slot[w] < 0:
                slot[w] = size
                heap[size] = w
                size += 1
            at = slot[w]
            while at > 0:
                above = (at - 1) >> 1
                if not _before(distance, hops, w, heap[above]):
                    break
                heap[at] = heap[above]
                slot[heap[at]] = at
                at = above
            heap[at] = w
            slot[w] = at
    return done


@njit(cache=True, nogil=True)
def route(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    tail: Ints,
    weight: Floats,
    node_closed: Mask,
    targets: Ints,
    demand_first: Ints,
    source: Ints,
    mbps: Floats,
    split: bool,
    forward: Floats,
    backward: Floats,
    way_length: Floats,
    marked: Mask,
    crosses: Mask,
) -> None:
    """Route demands to their targets over shortest ways; add up the loads.

    Parameters
    ----------
    weight
        Length of each edge; infinite: closed.
    targets, demand_first, source, mbps
        The demands to ``targets[k]`` are ``demand_first[k]:demand_first[k + 1]``.
    split
        Whether every node splits equally among all next edges of shortest ways;
        otherwise it takes the one of lowest number.
    forward, backward
        in and out: load from tail to head and the other way.
    way_length
        out: distance per demand; infinite where there is no way.
    marked
        Edges asked about: 1 in the direction from tail to head, 2 the other way, 3 both.
    crosses
        out: whether any way that a demand takes crosses a marked edge.
    """
    count = first.shape[0] - 1
    distance = np.empty(count)
    hops = np.empty(count, np.int64)
    place = np.empty(count, np.int64)
    order = np.empty(count, np.int64)
    heap = np.empty(count, np.int64)
    slot = np.empty(count, np.int64)
    flow = np.zeros(count)
    touched = np.zeros(count, np.uint8)
    for k in range(targets.shape[0]):
        reached = _search(
            first,
            neighbour,
            edge,
            weight,
            node_closed,
            targets[k],
            distance,
            hops,
            place,
            order,
            heap,
            slot,
        )
        for d in range(demand_first[k], demand_first[k + 1]):
            way_length[d] = distance[source[d]]
            if place[source[d]] >= 0:
                flow[source[d]] += mbps[d]
        touched[targets[k]] = 0
        for i in range(1, reached):
            u = order[i]
            touched[u] = 0
            lowest = -1
            for p in range(first[u], first[u + 1]):
                if not _leads_on(neighbour, edge, weight, distance, place, u, p):
                    continue
                if not split and lowest >= 0 and edge[p] > edge[lowest]:
                    continue
                lowest = p
                direction = 1 if tail[edge[p]] == u else 2
                hit = touched[neighbour[p]] or (marked[edge[p]] & direction) != 0
                touched[u] = hit if not split else touched[u] or hit
        for d in range(demand_first[k], demand_first[k + 1]):
            crosses[d] = place[source[d]] >= 0 and touched[source[d]]
        for i in range(reached - 1, 0, -1):
            u = order[i]
            if flow[u] == 0.0:
                continue
            ways = 0
            lowest = -1
            for p in range(first[u], first[u + 1]):
                if _leads_on(neighbour, edge, weight, distance, place, u, p):
                    ways += 1
                    if lowest < 0 or edge[p] < edge[lowest]:
                        lowest = p
            share = flow[u] / ways if split else flow[u]
            flow[u] = 0.0
            for p in range(first[u], first[u + 1]):
                if not split and p != lowest:
                    continue
                if not _leads_on(neighbour, edge, weight, distance, place, u, p):
                    continue
                flow[neighbour[p]] += share
                if tail[edge[p]] == u:
                    forward[edge[p]] += share
                else:
                    backward[edge[p]] += share
        flow[targets[k]] = 0.0


@njit(cache=True, nogil=True)
def _leads_on(
    neighbour: Ints, edge: Ints, weight: Floats, distance: Floats, place: Ints, u: int, p: int
) -> bool:
    """Say whether slot p is the next step of a shortest way from u."""
    v = neighbour[p]
    # Only nodes that come before u: so there is no circle, even where lengths are 0.
    return bool(
        0 <= place[v] < place[u]
        and distance[v] + weight[edge[p]] <= distance[u] + _SAME * distance[u]
    )
