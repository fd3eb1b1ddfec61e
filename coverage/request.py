"""A question about coverage, checked against a workspace, and the comparisons that answer it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from coverage import (
    clutter,
    composite,
    mast,
    models,
    own_numbers,
    percentages,
    results,
    sweep,
    technology,
    validity,
)
from coverage.calibrated_model import CalibratedModel
from data import schema
from data.errors import InputError
from data.grid import Grid, Raster
from data.store import Workspace

#: Changes whenever the figures of the same inputs would change.
ENGINE_VERSION = "8"

#: Masts of these states transmit.
ON_AIR = ("existing",)

# A model without variability still needs a margin to count in.
_LEAST_SIGMA_DB = 0.01

#: Layers and rasters that figures depend on.
INPUTS = (
    "zones",
    "masts",
    "cells",
    "villages",
    "terrain",
    "clutter",
    "building_height",
    "population",
)


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
        the calibration's or the model's default. [dB]
    calibration
        Name of a calibrated model of the workspace that corrects `model`, or
        None for the model as it is.
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
    calibration: str | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """A request checked against a workspace, with everything it depends on."""

    workspace: Workspace
    request: CoverageRequest
    grid: Grid
    carriers: tuple[mast.Carrier, ...]
    operators: tuple[str, ...]
    thresholds: dict[str, technology.Threshold]
    settings: sweep.SweepSettings
    model_error_db: float
    own: own_numbers.OwnNumbers
    calibration: CalibratedModel | None
    key: str

    @property
    def model(self) -> models.Model:
        """The propagation model."""
        return models.get_model(self.request.model)


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


def cells_of(workspace: Workspace) -> pd.DataFrame:
    """Return the cells, numbered from 0.

    Parameters
    ----------
    workspace
        The study area.

    Returns
    -------
    pandas.DataFrame
        Layer `cells`; without rows where there is none.
    """
    if not workspace.has("cells"):
        return schema.empty_frame("cells")
    return workspace.read("cells").reset_index(drop=True)


def default_technologies(workspace: Workspace) -> tuple[str, ...]:
    """Return the technologies to compute where nobody asks for others.

    Parameters
    ----------
    workspace
        The study area.

    Returns
    -------
    tuple of str
        2G, 3G and 4G, and 5G where there are cells of it.
    """
    usual = CoverageRequest().technologies
    return (*usual, "5G") if "5G" in set(cells_of(workspace)["technology"]) else usual


#: Finest step of a radial's profile: what the model's clutter heights stand for. [m]
FINEST_STEP_M = 30.0


def _profile_step_m(workspace: Workspace, grid: Grid) -> float:
    """Return the step of the radials' profiles: as fine as the data, whatever the pixels.

    What stands just before the receiver decides much of the loss, so a profile
    must not skip it because the result is wanted in large pixels.
    """
    finest = min(
        (
            workspace.raster_info(name).grid.resolution_m
            for name in ("terrain", "clutter")
            if workspace.has(name)
        ),
        default=grid.resolution_m,
    )
    return min(sweep.STEP_IN_PIXELS * grid.resolution_m, max(finest, FINEST_STEP_M))


def make_plan(workspace: Workspace, request: CoverageRequest) -> Plan:
    """Check a request against a workspace.

    Parameters
    ----------
    workspace
        The study area.
    request
        What is wanted.

    Returns
    -------
    Plan
        With a key that changes with anything the answer depends on.

    Raises
    ------
    InputError
        If something asked for does not exist or is out of range.
    """
    model = models.get_model(request.model)
    if not request.technologies:
        raise InputError("No technology was asked for")
    thresholds = _thresholds(workspace, request)
    cells = cells_of(workspace)
    known = sorted(cells["operator"].unique())
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
        profile_step_m=_profile_step_m(workspace, grid),
    )
    own = own_numbers.read(workspace.folder)
    calibration = (
        None
        if request.calibration is None
        else own_numbers.calibrated(workspace.folder, request.calibration, model.name)
    )
    error = request.model_error_db
    if error is None:
        error = (
            technology.model_mean_error_db(model.name)
            if calibration is None
            else calibration.mean_error_db
        )
    depends_on = {
        "engine": ENGINE_VERSION,
        "inputs": workspace.content_hash(*(name for name in INPUTS if workspace.has(name))),
        "technologies": list(request.technologies),
        "operators": list(operators),
        "grid": grid.to_dict(),
        "settings": dataclasses.asdict(settings),
        "thresholds": {name: dataclasses.asdict(item) for name, item in thresholds.items()},
        "model_error_db": error,
        "own": own.described(),
        "calibration": None if calibration is None else calibration.to_json(),
    }
    key = hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()[:32]
    wanted = tuple(
        carrier
        for carrier in mast.carriers(cells)
        if carrier.technology in thresholds and carrier.operator in operators
    )
    return Plan(
        workspace=workspace,
        request=request,
        grid=grid,
        carriers=wanted,
        operators=operators,
        thresholds=thresholds,
        settings=settings,
        model_error_db=error,
        own=own,
        calibration=calibration,
        key=key,
    )


def asked_cells(plan: Plan) -> pd.DataFrame:
    """Return the cells that a request is about.

    Parameters
    ----------
    plan
        The question.

    Returns
    -------
    pandas.DataFrame
        Rows of the layer `cells`: on masts that transmit, of the operators and
        technologies asked for.
    """
    cells = cells_of(plan.workspace)
    return cells[
        cells["mast_id"].isin(masts_on_air(plan.workspace)["mast_id"])
        & cells["operator"].isin(plan.operators)
        & cells["technology"].isin(plan.thresholds)
    ]


def predictable_cells(plan: Plan, cells: pd.DataFrame) -> pd.DataFrame:
    """Take the cells that the model cannot predict off their masts.

    Parameters
    ----------
    plan
        The question.
    cells
        Layer `cells`.

    Returns
    -------
    pandas.DataFrame
        The same rows in the same order, because results refer to them by position.
    """
    good = validity.predictable(plan.model, cells)
    return cells.assign(mast_id=cells["mast_id"].where(good))


def services(
    plan: Plan, levels: composite.Composite, sigma_by_cell: NDArray[np.float32]
) -> dict[tuple[str, str], percentages.Service]:
    """Compare levels with thresholds.

    Parameters
    ----------
    plan
        The question.
    levels
        Levels of carriers.
    sigma_by_cell
        Location variability by cell, as `sigma_by_cell` gives it. [dB]

    Returns
    -------
    dict
        (service, operator) -> `percentages.Service`, for technologies and their
        unions, operators and any operator.
    """
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
        for name, members in unions(plan.request.technologies):
            found[name, operator] = percentages.any_of([found[item, operator] for item in members])
    for name in (*plan.request.technologies, *dict(unions(plan.request.technologies))):
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


def unions(technologies: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the unions worth showing: those with at least two of the technologies.

    Parameters
    ----------
    technologies
        Technologies asked for.

    Returns
    -------
    list
        Name and members of each.
    """
    unions = []
    for name, members in technology.COMBINATIONS.items():
        present = tuple(item for item in members if item in technologies)
        if len(present) > 1:
            unions.append((name, present))
    return unions


