"""Antenna patterns against the 3GPP formula."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coverage import antenna
from data.errors import InputError


@given(st.floats(-720, 720), st.floats(-90, 90))
def test_the_table_equals_the_formula_of_tr_36_814(offset: float, below: float) -> None:
    pattern = antenna.parabolic_pattern("x")

    def between_steps(angle: float, width: float, most: float) -> float:
        """The formula at steps of 0.25°, along a straight line between them."""
        step = math.floor(4 * angle)
        low, high = (min(12.0 * (each / 4 / width) ** 2, most) for each in (step, step + 1))
        return low + (4 * angle - step) * (high - low)

    around = (offset + 180.0) % 360.0 - 180.0
    expected = between_steps(around, 70.0, 25.0) + between_steps(below, 10.0, 20.0)
    found = antenna.attenuation_db(pattern, np.array([offset]), np.array([below]))
    assert found[0] == pytest.approx(min(expected, 25.0), abs=1e-9)


@given(st.floats(-180, 180), st.floats(-60, 60))
def test_a_pattern_is_symmetric_and_never_a_gain(offset: float, below: float) -> None:
    pattern = antenna.pattern_by_name(None, has_azimuth=True)
    one, other = antenna.attenuation_db(
        pattern, np.array([offset, -offset]), np.array([below, below])
    )
    assert one == pytest.approx(other, abs=1e-6)
    assert 0.0 <= one <= pattern.max_attenuation_db


def test_half_power_lies_at_half_the_beam_width() -> None:
    pattern = antenna.built_in_patterns()["3gpp-65"]
    found = antenna.attenuation_db(pattern, np.array([32.5, 0.0]), np.array([0.0, 5.0]))
    assert found == pytest.approx([3.0, 3.0], abs=0.01)


def test_an_omni_is_the_same_all_round() -> None:
    pattern = antenna.pattern_by_name(None, has_azimuth=False)
    around = np.arange(0.0, 360.0, 7.0)
    found = antenna.attenuation_db(pattern, around, np.full_like(around, 3.0))
    assert np.ptp(found) == 0.0


def test_an_unknown_pattern_is_named_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"K742215 is not known.*3gpp-65"):
        antenna.pattern_by_name("K742215", has_azimuth=True)


def test_resampling_keeps_the_given_points() -> None:
    degrees = np.abs(np.arange(360.0) - 180.0)
    assert antenna.resample(degrees)[::4] == pytest.approx(degrees)
