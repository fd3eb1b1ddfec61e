"""Tables of indicators: definitions that people changed or added, and values over time.

Built-in definitions and reported figures lie in tables of the program. A row here goes
before the built-in one of the same name (`indicator`, `seed`); one that is `removed`
hides it. Nothing is deleted, so that the history stays readable.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Boolean, CheckConstraint, Float, Index, Integer, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from data.records.account_tables import now
from data.records.base import Base, Versioned
from data.records.column_types import UtcDateTime


class IndicatorDefinition(Versioned, Base):
    """What an indicator is."""

    __tablename__ = "indicators"
    __table_args__ = (
        CheckConstraint("kind IN ('figure', 'statement', 'document')", name="kind"),
        UniqueConstraint("area", "indicator"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    area: Mapped[str] = mapped_column(Text, nullable=False)
    indicator: Mapped[str] = mapped_column(Text, nullable=False)
    removed: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False)
    group_code: Mapped[str] = mapped_column(Text, nullable=False)
    kind: Mapped[str] = mapped_column(Text, nullable=False)
    title_vi: Mapped[str] = mapped_column(Text, nullable=False)
    title_en: Mapped[str] = mapped_column(Text, nullable=False)
    definition_vi: Mapped[str] = mapped_column(Text, nullable=False)
    definition_en: Mapped[str] = mapped_column(Text, nullable=False)
    unit: Mapped[str] = mapped_column(Text, nullable=False)
    denominator: Mapped[str] = mapped_column(Text, nullable=False)
    computed_by: Mapped[str] = mapped_column(Text, nullable=False)
    target: Mapped[float | None] = mapped_column(Float)
    target_year: Mapped[int | None] = mapped_column(Integer)
    target_source: Mapped[str] = mapped_column(Text, nullable=False)
    #: Of documents: number, ISO date, who issued it, and the document that it has to do with.
    number: Mapped[str] = mapped_column(Text, nullable=False)
    issued_on: Mapped[str] = mapped_column(Text, nullable=False)
    issuer: Mapped[str] = mapped_column(Text, nullable=False)
    related: Mapped[str] = mapped_column(Text, nullable=False)
    relation: Mapped[str] = mapped_column(Text, nullable=False)


class IndicatorValue(Versioned, Base):
    """A value of an indicator on a day: reported by somebody, or computed here and kept."""

    __tablename__ = "indicator_values"
    __table_args__ = (
        CheckConstraint("kind IN ('reported', 'computed')", name="kind"),
        UniqueConstraint("area", "seed"),
        Index(None, "area", "indicator"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    area: Mapped[str] = mapped_column(Text, nullable=False)
    indicator: Mapped[str] = mapped_column(Text, nullable=False)
    #: Name of the built-in figure that this row goes before; null for others.
    seed: Mapped[str | None] = mapped_column(Text)
    removed: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False)
    kind: Mapped[str] = mapped_column(Text, nullable=False)
    #: Empty for the whole area.
    zone_code: Mapped[str] = mapped_column(Text, nullable=False, default="")
    #: ISO date, empty where it is not known.
    as_of: Mapped[str] = mapped_column(Text, nullable=False)
    #: Null where something was stated without a number.
    value: Mapped[float | None] = mapped_column(Float)
    #: The count behind a share, and what it is a share of.
    part_count: Mapped[float | None] = mapped_column(Float)
    whole_count: Mapped[float | None] = mapped_column(Float)
    interval_low: Mapped[float | None] = mapped_column(Float)
    interval_high: Mapped[float | None] = mapped_column(Float)
    denominator: Mapped[str] = mapped_column(Text, nullable=False, default="")
    method: Mapped[str] = mapped_column(Text, nullable=False, default="")
    source: Mapped[str] = mapped_column(Text, nullable=False, default="")
    note: Mapped[str] = mapped_column(Text, nullable=False, default="")
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, nullable=False, default=now)
