"""Smooth random fields for generated landscapes and borders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data.grid import Grid

FloatArray = NDArray[np.float64]


def _basis(fraction: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the four weights of the uniform cubic B-spline at `fraction` of an interval."""
    f = fraction
    return (
        (1.0 - f) ** 3 / 6.0,
        (3.0 * f**3 - 6.0 * f**2 + 4.0) / 6.0,
        (-3.0 * f**3 + 3.0 * f**2 + 3.0 * f + 1.0) / 6.0,
        f**3 / 6.0,
    )


#: A cubic B-spline over independent unit normals has this standard deviation on
#: average over both axes: the mean of the squared weights is 151/315 per axis.
_SPLINE_SD = 151.0 / 315.0


class NoiseField:
    """A smooth random function of the plane with mean 0 and standard deviation 1.

    Parameters
    ----------
    rng
        Source of the random lattice.
    bounds
        x_min, y_min, x_max, y_max within which the field is asked for. [m]
    spacing_m
        Distance of the lattice points; features are about twice as wide. [m]
    """

    def __init__(
        self,
        rng: np.random.Generator,
        bounds: tuple[float, float, float, float],
        spacing_m: float,
    ) -> None:
        x_min, y_min, x_max, y_max = bounds
        self._spacing_m = spacing_m
        self._x_0 = x_min - 2.0 * spacing_m
        self._y_0 = y_min - 2.0 * spacing_m
        columns = int(np.ceil((x_max - x_min) / spacing_m)) + 6
        rows = int(np.ceil((y_max - y_min) / spacing_m)) + 6
        self._lattice = rng.standard_normal((rows, columns)) / _SPLINE_SD

    def _matrix(self, coordinates: FloatArray, origin: float, size: int) -> FloatArray:
        u = np.clip((coordinates - origin) / self._spacing_m, 1.0, size - 2.0 - 1e-9)
        index = np.floor(u).astype(np.intp)
        matrix = np.zeros((coordinates.size, size))
        rows = np.arange(coordinates.size)
        for offset, weight in enumerate(_basis(u - index)):
            matrix[rows, index + offset - 1] = weight
        return matrix

    def on_grid(self, grid: Grid) -> FloatArray:
        """Return the field at the pixel centres, of shape ``grid.shape``."""
        rows, columns = self._lattice.shape
        along_y = self._matrix(grid.y_centres(), self._y_0, rows)
        along_x = self._matrix(grid.x_centres(), self._x_0, columns)
        values: FloatArray = along_y @ self._lattice @ along_x.T
        return values

    def at(self, x_m: FloatArray, y_m: FloatArray) -> FloatArray:
        """Return the field at points, of the shape of `x_m`."""
        rows, columns = self._lattice.shape
        u = np.clip((x_m - self._x_0) / self._spacing_m, 1.0, columns - 2.0 - 1e-9)
        v = np.clip((y_m - self._y_0) / self._spacing_m, 1.0, rows - 2.0 - 1e-9)
        column = np.floor(u).astype(np.intp)
        row = np.floor(v).astype(np.intp)
        values = np.zeros(np.shape(x_m))
        weights_x = _basis(u - column)
        for i, weight_y in enumerate(_basis(v - row)):
            for j, weight_x in enumerate(weights_x):
                values += weight_y * weight_x * self._lattice[row + i - 1, column + j - 1]
        return values


def pixel_noise(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return independent unit normals for every pixel.

    Parameters
    ----------
    rng
        Source of randomness.
    shape
        Rows and columns.

    Returns
    -------
    NDArray
        float32 array of that shape.
    """
    return rng.standard_normal(shape, dtype=np.float32)
