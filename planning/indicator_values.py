"""Values of indicators over time: what was reported, entered, and computed and kept.

`planning/tables/indicator_reported.csv` holds what was reported about Hà Nam, with its
source; other areas start without values. What is reported about the dedicated network
comes from `planning.network_report`, so that it stands in one place, and figures that an
earlier version of the program kept in a workspace (`reported_figures.json`) go on. What
users enter lies in the records and goes before all of these, value by value.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.orm import Session

from coverage.own_table import read_own_table
from data.errors import InputError, message
from data.records import engine, tables
from data.records.engine import Records
from data.records.indicator_tables import IndicatorValue
from data.store import Workspace
from planning import accounts, indicator_zones, network_report
from planning import indicator_definitions as definitions
from planning.accounts import Actor
from planning.indicator_definitions import HISTORY, Definition, day, exact, number, text
from planning.scenario_workspace import area_name

#: The built-in reported figures.
TABLE = Path(__file__).parent / "tables" / "indicator_reported.csv"

#: Where an earlier version kept reported figures in a workspace.
FORMER_FILE = "reported_figures.json"

#: Measure and level of what is reported about the dedicated network -> indicator.
NETWORK = {
    ("connected", "province"): "network_province_connected",
    ("connected", "district"): "network_district_connected",
    ("connected", "commune"): "network_commune_connected",
    ("lan", "province"): "lan_province",
    ("lan", "district"): "lan_district",
    ("lan", "commune"): "lan_commune",
    ("zones_with_conference", "district"): "conference_districts_share",
    ("video_conference", "all"): "conference_endpoints",
}

_COLUMNS = (
    "indicator", "zone_code", "as_of", "value", "count", "of", "denominator", "method", "source",
    "claims", "note_vi", "note_en", "verified",
)  # fmt: skip

_NUMBERS = ("value", "count", "of", "low", "high")

#: Fields that users write.
FIELDS = (
    "indicator", "zone_code", "as_of", "value", "count", "of", "low", "high", "denominator",
    "method", "source", "note",
)  # fmt: skip


@dataclass(frozen=True)
class Value:
    """A value of an indicator on a day.

    Parameters
    ----------
    key
        Which one it is: ``"row:<number>"`` in the records, else the name of a built-in one.
    indicator
        Its code.
    kind
        "reported" or "computed" (and kept).
    zone_code
        Code of a zone; empty for the whole area.
    as_of
        ISO date; empty where it is not known.
    value
        The number in the unit of the definition; None where something was stated without.
    count, of
        The count behind a share and what it is a share of, where they are stated.
    low, high
        Interval of a computed value.
    denominator
        What a share is of; empty where the source does not say.
    method
        How it was found; empty where the source does not say.
    source
        Who reported it, and where.
    note_vi, note_en
        What else to know.
    claims
        References of the statements of a report.
    version
        Of the row in the records; 0 for a built-in value that nobody changed.
    """

    key: str
    indicator: str
    kind: str = "reported"
    zone_code: str = ""
    as_of: str = ""
    value: float | None = None
    count: float | None = None
    of: float | None = None
    low: float | None = None
    high: float | None = None
    denominator: str = ""
    method: str = ""
    source: str = ""
    note_vi: str = ""
    note_en: str = ""
    claims: tuple[str, ...] = ()
    version: int = 0

    def note(self, language: str) -> str:
        """Return what else to know, in a language ("vi" or "en")."""
        return self.note_vi if language == "vi" else self.note_en

    @property
    def rounding(self) -> float:
        """Half a unit of the last decimal that is stated."""
        if self.value is None:
            return 0.0
        written = repr(float(self.value)).rpartition(".")[2]
        return 0.5 * 10.0 ** -(0 if written == "0" else len(written))


# What is there without anybody's doing


@cache
def _built_in() -> tuple[Value, ...]:
    found = []
    for row in read_own_table(TABLE, _COLUMNS).to_dict("records"):
        fields: dict[str, Any] = {
            name: number(row[name], name) for name in ("value", "count", "of")
        } | {
            name: row[name]
            for name in ("denominator", "method", "source", "note_vi", "note_en", "zone_code")
        }
        found.append(
            Value(
                f"report:{row['indicator']}@{row['as_of']}",
                row["indicator"],
                as_of=row["as_of"],
                claims=tuple(name for name in row["claims"].split(";") if name),
                **fields,
            )
        )
    return tuple(found)


def seeds(workspace: Workspace) -> list[Value]:
    """Return the values of an area that nobody entered here.

    Parameters
    ----------
    workspace
        The study area.

    Returns
    -------
    list of Value
        The built-in ones for Hà Nam, what is reported about the dedicated network, and
        figures that an earlier version kept, in place of the built-in ones on the same.

    Raises
    ------
    InputError
        If a file of the workspace cannot be read.
    """
    found = list(_built_in()) if definitions.about_ha_nam(workspace) else []
    former = _former((workspace.base or workspace).folder / FORMER_FILE)
    if former is not None:
        about = ("mobile", "broadband")
        known = definitions.built_in()
        found = [
            item
            for item in found
            if known[item.indicator].group not in about or item.indicator == "mobile_masts"
            or known[item.indicator].kind == "statement"
        ] + former  # fmt: skip
    return found + _of_network(workspace)


def _of_network(workspace: Workspace) -> list[Value]:
    found: list[Value] = []
    names: Counter[str] = Counter()
    for row in network_report.reported(workspace.base or workspace).to_dict("records"):
        code = NETWORK.get((row["measure"], row["level"]))
        if code is None:
            continue
        key = f"network:{row['measure']}:{row['level']}:{row['day']}"
        names[key] += 1
        count, of, percent = (
            None if row[name] != row[name] else float(row[name])
            for name in ("count", "of", "percent")
        )
        known = definitions.built_in()[code]
        counted = known.unit != "%"
        value = Value(
            key if names[key] == 1 else f"{key}:{names[key]}",
            code,
            as_of=row["day"],
            value=count if counted else percent,
            count=None if counted else count,
            of=None if counted else of,
            denominator="" if counted else known.denominator,
            source=row["source"],
            note_vi=_quoted(row["quote"]),
            note_en=_quoted(row["quote"]),
            claims=(row["claim"],),
        )
        found.append(value)
        if code == "conference_districts_share" and count is not None:
            found.append(
                dataclasses.replace(
                    value, key=f"{value.key}:count", indicator="conference_districts",
                    value=count, denominator="",
                )
            )  # fmt: skip
    return found


def _quoted(words: str) -> str:
    """Mark words of a source as such: they stand among remarks of this program."""
    return f"“{words}”" if words else ""


def network_claims(workspace: Workspace, records: Records | None) -> pd.DataFrame:
    """Return what is reported about the dedicated network, as entered among the indicators.

    Parameters
    ----------
    workspace
        The study area.
    records
        The records database; None for what nobody entered here.

    Returns
    -------
    DataFrame
        As of `planning.network_report.reported`.
    """
    rows: list[dict[Any, Any]] = []
    values = [item for item in read(workspace, records) if item.kind == "reported"]
    for (measure, level), code in NETWORK.items():
        counted = definitions.built_in()[code].unit != "%"
        rows += [
            {
                "claim": item.claims[0] if item.claims else "",
                "measure": measure,
                "level": level,
                "count": item.value if counted else item.count,
                "of": item.of,
                "percent": None if counted else item.value,
                "day": item.as_of,
                "source": item.source,
                "quote": item.note_vi.removeprefix("“").removesuffix("”"),
            }
            for item in values
            if item.indicator == code and not item.zone_code
        ]
    # A workspace's own table may report more than there are indicators for.
    rows += [
        row
        for row in network_report.reported(workspace.base or workspace).to_dict("records")
        if (row["measure"], row["level"]) not in NETWORK
    ]
    columns = ["claim", "measure", "level", "count", "of", "percent", "day", "source", "quote"]
    frame = pd.DataFrame(rows, columns=columns)
    numbers = ["count", "of", "percent"]
    frame[numbers] = frame[numbers].astype(float)
    return frame.sort_values(["claim", "day"], kind="stable", ignore_index=True)


#: Subjects and denominators of `reported_figures.json`.
_FORMER_SUBJECTS = ("2G", "3G", "4G", "5G", "3G_or_4G", "any")


def _former(path: Path) -> list[Value] | None:
    if not path.exists():
        return None
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["figures"]
        figures = [_former_figure(place, entry) for place, entry in enumerate(entries, start=1)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "{file} cannot be read (expected a list of reported figures in JSON)",
            file=path.name,
        ) from error
    return [item for item in figures if item is not None]


def _former_figure(place: int, entry: Mapping[str, Any]) -> Value | None:
    code = indicator_of(entry["subject"], entry.get("denominator") or "")
    if code is None:
        return None
    return Value(
        f"file:{place}",
        code,
        as_of=day(text(entry.get("date"), "date"), "date"),
        value=number(entry["percent"], "percent"),
        denominator=text(entry.get("denominator"), "denominator"),
        method=text(entry.get("method"), "method"),
        source=text(entry.get("source"), "source"),
    )


def indicator_of(subject: str, denominator: str) -> str | None:
    """Return the code of the indicator of a service and what a share of it is of.

    Parameters
    ----------
    subject
        Technology, union of several, or "broadband".
    denominator
        "area", "population", "village", "household"; empty where it is not stated.

    Returns
    -------
    str or None
        None where there is no such indicator.

    Examples
    --------
    >>> indicator_of("3G_or_4G", "area"), indicator_of("broadband", "")
    ('mobile_3g_or_4g_area', 'broadband_unstated')
    """
    if subject == "broadband":
        return f"broadband_{denominator}" if denominator in ("household", "population") else (
            None if denominator else "broadband_unstated"
        )  # fmt: skip
    if subject in _FORMER_SUBJECTS:
        return f"mobile_{subject.lower()}_{denominator or 'area'}"
    return None


# Reading


def read(
    workspace: Workspace, records: Records | None, indicator: str | None = None
) -> list[Value]:
    """Return the values of an area.

    Parameters
    ----------
    workspace
        The study area.
    records
        The records database; None for the built-in values alone.
    indicator
        Code of one indicator; None for all.

    Returns
    -------
    list of Value
        By indicator and zone, the oldest first; undated ones before all.
    """
    found = {item.key: item for item in seeds(workspace)}
    if records is not None:
        with records.reading() as session:
            wanted = sa.select(IndicatorValue).where(IndicatorValue.area == area_name(workspace))
            for row in session.scalars(wanted.order_by(IndicatorValue.id)):
                known = found.pop(row.seed, None) if row.seed else None
                if not row.removed:
                    item = _of(row, known)
                    found[item.key] = item
    values = [item for item in found.values() if indicator in (None, item.indicator)]
    return sorted(values, key=lambda item: (item.indicator, item.zone_code, item.as_of))


def _of(row: IndicatorValue, known: Value | None) -> Value:
    return Value(
        key=row.seed or f"row:{row.id}",
        indicator=row.indicator,
        kind=row.kind,
        zone_code=row.zone_code,
        as_of=row.as_of,
        value=row.value,
        count=row.part_count,
        of=row.whole_count,
        low=row.interval_low,
        high=row.interval_high,
        denominator=row.denominator,
        method=row.method,
        source=row.source,
        note_vi=row.note,
        note_en=row.note if known is None or row.note != known.note_vi else known.note_en,
        claims=() if known is None else known.claims,
        version=row.version,
    )


def latest(values: Iterable[Value], *, on: str | None = None) -> dict[tuple[str, str], Value]:
    """Return the newest value of each indicator and zone.

    Parameters
    ----------
    values
        Values of one kind.
    on
        ISO date after which values do not count; None for all.

    Returns
    -------
    dict
        (indicator, zone_code) -> value; an undated one only where there is no other.
    """
    found: dict[tuple[str, str], Value] = {}
    for item in sorted(values, key=lambda item: item.as_of):
        if on is None or item.as_of <= on:
            found[item.indicator, item.zone_code] = item
    return found


# Writing


def checked(fields: Mapping[str, Any], definition: Definition) -> dict[str, Any]:
    """Return the fields of a value as they are kept.

    Parameters
    ----------
    fields
        Some of `FIELDS`.
    definition
        Of its indicator.

    Returns
    -------
    dict
        All `FIELDS`, numbers as floats or None.

    Raises
    ------
    InputError
        If a field cannot be used.
    """
    found: dict[str, Any] = {
        name: (number if name in _NUMBERS else text)(fields.get(name), name) for name in FIELDS
    }
    found["as_of"] = day(found["as_of"], "as_of")
    _check_counts(found, definition)
    count, of = found["count"], found["of"]
    if found["value"] is None and definition.unit == "%" and None not in (count, of):
        found["value"] = round(100.0 * count / of, 1)
    value = found["value"]
    # More computers than officials are possible, more than all communes are not.
    share = definition.unit == "%" and not definition.denominator.startswith("per_")
    if value is not None and (value < 0.0 or (share and value > 100.0)):
        raise InputError(
            "{title}: the value is {value} (expected {expected})",
            title=definition.title_en,
            value=exact(value),
            expected=message("a number from 0 to 100") if share else message("at least 0"),
        )
    if value is None and definition.kind == "figure" and not found["note"]:
        raise InputError(
            "{title}: there is no number (expected one, or a note of what was said instead)",
            title=definition.title_en,
        )
    return found


def _check_counts(fields: Mapping[str, Any], definition: Definition) -> None:
    """Refuse counts that cannot be: parts of a mast, fewer than none, shares of nothing."""
    title, of = definition.title_en, fields["of"]
    if of is not None and of <= 0.0:
        raise InputError("{title}: the whole is {value} (expected more than 0)",
                         title=title, value=exact(of))  # fmt: skip
    counts = [fields["value"]] if definition.counted else []
    if definition.counted_whole:
        counts += [fields["count"], of]
    for counted in counts:
        if counted is not None and not counted.is_integer():
            raise InputError(
                "{title}: {value} is no count (expected a whole number)",
                title=title,
                value=exact(counted),
            )
    if fields["count"] is not None and fields["count"] < 0.0:
        raise InputError(
            "{title}: the value is {value} (expected {expected})",
            title=title,
            value=exact(fields["count"]),
            expected=message("at least 0"),
        )


@dataclass(frozen=True)
class Entry:
    """A value to be written.

    Parameters
    ----------
    fields
        Some of `FIELDS`; of a change, those that are not given keep their value. A new
        share is of what its definition says unless `denominator` is given: an empty one
        is that of a source that does not say.
    key
        Which value to change; None adds one.
    expected_version
        `Value.version` as it was when the user looked at it; None accepts any.
    """

    fields: Mapping[str, Any]
    key: str | None = None
    expected_version: int | None = None


def write(
    records: Records,
    actor: Actor,
    workspace: Workspace,
    fields: Mapping[str, Any],
    *,
    key: str | None = None,
    expected_version: int | None = None,
) -> Value:
    """Add a reported value, or change one.

    Parameters
    ----------
    records
        The records database.
    actor
        Who does it: a planner or administrator.
    workspace
        The study area.
    fields, key, expected_version
        See `Entry`.

    Returns
    -------
    Value
        As kept.

    Raises
    ------
    ForbiddenError
        If the actor may not.
    InputError
        If a field cannot be used, or there is no such indicator or value.
    StaleError
        If somebody else was faster.
    """
    return write_all(records, actor, workspace, [Entry(fields, key, expected_version)])[0]


def write_all(
    records: Records, actor: Actor, workspace: Workspace, entries: Iterable[Entry]
) -> list[Value]:
    """Write several values, all or none.

    Parameters
    ----------
    records, actor, workspace
        As for `write`.
    entries
        The values.

    Returns
    -------
    list of Value
        As kept.

    Raises
    ------
    ForbiddenError, InputError, StaleError
        As `write`; then nothing is changed.
    """
    accounts.require(actor, *definitions.EDITORS)
    known = definitions.read(workspace, records)
    there = {item.key: item for item in read(workspace, records)}
    units = indicator_zones.read(workspace)
    ready = [_ready(entry, known, there, units) for entry in entries]
    try:
        with records.session() as session:
            kept = []
            for entry, old, new in ready:
                row = _row_for(session, area_name(workspace), old, entry.expected_version)
                _fill(row, new)
                session.flush()
                kept.append(_of(row, old))
                action = "value entered" if old is None else "value changed"
                _tell(session, workspace, actor, action, old, kept[-1])
            return kept
    except exc.IntegrityError as error:
        raise engine.StaleError from error


def _ready(
    entry: Entry,
    known: Mapping[str, Definition],
    there: Mapping[str, Value],
    units: indicator_zones.Units,
) -> tuple[Entry, Value | None, dict[str, Any]]:
    """Return an entry with the value that it changes and the fields to keep."""
    old = None
    if entry.key is not None:
        old = there.get(entry.key)
        if old is None:
            raise _no_value(entry.key)
    fields = {**({} if old is None else _plain(old)), **entry.fields}
    code = text(fields.get("indicator"), "indicator")
    if code not in known:
        raise definitions.unknown_indicator(code)
    if fields.get("denominator") is None and known[code].unit == "%":
        fields["denominator"] = known[code].denominator
    new = checked(fields, known[code])
    # A value whose unit has gone from the layer since can still be corrected.
    if new["zone_code"] and (old is None or new["zone_code"] != old.zone_code):
        units.require(new["zone_code"])
    return entry, old, new


def remove(
    records: Records,
    actor: Actor,
    workspace: Workspace,
    key: str,
    *,
    expected_version: int | None = None,
) -> None:
    """Take a value away; the history keeps it.

    Parameters
    ----------
    records, actor, workspace, key, expected_version
        As for `write`.

    Raises
    ------
    ForbiddenError
        If the actor may not.
    InputError
        If there is no such value.
    StaleError
        If somebody else was faster.
    """
    accounts.require(actor, *definitions.EDITORS)
    old = next((item for item in read(workspace, records) if item.key == key), None)
    if old is None:
        raise _no_value(key)
    try:
        with records.session() as session:
            row = _row_for(session, area_name(workspace), old, expected_version)
            _fill(row, _plain(old))
            row.removed = True
            session.flush()
            _tell(session, workspace, actor, "value removed", old, None)
    except exc.IntegrityError as error:
        raise engine.StaleError from error


def keep(
    records: Records, actor: Actor, workspace: Workspace, computed: Iterable[Value], on: str
) -> int:
    """Keep computed values as those of a day, so that they become a series.

    Parameters
    ----------
    records, actor, workspace
        As for `write`.
    computed
        Values with indicator, zone, number, interval and method.
    on
        The day, ISO date; values kept for the same day are replaced.

    Returns
    -------
    int
        How many were kept.

    Raises
    ------
    ForbiddenError
        If the actor may not.
    """
    accounts.require(actor, *definitions.EDITORS)
    area = area_name(workspace)
    values = [item for item in computed if item.value is not None]
    with records.session() as session:
        wanted = sa.select(IndicatorValue).where(
            IndicatorValue.area == area,
            IndicatorValue.kind == "computed",
            IndicatorValue.as_of == on,
            IndicatorValue.removed.is_(False),
        )
        there = {(row.indicator, row.zone_code): row for row in session.scalars(wanted)}
        for item in values:
            row = there.get((item.indicator, item.zone_code))
            if row is None:
                row = IndicatorValue(area=area, kind="computed")
                session.add(row)
            _fill(row, _plain(item) | {"as_of": on})
            session.flush()
            if not item.zone_code:
                _tell(session, workspace, actor, "computed value kept", None, _of(row, None))
    return len(values)


def _no_value(key: str) -> InputError:
    return InputError("There is no value {value} here", value=key)


def _row_for(
    session: Session, area: str, old: Value | None, expected_version: int | None
) -> IndicatorValue:
    """Return the row of a value, a new one where it has none yet."""
    if old is None:
        row = IndicatorValue(area=area, kind="reported", removed=False)
        session.add(row)
        return row
    wanted = sa.select(IndicatorValue).where(IndicatorValue.area == area)
    if old.key.startswith("row:"):
        wanted = wanted.where(IndicatorValue.id == int(old.key.removeprefix("row:")))
    else:
        wanted = wanted.where(IndicatorValue.seed == old.key)
    found: IndicatorValue | None = session.scalars(wanted).one_or_none()
    if found is not None:
        engine.expect(found, expected_version)
        if found.removed:
            raise engine.StaleError
        return found
    if expected_version:
        raise engine.StaleError
    found = IndicatorValue(area=area, kind=old.kind, seed=old.key, removed=False)
    session.add(found)
    return found


_ROW_NAMES = {"count": "part_count", "of": "whole_count", "low": "interval_low",
              "high": "interval_high"}  # fmt: skip


def _fill(row: IndicatorValue, fields: Mapping[str, Any]) -> None:
    for name in FIELDS:
        setattr(row, _ROW_NAMES.get(name, name), fields[name])


def _plain(value: Value) -> dict[str, Any]:
    return {name: value.note_vi if name == "note" else getattr(value, name) for name in FIELDS}


def _tell(
    session: Session,
    workspace: Workspace,
    actor: Actor,
    action: str,
    old: Value | None,
    new: Value | None,
) -> None:
    """Add an entry to the history: the value as it was and as it is now."""
    subject = new or old
    if subject is None:
        raise ValueError("neither an old nor a new value")
    tables.append_history(
        session,
        area=area_name(workspace),
        kind=HISTORY,
        subject_id=subject.indicator,
        actor=actor,
        action=action,
        detail={
            "key": subject.key,
            "old": None if old is None else _plain(old),
            "new": None if new is None else _plain(new),
        },
    )
