"""Start of the web application: page set-up, navigation and language."""

from pathlib import Path

import streamlit as st

from app import errors, navigation

st.set_page_config(
    page_title="Phủ Sóng",
    page_icon=str(Path(__file__).parent / "app" / "icon.png"),
    layout="wide",
    initial_sidebar_state="auto",
)
with errors.readable_errors():
    navigation.run()
