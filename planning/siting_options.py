"""What could be hung on candidate sites: typical equipment, ways to use a site, their costs.

Equipment is that which an operator has most often in the area: of each technology its most
frequent carrier, with the medians of its powers, gains and tilts. An operator without a
technology is not given one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from planning.cost import CostRange
from planning.sharing_costs import Prices
from planning.sharing_moves import heights_between_m

#: Operators up to which every group of them is a way to use a new site.
_GROUPS_OF = 3

_MEDIANS = ("power_dbm", "antenna_gain_dbi", "feeder_loss_db", "tilt_deg", "load")


@dataclass(frozen=True)
class Equipment:
    """What an operator hangs on a mast for a technology.

    Parameters
    ----------
    operator, technology
        Whose, and what.
    values
        Columns of the layer cells, the same for all sectors.
    sectors
        Number of cells, spread evenly; 1 radiates all round.
    cells
        Number of cells of the area that it is typical of.
    """

    operator: str
    technology: str
    values: dict[str, Any]
    sectors: int
    cells: int

    def cells_at(self, mast_id: str, height_m: float) -> list[dict[str, Any]]:
        """Return the cells on a mast, antennas at a height. [m]."""
        turn = 360.0 / self.sectors
        return [
            {
                "cell_id": f"{mast_id}|{self.operator}|{self.technology}|{number + 1}",
                "mast_id": mast_id,
                "operator": self.operator,
                "technology": self.technology,
                **self.values,
                "azimuth_deg": None if self.sectors == 1 else turn * number,
                "antenna_height_m": height_m,
            }
            for number in range(self.sectors)
        ]


@dataclass(frozen=True)
class Option:
    """One way to use a candidate site.

    Parameters
    ----------
    candidate
        Row of the candidate.
    operators
        Whose antennas come.
    equipment
        What comes, by operator and technology.
    cost
        All of it, backhaul included.
    fibre_cost
        Backhaul alone, typical.
    """

    candidate: int
    operators: tuple[str, ...]
    equipment: tuple[tuple[str, str], ...]
    cost: CostRange
    fibre_cost: float


def typical(
    cells: pd.DataFrame, operators: Sequence[str], technologies: Sequence[str]
) -> dict[tuple[str, str], Equipment]:
    """Return the typical equipment of operators.

    Parameters
    ----------
    cells
        Layer cells.
    operators, technologies
        Those asked about.

    Returns
    -------
    dict
        (operator, technology) -> equipment, where the operator has any.
    """
    found = {}
    for operator in operators:
        for technology in technologies:
            own = cells[(cells["operator"] == operator) & (cells["technology"] == technology)]
            if len(own):
                found[operator, technology] = _typical(own, operator, technology)
    return found


def _typical(own: pd.DataFrame, operator: str, technology: str) -> Equipment:
    names = ["frequency_mhz", "bandwidth_mhz"]
    counts = own.groupby(names).size()
    # Of equally frequent carriers the lowest reaches farthest.
    frequency, bandwidth = counts[counts == counts.max()].index[0]
    chosen = own[(own["frequency_mhz"] == frequency) & (own["bandwidth_mhz"] == bandwidth)]
    per_mast = chosen.groupby("mast_id").size()
    values: dict[str, Any] = {"frequency_mhz": float(frequency), "bandwidth_mhz": float(bandwidth)}
    values |= {name: float(chosen[name].median()) for name in _MEDIANS}
    for name in ("band", "pattern"):
        common = chosen[name].mode(dropna=False)
        value = common.iloc[0] if len(common) else None
        values[name] = None if pd.isna(value) else str(value)
    return Equipment(operator, technology, values, int(per_mast.mode().iloc[0]), len(chosen))


def antennas(
    sites: gpd.GeoDataFrame,
    cells: pd.DataFrame,
    equipment: dict[tuple[str, str], Equipment],
    prices: Prices,
    numbers: Mapping[str, float],
) -> list[dict[str, list[dict[str, Any]]]]:
    """Return the cells that each operator could hang on each candidate.

    An operator that is on a mast hangs more beside what it has. All that are new on a site
    have a height of their own, by alphabetical order from the top, so that several can come
    without being in each other's way; who finds no free height cannot come.

    Parameters
    ----------
    sites
        Candidates of `planning.siting_candidates`.
    cells
        Layer cells.
    equipment
        From `typical`.
    prices
        For the height that the antennas of an operator take.
    numbers
        From `planning.siting_assumptions`: how far below the top of an empty mast the first
        antennas hang, and how high masts on roofs are.

    Returns
    -------
    list of dict
        For each candidate: operator -> cells, whose mast_id is the candidate's identifier.
    """
    operators = sorted({operator for operator, _ in equipment})
    pairs = cells.groupby(["mast_id", "operator"])
    has = pairs["technology"].agg(set).to_dict()
    own_height = pairs["antenna_height_m"].median().to_dict()
    taken = cells.groupby("mast_id")["antenna_height_m"].unique().to_dict()
    found = []
    for site in sites.itertuples():
        mast = str(site.mast_id)
        known = {name: own_height[mast, name] for name in operators if (mast, name) in own_height}
        come = [name for name in operators if name not in known and _may_come(site, name)]
        free = _free_m(site, taken.get(mast), len(come), prices, numbers)
        own = {}
        for operator, height in sorted((known | dict(zip(come, free, strict=False))).items()):
            new = [
                cell
                for (name, technology), item in equipment.items()
                if name == operator and technology not in has.get((mast, operator), ())
                for cell in item.cells_at(str(site.candidate_id), height)
            ]
            if new:
                own[operator] = new
        found.append(own)
    return found


def _may_come(site: Any, operator: str) -> bool:
    """Return whether a site has a place for an operator that is not on it."""
    if site.kind != "mast":
        return True
    return bool(site.places > 0 and (site.shareable or site.owner == operator))


def _free_m(
    site: Any,
    taken: np.ndarray[Any, np.dtype[np.float64]] | None,
    count: int,
    prices: Prices,
    numbers: Mapping[str, float],
) -> list[float]:
    """Return heights for so many operators that come to a site, from the top. [m]."""
    if not count:
        return []
    if taken is not None:
        return heights_between_m(float(site.height_m), taken.astype(float), prices)
    return _empty_m(site, count, prices, numbers)


def _empty_m(site: Any, count: int, prices: Prices, numbers: Mapping[str, float]) -> list[float]:
    """Return heights on a mast without antennas; the first ones find theirs on any. [m]."""
    top = max(0.5 * site.height_m, site.height_m - numbers["below_top"])
    lowest = prices.typical("lowest_antenna")
    if site.kind == "roof":
        lowest = max(lowest, site.height_m - numbers["roof_mast_height"])
    below = [top - prices.typical("antenna_spacing") * k for k in range(1, count)]
    return [float(top), *(float(at) for at in below if at >= lowest)]


def options(
    sites: gpd.GeoDataFrame,
    cells: pd.DataFrame,
    hung: Sequence[dict[str, list[dict[str, Any]]]],
    fibre: np.ndarray[Any, np.dtype[np.float64]],
    prices: Prices,
    *,
    each: bool,
) -> list[Option]:
    """Return the ways to use candidates.

    Parameters
    ----------
    sites, cells, prices
        See `antennas`.
    hung
        Its result.
    fibre
        Typical cost of the backhaul of each candidate; infinite where none can be built.
    each
        Whether every operator's coverage counts, so that several on one new site are
        worth more than one.

    Returns
    -------
    list of Option
        Operators on a mast that is there one by one, because each costs the same with or
        without the others; on a new site every group of up to three, otherwise each alone
        and all together.
    """
    tenants = {str(name): set(part["operator"]) for name, part in cells.groupby("mast_id")}
    found = []
    for number, (site, own) in enumerate(zip(sites.itertuples(), hung, strict=True)):
        if not np.isfinite(fibre[number]):
            continue
        for group in _groups(sorted(own), each and site.kind != "mast"):
            what = tuple(
                sorted(
                    {(operator, cell["technology"]) for operator in group for cell in own[operator]}
                )
            )
            cost = prices.units["base_station"].cost * float(len(what))
            if site.kind != "mast":
                cost += prices.site(site.mast_class, site.height_m)
            elif not set(group) <= tenants.get(str(site.mast_id), set()):
                cost += prices.strengthening(site.mast_class, site.height_m)
            way = float(fibre[number])
            cost += CostRange(way, way, way)
            found.append(Option(number, group, what, cost, way))
    return found


def _groups(operators: Sequence[str], together: bool) -> list[tuple[str, ...]]:
    alone: list[tuple[str, ...]] = [(operator,) for operator in operators]
    if not together or len(operators) < 2:
        return alone
    if len(operators) > _GROUPS_OF:
        return [*alone, tuple(operators)]
    sizes = range(2, len(operators) + 1)
    return [*alone, *(group for size in sizes for group in combinations(operators, size))]
