"""Irregular Terrain Model (Longley-Rice): loops over one profile or one radial.

Symbols follow Hufford, "The ITS Irregular Terrain Model, version 1.2.2: the Algorithm"
(1995), cited as [Alg.]; the order of the floating point operations that decide an integer
(sample counts, window ends) follows NTIA's implementation 1.4, because a different rounding
there moves a window by one sample.

Everything that does not depend on the frequency is computed once per point
(`_point_geometry`, `_derive`), and `_attenuation` and `_variability` run once per frequency.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

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

_THIRD = 1.0 / 3.0
_MAX_SAMPLES = 245
MAX_POINTS = 500_000  # positions in a profile have 19 bits before the point, see _resample
_EARTH_M = 6370e3
# sums may be reordered there; NaN and infinity do not occur
_REORDER = {"reassoc", "nsz", "nnan", "ninf", "contract", "arcp"}


@njit(cache=True, nogil=True, inline="always")
def _effective_earth(n0: float, mean_height_m: float) -> tuple[float, float]:
    """Surface refractivity and the curvature of the effective Earth ([Alg.] 3.1, TN101 4.3-4.4)."""
    n_s = n0 * math.exp(-mean_height_m / 9460.0)
    return n_s, 157e-9 * (1.0 - 0.04665 * math.exp(n_s / 179.3))


@njit(cache=True, nogil=True, fastmath=_REORDER)
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


@njit(cache=True, nogil=True, fastmath=_REORDER)
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


@njit(cache=True, nogil=True, inline="always")
def _key(value: float) -> np.int32:
    """Return the key of a number."""
    b = np.float32(value).view(np.int32)
    return np.int32(b if b >= 0 else b ^ 0x7FFFFFFF)


@njit(cache=True, nogil=True, inline="always")
def _from_key(key: np.int32) -> float:
    """Return the number of a key."""
    b = np.int32(key if key >= 0 else key ^ 0x7FFFFFFF)
    return np.float64(b.view(np.float32))


_LOWEST = np.int32(-(2**31))
_HIGHEST = np.int32(2**31 - 1)


@njit(cache=True, nogil=True, fastmath=_REORDER)
def _count_above(keys: Keys, count: int, bound: np.int32) -> int:
    """Count the keys greater than `bound`."""
    total = np.float32(0.0)
    for j in range(count):
        total += np.float32(1.0) if keys[j] > bound else np.float32(0.0)
    return int(total)


@njit(cache=True, nogil=True)
def _next_below(keys: Keys, count: int, bound: np.int32) -> np.int32:
    """Return the largest key not above `bound`."""
    best = _LOWEST
    for j in range(count):
        candidate = keys[j] if keys[j] <= bound else _LOWEST
        best = max(best, candidate)
    return best


@njit(cache=True, nogil=True)
def _next_above(keys: Keys, count: int, bound: np.int32) -> np.int32:
    """Return the smallest key above `bound`."""
    best = _HIGHEST
    for j in range(count):
        candidate = keys[j] if keys[j] > bound else _HIGHEST
        best = min(best, candidate)
    return best


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True, inline="always")
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True, inline="always")
def _sigma_h(delta_h: float) -> float:
    """Rms terrain departure within the first Fresnel zone ([Alg.] 3.6a of ERL 79-ITS 67)."""
    return 0.78 * delta_h * math.exp(-0.5 * math.sqrt(math.sqrt(delta_h)))


@njit(cache=True, nogil=True)
def _derive(
    theta_tx: float,
    theta_rx: float,
    hzn_tx: float,
    hzn_rx: float,
    eff_tx: float,
    eff_rx: float,
    a_e: float,
    delta_h: float,
) -> tuple[float, float, float, float, float, float, float]:
    """Compute what the attenuation at any frequency needs of a point's geometry."""
    d_sml = math.sqrt(2.0 * eff_tx * a_e) + math.sqrt(2.0 * eff_rx * a_e)
    d_ml = hzn_tx + hzn_rx
    theta_los = -max(theta_tx + theta_rx, -d_ml / a_e)
    # C_0 of Vogler for the two terminals' own radii; a_j = d_Lj^2 / (2 h_ej)
    log_c_tx = math.log((4.0 / 3.0) * _EARTH_M * 2.0 * eff_tx / (hzn_tx * hzn_tx)) * _THIRD
    log_c_rx = math.log((4.0 / 3.0) * _EARTH_M * 2.0 * eff_rx / (hzn_rx * hzn_rx)) * _THIRD
    sigma_d = _sigma_h(delta_h * (1.0 - 0.8 * math.exp(-d_sml / 50e3)))
    a_e_23 = math.exp(2.0 * _THIRD * math.log(a_e))
    return d_sml, d_ml, theta_los, log_c_tx, log_c_rx, sigma_d, a_e_23


