"""In which year which site of a designed network is connected."""

from __future__ import annotations

import datetime as dt
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from app import formats, jobs, labels, money
from app.components import fibre_jobs, figure_facts, how, network_map
from app.components.kept import PREFIX, keep
from app.i18n import _, mark, translate
from data.store import Workspace
from planning import network_phases as planner
from planning.network_design import NetworkDesign
from planning.network_phases import PhasePlan, PhaseRequest

#: What decides which sites come first.
PRIORITIES = {
    "criticality": mark("criticality of the sites"),
    "level": mark("level of the sites"),
    "none": mark("nothing: as many years of service as possible"),
}

#: What is done for a site.
KINDS = {"connect": mark("connect"), "protect": mark("protect")}

#: Years of a plan where nobody has said otherwise.
_YEARS = 3

_MADE = "network.phases"


@dataclass(frozen=True, eq=False)
class Made:
    """A plan with the files that hold it, by their name."""

    plan: PhasePlan
    files: dict[str, bytes]


def show(area: Workspace, about: tuple[Any, ...], design: NetworkDesign) -> None:
    """Ask for years and money, and show who is connected when.

    Parameters
    ----------
    area
        The workspace.
    about
        What the design answers.
    design
        What is built in the end.
    """
    st.subheader(_("Phases"))
    if design.cost.typical <= 0.0:
        st.info(_("Nothing has to be built."), icon=":material/done_all:")
        return
    request = _request(design)
    question = (about, request)
    held = st.session_state.get(_MADE)
    if held is None or held[0] != question:
        found = fibre_jobs.obtained(
            "phases",
            question,
            _("Planning the years"),
            _work(area, request, design),
            button=_("Plan the years"),
        )
        if found is None:
            return
        st.session_state[_MADE] = (found.about, found.result)
        st.rerun()
    _result(area, held[1])


def _request(design: NetworkDesign) -> PhaseRequest:
    first, second, third, fourth = st.columns([1, 1, 1.2, 2])
    today = dt.date.today()  # noqa: DTZ011 - the user's own day
    keep("network_years", _YEARS)
    keep("network_first_year", today.year + 1)
    years = first.number_input(
        _("Years"), min_value=1, max_value=20, step=1, key=PREFIX + "network_years"
    )
    start = second.number_input(
        _("First year"), min_value=2000, max_value=2100, step=1, key=PREFIX + "network_first_year"
    )
    # Rounded up, so that all of it can be paid.
    usual = float(math.ceil(design.cost.typical / 1e6 / years))
    yearly = third.number_input(
        _("Budget of a year, million"),
        min_value=0.0,
        value=usual,
        step=100.0,
        format="%.0f",
        help=_("In the currency of the unit costs."),
        key=f"network.yearly.{usual:.0f}",
    )
    priority = fourth.selectbox(
        _("What comes first"),
        list(PRIORITIES),
        format_func=lambda name: _(PRIORITIES[name]),
        key=keep("network_priority", "criticality", list(PRIORITIES)),
        help=_("Second ways for protection come after all connections."),
    )
    return PhaseRequest(
        budgets=(1e6 * float(yearly),) * int(years), priority=priority, first_year=int(start)
    )


def _work(area: Workspace, request: PhaseRequest, design: NetworkDesign) -> jobs.Work:
    def work(on_progress: Callable[[float], None]) -> object:
        plan = planner.plan(area, request, design=design, on_progress=on_progress)
        with tempfile.TemporaryDirectory() as scratch:
            planner.save(plan, Path(scratch))
            names = ("phases.csv", "years.csv", "phases.gpkg")
            files = {name: (Path(scratch) / name).read_bytes() for name in names}
        return Made(plan, files)

    return work


def proof(plan: PhasePlan) -> str:
    """Say in words how near the best possible a plan is proven to be.

    Parameters
    ----------
    plan
        The plan.

    Returns
    -------
    str
        One sentence.
    """
    gap = plan.summary["gap"]
    if gap is None:
        return _("How near the best order it is could not be proven.")
    if gap < 5e-5:
        return _(
            "No other order of this design that keeps the priorities brings any class of sites "
            "more years of service (proven)."
        )
    return _(
        "Another order of this design that keeps the priorities could bring a class of sites at "
        "most {gap} more years of service (proven).",
        gap=formats.percent(gap),
    )


