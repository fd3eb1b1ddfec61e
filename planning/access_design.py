"""Design of an access network: where cabinets with splitters stand, and who hangs on which.

For an area without service: homes are joined to cabinets by drops no longer than a
limit, cabinets hold a number of splitters with a number of ports each, and feeder cable
joins the cabinets to the live network. The cost of cabinets, splitters, drops and
feeder together is minimised. Who goes where is a capacitated location problem
(`planning.facilities`); the feeder is a Steiner tree (`planning.steiner`); the two are
solved in turns, each with the other's prices.

What is proven is a bound of the whole. Cuts of the routes that every design has to
cross, because a home's only places for cabinets lie behind them, count for the feeder
once and for all; cuts around single places are added to the cost of a cabinet there.
The bound is the first plus that of the location problem with the second.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.sparse
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from data.errors import InputError, Message, message
from planning import cost as prices
from planning import facilities
from planning.access_reach import find_pairs
from planning.cost import CostRange, UnitCost
from planning.facilities import Location, Task
from planning.kernels import steiner as kernels
from planning.route_graph import RouteGraph
from planning.steiner import relative_gap, steiner_tree

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Progress = Callable[[float], None]

#: Splitters that have a price.
SPLITS = (8, 16, 32, 64)

#: Costs are counted in this many steps in all, as whole numbers, so that sums are exact.
_STEPS = 2.0**50

#: Turns of location and feeder, and how many without gain end them.
_TURNS = 14
_STALE = 5

#: Random choices are the same in every run.
_SEED = 8


def _silent(_: float) -> None:
    return None


@dataclass(frozen=True)
class AccessRequest:
    """What is to be designed.

    Parameters
    ----------
    drop_m
        Greatest length of a drop. [m]
    straight_drops
        Whether drops run straight; else along the routes.
    reach_m
        Greatest length of fibre from the exchange to a home, as the optical budget allows
        with this splitter (see `planning.optical`). [m]
    split
        Ports of a splitter, one of `SPLITS`; each splitter takes one port of the exchange.
    splitters_per_cabinet
        How many splitters a cabinet holds.
    candidates
        How many places for cabinets are looked at; more are never worse, but slower.
    spacing_m
        Distance between places along the routes before they are thinned out. [m]
    offset_m
        How far from a route a home may stand. [m]
    time_limit_s
        For the optimisation; small areas take less. [s]
    """

    drop_m: float = 300.0
    straight_drops: bool = False
    reach_m: float = 20_000.0
    split: int = 32
    splitters_per_cabinet: int = 8
    candidates: int = 300
    spacing_m: float = 50.0
    offset_m: float = 200.0
    time_limit_s: float = 60.0

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise InputError(
                "There are no splitters with {value} ports (expected one of {expected})",
                value=self.split,
                expected=", ".join(str(split) for split in SPLITS),
            )
        for name in ("drop_m", "reach_m", "spacing_m", "offset_m", "time_limit_s"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise InputError(
                    "The design's {name} is {value}, but it must be greater than 0",
                    name=name,
                    value=value,
                )
        for name in ("splitters_per_cabinet", "candidates"):
            value = getattr(self, name)
            if value != int(value) or value < 1:
                raise InputError(
                    "The design's {name} is {value}, but it must be a whole number from 1",
                    name=name,
                    value=value,
                )


@dataclass(frozen=True, eq=False)
class AccessDesign:
    """Cabinets, drops and feeder, what they cost, and how near the cheapest they are.

    Parameters
    ----------
    cabinets
        cabinet_id, node, homes, connections, splitters, ports, ports_free, feeder_m (from
        the exchange along the feeder), longest_drop_m, place.
    homes
        As given, with connections (ports it needs), cabinet_id, drop_m and reason (why it
        is not served, or None).
    reasons
        The same reasons, to be translated; None for homes that are served.
    drops
        A line per served home, drawn straight from home to cabinet, with home (its row
        position), cabinet_id, connections and length_m as measured.
    feeders
        Stretches of the routes that feeder cable uses: edge, item, length_m, cost,
        rail_crossings, water_crossings.
    bill, cost
        Bill of quantities and its sum.
    design_cost
        The typical cost that was minimised, of the same items.
    lower_bound
        Proven: no design with these places for cabinets that serves as many homes costs
        less; up to the tolerance of the solver, one in a million.
    gap
        (design_cost - lower_bound) / lower_bound.
    parts
        cost and bound of the parts: cabinets, splitters, ports and drops (``location``),
        ``feeder``, and home connections, which every design needs (``connections``).
    notes
        What a reader should know.
    """

    cabinets: gpd.GeoDataFrame
    homes: gpd.GeoDataFrame
    reasons: tuple[Message | None, ...]
    drops: gpd.GeoDataFrame
    feeders: gpd.GeoDataFrame
    bill: pd.DataFrame
    cost: CostRange
    design_cost: float
    lower_bound: float
    gap: float
    parts: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: tuple[Message, ...] = ()

    @property
    def summary(self) -> dict[str, Any]:
        """The figures, for JSON."""
        served = np.array([reason is None for reason in self.reasons], dtype=bool)
        need = self.homes["connections"].to_numpy()
        return {
            "homes": len(self.homes),
            "homes_served": int(served.sum()),
            "connections": int(need.sum()),
            "connections_served": int(need[served].sum()),
            "cabinets": len(self.cabinets),
            "splitters": int(self.cabinets["splitters"].sum()),
            "feeder_m": float(self.feeders["length_m"].sum()),
            "drops_m": float(self.drops["length_m"].sum()),
            "cost": {"low": self.cost.low, "typical": self.cost.typical, "high": self.cost.high},
            "lower_bound": self.lower_bound,
            "gap": self.gap,
            "parts": self.parts,
            "notes": [str(note) for note in self.notes],
        }


def design_access(
    graph: RouteGraph,
    homes: gpd.GeoDataFrame,
    exchanges: ArrayLike,
    costs: Mapping[str, UnitCost],
    request: AccessRequest | None = None,
    *,
    places: ArrayLike | None = None,
    on_progress: Progress = _silent,
) -> AccessDesign:
    """Place cabinets and splitters for an area without service at least cost.

    Parameters
    ----------
    graph
        Routes, from `planning.route_graph.build`.
    homes
        Points in the graph's CRS; `households`, where there is such a column, is how many
        connections each needs (rounded up), else one.
    exchanges
        Nodes of the graph from which feeder cable may start: exchanges, or any node of the
        live network.
    costs
        From `planning.cost.unit_costs`.
    request
        What is to be designed.
    places
        Nodes of the graph at which cabinets may stand; None to find them along the routes.
    on_progress
        Called with the share done, from the caller's thread; may raise `CancelledError`.

    Returns
    -------
    AccessDesign
        Homes that cannot be served have a reason. A home goes to one cabinet as a whole.

    Raises
    ------
    InputError
        If there is no home or no exchange, nodes are not of the graph, CRSs differ, or a
        number is not usable.
    """
    request = request or AccessRequest()
    # One order for the search, so that the order of the rows leaves no trace.
    x_m, y_m, demand = _homes(graph, homes)
    order = np.lexsort((demand, y_m, x_m))
    points = x_m[order], y_m[order], demand[order]
    area = _Area.of(graph, points, exchanges, request, places, costs, on_progress)
    solved = _solve(area, request, on_progress)
    result = _result(area, homes, order, costs, request, solved)
    on_progress(1.0)
    return result


# ----------------------------------------------------------------------------------------
# Homes and places


@dataclass(frozen=True, eq=False)
class _Area:
    """Homes, places for cabinets and ways between them.

    Parameters
    ----------
    graph
        With a node for each place.
    x_m, y_m, demand
        Of the homes. [m]
    exchanges
        Nodes.
    node
        Of each place.
    far_m
        From the nearest exchange to each place along the routes. [m]
    home, place, drop_m
        Pairs that a drop can join.
    reasons
        Why homes cannot be served; None for those that can.
    task
        The location problem of the homes that can be served.
    served
        Positions of these homes.
    reach_m
        Greatest length of fibre from exchange to home. [m]
    """

    graph: RouteGraph
    x_m: Floats
    y_m: Floats
    demand: Ints
    exchanges: Ints
    node: Ints
    far_m: Floats
    home: Ints
    place: Ints
    drop_m: Floats
    reasons: tuple[Message | None, ...]
    task: Task
    served: Ints
    reach_m: float

    @staticmethod
    def of(
        graph: RouteGraph,
        homes: tuple[Floats, Floats, Ints],
        exchanges: ArrayLike,
        request: AccessRequest,
        places: ArrayLike | None,
        costs: Mapping[str, UnitCost],
        on_progress: Progress,
    ) -> _Area:
        x_m, y_m, demand = homes
        sources = _nodes(graph, exchanges, "exchanges")
        if not len(sources):
            raise InputError("There is no exchange for feeder cable to start from")
        if places is None:
            graph, pool = _pool(graph, x_m, y_m, request)
        else:
            pool = _nodes(graph, places, "places")
        on_progress(0.03)
        pairs, offset_m, nearest_m = _drops(graph, x_m, y_m, pool, request)
        on_progress(0.06)
        far_m, _ = graph.distances(sources)
        # The fibre to a home is no longer than the optical budget allows.
        length_m = far_m[pool[pairs[1]]] + pairs[2]
        close = length_m <= request.reach_m
        fits = demand <= request.split * request.splitters_per_cabinet
        use = close & fits[pairs[0]]
        home, place, drop_m = pairs[0][use], pairs[1][use], pairs[2][use]
        if places is None:
            keep = _thinned(graph, pool, home, place, drop_m, len(x_m), request)
        else:
            keep = np.unique(place)
        number = np.full(len(pool), -1, dtype=np.int64)
        number[keep] = np.arange(len(keep))
        near = number[place] >= 0
        home, place, drop_m = home[near], number[place[near]], drop_m[near]
        shortest = np.full(len(x_m), np.inf)
        np.minimum.at(shortest, pairs[0], length_m)
        reasons = _reasons(
            request, demand, fits, offset_m, nearest_m, shortest, np.isin(np.arange(len(x_m)), home)
        )
        served = np.array([i for i, reason in enumerate(reasons) if reason is None], dtype=np.int64)
        position = np.full(len(x_m), -1, dtype=np.int64)
        position[served] = np.arange(len(served))
        to_place, _ = graph.distances(sources, weight="cost")
        dearest = to_place[pool[keep]]
        typical = {item: cost.cost.typical for item, cost in costs.items()}
        price = typical["drop_cable"] * drop_m * demand[home]
        task = Task.of(
            demand[served],
            (position[home], place, price),
            np.full(len(keep), typical["cabinet"]),
            per_box=typical[f"splitter_1_{request.split}"] + typical["olt_port"],
            ports=request.split,
            boxes=int(request.splitters_per_cabinet),
            way=float(dearest[np.isfinite(dearest)].max(initial=0.0)),
        )
        on_progress(0.1)
        return _Area(
            graph,
            x_m,
            y_m,
            demand,
            sources,
            pool[keep],
            far_m[pool[keep]],
            home,
            place,
            drop_m,
            reasons,
            task,
            served,
            request.reach_m,
        )


def _homes(graph: RouteGraph, homes: gpd.GeoDataFrame) -> tuple[Floats, Floats, Ints]:
    if not len(homes):
        raise InputError("There are no homes to serve")
    if homes.crs is not None and str(homes.crs) != str(graph.crs):
        raise InputError(
            "The homes are in {found}, expected {expected}, as the routes",
            found=str(homes.crs),
            expected=str(graph.crs),
        )
    points = homes.geometry
    if not bool((points.geom_type == "Point").all()) or bool(points.is_empty.any()):
        raise InputError("The homes must be points")
    demand = np.ones(len(homes))
    if "households" in homes:
        demand = pd.to_numeric(homes["households"], errors="coerce").to_numpy(dtype=float)
        wrong = np.flatnonzero(~(np.isfinite(demand) & (demand > 0.0)))
        if len(wrong):
            raise InputError(
                "Home {index}: {value} households (expected a number greater than 0)",
                index=int(wrong[0]),
                value=str(homes["households"].iloc[int(wrong[0])]),
            )
    return (
        points.x.to_numpy(dtype=np.float64),
        points.y.to_numpy(dtype=np.float64),
        np.ceil(demand - 1e-9).astype(np.int64),
    )


def _nodes(graph: RouteGraph, nodes: ArrayLike, name: str) -> Ints:
    found = np.unique(np.asarray(nodes, dtype=np.int64))
    outside = found[(found < 0) | (found >= graph.n_nodes)]
    if len(outside):
        raise InputError(
            "{name}: the routes have no node {value} (expected numbers below {count})",
            name=name,
            value=int(outside[0]),
            count=graph.n_nodes,
        )
    return found


def _pool(
    graph: RouteGraph, x_m: Floats, y_m: Floats, request: AccessRequest
) -> tuple[RouteGraph, Ints]:
    """Return the graph with places in front of homes, and all nodes near homes."""
    edge, _, along = graph.nearest_edges(x_m, y_m, tolerance_m=request.offset_m)
    on = edge >= 0
    step = np.round(along[on] / request.spacing_m) * request.spacing_m
    step = np.minimum(step, shapely.length(graph.line[edge[on]]))
    graph, _ = graph.split(edge[on], step)
    far, _ = cKDTree(np.column_stack([x_m, y_m])).query(
        np.column_stack([graph.x_m, graph.y_m]), distance_upper_bound=request.drop_m
    )
    return graph, np.flatnonzero(np.isfinite(far)).astype(np.int64)


def _drops(
    graph: RouteGraph, x_m: Floats, y_m: Floats, pool: Ints, request: AccessRequest
) -> tuple[tuple[Ints, Ints, Floats], Floats, Floats]:
    """Return all pairs of home and place, each home's offset, and how far its nearest place is."""
    place_x, place_y = graph.x_m[pool], graph.y_m[pool]
    if request.straight_drops:
        tree = cKDTree(np.column_stack([place_x, place_y]))
        here = np.column_stack([x_m, y_m])
        found = tree.query_ball_point(here, request.drop_m)
        count = np.array([len(one) for one in found], dtype=np.int64)
        home = np.repeat(np.arange(len(x_m)), count)
        place = np.concatenate([np.asarray(one, dtype=np.int64) for one in found])
        drop = np.hypot(x_m[home] - place_x[place], y_m[home] - place_y[place])
        nearest = tree.query(here)[0] if len(pool) else np.full(len(x_m), np.inf)
        return (home, place, drop), np.zeros(len(x_m)), np.asarray(nearest)
    pairs = find_pairs(
        graph,
        x_m,
        y_m,
        place_x,
        place_y,
        drop_m=request.drop_m,
        access_reach_m=request.offset_m,
    )
    return (pairs.home, pairs.access, pairs.distance_m), pairs.home_offset_m, pairs.nearest_m


