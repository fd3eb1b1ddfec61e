"""ITU-R P.2109: loss on entering a building.

References
----------
.. [1] Recommendation ITU-R P.2109-2, "Prediction of building entry loss", section 3.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from coverage.propagation.arrays import between_0_and_100, required
from data.errors import InputError

MODEL = "ITU-R P.2109"

#: Ranges outside which the model raises `OutsideModelRange`.
RANGES: dict[str, tuple[float, float]] = {
    "frequency_ghz": (0.08, 100.0),
    "elevation_deg": (-90.0, 90.0),
}

BuildingType = Literal["traditional", "thermally_efficient"]

#: Coefficients r, s, t, u, v, w, x, y, z of [1]_ table 1.
COEFFICIENTS: dict[str, tuple[float, ...]] = {
    "traditional": (12.64, 3.72, 0.96, 9.6, 2.0, 9.1, -3.0, 4.5, -2.0),
    "thermally_efficient": (28.19, -3.0, 8.48, 13.5, 3.8, 27.8, -2.9, 9.4, -2.1),
}


def _coefficients(building: str) -> tuple[float, ...]:
    if building not in COEFFICIENTS:
        raise InputError(
            "{model}: building is {value}, but it must be one of {known}",
            model=MODEL,
            value=building,
            known=", ".join(COEFFICIENTS),
        )
    return COEFFICIENTS[building]


def building_entry_loss(
    frequency_ghz: ArrayLike,
    *,
    probability_percent: ArrayLike = 50.0,
    building: BuildingType = "traditional",
    elevation_deg: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """Return the building entry loss not exceeded with a probability.

    Parameters
    ----------
    frequency_ghz
        Frequency, 0.08 to 100. [GHz]
    probability_percent
        Share of places inside buildings where the loss is not exceeded, between 0 and 100. [%]
    building
        ``"traditional"`` or ``"thermally_efficient"`` (metallised glass, foil-backed panels).
    elevation_deg
        Elevation of the path at the facade. [°]

    Returns
    -------
    NDArray
        Loss, of the broadcast shape of the parameters. [dB]

    Raises
    ------
    OutsideModelRange
        If frequency or elevation is out of range.
    InputError
        If the probability is, or the building type is unknown.

    Notes
    -----
    [1]_ eq. 1 to 10.

    Examples
    --------
    >>> building_entry_loss([0.9, 3.5]).round(1)
    array([14.2, 15.7])
    >>> building_entry_loss(0.9, probability_percent=90.0).round(1)
    np.float64(25.1)
    """
    r, s, t, u, v, w, x, y, z = _coefficients(building)
    log_f = np.log10(required(MODEL, "frequency_ghz", frequency_ghz, RANGES["frequency_ghz"]))
    elevation = required(MODEL, "elevation_deg", elevation_deg, RANGES["elevation_deg"])
    q = ndtri(between_0_and_100(MODEL, "probability_percent", probability_percent) / 100.0)
    horizontal = r + s * log_f + t * log_f**2
    a = q * (u + v * log_f) + horizontal + 0.212 * np.abs(elevation)
    b = q * (y + z * log_f) + w + x * log_f
    return np.asarray(10.0 * np.log10(10.0 ** (0.1 * a) + 10.0 ** (0.1 * b) + 10.0**-0.3))


def entry_loss_sigma_db(
    frequency_ghz: ArrayLike, *, building: BuildingType = "traditional"
) -> NDArray[np.float64]:
    """Return the standard deviation of the building entry loss that goes with its median.

    Parameters
    ----------
    frequency_ghz
        Frequency, 0.08 to 100. [GHz]
    building
        ``"traditional"`` or ``"thermally_efficient"``.

    Returns
    -------
    NDArray
        Half the distance between the losses at one standard deviation either side of the median;
        indoors it adds to the outdoor shadow fading as a sum of squares. [dB]

    Raises
    ------
    OutsideModelRange, InputError
        As for `building_entry_loss`.

    Examples
    --------
    >>> entry_loss_sigma_db(0.9).round(1)
    np.float64(7.6)
    """
    high = building_entry_loss(frequency_ghz, probability_percent=84.1344746, building=building)
    low = building_entry_loss(frequency_ghz, probability_percent=15.8655254, building=building)
    return np.asarray(0.5 * (high - low))
