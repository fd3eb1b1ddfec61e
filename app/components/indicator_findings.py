"""What the arithmetic of the reported values says."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from app import formats, indicator_labels
from app.components import figure_facts, how, indicator_data, style
from app.i18n import _, language, ngettext
from data.store import Workspace
from planning import indicator_definitions, indicators
from planning.indicator_checks import Finding

_SIGNS = {True: "✓", False: "✗", None: "="}


def show(area: Workspace) -> None:
    """Show every check with its numbers, faults first.

    Parameters
    ----------
    area
        The workspace.
    """
    records = indicator_data.records()
    found = indicators.findings(area, records)
    if not found:
        st.info(
            _("There are no reported values yet that could be checked against each other."),
            icon=":material/calculate:",
        )
        return
    wrong = sum(item.agrees is False for item in found)
    if wrong:
        said = ngettext(
            "{n} finding does not agree.",
            "{n} findings do not agree.",
            wrong,
            n=formats.number(wrong),
        )
        st.warning(said, icon=":material/rule:")
    else:
        st.success(_("All numbers that can be compared agree."), icon=":material/check_circle:")
    known = indicator_definitions.read(area, records)
    how.show(
        _("How was this computed?"),
        [
            (
                _("Compared"),
                _("reported values: sums, parts, percentages and years, within their rounding"),
            ),
            (_("Findings"), formats.number(len(found))),
            figure_facts.function("planning.indicators.findings"),
        ],
        section="indicators",
    )
    names = {code: item.title(language()) for code, item in known.items()}
    heads = (_("Result"), _("Numbers"), _("Indicators"), _("As of"))
    rows = "".join(
        _row(item, names, heads) for item in sorted(found, key=lambda i: i.agrees is not False)
    )
    head = "".join(f'<th scope="col" style="text-align:left">{escape(text)}</th>' for text in heads)
    st.html(
        "<style>.ps-unknown { background: #e6e9eb; color: #37444c; }</style>"
        + style.region(
            _("Arithmetic"),
            f'<table class="ps-table ps-stack"><thead><tr>{head}</tr></thead>'
            f"<tbody>{rows}</tbody></table>",
        )
    )


def _row(item: Finding, names: dict[str, str], heads: Sequence[str]) -> str:
    said = {True: _("agrees"), False: _("does not agree"), None: _("follows from it")}[item.agrees]
    kind = {True: "ps-yes", False: "ps-no", None: "ps-unknown"}[item.agrees]
    titles = "; ".join(names[code] for code in item.indicators if code in names)
    badge = f'<span class="ps-badge {kind}">{_SIGNS[item.agrees]} {escape(said)}</span>'
    return (
        f'<tr><td class="ps-left">{badge}</td>'
        + style.cell(heads[1], escape(indicator_labels.said(item.text)), "ps-text")
        + style.cell(heads[2], f'<span class="ps-small">{escape(titles)}</span>', "ps-text")
        + style.cell(heads[3], escape(_day(item.as_of)), "ps-left")
        + "</tr>"
    )


def _day(as_of: str) -> str:
    return formats.date(as_of) if as_of else _("undated")
