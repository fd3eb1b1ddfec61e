"""One proposal: what is asked for, what it brings, what was said and done, and what to do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app import evaluators, formats, history_labels, identity, labels
from app import proposal_labels as words
from app.components import (
    parts,
    proposal_decision,
    proposal_evaluation,
    proposal_files,
    proposal_form,
    style,
)
from app.components.parts import Part
from app.i18n import _
from app.markdown import plain
from data.store import Workspace
from planning import accounts, proposal_decisions, proposals
from planning.accounts import Actor, Role
from planning.proposal_evaluation import inputs_of
from planning.proposal_figures import key_of
from planning.proposal_workflow import Action
from planning.proposals import Event, Proposal


def show(area: Workspace, actor: Actor, proposal_id: int) -> None:
    """Show a proposal.

    Parameters
    ----------
    area
        The study area's own workspace.
    actor
        Who looks.
    proposal_id
        Its number.
    """
    proposal = proposals.get(identity.records(), actor, proposal_id)
    st.subheader(f"{plain(proposal.request.reference)} {words.badge(proposal.status.value)}")
    if st.session_state.get("proposal.editing") and Action.EDIT in proposal.actions:
        if st.button(_("Stop editing"), icon=":material/close:"):
            st.session_state["proposal.editing"] = False
            st.rerun()
        proposal_form.show(area, actor, proposal)
        return
    _facts(proposal)
    proposal_decision.show(area, actor, proposal)
    parts.show(
        f"proposal.{proposal.id}.tab",
        [
            Part("appraisal", _("Appraisal"), lambda: _appraisal(area, actor, proposal)),
            Part("documents", _("Documents and files"), lambda: _documents(area, actor, proposal)),
            Part("comments", _("Comments"), lambda: _comments(area, actor, proposal)),
            Part("history", _("History"), lambda: _history(area, actor, proposal)),
        ],
    )


def _facts(proposal: Proposal) -> None:
    wish = proposal.request
    where = formats.coordinates(wish.lat, wish.lon)
    style.facts(
        [
            (_("Carrier"), proposal.organisation),
            (_("Name or address"), wish.name),
            (_("Proposed"), words.said(words.KINDS, wish.kind)),
            (_("Mast"), wish.mast_id),
            (_("Latitude; longitude"), where),
            (_("Mast class"), words.masts_class(wish.mast_class) if wish.kind == "new" else ""),
            (_("Height"), formats.quantity(wish.height_m, "m", 1) if wish.height_m else ""),
            (
                _("Height of the building"),
                formats.quantity(wish.building_height_m, "m", 1) if wish.building_height_m else "",
            ),
            (
                _("Operators it can carry"),
                formats.number(wish.max_tenants) if wish.max_tenants else "",
            ),
            (_("Technologies"), ", ".join(wish.technologies)),
            (_("Antennas"), formats.number(len(wish.cells)) if wish.cells else ""),
            (_("Note"), wish.note),
        ]
    )


def _appraisal(area: Workspace, actor: Actor, proposal: Proposal) -> None:
    stored = proposals.evaluation(identity.records(), actor, proposal.id)
    current = key_of(inputs_of(area, proposal.request, proposal.organisation))
    if stored is not None:
        when = formats.moment(stored.at)
        if stored.evaluation.key == current:
            st.caption(_("Worked out on {when}; nothing has changed since.", when=when))
        else:
            st.warning(
                _(
                    "Worked out on {when}; since then the network, the rules or the proposal have "
                    "changed.",
                    when=when,
                ),
                icon=":material/update:",
            )
    if stored is None or stored.evaluation.key != current:
        if st.session_state.get("proposal.evaluating") != proposal.id:
            if st.button(_("Work it out now"), icon=":material/calculate:", type="primary"):
                st.session_state["proposal.evaluating"] = proposal.id
                st.rerun()
        else:
            evaluator = evaluators.obtained(area)
            if evaluator is not None:
                with st.spinner(_("Working out what the site brings…")):
                    found = evaluator.evaluate(proposal.request, proposal.organisation)
                proposals.keep_evaluation(identity.records(), actor, proposal.id, found)
                st.session_state.pop("proposal.evaluating", None)
                st.rerun()
    for other, distance_m in proposal_decisions.consented_near(
        identity.records(), actor, area, proposal
    ):
        st.warning(
            plain(
                _(
                    "{organisation} has consent for {reference}, {distance} from here; the "
                    "spacing of the rules is compared with the masts of the data only.",
                    organisation=other.organisation,
                    reference=other.request.reference,
                    distance=formats.distance(distance_m),
                )
            ),
            icon=":material/cell_tower:",
        )
    if stored is not None:
        proposal_evaluation.show(
            area, stored.evaluation, proposal.request.reference, key=f"of-{proposal.id}"
        )


def _documents(area: Workspace, actor: Actor, proposal: Proposal) -> None:
    steps = proposals.steps(identity.records(), actor, proposal.id)
    if steps:
        st.dataframe(
            pd.DataFrame(
                {
                    _("Document"): [words.said(words.DOCUMENTS, step.kind) for step in steps],
                    _("Document number"): [step.document.number for step in steps],
                    _("Day"): [formats.date(step.document.day) for step in steps],
                    _("Issued by"): [step.document.issuer for step in steps],
                    _("Valid until"): [_until(step.document.valid_to) for step in steps],
                }
            ),
            hide_index=True,
            width="stretch",
        )
    else:
        st.caption(_("No consent, permit or certificate has been recorded yet."))
    proposal_files.show(actor, proposal)


def _until(day: str | None) -> str:
    if day is None:
        return formats.NOTHING
    over = day < dt.datetime.now(dt.UTC).date().isoformat()
    return f"{formats.date(day)} ({_('expired')})" if over else formats.date(day)


def _comments(area: Workspace, actor: Actor, proposal: Proposal) -> None:
    records = identity.records()
    names = _names(actor)
    said = proposals.comments(records, actor, proposal.id)
    if not said:
        st.caption(_("Nobody has said anything yet."))
    for item in said:
        who = _who(names, item.account_id, "", item.role, item.organisation)
        with st.container(border=True):
            st.caption(f"{plain(who)} · {formats.moment(item.at)}")
            st.markdown(plain(item.text))
    with st.form(f"comment-{proposal.id}", clear_on_submit=True, border=False):
        text = st.text_area(_("Comment"), max_chars=4000)
        if st.form_submit_button(_("Send"), icon=":material/send:") and text.strip():
            proposals.comment(records, actor, proposal.id, text)
            st.rerun()


def _names(actor: Actor) -> Mapping[int, str]:
    """Return the names of accounts that somebody may read, by number."""
    # Who of the department has acted is its own business.
    return {} if actor.role is Role.CARRIER else accounts.names(identity.records())


def _who(
    names: Mapping[int, str],
    account_id: int | None,
    acting_as: str,
    role: str,
    organisation: str,
) -> str:
    name = names.get(account_id, "") if account_id is not None else acting_as
    name = _(history_labels.ACTING.get(name, name))
    parts = (name, organisation, _(labels.ROLES.get(role, role)))
    return " · ".join(part for part in parts if part)


def _history(area: Workspace, actor: Actor, proposal: Proposal) -> None:
    events = proposals.history(identity.records(), actor, proposal.id)
    names = _names(actor)
    heads = (_("When"), _("What was done"), _("By whom"), _("Exactly"))
    rows = [
        (
            formats.moment(event.at),
            history_labels.action(event.action),
            _who(names, event.account_id, event.acting_as, event.role, event.organisation),
            _exactly(event),
        )
        for event in events
    ]
    style.table(_("What was done with the proposal"), heads, rows)
    st.caption(_("The history cannot be edited by anybody."))


def _exactly(event: Event) -> str:
    detail = event.detail
    parts = [str(detail[name]) for name in ("reason", "number", "note", "name") if detail.get(name)]
    if detail.get("day"):
        parts.insert(1, formats.date(str(detail["day"])))
    if event.action == "commented":
        parts = [str(detail["text"])]
    if event.action == "edited":
        parts = [
            f"{name}: {_short(values[0])} → {_short(values[1])}"
            for name, values in detail["changed"].items()
        ]
    if detail.get("scenario"):
        parts.append(_("scenario {number}", number=detail["scenario"]))
    return "; ".join(parts)


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
