"""Problems of a layer or a file, as a table that can be taken along."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app import formats, labels
from app.components import download
from app.i18n import _, ngettext, translate
from data import check
from data.errors import Problem
from data.store import Workspace

#: Rows shown at once; the file to download has all.
SHOWN = 1000


def show(area: Workspace) -> None:
    """Show what the check of the workspace found.

    Parameters
    ----------
    area
        The workspace.
    """
    with st.spinner(_("Checking the data…")):
        found = _check(str(area.folder), area.content_hash())
    if not found:
        st.success(_("No problem was found."), icon=":material/check_circle:")
        return
    table(found, "check")


@st.cache_data(max_entries=4, show_spinner=False)
def _check(place: str, content: str) -> list[Problem]:
    del content  # only part of the key
    return check.check(Workspace.open(place))


def table(problems: Sequence[Problem], name: str) -> None:
    """Show problems row by row.

    Parameters
    ----------
    problems
        At least one.
    name
        Start of the name of the file to download.
    """
    errors = sum(problem.severity == "error" for problem in problems)
    doubts = len(problems) - errors
    parts = []
    if errors:
        parts.append(ngettext("{n} error", "{n} errors", errors, n=formats.number(errors)))
    if doubts:
        parts.append(ngettext("{n} warning", "{n} warnings", doubts, n=formats.number(doubts)))
    said = st.error if errors else st.warning
    said(" · ".join(parts), icon=":material/rule:")
    frame = pd.DataFrame(
        {
            _("Severity"): [
                _("error") if problem.severity == "error" else _("warning") for problem in problems
            ],
            _("File"): [problem.file or labels.layer(problem.layer) for problem in problems],
            _("Row"): ["" if problem.row is None else str(problem.row) for problem in problems],
            _("Column"): [problem.column or "" for problem in problems],
            _("Found"): [translate(problem.value) for problem in problems],
            _("Expected"): [translate(problem.expected) for problem in problems],
        }
    )
    st.dataframe(frame.head(SHOWN), hide_index=True, width="stretch")
    if len(frame) > SHOWN:
        st.caption(
            _(
                "The first {shown} of {all} are shown; the file has all of them.",
                shown=formats.number(SHOWN),
                all=formats.number(len(frame)),
            )
        )
    download.table(_("Download the list (CSV)"), frame, f"{name}_problems.csv")
