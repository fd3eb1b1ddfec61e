"""Plausible borders: areas given, one point each, no gaps and no overlaps.

The zones are the cells of a power diagram (a Voronoi diagram with a weight per
point) inside a generated outline. The weights are found by Newton's method so
that every cell has the area asked for; then all corners are moved by one smooth
random displacement, which bends the borders and keeps neighbours together.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from shapely.geometry import LineString, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from data.demo.noise import NoiseField
from data.errors import InputError

FloatArray = NDArray[np.float64]
Warp = Callable[[FloatArray], FloatArray]

#: Corners are rounded to this, so that the same seed gives the same bytes. [m]
PRECISION_M = 0.1
_NEIGHBOURS = 40
_NEWTON_STEPS = 40


def _largest(geometry: BaseGeometry) -> Polygon:
    """Return the largest polygon of a geometry, without holes."""
    parts = [part for part in shapely.get_parts(geometry) if part.geom_type == "Polygon"]
    return Polygon(max(parts, key=lambda part: float(part.area)).exterior)


def outline_around(points: FloatArray, areas_m2: FloatArray, total_m2: float) -> Polygon:
    """Return a rounded outline around points, of a given area.

    Parameters
    ----------
    points
        Coordinates, of shape (n, 2). [m]
    areas_m2
        Area that belongs to each point; sets how far the outline reaches beyond it. [m2]
    total_m2
        Area of the outline. [m2]

    Returns
    -------
    shapely.Polygon
        The outline, without holes.
    """
    radii = np.sqrt(areas_m2 / math.pi)
    size = float(np.sqrt(total_m2 / len(points)))
    discs = shapely.union_all(shapely.buffer(shapely.points(points), 1.1 * radii))
    core = _largest(discs.buffer(size).buffer(-size))

    def grown(distance_m: float) -> Polygon:
        return _largest(core.buffer(distance_m))

    low, high = -0.5 * size, 0.5 * size
    while grown(high).area < total_m2:
        high *= 2.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if grown(middle).area < total_m2 else (low, middle)
    return _largest(grown(0.5 * (low + high)).simplify(5.0))


def _clip(
    corners: list[tuple[float, float]], labels: list[int], a: float, b: float, c: float, label: int
) -> tuple[list[tuple[float, float]], list[int]]:
    """Keep the part of a convex polygon where ``a x + b y <= c``.

    ``labels[k]`` says which neighbour made the edge from corner k to k + 1; the
    new edge gets `label`.
    """
    kept: list[tuple[float, float]] = []
    kept_labels: list[int] = []
    count = len(corners)
    for k in range(count):
        (x_0, y_0), (x_1, y_1) = corners[k], corners[(k + 1) % count]
        excess_0 = a * x_0 + b * y_0 - c
        excess_1 = a * x_1 + b * y_1 - c
        if excess_0 <= 0.0:
            kept.append((x_0, y_0))
            kept_labels.append(labels[k])
        if (excess_0 <= 0.0) != (excess_1 <= 0.0):
            t = excess_0 / (excess_0 - excess_1)
            kept.append((x_0 + t * (x_1 - x_0), y_0 + t * (y_1 - y_0)))
            kept_labels.append(label if excess_0 <= 0.0 else labels[k])
    return kept, kept_labels


def _raw_cells(
    points: FloatArray, weights: FloatArray, neighbours: NDArray[np.intp], frame: Polygon
) -> tuple[list[Polygon], list[list[tuple[int, LineString]]]]:
    """Return the power cells within a convex frame, and their edges with the neighbour's index."""
    frame_corners = [(float(x), float(y)) for x, y in frame.exterior.coords[:-1]]
    cells: list[Polygon] = []
    edges: list[list[tuple[int, LineString]]] = []
    for i, (x_i, y_i) in enumerate(points):
        corners, labels = frame_corners, [-1] * len(frame_corners)
        for j in neighbours[i]:
            x_j, y_j = points[j]
            c = (x_j**2 + y_j**2 - weights[j]) - (x_i**2 + y_i**2 - weights[i])
            corners, labels = _clip(
                corners, labels, 2.0 * (x_j - x_i), 2.0 * (y_j - y_i), c, int(j)
            )
            if len(corners) < 3:
                break
        if len(corners) < 3:
            cells.append(Polygon())
            edges.append([])
            continue
        cells.append(Polygon(corners))
        ends = [*corners[1:], corners[0]]
        edges.append(
            [
                (label, LineString([start, end]))
                for start, end, label in zip(corners, ends, labels, strict=True)
                if label >= 0
            ]
        )
    return cells, edges


