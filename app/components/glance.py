"""The province at a glance: the figures of its report as tiles, computed beside reported."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape
from typing import Any

import pandas as pd
import streamlit as st

from app import indicator_labels
from app.components import indicator_data, indicator_how, indicator_table
from app.i18n import _
from coverage.request import CoverageRequest
from data.store import Workspace

Row = dict[Any, Any]

#: Groups whose computed figures come first; the rest of the report follows below.
FIRST = ("mobile", "broadband", "service_points", "network", "equipment", "conference")


def show(area: Workspace, request: CoverageRequest, compared: Workspace | None = None) -> None:
    """Show the figures of the report by group.

    Parameters
    ----------
    area
        The workspace.
    request
        The coverage whose figures count.
    compared
        Today's network where `area` is that of a scenario, None otherwise.
    """
    table = indicator_data.table(area, request=request)
    before = None
    if compared is not None:
        other = indicator_data.table(compared, request=request)
        before = other.set_index("id")["computed"].to_dict()
    figures = table[table["kind"] == "figure"]
    with_number = figures[figures["computed"].notna() | figures["reported"].notna()]
    if with_number.empty:
        st.info(
            _(
                "There are no figures yet. Upload masts, cells and networks on the page Data, "
                "compute the coverage, and enter what was reported on the page Indicators."
            ),
            icon=":material/query_stats:",
        )
        return
    past = indicator_table.past(area)
    for group in FIRST:
        rows = with_number[with_number["group"] == group]
        if not rows.empty:
            _group(group, rows, lambda row: _tile(row, past.get(row["id"], []), before))
    rest = table[~table["group"].isin(FIRST) & (table["kind"] != "document")]
    rest = rest[rest["stated"] | rest["computed"].notna()]
    if not rest.empty:
        with st.expander(_("Further figures of the report"), icon=":material/list:"):
            for group, rows in rest.groupby("group", sort=False):
                st.markdown(f"**{indicator_labels.group(str(group))}**")
                st.html(indicator_table.figures(rows.to_dict("records"), past))
                indicator_how.show(str(group), rows.to_dict("records"))


def _group(group: str, rows: pd.DataFrame, tile: Callable[[Row], str]) -> None:
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"
    ):
        st.subheader(indicator_labels.group(group), width="content")
        indicator_how.show(group, rows.to_dict("records"))
    tiles = "".join(tile(row) for row in rows.to_dict("records"))
    st.html(f'<div class="ps-tiles">{tiles}</div>')


def _tile(row: Row, past: list[Any], before: dict[str, float] | None) -> str:
    unit, computed, reported = row["unit"], row["computed"], row["reported"]
    digits = 1 if unit == "%" else None
    whole = ""
    if unit == "%":
        what = indicator_labels.denominator(row["denominator"])
        flag = "" if row["denominator"] else " ps-flag"
        whole = _line(_("share of: {what}", what=what), f"ps-small{flag}")
    if math.isnan(computed):
        main = (
            f'<span class="ps-big ps-quiet">{escape(indicator_labels.value(reported, unit))}</span>'
        )
        facts = [_line(_("reported; not computed here"), "ps-small")]
    else:
        main = (
            f'<span class="ps-big">{escape(indicator_labels.value(computed, unit, digits))}</span>'
        )
        facts = [
            _line(indicator_labels.interval(row["interval_low"], row["interval_high"], unit)),
            _change(row, before),
        ]
        if not math.isnan(reported):
            said = indicator_labels.value(reported, unit)
            facts.append(_line(_("reported: {value}", value=said), "ps-said"))
            if not _of_the_same(row):
                facts.append(_line(_("of what is not stated"), "ps-small ps-flag"))
    return (
        f'<div class="ps-tile"><span class="ps-name">{escape(indicator_labels.title(row))}</span>'
        f"{whole}{main}{_bar(row)}{''.join(facts)}{_target(row)}"
        f"{indicator_table.trend(past, unit)}</div>"
    )


def _line(text: str, kind: str = "ps-small") -> str:
    return f'<span class="{kind}">{escape(text)}</span>' if text else ""


def _change(row: Row, before: dict[str, float] | None) -> str:
    """Say what a scenario changes."""
    if before is None:
        return ""
    old = before.get(row["id"], math.nan)
    if math.isnan(old):
        return ""
    today = indicator_labels.value(old, row["unit"], 1 if row["unit"] == "%" else None)
    return _line(_("network of today: {value}", value=today), "ps-said")


def _bar(row: Row) -> str:
    """Draw a share with its interval, and a mark at what was reported."""
    if row["unit"] != "%" or math.isnan(row["computed"]):
        return ""
    parts = [f'<span style="width:{_percent(row["computed"])}"></span>']
    low, high = row["interval_low"], row["interval_high"]
    if not (math.isnan(low) or math.isnan(high)):
        parts.append(
            f'<i style="left:{_percent(low)};width:calc({_percent(high)} - {_percent(low)})"></i>'
        )
    if not math.isnan(row["reported"]) and _of_the_same(row):
        parts.append(f'<b style="left:{_percent(row["reported"])}"></b>')
    return f'<span class="ps-bar ps-wide" aria-hidden="true">{"".join(parts)}</span>'


def _of_the_same(row: Row) -> bool:
    """Return whether a reported share is one of what it is defined to be of."""
    return row["unit"] != "%" or not row["denominator"] or bool(row["stated_denominator"])


def _percent(value: float) -> str:
    return f"{min(100.0, max(0.0, value)):.1f}%"


def _target(row: Row) -> str:
    if math.isnan(row["target"]):
        return ""
    text = indicator_labels.value(row["target"], row["unit"])
    if row["target_year"] == row["target_year"] and row["target_year"]:
        text = _("{value} by {year}", value=text, year=f"{row['target_year']:.0f}")
    there = row["computed"] if not math.isnan(row["computed"]) else row["reported"]
    reached = not math.isnan(there) and there >= row["target"]
    kind, verdict = ("yes", _("reached")) if reached else ("no", _("not reached"))
    return (
        f'<span class="ps-small">{escape(_("target: {value}", value=text))} '
        f'<span class="ps-badge ps-{kind}">{escape(verdict)}</span></span>'
    )
