"""The most weight within a budget: bounds, fixing, local search and branching.

With w[i] the weight of row i, c[j] the cost of column j and B the budget, prices p of the
rows, between 0 and w, prove that no choice covers more than

    sum of w[i] - p[i]  +  min over r >= 0 of  r B + sum of max(0, profit[j] - r c[j]),

where profit[j] is the sum of p over the rows of column j (Lagrangian bound). The least such
bound is that of the linear relaxation. HiGHS finds its prices in this, its dual form: with a
row per site it takes a second where the usual form, a row per demand, takes tens of seconds.
"""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from planning.cover_table import (
    ROUND,
    Clock,
    Flags,
    Floats,
    Ints,
    Table,
    add_up,
    merge,
    total,
    whole_step,
)
from planning.kernels import cover as kernels
from planning.milp import minimise

#: Random choices are the same in every run.
_SEED = 1974

#: Entries of a table above which the relaxation is not solved, for its memory.
_MOST_ENTRIES = 12_000_000

#: Subgradient steps before the relaxation, and where it is not solved.
_FIRST_STEPS, _ALL_STEPS = 300, 1500

#: Share of all time for those first steps, of the time left for the first relaxation, and of
#: all time for a search.
_DESCENT, _RELAXATION, _SEARCH = 0.1, 0.7, 0.05


@dataclass(frozen=True, eq=False)
class _Open:
    """What is still to be decided when some columns are taken and others dropped.

    Parameters
    ----------
    table, weight, cost
        Rows and columns that are open. Costs are above 0.
    budget
        Money left; below 0 when what is taken costs too much.
    base
        Weight that the taken columns cover.
    columns
        The numbers of the open columns in the whole table, ascending.
    taken
        Which columns of the whole table are taken.
    price
        Prices of the rows that prove a bound.
    """

    table: Table
    weight: Floats
    cost: Floats
    budget: float
    base: float
    columns: Ints
    taken: Flags
    price: Floats

    @property
    def affordable(self) -> bool:
        """Whether all open columns can be taken."""
        return not self.table.columns or total(self.cost) <= self.budget * (1.0 + 1e-12)

    def without(self, take: Flags, drop: Flags) -> _Open:
        """Take and drop columns; rows covered, without column or without weight go."""
        covered = self.table.covered(take)
        keep = ~(take | drop)
        left = ~covered & (self.weight > 0.0)
        part = self.table.matrix()[np.flatnonzero(left)][:, np.flatnonzero(keep)]
        part.sort_indices()
        group, table = merge(part)
        some = group >= 0
        taken = self.taken.copy()
        taken[self.columns[take]] = True
        return _Open(
            table,
            add_up(group[some], self.weight[left][some], table.rows),
            self.cost[keep],
            self.budget - total(self.cost[take]),
            self.base + total(self.weight[covered]),
            self.columns[keep],
            taken,
            add_up(group[some], self.price[left][some], table.rows),
        )

    def settled(self, take: Flags, drop: Flags, clock: Clock) -> _Open:
        """Take and drop columns, then drop those too dear and those another one replaces."""
        part = self.without(take, drop)
        while part.budget >= 0.0:
            drop = part.cost > part.budget
            if not drop.any():
                drop = part.table.weaker_columns(part.cost, clock)
            if not drop.any():
                break
            part = part.without(np.zeros(len(drop), dtype=bool), drop)
        return part

    def bound(self, price: Floats) -> tuple[float, Floats]:
        """Return what no choice exceeds, and by how much taking each column is worth it.

        A choice without a column of worth above 0, or with one of worth below 0, stays below
        the bound by that worth.
        """
        profit = self.table.sums(price)
        ratio = profit / self.cost
        order = np.argsort(-ratio)
        # Money has the price of the last column that is bought.
        last = int(np.searchsorted(np.cumsum(self.cost[order]), self.budget))
        rate = float(ratio[order[min(last, len(order) - 1)]])
        worth = profit - rate * self.cost
        kept = total(self.weight - price) + rate * self.budget
        return self.base + kept + total(np.maximum(worth, 0.0)), worth

    def decided(self, price: Floats, below: float) -> tuple[Flags, Flags]:
        """Return the columns that every choice above a weight takes, and that none takes."""
        bound, worth = self.bound(price)
        return (worth > 0.0) & (bound - worth < below), (worth < 0.0) & (bound + worth < below)

    def relaxed(self, limit_s: float, clock: Clock) -> tuple[Floats, Floats] | None:
        """Return the prices of the best bound and the shares of columns bought at them.

        None where that takes too long.
        """
        rows, columns = self.table.rows, self.table.columns
        if limit_s <= 0.0 or len(self.table.row_items) > _MOST_ENTRIES:
            return None
        heavy, dear = float(self.weight.max()), float(self.cost.max())
        found = minimise(
            np.concatenate([-np.ones(rows), np.ones(columns), [self.budget / dear]]),
            scipy.sparse.hstack(
                [
                    -self.table.matrix().T.astype(np.float64),
                    scipy.sparse.eye_array(columns),
                    scipy.sparse.csr_array((self.cost / dear)[:, np.newaxis]),
                ]
            ),
            np.zeros(columns),
            np.full(columns, np.inf),
            upper=np.concatenate([self.weight / heavy, np.full(columns + 1, np.inf)]),
            is_whole=np.zeros(rows + columns + 1, dtype=bool),
            time_limit_s=limit_s,
            # It finds nothing here: rows and columns are already few.
            presolve=False,
            on_progress=lambda _: clock.tick(),
        )
        if found.values is None or found.row_prices is None:
            return None
        # Whatever the solver's tolerance: prices within their limits prove a bound.
        price = np.clip(found.values[:rows] * heavy, 0.0, self.weight)
        return price, np.clip(found.row_prices, 0.0, 1.0)


