"""Where is which technology received, how well, and from where."""

from __future__ import annotations

import folium
import streamlit as st

from app import areas, study
from app.components import (
    banner,
    computation,
    figure_facts,
    how,
    map_layers,
    path_profile,
    place_panel,
    settings,
    style,
    web_map,
)
from app.errors import readable
from app.i18n import _, language
from coverage.request import CoverageRequest
from coverage.results import CoverageResult
from data.store import Workspace


@st.fragment
@readable
def _explorer(area: Workspace, request: CoverageRequest, result: CoverageResult) -> None:
    view = map_layers.choose(area, result)
    legend = st.container()
    wide, narrow = st.columns([2.6, 1], gap="medium")
    groups: list[folium.FeatureGroup] = map_layers.groups(area, result, view)
    with legend:
        style.legend(*map_layers.legend(view))
        how.show(
            _("How was this computed?"),
            figure_facts.coverage(result.summary, view.service),
            section=map_layers.METHODS[view.subject],
        )
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
    with narrow:
        st.subheader(_("At this place"))
        where = place_panel.choose(area, clicked)
        place = place_panel.show(area, result, where, view.operator)
    if place is not None:
        with wide:
            place_panel.show_operators(place)
        path_profile.show(area, request, result, place)


def _page(area: Workspace) -> None:
    st.title(_("Coverage map · {area}", area=areas.title(area.area)))
    banner.show(area)
    request = settings.show(area)
    result = computation.show(area, request)
    if result is not None:
        _explorer(area, request, result)


_page(study.workspace())
