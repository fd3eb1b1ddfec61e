"""Cheapest trees that connect given nodes of a network, with a proven lower bound.

The Steiner tree problem in graphs is NP-hard. The tree comes from shortest-path
heuristics, local search and the recombination of several trees; the bound from
Wong's dual ascent on the network that reductions leave over. Inside, costs are
whole numbers (multiples of a power of two, rounded down), so that a bound is a
proof and not a sum of roundings.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.errors import InputError
from planning.kernels import steiner as kernels

Ints = NDArray[np.int64]
Mask = NDArray[np.uint8]

#: Sums of costs stay below this, so that they are exact as floating-point numbers too.
_MOST = 2.0**52

#: Arcs of remembered cuts; what does not fit can only not be taken back.
_MOST_ARCS = 20_000_000

#: Random choices are the same in every run.
_SEED = 20180501

#: Nodes named in a message.
_NAMED = 5


@dataclass(frozen=True)
class SteinerTree:
    """A tree that connects the terminals, and how cheap any such tree could be.

    Parameters
    ----------
    edges
        Indices of the tree's edges into the arrays that were given, ascending.
    cost
        Sum of their costs, in the unit of the costs given.
    lower_bound
        No tree that connects the terminals costs less (proven).
    gap
        How much dearer than the cheapest tree this one may at most be, as a share of
        the lower bound: (cost - lower_bound) / lower_bound; 0 where both are 0.
    """

    edges: Ints
    cost: float
    lower_bound: float
    gap: float


def steiner_tree(
    tail: ArrayLike,
    head: ArrayLike,
    cost: ArrayLike,
    terminals: ArrayLike,
    *,
    time_limit_s: float = 30.0,
    on_progress: Callable[[float], None] = lambda _: None,
) -> SteinerTree:
    """Connect the terminals at least cost.

    Parameters
    ----------
    tail, head
        Ends of the undirected edges: whole numbers from 0, not necessarily
        consecutive, shape (edges,). Loops and parallel edges are allowed.
    cost
        Cost of each edge, finite and not negative, shape (edges,); any unit.
    terminals
        Nodes to connect, at least one; duplicates count once.
    time_limit_s
        Time after which the best tree so far is returned; small networks take less.
        A first tree and a first bound are always made. Compiling, once per computer,
        does not count. [s]
    on_progress
        Called with the fraction done, from the caller's thread, between units of
        work; it may raise `CancelledError`.

    Returns
    -------
    SteinerTree
        The tree, checked: connected, without cycles, with all terminals. The same
        input gives the same tree in every run that the time limit does not cut short,
        whatever the order of the edges.

    Raises
    ------
    InputError
        If the arrays do not fit together, a cost is negative or not finite, a
        terminal is not in the network, or terminals cannot be reached from each other.

    References
    ----------
    R. T. Wong, A dual ascent approach for Steiner tree problems on a directed graph,
    Mathematical Programming 28, 1984.
    C. W. Duin, A. Volgenant, Reduction tests for the Steiner problem in graphs,
    Networks 19, 1989.
    E. Uchoa, R. F. Werneck, Fast local search for the Steiner problem in graphs, ACM
    Journal of Experimental Algorithmics 17, 2012.
    T. Pajor, E. Uchoa, R. F. Werneck, A robust and scalable algorithm for the Steiner
    problem in graphs, Mathematical Programming Computation 10, 2018.

    Examples
    --------
    Three sites around a junction (node 0), and a dear direct line:

    >>> tree = steiner_tree([0, 0, 0, 1], [1, 2, 3, 2], [1.0, 1.0, 1.0, 1.9], [1, 2, 3])
    >>> tree.edges.tolist(), tree.cost, tree.lower_bound
    ([0, 1, 2], 3.0, 3.0)
    """
    network = Network.checked(tail, head, cost)
    nodes = network.indices_of(whole_numbers(terminals, "terminals"))
    if nodes.size == 0:
        raise InputError("At least one node to connect is needed")
    if not (time_limit_s >= 0.0):
        raise InputError(
            "time_limit_s is {value}, expected a number of seconds from 0", value=time_limit_s
        )
    if nodes.size == 1:
        return SteinerTree(np.empty(0, np.int64), 0.0, 0.0, 0.0)
    network.require_connected(nodes)
    warm_up()
    clock = Clock(time_limit_s, on_progress)
    is_terminal = np.zeros(network.n, np.uint8)
    is_terminal[nodes] = 1
    edges, whole_bound = solve(network, is_terminal, clock)
    total = network.checked_tree_cost(edges, nodes)
    bound = min(network.to_cost(whole_bound), total)
    on_progress(1.0)
    return SteinerTree(np.sort(network.given[edges]), total, bound, relative_gap(total, bound))


def relative_gap(cost: float, bound: float) -> float:
    """Return (cost - bound) / bound; 0 where they are equal, infinite for a bound of 0."""
    if cost <= bound:
        return 0.0
    return (cost - bound) / bound if bound > 0.0 else math.inf


# ----------------------------------------------------------------------------------------
# Input


def whole_numbers(values: ArrayLike, name: str) -> Ints:
    """Return a list of nodes as whole numbers from 0, or raise `InputError` with its name."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise InputError(
            "{name} has {count} dimensions, expected a list of nodes", name=name, count=array.ndim
        )
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.dtype.kind not in "iu":
        number = array.astype(np.float64) if array.dtype.kind in "fb" else None
        if number is None or not bool(np.all(np.isfinite(number) & (number == np.floor(number)))):
            raise InputError("{name} holds values that are not whole numbers", name=name)
    numbers = array.astype(np.int64)
    if numbers.min() < 0:
        at = int(np.argmin(numbers))
        raise InputError(
            "{name}, entry {index}: node {value} is negative, expected a whole number from 0",
            name=name,
            index=at,
            value=int(numbers[at]),
        )
    return numbers


