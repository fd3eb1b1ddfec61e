"""What can be built for a dedicated network: sites, routes, and what fails together.

The routes are those of fibre design (`planning.fibre`): roads, ducts, poles, cables.
The live network lies on them: its links run through segments of cable, and where a
segment is cut every link in it fails, and so does whatever lies in the same trench.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from heapq import heappop, heappush
from typing import Any, cast

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from data import schema
from data.errors import InputError, Message
from data.store import Workspace
from planning import compliance, dedicated_network, fibre
from planning.dedicated_network import TRENCH_M, Inventory, Network
from planning.route_graph import RouteGraph

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Progress = Callable[[float], None]

#: Roles of the sites that new sites are linked with.
NODE_ROLES = ("hub", "aggregation")

#: Which sites can be asked to be protected -> which those are.
PROTECT = {k: v for k, v in compliance.SITES.items() if k != "hub"}

#: Length that a live link counts for where ways are chosen: any new route is longer. [m]
_LIVE_M = 1e-3

#: Lead-ins up to this length are built twice, apart from each other, where a site is to be
#: protected; longer ones are routes like any other. [m]
LEAD_M = 150.0

#: Two lines lie in one trench where this much of the shorter one runs near the other.
_TRENCH_SHARE = 0.5


def _silent(_: float) -> None:
    return None


class _WithLiveSites:
    """A study area in which the sites of the live network stand in place of exchanges."""

    def __init__(self, workspace: Workspace, live: gpd.GeoDataFrame, owner: str | None) -> None:
        self._workspace = workspace
        self._nodes = gpd.GeoDataFrame(
            {
                "node_id": live["site_id"].to_numpy(dtype=object),
                "node_type": "olt",
                "owner": owner,
                "status": "existing",
            },
            geometry=live.geometry.to_numpy(),
            crs=live.crs,
        )

    def has(self, name: str) -> bool:
        return name == "fibre_nodes" or self._workspace.has(name)

    def read(self, name: str) -> Any:
        return self._nodes.copy() if name == "fibre_nodes" else self._workspace.read(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._workspace, name)


@dataclass(frozen=True, eq=False)
class Problem:
    """A design problem of a dedicated network in numbers.

    Parameters
    ----------
    inventory
        Layers that the study area holds.
    live
        What is live on the day.
    served
        Which live sites reach a data centre.
    todo
        Sites that exist on the day and are not connected, rows numbered from 0.
    asked
        Which of `live.sites` are to be protected: of the kinds and the zones asked for.
    guarded
        Positions in `live.sites` of those of them that reach a data centre.
    guarded_todo
        Which of `todo` are to be protected.
    task
        The routes (see `planning.fibre`); its exchanges are live sites.
    node
        Node of each site of `todo`, -1 where it cannot be reached.
    reason
        Why it cannot.
    live_node
        Node of each live site: its place on the routes where it has one and new routes
        may end there or it is to be protected, else a node of its own.
    n_nodes
        Number of nodes, those included.
    piece
        Name of the duct section of each stretch that follows one, else None.
    pieces
        Duct sections as they are cut for the design: segment_id, row (position of the
        segment among those of the inventory) and geometry.
    parts
        Names of the sections of each segment that a stretch follows.
    route
        The route of every live link in these pieces.
    """

    inventory: Inventory
    live: Network
    served: Bools
    todo: gpd.GeoDataFrame
    asked: Bools
    guarded: Ints
    guarded_todo: Bools
    task: fibre.Task
    node: Ints
    reason: tuple[Message | None, ...]
    live_node: Ints
    n_nodes: int
    piece: NDArray[np.object_]
    pieces: gpd.GeoDataFrame
    parts: dict[str, tuple[str, ...]]
    route: tuple[tuple[str, ...], ...]

    def new_section(self, stretch: int) -> str:
        """Return the name of a duct section that is built along a stretch."""
        return f"{self._new}{stretch}"

    @cached_property
    def _new(self) -> str:
        """What names of new sections begin with; another design's may be recorded."""
        prefix, number = "NEW-R", 1
        while self.pieces["segment_id"].str.startswith(prefix).any():
            number += 1
            prefix = f"NEW{number}-R"
        return prefix

    @property
    def usable(self) -> Ints:
        """Stretches that may be built: all but those from live sites to their common root."""
        edges = self.task.edges
        if self.task.root is None:
            return np.arange(len(edges.tail))
        return np.flatnonzero(edges.tail != self.task.root).astype(np.int64)


