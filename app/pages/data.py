"""What is loaded, from where, and how good it is; imports, exports, new study areas."""

from __future__ import annotations

import streamlit as st

from app import areas, study
from app.components import (
    banner,
    carry_over,
    findings,
    inventory,
    new_area,
    quality,
    take_along,
    upload,
)
from app.errors import readable_errors
from app.i18n import _
from data.store import Workspace


def _page(area: Workspace) -> None:
    st.title(_("Data · {area}", area=areas.title(area.area)))
    banner.show(area)
    parts = {
        _("What is loaded"): inventory.show,
        _("Check"): _check,
        _("Upload a file"): upload.show,
        _("Export"): take_along.show,
        _("Units of another time"): carry_over.show,
        _("New study area"): lambda _area: new_area.show(),
    }
    tabs = st.tabs(list(parts), key="data.part", on_change="rerun")
    for tab, show in zip(tabs, parts.values(), strict=True):
        # Only what is looked at is worked out; a fault in it leaves the others usable.
        if tab.open:
            with tab, readable_errors():
                show(area)


def _check(area: Workspace) -> None:
    findings.show(area)
    quality.show(area)


# Layers are changed here, and only those of the study area itself can be.
_page(study.base())
