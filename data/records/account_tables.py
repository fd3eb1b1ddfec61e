"""Tables of accounts, their sessions, and the history of all parts."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from data.records.base import Base, Versioned
from data.records.column_types import Json, UtcDateTime


def now() -> dt.datetime:
    """Return the time in UTC, to the millisecond, as it is kept."""
    time = dt.datetime.now(dt.UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


class Account(Versioned, Base):
    """Somebody who may sign in, locally or through an identity provider."""

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint("role IN ('viewer', 'carrier', 'planner', 'administrator')", name="role"),
        UniqueConstraint("login_key"),
        UniqueConstraint("issuer", "email_key"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    #: As typed by whoever made the account; null for accounts of an identity provider.
    login: Mapped[str | None] = mapped_column(Text)
    #: The same folded, so that no two logins differ by letter case only.
    login_key: Mapped[str | None] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text, nullable=False)
    organisation: Mapped[str] = mapped_column(Text, nullable=False, default="")
    role: Mapped[str] = mapped_column(Text, nullable=False)
    #: argon2id; null where the password is kept by an identity provider.
    password_hash: Mapped[str | None] = mapped_column(Text)
    issuer: Mapped[str | None] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    email_key: Mapped[str | None] = mapped_column(Text)
    active: Mapped[bool] = mapped_column(Boolean, nullable=False, default=True)
    #: Whether the password was chosen by somebody else and must be changed.
    must_change: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, nullable=False, default=now)
    erased_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)


class SignInAttempts(Base):
    """Failed attempts since the last successful one.

    Apart from the account, so that an attempt does not make an administrator's
    change of the account stale.
    """

    __tablename__ = "sign_in_attempts"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    locked_until: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)


class SignInSession(Base):
    """A session of a browser; it holds for as long as the row says."""

    __tablename__ = "sign_in_sessions"
    __table_args__ = (
        UniqueConstraint("token_hash"),
        Index(None, "account_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), nullable=False)
    #: SHA-256 of the token, so that whoever reads the database cannot take a session over.
    token_hash: Mapped[str] = mapped_column(Text, nullable=False)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, nullable=False, default=now)
    seen_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, nullable=False, default=now)
    ends_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, nullable=False)


class HistoryEntry(Base):
    """Something that was done. Triggers of the database refuse to change or remove it."""

    __tablename__ = "history"
    __table_args__ = (
        Index(None, "kind", "subject_id"),
        Index(None, "area"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime, nullable=False, default=now)
    area: Mapped[str] = mapped_column(Text, nullable=False)
    kind: Mapped[str] = mapped_column(Text, nullable=False)
    subject_id: Mapped[str] = mapped_column(Text, nullable=False)
    #: No foreign key: an account may be erased, its number stays.
    account_id: Mapped[int | None] = mapped_column(Integer)
    acting_as: Mapped[str] = mapped_column(Text, nullable=False)
    role: Mapped[str] = mapped_column(Text, nullable=False)
    organisation: Mapped[str] = mapped_column(Text, nullable=False)
    action: Mapped[str] = mapped_column(Text, nullable=False)
    detail: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)
