"""Roads, ducts, poles and cables as one graph along which fibre can be laid.

Lines are joined only where they join in reality: at a vertex that they share, or
where an end lies on another line. Lines that cross without a shared vertex pass
over each other, as a road on a bridge does. Ends that almost meet are joined
within a stated tolerance, and what stays open is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import scipy.sparse
import scipy.sparse.csgraph
import shapely
from numpy.typing import NDArray

from data.clutter_classes import WATER
from data.errors import InputError, Message, Problem, message
from data.grid import Raster
from planning.cost import UnitCost

#: How near two ends must be to count as one, and an end to a line to lie on it. [m]
SNAP_M = 1.0

#: How far an end may be from a line to be reported as a probable gap. [m]
GAP_M = 15.0

#: How far a duct or pole line may lie beside a road to be linked with it. [m]
LINK_M = 30.0

#: How far a point of the network may be from every route without being reported. [m]
NODE_M = 50.0

#: How a duct or pole line is linked with a road beside it.
LINK_ITEM = "trench_unpaved"

#: Ways to lay cable along a road, of which the cheapest allowed one is taken.
ROAD_ITEMS = ("aerial_new_poles", "trench_unpaved", "trench_paved")

#: Surfaces into which a trench is dug without breaking them up; unknown ones count as paved.
UNPAVED = frozenset(
    (
        "clay",
        "compacted",
        "dirt",
        "earth",
        "fine_gravel",
        "grass",
        "gravel",
        "ground",
        "mud",
        "sand",
        "soil",
        "unpaved",
    )
)

#: Roads along which no cable is laid.
CLOSED_ROADS = frozenset({"motorway", "motorway_link", "expressway", "proposed", "construction"})

#: Places on a line nearer than this are one. [m]
_SAME_M = 1e-6

#: Cuts of a line nearer than this are one. [m]
_SAME_CUT_M = 1e-3

#: Step at which the land cover under a line is looked at. [m]
_STEP_M = 10.0

Progress = Callable[[float], None]


def _silent(_: float) -> None:
    return None


@dataclass(frozen=True, eq=False)
class Crossings:
    """Where edges cross railways and water.

    Parameters
    ----------
    edge
        Position of the edge, int64, shape (n_crossings,).
    along_m
        Place from the edge's tail. [m]
    is_rail
        Whether it is a railway; else water.
    cost
        Typical cost of the crossing.
    """

    edge: NDArray[np.int64]
    along_m: NDArray[np.float64]
    is_rail: NDArray[np.bool_]
    cost: NDArray[np.float64]

    @staticmethod
    def none() -> Crossings:
        """Return no crossings."""
        nothing = np.zeros(0)
        return Crossings(nothing.astype(np.int64), nothing, nothing.astype(bool), nothing)

    def count(self, n_edges: int, *, rail: bool) -> NDArray[np.int64]:
        """Return how many railways, or stretches of water, each edge crosses."""
        mine = self.edge[self.is_rail == rail]
        return np.bincount(mine, minlength=n_edges).astype(np.int64)

    def money(self, n_edges: int) -> NDArray[np.float64]:
        """Return what the crossings of each edge cost."""
        return np.bincount(self.edge, weights=self.cost, minlength=n_edges).astype(np.float64)


@dataclass(frozen=True, eq=False)
class RouteGraph:
    """A graph of nodes with places and edges with lines; edges can be used both ways.

    Parameters
    ----------
    x_m, y_m
        Places of the nodes, float64, shape (n_nodes,). [m]
    tail, head
        Nodes of each edge, int64, shape (n_edges,).
    length_m
        Length of each edge along its line, float64. [m]
    cost
        Typical cost of laying cable along each edge, crossings included, float64.
    item
        Cost item of each edge's metres, e.g. ``"trench_unpaved"``.
    layer, row
        Layer and row position that each edge comes from; ``"link"`` and -1 for links
        made between ducts and roads.
    line
        Line of each edge, from tail to head.
    crs
        Metric CRS.
    crossings
        Railways and stretches of water that edges cross.
    """

    x_m: NDArray[np.float64]
    y_m: NDArray[np.float64]
    tail: NDArray[np.int64]
    head: NDArray[np.int64]
    length_m: NDArray[np.float64]
    cost: NDArray[np.float64]
    item: NDArray[np.object_]
    layer: NDArray[np.object_]
    row: NDArray[np.int64]
    line: NDArray[np.object_]
    crs: str
    crossings: Crossings = field(default_factory=Crossings.none)

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.x_m)

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return len(self.tail)

    @property
    def rail_crossings(self) -> NDArray[np.int64]:
        """Number of railways that each edge crosses."""
        return self.crossings.count(self.n_edges, rail=True)

    @property
    def water_crossings(self) -> NDArray[np.int64]:
        """Number of stretches of water that each edge crosses."""
        return self.crossings.count(self.n_edges, rail=False)

    def matrix(self, weight: str = "length_m") -> scipy.sparse.csr_array:
        """Return the adjacency matrix; of parallel edges the lightest counts.

        Parameters
        ----------
        weight
            ``"length_m"`` or ``"cost"``.

        Returns
        -------
        csr_array
            Symmetric, shape (n_nodes, n_nodes).
        """
        values = np.asarray(getattr(self, weight), dtype=np.float64)
        low, high = np.minimum(self.tail, self.head), np.maximum(self.tail, self.head)
        keep = low != high
        low, high, values = low[keep], high[keep], values[keep]
        order = np.lexsort((values, high, low))
        low, high, values = low[order], high[order], values[order]
        first = np.ones(len(low), dtype=bool)
        first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
        low, high, values = low[first], high[first], values[first]
        shape = (self.n_nodes, self.n_nodes)
        return scipy.sparse.csr_array(
            (np.r_[values, values], (np.r_[low, high], np.r_[high, low])), shape=shape
        )

    def distances(
        self,
        sources: Sequence[int] | NDArray[np.int64],
        *,
        weight: str = "length_m",
        limit: float = np.inf,
        offsets: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return how far every node is from the nearest source along the graph.

        Parameters
        ----------
        sources
            Nodes.
        weight
            ``"length_m"`` or ``"cost"``.
        limit
            Where to stop.
        offsets
            What is added at each source, e.g. its distance from the route.

        Returns
        -------
        distance
            Shape (n_nodes,), infinite beyond `limit` and where no way leads.
        nearest
            Position in `sources` of the nearest one, -1 where there is none.
        """
        sources = np.asarray(sources, dtype=np.int64)
        distance = np.full(self.n_nodes, np.inf)
        nearest = np.full(self.n_nodes, -1, dtype=np.int64)
        if not len(sources):
            return distance, nearest
        offsets = np.zeros(len(sources)) if offsets is None else offsets
        # One extra node before all sources carries their offsets.
        start = self.n_nodes
        best: dict[int, int] = {}
        for k, node in enumerate(sources.tolist()):
            if node not in best or offsets[k] < offsets[best[node]]:
                best[node] = k
        into = np.fromiter(best, dtype=np.int64, count=len(best))
        first = offsets[np.fromiter(best.values(), dtype=np.int64, count=len(best))]
        inner = self.matrix(weight).tocoo()
        graph = scipy.sparse.csr_array(
            (
                np.r_[inner.data, first],
                (np.r_[inner.row, np.full(len(into), start)], np.r_[inner.col, into]),
            ),
            shape=(start + 1, start + 1),
        )
        found, before = scipy.sparse.csgraph.dijkstra(
            graph, directed=True, indices=start, return_predecessors=True, limit=limit
        )
        distance[:] = found[:start]
        # Nodes in order of distance: each has the source of the one before it.
        owner = np.full(start + 1, -1, dtype=np.int64)
        for node, k in best.items():
            if before[node] == start:
                owner[node] = k
        reached = np.flatnonzero(np.isfinite(distance))
        _follow(before, owner, reached)
        nearest[reached] = owner[reached]
        return distance, nearest

    def components(self) -> NDArray[np.int64]:
        """Return the number of the connected part that each node is in, the longest one 0."""
        count, label = scipy.sparse.csgraph.connected_components(self.matrix(), directed=False)
        size = np.bincount(label[self.tail], weights=self.length_m, minlength=count)
        rank = np.empty(len(size), dtype=np.int64)
        rank[np.argsort(-size, kind="stable")] = np.arange(len(size))
        return rank[label]

    def nearest_edges(
        self,
        x_m: NDArray[np.float64],
        y_m: NDArray[np.float64],
        *,
        tolerance_m: float,
        among: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the nearest edge of each point.

        Parameters
        ----------
        x_m, y_m
            Points, shape (n,). [m]
        tolerance_m
            How far the edge may be. [m]
        among
            Mark of the edges that count, shape (n_edges,); None for all.

        Returns
        -------
        edge
            Position of the edge, -1 beyond the tolerance; of edges equally near the
            cheapest per metre.
        offset_m
            Distance from the point to it, infinite beyond the tolerance. [m]
        along_m
            Place of the nearest point of the edge, from its tail. [m]
        """
        points = np.asarray(shapely.points(x_m, y_m), dtype=object)
        edge = np.full(len(points), -1, dtype=np.int64)
        offset = np.full(len(points), np.inf)
        along = np.zeros(len(points))
        chosen = np.arange(self.n_edges) if among is None else np.flatnonzero(among)
        if len(chosen) and len(points):
            (which, found), far = shapely.STRtree(self.line[chosen]).query_nearest(
                points, max_distance=max(tolerance_m, 1e-9), return_distance=True
            )
            found = chosen[found]
            dear = self.cost[found] / self.length_m[found]
            order = np.lexsort((found, dear, which))
            which, found, far = which[order], found[order], far[order]
            first = np.ones(len(which), dtype=bool)
            first[1:] = which[1:] != which[:-1]
            which, found, far = which[first], found[first], far[first]
            edge[which], offset[which] = found, far
            along[which] = shapely.line_locate_point(self.line[found], points[which])
        return edge, offset, along

    def attach(
        self, x_m: NDArray[np.float64], y_m: NDArray[np.float64], *, tolerance_m: float
    ) -> tuple[RouteGraph, NDArray[np.int64], NDArray[np.float64]]:
        """Give points a node on the nearest edge, which is split there.

        Parameters
        ----------
        x_m, y_m
            Points, shape (n,). [m]
        tolerance_m
            How far the edge may be. [m]

        Returns
        -------
        graph
            With the new nodes; the old ones keep their numbers.
        node
            Node of each point, -1 beyond the tolerance.
        offset_m
            Distance from each point to its node, infinite beyond the tolerance. [m]
        """
        edge, offset, along = self.nearest_edges(x_m, y_m, tolerance_m=tolerance_m)
        near = np.flatnonzero(edge >= 0)
        node = np.full(len(edge), -1, dtype=np.int64)
        graph, node[near] = self.split(edge[near], along[near])
        return graph, node, offset

    def split(
        self, edge: NDArray[np.int64], along_m: NDArray[np.float64]
    ) -> tuple[RouteGraph, NDArray[np.int64]]:
        """Give places on edges a node.

        Parameters
        ----------
        edge, along_m
            Positions of edges and places from their tails, shape (n,). [m]

        Returns
        -------
        graph
            With the new nodes; the old ones keep their numbers. Crossings stay where
            they are.
        node
            Node of each place: a new one, or an end of the edge.
        """
        whole = shapely.length(self.line[edge])
        at_tail = along_m <= _SAME_M
        at_head = (along_m >= whole - _SAME_M) & ~at_tail
        node = np.where(at_tail, self.tail[edge], self.head[edge])
        inner = np.flatnonzero(~at_tail & ~at_head)
        if not len(inner):
            return self, node
        keys, place = np.unique(
            np.column_stack([edge[inner], np.round(along_m[inner], 6)]),
            axis=0,
            return_inverse=True,
        )
        cut_edge, cut_along = keys[:, 0].astype(np.int64), keys[:, 1]
        new = self.n_nodes + np.arange(len(keys))
        node[inner] = new[place.ravel()]
        edges = np.unique(cut_edge)
        number = np.searchsorted(edges, cut_edge)
        lines, mine = cut_lines(self.line[edges], number, cut_along)
        # The pieces of an edge lie in a row: each begins at the node at which the last ends.
        first = np.r_[True, mine[1:] != mine[:-1]]
        last = np.r_[first[1:], True]
        tail, head = np.empty(len(mine), np.int64), np.empty(len(mine), np.int64)
        tail[first], head[last] = self.tail[edges], self.head[edges]
        tail[~first] = head[~last] = new
        begin = shapely.get_point(lines[~first], 0)
        stay = np.setdiff1d(np.arange(self.n_edges), edges)
        index = np.r_[stay, edges[mine]]
        length = self.length_m[index].copy()
        length[len(stay) :] *= shapely.length(lines) / shapely.length(self.line[edges[mine]])
        crossings = self._moved(stay, edges, np.flatnonzero(first), number, cut_along)
        bare = self.cost - self.crossings.money(self.n_edges)
        cost = bare[index] * length / np.maximum(self.length_m[index], 1e-12)
        graph = replace(
            self,
            x_m=np.r_[self.x_m, shapely.get_x(begin)],
            y_m=np.r_[self.y_m, shapely.get_y(begin)],
            tail=np.r_[self.tail[stay], tail],
            head=np.r_[self.head[stay], head],
            length_m=length,
            cost=cost + crossings.money(len(index)),
            item=self.item[index],
            layer=self.layer[index],
            row=self.row[index],
            line=np.r_[self.line[stay], lines],
            crossings=crossings,
        )
        return graph, node

    def _moved(
        self,
        stay: NDArray[np.int64],
        edges: NDArray[np.int64],
        first: NDArray[np.intp],
        number: NDArray[np.intp],
        cut_along: NDArray[np.float64],
    ) -> Crossings:
        """Return the crossings on the edges that stay and on the pieces of those cut."""
        old = self.crossings
        target = np.full(self.n_edges, -1, dtype=np.int64)
        target[stay] = np.arange(len(stay))
        target[edges] = len(stay) + first
        # Cuts of one edge before the crossing: as many pieces further.
        far = 1.0 + max(float(cut_along.max()), float(old.along_m.max(initial=0.0)))
        where = np.searchsorted(edges, old.edge)
        cut = np.isin(old.edge, edges)
        key = np.where(cut, where, 0) * far + old.along_m
        keys = number * far + cut_along
        start = np.searchsorted(number, np.where(cut, where, 0))
        before = np.where(cut, np.searchsorted(keys, key, side="right") - start, 0)
        begins = np.where(before > 0, cut_along[np.maximum(start + before - 1, 0)], 0.0)
        return Crossings(target[old.edge] + before, old.along_m - begins, old.is_rail, old.cost)

    def to_networkx(self) -> nx.MultiGraph:
        """Return the same graph for networkx, with the edges' position as key."""
        graph: nx.MultiGraph = nx.MultiGraph()
        for node in range(self.n_nodes):
            graph.add_node(node, x_m=float(self.x_m[node]), y_m=float(self.y_m[node]))
        for edge in range(self.n_edges):
            graph.add_edge(
                int(self.tail[edge]),
                int(self.head[edge]),
                key=edge,
                length_m=float(self.length_m[edge]),
                cost=float(self.cost[edge]),
                item=str(self.item[edge]),
            )
        return graph

    def to_frame(self) -> gpd.GeoDataFrame:
        """Return the edges as a layer."""
        return gpd.GeoDataFrame(
            {
                "tail": self.tail,
                "head": self.head,
                "length_m": self.length_m,
                "cost": self.cost,
                "item": self.item,
                "rail_crossings": self.rail_crossings,
                "water_crossings": self.water_crossings,
                "layer": self.layer,
                "row": self.row,
            },
            geometry=self.line,
            crs=self.crs,
        )


def _follow(
    before: NDArray[np.int32], owner: NDArray[np.int64], reached: NDArray[np.int64]
) -> None:
    """Give every reached node the owner at the root of its way, by pointer jumping."""
    jump = before.astype(np.int64)
    root = owner >= 0
    jump[root] = np.flatnonzero(root)
    jump[jump < 0] = np.flatnonzero(jump < 0)
    while True:
        further = jump[jump]
        if np.array_equal(further, jump):
            break
        jump = further
    owner[reached] = owner[jump[reached]]


def cut_lines(
    lines: NDArray[np.object_], number: NDArray[np.intp], along_m: NDArray[np.float64]
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Cut lines at places on them.

    Parameters
    ----------
    lines
        Lines, shape (n,).
    number
        Position of the line that each cut is on, ascending.
    along_m
        Place of each cut from the line's start: inner places, ascending within a
        line and all different. [m]

    Returns
    -------
    pieces
        The parts of all lines, in order; a cut at a vertex keeps the vertex.
    line
        Position of the line that each is part of.
    """
    cuts = np.bincount(number, minlength=len(lines))
    begin = np.r_[0, np.cumsum(cuts + 1)[:-1]]
    xy, owner = shapely.get_coordinates(lines, return_index=True)
    at = _along(xy, owner)
    # One scale for all lines, each beginning where the last one ends.
    whole = np.r_[0.0, np.cumsum(shapely.length(lines) + 1.0)[:-1]]
    run, cut_run = at + whole[owner], along_m + whole[number]
    after = np.searchsorted(run, cut_run)
    share = (cut_run - run[after - 1]) / np.maximum(run[after] - run[after - 1], 1e-300)
    place = xy[after - 1] + np.clip(share, 0.0, 1.0)[:, None] * (xy[after] - xy[after - 1])
    for near in (after - 1, after):
        at_vertex = np.abs(run[near] - cut_run) <= _SAME_M
        place[at_vertex] = xy[near[at_vertex]]
    # Vertices at a cut are its own; the others go to the piece that they lie in.
    passed = np.searchsorted(cut_run, run)
    gap = np.full(len(run), np.inf)
    if len(cut_run):
        for near in (np.maximum(passed - 1, 0), np.minimum(passed, len(cut_run) - 1)):
            gap = np.minimum(gap, np.abs(run - cut_run[near]))
    keep = gap > _SAME_M
    first_cut = np.searchsorted(number, np.arange(len(lines)))
    vertex_piece = begin[owner] + passed - first_cut[owner]
    cut_piece = begin[number] + np.arange(len(number)) - first_cut[number]
    piece = np.r_[vertex_piece[keep], cut_piece, cut_piece + 1]
    order = np.lexsort((np.r_[run[keep], cut_run, cut_run], piece))
    points = np.vstack([xy[keep], place, place])[order]
    made = shapely.linestrings(points, indices=piece[order])
    return np.asarray(made, dtype=object), np.repeat(np.arange(len(lines)), cuts + 1)


def _along(xy: NDArray[np.float64], owner: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return how far, in metres, each vertex is from the start of its line along it."""
    step = np.hypot(*np.diff(xy, axis=0, prepend=xy[:1]).T)
    first = np.r_[True, owner[1:] != owner[:-1]]
    step[first] = 0.0
    run = np.cumsum(step)
    return np.asarray(run - run[first][np.cumsum(first) - 1], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class BuiltGraph:
    """A graph and what was doubtful about the lines that it was made of.

    Parameters
    ----------
    graph
        The graph.
    problems
        Gaps, dangling ends and parts without connection, as warnings.
    """

    graph: RouteGraph
    problems: list[Problem]


@dataclass(frozen=True, eq=False)
class _Lines:
    """Single lines, or their pieces in order, with where they come from and what they cost."""

    line: NDArray[np.object_]
    layer: NDArray[np.object_]
    row: NDArray[np.int64]
    item: NDArray[np.object_]
    part: NDArray[np.int64]

    @property
    def outer(self) -> NDArray[np.bool_]:
        """Whether each piece begins, then whether it ends, where the line it is of does."""
        first = np.r_[True, self.part[1:] != self.part[:-1]]
        return np.r_[first, np.r_[first[1:], True]]


def build(
    *,
    roads: gpd.GeoDataFrame | None,
    fibre_segments: gpd.GeoDataFrame | None,
    costs: Mapping[str, UnitCost],
    railways: gpd.GeoDataFrame | None = None,
    fibre_nodes: gpd.GeoDataFrame | None = None,
    clutter: Raster | None = None,
    owner: str | None = None,
    cores: int = 1,
    road_items: Sequence[str] = ROAD_ITEMS,
    snap_m: float = SNAP_M,
    gap_m: float = GAP_M,
    link_m: float = LINK_M,
    on_progress: Progress = _silent,
) -> BuiltGraph:
    """Make the graph along which cable can be laid.

    Parameters
    ----------
    roads, fibre_segments, railways
        Layers in one metric CRS; None where there are none.
    costs
        From `planning.cost.unit_costs`.
    fibre_nodes
        Points of the network, to say which of them lie far from every line or twice in
        one place.
    clutter
        Land cover; water under a road means a bridge.
    owner
        Whose ducts need no rent; None counts all as one's own.
    cores
        Fibres needed; a buried cable can be used only where it has as many free.
    road_items
        Allowed ways to lay cable along a road, of `ROAD_ITEMS`.
    snap_m
        How near ends must be to count as one, and to a line to lie on it. [m]
    gap_m
        How near an open end must be to another line to be reported as a gap. [m]
    link_m
        How far a duct or pole line may lie beside a road to be linked with it. [m]
    on_progress
        Called with the share done.

    Returns
    -------
    BuiltGraph
        The graph and what was doubtful.

    Raises
    ------
    InputError
        If there is no line at all, CRSs differ, or a way to lay cable is not known.
    """
    unknown = sorted(set(road_items) - set(ROAD_ITEMS))
    if unknown or not road_items:
        raise InputError(
            "There is no way to lay cable along a road called {value} (expected some of "
            "{expected})",
            value=", ".join(unknown) or "none",
            expected=", ".join(ROAD_ITEMS),
        )
    every = (roads, fibre_segments, railways, fibre_nodes)
    frames = [frame for frame in every if frame is not None]
    crss = {str(frame.crs) for frame in frames}
    if len(crss) > 1:
        raise InputError(
            "The lines are in several CRSs ({value}); expected one metric CRS",
            value=", ".join(sorted(crss)),
        )
    lines = _collected(roads, fibre_segments, costs, owner, cores, road_items)
    if not len(lines.line):
        raise InputError(
            "There is no road and no stretch of fibre to lay cable along; import the layers roads "
            "or fibre_segments"
        )
    on_progress(0.1)
    noded, problems = _noded(lines, snap_m, gap_m, on_progress)
    on_progress(0.7)
    crossings = _crossings(noded, railways, clutter, costs)
    on_progress(0.8)
    graph = _linked(_graph(noded, crossings, costs, crss.pop(), snap_m), costs, link_m)
    on_progress(0.9)
    problems += _parts(graph)
    if fibre_nodes is not None:
        problems += _node_problems(graph, fibre_nodes)
    on_progress(1.0)
    return BuiltGraph(graph, problems)


def _collected(
    roads: gpd.GeoDataFrame | None,
    segments: gpd.GeoDataFrame | None,
    costs: Mapping[str, UnitCost],
    owner: str | None,
    cores: int,
    road_items: Sequence[str],
) -> _Lines:
    """Return single lines of both layers with the item each costs by."""
    found: list[_Lines] = []
    if roads is not None and len(roads):
        classes = roads["road_class"].astype(str).str.lower()
        open_ = ~classes.isin(CLOSED_ROADS).to_numpy()
        unpaved = roads["surface"].astype(str).str.lower().isin(UNPAVED).to_numpy()

        def cheapest(paved: bool) -> str:
            able = [name for name in road_items if name != ("trench_unpaved" if paved else "")]
            # Where only unpaved trenches are allowed, a paved road has to be broken up.
            return min(able or ["trench_paved"], key=lambda name: costs[name].cost.typical)

        items = np.where(unpaved, cheapest(False), cheapest(True)).astype(object)
        found.append(_single(roads, "roads", items, open_))
    if segments is not None and len(segments):
        mine = np.ones(len(segments), dtype=bool)
        if owner is not None:
            mine = (segments["owner"] == owner).fillna(False).to_numpy(dtype=bool)
        kind = segments["segment_type"].to_numpy(dtype=object)
        free = pd.to_numeric(segments["cores"]) - pd.to_numeric(segments["cores_used"]).fillna(0)
        spare = (free >= cores).fillna(False).to_numpy(dtype=bool)
        beside = np.where(kind == "aerial", "aerial_existing_poles", "")
        beside = np.where(kind == "duct", "cable_in_rented_duct", beside)
        beside = np.where((kind == "duct") & mine, "cable_in_own_duct", beside).astype(object)
        dear = np.array([costs[n].cost.typical if n else np.inf for n in beside], dtype=float)
        spare = spare & mine & (costs["spare_cores"].cost.typical <= dear)
        items = np.where(spare, "spare_cores", beside).astype(object)
        there = (segments["status"] == "existing").to_numpy()
        found.append(_single(segments, "fibre_segments", items, there & (items != "")))
    if not found:
        nothing = np.zeros(0, dtype=object)
        none = np.zeros(0, dtype=np.int64)
        return _Lines(nothing, nothing, none, nothing, none)
    line, layer, row, item = (
        np.concatenate([getattr(part, name) for part in found])
        for name in ("line", "layer", "row", "item")
    )
    return _Lines(line, layer, row, item, np.arange(len(line)))


def _single(
    frame: gpd.GeoDataFrame, layer: str, items: NDArray[np.object_], use: NDArray[np.bool_]
) -> _Lines:
    parts, index = shapely.get_parts(shapely.force_2d(frame.geometry.to_numpy()), return_index=True)
    good = use[index] & (shapely.length(parts) > 0.0)
    parts, index = parts[good], index[good]
    return _Lines(
        np.asarray(parts, dtype=object),
        np.full(len(parts), layer, dtype=object),
        index.astype(np.int64),
        items[index],
        np.arange(len(parts)),
    )


# Noding


def _noded(
    lines: _Lines, snap_m: float, gap_m: float, on_progress: Progress
) -> tuple[_Lines, list[Problem]]:
    """Split lines at shared vertices and where an end lies on a line; report open ends."""
    xy, owner = shapely.get_coordinates(lines.line, return_index=True)
    first = np.r_[True, owner[1:] != owner[:-1]]
    last = np.r_[owner[1:] != owner[:-1], True]
    # Vertices that several lines share, to the centimetre.
    _, group, count = np.unique(
        np.round(xy * 100.0).astype(np.int64), axis=0, return_inverse=True, return_counts=True
    )
    group = group.ravel()
    inner_shared = (count[group] > 1) & ~first & ~last
    cut_line = [owner[inner_shared]]
    cut_at = [_along(xy, owner)[inner_shared]]
    on_progress(0.3)

    ends = np.flatnonzero(first | last)
    points = np.asarray(shapely.points(xy[ends]), dtype=object)
    tree = shapely.STRtree(lines.line)
    reach = max(snap_m, gap_m)
    which, near = tree.query(points, predicate="dwithin", distance=reach)
    other = owner[ends[which]] != near
    which, near = which[other], near[other]
    distance = np.asarray(shapely.distance(points[which], lines.line[near]), dtype=np.float64)
    on_progress(0.5)
    joined = np.zeros(len(ends), dtype=bool)
    touch = distance <= snap_m
    joined[which[touch]] = True
    ends_at, into = ends[which[touch]], near[touch]
    along = np.asarray(shapely.line_locate_point(lines.line[into], points[which[touch]]))
    # Where the end is at an end of the other line too, the two become one node.
    start_of = np.flatnonzero(first)[into]
    end_of = np.flatnonzero(last)[into]
    apart = np.hypot(*(xy[ends_at] - xy[start_of]).T), np.hypot(*(xy[ends_at] - xy[end_of]).T)
    inside = (apart[0] > snap_m) & (apart[1] > snap_m)
    cut_line.append(into[inside])
    cut_at.append(along[inside])
    problems = _open_ends(lines, ends, owner, xy, joined, which, near, distance)
    split = _split_lines(lines, np.concatenate(cut_line), np.concatenate(cut_at))
    on_progress(0.6)
    return split, problems


def _open_ends(
    lines: _Lines,
    ends: NDArray[np.intp],
    owner: NDArray[np.intp],
    xy: NDArray[np.float64],
    joined: NDArray[np.bool_],
    which: NDArray[np.intp],
    near: NDArray[np.intp],
    distance: NDArray[np.float64],
) -> list[Problem]:
    """Return probable gaps: open ends with another line just beyond the tolerance."""
    # A cable beside a road is no gap of the road: the layers are linked later.
    alike = lines.layer[owner[ends[which]]] == lines.layer[near]
    which, near, distance = which[alike], near[alike], distance[alike]
    best = np.full(len(ends), np.inf)
    beside = np.full(len(ends), -1, dtype=np.int64)
    order = np.lexsort((near, -distance))
    best[which[order]], beside[which[order]] = distance[order], near[order]
    problems = []
    for k in np.flatnonzero(~joined & np.isfinite(best)):
        line = owner[ends[k]]
        said = message(
            "an end at {x}, {y} stops {distance} m short of row {other}",
            x=round(float(xy[ends[k], 0])),
            y=round(float(xy[ends[k], 1])),
            distance=f"{best[k]:.1f}",
            other=int(lines.row[beside[k]]) + 1,
        )
        expected = message("expected lines that meet, or a clear distance between them")
        problems.append(_warning(lines.layer[line], int(lines.row[line]), said, expected))
    return problems


def _warning(layer: str, row: int | None, value: Message, expected: Message) -> Problem:
    number = None if row is None else row + 1
    return Problem(layer, number, "geometry", value, expected, None, "warning")


def _split_lines(lines: _Lines, cut_line: NDArray[np.intp], cut_at: NDArray[np.float64]) -> _Lines:
    order = np.lexsort((cut_at, cut_line))
    cut_line, cut_at = cut_line[order], cut_at[order]
    whole = np.asarray(shapely.length(lines.line))[cut_line]
    inner = (cut_at > _SAME_CUT_M) & (cut_at < whole - _SAME_CUT_M)
    cut_line, cut_at = cut_line[inner], cut_at[inner]
    apart = np.ones(len(cut_at), dtype=bool)
    apart[1:] = (cut_line[1:] != cut_line[:-1]) | (np.diff(cut_at) > _SAME_CUT_M)
    made, where = cut_lines(lines.line, cut_line[apart], cut_at[apart])
    return _Lines(made, lines.layer[where], lines.row[where], lines.item[where], where)


def _graph(
    lines: _Lines, crossings: Crossings, costs: Mapping[str, UnitCost], crs: str, snap_m: float
) -> RouteGraph:
    start = shapely.get_coordinates(shapely.get_point(lines.line, 0))
    end = shapely.get_coordinates(shapely.get_point(lines.line, -1))
    xy, node = _merged(np.vstack([start, end]), lines.outer, snap_m)
    tail, head = node[: len(start)], node[len(start) :]
    length = np.asarray(shapely.length(lines.line), dtype=np.float64)
    # A closed line is a way round and back; anything shorter than the tolerance is a point.
    keep = (tail != head) | (length > 2.0 * snap_m)
    names, which = np.unique(lines.item.astype(str), return_inverse=True)
    metre = np.array([costs[str(name)].cost.typical for name in names])[which]
    cost = length * metre + crossings.money(len(length))
    number = np.cumsum(keep) - 1
    there = keep[crossings.edge]
    return RouteGraph(
        xy[:, 0],
        xy[:, 1],
        tail[keep],
        head[keep],
        length[keep],
        cost[keep],
        lines.item[keep],
        lines.layer[keep],
        lines.row[keep],
        lines.line[keep],
        crs,
        Crossings(
            number[crossings.edge[there]],
            crossings.along_m[there],
            crossings.is_rail[there],
            crossings.cost[there],
        ),
    )


def _merged(
    xy: NDArray[np.float64], outer: NDArray[np.bool_], tolerance_m: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the distinct places among points and the number of each point's place.

    Points within the tolerance of each other, also over others, are one place, the
    first of them in order of x and y. Of two places where lines were cut that are
    nearer than that, none becomes the other's: a line with many vertices would shrink.
    """
    exact, place = np.unique(np.round(xy * 100.0).astype(np.int64), axis=0, return_inverse=True)
    place = place.ravel()
    by_place = np.lexsort((xy[:, 1], xy[:, 0], place))
    first = np.r_[True, place[by_place][1:] != place[by_place][:-1]]
    xy = xy[by_place[first]]
    is_end = np.zeros(len(exact), dtype=bool)
    is_end[place[outer]] = True
    points = np.asarray(shapely.points(xy), dtype=object)
    ends = np.flatnonzero(is_end)
    one, other = shapely.STRtree(points).query(
        points[ends], predicate="dwithin", distance=tolerance_m
    )
    links = scipy.sparse.coo_array((np.ones(len(one)), (ends[one], other)), shape=(len(xy),) * 2)
    _, label = scipy.sparse.csgraph.connected_components(links, directed=False)
    order = np.lexsort((xy[:, 1], xy[:, 0]))
    labels, leader = np.unique(label[order], return_index=True)
    places = xy[order[leader]]
    number = np.empty(len(labels), dtype=np.int64)
    number[labels] = np.arange(len(labels))
    return places, number[label][place]


def _linked(graph: RouteGraph, costs: Mapping[str, UnitCost], link_m: float) -> RouteGraph:
    """Link ducts and poles with roads beside them by short trenches.

    Each node of a cable is linked with the nearest place of a road, and each node of a
    road with the nearest place between the ends of a cable.
    """
    is_cable, is_road = graph.layer == "fibre_segments", graph.layer == "roads"
    if not is_cable.any() or not is_road.any() or link_m <= 0.0:
        return graph
    on_cable = np.unique(np.r_[graph.tail[is_cable], graph.head[is_cable]])
    on_road = np.unique(np.r_[graph.tail[is_road], graph.head[is_road]])
    sources, edges, places = [], [], []
    for nodes, among in (
        (np.setdiff1d(on_cable, on_road), is_road),
        (np.setdiff1d(on_road, on_cable), is_cable),
    ):
        edge, _, along = graph.nearest_edges(
            graph.x_m[nodes], graph.y_m[nodes], tolerance_m=link_m, among=among
        )
        near = edge >= 0
        if among is is_cable:
            # An end of a cable has its own link.
            near &= (along > _SAME_M) & (along < graph.length_m[edge] - _SAME_M)
        sources.append(nodes[near])
        edges.append(edge[near])
        places.append(along[near])
    source = np.concatenate(sources)
    split, target = graph.split(np.concatenate(edges), np.concatenate(places))
    lines = shapely.linestrings(
        np.stack(
            [
                np.column_stack([split.x_m[source], split.y_m[source]]),
                np.column_stack([split.x_m[target], split.y_m[target]]),
            ],
            axis=1,
        )
    )
    length = np.asarray(shapely.length(lines), dtype=np.float64)
    count = len(source)
    return replace(
        split,
        tail=np.r_[split.tail, source],
        head=np.r_[split.head, target],
        length_m=np.r_[split.length_m, length],
        cost=np.r_[split.cost, length * costs[LINK_ITEM].cost.typical],
        item=np.r_[split.item, np.full(count, LINK_ITEM, dtype=object)],
        layer=np.r_[split.layer, np.full(count, "link", dtype=object)],
        row=np.r_[split.row, np.full(count, -1, dtype=np.int64)],
        line=np.r_[split.line, np.asarray(lines, dtype=object)],
    )


# Crossings


def _crossings(
    lines: _Lines,
    railways: gpd.GeoDataFrame | None,
    clutter: Raster | None,
    costs: Mapping[str, UnitCost],
) -> Crossings:
    """Return where roads cross railways and water; what lies there already has crossed them."""
    roads = np.flatnonzero(lines.layer == "roads")
    rail = railway_crossings(lines.line[roads], railways)
    water = water_crossings(lines.line[roads], clutter)
    edge = roads[np.r_[rail[0], water[0]]]
    is_rail = np.arange(len(edge)) < len(rail[0])
    price = np.where(
        is_rail, costs["railway_crossing"].cost.typical, costs["bridge_crossing"].cost.typical
    )
    return Crossings(edge.astype(np.int64), np.r_[rail[1], water[1]], is_rail, price)


def railway_crossings(
    lines: NDArray[np.object_], railways: gpd.GeoDataFrame | None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return where lines cross railways.

    Parameters
    ----------
    lines
        Lines in the CRS of the railways.
    railways
        Layer of lines; None where there is none.

    Returns
    -------
    line
        Position of the line of each crossing.
    along_m
        Its place from the line's start. [m]
    """
    if railways is None or not len(railways) or not len(lines):
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    parts = shapely.get_parts(shapely.force_2d(railways.geometry.to_numpy()))
    one, other = shapely.STRtree(parts).query(lines, predicate="crosses")
    common = shapely.intersection(lines[one], parts[other])
    points, which = shapely.get_parts(common, return_index=True)
    line = one[which].astype(np.int64)
    return line, np.asarray(shapely.line_locate_point(lines[line], shapely.centroid(points)))


def water_crossings(
    lines: NDArray[np.object_], clutter: Raster | None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the separate stretches of water that lie under lines.

    Parameters
    ----------
    lines
        Lines in the CRS of the land cover.
    clutter
        Land cover; None where it is not known, which counts as no water.

    Returns
    -------
    line
        Position of the line of each stretch.
    along_m
        The middle of the stretch from the line's start. [m]
    """
    if clutter is None or not len(lines):
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    length = np.asarray(shapely.length(lines), dtype=np.float64)
    steps = np.maximum(2, np.ceil(length / _STEP_M).astype(np.int64) + 1)
    index = np.repeat(np.arange(len(lines)), steps)
    start = np.r_[0, np.cumsum(steps)[:-1]]
    k = np.arange(len(index)) - np.repeat(start, steps)
    along = k / np.repeat(steps - 1, steps) * length[index]
    xy = _places(lines, index, along)
    inverse = ~clutter.grid.transform
    column = inverse.a * xy[:, 0] + inverse.b * xy[:, 1] + inverse.c
    row = inverse.d * xy[:, 0] + inverse.e * xy[:, 1] + inverse.f
    column, row = np.floor(column).astype(np.int64), np.floor(row).astype(np.int64)
    height, width = clutter.values.shape
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    wet = np.zeros(len(index), dtype=bool)
    wet[inside] = clutter.values[row[inside], column[inside]] == WATER
    # A stretch begins where water follows land within the same line.
    other_line = np.r_[True, index[1:] != index[:-1]]
    begins = np.flatnonzero(wet & (other_line | ~np.r_[False, wet[:-1]]))
    ends = np.flatnonzero(wet & (np.r_[other_line[1:], True] | ~np.r_[wet[1:], False]))
    return index[begins].astype(np.int64), 0.5 * (along[begins] + along[ends])


def _places(
    lines: NDArray[np.object_], index: NDArray[np.intp], along_m: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the coordinates of places on lines."""
    xy, owner = shapely.get_coordinates(lines, return_index=True)
    whole = np.r_[0.0, np.cumsum(shapely.length(lines) + 1.0)[:-1]]
    run, wanted = _along(xy, owner) + whole[owner], along_m + whole[index]
    return np.column_stack([np.interp(wanted, run, xy[:, 0]), np.interp(wanted, run, xy[:, 1])])


# Doubts


def _parts(graph: RouteGraph) -> list[Problem]:
    """Return the parts that hang on nothing, the largest left out."""
    part = graph.components()[graph.tail]
    length = np.bincount(part, weights=graph.length_m)
    count = np.bincount(part)
    numbers, first = np.unique(part, return_index=True)
    problems = []
    for number, edge in zip(numbers.tolist(), first.tolist(), strict=True):
        if number == 0:
            continue
        said = message(
            "{count} stretches with {length} km are not connected with the rest",
            count=int(count[number]),
            length=f"{length[number] / 1000.0:.2f}",
        )
        expected = message("expected lines that lead to the rest of the network")
        row = int(graph.row[edge])
        problems.append(_warning(str(graph.layer[edge]), row if row >= 0 else None, said, expected))
    return problems


def _node_problems(graph: RouteGraph, nodes: gpd.GeoDataFrame) -> list[Problem]:
    """Return points of the network that lie far from every line, or twice in one place."""
    there = np.flatnonzero((nodes["status"] != "removed").to_numpy(dtype=bool))
    xy = shapely.get_coordinates(nodes.geometry.to_numpy()[there])
    edge, _, _ = graph.nearest_edges(xy[:, 0], xy[:, 1], tolerance_m=NODE_M)
    names = nodes["node_id"].to_numpy(dtype=object)
    problems = []
    for k in np.flatnonzero(edge < 0).tolist():
        said = message(
            "the point {node} lies more than {limit} m from every line",
            node=str(names[there[k]]),
            limit=f"{NODE_M:g}",
        )
        expected = message("expected a point on a road, duct or cable")
        problems.append(_warning("fibre_nodes", int(there[k]), said, expected))
    kinds = nodes["node_type"].to_numpy(dtype=object)[there]
    points = np.asarray(shapely.points(xy), dtype=object)
    one, other = shapely.STRtree(points).query(points, predicate="dwithin", distance=SNAP_M)
    double = (one > other) & (kinds[one] == kinds[other])
    seen: set[int] = set()
    for k, twin in zip(one[double].tolist(), other[double].tolist(), strict=True):
        if k in seen:
            continue
        seen.add(k)
        said = message(
            "the point {node} lies where {other} of the same kind lies",
            node=str(names[there[k]]),
            other=str(names[there[twin]]),
        )
        problems.append(
            _warning("fibre_nodes", int(there[k]), said, message("expected each point once"))
        )
    return problems