def _thinned(
    graph: RouteGraph,
    pool: Ints,
    home: Ints,
    place: Ints,
    drop_m: Floats,
    homes: int,
    request: AccessRequest,
) -> Ints:
    """Return the places to look at: a net over the homes that becomes finer and finer.

    The first ones leave no home out that any place could serve; then every home gets one
    within half the drop, then a quarter … A longer list begins with the shorter one.
    """
    chosen: list[int] = []
    picked = np.zeros(len(pool), dtype=bool)
    most = min(int(request.candidates), len(np.unique(place)))
    limit = request.drop_m
    while len(chosen) < most and limit > 1.0:
        inside = drop_m <= limit
        table = scipy.sparse.csc_array(
            (np.ones(int(inside.sum())), (home[inside], place[inside])), shape=(homes, len(pool))
        )
        by_home = table.tocsr()
        open_ = np.asarray(table.sum(axis=1)).ravel() > 0
        open_[np.unique(table[:, np.flatnonzero(picked)].indices)] = False
        gain = table.T @ open_.astype(float)
        while len(chosen) < most:
            best = int(np.argmax(gain))
            if gain[best] <= 0.0:
                break
            chosen.append(best)
            picked[best] = True
            mine = table.indices[table.indptr[best] : table.indptr[best + 1]]
            newly = mine[open_[mine]]
            open_[newly] = False
            touched = by_home[newly]
            gain -= np.bincount(touched.indices, minlength=len(pool))
        limit /= 2.0
    return np.array(sorted(chosen), dtype=np.int64)


