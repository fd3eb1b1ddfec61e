"""Steiner trees: reductions, tree heuristics, local search and dual ascent.

A graph is given by `first`, `neighbour` and `edge`: the half-edges of node v are
the slots ``first[v]:first[v + 1]``, and slot p leads to node ``neighbour[p]`` over
edge ``edge[p]``. Costs are whole numbers (64 bits), so that every sum is exact and
a bound is a proof. A negative cost in `cost` closes an edge.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Mask = NDArray[np.uint8]

#: Farther than any path; sums of two stay within 64 bits.
FAR = 1 << 61

#: How many arcs a further crossing of the known tree counts for in a dual ascent.
LATER = 30


# ----------------------------------------------------------------------------------------
# A heap of nodes ordered by key, with decrease; `place` is where a node lies in it, or -1.


@njit(cache=True, nogil=True)
def _sift_up(heap: Ints, place: Ints, key: Ints, index: int) -> None:
    node = heap[index]
    value = key[node]
    while index > 0:
        parent = (index - 1) >> 1
        other = heap[parent]
        # Ties are broken by number, so that the result does not depend on the history.
        if key[other] < value or (key[other] == value and other <= node):
            break
        heap[index] = other
        place[other] = index
        index = parent
    heap[index] = node
    place[node] = index


@njit(cache=True, nogil=True)
def _push(heap: Ints, place: Ints, key: Ints, size: int, node: int) -> int:
    """Put `node` in, or move it forward after its key has fallen; return the new size."""
    if place[node] < 0:
        heap[size] = node
        place[node] = size
        size += 1
    _sift_up(heap, place, key, place[node])
    return size


@njit(cache=True, nogil=True)
def _pop(heap: Ints, place: Ints, key: Ints, size: int) -> int:
    """Take out the node of the smallest key; the caller lowers `size` by one."""
    top = heap[0]
    place[top] = -1
    size -= 1
    if size > 0:
        node = heap[size]
        value = key[node]
        index = 0
        while True:
            child = 2 * index + 1
            if child >= size:
                break
            right = child + 1
            if right < size and (
                key[heap[right]] < key[heap[child]]
                or (key[heap[right]] == key[heap[child]] and heap[right] < heap[child])
            ):
                child = right
            other = heap[child]
            if value < key[other] or (value == key[other] and node <= other):
                break
            heap[index] = other
            place[other] = index
            index = child
        heap[index] = node
        place[node] = index
    return top


@njit(cache=True, nogil=True)
def _find(parent: Ints, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


# ----------------------------------------------------------------------------------------
# Graph


@njit(cache=True, nogil=True)
def build_adjacency(tail: Ints, head: Ints, first: Ints, neighbour: Ints, edge: Ints) -> None:
    """Fill `first`, `neighbour` and `edge` from the ends of the edges."""
    n = first.shape[0] - 1
    m = tail.shape[0]
    first[:] = 0
    for e in range(m):
        first[tail[e] + 1] += 1
        first[head[e] + 1] += 1
    for v in range(n):
        first[v + 1] += first[v]
    fill = first[:n].copy()
    for e in range(m):
        u = tail[e]
        v = head[e]
        neighbour[fill[u]] = v
        edge[fill[u]] = e
        fill[u] += 1
        neighbour[fill[v]] = u
        edge[fill[v]] = e
        fill[v] += 1


@njit(cache=True, nogil=True)
def voronoi(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    cost: Ints,
    is_source: Mask,
    limit: int,
    base: Ints,
    distance: Ints,
    via: Ints,
) -> None:
    """Find each node's nearest source within `limit`, the distance and the last edge."""
    n = first.shape[0] - 1
    heap = np.empty(n, np.int64)
    place = np.full(n, -1, np.int64)
    size = 0
    for v in range(n):
        via[v] = -1
        if is_source[v]:
            base[v] = v
            distance[v] = 0
            size = _push(heap, place, distance, size, v)
        else:
            base[v] = -1
            distance[v] = FAR
    while size > 0:
        v = _pop(heap, place, distance, size)
        size -= 1
        for p in range(first[v], first[v + 1]):
            c = cost[edge[p]]
            u = neighbour[p]
            if c < 0:
                continue
            reach = distance[v] + c
            if reach < distance[u] and reach <= limit:
                distance[u] = reach
                base[u] = base[v]
                via[u] = edge[p]
                size = _push(heap, place, distance, size, u)


# ----------------------------------------------------------------------------------------
# Trees


@njit(cache=True, nogil=True)
def prune_to_tree(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    cost: Ints,
    is_terminal: Mask,
    in_nodes: Mask,
    in_tree: Mask,
) -> int:
    """Make `in_tree` the least tree over the nodes `in_nodes`, without useless leaves.

    `in_nodes` becomes the nodes that are left. Returns the cost, or -1 if the
    terminals are not connected through these nodes.
    """
    n = first.shape[0] - 1
    in_tree[:] = 0
    root = -1
    terminals = 0
    for v in range(n):
        if is_terminal[v]:
            terminals += 1
            if root < 0:
                root = v
    heap = np.empty(n, np.int64)
    place = np.full(n, -1, np.int64)
    key = np.full(n, FAR, np.int64)
    via = np.full(n, -1, np.int64)
    parent = np.full(n, -1, np.int64)
    degree = np.zeros(n, np.int64)
    order = np.empty(n, np.int64)
    done = np.zeros(n, np.uint8)
    count = 0
    found = 0
    key[root] = 0
    size = _push(heap, place, key, 0, root)
    while size > 0:
        v = _pop(heap, place, key, size)
        size -= 1
        done[v] = 1
        order[count] = v
        count += 1
        if is_terminal[v]:
            found += 1
        if parent[v] >= 0:
            degree[v] += 1
            degree[parent[v]] += 1
            in_tree[via[v]] = 1
        for p in range(first[v], first[v + 1]):
            u = neighbour[p]
            c = cost[edge[p]]
            if c >= 0 and in_nodes[u] and not done[u] and c < key[u]:
                key[u] = c
                via[u] = edge[p]
                parent[u] = v
                size = _push(heap, place, key, size, u)
    if found < terminals:
        return -1
    for v in range(n):
        in_nodes[v] = done[v]
    total = 0
    # Children come after their parents, so one pass backwards takes all useless leaves.
    for i in range(count - 1, -1, -1):
        v = order[i]
        if degree[v] == 1 and not is_terminal[v] and parent[v] >= 0:
            in_tree[via[v]] = 0
            in_nodes[v] = 0
            degree[parent[v]] -= 1
            degree[v] = 0
        elif parent[v] >= 0:
            total += cost[via[v]]
    return total


