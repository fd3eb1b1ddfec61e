"""Which homes fibre and mobile networks serve, and what it costs to lead fibre to more."""

from __future__ import annotations

import streamlit as st

from app import areas, study
from app.components import banner, broadband_coverage, fibre_design, parts
from app.components.parts import Part
from app.i18n import _
from data.store import Workspace


def _page(area: Workspace) -> None:
    st.title(_("Broadband · {area}", area=areas.title(area.area)))
    banner.show(area)
    parts.show(
        "broadband.part",
        [
            Part("coverage", _("Broadband coverage"), lambda: broadband_coverage.show(area)),
            Part("design", _("Route design"), lambda: fibre_design.show(area)),
        ],
    )


_page(study.workspace())
