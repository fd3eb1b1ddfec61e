"""Plans that sites are part of: the province's, and carriers' own."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import streamlit as st

from app import formats, identity, study
from app import proposal_labels as words
from app.i18n import _
from data.store import Workspace
from planning import site_plans
from planning.accounts import Actor, Role
from planning.proposal_workflow import Document
from planning.scenario_workspace import area_name
from planning.site_plans import SitePlan


def show(area: Workspace, actor: Actor) -> None:
    """Show the plans, and forms for those who may add or decide.

    Parameters
    ----------
    area
        The study area's own workspace.
    actor
        Who acts.
    """
    found = site_plans.list_of(identity.records(), actor, area_name(area))
    st.caption(
        _(
            "A carrier may build where a site fits the province's plan of passive infrastructure "
            "and its own plan under it."
        )
    )
    if found:
        _table(found)
    else:
        st.info(_("No plan has been recorded yet."), icon=":material/map:")
    if actor.role in (Role.PLANNER, Role.ADMINISTRATOR):
        _record(area, actor)
        _decide(actor, [plan for plan in found if plan.status == "submitted"])
    if actor.role in (Role.CARRIER, Role.ADMINISTRATOR):
        _hand_in(area, actor, [plan for plan in found if plan.level == "provincial"])


def _table(found: list[SitePlan]) -> None:
    decisions = [plan.decision for plan in found]
    st.dataframe(
        pd.DataFrame(
            {
                _("Plan"): [plan.title for plan in found],
                _("Of"): [plan.organisation or _("the province") for plan in found],
                _("State"): [words.said(words.PLAN_STATUSES, plan.status) for plan in found],
                _("Decision"): ["" if d is None else d.number for d in decisions],
                _("Day"): ["" if d is None else formats.date(d.day) for d in decisions],
                _("Valid until"): [
                    "" if d is None or d.valid_to is None else formats.date(d.valid_to)
                    for d in decisions
                ],
            }
        ),
        hide_index=True,
        width="stretch",
    )


def _document(name: str) -> Document:
    first, second, third, fourth = st.columns(4)
    number = first.text_input(_("Number of the decision"), key=f"{name}-number")
    day = second.date_input(_("Day"), format="DD/MM/YYYY", key=f"{name}-day")
    issuer = third.text_input(_("Issued by"), key=f"{name}-issuer")
    until = fourth.date_input(
        _("Valid until"), value=None, format="DD/MM/YYYY", key=f"{name}-until"
    )
    return Document(number, _iso(day) or "", issuer, _iso(until))


def _iso(day: object) -> str | None:
    return day.isoformat() if isinstance(day, dt.date) else None


def _said(text: str) -> None:
    st.session_state["proposal.said"] = text
    st.rerun()


def _record(area: Workspace, actor: Actor) -> None:
    with (
        st.expander(_("Record a plan of the province"), icon=":material/add:"),
        st.form("plan-provincial", border=False),
    ):
        title = st.text_input(_("Title"), max_chars=200)
        decision = _document("provincial")
        if st.form_submit_button(_("Record"), type="primary"):
            site_plans.record_provincial(
                identity.records(), actor, area_name(area), title, decision
            )
            _said(_("Recorded."))


def _decide(actor: Actor, waiting: list[SitePlan]) -> None:
    for plan in waiting:
        name = f"plan-{plan.id}"
        with (
            st.expander(
                _("Decide about the plan {title}", title=f"{plan.id} ({plan.organisation})"),
                icon=":material/gavel:",
            ),
            st.form(name, border=False),
        ):
            decision = _document(name)
            reason = st.text_input(_("Reason, if it is refused"), key=f"{name}-reason")
            yes, no = st.columns(2)
            approve = yes.form_submit_button(_("Approve"), type="primary")
            refuse = no.form_submit_button(_("Refuse"))
            if approve or refuse:
                site_plans.decide(
                    identity.records(),
                    actor,
                    plan.id,
                    decision if approve else None,
                    reason=reason,
                    expected_version=plan.version,
                )
                _said(_("Recorded."))


def _hand_in(area: Workspace, actor: Actor, provincial: list[SitePlan]) -> None:
    with (
        st.expander(_("Hand in a carrier's own plan"), icon=":material/add:"),
        st.form("plan-own", border=False),
    ):
        organisation = None
        if actor.role is not Role.CARRIER:
            organisation = st.selectbox(_("Carrier"), study.operators(area))
        title = st.text_input(_("Title"), max_chars=200)
        titles = {plan.id: plan.title for plan in provincial}
        parent = st.selectbox(
            _("Plan of the province"),
            [None, *titles],
            format_func=lambda number: _("none") if number is None else titles[number],
        )
        if st.form_submit_button(_("Hand in"), type="primary"):
            site_plans.submit_own(
                identity.records(),
                actor,
                area_name(area),
                title,
                parent_id=parent,
                organisation=organisation,
            )
            _said(_("Handed in."))
