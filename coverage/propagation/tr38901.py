"""3GPP TR 38.901: path loss of urban macro, urban micro and rural macro cells.

Each scenario has a loss in line of sight, one without it, and the probability of line of sight;
the mean over both is what an area prediction without buildings can use. Heights and distances are
over flat ground.

References
----------
.. [1] 3GPP TR 38.901 V18.0.0, "Study on channel model for frequencies from 0.5 to 100 GHz",
   tables 7.4.1-1 (path loss) and 7.4.2-1 (probability of line of sight).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coverage.propagation.arrays import advise, positive, required
from data.errors import InputError

MODEL = "3GPP TR 38.901"

Scenario = Literal["uma", "umi", "rma"]
Condition = Literal["los", "nlos", "mean"]

#: Speed of light as the report rounds it. [m/s]
LIGHT_M_S = 3.0e8

#: Outside these no result is given (frequency: the report's whole range).
LIMITS: dict[str, tuple[float, float]] = {
    "frequency_ghz": (0.1, 100.0),
    "tx_height_m": (1.5, 1000.0),
    "rx_height_m": (1.0, 100.0),
}

#: Ranges the report states, by scenario; outside them a result comes with a warning.
RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "uma": {
        "distance_m": (10.0, 5000.0),
        "frequency_ghz": (0.5, 100.0),
        "tx_height_m": (25.0, 25.0),
        "rx_height_m": (1.5, 22.5),
    },
    "umi": {
        "distance_m": (10.0, 5000.0),
        "frequency_ghz": (0.5, 100.0),
        "tx_height_m": (10.0, 10.0),
        "rx_height_m": (1.5, 22.5),
    },
    "rma": {
        "distance_m": (10.0, 10_000.0),
        "frequency_ghz": (0.5, 30.0),
        "tx_height_m": (10.0, 150.0),
        "rx_height_m": (1.0, 10.0),
        "building_height_m": (5.0, 50.0),
        "street_width_m": (5.0, 50.0),
    },
}

#: Largest distance of the rural model without line of sight. [m]
RMA_NLOS_DISTANCE_M = 5000.0

#: Shadow-fading standard deviations of [1]_ table 7.4.1-1; the rural one in line of sight has a
#: second value beyond the break point. [dB]
SIGMA_DB: dict[str, dict[str, float]] = {
    "uma": {"los": 4.0, "nlos": 6.0},
    "umi": {"los": 4.0, "nlos": 7.82},
    "rma": {"los": 4.0, "los beyond break point": 6.0, "nlos": 8.0},
}


@dataclass(frozen=True)
class _Path:
    """Checked geometry of the paths."""

    d_2d: NDArray[np.float64]
    d_3d: NDArray[np.float64]
    f_ghz: NDArray[np.float64]
    h_bs: NDArray[np.float64]
    h_ut: NDArray[np.float64]


def _checked(
    scenario: str,
    distance_m: ArrayLike,
    frequency_ghz: ArrayLike,
    tx_height_m: ArrayLike,
    rx_height_m: ArrayLike,
) -> _Path:
    if scenario not in RANGES:
        raise InputError(
            "{model}: scenario is {value}, but it must be one of {known}",
            model=MODEL,
            value=scenario,
            known=", ".join(RANGES),
        )
    d = positive(MODEL, "distance_m", distance_m)
    f = required(MODEL, "frequency_ghz", frequency_ghz, LIMITS["frequency_ghz"])
    h_bs = required(MODEL, "tx_height_m", tx_height_m, LIMITS["tx_height_m"])
    h_ut = required(MODEL, "rx_height_m", rx_height_m, LIMITS["rx_height_m"])
    return _Path(d, np.sqrt(d**2 + (h_bs - h_ut) ** 2), f, h_bs, h_ut)


def _require_condition(condition: str) -> None:
    if condition not in ("los", "nlos", "mean"):
        raise InputError(
            "{model}: condition is {value}, but it must be los, nlos or mean",
            model=MODEL,
            value=condition,
        )


def _break_point(scenario: str, path: _Path) -> NDArray[np.float64]:
    """Return the break-point distance, [1]_ table 7.4.1-1 notes 1 and 5. [m]."""
    if scenario == "rma":
        return np.asarray(2.0 * np.pi * path.h_bs * path.h_ut * path.f_ghz * 1e9 / LIGHT_M_S)
    # effective environment height 1 m: its random part concerns terminals from 13 m up
    h_bs = path.h_bs - 1.0
    h_ut = np.maximum(path.h_ut - 1.0, 0.0)
    return np.asarray(4.0 * h_bs * h_ut * path.f_ghz * 1e9 / LIGHT_M_S)


def _los(scenario: str, path: _Path, building_height_m: float) -> NDArray[np.float64]:
    d_bp = _break_point(scenario, path)
    log_d = np.log10(path.d_3d)
    if scenario == "rma":
        h = building_height_m

        def near(d: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.asarray(
                20.0 * np.log10(40.0 * np.pi * d * path.f_ghz / 3.0)
                + min(0.03 * h**1.72, 10.0) * np.log10(d)
                - min(0.044 * h**1.72, 14.77)
                + 0.002 * np.log10(h) * d
            )

        far = near(d_bp) + 40.0 * np.log10(path.d_3d / d_bp)
        return np.where(path.d_2d <= d_bp, near(path.d_3d), far)
    spread = d_bp**2 + (path.h_bs - path.h_ut) ** 2
    log_f = 20.0 * np.log10(path.f_ghz)
    if scenario == "uma":
        near_db = 28.0 + 22.0 * log_d + log_f
        far_db = 28.0 + 40.0 * log_d + log_f - 9.0 * np.log10(spread)
    else:
        near_db = 32.4 + 21.0 * log_d + log_f
        far_db = 32.4 + 40.0 * log_d + log_f - 9.5 * np.log10(spread)
    return np.where(path.d_2d <= d_bp, near_db, far_db)


def _nlos(
    scenario: str, path: _Path, building_height_m: float, street_width_m: float
) -> NDArray[np.float64]:
    log_d = np.log10(path.d_3d)
    log_f = np.log10(path.f_ghz)
    if scenario == "uma":
        loss = 13.54 + 39.08 * log_d + 20.0 * log_f - 0.6 * (path.h_ut - 1.5)
    elif scenario == "umi":
        loss = 35.3 * log_d + 22.4 + 21.3 * log_f - 0.3 * (path.h_ut - 1.5)
    else:
        h = building_height_m
        log_bs = np.log10(path.h_bs)
        loss = (
            161.04
            - 7.1 * np.log10(street_width_m)
            + 7.5 * np.log10(h)
            - (24.37 - 3.7 * (h / path.h_bs) ** 2) * log_bs
            + (43.42 - 3.1 * log_bs) * (log_d - 3.0)
            + 20.0 * log_f
            - (3.2 * np.log10(11.75 * path.h_ut) ** 2 - 4.97)
        )
    return np.maximum(_los(scenario, path, building_height_m), loss)


def los_probability(
    distance_m: ArrayLike, *, scenario: Scenario, rx_height_m: ArrayLike = 1.5
) -> NDArray[np.float64]:
    """Return the probability that a path outdoors is in line of sight.

    Parameters
    ----------
    distance_m
        Horizontal distance, greater than 0. [m]
    scenario
        ``"uma"``, ``"umi"`` or ``"rma"``.
    rx_height_m
        Height of the terminal; matters in ``"uma"`` from 13 m up, to 23 m. [m]

    Returns
    -------
    NDArray
        Probability, 0 to 1.

    Raises
    ------
    OutsideModelRange, InputError
        If a parameter makes no sense.

    Notes
    -----
    [1]_ table 7.4.2-1.

    Examples
    --------
    >>> los_probability([10.0, 100.0, 1000.0], scenario="uma").round(3)
    array([1.   , 0.348, 0.018])
    """
    d = positive(MODEL, "distance_m", distance_m)
    if scenario == "rma":
        return np.asarray(np.exp(-np.maximum(d - 10.0, 0.0) / 1000.0))
    if scenario not in ("uma", "umi"):
        raise InputError(
            "{model}: scenario is {value}, but it must be one of {known}",
            model=MODEL,
            value=scenario,
            known=", ".join(RANGES),
        )
    h_ut = required(MODEL, "rx_height_m", rx_height_m, LIMITS["rx_height_m"])
    far = np.maximum(d, 18.0)
    share = 18.0 / far
    if scenario == "umi":
        probability = share + np.exp(-far / 36.0) * (1.0 - share)
    else:
        height = (np.clip(h_ut - 13.0, 0.0, 10.0) / 10.0) ** 1.5
        probability = (share + np.exp(-far / 63.0) * (1.0 - share)) * (
            1.0 + height * 1.25 * (far / 100.0) ** 3 * np.exp(-far / 150.0)
        )
    return np.asarray(np.minimum(np.where(d <= 18.0, 1.0, probability), 1.0))


def path_loss(
    distance_m: ArrayLike,
    *,
    frequency_ghz: ArrayLike,
    scenario: Scenario,
    condition: Condition = "nlos",
    tx_height_m: ArrayLike | None = None,
    rx_height_m: ArrayLike = 1.5,
    building_height_m: float = 5.0,
    street_width_m: float = 20.0,
    warn: bool = True,
) -> NDArray[np.float64]:
    """Return the median path loss of a cell.

    Parameters
    ----------
    distance_m
        Horizontal distance; 10 to 5000 is valid (rural in line of sight: 10 000). [m]
    frequency_ghz
        Frequency; 0.5 to 100 is valid (rural: 30). [GHz]
    scenario
        ``"uma"`` urban macro, ``"umi"`` urban micro (street canyon), ``"rma"`` rural macro.
    condition
        ``"los"``, ``"nlos"``, or ``"mean"``: the mean in dB of both, weighted by
        `los_probability`.
    tx_height_m
        Base station height; None takes the scenario's: 25 (``"uma"``), 10 (``"umi"``), 35
        (``"rma"``, for which 10 to 150 is valid). [m]
    rx_height_m
        Terminal height; 1.5 to 22.5 is valid (rural: 1 to 10). [m]
    building_height_m, street_width_m
        Mean building height and street width of the rural scenario; 5 to 50 is valid. [m]
    warn
        Whether values outside the range are told; False is for callers that have done so.

    Returns
    -------
    NDArray
        Loss, of the broadcast shape of the parameters. [dB]

    Raises
    ------
    OutsideModelRange, InputError
        If a parameter makes no sense.

    Warns
    -----
    ModelRangeWarning
        If a parameter lies outside the valid range.

    Notes
    -----
    [1]_ table 7.4.1-1, without the random part of the effective environment height.

    Examples
    --------
    >>> path_loss([100.0, 1000.0], frequency_ghz=3.5, scenario="uma", condition="los").round(1)
    array([ 83.1, 109.4])
    """
    _require_condition(condition)
    if tx_height_m is None:
        tx_height_m = {"uma": 25.0, "umi": 10.0, "rma": 35.0}.get(scenario, 25.0)
    path = _checked(scenario, distance_m, frequency_ghz, tx_height_m, rx_height_m)
    h = float(positive(MODEL, "building_height_m", building_height_m))
    width = float(positive(MODEL, "street_width_m", street_width_m))
    if warn:
        ranges = dict(RANGES[scenario])
        if scenario == "rma" and condition != "los":
            ranges["distance_m"] = (10.0, RMA_NLOS_DISTANCE_M)
        values: dict[str, ArrayLike] = {
            "distance_m": path.d_2d,
            "frequency_ghz": path.f_ghz,
            "tx_height_m": path.h_bs,
            "rx_height_m": path.h_ut,
            "building_height_m": h,
            "street_width_m": width,
        }
        advise(
            f"{MODEL} {scenario}", [(name, values[name], valid) for name, valid in ranges.items()]
        )
    if condition == "los":
        return np.asarray(_los(scenario, path, h))
    blocked = _nlos(scenario, path, h, width)
    if condition == "nlos":
        return np.asarray(blocked)
    p = los_probability(path.d_2d, scenario=scenario, rx_height_m=path.h_ut)
    return np.asarray(p * _los(scenario, path, h) + (1.0 - p) * blocked)


def shadow_fading_sigma_db(
    distance_m: ArrayLike,
    *,
    frequency_ghz: ArrayLike,
    scenario: Scenario,
    condition: Condition = "nlos",
    tx_height_m: ArrayLike | None = None,
    rx_height_m: ArrayLike = 1.5,
    building_height_m: float = 5.0,
    street_width_m: float = 20.0,
) -> NDArray[np.float64]:
    """Return the shadow-fading standard deviation that goes with `path_loss`.

    Parameters
    ----------
    distance_m, frequency_ghz, scenario, condition, tx_height_m, rx_height_m, building_height_m, \
