"""Read KML and KMZ: placemarks with their folders, attributes and geometry.

Only what the file itself says is read: links to other files are not followed,
and a document with a document type or entities of its own is refused.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import IO, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from data.errors import InputError, Message, Problem, message
from data.importers import rows as tables
from data.importers.archive import Archive, chosen
from data.importers.header import Wanted
from data.importers.numbers import read_numbers
from data.importers.source_file import MAX_COLUMNS, SourceFile, check_count
from data.interchange import WGS84

MAX_DEPTH = 200
"""Deepest nesting of elements."""

_SHAPES = ("Point", "LineString", "LinearRing", "Polygon", "MultiGeometry", "Track", "Model")
_NUMBERS = ("double", "float")
_WHOLES = ("int", "uint", "short", "ushort", "long")
_EXPECTED = message("expected coordinates as longitude,latitude")


def read(
    source: SourceFile, archive: Archive | None, wanted: Wanted, table: str | None
) -> tables.Rows:
    """Read the placemarks of a file.

    Parameters
    ----------
    source
        The file.
    archive
        The same as an archive, for KMZ.
    wanted
        What it is for.
    table
        Which KML file of the archive, where it has several.

    Returns
    -------
    Rows
        One row per placemark, numbered from 1, with its geometry in WGS 84.

    Raises
    ------
    InputError
        If it is damaged or holds no placemark.
    """
    if archive is None:
        content = source.bytes()
    else:
        names = archive.with_suffix(".kml")
        main = [name for name in names if name.lower() == "doc.kml"]
        groups = {name.rsplit("/", 1)[-1][:-4]: [name] for name in names}
        if table is None and main:
            content = archive.read(main[0])
        else:
            content = archive.read(chosen(groups, archive, table, wanted.layer.name)[0])
    reader = _parsed(content, wanted)
    if not reader.placemarks:
        raise InputError("{file} has no rows", file=wanted.name)
    return _rows(reader, wanted)


def _parsed(content: bytes, wanted: Wanted) -> _Reader:
    import defusedxml.ElementTree as ET  # noqa: N817
    from defusedxml.common import DefusedXmlException

    for attempt in (content, None):
        reader = _Reader(wanted.name)
        stream: IO[bytes] = io.BytesIO(content if attempt is not None else _with_prefixes(content))
        try:
            for event, element in ET.iterparse(stream, ("start", "end"), forbid_dtd=True):
                (reader.start if event == "start" else reader.end)(element)
        except DefusedXmlException as error:
            raise InputError(
                "{file} has a document type or entities of its own, which are not read; save it "
                "as plain KML",
                file=wanted.name,
            ) from error
        except (ET.ParseError, LookupError, ValueError) as error:
            if attempt is not None and "unbound prefix" in str(error):
                continue
            raise InputError(
                "{file} is damaged or is not {what}", file=wanted.name, what=message("KML")
            ) from error
        else:
            break
    return reader


def _with_prefixes(content: bytes) -> bytes:
    """Declare the prefixes that a document uses without saying what they are."""
    used = set(re.findall(rb"[<\s/]([A-Za-z][\w.-]*):[A-Za-z]", content)) - {b"xmlns", b"xml"}
    known = set(re.findall(rb"xmlns:([\w.-]+)\s*=", content))
    names = b"".join(b' xmlns:%s="urn:%s"' % (name, name) for name in sorted(used - known))
    return re.sub(rb"<([\w:.-]*kml)\b", lambda found: found.group() + names, content, count=1)


@dataclass(eq=False)
class _Placemark:
    """One row.

    Parameters
    ----------
    data
        Attributes.
    name, description, folder
        What the program that made it shows.
    shape
        Geometry, or None.
    fault
        What is wrong with the geometry.
    """

    data: dict[str, str] = field(default_factory=dict)
    name: str | None = None
    description: str | None = None
    folder: str | None = None
    shape: Any = None
    fault: str | Message | None = None


class _Reader:
    """Take up the elements of a document one by one."""

    def __init__(self, name: str) -> None:
        self.placemarks: list[_Placemark] = []
        self.types: dict[str, str] = {}
        self.altitude = False
        self._name = name
        self._path: list[str] = []
        self._folders: list[str] = []
        self._inside = 0

    def start(self, element: Any) -> None:
        """Take up the start of an element."""
        tag = _local(element)
        self._path.append(tag)
        if len(self._path) > MAX_DEPTH:
            raise InputError(
                "{file} is damaged or is not {what}", file=self._name, what=message("KML")
            )
        if tag == "Folder":
            self._folders.append("")
        elif tag == "Placemark":
            self._inside += 1

    def end(self, element: Any) -> None:
        """Take up the end of an element."""
        tag = self._path.pop()
        if tag == "Placemark":
            self._inside -= 1
            self._placemark(element)
            element.clear()
            check_count(len(self.placemarks), self._name)
        elif self._inside:
            return
        elif tag == "name" and self._path[-1:] == ["Folder"]:
            self._folders[-1] = (element.text or "").strip()
        elif tag == "Folder":
            self._folders.pop()
            element.clear()
        elif tag == "SimpleField" and element.get("name"):
            self.types[element.get("name")] = str(element.get("type", "string")).lower()
        elif tag not in ("Schema", "Document", "kml"):
            element.clear()

    def _placemark(self, element: Any) -> None:
        placemark = _Placemark()
        if any(self._folders):
            placemark.folder = " / ".join(name for name in self._folders if name)
        for child in element:
            tag = _local(child)
            if tag == "name":
                placemark.name = "".join(child.itertext())
            elif tag == "description":
                placemark.description = "".join(child.itertext()).strip()
            elif tag == "ExtendedData":
                placemark.data.update(_extended(child))
            elif tag in _SHAPES:
                try:
                    placemark.shape = self._shape(child)
                except _ShapeError as error:
                    placemark.fault = error.said
        self.placemarks.append(placemark)

    def _shape(self, element: Any) -> Any:
        tag = _local(element)
        if tag == "Point":
            places = self._coordinates(element)
            if len(places) != 1:
                raise _ShapeError(message("a point of {count} places", count=len(places)))
            return shapely.Point(places[0])
        if tag in ("LineString", "LinearRing"):
            places = self._coordinates(element)
            if len(places) < 2:
                raise _ShapeError(message("a line of {count} places", count=len(places)))
            return shapely.LineString(places)
        if tag == "Polygon":
            rings: dict[str, list[Any]] = {"outerBoundaryIs": [], "innerBoundaryIs": []}
            for boundary in element:
                for ring in boundary:
                    if _local(boundary) in rings and _local(ring) == "LinearRing":
                        rings[_local(boundary)].append(self._ring(ring))
            if len(rings["outerBoundaryIs"]) != 1:
                raise _ShapeError(message("a polygon without outer boundary"))
            return shapely.Polygon(rings["outerBoundaryIs"][0], rings["innerBoundaryIs"])
        if tag == "MultiGeometry":
            return _collected([self._shape(part) for part in element if _local(part) in _SHAPES])
        raise _ShapeError(message("a geometry of kind {kind}, which is not read", kind=tag))

    def _ring(self, element: Any) -> list[tuple[float, float]]:
        places = self._coordinates(element)
        if len(set(places)) < 3:
            raise _ShapeError(message("a ring of {count} places", count=len(places)))
        return places

    def _coordinates(self, element: Any) -> list[tuple[float, float]]:
        text = next((child.text or "" for child in element if _local(child) == "coordinates"), "")
        # Some programs put blanks after the commas.
        text = re.sub(r"\s*,\s*", ",", text.strip())
        places = []
        for word in text.split():
            parts = word.split(",")
            try:
                place = (float(parts[0]), float(parts[1]))
            except (ValueError, IndexError):
                raise _ShapeError(f"'{word[:60]}'") from None
            if not np.isfinite(place).all():
                raise _ShapeError(f"'{word[:60]}'")
            self.altitude |= len(parts) > 2 and parts[2] not in ("0", "0.0", "")
            places.append(place)
        if not places:
            raise _ShapeError(message("no coordinates"))
        return places


class _ShapeError(Exception):
    def __init__(self, said: str | Message) -> None:
        super().__init__(str(said))
        self.said = said


def _local(element: Any) -> str:
    return str(element.tag).rsplit("}", 1)[-1]


def _collected(shapes: list[Any]) -> Any:
    """Return several shapes as one of the Multi form, where they are of one kind."""
    flat = [part for shape in shapes for part in (getattr(shape, "geoms", None) or [shape])]
    kinds = {shape.geom_type for shape in flat}
    if not flat:
        raise _ShapeError(message("no coordinates"))
    if len(flat) == 1:
        return flat[0]
    if kinds == {"Polygon"}:
        return shapely.MultiPolygon(flat)
    if kinds == {"LineString"}:
        return shapely.MultiLineString(flat)
    if kinds == {"Point"}:
        return shapely.MultiPoint(flat)
    return shapely.GeometryCollection(flat)


def _extended(element: Any) -> Iterator[tuple[str, str]]:
    """Yield the attributes of a placemark, of both ways in which KML has them."""
    for child in element:
        if _local(child) == "Data" and child.get("name"):
            value = next((part.text for part in child if _local(part) == "value"), None)
            if value is not None:
                yield child.get("name"), value
        elif _local(child) == "SchemaData":
            for part in child:
                if _local(part) == "SimpleData" and part.get("name") and part.text is not None:
                    yield part.get("name"), part.text


# From placemarks to a table


def _rows(reader: _Reader, wanted: Wanted) -> tables.Rows:
    placemarks = reader.placemarks
    # Columns that are empty in every row are only in the declaration of types.
    names = dict.fromkeys(list(reader.types)[:MAX_COLUMNS])
    described = [_described(placemark.description) for placemark in placemarks]
    for placemark, (pairs, _) in zip(placemarks, described, strict=True):
        names.update(dict.fromkeys(placemark.data))
        names.update(dict.fromkeys(pairs))
        if len(names) > MAX_COLUMNS:
            raise InputError(
                "{file}, row {row}: the row has {count} columns; the most is {limit}",
                file=wanted.name,
                row=len(placemarks),
                count=len(names),
                limit=MAX_COLUMNS,
            )
    columns: dict[str, list[Any]] = {
        name: [
            placemark.data.get(name, pairs.get(name))
            for placemark, (pairs, _) in zip(placemarks, described, strict=True)
        ]
        for name in names
    }
    extra = {
        "name": [placemark.name for placemark in placemarks],
        "description": [rest for _, rest in described],
        "folder": [placemark.folder for placemark in placemarks],
    }
    lower = {name.lower() for name in columns}
    columns |= {name: values for name, values in extra.items() if name not in lower and any(values)}
    index = pd.RangeIndex(1, len(placemarks) + 1, name="row")
    frame = pd.DataFrame(
        {name: pd.Series(values, index=index, dtype=object) for name, values in columns.items()},
        index=index,
    )
    frame.columns = pd.Index(wanted.mapped([str(name) for name in frame.columns]), dtype=object)
    for name, kind in reader.types.items():
        if name in frame.columns:
            frame[name] = _typed(frame[name], kind)
    problems = read_numbers(frame, wanted)
    shapes = np.array([placemark.shape for placemark in placemarks], dtype=object)
    if wanted.layer.geometry is None or not any(shape is not None for shape in shapes):
        found = tables.Rows(frame, None, problems)
    else:
        geometry = gpd.GeoSeries(shapes, index=index, crs=WGS84)
        found = tables.Rows(gpd.GeoDataFrame(frame, geometry=geometry), None, problems)
    _note_faults(reader, found, wanted)
    return found


def _note_faults(reader: _Reader, found: tables.Rows, wanted: Wanted) -> None:
    if wanted.layer.geometry is None:
        return
    found.problems += [
        Problem(wanted.layer.name, row, "geometry", placemark.fault, _EXPECTED, wanted.name)
        for row, placemark in enumerate(reader.placemarks, start=1)
        if placemark.fault is not None
    ]
    if reader.altitude:
        found.problems.append(
            tables.note(
                wanted, message("the heights of the places are not read"), _EXPECTED, "geometry"
            )
        )


def _typed(values: pd.Series, kind: str) -> pd.Series:
    """Return values in the type that the file declares, if all of them have it."""
    if kind in _NUMBERS + _WHOLES:
        numbers = pd.to_numeric(values, errors="coerce")
        if (numbers.isna() & values.notna()).any():
            return values
        if kind in _WHOLES and numbers.notna().all() and (numbers == numbers.round()).all():
            return numbers.astype("int64")
        return numbers.astype("float64")
    if kind == "bool":
        flags = (
            values.str.strip()
            .str.lower()
            .map({"true": True, "1": True, "false": False, "0": False})
        )
        if flags.isna().sum() == values.isna().sum():
            return flags.astype(bool if flags.notna().all() else "boolean")
    return values


def _described(text: str | None) -> tuple[dict[str, str], str | None]:
    """Return the pairs of a description that is a table of two columns, else its text."""
    if not text or "<t" not in text.lower():
        return {}, text or None
    parser = _TwoColumns()
    parser.feed(text)
    parser.close()
    return (parser.pairs, None) if parser.simple and parser.pairs else ({}, text)


class _TwoColumns(HTMLParser):
    """Take the rows of the innermost tables of a description."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pairs: dict[str, str] = {}
        self.simple = True
        self._row: list[str] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Begin a row or a cell."""
        if tag in ("tr", "table"):
            self._finish()
        elif tag in ("td", "th"):
            self._row.append("")
            self._open = True
        elif tag == "br" and self._open:
            self._row[-1] += "\n"

    def handle_endtag(self, tag: str) -> None:
        """End a row or a cell."""
        if tag in ("td", "th"):
            self._open = False
        elif tag in ("tr", "table"):
            self._finish()

    def handle_data(self, data: str) -> None:
        """Take text of a cell."""
        if self._open and self._row:
            self._row[-1] += data

    def _finish(self) -> None:
        cells = [" ".join(cell.split()) for cell in self._row]
        self._row, self._open = [], False
        if len(cells) == 2 and cells[0]:
            key = cells[0].rstrip(":").strip()
            if key and cells[1] and cells[1] != "<Null>":
                self.pairs.setdefault(key, cells[1])
        elif len(cells) > 2:
            self.simple = False