@dataclass(frozen=True)
class Network:
    """A checked network without loops and parallel edges, its nodes numbered from 0.

    Parameters
    ----------
    node_ids
        The number each node was given, ascending.
    tail, head
        Ends of the edges, tail < head, sorted.
    cost
        Costs as given.
    whole
        Costs in multiples of `unit`, rounded down.
    unit
        A power of two.
    given
        Index of each edge in the arrays that were given.
    """

    node_ids: Ints
    tail: Ints
    head: Ints
    cost: NDArray[np.float64]
    whole: Ints
    unit: float
    given: Ints

    @property
    def n(self) -> int:
        """Number of nodes."""
        return int(self.node_ids.size)

    @staticmethod
    def checked(tail: ArrayLike, head: ArrayLike, cost: ArrayLike) -> Network:
        """Check the arrays of a network and put it into order.

        Parameters
        ----------
        tail, head, cost
            As for `steiner_tree`.

        Returns
        -------
        Network
            Of parallel edges, the cheapest one, then the first, is kept.

        Raises
        ------
        InputError
            If the arrays do not fit together, a node is not a whole number from 0, or
            a cost is negative or not finite.
        """
        ends = whole_numbers(tail, "tail"), whole_numbers(head, "head")
        try:
            price = np.asarray(cost, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError("cost holds values that are not numbers") from error
        if not ends[0].shape == ends[1].shape == price.shape:
            raise InputError(
                "tail, head and cost have {tail}, {head} and {cost} entries, expected as many each",
                tail=ends[0].size,
                head=ends[1].size,
                cost=price.size,
            )
        wrong = np.flatnonzero(~(np.isfinite(price) & (price >= 0.0)))
        if wrong.size:
            raise InputError(
                "Edge {index} from node {tail} to node {head} costs {cost}, expected a finite "
                "number from 0",
                index=int(wrong[0]),
                tail=int(ends[0][wrong[0]]),
                head=int(ends[1][wrong[0]]),
                cost=float(price[wrong[0]]),
            )
        # Loops never help, but their nodes are part of the network.
        node_ids, numbered = np.unique(np.concatenate(ends), return_inverse=True)
        count = price.size
        low = np.minimum(numbered[:count], numbered[count:])
        high = np.maximum(numbered[:count], numbered[count:])
        order = np.lexsort((np.arange(count), price, high, low))
        order = order[low[order] != high[order]]
        low, high = low[order], high[order]
        fresh = np.ones(order.size, bool)
        fresh[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
        given = order[fresh]
        price = price[given]
        unit = _unit_of(price)
        return Network(
            node_ids.astype(np.int64),
            low[fresh].astype(np.int64),
            high[fresh].astype(np.int64),
            price,
            np.floor(price / unit).astype(np.int64),
            unit,
            given.astype(np.int64),
        )

    def indices_of(self, nodes: Ints) -> Ints:
        """Return the numbers inside of `nodes`, each once, ascending.

        Raises
        ------
        InputError
            If a node has no edge in the network.
        """
        nodes = np.unique(nodes)
        if self.n == 0 and nodes.size > 0:
            found, missing = nodes[:0], nodes
        else:
            found = np.searchsorted(self.node_ids, nodes)
            here = self.node_ids[np.minimum(found, self.n - 1)] == nodes if nodes.size else found
            missing = nodes[~np.asarray(here, bool)]
        if missing.size:
            raise InputError(
                "{count} of {total} nodes to connect are not in the network: {nodes}",
                count=missing.size,
                total=nodes.size,
                nodes=named(missing),
            )
        return found.astype(np.int64)

    def components(self) -> Ints:
        """Return the number of the connected part that each node lies in."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        # An explicit 1 per edge, because a stored cost of 0 would count as no edge.
        links = coo_array(
            (np.ones(self.tail.size, np.int8), (self.tail, self.head)), shape=(self.n, self.n)
        )
        return np.asarray(connected_components(links, directed=False)[1], np.int64)

    def require_connected(self, nodes: Ints) -> None:
        """Check that the nodes can be reached from each other.

        Raises
        ------
        InputError
            Naming the nodes outside the part of the network that holds most of them.
        """
        part = self.components()[nodes]
        parts, size = np.unique(part, return_counts=True)
        if parts.size == 1:
            return
        outside = self.node_ids[nodes[part != parts[np.argmax(size)]]]
        raise InputError(
            "The network is in pieces: {count} of {total} nodes to connect cannot be reached "
            "from the others ({nodes}); they lie in {parts} separate parts",
            count=outside.size,
            total=nodes.size,
            nodes=named(outside),
            parts=parts.size,
        )

    def to_cost(self, whole: int) -> float:
        """Return a sum of whole costs in the unit that was given; exact."""
        return float(whole) * self.unit

    def checked_tree_cost(self, edges: Ints, nodes: Ints) -> float:
        """Return the cost of a tree after checking it.

        Parameters
        ----------
        edges
            Indices of the edges.
        nodes
            Nodes that the tree must hold.

        Returns
        -------
        float
            The sum of the costs as given, rounded once.

        Raises
        ------
        RuntimeError
            If the edges are no tree over the nodes: a fault of this program.
        """
        parent: dict[int, int] = {}

        def top(node: int) -> int:
            while parent.setdefault(node, node) != node:
                parent[node] = parent[parent[node]]
                node = parent[node]
            return node

        for e in edges.tolist():
            a, b = top(int(self.tail[e])), top(int(self.head[e]))
            if a == b:
                raise RuntimeError("the edges found contain a cycle")
            parent[a] = b
        if len({top(node) for node in [*parent, *nodes.tolist()]}) != 1:
            raise RuntimeError("the edges found do not connect the nodes")
        return math.fsum(self.cost[edges].tolist())


def _unit_of(cost: NDArray[np.float64]) -> float:
    """Return the power of two that costs are counted in: 1 for whole numbers."""
    with np.errstate(over="ignore"):
        total = float(cost.sum())
    if bool(np.all(cost == np.floor(cost))) and total < _MOST:
        return 1.0
    if not math.isfinite(total):
        raise InputError("The costs are too large to be added")
    return math.ldexp(1.0, max(math.frexp(total)[1] - 52, -1000))


def named(nodes: Ints) -> str:
    """Return the first few nodes as text."""
    text = ", ".join(str(int(node)) for node in nodes[:_NAMED])
    return text + (", …" if nodes.size > _NAMED else "")


# ----------------------------------------------------------------------------------------
# Search


class OutOfTimeError(Exception):
    """The time limit is reached; raised between units of work."""


class Clock:
    """Time limit and progress of a search.

    Parameters
    ----------
    limit_s
        Time from now. [s]
    on_progress
        As for `steiner_tree`.
    """

    def __init__(self, limit_s: float, on_progress: Callable[[float], None]) -> None:
        self._start_s = time.monotonic()
        self._limit_s = limit_s
        self._on_progress = on_progress
        self._done = 0.0

    def tick(self, done: float | None = None) -> None:
        """Report progress; raise `OutOfTimeError` after the time limit."""
        spent_s = time.monotonic() - self._start_s
        by_time = spent_s / self._limit_s if self._limit_s > 0.0 else 1.0
        self._done = min(max(self._done, done or 0.0, by_time), 0.999)
        self._on_progress(self._done)
        if spent_s >= self._limit_s:
            raise OutOfTimeError


@dataclass(frozen=True)
class Graph:
    """A graph as the kernels want it."""

    tail: Ints
    head: Ints
    cost: Ints
    is_terminal: Mask
    first: Ints
    neighbour: Ints
    edge: Ints

    @staticmethod
    def of(tail: Ints, head: Ints, cost: Ints, is_terminal: Mask) -> Graph:
        """Build the adjacency of a list of edges."""
        first = np.empty(is_terminal.size + 1, np.int64)
        neighbour = np.empty(2 * tail.size, np.int64)
        edge = np.empty(2 * tail.size, np.int64)
        kernels.build_adjacency(tail, head, first, neighbour, edge)
        return Graph(tail, head, cost, is_terminal, first, neighbour, edge)

    @property
    def n(self) -> int:
        """Number of nodes."""
        return int(self.is_terminal.size)

    @property
    def m(self) -> int:
        """Number of edges."""
        return int(self.tail.size)

    @property
    def slots(self) -> tuple[Ints, Ints, Ints]:
        """Where each node's half-edges begin, and their nodes and edges."""
        return self.first, self.neighbour, self.edge


@dataclass(frozen=True)
class Layer:
    """How the edges of a reduced graph are made of those of the graph before."""

    m: int
    left: Ints
    right: Ints
    kept: Ints
    fixed: Ints
    fixed_cost: int

    def expand(self, edges: Ints) -> Ints:
        """Return the edges before that make up these ones and the fixed ones."""
        found = np.concatenate([self.kept[edges], self.fixed])
        parts = []
        while found.size:
            parts.append(found[found < self.m])
            made = found[found >= self.m] - self.m
            found = np.concatenate([self.left[made], self.right[made]])
        return np.concatenate(parts) if parts else found

    def project(self, edges: Ints) -> Ints:
        """Return the reduced edges all of whose parts are among `edges`."""
        chosen = np.zeros(self.m + self.left.size, np.uint8)
        chosen[edges] = 1
        pad = np.full(self.m, -1, np.int64)
        kernels.project(
            np.concatenate([pad, self.left]),
            np.concatenate([pad, self.right]),
            self.m,
            chosen.size,
            chosen,
        )
        return np.flatnonzero(chosen[self.kept])


def shrink(
    graph: Graph, useless: Mask, base: Ints, distance: Ints, *, may_fix: bool
) -> tuple[Layer, Graph, Ints]:
    """Simplify a graph without its useless edges.

    Parameters
    ----------
    graph, useless
        The graph, and a mark of each edge that can go.
    base, distance
        Nearest terminal of each node and the distance to it; -1 for unknown.
    may_fix
        Whether all terminals must be connected, so that some edges are sure.

    Returns
    -------
    tuple
        How to expand trees again, the smaller graph, and the number of each node in
        it, or -1.
    """
    n, m = graph.n, graph.m
    ends = np.zeros(2 * (m + n), np.int64)
    ends[0 : 2 * m : 2] = graph.tail
    ends[1 : 2 * m : 2] = graph.head
    cost = np.zeros(m + n, np.int64)
    cost[:m] = graph.cost
    left = np.full(m + n, -1, np.int64)
    right = np.full(m + n, -1, np.int64)
    alive = np.zeros(m + n, np.uint8)
    alive[:m] = useless == 0
    is_terminal = graph.is_terminal.copy()
    fixed = np.empty(n, np.int64)
    used, fixed_count = kernels.contract(
        n, m, ends, cost, left, right, alive, is_terminal, base, distance, may_fix, fixed
    )
    kept = np.flatnonzero(alive)
    fixed = fixed[:fixed_count].copy()
    layer = Layer(m, left[m:used].copy(), right[m:used].copy(), kept, fixed, int(cost[fixed].sum()))
    tail, head = ends[2 * kept], ends[2 * kept + 1]
    stays = is_terminal != 0
    stays[tail] = stays[head] = True
    number = np.where(stays, np.cumsum(stays) - 1, -1)
    smaller = Graph.of(number[tail], number[head], cost[kept], is_terminal[stays])
    return layer, smaller, number


class _Dual:
    """Cuts that each must be crossed, raised so that no arc is overpaid.

    Parameters
    ----------
    root
        Where every path is to start from.
    slack
        What is left of the cost of each arc; per slot.
    bound
        The sum of the rises: what any tree costs at least.
    room
        Arcs of cuts that are remembered, per edge.
    """

    def __init__(self, graph: Graph, root: int, room: int) -> None:
        self.root = root
        self.slack: Ints = graph.cost[graph.edge]
        self.bound = 0
        count = min(room, 8) * graph.m
        self.raised = np.zeros(count, np.int64)
        self.cut_first = np.zeros(count + 1, np.int64)
        self.cut_arc = np.empty(min(room * graph.m, _MOST_ARCS), np.int64)
        self.cuts = 0

    @property
    def cut_arrays(self) -> tuple[Ints, Ints, Ints, Ints]:
        return self.slack, self.raised, self.cut_first, self.cut_arc

    @staticmethod
    def ascended(graph: Graph, root: int, guide: Mask | None, room: int) -> _Dual:
        """Return the result of a dual ascent, guided by a tree if one is given."""
        dual = _Dual(graph, root, room)
        arcs = np.zeros(2 * graph.m, np.uint8) if guide is None else guide
        dual.bound, dual.cuts = kernels.dual_ascent(
            graph.first, graph.neighbour, graph.is_terminal, root, arcs, *dual.cut_arrays, 0
        )
        return dual

    def adjust(
        self,
        graph: Graph,
        guide: Mask,
        *,
        centre: int,
        reach: int,
        chance: NDArray[np.float64],
        noise: float,
    ) -> None:
        """Take cuts back around a node and ascend anew, unless the bound would fall."""
        rise, self.cuts = kernels.adjust_cuts(
            graph.first,
            graph.neighbour,
            graph.is_terminal,
            self.root,
            guide,
            centre,
            reach,
            chance,
            noise,
            *self.cut_arrays,
            self.cuts,
        )
        self.bound += rise
        full = self.cut_first[self.cuts] > 0.8 * self.cut_arc.size
        if full or self.cuts > 0.8 * self.raised.size:
            self.cuts = kernels.pack_cuts(self.raised, self.cut_first, self.cut_arc, self.cuts)


class _Search:
    """The state of a search: the graph as reduced so far, the best tree, the bound.

    Parameters
    ----------
    graph
        A connected graph with at least two terminals.
    clock
        Asked between units of work.
    """

    def __init__(self, graph: Graph, clock: Clock | None) -> None:
        self.graph = graph
        self.clock = clock
        self.layers: list[Layer] = []
        self.offset = 0
        self.upper: int = 2**62
        self.lower = 0
        self.best: Ints = np.empty(0, np.int64)  # edges of the graph given
        self.random = np.random.default_rng(_SEED)
        self.useless: Mask = np.zeros(graph.m, np.uint8)
        self.roots_used: list[int] = []
        self.dual: _Dual | None = None
        self.joins_trees = clock is not None

    @property
    def solved(self) -> bool:
        """Whether the best tree is proven to be the cheapest."""
        return self.lower >= self.upper

    def tick(self, done: float | None = None) -> None:
        if self.clock is not None:
            self.clock.tick(done)

    # -- trees

    def offer(self, in_tree: Mask, cost: int) -> bool:
        """Keep a tree of the reduced graph if it is the cheapest so far."""
        if cost < 0 or cost + self.offset >= self.upper:
            return False
        self.upper = cost + self.offset
        edges = np.flatnonzero(in_tree)
        for layer in reversed(self.layers):
            edges = layer.expand(edges)
        self.best = edges
        return True

    def best_here(self) -> Ints:
        """Return the edges of the best tree that the reduced graph still has."""
        edges = self.best
        for layer in self.layers:
            edges = layer.project(edges)
        return edges

    def grow(self, choice_cost: Ints, root: int, rounds: int = 50) -> tuple[Mask, int]:
        """Grow a tree by one set of costs, improve it by the true ones; offer it."""
        g = self.graph
        in_nodes = np.zeros(g.n, np.uint8)
        in_tree = np.zeros(g.m, np.uint8)
        if kernels.shortest_path_tree(*g.slots, choice_cost, g.is_terminal, root, in_nodes):
            return in_tree, -1
        total = kernels.improve(
            *g.slots, g.tail, g.head, g.cost, g.is_terminal, in_tree, in_nodes, rounds
        )
        self.offer(in_tree, total)
        return in_tree, total

    # -- bounds

    def ascend(self, root: int, *, guided: bool) -> None:
        """Raise the bound from a root, mark useless edges, grow a tree in what is tight."""
        dual = _Dual.ascended(self.graph, root, self.guide(root) if guided else None, room=0)
        self.learn_from(dual)

    def guide(self, root: int) -> Mask:
        """Return the arcs of the best tree, away from the root."""
        g = self.graph
        in_tree = np.zeros(g.m, np.uint8)
        in_tree[self.best_here()] = 1
        guide = np.empty(2 * g.m, np.uint8)
        kernels.arcs_from(*g.slots, in_tree, root, guide)
        return guide

    def learn_from(self, dual: _Dual) -> None:
        """Take a dual solution's bound, tree and useless edges."""
        g = self.graph
        self.raise_lower(dual.bound)
        tight = np.empty(g.m, np.uint8)
        kernels.saturated_edges(*g.slots, dual.slack, dual.root, tight, np.empty(g.n, np.uint8))
        in_tree, total = self.grow(np.where(tight != 0, g.cost, -1), dual.root)
        if total >= 0 and self.joins_trees:
            self.recombine([in_tree])
        room = self.upper - self.offset - dual.bound
        if room > 0:
            kernels.useless_edges(
                *g.slots, dual.slack, g.is_terminal, dual.root, room, self.useless
            )

    def adjust(self, times: int) -> None:
        """Improve one dual solution here and there, keeping every rise of the bound."""
        g = self.graph
        if self.dual is None:
            root = self.pick_root()
            self.dual = _Dual.ascended(g, root, self.guide(root), room=100)
        guide = self.guide(self.dual.root)
        most = min(1500, max(g.n // 2, 2))
        for _ in range(times):
            self.dual.adjust(
                g,
                guide,
                centre=int(self.random.integers(g.n)),
                reach=int(self.random.integers(most // 4, most + 1)),
                chance=self.random.random(509),
                noise=float(self.random.choice([0.05, 0.2, 0.5, 0.8])),
            )
            self.tick()
        self.learn_from(self.dual)

    def raise_lower(self, bound: int) -> None:
        # Edges were taken out that only trees as dear as the best one could hold.
        self.lower = max(self.lower, min(bound + self.offset, self.upper))

    # -- reductions

    def reduce(self, effort: int) -> bool:
        """Take out useless edges and simplify; say whether the graph became smaller."""
        g = self.graph
        base = np.empty(g.n, np.int64)
        distance = np.empty(g.n, np.int64)
        via = np.empty(g.n, np.int64)
        kernels.voronoi(*g.slots, g.cost, g.is_terminal, kernels.FAR - 1, base, distance, via)
        if effort:
            kernels.long_edges(
                *g.slots,
                g.tail,
                g.head,
                g.cost,
                g.is_terminal,
                base,
                distance,
                effort,
                self.useless,
            )
        layer, smaller, _ = shrink(g, self.useless, base, distance, may_fix=True)
        self.layers.append(layer)
        self.offset += layer.fixed_cost
        self.graph = smaller
        self.useless = np.zeros(smaller.m, np.uint8)
        self.roots_used = []
        self.dual = None
        return smaller.m < g.m

    def settle(self) -> bool:
        """Close the search if the reduced graph leaves nothing to choose."""
        g = self.graph
        if int(g.is_terminal.sum()) <= 1:
            self.offer(np.zeros(g.m, np.uint8), 0)
            # Either this tree is the cheapest, or the best one found before.
            self.lower = self.upper
            return True
        if self.upper < 2**62 and not self._connected():
            self.lower = self.upper
            return True
        return self.solved

    def _connected(self) -> bool:
        g = self.graph
        in_nodes = np.zeros(g.n, np.uint8)
        root = int(np.argmax(g.is_terminal))
        return not kernels.shortest_path_tree(*g.slots, g.cost, g.is_terminal, root, in_nodes)

    def simplify(self, effort: int) -> bool:
        """Reduce until little changes; say whether the search is closed."""
        while True:
            before = self.graph.m
            self.reduce(effort)
            if self.settle():
                return True
            if self.graph.m > 0.97 * before:
                return False
            self.tick()

    # -- search

    def pick_root(self) -> int:
        """Return a terminal that has not been a root of the ascent yet, if there is one."""
        terminals = np.flatnonzero(self.graph.is_terminal)
        fresh = np.setdiff1d(terminals, self.roots_used)
        root = int(self.random.choice(fresh if fresh.size else terminals))
        self.roots_used.append(root)
        return root

    def run(self, ascents: int, variations: int, effort: int) -> None:
        """Search in rounds: bounds from several roots, varied trees, a better dual.

        Parameters
        ----------
        ascents
            Rounds of three dual ascents each, at most.
        variations
            Varied trees in each round; 0 for a quick search.
        effort
            Steps of each search for ways round an edge; 0 for none.
        """
        if self.simplify(effort):
            return
        first_root = int(np.argmax(self.graph.is_terminal))
        self.grow(self.graph.cost, first_root)
        self.ascend(first_root, guided=False)
        stale = 0
        for number in range(ascents):
            if self.solved:
                return
            self.tick(number / ascents)
            before = self.upper, self.lower, self.graph.m
            for turn in range(3):
                self.ascend(self.pick_root(), guided=turn != number % 3)
                if self.solved:
                    return
                self.tick()
            # A new tree as a whole rarely wins on a large graph.
            for _ in range(min(variations, 1 + 160_000 // self.graph.m)):
                self.vary()
                self.tick()
            if variations:
                # A step is local, so a large graph needs more of them.
                self.adjust(int(np.clip(self.graph.m // 150, 60, 300)))
            removed = int(np.count_nonzero(self.useless))
            if removed > 0.02 * self.graph.m and self.simplify(effort):
                return
            same = (self.upper, self.lower) == before[:2] and self.graph.m > 0.98 * before[2]
            stale = stale + 1 if same else 0
            if stale >= 4:
                return

    def vary(self) -> None:
        """Make a tree by shaken costs, and join it with the best one."""
        g = self.graph
        shake = self.random.integers(64, 64 + int(self.random.integers(4, 40)), g.m)
        choice_cost = g.cost * shake
        mine = self.best_here()
        if self.random.random() < 0.5:
            choice_cost[mine] = choice_cost[mine] * 3 // 4
        root = int(self.random.choice(np.flatnonzero(g.is_terminal)))
        in_tree, total = self.grow(choice_cost, root, rounds=6)
        if total >= 0:
            self.recombine([in_tree])

    def recombine(self, trees: list[Mask]) -> None:
        """Find the best tree within the union of trees and the best one."""
        g = self.graph
        union = np.zeros(g.m, np.uint8)
        for tree in trees:
            union |= tree
        mine = self.best_here()
        union[mine] = 1
        edges = np.flatnonzero(union)
        part = _Search(Graph.of(g.tail[edges], g.head[edges], g.cost[edges], g.is_terminal), None)
        part.run(ascents=2, variations=0, effort=30)
        if part.upper + self.offset < self.upper:
            in_nodes = np.zeros(g.n, np.uint8)
            chosen = edges[part.best]
            in_nodes[g.tail[chosen]] = in_nodes[g.head[chosen]] = 1
            in_tree = np.zeros(g.m, np.uint8)
            total = kernels.improve(
                *g.slots, g.tail, g.head, g.cost, g.is_terminal, in_tree, in_nodes, 20
            )
            self.offer(in_tree, total)


def solve(network: Network, is_terminal: Mask, clock: Clock) -> tuple[Ints, int]:
    """Search for the cheapest tree.

    Parameters
    ----------
    network
        Connected as far as the terminals are concerned.
    is_terminal
        Mark of each node; at least two are set.
    clock
        Time limit.

    Returns
    -------
    tuple
        Edges of the tree (indices into the network's arrays) and a lower bound of the
        sum of the whole costs.
    """
    search = _Search(Graph.of(network.tail, network.head, network.whole, is_terminal), clock)
    try:
        search.run(ascents=rounds_for(network.tail.size), variations=8, effort=200)
    except OutOfTimeError:
        if search.upper == 2**62 or search.lower == 0:
            search.clock = None
            search.run(ascents=0, variations=0, effort=0)
    return search.best, search.lower


def rounds_for(edges: int) -> int:
    """Return how many rounds of search a network of this size gets at most."""
    return int(np.clip(600_000 // max(edges, 1), 12, 60))


@functools.cache
def warm_up() -> None:
    """Compile, or load, the kernels by a small example, outside of any time limit."""
    size = 5
    node = np.arange(size * size).reshape(size, size)
    tail = np.concatenate([node[:, :-1].ravel(), node[:-1, :].ravel()])
    head = np.concatenate([node[:, 1:].ravel(), node[1:, :].ravel()])
    cost = (tail * 7 + head * 5) % 11 + 3
    is_terminal = np.zeros(size * size, np.uint8)
    is_terminal[[0, 4, 7, 11, 15, 18, 24]] = 1
    search = _Search(Graph.of(tail, head, cost, is_terminal), None)
    # Without reductions first, so that every kernel is met.
    search.grow(cost, 0)
    search.ascend(0, guided=False)
    search.adjust(2)
    search.vary()
    search.run(ascents=1, variations=1, effort=10)
