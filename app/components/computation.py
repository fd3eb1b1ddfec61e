"""The coverage of a request: looked up, or computed when the user asks for it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app import areas, jobs, study
from app.components import progress
from app.i18n import _
from coverage import run
from coverage.results import CoverageResult
from data.store import Workspace


def show(area: Workspace, request: run.CoverageRequest) -> CoverageResult | None:
    """Return the coverage if it is known; otherwise show how to get it.

    Parameters
    ----------
    area
        The workspace.
    request
        What is wanted.

    Returns
    -------
    CoverageResult or None
        None while there is nothing to show.
    """
    if not area.has("masts") or not area.has("cells"):
        st.info(
            _("There are no masts or no cells yet. Upload them on the page Data."),
            icon=":material/cell_tower:",
        )
        return None
    result = study.lookup(area, request)
    if result is not None:
        return result
    key = ("coverage", *study.inputs(area), request)
    job = jobs.JOBS.get(key)
    # The embedded area is there to be looked at: its default coverage needs no click.
    if job is None and area.area.name == areas.EMBEDDED and request == _default(area):
        job = jobs.JOBS.start(key, _compute(area, request), watcher=progress.session())
    if job is None or not job.active:
        st.info(
            _(
                "The coverage has not been computed with these settings yet. It is computed once "
                "and then kept."
            ),
            icon=":material/calculate:",
        )
    progress.show(
        key,
        _("Computing coverage"),
        start=_compute(area, request),
        button=_("Compute coverage"),
    )
    return None


def _default(area: Workspace) -> run.CoverageRequest:
    return run.CoverageRequest(
        technologies=study.technologies(area), resolution_m=area.area.resolution_m
    )


def _compute(area: Workspace, request: run.CoverageRequest) -> jobs.Work:
    def work(on_progress: Callable[[float], None]) -> None:
        run.compute(area, request, on_progress=on_progress)

    return work