@njit(cache=True, nogil=True)
def _height_gain(x: float, k: int, log_k: float) -> float:
    """Height gain F(x, K) over a smooth Earth ([Alg.] 6.4-6.6)."""
    if x < 200.0:
        w = -log_k
        if k < 1e-5 or x * w * w * w > 5495.0:
            return 17.372 * math.log(x) - 117.0 if x > 1.0 else -117.0
        return 2.5e-5 * x * x / k - 8.686 * w - 15.0
    log_x = math.log(x)
    gain = 0.05751 * x - 4.343 * log_x
    if x < 2000.0:
        w = 0.0134 * x * math.exp(-0.005 * x)
        gain = (1.0 - w) * gain + w * (17.372 * log_x - 117.0)
    return gain


@njit(cache=True, nogil=True, inline="always")
def _diffraction(
    d: float,
    wave_number: float,
    k_1: float,
    f_cbrt: float,
    a_e: float,
    theta_los: float,
    hzn_tx: float,
    hzn_rx: float,
    d_ml: float,
    x_terminals: float,
    gains: float,
    root: float,
    delta_h: float,
    clutter: float,
) -> float:
    """Diffraction attenuation at distance d, far beyond the horizons ([Alg.] 4.9-4.20)."""
    theta_nlos = d / a_e - theta_los
    d_nlos = d - d_ml
    # two knife edges
    common = 0.0795775 * wave_number * theta_nlos * theta_nlos * d_nlos
    v_tx = common * hzn_tx / (d_nlos + hzn_tx)
    v_rx = common * hzn_rx / (d_nlos + hzn_rx)
    edge = 0.0
    product = 1.0
    if v_tx < 5.76:
        edge += 6.02 + 9.11 * math.sqrt(v_tx) - 1.27 * v_tx
    else:
        edge += 12.953
        product = v_tx
    if v_rx < 5.76:
        edge += 6.02 + 9.11 * math.sqrt(v_rx) - 1.27 * v_rx
    else:
        edge += 12.953
        product *= v_rx
    if product != 1.0:
        edge += 10.0 * math.log10(product)
    # rounded Earth (Vogler, three radii)
    radius = d_nlos / theta_nlos
    c_0 = ((4.0 / 3.0) * _EARTH_M / radius) ** _THIRD
    x = (1.607 - k_1 * c_0) * c_0 * c_0 * f_cbrt * (d_nlos / 1000.0) + x_terminals
    if x <= 0.0:
        return math.nan
    smooth = 0.05751 * x - 10.0 * math.log10(x) - gains - 20.0
    # weight between them
    roughness = delta_h * (1.0 - 0.8 * math.exp(-d / 50e3))
    q = (root + (-theta_los * a_e + d_ml) / d) * min(roughness * wave_number, 6283.2)
    w = 25.1 / (25.1 + math.sqrt(q))
    return w * smooth + (1.0 - w) * edge + clutter


@njit(cache=True, nogil=True)
def _line_of_sight(
    d: float,
    eff_tx: float,
    eff_rx: float,
    wave_number: float,
    z_re: float,
    z_im: float,
    delta_h: float,
    slope: float,
    intercept: float,
    w: float,
) -> float:
    """Attenuation inside the horizon: two rays mixed with diffraction ([Alg.] 4.43-4.50)."""
    sigma = _sigma_h(delta_h * (1.0 - 0.8 * math.exp(-d / 50e3)))
    height = eff_tx + eff_rx
    sin_psi = height / math.sqrt(d * d + height * height)
    # reflection coefficient (sin psi - Z) / (sin psi + Z), reduced by the roughness
    re_a = sin_psi - z_re
    re_b = sin_psi + z_re
    scale = math.exp(-min(10.0, wave_number * sigma * sin_psi)) / (re_b * re_b + z_im * z_im)
    r_re = (re_a * re_b - z_im * z_im) * scale
    r_im = -z_im * (re_a + re_b) * scale
    q = r_re * r_re + r_im * r_im
    if q < 0.25 or q < sin_psi:
        scale = math.sqrt(sin_psi / q)
        r_re *= scale
        r_im *= scale
    phase = wave_number * 2.0 * eff_tx * eff_rx / d
    if phase > 0.5 * math.pi:
        phase = math.pi - (0.5 * math.pi) ** 2 / phase
    re = math.cos(phase) + r_re
    im = r_im - math.sin(phase)
    two_ray = -10.0 * math.log10(re * re + im * im)
    return w * two_ray + (1.0 - w) * (slope * d + intercept)


