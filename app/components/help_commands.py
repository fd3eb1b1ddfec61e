"""The help page's section on commands for proposals and accounts."""

from __future__ import annotations

import streamlit as st

from app.components import style
from app.components.help_text import paragraph
from app.i18n import _, mark
from data.store import Workspace

#: Commands -> what they do.
PROPOSALS = {
    "proposals import FILE --organisation NAME": mark(
        "make proposals of a file, all or none, and evaluate them; --submit sends them, "
        "--no-evaluation leaves the evaluation for later"
    ),
    "proposals list --status submitted": mark("list proposals by state and carrier"),
    "proposals evaluate ID": mark("evaluate again and write the figures with --out"),
    "proposals submit ID": mark("send drafts, and what was changed, to the planners"),
    "proposals withdraw ID --reason TEXT": mark("take proposals back"),
    "proposals comment ID TEXT": mark("say something to the carrier and the planners"),
    "proposals decide ID approve --number NUMBER --day DAY": mark(
        "consent to a proposal, refuse it or ask for changes"
    ),
    "proposals record ID permit --number NUMBER --day DAY": mark(
        "record a building permit, an EMF certificate or going on air"
    ),
    "proposals export --format xlsx --out FOLDER": mark("write proposals and consents to files"),
}

ACCOUNTS = {
    "records account add WHO --name NAME --role ROLE": mark("add an account"),
    "records account list": mark("list the accounts"),
    "records account role WHO ROLE --organisation NAME": mark(
        "change the role of an account, and the carrier that it acts for"
    ),
    "records account password WHO": mark(
        "set a password, to be changed at the next sign-in; it is asked for, or read from a pipe"
    ),
    "records account deactivate WHO": mark("let an account sign in no more"),
}


def commands(area: Workspace) -> None:
    """Show the commands about proposals and accounts."""
    del area
    paragraph(
        _(
            "Proposals and accounts can also be handled by commands on the server, which act as an "
            "administrator:"
        )
    )
    st.code("python -m planning proposals list --workspace FOLDER", language="console")
    _table(_("Proposals"), PROPOSALS)
    _table(_("Accounts"), ACCOUNTS)
    paragraph(_("With --help after a command all its options are listed."))


def _table(title: str, texts: dict[str, str]) -> None:
    rows = [(command, _(text)) for command, text in texts.items()]
    style.table(title, (_("Command"), _("What it does")), rows)
