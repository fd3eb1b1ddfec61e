"""The proposals that somebody may see, with filters; one of them is chosen."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from app import address, formats, identity
from app import proposal_labels as words
from app.components.kept import PREFIX
from app.i18n import _
from data.store import Workspace
from planning import proposal_transfer, proposals
from planning.accounts import Actor, Role
from planning.proposal_workflow import Status
from planning.proposals import Proposal
from planning.scenario_workspace import area_name

#: Key of the session state that holds the number of the chosen proposal.
CHOSEN = "proposal.chosen"

#: Parameter of the address.
PARAMETER = "proposal"


def show(area: Workspace, actor: Actor) -> int | None:
    """Show the list.

    Parameters
    ----------
    area
        The study area's own workspace.
    actor
        Who looks.

    Returns
    -------
    int or None
        Number of the chosen proposal.
    """
    everything = proposals.list_of(identity.records(), actor, area_name(area))
    if not everything:
        _nothing(actor)
        return None
    found = _filtered(everything, actor)
    if not found:
        st.caption(_("No proposal fits these filters."))
        return None
    _table(found, actor)
    _downloads(actor, found)
    chosen = st.session_state.setdefault(CHOSEN, address.number(PARAMETER))
    return chosen if any(item.id == chosen for item in everything) else None


def _nothing(actor: Actor) -> None:
    if actor.role is Role.PLANNER:
        text = _("No carrier has submitted a proposal yet. You are told here when one does.")
    else:
        text = _("There are no proposals yet. Make one by hand, or import a file.")
    st.info(text, icon=":material/inbox:")


def _filtered(everything: Sequence[Proposal], actor: Actor) -> list[Proposal]:
    there = [status for status in Status if any(item.status is status for item in everything)]
    first, second = st.columns([3, 2])
    name = PREFIX + "proposal_status"
    st.session_state[name] = [each for each in st.session_state.get(name, []) if each in there]
    statuses = first.pills(
        _("State"),
        there,
        selection_mode="multi",
        format_func=lambda status: words.status(status.value),
        key=name,
    )
    owners = sorted({item.organisation for item in everything})
    owner = None
    if actor.role is not Role.CARRIER and len(owners) > 1:
        owner = second.selectbox(
            _("Carrier"), [None, *owners], format_func=lambda each: each or _("all"), key="owner"
        )
    return [
        item
        for item in everything
        if (not statuses or item.status in statuses) and owner in (None, item.organisation)
    ]


def _table(found: Sequence[Proposal], actor: Actor) -> None:
    frame = pd.DataFrame(
        {
            _("No."): [item.id for item in found],
            _("Carrier"): [item.organisation for item in found],
            _("Code"): [item.request.reference for item in found],
            _("Name or address"): [item.request.name for item in found],
            _("Proposed"): [words.said(words.KINDS, item.request.kind) for item in found],
            _("Technologies"): [", ".join(item.request.technologies) for item in found],
            _("State"): [words.status(item.status.value) for item in found],
            _("Last change"): [formats.moment(item.changed_at) for item in found],
        }
    )
    if actor.role is Role.CARRIER:
        frame = frame.drop(columns=_("Carrier"))
    chosen = st.dataframe(
        frame,
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(frame), 390),
        on_select="rerun",
        selection_mode="single-row",
        key=f"proposals-{len(found)}-{found[0].changed_at.timestamp()}",
    )
    rows = chosen["selection"]["rows"]
    if rows and found[rows[0]].id != st.session_state.get(CHOSEN):
        st.session_state[CHOSEN] = found[rows[0]].id
        st.session_state["proposal.editing"] = False
    st.caption(_("Select a row to see the proposal."))


def _downloads(actor: Actor, found: Sequence[Proposal]) -> None:
    with st.popover(_("Download"), icon=":material/download:"):
        for ending, mime in (
            ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            ("csv", "text/csv"),
            ("kml", "application/vnd.google-earth.kml+xml"),
        ):
            st.download_button(
                ending.upper(),
                _file(actor, found, ending),
                file_name=f"proposals.{ending}",
                mime=mime,
                on_click="ignore",
                key=f"proposals-{ending}",
            )


def _file(actor: Actor, found: Sequence[Proposal], ending: str) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"proposals.{ending}"
        proposal_transfer.export(identity.records(), actor, found, path)
        return path.read_bytes()
