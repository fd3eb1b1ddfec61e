"""What the indicators of an area are: the built-in definitions and what people made of them.

`planning/tables/indicators.csv` defines every figure, statement and document of a
provincial report. Users change, add and remove definitions; what they write lies in the
records database and goes before the table, row by row, so that what nobody touched
follows the program.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from coverage.own_table import read_own_table
from data.errors import InputError, message
from data.records import engine, tables
from data.records.engine import Records
from data.records.indicator_tables import IndicatorDefinition
from data.store import Workspace
from data.vintages import iso
from planning import accounts, names
from planning.accounts import Actor, Role
from planning.scenario_workspace import area_name

#: The built-in definitions.
TABLE = Path(__file__).parent / "tables" / "indicators.csv"

#: Groups of a provincial report, in its order.
GROUPS = (
    "mobile", "broadband", "service_points", "network", "equipment", "conference",
    "egovernment", "operations_centre", "documents", "goals",
)  # fmt: skip

#: A number over time, something said without one, a document of the register.
KINDS = ("figure", "statement", "document")

#: How a document has to do with another one.
RELATIONS = ("", "implements", "amends", "replaces", "belongs_to")

#: Functions of `planning.indicator_computed` that a definition can name, and how many
#: arguments each takes (None: any number from 1).
ARGUMENTS: dict[str, int | None] = {
    "coverage": 2,
    "outside": 2,
    "broadband": 2,
    "network": 2,
    "network_share": 2,
    "protected": 0,
    "points": 2,
    "count_masts": 0,
    "sharing": 0,
    "percent": 2,
    "sum": None,
}

#: Kind of the entries in the history.
HISTORY = "indicator"

#: Areas that the built-in reported figures, statements and documents are about.
HA_NAM = ("demo", "hanam")

#: Who may change definitions and values.
EDITORS = (Role.PLANNER, Role.ADMINISTRATOR)

_CODE = re.compile(r"[a-z0-9][a-z0-9_]{0,59}")

#: Most characters of a text.
LONGEST = 2_000

#: Units of `planning.names.UNITS` that are measured; all others are counted in whole numbers.
MEASURED_UNITS = ("VND", "Mbit/s")

#: What shares are of, of `planning.names.DENOMINATORS`, that is measured, not counted.
MEASURED_DENOMINATORS = ("area",)


@dataclass(frozen=True)
class Definition:
    """What an indicator is.

    Parameters
    ----------
    indicator
        Its code.
    group
        One of `GROUPS`.
    kind
        One of `KINDS`.
    title_vi, title_en
        Its name.
    definition_vi, definition_en
        What is counted, and how.
    unit
        Unit of the values; ``"%"`` for shares.
    denominator
        What a share is of; empty where there is none or it is not stated. One that
        begins with ``per_`` is that of a ratio, which may be above 100 %.
    computed_by
        Name and arguments of a function, see `ARGUMENTS`; empty where
        values are entered.
    target
        Value to be reached, None without one. [`unit`]
    target_year
        When.
    target_source
        Who asks for it.
    verified
        Whether the target was compared with the text of its source.
    number, issued_on, issuer
        Of a document.
    related, relation
        Code of another document, and how this one has to do with it (`RELATIONS`).
    claims
        References of statements of a report that have their place here.
    version
        Of the row in the records; 0 for a built-in definition that nobody changed.
    """

    indicator: str
    group: str
    kind: str = "figure"
    title_vi: str = ""
    title_en: str = ""
    definition_vi: str = ""
    definition_en: str = ""
    unit: str = ""
    denominator: str = ""
    computed_by: str = ""
    target: float | None = None
    target_year: int | None = None
    target_source: str = ""
    verified: bool = False
    number: str = ""
    issued_on: str = ""
    issuer: str = ""
    related: str = ""
    relation: str = ""
    claims: tuple[str, ...] = ()
    version: int = 0

    def __str__(self) -> str:
        return self.title_en

    @property
    def counted(self) -> bool:
        """Whether its values are counts; what a unit of a user's own is, is not known."""
        return self.unit in names.UNITS and self.unit not in MEASURED_UNITS

    @property
    def counted_whole(self) -> bool:
        """Whether what a share is of is counted, such as communes and not an area."""
        of = self.denominator
        return self.unit == "%" and of in names.DENOMINATORS and of not in MEASURED_DENOMINATORS

    def title(self, language: str) -> str:
        """Return its name in a language ("vi" or "en"), or in the other one."""
        first, second = (
            (self.title_vi, self.title_en) if language == "vi" else (self.title_en, self.title_vi)
        )
        return first or second

    def definition(self, language: str) -> str:
        """Return what is counted, in a language, or in the other one."""
        first, second = self.definition_vi, self.definition_en
        return (first or second) if language == "vi" else (second or first)


