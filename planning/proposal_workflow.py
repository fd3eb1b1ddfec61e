"""The way of a proposal from draft to on air: what may follow on what, and by whom.

The steps follow practice: a carrier asks for a site within the province's and its own
plan, the department appraises it and consents by a numbered letter, then come the
building permit where one is needed, the certificate of exposure and going on air.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from data.errors import InputError
from data.vintages import iso
from planning import names
from planning.accounts import ROLE_NAMES, Actor, ForbiddenError, Role


class Status(StrEnum):
    """Where a proposal is."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    CHANGES_REQUESTED = "changes_requested"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"
    APPROVED = "approved"
    PERMIT = "permit"
    EMF_CERTIFICATE = "emf_certificate"
    ON_AIR = "on_air"


class Action(StrEnum):
    """What can be done with a proposal."""

    EDIT = "edit"
    SUBMIT = "submit"
    WITHDRAW = "withdraw"
    REQUEST_CHANGES = "request_changes"
    REFUSE = "refuse"
    APPROVE = "approve"
    PERMIT = "permit"
    EMF_CERTIFICATE = "emf_certificate"
    ON_AIR = "on_air"
    RENEW = "renew"
    PLAN = "plan"


@dataclass(frozen=True)
class Transition:
    """One row of the table.

    Parameters
    ----------
    action
        What is done.
    sources
        Where the proposal must be.
    target
        Where it is then; None if it stays.
    by_owner, by_planner
        Whether the carrier whose it is may do it, and whether planners may.
    needs_reason
        Whether a reason must be given.
    document
        Kind of the document that must be named by number and day; empty for none.
    """

    action: Action
    sources: tuple[Status, ...]
    target: Status | None
    by_owner: bool = False
    by_planner: bool = False
    needs_reason: bool = False
    document: str = ""


_EDITABLE = (Status.DRAFT, Status.CHANGES_REQUESTED)

#: Where nobody has decided yet.
OPEN = (Status.DRAFT, Status.SUBMITTED, Status.CHANGES_REQUESTED)
_BUILT = (Status.APPROVED, Status.PERMIT, Status.EMF_CERTIFICATE, Status.ON_AIR)

#: All that may happen to a proposal.
TRANSITIONS = (
    Transition(Action.EDIT, _EDITABLE, None, by_owner=True),
    Transition(Action.SUBMIT, _EDITABLE, Status.SUBMITTED, by_owner=True),
    Transition(Action.WITHDRAW, OPEN, Status.WITHDRAWN, by_owner=True),
    Transition(
        Action.REQUEST_CHANGES,
        (Status.SUBMITTED,),
        Status.CHANGES_REQUESTED,
        by_planner=True,
        needs_reason=True,
    ),
    Transition(
        Action.REFUSE, (Status.SUBMITTED,), Status.REFUSED, by_planner=True, needs_reason=True
    ),
    Transition(
        Action.APPROVE,
        (Status.SUBMITTED,),
        Status.APPROVED,
        by_planner=True,
        document="consent",
    ),
    Transition(
        Action.PERMIT,
        (Status.APPROVED,),
        Status.PERMIT,
        by_owner=True,
        by_planner=True,
        document="permit",
    ),
    Transition(
        Action.EMF_CERTIFICATE,
        (Status.APPROVED, Status.PERMIT),
        Status.EMF_CERTIFICATE,
        by_owner=True,
        by_planner=True,
        document="emf_certificate",
    ),
    Transition(
        Action.ON_AIR,
        (Status.EMF_CERTIFICATE,),
        Status.ON_AIR,
        by_owner=True,
        by_planner=True,
        document="on_air",
    ),
    Transition(
        Action.RENEW,
        (Status.EMF_CERTIFICATE, Status.ON_AIR),
        None,
        by_owner=True,
        by_planner=True,
        document="emf_certificate",
    ),
    Transition(Action.PLAN, _BUILT, None, by_planner=True),
)

_TABLE = {row.action: row for row in TRANSITIONS}


def owns(actor: Actor, organisation: str) -> bool:
    """Return whether somebody acts for a carrier; administrators do for all."""
    if actor.role is Role.ADMINISTRATOR:
        return True
    return (
        actor.role is Role.CARRIER
        and bool(actor.organisation)
        and actor.organisation == organisation
    )


def plans(actor: Actor) -> bool:
    """Return whether somebody decides about proposals."""
    return actor.role in (Role.PLANNER, Role.ADMINISTRATOR)


def possible(
    actor: Actor, organisation: str, status: Status, permit_required: bool | None
) -> tuple[Action, ...]:
    """Return what somebody may do with a proposal now.

    Parameters
    ----------
    actor
        Who acts.
    organisation
        Carrier whose proposal it is.
    status
        Where it is.
    permit_required
        Whether it needs a building permit; None if that is not known.

    Returns
    -------
    tuple of Action
        In the order of the table.
    """
    return tuple(
        row.action
        for row in TRANSITIONS
        if status in row.sources
        and _may(actor, organisation, row)
        and not _permit_missing(row, status, permit_required)
    )


