"""Irregular Terrain Model (Longley-Rice): loops over one profile or one radial.

Symbols follow Hufford, "The ITS Irregular Terrain Model, version 1.2.2: the Algorithm"
(1995), cited as [Alg.]; the order of the floating point operations that decide an integer
(sample counts, window ends) follows NTIA's implementation 1.4, because a different rounding
there moves a window by one sample.

Everything that does not depend on the frequency is computed once per point
(`_point_geometry`, `_derive`); `_frequency_loss` runs once per frequency.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from coverage.kernels.elementary import cosine, exp, log, sine

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Keys = NDArray[np.int32]

# Columns of the table of frequencies (one row per frequency), filled by the caller.
F_MHZ = 0  # frequency [MHz]
F_WAVE_NUMBER = 1  # f / 47.7, close to 2 pi / wavelength [1/m]
F_Z_RE = 2  # surface transfer impedance, real part
F_Z_IM = 3  # the same, imaginary part
F_CBRT = 4  # f ** (1/3)
F_K = 5  # 0.017778 f ** (-1/3) / |Z|, K of Vogler for C_0 = 1
F_LOG_K = 6  # its natural logarithm
F_LOG = 7  # natural logarithm of f
F_FREE_SPACE = 8  # 32.45 + 20 log10 f [dB]
F_D_EX = 9  # frequency part of the effective distance [m]
F_G_MINUS = 10  # frequency factor of the time variability below the median
F_G_PLUS = 11  # the same above the median
FREQUENCY_COLUMNS = 12

# Entries of the vector of statistics, filled by the caller.
V_Z_T = 0
V_Z_L = 1
V_Z_S = 2
V_MODE = 3  # 0 single message, 1 accidental, 2 mobile, 3 broadcast
V_NO_LOCATION = 4  # 1: location variability eliminated
V_NO_SITUATION = 5  # 1: direct situation variability eliminated
V_MEDIAN = 6  # five coefficients of V(0.5)
V_MINUS = 11  # five coefficients of sigma_T-
V_PLUS = 16  # five coefficients of sigma_T+
V_C_D = 21
V_Z_D = 22
STATISTICS_SIZE = 23

# Entries of the result of a path.
R_LOSS = 0
R_A_REF = 1
R_FREE_SPACE = 2
R_THETA_TX = 3
R_THETA_RX = 4
R_HORIZON_TX = 5
R_HORIZON_RX = 6
R_EFFECTIVE_TX = 7
R_EFFECTIVE_RX = 8
R_N_S = 9
R_DELTA_H = 10
R_MODE = 11
R_WARNINGS = 12
R_FAULT = 13
RESULT_SIZE = 14

LINE_OF_SIGHT = 1
DIFFRACTION = 2
TROPOSCATTER = 3

FAULT_N_S_SMALL = 1
FAULT_N_S_LARGE = 2
FAULT_EFFECTIVE_EARTH = 3
FAULT_STEEP = 4  # a horizon so near and low that the rounded-Earth formula has no value

WARN_DISTANCE_LARGE_1 = 0x0008
WARN_DISTANCE_LARGE_2 = 0x0010
WARN_DISTANCE_SMALL_1 = 0x0020
WARN_DISTANCE_SMALL_2 = 0x0040
WARN_TX_HORIZON_ANGLE = 0x0080
WARN_RX_HORIZON_ANGLE = 0x0100
WARN_TX_HORIZON_SHORT = 0x0200
WARN_RX_HORIZON_SHORT = 0x0400
WARN_TX_HORIZON_LONG = 0x0800
WARN_RX_HORIZON_LONG = 0x1000
WARN_REFRACTIVITY = 0x4000

# Points are handled in blocks, so that arithmetic on them compiles to vector instructions. A
# block is one array; each quantity has its place in it at a fixed distance from the others,
# which shows the compiler that they do not overlap.
_BLOCK = 64
DISTANCE = 0 * _BLOCK
THETA = 1 * _BLOCK
HORIZON_TX = 2 * _BLOCK
HORIZON_RX = 3 * _BLOCK
EFFECTIVE_TX = 4 * _BLOCK
EFFECTIVE_RX = 5 * _BLOCK
A_E = 6 * _BLOCK
N_S = 7 * _BLOCK
DELTA_H = 8 * _BLOCK
D_SML = 9 * _BLOCK
D_ML = 10 * _BLOCK
THETA_LOS = 11 * _BLOCK
ROOT = 12 * _BLOCK
LOG_C_TX = 13 * _BLOCK
LOG_C_RX = 14 * _BLOCK
C_TX = 15 * _BLOCK
C_RX = 16 * _BLOCK
LOG_SML = 17 * _BLOCK
SIGMA_D = 18 * _BLOCK
A_E_23 = 19 * _BLOCK
LOG_D = 20 * _BLOCK
SEEN_DELTA_H = 21 * _BLOCK
X_TERMINALS = 22 * _BLOCK
GAINS = 23 * _BLOCK
CLUTTER = 24 * _BLOCK
REACH = 25 * _BLOCK
D_3 = 26 * _BLOCK
A_3 = 27 * _BLOCK
SLOPE = 28 * _BLOCK
INTERCEPT = 29 * _BLOCK
D_0 = 30 * _BLOCK
D_1 = 31 * _BLOCK
A_0 = 32 * _BLOCK
A_1 = 33 * _BLOCK
A_REF = 34 * _BLOCK
MODE = 35 * _BLOCK
ATTENUATION = 36 * _BLOCK
BLOCK_ROWS = 37

_THIRD = 1.0 / 3.0
_DB = 10.0 / math.log(10.0)
_MAX_SAMPLES = 245
MAX_POINTS = 500_000  # positions in a profile have 19 bits before the point, see _resample
_VOGLER = 4.0 / 3.0 * 6370e3
# sums may be reordered there; NaN and infinity do not occur
_VECTOR = {"nsz", "contract", "arcp"}
_REORDER = {"reassoc", "nsz", "nnan", "ninf", "contract", "arcp"}


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _effective_earth(n0: float, mean_height_m: float) -> tuple[float, float]:
    """Surface refractivity and the curvature of the effective Earth ([Alg.] 3.1, TN101 4.3-4.4)."""
    n_s = n0 * math.exp(-mean_height_m / 9460.0)
    return n_s, 157e-9 * (1.0 - 0.04665 * math.exp(n_s / 179.3))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_REORDER)
def _resample(
    y: Floats, start: float, step: float, count: int, samples: Floats
) -> tuple[float, float]:
    """Sample the profile linearly at `count` places and return the sums of a line fit.

    Positions are kept in fixed point (20 bits before the point, 44 after it): cutting them into
    index and fraction is then cheaper than rounding floating point numbers, and gather
    instructions, which are slower than plain loads, are avoided.
    """
    position = np.uint64(start * 2.0**44)
    stride = np.uint64(step * 2.0**44)
    for j in range(count):
        i = position >> np.uint64(44)
        fraction = np.float64(np.int64(position & np.uint64(0xFFFFFFFFFFF))) * 2.0**-44
        left = y[i]
        samples[j] = left + fraction * (y[i + np.uint64(1)] - left)
        position = (position + stride) & np.uint64(0x7FFFFFFFFFFFFFFF)
    total = 0.0
    moment = 0.0
    for j in range(count):
        total += samples[j]
        moment += samples[j] * j
    return total, moment


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_REORDER)
def _detrend(
    samples: Floats,
    count: int,
    first: float,
    slope: float,
    residuals: Singles,
    bits: Keys,
    keys: Keys,
) -> None:
    """Write the departures from the line as whole numbers in the same order.

    Single precision keeps 7 digits of each departure. Its bit pattern (`bits` is a view of
    `residuals`), with the digits of negative numbers inverted, sorts like the number, and
    minima, maxima and counts of whole numbers compile to vector instructions.
    """
    for j in range(count):
        residuals[j] = np.float32(samples[j] - (first + slope * j))
    for j in range(count):
        b = bits[j]
        keys[j] = b if b >= 0 else b ^ 0x7FFFFFFF


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _key(value: float) -> np.int32:
    """Return the key of a number."""
    b = np.float32(value).view(np.int32)
    return np.int32(b if b >= 0 else b ^ 0x7FFFFFFF)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _from_key(key: np.int32) -> float:
    """Return the number of a key."""
    b = np.int32(key if key >= 0 else key ^ 0x7FFFFFFF)
    return np.float64(b.view(np.float32))


_LOWEST = np.int32(-(2**31))
_HIGHEST = np.int32(2**31 - 1)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_REORDER)
def _count_above(keys: Keys, count: int, bound: np.int32) -> int:
    """Count the keys greater than `bound`."""
    total = np.float32(0.0)
    for j in range(count):
        total += np.float32(1.0) if keys[j] > bound else np.float32(0.0)
    return int(total)


@njit(cache=True, nogil=True, error_model="numpy")
def _next_below(keys: Keys, count: int, bound: np.int32) -> np.int32:
    """Return the largest key not above `bound`."""
    best = _LOWEST
    for j in range(count):
        candidate = keys[j] if keys[j] <= bound else _LOWEST
        best = max(best, candidate)
    return best


@njit(cache=True, nogil=True, error_model="numpy")
def _next_above(keys: Keys, count: int, bound: np.int32) -> np.int32:
    """Return the smallest key above `bound`."""
    best = _HIGHEST
    for j in range(count):
        candidate = keys[j] if keys[j] > bound else _HIGHEST
        best = min(best, candidate)
    return best


@njit(cache=True, nogil=True, error_model="numpy")
def _kth_largest(keys: Keys, count: int, k: int, guess: float, rank_step: float) -> float:
    """Return the k-th largest number (k from 1).

    A pass over a few hundred keys takes some ten nanoseconds, so the search brackets the number
    by counting, steered by a guess (the neighbouring point's quantile) and by the typical
    distance between two ranks, and walks the last ranks.
    """
    low = _LOWEST  # at least k keys are above it
    high = _HIGHEST  # fewer than k keys are above it
    above_low = count
    above_high = 0
    bound = guess
    for trial in range(64):
        key = _key(bound)
        if key <= low or key >= high:
            key = np.int32((np.int64(low) + np.int64(high)) >> 1)
            if key <= low:
                break
            bound = _from_key(key)
        above = _count_above(keys, count, key)
        if above >= k:
            low, above_low = key, above
        else:
            high, above_high = key, above
        if above_low - k <= 2 or k - above_high <= 3:
            break
        if trial >= 3 and low != _LOWEST and high != _HIGHEST:
            share = (above_low - k + 0.5) / (above_low - above_high)
            if trial % 3 == 2:
                share = 0.5
            number = _from_key(low)
            bound = number + (_from_key(high) - number) * share
        else:
            bound += (above - k + 0.5) * rank_step * (1 << min(trial, 20))
    # walk to the wanted rank, at first as if all keys were different
    up = above_low - k + 1
    down = k - above_high
    if up <= down:
        key = low
        for _ in range(up):
            key = _next_above(keys, count, key)
        if up == 1 or _count_above(keys, count, np.int32(key - 1)) >= k:
            return _from_key(key)
        key = high
        down = k - above_high
    else:
        key = _next_below(keys, count, high)
        for _ in range(down - 1):
            if key == _LOWEST:  # equal keys: there are fewer values than ranks
                break
            key = _next_below(keys, count, np.int32(key - 1))
        if down == 1 or (key != _LOWEST and _count_above(keys, count, key) < k):
            return _from_key(key)
        key = high
    key = _next_below(keys, count, key)
    while _count_above(keys, count, np.int32(key - 1)) < k:
        key = _next_below(keys, count, np.int32(key - 1))
    return _from_key(key)


@njit(cache=True, nogil=True, error_model="numpy")
def _terrain_irregularity(
    y: Floats,
    start: float,
    end: float,
    span_m: float,
    samples: Floats,
    residuals: Singles,
    bits: Keys,
    keys: Keys,
    hint: Floats,
) -> float:
    """Interdecile range of the detrended terrain, extrapolated to infinity ([Alg.] 3.5)."""
    if end - start < 2.0:
        return 0.0
    p10 = int(0.1 * (end - start + 8.0))
    p10 = min(max(4, p10), 25)
    count = 10 * p10 - 5
    last = count - 1.0
    total, moment = _resample(y, start, (end - start) / last, count, samples)
    # a line through the samples with half weight for the two ends
    total -= 0.5 * (samples[0] + samples[count - 1])
    moment -= 0.5 * last * samples[count - 1]
    slope = (moment - 0.5 * last * total) * 12.0 / ((last * last + 2.0) * last)
    first = total / last - slope * 0.5 * last
    _detrend(samples, count, first, slope, residuals, bits, keys)
    rank_step = (hint[0] - hint[1]) / (0.8 * count)
    high = _kth_largest(keys, count, p10, hint[0], rank_step)
    low = _kth_largest(keys, count, count - p10 + 1, hint[1], rank_step)
    hint[0] = high
    hint[1] = low
    return (high - low) / (1.0 - 0.8 * math.exp(-span_m / 50e3))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _fit_line(
    y: Floats, sum_y: Floats, sum_iy: Floats, n: int, first_index: float, last_index: float
) -> tuple[float, float]:
    """Return the fitted line's values at both ends of the profile ([Alg.] 3.6, NTIA rounding)."""
    a = int(max(first_index, 0.0))
    b = n - int(max(n - last_index, 0.0))
    if b <= a:
        a = max(a - 1, 0)
        b = n - max(n - (b + 1), 0)
    length = float(b - a)
    middle = 0.5 * (a + b)
    total = sum_y[b + 1] - sum_y[a]
    moment = sum_iy[b + 1] - sum_iy[a] - middle * total
    total -= 0.5 * (y[a] + y[b])
    moment -= 0.5 * (y[a] * (a - middle) + y[b] * (b - middle))
    mean = total / length
    slope = moment * 12.0 / ((length * length + 2.0) * length)
    return mean - slope * middle, mean + slope * (n - middle)


@njit(cache=True, nogil=True, error_model="numpy")
def _point_geometry(
    y: Floats,
    sum_y: Floats,
    sum_iy: Floats,
    n: int,
    spacing_m: float,
    tx_m: float,
    rx_m: float,
    a_e: float,
    theta_tx: float,
    theta_rx: float,
    hzn_tx: float,
    hzn_rx: float,
    samples: Floats,
    residuals: Singles,
    bits: Keys,
    keys: Keys,
    hint: Floats,
) -> tuple[float, float, float, float, float, float, float]:
    """Turn horizons into effective heights, horizons and irregularity ([Alg.] 3.5-3.7)."""
    d = n * spacing_m
    # terrain closer than 15 antenna heights (or a tenth of the horizon) does not count
    d_start = min(15.0 * tx_m, 0.1 * hzn_tx)
    d_end = d - min(15.0 * rx_m, 0.1 * hzn_rx)
    start = d_start / spacing_m
    end = d_end / spacing_m
    delta_h = _terrain_irregularity(
        y, start, end, d_end - d_start, samples, residuals, bits, keys, hint
    )
    if hzn_tx + hzn_rx > 1.5 * d:
        # line of sight: smooth-Earth horizons over the fitted terrain
        fit_tx, fit_rx = _fit_line(y, sum_y, sum_iy, n, start, end)
        eff_tx = tx_m + max(y[0] - fit_tx, 0.0)
        eff_rx = rx_m + max(y[n] - fit_rx, 0.0)
        shrink_tx = math.exp(-0.07 * math.sqrt(delta_h / max(eff_tx, 5.0)))
        shrink_rx = math.exp(-0.07 * math.sqrt(delta_h / max(eff_rx, 5.0)))
        smooth_tx = math.sqrt(2.0 * eff_tx * a_e)
        smooth_rx = math.sqrt(2.0 * eff_rx * a_e)
        hzn_tx = smooth_tx * shrink_tx
        hzn_rx = smooth_rx * shrink_rx
        if hzn_tx + hzn_rx <= d:
            q = (d / (hzn_tx + hzn_rx)) ** 2
            eff_tx *= q
            eff_rx *= q
            smooth_tx = math.sqrt(2.0 * eff_tx * a_e)
            smooth_rx = math.sqrt(2.0 * eff_rx * a_e)
            hzn_tx = smooth_tx * math.exp(-0.07 * math.sqrt(delta_h / max(eff_tx, 5.0)))
            hzn_rx = smooth_rx * math.exp(-0.07 * math.sqrt(delta_h / max(eff_rx, 5.0)))
        theta_tx = (0.65 * delta_h * (smooth_tx / hzn_tx - 1.0) - 2.0 * eff_tx) / smooth_tx
        theta_rx = (0.65 * delta_h * (smooth_rx / hzn_rx - 1.0) - 2.0 * eff_rx) / smooth_rx
    else:
        fit_tx, _ = _fit_line(y, sum_y, sum_iy, n, start, 0.9 * hzn_tx / spacing_m)
        eff_tx = tx_m + max(y[0] - fit_tx, 0.0)
        _, fit_rx = _fit_line(y, sum_y, sum_iy, n, (d - 0.9 * hzn_rx) / spacing_m, end)
        eff_rx = rx_m + max(y[n] - fit_rx, 0.0)
    return theta_tx, theta_rx, hzn_tx, hzn_rx, eff_tx, eff_rx, delta_h


@njit(inline="always")
def _sigma_h(delta_h):  # type: ignore[no-untyped-def]
    """Rms terrain departure within the first Fresnel zone (eq. 3.6a of ERL 79-ITS 67)."""
    return 0.78 * delta_h * exp(-0.5 * math.sqrt(math.sqrt(delta_h)))


@njit(inline="always")
def _roughness(delta_h, d):  # type: ignore[no-untyped-def]
    """Terrain irregularity as it shows over a distance (eq. 3 of ERL 79-ITS 67)."""
    return delta_h * (1.0 - 0.8 * exp(-min(d, 30e6) / 50e3))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_VECTOR)
