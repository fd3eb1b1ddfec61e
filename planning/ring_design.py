"""Cheapest networks in which chosen sites stay connected whatever single thing fails.

Some sites have to be connected to a root, some of them so that no single edge, and no
single duct with all edges in it, cuts them off (rings, dual homing). The problem is
NP-hard. A design comes from pairs of shortest ways, local search and pruning; the lower
bound from a dual ascent and a linear programme over cuts of the network with directed
edges, and where time allows from branch and bound, which then also proves optimality.

The linear programme uses that edges between doubly connected nodes can be directed so
that every such node is both entered and left: for y >= 0 on both directions of each edge,

    minimise    sum of cost[e] * (y[e, there] + y[e, back])
    subject to  y(into S) >= 1     for every set S without root that holds a site,
                y(out of S) >= 1   for every such set that holds a protected site,
                y(both ways over the border of S, without duct g) >= 1
                                   for every such set that holds a site protected from g,
                y[e, there] + y[e, back] <= 1.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import highspy
import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from data.errors import InputError
from planning import milp, resilience
from planning.kernels import resilience as search_kernels
from planning.kernels import ring_design as kernels
from planning.steiner import relative_gap

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Mask = NDArray[np.uint8]

#: Bounds are lowered by this share, far above what sums of roundings come to.
_SAFETY = 1e-9

#: The same for bounds from branch and bound, whose tolerance is one in a million.
_SAFETY_WHOLE = 2e-6

#: Random choices are the same in every run.
_SEED = 20050611

#: Most cuts that are added to the linear programme at a time.
_MOST_CUTS = 400

#: Cuts of the dual ascent that the linear programme starts from.
_FIRST_CUTS = 1500

#: Branch and bound gets nowhere with more edges than this.
_MOST_BRANCHED = 600

#: Share of the programme's time in which designs are made after it.
_GUIDED_SHARE = 0.15

#: Edges up to these shares of the dearest one are free to the first cuts, so that the
#: programme does not wander from one cheap edge to the next where all lead to dear ones.
_FREE = (0.1, 0.03, 0.01, 0.003, 0.001)

#: The next share follows when a round raises the programme by less than this.
_RISE = 0.01

#: Rounds for which a cut may be without effect before it is dropped.
_ROUNDS_KEPT = 3


@dataclass(frozen=True)
class Exposure:
    """A single failure that cuts a site off in any design, as there is no way round it.

    Parameters
    ----------
    kind
        "edge", "group" or "root".
    position
        Of the edge, or the node number of the root; -1 for groups.
    name
        Of the risk group; empty for the others.
    """

    kind: str
    position: int
    name: str = ""


@dataclass(frozen=True)
class RingDesign:
    """A network that connects sites and protects some, and how cheap any such could be.

    Parameters
    ----------
    edges
        Positions of the edges in use, existing ones included, ascending.
    cost
        Sum of their costs.
    lower_bound
        No such design costs less (proven).
    gap
        (cost - lower_bound) / lower_bound; 0 where both are 0.
    unreached
        Sites that no way connects with a root, ascending; they are left out.
    exposed
        For each protected site, the single failures that cannot be protected from: only
        one way exists there. It is protected from all others. Sites without any are not
        listed.
    """

    edges: Ints
    cost: float
    lower_bound: float
    gap: float
    unreached: Ints
    exposed: dict[int, list[Exposure]]


def ring_design(
    n_nodes: int,
    tail: ArrayLike,
    head: ArrayLike,
    cost: ArrayLike,
    roots: ArrayLike,
    terminals: ArrayLike,
    *,
    protect: ArrayLike = (),
    groups: Mapping[str, ArrayLike] | None = None,
    dual_homing: bool = False,
    known: Sequence[ArrayLike] = (),
    time_limit_s: float = 20.0,
    search_share: float = 0.4,
    on_progress: Callable[[float], None] = lambda _: None,
) -> RingDesign:
    """Connect sites at least cost, chosen ones without any single point of failure.

    Parameters
    ----------
    n_nodes
        Number of nodes.
    tail, head
        Ends of the possible edges, shape (edges,).
    cost
        Cost of each edge, finite, from 0; 0 for those that exist.
    roots
        Nodes to connect with, at least one.
    terminals
        Sites to connect.
    protect
        Sites to protect from the failure of any single edge and risk group; they count
        as terminals too.
    groups
        Edges (positions) that fail together, such as those in one duct, by name.
    dual_homing
        Whether protected sites must also survive the failure of any one root with all
        of its edges.
    known
        Designs (positions of edges) to start from; what they lack is added.
    time_limit_s
        Time after which the best design and bound so far are returned; a first design
        and a first bound are always made. Compiling, once per computer, does not
        count. [s]
    search_share
        Share of the time in which designs are looked for before bounds: less where good
        ones are known.
    on_progress
        Called with the fraction done, from the caller's thread; may raise
        `CancelledError`.

    Returns
    -------
    RingDesign
        The design, checked by failing every edge, risk group and root in turn.

    Raises
    ------
    InputError
        If an array does not fit, a node or edge is not there, there is no root, or a
        cost is negative or not finite.

    References
    ----------
    J. W. Suurballe, Disjoint paths in a network, Networks 4, 1974.
    T. L. Magnanti, S. Raghavan, Strong formulations for network design problems with
    connectivity requirements, Networks 45, 2005.
    R. T. Wong, A dual ascent approach for Steiner tree problems on a directed graph,
    Mathematical Programming 28, 1984.

    Examples
    --------
    A hub (0) and two sites; the second is to be protected:

    >>> design = ring_design(3, [0, 1, 0], [1, 2, 2], [1.0, 1.0, 5.0], [0], [1], protect=[2])
    >>> design.edges.tolist(), design.cost, round(design.gap, 6)
    ([0, 1, 2], 7.0, 0.0)
    """
    tail, head = resilience.checked_ends(n_nodes, tail, head)
    price = resilience.per_item(cost, tail.size, "cost")
    if not bool(np.isfinite(price).all()):
        raise InputError(
            "{name}, entry {index}: {value}, expected a number from 0",
            name="cost",
            index=int(np.argmin(np.isfinite(price))),
            value=math.inf,
        )
    hubs = resilience.checked_roots(roots, n_nodes)
    guarded = np.setdiff1d(resilience.checked_nodes(protect, n_nodes, "protect"), hubs)
    sites = np.setdiff1d(resilience.checked_nodes(terminals, n_nodes, "terminals"), hubs)
    sites = np.union1d(sites, guarded)
    checked = resilience.checked_groups(groups or {}, tail.size)
    if not (time_limit_s >= 0.0):
        raise InputError(
            "time_limit_s is {value}, expected a number of seconds from 0", value=time_limit_s
        )
    warm_up()
    problem = _Problem(n_nodes, tail, head, price, hubs, sites, guarded, checked, dual_homing)
    clock = _Clock(time_limit_s, on_progress)
    core = _Core.of(problem)
    starts = [core.projected(np.asarray(edges, np.int64)) for edges in known]
    chosen, bound = _solve(core, starts, clock, search_share)
    edges = core.expanded(chosen)
    total = math.fsum(price[edges].tolist())
    problem.check(edges, core)
    bound = core.fixed_cost + bound
    if bool(np.all(price == np.floor(price))) and total < 2.0**52:
        # Whole costs add up to whole numbers.
        bound = float(math.ceil(bound * (1.0 - _SAFETY) - 1e-6))
    bound = max(min(bound, total), 0.0)
    on_progress(1.0)
    return RingDesign(edges, total, bound, relative_gap(total, bound), core.unreached, core.exposed)


class _Clock:
    """Time limit and progress."""

    def __init__(self, limit_s: float, on_progress: Callable[[float], None]) -> None:
        self._start_s = time.monotonic()
        self.limit_s = limit_s
        self._on_progress = on_progress

    @property
    def left_s(self) -> float:
        """Time that is left. [s]."""
        return self.limit_s - (time.monotonic() - self._start_s)

    def tick(self) -> None:
        """Report progress by the time that is used up."""
        used = 1.0 - self.left_s / self.limit_s if self.limit_s > 0.0 else 1.0
        self._on_progress(min(max(used, 0.0), 0.999))

    def has(self, share: float) -> bool:
        """Report progress; say whether more than this share of the time is left."""
        self.tick()
        return self.left_s > share * self.limit_s and self.left_s > 0.0


# ----------------------------------------------------------------------------------------
# Reduction


@dataclass(frozen=True)
class _Problem:
    """The question, checked."""

    n_nodes: int
    tail: Ints
    head: Ints
    cost: Floats
    roots: Ints
    terminals: Ints
    protect: Ints
    groups: dict[str, Ints]
    dual_homing: bool

    def check(self, edges: Ints, core: _Core) -> None:
        """Fail everything in turn in a design; raise `RuntimeError` at a fault."""
        place = np.full(self.tail.size, -1, np.int64)
        place[edges] = np.arange(edges.size)
        inside = {name: place[group][place[group] >= 0] for name, group in self.groups.items()}
        failures = resilience.single_failures(
            self.n_nodes, self.tail[edges], self.head[edges], self.roots, groups=inside
        )
        if bool(np.isin(np.flatnonzero(failures.unserved), self._reachable(core)).any()):
            raise RuntimeError("the design does not connect all sites")
        hopeless = {
            (site, e.kind, e.name or e.position) for site, es in core.exposed.items() for e in es
        }
        guarded = np.setdiff1d(self.protect, core.unreached)
        lost: list[tuple[str, object, Ints]] = [
            ("edge", int(edges[e]), failures.lost_by_edge(int(e)))
            for e in np.flatnonzero(failures.edge_count)
        ]
        lost += [
            ("group", name, failures.lost_by_group(name))
            for name, count in failures.group_count.items()
            if count
        ]
        if self.dual_homing:
            lost += [("root", int(r), failures.lost_by_node(int(r))) for r in self.roots]
        for kind, which, nodes in lost:
            for site in np.intersect1d(nodes, guarded).tolist():
                if (site, kind, which) not in hopeless:
                    raise RuntimeError(f"the design does not protect site {site} from {kind}")

    def _reachable(self, core: _Core) -> Ints:
        return np.setdiff1d(self.terminals, core.unreached)


@dataclass
class _Chain:
    """Edges in a row that are built together or not at all."""

    tail: int
    head: int
    cost: float
    edges: tuple[int, ...]
    groups: frozenset[int]


@dataclass(frozen=True)
class _Core:
    """What is left of a problem when all that is certain is taken out.

    Parameters
    ----------
    n, root
        Number of nodes, and the one that stands for all roots.
    tail, head, cost
        Edges of the core, without loops.
    chains
        The edges of the problem that each stands for.
    need
        Ways without a common edge that each node needs: 0, 1 or 2.
    groups
        Edges of the core that fail together, and the nodes that must survive it.
    fixed, fixed_cost
        Edges of the problem that every design has.
    unreached, exposed
        As in `RingDesign`.
    """

    n: int
    root: int
    tail: Ints
    head: Ints
    cost: Floats
    chains: list[tuple[int, ...]]
    need: Ints
    groups: list[tuple[Ints, Ints]]
    fixed: Ints
    fixed_cost: float
    unreached: Ints
    exposed: dict[int, list[Exposure]] = field(repr=False)

    def expanded(self, chosen: Mask) -> Ints:
        """Return the edges of the problem that a design of the core stands for."""
        parts = [self.chains[e] for e in np.flatnonzero(chosen)]
        built = [e for chain in parts for e in chain] + self.fixed.tolist()
        return np.array(sorted(set(built)), np.int64)

    def projected(self, edges: Ints) -> Mask:
        """Return the edges of the core that are wholly among edges of the problem."""
        there = set(edges.tolist())
        return np.array([there.issuperset(chain) for chain in self.chains], np.uint8)

    @staticmethod
    def of(problem: _Problem) -> _Core:
        """Take dead ends out, contract what every design has, and join edges in a row."""
        n, m = problem.n_nodes, problem.tail.size
        top = n
        if problem.dual_homing:
            # Two edges to each root, so that only the root's own failure takes them.
            extra = np.repeat(problem.roots, 2)
            tail = np.concatenate([problem.tail, np.full(extra.size, top)])
            head = np.concatenate([problem.head, extra])
        else:
            label = np.arange(n + 1)
            label[problem.roots] = top
            tail, head = label[problem.tail], label[problem.head]
        risks = [(Exposure("group", -1, name), edges) for name, edges in problem.groups.items()]
        if problem.dual_homing:
            risks += [
                (Exposure("root", int(r)), np.flatnonzero((tail == r) | (head == r)))
                for r in problem.roots
            ]
        slots = resilience.half_edges(n + 1, tail, head)
        order, place, size, low, parent, via = (np.zeros(n + 1, np.int64) for _ in range(6))
        reached = search_kernels.depth_first(*slots, top, order, place, size, low, parent, via)
        below = order[1:reached]

        sites = problem.terminals[place[problem.terminals] >= 0]
        unreached = problem.terminals[place[problem.terminals] < 0]
        guarded = problem.protect[place[problem.protect] >= 0]
        marks = np.zeros(n + 1, np.int64)
        marks[sites] = 1
        count = np.concatenate([[0], np.cumsum(marks[order[:reached]])])
        behind = np.zeros(n + 1, np.int64)
        behind[below] = count[place[below] + size[below]] - count[place[below]]

        # Parts that hang on one node and hold no site are of no use.
        hangs = (low[below] >= place[parent[below]]) & (behind[below] == 0)
        rise = np.zeros(reached + 1, np.int64)
        np.add.at(rise, place[below[hangs]], 1)
        np.add.at(rise, place[below[hangs]] + size[below[hangs]], -1)
        kept = np.zeros(n + 1, bool)
        kept[order[:reached]] = np.cumsum(rise[:-1]) == 0
        bridge = np.zeros(n + 1, bool)
        bridge[below] = (low[below] > place[parent[below]]) & kept[below]

        exposed: dict[int, list[Exposure]] = {}
        nearest = np.full(n + 1, -1, np.int64)
        for node in below.tolist():
            nearest[node] = node if bridge[node] else nearest[parent[node]]
        for site in guarded.tolist():
            at = int(nearest[site])
            while at >= 0:
                exposed.setdefault(site, []).append(Exposure("edge", int(via[at])))
                at = int(nearest[parent[at]])

        # Contract the bridges: every design has them.
        fixed = np.sort(via[bridge])
        upper = np.arange(n + 1)
        for node in below.tolist():
            if bridge[node]:
                upper[node] = upper[parent[node]]
        tail, head = upper[tail], upper[head]
        need = np.zeros(n + 1, np.int64)
        need[upper[sites]] = 1
        need[upper[guarded]] = 2
        need[top] = 0
        there = kept[tail] & kept[head] & (tail != head)

        down, node_down = np.zeros(max(tail.size, 1), np.uint8), np.zeros(n + 1, np.uint8)
        seen, stack = np.empty(n + 1, np.uint8), np.empty(n + 1, np.int64)
        survivors: list[Ints] = []
        on_edge: list[set[int]] = [set() for _ in range(tail.size)]
        for exposure, edges in risks if guarded.size else []:
            down[edges] = 1
            search_kernels.reach(*slots, top, down, node_down, seen, stack)
            down[edges] = 0
            for site in guarded[seen[guarded] == 0].tolist():
                exposed.setdefault(site, []).append(exposure)
            used = edges[there[edges]]
            if used.size < 2:
                continue
            alive = np.unique(upper[guarded[seen[guarded] != 0]])
            for edge in used.tolist():
                on_edge[edge].add(len(survivors))
            survivors.append(alive[alive != top])

        price = np.append(problem.cost, np.zeros(tail.size - m))
        chains = [
            _Chain(int(tail[e]), int(head[e]), float(price[e]), (e,), frozenset(on_edge[e]))
            for e in np.flatnonzero(there).tolist()
        ]
        chains = _joined(chains, need, top)
        return _Core._numbered(
            chains,
            need,
            top,
            survivors,
            m,
            fixed,
            math.fsum(problem.cost[fixed].tolist()),
            unreached,
            exposed,
        )

    @staticmethod
    def _numbered(
        chains: list[_Chain],
        need: Ints,
        top: int,
        survivors: list[Ints],
        m: int,
        fixed: Ints,
        fixed_cost: float,
        unreached: Ints,
        exposed: dict[int, list[Exposure]],
    ) -> _Core:
        ends = np.array([(c.tail, c.head) for c in chains], np.int64).reshape(-1, 2)
        nodes = np.unique(np.append(ends.ravel(), top))
        number = np.full(need.size, -1, np.int64)
        number[nodes] = np.arange(nodes.size)
        members: list[list[int]] = [[] for _ in survivors]
        for index, chain in enumerate(chains):
            for group in chain.groups:
                members[group].append(index)
        groups = [
            (np.array(edges, np.int64), number[alive])
            for edges, alive in zip(members, survivors, strict=True)
            if len(edges) > 1 and alive.size
        ]
        return _Core(
            nodes.size,
            int(number[top]),
            number[ends[:, 0]],
            number[ends[:, 1]],
            np.array([c.cost for c in chains], np.float64),
            [tuple(e for e in c.edges if e < m) for c in chains],
            need[nodes],
            groups,
            fixed,
            fixed_cost,
            unreached,
            exposed,
        )


def _joined(chains: list[_Chain], need: Ints, top: int) -> list[_Chain]:
    """Join edges in a row, and drop parallel ones that two better ones stand for."""
    at: dict[int, set[int]] = {}
    alive = dict(enumerate(chains))

    def drop(index: int) -> None:
        chain = alive.pop(index)
        at[chain.tail].discard(index)
        at[chain.head].discard(index)

    for index, chain in alive.items():
        at.setdefault(chain.tail, set()).add(index)
        at.setdefault(chain.head, set()).add(index)
    following = len(chains)
    waiting = sorted(at)
    while waiting:
        touched: set[int] = set()
        while waiting:
            node = waiting.pop()
            here = at[node]
            if node == top or need[node] > 0 or len(here) > 2 or not here:
                continue
            ends = [alive[i].tail + alive[i].head - node for i in sorted(here)]
            if len(here) == 2 and ends[0] != ends[1]:
                one, two = (alive[i] for i in sorted(here))
                joined = _Chain(
                    ends[0],
                    ends[1],
                    one.cost + two.cost,
                    one.edges + two.edges,
                    one.groups | two.groups,
                )
                alive[following] = joined
                at[ends[0]].add(following)
                at[ends[1]].add(following)
                following += 1
            for index in sorted(here):
                drop(index)
            waiting += ends
            touched.update(ends)
        # Only where something has changed can there be new parallel edges.
        for node in sorted(touched or at) if following == len(chains) or touched else []:
            by_end: dict[int, list[int]] = {}
            for index in sorted(at[node]):
                chain = alive[index]
                by_end.setdefault(chain.tail + chain.head - node, []).append(index)
            for end, parallel in by_end.items():
                parallel.sort(key=lambda index: (alive[index].cost, index))
                better: list[int] = []
                for index in parallel:
                    groups = alive[index].groups
                    if sum(alive[other].groups <= groups for other in better) >= 2:
                        drop(index)
                        waiting += [node, end]
                    else:
                        better.append(index)
    return [alive[index] for index in sorted(alive)]


# ----------------------------------------------------------------------------------------
# Search


def _solve(
    core: _Core, starts: list[Mask], clock: _Clock, search_share: float
) -> tuple[Mask, float]:
    """Return a design of the core and a lower bound of what any costs."""
    if not bool(core.need.any()):
        return np.zeros(core.tail.size, np.uint8), 0.0
    search = _Search(core, clock)
    search.begin(starts)
    search.ascend()
    first = search.upper
    search.vary(until=1.0 - search_share, stale=150)
    if not search.solved and clock.has(0.0):
        if search.upper < first:
            search.ascend()
        search.eliminate(search.slack, search.dual)
        programme = _Programme(search)
        programme.run(until=0.5 * search_share)
        if int(search.alive.sum()) <= _MOST_BRANCHED:
            programme.branch()
        search.vary(until=0.0, stale=300)
    return search.best, search.lower


def _half_arcs(core: _Core, index: Ints) -> tuple[Ints, Ints, Ints]:
    """Return `first`, `neighbour` and `arc` of the nodes, for some edges, numbered anew."""
    tail, head = core.tail[index], core.head[index]
    first, neighbour, edge = resilience.half_edges(core.n, tail, head)
    start = np.repeat(np.arange(core.n), np.diff(first))
    return first, neighbour, 2 * edge + (tail[edge] != start)


class _Search:
    """The state of a search: the best design, the bound, the edges not ruled out.

    Parameters
    ----------
    core
        The problem, with at least one need.
    clock
        Time limit.
    """

    def __init__(self, core: _Core, clock: _Clock) -> None:
        self.core = core
        self.clock = clock
        self.random = np.random.default_rng(_SEED)
        self.upper = math.inf
        self.lower = 0.0
        self.best = np.zeros(core.tail.size, np.uint8)
        self.double = np.flatnonzero(core.need == 2).astype(np.int64)
        self.node = np.concatenate([np.flatnonzero(core.need > 0), self.double]).astype(np.int64)
        self.outward = np.zeros(self.node.size, np.uint8)
        self.outward[self.node.size - self.double.size :] = 1
        self.group_first = np.zeros(len(core.groups) + 1, np.int64)
        self.need_first = self.group_first.copy()
        np.cumsum([edges.size for edges, _ in core.groups], out=self.group_first[1:])
        np.cumsum([nodes.size for _, nodes in core.groups], out=self.need_first[1:])
        none = [np.empty(0, np.int64)]
        self.group_edge = np.concatenate(none + [edges for edges, _ in core.groups])
        self.need_node = np.concatenate(none + [nodes for _, nodes in core.groups])
        self.slack = np.repeat(core.cost, 2)
        self.keep(np.ones(core.tail.size, bool))

    @property
    def solved(self) -> bool:
        """Whether the best design is proven to be the cheapest."""
        return self.lower >= self.upper * (1.0 - 2.0 * _SAFETY)

    @property
    def slots(self) -> tuple[Ints, Ints, Ints]:
        return self.first, self.neighbour, self.edge

    @property
    def group_arrays(self) -> tuple[Ints, Ints, Ints, Ints]:
        return self.group_first, self.group_edge, self.need_first, self.need_node

    def keep(self, alive: Bools) -> None:
        """Leave only some edges to choose from."""
        self.alive = alive
        index = np.flatnonzero(alive)
        self.first, self.neighbour, arc = _half_arcs(self.core, index)
        self.edge = index[arc >> 1].astype(np.int64)
        self.arc = 2 * self.edge + (arc & 1)

    # -- designs

    def build(self, price: Floats, order: Ints, chosen: Mask) -> float:
        """Complete a design in place by some prices, and prune it; return its cost."""
        core = self.core
        chosen &= self.alive
        done = kernels.complete(
            *self.slots,
            self.arc,
            price,
            chosen,
            core.root,
            core.need,
            order,
            *self.group_arrays,
        )
        if not done:
            return math.inf
        used = np.flatnonzero(chosen)
        key = core.cost[used] * self.random.uniform(0.6, 1.0, used.size)
        kernels.prune(
            core.tail,
            core.head,
            chosen,
            core.root,
            core.need,
            used[np.argsort(-key, kind="stable")],
            *self.group_arrays,
        )
        total = math.fsum(core.cost[chosen != 0].tolist())
        if total < self.upper:
            self.upper = total
            self.best = chosen.copy()
        return total

    def begin(self, starts: list[Mask]) -> None:
        """Make the first designs."""
        core = self.core
        # By distance from the root: far sites first share their ways with nearer ones.
        distance = np.empty(core.n)
        room = [np.empty(core.n, np.int64) for _ in range(4)]
        kernels.shortest(
            self.first,
            self.neighbour,
            core.cost[self.edge],
            np.array([core.root]),
            np.zeros(core.n, np.uint8),
            distance,
            *room,
        )
        near = self.double[np.argsort(distance[self.double], kind="stable")]
        for chosen in starts:
            self.build(core.cost, near, chosen.copy())
        if starts and math.isfinite(self.upper) and not self.clock.has(0.7):
            return
        for order in (near[::-1].copy(), near):
            self.build(core.cost, order, np.zeros(core.tail.size, np.uint8))
            if not self.clock.has(0.9):
                break

    def vary(self, *, until: float, stale: int) -> None:
        """Tear down a part of the best design and build it anew, again and again.

        Parameters
        ----------
        until
            Share of the time to leave.
        stale
            Tries without success after which to stop.
        """
        core = self.core
        sites = np.flatnonzero(core.need > 0)
        distance = np.empty(core.n)
        room = [np.empty(core.n, np.int64) for _ in range(4)]
        failed = 0
        current, current_cost = self.best.copy(), self.upper
        while failed < stale and not self.solved and self.clock.has(until):
            centre = self.random.choice(sites)
            kernels.shortest(
                self.first,
                self.neighbour,
                core.cost[self.edge],
                np.array([centre]),
                np.zeros(core.n, np.uint8),
                distance,
                *room,
            )
            around = np.sort(distance[sites])
            most = min(max(4, sites.size // 4), 30)
            reach = around[min(int(self.random.integers(2, most + 1)), sites.size - 1)]
            near = (distance[core.tail] <= reach) & (distance[core.head] <= reach)
            gone = near & (self.random.random(near.size) < self.random.choice([0.5, 0.8, 1.0]))
            chosen = current.copy()
            chosen[gone] = 0
            spread = float(self.random.choice([0.0, 0.2, 0.6]))
            price = core.cost * self.random.uniform(1.0, 1.0 + spread, core.cost.size)
            before = self.upper
            total = self.build(price, self.random.permutation(self.double), chosen)
            if total <= current_cost * (1.0 + 1e-12):
                current, current_cost = chosen, total
            failed = 0 if self.upper < before else failed + 1

    # -- bounds

    def guide(self) -> Mask:
        """Return the arcs of the best design, directed as in the linear programme."""
        core = self.core
        place, low, parent, via, order, slot = (np.empty(core.n, np.int64) for _ in range(6))
        kernels.survey(
            *self.slots,
            self.best,
            core.root,
            np.empty(core.n, np.int64),
            place,
            low,
            parent,
            via,
            order,
            slot,
        )
        guide = np.zeros(2 * core.tail.size, np.uint8)
        used = np.flatnonzero(self.best)
        tail, head = core.tail[used], core.head[used]
        # Away from the root in the search tree, and back on all other edges.
        onward = (via[head] == used) | ((via[tail] != used) & (place[tail] > place[head]))
        guide[2 * used + ~onward] = 1
        return guide

    def ascend(self) -> None:
        """Raise the bound by a dual ascent, guided by the best design; keep its cuts."""
        edges = self.core.tail.size
        room = 30 * self.node.size + 1000
        self.cut_first = np.zeros(room + 1, np.int64)
        self.cut_arc = np.empty(min(100 * edges + 1000, 5_000_000), np.int64)
        self.cut_rise = np.zeros(room)
        self.slack = np.repeat(self.core.cost, 2)
        self.dual, self.cuts = kernels.dual_ascent(
            self.first,
            self.neighbour,
            self.arc,
            self.core.root,
            self.node,
            self.outward,
            self.guide(),
            self.slack,
            self.cut_first,
            self.cut_arc,
            self.cut_rise,
        )
        self.raise_lower(self.dual * (1.0 - _SAFETY))

    def raise_lower(self, bound: float) -> None:
        # Edges were taken out that only designs as dear as the best one could hold.
        self.lower = max(self.lower, min(bound, self.upper))

    def eliminate(self, slack: Floats, bound: float) -> bool:
        """Rule out edges that no cheaper design has; say whether many were.

        Parameters
        ----------
        slack
            What each arc costs beyond what a dual solution pays for; per arc.
        bound
            The value of that dual solution.

        Notes
        -----
        In a design without useless edges, the tail of each arc is reached from the
        root, and its head reaches a site or the root. The cost of either way adds to
        that of the arc.
        """
        core = self.core
        slack = np.maximum(slack, 0.0)
        there, back = np.empty(core.n), np.empty(core.n)
        room = [np.empty(core.n, np.int64) for _ in range(4)]
        none = np.zeros(core.n, np.uint8)
        kernels.shortest(
            self.first, self.neighbour, slack[self.arc], np.array([core.root]), none, there, *room
        )
        ends = np.append(np.flatnonzero(core.need > 0), core.root).astype(np.int64)
        kernels.shortest(self.first, self.neighbour, slack[self.arc ^ 1], ends, none, back, *room)
        forward = slack[0::2] + np.maximum(there[core.tail], back[core.head])
        backward = slack[1::2] + np.maximum(there[core.head], back[core.tail])
        alive = self.alive & (bound + np.minimum(forward, backward) * (1.0 - _SAFETY) < self.upper)
        fewer = int(alive.sum()) < 0.97 * int(self.alive.sum())
        # The best design stays at hand for the local search, and costs nothing more.
        self.keep(alive | (self.best != 0))
        return fewer


# ----------------------------------------------------------------------------------------
# Linear programme


class _QuietHighs(highspy.Highs):
    """HiGHS that prints no banner, which it otherwise does as soon as it is made."""

    def enableCallbacks(self) -> None:  # noqa: N802
        """Silence the solver before the callbacks wake it."""
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()


class _Programme:
    """The linear programme over cuts, and branch and bound over it.

    Only arcs that a good design may use are columns; others are priced, and let in when
    they would help. Cuts that have not mattered for a while are dropped.

    Parameters
    ----------
    search
        The search it belongs to, after a dual ascent.
    """

    def __init__(self, search: _Search) -> None:
        self.search = search
        core = search.core
        arcs = 2 * core.tail.size
        self.scale = float(max(core.cost.max(initial=0.0), 1e-300))
        self.cost = np.repeat(core.cost, 2) / self.scale
        self.value = np.zeros(arcs)
        self.rows: list[Ints] = []  # arcs whose sum is at least 1; or, if two of one edge,
        self.at_least: list[bool] = []  # at most 1
        self.age: list[int] = []
        self.row_status: list[highspy.HighsBasisStatus] = []
        self.column_status = np.full(arcs, highspy.HighsBasisStatus.kLower, object)
        self.known: set[bytes] = set()
        most = min(2 * search.node.size + 2, 2 * _MOST_CUTS)
        self.room = np.empty((most, core.n), np.uint8), np.empty(most, np.int64), np.empty(most)
        cuts = np.argsort(-search.cut_rise[: search.cuts], kind="stable")[:_FIRST_CUTS]
        for k in np.sort(cuts).tolist():
            self.offer(search.cut_arc[search.cut_first[k] : search.cut_first[k + 1]])
        for node, out in zip(search.node.tolist(), search.outward.tolist(), strict=True):
            beside = search.arc[search.first[node] : search.first[node + 1]]
            self.offer(beside if out else beside ^ 1)
        # What the dual ascent has paid for in full, and the best design.
        self.active = search.slack <= 1e-9 * self.scale
        self.active |= np.repeat(search.best != 0, 2)

    def offer(self, arcs: Ints, *, at_least: bool = True) -> bool:
        """Keep a row unless it is known; say whether it is new."""
        arcs = np.sort(arcs)
        code = arcs.tobytes() + bytes([at_least])
        if code in self.known:
            return False
        self.known.add(code)
        self.rows.append(arcs)
        self.at_least.append(at_least)
        self.age.append(0)
        self.row_status.append(highspy.HighsBasisStatus.kBasic)
        return True

    def _matrix(self, arcs: Ints) -> scipy.sparse.csc_array:
        """Return the rows, in the columns of these arcs."""
        column = np.full(self.value.size, -1, np.int64)
        column[arcs] = np.arange(arcs.size)
        flat = column[np.concatenate(self.rows)]
        row = np.repeat(np.arange(len(self.rows)), [r.size for r in self.rows])[flat >= 0]
        flat = flat[flat >= 0]
        return scipy.sparse.csc_array(
            (np.ones(flat.size), (row, flat)), shape=(len(self.rows), arcs.size)
        )

    def _solve(self, limit_s: float) -> bool:
        """Solve with the columns and rows there are; say whether that was done in time."""
        self.active &= np.repeat(self.search.alive, 2)
        arcs = np.flatnonzero(self.active)
        matrix = self._matrix(arcs)
        at_least = np.array(self.at_least)
        solver = _QuietHighs()
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("parallel", "off")
        solver.setOptionValue("time_limit", max(limit_s, 0.05))
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = arcs.size, len(self.rows)
        model.col_cost_ = self.cost[arcs]
        model.col_lower_, model.col_upper_ = np.zeros(arcs.size), np.ones(arcs.size)
        model.row_lower_ = np.where(at_least, 1.0, -np.inf)
        model.row_upper_ = np.where(at_least, np.inf, 1.0)
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_ = matrix.indptr.astype(np.int32)
        model.a_matrix_.index_ = matrix.indices.astype(np.int32)
        model.a_matrix_.value_ = matrix.data
        solver.passModel(model)
        basis = highspy.HighsBasis()
        basis.col_status = self.column_status[arcs].tolist()
        basis.row_status = self.row_status
        basis.valid = True
        solver.setBasis(basis)
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return False
        solution, basis = solver.getSolution(), solver.getBasis()
        self.value[:] = 0.0
        self.value[arcs] = np.clip(np.asarray(solution.col_value), 0.0, 1.0)
        dual = np.asarray(solution.row_dual, np.float64)
        # Any prices of the right sign give a bound, whether they are optimal or not.
        self.dual = np.where(at_least, np.maximum(dual, 0.0), np.minimum(dual, 0.0))
        self.column_status[:] = highspy.HighsBasisStatus.kLower
        self.column_status[arcs] = basis.col_status
        self.row_status = list(basis.row_status)
        return True

    def _price(self) -> tuple[float, Floats]:
        """Return a bound that the solver's rounding cannot spoil, and each arc's slack.

        Arcs that are no columns yet come in if they would help.
        """
        sizes = [r.size for r in self.rows]
        paid = np.bincount(
            np.concatenate(self.rows), np.repeat(self.dual, sizes), minlength=self.cost.size
        )
        alive = np.repeat(self.search.alive, 2)
        left = np.where(alive, self.cost - paid, 0.0)
        bound = math.fsum(self.dual.tolist()) + math.fsum(np.minimum(left, 0.0).tolist())
        spread = math.fsum(np.abs(self.dual).tolist())
        self.active |= left < -1e-9
        slack = np.where(alive, np.maximum(left, 0.0) * self.scale, np.inf)
        return (bound - _SAFETY * spread) * self.scale, slack

    def _forget(self) -> None:
        """Drop cuts that have not mattered for some rounds."""
        kept = []
        for k, status in enumerate(self.row_status):
            self.age[k] = self.age[k] + 1 if status == highspy.HighsBasisStatus.kBasic else 0
            if self.age[k] <= _ROUNDS_KEPT:
                kept.append(k)
            else:
                self.known.discard(self.rows[k].tobytes() + bytes([self.at_least[k]]))
        self.rows = [self.rows[k] for k in kept]
        self.at_least = [self.at_least[k] for k in kept]
        self.age = [self.age[k] for k in kept]
        self.row_status = [self.row_status[k] for k in kept]

    def run(self, *, until: float) -> None:
        """Add violated cuts and solve, until there are none or the time is used up."""
        search, clock = self.search, self.search.clock
        rounds = 0
        begun_s, guided_s = clock.left_s, 0.0
        free = [share * self.scale for share in _FREE]
        total = 0.0
        while clock.has(until) and not search.solved:
            if not self._solve(clock.left_s - until * clock.limit_s):
                break
            columns = np.count_nonzero(self.active)
            bound, slack = self._price()
            rose = bound > search.lower
            search.raise_lower(bound)
            if rounds % 4 == 0 and guided_s <= _GUIDED_SHARE * (begun_s - clock.left_s):
                start_s = clock.left_s
                self._guided()
                guided_s += start_s - clock.left_s
            rounds += 1
            if search.solved:
                return
            if rose and rounds % 4 == 0:
                search.eliminate(slack, bound)
            self._forget()
            before, total = total, float(self.cost @ self.value)
            if free:
                if not self.separate(self.value, free[0]) or total < before * (1.0 + _RISE):
                    free = free[1:]
            elif not self.separate(self.value) and np.count_nonzero(self.active) == columns:
                break
        if not search.solved and clock.has(0.0):
            self._guided()

    def _guided(self) -> None:
        """Make designs at prices that favour what the programme uses."""
        search = self.search
        core = search.core
        use = np.minimum(self.value[0::2] + self.value[1::2], 1.0)
        for share in (0.5, 0.95):
            price = core.cost * (1.0 - share * use)
            order = search.random.permutation(search.double)
            search.build(price, order, np.zeros(core.tail.size, np.uint8))
        whole = (use > 0.99).astype(np.uint8)
        search.build(core.cost * (1.0 - 0.9 * use), search.random.permutation(search.double), whole)

    def separate(self, value: Floats, free: float = -1.0) -> int:
        """Add cuts that the values of the arcs violate; return how many.

        Parameters
        ----------
        value
            Of each arc.
        free
            Edges up to this cost count as used, so that there are only cuts without.
        """
        search = self.search
        new = 0
        use = value[0::2] + value[1::2]
        for e in np.flatnonzero(use > 1.0 + 1e-6).tolist():
            new += self.offer(np.array([2 * e, 2 * e + 1]), at_least=False)
        given = (search.core.cost <= free) & search.alive
        support = np.flatnonzero((use > 1e-9) | given)
        slots = _half_arcs(search.core, support)
        order = search.random.permutation(search.node.size)
        there = np.stack([value[2 * support], value[2 * support + 1]], axis=1)
        there[given[support]] = 1.0
        found = self._cuts(
            slots, search.node[order], search.outward[order], there.ravel(), skip=False
        )
        for inside, outward in found[:_MOST_CUTS]:
            new += self.offer(self._border(inside, outward=outward))
        return new + self._without_groups(np.where(given, 2.0, use), support, slots)

    def _without_groups(self, use: Floats, support: Ints, slots: tuple[Ints, Ints, Ints]) -> int:
        """Add cuts that the use of edges violates when a group fails; return how many.

        A group that takes one edge's worth leaves another one, as soon as no other cut is
        violated. Groups that take the same edges in use have the same violated cuts.
        """
        search, core = self.search, self.search.core
        place = np.full(use.size, -1, np.int64)
        place[support] = np.arange(support.size)
        both = np.repeat(use[support], 2)
        alike: dict[bytes, list[int]] = {}
        for k, (edges, _) in enumerate(core.groups):
            gone = place[edges]
            gone = gone[gone >= 0]
            if gone.size > 1 and use[support[gone]].sum() > 1.0 + 1e-6:
                alike.setdefault(gone.tobytes(), []).append(k)
        new = 0
        codes = list(alike)
        for number in search.random.permutation(len(codes)).tolist():
            gone = np.frombuffer(codes[number], np.int64)
            failed = both.copy()
            failed[2 * gone] = failed[2 * gone + 1] = 0.0
            groups = [core.groups[k] for k in alike[codes[number]]]
            nodes = np.unique(np.concatenate([nodes for _, nodes in groups]))
            outward = np.zeros(nodes.size, np.uint8)
            found = self._cuts(slots, nodes, outward, failed, skip=True)
            for inside in {inside.tobytes(): inside for inside, _ in found}.values():
                crossing = (inside[core.head] != inside[core.tail]) & search.alive
                for edges, needs in groups:
                    if inside[needs].any():
                        left = crossing.copy()
                        left[edges] = False
                        border = np.flatnonzero(left)
                        new += self.offer(np.concatenate([2 * border, 2 * border + 1]))
            if new > _MOST_CUTS:
                break
        return new

    def _cuts(
        self,
        slots: tuple[Ints, Ints, Ints],
        node: Ints,
        outward: Mask,
        value: Floats,
        *,
        skip: bool,
    ) -> list[tuple[Bools, bool]]:
        inside, owner, short = self.room
        count = kernels.violated_cuts(
            *slots, self.search.core.root, node, outward, value, skip, inside, owner, short
        )
        worst = np.argsort(-short[:count], kind="stable")
        return [(inside[k] != 0, bool(outward[owner[k]])) for k in worst.tolist()]

    def _border(self, inside: Bools, *, outward: bool) -> Ints:
        """Return the arcs into a set of nodes, or out of it."""
        core, alive = self.search.core, self.search.alive
        there, back = inside[core.head] & ~inside[core.tail], inside[core.tail] & ~inside[core.head]
        if outward:
            there, back = back, there
        return np.concatenate(
            [2 * np.flatnonzero(there & alive), 2 * np.flatnonzero(back & alive) + 1]
        )

    def branch(self) -> None:
        """Look for the best design by branch and bound, adding cuts in between."""
        search, clock = self.search, self.search.clock
        core = search.core
        while not search.solved and clock.has(0.02):
            for e in np.flatnonzero(search.alive).tolist():
                self.offer(np.array([2 * e, 2 * e + 1]), at_least=False)
            arcs = np.flatnonzero(np.repeat(search.alive, 2))
            at_least = np.array(self.at_least)
            solution = milp.minimise(
                self.cost[arcs],
                self._matrix(arcs),
                np.where(at_least, 1.0, -np.inf),
                np.where(at_least, np.inf, 1.0),
                upper=np.ones(arcs.size),
                is_whole=np.ones(arcs.size, bool),
                time_limit_s=clock.left_s,
                on_progress=lambda _: clock.tick(),
            )
            if math.isfinite(solution.bound):
                search.raise_lower(solution.bound * self.scale * (1.0 - _SAFETY_WHOLE))
            elif solution.bound > 0.0:
                # Nothing but the best design known is left to choose from.
                search.raise_lower(search.upper)
            if solution.values is None:
                return
            value = np.zeros(self.value.size)
            value[arcs] = np.round(solution.values)
            chosen = ((value[0::2] + value[1::2]) > 0.5).astype(np.uint8)
            search.build(core.cost, search.random.permutation(search.double), chosen)
            if not self.separate(value):
                return


@functools.cache
def warm_up() -> None:
    """Compile, or load, the kernels by a small example, outside of any time limit."""
    size = 4
    node = np.arange(size * size).reshape(size, size)
    tail = np.concatenate([node[:, :-1].ravel(), node[:-1, :].ravel()])
    head = np.concatenate([node[:, 1:].ravel(), node[1:, :].ravel()])
    sites = np.array([3, 6, 9, 12, 15])
    problem = _Problem(
        node.size,
        tail,
        head,
        (tail * 7.0 + head * 5.0) % 11.0 + 3.0,
        np.array([0]),
        sites,
        sites[2:],
        {"duct": np.array([1, 5, 9])},
        dual_homing=False,
    )
    core = _Core.of(problem)
    search = _Search(core, _Clock(60.0, lambda _: None))
    search.begin([])
    search.ascend()
    search.vary(until=0.0, stale=3)
    search.eliminate(search.slack, search.dual)
    programme = _Programme(search)
    programme.separate(programme.value)
