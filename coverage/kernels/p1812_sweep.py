"""Compiled area sweep of ITU-R P.1812: the loss at every point of a radial.

A radial is a profile of constant step from the mast; point n stands for the
path from the mast to that point, whose profile is points 0..n. Every quantity
of the Recommendation that needs a look at the whole profile is kept up to date
while walking outwards:

- With heights flattened by the Earth's curvature, y_i = g_i - 500 Ce d_i^2,
  the steepest slope seen from the mast is a running maximum, and the steepest
  slope seen from the receiver is the tangent to the upper hull of the points
  before it (a stack, amortised constant time to extend, logarithmic to query).
- The smooth surface is prefix sums; the obstruction heights are queries of the
  hull of the bare terrain.
- On the smooth Earth the point of largest nu solves the cubic of the
  reflection point, so that the profile of zero height needs no scan.
- The largest nu of a line-of-sight path does not come from a hull. It is a
  minimum over the earlier points, written so that it vectorises, that skips
  blocks of points which a line above them shows to be clear enough.

All of this is free of frequency and done once. What depends on frequency is
arithmetic on arrays, with elementary functions written out so that the
compiler vectorises them. The ducting term is computed only where a lower bound
of it does not already show that it leaves the result as it is.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from coverage.kernels import p1812 as path

Array = NDArray[np.float64]

# No reordering for infinities and NaN: they mark values that do not exist.
_FAST = {"nnan", "nsz", "reassoc", "contract", "arcp"}
_LOG10_2 = 0.30102999566398120
_LOG2_10 = 3.3219280948873623
_LOG2_E = 1.4426950408889634
_LN_2 = 0.6931471805599453
_BLOCK = 32
_BLOCK_F = 32.0
_BIG = np.int64(0x7FEFFFFFFFFFFFFF)
_SQRT_HALF_BITS = np.int64(0x3FE6A09E667F3BCD)


@njit(inline="always")
def _log2(x):  # type: ignore[no-untyped-def]
    """Return the base 2 logarithm of a positive normal number, to 1e-9."""
    bits = np.float64(x).view(np.int64)
    exponent = (bits - _SQRT_HALF_BITS) >> 52
    mantissa = np.int64(bits - (exponent << 52)).view(np.float64)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    z = s * s
    series = 2.8853900817779268 + z * (
        0.9617966939259756
        + z
        * (
            0.5770780163555854
            + z * (0.4121985831111324 + z * (0.3205988979753252 + z * 0.2623081892525388))
        )
    )
    return np.float64(exponent) + s * series


@njit(inline="always")
def _log10(x):  # type: ignore[no-untyped-def]
    return _LOG10_2 * _log2(x)


@njit(inline="always")
def _exp2(x):  # type: ignore[no-untyped-def]
    """2 to the power x, relative error 1e-7; limited to what a double can hold."""
    x = min(max(x, -1000.0), 1000.0)
    whole = math.floor(x + 0.5)
    r = x - whole
    series = 1.0 + r * (
        0.6931471805599453
        + r
        * (
            0.2402265069591007
            + r
            * (
                0.0555041086648216
                + r
                * (
                    0.009618129107628477
                    + r
                    * (
                        0.0013333558146428443
                        + r * (0.00015403530393381608 + r * 1.5252733804059841e-05)
                    )
                )
            )
        )
    )
    return series * np.int64((np.int64(whole) + 1023) << 52).view(np.float64)


@njit(inline="always")
def _atan(x):  # type: ignore[no-untyped-def]
    """Arc tangent to 1e-9."""
    t = abs(x)
    steep = t > 1.0
    t = 1.0 / t if steep else t
    half = t > 0.4142135623730950
    t = (t - 1.0) / (t + 1.0) if half else t
    z = t * t
    a = t * (
        1.0
        + z
        * (
            -1.0 / 3.0
            + z
            * (
                1.0 / 5.0
                + z
                * (
                    -1.0 / 7.0
                    + z
                    * (
                        1.0 / 9.0
                        + z * (-1.0 / 11.0 + z * (1.0 / 13.0 + z * (-1.0 / 15.0 + z / 17.0)))
                    )
                )
            )
        )
    )
    a = a + math.pi / 4.0 if half else a
    a = math.pi / 2.0 - a if steep else a
    return -a if x < 0.0 else a


@njit(inline="always")
def _bullington_db(nu, distance_term):  # type: ignore[no-untyped-def]
    """Knife-edge loss of nu with Bullington's addition."""
    v = nu - 0.1
    # Below -0.78 the root's argument may cancel to 0; it is not used there.
    edge = 6.9 + 20.0 * _log10(max(math.sqrt(v * v + 1.0) + v, 1e-6))
    edge = edge if nu > -0.78 else 0.0
    return edge + (1.0 - _exp2(edge * -0.24044917348149390)) * distance_term


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _least_clearance(y: Array, near: Array, far: Array, chord: float, slope: float) -> float:
    """Return the least clearance under a chord, in units of the Fresnel radius.

    Positive doubles sort like the integers with the same bits, and a minimum
    of integers vectorises where one of doubles does not.
    """
    least = _BIG
    for i in range(y.size):
        value = abs(chord + slope * i - y[i]) * near[i] * far[i]
        least = min(least, np.float64(value).view(np.int64))
    return np.int64(least).view(np.float64)


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _block_bounds(
    count: int,
    n: int,
    hts: float,
    slope: float,
    top: Array,
    tilt: Array,
    out: Array,
) -> None:
    """Write, for every whole block, what the square of its least clearance is at least.

    The points of block b lie below the line that starts at `top` and rises by
    `tilt` a step; the Fresnel radius in it is below that of the product of
    its largest distances to both ends.
    """
    for b in range(count):
        start = b * _BLOCK_F + 1.0
        first = hts + slope * start - top[b]
        last = first + (slope - tilt[b]) * (_BLOCK_F - 1.0)
        c = max(min(first, last), 0.0)
        out[b] = c * c / ((start + _BLOCK_F - 1.0) * (n - start))


