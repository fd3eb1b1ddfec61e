"""Who uses the session, and how that is found out.

As long as there are no accounts, whoever sits at the machine that runs the server
is its only user and may do everything. From the first account on, a visitor who
has not signed in only looks on.
"""

from __future__ import annotations

import secrets
import sys
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st

from app import areas, i18n
from app.i18n import _
from data.records.engine import Records
from data.store import Workspace
from planning import accounts, data_changes, sign_in
from planning.accounts import Actor, Role

#: Addresses that only this machine can reach.
LOOPBACK = ("localhost", "127.0.0.1", "::1")

#: What the session holds of who signed in: a random token and nothing else.
_TOKEN = "identity.token"  # noqa: S105 - the key, not the token

#: What stays when the user of a browser changes.
_KEPT = (i18n.STATE_KEY, areas.KEY)

_PRINTING = threading.Lock()


def records() -> Records:
    """Open the records database beside the workspaces.

    Returns
    -------
    Records
        Made where it is not there yet.
    """
    return Records.open(areas.home())


def actor() -> Actor:
    """Return who uses the session, asked anew at every step.

    Returns
    -------
    Actor
        The local user as long as there are no accounts; a visitor where nobody has
        signed in.
    """
    if not accounts_exist():
        return accounts.LOCAL if on_this_machine() else accounts.VISITOR
    found = sign_in.who(records(), st.session_state.get(_TOKEN))
    if found is not None:
        return found.actor
    told = claims()
    return accounts.VISITOR if told is None else sign_in.who_claims(records(), told)


def accounts_exist() -> bool:
    """Return whether there is any account; makes no database."""
    return Records.exists(areas.home()) and accounts.exist(records())


def may_change_data() -> bool:
    """Return whether to offer what changes layers and reported figures."""
    return actor().role in (Role.PLANNER, Role.ADMINISTRATOR)


def data_change(
    area: Workspace | Path, action: str, **detail: object
) -> AbstractContextManager[None]:
    """Return what goes around a change of data: it checks the role and notes the change.

    Parameters
    ----------
    area
        The workspace or its folder.
    action
        See `planning.data_changes.change`.
    **detail
        JSON values that say it exactly.

    Returns
    -------
    context manager
        May be entered outside the session, in a job, too; the user is the present one.
    """
    folder = area if isinstance(area, Path) else area.folder
    kept = records() if Records.exists(areas.home()) else None
    return data_changes.change(kept, actor(), area=folder.name, action=action, detail=detail)


# The machine


def on_this_machine() -> bool:
    """Return whether nobody but a user of this machine can be behind the session.

    The server listens on the loopback only, and the browser has asked for it by
    such a name: a proxy in front of it, or another site's name that points here,
    gives itself away by the name.
    """
    if st.get_option("server.address") not in LOOPBACK:
        return False
    headers = st.context.headers
    if any(name in headers for name in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host")):
        return False
    host = headers.get("Host")
    return host is None or urlsplit(f"//{host}").hostname in LOOPBACK


@cache
def _set_up_code() -> str:
    return secrets.token_urlsafe(16)


@cache
def _print_set_up_code() -> None:
    sys.stderr.write(
        "Phủ Sóng has no account yet. To make the first administrator, open the app and give "
        f"this code: {_set_up_code()}\n"
    )
    sys.stderr.flush()


def set_up_needs_code() -> bool:
    """Return whether making the first administrator needs the code of the server's console.

    Where it does, the code is printed there, once for each start of the server.
    """
    if on_this_machine():
        return False
    with _PRINTING:
        _print_set_up_code()
    return True


def set_up(login: str, name: str, password: str, code: str = "") -> None:
    """Make the first administrator and sign in.

    Parameters
    ----------
    login, name, password
        Of the administrator.
    code
        Code of the server's console, where one is needed.

    Raises
    ------
    ForbiddenError
        If the code is not the right one.
    InputError
        If something cannot be used, or there are accounts already.
    """
    if set_up_needs_code() and not secrets.compare_digest(code.strip().encode(), _code_bytes()):
        raise accounts.ForbiddenError("This is not the code that the server has printed")
    sign_in.set_up(records(), login=login, name=name, password=password)
    enter(login, password)


def _code_bytes() -> bytes:
    return _set_up_code().encode()


# Signing in and out


def enter(login: str, password: str) -> None:
    """Sign in with a local account.

    Raises
    ------
    SignInError
        If that is not possible.
    """
    st.session_state[_TOKEN] = sign_in.sign_in(records(), login, password)


def leave() -> None:
    """Sign out; what was on the pages of this session goes, too.

    Who came from an identity provider signs out there: the browser goes to it when this
    step of the page ends, which a new step would prevent.
    """
    sign_in.sign_out(records(), st.session_state.get(_TOKEN))
    _forget()
    if claims() is not None:
        st.logout()
        st.stop()


def _forget() -> None:
    for key in list(st.session_state):
        if key not in _KEPT:
            del st.session_state[key]


def has_ended() -> bool:
    """Return, once, whether the session has ended by itself."""
    token = st.session_state.get(_TOKEN)
    if token is None or sign_in.who(records(), token) is not None:
        return False
    _forget()
    return True


def has_local_account() -> bool:
    """Return whether the user has signed in with a password of ours."""
    return sign_in.who(records(), st.session_state.get(_TOKEN)) is not None


def must_change_password() -> bool:
    """Return whether the user has to choose a password before anything else."""
    if not accounts_exist():
        return False
    found = sign_in.who(records(), st.session_state.get(_TOKEN))
    return found is not None and found.must_change


def change_password(old: str, new: str) -> None:
    """Change the user's own password.

    Raises
    ------
    SignInError
        If the old one is not right.
    InputError
        If the new one cannot be used.
    """
    token = str(st.session_state.get(_TOKEN, ""))
    st.session_state[_TOKEN] = sign_in.change_password(records(), token, old, new)


# Identity providers


def claims() -> Mapping[str, object] | None:
    """Return what an identity provider says of the user; None if nobody has signed in there."""
    told = st.user.to_dict()
    return told if told.get("is_logged_in") else None


def providers() -> dict[str | None, str]:
    """Return the identity providers in `.streamlit/secrets.toml`.

    Returns
    -------
    dict
        What `st.login` takes -> what a button says.
    """
    if "is_logged_in" not in st.user.to_dict():
        return {}
    settings = st.secrets["auth"]
    found: dict[str | None, str] = {}
    if "client_id" in settings:
        found[None] = _("Sign in with the organisation's account")
    for name, value in settings.items():
        if isinstance(value, Mapping) and "client_id" in value:
            found[name] = _("Sign in with {provider}", provider=name.title())
    return found