#: Fields that users write, as they stand in the records.
FIELDS = tuple(
    field.name
    for field in dataclasses.fields(Definition)
    if field.name not in ("verified", "claims", "version")
)

_TEXTS = tuple(name for name in FIELDS if name not in ("target", "target_year"))


def about_ha_nam(workspace: Workspace) -> bool:
    """Return whether the built-in reported figures are about an area."""
    return workspace.area.name in HA_NAM


@cache
def _built_in() -> tuple[tuple[Definition, str], ...]:
    columns = (*FIELDS, "verified", "area", "claims")
    found = []
    for number, row in read_own_table(TABLE, columns).iterrows():
        fields = {name: row[name] for name in FIELDS}
        try:
            definition = checked(fields)
        except InputError as error:
            raise InputError(
                "{file}, row {row}: {reason}", file=TABLE.name, row=number, reason=error.message
            ) from error
        claims = tuple(name for name in row["claims"].split(";") if name)
        definition = dataclasses.replace(
            definition, claims=claims, verified=row["verified"] == "yes"
        )
        found.append((definition, row["area"]))
    return tuple(found)


def built_in(workspace: Workspace | None = None) -> dict[str, Definition]:
    """Return the built-in definitions.

    Parameters
    ----------
    workspace
        The study area: statements and documents of Hà Nam are for Hà Nam only. None
        returns all.

    Returns
    -------
    dict
        Code -> definition, in the order of the table.
    """
    everywhere = workspace is None or about_ha_nam(workspace)
    return {item.indicator: item for item, area in _built_in() if everywhere or not area}


def read(workspace: Workspace, records: Records | None) -> dict[str, Definition]:
    """Return the definitions of an area.

    Parameters
    ----------
    workspace
        The study area.
    records
        The records database; None for the built-in definitions alone.

    Returns
    -------
    dict
        Code -> definition, by group; in a group the built-in ones come first.
    """
    found = built_in(workspace)
    if records is not None:
        for row in _rows(workspace, records):
            if row.removed:
                found.pop(row.indicator, None)
            else:
                found[row.indicator] = _of(row)
    order = {name: number for number, name in enumerate(GROUPS)}
    return dict(sorted(found.items(), key=lambda item: order[item[1].group]))


def _rows(workspace: Workspace, records: Records) -> list[IndicatorDefinition]:
    with records.reading() as session:
        wanted = sa.select(IndicatorDefinition).where(
            IndicatorDefinition.area == area_name(workspace)
        )
        rows = list(session.scalars(wanted.order_by(IndicatorDefinition.id)))
        session.expunge_all()
    return rows


def _of(row: IndicatorDefinition) -> Definition:
    fields = {name: getattr(row, _column(name)) for name in FIELDS}
    known = {item.indicator: item for item, _ in _built_in()}.get(row.indicator)
    same_target = known is not None and known.target == row.target
    return Definition(
        **fields,
        claims=known.claims if known is not None else (),
        verified=known.verified if known is not None and same_target else False,
        version=row.version,
    )


def _column(name: str) -> str:
    return "group_code" if name == "group" else name


# Checking what people write


