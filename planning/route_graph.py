"""Roads, ducts, poles and cables as one graph along which fibre can be laid.

Lines are joined only where they join in reality: at a vertex that they share, or
where an end lies on another line. Lines that cross without a shared vertex pass
over each other, as a road on a bridge does. Ends that almost meet are joined
within a stated tolerance, and what stays open is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

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

#: Step at which the land cover under a line is looked at. [m]
_STEP_M = 10.0

Progress = Callable[[float], None]


def _silent(_: float) -> None:
    return None


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
    rail_crossings, water_crossings
        Number of railways and stretches of water that each edge crosses.
    layer, row
        Layer and row position that each edge comes from; ``"link"`` and -1 for links
        made between ducts and roads.
    line
        Line of each edge, from tail to head.
    crs
        Metric CRS.
    """

    x_m: NDArray[np.float64]
    y_m: NDArray[np.float64]
    tail: NDArray[np.int64]
    head: NDArray[np.int64]
    length_m: NDArray[np.float64]
    cost: NDArray[np.float64]
    item: NDArray[np.object_]
    rail_crossings: NDArray[np.int64]
    water_crossings: NDArray[np.int64]
    layer: NDArray[np.object_]
    row: NDArray[np.int64]
    line: NDArray[np.object_]
    crs: str

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.x_m)

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return len(self.tail)

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
        self, x_m: NDArray[np.float64], y_m: NDArray[np.float64], *, tolerance_m: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the nearest edge of each point.

        Parameters
        ----------
        x_m, y_m
            Points, shape (n,). [m]
        tolerance_m
            How far the edge may be. [m]

        Returns
        -------
        edge
            Position of the edge, -1 beyond the tolerance.
        offset_m
            Distance from the point to it, infinite beyond the tolerance. [m]
        along_m
            Place of the nearest point of the edge, from its tail. [m]
        """
        points = np.asarray(shapely.points(x_m, y_m), dtype=object)
        edge = np.full(len(points), -1, dtype=np.int64)
        offset = np.full(len(points), np.inf)
        along = np.zeros(len(points))
        if self.n_edges and len(points):
            (which, found), far = shapely.STRtree(self.line).query_nearest(
                points, max_distance=max(tolerance_m, 1e-9), return_distance=True
            )
            # Of edges equally near, the one that comes first.
            order = np.lexsort((found, which))
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
        whole = shapely.length(self.line[edge[near]])
        node = np.full(len(edge), -1, dtype=np.int64)
        at_tail = along[near] <= 1e-6
        at_head = along[near] >= whole - 1e-6
        node[near[at_tail]] = self.tail[edge[near[at_tail]]]
        node[near[at_head & ~at_tail]] = self.head[edge[near[at_head & ~at_tail]]]
        inner = near[~at_tail & ~at_head]
        graph, made = self._split(edge[inner], along[inner])
        node[inner] = made
        return graph, node, offset

    def _split(
        self, edge: NDArray[np.int64], along_m: NDArray[np.float64]
    ) -> tuple[RouteGraph, NDArray[np.int64]]:
        """Split edges at inner places; return the graph and the node of each place."""
        if not len(edge):
            return self, np.zeros(0, dtype=np.int64)
        keys, place = np.unique(
            np.column_stack([edge, np.round(along_m, 6)]), axis=0, return_inverse=True
        )
        cut_edge, cut_along = keys[:, 0].astype(np.int64), keys[:, 1]
        new = self.n_nodes + np.arange(len(keys))
        xy = shapely.get_coordinates(shapely.line_interpolate_point(self.line[cut_edge], cut_along))
        parts: dict[str, list[object]] = {"edge": [], "tail": [], "head": [], "line": []}
        for one in np.unique(cut_edge):
            mine = np.flatnonzero(cut_edge == one)
            nodes = [int(self.tail[one]), *new[mine].tolist(), int(self.head[one])]
            for k, line in enumerate(pieces(self.line[one], cut_along[mine])):
                parts["edge"].append(int(one))
                parts["tail"].append(nodes[k])
                parts["head"].append(nodes[k + 1])
                parts["line"].append(line)
        split = np.asarray(parts["edge"], dtype=np.int64)
        stay = np.setdiff1d(np.arange(self.n_edges), cut_edge)
        index = np.r_[stay, split]
        lines = np.r_[self.line[stay], np.asarray(parts["line"], dtype=object)]
        length = shapely.length(lines)
        share = length / np.maximum(shapely.length(self.line[index]), 1e-12)
        # Crossings stay with one piece, so that they are paid for once.
        first = np.ones(len(index), dtype=bool)
        first[len(stay) :][1:] = split[1:] != split[:-1]
        rail = np.where(first, self.rail_crossings[index], 0)
        water = np.where(first, self.water_crossings[index], 0)
        graph = replace(
            self,
            x_m=np.r_[self.x_m, xy[:, 0]],
            y_m=np.r_[self.y_m, xy[:, 1]],
            tail=np.r_[self.tail[stay], np.asarray(parts["tail"], dtype=np.int64)],
            head=np.r_[self.head[stay], np.asarray(parts["head"], dtype=np.int64)],
            length_m=self.length_m[index] * share,
            cost=self.cost[index] * share,
            item=self.item[index],
            rail_crossings=rail,
            water_crossings=water,
            layer=self.layer[index],
            row=self.row[index],
            line=lines,
        )
        return graph, new[place.ravel()]

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


def pieces(line: shapely.LineString, along_m: NDArray[np.float64]) -> list[shapely.LineString]:
    """Return the parts of a line between places on it.

    Parameters
    ----------
    line
        The line.
    along_m
        Inner places from its start, ascending. [m]

    Returns
    -------
    list of LineString
        One more than there are places.
    """
    xy = shapely.get_coordinates(line)
    at = np.r_[0.0, np.cumsum(np.hypot(*np.diff(xy, axis=0).T))]
    cuts = np.r_[0.0, np.asarray(along_m, dtype=float), at[-1]]
    ends = np.column_stack([np.interp(cuts, at, xy[:, 0]), np.interp(cuts, at, xy[:, 1])])
    ends[0], ends[-1] = xy[0], xy[-1]
    found = []
    for k in range(len(cuts) - 1):
        inner = xy[(at > cuts[k] + 1e-9) & (at < cuts[k + 1] - 1e-9)]
        found.append(shapely.LineString(np.vstack([ends[k], inner, ends[k + 1]])))
    return found


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
    """Single lines with where they come from and what they cost."""

    line: NDArray[np.object_]
    layer: NDArray[np.object_]
    row: NDArray[np.int64]
    item: NDArray[np.object_]


def build(
    *,
    roads: gpd.GeoDataFrame | None,
    fibre_segments: gpd.GeoDataFrame | None,
    costs: Mapping[str, UnitCost],
    railways: gpd.GeoDataFrame | None = None,
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
    frames = [frame for frame in (roads, fibre_segments, railways) if frame is not None]
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
    rail = _crossings(noded.line, railways)
    water = water_runs(noded.line, clutter)
    is_road = noded.layer == "roads"
    rail = np.where(is_road, rail, 0)
    water = np.where(is_road, water, 0)
    on_progress(0.8)
    graph = _graph(noded, rail, water, costs, crss.pop(), snap_m)
    graph = _linked(graph, costs, link_m)
    problems += _parts(graph)
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
        items = np.select(
            [spare & mine, kind == "duct", kind == "aerial"],
            [
                "spare_cores",
                np.where(mine, "cable_in_own_duct", "cable_in_rented_duct"),
                "aerial_existing_poles",
            ],
            default="",
        ).astype(object)
        there = (segments["status"] == "existing").to_numpy()
        found.append(_single(segments, "fibre_segments", items, there & (items != "")))
    if not found:
        nothing = np.zeros(0, dtype=object)
        return _Lines(nothing, nothing, np.zeros(0, dtype=np.int64), nothing)
    return _Lines(
        *(
            np.concatenate([getattr(part, name) for part in found])
            for name in ("line", "layer", "row", "item")
        )
    )


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
    step = np.hypot(*np.diff(xy, axis=0, prepend=xy[:1]).T)
    step[first] = 0.0
    run = np.cumsum(step)
    at = run - run[first][np.cumsum(first) - 1]
    cut_at = [at[inner_shared]]
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
    along = np.asarray(shapely.line_locate_point(lines.line[near[touch]], points[which[touch]]))
    whole = np.asarray(shapely.length(lines.line[near[touch]]))
    inside = (along > snap_m) & (along < whole - snap_m)
    cut_line.append(near[touch][inside])
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
    best = np.full(len(ends), np.inf)
    beside = np.full(len(ends), -1, dtype=np.int64)
    order = np.argsort(-distance, kind="stable")
    best[which[order]], beside[which[order]] = distance[order], near[order]
    problems = []
    for k in np.flatnonzero(~joined & np.isfinite(best)):
        line = owner[ends[k]]
        # A cable beside a road is no gap of the road: the layers are linked later.
        if lines.layer[line] != lines.layer[beside[k]]:
            continue
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
    start = np.searchsorted(cut_line, np.arange(len(lines.line) + 1))
    made: list[shapely.LineString] = []
    index: list[int] = []
    for k, line in enumerate(lines.line):
        cuts = cut_at[start[k] : start[k + 1]]
        if len(cuts):
            whole = line.length
            apart = np.r_[True, np.diff(cuts) > 1e-3] & (cuts > 1e-3) & (cuts < whole - 1e-3)
            cuts = cuts[apart]
        parts = pieces(line, cuts) if len(cuts) else [line]
        made += parts
        index += [k] * len(parts)
    where = np.asarray(index, dtype=np.int64)
    return _Lines(
        np.asarray(made, dtype=object), lines.layer[where], lines.row[where], lines.item[where]
    )


def _graph(
    lines: _Lines,
    rail: NDArray[np.int64],
    water: NDArray[np.int64],
    costs: Mapping[str, UnitCost],
    crs: str,
    snap_m: float,
) -> RouteGraph:
    start = shapely.get_coordinates(shapely.get_point(lines.line, 0))
    end = shapely.get_coordinates(shapely.get_point(lines.line, -1))
    xy, node = _merged(np.vstack([start, end]), snap_m)
    tail, head = node[: len(start)], node[len(start) :]
    length = shapely.length(lines.line)
    # A closed line is a way round and back; anything shorter than the tolerance is a point.
    keep = (tail != head) | (length > 2.0 * snap_m)
    metre = np.array([costs[name].cost.typical for name in lines.item])
    cost = length * metre
    cost = cost + rail * costs["railway_crossing"].cost.typical
    cost = cost + water * costs["bridge_crossing"].cost.typical
    return RouteGraph(
        xy[:, 0],
        xy[:, 1],
        tail[keep],
        head[keep],
        length[keep],
        cost[keep],
        lines.item[keep],
        rail[keep].astype(np.int64),
        water[keep].astype(np.int64),
        lines.layer[keep],
        lines.row[keep],
        lines.line[keep],
        crs,
    )


def _merged(
    xy: NDArray[np.float64], tolerance_m: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the distinct places among points and the number of each point's place.

    Points within the tolerance of each other, also over others, are one place: the
    first of them in order of x and y.
    """
    points = np.asarray(shapely.points(xy), dtype=object)
    one, other = shapely.STRtree(points).query(points, predicate="dwithin", distance=tolerance_m)
    links = scipy.sparse.coo_array((np.ones(len(one)), (one, other)), shape=(len(xy), len(xy)))
    _, label = scipy.sparse.csgraph.connected_components(links, directed=False)
    order = np.lexsort((xy[:, 1], xy[:, 0]))
    labels, first = np.unique(label[order], return_index=True)
    places = xy[order[first]]
    number = np.empty(labels.max() + 1, dtype=np.int64)
    number[labels] = np.arange(len(labels))
    return places, number[label]


