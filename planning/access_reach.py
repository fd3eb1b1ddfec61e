"""Which homes an access point reaches along the routes, and who gets its ports.

All distances are along roads, ducts and poles: from the home to the nearest route,
along it, and from the route to the access point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse
import scipy.sparse.csgraph
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from planning.route_graph import RouteGraph

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Distances are rounded to this, so that the order of the rows leaves no trace. [m]
PRECISION_M = 1e-3

#: Values of the distance matrices that are held at once.
_BLOCK_VALUES = 4_000_000

Progress = Callable[[float], None]


def _silent(_: float) -> None:
    return None


@dataclass(frozen=True, eq=False)
class Pairs:
    """Homes and access points within reach of each other.

    Parameters
    ----------
    home, access
        Positions of each pair's home and access point, shape (n_pairs,).
    distance_m
        Length of the drop, both ways off the route included. [m]
    home_offset_m
        Distance of each home from the nearest route, infinite where there is none
        near enough. [m]
    access_offset_m
        The same of each access point. [m]
    nearest
        Position of the access point nearest to each home, however far; -1 for none.
    nearest_m
        How far it is, infinite for none. [m]
    """

    home: IntArray
    access: IntArray
    distance_m: FloatArray
    home_offset_m: FloatArray
    access_offset_m: FloatArray
    nearest: IntArray
    nearest_m: FloatArray

    def within(self, limit_m: FloatArray | float) -> NDArray[np.bool_]:
        """Return which pairs are no longer than a limit, one for all or one per access point.

        Parameters
        ----------
        limit_m
            The limit, or shape (n_access,). [m]

        Returns
        -------
        NDArray
            Shape (n_pairs,).
        """
        limit = np.asarray(limit_m, dtype=np.float64)
        return np.asarray(self.distance_m <= (limit if limit.ndim == 0 else limit[self.access]))


def find_pairs(
    graph: RouteGraph,
    home_x_m: FloatArray,
    home_y_m: FloatArray,
    access_x_m: FloatArray,
    access_y_m: FloatArray,
    *,
    drop_m: float,
    access_reach_m: float,
    on_progress: Progress = _silent,
) -> Pairs:
    """Find all pairs of home and access point within a drop length of each other.

    Parameters
    ----------
    graph
        Routes for drop cables.
    home_x_m, home_y_m, access_x_m, access_y_m
        Places in the graph's CRS, shapes (n_homes,) and (n_access,). [m]
    drop_m
        Greatest length. [m]
    access_reach_m
        How far a home or an access point may stand off the nearest route. [m]
    on_progress
        Called with the share done.

    Returns
    -------
    Pairs
        In no particular order.
    """
    homes = _on_routes(graph, home_x_m, home_y_m, access_reach_m)
    access = _on_routes(graph, access_x_m, access_y_m, access_reach_m)
    on_progress(0.2)
    nearest, nearest_m = _nearest(graph, homes, access)
    on_progress(0.3)
    found = _blocks(graph, homes, access, drop_m, on_progress)
    return Pairs(*found, homes.offset_m, access.offset_m, nearest, nearest_m)


@dataclass(frozen=True, eq=False)
class _Points:
    """Points and where they hang on the graph; those off the network have edge -1."""

    x_m: FloatArray
    y_m: FloatArray
    edge: IntArray
    tail: IntArray
    head: IntArray
    to_tail_m: FloatArray
    to_head_m: FloatArray
    offset_m: FloatArray


def _on_routes(graph: RouteGraph, x_m: FloatArray, y_m: FloatArray, tolerance_m: float) -> _Points:
    edge, offset, along = graph.nearest_edges(x_m, y_m, tolerance_m=tolerance_m)
    off = edge < 0
    if not graph.n_edges:
        nowhere = np.full(len(edge), -1, dtype=np.int64)
        return _Points(x_m, y_m, edge, nowhere, nowhere, along, along, offset)
    at = np.where(off, 0, edge)
    length = graph.length_m[at]
    # The length of an edge is that of its line but for rounding.
    to_tail = np.clip(along, 0.0, length)
    return _Points(
        np.asarray(x_m, dtype=np.float64),
        np.asarray(y_m, dtype=np.float64),
        edge,
        np.where(off, -1, graph.tail[at]),
        np.where(off, -1, graph.head[at]),
        to_tail,
        length - to_tail,
        offset,
    )


def _rounded(distance_m: FloatArray) -> FloatArray:
    return np.asarray(np.round(distance_m / PRECISION_M) * PRECISION_M)


def _nearest(graph: RouteGraph, homes: _Points, access: _Points) -> tuple[IntArray, FloatArray]:
    """Return the nearest access point of each home, however far."""
    there = np.flatnonzero(access.edge >= 0)
    nearest = np.full(len(homes.edge), -1, dtype=np.int64)
    far = np.full(len(homes.edge), np.inf)
    if not len(there):
        return nearest, far
    offset = access.offset_m[there]
    distance, source = graph.distances(
        np.r_[access.tail[there], access.head[there]],
        offsets=np.r_[offset + access.to_tail_m[there], offset + access.to_head_m[there]],
    )
    on = np.flatnonzero(homes.edge >= 0)
    by_tail = distance[homes.tail[on]] + homes.to_tail_m[on]
    by_head = distance[homes.head[on]] + homes.to_head_m[on]
    best = np.minimum(by_tail, by_head)
    who = np.where(by_tail <= by_head, source[homes.tail[on]], source[homes.head[on]])
    good = np.isfinite(best)
    far[on[good]] = best[good]
    nearest[on[good]] = np.r_[there, there][who[good]]
    # Along the same edge, without passing an end of it.
    home, other = _same_edge(homes.edge, access.edge)
    inner = np.abs(homes.to_tail_m[home] - access.to_tail_m[other]) + access.offset_m[other]
    order = np.lexsort((other, inner, home))
    home, other, inner = home[order], other[order], inner[order]
    first = np.ones(len(home), dtype=bool)
    first[1:] = home[1:] != home[:-1]
    home, other, inner = home[first], other[first], inner[first]
    better = inner < far[home]
    far[home[better]], nearest[home[better]] = inner[better], other[better]
    return nearest, _rounded(far + np.where(np.isfinite(far), homes.offset_m, 0.0))


def _same_edge(home_edge: IntArray, access_edge: IntArray) -> tuple[IntArray, IntArray]:
    """Return all pairs of home and access point on the same edge."""
    order = np.argsort(access_edge, kind="stable")
    edges = access_edge[order]
    on = np.flatnonzero(home_edge >= 0)
    low = np.searchsorted(edges, home_edge[on], side="left")
    count = np.searchsorted(edges, home_edge[on], side="right") - low
    home = np.repeat(on, count)
    number = np.arange(len(home)) - np.repeat(np.cumsum(count) - count, count)
    return home, order[np.repeat(low, count) + number]


def _blocks(
    graph: RouteGraph, homes: _Points, access: _Points, drop_m: float, on_progress: Progress
) -> tuple[IntArray, IntArray, FloatArray]:
    """Go through the access points square by square, looking only at what is around each."""
    nothing = np.zeros(0, dtype=np.int64)
    live = np.flatnonzero((access.edge >= 0) & (access.offset_m <= drop_m))
    reachable = np.flatnonzero((homes.edge >= 0) & (homes.offset_m <= drop_m))
    if not len(live) or not len(reachable):
        return nothing, nothing, np.zeros(0)
    matrix = graph.matrix()
    node_tree = cKDTree(np.column_stack([graph.x_m, graph.y_m]))
    home_tree = cKDTree(np.column_stack([homes.x_m, homes.y_m])[reachable])
    side = max(4.0 * drop_m, 200.0)
    square = np.column_stack([access.x_m, access.y_m])[live] // side
    order = np.lexsort((square[:, 1], square[:, 0]))
    live, square = live[order], square[order]
    starts = np.flatnonzero(np.r_[True, (np.diff(square, axis=0) != 0).any(axis=1)])
    bounds = np.r_[starts, len(live)]
    local = np.full(graph.n_nodes, -1, dtype=np.int64)
    # Nodes that lay within the snapping tolerance were moved together.
    half = 0.5 * side + 1.01 * drop_m + 20.0
    parts: list[tuple[IntArray, IntArray, FloatArray]] = []
    for k in range(len(starts)):
        mine = live[bounds[k] : bounds[k + 1]]
        centre = (square[bounds[k]] + 0.5) * side
        near = np.asarray(node_tree.query_ball_point(centre, half, p=np.inf), dtype=np.int64)
        around = reachable[np.asarray(home_tree.query_ball_point(centre, half, p=np.inf), int)]
        if len(around):
            near.sort()
            local[near] = np.arange(len(near))
            inner = matrix[near][:, near]
            step = max(1, _BLOCK_VALUES // (len(near) + len(around)))
            parts += [
                _block(inner, local, mine[s : s + step], around, homes, access, drop_m)
                for s in range(0, len(mine), step)
            ]
            local[near] = -1
        on_progress(0.3 + 0.7 * (k + 1) / len(starts))
    if not parts:
        return nothing, nothing, np.zeros(0)
    home, other, distance = (np.concatenate(column) for column in zip(*parts, strict=True))
    return home, other, distance


def _block(
    matrix: scipy.sparse.csr_array,
    local: IntArray,
    mine: IntArray,
    around: IntArray,
    homes: _Points,
    access: _Points,
    drop_m: float,
) -> tuple[IntArray, IntArray, FloatArray]:
    count, total = matrix.shape[0], matrix.shape[0] + len(mine)
    # Each access point becomes a node that leads to the ends of its edge, not back.
    ends = np.column_stack([local[access.tail[mine]], local[access.head[mine]]]).ravel()
    length = np.column_stack([access.to_tail_m[mine], access.to_head_m[mine]]).ravel()
    start = np.repeat(count + np.arange(len(mine)), 2)
    known = ends >= 0
    inner = matrix.tocoo()
    graph = scipy.sparse.csr_array(
        _least(
            np.r_[inner.row, start[known]],
            np.r_[inner.col, ends[known]],
            np.r_[inner.data, length[known]],
            total,
        ),
        shape=(total, total),
    )
    reach = scipy.sparse.csgraph.dijkstra(
        graph, directed=True, indices=np.arange(count, total), limit=drop_m + 1.0
    )[:, :count]
    # A last column for ends of edges that lie farther away than any drop.
    reach = np.column_stack([reach, np.full(len(mine), np.inf)])
    way = np.minimum(
        reach[:, local[homes.tail[around]]] + homes.to_tail_m[around],
        reach[:, local[homes.head[around]]] + homes.to_head_m[around],
    )
    same = access.edge[mine][:, None] == homes.edge[around][None, :]
    row, column = np.nonzero(same)
    inside = np.abs(access.to_tail_m[mine[row]] - homes.to_tail_m[around[column]])
    way[row, column] = np.minimum(way[row, column], inside)
    distance = _rounded(way + homes.offset_m[around] + access.offset_m[mine][:, None])
    row, column = np.nonzero(distance <= drop_m)
    return around[column], mine[row], distance[row, column]


def _least(
    row: IntArray, column: IntArray, value: FloatArray, count: int
) -> tuple[FloatArray, tuple[IntArray, IntArray]]:
    """Keep the least of several entries at one place, which scipy would add up."""
    order = np.lexsort((value, row * count + column))
    row, column, value = row[order], column[order], value[order]
    first = np.ones(len(row), dtype=bool)
    first[1:] = (row[1:] != row[:-1]) | (column[1:] != column[:-1])
    return value[first], (row[first], column[first])


def assign(
    pairs: Pairs,
    households: FloatArray,
    ports: FloatArray,
    *,
    home_rank: IntArray,
    access_rank: IntArray,
    use: NDArray[np.bool_] | None = None,
) -> FloatArray:
    """Give ports to homes, the shortest drop first.

    All pairs are gone through by increasing length; each home takes what it still
    needs of what the access point still has. The outcome is stable: no home and
    access point would both rather have each other than what they got, since both
    prefer the shorter drop. So another access point, more ports or a longer drop
    never leave a home with less than before, and the order of the rows plays no part.

    Parameters
    ----------
    pairs
        From `find_pairs`.
    households
        Households of each home (a point may stand for several or for part of one).
    ports
        Ports of each access point; infinite where they are no limit.
    home_rank, access_rank
        Places in an order that says who comes first at equal length.
    use
        Pairs that count; all if None.

    Returns
    -------
    NDArray
        Households of each home that got a port, shape (n_homes,).

    References
    ----------
    Baïou, M., and Balinski, M., "The stable allocation (or ordinal transportation)
    problem", Mathematics of Operations Research 27 (2002).
    """
    chosen = np.arange(len(pairs.home)) if use is None else np.flatnonzero(use)
    home, access = pairs.home[chosen], pairs.access[chosen]
    order = np.lexsort((access_rank[access], home_rank[home], pairs.distance_m[chosen]))
    left = households.tolist()
    free = ports.tolist()
    for h, a in zip(home[order].tolist(), access[order].tolist(), strict=True):
        got = min(left[h], free[a])
        if got > 0.0:
            left[h] -= got
            free[a] -= got
    return np.asarray(households - np.asarray(left, dtype=np.float64))


def ranks(*keys: NDArray[np.generic]) -> IntArray:
    """Return the place of each row in the order of several keys, the first one first.

    Parameters
    ----------
    *keys
        Arrays of one length.

    Returns
    -------
    NDArray
        From 0; rows equal in all keys have the places of their order.

    Examples
    --------
    >>> ranks(np.array([2, 1, 1]), np.array([0, 9, 5])).tolist()
    [2, 1, 0]
    """
    place = np.empty(len(keys[0]), dtype=np.int64)
    place[np.lexsort(keys[::-1])] = np.arange(len(keys[0]))
    return place
