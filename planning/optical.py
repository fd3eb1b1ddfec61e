"""Optical budgets of passive optical networks: what is lost on the way, and whether it is too much.

`planning/tables/optical.csv` holds the classes and losses with their sources; a
workspace replaces single rows by a file ``optical.csv`` of the same columns.
Every loss has a least, a usual and a greatest value, so that a decision can be
tried against all three.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coverage.own_table import read_own_table
from data.errors import InputError

#: The built-in table.
TABLE = Path(__file__).parent / "tables" / "optical.csv"

#: Name of the table that a workspace may bring.
OWN_FILE = "optical.csv"

#: Connectors between exchange and subscriber: at the exchange, in the distribution
#: frame, at the access point and at the subscriber.
CONNECTORS = 4

#: Splices besides those between drums: at both ends of the cable and at the splitter.
END_SPLICES = 3

Case = Literal["least", "usual", "greatest"]

_COLUMNS = (
    "group",
    "name",
    "minimum",
    "value",
    "maximum",
    "unit",
    "wavelengths_nm",
    "reach_km",
    "verified",
    "source",
)
_GROUPS = ("class", "fibre", "splitter", "joint", "margin")


@dataclass(frozen=True)
class PonClass:
    """A class of optical budget.

    Parameters
    ----------
    name
        E.g. ``"B+"``.
    least_db, greatest_db
        Loss that the path must and may have; a path with less gets an attenuator. [dB]
    wavelengths_nm
        Wavelengths up and down; the one that loses most counts. [nm]
    reach_m
        Greatest length of the fibre, whatever its loss. [m]
    verified
        Whether it was compared with a published quotation of the Recommendation.
    source
        Where it comes from.
    """

    name: str
    least_db: float
    greatest_db: float
    wavelengths_nm: tuple[int, ...]
    reach_m: float
    verified: bool
    source: str


@dataclass(frozen=True)
class Item:
    """A loss with its bounds.

    Parameters
    ----------
    least, usual, greatest
        Values for a favourable, the usual and an unfavourable case.
    verified
        Whether it was compared with a published source.
    source
        Where it comes from.
    """

    least: float
    usual: float
    greatest: float
    verified: bool
    source: str

    def at(self, case: Case) -> float:
        """Return the value of a case."""
        return float(getattr(self, case))


@dataclass(frozen=True)
class OpticalTable:
    """Classes and losses.

    Parameters
    ----------
    classes
        Name -> class.
    fibre
        Wavelength in nm -> loss of one kilometre. [dB/km]
    splitters
        Number of outputs -> loss. [dB]
    joints
        ``"splice"``, ``"connector"`` [dB] and ``"drum"``, the length between splices. [m]
    margin
        Kept for repairs and ageing. [dB]
    """

    classes: Mapping[str, PonClass] = field(default_factory=dict)
    fibre: Mapping[int, Item] = field(default_factory=dict)
    splitters: Mapping[int, Item] = field(default_factory=dict)
    joints: Mapping[str, Item] = field(default_factory=dict)
    margin: Item = Item(0.0, 0.0, 0.0, False, "")

    def named(self, pon_class: str) -> PonClass:
        """Return a class.

        Parameters
        ----------
        pon_class
            Name, e.g. ``"B+"``; small letters will do.

        Returns
        -------
        PonClass
            The class.

        Raises
        ------
        InputError
            If there is none of this name.
        """
        name = pon_class.strip().upper()
        if name not in self.classes:
            raise InputError(
                "There is no optical budget class {value} (expected one of {expected})",
                value=pon_class,
                expected=", ".join(self.classes),
            )
        return self.classes[name]

    def splitter_loss_db(self, split_ratio: float, case: Case = "usual") -> float:
        """Return the loss of splitting.

        Parameters
        ----------
        split_ratio
            Outputs of all splitters on the way together; a number between two of the
            table counts as the next larger one.
        case
            Which value of the table.

        Returns
        -------
        float
            Loss. [dB]

        Raises
        ------
        InputError
            If it is below 1, no whole number or larger than any in the table.
        """
        largest = max(self.splitters)
        if not (
            math.isfinite(split_ratio)
            and split_ratio == int(split_ratio)
            and 1 <= split_ratio <= largest
        ):
            raise InputError(
                "The split ratio is {value} (expected a whole number from 1 to {largest})",
                value=split_ratio,
                largest=largest,
            )
        return self.splitters[min(n for n in self.splitters if n >= split_ratio)].at(case)


def optical_table(workspace_folder: Path | None = None) -> OpticalTable:
    """Return classes and losses, those of a workspace in place of the built-in ones.

    Parameters
    ----------
    workspace_folder
        Folder that may hold `OWN_FILE`; rows of a new name are added.

    Returns
    -------
    OpticalTable
        The table.

    Raises
    ------
    InputError
        If the workspace's table cannot be read, or a row names no known group or
        holds a value that is missing, negative or out of order.
    """
    own = None if workspace_folder is None else workspace_folder / OWN_FILE
    if own is None or not own.exists():
        return _built_in()
    base = _built_in()
    mine = _read(own)
    margin = mine.margin if mine.margin.source or mine.margin.greatest else base.margin
    return OpticalTable(
        {**base.classes, **mine.classes},
        dict(sorted({**base.fibre, **mine.fibre}.items())),
        dict(sorted({**base.splitters, **mine.splitters}.items())),
        {**base.joints, **mine.joints},
        margin,
    )


@cache
def _built_in() -> OpticalTable:
    return _read(TABLE)


def _read(path: Path) -> OpticalTable:
    frame = read_own_table(path, _COLUMNS)
    classes: dict[str, PonClass] = {}
    items: dict[str, dict[str, Item]] = {name: {} for name in _GROUPS}
    seen: set[tuple[str, str]] = set()
    for number, row in frame.iterrows():
        group, name = str(row["group"]), str(row["name"])
        if group not in _GROUPS:
            raise InputError(
                "{file}, row {row}, column {column}: {value} (expected one of {expected})",
                file=path.name,
                row=number,
                column="group",
                value=group or "empty",
                expected=", ".join(_GROUPS),
            )
        if (group, name) in seen:
            raise InputError(
                "{file}, row {row}: the item {item} is there twice",
                file=path.name,
                row=number,
                item=f"{group} {name}",
            )
        seen.add((group, name))
        verified = str(row["verified"]).lower() == "yes"
        if group == "class":
            low, high = (_number(path, number, key, row[key]) for key in ("minimum", "maximum"))
            _ordered(path, number, name, [low, high])
            classes[name.upper()] = PonClass(
                name.upper(),
                low,
                high,
                tuple(
                    int(_number(path, number, "wavelengths_nm", part))
                    for part in str(row["wavelengths_nm"]).split(";")
                ),
                1000.0 * _number(path, number, "reach_km", row["reach_km"]),
                verified,
                str(row["source"]),
            )
            continue
        values = [_number(path, number, key, row[key]) for key in ("minimum", "value", "maximum")]
        # Long drums mean few splices, so their favourable value is the largest.
        _ordered(path, number, name, values[::-1] if name == "drum" else values)
        least, usual, greatest = values
        items[group][name] = Item(least, usual, greatest, verified, str(row["source"]))
    return OpticalTable(
        classes,
        {int(_number(path, name, "name", name)): item for name, item in items["fibre"].items()},
        {int(_number(path, name, "name", name)): item for name, item in items["splitter"].items()},
        items["joint"],
        items["margin"].get("ageing", Item(0.0, 0.0, 0.0, False, "")),
    )


def _number(path: Path, row: object, column: str, value: object) -> float:
    try:
        figure = float(str(value))
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


def _ordered(path: Path, row: object, name: str, values: list[float]) -> None:
    if values != sorted(values):
        raise InputError(
            "{file}, row {row}: the values of {item} are {value} (expected the least, the usual "
            "and the greatest in order)",
            file=path.name,
            row=row,
            item=name,
            value=", ".join(f"{value:g}" for value in values),
        )


def _checked_length(length_m: ArrayLike) -> NDArray[np.float64]:
    length = np.asarray(length_m, dtype=np.float64)
    if not (length >= 0.0).all():  # also where it is no number
        raise InputError(
            "The length of the fibre is {value} m (expected a number of at least 0)",
            value=float(np.min(np.where(length >= 0.0, np.inf, length))),
        )
    return length


def _checked_count(name: str, value: int) -> int:
    if value < 0 or value != int(value):
        raise InputError(
            "The number of {what} is {value} (expected a whole number of at least 0)",
            what=name,
            value=value,
        )
    return int(value)


def _fibre_db_per_m(wavelength_nm: int, case: Case, table: OpticalTable) -> float:
    if wavelength_nm not in table.fibre:
        raise InputError(
            "There is no fibre loss for {value} nm (expected one of {expected})",
            value=wavelength_nm,
            expected=", ".join(str(name) for name in table.fibre),
        )
    return table.fibre[wavelength_nm].at(case) / 1000.0


def loss_db(
    length_m: ArrayLike,
    split_ratio: int = 1,
    *,
    wavelength_nm: int = 1310,
    splices: int | None = None,
    connectors: int = CONNECTORS,
    case: Case = "usual",
    table: OpticalTable | None = None,
) -> NDArray[np.float64]:
    """Return what is lost between exchange and subscriber, without any margin.

    Parameters
    ----------
    length_m
        Length of the fibre, of any shape. [m]
    split_ratio
        See `OpticalTable.splitter_loss_db`.
    wavelength_nm
        One of the table's. [nm]
    splices
        Number of splices; None for `END_SPLICES` and one for each full drum of cable.
    connectors
        Number of mated connectors.
    case
        Which values of the table.
    table
        Classes and losses; the built-in ones if None.

    Returns
    -------
    NDArray
        Loss, of the shape of `length_m`; infinite where the length is. [dB]

    Raises
    ------
    InputError
        If a length is negative or no number, a count is negative, or the table has no
        such wavelength or split.

    Examples
    --------
    >>> float(loss_db(5_000.0, 32).round(2))
    20.45
    """
    table = table or _built_in()
    length = _checked_length(length_m)
    per_m = _fibre_db_per_m(wavelength_nm, case, table)
    drum_m = table.joints["drum"].at(case)
    if splices is None:
        with np.errstate(invalid="ignore"):
            count: Any = END_SPLICES + np.floor(length / drum_m)
    else:
        count = _checked_count("splices", splices)
    return np.asarray(
        length * per_m
        + table.splitter_loss_db(split_ratio, case)
        + count * table.joints["splice"].at(case)
        + _checked_count("connectors", connectors) * table.joints["connector"].at(case),
        dtype=np.float64,
    )


def path_loss_db(
    pon_class: str,
    length_m: ArrayLike,
    split_ratio: int = 1,
    *,
    splices: int | None = None,
    connectors: int = CONNECTORS,
    case: Case = "usual",
    table: OpticalTable | None = None,
) -> NDArray[np.float64]:
    """Return the loss at the wavelength of a class that loses most, with the margin.

    Parameters
    ----------
    pon_class
        Name of the class.
    length_m, split_ratio, splices, connectors, case, table
        See `loss_db`.

    Returns
    -------
    NDArray
        To be compared with the class's greatest loss. [dB]
    """
    table = table or _built_in()
    losses = [
        loss_db(
            length_m,
            split_ratio,
            wavelength_nm=wavelength,
            splices=splices,
            connectors=connectors,
            case=case,
            table=table,
        )
        for wavelength in table.named(pon_class).wavelengths_nm
    ]
    return np.asarray(np.maximum.reduce(losses) + table.margin.at(case), dtype=np.float64)


def closes(
    pon_class: str,
    length_m: ArrayLike,
    split_ratio: int = 1,
    *,
    splices: int | None = None,
    connectors: int = CONNECTORS,
    case: Case = "usual",
    table: OpticalTable | None = None,
) -> NDArray[np.bool_]:
    """Return whether the optical budget closes: not too much is lost, nor the fibre too long.

    A path that loses less than the class demands closes too, with an attenuator.

    Parameters
    ----------
    pon_class
        Name of the class.
    length_m, split_ratio, splices, connectors, case, table
        See `loss_db`.

    Returns
    -------
    NDArray
        Booleans of the shape of `length_m`.

    Raises
    ------
    InputError
        As `loss_db`, or if there is no such class.

    Examples
    --------
    >>> closes("B+", [5_000.0, 15_000.0], 64).tolist()
    [True, False]
    """
    table = table or _built_in()
    limit = table.named(pon_class)
    lost = path_loss_db(
        pon_class,
        length_m,
        split_ratio,
        splices=splices,
        connectors=connectors,
        case=case,
        table=table,
    )
    short = np.asarray(length_m, dtype=np.float64) <= limit.reach_m
    return np.asarray((lost <= limit.greatest_db + 1e-9) & short)


def reach_m(
    pon_class: str,
    split_ratio: int = 1,
    *,
    splices: int | None = None,
    connectors: int = CONNECTORS,
    case: Case = "usual",
    table: OpticalTable | None = None,
) -> float:
    """Return the longest fibre whose budget closes.

    Parameters
    ----------
    pon_class
        Name of the class.
    split_ratio, splices, connectors, case, table
        See `loss_db`.

    Returns
    -------
    float
        Length, 0 where even none closes. [m]

    Raises
    ------
    InputError
        As `closes`.

    Examples
    --------
    >>> round(reach_m("B+", 64))
    12857
    """
    table = table or _built_in()
    limit = table.named(pon_class)

    def good(length: float) -> bool:
        return bool(
            closes(
                pon_class,
                length,
                split_ratio,
                splices=splices,
                connectors=connectors,
                case=case,
                table=table,
            )
        )

    if not good(0.0):
        return 0.0
    if good(limit.reach_m):
        return limit.reach_m
    # The loss never falls with length, so halving the interval finds the end of it.
    low, high = 0.0, limit.reach_m
    while high - low > 1e-3:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if good(middle) else (low, middle)
    return low
