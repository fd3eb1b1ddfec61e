"""Tables of the carriers' proposals, from their plans to stations on air."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from data.records.account_tables import now
from data.records.base import Base, Versioned
from data.records.column_types import Json, Place, UtcDateTime


class SitePlan(Versioned, Base):
    """A plan of passive infrastructure: the province's, or a carrier's own under it."""

    __tablename__ = "site_plans"
    __table_args__ = (
        CheckConstraint("level IN ('provincial', 'carrier')", name="level"),
        CheckConstraint("status IN ('submitted', 'in_force', 'refused')", name="status"),
        Index(None, "area", "organisation"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    area: Mapped[str] = mapped_column(Text, nullable=False)
    level: Mapped[str] = mapped_column(Text, nullable=False)
    #: Carrier whose plan it is; empty for the province's.
    organisation: Mapped[str] = mapped_column(Text, nullable=False, default="")
    title: Mapped[str] = mapped_column(Text, nullable=False)
    status: Mapped[str] = mapped_column(Text, nullable=False)
    #: Decision by which it was approved: number, day and who decided.
    number: Mapped[str] = mapped_column(Text, nullable=False, default="")
    day: Mapped[str | None] = mapped_column(Text)
    issuer: Mapped[str] = mapped_column(Text, nullable=False, default="")
    valid_to: Mapped[str | None] = mapped_column(Text)
    #: Plan of the province that a carrier's plan puts into practice.
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("site_plans.id"))
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, nullable=False, default=now)


class Proposal(Versioned, Base):
    """A site that a carrier asks for."""

    __tablename__ = "proposals"
    __table_args__ = (
        CheckConstraint("kind IN ('new', 'share')", name="kind"),
        # A request that is sent again finds the proposal that it made.
        UniqueConstraint("area", "organisation", "request_id"),
        Index(None, "area", "status"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    area: Mapped[str] = mapped_column(Text, nullable=False)
    organisation: Mapped[str] = mapped_column(Text, nullable=False)
    request_id: Mapped[str] = mapped_column(Text, nullable=False)
    #: Hash of what was asked with that request.
    request_digest: Mapped[str] = mapped_column(Text, nullable=False)
    place: Mapped[tuple[float, float]] = mapped_column(Place, nullable=False)
    reference: Mapped[str] = mapped_column(Text, nullable=False)
    name: Mapped[str] = mapped_column(Text, nullable=False, default="")
    kind: Mapped[str] = mapped_column(Text, nullable=False)
    #: Mast that is there, for antennas on one.
    mast_id: Mapped[str] = mapped_column(Text, nullable=False, default="")
    mast_class: Mapped[str] = mapped_column(Text, nullable=False, default="")
    height_m: Mapped[float] = mapped_column(Float, nullable=False)
    building_height_m: Mapped[float | None] = mapped_column(Float)
    radius_m: Mapped[float | None] = mapped_column(Float)
    shareable: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False)
    max_tenants: Mapped[int | None] = mapped_column(Integer)
    technologies: Mapped[list[str]] = mapped_column(Json, nullable=False)
    #: Cells as in the layer cells; none to take typical ones.
    cells: Mapped[list[dict[str, Any]]] = mapped_column(Json, nullable=False)
    note: Mapped[str] = mapped_column(Text, nullable=False, default="")
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("site_plans.id"))
    status: Mapped[str] = mapped_column(Text, nullable=False)
    #: Whether a building permit is needed, known from the approval on.
    permit_required: Mapped[bool | None] = mapped_column(Boolean)
    #: Scenario in which it is a planned mast. No foreign key: scenarios may go.
    scenario_id: Mapped[int | None] = mapped_column(Integer)
    account_id: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, nullable=False, default=now)
    #: Last change of anything about it; a change of it gives another version.
    changed_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, nullable=False, default=now)
    submitted_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)


class ProposalStep(Base):
    """A document on the way of an approved site: consent, permit, certificate, on air."""

    __tablename__ = "proposal_steps"
    __table_args__ = (
        CheckConstraint("kind IN ('consent', 'permit', 'emf_certificate', 'on_air')", name="kind"),
        UniqueConstraint("proposal_id", "kind", "number"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    proposal_id: Mapped[int] = mapped_column(ForeignKey("proposals.id"), nullable=False)
    kind: Mapped[str] = mapped_column(Text, nullable=False)
    number: Mapped[str] = mapped_column(Text, nullable=False)
    day: Mapped[str] = mapped_column(Text, nullable=False)
    issuer: Mapped[str] = mapped_column(Text, nullable=False, default="")
    valid_to: Mapped[str | None] = mapped_column(Text)
    account_id: Mapped[int | None] = mapped_column(Integer)
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime, nullable=False, default=now)


class ProposalComment(Base):
    """Something said about a proposal."""

    __tablename__ = "proposal_comments"
    __table_args__ = (Index(None, "proposal_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    proposal_id: Mapped[int] = mapped_column(ForeignKey("proposals.id"), nullable=False)
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime, nullable=False, default=now)
    account_id: Mapped[int | None] = mapped_column(Integer)
    role: Mapped[str] = mapped_column(Text, nullable=False)
    organisation: Mapped[str] = mapped_column(Text, nullable=False, default="")
    text: Mapped[str] = mapped_column(Text, nullable=False)


class ProposalEvaluation(Base):
    """What a proposal would bring, with everything that the figures come from."""

    __tablename__ = "proposal_evaluations"
    __table_args__ = (Index(None, "proposal_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    proposal_id: Mapped[int] = mapped_column(ForeignKey("proposals.id"), nullable=False)
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime, nullable=False, default=now)
    account_id: Mapped[int | None] = mapped_column(Integer)
    #: Hash of `inputs`: another one means that the figures are out of date.
    key: Mapped[str] = mapped_column(Text, nullable=False)
    inputs: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)
    result: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)


class ProposalAttachment(Base):
    """A file that belongs to a proposal; its content lies in a folder, named by its hash."""

    __tablename__ = "proposal_attachments"
    __table_args__ = (Index(None, "proposal_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    proposal_id: Mapped[int] = mapped_column(ForeignKey("proposals.id"), nullable=False)
    sha256: Mapped[str] = mapped_column(Text, nullable=False)
    name: Mapped[str] = mapped_column(Text, nullable=False)
    media_type: Mapped[str] = mapped_column(Text, nullable=False)
    size: Mapped[int] = mapped_column(Integer, nullable=False)
    account_id: Mapped[int | None] = mapped_column(Integer)
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime, nullable=False, default=now)


class Notification(Base):
    """News for all of a role, or all of an organisation."""

    __tablename__ = "notifications"
    __table_args__ = (
        Index(None, "area", "role"),
        Index(None, "area", "organisation"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    area: Mapped[str] = mapped_column(Text, nullable=False)
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime, nullable=False, default=now)
    #: Role that it is for; empty if it is for an organisation.
    role: Mapped[str] = mapped_column(Text, nullable=False, default="")
    organisation: Mapped[str] = mapped_column(Text, nullable=False, default="")
    proposal_id: Mapped[int | None] = mapped_column(ForeignKey("proposals.id"))
    action: Mapped[str] = mapped_column(Text, nullable=False)


class NotificationRead(Base):
    """That somebody has read something."""

    __tablename__ = "notification_reads"

    notification_id: Mapped[int] = mapped_column(ForeignKey("notifications.id"), primary_key=True)
    #: Number of the account, or the name of who needs none.
    reader: Mapped[str] = mapped_column(Text, primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime, nullable=False, default=now)