@njit(cache=True, nogil=True, error_model="numpy")
def _close_block(y: Array, b: int, top: Array, tilt: Array) -> None:
    """Fit the line above block b."""
    start = b * _BLOCK + 1
    slope = (y[start + _BLOCK - 1] - y[start]) / (_BLOCK - 1)
    highest = y[start]
    for i in range(_BLOCK):
        highest = max(highest, y[start + i] - slope * i)
    top[b] = highest
    tilt[b] = slope


@njit(cache=True, nogil=True, error_model="numpy")
def _clearance_index(
    y: Array, near: Array, far: Array, n: int, hts: float, yr: float, offset: int
) -> int:
    """Return the first point of the least clearance under the chord from 0 to n."""
    slope = (yr - hts) / n
    best = math.inf
    best_i = 1
    for i in range(1, n):
        value = (hts + slope * i - y[i]) * near[i] * far[offset - n + i]
        if value < best:
            best = value
            best_i = i
    return best_i


@njit(cache=True, nogil=True, error_model="numpy")
def _tangent(hx: Array, hy: Array, hm: Array, top: int, x: float, y: float) -> int:
    """Return the place in the hull where a line from (x, y), right of it, touches.

    Vertex k is beyond the tangent point while the edge before it, prolonged
    to x, passes below y. That holds for all later vertices once it holds.
    """
    k = top
    step = 1
    # Gallop from the near end: the tangent point is often near.
    while k > 0:
        probe = max(k - step, 0) + 1
        if hy[probe] + hm[probe] * (x - hx[probe]) < y:
            k = probe - 1
            step *= 2
        else:
            low = probe
            high = k
            while low < high:
                middle = (low + high + 1) // 2
                if hy[middle] + hm[middle] * (x - hx[middle]) < y:
                    high = middle - 1
                else:
                    low = middle
            return low
    return 0


@njit(cache=True, nogil=True, error_model="numpy")
def _highest(hm: Array, top: int, slope: float) -> int:
    """Return the place in the hull that stands highest above a line of this slope."""
    low = 0
    high = top
    while low < high:
        middle = (low + high + 1) // 2
        if hm[middle] > slope:
            low = middle
        else:
            high = middle - 1
    return low


@njit(inline="always")
def _push(hx, hy, hm, top, x, y):  # type: ignore[no-untyped-def]
    """Add a point to the right of an upper hull; return its new last place."""
    while top >= 1 and (y - hy[top]) >= hm[top] * (x - hx[top]):
        top -= 1
    m = 0.0
    if top >= 0:
        m = (y - hy[top]) / (x - hx[top])
    top += 1
    hx[top] = x
    hy[top] = y
    hm[top] = m
    return top


@njit(cache=True, nogil=True, error_model="numpy")
def _horizons(
    y: Array,
    yr: Array,
    first: int,
    last: int,
    hts: float,
    near: Array,
    far: Array,
    want_nu: bool,
    clear_enough: float,
    hx: Array,
    hy: Array,
    hm: Array,
    block_top: Array,
    block_tilt: Array,
    block_bound: Array,
    slope_t: Array,
    slope_r: Array,
    index_t: NDArray[np.int32],
    index_r: NDArray[np.int32],
    clearance: Array,
) -> None:
    """Write the steepest slopes from both ends of every path, per step.

    For a path in line of sight `index_r` is 0 and, if wanted, `clearance` the
    least clearance; otherwise `clearance` is -1. Clearances from
    `clear_enough` over the root of the number of steps cost nothing at any
    frequency: larger ones are not told apart.
    """
    best = -math.inf
    best_i = 1
    top = -1
    blocks = 0
    offset = far.size
    for n in range(2, last + 1):
        i = n - 1
        s = (y[i] - hts) / i
        if s > best:
            best = s
            best_i = i
        top = _push(hx, hy, hm, top, float(i), y[i])
        if want_nu and i % _BLOCK == 0:
            _close_block(y, blocks, block_top, block_tilt)
            blocks += 1
        if n < first:
            continue
        slope_t[n] = best
        index_t[n] = best_i
        chord = (yr[n] - hts) / n
        if best < chord:
            index_r[n] = 0
            slope_r[n] = -chord
            clearance[n] = 0.0
            if want_nu:
                least = clear_enough / math.sqrt(n)
                start = blocks * _BLOCK + 1
                shift = offset - n
                if start < n:
                    least = min(
                        least,
                        _least_clearance(
                            y[start:n],
                            near[start:n],
                            far[shift + start : offset],
                            hts + chord * start,
                            chord,
                        ),
                    )
                _block_bounds(blocks, n, hts, chord, block_top, block_tilt, block_bound)
                # From the receiver inwards: its surroundings hold the minimum most often.
                for b in range(blocks - 1, -1, -1):
                    if block_bound[b] < least * least:
                        start = b * _BLOCK + 1
                        stop = start + _BLOCK
                        least = min(
                            least,
                            _least_clearance(
                                y[start:stop],
                                near[start:stop],
                                far[shift + start : shift + stop],
                                hts + chord * start,
                                chord,
                            ),
                        )
                clearance[n] = least
        else:
            k = _tangent(hx, hy, hm, top, float(n), yr[n])
            index_r[n] = np.int32(hx[k])
            slope_r[n] = (hy[k] - yr[n]) / (n - hx[k])
            clearance[n] = -1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _surfaces(
    h: Array,
    first: int,
    last: int,
    htg: float,
    hrg: float,
    hx: Array,
    hy: Array,
    hm: Array,
    hst: Array,
    hsr: Array,
    hted: Array,
    hred: Array,
) -> None:
    """Write the smooth surface of every path and the heights above it for diffraction.

    Attachment 1 to Annex 1, section 5.6, equations in units of one step.
    """
    hts = h[0] + htg
    v1 = h[0] + h[1]
    v2 = 2.0 * h[1] + h[0]
    best = -math.inf
    top = -1
    for n in range(2, last + 1):
        i = n - 1
        v1 += h[n] + h[i]
        v2 += h[n] * (3.0 * n - 1.0) + h[i] * (3.0 * n - 2.0)
        best = max(best, (h[i] - hts) / i)
        top = _push(hx, hy, hm, top, float(i), h[i])
        if n < first:
            continue
        st = (2.0 * v1 * n - v2) / (n * n)
        sr = (v2 - v1 * n) / (n * n)
        hst[n] = st
        hsr[n] = sr
        hrs = h[n] + hrg
        slope = (hrs - hts) / n
        if best > slope:
            k = _highest(hm, top, slope)
            h_obs = hy[k] - hts - slope * hx[k]
            k = _tangent(hx, hy, hm, top, float(n), hrs)
            alpha_r = (hy[k] - hrs) / (n - hx[k]) + slope
            alpha_t = best - slope
            st -= h_obs * alpha_t / (alpha_t + alpha_r)
            sr -= h_obs * alpha_r / (alpha_t + alpha_r)
        hted[n] = hts - min(st, h[0])
        hred[n] = hrs - min(sr, h[n])


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _edge_numbers(
    first: int,
    last: int,
    step: float,
    ap: float,
    hts: float,
    yr: Array,
    slope_t: Array,
    slope_r: Array,
    clearance: Array,
    nu: Array,
) -> None:
    """Write nu times the square root of the wavelength for the actual profile."""
    bend = 500.0 / ap * step * step
    for n in range(first, last + 1):
        chord = (yr[n] - hts) / n
        rise = slope_t[n] - chord
        stim = slope_t[n] + bend * n
        srim = slope_r[n] - bend * n
        # Distances in steps from here.
        total = max(stim + srim, 1e-12)
        str_true = chord + bend * n
        point = (str_true + srim) * n / total
        point = min(max(point, 1e-9 * n), (1.0 - 1e-9) * n)
        blocked = rise * math.sqrt(0.002 / step * n * point / (n - point))
        clear = -clearance[n] * math.sqrt(0.002 / step * n)
        nu[n] = blocked if clearance[n] < 0.0 else clear


