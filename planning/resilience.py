"""What fails when one thing fails, how often sites are served, and what to protect first.

A network is two arrays of nodes, `tail` and `head`, one entry per edge; edges have no
direction, and loops and parallel edges are allowed. Roots are the nodes that serve
(data centres, hubs): a node is served while it reaches any root. A risk group is a set
of edges that fail together: the links in one duct, or of one provider.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.special
from numpy.typing import ArrayLike, NDArray

from data.errors import InputError
from planning import reliability
from planning.kernels import resilience as kernels
from planning.steiner import whole_numbers

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: A year has this many hours. [h]
HOURS_PER_YEAR = 8760.0

#: Exact figures are not tried for a two-connected part of more edges than this.
_MOST_EDGES = 300

#: States that a single node may use up of the limit, as a share.
_SHARE_OF_STATES = 0.1

#: Samples between two reports of progress.
_CHUNK = 500


# ----------------------------------------------------------------------------------------
# Input


def checked_ends(n_nodes: int, tail: ArrayLike, head: ArrayLike) -> tuple[Ints, Ints]:
    """Return the ends of the edges as whole numbers below `n_nodes`.

    Raises
    ------
    InputError
        If the arrays do not fit together or name a node that is not there.
    """
    if n_nodes < 0:
        raise InputError("n_nodes is {value}, expected a whole number from 0", value=n_nodes)
    ends = whole_numbers(tail, "tail"), whole_numbers(head, "head")
    if ends[0].size != ends[1].size:
        raise InputError(
            "tail and head have {tail} and {head} entries, expected as many each",
            tail=ends[0].size,
            head=ends[1].size,
        )
    for name, nodes in zip(("tail", "head"), ends, strict=True):
        _require_below(nodes, n_nodes, name)
    return ends


def checked_nodes(nodes: ArrayLike, n_nodes: int, name: str) -> Ints:
    """Return nodes as whole numbers below `n_nodes`, each once, ascending.

    Raises
    ------
    InputError
        If a node is not there.
    """
    numbers = whole_numbers(nodes, name)
    _require_below(numbers, n_nodes, name)
    return np.unique(numbers)


def checked_roots(roots: ArrayLike, n_nodes: int) -> Ints:
    """Return the roots, each once, ascending; raise `InputError` if there is none."""
    numbers = checked_nodes(roots, n_nodes, "roots")
    if numbers.size == 0:
        raise InputError("No root is given: at least one node that serves the others is needed")
    return numbers


def checked_groups(groups: Mapping[str, ArrayLike], n_edges: int) -> dict[str, Ints]:
    """Return the risk groups with each edge once, ascending.

    Raises
    ------
    InputError
        If a group names an edge that is not there.
    """
    checked = {}
    for name, edges in groups.items():
        numbers = whole_numbers(edges, "groups")
        if numbers.size and numbers.max() >= n_edges:
            raise InputError(
                "Risk group {name}: edge {value} is not there, expected 0 to {last}",
                name=name,
                value=int(numbers.max()),
                last=n_edges - 1,
            )
        checked[name] = np.unique(numbers)
    return checked


def per_item(
    values: ArrayLike, count: int, name: str, *, most: float = np.inf, missing: bool = False
) -> Floats:
    """Return one number per item, from 0 to `most`; a single number counts for all.

    Parameters
    ----------
    values
        A number or an array, shape (count,).
    name
        What messages call it.
    most
        Greatest value allowed.
    missing
        Whether NaN is allowed.

    Raises
    ------
    InputError
        If the number of entries or a value is wrong.
    """
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("{name} holds values that are not numbers", name=name) from error
    if numbers.ndim == 0:
        numbers = np.full(count, float(numbers))
    if numbers.shape != (count,):
        raise InputError(
            "{name} has {found} entries, expected {count}",
            name=name,
            found=numbers.size,
            count=count,
        )
    good = (numbers >= 0.0) & (numbers <= most)
    if missing:
        good |= np.isnan(numbers)
    if not bool(good.all()):
        at = int(np.argmin(good))
        if np.isfinite(most):
            raise InputError(
                "{name}, entry {index}: {value}, expected a number from 0 to {most}",
                name=name,
                index=at,
                value=float(numbers[at]),
                most=most,
            )
        raise InputError(
            "{name}, entry {index}: {value}, expected a number from 0",
            name=name,
            index=at,
            value=float(numbers[at]),
        )
    return numbers


def _group_shares(given: Mapping[str, float], names: Sequence[str]) -> Floats:
    """Return the availability of each risk group, checked."""
    for name in names:
        if not 0.0 <= given[name] <= 1.0:
            raise InputError(
                "Risk group {name}: availability {value}, expected a number from 0 to 1",
                name=name,
                value=given[name],
            )
    return np.array([given[name] for name in names], np.float64)


def _require_below(nodes: Ints, n_nodes: int, name: str) -> None:
    if nodes.size and nodes.max() >= n_nodes:
        at = int(np.argmax(nodes))
        raise InputError(
            "{name}, entry {index}: node {value} is not there, the network has {count} nodes",
            name=name,
            index=at,
            value=int(nodes[at]),
            count=n_nodes,
        )


def half_edges(n_nodes: int, tail: Ints, head: Ints) -> tuple[Ints, Ints, Ints]:
    """Return `first`, `neighbour` and `edge` of every node's half-edges, loops left out."""
    real = np.flatnonzero(tail != head)
    start = np.concatenate([tail[real], head[real]])
    order = np.argsort(start, kind="stable")
    first = np.zeros(n_nodes + 1, np.int64)
    np.cumsum(np.bincount(start, minlength=n_nodes), out=first[1:])
    neighbour = np.concatenate([head[real], tail[real]])[order]
    return first, neighbour, np.concatenate([real, real])[order].astype(np.int64)


