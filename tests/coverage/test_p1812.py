"""ITU-R P.1812 against its validation vectors, its own laws and bad input."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coverage.kernels import p1812 as kernel
from coverage.propagation import free_space, p1812
from coverage.propagation.ranges import ModelRangeWarning, OutsideModelRange
from data.errors import InputError
from tests.vectors import load_json

PLACE = {"tx_lat": 20.5, "tx_lon": 105.9, "rx_lat": 20.6, "rx_lon": 105.9}


def case_loss(profile, case):
    """Loss of one case of the reference files."""
    return p1812.basic_transmission_loss(
        profile["distance_km"],
        profile["height_m"],
        frequency_ghz=case["frequency_ghz"],
        tx_height_m=case["tx_height_m"],
        rx_height_m=case["rx_height_m"],
        clutter_height_m=profile["clutter_height_m"],
        zone=profile.get("zone"),
        time_percent=case["time_percent"],
        location_percent=case.get("location_percent", 50.0),
        sigma_location_db=case.get("sigma_location_db", 0.0),
        polarization=case["polarization"],
        tx_lat=profile["tx_lat"],
        tx_lon=profile["tx_lon"],
        rx_lat=profile["rx_lat"],
        rx_lon=profile["rx_lon"],
        delta_n=case["delta_n"],
        n0=case["n0"],
        dct_km=case.get("dct_km", 500.0),
        dcr_km=case.get("dcr_km", 500.0),
    )


def test_validation_profiles():
    cases = [
        (profile["profile"], case)
        for profile in load_json("p1812/p1812_profiles.json").values()
        for case in profile["cases"]
    ]
    assert len(cases) == 39
    losses = [case_loss(profile, case) for profile, case in cases]
    expected = [case["expected_loss_db"] for _, case in cases]
    np.testing.assert_allclose(losses, expected, rtol=0, atol=0.001)


def test_cellular_paths():
    paths = load_json("hanam_paths.json")
    assert len(paths) == 80
    losses = [case_loss(path["profile"], path) for path in paths]
    np.testing.assert_allclose(
        losses, [path["p1812_loss_db"] for path in paths], rtol=0, atol=0.001
    )


def hills(seed=1, points=101, length_km=10.0, height_m=60.0):
    rng = np.random.default_rng(seed)
    d = np.linspace(0.0, length_km, points)
    h = np.cumsum(rng.normal(size=points))
    return d, height_m * (h - h.min()) / np.ptp(h)


def loss(d, h, **changes):
    arguments = {"frequency_ghz": 0.9, "tx_height_m": 40.0, "rx_height_m": 1.5, **PLACE, **changes}
    return p1812.basic_transmission_loss(d, h, **arguments)


def test_high_antennas_over_flat_ground_see_free_space():
    d = np.linspace(0.0, 5.0, 101)
    found = loss(d, np.zeros(101), tx_height_m=1000.0, rx_height_m=1000.0, frequency_ghz=2.0)
    assert found == pytest.approx(free_space.free_space_loss(5.0, frequency_ghz=2.0), abs=1e-3)


@given(seed=st.integers(0, 10_000), frequency=st.floats(0.03, 6.0))
@settings(max_examples=50, deadline=None)
def test_reciprocity_on_land(seed, frequency):
    """The same ground both ways gives the same loss where no zone or coast differs."""
    d, h = hills(seed)
    clutter = np.where(np.arange(101) % 7 < 3, 12.0, 0.0)
    there = loss(
        d, h, clutter_height_m=clutter, frequency_ghz=frequency, time_percent=10.0, n0=320.0
    )
    back = loss(
        d,
        h[::-1],
        clutter_height_m=clutter[::-1],
        frequency_ghz=frequency,
        time_percent=10.0,
        n0=320.0,
        tx_height_m=1.5,
        rx_height_m=40.0,
        tx_lat=20.6,
        rx_lat=20.5,
    )
    assert there == pytest.approx(back, abs=0.01)


@given(seed=st.integers(0, 10_000), frequency=st.floats(0.03, 6.0))
@settings(max_examples=40, deadline=None)
def test_loss_grows_with_time_percentage_and_never_beats_line_of_sight(seed, frequency):
    d, h = hills(seed)
    losses = [
        loss(d, h, frequency_ghz=frequency, time_percent=p) for p in (1.0, 3.0, 10.0, 25.0, 50.0)
    ]
    assert np.diff(losses).min() > -0.05
    slant_km = math.hypot(10.0, (h[0] + 40.0 - h[-1] - 1.5) / 1000.0)
    floor = free_space.free_space_loss(slant_km, frequency_ghz=frequency)
    assert losses[-1] >= floor - 1e-6


def test_loss_grows_with_location_percentage_by_the_normal_law():
    d, h = hills()
    middle = loss(d, h, sigma_location_db=5.5, location_percent=50.0)
    high = loss(d, h, sigma_location_db=5.5, location_percent=95.0)
    assert high - middle == pytest.approx(1.6449 * 5.5, abs=0.01)
    sea = np.full(101, 4)
    sea[-1] = 1
    at_sea = loss(d, h, sigma_location_db=5.5, location_percent=95.0, zone=sea)
    assert at_sea == pytest.approx(loss(d, h, zone=sea), abs=1e-9)


def test_ridge_costs_what_a_knife_edge_costs():
    """A single sharp edge over a deep valley: J(nu) and Bullington's addition, by hand."""
    d = np.linspace(0.0, 10.0, 101)
    h = np.zeros(101)
    h[50] = 200.0
    parts = np.empty(kernel.LOSS + 1)
    kernel.path_loss(
        d, h, h, np.full(101, 4, np.int8), 1.0, 50.0, 50.0, 50.0, True, 20.0, 45.0, 330.0,
        500.0, 500.0, parts,
    )  # fmt: skip
    bulge = 500.0 / (6371.0 * 157.0 / 112.0) * 25.0
    nu = (150.0 + bulge) * math.sqrt(0.002 * 10.0 / (0.2998 * 25.0))
    edge = 6.9 + 20.0 * math.log10(math.sqrt((nu - 0.1) ** 2 + 1.0) + nu - 0.1)
    expected = edge + (1.0 - math.exp(-edge / 6.0)) * 10.2
    assert parts[kernel.LBULLA] == pytest.approx(expected, abs=1e-6)


