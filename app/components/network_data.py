"""The dedicated network of a study area, read and counted once while nothing changes."""

from __future__ import annotations

import time
from collections.abc import Callable

import pandas as pd
import streamlit as st

from app import jobs
from app.components import indicator_data, progress
from app.i18n import _
from data.store import Workspace
from planning import (
    compliance,
    dedicated_network,
    indicator_values,
    network_failures,
    network_report,
)
from planning.compliance import Finding
from planning.dedicated_network import LINKS, SITES, Inventory, NetworkStatus
from planning.network_failures import FailureReport

#: Layers that figures of the network depend on.
LAYERS = (SITES, LINKS, "zones", "fibre_segments")

#: How long a page waits for a computation before it shows a bar. [s]
_PATIENCE_S = 1.5


def key(area: Workspace) -> tuple[str, str]:
    """Return what figures of the network depend on.

    Parameters
    ----------
    area
        The workspace.

    Returns
    -------
    tuple of str
        Folder and a hash of the layers.
    """
    return str(area.folder), area.content_hash(*LAYERS)


@st.cache_resource(max_entries=4, show_spinner=False)
def _inventory(where: tuple[str, str]) -> Inventory:
    return dedicated_network.read(Workspace.open(where[0]))


def inventory(area: Workspace) -> Inventory:
    """Return the layers of the network, from memory where they have not changed."""
    return _inventory(key(area))


@st.cache_resource(max_entries=16, show_spinner=False)
def _state(where: tuple[str, str], day: str | None) -> NetworkStatus:
    return dedicated_network.status(_inventory(where), day)


def state(area: Workspace, day: str | None) -> NetworkStatus:
    """Return the state on a day (None: as recorded), from memory where it is known."""
    return _state(key(area), day)


@st.cache_resource(max_entries=4, show_spinner=False)
def _timeline(where: tuple[str, str], step: str) -> pd.DataFrame:
    return dedicated_network.timeline(_inventory(where), step=step)


def timeline(area: Workspace) -> pd.DataFrame:
    """Return the shares of connected sites at the end of every month."""
    return _timeline(key(area), "month")


@st.cache_resource(max_entries=16, show_spinner=False)
def _findings(where: tuple[str, str], norms: object, day: str | None) -> list[Finding]:
    del norms  # only part of the key
    return compliance.check_workspace(Workspace.open(where[0]), _state(where, day))


def findings(area: Workspace, day: str | None) -> list[Finding]:
    """Return which requirements are met on a day, from memory where it is known."""
    own = area.folder / compliance.OWN_FILE
    changed = own.stat().st_mtime_ns if own.exists() else None
    return _findings(key(area), changed, day)


def claims(area: Workspace, now: NetworkStatus) -> pd.DataFrame:
    """Return what was reported about the network beside what its inventory says."""
    said = indicator_values.network_claims(area, indicator_data.records())
    return network_report.compare(inventory(area), said, now)


# Failures


@st.cache_resource(max_entries=8, show_spinner=False)
def _report(
    where: tuple[str, str],
    assumed: tuple[tuple[str, float], ...],
    day: str | None,
    _on_progress: Callable[[float], None] = lambda _share: None,
) -> FailureReport:
    return network_failures.analyse(
        _inventory(where), day, assumed=dict(assumed), on_progress=_on_progress
    )


def report(area: Workspace, day: str | None) -> FailureReport | None:
    """Return what failures do on a day; while that is computed, show how far it is.

    Parameters
    ----------
    area
        The workspace.
    day
        ISO date; None for the state as recorded.

    Returns
    -------
    FailureReport or None
        None while there is nothing to show.

    Raises
    ------
    InputError
        If the workspace's own table of assumptions cannot be read.
    """
    assumed = tuple(network_failures.assumptions(area.folder).items())
    question = (key(area), assumed, day)

    def work(on_progress: Callable[[float], None]) -> None:
        # The answer is kept by the cache, which forgets; a job would hold it for good.
        _report(*question, on_progress)

    name = ("network failures", *question)
    job = jobs.JOBS.get(name)
    if job is None:
        job = jobs.JOBS.start(name, work, watcher=progress.session())
        # Most networks are small: a bar would only flicker.
        until = time.monotonic() + _PATIENCE_S
        while job.active and time.monotonic() < until:
            time.sleep(0.02)
    if job.state is jobs.State.DONE:
        return _report(*question)
    progress.show(name, _("Computing failures"), start=work)
    return None
