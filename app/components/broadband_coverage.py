"""Broadband coverage: its settings, its computation and what it found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from app import areas, jobs, labels, study
from app.components import (
    broadband_figures,
    broadband_map,
    broadband_provenance,
    figure_facts,
    how,
    progress,
    settings,
    whole_area,
)
from app.components.kept import PREFIX, keep
from app.i18n import _, mark
from coverage import run
from data.store import Workspace
from planning import broadband
from planning.broadband import BroadbandRequest, BroadbandResult
from planning.broadband_request import LAYERS

#: Which ports count.
PORTS = {
    "all": mark("in use or free"),
    "free": mark("free ones only"),
}

#: Where homes are taken from.
HOMES = {
    "auto": mark("what is known best"),
    "population": mark("population grid"),
    "villages": mark("villages and hamlets"),
}


def show(area: Workspace) -> None:
    """Show the coverage, or how to get it.

    Parameters
    ----------
    area
        The workspace.
    """
    lacking = missing(area)
    if lacking:
        st.info(
            _(
                "Broadband coverage needs layers that are not there yet: {layers}. Import them on "
                "the page Data; the fibre network comes from those who own it.",
                layers=", ".join(lacking),
            ),
            icon=":material/lan:",
        )
        return
    request, with_mobile = _settings(area)
    result = _computed(area, request, with_mobile)
    if result is None:
        return
    whole = whole_area.figures(area, result.figures)
    broadband_figures.show_whole(whole, request)
    origins = result.summary["provenance"]["inputs"]
    how.show(
        _("How was this computed?"),
        [
            *broadband_provenance.facts(result.summary),
            *figure_facts.data(origins, LAYERS),
            figure_facts.function("planning.broadband.coverage"),
        ],
        section="broadband",
    )
    st.subheader(_("Reported beside computed"))
    broadband_figures.show_reported(area, whole)
    st.subheader(_("Map of homes and fibre"))
    broadband_map.show(area, result)
    broadband_figures.show_zones(area, result)
    broadband_provenance.show(result.summary)


def missing(area: Workspace) -> list[str]:
    """Return the names of layers without which nothing can be computed.

    Parameters
    ----------
    area
        The workspace.

    Returns
    -------
    list of str
        In the language in use; of several that would do, all are named.
    """
    wanted = (("zones",), ("fibre_nodes",), ("roads", "fibre_segments"), ("population", "villages"))
    return [
        " / ".join(labels.layer(name) for name in names)
        for names in wanted
        if not any(area.has(name) for name in names)
    ]


def _settings(area: Workspace) -> tuple[BroadbandRequest, bool]:
    """Ask what is to be computed, and whether to compute mobile coverage for it."""
    usual = BroadbandRequest()
    mobile = settings.show(area)
    keep("broadband_drop", usual.drop_m)
    keep("broadband_rate", usual.rate_mbps)
    keep("broadband_ports", usual.ports, list(PORTS))
    columns = st.columns(4)
    drop_m = columns[0].number_input(
        _("Longest drop, m"),
        min_value=10.0,
        max_value=20_000.0,
        step=50.0,
        format="%.0f",
        key=PREFIX + "broadband_drop",
        help=_(
            "From the home to the route, along it and to the access point; not as the crow flies."
        ),
    )
    ports = columns[1].selectbox(
        _("Ports that count"),
        list(PORTS),
        format_func=lambda name: _(PORTS[name]),
        key=PREFIX + "broadband_ports",
        help=_("A port in use serves a home already; only a free one can serve another."),
    )
    offered = ["auto", *(name for name in ("population", "villages") if area.has(name))]
    keep("broadband_homes", "auto", offered)
    source = columns[2].selectbox(
        _("Homes from"),
        offered,
        format_func=lambda name: _(HOMES[name]),
        key=PREFIX + "broadband_homes",
    )
    rate_mbps = columns[3].number_input(
        _("Least mobile rate, Mbit/s"),
        min_value=0.1,
        max_value=100_000.0,
        step=5.0,
        format="%g",
        key=PREFIX + "broadband_rate",
        help=_("Mobile coverage is that of the settings at the side."),
    )
    with_mobile = True
    if _mobile_is_open(area, mobile):
        with_mobile = st.checkbox(
            _("Compute the mobile coverage, too, which takes longer the first time"),
            key=keep("broadband_mobile", True),
        )
    request = dataclasses.replace(
        usual,
        drop_m=float(drop_m),
        rate_mbps=float(rate_mbps),
        ports=ports,
        homes=source,
        mobile_coverage=mobile,
    )
    return request, with_mobile


def _mobile_is_open(area: Workspace, mobile: run.CoverageRequest) -> bool:
    """Return whether there can be a mobile coverage that is not kept yet."""
    if not all(area.has(name) for name in ("masts", "cells", "terrain")):
        return False
    return study.lookup(area, mobile) is None


def _computed(
    area: Workspace, request: BroadbandRequest, with_mobile: bool
) -> BroadbandResult | None:
    """Return the result if it is known; otherwise show how to get it."""
    key = ("broadband", *study.inputs(area), request, with_mobile)
    work = _compute(area, request, with_mobile)
    job = jobs.JOBS.get(key)
    if job is not None and job.state is jobs.State.DONE:
        folder = Path(str(job.result))
        if (folder / "broadband.json").exists():
            return _kept(str(folder))
        jobs.JOBS.forget(key)
        job = None
    # The embedded area is there to be looked at: what is asked first needs no click.
    if job is None and area.area.name == areas.EMBEDDED and _nothing_chosen(request):
        job = jobs.JOBS.start(key, work, watcher=progress.session())
    if job is None:
        st.info(
            _("Broadband coverage has not been computed with these settings yet."),
            icon=":material/calculate:",
        )
    progress.show(
        key, _("Computing broadband coverage"), start=work, button=_("Compute broadband coverage")
    )
    return None


def _nothing_chosen(request: BroadbandRequest) -> bool:
    return dataclasses.replace(request, mobile_coverage=None) == BroadbandRequest()


def _compute(area: Workspace, request: BroadbandRequest, with_mobile: bool) -> jobs.Work:
    def work(on_progress: Callable[[float], None]) -> object:
        result = broadband.coverage(
            area, request, compute_mobile=with_mobile, on_progress=on_progress
        )
        # The folder only: jobs are remembered for as long as the server runs.
        return str(result.folder)

    return work


@st.cache_resource(max_entries=4, show_spinner=False)
def _kept(folder: str) -> BroadbandResult:
    return broadband.load(Path(folder))
