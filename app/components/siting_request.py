"""The settings of siting."""

from __future__ import annotations

import dataclasses

import streamlit as st

from app import formats, labels, money, study
from app.components.kept import keep
from app.i18n import _, mark
from coverage.request import CoverageRequest
from data.store import Workspace
from planning import cost, siting_candidates
from planning.siting import SitingRequest

#: Kinds of candidates.
KINDS = {
    "mast": mark("Masts in use"),
    "land": mark("Public land"),
    "roof": mark("Roofs"),
    "high_point": mark("High points beside roads"),
}

_AIMS = {"budget": mark("Most for a budget"), "target": mark("Least cost for a target")}
_GOALS = {"any": mark("Any operator"), "each": mark("Each operator by itself")}

#: What budgets are given in.
_UNIT = 1e9


def show(area: Workspace, coverage: CoverageRequest) -> SitingRequest | None:
    """Show the settings.

    Parameters
    ----------
    area
        The study area's own workspace.
    coverage
        How coverage is computed.

    Returns
    -------
    SitingRequest or None
        None while something is missing.
    """
    known = study.technologies(area)
    first, second, third = st.columns([2, 1, 2])
    aim = first.segmented_control(
        _("What is wanted"),
        list(_AIMS),
        format_func=lambda name: _(_AIMS[name]),
        key=keep("siting_aim", "budget", list(_AIMS)),
        required=True,
        wrap=True,
    )
    measure = second.segmented_control(
        _("What counts"),
        ["population", "area"],
        format_func=labels.measure,
        key=keep("siting_measure", "population", ["population", "area"]),
        required=True,
        wrap=True,
    )
    goal = third.segmented_control(
        _("Counts as covered by"),
        list(_GOALS),
        format_func=lambda name: _(_GOALS[name]),
        key=keep("siting_goal", "any", list(_GOALS)),
        required=True,
        wrap=True,
    )
    first, second, third = st.columns(3)
    technologies = first.multiselect(
        _("Technologies"),
        known,
        key=keep("siting_technologies", [name for name in ("4G",) if name in known]),
    )
    budget = target = None
    if aim == "budget":
        currency = cost.unit_costs(area.folder)["base_station"].currency
        size, unit = money.scale_of(_UNIT, currency)
        budget = size * second.number_input(
            _("Budget, {unit}", unit=unit), 0.0, 1e6, step=1.0, key=keep("siting_budget", 5.0)
        )
    else:
        target = second.number_input(
            _("Target, %"), 0.0, 100.0, step=0.5, key=keep("siting_target", 95.0)
        )
    years = third.slider(_("Years of building"), 1, 10, key=keep("siting_years", 3))
    with st.expander(_("Candidates"), icon=":material/tune:"):
        kinds = st.multiselect(
            _("Kinds of sites"),
            siting_candidates.KINDS,
            format_func=lambda name: _(KINDS[name]),
            key=keep("siting_kinds", list(siting_candidates.KINDS)),
        )
        most = st.select_slider(
            _("Candidates looked at, those with the most demand near"),
            [50, 100, 200, 300, 500, 1000],
            format_func=formats.number,
            key=keep("siting_most", 200, [50, 100, 200, 300, 500, 1000]),
            help=_("Each takes a prediction of its own; more candidates take longer."),
        )
    if not technologies or not kinds:
        st.caption(_("Choose at least one technology and one kind of sites."))
        return None
    return SitingRequest(
        coverage=dataclasses.replace(
            coverage, technologies=tuple(name for name in known if name in technologies)
        ),
        measure=str(measure),  # type: ignore[arg-type]
        goal=str(goal),  # type: ignore[arg-type]
        budget=budget,
        target_percent=target,
        years=int(years),
        kinds=tuple(kinds),
        most_candidates=int(most),
    )
