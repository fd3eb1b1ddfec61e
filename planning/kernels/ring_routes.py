"""Ways through a network that is being filled: shortest ways, and what shares their risks."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from planning.kernels.ring_design import _raise_in_heap, _take_from_heap

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.uint8]


@njit(cache=True, nogil=True)
def route(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    link_first: Ints,
    link_neighbour: Ints,
    link: Ints,
    price: Floats,
    link_price: Floats,
    start: int,
    goal: Mask,
    distance: Floats,
    origin: Ints,
    via: Ints,
    heap: Ints,
    slot: Ints,
) -> int:
    """Search the cheapest way from `start` to a goal over edges and links; return it, or -1.

    Parameters
    ----------
    first, neighbour, edge
        Half-edges of each node, as in `planning.kernels.ring_design`.
    link_first, link_neighbour, link
        The same for links that are there already.
    price, link_price
        Per edge and per link; infinite: closed.
    goal
        Which nodes end the search.
    distance, origin
        out: as in `planning.kernels.ring_design.shortest`.
    via
        out: edge that each node was reached by, or -2 - link; -1 at the start.
    """
    distance[:] = math.inf
    slot[:] = -1
    distance[start] = 0.0
    origin[start] = -1
    via[start] = -1
    size = _raise_in_heap(heap, slot, distance, 0, start)
    while size > 0:
        v = _take_from_heap(heap, slot, distance, size)
        size -= 1
        if goal[v]:
            return int(v)
        for p in range(first[v], first[v + 1]):
            w = neighbour[p]
            reach = distance[v] + price[edge[p]]
            if reach < distance[w]:
                distance[w] = reach
                origin[w] = v
                via[w] = edge[p]
                size = _raise_in_heap(heap, slot, distance, size, w)
        for p in range(link_first[v], link_first[v + 1]):
            w = link_neighbour[p]
            reach = distance[v] + link_price[link[p]]
            if reach < distance[w]:
                distance[w] = reach
                origin[w] = v
                via[w] = -2 - link[p]
                size = _raise_in_heap(heap, slot, distance, size, w)
    return -1


@njit(cache=True, nogil=True)
def count_risks(
    way: Ints,
    risk_first: Ints,
    risk: Ints,
    count: Ints,
) -> int:
    """Count each risk of a way once more in `count`; return how many risks it has.

    Parameters
    ----------
    way
        Edges.
    risk_first, risk
        Risks of edge e: ``risk[risk_first[e]:risk_first[e + 1]]``.
    count
        in, out: ways that each risk was seen on. A risk of several edges of the way
        counts once.
    """
    seen = 0
    fresh = np.empty(0, np.int64)
    most = 0
    for e in way:
        most += risk_first[e + 1] - risk_first[e]
    fresh = np.empty(most, np.int64)
    for e in way:
        for p in range(risk_first[e], risk_first[e + 1]):
            # Negative: seen on this way.
            if count[risk[p]] >= 0:
                count[risk[p]] = -count[risk[p]] - 1
                fresh[seen] = risk[p]
                seen += 1
    for k in range(seen):
        count[fresh[k]] = -count[fresh[k]]
    return seen


@njit(cache=True, nogil=True)
def close(
    risks: Ints,
    member_first: Ints,
    member: Ints,
    closed: Mask,
) -> None:
    """Mark the edges that some risks take along.

    Parameters
    ----------
    risks
        The risks.
    member_first, member
        Edges of risk r: ``member[member_first[r]:member_first[r + 1]]``.
    closed
        in, out: per edge.
    """
    for r in risks:
        for p in range(member_first[r], member_first[r + 1]):
            closed[member[p]] = 1


@njit(cache=True, nogil=True)
def marginal(
    used: Ints,
    free: Floats,
    cost: Floats,
    instead: Floats,
    length: Floats,
    cores: int,
    per_length: float,
    price: Floats,
) -> None:
    """Write what one more link through each edge adds to the cost.

    Parameters
    ----------
    used, free
        Fibres in use and free, per edge.
    cost, instead
        Of the cable that is there, and of a new one where its fibres do not suffice.
    length, per_length
        So much is added, for short ways among equally cheap ones. [m, cost per m]
    cores
        Fibres of a link.
    price
        out: per edge.
    """
    for e in range(used.shape[0]):
        fits = used[e] + cores <= free[e]
        if used[e] == 0:
            more = cost[e] if fits else instead[e]
        elif fits or used[e] > free[e]:
            more = 0.0
        else:
            more = instead[e] - cost[e]
        price[e] = more + per_length * length[e]
