"""Terms of telecom planning in Vietnamese and English, with what they mean."""

from __future__ import annotations

import csv
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app import formats
from app.i18n import language

FILE = Path(__file__).parent / "glossary.csv"


@dataclass(frozen=True)
class Term:
    """A term in both languages.

    Parameters
    ----------
    vietnamese, english
        The term.
    meaning_vi, meaning_en
        A sentence about it in each language.
    """

    vietnamese: str
    english: str
    meaning_vi: str
    meaning_en: str


@cache
def terms() -> tuple[Term, ...]:
    """Return all terms, in the order of the file."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(Term(**row) for row in csv.DictReader(file))


def meaning(term: Term) -> str:
    """Return what a term means in the language in use."""
    return term.meaning_vi if language() == "vi" else term.meaning_en


def search(wanted: str) -> list[Term]:
    """Return the terms with a text in their names or meaning, sorted for the language in use.

    Parameters
    ----------
    wanted
        With or without Vietnamese marks; empty finds all.
    """
    bare = _bare(wanted)
    found = [
        item
        for item in terms()
        if bare in _bare(" ".join((item.vietnamese, item.english, meaning(item))))
    ]
    first = (lambda item: item.vietnamese) if language() == "vi" else (lambda item: item.english)
    return sorted(found, key=lambda item: formats.sort_key(first(item)))


def _bare(text: str) -> str:
    """Return a text without marks and case, as people type it in a hurry."""
    apart = unicodedata.normalize("NFD", text.strip().lower().replace("đ", "d"))
    return "".join(sign for sign in apart if not unicodedata.combining(sign))
