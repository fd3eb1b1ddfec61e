"""Few and plain charts."""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st

from app import formats, i18n, labels
from app.i18n import _, language


def number_labels(unit: str = "") -> str:
    """Return how an axis labels its numbers, as an expression of Vega.

    Parameters
    ----------
    unit
        Sign behind each number: empty or "%".

    Returns
    -------
    str
        For `altair.Axis(labelExpr=…)`; separators are those of the language in use.
    """
    label = "format(datum.value, ',.6~f')"
    if language() == "vi":
        label = f"replace(replace(replace({label}, /,/g, ' '), '.', ','), / /g, '.')"
    sign = i18n.percent_sign() if unit == "%" else ""
    return f"{label} + '{sign}'" if sign else label


def show_zones(
    figures: pd.DataFrame,
    service: str,
    measure: str,
    operator: str,
    *,
    interval: str | None = None,
) -> None:
    """Show the share of each zone with its interval, lowest first.

    Parameters
    ----------
    figures
        Figures of the zones of one level.
    service
        Technology or union.
    measure
        "area", "population" or "village".
    operator
        Operator, or "any".
    interval
        What the interval is called; "95% interval" if None.
    """
    chosen = figures[
        (figures["service"] == service)
        & (figures["measure"] == measure)
        & (figures["operator"] == operator)
    ].dropna(subset=["share"])
    if chosen.empty:
        st.info(_("There are no figures to draw."))
        return
    table = pd.DataFrame(
        {
            "zone": chosen["name"].to_numpy(),
            "share": 100.0 * chosen["share"].to_numpy(),
            "low": 100.0 * chosen["interval_low"].to_numpy(),
            "high": 100.0 * chosen["interval_high"].to_numpy(),
            "written": [formats.percent(value) for value in chosen["share"]],
            "interval": [
                formats.percent_range(low, high)
                for low, high in zip(chosen["interval_low"], chosen["interval_high"], strict=True)
            ],
        }
    )
    # The weakest are what a planner looks for; a bar per zone of a large area is unreadable.
    table = table.sort_values("share").head(40)
    order = table["zone"].tolist()
    sign = "' %'" if language() == "vi" else "'%'"
    axis = alt.Axis(labelExpr=f"datum.value + {sign}", grid=True, tickCount=5)
    y = alt.Y("zone:N", sort=order, title=None, axis=alt.Axis(labelLimit=170, labelOverlap=False))
    tooltip = [
        alt.Tooltip("zone:N", title=_("Administrative unit")),
        alt.Tooltip("written:N", title=labels.measure(measure)),
        alt.Tooltip("interval:N", title=interval or _("95% interval")),
    ]
    bars = (
        alt.Chart(table)
        .mark_bar(color="#3f8fa8", height={"band": 0.7})
        .encode(
            x=alt.X("share:Q", scale=alt.Scale(domain=[0, 100]), title=None, axis=axis),
            y=y,
            tooltip=tooltip,
        )
    )
    whiskers = (
        alt.Chart(table)
        .mark_rule(color="#12303d", strokeWidth=1.5)
        .encode(x="low:Q", x2="high:Q", y=y, tooltip=tooltip)
    )
    height = max(160, 19 * len(table) + 12)
    st.altair_chart((bars + whiskers).properties(height=height), width="stretch")
