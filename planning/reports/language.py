"""Say a report's sentences and figures in Vietnamese or English.

English is in the code. Vietnamese comes from the one gettext catalogue of the
project, which is read as a data file, so that a report and the app use the same
words; nothing of the app is imported.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from babel.dates import format_date
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from data.errors import InputError, Message
from planning.reports.model import Bilingual, Column, Day, Number, Share, Text, Value

#: Languages by code, each with the tag that documents carry.
TAGS = {"vi": "vi-VN", "en": "en-US"}

CATALOGUES = Path(__file__).parent.parent.parent / "app" / "locale"

#: Shown where there is no value.
NOTHING = "–"

#: Longest text of a cell of a page; the workbook has the whole of it.
MOST_LETTERS = 300

_NO_BREAK = "\u00a0"

#: Characters that XML, fonts or the direction of writing cannot bear.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufeff"
    "\ufffe\uffff]"
)

_NUMBER = re.compile(r"[-+\u2212]?(\d{1,3}(,\d{3})+(\.\d+)?|\d+\.\d+)")
_SWAPPED = str.maketrans(",.", ".,")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

#: The sign of percentages as sentences have it, which each language writes in its own way.
_PERCENT = re.compile(r"(?<=[\d}]) %")


@cache
def _catalogue(code: str) -> Catalog:
    path = CATALOGUES / code / "LC_MESSAGES" / "phusong.po"
    try:
        with path.open("rb") as file:
            return read_po(file, locale=code, domain="phusong")
    except OSError as error:
        raise InputError(
            "{file} cannot be read, so there is no report in this language", file=path
        ) from error


def clean(text: object) -> str:
    """Return text without characters that files cannot hold or that hide what is written.

    Parameters
    ----------
    text
        Any text, such as a name from a file.

    Returns
    -------
    str
        On one line; control characters, surrogates and marks of direction left out.
    """
    return _UNSAFE.sub("", re.sub(r"\s*[\r\n]+\s*", " ", str(text)))


@dataclass(frozen=True)
class Language:
    """A language to write in.

    Parameters
    ----------
    code
        "vi" or "en".
    """

    code: str

    @property
    def tag(self) -> str:
        """The tag of documents, such as "vi-VN"."""
        return TAGS[self.code]

    def say(self, text: Text) -> str:
        """Return a sentence in this language.

        Parameters
        ----------
        text
            A message, or plain text, which is translated where the catalogue has it.

        Returns
        -------
        str
            The sentence, without unsafe characters.
        """
        if isinstance(text, Bilingual):
            return clean((text.vi or text.en) if self.code == "vi" else (text.en or text.vi))
        if not isinstance(text, Message):
            return clean(self._found(str(text)))
        values = {key: self._part(value) for key, value in text.values.items()}
        return clean(self._found(text.template)).format(**values)

    def _found(self, text: str) -> str:
        if self.code != "en" and text:
            entry = _catalogue(self.code).get(text)
            if entry is not None and entry.string:
                text = entry.string if isinstance(entry.string, str) else entry.string[0]
        return _PERCENT.sub(self._percent_sign, text)

    def _part(self, value: object) -> str:
        if isinstance(value, (Message, Bilingual)):
            return self.say(value)
        if isinstance(value, Number):
            return self.number(value.value, value.digits, value.unit, signed=value.signed)
        if isinstance(value, Share):
            return self.percent(value.value, value.digits)
        if isinstance(value, Day):
            return self.day(value.iso)
        # The packages below write numbers as English does and dates in ISO 8601.
        text = clean(value)
        if self.code == "vi" and _NUMBER.fullmatch(text):
            return text.translate(_SWAPPED)
        if _DATE.fullmatch(text):
            return self.day(text)
        return text

    def number(
        self, value: float | None, digits: int = 0, unit: str = "", *, signed: bool = False
    ) -> str:
        """Write a number with a fixed count of decimals and its unit; a dash for none."""
        if value is None or not math.isfinite(value):
            return NOTHING
        fraction = "." + "0" * digits if digits else ""
        rounded = round(float(value), digits) + 0.0
        text = format_decimal(abs(rounded), f"#,##0{fraction}", locale=self.code)
        sign = "−" if rounded < 0 else "+" if signed and rounded > 0 else ""
        return f"{sign}{text}{_NO_BREAK + unit if unit else ''}"

    def percent(self, share: float | None, digits: int = 1) -> str:
        """Write a share from 0 to 1 as a percentage; a dash for none."""
        if share is None or not math.isfinite(share):
            return NOTHING
        return self.number(100.0 * share, digits) + self._percent_sign

    @property
    def _percent_sign(self) -> str:
        return f"{_NO_BREAK}%" if self.code == "vi" else "%"

    def interval(self, low: float | None, high: float | None, digits: int = 1) -> str:
        """Write an interval of shares; a dash for none."""
        if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
            return NOTHING
        ends = f"{self.number(100.0 * low, digits)}–{self.number(100.0 * high, digits)}"
        return ends + self._percent_sign

    def day(self, iso: str) -> str:
        """Write a day; text that is no ISO date stays as it is."""
        try:
            value = dt.date.fromisoformat(iso[:10])
        except ValueError:
            return clean(iso) or NOTHING
        pattern = "dd/MM/yyyy" if self.code == "vi" else "d MMM yyyy"
        return format_date(value, pattern, locale=self.code)

    def cell(self, column: Column, value: Value) -> str:
        """Write a value of a table as its column says; an interval stands on a second line.

        Parameters
        ----------
        column
            The column.
        value
            The value.

        Returns
        -------
        str
            Text, shortened where it is longer than `MOST_LETTERS`.
        """
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return NOTHING
        if isinstance(value, Number):
            return self.number(value.value, value.digits, value.unit)
        if isinstance(value, tuple):
            share, low, high = value
            if share is None or not math.isfinite(share):
                return NOTHING
            return "\n".join(
                (self.percent(share, column.digits), self.interval(low, high, column.digits))
            )
        if isinstance(value, (Message, Bilingual, str)):
            text = self.day(str(value)) if column.kind == "day" else self.name(value)
            return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"
        if column.kind == "share":
            return self.percent(value, column.digits)
        return self.number(value, column.digits)

    def name(self, value: Text) -> str:
        """Write a text of a table: a message translated, a name as it stands."""
        return clean(value) if isinstance(value, str) else self.say(value)


def languages(codes: Iterable[str]) -> list[Language]:
    """Return languages by their codes.

    Parameters
    ----------
    codes
        Such as "vi", "en".

    Returns
    -------
    list of Language
        Each once.

    Raises
    ------
    InputError
        If one is not known.
    """
    found = []
    for code in dict.fromkeys(codes):
        if code not in TAGS:
            raise InputError(
                "There is no language {value} (expected one of {expected})",
                value=code,
                expected=", ".join(TAGS),
            )
        found.append(Language(code))
    return found