def location_sigma_db(plan: Plan, frequency_mhz: float) -> float:
    """Return the location variability: the calibration's, or the model's own.

    Parameters
    ----------
    plan
        The question.
    frequency_mhz
        Frequency. [MHz]

    Returns
    -------
    float
        Standard deviation. [dB]
    """
    if plan.calibration is not None:
        return plan.calibration.sigma_db
    return plan.model.sigma_db(frequency_mhz, plan.grid.resolution_m)


def sigma_by_cell(plan: Plan, cells: pd.DataFrame) -> NDArray[np.float32]:
    """Return the location variability by cell, and one more for places without signal.

    Parameters
    ----------
    plan
        The question.
    cells
        Layer `cells`.

    Returns
    -------
    numpy.ndarray
        Length of `cells` plus one; 1 for cells that the model cannot predict. [dB]
    """
    by_frequency = {
        frequency: max(location_sigma_db(plan, frequency), _LEAST_SIGMA_DB)
        for frequency in frequencies_mhz(plan, cells)
    }
    sigma = cells["frequency_mhz"].astype(float).map(by_frequency).fillna(1.0)
    return np.append(sigma.to_numpy(np.float32), np.float32(1.0))


def frequencies_mhz(plan: Plan, cells: pd.DataFrame) -> list[float]:
    """Return the frequencies of the cells that the model can predict, in rising order.

    Parameters
    ----------
    plan
        The question.
    cells
        Layer `cells`, or some of its rows.

    Returns
    -------
    list of float
        Each once. [MHz]
    """
    good = cells[validity.predictable(plan.model, cells)]
    return sorted(good["frequency_mhz"].astype(float).unique().tolist())


