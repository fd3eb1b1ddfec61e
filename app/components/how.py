"""How a figure was computed: in a word beside it, with the way to the method."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.components import style
from app.i18n import _


def show(
    label: str,
    facts: Sequence[tuple[str, str]],
    *,
    section: str,
    note: str = "",
) -> None:
    """Show a button that opens how a figure was computed.

    Parameters
    ----------
    label
        Its text, a question such as "How was this computed?".
    facts
        Name and value: model, threshold, probability, inputs with their dates,
        function; pairs without a value are left out.
    section
        Section of the help page that has the method (`app.components.help_sections`).
    note
        A sentence on what the figure does not say.
    """
    with st.popover(label, icon=":material/help:"):
        style.facts(facts)
        if note:
            st.caption(note)
        st.page_link(
            "app/pages/help.py",
            label=_("Method, formulas and limits"),
            icon=":material/menu_book:",
            query_params={"section": section},
        )