@njit(inline="always")
def _newton(q, m, c):  # type: ignore[no-untyped-def]
    return q - (m * q * q * q - (m + 1.0) * q + c) / (3.0 * m * q * q - (m + 1.0))


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _reflection_point(
    first: int, last: int, step: float, ap: float, hted: Array, hred: Array, place: Array
) -> None:
    """Write the distance of the reflection point on the smooth Earth, section 4.3.2.

    The cubic m q^3 - (m + 1) q + c = 0 by Newton's method from its near side.
    """
    bend = 500.0 / ap
    for n in range(first, last + 1):
        d = n * step
        total = hted[n] + hred[n]
        c = (hted[n] - hred[n]) / total
        m = 0.5 * bend * d * d / total
        q = _newton(_newton(_newton(c / (m + 1.0), m, c), m, c), m, c)
        q = _newton(_newton(_newton(_newton(q, m, c), m, c), m, c), m, c)
        place[n] = 0.5 * d * (1.0 + q)


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _smooth_numbers(
    first: int,
    last: int,
    step: float,
    ap: float,
    hted: Array,
    hred: Array,
    place: Array,
    nu: Array,
) -> None:
    """Write nu times the square root of the wavelength for the profile of zero height.

    The best of its points is beside the exact place of the continuous curve.
    """
    bend = 500.0 / ap
    scale = 1.0 / (math.sqrt(bend) * step)
    for n in range(first, last + 1):
        a = hted[n]
        b = hred[n]
        d = n * step
        chord = (b - a) / d
        before = min(max(math.floor(math.sqrt(a) * scale) * 1.0, 1.0), n - 1.0)
        x1 = before * step
        x2 = min(before + 1.0, n - 1.0) * step
        stim = bend * d - min(bend * x1 + a / x1, bend * x2 + a / x2)
        before = min(max(math.floor(math.sqrt(b) * scale) * 1.0, 1.0), n - 1.0)
        x1 = before * step
        x2 = min(before + 1.0, n - 1.0) * step
        srim = bend * d - min(bend * x1 + b / x1, bend * x2 + b / x2)
        before = min(max(math.floor(place[n] / step) * 1.0, 1.0), n - 1.0)
        x1 = before * step
        x2 = min(before + 1.0, n - 1.0) * step
        w1 = x1 * (d - x1)
        w2 = x2 * (d - x2)
        c1 = (bend * w1 - a - chord * x1) / math.sqrt(w1)
        c2 = (bend * w2 - a - chord * x2) / math.sqrt(w2)
        clear = max(c1, c2) * math.sqrt(0.002 * d)
        total = max(stim + srim, 1e-12)
        point = min(max((b - a + srim * d) / total, 1e-9 * d), (1.0 - 1e-9) * d)
        blocked = (stim - chord) * math.sqrt(0.002 * d * point / (d - point))
        nu[n] = clear if stim < chord else blocked


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _smooth_clearance(
    first: int,
    last: int,
    step: float,
    ap: float,
    hted: Array,
    hred: Array,
    place: Array,
    ratio: Array,
) -> None:
    """Write hse/hreq times the square root of the wavelength; 0 beyond the horizon."""
    bend = 500.0 / ap
    for n in range(first, last + 1):
        d = n * step
        horizon = math.sqrt(0.002 * ap) * (math.sqrt(hted[n]) + math.sqrt(hred[n]))
        near = place[n]
        rest = d - near
        hse = ((hted[n] - bend * near * near) * rest + (hred[n] - bend * rest * rest) * near) / d
        inside = hse / (17.456 * math.sqrt(max(near * rest / d, 1e-12)))
        ratio[n] = 0.0 if d >= horizon else inside


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _log_radius(
    first: int, last: int, step: float, ap: float, hted: Array, hred: Array, log_a3: Array
) -> None:
    """Write the base 2 logarithm of the first term's radius to the power -1/3."""
    log_ap = _log2(ap)
    for n in range(first, last + 1):
        d = n * step
        roots = math.sqrt(hted[n]) + math.sqrt(hred[n])
        aem = _log2(500.0 * d * d / (roots * roots))
        log_a3[n] = (log_ap if d >= math.sqrt(0.002 * ap) * roots else aem) * (-1.0 / 3.0)


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _first_terms(
    first: int,
    last: int,
    step: float,
    f: float,
    epsilon: float,
    sigma: float,
    vertical: bool,
    hted: Array,
    hred: Array,
    log_a3: Array,
    out: Array,
) -> None:
    """Write the first-term spherical-Earth loss of every path over one kind of ground."""
    conductivity = (18.0 * sigma / f) ** 2
    kf = 0.036 * f ** (-1.0 / 3.0) * ((epsilon - 1.0) ** 2 + conductivity) ** -0.25
    if vertical:
        kf *= math.sqrt(epsilon**2 + conductivity)
    floor_f = 2.0 + 20.0 * math.log10(kf)
    xf = 21.88 * f ** (1.0 / 3.0) * step
    yf = 0.9575 * f ** (2.0 / 3.0)
    for n in range(first, last + 1):
        a3 = _exp2(log_a3[n])
        k = kf * a3
        k2 = k * k
        k4 = k2 * k2
        beta = (1.0 + 1.6 * k2 + 0.67 * k4) / (1.0 + 4.5 * k2 + 1.53 * k4)
        x = xf * beta * a3 * a3 * n
        log2_x = _log2(x)
        far = 11.0 + 10.0 * _LOG10_2 * log2_x - 17.6 * x
        near = -20.0 * _LOG10_2 * log2_x - 5.6488 * _exp2(1.425 * log2_x)
        fx = far if x >= 1.6 else near
        floor = floor_f + 20.0 * _LOG10_2 * log_a3[n]
        bf = beta * beta * yf * a3
        b = bf * hted[n]
        high = b > 2.0
        r = max(b - 1.1, 1e-9)
        log_b = _log10(r if high else b + 0.1 * b * b * b)
        gt = 17.6 * math.sqrt(r) - 5.0 * log_b - 8.0 if high else 20.0 * log_b
        b = bf * hred[n]
        high = b > 2.0
        r = max(b - 1.1, 1e-9)
        log_b = _log10(r if high else b + 0.1 * b * b * b)
        gr = 17.6 * math.sqrt(r) - 5.0 * log_b - 8.0 if high else 20.0 * log_b
        out[n] = -fx - max(gt, floor) - max(gr, floor)


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _delta_bullington(
    first: int,
    last: int,
    step: float,
    f: float,
    nu: Array,
    nu_smooth: Array,
    ratio: Array,
    residue: Array,
    out: Array,
) -> None:
    """Write the diffraction loss of every path."""
    per_root = 1.0 / math.sqrt(path.WAVELENGTH_AT_1_GHZ_M / f)
    for n in range(first, last + 1):
        term = 10.0 + 0.02 * step * n
        actual = _bullington_db(nu[n] * per_root, term)
        smooth = _bullington_db(nu_smooth[n] * per_root, term)
        sphere = max(1.0 - ratio[n] * per_root, 0.0) * max(residue[n], 0.0)
        out[n] = actual + max(sphere - smooth, 0.0)


