"""What the levels of many cells are worth: SINR and downlink rate at each pixel."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from coverage import throughput
from coverage.composite import Composite


def best_rate(
    levels: Composite,
    cells: pd.DataFrame,
    technology_name: str,
    operator: str,
    rate_models: Mapping[str, throughput.RateModel] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return SINR and rate on the carrier that gives a user the highest rate.

    All other cells on the same frequency of the same operator interfere with
    their load; the user has the serving cell to itself.

    Parameters
    ----------
    levels
        Levels of carriers.
    cells
        Layer `cells`, in the order that the levels refer to.
    technology_name, operator
        Which carriers; the technology must have a rate model. 2G has none: its
        interference follows the frequency plan, which the cells do not state.
    rate_models
        How SINR becomes a rate; the built-in ones if None.

    Returns
    -------
    sinr_db, rate_mbps
        Shape of the grid; NaN without signal. [dB, Mbit/s]
    """
    sinr = np.full(levels.grid.shape, np.nan, np.float32)
    rate = np.full(levels.grid.shape, np.nan, np.float32)
    bandwidth_mhz = cells["bandwidth_mhz"].to_numpy(np.float64)
    load = cells["load"].to_numpy(np.float64)
    for index, carrier in enumerate(levels.carriers):
        if carrier[:2] != (technology_name, operator):
            continue
        server = levels.best_cell[index]
        level = levels.best_dbm[index]
        tdd = throughput.is_tdd(technology_name, carrier.frequency_mhz)
        for width in np.unique(bandwidth_mhz[np.unique(server[server >= 0])]):
            here = (server >= 0) & (bandwidth_mhz[server] == width)
            interference = throughput.interference_mw(
                levels.total_mw[index][here], level[here], load[server[here]]
            )
            noise = throughput.metric_noise_dbm(technology_name, float(width))
            found_sinr = throughput.sinr_db(level[here], interference, noise)
            found_rate = np.asarray(
                throughput.downlink_rate_mbps(
                    technology_name, found_sinr, float(width), tdd=tdd, models=rate_models
                )
            )
            better = ~(rate[here] >= found_rate)
            rate[here] = np.where(better, found_rate, rate[here])
            sinr[here] = np.where(better, found_sinr, sinr[here])
    return sinr, rate