@dataclass(frozen=True, eq=False)
class _Half:
    """Choices that take and drop some of the open columns.

    Parameters
    ----------
    bound
        None of them covers more.
    take, drop
        Which columns, of those open when the branching began.
    column
        The one to split by.
    """

    bound: float
    take: Flags
    drop: Flags
    column: int

    @property
    def halves(self) -> tuple[tuple[Flags, Flags], ...]:
        """What the choices with the column and those without it take and drop."""
        one = np.zeros_like(self.take)
        one[self.column] = True
        return (self.take | one, self.drop & ~one), (self.take & ~one, self.drop | one)


class MaximalCover:
    """A maximal cover whose open part shrinks while its bounds close in.

    Parameters
    ----------
    table, weight, cost, budget
        See `planning.sites.maximal_cover`, with equal rows merged.
    clock
        Time limit and progress.
    goal
        Weight with which the search ends, reached or proven out of reach.
    """

    def __init__(
        self,
        table: Table,
        weight: Floats,
        cost: Floats,
        budget: float,
        clock: Clock,
        goal: float | None = None,
    ) -> None:
        self.full, self.full_weight, self.full_cost = table, weight, cost
        # Sums of decimal fractions may lie a rounding above the budget.
        self.full_budget = budget * (1.0 + ROUND)
        step = whole_step(cost)
        if step > 0.0 and math.isfinite(budget):
            # Whole costs never add up to more than this.
            self.full_budget = math.floor(self.full_budget / step) * step
        self.clock = clock
        self.goal = goal
        self.step = whole_step(weight)
        self.random = np.random.default_rng(_SEED)
        # At first each row pays its weight, shared by its columns.
        price = weight / np.maximum(np.diff(table.row_first), 1)
        columns = np.arange(table.columns)
        none = np.zeros(table.columns, dtype=bool)
        self.open = _Open(table, weight, cost, self.full_budget, 0.0, columns, none, price)
        self.best: Ints = np.zeros(0, np.int64)
        self.best_weight = -1.0
        self.bound = math.inf

    def solve(self) -> tuple[Ints, float]:
        """Return the columns of the best choice and a bound on the greatest weight."""
        free = self.full_cost == 0.0
        self.open = self.open.settled(free, np.zeros_like(free), self.clock)
        self.lower_bound_to(self.open.base + total(self.open.weight))
        if self.all_taken():
            return self.best, self.bound
        self.prepare()
        self.descend(_FIRST_STEPS, _DESCENT * self.clock.limit_s)
        relaxed = False
        for turn in range(6):
            if self.done or (turn and self.clock.left_s <= 0.0):
                break
            before = self.open.table.columns
            relaxed = relaxed or self.relax()
            if not relaxed:
                self.descend(_ALL_STEPS, self.clock.left_s)
            self.fix()
            self.search(_SEARCH * self.clock.limit_s)
            if self.open.table.columns > 0.95 * before and turn:
                break
        if not self.done:
            self.fix()
            self.branch()
        return self.best, self.bound

    @property
    def closed(self) -> bool:
        """Whether nothing better can exist."""
        return self.bound <= self.target

    @property
    def done(self) -> bool:
        """Whether nothing better can exist, or what was asked for is decided."""
        if self.goal is not None and (self.best_weight >= self.goal or self.bound < self.goal):
            return True
        return self.closed

    @property
    def target(self) -> float:
        """A bound from which on nothing is better than the best choice."""
        room = ROUND * max(self.best_weight, 0.0)
        return self.best_weight + max(self.step - room, room)

    @property
    def below(self) -> float:
        """A weight that surely is no improvement, for fixing."""
        return self.target - ROUND * self.best_weight

    def all_taken(self) -> bool:
        """Take all open columns if the budget allows it."""
        if not self.open.affordable:
            return False
        self.record(self.open, np.ones(self.open.table.columns, dtype=bool))
        self.bound = min(self.bound, self.best_weight)
        return True

    def record(self, part: _Open, chosen: Flags) -> None:
        """Keep a choice among open columns if it covers the most."""
        whole = part.taken.copy()
        whole[part.columns[chosen]] = True
        columns = np.flatnonzero(whole)
        if total(self.full_cost[columns]) > self.full_budget * (1.0 + 1e-12):
            return
        weight = total(self.full_weight[self.full.covered(whole)])
        if weight > self.best_weight:
            self.best, self.best_weight = columns, weight

    def whole(self, bound: float) -> float:
        """Return a bound with room for rounding, and no more than a sum of weights can be."""
        bound += ROUND * abs(bound)
        return math.floor(bound / self.step + 1e-6) * self.step if self.step > 0.0 else bound

    def lower_bound_to(self, bound: float) -> None:
        """Use a bound on the choices better than the best one, or on all of them."""
        self.bound = max(min(self.bound, self.whole(bound)), self.best_weight)
        if self.closed:
            self.bound = max(self.best_weight, 0.0)

    # ------------------------------------------------------------------------------------
    # Choices

    def prepare(self) -> None:
        """Make a first choice among the open columns."""
        self.chosen = np.zeros(self.open.table.columns, np.uint8)
        self.chosen_weight = -1.0
        start = np.isin(self.open.columns, self.best)
        if start.any() and total(self.open.cost[start]) <= self.open.budget:
            self.improve(start.astype(np.uint8), np.ones(len(start)))
        self.improve(np.zeros_like(self.chosen), np.ones(len(start)))

    def improve(
        self, chosen: NDArray[np.uint8], favour: Floats, *, least_share: float = 0.0
    ) -> bool:
        """Fill a choice up, exchange columns while that helps, keep it if it is the best.

        What then covers less than a share of the best choice is not worth the exchanges.
        """
        self.fill(chosen, favour)
        if self.open_weight(chosen) >= least_share * self.chosen_weight:
            self.swap(chosen)
        weight = self.open_weight(chosen)
        if weight <= self.chosen_weight:
            return False
        self.chosen, self.chosen_weight = chosen, weight
        self.record(self.open, chosen != 0)
        return True

    def open_weight(self, chosen: NDArray[np.uint8]) -> float:
        """Return the weight of the open rows that a choice covers."""
        return total(self.open.weight[self.open.table.covered(chosen != 0)])

    def fill(self, chosen: NDArray[np.uint8], favour: Floats) -> None:
        """Add columns while money is left, those of most new weight per cost first."""
        part = self.open
        kernels.fill_budget(*part.table.parts, part.weight, part.cost, part.budget, favour, chosen)

    def swap(self, chosen: NDArray[np.uint8]) -> None:
        """Exchange columns and fill up as long as that covers more."""
        part = self.open
        for _ in range(50):
            before = chosen.copy()
            kernels.swap_columns(*part.table.parts, part.weight, part.cost, part.budget, chosen, 3)
            self.fill(chosen, np.ones(len(chosen)))
            self.clock.tick()
            if np.array_equal(before, chosen) or self.clock.left_s <= 0.0:
                break

    def search(self, limit_s: float) -> None:
        """Shake the best choice and improve it again."""
        until = min(self.clock.spent_s + limit_s, self.clock.limit_s)
        stale = 0
        while not self.done and self.clock.spent_s < until and stale < 60:
            chosen = self.chosen.copy()
            inside = np.flatnonzero(chosen)
            if not len(inside):
                break
            leave = int(self.random.integers(1, min(len(inside), 12) + 1))
            chosen[self.random.permutation(inside)[:leave]] = 0
            better = self.improve(chosen, self.random.uniform(0.5, 1.5, len(chosen)))
            stale = 0 if better else stale + 1

    # ------------------------------------------------------------------------------------
    # Bounds

    def descend(self, steps: int, limit_s: float) -> None:
        """Lower the Lagrangian bound by small steps, and try choices near its prices."""
        until = min(self.clock.spent_s + limit_s, self.clock.limit_s)
        part = self.open
        best, pace, stale = math.inf, 0.5, 0
        at_once = part.table.steps_at_once(50)
        price = part.price.copy()
        for _ in range(0, steps, at_once):
            best, pace, stale = kernels.price_budget(
                *part.table.parts,
                part.weight,
                part.cost,
                part.budget,
                price,
                part.price,
                best,
                self.best_weight - part.base,
                pace,
                stale,
                at_once,
            )
            self.improve(
                np.zeros_like(self.chosen), part.table.sums(price) + 1e-9, least_share=0.98
            )
            self.lower_bound_to(best + part.base)
            self.clock.tick()
            if self.done or pace < 1e-4 or self.clock.spent_s >= until:
                break

    def relax(self) -> bool:
        """Lower the bound to that of the relaxation; return whether there was time for it."""
        found = self.open.relaxed(_RELAXATION * self.clock.left_s, self.clock)
        if found is None:
            return False
        self.open.price[:], share = found
        self.lower_bound_to(self.open.bound(self.open.price)[0])
        self.improve(np.zeros_like(self.chosen), share + 1e-9)
        return True

    def fix(self) -> None:
        """Fix the columns that the bound decides in every better choice."""
        if self.done:
            return
        take, drop = self.open.decided(self.open.price, self.below)
        if not (take.any() or drop.any()):
            return
        self.open = self.open.settled(take, drop, self.clock)
        if self.open.budget < 0.0 or self.all_taken():
            self.lower_bound_to(self.best_weight)
            return
        self.prepare()

    def branch(self) -> None:
        """Split the open part again and again: a column is taken, or it is not.

        The half with the greatest bound comes first, so that its bound holds for all.
        """
        none = np.zeros(self.open.table.columns, dtype=bool)
        number = itertools.count()
        waiting: list[tuple[float, int, _Half]] = []
        halves: tuple[tuple[Flags, Flags], ...] = ((none, none),)
        bound = self.bound
        while True:
            for take, drop in halves:
                half = self.explore(take, drop, bound)
                if half is None:
                    return
                if half.bound > self.target:
                    heapq.heappush(waiting, (-half.bound, next(number), half))
            if not waiting:
                self.lower_bound_to(self.best_weight)
                return
            _, _, half = heapq.heappop(waiting)
            bound = half.bound
            self.lower_bound_to(bound)
            if self.done:
                return
            halves = half.halves

    def explore(self, take: Flags, drop: Flags, bound: float) -> _Half | None:
        """Bound the choices that take and drop some of the open columns; None without time."""
        whole = self.open
        part = whole.settled(take, drop, self.clock)
        if part.budget < 0.0:
            return _Half(-math.inf, take, drop, 0)
        if part.affordable:
            self.record(part, np.ones(part.table.columns, dtype=bool))
            return _Half(-math.inf, take, drop, 0)
        found = part.relaxed(self.clock.left_s, self.clock)
        if found is None:
            return None
        price, share = found
        bound = min(bound, self.whole(part.bound(price)[0]))
        at = np.searchsorted(whole.columns, part.columns)
        favour = np.full(whole.table.columns, 1e-9)
        favour[at] += share
        self.improve(part.taken[whole.columns].astype(np.uint8), favour)
        surely, never = part.decided(price, self.below)
        split = np.where(surely | never, -1.0, share * (1.0 - share))
        take, left = part.taken[whole.columns], np.zeros_like(take)
        take[at[surely]] = True
        left[at[~(surely | never)]] = True
        return _Half(bound, take, ~(take | left), int(at[np.argmax(split)]))