# From here to `_combine` a function writes one array: the compiler gives up
# vectorising when it must prove more arrays distinct.


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _slant(
    first: int, last: int, step: float, hts: float, hrg: float, h: Array, slant: Array
) -> None:
    """Write 20 log10 of the distance between the antennas."""
    for n in range(first, last + 1):
        d = step * n
        rise = 0.001 * (h[n] + hrg - hts)
        slant[n] = 10.0 * _log10(d * d + rise * rise)


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _angles(first: int, last: int, per_step: float, bend: float, slope: Array, out: Array) -> None:
    """Write the elevation angles of slopes per step of a profile flattened about the mast."""
    for n in range(first, last + 1):
        out[n] = 1000.0 * _atan(slope[n] * per_step - bend * n)


@njit(cache=True, nogil=True, error_model="numpy")
def _horizon_distances(
    first: int,
    last: int,
    hts: float,
    yr: Array,
    slope_t: Array,
    index_t: NDArray[np.int32],
    index_r: NDArray[np.int32],
    step: float,
    dlt: Array,
    dlr: Array,
) -> None:
    """Write the horizon distances of every path and put the chord's slope where it is clear.

    The place of the horizon on a clear path is looked up only where it
    matters; the whole path stands for `dlt` meanwhile, for their sum is right.
    """
    for n in range(first, last + 1):
        if index_r[n] == 0:
            slope_t[n] = (yr[n] - hts) / n
            dlt[n] = step * n
            dlr[n] = 0.0
        else:
            dlt[n] = step * index_t[n]
            dlr[n] = step * (n - index_r[n])


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _total_angle(
    first: int, last: int, step: float, ae: float, theta_t: Array, theta_r: Array, theta: Array
) -> None:
    """Write the path's angular distance theta."""
    for n in range(first, last + 1):
        theta[n] = 1000.0 / ae * step * n + theta_t[n] + theta_r[n]


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _scatter_base(first: int, last: int, theta: Array, log_d: Array, out: Array) -> None:
    """Write the frequency-free part of the troposcatter loss."""
    for n in range(first, last + 1):
        out[n] = log_d[n] + 0.573 * theta[n]


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _angle_share(first: int, last: int, theta: Array, out: Array) -> None:
    """Write Fj, section 4.6: 1 - (1 + tanh z)/2 = 1/(1 + exp 2z)."""
    for n in range(first, last + 1):
        out[n] = 1.0 / (1.0 + _exp2(4.8 * _LOG2_E / 0.3 * (theta[n] - 0.3)))


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _with_focusing(
    first: int, last: int, log_p: float, dlt: Array, dlr: Array, slant: Array, out: Array
) -> None:
    """Write Lb0p less its frequency term."""
    for n in range(first, last + 1):
        out[n] = slant[n] + 2.6 * log_p * (1.0 - _exp2(-0.1 * _LOG2_E * (dlt[n] + dlr[n])))


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _with_focusing_beta(
    first: int,
    last: int,
    p: float,
    dlt: Array,
    dlr: Array,
    slant: Array,
    b0: Array,
    out: Array,
) -> None:
    """Write Lb0beta less its frequency term; Lb0p where p is below beta_0."""
    for n in range(first, last + 1):
        focusing = 2.6 * (1.0 - _exp2(-0.1 * _LOG2_E * (dlt[n] + dlr[n])))
        out[n] = slant[n] + focusing * _log10(min(b0[n], p) * 0.02)


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _highest_beta(
    first: int,
    last: int,
    step: float,
    ae: float,
    hts: float,
    hrg: float,
    h: Array,
    hst: Array,
    hsr: Array,
    dlm: Array,
    b0: Array,
    out: Array,
) -> None:
    """Write beta_0 mu_2, which beta does not exceed, section 4.5."""
    for n in range(first, last + 1):
        d = step * n
        tau = 1.0 - _exp2(-4.12e-4 * _LOG2_E * _exp2(2.41 * _log2(max(dlm[n], 1e-9))))
        alpha = max(-0.6 - 3.5e-9 * _exp2(3.1 * _log2(d)) * tau, -3.4)
        hte = hts - min(hst[n], h[0])
        hre = h[n] + hrg - min(hsr[n], h[n])
        roots = math.sqrt(hte) + math.sqrt(hre)
        log_mu = min(alpha * _log2(500.0 / ae * d * d / (roots * roots)), 0.0)
        out[n] = max(b0[n] * _exp2(log_mu), 1e-30)


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _duct_base(
    first: int,
    last: int,
    step: float,
    p: float,
    beta: Array,
    dlt: Array,
    dlr: Array,
    out: Array,
) -> None:
    """Write a lower bound of the frequency-free part of the ducting loss.

    A(p) falls with beta, so that the highest beta bounds it from below.
    """
    log_p = math.log10(p)
    for n in range(first, last + 1):
        d = step * n
        b = _log10(beta[n])
        spread = (9.51 - 4.8 * b + 0.198 * b * b) * 1e-6 * _exp2(1.13 * _log2(d))
        gamma = 1.076 * _exp2(-1.012 * _log2(2.0058 - b) - _LOG2_E * spread)
        rest = log_p - b
        time = -12.0 + (1.2 + 3.7e-3 * d) * rest + 12.0 * _exp2(_LOG2_10 * rest * gamma)
        out[n] = 102.4 + 20.0 * _log10(dlt[n] + dlr[n]) + time


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _duct_angle(
    first: int,
    last: int,
    step: float,
    ae: float,
    theta_t: Array,
    theta_r: Array,
    dlt: Array,
    dlr: Array,
    out: Array,
) -> None:
    """Write a lower bound of theta' (section 4.5): exact beyond the horizon."""
    for n in range(first, last + 1):
        clear = dlr[n] == 0.0
        limit_t = 0.0 if clear else 0.1 * dlt[n]
        limit_r = 0.0 if clear else 0.1 * dlr[n]
        out[n] = 1000.0 / ae * step * n + min(theta_t[n], limit_t) + min(theta_r[n], limit_r)


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _excess(first: int, last: int, theta: Array, dl: Array, dlr: Array, out: Array) -> None:
    """Write theta'' of one end (section 4.5); 0 on a clear path, whose horizon is unknown."""
    for n in range(first, last + 1):
        value = max(theta[n] - 0.1 * dl[n], 0.0)
        out[n] = 0.0 if dlr[n] == 0.0 else value


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _shielding(
    first: int,
    last: int,
    f: float,
    excess_t: Array,
    excess_r: Array,
    dlt: Array,
    dlr: Array,
    out: Array,
) -> None:
    """Write the site-shielding losses of both ends (section 4.5)."""
    cube = 0.264 * f ** (1.0 / 3.0)
    for n in range(first, last + 1):
        t = 1.0 + 0.361 * excess_t[n] * math.sqrt(f * dlt[n])
        r = 1.0 + 0.361 * excess_r[n] * math.sqrt(f * dlr[n])
        out[n] = 20.0 * _log10(t * r) + cube * (excess_t[n] + excess_r[n])


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _duct_margin(
    first: int,
    last: int,
    f: float,
    ae: float,
    base: Array,
    angle: Array,
    shield: Array,
    lb0p: Array,
    ldp: Array,
    out: Array,
) -> None:
    """Write by how much the diffraction loss exceeds the least ducting loss."""
    alf = 45.375 - 137.0 * f + 92.5 * f * f if f < 0.5 else 0.0
    per_angle = 5e-5 * ae * f ** (1.0 / 3.0)
    for n in range(first, last + 1):
        out[n] = 92.4 + lb0p[n] + ldp[n] - (base[n] + alf + per_angle * angle[n] + shield[n])


