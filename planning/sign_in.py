"""Signing in and out: attempts, sessions, and who is behind a token.

The token of a session is random and known to the browser's session only; the
database holds its hash. Every step of a user asks the database anew, so that an
ended session, a changed role or a deactivated account acts at once.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from data.errors import InputError, PhuSongError
from data.records.account_tables import Account, SignInAttempts, SignInSession, now
from data.records.engine import Records
from planning import accounts, passwords
from planning.account_rules import AccountRules, rules
from planning.accounts import Actor, Role

#: A session's last sign of life is written down at most this often.
_SEEN_EVERY = dt.timedelta(seconds=60)


class SignInError(PhuSongError):
    """Signing in failed; the sentence does not say why, so that it tells nothing about accounts."""

    def __init__(self, limits: AccountRules) -> None:
        super().__init__(
            "The login name or the password is not right; after {count} failures in a row signing "
            "in is locked for {minutes} minutes",
            count=limits.failures_before_lock,
            minutes=round(limits.lock.total_seconds() / 60),
        )


@dataclass(frozen=True)
class SignedIn:
    """Who is behind a token.

    Parameters
    ----------
    actor
        Who; a viewer as long as the password must be changed.
    must_change
        Whether it must.
    """

    actor: Actor
    must_change: bool


def set_up(records: Records, *, login: str, name: str, password: str) -> None:
    """Make the first account, an administrator's.

    The caller has made sure that it is asked by somebody who may: a user of this
    machine, or the reader of the server's console.

    Parameters
    ----------
    records
        The database.
    login, name, password
        Of the administrator.

    Raises
    ------
    InputError
        If there are accounts already or something cannot be used.
    """
    row = accounts.new_account(
        records, name=name, role=Role.ADMINISTRATOR, login=login, password=password
    )
    with records.session() as session:
        accounts.only_one_at_a_time(session)
        if session.scalar(sa.select(Account.id).limit(1)) is not None:
            raise InputError("There are accounts already; an administrator can add more")
        accounts.insert(session, row, accounts.LOCAL)


def sign_in(records: Records, login: str, password: str) -> str:
    """Start a session.

    Parameters
    ----------
    records
        The database.
    login, password
        What was typed.

    Returns
    -------
    str
        Token of the session.

    Raises
    ------
    SignInError
        If they do not fit, the account is locked or may not be used.
    """
    limits = rules(records.home)
    number, kept, last = _reserve_attempt(records, login, limits)
    if not passwords.fits(password[: limits.password_most + 1], kept) or number is None:
        if number is not None and last:
            with records.session() as session:
                accounts.note(session, number, accounts.VISITOR, "locked")
        raise SignInError(limits)
    renewed = passwords.hashed(password) if passwords.outdated(kept or "") else None
    token = secrets.token_urlsafe(32)
    time = now()
    with records.session() as session:
        row = session.get_one(Account, number)
        if not row.active or row.password_hash != kept:
            raise SignInError(limits)
        if renewed is not None:
            row.password_hash = renewed
        attempts = session.get_one(SignInAttempts, number)
        attempts.failures, attempts.locked_until = 0, None
        session.execute(sa.delete(SignInSession).where(_over(time, limits)))
        session.add(
            SignInSession(
                account_id=number,
                token_hash=_hash(token),
                created_at=time,
                seen_at=time,
                ends_at=time + limits.session,
            )
        )
    return token


def _reserve_attempt(
    records: Records, login: str, limits: AccountRules
) -> tuple[int | None, str | None, bool]:
    """Count an attempt as failed before its password is looked at.

    Otherwise many attempts at once would all be let through before the first
    failure is written down. Returns the account, its hash, and whether a failure
    of this attempt locks it; None where there is nothing to compare with.
    """
    with records.session() as session:
        row = session.execute(
            sa.select(Account.id, Account.password_hash).where(
                Account.login_key == accounts.login_key(login[:200]), Account.active
            )
        ).one_or_none()
        if row is None:
            return None, None, False
        attempts = session.get_one(SignInAttempts, row.id, with_for_update=True)
        time = now()
        if attempts.locked_until is not None:
            if attempts.locked_until > time:
                return None, None, False
            attempts.failures, attempts.locked_until = 0, None
        attempts.failures += 1
        last = attempts.failures >= limits.failures_before_lock
        if last:
            attempts.locked_until = time + limits.lock
        return row.id, row.password_hash, last


def who(records: Records, token: str | None) -> SignedIn | None:
    """Return who is behind a token, and take it as a sign of life.

    Parameters
    ----------
    records
        The database.
    token
        What the session holds.

    Returns
    -------
    SignedIn or None
        None if the session has ended or the account may not be used.
    """
    if not token:
        return None
    limits = rules(records.home)
    time = now()
    with records.reading() as session:
        found = session.execute(
            sa.select(SignInSession, Account)
            .join(Account, Account.id == SignInSession.account_id)
            .where(
                SignInSession.token_hash == _hash(token),
                sa.not_(_over(time, limits)),
                Account.active,
            )
        ).one_or_none()
    if found is None:
        return None
    kept, account = found
    if kept.seen_at + _SEEN_EVERY < time:
        with records.session() as session:
            session.execute(
                sa.update(SignInSession).where(SignInSession.id == kept.id).values(seen_at=time)
            )
    return SignedIn(_actor(account), account.must_change)


def _actor(account: Account) -> Actor:
    role = Role.VIEWER if account.must_change else Role(account.role)
    return Actor(account.id, account.name, role, account.organisation)


def who_claims(records: Records, claims: Mapping[str, object]) -> Actor:
    """Return who an identity provider says it is.

    Parameters
    ----------
    records
        The database.
    claims
        Claims of its ID token (OpenID Connect Core 1.0, section 5.1).

    Returns
    -------
    Actor
        The account with this issuer and e-mail address; without one, or where the
        provider says that the address is not verified, a visitor.
    """
    issuer, email = str(claims.get("iss") or ""), str(claims.get("email") or "")
    if not issuer or not email or claims.get("email_verified", True) not in (True, "true"):
        return accounts.VISITOR
    with records.reading() as session:
        account = session.scalars(
            sa.select(Account).where(
                Account.issuer == issuer,
                Account.email_key == accounts.login_key(email),
                Account.active,
            )
        ).one_or_none()
    return accounts.VISITOR if account is None else _actor(account)


def sign_out(records: Records, token: str | None) -> None:
    """End a session."""
    if token:
        with records.session() as session:
            session.execute(
                sa.delete(SignInSession).where(SignInSession.token_hash == _hash(token))
            )


def change_password(records: Records, token: str, old: str, new: str) -> str:
    """Change one's own password; all other sessions of the account end.

    Parameters
    ----------
    records
        The database.
    token
        Token of the session.
    old, new
        The passwords.

    Returns
    -------
    str
        Token of a new session.

    Raises
    ------
    SignInError
        If the old password is not right; counted as a failed attempt to sign in.
    InputError
        If the new one cannot be used, or the session has ended.
    """
    with records.reading() as session:
        account = session.scalars(
            sa.select(Account)
            .join(SignInSession, SignInSession.account_id == Account.id)
            .where(SignInSession.token_hash == _hash(token))
        ).one_or_none()
    if account is None or account.login is None:
        raise InputError("The session has ended; sign in again")
    passwords.check(new, rules(records.home), account.login, account.name)
    if new == old:
        raise InputError("The new password is the old one; choose another one")
    proof = sign_in(records, account.login, old)
    kept = passwords.hashed(new)
    with records.session() as session:
        row = session.get_one(Account, account.id)
        row.password_hash, row.must_change = kept, False
        _end_others(session, account.id, _hash(proof))
        accounts.note(session, account.id, _actor(row), "own password changed")
    return proof


def _end_others(session: Session, account_id: int, but: str) -> None:
    session.execute(
        sa.delete(SignInSession).where(
            SignInSession.account_id == account_id, SignInSession.token_hash != but
        )
    )


def _over(time: dt.datetime, limits: AccountRules) -> sa.ColumnElement[bool]:
    return sa.or_(SignInSession.ends_at <= time, SignInSession.seen_at <= time - limits.idle)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
