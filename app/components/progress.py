"""Watch a job: a bar that moves and a button that cancels it."""

from __future__ import annotations

import time
from collections.abc import Hashable

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app import formats, jobs
from app.errors import readable
from app.i18n import _, translate

#: How often the bar is looked at. [s]
INTERVAL_S = 0.6


def session() -> str:
    """Return an identifier of this user's session."""
    context = get_script_run_ctx(suppress_warning=True)
    return context.session_id if context is not None else ""


def show(key: Hashable, label: str, *, start: jobs.Work, button: str | None = None) -> None:
    """Show where a job is and what can be done about it.

    While it runs: a bar and a button to cancel. Before, and after it was
    cancelled or failed: a button to start it. When it is done the page is run
    again, so that it finds the result.

    Parameters
    ----------
    key
        Key of the job.
    label
        What is being done.
    start
        The computation, for the button.
    button
        Text of the button that starts it; "Try again" if None.
    """
    job = jobs.JOBS.get(key)
    if job is not None and job.active:
        watch(key, label)
        return
    if job is not None and job.state is jobs.State.FAILED and job.error is not None:
        st.error(translate(job.error), icon=":material/error:")
    if job is not None and job.state is jobs.State.CANCELLED:
        st.info(_("Cancelled; nothing was changed."), icon=":material/cancel:")
    if st.button(button or _("Try again"), type="primary", key=f"start-{label}"):
        jobs.JOBS.start(key, start, watcher=session())
        st.rerun()


def watch(key: Hashable, label: str) -> None:
    """Show a bar and a button to cancel; the page is run again when the job has ended.

    Parameters
    ----------
    key
        Key of an active job.
    label
        What is being done.
    """
    st.fragment(readable(_watch), run_every=INTERVAL_S)(key, label, time.monotonic())


def _watch(key: Hashable, label: str, shown_since: float) -> None:
    job = jobs.JOBS.get(key)
    if job is None or not job.active:
        st.rerun()
        return
    if job.state is jobs.State.WAITING:
        text = _("{label}: waiting for another computation to end", label=label)
    else:
        text = f"{label}: {formats.percent(job.fraction, 0)}"
        spent_s = time.monotonic() - (job.started_at or shown_since)
        if job.fraction > 0.03 and spent_s > 3.0:
            left_s = spent_s / job.fraction * (1.0 - job.fraction)
            text += " · " + _("about {time} left", time=_duration(left_s))
    bar, stop = st.columns([5, 1], vertical_alignment="center")
    bar.progress(job.fraction, text=text)
    if stop.button(_("Cancel"), key=f"cancel-{label}", icon=":material/close:"):
        jobs.JOBS.cancel(key, watcher=session())
        st.toast(_("Cancelling…"))


def _duration(seconds: float) -> str:
    if seconds < 90:
        return formats.quantity(max(1.0, seconds), _("s"))
    return formats.quantity(seconds / 60, _("min"))
