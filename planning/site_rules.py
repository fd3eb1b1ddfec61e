"""Local rules for mast sites: a table per province, and a site checked against it.

`planning/tables/site_rules.csv` holds a default set and what is known of single
provinces; rows of a province replace the default rows of the same rule. A
workspace brings its own table as ``site_rules.csv`` of the same columns, which
takes the place of the whole, and areas in which other rules hold as
``site_zones.geojson`` (property ``zone``: urban, rural or camouflaged).

Every rule is met, not met or cannot be checked, and says with which figures.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import geopandas as gpd
import pandas as pd
import pyogrio.errors

from coverage.own_table import read_own_table
from data import csv_file
from data.errors import InputError, Message, message
from data.schema import MAST_CLASSES

Zone = Literal["urban", "rural"]
Severity = Literal["error", "warning", "note"]
Result = Literal["met", "not met", "cannot be checked", "note"]

#: The built-in table.
TABLE = Path(__file__).parent / "tables" / "site_rules.csv"

#: Names of the files that a workspace may bring.
OWN_FILE = "site_rules.csv"
ZONES_FILE = "site_zones.geojson"

#: Set of rules that holds where a province has none of its own.
DEFAULT = "default"

#: Rule -> unit of its value, empty where it has a bare number, None where it has no value.
RULES: dict[str, str | None] = {
    "own_height_max": "m",
    "share_of_building_max": "%",
    "radius_max": "m",
    "on_building": None,
    "on_ground": None,
    "unusual_class": None,
    "spacing": "m",
    "allowed_near": "m",
    "allowed_in_zone": None,
    "tenants_min": "",
    "tenants_max": "",
    "permit_required": None,
    "exposure": "W/m²",
    "head_height": "m",
    "sensitive": "m",
    "urban_unit": None,
}

ZONE_KINDS = ("urban", "rural", "camouflaged")

_COLUMNS = (
    "rule", "province", "zone", "mast_class", "height_from_m", "height_to_m", "near", "value",
    "unit", "severity", "verified", "source",
)  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """One row of the table.

    Parameters
    ----------
    rule
        One of `RULES`.
    province
        Set that it belongs to.
    zone
        urban, rural or any.
    mast_class
        Classes that it is about; of ``allowed_…`` those that may stand there.
    height_from_m, height_to_m
        Height of the structure itself, from above the first up to the second. [m]
    near
        Layers, kinds of places or words that it is about.
    value
        Limit in `unit`; NaN where the rule has none.
    unit
        Unit of the value.
    severity
        What it means if the rule is not met.
    verified
        Whether the text of the regulation was compared.
    source
        Where the rule is known from.
    """

    rule: str
    province: str
    zone: str
    mast_class: tuple[str, ...]
    height_from_m: float
    height_to_m: float
    near: tuple[str, ...]
    value: float
    unit: str
    severity: Severity
    verified: bool
    source: str

    def holds(self, zone: str, mast_class: str, own_height_m: float) -> bool:
        """Return whether the rule is about such a mast.

        Parameters
        ----------
        zone
            urban or rural.
        mast_class
            One of `data.schema.MAST_CLASSES`; empty if it is not known: then the rule
            holds if it is about every class.
        own_height_m
            Height of the structure itself. [m]

        Returns
        -------
        bool
            Whether zone, class and height fit.
        """
        return self.may_hold(zone, mast_class, own_height_m) and (
            bool(mast_class) or self.of_every_class
        )

    def may_hold(self, zone: str, mast_class: str, own_height_m: float) -> bool:
        """Return whether the rule is about such a mast, or may be as its class is not known.

        Parameters
        ----------
        zone, mast_class, own_height_m
            See `holds`.

        Returns
        -------
        bool
            Whether zone and height fit, and the class where it is known.
        """
        return (
            self.zone in ("any", zone)
            and (not mast_class or not self.mast_class or mast_class in self.mast_class)
            and (self.height_from_m < own_height_m or self.height_from_m == 0.0)
            and own_height_m <= self.height_to_m
        )

    @property
    def of_every_class(self) -> bool:
        """Whether it is about masts of every class."""
        return not self.mast_class or set(self.mast_class) >= set(MAST_CLASSES)


@dataclass(frozen=True)
class Finding:
    """What a rule says about a site.

    Parameters
    ----------
    rule
        One of `RULES`.
    result
        Whether it is met.
    severity
        How grave it is if it is not.
    text
        The finding as a sentence.
    measured, limit
        Figures that were compared, in `unit`; None where there are none.
    unit
        Their unit.
    source
        Of the rule.
    verified
        Whether the regulation's text was compared.
    """

    rule: str
    result: Result
    severity: Severity
    text: Message
    measured: float | None
    limit: float | None
    unit: str
    source: str
    verified: bool


@dataclass(frozen=True)
class Neighbour:
    """A mast or place near a site.

    Parameters
    ----------
    kind
        ``mast``, a layer's name or the kind of a public place.
    name
        What it is called.
    distance_m
        How far it is. [m]
    """

    kind: str
    name: str
    distance_m: float


@dataclass(frozen=True)
class Structure:
    """What the rules need to know of a proposed mast.

    Parameters
    ----------
    new
        Whether a mast is to be built; otherwise antennas come on one that is there.
    mast_class
        One of `data.schema.MAST_CLASSES`; empty if it is not known.
    height_m
        Top above ground. [m]
    building_height_m
        Of the building below it; None where it stands on the ground. [m]
    radius_m
        From the axis to the outermost point; None if it is not known. [m]
    max_tenants
        Operators it can carry; None if it is not known.
    eirp_dbm
        EIRP of each cell. [dBm]
    lowest_antenna_m
        Lowest antenna's centre above ground; NaN without cells. [m]
    """

    new: bool
    mast_class: str
    height_m: float
    building_height_m: float | None
    radius_m: float | None
    max_tenants: int | None
    eirp_dbm: tuple[float, ...]
    lowest_antenna_m: float

    @property
    def own_height_m(self) -> float:
        """Height of the structure without the building below it. [m]."""
        return self.height_m - (self.building_height_m or 0.0)


@dataclass(frozen=True)
class Surroundings:
    """What is around a site.

    Parameters
    ----------
    zone
        urban or rural.
    camouflaged_areas
        Names of the areas for camouflaged masts that it lies in.
    masts
        Other masts, nearest first.
    places
        Offices and public places, nearest first.
    known_places
        Kinds of places that the data of the area have; that none of another kind is near
        says nothing.
    """

    zone: Zone
    camouflaged_areas: tuple[str, ...] = ()
    masts: tuple[Neighbour, ...] = ()
    places: tuple[Neighbour, ...] = ()
    known_places: frozenset[str] = frozenset()


def compliance_distance_m(eirp_dbm: tuple[float, ...], limit_w_per_m2: float) -> float:
    """Return how far from the antennas the power density can exceed a limit.

    The cells' powers are summed as if all of them shone the same way (far field,
    free space): r = sqrt(Σ EIRP / (4 π S)).

    Parameters
    ----------
    eirp_dbm
        EIRP of each cell. [dBm]
    limit_w_per_m2
        Power density S. [W/m²]

    Returns
    -------
    float
        Distance; 0 without cells. [m]
    """
    total_w = math.fsum(10.0 ** ((value - 30.0) / 10.0) for value in eirp_dbm)
    return math.sqrt(total_w / (4.0 * math.pi * limit_w_per_m2))


def rules(folder: Path | None = None, province: str | None = None) -> tuple[Rule, ...]:
    """Return the rules that hold in an area.

    Parameters
    ----------
    folder
        Folder of the workspace, which may hold `OWN_FILE`.
    province
        Set of rules; its rules go before those of the default set.

    Returns
    -------
    tuple of Rule
        In the table's order.

    Raises
    ------
    InputError
        If the table cannot be used or there is no such set.
    """
    own = None if folder is None else folder / OWN_FILE
    table = _read(own) if own is not None and own.is_file() else _built_in()
    known = {rule.province for rule in table}
    if province is not None and province not in known:
        raise InputError(
            "There are no rules of {province} (expected one of {expected})",
            province=province,
            expected=", ".join(sorted(known)),
        )
    of_province = {rule.rule for rule in table if rule.province == province}
    return tuple(
        rule
        for rule in table
        if rule.province == province or (rule.province == DEFAULT and rule.rule not in of_province)
    )


def provinces() -> tuple[str, ...]:
    """Return the names of the built-in sets of rules, the default one first."""
    return tuple(dict.fromkeys(rule.province for rule in _built_in()))


def write_own(folder: Path, province: str) -> Path:
    """Write the rules of a province into a workspace, to be edited there.

    Parameters
    ----------
    folder
        Folder of the workspace.
    province
        One of `provinces`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If there is no such set, or the workspace has a table already.
    """
    wanted = {(rule.rule, rule.province) for rule in rules(None, province)}
    path = folder / OWN_FILE
    if path.exists():
        raise InputError("{file} is there already; edit it or delete it first", file=path)
    table = read_own_table(TABLE, _COLUMNS)
    keep = [pair in wanted for pair in zip(table["rule"], table["province"], strict=True)]
    chosen = table[keep].assign(province=DEFAULT)
    csv_file.write(chosen, path)
    return path


def digest(folder: Path) -> str:
    """Return a hash of everything that the rules of a workspace come from."""
    parts = [folder / OWN_FILE, folder / ZONES_FILE]
    found = [path.read_bytes() if path.is_file() else b"" for path in (TABLE, *parts)]
    return hashlib.sha256(b"\0".join(found)).hexdigest()


@cache
def _built_in() -> tuple[Rule, ...]:
    return _read(TABLE)


def _read(path: Path) -> tuple[Rule, ...]:
    table = read_own_table(path, _COLUMNS)
    return tuple(
        _rule(path, row, {str(name): str(value) for name, value in values.items()})
        for row, values in enumerate(table.to_dict("records"), start=2)
    )


def _rule(path: Path, row: int, values: dict[str, str]) -> Rule:
    def wrong(column: str, expected: Message) -> InputError:
        return InputError(
            "{file}, row {row}, column {column}: {value} ({expected})",
            file=path.name,
            row=row,
            column=column,
            value=values[column] or "empty",
            expected=expected,
        )

    def one_of(column: str, options: tuple[str, ...]) -> str:
        if values[column] not in options:
            said = message("expected one of {options}", options=", ".join(options))
            raise wrong(column, said)
        return values[column]

    def figure(column: str, empty: float) -> float:
        if not values[column]:
            return empty
        try:
            found = float(values[column])
        except ValueError:
            found = math.nan
        if not (math.isfinite(found) and found >= 0.0):
            raise wrong(column, message("expected a number of at least 0"))
        return found

    name = one_of("rule", tuple(RULES))
    unit = RULES[name]
    if unit is not None and not values["value"]:
        raise wrong("value", message("expected a number of at least 0"))
    if unit is not None and values["unit"] != unit:
        raise wrong("unit", message("expected one of {options}", options=unit or "nothing"))
    if name == "exposure" and not figure("value", 0.0) > 0.0:
        raise wrong("value", message("expected a number greater than 0"))
    classes = _listed(values["mast_class"])
    if not set(classes) <= set(MAST_CLASSES):
        said = message("expected one of {options}", options=", ".join(MAST_CLASSES))
        raise wrong("mast_class", said)
    severity: Severity = one_of("severity", ("error", "warning", "note"))  # type: ignore[assignment]
    return Rule(
        name,
        values["province"] or DEFAULT,
        one_of("zone", ("urban", "rural", "any")),
        classes,
        figure("height_from_m", 0.0),
        figure("height_to_m", math.inf),
        _listed(values["near"]),
        figure("value", math.nan),
        values["unit"],
        severity,
        values["verified"].lower() == "yes",
        values["source"],
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(";") if part.strip())


def read_zones(folder: Path) -> gpd.GeoDataFrame | None:
    """Return the areas of a workspace in which other rules hold.

    Parameters
    ----------
    folder
        Folder of the workspace.

    Returns
    -------
    GeoDataFrame or None
        Columns zone, name and geometry in WGS 84; None where there is no file.

    Raises
    ------
    InputError
        If the file cannot be used.
    """
    path = folder / ZONES_FILE
    if not path.is_file():
        return None
    try:
        areas = gpd.read_file(path)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError) as error:
        raise InputError("{file} cannot be read (expected GeoJSON)", file=path.name) from error
    if "zone" not in areas.columns:
        raise InputError("{file}: the property {name} is missing", file=path.name, name="zone")
    for position, kind in enumerate(areas["zone"], start=1):
        if kind not in ZONE_KINDS:
            raise InputError(
                "{file}, row {row}, column {column}: {value} ({expected})",
                file=path.name,
                row=position,
                column="zone",
                value=kind,
                expected=message("expected one of {options}", options=", ".join(ZONE_KINDS)),
            )
    names = areas["name"] if "name" in areas.columns else pd.Series("", index=areas.index)
    return gpd.GeoDataFrame(
        {"zone": areas["zone"], "name": names.fillna("").astype(str)}, geometry=areas.geometry
    ).to_crs("EPSG:4326")


def is_urban_name(name: str, in_force: tuple[Rule, ...]) -> bool:
    """Return whether the name of a zone says that it is a town.

    Parameters
    ----------
    name
        Name of the zone, e.g. ``"Phường Phủ Lý"``.
    in_force
        The rules.

    Returns
    -------
    bool
        Whether it starts with a word of the rule ``urban_unit``.
    """
    words = [word for rule in in_force if rule.rule == "urban_unit" for word in rule.near]
    return name.casefold().startswith(tuple(f"{word} ".casefold() for word in words))
