"""Route design as a what-if: choose sites, design, look at what a budget brings."""

from __future__ import annotations

import math
from collections.abc import Callable

import geopandas as gpd
import pandas as pd
import shapely
import streamlit as st
from pyproj import Transformer

from app import labels, money, study
from app.components import (
    design_facts,
    fibre_design_map,
    fibre_jobs,
    fibre_request,
    fibre_result,
    how,
    map_layers,
    style,
    web_map,
)
from app.components.fibre_jobs import Asked, Made, Plan
from app.components.kept import keep
from app.i18n import _, language
from data.store import Workspace
from planning import fibre_sites
from planning.fibre import DesignRequest

#: Steps of the budget slider, about.
STEPS = 25

#: Stands for no budget: all sites are connected.
NO_LIMIT = math.inf

#: How far from a site a click may be, as a share of the area's width.
CLICK_SHARE = 0.025

_PLAN = "fibre.plan"
_BUDGETS = "fibre.budgets"
_CLICK = "fibre.click"


def show(area: Workspace) -> None:
    """Show the choice of sites, the design and the map.

    Parameters
    ----------
    area
        The workspace.
    """
    if not area.has("zones") or not (area.has("roads") or area.has("fibre_segments")):
        st.info(
            _(
                "Routes need administrative units, and roads or fibre routes to follow. Import "
                "them on the page Data."
            ),
            icon=":material/route:",
        )
        return
    request = fibre_request.show(area)
    if request is None:
        return
    sites = _sites(area, request)
    if sites is None:
        return
    _take_click(area, sites)
    left_out = fibre_request.left_out(sites)
    asked = Asked(study.inputs(area), request, left_out)
    made = None
    # The map keeps its place whatever is shown above it: moved, it would be empty.
    result, place = st.container(), st.container()
    with result:
        if len(left_out) == len(sites):
            st.warning(_("All sites are left out; take some in again."), icon=":material/rule:")
        else:
            made = _design(area, asked, sites)
    with place:
        _map(area, request, sites, left_out, made)
    if made is not None:
        fibre_result.show_tables(area, made)


def _sites(area: Workspace, request: DesignRequest) -> gpd.GeoDataFrame | None:
    """Return the sites of a request; None while they are looked for."""
    zones = request.zones
    about = (study.inputs(area), request.sites, zones)
    if request.sites != "unserved":
        return _known_sites(*about)
    # Which homes have no service has to be computed first.
    held = st.session_state.get("fibre.unserved")
    if held is not None and held[0] == about:
        return held[1]

    def work(on_progress: Callable[[float], None]) -> object:
        return fibre_sites.sites_of(area, "unserved", zones, on_progress=on_progress)

    found = fibre_jobs.obtained(
        "sites", about, _("Finding homes without fixed broadband"), work, at_once=True
    )
    if found is not None:
        st.session_state["fibre.unserved"] = (found.about, found.result)
        st.rerun()
    return None


@st.cache_data(max_entries=16, show_spinner=False)
def _known_sites(
    inputs: tuple[object, ...], kind: str, zones: tuple[str, ...] | None
) -> gpd.GeoDataFrame:
    return fibre_sites.sites_of(Workspace.open(str(inputs[0])), kind, zones)


def _take_click(area: Workspace, sites: gpd.GeoDataFrame) -> None:
    """Leave out the site that was clicked, or take it in again."""
    clicked = st.session_state.pop(_CLICK, None)
    if clicked is None:
        return
    to_area = Transformer.from_crs("EPSG:4326", area.area.crs, always_xy=True)
    place = shapely.Point(to_area.transform(clicked[1], clicked[0]))
    distance = sites.geometry.distance(place)
    west, south, east, north = study.layer(area, "zones").total_bounds
    if distance.min() > CLICK_SHARE * max(east - west, north - south):
        return
    number = str(sites["site_id"].iloc[int(distance.argmin())])
    out = list(st.session_state.get(fibre_request.LEFT_OUT, []))
    st.session_state[fibre_request.LEFT_OUT] = (
        [item for item in out if item != number] if number in out else [*out, number]
    )


