"""What people read for the codes of indicators, and how their values are written."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from app import formats, labels
from app.i18n import _, language, mark, translate
from data.errors import Message
from planning import names
from planning.indicator_definitions import Definition

KINDS = {
    "figure": mark("figure"),
    "statement": mark("statement without a number"),
    "document": mark("document"),
}

RELATIONS = {
    "implements": mark("carries out"),
    "amends": mark("amends"),
    "replaces": mark("replaces"),
    "belongs_to": mark("belongs to"),
}

READINGS = {"or": mark("{first} or {second}"), "and": mark("{first} and {second}")}

VALUE_KINDS = {"reported": mark("Reported"), "computed": mark("Computed")}


def group(code: str) -> str:
    """Name a group."""
    return labels.named(names.INDICATOR_GROUPS, code)


def unit(code: str) -> str:
    """Name a unit; a user's own keeps its name."""
    return labels.named(names.UNITS, code)


def denominator(code: str) -> str:
    """Name what a share is of; empty is "not stated", a user's own keeps its name."""
    return labels.named(names.DENOMINATORS, code) if code else _("not stated")


def code(name: str, known: Mapping[str, Message]) -> str:
    """Return the code of a unit or denominator that somebody names; others stay as they are."""
    typed = name.strip()
    return next(
        (code for code in known if labels.named(known, code).casefold() == typed.casefold()), typed
    )


def relation(code: str) -> str:
    """Name how a document has to do with another one."""
    return _(RELATIONS.get(code, code))


def reading(name: str) -> str:
    """Name a way to read a figure ("3G or 4G")."""
    for word, template in READINGS.items():
        first, between, second = name.partition(f" {word} ")
        if between:
            return _(template, first=first, second=second)
    return name


def decimals(number: float) -> int:
    """Return how many decimals it takes to write a number, 2 at most."""
    for digits in (0, 1):
        if math.isclose(number, round(number, digits), abs_tol=1e-9):
            return digits
    return 2


def value(number: float | None, unit_code: str, digits: int | None = None) -> str:
    """Write a value with its unit.

    Parameters
    ----------
    number
        The value; None and NaN give a dash.
    unit_code
        Unit of its definition.
    digits
        Decimals; None writes as many as were stated.

    Returns
    -------
    str
        E.g. "30,8 %" or "1.980 thủ tục".
    """
    if number is None or not math.isfinite(number):
        return formats.NOTHING
    places = decimals(number) if digits is None else digits
    if unit_code == "%":
        return formats.percent(number / 100.0, places)
    name = unit(unit_code)
    return formats.quantity(number, name, places) if name else formats.number(number, places)


def interval(low: float, high: float, unit_code: str) -> str:
    """Write an interval; empty where there is none."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    if unit_code == "%":
        return formats.percent_range(low / 100.0, high / 100.0)
    return f"{formats.number(low)}–{formats.number(high)}"


def title(row: dict[str, str]) -> str:
    """Return the name of an indicator in the language in use."""
    return row["title_vi"] if language() == "vi" else row["title_en"]


#: Fields of sentences that hold several numbers, or numbers with words.
_WITH_NUMBERS = ("terms", "threshold", "thresholds", "usual")

_NUMBER = re.compile(r"(?<![\w.,])-?\d[\d,]*(?:\.\d+)?")


def numbers(text: str) -> str:
    """Return a text with its numbers as the language in use writes them.

    Parameters
    ----------
    text
        Numbers as English has them, with words between.

    Returns
    -------
    str
        E.g. "3G −87,9 dBm".
    """

    def written(found: re.Match[str]) -> str:
        plain = found[0].replace(",", "")
        return formats.number(float(plain), len(plain.partition(".")[2]))

    return _NUMBER.sub(written, text)


def said(sentence: Message) -> str:
    """Say a sentence about indicators in the language in use.

    Parameters
    ----------
    sentence
        From `planning.indicators`, `planning.indicator_checks` or `planning.audit`.

    Returns
    -------
    str
        The sentence.
    """
    values = {name: _field(name, value) for name, value in sentence.values.items()}
    return translate(Message(sentence.template, values))


def _field(name: str, value: object) -> object:
    if isinstance(value, Definition):
        return value.title(language())
    if isinstance(value, Message):
        return said(value)
    return numbers(str(value)) if name in _WITH_NUMBERS else value
