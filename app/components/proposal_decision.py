"""What can be done with a proposal now: the buttons and forms that its state and role allow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import streamlit as st

from app import formats, identity
from app import proposal_labels as words
from app.i18n import _
from data.store import Workspace
from planning import proposal_decisions, proposals, scenarios
from planning.accounts import Actor
from planning.proposal_figures import Evaluation
from planning.proposal_records import is_about, permit_presumed
from planning.proposal_workflow import Action, Document
from planning.proposals import Proposal
from planning.scenario_workspace import area_name

#: Value of the choice of scenarios that makes a new one.
_NEW = -1

_WITH_REASON = (Action.REQUEST_CHANGES, Action.REFUSE)
_WITH_DOCUMENT = (Action.PERMIT, Action.EMF_CERTIFICATE, Action.RENEW, Action.ON_AIR)


def show(area: Workspace, actor: Actor, proposal: Proposal) -> None:
    """Show what the actor may do.

    Parameters
    ----------
    area
        The study area's own workspace.
    actor
        Who acts.
    proposal
        The proposal as it was read; what is done to an older one is refused.
    """
    actions = proposal.actions
    if not actions:
        return
    left, middle, _rest = st.columns([1, 1, 3])
    if Action.EDIT in actions and left.button(
        _("Edit"), icon=":material/edit:", width="stretch", key=f"edit-{proposal.id}"
    ):
        st.session_state["proposal.editing"] = True
        st.rerun()
    if Action.SUBMIT in actions and middle.button(
        _("Submit"), type="primary", icon=":material/send:", width="stretch", key="submit"
    ):
        proposals.submit(identity.records(), actor, proposal.id, expected_version=proposal.version)
        _done(_("Submitted."))
    forms: list[tuple[Action, Callable[[Workspace, Actor, Proposal, Action], None]]] = []
    for action in actions:
        if action is Action.APPROVE:
            forms.append((action, _approve))
        elif action is Action.PLAN and proposal.scenario_id is None:
            forms.append((action, _plan))
        elif action in _WITH_REASON or action is Action.WITHDRAW:
            forms.append((action, _reason))
        elif action in _WITH_DOCUMENT:
            forms.append((action, _document))
    if not forms:
        return
    titles = {words.said(words.ACTIONS, action.value): (action, form) for action, form in forms}
    with st.expander(_("Decide and record"), icon=":material/gavel:", expanded=False):
        chosen = st.segmented_control(
            _("What is done"),
            list(titles),
            key=f"decide-{proposal.id}-{proposal.version}",
            label_visibility="collapsed",
            wrap=True,
        )
        if chosen in titles:
            action, form = titles[str(chosen)]
            form(area, actor, proposal, action)


def _done(text: str) -> None:
    st.session_state["proposal.said"] = text
    st.rerun()


def _reason(area: Workspace, actor: Actor, proposal: Proposal, action: Action) -> None:
    needed = action in _WITH_REASON
    with st.form(f"{action.value}-{proposal.id}", border=False):
        reason = st.text_area(_("Reason") if needed else _("Reason (optional)"), max_chars=4000)
        if not st.form_submit_button(words.said(words.ACTIONS, action.value), type="primary"):
            return
    records, version = identity.records(), proposal.version
    if action is Action.WITHDRAW:
        proposals.withdraw(records, actor, proposal.id, reason=reason, expected_version=version)
    elif action is Action.REFUSE:
        proposals.refuse(records, actor, proposal.id, reason, expected_version=version)
    else:
        proposals.request_changes(records, actor, proposal.id, reason, expected_version=version)
    _done(_("Recorded."))


def _fields(name: str, *, issuer: str = "", ends: bool = True) -> Document:
    first, second, third, fourth = st.columns(4)
    number = first.text_input(_("Document number"), key=f"{name}-number", max_chars=200)
    day = second.date_input(_("Day"), format="DD/MM/YYYY", key=f"{name}-day")
    given = third.text_input(_("Issued by"), value=issuer, key=f"{name}-issuer", max_chars=200)
    until = None
    if ends:
        until = fourth.date_input(
            _("Valid until"), value=None, format="DD/MM/YYYY", key=f"{name}-until"
        )
    return Document(number, _iso(day) or "", given, _iso(until))


def _iso(day: object) -> str | None:
    return day.isoformat() if isinstance(day, dt.date) else None


def _document(area: Workspace, actor: Actor, proposal: Proposal, action: Action) -> None:
    name = f"{action.value}-{proposal.id}"
    with st.form(name, border=False):
        document = _fields(name, ends=action is not Action.ON_AIR)
        if not st.form_submit_button(words.said(words.ACTIONS, action.value), type="primary"):
            return
    proposals.record(
        identity.records(),
        actor,
        proposal.id,
        action,
        document,
        expected_version=proposal.version,
    )
    _done(_("Recorded."))


def _scenario(area: Workspace, actor: Actor, name: str, *, none: bool) -> int | None:
    """Ask for a scenario; None for none, `_NEW` for a new one."""
    known = scenarios.list_of(identity.records(), actor, area_name(area))
    titles: dict[int | None, str] = {item.id: item.title for item in known}
    titles[_NEW] = _("a new scenario")
    if none:
        titles[None] = _("none")
    return st.selectbox(
        _("Planned in the scenario"),
        list(titles),
        format_func=titles.get,
        key=f"{name}-scenario",
        help=_("There the site becomes a mast, and the figures of all pages follow."),
    )


def _chosen(number: int | None) -> int | proposal_decisions.NewScenario | None:
    if number != _NEW:
        return number
    today = formats.date(dt.datetime.now(dt.UTC).date())
    return proposal_decisions.NewScenario(_("Consented sites, {day}", day=today))


def _say_of_permit(proposal: Proposal, found: Evaluation | None) -> None:
    """Say what the appraisal can and cannot tell of the building permit."""
    if found is None:
        st.caption(_("Nothing has been worked out for this proposal yet; see the appraisal."))
    elif not is_about(found, proposal.request):
        st.warning(
            _(
                "The proposal was changed after it was worked out, so a building permit counts "
                "as required; see the appraisal."
            ),
            icon=":material/update:",
        )
    elif not found.result["permit_required"] and permit_presumed(
        found, proposal.request, proposal.plan_id
    ):
        st.caption(
            _(
                "The rules exempt such a mast from a building permit where it fits an approved "
                "plan; the proposal names none."
            )
        )


def _approve(area: Workspace, actor: Actor, proposal: Proposal, action: Action) -> None:
    name = f"approve-{proposal.id}"
    stored = proposals.evaluation(identity.records(), actor, proposal.id)
    found = None if stored is None else stored.evaluation
    _say_of_permit(proposal, found)
    with st.form(name, border=False):
        document = _fields(name)
        chosen = _scenario(area, actor, name, none=True)
        needed = st.checkbox(
            _("A building permit is required"),
            value=permit_presumed(found, proposal.request, proposal.plan_id),
            key=f"{name}-permit",
        )
        note = st.text_area(_("Conditions (optional)"), max_chars=4000, key=f"{name}-note")
        if not st.form_submit_button(words.said(words.ACTIONS, action.value), type="primary"):
            return
    proposal_decisions.approve(
        identity.records(),
        actor,
        proposal.id,
        document,
        workspace=area,
        scenario=_chosen(chosen),
        permit_required=needed,
        note=note,
        expected_version=proposal.version,
    )
    _done(_("Consent is recorded."))


def _plan(area: Workspace, actor: Actor, proposal: Proposal, action: Action) -> None:
    name = f"plan-{proposal.id}"
    with st.form(name, border=False):
        chosen = _scenario(area, actor, name, none=False)
        if not st.form_submit_button(words.said(words.ACTIONS, action.value), type="primary"):
            return
    scenario = _chosen(chosen)
    if scenario is not None:
        proposal_decisions.plan(identity.records(), actor, proposal.id, area, scenario)
        _done(_("The site is planned in the scenario."))