def test_inverse_normal_matches_scipy():
    from scipy.stats import norm

    for x in (0.01, 0.1, 0.3, 0.5, 0.8, 0.99):
        assert kernel.inverse_normal(x) == pytest.approx(norm.isf(x), abs=6e-4)


D, H = hills()

BAD = [
    ({"frequency_ghz": 0.02}, "frequency_ghz is 0.02, but the model is valid from 0.03 to 6"),
    ({"frequency_ghz": math.nan}, "frequency_ghz is nan"),
    ({"tx_height_m": 0.0}, "tx_height_m is 0.0"),
    ({"rx_height_m": -1.5}, "rx_height_m is -1.5"),
    ({"rx_height_m": 5000.0}, "rx_height_m is 5000.0"),
    ({"time_percent": 51.0}, "time_percent is 51.0"),
    ({"time_percent": 0.5}, "time_percent is 0.5"),
    ({"location_percent": 99.5}, "location_percent is 99.5"),
    ({"sigma_location_db": -1.0}, "sigma_location_db is -1.0"),
    ({"delta_n": 170.0}, "delta_n is 170.0"),
    ({"n0": math.inf}, "n0 is inf"),
    ({"polarization": "circular"}, "polarization is 'circular'"),
    ({"zone": np.full(101, 2)}, "zone of profile point 0 is 2, but it must be 1 (sea), 3"),
    ({"zone": [4, 4]}, "zone has shape (2,), but the profile has 101 points"),
    ({"clutter_height_m": np.full(101, -1.0)}, "clutter_height_m of profile point 0 is -1.0"),
    ({"clutter_height_m": np.full(101, np.nan)}, "clutter_height_m of profile point 0 is nan"),
    ({"tx_lat": 95.0}, "tx_lat is 95.0"),
    ({"rx_lon": math.nan}, "rx_lon is nan"),
    ({"dct_km": -2.0}, "dct_km is -2.0"),
]


@pytest.mark.parametrize(("change", "text"), BAD)
def test_bad_parameters_are_named(change, text):
    with pytest.raises(InputError, match=re.escape(text)):
        loss(D, H, **change)


def spoiled(values, index, value):
    copy = np.array(values, dtype=float)
    copy[index] = value
    return copy


@pytest.mark.parametrize(
    ("d", "h", "text"),
    [
        (D[:2], H[:2], "at least 3 points"),
        (D, H[:-1], "height_m has shape (100,), but the profile has 101 points"),
        (D + 1.0, H, "starts at 1.0, but it must start at 0"),
        (spoiled(D, 5, D[4]), H, "distance_km of profile point 5 is 0.4 after 0.4"),
        (spoiled(D, 5, np.nan), H, "distance_km of profile point 5 is nan"),
        (D, spoiled(H, 7, np.nan), "height_m of profile point 7 is nan"),
        (D, spoiled(H, 7, np.inf), "height_m of profile point 7 is inf"),
        (D.reshape(1, -1), H, "needs one dimension"),
        (["a", "b", "c"], H, "distance_km must be a sequence of numbers"),
        (D, "abc", "height_m must be a sequence of numbers"),
    ],
)
def test_bad_profiles_are_named(d, h, text):
    with pytest.raises(InputError, match=re.escape(text)):
        loss(d, h)


def test_range_error_carries_its_parts():
    with pytest.raises(OutsideModelRange) as caught:
        loss(D, H, frequency_ghz=7.0)
    error = caught.value
    assert (error.model, error.parameter, error.value, error.valid) == (
        "ITU-R P.1812",
        "frequency_ghz",
        7.0,
        (0.03, 6.0),
    )


def test_short_path_warns():
    with pytest.warns(ModelRangeWarning, match="distance_km is 0.1, outside"):
        found = loss([0.0, 0.05, 0.1], [5.0, 5.0, 5.0])
    assert math.isfinite(found)


def test_free_space_input():
    assert free_space.free_space_loss([1.0, 10.0], frequency_ghz=1.0).tolist() == [92.4, 112.4]
    with pytest.raises(InputError, match="distance_km is 0"):
        free_space.free_space_loss(0.0, frequency_ghz=1.0)
    with pytest.raises(InputError, match="frequency_ghz is -1"):
        free_space.free_space_loss(1.0, frequency_ghz=-1.0)