def _derive(w: Floats, count: int, product: float, low_antenna: float) -> None:
    """Compute from a block's geometry what the attenuation at any frequency needs."""
    for j in range(count):
        a_e = w[A_E + j]
        eff_tx = w[EFFECTIVE_TX + j]
        eff_rx = w[EFFECTIVE_RX + j]
        hzn_tx = w[HORIZON_TX + j]
        hzn_rx = w[HORIZON_RX + j]
        d_ml = hzn_tx + hzn_rx
        w[D_SML + j] = math.sqrt(2.0 * eff_tx * a_e) + math.sqrt(2.0 * eff_rx * a_e)
        w[D_ML + j] = d_ml
        w[THETA_LOS + j] = -max(w[THETA + j], -d_ml / a_e)
        w[ROOT + j] = math.sqrt(1.0 + (eff_tx * eff_rx - product) / (product + low_antenna))
    for j in range(count):
        # C_0 of Vogler for the terminals' own radii; a_j = d_Lj^2 / (2 h_ej)
        hzn_tx = w[HORIZON_TX + j]
        hzn_rx = w[HORIZON_RX + j]
        log_tx = log(_VOGLER * 2.0 * w[EFFECTIVE_TX + j] / (hzn_tx * hzn_tx)) * _THIRD
        log_rx = log(_VOGLER * 2.0 * w[EFFECTIVE_RX + j] / (hzn_rx * hzn_rx)) * _THIRD
        w[LOG_C_TX + j] = log_tx
        w[LOG_C_RX + j] = log_rx
        w[C_TX + j] = exp(log_tx)
        w[C_RX + j] = exp(log_rx)
    for j in range(count):
        d_sml = w[D_SML + j]
        w[LOG_SML + j] = log(d_sml)
        w[SIGMA_D + j] = _sigma_h(_roughness(w[DELTA_H + j], d_sml))
        w[A_E_23 + j] = exp(2.0 * _THIRD * log(w[A_E + j]))
    for j in range(count):
        d = w[DISTANCE + j]
        w[LOG_D + j] = log(d)
        w[SEEN_DELTA_H + j] = _roughness(w[DELTA_H + j], d)


