"""Shared masts: which could become one, which can go, and where coverage is missing."""

from __future__ import annotations

import streamlit as st

from app import areas, study
from app.components import banner, consolidation, parts, settings, sharing_pairs, white_spots
from app.components.parts import Part
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
    parts.show(
        "sharing.part",
        [
            Part("pairs", _("Masts to share"), lambda: sharing_pairs.show(area, request)),
            Part("fewest", _("Fewest masts"), lambda: consolidation.show(area, request)),
            Part("white-spots", _("White spots"), lambda: white_spots.show(area, request)),
        ],
    )


_page(study.workspace())
