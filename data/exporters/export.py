"""Export a layer: choose the format, prepare the rows, replace the file in one step."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyproj
import pyproj.exceptions

from data import schema
from data.errors import InputError, Message
from data.exporters import kml_file, text_file, vector_file, workbook
from data.exporters.sheet import Sheet, no_progress
from data.interchange import WGS84
from data.store import Workspace

FORMATS: dict[str, tuple[str, ...]] = {
    "geopackage": (".gpkg",),
    "shapefile": (".zip",),
    "kml": (".kml",),
    "kmz": (".kmz",),
    "csv": (".csv",),
    "excel": (".xlsx",),
    "geojson": (".geojson", ".json"),
}
"""Formats and the endings of their files."""

_ONLY_WGS84 = ("kml", "kmz", "geojson")


@dataclass(frozen=True)
class ExportReport:
    """What an export did.

    Parameters
    ----------
    layer
        Layer that was written.
    path
        The file.
    format
        Its format, a key of `FORMATS`.
    rows
        Rows written.
    crs
        CRS of the geometry in the file; empty for a table.
    notes
        What the format could not hold as it is.
    """

    layer: str
    path: Path
    format: str
    rows: int
    crs: str
    notes: list[Message] = field(default_factory=list)


def export(
    workspace: Workspace,
    layer: str,
    path: Path | str,
    *,
    on_progress: Callable[[float], None] = no_progress,
) -> ExportReport:
    """Export a layer to a file of the format that its name ends with.

    Parameters
    ----------
    workspace
        Where from.
    layer
        Layer name.
    path
        The file; one that is there is replaced in one step.
    on_progress
        Called with the fraction done; may raise `CancelledError`.

    Returns
    -------
    ExportReport
        Rows written, and what the format could not hold.

    Raises
    ------
    InputError
        If the workspace has no such layer, the ending is unknown, or the file
        cannot be written.
    """
    return export_layer(workspace, layer, path, on_progress=on_progress)


def export_layer(
    source: Workspace | pd.DataFrame,
    layer: str,
    path: Path | str,
    *,
    format: str | None = None,  # noqa: A002
    crs: str | None = None,
    byte_order_mark: bool = True,
    on_progress: Callable[[float], None] = no_progress,
) -> ExportReport:
    """Export a layer of a workspace, or a frame that has its form.

    Importing the file again gives the same layer, except for what the report
    notes. Tables (CSV, Excel) hold points as columns lon and lat, or x and y
    in another CRS, and lines and polygons as WKT.

    Parameters
    ----------
    source
        The workspace, or the rows.
    layer
        Layer name.
    path
        The file; one that is there is replaced in one step.
    format
        Key of `FORMATS`; by default what the name of the file ends with.
    crs
        CRS of the file; by default that of the layer for GeoPackage and
        Shapefile, WGS 84 for all others.
    byte_order_mark
        Whether a CSV file starts with the mark by which Excel knows UTF-8.
    on_progress
        Called with the fraction done; may raise `CancelledError`.

    Returns
    -------
    ExportReport
        Rows written, and what the format could not hold.

    Raises
    ------
    InputError
        If the layer, the format or the CRS is unknown, or the file cannot be
        written.
    """
    declared = schema.layer_named(layer)
    path = Path(path)
    chosen = _format(path, format)
    on_progress(0.0)
    frame = source if isinstance(source, pd.DataFrame) else source.read(layer)
    frame = schema.conform(layer, frame)
    target_crs = ""
    if isinstance(frame, gpd.GeoDataFrame):
        target_crs = _crs(frame, chosen, crs, layer)
        frame = frame.to_crs(target_crs)
    sheet = Sheet(declared, frame, target_crs, on_progress)
    on_progress(0.05)
    with _replacing(path) as temporary:
        if chosen == "csv":
            text_file.write(sheet, temporary, byte_order_mark=byte_order_mark)
        elif chosen == "excel":
            workbook.write(sheet, temporary)
        elif chosen in ("kml", "kmz"):
            kml_file.write(sheet, temporary, packed=chosen == "kmz")
        elif chosen == "geojson":
            text_file.write_geojson(sheet, temporary)
        elif chosen == "shapefile":
            vector_file.write_shapefile(sheet, temporary, path.name.split(".")[0] or layer)
        else:
            vector_file.write_geopackage(sheet, temporary)
        on_progress(0.95)
    on_progress(1.0)
    return ExportReport(layer, path, chosen, len(frame), target_crs, sheet.notes)


def _format(path: Path, wanted: str | None) -> str:
    if wanted is not None:
        if wanted not in FORMATS:
            raise InputError(
                "There is no format {format}; known formats: {known}",
                format=wanted,
                known=", ".join(FORMATS),
            )
        return wanted
    suffix = path.suffix.lower()
    for name, suffixes in FORMATS.items():
        if suffix in suffixes:
            return name
    if suffix in (".shp", ".dbf", ".shx"):
        raise InputError(
            "{file}: a Shapefile is several files; export it into one archive that ends with .zip",
            file=path.name,
        )
    raise InputError(
        "{file}: the ending says no format that can be written; expected one of {known}",
        file=path.name,
        known=", ".join(suffix for suffixes in FORMATS.values() for suffix in suffixes),
    )


def _crs(frame: gpd.GeoDataFrame, chosen: str, wanted: str | None, layer: str) -> str:
    """Return the CRS of the file; the geometry must have one."""
    if frame.crs is None:
        raise InputError("{layer}: the layer has no CRS", layer=layer)
    if wanted is None:
        if chosen not in ("geopackage", "shapefile"):
            return WGS84
        authority = frame.crs.to_authority()
        return ":".join(authority) if authority else str(frame.crs.to_wkt())
    try:
        same = pyproj.CRS(wanted).equals(pyproj.CRS(WGS84), ignore_axis_order=True)
    except pyproj.exceptions.CRSError as error:
        raise InputError(
            "There is no coordinate reference system {crs}; expected e.g. EPSG:4326", crs=wanted
        ) from error
    if chosen in _ONLY_WGS84 and not same:
        raise InputError(
            "{format} files are always in longitude and latitude (EPSG:4326), not in {crs}",
            format=chosen,
            crs=wanted,
        )
    return wanted


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file that takes the place of another when all went well."""
    if path.is_dir():
        raise InputError("{file} is a folder; expected the name of a file", file=path)
    if not path.parent.is_dir():
        raise InputError("There is no folder {folder}", folder=path.parent)
    try:
        folder = Path(tempfile.mkdtemp(prefix=".tmp-", dir=path.parent))
        try:
            # GDAL goes by the ending.
            temporary = folder / f"export{path.suffix.lower()}"
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise InputError(
            "{file} cannot be written: {reason}", file=path, reason=error.strerror or str(error)
        ) from error
