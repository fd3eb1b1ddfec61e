"""Synthetic terrain and water: a flat delta, rivers with dykes, karst towers.

The heights describe no real place. They are made so that the hills of a spec
stand where its foot line says, cover the share of the area that it asks for and
reach its summit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from scipy import ndimage
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from data.demo.areas import AreaSpec
from data.demo.noise import NoiseField
from data.grid import Grid

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

#: Height above which a pixel counts as hill. [m]
HILL_M = 50.0

#: Height above the plain from which a pixel belongs wholly to the hills. [m]
FOOT_M = 30.0


@dataclass(frozen=True)
class Landscape:
    """Heights and waters on one grid.

    Parameters
    ----------
    grid
        The frame.
    height_m
        Terrain height above sea level. [m]
    water
        Where there is a river or a lake.
    hill
        0 on the plain to 1 from `FOOT_M` above it.
    rivers
        The rivers as lines with their widths.
    """

    grid: Grid
    height_m: FloatArray
    water: BoolArray
    hill: FloatArray
    rivers: tuple[tuple[str, float, LineString], ...]


def burn(shapes: list[BaseGeometry], grid: Grid, *, all_touched: bool = False) -> BoolArray:
    """Return which pixels of a grid lie in shapes.

    Parameters
    ----------
    shapes
        Polygons or lines in the CRS of the grid.
    grid
        The frame.
    all_touched
        Take every pixel that is touched, not only those whose centre lies inside.

    Returns
    -------
    NDArray
        Booleans of shape ``grid.shape``.
    """
    shapes = [shape for shape in shapes if not shape.is_empty]
    if not shapes:
        return np.zeros(grid.shape, dtype=bool)
    burnt = rasterize(
        shapes,
        out_shape=grid.shape,
        transform=grid.transform,
        all_touched=all_touched,
        dtype="uint8",
    )
    return np.asarray(burnt, dtype=bool)


def smooth_line(points: FloatArray, spacing_m: float = 100.0) -> LineString:
    """Return a smooth curve through points.

    Parameters
    ----------
    points
        At least two, of shape (n, 2). [m]
    spacing_m
        Distance of the corners of the curve. [m]

    Returns
    -------
    shapely.LineString
        The curve.
    """
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    at = np.linspace(0.0, along[-1], max(2, round(along[-1] / spacing_m) + 1))
    curve = np.column_stack([CubicSpline(along, points[:, k])(at) for k in (0, 1)])
    return LineString(curve)


def _meander(line: LineString, rng: np.random.Generator, amplitude_m: float) -> LineString:
    """Bend a line at random, leaving its ends where they are."""
    corners = shapely.get_coordinates(line.segmentize(120.0))
    bounds = tuple(float(v) for v in line.buffer(1000.0).bounds)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
    fade = np.clip(np.minimum(along, along[-1] - along) / 2000.0, 0.0, 1.0)
    for spacing_m, share in ((2200.0, 1.0), (800.0, 0.25)):
        for k in (0, 1):
            field = NoiseField(rng, bounds, spacing_m)  # type: ignore[arg-type]
            shift = field.at(corners[:, 0], corners[:, 1])
            corners[:, k] += amplitude_m * share * fade * shift
    return LineString(corners)


def _border_line(
    outline: Polygon, bearing_0_deg: float, bearing_1_deg: float, rng: np.random.Generator
) -> LineString:
    """Return the part of an outline between two bearings from its centre, clockwise."""
    centre = outline.centroid
    ring = shapely.get_coordinates(outline.exterior.segmentize(100.0))[:-1]
    bearing = np.degrees(np.arctan2(ring[:, 0] - centre.x, ring[:, 1] - centre.y)) % 360.0
    start = int(np.argmin(np.abs((bearing - bearing_0_deg + 180.0) % 360.0 - 180.0)))
    end = int(np.argmin(np.abs((bearing - bearing_1_deg + 180.0) % 360.0 - 180.0)))
    if outline.exterior.is_ccw:
        ring, start, end = ring[::-1], len(ring) - 1 - start, len(ring) - 1 - end
    span = np.arange(start, end + 1 if end > start else end + len(ring) + 1) % len(ring)
    corners = ring[span]
    # The river comes from beyond the area and leaves it away from the centre.
    centre_xy = np.array([centre.x, centre.y])
    ends = []
    for corner in (corners[0], corners[-1]):
        outward = (corner - centre_xy) / np.hypot(*(corner - centre_xy))
        reach = LineString([corner, corner + 30_000.0 * outward])
        ends.append(shapely.get_coordinates(_meander(reach, rng, 600.0)))
    return LineString(np.vstack([ends[0][:0:-1], corners, ends[1][1:]]))


def _rivers(
    spec: AreaSpec, outline: Polygon, rng: np.random.Generator
) -> tuple[tuple[str, float, LineString], ...]:
    lines = [
        (river.name, river.width_m, _meander(smooth_line(river.points), rng, 220.0))
        for river in spec.rivers
    ]
    if spec.border_river is not None:
        width_m, bearing_0, bearing_1 = spec.border_river
        lines.append(("Sông Hồng", width_m, _border_line(outline, bearing_0, bearing_1, rng)))
    return tuple(lines)


def _hill_potential(spec: AreaSpec, grid: Grid, rng: np.random.Generator) -> FloatArray:
    """Return how far a pixel lies behind the foot line (negative in front), with noise. [m]."""
    noise = 0.6 * NoiseField(rng, grid.bounds, 2600.0).on_grid(grid)
    noise += 0.35 * NoiseField(rng, grid.bounds, 1100.0).on_grid(grid)
    foot = smooth_line(spec.hill_foot, 500.0)
    corners = shapely.get_coordinates(foot)
    x, y = np.meshgrid(grid.x_centres(), grid.y_centres())
    _, nearest = cKDTree(corners).query(np.column_stack([x.ravel(), y.ravel()]))
    ahead = corners[np.minimum(nearest + 1, len(corners) - 1)]
    behind = corners[np.maximum(nearest - 1, 0)]
    direction = ahead - behind
    direction /= np.hypot(direction[:, 0], direction[:, 1])[:, None]
    # Walking north along a foot line with the hills in the west, they are on the left.
    offset_x, offset_y = x.ravel() - corners[nearest, 0], y.ravel() - corners[nearest, 1]
    left = direction[:, 0] * offset_y - direction[:, 1] * offset_x
    away = np.hypot(offset_x, offset_y)
    signed = np.where(left >= 0.0, away, -away).reshape(grid.shape)
    # Deep inside the range depth no longer matters, so that valleys run through it; in front
    # of the foot distance counts in full, so that single hills stand only near it.
    depth = np.where(signed > 0.0, 2500.0 * np.tanh(signed / 2500.0), signed)
    return np.asarray(depth + 1300.0 * noise, dtype=float)


def _towers(grid: Grid, where: BoolArray, rng: np.random.Generator) -> FloatArray:
    """Return karst towers: steep round hills of unequal height, 0 to 1."""
    x_min, y_min, x_max, y_max = grid.bounds
    count = max(8, round((x_max - x_min) * (y_max - y_min) / 330.0**2))
    places = rng.uniform((x_min, y_min), (x_max, y_max), (count, 2))
    tall = rng.beta(1.8, 2.2, count)
    radius = rng.uniform(170.0, 360.0, count)
    rows, columns = np.nonzero(where)
    values = np.zeros(grid.shape)
    if rows.size:
        at = np.column_stack([grid.x_centres()[columns], grid.y_centres()[rows]])
        k = min(4, count)
        distance, index = cKDTree(places).query(at, k=k)
        height = tall[index] * np.exp(-((distance / radius[index]) ** 2.5))
        values[rows, columns] = height.max(axis=1)
    return values


def _hills(
    spec: AreaSpec, grid: Grid, inside: BoolArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return the hills' height above the plain and how much a pixel belongs to them (0 to 1)."""
    if spec.share_above_50_m <= 0.0 or len(spec.hill_foot) < 2:
        return np.zeros(grid.shape), np.zeros(grid.shape)
    potential = _hill_potential(spec, grid, rng)
    wanted = spec.share_above_50_m
    floor = float(np.quantile(potential[inside], max(0.0, 1.0 - 3.0 * wanted)))
    where = potential > floor - 500.0
    tower = _towers(grid, where, rng)
    ridge = NoiseField(rng, grid.bounds, 900.0).on_grid(grid)
    massif = NoiseField(rng, grid.bounds, 3000.0).on_grid(grid)
    high_ground = 0.5 + 0.5 * np.tanh(1.3 * massif + 0.6 * ridge + 0.7)
    # Rows of towers stand on a broken plateau with steep flanks and flat valleys between.
    relief = (0.08 + 0.30 * high_ground) * (0.55 + 0.6 * tower)
    relief += (0.15 + 0.42 * high_ground) * tower
    relief *= np.clip((high_ground - 0.10) / 0.25, 0.0, 1.0)
    relief = relief**1.2
    relief *= spec.summit_m / relief[where].max()

    def rise(threshold_m: float) -> FloatArray:
        t = np.clip((potential - threshold_m) / 550.0, 0.0, 1.0)
        return np.asarray(t * t * (3.0 - 2.0 * t), dtype=float)

    low, high = float(potential.min()) - 1000.0, float(potential.max())
    for _ in range(24):
        middle = 0.5 * (low + high)
        share = float(np.mean((rise(middle) * relief > HILL_M - 4.0)[inside]))
        low, high = (middle, high) if share > wanted else (low, middle)
    height = rise(0.5 * (low + high)) * relief
    peak = float(height[inside].max())
    if peak > 130.0:
        # The summit stands inside the area: stretch what is high, so that the share above
        # 50 m stays as found.
        stretched = 120.0 + (height - 120.0) / (peak - 120.0) * (spec.summit_m - 124.0)
        height = np.where(height > 120.0, stretched, height)
    height = np.minimum(height, spec.summit_m)
    return np.where(height < 2.0, 0.0, height), np.clip(height / FOOT_M, 0.0, 1.0)