def protected_sites(sites: pd.DataFrame, protect: Sequence[str]) -> Bools:
    """Return which sites are asked to be protected, data centres aside.

    Parameters
    ----------
    sites
        Rows of the layer `network_sites`.
    protect
        Names of `PROTECT`.

    Raises
    ------
    InputError
        If a name is not known.
    """
    found = np.zeros(len(sites), dtype=bool)
    for name in protect:
        if name not in PROTECT:
            raise InputError(
                "There are no sites called {value} to protect (expected some of {expected})",
                value=name,
                expected=", ".join(PROTECT),
            )
        found |= PROTECT[name](sites).fillna(False).to_numpy(bool)
    return found & (sites["role"] != "hub").to_numpy(bool)


def prepare(
    workspace: Workspace,
    request: fibre.DesignRequest,
    *,
    on: str | None = None,
    protect: Sequence[str] = (),
    on_progress: Progress = _silent,
) -> Problem:
    """Bring the design of a dedicated network into numbers.

    Parameters
    ----------
    workspace
        The study area.
    request
        Rules of the routes; its sites and its budget do not count. With zones, only
        sites in them are connected and protected.
    on
        Day of the network that is extended, None for the state as recorded.
    protect
        Names of `PROTECT`.
    on_progress
        Called with the share done.

    Returns
    -------
    Problem
        Sites and routes.

    Raises
    ------
    InputError
        If there is no network or no live data centre, nothing to connect or to protect,
        no route, or no site can be reached.
    """
    inventory = dedicated_network.read(workspace)
    state = dedicated_network.status(inventory, on)
    live = state.network
    if not live.hub.any():
        raise InputError(
            "No connected site is a data centre (role hub), so there is nothing to connect with"
        )
    served = live.reachable
    todo = state.sites[~state.sites["connected"].to_numpy(bool)]
    asked = protected_sites(live.sites, protect)
    if request.zones is not None:
        todo = todo[_in_zones(workspace, todo, request.zones)]
        asked &= _in_zones(workspace, live.sites, request.zones)
    todo = todo.reset_index(drop=True)
    guarded = np.flatnonzero(asked & served)
    guarded_todo = protected_sites(todo, protect)
    if not len(todo) and not len(guarded):
        raise InputError(
            "Every site is connected and there is none to protect, so there is nothing to design"
        )
    ends = live.sites["role"].isin(NODE_ROLES).to_numpy(bool) & served
    ends[guarded] = True
    points = np.flatnonzero(ends)
    area = cast("Workspace", _WithLiveSites(workspace, live.sites.iloc[points], request.owner))
    at = live.sites.iloc[guarded] if not len(todo) else todo
    graph = fibre.graph_of(area, request, on_progress=lambda s: on_progress(0.4 * s)).graph
    graph = _cut_at_sites(graph, pd.concat([todo.geometry, live.sites.geometry.iloc[points]]))
    task = fibre.prepare(
        area,
        _without_zones(request),
        sites=_as_sites(at),
        graph=graph,
        on_progress=lambda s: on_progress(0.4 + 0.5 * s),
    )
    node, reason = task.node[: len(todo)], task.reason[: len(todo)]
    place = _live_places(task, live.sites.geometry.iloc[points])
    first = int(max(task.edges.tail.max(), task.edges.head.max())) + 1
    live_node = first + np.arange(len(live.sites))
    live_node[points[place >= 0]] = place[place >= 0]
    piece, pieces, parts = _pieces(inventory, task)
    route = tuple(
        tuple(part for name in schema.route_segments(text) for part in parts.get(name, (name,)))
        for text in live.links["route"].tolist()
    )
    on_progress(1.0)
    return Problem(
        inventory,
        live,
        served,
        todo,
        asked,
        guarded.astype(np.int64),
        guarded_todo,
        task,
        node,
        reason,
        live_node.astype(np.int64),
        first + len(live.sites),
        piece,
        pieces,
        parts,
        route,
    )


