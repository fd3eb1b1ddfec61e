"""Unit costs as ranges, and bills of quantities made of them.

`planning/tables/unit_costs.csv` holds a low, a typical and a high figure for
every item, with its source; a workspace replaces single items by a file
``unit_costs.csv`` of the same columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from coverage.own_table import read_own_table
from data.errors import InputError

#: The built-in table.
TABLE = Path(__file__).parent / "tables" / "unit_costs.csv"

#: Name of the table that a workspace may bring.
OWN_FILE = "unit_costs.csv"

_COLUMNS = (
    "item",
    "group",
    "unit",
    "low",
    "typical",
    "high",
    "currency",
    "year",
    "verified",
    "source",
)


@dataclass(frozen=True)
class CostRange:
    """A sum of money that is known within bounds.

    Parameters
    ----------
    low, typical, high
        In the currency of the table, in ascending order.
    """

    low: float = 0.0
    typical: float = 0.0
    high: float = 0.0

    def __add__(self, other: CostRange) -> CostRange:
        """Return the sum; the bounds are added, as if all errors went one way."""
        return CostRange(self.low + other.low, self.typical + other.typical, self.high + other.high)

    def __mul__(self, quantity: float) -> CostRange:
        """Return the range for a quantity of at least 0."""
        return CostRange(self.low * quantity, self.typical * quantity, self.high * quantity)


@dataclass(frozen=True)
class UnitCost:
    """What one unit of an item costs.

    Parameters
    ----------
    item
        Short name.
    group
        What it belongs to: fibre, access, mast.
    unit
        ``"m"`` or ``"each"``.
    cost
        For one unit.
    currency
        ISO 4217 code.
    year
        Of the prices.
    verified
        Whether it comes from a published price list rather than being a
        planning assumption.
    source
        Where it comes from.
    """

    item: str
    group: str
    unit: str
    cost: CostRange
    currency: str
    year: str
    verified: bool
    source: str


def unit_costs(workspace_folder: Path | None = None) -> dict[str, UnitCost]:
    """Return the unit costs, those of a workspace in place of the built-in ones.

    Parameters
    ----------
    workspace_folder
        Folder that may hold `OWN_FILE`.

    Returns
    -------
    dict
        Item -> its cost.

    Raises
    ------
    InputError
        If the workspace's table cannot be read, names an unknown item, has a
        figure that is negative or not a number, or a low above the typical or
        a typical above the high one, or currencies differ.
    """
    costs = dict(_built_in())
    own = None if workspace_folder is None else workspace_folder / OWN_FILE
    if own is not None and own.exists():
        for item, cost in _read(own).items():
            if item not in costs:
                raise InputError(
                    "{file}: there is no cost item {value} (expected one of {expected})",
                    file=own.name,
                    value=item,
                    expected=", ".join(costs),
                )
            costs[item] = cost
        currencies = sorted({cost.currency for cost in costs.values()})
        if len(currencies) > 1:
            raise InputError(
                "{file}: costs are in {value}; expected one currency for all items",
                file=own.name,
                value=", ".join(currencies),
            )
    return costs


@cache
def _built_in() -> dict[str, UnitCost]:
    return _read(TABLE)


def _read(path: Path) -> dict[str, UnitCost]:
    frame = read_own_table(path, _COLUMNS)
    costs: dict[str, UnitCost] = {}
    for number, row in frame.iterrows():
        figures = [_money(path, number, name, row[name]) for name in ("low", "typical", "high")]
        if figures != sorted(figures):
            raise InputError(
                "{file}, row {row}: the costs of {item} are {value} (expected low, typical and "
                "high in ascending order)",
                file=path.name,
                row=number,
                item=row["item"],
                value=", ".join(f"{figure:g}" for figure in figures),
            )
        if row["item"] in costs:
            raise InputError(
                "{file}, row {row}: the item {item} is there twice",
                file=path.name,
                row=number,
                item=row["item"],
            )
        costs[row["item"]] = UnitCost(
            row["item"],
            row["group"],
            row["unit"],
            CostRange(*figures),
            row["currency"],
            row["year"],
            row["verified"].lower() == "yes",
            row["source"],
        )
    return costs


def _money(path: Path, row: object, column: str, value: str) -> float:
    try:
        figure = float(value)
    except ValueError:
        figure = math.nan
    if not (math.isfinite(figure) and figure >= 0.0):
        raise InputError(
            "{file}, row {row}, column {column}: {value} (expected a number of at least 0)",
            file=path.name,
            row=row,
            column=column,
            value=value or "empty",
        )
    return figure


def bill_of_quantities(
    quantities: Mapping[str, float], costs: Mapping[str, UnitCost]
) -> pd.DataFrame:
    """Return what a plan needs and what it costs.

    Parameters
    ----------
    quantities
        Item -> quantity, in the item's unit.
    costs
        From `unit_costs`.

    Returns
    -------
    DataFrame
        Columns item, unit, quantity, unit_low, unit_typical, unit_high, low,
        typical, high, currency, verified, source; items without quantity are
        left out.

    Raises
    ------
    InputError
        If an item has no cost.
    """
    rows = []
    for item, quantity in quantities.items():
        if item not in costs:
            raise InputError(
                "There is no unit cost for {item} (expected one of {expected})",
                item=item,
                expected=", ".join(costs),
            )
        if quantity == 0.0:
            continue
        cost = costs[item]
        total = cost.cost * quantity
        rows.append(
            {
                "item": item,
                "unit": cost.unit,
                "quantity": float(quantity),
                "unit_low": cost.cost.low,
                "unit_typical": cost.cost.typical,
                "unit_high": cost.cost.high,
                "low": total.low,
                "typical": total.typical,
                "high": total.high,
                "currency": cost.currency,
                "verified": cost.verified,
                "source": cost.source,
            }
        )
    columns = ["item", "unit", "quantity", "unit_low", "unit_typical", "unit_high"]
    columns += ["low", "typical", "high", "currency", "verified", "source"]
    return pd.DataFrame(rows, columns=columns)


def total(bill: pd.DataFrame) -> CostRange:
    """Return the sum of a bill of quantities."""
    return CostRange(*(float(bill[name].sum()) for name in ("low", "typical", "high")))
