"""Choices that outlive a change of page, and of which some are part of the address.

Widgets with these keys must not be given a default themselves: Streamlit would
complain about two sources of one value.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app import address

#: Start of the keys; `app.navigation` keeps what begins with it.
PREFIX = "keep."


def keep(name: str, default: object, options: Sequence[object] | None = None) -> str:
    """Give a widget's state a valid value before the widget is drawn.

    Parameters
    ----------
    name
        What is chosen.
    default
        Value for the first time, and where the old one is no longer offered.
    options
        What is offered; None accepts any value.

    Returns
    -------
    str
        Key for the widget.
    """
    key = PREFIX + name
    value = st.session_state.get(key)
    if value is None:
        value = address.read(name, options)
    if value is None or (options is not None and value not in options):
        value = default
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    address.write(name, value, default)
    return key
