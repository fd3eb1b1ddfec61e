"""Parts of a page behind tabs, of which one is looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import streamlit as st

from app.components import kept
from app.errors import readable_errors


class Part(NamedTuple):
    """A part of a page.

    Parameters
    ----------
    code
        Short and the same in every language; stands in the address.
    title
        Of its tab.
    show
        Draws it.
    """

    code: str
    title: str
    show: Callable[[], object]


def show(name: str, parts: Sequence[Part]) -> None:
    """Show the tabs of a page and what is behind the one that is open.

    The choice outlives a change of page and of language. Only what is looked at
    is worked out; a fault in it leaves the others usable.

    Parameters
    ----------
    name
        Key of the tabs; the choice is part of the address if it ends in ".part".
    parts
        In their order; the first one is shown unless another is asked for.
    """
    codes = {part.title: part.code for part in parts}
    # Streamlit knows tabs by their titles, which change with the language.
    opened = codes.get(st.session_state.get(name))
    if opened is not None:
        st.session_state[kept.PREFIX + name] = opened
    key = kept.keep(name, parts[0].code, list(codes.values()))
    if opened is None:
        wanted = st.session_state[key]
        st.session_state[name] = next(part.title for part in parts if part.code == wanted)
    tabs = st.tabs(list(codes), key=name, on_change="rerun")
    for tab, part in zip(tabs, parts, strict=True):
        if tab.open:
            with tab, readable_errors():
                part.show()