@njit(cache=True, nogil=True)
def shortest_path_tree(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    cost: Ints,
    is_terminal: Mask,
    root: int,
    in_nodes: Mask,
) -> int:
    """Grow a tree from `root`, always to the nearest terminal; return how many are missed."""
    n = first.shape[0] - 1
    heap = np.empty(n, np.int64)
    place = np.full(n, -1, np.int64)
    key = np.full(n, FAR, np.int64)
    via = np.full(n, -1, np.int64)
    come_from = np.full(n, -1, np.int64)
    in_nodes[:] = 0
    missing = 0
    for v in range(n):
        if is_terminal[v]:
            missing += 1
    if is_terminal[root]:
        missing -= 1
    in_nodes[root] = 1
    key[root] = 0
    size = _push(heap, place, key, 0, root)
    while size > 0 and missing > 0:
        v = _pop(heap, place, key, size)
        size -= 1
        if is_terminal[v] and not in_nodes[v]:
            missing -= 1
            u = v
            while not in_nodes[u]:
                in_nodes[u] = 1
                key[u] = 0
                size = _push(heap, place, key, size, u)
                u = come_from[u]
            continue
        for p in range(first[v], first[v + 1]):
            c = cost[edge[p]]
            u = neighbour[p]
            if c >= 0 and not in_nodes[u] and key[v] + c < key[u]:
                key[u] = key[v] + c
                via[u] = edge[p]
                come_from[u] = v
                size = _push(heap, place, key, size, u)
    return missing


@njit(cache=True, nogil=True)
def _hang(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    in_tree: Mask,
    root: int,
    order: Ints,
    position: Ints,
    end: Ints,
    parent: Ints,
    via: Ints,
    degree: Ints,
    depth: Ints,
) -> int:
    """Hang the tree on `root`: preorder, ends of the subtrees, parents; return its size."""
    position[:] = -1
    degree[:] = 0
    stack = np.empty(order.shape[0], np.int64)
    stack[0] = root
    height = 1
    parent[root] = -1
    via[root] = -1
    depth[root] = 0
    count = 0
    while height > 0:
        height -= 1
        v = stack[height]
        order[count] = v
        position[v] = count
        end[v] = 1
        count += 1
        for p in range(first[v], first[v + 1]):
            if in_tree[edge[p]]:
                degree[v] += 1
                if edge[p] != via[v]:
                    u = neighbour[p]
                    parent[u] = v
                    via[u] = edge[p]
                    depth[u] = depth[v] + 1
                    stack[height] = u
                    height += 1
    for i in range(count - 1, 0, -1):
        v = order[i]
        end[parent[v]] += end[v]
    for i in range(count):
        end[order[i]] += i
    return count


@njit(cache=True, nogil=True)
def _walk(
    a: int, b: int, parent: Ints, depth: Ints, path_of: Ints, frozen: Mask, freeze: bool
) -> bool:
    """Follow the tree between two nodes; say whether a frozen path lies on it, or freeze all."""
    while a != b:
        if depth[a] < depth[b]:
            a, b = b, a
        if freeze:
            frozen[path_of[a]] = 1
        elif frozen[path_of[a]]:
            return True
        a = parent[a]
    return False


@njit(cache=True, nogil=True)
def _add_path(
    e: int,
    tail: Ints,
    head: Ints,
    via: Ints,
    local_via: Ints,
    local_stamp: Ints,
    stamp: int,
    in_nodes: Mask,
) -> None:
    """Add the nodes of the path over boundary edge `e` to the tree's nodes."""
    for v in (tail[e], head[e]):
        while True:
            in_nodes[v] = 1
            step = local_via[v] if local_stamp[v] == stamp else via[v]
            if step < 0:
                break
            v = tail[step] + head[step] - v


