"""Who uses the session."""

from __future__ import annotations

from app import areas
from data.records.engine import Records
from planning import accounts
from planning.accounts import Actor


def records() -> Records:
    """Open the records database beside the workspaces."""
    return Records.open(areas.home())


def actor() -> Actor:
    """Return who uses the session.

    Returns
    -------
    Actor
        The local user, as long as there are no accounts.
    """
    return accounts.LOCAL
