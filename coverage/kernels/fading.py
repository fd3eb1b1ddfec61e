"""Covariance of the coverage of neighbouring pixels under correlated fading."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def add_neighbours(
    place: NDArray[np.int32],
    row: NDArray[np.int32],
    column: NDArray[np.int32],
    terms: NDArray[np.float64],
    weight: NDArray[np.float64],
    reach: int,
    decay: float,
    least: float,
    out: NDArray[np.float64],
) -> None:
    """Sum the weighted covariance of each doubtful pixel with its neighbours.

    `place` is the number of each pixel among the doubtful ones or -1, `row` and
    `column` (n,) say where these are, `terms` (n, K) holds their normalised
    Hermite terms, `weight` (n, W) their weights. Two pixels at distance d pixels
    have correlation r = exp(-decay d); powers of r below `least` are left out.
    `out` is (n, W): own weight times the sum over neighbours of weight times
    covariance.
    """
    height, width = place.shape
    count, order = terms.shape
    kinds = weight.shape[1]
    side = 2 * reach + 1
    correlation = np.empty((side, side))
    used = np.empty((side, side), np.int64)
    for i in range(side):
        for j in range(side):
            distance = decay * math.hypot(i - reach, j - reach)
            correlation[i, j] = math.exp(-distance)
            used[i, j] = order if distance == 0.0 else min(order, int(-math.log(least) / distance))
    out[:] = 0.0
    for index in range(count):
        y, x = row[index], column[index]
        # Each pair is met once, from its first pixel in row order.
        for i in range(y, min(height, y + reach + 1)):
            first = x + 1 if i == y else max(0, x - reach)
            for j in range(first, min(width, x + reach + 1)):
                other = place[i, j]
                if other < 0:
                    continue
                ratio = correlation[i - y + reach, j - x + reach]
                power = 1.0
                covariance = 0.0
                for k in range(used[i - y + reach, j - x + reach]):
                    power *= ratio
                    covariance += power * terms[index, k] * terms[other, k]
                for kind in range(kinds):
                    out[index, kind] += covariance * weight[other, kind]
                    out[other, kind] += covariance * weight[index, kind]
    for index in range(count):
        for kind in range(kinds):
            out[index, kind] *= weight[index, kind]