@njit(cache=True, nogil=True)
def exchange_paths(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    tail: Ints,
    head: Ints,
    cost: Ints,
    is_terminal: Mask,
    root: int,
    in_tree: Mask,
    in_nodes: Mask,
) -> int:
    """Replace key paths, and key vertices with their paths, by cheaper connections.

    A key vertex is a terminal or a node where the tree branches; a key path lies
    between two of them. Every candidate is judged on the tree as it came in; moves
    that touch disjoint sets of key paths are made together in `in_nodes`, which the
    caller turns into a tree again. Returns the sum of the gains (Uchoa and Werneck,
    Fast local search for the Steiner problem in graphs, 2012, describe both moves).
    """
    n = first.shape[0] - 1
    m = tail.shape[0]
    order = np.empty(n, np.int64)
    position = np.empty(n, np.int64)
    end = np.empty(n, np.int64)
    parent = np.full(n, -1, np.int64)
    up = np.full(n, -1, np.int64)
    degree = np.empty(n, np.int64)
    depth = np.zeros(n, np.int64)
    count = _hang(
        first, neighbour, edge, in_tree, root, order, position, end, parent, up, degree, depth
    )
    is_key = np.zeros(n, np.uint8)
    for i in range(count):
        v = order[i]
        is_key[v] = is_terminal[v] or degree[v] >= 3
    # path_of[v] names the key path of the edge above v by its lower key vertex.
    path_of = np.full(n, -1, np.int64)
    path_cost = np.zeros(n, np.int64)
    path_top = np.full(n, -1, np.int64)
    path_last = np.full(n, -1, np.int64)
    longest = 0
    for i in range(count - 1, 0, -1):
        v = order[i]
        if not is_key[v]:
            continue
        u = v
        while True:
            path_of[u] = v
            path_cost[v] += cost[up[u]]
            path_last[v] = u
            u = parent[u]
            if is_key[u]:
                break
        path_top[v] = u
        longest = max(longest, path_cost[v])
    paths_at = np.zeros(n, np.int64)
    for i in range(1, count):
        v = order[i]
        if is_key[v]:
            paths_at[v] += path_cost[v]
            paths_at[path_top[v]] += path_cost[v]
    for i in range(count):
        v = order[i]
        if is_key[v] and not is_terminal[v]:
            longest = max(longest, paths_at[v])

    in_base = np.zeros(n, np.uint8)
    for i in range(count):
        in_base[order[i]] = 1
    base = np.empty(n, np.int64)
    distance = np.empty(n, np.int64)
    via = np.empty(n, np.int64)
    voronoi(first, neighbour, edge, cost, in_base, longest, base, distance, via)

    # Nodes of each region, in the order of the tree.
    region_first = np.zeros(count + 1, np.int64)
    for v in range(n):
        if base[v] >= 0:
            region_first[position[base[v]] + 1] += 1
    for i in range(count):
        region_first[i + 1] += region_first[i]
    region = np.empty(region_first[count], np.int64)
    fill = region_first[:count].copy()
    for v in range(n):
        if base[v] >= 0:
            i = position[base[v]]
            region[fill[i]] = v
            fill[i] += 1

    # Border edges between regions, the shortest connections first.
    borders = 0
    border = np.empty(m, np.int64)
    length = np.empty(m, np.int64)
    for e in range(m):
        a, b = base[tail[e]], base[head[e]]
        if cost[e] >= 0 and a >= 0 and b >= 0 and a != b and not in_tree[e]:
            value = distance[tail[e]] + cost[e] + distance[head[e]]
            if value < longest:
                border[borders] = e
                length[borders] = value
                borders += 1
    by_length = np.argsort(length[:borders], kind="mergesort")
    # Ancestors of the key vertices, 1, 2, 4, ... key paths up.
    keys = np.empty(count, np.int64)
    key_number = np.full(n, -1, np.int64)
    key_count = 0
    for i in range(count):
        v = order[i]
        if is_key[v]:
            keys[key_count] = v
            key_number[v] = key_count
            key_count += 1
    levels = 1
    while (1 << levels) < key_count:
        levels += 1
    above = np.zeros((levels, key_count), np.int64)
    for i in range(1, key_count):
        above[0, i] = key_number[path_top[keys[i]]]
    for level in range(1, levels):
        for i in range(key_count):
            above[level, i] = above[level - 1, above[level - 1, i]]
    # The first border edge that passes round a key path is the best: `round_path`, and
    # `round_two` for a path together with the next one up. Paths served are skipped by
    # links, so that each is met once. At a branching node, those between two branches.
    round_path = np.full(n, -1, np.int64)
    round_two = np.full(n, -1, np.int64)
    link = np.arange(n)
    link_two = np.arange(n)
    fork = np.full(borders, -1, np.int64)
    fork_first = np.zeros(count + 1, np.int64)
    for i in range(borders):
        e = border[by_length[i]]
        a, b = base[tail[e]], base[head[e]]
        # Where each end enters the tree of key vertices, seen from the other one.
        enter_a, enter_b = a, b
        if not is_key[a]:
            low_end = path_of[a]
            inside = position[low_end] <= position[b] < end[low_end]
            enter_a = low_end if inside else path_top[low_end]
        if not is_key[b]:
            low_end = path_of[b]
            inside = position[low_end] <= position[a] < end[low_end]
            enter_b = low_end if inside else path_top[low_end]
        if enter_a == enter_b:
            continue
        for turn in range(2):
            x, y = (enter_a, enter_b) if turn == 0 else (enter_b, enter_a)
            at = position[y]
            u = _find(link, x)
            while not position[u] <= at < end[u]:
                round_path[u] = e
                link[u] = path_top[u]
                u = _find(link, u)
            u = _find(link_two, x)
            while not position[u] <= at < end[u]:
                top = path_top[u]
                if position[top] <= at < end[top]:
                    break
                round_two[u] = e
                link_two[u] = top
                u = _find(link_two, u)
        at = position[enter_b]
        if position[enter_a] <= at < end[enter_a]:
            continue
        k = key_number[enter_a]
        for level in range(levels - 1, -1, -1):
            u = keys[above[level, k]]
            if not position[u] <= at < end[u]:
                k = above[level, k]
        u = path_top[keys[k]]
        if u != enter_b and not is_terminal[u]:
            fork[i] = u
            fork_first[position[u] + 1] += 1
    for i in range(count):
        fork_first[i + 1] += fork_first[i]
    fork_edge = np.empty(fork_first[count], np.int64)
    fill = fork_first[:count].copy()
    for i in range(borders):
        if fork[i] >= 0:
            at = position[fork[i]]
            fork_edge[fill[at]] = border[by_length[i]]
            fill[at] += 1

    heap = np.empty(n, np.int64)
    place = np.full(n, -1, np.int64)
    local_distance = np.full(n, FAR, np.int64)
    local_base = np.full(n, -1, np.int64)
    local_via = np.full(n, -1, np.int64)
    local_stamp = np.full(n, -1, np.int64)
    freed = np.empty(n, np.int64)
    removed = np.empty(n, np.int64)
    frozen = np.zeros(n, np.uint8)
    most_parts = 12
    part_of_path = np.empty(most_parts, np.int64)
    low = np.empty(most_parts, np.int64)
    high = np.empty(most_parts, np.int64)
    best = np.empty((most_parts, most_parts), np.int64)
    best_edge = np.empty((most_parts, most_parts), np.int64)
    label = np.empty(most_parts, np.int64)
    gain_total = 0

    # Candidates 0..count-1 are key paths by their lower end, then key vertices.
    for candidate in range(1, 2 * count):
        whole_vertex = candidate >= count
        v = order[candidate - count] if whole_vertex else order[candidate]
        if not is_key[v] or (whole_vertex and is_terminal[v]):
            continue
        # The parts that stay: subtrees as ranges of the preorder; part 0 is the rest.
        parts = 1
        budget = 0
        removed_count = 0
        blocked = False
        if whole_vertex:
            if degree[v] > most_parts:
                continue
            budget = paths_at[v]
            removed[0] = v
            removed_count = 1
            for p in range(first[v], first[v + 1]):
                if not in_tree[edge[p]]:
                    continue
                u = neighbour[p]
                if edge[p] == up[v]:
                    lower = path_of[v]
                    part_of_path[0] = lower
                    while not is_key[u]:
                        removed[removed_count] = u
                        removed_count += 1
                        u = parent[u]
                else:
                    lower = path_of[u]
                    part_of_path[parts] = lower
                    low[parts] = position[lower]
                    high[parts] = end[lower]
                    parts += 1
                    while u != lower:
                        removed[removed_count] = u
                        removed_count += 1
                        # The next node down is the one child: just after u in preorder.
                        u = order[position[u] + 1]
                blocked = blocked or frozen[lower]
            if up[v] < 0:
                continue  # the root is a terminal, so this does not happen
        else:
            budget = path_cost[v]
            blocked = frozen[v]
            low[1] = position[v]
            high[1] = end[v]
            parts = 2
            u = parent[v]
            while not is_key[u]:
                removed[removed_count] = u
                removed_count += 1
                u = parent[u]
        if blocked or budget == 0:
            continue
        for i in range(parts):
            for j in range(parts):
                best[i, j] = FAR
        freed_count = 0
        for i in range(removed_count):
            at = position[removed[i]]
            for r in range(region_first[at], region_first[at + 1]):
                u = region[r]
                freed[freed_count] = u
                freed_count += 1
                local_stamp[u] = candidate
                local_distance[u] = FAR
                local_base[u] = -1
                local_via[u] = -1
        # Freed nodes find their nearest base among the parts that stay.
        size = 0
        for i in range(freed_count):
            u = freed[i]
            for p in range(first[u], first[u + 1]):
                w = neighbour[p]
                c = cost[edge[p]]
                if c < 0 or local_stamp[w] == candidate or base[w] < 0:
                    continue
                reach = distance[w] + c
                if reach < local_distance[u] and reach < budget:
                    local_distance[u] = reach
                    local_base[u] = base[w]
                    local_via[u] = edge[p]
            if local_base[u] >= 0:
                size = _push(heap, place, local_distance, size, u)
        while size > 0:
            u = _pop(heap, place, local_distance, size)
            size -= 1
            for p in range(first[u], first[u + 1]):
                w = neighbour[p]
                c = cost[edge[p]]
                if c < 0 or local_stamp[w] != candidate:
                    continue
                reach = local_distance[u] + c
                if reach < local_distance[w] and reach < budget:
                    local_distance[w] = reach
                    local_base[w] = local_base[u]
                    local_via[w] = edge[p]
                    size = _push(heap, place, local_distance, size, w)
        # Connections over freed nodes, then those found for the whole tree.
        for i in range(freed_count):
            u = freed[i]
            if local_base[u] < 0:
                continue
            at = position[local_base[u]]
            mine = 0
            for k in range(1, parts):
                if low[k] <= at < high[k]:
                    mine = k
            for p in range(first[u], first[u + 1]):
                w = neighbour[p]
                c = cost[edge[p]]
                if c < 0:
                    continue
                if local_stamp[w] == candidate:
                    other, far = local_base[w], local_distance[w]
                else:
                    other, far = base[w], distance[w]
                if other < 0:
                    continue
                at = position[other]
                theirs = 0
                for k in range(1, parts):
                    if low[k] <= at < high[k]:
                        theirs = k
                if mine != theirs:
                    value = local_distance[u] + c + far
                    if value < best[mine, theirs]:
                        best[mine, theirs] = best[theirs, mine] = value
                        best_edge[mine, theirs] = best_edge[theirs, mine] = edge[p]
        for k in range(1, parts):
            e = round_two[order[low[k]]] if whole_vertex else round_path[v]
            if e >= 0:
                value = distance[tail[e]] + cost[e] + distance[head[e]]
                if value < best[0, k]:
                    best[0, k] = best[k, 0] = value
                    best_edge[0, k] = best_edge[k, 0] = e
        if whole_vertex:
            for q in range(fork_first[position[v]], fork_first[position[v] + 1]):
                e = fork_edge[q]
                value = distance[tail[e]] + cost[e] + distance[head[e]]
                at = position[base[tail[e]]]
                other_at = position[base[head[e]]]
                mine = 0
                theirs = 0
                for k in range(1, parts):
                    if low[k] <= at < high[k]:
                        mine = k
                    if low[k] <= other_at < high[k]:
                        theirs = k
                if value < best[mine, theirs]:
                    best[mine, theirs] = best[theirs, mine] = value
                    best_edge[mine, theirs] = best_edge[theirs, mine] = e
        # The least tree over the parts, one connection after the other.
        for i in range(parts):
            label[i] = 0 if i == 0 else -1
        spent = 0
        chosen = np.empty(parts - 1, np.int64)
        for step in range(parts - 1):
            least = FAR
            joins = -1
            over = -1
            for i in range(parts):
                if label[i] < 0:
                    continue
                for j in range(parts):
                    if label[j] < 0 and best[i, j] < least:
                        least = best[i, j]
                        joins = j
                        over = best_edge[i, j]
            if joins < 0:
                spent = FAR
                break
            label[joins] = 0
            spent += least
            chosen[step] = over
        if spent >= budget:
            continue
        for step in range(parts - 1):
            e = chosen[step]
            a, b = tail[e], head[e]
            a = local_base[a] if local_stamp[a] == candidate else base[a]
            b = local_base[b] if local_stamp[b] == candidate else base[b]
            if _walk(a, b, parent, depth, path_of, frozen, False):
                blocked = True
        if blocked:
            continue
        gain_total += budget - spent
        for i in range(removed_count):
            in_nodes[removed[i]] = 0
        for step in range(parts - 1):
            e = chosen[step]
            a, b = tail[e], head[e]
            a = local_base[a] if local_stamp[a] == candidate else base[a]
            b = local_base[b] if local_stamp[b] == candidate else base[b]
            _walk(a, b, parent, depth, path_of, frozen, True)
            _add_path(e, tail, head, via, local_via, local_stamp, candidate, in_nodes)
    return gain_total


