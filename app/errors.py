"""Turn any failure of a page into one readable sentence; the rest of the app goes on."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec

import streamlit as st

from app.i18n import _, translate
from data.errors import PhuSongError

_log = logging.getLogger(__name__)

P = ParamSpec("P")


@contextmanager
def readable_errors() -> Iterator[None]:
    """Show an error as a sentence in the language in use, and log what was not foreseen."""
    try:
        yield
    except PhuSongError as error:
        st.error(translate(error), icon=":material/error:")
    except Exception:  # noqa: BLE001 - the last place where it can be caught
        # Whatever it is, a page must not answer with a traceback.
        _log.exception("A page failed")
        st.error(
            _(
                "This page could not be shown for a reason the program did not foresee; the other "
                "pages still work. Details are in the server's log."
            ),
            icon=":material/error:",
        )


def readable(function: Callable[P, None]) -> Callable[P, None]:
    """Wrap a fragment, which Streamlit calls without the page around it.

    Parameters
    ----------
    function
        Draws a part of a page.

    Returns
    -------
    Callable
        The same with `readable_errors`.
    """

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        with readable_errors():
            function(*args, **kwargs)

    return wrapped
