"""Tables of figures, written out in the language in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd
import streamlit as st

from app import formats, labels, references
from app.components import style
from app.i18n import _, mark
from planning import names

MEASURES = ("area", "population", "village")

#: What the denominators of the measures are written in.
_WHOLE = {
    "area": mark("of {amount} km²"),
    "population": mark("of {amount} people"),
    "village": mark("of {amount} villages"),
}


def measures_of(figures: pd.DataFrame) -> list[str]:
    """Return the measures that have a denominator, in the order in which they are shown."""
    there = figures[figures["weight"] > 0]["measure"].unique()
    return [name for name in MEASURES if name in there]


def show_services(figures: pd.DataFrame, operator: str) -> None:
    """Show services by measures, each share with its interval.

    Parameters
    ----------
    figures
        Figures of one zone (columns of `CoverageResult.figures`).
    operator
        Operator, or "any".
    """
    own = figures[figures["operator"] == operator].set_index(["service", "measure"])
    measures = measures_of(figures)
    head = []
    for measure in measures:
        weight = figures.loc[figures["measure"] == measure, "weight"].iloc[0]
        whole = _(_WHOLE[measure], amount=formats.number(weight))
        head.append(
            f'<th scope="col">{escape(labels.measure(measure))}'
            f'<span class="ps-small">{escape(whole)}</span></th>'
        )
    rows = []
    for service in names.ordered(own.index.get_level_values("service")):
        cells = [_share_cell(own, service, measure) for measure in measures]
        rows.append(
            f'<tr><th scope="row">{escape(labels.service(service))}</th>{"".join(cells)}</tr>'
        )
    caption = _("Share covered, {operator}; below it the 95% interval", operator=_of(operator))
    st.html(
        style.region(
            caption,
            f'<table class="ps-table"><caption>{escape(caption)}</caption>'
            f'<thead><tr><th scope="col">{escape(_("Technology"))}</th>{"".join(head)}</tr></thead>'
            f"<tbody>{''.join(rows)}</tbody></table>",
        )
    )


def _of(operator: str) -> str:
    text = labels.operator(operator)
    return text.lower() if operator == "any" else text


def _share_cell(own: pd.DataFrame, service: str, measure: str) -> str:
    if (service, measure) not in own.index:
        return f"<td>{formats.NOTHING}</td>"
    row = own.loc[(service, measure)]
    interval = formats.percent_range(row["interval_low"], row["interval_high"])
    width = 0.0 if pd.isna(row["share"]) else 100.0 * float(row["share"])
    return (
        f'<td><span class="ps-main">{escape(formats.percent(row["share"]))}</span>'
        f'<span class="ps-small">{escape(interval)}</span>'
        f'<span class="ps-bar" aria-hidden="true"><span style="width:{width:.1f}%"></span></span>'
        "</td>"
    )


@dataclass(frozen=True)
class Comparison:
    """A reported figure beside the computed one.

    Parameters
    ----------
    reported
        What was reported.
    share, low, high
        What was computed and its interval, 0 to 1; None where there is no such figure.
    """

    reported: references.ReportedFigure
    share: float | None
    low: float | None
    high: float | None

    @property
    def difference(self) -> float | None:
        """Computed minus reported share."""
        return None if self.share is None else self.share - self.reported.percent / 100.0


def compare(
    figures: pd.DataFrame, reported: Sequence[references.ReportedFigure]
) -> list[Comparison]:
    """Find the computed figure of each reported one.

    Parameters
    ----------
    figures
        Figures of one zone.
    reported
        What was reported.

    Returns
    -------
    list of Comparison
        In the order of `reported`.
    """
    own = figures[figures["operator"] == "any"].set_index(["service", "measure"])
    found = []
    for figure in reported:
        key = (figure.subject, figure.denominator)
        row = own.loc[key] if key in own.index else None
        if row is None or pd.isna(row["share"]):
            found.append(Comparison(figure, None, None, None))
        else:
            values = (float(row[name]) for name in ("share", "interval_low", "interval_high"))
            found.append(Comparison(figure, *values))
    return found


def remark(comparison: Comparison) -> str:
    """Say what a comparison shows, or why there is none.

    Parameters
    ----------
    comparison
        The pair.

    Returns
    -------
    str
        A short sentence or several.
    """
    figure = comparison.reported
    remarks = []
    if not figure.denominator:
        remarks.append(_("Share of what is not stated."))
    if not figure.method:
        remarks.append(_("Method not stated."))
    if comparison.share is None:
        if figure.denominator:
            remarks.append(_("Not computed here."))
        return " ".join(remarks)
    low, high = comparison.low, comparison.high
    if low is None or high is None:
        return " ".join(remarks)
    value = figure.percent / 100.0
    # What is reported in whole percents may be up to half a percent off.
    rounding = 0.005 if figure.percent % 1 == 0 else 0.0005
    if low <= value <= high:
        remarks.append(_("Agrees with the computed interval."))
    elif low - rounding <= value <= high + rounding:
        remarks.append(_("Agrees with the computed interval but for its rounding."))
    elif value > high:
        remarks.append(_("Higher than the computed interval."))
    else:
        remarks.append(_("Lower than the computed interval."))
    return " ".join(remarks)


def show_comparison(comparisons: Sequence[Comparison]) -> None:
    """Show reported figures beside computed ones.

    Parameters
    ----------
    comparisons
        What `compare` found.
    """
    names = [_("Figure"), _("Reported"), _("Computed"), _("Difference"), _("Remark and source")]
    rows = []
    for item in comparisons:
        figure = item.reported
        denominator = _(references.DENOMINATORS[figure.denominator])
        flagged = "" if figure.denominator else ' class="ps-flag"'
        computed = f'<span class="ps-main">{escape(formats.percent(item.share))}</span>'
        if item.share is not None:
            interval = formats.percent_range(item.low, item.high)
            computed += f'<span class="ps-small">{escape(interval)}</span>'
        reported = formats.percent(figure.percent / 100.0, 0 if figure.percent % 1 == 0 else 1)
        as_of = formats.date(figure.date) if figure.date else _("undated")
        origin = " · ".join(part for part in (figure.source, as_of) if part)
        rows.append(
            f'<tr><th scope="row">{escape(_(references.SUBJECTS[figure.subject]))}'
            f'<span class="ps-small"{flagged}>{escape(_("share of: {what}", what=denominator))}'
            "</span></th>"
            + style.cell(names[1], f'<span class="ps-main">{escape(reported)}</span>')
            + style.cell(names[2], computed)
            + style.cell(names[3], escape(formats.points(item.difference)))
            + style.cell(
                names[4],
                f'{escape(remark(item))}<span class="ps-small">{escape(origin)}</span>',
                "ps-text",
            )
            + "</tr>"
        )
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names[:-1])
    head += f'<th scope="col" style="text-align:left">{escape(names[-1])}</th>'
    caption = _("Computed for any operator; difference in percentage points")
    st.html(
        style.region(
            caption,
            f'<table class="ps-table ps-stack"><caption>{escape(caption)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>",
        )
    )


def by_zone(figures: pd.DataFrame, measure: str, operator: str) -> pd.DataFrame:
    """Return one row a zone and one column a service.

    Parameters
    ----------
    figures
        Figures of the zones of one level.
    measure
        "area", "population" or "village".
    operator
        Operator, or "any".

    Returns
    -------
    DataFrame
        Columns `code`, `name`, `weight` and the services; shares from 0 to 1.
    """
    chosen = figures[(figures["measure"] == measure) & (figures["operator"] == operator)]
    services = names.ordered(chosen["service"])
    shares = chosen.pivot(index="zone", columns="service", values="share")
    zones = chosen.drop_duplicates("zone").set_index("zone")[["code", "name", "weight"]]
    wide = zones.join(shares)
    return wide[["code", "name", "weight", *services]].sort_values(
        "name", key=lambda names: names.map(formats.sort_key), ignore_index=True
    )
