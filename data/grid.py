"""The analysis grid and rasters on it, in metres of a projected CRS."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from data.errors import InputError


@dataclass(frozen=True)
class Grid:
    """A north-up raster frame with square pixels.

    Parameters
    ----------
    crs
        Projected CRS in metres, e.g. ``"EPSG:32648"``.
    x_min, y_max
        Outer corner of the upper left pixel. [m]
    resolution_m
        Pixel size. [m]
    width, height
        Number of columns and rows.
    """

    crs: str
    x_min: float
    y_max: float
    resolution_m: float
    width: int
    height: int

    def __post_init__(self) -> None:
        if not (self.resolution_m > 0 and math.isfinite(self.resolution_m)):
            raise InputError(
                "The grid resolution is {value} m, but it must be greater than 0",
                value=self.resolution_m,
            )
        if self.width < 1 or self.height < 1:
            raise InputError(
                "The grid has {width} x {height} pixels, but it needs at least one",
                width=self.width,
                height=self.height,
            )

    @classmethod
    def covering(
        cls, bounds: tuple[float, float, float, float], resolution_m: float, crs: str
    ) -> Grid:
        """Return the smallest grid over `bounds` whose corners are multiples of the pixel size.

        Parameters
        ----------
        bounds
            x_min, y_min, x_max, y_max. [m]
        resolution_m
            Pixel size. [m]
        crs
            Projected CRS in metres.

        Returns
        -------
        Grid
            The grid.

        Examples
        --------
        >>> Grid.covering((10.0, 10.0, 190.0, 60.0), 50.0, "EPSG:32648").shape
        (2, 4)
        """
        x_min, y_min, x_max, y_max = bounds
        column_0 = math.floor(x_min / resolution_m)
        column_1 = math.ceil(x_max / resolution_m)
        row_0 = math.ceil(y_max / resolution_m)
        row_1 = math.floor(y_min / resolution_m)
        return cls(
            crs,
            column_0 * resolution_m,
            row_0 * resolution_m,
            float(resolution_m),
            max(1, column_1 - column_0),
            max(1, row_0 - row_1),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """x_min, y_min, x_max, y_max. [m]."""
        return (
            self.x_min,
            self.y_max - self.height * self.resolution_m,
            self.x_min + self.width * self.resolution_m,
            self.y_max,
        )

    @property
    def transform(self) -> Affine:
        """The affine transform from (column, row) to (x, y)."""
        return Affine(self.resolution_m, 0.0, self.x_min, 0.0, -self.resolution_m, self.y_max)

    def x_centres(self) -> NDArray[np.float64]:
        """Return the x coordinate of the centre of every column. [m]."""
        return self.x_min + (np.arange(self.width, dtype=np.float64) + 0.5) * self.resolution_m

    def y_centres(self) -> NDArray[np.float64]:
        """Return the y coordinate of the centre of every row, from the north. [m]."""
        return self.y_max - (np.arange(self.height, dtype=np.float64) + 0.5) * self.resolution_m

    def window(self, row: int, column: int, height: int, width: int) -> Grid:
        """Return the part of the grid that starts at (`row`, `column`).

        Parameters
        ----------
        row, column
            Index of its upper left pixel; may lie outside this grid.
        height, width
            Its size in pixels.

        Returns
        -------
        Grid
            A grid aligned with this one.
        """
        return Grid(
            self.crs,
            self.x_min + column * self.resolution_m,
            self.y_max - row * self.resolution_m,
            self.resolution_m,
            width,
            height,
        )

    def part_over(
        self, bounds: tuple[float, float, float, float]
    ) -> tuple[int, int, int, int] | None:
        """Return which pixels lie under `bounds`, with two more on each side.

        Parameters
        ----------
        bounds
            x_min, y_min, x_max, y_max. [m]

        Returns
        -------
        tuple or None
            Row, column, height and width for `window`, cut at the grid's edges;
            None if nothing is left.
        """
        x_min, y_min, x_max, y_max = bounds
        step = self.resolution_m
        column_0 = max(0, math.floor((x_min - self.x_min) / step) - 2)
        column_1 = min(self.width, math.ceil((x_max - self.x_min) / step) + 2)
        row_0 = max(0, math.floor((self.y_max - y_max) / step) - 2)
        row_1 = min(self.height, math.ceil((self.y_max - y_min) / step) + 2)
        if column_0 >= column_1 or row_0 >= row_1:
            return None
        return row_0, column_0, row_1 - row_0, column_1 - column_0

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Grid:
        """Build a grid from what `to_dict` returned.

        Parameters
        ----------
        fields
            The fields.

        Returns
        -------
        Grid
            The grid.
        """
        return cls(**fields)


@dataclass(frozen=True, eq=False)
class Raster:
    """Values on a grid; NaN marks pixels without data in floating-point rasters.

    Parameters
    ----------
    grid
        The frame.
    values
        Array of shape ``grid.shape``.
    """

    grid: Grid
    values: NDArray[Any]

    def __post_init__(self) -> None:
        if self.values.shape != self.grid.shape:
            raise InputError(
                "The raster has shape {found}, but its grid has {expected}",
                found=self.values.shape,
                expected=self.grid.shape,
            )

    def around(self, x_m: float, y_m: float, distance_m: float) -> Raster | None:
        """Return the part within a distance of a point, as a view.

        Parameters
        ----------
        x_m, y_m
            The point. [m]
        distance_m
            In each direction. [m]

        Returns
        -------
        Raster or None
            None if the raster does not reach there.
        """
        part = self.grid.part_over(
            (x_m - distance_m, y_m - distance_m, x_m + distance_m, y_m + distance_m)
        )
        if part is None:
            return None
        row, column, height, width = part
        return Raster(
            self.grid.window(*part), self.values[row : row + height, column : column + width]
        )
