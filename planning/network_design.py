"""Design of a dedicated network: connect the rest, protect what matters, over the years.

Sites that are not connected are led to the data centres and gathering nodes of the live
network along the routes of fibre design, at least cost. Sites of chosen levels get a
second way, so that no link and no duct section cuts them off; where only one way exists
this is said. Costs beside the availability that they bring make the trade-off.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from data import schema
from data.errors import InputError, Message, Problem, message
from data.interchange import guarded
from data.store import Workspace
from planning import (
    bill_workbook,
    cost,
    dedicated_network,
    fibre,
    network_failures,
    route_graph,
)
from planning import network_problem as numbers
from planning.cost import CostRange
from planning.dedicated_network import Inventory
from planning.network_failures import FailureReport
from planning.network_problem import PROTECT as PROTECT
from planning.network_problem import Whole
from planning.prize_collecting import budget_tree, cost_benefit_curve
from planning.resilience import HOURS_PER_YEAR, single_failures
from planning.ring_design import Exposure, RingDesign, ring_design
from planning.steiner import relative_gap, steiner_tree

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Progress = Callable[[float], None]

#: Capacity of a new link, each way. [Mbit/s]
LINK_MBPS = 1000.0

#: Time for the search where the request has no limit: all of the main design. [s]
TIME_S = 15.0

#: Shares of it for the first try, whose bound holds, and for one that follows.
_FIRST, _NEXT = 0.5, 0.1

#: How many times a design is made anew because cables have too few free cores, or ways
#: of a protected site lie in one trench.
_ROUNDS = 5

#: What a cable without free cores adds to the length of a way. [m]
_FULL_M = 1e5

#: Doubts about lines that a summary lists.
_MOST_PROBLEMS = 50


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
        Codes of the zones whose sites are connected; None for all.
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


@dataclass(frozen=True, eq=False)
class NetworkDesign:
    """What to build, what it costs, what it brings, and how near the cheapest it is.

    Parameters
    ----------
    request
        What was asked.
    sites
        Sites of the day with before and connected (whether), protect (asked), protected
        (no single link or duct section cuts it off), availability_before_percent and
        availability_percent, and reason (why not).
    reasons
        The same reasons, to be translated; None where there is none.
    routes
        Stretches to build or to use (columns as in `planning.fibre.RouteDesign`), with
        stretch_id.
    links
        New links, as rows of the layer `network_links`.
    lines
        The new links with the lines that they take.
    bill
        Bill of quantities, equipment included.
    cost
        Its sum.
    route_cost
        Typical cost that was minimised: routes without equipment and large cables.
    bound
        Proven: no such routes cost less; under a budget without protection, no choice of
        sites within it is worth more (sum of criticality).
    gap
        Share by which the design may miss the best one.
    before, after
        What single failures do without and with it.
    inventory
        The layers as they will be.
    tradeoff
        What each of several costs brings: kind (``"today"``, ``"connect"``,
        ``"protect"``), cost (typical, of everything), gap, connected, protected,
        availability_percent (mean of all sites, 0 for those not connected),
        protected_percent (mean of those to protect), lost_hours (criticality times
        hours a year without service, all sites).
    notes
        What a reader should know.
    problems
        What is doubtful about the lines and points.
    summary
        All of it in figures, for JSON.
    """

    request: NetworkDesignRequest
    sites: gpd.GeoDataFrame
    reasons: tuple[Message | None, ...]
    routes: gpd.GeoDataFrame
    links: pd.DataFrame
    lines: gpd.GeoDataFrame
    bill: pd.DataFrame
    cost: CostRange
    route_cost: float
    bound: float
    gap: float
    before: FailureReport
    after: FailureReport
    inventory: Inventory
    tradeoff: pd.DataFrame
    notes: tuple[Message, ...] = ()
    problems: tuple[Problem, ...] = ()
    summary: dict[str, Any] = field(default_factory=dict)


# ----------------------------------------------------------------------------------------
# Choosing stretches


@dataclass(frozen=True, eq=False)
class _Link:
    """A new link along stretches."""

    start: str
    end: str
    edges: tuple[int, ...]  # of the whole network
    site: int  # position among the sites to connect, -1 for live ones


@dataclass(frozen=True, eq=False)
class _Choice:
    """Stretches that are built, and what is proven about the choice."""

    edges: fibre.Edges
    whole: Whole
    chosen: Ints  # edges of the whole network, without live links
    links: tuple[_Link, ...]
    connected: Bools  # of the sites to connect
    cost: float
    bound: float
    gap: float
    exposed: Mapping[int, list[Exposure]]


class _Designer:
    """Designs of one problem: for all sites, a budget, or some sites to protect."""

    def __init__(self, problem: numbers.Problem, request: NetworkDesignRequest) -> None:
        self.problem = problem
        self.request = request
        self.limit_s = TIME_S if request.time_limit_s is None else request.time_limit_s
        self.costs = problem.task.costs
        self.first_whole: Whole | None = None
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

    def tree(self, on_progress: Progress = _silent) -> _Choice:
        """Connect all sites at least cost."""
        problem = self.problem
        terminals = problem.node[problem.node >= 0]
        root = problem.task.root
        if root is None or not len(terminals):
            return self._within_cores(lambda _, __: (np.zeros(0, np.int64), 0.0), on_progress)

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

        return self._within_cores(solve, on_progress)

    def for_budget(self, budget: float, on_progress: Progress = _silent) -> _Choice:
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

        def rank(choice: _Choice) -> tuple[float, ...]:
            spent = choice.cost + self.site_cost * int(choice.connected.sum())
            return (float(spent > budget), -float(worth[choice.connected].sum()), spent)

        made = self._within_cores(solve, on_progress, mask, rank)
        value = float(worth[made.connected].sum())
        bound = max(made.bound, value)
        return replace(made, bound=bound, gap=(bound - value) / bound if bound > 0.0 else 0.0)

    @property
    def worth(self) -> Floats:
        """Worth of the sites to connect."""
        return self.problem.todo["criticality"].to_numpy(np.float64)

    def budgets(self, budgets: Sequence[float], on_progress: Progress = _silent) -> list[_Choice]:
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
            time_limit_s=self.limit_s / 3.0,
            on_progress=on_progress,
        )
        made = []
        for tree in found:
            served = np.zeros(len(problem.todo), dtype=bool)
            served[there[tree.edges[tree.edges >= len(edges.tail)] - len(edges.tail)]] = True
            choice = self._chosen(edges, tree.edges[tree.edges < len(edges.tail)], served)
            choice = self._with_cables(choice, self._over(choice))
            made.append(replace(choice, bound=tree.upper_bound, gap=tree.gap))
        return made

    def _within_cores(
        self,
        solve: Callable[[fibre.Edges, float], tuple[Ints, float]],
        on_progress: Progress,
        served: Callable[[Ints], Bools] | None = None,
        rank: Callable[[_Choice], tuple[float, ...]] = lambda choice: (choice.cost,),
    ) -> _Choice:
        """Solve until no cable carries more than its free cores; the first bound holds.

        Where a cable has too few, a new one is priced in its place and all is tried
        again, for some rounds; the best choice with all new cables paid is returned.
        """
        edges = self.problem.task.edges
        bound = 0.0
        best: _Choice | None = None
        for number in range(_ROUNDS + 1):
            chosen, proven = solve(edges, (_NEXT if number else _FIRST) * self.limit_s)
            bound = bound if number else proven
            real = chosen[chosen < len(edges.tail)]
            connected = self.problem.node >= 0 if served is None else served(chosen)
            choice = self._chosen(edges, real, connected)
            over = self._over(choice)
            payable = self._with_cables(choice, over)
            if best is None or rank(payable) < rank(best):
                best = payable
            if not over.any():
                break
            edges = edges.with_new_cables(over)
        on_progress(1.0)
        if best is None:
            raise RuntimeError("no design was made")
        return replace(best, bound=bound, gap=relative_gap(best.cost, bound))

    def _with_cables(self, choice: _Choice, over: Bools) -> _Choice:
        """Return a choice with new cables where there are too few free cores."""
        if not over.any():
            return choice
        edges = choice.edges.with_new_cables(over)
        whole = self.whole(edges)
        total = float(whole.cost[choice.chosen].sum())
        return replace(choice, edges=edges, whole=whole, cost=total)

    def _chosen(self, edges: fibre.Edges, stretches: Ints, connected: Bools) -> _Choice:
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
        length = whole.length_m[ways.chosen]
        for site in np.flatnonzero(connected).tolist():
            way = ways.shortest(int(self.problem.node[site]), length)
            if way is not None:
                links += self._runs(whole, way, site=site)
        total = float(edges.cost[stretches].sum())
        return _Choice(edges, whole, positions, tuple(links), connected, total, 0.0, 0.0, {})

    def _runs(
        self, whole: Whole, way: Sequence[int], *, site: int = -1, live: int = -1
    ) -> list[_Link]:
        """Part a way into new links, each between two places where the network is or will be."""
        problem = self.problem
        if site >= 0:
            node, name = int(problem.node[site]), str(problem.todo["site_id"].iloc[site])
        else:
            node, name = int(problem.live_node[live]), self.site_at[int(problem.live_node[live])]
        found: list[_Link] = []
        run: list[int] = []
        for edge in way:
            if whole.link[edge] >= 0:
                if run:
                    found.append(_Link(name, self.site_at[node], tuple(run), site))
                run = []
            else:
                run.append(edge)
            node = int(whole.tail[edge] + whole.head[edge]) - node
            if not run:
                name = self.site_at[node]
        if run:
            found.append(_Link(name, self.site_at[node], tuple(run), site))
        return found

    def _over(self, choice: _Choice) -> Bools:
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
        share: float = 1.0,
        known: Sequence[Ints] = (),
        on_progress: Progress = _silent,
    ) -> _Choice:
        """Connect all sites, and some of them so that no single cut takes them off.

        Parameters
        ----------
        protect_todo
            Which of the sites to connect are to be protected.
        protect_live
            Positions of the live sites to protect.
        share
            Of the time limit.
        known
            Choices (edges of the whole network) to start from.
        """
        problem, edges = self.problem, self.problem.task.edges
        there = problem.node >= 0
        terminals = problem.node[there]
        protect = np.r_[problem.node[there & protect_todo], problem.live_node[protect_live]]
        bound = 0.0
        starts = list(known)
        best: _Choice | None = None
        for number in range(_ROUNDS + 1):
            whole = self.whole(edges)
            found: RingDesign = ring_design(
                whole.n_nodes,
                whole.tail,
                whole.head,
                whole.cost,
                whole.roots,
                terminals,
                protect=protect,
                groups=whole.groups,
                known=starts,
                time_limit_s=(_NEXT if number else _FIRST) * share * self.limit_s,
                on_progress=on_progress,
            )
            bound = bound if number else found.lower_bound
            choice = self._ringed(edges, whole, found, protect_todo, protect_live)
            starts = [*known, choice.chosen]
            over = self._over(choice)
            again = self._one_trench(choice, protect)
            payable = self._with_cables(choice, over)
            if not again and (best is None or payable.cost < best.cost):
                best = payable
            if not over.any() and not again:
                break
            edges = edges.with_new_cables(over)
            if again:
                self.first_whole = replace(whole, groups={**whole.groups, **again})
        # Without one that passes, the last: who is not protected is said.
        best = payable if best is None else best
        return replace(best, bound=bound, gap=relative_gap(best.cost, bound))

    def _ringed(
        self,
        edges: fibre.Edges,
        whole: Whole,
        found: RingDesign,
        protect_todo: Bools,
        protect_live: Ints,
    ) -> _Choice:
        problem = self.problem
        chosen = found.edges[whole.stretch[found.edges] >= 0]
        ways = numbers.Ways(whole, np.r_[chosen, np.flatnonzero(whole.link >= 0)])
        risks = ways.risks()
        links: dict[tuple[str, str, tuple[int, ...]], _Link] = {}
        connected = np.zeros(len(problem.todo), dtype=bool)
        free = np.where(whole.stretch >= 0, edges.free_cores[whole.stretch], np.inf)

        def keep(found: list[_Link]) -> None:
            for link in found:
                if _key(link) not in links:
                    links[_key(link)] = link
                    free[list(link.edges)] -= self.request.cores_per_site

        def length() -> Floats:
            # Round cables without free cores, where another way is built anyway.
            full = free[ways.chosen] < self.request.cores_per_site
            return np.asarray(whole.length_m[ways.chosen] + np.where(full, _FULL_M, 0.0))

        for site in np.flatnonzero(problem.node >= 0).tolist():
            start = int(problem.node[site])
            if protect_todo[site]:
                found_ways = ways.diverse(start, risks, length())
            else:
                way = ways.shortest(start, length())
                found_ways = [] if way is None else [way]
            connected[site] = bool(found_ways)
            for one in found_ways:
                keep(self._runs(whole, one, site=site))
        for live in protect_live.tolist():
            for one in ways.diverse(int(problem.live_node[live]), risks, length()):
                keep(self._runs(whole, one, live=live))
        # What no way takes need not be built.
        used = {edge for link in links.values() for edge in link.edges}
        chosen = np.array(sorted(used), dtype=np.int64)
        return _Choice(
            edges,
            whole,
            chosen,
            tuple(links.values()),
            connected,
            float(whole.cost[chosen].sum()),
            found.lower_bound,
            found.gap,
            found.exposed,
        )

    def _one_trench(self, choice: _Choice, protect: Ints) -> dict[str, Ints]:
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

    def sections(self, choice: _Choice, edge: int) -> tuple[str, ...]:
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
        return (f"NEW-R{stretch}",)

    @cached_property
    def is_lead(self) -> Bools:
        """Which stretches are short lead-ins."""
        return numbers.is_lead(self.problem.task, self.problem.task.edges)

    def section_lines(self, choice: _Choice) -> gpd.GeoDataFrame:
        """Return all duct sections with those that are new."""
        stretches = np.unique(choice.whole.stretch[choice.chosen])
        piece = self.problem.piece[stretches]
        new = stretches[(piece == None) & ~self.is_lead[stretches]]  # noqa: E711
        names = np.array([f"NEW-R{stretch}" for stretch in new.tolist()], dtype=object)
        there = self.problem.pieces
        return gpd.GeoDataFrame(
            {"segment_id": np.r_[there["segment_id"].to_numpy(dtype=object), names]},
            geometry=np.r_[there.geometry.to_numpy(), choice.edges.line[new]],
            crs=self.problem.task.graph.crs,
        )

    def links(self, choice: _Choice) -> pd.DataFrame:
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

    def link_lines(self, choice: _Choice, links: pd.DataFrame) -> gpd.GeoDataFrame:
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

    def inventory(self, choice: _Choice) -> Inventory:
        """Return the layers as they will be, on the day of the design."""
        problem = self.problem
        kept = [name for name in problem.inventory.sites.columns if name in problem.todo]
        new = problem.todo.loc[choice.connected, kept].assign(status="connected")
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
        links = live if added.empty else pd.concat([live, added], ignore_index=True)
        return Inventory(
            gpd.GeoDataFrame(sites, geometry=old.geometry.name, crs=old.crs),
            links,
            problem.inventory.zones,
            self.section_lines(choice),
        )

    def routes(self, choice: _Choice) -> gpd.GeoDataFrame:
        """Return the stretches to build or to use."""
        edges, whole = choice.edges, choice.whole
        cores: dict[int, int] = {}
        sites: dict[int, set[str]] = {}
        for link in choice.links:
            for edge in link.edges:
                cores[edge] = cores.get(edge, 0) + self.request.cores_per_site
                sites.setdefault(edge, set()).add(link.start)
        kept = [
            edge
            for edge in choice.chosen.tolist()
            if edges.length_m[whole.stretch[edge]] > 0.0 and edges.line[whole.stretch[edge]]
        ]
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

    def bill(self, choice: _Choice) -> pd.DataFrame:
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


# ----------------------------------------------------------------------------------------
# The design


def design(
    workspace: Workspace,
    request: NetworkDesignRequest,
    *,
    problem: numbers.Problem | None = None,
    on_progress: Progress = _silent,
) -> NetworkDesign:
    """Design the extension of a dedicated network, and rings for the sites to protect.

    Parameters
    ----------
    workspace
        The study area, with the layers network_sites and network_links, and roads or
        fibre_segments.
    request
        What is asked.
    problem
        From `prepare`, where several designs of the same sites share it.
    on_progress
        Called with the share done; may raise `CancelledError`.

    Returns
    -------
    NetworkDesign
        Routes, links, bill, proof and what they bring.

    Raises
    ------
    InputError
        If there is no network, no live data centre, nothing to connect or to protect,
        no route, or no site can be reached.
    """
    if problem is None:
        problem = prepare(workspace, request, on_progress=lambda s: on_progress(0.2 * s))
    designer = _Designer(problem, request)
    assumed = network_failures.assumptions(workspace.folder)
    before = network_failures.analyse(problem.inventory, request.on, assumed=assumed)
    choice, notes = _best(designer, request, before, lambda s: on_progress(0.2 + 0.5 * s))
    inventory = designer.inventory(choice)
    after = network_failures.analyse(inventory, assumed=assumed)
    result = _result(workspace, designer, choice, before, after, inventory, notes)
    if request.points:
        rows = _tradeoff(
            designer, choice, before, after, assumed, lambda s: on_progress(0.7 + 0.3 * s)
        )
        result = replace(result, tradeoff=rows)
    result = replace(result, summary=_summary(workspace, designer, result))
    on_progress(1.0)
    return result


def prepare(
    workspace: Workspace, request: NetworkDesignRequest, *, on_progress: Progress = _silent
) -> numbers.Problem:
    """Bring a design problem into numbers; see `planning.network_problem.prepare`."""
    return numbers.prepare(
        workspace,
        request.routes(),
        on=dedicated_network.as_day(request.on),
        protect=request.protect,
        on_progress=on_progress,
    )


def _best(
    designer: _Designer,
    request: NetworkDesignRequest,
    before: FailureReport,
    on_progress: Progress,
) -> tuple[_Choice, list[Message]]:
    """Return the design: all sites, the best for a budget, or as much protection as it pays."""
    problem = designer.problem
    wanted = bool(problem.guarded_todo.any() or len(problem.guarded))
    if not wanted:
        if request.budget is None:
            return designer.tree(on_progress), []
        return designer.for_budget(request.budget, on_progress), []
    tree = designer.tree(lambda share: on_progress(0.2 * share))
    if request.budget is not None and _price(designer, tree) > request.budget:
        said = message("The budget does not even connect all sites, so none is protected by rings")
        return designer.for_budget(request.budget, on_progress), [said]
    full = designer.ring(
        problem.guarded_todo,
        problem.guarded,
        known=[tree.chosen],
        on_progress=lambda share: on_progress(0.2 + 0.8 * share),
    )
    if request.budget is None or _price(designer, full) <= request.budget:
        return full, []
    order = _by_need(problem, before)
    best, few, many = tree, 0, len(order)
    while many - few > 1:
        middle = (few + many) // 2
        todo, live = _first_of(problem, order, middle)
        trial = designer.ring(todo, live, share=0.2, known=[tree.chosen, full.chosen])
        if _price(designer, trial) <= request.budget:
            best, few = trial, middle
        else:
            many = middle
    said = message(
        "The budget protects {count} of {total} sites, those with the most to lose first",
        count=few,
        total=len(order),
    )
    return best, [said]


def _price(designer: _Designer, choice: _Choice) -> float:
    return cost.total(designer.bill(choice)).typical


def _by_need(problem: numbers.Problem, before: FailureReport) -> list[tuple[bool, int]]:
    """Return the sites to protect, those that lose most first: (is live, position)."""
    hours = before.sites.set_index("site_id")["hours_down"]
    found: list[tuple[float, str, bool, int]] = []
    for live in problem.guarded.tolist():
        row = problem.live.sites.iloc[live]
        found.append((row["criticality"] * hours[row["site_id"]], row["site_id"], True, live))
    for site in np.flatnonzero(problem.guarded_todo & (problem.node >= 0)).tolist():
        row = problem.todo.iloc[site]
        found.append((row["criticality"] * HOURS_PER_YEAR, row["site_id"], False, site))
    found.sort(key=lambda each: (-each[0], each[1]))
    return [(is_live, position) for _, _, is_live, position in found]


def _first_of(
    problem: numbers.Problem, order: Sequence[tuple[bool, int]], count: int
) -> tuple[Bools, Ints]:
    todo = np.zeros(len(problem.todo), dtype=bool)
    live = []
    for is_live, position in order[:count]:
        if is_live:
            live.append(position)
        else:
            todo[position] = True
    return todo, np.array(live, dtype=np.int64)


# Results


def _result(
    workspace: Workspace,
    designer: _Designer,
    choice: _Choice,
    before: FailureReport,
    after: FailureReport,
    inventory: Inventory,
    notes: Sequence[Message],
) -> NetworkDesign:
    problem, request = designer.problem, designer.request
    sites, reasons = _sites(designer, choice, before, after)
    bill = designer.bill(choice)
    links = designer.links(choice)
    said = [*_notes(designer, choice), *notes]
    return NetworkDesign(
        request,
        sites,
        reasons,
        designer.routes(choice),
        links,
        designer.link_lines(choice, links),
        bill,
        cost.total(bill),
        choice.cost,
        choice.bound,
        choice.gap,
        before,
        after,
        inventory,
        pd.DataFrame(columns=list(_TRADEOFF)),
        tuple(said),
        problem.task.problems,
    )


def _notes(designer: _Designer, choice: _Choice) -> list[Message]:
    problem, request = designer.problem, designer.request
    every = pd.concat([problem.todo, problem.live.sites])
    found = [
        message("There is no site of {level} on that day to be protected", level=name)
        for name in request.protect
        if not PROTECT[name](every).fillna(False).any()
    ]
    doubled = choice.whole.stretch[choice.chosen]
    twice = len(doubled) - len(np.unique(doubled))
    if twice:
        found.append(
            message(
                "{count} protected sites get a second lead-in, which must enter the building "
                "elsewhere",
                count=twice,
            )
        )
    unlike = [note for note in problem.task.notes if "exchange" not in note.template]
    return [*found, *unlike]


def _sites(
    designer: _Designer, choice: _Choice, before: FailureReport, after: FailureReport
) -> tuple[gpd.GeoDataFrame, tuple[Message | None, ...]]:
    problem, request = designer.problem, designer.request
    kept = ["site_id", "name", "level", "role", "zone_code", "criticality", "status"]
    geometry = problem.live.sites.geometry.name
    todo = problem.todo[[*kept, geometry]]
    live = problem.live.sites[[*kept, geometry]]
    sites = pd.concat([live, todo], ignore_index=True)
    n_live = len(live)
    protect = np.r_[
        numbers.protected_sites(live, request.protect) if request.protect else np.zeros(n_live),
        problem.guarded_todo,
    ].astype(bool)
    later = after.sites.set_index("site_id")
    earlier = before.sites.set_index("site_id")
    name = sites["site_id"]
    safe = (later["safe_link"] & later["safe_duct"]).reindex(name, fill_value=False)
    node = np.r_[problem.live_node, problem.node]
    reasons: list[Message | None] = []
    for k, site in enumerate(name.tolist()):
        reached = k < n_live or bool(choice.connected[k - n_live])
        if not reached and problem.reason[k - n_live] is not None:
            reasons.append(problem.reason[k - n_live])
        elif not reached:
            reasons.append(message("not within the budget"))
        elif protect[k] and not safe.iloc[k]:
            reasons.append(_exposure(designer, choice, site, choice.exposed.get(int(node[k]), [])))
        else:
            reasons.append(None)
    frame = sites.assign(
        before=np.r_[np.ones(n_live, bool), np.zeros(len(todo), bool)],
        connected=np.r_[np.ones(n_live, bool), choice.connected],
        protect=protect,
        protected=safe.to_numpy(bool),
        availability_before_percent=earlier["availability_percent"]
        .reindex(name, fill_value=0.0)
        .to_numpy(float),
        availability_percent=later["availability_percent"]
        .reindex(name, fill_value=0.0)
        .to_numpy(float),
        reason=["" if why is None else str(why) for why in reasons],
    )
    return gpd.GeoDataFrame(frame, geometry=geometry, crs=live.crs), tuple(reasons)


def _exposure(
    designer: _Designer, choice: _Choice, site: str, exposures: Sequence[Exposure]
) -> Message:
    """Say what cuts off a site that was to be protected."""
    named = []
    for each in exposures[:3]:
        if each.kind == "group":
            named.append(each.name.partition(":")[2])
        elif choice.whole.link[each.position] >= 0:
            link = int(choice.whole.link[each.position])
            named.append(str(designer.problem.live.links["link_id"].iloc[link]))
        else:
            names = designer.sections(choice, each.position)
            named.append(names[0] if names else "lead-in")
    if not named and designer.request.budget is not None:
        return message("the budget does not protect the site {site}", site=site)
    if not named:
        return message("several ways of the site {site} share a duct", site=site)
    return message(
        "no second way leads round {what} for the site {site}",
        what=", ".join(named) + (", …" if len(exposures) > 3 else ""),
        site=site,
    )


_TRADEOFF = (
    "kind", "cost", "gap", "connected", "protected", "availability_percent",
    "protected_percent", "lost_hours",
)  # fmt: skip


def _tradeoff(
    designer: _Designer,
    choice: _Choice,
    before: FailureReport,
    after: FailureReport,
    assumed: Mapping[str, float],
    on_progress: Progress,
) -> pd.DataFrame:
    """Return what each of several costs brings, from today to the design."""
    problem, request = designer.problem, designer.request
    rows = [_point(designer, "today", 0.0, 0.0, before)]
    tree = choice
    if choice.exposed or problem.guarded.size or problem.guarded_todo.any():
        tree = designer.tree(lambda share: on_progress(0.1 * share))
    whole = _price(designer, tree)
    if len(problem.todo) and (problem.node >= 0).any():
        steps = np.linspace(whole / request.points, whole, request.points)[:-1]
        known = [c for c in designer.budgets(steps.tolist()) if c.connected.any()]
        connected = {tuple(c.connected.tolist()): c for c in known}
        rows += [_measured(designer, "connect", some, assumed) for some in connected.values()]
        if tree is not choice or request.budget is None:
            rows.append(_measured(designer, "connect", tree, assumed))
    order = _by_need(problem, before)
    counts = np.unique(np.linspace(0, len(order), request.points + 1).round().astype(int))
    for number, count in enumerate(counts[1:-1].tolist()):
        on_progress(0.3 + 0.7 * number / max(len(counts), 1))
        todo, live = _first_of(problem, order, count)
        some = designer.ring(todo, live, share=0.2, known=[tree.chosen, choice.chosen])
        rows.append(_measured(designer, "protect", some, assumed))
    last = "protect" if order else "connect"
    rows.append(_point(designer, last, _price(designer, choice), choice.gap, after))
    frame = pd.DataFrame(rows, columns=list(_TRADEOFF))
    if request.budget is not None:
        frame = frame[frame["cost"] <= max(request.budget, rows[-1]["cost"])]
    return _undominated(frame).sort_values("cost", kind="stable", ignore_index=True)


def _undominated(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out what costs as much as another design, or more, and brings no more."""
    cost_of, lost = frame["cost"].to_numpy(float), frame["lost_hours"].to_numpy(float)
    done = frame[["connected", "protected"]].to_numpy(float)
    keep = []
    for k in range(len(frame)):
        better = (cost_of <= cost_of[k]) & (done >= done[k]).all(axis=1)
        better &= (cost_of < cost_of[k]) | (done > done[k]).any(axis=1) | (lost < lost[k])
        better |= (np.arange(len(frame)) > k) & (cost_of == cost_of[k]) & (lost == lost[k])
        keep.append(not better.any())
    return frame[keep]


