"""Carriers' own codes of sites: each has one proposal that is not decided."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from data.errors import InputError, message
from data.records.engine import Records
from data.records.proposal_tables import Proposal as Row
from planning.accounts import Actor
from planning.proposal_workflow import OPEN, owns


def wait_turn(session: Session, area: str, owner: str) -> None:
    """Let a carrier's other writers wait, as all do in SQLite, so that a code stays free.

    Parameters
    ----------
    session
        The transaction; they wait until its end.
    area
        Name of the workspace's folder.
    owner
        The carrier.
    """
    if session.get_bind().dialect.name == "postgresql":
        key = hashlib.sha256(f"{area}\0{owner}".encode()).digest()[:8]
        number = int.from_bytes(key, "big", signed=True)
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))


def check_free(session: Session, area: str, owner: str, code: str) -> None:
    """Raise if a proposal of a carrier that is not decided has a code already.

    Parameters
    ----------
    session, area, owner
        See `wait_turn`, which comes first.
    code
        `SiteRequest.reference`.

    Raises
    ------
    InputError
        With the number of that proposal.
    """
    query = _undecided(area, owner).where(Row.reference == code)
    other = session.scalar(query.limit(1))
    if other is not None:
        raise taken(code, other.id)


def in_use(
    records: Records, actor: Actor, area: str, owner: str, *, but: Sequence[str] = ()
) -> dict[str, int]:
    """Return the codes of a carrier's proposals that are not decided, with their numbers.

    Parameters
    ----------
    records
        The records database.
    actor
        Who asks: the carrier, or an administrator for it.
    area, owner
        See `wait_turn`.
    but
        Numbers of requests whose proposals do not count.
    """
    if not owns(actor, owner):
        return {}
    without = set(but)
    with records.reading() as session:
        rows = session.scalars(_undecided(area, owner))
        return {row.reference: row.id for row in rows if row.request_id not in without}


def _undecided(area: str, owner: str) -> sa.Select[Row]:
    return sa.select(Row).where(
        Row.area == area,
        Row.organisation == owner,
        Row.status.in_([status.value for status in OPEN]),
    )


def taken(code: str, other: int) -> InputError:
    """Return the error that a proposal has a code already.

    Parameters
    ----------
    code
        The code.
    other
        Number of that proposal.
    """
    return InputError(
        "{column}: {value} ({expected})",
        column="reference",
        value=code,
        expected=message(
            "proposal {number} has this code and is not decided yet; edit or withdraw that one",
            number=other,
        ),
    )