# [Alg.] 6.13: curves of H_01
_H_A = np.array([25.0, 80.0, 177.0, 395.0, 705.0])
_H_B = np.array([24.0, 45.0, 68.0, 80.0, 105.0])


@njit(cache=True, nogil=True)
def _h0_curve(j: int, r: float) -> float:
    """Return one of the tabulated curves of H_01."""
    inverse = 1.0 / (r * r)
    return 10.0 * math.log10(1.0 + _H_A[j] * inverse * inverse + _H_B[j] * inverse)


@njit(cache=True, nogil=True)
def _h0(r: float, eta_s: float) -> float:
    """Troposcatter frequency gain function between its tabulated curves."""
    eta_s = min(max(eta_s, 1.0), 5.0)
    i = int(eta_s)
    q = eta_s - i
    result = _h0_curve(i - 1, r)
    if q != 0.0:
        result = (1.0 - q) * result + q * _h0_curve(i, r)
    return result


@njit(cache=True, nogil=True)
def _troposcatter(
    d: float,
    theta_tx: float,
    theta_rx: float,
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
        theta = theta_tx + theta_rx + d / a_e
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


@njit(cache=True, nogil=True)
def _attenuation(
    frequency: Floats,
    d: float,
    log_d: float,
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
    d_sml: float,
    d_ml: float,
    theta_los: float,
    log_c_tx: float,
    log_c_rx: float,
    sigma_d: float,
    a_e_23: float,
) -> tuple[float, int]:
    """Return the reference attenuation and the mode of propagation ([Alg.] 4.1-4.8)."""
    f_mhz = frequency[F_MHZ]
    wave_number = frequency[F_WAVE_NUMBER]
    z_re = frequency[F_Z_RE]
    z_im = frequency[F_Z_IM]
    f_cbrt = frequency[F_CBRT]
    k_1 = frequency[F_K]

    # distance-free parts of the diffraction attenuation
    c_tx = math.exp(log_c_tx)
    c_rx = math.exp(log_c_rx)
    k_tx = k_1 * c_tx
    k_rx = k_1 * c_rx
    x_tx = (1.607 - k_tx) * c_tx * c_tx * f_cbrt * (hzn_tx / 1000.0)
    x_rx = (1.607 - k_rx) * c_rx * c_rx * f_cbrt * (hzn_rx / 1000.0)
    gains = _height_gain(x_tx, k_tx, frequency[F_LOG_K] + log_c_tx) + _height_gain(
        x_rx, k_rx, frequency[F_LOG_K] + log_c_rx
    )
    clutter_ratio = 1.0 + 1e-5 * tx_m * rx_m * f_mhz * sigma_d
    clutter = 15.0 if clutter_ratio >= 1000.0 else 5.0 * math.log10(clutter_ratio)
    product = tx_m * rx_m
    root = math.sqrt(1.0 + (eff_tx * eff_rx - product) / (product + low_antenna))

    # the diffraction line through two points far beyond the horizons
    reach = a_e_23 / f_cbrt
    d_3 = max(d_sml, d_ml + 5.0 * reach)
    d_4 = d_3 + 10.0 * reach
    a_3 = _diffraction(
        d_3, wave_number, k_1, f_cbrt, a_e, theta_los, hzn_tx, hzn_rx, d_ml, x_tx + x_rx,
        gains, root, delta_h, clutter,
    )  # fmt: skip
    a_4 = _diffraction(
        d_4, wave_number, k_1, f_cbrt, a_e, theta_los, hzn_tx, hzn_rx, d_ml, x_tx + x_rx,
        gains, root, delta_h, clutter,
    )  # fmt: skip
    slope = (a_4 - a_3) / (d_4 - d_3)
    intercept = a_3 - slope * d_3

    if d >= d_sml:
        # Diffraction up to d_x, troposcatter beyond: the second line matters only past the
        # least value that d_x can take.
        if d <= max(d_sml, d_ml + 1.088 * reach * frequency[F_LOG]):
            return max(slope * d + intercept, 0.0), DIFFRACTION
        d_5 = d_ml + 200e3
        a_6, h0 = _troposcatter(
            d_ml + 400e3, theta_tx, theta_rx, hzn_tx, hzn_rx, eff_tx, eff_rx, a_e, n_s,
            wave_number, theta_los, -1.0,
        )  # fmt: skip
        a_5, h0 = _troposcatter(
            d_5, theta_tx, theta_rx, hzn_tx, hzn_rx, eff_tx, eff_rx, a_e, n_s,
            wave_number, theta_los, h0,
        )  # fmt: skip
        if a_5 < 1000.0:
            slope_s = (a_6 - a_5) / 200e3
            d_x = max(
                max(d_sml, d_ml + 1.088 * reach * frequency[F_LOG]),
                (a_5 - intercept - slope_s * d_5) / (slope - slope_s),
            )
            if d > d_x:
                return max(slope_s * d + (slope - slope_s) * d_x + intercept, 0.0), TROPOSCATTER
        elif d > 10e6:
            return max(slope * d + intercept, 0.0), TROPOSCATTER
        return max(slope * d + intercept, 0.0), DIFFRACTION

    a_sml = d_sml * slope + intercept
    d_0 = 0.04 * f_mhz * eff_tx * eff_rx
    if intercept >= 0.0:
        d_0 = min(d_0, 0.5 * d_ml)
        d_1 = d_0 + 0.25 * (d_ml - d_0)
    else:
        d_1 = max(-intercept / slope, 0.25 * d_ml)
    w = 1.0 / (1.0 + f_mhz * delta_h / max(10e3, d_sml))
    a_1 = _line_of_sight(d_1, eff_tx, eff_rx, wave_number, z_re, z_im, delta_h, slope, intercept, w)
    found = False
    k_hat_1 = 0.0
    k_hat_2 = 0.0
    if d_0 < d_1:
        a_0 = _line_of_sight(
            d_0, eff_tx, eff_rx, wave_number, z_re, z_im, delta_h, slope, intercept, w
        )
        q = math.log(d_sml / d_0)
        beyond = d_sml - d_0
        k_hat_2 = max(
            0.0,
            (beyond * (a_1 - a_0) - (d_1 - d_0) * (a_sml - a_0))
            / (beyond * math.log(d_1 / d_0) - (d_1 - d_0) * q),
        )
        found = intercept > 0.0 or k_hat_2 > 0.0
        if found:
            k_hat_1 = (a_sml - a_0 - k_hat_2 * q) / beyond
            if k_hat_1 < 0.0:
                k_hat_1 = 0.0
                k_hat_2 = max(a_sml - a_0, 0.0) / q
                if k_hat_2 == 0.0:
                    k_hat_1 = slope
    if not found:
        k_hat_1 = max(a_sml - a_1, 0.0) / (d_sml - d_1)
        k_hat_2 = 0.0
        if k_hat_1 == 0.0:
            k_hat_1 = slope
    a_ref = a_sml - k_hat_1 * (d_sml - d)
    if k_hat_2 != 0.0:
        a_ref += k_hat_2 * (log_d - math.log(d_sml))
    return max(a_ref, 0.0), LINE_OF_SIGHT


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True, inline="always")
def _fault(n_s: float, a_e: float) -> int:
    """Return why the geometry is outside the model, or 0."""
    if n_s < 150.0:
        return FAULT_N_S_SMALL
    if n_s > 400.0:
        return FAULT_N_S_LARGE
    if a_e < 4000000.0 or a_e > 13333333.0:
        return FAULT_EFFECTIVE_EARTH
    return 0


