"""Numbers, percentages, dates and units in both languages."""

import datetime as dt
import math

import pytest

from app import formats

NB = "\u00a0"


@pytest.mark.parametrize(
    ("code", "written"), [("vi", ["1.980", "861,93"]), ("en", ["1,980", "861.93"])]
)
def test_numbers(speak, code, written) -> None:
    speak(code)
    assert [formats.number(1980), formats.number(861.93, 2)] == written


def test_numbers_with_signs(speak) -> None:
    speak("vi")
    assert formats.number(-95) == "−95"
    assert formats.number(2.5, 1, signed=True) == "+2,5"
    assert formats.number(0.0, 1, signed=True) == "0,0"
    assert formats.number(-0.04, 1) == "0,0"


@pytest.mark.parametrize("missing", [None, math.nan, math.inf])
def test_what_is_missing_is_a_dash(missing) -> None:
    assert formats.number(missing) == formats.NOTHING
    assert formats.percent(missing) == formats.NOTHING
    assert formats.quantity(missing, "m") == formats.NOTHING
    assert formats.points(missing) == formats.NOTHING
    assert formats.distance(missing) == formats.NOTHING
    assert formats.percent_range(missing, 0.5) == formats.NOTHING


def test_percentages(speak) -> None:
    speak("vi")
    assert formats.percent(0.308) == f"30,8{NB}%"
    assert formats.percent_range(0.301, 0.315) == f"30,1–31,5{NB}%"
    assert formats.points(-0.013) == f"−1,3{NB}điểm{NB}%"
    assert formats.quantity(0.1, "%", 1) == f"0,1{NB}%"
    speak("en")
    assert formats.percent(0.308) == "30.8%"
    assert formats.points(0.05) == f"+5.0{NB}pp"
    assert formats.quantity(50.0, "%") == "50%"


def test_dates(speak) -> None:
    speak("vi")
    assert formats.date(dt.date(2020, 11, 16)) == "16/11/2020"
    assert formats.date("2020-11-16T08:00:00+00:00") == "16/11/2020"
    speak("en")
    assert formats.date("2020-11-16") == "16 Nov 2020"
    assert formats.date("in spring") == "in spring"
    assert formats.date(None) == formats.NOTHING


def test_distances_change_their_unit(speak) -> None:
    speak("vi")
    assert formats.distance(850.4) == f"850{NB}m"
    assert formats.distance(1853.0) == f"1,85{NB}km"


def test_coordinates(speak) -> None:
    speak("vi")
    assert formats.coordinates(20.5, 105.9) == "20,50000°; 105,90000°"


def test_vietnamese_names_sort_by_their_letters() -> None:
    names = ["Tiên Sơn", "Đồng Văn", "Duy Hà", "Ba Sao"]
    assert sorted(names, key=formats.sort_key) == ["Ba Sao", "Đồng Văn", "Duy Hà", "Tiên Sơn"]
