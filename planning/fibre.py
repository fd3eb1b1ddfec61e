"""Design of fibre routes: connect sites at least cost, or most people for a budget.

The routes follow roads, ducts, poles and cables (`planning.route_graph`). What is
there is used before anything is dug, as it costs less. The cost that is minimised is
the typical one; the bill of quantities has the range.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from data.errors import InputError, Message, message
from data.grid import Grid, Raster
from data.store import Workspace
from data.study_area import finest_zones
from planning import cost, route_graph
from planning.cost import CostRange, UnitCost
from planning.prize_collecting import budget_tree, cost_benefit_curve
from planning.route_graph import RouteGraph
from planning.steiner import SteinerTree as SteinerTree
from planning.steiner import steiner_tree as steiner_tree

#: Sites that can be connected, by name.
SITE_KINDS = ("communes", "offices", "masts", "villages")

#: Sizes in which cables are made. [cores]
CABLE_SIZES = (12, 24, 48, 96, 144, 288)

#: Size that the cost per metre includes; each core beyond it costs extra.
INCLUDED_CORES = 24

Progress = Callable[[float], None]


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
        For the optimisation. [s]
    """

    sites: str = "communes"
    zones: tuple[str, ...] | None = None
    owner: str | None = None
    cores_per_site: int = 2
    budget: float | None = None
    road_items: tuple[str, ...] = route_graph.ROAD_ITEMS
    reach_m: float = 2_000.0
    time_limit_s: float = 30.0

    def __post_init__(self) -> None:
        if self.sites not in SITE_KINDS:
            raise InputError(
                "There are no sites called {value} (expected one of {expected})",
                value=self.sites,
                expected=", ".join(SITE_KINDS),
            )
        for name in ("cores_per_site", "reach_m", "time_limit_s"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise InputError(
                    "The design's {name} is {value}, but it must be greater than 0",
                    name=name,
                    value=value,
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
        Stretches to build or to use, with item, length, crossings, sites and cores that
        run through, cable size and typical cost.
    sites
        All sites, with `connected` and, where not, `reason`.
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
        Share by which the design may miss the best one.
    value
        Sum of the connected sites' weights, e.g. people.
    summary
        All of it in figures, for JSON.
    """

    routes: gpd.GeoDataFrame
    sites: gpd.GeoDataFrame
    bill: pd.DataFrame
    cost: CostRange
    route_cost: float
    bound: float
    gap: float
    value: float
    summary: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Task:
    """A design problem in numbers, ready to be solved for one budget or several.

    Parameters
    ----------
    graph
        Routes, with a node for every site's access.
    sites
        The sites, with column `weight`.
    node
        Node of each site in the arrays below, -1 where it cannot be reached.
    reason
        Why a site cannot be reached, None where it can.
    tail, head, cost, length_m, water
        Edges of the routes, then one link per site within reach, then edges of no
        cost from the live network to `root`.
    root
        Node of the live network, None where there is none.
    link_item
        Cost item of the links.
    costs
        Unit costs.
    """

    graph: RouteGraph
    sites: gpd.GeoDataFrame
    node: NDArray[np.int64]
    reason: list[Message | None]
    tail: NDArray[np.int64]
    head: NDArray[np.int64]
    cost: NDArray[np.float64]
    length_m: NDArray[np.float64]
    water: NDArray[np.int64]
    root: int | None
    link_item: str
    costs: dict[str, UnitCost]


def sites_of(
    workspace: Workspace, kind: str, zones: Sequence[str] | None = None
) -> gpd.GeoDataFrame:
    """Return sites that can be connected.

    Parameters
    ----------
    workspace
        The study area.
    kind
        ``"communes"``: the seat of each of the finest zones, or a point inside where no
        office is known; ``"offices"``, ``"masts"``, ``"villages"``: the layer's rows.
    zones
        Codes of zones in which the sites lie; None for all.

    Returns
    -------
    GeoDataFrame
        Columns site_id, name, weight (people, or 1) and geometry.

    Raises
    ------
    InputError
        If the layer is missing, or no site is left.
    """
    area = finest_zones(workspace.read("zones"))
    if zones is not None:
        unknown = sorted(set(zones) - set(workspace.read("zones")["code"]))
        if unknown:
            raise InputError("There is no zone {value}", value=", ".join(unknown))
    if kind == "communes":
        frame = _seats(workspace, area)
    else:
        if not workspace.has(kind):
            raise InputError(
                "The study area has no layer {layer}; import it, or connect other sites",
                layer=kind,
            )
        rows = workspace.read(kind)
        if kind == "masts":
            rows = rows[rows["status"] != "removed"]
        key = {"masts": "mast_id", "villages": "village_id", "offices": "office_id"}[kind]
        weight = rows["population"].fillna(0.0) if kind == "villages" else 1.0
        frame = gpd.GeoDataFrame(
            {"site_id": rows[key], "name": rows["name"], "weight": weight},
            geometry=rows.geometry,
            crs=rows.crs,
        )
    if zones is not None:
        wanted = workspace.read("zones")
        inside = shapely.union_all(wanted[wanted["code"].isin(zones)].geometry.to_numpy())
        frame = frame[shapely.intersects(inside, frame.geometry.to_numpy())]
    if not len(frame):
        raise InputError("There is no site to connect among the {kind} asked for", kind=kind)
    return frame.reset_index(drop=True)


def _seats(workspace: Workspace, area: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a point for every zone: its office where one is known, else one inside it."""
    points = gpd.GeoSeries(area.representative_point().to_numpy(), crs=area.crs)
    if workspace.has("offices"):
        offices = workspace.read("offices").dropna(subset=["zone_code"])
        seat = dict(zip(offices["zone_code"], offices.geometry, strict=True))
        points = gpd.GeoSeries(
            [seat.get(code, point) for code, point in zip(area["code"], points, strict=True)],
            crs=area.crs,
        )
    weight = pd.to_numeric(area["population"]).fillna(0.0).to_numpy(dtype=float)
    return gpd.GeoDataFrame(
        {
            "site_id": area["code"].to_numpy(),
            "name": area["name"].to_numpy(),
            "weight": weight if weight.any() else np.ones(len(area)),
        },
        geometry=points,
        crs=area.crs,
    )


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

    def layer(name: str) -> gpd.GeoDataFrame | None:
        return workspace.read(name) if workspace.has(name) else None

    return route_graph.build(
        roads=layer("roads"),
        fibre_segments=layer("fibre_segments"),
        railways=layer("railways"),
        clutter=_clutter(workspace),
        costs=cost.unit_costs(workspace.folder),
        owner=request.owner,
        cores=request.cores_per_site,
        road_items=request.road_items,
        on_progress=on_progress,
    )


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
    if sites is None:
        sites = sites_of(workspace, request.sites, request.zones)
    if graph is None:
        graph = graph_of(workspace, request, on_progress=on_progress).graph
    costs = cost.unit_costs(workspace.folder)
    live = _live_nodes(workspace, request.owner)
    x, y = sites.geometry.x.to_numpy(), sites.geometry.y.to_numpy()
    every_x = np.r_[x, live.geometry.x.to_numpy()] if live is not None else x
    every_y = np.r_[y, live.geometry.y.to_numpy()] if live is not None else y
    split, access, offset = graph.attach(every_x, every_y, tolerance_m=request.reach_m)
    n = len(sites)
    live_access = np.unique(access[n:][access[n:] >= 0])
    part = split.components()
    main = _main_part(part, access[:n], live_access)
    reason = _reasons(split, part, main, access[:n], offset[:n], request.reach_m, sites)
    usable = np.array([said is None for said in reason])
    if not usable.any():
        raise InputError(
            "None of the {count} sites can be reached: {first}", count=n, first=reason[0]
        )
    link_item = min(
        {"aerial_new_poles", "trench_unpaved"} & {*request.road_items, "trench_unpaved"},
        key=lambda name: costs[name].cost.typical,
    )
    linked = np.flatnonzero(usable)
    node = np.full(n, -1, dtype=np.int64)
    node[linked] = split.n_nodes + np.arange(len(linked))
    lines = _link_lines(sites, split, linked, access)
    water = route_graph.water_runs(lines, _clutter(workspace))
    link_cost = offset[linked] * costs[link_item].cost.typical
    link_cost = link_cost + water * costs["river_crossing"].cost.typical
    in_main = live_access[part[live_access] == main] if len(live_access) else live_access
    root = None if not len(in_main) else int(split.n_nodes + len(linked))
    roots = np.full(len(in_main), -1 if root is None else root, dtype=np.int64)
    return Task(
        split,
        sites,
        node,
        reason,
        np.r_[split.tail, node[linked], roots],
        np.r_[split.head, access[:n][linked], in_main],
        np.r_[split.cost, link_cost, np.zeros(len(in_main))],
        np.r_[split.length_m, offset[linked], np.zeros(len(in_main))],
        water,
        root,
        link_item,
        costs,
    )


def _live_nodes(workspace: Workspace, owner: str | None) -> gpd.GeoDataFrame | None:
    """Return the exchanges to which sites are led."""
    if not workspace.has("fibre_nodes"):
        return None
    nodes = workspace.read("fibre_nodes")
    live = (nodes["node_type"] == "olt") & (nodes["status"] == "existing")
    if owner is not None:
        live &= nodes["owner"] == owner
    return nodes[live] if live.any() else None


def _main_part(part: NDArray[np.int64], access: NDArray[np.int64], live: NDArray[np.int64]) -> int:
    """Return the connected part of the graph in which most sites can be connected."""
    near = access[access >= 0]
    if not len(near):
        return 0
    count = np.bincount(part[near], minlength=int(part.max()) + 1)
    if len(live):
        with_exchange = np.zeros(len(count), dtype=bool)
        with_exchange[part[live]] = True
        count = np.where(with_exchange, count, -1)
    return int(np.argmax(count))


def _reasons(
    graph: RouteGraph,
    part: NDArray[np.int64],
    main: int,
    access: NDArray[np.int64],
    offset: NDArray[np.float64],
    reach_m: float,
    sites: gpd.GeoDataFrame,
) -> list[Message | None]:
    """Return for every site why it cannot be reached, None where it can."""
    main_edges = np.flatnonzero(part[graph.tail] == main)
    tree = shapely.STRtree(graph.line[main_edges])
    breaks: dict[int, Message] = {}
    reasons: list[Message | None] = []
    for k, name in enumerate(sites["site_id"]):
        if access[k] < 0:
            reasons.append(
                message(
                    "the site {site} lies more than {reach} m from every route",
                    site=str(name),
                    reach=f"{reach_m:g}",
                )
            )
            continue
        number = int(part[access[k]])
        if number == main:
            reasons.append(None)
            continue
        if number not in breaks:
            breaks[number] = _break(graph, part, number, main_edges, tree)
        reasons.append(message("the site {site}: {reason}", site=str(name), reason=breaks[number]))
    return reasons


def _break(
    graph: RouteGraph,
    part: NDArray[np.int64],
    number: int,
    main_edges: NDArray[np.intp],
    tree: shapely.STRtree,
) -> Message:
    """Say where a part of the graph comes nearest to the main one."""
    lines = graph.line[np.flatnonzero(part[graph.tail] == number)]
    (mine, other), distance = tree.query_nearest(lines, return_distance=True)
    best = int(np.argmin(distance))
    point = shapely.get_coordinates(
        shapely.shortest_line(lines[mine[best]], graph.line[main_edges[other[best]]])
    )[0]
    return message(
        "its routes are not connected with the rest; the nearest break is {distance} m at {x}, {y}",
        distance=f"{distance[best]:.0f}",
        x=f"{point[0]:.0f}",
        y=f"{point[1]:.0f}",
    )


def _link_lines(
    sites: gpd.GeoDataFrame, graph: RouteGraph, linked: NDArray[np.intp], access: NDArray[np.int64]
) -> NDArray[np.object_]:
    """Return straight lines from sites to their access on the route."""
    node = access[linked]
    ends = np.stack(
        [
            shapely.get_coordinates(sites.geometry.to_numpy()[linked]),
            np.column_stack([graph.x_m[node], graph.y_m[node]]),
        ],
        axis=1,
    )
    return np.asarray(shapely.linestrings(ends), dtype=object)


def design(
    workspace: Workspace,
    request: DesignRequest,
    *,
    sites: gpd.GeoDataFrame | None = None,
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
    task = prepare(
        workspace, request, sites=sites, on_progress=lambda share: on_progress(0.3 * share)
    )
    edges, bound, gap, said = _solved(task, request, lambda share: on_progress(0.3 + 0.6 * share))
    result = _result(task, request, edges, bound, gap, said)
    result.summary["area"] = workspace.area.name
    result.summary["provenance"] = {
        "request": asdict(request),
        "inputs": {
            name: {"source": about.source, "vintage": about.vintage, "sha256": about.sha256}
            for name, about in workspace.provenance().items()
            if name
            in ("roads", "fibre_segments", "fibre_nodes", "railways", "clutter", request.sites)
        },
        "content": workspace.content_hash(
            *(n for n in ("roads", "fibre_segments", "fibre_nodes") if workspace.has(n))
        ),
    }
    on_progress(1.0)
    return result


def curve(
    workspace: Workspace,
    request: DesignRequest,
    budgets: Sequence[float],
    *,
    sites: gpd.GeoDataFrame | None = None,
    on_progress: Progress = _silent,
) -> pd.DataFrame:
    """Return what each of several budgets brings.

    Parameters
    ----------
    workspace, request, sites, on_progress
        See `design`; the request's own budget does not count.
    budgets
        In the currency of the unit costs.

    Returns
    -------
    DataFrame
        Columns budget, cost, value, bound, gap, sites.
    """
    task = prepare(
        workspace, request, sites=sites, on_progress=lambda share: on_progress(0.3 * share)
    )
    trees = cost_benefit_curve(
        task.tail,
        task.head,
        task.cost,
        _prizes(task),
        [_root(task)],
        list(budgets),
        time_limit_s=request.time_limit_s,
        on_progress=lambda share: on_progress(0.3 + 0.7 * share),
    )
    return pd.DataFrame(
        [
            {
                "budget": tree.budget,
                "cost": tree.cost,
                "value": tree.prize,
                "bound": tree.upper_bound,
                "gap": tree.gap,
                "sites": len(tree.sites),
            }
            for tree in trees
        ]
    )


def _root(task: Task) -> int:
    if task.root is None:
        raise InputError(
            "A budget needs a live network to start from: import fibre_nodes with at least one "
            "existing olt that a route leads to"
        )
    return task.root


def _prizes(task: Task) -> dict[int, float]:
    weight = task.sites["weight"].to_numpy(dtype=float)
    return {int(n): float(w) for n, w in zip(task.node, weight, strict=True) if n >= 0}


def _solved(
    task: Task, request: DesignRequest, on_progress: Progress
) -> tuple[NDArray[np.int64], float, float, Message | None]:
    """Return the edges chosen, the proven bound, the gap, and what is to be said."""
    if request.budget is None:
        terminals = task.node[task.node >= 0]
        if task.root is not None:
            terminals = np.r_[terminals, task.root]
        tree = steiner_tree(
            task.tail,
            task.head,
            task.cost,
            terminals,
            time_limit_s=request.time_limit_s,
            on_progress=on_progress,
        )
        return tree.edges, tree.lower_bound, tree.gap, None
    found = budget_tree(
        task.tail,
        task.head,
        task.cost,
        _prizes(task),
        [_root(task)],
        request.budget,
        time_limit_s=request.time_limit_s,
        on_progress=on_progress,
    )
    return found.edges, found.upper_bound, found.gap, found.message


def _result(
    task: Task,
    request: DesignRequest,
    edges: NDArray[np.int64],
    bound: float,
    gap: float,
    said: Message | None,
) -> RouteDesign:
    graph = task.graph
    n_routes, n_links = graph.n_edges, int((task.node >= 0).sum())
    through = _sites_through(task, edges)
    linked = np.flatnonzero(task.node >= 0)
    lines = _link_lines(task.sites, graph, linked, _access(task, linked))
    rows = []
    for edge in edges.tolist():
        if edge >= n_routes + n_links:
            continue
        is_link = edge >= n_routes
        sites = through[edge]
        cores = sites * request.cores_per_site
        rows.append(
            {
                "kind": "link" if is_link else str(graph.layer[edge]),
                "item": task.link_item if is_link else str(graph.item[edge]),
                "length_m": float(task.length_m[edge]),
                "rail_crossings": 0 if is_link else int(graph.rail_crossings[edge]),
                "bridges": 0 if is_link else int(graph.water_crossings[edge]),
                "river_crossings": int(task.water[edge - n_routes]) if is_link else 0,
                "sites": sites,
                "cores": cores,
                "cable": _cable(cores),
                "cost": float(task.cost[edge]),
                "geometry": lines[edge - n_routes] if is_link else graph.line[edge],
            }
        )
    columns = ["kind", "item", "length_m", "rail_crossings", "bridges", "river_crossings"]
    columns += ["sites", "cores", "cable", "cost", "geometry"]
    routes = gpd.GeoDataFrame(
        pd.DataFrame(rows, columns=columns), geometry="geometry", crs=graph.crs
    )
    used = set(edges.tolist())
    link_of = {int(site): n_routes + k for k, site in enumerate(linked.tolist())}
    connected = np.array([link_of.get(k, -1) in used for k in range(len(task.sites))])
    if request.budget is None and len(linked) == 1 and task.root is None:
        connected[linked] = True
    over = message("not within the budget")
    sites_frame = task.sites.assign(
        connected=connected,
        reason=[
            "" if there else str(why if why is not None else over)
            for there, why in zip(connected, task.reason, strict=True)
        ],
    )
    bill = cost.bill_of_quantities(_quantities(routes), task.costs)
    whole = cost.total(bill)
    weight = task.sites["weight"].to_numpy(dtype=float)
    value = float(weight[connected].sum())
    summary: dict[str, Any] = {
        "sites": len(task.sites),
        "connected": int(connected.sum()),
        "value": value,
        "length_m": float(routes["length_m"].sum()),
        "new_m": float(routes.loc[routes["kind"] != "fibre_segments", "length_m"].sum()),
        "cost": {**asdict(whole), "currency": next(iter(task.costs.values())).currency},
        "route_cost": float(task.cost[edges].sum()),
        "objective": "cost" if request.budget is None else "value",
        "bound": bound,
        "gap": gap,
        "exchange": task.root is not None,
        "unreachable": [
            {"site": str(site), "reason": str(why)}
            for site, why in zip(task.sites["site_id"], task.reason, strict=True)
            if why is not None
        ],
        "note": None if said is None else str(said),
    }
    return RouteDesign(
        routes,
        sites_frame,
        bill,
        whole,
        float(task.cost[edges].sum()),
        bound,
        gap,
        value,
        summary,
    )


def _access(task: Task, linked: NDArray[np.intp]) -> NDArray[np.int64]:
    access = np.full(len(task.sites), -1, dtype=np.int64)
    start = task.graph.n_edges
    access[linked] = task.head[start : start + len(linked)]
    return access


def _sites_through(task: Task, edges: NDArray[np.int64]) -> dict[int, int]:
    """Return how many sites' fibres run through each edge of a tree, towards the exchange.

    Without an exchange the fibres run to the first site.
    """
    beside: dict[int, list[tuple[int, int]]] = {}
    for edge in edges.tolist():
        a, b = int(task.tail[edge]), int(task.head[edge])
        beside.setdefault(a, []).append((b, edge))
        beside.setdefault(b, []).append((a, edge))
    site_nodes = {int(n) for n in task.node if n >= 0}
    start = task.root if task.root is not None else min(site_nodes)
    count = {node: int(node in site_nodes) for node in beside}
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
    through: dict[int, int] = {}
    for here, there, edge in reversed(order):
        through[edge] = count[there]
        count[here] += count[there]
    return through


def _cable(cores: int) -> int:
    """Return the smallest cable, or multiple of the largest, that has enough cores."""
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


def save(result: RouteDesign, folder: Path) -> None:
    """Write a design: design.json, design.gpkg (routes, sites), bill.csv and bill.xlsx.

    Parameters
    ----------
    result
        The design.
    folder
        Where to; made if it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tmp-") as scratch:
        made = Path(scratch)
        text = json.dumps(result.summary, ensure_ascii=False, indent=2)
        (made / "design.json").write_text(text, encoding="utf-8")
        result.routes.to_file(made / "design.gpkg", layer="routes", driver="GPKG")
        result.sites.to_file(made / "design.gpkg", layer="sites", driver="GPKG")
        result.bill.to_csv(made / "bill.csv", index=False)
        result.bill.to_excel(made / "bill.xlsx", index=False, sheet_name="bill")
        for path in sorted(made.iterdir()):
            path.replace(folder / path.name)