@njit(cache=True, nogil=True, error_model="numpy")
def _zones(
    last: int,
    step: float,
    zone: NDArray[np.int8],
    shift_db: float,
    dtm: Array,
    dlm: Array,
    omega: Array,
    shift: Array,
) -> None:
    """Write longest land stretches, share of sea and location term of every path.

    A zone reaches half-way to the next point; the end of a path has half a step.
    """
    if zone.size == 0:
        for n in range(1, last + 1):
            dtm[n] = n * step
            dlm[n] = n * step
            omega[n] = 0.0
            shift[n] = shift_db
        return
    land = 0.0 if zone[0] == 1 else 0.5
    inland = 0.5 if zone[0] == 4 else 0.0
    sea = 0.5 if zone[0] == 1 else 0.0
    longest_land = land
    longest_inland = inland
    for n in range(1, last + 1):
        is_land = zone[n] != 1
        is_inland = zone[n] == 4
        end_land = land + 0.5 if is_land else 0.0
        end_inland = inland + 0.5 if is_inland else 0.0
        end_sea = sea + (0.0 if is_land else 0.5)
        dtm[n] = max(longest_land, end_land) * step
        dlm[n] = max(longest_inland, end_inland) * step
        omega[n] = end_sea / n
        shift[n] = shift_db if is_land else 0.0
        land = land + 1.0 if is_land else 0.0
        inland = inland + 1.0 if is_inland else 0.0
        sea += 0.0 if is_land else 1.0
        longest_land = max(longest_land, land)
        longest_inland = max(longest_inland, inland)


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _beta_0(
    first: int,
    last: int,
    phi_0: float,
    phi_per_step: float,
    dtm: Array,
    dlm: Array,
    b0: Array,
) -> None:
    """Write beta_0 of every path; the latitude of its centre goes linearly along the radial."""
    for n in range(first, last + 1):
        phi = abs(phi_0 + phi_per_step * n)
        tau = 1.0 - _exp2(-4.12e-4 * _LOG2_E * _exp2(2.41 * _log2(max(dlm[n], 1e-9))))
        log_mu = 0.2 * _log2(
            _exp2(-dtm[n] * _LOG2_10 / (16.0 - 6.6 * tau)) + _exp2(-_LOG2_10 * (2.48 + 1.77 * tau))
        )
        log_mu = min(log_mu, 0.0)
        low = _exp2(_LOG2_10 * (1.67 - 0.015 * phi) + (0.065 + 0.0176 * phi) * log_mu)
        high = 4.17 * _exp2(1.3 * log_mu)
        b0[n] = low if phi <= 70.0 else high


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _time_share(first: int, last: int, p: float, numerator: float, b0: Array, fi: Array) -> None:
    """Write the interpolation factor Fi, section 4.3.5; `numerator` is I(p/100)."""
    for n in range(first, last + 1):
        t = math.sqrt(-2.0 * _LN_2 * _log2(0.01 * b0[n]))
        top = (0.010328 * t + 0.802853) * t + 2.515516698
        bottom = ((0.001308 * t + 0.189269) * t + 1.432788) * t + 1.0
        share = numerator / (t - top / bottom)
        fi[n] = share if p > b0[n] else 1.0


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _mix(first: int, last: int, share: Array, sea: Array, out: Array) -> None:
    """Write the mean of two losses by the share of sea into `out`, which holds land."""
    for n in range(first, last + 1):
        out[n] += share[n] * (sea[n] - out[n])


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _without_ducting(
    first: int,
    last: int,
    lb0p: Array,
    lb0b: Array,
    slant: Array,
    ld50: Array,
    ldp: Array,
    omega: Array,
    fi: Array,
    fj: Array,
    out: Array,
) -> None:
    """Write Lbam, section 4.6, where Lbda is Lbd; all but the diffraction less 92.4 + 20 log f."""
    for n in range(first, last + 1):
        lbd50 = slant[n] + ld50[n]
        lbd = lb0p[n] + ldp[n]
        least = lbd50 + (lb0b[n] + (1.0 - omega[n]) * ldp[n] - lbd50) * fi[n]
        out[n] = lbd + (least - lbd) * fj[n]


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _combine(
    first: int,
    last: int,
    f: float,
    p: float,
    n0: float,
    lbam: Array,
    scatter: Array,
    lb0p: Array,
    shift: Array,
    out: Array,
) -> None:
    """Write the loss as if ducting did not matter."""
    log_f = math.log10(f)
    lf = 25.0 * log_f - 2.5 * math.log10(0.5 * f) ** 2
    lbs_f = 190.1 + lf - 0.15 * n0 - 10.125 * math.log10(50.0 / p) ** 0.7
    free = 92.4 + 20.0 * log_f
    for n in range(first, last + 1):
        lb = free + lbam[n]
        lbs = lbs_f + scatter[n]
        low = min(lbs, lb)
        gap = max(lbs, lb) - low
        total = low - 5.0 * _log10(1.0 + _exp2(-0.2 * _LOG2_10 * gap))
        out[n] = max(total + shift[n], free + lb0p[n])


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _top_above_surface(h: Array, start: float, slope: float) -> float:
    """Return hm, the terrain roughness parameter, or 0 if it is negative.

    Positive doubles sort like the integers with the same bits.
    """
    highest = np.int64(0)
    for i in range(h.size):
        value = max(h[i] - (start + slope * i), 0.0)
        highest = max(highest, np.float64(value).view(np.int64))
    return np.int64(highest).view(np.float64)


