"""Objects of OpenStreetMap with their geometry, whatever file they came in.

Overpass and `.osm.pbf` files are read into the same `Element`, so that all that
follows is the same for both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

#: What has to be said wherever data of OpenStreetMap is shown.
LICENCE = "ODbL 1.0, © OpenStreetMap contributors (openstreetmap.org/copyright)"

SOURCE = "OpenStreetMap"

Coordinates = NDArray[np.float64]

_GEOD = pyproj.Geod(ellps="WGS84")

#: Roles of the inner rings of a relation; all others count as outer.
_INNER = "inner"


@dataclass(frozen=True, eq=False)
class Member:
    """A way of a relation.

    Parameters
    ----------
    way_id
        Its number.
    role
        ``"outer"``, ``"inner"``, or what mappers wrote.
    line
        Longitude and latitude of its nodes, shape (n, 2). [deg]
    """

    way_id: int
    role: str
    line: Coordinates


@dataclass(frozen=True, eq=False)
class Element:
    """A node, way or relation.

    Parameters
    ----------
    kind
        ``"n"``, ``"w"`` or ``"r"``.
    osm_id
        Its number.
    tags
        Its tags.
    line
        Longitude and latitude of the nodes of a way, of the one node of a node;
        shape (n, 2). [deg]
    members
        Ways of a relation.
    """

    kind: str
    osm_id: int
    tags: Mapping[str, str]
    line: Coordinates | None = None
    members: tuple[Member, ...] = ()

    @property
    def key(self) -> str:
        """Identifier, such as ``"w123"``."""
        return f"{self.kind}{self.osm_id}"

    def shape(self) -> BaseGeometry | None:
        """Return point, line, polygon of a closed way, or area of a relation; None if empty."""
        if self.kind == "r":
            return assemble(self.members).area
        if self.line is None or len(self.line) == 0:
            return None
        if self.kind == "n":
            return shapely.Point(self.line[0])
        if len(self.line) < 2:
            return None
        if len(self.line) >= 4 and (self.line[0] == self.line[-1]).all():
            return _valid(shapely.Polygon(self.line))
        return shapely.LineString(self.line)

    def point(self) -> shapely.Point | None:
        """Return the node, or a point of a way or area that lies on it; None if empty."""
        shape = self.shape()
        if shape is None or shape.is_empty:
            parts = [shapely.LineString(m.line) for m in self.members if len(m.line) > 1]
            if not parts:
                return None
            shape = shapely.MultiLineString(parts)
        middle = shape.centroid
        if shape.geom_type != "Point" and not shape.intersects(middle):
            middle = shape.representative_point()
        return shapely.Point(round(middle.x, 7), round(middle.y, 7))


@dataclass(frozen=True, eq=False)
class Assembled:
    """What the ways of a relation make.

    Parameters
    ----------
    area
        The closed rings, None if there are none.
    gap_m
        Greatest distance from an open end to the next one; 0 where all is closed. [m]
    gap_at
        Longitude and latitude of that end.
    """

    area: BaseGeometry | None
    gap_m: float = 0.0
    gap_at: tuple[float, float] | None = None


def assemble(members: Sequence[Member]) -> Assembled:
    """Make an area of the ways of a relation.

    The order of the ways and the direction of each do not matter; ways that are
    listed twice count once. Rings within rings alternate between land and hole, as
    OpenStreetMap has it.

    Parameters
    ----------
    members
        The ways.

    Returns
    -------
    Assembled
        The area, and where rings stay open.
    """
    area: BaseGeometry | None = None
    open_ends: list[tuple[float, float]] = []
    for inner in (False, True):
        lines = {
            member.way_id: member.line
            for member in members
            if (member.role == _INNER) is inner and len(member.line) > 1
        }
        if not lines:
            continue
        noded = shapely.union_all([shapely.LineString(line) for line in lines.values()])
        faces, cuts, dangles, _ = shapely.polygonize_full([noded])
        for face in shapely.get_parts(faces):
            ring = _valid(shapely.Polygon(face.exterior))
            # A ring that closes no land of its own, such as an inner one, cuts a hole.
            area = ring if area is None else shapely.symmetric_difference(area, ring)
        open_ends += _ends([*shapely.get_parts(cuts), *shapely.get_parts(dangles)])
    if area is not None:
        area = _polygons(area)
    if not open_ends:
        return Assembled(area)
    gap_m, gap_at = _gap(open_ends)
    return Assembled(area, gap_m, gap_at)


def _valid(shape: BaseGeometry) -> BaseGeometry:
    return shape if shape.is_valid else _polygons(shapely.make_valid(shape))


def _polygons(shape: BaseGeometry) -> BaseGeometry:
    """Return the polygons of a shape in an order of their own; lines have no area."""
    parts: list[Any] = []
    for part in shapely.get_parts(shape):
        parts += [one for one in shapely.get_parts(part) if one.geom_type == "Polygon"]
    made = shapely.normalize(shapely.MultiPolygon(parts))
    return made.geoms[0] if len(parts) == 1 else made


def _ends(lines: Sequence[BaseGeometry]) -> list[tuple[float, float]]:
    """Return the points at which an odd number of lines ends."""
    count: dict[tuple[float, float], int] = {}
    for line in lines:
        for k in (0, -1):
            x, y = line.coords[k][:2]
            count[x, y] = count.get((x, y), 0) + 1
    return sorted(point for point, times in count.items() if times % 2)


def _gap(ends: Sequence[tuple[float, float]]) -> tuple[float, tuple[float, float]]:
    if len(ends) < 2:
        return math.inf, ends[0]
    xy = np.asarray(ends)
    tree = shapely.STRtree([shapely.Point(end) for end in ends])
    widest, at = 0.0, ends[0]
    for k, end in enumerate(ends):
        near, _ = tree.query_nearest(
            shapely.Point(end), exclusive=True, return_distance=True, all_matches=False
        )
        other = xy[near[0]] if len(near) else xy[1 - k]
        _, _, distance = _GEOD.inv(end[0], end[1], other[0], other[1])
        if distance > widest:
            widest, at = float(distance), end
    return widest, at


def from_overpass(documents: Iterable[Mapping[str, Any]]) -> list[Element]:
    """Read answers of Overpass, with geometry (``out geom``) or with nodes and ways apart.

    Parameters
    ----------
    documents
        Parsed JSON; what several of them hold is taken once.

    Returns
    -------
    list of Element
        Those with tags, nodes first, each kind by number.
    """
    found: dict[tuple[str, int], Mapping[str, Any]] = {}
    for document in documents:
        for raw in document["elements"]:
            place = (str(raw["type"])[0], int(raw["id"]))
            before = found.get(place)
            # The same object may come once with and once without tags or geometry.
            found[place] = raw if before is None else {**before, **raw}
    nodes = {
        number: (float(raw["lon"]), float(raw["lat"]))
        for (kind, number), raw in found.items()
        if kind == "n" and "lat" in raw
    }

    def line_of(raw: Mapping[str, Any]) -> Coordinates:
        if raw.get("geometry"):
            points = [(float(p["lon"]), float(p["lat"])) for p in raw["geometry"] if p]
        else:
            points = [nodes[n] for n in raw.get("nodes", ()) if n in nodes]
        return np.array(points, np.float64).reshape(-1, 2)

    ways = {number: line_of(raw) for (kind, number), raw in found.items() if kind == "w"}
    elements = []
    for (kind, number), raw in sorted(found.items(), key=lambda item: item[0]):
        tags = {str(k): str(v) for k, v in raw.get("tags", {}).items()}
        if not tags:
            continue
        if kind == "n":
            line = np.array([nodes[number]]) if number in nodes else None
            elements.append(Element(kind, number, tags, line))
        elif kind == "w":
            elements.append(Element(kind, number, tags, ways[number]))
        elif kind == "r":
            members = []
            for part in raw.get("members", ()):
                if part.get("type") == "way":
                    number_of_way = int(part["ref"])
                    line = line_of(part) if part.get("geometry") else ways.get(number_of_way)
                    if line is not None:
                        members.append(Member(number_of_way, str(part.get("role", "")), line))
            elements.append(Element(kind, number, tags, members=tuple(members)))
    return elements
