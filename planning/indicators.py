"""The indicator table of an area: reported beside computed, with target, source and doubts.

`table` puts the newest reported value of every indicator beside what the program
computes; `by_zone` does so for the zones of one indicator, `series` and `history` tell how
its values were on other days and who changed them, `findings` what the arithmetic says.
Definitions and values are changed in `planning.indicator_definitions` and
`planning.indicator_values`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from coverage.request import CoverageRequest
from data.errors import InputError, Message, message
from data.records.account_tables import HistoryEntry
from data.records.engine import Records
from data.store import Workspace
from data.vintages import iso
from planning import (
    accounts,
    indicator_checks,
    indicator_computed,
    indicator_definitions,
    indicator_values,
    indicator_zones,
)
from planning.accounts import Actor
from planning.indicator_checks import Finding
from planning.indicator_computed import Computed, Sources
from planning.indicator_definitions import Definition
from planning.indicator_values import Value
from planning.indicator_zones import Units
from planning.scenario_workspace import area_name

#: Columns that every caller may rely on.
COLUMNS = (
    "id", "group", "title_vi", "title_en", "unit", "denominator", "method", "as_of", "source",
    "reported", "computed", "interval_low", "interval_high", "target", "target_year",
    "computed_by", "note", "warnings",
)  # fmt: skip

#: Further columns.
MORE = (
    "kind", "definition_vi", "definition_en", "note_vi", "stated", "reported_count",
    "reported_of", "stated_denominator", "computed_count", "computed_of", "computed_as_of",
    "computed_method", "missing", "target_source", "target_verified", "number", "issued_on",
    "issuer", "related", "relation", "claims", "version", "value_key", "value_version",
)  # fmt: skip


def table(
    workspace: Workspace,
    records: Records | None,
    *,
    on: str | None = None,
    request: CoverageRequest | None = None,
) -> pd.DataFrame:
    """Return all indicators of an area, reported beside computed.

    Parameters
    ----------
    workspace
        The study area.
    records
        The records database; None for built-in definitions and values alone.
    on
        ISO date: the newest values up to that day count, and what can be computed for it.
        None is the present state.
    request
        The coverage whose figures count, if it is kept; the defaults if None.

    Returns
    -------
    DataFrame
        One row an indicator, columns `COLUMNS` and `MORE`. `reported` and `computed` are
        numbers (NaN where there is none); `stated` is whether a report states it, with or
        without a number; `denominator` is that of the definition and `stated_denominator`
        that of the report; `warnings` is a list and `computed_method` and `missing` are
        single `data.errors.Message`, or None.

    Raises
    ------
    InputError
        If the text is no date, or a table of the workspace cannot be read.
    """
    day = None if on is None else iso(on)
    known = indicator_definitions.read(workspace, records)
    values = indicator_values.read(workspace, records)
    reported = _newest(values, "reported", day)
    kept = _newest(values, "computed", day)
    sources = Sources(workspace, day, _up_to(values, day), request, known)
    rows = []
    for code, definition in known.items():
        computed = _computed(definition, sources, kept)
        rows.append(_row(definition, reported.get((code, "")), computed))
    frame = pd.DataFrame(rows, columns=[*COLUMNS, *MORE])
    for name in ("reported", "computed", "interval_low", "interval_high", "target"):
        frame[name] = frame[name].astype(float)
    return frame


def _newest(values: list[Value], kind: str, day: str | None) -> dict[tuple[str, str], Value]:
    return indicator_values.latest([item for item in values if item.kind == kind], on=day)


def _up_to(values: list[Value], day: str | None) -> list[Value]:
    """Return the reported values up to a day."""
    return [
        item for item in values if item.kind == "reported" and (day is None or item.as_of <= day)
    ]


def _computed(
    definition: Definition, sources: Sources, kept: Mapping[tuple[str, str], Value]
) -> Computed | None:
    """Compute; where that is not possible, take the newest value that was kept."""
    found = indicator_computed.compute(definition.computed_by, sources)
    if found is None or found.value is not None:
        return found
    before = kept.get((definition.indicator, ""))
    if before is None or not sources.past:
        return found
    zones = {
        zone: item.value
        for (code, zone), item in kept.items()
        if code == definition.indicator and zone and item.value is not None
    }
    return Computed(
        before.value, before.low, before.high, before.count, before.of, before.as_of,
        message("{method}; kept on that day", method=before.method), zones=zones,
    )  # fmt: skip


def _row(definition: Definition, value: Value | None, computed: Computed | None) -> dict[str, Any]:
    said = value or Value("", definition.indicator)
    made = computed or Computed()
    return {
        "id": definition.indicator,
        "group": definition.group,
        "title_vi": definition.title_vi,
        "title_en": definition.title_en,
        "unit": definition.unit,
        "denominator": definition.denominator,
        "method": said.method,
        "as_of": said.as_of,
        "source": said.source,
        "reported": said.value,
        "computed": made.value,
        "interval_low": made.low,
        "interval_high": made.high,
        "target": definition.target,
        "target_year": definition.target_year,
        "computed_by": definition.computed_by,
        "note": said.note_en,
        "warnings": warnings(definition, value, computed),
        "kind": definition.kind,
        "definition_vi": definition.definition_vi,
        "definition_en": definition.definition_en,
        "note_vi": said.note_vi,
        "stated": value is not None,
        "reported_count": said.count,
        "reported_of": said.of,
        "stated_denominator": said.denominator,
        "computed_count": made.count,
        "computed_of": made.of,
        "computed_as_of": made.as_of,
        "computed_method": made.method,
        "missing": made.missing,
        "target_source": definition.target_source,
        "target_verified": definition.verified,
        "number": definition.number,
        "issued_on": definition.issued_on,
        "issuer": definition.issuer,
        "related": definition.related,
        "relation": definition.relation,
        "claims": definition.claims,
        "version": definition.version,
        "value_key": said.key,
        "value_version": said.version,
    }


def warnings(
    definition: Definition, value: Value | None, computed: Computed | None
) -> list[Message]:
    """Return what a reader must know of a reported value before believing it.

    Parameters
    ----------
    definition
        Of the indicator.
    value
        What was reported, None where nothing was.
    computed
        What was computed, None where nothing is.

    Returns
    -------
    list of Message
        Sentences.
    """
    if value is None:
        return []
    if definition.kind == "statement":
        return [message("A statement without denominator and method: it cannot be checked.")]
    if value.value is None:
        return [message("Stated without a number.")]
    found = []
    share = definition.unit == "%"
    if share and not value.denominator:
        found.append(message("Share of what is not stated."))
    if share and not value.method and definition.group in ("mobile", "broadband"):
        found.append(message("Method not stated."))
    if not value.as_of:
        found.append(message("Date not stated."))
    # What is a share of something unknown agrees with nothing.
    comparable = not share or value.denominator
    remark = agreement(value, computed) if comparable else None
    return found if remark is None else [*found, remark]


def agreement(value: Value, computed: Computed | None) -> Message | None:
    """Say how a reported value stands to the computed interval, None where there is none.

    Parameters
    ----------
    value
        What was reported.
    computed
        What was computed.

    Returns
    -------
    Message or None
        The sentence.
    """
    if computed is None or value.value is None or computed.value is None:
        return None
    low = computed.value if computed.low is None else computed.low
    high = computed.value if computed.high is None else computed.high
    # What is reported in whole percents may be up to half a percent off.
    if low <= value.value <= high:
        return message("Agrees with the computed interval.") if low < high else None
    if low - value.rounding <= value.value <= high + value.rounding:
        return message("Agrees with what is computed but for its rounding.")
    if value.value > high:
        return message("Higher than what is computed.")
    return message("Lower than what is computed.")


# One indicator


def by_zone(
    workspace: Workspace, records: Records | None, indicator: str, *, on: str | None = None
) -> pd.DataFrame:
    """Return one indicator by zone, reported beside computed.

    Parameters
    ----------
    workspace, records, on
        As for `table`.
    indicator
        Its code.

    Returns
    -------
    DataFrame
        Columns code, name, level, valid_from, valid_to (ISO dates, empty where they are
        open), reported, as_of, source, computed; only units with one of the two values.
        A reported one is that of the unit that was there on its day, of whatever time;
        computed ones are those of the units of `on`, without that of the area itself.

    Raises
    ------
    InputError
        If there is no such indicator.
    """
    day = None if on is None else iso(on)
    known = indicator_definitions.read(workspace, records)
    if indicator not in known:
        raise indicator_definitions.unknown_indicator(indicator)
    values = indicator_values.read(workspace, records)
    sources = Sources(workspace, day, _up_to(values, day), titles=known)
    made = _computed(known[indicator], sources, _newest(values, "computed", day)) or Computed()
    units = indicator_zones.read(workspace)
    reported = _by_unit(values, units, indicator, day)
    computed = {
        row: made.zones[str(zone.code)]
        for row, zone in zip(sources.zones.index, sources.zones.itertuples(), strict=True)
        if str(zone.code) in made.zones
    }
    rows = []
    for row in sorted({*reported, *(computed.keys() - units.whole)}):
        said = reported.get(row)
        rows.append(
            {
                **{name: value or "" for name, value in units.table.loc[row].items()},
                "reported": np.nan if said is None or said.value is None else said.value,
                "as_of": "" if said is None else said.as_of,
                "source": "" if said is None else said.source,
                "computed": computed.get(row, np.nan),
            }
        )
    columns = [*units.table.columns, "reported", "as_of", "source", "computed"]
    return pd.DataFrame(rows, columns=columns)


def _by_unit(
    values: list[Value], units: Units, indicator: str, day: str | None
) -> dict[int, Value]:
    """Return the newest reported value of each unit, by its row."""
    found: dict[int, Value] = {}
    for item in sorted(_up_to(values, day), key=lambda item: item.as_of):
        row = units.row(item.zone_code, item.as_of) if item.zone_code else None
        if item.indicator == indicator and row is not None:
            found[row] = item
    return found


def series(workspace: Workspace, records: Records | None, indicator: str) -> pd.DataFrame:
    """Return the values of one indicator over time, for the whole area.

    Parameters
    ----------
    workspace, records
        As for `table`.
    indicator
        Its code.

    Returns
    -------
    DataFrame
        Columns as_of, kind ("reported" or "computed"), value, low, high, source, method,
        key, version; dated values only, the oldest first.
    """
    rows = [
        (item.as_of, item.kind, item.value, item.low, item.high, item.source, item.method,
         item.key, item.version)
        for item in indicator_values.read(workspace, records, indicator)
        if item.as_of and not item.zone_code and item.value is not None
    ]  # fmt: skip
    columns = ["as_of", "kind", "value", "low", "high", "source", "method", "key", "version"]
    frame = pd.DataFrame(rows, columns=columns).astype(
        {"value": float, "low": float, "high": float}
    )
    return frame.sort_values(["as_of", "kind"], ignore_index=True)


def history(records: Records, actor: Actor, workspace: Workspace, indicator: str) -> pd.DataFrame:
    """Return who changed an indicator or its values, when, and from what to what.

    Parameters
    ----------
    records
        The records database.
    actor
        Who asks; only those who may edit see names of persons.
    workspace
        The study area.
    indicator
        Its code.

    Returns
    -------
    DataFrame
        Columns at (UTC), who (empty for a person's name that the actor may not see),
        role, action, detail (a dict with old and new values); the newest first. Built-in
        values have no history until somebody changes them.
    """
    wanted = sa.select(HistoryEntry).where(
        HistoryEntry.kind == indicator_definitions.HISTORY,
        HistoryEntry.subject_id == indicator,
        HistoryEntry.area == area_name(workspace),
    )
    with records.reading() as session:
        entries = list(session.scalars(wanted.order_by(HistoryEntry.id.desc())))
        session.expunge_all()
    names = accounts.names(records) if actor.role in indicator_definitions.EDITORS else {}
    rows = [
        (
            entry.at,
            entry.acting_as or names.get(entry.account_id or 0, ""),
            entry.role,
            entry.action,
            entry.detail,
        )
        for entry in entries
    ]
    return pd.DataFrame(rows, columns=["at", "who", "role", "action", "detail"])


# All together


def findings(
    workspace: Workspace, records: Records | None, *, on: str | None = None
) -> list[Finding]:
    """Return what the arithmetic of the reported values says.

    Parameters
    ----------
    workspace, records, on
        As for `table`.

    Returns
    -------
    list of Finding
        Also of what agrees.
    """
    day = None if on is None else iso(on)
    known = indicator_definitions.read(workspace, records)
    values = _up_to(indicator_values.read(workspace, records), day)
    return indicator_checks.check(known, values, indicator_zones.read(workspace))


def keep_computed(
    records: Records, actor: Actor, workspace: Workspace, *, request: CoverageRequest | None = None
) -> int:
    """Keep what is computed today as values of today, so that they become a series.

    Parameters
    ----------
    records
        The records database.
    actor
        Who does it: a planner or administrator.
    workspace
        The study area.
    request
        The coverage whose figures count; the defaults if None.

    Returns
    -------
    int
        How many values were kept.

    Raises
    ------
    ForbiddenError
        If the actor may not.
    InputError
        If the workspace is that of a scenario: what could be is not how the area was.
    """
    accounts.require(actor, *indicator_definitions.EDITORS)
    if workspace.base is not None:
        raise InputError("Computed values are kept for the area itself, not for a scenario")
    known = indicator_definitions.read(workspace, records)
    values = indicator_values.read(workspace, records)
    sources = Sources(workspace, None, _up_to(values, None), request, known)
    today = dt.datetime.now(dt.UTC).date().isoformat()
    made: list[Value] = []
    for code, definition in known.items():
        found = indicator_computed.compute(definition.computed_by, sources)
        if found is not None and definition.computed_by.split()[0] not in ("percent", "sum"):
            made += indicator_computed.as_values(code, found, definition.denominator)
    return indicator_values.keep(
        records, actor, workspace, [replace(item, as_of=today) for item in made], today
    )
