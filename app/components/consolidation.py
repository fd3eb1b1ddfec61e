"""The fewest or cheapest masts that keep what every operator covers."""

from __future__ import annotations

from typing import Any

import folium
import pandas as pd
import streamlit as st

from app import formats, labels, money, study
from app.components import fibre_map, how, map_layers, sharing_jobs, sharing_pairs, style, web_map
from app.components.kept import keep
from app.i18n import _, language, mark
from app.legend import Entry
from coverage.request import CoverageRequest
from data.store import Workspace
from data.study_area import finest_zones
from planning import consolidation, names
from planning.consolidation import Consolidation, ConsolidationRequest
from planning.sharing_moves import SharingRequest

#: Shares of the coverage to keep that are offered. [%]
KEEP_PERCENT = (90.0, 95.0, 97.0, 98.0, 99.0, 99.5, 99.9, 100.0)

#: Time for the choice that is offered. [s]
TIMES_S = (15.0, 30.0, 60.0, 120.0, 300.0)

MEASURES = {"area": mark("Area"), "people": mark("People")}
OBJECTIVES = {"masts": mark("Fewest masts"), "money": mark("Greatest saving")}

STATES = {
    "goes": ("#b91c1c", mark("Goes")),
    "receives": ("#0f8a4b", mark("Receives others")),
    "stays": ("#0b6280", mark("Stays")),
}

MOVE_COLOUR = "#7c3aed"


def show(area: Workspace, coverage: CoverageRequest) -> None:
    """Show the choice of masts.

    Parameters
    ----------
    area
        The workspace.
    coverage
        How coverage is computed.
    """
    request = _request(area, coverage)
    made = sharing_jobs.obtained(
        "consolidation",
        (*study.inputs(area), request),
        _("Choosing masts"),
        sharing_jobs.work_of(
            lambda on_progress: consolidation.consolidate(area, request, on_progress=on_progress),
            consolidation.save,
        ),
        _("Find the masts that can go"),
    )
    if made is None:
        st.caption(
            _(
                "Masts go one by one as long as every operator keeps this share of what it covers "
                "with each technology today; operators may move to masts of others that have "
                "places. The result is computed anew by the coverage engine."
            )
        )
        return
    found: Consolidation = made.result
    _figures(found)
    about = found.summary["provenance"]
    how.show(
        _("How was this computed?"),
        [
            (
                _("Coverage that every operator keeps"),
                formats.percent(found.summary["keep_percent"] / 100.0),
            ),
            (_("Counted by"), _(MEASURES[found.summary["measure"]])),
            (_("Wanted"), _(OBJECTIVES[found.summary["objective"]])),
            (_("Farthest move"), formats.distance(about["distance_m"])),
            *sharing_jobs.facts(area, about, "planning.consolidation.consolidate"),
        ],
        section="sharing",
    )
    _map(area, found)
    _operators(found)
    _parties(found)
    _communes(area, found)
    sharing_jobs.download(made, f"consolidation_{area.area.name}", "consolidation")
    sharing_jobs.notes(found.notes, about)


def _request(area: Workspace, coverage: CoverageRequest) -> ConsolidationRequest:
    first, second, third = st.columns(3)
    with first:
        distance = sharing_pairs.distance(area)
    percent = second.select_slider(
        _("Coverage that every operator keeps"),
        KEEP_PERCENT,
        format_func=lambda value: formats.percent(value / 100.0),
        key=keep("consolidation_keep", 99.0, KEEP_PERCENT),
    )
    seconds = third.select_slider(
        _("Time for the choice"),
        TIMES_S,
        format_func=lambda value: formats.quantity(value, _("s")),
        key=keep("consolidation_time", 60.0, TIMES_S),
    )
    first, second, third = st.columns(3, vertical_alignment="bottom")
    measure = first.segmented_control(
        _("Counted by"),
        list(MEASURES),
        format_func=lambda name: _(MEASURES[name]),
        key=keep("consolidation_measure", "area", list(MEASURES)),
        required=True,
        wrap=True,
    )
    objective = second.segmented_control(
        _("Wanted"),
        list(OBJECTIVES),
        format_func=lambda name: _(OBJECTIVES[name]),
        key=keep("consolidation_objective", "masts", list(OBJECTIVES)),
        required=True,
        wrap=True,
    )
    moves = third.toggle(
        _("Operators may move to masts of others"), key=keep("consolidation_moves", True)
    )
    return ConsolidationRequest(
        SharingRequest(coverage, distance),
        keep_percent=float(percent),
        measure="people" if measure == "people" else "area",
        objective="money" if objective == "money" else "masts",
        allow_moves=bool(moves),
        time_limit_s=float(seconds),
    )


