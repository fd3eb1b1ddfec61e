"""Traffic of a network: who talks to whom, over which links, and where it gets tight.

A link carries its capacity in each of its two directions at the same time. Demands go
over the shortest ways by a weight per link (hops, delay, cost); where several are
equally short, every node splits equally among the next links (equal-cost multipath), or
takes one of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from data.errors import InputError
from planning import resilience
from planning.kernels import traffic as kernels
from planning.steiner import whole_numbers

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# ----------------------------------------------------------------------------------------
# Demands


@dataclass(frozen=True)
class Demands:
    """Traffic from nodes to nodes, one entry per direction.

    Parameters
    ----------
    source, target
        Node positions, shape (demands,).
    mbps
        Rate, finite and from 0. [Mbit/s]

    Raises
    ------
    InputError
        If the arrays do not fit together, or a rate is negative or not finite.
    """

    source: Ints
    target: Ints
    mbps: Floats

    def __post_init__(self) -> None:
        source = whole_numbers(self.source, "source")
        target = whole_numbers(self.target, "target")
        if source.size != target.size:
            raise InputError(
                "source and target have {source} and {target} entries, expected as many each",
                source=source.size,
                target=target.size,
            )
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "target", target)
        object.__setattr__(self, "mbps", _finite(self.mbps, source.size, "mbps"))

    @property
    def total_mbps(self) -> float:
        """Sum of all rates, in Mbit/s."""
        return math.fsum(self.mbps.tolist())

    def __add__(self, other: Demands) -> Demands:
        return Demands(
            np.concatenate([self.source, other.source]),
            np.concatenate([self.target, other.target]),
            np.concatenate([self.mbps, other.mbps]),
        )


def hub_demands(
    nodes: ArrayLike, hub: ArrayLike, *, up_mbps: ArrayLike, down_mbps: ArrayLike
) -> Demands:
    """Return the traffic of sites with a data centre.

    Parameters
    ----------
    nodes
        Sites, each once.
    hub
        The data centre, or that of each site.
    up_mbps, down_mbps
        Rate from and to each site; a single number counts for all. [Mbit/s]

    Returns
    -------
    Demands
        Two entries per site; none for a site that is its own hub.

    Raises
    ------
    InputError
        If the arrays do not fit together or a rate is negative.

    Examples
    --------
    >>> hub_demands([1, 2], 0, up_mbps=2.0, down_mbps=[10.0, 20.0]).total_mbps
    34.0
    """
    sites = whole_numbers(nodes, "nodes")
    given = np.atleast_1d(np.asarray(hub))
    hubs = whole_numbers(np.broadcast_to(given, sites.shape) if given.size == 1 else given, "hub")
    if hubs.size != sites.size:
        raise InputError(
            "{name} has {found} entries, expected {count}",
            name="hub",
            found=hubs.size,
            count=sites.size,
        )
    up = _finite(up_mbps, sites.size, "up_mbps")
    down = _finite(down_mbps, sites.size, "down_mbps")
    away = sites != hubs
    return Demands(
        np.concatenate([sites[away], hubs[away]]),
        np.concatenate([hubs[away], sites[away]]),
        np.concatenate([up[away], down[away]]),
    )


def site_demands(nodes: ArrayLike, mbps: ArrayLike) -> Demands:
    """Return traffic from site to site, shared out in proportion to the other sites' rates.

    Parameters
    ----------
    nodes
        Sites, each once.
    mbps
        What each site sends to all others together; a single number counts for all.
        [Mbit/s]

    Returns
    -------
    Demands
        An entry for each ordered pair with traffic. What a site sends is exactly its
        rate, unless it is the only one with any.

    Raises
    ------
    InputError
        If the arrays do not fit together, a rate is negative, or a site comes twice.
    """
    sites = whole_numbers(nodes, "nodes")
    _require_once(sites, "nodes")
    rate = _finite(mbps, sites.size, "mbps")
    others = rate.sum() - rate
    share = np.divide(rate, others, out=np.zeros(sites.size), where=others > 0.0)
    table = share[:, np.newaxis] * rate[np.newaxis, :]
    np.fill_diagonal(table, 0.0)
    source, target = np.nonzero(table)
    return Demands(sites[source], sites[target], table[source, target])


def conference_demands(endpoints: ArrayLike, mbps: ArrayLike, *, mcu: int | None) -> Demands:
    """Return the streams of a video conference of these endpoints at once.

    Parameters
    ----------
    endpoints
        Nodes that take part, each once.
    mbps
        Rate of an endpoint's stream; a single number counts for all. [Mbit/s]
    mcu
        Node of the conference bridge (multipoint control unit): every endpoint sends one
        stream to it and receives one mixed stream of its own rate. None: a mesh, in which
        every endpoint sends its stream to each of the others.

    Returns
    -------
    Demands
        Two entries per endpoint, or in a mesh one per ordered pair.

    Raises
    ------
    InputError
        If an endpoint comes twice, or a rate is negative.

    Examples
    --------
    >>> conference_demands([1, 2, 3], 4.0, mcu=0).total_mbps
    24.0
    >>> conference_demands([1, 2, 3], 4.0, mcu=None).total_mbps
    24.0
    """
    nodes = whole_numbers(endpoints, "endpoints")
    _require_once(nodes, "endpoints")
    rate = _finite(mbps, nodes.size, "mbps")
    if mcu is not None:
        return hub_demands(nodes, mcu, up_mbps=rate, down_mbps=rate)
    sender, receiver = np.nonzero(~np.eye(nodes.size, dtype=bool))
    return Demands(nodes[sender], nodes[receiver], rate[sender])


def _finite(values: ArrayLike, count: int, name: str) -> Floats:
    """Return one rate per item; raise `InputError` for negative or infinite ones."""
    numbers = resilience.per_item(values, count, name)
    if not bool(np.isfinite(numbers).all()):
        raise InputError(
            "{name}, entry {index}: {value}, expected a number from 0",
            name=name,
            index=int(np.argmin(np.isfinite(numbers))),
            value=math.inf,
        )
    return numbers


def _require_once(nodes: Ints, name: str) -> None:
    value, times = np.unique(nodes, return_counts=True)
    if value.size and times.max() > 1:
        raise InputError(
            "{name} holds node {value} {times} times, expected once",
            name=name,
            value=int(value[np.argmax(times)]),
            times=int(times.max()),
        )


def _check_growth(growth: float) -> None:
    if not (math.isfinite(growth) and growth > -1.0):
        raise InputError(
            "growth is {value}, expected a share a year above -1, such as 0.2", value=growth
        )


# ----------------------------------------------------------------------------------------
# Routing


@dataclass(frozen=True)
class Routing:
    """The way demands take, and the load they make.

    Parameters
    ----------
    forward_mbps, backward_mbps
        Load of each link from tail to head, and from head to tail. [Mbit/s]
    length
        Weight of the way of each demand; infinite where there is none.
    routed
        Whether each demand has a way.
    lost_mbps
        Sum of the demands without one. [Mbit/s]
    """

    forward_mbps: Floats
    backward_mbps: Floats
    length: Floats
    routed: Bools
    lost_mbps: float

    @property
    def load_mbps(self) -> Floats:
        """Load of the busier direction of each link, in Mbit/s."""
        return np.maximum(self.forward_mbps, self.backward_mbps)

    def utilisation(self, capacity_mbps: ArrayLike) -> Floats:
        """Return the load of the busier direction as a share of the capacity.

        Parameters
        ----------
        capacity_mbps
            Capacity of each link in each direction, from 0; NaN: not known. [Mbit/s]

        Returns
        -------
        NDArray
            Share per link; infinite for a load without capacity, NaN where not known.

        Raises
        ------
        InputError
            If the number of entries is wrong or a capacity is negative.
        """
        return _utilisation(self.load_mbps, _capacity(capacity_mbps, self.forward_mbps.size))


def _capacity(capacity_mbps: ArrayLike, count: int) -> Floats:
    return resilience.per_item(capacity_mbps, count, "capacity_mbps", missing=True)


def _utilisation(load_mbps: Floats, capacity_mbps: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        share = load_mbps / capacity_mbps
    return np.where((load_mbps == 0.0) & (capacity_mbps == 0.0), 0.0, share)


@dataclass(frozen=True)
class _Links:
    """A checked network with weights."""

    n_nodes: int
    tail: Ints
    head: Ints
    weight: Floats
    slots: tuple[Ints, Ints, Ints]
    there_and_back: bool

    @staticmethod
    def of(
        n_nodes: int,
        tail: ArrayLike,
        head: ArrayLike,
        weight: ArrayLike,
        there_and_back: bool = False,
    ) -> _Links:
        ends = resilience.checked_ends(n_nodes, tail, head)
        return _Links(
            n_nodes,
            *ends,
            _finite(weight, ends[0].size, "weight"),
            resilience.half_edges(n_nodes, *ends),
            there_and_back,
        )

    def route(
        self,
        demands: Demands,
        *,
        split: bool,
        closed_edges: Ints,
        closed_nodes: Ints,
        marked: NDArray[np.uint8] | None = None,
    ) -> tuple[Routing, Bools]:
        """Return the routing, and which demands cross marked links (see the kernel)."""
        for name, nodes in (("source", demands.source), ("target", demands.target)):
            resilience.checked_nodes(nodes, self.n_nodes, name)

        def one_way(some: Demands, mark: NDArray[np.uint8] | None) -> tuple[Routing, Bools]:
            return self._one_way(
                some,
                split=split,
                closed_edges=closed_edges,
                closed_nodes=closed_nodes,
                marked=mark,
            )

        back = self.goes_back(demands)
        if not back.any():
            return one_way(demands, marked)
        there = Demands(demands.source[~back], demands.target[~back], demands.mbps[~back])
        turned = Demands(demands.target[back], demands.source[back], demands.mbps[back])
        swapped = None if marked is None else (((marked & 1) << 1) | (marked >> 1)).astype(np.uint8)
        first, first_cross = one_way(there, marked)
        second, second_cross = one_way(turned, swapped)
        length, crosses = np.empty(back.size), np.zeros(back.size, dtype=bool)
        length[~back], length[back] = first.length, second.length
        crosses[~back], crosses[back] = first_cross, second_cross
        routing = Routing(
            first.forward_mbps + second.backward_mbps,
            first.backward_mbps + second.forward_mbps,
            length,
            np.isfinite(length),
            first.lost_mbps + second.lost_mbps,
        )
        return routing, crosses

    def goes_back(self, demands: Demands) -> Bools:
        """Return which demands take a way that is looked for from their source."""
        if not self.there_and_back or not demands.source.size:
            return np.zeros(demands.source.size, dtype=bool)
        leaving, coming = np.bincount(demands.source), np.bincount(demands.target)
        return np.asarray(leaving[demands.source] > coming[demands.target])

    def _one_way(
        self,
        demands: Demands,
        *,
        split: bool,
        closed_edges: Ints,
        closed_nodes: Ints,
        marked: NDArray[np.uint8] | None,
    ) -> tuple[Routing, Bools]:
        weight = self.weight.copy()
        weight[closed_edges] = np.inf
        closed = np.zeros(self.n_nodes, np.uint8)
        closed[closed_nodes] = 1
        order = np.argsort(demands.target, kind="stable")
        targets, start = np.unique(demands.target[order], return_index=True)
        count = order.size
        forward, backward = np.zeros(self.tail.size), np.zeros(self.tail.size)
        length, crosses = np.empty(count), np.zeros(count, np.uint8)
        kernels.route(
            *self.slots,
            self.tail,
            weight,
            closed,
            targets.astype(np.int64),
            np.append(start, count).astype(np.int64),
            demands.source[order],
            demands.mbps[order],
            split,
            forward,
            backward,
            length,
            np.zeros(self.tail.size, np.uint8) if marked is None else marked,
            crosses,
        )
        back = np.empty(count, np.int64)
        back[order] = np.arange(count)
        length = length[back]
        routed = np.isfinite(length)
        lost_mbps = math.fsum(demands.mbps[~routed].tolist())
        return Routing(forward, backward, length, routed, lost_mbps), crosses[back] != 0

    def checked_edges(self, edges: ArrayLike, name: str) -> Ints:
        numbers = whole_numbers(edges, name)
        if numbers.size and numbers.max() >= self.tail.size:
            raise InputError(
                "Edge {value} is not there, expected 0 to {last}",
                value=int(numbers.max()),
                last=self.tail.size - 1,
            )
        return numbers


def route(
    n_nodes: int,
    tail: ArrayLike,
    head: ArrayLike,
    demands: Demands,
    *,
    weight: ArrayLike = 1.0,
    split: bool = True,
    there_and_back: bool = False,
    closed_edges: ArrayLike = (),
    closed_nodes: ArrayLike = (),
) -> Routing:
    """Route demands over shortest ways.

    Parameters
    ----------
    n_nodes
        Number of nodes.
    tail, head
        Ends of the links, shape (links,); loops and parallel links are allowed.
    demands
        What is sent.
    weight
        Length of each link by which ways are compared (hops: 1), finite, from 0; a single
        number counts for all.
    split
        Whether nodes split equally among the next links of all shortest ways (equal-cost
        multipath); otherwise each takes the link of lowest position.
    there_and_back
        Whether what many nodes get from one takes the way back of what they send to it.
        Only equally short ways tell the difference; of large networks it is much less work.
    closed_edges, closed_nodes
        What has failed.

    Returns
    -------
    Routing
        Loads, and which demands have no way.

    Raises
    ------
    InputError
        If an array does not fit, a node or edge is not there, or a weight is negative.

    Examples
    --------
    A square, from a corner to the opposite one:

    >>> routing = route(4, [0, 1, 0, 3], [1, 2, 3, 2], Demands([0], [2], [10.0]))
    >>> routing.forward_mbps.tolist()
    [5.0, 5.0, 5.0, 5.0]
    """
    links = _Links.of(n_nodes, tail, head, weight, there_and_back)
    return links.route(
        demands,
        split=split,
        closed_edges=links.checked_edges(closed_edges, "closed_edges"),
        closed_nodes=resilience.checked_nodes(closed_nodes, n_nodes, "closed_nodes"),
    )[0]


# ----------------------------------------------------------------------------------------
# Growth


def years_until(utilisation: ArrayLike, growth: float, *, limit: float = 1.0) -> Floats:
    """Return in how many years a utilisation that grows reaches a limit.

    Parameters
    ----------
    utilisation
        Shares now, any shape.
    growth
        Growth a year as a share, e.g. 0.2.
    limit
        Share that must not be exceeded.

    Returns
    -------
    NDArray
        Years; 0 where the limit is reached already, infinite where it never will be, NaN
        where the utilisation is.

    Raises
    ------
    InputError
        If the growth is not above -1, or the limit not above 0.

    Examples
    --------
    >>> years_until([0.5, 1.2, 0.0], 0.2).round(2).tolist()
    [3.8, 0.0, inf]
    """
    _check_growth(growth)
    _check_limit(limit)
    share = np.asarray(utilisation, dtype=np.float64)
    years = np.full(share.shape, np.inf)
    if growth > 0.0:
        with np.errstate(divide="ignore"):
            years = np.log(limit / share) / math.log1p(growth)
    return np.where(np.isnan(share), np.nan, np.where(share >= limit, 0.0, years))


def _check_limit(limit: float) -> None:
    if not limit > 0.0:
        raise InputError("limit is {value}, expected a share above 0", value=limit)


# ----------------------------------------------------------------------------------------
# Conferences


@dataclass(frozen=True)
class ConferenceEffect:
    """What a video conference of many endpoints at once does to a network.

    Parameters
    ----------
    routing
        Loads of the usual traffic and the conference together.
    utilisation_before, utilisation
        Share of each link's capacity without and with the conference.
    overloaded, newly_overloaded
        Links above the limit with the conference; those of them that are not without it.
    disturbed
        Endpoints with a stream, sent or received, over a link above the limit, ascending.
    unreached
        Endpoints with a stream that has no way, ascending.
    greatest_mbps
        Greatest rate per endpoint at which the conference takes no link above the limit,
        endpoints in the proportions given; 0 if a link on its way is above it anyway,
        infinite if no link of known capacity carries it. [Mbit/s]
    """

    routing: Routing
    utilisation_before: Floats
    utilisation: Floats
    overloaded: Ints
    newly_overloaded: Ints
    disturbed: Ints
    unreached: Ints
    greatest_mbps: float


def conference_effect(
    n_nodes: int,
    tail: ArrayLike,
    head: ArrayLike,
    capacity_mbps: ArrayLike,
    usual: Demands,
    endpoints: ArrayLike,
    mbps: float,
    *,
    mcu: int | None,
    limit: float = 1.0,
    weight: ArrayLike = 1.0,
    split: bool = True,
    there_and_back: bool = False,
) -> ConferenceEffect:
    """Find what a conference of all these endpoints at once does.

    Parameters
    ----------
    n_nodes, tail, head, weight, split, there_and_back
        As for `route`.
    capacity_mbps
        As for `Routing.utilisation`. [Mbit/s]
    usual
        The traffic beside the conference.
    endpoints, mcu
        As for `conference_demands`.
    mbps
        Rate of every endpoint. [Mbit/s]
    limit
        Share of the capacity above which a link counts as overloaded.

    Returns
    -------
    ConferenceEffect
        Loads, overloaded links and the endpoints that suffer.

    Raises
    ------
    InputError
        As `route` and `conference_demands` do, or if the rate is not above 0.
    """
    _check_limit(limit)
    if not (math.isfinite(mbps) and mbps > 0.0):
        raise InputError("mbps is {value}, expected a rate above 0", value=mbps)
    links = _Links.of(n_nodes, tail, head, weight, there_and_back)
    capacity = _capacity(capacity_mbps, links.tail.size)
    streams = conference_demands(endpoints, mbps, mcu=mcu)
    none = np.empty(0, np.int64)
    before, _ = links.route(usual, split=split, closed_edges=none, closed_nodes=none)
    alone, _ = links.route(streams, split=split, closed_edges=none, closed_nodes=none)
    forward = before.forward_mbps + alone.forward_mbps
    backward = before.backward_mbps + alone.backward_mbps
    marked = (_utilisation(forward, capacity) > limit).astype(np.uint8)
    marked |= (_utilisation(backward, capacity) > limit).astype(np.uint8) << 1
    _, crosses = links.route(
        streams, split=split, closed_edges=none, closed_nodes=none, marked=marked
    )
    nodes = resilience.checked_nodes(endpoints, n_nodes, "endpoints")
    if mcu is not None:
        # An endpoint at the bridge needs no link.
        nodes = nodes[nodes != mcu]
    both = Routing(
        forward,
        backward,
        np.concatenate([before.length, alone.length]),
        np.concatenate([before.routed, alone.routed]),
        before.lost_mbps + alone.lost_mbps,
    )
    share_before, share = before.utilisation(capacity), both.utilisation(capacity)
    over = share > limit
    return ConferenceEffect(
        both,
        share_before,
        share,
        np.flatnonzero(over).astype(np.int64),
        np.flatnonzero(over & ~(share_before > limit)).astype(np.int64),
        _ends(streams, crosses, nodes),
        _ends(streams, ~alone.routed, nodes),
        _greatest(before, alone, capacity, limit, mbps),
    )


def _ends(streams: Demands, chosen: Bools, among: Ints) -> Ints:
    ends = np.concatenate([streams.source[chosen], streams.target[chosen]])
    return np.intersect1d(ends, among).astype(np.int64)


def _greatest(
    before: Routing, alone: Routing, capacity: Floats, limit: float, mbps: float
) -> float:
    greatest = math.inf
    for usual, added in (
        (before.forward_mbps, alone.forward_mbps),
        (before.backward_mbps, alone.backward_mbps),
    ):
        used = (added > 0.0) & ~np.isnan(capacity)
        room = np.maximum(limit * capacity[used] - usual[used], 0.0)
        greatest = min(greatest, float(np.min(mbps * room / added[used], initial=math.inf)))
    return greatest


# ----------------------------------------------------------------------------------------
# Failures


@dataclass(frozen=True)
class _ByTarget:
    """Loads by the node that demands go to, or that many come from.

    Without an edge that carries nothing of a node, all its demands keep their ways; only
    the rest is routed anew.
    """

    links: _Links
    split: bool
    parts: list[Demands]
    forward_mbps: Floats  # of each target and edge
    backward_mbps: Floats
    lost_mbps: Floats

    @staticmethod
    def of(links: _Links, demands: Demands, *, split: bool) -> _ByTarget:
        looked_from = np.where(links.goes_back(demands), -1 - demands.source, demands.target)
        order = np.argsort(looked_from, kind="stable")
        cuts = np.flatnonzero(np.diff(looked_from[order])) + 1
        parts = [
            Demands(demands.source[rows], demands.target[rows], demands.mbps[rows])
            for rows in np.split(order, cuts)
        ]
        none = np.empty(0, np.int64)
        found = [
            links.route(part, split=split, closed_edges=none, closed_nodes=none)[0]
            for part in parts
        ]
        return _ByTarget(
            links,
            split,
            parts,
            np.stack([each.forward_mbps for each in found]),
            np.stack([each.backward_mbps for each in found]),
            np.array([each.lost_mbps for each in found]),
        )

    @property
    def carries(self) -> Bools:
        """Which edges carry anything."""
        return np.asarray(((self.forward_mbps > 0.0) | (self.backward_mbps > 0.0)).any(axis=0))

    def without(self, edges: Ints) -> tuple[Floats, float]:
        """Return the load of each edge without some, and what has no way any more."""
        changed = ((self.forward_mbps[:, edges] > 0.0) | (self.backward_mbps[:, edges] > 0.0)).any(
            axis=1
        )
        forward = self.forward_mbps[~changed].sum(axis=0)
        backward = self.backward_mbps[~changed].sum(axis=0)
        again = [self.parts[k] for k in np.flatnonzero(changed).tolist()]
        if not again:
            return np.maximum(forward, backward), 0.0
        part = Demands(
            np.concatenate([each.source for each in again]),
            np.concatenate([each.target for each in again]),
            np.concatenate([each.mbps for each in again]),
        )
        new, _ = self.links.route(
            part, split=self.split, closed_edges=edges, closed_nodes=np.empty(0, np.int64)
        )
        lost = max(new.lost_mbps - math.fsum(self.lost_mbps[changed].tolist()), 0.0)
        return np.maximum(forward + new.forward_mbps, backward + new.backward_mbps), lost


def after_failures(
    n_nodes: int,
    tail: ArrayLike,
    head: ArrayLike,
    capacity_mbps: ArrayLike,
    demands: Demands,
    *,
    groups: Mapping[str, ArrayLike] | None = None,
    limit: float = 1.0,
    weight: ArrayLike = 1.0,
    split: bool = True,
    there_and_back: bool = False,
    on_progress: Callable[[float], None] = lambda _: None,
) -> pd.DataFrame:
    """Fail every link that carries traffic, and every risk group, and route anew.

    Parameters
    ----------
    n_nodes, tail, head, demands, weight, split, there_and_back
        As for `route`.
    capacity_mbps, limit
        As for `conference_effect`.
    groups
        Links (positions) that fail together, by name.
    on_progress
        Called with the fraction done; may raise `CancelledError`.

    Returns
    -------
    DataFrame
        A row per failure: element ("edge" or "group"), position (-1 for groups), name,
        lost_mbps (demands without any way, beyond those that have none anyway),
        greatest_utilisation, busiest_edge (-1 if none is known), overloaded (number of
        links above the limit); worst first: by lost traffic, then by utilisation.

    Raises
    ------
    InputError
        As `route` does, or if a risk group names an edge that is not there.
    """
    _check_limit(limit)
    links = _Links.of(n_nodes, tail, head, weight, there_and_back)
    capacity = _capacity(capacity_mbps, links.tail.size)
    checked = resilience.checked_groups(groups or {}, links.tail.size)
    usual = _ByTarget.of(links, demands, split=split)
    failures = [
        ("edge", int(e), "", np.array([e], np.int64)) for e in np.flatnonzero(usual.carries)
    ]
    failures += [("group", -1, name, edges) for name, edges in checked.items()]
    rows = []
    for done, (kind, position, name, edges) in enumerate(failures):
        on_progress(done / len(failures))
        load, lost_mbps = usual.without(edges)
        share = _utilisation(load, capacity)
        known = np.where(np.isnan(share), -1.0, share)
        known[edges] = -1.0
        busiest = int(np.argmax(known)) if known.size else -1
        greatest = float(known[busiest]) if known.size else -1.0
        rows.append(
            {
                "element": kind,
                "position": position,
                "name": name,
                "lost_mbps": lost_mbps,
                "greatest_utilisation": max(greatest, 0.0),
                "busiest_edge": busiest if greatest >= 0.0 else -1,
                "overloaded": int(np.count_nonzero(known > limit)),
            }
        )
    on_progress(1.0)
    columns = ["element", "position", "name", "lost_mbps", "greatest_utilisation"]
    table = pd.DataFrame(rows, columns=[*columns, "busiest_edge", "overloaded"])
    return table.sort_values(
        ["lost_mbps", "greatest_utilisation"], ascending=False, kind="stable", ignore_index=True
    )
