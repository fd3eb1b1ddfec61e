"""What a carrier asks for at one place, and the cells that would come there."""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from coverage.own_table import read_own_table
from data.errors import InputError, Message, ValidationError, message
from data.schema import CELLS, MAST_CLASSES, PROPOSAL_KINDS, TECHNOLOGIES, examine
from planning.scenario_network import Change

#: Typical cells where an operator has none of a technology.
TABLE = Path(__file__).parent / "tables" / "site_cells.csv"

#: Name of the table that a workspace may bring in place of it.
OWN_FILE = "site_cells.csv"

#: Longest texts.
MOST_CHARACTERS = {"reference": 80, "name": 200, "note": 4000, "mast_id": 200, "comment": 4000}

#: How far below the top antennas hang like an operator's others. [m]
BELOW_TOP_M = 1.0

#: Most cells of one site.
MOST_CELLS = 60

_COLUMNS = (
    "technology", "band", "frequency_mhz", "bandwidth_mhz", "power_dbm", "antenna_gain_dbi",
    "feeder_loss_db", "sectors", "first_azimuth_deg", "tilt_deg", "below_top_m", "load",
    "verified", "source",
)  # fmt: skip
_FIGURES = _COLUMNS[2:-2]
_TAKEN_OVER = ("power_dbm", "antenna_gain_dbi", "feeder_loss_db", "tilt_deg", "load")


