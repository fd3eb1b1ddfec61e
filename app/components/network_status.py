"""Who is connected on a day, and whether that meets what is asked for."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from app import formats, labels
from app.components import (
    download,
    figure_facts,
    how,
    network_data,
    network_leases,
    network_map,
    style,
)
from app.components.kept import keep
from app.i18n import _, language, mark, translate
from app.legend import Entry
from data.store import Workspace
from planning import compliance, network_report
from planning.compliance import Finding
from planning.dedicated_network import ALL, NetworkStatus

#: Shares by level and by zone, in the order of the columns.
SHARES = ("connected", "planned", "lan", "video_conference", "reachable", "bandwidth_met")

#: What the shares are of.
_WHOLES = {
    "connected": mark("of all sites that exist then"),
    "planned": mark("of all sites that exist then"),
    "lan": mark("of all sites that exist then"),
    "video_conference": mark("of all sites that exist then"),
    "reachable": mark("of the connected sites; over links in operation"),
    "bandwidth_met": mark(
        "of the connected sites whose need and link are known; the largest link carries the need"
    ),
}

#: Colours of sites by their state on the day.
COLOURS = {
    "connected": "#1d7f8c",
    "unreached": "#7a1f5c",
    "planned": "#f0a830",
    "none": "#d1352b",
}

STATES = {
    "connected": mark("connected"),
    "unreached": mark("connected, but no way to a data centre"),
    "planned": mark("planned to be connected"),
    "none": mark("not connected"),
}

LEVEL_COLOURS = {
    ALL: "#12303d",
    "central": "#b8860b",
    "province": "#c2185b",
    "district": "#6b4c9a",
    "commune": "#1d7f8c",
}

_BADGES = {"met": "ps-yes", "not met": "ps-no", "cannot be checked": "ps-unknown"}

#: Failing sites that are named in the table of requirements.
_NAMED = 5


def choose_day() -> str | None:
    """Ask for the day that is looked at; it stays the same on all parts of the page.

    Returns
    -------
    str or None
        ISO date; None for the state as recorded.
    """
    ways = {"recorded": _("As recorded"), "day": _("On a day")}
    left, right = st.columns([1, 3], vertical_alignment="bottom")
    keep("network_way", "recorded", list(ways))
    way = left.segmented_control(
        _("State of the network"),
        list(ways),
        format_func=ways.get,
        key="keep.network_way",
        required=True,
    )
    if way == "recorded":
        right.caption(_("What the inventory calls connected and in operation."))
        return None
    today = dt.date.today()  # noqa: DTZ011 - the user's own day
    day = right.date_input(
        _("Day, past or to come"),
        key=keep("network_day", today),
        min_value=dt.date(1990, 1, 1),
        max_value=dt.date(2100, 12, 31),
        format="DD/MM/YYYY" if language() == "vi" else "YYYY/MM/DD",
        width=200,
        help=_("Planned sites and links count as connected from their planned day on."),
    )
    return (day if isinstance(day, dt.date) else today).isoformat()


def show(area: Workspace) -> None:
    """Show the state of the network.

    Parameters
    ----------
    area
        The workspace.
    """
    day = choose_day()
    state = network_data.state(area, day)
    for note in network_report.notes(state):
        st.caption(translate(note))
    if state.sites.empty:
        return
    _levels(state)
    how.show(_("How was this computed?"), _origin(area, state), section="network")
    wide, narrow = st.columns([3, 2], gap="medium")
    with wide:
        _map(area, state)
    with narrow:
        _timeline(network_data.timeline(area), day)
        _groups(state)
    network_leases.show(area, state)
    _zones(state)
    claims = network_data.claims(area, state)
    if len(claims):
        st.subheader(_("Reported beside the inventory"))
        _claims(claims)
    st.subheader(_("Requirements"))
    found = network_data.findings(area, day)
    _requirements(found, state)
    for note in compliance.notes(state, compliance.norms(area.folder)):
        st.caption(translate(note))
    _downloads(area, state, found)


def _origin(area: Workspace, state: NetworkStatus) -> list[tuple[str, str]]:
    """Return which state was counted, of what shares are, and from which layers."""
    return [
        figure_facts.state(state.day),
        *((labels.network_measure(name), _(_WHOLES[name])) for name in SHARES),
        *figure_facts.data(area.provenance(), network_data.LAYERS),
        figure_facts.function("planning.dedicated_network.status"),
    ]


# Figures


def _levels(state: NetworkStatus) -> None:
    """Show every share of the whole area by level of the sites."""
    rows = state.figures
    rows = rows[(rows["zone"] == -1) & rows["measure"].isin(SHARES)]
    cells = rows.set_index(["level", "measure"])[["count", "of", "share"]]
    head = "".join(
        f'<th scope="col">{escape(labels.network_measure(name))}</th>' for name in SHARES
    )
    body = []
    for level in (ALL, *labels.LEVELS):
        if level not in set(rows["level"]):
            continue
        line = "".join(_share(cells, level, name) for name in SHARES)
        body.append(f'<tr><th scope="row">{escape(level_name(level))}</th>{line}</tr>')
    caption = _("Count and denominator below each share")
    st.html(
        style.region(
            caption,
            f'<table class="ps-table ps-stack"><caption>{escape(caption)}</caption>'
            f'<thead><tr><th scope="col">{escape(_("Level"))}</th>{head}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table>",
        )
    )


def level_name(level: str) -> str:
    """Name a level of sites, or all of them together."""
    return _("All sites") if level == ALL else labels.level(level)


def _share(cells: pd.DataFrame, level: str, measure: str) -> str:
    title = labels.network_measure(measure)
    if (level, measure) not in cells.index:
        return style.cell(title, formats.NOTHING)
    row = cells.loc[(level, measure)]
    width = 0.0 if pd.isna(row["share"]) else 100.0 * float(row["share"])
    return style.cell(
        title,
        f'<span class="ps-main">{escape(formats.percent(row["share"]))}</span>'
        f'<span class="ps-small">{escape(_of(row["count"], row["of"]))}</span>'
        f'<span class="ps-bar" aria-hidden="true"><span style="width:{width:.1f}%"></span></span>',
    )


def _of(count: float, of: float) -> str:
    return _("{count} of {total}", count=formats.number(count), total=formats.number(of))


# Map


def _map(area: Workspace, state: NetworkStatus) -> None:
    st.subheader(_("Sites and links"))
    marks = []
    for row in network_map.rows_of(state.sites):
        kind = _kind(row)
        since = ""
        if kind in ("connected", "unreached") and not pd.isna(row["connected_on"]):
            since = _("Since {day}", day=formats.date(str(row["connected_on"])))
        elif kind == "planned" and not pd.isna(row["planned_on"]):
            since = _("Planned for {day}", day=formats.date(str(row["planned_on"])))
        marks.append(
            network_map.Mark(COLOURS[kind], network_map.site_tip(row, _(STATES[kind]), since))
        )
    groups = network_map.link_groups(state.network)
    groups.append(network_map.sites_group(_("Sites"), state.sites, marks))
    kinds = {_kind(row) for row in network_map.rows_of(state.sites)}
    style.legend(
        [Entry(COLOURS[kind], _(STATES[kind])) for kind in STATES if kind in kinds],
        _("Sites of the network"),
    )
    network_map.show(area, groups, name="status", title=_("Sites and links"))
    st.caption(
        _(
            "Links are drawn straight from site to site, whatever their way; dashed: by radio. "
            "Larger dots: data centres and gathering nodes."
        )
    )


def _kind(row: dict[str, Any]) -> str:
    if row["connected"]:
        return "connected" if row["reachable"] else "unreached"
    return "planned" if row["status"] == "planned" else "none"


# Over time


def _timeline(line: pd.DataFrame, day: str | None) -> None:
    st.subheader(_("Connected sites over time"))
    if line.empty:
        st.info(_("The inventory has no days."), icon=":material/event_busy:")
        return
    table = line.dropna(subset=["share"])
    table = pd.DataFrame(
        {
            "day": pd.to_datetime(table["day"]),
            "level": [level_name(name) for name in table["level"]],
            "share": 100.0 * table["share"],
            "written": [formats.percent(value) for value in table["share"]],
            "count": [_of(c, o) for c, o in zip(table["count"], table["of"], strict=True)],
            "date": [formats.date(value) for value in table["day"]],
        }
    )
    known = [name for name in LEVEL_COLOURS if level_name(name) in set(table["level"])]
    sign = "' %'" if language() == "vi" else "'%'"
    colour = alt.Color(
        "level:N",
        title=None,
        scale=alt.Scale(
            domain=[level_name(name) for name in known],
            range=[LEVEL_COLOURS[name] for name in known],
        ),
        legend=alt.Legend(orient="bottom"),
    )
    lines = (
        alt.Chart(table)
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=alt.X("day:T", title=None, axis=alt.Axis(format="%Y", tickCount="year")),
            y=alt.Y(
                "share:Q",
                title=None,
                scale=alt.Scale(domain=[0, 100]),
                axis=alt.Axis(labelExpr=f"datum.value + {sign}", tickCount=5),
            ),
            color=colour,
            tooltip=[
                alt.Tooltip("date:N", title=_("Day")),
                alt.Tooltip("level:N", title=_("Sites")),
                alt.Tooltip("written:N", title=_("Connected")),
                alt.Tooltip("count:N", title=_("Count")),
            ],
        )
    )
    # As recorded, the line is cut where what lies ahead begins.
    shown = day or dt.date.today().isoformat()  # noqa: DTZ011 - the user's own day
    rule = (
        alt.Chart(pd.DataFrame({"day": [pd.Timestamp(shown)]}))
        .mark_rule(color="#4a5b65", strokeDash=[4, 3])
        .encode(x="day:T")
    )
    st.altair_chart((lines + rule).properties(height=300), width="stretch")
    said = (
        _("Dashed: the chosen day.")
        if day
        else _("Dashed: today; what lies right of it is planned.")
    )
    st.caption(said)


def _groups(state: NetworkStatus) -> None:
    """Show connected sites by provider, and links by medium."""
    rows = state.figures[state.figures["zone"] == -1]
    providers = rows[rows["measure"] == "provider"]
    if len(providers):
        levels = [name for name in (ALL, *labels.LEVELS) if name in set(providers["level"])]
        cells = providers.set_index(["level", "group"])[["count", "of", "share"]]
        head = "".join(f'<th scope="col">{escape(level_name(name))}</th>' for name in levels)
        names = providers.loc[providers["level"] == ALL, "group"]
        body = "".join(
            f'<tr><th scope="row">{escape(name)}</th>'
            + "".join(_small_share(cells, level, name) for level in levels)
            + "</tr>"
            for name in names
        )
        caption = _("Connected sites by provider; a site with two counts twice")
        st.html(
            style.region(
                caption,
                f'<table class="ps-table"><caption>{escape(caption)}</caption>'
                f'<thead><tr><th scope="col">{escape(_("Provider"))}</th>{head}</tr></thead>'
                f"<tbody>{body}</tbody></table>",
            )
        )
    media = rows[rows["measure"] == "links"]
    if len(media):
        style.facts(
            [
                (
                    _("Links by {medium}", medium=labels.link_medium(row["group"])),
                    f"{_of(row['count'], row['of'])} ({formats.percent(row['share'])})",
                )
                for row in media.to_dict("records")
            ]
        )
    pieces = rows[rows["measure"] == "equipment"]
    if len(pieces):
        with st.expander(_("Equipment at connected sites"), icon=":material/router:"):
            style.facts(
                [
                    (
                        row["group"],
                        f"{_of(row['count'], row['of'])} ({formats.percent(row['share'])})",
                    )
                    for row in pieces.to_dict("records")
                ]
            )


def _small_share(cells: pd.DataFrame, level: str, group: str) -> str:
    if (level, group) not in cells.index:
        return f"<td>{formats.NOTHING}</td>"
    row = cells.loc[(level, group)]
    return (
        f"<td>{escape(formats.percent(row['share']))}"
        f'<span class="ps-small">{escape(_of(row["count"], row["of"]))}</span></td>'
    )


# By zone


def _zones(state: NetworkStatus) -> None:
    rows = state.figures[(state.figures["zone"] >= 0) & (state.figures["level"] == ALL)]
    levels = [name for name in labels.LEVELS if name in set(rows["zone_level"])]
    if not levels:
        return
    st.subheader(_("By administrative unit"))
    level = st.selectbox(
        _("Level"),
        levels,
        format_func=labels.level,
        key=keep("network_level", levels[-1], levels),
        width=300,
    )
    table = by_zone(rows[rows["zone_level"] == level])
    names = {
        name: labels.network_measure(name)
        for name in ("connected", "planned", "lan", "video_conference", "reachable")
    }
    shown = pd.DataFrame({_("Unit"): table["name"], _("Sites"): table["of"]})
    for name, title in names.items():
        shown[title] = table[name]
    shown[_("Share connected")] = table["connected"] / table["of"]
    zones_with = state.figures[
        (state.figures["measure"] == "zones_with_conference") & (state.figures["zone"] == -1)
    ]
    for row in zones_with[zones_with["level"] == level].to_dict("records"):
        st.caption(
            _(
                "Units of this level with a conference endpoint of their own: {count}",
                count=_of(row["count"], row["of"]),
            )
        )
    written: dict[str, Callable[[float], str]] = dict.fromkeys(
        (_("Sites"), *names.values()), formats.number
    )
    written[_("Share connected")] = formats.percent
    st.dataframe(
        shown.style.format(written),
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(shown), 430),
    )


def by_zone(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row a zone and one column a share.

    Parameters
    ----------
    rows
        Figures of the zones of one level.

    Returns
    -------
    DataFrame
        Columns `name`, `of` (sites) and the counts; in the order of the names.
    """
    counts = rows[rows["measure"].isin(SHARES)].pivot_table(
        index="zone", columns="measure", values="count", aggfunc="first"
    )
    sites = rows[rows["measure"] == "connected"].set_index("zone")[["name", "of"]]
    return sites.join(counts).sort_values(
        "name", key=lambda names: names.map(formats.sort_key), ignore_index=True
    )