def _design(area: Workspace, asked: Asked, sites: gpd.GeoDataFrame) -> Made | None:
    """Return the design that is looked at; otherwise show how to get it."""
    plan: Plan | None = st.session_state.get(_PLAN)
    if plan is None or plan.asked != asked:
        found = fibre_jobs.obtained(
            "plan",
            (asked,),
            _("Designing routes"),
            fibre_jobs.plan_work(area, asked, sites),
            button=_("Design routes"),
        )
        if found is not None:
            st.session_state[_PLAN] = found.result
            st.session_state[_BUDGETS] = {}
            st.rerun()
        return None
    st.subheader(_("The design"))
    budget = _budget(plan)
    if budget == NO_LIMIT:
        made = plan.made
    else:
        made = st.session_state[_BUDGETS].get(budget)
        if made is None:
            found = fibre_jobs.obtained(
                "budget",
                (asked, budget),
                _("Designing routes for the budget"),
                fibre_jobs.budget_work(area, plan, budget),
                at_once=True,
            )
            if found is None:
                return None
            if found.about[0] == asked:
                st.session_state[_BUDGETS][found.about[1]] = found.result
            st.rerun()
    fibre_result.show_figures(made, people=fibre_result.counts_people(asked.request, sites))
    how.show(_("How was this computed?"), design_facts.routes(plan, made), section="routes")
    if plan.curve is not None:
        chosen = None if budget == NO_LIMIT else budget
        fibre_result.show_curve(
            plan,
            chosen,
            people=fibre_result.counts_people(asked.request, sites),
        )
    return made


def _budget(plan: Plan) -> float:
    """Ask for a budget, up to what connecting all costs."""
    if plan.curve is None:
        st.caption(
            _(
                "A budget can be given where there is an exchange in service to start from "
                "(layer Fibre network points)."
            )
        )
        return NO_LIMIT
    most = plan.made.design.route_cost
    currency = plan.made.design.summary["cost"]["currency"]
    options = [*steps_up_to(most), NO_LIMIT]
    return st.select_slider(
        _("Budget"),
        options,
        format_func=lambda value: (
            _("no limit, connect all") if value == NO_LIMIT else money.written(value, currency)
        ),
        key=keep("fibre_budget", NO_LIMIT, options),
        help=_("With a budget, the sites are chosen so that it brings most."),
    )


def steps_up_to(most: float) -> list[float]:
    """Return round budgets below a sum.

    Parameters
    ----------
    most
        The sum.

    Returns
    -------
    list of float
        Multiples of one round number, about `STEPS` of them.

    Examples
    --------
    >>> steps_up_to(100.0)[:3]
    [5.0, 10.0, 15.0]
    """
    if not most > 0.0:
        return []
    rough = most / STEPS
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * k for k in (1.0, 2.0, 5.0, 10.0) if size * k >= rough)
    return [step * k for k in range(1, math.ceil(most / step))]


def _map(
    area: Workspace,
    request: DesignRequest,
    sites: gpd.GeoDataFrame,
    left_out: tuple[str, ...],
    made: Made | None,
) -> None:
    """Show sites and routes; a click on a site leaves it out or takes it in."""
    is_out = pd.Series(sites["site_id"].astype(str)).isin(left_out).to_numpy(dtype=bool)
    groups, entries = fibre_design_map.layers(area, sites, is_out, made)
    style.legend(entries, labels.site_kind(request.sites))
    clicked = web_map.show(
        map_layers.bounds(area),
        groups,
        key=f"fibre-map-{language()}",
        language=language(),
        texts=fibre_design_map.texts(),
        background=map_layers.relief(area),
    )
    st.caption(_("Click a site to leave it out of the design, or to take it in again."))
    if clicked is not None and clicked != st.session_state.get("fibre.last_click"):
        st.session_state["fibre.last_click"] = clicked
        st.session_state[_CLICK] = clicked
        st.rerun()
