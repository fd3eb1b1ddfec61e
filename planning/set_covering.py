"""Covering every demand at least cost: bounds, fixing and local search, then HiGHS."""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from planning.cover_table import ROUND, Clock, Flags, Floats, Ints, Table, merge, total, whole_step
from planning.kernels import cover as kernels
from planning.milp import minimise

#: Random choices are the same in every run.
_SEED = 1974

#: Entries of a table above which HiGHS is not asked: its first relaxation would take minutes.
_MOST_ENTRIES = 3_000_000


class SetCover:
    """A set cover on a table that shrinks while its bounds close in."""

    def __init__(self, table: Table, cost: Floats, clock: Clock) -> None:
        self.full = table
        self.full_cost = cost
        self.clock = clock
        self.step = whole_step(cost)
        #: Columns that are surely taken, and the table of what is still open.
        self.taken = cost == 0.0
        self.columns = np.arange(table.columns)
        self.table = table
        self.cost = cost
        self.best: Ints = np.zeros(0, np.int64)
        self.best_cost = math.inf
        self.bound = 0.0

    def solve(self) -> tuple[Ints, float]:
        """Return the columns of the best cover and a bound on the least cost."""
        self.shrink(self.taken)
        self.reduce()
        self.improve_from_greedy()
        for turn in range(4):
            if self.closed or (turn and self.clock.left_s <= 0.0):
                break
            before = self.table.columns
            self.ascend(3000 if turn else 1500)
            self.search(max(1.0, 0.06 * self.clock.limit_s))
            self.fix()
            if self.table.columns > 0.9 * before and turn:
                break
        if not self.closed:
            self.branch()
        return self.best, self.bound

    @property
    def closed(self) -> bool:
        """Whether no cheaper cover can exist."""
        return self.bound >= self.target

    @property
    def target(self) -> float:
        """A bound from which on nothing is cheaper than the best cover."""
        room = ROUND * self.best_cost
        return self.best_cost - max(self.step - room, room)

    @property
    def taken_cost(self) -> float:
        """Cost of the columns that are surely taken."""
        return total(self.full_cost[self.taken])

    def shrink(self, take: Flags, drop: Flags | None = None) -> None:
        """Take and drop columns of the open table; rows that are covered go too."""
        rows = ~self.table.covered(take)
        keep = ~take if drop is None else ~(take | drop)
        self.taken[self.columns[take]] = True
        self.table = self.table.kept(rows, keep)
        self.columns, self.cost = self.columns[keep], self.cost[keep]

    def reduce(self) -> None:
        """Drop rows and columns that cannot matter, take columns that must be taken."""
        while self.table.rows:
            table = self.table
            bit = np.left_shift(np.uint64(1), (np.arange(table.columns) % 64).astype(np.uint64))
            code = np.bitwise_or.reduceat(bit[table.row_items], table.row_first[:-1])
            removed = np.zeros(table.rows, np.uint8)
            for start in range(0, table.rows, 4096):
                end = min(start + 4096, table.rows)
                kernels.drop_harder_rows(*table.parts, code, removed, start, end)
                self.clock.tick()
                if self.clock.left_s <= 0.0:
                    break
            self.table = table.kept(removed == 0, np.ones(table.columns, dtype=bool))
            drop = self.table.weaker_columns(self.cost, self.clock)
            self.shrink(np.zeros(len(drop), dtype=bool), drop)
            # Dropped columns may have made rows equal.
            _, self.table = merge(self.table.matrix())
            alone = np.diff(self.table.row_first) == 1
            take = np.zeros(self.table.columns, dtype=bool)
            take[self.table.row_items[self.table.row_first[:-1][alone]]] = True
            self.shrink(take)
            if not (drop.any() or take.any()) or self.clock.left_s <= 0.0:
                break
        if not self.table.rows:
            self.record(np.zeros(self.table.columns, dtype=bool))
            self.bound = self.best_cost

    def record(self, chosen: Flags) -> None:
        """Keep a cover of the open table if it is the cheapest."""
        whole = self.taken.copy()
        whole[self.columns[chosen]] = True
        columns = np.flatnonzero(whole)
        cost = total(self.full_cost[columns])
        if cost < self.best_cost:
            self.best, self.best_cost = columns, cost

    def improve_from_greedy(self) -> None:
        """Make a first choice and first prices for the open table."""
        if self.closed:
            return
        chosen = np.zeros(self.table.columns, np.uint8)
        kernels.greedy_cover(*self.table.parts, self.cost, chosen)
        self.record(chosen != 0)
        self.chosen = chosen
        # What a row is worth at first: its cheapest column's cost, shared by its rows.
        per_row = self.cost / np.maximum(np.diff(self.table.col_first), 1)
        self.price = np.minimum.reduceat(per_row[self.table.row_items], self.table.row_first[:-1])
        self.best_price = self.price.copy()

    def ascend(self, steps: int) -> None:
        """Raise the Lagrangian bound, and try covers near its prices."""
        base = self.taken_cost
        open_best, pace, stale = -math.inf, 0.5, 0
        at_once = self.table.steps_at_once(100)
        self.price = self.best_price.copy()
        for _ in range(0, steps, at_once):
            target = max(self.best_cost - base, ROUND)
            open_best, pace, stale = kernels.ascend_cover(
                *self.table.parts,
                self.cost,
                self.price,
                self.best_price,
                open_best,
                target * 1.01,
                pace,
                stale,
                at_once,
            )
            chosen = np.zeros(self.table.columns, np.uint8)
            left = self.cost - self.table.sums(self.price)
            kernels.greedy_cover(*self.table.parts, left, chosen)
            self.try_cover(chosen)
            self.raise_bound(open_best + base)
            self.clock.tick()
            if self.closed or pace < 1e-4 or self.clock.left_s <= 0.0:
                break

    def try_cover(self, chosen: NDArray[np.uint8]) -> None:
        """Keep a cover of the open table if it is the cheapest found in it."""
        cost = total(self.cost[chosen != 0])
        if cost < total(self.cost[self.chosen != 0]):
            self.chosen = chosen
            self.record(chosen != 0)

    def raise_bound(self, bound: float) -> None:
        """Use a bound on covers that are cheaper than the best one, or on all of them."""
        bound -= ROUND * abs(bound)
        if self.step > 0.0:
            bound = math.ceil(bound / self.step - 1e-6) * self.step
        self.bound = max(self.bound, min(bound, self.best_cost))
        if self.closed:
            self.bound = self.best_cost

    def search(self, limit_s: float) -> None:
        """Look for cheaper covers."""
        until = min(self.clock.spent_s + limit_s, self.clock.limit_s)
        steps, seed, stale = 500, _SEED, 0
        while not self.closed and self.clock.spent_s < until and stale < 12:
            chosen = self.chosen.copy()
            start_s = self.clock.spent_s
            before = total(self.cost[chosen != 0])
            kernels.search_cover(*self.table.parts, self.cost, chosen, before, seed, steps)
            self.try_cover(chosen)
            after = total(self.cost[self.chosen != 0])
            stale = 0 if after < before else stale + 1
            seed += 1
            # Steps between two reports take about a fifth of a second.
            if self.clock.spent_s - start_s < 0.1 and steps < 200_000:
                steps *= 2
            self.clock.tick()

    def fix(self) -> None:
        """Fix the columns that the bound decides in every cheaper cover."""
        if self.closed:
            return
        base = self.taken_cost
        left = self.cost - self.table.sums(self.best_price)
        bound = base + total(self.best_price) + total(np.minimum(left, 0.0))
        dear = (left > 0.0) & (bound + left > self.target + ROUND * self.best_cost)
        must = (left < 0.0) & (bound - left > self.target + ROUND * self.best_cost)
        if not (dear.any() or must.any()):
            return
        rows_left = ~self.table.covered(~dear)
        if rows_left.any():
            # A row has lost all its columns: no cover is cheaper.
            self.bound = self.best_cost
            return
        price, covered = self.best_price, self.table.covered(must)
        self.shrink(must, dear)
        self.price = self.best_price = price[~covered]
        if not self.table.rows:
            self.record(np.zeros(self.table.columns, dtype=bool))
            self.bound = self.best_cost
            return
        # Prices of merged or dropped rows are found anew.
        self.reduce()
        self.improve_from_greedy()

    def branch(self) -> None:
        """Let HiGHS decide the open table."""
        table, left_s = self.table, self.clock.left_s
        if left_s <= 0.0 or len(table.row_items) > _MOST_ENTRIES:
            return
        base, scale = self.taken_cost, float(self.cost.max())
        # Only cheaper covers matter.
        row = scipy.sparse.csr_array((self.cost / scale)[np.newaxis, :])
        matrix = scipy.sparse.vstack([table.matrix().astype(np.float64), row], format="csr")
        most = (self.best_cost - (0.5 * self.step if self.step else 0.0) - base) / scale
        lower = np.append(np.ones(table.rows), -np.inf)
        upper = np.append(np.full(table.rows, np.inf), most)
        start = None
        if total(self.cost[self.chosen != 0]) / scale <= most:
            start = self.chosen.astype(np.float64)
        found = minimise(
            self.cost / scale,
            matrix,
            lower,
            upper,
            upper=np.ones(table.columns),
            is_whole=np.ones(table.columns, dtype=bool),
            time_limit_s=left_s,
            start=start,
            on_progress=lambda _: self.clock.tick(),
        )
        if found.values is not None and bool(table.covered(found.values > 0.5).all()):
            self.record(found.values > 0.5)
        if found.bound == math.inf:
            self.bound = self.best_cost
        else:
            self.raise_bound(found.bound * scale * (1.0 - 1e-7) + base)
