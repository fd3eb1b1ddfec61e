"""The user's own files as a source of a study area: boundaries, layers, rasters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyogrio.errors
import rasterio
import rasterio.errors
import rasterio.merge
import rasterio.warp
import shapely

from data import rasters, schema
from data.area import Provenance
from data.errors import InputError, ValidationError
from data.importers.table import read_table
from data.sources.ingredients import RasterSource, VectorSource, sha256_of
from data.sources.source import Place, Reading
from data.study_area import lonlat_bounds

#: Endings of tiles that a folder may hold.
_TILES = (".tif", ".tiff", ".hgt", ".hgt.zip", ".vrt", ".img")

_SRTM_NAME = re.compile(r"[NS]\d{2}[EW]\d{3}", re.IGNORECASE)


def place_of_bounds(bounds: Sequence[float], name: str = "") -> Place:
    """Return the place of a box.

    Parameters
    ----------
    bounds
        West, south, east, north in WGS 84; a west greater than the east crosses the
        antimeridian. [deg]
    name
        What to call it; a name made of the numbers if empty.

    Returns
    -------
    Place
        With the box as its outline.

    Raises
    ------
    InputError
        If the numbers are no box on Earth.

    Examples
    --------
    >>> place_of_bounds((177, -19, -178, -16)).bounds
    (177.0, -19.0, 182.0, -16.0)
    """
    west, south, east, north = (float(value) for value in bounds)
    if not all(np.isfinite([west, south, east, north])) or not (
        -180.0 <= west <= 180.0 and -180.0 <= east <= 360.0 and -90.0 <= south < north <= 90.0
    ):
        raise InputError(
            "{west}, {south}, {east}, {north} is no box on Earth (expected west, south, east, "
            "north in degrees, longitudes from -180 to 180, latitudes from -90 to 90, south less "
            "than north)",
            west=f"{west:g}",
            south=f"{south:g}",
            east=f"{east:g}",
            north=f"{north:g}",
        )
    if east <= west:
        east += 360.0
    if not 0.0 < east - west <= 180.0:
        raise InputError(
            "The box is {width} degrees wide (expected more than 0 and at most 180)",
            width=f"{east - west:g}",
        )
    said = name or f"{west:g} {south:g} {east:g} {north:g}"
    return Place(said, (west, south, east, north), outline=shapely.box(west, south, east, north))


def place_of_boundary(path: Path, name: str = "") -> Place:
    """Return the place whose boundary a file holds.

    Parameters
    ----------
    path
        Polygons in a file that GDAL reads: GeoPackage, GeoJSON, Shapefile (also in a
        zip), KML.
    name
        What to call it; the file's name if empty.

    Returns
    -------
    Place
        The union of the polygons.

    Raises
    ------
    InputError
        If the file cannot be read, holds no polygon or has no CRS.
    """
    shapes = _polygons(path).geometry
    west, south, east, north = lonlat_bounds(shapes)
    there = shapes.to_crs("EPSG:4326").to_numpy()
    if east > 180.0:
        there = shapely.transform(
            there,
            lambda xy: np.column_stack([west + (xy[:, 0] - west + 1e-9) % 360.0 - 1e-9, xy[:, 1]]),
        )
    valid = np.where(shapely.is_valid(there), there, shapely.make_valid(there))
    return Place(
        name or path.name.split(".")[0],
        (west, south, east, north),
        outline=shapely.union_all(valid),
    )


def _polygons(path: Path) -> gpd.GeoDataFrame:
    if not path.exists():
        raise InputError("There is no file {file}", file=path)
    try:
        frame = gpd.read_file(path)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError) as error:
        raise InputError(
            "{file} cannot be read as a map (expected GeoPackage, GeoJSON, Shapefile or KML)",
            file=path.name,
        ) from error
    if not isinstance(frame, gpd.GeoDataFrame) or "geometry" not in frame:
        raise InputError("{file} holds no geometry (expected polygons)", file=path.name)
    kind = frame.geometry.geom_type.isin(["Polygon", "MultiPolygon"])
    frame = frame[kind.to_numpy(bool)].reset_index(drop=True)
    if not len(frame):
        raise InputError("{file} holds no polygon", file=path.name)
    if frame.crs is None:
        raise InputError(
            "{file} has no CRS (expected a coordinate reference system, such as EPSG:4326)",
            file=path.name,
        )
    return frame


def read(part: str, path: Path, place: Place, folder: Path) -> Reading:
    """Read the user's file for a layer or raster.

    Parameters
    ----------
    part
        Layer or raster.
    path
        A file; for rasters also a folder of tiles, which are put together.
    place
        Where; only as much as lies there is put together of tiles.
    folder
        For files that have to be made.

    Returns
    -------
    Reading
        The layer or raster.

    Raises
    ------
    InputError
        If the file is missing or is not what the part needs.
    """
    if not path.exists():
        raise InputError("There is no file {file}", file=path)
    if part in schema.RASTERS:
        return Reading(rasters={part: _raster(part, path, place, folder)})
    schema.layer_named(part)
    if path.is_dir():
        raise InputError("{file} is a folder (expected a file)", file=path)
    if part == "zones":
        return Reading(layers={part: _zones(path)})
    frame = read_table(path, part)
    found = schema.examine(part, frame, file=path.name)
    if found.errors:
        raise ValidationError(found.errors)
    return Reading(layers={part: VectorSource(found.frame, _provenance(path))})


def _provenance(path: Path, method: str = "") -> Provenance:
    return Provenance(
        source=f"The user's file {path.name}",
        licence="the user's own; not stated",
        vintage="not stated",
        url_or_file=path.name,
        sha256=sha256_of(path) if path.is_file() else "",
        method=method,
    )


def _zones(path: Path) -> VectorSource:
    """Read zones; what a plain file of boundaries lacks is made up and said."""
    frame = _polygons(path)
    said = []
    if "code" not in frame:
        frame["code"] = [str(k + 1) for k in range(len(frame))]
        said.append("codes are the numbers of the rows")
    frame["code"] = frame["code"].astype(str)
    if "name" not in frame:
        text = [
            str(column)
            for column in frame.columns
            if column not in ("code", "geometry") and pd.api.types.is_string_dtype(frame[column])
        ]
        named = next((column for column in text if "name" in column.lower()), None)
        if named is None and text:
            named = text[0]
        frame["name"] = frame[named] if named else frame["code"]
        said.append(f"names are those of the column {named}" if named else "names are the codes")
    if "level" not in frame:
        frame["level"] = "commune" if len(frame) > 1 else "province"
        said.append(f"the level is taken to be {frame['level'].iloc[0]}")
    if "parent_code" not in frame:
        frame["parent_code"] = None
    found = schema.examine("zones", frame, file=path.name)
    if found.errors:
        raise ValidationError(found.errors)
    result = found.frame
    # Areas of degrees mean nothing; they are computed in the CRS of the study area.
    result["area_km2"] = np.nan
    return VectorSource(result, _provenance(path, "; ".join(said).capitalize()))


def _raster(part: str, path: Path, place: Place, folder: Path) -> RasterSource:
    if path.is_dir():
        tiles = sorted(
            file for file in path.iterdir() if file.name.lower().endswith(_TILES) and file.is_file()
        )
        if not tiles:
            raise InputError(
                "{folder} holds no tiles (expected files that end in {endings})",
                folder=path,
                endings=", ".join(_TILES),
            )
        made = mosaic(tiles, place, folder / f"{part}-own.tif")
        names = ", ".join(tile.name for tile in tiles)
        return RasterSource(
            made,
            Provenance(
                source=f"The user's tiles in {path.name}: {names}",
                licence="the user's own; not stated",
                vintage="not stated",
                url_or_file=path.name,
                sha256=" ".join(sha256_of(tile) for tile in tiles),
                method="Put together of the tiles that touch the area, on their own grid",
            ),
        )
    where = gdal_path(path)
    if str(where) != str(path):
        made = mosaic([path], place, folder / f"{part}-own.tif")
        return RasterSource(made, _provenance(path))
    with rasters.opened(path) as dataset:
        if dataset.crs is None:
            raise InputError("{file}: the raster has no CRS", file=path.name)
        if dataset.count != 1:
            raise InputError(
                "{file}: the raster has {count} bands (expected one)",
                file=path.name,
                count=dataset.count,
            )
    return RasterSource(path, _provenance(path))


def gdal_path(path: Path) -> str:
    """Return how GDAL opens a file: an SRTM tile in a zip is read where it lies.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    str
        Path for `rasterio.open`.
    """
    name = path.name.lower()
    if name.endswith(".hgt.zip"):
        match = _SRTM_NAME.search(path.name)
        inner = f"{match[0].upper()}.hgt" if match else path.name[:-4]
        return f"/vsizip/{path}/{inner}"
    return str(path)


def mosaic(tiles: Sequence[Path], place: Place, target: Path) -> Path:
    """Put the tiles that touch a place together, on the grid of the first.

    Parameters
    ----------
    tiles
        Rasters of one CRS and pixel size.
    place
        Where.
    target
        File for the result.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    InputError
        If a tile cannot be read, they do not fit together or none touches the place.
    """
    west, south, east, north = place.bounds
    chosen: list[rasterio.DatasetReader] = []
    try:
        for tile in tiles:
            try:
                dataset = rasterio.open(gdal_path(tile))
            except rasterio.errors.RasterioError as error:
                raise InputError("{file} is damaged or is not a raster", file=tile.name) from error
            if dataset.crs is None:
                dataset.close()
                raise InputError("{file}: the raster has no CRS", file=tile.name)
            left, bottom, right, top = rasterio.warp.transform_bounds(
                dataset.crs, "EPSG:4326", *dataset.bounds
            )
            beside = all(
                right + turn <= west or left + turn >= east for turn in (-360.0, 0.0, 360.0)
            )
            if beside or top <= south or bottom >= north:
                dataset.close()
                continue
            chosen.append(dataset)
        if not chosen:
            raise InputError(
                "None of the {count} tiles, such as {file}, touches the area",
                count=len(tiles),
                file=tiles[0].name,
            )
        _check_alike(chosen)
        _merge(chosen, place, target)
    finally:
        for dataset in chosen:
            dataset.close()
    return target


def _check_alike(tiles: list[rasterio.DatasetReader]) -> None:
    first = tiles[0]
    for tile in tiles[1:]:
        if tile.crs != first.crs or not np.allclose(tile.res, first.res, rtol=1e-6):
            raise InputError(
                "{file} does not fit {other}: its CRS or pixel size differs",
                file=Path(tile.name).name,
                other=Path(first.name).name,
            )


def _merge(tiles: list[rasterio.DatasetReader], place: Place, target: Path) -> None:
    """Write the tiles one by one into one file; those beyond 180 degrees run on."""
    first = tiles[0]
    boxes = []
    west, _, east, _ = place.bounds
    for tile in tiles:
        left, bottom, right, top = tile.bounds
        if first.crs.is_geographic:
            turn = 360.0 if right <= west and right + 360.0 > west and left + 360.0 < east else 0.0
            left, right = left + turn, right + turn
        boxes.append((left, bottom, right, top))
    x_0, y_0 = min(box[0] for box in boxes), max(box[3] for box in boxes)
    width = round((max(box[2] for box in boxes) - x_0) / first.res[0])
    height = round((y_0 - min(box[1] for box in boxes)) / first.res[1])
    # Where no tile lies, there is nothing, not sea level.
    empty = {"float32": np.nan, "float64": np.nan, "int16": -32768, "int32": -32768, "uint8": 0}
    nodata = first.nodata if first.nodata is not None else empty.get(first.dtypes[0])
    profile = {
        "driver": "GTiff",
        "width": width,
        "height": height,
        "count": 1,
        "dtype": first.dtypes[0],
        "crs": first.crs,
        "transform": rasterio.Affine(first.res[0], 0.0, x_0, 0.0, -first.res[1], y_0),
        "nodata": nodata,
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "deflate",
        "zlevel": 1,
        "BIGTIFF": "IF_SAFER",
    }
    with rasterio.open(target, "w", **profile) as out:
        for tile, box in zip(tiles, boxes, strict=True):
            column, row = round((box[0] - x_0) / first.res[0]), round((y_0 - box[3]) / first.res[1])
            for start in range(0, tile.height, 512):
                rows = min(512, tile.height - start)
                window = rasterio.windows.Window(0, start, tile.width, rows)
                there = rasterio.windows.Window(column, row + start, tile.width, rows)
                out.write(tile.read(1, window=window), 1, window=there)
