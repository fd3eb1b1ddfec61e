"""What fails when one thing fails: a link, a site, a section of cable, a provider."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import folium
import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app import formats, labels
from app.components import (
    failure_facts,
    fibre_map,
    how,
    network_data,
    network_diagram,
    network_load,
    network_map,
    network_status,
    style,
    web_map,
)
from app.components.kept import keep
from app.i18n import _, mark, translate
from app.legend import Entry
from data.store import Workspace
from planning import network_failures
from planning.network_failures import FailureReport

#: Colours of sites while something is down.
COLOURS = {
    "served": "#1d7f8c",
    "cut": "#f0701a",
    "down": "#111111",
    "unserved": "#8c8f94",
}

STATES = {
    "served": mark("still served"),
    "cut": mark("cut off"),
    "down": mark("has failed itself"),
    "unserved": mark("not served before either"),
}

_FAULT_COLOUR = "#d1352b"

#: Rows of the ranking that are shown.
_MOST = 100

_PICK, _CLICKED = "network.pick", "network.clicked"


def show(area: Workspace) -> None:
    """Show the failure simulator, the ranking, the availability and the load.

    Parameters
    ----------
    area
        The workspace.
    """
    day = network_status.choose_day()
    state = network_data.state(area, day)
    if not state.network.hub.any():
        st.info(
            _(
                "No connected site is a data centre (role hub) on that day, so it cannot be said "
                "who is cut off from it."
            ),
            icon=":material/device_hub:",
        )
        return
    report = network_data.report(area, day)
    if report is None:
        return
    _simulator(area, report)
    st.subheader(_("What to protect first"))
    how.show(_("How was this computed?"), failure_facts.failures(area, report), section="failures")
    _ranking(report)
    left, right = st.columns([9, 10], gap="medium")
    with left:
        st.subheader(_("Who survives which failure"))
        _safe(report)
    with right:
        st.subheader(_("Availability of the sites"))
        _availability(report)
    st.subheader(_("Load and conferences"))
    how.show(_("How was this computed?"), failure_facts.load(area, report), section="load")
    network_load.show(report, _called(report))
    _origin(area, report)
    _downloads(area, report)


# The simulator


def _simulator(area: Workspace, report: FailureReport) -> None:
    kind, name = _choose(report)
    cut = report.cut[(report.cut["element"] == kind) & (report.cut["name"] == name)]
    lost = report.network.sites["site_id"].isin(cut["site_id"]).to_numpy(bool)
    down = _links_down(report, kind, name)
    states = _states(report, kind, name, lost)
    _said(report, kind, name, lost)
    there = set(states)
    style.legend(
        [Entry(COLOURS[x], _(STATES[x])) for x in STATES if x in there], _("Sites of the network")
    )
    wide, narrow = st.columns([3, 2], gap="medium")
    with wide:
        clicked = network_map.show(
            area,
            _groups(area, report, states, down, kind, name),
            name="failures",
            title=_("Sites that are cut off"),
        )
        st.caption(_("A click on a site or a link lets it fail."))
    with narrow:
        _dropped(report, lost)
    st.markdown(f"**{_('One-line diagram')}**")
    network_diagram.show(
        report.network,
        [COLOURS[x] for x in states],
        failed_links=down,
        title=_("One-line diagram"),
    )
    _take_click(area, report, clicked)


def _elements(report: FailureReport) -> dict[str, list[str]]:
    """Return the names of all that can fail, by kind; what cuts off most comes first."""
    live = report.network
    names: dict[str, list[str]] = {
        "link": live.links["link_id"].tolist(),
        "site": live.sites["site_id"].tolist(),
    }
    for group in live.risk_groups:
        kind, _colon, name = group.partition(":")
        names.setdefault(kind, []).append(name)
    lost = _lost(report)
    return {
        kind: sorted(names[kind], key=lambda name, kind=kind: (-lost.get((kind, name), 0), name))
        for kind in network_failures.ELEMENTS
        if names.get(kind)
    }


def _lost(report: FailureReport) -> dict[tuple[str, str], int]:
    table = report.failures
    pairs = zip(table["element"], table["name"], strict=True)
    return dict(zip(pairs, table["lost_sites"], strict=True))


def _choose(report: FailureReport) -> tuple[str, str]:
    """Ask what fails; a click on the map answers, too."""
    elements = _elements(report)
    kinds = list(elements)
    picked = st.session_state.pop(_PICK, None)
    if picked is not None and picked[1] in elements.get(picked[0], ()):
        st.session_state["keep.network_kind"], name = picked
        st.session_state[f"keep.network_{picked[0]}"] = name
    keep("network_kind", kinds[0], kinds)
    kind = st.segmented_control(
        _("What fails?"),
        kinds,
        format_func=labels.failure,
        key="keep.network_kind",
        required=True,
        wrap=True,
    )
    lost, called = _lost(report), _called(report)
    name = st.selectbox(
        labels.failure(kind),
        elements[kind],
        format_func=lambda name: _title(kind, name, called, lost.get((kind, name), 0)),
        key=keep(f"network_{kind}", elements[kind][0], elements[kind]),
    )
    return kind, name


def _called(report: FailureReport) -> dict[str, str]:
    sites = report.network.sites
    return {
        str(row["site_id"]): network_map.site_name(row) for row in network_map.rows_of(sites)
    } | {
        str(link): f"{a} – {b}"
        for link, a, b in zip(
            report.network.links["link_id"],
            report.network.links["from_site"].map(dict(_pairs(sites))),
            report.network.links["to_site"].map(dict(_pairs(sites))),
            strict=True,
        )
    }


def _pairs(sites: pd.DataFrame) -> list[tuple[str, str]]:
    return [(str(row["site_id"]), network_map.site_name(row)) for row in network_map.rows_of(sites)]


def _title(kind: str, name: str, called: dict[str, str], lost: int) -> str:
    full = f"{called[name]} ({name})" if kind in ("site", "link") and name in called else name
    if not lost:
        return _("{name}: cuts off nobody", name=full)
    return _("{name}: cuts off {count}", name=full, count=formats.number(lost))


def _links_down(report: FailureReport, kind: str, name: str) -> NDArray[np.int64]:
    """Return the positions of the links that are down."""
    live = report.network
    if kind == "link":
        return np.flatnonzero(live.links["link_id"] == name).astype(np.int64)
    if kind == "site":
        ends = (live.links["from_site"] == name) | (live.links["to_site"] == name)
        return np.flatnonzero(ends).astype(np.int64)
    return live.risk_groups[f"{kind}:{name}"]


def _states(
    report: FailureReport, kind: str, name: str, lost: NDArray[np.bool_]
) -> NDArray[np.object_]:
    """Return the key of `STATES` of every live site."""
    states = np.where(report.network.reachable, "served", "unserved").astype(object)
    states[lost] = "cut"
    if kind == "site":
        states[(report.network.sites["site_id"] == name).to_numpy(bool)] = "down"
    return states


def _said(report: FailureReport, kind: str, name: str, lost: NDArray[np.bool_]) -> None:
    """Say in a sentence what the failure does."""
    sites = report.network.sites
    served = int(report.network.reachable.sum())
    count = int(lost.sum())
    if not count:
        why = (
            _("Nobody else is cut off: there is another way.")
            if _carries_others(report, kind, name)
            else _("Nobody else is cut off: no other served site is reached through it.")
        )
        st.success(why, icon=":material/shield:")
        return
    by_level = sites.loc[lost, "level"].value_counts()
    parts = [
        f"{labels.level(level)}: {formats.number(by_level[level])}"
        for level in labels.LEVELS
        if level in by_level
    ]
    rooms = int(sites.loc[lost, "video_conference"].sum())
    if rooms:
        parts.append(_("conference endpoints: {count}", count=formats.number(rooms)))
    rows = report.failures
    hours = rows.loc[(rows["element"] == kind) & (rows["name"] == name), "hours_down"]
    text = _(
        "{count} of {total} served sites are cut off ({share})",
        count=formats.number(count),
        total=formats.number(served),
        share=formats.percent(count / served),
    )
    text = f"**{text}** – {', '.join(parts)}."
    if len(hours) and hours.iloc[0] == hours.iloc[0]:
        text += " " + _(
            "Expected to be down {hours} hours a year.", hours=formats.number(hours.iloc[0], 1)
        )
    st.warning(text, icon=":material/link_off:")


def _carries_others(report: FailureReport, kind: str, name: str) -> bool:
    """Return whether other served sites may be reached through something."""
    live = report.network
    down = _links_down(report, kind, name)
    ends = np.unique(np.r_[live.tail[down], live.head[down]])
    served = ends[live.reachable[ends]]
    if kind != "site":
        return len(served) > 0
    itself = (live.sites["site_id"] == name).to_numpy(bool)
    others = served[~itself[served]]
    # A single neighbour is on the way to the data centre, unless this is one.
    return len(others) > (0 if live.hub[itself].any() else 1)


def _groups(
    area: Workspace,
    report: FailureReport,
    states: NDArray[np.object_],
    down: NDArray[np.int64],
    kind: str,
    name: str,
) -> list[folium.FeatureGroup]:
    live = report.network
    groups = network_map.link_groups(live)
    segments = network_data.inventory(area).segments
    if kind in ("segment", "trench") and segments is not None:
        names = live.trenches[name] if kind == "trench" else [name]
        section = segments[segments["segment_id"].isin(names)]
        tips = [(labels.failure("segment"), each) for each in section["segment_id"]]
        lines = fibre_map.lines_of(section, tips)
        groups.append(
            network_map.lines_group(labels.failure(kind), lines, _FAULT_COLOUR, weight=7.0)
        )
    broken = report.links.iloc[down]
    if len(broken):
        lines = fibre_map.lines_of(broken, network_map.link_tips(broken))
        groups.append(
            network_map.lines_group(
                _("Links that are down"), lines, _FAULT_COLOUR, weight=3.0, dash="6 4"
            )
        )
    marks = [
        network_map.Mark(COLOURS[kept], network_map.site_tip(row, _(STATES[kept])))
        for row, kept in zip(network_map.rows_of(live.sites), states.tolist(), strict=True)
    ]
    groups.append(network_map.sites_group(_("Sites"), live.sites, marks))
    return groups


def _dropped(report: FailureReport, lost: NDArray[np.bool_]) -> None:
    """List who is cut off."""
    sites = report.network.sites[lost]
    shown = pd.DataFrame(
        {
            _("Cut off"): [network_map.site_name(row) for row in network_map.rows_of(sites)],
            _("Level"): [labels.level(level) for level in sites["level"]],
            _("Criticality"): [formats.number(value) for value in sites["criticality"]],
            _("Conference"): [_("yes") if value else "" for value in sites["video_conference"]],
            _("Site"): sites["site_id"].to_numpy(),
        }
    )
    height = min(38 + 35 * max(1, len(shown)), web_map.HEIGHT_PX)
    st.dataframe(
        shown,
        hide_index=True,
        width="stretch",
        height=height,
        column_config={
            name: st.column_config.Column(width=wide)
            for name, wide in ((_("Level"), 75), (_("Criticality"), 112), (_("Conference"), 85))
        },
    )


def _take_click(
    area: Workspace, report: FailureReport, clicked: tuple[float, float] | None
) -> None:
    """Let fail what was clicked; the map tells its last click again and again."""
    if clicked is None or clicked == st.session_state.get(_CLICKED):
        return
    st.session_state[_CLICKED] = clicked
    found = network_map.clicked_on(area, report.network, clicked)
    if found is None:
        return
    kind, position = found
    column, table = (
        ("site_id", report.network.sites) if kind == "site" else ("link_id", report.network.links)
    )
    st.session_state[_PICK] = (kind, str(table[column].iloc[position]))
    st.rerun()


# Tables


def _ranking(report: FailureReport) -> None:
    st.caption(
        _(
            "All that cuts off other sites, ordered by the loss expected in a year: criticality "
            "of the sites cut off times hours down. Providers have no figure of how often they "
            "fail as a whole."
        )
    )
    table = report.failures.head(_MOST)
    called = _called(report)
    shown = pd.DataFrame(
        {
            _("Kind"): [labels.failure(kind) for kind in table["element"]],
            _("What"): [
                f"{called[name]} ({name})" if kind in ("site", "link") else name
                for kind, name in zip(table["element"], table["name"], strict=True)
            ],
            _("Sites cut off"): table["lost_sites"],
            _("Their criticality"): table["lost_criticality"],
            _("Hours down a year"): table["hours_down"],
            _("Expected loss"): table["expected_loss"],
        }
    )
    written: dict[str, Callable[[float], str]] = {
        _("Sites cut off"): formats.number,
        _("Their criticality"): formats.number,
        _("Hours down a year"): lambda value: formats.number(value, 2),
        _("Expected loss"): lambda value: formats.number(value, 1),
    }
    st.dataframe(
        shown.style.format(written),
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(shown), 390),
        column_config={_("What"): st.column_config.Column(width="large")},
    )


def _safe(report: FailureReport) -> None:
    """Show how many sites no single failure of a kind cuts off."""
    columns = {
        "served": _("Served"),
        "safe_link": _("no link"),
        "safe_site": _("no other site"),
        "safe_duct": _("no duct or trench"),
        "safe_provider": _("no provider"),
    }
    body = []
    for entry in report.summary["levels"]:
        cells = []
        for name in columns:
            of = entry["sites"] if name == "served" else entry["served"]
            share = entry[name] / of if of else None
            small = _("{count} of {total}", count=entry[name], total=of)
            cells.append(
                f"<td>{escape(formats.percent(share, 0))}"
                f'<span class="ps-small">{escape(small)}</span></td>'
            )
        body.append(
            f'<tr><th scope="row">{escape(labels.level(entry["level"]))}</th>{"".join(cells)}</tr>'
        )
    head = "".join(
        f'<th scope="col" style="white-space:normal">{escape(title)}</th>'
        for title in columns.values()
    )
    caption = _("Sites that are served, and those that no single failure of a kind cuts off")
    st.html(
        style.region(
            caption,
            f'<table class="ps-table"><caption>{escape(caption)}</caption>'
            f'<thead><tr><th scope="col">{escape(_("Level"))}</th>{head}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table>",
        )
    )
    style.facts(
        [
            (
                _("{kind}: how many cut off others", kind=labels.failure(kind)),
                _(
                    "{count} of {total}",
                    count=formats.number(entry["cutting"]),
                    total=formats.number(entry["of"]),
                ),
            )
            for kind, entry in report.summary["single_failures"].items()
            if entry["of"]
        ]
    )


def _availability(report: FailureReport) -> None:
    sites = report.sites.sort_values(["availability_percent", "site_id"])
    exact = sites["method"] == "exact"
    shown = pd.DataFrame(
        {
            _("Site"): [network_map.site_name(row) for row in network_map.rows_of(sites)],
            _("Availability"): [
                formats.percent(value / 100.0, 3) for value in sites["availability_percent"]
            ],
            _("95% interval"): [
                _("exact") if sure else formats.percent_range(low / 100.0, high / 100.0, 3)
                for sure, low, high in zip(
                    exact, sites["low_percent"], sites["high_percent"], strict=True
                )
            ],
            _("Hours down a year"): [formats.number(value, 1) for value in sites["hours_down"]],
        }
    )
    st.dataframe(
        shown, hide_index=True, width="stretch", height=min(38 + 35 * max(1, len(shown)), 390)
    )
    st.caption(
        _(
            "Share of time in which a site is up and reaches a data centre, by contracts and "
            "assumptions; computed exactly where that is possible, otherwise from random samples "
            "with an interval."
        )
    )
    style.facts(
        [
            (
                _(
                    "All {count} served at once: {sites}",
                    count=formats.number(row["sites"]),
                    sites=labels.norm_sites(row["choice"]),
                ),
                _share(row),
            )
            for row in report.together.to_dict("records")
        ]
    )


def _share(row: Mapping[Any, Any]) -> str:
    """Write an availability, with its interval where it was sampled."""
    value = formats.percent(row["availability_percent"] / 100.0, 3)
    if row["method"] == "exact":
        return value
    low, high = row["low_percent"] / 100.0, row["high_percent"] / 100.0
    return f"{value} ({formats.percent_range(low, high, 3)})"


def _origin(area: Workspace, report: FailureReport) -> None:
    with st.expander(_("What was assumed?"), icon=":material/info:"):
        for note in report.notes:
            st.markdown(f"- {translate(note)}")
        style.facts(failure_facts.assumed(report))
        checked = len(network_failures.verified(area.folder))
        known = (
            _(
                "{count} of {total} are marked as verified.",
                count=formats.number(checked),
                total=formats.number(len(report.assumed)),
            )
            if checked
            else _("None of these is verified.")
        )
        own = _(
            "A file {file} in the folder of the study area replaces them.",
            file=network_failures.OWN_FILE,
        )
        st.caption(f"{known} {own}")


def _downloads(area: Workspace, report: FailureReport) -> None:
    stem = f"failures_{area.area.name}_{report.network.day or 'recorded'}"
    row = st.container(horizontal=True)
    for title, name, kind in (
        (_("What to protect first (CSV)"), "failures.csv", "text/csv"),
        (_("Who is cut off (CSV)"), "cut.csv", "text/csv"),
        (_("Availability (CSV)"), "availability.csv", "text/csv"),
        (_("Sites and links (GeoPackage)"), "failures.gpkg", "application/geopackage+sqlite3"),
        (_("All figures (JSON)"), "failures.json", "application/json"),
    ):
        row.download_button(
            title,
            # Written only when it is asked for.
            lambda name=name: _file(area, report, name),
            file_name=f"{stem}_{name}",
            mime=kind,
            icon=":material/download:",
            on_click="ignore",
        )


def _file(area: Workspace, report: FailureReport, name: str) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        network_failures.save(report, network_failures.with_origin(report, area), Path(scratch))
        return (Path(scratch) / name).read_bytes()
