"""News about proposals."""

from __future__ import annotations

import streamlit as st

from app import formats, identity
from app import proposal_labels as words
from app.components.proposal_list import CHOSEN
from app.i18n import _
from app.markdown import plain
from data.store import Workspace
from planning import proposal_news
from planning.accounts import Actor
from planning.proposal_news import News
from planning.scenario_workspace import area_name

#: Key of the session state that holds what was just opened.
_OPENED = "proposal.opened"


def count(area: Workspace, actor: Actor) -> int:
    """Return how many news the actor has not read; what was opened last is read."""
    records, name = identity.records(), area_name(area)
    opened = st.session_state.pop(_OPENED, None)
    if opened is not None:
        proposal_news.mark_one_read(records, actor, name, opened)
    return proposal_news.unread_count(records, actor, name)


def show(area: Workspace, actor: Actor) -> None:
    """Show the news, the latest first.

    Parameters
    ----------
    area
        The study area's own workspace.
    actor
        Who reads.
    """
    records, name = identity.records(), area_name(area)
    found = proposal_news.list_of(records, actor, name)
    if not found:
        st.info(_("There is no news."), icon=":material/notifications:")
        return
    if any(not item.read for item in found) and st.button(
        _("Mark all as read"), icon=":material/done_all:"
    ):
        proposal_news.mark_read(records, actor, name, found[0].id)
        st.rerun()
    for item in found:
        text, open_it = st.columns([5, 1], vertical_alignment="center")
        said = words.said(words.NEWS, item.action).format(
            organisation=plain(item.organisation), reference=plain(item.reference)
        )
        mark = "" if item.read else ":material/circle_notifications: "
        strong = said if item.read else f"**{said}**"
        text.markdown(f"{mark}{strong} · {formats.moment(item.at)}")
        open_it.button(
            _("Open"),
            key=f"news-{item.id}",
            width="stretch",
            on_click=_open,
            args=(item,),
        )


def _open(item: News) -> None:
    # Before the page is drawn anew, so that nothing comes between the click and the proposal.
    st.session_state[CHOSEN] = item.proposal_id
    st.session_state["proposal.go"] = True
    st.session_state[_OPENED] = item.id
