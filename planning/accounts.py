"""Accounts: who may do what, and what administrators do about it.

Functions that read or write what others made take an `Actor` and check its role
themselves, so that it does not matter which page or program calls them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from data.errors import InputError, Message, PhuSongError, message
from data.records import tables
from data.records.account_tables import Account, SignInAttempts, SignInSession, now
from data.records.engine import Records, expect
from planning import passwords
from planning.account_rules import rules
from planning.names import either


class Role(StrEnum):
    """What an account may do."""

    VIEWER = "viewer"
    CARRIER = "carrier"
    PLANNER = "planner"
    ADMINISTRATOR = "administrator"


#: What roles are called in sentences.
ROLE_NAMES: dict[Role, Message] = {
    Role.VIEWER: message("viewer"),
    Role.CARRIER: message("carrier"),
    Role.PLANNER: message("planner"),
    Role.ADMINISTRATOR: message("administrator"),
}


@dataclass(frozen=True)
class Actor:
    """Who acts.

    Parameters
    ----------
    account_id
        Number of the account; None for the local user, the command line and visitors.
    name
        Name shown to others.
    role
        Role at this moment.
    organisation
        Organisation; of a carrier its name as owner or operator in the layers.
    """

    account_id: int | None
    name: str
    role: Role
    organisation: str = ""


#: Somebody who has not signed in.
VISITOR = Actor(None, "visitor", Role.VIEWER)

#: The only user of a machine, as long as there are no accounts.
LOCAL = Actor(None, "local", Role.ADMINISTRATOR)

#: Whoever may run commands may read the files anyway.
COMMAND_LINE = Actor(None, "command line", Role.ADMINISTRATOR)


class ForbiddenError(PhuSongError, PermissionError):
    """The actor's role does not allow this."""


def require(actor: Actor, *roles: Role) -> None:
    """Raise unless the actor has one of some roles.

    Parameters
    ----------
    actor
        Who acts.
    *roles
        The roles that may.

    Raises
    ------
    ForbiddenError
        If the actor has none of them.
    """
    if actor.role not in roles:
        raise ForbiddenError(
            "This needs the role {needed}; yours is {role}",
            needed=either([ROLE_NAMES[role] for role in roles]),
            role=ROLE_NAMES[actor.role],
        )


# What an account may look like

_LOGIN = re.compile(r"[\w.@-]{2,64}")
_LONGEST_NAME = 200


def login_key(login: str) -> str:
    """Return what two logins have in common that differ by letter case only."""
    return unicodedata.normalize("NFKC", login.strip()).casefold()


def checked_login(login: str) -> str:
    """Return a login without the space around it.

    Raises
    ------
    InputError
        If it holds anything but letters, digits and ``. _ - @``.
    """
    plain = unicodedata.normalize("NFC", login.strip())
    if not _LOGIN.fullmatch(plain):
        raise InputError(
            "{value} cannot be a login name (expected 2 to 64 letters, digits and . _ - @)",
            value=repr(login[:80]),
        )
    return plain


def checked_name(text: str, *, required: bool = True) -> str:
    """Return a name as it is kept: any letters and signs, but on one line.

    Raises
    ------
    InputError
        If it is empty, too long or holds control characters.
    """
    plain = unicodedata.normalize("NFC", text.strip())
    hidden = any(unicodedata.category(sign) in ("Cc", "Cf", "Co", "Cs") for sign in plain)
    if len(plain) > _LONGEST_NAME or hidden or (required and not plain):
        raise InputError(
            "{value} cannot be used as a name (expected one line of at most {most} characters)",
            value=repr(text[:80]),
            most=_LONGEST_NAME,
        )
    return plain


def _checked_role(role: Role | str, organisation: str) -> Role:
    try:
        known = Role(role)
    except ValueError as error:
        raise InputError(
            "There is no role {value} (expected one of {expected})",
            value=repr(str(role)[:80]),
            expected=", ".join(Role),
        ) from error
    if known is Role.CARRIER and not organisation:
        raise InputError(
            "A carrier's account needs its organisation, named as owner or operator in the layers"
        )
    return known


