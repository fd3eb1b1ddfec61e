"""Files that belong to a proposal: add, take along, take off."""

from __future__ import annotations

import streamlit as st

from app import formats, identity
from app.components import style
from app.i18n import _, translate
from app.markdown import plain
from data.errors import InputError
from planning import proposal_files
from planning.accounts import Actor
from planning.proposal_workflow import Action
from planning.proposals import Proposal


def show(actor: Actor, proposal: Proposal) -> None:
    """Show the files of a proposal.

    Parameters
    ----------
    actor
        Who looks.
    proposal
        The proposal.
    """
    records = identity.records()
    st.markdown(f"**{_('Files')}**")
    there = proposal_files.list_of(records, actor, proposal.id)
    if not there:
        st.caption(_("No file is attached."))
    for item in there:
        name, size, take, off = st.columns([4, 1, 1, 1], vertical_alignment="center")
        name.markdown(plain(item.name))
        size.caption(formats.quantity(item.size / 1e6, "MB", 1))
        take.download_button(
            _("Download"),
            lambda number=item.id: proposal_files.content(records, actor, number),
            file_name=item.name,
            mime=item.media_type,
            on_click="ignore",
            key=f"file-{item.id}",
            width="stretch",
        )
        if Action.EDIT in proposal.actions and off.button(
            _("Take off"), key=f"off-{item.id}", width="stretch"
        ):
            proposal_files.detach(records, actor, item.id)
            st.rerun()
    _add(actor, proposal)


def _add(actor: Actor, proposal: Proposal) -> None:
    turn = st.session_state.get("proposal.file", 0)
    style.uploader_text(_("Choose a file"))
    given = st.file_uploader(
        _("PDF, PNG, JPEG, Word, Excel or ZIP, at most {size} MB", size=_most()),
        key=f"attach-{proposal.id}-{turn}",
        max_upload_size=round(proposal_files.MOST_BYTES / 1e6),
    )
    if given is None:
        return
    try:
        kept = proposal_files.attach(
            identity.records(), actor, proposal.id, given.name, given.getvalue()
        )
    except InputError as error:
        st.error(translate(error), icon=":material/error:")
        return
    st.session_state["proposal.file"] = turn + 1
    st.session_state["proposal.said"] = _("{file} is attached.", file=kept.name)
    st.rerun()


def _most() -> str:
    return formats.number(proposal_files.MOST_BYTES / 1e6)
