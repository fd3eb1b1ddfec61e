"""Shared masts: which could become one, which can go, and where coverage is missing."""

from __future__ import annotations

import streamlit as st

from app import areas, study
from app.components import banner, consolidation, settings, sharing_pairs, white_spots
from app.errors import readable_errors
from app.i18n import _
from coverage.request import ON_AIR
from data.store import Workspace


def _page(area: Workspace) -> None:
    st.title(_("Infrastructure sharing · {area}", area=areas.title(area.area)))
    banner.show(area)
    on_air = area.has("masts") and study.layer(area, "masts")["status"].isin(ON_AIR).any()
    if not on_air or not area.has("cells") or not area.has("terrain"):
        st.info(
            _(
                "Sharing needs masts in operation with their cells, and terrain heights. Upload "
                "them on the page Data."
            ),
            icon=":material/cell_tower:",
        )
        return
    request = settings.show(area)
    parts = {
        _("Masts to share"): sharing_pairs.show,
        _("Fewest masts"): consolidation.show,
        _("White spots"): white_spots.show,
    }
    tabs = st.tabs(list(parts), key="sharing.part", on_change="rerun")
    for tab, show in zip(tabs, parts.values(), strict=True):
        # Only what is looked at is worked out; a fault in it leaves the others usable.
        if tab.open:
            with tab, readable_errors():
                show(area, request)


_page(study.workspace())
