"""Which new sites bring most coverage for the money."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app import areas, jobs, study
from app.components import banner, progress, settings, siting_request, siting_result
from app.errors import readable_errors
from app.i18n import _
from data.store import Workspace
from planning import siting
from planning.siting import SitingPlan, SitingRequest

_FOUND = "siting.found"


def _obtained(area: Workspace, request: SitingRequest) -> SitingPlan | None:
    """Return the plan that is asked for; otherwise show how to get it."""
    about = (*study.inputs(area), request)
    held = st.session_state.get(_FOUND)
    if held is not None and held[0] == about:
        return held[1]
    key = ("siting", progress.session(), about)
    job = jobs.JOBS.get(key)
    if job is not None and job.state is jobs.State.DONE:
        st.session_state[_FOUND] = (about, job.result)
        jobs.JOBS.forget(key)
        return job.result

    def work(on_progress: Callable[[float], None]) -> object:
        return siting.plan(area, request, on_progress=on_progress)

    progress.show(key, _("Choosing sites"), start=work, button=_("Choose sites"))
    return None


def _page(area: Workspace) -> None:
    st.title(_("New sites · {area}", area=areas.title(area.area)))
    banner.show(area)
    if not area.has("masts") or not area.has("cells"):
        st.info(
            _("There are no masts or no cells yet. Upload them on the page Data."),
            icon=":material/cell_tower:",
        )
        return
    request = siting_request.show(area, settings.show(area))
    if request is None:
        return
    with readable_errors():
        found = _obtained(area, request)
        if found is not None:
            siting_result.show(area, found)


_page(study.workspace())
