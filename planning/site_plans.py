"""Plans of passive infrastructure: the province's, and carriers' own plans under it.

A carrier may build only where a site fits both, so a site request names the carrier's
plan that it belongs to. Plans are recorded with the decision that approved them.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from data.errors import InputError
from data.records import engine, tables
from data.records.engine import Records
from data.records.proposal_tables import SitePlan as Row
from planning import proposal_area
from planning.accounts import Actor, Role, require
from planning.proposal_workflow import Document, checked_document, owns, plans
from planning.site_request import clean_text

#: Kind of the entries in the history.
KIND = "site_plan"


@dataclass(frozen=True)
class SitePlan:
    """A plan as it was when it was read.

    Parameters
    ----------
    id, area
        Its number, and the area that it is for.
    level
        ``"provincial"`` or ``"carrier"``.
    organisation
        Carrier whose it is; empty for the province's.
    title
        What it is called.
    status
        submitted, in_force, expired or refused.
    decision
        By which it was approved; None before.
    parent_id
        The province's plan that a carrier's plan puts into practice.
    version
        For `expected_version`.
    """

    id: int
    area: str
    level: str
    organisation: str
    title: str
    status: str
    decision: Document | None
    parent_id: int | None
    version: int


def record_provincial(
    records: Records, actor: Actor, area: str, title: str, decision: Document
) -> SitePlan:
    """Record a plan of the province with the decision that approved it.

    Parameters
    ----------
    records
        The records database.
    actor
        Who acts: a planner or administrator.
    area
        Name of the workspace's folder.
    title
        What it is called.
    decision
        Number, day, who decided, and until when it holds.
    """
    require(actor, Role.PLANNER, Role.ADMINISTRATOR)
    given = checked_document(decision)
    row = Row(area=area, level="provincial", organisation="", title=_title(title))
    row.status = "in_force"
    _put(row, given)
    return _add(records, actor, row)


def submit_own(
    records: Records,
    actor: Actor,
    area: str,
    title: str,
    *,
    parent_id: int | None = None,
    organisation: str | None = None,
) -> SitePlan:
    """Hand in a carrier's own plan.

    Parameters
    ----------
    records, area, title
        See `record_provincial`.
    actor
        Who acts: a carrier, or an administrator for one.
    parent_id
        Plan of the province.
    organisation
        Carrier, where an administrator acts.
    """
    require(actor, Role.CARRIER, Role.ADMINISTRATOR)
    owner = actor.organisation if actor.role is Role.CARRIER else (organisation or "").strip()
    if not owner:
        raise InputError("It is not stated whose plan it is")
    proposal_area.check_carrier(records, actor, area, owner)
    row = Row(
        area=area,
        level="carrier",
        organisation=owner,
        title=_title(title),
        status="submitted",
        parent_id=parent_id,
    )
    return _add(records, actor, row)


def decide(
    records: Records,
    actor: Actor,
    plan_id: int,
    decision: Document | None,
    *,
    reason: str = "",
    expected_version: int | None = None,
) -> SitePlan:
    """Approve a carrier's plan by a decision, or refuse it with a reason.

    Parameters
    ----------
    records, actor
        See `record_provincial`.
    plan_id
        Number of the plan.
    decision
        The decision; None to refuse.
    reason
        Why it is refused.
    expected_version
        `SitePlan.version` when the user looked at it; None accepts any.
    """
    require(actor, Role.PLANNER, Role.ADMINISTRATOR)
    if decision is None and not reason.strip():
        raise InputError("A reason must be given")
    with records.session() as session:
        row = _seen(session, actor, plan_id)
        engine.expect(row, expected_version)
        if row.status != "submitted":
            raise InputError("The plan {title} is decided already", title=row.title)
        if decision is None:
            row.status = "refused"
            detail = {"reason": clean_text(reason, "note")}
        else:
            row.status = "in_force"
            _put(row, checked_document(decision))
            detail = {"number": row.number, "day": row.day or ""}
        _remember(session, actor, row, row.status, detail)
        session.flush()
        return plan_of(row)


def list_of(records: Records, actor: Actor, area: str) -> list[SitePlan]:
    """Return the plans that somebody may see: the province's, own ones, planners all.

    Parameters
    ----------
    records, actor, area
        See `record_provincial`; everybody may ask.
    """
    with records.reading() as session:
        rows = session.scalars(sa.select(Row).where(Row.area == area).order_by(Row.id))
        return [plan_of(row) for row in rows if _may_see(actor, row)]


def in_force(plan: SitePlan, day: str | None = None) -> bool:
    """Return whether a plan holds on a day, today if None."""
    if plan.status not in ("in_force", "expired") or plan.decision is None:
        return False
    when = day or _today()
    return plan.decision.day <= when <= (plan.decision.valid_to or "9999-12-31")


def check(session: Session, area: str, owner: str, plan_id: int | None) -> None:
    """Raise unless a carrier's plan is in force today.

    Parameters
    ----------
    session
        The transaction.
    area, owner
        Name of the workspace's folder, and the carrier.
    plan_id
        Number of the plan; None for none.

    Raises
    ------
    InputError
        If it is not the carrier's, undecided, refused or over.
    """
    if plan_id is None:
        return
    row = session.get(Row, plan_id) if 0 < plan_id < 2**31 else None
    if row is None or (row.area, row.level, row.organisation) != (area, "carrier", owner):
        raise InputError("There is no plan {number} of this carrier", number=plan_id)
    if not in_force(plan_of(row)):
        raise InputError(
            "The plan {title} is not in force today (expected one that is)", title=row.title
        )


def _today() -> str:
    return dt.datetime.now(dt.UTC).date().isoformat()


def _title(title: str) -> str:
    plain = clean_text(title, "name")
    if not plain:
        raise InputError("A plan needs a title")
    return plain


def _put(row: Row, decision: Document) -> None:
    row.number, row.day, row.issuer = decision.number, decision.day, decision.issuer
    row.valid_to = decision.valid_to


def _may_see(actor: Actor, row: Row) -> bool:
    return row.level == "provincial" or plans(actor) or owns(actor, row.organisation)


def _seen(session: Session, actor: Actor, plan_id: int) -> Row:
    row = session.get(Row, plan_id) if 0 < plan_id < 2**31 else None
    if row is None or not _may_see(actor, row):
        raise InputError("There is no plan {number}", number=plan_id)
    return row


def _add(records: Records, actor: Actor, row: Row) -> SitePlan:
    with records.session() as session:
        if row.parent_id is not None:
            parent = _seen(session, actor, row.parent_id)
            if (parent.area, parent.level) != (row.area, "provincial"):
                raise InputError("There is no plan {number}", number=row.parent_id)
        session.add(row)
        session.flush()
        _remember(session, actor, row, "created", {"title": row.title, "number": row.number})
        return plan_of(row)


def plan_of(row: Row) -> SitePlan:
    """Return a row as a plan; whether somebody may see it is asked before."""
    decision = None
    if row.day:
        decision = Document(row.number, row.day, row.issuer, row.valid_to)
    over = row.status == "in_force" and bool(row.valid_to) and str(row.valid_to) < _today()
    return SitePlan(
        row.id,
        row.area,
        row.level,
        row.organisation,
        row.title,
        "expired" if over else row.status,
        decision,
        row.parent_id,
        row.version,
    )


def _remember(
    session: Session, actor: Actor, row: Row, action: str, detail: dict[str, str]
) -> None:
    tables.append_history(
        session,
        area=row.area,
        kind=KIND,
        subject_id=row.id,
        actor=actor,
        action=action,
        detail=detail,
    )
