"""Why a level is what it is: the path from a mast to a place, and its loss by part.

The parts add up to the loss, in the order in which the model builds it:

- P.1812: free space; multipath focusing; diffraction over the bare ground, with the
  round Earth; what clutter adds to it; ducting and tropospheric scatter, which can
  only lower the loss; the asked share of locations.
- other models: free space, and all that the model adds to it.
- a calibration: what it takes off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
from numpy.typing import NDArray

from coverage import point_prediction, sweep, terrain
from coverage.kernels import p1812 as kernel
from coverage.mast import reference_eirp_dbm
from coverage.models import SweepSettings
from coverage.propagation import free_space, p1812
from coverage.request import Plan, cells_of, read_clutter_height, read_within
from data.errors import InputError
from data.grid import Raster

#: Mean radius of the Earth. [km]
EARTH_RADIUS_KM = 6371.0

#: Refractivity lapse rate at which rays follow the Earth (ITU-R P.1812-7, eq. 7). [N-units/km]
_STRAIGHT = 157.0

#: How far around a path rasters are read: more than a pixel of the coarsest. [m]
_MARGIN_M = 300.0


class Part(StrEnum):
    """What a part of a loss comes from."""

    FREE_SPACE = "free_space"
    FOCUSING = "focusing"
    TERRAIN = "terrain"
    CLUTTER = "clutter"
    ANOMALOUS = "anomalous"
    LOCATION = "location"
    MODEL = "model"
    CALIBRATION = "calibration"


@dataclass(frozen=True, eq=False)
class PathExplanation:
    """A path and its loss.

    Parameters
    ----------
    distance_km, height_m, clutter_height_m
        Ground distance from the mast, height of the ground above the sea and of
        clutter above the ground at each of N points, shape (N,). [km, m, m]
    bulge_m
        How far the Earth, of the effective radius, rises above the chord between
        the two ends, shape (N,). [m]
    sight_m
        Height of the straight line from antenna to receiver, shape (N,). [m]
    fresnel_m
        Radius of the first Fresnel zone around it, shape (N,); 0 at the ends. [m]
    frequency_mhz, antenna_height_m, rx_height_m
        What the path was worked out for. [MHz, m, m]
    effective_radius_km
        Radius of the Earth on which rays are straight. [km]
    parts
        Loss by part. [dB]
    """

    distance_km: NDArray[np.float64]
    height_m: NDArray[np.float64]
    clutter_height_m: NDArray[np.float64]
    bulge_m: NDArray[np.float64]
    sight_m: NDArray[np.float64]
    fresnel_m: NDArray[np.float64]
    frequency_mhz: float
    antenna_height_m: float
    rx_height_m: float
    effective_radius_km: float
    parts: dict[Part, float]

    @property
    def loss_db(self) -> float:
        """The basic transmission loss: the sum of the parts. [dB]."""
        return math.fsum(self.parts.values())

    @property
    def obstacle_m(self) -> NDArray[np.float64]:
        """Height of what may stand in the way, with the Earth's bulge; shape (N,). [m].

        Clutter at the two ends does not count, as in the model.
        """
        top = self.height_m + self.bulge_m
        top[1:-1] += self.clutter_height_m[1:-1]
        return top

    @property
    def clearance(self) -> NDArray[np.float64]:
        """Room between obstacles and the line of sight in radii of the Fresnel zone.

        Shape (N,); infinite at the two ends. Below 0 the line is blocked, below
        0.6 diffraction begins to matter.
        """
        room = np.full(self.distance_km.shape, np.inf)
        inner = slice(1, -1)
        room[inner] = (self.sight_m - self.obstacle_m)[inner] / self.fresnel_m[inner]
        return room

    @property
    def worst(self) -> int:
        """Index of the point with the least clearance."""
        return int(np.argmin(self.clearance))


def explain(
    profile: terrain.Profile,
    *,
    frequency_mhz: float,
    antenna_height_m: float,
    settings: SweepSettings,
    latitude_deg: float,
) -> PathExplanation:
    """Work out the geometry and the loss of a path, by part.

    Parameters
    ----------
    profile
        From the mast to the place, equally spaced, N at least 3.
    frequency_mhz
        Frequency. [MHz]
    antenna_height_m
        Transmitting antenna above ground. [m]
    settings
        Model and receiver.
    latitude_deg
        Latitude of the path's centre. [°]

    Returns
    -------
    PathExplanation
        For the same model and settings as an area prediction; its loss differs from
        that of the pixel only by the profile, which here ends at the place itself.

    Raises
    ------
    InputError
        If something lies outside the model's range.
    """
    distance_km = profile.distance_km
    rest_km = distance_km[-1] - distance_km
    radius_km = EARTH_RADIUS_KM * _STRAIGHT / (_STRAIGHT - settings.delta_n)
    bulge_m = 500.0 * distance_km * rest_km / radius_km
    ends_m = (
        profile.height_m[0] + antenna_height_m,
        profile.height_m[-1] + settings.rx_height_m,
    )
    share = distance_km / distance_km[-1]
    wavelength_m = kernel.WAVELENGTH_AT_1_GHZ_M / (frequency_mhz / 1000.0)
    find_parts = _p1812_parts if settings.model == "p1812" else _other_parts
    return PathExplanation(
        distance_km=distance_km,
        height_m=profile.height_m,
        clutter_height_m=profile.clutter_height_m,
        bulge_m=bulge_m,
        sight_m=ends_m[0] + (ends_m[1] - ends_m[0]) * share,
        fresnel_m=np.sqrt(1000.0 * wavelength_m * distance_km * rest_km / distance_km[-1]),
        frequency_mhz=frequency_mhz,
        antenna_height_m=antenna_height_m,
        rx_height_m=settings.rx_height_m,
        effective_radius_km=radius_km,
        parts=find_parts(profile, frequency_mhz, antenna_height_m, settings, latitude_deg),
    )


def _p1812_parts(
    profile: terrain.Profile,
    frequency_mhz: float,
    antenna_height_m: float,
    settings: SweepSettings,
    latitude_deg: float,
) -> dict[Part, float]:
    p1812.check_parameters(
        frequency_ghz=frequency_mhz / 1000.0,
        tx_height_m=antenna_height_m,
        rx_height_m=settings.rx_height_m,
        time_percent=settings.time_percent,
        delta_n=settings.delta_n,
        n0=settings.n0,
    )
    ground = np.ascontiguousarray(profile.height_m, np.float64)
    covered = ground.copy()
    covered[1:-1] += profile.clutter_height_m[1:-1]

    def losses(surface_m: NDArray[np.float64]) -> NDArray[np.float64]:
        found = np.empty(kernel.LOSS + 1)
        kernel.path_loss(
            np.ascontiguousarray(profile.distance_km, np.float64),
            ground,
            surface_m,
            np.full(ground.size, 4, np.int8),
            frequency_mhz / 1000.0,
            float(settings.time_percent),
            float(antenna_height_m),
            float(settings.rx_height_m),
            p1812.vertical_polarization(settings.polarization),
            float(latitude_deg),
            float(settings.delta_n),
            float(settings.n0),
            500.0,
            500.0,
            found,
        )
        return found

    bare, full = losses(ground), losses(covered)
    share = settings.location_percent / 100.0
    shift = -kernel.inverse_normal(share) * settings.sigma_location_db
    total = max(full[kernel.LB0P], full[kernel.LOSS] + shift)
    return {
        Part.FREE_SPACE: float(full[kernel.LBFS]),
        Part.FOCUSING: float(full[kernel.LB0P] - full[kernel.LBFS]),
        Part.TERRAIN: float(bare[kernel.LDP]),
        Part.CLUTTER: float(full[kernel.LDP] - bare[kernel.LDP]),
        Part.ANOMALOUS: float(full[kernel.LOSS] - full[kernel.LB0P] - full[kernel.LDP]),
        Part.LOCATION: float(total - full[kernel.LOSS]),
    }


def _other_parts(
    profile: terrain.Profile,
    frequency_mhz: float,
    antenna_height_m: float,
    settings: SweepSettings,
    latitude_deg: float,
) -> dict[Part, float]:
    length_km = float(profile.distance_km[-1])
    loss = sweep.radial_loss(
        profile.height_m,
        step_m=1000.0 * length_km / (len(profile.height_m) - 1),
        antenna_height_m=antenna_height_m,
        frequencies_mhz=[frequency_mhz],
        settings=settings,
        latitude_deg=latitude_deg,
        clutter_height_m=profile.clutter_height_m,
    )[0, -1]
    rise_km = 0.001 * (
        profile.height_m[0] + antenna_height_m - profile.height_m[-1] - settings.rx_height_m
    )
    free_db = float(
        free_space.free_space_loss(
            math.hypot(length_km, rise_km), frequency_ghz=frequency_mhz / 1000.0
        )
    )
    return {Part.FREE_SPACE: free_db, Part.MODEL: float(loss) - free_db}


@dataclass(frozen=True, eq=False)
class CellExplanation:
    """What a cell gives at a place, and why.

    Parameters
    ----------
    cell, mast
        Rows of the layers.
    path
        The path.
    bearing_deg
        From the mast to the place, in the grid of the study area. [°]
    eirp_dbm
        Radiated power of the signal that the technology's metric is about, in the
        antenna's strongest direction. [dBm]
    attenuation_db
        What the antenna radiates less towards the place. [dB]
    """

    cell: pd.Series[Any]
    mast: pd.Series[Any]
    path: PathExplanation
    bearing_deg: float
    eirp_dbm: float
    attenuation_db: float

    @property
    def level_dbm(self) -> float:
        """The median level at the place. [dBm]."""
        return self.eirp_dbm - self.attenuation_db - self.path.loss_db


def explain_cell(plan: Plan, number: int, x_m: float, y_m: float) -> CellExplanation:
    """Work out what a cell gives at a place, and why.

    Parameters
    ----------
    plan
        The question whose answer is to be explained (`coverage.request.make_plan`).
    number
        Row of the cell in the layer `cells`.
    x_m, y_m
        The place, in the CRS of the study area. [m]

    Returns
    -------
    CellExplanation
        For the median of locations, as on the map.

    Raises
    ------
    InputError
        If the cell has no mast, the place is the mast's, or the terrain has a hole
        on the path.
    """
    workspace = plan.workspace
    cells = cells_of(workspace)
    if not 0 <= number < len(cells):
        raise InputError("There is no cell of number {value}", value=number)
    cell = cells.iloc[number]
    masts = workspace.read("masts")
    assert isinstance(masts, gpd.GeoDataFrame)  # noqa: S101 - told to the type checker
    own = masts[masts["mast_id"] == cell["mast_id"]]
    if own.empty:
        raise InputError("Cell {cell} has no mast", cell=str(cell["cell_id"]))
    mast = own.iloc[0]
    start_m = (float(mast.geometry.x), float(mast.geometry.y))
    elevation, clutter = _around(plan, start_m, (x_m, y_m))
    profile = terrain.profile_between(
        elevation, clutter, start_m=start_m, end_m=(x_m, y_m), step_m=plan.settings.profile_step_m
    )
    path = explain(
        profile,
        frequency_mhz=float(cell["frequency_mhz"]),
        antenna_height_m=float(cell["antenna_height_m"]),
        settings=plan.settings,
        latitude_deg=_latitude_between(start_m, (x_m, y_m), workspace.area.crs),
    )
    _calibrate(plan, path, (x_m, y_m))
    one_cell = cells.iloc[[number]]
    predicted = point_prediction.predict_points(
        elevation,
        clutter,
        own.iloc[[0]],
        one_cell,
        pd.DataFrame({"x_m": [x_m], "y_m": [y_m], "cell_id": [str(cell["cell_id"])]}),
        settings=plan.settings,
        own_patterns=plan.own.patterns,
    ).iloc[0]
    eirp = float(reference_eirp_dbm(one_cell)[0])
    return CellExplanation(
        cell=cell,
        mast=mast,
        path=path,
        bearing_deg=math.degrees(math.atan2(x_m - start_m[0], y_m - start_m[1])) % 360.0,
        eirp_dbm=eirp,
        attenuation_db=float(eirp - predicted["loss_db"] - predicted["predicted_dbm"]),
    )


def _around(
    plan: Plan, start_m: tuple[float, float], end_m: tuple[float, float]
) -> tuple[Raster, Raster | None]:
    """Read terrain and clutter along a path."""
    if not plan.workspace.has("terrain"):
        raise InputError("The workspace has no terrain, which the propagation model needs")
    bounds = (
        min(start_m[0], end_m[0]) - _MARGIN_M,
        min(start_m[1], end_m[1]) - _MARGIN_M,
        max(start_m[0], end_m[0]) + _MARGIN_M,
        max(start_m[1], end_m[1]) + _MARGIN_M,
    )
    elevation = read_within(plan.workspace, "terrain", bounds)
    if elevation is None:
        raise InputError(
            "The terrain has no height at x {x}, y {y}, which lies on the path",
            x=round(end_m[0], 1),
            y=round(end_m[1], 1),
        )
    return elevation, read_clutter_height(plan.workspace, bounds, plan.own.clutter_heights)


def _latitude_between(start_m: tuple[float, float], end_m: tuple[float, float], crs: str) -> float:
    project = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    middle = (0.5 * (start_m[0] + end_m[0]), 0.5 * (start_m[1] + end_m[1]))
    return float(project.transform(*middle)[1])


def _calibrate(plan: Plan, path: PathExplanation, end_m: tuple[float, float]) -> None:
    """Add what the plan's calibration takes off the loss."""
    model = plan.calibration
    if model is None:
        return
    code = np.nan
    if model.clutter_db and plan.workspace.has("clutter"):
        margin = _MARGIN_M
        bounds = (end_m[0] - margin, end_m[1] - margin, end_m[0] + margin, end_m[1] + margin)
        classes = read_within(plan.workspace, "clutter", bounds)
        if classes is not None:
            code = float(terrain.sample(classes, [end_m[0]], [end_m[1]], nearest=True)[0])
    # Held at the measured frequencies, as in the area prediction.
    frequency = float(np.clip(path.frequency_mhz, *model.frequency_range_mhz))
    distance_m = 1000.0 * float(path.distance_km[-1])
    correction = model.correction_db(distance_m, code, frequency)
    path.parts[Part.CALIBRATION] = -float(correction)
