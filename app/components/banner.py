"""Say unmistakably where data are generated rather than observed."""

from __future__ import annotations

import streamlit as st

from app import labels, scenario, study
from app.i18n import _
from data.store import Workspace


def show(area: Workspace) -> None:
    """Show which scenario is looked at, and a warning if anything is illustrative.

    Parameters
    ----------
    area
        The workspace.
    """
    scenario.banner(area)
    generated = study.illustrative_layers(area.provenance())
    if not generated and not area.area.illustrative:
        return
    if area.area.illustrative:
        what = _("everything here is generated, not measured.")
    else:
        names = ", ".join(labels.layer(name).lower() for name in generated)
        what = _("generated, not measured: {layers}.", layers=names)
    st.warning(
        f"**{_('Illustrative data')}** – {what} "
        + _("The figures show how the method works and say nothing about the real networks."),
        icon=":material/science:",
    )
