"""Warp terrain window by window, fill its voids and raise its pits.

Memory does not grow with the area, and the result does not depend on how it is
cut into windows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import rasterio
import rasterio.warp
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy import interpolate, ndimage
from shapely.geometry.base import BaseGeometry

from data import rasters
from data.errors import InputError
from data.grid import Grid, Raster
from data.zonal import pixel_area_km2, to_raster

Progress = Callable[[float], None]

#: How far terrain and land cover of a real area reach beyond it, where the source does. [m]
MARGIN_M = 12_000.0

#: Heights below this are pits or noise where the land around them is higher. [m]
LOWEST_GROUND_M = -5.0

#: Share of low pixels in the neighbourhood from which low ground counts as real, such as
#: a polder or a basin.
LOW_GROUND_SHARE = 0.2

#: A void whose extent is smaller than this is filled from its rim; the neighbourhood of
#: low ground is as large. [m]
VOID_M = 3_000.0

#: Pixel sizes among which the one of terrain is chosen. [m]
_TERRAIN_STEPS_M = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 90.0, 250.0, 500.0, 1000.0)

#: Width and height of a window. [pixels]
_WINDOW_PX = 1536


def terrain_resolution_m(path: Path, crs: str, outline: BaseGeometry) -> float:
    """Return the pixel size at which the terrain of a source is kept.

    Parameters
    ----------
    path
        Raster in any CRS.
    crs
        CRS of `outline`.
    outline
        The area.

    Returns
    -------
    float
        Of 1, 2, 5, 10, 20, 30, 60, 90, 250, 500 and 1000 m the one nearest to the
        source's pixels on the ground: 30 m for 1, 90 m for 3 seconds of arc. [m]
    """
    with rasters.opened(path) as dataset:
        x, y = to_raster(crs, dataset, [outline.centroid.x], [outline.centroid.y])
        side_m = pixel_area_km2(dataset, float(x[0]), float(y[0])) ** 0.5 * 1000.0
    return min(_TERRAIN_STEPS_M, key=lambda step: abs(math.log(step / side_m)))


def warp_terrain(
    path: Path,
    outline: BaseGeometry,
    crs: str,
    target: Path,
    *,
    sea: bool = False,
    on_progress: Progress = lambda _share: None,
) -> tuple[Path, str, dict[str, Any]]:
    """Warp the terrain around an area, fill its voids and raise its pits.

    Parameters
    ----------
    path
        Heights above sea level, in any CRS. [m]
    outline
        The area.
    crs
        CRS of `outline` and of the result.
    target
        File for the result.
    sea
        Whether what has no height is sea, at 0 m.
    on_progress
        Called with the share done, between windows.

    Returns
    -------
    tuple
        The file, what was done, and the figures of it: ``voids_filled`` (list of
        ``lon``, ``lat``, ``area_km2``; the 20 largest), ``void_pixels_filled``,
        ``sea_pixels``, ``void_pixels_left``, ``low_pixels_raised``,
        ``low_pixels_kept``, ``lowest_m`` and ``resolution_m``.

    Raises
    ------
    InputError
        If the terrain lies beside the area or holds no height there.
    """
    left, bottom, right, top = _bounds_in(path, crs)
    x_min, y_min, x_max, y_max = outline.bounds
    if left >= x_max or right <= x_min or bottom >= y_max or top <= y_min:
        raise InputError(
            "{file}: the terrain lies beside the area and covers none of it", file=path.name
        )
    resolution_m = terrain_resolution_m(path, crs, outline)
    frame = (x_min - MARGIN_M, y_min - MARGIN_M, x_max + MARGIN_M, y_max + MARGIN_M)
    frame = (max(left, frame[0]), max(bottom, frame[1]), min(right, frame[2]), min(top, frame[3]))
    grid = Grid.covering(frame, resolution_m, crs)
    mending = _Mending(resolution_m, sea)
    parts = list(windows(grid))
    with rasterio.open(target, "w", **tiff_profile(grid, "float32", np.nan)) as out:
        for number, (row, column, part) in enumerate(parts):
            pad = mending.pad_px
            wide = grid.window(row - pad, column - pad, part.height + 2 * pad, part.width + 2 * pad)
            values = mending.mend(rasters.read(path, wide, "bilinear"))
            out.write(values, 1, window=Window(column, row, part.width, part.height))
            on_progress((number + 1) / len(parts))
    if not mending.known:
        raise InputError("{file}: the terrain holds no height in the area", file=path.name)
    method = (
        f"Warped to {crs}, {resolution_m:g} m, bilinear, with a margin of up to "
        f"{MARGIN_M / 1000:g} km"
    )
    return target, "; ".join([method, *mending.said()]), mending.facts(crs)


class _Mending:
    """Fills voids and raises pits, window by window, with the same result however it is cut."""

    def __init__(self, resolution_m: float, sea: bool) -> None:
        self.resolution_m = resolution_m
        self.sea = sea
        self.reach_px = max(2, math.ceil(VOID_M / resolution_m))
        self.pad_px = self.reach_px + 2
        self.known = 0
        self.filled_px = self.sea_px = self.left_px = self.raised_px = self.kept_px = 0
        self.lowest_m = math.inf
        self.voids: list[tuple[float, float, int]] = []

    def mend(self, wide: Raster) -> NDArray[np.float32]:
        """Return the mended values without the margin of `pad_px`."""
        values = wide.values
        core = (slice(self.pad_px, -self.pad_px), slice(self.pad_px, -self.pad_px))
        missing = np.isnan(values)
        self.known += int((~missing[core]).sum())
        if missing[core].any():
            values = self._filled(wide, missing, core)
        low = values < LOWEST_GROUND_M
        if low[core].any():
            values = self._raised(values, low, core)
        return np.ascontiguousarray(values[core], dtype=np.float32)

    def _filled(
        self, wide: Raster, missing: NDArray[np.bool_], core: tuple[slice, slice]
    ) -> NDArray[np.float32]:
        values = wide.values.copy()
        if self.sea:
            self.sea_px += int(missing[core].sum())
            values[missing] = 0.0
            return values
        labels, _ = ndimage.label(missing, structure=np.ones((3, 3)))
        for number, place in enumerate(ndimage.find_objects(labels), start=1):
            if place is None or max(s.stop - s.start for s in place) > self.reach_px:
                continue
            edges = [place[0].start == 0, place[1].start == 0]
            edges += [place[0].stop == values.shape[0], place[1].stop == values.shape[1]]
            if any(edges):
                continue  # it reaches beyond what is seen here, so it is larger
            self._fill(wide, values, labels == number, place)
        filled = missing & ~np.isnan(values)
        self.filled_px += int(filled[core].sum())
        self.left_px += int(np.isnan(values[core]).sum())
        return values

    def _fill(
        self,
        wide: Raster,
        values: NDArray[np.float32],
        void: NDArray[np.bool_],
        place: tuple[slice, ...],
    ) -> None:
        """Fill a void with the plane triangles between the pixels of its rim."""
        around = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in place)
        inside = void[around]
        rim = ndimage.binary_dilation(inside, np.ones((3, 3))) & ~np.isnan(wide.values[around])
        at, there = np.argwhere(rim), np.argwhere(inside)
        heights = wide.values[around][rim].astype(np.float64)
        if len(at) < 4:
            return
        linear = interpolate.LinearNDInterpolator(at, heights)(there)
        nearest = interpolate.NearestNDInterpolator(at, heights)(there)
        part = values[around]
        part[inside] = np.where(np.isnan(linear), nearest, linear)
        row, column = (there.mean(axis=0) + [s.start for s in around]).tolist()
        inner = [self.pad_px <= row < values.shape[0] - self.pad_px]
        inner.append(self.pad_px <= column < values.shape[1] - self.pad_px)
        if all(inner):  # told once, by the window that holds its middle
            grid = wide.grid
            x = grid.x_min + (column + 0.5) * grid.resolution_m
            y = grid.y_max - (row + 0.5) * grid.resolution_m
            self.voids.append((x, y, len(there)))

    def _raised(
        self, values: NDArray[np.float32], low: NDArray[np.bool_], core: tuple[slice, slice]
    ) -> NDArray[np.float32]:
        share = ndimage.uniform_filter(low.astype(np.float32), self.reach_px | 1)
        pits = low & (share < LOW_GROUND_SHARE)
        self.lowest_m = min(self.lowest_m, float(values[core][low[core]].min()))
        self.raised_px += int(pits[core].sum())
        self.kept_px += int((low & ~pits)[core].sum())
        return np.where(pits, np.float32(LOWEST_GROUND_M), values)

    def said(self) -> list[str]:
        """Return what was done, in sentences."""
        said = []
        if self.filled_px:
            said.append(
                f"voids less than {VOID_M / 1000:g} km across were filled from the heights of "
                f"their rim: {self.filled_px} pixels"
            )
        if self.sea_px:
            said.append(f"{self.sea_px} pixels without a height are sea, at 0 m")
        if self.left_px:
            said.append(f"{self.left_px} pixels without a height were left empty")
        if self.raised_px:
            said.append(
                f"{self.raised_px} pixels below {LOWEST_GROUND_M:g} m (lowest "
                f"{self.lowest_m:.0f} m: pits, voids or noise in higher ground) were raised to "
                f"{LOWEST_GROUND_M:g} m"
            )
        if self.kept_px:
            said.append(
                f"{self.kept_px} pixels below {LOWEST_GROUND_M:g} m in ground that is low for "
                f"{VOID_M / 1000:g} km around were kept"
            )
        return said

    def facts(self, crs: str) -> dict[str, Any]:
        """Return the figures of what was done."""
        to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
        largest = sorted(self.voids, key=lambda void: -void[2])[:20]
        places = []
        for x, y, count in largest:
            lon, lat = to_degrees.transform(x, y)
            places.append(
                {
                    "lon": round(lon, 5),
                    "lat": round(lat, 5),
                    "area_km2": round(count * self.resolution_m**2 / 1e6, 4),
                }
            )
        return {
            "resolution_m": self.resolution_m,
            "voids_filled": places,
            "void_pixels_filled": self.filled_px,
            "sea_pixels": self.sea_px,
            "void_pixels_left": self.left_px,
            "low_pixels_raised": self.raised_px,
            "low_pixels_kept": self.kept_px,
            "lowest_m": None if math.isinf(self.lowest_m) else round(self.lowest_m, 1),
        }


def windows(grid: Grid, size_px: int = _WINDOW_PX) -> Iterator[tuple[int, int, Grid]]:
    """Yield a grid in windows.

    Parameters
    ----------
    grid
        The grid.
    size_px
        Greatest width and height.

    Yields
    ------
    tuple
        Row and column of the window's corner, and the window.
    """
    for row in range(0, grid.height, size_px):
        for column in range(0, grid.width, size_px):
            height = min(size_px, grid.height - row)
            width = min(size_px, grid.width - column)
            yield row, column, grid.window(row, column, height, width)


def tiff_profile(grid: Grid, dtype: str, nodata: float | None) -> dict[str, Any]:
    """Return how a GeoTIFF that is needed for a while is written.

    Parameters
    ----------
    grid
        Its frame.
    dtype, nodata
        Of its values.

    Returns
    -------
    dict
        For `rasterio.open`.
    """
    return {
        "driver": "GTiff",
        "width": grid.width,
        "height": grid.height,
        "count": 1,
        "dtype": dtype,
        "crs": grid.crs,
        "transform": grid.transform,
        "nodata": nodata,
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "deflate",
        "zlevel": 1,
        "BIGTIFF": "IF_SAFER",
    }


def _bounds_in(path: Path, crs: str) -> tuple[float, float, float, float]:
    with rasters.opened(path) as dataset:
        bounds = rasterio.warp.transform_bounds(dataset.crs, crs, *dataset.bounds)
    left, bottom, right, top = (float(value) for value in bounds)
    return left, bottom, right, top
