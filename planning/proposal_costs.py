"""What a proposed site costs and what sharing would save, as scenarios count it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from coverage.request import cells_of
from data.errors import Message, message
from data.schema import empty_frame
from data.store import Workspace
from planning import scenario_costs, sharing_costs, siting_backhaul
from planning.cost import CostRange, total
from planning.proposal_figures import as_json
from planning.scenario_costs import NetworkCost

#: Layers masts and cells.
Network = tuple[gpd.GeoDataFrame, pd.DataFrame]


class SiteCosts:
    """What changes of a network by one site cost.

    Parameters
    ----------
    workspace
        The study area.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        # Fibre depends on the place alone, which stays while other things are tried.
        self._fibre: dict[tuple[float, float], tuple[float, list[Message]]] = {}

    def between(self, changed: Network, backhaul: dict[str, float] | None = None) -> NetworkCost:
        """Return what it costs to turn the present network into another.

        Parameters
        ----------
        changed
            Masts and cells as they would be.
        backhaul
            Typical cost of the fibre to new masts.
        """
        prices = sharing_costs.prices(self.workspace.folder)
        return scenario_costs.between(self._present(), changed, prices, backhaul)

    def described(self, changed: Network, alternatives: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the cost of a site and what sharing would save, for JSON.

        Parameters
        ----------
        changed
            Masts and cells with the site.
        alternatives
            Masts to share instead, with ``once``, what it costs to hang the antennas there
            (a `NetworkCost`), and ``has_room``.

        Returns
        -------
        dict
            ``cost``: ``items`` of the bill (`scenario_costs.ITEMS`), ``total``, ``yearly``,
            ``notes`` on what is not counted, ``currency`` and whether the unit costs are
            ``verified``. ``alternatives``: with ``saving`` in place of ``once``; None where
            the mast has no room.
        """
        prices = sharing_costs.prices(self.workspace.folder)
        whole, notes = self._with_fibre(changed)
        parts = whole.bill.groupby("item")[["low", "typical", "high"]].sum()
        cost = {
            "items": {str(item): parts.loc[item].to_dict() for item in parts.index},
            "total": asdict(whole.once),
            "yearly": asdict(whole.yearly),
            "notes": [as_json(note) for note in notes],
            "currency": prices.currency,
            "verified": all(unit.verified for unit in prices.units.values()),
        }
        return {
            "cost": cost,
            "alternatives": [_with_saving(whole, other) for other in alternatives],
        }

    def _present(self) -> Network:
        has = self.workspace.has("masts")
        crs = self.workspace.area.crs
        masts = self.workspace.read("masts") if has else empty_frame("masts", crs)
        return masts, cells_of(self.workspace)

    def _with_fibre(self, changed: Network) -> tuple[NetworkCost, list[Message]]:
        new = scenario_costs.newly_placed(self._present()[0], changed[0])
        if new.empty:
            return self.between(changed), []
        at = (float(new.geometry.x.iloc[0]), float(new.geometry.y.iloc[0]))
        if at not in self._fibre:
            places = new.assign(candidate_id=new["mast_id"])
            cost, said = siting_backhaul.costs(self.workspace, places)
            self._fibre[at] = float(cost[0]), said
        price, notes = self._fibre[at]
        if not np.isfinite(price):
            far = message(
                "No way leads from live fibre to the site: what it would cost is not counted"
            )
            return self.between(changed), [far]
        if price == 0.0:
            return self.between(changed), notes
        return self.between(changed, {str(new["mast_id"].iloc[0]): price}), []


def _with_saving(whole: NetworkCost, alternative: dict[str, Any]) -> dict[str, Any]:
    other = dict(alternative)
    shared: NetworkCost = other.pop("once")
    if not other["has_room"]:
        return {**other, "saving": None}
    # The same equipment is bought at the same price, whichever mast carries it.
    one, two = _sum(whole, equipment=True), _sum(shared, equipment=True)
    less = CostRange(one.low - two.low, one.typical - two.typical, one.high - two.high)
    rest = sharing_costs.less(_sum(whole, equipment=False), _sum(shared, equipment=False))
    return {**other, "saving": asdict(rest + less)}


def _sum(cost: NetworkCost, *, equipment: bool) -> CostRange:
    return total(cost.bill[(cost.bill["item"] == "equipment") == equipment])
