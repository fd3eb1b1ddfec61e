"""Compiled sampling of rasters along straight lines and of rasters from radials."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True, error_model="numpy")
def bilinear(values: NDArray[np.float32], column: float, row: float) -> float:
    """Return the value at a place counted in pixel centres.

    In the outer half pixel the edge pixel holds; beyond it, and where a pixel
    that has weight is NaN, the value is NaN.
    """
    height, width = values.shape
    if not (-0.5 <= column <= width - 0.5 and -0.5 <= row <= height - 0.5):
        return math.nan
    column = min(max(column, 0.0), width - 1.0)
    row = min(max(row, 0.0), height - 1.0)
    c = min(int(column), max(width - 2, 0))
    r = min(int(row), max(height - 2, 0))
    wc = column - c
    wr = row - r
    c1 = min(c + 1, width - 1)
    r1 = min(r + 1, height - 1)
    top = np.float64(values[r, c])
    # A pixel without weight must not spoil its neighbours by being NaN.
    if wc > 0.0:
        top = (1.0 - wc) * top + wc * values[r, c1] if wc < 1.0 else np.float64(values[r, c1])
    if wr <= 0.0:
        return top
    low = np.float64(values[r1, c])
    if wc > 0.0:
        low = (1.0 - wc) * low + wc * values[r1, c1] if wc < 1.0 else np.float64(values[r1, c1])
    return (1.0 - wr) * top + wr * low if wr < 1.0 else low


@njit(cache=True, nogil=True, error_model="numpy")
def sample_points(
    values: NDArray[np.float32],
    x_min: float,
    y_max: float,
    resolution: float,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    nearest: bool,
    out: NDArray[np.float64],
) -> None:
    """Write the values of a raster at points, bilinear or nearest; NaN outside."""
    height, width = values.shape
    for i in range(x.size):
        column = (x[i] - x_min) / resolution
        row = (y_max - y[i]) / resolution
        if nearest:
            inside = 0.0 <= column <= width and 0.0 <= row <= height
            out[i] = math.nan
            if inside:
                out[i] = values[min(int(row), height - 1), min(int(column), width - 1)]
        else:
            out[i] = bilinear(values, column - 0.5, row - 0.5)


@njit(cache=True, nogil=True, error_model="numpy")
def sample_rays(
    values: NDArray[np.float32],
    x_min: float,
    y_max: float,
    resolution: float,
    x: float,
    y: float,
    step: float,
    rays: NDArray[np.int32],
    total: int,
    last: NDArray[np.int32],
    nearest: bool,
    out: NDArray[np.float64],
) -> None:
    """Write the values of a raster along rays from (x, y), one row each, points 0..last.

    Ray j of `total` goes at the angle 2 pi j / total from east to north.
    """
    height, width = values.shape
    for r in range(rays.size):
        angle = 2.0 * math.pi * rays[r] / total
        dc = math.cos(angle) * step / resolution
        dr = -math.sin(angle) * step / resolution
        c0 = (x - x_min) / resolution
        r0 = (y_max - y) / resolution
        for n in range(last[r] + 1):
            column = c0 + n * dc
            row = r0 + n * dr
            if nearest:
                value = math.nan
                if 0.0 <= column <= width and 0.0 <= row <= height:
                    value = values[min(int(row), height - 1), min(int(column), width - 1)]
                out[r, n] = value
            else:
                c = column - 0.5
                q = row - 0.5
                if 0.0 <= c < width - 1 and 0.0 <= q < height - 1:
                    ci = int(c)
                    qi = int(q)
                    wc = c - ci
                    wq = q - qi
                    top = values[qi, ci] + wc * (values[qi, ci + 1] - values[qi, ci])
                    low = values[qi + 1, ci] + wc * (values[qi + 1, ci + 1] - values[qi + 1, ci])
                    value = top + wq * (low - top)
                    if math.isfinite(value):
                        out[r, n] = value
                        continue
                out[r, n] = bilinear(values, c, q)


@njit(cache=True, nogil=True, error_model="numpy")
def ray_needs(
    x: float,
    y: float,
    x_centres: NDArray[np.float64],
    y_centres: NDArray[np.float64],
    radius: float,
    step: float,
    total: int,
    starts: NDArray[np.int32],
    last: NDArray[np.int32],
) -> None:
    """Write the last point that the pixels need of every ray; -1 for rays not needed.

    See `pixels_from_rays` for the choice of rays.
    """
    last[:] = -1
    for row in range(y_centres.size):
        dy = y_centres[row] - y
        for column in range(x_centres.size):
            dx = x_centres[column] - x
            r = math.sqrt(dx * dx + dy * dy)
            if r > radius:
                continue
            n = int(r / step)
            level = 0
            while n < starts[level]:
                level += 1
            stride = 1 << level
            turn = math.atan2(dy, dx) / (2.0 * math.pi)
            if turn < 0.0:
                turn += 1.0
            j = (int(turn * total) // stride * stride) % total
            last[j] = max(last[j], n + 1)
            j = (j + stride) % total
            last[j] = max(last[j], n + 1)


@njit(cache=True, nogil=True, error_model="numpy")
def pixels_from_rays(
    x: float,
    y: float,
    x_centres: NDArray[np.float64],
    y_centres: NDArray[np.float64],
    radius: float,
    step: float,
    total: int,
    starts: NDArray[np.int32],
    losses: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Write a raster from values along rays: `losses` (rays, layers, points), `out` (layers, ...).

    At level l only every 2^l-th ray counts; level l reaches inwards to point
    ``starts[l]``. A pixel's value is linear in azimuth between the two rays
    beside it and linear in range between two points of each.
    """
    layers = losses.shape[1]
    for row in range(y_centres.size):
        dy = y_centres[row] - y
        for column in range(x_centres.size):
            dx = x_centres[column] - x
            r = math.sqrt(dx * dx + dy * dy)
            if r > radius:
                for k in range(layers):
                    out[k, row, column] = np.nan
                continue
            n = int(r / step)
            wn = r / step - n
            level = 0
            while n < starts[level]:
                level += 1
            stride = 1 << level
            turn = math.atan2(dy, dx) / (2.0 * math.pi)
            if turn < 0.0:
                turn += 1.0
            place = turn * total
            j0 = int(place) // stride * stride
            wj = (place - j0) / stride
            j0 = j0 % total
            j1 = (j0 + stride) % total
            for k in range(layers):
                near = losses[j0, k, n] + wn * (losses[j0, k, n + 1] - losses[j0, k, n])
                far = losses[j1, k, n] + wn * (losses[j1, k, n + 1] - losses[j1, k, n])
                out[k, row, column] = near + wj * (far - near)
