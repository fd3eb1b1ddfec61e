"""Write KML and KMZ with typed attributes, for Google Earth and GIS programs."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import shapely

from data.exporters.sheet import Column, Sheet, Value

_TYPES = {"text": "string", "date": "string", "number": "double", "whole": "int", "flag": "bool"}


def write(sheet: Sheet, path: Path, *, packed: bool) -> None:
    """Write a KML file, or the archive of one.

    Parameters
    ----------
    sheet
        The layer, in longitude and latitude.
    path
        File to make.
    packed
        Whether to make a KMZ.
    """
    if not packed:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(_document(sheet))
        return
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("doc.kml", "w", force_zip64=True) as part,
    ):
        for text in _document(sheet):
            part.write(text.encode("utf-8"))


def _document(sheet: Sheet) -> Iterator[str]:
    name = sheet.layer.name
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
        f"<name>{_escaped(name)}</name>\n"
        f'<Schema name="{name}" id="{name}">\n'
    )
    for column in sheet.columns:
        yield f'<SimpleField name={_quoted(column.name)} type="{_TYPES[column.kind]}"/>\n'
    yield "</Schema>\n"
    shapes = sheet.rounded_shapes
    label = next((k for k, column in enumerate(sheet.columns) if column.name == "name"), None)
    for position, row in enumerate(sheet.rows(sheet.columns)):
        shown = None if label is None else row[label]
        title = "" if shown is None else f"<name>{_escaped(str(shown))}</name>"
        shape = "" if shapes is None else _geometry(shapes[position])
        data = "".join(
            _data(column, value) for column, value in zip(sheet.columns, row, strict=True)
        )
        yield (
            f'<Placemark>{title}<ExtendedData><SchemaData schemaUrl="#{name}">{data}'
            f"</SchemaData></ExtendedData>{shape}</Placemark>\n"
        )
    yield "</Document></kml>\n"


def _data(column: Column, value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        text = "true" if value else "false"
    else:
        text = value if isinstance(value, str) else repr(value)
    return f"<SimpleData name={_quoted(column.name)}>{_escaped(text)}</SimpleData>"


def _escaped(text: str) -> str:
    # Readers of XML turn a bare carriage return into a line feed.
    return escape(text, {"\r": "&#13;"})


def _quoted(text: str) -> str:
    return quoteattr(text, {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"})


def _geometry(shape: Any) -> str:
    """Return KML of a point, line or polygon, or of several."""
    if shape is None or shape.is_empty:
        return ""
    if shape.geom_type.startswith("Multi"):
        parts = "".join(_geometry(part) for part in shape.geoms)
        return f"<MultiGeometry>{parts}</MultiGeometry>" if len(shape.geoms) > 1 else parts
    if shape.geom_type == "Point":
        return f"<Point>{_coordinates(shape)}</Point>"
    if shape.geom_type == "LineString":
        return f"<LineString>{_coordinates(shape)}</LineString>"
    holes = "".join(
        f"<innerBoundaryIs><LinearRing>{_coordinates(ring)}</LinearRing></innerBoundaryIs>"
        for ring in shape.interiors
    )
    return (
        f"<Polygon><outerBoundaryIs><LinearRing>{_coordinates(shape.exterior)}</LinearRing>"
        f"</outerBoundaryIs>{holes}</Polygon>"
    )


def _coordinates(shape: Any) -> str:
    places = shapely.get_coordinates(shape)
    text = " ".join(f"{x:.9f},{y:.9f}" for x, y in places.tolist())
    return f"<coordinates>{text}</coordinates>"
