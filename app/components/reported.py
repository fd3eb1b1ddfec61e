"""Reported figures, compared with the computed ones."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import identity, references
from app.components import figures, indicator_data
from app.i18n import _
from data.store import Workspace


def show(area: Workspace, computed: pd.DataFrame) -> None:
    """Show the comparison, and where figures are entered.

    Parameters
    ----------
    area
        The workspace.
    computed
        Figures of the whole area.
    """
    kept = references.read(area, indicator_data.records())
    if kept:
        figures.show_comparison(figures.compare(computed, kept))
    else:
        st.info(_("No reported figure has been entered yet."), icon=":material/edit_note:")
    link()


def link() -> None:
    """Show the way to the page on which reported figures are entered."""
    text = (
        _("Enter or edit reported figures on the page Indicators")
        if identity.may_change_data()
        else _("All reported figures are on the page Indicators")
    )
    st.page_link("app/pages/indicators.py", label=text, icon=":material/monitoring:")