# Reports and requirements


def _claims(claims: pd.DataFrame) -> None:
    names = [
        _("Figure"),
        _("Reported"),
        _("Inventory on the day of the report"),
        _("Inventory on the day looked at"),
        _("Words and source"),
    ]
    body = []
    for row in claims.to_dict("records"):
        said = [formats.number(row["count"]) if row["count"] == row["count"] else ""]
        if said[0] and row["of"] == row["of"]:
            said = [_of(row["count"], row["of"])]
        if row["percent"] == row["percent"]:
            digits = 0 if row["percent"] % 1 == 0 else 1
            said.insert(0, formats.percent(row["percent"] / 100.0, digits))
        what = [part for part in said if part]
        cells = "".join(
            style.cell(
                name,
                escape(_of(row[f"{when}_count"], row[f"{when}_of"]))
                if row[f"{when}_of"]
                else f'<span class="ps-small">{escape(_("no such site"))}</span>',
            )
            for name, when in zip(names[2:4], ("then", "now"), strict=True)
        )
        origin = f"{row['source']} · {formats.date(row['day'])}"
        body.append(
            f'<tr><th scope="row">{escape(labels.network_measure(row["measure"]))}'
            f'<span class="ps-small">{escape(level_name(row["level"]))}</span></th>'
            f"{style.cell(names[1], escape(' · '.join(what) or _('no figure')))}{cells}"
            + style.cell(
                names[4],
                f'“{escape(row["quote"])}”<span class="ps-small">{escape(origin)}</span>',
                "ps-text",
            )
            + "</tr>"
        )
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names[:-1])
    head += f'<th scope="col" style="text-align:left">{escape(names[-1])}</th>'
    st.html(
        style.region(
            _("Reported beside the inventory"),
            f'<table class="ps-table ps-stack"><thead><tr>{head}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table>",
        )
    )