def figure_table(
    zones: gpd.GeoDataFrame,
    tallies: dict[tuple[str, str, str], percentages.Tally],
    resolution_m: float,
) -> pd.DataFrame:
    """Put the shares of all services below each other.

    Parameters
    ----------
    zones
        Layer `zones`.
    tallies
        (service, operator, measure) -> sums by zone.
    resolution_m
        Pixel size. [m]

    Returns
    -------
    pandas.DataFrame
        See `results.CoverageResult`; weights in km², people and villages.
    """
    frames = []
    for (name, operator, measure), tally in tallies.items():
        frame = tally.shares()
        if measure == "area":
            frame["weight"] *= resolution_m**2 / 1e6
        frame.insert(0, "measure", measure)
        frame.insert(0, "operator", operator)
        frame.insert(0, "service", name)
        for column in ("valid_from", "level", "name", "code"):
            frame.insert(0, column, zones[column].to_numpy())
        frame.insert(0, "zone", np.arange(len(zones)))
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What the prediction of a tile's masts needs.

    Parameters
    ----------
    elevation
        Terrain heights. [m]
    clutter_height
        Clutter heights, or None for open land. [m]
    clutter_class
        Land-cover classes, where a calibration needs them.
    """

    elevation: Raster
    clutter_height: Raster | None
    clutter_class: Raster | None = None


def surroundings(plan: Plan, tile: Grid) -> Surroundings:
    """Read terrain and clutter around a tile.

    Parameters
    ----------
    plan
        The question.
    tile
        Part of the analysis grid.

    Returns
    -------
    Surroundings
        On the rasters' own grids.

    Raises
    ------
    InputError
        If there is no terrain.
    """
    workspace = plan.workspace
    if not workspace.has("terrain"):
        raise InputError("The workspace has no terrain, which the propagation model needs")
    # A mast may stand a radius off the tile and needs the terrain all around it.
    margin_m = 2.0 * plan.request.radius_m
    x_min, y_min, x_max, y_max = tile.bounds
    bounds = (x_min - margin_m, y_min - margin_m, x_max + margin_m, y_max + margin_m)
    elevation = read_within(workspace, "terrain", bounds)
    if elevation is None or np.isnan(elevation.values).all():
        raise InputError(
            "The terrain raster does not cover the study area: no height is known within "
            "{radius} km of it",
            radius=f"{plan.request.radius_m / 1000:g}",
        )
    needs_class = plan.calibration is not None and workspace.has("clutter")
    return Surroundings(
        elevation,
        read_clutter_height(workspace, bounds, plan.own.clutter_heights),
        read_within(workspace, "clutter", bounds) if needs_class else None,
    )


def read_within(
    workspace: Workspace, name: str, bounds: tuple[float, float, float, float]
) -> Raster | None:
    """Read the part of a raster under `bounds`, on the raster's own grid.

    Parameters
    ----------
    workspace
        The study area.
    name
        Raster.
    bounds
        x_min, y_min, x_max, y_max. [m]

    Returns
    -------
    Raster or None
        None if the raster does not reach there.
    """
    native = workspace.raster_info(name).grid
    part = native.part_over(bounds)
    if part is None:
        return None
    return workspace.read_raster(name, native.window(*part))


def read_clutter_height(
    workspace: Workspace,
    bounds: tuple[float, float, float, float],
    table: pd.DataFrame | None = None,
) -> Raster | None:
    """Read the clutter heights under `bounds`.

    Where the workspace has a raster of building heights, these count in place of
    the class's height; where it is 0 or has no data, the class counts.

    Parameters
    ----------
    workspace
        The study area.
    bounds
        x_min, y_min, x_max, y_max. [m]
    table
        Heights of the classes; the built-in ones if None.

    Returns
    -------
    Raster or None
        None where there is neither: open land. [m]
    """
    classes = read_within(workspace, "clutter", bounds) if workspace.has("clutter") else None
    heights = None if classes is None else clutter.clutter_height(classes, table)
    if not workspace.has("building_height"):
        return heights
    if heights is None:
        buildings = read_within(workspace, "building_height", bounds)
        return buildings and Raster(buildings.grid, np.nan_to_num(buildings.values))
    known = workspace.read_raster("building_height", heights.grid).values
    return Raster(heights.grid, np.where(known > 0.0, known, heights.values))


def masts_on_air(workspace: Workspace) -> gpd.GeoDataFrame:
    """Return the masts that transmit.

    Parameters
    ----------
    workspace
        The study area.

    Returns
    -------
    geopandas.GeoDataFrame
        Rows of the layer `masts` whose status is in `ON_AIR`.
    """
    if not workspace.has("masts"):
        return schema.empty_frame("masts", workspace.area.crs)
    masts = workspace.read("masts")
    return masts[masts["status"].isin(ON_AIR)]


def people_per_pixel(workspace: Workspace, grid: Grid) -> NDArray[np.float64]:
    """Return the population raster on a grid, its total kept.

    Parameters
    ----------
    workspace
        The study area.
    grid
        Target.

    Returns
    -------
    numpy.ndarray
        People per pixel; 0 where there is no population raster.
    """
    if not workspace.has("population"):
        return np.zeros(grid.shape)
    people = workspace.read_raster("population", grid, resampling="sum").values
    return np.nan_to_num(people).astype(np.float64)
