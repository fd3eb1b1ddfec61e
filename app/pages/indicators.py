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
    parts,
)
from app.components.parts import Part
from app.i18n import _
from data.store import Workspace


def _table(area: Workspace) -> None:
    indicator_table.show(area)
    indicator_edit.files(area)


def _page(area: Workspace) -> None:
    st.title(_("Indicators · {area}", area=areas.title(area.area)))
    banner.show(area)
    parts.show(
        "indicators.part",
        [
            Part("table", _("Table"), lambda: _table(area)),
            Part("one", _("One indicator"), lambda: indicator_detail.show(area)),
            Part("arithmetic", _("Arithmetic"), lambda: indicator_findings.show(area)),
            Part("audit", _("Audit"), lambda: indicator_audit.show(area)),
        ],
    )


_page(study.workspace())
