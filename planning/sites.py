"""Choice of sites: cover every demand at least cost, or the most within a budget.

Demand rows that the same sites cover are merged, rows and sites that cannot matter
are dropped, a Lagrangian bound and a local search close in from both sides and fix
further sites, and HiGHS decides what is left. The bound returned is proven.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from data.errors import InputError, Message, message
from planning.kernels import cover as kernels
from planning.milp import minimise

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Two sums of money or weight are one within this share, for rounding.
_ROUND = 1e-9

#: Random choices are the same in every run.
_SEED = 1974

#: Entries of a table above which HiGHS is not asked: its first relaxation would take minutes.
_MOST_ENTRIES = 3_000_000

Progress = Callable[[float], None]


@dataclass(frozen=True)
class SiteChoice:
    """Sites, and how much better any other choice could be.

    Parameters
    ----------
    columns
        The chosen sites: columns of the membership table, ascending.
    value
        What is optimised: the cost of a set cover, the weight that a maximal cover reaches.
    bound
        Proven: no set cover costs less, no choice within the budget reaches more. Exact
        up to rounding and to the tolerance of the solver, one in a million.
    gap
        |value - bound| / bound; 0 where they are equal.
    cost
        Cost of the chosen sites.
    uncovered_rows
        How many demand rows no site covers (always 0 in a set cover).
    note
        What a reader should know about the result, or None.
    """

    columns: Ints
    value: float
    bound: float
    gap: float
    cost: float
    uncovered_rows: int = 0
    note: Message | None = None


def set_cover(
    membership: scipy.sparse.sparray | scipy.sparse.spmatrix | ArrayLike,
    cost: ArrayLike,
    *,
    time_limit_s: float = 60.0,
    on_progress: Progress = lambda _: None,
) -> SiteChoice:
    """Choose sites of least total cost that cover every demand row.

    Minimise ``sum(cost[j] for chosen j)`` such that each row i has a chosen column j
    with ``membership[i, j] != 0``.

    Parameters
    ----------
    membership
        Demand rows × site columns; every entry other than 0 means "covers".
    cost
        Cost of each site, finite and not negative; any unit.
    time_limit_s
        Time after which the best choice so far is returned. Merging and a first choice
        are always made; compiling, once per computer, does not count. [s]
    on_progress
        Called with the fraction done, from the caller's thread, between units of work;
        it may raise `CancelledError`.

    Returns
    -------
    SiteChoice
        `value` is the cost, `bound` at most the least cost.

    Raises
    ------
    InputError
        If sizes do not fit, a cost is negative or not finite, or rows have no column.

    References
    ----------
    A. Caprara, M. Fischetti, P. Toth, A heuristic method for the set covering problem,
    Operations Research 47, 1999.

    Examples
    --------
    >>> choice = set_cover([[1, 0, 1], [0, 1, 1]], [2.0, 2.0, 3.0])
    >>> choice.columns.tolist(), choice.value, choice.bound
    ([2], 3.0, 3.0)
    """
    _warm_up()
    clock = _Clock(time_limit_s, on_progress)
    table = _membership(membership)
    prices = _figures(cost, table.shape[1], "cost")
    group, merged = _merged(table)
    without = int(np.count_nonzero(group < 0))
    if without:
        raise InputError(
            "{count} of {total} demand rows are covered by no site (the first is row {first}): a "
            "set cover needs a site for every row",
            count=without,
            total=table.shape[0],
            first=int(np.argmax(group < 0)),
        )
    clock.tick(0.02)
    cover = _SetCover(merged, prices, clock)
    columns, bound = cover.solve()
    value = _total(prices[columns])
    bound = min(bound, value)
    clock.finish()
    return SiteChoice(columns, value, bound, _share(value - bound, bound), value)


def maximal_cover(
    membership: scipy.sparse.sparray | scipy.sparse.spmatrix | ArrayLike,
    weight: ArrayLike,
    cost: ArrayLike,
    budget: float,
    *,
    time_limit_s: float = 60.0,
    goal: float | None = None,
    on_progress: Progress = lambda _: None,
) -> SiteChoice:
    """Choose sites within a budget that cover the most weight.

    Maximise ``sum(weight[i] for rows i with a chosen column)`` such that
    ``sum(cost[j] for chosen j) <= budget``.

    Parameters
    ----------
    membership
        Demand rows × site columns; every entry other than 0 means "covers". Rows without
        a column are counted in the result and otherwise left aside.
    weight
        Weight of each row, e.g. people, finite and not negative.
    cost
        Cost of each site, finite and not negative.
    budget
        In the unit of the costs, not negative; may be infinite. The cost may exceed it by
        one in a thousand million, for rounding.
    time_limit_s, on_progress
        As for `set_cover`.
    goal
        Weight with which the search ends: as soon as a choice reaches it, or none is
        proven to. None to look for the most.

    Returns
    -------
    SiteChoice
        `value` is the weight covered, `bound` at least the most that the budget can cover.

    Raises
    ------
    InputError
        If sizes do not fit, or a weight, a cost or the budget is negative or not a number.

    References
    ----------
    R. Church, C. ReVelle, The maximal covering location problem, Papers of the Regional
    Science Association 32, 1974.

    Examples
    --------
    >>> choice = maximal_cover([[1, 0], [1, 0], [0, 1]], [5.0, 5.0, 8.0], [2.0, 1.0], 2.0)
    >>> choice.columns.tolist(), choice.value, choice.bound
    ([0], 10.0, 10.0)
    """
    _warm_up()
    clock = _Clock(time_limit_s, on_progress)
    table = _membership(membership)
    prices = _figures(cost, table.shape[1], "cost")
    people = _figures(weight, table.shape[0], "weight")
    money = float(budget)
    if math.isnan(money) or money < 0.0:
        raise InputError("The budget is {value}, expected a number of at least 0", value=budget)
    group, merged = _merged(table)
    has_site = group >= 0
    without = int(len(group) - np.count_nonzero(has_site))
    clock.tick(0.02)
    load = _add_up(group[has_site], people[has_site], merged.rows)
    cover = _MaximalCover(merged, load, prices, money, clock, goal)
    columns, bound = cover.solve()
    served = np.zeros(merged.rows, dtype=bool)
    for j in columns.tolist():
        served[merged.rows_of(j)] = True
    # One value for one answer, whatever the order of the rows.
    value = _total(people[has_site][served[group[has_site]]])
    bound = max(bound, value)
    note = None
    if without:
        note = message(
            "{count} of {total} demand rows are covered by no site", count=without, total=len(group)
        )
    if table.shape[1] and money < float(prices.min()):
        note = message(
            "The budget of {budget} is smaller than the cost of the cheapest site, {cheapest}",
            budget=money,
            cheapest=float(prices.min()),
        )
    clock.finish()
    return SiteChoice(
        columns,
        value,
        bound,
        _share(bound - value, bound),
        _total(prices[columns]),
        without,
        note,
    )


def merged_demand(
    membership: scipy.sparse.sparray | scipy.sparse.spmatrix | ArrayLike, weight: ArrayLike
) -> tuple[scipy.sparse.csr_array, Floats]:
    """Merge the demand rows that the same sites cover, for more than one question about them.

    Parameters
    ----------
    membership, weight
        As for `maximal_cover`.

    Returns
    -------
    patterns : csr_array
        A row for each set of sites that covers any demand.
    weight : numpy.ndarray
        Sum of the weights of each; demand without a site is left out.
    """
    table = _membership(membership)
    people = _figures(weight, table.shape[0], "weight")
    group, merged = _merged(table)
    some = group >= 0
    return merged.matrix(), _add_up(group[some], people[some], merged.rows)


# ----------------------------------------------------------------------------------------
# Input


def _membership(given: object) -> scipy.sparse.csr_array:
    """Return the table by rows, with ascending columns and no stored 0; never the caller's."""
    if not scipy.sparse.issparse(given):
        dense = np.asarray(given)
        if dense.ndim != 2 or dense.dtype.kind not in "biuf":
            raise InputError(
                "The membership has {count} dimensions of kind {kind}, expected a table of numbers "
                "with a row per demand and a column per site",
                count=dense.ndim,
                kind=str(dense.dtype),
            )
        given = scipy.sparse.csr_array(dense)
    if given.ndim != 2:  # type: ignore[attr-defined]
        raise InputError(
            "The membership has {count} dimensions of kind {kind}, expected a table of numbers "
            "with a row per demand and a column per site",
            count=given.ndim,  # type: ignore[attr-defined]
            kind=str(given.dtype),  # type: ignore[attr-defined]
        )
    table = scipy.sparse.csr_array(given)
    if table.dtype.kind == "f" and not bool(np.all(np.isfinite(table.data))):
        raise InputError("The membership holds values that are not numbers")
    clean = table.has_canonical_format and (
        table.dtype.kind == "b" or bool(np.all(table.data != 0))
    )
    if not clean or not table.has_sorted_indices:
        table = table.copy()
        table.sum_duplicates()
        table.eliminate_zeros()
    return table


