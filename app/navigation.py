"""Language, pages and what all of them need first."""

from __future__ import annotations

import streamlit as st

from app import areas, i18n, study
from app.components import kept, style
from app.errors import readable_errors
from app.i18n import _


def run() -> None:
    """Show the page that the user is on."""
    _choose_language()
    # Streamlit forgets a widget's state on pages that do not show it, unless it is set anew.
    for key in list(st.session_state):
        if str(key).startswith(kept.PREFIX):
            st.session_state[key] = st.session_state[key]
    page = st.navigation(
        [
            st.Page(
                "app/pages/overview.py",
                title=_("Overview"),
                icon=":material/dashboard:",
                url_path="overview",
                default=True,
            ),
            st.Page(
                "app/pages/coverage_map.py",
                title=_("Coverage map"),
                icon=":material/map:",
                url_path="map",
            ),
            st.Page(
                "app/pages/broadband.py",
                title=_("Broadband"),
                icon=":material/lan:",
                url_path="broadband",
            ),
            st.Page(
                "app/pages/network.py",
                title=_("Dedicated network"),
                icon=":material/device_hub:",
                url_path="network",
            ),
            st.Page(
                "app/pages/data.py",
                title=_("Data"),
                icon=":material/database:",
                url_path="data",
            ),
        ]
    )
    style.apply()
    with st.sidebar:
        areas.switch()
        _language_switch()
    with readable_errors():
        if study.ready():
            page.run()


def _choose_language() -> None:
    """Take the language from the session, else from the address (``?lang=en``)."""
    if st.session_state.get(i18n.STATE_KEY) not in i18n.LANGUAGES:
        i18n.use(str(st.query_params.get("lang", i18n.DEFAULT)))
        return
    # A copy in the address lets the page be shared in the language in which it is read.
    code = i18n.language()
    if st.query_params.get("lang", i18n.DEFAULT) != code:
        st.query_params["lang"] = code


def _language_switch() -> None:
    codes = list(i18n.LANGUAGES)
    st.segmented_control(
        "Ngôn ngữ · Language",
        codes,
        format_func=i18n.LANGUAGES.get,
        key=i18n.STATE_KEY,
        required=True,
    )
