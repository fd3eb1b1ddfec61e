"""Every text that users see has a Vietnamese translation, and none is left over."""

import pytest

from app import catalogue, i18n
from app.i18n import _, ngettext, translate
from data.errors import InputError, Problem, ValidationError, message

SOURCE = catalogue.extract()
VIETNAMESE = i18n.catalogue("vi")


def entries(found):
    return {
        (entry.id[0] if isinstance(entry.id, tuple) else entry.id): entry
        for entry in found
        if entry.id
    }


def forms(string) -> tuple[str, ...]:
    return string if isinstance(string, tuple) else (string,)


def test_the_extraction_finds_what_it_should() -> None:
    found = entries(SOURCE)
    assert len(found) > 400
    assert "Coverage map" in found  # the app's own
    assert "expected one of {options}" in found  # a message of the data layer
    assert "Identifier of the mast" in found  # a column's description
    assert "Cancelled; nothing was changed" in found  # the template of an error class
    assert "share of: {what}" in found  # a call within an f-string


def test_extraction_reads_calls_and_nothing_else() -> None:
    source = '''
x = f"{_('in an f-string')}" + _("two " "parts") + _(variable)
raise errors.InputError("of an attribute", value=_("nested"))
ngettext("{n} dog", "{n} dogs", 3)
other("not shown")
"""_("in a docstring")"""
'''
    found = set(catalogue.texts_in(source, catalogue.KEYWORDS))
    assert found == {
        ("in an f-string",),
        ("two parts",),
        ("of an attribute",),
        ("nested",),
        ("{n} dog", "{n} dogs"),
    }


def test_every_text_is_translated() -> None:
    known = entries(VIETNAMESE)
    missing = [
        key for key in entries(SOURCE) if key not in known or not all(forms(known[key].string))
    ]
    assert not missing, "run `python -m app.catalogue` and translate these texts"


def test_no_translation_is_left_over() -> None:
    unused = sorted(set(entries(VIETNAMESE)) - set(entries(SOURCE)))
    assert not unused, "run `python -m app.catalogue`"


def test_translations_have_the_same_fields() -> None:
    known = entries(VIETNAMESE)
    for key, entry in entries(SOURCE).items():
        wanted = set().union(*(catalogue.fields(text) for text in forms(entry.id)))
        for string in forms(known[key].string):
            assert catalogue.fields(string) == wanted, key


def test_translations_are_in_unicode_nfc() -> None:
    import unicodedata

    for key, entry in entries(VIETNAMESE).items():
        for string in forms(entry.string):
            assert unicodedata.is_normalized("NFC", string), key


def test_languages_differ(speak) -> None:
    speak("vi")
    assert _("Coverage map") == "Bản đồ vùng phủ"
    speak("en")
    assert _("Coverage map") == "Coverage map"
    speak("no such language")
    assert i18n.language() == "vi"


def test_a_text_without_translation_stays_english(speak) -> None:
    speak("vi")
    assert _("never written {n}", n=3) == "never written 3"


def test_numbers_choose_the_form(speak) -> None:
    speak("en")
    assert ngettext("{n} error", "{n} errors", 1, n="1") == "1 error"
    assert ngettext("{n} error", "{n} errors", 2, n="2") == "2 errors"
    speak("vi")
    assert ngettext("{n} error", "{n} errors", 2, n="2") == "2 lỗi"


def test_messages_are_translated_with_what_is_nested_in_them(speak) -> None:
    problem = Problem(
        "cells",
        7,
        "mast_id",
        message("no value"),
        message("expected one of {options}", options="A, B"),
        file="x.csv",
    )
    speak("en")
    assert translate(problem.message) == str(problem)
    speak("vi")
    assert translate(problem.message) == (
        "x.csv, dòng 7, cột mast_id: không có giá trị (yêu cầu một trong: A, B)"
    )
    assert translate(ValidationError([problem, problem])).endswith("; và 1 vấn đề khác")


@pytest.mark.parametrize("code", ["vi", "en"])
def test_errors_are_translated_by_their_template(speak, code) -> None:
    speak(code)
    error = InputError("{file} is empty", file="a.csv")
    assert translate(error) == {"vi": "a.csv là tệp trống", "en": "a.csv is empty"}[code]


def test_the_catalogue_is_as_the_tool_writes_it(tmp_path, monkeypatch) -> None:
    path = i18n.LOCALE_FOLDER / "vi" / "LC_MESSAGES" / "phusong.po"
    before = path.read_text(encoding="utf-8")
    folder = tmp_path / "vi" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "phusong.po").write_text(before, encoding="utf-8")
    monkeypatch.setattr(i18n, "LOCALE_FOLDER", tmp_path)
    catalogue.update("vi")
    assert (folder / "phusong.po").read_text(encoding="utf-8") == before


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("757,549", "757.549"),
        ("1,019,377.25", "1.019.377,25"),
        ("862.38", "862,38"),
        ("-43.6", "-43,6"),
        ("2025", "2025"),
        ("2025-13-30", "2025-13-30"),
        ("EPSG:32648", "EPSG:32648"),
        ("1.2.3", "1.2.3"),
        ("12,5", "12,5"),
        ("masts.v1.csv", "masts.v1.csv"),
    ],
)
def test_numbers_and_dates_in_messages_are_written_as_the_language_does(value, written) -> None:
    said = message("{value}", value=value)
    i18n.use("vi")
    assert i18n.translate(said) == written
    i18n.use("en")
    assert i18n.translate(said) == value
    i18n.use(i18n.DEFAULT)


@pytest.mark.parametrize(("code", "written"), [("vi", "07/05/2020"), ("en", "7 May 2020")])
def test_dates_in_messages_are_written_as_the_language_does(speak, code, written) -> None:
    speak(code)
    assert translate(message("{value}", value="2020-05-07")) == written


def test_percentages_within_sentences_are_written_as_the_language_does(speak) -> None:
    sentence = message(
        "{share} % of the zone {code} is outside the zone {parent}",
        share="12.5",
        code="A 7",
        parent=message("{place} (95 %)", place="B 100 %"),
    )
    speak("en")
    assert translate(sentence) == "12.5% of the zone A 7 is outside the zone B 100% (95%)"
    assert translate("95 % sure") == "95% sure"
    speak("vi")
    assert translate(sentence) == (
        "12,5\u00a0% đơn vị A 7 nằm ngoài đơn vị B 100\u00a0% (95\u00a0%)"
    )
    assert translate("95 % sure") == "95\u00a0% sure"
    assert i18n.percent_sign() == "\u00a0%"