def _weights_for_areas(
    points: FloatArray, areas_m2: FloatArray, outline: Polygon, neighbours: NDArray[np.intp]
) -> FloatArray:
    """Return the weights with which the cells inside `outline` have the given areas.

    The area of cell i grows with its own weight by sum_j L_ij / (2 d_ij), where
    L_ij is the length of the border with cell j and d_ij the distance of the
    points; with the weight of j it shrinks by L_ij / (2 d_ij).
    """
    count = len(points)
    frame = shapely.box(*outline.buffer(1000.0).bounds)
    shapely.prepare(outline)
    weights: FloatArray = np.zeros(count)
    step: FloatArray = np.zeros(count)
    scale = 1.0
    best_error = math.inf
    best = weights
    for _ in range(_NEWTON_STEPS):
        trial = weights + scale * step
        cells, edges = _raw_cells(points, trial, neighbours, frame)
        inside = shapely.intersection(cells, outline)
        achieved = shapely.area(inside)
        error = float(np.max(np.abs(achieved / areas_m2 - 1.0)))
        if (achieved < 0.2 * areas_m2).any() and scale > 0.01 and step.any():
            # The step squeezed a cell out of the diagram: take a shorter one.
            scale *= 0.5
            continue
        weights = trial
        if error < best_error:
            best_error, best = error, weights
        if error < 0.002:
            break
        slope = np.zeros((count, count))
        for i in range(count):
            for j, line in edges[i]:
                length = float(shapely.intersection(line, outline).length)
                distance = float(np.hypot(*(points[i] - points[j])))
                slope[i, j] -= length / (2.0 * distance)
                slope[i, i] += length / (2.0 * distance)
        # Weights matter only by their differences: hold their mean at 0.
        slope += 1.0 / count * np.trace(slope) / count
        step = np.asarray(np.linalg.lstsq(slope, areas_m2 - achieved, rcond=None)[0], dtype=float)
        scale = min(1.0, 2.0 * scale)
    return best


def _partition(
    points: FloatArray, weights: FloatArray, outline: Polygon, neighbours: NDArray[np.intp]
) -> list[BaseGeometry]:
    """Return the cells as polygons that share the corners of their common borders exactly."""
    frame = shapely.box(*outline.buffer(1000.0).bounds)
    _, edges = _raw_cells(points, weights, neighbours, frame)
    lines: list[BaseGeometry] = [line for i, own in enumerate(edges) for j, line in own if i < j]
    network = shapely.union_all([*lines, outline.exterior], grid_size=1.0)
    network = shapely.segmentize(shapely.line_merge(network), 100.0)
    pieces = shapely.get_parts(shapely.polygonize(list(shapely.get_parts(network))))
    inner = shapely.point_on_surface(pieces)
    inside = shapely.contains(outline, inner)
    pieces, inner = pieces[inside], inner[inside]
    xy = shapely.get_coordinates(inner)
    power = ((xy[:, None, :] - points[None, :, :]) ** 2).sum(axis=2) - weights
    owner = np.argmin(power, axis=1)
    # A zone is one piece: what a bay of the outline cut off goes to the
    # neighbour with the longest common border.
    order = np.argsort(-shapely.area(pieces), kind="stable")
    zones: list[BaseGeometry] = [Polygon() for _ in points]
    strays: list[BaseGeometry] = []
    for k in order:
        if zones[owner[k]].is_empty:
            zones[owner[k]] = pieces[k]
        else:
            strays.append(pieces[k])
    for stray in strays:
        shared = [float(shapely.intersection(stray, zone).length) for zone in zones]
        nearest = int(np.argmax(shared))
        zones[nearest] = shapely.union_all([zones[nearest], stray])
    return zones


