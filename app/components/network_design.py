"""Lead the dedicated network to the remaining sites, and protect those that matter."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from app import formats, jobs, labels, money, study
from app.components import (
    design_facts,
    fibre_design_map,
    fibre_jobs,
    fibre_map,
    how,
    network_data,
    network_map,
    network_phases,
    network_status,
    style,
)
from app.components.kept import PREFIX, keep
from app.i18n import _, language, mark, translate
from app.legend import Entry
from data.store import Workspace
from planning import cost, network_failures
from planning import network_design as planner
from planning.fibre import EXISTING_ITEMS
from planning.network_design import NetworkDesign, NetworkDesignRequest

#: Layers of which routes are made; one of them is needed.
ROUTES = ("roads", "fibre_segments")

#: Colours of sites by what the design does for them.
COLOURS = {
    "before": "#8d9aa1",
    "protected": "#6b4c9a",
    "connected": "#12303d",
    "not": "#e0a100",
}

STATES = {
    "before": mark("connected before"),
    "protected": mark("newly protected"),
    "connected": mark("newly connected"),
    "not": mark("not connected"),
}

#: Which step of the trade-off a point stands for.
STEPS = {
    "today": mark("today"),
    "connect": mark("connect sites"),
    "protect": mark("protect sites"),
}

_STEP_COLOURS = {"today": "#8d9aa1", "connect": "#0b6280", "protect": "#6b4c9a"}

#: What the trade-off can be drawn over: columns of the table.
MEASURES = {
    "availability_percent": mark("Mean availability of all sites"),
    "protected_percent": mark("Mean availability of the sites to protect"),
    "connected": mark("Sites connected"),
    "protected": mark("Sites protected"),
    "lost_hours": mark("Hours without service, times criticality, a year"),
}

_MADE = "network.design"


@dataclass(frozen=True, eq=False)
class Made:
    """A design with the files that hold it.

    Parameters
    ----------
    design
        The design.
    files
        Content of the files by their name.
    """

    design: NetworkDesign
    files: dict[str, bytes]


def show(area: Workspace) -> None:
    """Show what is to be connected, ask for the design and show what was found.

    Parameters
    ----------
    area
        The workspace.
    """
    if not any(area.has(name) for name in ROUTES):
        st.info(
            _(
                "There are no roads and no fibre routes to build along. Upload one of them on the "
                "page Data."
            ),
            icon=":material/route:",
        )
        return
    day = network_status.choose_day()
    state = network_data.state(area, day)
    _remaining(state.sites)
    if not state.network.hub.any():
        st.info(
            _("No connected site is a data centre (role hub) on that day: nothing to lead to."),
            icon=":material/device_hub:",
        )
        return
    request = _request(day)
    about = (
        str(area.folder),
        area.content_hash(*network_data.LAYERS, *ROUTES, "railways", "clutter"),
        study.own_files(area.folder, (cost.OWN_FILE, network_failures.OWN_FILE)),
        request,
    )
    made = _made(area, about, request)
    if made is not None:
        _result(area, made)
        network_phases.show(area, about, made.design)


def _remaining(sites: pd.DataFrame) -> None:
    """List the sites that are not connected."""
    left = sites[~sites["connected"]]
    title = _("Sites that are not connected: {count}", count=formats.number(len(left)))
    with st.expander(title, icon=":material/list:"):
        shown = pd.DataFrame(
            {
                _("Site"): [network_map.site_name(row) for row in network_map.rows_of(left)],
                _("Level"): [labels.level(level) for level in left["level"]],
                _("State"): [labels.site_status(status) for status in left["status"]],
                _("Planned for"): [
                    formats.NOTHING if pd.isna(day) else formats.date(str(day))
                    for day in left["planned_on"]
                ],
                _("Criticality"): [formats.number(value) for value in left["criticality"]],
            }
        )
        st.dataframe(shown, hide_index=True, width="stretch", height=min(38 + 35 * len(shown), 320))


def _request(day: str | None) -> NetworkDesignRequest:
    """Ask whom to protect and what may be spent."""
    left, right = st.columns([2, 1])
    options = list(planner.PROTECT)
    name = PREFIX + "network_protect"
    kept = [item for item in st.session_state.get(name, ("aggregation",)) if item in options]
    st.session_state[name] = kept
    protect = left.multiselect(
        _("Protect from any single cut"),
        options,
        format_func=labels.norm_sites,
        key=name,
        placeholder=_("nobody: only connect"),
        help=_("These sites get a second way, so that no link and no duct section cuts them off."),
        wrap=True,
    )
    budget = right.number_input(
        _("Budget, million (empty: no limit)"),
        min_value=0.0,
        value=None,
        step=100.0,
        format="%.0f",
        key="network.budget",
        help=_("In the currency of the unit costs."),
    )
    return NetworkDesignRequest(
        protect=tuple(protect),
        on=day,
        budget=None if budget is None else 1e6 * float(budget),
    )


def _work(area: Workspace, request: NetworkDesignRequest) -> jobs.Work:
    def work(on_progress: Callable[[float], None]) -> object:
        design = planner.design(area, request, on_progress=on_progress)
        with tempfile.TemporaryDirectory() as scratch:
            planner.save(design, Path(scratch))
            files = {path.name: path.read_bytes() for path in Path(scratch).iterdir()}
        return Made(design, files)

    return work


def _made(area: Workspace, about: tuple[Any, ...], request: NetworkDesignRequest) -> Made | None:
    """Return the design of a question, once it is there; else show how to get it."""
    held = st.session_state.get(_MADE)
    if held is not None and held[0] == about:
        return held[1]
    if held is not None:
        st.caption(_("The question has changed; the design must be made anew."))
    found = fibre_jobs.obtained(
        "network",
        about,
        _("Designing the network"),
        _work(area, request),
        button=_("Design the network"),
    )
    if found is None:
        return None
    st.session_state[_MADE] = (found.about, found.result)
    st.rerun()
    return None


# What was found


def _result(area: Workspace, made: Made) -> None:
    design = made.design
    _figures(design)
    st.markdown(f"**{_('How good is it?')}** {proof(design)}")
    how.show(_("How was this computed?"), design_facts.network(design), section="network_design")
    for note in design.notes:
        st.info(translate(note), icon=":material/info:")
    wide, narrow = st.columns([3, 2], gap="medium")
    with wide:
        _map(area, design)
    with narrow:
        _tradeoff(design)
    _left_over(design)
    _bill(area, made)


def _figures(design: NetworkDesign) -> None:
    summary = design.summary
    currency = summary["cost"]["currency"]
    first, second, third, fourth = st.columns([1, 1, 1.1, 1.5])
    first.metric(
        _("Newly connected"), _of(summary["newly_connected"], summary["to_connect"]), border=True
    )
    first.caption(
        _(
            "connected then: {count}",
            count=_of(summary["connected"], summary["sites"]),
        )
    )
    second.metric(
        _("Protected as asked"),
        _of(summary["protected"], summary["to_protect"]) if summary["to_protect"] else "–",
        border=True,
    )
    if summary["to_protect"]:
        second.caption(_("before: {count}", count=formats.number(summary["protected_before"])))
    third.metric(_("Length of the routes"), formats.distance(summary["length_m"]), border=True)
    third.caption(
        _(
            "{new} new, {there} in or on what is there",
            new=formats.distance(summary["new_m"]),
            there=formats.distance(summary["existing_m"]),
        )
    )
    fourth.metric(_("Cost"), money.written(design.cost.typical, currency), border=True)
    fourth.caption(
        _("range {range}", range=money.written_range(design.cost.low, design.cost.high, currency))
    )
    means = summary["availability"]
    names = {
        "all": _("All sites"),
        "to_connect": _("Sites to connect"),
        "to_protect": _("Sites to protect"),
    }
    said = [
        f"{title}: {_change(means[name]['before_percent'], means[name]['after_percent'])}"
        for name, title in names.items()
        if name in means
    ]
    st.caption(f"{_('Mean availability, before and after')} – {' · '.join(said)}")


def _change(before: float, after: float) -> str:
    return f"{formats.percent(before / 100.0, 3)} → {formats.percent(after / 100.0, 3)}"


def _of(count: float, of: float) -> str:
    return _("{count} of {total}", count=formats.number(count), total=formats.number(of))


def proof(design: NetworkDesign) -> str:
    """Say in words how near the best possible a design is proven to be.

    Parameters
    ----------
    design
        The design.

    Returns
    -------
    str
        One sentence.
    """
    summary = design.summary
    currency = summary["cost"]["currency"]
    if summary["objective"] == "value":
        if design.gap < 5e-5:
            return _("No choice of sites within this budget connects more criticality (proven).")
        return _(
            "At most {gap} short of the best: more than {most} of criticality cannot be connected "
            "within this budget (proven).",
            gap=formats.percent(design.gap),
            most=formats.number(design.bound, 1),
        )
    if design.gap < 5e-5:
        return _("No routes that connect and protect these sites are cheaper (proven).")
    if math.isfinite(design.gap):
        return _(
            "The routes, {cost}, are at most {gap} dearer than the cheapest possible: none cost "
            "less than {bound} (proven). Equipment comes on top.",
            cost=money.written(design.route_cost, currency),
            gap=formats.percent(design.gap),
            bound=money.written(design.bound, currency),
        )
    return _("How near the cheapest it is could not be proven.")


def _map(area: Workspace, design: NetworkDesign) -> None:
    st.subheader(_("Map of sites and routes"))
    currency = design.summary["cost"]["currency"]
    groups, entries = network_map.link_groups(design.before.network, colour="#9fb3bd"), []
    reuse = design.routes["item"].isin(EXISTING_ITEMS).to_numpy(bool)
    for chosen, name, colour, weight in (
        (reuse, _("In or on what is there"), fibre_design_map.REUSE_COLOUR, 3.0),
        (~reuse, _("Newly built"), fibre_design_map.NEW_COLOUR, 4.5),
    ):
        rows = design.routes[chosen]
        if len(rows):
            tips = [
                (
                    labels.cost_item(row["item"]),
                    f"{formats.distance(row['length_m'])} · {money.written(row['cost'], currency)}",
                    str(row["stretch_id"]),
                )
                for row in rows.to_dict("records")
            ]
            lines = fibre_map.lines_of(rows, tips)
            groups.append(network_map.lines_group(name, lines, colour, weight=weight))
            entries.append(Entry(colour, name))
    states = _states(design)
    marks = [
        network_map.Mark(
            COLOURS[kept],
            network_map.site_tip(
                row,
                _(STATES[kept]),
                _(
                    "Availability {share}",
                    share=formats.percent(row["availability_percent"] / 100, 3),
                )
                if row["connected"]
                else "",
                translate(why) if why is not None else "",
            ),
        )
        for row, kept, why in zip(
            network_map.rows_of(design.sites), states, design.reasons, strict=True
        )
    ]
    groups.append(network_map.sites_group(_("Sites"), design.sites, marks))
    entries += [
        Entry(COLOURS[kept], f"{_(STATES[kept])} ({formats.number(states.count(kept))})")
        for kept in STATES
        if kept in states
    ]
    style.legend(entries, _("Routes and sites"))
    network_map.show(area, groups, name="design", title=_("Map of sites and routes"))


def _states(design: NetworkDesign) -> list[str]:
    """Return the key of `STATES` of every site."""
    safe = design.before.sites.set_index("site_id")[["safe_link", "safe_duct"]].all(axis=1)
    found = []
    for row in network_map.rows_of(design.sites):
        newly_safe = row["protect"] and row["protected"] and not safe.get(row["site_id"], False)
        if not row["connected"]:
            found.append("not")
        elif newly_safe and row["before"]:
            found.append("protected")
        else:
            found.append("before" if row["before"] else "connected")
    return found


def _tradeoff(design: NetworkDesign) -> None:
    table = design.tradeoff
    st.subheader(_("Cost against what it brings"))
    if table.empty:
        st.info(_("There is nothing to compare."))
        return
    offered = [name for name in MEASURES if table[name].notna().any() and table[name].any()]
    measure = st.selectbox(
        _("What it brings"),
        offered,
        format_func=lambda name: _(MEASURES[name]),
        key=keep("network_measure", offered[0], offered),
    )
    currency = design.summary["cost"]["currency"]
    size, unit = money.scale_of(float(table["cost"].max()), currency)
    is_share = measure.endswith("_percent")

    def written(value: float) -> str:
        return formats.percent(value / 100.0, 3) if is_share else formats.number(value)

    drawn = pd.DataFrame(
        {
            "cost": table["cost"] / size,
            "value": table[measure],
            "step": [_(STEPS[kind]) for kind in table["kind"]],
            "money": [money.written(value, currency) for value in table["cost"]],
            "brings": [written(value) for value in table[measure]],
            "gap": [
                formats.NOTHING if kind == "today" else formats.percent(value)
                for kind, value in zip(table["kind"], table["gap"], strict=True)
            ],
            "sites": [formats.number(value) for value in table["connected"]],
            "safe": [formats.number(value) for value in table["protected"]],
        }
    ).dropna(subset=["value"])
    thousands, point = (".", ",") if language() == "vi" else (",", ".")
    label = (
        "replace(replace(replace(format(datum.value, ',.6~f'), /,/g, ' '), '.', "
        f"'{point}'), / /g, '{thousands}')"
    )
    sign = "" if not is_share else " + ' %'" if language() == "vi" else " + '%'"
    used = [kind for kind in STEPS if kind in set(table["kind"])]
    x = alt.X(
        "cost:Q", title=_("Cost, {unit}", unit=unit), axis=alt.Axis(labelExpr=label, tickCount=5)
    )
    y = alt.Y(
        "value:Q",
        title=None,
        scale=alt.Scale(zero=False),
        axis=alt.Axis(labelExpr=label + sign, tickCount=5),
    )
    base = alt.Chart(drawn)
    points = base.mark_point(filled=True, size=90, opacity=1.0).encode(
        x=x,
        y=y,
        color=alt.Color(
            "step:N",
            title=None,
            scale=alt.Scale(
                domain=[_(STEPS[kind]) for kind in used],
                range=[_STEP_COLOURS[kind] for kind in used],
            ),
            legend=alt.Legend(orient="bottom"),
        ),
        tooltip=[
            alt.Tooltip("step:N", title=_("Step")),
            alt.Tooltip("money:N", title=_("Cost")),
            alt.Tooltip("brings:N", title=_(MEASURES[measure])),
            alt.Tooltip("sites:N", title=_("Sites connected")),
            alt.Tooltip("safe:N", title=_("Sites protected")),
            alt.Tooltip("gap:N", title=_("At most from the best")),
        ],
    )
    st.altair_chart(
        (base.mark_line(color="#9fb3bd").encode(x=x, y=y) + points).properties(height=320),
        width="stretch",
    )
    # Short names, for the table stands in a narrow column below the choice of the measure.
    names = {
        "step": _("Step"),
        "money": _("Cost"),
        "brings": _("What it brings"),
        "gap": _("Gap at most"),
    }
    st.dataframe(
        drawn[list(names)].rename(columns=names),
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(drawn), 260),
    )


def _lack(row: dict[str, Any]) -> str:
    """Return what a site lacks that was asked for."""
    if not row["connected"]:
        return _("not connected")
    return _("not protected") if row["served"] else _("cut off")


def _left_over(design: NetworkDesign) -> None:
    """List the sites that are not connected or not protected as asked, and why."""
    rows = [
        {
            _("Site"): network_map.site_name(row),
            _("State"): _lack(row),
            _("Why not"): translate(why),
        }
        for row, why in zip(network_map.rows_of(design.sites), design.reasons, strict=True)
        if why is not None
    ]
    if not rows:
        return
    st.subheader(_("Not connected or not protected"))
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(rows), 320),
        column_config={_("Why not"): st.column_config.Column(width="large")},
    )


def _bill(area: Workspace, made: Made) -> None:
    st.subheader(_("Bill of quantities"))
    bill, total = made.design.bill, made.design.cost
    currency = made.design.summary["cost"]["currency"]
    units = {"m": "m", "each": _("each")}
    shown = pd.DataFrame(
        {
            _("Item"): [*map(labels.cost_item, bill["item"]), _("Total")],
            _("Quantity"): [*map(formats.number, bill["quantity"]), ""],
            _("Unit"): [*(units.get(name, name) for name in bill["unit"]), ""],
            _("Cost"): [
                money.written(value, currency) for value in [*bill["typical"], total.typical]
            ],
            _("Range"): [
                money.written_range(low, high, currency)
                for low, high in zip(
                    [*bill["low"], total.low], [*bill["high"], total.high], strict=True
                )
            ],
        }
    )
    st.dataframe(shown, hide_index=True, width="stretch", height=38 + 35 * len(shown))
    if not bill["verified"].all():
        st.caption(
            _(
                "Prices are planning assumptions, not checked against a price list; edit them in "
                "the workspace's unit_costs.csv."
            )
        )
    with st.container(horizontal=True):
        for title, name, mime in (
            (
                _("Bill of quantities (Excel)"),
                "bill.xlsx",
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            ),
            (
                _("Routes, links and sites (GeoPackage)"),
                "design.gpkg",
                "application/geopackage+sqlite3",
            ),
            (
                _("Fibre routes to import (GeoPackage)"),
                "fibre_segments.gpkg",
                "application/geopackage+sqlite3",
            ),
            (_("Links to import (CSV)"), "network_links.csv", "text/csv"),
            (_("Cost against what it brings (CSV)"), "tradeoff.csv", "text/csv"),
            (_("All figures (JSON)"), "network_design.json", "application/json"),
        ):
            st.download_button(
                title,
                made.files[name],
                file_name=f"network_{area.area.name}_{name}",
                mime=mime,
                icon=":material/download:",
                on_click="ignore",
                key=f"design-{name}",
            )
    st.caption(
        _(
            "To enter the design into the inventory, import the fibre routes first, then the links "
            "that run through them, each in place of the whole layer; both hold what is there and, "
            "as planned, what is new."
        )
    )
