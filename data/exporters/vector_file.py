"""Write GeoPackages and Shapefiles."""

from __future__ import annotations

import datetime as dt
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio
import pyogrio.errors

from data.errors import InputError, message
from data.exporters.sheet import Column, Sheet, Value
from data.interchange import SIDECAR_SUFFIX, distinct_names, short_names

MAX_TEXT_BYTES = 254
"""Longest text of a Shapefile's table, in bytes of UTF-8."""

_NUMBER_WIDTH = 24
_RESERVED = ("fid", "geom", "ogc_fid")


def write_geopackage(sheet: Sheet, path: Path) -> None:
    """Write a GeoPackage of one layer.

    Parameters
    ----------
    sheet
        The layer.
    path
        File to make.
    """
    frame = sheet.frame
    geometry = frame.active_geometry_name if isinstance(frame, gpd.GeoDataFrame) else None
    names = distinct_names([str(name) for name in frame.columns if name != geometry], _RESERVED)
    for old, new in names.items():
        if old != new:
            sheet.notes.append(
                message("the column {column} is called {name}", column=old, name=new)
            )
    options: dict[str, Any] = {"layer": sheet.layer.name, "driver": "GPKG"}
    if geometry is not None:
        kind = sheet.layer.geometry
        options["geometry_type"] = kind if kind == "Point" else f"Multi{kind}"
        options["layer_options"] = {"GEOMETRY_NAME": "geom", "SPATIAL_INDEX": "YES"}
    _write(frame.rename(columns=names), path, **options)


def _write(frame: pd.DataFrame, path: Path, **options: Any) -> None:
    try:
        pyogrio.write_dataframe(frame, path, **options)
    except (
        pyogrio.errors.DataSourceError,
        pyogrio.errors.DataLayerError,
        pyogrio.errors.FeatureError,
        pyogrio.errors.FieldError,
        pyogrio.errors.GeometryError,
    ) as error:
        raise InputError(
            "{file} cannot be written: {reason}", file=path.name, reason=str(error)
        ) from error


def write_shapefile(sheet: Sheet, path: Path, stem: str) -> None:
    """Write an archive of a Shapefile and of what its format cannot hold.

    The table cuts names to ten characters; a small JSON file in the archive
    has the full ones, by which the importer finds them again.

    Parameters
    ----------
    sheet
        The layer.
    path
        Archive to make.
    stem
        Name of the files in it.
    """
    base = path.parent / "export"
    columns = sheet.columns
    names = short_names([column.name for column in columns])
    parts: dict[str, Path] = {}
    if isinstance(sheet.frame, gpd.GeoDataFrame):
        kind = "Point" if sheet.layer.geometry == "Point" else f"Multi{sheet.layer.geometry}"
        if sheet.layer.geometry == "Polygon":
            kind = "Polygon"
        bare = gpd.GeoDataFrame({"id": range(len(sheet.frame))}, geometry=sheet.shapes)
        bare = bare.set_crs(sheet.frame.crs)
        _write(bare, base.with_suffix(".shp"), driver="ESRI Shapefile", geometry_type=kind)
        parts = {suffix: base.with_suffix(suffix) for suffix in (".shp", ".shx", ".prj")}
    parts[".dbf"] = base.with_suffix(".dbf")
    _write_dbf(sheet, columns, names, parts[".dbf"])
    facts = {
        "layer": sheet.layer.name,
        "crs": sheet.crs,
        "columns": {
            names[column.name]: {"name": column.name, "kind": column.kind} for column in columns
        },
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for suffix, part in parts.items():
            if part.exists():
                archive.write(part, stem + suffix)
        archive.writestr(stem + ".cpg", "UTF-8")
        archive.writestr(
            stem + SIDECAR_SUFFIX, json.dumps(facts, ensure_ascii=False, indent=1) + "\n"
        )


def _write_dbf(sheet: Sheet, columns: list[Column], names: dict[str, str], path: Path) -> None:
    """Write a dBASE table; numbers keep every digit, which GDAL's own do not."""
    encoded = [_encoded(sheet, column) for column in columns]
    types = [_dbf_type(column) for column in columns]
    widths = [
        {"N": _NUMBER_WIDTH, "L": 1, "D": 8}.get(kind, max((len(v) for v in values), default=1))
        for kind, values in zip(types, encoded, strict=True)
    ]
    widths = [max(width, 1) for width in widths]
    today = dt.datetime.now(tz=dt.UTC)
    header = struct.pack(
        "<4BLHH20x",
        3,
        today.year - 1900,
        today.month,
        today.day,
        len(sheet.frame),
        32 + 32 * len(columns) + 1,
        1 + sum(widths),
    )
    with path.open("wb") as file:
        file.write(header)
        for column, kind, width in zip(columns, types, widths, strict=True):
            decimals = 15 if kind == "N" and column.kind == "number" else 0
            short = names[column.name].encode("ascii")
            file.write(struct.pack("<11sc4xBB14x", short, kind.encode(), width, decimals))
        file.write(b"\r")
        padded = [
            [value.rjust(width) if kind == "N" else value.ljust(width) for value in values]
            for kind, values, width in zip(types, encoded, widths, strict=True)
        ]
        count = max(len(sheet.frame), 1)
        for position, row in enumerate(zip(*padded, strict=True)):
            if position % 2_000 == 0:
                sheet.on_progress(0.3 + 0.6 * position / count)
            file.write(b" " + b"".join(row))
        file.write(b"\x1a")


def _dbf_type(column: Column) -> str:
    return {"number": "N", "whole": "N", "flag": "L", "date": "D"}.get(column.kind, "C")


def _encoded(sheet: Sheet, column: Column) -> list[bytes]:
    kind = _dbf_type(column)
    if kind != "C":
        return [_fixed(value, kind) for value in column.values]
    texts = [b"" if value is None else str(value).encode("utf-8") for value in column.values]
    long = sum(len(text) > MAX_TEXT_BYTES for text in texts)
    if long:
        sheet.notes.append(
            message(
                "{count} texts of the column {column} were cut to {limit} bytes",
                count=long,
                column=column.name,
                limit=MAX_TEXT_BYTES,
            )
        )
    # The cut may fall within a character.
    return [
        text
        if len(text) <= MAX_TEXT_BYTES
        else text[:MAX_TEXT_BYTES].decode("utf-8", "ignore").encode("utf-8")
        for text in texts
    ]


def _fixed(value: Value, kind: str) -> bytes:
    if value is None:
        return b"?" if kind == "L" else b""
    if kind == "L":
        return b"T" if value else b"F"
    if kind == "D":
        return str(value).replace("-", "").encode("ascii")
    return repr(value).encode("ascii")