def _in_zones(workspace: Workspace, sites: gpd.GeoDataFrame, codes: Sequence[str]) -> Bools:
    zones = workspace.read("zones") if workspace.has("zones") else None
    known = set() if zones is None else set(zones["code"])
    unknown = sorted(set(codes) - known)
    if unknown or zones is None:
        raise InputError("There is no zone {value}", value=", ".join(unknown))
    inside = shapely.union_all(zones[zones["code"].isin(codes)].geometry.to_numpy())
    named = sites["zone_code"].isin(codes).to_numpy(bool)
    return np.asarray(named | shapely.intersects(inside, sites.geometry.to_numpy()), dtype=bool)


def _without_zones(request: fibre.DesignRequest) -> fibre.DesignRequest:
    return replace(request, zones=None, budget=None)


def _as_sites(sites: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {
            "site_id": sites["site_id"].to_numpy(dtype=object),
            "name": sites["name"].to_numpy(dtype=object),
            "weight": sites["criticality"].to_numpy(float),
        },
        geometry=sites.geometry.to_numpy(),
        crs=sites.crs,
    )


def _cut_at_sites(graph: RouteGraph, places: gpd.GeoSeries) -> RouteGraph:
    """Cut all lines of a trench where a site is led off, so that its two sides are two risks."""
    x, y = places.x.to_numpy(), places.y.to_numpy()
    is_fibre = graph.layer == "fibre_segments"
    spots = []
    for among in (~is_fibre, is_fibre):
        if among.any():
            edge, _, along = graph.nearest_edges(x, y, tolerance_m=np.inf, among=among)
            near = edge >= 0
            spots.append(shapely.line_interpolate_point(graph.line[edge[near]], along[near]))
    spot = np.concatenate(spots)
    which, beside = shapely.STRtree(graph.line).query(spot, predicate="dwithin", distance=TRENCH_M)
    along = np.asarray(shapely.line_locate_point(graph.line[beside], spot[which]), dtype=float)
    # Not a stub of a metre: where a line ends beside the place, it is cut there already.
    whole = graph.length_m[beside]
    inner = (along > TRENCH_M) & (along < whole - TRENCH_M)
    return graph.split(beside[inner].astype(np.int64), along[inner])[0]


def _live_places(task: fibre.Task, points: gpd.GeoSeries) -> Ints:
    """Return the node of live sites among the exchanges of a task, -1 where there is none."""
    edges = task.edges
    if task.root is None:
        return np.full(len(points), -1, dtype=np.int64)
    nodes = set(edges.head[edges.tail == task.root].tolist())
    found: dict[tuple[int, int], int] = {}
    lead = np.flatnonzero(np.isin(edges.kind.astype(str), ("link", "exchange")))
    for edge in lead.tolist():
        node = int(edges.tail[edge])
        if node in nodes:
            x, y = shapely.get_coordinates(edges.line[edge])[0]
            found[round(x * 100.0), round(y * 100.0)] = node
    xy = np.round(shapely.get_coordinates(points.to_numpy()) * 100.0).astype(np.int64)
    return np.array([found.get((a, b), -1) for a, b in xy.tolist()], dtype=np.int64)


def _pieces(
    inventory: Inventory, task: fibre.Task
) -> tuple[NDArray[np.object_], gpd.GeoDataFrame, dict[str, tuple[str, ...]]]:
    """Return the duct section of each stretch, all sections, and those of each segment."""
    graph = task.graph
    piece = np.full(len(task.edges.tail), None, dtype=object)
    if inventory.segments is None or not len(inventory.segments):
        columns = {"segment_id": np.zeros(0, object), "row": np.zeros(0, np.int64)}
        empty = gpd.GeoDataFrame(columns, geometry=[], crs=graph.crs)
        return piece, empty, {}
    names = inventory.segments["segment_id"].to_numpy(dtype=object)
    mine = np.flatnonzero(graph.layer == "fibre_segments")
    count = np.bincount(graph.row[mine], minlength=len(names))
    taken = set(names.tolist())
    parts: dict[str, list[str]] = {}
    for edge in mine.tolist():
        row = int(graph.row[edge])
        name = str(names[row])
        known = parts.setdefault(name, [])
        number = len(known) + 1
        while f"{name}/{number}" in taken:
            number += 1
        known.append(name if count[row] == 1 else f"{name}/{number}")
        taken.add(known[-1])
        piece[edge] = known[-1]
    whole = np.flatnonzero(count == 0)
    lines = np.r_[graph.line[mine], inventory.segments.geometry.to_numpy()[whole]]
    sections = gpd.GeoDataFrame(
        {
            "segment_id": np.r_[piece[mine], names[whole]].astype(object),
            "row": np.r_[graph.row[mine], whole].astype(np.int64),
        },
        geometry=lines,
        crs=graph.crs,
    )
    return piece, sections, {name: tuple(known) for name, known in parts.items()}


