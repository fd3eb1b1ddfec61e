"""Which stretches of fibre a dedicated network needs: trees, budgets and rings.

A tree connects all sites at least cost (`planning.steiner`), or those that are worth
most for a budget (`planning.prize_collecting`), cut to what that pays with new and large
cables (`planning.network_budget`); a ring gives chosen sites a second way.
Every new link has fibres of its own all along its way: where those that are free in a
cable do not suffice, a new cable is priced in its place. Trees are searched for again
with these prices; ways are led through what is free (`planning.ring_routes`). Bounds are
those of networks whose cables have fibres without end (`planning.ring_design`), but for
cables with too few for a single link, which count as new from the start.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.sparse
import shapely
from numpy.typing import NDArray

from data import schema
from data.errors import InputError
from planning import cost, dedicated_network, fibre, route_graph
from planning import network_problem as numbers
from planning.dedicated_network import Inventory
from planning.network_budget import SharedWays
from planning.network_leader import STALE, Clock, Leader
from planning.network_problem import PROTECT, Whole
from planning.prize_collecting import budget_tree, cost_benefit_curve
from planning.resilience import single_failures
from planning.ring_design import Exposure, ring_design
from planning.ring_routes import Way
from planning.steiner import relative_gap, steiner_tree

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Progress = Callable[[float], None]

#: Capacity of a new link, each way. [Mbit/s]
LINK_MBPS = 1000.0

#: Time for the search where the request has no limit: design and trade-off together. [s]
TIME_S = 12.0

#: Shares of it: the tree beside a ring or alone, the ring, all budgets and all steps of
#: protection of the trade-off.
TREE_BESIDE, TREE_ALONE, RING, BUDGETS, STEPS = 0.12, 0.6, 0.5, 0.1, 0.28

#: Shares for a budget: trees for it, and the tree of all sites that is cut to it.
_TREES_FOR, _TREE_TO_CUT = 0.3, 0.4

#: Shares of a tree's time for the first try, whose bound holds, and for one that follows.
_FIRST, _NEXT = 0.5, 0.06

#: Shares of a ring's time for leading ways first, and for the bound, in which a design
#: without regard to fibres is found, too. The second pair is for networks in which no cable
#: can run out of fibres: there that design is the one.
_LEAD, _BOUND = (0.1, 0.02), (0.5, 0.93)

#: Share that is spent when ways have been led within that design; then they are led anew.
_WITHIN = 0.95

#: Shares of the bound's time in which it looks for designs itself.
_SEARCH = (0.15, 0.4)

#: How many times a tree is made anew because cables have too few free cores.
_TREE_ROUNDS = 25


def _silent(_: float) -> None:
    return None


@dataclass(frozen=True)
class NetworkDesignRequest:
    """What is to be designed.

    Parameters
    ----------
    protect
        Sites that no single link or duct section shall cut off, of `PROTECT`.
    on
        Day of the network that is extended; None for the state as recorded.
    zones
        Codes of the zones whose sites are connected and protected; None for all.
    budget
        What may be spent, in the currency of the unit costs; None to connect all.
    owner, cores_per_site, road_items, reach_m, time_limit_s
        As in `planning.fibre.DesignRequest`; cores count for each link.
    points
        Steps of the trade-off: so many budgets up to the whole cost, and so many shares
        of the sites to protect; 0 to leave it out.
    """

    protect: tuple[str, ...] = ()
    on: str | None = None
    zones: tuple[str, ...] | None = None
    budget: float | None = None
    owner: str | None = None
    cores_per_site: int = 2
    road_items: tuple[str, ...] = route_graph.ROAD_ITEMS
    reach_m: float = 2_000.0
    time_limit_s: float | None = None
    points: int = 4

    def __post_init__(self) -> None:
        self.routes()
        for name in self.protect:
            if name not in PROTECT:
                raise InputError(
                    "There are no sites called {value} to protect (expected some of {expected})",
                    value=name,
                    expected=", ".join(PROTECT),
                )
        dedicated_network.as_day(self.on)

    def routes(self) -> fibre.DesignRequest:
        """Return the rules of the routes."""
        return fibre.DesignRequest(
            zones=self.zones,
            owner=self.owner,
            cores_per_site=self.cores_per_site,
            budget=self.budget,
            road_items=self.road_items,
            reach_m=self.reach_m,
            time_limit_s=self.time_limit_s,
        )


# ----------------------------------------------------------------------------------------
# Choosing stretches


@dataclass(frozen=True, eq=False)
class _Link:
    """A new link along stretches."""

    start: str
    end: str
    edges: tuple[int, ...]  # of the whole network
    project: Project  # that it is first needed for


#: What a site gets: ``"connect"`` or ``"protect"``, whether it is live, and its position.
Project = tuple[str, bool, int]


@dataclass(frozen=True, eq=False)
class Choice:
    """Stretches that are built, and what is proven about the choice.

    Parameters
    ----------
    edges
        The stretches as they are priced.
    whole
        The network of stretches and live links.
    chosen
        Edges of it that are built.
    links
        New links along them.
    needs
        Edges that each project needs.
    connected
        Which of the sites to connect are.
    cost, bound, gap
        Typical cost of the routes, and what is proven.
    exposed
        Failures that nothing protects from, by node.
    ways
        Of a ring: the ways of each site, by whether it is live and its position.
    objective
        What bound and gap are about: ``"cost"``, the least that does the same costs, or
        ``"value"``, the most criticality that the budget can connect.
    """

    edges: fibre.Edges
    whole: Whole
    chosen: Ints
    links: tuple[_Link, ...]
    needs: Mapping[Project, tuple[int, ...]]
    connected: Bools
    cost: float
    bound: float
    gap: float
    exposed: Mapping[int, list[Exposure]]
    ways: Mapping[tuple[bool, int], tuple[Way, ...]] = field(default_factory=dict)
    objective: str = "cost"


class Designer:
    """Designs of one problem: for all sites, a budget, or some sites to protect."""

    def __init__(self, problem: numbers.Problem, request: NetworkDesignRequest) -> None:
        self.problem = problem
        self.request = request
        self.limit_s = TIME_S if request.time_limit_s is None else request.time_limit_s
        self.costs = problem.task.costs
        self.first_whole: Whole | None = None
        self.made_tree: Choice | None = None
        #: Trenches of several sections that were found to take all ways of some site.
        self.trenches: dict[str, Ints] = {}
        live = problem.live.sites["site_id"].to_numpy(dtype=object)
        self.site_at = dict(zip(problem.live_node.tolist(), live.tolist(), strict=True))

    def whole(self, edges: fibre.Edges) -> Whole:
        """Return the network; what fails together does not depend on prices."""
        if self.first_whole is None:
            self.first_whole = numbers.whole_network(self.problem, edges)
        known = self.first_whole
        price = np.where(known.stretch >= 0, edges.cost[known.stretch], 0.0)
        return replace(known, cost=price)

    @property
    def site_cost(self) -> float:
        """Typical cost of the equipment of a site that gets one link."""
        return (
            self.costs["router_access"].cost.typical + 2 * self.costs["optical_module"].cost.typical
        )

    def tree(self, on_progress: Progress = _silent, *, share: float = TREE_ALONE) -> Choice:
        """Connect all sites at least cost, within a share of the time limit."""
        if self.made_tree is None:
            self.made_tree = self._tree(on_progress, share * self.limit_s)
        return self.made_tree

    def _tree(self, on_progress: Progress, limit_s: float) -> Choice:
        problem = self.problem
        terminals = problem.node[problem.node >= 0]
        root = problem.task.root
        if root is None or not len(terminals):
            return self._within_cores(
                lambda _, __: (np.zeros(0, np.int64), 0.0), on_progress, limit_s
            )

        def solve(edges: fibre.Edges, time_limit_s: float) -> tuple[Ints, float]:
            found = steiner_tree(
                edges.tail,
                edges.head,
                edges.cost,
                np.r_[terminals, root],
                time_limit_s=time_limit_s,
                on_progress=on_progress,
            )
            return found.edges, found.lower_bound

        return self._within_cores(solve, on_progress, limit_s)

    def for_budget(self, budget: float, on_progress: Progress = _silent) -> Choice:
        """Connect the sites that are worth most for a budget."""
        problem, edges = self.problem, self.problem.task.edges
        there = np.flatnonzero(problem.node >= 0)
        extra = problem.n_nodes + np.arange(len(there))
        worth = self.worth
        root = problem.task.root
        if root is None or not len(there):
            return self.tree(on_progress)

        def solve(now: fibre.Edges, time_limit_s: float) -> tuple[Ints, float]:
            # The equipment of a site is an edge behind it.
            found = budget_tree(
                np.r_[now.tail, problem.node[there]],
                np.r_[now.head, extra],
                np.r_[now.cost, np.full(len(there), self.site_cost)],
                dict(zip(extra.tolist(), worth[there].tolist(), strict=True)),
                [root],
                budget,
                time_limit_s=time_limit_s,
                on_progress=on_progress,
            )
            return found.edges, found.upper_bound

        def mask(chosen: Ints) -> Bools:
            served = np.zeros(len(problem.todo), dtype=bool)
            served[there[chosen[chosen >= len(edges.tail)] - len(edges.tail)]] = True
            return served

        def rank(choice: Choice) -> tuple[float, float]:
            return -self.value(choice), self.price(choice)

        made = self._within_cores(
            solve,
            on_progress,
            _TREES_FOR * self.limit_s,
            mask,
            lambda choice: self.paid(choice, budget),
            rank,
        )
        # What connects all at least cost, without regard to the budget, may be cut better.
        cut = self.paid(self.tree(on_progress, share=_TREE_TO_CUT), budget)
        return self._valued(min(made, cut, key=rank), made.bound)

    def price(self, choice: Choice) -> float:
        """Return the typical cost of a choice, equipment and large cables included."""
        return cost.total(self.bill(choice)).typical

    def value(self, choice: Choice) -> float:
        """Return the worth of the sites that a choice connects."""
        return float(self.worth[choice.connected].sum())

    def _valued(self, choice: Choice, bound: float) -> Choice:
        """Return a choice for a budget with a bound of what any is worth."""
        value = self.value(choice)
        bound = max(bound, value)
        gap = (bound - value) / bound if bound > 0.0 else 0.0
        return replace(choice, objective="value", bound=bound, gap=gap)

    def paid(self, choice: Choice, budget: float) -> Choice:
        """Return what is left of a tree when a budget is to pay all that it needs.

        Parameters
        ----------
        choice
            A tree with a way for each site that it connects.
        budget
            What may be spent, equipment, new cables and large cables included.

        Returns
        -------
        Choice
            A choice whose `price` the budget pays; without any site as a last resort.
        """
        sites = np.array([site for _, _, site in choice.needs], dtype=np.int64)
        ways = self._shared_ways(choice, sites)
        keep = ways.affordable(budget, np.ones(len(sites), dtype=bool))
        return self._of_sites(choice, sites[keep])

    def _shared_ways(self, choice: Choice, sites: Ints) -> SharedWays:
        """Return the ways of a tree with what they cost by their number."""
        whole, edges = choice.whole, self.problem.task.edges
        count = self.request.cores_per_site
        rows = [np.full(len(way), row) for row, way in enumerate(choice.needs.values())]
        used = np.array([e for way in choice.needs.values() for e in way], dtype=np.int64)
        there, column = np.unique(used, return_inverse=True)
        uses = scipy.sparse.csr_array(
            (np.ones(len(used)), (np.concatenate([*rows, np.zeros(0, int)]), column)),
            shape=(len(sites), len(there)),
        )
        stretch = whole.stretch[there]
        fibres = count * np.arange(len(sites) + 1)
        size = np.array([fibre.cable_size(int(number)) for number in fibres])
        beyond = np.maximum(size - fibre.INCLUDED_CORES, 0) * (fibres > 0)
        over = fibres[:, None] > edges.free_cores[stretch]
        as_is = edges.item[stretch] == "spare_cores"
        large = beyond[:, None] * edges.length_m[stretch] * self._typical("cable_per_core")
        price = np.where(over, edges.instead_cost[stretch], edges.cost[stretch])
        price = (price + np.where(as_is & ~over, 0.0, large)) * (fibres > 0)[:, None]
        at = np.searchsorted(sites, [link.project[2] for link in choice.links])
        modules = 2.0 * np.bincount(at, minlength=len(sites)).astype(np.float64)
        own = self._typical("router_access") + modules * self._typical("optical_module")
        return SharedWays(uses, self.worth[sites], own, price)

    def _typical(self, item: str) -> float:
        return self.costs[item].cost.typical

    def _of_sites(self, choice: Choice, sites: Ints) -> Choice:
        """Return what some sites need of a tree, with new cables only where these need them."""
        kept = set(sites.tolist())
        connected = np.zeros(len(self.problem.todo), dtype=bool)
        connected[sites] = True
        needs = {project: way for project, way in choice.needs.items() if project[2] in kept}
        links = tuple(link for link in choice.links if link.project in needs)
        return self._needed(replace(choice, connected=connected), needs, links)

    @property
    def worth(self) -> Floats:
        """Worth of the sites to connect."""
        return self.problem.todo["criticality"].to_numpy(np.float64)

    def budgets(self, budgets: Sequence[float], on_progress: Progress = _silent) -> list[Choice]:
        """Return what each of several budgets connects."""
        problem, edges = self.problem, self.problem.task.edges
        there = np.flatnonzero(problem.node >= 0)
        root = problem.task.root
        if root is None or not len(there):
            return []
        extra = problem.n_nodes + np.arange(len(there))
        found = cost_benefit_curve(
            np.r_[edges.tail, problem.node[there]],
            np.r_[edges.head, extra],
            np.r_[edges.cost, np.full(len(there), self.site_cost)],
            dict(zip(extra.tolist(), self.worth[there].tolist(), strict=True)),
            [root],
            list(budgets),
            time_limit_s=BUDGETS * self.limit_s,
            on_progress=on_progress,
        )
        made = []
        for tree in found:
            served = np.zeros(len(problem.todo), dtype=bool)
            served[there[tree.edges[tree.edges >= len(edges.tail)] - len(edges.tail)]] = True
            choice = self._chosen(edges, tree.edges[tree.edges < len(edges.tail)], served)
            made.append(self._valued(self.paid(choice, tree.budget), tree.upper_bound))
        return made

    def _within_cores(
        self,
        solve: Callable[[fibre.Edges, float], tuple[Ints, float]],
        on_progress: Progress,
        limit_s: float,
        served: Callable[[Ints], Bools] | None = None,
        pay: Callable[[Choice], Choice] | None = None,
        rank: Callable[[Choice], tuple[float, ...]] = lambda choice: (choice.cost,),
    ) -> Choice:
        """Solve until no cable carries more than its free cores; the first bound holds.

        Where a cable has too few, a new one is priced in its place and all is tried
        again, for some rounds; the best choice with all new cables paid is returned.
        """
        edges = self.problem.task.edges
        bound = 0.0
        best: Choice | None = None
        end_s = time.monotonic() + limit_s
        for number in range(_TREE_ROUNDS):
            chosen, proven = solve(edges, (_NEXT if number else _FIRST) * limit_s)
            bound = bound if number else proven
            real = chosen[chosen < len(edges.tail)]
            connected = self.problem.node >= 0 if served is None else served(chosen)
            choice = self._chosen(edges, real, connected)
            over = self._over(choice)
            payable = self._with_cables(choice, over) if pay is None else pay(choice)
            if best is None or rank(payable) < rank(best):
                best = payable
            if not over.any() or time.monotonic() > end_s:
                break
            edges = edges.with_new_cables(over)
        on_progress(1.0)
        if best is None:
            raise RuntimeError("no design was made")
        return replace(best, bound=bound, gap=relative_gap(best.cost, bound))

    def _with_cables(self, choice: Choice, over: Bools) -> Choice:
        """Return a choice with new cables where there are too few free cores."""
        if not over.any():
            return choice
        edges = choice.edges.with_new_cables(over)
        whole = self.whole(edges)
        total = float(whole.cost[choice.chosen].sum())
        return replace(choice, edges=edges, whole=whole, cost=total)

    def _chosen(self, edges: fibre.Edges, stretches: Ints, connected: Bools) -> Choice:
        """Return the choice of a tree of stretches, with one link for each site."""
        whole = self.whole(edges)
        # The first copy of a stretch; the others are second lead-ins.
        first = np.full(len(edges.tail), -1, dtype=np.int64)
        real = np.flatnonzero(whole.stretch >= 0)[::-1]
        first[whole.stretch[real]] = real
        positions = first[stretches]
        positions = np.sort(positions[positions >= 0])
        ways = numbers.Ways(whole, np.r_[positions, np.flatnonzero(whole.link >= 0)])
        links = []
        needs: dict[Project, tuple[int, ...]] = {}
        length = whole.length_m[ways.chosen]
        for site in np.flatnonzero(connected).tolist():
            way = ways.shortest(int(self.problem.node[site]), length)
            if way is not None:
                project = ("connect", False, site)
                links += self._runs(whole, way, project)
                needs[project] = tuple(edge for edge in way if whole.stretch[edge] >= 0)
        total = float(edges.cost[stretches].sum())
        return Choice(edges, whole, positions, tuple(links), needs, connected, total, 0.0, 0.0, {})

    def _runs(self, whole: Whole, way: Sequence[int], project: Project) -> list[_Link]:
        """Part a way into new links, each between two places where the network is or will be."""
        name, node = self._place(project)
        found: list[_Link] = []
        run: list[int] = []
        for edge in way:
            if whole.link[edge] >= 0:
                if run:
                    found.append(_Link(name, self.site_at[node], tuple(run), project))
                run = []
            else:
                run.append(edge)
            node = int(whole.tail[edge] + whole.head[edge]) - node
            if not run:
                name = self.site_at[node]
        if run:
            found.append(_Link(name, self.site_at[node], tuple(run), project))
        return found

    def _over(self, choice: Choice) -> Bools:
        """Return which stretches carry more fibres than are free."""
        used = np.zeros(len(choice.edges.tail), dtype=np.int64)
        for link in choice.links:
            stretches = np.unique(choice.whole.stretch[list(link.edges)])
            used[stretches] += self.request.cores_per_site
        return used > choice.edges.free_cores

    # Rings

    def ring(
        self,
        protect_todo: Bools,
        protect_live: Ints,
        *,
        share: float = RING,
        start: Sequence[Choice] = (),
        on_progress: Progress = _silent,
    ) -> Choice:
        """Connect all sites, and some of them so that no single cut takes them off.

        Parameters
        ----------
        protect_todo
            Which of the sites to connect are to be protected.
        protect_live
            Positions of the live sites to protect.
        share
            Of the time limit.
        start
            Choices to start from, where they protect as many and more, or none.
        """
        problem, edges = self.problem, self.problem.task.edges
        whole = self.whole(edges)
        limit_s = share * self.limit_s
        there = problem.node >= 0
        protect = np.r_[problem.node[there & protect_todo], problem.live_node[protect_live]]
        clock = Clock(limit_s, on_progress)
        leader = Leader(self, whole, protect_todo, protect_live)
        leader.begin([choice.ways for choice in start])
        scarce = 0 if leader.search.scarce else 1
        lead, bound = _LEAD[scarce], _BOUND[scarce]
        leader.search.improve(STALE, clock.until(lead))
        live = np.flatnonzero(whole.link >= 0)
        found = ring_design(
            whole.n_nodes,
            whole.tail,
            whole.head,
            whole.cost,
            whole.roots,
            problem.node[there],
            protect=protect,
            groups=whole.groups,
            known=[np.r_[np.flatnonzero(leader.search.used), live]],
            time_limit_s=bound * limit_s,
            search_share=_SEARCH[scarce],
            on_progress=lambda done: on_progress(lead + bound * done),
        )
        if leader.search.cost > found.lower_bound * (1.0 + 1e-9):
            leader.restrict(found.edges, clock.until(_WITHIN))
            leader.improve(clock.until(1.0))
        return self.of_ways(leader, found.lower_bound, found.exposed)

    def of_ways(
        self, leader: Leader, bound: float, exposed: Mapping[int, list[Exposure]]
    ) -> Choice:
        """Return the choice that ways make."""
        whole = leader.whole
        links: dict[tuple[str, str, tuple[int, ...]], _Link] = {}
        needs: dict[Project, tuple[int, ...]] = {}
        connected = np.zeros(len(self.problem.todo), dtype=bool)
        known: dict[tuple[bool, int], tuple[Way, ...]] = {}
        for (is_live, position), ways in zip(leader.names, leader.search.ways, strict=True):
            known[is_live, position] = ways
            if not is_live:
                connected[position] = bool(ways)
            for number, way in enumerate(ways):
                kind = "protect" if is_live or number else "connect"
                project = (kind, is_live, position)
                mine = {edge for run in way for edge in run if whole.stretch[edge] >= 0}
                needs[project] = tuple(sorted(mine.union(needs.get(project, ()))))
                for link in self._new_links(whole, way, project):
                    links.setdefault(_key(link), link)
        chosen = np.flatnonzero(leader.search.used).astype(np.int64)
        choice = Choice(
            self.problem.task.edges,
            whole,
            chosen,
            tuple(links.values()),
            needs,
            connected,
            float(whole.cost[chosen].sum()),
            bound,
            0.0,
            exposed,
            known,
        )
        made = self._with_cables(choice, self._over(choice))
        return replace(made, gap=relative_gap(made.cost, bound))

    def _new_links(self, whole: Whole, way: Way, project: Project) -> list[_Link]:
        """Return the new links of a way, each between two places with routers."""
        name, node = self._place(project)
        found = []
        for run in way:
            start = name
            for edge in run:
                node = int(whole.tail[edge] + whole.head[edge]) - node
            name = self.site_at[node]
            if whole.link[run[0]] < 0:
                found.append(_Link(start, name, run, project))
        return found

    def _place(self, project: Project) -> tuple[str, int]:
        """Return the name and the node of a project's site."""
        _, is_live, position = project
        if is_live:
            node = int(self.problem.live_node[position])
            return self.site_at[node], node
        node = int(self.problem.node[position])
        return str(self.problem.todo["site_id"].iloc[position]), node

    def with_less(self, choice: Choice, protect_todo: Bools, protect_live: Ints) -> Choice:
        """Return what is left of a choice if only some of its protected sites stay so.

        Parameters
        ----------
        choice
            From `ring`.
        protect_todo, protect_live
            Sites that stay protected.
        """
        stay = set(protect_live.tolist())
        needs = {
            (kind, is_live, position): edges
            for (kind, is_live, position), edges in choice.needs.items()
            if kind == "connect" or (position in stay if is_live else protect_todo[position])
        }
        inside = [set(edges) for edges in needs.values()]
        links = tuple(
            link
            for link in choice.links
            if link.project in needs or any(edges.issuperset(link.edges) for edges in inside)
        )
        return self._needed(choice, needs, links)

    def _needed(
        self, choice: Choice, needs: dict[Project, tuple[int, ...]], links: tuple[_Link, ...]
    ) -> Choice:
        """Return a choice of what some projects need, with new cables where these need them."""
        used = {edge for edges in needs.values() for edge in edges}
        edges = self.problem.task.edges
        whole = self.whole(edges)
        chosen = np.array(sorted(used), dtype=np.int64)
        total = float(whole.cost[chosen].sum())
        rest = replace(
            choice, edges=edges, whole=whole, chosen=chosen, links=links, needs=needs, cost=total
        )
        return self._with_cables(rest, self._over(rest))

    def ring_or_less(
        self,
        full: Choice,
        protect_todo: Bools,
        protect_live: Ints,
        *,
        share: float,
    ) -> Choice:
        """Return the cheaper one of a new ring for some sites and what is left of a full one."""
        less = self.with_less(full, protect_todo, protect_live)
        made = self.ring(protect_todo, protect_live, share=share, start=[full])
        best = min(less, made, key=lambda choice: choice.cost)
        return replace(best, bound=made.bound, gap=relative_gap(best.cost, made.bound))

    def one_trench(self, choice: Choice, protect: Ints) -> dict[str, Ints]:
        """Return trenches of several sections that cut off a protected site all the same.

        Sections side by side with one that lies between are one trench, too, though not
        each beside each other: this depends on what is built.
        """
        whole = choice.whole
        used: dict[str, list[int]] = {}
        in_use = np.r_[choice.chosen, np.flatnonzero(whole.link >= 0)]
        for edge in in_use.tolist():
            for name in self.sections(choice, edge):
                used.setdefault(name, []).append(edge)
        lines = self.section_lines(choice)
        fake = pd.DataFrame({"route": list(used), "provider": None})
        groups = {}
        members = dedicated_network.risk_groups(fake, lines)
        names = list(used)
        for name, rows in members.items():
            if name.startswith("trench:") and len(rows) > 2:
                inside = {edge for row in rows.tolist() for edge in used[names[row]]}
                groups[name] = np.array(sorted(inside), dtype=np.int64)
        if not groups:
            return {}
        place = np.full(len(whole.tail), -1, dtype=np.int64)
        place[in_use] = np.arange(len(in_use))
        failures = single_failures(
            whole.n_nodes,
            whole.tail[in_use],
            whole.head[in_use],
            whole.roots,
            groups={name: place[edges] for name, edges in groups.items()},
        )
        bad = {}
        for name, edges in groups.items():
            known = {
                site
                for site, exposures in choice.exposed.items()
                if any(each.name == name for each in exposures)
            }
            lost = set(np.intersect1d(failures.lost_by_group(name), protect).tolist())
            if lost - known:
                bad[name] = edges
        return bad

    # What a choice means

    def sections(self, choice: Choice, edge: int) -> tuple[str, ...]:
        """Return the names of the duct sections of an edge of the whole network."""
        link = int(choice.whole.link[edge])
        if link >= 0:
            return self.problem.route[link]
        stretch = int(choice.whole.stretch[edge])
        piece = self.problem.piece[stretch]
        if piece is not None:
            return (str(piece),)
        if self.is_lead[stretch]:
            return ()
        return (self.problem.new_section(stretch),)

    @cached_property
    def is_lead(self) -> Bools:
        """Which stretches are short lead-ins."""
        return numbers.is_lead(self.problem.task, self.problem.task.edges)

    def section_lines(self, choice: Choice) -> gpd.GeoDataFrame:
        """Return all duct sections with those that are new."""
        stretches = np.unique(choice.whole.stretch[choice.chosen])
        piece = self.problem.piece[stretches]
        new = stretches[(piece == None) & ~self.is_lead[stretches]]  # noqa: E711
        names = np.array(
            [self.problem.new_section(stretch) for stretch in new.tolist()], dtype=object
        )
        there = self.problem.pieces
        return gpd.GeoDataFrame(
            {"segment_id": np.r_[there["segment_id"].to_numpy(dtype=object), names]},
            geometry=np.r_[there.geometry.to_numpy(), choice.edges.line[new]],
            crs=self.problem.task.graph.crs,
        )

    def links(self, choice: Choice) -> pd.DataFrame:
        """Return the new links as rows of the layer `network_links`."""
        problem = self.problem
        need = pd.concat([problem.todo, problem.live.sites]).set_index("site_id")["bandwidth_mbps"]
        taken = set(problem.inventory.links["link_id"])
        rows: list[dict[str, Any]] = []
        number = 0
        for link in choice.links:
            number += 1
            while f"NEW-{number:03d}" in taken:
                number += 1
            names = [name for edge in link.edges for name in self.sections(choice, edge)]
            wanted = need.reindex([link.start, link.end]).max()
            rows.append(
                {
                    "link_id": f"NEW-{number:03d}",
                    "from_site": link.start,
                    "to_site": link.end,
                    "provider": None,
                    "medium": "fibre",
                    "ownership": "own",
                    "capacity_mbps": float(np.nanmax([LINK_MBPS, wanted])),
                    "status": "planned",
                    "route": schema.LIST_SEPARATOR.join(dict.fromkeys(names)) or None,
                }
            )
        empty = schema.empty_frame(dedicated_network.LINKS)
        columns = {name: empty[name].dtype for name in empty.columns}
        return pd.DataFrame(rows, columns=list(columns)).astype(columns)

    def link_lines(self, choice: Choice, links: pd.DataFrame) -> gpd.GeoDataFrame:
        """Return the new links with their ways."""
        lines = []
        length = []
        for link in choice.links:
            stretches = choice.whole.stretch[list(link.edges)]
            parts = [line for line in choice.edges.line[stretches] if line is not None]
            lines.append(shapely.MultiLineString(parts))
            length.append(float(choice.edges.length_m[stretches].sum()))
        return gpd.GeoDataFrame(
            links.assign(length_m=length), geometry=lines, crs=self.problem.task.graph.crs
        )

    def inventory(
        self,
        choice: Choice,
        *,
        connected: Bools | None = None,
        built: NDArray[np.bool_] | None = None,
    ) -> Inventory:
        """Return the layers as they will be, on the day of the design.

        Parameters
        ----------
        choice
            What is built in the end.
        connected
            Which of the sites to connect are by then; None for all that will be.
        built
            Which edges of the whole network are by then; None for all that will be.
        """
        problem = self.problem
        connected = choice.connected if connected is None else connected
        kept = [name for name in problem.inventory.sites.columns if name in problem.todo]
        new = problem.todo.loc[connected, kept].assign(status="connected")
        old = problem.live.sites[kept].assign(status="connected")
        sites = pd.concat([old, new], ignore_index=True)
        for name in ("connected_on", "planned_on", "valid_from", "valid_to"):
            sites[name] = pd.Series(None, index=sites.index, dtype=sites[name].dtype)
        routes = [schema.LIST_SEPARATOR.join(names) or None for names in problem.route]
        live = problem.live.links.assign(
            route=pd.Series(routes, index=problem.live.links.index, dtype=object),
            status="existing",
        )
        added = self.links(choice).assign(status="existing")
        if built is not None:
            done = [bool(built[list(link.edges)].all()) for link in choice.links]
            there = set(sites["site_id"])
            done = [
                yes and link.start in there and link.end in there
                for yes, link in zip(done, choice.links, strict=True)
            ]
            added = added[np.array(done, dtype=bool)]
        links = live if added.empty else pd.concat([live, added], ignore_index=True)
        return Inventory(
            gpd.GeoDataFrame(sites, geometry=old.geometry.name, crs=old.crs),
            links,
            problem.inventory.zones,
            self.section_lines(choice),
        )

    def cores(self, choice: Choice) -> dict[int, int]:
        """Return how many fibres run through each edge of the whole network."""
        found: dict[int, int] = {}
        for link in choice.links:
            for edge in link.edges:
                found[edge] = found.get(edge, 0) + self.request.cores_per_site
        return found

    def built_edges(self, choice: Choice) -> Ints:
        """Return the edges of the whole network that have a length, in the order of `routes`."""
        stretch = choice.whole.stretch[choice.chosen]
        there = np.array([line is not None for line in choice.edges.line[stretch]], dtype=bool)
        return choice.chosen[there & (choice.edges.length_m[stretch] > 0.0)]

    def routes(self, choice: Choice) -> gpd.GeoDataFrame:
        """Return the stretches to build or to use."""
        edges, whole = choice.edges, choice.whole
        cores = self.cores(choice)
        sites: dict[int, set[str]] = {}
        for link in choice.links:
            for edge in link.edges:
                sites.setdefault(edge, set()).add(link.start)
        kept = self.built_edges(choice).tolist()
        stretch = whole.stretch[kept]
        count = np.array([cores.get(edge, 0) for edge in kept], dtype=np.int64)
        names = [", ".join(self.sections(choice, edge)) for edge in kept]
        return gpd.GeoDataFrame(
            {
                "stretch_id": names,
                "kind": edges.kind[stretch].astype(str),
                "item": edges.item[stretch].astype(str),
                "length_m": edges.length_m[stretch],
                "rail_crossings": edges.rail[stretch],
                "bridges": edges.bridges[stretch],
                "river_crossings": edges.rivers[stretch],
                "sites": np.array([len(sites.get(edge, ())) for edge in kept], dtype=np.int64),
                "cores": count,
                "cable": np.array([fibre.cable_size(int(n)) for n in count], dtype=np.int64),
                "cost": edges.cost[stretch],
            },
            geometry=edges.line[stretch],
            crs=self.problem.task.graph.crs,
        )

    def bill(self, choice: Choice) -> pd.DataFrame:
        """Return the bill of quantities, with the equipment of sites and links."""
        amounts = _quantities(self.routes(choice))
        amounts["router_access"] = float(choice.connected.sum())
        amounts["optical_module"] = 2.0 * len(choice.links)
        return cost.bill_of_quantities(amounts, self.costs)


def _quantities(routes: gpd.GeoDataFrame) -> dict[str, float]:
    """Return how much of every cost item routes need."""
    amounts = {str(k): float(v) for k, v in routes.groupby("item")["length_m"].sum().items()}
    amounts["railway_crossing"] = float(routes["rail_crossings"].sum())
    amounts["bridge_crossing"] = float(routes["bridges"].sum())
    amounts["river_crossing"] = float(routes["river_crossings"].sum())
    new = routes[routes["item"] != "spare_cores"]
    beyond = (new["cable"] - fibre.INCLUDED_CORES).clip(lower=0)
    amounts["cable_per_core"] = float((beyond * new["length_m"]).sum())
    return amounts


def _key(link: _Link) -> tuple[str, str, tuple[int, ...]]:
    return min(link.start, link.end), max(link.start, link.end), tuple(sorted(link.edges))