def _figures(found: Consolidation) -> None:
    about = found.summary
    currency = about["currency"]
    first, second, third = st.columns(3)
    first.metric(
        _("Masts that stay"),
        _(
            "{some} of {all}",
            some=formats.number(about["masts_after"]),
            all=formats.number(about["masts_before"]),
        ),
        border=True,
    )
    first.caption(
        _(
            "{count} go, {moves} operators move",
            count=formats.number(about["removed"]),
            moves=formats.number(about["moves"]),
        )
    )
    saved = about["saving"]
    second.metric(_("Saving"), money.written(saved["typical"], currency), border=True)
    second.caption(
        _("range {range}", range=sharing_jobs.sum_range(saved["low"], saved["high"], currency))
        + " · "
        + _("worth today, over the years of the plan")
    )
    third.metric(
        _("Masts with several operators"),
        formats.percent(about["sharing_percent_after"] / 100.0),
        border=True,
    )
    third.caption(_("before {share}", share=formats.percent(about["sharing_percent_before"] / 100)))
    st.markdown(f"**{_('How good is it?')}** {_proof(found)}")
    reference = about["reference"]
    st.caption(
        _(
            "For comparison: by BEREC's shares of saving, the masts concerned would save {range}.",
            range=sharing_jobs.sum_range(reference["low"], reference["high"], currency),
        )
    )


def _proof(found: Consolidation) -> str:
    about = found.summary
    if about["objective"] == "masts":
        if about["value"] <= about["bound"]:
            return _("No choice leaves fewer masts (proven).")
        return _(
            "At most {gap} more masts than necessary: fewer than {bound} are impossible (proven).",
            gap=formats.percent(about["gap"]),
            bound=formats.number(about["bound"]),
        )
    if about["gap"] is None:
        return _("How near the best it is could not be proven.")
    if about["gap"] < 5e-5:
        return _("No choice saves more at typical prices (proven).")
    return _(
        "What is left costs at most {gap} more than the least possible (proven).",
        gap=formats.percent(about["gap"]),
    )


def _map(area: Workspace, found: Consolidation) -> None:
    masts, lines = consolidation.mast_changes(found), consolidation.move_lines(found)
    groups: list[folium.FeatureGroup] = [fibre_map.outlines(area)]
    entries = []
    for state, (colour, title) in STATES.items():
        part = masts[masts["state"] == state]
        if len(part):
            tips = [_tip(row, _(title)) for row in part.itertuples()]
            dots = fibre_map.dots_of(part, tips)
            groups.append(web_map.dots_group(_(title), dots, colour, few=2000))
            entries.append(Entry(colour, f"{_(title)} ({formats.number(len(part))})"))
    if len(lines):
        tips = [
            (f"{row.guest} → {row.host}", _("Operator {operator}", operator=row.operator))
            for row in lines.itertuples()
        ]
        drawn = fibre_map.lines_of(lines, tips)
        groups.append(web_map.lines_group(_("Moves"), drawn, MOVE_COLOUR, weight=4.0))
        entries.append(Entry(MOVE_COLOUR, f"{_('Moves')} ({formats.number(len(lines))})"))
    style.legend(entries, _("Masts"))
    web_map.show(
        map_layers.bounds(area),
        groups,
        key=f"consolidation-map-{language()}",
        language=language(),
        texts=fibre_map.texts(_("Map of masts that stay and go")),
        background=map_layers.relief(area),
    )