def _requirements(found: list[Finding], state: NetworkStatus) -> None:
    counts = {name: sum(item.result == name for item in found) for name in labels.RESULTS}
    st.write(
        " · ".join(
            f"{labels.result(name)}: {formats.number(count)}" for name, count in counts.items()
        )
    )
    names = (_("Requirement"), _("Result"), _("Evidence"), _("Instrument and source"))
    body = "".join(_requirement(item, state, names) for item in found)
    head = "".join(f'<th scope="col" style="text-align:left">{escape(x)}</th>' for x in names)
    caption = _("Requirements that hold on this day; a workspace may bring its own table")
    st.html(
        "<style>.ps-unknown { background: #e6e9eb; color: #37444c; }</style>"
        + style.region(
            caption,
            f'<table class="ps-table ps-stack"><caption>{escape(caption)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>",
        )
    )


def _requirement(item: Finding, state: NetworkStatus, names: Sequence[str]) -> str:
    norm = item.norm
    evidence = translate(item.evidence)
    called = state.sites.set_index("site_id")["name"]
    named = ", ".join(
        str(called[name]) for name in item.failing[:_NAMED] if not pd.isna(called.get(name))
    )
    instrument = " · ".join(
        part for part in (_(norm.instrument), _(norm.article) if norm.instrument else "") if part
    )
    if not instrument:
        instrument = _("Planning assumption")
    elif not norm.verified:
        instrument += f" ({_('text not compared')})"
    notes = " · ".join(_(part) for part in (norm.source, norm.note) if part)
    return (
        f'<tr><th scope="row" style="white-space:normal;min-width:13rem">'
        f"{escape(translate(norm.requirement))}"
        f'<span class="ps-small">{escape(labels.norm_sites(norm.sites))}</span></th>'
        + style.cell(
            names[1],
            f'<span class="ps-badge {_BADGES[item.result]}">{escape(labels.result(item.result))}'
            "</span>",
            "ps-left",
        )
        + style.cell(
            names[2], f'{escape(evidence)}<span class="ps-small">{escape(named)}</span>', "ps-text"
        )
        + style.cell(
            names[3],
            f'{escape(instrument)}<span class="ps-small">{escape(notes)}</span>',
            "ps-text",
        )
        + "</tr>"
    )


# Files


def _downloads(area: Workspace, state: NetworkStatus, found: list[Finding]) -> None:
    st.subheader(_("Files"))
    stem = f"network_{area.area.name}_{state.day or 'recorded'}"
    tables = {
        "figures": (_("Figures (CSV)"), state.figures),
        "requirements": (_("Requirements (CSV)"), compliance.table(found)),
        "timeline": (_("Time line (CSV)"), network_data.timeline(area)),
    }
    row = st.container(horizontal=True)
    with row:
        for name, (title, table) in tables.items():
            download.table(title, table, f"{stem}_{name}.csv")
    row.download_button(
        _("Sites and links (GeoPackage)"),
        # Written only when it is asked for.
        lambda: _geopackage(area, state),
        file_name=f"{stem}.gpkg",
        mime="application/geopackage+sqlite3",
        icon=":material/download:",
        on_click="ignore",
    )


def _geopackage(area: Workspace, state: NetworkStatus) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        network_report.save(state, network_report.summary(area, state), Path(scratch))
        return (Path(scratch) / "sites.gpkg").read_bytes()