# Reading


@dataclass(frozen=True)
class AccountInfo:
    """An account as administrators see it.

    Parameters
    ----------
    id, version
        Number of the account and of its state.
    login
        Login; empty for an account of an identity provider.
    name, organisation, role
        See `Actor`.
    email, issuer
        What an identity provider says of who it is; empty for local accounts.
    active, erased
        Whether it may be used; whether its personal data were erased.
    locked_until
        Time in UTC until which signing in is locked, or None.
    sessions
        How many there are.
    """

    id: int
    version: int
    login: str
    name: str
    organisation: str
    role: Role
    email: str
    issuer: str
    active: bool
    erased: bool
    locked_until: object
    sessions: int


def exist(records: Records) -> bool:
    """Return whether there is any account, used or not."""
    with records.reading() as session:
        return session.scalar(sa.select(Account.id).limit(1)) is not None


def list_of(records: Records, actor: Actor) -> list[AccountInfo]:
    """Return all accounts by number.

    Raises
    ------
    ForbiddenError
        If the actor is no administrator.
    """
    require(actor, Role.ADMINISTRATOR)
    time = now()
    with records.reading() as session:
        counted = (
            sa.select(SignInSession.account_id, sa.func.count().label("sessions"))
            .where(SignInSession.ends_at > time)
            .group_by(SignInSession.account_id)
            .subquery()
        )
        rows = session.execute(
            sa.select(Account, SignInAttempts.locked_until, counted.c.sessions)
            .outerjoin(SignInAttempts, SignInAttempts.account_id == Account.id)
            .outerjoin(counted, counted.c.account_id == Account.id)
            .order_by(Account.id)
        )
        return [
            AccountInfo(
                id=account.id,
                version=account.version,
                login=account.login or "",
                name=account.name,
                organisation=account.organisation,
                role=Role(account.role),
                email=account.email or "",
                issuer=account.issuer or "",
                active=account.active,
                erased=account.erased_at is not None,
                locked_until=locked if locked is not None and locked > time else None,
                sessions=sessions or 0,
            )
            for account, locked, sessions in rows
        ]


def names(records: Records) -> dict[int, str]:
    """Return the names of accounts by number; a pseudonym where one was erased."""
    with records.reading() as session:
        rows = session.execute(sa.select(Account.id, Account.name, Account.erased_at))
        return {
            number: pseudonym(number) if erased is not None else name
            for number, name, erased in rows
        }


def pseudonym(account_id: int) -> str:
    """Return what is left of an account whose personal data were erased."""
    return f"account {account_id}"


# Changing


def add(
    records: Records,
    actor: Actor,
    *,
    name: str,
    role: Role | str,
    organisation: str = "",
    login: str = "",
    password: str = "",
    email: str = "",
    issuer: str = "",
    must_change: bool = True,
) -> int:
    """Make an account: a local one with a password, or one of an identity provider.

    Parameters
    ----------
    records
        The database.
    actor
        An administrator.
    name, role, organisation
        See `Actor`.
    login, password
        Of a local account.
    email, issuer
        Of an account of an identity provider: its claims ``email`` and ``iss``.
    must_change
        Whether the password must be changed at the first sign-in.

    Returns
    -------
    int
        Number of the account.

    Raises
    ------
    ForbiddenError
        If the actor is no administrator.
    InputError
        If something cannot be used or is there already.
    """
    require(actor, Role.ADMINISTRATOR)
    row = new_account(
        records,
        name=name,
        role=role,
        organisation=organisation,
        login=login,
        password=password,
        email=email,
        issuer=issuer,
        must_change=must_change,
    )
    with records.session() as session:
        insert(session, row, actor)
    return row.id