# ----------------------------------------------------------------------------------------
# With the live network as edges


@dataclass(frozen=True, eq=False)
class Whole:
    """Stretches that can be built and the live links, as one network.

    Parameters
    ----------
    n_nodes, tail, head, cost, length_m
        The network; live links cost nothing.
    stretch
        Position of each edge among the stretches of the task, -1 for live links.
    link
        Position of each edge among the live links, -1 for stretches.
    roots
        Nodes of the data centres.
    groups
        Edges that one cut takes together, by the duct section or stretch that is cut.
    """

    n_nodes: int
    tail: Ints
    head: Ints
    cost: Floats
    length_m: Floats
    stretch: Ints
    link: Ints
    roots: Ints
    groups: dict[str, Ints]


def whole_network(problem: Problem, edges: fibre.Edges) -> Whole:
    """Return routes and live links as one network for the design of rings.

    Parameters
    ----------
    problem
        From `prepare`.
    edges
        The stretches, as they are priced.

    Returns
    -------
    Whole
        A site to protect has two lead-ins wherever it has one, each to be paid.
    """
    live = problem.live
    usable = problem.usable
    protected = np.r_[problem.live_node[problem.guarded], problem.node[problem.guarded_todo]]
    double = usable[is_lead(problem.task, edges)[usable] & np.isin(edges.tail[usable], protected)]
    stretch = np.r_[usable, double]
    n_links = len(live.links)
    tail = np.r_[edges.tail[stretch], problem.live_node[live.tail]]
    head = np.r_[edges.head[stretch], problem.live_node[live.head]]
    roots = problem.live_node[np.flatnonzero(live.hub)]
    return Whole(
        problem.n_nodes,
        tail.astype(np.int64),
        head.astype(np.int64),
        np.r_[edges.cost[stretch], np.zeros(n_links)],
        np.r_[edges.length_m[stretch], np.full(n_links, _LIVE_M)],
        np.r_[stretch, np.full(n_links, -1)].astype(np.int64),
        np.r_[np.full(len(stretch), -1), np.arange(n_links)].astype(np.int64),
        roots,
        _groups(problem, stretch),
    )


def is_lead(task: fibre.Task, edges: fibre.Edges) -> Bools:
    """Return which stretches are short lead-ins of sites, which are no risk of their own."""
    after_routes = np.arange(len(edges.tail)) >= task.graph.n_edges
    return np.asarray(after_routes & (edges.length_m <= LEAD_M), dtype=bool)


def _groups(problem: Problem, stretch: Ints) -> dict[str, Ints]:
    """Return what is cut together with each duct section: itself, links in it, what is beside."""
    count = len(stretch)
    through: dict[str, list[int]] = {}
    for number, names in enumerate(problem.route):
        for name in names:
            through.setdefault(name, []).append(count + number)
    edges_of: dict[str, list[int]] = {}
    piece = problem.piece[stretch]
    for edge in np.flatnonzero(piece != None).tolist():  # noqa: E711
        edges_of.setdefault(piece[edge], []).append(edge)
    # Sections of the network's links that no stretch follows fail as well.
    sections = problem.pieces
    names = sections["segment_id"].to_numpy(dtype=object)
    lines = sections.geometry.to_numpy()
    edges = problem.task.edges
    bare = np.flatnonzero((piece == None) & ~is_lead(problem.task, edges)[stretch])  # noqa: E711
    # Two long lead-ins of a site may lie in one trench without a cable.
    bare = bare[np.argsort(stretch[bare] < problem.task.graph.n_edges, kind="stable")]
    n_leads = int((stretch[bare] >= problem.task.graph.n_edges).sum())
    every = np.r_[lines, edges.line[stretch[bare]]]
    near = beside(every, every[: len(lines) + n_leads], TRENCH_M)
    names = np.r_[names, [problem.new_section(n) for n in stretch[bare[:n_leads]].tolist()]]
    edges_of |= {names[len(lines) + k]: [int(bare[k])] for k in range(n_leads)}
    found: dict[str, Ints] = {}
    partner: dict[int, list[int]] = {}
    for other, section in near:
        partner.setdefault(section, []).append(other)
    for section, name in enumerate(names.tolist()):
        members = [*edges_of.get(name, ()), *through.get(name, ())]
        for other in partner.get(section, ()):
            if other < len(lines):
                members += [*edges_of.get(names[other], ()), *through.get(names[other], ())]
            else:
                members.append(int(bare[other - len(lines)]))
        if len(members) > 1:
            found[f"segment:{name}"] = np.unique(np.array(members, dtype=np.int64))
    return _largest(found)


