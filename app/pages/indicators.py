"""Every figure of a provincial report, beside what is computed, with its history and audit."""

from __future__ import annotations

import streamlit as st

from app import areas, study
from app.components import (
    banner,
    indicator_audit,
    indicator_detail,
    indicator_edit,
    indicator_findings,
    indicator_table,
)
from app.errors import readable_errors
from app.i18n import _
from data.store import Workspace


def _table(area: Workspace) -> None:
    indicator_table.show(area)
    indicator_edit.files(area)


def _page(area: Workspace) -> None:
    st.title(_("Indicators · {area}", area=areas.title(area.area)))
    banner.show(area)
    parts = {
        _("Table"): _table,
        _("One indicator"): indicator_detail.show,
        _("Arithmetic"): indicator_findings.show,
        _("Audit"): indicator_audit.show,
    }
    tabs = st.tabs(list(parts), key="indicators.part", on_change="rerun")
    for tab, show in zip(tabs, parts.values(), strict=True):
        # Only what is looked at is worked out; a fault in it leaves the others usable.
        if tab.open:
            with tab, readable_errors():
                show(area)


_page(study.workspace())
