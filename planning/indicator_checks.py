"""Arithmetic of reported values: do counts add up, and percentages match their counts.

Which indicators belong together stands in `planning/tables/indicator_checks.csv`; beside
these, every value is checked against its own counts, every figure by zone against its
total, and every document against those that it carries out or amends. Each finding says
the numbers, also where they agree.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from coverage.own_table import read_own_table
from data.errors import InputError, Message, message
from planning.indicator_definitions import Definition
from planning.indicator_values import Value
from planning.indicator_zones import Units

#: Which indicators belong together.
TABLE = Path(__file__).parent / "tables" / "indicator_checks.csv"

_COLUMNS = ("check", "kind", "whole", "parts", "other")

#: A sum of people or area may be off by so much of itself.
_NEGLIGIBLE = 1e-9


@dataclass(frozen=True)
class Check:
    """Indicators that belong together.

    Parameters
    ----------
    check
        Name.
    kind
        "sum", "shares", "percent", "part", "late" or "annual".
    whole, parts, other
        Codes of the indicators.
    """

    check: str
    kind: str
    whole: str
    parts: tuple[str, ...]
    other: str


@dataclass(frozen=True)
class Finding:
    """What the arithmetic says.

    Parameters
    ----------
    check
        Name of the check.
    indicators
        Codes of the indicators that it is about.
    as_of
        ISO date of the values.
    agrees
        Whether the numbers agree; None where the finding only says what follows.
    text
        The numbers in a sentence.
    """

    check: str
    indicators: tuple[str, ...]
    as_of: str
    agrees: bool | None
    text: Message


@cache
def checks() -> tuple[Check, ...]:
    """Return the built-in checks.

    Returns
    -------
    tuple of Check
        In the order of the table.

    Raises
    ------
    InputError
        If a kind of the table is not known.
    """
    found = []
    for row_number, row in read_own_table(TABLE, _COLUMNS).iterrows():
        if row["kind"] not in _RULES:
            raise InputError(
                "{file}, row {row}, column {column}: {value} (expected {expected})",
                file=TABLE.name,
                row=row_number,
                column="kind",
                value=row["kind"],
                expected=", ".join(_RULES),
            )
        parts = tuple(name for name in row["parts"].split(";") if name)
        found.append(Check(row["check"], row["kind"], row["whole"], parts, row["other"]))
    return tuple(found)


def check(
    definitions: Mapping[str, Definition], values: Iterable[Value], units: Units
) -> list[Finding]:
    """Check reported values.

    Parameters
    ----------
    definitions
        Code -> definition.
    values
        Reported values of several days.
    units
        The units that values by zone are of.

    Returns
    -------
    list of Finding
        By day, the newest first; faults before agreements.
    """
    values = [item for item in values if item.value is not None and item.indicator in definitions]
    found: list[Finding] = []
    for day in sorted({item.as_of for item in values}, reverse=True):
        there = {
            item.indicator: item for item in values if item.as_of == day and not item.zone_code
        }
        of_day = [one for each in checks() for one in _RULES[each.kind](each, there, values)]
        of_day += _own_counts(there, definitions)
        of_zones = [item for item in values if item.as_of == day and item.zone_code]
        of_day += _totals(there, of_zones, definitions, units)
        order = {False: 0, True: 1, None: 2}
        found += sorted(of_day, key=lambda item: order[item.agrees])
    return found + document_dates(definitions)


def written(value: float) -> str:
    """Return a number with separators, as English has them; the app writes it its own way.

    Parameters
    ----------
    value
        The number.

    Returns
    -------
    str
        Examples: "1,980", "30.8".
    """
    if abs(value - round(value)) < 1e-9:
        return f"{round(value):,}"
    return f"{value:,.3f}".rstrip("0").rstrip(".")


def percentage(share: float) -> str:
    """Return a percentage with as many decimals as it takes to tell it from others.

    Parameters
    ----------
    share
        [%]

    Returns
    -------
    str
        Two decimals; three below 1.
    """
    return f"{share:.3f}" if abs(share) < 1.0 else f"{share:.2f}"


# Rules: (check, values of one day, all values) -> findings

_Rule = Callable[[Check, Mapping[str, Value], list[Value]], list[Finding]]


def _numbers(there: Mapping[str, Value], *codes: str) -> list[float] | None:
    """Return the values of indicators, None unless all are there."""
    found = [there[code].value for code in codes if code in there]
    numbers = [value for value in found if value is not None]
    return numbers if len(numbers) == len(codes) else None


def _sum(each: Check, there: Mapping[str, Value], _: list[Value]) -> list[Finding]:
    parts = _numbers(there, *each.parts)
    if parts is None:
        return []
    total = sum(parts)
    terms = " + ".join(written(value) for value in parts)
    codes = (each.whole, *each.parts)
    day = there[each.parts[0]].as_of
    whole = _numbers(there, each.whole)
    if whole is None:
        text = message("{terms} = {total}", terms=terms, total=written(total))
        return [Finding(each.check, codes, day, None, text)]
    agrees = abs(total - whole[0]) <= _NEGLIGIBLE * max(1.0, abs(total))
    text = message(
        "{terms} = {total}; reported {reported}",
        terms=terms,
        total=written(total),
        reported=written(whole[0]),
    )
    return [Finding(each.check, codes, day, agrees, text)]


def _shares(each: Check, there: Mapping[str, Value], _: list[Value]) -> list[Finding]:
    parts = _numbers(there, *each.parts)
    if parts is None:
        return []
    total = sum(parts)
    doubt = sum(there[code].rounding for code in each.parts)
    text = message(
        "{terms} = {total} %; expected 100 % within {doubt} of rounding",
        terms=" + ".join(written(value) for value in parts),
        total=written(total),
        doubt=written(doubt),
    )
    agrees = abs(total - 100.0) <= doubt + 1e-9
    return [Finding(each.check, each.parts, there[each.parts[0]].as_of, agrees, text)]


def _percent(each: Check, there: Mapping[str, Value], _: list[Value]) -> list[Finding]:
    part = each.parts[0]
    numbers = _numbers(there, part, each.whole)
    if numbers is None or not numbers[1]:
        return []
    text, agrees = _compared(numbers[0], numbers[1], there.get(each.other))
    codes = (part, each.whole, each.other)
    return [Finding(each.check, codes, there[part].as_of, agrees, text)]


def _compared(count: float, of: float, reported: Value | None) -> tuple[Message, bool | None]:
    share = 100.0 * count / of
    fields = {"count": written(count), "of": written(of), "percent": percentage(share)}
    if reported is None or reported.value is None:
        return message("{count}/{of} = {percent} %", **fields), None
    agrees = abs(share - reported.value) <= reported.rounding + 1e-9
    text = message(
        "{count}/{of} = {percent} %; reported {reported} %",
        reported=written(reported.value),
        **fields,
    )
    return text, agrees


def _part(each: Check, there: Mapping[str, Value], _: list[Value]) -> list[Finding]:
    part = each.parts[0]
    numbers = _numbers(there, part, each.whole)
    if numbers is None:
        return []
    agrees = numbers[0] <= numbers[1] + _NEGLIGIBLE
    text = (
        message("{part} of {whole}", part=written(numbers[0]), whole=written(numbers[1]))
        if agrees
        else message(
            "{part} is more than the {whole} that it is a part of",
            part=written(numbers[0]),
            whole=written(numbers[1]),
        )
    )
    return [Finding(each.check, (part, each.whole), there[part].as_of, agrees, text)]


def _late(each: Check, there: Mapping[str, Value], _: list[Value]) -> list[Finding]:
    on_time = each.parts[0]
    numbers = _numbers(there, each.whole, on_time)
    if numbers is None:
        return []
    total, share = numbers
    doubt = there[on_time].rounding
    late, low, high = (
        round(total * max(0.0, 100.0 - share + shift) / 100.0) for shift in (0.0, -doubt, doubt)
    )
    text = message(
        "{share} % on time of {total}: about {late} late ({low} to {high} by the rounding)",
        share=written(share),
        total=written(total),
        late=written(late),
        low=written(low),
        high=written(high),
    )
    return [Finding(each.check, (each.whole, on_time), there[on_time].as_of, None, text)]


def _annual(each: Check, there: Mapping[str, Value], values: list[Value]) -> list[Finding]:
    item = there.get(each.whole)
    if item is None or item.value is None or not item.as_of:
        return []
    end = dt.date.fromisoformat(item.as_of)
    days, of = end.timetuple().tm_yday, dt.date(end.year, 12, 31).timetuple().tm_yday
    if days == of:
        return []
    whole_year = annualised(item.value, end)
    text = message(
        "{value} in {days} of {of} days: about {annual} for the whole year",
        value=written(item.value),
        days=days,
        of=of,
        annual=written(round(whole_year)),
    )
    last = f"{end.year - 1}-12-31"
    before = [
        one.value
        for one in values
        if one.indicator == each.whole and one.as_of == last and not one.zone_code and one.value
    ]
    if before and before[0]:
        change = 100.0 * (whole_year / before[0] - 1.0)
        text = message(
            "{value} in {days} of {of} days: about {annual} for the whole year, {change} % on the "
            "{before} of the year before",
            **text.values,
            change=f"{change:+,.1f}",
            before=written(before[0]),
        )
    return [Finding(each.check, (each.whole,), item.as_of, None, text)]


def annualised(value: float, until: dt.date) -> float:
    """Return what a count from the start of a year comes to for the whole of it.

    Parameters
    ----------
    value
        Count from 1 January to `until`.
    until
        Its last day.

    Returns
    -------
    float
        As if the days left went on like those before.
    """
    days = until.timetuple().tm_yday
    return value * dt.date(until.year, 12, 31).timetuple().tm_yday / days


_RULES: dict[str, _Rule] = {
    "sum": _sum,
    "shares": _shares,
    "percent": _percent,
    "part": _part,
    "late": _late,
    "annual": _annual,
}


# What holds for all indicators


def _own_counts(there: Mapping[str, Value], definitions: Mapping[str, Definition]) -> list[Finding]:
    """Compare shares with the counts that are stated beside them."""
    in_table = {each.other for each in checks()}
    found = []
    for code, item in there.items():
        if definitions[code].unit != "%" or item.count is None or not item.of:
            continue
        if code in in_table:
            continue
        text, agrees = _compared(item.count, item.of, item)
        found.append(Finding("own_counts", (code,), item.as_of, agrees, text))
    return found


def _totals(
    there: Mapping[str, Value],
    of_zones: list[Value],
    definitions: Mapping[str, Definition],
    units: Units,
) -> list[Finding]:
    """Compare figures by zone with their total, each level by itself: one holds the other."""
    parts: dict[tuple[str, str], list[float]] = {}
    for item in of_zones:
        level = units.level(item.zone_code, item.as_of)
        if level and definitions[item.indicator].unit != "%":
            parts.setdefault((item.indicator, level), []).append(item.value or 0.0)
    found = []
    for (code, level), numbers in parts.items():
        whole = _numbers(there, code)
        if whole is None:
            continue
        total, day = sum(numbers), there[code].as_of
        of = max(units.count(level, day), len(numbers))
        text = message(
            "{count} of {of} units add up to {total}; reported {reported}",
            count=len(numbers),
            of=of,
            total=written(total),
            reported=written(whole[0]),
        )
        doubt = _NEGLIGIBLE * max(1.0, abs(total))
        agrees: bool | None = abs(total - whole[0]) <= doubt
        if len(numbers) < of and total <= whole[0] + doubt:
            # The others may have the rest.
            agrees = None
        found.append(Finding("zones", (code,), day, agrees, text))
    return found


def document_dates(definitions: Mapping[str, Definition]) -> list[Finding]:
    """Check that documents follow those that they carry out, amend or replace.

    Parameters
    ----------
    definitions
        Code -> definition.

    Returns
    -------
    list of Finding
        For documents whose dates are both known.
    """
    found = []
    for code, item in definitions.items():
        other = definitions.get(item.related)
        if other is None or not item.issued_on or not other.issued_on:
            continue
        first, second = (dt.date.fromisoformat(one.issued_on) for one in (other, item))
        text = message(
            "{number} of {day} comes {days} days after {other} of {other_day}",
            number=item.number,
            day=item.issued_on,
            days=written((second - first).days),
            other=other.number,
            other_day=other.issued_on,
        )
        found.append(Finding("dates", (code, item.related), item.issued_on, second >= first, text))
    return found
