"""Noise, signal to interference and noise, and the downlink rate that follows.

The rate of a user who has all resources of a cell is

    efficiency(SINR) x bandwidth x (1 - overhead) x MIMO factor x TDD share

with the truncated Shannon bound of 3GPP TR 36.942, annex A, as efficiency. The
factors stand in `coverage/tables/throughput.csv` with their sources; a workspace
may have a table of its own in the same form. GSM has no rate: EDGE depends on the
time slots given to data, which the layers do not hold.

All powers here are on the scale of the technology's metric: of one resource
element for 4G and 5G, of the pilot channel for 3G. `metric_noise_dbm` puts the
noise on the same scale, so ratios are right.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coverage import technology
from coverage.own_table import read_own_table
from data.errors import InputError

TABLE = technology.TABLES / "throughput.csv"

#: Boltzmann's constant times 290 K, the reference temperature of noise figures
#: (ITU-R P.372). [mW/Hz]
_KT_MW_PER_HZ = 1.380649e-23 * 290.0 * 1000.0

#: Chip rate of UMTS: 3GPP TS 25.213. [kHz]
UMTS_CHIP_RATE_KHZ = 3840.0

#: Raster of UMTS carriers: 3GPP TS 25.101. [MHz]
UMTS_CARRIER_MHZ = 5.0

GSM_CHANNEL_KHZ = 200.0
LTE_SUBCARRIER_KHZ = 15.0

#: Widest NR carrier that is taken to have 15 kHz subcarriers; wider ones have 30 kHz. [MHz]
NR_15_KHZ_UP_TO_MHZ = 20.0

#: Downlink frequencies of the unpaired bands: 38, 40 (3GPP TS 36.101, table 5.5-1) and
#: n40, n41, n77 to n79 (3GPP TS 38.101-1, table 5.2-1). Band 41 and n7 overlap others and are
#: taken as the more common use. [MHz]
TDD_BANDS_MHZ: dict[str, tuple[tuple[float, float], ...]] = {
    "4G": ((2300.0, 2400.0), (2570.0, 2620.0)),
    "5G": ((2300.0, 2400.0), (2496.0, 2690.0), (3300.0, 5000.0)),
}


@dataclass(frozen=True)
class RateModel:
    """How a technology turns SINR into a downlink rate.

    Parameters
    ----------
    technology
        "3G", "4G" or "5G".
    attenuation
        Share of the Shannon capacity that is reached, 0 to 1.
    sinr_min_db
        Below it there is no service. [dB]
    max_efficiency_bps_hz
        Greatest spectral efficiency. [bit/s/Hz]
    overhead
        Share of the resources that carries no user data, 0 to 1.
    mimo_factor
        Gain of several layers over one.
    tdd_downlink_share
        Share of time given to the downlink in unpaired bands, 0 to 1.
    verified
        Whether the numbers were checked against the source itself.
    source
        Where they come from.
    """

    technology: str
    attenuation: float
    sinr_min_db: float
    max_efficiency_bps_hz: float
    overhead: float
    mimo_factor: float
    tdd_downlink_share: float
    verified: bool
    source: str


_RANGES = {
    "attenuation": (0.01, 1.0),
    "sinr_min_db": (-30.0, 30.0),
    "max_efficiency_bps_hz": (0.01, 30.0),
    "overhead": (0.0, 0.99),
    "mimo_factor": (0.1, 16.0),
    "tdd_downlink_share": (0.01, 1.0),
}


def read_rate_models(path: Path = TABLE) -> dict[str, RateModel]:
    """Read a table of rate models.

    Parameters
    ----------
    path
        CSV file with the columns of `RateModel`.

    Returns
    -------
    dict
        Technology -> `RateModel`.

    Raises
    ------
    InputError
        If a column is missing or a value cannot be used.
    """
    frame = read_own_table(path, [column.name for column in dataclasses.fields(RateModel)])
    found: dict[str, RateModel] = {}
    for number, row in enumerate(frame.to_dict("records"), start=2):
        name = str(row["technology"])
        if name not in ("3G", "4G", "5G") or name in found:
            raise InputError(
                "{file}, row {row}, column technology: {value} (expected 3G, 4G and 5G, each once)",
                file=path.name,
                row=number,
                value=name or "nothing",
            )
        values = {column: _number(path.name, number, row, column) for column in _RANGES}
        found[name] = RateModel(
            technology=name,
            verified=str(row["verified"]).strip().lower() == "yes",
            source=str(row["source"]),
            **values,
        )
    return found


def _number(file: str, number: int, row: dict[object, str], column: str) -> float:
    low, high = _RANGES[column]
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise InputError(
            "{file}, row {row}, column {column}: {value} (expected a number from {low} to {high})",
            file=file,
            row=number,
            column=column,
            value=row[column] or "nothing",
            low=f"{low:g}",
            high=f"{high:g}",
        )
    return value


@cache
def _built_in() -> dict[str, RateModel]:
    return read_rate_models(TABLE)


def rate_models(own_table: Path | None = None) -> dict[str, RateModel]:
    """Return the rate model of each technology that has one.

    Parameters
    ----------
    own_table
        A user's file in the form of the built-in one, read if it exists; its
        technologies win.

    Returns
    -------
    dict
        Technology -> `RateModel`; not for 2G.
    """
    models = dict(_built_in())
    if own_table is not None and own_table.exists():
        models.update(read_rate_models(own_table))
    return models


def noise_dbm(bandwidth_khz: float, noise_figure_db: float = 0.0) -> float:
    """Return the thermal noise power of a receiver.

    Parameters
    ----------
    bandwidth_khz
        Bandwidth. [kHz]
    noise_figure_db
        Noise figure of the receiver. [dB]

    Returns
    -------
    float
        k T B plus the noise figure, at 290 K. [dBm]

    Raises
    ------
    InputError
        If the bandwidth is not positive.

    Examples
    --------
    >>> round(noise_dbm(15.0, 7.0), 1)
    -125.2
    """
    if not (bandwidth_khz > 0.0 and math.isfinite(bandwidth_khz)):
        raise InputError(
            "The noise bandwidth is {value} kHz, but it must be greater than 0",
            value=bandwidth_khz,
        )
    return 10.0 * math.log10(_KT_MW_PER_HZ * bandwidth_khz * 1000.0) + noise_figure_db


def metric_bandwidth_khz(name: str, bandwidth_mhz: float) -> float:
    """Return the bandwidth over which a technology's metric is measured.

    Parameters
    ----------
    name
        Technology.
    bandwidth_mhz
        Channel bandwidth, used for 5G. [MHz]

    Returns
    -------
    float
        A GSM channel, the UMTS chip rate, or one subcarrier. [kHz]

    Raises
    ------
    InputError
        If the technology is not known.
    """
    if name == "2G":
        return GSM_CHANNEL_KHZ
    if name == "3G":
        return UMTS_CHIP_RATE_KHZ
    if name == "4G":
        return LTE_SUBCARRIER_KHZ
    if name == "5G":
        return (1.0 if bandwidth_mhz <= NR_15_KHZ_UP_TO_MHZ else 2.0) * LTE_SUBCARRIER_KHZ
    raise InputError(
        "Technology {value} is not known (expected one of {expected})",
        value=name,
        expected=", ".join(technology.TECHNOLOGIES),
    )


def metric_noise_dbm(
    name: str, bandwidth_mhz: float, noise_figure_db: float | None = None
) -> float:
    """Return the noise on the scale of a technology's metric.

    A level of the metric over this noise is the signal-to-noise ratio of the
    whole signal: RSRP is compared with the noise of one resource element, and
    RSCP, a tenth of the carrier's power, with a tenth of the noise in the carrier.

    Parameters
    ----------
    name
        Technology.
    bandwidth_mhz
        Channel bandwidth, used for 5G. [MHz]
    noise_figure_db
        Of the receiver; that of the table of link budgets if None. [dB]

    Returns
    -------
    float
        Noise power. [dBm]

    Examples
    --------
    >>> round(metric_noise_dbm("5G", 100.0), 1)
    -120.2
    """
    bandwidth_khz = metric_bandwidth_khz(name, bandwidth_mhz)
    if noise_figure_db is None:
        noise_figure_db = float(technology.link_budgets()["receiver_noise_figure_db"][name])
    share_db = technology.reference_power_offset_db(name, bandwidth_mhz) if name == "3G" else 0.0
    return noise_dbm(bandwidth_khz, noise_figure_db) + share_db


def interference_mw(
    total_mw: ArrayLike, serving_dbm: ArrayLike, serving_load: ArrayLike
) -> NDArray[np.float64]:
    """Return what remains of the received power without the serving cell.

    Parameters
    ----------
    total_mw
        Sum over all cells of the carrier of power times load. [mW]
    serving_dbm
        Level of the serving cell; -inf or NaN without signal. [dBm]
    serving_load
        Its load, 0 to 1.

    Returns
    -------
    numpy.ndarray
        Power of the other cells, 0 or more (rounding of the sum aside). [mW]
    """
    own = np.asarray(serving_load) * 10.0 ** (0.1 * np.asarray(serving_dbm, np.float64))
    total = np.asarray(total_mw, np.float64)
    rest = total - np.nan_to_num(own, nan=0.0)
    # Total is a float32 sum: what is left within its rounding is no interference.
    return np.where(rest > 2e-7 * total, rest, 0.0)


def sinr_db(
    serving_dbm: ArrayLike, interference_mw: ArrayLike, noise_dbm: ArrayLike
) -> NDArray[np.float64]:
    """Return the ratio of the serving signal to interference and noise.

    Parameters
    ----------
    serving_dbm
        Level of the serving cell; -inf without signal. [dBm]
    interference_mw
        Power of the other cells times their load, on the same scale. [mW]
    noise_dbm
        Noise on the same scale (`metric_noise_dbm`). [dBm]

    Returns
    -------
    numpy.ndarray
        SINR; -inf without signal, NaN where the level is NaN. [dB]

    Examples
    --------
    >>> sinr_db(-90.0, 0.0, -125.0).item()
    35.0
    """
    disturbance = np.asarray(interference_mw, np.float64) + 10.0 ** (
        0.1 * np.asarray(noise_dbm, np.float64)
    )
    return np.asarray(np.asarray(serving_dbm, np.float64) - 10.0 * np.log10(disturbance))


def spectral_efficiency_bps_hz(
    sinr_db: ArrayLike,
    *,
    attenuation: float = 0.6,
    sinr_min_db: float = -10.0,
    max_efficiency_bps_hz: float = 4.4,
) -> NDArray[np.float64]:
    """Return the truncated Shannon bound.

    Parameters
    ----------
    sinr_db
        Signal to interference and noise. [dB]
    attenuation
        Share of Shannon's capacity that is reached.
    sinr_min_db
        Below it the efficiency is 0. [dB]
    max_efficiency_bps_hz
        Upper bound. [bit/s/Hz]

    Returns
    -------
    numpy.ndarray
        min(attenuation x log2(1 + SINR), bound); NaN where the SINR is NaN. [bit/s/Hz]

    References
    ----------
    3GPP TR 36.942 V16.0.0, annex A.1 (defaults: baseline of the E-UTRA downlink).

    Examples
    --------
    >>> spectral_efficiency_bps_hz([-10.1, 0.0, 10.0, 30.0]).round(3)
    array([0.   , 0.6  , 2.076, 4.4  ])
    """
    ratio = np.asarray(sinr_db, np.float64)
    efficiency = attenuation * np.log2(1.0 + 10.0 ** (0.1 * np.minimum(ratio, 100.0)))
    efficiency = np.minimum(efficiency, max_efficiency_bps_hz)
    return np.where(ratio < sinr_min_db, 0.0, efficiency)


def is_tdd(name: str, frequency_mhz: float) -> bool:
    """Return whether a carrier lies in an unpaired band.

    Parameters
    ----------
    name
        Technology.
    frequency_mhz
        Centre of the downlink channel. [MHz]

    Returns
    -------
    bool
        True in the bands of `TDD_BANDS_MHZ`.
    """
    return any(low <= frequency_mhz <= high for low, high in TDD_BANDS_MHZ.get(name, ()))


def _scale_mbps(model: RateModel, bandwidth_mhz: float, tdd: bool) -> float:
    """Return the rate per unit of spectral efficiency. [Mbit/s per bit/s/Hz]."""
    if not (bandwidth_mhz > 0.0 and math.isfinite(bandwidth_mhz)):
        raise InputError(
            "The channel bandwidth is {value} MHz, but it must be greater than 0",
            value=bandwidth_mhz,
        )
    width = bandwidth_mhz
    if model.technology == "3G":
        width = max(1, round(bandwidth_mhz / UMTS_CARRIER_MHZ)) * UMTS_CHIP_RATE_KHZ / 1000.0
    share = model.tdd_downlink_share if tdd else 1.0
    return width * (1.0 - model.overhead) * model.mimo_factor * share


def downlink_rate_mbps(
    name: str,
    sinr_db: ArrayLike,
    bandwidth_mhz: float,
    *,
    tdd: bool = False,
    resource_share: float = 1.0,
    models: Mapping[str, RateModel] | None = None,
) -> NDArray[np.float64] | None:
    """Return the downlink rate of a user.

    Parameters
    ----------
    name
        Technology.
    sinr_db
        Signal to interference and noise. [dB]
    bandwidth_mhz
        Channel bandwidth; a 3G carrier counts with its chip rate. [MHz]
    tdd
        Whether the band is unpaired (`is_tdd`).
    resource_share
        Share of the cell's resources that the user gets, 0 to 1.
    models
        What `rate_models` returned; the built-in ones if None.

    Returns
    -------
    numpy.ndarray or None
        Rate, or None for 2G, which has no rate model. [Mbit/s]

    Raises
    ------
    InputError
        If the technology is not known or a number is out of range.

    Examples
    --------
    >>> downlink_rate_mbps("4G", 10.0, 20.0).round(1).item()
    49.8
    """
    if name not in technology.TECHNOLOGIES:
        raise InputError(
            "Technology {value} is not known (expected one of {expected})",
            value=name,
            expected=", ".join(technology.TECHNOLOGIES),
        )
    if not 0.0 <= resource_share <= 1.0:
        raise InputError(
            "The share of resources is {value} (expected a number from 0 to 1)",
            value=resource_share,
        )
    model = (_built_in() if models is None else models).get(name)
    if model is None:
        return None
    efficiency = spectral_efficiency_bps_hz(
        sinr_db,
        attenuation=model.attenuation,
        sinr_min_db=model.sinr_min_db,
        max_efficiency_bps_hz=model.max_efficiency_bps_hz,
    )
    return efficiency * (_scale_mbps(model, bandwidth_mhz, tdd) * resource_share)


def sinr_for_rate_db(
    name: str,
    rate_mbps: float,
    bandwidth_mhz: float,
    *,
    tdd: bool = False,
    models: Mapping[str, RateModel] | None = None,
) -> float | None:
    """Return the least SINR at which a rate is reached.

    Parameters
    ----------
    name
        Technology.
    rate_mbps
        Rate asked for, greater than 0. [Mbit/s]
    bandwidth_mhz, tdd, models
        As for `downlink_rate_mbps`.

    Returns
    -------
    float or None
        SINR, infinite if the carrier never reaches the rate; None for 2G. [dB]

    Raises
    ------
    InputError
        If a number is out of range.
    """
    if not rate_mbps > 0.0:
        raise InputError(
            "The rate is {value} Mbit/s, but it must be greater than 0", value=rate_mbps
        )
    model = (_built_in() if models is None else models).get(name)
    if model is None:
        return None
    efficiency = rate_mbps / _scale_mbps(model, bandwidth_mhz, tdd)
    if efficiency > model.max_efficiency_bps_hz:
        return math.inf
    ratio = 10.0 * math.log10(2.0 ** (efficiency / model.attenuation) - 1.0)
    return max(ratio, model.sinr_min_db)