def _measured(
    designer: _Designer, kind: str, choice: _Choice, assumed: Mapping[str, float]
) -> dict[str, Any]:
    inventory = designer.inventory(choice)
    report = network_failures.analyse(inventory, assumed=assumed, loads=False)
    return _point(designer, kind, _price(designer, choice), choice.gap, report)


def _point(
    designer: _Designer, kind: str, price: float, gap: float, report: FailureReport
) -> dict[str, Any]:
    problem, request = designer.problem, designer.request
    every = pd.concat([problem.live.sites, problem.todo], ignore_index=True)
    state = report.sites.set_index("site_id")
    name = every["site_id"]
    share = state["availability_percent"].reindex(name, fill_value=0.0).to_numpy(float)
    safe = (state["safe_link"] & state["safe_duct"]).reindex(name, fill_value=False)
    asked = numbers.protected_sites(every, request.protect)
    weight = every["criticality"].to_numpy(float)
    return {
        "kind": kind,
        "cost": price,
        "gap": gap,
        "connected": int(name.isin(state.index).sum()),
        "protected": int((safe.to_numpy(bool) & asked).sum()),
        "availability_percent": float(share.mean()),
        "protected_percent": float(share[asked].mean()) if asked.any() else np.nan,
        "lost_hours": float((weight * (1.0 - share / 100.0)).sum() * HOURS_PER_YEAR),
    }


