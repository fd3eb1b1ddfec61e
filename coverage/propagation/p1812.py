"""ITU-R P.1812: point-to-area prediction from 30 MHz to 6 GHz over a terrain profile.

Written from Recommendation ITU-R P.1812-7/-8 (Annex 1 and its attachments).
The digital maps of the Recommendation are not part of this project: the
refractivity lapse rate and sea-level refractivity at the path centre are
arguments.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coverage.kernels import p1812 as kernel
from coverage.propagation.ranges import require_in_range, warn_outside_range
from data.errors import InputError

MODEL = "ITU-R P.1812"

#: Median lapse rate of refractivity in the lowest kilometre, where none is given; about the
#: world's median. Read the Recommendation's map for a precise place. [N-units/km]
DELTA_N = 45.0
#: Sea-level surface refractivity where none is given; typical of a humid subtropical year. It
#: moves the troposcatter loss only, by 0.15 dB per unit. [N-units]
N0 = 340.0

FREQUENCY_RANGE_GHZ = (0.03, 6.0)
TIME_RANGE_PERCENT = (1.0, 50.0)
LOCATION_RANGE_PERCENT = (1.0, 99.0)
DISTANCE_RANGE_KM = (0.25, 3000.0)
#: Antenna heights above ground; 3000 m is the Recommendation's own limit.
HEIGHT_RANGE_M = (0.1, 3000.0)
#: The equations stay monotonous in this range; the maps of the Recommendation lie inside.
DELTA_N_RANGE = (0.0, 150.0)
N0_RANGE = (200.0, 450.0)

#: Fewest points of a profile: two ends and one between.
MIN_POINTS = 3

#: Zone codes of the Recommendation: sea, coastal land, inland.
ZONES = (1, 3, 4)

POLARIZATIONS = ("horizontal", "vertical")

_EARTH_RADIUS_KM = 6371.0


def path_centre_latitude(
    tx_lat: float, tx_lon: float, rx_lat: float, rx_lon: float, distance_km: float
) -> float:
    """Return the latitude half-way along the great circle from transmitter to receiver.

    Parameters
    ----------
    tx_lat, tx_lon, rx_lat, rx_lon
        Positions. [°]
    distance_km
        Path length; half of it is gone from the transmitter. [km]

    Returns
    -------
    float
        Latitude. [°]

    References
    ----------
    ITU-R P.1812-7, Annex 1, great-circle path calculations.
    """
    lat_1 = math.radians(tx_lat)
    lat_2 = math.radians(rx_lat)
    lon = math.radians(rx_lon - tx_lon)
    bearing = math.atan2(
        math.sin(lon) * math.cos(lat_2),
        math.cos(lat_1) * math.sin(lat_2) - math.sin(lat_1) * math.cos(lat_2) * math.cos(lon),
    )
    angle = 0.5 * distance_km / _EARTH_RADIUS_KM
    sine = math.sin(lat_1) * math.cos(angle) + math.cos(lat_1) * math.sin(angle) * math.cos(bearing)
    return math.degrees(math.asin(min(1.0, max(-1.0, sine))))


def location_sigma_db(frequency_ghz: float, resolution_m: float) -> float:
    """Return the standard deviation of the local mean within an area, of the model's own kind.

    It tells how outdoor levels spread inside a square of side `resolution_m`
    around the predicted median, because of ground cover the profile does not
    show; it is not the error of the model.

    Parameters
    ----------
    frequency_ghz
        Frequency. [GHz]
    resolution_m
        Side of the square the prediction stands for. [m]

    Returns
    -------
    float
        Standard deviation. [dB]

    References
    ----------
    ITU-R P.1812-7, section 4.8, sigma_L = (0.024 f + 0.52) w_a^0.28.

    Examples
    --------
    >>> round(location_sigma_db(0.9, 50.0), 2)
    1.62
    """
    require_in_range(MODEL, "frequency_ghz", frequency_ghz, FREQUENCY_RANGE_GHZ)
    require_in_range(MODEL, "resolution_m", resolution_m, (1.0, 10_000.0))
    return (0.024 * frequency_ghz + 0.52) * resolution_m**0.28


def vertical_polarization(polarization: str) -> bool:
    """Return whether the name says vertical polarisation.

    Parameters
    ----------
    polarization
        ``"horizontal"`` or ``"vertical"``.

    Returns
    -------
    bool
        True for vertical.

    Raises
    ------
    InputError
        For any other name.
    """
    if polarization not in POLARIZATIONS:
        raise InputError(
            "{model}: polarization is {value!r}, but it must be horizontal or vertical",
            model=MODEL,
            value=polarization,
        )
    return polarization == "vertical"


def check_zone(zone: ArrayLike, count: int) -> NDArray[np.int8]:
    """Return zone codes as an array after checking them.

    Parameters
    ----------
    zone
        Codes 1 (sea), 3 (coastal land) or 4 (inland), one per profile point.
    count
        Number of profile points.

    Returns
    -------
    NDArray
        Shape (count,).

    Raises
    ------
    InputError
        If the number or a code is wrong.
    """
    codes = np.asarray(zone)
    _check_shape("zone", codes, count)
    bad = ~np.isin(codes, ZONES)
    if bad.any():
        index = int(np.argmax(bad))
        raise InputError(
            "{model}: zone of profile point {index} is {value}, but it must be "
            "1 (sea), 3 (coastal land) or 4 (inland)",
            model=MODEL,
            index=index,
            value=codes[index],
        )
    return np.ascontiguousarray(codes, dtype=np.int8)


def _check_shape(name: str, values: NDArray[np.generic], count: int) -> None:
    if values.shape != (count,):
        raise InputError(
            "{model}: {name} has shape {found}, but the profile has {count} points",
            model=MODEL,
            name=name,
            found=values.shape,
            count=count,
        )


def check_heights(name: str, values: ArrayLike, count: int) -> NDArray[np.float64]:
    """Return heights along a profile as an array after checking them.

    Parameters
    ----------
    name
        Name for the message.
    values
        Heights, one per profile point. [m]
    count
        Number of profile points.

    Returns
    -------
    NDArray
        Shape (count,).

    Raises
    ------
    InputError
        If the number of heights is wrong or one of them is not finite.
    """
    try:
        heights = np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            "{model}: {name} must be a sequence of numbers", model=MODEL, name=name
        ) from error
    _check_shape(name, heights, count)
    if not np.isfinite(heights).all():
        index = int(np.argmin(np.isfinite(heights)))
        raise InputError(
            "{model}: {name} of profile point {index} is {value}, but it must be a finite number",
            model=MODEL,
            name=name,
            index=index,
            value=heights[index],
        )
    return heights


def check_clutter(values: ArrayLike, count: int) -> NDArray[np.float64]:
    """Return clutter heights along a profile as an array after checking them.

    Parameters
    ----------
    values
        Heights above ground, at least 0, one per profile point. [m]
    count
        Number of profile points.

    Returns
    -------
    NDArray
        Shape (count,).

    Raises
    ------
    InputError
        If the number of heights is wrong or one is negative or not finite.
    """
    heights = check_heights("clutter_height_m", values, count)
    if (heights < 0.0).any():
        index = int(np.argmax(heights < 0.0))
        raise InputError(
            "{model}: clutter_height_m of profile point {index} is {value}, "
            "but it must be at least 0",
            model=MODEL,
            index=index,
            value=heights[index],
        )
    return heights


def _check_distances(distance_km: ArrayLike) -> NDArray[np.float64]:
    try:
        d = np.ascontiguousarray(distance_km, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            "{model}: distance_km must be a sequence of numbers", model=MODEL
        ) from error
    if d.ndim != 1 or d.size < MIN_POINTS:
        raise InputError(
            "{model}: distance_km has shape {found}, but a profile needs one dimension "
            "and at least {least} points",
            model=MODEL,
            found=d.shape,
            least=MIN_POINTS,
        )
    d = check_heights("distance_km", d, d.size)
    if d[0] != 0.0:
        raise InputError(
            "{model}: distance_km starts at {value}, but it must start at 0",
            model=MODEL,
            value=d[0],
        )
    steps = np.diff(d)
    if (steps <= 0.0).any():
        index = int(np.argmax(steps <= 0.0)) + 1
        raise InputError(
            "{model}: distance_km of profile point {index} is {value} after {previous}, "
            "but distances must increase",
            model=MODEL,
            index=index,
            value=d[index],
            previous=d[index - 1],
        )
    return d


def _check_position(name: str, value: float, limit: float) -> None:
    if not (math.isfinite(value) and abs(value) <= limit):
        raise InputError(
            "{model}: {name} is {value}, but it must lie between -{limit} and {limit} degrees",
            model=MODEL,
            name=name,
            value=value,
            limit=f"{limit:g}",
        )


def _check_coast(name: str, value: float) -> None:
    if not value >= 0.0:
        raise InputError(
            "{model}: {name} is {value}, but a distance to the coast must be at least 0",
            model=MODEL,
            name=name,
            value=value,
        )


def basic_transmission_loss(
    distance_km: ArrayLike,
    height_m: ArrayLike,
    *,
    frequency_ghz: float,
    tx_height_m: float,
    rx_height_m: float,
    clutter_height_m: ArrayLike | None = None,
    zone: ArrayLike | None = None,
    time_percent: float = 50.0,
    location_percent: float = 50.0,
    sigma_location_db: float = 0.0,
    polarization: str = "vertical",
    tx_lat: float,
    tx_lon: float,
    rx_lat: float,
    rx_lon: float,
    delta_n: float = DELTA_N,
    n0: float = N0,
    dct_km: float = 500.0,
    dcr_km: float = 500.0,
) -> float:
    """Return the basic transmission loss not exceeded for given shares of time and locations.

    Free space with multipath focusing, delta-Bullington diffraction,
    tropospheric scatter and ducting, combined as the Recommendation says, for
    an outdoor receiver.

    Parameters
    ----------
    distance_km
        Great-circle distance of every profile point from the transmitter,
        from 0, increasing; at least 3 points. The last one is the path
        length, valid from 0.25 to 3000. [km]
    height_m
        Terrain height above sea level at every point; may be negative. [m]
    frequency_ghz
        0.03 to 6. [GHz]
    tx_height_m, rx_height_m
        Antenna heights above ground, 0.1 to 3000. [m]
    clutter_height_m
        Representative clutter height at every point, added to the terrain
        everywhere but at the two ends. None: no clutter. [m]
    zone
        1 sea, 3 coastal land, 4 inland at every point. None: all inland.
    time_percent
        Share of an average year in which the loss is not exceeded, 1 to 50. [%]
    location_percent
        Share of locations in which the loss is not exceeded, 1 to 99. [%]
    sigma_location_db
        Standard deviation of location variability (`location_sigma_db`); does
        not apply where the receiver stands on the sea. [dB]
    polarization
        ``"horizontal"`` or ``"vertical"``.
    tx_lat, tx_lon, rx_lat, rx_lon
        Positions; only the latitude of the path's centre matters. [°]
    delta_n
        Median refractivity lapse rate at the path's centre, as a positive
        number. [N-units/km]
    n0
        Sea-level surface refractivity at the path's centre. [N-units]
    dct_km, dcr_km
        Distance over land from each terminal to the coast along the path;
        matters below 5 km on paths with at least 75 % sea. [km]

    Returns
    -------
    float
        Basic transmission loss. [dB]

    Raises
    ------
    InputError
        If an argument is missing, of the wrong shape, not finite or (as
        `OutsideModelRange`) outside the model's range.

    Warns
    -----
    ModelRangeWarning
        If the path is shorter than 0.25 km or longer than 3000 km.

    References
    ----------
    ITU-R P.1812-8, Annex 1, sections as named in the kernel.

    Examples
    --------
    >>> d = np.linspace(0.0, 5.0, 51)
    >>> loss = basic_transmission_loss(
    ...     d, np.zeros(51), frequency_ghz=0.9, tx_height_m=40.0, rx_height_m=10.0,
    ...     tx_lat=20.5, tx_lon=105.9, rx_lat=20.54, rx_lon=105.9)
    >>> round(loss, 1)
    105.5
    """
    d = _check_distances(distance_km)
    h = check_heights("height_m", height_m, d.size)
    g = h
    if clutter_height_m is not None:
        g = h.copy()
        g[1:-1] += check_clutter(clutter_height_m, d.size)[1:-1]
    codes = np.full(d.size, 4, np.int8) if zone is None else check_zone(zone, d.size)
    check_parameters(
        frequency_ghz=frequency_ghz,
        tx_height_m=tx_height_m,
        rx_height_m=rx_height_m,
        time_percent=time_percent,
        delta_n=delta_n,
        n0=n0,
        dct_km=dct_km,
        dcr_km=dcr_km,
    )
    require_in_range(MODEL, "location_percent", location_percent, LOCATION_RANGE_PERCENT)
    require_in_range(MODEL, "sigma_location_db", sigma_location_db, (0.0, 100.0))
    vertical = vertical_polarization(polarization)
    _check_position("tx_lat", tx_lat, 90.0)
    _check_position("rx_lat", rx_lat, 90.0)
    _check_position("tx_lon", tx_lon, 180.0)
    _check_position("rx_lon", rx_lon, 180.0)
    warn_outside_range(MODEL, "distance_km", float(d[-1]), DISTANCE_RANGE_KM)

    parts = np.empty(kernel.LOSS + 1)
    kernel.path_loss(
        d,
        h,
        g,
        codes,
        float(frequency_ghz),
        float(time_percent),
        float(tx_height_m),
        float(rx_height_m),
        vertical,
        path_centre_latitude(tx_lat, tx_lon, rx_lat, rx_lon, float(d[-1])),
        float(delta_n),
        float(n0),
        float(dct_km),
        float(dcr_km),
        parts,
    )
    variation = 0.0
    if codes[-1] != 1:
        # I(x) is the complementary function: more locations, more loss.
        variation = -kernel.inverse_normal(location_percent / 100.0) * sigma_location_db
    return float(max(parts[kernel.LB0P], parts[kernel.LOSS] + variation))


def check_parameters(
    *,
    frequency_ghz: float,
    tx_height_m: float,
    rx_height_m: float,
    time_percent: float,
    delta_n: float,
    n0: float,
    dct_km: float = 500.0,
    dcr_km: float = 500.0,
) -> None:
    """Check the scalar parameters of the model; units as in `basic_transmission_loss`.

    Parameters
    ----------
    frequency_ghz, tx_height_m, rx_height_m, time_percent, delta_n, n0, dct_km, dcr_km
        As in `basic_transmission_loss`.

    Raises
    ------
    InputError
        If one is outside its range.
    """
    require_in_range(MODEL, "frequency_ghz", frequency_ghz, FREQUENCY_RANGE_GHZ)
    require_in_range(MODEL, "tx_height_m", tx_height_m, HEIGHT_RANGE_M)
    require_in_range(MODEL, "rx_height_m", rx_height_m, HEIGHT_RANGE_M)
    require_in_range(MODEL, "time_percent", time_percent, TIME_RANGE_PERCENT)
    require_in_range(MODEL, "delta_n", delta_n, DELTA_N_RANGE)
    require_in_range(MODEL, "n0", n0, N0_RANGE)
    _check_coast("dct_km", dct_km)
    _check_coast("dcr_km", dcr_km)