def _reasons(
    request: AccessRequest,
    demand: Ints,
    fits: Flags,
    offset_m: Floats,
    nearest_m: Floats,
    shortest_m: Floats,
    has_place: Flags,
) -> tuple[Message | None, ...]:
    """Say for each home why no place can serve it."""
    reasons: list[Message | None] = []
    for i in range(len(demand)):
        if has_place[i]:
            reasons.append(None)
        elif not fits[i]:
            reasons.append(
                message(
                    "it needs {count} ports, a cabinet has {most}",
                    count=int(demand[i]),
                    most=request.split * int(request.splitters_per_cabinet),
                )
            )
        elif not np.isfinite(offset_m[i]):
            reasons.append(
                message("there is no route within {limit} m", limit=f"{request.offset_m:.0f}")
            )
        elif not np.isfinite(nearest_m[i]):
            reasons.append(message("no route leads from it to a place for a cabinet"))
        elif nearest_m[i] > request.drop_m:
            reasons.append(
                message(
                    "the nearest place for a cabinet is {distance} m away, farther than {limit} m",
                    distance=f"{nearest_m[i]:.0f}",
                    limit=f"{request.drop_m:.0f}",
                )
            )
        elif not np.isfinite(shortest_m[i]):
            reasons.append(message("no route leads from the exchange to a place near it"))
        elif shortest_m[i] > request.reach_m:
            reasons.append(
                message(
                    "the fibre from the exchange would be {distance} m long, more than {limit} m",
                    distance=f"{shortest_m[i]:.0f}",
                    limit=f"{request.reach_m:.0f}",
                )
            )
        else:
            reasons.append(
                message(
                    "none of the {count} places looked at is near enough", count=request.candidates
                )
            )
    return tuple(reasons)