@dataclass(frozen=True)
class SiteRequest:
    """A site as it is asked for.

    Parameters
    ----------
    reference
        The carrier's own code of it.
    lon, lat
        Where, WGS 84. [deg]
    kind
        ``"new"`` for a mast to be built, ``"share"`` for antennas on one that is there.
    name
        Name or address.
    mast_id
        The mast that is there, for ``"share"``.
    mast_class
        One of `data.schema.MAST_CLASSES`; empty if it is not known.
    height_m
        Top of the mast above ground. [m]
    building_height_m
        Of the building below it; None where it stands on the ground. [m]
    radius_m
        From the axis to the outermost point; None if it is not known. [m]
    shareable
        Whether others may hang antennas on it.
    max_tenants
        Operators it can carry; None if it is not known.
    technologies
        Technologies wanted; typical cells are taken for them.
    cells
        Cells with columns of the layer `cells`, in place of typical ones.
    note
        What else to know.
    """

    reference: str
    lon: float
    lat: float
    kind: Literal["new", "share"] = "new"
    name: str = ""
    mast_id: str = ""
    mast_class: str = ""
    height_m: float = 0.0
    building_height_m: float | None = None
    radius_m: float | None = None
    shareable: bool = False
    max_tenants: int | None = None
    technologies: tuple[str, ...] = ()
    cells: tuple[Mapping[str, Any], ...] = ()
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the request for JSON."""
        return {
            **asdict(self),
            "technologies": list(self.technologies),
            "cells": [dict(cell) for cell in self.cells],
        }

    @property
    def digest(self) -> str:
        """Hash of everything that is asked for."""
        content = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()


def clean_text(text: object, name: str) -> str:
    """Return a text as it is kept: as typed, but trimmed and without control characters.

    Parameters
    ----------
    text
        As given; None is empty.
    name
        What it is, a key of `MOST_CHARACTERS`.

    Returns
    -------
    str
        In Unicode NFC. Markup and quotes stay: they are made harmless where they are shown.

    Raises
    ------
    InputError
        If it is too long or cannot be stored.
    """
    plain = "" if text is None else unicodedata.normalize("NFC", str(text)).strip()
    bad = next(
        (c for c in plain if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\r\t"), ""
    )
    if bad:
        raise InputError(
            "{column}: character {value} cannot be kept (expected text)",
            column=name,
            value=f"U+{ord(bad):04X}",
        )
    if len(plain) > MOST_CHARACTERS[name]:
        raise InputError(
            "{column}: {count} characters (at most {limit})",
            column=name,
            count=len(plain),
            limit=MOST_CHARACTERS[name],
        )
    return plain


def checked(given: Mapping[str, Any]) -> SiteRequest:
    """Return a request whose every value is of its kind and in its range.

    Parameters
    ----------
    given
        Fields of `SiteRequest`; missing ones are empty, unknown ones refused.

    Returns
    -------
    SiteRequest
        The request.

    Raises
    ------
    InputError
        For the first value that cannot be used.
    """
    known = {field.name for field in fields(SiteRequest)}
    for name in given:
        if name not in known:
            raise InputError("There is no field {name} in a proposal", name=str(name)[:80])
    texts = {
        name: clean_text(given.get(name), name) for name in ("reference", "name", "mast_id", "note")
    }
    if not texts["reference"]:
        raise _wrong("reference", "", message("expected the carrier's code of the site"))
    kind = _one_of("kind", given.get("kind") or "new", PROPOSAL_KINDS)
    mast_class = given.get("mast_class") or ""
    if mast_class:
        _one_of("mast_class", mast_class, MAST_CLASSES)
    technologies = _technologies(given.get("technologies") or ())
    cells = _cells(given.get("cells") or ())
    if not technologies and not cells:
        raise _wrong("technologies", "", message("expected at least one technology, or cells"))
    place = {"lon": _degrees(given, "lon", 180.0), "lat": _degrees(given, "lat", 90.0)}
    common: dict[str, Any] = {**texts, **place, "technologies": technologies, "cells": cells}
    if kind == "share":
        if not texts["mast_id"]:
            raise _wrong("mast_id", "", message("expected the mast that is to be shared"))
        # What stands there is known; only what comes is asked for.
        return SiteRequest(**common, kind="share")
    height = _figure(given, "height_m", 1000.0)
    if height is None:
        raise _wrong("height_m", "", message("expected a number greater than 0 and at most 1000 m"))
    building = _figure(given, "building_height_m", 1000.0)
    if building is not None and building >= height:
        raise _wrong(
            "building_height_m", building, message("expected less than the height of the mast")
        )
    tenants = _figure(given, "max_tenants", 100.0)
    if tenants is not None and not (tenants.is_integer() and tenants >= 1):
        raise _wrong("max_tenants", tenants, message("expected a whole number from 1 to 100"))
    return SiteRequest(
        # Of a new mast the code is made later, so that it is nobody else's.
        **{**common, "mast_id": ""},
        mast_class=mast_class,
        height_m=height,
        building_height_m=building,
        radius_m=_figure(given, "radius_m", 100.0),
        shareable=bool(given.get("shareable", False)),
        max_tenants=None if tenants is None else int(tenants),
    )


def _wrong(column: str, value: object, expected: Message) -> InputError:
    shown = str(value)[:80]
    return InputError(
        "{column}: {value} ({expected})",
        column=column,
        value=shown or message("empty"),
        expected=expected,
    )


def _one_of(column: str, value: object, options: Sequence[str]) -> str:
    if value not in options:
        raise InputError(
            "{column}: {value} ({expected})",
            column=column,
            value=str(value)[:80],
            expected=message("expected one of {options}", options=", ".join(options)),
        )
    return str(value)


def _figure(given: Mapping[str, Any], column: str, most: float) -> float | None:
    """Return a number that is greater than 0, or None where there is none."""
    value = given.get(column)
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    number = _number(value)
    if not 0.0 < number <= most:
        raise InputError(
            "{column}: {value} ({expected})",
            column=column,
            value=str(value)[:80],
            expected=message(
                "expected a number greater than 0 and at most {most}", most=f"{most:g}"
            ),
        )
    return number


def _number(value: object) -> float:
    if isinstance(value, bool):
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan


def _degrees(given: Mapping[str, Any], column: str, most: float) -> float:
    number = _number(given.get(column))
    if not -most <= number <= most:
        raise _wrong(column, given.get(column), message("expected degrees, WGS 84"))
    return number


def _technologies(given: object) -> tuple[str, ...]:
    parts = re.split(r"[;,/+&\s]+", given) if isinstance(given, str) else given
    if not isinstance(parts, Sequence):
        raise _wrong(
            "technologies", given, message("expected technologies, separated by semicolons")
        )
    names = [str(part).strip().upper() for part in parts if str(part).strip()]
    for name in names:
        _one_of("technologies", name, TECHNOLOGIES)
    return tuple(name for name in TECHNOLOGIES if name in names)


def _cells(given: object) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise _wrong("cells", given, message("expected a list of cells"))
    if len(given) > MOST_CELLS:
        raise InputError(
            "{column}: {count} cells (at most {limit})",
            column="cells",
            count=len(given),
            limit=MOST_CELLS,
        )
    # The kinds of their values are those of a change of the network.
    return tuple(Change("add", {}, tuple(given)).to_dict()["cells"]) if given else ()


def check_cells(request: SiteRequest, organisation: str, *, only: str | None = None) -> None:
    """Raise what is wrong with the cells that a request states.

    Parameters
    ----------
    request
        The site.
    organisation
        Whose it is; the operator of cells that name none.
    only
        Operator that the cells must be of; None for any.

    Raises
    ------
    InputError
        If a cell is another operator's.
    ValidationError
        With every value that the layer `cells` does not allow; the rows are the cells,
        from 1.
    """
    if not request.cells:
        return
    rows = [
        {"cell_id": str(number), "mast_id": "-", **cell}
        | {"operator": cell.get("operator") or organisation}
        for number, cell in enumerate(request.cells, 1)
    ]
    for number, row in enumerate(rows, 1):
        if only is not None and row["operator"] != only:
            raise InputError(
                "{file}, row {row}, column {column}: {value} ({expected})",
                file="cells",
                row=number,
                column="operator",
                value=str(row["operator"])[:80],
                expected=message("expected {name}: a carrier proposes for itself only", name=only),
            )
    index = pd.Index(range(1, len(rows) + 1), name="row")
    given = pd.DataFrame(rows, index=index, dtype=object)
    lacking = [name for name in CELLS.columns if name not in given]
    given[lacking] = None
    faults = examine(CELLS.name, given, file="cells").errors
    if faults:
        raise ValidationError(faults)


def cell_table(folder: Path | None = None) -> pd.DataFrame:
    """Return the typical cells of technologies.

    Parameters
    ----------
    folder
        Folder of the workspace, which may hold `OWN_FILE`.

    Returns
    -------
    pandas.DataFrame
        One row for each technology, which is the index.

    Raises
    ------
    InputError
        If the table cannot be used.
    """
    own = None if folder is None else folder / OWN_FILE
    return _read(own) if own is not None and own.is_file() else _built_in()


@cache
def _built_in() -> pd.DataFrame:
    return _read(TABLE)


def _read(path: Path) -> pd.DataFrame:
    table = read_own_table(path, _COLUMNS)
    for column in _FIGURES:
        values = pd.to_numeric(table[column], errors="coerce")
        for row in table.index[~np.isfinite(values)]:
            raise InputError(
                "{file}, row {row}, column {column}: {value} ({expected})",
                file=path.name,
                row=int(row),
                column=column,
                value=table[column][row] or message("empty"),
                expected=message("expected a number"),
            )
        table[column] = values.astype(float)
    return table.drop_duplicates("technology", keep="last").set_index("technology")


def typical_cells(
    request: SiteRequest, operator: str, cells: pd.DataFrame, templates: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return the cells that come to a site, typical ones where none are stated.

    For each technology the operator's most used band counts, with the medians of its
    cells; where it has no cell of the technology, the table.

    Parameters
    ----------
    request
        The site.
    operator
        Whose cells they are.
    cells
        Layer `cells`.
    templates
        From `cell_table`.

    Returns
    -------
    list of dict
        Columns of the layer `cells` but `cell_id` and `mast_id`.

    Raises
    ------
    InputError
        If there is neither a cell nor a row of the table for a technology.
    """
    if request.cells:
        return [{**cell, "operator": cell.get("operator") or operator} for cell in request.cells]
    found: list[dict[str, Any]] = []
    own = cells[cells["operator"] == operator]
    for technology in request.technologies:
        of_it = own[own["technology"] == technology]
        if len(of_it):
            found += _like(of_it, operator, technology, request.height_m)
        elif technology in templates.index:
            row: dict[str, Any] = {str(k): v for k, v in templates.loc[technology].items()}
            found += _sectors(
                {name: row[name] for name in ("band", *_FIGURES[:5], "tilt_deg", "load")},
                operator,
                technology,
                int(row["sectors"]),
                float(row["first_azimuth_deg"]),
                max(1.0, request.height_m - float(row["below_top_m"])),
            )
        else:
            raise InputError(
                "{operator} has no cells of {technology}, and there is no typical one; state "
                "the cells",
                operator=operator,
                technology=technology,
            )
    return found


