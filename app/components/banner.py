"""Say unmistakably where data are generated rather than observed."""

from __future__ import annotations

import streamlit as st

from app import labels, study
from app.i18n import _
from data.store import Workspace


def show(area: Workspace) -> None:
    """Show a warning if anything in the workspace is illustrative.

    Parameters
    ----------
    area
        The workspace.
    """
    generated = study.illustrative_layers(area.provenance())
    if not generated and not area.area.illustrative:
        return
    names = ", ".join(labels.layer(name).lower() for name in generated)
    st.warning(
        f"**{_('Illustrative data')}** – "
        + _(
            "generated, not measured: {layers}. The figures show how the method works and say "
            "nothing about the real networks.",
            layers=names,
        ),
        icon=":material/science:",
    )
