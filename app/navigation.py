"""Language, pages and what all of them need first."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from app import areas, i18n, identity, scenario, study
from app.components import kept, sign_in, style
from app.errors import readable_errors
from app.i18n import _, mark

PLANNERS = ("planner", "administrator")
SIGNED_IN = ("carrier", *PLANNERS)


@dataclass(frozen=True)
class Entry:
    """A page of the navigation.

    Parameters
    ----------
    file
        Name of the script under `app/pages`.
    title, icon
        What the navigation shows.
    address
        Last part of the page's address; empty for the page where visitors arrive.
    roles
        Who finds the page there; empty for everybody. The functions behind a
        page check for themselves.
    """

    file: str
    title: str
    icon: str
    address: str
    roles: tuple[str, ...] = ()


#: The pages by section; the first is where visitors arrive.
SECTIONS: dict[str, tuple[Entry, ...]] = {
    "": (Entry("overview", mark("Overview"), ":material/dashboard:", ""),),
    mark("Coverage"): (Entry("coverage_map", mark("Coverage map"), ":material/map:", "map"),),
    mark("Networks"): (
        Entry("broadband", mark("Broadband"), ":material/lan:", "broadband"),
        Entry("network", mark("Dedicated network"), ":material/device_hub:", "network"),
    ),
    mark("Sharing and siting"): (
        Entry("sharing", mark("Infrastructure sharing"), ":material/handshake:", "sharing"),
        Entry("siting", mark("New sites"), ":material/add_location_alt:", "siting", PLANNERS),
        Entry("proposals", mark("Proposals"), ":material/inbox:", "proposals", SIGNED_IN),
        Entry("scenarios", mark("Scenarios"), ":material/alt_route:", "scenarios", PLANNERS),
    ),
    mark("Indicators and reports"): (
        Entry("indicators", mark("Indicators"), ":material/monitoring:", "indicators"),
        Entry("reports", mark("Reports"), ":material/description:", "reports"),
    ),
    mark("Data and settings"): (
        Entry("data", mark("Data"), ":material/database:", "data"),
        Entry(
            "administration",
            mark("Administration"),
            ":material/admin_panel_settings:",
            "administration",
            ("administrator",),
        ),
    ),
    mark("Help and method"): (Entry("help", mark("Help"), ":material/help:", "help"),),
}


def _pages() -> tuple[list[st.Page], dict[str, str]]:
    """Return the pages that the visitor's role finds, and the section that each address begins."""
    role = identity.actor().role
    pages: list[st.Page] = []
    begins: dict[str, str] = {}
    for section, entries in SECTIONS.items():
        found = [entry for entry in entries if not entry.roles or role in entry.roles]
        if section and found:
            begins[found[0].address] = _(section)
        pages += [
            st.Page(
                f"app/pages/{entry.file}.py",
                title=_(entry.title),
                icon=entry.icon,
                url_path=entry.address,
                default=not entry.address,
            )
            for entry in found
        ]
    return pages, begins


def run() -> None:
    """Show the page that the user is on."""
    _choose_language()
    # Streamlit forgets a widget's state on pages that do not show it, unless it is set anew.
    for key in list(st.session_state):
        if str(key).startswith(kept.PREFIX):
            st.session_state[key] = st.session_state[key]
    pages, begins = _pages()
    # Streamlit's own sections are lists that screen readers cannot read.
    page = st.navigation(pages, expanded=True)
    style.apply()
    style.sections(begins)
    style.language(i18n.language())
    with st.sidebar, readable_errors():
        areas.switch()
        scenario.switch()
        _language_switch()
        sign_in.show()
    with readable_errors():
        if study.ready():
            page.run()


def _choose_language() -> None:
    """Take the language from the session, else from the address (``?lang=en``) or the browser."""
    code = st.session_state.get(i18n.STATE_KEY)
    if code not in i18n.LANGUAGES:
        # Back from signing in elsewhere, the address says nothing.
        code = st.query_params.get("lang", st.context.cookies.get(i18n.COOKIE))
    # Set anew, or it is forgotten where a step ends before the switch is shown. A copy in
    # the address lets the page be shared in the language in which it is read.
    i18n.use(str(code))
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
