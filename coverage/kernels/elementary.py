"""Elementary functions in plain arithmetic, so that loops over them compile to vector code.

Errors are below 1e-12 (relative for `exp`, absolute for the others) on the ranges stated.
Callers must not allow reordering of sums (`reassoc`) around `exp`.
"""

import numpy as np
from numba import njit

_SQRT_HALF_BITS = np.int64(0x3FE6A09E667F3BCD)
_LN_2 = 0.6931471805599453
_LOG2_E = 1.4426950408889634
# adding it leaves the nearest whole number in the low bits of the sum
_ROUNDER = 6755399441055744.0
_HALF_PI = 1.5707963267948966


@njit(inline="always")
def log(x):  # type: ignore[no-untyped-def]
    """Return the natural logarithm of a positive normal number."""
    bits = np.float64(x).view(np.int64)
    exponent = (bits - _SQRT_HALF_BITS) >> np.int64(52)
    mantissa = np.int64(bits - (exponent << np.int64(52))).view(np.float64)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    z = s * s
    series = 2.0 / 15.0 + z * (2.0 / 17.0)
    series = 2.0 / 11.0 + z * (2.0 / 13.0 + z * series)
    series = 2.0 / 7.0 + z * (2.0 / 9.0 + z * series)
    series = 2.0 / 3.0 + z * (2.0 / 5.0 + z * series)
    return s * (2.0 + z * series) + exponent * _LN_2


@njit(inline="always")
def exp(x):  # type: ignore[no-untyped-def]
    """Return the exponential of a number between -700 and 700."""
    shifted = x * _LOG2_E + _ROUNDER
    t = (x * _LOG2_E - (shifted - _ROUNDER)) * _LN_2
    series = 1.0 / 3628800.0 + t * (1.0 / 39916800.0)
    series = 1.0 / 40320.0 + t * (1.0 / 362880.0 + t * series)
    series = 1.0 / 720.0 + t * (1.0 / 5040.0 + t * series)
    series = 1.0 / 24.0 + t * (1.0 / 120.0 + t * series)
    series = 0.5 + t * (1.0 / 6.0 + t * series)
    power = (np.float64(shifted).view(np.int64) + np.int64(1023)) << np.int64(52)
    return (1.0 + t * (1.0 + t * series)) * np.int64(power).view(np.float64)


@njit(inline="always")
def cosine(x):  # type: ignore[no-untyped-def]
    """Return the cosine of an angle between 0 and pi."""
    t = _HALF_PI - x
    z = t * t
    series = -1.0 / 1307674368000.0 + z * (1.0 / 355687428096000.0)
    series = -1.0 / 39916800.0 + z * (1.0 / 6227020800.0 + z * series)
    series = -1.0 / 5040.0 + z * (1.0 / 362880.0 + z * series)
    series = -1.0 / 6.0 + z * (1.0 / 120.0 + z * series)
    return t * (1.0 + z * series)


@njit(inline="always")
def sine(x):  # type: ignore[no-untyped-def]
    """Return the sine of an angle between 0 and pi."""
    t = _HALF_PI - x
    z = t * t
    series = -1.0 / 87178291200.0 + z * (1.0 / 20922789888000.0)
    series = -1.0 / 3628800.0 + z * (1.0 / 479001600.0 + z * series)
    series = -1.0 / 720.0 + z * (1.0 / 40320.0 + z * series)
    series = -0.5 + z * (1.0 / 24.0 + z * series)
    return 1.0 + z * series