def checked(fields: Mapping[str, Any]) -> Definition:
    """Build a definition from what a person or a file gives.

    Parameters
    ----------
    fields
        Some of `FIELDS`; at least ``indicator``, ``group`` and one title.

    Returns
    -------
    Definition
        With texts trimmed and numbers read.

    Raises
    ------
    InputError
        If a field cannot be used; the sentence names it.
    """
    values: dict[str, Any] = {name: text(fields.get(name), name) for name in _TEXTS}
    values["kind"] = values["kind"] or "figure"
    if not _CODE.fullmatch(values["indicator"]):
        raise _wrong("indicator", values["indicator"],
                     message("small letters a to z, digits and _, 60 at most"))  # fmt: skip
    for name, options in (("group", GROUPS), ("kind", KINDS), ("relation", RELATIONS)):
        if values[name] not in options:
            raise _wrong(
                name,
                values[name],
                message("one of {options}", options=", ".join(item for item in options if item)),
            )
    values["title_vi"] = values["title_vi"] or values["title_en"]
    values["title_en"] = values["title_en"] or values["title_vi"]
    if not values["title_vi"]:
        raise _wrong("title_vi", "", message("a name in Vietnamese or English"))
    parsed(values["computed_by"])
    values["target"] = number(fields.get("target"), "target")
    year = number(fields.get("target_year"), "target_year")
    if year is not None and not (year.is_integer() and 1900 <= year <= 2200):
        raise _wrong("target_year", exact(year), message("a year from 1900 to 2200"))
    values["target_year"] = None if year is None else int(year)
    values["issued_on"] = day(values["issued_on"], "issued_on")
    return Definition(**values)


