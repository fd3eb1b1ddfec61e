"""All indicators: reported beside computed, with target, trend and doubts."""

from __future__ import annotations

import base64
import math
from collections import defaultdict
from html import escape
from typing import Any

import pandas as pd
import streamlit as st

from app import formats, indicator_labels
from app.components import indicator_data, indicator_how, style
from app.components.kept import keep
from app.i18n import _, language, translate
from data.store import Workspace
from planning import indicator_definitions, indicator_values
from planning.indicator_values import Value

Row = dict[Any, Any]

_ALL = ""

_STYLE = "<style>.ps-table th.ps-indicator { white-space: normal; min-width: 14rem; }</style>"

#: Size of a trend line. [px]
_WIDTH, _HEIGHT = 88, 20


def show(area: Workspace) -> None:
    """Show the indicators of one group, or of all.

    Parameters
    ----------
    area
        The workspace.
    """
    first, second, third = st.columns([3, 2, 3], vertical_alignment="bottom")
    groups = [_ALL, *indicator_definitions.GROUPS]
    group = first.selectbox(
        _("Group"),
        groups,
        format_func=lambda code: indicator_labels.group(code) if code else _("All groups"),
        key=keep("indicator_group", groups[1], groups),
    )
    day = second.date_input(
        _("Values up to"),
        value=None,
        format="DD/MM/YYYY",
        key="indicators.on",
        help=_("Empty: the newest values. A past day shows what was known then."),
    )
    doubtful = third.checkbox(
        _("Only with remarks"), key=keep("indicator_doubtful", False, [True, False])
    )
    until = None if day is None else day.isoformat()
    table = indicator_data.table(area, until)
    if group != _ALL:
        table = table[table["group"] == group]
    if doubtful:
        table = table[table["warnings"].map(bool)]
    if table.empty:
        st.info(_("No indicator of this choice."), icon=":material/filter_alt_off:")
        return
    before = past(area, until)
    names = {row["id"]: row for row in table.to_dict("records")}
    for code, part in table.groupby("group", sort=False):
        if group == _ALL:
            st.subheader(indicator_labels.group(str(code)))
        rows = part.to_dict("records")
        documents = [row for row in rows if row["kind"] == "document"]
        shown = [row for row in rows if row["kind"] != "document"]
        if shown:
            st.html(figures(shown, before))
            indicator_how.show(str(code), shown)
        if documents:
            st.html(_documents(documents, names))


def past(area: Workspace, until: str | None = None) -> dict[str, list[Value]]:
    """Return the dated reported values of each indicator for the whole area, oldest first.

    Parameters
    ----------
    area
        The workspace.
    until
        ISO date of the last ones; None for all.

    Returns
    -------
    dict
        Code -> values.
    """
    found: dict[str, list[Value]] = defaultdict(list)
    for item in indicator_values.read(area, indicator_data.records()):
        whole = item.kind == "reported" and not item.zone_code and item.value is not None
        if whole and item.as_of and (until is None or item.as_of <= until):
            found[item.indicator].append(item)
    return found


def figures(rows: list[Row], past: dict[str, list[Value]]) -> str:
    """Return a table of indicators as HTML.

    Parameters
    ----------
    rows
        Of `planning.indicators.table`.
    past
        Earlier values, see `past`.
    """
    head = (
        _("Indicator"), _("Reported"), _("Computed"), _("Target"), _("Remarks and source"),
    )  # fmt: skip
    body = "".join(_figure(row, past.get(row["id"], []), head) for row in rows)
    return _table(head, body, _("Reported figures beside computed ones"))


def _table(head: tuple[str, ...], body: str, caption: str) -> str:
    cells = "".join(f'<th scope="col">{escape(name)}</th>' for name in head[:-1])
    cells += f'<th scope="col" style="text-align:left">{escape(head[-1])}</th>'
    return _STYLE + style.region(
        caption,
        f'<table class="ps-table ps-stack"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>",
    )


def _small(text: str, kind: str = "ps-small") -> str:
    return f'<span class="{kind}">{escape(text)}</span>' if text else ""


def _figure(row: Row, past: list[Value], head: tuple[str, ...]) -> str:
    return (
        f'<tr><th scope="row" class="ps-indicator">'
        f"{escape(indicator_labels.title(row))}{_denominator(row)}</th>"
        f"{style.cell(head[1], _reported(row, past))}{style.cell(head[2], _computed(row))}"
        f"{style.cell(head[3], _target(row))}{style.cell(head[4], _remarks(row), 'ps-text')}</tr>"
    )


def _denominator(row: Row) -> str:
    if row["unit"] != "%":
        return ""
    what = indicator_labels.denominator(row["denominator"])
    kind = "ps-small" if row["denominator"] else "ps-small ps-flag"
    text = escape(_("share of: {what}", what=what))
    return f'<span class="{kind}" style="font-weight:400">{text}</span>'


def _reported(row: Row, past: list[Value]) -> str:
    if not row["stated"]:
        return formats.NOTHING
    if math.isnan(row["reported"]):
        return _small(_("no number"), "ps-small ps-flag") + _small(_day(row["as_of"]))
    text = f'<span class="ps-main">{escape(indicator_labels.value(row["reported"], row["unit"]))}'
    text += "</span>"
    count, of = row["reported_count"], row["reported_of"]
    if count is not None and of is not None and count == count and of == of:
        text += _small(_("{count} of {of}", count=formats.number(count), of=formats.number(of)))
    return text + _small(_day(row["as_of"])) + trend(past, row["unit"])


