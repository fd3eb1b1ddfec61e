"""Compiled core of ITU-R P.1812: one path, point by point along its profile.

Symbols follow the Recommendation. Distances are in kilometres, heights in
metres, frequencies in gigahertz, angles in milliradians. `g` is the profile
with clutter (equal to terrain at both ends), `h` the bare terrain.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: Speed of light over 1 GHz, as the Recommendation has it. [m]
WAVELENGTH_AT_1_GHZ_M = 0.2998

#: Indices into the array of intermediate results that `path_loss` writes.
LBFS, LB0P, LBULLA, LBULLS, LDSPH, LD50, LDP, LBA, LBS, DLT, DLR, B0, AE, HM, LOSS = range(15)


@njit(cache=True, nogil=True)
def inverse_normal(x: float) -> float:
    """Return I(x), the inverse complementary cumulative normal distribution.

    Approximation of Attachment 2 to Annex 1, for 0.000001 <= x <= 0.999999.
    """
    sign = 1.0
    if x > 0.5:
        sign = -1.0
        x = 1.0 - x
    x = max(x, 0.000001)
    t = math.sqrt(-2.0 * math.log(x))
    numerator = (0.010328 * t + 0.802853) * t + 2.515516698
    denominator = ((0.001308 * t + 0.189269) * t + 1.432788) * t + 1.0
    return sign * (t - numerator / denominator)


@njit(cache=True, nogil=True)
def knife_edge(nu: float) -> float:
    """Return J(nu), the loss of a single knife edge, section 4.3.1. [dB]."""
    if nu <= -0.78:
        return 0.0
    v = nu - 0.1
    return 6.9 + 20.0 * math.log10(math.sqrt(v * v + 1.0) + v)


@njit(cache=True, nogil=True)
def bullington(
    d: NDArray[np.float64], g: NDArray[np.float64], hts: float, hrs: float, ap: float, lam: float
) -> float:
    """Return the Bullington diffraction loss, section 4.3.1. [dB]."""
    n = d.size - 1
    dtot = d[n]
    ce = 1.0 / ap
    stim = -math.inf
    for i in range(1, n):
        stim = max(stim, (g[i] + 500.0 * ce * d[i] * (dtot - d[i]) - hts) / d[i])
    s_tr = (hrs - hts) / dtot
    if stim < s_tr:
        nu = -math.inf
        for i in range(1, n):
            clearance = (
                g[i] + 500.0 * ce * d[i] * (dtot - d[i]) - (hts * (dtot - d[i]) + hrs * d[i]) / dtot
            )
            nu = max(nu, clearance * math.sqrt(0.002 * dtot / (lam * d[i] * (dtot - d[i]))))
    else:
        srim = -math.inf
        for i in range(1, n):
            srim = max(srim, (g[i] + 500.0 * ce * d[i] * (dtot - d[i]) - hrs) / (dtot - d[i]))
        dbp = (hrs - hts + srim * dtot) / (stim + srim)
        nu = (hts + stim * dbp - (hts * (dtot - dbp) + hrs * dbp) / dtot) * math.sqrt(
            0.002 * dtot / (lam * dbp * (dtot - dbp))
        )
    luc = knife_edge(nu)
    return luc + (1.0 - math.exp(-luc / 6.0)) * (10.0 + 0.02 * dtot)


@njit(cache=True, nogil=True)
def first_term(
    adft: float,
    d: float,
    hte: float,
    hre: float,
    f: float,
    epsilon: float,
    sigma: float,
    vertical: bool,
) -> float:
    """Return the first term of the spherical-Earth residue series, section 4.3.3. [dB]."""
    conductivity = (18.0 * sigma / f) ** 2
    k = 0.036 * (adft * f) ** (-1.0 / 3.0) * ((epsilon - 1.0) ** 2 + conductivity) ** -0.25
    if vertical:
        k *= math.sqrt(epsilon**2 + conductivity)
    k2 = k * k
    k4 = k2 * k2
    beta = (1.0 + 1.6 * k2 + 0.67 * k4) / (1.0 + 4.5 * k2 + 1.53 * k4)
    x = 21.88 * beta * (f / adft**2) ** (1.0 / 3.0) * d
    y_factor = 0.9575 * beta * (f**2 / adft) ** (1.0 / 3.0)
    if x >= 1.6:
        fx = 11.0 + 10.0 * math.log10(x) - 17.6 * x
    else:
        fx = -20.0 * math.log10(x) - 5.6488 * x**1.425
    floor = 2.0 + 20.0 * math.log10(k)
    gain = 0.0
    for y in (y_factor * hte, y_factor * hre):
        b = beta * y
        if b > 2.0:
            value = 17.6 * math.sqrt(b - 1.1) - 5.0 * math.log10(b - 1.1) - 8.0
        elif b > 0.0:
            value = 20.0 * math.log10(b + 0.1 * b**3)
        else:
            value = floor
        gain += max(value, floor)
    return -fx - gain


@njit(cache=True, nogil=True)
def first_term_mixed(
    adft: float, d: float, hte: float, hre: float, f: float, omega: float, vertical: bool
) -> float:
    """Return the first-term loss with land and sea shares of the path, section 4.3.3. [dB]."""
    loss = 0.0
    if omega < 1.0:
        loss += (1.0 - omega) * first_term(adft, d, hte, hre, f, 22.0, 0.003, vertical)
    if omega > 0.0:
        loss += omega * first_term(adft, d, hte, hre, f, 80.0, 5.0, vertical)
    return loss


@njit(cache=True, nogil=True)
def spherical_earth(
    d: float,
    hte: float,
    hre: float,
    ap: float,
    f: float,
    lam: float,
    omega: float,
    vertical: bool,
) -> float:
    """Return the spherical-Earth diffraction loss, section 4.3.2. [dB]."""
    dlos = math.sqrt(2.0 * ap) * (math.sqrt(0.001 * hte) + math.sqrt(0.001 * hre))
    if d >= dlos:
        return first_term_mixed(ap, d, hte, hre, f, omega, vertical)
    c = (hte - hre) / (hte + hre)
    m = 250.0 * d * d / (ap * (hte + hre))
    argument = 1.5 * c * math.sqrt(3.0 * m / (m + 1.0) ** 3)
    b = (
        2.0
        * math.sqrt((m + 1.0) / (3.0 * m))
        * math.cos(math.pi / 3.0 + math.acos(min(1.0, max(-1.0, argument))) / 3.0)
    )
    dse1 = 0.5 * d * (1.0 + b)
    dse2 = d - dse1
    hse = ((hte - 500.0 * dse1 * dse1 / ap) * dse2 + (hre - 500.0 * dse2 * dse2 / ap) * dse1) / d
    hreq = 17.456 * math.sqrt(max(0.0, dse1 * dse2 * lam / d))
    if hse > hreq:
        return 0.0
    aem = 500.0 * (d / (math.sqrt(hte) + math.sqrt(hre))) ** 2
    loss = first_term_mixed(aem, d, hte, hre, f, omega, vertical)
    if loss < 0.0:
        return 0.0
    return (1.0 - hse / hreq) * loss


@njit(cache=True, nogil=True)
def zone_shares(d: NDArray[np.float64], zone: NDArray[np.int8]) -> tuple[float, float, float]:
    """Return the longest land and inland stretches and the share of sea: dtm, dlm, omega.

    A zone reaches half-way to the neighbouring profile point. Zone codes: 1
    sea, 3 coastal land, 4 inland.
    """
    n = d.size - 1
    dtm = 0.0
    dlm = 0.0
    sea = 0.0
    land_run = 0.0
    inland_run = 0.0
    for i in range(n + 1):
        width = 0.0
        if i > 0:
            width += 0.5 * (d[i] - d[i - 1])
        if i < n:
            width += 0.5 * (d[i + 1] - d[i])
        if zone[i] == 1:
            sea += width
            land_run = 0.0
            inland_run = 0.0
        elif zone[i] == 4:
            land_run += width
            inland_run += width
        else:
            land_run += width
            inland_run = 0.0
        dtm = max(dtm, land_run)
        dlm = max(dlm, inland_run)
    return dtm, dlm, sea / d[n]


@njit(cache=True, nogil=True)
def beta_0(phi: float, dtm: float, dlm: float) -> float:
    """Return the time share of refractivity lapse rates over 100 N/km, section 3. [%]."""
    phi = abs(phi)
    tau = 1.0 - math.exp(-4.12e-4 * dlm**2.41)
    mu1 = (10.0 ** (-dtm / (16.0 - 6.6 * tau)) + 10.0 ** (-5.0 * (0.496 + 0.354 * tau))) ** 0.2
    mu1 = min(mu1, 1.0)
    if phi <= 70.0:
        mu4 = mu1 ** (-0.935 + 0.0176 * phi)
        return 10.0 ** (-0.015 * phi + 1.67) * mu1 * mu4
    return 4.17 * mu1 * mu1**0.3


@njit(cache=True, nogil=True)
def time_variation(
    d: float,
    dlt: float,
    dlr: float,
    dlm: float,
    hte: float,
    hre: float,
    hm: float,
    p: float,
    ae: float,
    b0: float,
) -> float:
    """Return A(p), the time dependence of ducting, section 4.5. [dB]."""
    tau = 1.0 - math.exp(-4.12e-4 * dlm**2.41)
    alpha = max(-0.6 - 3.5e-9 * d**3.1 * tau, -3.4)
    mu2 = min((500.0 / ae * d * d / (math.sqrt(hte) + math.sqrt(hre)) ** 2) ** alpha, 1.0)
    mu3 = 1.0
    if hm > 10.0:
        mu3 = math.exp(-4.6e-5 * (hm - 10.0) * (43.0 + 6.0 * min(d - dlt - dlr, 40.0)))
    beta = max(b0 * mu2 * mu3, 1e-300)
    log_beta = math.log10(beta)
    gamma = (
        1.076
        / (2.0058 - log_beta) ** 1.012
        * math.exp(-(9.51 - 4.8 * log_beta + 0.198 * log_beta * log_beta) * 1e-6 * d**1.13)
    )
    return -12.0 + (1.2 + 3.7e-3 * d) * math.log10(p / beta) + 12.0 * (p / beta) ** gamma


@njit(cache=True, nogil=True)
def coastal_correction(omega: float, distance_to_coast: float, dl: float, hs: float) -> float:
    """Return the over-sea duct coupling correction of one terminal, section 4.5. [dB]."""
    if omega >= 0.75 and distance_to_coast <= dl and distance_to_coast <= 5.0:
        return (
            -3.0
            * math.exp(-0.25 * distance_to_coast * distance_to_coast)
            * (1.0 + math.tanh(0.07 * (50.0 - hs)))
        )
    return 0.0


@njit(cache=True, nogil=True)
def ducting(
    d: float,
    dlt: float,
    dlr: float,
    theta_t: float,
    theta_r: float,
    time_term: float,
    coast: float,
    f: float,
    ae: float,
) -> float:
    """Return the ducting and layer-reflection loss, section 4.5. [dB]."""
    alf = 0.0
    if f < 0.5:
        alf = 45.375 - 137.0 * f + 92.5 * f * f
    shielding = 0.0
    cube = f ** (1.0 / 3.0)
    for theta, dl in ((theta_t, dlt), (theta_r, dlr)):
        excess = theta - 0.1 * dl
        if excess > 0.0:
            shielding += (
                20.0 * math.log10(1.0 + 0.361 * excess * math.sqrt(f * dl)) + 0.264 * excess * cube
            )
    af = 102.45 + 20.0 * math.log10(f) + 20.0 * math.log10(dlt + dlr) + alf + shielding + coast
    angle = 1e3 * d / ae + min(theta_t, 0.1 * dlt) + min(theta_r, 0.1 * dlr)
    return af + 5e-5 * ae * cube * angle + time_term


@njit(cache=True, nogil=True)
def troposcatter(d: float, theta: float, f: float, p: float, n0: float) -> float:
    """Return the tropospheric-scatter loss, section 4.4. [dB]."""
    lf = 25.0 * math.log10(f) - 2.5 * math.log10(0.5 * f) ** 2
    return (
        190.1
        + lf
        + 20.0 * math.log10(d)
        + 0.573 * theta
        - 0.15 * n0
        - 10.125 * math.log10(50.0 / p) ** 0.7
    )


@njit(cache=True, nogil=True)
def blend(
    d: float,
    theta: float,
    p: float,
    b0: float,
    omega: float,
    fi: float,
    lbfs: float,
    lb0p: float,
    lb0b: float,
    ldp: float,
    ld50: float,
    lba: float,
    lbs: float,
) -> float:
    """Return the combination of all mechanisms without location variability, section 4.6. [dB]."""
    fj = 1.0 - 0.5 * (1.0 + math.tanh(3.0 * 0.8 * (theta - 0.3) / 0.3))
    fk = 1.0 - 0.5 * (1.0 + math.tanh(3.0 * 0.5 * (d - 20.0) / 20.0))
    lbd50 = lbfs + ld50
    lbd = lb0p + ldp
    if p < b0:
        lminb0p = lb0p + (1.0 - omega) * ldp
    else:
        lminb0p = lbd50 + (lb0b + (1.0 - omega) * ldp - lbd50) * fi
    high = max(lba, lb0p)
    lminbap = high + 2.5 * math.log1p(math.exp((min(lba, lb0p) - high) / 2.5))
    lbda = lbd if lminbap > lbd else lminbap + (lbd - lminbap) * fk
    lbam = lbda + (lminb0p - lbda) * fj
    low = min(lbs, lbam)
    return low - 5.0 * math.log10(1.0 + 10.0 ** (-0.2 * (max(lbs, lbam) - low)))


@njit(cache=True, nogil=True)
def path_loss(
    d: NDArray[np.float64],
    h: NDArray[np.float64],
    g: NDArray[np.float64],
    zone: NDArray[np.int8],
    f: float,
    p: float,
    htg: float,
    hrg: float,
    vertical: bool,
    phi: float,
    delta_n: float,
    n0: float,
    dct: float,
    dcr: float,
    out: NDArray[np.float64],
) -> None:
    """Write the basic transmission loss at 50 % of locations, and its parts, into `out`.

    `out` has 15 places, named by the constants of this module.
    """
    n = d.size - 1
    dtot = d[n]
    lam = WAVELENGTH_AT_1_GHZ_M / f
    ae = 6371.0 * 157.0 / (157.0 - delta_n)
    abeta = 6371.0 * 3.0
    hts = h[0] + htg
    hrs = h[n] + hrg

    dtm, dlm, omega = zone_shares(d, zone)
    b0 = beta_0(phi, dtm, dlm)

    # Horizons, Attachment 1 section 4.
    theta_max = -math.inf
    lt = 1
    theta_far = -math.inf
    lr = 1
    for i in range(1, n):
        theta = 1000.0 * math.atan((h[i] - hts) / (1000.0 * d[i]) - d[i] / (2.0 * ae))
        if theta > theta_max:
            theta_max = theta
            lt = i
        rest = dtot - d[i]
        theta = 1000.0 * math.atan((h[i] - hrs) / (1000.0 * rest) - rest / (2.0 * ae))
        if theta >= theta_far:
            theta_far = theta
            lr = i
    theta_td = 1000.0 * math.atan((hrs - hts) / (1000.0 * dtot) - dtot / (2.0 * ae))
    if theta_max > theta_td:
        theta_t = theta_max
        theta_r = theta_far
    else:
        nu_max = -math.inf
        for i in range(1, n):
            clearance = (
                h[i] + 500.0 / ae * d[i] * (dtot - d[i]) - (hts * (dtot - d[i]) + hrs * d[i]) / dtot
            )
            nu = clearance * math.sqrt(0.002 * dtot / (lam * d[i] * (dtot - d[i])))
            if nu > nu_max:
                nu_max = nu
                lt = i
        lr = lt
        theta_t = theta_td
        theta_r = 1000.0 * math.atan((hts - hrs) / (1000.0 * dtot) - dtot / (2.0 * ae))
    dlt = d[lt]
    dlr = dtot - d[lr]
    theta = 1000.0 * dtot / ae + theta_t + theta_r

    # Smooth surface, Attachment 1 section 5.6.
    v1 = 0.0
    v2 = 0.0
    for i in range(1, n + 1):
        step = d[i] - d[i - 1]
        v1 += step * (h[i] + h[i - 1])
        v2 += step * (h[i] * (2.0 * d[i] + d[i - 1]) + h[i - 1] * (d[i] + 2.0 * d[i - 1]))
    hst = (2.0 * v1 * dtot - v2) / dtot**2
    hsr = (v2 - v1 * dtot) / dtot**2
    h_obs = -math.inf
    alpha_t = -math.inf
    alpha_r = -math.inf
    for i in range(1, n):
        above = h[i] - (hts * (dtot - d[i]) + hrs * d[i]) / dtot
        h_obs = max(h_obs, above)
        alpha_t = max(alpha_t, above / d[i])
        alpha_r = max(alpha_r, above / (dtot - d[i]))
    hstd = hst
    hsrd = hsr
    if h_obs > 0.0:
        hstd -= h_obs * alpha_t / (alpha_t + alpha_r)
        hsrd -= h_obs * alpha_r / (alpha_t + alpha_r)
    hstd = min(hstd, h[0])
    hsrd = min(hsrd, h[n])
    hst = min(hst, h[0])
    hsr = min(hsr, h[n])
    slope = (hsr - hst) / dtot
    hte = htg + h[0] - hst
    hre = hrg + h[n] - hsr
    hm = -math.inf
    for i in range(lt, lr + 1):
        hm = max(hm, h[i] - (hst + slope * d[i]))

    # Free space, section 4.2.
    lbfs = 92.4 + 20.0 * math.log10(f) + 10.0 * math.log10(dtot**2 + (0.001 * (hts - hrs)) ** 2)
    focusing = 2.6 * (1.0 - math.exp(-0.1 * (dlt + dlr)))
    lb0p = lbfs + focusing * math.log10(p / 50.0)
    lb0b = lbfs + focusing * math.log10(b0 / 50.0)

    # Delta-Bullington diffraction, section 4.3.
    flat = np.zeros(n + 1)
    hted = hts - hstd
    hred = hrs - hsrd
    lbulla = bullington(d, g, hts, hrs, ae, lam)
    lbulls = bullington(d, flat, hted, hred, ae, lam)
    ldsph = spherical_earth(dtot, hted, hred, ae, f, lam, omega, vertical)
    ld50 = lbulla + max(ldsph - lbulls, 0.0)
    fi = 1.0
    if p > b0:
        fi = inverse_normal(p / 100.0) / inverse_normal(b0 / 100.0)
    ldp = ld50
    if p < 50.0:
        ldb = bullington(d, g, hts, hrs, abeta, lam) + max(
            spherical_earth(dtot, hted, hred, abeta, f, lam, omega, vertical)
            - bullington(d, flat, hted, hred, abeta, lam),
            0.0,
        )
        ldp = ld50 + fi * (ldb - ld50)

    lbs = troposcatter(dtot, theta, f, p, n0)
    time_term = time_variation(dtot, dlt, dlr, dlm, hte, hre, hm, p, ae, b0)
    coast = coastal_correction(omega, dct, dlt, hts) + coastal_correction(omega, dcr, dlr, hrs)
    lba = ducting(dtot, dlt, dlr, theta_t, theta_r, time_term, coast, f, ae)

    out[LBFS] = lbfs
    out[LB0P] = lb0p
    out[LBULLA] = lbulla
    out[LBULLS] = lbulls
    out[LDSPH] = ldsph
    out[LD50] = ld50
    out[LDP] = ldp
    out[LBA] = lba
    out[LBS] = lbs
    out[DLT] = dlt
    out[DLR] = dlr
    out[B0] = b0
    out[AE] = ae
    out[HM] = hm
    combined = blend(dtot, theta, p, b0, omega, fi, lbfs, lb0p, lb0b, ldp, ld50, lba, lbs)
    out[LOSS] = combined
