"""In the sidebar: who uses the app, signing in and out, and the first administrator."""

from __future__ import annotations

from html import escape

import streamlit as st

from app import areas, identity, labels
from app.components import style
from app.errors import readable_errors
from app.i18n import _, translate
from data.errors import PhuSongError
from planning.account_rules import rules
from planning.accounts import Actor


def show() -> None:
    """Show who uses the app and what they can do about it."""
    with readable_errors():
        if not identity.accounts_exist():
            _without_accounts()
            return
        if identity.has_ended():
            st.session_state["sign_in.said"] = _("Your session has ended; please sign in again.")
        said = st.session_state.pop("sign_in.said", None)
        if said:
            st.info(said, icon=":material/logout:")
        actor = identity.actor()
        if actor.account_id is not None:
            _signed_in(actor)
        else:
            _visitor()


def _without_accounts() -> None:
    if not identity.set_up_needs_code():
        # Alone on the machine; accounts are made on the page Administration.
        return
    st.info(_("This server has no accounts yet; visitors can only look."), icon=":material/lock:")
    with st.popover(_("Set up the first administrator"), icon=":material/key:", width="stretch"):
        set_up_form()


def set_up_form() -> None:
    """Show the form that makes the first administrator."""
    needs_code = identity.set_up_needs_code()
    with st.form("set-up", border=False):
        code = (
            st.text_input(
                _("One-time code"),
                help=_("The server has printed it on its console when it was first visited."),
                key="set-up.code",
            )
            if needs_code
            else ""
        )
        login = st.text_input(_("Login name"), autocomplete="username", key="set-up.login")
        name = st.text_input(_("Name shown to others"), autocomplete="name", key="set-up.name")
        first = st.text_input(
            _("Password"), type="password", autocomplete="new-password", key="set-up.password"
        )
        second = st.text_input(
            _("Password once more"),
            type="password",
            autocomplete="new-password",
            key="set-up.again",
        )
        _password_rule()
        if not st.form_submit_button(
            _("Make the administrator"), type="primary", icon=":material/person_add:"
        ):
            return
    if first != second:
        st.error(_("The two passwords differ."), icon=":material/error:")
        return
    try:
        identity.set_up(login, name, first, code)
    except PhuSongError as error:
        st.error(translate(error), icon=":material/error:")
        return
    st.rerun()


def _password_rule() -> None:
    least = rules(areas.home()).password_least
    st.caption(_("At least {count} characters, and not made of the name", count=least))


def _signed_in(actor: Actor) -> None:
    role = _(labels.ROLES[actor.role])
    # As HTML of our own: names are no Markdown.
    organisation = f" · {escape(actor.organisation)}" if actor.organisation else ""
    st.html(
        f'<p class="ps-user"><strong>{escape(actor.name)}</strong><br>'
        f"{escape(role)}{organisation}</p>"
    )
    must_change = identity.must_change_password()
    if must_change:
        st.warning(
            _("Your password was set by somebody else; choose one of your own to go on."),
            icon=":material/password:",
        )
        _password_form()
    if st.button(_("Sign out"), icon=":material/logout:", width="stretch", key="sign-out"):
        identity.leave()
        st.rerun()
    if not must_change and identity.has_local_account():
        with st.popover(_("Change password"), icon=":material/password:", width="stretch"):
            _password_form()


def _password_form() -> None:
    with st.form("own-password", border=False):
        old = st.text_input(
            _("Present password"),
            type="password",
            autocomplete="current-password",
            key="own-password.old",
        )
        new = st.text_input(
            _("New password"), type="password", autocomplete="new-password", key="own-password.new"
        )
        again = st.text_input(
            _("New password once more"),
            type="password",
            autocomplete="new-password",
            key="own-password.again",
        )
        _password_rule()
        if not st.form_submit_button(_("Change the password"), icon=":material/save:"):
            return
    if new != again:
        st.error(_("The two passwords differ."), icon=":material/error:")
        return
    try:
        identity.change_password(old, new)
    except PhuSongError as error:
        st.error(translate(error), icon=":material/error:")
        return
    st.session_state["sign_in.said"] = _("Your password was changed.")
    st.rerun()


def _visitor() -> None:
    told = identity.claims()
    if told is not None:
        st.info(
            _(
                "Signed in as {who}, who has no account here: you can look. An administrator can "
                "add the account.",
                who=style.plain(str(told.get("email") or told.get("name") or "")),
            ),
            icon=":material/person_off:",
        )
        if st.button(_("Sign out"), icon=":material/logout:", key="sign-out"):
            identity.leave()
        return
    with st.popover(_("Sign in"), icon=":material/login:", width="stretch"):
        for provider, text in identity.providers().items():
            if st.button(text, key=f"sign-in.{provider}", width="stretch"):
                st.login(provider)
        _sign_in_form()


def _sign_in_form() -> None:
    with st.form("sign-in", border=False):
        login = st.text_input(_("Login name"), autocomplete="username", key="sign-in.login")
        password = st.text_input(
            _("Password"),
            type="password",
            autocomplete="current-password",
            key="sign-in.password",
        )
        if not st.form_submit_button(_("Sign in"), type="primary", icon=":material/login:"):
            return
    try:
        identity.enter(login, password)
    except PhuSongError as error:
        st.error(translate(error), icon=":material/error:")
        return
    st.rerun()
