"""Sums of money as people write them: 1.39 billion VND, 1,39 tỷ đồng."""

from __future__ import annotations

import math

from app import formats
from app.i18n import _, mark

#: Steps in which large sums are written, largest first.
_SCALES = (
    (1e9, mark("billion {currency}")),
    (1e6, mark("million {currency}")),
    (1.0, "{currency}"),
)

#: Currencies that have a name of their own.
_CURRENCIES = {"VND": mark("VND")}


def scale_of(amount: float, currency: str) -> tuple[float, str]:
    """Return in what a sum is written.

    Parameters
    ----------
    amount
        The sum.
    currency
        ISO 4217 code.

    Returns
    -------
    tuple of float and str
        The unit and its name, e.g. 1e9 and "billion VND".
    """
    # 999.6 million would be written as 1,000.
    size, text = next(item for item in _SCALES if abs(amount) >= 0.9995 * item[0] or item[0] == 1.0)
    named = _(_CURRENCIES[currency]) if currency in _CURRENCIES else currency
    return size, _(text).format(currency=named)


def _digits(value: float) -> int:
    if value == 0.0 or not math.isfinite(value):
        return 0
    # Rounded first: 0.9997 is written as 1.00.
    return max(0, 2 - math.floor(math.log10(abs(float(f"{value:.3g}")))))


def written(amount: float, currency: str) -> str:
    """Write a sum with three figures that count.

    Parameters
    ----------
    amount
        The sum.
    currency
        ISO 4217 code.

    Returns
    -------
    str
        E.g. "1.39 billion VND".
    """
    size, unit = scale_of(amount, currency)
    digits = _digits(amount / size) if size > 1.0 else 0
    return formats.quantity(amount / size, unit, digits)


def written_range(low: float, high: float, currency: str) -> str:
    """Write a range of sums in one unit.

    Parameters
    ----------
    low, high
        Its ends.
    currency
        ISO 4217 code.

    Returns
    -------
    str
        E.g. "0.79–2.72 billion VND".
    """
    size, unit = scale_of(high, currency)
    digits = _digits(high / size) if size > 1.0 else 0
    return f"{formats.number(low / size, digits)}–{formats.quantity(high / size, unit, digits)}"
