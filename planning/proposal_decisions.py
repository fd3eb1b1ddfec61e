"""Consent to proposals, which become planned masts of a scenario in the same step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from coverage.request import cells_of
from data.errors import InputError
from data.records.engine import Records
from data.records.failures import StaleError
from data.store import Workspace
from planning import proposals, scenarios, site_request
from planning.accounts import Actor, Role, require
from planning.proposal_workflow import Document
from planning.scenario_network import Change

#: How often a consent is tried again whose scenario was changed in the meantime.
_TRIES = 6


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
    if wish.kind == "share" and not wish.height_m:
        masts = workspace.read("masts")
        found = masts[masts["mast_id"] == wish.mast_id]
        if found.empty:
            raise InputError("There is no mast {mast}", mast=wish.mast_id)
        wish = site_request.on_mast(wish, float(found["height_m"].iloc[0]))
    cells = site_request.typical_cells(
        wish, owner, cells_of(workspace), site_request.cell_table(workspace.folder)
    )
    return site_request.change(wish, planned_mast_id(proposal), owner, cells)


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
        Whether a building permit is needed; None takes what the rules say in the latest
        evaluation, and without one that it is.
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
