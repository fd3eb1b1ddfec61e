"""Choice of sites: reach a share of the demand at least cost.

Between covering everything (`planning.sites.set_cover`) and the most within a budget
(`planning.sites.maximal_cover`) lies the least cost for a part. It is found by asking what
budgets reach: a budget whose proven bound stays below the target is too small, one whose
choice reaches the target is enough, and the two close in on each other.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from data.errors import InputError
from planning import sites
from planning.cover_table import whole_step
from planning.sites import SiteChoice

Floats = NDArray[np.float64]

#: Costs closer than this share count as one. Wider than the solver's own tolerance, which
#: would take a choice for one within the budget that costs a millionth more.
_TOLERANCE = 1e-5

#: Sums of weight within this share are equal, for rounding.
_ROUND = 1e-9

#: Time for a question, as a share of what is left: before and after one was not decided.
_QUICK, _LONG = 0.05, 0.6

#: Where between the bounds the next budget lies, after the first was not decided.
_FIRST = 0.4

#: Bounds within this share of each other ask for the last proof.
_NEAR = 2e-3


def partial_cover(
    membership: scipy.sparse.sparray | scipy.sparse.spmatrix | ArrayLike,
    weight: ArrayLike,
    cost: ArrayLike,
    target: float,
    *,
    time_limit_s: float = 60.0,
    on_progress: Callable[[float], None] = lambda _: None,
) -> SiteChoice:
    """Choose sites of least cost that cover a given weight of demand.

    Minimise ``sum(cost[j] for chosen j)`` such that the weights of the rows with a chosen
    column add up to at least `target`.

    Parameters
    ----------
    membership, weight, cost
        As for `planning.sites.maximal_cover`.
    target
        Weight to cover, at least 0.
    time_limit_s
        Time after which the best choice so far is returned. [s]
    on_progress
        Called with the fraction done; may raise `CancelledError`.

    Returns
    -------
    SiteChoice
        `value` and `cost` are the cost, `bound` at most the least cost (proven, to one in
        a hundred thousand).

    Raises
    ------
    InputError
        If sizes do not fit, a number is negative or not finite, or all sites together do
        not reach the target.

    References
    ----------
    R. Church, C. ReVelle, The maximal covering location problem, Papers of the Regional
    Science Association 32, 1974.

    Examples
    --------
    >>> choice = partial_cover([[1, 0], [1, 0], [0, 1]], [5.0, 5.0, 8.0], [2.0, 1.0], 8.0)
    >>> choice.columns.tolist(), choice.value, choice.bound
    ([1], 1.0, 1.0)
    """
    if not (math.isfinite(target) and target >= 0.0):
        raise InputError("The target is {value}, expected a number of at least 0", value=target)
    table, load = sites.merged_demand(membership, weight)
    most = math.fsum(load.tolist())
    if target > most * (1.0 + _ROUND):
        raise InputError(
            "All sites together cover {most}, which is less than the target of {target}",
            most=round(most, 3),
            target=round(target, 3),
        )
    search = _Search(table, load, np.asarray(cost, np.float64), target, time_limit_s, on_progress)
    search.run()
    on_progress(1.0)
    return search.choice()


class _Search:
    """Budgets that are too small, budgets that are enough, and what lies between."""

    def __init__(
        self,
        table: scipy.sparse.csr_array,
        load: Floats,
        cost: Floats,
        target: float,
        time_limit_s: float,
        on_progress: Callable[[float], None],
    ) -> None:
        self.table, self.load, self.cost = table, load, cost
        self.target = target * (1.0 - _ROUND)
        self.limit_s, self.on_progress = time_limit_s, on_progress
        #: All costs are multiples of this, if it is not 0.
        self.step = whole_step(self.cost)
        self.start_s = time.monotonic()
        #: No choice that costs this much or less reaches the target.
        self.low = -1.0
        #: The best choice that does.
        self.best = np.zeros(0, np.int64)
        self.high = math.inf
        #: Where between the bounds the next budget lies, and how many were not decided.
        self.part, self.undecided = 0.5, 0

    @property
    def closed(self) -> bool:
        """Whether no cheaper choice can exist."""
        if self.high <= 0.0:
            return True
        if self.step > 0.0:
            return self.low >= self.high - self.step
        return self.low >= self.high * (1.0 - 1.01 * _TOLERANCE)

    @property
    def left_s(self) -> float:
        return self.limit_s - (time.monotonic() - self.start_s)

    def covered(self, columns: NDArray[np.int64]) -> float:
        chosen = np.zeros(self.table.shape[1], np.int32)
        chosen[columns] = 1
        return math.fsum(self.load[self.table @ chosen > 0].tolist())

    def keep(self, columns: NDArray[np.int64]) -> None:
        """Keep a choice that reaches the target, without sites that it can do without."""
        columns = self._pruned(columns)
        total = math.fsum(self.cost[columns].tolist())
        if total < self.high:
            self.best, self.high = columns, total

    def _pruned(self, columns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Drop the dearest sites whose loss the target allows."""
        part = self.table[:, columns].tocsc()
        times = np.asarray(part.sum(axis=1)).ravel().astype(np.int64)
        room = math.fsum(self.load[times > 0].tolist()) - self.target
        keep = np.ones(len(columns), bool)
        for k in np.argsort(-self.cost[columns], kind="stable").tolist():
            rows = part.indices[part.indptr[k] : part.indptr[k + 1]]
            alone = rows[times[rows] == 1]
            lost = math.fsum(self.load[alone].tolist())
            if lost <= room:
                keep[k] = False
                room -= lost
                times[rows] -= 1
        return columns[keep]

    def run(self) -> None:
        if self.target <= 0.0:
            self.high = self.low = 0.0
            return
        self.keep(np.arange(self.table.shape[1]))
        self.keep(self._greedy())
        while self.left_s > 0.0 and not self.closed:
            self._ask(self._next())

    def _greedy(self) -> NDArray[np.int64]:
        """Return sites by gain per cost until the target is reached."""
        by_site = self.table.tocsc()
        left = self.load.copy()
        chosen: list[int] = []
        reached = 0.0
        price = np.maximum(self.cost, 1e-300)
        while reached < self.target:
            gain = by_site.T @ left
            j = int(np.argmax(np.minimum(gain, self.target - reached) / price))
            if gain[j] <= 0.0:
                break
            rows = by_site.indices[by_site.indptr[j] : by_site.indptr[j + 1]]
            reached += float(left[rows].sum())
            left[rows] = 0.0
            chosen.append(j)
        return np.array(sorted(chosen), np.int64)

    def _next(self) -> float:
        """Return the budget to ask about next.

        The proven bounds of budgets come near the least cost from below, so it is sought
        near them; where that is not decided in time, farther up.
        """
        low = max(self.low, 0.0)
        near = self.high - low < _NEAR * self.high
        budget = self.high if near else low + self.part * (self.high - low)
        if self.step > 0.0:
            # Whole costs never add up to what lies between.
            steps = max(math.floor(budget / self.step), math.floor(low / self.step) + 1)
            return min(steps * self.step, self.high - self.step)
        return min(budget, self.high * (1.0 - _TOLERANCE))

    def _ask(self, budget: float) -> None:
        spent = 1.0 - self.left_s / self.limit_s if self.limit_s > 0.0 else 1.0
        # The first questions are for finding out where it becomes hard.
        share = _QUICK if self.undecided == 0 else _LONG
        found = sites.maximal_cover(
            self.table,
            self.load,
            self.cost,
            budget,
            time_limit_s=max(0.2, share * self.left_s),
            goal=self.target,
            on_progress=lambda _: self.on_progress(min(0.999, spent)),
        )
        if found.value >= self.target:
            self.keep(found.columns)
        elif found.bound < self.target:
            self.low = max(self.low, budget)
        else:
            self.undecided += 1
            if self.undecided > 1:
                self.part = 0.5 * (1.0 + self.part)
            else:
                self.part = _FIRST

    def choice(self) -> SiteChoice:
        bound = max(self.low, 0.0)
        if self.step > 0.0 and self.low > 0.0:
            bound = (math.floor(self.low / self.step + 1e-9) + 1.0) * self.step
        bound = min(bound, self.high)
        if self.closed:
            bound = self.high
        gap = 0.0 if self.high <= bound else math.inf
        if bound > 0.0:
            gap = (self.high - bound) / bound
        return SiteChoice(self.best, self.high, bound, gap, self.high)
