"""Change an account, or add one."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app import identity, labels
from app.components import style
from app.i18n import _, mark, translate
from data.errors import PhuSongError
from planning import accounts
from planning.accounts import AccountInfo, Role

#: Kinds of accounts that can be added.
KINDS = {
    "local": mark("With a password kept here"),
    "provider": mark("Of an identity provider"),
}

_SEEN = "administration.seen"


def show(account: AccountInfo) -> None:
    """Show the forms that change an account.

    Parameters
    ----------
    account
        As it is now.
    """
    # What the administrator decides on is what was on the screen, not what is there by now.
    seen: AccountInfo = st.session_state.get(_SEEN, account)
    if seen.id != account.id:
        seen = account
    st.session_state[_SEEN] = seen
    if seen.version != account.version:
        st.warning(
            _("Somebody else has changed this account since you looked at it."),
            icon=":material/sync_problem:",
        )
        if st.button(_("Show it as it is now"), icon=":material/refresh:"):
            del st.session_state[_SEEN]
            st.rerun()
    st.subheader(style.plain(seen.name))
    _facts_form(seen)
    left, right = st.columns(2)
    with left:
        if seen.login:
            _password_form(seen)
    with right:
        _session_buttons(account)
        _erase_form(seen)


def _facts_form(seen: AccountInfo) -> None:
    key = f"account.{seen.id}.{seen.version}"
    with st.form(f"{key}.facts"):
        name, organisation, role = st.columns(3)
        wanted_name = name.text_input(_("Name shown to others"), seen.name, key=f"{key}.name")
        wanted_organisation = organisation.text_input(
            _("Organisation"),
            seen.organisation,
            help=_("Of a carrier: its name as owner or operator in the layers."),
            key=f"{key}.organisation",
        )
        wanted_role = role.selectbox(
            _("Role"),
            [role.value for role in Role],
            index=list(Role).index(seen.role),
            format_func=lambda role: _(labels.ROLES[role]),
            key=f"{key}.role",
        )
        active = st.checkbox(_("May sign in"), seen.active, key=f"{key}.active")
        if not st.form_submit_button(_("Save"), type="primary", icon=":material/save:"):
            return
    _do(
        lambda: accounts.change(
            identity.records(),
            identity.actor(),
            seen.id,
            name=wanted_name,
            organisation=wanted_organisation,
            role=wanted_role,
            active=active,
            expected_version=seen.version,
        ),
        _("The account was changed."),
    )


def _password_form(seen: AccountInfo) -> None:
    key = f"account.{seen.id}.password"
    with st.form(key):
        password = st.text_input(
            _("New password"),
            type="password",
            autocomplete="new-password",
            help=_("Hand it over in person; it has to be changed at the next sign-in."),
            key=f"{key}.new",
        )
        if not st.form_submit_button(_("Set the password"), icon=":material/lock_reset:"):
            return
    _do(
        lambda: accounts.set_password(identity.records(), identity.actor(), seen.id, password),
        _("The password was set; all sessions of the account have ended."),
    )


def _session_buttons(account: AccountInfo) -> None:
    if account.locked_until is not None and st.button(
        _("Unlock"), icon=":material/lock_open:", width="stretch", key="account.unlock"
    ):
        _do(
            lambda: accounts.unlock(identity.records(), identity.actor(), account.id),
            _("The account may sign in again."),
        )
    if account.sessions and st.button(
        _("End all sessions"), icon=":material/logout:", width="stretch", key="account.sessions"
    ):
        _do(
            lambda: accounts.sign_out_everywhere(identity.records(), identity.actor(), account.id),
            _("All sessions of the account have ended."),
        )


def _erase_form(seen: AccountInfo) -> None:
    with st.expander(_("Erase personal data"), icon=":material/person_remove:"):
        st.caption(
            _(
                "Login name, name and e-mail are erased for good; the history keeps the number of "
                "the account."
            )
        )
        sure = st.checkbox(_("I am sure"), key=f"account.{seen.id}.sure")
        if st.button(_("Erase"), disabled=not sure, key="account.erase"):
            _do(
                lambda: accounts.erase(identity.records(), identity.actor(), seen.id),
                _("The personal data were erased."),
            )


def add() -> None:
    """Show the form that adds an account."""
    with st.expander(_("Add an account"), icon=":material/person_add:"):
        kind = st.segmented_control(
            _("Kind of account"),
            list(KINDS),
            format_func=lambda kind: _(KINDS[kind]),
            default="local",
            required=True,
            key="account.new.kind",
        )
        with st.form("account.new", border=False):
            wanted = _new_fields(kind == "local")
            if not st.form_submit_button(_("Add"), type="primary", icon=":material/add:"):
                return
        _do(
            lambda: accounts.add(identity.records(), identity.actor(), **wanted),
            _("The account was added."),
        )


def _new_fields(local: bool) -> dict[str, str]:
    left, right = st.columns(2)
    fields = {
        "name": left.text_input(_("Name shown to others"), key="account.new.name"),
        "organisation": right.text_input(
            _("Organisation"),
            help=_("Of a carrier: its name as owner or operator in the layers."),
            key="account.new.organisation",
        ),
        "role": left.selectbox(
            _("Role"),
            [role.value for role in Role],
            format_func=lambda role: _(labels.ROLES[role]),
            key="account.new.role",
        ),
    }
    if local:
        fields["login"] = right.text_input(_("Login name"), key="account.new.login")
        fields["password"] = left.text_input(
            _("First password"),
            type="password",
            autocomplete="new-password",
            help=_("Hand it over in person; it has to be changed at the next sign-in."),
            key="account.new.password",
        )
    else:
        fields["email"] = right.text_input(_("E-mail address"), key="account.new.email")
        fields["issuer"] = left.text_input(
            _("Issuer"),
            placeholder="https://accounts.google.com",
            help=_("The claim iss of the identity provider."),
            key="account.new.issuer",
        )
    return fields


def _do(step: Callable[[], object], said: str) -> None:
    """Do something and say so, or why not."""
    try:
        step()
    except PhuSongError as error:
        st.error(translate(error), icon=":material/error:")
        return
    st.session_state.pop(_SEEN, None)
    st.session_state["administration.said"] = said
    st.rerun()
