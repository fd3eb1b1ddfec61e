"""The computations of the page on sharing, kept in the session of whoever asked."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from app import formats, jobs, money
from app.components import figure_facts, progress, style
from app.i18n import _, translate
from coverage.request import CoverageRequest
from data.errors import Message
from data.store import Workspace


@dataclass(frozen=True, eq=False)
class Made:
    """A result with the files that hold it.

    Parameters
    ----------
    result
        What was computed.
    files
        A ZIP archive.
    """

    result: Any
    files: bytes


def work_of(
    compute: Callable[[Callable[[float], None]], Any], save: Callable[[Any, Path], None]
) -> jobs.Work:
    """Return a computation whose result is a `Made`.

    Parameters
    ----------
    compute
        Gets a function that takes the finished share.
    save
        Writes the result into a folder.

    Returns
    -------
    Callable
        For `jobs.Jobs.start`.
    """

    def work(on_progress: Callable[[float], None]) -> object:
        result = compute(on_progress)
        packed = io.BytesIO()
        with tempfile.TemporaryDirectory() as scratch:
            save(result, Path(scratch))
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in sorted(Path(scratch).iterdir()):
                    archive.write(path, path.name)
        return Made(result, packed.getvalue())

    return work


def obtained(
    step: str, about: tuple[Any, ...], label: str, work: jobs.Work, button: str
) -> Made | None:
    """Return what was computed for a question; otherwise show how to get it.

    Parameters
    ----------
    step
        Which computation; the session keeps the last result of each.
    about
        The question.
    label
        What is being done.
    work
        The computation, from `work_of`.
    button
        Text of the button that starts it.

    Returns
    -------
    Made or None
        None before it is done.
    """
    held = st.session_state.get(f"sharing.{step}")
    if held is not None and held[0] == about:
        made: Made = held[1]
        return made
    key = ("sharing", step, progress.session(), about)
    job = jobs.JOBS.get(key)
    if job is not None and job.state is jobs.State.DONE and isinstance(job.result, Made):
        st.session_state[f"sharing.{step}"] = (about, job.result)
        jobs.JOBS.forget(key)
        return job.result
    progress.show(key, label, start=work, button=button)
    return None


def download(made: Made, name: str, step: str) -> None:
    """Show the button that gives the files."""
    st.download_button(
        _("All tables and layers (ZIP with CSV, GeoPackage, JSON)"),
        made.files,
        file_name=f"{name}.zip",
        mime="application/zip",
        icon=":material/download:",
        on_click="ignore",
        key=f"sharing.{step}.files",
    )


def notes(items: tuple[Message, ...], about: dict[str, Any]) -> None:
    """Show what a reader should know, and the numbers that were planned with.

    Parameters
    ----------
    items
        Notes of the result.
    about
        Its `provenance`.
    """
    with st.expander(_("How were these figures computed?"), icon=":material/info:"):
        for item in items:
            st.markdown(f"- {translate(item)}")
        st.markdown(f"**{_('Assumptions and costs')}**")
        rows = [
            {
                _("Name"): row["name"],
                _("Low"): row["low"],
                _("Typical"): row["typical"],
                _("High"): row["high"],
                _("Unit"): row["unit"],
                _("Checked"): _("yes") if row["verified"] else _("no"),
                _("Source"): row["source"],
            }
            for row in about["assumptions"]
        ]
        st.dataframe(rows, hide_index=True, width="stretch", height=320)
        st.caption(
            style.plain(
                _(
                    "Replace single rows by files sharing_assumptions.csv and unit_costs.csv in "
                    "the workspace."
                )
            )
        )


def facts(
    area: Workspace, about: Mapping[str, Any], computed_by: str, *technologies: str
) -> figure_facts.Facts:
    """Return by what coverage a result was judged, from which data, and by which function.

    Parameters
    ----------
    area
        The workspace.
    about
        The result's `provenance`.
    computed_by
        The function.
    technologies
        Those that count; all of the request if none.
    """
    numbers = about["assumptions"]
    verified = sum(bool(row["verified"]) for row in numbers)
    return [
        *figure_facts.asked(area, CoverageRequest(**about["coverage"]), *technologies),
        (
            _("Assumptions and costs"),
            _(
                "{count}, of which {verified} are checked",
                count=formats.number(len(numbers)),
                verified=formats.number(verified),
            ),
        ),
        *figure_facts.coverage_data(about["inputs"]),
        figure_facts.function(computed_by),
    ]


def sum_range(low: float, high: float, currency: str) -> str:
    """Write a range of money that may reach below 0.

    Parameters
    ----------
    low, high
        Its ends.
    currency
        ISO 4217 code.

    Returns
    -------
    str
        E.g. "0.79–2.72 billion VND".
    """
    if low < 0.0:
        return _(
            "{low} to {high}", low=money.written(low, currency), high=money.written(high, currency)
        )
    return money.written_range(low, high, currency)
