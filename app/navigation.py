"""Language, pages and what all of them need first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import streamlit as st

from app import areas, i18n, identity, scenario, study
from app.components import kept, sign_in, style
from app.errors import readable_errors
from app.i18n import _, mark, translate
from planning.accounts import ROLE_NAMES, Actor, Role
from planning.names import either

PLANNERS = (Role.PLANNER, Role.ADMINISTRATOR)
SIGNED_IN = (Role.CARRIER, *PLANNERS)


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
    roles: tuple[Role, ...] = ()

    def opens_for(self, role: Role) -> bool:
        """Tell whether a role finds the page."""
        return not self.roles or role in self.roles


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
            (Role.ADMINISTRATOR,),
        ),
    ),
    mark("Help and method"): (Entry("help", mark("Help"), ":material/help:", "help"),),
}


def _pages(role: Role) -> tuple[list[st.Page], dict[str, str]]:
    """Return all pages, and the section that each address begins.

    Pages that a role does not find are hidden, not left out: who follows a link to one is told
    why it stays closed.
    """
    pages: list[st.Page] = []
    begins: dict[str, str] = {}
    for section, entries in SECTIONS.items():
        found = [entry for entry in entries if entry.opens_for(role)]
        if section and found:
            begins[found[0].address] = _(section)
        pages += [
            st.Page(
                f"app/pages/{entry.file}.py",
                title=_(entry.title),
                icon=entry.icon,
                url_path=entry.address,
                default=not entry.address,
                visibility="visible" if entry in found else "hidden",
            )
            for entry in entries
        ]
    return pages, begins


def run() -> None:
    """Show the page that the user is on."""
    _choose_language()
    # Streamlit forgets a widget's state on pages that do not show it, unless it is set anew.
    for key in list(st.session_state):
        if str(key).startswith(kept.PREFIX):
            st.session_state[key] = st.session_state[key]
    actor = identity.actor()
    pages, begins = _pages(actor.role)
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
    entry = next(entry for entry in _entries() if entry.address == page.url_path)
    with readable_errors():
        if not entry.opens_for(actor.role):
            _closed(entry, actor)
        elif study.ready():
            page.run()


def _entries() -> Iterator[Entry]:
    return chain.from_iterable(SECTIONS.values())


def _closed(entry: Entry, actor: Actor) -> None:
    st.title(_(entry.title))
    roles = translate(either([ROLE_NAMES[role] for role in entry.roles]))
    said = _("This page is for people with the role {roles}.", roles=roles)
    if actor.account_id is None:
        said += " " + _("It opens when you have signed in (in the sidebar).")
    st.info(said, icon=":material/lock:")


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
