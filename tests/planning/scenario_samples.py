"""Scenarios for tests that need no database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from planning.scenarios import Change, Scenario


def kept(number: int, changes: Sequence[Change]) -> Scenario:
    """Return a scenario as it would be read."""
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return Scenario(
        number, "area", f"scenario {number}", "", "", False, now, now, 1, tuple(changes)
    )
