"""Pictures lie where they belong, to half a pixel, and colours are the classes'."""

import base64
import io
import math

import numpy as np
import pyproj
import pytest
from PIL import Image

from app import legend, overlays
from data.grid import Grid, Raster

#: Hà Nam's frame, and one much farther north, where Web Mercator stretches more.
FRAMES = [
    Grid("EPSG:32648", 580_300.0, 2_288_800.0, 100.0, 437, 347),
    Grid("EPSG:32633", 400_000.0, 7_600_000.0, 500.0, 300, 500),
]


def drawn_positions(overlay: overlays.Warped) -> tuple[np.ndarray, np.ndarray]:
    """Latitudes of the rows' and longitudes of the columns' centres, as Leaflet draws them.

    It stretches the picture linearly in Web Mercator between the corners.
    """
    (south, west), (north, east) = overlay.bounds
    height, width = overlay.classes.shape
    top, bottom = (
        math.log(math.tan(math.pi / 4 + math.radians(edge) / 2)) for edge in (north, south)
    )
    y = top - (np.arange(height) + 0.5) / height * (top - bottom)
    return (
        np.degrees(2 * np.arctan(np.exp(y)) - math.pi / 2),
        west + (np.arange(width) + 0.5) / width * (east - west),
    )


@pytest.mark.parametrize("grid", FRAMES)
def test_every_pixel_shows_what_lies_there(grid) -> None:
    rng = np.random.default_rng(5)
    classes = rng.integers(0, 200, grid.shape).astype(np.uint8)
    warped = overlays.warp_classes(classes, grid)
    latitude, longitude = drawn_positions(warped)
    to_grid = pyproj.Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    x, y = to_grid.transform(*np.meshgrid(longitude, latitude))
    column = (x - grid.x_min) / grid.resolution_m
    row = (grid.y_max - y) / grid.resolution_m
    inside = (column > 1) & (column < grid.width - 1) & (row > 1) & (row < grid.height - 1)
    # GDAL places pixels to an eighth of one, so leave out those that near to an edge.
    off_edge = np.maximum(np.abs(column % 1 - 0.5), np.abs(row % 1 - 0.5)) < 0.37
    chosen = inside & off_edge
    assert chosen.sum() > 0.4 * classes.size
    expected = classes[row[chosen].astype(int), column[chosen].astype(int)]
    np.testing.assert_array_equal(warped.classes[chosen], expected)


def test_a_large_raster_is_thinned_and_stays_in_place() -> None:
    grid = Grid("EPSG:32648", 500_000.0, 2_400_000.0, 10.0, 5000, 3000)
    classes = np.zeros(grid.shape, np.uint8)
    classes[1500:, :] = 1
    warped = overlays.warp_classes(classes, grid)
    assert max(warped.classes.shape) <= overlays.LONGEST_SIDE
    middle = warped.classes[:, warped.classes.shape[1] // 2]
    assert np.argmax(middle == 1) == pytest.approx(len(middle) / 2, abs=12)


def test_the_picture_has_the_colours_and_is_transparent_elsewhere() -> None:
    grid = Grid("EPSG:32648", 580_000.0, 2_280_000.0, 100.0, 40, 40)
    classes = np.zeros(grid.shape, np.uint8)
    classes[:, 20:] = 1
    classes[:10] = overlays.TRANSPARENT
    overlay = overlays.paint(classes, grid, ("#102030", "#405060"))
    picture = Image.open(io.BytesIO(base64.b64decode(overlay.url.split(",")[1]))).convert("RGBA")
    pixels = np.asarray(picture)
    assert overlay.shape == pixels.shape[:2]
    assert tuple(pixels[30, 5]) == (0x10, 0x20, 0x30, 255)
    assert tuple(pixels[30, 35]) == (0x40, 0x50, 0x60, 255)
    assert pixels[4, 20, 3] == 0


def test_relief_shades_slopes_and_leaves_holes_open() -> None:
    grid = Grid("EPSG:32648", 580_000.0, 2_280_000.0, 50.0, 60, 60)
    x = np.arange(60.0)
    height = np.tile(np.minimum(x, 59 - x) * 10.0, (60, 1)).astype(np.float32)
    height[25:35, 25:35] = np.nan
    overlay = overlays.relief(Raster(grid, height))
    picture = Image.open(io.BytesIO(base64.b64decode(overlay.url.split(",")[1]))).convert("RGBA")
    pixels = np.asarray(picture).astype(int)
    assert pixels[30, 30, 3] == 0
    # Light comes from the north-west: the western slope is the bright one.
    assert pixels[10, 22, 0] != pixels[10, 37, 0]


@pytest.mark.parametrize("technology", legend.LEVEL_BREAKS_DBM)
def test_levels_fall_into_the_classes_of_the_legend(technology) -> None:
    breaks = legend.LEVEL_BREAKS_DBM[technology]
    levels = np.array([[breaks[0], breaks[0] - 0.1, breaks[-1], breaks[-1] - 0.1, np.nan]])
    found = legend.level_classes(levels.astype(np.float32), technology)
    assert found.tolist() == [[0, 1, len(breaks) - 1, len(breaks), overlays.TRANSPARENT]]
    assert len(legend.level_legend(technology)) == len(breaks) + 1 == len(legend.LEVEL_COLOURS)


def test_shares_fall_into_the_classes_of_the_legend() -> None:
    assert legend.share_colour(1.0) == legend.SHARE_COLOURS[0]
    assert legend.share_colour(0.949) == legend.SHARE_COLOURS[2]
    assert legend.share_colour(0.0) == legend.SHARE_COLOURS[-1]
    assert legend.share_colour(math.nan) == legend.NO_VALUE_COLOUR
    assert len(legend.share_legend()) == len(legend.SHARE_BREAKS) + 2
