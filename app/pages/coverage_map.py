"""Where is which technology received, how well, and from where."""

from __future__ import annotations

import folium
import streamlit as st

from app import address, areas, study
from app.components import banner, computation, map_layers, place_panel, settings, style, web_map
from app.errors import readable
from app.i18n import _, language
from coverage.results import CoverageResult
from data.store import Workspace


@st.fragment
@readable
def _explorer(area: Workspace, result: CoverageResult) -> None:
    view = map_layers.choose(area, result)
    legend = st.container()
    wide, narrow = st.columns([2.6, 1], gap="medium")
    groups: list[folium.FeatureGroup] = map_layers.groups(area, result, view)
    with legend:
        style.legend(*map_layers.legend(view))
    with wide:
        clicked = web_map.show(
            map_layers.bounds(area),
            groups,
            key=f"map-{language()}",
            language=language(),
            texts={
                "title": _("Coverage map"),
                "zoom_in": _("Zoom in"),
                "zoom_out": _("Zoom out"),
                "layers": _("Layers"),
            },
            background=map_layers.relief(area) if view.background == "relief" else None,
            tiles=view.background == "tiles",
            linked=True,
        )
        if clicked is not None:
            address.note_place(*clicked)
    with narrow:
        place_panel.show(area, result, clicked or address.place(), view.operator)


def _page(area: Workspace) -> None:
    st.title(_("Coverage map · {area}", area=areas.title(area.area)))
    banner.show(area)
    request = settings.show(area)
    result = computation.show(area, request)
    if result is not None:
        _explorer(area, result)


_page(study.workspace())
