"""What a coverage figure would be with other models, fewer masts and other heights.

Unlike the thresholds and probabilities of `planning.audit`, these need predictions; what
was predicted before comes from the cache.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from coverage import composite, models, percentages, run
from coverage.request import (
    CoverageRequest,
    Plan,
    cells_of,
    make_plan,
    masts_on_air,
    predictable_cells,
    sigma_by_cell,
    surroundings,
)
from data.store import Workspace
from planning import indicator_computed, mast_coverage
from planning.audit import ANY_OF, Reading, check_measure, pixel_weights, readings
from planning.indicator_computed import Sources

Progress = Callable[[float], None]

#: Shares of the masts that are kept when the network is thinned.
FRACTIONS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

_MODEL_COLUMNS = ["model", "percent", "low", "high"]


def _part(on_progress: Progress, place: int, count: int, share: float) -> None:
    on_progress((place + share) / count)


def by_model(
    workspace: Workspace,
    request: CoverageRequest,
    names: Sequence[str],
    *,
    service: str = "3G_or_4G",
    measure: str = "area",
    threads: int | None = None,
    on_progress: Progress = lambda _: None,
) -> pd.DataFrame:
    """Return the share by propagation model, with its interval.

    Parameters
    ----------
    workspace
        The study area.
    request
        What to compute; its model is replaced.
    names
        Models.
    service, measure
        As for `planning.audit.audit`.
    threads
        Masts computed at once; all processors if None.
    on_progress
        Called with the finished share; may raise `CancelledError`.

    Returns
    -------
    DataFrame
        Columns model, percent, low, high; results are kept, so asking again costs nothing.

    Raises
    ------
    InputError
        If a model is not known or cannot predict any cell.
    """
    rows = []
    for place, name in enumerate(names):
        models.get_model(name)
        asked = dataclasses.replace(request, model=name, calibration=None)
        run.compute(
            workspace,
            asked,
            threads=threads,
            on_progress=partial(_part, on_progress, place, len(names)),
        )
        rows += kept_models(workspace, request, [name], service=service, measure=measure).to_dict(
            "records"
        )
    on_progress(1.0)
    return pd.DataFrame(rows, columns=_MODEL_COLUMNS)


def kept_models(
    workspace: Workspace,
    request: CoverageRequest,
    names: Sequence[str] | None = None,
    *,
    service: str = "3G_or_4G",
    measure: str = "area",
) -> pd.DataFrame:
    """Return `by_model` for the models whose result is kept, without computing.

    Parameters
    ----------
    workspace, request, service, measure
        As for `by_model`.
    names
        Models to look for; all if None.

    Returns
    -------
    DataFrame
        As of `by_model`.
    """
    rows = []
    for name in models.MODELS if names is None else names:
        asked = dataclasses.replace(request, model=name, calibration=None)
        if run.lookup(workspace, asked) is None:
            continue
        found = indicator_computed.compute(
            f"coverage {service} {measure}", Sources(workspace, request=asked)
        )
        if found is not None and found.value is not None:
            rows.append(
                {"model": name, "percent": found.value, "low": found.low, "high": found.high}
            )
    return pd.DataFrame(rows, columns=_MODEL_COLUMNS)


def by_density(
    workspace: Workspace,
    request: CoverageRequest,
    *,
    service: str = "3G_or_4G",
    measure: str = "area",
    fractions: Sequence[float] = FRACTIONS,
    draws: int = 10,
    seed: int = 1,
    threads: int | None = None,
    on_progress: Progress = lambda _: None,
) -> pd.DataFrame:
    """Return the share that a random part of the masts would cover.

    Parameters
    ----------
    workspace
        The study area.
    request
        Thresholds, model and grid.
    service, measure
        As for `planning.audit.audit`.
    fractions
        Shares of the masts to keep, above 0 to 1.
    draws
        Random orders of the masts; a larger part contains the smaller ones.
    seed
        Of the random orders.
    threads, on_progress
        As for `by_model`.

    Returns
    -------
    DataFrame
        Columns reading, fraction, masts, per_100_km2, percent (mean of the draws), low,
        high (least and greatest).

    Raises
    ------
    InputError
        If the request or a layer cannot be used.
    """
    check_measure(measure)
    found = mast_coverage.compute(
        workspace, request, threads=threads, on_progress=lambda part: on_progress(0.8 * part)
    )
    weight = found.area_m2 if measure == "area" else found.people
    km2 = float(found.area_m2.sum()) / 1e6
    ways = readings(service, [name for name, _ in found.services])
    count = len(found.masts)
    random = np.random.default_rng(seed)
    orders = [random.permutation(count) for _ in range(draws)]
    rows = []
    for place, fraction in enumerate(fractions):
        kept = max(1, round(fraction * count))
        shares: dict[str, list[float]] = {way.name: [] for way in ways}
        # All masts are the same whatever the order.
        for order in orders if kept < count else orders[:1]:
            chosen = np.zeros(count, bool)
            chosen[order[:kept]] = True
            for way in ways:
                covered = _covered(found, way, chosen)
                shares[way.name].append(100.0 * float(weight[covered].sum() / weight.sum()))
        rows += [
            {
                "reading": name,
                "fraction": fraction,
                "masts": kept,
                "per_100_km2": 100.0 * kept / km2,
                "percent": float(np.mean(values)),
                "low": min(values),
                "high": max(values),
            }
            for name, values in shares.items()
        ]
        on_progress(0.8 + 0.2 * (place + 1) / len(fractions))
    return pd.DataFrame(rows)


def _covered(
    found: mast_coverage.MastCoverage, way: Reading, chosen: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    parts = [
        np.logical_or.reduce(
            [
                found.covered((name, operator), chosen)
                for name, operator in found.services
                if name == technology_name
            ]
        )
        for technology_name in way.technologies
    ]
    combined: NDArray[np.bool_] = (
        np.logical_or.reduce(parts) if way.how == ANY_OF else np.logical_and.reduce(parts)
    )
    return combined


def masts_needed(density: pd.DataFrame, percent: float) -> pd.DataFrame:
    """Return how many masts make a share true, by reading.

    Parameters
    ----------
    density
        From `by_density`.
    percent
        The share. [%]

    Returns
    -------
    DataFrame
        Columns reading, masts, per_100_km2: between two fractions along a straight line;
        NaN where the present masts do not reach it.
    """
    rows = []
    for name, part in density.groupby("reading", sort=False):
        part = part.sort_values("masts")
        share = np.maximum.accumulate(part["percent"].to_numpy(float))
        known = {"reading": name, "masts": np.nan, "per_100_km2": np.nan}
        if share[-1] >= percent:
            masts = float(np.interp(percent, share, part["masts"].to_numpy(float)))
            scale = float(part["per_100_km2"].iloc[-1] / part["masts"].iloc[-1])
            known |= {"masts": masts, "per_100_km2": masts * scale}
        rows.append(known)
    return pd.DataFrame(rows, columns=["reading", "masts", "per_100_km2"])


def by_height(
    workspace: Workspace,
    request: CoverageRequest,
    *,
    service: str = "3G_or_4G",
    measure: str = "area",
    antenna_shifts_m: Sequence[float] = (-10.0, 0.0, 10.0),
    receiver_heights_m: Sequence[float] = (),
    threads: int | None = None,
    on_progress: Progress = lambda _: None,
) -> pd.DataFrame:
    """Return the share with other heights of antennas, and of the receiver.

    Parameters
    ----------
    workspace
        The study area; it must fit into memory.
    request
        Thresholds, model and grid.
    service, measure
        As for `planning.audit.audit`.
    antenna_shifts_m
        What is added to the height of every antenna; none falls below 3 m. [m]
    receiver_heights_m
        Heights of the receiver above ground, antennas as they are. [m]
    threads, on_progress
        As for `by_model`.

    Returns
    -------
    DataFrame
        Columns what ("antenna" or "receiver"), height_m (shift or height), reading,
        percent.

    Raises
    ------
    InputError
        If the request or a layer cannot be used.
    """
    plan = make_plan(workspace, request)
    inside, weight = pixel_weights(workspace, plan.grid, measure)
    cells = cells_of(workspace)
    ways = readings(service, request.technologies)
    cases: list[tuple[str, float]] = [("antenna", shift) for shift in antenna_shifts_m]
    cases += [("receiver", height) for height in receiver_heights_m]
    rows = []
    for place, (what, height) in enumerate(cases):
        changed, settings = cells, plan.settings
        if what == "antenna":
            raised = np.maximum(cells["antenna_height_m"].astype(float) + height, 3.0)
            changed = cells.assign(antenna_height_m=raised)
        else:
            settings = dataclasses.replace(settings, rx_height_m=height)
        covered = _predicted(
            dataclasses.replace(plan, settings=settings),
            changed,
            threads,
            partial(_part, on_progress, place, len(cases)),
        )
        for way in ways:
            flags = [covered[name] for name in way.technologies]
            one = np.logical_or.reduce(flags) if way.how == ANY_OF else np.logical_and.reduce(flags)
            rows.append(
                {
                    "what": what,
                    "height_m": height,
                    "reading": way.name,
                    "percent": 100.0 * float(weight[one[inside]].sum() / weight.sum()),
                }
            )
    on_progress(1.0)
    return pd.DataFrame(rows, columns=["what", "height_m", "reading", "percent"])


def _predicted(
    plan: Plan, cells: pd.DataFrame, threads: int | None, on_progress: Progress
) -> dict[str, NDArray[np.bool_]]:
    """Predict a changed network; return by technology where any operator covers."""
    around = surroundings(plan, plan.grid)
    levels = composite.compose(
        around.elevation,
        around.clutter_height,
        masts_on_air(plan.workspace),
        predictable_cells(plan, cells),
        plan.grid,
        wanted=plan.carriers,
        settings=plan.settings,
        own_patterns=plan.own.patterns,
        losses=run.losses_of(plan, around, run.loss_cache(plan.workspace)),
        threads=threads or run.default_threads(),
        on_progress=on_progress,
    )
    sigma = sigma_by_cell(plan, cells)
    found: dict[str, NDArray[np.bool_]] = {}
    for name, threshold in plan.thresholds.items():
        covered = np.zeros(plan.grid.shape, bool)
        for operator in plan.operators:
            level, cell = composite.strongest(levels, name, operator)
            covered |= percentages.service(
                level,
                threshold_dbm=threshold.threshold_dbm,
                probability=threshold.probability,
                sigma_db=sigma[cell],
                model_error_db=plan.model_error_db,
            ).covered
        found[name] = covered
    return found
