"""Carriers' proposals: asked for, appraised, decided and followed until on air.

Every function takes the records database and who acts, and checks there what the actor
may do: a carrier sees and changes its own proposals only, and is told of another's the
same as of one that does not exist. Planners see what was submitted. Every step is one
transaction with its entry in the history and its news.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from data.errors import InputError
from data.records import engine, tables
from data.records.account_tables import now
from data.records.engine import Records
from data.records.proposal_tables import Proposal as Row
from data.records.proposal_tables import (
    ProposalComment,
    ProposalEvaluation,
    ProposalStep,
)
from planning import proposal_area, proposal_codes, site_plans
from planning import proposal_news as news
from planning.accounts import Actor, Role, require
from planning.proposal_figures import Evaluation
from planning.proposal_records import KIND as KIND
from planning.proposal_records import (
    PLAIN,
    latest_evaluation,
    permit_presumed,
    proposal_of,
    seen,
    wish_of,
)
from planning.proposal_records import Comment as Comment
from planning.proposal_records import Event as Event
from planning.proposal_records import Proposal as Proposal
from planning.proposal_records import Step as Step
from planning.proposal_records import StoredEvaluation as StoredEvaluation
from planning.proposal_records import comments as comments
from planning.proposal_records import consents as consents
from planning.proposal_records import evaluation as evaluation
from planning.proposal_records import get as get
from planning.proposal_records import history as history
from planning.proposal_records import list_of as list_of
from planning.proposal_records import steps as steps
from planning.proposal_workflow import (
    Action,
    Document,
    Status,
    check_order,
    checked_document,
    document_of,
    owns,
    step,
)
from planning.site_request import SiteRequest, check_cells, checked, clean_text

#: Most proposals of one import.
MOST_AT_ONCE = 2_000

_MOST_REQUEST_ID = 100


def create(
    records: Records,
    actor: Actor,
    area: str,
    given: SiteRequest | Mapping[str, Any],
    *,
    request_id: str | None = None,
    organisation: str | None = None,
    plan_id: int | None = None,
    submit: bool = False,
    evaluation: Evaluation | None = None,
) -> Proposal:
    """Make a proposal; asked again with the same `request_id`, return the one there is.

    One that is there as a draft is submitted where `submit` is asked for now.

    Parameters
    ----------
    records
        The records database.
    actor
        Who acts: a carrier, or an administrator for one.
    area
        Name of the workspace's folder.
    given
        What is asked for.
    request_id
        Made by whoever asks, different for every wish and the same when it is sent again.
    organisation
        Carrier, where an administrator acts; a carrier's own otherwise.
    plan_id
        Carrier's plan that the site is part of.
    submit
        Whether it goes to the planners at once.
    evaluation
        What it brings, to be kept with it.

    Returns
    -------
    Proposal
        As it is kept.

    Raises
    ------
    ForbiddenError
        If the actor may not.
    InputError
        If something asked for cannot be, the carrier has an open proposal with the same
        reference, or `request_id` was used for something else; where it is submitted, also
        if it lies outside the area or names a mast that is not there.
    """
    (made,) = create_many(
        records,
        actor,
        area,
        [given],
        request_ids=[request_id or uuid.uuid4().hex],
        organisation=organisation,
        plan_id=plan_id,
        submit=submit,
        evaluations=[evaluation],
    )
    return made


def create_many(
    records: Records,
    actor: Actor,
    area: str,
    given: Sequence[SiteRequest | Mapping[str, Any]],
    *,
    request_ids: Sequence[str] | None = None,
    organisation: str | None = None,
    plan_id: int | None = None,
    submit: bool = False,
    evaluations: Sequence[Evaluation | None] | None = None,
) -> list[Proposal]:
    """Make several proposals, all or none; see `create`.

    Parameters
    ----------
    records, actor, area, organisation, plan_id, submit
        See `create`.
    given, request_ids, evaluations
        One for each proposal.
    """
    require(actor, Role.CARRIER, Role.ADMINISTRATOR)
    owner = owner_of(actor, organisation)
    if len(given) > MOST_AT_ONCE:
        raise InputError(
            "{count} proposals at once (at most {limit})", count=len(given), limit=MOST_AT_ONCE
        )
    wishes = [_checked(wish) for wish in given]
    names = [_request_id(name) for name in request_ids or [uuid.uuid4().hex for _ in wishes]]
    found = evaluations or [None] * len(wishes)
    proposal_area.check_carrier(records, actor, area, owner)
    if submit:
        proposal_area.check_sites(records, area, wishes)
    for attempt in (1, 2):
        try:
            with records.session() as session:
                proposal_codes.wait_turn(session, area, owner)
                site_plans.check(session, area, owner, plan_id)
                rows = [
                    _make(session, actor, area, owner, wish, name, plan_id, submit, evaluation)
                    for wish, name, evaluation in zip(wishes, names, found, strict=True)
                ]
                session.flush()
                return [proposal_of(actor, row) for row in rows]
        except sa.exc.IntegrityError:
            # The same request came twice at the same time: now the other one is there.
            if attempt == 2:
                raise
    raise AssertionError


def _checked(wish: SiteRequest | Mapping[str, Any]) -> SiteRequest:
    return checked(wish.to_dict() if isinstance(wish, SiteRequest) else wish)


def owner_of(actor: Actor, organisation: str | None) -> str:
    """Return for which carrier somebody proposes; a carrier does for itself.

    Parameters
    ----------
    actor, organisation
        See `create`.

    Raises
    ------
    InputError
        If it is not stated, or a carrier states another.
    """
    owner = actor.organisation if actor.role is Role.CARRIER else (organisation or "").strip()
    if not owner:
        raise InputError("It is not stated for which carrier the proposal is")
    if actor.role is Role.CARRIER and organisation not in (None, owner):
        raise InputError("A carrier proposes for itself only")
    return clean_text(owner, "name")


def _request_id(name: str) -> str:
    if not name or len(name) > _MOST_REQUEST_ID or not name.isascii() or not name.isprintable():
        raise InputError("The number of the request cannot be used")
    return name


def _make(
    session: Session,
    actor: Actor,
    area: str,
    owner: str,
    wish: SiteRequest,
    request_id: str,
    plan_id: int | None,
    submit: bool,
    evaluation: Evaluation | None,
) -> Row:
    there = session.scalar(
        sa.select(Row).where(
            Row.area == area, Row.organisation == owner, Row.request_id == request_id
        )
    )
    if there is not None:
        if there.request_digest != wish.digest:
            raise InputError("The number of the request was used for another proposal")
        if submit and there.status == Status.DRAFT.value:
            _move(session, actor, there, Action.SUBMIT)
        return there
    proposal_codes.check_free(session, area, owner, wish.reference)
    row = Row(
        area=area,
        organisation=owner,
        request_id=request_id,
        request_digest=wish.digest,
        plan_id=plan_id,
        status=Status.DRAFT.value,
        account_id=actor.account_id,
    )
    _put(row, wish)
    session.add(row)
    session.flush()
    _remember(session, actor, row, "created", request=wish.to_dict())
    if evaluation is not None:
        _keep_evaluation(session, actor, row, evaluation)
    if submit:
        _move(session, actor, row, Action.SUBMIT)
    return row


def _put(row: Row, wish: SiteRequest) -> None:
    for name in PLAIN:
        setattr(row, name, getattr(wish, name))
    row.place = (wish.lon, wish.lat)
    row.technologies = list(wish.technologies)
    row.cells = [dict(cell) for cell in wish.cells]


def edit(
    records: Records,
    actor: Actor,
    proposal_id: int,
    given: SiteRequest | Mapping[str, Any],
    *,
    expected_version: int | None = None,
    evaluation: Evaluation | None = None,
) -> Proposal:
    """Ask for something else in a draft, or where changes were asked for.

    Parameters
    ----------
    records, actor, proposal_id
        See `get`.
    given, evaluation
        See `create`.
    expected_version
        `Proposal.version` when the user looked at it; None accepts any.

    Raises
    ------
    StaleError
        If somebody else has changed it.
    """
    wish = _checked(given)
    with records.session() as session:
        row = _taken(session, actor, proposal_id, expected_version)
        before, after = wish_of(row).to_dict(), wish.to_dict()
        step(Action.EDIT, actor, row.organisation, Status(row.status))
        if wish.reference != row.reference:
            proposal_codes.wait_turn(session, row.area, row.organisation)
            proposal_codes.check_free(session, row.area, row.organisation, wish.reference)
        _put(row, wish)
        changed = {
            name: [before[name], after[name]] for name in after if before[name] != after[name]
        }
        if changed:
            _touch(row)
            _remember(session, actor, row, "edited", changed=changed)
        if evaluation is not None:
            _keep_evaluation(session, actor, row, evaluation)
        session.flush()
        return proposal_of(actor, row)


def submit(
    records: Records, actor: Actor, proposal_id: int, *, expected_version: int | None = None
) -> Proposal:
    """Send a proposal to the planners; one that was sent already stays as it is.

    Parameters
    ----------
    records, actor, proposal_id, expected_version
        See `edit`.
    """
    present = get(records, actor, proposal_id)
    if Action.SUBMIT in present.actions:
        proposal_area.check_sites(records, present.area, [present.request])
    with records.session() as session:
        row = seen(session, actor, proposal_id)
        if row.status == Status.SUBMITTED.value and owns(actor, row.organisation):
            return proposal_of(actor, row)
        # What was checked is what is sent.
        engine.expect(row, present.version if expected_version is None else expected_version)
        if row.submitted_at is None:
            site_plans.check(session, row.area, row.organisation, row.plan_id)
        _move(session, actor, row, Action.SUBMIT)
        session.flush()
        return proposal_of(actor, row)


def withdraw(
    records: Records,
    actor: Actor,
    proposal_id: int,
    *,
    reason: str = "",
    expected_version: int | None = None,
) -> Proposal:
    """Take a proposal back.

    Parameters
    ----------
    records, actor, proposal_id, expected_version
        See `edit`.
    reason
        Why.
    """
    return _act(records, actor, proposal_id, Action.WITHDRAW, expected_version, reason)


def request_changes(
    records: Records,
    actor: Actor,
    proposal_id: int,
    reason: str,
    *,
    expected_version: int | None = None,
) -> Proposal:
    """Give a proposal back to be changed; see `refuse`."""
    return _act(records, actor, proposal_id, Action.REQUEST_CHANGES, expected_version, reason)


def refuse(
    records: Records,
    actor: Actor,
    proposal_id: int,
    reason: str,
    *,
    expected_version: int | None = None,
) -> Proposal:
    """Refuse a proposal.

    Parameters
    ----------
    records, actor, proposal_id, expected_version
        See `edit`; planners only.
    reason
        Why; must be given.
    """
    return _act(records, actor, proposal_id, Action.REFUSE, expected_version, reason)


def record(
    records: Records,
    actor: Actor,
    proposal_id: int,
    action: Action,
    document: Document,
    *,
    expected_version: int | None = None,
) -> Proposal:
    """Record the permit, the certificate of exposure, its renewal, or going on air.

    Parameters
    ----------
    records, actor, proposal_id, expected_version
        See `edit`; the carrier and planners.
    action
        PERMIT, EMF_CERTIFICATE, RENEW or ON_AIR.
    document
        Its number, day, issuer and last day.
    """
    if action is Action.APPROVE or not document_of(action):
        raise InputError("{action} records no document", action=action.value)
    with records.session() as session:
        row = _taken(session, actor, proposal_id, expected_version)
        _document(session, actor, row, action, document)
        session.flush()
        return proposal_of(actor, row)


def approve_in(
    session: Session,
    actor: Actor,
    proposal_id: int,
    document: Document,
    *,
    permit_required: bool | None = None,
    scenario_id: int | None = None,
    note: str = "",
    expected_version: int | None = None,
) -> Proposal:
    """Consent to a proposal within a transaction; see `planning.proposal_decisions.approve`."""
    row = _taken(session, actor, proposal_id, expected_version)
    latest = latest_evaluation(session, row)
    if permit_required is None:
        permit_required = permit_presumed(latest, wish_of(row), row.plan_id)
    row.permit_required = permit_required
    row.scenario_id = scenario_id
    said = clean_text(note, "note")
    _document(
        session,
        actor,
        row,
        Action.APPROVE,
        document,
        permit_required=permit_required,
        scenario=scenario_id,
        note=said,
        evaluation=None if latest is None else latest.key,
    )
    session.flush()
    return proposal_of(actor, row)


def plan_in(
    session: Session,
    actor: Actor,
    proposal_id: int,
    scenario_id: int,
    *,
    expected_version: int | None = None,
) -> Proposal:
    """Note within a transaction that an approved site is planned in a scenario."""
    row = _taken(session, actor, proposal_id, expected_version)
    step(Action.PLAN, actor, row.organisation, Status(row.status))
    row.scenario_id = scenario_id
    _touch(row)
    _remember(session, actor, row, "planned", scenario=scenario_id)
    session.flush()
    return proposal_of(actor, row)


def comment(records: Records, actor: Actor, proposal_id: int, text: str) -> Comment:
    """Say something about a proposal, to its carrier and the planners.

    Parameters
    ----------
    records, actor, proposal_id
        See `get`.
    text
        What is said.
    """
    said = clean_text(text, "comment")
    if not said:
        raise InputError("The comment is empty")
    with records.session() as session:
        row = seen(session, actor, proposal_id)
        kept = ProposalComment(
            proposal_id=row.id,
            account_id=actor.account_id,
            role=actor.role.value,
            organisation=actor.organisation,
            text=said,
        )
        session.add(kept)
        _remember(session, actor, row, "commented", text=said)
        _tell(session, actor, row, "commented")
        session.flush()
        return Comment(kept.at, kept.account_id, kept.role, kept.organisation, kept.text)


def keep_evaluation(
    records: Records, actor: Actor, proposal_id: int, evaluation: Evaluation
) -> None:
    """Keep what a proposal brings; the same figures are kept once.

    Parameters
    ----------
    records, actor, proposal_id
        See `get`; the carrier and planners.
    evaluation
        The figures.
    """
    with records.session() as session:
        _keep_evaluation(session, actor, seen(session, actor, proposal_id), evaluation)


def _keep_evaluation(session: Session, actor: Actor, row: Row, found: Evaluation) -> None:
    latest = latest_evaluation(session, row)
    if latest is not None and latest.key == found.key and latest.result == found.result:
        return
    session.add(
        ProposalEvaluation(
            proposal_id=row.id,
            account_id=actor.account_id,
            key=found.key,
            inputs=found.inputs,
            result=found.result,
        )
    )
    _remember(session, actor, row, "evaluated", key=found.key)


def _taken(session: Session, actor: Actor, proposal_id: int, version: int | None) -> Row:
    row = seen(session, actor, proposal_id)
    engine.expect(row, version)
    return row


def _touch(row: Row) -> None:
    """Give a row another version, also where nothing else of it changes."""
    row.changed_at = max(now(), row.changed_at + dt.timedelta(milliseconds=1))


def _act(
    records: Records,
    actor: Actor,
    proposal_id: int,
    action: Action,
    expected_version: int | None,
    reason: str,
) -> Proposal:
    with records.session() as session:
        row = _taken(session, actor, proposal_id, expected_version)
        _move(session, actor, row, action, reason=clean_text(reason, "note"))
        session.flush()
        return proposal_of(actor, row)


#: Action -> what the history calls it.
_DONE = {
    Action.SUBMIT: "submitted",
    Action.WITHDRAW: "withdrawn",
    Action.REQUEST_CHANGES: "changes_requested",
    Action.REFUSE: "refused",
    Action.APPROVE: "approved",
    Action.PERMIT: "permit",
    Action.EMF_CERTIFICATE: "emf_certificate",
    Action.ON_AIR: "on_air",
    Action.RENEW: "renewed",
}


def _move(
    session: Session,
    actor: Actor,
    row: Row,
    action: Action,
    *,
    reason: str = "",
    detail: Mapping[str, object] | None = None,
) -> None:
    row.status = step(
        action,
        actor,
        row.organisation,
        Status(row.status),
        permit_required=row.permit_required,
        reason=reason,
    ).value
    if action is Action.SUBMIT:
        only = row.organisation if actor.role is Role.CARRIER else None
        check_cells(wish_of(row), row.organisation, only=only)
        row.submitted_at = now()
    _touch(row)
    said = {**(detail or {}), **({"reason": reason} if reason else {})}
    _remember(session, actor, row, _DONE[action], **said)
    _tell(session, actor, row, _DONE[action])


def _document(
    session: Session, actor: Actor, row: Row, action: Action, document: Document, **detail: object
) -> None:
    given = checked_document(document)
    kind = document_of(action)
    before = session.scalars(sa.select(ProposalStep).where(ProposalStep.proposal_id == row.id))
    recorded = [(each.kind, each.number, each.day) for each in before]
    if any(each[:2] == (kind, given.number) for each in recorded):
        raise InputError("The document {number} is recorded already", number=given.number)
    check_order(kind, given.day, [(other, day) for other, _, day in recorded])
    _move(session, actor, row, action, detail={**asdict(given), **detail})
    session.add(
        ProposalStep(
            proposal_id=row.id,
            kind=kind,
            number=given.number,
            day=given.day,
            issuer=given.issuer,
            valid_to=given.valid_to,
            account_id=actor.account_id,
        )
    )


def _tell(session: Session, actor: Actor, row: Row, action: str) -> None:
    """Tell the other side; the local user is both."""
    if actor.role is Role.CARRIER:
        # What was never submitted is nobody else's business.
        if row.submitted_at is not None:
            news.tell_planners(session, row, action)
        return
    if action in ("submitted", "withdrawn"):
        news.tell_planners(session, row, action)
    news.tell_owner(session, row, action)


def _remember(session: Session, actor: Actor, row: Row, action: str, **detail: object) -> None:
    tables.append_history(
        session,
        area=row.area,
        kind=KIND,
        subject_id=row.id,
        actor=actor,
        action=action,
        detail=detail,
    )
