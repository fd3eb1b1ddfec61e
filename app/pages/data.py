"""What is loaded, from where, and what is wrong with it; uploads."""

from __future__ import annotations

import streamlit as st

from app import areas, study
from app.components import banner, findings, inventory, upload
from app.i18n import _
from data.store import Workspace


def _page(area: Workspace) -> None:
    st.title(_("Data · {area}", area=areas.title(area.area)))
    banner.show(area)
    loaded, checked, uploaded = st.tabs([_("What is loaded"), _("Check"), _("Upload a file")])
    with loaded:
        inventory.show(area)
    with checked:
        findings.show(area)
    with uploaded:
        upload.show(area)


_page(study.workspace())