# ----------------------------------------------------------------------------------------
# Search


@dataclass(frozen=True, eq=False)
class _Feeder:
    """Routes of feeder cable to open places.

    Parameters
    ----------
    edges
        Of the graph, ascending.
    cost
        Sum of their costs.
    length_m
        From the exchange to each place, along the feeder; infinite for closed places. [m]
    """

    edges: Ints
    cost: float
    length_m: Floats


@dataclass(frozen=True, eq=False)
class _Solved:
    """Assignment, feeder and bounds."""

    chosen: Ints
    feeder: _Feeder
    location_cost: float
    location_bound: float
    feeder_bound: float
    bound: float


class _Clock:
    """Time limit and progress of the search."""

    def __init__(self, limit_s: float, on_progress: Progress) -> None:
        self._start_s = time.monotonic()
        self._limit_s = limit_s
        self._on_progress = on_progress
        self._done = 0.1

    @property
    def left_s(self) -> float:
        return self._limit_s - (time.monotonic() - self._start_s)

    def share(self, part: float) -> bool:
        """Return whether a part of the time is not used up."""
        return time.monotonic() - self._start_s < part * self._limit_s

    def tick(self, _: float = 0.0) -> None:
        by_time = 0.1 + 0.89 * (1.0 - self.left_s / self._limit_s)
        self._done = min(max(self._done, by_time), 0.99)
        self._on_progress(self._done)


def _solve(area: _Area, request: AccessRequest, on_progress: Progress) -> _Solved:
    """Solve location and feeder in turns, then prove a bound of both."""
    task = area.task
    if not len(task.demand):
        nothing = _Feeder(np.zeros(0, np.int64), 0.0, np.full(len(area.node), np.inf))
        return _Solved(np.zeros(0, np.int64), nothing, 0.0, 0.0, 0.0, 0.0)
    _warm_up()
    clock = _Clock(request.time_limit_s, on_progress)
    network = _Network(area, clock)
    random = np.random.default_rng(_SEED)
    start = _located(task, None, clock, 0)
    feeder = network.feeder(start, 2.0)
    best = task.cost(start) + feeder.cost, start, feeder
    stale = 0
    for turn in range(1, _TURNS):
        if not clock.share(0.4) or stale > _STALE:
            break
        # What the feeder asks of each place; shaken once that leads to nothing new.
        _, start, feeder = best
        extra = network.marginal(feeder, _opened(task, start))
        if stale:
            extra = extra * random.uniform(0.4, 1.4, len(extra))
        start = _located(task.with_extra(extra), start, clock, turn)
        feeder = network.feeder(start, 2.0)
        total = task.cost(start) + feeder.cost
        if total < best[0] - 1e-9 * total:
            best, stale = (total, start, feeder), 0
        else:
            stale += 1
    chosen, feeder = _without_single_cabinets(network, task, best, clock)
    chosen = _well_assigned(task, chosen, clock)
    feeder = network.feeder(chosen, 0.15 * request.time_limit_s)
    bounds, others = _bounds(network, task, chosen, feeder, clock)
    total = task.cost(chosen) + feeder.cost
    for other in others:
        tree = network.feeder(other, 2.0)
        if task.cost(other) + tree.cost < total:
            chosen, feeder, total = other, tree, task.cost(other) + tree.cost
    return _Solved(chosen, feeder, task.cost(chosen), *bounds)


def _well_assigned(task: Task, chosen: Ints, clock: _Clock) -> Ints:
    """Return the best assignment to the places that are open."""
    fewer, slots = task.only(_opened(task, chosen))
    mine = np.where(chosen >= 0, np.searchsorted(slots, chosen), -1)
    mine = facilities.anneal(fewer, mine, moves=100_000, warm=True)
    clock.tick()
    if len(slots) <= facilities.MOST_PAIRS and clock.left_s > 0.0:
        known = Location(mine, fewer.cost(mine), -math.inf)
        mine = facilities.solve_exactly(
            fewer, known, time_limit_s=0.1 * clock.left_s, on_progress=clock.tick
        ).chosen
    return np.where(mine >= 0, slots[mine], -1).astype(np.int64)