def _result(area: Workspace, made: Made) -> None:
    plan = made.plan
    currency = plan.summary["currency"]
    st.markdown(f"**{_('How good is it?')}** {proof(plan)}")
    how.show(_("How was this computed?"), _facts(plan), section="phases")
    left, right = st.columns([7, 3], gap="medium")
    with left:
        _years(plan, currency)
    with right:
        _chart(plan)
    _projects(plan, currency)
    with st.container(horizontal=True):
        for title, name, mime in (
            (_("Sites by year (CSV)"), "phases.csv", "text/csv"),
            (_("Years (CSV)"), "years.csv", "text/csv"),
            (
                _("Routes and sites by year (GeoPackage)"),
                "phases.gpkg",
                "application/geopackage+sqlite3",
            ),
        ):
            st.download_button(
                title,
                made.files[name],
                file_name=f"network_{area.area.name}_{name}",
                mime=mime,
                icon=":material/download:",
                on_click="ignore",
                key=f"phases-{name}",
            )


def _facts(plan: PhasePlan) -> list[tuple[str, str]]:
    """Return what was to be spread over which years, in what order, and how near the best."""
    request, currency = plan.request, plan.summary["currency"]
    gap = plan.summary["gap"]
    budgets = zip(request.years, request.budgets, strict=True)
    return [
        (_("Cost of the whole design"), money.written(plan.summary["cost_of_all"], currency)),
        (
            _("Budgets"),
            " · ".join(f"{year}: {money.written(value, currency)}" for year, value in budgets),
        ),
        (
            _("Money that is left"),
            _("may be spent in later years") if request.carry_over else _("is lost"),
        ),
        (_("What comes first"), _(PRIORITIES[request.priority])),
        figure_facts.time_limit(request.time_limit_s),
        (_("Gap to the bound"), _("not proven") if gap is None else formats.percent(gap, 2)),
        *figure_facts.data(plan.summary["provenance"]["inputs"]),
        (_("Design"), "planning.network_design.design"),
        figure_facts.function("planning.network_phases.plan"),
    ]


def _year(value: Any) -> str:
    return _("today") if pd.isna(value) else str(int(value))


def _years(plan: PhasePlan, currency: str) -> None:
    years = plan.years
    planned = [not pd.isna(value) for value in years["year"]]
    shown = pd.DataFrame(
        {
            _("Year"): [_year(value) for value in years["year"]],
            _("Budget"): [
                money.written(value, currency) if yes else formats.NOTHING
                for value, yes in zip(years["budget"], planned, strict=True)
            ],
            _("Spent"): [
                money.written(value, currency) if yes else formats.NOTHING
                for value, yes in zip(years["spent"], planned, strict=True)
            ],
            _("Sites connected"): [formats.number(value) for value in years["connected"]],
            _("Sites protected"): [formats.number(value) for value in years["protected"]],
            _("Mean availability"): [
                formats.percent(value / 100.0, 2) for value in years["availability_percent"]
            ],
        }
    )
    st.dataframe(shown, hide_index=True, width="stretch", height=38 + 35 * len(shown))
    st.caption(_("Money that is left may be spent in later years."))


def _chart(plan: PhasePlan) -> None:
    years = plan.years
    drawn = pd.DataFrame(
        {
            "year": [_year(value) for value in years["year"]],
            "connected": years["connected"],
            "written": [formats.number(value) for value in years["connected"]],
        }
    )
    x = alt.X("year:N", title=None, sort=drawn["year"].tolist(), axis=alt.Axis(labelAngle=0))
    y = alt.Y("connected:Q", title=_("Sites connected"), axis=alt.Axis(tickMinStep=1))
    base = alt.Chart(drawn).encode(x=x, y=y)
    bars = base.mark_bar(color="#1d7f8c", size=34)
    texts = base.mark_text(dy=-8, fontWeight=600).encode(text="written:N")
    st.altair_chart((bars + texts).properties(height=240), width="stretch")


def _projects(plan: PhasePlan, currency: str) -> None:
    projects = plan.projects
    shown = pd.DataFrame(
        {
            _("Year"): [
                formats.NOTHING if pd.isna(value) else str(int(value)) for value in projects["year"]
            ],
            _("To do"): [_(KINDS[kind]) for kind in projects["kind"]],
            _("Site"): [network_map.site_name(row) for row in network_map.rows_of(projects)],
            _("Level"): [labels.level(level) for level in projects["level"]],
            _("Criticality"): [formats.number(value) for value in projects["criticality"]],
            _("Cost of all that it needs"): [
                formats.NOTHING if pd.isna(value) else money.written(value, currency)
                for value in projects["cost"]
            ],
            _("Why not"): ["" if why is None else translate(why) for why in plan.reasons],
        }
    )
    st.dataframe(
        shown, hide_index=True, width="stretch", height=min(38 + 35 * max(1, len(shown)), 430)
    )
