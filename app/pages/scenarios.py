"""Networks with changes: make them, look at them everywhere, compare them."""

from __future__ import annotations

import streamlit as st

from app import areas, study
from app.components import (
    banner,
    parts,
    scenario_changes,
    scenario_compare,
    scenario_list,
    settings,
)
from app.components.parts import Part
from app.i18n import _
from data.store import Workspace


def _page(area: Workspace) -> None:
    st.title(_("Scenarios · {area}", area=areas.title(area.area)))
    banner.show(area)
    parts.show(
        "scenarios.part",
        [
            Part("changes", _("Scenarios and changes"), lambda: _changes(area)),
            Part(
                "comparison",
                _("Comparison"),
                lambda: scenario_compare.show(area, settings.show(area)),
            ),
        ],
    )


def _changes(area: Workspace) -> None:
    chosen = scenario_list.show(area)
    if chosen is not None:
        scenario_changes.show(area, chosen)


_page(study.base())
