"""What happens when a propagation model is used outside the range it is valid for.

Values for which a model's equations make no sense, or for which its authors
exclude it, raise `OutsideModelRange`. Values a little outside a range that is
only advice give a result and a `ModelRangeWarning`. Nothing is silent.
"""

from __future__ import annotations

import math
import warnings

from data.errors import InputError


class ModelRangeWarning(UserWarning):
    """A model was used outside its stated range; its result is an extrapolation."""


class OutsideModelRange(InputError):  # noqa: N818
    """A parameter lies outside the range a model is valid for.

    Parameters
    ----------
    model
        Name of the model, e.g. ``"ITU-R P.1812"``.
    parameter
        Name of the parameter with its unit, e.g. ``"frequency_ghz"``.
    value
        What was given.
    valid
        Lowest and highest valid value.
    """

    def __init__(
        self, model: str, parameter: str, value: float, valid: tuple[float, float]
    ) -> None:
        self.model = model
        self.parameter = parameter
        self.value = value
        self.valid = valid
        super().__init__(
            "{model}: {parameter} is {value}, but the model is valid from {low} to {high}",
            model=model,
            parameter=parameter,
            value=value,
            low=f"{valid[0]:g}",
            high=f"{valid[1]:g}",
        )


def require_in_range(model: str, parameter: str, value: float, valid: tuple[float, float]) -> None:
    """Check that a value lies in a closed range.

    Parameters
    ----------
    model, parameter
        Names for the message.
    value
        Any number; NaN is outside every range.
    valid
        Lowest and highest valid value.

    Raises
    ------
    OutsideModelRange
        If it does not.
    """
    if not (math.isfinite(value) and valid[0] <= value <= valid[1]):
        raise OutsideModelRange(model, parameter, value, valid)


def warn_outside_range(
    model: str, parameter: str, value: float, valid: tuple[float, float], *, stacklevel: int = 3
) -> None:
    """Warn, in the name of the caller's caller, if a value lies outside a range.

    Parameters
    ----------
    model, parameter
        Names for the message.
    value
        A finite number.
    valid
        Lowest and highest valid value.
    stacklevel
        As for `warnings.warn`.
    """
    if not valid[0] <= value <= valid[1]:
        warnings.warn(
            f"{model}: {parameter} is {value:g}, outside the model's range "
            f"{valid[0]:g} to {valid[1]:g}; the result is an extrapolation",
            ModelRangeWarning,
            stacklevel=stacklevel,
        )
