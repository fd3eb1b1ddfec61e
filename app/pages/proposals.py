"""Carriers' proposals: ask for sites, see what they bring, decide about them, follow them."""

from __future__ import annotations

import streamlit as st

from app import address, areas, formats, identity, study
from app.components import (
    banner,
    kept,
    proposal_batch,
    proposal_detail,
    proposal_form,
    proposal_import,
    proposal_list,
    proposal_news,
    site_plans,
)
from app.errors import readable_errors
from app.i18n import _
from data.store import Workspace
from planning import accounts
from planning.accounts import Actor, Role


def _page(area: Workspace) -> None:
    st.title(_("Proposals · {area}", area=areas.title(area.area)))
    banner.show(area)
    actor = identity.actor()
    accounts.require(actor, Role.CARRIER, Role.PLANNER, Role.ADMINISTRATOR)
    said = st.session_state.pop("proposal.said", None)
    if said:
        st.success(said, icon=":material/check_circle:")
    proposal_batch.show()
    names = {"proposals": _("Proposals")}
    if actor.role in (Role.CARRIER, Role.ADMINISTRATOR):
        names |= {"new": _("New proposal"), "import": _("Import")}
    unread = proposal_news.count(area, actor)
    news = _("News")
    names |= {"plans": _("Plans")}
    names |= {"news": f"{news} ({formats.number(unread)})" if unread else news}
    # A widget's state cannot be set once it is drawn.
    if st.session_state.pop("proposal.go", False):
        st.session_state[f"{kept.PREFIX}proposals.part"] = "proposals"
    part = st.segmented_control(
        _("Part of the page"),
        list(names),
        format_func=names.get,
        key=kept.keep("proposals.part", "proposals", list(names)),
        label_visibility="collapsed",
        required=True,
    )
    with readable_errors():
        _show(str(part), area, actor)


def _show(part: str, area: Workspace, actor: Actor) -> None:
    chosen = proposal_list.show(area, actor) if part == "proposals" else None
    address.put(proposal_list.PARAMETER, str(chosen or ""))
    if chosen is not None:
        proposal_detail.show(area, actor, chosen)
    elif part == "new":
        proposal_form.show(area, actor)
    elif part == "import":
        proposal_import.show(area, actor)
    elif part == "plans":
        site_plans.show(area, actor)
    elif part == "news":
        proposal_news.show(area, actor)


_page(study.base())
