"""ITS Irregular Terrain Model (Longley-Rice), 20 MHz to 20 GHz.

Point-to-point mode (`point_to_point_loss`), the same with confidence and reliability
(`point_to_point_loss_cr`), area mode (`area_loss`), and the sweep that gives the
point-to-point loss of every point of a radial (`radial_loss`).

The model leaves its range in two steps. Inputs that its authors exclude raise
`OutsideModelRange` or `InputError`. A result that deserves caution carries bits of
`ItmWarning`: `point_to_point` and `area` return them, the functions that return a plain number
issue one `ModelRangeWarning` per call that spells them out.

References
----------
.. [1] G. A. Hufford, "The ITS Irregular Terrain Model, version 1.2.2: the Algorithm", NTIA/ITS,
   1995; equation numbers [Alg.] refer to it.
.. [2] A. G. Longley and P. L. Rice, "Prediction of tropospheric radio transmission loss over
   irregular terrain", ESSA Technical Report ERL 79-ITS 67, 1968.
.. [3] P. L. Rice et al., "Transmission loss predictions for tropospheric communication
   circuits", NBS Technical Note 101, 1967.
.. [4] NTIA, Irregular Terrain Model 1.4 (public domain), whose results are reproduced.
"""

from __future__ import annotations

import enum
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coverage.kernels import itm as kernel
from coverage.propagation.ranges import ModelRangeWarning, OutsideModelRange, require_in_range
from data.errors import InputError

MODEL = "ITM (Longley-Rice)"

#: Ranges outside which the model raises `OutsideModelRange` ([4] above).
RANGES: dict[str, tuple[float, float]] = {
    "frequency_mhz": (20.0, 20_000.0),
    "tx_height_m": (0.5, 3000.0),
    "rx_height_m": (0.5, 3000.0),
    "n0": (250.0, 400.0),
}

#: Ranges outside which a result is given with a warning ([4] above).
ADVISED_RANGES: dict[str, tuple[float, float]] = {
    "frequency_mhz": (40.0, 10_000.0),
    "tx_height_m": (1.0, 1000.0),
    "rx_height_m": (1.0, 1000.0),
    "distance_km": (1.0, 1000.0),
}

CLIMATES: dict[int, str] = {
    1: "equatorial",
    2: "continental subtropical",
    3: "maritime subtropical",
    4: "desert",
    5: "continental temperate",
    6: "maritime temperate over land",
    7: "maritime temperate over sea",
}

Polarization = Literal["vertical", "horizontal"]
Siting = Literal["random", "careful", "very careful"]

_SITINGS: dict[str, int] = {"random": 0, "careful": 1, "very careful": 2}