def _opened(task: Task, chosen: Ints) -> Flags:
    opened = np.zeros(len(task.fixed), dtype=bool)
    opened[task.place[chosen[chosen >= 0]]] = True
    return opened


def _located(task: Task, start: Ints | None, clock: _Clock, turn: int) -> Ints:
    """Return an assignment for these costs of places."""
    moves = int(np.clip(500 * len(task.demand), 20_000, 1_000_000))
    if start is None:
        _, _, worth = facilities.bound(
            task,
            task.cost(facilities.nearest(task, np.ones(len(task.fixed), dtype=bool))),
            steps=300,
            on_progress=clock.tick,
            in_time=lambda: clock.share(0.1),
        )
        start = facilities.nearest(task, worth < 0.0)
        everywhere = facilities.nearest(task, np.ones(len(task.fixed), dtype=bool))
        start = min((start, everywhere), key=task.cost)
    for round_ in range(4):
        start = facilities.anneal(
            task, start, moves=moves // 4, seed=1 + 10 * turn + round_, warm=round_ > 1
        )
        clock.tick()
        if not clock.share(0.5):
            break
    if len(task.place) <= 2_000 and clock.share(0.4):
        known = Location(start, task.cost(start), -math.inf)
        start = facilities.solve_exactly(
            task, known, time_limit_s=0.1 * clock.left_s, on_progress=clock.tick
        ).chosen
    return start


def _without_single_cabinets(
    network: _Network, task: Task, best: tuple[float, Ints, _Feeder], clock: _Clock
) -> tuple[Ints, _Feeder]:
    """Close cabinets one by one where others with the feeder that is left cost less."""
    total, chosen, feeder = best
    opened = _opened(task, chosen)
    for j in np.argsort(-network.marginal(feeder, opened)).tolist():
        if not opened[j] or not clock.share(0.6):
            continue
        fewer = opened.copy()
        fewer[j] = False
        other = facilities.nearest(task, fewer)
        # Without a new tree, the saving is at most the cabinet's own branch.
        least = task.cost(other) + feeder.cost - float(network.marginal(feeder, opened)[j])
        if least >= total:
            continue
        tree = network.feeder(other, 1.0)
        if task.cost(other) + tree.cost < total * (1.0 - 1e-9):
            total, chosen, feeder = task.cost(other) + tree.cost, other, tree
            opened = _opened(task, chosen)
    return chosen, feeder


class _Ways:
    """Least ways along some edges by a weight of them.

    Parameters
    ----------
    graph
        The routes.
    edges
        Which may be used.
    weight
        Of each of them, shape of `edges`, above 0.
    """

    def __init__(self, graph: RouteGraph, edges: Ints, weight: Floats) -> None:
        self.size = graph.n_nodes
        # Of parallel edges the lightest one comes last, and stays.
        order = np.argsort(-weight, kind="stable")
        edges, weight = edges[order], weight[order]
        ends = zip(graph.tail[edges].tolist(), graph.head[edges].tolist(), strict=True)
        place = {(min(a, b), max(a, b)): k for k, (a, b) in enumerate(ends)}
        self.edge_of = {pair: int(edges[k]) for pair, k in place.items()}
        self.pairs = np.array([*place], dtype=np.int64).reshape(-1, 2)
        self.weight = weight[[*place.values()]]

    def search(self, sources: Ints, offsets: Floats) -> tuple[Floats, Ints]:
        """Return each node's distance from the sources, and the node before it.

        The node before a source is one beyond the last node.
        """
        low, high = self.pairs[:, 0], self.pairs[:, 1]
        start = np.full(len(sources), self.size)
        part = scipy.sparse.coo_array(
            (
                np.concatenate([self.weight, self.weight, np.maximum(offsets, 1e-9)]),
                (np.concatenate([low, high, start]), np.concatenate([high, low, sources])),
            ),
            shape=(self.size + 1, self.size + 1),
        )
        distance, before = scipy.sparse.csgraph.dijkstra(
            part.tocsr(), directed=True, indices=self.size, return_predecessors=True
        )
        return distance[: self.size], before.astype(np.int64)

    def back(self, before: Ints, node: int) -> list[int]:
        """Return the nodes from a node back to the source that it is nearest to."""
        nodes = [node]
        while 0 <= before[node] < self.size:
            node = int(before[node])
            nodes.append(node)
        return nodes

    def edges(self, nodes: list[int]) -> list[int]:
        """Return the edges between nodes in a row."""
        return [self.edge_of[min(a, b), max(a, b)] for a, b in itertools.pairwise(nodes)]