def _day(as_of: str) -> str:
    return formats.date(as_of) if as_of else _("undated")


def trend(past: list[Value], unit: str) -> str:
    """Return a small line of values over time as HTML; empty for fewer than two.

    Parameters
    ----------
    past
        Dated values, the oldest first.
    unit
        Of the indicator.

    Returns
    -------
    str
        A picture whose text says first and last value.
    """
    points = [(pd.Timestamp(item.as_of).toordinal(), item.value) for item in past]
    values = [value for _day, value in points if value is not None]
    if len(values) < 2:
        return ""
    first, last = points[0][0], points[-1][0]
    low, high = min(values), max(values)
    spread = high - low or 1.0
    place = " ".join(
        f"{2 + (_WIDTH - 4) * (day - first) / (last - first or 1):.1f},"
        f"{_HEIGHT - 3 - (_HEIGHT - 6) * ((value or 0.0) - low) / spread:.1f}"
        for day, value in points
    )
    said = _(
        "from {first} on {start} to {last} on {end}",
        first=indicator_labels.value(values[0], unit),
        start=formats.date(past[0].as_of),
        last=indicator_labels.value(values[-1], unit),
        end=formats.date(past[-1].as_of),
    )
    x, y = place.split()[-1].split(",")
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}">'
        f'<polyline points="{place}" fill="none" stroke="#0b6280" stroke-width="1.6"/>'
        f'<circle cx="{x}" cy="{y}" r="2.4" fill="#0b6280"/></svg>'
    )
    # Streamlit takes drawings out of HTML, but not pictures.
    content = base64.b64encode(drawn.encode("ascii")).decode("ascii")
    return (
        f'<img class="ps-trend" src="data:image/svg+xml;base64,{content}" alt="{escape(said)}" '
        f'title="{escape(said)}" width="{_WIDTH}" height="{_HEIGHT}">'
    )


def _computed(row: Row) -> str:
    if math.isnan(row["computed"]):
        if row["missing"] is None:
            return formats.NOTHING
        text = escape(translate(row["missing"]))
        return f'<span class="ps-small" style="white-space:normal;min-width:9rem">{text}</span>'
    digits = 1 if row["unit"] == "%" else None
    main = indicator_labels.value(row["computed"], row["unit"], digits)
    text = f'<span class="ps-main">{escape(main)}</span>'
    text += _small(
        indicator_labels.interval(row["interval_low"], row["interval_high"], row["unit"])
    )
    count, of = row["computed_count"], row["computed_of"]
    counted = row["unit"] == "%" and count is not None and of is not None
    if counted and count == count and float(count).is_integer():
        text += _small(_("{count} of {of}", count=formats.number(count), of=formats.number(of)))
    return text


def _target(row: Row) -> str:
    if math.isnan(row["target"]):
        return formats.NOTHING
    text = f'<span class="ps-main">{escape(indicator_labels.value(row["target"], row["unit"]))}'
    text += "</span>"
    if row["target_year"] == row["target_year"] and row["target_year"]:
        text += _small(_("by {year}", year=f"{row['target_year']:.0f}"))
    reached = row["computed"] if not math.isnan(row["computed"]) else row["reported"]
    if not math.isnan(reached):
        text += (
            _small(_("reached"))
            if reached >= row["target"]
            else _small(
                _("lacking {amount}",
                  amount=indicator_labels.value(row["target"] - reached, row["unit"], 1))
            )
        )  # fmt: skip
    return text


def _remarks(row: Row) -> str:
    remarks = " ".join(translate(item) for item in row["warnings"])
    note = row["note_vi"] if language() == "vi" else row["note"]
    parts = [escape(remarks)] if remarks else []
    parts += [_small(text) for text in (note, row["source"]) if text]
    if row["computed_method"] is not None:
        parts.append(
            _small(_("Computed: {how}", how=indicator_labels.said(row["computed_method"])))
        )
    if row["target_source"]:
        doubt = "" if row["target_verified"] else " · " + _("text of the source not compared")
        parts.append(_small(_("Target: {source}", source=row["target_source"]) + doubt))
    return "".join(parts) or formats.NOTHING


def _documents(rows: list[Row], names: dict[str, Row]) -> str:
    body = []
    head = (_("Document"), _("Number"), _("Issued on"), _("Issued by, and relation"))
    for row in rows:
        link = ""
        other = names.get(row["related"])
        if row["relation"] and other is not None:
            what = other["number"] or indicator_labels.title(other)
            link = f"{indicator_labels.relation(row['relation'])} {what}"
        note = row["definition_vi"] if language() == "vi" else row["definition_en"]
        body.append(
            f'<tr><th scope="row" class="ps-indicator">'
            f"{escape(indicator_labels.title(row))}{_small(note)}</th>"
            f"{style.cell(head[1], escape(row['number'] or formats.NOTHING))}"
            f"{style.cell(head[2], escape(formats.date(row['issued_on'])))}"
            f"{style.cell(head[3], escape(row['issuer']) + _small(link), 'ps-text')}</tr>"
        )
    return _table(head, "".join(body), _("Register of planning documents"))
