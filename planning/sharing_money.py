"""What it saves that operators share masts, and who saves it.

The passive part of a mast that goes no longer costs rent and upkeep; once, it must be taken
down, equipment be moved and receiving masts be strengthened. All is worth what it is today:
yearly sums over the years of the plan at its rate of discount.

Every operator on a mast pays its owner the same part of the mast's yearly cost (a price by
cost, as joint circular 210/2013 has it, without profit). What one pays another one gets, so
the parties' sums add up to the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planning.cost import CostRange
from planning.sharing_costs import less, times
from planning.sharing_moves import Inventory, Move


@dataclass(frozen=True)
class Saving:
    """What a change of the network saves.

    Parameters
    ----------
    total
        Worth today; the bounds are the best and the worst case, and may be below 0.
    yearly
        What no longer has to be paid each year.
    once
        What the change costs.
    by_party
        Owner or operator -> its part of the total, rents between them included.
    reference
        For comparison: what BEREC's shares of saving give for the masts concerned.
    """

    total: CostRange
    yearly: CostRange
    once: CostRange
    by_party: dict[str, CostRange]
    reference: CostRange


class _Accounts:
    """What each party pays and gets."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        # What the same prices mean for all, at their low, typical and high level.
        self._yearly: dict[str, NDArray[np.float64]] = {}
        self._once: dict[str, CostRange] = {}

    def yearly(self, party: str, amount: CostRange, share: float) -> None:
        """Enter what a party gets (or pays, with a negative share) each year."""
        levels = np.array([amount.low, amount.typical, amount.high]) * share
        self._yearly[party] = self._yearly.get(party, np.zeros(3)) + levels

    def once(self, party: str, amount: CostRange) -> None:
        """Enter what a party pays once."""
        self._once[party] = self._once.get(party, CostRange()) + amount

    def balance(self) -> dict[str, CostRange]:
        """Return what the change is worth today to each party."""
        found = {}
        for party in sorted({*self._yearly, *self._once}):
            levels = self._yearly.get(party, np.zeros(3)) * self._factor
            once = self._once.get(party, CostRange())
            found[party] = CostRange(
                float(levels.min()) - once.high,
                float(levels[1]) - once.typical,
                float(levels.max()) - once.low,
            )
        return found


def saving(about: Inventory, removed: NDArray[np.bool_], moves: Sequence[Move]) -> Saving:
    """Return what it saves that masts go and their operators move.

    Parameters
    ----------
    about
        The masts.
    removed
        Which masts go.
    moves
        Who moves where; operators of removed masts that are not among them just leave.

    Returns
    -------
    Saving
        In the currency of the unit costs.
    """
    factor = about.prices.present_factor()
    parties = _Accounts(factor)
    yearly, once, concerned = CostRange(), CostRange(), CostRange()
    gone = np.flatnonzero(removed)
    after = {int(k): set(about.tenants[k]) for k in {*gone, *(move.host for move in moves)}}
    for guest in gone.tolist():
        kind, height = about.mast_class(guest), about.height_m(guest)
        own = about.prices.yearly(kind, height)
        down = about.prices.dismantling(kind, height)
        yearly, once = yearly + own, once + down
        parties.yearly(about.owner[guest], own, 1.0)
        parties.once(about.owner[guest], down)
        after[guest] = set()
    for move in moves:
        moved = about.prices.range_of("move_equipment")
        once = once + moved
        parties.once(move.operator, moved)
        if move.is_new:
            kind, height = about.mast_class(move.host), about.height_m(move.host)
            strength = about.prices.strengthening(kind, height)
            once = once + strength
            parties.once(about.owner[move.host], strength)
            after[move.host].add(move.operator)
    for number, tenants in after.items():
        own = about.prices.yearly(about.mast_class(number), about.height_m(number))
        concerned = concerned + own * factor
        _rents(parties, about.owner[number], about.tenants[number], tenants, own)
    return Saving(
        less(yearly * factor, once),
        yearly,
        once,
        parties.balance(),
        times(about.prices.range_of("berec"), concerned),
    )


def _rents(
    parties: _Accounts,
    owner: str,
    before: frozenset[str],
    after: set[str],
    yearly: CostRange,
) -> None:
    """Enter the change of what operators pay the owner of a mast."""
    for operator in sorted(before | after):
        if operator == owner:
            continue
        paid = 1.0 / len(before) if operator in before else 0.0
        pays = 1.0 / len(after) if operator in after else 0.0
        parties.yearly(operator, yearly, paid - pays)
        parties.yearly(owner, yearly, pays - paid)
