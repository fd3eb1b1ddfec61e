"""All accounts in a table, and the one that is looked at."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import formats, identity, labels
from app.i18n import _
from planning import accounts
from planning.accounts import AccountInfo


def show() -> AccountInfo | None:
    """Show the accounts and a choice among them.

    Returns
    -------
    AccountInfo or None
        The one that was chosen.
    """
    found = accounts.list_of(identity.records(), identity.actor())
    st.dataframe(
        pd.DataFrame(
            {
                _("Account number"): [account.id for account in found],
                _("Login name or e-mail"): [account.login or account.email for account in found],
                _("Name"): [_name(account) for account in found],
                _("Organisation"): [account.organisation for account in found],
                _("Role"): [_(labels.ROLES[account.role]) for account in found],
                _("State"): [_state(account) for account in found],
                _("Sessions"): [account.sessions for account in found],
            }
        ),
        hide_index=True,
        width="stretch",
    )
    usable = [account for account in found if not account.erased]
    by_number = {account.id: account for account in usable}
    number = st.selectbox(
        _("Account to change"),
        list(by_number),
        index=None,
        format_func=lambda number: _title(by_number[number]),
        placeholder=_("Choose an account"),
        key="administration.account",
    )
    return by_number.get(number)


def _name(account: AccountInfo) -> str:
    return _("account {number}", number=account.id) if account.erased else account.name


def _title(account: AccountInfo) -> str:
    return f"{account.name} ({account.login or account.email})"


def _state(account: AccountInfo) -> str:
    if account.erased:
        return _("erased")
    if not account.active:
        return _("deactivated")
    if account.locked_until is not None:
        return _("locked until {time}", time=formats.time_of_day(account.locked_until))
    return _("active")