@njit(cache=True, nogil=True)
def insert_nodes(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    cost: Ints,
    root: int,
    in_tree: Mask,
    in_nodes: Mask,
) -> int:
    """Add nodes to `in_nodes` that make the tree cheaper by more than they cost.

    For a node with k edges to the tree, the dearest tree edges between their ends
    (k - 1 of them, by Kruskal) and the k new edges form a small graph; the least
    tree of it is the best use of the node. Returns the sum of the gains.
    """
    n = first.shape[0] - 1
    order = np.empty(n, np.int64)
    position = np.empty(n, np.int64)
    end = np.empty(n, np.int64)
    parent = np.full(n, -1, np.int64)
    up = np.full(n, -1, np.int64)
    degree = np.empty(n, np.int64)
    depth = np.zeros(n, np.int64)
    _hang(first, neighbour, edge, in_tree, root, order, position, end, parent, up, degree, depth)
    frozen = np.zeros(n, np.uint8)
    most = 8
    ends = np.empty(most, np.int64)
    fee = np.empty(most, np.int64)
    dear = np.empty((most, most), np.int64)
    weight = np.empty(most, np.int64)
    joined = np.empty(most, np.uint8)
    gain_total = 0
    for v in range(n):
        if position[v] >= 0:
            continue
        k = 0
        for p in range(first[v], first[v + 1]):
            if cost[edge[p]] >= 0 and position[neighbour[p]] >= 0 and k < most:
                ends[k] = neighbour[p]
                fee[k] = cost[edge[p]]
                k += 1
        if k < 2:
            continue
        blocked = False
        for i in range(k):
            for j in range(i):
                a, b = ends[i], ends[j]
                worst = 0
                while a != b:
                    if depth[a] < depth[b]:
                        a, b = b, a
                    if frozen[a]:
                        blocked = True
                    worst = max(worst, cost[up[a]])
                    a = parent[a]
                dear[i, j] = dear[j, i] = worst
        if blocked:
            continue
        # Old: the least tree of the ends by their dearest edges. New: with v as one more.
        old = 0
        new = 0
        for with_v in range(2):
            total = 0
            for i in range(k):
                joined[i] = 0
                weight[i] = fee[i] if with_v else dear[i, 0]
            if not with_v:
                joined[0] = 1
            for _ in range(k if with_v else k - 1):
                pick = -1
                for i in range(k):
                    if not joined[i] and (pick < 0 or weight[i] < weight[pick]):
                        pick = i
                joined[pick] = 1
                total += weight[pick]
                for i in range(k):
                    if not joined[i]:
                        weight[i] = min(weight[i], dear[pick, i])
            if with_v:
                new = total
            else:
                old = total
        if new >= old:
            continue
        gain_total += old - new
        in_nodes[v] = 1
        for i in range(k):
            for j in range(i):
                a, b = ends[i], ends[j]
                while a != b:
                    if depth[a] < depth[b]:
                        a, b = b, a
                    frozen[a] = 1
                    a = parent[a]
    return gain_total