def _figures(values: ArrayLike, count: int, name: str) -> Floats:
    try:
        figures = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("{name} holds values that are not numbers", name=name) from error
    if figures.shape != (count,):
        raise InputError(
            "{name} has {found} entries, expected {count}, as in the membership",
            name=name,
            found="×".join(str(size) for size in figures.shape) or "no",
            count=count,
        )
    wrong = np.flatnonzero(~(np.isfinite(figures) & (figures >= 0.0)))
    if len(wrong):
        raise InputError(
            "{name}, entry {index}: {value} (expected a finite number of at least 0)",
            name=name,
            index=int(wrong[0]),
            value=float(figures[wrong[0]]),
        )
    with np.errstate(over="ignore"):
        if not math.isfinite(float(figures.sum())):
            raise InputError("The values of {name} are too large to be added", name=name)
    return figures


def _total(values: Floats) -> float:
    """Return the sum, rounded once, so that it does not depend on the order."""
    return math.fsum(values.tolist())


def _add_up(place: NDArray[np.int32], values: Floats, count: int) -> Floats:
    """Return the sum of the values at each place."""
    return np.bincount(place, weights=values, minlength=count).astype(np.float64)


def _share(difference: float, bound: float) -> float:
    if difference <= 0.0:
        return 0.0
    return difference / bound if bound > 0.0 else math.inf