#: Rows of the work arrays that `radial_loss` needs.
WORK_ROWS = 55
INDEX_ROWS = 5


@njit(cache=True, nogil=True, error_model="numpy")
def radial_loss(
    h: Array,
    clutter: Array,
    zone: NDArray[np.int8],
    first: int,
    step: float,
    htg: float,
    hrg: float,
    frequencies: Array,
    p: float,
    shift_db: float,
    vertical: bool,
    phi_0: float,
    phi_per_step: float,
    delta_n: float,
    n0: float,
    near: Array,
    far: Array,
    log_d: Array,
    work: NDArray[np.float64],
    index: NDArray[np.int32],
    out: NDArray[np.float32],
) -> None:
    """Write the loss at every point of one radial, 50 % of locations.

    `clutter` and `zone` may be empty. `near` holds 1/sqrt(i), `far` the same
    backwards (its last value belongs to 1), `log_d` is 20 log10(distance).
    Only points from `first` on are asked for; points before it, and points
    beyond the first NaN of `h`, get NaN. `out` has one row a frequency.
    """
    last = h.size - 1
    for i in range(h.size):
        if not math.isfinite(h[i]):
            last = i - 1
            break
    for k in range(frequencies.size):
        out[k, :] = np.nan
    if last < 0:
        return

    ae = 6371.0 * 157.0 / (157.0 - delta_n)
    abeta = 6371.0 * 3.0
    hts = h[0] + htg
    # The first two points are not paths with a point between the ends: free space.
    for n in range(min(2, last + 1)):
        d = max(float(n), 0.5) * step
        rise = 0.001 * (h[n] + hrg - hts)
        for k in range(frequencies.size):
            out[k, n] = (
                92.4 + 20.0 * math.log10(frequencies[k]) + 10.0 * math.log10(d * d + rise * rise)
            )
    first = max(first, 2)
    if last < first:
        return

    has_clutter = clutter.size > 0
    has_zone = zone.size > 0
    varies = p < 50.0
    y = work[0]
    yr = work[1]
    hx = work[2]
    hy = work[3]
    hm = work[4]
    slope_t = work[5]
    slope_r = work[6]
    clearance = work[7]
    hst = work[8]
    hsr = work[9]
    hted = work[10]
    hred = work[11]
    nu = work[12]
    nu_smooth = work[13]
    ratio = work[14]
    log_a3 = work[15]
    nu_b = work[16]
    nu_smooth_b = work[17]
    ratio_b = work[18]
    log_a3_b = work[19]
    slant = work[20]
    theta_t = work[21]
    theta_r = work[22]
    theta = work[23]
    dlt = work[24]
    dlr = work[25]
    dtm = work[26]
    dlm = work[27]
    omega = work[28]
    b0 = work[29]
    fi = work[30]
    fj = work[31]
    land = work[32]
    sea = work[33]
    ld50 = work[34]
    ldb = work[35]
    time_term = work[36]
    y_h = work[37]
    shift = work[38]
    loss = work[39]
    block_top = work[40]
    block_tilt = work[41]
    block_bound = work[42]
    lb0p = work[43]
    lb0b = work[44]
    scatter = work[45]
    beta = work[46]
    base = work[47]
    angle = work[48]
    excess_t = work[49]
    excess_r = work[50]
    shield = work[51]
    lbam = work[52]
    margin = work[53]
    place = work[54]
    index_t = index[0]
    index_r = index[1]
    unused_t = index[2]
    unused_r = index[3]
    los_t = index[4]

    # nu <= -0.78 at the lowest frequency costs nothing at any.
    longest_wave = path.WAVELENGTH_AT_1_GHZ_M / frequencies.min()
    clear_enough = 0.7801 * math.sqrt(longest_wave * step / 0.002)

    bend = 500.0 / ae * step * step
    for i in range(last + 1):
        yr[i] = h[i] + hrg - bend * i * i
        y_h[i] = h[i] - bend * i * i
        y[i] = y_h[i]
    if has_clutter:
        for i in range(1, last + 1):
            if clutter[i] > 0.0:
                y[i] += clutter[i]
        # Bullington with clutter, horizons without.
        _horizons(
            y, yr, first, last, hts, near, far, True, clear_enough, hx, hy, hm,
            block_top, block_tilt, block_bound, slope_t, slope_r, unused_t, unused_r, clearance,
        )  # fmt: skip
        _edge_numbers(first, last, step, ae, hts, yr, slope_t, slope_r, clearance, nu)
        _horizons(
            y_h, yr, first, last, hts, near, far, False, clear_enough, hx, hy, hm,
            block_top, block_tilt, block_bound, slope_t, slope_r, index_t, index_r, clearance,
        )  # fmt: skip
    else:
        _horizons(
            y, yr, first, last, hts, near, far, True, clear_enough, hx, hy, hm,
            block_top, block_tilt, block_bound, slope_t, slope_r, index_t, index_r, clearance,
        )  # fmt: skip
        _edge_numbers(first, last, step, ae, hts, yr, slope_t, slope_r, clearance, nu)
    _surfaces(h, first, last, htg, hrg, hx, hy, hm, hst, hsr, hted, hred)
    _reflection_point(first, last, step, ae, hted, hred, place)
    _smooth_numbers(first, last, step, ae, hted, hred, place, nu_smooth)
    _smooth_clearance(first, last, step, ae, hted, hred, place, ratio)
    _log_radius(first, last, step, ae, hted, hred, log_a3)

    _horizon_distances(first, last, hts, yr, slope_t, index_t, index_r, step, dlt, dlr)
    _slant(first, last, step, hts, hrg, h, slant)
    _angles(first, last, 0.001 / step, 0.0, slope_t, theta_t)
    _angles(first, last, 0.001 / step, step / ae, slope_r, theta_r)
    _total_angle(first, last, step, ae, theta_t, theta_r, theta)
    _scatter_base(first, last, theta, log_d, scatter)
    _angle_share(first, last, theta, fj)

    _zones(last, step, zone, shift_db, dtm, dlm, omega, shift)
    _beta_0(first, last, phi_0, phi_per_step, dtm, dlm, b0)
    _time_share(first, last, p, path.inverse_normal(p / 100.0), b0, fi)
    _with_focusing(first, last, math.log10(p / 50.0), dlt, dlr, slant, lb0p)
    _with_focusing_beta(first, last, p, dlt, dlr, slant, b0, lb0b)

    _highest_beta(first, last, step, ae, hts, hrg, h, hst, hsr, dlm, b0, beta)
    _duct_base(first, last, step, p, beta, dlt, dlr, base)
    _duct_angle(first, last, step, ae, theta_t, theta_r, dlt, dlr, angle)
    _excess(first, last, theta_t, dlt, dlr, excess_t)
    _excess(first, last, theta_r, dlr, dlr, excess_r)
    if varies:
        bend = 500.0 / abeta * step * step
        for i in range(last + 1):
            yr[i] = h[i] + hrg - bend * i * i
            y[i] = h[i] - bend * i * i
            if has_clutter and i > 0 and clutter[i] > 0.0:
                y[i] += clutter[i]
        _horizons(
            y, yr, first, last, hts, near, far, True, clear_enough, hx, hy, hm,
            block_top, block_tilt, block_bound, slope_t, slope_r, unused_t, unused_r, clearance,
        )  # fmt: skip
        _edge_numbers(first, last, step, abeta, hts, yr, slope_t, slope_r, clearance, nu_b)
        _reflection_point(first, last, step, abeta, hted, hred, place)
        _smooth_numbers(first, last, step, abeta, hted, hred, place, nu_smooth_b)
        _smooth_clearance(first, last, step, abeta, hted, hred, place, ratio_b)
        _log_radius(first, last, step, abeta, hted, hred, log_a3_b)

    for n in range(first, last + 1):
        time_term[n] = math.inf
    for k in range(frequencies.size):
        f = frequencies[k]
        _first_terms(first, last, step, f, 22.0, 0.003, vertical, hted, hred, log_a3, land)
        if has_zone:
            _first_terms(first, last, step, f, 80.0, 5.0, vertical, hted, hred, log_a3, sea)
            _mix(first, last, omega, sea, land)
        _delta_bullington(first, last, step, f, nu, nu_smooth, ratio, land, ld50)
        ldp = ld50
        if varies:
            _first_terms(first, last, step, f, 22.0, 0.003, vertical, hted, hred, log_a3_b, land)
            if has_zone:
                _first_terms(first, last, step, f, 80.0, 5.0, vertical, hted, hred, log_a3_b, sea)
                _mix(first, last, omega, sea, land)
            _delta_bullington(first, last, step, f, nu_b, nu_smooth_b, ratio_b, land, ldb)
            ldp = ldb
            for n in range(first, last + 1):
                ldb[n] = ld50[n] + fi[n] * (ldb[n] - ld50[n])
        _without_ducting(first, last, lb0p, lb0b, slant, ld50, ldp, omega, fi, fj, lbam)
        _combine(first, last, f, p, n0, lbam, scatter, lb0p, shift, loss)
        _shielding(first, last, f, excess_t, excess_r, dlt, dlr, shield)
        _duct_margin(first, last, f, ae, base, angle, shield, lb0p, ldp, margin)
        for n in range(first, last + 1):
            if margin[n] <= 0.0:
                continue
            d = step * n
            lt = index_t[n]
            lr = index_r[n]
            fresh = time_term[n] == math.inf
            if lr == 0:
                if fresh:
                    los_t[n] = _clearance_index(
                        y_h, near, far, n, hts, h[n] + hrg - 500.0 / ae * d * d, far.size
                    )
                lt = los_t[n]
                lr = lt
            if fresh:
                hst_n = min(hst[n], h[0])
                hsr_n = min(hsr[n], h[n])
                slope = (hsr_n - hst_n) / n
                top = _top_above_surface(h[lt : lr + 1], hst_n + slope * lt, slope)
                time_term[n] = path.time_variation(
                    d, step * lt, step * (n - lr), dlm[n], hts - hst_n, h[n] + hrg - hsr_n, top,
                    p, ae, b0[n],
                )  # fmt: skip
            lba = path.ducting(
                d, step * lt, step * (n - lr), theta_t[n], theta_r[n], time_term[n], 0.0, f, ae
            )
            free = 92.4 + 20.0 * math.log10(f)
            with_scatter = path.troposcatter(d, theta[n], f, p, n0)
            focusing = 2.6 * (1.0 - math.exp(-0.1 * (dlt[n] + dlr[n])))
            loss[n] = max(
                free + lb0p[n],
                shift[n]
                + path.blend(
                    d, theta[n], p, b0[n], omega[n], fi[n], free + slant[n], free + lb0p[n],
                    free + slant[n] + focusing * math.log10(b0[n] / 50.0), ldp[n], ld50[n], lba,
                    with_scatter,
                ),
            )  # fmt: skip
        for n in range(first, last + 1):
            out[k, n] = loss[n]


