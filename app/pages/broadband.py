"""Which homes fibre and mobile networks serve, and what it costs to lead fibre to more."""

from __future__ import annotations

import streamlit as st

from app import areas, study
from app.components import banner, broadband_coverage, fibre_design
from app.errors import readable_errors
from app.i18n import _
from data.store import Workspace


def _page(area: Workspace) -> None:
    st.title(_("Broadband · {area}", area=areas.title(area.area)))
    banner.show(area)
    parts = {
        _("Broadband coverage"): broadband_coverage.show,
        _("Route design"): fibre_design.show,
    }
    tabs = st.tabs(list(parts), key="broadband.part", on_change="rerun")
    for tab, show in zip(tabs, parts.values(), strict=True):
        # Only what is looked at is worked out; a fault in it leaves the other usable.
        if tab.open:
            with tab, readable_errors():
                show(area)


_page(study.workspace())
