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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from coverage import clutter, composite, mast, models, percentages, results, sweep, technology
from data.errors import InputError, Message, message
from data.grid import Grid, Raster
from data.store import Workspace

#: Changes whenever the figures of the same inputs would change.
ENGINE_VERSION = "3"

#: Masts of these states transmit.
ON_AIR = ("existing",)

#: Pixels per side of the blocks in which an area is computed.
TILE_PIXELS = 1500

# A model without variability still needs a margin to count in.
_LEAST_SIGMA_DB = 0.01

_LAYERS = ("zones", "masts", "cells", "villages", "terrain", "clutter", "population")


@dataclass(frozen=True)
class CoverageRequest:
    """What to compute.

    Parameters
    ----------
    technologies
        Technologies wanted.
    operators
        Operators wanted, or None for all.
    model
        Name in `coverage.models.MODELS`.
    resolution_m
        Pixel size, or None for the area's own. [m]
    threshold_profile
        Name of a set of thresholds (see `coverage.technology`).
    probability
        Coverage probability asked for, 0 to 1, or None for the profile's.
    radius_m
        How far a cell is followed. [m]
    time_percent
        Share of time for which the level is reached. [%]
    model_error_db
        Standard deviation of the model's mean error over the area, or None for
        the model's default. [dB]
    """

    technologies: tuple[str, ...] = ("2G", "3G", "4G")
    operators: tuple[str, ...] | None = None
    model: str = "p1812"
    resolution_m: float | None = None
    threshold_profile: str = "outdoor"
    probability: float | None = None
    radius_m: float = 10_000.0
    time_percent: float = 50.0
    model_error_db: float | None = None


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


@dataclass(frozen=True, eq=False)
class _Plan:
    """A request checked against a workspace, with everything it depends on."""

    workspace: Workspace
    request: CoverageRequest
    grid: Grid
    operators: tuple[str, ...]
    thresholds: dict[str, technology.Threshold]
    settings: sweep.SweepSettings
    model_error_db: float
    key: str


def _thresholds(workspace: Workspace, request: CoverageRequest) -> dict[str, technology.Threshold]:
    profiles = technology.threshold_profiles(workspace.folder / "thresholds.csv")
    if request.threshold_profile not in profiles:
        raise InputError(
            "Threshold profile {value} is not known (expected one of {expected})",
            value=request.threshold_profile,
            expected=", ".join(sorted(profiles)),
        )
    if request.probability is not None and not 0.01 <= request.probability <= 0.99:
        raise InputError(
            "The coverage probability is {value} (expected a number from 0.01 to 0.99)",
            value=request.probability,
        )
    profile = profiles[request.threshold_profile]
    chosen = {}
    for name in request.technologies:
        if name not in technology.TECHNOLOGIES:
            raise InputError(
                "Technology {value} is not known (expected one of {expected})",
                value=name,
                expected=", ".join(technology.TECHNOLOGIES),
            )
        if name not in profile:
            raise InputError(
                "Threshold profile {profile} has no threshold for {technology}",
                profile=request.threshold_profile,
                technology=name,
            )
        threshold = profile[name]
        if request.probability is not None:
            threshold = dataclasses.replace(threshold, probability=request.probability)
        chosen[name] = threshold
    return chosen


def _plan(workspace: Workspace, request: CoverageRequest) -> _Plan:
    model = models.get_model(request.model)
    if not request.technologies:
        raise InputError("No technology was asked for")
    thresholds = _thresholds(workspace, request)
    known = sorted(workspace.read("cells")["operator"].unique())
    operators = tuple(known) if request.operators is None else request.operators
    for operator in operators:
        if operator not in known:
            raise InputError(
                "Operator {value} has no cells here (expected one of {expected})",
                value=operator,
                expected=", ".join(known) or "none",
            )
    grid = workspace.analysis_grid(request.resolution_m)
    settings = sweep.SweepSettings(
        model=request.model,
        radius_m=request.radius_m,
        time_percent=request.time_percent,
    )
    error = (
        technology.model_mean_error_db(model.name)
        if request.model_error_db is None
        else request.model_error_db
    )
    depends_on = {
        "engine": ENGINE_VERSION,
        "inputs": workspace.content_hash(*(name for name in _LAYERS if workspace.has(name))),
        "technologies": list(request.technologies),
        "operators": list(operators),
        "grid": grid.to_dict(),
        "settings": dataclasses.asdict(settings),
        "thresholds": {name: dataclasses.asdict(item) for name, item in thresholds.items()},
        "model_error_db": error,
        "clutter_heights": clutter.clutter_table()["height_m"].to_dict(),
    }
    key = hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()[:32]
    return _Plan(workspace, request, grid, operators, thresholds, settings, error, key)


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


def _read_around(
    workspace: Workspace, name: str, tile: Grid, margin_m: float, resampling: str
) -> Raster | None:
    """Return the part of a raster, on its own grid, that a tile and its surroundings need."""
    native = workspace.raster_info(name).grid
    x_min, y_min, x_max, y_max = tile.bounds
    part = native.part_over(
        (x_min - margin_m, y_min - margin_m, x_max + margin_m, y_max + margin_m)
    )
    if part is None:
        return None
    return workspace.read_raster(name, native.window(*part), resampling=resampling)


