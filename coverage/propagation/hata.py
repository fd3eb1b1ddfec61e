"""Okumura-Hata and its extensions: median loss over rolling terrain from a few parameters.

`okumura_hata` is Hata's own fit for 150 to 1500 MHz [1]_, `cost231_hata` its extension to
2000 MHz [2]_, and `extended_hata` the form used in compatibility studies for 30 MHz to 3 GHz
and up to 40 km [3]_ [4]_. The first two give the published formulas unchanged, so very near the
mast they can fall below free space; the third never does.

Outside the ranges of its authors a formula still gives a result, with a `ModelRangeWarning`;
outside `LIMITS` a logarithmic fit means nothing and `OutsideModelRange` is raised.

References
----------
.. [1] M. Hata, "Empirical formula for propagation loss in land mobile radio services", IEEE
   Transactions on Vehicular Technology, vol. 29, no. 3, pp. 317-325, 1980.
.. [2] COST Action 231, "Digital mobile radio towards future generation systems", final report,
   EUR 18957, 1999, section 4.4.1.
.. [3] Report ITU-R SM.2028-2, "Monte Carlo simulation methodology for the use in sharing and
   compatibility studies", Attachment 1 to Annex 2, section 6.1.
.. [4] ECC/SEAMCAT handbook, "Extended Hata".
.. [5] S. R. Saunders and A. Aragon-Zavala, "Antennas and propagation for wireless communication
   systems", 2nd ed., 2007, section 9.5 (fit to Okumura's curves).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coverage.propagation.arrays import advise, required
from data.errors import InputError

Environment = Literal["urban", "urban_large", "suburban", "open"]

#: Small or medium city, large city (metropolitan centre), suburban area, open area.
ENVIRONMENTS: tuple[str, ...] = ("urban", "urban_large", "suburban", "open")

OKUMURA_HATA = "Okumura-Hata"
COST231_HATA = "COST 231 Hata"
EXTENDED_HATA = "extended Hata"

#: Ranges the authors state; outside them a result comes with a warning.
RANGES: dict[str, dict[str, tuple[float, float]]] = {
    OKUMURA_HATA: {
        "frequency_mhz": (150.0, 1500.0),
        "tx_height_m": (30.0, 200.0),
        "rx_height_m": (1.0, 10.0),
        "distance_km": (1.0, 20.0),
    },
    COST231_HATA: {
        "frequency_mhz": (1500.0, 2000.0),
        "tx_height_m": (30.0, 200.0),
        "rx_height_m": (1.0, 10.0),
        "distance_km": (1.0, 20.0),
    },
    EXTENDED_HATA: {
        "frequency_mhz": (30.0, 3000.0),
        "tx_height_m": (30.0, 200.0),
        "rx_height_m": (1.0, 10.0),
        "distance_km": (0.0, 40.0),
    },
}

#: Outside these no result is given.
LIMITS: dict[str, tuple[float, float]] = {
    "frequency_mhz": (30.0, 4000.0),
    "tx_height_m": (1.0, 1000.0),
    "rx_height_m": (0.5, 100.0),
    "distance_km": (0.001, 100.0),
}


def _checked(
    model: str,
    distance_km: ArrayLike,
    frequency_mhz: ArrayLike,
    tx_height_m: ArrayLike,
    rx_height_m: ArrayLike,
    environment: str,
    warn: bool,
) -> tuple[NDArray[np.float64], ...]:
    """Return the parameters as arrays, after errors and one warning."""
    if environment not in ENVIRONMENTS:
        raise InputError(
            "{model}: environment is {value}, but it must be one of {known}",
            model=model,
            value=environment,
            known=", ".join(ENVIRONMENTS),
        )
    arrays = {
        "distance_km": distance_km,
        "frequency_mhz": frequency_mhz,
        "tx_height_m": tx_height_m,
        "rx_height_m": rx_height_m,
    }
    values = {name: required(model, name, value, LIMITS[name]) for name, value in arrays.items()}
    if warn:
        advise(model, [(name, values[name], RANGES[model][name]) for name in arrays], stacklevel=4)
    return tuple(values.values())


def _suburban_gain_db(frequency_mhz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much less than in a city is lost in suburbs, Hata [1]_ eq. 16."""
    return 2.0 * np.log10(frequency_mhz / 28.0) ** 2 + 5.4


