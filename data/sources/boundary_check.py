"""Compare boundaries of two sources: maps of one area may lie kilometres apart.

Rule: where a source and the relation of OpenStreetMap for the same area lie more than
`MOST_DISPLACED_KM` apart or have less than `LEAST_IOU` in common, OpenStreetMap is
taken, and the numbers are said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pyproj
import shapely
import shapely.affinity
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from data.errors import Message, Problem, message

#: Distance of the centres above which two boundaries do not agree. [km]
MOST_DISPLACED_KM = 1.0

#: Share of the common in the joint area below which two boundaries do not agree.
LEAST_IOU = 0.9

#: Distance of the points at which boundaries are compared. [m]
_STEP_M = 250.0

#: Longest piece of a line that is projected as a straight one. [deg]
_STEP_DEG = 0.02

#: Most such points, beyond the corners.
_MOST_POINTS = 20_000


@dataclass(frozen=True)
class Agreement:
    """How far two boundaries agree.

    Parameters
    ----------
    iou
        Common area over joint area, 0 to 1.
    displacement_km
        Distance of the centres of gravity. [km]
    edge_km
        Distance within which 95 % of either boundary lies from the other. [km]
    greatest_edge_km
        Greatest distance of a point of either boundary from the other (Hausdorff). [km]
    area_ratio
        Area of the first over that of the second.
    """

    iou: float
    displacement_km: float
    edge_km: float
    greatest_edge_km: float
    area_ratio: float

    @property
    def agrees(self) -> bool:
        """Whether both may stand for the same area."""
        return self.iou >= LEAST_IOU and self.displacement_km <= MOST_DISPLACED_KM

    @property
    def message(self) -> Message:
        """The numbers as a sentence."""
        return message(
            "centres {displacement} km apart, {iou} of the joint area in common, 95 % of the "
            "edges within {edge} km (all within {greatest} km), area ratio {ratio}",
            displacement=f"{self.displacement_km:.2f}",
            iou=f"{self.iou:.3f}",
            edge=f"{self.edge_km:.2f}",
            greatest=f"{self.greatest_edge_km:.2f}",
            ratio=f"{self.area_ratio:.3f}",
        )

    def __str__(self) -> str:
        return str(self.message)


def near(shape: BaseGeometry, middle_deg: float) -> BaseGeometry:
    """Bring every part of a shape to the turn of the Earth that is nearest to a meridian.

    Parameters
    ----------
    shape
        In WGS 84.
    middle_deg
        Longitude; beyond 180 for a place across the antimeridian.

    Returns
    -------
    BaseGeometry
        Parts that meet at 180 degrees become one.
    """
    parts = shapely.get_parts(shape)
    if len(parts) == 0:
        return shape
    box = shapely.bounds(parts)
    turns = np.round((middle_deg - (box[:, 0] + box[:, 2]) / 2.0) / 360.0)
    if not turns.any():
        return shape
    moved = [
        shapely.affinity.translate(part, 360.0 * turn)
        for part, turn in zip(parts, turns, strict=True)
    ]
    return shapely.union_all(moved)


def flat_crs(bounds: tuple[float, float, float, float]) -> pyproj.CRS:
    """Return a CRS in metres that keeps areas, and nearly distances, around a place.

    Parameters
    ----------
    bounds
        West, south, east, north. [deg]

    Returns
    -------
    pyproj.CRS
        Lambert's azimuthal equal-area projection of its middle.
    """
    west, south, east, north = bounds
    lon = (west + east) / 2.0
    lon = (lon + 180.0) % 360.0 - 180.0
    return pyproj.CRS.from_proj4(
        f"+proj=laea +lat_0={(south + north) / 2.0:.4f} +lon_0={lon:.4f} +units=m"
    )


def flat(
    shapes: NDArray[np.object_], bounds: tuple[float, float, float, float]
) -> NDArray[np.object_]:
    """Return shapes in the CRS of `flat_crs`, valid.

    Parameters
    ----------
    shapes
        Polygons in WGS 84.
    bounds
        Of the place, for the CRS.

    Returns
    -------
    NDArray
        In metres.
    """
    middle = (bounds[0] + bounds[2]) / 2.0
    # Lines that are straight in degrees are bent in metres.
    whole = shapely.segmentize([near(shape, middle) for shape in shapes], _STEP_DEG)
    series = gpd.GeoSeries(whole, crs="EPSG:4326").to_crs(flat_crs(bounds))
    made: NDArray[np.object_] = series.to_numpy()
    return np.where(shapely.is_valid(made), made, shapely.make_valid(made))


def compare(first: BaseGeometry, second: BaseGeometry) -> Agreement:
    """Compare two boundaries of what should be one area.

    Parameters
    ----------
    first, second
        Polygons in WGS 84, in any turn of the Earth, not empty.

    Returns
    -------
    Agreement
        The same either way round, but for the area ratio, which becomes its inverse.

    Raises
    ------
    ValueError
        If one has no area.
    """
    if first.is_empty or second.is_empty:
        raise ValueError("there is no area to compare")
    there = near(second, (first.bounds[0] + first.bounds[2]) / 2.0)
    boxes = np.array([first.bounds, there.bounds])
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    bounds = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    a, b = flat(np.array([first, there], dtype=object), bounds)
    area_a, area_b = float(shapely.area(a)), float(shapely.area(b))
    if not (area_a > 0 and area_b > 0):
        raise ValueError("there is no area to compare")
    common = float(shapely.area(shapely.intersection(a, b)))
    from_a, from_b = _distances_m(a, b), _distances_m(b, a)
    return Agreement(
        iou=min(1.0, common / (area_a + area_b - common)),
        displacement_km=float(shapely.distance(a.centroid, b.centroid)) / 1000.0,
        edge_km=max(float(np.quantile(d, 0.95)) for d in (from_a, from_b)) / 1000.0,
        greatest_edge_km=max(float(d.max()) for d in (from_a, from_b)) / 1000.0,
        area_ratio=area_a / area_b,
    )


def _distances_m(one: BaseGeometry, other: BaseGeometry) -> NDArray[np.float64]:
    """Return the distances of evenly spaced points of one boundary from the other."""
    edge, target = one.boundary, other.boundary
    step_m = max(_STEP_M, edge.length / _MOST_POINTS)
    points = []
    for line in shapely.get_parts(edge):
        count = max(8, math.ceil(line.length / step_m))
        points.append(
            shapely.line_interpolate_point(line, np.linspace(0.0, line.length, count, False))
        )
    shapely.prepare(target)
    return np.asarray(shapely.distance(np.concatenate(points), target), np.float64)


def verdict(
    name: str, first: str, second: str, agreement: Agreement, taken: str
) -> tuple[Message, Problem | None]:
    """Say how far two sources agree on an area, and which was taken.

    Parameters
    ----------
    name
        Of the area.
    first, second
        Names of the sources.
    agreement
        From `compare`.
    taken
        Which of them was taken.

    Returns
    -------
    tuple
        The sentence; and a warning of the layer `zones`, None where they agree.
    """
    values = {"name": name, "first": first, "second": second, "numbers": agreement.message}
    if agreement.agrees:
        said = message("{name}: {first} and {second} agree: {numbers}", **values)
        return said, None
    said = message(
        "{name}: {first} and {second} do not agree: {numbers}; taken: {taken}",
        **values,
        taken=taken,
    )
    expected = message(
        "expected centres at most {distance} km apart and at least {share} of the area in common",
        distance=f"{MOST_DISPLACED_KM:g}",
        share=f"{LEAST_IOU:g}",
    )
    return said, Problem("zones", None, "geometry", said, expected, severity="warning")
