"""Texts of the help page."""

from __future__ import annotations

import streamlit as st

from app.i18n import _


def paragraph(*sentences: str) -> None:
    """Show sentences as one paragraph."""
    st.markdown(" ".join(sentences))


def limits(*points: str) -> None:
    """Show what a figure does not say, point by point."""
    st.markdown(f"**{_('What it does not say')}**")
    st.markdown("\n".join(f"- {point}" for point in points))
