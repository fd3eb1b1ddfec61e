"""The figures of the whole study area."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import labels, study
from app.components import vintage
from app.components.kept import keep
from data.store import Workspace


def figures(area: Workspace, table: pd.DataFrame) -> pd.DataFrame:
    """Return the figures of the whole area, or of one of several widest zones.

    Parameters
    ----------
    area
        The workspace.
    table
        Figures of all zones.

    Returns
    -------
    DataFrame
        Those of one zone, chosen by the user where there are several.
    """
    widest = next(name for name in labels.LEVELS if name in set(table["level"]))
    rows = vintage.choose(study.layer(area, "zones"), widest, name="whole")
    table = table[table["zone"].isin(rows)]
    zones = table.drop_duplicates("zone").set_index("zone")["name"]
    zone = zones.index[0]
    if len(zones) > 1:
        zone = st.selectbox(
            labels.level(widest),
            list(zones.index),
            format_func=zones.get,
            key=keep("zone", zone, list(zones.index)),
        )
    return table[table["zone"] == zone]
