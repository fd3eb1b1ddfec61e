"""Figures of broadband coverage, written out in the language in use."""

from __future__ import annotations

from html import escape

import pandas as pd
import streamlit as st

from app import formats, labels, references, study
from app.components import charts, download, figures, indicator_data, reported, style, vintage
from app.components.kept import keep
from app.i18n import _, mark
from coverage.results import ANY_OPERATOR
from data.store import Workspace
from planning.broadband import SERVED, BroadbandRequest, BroadbandResult

MEASURES = ("household", "population")

#: What the figures of the whole area are parted into.
HEADLINES = (SERVED, "mobile_broadband", "broadband_or_mobile")
STEPS = ("broadband_reach", "broadband_budget", "broadband_port", "broadband_free_port")

#: What each figure counts.
EXPLAINED = {
    SERVED: mark("within {drop} of an access point, optical budget closes, with a port"),
    "mobile_broadband": mark("at least {rate} Mbit/s for a user alone in the cell"),
    "broadband_or_mobile": mark("one of the two"),
    "broadband_reach": mark("access point in service, {drop} along roads and routes"),
    "broadband_budget": mark("the light from the exchange suffices"),
    "broadband_port": mark("a port in use or free for the home"),
    "broadband_free_port": mark("the home could be connected anew"),
}

_WHOLE = {
    "household": mark("of {amount} households"),
    "population": mark("of {amount} people"),
}


def show_whole(whole: pd.DataFrame, request: BroadbandRequest) -> None:
    """Show the figures of the whole area, each with its range.

    Parameters
    ----------
    whole
        Figures of one zone (columns of `BroadbandResult.figures`).
    request
        What was asked.
    """
    own = whole.set_index(["service", "measure"])
    head = []
    for measure in MEASURES:
        amount = formats.number(whole.loc[whole["measure"] == measure, "weight"].iloc[0])
        head.append(
            f'<th scope="col">{escape(labels.measure(measure))}'
            f'<span class="ps-small">{escape(_(_WHOLE[measure], amount=amount))}</span></th>'
        )
    there = set(whole["service"])
    body = "".join(_row(own, name, request) for name in HEADLINES if name in there)
    steps = "".join(_row(own, name, request) for name in STEPS if name in there)
    caption = _("Share served; below it the range that what is doubtful allows")
    st.html(
        style.region(
            caption,
            f'<table class="ps-table"><caption>{escape(caption)}</caption><thead><tr>'
            f'<th scope="col">{escape(_("Broadband"))}</th>{"".join(head)}</tr></thead>'
            f'<tbody>{body}</tbody><tbody><tr><th scope="rowgroup" colspan="{1 + len(MEASURES)}">'
            f'<span class="ps-small">{escape(_("Single conditions of fixed broadband"))}</span>'
            f"</th></tr>{steps}</tbody></table>",
        )
    )
    if "mobile_broadband" not in there:
        st.caption(_("There are no figures for mobile broadband: its coverage is not computed."))


def _row(own: pd.DataFrame, service: str, request: BroadbandRequest) -> str:
    text = _(
        EXPLAINED[service],
        drop=formats.distance(request.drop_m),
        rate=formats.number(request.rate_mbps, 0 if request.rate_mbps % 1 == 0 else 1),
    )
    cells = "".join(_cell(own.loc[(service, measure)]) for measure in MEASURES)
    return (
        f'<tr><th scope="row" style="white-space:normal">{escape(labels.service(service))}'
        f'<span class="ps-small" style="font-weight:400">{escape(text)}</span></th>{cells}</tr>'
    )


def _cell(row: pd.Series) -> str:
    width = 0.0 if pd.isna(row["share"]) else 100.0 * float(row["share"])
    interval = formats.percent_range(row["interval_low"], row["interval_high"])
    return (
        f'<td><span class="ps-main">{escape(formats.percent(row["share"]))}</span>'
        f'<span class="ps-small">{escape(interval)}</span>'
        f'<span class="ps-bar" aria-hidden="true"><span style="width:{width:.1f}%"></span></span>'
        "</td>"
    )


def show_reported(area: Workspace, whole: pd.DataFrame) -> None:
    """Show what was reported about fixed broadband beside what was computed.

    Parameters
    ----------
    area
        The workspace.
    whole
        Figures of the whole area.
    """
    everything = references.read(area, indicator_data.records())
    kept = [item for item in everything if item.subject == SERVED]
    if not kept:
        st.caption(_("No figure was reported."))
        reported.link()
        return
    figures.show_comparison(_compared(whole, kept))
    if any(not item.denominator for item in kept):
        st.caption(
            _(
                "A figure that does not say of what it is a share is set beside the share of "
                "households."
            )
        )
    reported.link()


def _compared(
    whole: pd.DataFrame, kept: list[references.ReportedFigure]
) -> list[figures.Comparison]:
    """Compare; what does not say of what it is a share, with the share of households."""
    found = figures.compare(whole, kept)
    own = whole.set_index(["service", "measure"]).loc[(SERVED, "household")]
    values = [float(own[name]) for name in ("share", "interval_low", "interval_high")]
    return [
        item if item.reported.denominator else figures.Comparison(item.reported, *values)
        for item in found
    ]


def show_zones(area: Workspace, result: BroadbandResult) -> None:
    """Show a table and a chart by administrative unit, and the figures as a file.

    Parameters
    ----------
    area
        The workspace.
    result
        Its broadband coverage.
    """
    table = result.figures
    levels = [name for name in labels.LEVELS if name in set(table["level"])]
    st.subheader(_("By administrative unit"))
    first, second, third = st.columns(3)
    level = first.selectbox(
        _("Level"), levels, format_func=labels.level, key=keep("level", levels[-1], levels)
    )
    rows = vintage.choose(study.layer(area, "zones"), level, first)
    of_level = table[table["zone"].isin(rows)]
    measure = second.selectbox(
        _("Share of"),
        list(MEASURES),
        format_func=labels.measure,
        key=keep("broadband_measure", MEASURES[0], MEASURES),
    )
    services = [name for name in (*HEADLINES, *STEPS) if name in set(table["service"])]
    service = third.selectbox(
        _("Chart of"),
        services,
        format_func=labels.service,
        key=keep("broadband_chart", SERVED, services),
    )
    wide = figures.by_zone(of_level, measure, ANY_OPERATOR)
    wide = wide[["code", "name", "weight", *services]]
    names = {
        "code": _("Code"),
        "name": _("Name"),
        "weight": labels.measure(measure),
        **{name: labels.service(name) for name in services},
    }
    shown = wide.rename(columns=names)
    styled = shown.style.format(
        {
            names["weight"]: formats.number,
            **{names[name]: formats.percent for name in services},
        }
    )
    left, right = st.columns([9, 5])
    left.dataframe(
        styled,
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(shown), 640),
        column_config={
            names["code"]: st.column_config.Column(width=65, pinned=True),
            names["name"]: st.column_config.Column(width=165, pinned=True),
        },
    )
    with left.container(horizontal=True):
        name = f"broadband_{result.summary['area']}_{level}.csv"
        download.table(_("Download all figures (CSV)"), of_level, name)
        st.download_button(
            _("Download homes and access points (GeoPackage)"),
            (result.folder / "homes.gpkg").read_bytes,
            file_name=f"broadband_{result.summary['area']}.gpkg",
            mime="application/geopackage+sqlite3",
            icon=":material/download:",
            on_click="ignore",
        )
    with right:
        charts.show_zones(of_level, service, measure, ANY_OPERATOR, interval=_("Range"))
