"""Ways of protected sites through cables with few free fibres, improved by rerouting.

Every new link has fibres of its own all along its way, and a cable that has too few is
replaced by a new one. What a site's way costs thus depends on the ways of all others. A
local search takes the ways of some sites out and leads them anew where that adds least
to the cost: along fibres that are free, through new cables that others pay already, over
new links that others need already.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planning import resilience
from planning.kernels import ring_routes as kernels

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Edges between two nodes at which the network has routers.
Run = tuple[int, ...]

#: Runs in a row, from a site to a root.
Way = tuple[Run, ...]

#: Where a run starts and ends, and its edges: what is the same is one link.
_Key = tuple[int, int, Run]

#: Random choices are the same in every run.
_SEED = 20050611

#: Of ways that cost the same the shorter one is better. [cost per m]
_PER_M = 1e-3

#: What an edge costs whose risk another way of the site takes, too. [cost]
_SHARED = 1e15

#: Most sites whose ways are taken out at once.
_MOST_OUT = 10

#: How much dearer than the best a design may be from which the search goes on.
_SLACK = 0.002


@dataclass(frozen=True, eq=False)
class RouteNetwork:
    """A network whose edges have prices, free fibres and risks.

    Parameters
    ----------
    n_nodes, tail, head, length_m
        The network.
    cost, instead_cost
        Of each edge with the cable that is there, and with a new one.
    free_cores
        Fibres that are free in that cable; infinite in what is new.
    is_live
        Which edges are links that exist: they cost nothing and take no fibres.
    stops
        Nodes with routers, at which links may end.
    roots
        Nodes to lead to.
    groups
        Edges that fail together, by name; every edge is a risk by itself.
    """

    n_nodes: int
    tail: Ints
    head: Ints
    length_m: Floats
    cost: Floats
    instead_cost: Floats
    free_cores: Floats
    is_live: Bools
    stops: Ints
    roots: Ints
    groups: Mapping[str, Ints]

    @functools.cached_property
    def slots(self) -> tuple[Ints, Ints, Ints]:
        """Half-edges."""
        return resilience.half_edges(self.n_nodes, self.tail, self.head)

    @functools.cached_property
    def members(self) -> tuple[Ints, Ints]:
        """Edges of each risk: first those of one edge, in order, then the groups."""
        m = self.tail.size
        parts = [np.asarray(edges, np.int64) for edges in self.groups.values()]
        size = np.concatenate([np.ones(m, np.int64), [p.size for p in parts]]).astype(np.int64)
        first = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        return first, np.concatenate([np.arange(m), *parts]).astype(np.int64)

    @functools.cached_property
    def risks(self) -> tuple[Ints, Ints]:
        """Risks of each edge."""
        first, member = self.members
        risk = np.repeat(np.arange(first.size - 1), np.diff(first))
        order = np.argsort(member, kind="stable")
        start = np.searchsorted(member[order], np.arange(self.tail.size + 1))
        return start.astype(np.int64), risk[order].astype(np.int64)

    def hopeless(self, nodes: Ints) -> dict[int, frozenset[int]]:
        """Return the risks from which nothing protects each of some nodes.

        Parameters
        ----------
        nodes
            Which.
        """
        failures = resilience.single_failures(
            self.n_nodes, self.tail, self.head, self.roots, groups=dict(self.groups)
        )
        m = self.tail.size
        lost = [
            (int(e), failures.lost_by_edge(int(e))) for e in np.flatnonzero(failures.edge_count)
        ]
        lost += [
            (m + k, failures.lost_by_group(name))
            for k, name in enumerate(self.groups)
            if failures.group_count[name]
        ]
        found: dict[int, set[int]] = {}
        for risk, cut_off in lost:
            for node in np.intersect1d(cut_off, nodes).tolist():
                found.setdefault(node, set()).add(risk)
        return {node: frozenset(risks) for node, risks in found.items()}


@dataclass(frozen=True)
class RouteSite:
    """A site to lead to the roots.

    Parameters
    ----------
    node
        Where it is.
    own
        Number that tells it apart where it is new, from the number of nodes on; its node
        if it has a router already.
    protect
        Whether no single risk may take all of its ways.
    hopeless
        Risks (numbers) that nothing protects it from.
    """

    node: int
    own: int
    protect: bool
    hopeless: frozenset[int] = frozenset()


@dataclass(frozen=True, eq=False)
class _Links:
    """Links that sites share, as a network over the nodes.

    Parameters
    ----------
    keys
        The links.
    slots
        Half-edges.
    first, edges
        Edges of link k: ``edges[first[k]:first[k + 1]]``.
    open_price
        Price of each link while nothing closes it.
    """

    keys: list[_Key]
    slots: tuple[Ints, Ints, Ints]
    first: Ints
    edges: Ints
    open_price: Floats

    @staticmethod
    def of(network: RouteNetwork, shared: Mapping[_Key, Ints]) -> _Links:
        """Return links, each with at least one edge."""
        ends = np.array([key[:2] for key in shared], np.int64).reshape(-1, 2)
        first = np.cumsum([0, *(edges.size for edges in shared.values())])[:-1]
        edges = np.concatenate([np.empty(0, np.int64), *shared.values()])
        return _Links(
            list(shared),
            resilience.half_edges(network.n_nodes, ends[:, 0], ends[:, 1]),
            first,
            edges,
            _PER_M * np.add.reduceat(network.length_m[edges], first) if shared else np.empty(0),
        )

    def price(self, closed: NDArray[np.uint8]) -> Floats:
        """Return the price of each link, infinite where one of its edges is closed."""
        if not self.keys:
            return self.open_price
        shut = np.maximum.reduceat(closed[self.edges], self.first) != 0
        return np.where(shut, np.inf, self.open_price)


class RouteSearch:
    """Ways of all sites, what they cost, and changes that make them cheaper.

    Parameters
    ----------
    network
        Where they lead.
    sites
        Whose they are.
    cores
        Fibres of each new link.
    """

    def __init__(self, network: RouteNetwork, sites: Sequence[RouteSite], cores: int) -> None:
        self.network = network
        self.sites = list(sites)
        self.cores = cores
        self.random = np.random.default_rng(_SEED)
        m, n = network.tail.size, network.n_nodes
        self.used = np.zeros(m, np.int64)
        self.users: dict[_Key, int] = {}
        #: Edges of the links that others can be led over, too, and what is made of them.
        self.shared: dict[_Key, Ints] = {}
        self.as_graph: _Links | None = None
        self.ways: list[tuple[Way, ...]] = [() for _ in self.sites]
        self.is_stop = np.zeros(n, bool)
        self.is_stop[network.stops] = True
        self.goal = np.zeros(n, np.uint8)
        self.goal[network.roots] = 1
        self.price = np.empty(m)
        self.risk_count = np.zeros(network.members[0].size - 1, np.int64)
        self.distance = np.empty(n)
        self.room = [np.empty(n, np.int64) for _ in range(4)]
        #: Edges that may not be led through, or not beyond their free fibres, for now.
        self.closed, self.capped = np.zeros(m, bool), np.zeros(m, bool)

    # What ways use and cost

    @property
    def scarce(self) -> bool:
        """Whether some cable has fewer free fibres than all ways might need."""
        most = self.cores * sum(2 if site.protect else 1 for site in self.sites)
        return bool((self.network.free_cores < most).any())

    @property
    def cost(self) -> float:
        """What all ways cost together."""
        net = self.network
        price = np.where(self.used > net.free_cores, net.instead_cost, net.cost)
        return float(price[self.used > 0].sum())

    def keys(self, site: int, way: Way) -> list[_Key]:
        """Return the new links of a way."""
        net, each = self.network, self.sites[site]
        node, name = each.node, each.own
        found = []
        for run in way:
            for edge in run:
                node = int(net.tail[edge] + net.head[edge]) - node
            if not net.is_live[run[0]]:
                found.append((min(name, node), max(name, node), tuple(sorted(run))))
            name = node
        return found

    def insert(self, site: int, way: Way) -> None:
        """Lead a site along a way, too."""
        self.ways[site] = (*self.ways[site], way)
        for key in self.keys(site, way):
            count = self.users.get(key, 0)
            self.users[key] = count + 1
            if not count:
                edges = np.array(key[2], np.int64)
                self.used[edges] += self.cores
                if key[1] < self.network.n_nodes and key[0] != key[1]:
                    self.shared[key] = edges
                    self.as_graph = None

    def remove(self, site: int) -> None:
        """Take all ways of a site out."""
        for way in self.ways[site]:
            for key in self.keys(site, way):
                self.users[key] -= 1
                if not self.users[key]:
                    del self.users[key]
                    self.used[list(key[2])] -= self.cores
                    if self.shared.pop(key, None) is not None:
                        self.as_graph = None
        self.ways[site] = ()

    def put(self, site: int, ways: Iterable[Way]) -> None:
        """Replace the ways of a site."""
        self.remove(site)
        for way in ways:
            self.insert(site, way)

    # Ways

    def route(
        self,
        site: int,
        closed: NDArray[np.uint8],
        noise: Floats | float = 1.0,
        extra: Floats | float = 0.0,
    ) -> Way | None:
        """Return the way that adds least, None without any.

        Parameters
        ----------
        site
            Whose.
        closed
            Edges that it may not take.
        noise, extra
            Factor of the price of each edge, and what is added to it.
        """
        net = self.network
        price = self.price
        kernels.marginal(
            self.used,
            net.free_cores,
            net.cost,
            net.instead_cost,
            net.length_m,
            self.cores,
            _PER_M,
            price,
        )
        price *= noise
        price += extra
        full = self.used + self.cores > net.free_cores
        price[self.capped & (full | ~np.isfinite(net.free_cores))] = np.inf
        price[self.closed | (closed != 0)] = np.inf
        return self._search(site, price, closed)

    def _search(self, site: int, price: Floats, closed: NDArray[np.uint8]) -> Way | None:
        net, each = self.network, self.sites[site]
        if self.as_graph is None:
            self.as_graph = _Links.of(net, self.shared)
        links = self.as_graph
        origin, via, heap, slot = self.room
        found = kernels.route(
            *net.slots,
            *links.slots,
            price,
            links.price(closed),
            each.node,
            self.goal,
            self.distance,
            origin,
            via,
            heap,
            slot,
        )
        if found < 0:
            return None
        steps = []
        node = found
        while origin[node] >= 0:
            steps.append((int(via[node]), int(origin[node])))
            node = int(origin[node])
        return self._runs(steps[::-1], links.keys)

    def _runs(self, steps: list[tuple[int, int]], links: list[_Key]) -> Way:
        """Part steps (edge or link, where from) into runs."""
        net = self.network
        way: list[Run] = []
        run: list[int] = []
        for step, start in steps:
            if step < 0 or net.is_live[step]:
                if run:
                    way.append(tuple(run))
                    run = []
                way.append((step,) if step >= 0 else self._along(links[-2 - step][2], start))
            else:
                run.append(step)
        if run:
            way.append(tuple(run))
        return tuple(way)

    def _along(self, edges: Run, start: int) -> Run:
        """Return the edges of a link in the order from one of its ends."""
        net = self.network
        left, found, node = set(edges), [], start
        at: dict[int, list[int]] = {}
        for edge in edges:
            at.setdefault(int(net.tail[edge]), []).append(edge)
            at.setdefault(int(net.head[edge]), []).append(edge)
        while left:
            edge = next(e for e in at[node] if e in left)
            left.discard(edge)
            found.append(edge)
            node = int(net.tail[edge] + net.head[edge]) - node
        return tuple(found)

    def common(self, site: int, ways: Sequence[Way]) -> Ints:
        """Return the risks that take all of some ways of a site and could be avoided."""
        count = self.risk_count
        count[:] = 0
        for way in ways:
            kernels.count_risks(_flat(way), *self.network.risks, count)
        found = count == len(ways)
        found[list(self.sites[site].hopeless)] = False
        return np.flatnonzero(found).astype(np.int64)

    def open_risks(self, site: int) -> Ints:
        """Return the risks that take all ways of a site and need not."""
        ways = self.ways[site]
        if not self.sites[site].protect or not ways:
            return np.empty(0, np.int64)
        return self.common(site, ways)

    def place(self, site: int, noise: Floats | float = 1.0) -> bool:
        """Lead a site that has no ways; say whether that was possible as asked."""
        first = self.route(site, self._none(), noise)
        if first is None:
            return False
        self.insert(site, first)
        if not self.open_risks(site).size or self._second(site, noise):
            return True
        # The first way may stand in the way of all others: not where they would share it.
        way = self._avoiding(site, self.open_risks(site), noise, most=_SHARED)
        if way is not None:
            closed = self._none()
            kernels.close(self.common(site, [first, way]), *self.network.members, closed)
            other = self.route(site, closed, noise)
            if other is not None:
                self.put(site, [other])
                if not self.open_risks(site).size or self._second(site, noise):
                    return True
        self.put(site, [first])
        return self._one_by_one(site, noise)

    def _none(self) -> NDArray[np.uint8]:
        return np.zeros(self.used.size, np.uint8)

    def _avoiding(
        self, site: int, risks: Ints, noise: Floats | float, most: float = np.inf
    ) -> Way | None:
        """Return the way that adds least and takes no risk of some, or each at a price."""
        closed = self._none()
        kernels.close(risks, *self.network.members, closed)
        if np.isinf(most):
            return self.route(site, closed, noise)
        return self.route(site, self._none(), noise, most * (closed != 0).astype(np.float64))

    def _second(self, site: int, noise: Floats | float) -> bool:
        """Lead a second way apart from the first one; say whether there is any."""
        way = self._avoiding(site, self.open_risks(site), noise)
        if way is not None:
            self.insert(site, way)
        return way is not None

    def _one_by_one(self, site: int, noise: Floats | float) -> bool:
        """Lead a way round each risk that takes all ways so far; say whether there are such."""
        while (risks := self.open_risks(site)).size:
            way = self._avoiding(site, risks[:1], noise)
            if way is None:
                return False
            self.insert(site, way)
        return True

    def reroute(self, site: int) -> None:
        """Lead each way of a site anew, with the others as they are."""
        each = self.sites[site]
        for k in range(len(self.ways[site])):
            before, cost = self.ways[site], self.cost
            others = before[:k] + before[k + 1 :]
            self.put(site, others)
            closed = np.zeros(self.used.size, np.uint8)
            if each.protect and others:
                kernels.close(self.common(site, others), *self.network.members, closed)
            way = self.route(site, closed)
            if way is not None:
                self.put(site, (*others[:k], way, *others[k:]))
            if way is None or self.cost > cost or self._unsafe(site, before):
                self.put(site, before)

    def _unsafe(self, site: int, before: Sequence[Way]) -> bool:
        if not self.sites[site].protect:
            return False
        return self.common(site, self.ways[site]).size > self.common(site, before).size

    # Search

    def polish(self) -> None:
        """Lead the ways of all sites anew, one by one."""
        for site in self.random.permutation(len(self.sites)).tolist():
            self.reroute(site)

    def improve(self, stale: int, has_time: Callable[[], bool]) -> None:
        """Take out and lead anew until time is up or so many tries were in vain.

        Parameters
        ----------
        stale
            Tries.
        has_time
            Says whether to go on.
        """
        if not self.sites:
            return
        self.polish()
        best, best_cost = list(self.ways), self.cost
        failed = 0
        while failed < stale and has_time():
            before, cost = list(self.ways), self.cost
            self._try()
            now = self.cost
            if now < best_cost * (1.0 - 1e-9):
                best, best_cost, failed = list(self.ways), now, 0
                continue
            failed += 1
            if now > max(cost, best_cost * (1.0 + _SLACK * self.random.random())):
                self.restore(before)
        self.restore(best)

    def restore(self, ways: Sequence[tuple[Way, ...]]) -> None:
        """Lead all sites as they were led before."""
        for site, kept in enumerate(ways):
            if self.ways[site] is not kept:
                self.put(site, kept)
                self.ways[site] = kept

    def _try(self) -> None:
        """Take some sites out and lead them anew; as it was where that cannot be done."""
        chosen = self._near() if self.random.random() < 0.4 else self._dear()
        before = [self.ways[site] for site in chosen]
        for site in chosen:
            self.remove(site)
        spread = float(self.random.choice([0.0, 0.1, 0.4]))
        noise = 1.0 + spread * self.random.random(self.used.size) if spread else 1.0
        done = True
        for site in self.random.permutation(chosen).tolist():
            done = done and self.place(site, noise)
        self.capped[:] = False
        if not done:
            for site, ways in zip(chosen, before, strict=True):
                self.put(site, ways)
            return
        for site in chosen:
            self.reroute(site)

    def _near(self) -> list[int]:
        """Choose sites whose ways share edges."""
        centre = int(self.random.integers(len(self.sites)))
        mine = np.zeros(self.used.size, bool)
        for way in self.ways[centre]:
            mine[_flat(way)] = True
        mine &= ~self.network.is_live
        shared = [
            sum(int(mine[_flat(way)].sum()) for way in ways) if k != centre else 0
            for k, ways in enumerate(self.ways)
        ]
        weight = np.array(shared, float) + 1e-3
        weight[centre] = 0.0
        count = min(int(self.random.integers(1, _MOST_OUT)), len(self.sites) - 1)
        if not count:
            return [centre]
        others = self.random.choice(weight.size, count, replace=False, p=weight / weight.sum())
        return [centre, *others.tolist()]

    def _dear(self) -> list[int]:
        """Choose the sites whose ways take an edge that costs much, and close it for them."""
        net = self.network
        price = np.where(self.used > net.free_cores, net.instead_cost, net.cost)
        price = np.where((self.used > 0) & ~net.is_live, price, 0.0)
        if price.sum() <= 0.0:
            return self._near()
        edge = int(self.random.choice(price.size, p=price / price.sum()))
        found = [
            site
            for site, ways in enumerate(self.ways)
            if any(edge in run for way in ways for run in way)
        ]
        self.capped[edge] = True
        return self.random.permutation(found)[: 2 * _MOST_OUT].tolist()


def _flat(way: Way) -> Ints:
    return np.array([edge for run in way for edge in run], np.int64)