class _Network:
    """The routes as a network with one root, which stands for all exchanges."""

    def __init__(self, area: _Area, clock: _Clock) -> None:
        self.area = area
        self.clock = clock
        graph = area.graph
        self.root = graph.n_nodes
        count = len(area.exchanges)
        self.tail = np.concatenate([graph.tail, np.full(count, self.root, dtype=np.int64)])
        self.head = np.concatenate([graph.head, area.exchanges])
        self.cost = np.concatenate([graph.cost, np.zeros(count)])
        self.length_m = np.maximum(graph.length_m, 1e-9)
        #: Designs made already, by the places that are open and their longest drops.
        self.known: dict[bytes, _Feeder] = {}
        #: Drops along all pairs, to look up the longest one of each place.
        order = np.lexsort((area.place, area.home))
        self.pair = area.home[order] * len(area.node) + area.place[order]
        self.drop_m = area.drop_m[order]

    def feeder(self, chosen: Ints, time_limit_s: float) -> _Feeder:
        """Return the cheapest feeder found to the places of an assignment."""
        area, graph, task = self.area, self.area.graph, self.area.task
        opened = _opened(task, chosen)
        most = self.most(chosen)
        key = most.tobytes() + (b"long" if time_limit_s > 2.0 else b"")
        if key in self.known:
            return self.known[key]
        nodes = np.concatenate([area.node[opened], [self.root]])
        tree = steiner_tree(
            self.tail,
            self.head,
            self.cost,
            nodes,
            time_limit_s=max(0.05, min(time_limit_s, self.clock.left_s)),
            on_progress=self.clock.tick,
        )
        edges = tree.edges[tree.edges < graph.n_edges]
        length_m = self.lengths(edges)[area.node]
        if bool(np.any(opened & (length_m > most + 1e-6))):
            edges = self.shortened(edges, opened, most)
            length_m = self.lengths(edges)[area.node]
        length_m = np.where(opened, length_m, np.inf)
        found = _Feeder(edges, math.fsum(graph.cost[edges].tolist()), length_m)
        self.known[key] = found
        return found

    def most(self, chosen: Ints) -> Floats:
        """Return how long each open place's feeder may be: what its longest drop leaves."""
        area = self.area
        served = chosen >= 0
        place = area.task.place[chosen[served]]
        at = np.searchsorted(self.pair, area.served[served] * len(area.node) + place)
        longest = np.full(len(area.node), -np.inf)
        np.maximum.at(longest, place, self.drop_m[at])
        return area.reach_m - longest

    def lengths(self, edges: Ints) -> Floats:
        """Return how far each node is from an exchange along some edges."""
        ways = _Ways(self.area.graph, edges, self.length_m[edges])
        exchanges = self.area.exchanges
        return ways.search(exchanges, np.zeros(len(exchanges)))[0]

    def shortened(self, edges: Ints, opened: Flags, most: Floats) -> Ints:
        """Lead places for which a cheap detour is too long for the light another way.

        Each gets the cheapest way found from the feeder that is there, or from an
        exchange, that is short enough; the shortest one always is.
        """
        area, graph = self.area, self.area.graph
        tree = _Ways(graph, edges, self.length_m[edges])
        none = np.zeros(len(area.exchanges))
        length_m, before = tree.search(area.exchanges, none)
        late = opened & (length_m[area.node] > most + 1e-6)
        used: set[int] = set()
        built = np.full(graph.n_nodes, np.inf)
        built[area.exchanges] = 0.0
        for j in np.flatnonzero(opened & ~late).tolist():
            nodes = tree.back(before, int(area.node[j]))
            used.update(tree.edges(nodes))
            built[nodes] = length_m[nodes]
        everything = np.arange(graph.n_edges)
        rate = float(graph.cost.sum() / self.length_m.sum())
        # The dearer a metre of light, the straighter the way; at last only length counts.
        rates = (0.3 * rate, 3.0 * rate, 1e6 * max(rate, 1.0))
        ways = [_Ways(graph, everything, graph.cost + r * self.length_m) for r in rates]
        slack = most - area.far_m
        for j in np.flatnonzero(late)[np.argsort(slack[late], kind="stable")].tolist():
            node = int(area.node[j])
            sources = np.flatnonzero(np.isfinite(built))
            for number, (metre, way) in enumerate(zip(rates, ways, strict=True)):
                _, before = way.search(sources, metre * built[sources])
                nodes = way.back(before, node)[::-1]
                path = way.edges(nodes)
                along = built[nodes[0]] + np.cumsum(self.length_m[path])
                last = number == len(rates) - 1
                if last or not len(along) or along[-1] <= most[j] + 1e-6:
                    used.update(path)
                    built[nodes[1:]] = np.minimum(built[nodes[1:]], along)
                    break
            self.clock.tick()
        return np.array(sorted(used), dtype=np.int64)

    def marginal(self, feeder: _Feeder, opened: Flags) -> Floats:
        """Return what the feeder of one more place costs, or what one place less saves."""
        area, graph = self.area, self.area.graph
        on = np.unique(
            np.concatenate([area.exchanges, graph.tail[feeder.edges], graph.head[feeder.edges]])
        )
        distance, _ = graph.distances(on, weight="cost")
        extra = distance[area.node]
        links: dict[int, dict[int, int]] = {}
        for edge in feeder.edges.tolist():
            a, b = int(graph.tail[edge]), int(graph.head[edge])
            links.setdefault(a, {})[b] = edge
            links.setdefault(b, {})[a] = edge
        fixed = {*area.exchanges.tolist(), *area.node[opened].tolist()}
        for j in np.flatnonzero(opened).tolist():
            node = int(area.node[j])
            saved, last = 0.0, -1
            while True:
                near = [other for other in links.get(node, {}) if other != last]
                if len(near) != 1 or (last >= 0 and node in fixed):
                    break
                saved += float(graph.cost[links[node][near[0]]])
                last, node = node, near[0]
            extra[j] = saved
        return extra


# ----------------------------------------------------------------------------------------
# Bound


