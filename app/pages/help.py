"""Method with formulas, limits, thresholds with their source, and the terms in two languages."""

from __future__ import annotations

import streamlit as st

from app import address, study
from app.components import help_sections, tour
from app.i18n import _
from data.store import Workspace

_SECTIONS = help_sections.SECTIONS


def _page(area: Workspace) -> None:
    st.title(_("Help and method"))
    names = list(_SECTIONS)
    key = "help.section"
    if st.session_state.get(key) not in names:
        asked = st.query_params.get("section")
        st.session_state[key] = asked if asked in names else names[0]
    name = st.pills(
        _("Section"),
        names,
        format_func=lambda code: _(_SECTIONS[code][0]),
        key=key,
        required=True,
    )
    address.put("section", "" if name == names[0] else str(name))
    title, show = _SECTIONS[name]
    st.subheader(_(title))
    show(area)
    if name == "start":
        tour.again()


_page(study.base())