def _open_gain_db(frequency_mhz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much less than in a city is lost in open areas, Hata [1]_ eq. 17."""
    log_f = np.log10(frequency_mhz)
    return 4.78 * log_f**2 - 18.33 * log_f + 40.94


def _area_gain_db(frequency_mhz: NDArray[np.float64], environment: str) -> NDArray[np.float64]:
    if environment == "suburban":
        return _suburban_gain_db(frequency_mhz)
    if environment == "open":
        return _open_gain_db(frequency_mhz)
    return np.zeros_like(frequency_mhz)


def _small_city_db(
    frequency_mhz: NDArray[np.float64], rx_height_m: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a(h_m), the gain of the mobile's height in a small or medium city."""
    log_f = np.log10(frequency_mhz)
    return (1.1 * log_f - 0.7) * rx_height_m - (1.56 * log_f - 0.8)


def okumura_hata(
    distance_km: ArrayLike,
    *,
    frequency_mhz: ArrayLike,
    tx_height_m: ArrayLike,
    rx_height_m: ArrayLike = 1.5,
    environment: Environment = "urban",
    warn: bool = True,
) -> NDArray[np.float64]:
    """Return the median basic transmission loss of Okumura and Hata.

    Parameters
    ----------
    distance_km
        Path length; 1 to 20 is valid. [km]
    frequency_mhz
        Frequency; 150 to 1500 is valid. [MHz]
    tx_height_m
        Effective height of the base station antenna; 30 to 200 is valid. [m]
    rx_height_m
        Height of the mobile antenna above ground; 1 to 10 is valid. [m]
    environment
        One of `ENVIRONMENTS`.
    warn
        Whether values outside the range are told; False is for callers that have done so.

    Returns
    -------
    NDArray
        Loss, of the broadcast shape of the parameters. [dB]

    Raises
    ------
    OutsideModelRange
        If a parameter lies outside `LIMITS`.
    InputError
        If the environment is unknown.

    Warns
    -----
    ModelRangeWarning
        If a parameter lies outside the valid range.

    Notes
    -----
    Hata [1]_ eq. 14 to 17; the large city's a(h_m) changes its form at 300 MHz, in the gap that
    Hata leaves between 200 and 400 MHz.

    Examples
    --------
    >>> okumura_hata([1.0, 10.0], frequency_mhz=900.0, tx_height_m=30.0).round(1)
    array([126.4, 161.6])
    """
    d, f, hb, hm = _checked(
        OKUMURA_HATA, distance_km, frequency_mhz, tx_height_m, rx_height_m, environment, warn
    )
    if environment == "urban_large":
        a = np.where(
            f < 300.0,
            8.29 * np.log10(1.54 * hm) ** 2 - 1.1,
            3.2 * np.log10(11.75 * hm) ** 2 - 4.97,
        )
    else:
        a = _small_city_db(f, hm)
    urban = (
        69.55
        + 26.16 * np.log10(f)
        - 13.82 * np.log10(hb)
        - a
        + (44.9 - 6.55 * np.log10(hb)) * np.log10(d)
    )
    return np.asarray(urban - _area_gain_db(f, environment))


def cost231_hata(
    distance_km: ArrayLike,
    *,
    frequency_mhz: ArrayLike,
    tx_height_m: ArrayLike,
    rx_height_m: ArrayLike = 1.5,
    environment: Environment = "urban",
    warn: bool = True,
) -> NDArray[np.float64]:
    """Return the median basic transmission loss of COST 231's extension of Hata.

    Parameters
    ----------
    distance_km
        Path length; 1 to 20 is valid. [km]
    frequency_mhz
        Frequency; 1500 to 2000 is valid. [MHz]
    tx_height_m
        Effective height of the base station antenna; 30 to 200 is valid. [m]
    rx_height_m
        Height of the mobile antenna above ground; 1 to 10 is valid. [m]
    environment
        One of `ENVIRONMENTS`. ``"urban"`` is the medium city (C_m = 0), ``"urban_large"`` the
        metropolitan centre (C_m = 3 dB). COST 231 itself stops there: suburbs and open areas get
        Hata's corrections, as is common practice.
    warn
        Whether values outside the range are told; False is for callers that have done so.

    Returns
    -------
    NDArray
        Loss, of the broadcast shape of the parameters. [dB]

    Raises
    ------
    OutsideModelRange
        If a parameter lies outside `LIMITS`.
    InputError
        If the environment is unknown.

    Warns
    -----
    ModelRangeWarning
        If a parameter lies outside the valid range.

    Notes
    -----
    COST 231 [2]_ eq. 4.4.3.

    Examples
    --------
    >>> cost231_hata(1.0, frequency_mhz=1800.0, tx_height_m=30.0).round(1)
    np.float64(136.2)
    """
    d, f, hb, hm = _checked(
        COST231_HATA, distance_km, frequency_mhz, tx_height_m, rx_height_m, environment, warn
    )
    urban = (
        46.3
        + 33.9 * np.log10(f)
        - 13.82 * np.log10(hb)
        - _small_city_db(f, hm)
        + (44.9 - 6.55 * np.log10(hb)) * np.log10(d)
        + (3.0 if environment == "urban_large" else 0.0)
    )
    return np.asarray(urban - _area_gain_db(f, environment))


def _extended_far(
    d: NDArray[np.float64],
    f: NDArray[np.float64],
    hb: NDArray[np.float64],
    hm: NDArray[np.float64],
    environment: str,
) -> NDArray[np.float64]:
    """Return the loss beyond 0.1 km."""
    a = (
        (1.1 * np.log10(f) - 0.7) * np.minimum(10.0, hm)
        - (1.56 * np.log10(f) - 0.8)
        + np.maximum(0.0, 20.0 * np.log10(hm / 10.0))
    )
    b = np.minimum(0.0, 20.0 * np.log10(hb / 30.0))
    beyond = np.log10(np.maximum(d, 20.0) / 20.0)
    alpha = 1.0 + (0.14 + 1.87e-4 * f + 1.07e-3 * hb) * beyond**0.8
    # (log d) ** alpha; alpha is 1 where the logarithm can be negative
    log_d = np.log10(d)
    slope = np.where(d > 20.0, np.abs(log_d) ** alpha, log_d)
    # four bands that join at 150, 1500 and 2000 MHz
    low = (
        69.6
        + 26.2 * np.log10(np.clip(f, 150.0, 1500.0))
        - 20.0 * np.log10(150.0 / np.minimum(f, 150.0))
    )
    high = (
        46.3
        + 33.9 * np.log10(np.clip(f, 1500.0, 2000.0))
        + 10.0 * np.log10(np.maximum(f, 2000.0) / 2000.0)
    )
    log_hb = np.log10(np.maximum(30.0, hb))
    urban = (
        np.where(f <= 1500.0, low, high) - 13.82 * log_hb + (44.9 - 6.55 * log_hb) * slope - a - b
    )
    return urban - _area_gain_db(np.clip(f, 150.0, 2000.0), environment)


def extended_hata(
    distance_km: ArrayLike,
    *,
    frequency_mhz: ArrayLike,
    tx_height_m: ArrayLike,
    rx_height_m: ArrayLike = 1.5,
    environment: Environment = "urban",
    warn: bool = True,
) -> NDArray[np.float64]:
    """Return the median basic transmission loss of the extended Hata model.

    Parameters
    ----------
    distance_km
        Path length; up to 40 is valid. [km]
    frequency_mhz
        Frequency; 30 to 3000 is valid. [MHz]
    tx_height_m, rx_height_m
        Antenna heights above ground; the larger is the base station's (30 to 200 is valid), the
        smaller the mobile's (1 to 10 is valid). [m]
    environment
        ``"urban"``, ``"suburban"`` or ``"open"``; the model knows one kind of city, so
        ``"urban_large"`` is the same as ``"urban"``.
    warn
        Whether values outside the range are told; False is for callers that have done so.

    Returns
    -------
    NDArray
        Loss, not below free space, of the broadcast shape of the parameters. [dB]

    Raises
    ------
    OutsideModelRange
        If a parameter lies outside `LIMITS`.
    InputError
        If the environment is unknown.

    Warns
    -----
    ModelRangeWarning
        If a parameter lies outside the valid range.

    Notes
    -----
    Report ITU-R SM.2028-2 [3]_, section 6.1: free space up to 0.04 km, Hata from 0.1 km on
    with a steeper slope beyond 20 km, linear in the logarithm of the distance between.

    Examples
    --------
    >>> extended_hata([0.02, 1.0, 30.0], frequency_mhz=2600.0, tx_height_m=30.0).round(1)
    array([ 71.5, 138.9, 194.3])
    """
    high_m = np.maximum(np.asarray(tx_height_m, np.float64), np.asarray(rx_height_m, np.float64))
    low_m = np.minimum(np.asarray(tx_height_m, np.float64), np.asarray(rx_height_m, np.float64))
    d, f, hb, hm = _checked(
        EXTENDED_HATA, distance_km, frequency_mhz, high_m, low_m, environment, warn
    )

    def slant(at_km: NDArray[np.float64]) -> NDArray[np.float64]:
        return 32.4 + 20.0 * np.log10(f) + 10.0 * np.log10(at_km**2 + ((hb - hm) / 1000.0) ** 2)

    near_end = np.asarray(0.04)
    far_end = np.asarray(0.1)
    at_near = slant(near_end)
    at_far = _extended_far(far_end, f, hb, hm, environment)
    share = np.log10(np.clip(d, 0.04, 0.1) / 0.04) / np.log10(0.1 / 0.04)
    loss = np.where(
        d >= 0.1,
        _extended_far(np.maximum(d, 0.1), f, hb, hm, environment),
        np.where(d <= 0.04, slant(d), at_near + share * (at_far - at_near)),
    )
    return np.asarray(np.maximum(loss, slant(d)))


#: The constant of `shadow_fading_sigma_db` for each environment, [5]_. [dB]
SIGMA_CONSTANT_DB: dict[str, float] = {
    "urban": 5.2,
    "urban_large": 5.2,
    "suburban": 6.6,
    "open": 6.6,
}


def shadow_fading_sigma_db(
    frequency_mhz: ArrayLike, environment: Environment = "urban"
) -> NDArray[np.float64]:
    """Return the standard deviation of the loss from place to place for Hata's models.

    These models know nothing of the single path, so their spread is that of all terrain and
    buildings: 7 to 9 dB, much more than P.1812's residual 2 dB.

    Parameters
    ----------
    frequency_mhz
        Frequency. [MHz]
    environment
        One of `ENVIRONMENTS`; Okumura's value for suburbs and rolling hills stands for open areas.

    Returns
    -------
    NDArray
        Standard deviation. [dB]

    Raises
    ------
    InputError
        If the environment is unknown.

    Notes
    -----
    sigma = 0.65 (log f)^2 - 1.3 log f + A, with A = 5.2 dB in cities and 6.6 dB in suburbs, a fit
    to Okumura's curves [5]_.

    Examples
    --------
    >>> shadow_fading_sigma_db([900.0, 1800.0]).round(1)
    array([7. , 7.9])
    """
    if environment not in SIGMA_CONSTANT_DB:
        raise InputError(
            "{model}: environment is {value}, but it must be one of {known}",
            model=OKUMURA_HATA,
            value=environment,
            known=", ".join(ENVIRONMENTS),
        )
    log_f = np.log10(required(OKUMURA_HATA, "frequency_mhz", frequency_mhz, (10.0, 10_000.0)))
    return np.asarray(0.65 * log_f**2 - 1.3 * log_f + SIGMA_CONSTANT_DB[environment])


def extended_sigma_db(distance_km: ArrayLike, *, above_roof: bool = True) -> NDArray[np.float64]:
    """Return the standard deviation that SM.2028 gives for the extended Hata model.

    Parameters
    ----------
    distance_km
        Path length. [km]
    above_roof
        Whether one antenna stands above the roofs.

    Returns
    -------
    NDArray
        Standard deviation. [dB]

    Notes
    -----
    Report ITU-R SM.2028-2 [3]_, section 6.1: 3.5 dB up to 0.04 km, 12 (below roofs 17) dB between
    0.1 and 0.2 km, 9 dB from 0.6 km on, linear in the distance between.

    Examples
    --------
    >>> extended_sigma_db([0.01, 0.15, 0.4, 5.0])
    array([ 3.5, 12. , 10.5,  9. ])
    """
    peak = 12.0 if above_roof else 17.0
    d = required(EXTENDED_HATA, "distance_km", distance_km, LIMITS["distance_km"])
    return np.asarray(np.interp(d, [0.04, 0.1, 0.2, 0.6], [3.5, peak, peak, 9.0]))
