"""How good the data of a study area are, in sentences and with what is doubtful."""

from __future__ import annotations

import streamlit as st

from app.components import findings
from app.i18n import _, translate
from data import quality
from data.quality_report import QualityReport
from data.store import Workspace


def show(area: Workspace) -> None:
    """Show the report on a workspace as it is now.

    Parameters
    ----------
    area
        The workspace.
    """
    with st.spinner(_("Measuring the quality of the data…")):
        report = _assess(str(area.folder), area.content_hash())
    show_report(report)


@st.cache_data(max_entries=4, show_spinner=False)
def _assess(place: str, content: str) -> QualityReport:
    del content  # only part of the key
    return quality.assess(Workspace.open(place))


def show_report(report: QualityReport) -> None:
    """Show a report.

    Parameters
    ----------
    report
        From `data.quality`.
    """
    st.subheader(_("Quality of the data"))
    st.markdown("\n".join(f"- {_plain(translate(line))}" for line in report.lines()))
    problems = report.problems()
    if problems:
        findings.table(problems, "quality")


def _plain(text: str) -> str:
    """Return text in which nothing is taken for a mark of Markdown."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>#|~$" else letter for letter in text)
