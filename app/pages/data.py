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
    parts,
    quality,
    take_along,
    upload,
)
from app.components.parts import Part
from app.i18n import _
from data.store import Workspace


def _page(area: Workspace) -> None:
    st.title(_("Data · {area}", area=areas.title(area.area)))
    banner.show(area)
    parts.show(
        "data.part",
        [
            Part("loaded", _("What is loaded"), lambda: inventory.show(area)),
            Part("check", _("Check"), lambda: _check(area)),
            Part("upload", _("Upload a file"), lambda: upload.show(area)),
            Part("export", _("Export"), lambda: take_along.show(area)),
            Part("carry-over", _("Units of another time"), lambda: carry_over.show(area)),
            Part("area", _("New study area"), new_area.show),
        ],
    )


def _check(area: Workspace) -> None:
    findings.show(area)
    quality.show(area)


# Layers are changed here, and only those of the study area itself can be.
_page(study.base())