def beside(
    lines: NDArray[np.object_], others: NDArray[np.object_], trench_m: float
) -> list[tuple[int, int]]:
    """Return pairs of lines in one trench.

    Parameters
    ----------
    lines, others
        Lines; `others` are the first of `lines`.
    trench_m
        How near they run. [m]

    Returns
    -------
    list of tuple
        Position in `lines` and in `others`, of two different lines.
    """
    if not len(lines) or not len(others):
        return []
    b, a = shapely.STRtree(lines).query(others, predicate="dwithin", distance=trench_m)
    a, b = a[a != b], b[a != b]
    length = shapely.length(lines)
    short, long = np.where(length[a] <= length[b], a, b), np.where(length[a] <= length[b], b, a)
    # Lines that only meet end in each other's strip; most pairs are such.
    strip = shapely.buffer(lines, trench_m, quad_segs=2)
    shared = shapely.length(shapely.intersection(lines[short], strip[long]))
    together = shared >= np.maximum(_TRENCH_SHARE * length[short], 3.0 * trench_m)
    return list(zip(a[together].tolist(), b[together].tolist(), strict=True))


def _largest(groups: dict[str, Ints]) -> dict[str, Ints]:
    """Leave out groups that are part of another one: surviving that one is enough."""
    order = sorted(groups, key=lambda name: (-len(groups[name]), name))
    holding: dict[int, list[frozenset[int]]] = {}
    kept: dict[str, Ints] = {}
    for name in order:
        members = frozenset(groups[name].tolist())
        some = next(iter(members))
        if any(members <= larger for larger in holding.get(some, ())):
            continue
        kept[name] = groups[name]
        for member in members:
            holding.setdefault(member, []).append(members)
    return {name: kept[name] for name in groups if name in kept}


# ----------------------------------------------------------------------------------------
# Ways through what is chosen


@dataclass(frozen=True, eq=False)
class Ways:
    """A chosen part of a network in which ways are looked for.

    Parameters
    ----------
    whole
        The network.
    chosen
        Its edges in use.
    """

    whole: Whole
    chosen: Ints

    def shortest(self, start: int, weight: Floats) -> list[int] | None:
        """Return the edges of the shortest way from a node to a root, None without any.

        Parameters
        ----------
        start
            Node.
        weight
            One for each chosen edge, infinite where it is closed.
        """
        roots = set(self.whole.roots.tolist())
        best = {start: 0.0}
        came: dict[int, tuple[int, int]] = {}
        queue = [(0.0, start)]
        beside = self._beside
        while queue:
            far, node = heappop(queue)
            if far > best[node]:
                continue
            if node in roots:
                way: list[int] = []
                while node != start:
                    node, position = came[node]
                    way.append(int(self.chosen[position]))
                return way[::-1]
            for other, position in beside.get(node, ()):
                there = far + float(weight[position])
                if there < best.get(other, np.inf):
                    best[other] = there
                    came[other] = (node, position)
                    heappush(queue, (there, other))
        return None

    @cached_property
    def _beside(self) -> dict[int, list[tuple[int, int]]]:
        known: dict[int, list[tuple[int, int]]] = {}
        ends = zip(
            self.whole.tail[self.chosen].tolist(),
            self.whole.head[self.chosen].tolist(),
            strict=True,
        )
        for position, (a, b) in enumerate(ends):
            known.setdefault(a, []).append((b, position))
            known.setdefault(b, []).append((a, position))
        return known
