"""Consent to proposals, which become planned masts of a scenario in the same step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyproj
from sqlalchemy.orm import Session

from data.errors import InputError
from data.records.engine import Records
from data.records.failures import StaleError
from data.store import Workspace
from planning import proposals, scenarios, site_antennas, site_request, site_rules
from planning.accounts import Actor, Role, require
from planning.proposal_workflow import Document, Status
from planning.scenario_network import Change

#: How often a consent is tried again whose scenario was changed in the meantime.
_TRIES = 6

_CONSENTED = (Status.APPROVED, Status.PERMIT, Status.EMF_CERTIFICATE, Status.ON_AIR)


def planned_mast_id(proposal: proposals.Proposal) -> str:
    """Return the code of the mast that a proposal becomes in scenarios."""
    return f"P{proposal.id}-{proposal.request.reference}"


def change_of(workspace: Workspace, proposal: proposals.Proposal) -> Change:
    """Return what a proposal changes in the network.

    Parameters
    ----------
    workspace
        The study area.
    proposal
        The proposal.

    Returns
    -------
    Change
        With the cells asked for, or typical ones.

    Raises
    ------
    InputError
        If there is no such mast to share, or there are no typical cells.
    """
    wish, owner = proposal.request, proposal.organisation
    cells = site_antennas.cells_of_site(workspace, wish, owner)
    return site_request.change(wish, planned_mast_id(proposal), owner, cells)


def consented_near(
    records: Records, actor: Actor, workspace: Workspace, proposal: proposals.Proposal
) -> list[tuple[proposals.Proposal, float]]:
    """Return the consented new masts near a proposed one, which no layer has yet.

    Parameters
    ----------
    records, actor
        See `planning.proposals.get`; a carrier is told of its own only.
    workspace
        The study area, with its rules.
    proposal
        The proposal.

    Returns
    -------
    list of tuple
        Proposals nearer than the greatest spacing of the rules, with their distance [m],
        the nearest first; none for antennas on a mast that is there.
    """
    rules = site_rules.rules(workspace.folder)
    reach = max((rule.value for rule in rules if rule.rule == "spacing"), default=0.0)
    here, found = proposal.request, []
    if here.kind != "new":
        return []
    globe = pyproj.Geod(ellps="WGS84")
    for other in proposals.list_of(records, actor, proposal.area, statuses=_CONSENTED):
        there = other.request
        _, _, distance = globe.inv(here.lon, here.lat, there.lon, there.lat)
        if other.id != proposal.id and there.kind == "new" and distance < reach:
            found.append((other, float(distance)))
    return sorted(found, key=lambda pair: pair[1])


@dataclass(frozen=True)
class NewScenario:
    """A scenario that is made together with a decision; `title` is what it is called."""

    title: str


def approve(
    records: Records,
    actor: Actor,
    proposal_id: int,
    document: Document,
    *,
    workspace: Workspace | None = None,
    scenario: int | NewScenario | None = None,
    permit_required: bool | None = None,
    note: str = "",
    expected_version: int | None = None,
) -> proposals.Proposal:
    """Consent to a proposal.

    Parameters
    ----------
    records
        The records database.
    actor
        Who acts: a planner or administrator.
    proposal_id
        Number of the proposal.
    document
        The letter of consent.
    workspace, scenario
        Study area, and the scenario in which the site becomes a planned mast; None for
        none.
    permit_required
        Whether a building permit is needed; None takes `proposal_records.permit_presumed`.
    note
        Conditions.
    expected_version
        `Proposal.version` when the user looked at it; None accepts any.

    Returns
    -------
    Proposal
        As it is kept.

    Raises
    ------
    ForbiddenError, InputError, StaleError
        If the actor may not, something is missing or does not fit the scenario, or
        somebody else was faster. Then neither proposal nor scenario is changed.
    """
    require(actor, Role.PLANNER, Role.ADMINISTRATOR)

    def consent(session: Session, version: int | None, number: int | None) -> proposals.Proposal:
        return proposals.approve_in(
            session,
            actor,
            proposal_id,
            document,
            permit_required=permit_required,
            scenario_id=number,
            note=note,
            expected_version=version,
        )

    if scenario is None or workspace is None:
        with records.session() as session:
            return consent(session, expected_version, None)
    return _planned(records, actor, proposal_id, workspace, scenario, consent, expected_version)


def plan(
    records: Records,
    actor: Actor,
    proposal_id: int,
    workspace: Workspace,
    scenario: int | NewScenario,
) -> proposals.Proposal:
    """Make an approved site a planned mast of a scenario.

    Parameters
    ----------
    records, actor, proposal_id, workspace, scenario
        See `approve`.
    """
    require(actor, Role.PLANNER, Role.ADMINISTRATOR)

    def note(session: Session, version: int | None, number: int | None) -> proposals.Proposal:
        return proposals.plan_in(session, actor, proposal_id, number or 0, expected_version=version)

    return _planned(records, actor, proposal_id, workspace, scenario, note, None)


_Step = Callable[[Session, int | None, int | None], proposals.Proposal]


def _planned(
    records: Records,
    actor: Actor,
    proposal_id: int,
    workspace: Workspace,
    scenario: int | NewScenario,
    step: _Step,
    expected_version: int | None,
) -> proposals.Proposal:
    """Take a step with a proposal and put its site into a scenario, both or neither."""
    area = scenarios.area_name(workspace)
    for attempt in range(_TRIES):
        # The proposal that was looked at counts; of the scenario the newest does.
        proposal = proposals.get(records, actor, proposal_id)
        version = proposal.version if expected_version is None else expected_version
        if proposal.version != version:
            raise StaleError
        if proposal.area != area:
            raise InputError("There is no proposal {number}", number=proposal_id)
        change = change_of(workspace, proposal)
        present = None
        if not isinstance(scenario, NewScenario):
            present = scenarios.get(records, actor, scenario)
            if present.area != area:
                raise InputError("There is no scenario {value}", value=scenario)
        before = () if present is None else present.changes
        scenarios.network(workspace.base or workspace, [*before, change])
        try:
            with records.session() as session:
                if isinstance(scenario, NewScenario):
                    made = scenarios.create_in(session, actor, area, scenario.title, [change])
                    return step(session, version, made.id)
                done = step(session, version, scenario)
                scenarios.add_changes_in(
                    session,
                    actor,
                    scenario,
                    [change],
                    expected_version=None if present is None else present.version,
                )
                return done
        except StaleError:
            if attempt == _TRIES - 1:
                raise
    raise AssertionError
