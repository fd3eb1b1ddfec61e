"""Scenarios: which there are, make another, rename, publish, delete."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import formats, identity, scenario
from app.components import scenario_texts
from app.components.kept import keep
from app.components.style import plain
from app.i18n import _
from data.records.engine import Records
from data.store import Workspace
from planning import scenarios
from planning.accounts import Actor, Role
from planning.scenarios import Scenario

#: The scenario that is worked on; also read by the other parts of the page.
CHOSEN = "scenario_edited"


def show(area: Workspace) -> Scenario | None:
    """Show the scenarios and what can be done with each.

    Parameters
    ----------
    area
        The study area's own workspace.

    Returns
    -------
    Scenario or None
        The one that is worked on.
    """
    records, actor = identity.records(), identity.actor()
    found = scenarios.list_of(records, actor, scenarios.area_name(area))
    if found:
        _table(found)
    else:
        st.info(
            _(
                "There is no scenario yet. A scenario is the network of today with changes; all "
                "pages can show it."
            ),
            icon=":material/alt_route:",
        )
    may_change = actor.role in (Role.CARRIER, Role.PLANNER, Role.ADMINISTRATOR)
    if may_change:
        _create(area, records, actor, found)
    if not found:
        return None
    titles = scenario_texts.titles(found)
    wanted = st.session_state.pop("scenario.made", None)
    if wanted in titles:
        st.session_state[f"keep.{CHOSEN}"] = wanted
    chosen = st.selectbox(
        _("Scenario"),
        list(titles),
        format_func=titles.get,
        key=keep(CHOSEN, found[0].id, list(titles)),
    )
    item = next(one for one in found if one.id == chosen)
    if item.note:
        st.caption(plain(item.note))
    _actions(records, actor, item)
    return item


def _table(found: list[Scenario]) -> None:
    table = pd.DataFrame(
        {
            _("No."): [item.id for item in found],
            _("Name"): [item.title for item in found],
            _("Changes"): [len(item.changes) for item in found],
            _("Whose"): [item.organisation or _("planners") for item in found],
            _("Published"): [item.published for item in found],
            _("Last change"): [formats.moment(item.changed_at) for item in found],
        }
    )
    st.dataframe(table, hide_index=True, width="stretch")


def _create(area: Workspace, records: Records, actor: Actor, found: list[Scenario]) -> None:
    with st.expander(_("Make a scenario"), icon=":material/add:", expanded=not found):
        with st.form("scenario.create", clear_on_submit=True, border=False):
            titles = {0: _("Network of today"), **scenario_texts.titles(found)}
            left, right = st.columns(2)
            title = left.text_input(_("Name"), max_chars=200)
            origin = right.selectbox(_("Begins as"), list(titles), format_func=titles.get)
            note = st.text_area(_("Note"), max_chars=5000, height=80)
            if not st.form_submit_button(_("Make the scenario"), type="primary"):
                return
        changes = next((item.changes for item in found if item.id == origin), ())
        made = scenarios.create(
            records, actor, scenarios.area_name(area), title, changes, note=note
        )
        st.session_state["scenario.made"] = made.id
        st.rerun()


def _actions(records: Records, actor: Actor, item: Scenario) -> None:
    """Buttons for what may be done with a scenario."""
    on_all, rename, publish, delete = st.columns(4)
    shown = scenario.number() == item.id
    if on_all.button(
        _("Shown on all pages") if shown else _("Show on all pages"),
        icon=":material/visibility:",
        disabled=shown,
        width="stretch",
    ):
        scenario.choose(item.id)
        st.rerun()
    if not may_change(actor, item):
        return
    with rename.popover(_("Rename"), icon=":material/edit:", width="stretch"):
        title = st.text_input(_("Name"), item.title, key=f"scenario.title.{item.id}")
        note = st.text_area(_("Note"), item.note, key=f"scenario.note.{item.id}")
        if st.button(_("Save"), key="scenario.rename"):
            scenarios.rename(
                records, actor, item.id, title, note=note, expected_version=item.version
            )
            st.rerun()
    if actor.role in (Role.PLANNER, Role.ADMINISTRATOR):
        label = _("Withdraw from view") if item.published else _("Publish")
        if publish.button(
            label,
            icon=":material/campaign:",
            help=_("Everybody sees a published scenario."),
            width="stretch",
        ):
            scenarios.publish(
                records, actor, item.id, not item.published, expected_version=item.version
            )
            st.rerun()
    with delete.popover(_("Delete"), icon=":material/delete:", width="stretch"):
        st.write(_("The scenario goes for good; the history keeps its changes."))
        if st.button(_("Delete the scenario"), key="scenario.delete"):
            scenarios.delete(records, actor, item.id, expected_version=item.version)
            if shown:
                scenario.choose(scenario.TODAY)
            st.rerun()


def may_change(actor: Actor, item: Scenario) -> bool:
    """Return whether to offer changes; whether they are allowed is checked where they are made.

    Parameters
    ----------
    actor
        Who looks.
    item
        The scenario.

    Returns
    -------
    bool
        Whether it is the actor's own, or the actor is a planner.
    """
    if actor.role in (Role.PLANNER, Role.ADMINISTRATOR):
        return True
    own = bool(actor.organisation) and actor.organisation == item.organisation
    return actor.role is Role.CARRIER and own
