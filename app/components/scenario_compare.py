"""Scenarios side by side: a split map, and tables by commune, cost and people."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import geopandas as gpd
import pandas as pd
import streamlit as st

from app import formats, identity, jobs, labels, legend, money, overlays, study
from app.components import (
    download,
    figure_facts,
    how,
    map_layers,
    progress,
    scenario_changes,
    scenario_texts,
    split_map,
    style,
)
from app.components.kept import keep
from app.i18n import _, language, mark, translate
from coverage.request import CoverageRequest
from coverage.results import CoverageResult
from data.store import Workspace
from planning import names, scenario_compare, scenarios
from planning.scenario_compare import PRESENT, Comparison
from planning.scenarios import Scenario

_FOUND = "scenario.comparison"

#: Colours of masts that are new, gone, or changed.
_NEW, _GONE, _OTHER = "#0f8a4b", "#7f1d1d", "#c2410c"


def show(area: Workspace, request: CoverageRequest) -> None:
    """Show the choice of scenarios and their comparison.

    Parameters
    ----------
    area
        The study area's own workspace.
    request
        How coverage is computed.
    """
    records, actor = identity.records(), identity.actor()
    found = {item.id: item for item in scenarios.list_of(records, actor, scenarios.area_name(area))}
    if not found:
        st.info(_("There is no scenario to compare yet."), icon=":material/compare:")
        return
    if not area.has("masts") or not area.has("cells"):
        st.info(
            _("There are no masts or no cells yet. Upload them on the page Data."),
            icon=":material/cell_tower:",
        )
        return
    # A scenario that was deleted meanwhile is not offered, and so not chosen, any more.
    key = keep("scenarios_compared", [next(iter(found))])
    st.session_state[key] = [number for number in st.session_state[key] if number in found]
    chosen = st.multiselect(
        _("Scenarios beside the network of today"),
        list(found),
        format_func=scenario_texts.titles(found.values()).get,
        key=key,
        max_selections=5,
    )
    if not chosen:
        st.caption(_("Choose at least one scenario."))
        return
    comparison = _obtained(area, [found[number] for number in chosen], request)
    if comparison is not None:
        _result(area, comparison, found)


def _obtained(
    area: Workspace, chosen: list[Scenario], request: CoverageRequest
) -> Comparison | None:
    """Return the comparison that is asked for; otherwise show how to get it."""
    about = (
        *study.inputs(area),
        tuple((item.id, item.version) for item in chosen),
        request,
    )
    held = st.session_state.get(_FOUND)
    if held is not None and held[0] == about:
        return held[1]
    key = ("scenario", progress.session(), about)
    job = jobs.JOBS.get(key)
    if job is not None and job.state is jobs.State.DONE:
        st.session_state[_FOUND] = (about, job.result)
        jobs.JOBS.forget(key)
        return job.result

    def work(on_progress: Callable[[float], None]) -> object:
        return scenario_compare.compare(area, chosen, request, on_progress=on_progress)

    progress.show(key, _("Comparing scenarios"), start=work, button=_("Compare the scenarios"))
    return None


def _result(area: Workspace, found: Comparison, known: dict[int, Scenario]) -> None:
    titles = {PRESENT: _("Network of today")}
    named = scenario_texts.titles(known.values())
    titles |= {key: named[key] for key in found.results if key in named}
    services = names.ordered(found.summary["service"].unique())
    service = st.segmented_control(
        _("Service"),
        services,
        format_func=labels.service,
        key=keep("scenario_service", "4G" if "4G" in services else services[0], services),
        required=True,
    )
    _summary(found, titles, str(service))
    how.show(
        _("How was this computed?"),
        [
            *figure_facts.coverage(found.results[PRESENT].summary, str(service)),
            (_("Costs"), "planning.scenario_costs.between"),
            figure_facts.function("planning.scenario_compare.compare"),
        ],
        section="scenarios",
        note=_("The same settings and data for every network; only masts and cells differ."),
    )
    _map(area, found, titles, known, str(service))
    _communes(found, titles, str(service))
    _bill(found, titles)


def _summary(found: Comparison, titles: dict[int, str], service: str) -> None:
    rows = found.summary[found.summary["service"] == service]
    table = [
        {
            _("Network"): titles[row["scenario"]],
            _("Masts"): formats.number(row["masts"]),
            _("Cells"): formats.number(row["cells"]),
            _("Area covered"): formats.percent(row["area_percent"] / 100, 2),
            _("Population covered"): formats.percent(row["population_percent"] / 100, 2),
            _("People more"): (
                formats.number(row["people_more"], signed=True)
                if row["scenario"]
                else formats.NOTHING
            ),
            _("Cost once"): _sum(row, "cost", found.currency),
            _("Cost a year"): _sum(row, "yearly", found.currency),
            _("People per billion {currency}", currency=found.currency): _people(row),
        }
        for row in rows.to_dict("records")
        if row["scenario"] in titles
    ]
    st.dataframe(pd.DataFrame(table), hide_index=True, width="stretch")
    st.caption(
        _(
            "Costs are ranges made of the tables of unit costs and of sharing; most of these are "
            "planning assumptions to be edited before use. A year's cost is what the masts cost "
            "more than today."
        )
    )


def _sum(row: dict[Any, Any], name: str, currency: str) -> str:
    if not row[f"{name}_high"] and not row[f"{name}_low"]:
        return formats.NOTHING
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if low < 0.0:
        return _(
            "{low} to {high}", low=money.written(low, currency), high=money.written(high, currency)
        )
    return money.written_range(low, high, currency)


def _people(row: dict[Any, Any]) -> str:
    least, most = row["per_money_least"], row["per_money_most"]
    if pd.isna(least) or pd.isna(most):
        return formats.NOTHING
    return f"{formats.number(least)}–{formats.number(most)}"


def _map(
    area: Workspace,
    found: Comparison,
    titles: dict[int, str],
    known: dict[int, Scenario],
    service: str,
) -> None:
    st.subheader(_("Side by side"))
    numbers = [number for number in found.results if number in titles]
    first, second = st.columns(2)
    left = first.selectbox(
        _("Left"), numbers, format_func=titles.get, key=keep("scenario_left", PRESENT, numbers)
    )
    right = second.selectbox(
        _("Right"),
        numbers,
        format_func=titles.get,
        key=keep("scenario_right", numbers[-1], numbers),
    )
    style.legend(legend.covered_legend(), labels.service(service))
    split_map.show(
        map_layers.bounds(area),
        _side(area, found.results[left], titles[left], known.get(left), service),
        _side(area, found.results[right], titles[right], known.get(right), service),
        key=f"scenario-split-{language()}",
        language=language(),
        texts={**scenario_changes.texts(), "divider": _("Line between the two networks")},
        background=map_layers.relief(area),
    )
    st.caption(
        _("Move the line with the mouse, a finger or the arrow keys. Changed masts are marked.")
    )


def _side(
    area: Workspace,
    result: CoverageResult,
    title: str,
    item: Scenario | None,
    service: str,
) -> split_map.Side:
    picture = _picture(result.summary["provenance"]["key"], area, result, service)
    return split_map.Side(title, picture, [] if item is None else _marks(area, item))


@st.cache_data(max_entries=24, show_spinner=False)
def _picture(key: str, _area: Workspace, _result: CoverageResult, service: str) -> overlays.Overlay:
    del key  # only part of the cache's key
    classes = map_layers.covered_classes(_area, _result, service, "any")
    colours = (legend.COVERED_COLOUR, legend.NOT_COVERED_COLOUR)
    return overlays.paint(classes, _result.grid, colours)


def _marks(area: Workspace, item: Scenario) -> list[tuple[float, float, str, str]]:
    """Return the masts that a scenario changes: new, gone, otherwise changed."""
    before = study.layer(area, "masts")
    after, _cells = scenarios.network(area, item.changes)
    named = {str(change.mast.get("mast_id")) for change in item.changes}
    old, new = set(before["mast_id"]), set(after["mast_id"])
    parts: list[tuple[gpd.GeoDataFrame, str, str]] = [
        (after[after["mast_id"].isin(named - old)], _NEW, _("new")),
        (before[before["mast_id"].isin(named - new)], _GONE, _("removed")),
        (after[after["mast_id"].isin(named & old)], _OTHER, _("changed")),
    ]
    found = []
    for frame, colour, what in parts:
        places = frame.to_crs("EPSG:4326")
        for mast, point in zip(places["mast_id"], places.geometry, strict=True):
            found.append((point.y, point.x, colour, escape(f"{mast}: {what}")))
    return found


def _communes(found: Comparison, titles: dict[int, str], service: str) -> None:
    st.subheader(_("By commune"))
    measure = st.segmented_control(
        _("Share of"),
        ["area", "population"],
        format_func=labels.measure,
        key=keep("scenario_measure", "population", ["area", "population"]),
        required=True,
    )
    amount = "area_more" if measure == "area" else "people_more"
    rows = found.table[
        (found.table["service"] == service)
        & (found.table["operator"] == "any")
        & found.table["zone"].isin(found.zones.index)
    ]
    # Columns are named by numbers: a title may be anything, also that of another column.
    table = pd.DataFrame({"unit": found.zones["name"].to_numpy()}, index=found.zones.index)
    columns: dict[str, Any] = {"unit": _("Unit")}
    digits = 2 if measure == "area" else 0
    for number, title in titles.items():
        part = rows[rows["scenario"] == number].set_index("zone").reindex(table.index)
        shares = part[f"{measure}_percent"] / 100
        table[f"share {number}"] = [formats.percent(share, 2) for share in shares]
        columns[f"share {number}"] = title
        interval = zip(part[f"{measure}_low"], part[f"{measure}_high"], strict=True)
        table[f"interval {number}"] = [
            formats.percent_range(low / 100, high / 100) for low, high in interval
        ]
        columns[f"interval {number}"] = _("{title}: 95% interval", title=title)
        if number != PRESENT:
            more = (
                _("{title}: km² more", title=title)
                if measure == "area"
                else _("{title}: people more", title=title)
            )
            table[f"more {number}"] = [
                formats.number(value, digits, signed=True) for value in part[amount]
            ]
            columns[f"more {number}"] = more
    # What gains most from the first scenario comes first.
    first = next((number for number in titles if number != PRESENT), PRESENT)
    gains = rows[rows["scenario"] == first].set_index("zone")[amount].reindex(table.index)
    table = table.loc[gains.sort_values(ascending=False, kind="stable").index]
    st.dataframe(table, hide_index=True, width="stretch", column_config=columns)


#: Kinds of costs (`planning.scenario_costs.ITEMS`) -> what they are called.
ITEMS = {
    "mast": mark("Mast with shelter and power"),
    "equipment": mark("Base station equipment"),
    "moved_equipment": mark("Equipment that moves"),
    "strengthening": mark("Mast made to carry more"),
    "dismantling": mark("Mast taken down"),
    "backhaul": mark("Fibre to a new place"),
}


def _bill(found: Comparison, titles: dict[int, str]) -> None:
    with st.expander(_("What the costs are made of"), icon=":material/receipt_long:"):
        bill = found.bill[found.bill["scenario"] != PRESENT]
        table = pd.DataFrame(
            {
                _("Network"): [titles.get(number, "") for number in bill["scenario"]],
                _("Item"): [_(ITEMS[item]) for item in bill["item"]],
                _("Mast"): bill["mast_id"].to_numpy(),
                _("What"): bill["what"].to_numpy(),
                _("Low"): [money.written(value, found.currency) for value in bill["low"]],
                _("Typical"): [money.written(value, found.currency) for value in bill["typical"]],
                _("High"): [money.written(value, found.currency) for value in bill["high"]],
            }
        )
        st.dataframe(table, hide_index=True, width="stretch")
        for note in found.notes:
            st.caption(translate(note))
        download.table(_("Download as CSV"), found.table.drop(columns="zone"), "comparison.csv")
