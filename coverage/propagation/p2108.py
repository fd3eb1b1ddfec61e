"""ITU-R P.2108: loss in the clutter around a terminal.

`height_gain_terminal_correction` belongs to one terminal whose surroundings are known (section
3.1), `statistical_terrestrial` gives the distribution over urban and suburban places (section
3.2). Either is added to a loss computed to the top of the clutter; neither belongs on top of a
Hata model, which contains the clutter already.

References
----------
.. [1] Recommendation ITU-R P.2108-1, "Prediction of clutter loss".
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from coverage.propagation.arrays import between_0_and_100, positive, required
from coverage.propagation.ranges import OutsideModelRange
from data.errors import InputError

MODEL = "ITU-R P.2108"

#: Ranges outside which the model raises `OutsideModelRange`.
RANGES: dict[str, tuple[float, float]] = {
    "height_gain_frequency_ghz": (0.03, 3.0),
    "statistical_frequency_ghz": (0.5, 67.0),
    "statistical_distance_km": (0.25, np.inf),
}

ClutterType = Literal["water", "open", "suburban", "urban", "trees", "dense_urban"]

#: Default representative clutter heights of [1]_ table 3. [m]
CLUTTER_HEIGHT_M: dict[str, float] = {
    "water": 10.0,
    "open": 10.0,
    "suburban": 10.0,
    "urban": 15.0,
    "trees": 15.0,
    "dense_urban": 20.0,
}

#: Street width where none is known, [1]_ section 3.1. [m]
STREET_WIDTH_M = 27.0

#: Standard deviations of the two parts of the statistical model, [1]_ eq. 4 and 5. [dB]
SIGMA_DB: dict[str, float] = {"long paths": 4.0, "short paths": 6.0}


def height_gain_terminal_correction(
    frequency_ghz: ArrayLike,
    *,
    antenna_height_m: ArrayLike,
    clutter_type: ClutterType,
    clutter_height_m: ArrayLike | None = None,
    street_width_m: ArrayLike = STREET_WIDTH_M,
) -> NDArray[np.float64]:
    """Return the median clutter loss of a terminal below the tops around it.

    Parameters
    ----------
    frequency_ghz
        Frequency, 0.03 to 3. [GHz]
    antenna_height_m
        Antenna height above ground, greater than 0. [m]
    clutter_type
        A key of `CLUTTER_HEIGHT_M`.
    clutter_height_m
        Representative clutter height, greater than 0; None takes the type's default. [m]
    street_width_m
        Width of the street, greater than 0. [m]

    Returns
    -------
    NDArray
        Loss, 0 for an antenna at or above the clutter, of the broadcast shape of the parameters.
        Just below the tops it can be slightly negative. [dB]

    Raises
    ------
    OutsideModelRange
        If the frequency is out of range.
    InputError
        If a length is not greater than 0 or the clutter type is unknown.

    Notes
    -----
    [1]_ eq. 1 and 2a to 2g.

    Examples
    --------
    >>> height_gain_terminal_correction(1.5, antenna_height_m=2.0, clutter_type="urban").round(1)
    np.float64(24.5)
    """
    if clutter_type not in CLUTTER_HEIGHT_M:
        raise InputError(
            "{model}: clutter_type is {value}, but it must be one of {known}",
            model=MODEL,
            value=clutter_type,
            known=", ".join(CLUTTER_HEIGHT_M),
        )
    if clutter_height_m is None:
        clutter_height_m = CLUTTER_HEIGHT_M[clutter_type]
    f = required(MODEL, "frequency_ghz", frequency_ghz, RANGES["height_gain_frequency_ghz"])
    h = positive(MODEL, "antenna_height_m", antenna_height_m)
    top = positive(MODEL, "clutter_height_m", clutter_height_m)
    street = positive(MODEL, "street_width_m", street_width_m)
    below = np.maximum(top - h, 0.0)
    if clutter_type in ("water", "open"):
        loss = -(21.8 + 6.2 * np.log10(f)) * np.log10(np.minimum(h / top, 1.0))
    else:
        angle_deg = np.degrees(np.arctan(below / street))
        v = 0.342 * np.sqrt(f) * np.sqrt(below * angle_deg) - 0.1
        loss = 6.9 + 20.0 * np.log10(np.sqrt(v**2 + 1.0) + v) - 6.03
    return np.asarray(np.where(h >= top, 0.0, loss))


def statistical_terrestrial(
    distance_km: ArrayLike, *, frequency_ghz: ArrayLike, location_percent: ArrayLike = 50.0
) -> NDArray[np.float64]:
    """Return the clutter loss not exceeded at a share of urban and suburban locations.

    Parameters
    ----------
    distance_km
        Path length, at least 0.25 (at least 1 if both terminals lie in clutter). [km]
    frequency_ghz
        Frequency, 0.5 to 67. [GHz]
    location_percent
        Share of locations, between 0 and 100. [%]

    Returns
    -------
    NDArray
        Loss at one terminal, of the broadcast shape of the parameters. [dB]

    Raises
    ------
    OutsideModelRange
        If frequency or distance is out of range.
    InputError
        If the share is.

    Notes
    -----
    [1]_ eq. 3 to 6; the loss at 2 km is the largest.

    Examples
    --------
    >>> statistical_terrestrial(0.25, frequency_ghz=0.5).round(1)
    np.float64(17.4)
    """
    d = np.asarray(distance_km, dtype=np.float64)
    if not ((d >= 0.25) & np.isfinite(d)).all():
        worst = d[~((d >= 0.25) & np.isfinite(d))].ravel()[0]
        raise OutsideModelRange(
            MODEL, "distance_km", float(worst), RANGES["statistical_distance_km"]
        )
    f = required(MODEL, "frequency_ghz", frequency_ghz, RANGES["statistical_frequency_ghz"])
    # Q^-1(p), falling with p
    q = -ndtri(between_0_and_100(MODEL, "location_percent", location_percent) / 100.0)
    long_db = -2.0 * np.log10(10.0 ** (-5.0 * np.log10(f) - 12.5) + 10.0**-16.5)

    def loss(at_km: NDArray[np.float64]) -> NDArray[np.float64]:
        short_db = 32.98 + 23.9 * np.log10(at_km) + 3.0 * np.log10(f)
        weight_long = 10.0 ** (-0.2 * long_db)
        weight_short = 10.0 ** (-0.2 * short_db)
        total = weight_long + weight_short
        sigma = np.sqrt(
            (
                SIGMA_DB["long paths"] ** 2 * weight_long
                + SIGMA_DB["short paths"] ** 2 * weight_short
            )
            / total
        )
        return np.asarray(-5.0 * np.log10(total) - sigma * q)

    return np.minimum(loss(d), loss(np.asarray(2.0)))