def _near(masts: gpd.GeoDataFrame, tile: Grid, radius_m: float) -> gpd.GeoDataFrame:
    x_min, y_min, x_max, y_max = tile.bounds
    x, y = masts.geometry.x, masts.geometry.y
    return masts[
        x.between(x_min - radius_m, x_max + radius_m)
        & y.between(y_min - radius_m, y_max + radius_m)
    ]


def _services(
    plan: _Plan, levels: composite.Composite, sigma_by_cell: NDArray[np.float32]
) -> dict[tuple[str, str], percentages.Service]:
    """Compare levels with thresholds: technologies and their unions, operators and any."""
    found: dict[tuple[str, str], percentages.Service] = {}
    for name, threshold in plan.thresholds.items():
        for operator in plan.operators:
            level, cell = composite.strongest(levels, name, operator)
            found[name, operator] = percentages.service(
                level,
                threshold_dbm=threshold.threshold_dbm,
                probability=threshold.probability,
                sigma_db=sigma_by_cell[cell],
                model_error_db=plan.model_error_db,
            )
    for operator in plan.operators:
        for name, members in _unions(plan.request.technologies):
            found[name, operator] = percentages.any_of([found[item, operator] for item in members])
    for name in (*plan.request.technologies, *dict(_unions(plan.request.technologies))):
        if plan.operators:
            found[name, results.ANY_OPERATOR] = percentages.any_of(
                [found[name, operator] for operator in plan.operators]
            )
        else:
            found[name, results.ANY_OPERATOR] = _nothing(levels.grid)
    return found


def _nothing(grid: Grid) -> percentages.Service:
    nowhere = np.zeros(grid.shape, bool)
    return percentages.Service(np.full(grid.shape, -np.inf, np.float32), nowhere, nowhere, nowhere)