def _tip(row: Any, state: str) -> tuple[str, ...]:
    lines = (
        f"{row.mast_id}: {state}",
        _("Owner: {owner}", owner=row.owner),
        _("Operators: {operators}", operators=row.operators) if row.operators else "",
        _("Receives: {operators}", operators=row.receives) if row.receives else "",
    )
    return tuple(line for line in lines if line)


def _operators(found: Consolidation) -> None:
    st.subheader(_("What every operator gains and loses"))
    rows = found.operators
    area, people = _("Area kept"), _("People kept")
    table = pd.DataFrame(
        {
            _("Operator"): rows["operator"],
            _("Technology"): rows["technology"],
            area: rows["km2_kept"],
            _("Area lost"): rows["km2_lost"],
            _("Area gained"): rows["km2_gained"],
            people: rows["people_kept"],
            _("People lost"): rows["people_lost"],
            _("People gained"): rows["people_gained"],
        }
    )
    st.dataframe(
        table.style.format(
            {
                area: lambda share: formats.percent(share, 2),
                people: lambda share: formats.percent(share, 2),
                _("Area lost"): lambda value: formats.quantity(value, "km²", 2),
                _("Area gained"): lambda value: formats.quantity(value, "km²", 2),
                _("People lost"): formats.number,
                _("People gained"): formats.number,
            }
        ),
        hide_index=True,
        width="stretch",
    )
    st.caption(_("Computed anew by the coverage engine for the masts that stay."))


def _parties(found: Consolidation) -> None:
    currency = found.summary["currency"]
    with st.expander(_("Who saves and who pays"), icon=":material/payments:"):
        rows = found.parties
        st.dataframe(
            pd.DataFrame(
                {
                    _("Owner or operator"): rows["party"],
                    _("Typical"): [money.written(v, currency) for v in rows["typical"]],
                    _("Range"): [
                        sharing_jobs.sum_range(low, high, currency)
                        for low, high in zip(rows["low"], rows["high"], strict=True)
                    ],
                }
            ),
            hide_index=True,
            width="stretch",
        )
        st.caption(
            _(
                "Rents between them are included: every operator on a mast pays its owner the same "
                "part of the mast's yearly cost. Worth today, over the years of the plan."
            )
        )


def _communes(area: Workspace, found: Consolidation) -> None:
    st.subheader(_("By commune"))
    technologies = names.ordered(found.operators["technology"].unique())
    operators = ["any", *sorted(found.operators["operator"].unique())]
    first, second = st.columns(2)
    technology = first.segmented_control(
        _("Technology"),
        technologies,
        format_func=labels.service,
        key=keep("consolidation_technology", technologies[-1], technologies),
        required=True,
    )
    operator = second.selectbox(
        _("Operator"),
        operators,
        format_func=labels.operator,
        key=keep("consolidation_operator", "any", operators),
    )
    communes = finest_zones(study.layer(area, "zones").reset_index(drop=True)).index
    rows = found.communes
    rows = rows[
        (rows["service"] == technology)
        & (rows["operator"] == operator)
        & rows["zone"].isin(communes)
    ]
    wide = rows.pivot_table(
        index=["zone", "name"], columns="measure", values=["share_before", "share_after", "change"]
    ).reset_index()
    table = pd.DataFrame({_("Commune"): wide["name"]})
    written = {}
    for measure in ("area", "population"):
        for column, title in (
            ("share_before", _("{measure} before", measure=labels.measure(measure))),
            ("share_after", _("{measure} after", measure=labels.measure(measure))),
        ):
            table[title] = wide[column, measure]
            written[title] = formats.percent
    people = _("People more")
    table[people] = wide["change", "population"]
    written[people] = lambda value: formats.number(value, signed=True)
    table = table.sort_values(people, ignore_index=True)
    st.dataframe(
        table.style.format(written),
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(table), 360),
    )