@njit(inline="always")
def _height_gain(x, k, log_k):  # type: ignore[no-untyped-def]
    """Height gain F(x, K) over a smooth Earth ([Alg.] 6.4-6.6)."""
    log_x = log(max(x, 1.0))
    far = 17.372 * log_x - 117.0
    cubed = -log_k * log_k * log_k
    low = far if (k < 1e-5 or x * cubed > 5495.0) else 2.5e-5 * x * x / k + 8.686 * log_k - 15.0
    high = 0.05751 * x - 4.343 * log_x
    mix = 0.0134 * x * exp(-0.005 * min(max(x, 0.0), 2000.0))
    high = (1.0 - mix) * high + mix * far if x < 2000.0 else high
    return low if x < 200.0 else high


@njit(inline="always")
def _knife_edge(v):  # type: ignore[no-untyped-def]
    """Loss of one knife edge from the square of nu ([Alg.] 6.1)."""
    near = 6.02 + 9.11 * math.sqrt(max(v, 0.0)) - 1.27 * v
    return near if v < 5.76 else 12.953 + _DB * log(max(v, 5.0))


@njit(inline="always")
def _diffraction(  # type: ignore[no-untyped-def]
    d, wave_number, k_1, f_cbrt, a_e, theta_los, hzn_tx, hzn_rx, d_ml, x_terminals, gains,
    root, delta_h,
):  # fmt: skip
    """Diffraction attenuation at distance d, far beyond the horizons ([Alg.] 4.9-4.20)."""
    theta_nlos = d / a_e - theta_los
    d_nlos = d - d_ml
    common = 0.0795775 * wave_number * theta_nlos * theta_nlos * d_nlos
    edge = _knife_edge(common * hzn_tx / (d_nlos + hzn_tx)) + _knife_edge(
        common * hzn_rx / (d_nlos + hzn_rx)
    )
    # rounded Earth (Vogler, three radii)
    c_0 = exp(log(_VOGLER * theta_nlos / d_nlos) * _THIRD)
    x = (1.607 - k_1 * c_0) * c_0 * c_0 * f_cbrt * (d_nlos / 1000.0) + x_terminals
    smooth = 0.05751 * x - _DB * log(max(x, 1e-300)) - gains - 20.0
    smooth = smooth if x > 0.0 else math.nan
    q = (root + (-theta_los * a_e + d_ml) / d) * min(_roughness(delta_h, d) * wave_number, 6283.2)
    weight = 25.1 / (25.1 + math.sqrt(q))
    return weight * smooth + (1.0 - weight) * edge


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_VECTOR)
def _diffraction_line(w: Floats, count: int, frequency: Floats, product: float) -> None:
    """Write the line through the attenuation at two points far beyond the horizons."""
    f_mhz = frequency[F_MHZ]
    wave_number = frequency[F_WAVE_NUMBER]
    f_cbrt = frequency[F_CBRT]
    k_1 = frequency[F_K]
    log_k = frequency[F_LOG_K]
    for j in range(count):
        c_tx = w[C_TX + j]
        k_tx = k_1 * c_tx
        x_tx = (1.607 - k_tx) * c_tx * c_tx * f_cbrt * (w[HORIZON_TX + j] / 1000.0)
        gain_tx = _height_gain(x_tx, k_tx, log_k + w[LOG_C_TX + j])
        c_rx = w[C_RX + j]
        k_rx = k_1 * c_rx
        x_rx = (1.607 - k_rx) * c_rx * c_rx * f_cbrt * (w[HORIZON_RX + j] / 1000.0)
        gain_rx = _height_gain(x_rx, k_rx, log_k + w[LOG_C_RX + j])
        w[X_TERMINALS + j] = x_tx + x_rx
        w[GAINS + j] = gain_tx + gain_rx
        w[CLUTTER + j] = min(15.0, 0.5 * _DB * log(1.0 + 1e-5 * product * f_mhz * w[SIGMA_D + j]))
        w[REACH + j] = w[A_E_23 + j] / f_cbrt
    for j in range(count):
        d_ml = w[D_ML + j]
        d_3 = max(w[D_SML + j], d_ml + 5.0 * w[REACH + j])
        w[D_3 + j] = d_3
        w[A_3 + j] = _diffraction(
            d_3, wave_number, k_1, f_cbrt, w[A_E + j], w[THETA_LOS + j], w[HORIZON_TX + j],
            w[HORIZON_RX + j], d_ml, w[X_TERMINALS + j], w[GAINS + j], w[ROOT + j],
            w[DELTA_H + j],
        )  # fmt: skip
    for j in range(count):
        a_4 = _diffraction(
            w[D_3 + j] + 10.0 * w[REACH + j], wave_number, k_1, f_cbrt, w[A_E + j],
            w[THETA_LOS + j], w[HORIZON_TX + j], w[HORIZON_RX + j], w[D_ML + j],
            w[X_TERMINALS + j], w[GAINS + j], w[ROOT + j], w[DELTA_H + j],
        )  # fmt: skip
        slope = (a_4 - w[A_3 + j]) / (10.0 * w[REACH + j])
        w[SLOPE + j] = slope
        w[INTERCEPT + j] = w[A_3 + j] + w[CLUTTER + j] - slope * w[D_3 + j]


