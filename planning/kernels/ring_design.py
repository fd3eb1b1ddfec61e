"""Networks without weak links: ways apart, checks, pruning, dual ascent and smallest cuts.

A network is given by `first`, `neighbour` and `edge`: the half-edges of node v are
the slots ``first[v]:first[v + 1]``, and slot p leads to node ``neighbour[p]`` over
edge ``edge[p]``. There are no loops. The arc of slot p has the number ``arc[p]``: twice
the edge's number, plus one from head to tail; the arc back is ``arc[p] ^ 1``.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.uint8]

#: How many nodes a further crossing of the known design counts for in a dual ascent.
_LATER = 30


# ----------------------------------------------------------------------------------------
# Shortest ways


@njit(cache=True, nogil=True)
def _raise_in_heap(heap: Ints, slot: Ints, key: Floats, size: int, node: int) -> int:
    """Put a node in, or move it forward after its key has fallen; return the new size."""
    if slot[node] < 0:
        slot[node] = size
        heap[size] = node
        size += 1
    at = slot[node]
    while at > 0:
        above = (at - 1) >> 1
        other = heap[above]
        if key[other] < key[node] or (key[other] == key[node] and other < node):
            break
        heap[at] = other
        slot[other] = at
        at = above
    heap[at] = node
    slot[node] = at
    return size


@njit(cache=True, nogil=True)
def _take_from_heap(heap: Ints, slot: Ints, key: Floats, size: int) -> int:
    """Take out the node of the smallest key; the caller lowers `size` by one."""
    top = heap[0]
    slot[top] = -1
    size -= 1
    if size > 0:
        node = heap[size]
        at = 0
        while True:
            child = 2 * at + 1
            if child >= size:
                break
            other = heap[child]
            if child + 1 < size:
                right = heap[child + 1]
                if key[right] < key[other] or (key[right] == key[other] and right < other):
                    child += 1
                    other = right
            if key[node] < key[other] or (key[node] == key[other] and node < other):
                break
            heap[at] = other
            slot[other] = at
            at = child
        heap[at] = node
        slot[node] = at
    return top


@njit(cache=True, nogil=True)
def shortest(
    first: Ints,
    neighbour: Ints,
    length: Floats,
    sources: Ints,
    goal: Mask,
    distance: Floats,
    origin: Ints,
    via: Ints,
    heap: Ints,
    slot: Ints,
) -> int:
    """Search from the sources until a goal is reached; return it, or -1.

    Parameters
    ----------
    length
        Per slot; infinite: closed.
    distance
        out: final for the nodes visited before the goal; infinite for those not seen.
    origin, via
        out: node and slot that each node was reached from; -1 at sources.
    """
    distance[:] = math.inf
    slot[:] = -1
    size = 0
    for v in sources:
        distance[v] = 0.0
        origin[v] = -1
        via[v] = -1
        size = _raise_in_heap(heap, slot, distance, size, v)
    while size > 0:
        v = _take_from_heap(heap, slot, distance, size)
        size -= 1
        if goal[v]:
            return int(v)
        for p in range(first[v], first[v + 1]):
            w = neighbour[p]
            reach = distance[v] + length[p]
            if reach < distance[w]:
                distance[w] = reach
                origin[w] = v
                via[w] = p
                size = _raise_in_heap(heap, slot, distance, size, w)
    return -1


@njit(cache=True, nogil=True)
def _two_ways(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    arc: Ints,
    price: Floats,
    chosen: Mask,
    start: int,
    root: int,
    distance: Floats,
    origin: Ints,
    via: Ints,
    heap: Ints,
    slot: Ints,
) -> bool:
    """Add the cheapest two ways from `start` to the root that share no edge.

    Edges chosen already cost nothing (Suurballe's method).
    """
    count = first.shape[0] - 1
    length = np.empty(edge.shape[0])
    for p in range(edge.shape[0]):
        length[p] = 0.0 if chosen[edge[p]] else price[edge[p]]
    goal = np.zeros(count, np.uint8)
    goal[root] = 1
    source = np.array([start])
    if shortest(first, neighbour, length, source, goal, distance, origin, via, heap, slot) < 0:
        return False
    far = distance[root]
    height = np.minimum(distance, far)
    # What lies on the first way can be taken back, and not be used again.
    taken = np.full(price.shape[0], -1, np.int64)
    v = root
    while origin[v] >= 0:
        taken[edge[via[v]]] = arc[via[v]]
        v = origin[v]
    for u in range(count):
        for p in range(first[u], first[u + 1]):
            e = edge[p]
            if taken[e] == arc[p]:
                length[p] = math.inf
            elif taken[e] >= 0:
                length[p] = 0.0
            else:
                length[p] = max(length[p] + height[u] - height[neighbour[p]], 0.0)
    if shortest(first, neighbour, length, source, goal, distance, origin, via, heap, slot) < 0:
        return False
    v = root
    while origin[v] >= 0:
        e = edge[via[v]]
        if taken[e] >= 0:
            taken[e] = -1
        else:
            chosen[e] = 1
        v = origin[v]
    for e in range(price.shape[0]):
        if taken[e] >= 0:
            chosen[e] = 1
    return True


# ----------------------------------------------------------------------------------------
# Checks


@njit(cache=True, nogil=True)
def survey(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    chosen: Mask,
    root: int,
    strength: Ints,
    place: Ints,
    low: Ints,
    parent: Ints,
    parent_edge: Ints,
    order: Ints,
    slot: Ints,
) -> None:
    """Find how many ways (0, 1, or 2 for more) without a common edge each node has.

    `strength` is the result; the other arrays are room to work, one entry per node.
    """
    place[:] = -1
    strength[:] = 0
    parent[root] = -1
    parent_edge[root] = -1
    place[root] = 0
    low[root] = 0
    order[0] = root
    slot[root] = first[root]
    reached = 1
    v = root
    while v >= 0:
        if slot[v] < first[v + 1]:
            p = slot[v]
            slot[v] += 1
            if not chosen[edge[p]] or edge[p] == parent_edge[v]:
                continue
            w = neighbour[p]
            if place[w] >= 0:
                low[v] = min(low[v], place[w])
                continue
            place[w] = reached
            low[w] = reached
            order[reached] = w
            reached += 1
            parent[w] = v
            parent_edge[w] = edge[p]
            slot[w] = first[w]
            v = w
        else:
            u = parent[v]
            if u >= 0:
                low[u] = min(low[u], low[v])
            v = u
    strength[root] = 2
    for i in range(1, reached):
        w = order[i]
        u = parent[w]
        weak = low[w] > place[u]
        strength[w] = 1 if weak else strength[u]


@njit(cache=True, nogil=True)
def _reach_without(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    chosen: Mask,
    down: Mask,
    root: int,
    seen: Mask,
    stack: Ints,
) -> None:
    seen[:] = 0
    seen[root] = 1
    stack[0] = root
    depth = 1
    while depth > 0:
        depth -= 1
        v = stack[depth]
        for p in range(first[v], first[v + 1]):
            w = neighbour[p]
            if not seen[w] and chosen[edge[p]] and not down[edge[p]]:
                seen[w] = 1
                stack[depth] = w
                depth += 1


@njit(cache=True, nogil=True)
def _cut_off(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    chosen: Mask,
    root: int,
    members: Ints,
    needs: Ints,
    down: Mask,
    seen: Mask,
    stack: Ints,
) -> int:
    """Return a node of `needs` that the failure of `members` cuts off, or -1."""
    for e in members:
        down[e] = 1
    _reach_without(first, neighbour, edge, chosen, down, root, seen, stack)
    for e in members:
        down[e] = 0
    for t in needs:
        if not seen[t]:
            return int(t)
    return -1


@njit(cache=True, nogil=True)
def _broken_group(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    chosen: Mask,
    root: int,
    group_first: Ints,
    group_edge: Ints,
    need_first: Ints,
    need_node: Ints,
    start: int,
    down: Mask,
    seen: Mask,
    stack: Ints,
) -> tuple[int, int]:
    """Return the next group from `start` on whose failure cuts off a node, and the node.

    `seen` then holds what the root reaches without the group.
    """
    for g in range(start, group_first.shape[0] - 1):
        used = 0
        for k in range(group_first[g], group_first[g + 1]):
            used += chosen[group_edge[k]]
        # A single edge is what `survey` looks at.
        if used < 2:
            continue
        t = _cut_off(
            first,
            neighbour,
            edge,
            chosen,
            root,
            group_edge[group_first[g] : group_first[g + 1]],
            need_node[need_first[g] : need_first[g + 1]],
            down,
            seen,
            stack,
        )
        if t >= 0:
            return g, t
    return -1, -1


@njit(cache=True, nogil=True)
def complete(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    arc: Ints,
    price: Floats,
    chosen: Mask,
    root: int,
    need: Ints,
    order: Ints,
    group_first: Ints,
    group_edge: Ints,
    need_first: Ints,
    need_node: Ints,
) -> bool:
    """Add edges until every need is met; say whether that is possible.

    Parameters
    ----------
    price
        What an edge costs; those chosen already cost nothing.
    chosen
        in and out: mark of each edge.
    need
        Ways without a common edge that each node needs: 0, 1 or 2.
    order
        Nodes with a need of 2, in the order in which they are served.
    group_first, group_edge, need_first, need_node
        Edges that fail together, and the nodes that must survive that.
    """
    count = first.shape[0] - 1
    strength = np.empty(count, np.int64)
    place = np.empty(count, np.int64)
    low = np.empty(count, np.int64)
    parent = np.empty(count, np.int64)
    parent_edge = np.empty(count, np.int64)
    visited = np.empty(count, np.int64)
    slot = np.empty(count, np.int64)
    heap = np.empty(count, np.int64)
    origin = np.empty(count, np.int64)
    via = np.empty(count, np.int64)
    distance = np.empty(count)
    stale = True
    for t in order:
        if stale:
            survey(
                first,
                neighbour,
                edge,
                chosen,
                root,
                strength,
                place,
                low,
                parent,
                parent_edge,
                visited,
                slot,
            )
            stale = False
        if strength[t] < 2:
            if not _two_ways(
                first,
                neighbour,
                edge,
                arc,
                price,
                chosen,
                t,
                root,
                distance,
                origin,
                via,
                heap,
                slot,
            ):
                return False
            stale = True
    length = np.empty(edge.shape[0])
    goal = np.zeros(count, np.uint8)
    while True:
        survey(
            first,
            neighbour,
            edge,
            chosen,
            root,
            strength,
            place,
            low,
            parent,
            parent_edge,
            visited,
            slot,
        )
        missing = 0
        for v in range(count):
            goal[v] = need[v] > 0 and strength[v] == 0
            missing += goal[v]
        if missing == 0:
            break
        for p in range(edge.shape[0]):
            length[p] = 0.0 if chosen[edge[p]] else price[edge[p]]
        v = shortest(
            first, neighbour, length, np.array([root]), goal, distance, origin, via, heap, slot
        )
        if v < 0:
            return False
        while origin[v] >= 0:
            chosen[edge[via[v]]] = 1
            v = origin[v]
    down = np.zeros(price.shape[0], np.uint8)
    seen = np.empty(count, np.uint8)
    g = 0
    while True:
        g, t = _broken_group(
            first,
            neighbour,
            edge,
            chosen,
            root,
            group_first,
            group_edge,
            need_first,
            need_node,
            g,
            down,
            seen,
            visited,
        )
        if g < 0:
            return True
        for p in range(edge.shape[0]):
            length[p] = 0.0 if chosen[edge[p]] else price[edge[p]]
        for k in range(group_first[g], group_first[g + 1]):
            down[group_edge[k]] = 1
        for p in range(edge.shape[0]):
            if down[edge[p]]:
                length[p] = math.inf
        for k in range(group_first[g], group_first[g + 1]):
            down[group_edge[k]] = 0
        v = shortest(
            first, neighbour, length, np.array([t]), seen, distance, origin, via, heap, slot
        )
        if v < 0:
            return False
        while origin[v] >= 0:
            chosen[edge[via[v]]] = 1
            v = origin[v]
        # More edges can put a second edge of an earlier group into use, but cut nothing off.


@njit(cache=True, nogil=True)
def prune(
    tail: Ints,
    head: Ints,
    chosen: Mask,
    root: int,
    need: Ints,
    candidates: Ints,
    group_first: Ints,
    group_edge: Ints,
    need_first: Ints,
    need_node: Ints,
) -> None:
    """Take out edges, in the order given, that no need asks for.

    Parameters
    ----------
    chosen
        in and out: mark of each edge of a design that meets all needs.
    candidates
        All edges of the design.
    """
    # The design alone, its nodes numbered anew: the whole network is far larger.
    number = np.full(need.shape[0], -1, np.int64)
    number[root] = 0
    count = 1
    for e in candidates:
        for v in (tail[e], head[e]):
            if number[v] < 0:
                number[v] = count
                count += 1
    needed = np.zeros(count, np.int64)
    for v in range(need.shape[0]):
        if number[v] >= 0:
            needed[number[v]] = need[v]
    survivors = np.empty(need_node.shape[0], np.int64)
    for k in range(need_node.shape[0]):
        survivors[k] = number[need_node[k]]
    first = np.zeros(count + 1, np.int64)
    for e in candidates:
        first[number[tail[e]] + 1] += 1
        first[number[head[e]] + 1] += 1
    for v in range(count):
        first[v + 1] += first[v]
    filled = first[:count].copy()
    neighbour = np.empty(first[count], np.int64)
    edge = np.empty(first[count], np.int64)
    for e in candidates:
        a, b = number[tail[e]], number[head[e]]
        neighbour[filled[a]] = b
        edge[filled[a]] = e
        filled[a] += 1
        neighbour[filled[b]] = a
        edge[filled[b]] = e
        filled[b] += 1
    strength = np.empty(count, np.int64)
    place = np.empty(count, np.int64)
    low = np.empty(count, np.int64)
    parent = np.empty(count, np.int64)
    parent_edge = np.empty(count, np.int64)
    visited = np.empty(count, np.int64)
    slot = np.empty(count, np.int64)
    down = np.zeros(chosen.shape[0], np.uint8)
    seen = np.empty(count, np.uint8)
    code = np.zeros(chosen.shape[0], np.uint64)
    basis = np.empty(group_edge.shape[0], np.uint64)
    behind = np.empty(count, np.int64)
    mixed = np.empty(count, np.uint64)
    tested = np.zeros(chosen.shape[0], np.uint8)
    stale = True
    for e in candidates:
        if tested[e]:
            continue
        if stale:
            survey(
                first,
                neighbour,
                edge,
                chosen,
                0,
                strength,
                place,
                low,
                parent,
                parent_edge,
                visited,
                slot,
            )
            _cut_pairs(
                first,
                neighbour,
                edge,
                chosen,
                needed,
                place,
                parent,
                parent_edge,
                visited,
                code,
                behind,
                mixed,
                tested,
            )
            stale = False
            if tested[e]:
                continue
        chosen[e] = 0
        survey(
            first,
            neighbour,
            edge,
            chosen,
            0,
            strength,
            place,
            low,
            parent,
            parent_edge,
            visited,
            slot,
        )
        good = True
        for v in range(count):
            if strength[v] < needed[v]:
                good = False
                break
        if not good:
            # Each edge that is a cut together with this one leaves the same nodes weak.
            chosen[e] = 1
            if code[e] != 0:
                for other in candidates:
                    if code[other] == code[e]:
                        tested[other] = 1
            continue
        if _group_needs(
            first,
            neighbour,
            edge,
            chosen,
            e,
            code,
            basis,
            group_first,
            group_edge,
            need_first,
            survivors,
            down,
            seen,
            visited,
        ):
            chosen[e] = 1
        else:
            stale = True


@njit(cache=True, nogil=True)
def _group_needs(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    chosen: Mask,
    gone: int,
    code: NDArray[np.uint64],
    basis: NDArray[np.uint64],
    group_first: Ints,
    group_edge: Ints,
    need_first: Ints,
    need_node: Ints,
    down: Mask,
    seen: Mask,
    stack: Ints,
) -> bool:
    """Say whether a group cuts off a node as soon as an edge is gone, and not before.

    Edges are a cut, or hold one, if the codes of some of them (`_cut_pairs`) add up to
    nothing. Only where the code of the edge is a sum of codes of a group, the two together
    can take more than the group alone. Behind a bridge, whose code is nothing, is no need.
    """
    if code[gone] == 0:
        return False
    for g in range(group_first.shape[0] - 1):
        members = group_edge[group_first[g] : group_first[g + 1]]
        size = 0
        rest = code[gone]
        for e in members:
            if e == gone:
                size = -1
                break
            if not chosen[e]:
                continue
            value = code[e]
            for i in range(size):
                value = min(value, value ^ basis[i])
            if value != 0:
                basis[size] = value
                size += 1
                rest = min(rest, rest ^ value)
        if size < 0 or rest != 0:
            continue
        needs = need_node[need_first[g] : need_first[g + 1]]
        if _cut_off(first, neighbour, edge, chosen, 0, members, needs, down, seen, stack) >= 0:
            return True
    return False


@njit(cache=True, nogil=True)
def _cut_pairs(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    chosen: Mask,
    needed: Ints,
    place: Ints,
    parent: Ints,
    parent_edge: Ints,
    order: Ints,
    code: NDArray[np.uint64],
    behind: Ints,
    mixed: NDArray[np.uint64],
    tested: Mask,
) -> None:
    """Give edges the same code if the two of them are a cut; mark bridges that are needed.

    The code of an edge outside of the search tree is a number that looks random, that of
    an edge of the tree the sum (exclusive or) of those that lead past it; a bridge has 0.
    `place`, `parent`, `parent_edge` and `order` come from `survey`.
    """
    count = first.shape[0] - 1
    reached = 0
    for v in range(count):
        mixed[v] = 0
        behind[v] = needed[v]
        reached += place[v] >= 0
    for v in range(count):
        if place[v] < 0:
            continue
        for p in range(first[v], first[v + 1]):
            e, w = edge[p], neighbour[p]
            if not chosen[e] or place[w] >= place[v] or e == parent_edge[v]:
                continue
            state = np.uint64(e + 1) * np.uint64(0x9E3779B97F4A7C15)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
            code[e] = state
            mixed[v] ^= state
            mixed[w] ^= state
    for i in range(reached - 1, 0, -1):
        v = order[i]
        e, u = parent_edge[v], parent[v]
        code[e] = mixed[v]
        mixed[u] ^= mixed[v]
        behind[u] += behind[v]
        if mixed[v] == 0 and behind[v] > 0:
            tested[e] = 1


# ----------------------------------------------------------------------------------------
# Bounds


@njit(cache=True, nogil=True)
def dual_ascent(
    first: Ints,
    neighbour: Ints,
    arc: Ints,
    root: int,
    node: Ints,
    outward: Mask,
    guide: Mask,
    slack: Floats,
    cut_first: Ints,
    cut_arc: Ints,
    cut_rise: Floats,
) -> tuple[float, int]:
    """Raise cuts that every design must cross until no arc has more to give.

    Small cuts come first, and those that a known design crosses only once.

    Parameters
    ----------
    node, outward
        Each demand: a node that an arc must enter (0) or leave (1) whatever set without
        the root it lies in.
    guide
        Mark of the arcs of a known design.
    slack
        in and out: what is left of the cost of each arc.
    cut_first, cut_arc, cut_rise
        out: the arcs of each cut and how far it was raised, as far as there is room.

    Returns
    -------
    tuple
        The sum of the rises, and the number of cuts kept.
    """
    count = first.shape[0] - 1
    demands = node.shape[0]
    size = np.ones(demands, np.int64)  # negative: done
    seen = np.empty(count, np.uint8)
    stack = np.empty(count, np.int64)
    bound = 0.0
    cuts = 0
    while True:
        k = -1
        for i in range(demands):
            if size[i] > 0 and (k < 0 or size[i] < size[k]):
                k = i
        if k < 0:
            break
        turn = 0 if outward[k] else 1
        # All nodes from which the demand's node is reached over arcs without slack.
        seen[:] = 0
        seen[node[k]] = 1
        stack[0] = node[k]
        depth = 1
        members = 1
        while depth > 0:
            depth -= 1
            v = stack[depth]
            for p in range(first[v], first[v + 1]):
                w = neighbour[p]
                if not seen[w] and slack[arc[p] ^ turn] <= 0.0:
                    seen[w] = 1
                    stack[depth] = w
                    depth += 1
                    members += 1
        if seen[root]:
            size[k] = -1
            continue
        crossings = 0
        for v in range(count):
            if seen[v]:
                for p in range(first[v], first[v + 1]):
                    if not seen[neighbour[p]]:
                        crossings += guide[arc[p] ^ turn]
        members += _LATER * max(crossings - 1, 0)
        if members > size[k]:
            # The set has grown through other demands: perhaps a smaller one is first.
            size[k] = members
            continue
        rise = math.inf
        for v in range(count):
            if seen[v]:
                for p in range(first[v], first[v + 1]):
                    if not seen[neighbour[p]]:
                        rise = min(rise, slack[arc[p] ^ turn])
        if rise == math.inf:
            size[k] = -1
            continue
        bound += rise
        fits = cuts < cut_rise.shape[0]
        filled = cut_first[cuts]
        for v in range(count):
            if seen[v]:
                for p in range(first[v], first[v + 1]):
                    if not seen[neighbour[p]]:
                        slack[arc[p] ^ turn] -= rise
                        if fits and filled < cut_arc.shape[0]:
                            cut_arc[filled] = arc[p] ^ turn
                            filled += 1
                        else:
                            fits = False
        if fits:
            cut_rise[cuts] = rise
            cuts += 1
            cut_first[cuts] = filled
    return bound, cuts


@njit(cache=True, nogil=True)
def _push_flow(
    first: Ints,
    neighbour: Ints,
    arc: Ints,
    room: Floats,
    source: int,
    goal: Mask,
    turn: int,
    enough: float,
    origin: Ints,
    via: Ints,
    queue: Ints,
    seen: Mask,
    changed: Ints,
) -> tuple[float, int]:
    """Send up to `enough` from source to any goal; `room` becomes what is left.

    Afterwards `seen` holds what the source still reaches, if the flow is less, and
    `changed` the arcs whose room is another one, if there is place for them.

    Returns
    -------
    tuple
        The flow, and the number of arcs changed.
    """
    flow = 0.0
    steps = 0
    while flow < enough:
        seen[:] = 0
        seen[source] = 1
        queue[0] = source
        read, write = 0, 1
        end = -1
        while read < write and end < 0:
            v = queue[read]
            read += 1
            for p in range(first[v], first[v + 1]):
                w = neighbour[p]
                if not seen[w] and room[arc[p] ^ turn] > 1e-9:
                    seen[w] = 1
                    origin[w] = v
                    via[w] = arc[p] ^ turn
                    queue[write] = w
                    write += 1
                    if goal[w]:
                        end = w
                        break
        if end < 0:
            break
        amount = enough - flow
        v = end
        while v != source:
            amount = min(amount, room[via[v]])
            v = origin[v]
        v = end
        while v != source:
            room[via[v]] -= amount
            room[via[v] ^ 1] += amount
            if steps < changed.shape[0]:
                changed[steps] = via[v]
            steps += 1
            v = origin[v]
        flow += amount
    return flow, steps


@njit(cache=True, nogil=True)
def _refill(room: Floats, value: Floats, changed: Ints, steps: int) -> None:
    """Undo what `_push_flow` did."""
    if steps > changed.shape[0]:
        room[:] = value
        return
    for i in range(steps):
        a = changed[i]
        room[a] = value[a]
        room[a ^ 1] = value[a ^ 1]


@njit(cache=True, nogil=True)
def violated_cuts(
    first: Ints,
    neighbour: Ints,
    arc: Ints,
    root: int,
    node: Ints,
    outward: Mask,
    value: Floats,
    skip: bool,
    inside: Mask,
    owner: Ints,
    short: Floats,
) -> int:
    """Find sets of nodes around demands that too little leads into (or out of).

    Parameters
    ----------
    node, outward
        As for `dual_ascent`.
    value
        Value of each arc.
    skip
        Whether to pass over nodes in sets that were found around others, where all
        demands have one direction.
    inside, owner, short
        out: the nodes in each set, the demand it belongs to, and how much is missing.

    Returns
    -------
    int
        Number of sets found.
    """
    count = first.shape[0] - 1
    origin = np.empty(count, np.int64)
    via = np.empty(count, np.int64)
    queue = np.empty(count, np.int64)
    seen = np.empty(count, np.uint8)
    done = np.zeros(count, np.uint8)
    # No cut with less than 1 parts the root from nodes that enough leads to (or from).
    goals = np.zeros((2, count), np.uint8)
    goals[:, root] = 1
    room = value.copy()
    changed = np.empty(4 * count, np.int64)
    found = 0
    for k in range(node.shape[0]):
        if found + 2 > owner.shape[0]:
            break
        turn = 0 if outward[k] else 1
        goal = goals[turn]
        if goal[node[k]] or (skip and done[node[k]]):
            continue
        flow, steps = _push_flow(
            first, neighbour, arc, room, node[k], goal, turn, 1.0, origin, via, queue, seen, changed
        )
        if flow > 1.0 - 1e-5:
            goal[node[k]] = 1
            _refill(room, value, changed, steps)
            continue
        # The set next to the node, and the one farthest from it.
        same = True
        back = inside[found + 1]
        back[:] = 1
        depth = 0
        for v in range(count):
            inside[found, v] = seen[v]
            if goal[v]:
                back[v] = 0
                queue[depth] = v
                depth += 1
        while depth > 0:
            depth -= 1
            v = queue[depth]
            for p in range(first[v], first[v + 1]):
                w = neighbour[p]
                if back[w] and room[(arc[p] ^ 1) ^ turn] > 1e-9:
                    back[w] = 0
                    queue[depth] = w
                    depth += 1
        _refill(room, value, changed, steps)
        for v in range(count):
            same = same and back[v] == seen[v]
            done[v] |= seen[v]
        for _ in range(1 if same else 2):
            owner[found] = k
            short[found] = 1.0 - flow
            found += 1
    return found
