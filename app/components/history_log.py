"""What was done, the newest first; nobody can change it."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from app import areas, formats, history_labels, identity, labels
from app.components.kept import keep
from app.i18n import _
from data.records.engine import Records
from planning import history

#: Entries that are shown at once.
SHOWN = 200


def show() -> None:
    """Show the history with a choice of its kind."""
    actor = identity.actor()
    if not Records.exists(areas.home()):
        st.info(_("Nothing has been recorded yet."), icon=":material/history_toggle_off:")
        return
    records = identity.records()
    kinds = history.kinds(records, actor)
    if not kinds:
        st.info(_("Nothing has been recorded yet."), icon=":material/history_toggle_off:")
        return
    kind = st.selectbox(
        _("What was changed"),
        ["", *kinds],
        format_func=lambda kind: _("everything") if not kind else history_labels.kind(kind),
        key=keep("history_kind", "", ["", *kinds]),
    )
    found = history.entries(records, actor, kind=kind or None, limit=SHOWN)
    st.dataframe(
        pd.DataFrame(
            {
                _("When"): [formats.moment(entry.at) for entry in found],
                _("Study area"): [entry.area for entry in found],
                _("What was changed"): [
                    f"{history_labels.kind(entry.kind)} {entry.subject_id}" for entry in found
                ],
                _("What was done"): [history_labels.action(entry.action) for entry in found],
                _("By whom"): [history_labels.who(entry) for entry in found],
                _("Role"): [_(labels.ROLES.get(entry.role, entry.role)) for entry in found],
                _("Organisation"): [entry.organisation for entry in found],
                _("Exactly"): [json.dumps(e.detail, ensure_ascii=False) for e in found],
            }
        ),
        hide_index=True,
        width="stretch",
    )
    if len(found) == SHOWN:
        st.caption(_("The newest {count} entries are shown.", count=SHOWN))
