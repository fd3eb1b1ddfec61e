"""ITU-R P.525: attenuation in free space."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.errors import InputError

MODEL = "ITU-R P.525"

#: 20 log10(4 pi / c) for kilometres and gigahertz, rounded as the Recommendations have it. [dB]
CONSTANT_DB = 92.4


def free_space_loss(distance_km: ArrayLike, *, frequency_ghz: float) -> NDArray[np.float64]:
    """Return the free-space basic transmission loss.

    Parameters
    ----------
    distance_km
        Straight-line distance between the antennas, greater than 0. [km]
    frequency_ghz
        Frequency, greater than 0. [GHz]

    Returns
    -------
    NDArray
        Loss, of the shape of `distance_km`. [dB]

    Raises
    ------
    InputError
        If a distance or the frequency is not a positive finite number.

    References
    ----------
    ITU-R P.525-4, section 2.3, eq. 4.

    Examples
    --------
    >>> free_space_loss(1.0, frequency_ghz=1.0)
    array(92.4)
    """
    d = np.asarray(distance_km, dtype=np.float64)
    bad = ~(np.isfinite(d) & (d > 0.0))
    if bad.any():
        raise InputError(
            "{model}: distance_km is {value}, but it must be greater than 0",
            model=MODEL,
            value=d[bad].ravel()[0],
        )
    if not (np.isfinite(frequency_ghz) and frequency_ghz > 0.0):
        raise InputError(
            "{model}: frequency_ghz is {value}, but it must be greater than 0",
            model=MODEL,
            value=frequency_ghz,
        )
    return np.asarray(CONSTANT_DB + 20.0 * np.log10(frequency_ghz) + 20.0 * np.log10(d))
