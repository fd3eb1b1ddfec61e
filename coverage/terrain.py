"""Terrain and clutter along lines over the ground.

Earth geometry: a profile is a straight line of the rasters' metric CRS, and
its length is the length in that CRS. In a UTM zone the scale differs from the
ground by at most 0.1 % inside the zone and a straight grid line stays within a
few metres of the great circle over 100 km, which is far below a terrain pixel's
influence. The Earth's curvature is the propagation model's business.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coverage.kernels import sampling
from data.errors import InputError
from data.grid import Raster


def _values(raster: Raster) -> NDArray[np.float32]:
    return np.ascontiguousarray(raster.values, dtype=np.float32)


def sample(
    raster: Raster, x_m: ArrayLike, y_m: ArrayLike, *, nearest: bool = False
) -> NDArray[np.float64]:
    """Return the values of a raster at points.

    Parameters
    ----------
    raster
        Values at pixel centres, NaN where there is none.
    x_m, y_m
        Coordinates in the raster's CRS. [m]
    nearest
        Take the pixel that contains the point (classes, clutter) in place of
        the bilinear value (heights).

    Returns
    -------
    NDArray
        Values, of the shape of `x_m`; NaN outside the raster and beside holes.

    Raises
    ------
    InputError
        If `x_m` and `y_m` differ in shape.
    """
    x = np.ascontiguousarray(x_m, dtype=np.float64)
    y = np.ascontiguousarray(y_m, dtype=np.float64)
    if x.shape != y.shape:
        raise InputError(
            "x_m has shape {x}, but y_m has shape {y}; they must be the same", x=x.shape, y=y.shape
        )
    out = np.empty(x.size)
    grid = raster.grid
    sampling.sample_points(
        _values(raster),
        grid.x_min,
        grid.y_max,
        grid.resolution_m,
        x.ravel(),
        y.ravel(),
        nearest,
        out,
    )
    return out.reshape(x.shape)


@dataclass(frozen=True, eq=False)
class Profile:
    """Terrain and clutter between two points, both ends included.

    Parameters
    ----------
    x_m, y_m
        Coordinates of the points. [m]
    distance_km
        Distance from the first point. [km]
    height_m
        Terrain height. [m]
    clutter_height_m
        Clutter height above ground, 0 where there is none. [m]
    """

    x_m: NDArray[np.float64]
    y_m: NDArray[np.float64]
    distance_km: NDArray[np.float64]
    height_m: NDArray[np.float64]
    clutter_height_m: NDArray[np.float64]


def check_same_crs(first: str, second: str, name: str) -> None:
    """Check that two rasters are in the same CRS.

    Parameters
    ----------
    first, second
        CRS names.
    name
        What the second belongs to, for the message.

    Raises
    ------
    InputError
        If they differ.
    """
    if first != second:
        raise InputError(
            "The CRS of the {name} is {found}, but the terrain's is {expected}",
            name=name,
            found=second,
            expected=first,
        )


def profile_between(
    terrain: Raster,
    clutter_height: Raster | None,
    *,
    start_m: tuple[float, float],
    end_m: tuple[float, float],
    step_m: float | None = None,
) -> Profile:
    """Return the profile along the straight line between two points.

    The points are equally spaced, at most `step_m` apart, and at least three.

    Parameters
    ----------
    terrain
        Heights above sea level, sampled bilinearly. [m]
    clutter_height
        Heights above ground, the value of the pixel a point lies in; None or
        NaN means no clutter. [m]
    start_m, end_m
        x and y of the ends, in the terrain's CRS. [m]
    step_m
        Largest distance between points; None takes the terrain's pixel size. [m]

    Returns
    -------
    Profile
        The profile.

    Raises
    ------
    InputError
        If the ends are the same point, the step is not positive or the
        terrain has no value at some point.
    """
    step = terrain.grid.resolution_m if step_m is None else step_m
    if not step > 0.0:
        raise InputError("step_m is {value}, but it must be greater than 0", value=step)
    length = math.hypot(end_m[0] - start_m[0], end_m[1] - start_m[1])
    if not (math.isfinite(length) and length > 0.0):
        raise InputError(
            "The two ends of a profile must be different points, but both are {x}, {y}",
            x=start_m[0],
            y=start_m[1],
        )
    count = max(2, math.ceil(length / step - 1e-9)) + 1
    x = np.linspace(start_m[0], end_m[0], count)
    y = np.linspace(start_m[1], end_m[1], count)
    height = sample(terrain, x, y)
    holes = ~np.isfinite(height)
    if holes.any():
        index = int(np.argmax(holes))
        raise InputError(
            "The terrain has no height at x {x}, y {y}, which lies on the path",
            x=round(float(x[index]), 1),
            y=round(float(y[index]), 1),
        )
    clutter = np.zeros(count)
    if clutter_height is not None:
        check_same_crs(terrain.grid.crs, clutter_height.grid.crs, "clutter")
        clutter = np.nan_to_num(sample(clutter_height, x, y, nearest=True), nan=0.0)
    return Profile(x, y, np.linspace(0.0, length / 1000.0, count), height, clutter)
