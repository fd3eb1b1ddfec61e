"""Write the provincial report and export what it shows."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app import areas, jobs, study
from app.components import banner, indicator_data, progress, report_form, report_result, settings
from app.i18n import _
from data.store import Workspace
from planning.reports import kept
from planning.reports.kept import Wish


def _work(area: Workspace, wish: Wish) -> jobs.Work:
    records = indicator_data.records()

    def work(on_progress: Callable[[float], None]) -> None:
        kept.make(area, wish, records=records, on_progress=on_progress)

    return work


def _page(area: Workspace) -> None:
    st.title(_("Reports · {area}", area=areas.title(area.area)))
    banner.show(area)
    st.write(
        _(
            "The provincial report: computed figures beside reported ones, with maps, tables by "
            "unit, annexes of the passive infrastructure, the method, and what changed since the "
            "last report."
        )
    )
    wish = report_form.show(settings.show(area))
    if wish is None:
        return
    key = ("report", str(area.folder), wish.key)
    found = kept.find(area, wish)
    if found is None:
        progress.show(
            key, _("Writing the report"), start=_work(area, wish), button=_("Write the report")
        )
        job = jobs.JOBS.get(key)
        if job is None or not job.active:
            st.caption(
                _(
                    "What has not been computed yet is computed first. A part that cannot be "
                    "computed is named in the report with the reason."
                )
            )
        return
    progress.show(key, _("Writing the report"), start=_work(area, wish), button=_("Write it anew"))
    report_result.show(area, found, wish)


_page(study.workspace())