@njit(cache=True, nogil=True)
def improve(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    tail: Ints,
    head: Ints,
    cost: Ints,
    is_terminal: Mask,
    in_tree: Mask,
    in_nodes: Mask,
    rounds: int,
) -> int:
    """Improve a tree until nothing helps or `rounds` are over; return its cost."""
    n = first.shape[0] - 1
    root = 0
    while not is_terminal[root]:
        root += 1
    total = prune_to_tree(first, neighbour, edge, cost, is_terminal, in_nodes, in_tree)
    if total < 0:
        return total
    nodes = np.empty(n, np.uint8)
    tree = np.empty(tail.shape[0], np.uint8)
    for _ in range(rounds):
        before = total
        for move in range(2):
            nodes[:] = in_nodes
            if move == 0:
                gain = insert_nodes(first, neighbour, edge, cost, root, in_tree, nodes)
            else:
                gain = exchange_paths(
                    first, neighbour, edge, tail, head, cost, is_terminal, root, in_tree, nodes
                )
            if gain == 0:
                continue
            changed = prune_to_tree(first, neighbour, edge, cost, is_terminal, nodes, tree)
            if 0 <= changed < total:
                total = changed
                in_nodes[:] = nodes
                in_tree[:] = tree
        if total == before:
            break
    return total


# ----------------------------------------------------------------------------------------
# Bounds


