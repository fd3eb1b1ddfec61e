"""Networks with changes: make them, look at them everywhere, compare them."""

from __future__ import annotations

import streamlit as st

from app import areas, study
from app.components import (
    banner,
    scenario_changes,
    scenario_compare,
    scenario_list,
    settings,
)
from app.errors import readable_errors
from app.i18n import _
from data.store import Workspace


def _page(area: Workspace) -> None:
    st.title(_("Scenarios · {area}", area=areas.title(area.area)))
    banner.show(area)
    parts = [_("Scenarios and changes"), _("Comparison")]
    tabs = st.tabs(parts, key="scenarios.part", on_change="rerun")
    if tabs[0].open:
        with tabs[0], readable_errors():
            chosen = scenario_list.show(area)
            if chosen is not None:
                scenario_changes.show(area, chosen)
    if tabs[1].open:
        with tabs[1], readable_errors():
            scenario_compare.show(area, settings.show(area))


_page(study.base())
