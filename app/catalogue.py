"""Keep the translations in step with the code: ``python -m app.catalogue``.

Collects every text that users may see, adds new ones to the catalogue without a
translation and drops those that are gone. `tests/app/test_i18n.py` fails until
every text is translated.
"""

from __future__ import annotations

import ast
import io
import string
from collections.abc import Iterator, Mapping
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from app import i18n, labels

ROOT = Path(__file__).parent.parent

#: Functions and classes by the count of leading arguments that are shown to users.
KEYWORDS = {
    "_": 1,
    "mark": 1,
    "ngettext": 2,
    "message": 1,
    "Message": 1,
    "InputError": 1,
    "PhuSongError": 1,
    "SourceError": 1,
    "MissingError": 1,
    "OfflineError": 1,
    "ForbiddenError": 1,
    "RecordsError": 1,
    # Error classes hand their template to the base class.
    "__init__": 1,
}
_EMPTY_HEADERS = (
    '"POT-Creation-Date',
    '"PO-Revision-Date',
    '"Generated-By',
    '"Project-Id-Version',
    '"Report-Msgid-Bugs-To',
    '"Last-Translator',
    '"Language-Team',
)
_BELOW = {name: count for name, count in KEYWORDS.items() if name != "_"}

#: In the packages below the app a bare underscore is a value that is not used.
PACKAGES = {"app": KEYWORDS, "data": _BELOW, "coverage": _BELOW, "planning": _BELOW}


def texts_in(source: str, keywords: Mapping[str, int]) -> Iterator[tuple[str, ...]]:
    """Yield the texts that the calls in a program show to users.

    The program is parsed rather than tokenised, because calls inside f-strings
    are tokens in some versions of Python and not in others.

    Parameters
    ----------
    source
        A Python program.
    keywords
        Such as `KEYWORDS`.

    Yields
    ------
    tuple of str
        One text, or singular and plural.
    """
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else ""
        name = function.id if isinstance(function, ast.Name) else name
        given = node.args[: keywords.get(name, 0)]
        texts = tuple(
            argument.value
            for argument in given
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
        )
        if texts and len(texts) == keywords[name]:
            yield texts


def extract() -> Catalog:
    """Collect the texts of the code.

    Returns
    -------
    babel.messages.catalog.Catalog
        Without translations.
    """
    found = Catalog(domain="phusong", locale="vi")
    for package, keywords in PACKAGES.items():
        for path in sorted((ROOT / package).rglob("*.py")):
            for texts in texts_in(path.read_text(encoding="utf-8"), keywords):
                found.add(texts if len(texts) > 1 else texts[0])
    for text in labels.declared_texts():
        found.add(text)
    return found


def fields(text: str) -> set[str]:
    """Return the names of the fields of a template.

    Parameters
    ----------
    text
        Text with ``{field}`` marks.

    Returns
    -------
    set of str
        Their names.
    """
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def update(code: str) -> None:
    """Bring the catalogue of a language in step with the code.

    Parameters
    ----------
    code
        Language.
    """
    path = i18n.LOCALE_FOLDER / code / "LC_MESSAGES" / "phusong.po"
    fresh = Catalog(
        domain="phusong",
        locale=code,
        fuzzy=False,
        header_comment="# Vietnamese texts of the app. Kept in step with the code by\n"
        "# `python -m app.catalogue`; English is in the code itself.",
    )
    kept = i18n.catalogue(code) if path.exists() else Catalog(locale=code)
    for entry in extract():
        if not entry.id:
            continue
        key = entry.id[0] if isinstance(entry.id, tuple) else entry.id
        old = kept.get(key)
        fresh.add(entry.id, old.string if old is not None else "")
    written = io.BytesIO()
    # Without places, so that moving a text changes nothing here.
    write_po(written, fresh, width=100, sort_output=True, no_location=True)
    # Of the header, only what says how to read the file; dates would change with every run.
    lines = [
        line
        for line in written.getvalue().decode("utf-8").splitlines()
        if not line.startswith(_EMPTY_HEADERS)
    ]
    # In one step: an app that runs meanwhile reads the old file or the new one.
    part = path.with_suffix(".part")
    part.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    for language in i18n.LANGUAGES:
        if language != "en":
            update(language)
