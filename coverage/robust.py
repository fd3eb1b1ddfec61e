"""Scale and loss that outliers do not carry away."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Where Huber's loss turns from square to linear, for 95 % efficiency. [standard deviations]
HUBER = 1.345

#: Where Tukey's biweight reaches 0, for 95 % efficiency. [standard deviations]
BISQUARE = 4.685


def median_scale(deviation: NDArray[np.float64]) -> float:
    """Return the standard deviation that the median absolute deviation stands for.

    Parameters
    ----------
    deviation
        Deviations from the centre.

    Returns
    -------
    float
        1.4826 times their median size.
    """
    return 1.4826 * float(np.median(np.abs(deviation)))


def clipped_scale(deviation: NDArray[np.float64]) -> float:
    """Return the standard deviation of the deviations without outliers.

    From the median absolute deviation on, what lies beyond three times it is
    left out; 0.9866 is what that leaves of a normal distribution's.

    Parameters
    ----------
    deviation
        Deviations from the centre.

    Returns
    -------
    float
        Their scale.
    """
    size = np.abs(deviation)
    scale = median_scale(deviation)
    for _ in range(10):
        kept = size <= 3.0 * scale
        if not kept.any():
            break
        scale = float(np.sqrt(np.mean(size[kept] ** 2))) / 0.9866
    return scale


def huber_loss(deviation: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Return Huber's loss.

    Parameters
    ----------
    deviation
        Deviations from the centre.
    scale
        Their standard deviation.

    Returns
    -------
    numpy.ndarray
        Square of small deviations, linear in large ones.
    """
    size = np.abs(deviation) / scale
    return np.where(size <= HUBER, 0.5 * size**2, HUBER * (size - 0.5 * HUBER))
