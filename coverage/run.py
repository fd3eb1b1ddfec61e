"""Coverage of a study area, from a workspace to figures, rasters and files.

`compute` is what the command line, the app and the notebooks call. Its results
are kept in the workspace under a key of everything they depend on, so the same
question is answered from disk and a changed input can never show old figures.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from coverage import cluster, composite, percentages, results, validity
from coverage.calibrated_losses import calibrated_losses
from coverage.loss_cache import LossCache, kept_losses
from coverage.mast import Losses, MastJob, predict_losses
from coverage.request import (
    ENGINE_VERSION,
    INPUTS,
    Plan,
    Surroundings,
    asked_cells,
    cells_of,
    figure_table,
    frequencies_mhz,
    location_sigma_db,
    make_plan,
    masts_on_air,
    people_per_pixel,
    predictable_cells,
    services,
    sigma_by_cell,
    surroundings,
    unions,
)
from coverage.request import (
    CoverageRequest as CoverageRequest,
)
from data import csv_file
from data.area import Provenance
from data.errors import Message, message
from data.grid import Grid
from data.store import Workspace

#: Pixels per side of the blocks in which an area is computed.
TILE_PIXELS = 1500


def default_threads() -> int:
    """Return how many masts to compute at once: the usable processors.

    Returns
    -------
    int
        At least 1.
    """
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def _tiles(grid: Grid) -> Iterator[tuple[int, int, Grid]]:
    for row in range(0, grid.height, TILE_PIXELS):
        for column in range(0, grid.width, TILE_PIXELS):
            yield (
                row,
                column,
                grid.window(
                    row,
                    column,
                    min(TILE_PIXELS, grid.height - row),
                    min(TILE_PIXELS, grid.width - column),
                ),
            )


def _near(masts: gpd.GeoDataFrame, tile: Grid, radius_m: float) -> gpd.GeoDataFrame:
    x_min, y_min, x_max, y_max = tile.bounds
    x, y = masts.geometry.x, masts.geometry.y
    return masts[
        x.between(x_min - radius_m, x_max + radius_m)
        & y.between(y_min - radius_m, y_max + radius_m)
    ]


def _folder(plan: Plan) -> Path:
    return plan.workspace.folder / "results" / f"coverage-{plan.key}"


def lookup(
    workspace: Workspace, request: CoverageRequest | None = None
) -> results.CoverageResult | None:
    """Return the kept result of a request, without computing anything.

    Parameters
    ----------
    workspace
        The study area.
    request
        What was computed; the defaults if None.

    Returns
    -------
    results.CoverageResult or None
        None if it has not been computed for the present inputs.
    """
    folder = result_folder(workspace, request)
    return results.load(folder) if folder.exists() else None


def result_folder(workspace: Workspace, request: CoverageRequest | None = None) -> Path:
    """Return where the result of a request is kept, whether or not it has been computed.

    Parameters
    ----------
    workspace
        The study area.
    request
        What is wanted; the defaults if None.

    Returns
    -------
    pathlib.Path
        A folder named by everything the result depends on.
    """
    return _folder(make_plan(workspace, request or CoverageRequest()))


def compute(
    workspace: Workspace,
    request: CoverageRequest | None = None,
    *,
    threads: int | None = None,
    scheduler: str | None = None,
    on_progress: Callable[[float], None] = lambda _: None,
) -> results.CoverageResult:
    """Compute the coverage of a study area, or read it if it was computed before.

    Parameters
    ----------
    workspace
        The study area with zones, terrain, masts and cells; clutter, population
        and villages are used where present.
    request
        What to compute; the defaults if None.
    threads
        Masts computed at once; all processors if None.
    scheduler
        Address of a Dask scheduler whose workers predict the masts, or None to
        do it here.
    on_progress
        Called with the finished share from the caller's thread; may raise
        `CancelledError`, which leaves nothing behind.

    Returns
    -------
    results.CoverageResult
        Figures and rasters.

    Raises
    ------
    InputError
        If the request or a layer cannot be used.
    """
    plan = make_plan(workspace, request or CoverageRequest())
    folder = _folder(plan)
    if folder.exists():
        on_progress(1.0)
        return results.load(folder)
    validity.require_some(plan.model, asked_cells(plan))
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".part-"))
    try:
        with ExitStack() as stack:
            client = None if scheduler is None else stack.enter_context(cluster.connect(scheduler))
            _compute_into(part, plan, threads, client, on_progress)
        try:
            part.rename(folder)
        except OSError:
            # Somebody else finished the same result first; theirs is as good.
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return results.load(folder)


def _compute_into(
    folder: Path,
    plan: Plan,
    threads: int | None,
    client: Any,
    on_progress: Callable[[float], None],
) -> None:
    if threads is None:
        threads = default_threads() if client is None else cluster.threads_for(client)
    workspace, request = plan.workspace, plan.request
    zones = workspace.read("zones")
    masts = masts_on_air(workspace)
    cells = cells_of(workspace)
    villages = workspace.read("villages") if workspace.has("villages") else None
    predicted = predictable_cells(plan, cells)
    sigma = sigma_by_cell(plan, cells)
    cache = loss_cache(workspace)
    tallies: dict[tuple[str, str, str], percentages.Tally] = {}
    left_out: set[str] = set()
    without_terrain = np.zeros(len(zones))
    tiles = list(_tiles(plan.grid))
    with results.RasterWriter(
        folder, plan.grid, request.technologies, plan.operators, plan.own.rate_models
    ) as writer:
        for number, (row, column, tile) in enumerate(tiles):
            weights = percentages.zone_weights(zones, tile)
            around = surroundings(plan, tile)
            levels = composite.compose(
                around.elevation,
                around.clutter_height,
                _near(masts, tile, request.radius_m),
                predicted,
                plan.grid,
                tile=tile,
                wanted=plan.carriers,
                settings=plan.settings,
                own_patterns=plan.own.patterns,
                losses=losses_of(plan, around, cache, client),
                threads=threads,
                on_progress=partial(_report, on_progress, number, len(tiles)),
            )
            known = np.isfinite(workspace.read_raster("terrain", tile).values)
            left_out.update(levels.masts_without_terrain)
            without_terrain += weights.fraction @ (~known).ravel()
            found = services(plan, levels, sigma)
            margins = {key: where.fade_margin for key, where in found.items()}
            writer.write(row, column, levels, cells, margins)
            people = people_per_pixel(workspace, tile)
            for (name, operator), where in found.items():
                parts = percentages.tally_all(zones, weights, where, people, villages)
                for measure, tally in parts.items():
                    key = (name, operator, measure)
                    tallies[key] = tallies[key] + tally if key in tallies else tally
    cache.trim()
    figures = figure_table(zones, tallies, plan.grid.resolution_m)
    csv_file.write(figures, folder / "figures.csv")
    pixel_km2 = plan.grid.resolution_m**2 / 1e6
    notes = _notes(plan, left_out, without_terrain.max(initial=0.0) * pixel_km2)
    summary = _summary(plan, zones, figures, notes)
    results.write_zones(folder, zones, figures)
    (folder / "coverage.json").write_text(
        json.dumps(summary, ensure_ascii=False, indent=1), encoding="utf-8"
    )
    on_progress(1.0)


def loss_cache(workspace: Workspace) -> LossCache:
    """Return the losses kept in a workspace.

    Parameters
    ----------
    workspace
        The study area.

    Returns
    -------
    LossCache
        In its folder `cache/loss`, which may be deleted at any time; a derived
        workspace shares that of its base.
    """
    return LossCache(workspace.cache_folder / "loss")


def losses_of(
    plan: Plan, around: Surroundings, cache: LossCache, client: Any = None
) -> Callable[[MastJob], Losses]:
    """Return where the losses of a plan's masts come from: cache, this machine, a cluster.

    Parameters
    ----------
    plan
        The question.
    around
        Terrain and clutter around the masts.
    cache
        Losses kept from before.
    client
        Connection to a cluster, or None to predict here.

    Returns
    -------
    Callable
        For `composite.compose`.
    """

    def here(job: MastJob) -> Losses:
        return predict_losses(
            job, around.elevation, around.clutter_height, plan.grid, plan.settings
        )

    compute = here if client is None else cluster.losses_from(client, plan)
    losses = kept_losses(
        cache, compute, around.elevation, around.clutter_height, plan.grid, plan.settings
    )
    if plan.calibration is None:
        return losses
    return calibrated_losses(losses, plan.calibration, around.clutter_class)


def _report(on_progress: Callable[[float], None], done: int, count: int, part: float) -> None:
    on_progress(0.95 * (done + part) / count)


def _origins(plan: Plan) -> dict[str, Provenance]:
    """Return where each layer and raster that the figures depend on came from."""
    origins = plan.workspace.provenance()
    return {name: item for name, item in origins.items() if name in INPUTS}


def _notes(plan: Plan, left_out: set[str], without_terrain_km2: float) -> list[Message]:
    notes = []
    generated = sorted(name for name, item in _origins(plan).items() if item.illustrative)
    if plan.workspace.area.illustrative:
        notes.append(message("Illustrative data: the study area is generated, not measured."))
    elif generated:
        notes.append(
            message("Illustrative data in the layers: {layers}.", layers=", ".join(generated))
        )
    if left_out:
        notes.append(
            message(
                "Masts left out because the terrain does not cover them: {count} ({examples}).",
                count=len(left_out),
                examples=", ".join(sorted(left_out)[:10]),
            )
        )
    if without_terrain_km2 > 0.005:
        notes.append(
            message(
                "Terrain is unknown on {area} km²; these places count as not covered.",
                area=round(without_terrain_km2, 2),
            )
        )
    if not plan.workspace.has("population"):
        notes.append(message("There is no population raster, so there are no population figures."))
    if not plan.workspace.has("clutter"):
        notes.append(message("There is no clutter raster: all land was taken as open."))
    return notes + validity.notes(plan.model, asked_cells(plan), plan.settings, plan.calibration)


def _percent(value: float) -> float | None:
    return None if np.isnan(value) else round(100.0 * float(value), 3)


def _summary(
    plan: Plan, zones: gpd.GeoDataFrame, figures: pd.DataFrame, notes: list[Message]
) -> dict[str, Any]:
    entries: list[dict[str, Any]] = [
        {
            "code": row.code,
            "name": row.name,
            "level": row.level,
            "valid_from": None if pd.isna(row.valid_from) else row.valid_from,
        }
        for row in zones.itertuples()
    ]
    item: Any
    for item in figures.itertuples():
        entry = entries[item.zone]
        if item.measure == "area":
            entry["area_km2"] = round(item.weight, 4)
        elif item.measure == "population":
            entry["population"] = round(item.weight, 2)
        else:
            entry["villages"] = int(item.weight)
        if item.operator == results.ANY_OPERATOR:
            place = entry.setdefault(item.service, {})
        else:
            place = (
                entry.setdefault("operators", {})
                .setdefault(item.operator, {})
                .setdefault(item.service, {})
            )
        if item.service in plan.thresholds:
            threshold = plan.thresholds[item.service]
            place["metric"] = threshold.metric
            place["threshold_dbm"] = threshold.threshold_dbm
            place["probability"] = threshold.probability
        else:
            place["technologies"] = list(dict(unions(plan.request.technologies))[item.service])
        place[f"{item.measure}_percent"] = _percent(item.share)
        place[f"{item.measure}_expected_percent"] = _percent(item.expected)
        for kind in ("interval", "shadowing", "model"):
            suffix = "interval" if kind == "interval" else f"interval_{kind}"
            low, high = getattr(item, f"{kind}_low"), getattr(item, f"{kind}_high")
            place[f"{item.measure}_{suffix}"] = [_percent(low), _percent(high)]
    return {
        "area": plan.workspace.area.name,
        "title": {"vi": plan.workspace.area.title_vi, "en": plan.workspace.area.title_en},
        "illustrative": any(item.illustrative for item in _origins(plan).values()),
        "model": plan.request.model,
        "resolution_m": plan.grid.resolution_m,
        "zones": entries,
        "provenance": {
            "inputs": {name: dataclasses.asdict(item) for name, item in _origins(plan).items()},
            "grid": plan.grid.to_dict(),
            "model_reference": plan.model.reference,
            "calibration": _calibration(plan),
            "own": plan.own.described(),
            "settings": dataclasses.asdict(plan.settings),
            "operators": list(plan.operators),
            "threshold_profile": plan.request.threshold_profile,
            "thresholds": {
                name: dataclasses.asdict(item) for name, item in plan.thresholds.items()
            },
            "uncertainty": {
                "interval": "95 %; shadow fading and model error added as root of sum of squares",
                "model_mean_error_db": plan.model_error_db,
                "location_sigma_db": {
                    f"{frequency:g} MHz": round(location_sigma_db(plan, frequency), 3)
                    for frequency in frequencies_mhz(plan, asked_cells(plan))
                },
                "decorrelation_distance_m": percentages.DECORRELATION_DISTANCE_M,
            },
            "notes": [
                {"text": str(note), "template": note.template, "values": dict(note.values)}
                for note in notes
            ],
            "engine_version": ENGINE_VERSION,
            "key": plan.key,
        },
    }


def _calibration(plan: Plan) -> dict[str, Any] | None:
    """Return what a reader must know of the calibration; its file holds the rest."""
    model = plan.calibration
    if model is None:
        return None
    before, after = model.held_out_before, model.held_out_after
    return {
        "name": model.name,
        "base_model": model.base_model,
        "created": model.created,
        "bins": model.bins,
        "cells": model.cells,
        "data_sha256": model.data_sha256,
        "model_sha256": hashlib.sha256(model.to_json().encode()).hexdigest(),
        "held_out_error_db": {
            "before": dataclasses.asdict(before),
            "after": dataclasses.asdict(after),
        },
        "sigma_db": model.sigma_db,
        "mean_error_db": model.mean_error_db,
    }
