"""Tables of scenarios: copies of the network, kept as the list of their changes."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from data.records.account_tables import now
from data.records.base import Base, Versioned
from data.records.column_types import Json, UtcDateTime


class Scenario(Versioned, Base):
    """A scenario; adding or removing changes counts as a change of this row."""

    __tablename__ = "scenarios"
    __table_args__ = (Index(None, "area"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    area: Mapped[str] = mapped_column(Text, nullable=False)
    title: Mapped[str] = mapped_column(Text, nullable=False)
    note: Mapped[str] = mapped_column(Text, nullable=False, default="")
    #: Whose it is: a carrier's, or empty for the planners'.
    organisation: Mapped[str] = mapped_column(Text, nullable=False, default="")
    #: No foreign key: an account may be erased, its number stays.
    account_id: Mapped[int | None] = mapped_column(Integer)
    published: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, nullable=False, default=now)
    changed_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, nullable=False, default=now)


class ScenarioChange(Base):
    """One change of a scenario; changes are made in the order of their positions, from 1."""

    __tablename__ = "scenario_changes"
    __table_args__ = (
        UniqueConstraint("scenario_id", "position"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    scenario_id: Mapped[int] = mapped_column(ForeignKey("scenarios.id"), nullable=False)
    position: Mapped[int] = mapped_column(Integer, nullable=False)
    change: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)
    account_id: Mapped[int | None] = mapped_column(Integer)
    added_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, nullable=False, default=now)
