"""Reading the history: what was done, by whom, in which role."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from data.records.account_tables import Account, HistoryEntry
from data.records.engine import Records
from planning.accounts import Actor, Role, pseudonym, require

#: Most entries that are read at once.
MOST = 1000


@dataclass(frozen=True)
class Entry:
    """Something that was done.

    Parameters
    ----------
    id
        Number, rising.
    at
        Time in UTC.
    area
        Area that it belongs to; empty for none.
    kind, subject_id
        What was changed, and which one.
    account_id
        Number of the account that acted; None where none was needed.
    who
        Name of the account today, a pseudonym where it was erased, or the place that
        acted, such as the command line.
    erased
        Whether the account was erased.
    role, organisation
        Of who acted, at that time.
    action, detail
        What was done, exactly.
    """

    id: int
    at: dt.datetime
    area: str
    kind: str
    subject_id: str
    account_id: int | None
    who: str
    erased: bool
    role: str
    organisation: str
    action: str
    detail: Mapping[str, Any]


def newest(records: Records) -> int:
    """Return the number of the newest entry, 0 without any: whether something has changed.

    Parameters
    ----------
    records
        The database.
    """
    with records.reading() as session:
        return session.scalar(sa.select(sa.func.max(HistoryEntry.id))) or 0


def entries(
    records: Records,
    actor: Actor,
    *,
    area: str | None = None,
    kind: str | None = None,
    subject_id: int | str | None = None,
    before: int | None = None,
    limit: int = 200,
) -> list[Entry]:
    """Return entries, the newest first.

    Parameters
    ----------
    records
        The database.
    actor
        An administrator. Others see the history of what they may see, by the functions
        of its part.
    area, kind, subject_id
        Only those of it; None for all.
    before
        Only entries with a smaller number, to read on.
    limit
        Most entries, up to `MOST`.

    Returns
    -------
    list of Entry
        Entries.

    Raises
    ------
    ForbiddenError
        If the actor is none.
    """
    require(actor, Role.ADMINISTRATOR)
    asked = (
        sa.select(HistoryEntry, Account.name, Account.erased_at)
        .outerjoin(Account, Account.id == HistoryEntry.account_id)
        .order_by(HistoryEntry.id.desc())
        .limit(max(1, min(limit, MOST)))
    )
    for column, value in (
        (HistoryEntry.area, area),
        (HistoryEntry.kind, kind),
        (HistoryEntry.subject_id, None if subject_id is None else str(subject_id)),
    ):
        if value is not None:
            asked = asked.where(column == value)
    if before is not None:
        asked = asked.where(HistoryEntry.id < before)
    with records.reading() as session:
        return [_entry(*row) for row in session.execute(asked)]


def _entry(row: HistoryEntry, name: str | None, erased: dt.datetime | None) -> Entry:
    gone = name is None or erased is not None
    if row.account_id is None:
        who = row.acting_as
    else:
        who = pseudonym(row.account_id) if gone else str(name)
    return Entry(
        id=row.id,
        at=row.at,
        area=row.area,
        kind=row.kind,
        subject_id=row.subject_id,
        account_id=row.account_id,
        who=who,
        erased=row.account_id is not None and gone,
        role=row.role,
        organisation=row.organisation,
        action=row.action,
        detail=row.detail,
    )


def kinds(records: Records, actor: Actor) -> list[str]:
    """Return the kinds of things that the history tells of."""
    require(actor, Role.ADMINISTRATOR)
    with records.reading() as session:
        return sorted(session.scalars(sa.select(HistoryEntry.kind).distinct()))
