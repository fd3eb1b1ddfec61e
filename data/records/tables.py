"""All tables of the records database, and its append-only history.

Each part declares its tables in a module of its own; importing this one makes all
of them known. Rows belong to an area: their column `area` holds the name of the
workspace's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy.orm import Session

from data.records import account_tables as account_tables
from data.records import indicator_tables as indicator_tables
from data.records import proposal_tables as proposal_tables
from data.records import scenario_tables as scenario_tables
from data.records.account_tables import HistoryEntry as HistoryEntry
from data.records.base import Base as Base
from data.records.base import Versioned as Versioned


class Acting(Protocol):
    """Who acts, as far as the history is concerned; `planning.accounts.Actor` is one."""

    @property
    def account_id(self) -> int | None:
        """Number of the account, None for who needs none."""

    @property
    def name(self) -> str:
        """Name shown to others."""

    @property
    def role(self) -> str:
        """Role at this moment."""

    @property
    def organisation(self) -> str:
        """Organisation, for a carrier the owner's name in the layers."""


def append_history(
    session: Session,
    *,
    area: str,
    kind: str,
    subject_id: int | str,
    actor: Acting,
    action: str,
    detail: Mapping[str, Any] | None = None,
) -> HistoryEntry:
    """Add an entry to the history, in the transaction of the change that it tells of.

    Entries can neither be changed nor removed afterwards, so they hold no personal
    data: who acted is the number of an account, and `detail` names nobody either.

    Parameters
    ----------
    session
        The session that makes the change.
    area
        Area that it belongs to; empty for none.
    kind
        What was changed, such as ``"proposal"``.
    subject_id
        Which one.
    actor
        Who acts.
    action
        What was done, such as ``"submitted"``.
    detail
        JSON values that say it exactly.

    Returns
    -------
    HistoryEntry
        The entry; its number is known after a flush.
    """
    entry = HistoryEntry(
        area=area,
        kind=kind,
        subject_id=str(subject_id),
        account_id=actor.account_id,
        # Whoever acts without an account is a place ("command line"), not a person.
        acting_as=actor.name if actor.account_id is None else "",
        role=str(actor.role),
        organisation=actor.organisation,
        action=action,
        detail=dict(detail or {}),
    )
    session.add(entry)
    return entry
