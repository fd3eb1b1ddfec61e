"""Levels of the cells of one mast, and the best of many masts."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: Natural logarithm of the power ratio of one decibel.
LN_PER_DB = math.log(10.0) / 10.0

#: Kept losses are whole numbers of this step, in 16 bits. [dB]
LOSS_STEP_DB = 0.01

#: Stands for "no loss known" among them.
NO_LOSS = 65535


@njit(cache=True, nogil=True)
def _look_up(table: NDArray[np.float64], angle_deg: float) -> float:
    steps = table.shape[0]
    position = angle_deg * (steps / 360.0)
    position -= math.floor(position / steps) * steps
    below = int(position)
    part = position - below
    if below >= steps:  # rounding at the end of the circle
        below = 0
        part = 0.0
    above = below + 1 if below + 1 < steps else 0
    return table[below] * (1.0 - part) + table[above] * part


@njit(cache=True, nogil=True)
def pack_loss(loss_db: NDArray[np.float32], out: NDArray[np.uint16]) -> None:
    """Round losses, of any shape, to `LOSS_STEP_DB`; NaN becomes `NO_LOSS`."""
    source, packed = loss_db.ravel(), out.ravel()
    for index in range(source.shape[0]):
        loss = source[index]
        if loss >= 0.0:  # not so for NaN
            packed[index] = min(int(loss / LOSS_STEP_DB + 0.5), NO_LOSS - 1)
        else:
            packed[index] = NO_LOSS if math.isnan(loss) else 0


@njit(cache=True, nogil=True)
def mast_levels(
    packed_loss: NDArray[np.uint16],
    loss_ratio: NDArray[np.float64],
    ground_m: NDArray[np.float64],
    x_m: NDArray[np.float64],
    y_m: NDArray[np.float64],
    mast_x: float,
    mast_y: float,
    receiver_height_m: float,
    north_offset_deg: float,
    height_amsl_m: NDArray[np.float64],
    antenna_height_index: NDArray[np.int64],
    azimuth_deg: NDArray[np.float64],
    electrical_tilt_deg: NDArray[np.float64],
    mechanical_tilt_deg: NDArray[np.float64],
    horizontal_db: NDArray[np.float64],
    vertical_db: NDArray[np.float64],
    max_attenuation_db: NDArray[np.float64],
    antenna_index: NDArray[np.int64],
    loss_index: NDArray[np.int64],
    carrier_index: NDArray[np.int64],
    eirp_dbm: NDArray[np.float64],
    mean_power_mw: NDArray[np.float64],
    level_dbm: NDArray[np.float32],
    cell: NDArray[np.int32],
    power_mw: NDArray[np.float64],
) -> None:
    """Write the strongest level and the mean power of each carrier of the mast.

    `packed_loss` is (losses, h, w), `ground_m`, `x_m` and `y_m` are (h, w) and
    `loss_ratio` is the power ratio of each packed loss. The mast has antennas
    (arrays from `antenna_height_index` to `max_attenuation_db`, one entry or row
    each) and cells on them (`antenna_index` to `mean_power_mw`, the EIRP times the
    load, 0 where nobody asks for it). `level_dbm`, `cell` and `power_mw` are
    (carriers, h, w): -inf, -1 and 0 where no cell of the carrier has a loss.
    """
    carriers, height, width = level_dbm.shape
    cells = eirp_dbm.shape[0]
    antennas = azimuth_deg.shape[0]
    below_horizon = np.empty(height_amsl_m.shape[0])
    attenuation = np.empty(antennas)
    ratio = np.empty(antennas)
    for row in range(height):
        for column in range(width):
            for carrier in range(carriers):
                level_dbm[carrier, row, column] = -np.inf
                cell[carrier, row, column] = -1
                power_mw[carrier, row, column] = 0.0
            known = False
            for index in range(packed_loss.shape[0]):
                known |= packed_loss[index, row, column] != NO_LOSS
            if not known:
                continue
            dx = x_m[row, column] - mast_x
            dy = y_m[row, column] - mast_y
            distance = math.sqrt(dx * dx + dy * dy)
            bearing = math.degrees(math.atan2(dx, dy)) + north_offset_deg
            receiver = ground_m[row, column] + receiver_height_m
            for index in range(height_amsl_m.shape[0]):
                below_horizon[index] = math.degrees(
                    math.atan2(height_amsl_m[index] - receiver, distance)
                )
            for index in range(antennas):
                tilt = electrical_tilt_deg[index]
                offset = 0.0
                if not math.isnan(azimuth_deg[index]):
                    offset = bearing - azimuth_deg[index]
                    if mechanical_tilt_deg[index] != 0.0:
                        tilt += mechanical_tilt_deg[index] * math.cos(math.radians(offset))
                attenuation[index] = min(
                    _look_up(horizontal_db[index], offset)
                    + _look_up(
                        vertical_db[index], below_horizon[antenna_height_index[index]] - tilt
                    ),
                    max_attenuation_db[index],
                )
                ratio[index] = math.exp(-LN_PER_DB * attenuation[index])
            for index in range(cells):
                packed = packed_loss[loss_index[index], row, column]
                if packed == NO_LOSS:
                    continue
                antenna = antenna_index[index]
                carrier = carrier_index[index]
                level = np.float32(eirp_dbm[index] - attenuation[antenna] - packed * LOSS_STEP_DB)
                power_mw[carrier, row, column] += (
                    mean_power_mw[index] * ratio[antenna] * loss_ratio[packed]
                )
                if level > level_dbm[carrier, row, column]:
                    level_dbm[carrier, row, column] = level
                    cell[carrier, row, column] = index


@njit(cache=True, nogil=True)
def _merge(
    level: float,
    index: int,
    y: int,
    x: int,
    best_dbm: NDArray[np.float32],
    best_cell: NDArray[np.int32],
    second_dbm: NDArray[np.float32],
    second_cell: NDArray[np.int32],
) -> None:
    """Put one level at one pixel; a tie goes to the smaller cell number."""
    if level > best_dbm[y, x] or (level == best_dbm[y, x] and index < best_cell[y, x]):
        second_dbm[y, x] = best_dbm[y, x]
        second_cell[y, x] = best_cell[y, x]
        best_dbm[y, x] = level
        best_cell[y, x] = index
    elif level > second_dbm[y, x] or (level == second_dbm[y, x] and index < second_cell[y, x]):
        second_dbm[y, x] = level
        second_cell[y, x] = index


@njit(cache=True, nogil=True)
def merge_best(
    level_dbm: NDArray[np.float32],
    cell: NDArray[np.int32],
    row: int,
    column: int,
    best_dbm: NDArray[np.float32],
    best_cell: NDArray[np.int32],
    second_dbm: NDArray[np.float32],
    second_cell: NDArray[np.int32],
) -> None:
    """Put one mast's levels on a carrier into the best and the second best of the area.

    The mast's window starts at (`row`, `column`) and may reach over the edges. The order of
    the masts does not matter.
    """
    height, width = best_dbm.shape
    for i in range(max(0, -row), min(level_dbm.shape[0], height - row)):
        for j in range(max(0, -column), min(level_dbm.shape[1], width - column)):
            if cell[i, j] >= 0:
                _merge(
                    level_dbm[i, j],
                    cell[i, j],
                    row + i,
                    column + j,
                    best_dbm,
                    best_cell,
                    second_dbm,
                    second_cell,
                )


@njit(cache=True, nogil=True)
def merge_points(
    level_dbm: NDArray[np.float32],
    cell: NDArray[np.int32],
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    only: NDArray[np.bool_],
    best_dbm: NDArray[np.float32],
    best_cell: NDArray[np.int32],
    second_dbm: NDArray[np.float32],
    second_cell: NDArray[np.int32],
) -> None:
    """Do the same for single pixels, those of the area that `only` names."""
    for k in range(level_dbm.shape[0]):
        if cell[k] >= 0 and only[row[k], column[k]]:
            _merge(
                level_dbm[k],
                cell[k],
                row[k],
                column[k],
                best_dbm,
                best_cell,
                second_dbm,
                second_cell,
            )


@njit(cache=True, nogil=True)
def add_power(
    power_mw: NDArray[np.float64], row: int, column: int, sign: float, total_mw: NDArray[np.float64]
) -> None:
    """Add one mast's power on a carrier to the area's, or take it away with `sign` -1."""
    height, width = total_mw.shape
    for i in range(max(0, -row), min(power_mw.shape[0], height - row)):
        for j in range(max(0, -column), min(power_mw.shape[1], width - column)):
            total_mw[row + i, column + j] = max(
                total_mw[row + i, column + j] + sign * power_mw[i, j], 0.0
            )
