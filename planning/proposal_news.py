"""News about proposals, for all planners or all of a carrier, and who has read them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from data.records.engine import Records
from data.records.proposal_tables import Notification, NotificationRead, Proposal
from planning.accounts import Actor, Role

#: Most news that are listed.
MOST = 200


@dataclass(frozen=True)
class News:
    """One piece of news.

    Parameters
    ----------
    id
        Its number.
    at
        When, in UTC.
    action
        What was done.
    proposal_id, reference, organisation
        With which proposal, and whose it is.
    read
        Whether the actor has read it.
    """

    id: int
    at: dt.datetime
    action: str
    proposal_id: int
    reference: str
    organisation: str
    read: bool


def tell_planners(session: Session, row: Proposal, action: str) -> None:
    """Tell the planners of an area what a carrier has done, in the transaction of it."""
    session.add(Notification(area=row.area, role="planner", proposal_id=row.id, action=action))


def tell_owner(session: Session, row: Proposal, action: str) -> None:
    """Tell a carrier what was done with its proposal, in the transaction of it."""
    session.add(
        Notification(
            area=row.area, organisation=row.organisation, proposal_id=row.id, action=action
        )
    )


def list_of(records: Records, actor: Actor, area: str, *, unread: bool = False) -> list[News]:
    """Return the news for somebody, the latest first.

    Parameters
    ----------
    records
        The records database.
    actor
        Who asks; viewers get none.
    area
        The area.
    unread
        Whether only those that the actor has not read.

    Returns
    -------
    list of News
        At most `MOST`.
    """
    mine = _addressed(actor)
    if mine is None:
        return []
    done = _read_by(actor)
    query = (
        sa.select(Notification, Proposal.reference, Proposal.organisation, done.label("done"))
        .join(Proposal, Proposal.id == Notification.proposal_id)
        .where(Notification.area == area, mine)
        .order_by(Notification.id.desc())
        .limit(MOST)
    )
    if unread:
        query = query.where(sa.not_(done))
    with records.reading() as session:
        return [
            News(item.id, item.at, item.action, int(item.proposal_id or 0), reference, owner, seen)
            for item, reference, owner, seen in session.execute(query)
        ]


def unread_count(records: Records, actor: Actor, area: str) -> int:
    """Return how many news somebody has not read.

    Parameters
    ----------
    records, actor, area
        See `list_of`.
    """
    mine = _addressed(actor)
    if mine is None:
        return 0
    query = (
        sa.select(sa.func.count())
        .select_from(Notification)
        .where(Notification.area == area, mine, sa.not_(_read_by(actor)))
    )
    with records.reading() as session:
        return int(session.scalar(query) or 0)


def mark_read(records: Records, actor: Actor, area: str, up_to: int) -> None:
    """Note that somebody has read all news up to one.

    Parameters
    ----------
    records, actor, area
        See `list_of`.
    up_to
        Number of the latest that was seen.
    """
    _mark(records, actor, area, Notification.id <= up_to)


def mark_one_read(records: Records, actor: Actor, area: str, news_id: int) -> None:
    """Note that somebody has read one piece of news; older ones stay as they are.

    Parameters
    ----------
    records, actor, area
        See `list_of`.
    news_id
        Its number.
    """
    _mark(records, actor, area, Notification.id == news_id)


def _mark(records: Records, actor: Actor, area: str, which: sa.ColumnElement[bool]) -> None:
    mine = _addressed(actor)
    if mine is None:
        return
    query = sa.select(Notification.id).where(
        Notification.area == area, mine, which, sa.not_(_read_by(actor))
    )
    with records.session() as session:
        for number in session.scalars(query):
            # Another window of the same reader may have been faster.
            session.merge(NotificationRead(notification_id=number, reader=_reader(actor)))


def _addressed(actor: Actor) -> sa.ColumnElement[bool] | None:
    if actor.role in (Role.PLANNER, Role.ADMINISTRATOR):
        return Notification.role == "planner"
    if actor.role is Role.CARRIER and actor.organisation:
        return Notification.organisation == actor.organisation
    return None


def _reader(actor: Actor) -> str:
    return actor.name if actor.account_id is None else f"account {actor.account_id}"


def _read_by(actor: Actor) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        NotificationRead.notification_id == Notification.id,
        NotificationRead.reader == _reader(actor),
    )