@njit(inline="always")
def _two_ray(d, eff_tx, eff_rx, wave_number, z_re, z_im, delta_h):  # type: ignore[no-untyped-def]
    """Attenuation by interference with the reflected ray ([Alg.] 4.46-4.50)."""
    sigma = _sigma_h(_roughness(delta_h, d))
    height = eff_tx + eff_rx
    sin_psi = height / math.sqrt(d * d + height * height)
    # reflection coefficient (sin psi - Z) / (sin psi + Z), reduced by the roughness
    re_a = sin_psi - z_re
    re_b = sin_psi + z_re
    scale = exp(-min(10.0, wave_number * sigma * sin_psi)) / (re_b * re_b + z_im * z_im)
    r_re = (re_a * re_b - z_im * z_im) * scale
    r_im = -z_im * (re_a + re_b) * scale
    q = r_re * r_re + r_im * r_im
    scale = math.sqrt(sin_psi / q) if (q < 0.25 or q < sin_psi) else 1.0
    phase = wave_number * 2.0 * eff_tx * eff_rx / d
    phase = math.pi - (0.5 * math.pi) ** 2 / phase if phase > 0.5 * math.pi else phase
    re = cosine(phase) + r_re * scale
    im = r_im * scale - sine(phase)
    return -_DB * log(max(re * re + im * im, 1e-300))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_VECTOR)
def _reference_attenuation(w: Floats, count: int, frequency: Floats) -> None:
    """Write the attenuation within the smooth Earth's horizon and on the diffraction line."""
    f_mhz = frequency[F_MHZ]
    wave_number = frequency[F_WAVE_NUMBER]
    z_re = frequency[F_Z_RE]
    z_im = frequency[F_Z_IM]
    for j in range(count):
        slope = w[SLOPE + j]
        intercept = w[INTERCEPT + j]
        d_ml = w[D_ML + j]
        d_0 = 0.04 * f_mhz * w[EFFECTIVE_TX + j] * w[EFFECTIVE_RX + j]
        d_0 = min(d_0, 0.5 * d_ml) if intercept >= 0.0 else d_0
        w[D_0 + j] = d_0
        w[D_1 + j] = (
            d_0 + 0.25 * (d_ml - d_0) if intercept >= 0.0 else max(-intercept / slope, 0.25 * d_ml)
        )
    for j in range(count):
        w[A_0 + j] = _two_ray(
            w[D_0 + j], w[EFFECTIVE_TX + j], w[EFFECTIVE_RX + j], wave_number, z_re, z_im,
            w[DELTA_H + j],
        )  # fmt: skip
    for j in range(count):
        w[A_1 + j] = _two_ray(
            w[D_1 + j], w[EFFECTIVE_TX + j], w[EFFECTIVE_RX + j], wave_number, z_re, z_im,
            w[DELTA_H + j],
        )  # fmt: skip
    for j in range(count):
        d = w[DISTANCE + j]
        d_sml = w[D_SML + j]
        slope = w[SLOPE + j]
        intercept = w[INTERCEPT + j]
        d_0 = w[D_0 + j]
        d_1 = w[D_1 + j]
        weight = 1.0 / (1.0 + f_mhz * w[DELTA_H + j] / max(10e3, d_sml))
        a_0 = weight * w[A_0 + j] + (1.0 - weight) * (slope * d_0 + intercept)
        a_1 = weight * w[A_1 + j] + (1.0 - weight) * (slope * d_1 + intercept)
        a_sml = d_sml * slope + intercept
        # a curve k_1 d + k_2 log d through the three points, if its coefficients allow it
        log_0 = log(d_0)
        q = w[LOG_SML + j] - log_0
        beyond = d_sml - d_0
        step = d_1 - d_0
        k_2 = max(
            0.0,
            (beyond * (a_1 - a_0) - step * (a_sml - a_0))
            / (beyond * (log(d_1) - log_0) - step * q),
        )
        found = d_0 < d_1 and (intercept > 0.0 or k_2 > 0.0)
        k_1 = (a_sml - a_0 - k_2 * q) / beyond
        k_2_alone = max(a_sml - a_0, 0.0) / q
        k_1_alone = slope if k_2_alone == 0.0 else 0.0
        straight = max(a_sml - a_1, 0.0) / (d_sml - d_1)
        straight = slope if straight == 0.0 else straight
        k_2 = k_2_alone if k_1 < 0.0 else k_2
        k_1 = k_1_alone if k_1 < 0.0 else k_1
        k_2 = k_2 if found else 0.0
        k_1 = k_1 if found else straight
        inside = a_sml - k_1 * (d_sml - d) + k_2 * (w[LOG_D + j] - w[LOG_SML + j])
        w[A_REF + j] = max(inside if d < d_sml else slope * d + intercept, 0.0)
        w[MODE + j] = LINE_OF_SIGHT if d < d_sml else DIFFRACTION


# [Alg.] 6.13: curves of H_01
_H_A = np.array([25.0, 80.0, 177.0, 395.0, 705.0])
_H_B = np.array([24.0, 45.0, 68.0, 80.0, 105.0])