def new_account(
    records: Records,
    *,
    name: str,
    role: Role | str,
    organisation: str = "",
    login: str = "",
    password: str = "",
    email: str = "",
    issuer: str = "",
    must_change: bool = False,
) -> Account:
    """Return a checked account that is not in the database yet; see `add`."""
    name = checked_name(name)
    organisation = checked_name(organisation, required=False)
    row = Account(
        name=name, organisation=organisation, role=_checked_role(role, organisation).value
    )
    if bool(login) == bool(email):
        raise InputError(
            "An account needs either a login and a password, or an e-mail address and an issuer"
        )
    if login:
        row.login = checked_login(login)
        row.login_key = login_key(login)
        passwords.check(password, rules(records.home), login, name)
        row.password_hash = passwords.hashed(password)
        row.must_change = must_change
        return row
    if not re.fullmatch(r"[^@\s]{1,64}@[^@\s]{1,190}", email.strip()):
        raise InputError("{value} is no e-mail address", value=repr(email[:80]))
    if not re.fullmatch(r"https?://\S{1,300}", issuer.strip()):
        raise InputError(
            "{value} is no issuer (expected the address in the claim iss of the identity "
            "provider, such as https://accounts.google.com)",
            value=repr(issuer[:80]),
        )
    row.email, row.issuer = email.strip(), issuer.strip()
    row.email_key = login_key(email)
    return row


def insert(session: Session, row: Account, actor: Actor) -> None:
    """Put a new account into the database, with its entry in the history."""
    same = (
        Account.login_key == row.login_key
        if row.login_key
        else sa.and_(Account.issuer == row.issuer, Account.email_key == row.email_key)
    )
    if session.scalar(sa.select(Account.id).where(same)) is not None:
        raise InputError("There is an account {value} already", value=row.login or row.email)
    session.add(row)
    session.flush()
    session.add(SignInAttempts(account_id=row.id, failures=0))
    detail = {"role": row.role, "organisation": row.organisation}
    note(session, row.id, actor, "added", detail)


def note(
    session: Session,
    account_id: int,
    actor: Actor,
    action: str,
    detail: Mapping[str, object] | None = None,
) -> None:
    """Add an entry about an account to the history."""
    tables.append_history(
        session,
        area="",
        kind="account",
        subject_id=account_id,
        actor=actor,
        action=action,
        detail=detail,
    )


def change(
    records: Records,
    actor: Actor,
    account_id: int,
    *,
    role: Role | str | None = None,
    name: str | None = None,
    organisation: str | None = None,
    active: bool | None = None,
    expected_version: int | None = None,
) -> None:
    """Change an account; it acts from the user's next step on.

    Parameters
    ----------
    records
        The database.
    actor
        An administrator.
    account_id
        Number of the account.
    role, name, organisation, active
        What is to be changed; None leaves it.
    expected_version
        State that the administrator has seen.

    Raises
    ------
    ForbiddenError
        If the actor is no administrator.
    StaleError
        If somebody else changed the account.
    InputError
        If there is no such account, something cannot be used, or no active
        administrator would be left.
    """
    require(actor, Role.ADMINISTRATOR)
    with records.session() as session:
        only_one_at_a_time(session)
        row = _row(session, account_id)
        expect(row, expected_version)
        administrates = _administrates(row)
        if organisation is not None:
            row.organisation = checked_name(organisation, required=False)
        if name is not None:
            row.name = checked_name(name)
        row.role = _checked_role(row.role if role is None else role, row.organisation).value
        if active is not None:
            row.active = active
        changed = {
            field: getattr(row, field)
            for field in ("role", "organisation", "active")
            if sa.inspect(row).attrs[field].history.has_changes()
        }
        renamed = sa.inspect(row).attrs["name"].history.has_changes()
        if administrates and not _administrates(row):
            _keep_an_administrator(session)
        if changed.get("active") is False:
            end_sessions(session, account_id)
        if changed or renamed:
            note(session, account_id, actor, "changed", changed)