# Coefficients by climate 1 to 7: the curves of TN 101 fig. 10.13 and 10.19 ff. as fitted in
# [Alg.] section 5. Columns c1, c2, x1, x2, x3 of V(0.5), of sigma_T-
# and of sigma_T+.
_CLIMATE_CURVES = np.hstack(
    [
        [
            [-9.67, 12.7, 144.9e3, 190.3e3, 133.8e3],
            [-0.62, 9.19, 228.9e3, 205.2e3, 143.6e3],
            [1.26, 15.5, 262.6e3, 185.2e3, 99.8e3],
            [-9.21, 9.05, 84.1e3, 101.1e3, 98.6e3],
            [-0.62, 9.19, 228.9e3, 205.2e3, 143.6e3],
            [-0.39, 2.86, 141.7e3, 315.9e3, 167.4e3],
            [3.15, 857.9, 2222.0e3, 164.8e3, 116.3e3],
        ],
        [
            [2.13, 159.5, 762.2e3, 123.6e3, 94.5e3],
            [2.66, 7.67, 100.4e3, 172.5e3, 136.4e3],
            [6.11, 6.65, 138.2e3, 242.2e3, 178.6e3],
            [1.98, 13.11, 139.1e3, 132.7e3, 193.5e3],
            [2.68, 7.16, 93.7e3, 186.8e3, 133.5e3],
            [6.86, 10.38, 187.8e3, 169.6e3, 108.9e3],
            [8.51, 169.8, 609.8e3, 119.9e3, 106.6e3],
        ],
        [
            [2.11, 102.3, 636.9e3, 134.8e3, 95.6e3],
            [6.87, 15.53, 138.7e3, 143.7e3, 98.6e3],
            [10.08, 9.6, 165.3e3, 225.7e3, 129.7e3],
            [3.68, 159.3, 464.4e3, 93.1e3, 94.2e3],
            [4.75, 8.12, 93.2e3, 135.9e3, 113.4e3],
            [8.58, 13.97, 216.0e3, 152.0e3, 122.7e3],
            [8.43, 8.19, 136.2e3, 188.5e3, 122.9e3],
        ],
    ]
)
# C_D and z_D of [Alg.] table 5.1
_CLIMATE_TAIL = np.array(
    [
        [1.224, 1.282],
        [0.801, 2.161],
        [1.380, 1.282],
        [1.000, 20.0],
        [1.224, 1.282],
        [1.518, 1.282],
        [1.518, 1.282],
    ]
)
# frequency factors: b1 + b2 / ((b3 ln(0.133 k))^2 + 1), below and above the median
_CLIMATE_FREQUENCY = np.array(
    [
        [1.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        [1.0, 0.0, 0.0, 0.93, 0.31, 2.00],
        [1.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        [1.0, 0.0, 0.0, 0.93, 0.19, 1.79],
        [0.92, 0.25, 1.77, 0.93, 0.31, 2.00],
        [1.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        [1.0, 0.0, 0.0, 1.0, 0.0, 0.0],
    ]
)


class ItmWarning(enum.IntFlag):
    """Cautions about a result; the values are those of NTIA's implementation [4]_."""

    TX_HEIGHT = 0x0001
    RX_HEIGHT = 0x0002
    FREQUENCY = 0x0004
    DISTANCE_LARGE = 0x0008
    DISTANCE_VERY_LARGE = 0x0010
    DISTANCE_SMALL = 0x0020
    DISTANCE_VERY_SMALL = 0x0040
    TX_HORIZON_ANGLE = 0x0080
    RX_HORIZON_ANGLE = 0x0100
    TX_HORIZON_NEAR = 0x0200
    RX_HORIZON_NEAR = 0x0400
    TX_HORIZON_FAR = 0x0800
    RX_HORIZON_FAR = 0x1000
    EXTREME_VARIABILITY = 0x2000
    SURFACE_REFRACTIVITY = 0x4000


#: What each bit says.
WARNING_TEXTS: dict[ItmWarning, str] = {
    ItmWarning.TX_HEIGHT: "the transmitting antenna is lower than 1 m or higher than 1000 m",
    ItmWarning.RX_HEIGHT: "the receiving antenna is lower than 1 m or higher than 1000 m",
    ItmWarning.FREQUENCY: "the frequency is below 40 MHz or above 10 GHz",
    ItmWarning.DISTANCE_LARGE: "the path is longer than 1000 km",
    ItmWarning.DISTANCE_VERY_LARGE: "the path is longer than 2000 km",
    ItmWarning.DISTANCE_SMALL: "the path is short for the difference of the effective heights",
    ItmWarning.DISTANCE_VERY_SMALL: "the path is shorter than 1 km",
    ItmWarning.TX_HORIZON_ANGLE: "the transmitter's horizon is steeper than 0.2 rad",
    ItmWarning.RX_HORIZON_ANGLE: "the receiver's horizon is steeper than 0.2 rad",
    ItmWarning.TX_HORIZON_NEAR: "the transmitter's horizon is nearer than 1/10 of a smooth Earth's",
    ItmWarning.RX_HORIZON_NEAR: "the receiver's horizon is nearer than 1/10 of a smooth Earth's",
    ItmWarning.TX_HORIZON_FAR: "the transmitter's horizon is farther than 3 times a smooth Earth's",
    ItmWarning.RX_HORIZON_FAR: "the receiver's horizon is farther than 3 times a smooth Earth's",
    ItmWarning.EXTREME_VARIABILITY: "a percentage lies far in the tail of its distribution",
    ItmWarning.SURFACE_REFRACTIVITY: "the surface refractivity is below 250 N-units",
}


class PropagationMode(enum.IntEnum):
    """What governs the reference attenuation."""

    LINE_OF_SIGHT = kernel.LINE_OF_SIGHT
    DIFFRACTION = kernel.DIFFRACTION
    TROPOSCATTER = kernel.TROPOSCATTER


@dataclass(frozen=True)
class ItmResult:
    """A loss with the quantities it was made of.

    Parameters
    ----------
    loss_db
        Basic transmission loss. [dB]
    warnings
        Cautions; zero if there are none.
    mode
        What governs the reference attenuation.
    free_space_db
        Free-space basic transmission loss. [dB]
    reference_attenuation_db
        Median attenuation relative to free space before variability, A_ref. [dB]
    distance_m
        Path length. [m]
    theta_horizon_rad
        Elevation angles of the two radio horizons, transmitter first. [rad]
    horizon_distance_m
        Distances of the two radio horizons. [m]
    effective_height_m
        Effective antenna heights. [m]
    delta_h_m
        Terrain irregularity parameter. [m]
    surface_refractivity
        N_s. [N-units]
    """

    loss_db: float
    warnings: ItmWarning
    mode: PropagationMode
    free_space_db: float
    reference_attenuation_db: float
    distance_m: float
    theta_horizon_rad: tuple[float, float]
    horizon_distance_m: tuple[float, float]
    effective_height_m: tuple[float, float]
    delta_h_m: float
    surface_refractivity: float


def _quantile(q: float) -> float:
    """Inverse of the normal's complementary distribution (Abramowitz and Stegun 26.2.23).

    The model is defined with this approximation (error below 4.5e-4).
    """
    t = math.sqrt(-2.0 * math.log(min(q, 1.0 - q)))
    zeta = ((0.010328 * t + 0.802853) * t + 2.515516) / (
        ((0.001308 * t + 0.189269) * t + 1.432788) * t + 1.0
    )
    return zeta - t if q > 0.5 else t - zeta


def _require_percent(name: str, value: float) -> None:
    if not 0.0 < value < 100.0:
        raise InputError(
            "{model}: {parameter} is {value}, but it must be greater than 0 and less than 100",
            model=MODEL,
            parameter=name,
            value=value,
        )


@dataclass(frozen=True)
class Setting:
    """Checked inputs in the form the kernels read, and the warnings known beforehand.

    Parameters
    ----------
    frequencies
        One row per frequency, see `coverage.kernels.itm`.
    statistics
        Deviates, mode and climate curves.
    warnings
        Cautions that hold whatever the profile.
    """

    frequencies: NDArray[np.float64]
    statistics: NDArray[np.float64]
    warnings: ItmWarning


def prepare(
    *,
    frequencies_mhz: Sequence[float],
    tx_height_m: float,
    rx_height_m: float,
    climate: int,
    n0: float,
    polarization: str,
    epsilon: float,
    sigma: float,
    mdvar: int,
    time_percent: float,
    location_percent: float,
    situation_percent: float,
    percent_names: tuple[str, str] = ("time_percent", "situation_percent"),
) -> Setting:
    """Check inputs and prepare the tables that the kernels read.

    Parameters
    ----------
    frequencies_mhz
        At least one frequency. [MHz]
    tx_height_m, rx_height_m, climate, n0, polarization, epsilon, sigma, mdvar, time_percent, \
location_percent, situation_percent
        As for `point_to_point`.
    percent_names
        What errors call the percentages of time and situations.

    Returns
    -------
    Setting
        The tables.

    Raises
    ------
    OutsideModelRange, InputError
        For what the model excludes; the message names the value.
    """
    if len(frequencies_mhz) == 0:
        raise InputError("{model}: no frequency is given", model=MODEL)
    caution = ItmWarning(0)
    for flag, name, value in (
        (ItmWarning.TX_HEIGHT, "tx_height_m", tx_height_m),
        (ItmWarning.RX_HEIGHT, "rx_height_m", rx_height_m),
    ):
        require_in_range(MODEL, name, value, RANGES[name])
        if not ADVISED_RANGES[name][0] <= value <= ADVISED_RANGES[name][1]:
            caution |= flag
    if climate not in CLIMATES:
        raise InputError(
            "{model}: climate is {value}, but it must be a whole number from 1 to 7",
            model=MODEL,
            value=climate,
        )
    require_in_range(MODEL, "n0", n0, RANGES["n0"])
    for frequency_mhz in frequencies_mhz:
        require_in_range(MODEL, "frequency_mhz", frequency_mhz, RANGES["frequency_mhz"])
        low, high = ADVISED_RANGES["frequency_mhz"]
        if not low <= frequency_mhz <= high:
            caution |= ItmWarning.FREQUENCY
    if polarization not in ("vertical", "horizontal"):
        raise InputError(
            "{model}: polarization is {value}, but it must be vertical or horizontal",
            model=MODEL,
            value=polarization,
        )
    if not (math.isfinite(epsilon) and epsilon >= 1.0):
        raise OutsideModelRange(MODEL, "epsilon", epsilon, (1.0, math.inf))
    if not (math.isfinite(sigma) and sigma > 0.0):
        raise InputError(
            "{model}: sigma is {value} S/m, but it must be greater than 0",
            model=MODEL,
            value=sigma,
        )
    if mdvar not in {tens + mode for tens in (0, 10, 20, 30) for mode in range(4)}:
        raise InputError(
            "{model}: mdvar is {value}, but it must be 0 to 3, plus 10 and/or 20",
            model=MODEL,
            value=mdvar,
        )
    _require_percent(percent_names[1], situation_percent)
    _require_percent(percent_names[0], time_percent)
    _require_percent("location_percent", location_percent)

    z_t = _quantile(time_percent / 100.0)
    z_l = _quantile(location_percent / 100.0)
    z_s = _quantile(situation_percent / 100.0)
    mode = mdvar % 10
    # [Alg.] section 5.1: fewer kinds of variability than percentages share one deviate
    if mode == 0:
        z_t = z_l = z_s
    elif mode == 1:
        z_l = z_s
    elif mode == 2:
        z_l = z_t
    if max(abs(z_t), abs(z_l), abs(z_s)) > 3.10:
        caution |= ItmWarning.EXTREME_VARIABILITY
    statistics = np.concatenate(
        [
            [z_t, z_l, z_s, mode, mdvar // 10 % 2, mdvar // 20],
            _CLIMATE_CURVES[climate - 1],
            _CLIMATE_TAIL[climate - 1],
        ]
    )

    f = np.asarray(frequencies_mhz, dtype=np.float64)
    # surface transfer impedance ([Alg.] eq. 1.4)
    permittivity = epsilon + 1j * 18_000.0 * sigma / f
    impedance = np.sqrt(permittivity - 1.0)
    if polarization == "vertical":
        impedance = impedance / permittivity
    if np.any(impedance.real <= np.abs(impedance.imag)):
        raise InputError(
            "{model}: the ground constants epsilon {epsilon} and sigma {sigma} S/m give an "
            "impedance that the model excludes at {frequency} MHz",
            model=MODEL,
            epsilon=epsilon,
            sigma=sigma,
            frequency=f"{f[np.argmax(impedance.real <= np.abs(impedance.imag))]:g}",
        )
    table = np.empty((f.size, kernel.FREQUENCY_COLUMNS))
    table[:, kernel.F_MHZ] = f
    table[:, kernel.F_WAVE_NUMBER] = f / 47.7
    table[:, kernel.F_Z_RE] = impedance.real
    table[:, kernel.F_Z_IM] = impedance.imag
    table[:, kernel.F_CBRT] = np.cbrt(f)
    table[:, kernel.F_K] = 0.017778 / np.cbrt(f) / np.abs(impedance)
    table[:, kernel.F_LOG_K] = np.log(table[:, kernel.F_K])
    table[:, kernel.F_LOG] = np.log(f)
    table[:, kernel.F_FREE_SPACE] = 32.45 + 20.0 * np.log10(f)
    table[:, kernel.F_D_EX] = np.cbrt(575.7e12 / table[:, kernel.F_WAVE_NUMBER])
    b = _CLIMATE_FREQUENCY[climate - 1]
    q = np.log(0.133 * table[:, kernel.F_WAVE_NUMBER])
    table[:, kernel.F_G_MINUS] = b[0] + b[1] / ((b[2] * q) ** 2 + 1.0)
    table[:, kernel.F_G_PLUS] = b[3] + b[4] / ((b[5] * q) ** 2 + 1.0)
    return Setting(table, statistics, caution)


def _profile(height_m: ArrayLike, spacing_m: float) -> NDArray[np.float64]:
    """Return the heights as an array, or say what is wrong with the profile."""
    height = np.ascontiguousarray(height_m, dtype=np.float64)
    if height.ndim != 1 or height.size < 2:
        raise InputError(
            "{model}: the profile has shape {shape}, but it needs at least two heights in a row",
            model=MODEL,
            shape=height.shape,
        )
    if height.size > kernel.MAX_POINTS:
        raise InputError(
            "{model}: the profile has {count} heights, but at most {most} are handled",
            model=MODEL,
            count=height.size,
            most=kernel.MAX_POINTS,
        )
    if not (math.isfinite(spacing_m) and spacing_m > 0.0):
        raise InputError(
            "{model}: spacing_m is {value}, but it must be greater than 0",
            model=MODEL,
            value=spacing_m,
        )
    return height


def _result(values: NDArray[np.float64], distance_m: float, caution: ItmWarning) -> ItmResult:
    """Turn a kernel's result into an object, or into the error it stands for."""
    fault = int(values[kernel.R_FAULT])
    if fault == kernel.FAULT_EFFECTIVE_EARTH:
        raise InputError(
            "{model}: the surface refractivity {value} N-units gives an effective Earth radius "
            "that the model excludes",
            model=MODEL,
            value=f"{values[kernel.R_N_S]:.1f}",
        )
    if fault == kernel.FAULT_STEEP:
        raise InputError(
            "{model}: the path is too short and steep: effective antenna heights of {tx} m and "
            "{rx} m with horizons at {near} m and {far} m have no loss in this model",
            model=MODEL,
            tx=f"{values[kernel.R_EFFECTIVE_TX]:.1f}",
            rx=f"{values[kernel.R_EFFECTIVE_RX]:.1f}",
            near=f"{values[kernel.R_HORIZON_TX]:.1f}",
            far=f"{values[kernel.R_HORIZON_RX]:.1f}",
        )
    if fault:
        raise OutsideModelRange(
            MODEL, "surface refractivity", float(values[kernel.R_N_S]), (150.0, 400.0)
        )

    def pair(first: int) -> tuple[float, float]:
        return float(values[first]), float(values[first + 1])

    return ItmResult(
        loss_db=float(values[kernel.R_LOSS]),
        warnings=caution | ItmWarning(int(values[kernel.R_WARNINGS])),
        mode=PropagationMode(int(values[kernel.R_MODE])),
        free_space_db=float(values[kernel.R_FREE_SPACE]),
        reference_attenuation_db=float(values[kernel.R_A_REF]),
        distance_m=distance_m,
        theta_horizon_rad=pair(kernel.R_THETA_TX),
        horizon_distance_m=pair(kernel.R_HORIZON_TX),
        effective_height_m=pair(kernel.R_EFFECTIVE_TX),
        delta_h_m=float(values[kernel.R_DELTA_H]),
        surface_refractivity=float(values[kernel.R_N_S]),
    )


def warning_text(flags: ItmWarning) -> str:
    """Spell out warning bits.

    Parameters
    ----------
    flags
        Bits of a result.

    Returns
    -------
    str
        One clause per bit, empty if there is none.

    Examples
    --------
    >>> warning_text(ItmWarning.DISTANCE_VERY_SMALL)
    'the path is shorter than 1 km'
    """
    return "; ".join(text for flag, text in WARNING_TEXTS.items() if flag & flags)


def _warn(flags: ItmWarning) -> None:
    """Issue one `ModelRangeWarning` in the name of the public function's caller."""
    if flags:
        warnings.warn(f"{MODEL}: {warning_text(flags)}", ModelRangeWarning, stacklevel=3)


def _point_to_point(
    height_m: ArrayLike, spacing_m: float, setting: Setting, tx_m: float, rx_m: float, n0: float
) -> ItmResult:
    height = _profile(height_m, spacing_m)
    if not np.isfinite(height).all():
        raise InputError(
            "{model}: height {index} of the profile is {value}, but every height must be a number",
            model=MODEL,
            index=int(np.argmin(np.isfinite(height))),
            value=height[np.argmin(np.isfinite(height))],
        )
    values = np.zeros(kernel.RESULT_SIZE)
    kernel.itm_path(
        setting.frequencies[0], setting.statistics, height, float(spacing_m), float(tx_m),
        float(rx_m), float(n0), values,
    )  # fmt: skip
    return _result(values, (height.size - 1) * spacing_m, setting.warnings)


def point_to_point(
    height_m: ArrayLike,
    spacing_m: float,
    *,
    frequency_mhz: float,
    tx_height_m: float,
    rx_height_m: float,
    climate: int = 1,
    n0: float = 301.0,
    polarization: Polarization = "vertical",
    epsilon: float = 15.0,
    sigma: float = 0.005,
    mdvar: int = 12,
    time_percent: float = 50.0,
    location_percent: float = 50.0,
    situation_percent: float = 50.0,
) -> ItmResult:
    """Return the loss over a terrain profile with its intermediate values and warnings.

    Parameters
    ----------
    height_m
        Terrain heights above sea level, equally spaced, transmitter first; shape (n,), at least
        two. [m]
    spacing_m
        Distance between two heights. [m]
    frequency_mhz
        Frequency, 20 to 20 000; a warning outside 40 to 10 000. [MHz]
    tx_height_m, rx_height_m
        Antenna heights above ground, 0.5 to 3000; a warning outside 1 to 1000. [m]
    climate
        Radio climate 1 to 7 (`CLIMATES`).
    n0
        Refractivity reduced to sea level, 250 to 400. [N-units]
    polarization
        ``"vertical"`` or ``"horizontal"``.
    epsilon
        Relative permittivity of the ground, at least 1.
    sigma
        Conductivity of the ground, greater than 0. [S/m]
    mdvar
        Mode of variability: 0 single message, 1 accidental, 2 mobile, 3 broadcast; plus 10 to
        leave out location variability, plus 20 to leave out situation variability.
    time_percent, location_percent, situation_percent
        Percentages of time, locations and situations for which the loss is not exceeded,
        greater than 0 and less than 100. [%]

    Returns
    -------
    ItmResult
        Loss, warnings and intermediate values.

    Raises
    ------
    OutsideModelRange, InputError
        For what the model excludes; the message names the value.

    Examples
    --------
    >>> result = point_to_point([10.0] * 334, 30.0, frequency_mhz=900.0, tx_height_m=40.0,
    ...                         rx_height_m=1.5)
    >>> round(result.loss_db, 1), result.mode.name, result.delta_h_m
    (124.7, 'LINE_OF_SIGHT', 0.0)
    """
    setting = prepare(
        frequencies_mhz=[frequency_mhz],
        tx_height_m=tx_height_m,
        rx_height_m=rx_height_m,
        climate=climate,
        n0=n0,
        polarization=polarization,
        epsilon=epsilon,
        sigma=sigma,
        mdvar=mdvar,
        time_percent=time_percent,
        location_percent=location_percent,
        situation_percent=situation_percent,
    )
    return _point_to_point(height_m, spacing_m, setting, tx_height_m, rx_height_m, n0)


def point_to_point_loss(
    height_m: ArrayLike,
    spacing_m: float,
    *,
    frequency_mhz: float,
    tx_height_m: float,
    rx_height_m: float,
    climate: int = 1,
    n0: float = 301.0,
    polarization: Polarization = "vertical",
    epsilon: float = 15.0,
    sigma: float = 0.005,
    mdvar: int = 12,
    time_percent: float = 50.0,
    location_percent: float = 50.0,
    situation_percent: float = 50.0,
) -> float:
    """Return the basic transmission loss over a terrain profile.

    Parameters
    ----------
    height_m, spacing_m, frequency_mhz, tx_height_m, rx_height_m, climate, n0, polarization, \
epsilon, sigma, mdvar, time_percent, location_percent, situation_percent
        As for `point_to_point`.

    Returns
    -------
    float
        Basic transmission loss not exceeded for the percentages given. [dB]

    Raises
    ------
    OutsideModelRange, InputError
        For what the model excludes; the message names the value.

    Warns
    -----
    ModelRangeWarning
        Once per call, if the result carries any `ItmWarning`.

    Examples
    --------
    >>> round(point_to_point_loss([10.0] * 334, 30.0, frequency_mhz=900.0, tx_height_m=40.0,
    ...                           rx_height_m=1.5), 1)
    124.7
    """
    setting = prepare(
        frequencies_mhz=[frequency_mhz],
        tx_height_m=tx_height_m,
        rx_height_m=rx_height_m,
        climate=climate,
        n0=n0,
        polarization=polarization,
        epsilon=epsilon,
        sigma=sigma,
        mdvar=mdvar,
        time_percent=time_percent,
        location_percent=location_percent,
        situation_percent=situation_percent,
    )
    result = _point_to_point(height_m, spacing_m, setting, tx_height_m, rx_height_m, n0)
    _warn(result.warnings)
    return result.loss_db


def point_to_point_loss_cr(
    height_m: ArrayLike,
    spacing_m: float,
    *,
    frequency_mhz: float,
    tx_height_m: float,
    rx_height_m: float,
    climate: int = 1,
    n0: float = 301.0,
    polarization: Polarization = "vertical",
    epsilon: float = 15.0,
    sigma: float = 0.005,
    mdvar: int = 12,
    confidence_percent: float = 50.0,
    reliability_percent: float = 50.0,
) -> float:
    """Return the basic transmission loss over a terrain profile, by confidence and reliability.

    Reliability takes the place of time, confidence that of situations; locations stay at 50 %.

    Parameters
    ----------
    height_m, spacing_m, frequency_mhz, tx_height_m, rx_height_m, climate, n0, polarization, \
epsilon, sigma, mdvar
        As for `point_to_point`.
    confidence_percent
        Confidence in the prediction, greater than 0 and less than 100. [%]
    reliability_percent
        Percentage of time, greater than 0 and less than 100. [%]

    Returns
    -------
    float
        Basic transmission loss. [dB]

    Raises
    ------
    OutsideModelRange, InputError
        For what the model excludes; the message names the value.

    Warns
    -----
    ModelRangeWarning
        Once per call, if the result carries any `ItmWarning`.

    Examples
    --------
    >>> round(point_to_point_loss_cr([10.0] * 334, 30.0, frequency_mhz=900.0, tx_height_m=40.0,
    ...                              rx_height_m=1.5, confidence_percent=90.0), 1)
    134.3
    """
    setting = prepare(
        frequencies_mhz=[frequency_mhz],
        tx_height_m=tx_height_m,
        rx_height_m=rx_height_m,
        climate=climate,
        n0=n0,
        polarization=polarization,
        epsilon=epsilon,
        sigma=sigma,
        mdvar=mdvar,
        time_percent=reliability_percent,
        location_percent=50.0,
        situation_percent=confidence_percent,
        percent_names=("reliability_percent", "confidence_percent"),
    )
    result = _point_to_point(height_m, spacing_m, setting, tx_height_m, rx_height_m, n0)
    _warn(result.warnings)
    return result.loss_db


def area(
    distance_km: float,
    *,
    frequency_mhz: float,
    tx_height_m: float,
    rx_height_m: float,
    delta_h_m: float,
    tx_siting: Siting = "random",
    rx_siting: Siting = "random",
    climate: int = 1,
    n0: float = 301.0,
    polarization: Polarization = "vertical",
    epsilon: float = 15.0,
    sigma: float = 0.005,
    mdvar: int = 12,
    time_percent: float = 50.0,
    location_percent: float = 50.0,
    situation_percent: float = 50.0,
) -> ItmResult:
    """Return the basic transmission loss where only the kind of terrain is known, with warnings.

    Parameters
    ----------
    distance_km
        Path length, greater than 0. [km]
    frequency_mhz, tx_height_m, rx_height_m, climate, n0, polarization, epsilon, sigma, mdvar, \
time_percent, location_percent, situation_percent
        As for `point_to_point`; `n0` stands for the surface refractivity.
    delta_h_m
        Terrain irregularity parameter, at least 0: 0 water, 30 plains, 90 hills, 200 mountains.
        [m]
    tx_siting, rx_siting
        ``"random"``, ``"careful"`` or ``"very careful"`` choice of the antenna's place.

    Returns
    -------
    ItmResult
        Loss, warnings and intermediate values.

    Raises
    ------
    OutsideModelRange, InputError
        For what the model excludes; the message names the value.

    Examples
    --------
    >>> result = area(10.0, frequency_mhz=900.0, tx_height_m=40.0, rx_height_m=1.5, delta_h_m=30.0)
    >>> round(result.loss_db, 1), round(result.horizon_distance_m[0] / 1000.0, 1)
    (125.0, 24.5)
    """
    if not (math.isfinite(distance_km) and distance_km > 0.0):
        raise InputError(
            "{model}: distance_km is {value}, but it must be greater than 0",
            model=MODEL,
            value=distance_km,
        )
    if not (math.isfinite(delta_h_m) and delta_h_m >= 0.0):
        raise OutsideModelRange(MODEL, "delta_h_m", delta_h_m, (0.0, math.inf))
    for name, siting in (("tx_siting", tx_siting), ("rx_siting", rx_siting)):
        if siting not in _SITINGS:
            raise InputError(
                "{model}: {parameter} is {value}, but it must be random, careful or very careful",
                model=MODEL,
                parameter=name,
                value=siting,
            )
    setting = prepare(
        frequencies_mhz=[frequency_mhz],
        tx_height_m=tx_height_m,
        rx_height_m=rx_height_m,
        climate=climate,
        n0=n0,
        polarization=polarization,
        epsilon=epsilon,
        sigma=sigma,
        mdvar=mdvar,
        time_percent=time_percent,
        location_percent=location_percent,
        situation_percent=situation_percent,
    )
    values = np.zeros(kernel.RESULT_SIZE)
    kernel.itm_area(
        setting.frequencies[0], setting.statistics, 1000.0 * distance_km, float(tx_height_m),
        float(rx_height_m), _SITINGS[tx_siting], _SITINGS[rx_siting], float(delta_h_m),
        float(n0), values,
    )  # fmt: skip
    return _result(values, 1000.0 * distance_km, setting.warnings)


def area_loss(
    distance_km: float,
    *,
    frequency_mhz: float,
    tx_height_m: float,
    rx_height_m: float,
    delta_h_m: float,
    tx_siting: Siting = "random",
    rx_siting: Siting = "random",
    climate: int = 1,
    n0: float = 301.0,
    polarization: Polarization = "vertical",
    epsilon: float = 15.0,
    sigma: float = 0.005,
    mdvar: int = 12,
    time_percent: float = 50.0,
    location_percent: float = 50.0,
    situation_percent: float = 50.0,
) -> float:
    """Return the basic transmission loss where only the kind of terrain is known.

    Confidence and reliability are had by giving them as `situation_percent` and `time_percent`
    with 50 % of locations.

    Parameters
    ----------
    distance_km, frequency_mhz, tx_height_m, rx_height_m, delta_h_m, tx_siting, rx_siting, \
climate, n0, polarization, epsilon, sigma, mdvar, time_percent, location_percent, \
situation_percent
        As for `area`.

    Returns
    -------
    float
        Basic transmission loss not exceeded for the percentages given. [dB]

    Raises
    ------
    OutsideModelRange, InputError
        For what the model excludes; the message names the value.

    Warns
    -----
    ModelRangeWarning
        Once per call, if the result carries any `ItmWarning`.

    Examples
    --------
    >>> round(area_loss(10.0, frequency_mhz=900.0, tx_height_m=40.0, rx_height_m=1.5,
    ...                 delta_h_m=30.0), 1)
    125.0
    """
    result = area(
        distance_km,
        frequency_mhz=frequency_mhz,
        tx_height_m=tx_height_m,
        rx_height_m=rx_height_m,
        delta_h_m=delta_h_m,
        tx_siting=tx_siting,
        rx_siting=rx_siting,
        climate=climate,
        n0=n0,
        polarization=polarization,
        epsilon=epsilon,
        sigma=sigma,
        mdvar=mdvar,
        time_percent=time_percent,
        location_percent=location_percent,
        situation_percent=situation_percent,
    )
    _warn(result.warnings)
    return result.loss_db


def radial_loss(
    height_m: ArrayLike,
    spacing_m: float,
    *,
    frequencies_mhz: Sequence[float],
    tx_height_m: float,
    rx_height_m: float,
    climate: int = 1,
    n0: float = 301.0,
    polarization: Polarization = "vertical",
    epsilon: float = 15.0,
    sigma: float = 0.005,
    mdvar: int = 12,
    time_percent: float = 50.0,
    location_percent: float = 50.0,
    situation_percent: float = 50.0,
) -> tuple[NDArray[np.float64], ItmWarning]:
    """Loss of `point_to_point_loss` for the profile cut at every point of a radial.

    Parameters
    ----------
    height_m
        Terrain heights along the radial, transmitter first; shape (n,). From the first NaN on
        there is no loss. [m]
    frequencies_mhz
        Frequencies that share the geometry. [MHz]
    spacing_m, tx_height_m, rx_height_m, climate, n0, polarization, epsilon, sigma, mdvar, \
time_percent, location_percent, situation_percent
        As for `point_to_point`.

    Returns
    -------
    loss_db : NDArray
        Basic transmission loss, shape (frequencies, n - 1): column i - 1 belongs to point i. NaN
        from a NaN height on and where the path function would raise. [dB]
    warnings : ItmWarning
        Cautions of all points together (near the antenna there are always some).

    Raises
    ------
    OutsideModelRange, InputError
        For what the model excludes; the message names the value.

    Examples
    --------
    >>> loss_db, _ = radial_loss([10.0] * 334, 30.0, frequencies_mhz=[900.0, 1800.0],
    ...                          tx_height_m=40.0, rx_height_m=1.5)
    >>> loss_db.shape, round(float(loss_db[0, -1]), 1)
    ((2, 333), 124.7)
    """
    setting = prepare(
        frequencies_mhz=frequencies_mhz,
        tx_height_m=tx_height_m,
        rx_height_m=rx_height_m,
        climate=climate,
        n0=n0,
        polarization=polarization,
        epsilon=epsilon,
        sigma=sigma,
        mdvar=mdvar,
        time_percent=time_percent,
        location_percent=location_percent,
        situation_percent=situation_percent,
    )
    height = _profile(height_m, spacing_m)
    loss_db = np.empty((len(frequencies_mhz), height.size))
    bits = kernel.itm_radial(
        setting.frequencies, setting.statistics, height, 1, float(spacing_m),
        float(tx_height_m), float(rx_height_m), float(n0), loss_db,
    )  # fmt: skip
    return loss_db[:, 1:], setting.warnings | ItmWarning(int(bits))


def location_sigma_db(
    distance_km: ArrayLike, *, frequency_mhz: float, delta_h_m: ArrayLike
) -> NDArray[np.float64]:
    """Return the standard deviation of the loss from place to place, the model's own shadow fading.

    Parameters
    ----------
    distance_km
        Path length. [km]
    frequency_mhz
        Frequency. [MHz]
    delta_h_m
        Terrain irregularity parameter, e.g. of a result of `point_to_point`. [m]

    Returns
    -------
    NDArray
        Standard deviation, between 0 and 10, of the broadcast shape of the inputs. [dB]

    Notes
    -----
    sigma_L = 10 k dh(d) / (k dh(d) + 13), [Alg.] eq. 5.9 [1]_. It is left out of the loss with
    ``mdvar`` 10 to 13 (the default 12), so that it can be put into the coverage probability
    instead; use one of the two.

    Examples
    --------
    >>> float(location_sigma_db(10.0, frequency_mhz=900.0, delta_h_m=90.0).round(2))
    9.78
    """
    distance = np.asarray(distance_km, dtype=np.float64)
    roughness = np.asarray(delta_h_m, dtype=np.float64) * (1.0 - 0.8 * np.exp(-distance / 50.0))
    rough = frequency_mhz / 47.7 * roughness
    return np.asarray(10.0 * rough / (rough + 13.0))


#: Shadow-fading standard deviation where no terrain irregularity is at hand: `location_sigma_db`
#: at 10 km and 900 MHz over plains (delta_h = 30 m). [dB]
SIGMA_DB = 9.4
