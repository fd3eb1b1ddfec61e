"""Rasters as pictures on a web map, in the map's own projection.

Leaflet stretches a picture linearly between its corners in Web Mercator, so the
picture is warped to EPSG:3857 first: a picture in another projection would lie
off by up to a pixel row per commune.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rasterio.warp import transform_bounds

from data.grid import Grid, Raster
from data.warp_classes import OUTSIDE, classes_in

WEB_MERCATOR = "EPSG:3857"
WGS84 = "EPSG:4326"

#: Longest side of a picture; finer rasters are thinned, so a page stays light.
LONGEST_SIDE = 2000

#: Class of pixels that are left transparent.
TRANSPARENT = OUTSIDE


@dataclass(frozen=True)
class Overlay:
    """A picture and where it lies.

    Parameters
    ----------
    png
        The picture, a PNG.
    bounds
        ((south, west), (north, east)) of its outer edges, WGS 84. [deg]
    shape
        Rows and columns.
    """

    png: bytes
    bounds: tuple[tuple[float, float], tuple[float, float]]
    shape: tuple[int, int]

    @property
    def url(self) -> str:
        """The picture as a data URL."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


@dataclass(frozen=True, eq=False)
class Warped:
    """Classes on a Web Mercator grid.

    Parameters
    ----------
    classes
        Class per pixel, `TRANSPARENT` outside.
    bounds
        ((south, west), (north, east)) of the outer edges, WGS 84. [deg]
    """

    classes: NDArray[np.uint8]
    bounds: tuple[tuple[float, float], tuple[float, float]]


def warp_classes(classes: NDArray[np.uint8], grid: Grid) -> Warped:
    """Bring classes onto a Web Mercator grid of about the same pixel size.

    Parameters
    ----------
    classes
        Class per pixel of `grid`; `TRANSPARENT` for none.
    grid
        Their frame.

    Returns
    -------
    Warped
        Nearest neighbours on the new grid.
    """
    warped, edges = classes_in(classes, grid, WEB_MERCATOR, LONGEST_SIDE)
    west, south, east, north = transform_bounds(WEB_MERCATOR, WGS84, *edges)
    return Warped(warped, ((south, west), (north, east)))


def paint(classes: NDArray[np.uint8], grid: Grid, colours: Sequence[str]) -> Overlay:
    """Make a picture of classes.

    Parameters
    ----------
    classes
        Number of the colour per pixel of `grid`; `TRANSPARENT` for none.
    grid
        Their frame.
    colours
        Colours as ``#rrggbb``.

    Returns
    -------
    Overlay
        A PNG with a palette, small enough to travel with the page.
    """
    warped = warp_classes(classes, grid)
    palette = [int(colour[at : at + 2], 16) for colour in colours for at in (1, 3, 5)]
    image = Image.fromarray(warped.classes)
    image.putpalette(palette + [0] * (768 - len(palette)))
    written = io.BytesIO()
    # Looking for the smallest file takes ten times as long and saves a twentieth.
    image.save(written, format="PNG", compress_level=6, transparency=TRANSPARENT)
    return Overlay(written.getvalue(), warped.bounds, warped.classes.shape)


def relief(terrain: Raster) -> Overlay:
    """Make a calm shaded relief, the map's background where there is no Internet.

    Parameters
    ----------
    terrain
        Ground height. [m]

    Returns
    -------
    Overlay
        Shaded from the north-west, with a tint for height; pixels without data
        are transparent.
    """
    height = terrain.values.astype(np.float64)
    known = np.isfinite(height)
    filled = np.where(known, height, 0.0)
    # A plain has no relief to see: exaggerate by what the area's own slopes allow.
    down, right = np.gradient(filled, terrain.grid.resolution_m)
    steep = np.percentile(np.hypot(down, right), 99.0) if filled.size else 0.0
    factor = 0.6 / max(steep, 0.05)
    light = (1.0 - factor * (right + down) / np.sqrt(2.0)) / np.sqrt(
        1.0 + (factor * right) ** 2 + (factor * down) ** 2
    )
    # Tint: green-grey lowland to warm hills, on a root scale so that low hills show.
    top = max(float(np.percentile(filled[known], 99.5)) if known.any() else 1.0, 50.0)
    rise = np.sqrt(np.clip(filled / top, 0.0, 1.0))
    steps_of_height, steps_of_light = 8, 16
    tone = np.clip(np.round(rise * (steps_of_height - 1)), 0, steps_of_height - 1)
    shade = np.clip(np.round((light - 0.45) / 0.8 * (steps_of_light - 1)), 0, steps_of_light - 1)
    classes = (tone * steps_of_light + shade).astype(np.uint8)
    classes[~known] = TRANSPARENT
    low, high = np.array([232.0, 238.0, 230.0]), np.array([214.0, 200.0, 178.0])
    colours = []
    for height_step in range(steps_of_height):
        base = low + (high - low) * height_step / (steps_of_height - 1)
        for light_step in range(steps_of_light):
            strength = 0.72 + 0.33 * light_step / (steps_of_light - 1)
            red, green, blue = np.clip(base * strength, 0, 255).astype(int)
            colours.append(f"#{red:02x}{green:02x}{blue:02x}")
    return paint(classes, terrain.grid, colours)
