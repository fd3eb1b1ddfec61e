"""Who may do what, what was done, and where the records are."""

from __future__ import annotations

import streamlit as st

from app import identity
from app.components import account_form, account_list, history_log, parts, records_state, sign_in
from app.components.parts import Part
from app.i18n import _
from planning import accounts
from planning.accounts import Role


def _page() -> None:
    st.title(_("Administration"))
    actor = identity.actor()
    accounts.require(actor, Role.ADMINISTRATOR)
    parts.show(
        "administration.part",
        [
            Part("accounts", _("Accounts"), _accounts),
            Part("history", _("History"), history_log.show),
            Part("database", _("Database"), records_state.show),
        ],
    )


def _accounts() -> None:
    if not identity.accounts_exist():
        st.info(
            _(
                "You work alone on this machine and may do everything. To let others in, make the "
                "first administrator; from then on everybody who changes something signs in."
            ),
            icon=":material/person:",
        )
        left, _right = st.columns(2)
        with left:
            sign_in.set_up_form()
        return
    said = st.session_state.pop("administration.said", None)
    if said:
        st.success(said, icon=":material/check_circle:")
    chosen = account_list.show()
    if chosen is not None:
        account_form.show(chosen)
    account_form.add()


_page()
