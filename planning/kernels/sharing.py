"""Covered weight while columns come and go: what a consolidation asks thousands of times.

The rows of column j are ``items[first[j]:first[j + 1]]``. ``count[i]`` columns cover row i,
which has a weight and a kind; ``covered[k]`` is the weight of the covered rows of kind k.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Short = NDArray[np.int32]
Floats = NDArray[np.float64]


@njit(cache=True, nogil=True)
def add(
    first: Ints, items: Short, kind: Short, weight: Floats, j: int, count: Short, covered: Floats
) -> None:
    """Let column j come."""
    for p in range(first[j], first[j + 1]):
        i = items[p]
        if count[i] == 0:
            covered[kind[i]] += weight[i]
        count[i] += 1


@njit(cache=True, nogil=True)
def remove(
    first: Ints, items: Short, kind: Short, weight: Floats, j: int, count: Short, covered: Floats
) -> None:
    """Let column j go."""
    for p in range(first[j], first[j + 1]):
        i = items[p]
        count[i] -= 1
        if count[i] == 0:
            covered[kind[i]] -= weight[i]


@njit(cache=True, nogil=True)
def worth(
    first: Ints,
    items: Short,
    kind: Short,
    weight: Floats,
    scale: Floats,
    j: int,
    count: Short,
    lost: Floats,
) -> float:
    """Return how much depends on column j; `lost` gets the weight that it alone covers.

    A row counts by its weight times the scale of its kind, divided by the square of the
    number of columns that cover it.
    """
    lost[:] = 0.0
    total = 0.0
    for p in range(first[j], first[j + 1]):
        i = items[p]
        share = 1.0 / count[i]
        total += weight[i] * scale[kind[i]] * share * share
        if count[i] == 1:
            lost[kind[i]] += weight[i]
    return total
