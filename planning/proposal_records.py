"""Proposals as they are read: by whom, and nobody else.

A carrier sees its own proposals, planners what was submitted. Of another's proposal all
are told the same as of one that does not exist.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from data.errors import InputError
from data.records import tables
from data.records.engine import Records
from data.records.proposal_tables import Proposal as Row
from data.records.proposal_tables import ProposalComment, ProposalEvaluation, ProposalStep
from planning.accounts import Actor, Role
from planning.proposal_figures import Evaluation
from planning.proposal_workflow import Action, Document, Status, owns, plans, possible
from planning.site_request import SiteRequest

#: Kind of the entries in the history.
KIND = "proposal"

#: Fields of a request that are columns of the same name.
PLAIN = (
    "reference", "name", "kind", "mast_id", "mast_class", "height_m", "building_height_m",
    "radius_m", "shareable", "max_tenants", "note",
)  # fmt: skip


@dataclass(frozen=True)
class Proposal:
    """A proposal as it was when it was read.

    Parameters
    ----------
    id
        Its number.
    area
        Name of the workspace's folder.
    organisation
        Carrier whose it is.
    request
        What is asked for.
    status
        Where it is.
    permit_required
        Whether a building permit is needed; None before the decision.
    scenario_id
        Scenario in which it is planned; None for none.
    plan_id
        Carrier's plan that it is part of; None for none.
    account_id
        Who made it; None without account.
    created_at, changed_at, submitted_at
        When, in UTC; None if it was never submitted.
    version
        For `expected_version`.
    actions
        What the actor who read it may do with it.
    """

    id: int
    area: str
    organisation: str
    request: SiteRequest
    status: Status
    permit_required: bool | None
    scenario_id: int | None
    plan_id: int | None
    account_id: int | None
    created_at: dt.datetime
    changed_at: dt.datetime
    submitted_at: dt.datetime | None
    version: int
    actions: tuple[Action, ...]


@dataclass(frozen=True)
class Event:
    """An entry of the history.

    Parameters
    ----------
    at
        When, in UTC.
    account_id
        Who; None without account.
    acting_as
        Who, where it was no account.
    role, organisation
        In which role, for whom.
    action
        What was done.
    detail
        Exactly what.
    """

    at: dt.datetime
    account_id: int | None
    acting_as: str
    role: str
    organisation: str
    action: str
    detail: dict[str, Any]


@dataclass(frozen=True)
class Comment:
    """Something said about a proposal; see `Event`."""

    at: dt.datetime
    account_id: int | None
    role: str
    organisation: str
    text: str


@dataclass(frozen=True)
class Step:
    """A document on the way of a proposal; `kind` as in `proposal_workflow`."""

    kind: str
    document: Document
    at: dt.datetime


@dataclass(frozen=True)
class StoredEvaluation:
    """The latest evaluation of a proposal, and when it was made."""

    at: dt.datetime
    evaluation: Evaluation


def wish_of(row: Row) -> SiteRequest:
    """Return what a row asks for."""
    return SiteRequest(
        lon=row.place[0],
        lat=row.place[1],
        technologies=tuple(row.technologies),
        cells=tuple(row.cells),
        **{name: getattr(row, name) for name in PLAIN},
    )


def proposal_of(actor: Actor, row: Row) -> Proposal:
    """Return a row as somebody may see it; whether he may is asked before."""
    status = Status(row.status)
    return Proposal(
        row.id,
        row.area,
        row.organisation,
        wish_of(row),
        status,
        row.permit_required,
        row.scenario_id,
        row.plan_id,
        row.account_id,
        row.created_at,
        row.changed_at,
        row.submitted_at,
        row.version,
        possible(actor, row.organisation, status, row.permit_required),
    )


def _may_see(actor: Actor, row: Row) -> bool:
    return owns(actor, row.organisation) or (plans(actor) and row.submitted_at is not None)


def seen(session: Session, actor: Actor, proposal_id: int) -> Row:
    """Return the row of a proposal that somebody may see; within a transaction.

    Parameters
    ----------
    session
        The transaction.
    actor
        Who asks.
    proposal_id
        Its number.

    Raises
    ------
    InputError
        If there is none, or it is somebody else's: the two cannot be told apart.
    """
    row = session.get(Row, proposal_id) if 0 < proposal_id < 2**31 else None
    if row is None or not _may_see(actor, row):
        raise InputError("There is no proposal {number}", number=proposal_id)
    return row


def get(records: Records, actor: Actor, proposal_id: int) -> Proposal:
    """Return a proposal.

    Parameters
    ----------
    records, actor
        See `create`; planners see what was submitted.
    proposal_id
        Its number.

    Raises
    ------
    InputError
        If there is none that the actor may see.
    """
    with records.reading() as session:
        return proposal_of(actor, seen(session, actor, proposal_id))


def list_of(
    records: Records,
    actor: Actor,
    area: str,
    *,
    statuses: Sequence[Status] = (),
    organisation: str | None = None,
) -> list[Proposal]:
    """Return the proposals of an area that somebody may see, the latest change first.

    Parameters
    ----------
    records, actor, area
        See `create`; viewers see none.
    statuses
        Those wanted; all if empty.
    organisation
        Carrier whose are wanted; all if None.
    """
    query = sa.select(Row).where(Row.area == area)
    if actor.role is Role.CARRIER:
        query = query.where(Row.organisation == actor.organisation)
    if statuses:
        query = query.where(Row.status.in_([status.value for status in statuses]))
    if organisation is not None:
        query = query.where(Row.organisation == organisation)
    with records.reading() as session:
        rows = session.scalars(query.order_by(Row.changed_at.desc(), Row.id.desc()))
        return [proposal_of(actor, row) for row in rows if _may_see(actor, row)]


def comments(records: Records, actor: Actor, proposal_id: int) -> list[Comment]:
    """Return what was said about a proposal, the oldest first; see `get`."""
    with records.reading() as session:
        row = seen(session, actor, proposal_id)
        query = sa.select(ProposalComment).where(ProposalComment.proposal_id == row.id)
        return [
            Comment(item.at, item.account_id, item.role, item.organisation, item.text)
            for item in session.scalars(query.order_by(ProposalComment.id))
        ]


def steps(records: Records, actor: Actor, proposal_id: int) -> list[Step]:
    """Return the documents of a proposal, the oldest first; see `get`."""
    with records.reading() as session:
        row = seen(session, actor, proposal_id)
        query = sa.select(ProposalStep).where(ProposalStep.proposal_id == row.id)
        return [
            Step(item.kind, Document(item.number, item.day, item.issuer, item.valid_to), item.at)
            for item in session.scalars(query.order_by(ProposalStep.id))
        ]


def consents(records: Records, actor: Actor, proposal_ids: Sequence[int]) -> dict[int, Document]:
    """Return the letters of consent of proposals by their numbers.

    Parameters
    ----------
    records, actor
        See `get`.
    proposal_ids
        Those asked about; what the actor may not see has none.
    """
    query = (
        sa.select(Row, ProposalStep)
        .join(ProposalStep, ProposalStep.proposal_id == Row.id)
        .where(ProposalStep.kind == "consent")
    )
    wanted = set(proposal_ids)
    with records.reading() as session:
        return {
            row.id: Document(item.number, item.day, item.issuer, item.valid_to)
            for row, item in session.execute(query)
            if row.id in wanted and _may_see(actor, row)
        }


def history(records: Records, actor: Actor, proposal_id: int) -> list[Event]:
    """Return everything that was done with a proposal, the oldest first; see `get`."""
    entry = tables.HistoryEntry
    with records.reading() as session:
        row = seen(session, actor, proposal_id)
        query = sa.select(entry).where(
            entry.area == row.area, entry.kind == KIND, entry.subject_id == str(row.id)
        )
        return [
            Event(
                item.at,
                item.account_id,
                item.acting_as,
                item.role,
                item.organisation,
                item.action,
                item.detail,
            )
            for item in session.scalars(query.order_by(entry.id))
        ]


def evaluation(records: Records, actor: Actor, proposal_id: int) -> StoredEvaluation | None:
    """Return the latest evaluation of a proposal, None if there is none; see `get`."""
    with records.reading() as session:
        found = latest_evaluation(session, seen(session, actor, proposal_id))
        if found is None:
            return None
        return StoredEvaluation(found.at, Evaluation(found.key, found.inputs, found.result))


def is_about(found: Evaluation | ProposalEvaluation, wish: SiteRequest) -> bool:
    """Return whether an evaluation was made of what is asked for, not of an earlier wish."""
    return bool(found.inputs.get("site") == wish.to_dict())


def permit_presumed(
    found: Evaluation | ProposalEvaluation | None, wish: SiteRequest, plan_id: int | None
) -> bool:
    """Return whether a consent that does not say it asks for a building permit.

    Parameters
    ----------
    found
        The latest evaluation; None if there is none.
    wish
        What is asked for now.
    plan_id
        The carrier's plan that the site is part of; None for none.

    Returns
    -------
    bool
        False only where the rules exempt exactly this site: antennas on a mast that is
        there, or a new mast that is part of a plan, as the exemption asks for.
    """
    if found is None or not is_about(found, wish) or found.result["permit_required"]:
        return True
    return wish.kind == "new" and plan_id is None


def latest_evaluation(session: Session, row: Row) -> ProposalEvaluation | None:
    """Return the latest evaluation of a proposal within a transaction, None if there is none."""
    query = sa.select(ProposalEvaluation).where(ProposalEvaluation.proposal_id == row.id)
    return session.scalar(query.order_by(ProposalEvaluation.id.desc()).limit(1))
