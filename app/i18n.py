"""The app's two languages: English in the code, Vietnamese in a gettext catalogue.

Message identifiers are the English sentences. `app/locale/vi/LC_MESSAGES/phusong.po`
holds their translations and is read as it is, so there is no compiled file to forget.
The packages below the app speak English through `data.errors.Message`, whose
templates are translated here, with nested messages inside.
"""

from __future__ import annotations

import datetime as dt
import re
from contextvars import ContextVar
from functools import cache, lru_cache
from pathlib import Path

import streamlit as st
from babel.dates import format_date
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from streamlit.runtime.scriptrunner import get_script_run_ctx

from data.errors import Message, PhuSongError

#: Languages by code, each in its own name; the first is the default.
LANGUAGES = {"vi": "Tiếng Việt", "en": "English"}
DEFAULT = "vi"

#: Key of the session state that holds the language.
STATE_KEY = "language"

#: Name of the cookie that holds the language of the last visit.
COOKIE = "phusong-language"

LOCALE_FOLDER = Path(__file__).parent / "locale"

#: Numbers with parted thousands or decimals; others, such as years, are written alike.
_NUMBER = re.compile(r"[-+\u2212]?(\d{1,3}(,\d{3})+(\.\d+)?|\d+\.\d+)")
_SWAPPED = str.maketrans(",.", ".,")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
#: Percent signs behind a number or the field of one, as the packages below write them.
_PERCENT = re.compile(r"(?<=[\d}]) %")

_outside_sessions: ContextVar[str] = ContextVar("language", default=DEFAULT)


def language() -> str:
    """Return the code of the language in use.

    Returns
    -------
    str
        "vi" or "en".
    """
    if get_script_run_ctx(suppress_warning=True) is None:
        return _outside_sessions.get()
    code = st.session_state.get(STATE_KEY)
    if code not in LANGUAGES:
        # A run that is cut short may leave the switch without a value; the address has it, too.
        code = st.query_params.get("lang")
    return str(code) if code in LANGUAGES else DEFAULT


def use(code: str) -> None:
    """Choose the language of this session, or outside sessions of this thread.

    Parameters
    ----------
    code
        "vi" or "en"; anything else chooses the default.
    """
    code = code if code in LANGUAGES else DEFAULT
    if get_script_run_ctx(suppress_warning=True) is not None:
        st.session_state[STATE_KEY] = code
    else:
        _outside_sessions.set(code)


@cache
def catalogue(code: str) -> Catalog:
    """Read the catalogue of a language.

    Parameters
    ----------
    code
        Language with a folder under `app/locale`.

    Returns
    -------
    babel.messages.catalog.Catalog
        Its translations.
    """
    with (LOCALE_FOLDER / code / "LC_MESSAGES" / "phusong.po").open("rb") as file:
        return read_po(file, locale=code, domain="phusong")


def percent_sign() -> str:
    """Return what stands behind the number of a percentage.

    Returns
    -------
    str
        "%", in Vietnamese with a no-break space before it.
    """
    return _sign(language())


def day(date: dt.date) -> str:
    """Write a date.

    Parameters
    ----------
    date
        The date.

    Returns
    -------
    str
        E.g. "16/11/2020" or "16 Nov 2020".
    """
    pattern = "dd/MM/yyyy" if language() == "vi" else "d MMM yyyy"
    return str(format_date(date, pattern, locale=language()))


def mark(text: str) -> str:
    """Mark a text for translation where it is declared; `_` translates it where it is shown.

    Parameters
    ----------
    text
        English text.

    Returns
    -------
    str
        The same.
    """
    return text


def _(text: str, **values: object) -> str:
    """Translate a text into the language in use and put its fields in.

    Parameters
    ----------
    text
        English text with ``{field}`` marks.
    **values
        The fields; without any, the text is returned as it is.

    Returns
    -------
    str
        The text in the language in use; English where there is no translation.
    """
    translated = _lookup(text)
    return translated.format(**values) if values else translated


def ngettext(singular: str, plural: str, count: int, **values: object) -> str:
    """Translate a text that depends on a number.

    Parameters
    ----------
    singular, plural
        English texts with ``{field}`` marks; ``{count}`` is the number.
    count
        The number.
    **values
        Further fields, and ``count`` where it is to be shown in a written form.

    Returns
    -------
    str
        The text in the language in use.
    """
    code = language()
    text = singular if count == 1 else plural
    if code != "en":
        entry = catalogue(code).get(singular)
        if entry is not None and entry.string:
            forms = entry.string if isinstance(entry.string, tuple) else (entry.string,)
            text = forms[0] or text
    return text.format(**{"count": count, **values})


def translate(message: Message | PhuSongError | str) -> str:
    """Say a message of the packages below in the language in use.

    Parameters
    ----------
    message
        A message, an error that carries one, or plain text.

    Returns
    -------
    str
        One sentence.
    """
    if isinstance(message, PhuSongError):
        message = message.message
    if not isinstance(message, Message):
        return _lookup(message)
    values = {
        key: translate(value) if isinstance(value, Message) else _written(str(value))
        for key, value in message.values.items()
    }
    try:
        return _lookup(message.template).format(**values)
    except (KeyError, IndexError, ValueError):
        return str(message)


def _written(value: str) -> str:
    """Return a value of a message with numbers and dates as the language writes them.

    The packages below write numbers as English does and dates in ISO 8601.
    """
    if _DATE.fullmatch(value):
        try:
            return day(dt.date.fromisoformat(value))
        except ValueError:
            return value
    if language() == "vi" and _NUMBER.fullmatch(value):
        return value.translate(_SWAPPED)
    return _PERCENT.sub(percent_sign(), value)


def _lookup(text: str) -> str:
    return _in_language(text, language())


@lru_cache(maxsize=20_000)
def _in_language(text: str, code: str) -> str:
    if code != "en" and text:
        entry = catalogue(code).get(text)
        if entry is not None and entry.string:
            text = entry.string if isinstance(entry.string, str) else entry.string[0]
    return _PERCENT.sub(_sign(code), text)


def _sign(code: str) -> str:
    return "\u00a0%" if code == "vi" else "%"