def parsed(computed_by: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the function and the arguments that a definition names.

    Parameters
    ----------
    computed_by
        Name and arguments with blanks between them.

    Returns
    -------
    tuple or None
        None where it is empty: values are entered.

    Raises
    ------
    InputError
        If there is no such function, or it takes another number of arguments.

    Examples
    --------
    >>> parsed("coverage 4G area")
    ('coverage', ('4G', 'area'))
    """
    words = computed_by.split()
    if not words:
        return None
    name, arguments = words[0], tuple(words[1:])
    if name not in ARGUMENTS:
        raise _wrong("computed_by", name, message("one of {options}", options=", ".join(ARGUMENTS)))
    count = ARGUMENTS[name]
    if len(arguments) != count and not (count is None and arguments):
        wanted = "1 or more" if count is None else count
        raise _wrong(
            "computed_by",
            computed_by,
            message("{name} with {count} arguments", name=name, count=wanted),
        )
    return name, arguments


def text(value: object, name: str) -> str:
    """Return a field as trimmed text; empty for what is missing.

    Raises
    ------
    InputError
        If it is too long.
    """
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    found = "" if missing else str(value).strip()
    if len(found) > LONGEST:
        raise _wrong(name, found[:20] + "…", message("at most {most} characters", most=LONGEST))
    return found


def number(value: object, name: str) -> float | None:
    """Return a field as a number; None for what is missing.

    Raises
    ------
    InputError
        If it is no finite number.
    """
    if value is None or value == "":
        return None
    try:
        found = float(str(value))
    except ValueError:
        raise _wrong(name, str(value), message("a number")) from None
    if math.isnan(found) and isinstance(value, float):
        return None
    if not math.isfinite(found):
        raise _wrong(name, str(value), message("a number"))
    return found


def exact(value: float) -> str:
    """Return a number with all its digits, as English writes it and without an exponent.

    Parameters
    ----------
    value
        The number.

    Returns
    -------
    str
        It can be read as the same number again, without its commas.

    Examples
    --------
    >>> exact(1e10), exact(30.8)
    ('10,000,000,000', '30.8')
    """
    whole, _, part = f"{Decimal(repr(float(value))):,f}".partition(".")
    part = part.rstrip("0")
    return f"{whole}.{part}" if part else whole


def day(value: str, name: str) -> str:
    """Return a field as an ISO date; empty for what is missing.

    Raises
    ------
    InputError
        If it is no date.
    """
    if not value:
        return ""
    try:
        return iso(value[:10])
    except InputError:
        raise _wrong(name, value, message("a date as YYYY-MM-DD")) from None


def _wrong(name: str, value: str, expected: object) -> InputError:
    return InputError(
        "Indicator, field {column}: {value} (expected {expected})",
        column=name,
        value=value or "–",
        expected=expected,
    )


# Writing


def write(
    records: Records,
    actor: Actor,
    workspace: Workspace,
    fields: Mapping[str, Any],
    *,
    expected_version: int | None = None,
) -> Definition:
    """Add a definition, or change the one of the same code.

    Parameters
    ----------
    records
        The records database.
    actor
        Who does it: a planner or administrator.
    workspace
        The study area.
    fields
        Fields of `Definition`; those that are not given keep their value.
    expected_version
        `Definition.version` as it was when the user looked at it, 0 for a new or a
        built-in one; None accepts any.

    Returns
    -------
    Definition
        As kept.

    Raises
    ------
    ForbiddenError
        If the actor may not.
    InputError
        If a field cannot be used.
    StaleError
        If somebody else was faster.
    """
    accounts.require(actor, *EDITORS)
    unknown = sorted(set(fields) - set(FIELDS))
    if unknown:
        raise _wrong(unknown[0], "", message("one of {options}", options=", ".join(FIELDS)))
    code = text(fields.get("indicator"), "indicator")
    before = built_in(workspace).get(code)
    area = area_name(workspace)
    try:
        with records.session() as session:
            row = _row(session, area, code)
            if row is not None:
                engine.expect(row, expected_version)
                before = None if row.removed else _of(row)
            elif expected_version:
                raise engine.StaleError
            start = {} if before is None else _plain(before)
            new = checked({**start, **fields})
            if row is None:
                row = IndicatorDefinition(area=area, indicator=code)
                session.add(row)
            for name in FIELDS:
                setattr(row, _column(name), getattr(new, name))
            row.removed = False
            old = {} if before is None else _plain(before)
            changed = {
                name: [old.get(name), value]
                for name, value in _plain(new).items()
                if old.get(name) != value
            }
            tables.append_history(
                session,
                area=area,
                kind=HISTORY,
                subject_id=code,
                actor=actor,
                action="defined" if before is None else "redefined",
                detail=changed,
            )
            session.flush()
            return _of(row)
    except exc.IntegrityError as error:
        # Two people added the same code at once.
        raise engine.StaleError from error


def remove(
    records: Records,
    actor: Actor,
    workspace: Workspace,
    code: str,
    *,
    expected_version: int | None = None,
) -> None:
    """Take an indicator out of an area's list; its values and history stay.

    Parameters
    ----------
    records, actor, workspace, expected_version
        As for `write`.
    code
        Code of the indicator.

    Raises
    ------
    ForbiddenError
        If the actor may not.
    InputError
        If there is no such indicator.
    StaleError
        If somebody else was faster.
    """
    accounts.require(actor, *EDITORS)
    known = read(workspace, records).get(code)
    if known is None:
        raise unknown_indicator(code)
    area = area_name(workspace)
    try:
        with records.session() as session:
            row = _row(session, area, code)
            if row is not None:
                engine.expect(row, expected_version)
            elif expected_version:
                raise engine.StaleError
            else:
                row = IndicatorDefinition(area=area, indicator=code)
                for name in FIELDS:
                    setattr(row, _column(name), getattr(known, name))
                session.add(row)
            row.removed = True
            tables.append_history(
                session,
                area=area,
                kind=HISTORY,
                subject_id=code,
                actor=actor,
                action="removed",
                detail={"title_vi": known.title_vi, "title_en": known.title_en},
            )
    except exc.IntegrityError as error:
        raise engine.StaleError from error


def unknown_indicator(code: str) -> InputError:
    """Return the error for a code that no indicator has."""
    return InputError("There is no indicator {value} here", value=code or "–")


def _row(session: Any, area: str, code: str) -> IndicatorDefinition | None:
    wanted = sa.select(IndicatorDefinition).where(
        IndicatorDefinition.area == area, IndicatorDefinition.indicator == code
    )
    row: IndicatorDefinition | None = session.scalars(wanted).one_or_none()
    return row


def _plain(definition: Definition) -> dict[str, Any]:
    return {name: getattr(definition, name) for name in FIELDS}
