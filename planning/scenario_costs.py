"""What it costs to turn one network into another, as ranges.

Built: masts with shelter and power, equipment of an operator and technology that a mast
did not have. Moved: equipment that comes from another mast or whose mast moves. Taken
down: masts that are no longer there. A mast that moves, or gets another height or class,
is built anew; where it stands at a new place, fibre leads there. The unit costs are those
of `planning.cost` and `planning.sharing_costs`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from planning.cost import CostRange, total
from planning.sharing_costs import Prices

#: Kinds of costs, as the column `item` of a bill names them.
ITEMS = ("mast", "equipment", "moved_equipment", "strengthening", "dismantling", "backhaul")

#: A mast that stands this near is where it was. [m]
_SAME_PLACE_M = 0.5

_COLUMNS = ("item", "mast_id", "what", "low", "typical", "high")


@dataclass(frozen=True, eq=False)
class NetworkCost:
    """What a change of the network costs.

    Parameters
    ----------
    bill
        One row a piece: item (see `ITEMS`), mast_id, what, low, typical, high.
    once
        The sum of it.
    yearly
        What the passive part of the masts costs a year more than before; of the bounds
        each may be negative.
    currency
        ISO 4217 code.
    """

    bill: pd.DataFrame
    once: CostRange
    yearly: CostRange
    currency: str


def between(
    before: tuple[gpd.GeoDataFrame, pd.DataFrame],
    after: tuple[gpd.GeoDataFrame, pd.DataFrame],
    prices: Prices,
    backhaul: Mapping[str, float] | None = None,
) -> NetworkCost:
    """Return what it costs to turn a network into another.

    Parameters
    ----------
    before, after
        Layers masts and cells; what is not on air does not count.
    prices
        From `planning.sharing_costs.prices`.
    backhaul
        Typical cost of the fibre that leads to each mast of `newly_placed`.

    Returns
    -------
    NetworkCost
        All that differs; the rest costs nothing.
    """
    old, new = (_on_air(*network) for network in (before, after))
    rows = [*_masts(old[0], new[0], prices), *_equipment(old, new, prices)]
    for mast, price in (backhaul or {}).items():
        rows.append(_row("backhaul", mast, "", CostRange(price, price, price)))
    bill = pd.DataFrame(rows, columns=list(_COLUMNS))
    return NetworkCost(bill, total(bill), _yearly(old[0], new[0], prices), prices.currency)


def newly_placed(before: gpd.GeoDataFrame, after: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the masts on air that stand where none of their name stood.

    Parameters
    ----------
    before, after
        Layers masts.

    Returns
    -------
    geopandas.GeoDataFrame
        Rows of `after`.
    """
    standing = before[before["status"] == "existing"].set_index("mast_id").geometry
    masts = after[after["status"] == "existing"]
    old = standing.reindex(masts["mast_id"])
    far = masts.geometry.distance(old.set_axis(masts.index), align=False) > _SAME_PLACE_M
    return masts[old.isna().to_numpy() | far.to_numpy()]


def _on_air(masts: gpd.GeoDataFrame, cells: pd.DataFrame) -> tuple[dict[str, Any], pd.DataFrame]:
    standing = masts[masts["status"] == "existing"]
    named = {str(row.mast_id): row for row in standing.itertuples(index=False)}
    return named, cells[cells["mast_id"].isin(standing["mast_id"])]


def _row(item: str, mast: str, what: str, cost: CostRange) -> dict[str, Any]:
    return {
        "item": item,
        "mast_id": mast,
        "what": what,
        "low": cost.low,
        "typical": cost.typical,
        "high": cost.high,
    }


def _moved(old: Any, new: Any) -> bool:
    return bool(old.geometry.distance(new.geometry) > _SAME_PLACE_M)


def _rebuilt(old: Any, new: Any) -> bool:
    same_class = old.mast_class == new.mast_class or (
        pd.isna(old.mast_class) and pd.isna(new.mast_class)
    )
    return _moved(old, new) or old.height_m != new.height_m or not same_class


def _masts(old: dict[str, Any], new: dict[str, Any], prices: Prices) -> Iterator[dict[str, Any]]:
    for name, mast in new.items():
        was = old.get(name)
        what = f"{mast.height_m:g} m" if pd.isna(mast.mast_class) else str(mast.mast_class)
        if was is None or _moved(was, mast):
            yield _row("mast", name, what, prices.site(mast.mast_class, mast.height_m))
        elif _rebuilt(was, mast):
            yield _row("mast", name, what, prices.mast(mast.mast_class, mast.height_m))
    for name, mast in old.items():
        if name not in new or _rebuilt(mast, new[name]):
            cost = prices.dismantling(mast.mast_class, mast.height_m)
            yield _row("dismantling", name, "", cost)


def _equipment(
    old: tuple[dict[str, Any], pd.DataFrame],
    new: tuple[dict[str, Any], pd.DataFrame],
    prices: Prices,
) -> Iterator[dict[str, Any]]:
    hung = dict(zip(old[1]["cell_id"], old[1]["mast_id"], strict=True))
    had = set(zip(old[1]["mast_id"], old[1]["operator"], old[1]["technology"], strict=True))
    tenants = set(zip(old[1]["mast_id"], old[1]["operator"], strict=True))
    moving = {
        name for name, mast in new[0].items() if name in old[0] and _moved(old[0][name], mast)
    }
    after = new[1].assign(_origin=new[1]["cell_id"].map(hung))
    now = zip(after["mast_id"], after["operator"], after["technology"], strict=True)
    stays = (after["_origin"] == after["mast_id"]) & np.array([each in had for each in now], bool)
    # Of the thousands of masts that stay as they are none has to be looked at.
    touched = {*after.loc[~stays, "mast_id"], *moving}
    concerned = after[after["mast_id"].isin(touched)]
    for key, cells in concerned.groupby(["mast_id", "operator"], sort=True):
        mast, operator = (str(part) for part in key)
        was = old[0].get(mast)
        moves = mast in moving
        come = cells["_origin"].notna() & ((cells["_origin"] != mast) | moves)
        if come.any():
            yield _row("moved_equipment", mast, operator, prices.range_of("move_equipment"))
        brought = set(cells.loc[come, "technology"])
        for technology in sorted(set(cells["technology"]) - brought):
            if (mast, operator, technology) not in had:
                cost = prices.units["base_station"].cost
                yield _row("equipment", mast, f"{operator} {technology}", cost)
        if was is not None and (mast, operator) not in tenants and not moves:
            cost = prices.strengthening(new[0][mast].mast_class, new[0][mast].height_m)
            yield _row("strengthening", mast, operator, cost)


def _yearly(old: dict[str, Any], new: dict[str, Any], prices: Prices) -> CostRange:
    more, fewer = CostRange(), CostRange()
    for mast in (mast for name, mast in new.items() if name not in old):
        more += prices.yearly(mast.mast_class, mast.height_m)
    for mast in (mast for name, mast in old.items() if name not in new):
        fewer += prices.yearly(mast.mast_class, mast.height_m)
    return CostRange(more.low - fewer.high, more.typical - fewer.typical, more.high - fewer.low)