@njit(cache=True, nogil=True, inline="always")
def _curve(statistics: Floats, first: int, d_e: float) -> float:
    """Climate curve over the effective distance ([Alg.] 5.4-5.6, TN101 III.69)."""
    t = (d_e - statistics[first + 3]) / statistics[first + 4]
    u = d_e / statistics[first + 2]
    u = u * u
    return (statistics[first] + statistics[first + 1] / (1.0 + t * t)) * u / (1.0 + u)


@njit(cache=True, nogil=True)
def _variability(
    frequency: Floats,
    statistics: Floats,
    d: float,
    decay_d: float,
    eff_tx: float,
    eff_rx: float,
    delta_h: float,
    a_ref: float,
) -> float:
    """Attenuation relative to free space exceeded as the statistics ask ([Alg.] section 5)."""
    wave_number = frequency[F_WAVE_NUMBER]
    z_t = statistics[V_Z_T]
    z_l = statistics[V_Z_L]
    z_s = statistics[V_Z_S]
    mode = int(statistics[V_MODE])
    d_ex = math.sqrt(18e6 * eff_tx) + math.sqrt(18e6 * eff_rx) + frequency[F_D_EX]
    d_e = 130e3 * d / d_ex if d < d_ex else 130e3 + d - d_ex

    sigma_s = 0.0
    if statistics[V_NO_SITUATION] == 0.0:
        sigma_s = 5.0 + 3.0 * math.exp(-d_e / 100e3)
    sigma_l = 0.0
    if statistics[V_NO_LOCATION] == 0.0:
        rough = wave_number * delta_h * (1.0 - 0.8 * decay_d)
        sigma_l = 10.0 * rough / (rough + 13.0)
    y_l = sigma_l * z_l

    if z_t < 0.0:
        sigma_t = _curve(statistics, V_MINUS, d_e) * frequency[F_G_MINUS]
    else:
        sigma_t = _curve(statistics, V_PLUS, d_e) * frequency[F_G_PLUS]
        if z_t > statistics[V_Z_D]:
            sigma_td = statistics[V_C_D] * sigma_t
            sigma_t = sigma_td + (sigma_t - sigma_td) * statistics[V_Z_D] / z_t
    y_t = sigma_t * z_t

    z_s_2 = z_s * z_s
    rest = sigma_s * sigma_s + y_t * y_t / (7.8 + z_s_2) + y_l * y_l / (24.0 + z_s_2)
    if mode == 0:
        y_r = 0.0
        rest += sigma_t * sigma_t + sigma_l * sigma_l
    elif mode == 1:
        y_r = y_t
        rest += sigma_l * sigma_l
    elif mode == 2:
        y_r = math.sqrt(sigma_t * sigma_t + sigma_l * sigma_l) * z_t
    else:
        y_r = y_t + y_l
    result = a_ref - _curve(statistics, V_MEDIAN, d_e) - y_r - math.sqrt(rest) * z_s
    if result < 0.0:
        result = result * (29.0 - result) / (29.0 - 10.0 * result)
    return result


