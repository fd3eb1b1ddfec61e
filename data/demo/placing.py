"""Spread points: dense where wanted, never too close to each other."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def weighted_order(weights: FloatArray, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return a random order in which heavier items tend to come first.

    Parameters
    ----------
    weights
        Weights, 0 or more, of shape (n,); items of weight 0 are left out.
    rng
        Source of randomness.

    Returns
    -------
    NDArray
        Indices of the items with weight.

    References
    ----------
    Efraimidis and Spirakis, Weighted random sampling with a reservoir,
    Information Processing Letters 97 (2006).
    """
    draws = rng.random(weights.size)
    usable = np.flatnonzero(weights > 0.0)
    keys = np.log(np.maximum(draws[usable], 1e-300)) / weights[usable]
    return np.asarray(usable[np.argsort(-keys, kind="stable")], dtype=np.intp)


def spread(points: FloatArray, radius_m: FloatArray, count: int) -> NDArray[np.intp]:
    """Choose points in order, each at least its radius away from those chosen before.

    If the points run out before `count` is reached, all radii shrink by a tenth
    and the points are gone through again.

    Parameters
    ----------
    points
        Candidates in the order of preference, of shape (n, 2). [m]
    radius_m
        Distance that each candidate keeps, of shape (n,). [m]
    count
        How many to choose.

    Returns
    -------
    NDArray
        Indices of the chosen points, at most `count`; fewer if there are fewer candidates.
    """
    count = min(count, len(points))
    if count <= 0:
        return np.zeros(0, dtype=np.intp)
    bin_m = float(np.max(radius_m))
    origin = points.min(axis=0)
    column = ((points[:, 0] - origin[0]) // bin_m).astype(int).tolist()
    row = ((points[:, 1] - origin[1]) // bin_m).astype(int).tolist()
    xs, ys, radii = points[:, 0].tolist(), points[:, 1].tolist(), radius_m.tolist()
    bins: dict[tuple[int, int], list[int]] = {}
    chosen: list[int] = []
    left = list(range(len(points)))
    shrink = 1.0
    while len(chosen) < count:
        refused: list[int] = []
        for k in left:
            if len(chosen) >= count:
                break
            reach = shrink * radii[k]
            if any(
                math.hypot(xs[k] - xs[other], ys[k] - ys[other]) < reach
                for i in (-1, 0, 1)
                for j in (-1, 0, 1)
                for other in bins.get((column[k] + i, row[k] + j), ())
            ):
                refused.append(k)
                continue
            chosen.append(k)
            bins.setdefault((column[k], row[k]), []).append(k)
        left = refused
        shrink = 0.9 * shrink if shrink > 0.02 else 0.0
    return np.asarray(chosen, dtype=np.intp)


def share_out(total: int, weights: FloatArray) -> NDArray[np.int64]:
    """Divide a whole number by weights into whole numbers that add up to it.

    Parameters
    ----------
    total
        What is divided.
    weights
        Weights, 0 or more, of shape (n,), not all 0.

    Returns
    -------
    NDArray
        Whole numbers; the largest remainders get the rest.

    Examples
    --------
    >>> share_out(10, np.array([1.0, 1.0, 2.0])).tolist()
    [3, 2, 5]
    """
    exact = total * (weights / weights.sum())
    shares = np.floor(exact).astype(np.int64)
    rest = total - int(shares.sum())
    first = np.argsort(-(exact - shares), kind="stable")[:rest]
    shares[first] += 1
    return shares
