"""Design of fibre routes: connect sites at least cost, or most people for a budget.

The routes follow roads, ducts, poles and cables (`planning.route_graph`). What is
there is used before anything is dug, as it costs less, as far as its free cores go. The
cost that is minimised is the typical one; the bill of quantities has the range.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from data import csv_file
from data.errors import InputError, Message, Problem, message
from data.grid import Grid, Raster
from data.store import Workspace
from planning import bill_workbook, cost, fibre_sites, route_graph
from planning.cost import CostRange, UnitCost
from planning.fibre_sites import SITE_KINDS as SITE_KINDS
from planning.fibre_sites import sites_from_file as sites_from_file
from planning.fibre_sites import sites_of as sites_of
from planning.prize_collecting import cost_benefit_curve
from planning.route_graph import RouteGraph
from planning.steiner import SteinerTree as SteinerTree
from planning.steiner import steiner_tree as steiner_tree

#: Sizes in which cables are made. [cores]
CABLE_SIZES = (12, 24, 48, 96, 144, 288)

#: Size that the cost per metre includes; each core beyond it costs extra.
INCLUDED_CORES = 24

#: Cost items that use what is there.
EXISTING_ITEMS = frozenset(
    ("spare_cores", "cable_in_own_duct", "cable_in_rented_duct", "aerial_existing_poles")
)

#: How far from a route an exchange may stand to count as connected with it. [m]
EXCHANGE_M = route_graph.NODE_M

#: How far from a route a site counts as on it. [m]
_ON_M = 1e-3

#: How many times in a row new cables are priced where a plan has overloaded old ones.
_REPLACEMENTS = 5

#: Gap that is not worth a further search for cables that suffice.
_NEAR = 5e-4

#: Random choices of cables without success after which the search ends.
_STALE = 30

#: Random choices are the same in every run.
_SEED = 20171101

#: Doubts about lines that a summary lists.
_MOST_PROBLEMS = 50

Progress = Callable[[float], None]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def _silent(_: float) -> None:
    return None


@dataclass(frozen=True)
class DesignRequest:
    """What is to be designed.

    Parameters
    ----------
    sites
        One of `SITE_KINDS`.
    zones
        Codes of the zones whose sites are connected; None for all.
    owner
        Whose fibre and ducts are one's own; None for all.
    cores_per_site
        Dark fibres from every site to the exchange.
    budget
        What may be spent, in the currency of the unit costs; None to connect all.
    road_items
        Allowed ways to lay cable along roads.
    reach_m
        How far from a route a site may lie. [m]
    time_limit_s
        For the optimisation; None to choose by the size of the network, see `time_for`.
        Small networks take less. [s]
    """

    sites: str = "communes"
    zones: tuple[str, ...] | None = None
    owner: str | None = None
    cores_per_site: int = 2
    budget: float | None = None
    road_items: tuple[str, ...] = route_graph.ROAD_ITEMS
    reach_m: float = 2_000.0
    time_limit_s: float | None = None

    def __post_init__(self) -> None:
        if self.sites not in SITE_KINDS:
            raise InputError(
                "There are no sites called {value} (expected one of {expected})",
                value=self.sites,
                expected=", ".join(SITE_KINDS),
            )
        for name in ("cores_per_site", "reach_m", "time_limit_s"):
            value = getattr(self, name)
            if name == "time_limit_s" and value is None:
                continue
            if not (np.isfinite(value) and value > 0):
                raise InputError(
                    "The design's {name} is {value}, but it must be greater than 0",
                    name=name,
                    value=value,
                )
        if self.cores_per_site != int(self.cores_per_site):
            raise InputError(
                "The design's {name} is {value}, but it must be a whole number",
                name="cores_per_site",
                value=self.cores_per_site,
            )
        if self.budget is not None and not (np.isfinite(self.budget) and self.budget >= 0):
            raise InputError(
                "The budget is {value}, but it must be a number of at least 0", value=self.budget
            )


@dataclass(frozen=True, eq=False)
class RouteDesign:
    """Routes to build, what they cost, and how near the cheapest they are.

    Parameters
    ----------
    routes
        Stretches to build or to use, with kind (layer, ``"link"`` to a site or between
        duct and road), item, length, crossings, sites and cores that run through, cable
        size and typical cost.
    sites
        All sites, with `connected` and, where not, `reason`.
    reasons
        The same reasons, to be translated; None for sites that are connected.
    bill
        Bill of quantities (see `planning.cost.bill_of_quantities`).
    cost
        Its sum.
    route_cost
        Typical cost that was minimised: routes without the surcharge for large cables.
    bound
        Proven bound: no design that connects these sites costs less; under a budget, no
        choice of sites within it is worth more than this.
    gap
        Share by which the design may miss the best one; infinite where nothing is proven.
    value
        Sum of the connected sites' weights, e.g. people.
    notes
        What a reader should know about the design.
    problems
        What is doubtful about the lines and points that it rests on.
    summary
        All of it in figures, for JSON.
    """

    routes: gpd.GeoDataFrame
    sites: gpd.GeoDataFrame
    reasons: tuple[Message | None, ...]
    bill: pd.DataFrame
    cost: CostRange
    route_cost: float
    bound: float
    gap: float
    value: float
    notes: tuple[Message, ...] = ()
    problems: tuple[Problem, ...] = ()
    summary: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Edges:
    """Stretches that a design can use.

    Parameters
    ----------
    tail, head
        Nodes, shape (n,).
    length_m
        Lengths. [m]
    cost
        Typical cost, crossings included.
    kind
        Layer that each is from, ``"link"``, or ``"exchange"`` for what costs nothing:
        from the live network to its exchanges and from these to routes beside them.
    item
        Cost item of the metres.
    rail, bridges, rivers
        Number of railways crossed, of rivers on a bridge and without one.
    free_cores
        Free fibres of the cables that are used as they are, infinite elsewhere.
    instead, instead_cost
        Item and cost of a new cable where the free fibres do not suffice.
    line
        Lines.
    """

    tail: Ints
    head: Ints
    length_m: Floats
    cost: Floats
    kind: NDArray[np.object_]
    item: NDArray[np.object_]
    rail: Ints
    bridges: Ints
    rivers: Ints
    free_cores: Floats
    instead: NDArray[np.object_]
    instead_cost: Floats
    line: NDArray[np.object_]

    def with_new_cables(self, where: NDArray[np.bool_]) -> Edges:
        """Return the stretches with new cables in some places."""
        return replace(
            self,
            cost=np.where(where, self.instead_cost, self.cost),
            item=np.where(where, self.instead, self.item),
            free_cores=np.where(where, np.inf, self.free_cores),
        )


@dataclass(frozen=True, eq=False)
class Task:
    """A design problem in numbers, ready to be solved for one budget or several.

    Parameters
    ----------
    graph
        Routes, with a node for the access of every site.
    sites
        The sites, with column `weight`.
    node
        Node of each site, -1 where it cannot be reached. Sites at one place share one.
    reason
        Why a site cannot be reached, None where it can.
    edges
        The routes in the graph's order, then links of sites, then those of exchanges.
    root
        Node of the live network, None where there is none.
    costs
        Unit costs.
    notes
        What a reader should know.
    problems
        Doubts about the lines.
    own_sites
        Whether the sites were given rather than taken from the study area.
    """

    graph: RouteGraph
    sites: gpd.GeoDataFrame
    node: Ints
    reason: tuple[Message | None, ...]
    edges: Edges
    root: int | None
    costs: dict[str, UnitCost]
    notes: tuple[Message, ...] = ()
    problems: tuple[Problem, ...] = ()
    own_sites: bool = False

    def live_root(self) -> int:
        """Return the node of the live network.

        Raises
        ------
        InputError
            If there is none, which a budget needs.
        """
        if self.root is None:
            raise InputError(
                "A budget needs a live network to start from: import fibre_nodes with at least "
                "one existing olt that a route leads to"
            )
        return self.root


def graph_of(
    workspace: Workspace, request: DesignRequest, *, on_progress: Progress = _silent
) -> route_graph.BuiltGraph:
    """Return the graph of a study area for a request.

    Parameters
    ----------
    workspace
        With the layer roads or fibre_segments, or both.
    request
        The request.
    on_progress
        Called with the share done.

    Returns
    -------
    BuiltGraph
        The graph and what was doubtful about its lines.
    """
    return _graph_of(workspace, request, _clutter(workspace), on_progress)


def _graph_of(
    workspace: Workspace, request: DesignRequest, clutter: Raster | None, on_progress: Progress
) -> route_graph.BuiltGraph:
    return route_graph.build(
        roads=_layer(workspace, "roads"),
        fibre_segments=_layer(workspace, "fibre_segments"),
        railways=_layer(workspace, "railways"),
        fibre_nodes=_layer(workspace, "fibre_nodes"),
        clutter=clutter,
        costs=cost.unit_costs(workspace.folder),
        owner=request.owner,
        cores=int(request.cores_per_site),
        road_items=request.road_items,
        on_progress=on_progress,
    )


def _layer(workspace: Workspace, name: str) -> gpd.GeoDataFrame | None:
    return workspace.read(name) if workspace.has(name) else None


def _clutter(workspace: Workspace) -> Raster | None:
    if not workspace.has("clutter"):
        return None
    info = workspace.raster_info("clutter")
    grid = workspace.analysis_grid()
    fine = Grid.covering(grid.bounds, min(max(info.grid.resolution_m, 10.0), 50.0), grid.crs)
    return workspace.read_raster("clutter", fine)


def prepare(
    workspace: Workspace,
    request: DesignRequest,
    *,
    sites: gpd.GeoDataFrame | None = None,
    graph: RouteGraph | None = None,
    on_progress: Progress = _silent,
) -> Task:
    """Bring a design problem into numbers.

    Parameters
    ----------
    workspace, request
        See `design`.
    sites
        Sites with columns site_id, name, weight; None for those of the request.
    graph
        From `graph_of`, None to make it.
    on_progress
        Called with the share done.

    Returns
    -------
    Task
        The problem.

    Raises
    ------
    InputError
        If there is no site or no route, or no site can be reached.
    """
    own_sites = sites is not None
    if sites is None:
        sites = sites_of(
            workspace,
            request.sites,
            request.zones,
            on_progress=lambda share: on_progress(0.5 * share),
        )
    else:
        sites = fibre_sites.within(workspace, fibre_sites.checked(workspace, sites), request.zones)
        if not len(sites):
            raise InputError("There is no site to connect among the {kind} asked for", kind="sites")
    clutter = _clutter(workspace)
    problems: list[Problem] = []
    if graph is None:
        built = _graph_of(workspace, request, clutter, lambda share: on_progress(0.5 + 0.4 * share))
        graph, problems = built.graph, built.problems
    costs = cost.unit_costs(workspace.folder)
    live, notes = _live_nodes(workspace, request.owner)
    made = _Links(workspace, request, sites, live, graph, clutter, costs)
    if not made.usable.any():
        raise InputError(
            "None of the {count} sites can be reached: {first}",
            count=len(sites),
            first=next(said for said in made.reason if said is not None),
        )
    on_progress(1.0)
    return Task(
        made.graph,
        sites,
        made.node,
        made.reason,
        made.edges(),
        made.root,
        costs,
        (*notes, *made.notes),
        tuple(problems),
        own_sites,
    )


def _live_nodes(
    workspace: Workspace, owner: str | None
) -> tuple[gpd.GeoDataFrame | None, list[Message]]:
    """Return the exchanges to which sites are led, and what is to be said about them."""
    notes = []
    owners = {
        str(name)
        for layer in ("fibre_segments", "fibre_nodes")
        if workspace.has(layer)
        for name in workspace.read(layer)["owner"].dropna()
    }
    if owner is not None and owner not in owners:
        notes.append(
            message(
                "Nothing of the fibre network belongs to {owner} (owners: {owners})",
                owner=owner,
                owners=", ".join(sorted(owners)) or message("none"),
            )
        )
    live = None
    if workspace.has("fibre_nodes"):
        nodes = workspace.read("fibre_nodes")
        is_live = (nodes["node_type"] == "olt") & (nodes["status"] == "existing")
        if owner is not None:
            is_live &= (nodes["owner"] == owner).fillna(False)
        live = nodes[is_live] if is_live.any() else None
    if live is None:
        notes.append(
            message("There is no exchange in service, so the sites are connected with each other")
        )
    return live, notes


class _Links:
    """Sites and exchanges on the graph: where they meet routes, and which can be reached.

    A site is linked with the nearest road and with the nearest stretch of fibre, where
    both are within reach; the design chooses.
    """

    def __init__(
        self,
        workspace: Workspace,
        request: DesignRequest,
        sites: gpd.GeoDataFrame,
        live: gpd.GeoDataFrame | None,
        graph: RouteGraph,
        clutter: Raster | None,
        costs: dict[str, UnitCost],
    ) -> None:
        self.workspace = workspace
        self.clutter = clutter
        self.costs = costs
        shapes = sites.geometry.to_numpy()
        n_sites = len(shapes)
        if live is not None:
            shapes = np.r_[shapes, live.geometry.to_numpy()]
        xy = shapely.get_coordinates(shapes)
        # Sites at one place are one point, and so are exchanges, each by themselves.
        is_live = np.arange(len(xy)) >= n_sites
        _, first, place = np.unique(
            np.column_stack([is_live, np.round(xy * 100.0)]),
            axis=0,
            return_index=True,
            return_inverse=True,
        )
        self.place = place.ravel()
        self.xy, self.is_live = xy[first], is_live[first]
        point, edge, along, offset = self._candidates(graph, request.reach_m)
        self.graph, access = graph.split(edge, along)
        self.offset = offset
        self.point, self.access = point, access
        self._choose(sites, n_sites, request.reach_m)
        self.notes = self._lost_exchanges(live, n_sites, request.reach_m)
        kinds = sorted({"aerial_new_poles", "trench_unpaved"} & {*request.road_items})
        self.item = min(kinds or [route_graph.LINK_ITEM], key=lambda name: costs[name].cost.typical)

    def _candidates(self, graph: RouteGraph, reach_m: float) -> tuple[Ints, Ints, Floats, Floats]:
        """Return point, edge, place on it and distance of possible links."""
        is_fibre = graph.layer == "fibre_segments"
        found = []
        for among in (~is_fibre, is_fibre):
            edge, offset, along = graph.nearest_edges(
                self.xy[:, 0], self.xy[:, 1], tolerance_m=reach_m, among=among
            )
            near = np.flatnonzero(edge >= 0)
            far = np.where(offset > _ON_M, offset, 0.0)
            found.append((near, edge[near], along[near], far[near]))
        point, edge, along, offset = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return point, edge, along, offset

    def _choose(self, sites: gpd.GeoDataFrame, n_sites: int, reach_m: float) -> None:
        """Keep the links into parts of the graph that are used, and say why others are not."""
        part = self.graph.components()
        into = part[self.access]
        count = int(part.max(initial=0)) + 1
        with_exchange = np.zeros(count, dtype=bool)
        with_exchange[into[self.is_live[self.point]]] = True
        good = with_exchange
        if not with_exchange.any():
            # Without an exchange, the part with most sites.
            per_place = np.bincount(self.place[:n_sites], minlength=len(self.xy))
            pairs = np.unique(np.column_stack([self.point, into]), axis=0)
            size = np.bincount(pairs[:, 1], weights=per_place[pairs[:, 0]], minlength=count)
            good = np.arange(count) == int(np.argmax(size))
        seen = np.zeros(len(self.xy), dtype=bool)
        seen[self.point] = True
        keep = good[into]
        fine = np.zeros(len(self.xy), dtype=bool)
        fine[self.point[keep]] = True
        self.reason = self._reasons(sites, seen, fine, part, good, reach_m)
        _, once = np.unique(
            np.column_stack([self.point, self.access])[keep], axis=0, return_index=True
        )
        kept = np.flatnonzero(keep)[once]
        self.point, self.access, self.offset = (
            self.point[kept],
            self.access[kept],
            self.offset[kept],
        )
        self.fine = fine
        self.usable = fine[self.place[:n_sites]]
        self.point_node = self.graph.n_nodes + np.arange(len(self.xy))
        self.node = np.where(self.usable, self.point_node[self.place[:n_sites]], -1)
        live = self.is_live & fine
        self.root = self.graph.n_nodes + len(self.xy) if live.any() else None
        self.roots = np.flatnonzero(live)

    def _reasons(
        self,
        sites: gpd.GeoDataFrame,
        seen: NDArray[np.bool_],
        fine: NDArray[np.bool_],
        part: Ints,
        good: NDArray[np.bool_],
        reach_m: float,
    ) -> tuple[Message | None, ...]:
        by_point = dict(zip(self.point[::-1].tolist(), self.access[::-1].tolist(), strict=True))
        edge_part = part[self.graph.tail]
        used = np.flatnonzero(good[edge_part])
        tree: shapely.STRtree | None = None
        breaks: dict[int, Message] = {}
        reasons: list[Message | None] = []
        for name, place in zip(sites["site_id"], self.place[: len(sites)].tolist(), strict=True):
            if fine[place]:
                reasons.append(None)
            elif not seen[place]:
                reasons.append(
                    message(
                        "the site {site} lies more than {reach} m from every route",
                        site=str(name),
                        reach=f"{reach_m:g}",
                    )
                )
            else:
                number = int(part[by_point[place]])
                if number not in breaks:
                    tree = tree or shapely.STRtree(self.graph.line[used])
                    apart = np.flatnonzero(edge_part == number)
                    breaks[number] = _break(self.graph.line[apart], self.graph.line[used], tree)
                reasons.append(
                    message("the site {site}: {reason}", site=str(name), reason=breaks[number])
                )
        return tuple(reasons)

    def _lost_exchanges(
        self, live: gpd.GeoDataFrame | None, n_sites: int, reach_m: float
    ) -> list[Message]:
        if live is None:
            return []
        lost = ~self.fine[self.place[n_sites:]]
        if not lost.any():
            return []
        names = live["node_id"].astype(str).to_numpy()[lost]
        return [
            message(
                "{count} exchanges lie more than {reach} m from every route and are not used: "
                "{names}",
                count=len(names),
                reach=f"{reach_m:g}",
                names=", ".join(names[:5]) + (", …" if len(names) > 5 else ""),
            )
        ]

    def edges(self) -> Edges:
        """Return the routes and links as stretches that can be chosen."""
        graph = self.graph
        ends = np.column_stack([graph.x_m[self.access], graph.y_m[self.access]])
        line = np.asarray(
            shapely.linestrings(np.stack([self.xy[self.point], ends], axis=1)), dtype=object
        )
        # An exchange beside a route has been connected with it.
        there = self.is_live[self.point] & (self.offset <= EXCHANGE_M)
        railways = _layer(self.workspace, "railways")
        rail = np.bincount(route_graph.railway_crossings(line, railways)[0], minlength=len(line))
        rivers = np.bincount(
            route_graph.water_crossings(line, self.clutter)[0], minlength=len(line)
        )
        price = self.offset * self.costs[self.item].cost.typical
        price = price + rail * self.costs["railway_crossing"].cost.typical
        price = price + rivers * self.costs["river_crossing"].cost.typical
        length = np.where(there, 0.0, self.offset)
        n_links, n_roots = len(line), len(self.roots)
        free, instead, instead_cost = self._cables()
        n_more = n_links + n_roots
        none = np.zeros(n_roots, dtype=np.int64)
        root = -1 if self.root is None else self.root
        kind = np.where(there, "exchange", "link").astype(object)
        nowhere = np.full(n_roots, None, dtype=object)
        return Edges(
            tail=np.r_[graph.tail, self.point_node[self.point], none + root],
            head=np.r_[graph.head, self.access, self.point_node[self.roots]],
            length_m=np.r_[graph.length_m, length, np.zeros(n_roots)],
            cost=np.r_[graph.cost, np.where(there, 0.0, price), np.zeros(n_roots)],
            kind=np.r_[graph.layer, kind, np.full(n_roots, "exchange", dtype=object)],
            item=np.r_[graph.item, np.full(n_more, self.item, dtype=object)],
            rail=np.r_[graph.rail_crossings, np.where(there, 0, rail), none],
            bridges=np.r_[graph.water_crossings, np.zeros(n_more, dtype=np.int64)],
            rivers=np.r_[np.zeros(graph.n_edges, dtype=np.int64), np.where(there, 0, rivers), none],
            free_cores=np.r_[free, np.full(n_more, np.inf)],
            instead=np.r_[instead, np.full(n_more, "", dtype=object)],
            instead_cost=np.r_[instead_cost, np.full(n_more, np.inf)],
            line=np.r_[graph.line, line, nowhere],
        )

    def _cables(self) -> tuple[Floats, NDArray[np.object_], Floats]:
        """Return free cores of the cables used as they are, and what a new cable costs there."""
        graph = self.graph
        free = np.full(graph.n_edges, np.inf)
        instead = graph.item.copy()
        spare = np.flatnonzero(graph.item == "spare_cores")
        if len(spare):
            segments = self.workspace.read("fibre_segments")
            row = graph.row[spare]
            cores = pd.to_numeric(segments["cores"]).to_numpy(dtype=float, na_value=0.0)
            used = pd.to_numeric(segments["cores_used"]).to_numpy(dtype=float, na_value=0.0)
            kind = segments["segment_type"].to_numpy(dtype=object)[row]
            free[spare] = cores[row] - used[row]
            # Beside a buried cable the next one is buried, too.
            instead[spare] = np.select(
                [kind == "duct", kind == "aerial"],
                ["cable_in_own_duct", "aerial_existing_poles"],
                "trench_unpaved",
            )
        names, which = np.unique(instead.astype(str), return_inverse=True)
        metre = np.array([self.costs[str(name)].cost.typical for name in names])[which]
        return free, instead, np.maximum(graph.length_m * metre, graph.cost)


def _break(
    lines: NDArray[np.object_], others: NDArray[np.object_], tree: shapely.STRtree
) -> Message:
    """Say where a part of the graph comes nearest to the ones that are used."""
    (mine, other), distance = tree.query_nearest(lines, return_distance=True)
    best = int(np.argmin(distance))
    point = shapely.get_coordinates(shapely.shortest_line(lines[mine[best]], others[other[best]]))
    return message(
        "its routes are not connected with the rest; the nearest break is {distance} m at {x}, {y}",
        distance=f"{distance[best]:.0f}",
        x=f"{point[0, 0]:.0f}",
        y=f"{point[0, 1]:.0f}",
    )


def design(
    workspace: Workspace,
    request: DesignRequest,
    *,
    sites: gpd.GeoDataFrame | None = None,
    task: Task | None = None,
    on_progress: Progress = _silent,
) -> RouteDesign:
    """Design the routes that connect sites with the live network, or with each other.

    Parameters
    ----------
    workspace
        The study area; needs roads or fibre_segments. Exchanges (fibre_nodes of type
        olt) are what sites are led to; without any, the sites are connected with each
        other.
    request
        Sites, budget and rules.
    sites
        Sites with columns site_id, name, weight in place of the request's.
    task
        From `prepare`, where several designs share it; then `sites` do not count.
    on_progress
        Called with the share done; may raise `CancelledError`.

    Returns
    -------
    RouteDesign
        Routes, bill and proof.

    Raises
    ------
    InputError
        If there is no site or no route, no site can be reached, or a budget is given
        and there is no live network to start from.
    """
    if task is None:
        task = prepare(
            workspace, request, sites=sites, on_progress=lambda share: on_progress(0.3 * share)
        )
    solved = _solved(task, request, lambda share: on_progress(0.3 + 0.6 * share))
    summary, result = _result(task, request, solved)
    summary["area"] = workspace.area.name
    summary["illustrative"] = workspace.area.illustrative
    summary["provenance"] = _provenance(workspace, request, task)
    on_progress(1.0)
    return replace(result, summary=summary)


def _provenance(workspace: Workspace, request: DesignRequest, task: Task) -> dict[str, Any]:
    """Return what a design was made of, so that it can be made again."""
    asked = asdict(request) | ({"sites": "own"} if task.own_sites else {})
    names = ["zones", "roads", "fibre_segments", "fibre_nodes", "railways", "clutter"]
    names += [] if task.own_sites or request.sites == "unserved" else [request.sites]
    names += ["offices"] if request.sites == "communes" and not task.own_sites else []
    used = [name for name in dict.fromkeys(names) if workspace.has(name)]
    inputs = {
        name: {
            "source": about.source,
            "vintage": about.vintage,
            "sha256": about.sha256,
            "illustrative": about.illustrative,
        }
        for name, about in workspace.provenance().items()
        if name in used
    }
    sites = task.sites.assign(x=task.sites.geometry.x, y=task.sites.geometry.y)
    text = pd.DataFrame(sites.drop(columns=sites.geometry.name)).to_csv(index=False)
    return {
        "request": asked,
        "inputs": inputs,
        "content": workspace.content_hash(*used),
        "sites_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "unit_costs": {
            name: {**asdict(item.cost), "unit": item.unit, "year": item.year}
            for name, item in task.costs.items()
            if item.group == "fibre"
        },
    }


def curve(
    workspace: Workspace,
    request: DesignRequest,
    budgets: Sequence[float],
    *,
    sites: gpd.GeoDataFrame | None = None,
    task: Task | None = None,
    on_progress: Progress = _silent,
) -> pd.DataFrame:
    """Return what each of several budgets brings.

    Parameters
    ----------
    workspace, request, sites, task, on_progress
        See `design`; the request's own budget does not count.
    budgets
        In the currency of the unit costs.

    Returns
    -------
    DataFrame
        Columns budget, cost, value, bound, gap, sites.
    """
    if task is None:
        task = prepare(
            workspace, request, sites=sites, on_progress=lambda share: on_progress(0.3 * share)
        )
    wanted = sorted({float(budget) for budget in budgets})
    if not wanted:
        return pd.DataFrame(columns=list(_CURVE_COLUMNS))
    plans = _plans(task, request, wanted, lambda share: on_progress(0.3 + 0.7 * share))
    rows = []
    for budget in budgets:
        at = wanted.index(float(budget))
        # What fits a smaller budget fits this one.
        plan = min(plans.best[: at + 1], key=lambda plan: plan.rank)
        bound = max(plans.bounds[at], plan.value)
        sites = int(np.isin(task.node, plan.nodes).sum())
        gap = _gap_below(plan.value, bound)
        rows.append((float(budget), plan.cost, plan.value, bound, gap, sites))
    on_progress(1.0)
    return pd.DataFrame(rows, columns=list(_CURVE_COLUMNS))


_CURVE_COLUMNS = ("budget", "cost", "value", "bound", "gap", "sites")


def _gap_below(value: float, bound: float) -> float:
    return (bound - value) / bound if bound > 0.0 else 0.0


def _prizes(task: Task) -> dict[int, float]:
    there = task.node >= 0
    weight = task.sites["weight"].to_numpy(dtype=float)
    nodes, which = np.unique(task.node[there], return_inverse=True)
    total = np.bincount(which, weights=weight[there])
    return dict(zip(nodes.tolist(), total.tolist(), strict=True))


def time_for(edges: int) -> float:
    """Return how long a design may be improved where no limit is given.

    Parameters
    ----------
    edges
        Number of edges of the network.

    Returns
    -------
    float
        8 s for a district, 60 s for a region. [s]

    Examples
    --------
    >>> [time_for(edges) for edges in (1_000, 50_000, 1_000_000)]
    [8.0, 20.0, 60.0]
    """
    return float(np.clip(edges / 2_500.0, 8.0, 60.0))


@dataclass(frozen=True, eq=False)
class _Tree:
    """What a solver found, and what it proves."""

    edges: Ints
    bound: float
    gap: float
    message: Message | None


@dataclass(frozen=True, eq=False)
class _Plan:
    """A tree with what it costs once no cable carries more than its free cores."""

    edges: Edges
    chosen: Ints
    nodes: Ints
    over: NDArray[np.bool_]
    cost: float
    value: float
    message: Message | None

    @property
    def rank(self) -> tuple[float, float]:
        """The less, the better: more value, then less cost."""
        return round(-self.value, 6), self.cost


@dataclass(frozen=True, eq=False)
class _Plans:
    """The best plan and the proven bound for each budget (None: all sites)."""

    best: list[_Plan]
    bounds: list[float]
    gaps: list[float]
    short_of_cores: bool


def _plans(
    task: Task,
    request: DesignRequest,
    budgets: Sequence[float | None],
    on_progress: Progress,
) -> _Plans:
    """Find the best plans, so that no cable carries more than its free cores.

    At first the free cores count as endless: what that proves holds for all plans. Where
    a plan needs more cores than a cable has, a new cable is laid beside it. Then plans
    are made with prices of new cables on those with few free cores, on those that were
    too small before, and in part on those that are not used; the best is kept.
    """
    several = len(budgets) > 1 and bool(np.isfinite(task.edges.free_cores).any())
    part = 0.5 if several else 1.0
    search = _CoreSearch(task, request, budgets, lambda share: on_progress(part * share))
    plans = search.run()
    if plans.short_of_cores and len(budgets) > 1:
        # What cables are too small differs from budget to budget.
        limit_s = request.time_limit_s or time_for(len(task.edges.tail))
        alone = replace(request, time_limit_s=limit_s / len(budgets))
        each = []
        for number, budget in enumerate(budgets):
            begin, width = part + (1.0 - part) * number / len(budgets), (1.0 - part) / len(budgets)

            def tell(share: float, begin: float = begin, width: float = width) -> None:
                on_progress(begin + width * share)

            each.append(_CoreSearch(task, alone, [budget], tell).run().best[0])
        best = [
            min(pair, key=lambda plan: plan.rank) for pair in zip(plans.best, each, strict=True)
        ]
        plans = replace(plans, best=best)
    return plans


class _CoreSearch:
    """The state of a search for plans within the free cores."""

    def __init__(
        self,
        task: Task,
        request: DesignRequest,
        budgets: Sequence[float | None],
        on_progress: Progress,
    ) -> None:
        self.task = task
        self.edges = task.edges
        self.cores = int(request.cores_per_site)
        self.budgets = list(budgets)
        self.report = on_progress
        self.done = 0.0
        self.prizes = _prizes(task)
        self.extra = np.where(
            np.isfinite(self.edges.free_cores), self.edges.instead_cost - self.edges.cost, 0.0
        )
        needed = int((task.node >= 0).sum()) * self.cores
        #: Cables that may turn out to be too small.
        self.small = self.edges.free_cores < needed
        limit_s = request.time_limit_s or time_for(len(self.edges.tail))
        self.first_s = 0.5 * limit_s if self.small.any() else limit_s
        self.later_s = 0.1 * limit_s
        self.start_s = time.monotonic()
        self.end_s = self.start_s + limit_s
        self.best: list[_Plan | None] = [None] * len(self.budgets)
        self.priced = np.zeros(len(self.edges.tail), dtype=bool)
        self.bound: float | None = None

    def run(self) -> _Plans:
        """Search until nothing is overloaded or time is out."""
        trees = self.solve(self.edges.cost, self.first_s)
        none = np.zeros(len(self.edges.tail), dtype=bool)
        over = self.offer(trees, none)
        short = bool(over.any())
        if short:
            # A plan that pays new cables for all doubtful ones is within its budget for sure.
            self.bound = trees[-1].bound
            self.attempt(self.small)
            self.by_size()
            self.refine_all()
            self.replace_small(none, over)
            self.refine_all()
            self.shake()
        return _Plans(
            [plan for plan in self.best if plan is not None],
            [tree.bound for tree in trees],
            [tree.gap for tree in trees],
            short,
        )

    def goes_on(self) -> bool:
        """Return whether there is time left, and something to be gained."""
        best = self.best[-1]
        if best is not None and self.bound is not None:
            if self.budgets[-1] is None and best.cost <= self.bound * (1.0 + _NEAR):
                return False
            if self.budgets[-1] is not None and best.value >= self.bound * (1.0 - _NEAR):
                return False
        return time.monotonic() < self.end_s

    def tell(self, share: float) -> None:
        """Report progress: that of the first solution, then that of the time."""
        if not self.small.any():
            self.done = max(self.done, share)
        elif self.bound is None:
            self.done = max(self.done, 0.5 * share)
        else:
            spent = (time.monotonic() - self.start_s) / (self.end_s - self.start_s)
            self.done = max(self.done, 0.5 + 0.5 * min(spent, 1.0))
        self.report(self.done)

    def refine_all(self) -> None:
        """Try changes as long as they help."""
        while self.goes_on() and self.refine():
            pass

    def solve(self, cost: Floats, limit_s: float) -> list[_Tree]:
        """Return the best tree for each budget by some costs."""
        edges, task = self.edges, self.task
        if self.budgets == [None]:
            terminals = task.node[task.node >= 0]
            if task.root is not None:
                terminals = np.r_[terminals, task.root]
            tree = steiner_tree(
                edges.tail,
                edges.head,
                cost,
                terminals,
                time_limit_s=limit_s,
                on_progress=self.tell,
            )
            return [_Tree(tree.edges, tree.lower_bound, tree.gap, None)]
        found = cost_benefit_curve(
            edges.tail,
            edges.head,
            cost,
            self.prizes,
            [task.live_root()],
            [0.0 if budget is None else budget for budget in self.budgets],
            time_limit_s=limit_s,
            on_progress=self.tell,
        )
        return [_Tree(tree.edges, tree.upper_bound, tree.gap, tree.message) for tree in found]

    def offer(self, trees: list[_Tree], priced: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Keep trees that are better than the best ones; return where cables are too small."""
        overloaded = np.zeros(len(self.edges.tail), dtype=bool)
        for k, tree in enumerate(trees):
            plan = self.plan_of(tree.edges, tree.message)
            overloaded |= plan.over
            self.keep(k, plan, priced)
            if plan.over.any() and self.budgets[k] is not None:
                fewer = _with_fewer_sites(self.task, self.edges, tree.edges, self.cores)
                self.keep(k, self.plan_of(fewer, None), priced)
        return overloaded

    def plan_of(self, chosen: Ints, said: Message | None) -> _Plan:
        """Return a tree with new cables where the old ones do not suffice."""
        over = np.zeros(len(self.edges.tail), dtype=bool)
        for edge, count in _sites_through(self.task, self.edges, chosen).items():
            over[edge] = count * self.cores > self.edges.free_cores[edge]
        edges = self.edges.with_new_cables(over) if over.any() else self.edges
        touched = np.unique(np.r_[edges.tail[chosen], edges.head[chosen]]).tolist()
        nodes = np.array([node for node in touched if node in self.prizes], dtype=np.int64)
        value = float(sum(self.prizes[node] for node in nodes.tolist()))
        return _Plan(edges, chosen, nodes, over, float(edges.cost[chosen].sum()), value, said)

    def keep(self, k: int, plan: _Plan, priced: NDArray[np.bool_]) -> None:
        """Keep a plan if it is within its budget and the best."""
        budget, known = self.budgets[k], self.best[k]
        if budget is not None and plan.cost > budget * (1.0 + 1e-9):
            return
        if known is None or plan.rank < known.rank:
            self.best[k] = plan
            self.priced = priced

    def attempt(self, priced: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Solve with new cables priced in some places."""
        cost = np.where(priced, self.edges.instead_cost, self.edges.cost)
        return self.offer(self.solve(cost, self.later_s), priced)

    def by_size(self) -> None:
        """Try to leave out the cables with few free cores."""
        free = self.edges.free_cores[self.small] / self.cores
        most = float(free.max(initial=0.0))
        sites = 2.0
        while sites <= most and self.goes_on():
            self.attempt(self.edges.free_cores < sites * self.cores)
            sites = np.ceil(sites * 1.3 + 0.5)

    def replace_small(self, priced: NDArray[np.bool_], over: NDArray[np.bool_]) -> None:
        """Price new cables where the old ones were too small, several times."""
        for _ in range(_REPLACEMENTS):
            if not self.goes_on() or not (over & ~priced).any():
                break
            priced = priced | over
            over = self.attempt(priced)

    def refine(self) -> bool:
        """Try changes to the plan for the largest budget; return whether it became better."""
        before = self.best[-1]
        priced = self.priced
        if before is None:
            return False
        self.replace_small(priced, before.over)
        for share in (0.8, 0.4):
            plan = self.best[-1]
            if plan is None or not self.goes_on():
                break
            cost = np.where(self.priced, self.edges.cost + share * self.extra, self.edges.cost)
            cost[plan.chosen] = plan.edges.cost[plan.chosen]
            self.offer(self.solve(cost, self.later_s), self.priced)
        after = self.best[-1]
        return after is not None and after.rank < before.rank

    def shake(self) -> None:
        """Price new cables on a random choice of those that were too small or are used."""
        random = np.random.default_rng(_SEED)
        segment = np.full(len(self.edges.tail), -1, dtype=np.int64)
        segment[: self.task.graph.n_edges] = self.task.graph.row
        count = int(segment.max(initial=0)) + 1
        stale = 0
        while stale < _STALE and self.goes_on():
            before = self.best[-1]
            if before is None:
                return
            used = np.zeros(len(segment), dtype=bool)
            used[before.chosen] = True
            chance = random.choice([0.1, 0.3, 0.6])
            # Cables as a whole, of which the graph has many stretches.
            drawn = (random.random(count) < chance)[segment]
            other = self.small & drawn & (used | (random.random() < 0.3))
            self.attempt(np.where(drawn, other, self.priced & self.small))
            after = self.best[-1]
            stale = stale + 1 if after is None or after.rank >= before.rank else 0


@dataclass(frozen=True, eq=False)
class _Solved:
    """The chosen stretches, and what is proven about the choice."""

    edges: Edges
    chosen: Ints
    bound: float
    gap: float
    notes: list[Message]


def _solved(task: Task, request: DesignRequest, on_progress: Progress) -> _Solved:
    plans = _plans(task, request, [request.budget], on_progress)
    plan, bound, gap = plans.best[0], plans.bounds[0], plans.gaps[0]
    notes = []
    if plans.short_of_cores:
        notes.append(
            message(
                "Some cables have too few free cores for the cheapest routes, so other routes are "
                "taken or new cables laid beside them; the proof supposes that all had enough"
            )
        )
        if request.budget is None:
            gap = (plan.cost - bound) / bound if bound > 0.0 else float(np.inf)
        else:
            bound = max(bound, plan.value)
            gap = _gap_below(plan.value, bound)
    if plan.message is not None:
        notes.append(
            message(
                "The budget of {budget} {currency} is smaller than the cost of the cheapest site, "
                "{cheapest} {currency}",
                budget=f"{request.budget or 0.0:,.0f}",
                cheapest=f"{float(str(plan.message.values['cheapest'])):,.0f}",
                currency=_currency(task.costs),
            )
        )
    return _Solved(plan.edges, plan.chosen, bound, gap, notes)


def _currency(costs: dict[str, UnitCost]) -> str:
    return next(iter(costs.values())).currency


_ROUTE_COLUMNS = (
    "kind",
    "item",
    "length_m",
    "rail_crossings",
    "bridges",
    "river_crossings",
    "sites",
    "cores",
    "cable",
    "cost",
)


def _routes(task: Task, request: DesignRequest, solved: _Solved) -> gpd.GeoDataFrame:
    edges = solved.edges
    through = _sites_through(task, edges, solved.chosen)
    # A site on a route has a link without length, which is nothing to build.
    links = np.isin(edges.kind[solved.chosen].astype(str), ("exchange", "link"))
    chosen = solved.chosen[~links | (edges.length_m[solved.chosen] > 0.0)]
    sites = np.array([through[edge] for edge in chosen.tolist()], dtype=np.int64)
    cores = sites * int(request.cores_per_site)
    columns = {
        "kind": edges.kind[chosen].astype(str),
        "item": edges.item[chosen].astype(str),
        "length_m": edges.length_m[chosen],
        "rail_crossings": edges.rail[chosen],
        "bridges": edges.bridges[chosen],
        "river_crossings": edges.rivers[chosen],
        "sites": sites,
        "cores": cores,
        "cable": np.array([cable_size(int(count)) for count in cores], dtype=np.int64),
        "cost": edges.cost[chosen],
    }
    return gpd.GeoDataFrame(
        columns, columns=_ROUTE_COLUMNS, geometry=edges.line[chosen], crs=task.graph.crs
    )


def _site_reasons(
    task: Task, request: DesignRequest, solved: _Solved
) -> tuple[NDArray[np.bool_], tuple[Message | None, ...]]:
    """Return which sites are connected, and why the others are not."""
    edges = solved.edges
    connected = task.node >= 0
    if request.budget is not None:
        touched = np.r_[edges.tail[solved.chosen], edges.head[solved.chosen]]
        connected &= np.isin(task.node, touched)
    weight = task.sites["weight"].to_numpy(dtype=float)
    reasons: list[Message | None] = []
    for there, why, worth in zip(connected, task.reason, weight, strict=True):
        if there:
            reasons.append(None)
        elif why is not None:
            reasons.append(why)
        elif worth <= 0.0:
            reasons.append(message("its weight is 0, so nothing of a budget is spent on it"))
        else:
            reasons.append(message("not within the budget"))
    return connected, tuple(reasons)


def _result(
    task: Task, request: DesignRequest, solved: _Solved
) -> tuple[dict[str, Any], RouteDesign]:
    routes = _routes(task, request, solved)
    connected, reasons = _site_reasons(task, request, solved)
    sites = task.sites.assign(
        connected=connected, reason=["" if why is None else str(why) for why in reasons]
    )
    bill = cost.bill_of_quantities(_quantities(routes), task.costs)
    whole = cost.total(bill)
    route_cost = float(solved.edges.cost[solved.chosen].sum())
    value = float(task.sites["weight"].to_numpy(dtype=float)[connected].sum())
    length = routes["length_m"].to_numpy()
    there = routes["item"].isin(EXISTING_ITEMS).to_numpy(dtype=bool)
    notes = (*task.notes, *solved.notes)
    summary: dict[str, Any] = {
        "sites": len(task.sites),
        "connected": int(connected.sum()),
        "value": value,
        "length_m": float(length.sum()),
        "new_m": float(length[~there].sum()),
        "existing_m": float(length[there].sum()),
        "length_m_by_item": {
            str(item): float(metres)
            for item, metres in routes.groupby("item")["length_m"].sum().items()
        },
        "cost": {**asdict(whole), "currency": _currency(task.costs)},
        "route_cost": route_cost,
        "budget": request.budget,
        "objective": "cost" if request.budget is None else "value",
        "bound": solved.bound,
        "gap": solved.gap if np.isfinite(solved.gap) else None,
        "exchange": task.root is not None,
        "unreachable": [
            {"site": str(site), "reason": str(why)}
            for site, why in zip(task.sites["site_id"], task.reason, strict=True)
            if why is not None
        ],
        "notes": [str(said) for said in notes],
        "problems": {
            "count": len(task.problems),
            "first": [str(problem) for problem in task.problems[:_MOST_PROBLEMS]],
        },
    }
    design = RouteDesign(
        routes,
        sites,
        reasons,
        bill,
        whole,
        route_cost,
        solved.bound,
        solved.gap,
        value,
        notes,
        task.problems,
    )
    return summary, design


def _sites_through(task: Task, edges: Edges, chosen: Ints) -> dict[int, int]:
    """Return how many sites' fibres run through each edge of a tree, towards the exchange.

    Without an exchange the fibres run to the site from which all others are the nearest
    in sum.
    """
    beside: dict[int, list[tuple[int, int]]] = {}
    for edge in chosen.tolist():
        a, b = int(edges.tail[edge]), int(edges.head[edge])
        beside.setdefault(a, []).append((b, edge))
        beside.setdefault(b, []).append((a, edge))
    nodes, counts = np.unique(task.node[task.node >= 0], return_counts=True)
    sites = dict(zip(nodes.tolist(), counts.tolist(), strict=True))
    there = [node for node in sites if node in beside]
    if not there:
        return {}
    start = task.root if task.root is not None else there[0]
    through = _counted(beside, sites, start)
    if task.root is None:
        # From the first site to the best one: a step changes the sum by what lies beyond.
        total = sum(sites.values())
        keys: list[tuple[float, str, int]] = []
        name = {int(n): str(s) for n, s in zip(task.node, task.sites["site_id"], strict=True)}
        far = {start: 0.0}
        stack = [start]
        while stack:
            here = stack.pop()
            if here in sites:
                keys.append((round(far[here], 3), name[here], here))
            for node, edge in beside[here]:
                if node not in far:
                    step = total - 2 * through[edge]
                    far[node] = far[here] + step * float(edges.length_m[edge])
                    stack.append(node)
        through = _counted(beside, sites, min(keys)[2])
    return through


def _with_fewer_sites(task: Task, edges: Edges, chosen: Ints, cores: int) -> Ints:
    """Return what is left of a tree when cables drop the least sites that they cannot carry."""
    prizes = _prizes(task)
    nodes, counts = np.unique(task.node[task.node >= 0], return_counts=True)
    sites = dict(zip(nodes.tolist(), counts.tolist(), strict=True))
    beside: dict[int, list[tuple[int, int]]] = {}
    for edge in chosen.tolist():
        a, b = int(edges.tail[edge]), int(edges.head[edge])
        beside.setdefault(a, []).append((b, edge))
        beside.setdefault(b, []).append((a, edge))
    carried = {node: [node] if node in sites else [] for node in beside}
    through: dict[int, list[int]] = {}
    for here, there, edge in reversed(_outwards(beside, task.live_root())):
        kept, room = [], edges.free_cores[edge] / cores
        for node in sorted(carried[there], key=lambda n: (-prizes[n] / sites[n], n)):
            if sites[node] <= room:
                kept.append(node)
                room -= sites[node]
        through[edge] = kept
        carried[here] = carried[here] + kept
    last = set(carried.get(task.live_root(), []))
    return np.array([e for e in chosen.tolist() if last.intersection(through[e])], dtype=np.int64)


def _outwards(beside: dict[int, list[tuple[int, int]]], start: int) -> list[tuple[int, int, int]]:
    """Return a tree's edges with their nearer and farther node, seen from its start."""
    order: list[tuple[int, int, int]] = []
    seen = {start}
    stack = [start]
    while stack:
        here = stack.pop()
        for there, edge in beside.get(here, ()):
            if there not in seen:
                seen.add(there)
                order.append((here, there, edge))
                stack.append(there)
    return order


def _counted(
    beside: dict[int, list[tuple[int, int]]], sites: dict[int, int], start: int
) -> dict[int, int]:
    """Return how many sites lie beyond each edge of a tree, seen from its start."""
    count = {node: sites.get(node, 0) for node in beside}
    through: dict[int, int] = {}
    for here, there, edge in reversed(_outwards(beside, start)):
        through[edge] = count[there]
        count[here] += count[there]
    return through


def cable_size(cores: int) -> int:
    """Return the smallest cable, or number of the largest ones, that has enough cores.

    Parameters
    ----------
    cores
        Fibres needed.

    Returns
    -------
    int
        One of `CABLE_SIZES`, or a multiple of the largest.

    Examples
    --------
    >>> [cable_size(cores) for cores in (2, 24, 25, 288, 300)]
    [12, 24, 48, 288, 576]
    """
    for size in CABLE_SIZES:
        if cores <= size:
            return size
    largest = CABLE_SIZES[-1]
    return -(-cores // largest) * largest


def _quantities(routes: gpd.GeoDataFrame) -> dict[str, float]:
    """Return how much of every cost item routes need."""
    amounts = {str(k): float(v) for k, v in routes.groupby("item")["length_m"].sum().items()}
    amounts["railway_crossing"] = float(routes["rail_crossings"].sum())
    amounts["bridge_crossing"] = float(routes["bridges"].sum())
    amounts["river_crossing"] = float(routes["river_crossings"].sum())
    new = routes[routes["item"] != "spare_cores"]
    beyond = (new["cable"] - INCLUDED_CORES).clip(lower=0)
    amounts["cable_per_core"] = float((beyond * new["length_m"]).sum())
    return amounts


def save(result: RouteDesign, folder: Path, *, budgets: pd.DataFrame | None = None) -> None:
    """Write a design: design.json, design.gpkg (routes, sites), bill.csv and bill.xlsx.

    Parameters
    ----------
    result
        The design.
    folder
        Where to; made if it is missing.
    budgets
        From `curve`; written as curve.csv.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tmp-") as scratch:
        made = Path(scratch)
        text = json.dumps(result.summary, ensure_ascii=False, indent=2)
        (made / "design.json").write_text(text + "\n", encoding="utf-8")
        result.routes.to_file(
            made / "design.gpkg", layer="routes", driver="GPKG", geometry_type="LineString"
        )
        result.sites.to_file(
            made / "design.gpkg", layer="sites", driver="GPKG", geometry_type="Point"
        )
        csv_file.write(result.bill, made / "bill.csv")
        bill_workbook.write(result.bill, result.sites, made / "bill.xlsx")
        if budgets is not None:
            csv_file.write(budgets, made / "curve.csv")
        for path in sorted(made.iterdir()):
            path.replace(folder / path.name)