def _linked(graph: RouteGraph, costs: Mapping[str, UnitCost], link_m: float) -> RouteGraph:
    """Link nodes of ducts and poles with the nearest road by a short trench."""
    cables = np.flatnonzero(graph.layer == "fibre_segments")
    road_edges = np.flatnonzero(graph.layer == "roads")
    if not len(cables) or not len(road_edges) or link_m <= 0.0:
        return graph
    nodes = np.unique(np.r_[graph.tail[cables], graph.head[cables]])
    on_road = np.unique(np.r_[graph.tail[road_edges], graph.head[road_edges]])
    nodes = np.setdiff1d(nodes, on_road)
    points = shapely.points(graph.x_m[nodes], graph.y_m[nodes])
    tree = shapely.STRtree(graph.line[road_edges])
    which, near = tree.query_nearest(points, max_distance=link_m, all_matches=False)
    edge = road_edges[near]
    along = shapely.line_locate_point(graph.line[edge], points[which])
    whole = shapely.length(graph.line[edge])
    inner = (along > 1e-3) & (along < whole - 1e-3)
    split, made = graph._split(edge[inner], along[inner])
    target = np.where(along <= 1e-3, graph.tail[edge], graph.head[edge])
    target[inner] = made
    source = nodes[which]
    lines = shapely.linestrings(
        np.stack(
            [
                np.column_stack([split.x_m[source], split.y_m[source]]),
                np.column_stack([split.x_m[target], split.y_m[target]]),
            ],
            axis=1,
        )
    )
    length = shapely.length(lines)
    item = "trench_unpaved"
    count = len(source)
    return replace(
        split,
        tail=np.r_[split.tail, source],
        head=np.r_[split.head, target],
        length_m=np.r_[split.length_m, length],
        cost=np.r_[split.cost, length * costs[item].cost.typical],
        item=np.r_[split.item, np.full(count, item, dtype=object)],
        rail_crossings=np.r_[split.rail_crossings, np.zeros(count, dtype=np.int64)],
        water_crossings=np.r_[split.water_crossings, np.zeros(count, dtype=np.int64)],
        layer=np.r_[split.layer, np.full(count, "link", dtype=object)],
        row=np.r_[split.row, np.full(count, -1, dtype=np.int64)],
        line=np.r_[split.line, lines],
    )


