"""Errors stay whole on their way between processes."""

import copy
import pickle

import pytest

from coverage.propagation.ranges import OutsideModelRange
from data.errors import CancelledError, InputError, Problem, ValidationError, message

PROBLEM = Problem("cells", 7, "load", message("no value"), message("expected {n}", n=1))


@pytest.mark.parametrize(
    "error",
    [
        InputError("{file}: {reason}", file="a{b}.csv", reason=message("the {what}", what="{x}")),
        CancelledError(),
        ValidationError([PROBLEM, PROBLEM]),
        OutsideModelRange("P.1812", "frequency_ghz", 7.0, (0.03, 6.0)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_survives_pickling_and_copying(error) -> None:
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert other.message == error.message
        assert vars(other) == vars(error)