@njit(cache=True, nogil=True, error_model="numpy")
def _h0_curve(j: int, r: float) -> float:
    """Return one of the tabulated curves of H_01."""
    inverse = 1.0 / (r * r)
    return 10.0 * math.log10(1.0 + _H_A[j] * inverse * inverse + _H_B[j] * inverse)


@njit(cache=True, nogil=True, error_model="numpy")
def _h0(r: float, eta_s: float) -> float:
    """Troposcatter frequency gain function between its tabulated curves."""
    eta_s = min(max(eta_s, 1.0), 5.0)
    i = int(eta_s)
    q = eta_s - i
    result = _h0_curve(i - 1, r)
    if q != 0.0:
        result = (1.0 - q) * result + q * _h0_curve(i, r)
    return result


@njit(cache=True, nogil=True, error_model="numpy")
def _troposcatter(
    d: float,
    theta_both: float,
    hzn_tx: float,
    hzn_rx: float,
    eff_tx: float,
    eff_rx: float,
    a_e: float,
    n_s: float,
    wave_number: float,
    theta_los: float,
    h0: float,
) -> tuple[float, float]:
    """Troposcatter attenuation and its H_0 ([Alg.] 4.60-4.67); `h0` < 0 at the first call."""
    if h0 > 15.0:
        h_0 = h0
    else:
        ad = hzn_tx - hzn_rx
        ratio = eff_rx / eff_tx
        if ad < 0.0:
            ad = -ad
            ratio = 1.0 / ratio
        theta = theta_both + d / a_e
        r_1 = 2.0 * wave_number * theta * eff_tx
        r_2 = 2.0 * wave_number * theta * eff_rx
        if r_1 < 0.2 and r_2 < 0.2:
            return 1001.0, h0
        s = (d - ad) / (d + ad)
        q = min(max(0.1, ratio / s), 10.0)
        s = max(0.1, s)
        cross_over = (d - ad) * (d + ad) * theta * 0.25 / d
        t = min(1.7, cross_over / 8.0e3)
        t = t * t * t
        eta_s = (cross_over / 1.7556e3) * (
            1.0 + (0.031 - n_s * 2.32e-3 + n_s * n_s * 5.67e-6) * math.exp(-t * t)
        )
        h_00 = (_h0(r_1, eta_s) + _h0(r_2, eta_s)) / 2.0
        h_0 = h_00 + min(
            h_00,
            6.0 * (0.6 - math.log10(max(eta_s, 1.0))) * math.log10(s) * math.log10(q),
        )
        h_0 = max(h_0, 0.0)
        if eta_s < 1.0:
            root_2 = math.sqrt(2.0)
            t = (1.0 + root_2 / r_1) * (1.0 + root_2 / r_2)
            h_0 = eta_s * h_0 + (1.0 - eta_s) * 10.0 * math.log10(
                t * t * (r_1 + r_2) / (r_1 + r_2 + 2.0 * root_2)
            )
        if h_0 > 15.0 and h0 >= 0.0:
            h_0 = h0
    th = d / a_e - theta_los
    td = th * d
    if td <= 10e3:
        f_0 = 133.4 + 0.332e-3 * td - 10.0 * math.log10(td)
    elif td <= 70e3:
        f_0 = 104.6 + 0.212e-3 * td - 2.5 * math.log10(td)
    else:
        f_0 = 71.8 + 0.157e-3 * td + 5.0 * math.log10(td)
    loss = f_0 + 10.0 * math.log10(wave_number * 47.7 * th * th * th * th)
    return loss - 0.1 * (n_s - 301.0) * math.exp(-td / 40e3) + h_0, h_0


@njit(cache=True, nogil=True, error_model="numpy")
def _beyond_diffraction(w: Floats, count: int, frequency: Floats) -> None:
    """Put the troposcatter line where it governs ([Alg.] 4.52-4.55)."""
    wave_number = frequency[F_WAVE_NUMBER]
    for j in range(count):
        d = w[DISTANCE + j]
        d_sml = w[D_SML + j]
        d_ml = w[D_ML + j]
        # the least distance at which troposcatter can begin
        least = max(d_sml, d_ml + 1.088 * w[REACH + j] * frequency[F_LOG])
        if d < d_sml or d <= least:
            continue
        slope = w[SLOPE + j]
        intercept = w[INTERCEPT + j]
        d_5 = d_ml + 200e3
        a_6, h0 = _troposcatter(
            d_ml + 400e3, w[THETA + j], w[HORIZON_TX + j], w[HORIZON_RX + j],
            w[EFFECTIVE_TX + j], w[EFFECTIVE_RX + j], w[A_E + j], w[N_S + j], wave_number,
            w[THETA_LOS + j], -1.0,
        )  # fmt: skip
        a_5, h0 = _troposcatter(
            d_5, w[THETA + j], w[HORIZON_TX + j], w[HORIZON_RX + j], w[EFFECTIVE_TX + j],
            w[EFFECTIVE_RX + j], w[A_E + j], w[N_S + j], wave_number, w[THETA_LOS + j], h0,
        )  # fmt: skip
        if a_5 < 1000.0:
            slope_s = (a_6 - a_5) / 200e3
            d_x = max(least, (a_5 - intercept - slope_s * d_5) / (slope - slope_s))
            if d > d_x:
                w[A_REF + j] = max(slope_s * d + (slope - slope_s) * d_x + intercept, 0.0)
                w[MODE + j] = TROPOSCATTER
        elif d > 10e6:
            w[MODE + j] = TROPOSCATTER


@njit(cache=True, nogil=True, error_model="numpy")
def _warnings(
    d: float,
    theta_tx: float,
    theta_rx: float,
    hzn_tx: float,
    hzn_rx: float,
    eff_tx: float,
    eff_rx: float,
    a_e: float,
    n_s: float,
) -> int:
    """Return the warning bits that depend on the geometry (none depends on the frequency)."""
    smooth_tx = math.sqrt(2.0 * eff_tx * a_e)
    smooth_rx = math.sqrt(2.0 * eff_rx * a_e)
    bits = 0
    if abs(theta_tx) > 200e-3:
        bits |= WARN_TX_HORIZON_ANGLE
    if abs(theta_rx) > 200e-3:
        bits |= WARN_RX_HORIZON_ANGLE
    if hzn_tx < 0.1 * smooth_tx:
        bits |= WARN_TX_HORIZON_SHORT
    if hzn_rx < 0.1 * smooth_rx:
        bits |= WARN_RX_HORIZON_SHORT
    if hzn_tx > 3.0 * smooth_tx:
        bits |= WARN_TX_HORIZON_LONG
    if hzn_rx > 3.0 * smooth_rx:
        bits |= WARN_RX_HORIZON_LONG
    if n_s < 250.0:
        bits |= WARN_REFRACTIVITY
    if d < abs(eff_tx - eff_rx) / 200e-3:
        bits |= WARN_DISTANCE_SMALL_1
    if d < 1e3:
        bits |= WARN_DISTANCE_SMALL_2
    if d > 1000e3:
        bits |= WARN_DISTANCE_LARGE_1
    if d > 2000e3:
        bits |= WARN_DISTANCE_LARGE_2
    return bits


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _fault(n_s: float, a_e: float) -> int:
    """Return why the geometry is outside the model, or 0."""
    if n_s < 150.0:
        return FAULT_N_S_SMALL
    if n_s > 400.0:
        return FAULT_N_S_LARGE
    if a_e < 4000000.0 or a_e > 13333333.0:
        return FAULT_EFFECTIVE_EARTH
    return 0