def _summary(workspace: Workspace, designer: _Designer, result: NetworkDesign) -> dict[str, Any]:
    problem, request = designer.problem, designer.request
    sites = result.sites
    length = result.routes["length_m"].to_numpy(float)
    there = result.routes["item"].isin(fibre.EXISTING_ITEMS).to_numpy(dtype=bool)
    origin = workspace.provenance()
    names = ["network_sites", "network_links", "zones", "roads", "fibre_segments", "railways"]
    used = [name for name in [*names, "clutter"] if workspace.has(name)]
    asked = sites[sites["protect"]]
    todo = sites[~sites["before"]]
    by_value = request.budget is not None and not request.protect
    return {
        "area": workspace.area.name,
        "day": problem.live.day,
        "illustrative": any(origin[name].illustrative for name in used),
        "sites": len(sites),
        "connected_before": int(sites["before"].sum()),
        "connected": int(sites["connected"].sum()),
        "to_connect": len(todo),
        "newly_connected": int(todo["connected"].sum()),
        "to_protect": len(asked),
        "protected": int(asked["protected"].sum()),
        "protected_before": int(
            (result.before.sites["safe_link"] & result.before.sites["safe_duct"])[
                result.before.sites["site_id"].isin(asked["site_id"])
            ].sum()
        ),
        "links": len(result.links),
        "length_m": float(length.sum()),
        "new_m": float(length[~there].sum()),
        "existing_m": float(length[there].sum()),
        "cost": {**asdict(result.cost), "currency": _currency(designer)},
        "route_cost": result.route_cost,
        "budget": request.budget,
        "objective": "value" if by_value else "cost",
        "value": float(todo.loc[todo["connected"], "criticality"].sum()),
        "bound": result.bound,
        "gap": result.gap if np.isfinite(result.gap) else None,
        "availability": _availability(result),
        "tradeoff": _records(result.tradeoff),
        "unreachable": [
            {"site": row["site_id"], "reason": row["reason"]}
            for row in todo[~todo["connected"]].drop(columns=todo.geometry.name).to_dict("records")
        ],
        "unprotected": [
            {"site": row["site_id"], "reason": row["reason"]}
            for row in asked[asked["connected"] & ~asked["protected"]]
            .drop(columns=asked.geometry.name)
            .to_dict("records")
        ],
        "notes": [str(note) for note in result.notes],
        "problems": {
            "count": len(result.problems),
            "first": [str(problem) for problem in result.problems[:_MOST_PROBLEMS]],
        },
        "provenance": {
            "request": asdict(request),
            "inputs": {name: asdict(origin[name]) for name in used},
            "content": workspace.content_hash(*used),
            "assumptions": dict(result.after.assumed),
            "unit_costs": {
                item: {**asdict(designer.costs[item].cost), "unit": designer.costs[item].unit}
                for item in result.bill["item"]
            },
        },
    }