# ----------------------------------------------------------------------------------------
# Tables


@dataclass(frozen=True)
class _Table:
    """Rows and columns as the kernels want them, and which ones they are in the table above.

    Parameters
    ----------
    row_first, row_items, col_first, col_items
        As in `planning.kernels.cover`.
    """

    row_first: Ints
    row_items: NDArray[np.int32]
    col_first: Ints
    col_items: NDArray[np.int32]

    @staticmethod
    def of(table: scipy.sparse.csr_array) -> _Table:
        by_column = scipy.sparse.csc_array(
            (np.ones(table.nnz, np.int8), table.indices, table.indptr), shape=table.shape[::-1]
        ).tocsr()
        by_column.sort_indices()
        return _Table(
            table.indptr.astype(np.int64),
            table.indices.astype(np.int32, copy=False),
            by_column.indptr.astype(np.int64),
            by_column.indices.astype(np.int32, copy=False),
        )

    @property
    def rows(self) -> int:
        return len(self.row_first) - 1

    @property
    def columns(self) -> int:
        return len(self.col_first) - 1

    @property
    def parts(self) -> tuple[Ints, NDArray[np.int32], Ints, NDArray[np.int32]]:
        return self.row_first, self.row_items, self.col_first, self.col_items

    def rows_of(self, column: int) -> NDArray[np.int32]:
        return self.col_items[self.col_first[column] : self.col_first[column + 1]]

    def matrix(self) -> scipy.sparse.csr_array:
        ones = np.ones(len(self.row_items), np.int8)
        return scipy.sparse.csr_array(
            (ones, self.row_items, self.row_first), shape=(self.rows, self.columns)
        )

    def kept(self, rows: Flags, columns: Flags) -> _Table:
        """Return the table of some rows and columns, in the same order."""
        part = self.matrix()[np.flatnonzero(rows)][:, np.flatnonzero(columns)]
        part.sort_indices()
        return _Table.of(part)

    def covered(self, columns: Flags) -> Flags:
        """Return which rows have one of the columns."""
        hit = np.zeros(self.rows, dtype=bool)
        for j in np.flatnonzero(columns).tolist():
            hit[self.rows_of(j)] = True
        return hit

    def sums(self, values: Floats) -> Floats:
        """Return for each column the sum of a figure over its rows."""
        ones = np.ones(len(self.col_items), np.int8)
        by_column = scipy.sparse.csr_array(
            (ones, self.col_items, self.col_first), shape=(self.columns, self.rows)
        )
        return by_column @ values

    def steps_at_once(self, most: int) -> int:
        """Return how many passes over the table to make between two looks at the clock."""
        return int(np.clip(200_000_000 // (len(self.row_items) + 1), 1, most))

    def weaker_columns(self, cost: Floats, clock: _Clock) -> Flags:
        """Return the columns that another one replaces, as far as time allows."""
        removed = np.zeros(self.columns, np.uint8)
        for start in range(0, self.columns, 64):
            end = min(start + 64, self.columns)
            kernels.drop_weaker_columns(*self.parts, cost, removed, start, end)
            clock.tick()
            if clock.left_s <= 0.0:
                break
        return removed != 0


def _merged(table: scipy.sparse.csr_array) -> tuple[NDArray[np.int32], _Table]:
    """Merge equal rows: the group of each row, -1 for empty ones, and the table of groups."""
    rows = table.shape[0]
    size = 4
    while size < 2 * rows + 2:
        size *= 2
    slots = np.full(size, -1, np.int32)
    group = np.empty(rows, np.int32)
    sample = np.empty(rows, np.int32)
    first = table.indptr.astype(np.int64)
    items = table.indices.astype(np.int32, copy=False)
    count = kernels.merge_rows(first, items, slots, group, sample)
    chosen = sample[:count]
    length = first[chosen + 1] - first[chosen]
    start = np.concatenate([np.zeros(1, np.int64), np.cumsum(length)])
    take = np.repeat(first[chosen] - start[:-1], length) + np.arange(start[-1])
    ones = np.ones(len(take), np.int8)
    merged = scipy.sparse.csr_array((ones, items[take], start), shape=(count, table.shape[1]))
    return group, _Table.of(merged)


class _Clock:
    """Time limit and progress."""

    def __init__(self, limit_s: float, on_progress: Progress) -> None:
        if not limit_s >= 0.0:
            raise InputError(
                "time_limit_s is {value}, expected a number of seconds from 0", value=limit_s
            )
        self._start_s = time.monotonic()
        self._limit_s = limit_s
        self._on_progress = on_progress
        self._done = 0.0

    @property
    def spent_s(self) -> float:
        return time.monotonic() - self._start_s

    @property
    def left_s(self) -> float:
        return self._limit_s - self.spent_s

    @property
    def limit_s(self) -> float:
        return self._limit_s

    def tick(self, done: float = 0.0) -> None:
        by_time = self.spent_s / self._limit_s if self._limit_s > 0.0 else 0.0
        self._done = min(max(self._done, done, by_time), 0.999)
        self._on_progress(self._done)

    def finish(self) -> None:
        self._on_progress(1.0)


def whole_step(values: Floats) -> float:
    """Return the whole step that all sums of the values are multiples of, 0 for none."""
    if len(values) and bool(np.all(values == np.floor(values))) and values.sum() < 2.0**53:
        return float(np.gcd.reduce(values.astype(np.int64)))
    return 0.0


# ----------------------------------------------------------------------------------------
# Covering everything


class _SetCover:
    """A set cover on a table that shrinks while its bounds close in."""

    def __init__(self, table: _Table, cost: Floats, clock: _Clock) -> None:
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
        room = _ROUND * self.best_cost
        return self.best_cost - max(self.step - room, room)

    @property
    def taken_cost(self) -> float:
        return _total(self.full_cost[self.taken])

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
            _, self.table = _merged(self.table.matrix())
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
        cost = _total(self.full_cost[columns])
        if cost < self.best_cost:
            self.best, self.best_cost = columns, cost

    def improve_from_greedy(self) -> None:
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
            target = max(self.best_cost - base, _ROUND)
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
        cost = _total(self.cost[chosen != 0])
        if cost < _total(self.cost[self.chosen != 0]):
            self.chosen = chosen
            self.record(chosen != 0)

    def raise_bound(self, bound: float) -> None:
        """Use a bound on covers that are cheaper than the best one, or on all of them."""
        bound -= _ROUND * abs(bound)
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
            before = _total(self.cost[chosen != 0])
            kernels.search_cover(*self.table.parts, self.cost, chosen, before, seed, steps)
            self.try_cover(chosen)
            after = _total(self.cost[self.chosen != 0])
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
        bound = base + _total(self.best_price) + _total(np.minimum(left, 0.0))
        dear = (left > 0.0) & (bound + left > self.target + _ROUND * self.best_cost)
        must = (left < 0.0) & (bound - left > self.target + _ROUND * self.best_cost)
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
        if _total(self.cost[self.chosen != 0]) / scale <= most:
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


# ----------------------------------------------------------------------------------------
# Covering the most within a budget


class _MaximalCover:
    """A maximal cover on a table that shrinks while its bounds close in."""

    def __init__(
        self,
        table: _Table,
        weight: Floats,
        cost: Floats,
        budget: float,
        clock: _Clock,
        goal: float | None = None,
    ) -> None:
        self.full, self.full_weight, self.full_cost = table, weight, cost
        # Sums of decimal fractions may lie a rounding above the budget.
        budget *= 1.0 + _ROUND
        self.full_budget = budget
        self.clock = clock
        self.goal = goal
        self.step = whole_step(weight)
        self.random = np.random.default_rng(_SEED)
        #: Columns that are surely taken, their weight, and the table of what is still open.
        self.taken = np.zeros(table.columns, dtype=bool)
        self.base = 0.0
        self.columns = np.arange(table.columns)
        self.table, self.weight, self.cost, self.budget = table, weight, cost, budget
        self.best: Ints = np.zeros(0, np.int64)
        self.best_weight = -1.0
        self.bound = math.inf

    def solve(self) -> tuple[Ints, float]:
        """Return the columns of the best choice and a bound on the greatest weight."""
        self.shrink(self.cost == 0.0, self.cost > self.budget)
        self.reduce()
        self.lower_bound_to(self.base + _total(self.weight))
        if self.all_taken():
            return self.best, self.bound
        self.prepare()
        for turn in range(6):
            if self.done or (turn and self.clock.left_s <= 0.0):
                break
            before = self.table.columns
            self.descend(1500)
            self.search(0.08 * self.clock.limit_s)
            self.fix()
            if self.done or (self.table.columns > 0.95 * before and turn):
                break
        if not self.done:
            self.branch()
        return self.best, self.bound

    @property
    def closed(self) -> bool:
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
        room = _ROUND * max(self.best_weight, 0.0)
        return self.best_weight + max(self.step - room, room)

    def shrink(self, take: Flags, drop: Flags) -> None:
        """Take and drop columns of the open table; rows covered or without column go."""
        covered = self.table.covered(take)
        keep = ~(take | drop)
        self.base += _total(self.weight[covered])
        self.budget -= _total(self.cost[take])
        self.taken[self.columns[take]] = True
        self.columns, self.cost = self.columns[keep], self.cost[keep]
        part = self.table.matrix()[np.flatnonzero(~covered)][:, np.flatnonzero(keep)]
        part.sort_indices()
        group, self.table = _merged(part)
        weight = self.weight[~covered]
        some = group >= 0
        self.weight = _add_up(group[some], weight[some], self.table.rows)

    def reduce(self) -> None:
        drop = self.table.weaker_columns(self.cost, self.clock)
        if drop.any():
            self.shrink(np.zeros(len(drop), dtype=bool), drop)

    def all_taken(self) -> bool:
        """Take all open columns if the budget allows it."""
        if _total(self.cost) > self.budget * (1.0 + 1e-12) and self.table.columns:
            return False
        self.record(np.ones(self.table.columns, dtype=bool))
        self.bound = min(self.bound, self.best_weight)
        return True

    def record(self, chosen: Flags) -> None:
        """Keep a choice in the open table if it covers the most."""
        whole = self.taken.copy()
        whole[self.columns[chosen]] = True
        columns = np.flatnonzero(whole)
        if _total(self.full_cost[columns]) > self.full_budget * (1.0 + 1e-12):
            return
        weight = _total(self.full_weight[self.full.covered(whole)])
        if weight > self.best_weight:
            self.best, self.best_weight = columns, weight

    def prepare(self) -> None:
        """Make a first choice and first prices for the open table."""
        self.chosen = np.zeros(self.table.columns, np.uint8)
        self.fill(self.chosen, np.ones(self.table.columns))
        self.swap(self.chosen)
        self.record(self.chosen != 0)
        self.chosen_weight = self.open_weight(self.chosen)
        # At first each row sells all it has, as if its columns were the only way to it.
        count = np.maximum(np.diff(self.table.row_first), 1)
        self.best_price = self.weight / count

    def open_weight(self, chosen: NDArray[np.uint8]) -> float:
        return _total(self.weight[self.table.covered(chosen != 0)])

    def fill(self, chosen: NDArray[np.uint8], favour: Floats) -> None:
        kernels.fill_budget(*self.table.parts, self.weight, self.cost, self.budget, favour, chosen)

    def swap(self, chosen: NDArray[np.uint8]) -> None:
        for _ in range(50):
            before = chosen.copy()
            kernels.swap_columns(*self.table.parts, self.weight, self.cost, self.budget, chosen, 3)
            self.fill(chosen, np.ones(len(chosen)))
            self.clock.tick()
            if np.array_equal(before, chosen) or self.clock.left_s <= 0.0:
                break

    def try_choice(self, chosen: NDArray[np.uint8]) -> None:
        weight = self.open_weight(chosen)
        if weight > self.chosen_weight:
            self.chosen, self.chosen_weight = chosen, weight
            self.record(chosen != 0)

    def lower_bound_to(self, bound: float) -> None:
        bound += _ROUND * abs(bound)
        if self.step > 0.0:
            bound = math.floor(bound / self.step + 1e-6) * self.step
        self.bound = max(min(self.bound, bound), self.best_weight)
        if self.closed:
            self.bound = max(self.best_weight, 0.0)

    def descend(self, steps: int) -> None:
        """Lower the Lagrangian bound, and try choices near its prices."""
        open_best, pace, stale = math.inf, 0.5, 0
        at_once = self.table.steps_at_once(50)
        price = self.best_price.copy()
        for _ in range(0, steps, at_once):
            target = self.best_weight - self.base
            open_best, pace, stale = kernels.price_budget(
                *self.table.parts,
                self.weight,
                self.cost,
                self.budget,
                price,
                self.best_price,
                open_best,
                target,
                pace,
                stale,
                at_once,
            )
            chosen = np.zeros(self.table.columns, np.uint8)
            self.fill(chosen, self.table.sums(price) + 1e-9)
            if self.open_weight(chosen) > 0.98 * self.chosen_weight:
                self.swap(chosen)
            self.try_choice(chosen)
            self.lower_bound_to(open_best + self.base)
            self.clock.tick()
            if self.done or pace < 1e-4 or self.clock.left_s <= 0.0:
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
            self.fill(chosen, self.random.uniform(0.5, 1.5, len(chosen)))
            self.swap(chosen)
            before = self.chosen_weight
            self.try_choice(chosen)
            stale = 0 if self.chosen_weight > before else stale + 1

    def fix(self) -> None:
        """Fix the columns that the bound decides in every better choice."""
        if self.closed:
            return
        profit = self.table.sums(self.best_price)
        ratio = profit / self.cost
        order = np.argsort(-ratio)
        # Money has the price of the last column that is bought.
        last = int(np.searchsorted(np.cumsum(self.cost[order]), self.budget))
        rate = float(ratio[order[min(last, len(order) - 1)]])
        reduced = profit - rate * self.cost
        bound = self.base + _total(self.weight - self.best_price) + rate * self.budget
        bound += _total(np.maximum(reduced, 0.0))
        below = self.target - _ROUND * self.best_weight
        drop = (reduced < 0.0) & (bound + reduced < below)
        take = (reduced > 0.0) & (bound - reduced < below)
        if not (drop.any() or take.any()):
            return
        if _total(self.cost[take]) > self.budget:
            self.bound = self.best_weight
            return
        self.shrink(take, drop)
        late = self.cost > self.budget
        if late.any():
            self.shrink(np.zeros(len(late), dtype=bool), late)
        self.reduce()
        if self.all_taken():
            self.bound = self.best_weight
            return
        self.prepare()

    def branch(self) -> None:
        """Let HiGHS decide the open table."""
        table, left_s = self.table, self.clock.left_s
        if left_s <= 0.0 or len(table.row_items) > _MOST_ENTRIES:
            return
        # Rows of one column are served by it alone: their weight goes to the column.
        alone = np.diff(table.row_first) == 1
        owner = table.row_items[table.row_first[:-1][alone]]
        own = _add_up(owner, self.weight[alone], table.columns)
        shared = table.kept(~alone, np.ones(table.columns, dtype=bool))
        weight = self.weight[~alone]
        scale = max(float(self.weight.sum()), 1e-300) / 1e5
        dear = float(self.cost.max())
        matrix = scipy.sparse.vstack(
            [
                scipy.sparse.hstack(
                    [shared.matrix().astype(np.float64), -scipy.sparse.eye_array(shared.rows)]
                ),
                scipy.sparse.csr_array(
                    np.concatenate([self.cost / dear, np.zeros(shared.rows)])[np.newaxis, :]
                ),
            ],
            format="csr",
        )
        lower = np.append(np.zeros(shared.rows), -np.inf)
        upper = np.append(np.full(shared.rows, np.inf), self.budget / dear)
        is_whole = np.zeros(matrix.shape[1], dtype=bool)
        is_whole[: table.columns] = True
        start = None
        if self.base + self.chosen_weight >= self.best_weight * (1.0 - _ROUND):
            served = shared.covered(self.chosen != 0)
            start = np.concatenate([self.chosen, served]).astype(np.float64)
        found = minimise(
            -np.concatenate([own, weight]) / scale,
            matrix,
            lower,
            upper,
            upper=np.ones(matrix.shape[1]),
            is_whole=is_whole,
            time_limit_s=left_s,
            start=start,
            goal=None if self.goal is None else (self.base - self.goal) / scale,
            on_progress=lambda _: self.clock.tick(),
        )
        if found.values is not None:
            self.record(found.values[: table.columns] > 0.5)
        if found.bound > -math.inf:
            bound = self.base + -found.bound * scale * (1.0 + 1e-7)
            self.lower_bound_to(max(bound, self.best_weight))


_warm = False


def _warm_up() -> None:
    """Compile the kernels, so that this does not count against a time limit."""
    global _warm
    if _warm:
        return
    _warm = True
    table = scipy.sparse.csr_array(np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]]))
    price = np.array([1.0, 1.0, 1.0])
    _, merged = _merged(table)
    quiet = _Clock(10.0, lambda _: None)
    cover = _SetCover(merged, price, quiet)
    cover.solve()
    cover.table, cover.columns, cover.cost = merged, np.arange(3), price
    cover.taken = np.zeros(3, dtype=bool)
    cover.chosen = np.ones(3, np.uint8)
    cover.best_price = price.copy()
    cover.bound = 0.0
    cover.improve_from_greedy()
    kernels.ascend_cover(*merged.parts, price, price.copy(), price.copy(), 0.0, 2.0, 0.5, 0, 1)
    kernels.search_cover(*merged.parts, price, np.ones(3, np.uint8), 3.0, 1, 1)
    kernels.price_budget(
        *merged.parts, price, price, 1.0, price.copy(), price.copy(), 9.0, 1.0, 0.5, 0, 1
    )
    kernels.fill_budget(*merged.parts, price, price, 1.0, price, np.zeros(3, np.uint8))
    kernels.swap_columns(*merged.parts, price, price, 2.0, np.array([1, 0, 0], np.uint8), 1)
