"""Checks of array parameters against the range of a model."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coverage.propagation.ranges import ModelRangeWarning, OutsideModelRange
from data.errors import InputError


def _worst(values: NDArray[np.float64], valid: tuple[float, float]) -> float:
    """Return the value farthest outside a range; one that is not a number comes first."""
    finite = np.isfinite(values)
    if not finite.all():
        return float(values[~finite].ravel()[0])
    excess = np.maximum(valid[0] - values, values - valid[1])
    return float(values.ravel()[np.argmax(excess)])


def required(
    model: str, parameter: str, values: ArrayLike, valid: tuple[float, float]
) -> NDArray[np.float64]:
    """Return values as an array whose elements all lie in a closed range.

    Parameters
    ----------
    model, parameter
        Names for the message.
    values
        One number or many.
    valid
        Lowest and highest valid value.

    Returns
    -------
    NDArray
        The values.

    Raises
    ------
    OutsideModelRange
        If one does not lie in the range or is not a finite number.

    Examples
    --------
    >>> required("a model", "frequency_mhz", [900.0, 1800.0], (150.0, 2000.0))
    array([ 900., 1800.])
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size and not ((array >= valid[0]) & (array <= valid[1])).all():
        raise OutsideModelRange(model, parameter, _worst(array, valid), valid)
    return array


def positive(model: str, parameter: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return values as an array whose elements are all finite and greater than 0.

    Parameters
    ----------
    model, parameter
        Names for the message.
    values
        One number or many.

    Returns
    -------
    NDArray
        The values.

    Raises
    ------
    InputError
        If one is not.

    Examples
    --------
    >>> positive("a model", "distance_km", 2.0)
    array(2.)
    """
    array = np.asarray(values, dtype=np.float64)
    bad = ~(np.isfinite(array) & (array > 0.0))
    if bad.any():
        raise InputError(
            "{model}: {parameter} is {value}, but it must be greater than 0",
            model=model,
            parameter=parameter,
            value=float(array[bad].ravel()[0]),
        )
    return array


def between_0_and_100(model: str, parameter: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return percentages as an array whose elements lie between 0 and 100, ends excluded.

    Parameters
    ----------
    model, parameter
        Names for the message.
    values
        One percentage or many. [%]

    Returns
    -------
    NDArray
        The values.

    Raises
    ------
    InputError
        If one does not.

    Examples
    --------
    >>> between_0_and_100("a model", "location_percent", 50.0)
    array(50.)
    """
    array = np.asarray(values, dtype=np.float64)
    bad = ~((array > 0.0) & (array < 100.0))
    if bad.any():
        raise InputError(
            "{model}: {parameter} is {value}, but it must be greater than 0 and less than 100",
            model=model,
            parameter=parameter,
            value=float(array[bad].ravel()[0]),
        )
    return array


def advise(
    model: str, advised: list[tuple[str, ArrayLike, tuple[float, float]]], *, stacklevel: int = 3
) -> None:
    """Warn once, in the name of the caller's caller, of all values outside advised ranges.

    Parameters
    ----------
    model
        Name for the message.
    advised
        Name of a parameter, its finite values, lowest and highest advised value.
    stacklevel
        As for `warnings.warn`.
    """
    clauses = []
    for parameter, values, valid in advised:
        array = np.asarray(values, dtype=np.float64)
        if array.size and not ((array >= valid[0]) & (array <= valid[1])).all():
            clauses.append(
                f"{parameter} is {_worst(array, valid):g}, outside {valid[0]:g} to {valid[1]:g}"
            )
    if clauses:
        warnings.warn(
            f"{model}: {'; '.join(clauses)}; the result is an extrapolation",
            ModelRangeWarning,
            stacklevel=stacklevel,
        )
