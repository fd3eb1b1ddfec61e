"""Tables to take along."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from data import csv_file


def table(label: str, frame: pd.DataFrame, file_name: str) -> None:
    """Show a button that downloads a table as CSV.

    Parameters
    ----------
    label
        Its text.
    frame
        The table.
    file_name
        Name of the file, with ``.csv``.
    """
    st.download_button(
        label,
        csv_file.content(frame),
        file_name=file_name,
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
