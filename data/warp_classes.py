"""Rasters of classes in the projections that maps show."""

from __future__ import annotations

import numpy as np
import rasterio.transform
from numpy.typing import NDArray
from rasterio.warp import Resampling, calculate_default_transform, reproject

from data.grid import Grid

#: Class of pixels that hold none.
OUTSIDE = 255


def classes_in(
    classes: NDArray[np.uint8], grid: Grid, crs: str, longest_side: int
) -> tuple[NDArray[np.uint8], tuple[float, float, float, float]]:
    """Bring classes onto a grid of another projection and of about the same pixel size.

    Parameters
    ----------
    classes
        Class per pixel of `grid`; `OUTSIDE` for none.
    grid
        Their frame.
    crs
        The projection.
    longest_side
        Finer rasters are thinned to this many pixels.

    Returns
    -------
    tuple
        Nearest neighbours on the new grid, `OUTSIDE` beyond the old one, and its outer
        edges (west, south, east, north) in `crs`.
    """
    transform, width, height = calculate_default_transform(
        grid.crs, crs, grid.width, grid.height, *grid.bounds
    )
    shrink = max(1.0, max(width, height) / longest_side)
    if shrink > 1.0:
        edges = rasterio.transform.array_bounds(height, width, transform)
        width, height = max(1, round(width / shrink)), max(1, round(height / shrink))
        transform = rasterio.transform.from_bounds(*edges, width, height)
    warped = np.full((height, width), OUTSIDE, np.uint8)
    reproject(
        np.ascontiguousarray(classes),
        warped,
        src_transform=grid.transform,
        src_crs=grid.crs,
        dst_transform=transform,
        dst_crs=crs,
        src_nodata=OUTSIDE,
        dst_nodata=OUTSIDE,
        resampling=Resampling.nearest,
    )
    west, south, east, north = rasterio.transform.array_bounds(height, width, transform)
    return warped, (west, south, east, north)