def _warp(rng: np.random.Generator, bounds: tuple[float, float, float, float], size: float) -> Warp:
    """Return a smooth displacement that bends borders without folding the plane."""
    fields = [
        (amplitude, NoiseField(rng, bounds, spacing), NoiseField(rng, bounds, spacing))
        for amplitude, spacing in ((0.035 * size, 0.45 * size), (0.018 * size, 0.11 * size))
    ]

    def move(corners: FloatArray) -> FloatArray:
        x, y = corners[:, 0], corners[:, 1]
        moved_x, moved_y = x.copy(), y.copy()
        for amplitude, field_x, field_y in fields:
            moved_x += amplitude * field_x.at(x, y)
            moved_y += amplitude * field_y.at(x, y)
        return np.round(np.column_stack([moved_x, moved_y]) / PRECISION_M) * PRECISION_M

    return move


def partition_by_area(
    points: FloatArray,
    areas_m2: FloatArray,
    rng: np.random.Generator,
    *,
    outline: Polygon | None = None,
) -> list[MultiPolygon]:
    """Divide a region among points so that each gets a given area.

    Parameters
    ----------
    points
        One point for each zone, of shape (n, 2). [m]
    areas_m2
        Area of each zone. [m2]
    rng
        Source of the bends of the borders.
    outline
        The region; if None, one is generated around the points.

    Returns
    -------
    list of shapely.MultiPolygon
        The zones in the order of `points`; neighbours share the corners of
        their common border, so there is neither gap nor overlap.

    Raises
    ------
    InputError
        If the points and areas cannot be used.
    """
    points = np.asarray(points, dtype=float)
    wanted = np.asarray(areas_m2, dtype=float)
    if points.ndim != 2 or len(points) < 1 or wanted.shape != (len(points),):
        raise InputError(
            "{points} points and {areas} areas do not make zones (expected one area per point)",
            points=len(points),
            areas=wanted.size,
        )
    if not (wanted > 0.0).all():
        raise InputError("Every zone needs an area greater than 0")
    if len(np.unique(points, axis=0)) < len(points):
        raise InputError("Two zones have the same point, so no border can lie between them")
    count = len(points)
    total = float(wanted.sum())
    size = math.sqrt(total / count)
    if count > 1:
        k = min(count, _NEIGHBOURS + 1)
        neighbours = np.asarray(cKDTree(points).query(points, k=k)[1], dtype=np.intp)[:, 1:]
    else:
        neighbours = np.zeros((1, 0), dtype=np.intp)

    generated = outline is None
    region = outline_around(points, wanted, total) if outline is None else outline
    x_min, y_min, x_max, y_max = region.bounds
    bounds = (x_min - size, y_min - size, x_max + size, y_max + size)
    warp = _warp(rng, bounds, size)
    targets = wanted * (region.area / total)
    zones: list[BaseGeometry] = []
    # The displacement changes areas by a few per cent: correct the targets by what came out.
    for _ in range(3):
        weights = _weights_for_areas(points, targets, region, neighbours)
        straight = _partition(points, weights, region, neighbours)
        zones = [shapely.transform(zone, warp) for zone in straight]
        achieved = shapely.area(zones)
        if generated:
            region = outline_around(points, wanted, region.area * total / achieved.sum())
        targets = targets * (wanted / total) / (achieved / achieved.sum())
        targets *= region.area / targets.sum()
    return [
        MultiPolygon([part for part in shapely.get_parts(zone) if isinstance(part, Polygon)])
        for zone in zones
    ]
