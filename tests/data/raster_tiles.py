"""Tiles in the true formats of the open rasters, with heights that a formula gives."""

from __future__ import annotations

from functools import cache

import numpy as np
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from data.sources import copernicus_dem


def height_at(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return whole metres that vary over the world, without a step at 180 degrees."""
    waves = 300 * np.sin(np.radians(lon) * 20) + 200 * np.cos(np.radians(lat) * 30)
    return np.floor(600 + waves).astype(np.float32)


def centres(transform: Affine, width: int, height: int) -> tuple[NDArray, NDArray]:
    lon = transform.c + (np.arange(width) + 0.5) * transform.a
    lat = transform.f + (np.arange(height) + 0.5) * transform.e
    return lon[None, :], lat[:, None]


def cog(values: NDArray, transform: Affine, **options) -> bytes:
    """Return a Cloud-Optimised GeoTIFF in WGS 84."""
    made = {"nodata": None, "blocksize": 1024, "overview_resampling": "nearest"} | options
    with MemoryFile() as plain, MemoryFile() as packed:
        profile = {
            "driver": "GTiff",
            "width": values.shape[1],
            "height": values.shape[0],
            "count": 1,
            "dtype": values.dtype,
            "crs": "EPSG:4326",
            "transform": transform,
            "nodata": made.pop("nodata"),
        }
        with plain.open(**profile) as dataset:
            dataset.write(values, 1)
        rasterio.shutil.copy(
            plain.name, packed.name, driver="COG", compress="deflate", predictor="yes", **made
        )
        return packed.read()


@cache
def copernicus(lon: int, lat: int, metres: int = 30) -> bytes:
    """Return a tile of the Copernicus DEM: COG, float32, half a pixel off its corner."""
    dx, dy = copernicus_dem.pixel_deg(lat, metres)
    transform = Affine(dx, 0.0, lon - dx / 2, 0.0, -dy, lat + 1 + dy / 2)
    width, height = round(1 / dx), round(1 / dy)
    return cog(height_at(*centres(transform, width, height)), transform)


@cache
def world_cover(lon: int, lat: int, pixels: int = 3600) -> bytes:
    """Return a tile of WorldCover: COG, uint8, 0 for no data; 3600 instead of 36000 pixels."""
    step = 3.0 / pixels
    transform = Affine(step, 0.0, lon, 0.0, -step, lat + 3)
    x, y = centres(transform, pixels, pixels)
    classes = np.array([10, 20, 30, 40, 50, 60, 80, 90], np.uint8)
    index = (np.floor(np.mod(x, 360) * 50) + np.floor(y * 50)).astype(int) % len(classes)
    return cog(classes[index], transform, nodata=0, blocksize=512)


def hgt(lon: int, lat: int, size: int = 1201) -> bytes:
    """Return a tile of SRTM: big-endian 16-bit integers from north to south."""
    step = 1.0 / (size - 1)
    transform = Affine(step, 0.0, lon - step / 2, 0.0, -step, lat + 1 + step / 2)
    return height_at(*centres(transform, size, size)).astype(">i2").tobytes()
