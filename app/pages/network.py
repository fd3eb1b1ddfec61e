"""The dedicated data network: who is connected, what fails when a line is cut."""

from __future__ import annotations

import streamlit as st

from app import areas, study
from app.components import banner, network_design, network_failures, network_status
from app.errors import readable_errors
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
    parts = {
        _("Status"): network_status.show,
        _("Failures"): network_failures.show,
        _("Design"): network_design.show,
    }
    tabs = st.tabs(list(parts), key="network.part", on_change="rerun")
    for tab, show in zip(tabs, parts.values(), strict=True):
        # Only what is looked at is worked out; a fault in it leaves the others usable.
        if tab.open:
            with tab, readable_errors():
                show(area)


_page(study.workspace())