def _may(actor: Actor, organisation: str, row: Transition) -> bool:
    return (row.by_owner and owns(actor, organisation)) or (row.by_planner and plans(actor))


def _permit_missing(row: Transition, status: Status, permit_required: bool | None) -> bool:
    skips = row.action is Action.EMF_CERTIFICATE and status is Status.APPROVED
    return skips and permit_required is not False


def step(
    action: Action,
    actor: Actor,
    organisation: str,
    status: Status,
    *,
    permit_required: bool | None = None,
    reason: str = "",
) -> Status:
    """Return where an action leads.

    Parameters
    ----------
    action
        What is to be done.
    actor, organisation, status, permit_required
        See `possible`.
    reason
        Why.

    Returns
    -------
    Status
        Where the proposal is then.

    Raises
    ------
    ForbiddenError
        If the actor may not do it.
    InputError
        If it cannot be done from there, or a reason is missing.
    """
    row = _TABLE[action]
    if not _may(actor, organisation, row):
        needed = [Role.CARRIER] * row.by_owner + [Role.PLANNER] * row.by_planner
        raise ForbiddenError(
            "This needs the role {needed}; yours is {role}",
            needed=names.either([ROLE_NAMES[role] for role in needed]),
            role=ROLE_NAMES[actor.role],
        )
    if status not in row.sources:
        raise InputError(
            '"{action}" is not possible: the state of the proposal is "{status}" (expected '
            "{expected})",
            action=names.PROPOSAL_ACTIONS[action],
            status=names.PROPOSAL_STATUSES[status],
            expected=names.either([names.PROPOSAL_STATUSES[source] for source in row.sources]),
        )
    if _permit_missing(row, status, permit_required):
        raise InputError("The building permit must be recorded first: the site needs one")
    if row.needs_reason and not reason.strip():
        raise InputError("A reason must be given")
    return row.target or status


def document_of(action: Action) -> str:
    """Return the kind of document that an action records, empty for none."""
    return _TABLE[action].document


@dataclass(frozen=True)
class Document:
    """A letter, permit or certificate.

    Parameters
    ----------
    number
        Its number.
    day
        When it was issued, as YYYY-MM-DD.
    issuer
        Who issued it.
    valid_to
        Last day on which it holds; None without end.
    """

    number: str
    day: str
    issuer: str = ""
    valid_to: str | None = None


_MOST_CHARACTERS = 200


def checked_document(given: Document) -> Document:
    """Return a document whose number and days can be used.

    Parameters
    ----------
    given
        As typed.

    Returns
    -------
    Document
        Trimmed, with days in ISO 8601.

    Raises
    ------
    InputError
        If number or day is missing, a day is none or has not come yet, or the document ends
        before it begins.
    """
    number, issuer = given.number.strip(), given.issuer.strip()
    if not number:
        raise InputError("The number of the document is missing")
    if max(len(number), len(issuer)) > _MOST_CHARACTERS or not (number + issuer).isprintable():
        raise InputError(
            "Number and issuer of a document are lines of at most {limit} characters",
            limit=_MOST_CHARACTERS,
        )
    day = iso(given.day)
    if day > _latest_today():
        raise InputError(
            "The document is of {day}, a day that has not come yet (expected today or earlier)",
            day=day,
        )
    valid_to = iso(given.valid_to) if given.valid_to else None
    if valid_to is not None and valid_to < day:
        raise InputError("The document ends on {end}, before its day {day}", end=valid_to, day=day)
    return Document(number, day, issuer, valid_to)


def _latest_today() -> str:
    """Return today where it is tomorrow already: a server may be far behind its users."""
    return (dt.datetime.now(dt.UTC) + dt.timedelta(hours=14)).date().isoformat()


def check_order(kind: str, day: str, recorded: Iterable[tuple[str, str]]) -> None:
    """Raise if a document is older than one that it follows on.

    Parameters
    ----------
    kind
        Kind of the document.
    day
        Its day, in ISO 8601.
    recorded
        Kinds and days of the proposal's other documents.

    Raises
    ------
    InputError
        Naming the one that it follows on.
    """
    kinds = list(names.DOCUMENTS)
    days: dict[str, list[str]] = {}
    for other, its_day in recorded:
        days.setdefault(other, []).append(its_day)
    # A certificate is renewed after the last one; what comes next may follow on the first.
    earlier = {other: min(days[other]) for other in kinds[: kinds.index(kind)] if other in days}
    if kind in days:
        earlier[kind] = max(days[kind])
    for other, its_day in earlier.items():
        if day < its_day:
            raise InputError(
                "{document}: {day} is before the document that it follows on ({other}: "
                "{other_day})",
                document=names.DOCUMENTS[kind],
                day=day,
                other=names.DOCUMENTS[other],
                other_day=its_day,
            )