def set_password(records: Records, actor: Actor, account_id: int, password: str) -> None:
    """Give an account a new password, which its user must change; its sessions end.

    Raises
    ------
    ForbiddenError
        If the actor is no administrator.
    InputError
        If there is no such local account or the password cannot be used.
    """
    require(actor, Role.ADMINISTRATOR)
    with records.reading() as session:
        row = _row(session, account_id, lock=False)
        if row.login is None:
            raise InputError("The password of this account is kept by its identity provider")
        passwords.check(password, rules(records.home), row.login, row.name)
    kept = passwords.hashed(password)
    with records.session() as session:
        row = _row(session, account_id)
        row.password_hash, row.must_change = kept, True
        end_sessions(session, account_id)
        session.get_one(SignInAttempts, account_id).failures = 0
        session.get_one(SignInAttempts, account_id).locked_until = None
        note(session, account_id, actor, "password set")


def unlock(records: Records, actor: Actor, account_id: int) -> None:
    """Let an account sign in again that was locked after failed attempts."""
    require(actor, Role.ADMINISTRATOR)
    with records.session() as session:
        _row(session, account_id)
        attempts = session.get_one(SignInAttempts, account_id)
        attempts.failures, attempts.locked_until = 0, None
        note(session, account_id, actor, "unlocked")


def sign_out_everywhere(records: Records, actor: Actor, account_id: int) -> int:
    """End all sessions of an account; return how many there were."""
    require(actor, Role.ADMINISTRATOR)
    with records.session() as session:
        _row(session, account_id)
        count = end_sessions(session, account_id)
        note(session, account_id, actor, "sessions ended", {"count": count})
        return count


def erase(records: Records, actor: Actor, account_id: int) -> None:
    """Erase the personal data of an account; the history keeps its number only.

    Raises
    ------
    ForbiddenError
        If the actor is no administrator.
    InputError
        If there is no such account or no active administrator would be left.
    """
    require(actor, Role.ADMINISTRATOR)
    with records.session() as session:
        only_one_at_a_time(session)
        row = _row(session, account_id)
        administrates = _administrates(row)
        row.login = row.login_key = row.password_hash = None
        row.email = row.email_key = row.issuer = None
        row.name = pseudonym(account_id)
        row.active = False
        row.erased_at = now()
        if administrates:
            _keep_an_administrator(session)
        end_sessions(session, account_id)
        note(session, account_id, actor, "erased")


def end_sessions(session: Session, account_id: int) -> int:
    """End all sessions of an account within a transaction; return how many there were."""
    gone = session.execute(sa.delete(SignInSession).where(SignInSession.account_id == account_id))
    return int(gone.rowcount)  # type: ignore[attr-defined]


def find(records: Records, actor: Actor, who: str) -> int:
    """Return the number of the account with a login or e-mail address.

    Raises
    ------
    ForbiddenError
        If the actor is no administrator.
    InputError
        If there is none, or several identity providers know the address.
    """
    require(actor, Role.ADMINISTRATOR)
    key = login_key(who)
    with records.reading() as session:
        found = session.scalars(
            sa.select(Account.id).where(sa.or_(Account.login_key == key, Account.email_key == key))
        ).all()
    if len(found) != 1:
        raise InputError(
            "There are {count} accounts {value}; expected one", count=len(found), value=repr(who)
        )
    return found[0]


def _row(session: Session, account_id: int, *, lock: bool = True) -> Account:
    row = session.get(Account, account_id, with_for_update=lock)
    if row is None or row.erased_at is not None:
        raise InputError("There is no account {number}", number=account_id)
    return row


def _administrates(row: Account) -> bool:
    return row.active and row.role == Role.ADMINISTRATOR.value


def _keep_an_administrator(session: Session) -> None:
    """Raise if nobody could administrate the accounts any more."""
    session.flush()
    left = session.scalar(
        sa.select(sa.func.count())
        .select_from(Account)
        .where(Account.active, Account.role == Role.ADMINISTRATOR.value)
    )
    if not left:
        raise InputError("This is the last active administrator; make another one first")


def only_one_at_a_time(session: Session) -> None:
    """Wait for other changes of accounts; what is read afterwards stays until the end."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.text("LOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE"))
