"""P.2109 against values of another implementation, its own laws and bad input."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coverage.propagation import p2109
from coverage.propagation.ranges import OutsideModelRange
from data.errors import InputError


def test_medians():
    # crc-covlib's P.2109-2 at 0.7, 0.9, 1.8, 2.1, 2.6 and 3.5 GHz, horizontal path
    np.testing.assert_allclose(
        p2109.building_entry_loss([0.7, 0.9, 1.8, 2.1, 2.6, 3.5]),
        [14.1, 14.2, 14.8, 15.0, 15.3, 15.7],
        rtol=0,
        atol=0.0501,
    )
    # the range over these frequencies
    efficient = p2109.building_entry_loss(
        [0.7, 0.9, 1.8, 2.1, 2.6, 3.5], building="thermally_efficient"
    )
    assert (efficient.max(), efficient.min()) == pytest.approx((31.6, 30.5), abs=0.0501)


def test_ninety_percent():
    # the same source
    np.testing.assert_allclose(
        p2109.building_entry_loss([0.7, 3.5], probability_percent=90.0),
        [24.6, 28.7],
        rtol=0,
        atol=0.0501,
    )
    efficient = p2109.building_entry_loss(
        [0.7, 0.9, 1.8, 2.1, 2.6, 3.5], probability_percent=90.0, building="thermally_efficient"
    )
    assert (efficient.min(), efficient.max()) == pytest.approx((46.5, 49.3), abs=0.0501)


def test_by_hand_at_one_gigahertz():
    # log f = 0 and the median: A = r, B = w, C = -3
    for building, r, w in (("traditional", 12.64, 9.1), ("thermally_efficient", 28.19, 27.8)):
        expected = 10.0 * np.log10(10.0 ** (r / 10) + 10.0 ** (w / 10) + 10.0**-0.3)
        assert p2109.building_entry_loss(1.0, building=building) == pytest.approx(expected)
    # elevation adds 0.212 dB a degree to the first term, upwards and downwards
    expected = 10.0 * np.log10(10.0 ** (1.264 + 0.636) + 10.0**0.91 + 10.0**-0.3)
    assert p2109.building_entry_loss(1.0, elevation_deg=30.0) == pytest.approx(expected)
    assert p2109.building_entry_loss(1.0, elevation_deg=-30.0) == pytest.approx(expected)


@settings(max_examples=80, deadline=None)
@given(
    st.floats(0.08, 100.0),
    st.sampled_from(sorted(p2109.COEFFICIENTS)),
    st.floats(-90.0, 90.0),
)
def test_laws(frequency_ghz, building, elevation_deg):
    loss = p2109.building_entry_loss(
        frequency_ghz,
        probability_percent=np.linspace(0.5, 99.5, 100),
        building=building,
        elevation_deg=elevation_deg,
    )
    assert np.isfinite(loss).all()
    assert (np.diff(loss) > 0.0).all()
    assert loss[0] > -3.0
    assert 2.0 < p2109.entry_loss_sigma_db(frequency_ghz, building=building) < 22.0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"frequency_ghz": 0.07}, OutsideModelRange, "valid from 0.08 to 100"),
        ({"frequency_ghz": [1.0, np.nan]}, OutsideModelRange, "frequency_ghz is nan"),
        ({"elevation_deg": 91.0}, OutsideModelRange, "elevation_deg is 91.0"),
        ({"probability_percent": 100.0}, InputError, "probability_percent is 100.0"),
        ({"probability_percent": 0.0}, InputError, "probability_percent is 0.0"),
        ({"building": "tent"}, InputError, "building is tent"),
    ],
)
def test_bad_input(arguments, error, message):
    arguments = {"frequency_ghz": 1.0, **arguments}
    with pytest.raises(error, match=re.escape(message)):
        p2109.building_entry_loss(arguments.pop("frequency_ghz"), **arguments)
