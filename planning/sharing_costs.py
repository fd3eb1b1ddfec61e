"""What sharing a mast saves, and the other numbers that sharing is planned with.

`planning/tables/sharing_assumptions.csv` holds a low, a typical and a high figure for each,
with its source; a workspace replaces single rows by a file ``sharing_assumptions.csv`` of the
same columns. What masts cost to build stands in ``unit_costs.csv`` (`planning.cost`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from coverage.own_table import read_own_table, with_own_rows
from data.errors import InputError
from planning.cost import CostRange, UnitCost, unit_costs

#: The built-in table.
TABLE = Path(__file__).parent / "tables" / "sharing_assumptions.csv"

#: Name of the table that a workspace may bring.
OWN_FILE = "sharing_assumptions.csv"

_COLUMNS = ("name", "low", "typical", "high", "unit", "verified", "source")


@dataclass(frozen=True)
class Assumption:
    """A number that is planned with.

    Parameters
    ----------
    name
        Short name.
    value
        Within bounds.
    unit
        Of the value.
    verified
        Whether it was compared with its source.
    source
        Where it comes from.
    """

    name: str
    value: CostRange
    unit: str
    verified: bool
    source: str


@dataclass(frozen=True)
class Prices:
    """Assumptions and unit costs of an area.

    Parameters
    ----------
    assumptions
        By name.
    units
        By item, from `planning.cost.unit_costs`.
    """

    assumptions: Mapping[str, Assumption]
    units: Mapping[str, UnitCost]

    @property
    def currency(self) -> str:
        """ISO 4217 code of all sums."""
        return self.units["base_station"].currency

    def typical(self, name: str) -> float:
        """Return the typical value of an assumption."""
        return self.assumptions[name].value.typical

    def range_of(self, name: str) -> CostRange:
        """Return the range of an assumption."""
        return self.assumptions[name].value

    def mast(self, mast_class: object, height_m: float) -> CostRange:
        """Return what a mast costs to build, without shelter and power.

        Parameters
        ----------
        mast_class
            A1a to A2c; anything else counts as A2b.
        height_m
            Its height. [m]

        Returns
        -------
        CostRange
            From the unit costs; masts on the ground above 42 m are free-standing.
        """
        if mast_class in ("A1a", "A1b"):
            item = "mast_a1"
        elif mast_class == "A2a":
            item = "mast_a2a"
        else:
            item = "mast_a2b_guyed" if height_m <= 42.0 else "mast_a2b_free"
        return self.units[item].cost

    def site(self, mast_class: object, height_m: float) -> CostRange:
        """Return what a mast with shelter and power costs to build."""
        return self.mast(mast_class, height_m) + self.units["shelter_and_power"].cost

    def yearly(self, mast_class: object, height_m: float) -> CostRange:
        """Return what the passive part of a mast costs a year: rent of the place and upkeep."""
        share, built = self.range_of("maintenance"), self.site(mast_class, height_m)
        return self.range_of("site_rent") + times(share, built)

    def present_factor(self) -> float:
        """Return the worth today of one unit of money at the end of each year of the plan."""
        rate, years = self.typical("discount"), self.typical("years")
        return years if rate == 0.0 else (1.0 - (1.0 + rate) ** -years) / rate

    def dismantling(self, mast_class: object, height_m: float) -> CostRange:
        """Return what it costs to take a mast down."""
        return times(self.range_of("dismantle"), self.mast(mast_class, height_m))

    def strengthening(self, mast_class: object, height_m: float) -> CostRange:
        """Return what it costs to make a mast carry one operator more."""
        return times(self.range_of("strengthen"), self.mast(mast_class, height_m))

    def tenants(self, mast_class: object) -> int:
        """Return how many operators a mast carries whose capacity is not known."""
        if mast_class in ("A1a", "A1b"):
            return int(self.typical("tenants_a1"))
        return int(self.typical("tenants_a2a" if mast_class == "A2a" else "tenants_other"))


def times(left: CostRange, right: CostRange) -> CostRange:
    """Return the product of two ranges of numbers of at least 0."""
    return CostRange(left.low * right.low, left.typical * right.typical, left.high * right.high)


def less(left: CostRange, right: CostRange) -> CostRange:
    """Return the difference of two ranges; its bounds are the worst and the best case."""
    return CostRange(left.low - right.high, left.typical - right.typical, left.high - right.low)


def prices(workspace_folder: Path | None = None) -> Prices:
    """Return the assumptions and unit costs, those of a workspace in place of the built-in ones.

    Parameters
    ----------
    workspace_folder
        Folder that may hold `OWN_FILE` and ``unit_costs.csv``.

    Returns
    -------
    Prices
        All of them.

    Raises
    ------
    InputError
        If a table cannot be read, names an unknown row, or has figures that are not numbers
        of at least 0 in ascending order.
    """
    own = None if workspace_folder is None else workspace_folder / OWN_FILE
    return Prices(with_own_rows(_built_in(), own, _read), unit_costs(workspace_folder))


@cache
def _built_in() -> dict[str, Assumption]:
    return _read(TABLE)


def _read(path: Path) -> dict[str, Assumption]:
    found: dict[str, Assumption] = {}
    for number, row in read_own_table(path, _COLUMNS).iterrows():
        figures = []
        for column in ("low", "typical", "high"):
            try:
                figures.append(float(row[column]))
            except ValueError:
                figures.append(math.nan)
            if not (math.isfinite(figures[-1]) and figures[-1] >= 0.0):
                raise InputError(
                    "{file}, row {row}, column {column}: {value} (expected a number of at least 0)",
                    file=path.name,
                    row=number,
                    column=column,
                    value=row[column] or "empty",
                )
        if figures != sorted(figures):
            raise InputError(
                "{file}, row {row}: the figures of {item} are {value} (expected low, typical and "
                "high in ascending order)",
                file=path.name,
                row=number,
                item=row["name"],
                value=", ".join(f"{figure:g}" for figure in figures),
            )
        found[row["name"]] = Assumption(
            row["name"],
            CostRange(*figures),
            row["unit"],
            row["verified"].lower() == "yes",
            row["source"],
        )
    return found