def _bounds(
    network: _Network, task: Task, chosen: Ints, feeder: _Feeder, clock: _Clock
) -> tuple[tuple[float, float, float], list[Ints]]:
    """Return proven bounds: of the location alone, of the feeder alone, and of both.

    And other assignments that were found on the way.
    """
    cost = task.cost(chosen)
    opened = _opened(task, chosen)
    relaxed = task.relaxed()
    base, paid, worth = facilities.bound(
        relaxed, cost, on_progress=clock.tick, in_time=lambda: clock.share(0.72)
    )
    # Places that a cheap location would open come first: there the feeder is paid for.
    order = np.lexsort((worth, ~opened))
    tries: list[tuple[Floats, float]] = []
    for guided in (True, False):
        cuts = _Cuts(network, task, chosen, feeder, guided=guided)
        rise = cuts.rise_for_homes()
        tries.append((cuts.rise_for_places(order), rise))
        # The same with the open places first, as if they had to be joined.
        cuts = _Cuts(network, task, chosen, feeder, guided=guided)
        extra = cuts.rise_for_places(np.flatnonzero(opened))
        rise = cuts.rise_for_homes()
        tries.append((extra + cuts.rise_for_places(order), rise))
        clock.tick()
    sure = max(rise for _, rise in tries)
    bounds = []
    for number, (extra, rise) in enumerate(tries):
        found, paid, _ = facilities.bound(
            relaxed.with_extra(extra),
            cost + feeder.cost - rise,
            paid=paid,
            on_progress=clock.tick,
            in_time=lambda number=number: clock.share(0.76 + 0.05 * number),  # type: ignore[misc]
        )
        bounds.append(found + rise)
    best = max(base + sure, *bounds)
    others: list[Ints] = []
    if len(task.place) <= facilities.MOST_PAIRS and clock.left_s > 0.0:
        alone = facilities.solve_exactly(
            relaxed,
            Location(chosen, relaxed.cost(chosen), base),
            time_limit_s=0.3 * clock.left_s,
            on_progress=clock.tick,
        )
        base = alone.bound
        extra, rise = tries[int(np.argmax(bounds))]
        priced = relaxed.with_extra(extra)
        joint = facilities.solve_exactly(
            priced,
            Location(chosen, priced.cost(chosen), -math.inf),
            time_limit_s=max(clock.left_s, 0.05),
            on_progress=clock.tick,
        )
        best = max(best, joint.bound + rise, base + sure)
        others = [alone.chosen, joint.chosen]
    return (base, sure, best), others


class _Cuts:
    """Cuts of the routes that feeder cable has to cross, and what is left of their costs."""

    def __init__(
        self, network: _Network, task: Task, chosen: Ints, feeder: _Feeder, *, guided: bool
    ) -> None:
        area = network.area
        nodes = network.root + 1
        places, homes = len(area.node), len(task.demand)
        total = float(network.cost.sum())
        self.unit = math.ldexp(1.0, math.frexp(max(total, 1e-300) / _STEPS)[1])
        whole = np.floor(network.cost / self.unit).astype(np.int64)
        # Arcs both ways along edges, from nodes to places there, from places to homes.
        source = np.concatenate([network.tail, network.head, area.node, nodes + task.place])
        target = np.concatenate(
            [
                network.head,
                network.tail,
                nodes + np.arange(places),
                nodes + places + task.home,
            ]
        )
        free = np.zeros(places + len(task.place), np.int64)
        slack = np.concatenate([whole, whole, free])
        # Cuts that a good design crosses once may come first.
        edges = len(network.tail)
        guide = np.zeros(len(source), np.uint8)
        guide[np.flatnonzero(network.tail == network.root)] = 1
        ways = _Ways(area.graph, feeder.edges, network.length_m[feeder.edges])
        _, before = ways.search(area.exchanges, np.zeros(len(area.exchanges)))
        forward = before[area.graph.head[feeder.edges]] == area.graph.tail[feeder.edges]
        guide[np.where(forward, feeder.edges, edges + feeder.edges)] = 1
        guide[2 * edges + np.flatnonzero(_opened(task, chosen))] = 1
        guide[2 * edges + places + chosen[chosen >= 0]] = 1
        order = np.argsort(target, kind="stable")
        self.guide = guide[order] if guided else np.zeros(len(order), np.uint8)
        self.count = nodes + places + homes
        self.neighbour = source[order].astype(np.int64)
        self.slack = slack[order]
        self.first = np.searchsorted(target[order], np.arange(self.count + 1)).astype(np.int64)
        self.root = network.root
        self.places = nodes + np.arange(places)
        self.homes = nodes + places + np.arange(homes)

    def rise(self, terminals: Ints) -> float:
        """Raise cuts around terminals as long as the costs last; return the sum."""
        is_terminal = np.zeros(self.count, np.uint8)
        is_terminal[terminals] = is_terminal[self.root] = 1
        none = np.empty(0, np.int64)
        rise, _ = kernels.dual_ascent(
            self.first,
            self.neighbour,
            is_terminal,
            self.root,
            self.guide,
            self.slack,
            none,
            np.zeros(1, np.int64),
            none,
            0,
        )
        return float(rise) * self.unit

    def rise_for_homes(self) -> float:
        """Return what joining one place of every home costs at least."""
        return self.rise(self.homes)

    def rise_for_places(self, places: Ints) -> Floats:
        """Return what joining each place costs at least, beyond what was raised before."""
        extra = np.zeros(len(self.places))
        for j in places.tolist():
            extra[j] = self.rise(self.places[[j]])
        return extra


_warm = False


def _warm_up() -> None:
    """Compile the kernels, so that this does not count against a time limit."""
    global _warm
    if _warm:
        return
    _warm = True
    task = Task.of(
        np.array([1, 1]),
        (np.array([0, 1]), np.array([0, 0]), np.array([1.0, 1.0])),
        np.array([1.0]),
        per_box=1.0,
        ports=8,
        boxes=1,
    )
    facilities.bound(task, 10.0, steps=1)
    facilities.anneal(task, np.array([0, 1]), moves=10)
    steiner_tree([0, 1], [1, 2], [1.0, 1.0], [0, 2])