def make_landscape(
    spec: AreaSpec, outline: Polygon, grid: Grid, rng: np.random.Generator
) -> Landscape:
    """Generate terrain and water for an area.

    Parameters
    ----------
    spec
        What is asked for.
    outline
        The area's outline. [m]
    grid
        Frame of the rasters, reaching beyond the outline.
    rng
        Source of randomness.

    Returns
    -------
    Landscape
        Heights rounded to 0.1 m, and the waters.
    """
    inside = burn([outline], grid)
    rivers = _rivers(spec, outline, rng)
    hills, belongs = _hills(spec, grid, inside, rng)
    x_min, y_min, x_max, y_max = outline.bounds
    north = np.clip((grid.y_centres() - y_min) / (y_max - y_min), 0.0, 1.0)[:, None]
    west = np.clip((x_max - grid.x_centres()) / (x_max - x_min), 0.0, 1.0)[None, :]
    plain = 2.0 + 1.6 * north + 0.8 * west
    plain = plain + 0.55 * NoiseField(rng, grid.bounds, 3500.0).on_grid(grid)
    plain += 0.35 * NoiseField(rng, grid.bounds, 700.0).on_grid(grid)
    plain = np.clip(plain, 0.8, 6.5)

    water = burn([line.buffer(0.5 * width) for _, width, line in rivers], grid)
    # A channel narrower than a pixel still shows as an unbroken line of water.
    narrow = [line for _, width, line in rivers if width < 2.0 * grid.resolution_m]
    water |= burn(list(narrow), grid)
    water &= belongs < 0.9
    for _, width, line in rivers:
        if width < 150.0:
            continue
        # Dykes: 4 m high, as far behind the bank as the river is wide.
        near = line.buffer(0.5 * width + max(width, 250.0) + 60.0)
        away = line.buffer(0.5 * width + max(width, 250.0))
        plain = np.where(burn([near], grid) & ~burn([away], grid), plain + 4.0, plain)
        plain = np.where(burn([away], grid), plain + 1.2, plain)
    lakes = _lakes(grid, belongs, inside, water, rng)
    height = np.where(belongs > 0.0, np.maximum(plain, plain + hills), plain)
    height = np.where(water, 1.0, height)
    height = np.where(lakes, np.minimum(height, 6.0), height)
    return Landscape(
        grid, np.asarray(np.round(height, 1), dtype=float), water | lakes, belongs, rivers
    )


def _lakes(
    grid: Grid, belongs: FloatArray, inside: BoolArray, water: BoolArray, rng: np.random.Generator
) -> BoolArray:
    """Return a few lakes at the foot of the hills and fish ponds on the plain."""
    foot = np.asarray(ndimage.binary_dilation(belongs > 0.3, iterations=8), dtype=bool)
    shore = foot & (belongs <= 0.0) & inside
    deep = NoiseField(rng, grid.bounds, 700.0).on_grid(grid)
    lakes = np.zeros(grid.shape, dtype=bool)
    if shore.any():
        lakes = shore & (deep > np.quantile(deep[shore], 0.93))
    ponds = NoiseField(rng, grid.bounds, 190.0).on_grid(grid)
    low = (belongs <= 0.0) & ~water
    if low.any():
        lakes |= low & (ponds > np.quantile(ponds[low], 0.992))
    return np.asarray(ndimage.binary_opening(lakes, np.ones((2, 2))), dtype=bool)