def _like(
    cells: pd.DataFrame, operator: str, technology: str, height_m: float
) -> list[dict[str, Any]]:
    """Return cells like those of an operator's most used band of a technology."""
    frequency = float(cells["frequency_mhz"].mode().iloc[0])
    band = cells[cells["frequency_mhz"] == frequency]
    values: dict[str, Any] = {name: round(float(band[name].median()), 3) for name in _TAKEN_OVER}
    names = band["band"].dropna().mode()
    values |= {
        "band": None if names.empty else str(names.iloc[0]),
        "frequency_mhz": frequency,
        "bandwidth_mhz": float(band["bandwidth_mhz"].mode().iloc[0]),
    }
    sectors = int(band.groupby("mast_id").size().mode().iloc[0])
    if band["azimuth_deg"].isna().mean() > 0.5:
        sectors = 1
    return _sectors(values, operator, technology, sectors, 0.0, max(1.0, height_m - BELOW_TOP_M))


def _sectors(
    values: Mapping[str, Any],
    operator: str,
    technology: str,
    sectors: int,
    first_deg: float,
    antenna_m: float,
) -> list[dict[str, Any]]:
    return [
        {
            **{
                name: value.item() if isinstance(value, np.generic) else value
                for name, value in values.items()
            },
            "operator": operator,
            "technology": technology,
            "antenna_height_m": round(antenna_m, 2),
            "azimuth_deg": None if sectors < 2 else (first_deg + 360.0 * k / sectors) % 360.0,
        }
        for k in range(max(1, sectors))
    ]


def change(
    request: SiteRequest, mast_id: str, owner: str, cells: Sequence[Mapping[str, Any]]
) -> Change:
    """Return what a site changes in the network.

    Parameters
    ----------
    request
        The site.
    mast_id
        Code of a new mast.
    owner
        Who asks.
    cells
        From `site_antennas.cells_of_site`.

    Returns
    -------
    Change
        A mast that is added, or one that is shared.
    """
    if request.kind == "share":
        return Change("share", {"mast_id": request.mast_id}, tuple(cells))
    mast = {
        "mast_id": mast_id,
        "name": request.name or request.reference,
        "owner": owner,
        "mast_class": request.mast_class or None,
        "height_m": request.height_m,
        "shareable": request.shareable,
        "max_tenants": request.max_tenants,
        "lon": request.lon,
        "lat": request.lat,
    }
    return Change("add", mast, tuple(cells))
