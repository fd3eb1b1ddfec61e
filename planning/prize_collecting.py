"""The most people for the money: trees out of an existing network under a budget.

A tree may start at any node of the existing network. Which sites it reaches is part
of the choice: their prizes are to be as many as the budget allows. Trees come from
a dual ascent at several prices of money, cut and filled to the budget and varied; the
proven upper bound is the Lagrangian one over the same dual ascents.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.errors import InputError, Message, message
from planning import steiner
from planning.kernels import steiner as kernels
from planning.steiner import Clock, Graph, Ints, Layer, Mask, Network, OutOfTimeError

#: Prizes and weighted costs are counted in this many steps in all.
_STEPS = 2.0**50

#: Shakes the choice in every run alike.
_SEED = 41

#: Prices of money tried for each budget.
_PRICES = 16


@dataclass(frozen=True)
class BudgetTree:
    """What a budget connects, and how much any choice could connect at most.

    Parameters
    ----------
    edges
        Indices of the edges to build, into the arrays that were given, ascending.
    cost
        Sum of their costs, at most the budget.
    prize
        Sum of the prizes of the sites connected.
    sites
        Their nodes, ascending; sites on the existing network among them.
    upper_bound
        No choice within the budget collects more (proven).
    gap
        The share of the bound that is not collected: (upper_bound - prize) /
        upper_bound; 0 where both are 0.
    budget
        The budget.
    unreachable
        Sites that no path connects to the existing network.
    message
        A sentence where the budget is too small for any site, with the cheapest cost.
    """

    edges: Ints
    cost: float
    prize: float
    sites: Ints
    upper_bound: float
    gap: float
    budget: float
    unreachable: Ints
    message: Message | None = None


def budget_tree(
    tail: ArrayLike,
    head: ArrayLike,
    cost: ArrayLike,
    prize_by_node: Mapping[int, float],
    roots: ArrayLike,
    budget: float,
    *,
    time_limit_s: float = 30.0,
    on_progress: Callable[[float], None] = lambda _: None,
) -> BudgetTree:
    """Choose the sites to connect to an existing network so that a budget brings most.

    Parameters
    ----------
    tail, head, cost
        The undirected network, as for `steiner.steiner_tree`.
    prize_by_node
        What connecting a node is worth, e.g. people; from 0.
    roots
        Nodes of the existing network: they cost nothing and are joined already.
    budget
        What may be spent, in the unit of the costs.
    time_limit_s, on_progress
        As for `steiner.steiner_tree`.

    Returns
    -------
    BudgetTree
        Checked: every new edge hangs on the existing network, there is no cycle, and
        the cost is within the budget.

    Raises
    ------
    InputError
        If the network, a prize, a root or the budget is not usable.

    References
    ----------
    I. Ljubić and others, An algorithmic framework for the exact solution of the
    prize-collecting Steiner tree problem, Mathematical Programming 105, 2006: prizes as
    a Steiner arborescence.

    Examples
    --------
    Two villages of 300 and 100 people, 5 and 4 from the network at node 0:

    >>> plan = budget_tree([0, 0], [1, 2], [5.0, 4.0], {1: 300, 2: 100}, [0], 6.0)
    >>> plan.sites.tolist(), plan.cost, plan.prize
    ([1], 5.0, 300.0)
    """
    return cost_benefit_curve(
        tail,
        head,
        cost,
        prize_by_node,
        roots,
        [budget],
        time_limit_s=time_limit_s,
        on_progress=on_progress,
    )[0]


def cost_benefit_curve(
    tail: ArrayLike,
    head: ArrayLike,
    cost: ArrayLike,
    prize_by_node: Mapping[int, float],
    roots: ArrayLike,
    budgets: Sequence[float],
    *,
    time_limit_s: float = 60.0,
    on_progress: Callable[[float], None] = lambda _: None,
) -> list[BudgetTree]:
    """Return what each of several budgets brings.

    Parameters
    ----------
    tail, head, cost, prize_by_node, roots
        As for `budget_tree`.
    budgets
        In any order.
    time_limit_s, on_progress
        For all budgets together.

    Returns
    -------
    list of BudgetTree
        In the order of `budgets`; a larger budget never brings less, nor has a lower
        bound.

    Raises
    ------
    InputError
        As for `budget_tree`.
    """
    for budget in budgets:
        if not budget >= 0.0:
            raise InputError(
                "The budget is {budget}, expected a number from 0", budget=float(budget)
            )
    if not (time_limit_s >= 0.0):
        raise InputError(
            "time_limit_s is {value}, expected a number of seconds from 0", value=time_limit_s
        )
    if not budgets:
        return []
    task = _Task.of(tail, head, cost, prize_by_node, roots, max(budgets))
    warm_up()
    clock = Clock(time_limit_s, on_progress)
    plans = _Search(task, clock).run(sorted(set(budgets)))
    on_progress(1.0)
    return [plans[budget] for budget in budgets]


@functools.cache
def warm_up() -> None:
    """Compile, or load, the kernels by a small example, outside of any time limit."""
    steiner.warm_up()
    task = _Task.of([0, 0, 1], [1, 2, 2], [2.0, 3.0, 2.0], {1: 1.0, 2: 2.0}, [0], 3.0)
    _Search(task, Clock(math.inf, lambda _: None)).run([3.0])


# ----------------------------------------------------------------------------------------
# Input


@dataclass(frozen=True)
class _Task:
    """The network with the existing nodes drawn together into one, and as reduced.

    Costs are rounded up to whole ones, so that what fits does fit; a bound allows for
    the rounding by `slack` more money.
    """

    network: Network
    whole: Ints
    root_node: int
    prize: NDArray[np.float64]
    distance: Ints
    unreachable: Ints
    free_sites: Ints
    free_prize: float
    slack: int
    layer: Layer
    graph: Graph
    root: int
    site_prize: NDArray[np.float64]

    @staticmethod
    def of(
        tail: ArrayLike,
        head: ArrayLike,
        cost: ArrayLike,
        prize_by_node: Mapping[int, float],
        roots: ArrayLike,
        budget: float,
    ) -> _Task:
        tail, head = steiner.whole_numbers(tail, "tail"), steiner.whole_numbers(head, "head")
        known = np.unique(steiner.whole_numbers(roots, "roots"))
        if known.size == 0:
            raise InputError("At least one node of the existing network is needed")
        absent = known[~np.isin(known, np.concatenate([tail, head]))]
        if absent.size:
            raise InputError(
                "{count} of {total} nodes of the existing network are not in the network of "
                "routes: {nodes}",
                count=absent.size,
                total=known.size,
                nodes=steiner.named(absent),
            )
        first_root = known[0]
        network = Network.checked(
            np.where(np.isin(tail, known), first_root, tail),
            np.where(np.isin(head, known), first_root, head),
            cost,
        )
        for node, value in prize_by_node.items():
            if not (math.isfinite(value) and value >= 0.0):
                raise InputError(
                    "Node {node} has a prize of {prize}, expected a finite number from 0",
                    node=node,
                    prize=float(value),
                )
        wanted = sorted(int(node) for node, value in prize_by_node.items() if value > 0.0)
        on_network = np.isin(wanted, known)
        free_sites = np.array(wanted, np.int64)[on_network]
        sites = np.array(wanted, np.int64)[~on_network]
        numbers = network.indices_of(sites)
        prize = np.zeros(network.n)
        prize[numbers] = [float(prize_by_node[int(node)]) for node in sites]
        root_node = int(network.indices_of(np.array([int(first_root)]))[0])

        whole = np.ceil(network.cost / network.unit).astype(np.int64)
        exact = bool(np.all(whole == network.whole))
        slack = 0 if exact else network.n
        is_terminal = np.zeros(network.n, np.uint8)
        is_terminal[root_node] = 1
        graph = Graph.of(network.tail, network.head, whole, is_terminal)
        distance = np.empty(network.n, np.int64)
        base, via = np.empty(network.n, np.int64), np.empty(network.n, np.int64)
        kernels.voronoi(*graph.slots, whole, is_terminal, kernels.FAR - 1, base, distance, via)
        unreachable = network.node_ids[(prize > 0.0) & (base < 0)]

        # What lies farther than the budget reaches cannot be part of any plan.
        reach = min(budget / network.unit, 2.0**60) + slack
        near = (base >= 0) & (distance <= reach)
        is_terminal[near & (prize > 0.0)] = 1
        useless = (~(near[network.tail] & near[network.head])).astype(np.uint8)
        unknown = np.full(network.n, -1, np.int64)
        kernels.long_edges(
            *graph.slots,
            graph.tail,
            graph.head,
            whole,
            is_terminal,
            unknown,
            distance,
            200,
            useless,
        )
        layer, smaller, number = steiner.shrink(graph, useless, unknown, distance, may_fix=False)
        site_prize = np.zeros(smaller.n)
        chosen = np.flatnonzero(is_terminal)
        site_prize[number[chosen]] = prize[chosen]
        return _Task(
            network,
            whole,
            root_node,
            prize,
            distance,
            unreachable,
            free_sites,
            math.fsum(float(prize_by_node[int(node)]) for node in free_sites),
            slack,
            layer,
            smaller,
            int(number[root_node]),
            site_prize,
        )

    def whole_budget(self, budget: float) -> int:
        """Return a budget in whole costs, rounded down (but for the last digits)."""
        total = int(self.whole.sum())
        steps = budget / self.network.unit * (1.0 + 1e-12)
        return total if steps >= total else math.floor(steps)


# ----------------------------------------------------------------------------------------
# Search


class _Search:
    """Plans and bounds for several budgets over one reduced network."""

    def __init__(self, task: _Task, clock: Clock) -> None:
        self.task = task
        self.clock = clock
        g = task.graph
        self.sites = np.flatnonzero(task.site_prize > 0.0)
        self.prize = task.site_prize
        self.all_prizes = math.fsum(self.prize.tolist())
        self.random = np.random.default_rng(_SEED)
        # Each site gets an own terminal, paid by its prize from the root or reached for
        # nothing from the site: what is not collected is then a cost like others.
        count = self.sites.size
        pairs = np.empty(2 * count, np.int64)
        pairs[0::2] = self.sites
        pairs[1::2] = task.root
        self.first = np.concatenate([g.first, 2 * g.m + 2 * np.arange(1, count + 1)])
        self.neighbour = np.concatenate([g.neighbour, pairs])
        self.is_terminal = np.zeros(g.n + count, np.uint8)
        self.is_terminal[g.n :] = 1
        self.is_terminal[task.root] = 1
        self.duals: dict[float, float] = {}
        self.best_nodes: Mask = np.zeros(g.n, np.uint8)
        self.best_tree: Mask = np.zeros(g.m, np.uint8)
        self.best_prize = 0.0
        self.best_cost = 0
        self.budget = 0
        self.reset()

    def reset(self) -> None:
        """Forget the best plan."""
        self.best_nodes = np.zeros(self.task.graph.n, np.uint8)
        self.best_nodes[self.task.root] = 1
        self.best_tree = np.zeros(self.task.graph.m, np.uint8)
        self.best_prize, self.best_cost = 0.0, 0

    def run(self, budgets: list[float]) -> dict[float, BudgetTree]:
        """Return a plan for each of the ascending budgets."""
        plans = []
        in_time = True
        for number, budget in enumerate(budgets):
            self.budget = self.task.whole_budget(budget)
            # The plan of the smaller budget is the first one for this.
            self.polish(self.best_tree.copy(), self.best_nodes.copy())
            if in_time:
                try:
                    self.search(number / len(budgets), 1.0 / len(budgets))
                except OutOfTimeError:
                    in_time = False
            if not self.duals and self.sites.size:
                self.price_out(self.greatest_price() / 8.0)
            plans.append(self.best_tree.copy())
        bounds = [self.bound(budget) for budget in budgets]
        for i in range(len(budgets) - 2, -1, -1):
            bounds[i] = min(bounds[i], bounds[i + 1])
        return {
            budget: self.finished(budget, plan, bound)
            for budget, plan, bound in zip(budgets, plans, bounds, strict=True)
        }

    def finished(self, budget: float, in_tree: Mask, bound: float) -> BudgetTree:
        """Check a plan and put it into the terms of the input."""
        task = self.task
        edges = task.layer.expand(np.flatnonzero(in_tree))
        network = task.network
        touched = np.zeros(network.n, bool)
        touched[network.tail[edges]] = touched[network.head[edges]] = True
        connected = touched & (task.prize > 0.0)
        nodes = np.append(np.flatnonzero(connected), task.root_node)
        cost = network.checked_tree_cost(edges, nodes)
        if cost > budget * (1.0 + 1e-9):
            raise RuntimeError("the plan found costs more than the budget")
        prize = math.fsum([task.free_prize, *task.prize[connected].tolist()])
        bound = max(bound + task.free_prize, prize)
        note = None
        reachable = (task.prize > 0.0) & (task.distance < kernels.FAR)
        if edges.size == 0 and not connected.any() and reachable.any():
            note = message(
                "The budget of {budget} is smaller than the cost of the cheapest site, {cheapest}",
                budget=budget,
                cheapest=network.to_cost(int(task.distance[reachable].min())),
            )
        return BudgetTree(
            np.sort(network.given[edges]),
            cost,
            prize,
            np.sort(np.concatenate([task.free_sites, network.node_ids[connected]])),
            bound,
            (bound - prize) / bound if bound > 0.0 else 0.0,
            budget,
            task.unreachable,
            note,
        )

    # -- bound

    def greatest_price(self) -> float:
        """Return a price of money at which nothing is worth connecting."""
        distance = self.site_distance()
        return 2.0 * self.all_prizes / max(1, int(distance[distance > 0].min(initial=2**61)))

    def site_distance(self) -> Ints:
        task = self.task
        near = (task.prize > 0.0) & (task.distance < kernels.FAR)
        return task.distance[near]

    def price_out(self, price: float) -> tuple[Mask, Mask]:
        """Raise the dual at a price of money; return the edges and nodes that it pays for."""
        task, g = self.task, self.task.graph
        total = price * float(g.cost.sum()) + self.all_prizes
        steps = math.ldexp(1.0, math.frexp(_STEPS / total)[1] - 1)
        # Rounded down, and a little more for the roundings of the products.
        weight = np.floor(g.cost * (price * steps) * (1.0 - 1e-15)).astype(np.int64)
        fee = np.zeros(2 * self.sites.size, np.int64)
        fee[1::2] = np.floor(self.prize[self.sites] * steps).astype(np.int64)
        slack = np.concatenate([weight[g.edge], fee])
        none = np.empty(0, np.int64)
        dual, _ = kernels.dual_ascent(
            self.first,
            self.neighbour,
            self.is_terminal,
            task.root,
            np.zeros(slack.size, np.uint8),
            slack,
            none,
            np.zeros(1, np.int64),
            none,
            0,
        )
        self.duals[price] = dual / steps
        tight = np.empty(g.m, np.uint8)
        seen = np.empty(g.n, np.uint8)
        kernels.saturated_edges(*g.slots, slack, task.root, tight, seen)
        return tight, seen

    def bound(self, budget: float) -> float:
        """Return the least Lagrangian bound over the prices tried; proven."""
        task = self.task
        money = self.task.whole_budget(budget) + task.slack
        bound = math.fsum(task.prize[task.distance <= money].tolist())
        for price, dual in self.duals.items():
            most = self.all_prizes + price * money - dual
            bound = min(bound, most + 1e-12 * (self.all_prizes + price * money))
        if bool(np.all(self.prize == np.floor(self.prize))):
            bound = float(math.floor(bound))
        return max(bound, 0.0)

    # -- plans

    def polish(self, in_tree: Mask, in_nodes: Mask, rounds: int = 4) -> None:
        """Make a tree cheaper, cut it to the budget, fill it up; keep it if it is best."""
        task, g = self.task, self.task.graph
        for _ in range(rounds):
            is_terminal = (in_nodes != 0) & (self.prize > 0.0)
            is_terminal[task.root] = True
            if int(is_terminal.sum()) > 1:
                cost = kernels.improve(
                    *g.slots,
                    g.tail,
                    g.head,
                    g.cost,
                    is_terminal.astype(np.uint8),
                    in_tree,
                    in_nodes,
                    10,
                )
            else:
                cost = 0
                in_tree[:] = 0
                in_nodes[:] = 0
                in_nodes[task.root] = 1
            if cost > self.budget:
                cost = kernels.trim(
                    *g.slots, g.cost, self.prize, task.root, self.budget, in_tree, in_nodes
                )
            left = kernels.fill_budget(
                *g.slots, g.cost, self.prize, self.budget - cost, in_tree, in_nodes
            )
            spent = self.budget - left
            prize = math.fsum(self.prize[in_nodes != 0].tolist())
            better = prize > self.best_prize or (
                prize == self.best_prize and spent < self.best_cost
            )
            if better:
                self.best_prize, self.best_cost = prize, spent
                self.best_tree, self.best_nodes = in_tree.copy(), in_nodes.copy()
            if spent == cost:
                break

    def search(self, done: float, share: float) -> None:
        """Look for plans and prices for the current budget."""
        task, g = self.task, self.task.graph
        if self.sites.size == 0:
            return
        self.clock.tick(done)
        money = self.budget + task.slack

        def bound_at(price: float) -> float:
            tight, seen = self.price_out(price)
            is_terminal = (seen != 0) & (self.prize > 0.0)
            is_terminal[task.root] = True
            in_nodes = np.zeros(g.n, np.uint8)
            in_tree = np.zeros(g.m, np.uint8)
            kernels.shortest_path_tree(
                *g.slots,
                np.where(tight != 0, g.cost, -1),
                is_terminal.astype(np.uint8),
                task.root,
                in_nodes,
            )
            self.polish(in_tree, in_nodes)
            return price * money - self.duals[price]

        # The bound is nearly convex in the price: narrow it down by thirds.
        high = math.log(self.greatest_price())
        low = high - math.log(1e9)
        rough = np.linspace(low, high, _PRICES)
        values = []
        for i, log_price in enumerate(rough):
            price = math.exp(log_price)
            known = price in self.duals
            values.append(price * money - self.duals[price] if known else bound_at(price))
            self.clock.tick(done + share * 0.3 * i / _PRICES)
        at = int(np.argmin(values))
        low, high = rough[max(at - 1, 0)], rough[min(at + 1, _PRICES - 1)]
        for i in range(_PRICES // 2):
            a, b = low + (high - low) / 3.0, high - (high - low) / 3.0
            if bound_at(math.exp(a)) <= bound_at(math.exp(b)):
                high = b
            else:
                low = a
            self.clock.tick(done + share * (0.3 + 0.3 * 2 * i / _PRICES))
        # Vary the best plan: cut it back by shaken prizes, and fill it up by others.
        tries = int(np.clip(2_000_000 // (g.m + 1), 20, 200))
        stale = 0
        for i in range(tries):
            before = self.best_prize, self.best_cost
            self.vary()
            self.clock.tick(done + share * (0.6 + 0.4 * i / tries))
            stale = 0 if (self.best_prize, self.best_cost) != before else stale + 1
            if stale > tries // 2 or self.best_prize >= self.all_prizes:
                break

    def vary(self) -> None:
        task, g = self.task, self.task.graph
        in_tree, in_nodes = self.best_tree.copy(), self.best_nodes.copy()
        shaken = self.prize * self.random.uniform(0.3, 1.7, g.n)
        less = int(self.best_cost * self.random.uniform(0.2, 0.95))
        cost = kernels.trim(*g.slots, g.cost, shaken, task.root, less, in_tree, in_nodes)
        shaken = self.prize * self.random.uniform(0.5, 1.5, g.n)
        # Sites that share a way look dear one by one: favour a few at random.
        shaken[self.random.choice(self.sites, self.random.integers(0, 4))] *= 8.0
        kernels.fill_budget(*g.slots, g.cost, shaken, self.budget - cost, in_tree, in_nodes)
        self.polish(in_tree, in_nodes)