@njit(inline="always")
def _curve(c_1, c_2, x_1, x_2, x_3, d_e):  # type: ignore[no-untyped-def]
    """Climate curve over the effective distance ([Alg.] 5.4-5.6, TN101 III.69)."""
    t = (d_e - x_2) / x_3
    u = d_e / x_1
    u = u * u
    return (c_1 + c_2 / (1.0 + t * t)) * u / (1.0 + u)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_VECTOR)
def _variability(w: Floats, count: int, frequency: Floats, statistics: Floats) -> None:
    """Write the attenuation that the statistics ask for ([Alg.] section 5)."""
    wave_number = frequency[F_WAVE_NUMBER]
    d_ex_f = frequency[F_D_EX]
    z_t = statistics[V_Z_T]
    z_l = statistics[V_Z_L]
    z_s = statistics[V_Z_S]
    mode = int(statistics[V_MODE])
    situation = 1.0 - statistics[V_NO_SITUATION]
    location = 1.0 - statistics[V_NO_LOCATION]
    side = V_MINUS if z_t < 0.0 else V_PLUS
    # sigma_T = sigma_T+- (1, or the tail's mixture beyond z_D) times the frequency factor
    time_factor = frequency[F_G_MINUS] if z_t < 0.0 else frequency[F_G_PLUS]
    c_d = statistics[V_C_D]
    if z_t > statistics[V_Z_D]:
        time_factor *= c_d + (1.0 - c_d) * statistics[V_Z_D] / z_t
    c_1, c_2 = statistics[side], statistics[side + 1]
    x_1, x_2, x_3 = statistics[side + 2], statistics[side + 3], statistics[side + 4]
    m_1, m_2 = statistics[V_MEDIAN], statistics[V_MEDIAN + 1]
    y_1, y_2, y_3 = (
        statistics[V_MEDIAN + 2], statistics[V_MEDIAN + 3], statistics[V_MEDIAN + 4],
    )  # fmt: skip
    z_s_2 = z_s * z_s
    # which variances act together with situation, and which with time, by mode
    with_time = 1.0 if mode == 0 else 0.0
    with_location = 1.0 if mode <= 1 else 0.0
    mobile = 1.0 if mode == 2 else 0.0
    own_time = 1.0 if mode in (1, 3) else 0.0
    own_location = 1.0 if mode == 3 else 0.0
    for j in range(count):
        d = w[DISTANCE + j]
        d_ex = math.sqrt(18e6 * w[EFFECTIVE_TX + j]) + math.sqrt(18e6 * w[EFFECTIVE_RX + j])
        d_ex += d_ex_f
        d_e = 130e3 * d / d_ex if d < d_ex else 130e3 + d - d_ex
        sigma_s = situation * (5.0 + 3.0 * exp(-min(d_e, 30e6) / 100e3))
        rough = wave_number * w[SEEN_DELTA_H + j]
        sigma_l = location * 10.0 * rough / (rough + 13.0)
        sigma_t = _curve(c_1, c_2, x_1, x_2, x_3, d_e) * time_factor
        y_l = sigma_l * z_l
        y_t = sigma_t * z_t
        time_2 = sigma_t * sigma_t
        location_2 = sigma_l * sigma_l
        rest = (
            sigma_s * sigma_s
            + y_t * y_t / (7.8 + z_s_2)
            + y_l * y_l / (24.0 + z_s_2)
            + with_time * time_2
            + with_location * location_2
        )
        y_r = own_time * y_t + own_location * y_l + mobile * math.sqrt(time_2 + location_2) * z_t
        a = w[A_REF + j] - _curve(m_1, m_2, y_1, y_2, y_3, d_e) - y_r - math.sqrt(rest) * z_s
        w[ATTENUATION + j] = a * (29.0 - a) / (29.0 - 10.0 * a) if a < 0.0 else a


@njit(cache=True, nogil=True, error_model="numpy")
def _frequency_loss(
    w: Floats, count: int, frequency: Floats, statistics: Floats, product: float
) -> None:
    """Write the attenuation of a block at one frequency; `_derive` comes first."""
    _diffraction_line(w, count, frequency, product)
    _reference_attenuation(w, count, frequency)
    _beyond_diffraction(w, count, frequency)
    _variability(w, count, frequency, statistics)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _put(
    w: Floats,
    j: int,
    d: float,
    theta: float,
    hzn_tx: float,
    hzn_rx: float,
    eff_tx: float,
    eff_rx: float,
    a_e: float,
    n_s: float,
    delta_h: float,
) -> None:
    """Write the geometry of one point into a block."""
    w[DISTANCE + j] = d
    w[THETA + j] = theta
    w[HORIZON_TX + j] = hzn_tx
    w[HORIZON_RX + j] = hzn_rx
    w[EFFECTIVE_TX + j] = eff_tx
    w[EFFECTIVE_RX + j] = eff_rx
    w[A_E + j] = a_e
    w[N_S + j] = n_s
    w[DELTA_H + j] = delta_h


@njit(cache=True, nogil=True, error_model="numpy")
def _store(
    frequency: Floats,
    statistics: Floats,
    d: float,
    tx_m: float,
    rx_m: float,
    low_antenna: float,
    theta_tx: float,
    theta_rx: float,
    hzn_tx: float,
    hzn_rx: float,
    eff_tx: float,
    eff_rx: float,
    a_e: float,
    n_s: float,
    delta_h: float,
    out: Floats,
) -> None:
    """Compute one loss from a geometry and write it with all intermediate values."""
    out[R_N_S] = n_s
    out[R_DELTA_H] = delta_h
    out[R_THETA_TX] = theta_tx
    out[R_THETA_RX] = theta_rx
    out[R_HORIZON_TX] = hzn_tx
    out[R_HORIZON_RX] = hzn_rx
    out[R_EFFECTIVE_TX] = eff_tx
    out[R_EFFECTIVE_RX] = eff_rx
    out[R_WARNINGS] = _warnings(d, theta_tx, theta_rx, hzn_tx, hzn_rx, eff_tx, eff_rx, a_e, n_s)
    out[R_FAULT] = _fault(n_s, a_e)
    if out[R_FAULT] != 0:
        return
    w = np.empty(BLOCK_ROWS * _BLOCK)
    _put(w, 0, d, theta_tx + theta_rx, hzn_tx, hzn_rx, eff_tx, eff_rx, a_e, n_s, delta_h)
    _derive(w, 1, tx_m * rx_m, low_antenna)
    _frequency_loss(w, 1, frequency, statistics, tx_m * rx_m)
    out[R_A_REF] = w[A_REF]
    out[R_MODE] = w[MODE]
    out[R_FREE_SPACE] = frequency[F_FREE_SPACE] + 20.0 * math.log10(d / 1000.0)
    out[R_LOSS] = out[R_FREE_SPACE] + w[ATTENUATION]
    if math.isnan(out[R_LOSS]):
        out[R_FAULT] = FAULT_STEEP