def _currency(designer: _Designer) -> str:
    return next(iter(designer.costs.values())).currency


def _availability(result: NetworkDesign) -> dict[str, Any]:
    sites = result.sites
    found = {}
    for name, rows in (("all", sites), ("to_connect", sites[~sites["before"]]),
                       ("to_protect", sites[sites["protect"]])):  # fmt: skip
        if len(rows):
            found[name] = {
                "before_percent": float(rows["availability_before_percent"].mean()),
                "after_percent": float(rows["availability_percent"].mean()),
            }
    return found


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    values = frame.astype(object).where(frame.notna() & (frame != np.inf), None)
    return [{str(name): value for name, value in row.items()} for row in values.to_dict("records")]


def save(result: NetworkDesign, folder: Path) -> None:
    """Write a design: network_design.json, design.gpkg, bill.csv, bill.xlsx, tradeoff.csv.

    Parameters
    ----------
    result
        The design.
    folder
        Where to; made if it is missing. The GeoPackage has the layers routes, links and
        sites; links.csv can be imported as network_links once they are built.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tmp-") as scratch:
        made = Path(scratch)
        text = json.dumps(result.summary, ensure_ascii=False, indent=2, allow_nan=False)
        (made / "network_design.json").write_text(text + "\n", encoding="utf-8")
        for name, frame, kind in (
            ("routes", result.routes, "LineString"),
            ("links", result.lines, "MultiLineString"),
            ("sites", result.sites, "Point"),
        ):
            frame.to_file(made / "design.gpkg", layer=name, driver="GPKG", geometry_type=kind)
        plain = result.bill.assign(source=[guarded(text) for text in result.bill["source"]])
        plain.to_csv(made / "bill.csv", index=False, encoding="utf-8-sig")
        listed = result.sites.assign(weight=result.sites["criticality"])
        bill_workbook.write(result.bill, listed, made / "bill.xlsx")
        result.tradeoff.to_csv(made / "tradeoff.csv", index=False)
        for path in sorted(made.iterdir()):
            path.replace(folder / path.name)