# Crossings


def _crossings(lines: NDArray[np.object_], others: gpd.GeoDataFrame | None) -> NDArray[np.int64]:
    """Return how many times each line crosses lines of a layer."""
    count = np.zeros(len(lines), dtype=np.int64)
    if others is None or not len(others):
        return count
    parts = shapely.get_parts(shapely.force_2d(others.geometry.to_numpy()))
    one, other = shapely.STRtree(parts).query(lines, predicate="crosses")
    points = shapely.intersection(lines[one], parts[other])
    np.add.at(count, one, shapely.get_num_geometries(points).astype(np.int64))
    return count


def water_runs(lines: NDArray[np.object_], clutter: Raster | None) -> NDArray[np.int64]:
    """Return how many separate stretches of water lie under each line.

    Parameters
    ----------
    lines
        Lines in the CRS of the land cover.
    clutter
        Land cover, None where it is not known.

    Returns
    -------
    NDArray
        Shape (n_lines,), 0 without land cover.
    """
    count = np.zeros(len(lines), dtype=np.int64)
    if clutter is None:
        return count
    length = shapely.length(lines)
    steps = np.maximum(2, np.ceil(length / _STEP_M).astype(np.int64) + 1)
    index = np.repeat(np.arange(len(lines)), steps)
    start = np.r_[0, np.cumsum(steps)[:-1]]
    k = np.arange(len(index)) - np.repeat(start, steps)
    share = k / np.repeat(steps - 1, steps)
    xy = shapely.get_coordinates(
        shapely.line_interpolate_point(lines[index], share, normalized=True)
    )
    inverse = ~clutter.grid.transform
    column = inverse.a * xy[:, 0] + inverse.b * xy[:, 1] + inverse.c
    row = inverse.d * xy[:, 0] + inverse.e * xy[:, 1] + inverse.f
    column, row = np.floor(column).astype(np.int64), np.floor(row).astype(np.int64)
    height, width = clutter.values.shape
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    wet = np.zeros(len(index), dtype=bool)
    wet[inside] = clutter.values[row[inside], column[inside]] == WATER
    # A stretch begins where water follows land within the same line.
    begins = wet & np.r_[True, ~wet[:-1] | (index[1:] != index[:-1])]
    np.add.at(count, index[begins], 1)
    return count


def _parts(graph: RouteGraph) -> list[Problem]:
    """Return the parts that hang on nothing, the largest left out."""
    label = graph.components()
    part = label[graph.tail]
    problems = []
    length = np.bincount(part, weights=graph.length_m)
    for number in range(1, len(length)):
        edges = np.flatnonzero(part == number)
        first = int(edges[0])
        said = message(
            "{count} stretches with {length} km are not connected with the rest",
            count=len(edges),
            length=f"{length[number] / 1000.0:.2f}",
        )
        expected = message("expected lines that lead to the rest of the network")
        row = int(graph.row[first])
        problems.append(
            _warning(str(graph.layer[first]), row if row >= 0 else None, said, expected)
        )
    return problems
