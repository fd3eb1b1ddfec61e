"""Places in a raster's own frame, and people counted by zone, also across the antimeridian."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import rasterio
import shapely
from exactextract import exact_extract
from numpy.typing import NDArray

from data import rasters


def to_raster(
    crs: str, dataset: rasterio.DatasetReader, x: Any, y: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Transform coordinates to a raster's CRS, with longitudes as they run on in it.

    Parameters
    ----------
    crs
        CRS of the coordinates.
    dataset
        Open raster.
    x, y
        Coordinates.

    Returns
    -------
    tuple of NDArray
        x and y in the CRS of the raster.
    """
    transformer = pyproj.Transformer.from_crs(crs, dataset.crs, always_xy=True)
    there_x, there_y = transformer.transform(np.asarray(x, float), np.asarray(y, float))
    if dataset.crs.is_geographic:
        there_x = _around(there_x, dataset)
    return there_x, there_y


def _around(longitude: NDArray[np.float64], dataset: rasterio.DatasetReader) -> NDArray[np.float64]:
    middle = 0.5 * (dataset.bounds.left + dataset.bounds.right)
    return middle + (longitude - middle + 180.0) % 360.0 - 180.0


def in_raster(shapes: gpd.GeoSeries, dataset: rasterio.DatasetReader) -> gpd.GeoSeries:
    """Return shapes in the CRS of a raster, also where they cross the antimeridian.

    Parameters
    ----------
    shapes
        In any CRS.
    dataset
        Open raster.

    Returns
    -------
    GeoSeries
        Borders that are straight in the CRS of the shapes stay so within about a
        metre; longitudes run on as they do in the raster.
    """
    # Borders are straight in the CRS of the zones: more corners keep them so in the other.
    dense = shapes.segmentize(500.0) if shapes.crs.is_projected else shapes
    there = dense.to_crs(dataset.crs)
    bounds = there.total_bounds
    crosses = rasters.crosses_antimeridian(dataset) or bounds[2] - bounds[0] > 180.0
    if not (dataset.crs.is_geographic and crosses):
        return there
    moved = shapely.transform(
        there.to_numpy(),
        lambda xy: np.column_stack([_around(xy[:, 0], dataset), xy[:, 1]]),
    )
    return gpd.GeoSeries(moved, index=shapes.index, crs=dataset.crs)


def people_by_zone(path: Path, zones: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Return the people in each zone; a pixel on a border counts by the share of its area.

    Parameters
    ----------
    path
        Raster of people per pixel, in any CRS.
    zones
        Zones in any CRS.

    Returns
    -------
    NDArray
        People, in the order of `zones`.
    """
    with rasters.opened(path) as dataset:
        shapes = in_raster(zones.geometry, dataset)
        # One kind of geometry, or they are refused together.
        there = gpd.GeoDataFrame(
            geometry=[
                shapely.MultiPolygon([shape]) if shape.geom_type == "Polygon" else shape
                for shape in shapes
            ],
            crs=shapes.crs,
        )
        sums = exact_extract(dataset, there, "sum", output="pandas")["sum"]
    return np.nan_to_num(sums.to_numpy(dtype=float))


def pixel_area_km2(dataset: rasterio.DatasetReader, x: float, y: float) -> float:
    """Return the area on the ground of a pixel of a raster at a place.

    Parameters
    ----------
    dataset
        Open raster.
    x, y
        The place, in its CRS.

    Returns
    -------
    float
        Area. [km2]
    """
    width, height = dataset.res
    corners = shapely.get_coordinates(shapely.box(x, y, x + width, y + height))
    to_degrees = pyproj.Transformer.from_crs(dataset.crs, "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(corners[:, 0], corners[:, 1])
    area_m2, _ = pyproj.Geod(ellps="WGS84").polygon_area_perimeter(lon, lat)
    return abs(float(area_m2)) / 1e6
