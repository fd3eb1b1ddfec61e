"""Put a raster file into a workspace: terrain, land cover, population, building heights."""

from __future__ import annotations

from pathlib import Path

import rasterio
import rasterio.errors
import rasterio.warp
import shapely

from data import check, schema
from data.area import Provenance
from data.errors import InputError, Problem
from data.sources.ingredients import sha256_of
from data.store import Workspace


def import_raster(
    workspace: Workspace,
    name: str,
    path: Path,
    *,
    source_name: str = "",
    licence: str = "",
    vintage: str = "",
) -> list[Problem]:
    """Check a raster file and put it in place of a workspace's raster.

    Parameters
    ----------
    workspace
        The study area.
    name
        Raster of the registry: terrain, clutter, population, building_height.
    path
        A file that GDAL reads, in any CRS.
    source_name, licence, vintage
        For its provenance.

    Returns
    -------
    list of Problem
        What is doubtful, e.g. parts of the area without data.

    Raises
    ------
    InputError
        If the file cannot be used or lies beside the study area; the workspace
        keeps what it had.
    """
    schema.raster_named(name)
    if not path.is_file():
        raise InputError("There is no file {file}", file=path)
    if workspace.has("zones"):
        _check_place(workspace, path)
    workspace.write_raster(
        name,
        path,
        Provenance(
            source=source_name or path.name,
            licence=licence,
            vintage=vintage,
            url_or_file=path.name,
            sha256=sha256_of(path),
            method="Imported by the user",
        ),
        undoable=(f"import of {name}", path.name),
    )
    return [problem for problem in check.check(workspace) if problem.layer == name]


def _check_place(workspace: Workspace, path: Path) -> None:
    """Refuse a raster that does not touch the study area."""
    try:
        with rasterio.open(path) as source:
            crs, bounds = source.crs, source.bounds
    except (rasterio.errors.RasterioIOError, OSError):
        return  # the store says what is wrong with the file
    if crs is None:
        return
    west, south, east, north = rasterio.warp.transform_bounds(crs, workspace.area.crs, *bounds)
    area = shapely.box(*workspace.analysis_grid().bounds)
    if not shapely.box(west, south, east, north).intersects(area):
        raise InputError(
            "{file} lies wholly outside the study area (it covers x {west} to {east}, y {south} to "
            "{north} in {crs})",
            file=path.name,
            west=round(west),
            east=round(east),
            south=round(south),
            north=round(north),
            crs=workspace.area.crs,
        )