@njit(cache=True, nogil=True)
def twin_slots(first: Ints, neighbour: Ints, edge: Ints, twin: Ints) -> None:
    """Find, for each slot, the slot of the same edge at its other end."""
    seen = np.full(edge.shape[0] // 2, -1, np.int64)
    for p in range(edge.shape[0]):
        other = seen[edge[p]]
        if other < 0:
            seen[edge[p]] = p
        else:
            twin[p] = other
            twin[other] = p


@njit(cache=True, nogil=True)
def dual_ascent(
    first: Ints,
    neighbour: Ints,
    is_terminal: Mask,
    root: int,
    guide: Mask,
    slack: Ints,
    raised: Ints,
    cut_first: Ints,
    cut_arc: Ints,
    cuts: int,
) -> tuple[int, int]:
    """Wong's dual ascent on directed arcs; return by how much it raises the bound.

    Slot p stands for the arc from ``neighbour[p]`` to the node that p belongs to, and
    ``slack[p]`` is its cost, or what earlier cuts left of it; it is lowered here. The
    least cut is raised first (Wong, A dual ascent approach for Steiner tree problems on
    a directed graph, 1984), but one that a known good tree, the arcs marked in `guide`,
    crosses more than once comes late: it would be paid for more than once.

    Cuts are written down, while there is room, after the `cuts` that are there: how
    far each was raised, and its arcs at ``cut_arc[cut_first[k]:cut_first[k + 1]]``.
    Returns the rise of the bound and the number of cuts written down.
    """
    n = first.shape[0] - 1
    heap = np.empty(n, np.int64)
    place = np.full(n, -1, np.int64)
    key = np.zeros(n, np.int64)
    active = np.zeros(n, np.uint8)
    size = 0
    for v in range(n):
        if is_terminal[v] and v != root:
            active[v] = 1
            key[v] = first[v + 1] - first[v]
            size = _push(heap, place, key, size, v)
    active[root] = 1
    mark = np.full(n, -1, np.int64)
    queue = np.empty(n, np.int64)
    cut = np.empty(slack.shape[0], np.int64)
    stamp = 0
    bound = 0
    while size > 0:
        t = _pop(heap, place, key, size)
        size -= 1
        stamp += 1
        mark[t] = stamp
        queue[0] = t
        filled = 1
        scanned = 0
        arcs = 0
        while True:
            met = False
            while scanned < filled and not met:
                v = queue[scanned]
                scanned += 1
                for p in range(first[v], first[v + 1]):
                    u = neighbour[p]
                    if mark[u] == stamp:
                        continue
                    if slack[p] == 0:
                        if active[u]:
                            met = True
                            break
                        mark[u] = stamp
                        queue[filled] = u
                        filled += 1
                    else:
                        cut[arcs] = p
                        arcs += 1
            if met:
                # Another active terminal, or the root, now stands for this one.
                active[t] = 0
                break
            kept = 0
            crossings = 0
            least = FAR
            for i in range(arcs):
                p = cut[i]
                if mark[neighbour[p]] != stamp:
                    cut[kept] = p
                    kept += 1
                    crossings += guide[p]
                    least = min(least, slack[p])
            arcs = kept
            if arcs == 0:
                active[t] = 0
                break
            score = arcs + LATER * max(crossings - 1, 0)
            if size > 0 and 4 * score > 5 * key[heap[0]]:
                key[t] = score
                size = _push(heap, place, key, size, t)
                break
            bound += least
            if cuts < raised.shape[0] and cut_first[cuts] + arcs <= cut_arc.shape[0]:
                at = cut_first[cuts]
                cut_arc[at : at + arcs] = cut[:arcs]
                raised[cuts] = least
                cuts += 1
                cut_first[cuts] = at + arcs
            kept = 0
            for i in range(arcs):
                p = cut[i]
                slack[p] -= least
                if slack[p] > 0:
                    cut[kept] = p
                    kept += 1
                    continue
                u = neighbour[p]
                if mark[u] == stamp:
                    continue
                if active[u]:
                    met = True
                else:
                    mark[u] = stamp
                    queue[filled] = u
                    filled += 1
            if met:
                active[t] = 0
                break
            arcs = kept
    return bound, cuts


@njit(cache=True, nogil=True)
def adjust_cuts(
    first: Ints,
    neighbour: Ints,
    is_terminal: Mask,
    root: int,
    guide: Mask,
    centre: int,
    reach: int,
    chance: NDArray[np.float64],
    noise: float,
    slack: Ints,
    raised: Ints,
    cut_first: Ints,
    cut_arc: Ints,
    cuts: int,
) -> tuple[int, int]:
    """Take cuts back around a node and ascend anew; undo it if the bound would fall.

    The `reach` nodes nearest to `centre`, in steps, are the surroundings. There, the
    cuts go that the tree `guide` crosses more than once, and a part `noise` of the
    others, by the random numbers `chance` (dual adjustment: Poggi de Aragão, Uchoa and
    Werneck, Dual heuristics on the exact solution of large Steiner problems, 2001).
    Returns the rise of the bound and the number of cuts; a cut raised by 0 is dead.
    """
    n = first.shape[0] - 1
    near = np.zeros(n, np.uint8)
    queue = np.empty(n, np.int64)
    queue[0] = centre
    near[centre] = 1
    filled = 1
    scanned = 0
    while scanned < filled and filled < reach:
        v = queue[scanned]
        scanned += 1
        for p in range(first[v], first[v + 1]):
            u = neighbour[p]
            if not near[u]:
                near[u] = 1
                queue[filled] = u
                filled += 1
    old_slack = slack.copy()
    gone = np.empty(cuts, np.int64)
    by = np.empty(cuts, np.int64)
    gone_count = 0
    fall = 0
    for k in range(cuts):
        if raised[k] == 0:
            continue
        touches = False
        crossings = 0
        for i in range(cut_first[k], cut_first[k + 1]):
            crossings += guide[cut_arc[i]]
            touches = touches or near[neighbour[cut_arc[i]]]
        if not touches or (crossings <= 1 and chance[k % chance.shape[0]] >= noise):
            continue
        gone[gone_count] = k
        by[gone_count] = raised[k]
        gone_count += 1
        fall += raised[k]
        for i in range(cut_first[k], cut_first[k + 1]):
            slack[cut_arc[i]] += raised[k]
        raised[k] = 0
    rise, now = dual_ascent(
        first, neighbour, is_terminal, root, guide, slack, raised, cut_first, cut_arc, cuts
    )
    if rise >= fall:
        return rise - fall, now
    slack[:] = old_slack
    for i in range(gone_count):
        raised[gone[i]] = by[i]
    return 0, cuts


@njit(cache=True, nogil=True)
def pack_cuts(raised: Ints, cut_first: Ints, cut_arc: Ints, cuts: int) -> int:
    """Drop dead cuts; return how many are left."""
    kept = 0
    at = 0
    start = 0
    for k in range(cuts):
        stop = cut_first[k + 1]
        if raised[k] > 0:
            raised[kept] = raised[k]
            for i in range(start, stop):
                cut_arc[at] = cut_arc[i]
                at += 1
            kept += 1
            cut_first[kept] = at
        start = stop
    return kept


@njit(cache=True, nogil=True)
def arcs_from(
    first: Ints, neighbour: Ints, edge: Ints, in_tree: Mask, root: int, guide: Mask
) -> None:
    """Mark the arcs of a tree that lead away from the root."""
    n = first.shape[0] - 1
    guide[:] = 0
    above = np.full(n, -1, np.int64)
    stack = np.empty(n, np.int64)
    seen = np.zeros(n, np.uint8)
    stack[0] = root
    seen[root] = 1
    height = 1
    while height > 0:
        height -= 1
        v = stack[height]
        for p in range(first[v], first[v + 1]):
            if edge[p] == above[v]:
                guide[p] = 1
            elif in_tree[edge[p]] and not seen[neighbour[p]]:
                u = neighbour[p]
                seen[u] = 1
                above[u] = edge[p]
                stack[height] = u
                height += 1


@njit(cache=True, nogil=True)
def saturated_edges(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    slack: Ints,
    root: int,
    open_edge: Mask,
    seen: Mask,
) -> None:
    """Mark what the root reaches over arcs without slack: edges, and nodes in `seen`."""
    n = first.shape[0] - 1
    twin = np.empty(edge.shape[0], np.int64)
    twin_slots(first, neighbour, edge, twin)
    open_edge[:] = 0
    seen[:] = 0
    stack = np.empty(n, np.int64)
    stack[0] = root
    seen[root] = 1
    height = 1
    while height > 0:
        height -= 1
        v = stack[height]
        for p in range(first[v], first[v + 1]):
            if slack[twin[p]] == 0:
                open_edge[edge[p]] = 1
                u = neighbour[p]
                if not seen[u]:
                    seen[u] = 1
                    stack[height] = u
                    height += 1


@njit(cache=True, nogil=True)
def useless_edges(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    slack: Ints,
    is_terminal: Mask,
    root: int,
    room: int,
    useless: Mask,
) -> int:
    """Mark the edges that no tree cheaper than the best known one can hold; return how many.

    `room` is the best known cost less the bound of the dual ascent.
    """
    n = first.shape[0] - 1
    twin = np.empty(edge.shape[0], np.int64)
    twin_slots(first, neighbour, edge, twin)
    heap = np.empty(n, np.int64)
    place = np.full(n, -1, np.int64)
    from_root = np.full(n, FAR, np.int64)
    to_terminal = np.full(n, FAR, np.int64)
    from_root[root] = 0
    size = _push(heap, place, from_root, 0, root)
    while size > 0:
        v = _pop(heap, place, from_root, size)
        size -= 1
        for p in range(first[v], first[v + 1]):
            u = neighbour[p]
            reach = from_root[v] + slack[twin[p]]
            if reach < from_root[u] and reach < room:
                from_root[u] = reach
                size = _push(heap, place, from_root, size, u)
    for v in range(n):
        if is_terminal[v] and v != root:
            to_terminal[v] = 0
            size = _push(heap, place, to_terminal, size, v)
    while size > 0:
        v = _pop(heap, place, to_terminal, size)
        size -= 1
        for p in range(first[v], first[v + 1]):
            u = neighbour[p]
            reach = to_terminal[v] + slack[p]
            if reach < to_terminal[u] and reach < room:
                to_terminal[u] = reach
                size = _push(heap, place, to_terminal, size, u)
    found = 0
    for v in range(n):
        for p in range(first[v], first[v + 1]):
            u = neighbour[p]
            if u < v or useless[edge[p]]:
                continue
            into_v = from_root[u] + slack[p] + to_terminal[v]
            into_u = from_root[v] + slack[twin[p]] + to_terminal[u]
            if into_v >= room and into_u >= room:
                useless[edge[p]] = 1
                found += 1
    return found


# ----------------------------------------------------------------------------------------
# Reductions


@njit(cache=True, nogil=True)
def long_edges(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    tail: Ints,
    head: Ints,
    cost: Ints,
    is_terminal: Mask,
    base: Ints,
    distance: Ints,
    effort: int,
    useless: Mask,
) -> int:
    """Mark edges longer than a way round that rests at terminals; return how many.

    Of a walk between two nodes only its longest stretch without a terminal counts
    (bottleneck Steiner distance: Duin and Volgenant, 1989). An edge longer than it is
    in no cheapest tree; because it must be strictly longer, all such edges can go
    at once.
    """
    n = first.shape[0] - 1
    m = tail.shape[0]
    # Stretches between terminals: the least tree of their regions' border edges.
    length = np.full(m, FAR, np.int64)
    for e in range(m):
        a, b = tail[e], head[e]
        if base[a] >= 0 and base[b] >= 0 and base[a] != base[b]:
            length[e] = distance[a] + cost[e] + distance[b]
    by_length = np.argsort(length)
    link = np.arange(n)
    link_length = np.zeros(n, np.int64)
    rank = np.zeros(n, np.int64)
    for i in range(m):
        e = by_length[i]
        if length[e] == FAR:
            break
        a, b = base[tail[e]], base[head[e]]
        while link[a] != a:
            a = link[a]
        while link[b] != b:
            b = link[b]
        if a == b:
            continue
        if rank[a] > rank[b]:
            a, b = b, a
        link[a] = b
        link_length[a] = length[e]
        rank[b] = max(rank[b], rank[a] + 1)
    found = 0
    for e in range(m):
        a, b = tail[e], head[e]
        if base[a] < 0 or base[b] < 0:
            continue
        worst = max(distance[a], distance[b])
        a, b = base[a], base[b]
        while a != b and worst < cost[e]:
            # Links grow longer towards the root, so the lower rank moves first.
            if rank[a] <= rank[b] and link[a] != a:
                worst = max(worst, link_length[a])
                a = link[a]
            elif link[b] != b:
                worst = max(worst, link_length[b])
                b = link[b]
            else:
                worst = FAR
        if worst < cost[e]:
            useless[e] = 1
            found += 1
    # Short ways round without terminals.
    heap = np.empty(n, np.int64)
    place = np.full(n, -1, np.int64)
    reach = np.full(n, FAR, np.int64)
    touched = np.empty(n, np.int64)
    for v in range(n):
        limit = 0
        for p in range(first[v], first[v + 1]):
            if not useless[edge[p]] and neighbour[p] > v:
                limit = max(limit, cost[edge[p]])
        if limit == 0:
            continue
        reach[v] = 0
        touched[0] = v
        seen = 1
        size = _push(heap, place, reach, 0, v)
        steps = 0
        while size > 0 and steps < effort:
            u = _pop(heap, place, reach, size)
            size -= 1
            if reach[u] >= limit:
                break
            for p in range(first[u], first[u + 1]):
                steps += 1
                w = neighbour[p]
                at = reach[u] + cost[edge[p]]
                if at < reach[w] and at < limit:
                    if reach[w] == FAR:
                        touched[seen] = w
                        seen += 1
                    reach[w] = at
                    size = _push(heap, place, reach, size, w)
        for p in range(first[v], first[v + 1]):
            e = edge[p]
            w = neighbour[p]
            if w > v and not useless[e] and reach[w] < cost[e]:
                useless[e] = 1
                found += 1
        for i in range(size):
            place[heap[i]] = -1
        for i in range(seen):
            reach[touched[i]] = FAR
    return found


@njit(cache=True, nogil=True)
def _unlink(
    e: int, ends: Ints, before: Ints, after: Ints, start: Ints, degree: Ints, alive: Mask
) -> None:
    alive[e] = 0
    for h in (2 * e, 2 * e + 1):
        v = ends[h]
        if before[h] >= 0:
            after[before[h]] = after[h]
        else:
            start[v] = after[h]
        if after[h] >= 0:
            before[after[h]] = before[h]
        degree[v] -= 1


@njit(cache=True, nogil=True)
def _link(
    e: int, ends: Ints, before: Ints, after: Ints, start: Ints, degree: Ints, alive: Mask
) -> None:
    alive[e] = 1
    for h in (2 * e, 2 * e + 1):
        v = ends[h]
        before[h] = -1
        after[h] = start[v]
        if start[v] >= 0:
            before[start[v]] = h
        start[v] = h
        degree[v] += 1


@njit(cache=True, nogil=True)
def _edge_between(u: int, v: int, ends: Ints, after: Ints, start: Ints, degree: Ints) -> int:
    if degree[u] > degree[v]:
        u, v = v, u
    h = start[u]
    while h >= 0:
        if ends[h ^ 1] == v:
            return h >> 1
        h = after[h]
    return -1


@njit(cache=True, nogil=True)
def contract(
    n: int,
    m: int,
    ends: Ints,
    cost: Ints,
    left: Ints,
    right: Ints,
    alive: Mask,
    is_terminal: Mask,
    base: Ints,
    distance: Ints,
    may_fix: bool,
    fixed: Ints,
) -> tuple[int, int]:
    """Simplify a graph by its nodes of low degree and its terminals' nearest nodes.

    The `m` given edges come first in arrays that have room for n more; an edge made of
    two gets the next free number, with its parts in `left` and `right`.
    `alive` tells the edges that take part and, afterwards, those that are left; `ends`
    has both ends of edge e at 2e and 2e + 1. If `may_fix`, edges that a cheapest tree
    surely holds are written to `fixed`, and their ends become one node. Nodes that are no terminal
    any more lose that mark in `is_terminal`. Returns the number of edges numbered and
    of fixed ones.
    """
    used = m
    before = np.full(ends.shape[0], -1, np.int64)
    after = np.full(ends.shape[0], -1, np.int64)
    start = np.full(n, -1, np.int64)
    degree = np.zeros(n, np.int64)
    merged = np.arange(n)
    # Parallel edges: the cheapest stays, then the first.
    for e in range(used):
        if not alive[e]:
            continue
        alive[e] = 0
        u, v = ends[2 * e], ends[2 * e + 1]
        if u == v:
            continue
        other = _edge_between(u, v, ends, after, start, degree)
        if other >= 0:
            if cost[other] <= cost[e]:
                continue
            _unlink(other, ends, before, after, start, degree, alive)
        _link(e, ends, before, after, start, degree, alive)
    terminals = 0
    queue = np.empty(n + 1, np.int64)
    queued = np.ones(n, np.uint8)
    for v in range(n):
        queue[v] = v
        terminals += is_terminal[v]
    first = 0
    waiting = n
    fixed_count = 0
    while waiting > 0 and terminals > 1:
        v = queue[first]
        first = first + 1 if first < n else 0
        waiting -= 1
        queued[v] = 0
        if merged[v] != v or degree[v] == 0:
            continue
        touched_a = touched_b = -1
        if not is_terminal[v]:
            if degree[v] == 1:
                e = start[v] >> 1
                touched_a = ends[start[v] ^ 1]
                _unlink(e, ends, before, after, start, degree, alive)
            elif degree[v] == 2:
                h = start[v]
                e, f = h >> 1, after[h] >> 1
                touched_a, touched_b = ends[h ^ 1], ends[after[h] ^ 1]
                _unlink(e, ends, before, after, start, degree, alive)
                _unlink(f, ends, before, after, start, degree, alive)
                total = cost[e] + cost[f]
                other = _edge_between(touched_a, touched_b, ends, after, start, degree)
                if other < 0 or cost[other] > total:
                    if other >= 0:
                        _unlink(other, ends, before, after, start, degree, alive)
                    ends[2 * used] = touched_a
                    ends[2 * used + 1] = touched_b
                    cost[used] = total
                    left[used] = e
                    right[used] = f
                    _link(used, ends, before, after, start, degree, alive)
                    used += 1
        elif may_fix:
            # The nearest neighbour of a terminal, and how far the second nearest is.
            nearest = -1
            second = FAR
            h = start[v]
            while h >= 0:
                e = h >> 1
                if nearest < 0 or cost[e] < cost[nearest >> 1]:
                    if nearest >= 0:
                        second = min(second, cost[nearest >> 1])
                    nearest = h
                else:
                    second = min(second, cost[e])
                h = after[h]
            u = ends[nearest ^ 1]
            sure = degree[v] == 1 or is_terminal[u]
            if not sure:
                # A terminal so near behind u that the way there begins with this edge.
                h = start[v]
                while h >= 0 and not sure:  # among equals, any may be the one
                    e = h >> 1
                    w = ends[h ^ 1]
                    if cost[e] == cost[nearest >> 1] and is_terminal[w]:
                        sure, nearest, u = True, h, w
                    h = after[h]
            if not sure and base[u] >= 0:
                z = _find(merged, base[u])
                sure = z != v and cost[nearest >> 1] + distance[u] <= second
            if sure:
                e = nearest >> 1
                fixed[fixed_count] = e
                fixed_count += 1
                _unlink(e, ends, before, after, start, degree, alive)
                keep, gone = (v, u) if degree[v] >= degree[u] else (u, v)
                if is_terminal[u] and is_terminal[v]:
                    terminals -= 1
                is_terminal[keep] = 1
                is_terminal[gone] = 0
                merged[gone] = keep
                h = start[gone]
                while h >= 0:
                    following = after[h]
                    e = h >> 1
                    w = ends[h ^ 1]
                    _unlink(e, ends, before, after, start, degree, alive)
                    other = -1
                    if w != keep:
                        other = _edge_between(keep, w, ends, after, start, degree)
                        if other < 0 or cost[other] > cost[e]:
                            if other >= 0:
                                _unlink(other, ends, before, after, start, degree, alive)
                            ends[h] = keep
                            _link(e, ends, before, after, start, degree, alive)
                    if not queued[w]:
                        queued[w] = 1
                        queue[(first + waiting) % (n + 1)] = w
                        waiting += 1
                    h = following
                touched_a = keep
        # Whoever lost or gained an edge is looked at again, and so are terminals beside it.
        for k in range(2):
            w = touched_a if k == 0 else touched_b
            if w < 0:
                continue
            if not queued[w]:
                queued[w] = 1
                queue[(first + waiting) % (n + 1)] = w
                waiting += 1
            h = start[w]
            while h >= 0 and is_terminal[w]:
                x = ends[h ^ 1]
                if is_terminal[x] and not queued[x]:
                    queued[x] = 1
                    queue[(first + waiting) % (n + 1)] = x
                    waiting += 1
                h = after[h]
    if terminals <= 1:
        for e in range(used):
            alive[e] = 0
    return used, fixed_count


@njit(cache=True, nogil=True)
def project(left: Ints, right: Ints, m: int, used: int, chosen: Mask) -> None:
    """Mark, of the edges made of two, those with both parts chosen."""
    for e in range(m, used):
        chosen[e] = chosen[left[e]] and chosen[right[e]]


# ----------------------------------------------------------------------------------------
# Trees under a budget


@njit(cache=True, nogil=True)
def trim(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    cost: Ints,
    prize: NDArray[np.float64],
    root: int,
    budget: int,
    in_tree: Mask,
    in_nodes: Mask,
) -> int:
    """Cut branches off until the tree costs at most `budget`; return its cost.

    A branch goes where its prizes are worth less than its cost at some price of money;
    the lowest price that the budget can bear is found by halving the interval.
    """
    n = first.shape[0] - 1
    order = np.empty(n, np.int64)
    position = np.empty(n, np.int64)
    end = np.empty(n, np.int64)
    parent = np.full(n, -1, np.int64)
    up = np.full(n, -1, np.int64)
    degree = np.empty(n, np.int64)
    depth = np.zeros(n, np.int64)
    count = _hang(
        first, neighbour, edge, in_tree, root, order, position, end, parent, up, degree, depth
    )
    worth = np.zeros(n, np.float64)
    keep = np.zeros(n, np.uint8)
    low = 0.0
    high = 0.0
    for i in range(1, count):
        high += prize[order[i]]  # dearer than anything that costs something
    high = 2.0 * high + 1.0
    total = 0
    # The first round tries the lowest price, the last one repeats the best that fits.
    for attempt in range(62):
        price = 0.0
        if attempt > 0:
            price = high if attempt == 61 else 0.5 * (low + high)
        for i in range(count):
            worth[order[i]] = prize[order[i]]
        for i in range(count - 1, 0, -1):
            v = order[i]
            net = worth[v] - price * cost[up[v]]
            if net > 0.0:
                worth[parent[v]] += net
        total = 0
        keep[root] = 1
        for i in range(1, count):
            v = order[i]
            keep[v] = keep[parent[v]] and worth[v] - price * cost[up[v]] > 0.0
            if keep[v]:
                total += cost[up[v]]
        if attempt == 0 and total <= budget:
            break
        if total <= budget:
            high = price
        else:
            low = price
    for i in range(1, count):
        v = order[i]
        if not keep[v]:
            in_nodes[v] = 0
            in_tree[up[v]] = 0
    return total


@njit(cache=True, nogil=True)
def fill_budget(
    first: Ints,
    neighbour: Ints,
    edge: Ints,
    cost: Ints,
    prize: NDArray[np.float64],
    left: int,
    in_tree: Mask,
    in_nodes: Mask,
) -> int:
    """Add paths, best prize for the money first, while money is left; return what is left."""
    n = first.shape[0] - 1
    heap = np.empty(n, np.int64)
    place = np.full(n, -1, np.int64)
    key = np.full(n, FAR, np.int64)
    via = np.full(n, -1, np.int64)
    come_from = np.full(n, -1, np.int64)
    size = 0
    for v in range(n):
        if in_nodes[v]:
            key[v] = 0
            size = _push(heap, place, key, size, v)
    while True:
        while size > 0:
            v = _pop(heap, place, key, size)
            size -= 1
            for p in range(first[v], first[v + 1]):
                u = neighbour[p]
                reach = key[v] + cost[edge[p]]
                if reach < key[u] and reach <= left:
                    key[u] = reach
                    via[u] = edge[p]
                    come_from[u] = v
                    size = _push(heap, place, key, size, u)
        pick = -1
        best = 0.0
        for v in range(n):
            if prize[v] <= 0.0 or in_nodes[v] or key[v] > left:
                continue
            gain = 0.0
            u = v
            while not in_nodes[u]:
                gain += prize[u]
                u = come_from[u]
            if pick < 0 or gain > best * max(key[v], 0.5):
                pick = v
                best = gain / max(key[v], 0.5)
        if pick < 0:
            return left
        left -= key[pick]
        u = pick
        while not in_nodes[u]:
            in_nodes[u] = 1
            in_tree[via[u]] = 1
            key[u] = 0
            size = _push(heap, place, key, size, u)
            u = come_from[u]