street_width_m
        As for `path_loss`.

    Returns
    -------
    NDArray
        Standard deviation; for ``"mean"`` it contains the spread between the two conditions. [dB]

    Raises
    ------
    OutsideModelRange, InputError
        If a parameter makes no sense.

    Notes
    -----
    [1]_ table 7.4.1-1; of the mixture, var = p s1^2 + (1 - p) s2^2 + p (1 - p) (L2 - L1)^2.

    Examples
    --------
    >>> shadow_fading_sigma_db([100.0, 1000.0], frequency_ghz=3.5, scenario="uma",
    ...                        condition="mean").round(1)
    array([10.9,  7.4])
    """
    _require_condition(condition)
    if tx_height_m is None:
        tx_height_m = {"uma": 25.0, "umi": 10.0, "rma": 35.0}.get(scenario, 25.0)
    path = _checked(scenario, distance_m, frequency_ghz, tx_height_m, rx_height_m)
    shape = np.broadcast(path.d_3d, path.f_ghz).shape
    blocked = np.full(shape, SIGMA_DB[scenario]["nlos"])
    clear = np.full(shape, SIGMA_DB[scenario]["los"])
    if scenario == "rma":
        beyond = path.d_2d > _break_point(scenario, path)
        clear = np.where(beyond, SIGMA_DB["rma"]["los beyond break point"], clear)
    if condition == "los":
        return clear
    if condition == "nlos":
        return blocked
    p = los_probability(path.d_2d, scenario=scenario, rx_height_m=path.h_ut)
    gap = _nlos(scenario, path, building_height_m, street_width_m) - _los(
        scenario, path, building_height_m
    )
    return np.asarray(np.sqrt(p * clear**2 + (1.0 - p) * blocked**2 + p * (1.0 - p) * gap**2))
