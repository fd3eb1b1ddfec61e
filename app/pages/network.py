"""The dedicated data network: who is connected, what fails when a line is cut."""

from __future__ import annotations

import streamlit as st

from app import areas, study
from app.components import banner, network_design, network_failures, network_status, parts
from app.components.parts import Part
from app.i18n import _
from data.store import Workspace
from planning.dedicated_network import SITES


def _page(area: Workspace) -> None:
    st.title(_("Dedicated network · {area}", area=areas.title(area.area)))
    banner.show(area)
    if not area.has(SITES):
        st.info(
            _(
                "There is no dedicated network yet. Upload sites (layer network_sites) and links "
                "(layer network_links) on the page Data."
            ),
            icon=":material/device_hub:",
        )
        return
    parts.show(
        "network.part",
        [
            Part("status", _("Status"), lambda: network_status.show(area)),
            Part("failures", _("Failures"), lambda: network_failures.show(area)),
            Part("design", _("Design"), lambda: network_design.show(area)),
        ],
    )


_page(study.workspace())
