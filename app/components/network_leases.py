"""What leased links of the dedicated network cost a month, by provider and level."""

from __future__ import annotations

from html import escape

import pandas as pd
import streamlit as st

from app import formats, labels, money
from app.components import style
from app.i18n import _
from data.store import Workspace
from planning import network_report
from planning.dedicated_network import ALL, UNKNOWN, NetworkStatus


def show(area: Workspace, state: NetworkStatus) -> None:
    """Show the prices of a month; nothing where no link is said to be leased.

    Parameters
    ----------
    area
        The workspace, for the currency of its unit costs.
    state
        What is counted.
    """
    rows = state.figures[state.figures["measure"] == "lease"]
    if rows.empty:
        return
    st.subheader(_("Leased links"))
    levels = [name for name in (ALL, *labels.LEVELS) if name in set(rows["level"])]
    called = {name: _("All links") if name == ALL else labels.level(name) for name in levels}
    cells = rows.set_index(["level", "group"])[["count", "of", "value"]]
    currency = network_report.currency(area)
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in called.values())
    body = "".join(
        f'<tr><th scope="row">{escape(_provider(group))}</th>'
        + "".join(
            style.cell(called[level], _paid(cells, level, group, currency)) for level in levels
        )
        + "</tr>"
        for group in rows.loc[rows["level"] == ALL, "group"]
    )
    caption = _("Price of a month, at the lower level of the two ends of a link")
    st.html(
        style.region(
            caption,
            f'<table class="ps-table ps-stack"><caption>{escape(caption)}</caption>'
            f'<thead><tr><th scope="col">{escape(_("Provider"))}</th>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table>",
        )
    )
    silent = len(state.network.links) - state.figure("leased")[1]
    if silent:
        st.caption(
            _(
                "Links that do not say whether they are own or leased, and are not in the table: "
                "{count}.",
                count=formats.number(silent),
            )
        )


def _provider(group: str) -> str:
    if not group:
        return _("All providers")
    return _("Provider not known") if group == UNKNOWN else group


def _paid(cells: pd.DataFrame, level: str, group: str, currency: str) -> str:
    """Write a price with the number of links that have one."""
    if (level, group) not in cells.index:
        return formats.NOTHING
    row = cells.loc[(level, group)]
    price = _("not known") if pd.isna(row["value"]) else money.written(row["value"], currency)
    known, total = int(row["count"]), int(row["of"])
    links = (
        _("links: {count}", count=formats.number(total))
        if known == total
        else _(
            "{known} of {total} links have a price",
            known=formats.number(known),
            total=formats.number(total),
        )
    )
    return (
        f'<span class="ps-main">{escape(price)}</span><span class="ps-small">{escape(links)}</span>'
    )
