"""Counts add up, percentages match their counts, and each finding says the numbers."""

from __future__ import annotations

import datetime as dt

import hypothesis
import hypothesis.strategies as st
import pandas as pd
import pytest

from planning import indicator_checks, indicator_definitions
from planning.indicator_values import Value, _built_in
from planning.indicator_zones import Units

KNOWN = indicator_definitions.built_in()
UNITS = Units(
    pd.DataFrame(
        {"code": ["a", "b"], "name": ["A", "B"], "level": "commune", "valid_from": None,
         "valid_to": None}
    )
)  # fmt: skip


def said(values, check: str):
    return [item for item in indicator_checks.check(KNOWN, values, UNITS) if item.check == check]


def value(code: str, number: float, as_of: str = "2020-11-16", **fields) -> Value:
    return Value(f"{code}@{as_of}", code, value=number, as_of=as_of, **fields)


def test_the_report_of_2020_agrees_with_itself() -> None:
    found = indicator_checks.check(KNOWN, _built_in(), UNITS)
    assert [item for item in found if item.agrees is False] == []
    texts = {(item.check, item.as_of): str(item.text) for item in found}
    assert texts["procedures_by_level", "2020-11-16"] == (
        "610 + 1,210 + 160 = 1,980; reported 1,980"
    )
    assert texts["procedures_level4_share", "2020-11-16"] == (
        "610/1,980 = 30.81 %; reported 30.8 %"
    )
    assert texts["online_rate", "2019-12-31"] == "965/209,249 = 0.461 %"
    assert texts["late_dossiers", "2019-12-31"] == (
        "99.8 % on time of 209,249: about 418 late (314 to 523 by the rounding)"
    )
    assert texts["late_dossiers", "2020-11-16"] == (
        "99.7 % on time of 202,119: about 606 late (505 to 707 by the rounding)"
    )
    assert texts["dossiers_year", "2020-11-16"] == (
        "202,119 in 321 of 366 days: about 230,453 for the whole year, +10.1 % on the 209,249 of "
        "the year before"
    )
    assert texts["dates", "2020-05-07"] == (
        "407/KH-STTTT of 2020-05-07 comes 20 days after 50/NQ-CP of 2020-04-17"
    )


@pytest.mark.parametrize(
    ("values", "check", "text"),
    [
        (
            [value("procedures_total", 1980), value("procedures_level4", 611),
             value("procedures_level3", 1210), value("procedures_level2", 160)],
            "procedures_by_level",
            "611 + 1,210 + 160 = 1,981; reported 1,980",
        ),
        (
            [value("procedures_level4_share", 30.8), value("procedures_level3_share", 61.5),
             value("procedures_level2_share", 8.1)],
            "procedure_shares",
            "30.8 + 61.5 + 8.1 = 100.4 %; expected 100 % within 0.15 of rounding",
        ),
        (
            [value("procedures_total", 1980), value("procedures_level4", 610),
             value("procedures_level4_share", 31.0)],
            "procedures_level4_share",
            "610/1,980 = 30.81 %; reported 31 %",
        ),
        (
            [value("dossiers_received", 100), value("dossiers_online", 101)],
            "online_dossiers",
            "101 is more than the 100 that it is a part of",
        ),
        (
            [value("conference_districts_share", 66.7, count=3, of=6)],
            "own_counts",
            "3/6 = 50.00 %; reported 66.7 %",
        ),
        (
            [value("conference_endpoints", 78), value("conference_endpoints", 40, zone_code="a"),
             value("conference_endpoints", 37, zone_code="b")],
            "zones",
            "2 of 2 units add up to 77; reported 78",
        ),
    ],
)  # fmt: skip
def test_numbers_that_contradict_each_other_are_found(values, check, text) -> None:
    # "31 %" is rounded to whole percents, so 30.81 % is no contradiction of it.
    (found,) = said(values, check)
    assert found.agrees is (text == "610/1,980 = 30.81 %; reported 31 %")
    assert str(found.text) == text


def test_values_of_different_days_are_not_compared() -> None:
    values = [value("dossiers_received", 100, "2019-12-31"), value("dossiers_online", 101)]
    assert said(values, "online_dossiers") == []


def test_a_document_before_the_one_it_amends_is_found() -> None:
    import dataclasses

    wrong = dict(KNOWN)
    wrong["doc_20_2020"] = dataclasses.replace(wrong["doc_20_2020"], issued_on="2018-01-01")
    found = {item.indicators[0]: item.agrees for item in indicator_checks.document_dates(wrong)}
    assert found["doc_20_2020"] is False
    assert found["doc_407"] is True


@hypothesis.given(st.lists(st.integers(1, 100_000), min_size=3, max_size=3), st.integers(0, 3))
def test_honest_rounding_never_contradicts(counts, digits) -> None:
    total = sum(counts)
    codes = ("procedures_level4", "procedures_level3", "procedures_level2")
    values = [value("procedures_total", total)]
    for code, count in zip(codes, counts, strict=True):
        values += [value(code, count), value(f"{code}_share", round(100.0 * count / total, digits))]
    for item in indicator_checks.check(KNOWN, values, UNITS):
        assert item.agrees is not False, str(item.text)


@hypothesis.given(st.integers(1, 10**6), st.dates(dt.date(2000, 1, 1), dt.date(2099, 12, 31)))
def test_a_year_to_date_comes_to_no_less_than_it_is(count, day) -> None:
    whole = indicator_checks.annualised(count, day)
    assert whole >= count
    assert (whole == count) == ((day.month, day.day) == (12, 31))


def test_rounding_is_that_of_the_last_decimal() -> None:
    assert [value("email_use", number).rounding for number in (95, 30.8, 66.67)] == [
        0.5,
        pytest.approx(0.05),
        pytest.approx(0.005),
    ]