def _unions(technologies: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the unions worth showing: those with at least two of the technologies."""
    unions = []
    for name, members in technology.COMBINATIONS.items():
        present = tuple(item for item in members if item in technologies)
        if len(present) > 1:
            unions.append((name, present))
    return unions


def _folder(plan: _Plan) -> Path:
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
    plan = _plan(workspace, request or CoverageRequest())
    folder = _folder(plan)
    return results.load(folder) if folder.exists() else None


def compute(
    workspace: Workspace,
    request: CoverageRequest | None = None,
    *,
    threads: int | None = None,
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
    plan = _plan(workspace, request or CoverageRequest())
    folder = _folder(plan)
    kept = results.load(folder) if folder.exists() else None
    if kept is not None:
        on_progress(1.0)
        return kept
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".part-"))
    try:
        _compute_into(part, plan, threads or default_threads(), on_progress)
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
    folder: Path, plan: _Plan, threads: int, on_progress: Callable[[float], None]
) -> None:
    workspace, request = plan.workspace, plan.request
    zones = workspace.read("zones")
    masts = workspace.read("masts")
    masts = masts[masts["status"].isin(ON_AIR)]
    cells = workspace.read("cells").reset_index(drop=True)
    villages = workspace.read("villages") if workspace.has("villages") else None
    if not workspace.has("terrain"):
        raise InputError("The workspace has no terrain, which the propagation model needs")
    model = models.get_model(request.model)
    sigma_by_cell = _sigma_by_cell(model, cells, plan.grid.resolution_m)
    tallies: dict[tuple[str, str, str], percentages.Tally] = {}
    left_out: set[str] = set()
    without_terrain = np.zeros(len(zones))
    tiles = list(_tiles(plan.grid))
    with results.RasterWriter(folder, plan.grid, request.technologies, plan.operators) as writer:
        for number, (row, column, tile) in enumerate(tiles):
            weights = percentages.zone_weights(zones, tile)
            levels, ground_known = _tile_levels(
                plan,
                masts,
                cells,
                tile,
                threads,
                partial(_report, on_progress, number, len(tiles)),
            )
            left_out.update(levels.masts_without_terrain)
            without_terrain += weights.fraction @ (~ground_known).ravel()
            writer.write(row, column, levels, cells)
            people = (
                np.nan_to_num(
                    workspace.read_raster("population", tile, resampling="sum").values
                ).astype(np.float64)
                if workspace.has("population")
                else np.zeros(tile.shape)
            )
            for (name, operator), where in _services(plan, levels, sigma_by_cell).items():
                parts = percentages.tally_pixels(weights, where, people)
                if villages is not None:
                    parts["village"] = percentages.tally_points(zones, villages, tile, where)
                for measure, tally in parts.items():
                    key = (name, operator, measure)
                    tallies[key] = tallies[key] + tally if key in tallies else tally
    figures = _figures(zones, tallies, plan.grid.resolution_m)
    figures.to_csv(folder / "figures.csv", index=False)
    pixel_km2 = plan.grid.resolution_m**2 / 1e6
    notes = _notes(plan, left_out, without_terrain.max(initial=0.0) * pixel_km2)
    summary = _summary(plan, zones, figures, notes)
    results.write_zones(folder, zones, figures)
    (folder / "coverage.json").write_text(
        json.dumps(summary, ensure_ascii=False, indent=1), encoding="utf-8"
    )
    on_progress(1.0)


def _sigma_by_cell(
    model: models.Model, cells: pd.DataFrame, resolution_m: float
) -> NDArray[np.float32]:
    """Return the location variability by cell, and one more for places without signal."""
    by_frequency = {
        frequency: max(model.sigma_db(frequency, resolution_m), _LEAST_SIGMA_DB)
        for frequency in cells["frequency_mhz"].astype(float).unique()
    }
    sigma = cells["frequency_mhz"].astype(float).map(by_frequency).to_numpy(np.float32)
    return np.append(sigma, np.float32(1.0))


def _report(on_progress: Callable[[float], None], done: int, count: int, part: float) -> None:
    on_progress(0.95 * (done + part) / count)


def _tile_levels(
    plan: _Plan,
    masts: gpd.GeoDataFrame,
    cells: pd.DataFrame,
    tile: Grid,
    threads: int,
    on_progress: Callable[[float], None],
) -> tuple[composite.Composite, NDArray[np.bool_]]:
    """Return the levels of a tile and where its terrain is known."""
    workspace = plan.workspace
    wanted = [
        carrier
        for carrier in mast.carriers(cells)
        if carrier.technology in plan.request.technologies and carrier.operator in plan.operators
    ]
    # A mast may stand a radius off the tile and needs the terrain all around it.
    margin_m = 2.0 * plan.request.radius_m
    elevation = _read_around(workspace, "terrain", tile, margin_m, "bilinear")
    if elevation is None or np.isnan(elevation.values).all():
        raise InputError(
            "The terrain raster does not cover the study area: no height is known within "
            "{radius} km of it",
            radius=f"{plan.request.radius_m / 1000:g}",
        )
    heights = None
    if workspace.has("clutter"):
        classes = _read_around(workspace, "clutter", tile, margin_m, "nearest")
        heights = classes and clutter.clutter_height(classes)
    levels = composite.compose(
        elevation,
        heights,
        _near(masts, tile, plan.request.radius_m),
        cells,
        plan.grid,
        tile=tile,
        wanted=wanted,
        settings=plan.settings,
        threads=threads,
        on_progress=on_progress,
    )
    known = np.isfinite(workspace.read_raster("terrain", tile, resampling="bilinear").values)
    return levels, known


def _figures(
    zones: gpd.GeoDataFrame,
    tallies: dict[tuple[str, str, str], percentages.Tally],
    resolution_m: float,
) -> pd.DataFrame:
    """Put the shares of all services below each other, weights in km², people and villages."""
    frames = []
    for (name, operator, measure), tally in tallies.items():
        frame = tally.shares()
        if measure == "area":
            frame["weight"] *= resolution_m**2 / 1e6
        frame.insert(0, "measure", measure)
        frame.insert(0, "operator", operator)
        frame.insert(0, "service", name)
        for column in ("level", "name", "code"):
            frame.insert(0, column, zones[column].to_numpy())
        frame.insert(0, "zone", np.arange(len(zones)))
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _notes(plan: _Plan, left_out: set[str], without_terrain_km2: float) -> list[Message]:
    notes = []
    generated = sorted(
        name for name, item in plan.workspace.provenance().items() if item.illustrative
    )
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
    return notes


def _percent(value: float) -> float | None:
    return None if np.isnan(value) else round(100.0 * float(value), 3)


def _summary(
    plan: _Plan, zones: gpd.GeoDataFrame, figures: pd.DataFrame, notes: list[Message]
) -> dict[str, Any]:
    entries: list[dict[str, Any]] = [
        {"code": row.code, "name": row.name, "level": row.level} for row in zones.itertuples()
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
            place["technologies"] = list(dict(_unions(plan.request.technologies))[item.service])
        place[f"{item.measure}_percent"] = _percent(item.share)
        place[f"{item.measure}_expected_percent"] = _percent(item.expected)
        for kind in ("interval", "shadowing", "model"):
            suffix = "interval" if kind == "interval" else f"interval_{kind}"
            low, high = getattr(item, f"{kind}_low"), getattr(item, f"{kind}_high")
            place[f"{item.measure}_{suffix}"] = [_percent(low), _percent(high)]
    model = models.get_model(plan.request.model)
    return {
        "area": plan.workspace.area.name,
        "title": {"vi": plan.workspace.area.title_vi, "en": plan.workspace.area.title_en},
        "illustrative": any(item.illustrative for item in plan.workspace.provenance().values()),
        "model": plan.request.model,
        "resolution_m": plan.grid.resolution_m,
        "zones": entries,
        "provenance": {
            "inputs": {
                name: dataclasses.asdict(item) for name, item in plan.workspace.provenance().items()
            },
            "grid": plan.grid.to_dict(),
            "model_reference": model.reference,
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
                    f"{frequency:g} MHz": round(
                        model.sigma_db(frequency, plan.grid.resolution_m), 3
                    )
                    for frequency in sorted(
                        plan.workspace.read("cells")["frequency_mhz"].astype(float).unique()
                    )
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
