"""The computations behind route design, and what they leave in the session.

A design is large and belongs to whoever asked for it, so it is kept in the session
and not with the jobs, which the server remembers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import streamlit as st

from app import jobs
from app.components import progress
from data.store import Workspace
from planning import fibre
from planning.fibre import DesignRequest, RouteDesign, Task

#: How many budgets the curve has, besides that which connects all.
BUDGETS = 7


@dataclass(frozen=True)
class Asked:
    """What a design answers.

    Parameters
    ----------
    inputs
        Of the workspace (`app.study.inputs`).
    request
        Sites and rules, without a budget.
    left_out
        Sites that are not connected.
    """

    inputs: tuple[object, ...]
    request: DesignRequest
    left_out: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Made:
    """A design with the files that hold it.

    Parameters
    ----------
    design
        The design.
    workbook, package
        Bill of quantities as Excel, routes and sites as GeoPackage.
    """

    design: RouteDesign
    workbook: bytes
    package: bytes


@dataclass(frozen=True, eq=False)
class Plan:
    """The design that connects all sites, and what budgets bring.

    Parameters
    ----------
    asked
        What it answers.
    task
        The problem in numbers, for further budgets.
    made
        The design.
    curve
        From `planning.fibre.curve`, its last row the design itself; None where there
        is no exchange to start from.
    """

    asked: Asked
    task: Task
    made: Made
    curve: pd.DataFrame | None


@dataclass(frozen=True, eq=False)
class Found:
    """What a job found, and what it was about."""

    about: tuple[Any, ...]
    result: Any


def plan_work(area: Workspace, asked: Asked, sites: gpd.GeoDataFrame) -> jobs.Work:
    """Return the computation of a plan.

    Parameters
    ----------
    area
        The workspace.
    asked
        What is asked.
    sites
        All sites of the request.

    Returns
    -------
    Callable
        For `jobs.Jobs.start`; its result is a `Plan`.
    """
    request = asked.request
    own = None
    if asked.left_out:
        own = sites[~sites["site_id"].astype(str).isin(asked.left_out)]

    def work(on_progress: Callable[[float], None]) -> object:
        # Sites that are chosen one by one lie in the units already.
        rules = request if own is None else replace(request, zones=None)
        task = fibre.prepare(
            area, rules, sites=own, on_progress=lambda share: on_progress(0.1 * share)
        )
        design = fibre.design(
            area, rules, task=task, on_progress=lambda share: on_progress(max(0.1, 0.5 * share))
        )
        curve = None
        if task.root is not None and design.route_cost > 0.0:
            curve = _curve(area, rules, task, design, lambda share: on_progress(0.5 + 0.45 * share))
        made = _made(design)
        on_progress(1.0)
        return Plan(asked, task, made, curve)

    return work


def budget_work(area: Workspace, plan: Plan, budget: float) -> jobs.Work:
    """Return the computation of a design for a budget.

    Parameters
    ----------
    area
        The workspace.
    plan
        The plan whose sites and rules count.
    budget
        What may be spent.

    Returns
    -------
    Callable
        For `jobs.Jobs.start`; its result is a `Made`.
    """

    def work(on_progress: Callable[[float], None]) -> object:
        request = replace(plan.asked.request, budget=budget)
        return _made(fibre.design(area, request, task=plan.task, on_progress=on_progress))

    return work


def _curve(
    area: Workspace,
    request: DesignRequest,
    task: Task,
    design: RouteDesign,
    on_progress: Callable[[float], None],
) -> pd.DataFrame:
    budgets = [design.route_cost * k / (BUDGETS + 1) for k in range(1, BUDGETS + 1)]
    curve = fibre.curve(area, request, budgets, task=task, on_progress=on_progress)
    # What connects all is worth all there is to be connected.
    last = {
        "budget": design.route_cost,
        "cost": design.route_cost,
        "value": design.value,
        "bound": design.value,
        "gap": 0.0,
        "sites": int(design.sites["connected"].sum()),
    }
    return pd.concat([curve, pd.DataFrame([last])], ignore_index=True)


def _made(design: RouteDesign) -> Made:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        fibre.save(design, folder)
        workbook, package = ((folder / name).read_bytes() for name in ("bill.xlsx", "design.gpkg"))
    return Made(design, workbook, package)


def obtained(
    step: str,
    about: tuple[Any, ...],
    label: str,
    work: jobs.Work,
    *,
    button: str | None = None,
    at_once: bool = False,
) -> Found | None:
    """Return what a job of this session found, once; otherwise show where it is.

    Parameters
    ----------
    step
        Which computation; a session has one of each at a time.
    about
        What it is about.
    label
        What is being done.
    work
        The computation.
    button
        Text of the button that starts it; "Try again" if None.
    at_once
        Whether it starts without a click.

    Returns
    -------
    Found
        Once the job is done; None before.
    """
    key = ("fibre", step, progress.session())
    held = f"fibre.{step}.about"
    job = jobs.JOBS.get(key)
    if job is not None and job.state is jobs.State.DONE:
        jobs.JOBS.forget(key)
        answers = st.session_state.pop(held, None)
        if answers is not None:
            return Found(answers, job.result)
        job = None
    if job is not None and not job.active and st.session_state.get(held) != about:
        # How another question ended says nothing about this one.
        jobs.JOBS.forget(key)
        job = None
    if job is None and at_once:
        st.session_state[held] = about
        jobs.JOBS.start(key, work, watcher=progress.session())
    elif job is None or not job.active:
        st.session_state[held] = about
    progress.show(key, label, start=work, button=button)
    return None