@njit(cache=True, nogil=True)
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
    d_sml, d_ml, theta_los, log_c_tx, log_c_rx, sigma_d, a_e_23 = _derive(
        theta_tx, theta_rx, hzn_tx, hzn_rx, eff_tx, eff_rx, a_e, delta_h
    )
    a_ref, mode = _attenuation(
        frequency, d, math.log(d), tx_m, rx_m, low_antenna, theta_tx, theta_rx, hzn_tx, hzn_rx,
        eff_tx, eff_rx, a_e, n_s, delta_h, d_sml, d_ml, theta_los, log_c_tx, log_c_rx, sigma_d,
        a_e_23,
    )  # fmt: skip
    out[R_A_REF] = a_ref
    out[R_MODE] = mode
    out[R_FREE_SPACE] = frequency[F_FREE_SPACE] + 20.0 * math.log10(d / 1000.0)
    out[R_LOSS] = out[R_FREE_SPACE] + _variability(
        frequency, statistics, d, math.exp(-d / 50e3), eff_tx, eff_rx, delta_h, a_ref
    )
    if math.isnan(out[R_LOSS]):
        out[R_FAULT] = FAULT_STEEP


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def _exact_horizon_rx(d: float, spacing_m: float, steps: int) -> float:
    """Return the receiver's distance to a point, by the repeated subtraction of `itm_path`."""
    for _ in range(steps):
        d -= spacing_m
    return d


@njit(cache=True, nogil=True, inline="always")
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


@njit(cache=True, nogil=True)
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
        d_sml, d_ml, theta_los, log_c_tx, log_c_rx, sigma_d, a_e_23 = _derive(
            theta_tx, theta_rx, hzn_tx, hzn_rx, eff_tx, eff_rx, a_e, delta_h
        )
        log_d = math.log(d)
        spreading = 20.0 / math.log(10.0) * (log_d - math.log(1000.0))
        decay_d = math.exp(-d / 50e3)
        for f in range(frequencies.shape[0]):
            a_ref, _ = _attenuation(
                frequencies[f], d, log_d, tx_m, rx_m, 10.0, theta_tx, theta_rx, hzn_tx, hzn_rx,
                eff_tx, eff_rx, a_e, n_s, delta_h, d_sml, d_ml, theta_los, log_c_tx, log_c_rx,
                sigma_d, a_e_23,
            )  # fmt: skip
            out[f, n] = (
                frequencies[f, F_FREE_SPACE]
                + spreading
                + _variability(
                    frequencies[f], statistics, d, decay_d, eff_tx, eff_rx, delta_h, a_ref
                )
            )
    return warnings


@njit(cache=True, nogil=True)
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