def _packed(groups: Mapping[str, Ints]) -> tuple[Ints, Ints]:
    """Return the groups as one array and where each starts in it."""
    first = np.zeros(len(groups) + 1, np.int64)
    np.cumsum([edges.size for edges in groups.values()], out=first[1:])
    return first, np.concatenate([np.empty(0, np.int64), *groups.values()])


@dataclass(frozen=True)
class _Rooted:
    """A network with one more node, number `n_nodes`, from which all roots hang.

    Parameters
    ----------
    first, neighbour, edge
        Half-edges; edges from number `n_edges` lead to the roots and do not fail.
    order
        Nodes in the order of a depth-first search from the additional node, that
        node included.
    place
        Where each node stands in `order`; -1: no way to a root.
    size, low, parent, parent_edge
        As in `kernels.depth_first`.
    """

    n_nodes: int
    n_edges: int
    n_roots: int
    first: Ints
    neighbour: Ints
    edge: Ints
    order: Ints
    place: Ints
    size: Ints
    low: Ints
    parent: Ints
    parent_edge: Ints

    @staticmethod
    def of(n_nodes: int, tail: Ints, head: Ints, roots: Ints) -> _Rooted:
        top = np.full(roots.size, n_nodes, np.int64)
        slots = half_edges(n_nodes + 1, np.concatenate([tail, top]), np.concatenate([head, roots]))
        arrays = [np.zeros(n_nodes + 1, np.int64) for _ in range(6)]
        reached = kernels.depth_first(*slots, n_nodes, *arrays)
        arrays[0] = arrays[0][:reached]
        return _Rooted(n_nodes, tail.size, roots.size, *slots, *arrays)

    @property
    def slots(self) -> tuple[Ints, Ints, Ints]:
        return self.first, self.neighbour, self.edge

    def shallow_tree(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Return the tree of a breadth-first search; see the kernel."""
        order, place, size = (np.zeros(self.n_nodes + 1, np.int64) for _ in range(3))
        child = np.empty(self.n_edges + self.n_roots, np.int64)
        kernels.shallow_tree(*self.slots, self.n_nodes, order, place, size, child)
        return order, place, size, child

    def seen_without(self, *, edges: Ints, nodes: Ints) -> Bools:
        """Return which nodes reach a root while edges and nodes are down."""
        edge_down = np.zeros(self.n_edges + self.n_roots, np.uint8)
        edge_down[edges] = 1
        node_down = np.zeros(self.n_nodes + 1, np.uint8)
        node_down[nodes] = 1
        seen = np.empty(self.n_nodes + 1, np.uint8)
        stack = np.empty(self.n_nodes + 1, np.int64)
        kernels.reach(*self.slots, self.n_nodes, edge_down, node_down, seen, stack)
        return seen[: self.n_nodes] != 0


# ----------------------------------------------------------------------------------------
# Single failures


@dataclass(frozen=True)
class Losses:
    """A figure of what each single failure cuts off: nodes, or the sum of their weights.

    Parameters
    ----------
    edge, node
        Shape (edges,) and (nodes,).
    group
        By name of the risk group.
    """

    edge: Floats
    node: Floats
    group: dict[str, float]


@dataclass(frozen=True)
class Failures:
    """Which nodes lose every root when one edge, node or risk group fails.

    A node that fails is down itself, and not counted among those it cuts off. Nodes
    that no root serves even when all is up (`unserved`) are never counted as lost.

    Parameters
    ----------
    groups
        Risk groups as given, each edge once.
    unserved
        Nodes that have no way to a root, shape (nodes,).
    edge_count, node_count
        How many nodes each failure cuts off.
    group_count
        The same by name of the risk group.
    """

    groups: dict[str, Ints]
    unserved: Bools
    edge_count: Ints
    node_count: Ints
    group_count: dict[str, int]
    _network: _Rooted
    _edge_span: Ints  # (edges, 2): what is lost, as a stretch of the search order
    _node_first: Ints
    _node_span: Ints

    def lost_by_edge(self, edge: int) -> Ints:
        """Return the nodes that lose every root when an edge fails, ascending."""
        self._require_edge(edge)
        start, stop = self._edge_span[edge]
        return np.sort(self._network.order[start:stop])

    def lost_by_node(self, node: int) -> Ints:
        """Return the other nodes that lose every root when a node fails, ascending."""
        if not 0 <= node < self.node_count.size:
            raise InputError(
                "Node {value} is not there, expected 0 to {last}",
                value=node,
                last=self.node_count.size - 1,
            )
        spans = self._node_span[self._node_first[node] : self._node_first[node + 1]]
        parts = [self._network.order[start:stop] for start, stop in spans.tolist()]
        return np.sort(np.concatenate([np.empty(0, np.int64), *parts]))

    def lost_by_group(self, name: str) -> Ints:
        """Return the nodes that lose every root when a risk group fails, ascending."""
        if name not in self.groups:
            raise InputError("There is no risk group {name}", name=name)
        return self.lost_by(edges=self.groups[name])

    def lost_by(self, *, edges: ArrayLike = (), nodes: ArrayLike = ()) -> Ints:
        """Return the other nodes that lose every root when all of these fail at once.

        Raises
        ------
        InputError
            If an edge or node is not there.
        """
        down = checked_nodes(nodes, self.unserved.size, "nodes")
        cut = whole_numbers(edges, "edges")
        for edge in (cut.min(initial=0), cut.max(initial=0)) if cut.size else ():
            self._require_edge(int(edge))
        lost = ~self._network.seen_without(edges=cut, nodes=down) & ~self.unserved
        lost[down] = False
        return np.flatnonzero(lost).astype(np.int64)

    def weights(self, weight: ArrayLike) -> Losses:
        """Return the sum of the weights of the nodes that each failure cuts off.

        Parameters
        ----------
        weight
            One number from 0 per node, in any unit: bandwidth, criticality, people.

        Raises
        ------
        InputError
            If the number of entries is wrong, or a weight is negative.
        """
        n_nodes = self.unserved.size
        each = np.append(per_item(weight, n_nodes, "weight"), 0.0)
        total = np.concatenate([[0.0], np.cumsum(each[self._network.order])])
        edge = total[self._edge_span[:, 1]] - total[self._edge_span[:, 0]]
        per_span = total[self._node_span[:, 1]] - total[self._node_span[:, 0]]
        owner = np.repeat(np.arange(n_nodes), np.diff(self._node_first))
        node = np.bincount(owner, per_span, minlength=n_nodes)
        # Differences of sums: what cuts nothing off must be an exact 0.
        edge[self.edge_count == 0] = 0.0
        _, by_group, _ = _group_losses(self._network, self.groups, each)
        group = dict(zip(self.groups, by_group.tolist(), strict=True))
        return Losses(np.maximum(edge, 0.0), np.maximum(node, 0.0), group)

    def _require_edge(self, edge: int) -> None:
        if not 0 <= edge < self.edge_count.size:
            raise InputError(
                "Edge {value} is not there, expected 0 to {last}",
                value=edge,
                last=self.edge_count.size - 1,
            )


def single_failures(
    n_nodes: int,
    tail: ArrayLike,
    head: ArrayLike,
    roots: ArrayLike,
    *,
    groups: Mapping[str, ArrayLike] | None = None,
) -> Failures:
    """Find what every single failure of an edge, a node or a risk group cuts off.

    Edges and nodes come from one depth-first search (time linear in the network); for a
    risk group, only what lies below its edges in a shallow spanning tree is searched.

    Parameters
    ----------
    n_nodes
        Number of nodes.
    tail, head
        Ends of the edges, shape (edges,).
    roots
        Nodes that serve, at least one.
    groups
        Edges (positions) that fail together, by name.

    Returns
    -------
    Failures
        Counts for every failure, and which nodes on demand.

    Raises
    ------
    InputError
        If an array does not fit, a node or edge is not there, or there is no root.

    References
    ----------
    R. E. Tarjan, Depth-first search and linear graph algorithms, SIAM Journal on
    Computing 1, 1972.

    Examples
    --------
    A hub (0), a ring 0-1-2 and a site 3 behind node 2:

    >>> failures = single_failures(4, [0, 1, 2, 2], [1, 2, 0, 3], [0])
    >>> failures.edge_count.tolist(), failures.lost_by_node(2).tolist()
    ([0, 0, 0, 1], [3])
    """
    tail, head = checked_ends(n_nodes, tail, head)
    roots = checked_roots(roots, n_nodes)
    checked = checked_groups(groups or {}, tail.size)
    network = _Rooted.of(n_nodes, tail, head, roots)
    place, size, low, parent = network.place, network.size, network.low, network.parent
    below = network.order[1:]  # every node but the additional one
    above = parent[below]
    via = network.parent_edge[below]

    edge_span = np.zeros((tail.size, 2), np.int64)
    bridge = (low[below] > place[above]) & (via < tail.size)
    edge_span[via[bridge], 0] = place[below[bridge]]
    edge_span[via[bridge], 1] = place[below[bridge]] + size[below[bridge]]

    cut = (low[below] >= place[above]) & (above < n_nodes)
    order = np.argsort(above[cut], kind="stable")
    lost = below[cut][order]
    node_first = np.zeros(n_nodes + 1, np.int64)
    np.cumsum(np.bincount(above[cut], minlength=n_nodes), out=node_first[1:])
    node_span = np.column_stack([place[lost], place[lost] + size[lost]])
    node_count = np.bincount(above[cut][order], size[lost], minlength=n_nodes).astype(np.int64)

    count, _, _ = _group_losses(network, checked, np.zeros(n_nodes + 1))
    return Failures(
        checked,
        place[:n_nodes] < 0,
        edge_span[:, 1] - edge_span[:, 0],
        node_count,
        dict(zip(checked, count.tolist(), strict=True)),
        network,
        edge_span,
        node_first,
        node_span,
    )


def _group_losses(
    network: _Rooted, groups: Mapping[str, Ints], weight: Floats
) -> tuple[Ints, Floats, Bools]:
    """Return nodes lost and their weight per group, and the nodes that any group cuts off."""
    first, edges = _packed(groups)
    count = np.zeros(len(groups), np.int64)
    weighed = np.zeros(len(groups))
    ever = np.zeros(network.n_nodes + 1, np.uint8)
    kernels.group_losses(
        *network.slots,
        *network.shallow_tree(),
        first,
        edges,
        weight,
        count,
        weighed,
        ever,
    )
    return count, weighed, ever[: network.n_nodes] != 0


@dataclass(frozen=True)
class Protection:
    """Which nodes stay served whatever single thing fails; masks of shape (nodes,).

    Parameters
    ----------
    served
        Nodes that reach a root when all is up.
    edge
        No single edge cuts the node off: it has two ways to roots without a common edge.
    node
        No other single node, roots aside, cuts it off: two ways without a common node
        but its own and a root.
    root
        No single root cuts it off: it reaches two roots, or is a root itself.
    group
        No single risk group cuts it off.
    """

    served: Bools
    edge: Bools
    node: Bools
    root: Bools
    group: Bools


def protected(
    n_nodes: int,
    tail: ArrayLike,
    head: ArrayLike,
    roots: ArrayLike,
    *,
    groups: Mapping[str, ArrayLike] | None = None,
) -> Protection:
    """Find which nodes survive every single failure of a kind.

    Parameters
    ----------
    n_nodes, tail, head, roots, groups
        As for `single_failures`.

    Returns
    -------
    Protection
        A mask per kind of failure.

    Raises
    ------
    InputError
        As `single_failures` does.

    Examples
    --------
    A ring whose two links at node 2 lie in one duct:

    >>> ring = protected(3, [0, 1, 2], [1, 2, 0], [0], groups={"duct": [1, 2]})
    >>> ring.edge.tolist(), ring.group.tolist()
    ([True, True, True], [True, True, False])
    """
    failures = single_failures(n_nodes, tail, head, roots, groups=groups)
    network = failures._network
    served = ~failures.unserved
    is_root = np.zeros(n_nodes, bool)
    is_root[checked_roots(roots, n_nodes)] = True
    owner = np.repeat(np.arange(n_nodes), np.diff(failures._node_first))
    _, _, ever = _group_losses(network, failures.groups, np.zeros(n_nodes + 1))
    return Protection(
        served,
        served & ~_covered(network, failures._edge_span),
        served & ~_covered(network, failures._node_span[~is_root[owner]]),
        served & ~_covered(network, failures._node_span[is_root[owner]]),
        served & ~ever,
    )


def _covered(network: _Rooted, spans: Ints) -> Bools:
    """Return the nodes in any of these stretches of the search order."""
    count = network.order.size
    rise = np.zeros(count + 1, np.int64)
    np.add.at(rise, spans[:, 0], 1)
    np.add.at(rise, spans[:, 1], -1)
    covered = np.zeros(network.n_nodes + 1, bool)
    covered[network.order] = np.cumsum(rise[:-1]) > 0
    return covered[: network.n_nodes]


# ----------------------------------------------------------------------------------------
# Availability


@dataclass(frozen=True)
class Availability:
    """The share of time in which each node is up and reaches a root.

    Parameters
    ----------
    value, low, high
        Estimate and interval, shape (nodes,); all equal where `exact`.
    exact
        Whether the figure is computed; otherwise it is counted in random samples.
    samples
        Number of samples drawn; 0 where all is exact.
    confidence
        How surely an interval holds the true figure.
    """

    value: Floats
    low: Floats
    high: Floats
    exact: Bools
    samples: int
    confidence: float


@dataclass(frozen=True)
class JointAvailability:
    """The share of time in which all of a set of nodes are served.

    Parameters
    ----------
    value, low, high
        Estimate and interval; equal if `exact`.
    exact
        Whether the figure is computed; otherwise it is counted in random samples.
    samples
        Number of samples drawn.
    confidence
        How surely the interval holds the true figure.
    """

    value: float
    low: float
    high: float
    exact: bool
    samples: int
    confidence: float


@dataclass(frozen=True)
class _Chances:
    """The checked chances of everything to be up."""

    edge: Floats
    node: Floats
    names: list[str]
    groups: dict[str, Ints]
    group: Floats

    @staticmethod
    def of(
        n_nodes: int,
        n_edges: int,
        edge: ArrayLike,
        node: ArrayLike,
        groups: Mapping[str, ArrayLike] | None,
        group: Mapping[str, float] | None,
    ) -> _Chances:
        checked = checked_groups(groups or {}, n_edges)
        unknown = [name for name in group or {} if name not in checked]
        if unknown:
            raise InputError("There is no risk group {name}", name=unknown[0])
        given = group or {}
        names = [name for name in checked if name in given]
        return _Chances(
            per_item(edge, n_edges, "edge_availability", most=1.0),
            per_item(node, n_nodes, "node_availability", most=1.0),
            names,
            {name: checked[name] for name in names},
            _group_shares(given, names),
        )


def availability(
    n_nodes: int,
    tail: ArrayLike,
    head: ArrayLike,
    roots: ArrayLike,
    *,
    edge_availability: ArrayLike = 1.0,
    node_availability: ArrayLike = 1.0,
    groups: Mapping[str, ArrayLike] | None = None,
    group_availability: Mapping[str, float] | None = None,
    samples: int = 20_000,
    seed: int = 0,
    confidence: float = 0.95,
    state_limit: int = 20_000,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Availability:
    """Return the share of time in which each node is up and reaches a root that is up.

    Failures are independent but for the risk groups, which take all of their edges
    along. The network is split at its cut nodes; each part is reduced (series,
    parallel) and factored exactly; where that exceeds the limit of states, random
    samples are drawn and the interval of Clopper and Pearson is given.

    Parameters
    ----------
    n_nodes, tail, head, roots
        As for `single_failures`.
    edge_availability, node_availability
        Share of time in which each is up, 0 to 1; a single number counts for all.
    groups, group_availability
        Edges that fail together and the share of time in which that is not so, by name;
        groups without a figure do not fail.
    samples
        Random states to draw where the exact figure is too much work.
    seed
        The same seed gives the same figures.
    confidence
        Of the intervals, above 0 and below 1.
    state_limit
        States to look at for exact figures, all nodes together; 0: samples wherever there
        is more than one edge to choose from.
    on_progress
        Called with the fraction done; may raise `CancelledError`.

    Returns
    -------
    Availability
        Figures per node; 0 for nodes without a way to a root.

    Raises
    ------
    InputError
        If an array does not fit, a node or edge is not there, there is no root, or a
        share lies outside 0 to 1.

    References
    ----------
    C. J. Colbourn, The Combinatorics of Network Reliability, Oxford, 1987.
    C. J. Clopper, E. S. Pearson, The use of confidence or fiducial limits illustrated
    in the case of the binomial, Biometrika 26, 1934.

    Examples
    --------
    >>> ring = availability(3, [0, 1, 2], [1, 2, 0], [0], edge_availability=0.99)
    >>> ring.value.round(6).tolist()
    [1.0, 0.999801, 0.999801]
    """
    tail, head = checked_ends(n_nodes, tail, head)
    roots = checked_roots(roots, n_nodes)
    up = _Chances.of(
        n_nodes, tail.size, edge_availability, node_availability, groups, group_availability
    )
    _check_sampling(samples, confidence)
    network = _Rooted.of(n_nodes, tail, head, roots)
    ends = np.concatenate([tail, np.full(roots.size, n_nodes)]), np.concatenate([head, roots])
    value = _Exact(network, *ends, up, state_limit, on_progress).values()
    exact = ~np.isnan(value)
    if bool(exact.all()):
        on_progress(1.0)
        return Availability(value, value.copy(), value.copy(), exact, 0, confidence)
    served, _ = _sampled(network, up, samples, seed, np.empty(0, np.int64), on_progress)
    low, high = _clopper_pearson(served, samples, confidence)
    low = np.where(exact, value, low)
    high = np.where(exact, value, high)
    value = np.where(exact, value, served / samples)
    on_progress(1.0)
    return Availability(value, low, high, exact, samples, confidence)


def joint_availability(
    n_nodes: int,
    tail: ArrayLike,
    head: ArrayLike,
    roots: ArrayLike,
    nodes: ArrayLike,
    *,
    edge_availability: ArrayLike = 1.0,
    node_availability: ArrayLike = 1.0,
    groups: Mapping[str, ArrayLike] | None = None,
    group_availability: Mapping[str, float] | None = None,
    samples: int = 20_000,
    seed: int = 0,
    confidence: float = 0.95,
    state_limit: int = 5_000,
    on_progress: Callable[[float], None] = lambda _: None,
) -> JointAvailability:
    """Return the share of time in which all of these nodes are served (k-terminal).

    With a single root this is the chance that root and nodes are all up and connected.

    Parameters
    ----------
    nodes
        Nodes that must be served at the same time, at least one.
    n_nodes, tail, head, roots
        As for `single_failures`.
    edge_availability, node_availability, groups, group_availability, samples, seed
        As for `availability`.
    confidence, state_limit, on_progress
        As for `availability`.

    Returns
    -------
    JointAvailability
        Exact, or with an interval.

    Raises
    ------
    InputError
        As `availability` does, or if no node is given.
    """
    tail, head = checked_ends(n_nodes, tail, head)
    roots = checked_roots(roots, n_nodes)
    together = checked_nodes(nodes, n_nodes, "nodes")
    if together.size == 0:
        raise InputError("No node is given whose service is asked for")
    up = _Chances.of(
        n_nodes, tail.size, edge_availability, node_availability, groups, group_availability
    )
    _check_sampling(samples, confidence)
    network = _Rooted.of(n_nodes, tail, head, roots)
    try:
        value = reliability.chance_connected(
            _edges_with_risks(
                np.concatenate([tail, np.full(roots.size, n_nodes)]),
                np.concatenate([head, roots]),
                up,
            ),
            dict(enumerate(up.node.tolist())),
            dict(enumerate(up.group.tolist())),
            [n_nodes, *together.tolist()],
            reliability.Budget(state_limit),
        )
    except reliability.TooLargeError:
        _, count = _sampled(network, up, samples, seed, together, on_progress)
        low, high = _clopper_pearson(np.array([count]), samples, confidence)
        on_progress(1.0)
        return JointAvailability(
            count / samples, float(low[0]), float(high[0]), False, samples, confidence
        )
    on_progress(1.0)
    return JointAvailability(value, value, value, True, 0, confidence)


def _check_sampling(samples: int, confidence: float) -> None:
    if samples < 1:
        raise InputError("samples is {value}, expected a whole number from 1", value=samples)
    if not 0.0 < confidence < 1.0:
        raise InputError(
            "confidence is {value}, expected a number above 0 and below 1", value=confidence
        )


def _edges_with_risks(tail: Ints, head: Ints, up: _Chances) -> list[reliability.Edge]:
    """Return the edges with the numbers of their risk groups; those to roots never fail."""
    risks: list[set[int]] = [set() for _ in range(tail.size)]
    for number, edges in enumerate(up.groups.values()):
        for edge in edges.tolist():
            risks[edge].add(number)
    chance = np.append(up.edge, np.ones(tail.size - up.edge.size)).tolist()
    ends = zip(tail.tolist(), head.tolist(), strict=True)
    return [(a, b, chance[i], frozenset(risks[i])) for i, (a, b) in enumerate(ends)]


class _Exact:
    """Exact availabilities, part by part down from the roots.

    A part is a two-connected piece of the network; `top` is its node nearest to the
    roots. Unless a risk group lies in two parts on a node's way to the roots, a node is
    served if its part's top is, and it is connected to that within the part.
    """

    def __init__(
        self,
        network: _Rooted,
        tail: Ints,
        head: Ints,
        up: _Chances,
        state_limit: int,
        on_progress: Callable[[float], None],
    ) -> None:
        self.network = network
        self.up = up
        self.state_limit = state_limit
        self.budget = reliability.Budget(state_limit)
        self.most = max(int(_SHARE_OF_STATES * state_limit), 1)
        self.on_progress = on_progress
        self.node_up = dict(enumerate(up.node.tolist()))
        self.group_up = {k: p for k, p in enumerate(up.group.tolist()) if p < 1.0}
        self._find_parts(_edges_with_risks(tail, head, up))

    def _find_parts(self, edges: list[reliability.Edge]) -> None:
        network = self.network
        place, low, parent = network.place.tolist(), network.low.tolist(), network.parent.tolist()
        self.part_of = [-1] * (network.n_nodes + 1)
        self.top: list[int] = []
        for node in network.order[1:].tolist():
            if low[node] >= place[parent[node]]:
                self.part_of[node] = len(self.top)
                self.top.append(parent[node])
            else:
                self.part_of[node] = self.part_of[parent[node]]
        self.edges: list[list[reliability.Edge]] = [[] for _ in self.top]
        for edge in edges:
            a, b = edge[:2]
            if a != b and place[a] >= 0:
                self.edges[self.part_of[a if place[a] > place[b] else b]].append(edge)
        self.risks = [
            frozenset(risk for edge in part for risk in edge[3] if risk in self.group_up)
            for part in self.edges
        ]

    def values(self) -> Floats:
        """Return the availability per node; NaN where it is too much work."""
        network = self.network
        value = np.full(network.n_nodes + 1, np.nan)
        value[network.place < 0] = 0.0
        value[network.n_nodes] = 1.0
        # Risk groups on the way from the roots to a node, and whether one is met twice.
        met: dict[int, frozenset[int]] = {network.n_nodes: frozenset()}
        shared = {network.n_nodes: False}
        too_large = [len(part) > _MOST_EDGES for part in self.edges]
        total = network.order.size
        for done, node in enumerate(network.order[1:].tolist()):
            if done % _CHUNK == 0:
                self.on_progress(0.5 * done / total)
            part = self.part_of[node]
            top = self.top[part]
            met[node] = met[top] | self.risks[part]
            shared[node] = shared[top] or not met[top].isdisjoint(self.risks[part])
            if shared[node]:
                value[node] = self._along(node)
            elif not too_large[part]:
                if np.isnan(value[top]):
                    continue
                within = self._between(self.edges[part], top, node)
                too_large[part] = within is None
                if within is not None:
                    value[node] = value[top] * self.node_up[node] * within
        return value[: network.n_nodes]

    def _between(self, edges: list[reliability.Edge], top: int, node: int) -> float | None:
        """Return the chance of a connection within a part, both ends being up."""
        if len(edges) == 1:
            _, _, chance, risks = edges[0]
            for risk in risks:
                chance *= self.group_up.get(risk, 1.0)
            return chance
        certain = {
            **{n: self.node_up.get(n, 1.0) for e in edges for n in e[:2]},
            top: 1.0,
            node: 1.0,
        }
        return self._limited(edges, certain, top, node)

    def _along(self, node: int) -> float:
        """Return the availability of a node over all parts on its way to the roots."""
        edges: list[reliability.Edge] = []
        at = node
        while at != self.network.n_nodes:
            edges += self.edges[self.part_of[at]]
            at = self.top[self.part_of[at]]
            if len(edges) > _MOST_EDGES:
                return np.nan
        result = self._limited(edges, self.node_up, self.network.n_nodes, node)
        return np.nan if result is None else result

    def _limited(
        self, edges: list[reliability.Edge], node_up: Mapping[int, float], top: int, node: int
    ) -> float | None:
        # One state is always left, which does for what reduces without factoring.
        left = max(self.budget.states, 1) if self.state_limit > 0 else 0
        budget = reliability.Budget(min(self.most, left))
        before = budget.states
        try:
            return reliability.chance_connected(edges, node_up, self.group_up, [top, node], budget)
        except reliability.TooLargeError:
            return None
        finally:
            self.budget.states -= max(before - budget.states - 1, 0)


def _sampled(
    network: _Rooted,
    up: _Chances,
    samples: int,
    seed: int,
    together: Ints,
    on_progress: Callable[[float], None],
) -> tuple[Ints, int]:
    """Return in how many samples each node is served, and in how many all of a set are."""
    first, edges = _packed(up.groups)
    edge_up = np.append(up.edge, np.ones(network.n_roots))
    node_up = np.append(up.node, 1.0)
    served = np.zeros(network.n_nodes + 1, np.int64)
    joint = 0
    for start in range(0, samples, _CHUNK):
        on_progress(0.5 + 0.5 * start / samples)
        joint += kernels.sample_states(
            *network.slots,
            network.n_nodes,
            edge_up,
            node_up,
            up.group,
            first,
            edges,
            seed,
            start,
            min(start + _CHUNK, samples),
            together,
            served,
        )
    return served[: network.n_nodes], joint


def _clopper_pearson(served: Ints, samples: int, confidence: float) -> tuple[Floats, Floats]:
    """Return an interval for a share of which `served` out of `samples` were counted."""
    tail = 0.5 * (1.0 - confidence)
    k = np.asarray(served, np.float64)
    low = scipy.special.betaincinv(np.maximum(k, 1.0), samples - k + 1.0, tail)
    high = scipy.special.betaincinv(k + 1.0, np.maximum(samples - k, 1.0), 1.0 - tail)
    return np.where(k == 0, 0.0, low), np.where(k == samples, 1.0, high)


# ----------------------------------------------------------------------------------------
# What to protect first


def ranking(
    failures: Failures,
    *,
    edge_availability: ArrayLike = 1.0,
    node_availability: ArrayLike = 1.0,
    group_availability: Mapping[str, float] | None = None,
    weight: ArrayLike = 1.0,
    edge_cost: ArrayLike | None = None,
    node_cost: ArrayLike | None = None,
    group_cost: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Rank what to protect first: lost weight times hours a year that each thing is down.

    Parameters
    ----------
    failures
        What each failure cuts off.
    edge_availability, node_availability, group_availability
        As for `availability`; what has no figure does not fail.
    weight
        Weight of each node, from 0, in any unit.
    edge_cost, node_cost, group_cost
        What protecting each would cost, from 0; NaN or no entry: not known.

    Returns
    -------
    DataFrame
        A row for each edge, node and group that cuts anything off: element ("edge",
        "node", "group"), position (of the edge or node, -1 for groups), name (of the
        group), lost_nodes, lost_weight, hours_down (per year), expected_loss (weight ·
        hours per year), cost, loss_per_cost. Greatest loss per cost first where any cost
        is given, otherwise greatest expected loss.

    Raises
    ------
    InputError
        If an array does not fit, a share lies outside 0 to 1, or a cost is negative.
    """
    n_nodes, n_edges = failures.node_count.size, failures.edge_count.size
    lost = failures.weights(weight)
    names = list(failures.groups)
    up = group_availability or {}
    prices = group_cost or {}
    for name in [*up, *prices]:
        if name not in failures.groups:
            raise InputError("There is no risk group {name}", name=name)
    group_up = _group_shares({name: up.get(name, 1.0) for name in names}, names)
    group_price = [prices.get(name, np.nan) for name in names]
    parts = [
        ("edge", failures.edge_count, lost.edge, edge_availability, edge_cost, n_edges),
        ("node", failures.node_count, lost.node, node_availability, node_cost, n_nodes),
        (
            "group",
            np.array([failures.group_count[name] for name in names], np.int64),
            np.array([lost.group[name] for name in names]),
            group_up,
            group_price,
            len(names),
        ),
    ]
    frames = []
    for kind, count, weighed, share, price, total in parts:
        hours = HOURS_PER_YEAR * (1.0 - per_item(share, total, f"{kind}_availability", most=1.0))
        cost = per_item(np.nan if price is None else price, total, f"{kind}_cost", missing=True)
        frame = pd.DataFrame(
            {
                "element": kind,
                "position": np.arange(total) if kind != "group" else -1,
                "name": names if kind == "group" else "",
                "lost_nodes": count,
                "lost_weight": weighed,
                "hours_down": hours,
                "expected_loss": weighed * hours,
                "cost": cost,
            },
            index=range(total),
        )
        frames.append(frame[count > 0])
    table = pd.concat(frames, ignore_index=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        table["loss_per_cost"] = table["expected_loss"] / table["cost"]
    first = "loss_per_cost" if table["cost"].notna().any() else "expected_loss"
    by = [first, "expected_loss", "lost_weight", "lost_nodes"]
    return table.sort_values(
        by, ascending=False, kind="stable", na_position="last", ignore_index=True
    )