@njit(cache=True, nogil=True, error_model="numpy")
def block_loss(
    heights: Array,
    clutter: Array,
    zones: NDArray[np.int8],
    first: NDArray[np.int32],
    last: NDArray[np.int32],
    step: float,
    htg: float,
    hrg: float,
    frequencies: Array,
    p: float,
    shift_db: float,
    vertical: bool,
    phi_0: float,
    phi_per_step: Array,
    delta_n: float,
    n0: float,
    near: Array,
    far: Array,
    log_d: Array,
    work: NDArray[np.float64],
    index: NDArray[np.int32],
    out: NDArray[np.float32],
) -> None:
    """Write the losses of several radials, one row each; see `radial_loss`.

    `first` and `last` are the first and last point wanted on each radial;
    `clutter` and `zones` may have no rows.
    """
    no_clutter = np.empty(0, np.float64)
    no_zone = np.empty(0, np.int8)
    for r in range(heights.shape[0]):
        count = last[r] + 1
        radial_loss(
            heights[r, :count],
            clutter[r, :count] if clutter.shape[0] > 0 else no_clutter,
            zones[r, :count] if zones.shape[0] > 0 else no_zone,
            first[r], step, htg, hrg, frequencies, p, shift_db, vertical, phi_0, phi_per_step[r],
            delta_n, n0, near, far, log_d, work, index, out[r, :, :count],
        )  # fmt: skip
        out[r, :, count:] = np.nan