@njit(cache=True, nogil=True, error_model="numpy")
def itm_area(
    frequency: Floats,
    statistics: Floats,
    d: float,
    tx_m: float,
    rx_m: float,
    siting_tx: int,
    siting_rx: int,
    delta_h: float,
    n0: float,
    out: Floats,
) -> None:
    """Area mode: typical geometry from the siting of the terminals ([Alg.] 3.2-3.4)."""
    n_s, gamma_e = _effective_earth(n0, 0.0)
    geometry = np.empty((2, 3))
    for terminal in range(2):
        height = tx_m if terminal == 0 else rx_m
        siting = siting_tx if terminal == 0 else siting_rx
        effective = height
        if siting != 0:
            b = 4.0 if siting == 1 else 9.0
            if height < 5.0:
                b *= math.sin(0.1 * math.pi * height)
            effective += (1.0 + b) * math.exp(-min(20.0, 2.0 * height / max(1e-3, delta_h)))
        smooth = math.sqrt(2.0 * effective / gamma_e)
        horizon = smooth * math.exp(-0.07 * math.sqrt(delta_h / max(effective, 5.0)))
        geometry[terminal, 0] = effective
        geometry[terminal, 1] = horizon
        geometry[terminal, 2] = (
            0.65 * delta_h * (smooth / horizon - 1.0) - 2.0 * effective
        ) / smooth
    _store(
        frequency, statistics, d, tx_m, rx_m, 0.0, geometry[0, 2], geometry[1, 2],
        geometry[0, 1], geometry[1, 1], geometry[0, 0], geometry[1, 0], 1.0 / gamma_e, n_s,
        delta_h, out,
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def itm_path(
    frequency: Floats,
    statistics: Floats,
    height_m: Floats,
    spacing_m: float,
    tx_m: float,
    rx_m: float,
    n0: float,
    out: Floats,
) -> None:
    """Point-to-point mode over one profile, by scans over its points."""
    n = height_m.size - 1
    p10 = int(0.1 * n)
    mean = 0.0
    for i in range(p10, n - p10 + 1):
        mean += height_m[i]
    mean /= n - 2 * p10 + 1
    n_s, gamma_e = _effective_earth(n0, mean)
    a_e = 1.0 / gamma_e

    # horizons; distances are accumulated the way NTIA's code does (see the module's docstring)
    d = n * spacing_m
    z_tx = height_m[0] + tx_m
    z_rx = height_m[n] + rx_m
    theta_tx = (z_rx - z_tx) / d - d / (2.0 * a_e)
    theta_rx = -(z_rx - z_tx) / d - d / (2.0 * a_e)
    hzn_tx = d
    hzn_rx = d
    d_tx = 0.0
    d_rx = d
    for i in range(1, n):
        d_tx += spacing_m
        d_rx -= spacing_m
        theta = (height_m[i] - z_tx) / d_tx - d_tx / (2.0 * a_e)
        if theta > theta_tx:
            theta_tx = theta
            hzn_tx = d_tx
        theta = -(z_rx - height_m[i]) / d_rx - d_rx / (2.0 * a_e)
        if theta > theta_rx:
            theta_rx = theta
            hzn_rx = d_rx

    y = np.empty(n + 1)
    sum_y = np.empty(n + 2)
    sum_iy = np.empty(n + 2)
    _prefix_sums(height_m, n, y, sum_y, sum_iy)
    samples = np.empty(_MAX_SAMPLES)
    residuals = np.empty(_MAX_SAMPLES, np.float32)
    bits = residuals.view(np.int32)
    keys = np.empty(_MAX_SAMPLES, np.int32)
    hint = np.zeros(2)
    theta_tx, theta_rx, hzn_tx, hzn_rx, eff_tx, eff_rx, delta_h = _point_geometry(
        y, sum_y, sum_iy, n, spacing_m, tx_m, rx_m, a_e, theta_tx, theta_rx, hzn_tx, hzn_rx,
        samples, residuals, bits, keys, hint,
    )  # fmt: skip
    _store(
        frequency, statistics, d, tx_m, rx_m, 10.0, theta_tx, theta_rx, hzn_tx, hzn_rx,
        eff_tx, eff_rx, a_e, n_s, delta_h, out,
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _prefix_sums(height_m: Floats, n: int, y: Floats, sum_y: Floats, sum_iy: Floats) -> None:
    """Heights above the first point, and sums over the points before each index."""
    base = height_m[0]
    total = 0.0
    moment = 0.0
    for i in range(n + 1):
        value = height_m[i] - base
        y[i] = value
        sum_y[i] = total
        sum_iy[i] = moment
        total += value
        moment += value * i
    sum_y[n + 1] = total
    sum_iy[n + 1] = moment


@njit(cache=True, nogil=True, error_model="numpy")
def _exact_horizon_rx(d: float, spacing_m: float, steps: int) -> float:
    """Return the receiver's distance to a point, by the repeated subtraction of `itm_path`."""
    for _ in range(steps):
        d -= spacing_m
    return d


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _rounding_decides(
    n: int, k: int, spacing_m: float, tx_m: float, rx_m: float, hzn_tx: float, hzn_rx: float
) -> bool:
    """Tell whether the last digit of the receiver's horizon distance can move a window."""
    if k % 10 == 0:
        return True
    start = min(15.0 * tx_m, 0.1 * hzn_tx) / spacing_m
    end = (n * spacing_m - min(15.0 * rx_m, 0.1 * hzn_rx)) / spacing_m
    deciles = 0.1 * (end - start + 8.0)
    return abs(deciles - np.rint(deciles)) < 1e-9


@njit(cache=True, nogil=True, error_model="numpy")
def _flush(
    w: Floats,
    count: int,
    point: NDArray[np.int64],
    frequencies: Floats,
    statistics: Floats,
    product: float,
    out: Floats,
) -> None:
    """Compute the losses of a block of points and write them to their places."""
    _derive(w, count, product, 10.0)
    for f in range(frequencies.shape[0]):
        _frequency_loss(w, count, frequencies[f], statistics, product)
        base = frequencies[f, F_FREE_SPACE] - 60.0
        for j in range(count):
            out[f, point[j]] = base + 2.0 * _DB * w[LOG_D + j] + w[ATTENUATION + j]


@njit(cache=True, nogil=True, error_model="numpy")
def itm_radial(
    frequencies: Floats,
    statistics: Floats,
    height_m: Floats,
    first: int,
    spacing_m: float,
    tx_m: float,
    rx_m: float,
    n0: float,
    out: Floats,
) -> int:
    """Point-to-point mode for every point of a radial from `first` on.

    out[f, i] is what `itm_path` gives for the profile cut at point i; for the mast itself it is
    the free-space loss over the slant path to a point half a step away. Points before `first`,
    and all points from the first NaN height on, get NaN. Returns the union of the warning bits.

    The effective Earth depends on the mean terrain height, so its curvature differs from point
    to point. Seen from the transmitter, point i is the line s_i - c d_i in the curvature
    c = 1 / (2 a_e): the horizon is a query of the upper hull of (d_i, s_i), which grows at its
    end. Seen from the receiver, a point that is below the chord of its neighbours on the most
    curved Earth of the radial is below it on every flatter one, so the hull for the largest
    curvature holds every possible horizon; the tangent to it is the answer or a little nearer
    than it, and the excess is bounded.
    """
    last = height_m.size - 1
    out[:, :] = np.nan
    for i in range(last + 1):
        if not math.isfinite(height_m[i]):
            last = i - 1
            break
    if last >= 0 and first == 0:
        slant_km = 0.001 * math.sqrt((0.5 * spacing_m) ** 2 + (tx_m - rx_m) ** 2)
        for f in range(frequencies.shape[0]):
            out[f, 0] = frequencies[f, F_FREE_SPACE] + 20.0 * math.log10(slant_km)
    if last < max(first, 1):
        return 0

    y = np.empty(last + 1)
    sum_y = np.empty(last + 2)
    sum_iy = np.empty(last + 2)
    _prefix_sums(height_m, last, y, sum_y, sum_iy)
    n_s_of = np.empty(last + 1)
    curvature = np.empty(last + 1)
    most_curved = 0.0
    for n in range(1, last + 1):
        p10 = int(0.1 * n)
        mean = height_m[0] + (sum_y[n - p10 + 1] - sum_y[p10]) / (n - 2 * p10 + 1)
        n_s_of[n], curvature[n] = _effective_earth(n0, mean)
        most_curved = max(most_curved, curvature[n])
    c_max = 0.5 * most_curved

    distance = np.empty(last + 1)
    distance[0] = 0.0
    for i in range(1, last + 1):
        distance[i] = distance[i - 1] + spacing_m
    # every multiple of a spacing with few digits is exact, whatever the order of operations
    exact_steps = np.float64(np.float32(spacing_m)) == spacing_m

    z_tx = height_m[0] + tx_m
    hull_tx = np.empty(last + 1, np.int64)
    slope_tx = np.empty(last + 1)
    size_tx = 0
    at_tx = 0
    hull_rx = np.empty(last + 1, np.int64)
    flat_rx = np.empty(last + 1)  # heights over the most curved Earth
    size_rx = 0
    at_rx = 0

    samples = np.empty(_MAX_SAMPLES)
    residuals = np.empty(_MAX_SAMPLES, np.float32)
    bits = residuals.view(np.int32)
    keys = np.empty(_MAX_SAMPLES, np.int32)
    hint = np.zeros(2)
    w = np.empty(BLOCK_ROWS * _BLOCK)
    point = np.empty(_BLOCK, np.int64)
    filled = 0
    product = tx_m * rx_m
    warnings = 0

    for n in range(1, last + 1):
        if n >= 2:
            i = n - 1
            d_i = distance[i]
            s_i = (height_m[i] - z_tx) / d_i
            while size_tx >= 2:
                a = hull_tx[size_tx - 2]
                b = hull_tx[size_tx - 1]
                if (slope_tx[size_tx - 1] - slope_tx[size_tx - 2]) * (d_i - distance[a]) > (
                    s_i - slope_tx[size_tx - 2]
                ) * (distance[b] - distance[a]):
                    break
                size_tx -= 1
            hull_tx[size_tx] = i
            slope_tx[size_tx] = s_i
            size_tx += 1
            flat_i = y[i] - c_max * d_i * d_i
            while size_rx >= 2:
                a = hull_rx[size_rx - 2]
                b = hull_rx[size_rx - 1]
                if (flat_rx[size_rx - 1] - flat_rx[size_rx - 2]) * (d_i - distance[a]) > (
                    flat_i - flat_rx[size_rx - 2]
                ) * (distance[b] - distance[a]):
                    break
                size_rx -= 1
            hull_rx[size_rx] = i
            flat_rx[size_rx] = flat_i
            size_rx += 1

        if n < first:
            continue
        d = n * spacing_m
        n_s = n_s_of[n]
        a_e = 1.0 / curvature[n]
        if _fault(n_s, a_e) != 0:
            continue
        z_rx = height_m[n] + rx_m
        theta_tx = (z_rx - z_tx) / d - d / (2.0 * a_e)
        theta_rx = -(z_rx - z_tx) / d - d / (2.0 * a_e)
        hzn_tx = d
        hzn_rx = d

        if size_tx > 0:
            c = 0.5 * curvature[n]
            at_tx = min(at_tx, size_tx - 1)
            here = slope_tx[at_tx] - c * distance[hull_tx[at_tx]]
            moved = False
            while at_tx + 1 < size_tx:
                there = slope_tx[at_tx + 1] - c * distance[hull_tx[at_tx + 1]]
                if there <= here:
                    break
                here = there
                at_tx += 1
                moved = True
            while not moved and at_tx > 0:
                there = slope_tx[at_tx - 1] - c * distance[hull_tx[at_tx - 1]]
                if there < here:
                    break
                here = there
                at_tx -= 1
            i = hull_tx[at_tx]
            theta = (height_m[i] - z_tx) / distance[i] - distance[i] / (2.0 * a_e)
            if theta > theta_tx:
                theta_tx = theta
                hzn_tx = distance[i]

            # tangent from the receiver to the hull on the most curved Earth
            d_n = distance[n]
            flat_n = y[n] + rx_m - c_max * d_n * d_n
            at_rx = min(at_rx, size_rx - 1)
            moved = False
            while at_rx + 1 < size_rx:
                a = hull_rx[at_rx]
                b = hull_rx[at_rx + 1]
                if (flat_rx[at_rx + 1] - flat_n) * (d_n - distance[a]) <= (
                    flat_rx[at_rx] - flat_n
                ) * (d_n - distance[b]):
                    break
                at_rx += 1
                moved = True
            while not moved and at_rx > 0:
                a = hull_rx[at_rx - 1]
                b = hull_rx[at_rx]
                if (flat_rx[at_rx] - flat_n) * (d_n - distance[a]) > (
                    flat_rx[at_rx - 1] - flat_n
                ) * (d_n - distance[b]):
                    break
                at_rx -= 1
            # farther points gain (c_max - c) per metre on the flatter Earth
            excess = c_max - c
            best = -1e300
            best_i = 0
            t = at_rx
            while t >= 0:
                i = hull_rx[t]
                x = (n - i) * spacing_m
                theta = -(z_rx - height_m[i]) / x - x / (2.0 * a_e)
                if theta >= best:
                    best = theta
                    best_i = i
                if theta + excess * (d - x) < best:
                    break
                t -= 1
            if best > theta_rx:
                theta_rx = best
                hzn_rx = (n - best_i) * spacing_m
                if not exact_steps and _rounding_decides(
                    n, n - best_i, spacing_m, tx_m, rx_m, hzn_tx, hzn_rx
                ):
                    hzn_rx = _exact_horizon_rx(d, spacing_m, best_i)

        theta_tx, theta_rx, hzn_tx, hzn_rx, eff_tx, eff_rx, delta_h = _point_geometry(
            y, sum_y, sum_iy, n, spacing_m, tx_m, rx_m, a_e, theta_tx, theta_rx, hzn_tx, hzn_rx,
            samples, residuals, bits, keys, hint,
        )  # fmt: skip
        warnings |= _warnings(d, theta_tx, theta_rx, hzn_tx, hzn_rx, eff_tx, eff_rx, a_e, n_s)
        _put(w, filled, d, theta_tx + theta_rx, hzn_tx, hzn_rx, eff_tx, eff_rx, a_e, n_s, delta_h)
        point[filled] = n
        filled += 1
        if filled == _BLOCK:
            _flush(w, filled, point, frequencies, statistics, product, out)
            filled = 0
    if filled > 0:
        _flush(w, filled, point, frequencies, statistics, product, out)
    return warnings


@njit(cache=True, nogil=True, error_model="numpy")
def itm_block(
    frequencies: Floats,
    statistics: Floats,
    height_m: Floats,
    first: NDArray[np.int32],
    last: NDArray[np.int32],
    spacing_m: float,
    tx_m: float,
    rx_m: float,
    n0: float,
    shift_db: float,
    out: Singles,
) -> int:
    """Write the losses of several radials, one row each, with `shift_db` added; see `itm_radial`.

    `first` and `last` are the first and last point wanted on each radial; `out` has the shape
    (radials, frequencies, points).
    """
    bits = 0
    loss = np.empty((frequencies.shape[0], height_m.shape[1]))
    for r in range(height_m.shape[0]):
        count = last[r] + 1
        bits |= itm_radial(
            frequencies, statistics, height_m[r, :count], first[r], spacing_m, tx_m, rx_m, n0,
            loss[:, :count],
        )  # fmt: skip
        for f in range(frequencies.shape[0]):
            for i in range(count):
                out[r, f, i] = np.float32(loss[f, i] + shift_db)
        out[r, :, count:] = np.nan
    return bits
