"""Sites chosen from demand that each would cover: order, cost curve, years.

Everything here is numbers: patterns of demand (rows, from `planning.sites.merged_demand`)
and candidate sites (columns). `planning.siting` says what they stand for.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from data.errors import InputError
from planning import milp, sites

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Progress = Callable[[float], None]

#: Rows times years above which the years are not left to the solver.
_MOST_ROWS = 60_000

#: Budgets are kept to this share of them; sums of decimals are not exact.
_EXACT = 1e-9


@dataclass(frozen=True, eq=False)
class Years:
    """In which year each chosen site is built.

    Parameters
    ----------
    year
        Counted from 0, in the order of the sites given; -1: not within the budgets.
    covered
        Weight covered at the end of each year.
    spent
        Cost of each year.
    value
        Sum of `covered`: gains that come early count more often.
    bound
        Proven: no other order of these sites has more.
    gap
        (bound - value) / bound.
    """

    year: Ints
    covered: Floats
    spent: Floats
    value: float
    bound: float
    gap: float


def in_order(
    patterns: scipy.sparse.csr_array, load: Floats, cost: Floats, columns: ArrayLike
) -> pd.DataFrame:
    """Return chosen sites by what each adds for its cost, given those before it.

    Parameters
    ----------
    patterns, load
        From `planning.sites.merged_demand`.
    cost
        Of all sites.
    columns
        The chosen ones.

    Returns
    -------
    DataFrame
        column, gain (added to those before), alone (by itself), cost, total_gain,
        total_cost; the best first.
    """
    chosen = np.asarray(columns, np.int64)
    part = patterns[:, chosen].tocsc()
    alone = part.T @ load
    left, rows = load.copy(), []
    open_ = list(range(len(chosen)))
    price = np.maximum(cost[chosen], 1e-300)
    total_gain = total_cost = 0.0
    while open_:
        gain = (part.T @ left)[open_]
        k = open_.pop(int(np.argmax(gain / price[open_])))
        at = part.indices[part.indptr[k] : part.indptr[k + 1]]
        added = math.fsum(left[at].tolist())
        left[at] = 0.0
        total_gain += added
        total_cost += float(cost[chosen[k]])
        rows.append(
            (int(chosen[k]), added, float(alone[k]), float(cost[chosen[k]]), total_gain, total_cost)
        )
    names = ["column", "gain", "alone", "cost", "total_gain", "total_cost"]
    return pd.DataFrame(rows, columns=names)


def curve(
    patterns: scipy.sparse.csr_array,
    load: Floats,
    cost: Floats,
    budgets: Sequence[float],
    *,
    time_limit_s: float = 30.0,
    on_progress: Progress = lambda _: None,
) -> pd.DataFrame:
    """Return what budgets reach.

    Parameters
    ----------
    patterns, load, cost
        See `in_order`.
    budgets
        In the unit of the costs.
    time_limit_s
        For all of them together: what one leaves is shared by those after it. [s]
    on_progress
        Called with the share done.

    Returns
    -------
    DataFrame
        budget, cost, gain, bound, gap, sites.
    """
    rows = []
    until_s = time.monotonic() + time_limit_s
    for step, budget in enumerate(budgets):
        found = sites.maximal_cover(
            patterns,
            load,
            cost,
            budget,
            time_limit_s=max(0.0, until_s - time.monotonic()) / (len(budgets) - step),
            on_progress=partial(_part, on_progress, step, len(budgets)),
        )
        rows.append((budget, found.cost, found.value, found.bound, found.gap, len(found.columns)))
    return pd.DataFrame(rows, columns=["budget", "cost", "gain", "bound", "gap", "sites"])


def _part(on_progress: Progress, done: int, count: int, share: float) -> None:
    on_progress((done + share) / count)


def by_year(
    patterns: scipy.sparse.csr_array,
    load: Floats,
    cost: Floats,
    columns: ArrayLike,
    budgets: ArrayLike,
    *,
    time_limit_s: float = 20.0,
    on_progress: Progress = lambda _: None,
) -> Years:
    """Plan the years in which chosen sites are built, so that gains come early.

    Maximise the sum over years of the weight covered at their end, such that by each year
    no more is spent than the budgets up to it: what a year leaves may be spent later.

    Parameters
    ----------
    patterns, load, cost, columns
        See `in_order`.
    budgets
        Money of each year, from 0, shape (years,).
    time_limit_s
        Time after which the best plan and bound so far are returned. [s]
    on_progress
        Called with the share done.

    Returns
    -------
    Years
        The plan, with its gap.

    Raises
    ------
    InputError
        If there is no year or a budget is negative or not a number.
    """
    money = np.asarray(budgets, np.float64)
    if money.ndim != 1 or not money.size or not bool(np.all(money >= 0.0)):
        raise InputError("Expected a budget of at least 0 for each year, at least one")
    chosen = np.asarray(columns, np.int64)
    table, weight = sites.merged_demand(patterns[:, chosen], load)
    problem = _Years(table, weight, cost[chosen], np.cumsum(money))
    problem.solve(time_limit_s, on_progress)
    on_progress(1.0)
    return problem.result()


class _Years:
    """A question about years and the best plan so far."""

    def __init__(
        self, table: scipy.sparse.csr_array, weight: Floats, cost: Floats, until: Floats
    ) -> None:
        self.table, self.weight, self.cost, self.until = table, weight, cost, until
        self.by_site = table.tocsc()
        self.year = self._greedy()
        self.bound = math.inf

    def _greedy(self) -> Ints:
        """Build by gain per cost whatever the budgets up to each year allow."""
        year = np.full(len(self.cost), -1, np.int64)
        left, spent = self.weight.copy(), 0.0
        price = np.maximum(self.cost, 1e-300)
        for number, most in enumerate(self.until.tolist()):
            while True:
                room = most * (1.0 + _EXACT) - spent
                fits = (year < 0) & (self.cost <= room)
                if not fits.any():
                    break
                ratio = np.where(fits, (self.by_site.T @ left) / price, -1.0)
                k = int(np.argmax(ratio))
                at = self.by_site.indices[self.by_site.indptr[k] : self.by_site.indptr[k + 1]]
                left[at] = 0.0
                year[k] = number
                spent += float(self.cost[k])
        return year

    def covered(self, year: Ints) -> Floats:
        found = []
        for number in range(len(self.until)):
            built = ((year >= 0) & (year <= number)).astype(np.int32)
            found.append(math.fsum(self.weight[self.table @ built > 0].tolist()))
        return np.array(found)

    def solve(self, time_limit_s: float, on_progress: Progress) -> None:
        years = len(self.until)
        self.bound = self._loose_bound(0.3 * time_limit_s, lambda x: on_progress(0.3 * x))
        value = float(self.covered(self.year).sum())
        if self.bound <= value * (1.0 + _EXACT) or self.table.shape[0] * years > _MOST_ROWS:
            return
        found = self._asked(0.7 * time_limit_s, lambda x: on_progress(0.3 + 0.7 * x))
        self.bound = min(self.bound, found)

    def _loose_bound(self, time_limit_s: float, on_progress: Progress) -> float:
        """Return the sum of what each year could reach if it stood alone."""
        each = curve(
            self.table,
            self.weight,
            self.cost,
            self.until.tolist(),
            time_limit_s=time_limit_s,
            on_progress=on_progress,
        )
        return float(each["bound"].sum())

    def _asked(self, time_limit_s: float, on_progress: Progress) -> float:
        """Let HiGHS improve the plan; return the bound that it proves.

        Variables are x[j, y], whether site j stands by the end of year y, and z[i, y],
        whether row i is covered then, year by year.
        """
        rows, columns = self.table.shape
        years = len(self.until)
        scale = max(float(self.weight.sum()), 1e-300) / 1e4
        dear = max(float(self.cost.max()), 1e-300)
        one = scipy.sparse.eye_array(years)
        cover = scipy.sparse.hstack(
            [
                scipy.sparse.kron(one, self.table.astype(np.float64)),
                -scipy.sparse.eye_array(rows * years),
            ]
        )
        money = scipy.sparse.kron(one, scipy.sparse.csr_array(self.cost[None] / dear))
        later = scipy.sparse.kron(
            scipy.sparse.eye_array(years - 1, years, k=1)
            - scipy.sparse.eye_array(years - 1, years),
            scipy.sparse.eye_array(columns),
        )
        none = [scipy.sparse.csr_array((part.shape[0], rows * years)) for part in (money, later)]
        matrix = scipy.sparse.vstack(
            [cover, scipy.sparse.hstack([money, none[0]]), scipy.sparse.hstack([later, none[1]])],
            format="csr",
        )
        free = rows * years
        lower = np.concatenate([np.zeros(free), np.full(years, -np.inf), np.zeros(later.shape[0])])
        upper = np.concatenate(
            [np.full(free, np.inf), self.until / dear, np.full(later.shape[0], np.inf)]
        )
        whole = np.zeros(matrix.shape[1], bool)
        whole[: columns * years] = True
        stands = (self.year[None] >= 0) & (self.year[None] <= np.arange(years)[:, None])
        covered = (self.table @ stands.T.astype(np.int32) > 0).T
        found = milp.minimise(
            -np.concatenate([np.zeros(columns * years), np.tile(self.weight, years)]) / scale,
            matrix,
            lower,
            upper,
            upper=np.ones(matrix.shape[1]),
            is_whole=whole,
            time_limit_s=time_limit_s,
            start=np.concatenate([stands.ravel(), covered.ravel()]).astype(np.float64),
            on_progress=on_progress,
        )
        if found.values is not None:
            self._keep(found.values[: columns * years].reshape(years, columns) > 0.5)
        return -found.bound * scale * (1.0 + 1e-7) if math.isfinite(found.bound) else math.inf

    def _keep(self, stands: NDArray[np.bool_]) -> None:
        """Keep a plan of the solver if it is within the budgets and better."""
        year = np.where(stands.any(axis=0), np.argmax(stands, axis=0), -1).astype(np.int64)
        for number, most in enumerate(self.until.tolist()):
            built = (year >= 0) & (year <= number)
            if math.fsum(self.cost[built].tolist()) > most * (1.0 + _EXACT):
                return
        if self.covered(year).sum() > self.covered(self.year).sum():
            self.year = year

    def result(self) -> Years:
        covered = self.covered(self.year)
        value = math.fsum(covered.tolist())
        # Bounds are proven to one in a million: what is closer counts as equal.
        bound = value if self.bound <= value * (1.0 + 4e-6) else self.bound
        spent = np.array(
            [math.fsum(self.cost[self.year == y].tolist()) for y in range(len(self.until))]
        )
        gap = (bound - value) / bound if bound > value else 0.0
        return Years(self.year, covered, spent, value, bound, gap)