# ----------------------------------------------------------------------------------------
# Result


def _result(
    area: _Area,
    homes: gpd.GeoDataFrame,
    order: Ints,
    costs: Mapping[str, UnitCost],
    request: AccessRequest,
    solved: _Solved,
) -> AccessDesign:
    task, graph = area.task, area.graph
    served = solved.chosen >= 0
    home = area.served[served]
    place = task.place[solved.chosen[served]]
    need = area.demand[home]
    length = {
        (h, p): d
        for h, p, d in zip(
            area.home.tolist(), area.place.tolist(), area.drop_m.tolist(), strict=True
        )
    }
    drop_m = np.array([length[h, p] for h, p in zip(home.tolist(), place.tolist(), strict=True)])
    used = np.unique(place)
    names = {int(j): f"C{number:04d}" for number, j in enumerate(used, start=1)}
    load = np.bincount(place, weights=need.astype(float), minlength=len(area.node))
    load = load.astype(np.int64)[used]
    splitters = -(-load // request.split)
    longest = np.zeros(len(area.node))
    np.maximum.at(longest, place, drop_m)
    cabinets = gpd.GeoDataFrame(
        {
            "cabinet_id": [names[int(j)] for j in used],
            "node": area.node[used],
            "homes": np.bincount(place, minlength=len(area.node))[used],
            "connections": load,
            "splitters": splitters,
            "ports": splitters * request.split,
            "ports_free": splitters * request.split - load,
            "feeder_m": solved.feeder.length_m[used],
            "longest_drop_m": longest[used],
        },
        geometry=gpd.points_from_xy(graph.x_m[area.node[used]], graph.y_m[area.node[used]]),
        crs=graph.crs,
    )
    reasons: list[Message | None] = [None] * len(homes)
    for i, reason in enumerate(area.reasons):
        reasons[int(order[i])] = reason
    for i in area.served[~served].tolist():
        reasons[int(order[i])] = message("all ports of the places near it are taken")
    table = homes.copy()
    need_of = np.empty(len(homes), dtype=np.int64)
    need_of[order] = area.demand
    cabinet: list[str | None] = [None] * len(homes)
    drop = np.full(len(homes), np.nan)
    for i, j, metres in zip(home.tolist(), place.tolist(), drop_m.tolist(), strict=True):
        cabinet[order[i]], drop[order[i]] = names[j], metres
    table["connections"], table["cabinet_id"], table["drop_m"] = need_of, cabinet, drop
    table["reason"] = [None if reason is None else str(reason) for reason in reasons]
    ends = np.stack(
        [
            np.column_stack([area.x_m[home], area.y_m[home]]),
            np.column_stack([graph.x_m[area.node[place]], graph.y_m[area.node[place]]]),
        ],
        axis=1,
    )
    drops = gpd.GeoDataFrame(
        {
            "home": order[home],
            "cabinet_id": [names[int(j)] for j in place],
            "connections": need,
            "length_m": drop_m,
        },
        geometry=[shapely.LineString(pair) for pair in ends],
        crs=graph.crs,
    )
    feeders = graph.to_frame().iloc[solved.feeder.edges]
    feeders = feeders.drop(columns=["tail", "head"]).rename_axis("edge").reset_index()
    amounts = {str(k): float(v) for k, v in feeders.groupby("item")["length_m"].sum().items()}
    amounts["railway_crossing"] = float(feeders["rail_crossings"].sum())
    amounts["bridge_crossing"] = float(feeders["water_crossings"].sum())
    amounts["cabinet"] = float(len(used))
    amounts[f"splitter_1_{request.split}"] = float(splitters.sum())
    amounts["olt_port"] = float(splitters.sum())
    amounts["drop_cable"] = math.fsum((drop_m * need).tolist())
    amounts["home_connection"] = float(need.sum())
    bill = prices.bill_of_quantities(amounts, costs)
    # Homes left out for want of ports cost nothing: the penalty is taken off again.
    ports_out = int(task.demand[~served].sum())
    left_out = task.penalty * ports_out
    connections = costs["home_connection"].cost.typical * float(need.sum())
    location = max(0.0, solved.location_cost - left_out)
    total = location + solved.feeder.cost + connections
    lower = min(max(0.0, solved.bound - left_out) + connections, total)
    parts = {
        "location": {
            "cost": location,
            "bound": min(max(0.0, solved.location_bound - left_out), location),
        },
        "feeder": {
            "cost": solved.feeder.cost,
            "bound": min(max(0.0, solved.feeder_bound - task.way * ports_out), solved.feeder.cost),
        },
        "connections": {"cost": connections, "bound": connections},
    }
    return AccessDesign(
        cabinets,
        table,
        tuple(reasons),
        drops,
        feeders,
        bill,
        prices.total(bill),
        total,
        lower,
        relative_gap(total, lower),
        parts,
        _notes(area, request, served),
    )


def _notes(area: _Area, request: AccessRequest, served: Flags) -> tuple[Message, ...]:
    notes = [
        message(
            "The bound holds for the {count} places for cabinets that were looked at",
            count=len(area.node),
        ),
        message("Drops are measured straight from home to cabinet")
        if request.straight_drops
        else message("Drops are measured along the routes"),
    ]
    out = len(area.reasons) - int(served.sum())
    if out:
        notes.append(
            message(
                "{count} of {total} homes are not served; each has a reason",
                count=out,
                total=len(area.reasons),
            )
        )
    return tuple(notes)
