"""Write, describe and read the rasters of a workspace: Cloud-Optimised GeoTIFF."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import rasterio
import rasterio.errors
import rasterio.shutil
import rasterio.warp
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from data.errors import InputError
from data.grid import Grid, Raster
from data.schema import RasterLayer

_STRIP_PIXELS = 4_000_000
"""Pixels read at a time where a whole raster is looked through."""

_TOLERANCE_PX = 1e-6
"""GDAL's default bends lines by up to 1/8 pixel, differently in each window it is
asked for; a result must not depend on how an area is cut into tiles."""

RESAMPLINGS = ("nearest", "bilinear", "cubic", "average", "mode", "min", "max", "sum")


@dataclass(frozen=True)
class RasterInfo:
    """What a stored raster is, without its values.

    Parameters
    ----------
    name
        Raster name.
    path
        The GeoTIFF.
    crs
        CRS in which it is stored.
    transform
        From (column, row) to (x, y) in `crs`.
    width, height
        Pixels.
    nodata
        Value of pixels without data, if one is set.
    dtype
        Type of the stored values.
    unit
        Unit of the values.
    grid
        Its own grid where it is stored on square pixels in the study area's
        CRS, otherwise a grid of about the same resolution over it in that CRS.
    """

    name: str
    path: Path
    crs: str
    transform: Affine
    width: int
    height: int
    nodata: float | None
    dtype: str
    unit: str
    grid: Grid

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """x_min, y_min, x_max, y_max in `crs`."""
        left, top = self.transform.c, self.transform.f
        right = left + self.width * self.transform.a
        bottom = top + self.height * self.transform.e
        return left, min(top, bottom), right, max(top, bottom)


def write(path: Path, layer: RasterLayer, source: Raster | Path, *, block_px: int = 512) -> None:
    """Write a raster as a Cloud-Optimised GeoTIFF.

    Parameters
    ----------
    path
        Where to; must not exist.
    layer
        Declaration, against which the values are checked.
    source
        A raster, or a file that GDAL reads, in any CRS (kept as it is).
    block_px
        Size of the tiles.

    Raises
    ------
    InputError
        If the source cannot be read, has no CRS, more than one band, no data
        at all, or values out of range.
    """
    if isinstance(source, Path):
        with _opened(source) as dataset:
            _check_frame(dataset, layer, source)
            _check_values(dataset, layer, source.name)
            _copy(dataset, path, layer, block_px)
        return
    values = source.values
    if values.dtype == np.float64:
        values = values.astype(np.float32)
    if values.dtype == bool:
        values = values.astype(np.uint8)
    floating = np.issubdtype(values.dtype, np.floating)
    plain = path.with_name(f"{path.stem}.plain.tif")
    try:
        with rasterio.open(
            plain,
            "w",
            driver="GTiff",
            width=source.grid.width,
            height=source.grid.height,
            count=1,
            dtype=values.dtype,
            crs=source.grid.crs,
            transform=source.grid.transform,
            nodata=np.nan if floating else None,
            tiled=True,
            blockxsize=block_px,
            blockysize=block_px,
            BIGTIFF="IF_SAFER",
        ) as dataset:
            dataset.write(values, 1)
            dataset.set_band_unit(1, layer.unit)
            dataset.set_band_description(1, layer.description)
        with _opened(plain) as dataset:
            _check_values(dataset, layer, layer.name)
            _copy(dataset, path, layer, block_px)
    finally:
        plain.unlink(missing_ok=True)


def describe(path: Path, layer: RasterLayer, area_crs: str) -> RasterInfo:
    """Return what a stored raster is.

    Parameters
    ----------
    path
        The GeoTIFF.
    layer
        Declaration.
    area_crs
        CRS of the study area.

    Returns
    -------
    RasterInfo
        The facts.
    """
    with _opened(path) as dataset:
        if dataset.crs is None:
            raise _damaged(path)
        crs = _crs_text(dataset.crs)
        transform = dataset.transform
        square = np.isclose(transform.a, -transform.e, rtol=1e-9)
        if square and _same_crs(crs, area_crs):
            grid = Grid(
                area_crs,
                transform.c,
                transform.f,
                float(transform.a),
                dataset.width,
                dataset.height,
            )
        else:
            bounds = rasterio.warp.transform_bounds(dataset.crs, area_crs, *dataset.bounds)
            pixels = dataset.width * dataset.height
            resolution = ((bounds[2] - bounds[0]) * (bounds[3] - bounds[1]) / pixels) ** 0.5
            grid = Grid.covering(bounds, float(f"{resolution:.2g}"), area_crs)
        return RasterInfo(
            layer.name,
            path,
            crs,
            transform,
            dataset.width,
            dataset.height,
            dataset.nodata,
            dataset.dtypes[0],
            layer.unit,
            grid,
        )


def read(path: Path, grid: Grid, resampling: str) -> Raster:
    """Return a raster on a grid; only the part under the grid is read.

    Parameters
    ----------
    path
        The GeoTIFF.
    grid
        Target, in any projected CRS; may reach beyond the raster.
    resampling
        One of `RESAMPLINGS`. ``"sum"`` spreads each cell of counts over the
        pixels by the share of its area in each, so the total is kept.

    Returns
    -------
    Raster
        float32, NaN where there is no data.
    """
    if resampling not in RESAMPLINGS:
        raise InputError(
            "There is no resampling {name}; known: {known}",
            name=resampling,
            known=", ".join(RESAMPLINGS),
        )
    with _opened(path) as dataset:
        offset = _aligned_offset(dataset, grid)
        if offset is not None:
            row, column = offset
            return Raster(grid, read_window(dataset, row, column, grid.height, grid.width))
        if dataset.crs is None:
            raise _damaged(path)
        try:
            with WarpedVRT(
                dataset,
                src_crs=_source_crs(dataset),
                crs=grid.crs,
                transform=grid.transform,
                width=grid.width,
                height=grid.height,
                resampling=Resampling[resampling],
                src_nodata=dataset.nodata,
                nodata=np.nan,
                dtype="float32",
                tolerance=_TOLERANCE_PX,
                **_scale(dataset, grid, resampling),
            ) as warped:
                return Raster(grid, warped.read(1))
        except rasterio.errors.RasterioError as error:
            raise _damaged(path) from error


def read_window(
    dataset: rasterio.DatasetReader, row: int, column: int, height: int, width: int
) -> NDArray[np.float32]:
    """Return a window as float32 with NaN for no data, also beyond the raster's edge.

    Parameters
    ----------
    dataset
        Open raster.
    row, column
        Upper left pixel; may lie outside.
    height, width
        Size in pixels.

    Returns
    -------
    NDArray of float32
        The values.
    """
    out = np.full((height, width), np.nan, np.float32)
    row_0, row_1 = max(row, 0), min(row + height, dataset.height)
    column_0, column_1 = max(column, 0), min(column + width, dataset.width)
    if row_0 >= row_1 or column_0 >= column_1:
        return out
    window = Window(column_0, row_0, column_1 - column_0, row_1 - row_0)
    try:
        values = dataset.read(1, window=window)
    except rasterio.errors.RasterioError as error:
        raise _damaged(Path(dataset.name)) from error
    part = values.astype(np.float32)
    if dataset.nodata is not None:
        part[values == dataset.nodata] = np.nan
    out[row_0 - row : row_1 - row, column_0 - column : column_1 - column] = part
    return out


def strips(dataset: rasterio.DatasetReader) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield the whole raster in strips, each with its first row.

    Parameters
    ----------
    dataset
        Open raster.

    Yields
    ------
    tuple
        First row and values (float32, NaN for no data).
    """
    rows = max(512, _STRIP_PIXELS // dataset.width // 512 * 512)
    for row in range(0, dataset.height, rows):
        count = min(rows, dataset.height - row)
        yield row, read_window(dataset, row, 0, count, dataset.width)


def content_hash(path: Path) -> str:
    """Return a hash of a raster's frame and values, whatever its compression.

    Parameters
    ----------
    path
        The GeoTIFF.

    Returns
    -------
    str
        SHA-256 in hexadecimal.
    """
    digest = hashlib.sha256()
    with _opened(path) as dataset:
        frame = (_crs_text(dataset.crs), tuple(dataset.transform)[:6], dataset.shape)
        digest.update(repr(frame).encode())
        for _, values in strips(dataset):
            values[np.isnan(values)] = np.nan
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


@contextmanager
def opened(path: Path) -> Iterator[rasterio.DatasetReader]:
    """Open a raster; a file that is none gives a readable error.

    Parameters
    ----------
    path
        The file.

    Yields
    ------
    DatasetReader
        The open raster.
    """
    with _opened(path) as dataset:
        yield dataset


@contextmanager
def _opened(path: Path) -> Iterator[rasterio.DatasetReader]:
    try:
        dataset = rasterio.open(path)
    except rasterio.errors.RasterioError as error:
        if not path.exists():
            raise FileNotFoundError(path) from error
        raise _damaged(path) from error
    with dataset:
        yield dataset


def crosses_antimeridian(dataset: rasterio.DatasetReader) -> bool:
    """Return whether the longitudes of a raster run on beyond 180 degrees.

    Parameters
    ----------
    dataset
        Open raster.

    Returns
    -------
    bool
        Whether it does.
    """
    if dataset.crs is None or not dataset.crs.is_geographic:
        return False
    pixel = abs(dataset.transform.a)
    return bool(dataset.bounds.left < -180.0 - pixel or dataset.bounds.right > 180.0 + pixel)


def _scale(dataset: rasterio.DatasetReader, grid: Grid, resampling: str) -> dict[str, float]:
    """Return by how much pixels of a raster are shrunk, for resampling by a kernel.

    GDAL would work it out anew from each window it is asked for, extra pixels at
    the edges included, so that heights differed by metres between windows.
    """
    if resampling not in ("bilinear", "cubic"):
        return {}
    width, height = dataset.width, dataset.height
    # A pixel in the middle of the raster and its neighbours along both axes.
    x = 0.5 * width + np.array([0.0, 1.0, 0.0])
    y = 0.5 * height + np.array([0.0, 0.0, 1.0])
    there_x, there_y = rasterio.warp.transform(
        dataset.crs, grid.crs, *(values.tolist() for values in dataset.transform @ (x, y))
    )
    across = np.hypot(there_x[1] - there_x[0], there_y[1] - there_y[0]) / grid.resolution_m
    down = np.hypot(there_x[2] - there_x[0], there_y[2] - there_y[0]) / grid.resolution_m
    return {
        name: float(size) if np.isfinite(size) and size < 0.95 else 1.0
        for name, size in (("XSCALE", across), ("YSCALE", down))
    }


def _source_crs(dataset: rasterio.DatasetReader) -> Any:
    """Return the CRS of a raster such that places on both sides of 180 degrees are found in it."""
    if not crosses_antimeridian(dataset):
        return dataset.crs
    middle = 0.5 * (dataset.bounds.left + dataset.bounds.right)
    return rasterio.CRS.from_string(f"+proj=longlat +datum=WGS84 +lon_wrap={middle:.6f} +no_defs")


def _damaged(path: Path) -> InputError:
    return InputError("{file} is damaged or is not a raster", file=path.name)


def _copy(dataset: Any, path: Path, layer: RasterLayer, block_px: int) -> None:
    integer = np.issubdtype(np.dtype(dataset.dtypes[0]), np.integer)
    try:
        rasterio.shutil.copy(
            dataset,
            path,
            driver="COG",
            COMPRESS="DEFLATE",
            PREDICTOR="YES",
            BLOCKSIZE=block_px,
            # An overview is for looking only; classes must not be averaged.
            OVERVIEW_RESAMPLING="NEAREST"
            if layer.resampling == "nearest" or integer
            else "AVERAGE",
            BIGTIFF="IF_SAFER",
            NUM_THREADS="1",
        )
    except rasterio.errors.RasterioError as error:
        raise InputError(
            "The raster {name} cannot be written: {reason}", name=layer.name, reason=str(error)
        ) from error


def _check_frame(dataset: Any, layer: RasterLayer, source: Path) -> None:
    if dataset.crs is None:
        raise InputError(
            "{file}: the raster has no CRS; expected a coordinate reference system, "
            "such as EPSG:4326",
            file=source.name,
        )
    if dataset.count != 1:
        raise InputError(
            "{file}: the raster has {count} bands; expected one band with {description}",
            file=source.name,
            count=dataset.count,
            description=layer.description,
        )
    transform = dataset.transform
    if transform.b != 0 or transform.d != 0 or transform.a <= 0 or transform.e >= 0:
        raise InputError(
            "{file}: the raster is rotated or has no position; expected rows from north to south",
            file=source.name,
        )


def _check_values(dataset: Any, layer: RasterLayer, file: str) -> None:
    """Refuse values out of range: usually nodata that is not declared, or another unit."""
    seen = False
    for first, values in strips(dataset):
        known = ~np.isnan(values)
        seen |= bool(known.any())
        wrong = known & ((values < layer.minimum) | (values > layer.maximum))
        if wrong.any():
            row, column = (int(k[0]) for k in np.nonzero(wrong))
            raise InputError(
                "{file}, row {row}, column {column}: {value} in {count} or more pixels (expected "
                "{minimum} to {maximum} {unit}; a value for missing data must be declared as "
                "nodata)",
                file=file,
                row=first + row + 1,
                column=column + 1,
                value=f"{values[row, column]:g}",
                count=int(wrong.sum()),
                minimum=f"{layer.minimum:g}",
                maximum=f"{layer.maximum:g}",
                unit=layer.unit,
            )
    if not seen:
        raise InputError("{file}: the raster has no data in any pixel", file=file)


def _same_crs(one: Any, other: Any) -> bool:
    return bool(pyproj.CRS(one).equals(pyproj.CRS(other), ignore_axis_order=True))


def _crs_text(crs: Any) -> str:
    if crs is None:
        return ""
    authority = crs.to_authority()
    return ":".join(authority) if authority else str(crs.to_wkt())


def _aligned_offset(dataset: Any, grid: Grid) -> tuple[int, int] | None:
    """Return row and column of the grid's corner if the grid is a window of the raster."""
    transform = dataset.transform
    resolution = grid.resolution_m
    if not (
        abs(transform.a - resolution) <= 1e-9 * resolution
        and abs(-transform.e - resolution) <= 1e-9 * resolution
        and _same_crs(dataset.crs.to_wkt(), grid.crs)
    ):
        return None
    column = (grid.x_min - transform.c) / resolution
    row = (transform.f - grid.y_max) / resolution
    if abs(column - round(column)) > 1e-6 or abs(row - round(row)) > 1e-6:
        return None
    return round(row), round(column)
