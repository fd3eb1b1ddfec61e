"""The ways of a ring: led through what is built, and anew where one trench takes them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planning.network_problem import Whole
from planning.ring_routes import RouteNetwork, RouteSearch, RouteSite, Way

if TYPE_CHECKING:
    from planning.network_designer import Designer

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Progress = Callable[[float], None]

#: How many times ways are led anew because those of a protected site lie in one trench.
_ROUNDS = 9

#: Tries without success after which the search for better ways ends.
STALE = 1500


class Clock:
    """A time limit in parts, and the progress in it."""

    def __init__(self, limit_s: float, on_progress: Progress) -> None:
        self.start_s = time.monotonic()
        self.limit_s = limit_s
        self.on_progress = on_progress

    def until(self, share: float) -> Callable[[], bool]:
        """Return what says whether less than a share of the time is spent."""

        def has_time() -> bool:
            spent = (time.monotonic() - self.start_s) / max(self.limit_s, 1e-9)
            self.on_progress(min(spent, 1.0))
            return spent < share

        return has_time


class Leader:
    """Ways of the sites of a ring, none of which one trench takes off.

    Parameters
    ----------
    designer
        The designer.
    whole
        Its network.
    protect_todo, protect_live
        As in `Designer.ring`.
    """

    def __init__(
        self, designer: Designer, whole: Whole, protect_todo: Bools, protect_live: Ints
    ) -> None:
        problem = designer.problem
        self.designer, self.whole = designer, whole
        self.names = [(False, k) for k in np.flatnonzero(problem.node >= 0).tolist()]
        self.names += [(True, k) for k in protect_live.tolist()]
        self.protect = np.array([is_live or protect_todo[k] for is_live, k in self.names], bool)
        self.node = np.array(
            [(problem.live_node if is_live else problem.node)[k] for is_live, k in self.names],
            np.int64,
        )
        self.search = self._search()

    def _search(self) -> RouteSearch:
        """Return a search for ways, which knows the trenches found so far."""
        designer, whole = self.designer, self.whole
        edges = designer.problem.task.edges
        real = whole.stretch >= 0
        network = RouteNetwork(
            whole.n_nodes,
            whole.tail,
            whole.head,
            whole.length_m,
            whole.cost,
            np.where(real, edges.instead_cost[whole.stretch], 0.0),
            np.where(real, edges.free_cores[whole.stretch], np.inf),
            ~real,
            designer.problem.live_node,
            whole.roots,
            {**whole.groups, **designer.trenches},
        )
        hopeless = network.hopeless(self.node[self.protect])
        sites = [
            RouteSite(
                int(node),
                int(node) if is_live else whole.n_nodes + k,
                bool(safe),
                hopeless.get(int(node), frozenset()) if safe else frozenset(),
            )
            for (is_live, k), node, safe in zip(self.names, self.node, self.protect, strict=True)
        ]
        return RouteSearch(network, sites, designer.request.cores_per_site)

    def begin(self, known: Sequence[Mapping[tuple[bool, int], tuple[Way, ...]]]) -> None:
        """Lead all sites, as in one of the known ways where that costs less."""
        search = self.search
        best: list[tuple[Way, ...]] | None = None
        least = np.inf
        for ways in [{}, *known]:
            for site, name in enumerate(self.names):
                there = ways.get(name, ())
                if there and not self.protect[site]:
                    there = there[:1]
                search.put(site, there)
                if not there or search.open_risks(site).size:
                    search.remove(site)
            for site in range(len(self.names)):
                if not search.ways[site]:
                    search.place(site)
            if search.cost < least:
                best, least = list(search.ways), search.cost
        search.restore(best or [])

    def restrict(self, edges: Ints, has_time: Callable[[], bool]) -> None:
        """Lead all sites within some edges and improve that; keep it where it costs less."""
        search = self.search
        before, cost = list(search.ways), search.cost
        outside = np.ones(self.whole.tail.size, bool)
        outside[edges] = False
        outside &= self.whole.stretch >= 0
        for site in range(len(self.names)):
            search.remove(site)
        search.closed |= outside
        done = all(search.place(site) for site in range(len(self.names)))
        search.closed[:] = False
        if done:
            search.improve(STALE, has_time)
        if not done or search.cost >= cost:
            search.restore(before)

    def improve(self, has_time: Callable[[], bool]) -> None:
        """Search for cheaper ways, and lead those anew that lie in one trench."""
        self.search.improve(STALE, has_time)
        for _ in range(_ROUNDS):
            choice = self.designer.of_ways(self, 0.0, {})
            again = self.designer.one_trench(choice, self.node[self.protect])
            known = self.designer.trenches
            if all(name in known and np.array_equal(known[name], e) for name, e in again.items()):
                # None, or only such as the search knows and nothing leads round.
                return
            known.update(again)
            before = list(self.search.ways)
            self.search = self._search()
            self.search.restore(before)
            guarded = np.flatnonzero(self.protect).tolist()
            taken_off = [site for site in guarded if self.search.open_risks(site).size]
            if not taken_off:
                # Nothing leads round these trenches.
                return
            for site in taken_off:
                kept = self.search.ways[site]
                self.search.remove(site)
                if not self.search.place(site) and not self.search.ways[site]:
                    self.search.put(site, kept)
            for site in taken_off:
                self.search.reroute(site)
