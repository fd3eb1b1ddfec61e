"""Choose the administrative units of one time, where there are those of several."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import formats
from app.components.kept import keep
from app.i18n import _, translate
from data import vintages


def choose(
    zones: pd.DataFrame,
    level: str,
    place: DeltaGenerator | None = None,
    *,
    name: str = "vintage",
) -> list[int]:
    """Return the zones of a level that are valid together; show a choice where there is one.

    Parameters
    ----------
    zones
        Layer `zones`.
    level
        Administrative level.
    place
        Where the choice is drawn; the page if None.
    name
        What tells several choices on a page apart.

    Returns
    -------
    list of int
        Their rows in the layer, as in the column `zone` of figures. Unless chosen
        otherwise they are those valid today.
    """
    zones = zones.reset_index(drop=True)
    found = {item.day: item for item in vintages.vintages(zones) if item.level == level}
    usual = vintages.current(list(found.values()))
    if usual is None:
        return []
    day = usual.day
    if len(found) > 1:
        day = (place or st).selectbox(
            _("Units of the time"),
            list(found),
            format_func=lambda day: translate(found[day].label(formats.date)),
            key=keep(f"{name}_{level}", day, list(found)),
        )
    return list(vintages.of(zones, found[day]).index)
