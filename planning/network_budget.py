"""Which sites a budget pays once fibres are counted: a choice made to fit its money.

Trees for a budget (`planning.prize_collecting`) price every stretch alike, however many
links run through it. Where a cable runs out of free fibres a new one is needed, and large
cables cost more: what a stretch costs depends on how many sites it serves. Sites are left
out until the rest is paid, and taken in again where money is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Share of a budget that rounding may take: sums of the same prices in another order.
_ROUNDING = 1e-12

#: Least money that counts as freed, where equipment costs nothing.
_LEAST = 1e-9


def pays(budget: float, price: float) -> bool:
    """Return whether a budget pays a price.

    Examples
    --------
    >>> pays(2.0, 2.0), pays(2.0, 2.001)
    (True, False)
    """
    return price <= budget * (1.0 + _ROUNDING)


@dataclass(frozen=True, eq=False)
class SharedWays:
    """Sites with a way each, and what stretches cost by the number of ways through them.

    Parameters
    ----------
    uses
        Which stretch (column) the way of each site (row) takes, shape (sites, stretches).
    worth
        Worth of each site, shape (sites,).
    own
        Price of what a site alone needs, shape (sites,).
    price
        Price of each stretch with 0, 1, … ways, shape (sites + 1, stretches).
    """

    uses: scipy.sparse.csr_array
    worth: Floats
    own: Floats
    price: Floats

    def cost(self, chosen: Bools) -> float:
        """Return the price of some sites and all their stretches."""
        count = self._count(chosen)
        return float(self._at(count).sum() + self.own[chosen].sum())

    def affordable(self, budget: float, chosen: Bools) -> Bools:
        """Leave out sites until a budget pays the rest; take in again what it pays, too.

        Parameters
        ----------
        budget
            What may be spent.
        chosen
            Sites to begin with, shape (sites,).

        Returns
        -------
        ndarray of bool
            Sites whose `cost` the budget pays; none where it pays none.
        """
        best = self._filled(budget, self._without(budget, chosen, -1))
        improved = True
        while improved:
            improved = False
            missing = np.flatnonzero(~best)
            for site in missing[np.argsort(-self.worth[missing], kind="stable")].tolist():
                trial = best.copy()
                trial[site] = True
                trial = self._filled(budget, self._without(budget, trial, site))
                if self._rank(trial) < self._rank(best):
                    best, improved = trial, True
                    break
        return best

    def _rank(self, chosen: Bools) -> tuple[float, float]:
        return -float(self.worth[chosen].sum()), self.cost(chosen)

    def _count(self, chosen: Bools) -> NDArray[np.int64]:
        return np.asarray(self.uses.T @ chosen.astype(np.int64), dtype=np.int64)

    def _at(self, count: NDArray[np.int64]) -> Floats:
        return self.price[count, np.arange(self.price.shape[1])]

    def _without(self, budget: float, chosen: Bools, kept: int) -> Bools:
        """Leave out what is worth least for the money that it frees, but for one site."""
        chosen = chosen.copy()
        while not pays(budget, self.cost(chosen)):
            count = self._count(chosen)
            freed = self.uses @ (self._at(count) - self._at(np.maximum(count - 1, 0))) + self.own
            rate = self.worth / np.maximum(freed, _LEAST)
            rate[~chosen] = np.inf
            if kept >= 0:
                rate[kept] = np.inf
            worst = int(np.argmin(rate))
            if not np.isfinite(rate[worst]):
                chosen[:] = False
                break
            chosen[worst] = False
        return chosen

    def _filled(self, budget: float, chosen: Bools) -> Bools:
        """Take in what is worth most for its money, as long as the budget pays it."""
        chosen = chosen.copy()
        most = self.price.shape[0] - 1
        while True:
            count = self._count(chosen)
            added = self.uses @ (self._at(np.minimum(count + 1, most)) - self._at(count)) + self.own
            rate = self.worth / np.maximum(added, _LEAST)
            rate[chosen] = -1.0
            taken = False
            for site in np.argsort(-rate, kind="stable").tolist():
                if chosen[site]:
                    break
                chosen[site] = True
                if pays(budget, self.cost(chosen)):
                    taken = True
                    break
                chosen[site] = False
            if not taken:
                return chosen
