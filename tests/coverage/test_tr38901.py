"""TR 38.901 against ns-3's reference losses, its own laws and bad input."""

import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coverage.propagation import tr38901
from coverage.propagation.ranges import ModelRangeWarning, OutsideModelRange
from data.errors import InputError

quiet = pytest.mark.filterwarnings("ignore::coverage.propagation.ranges.ModelRangeWarning")
SCENARIOS = ("uma", "umi", "rma")

# Expected losses at 5 GHz of ns-3's three-gpp-propagation-loss-model-test-suite (SIGNET Lab,
# University of Padova), computed there from table 7.4.1-1; terminals at 1.5 m.
NS3 = {
    ("rma", "los"): {10.0: 77.3784, 100.0: 87.2965, 1000.0: 108.5577, 10_000.0: 140.3896},
    ("rma", "nlos"): {10.0: 77.3784, 100.0: 95.7718, 1000.0: 133.5223, 5000.0: 160.5169},
    ("uma", "los"): {10.0: 72.9380, 100.0: 86.2362, 1000.0: 109.7252, 5000.0: 137.6794},
    ("uma", "nlos"): {10.0: 82.5131, 100.0: 106.1356, 1000.0: 144.7641, 5000.0: 172.0753},
    ("umi", "los"): {10.0: 69.8591, 100.0: 88.4122, 1000.0: 119.3114, 5000.0: 147.2696},
    ("umi", "nlos"): {10.0: 76.7563, 100.0: 107.9432, 1000.0: 143.1886, 5000.0: 167.8617},
}


@pytest.mark.parametrize(("scenario", "condition"), NS3)
def test_reference_losses(scenario, condition):
    expected = NS3[scenario, condition]
    loss = tr38901.path_loss(
        list(expected), frequency_ghz=5.0, scenario=scenario, condition=condition
    )
    np.testing.assert_allclose(loss, list(expected.values()), rtol=0, atol=1e-4)


def test_los_probability_by_hand():
    # table 7.4.2-1 at d = 100 m
    umi = 0.18 + np.exp(-100.0 / 36.0) * 0.82
    uma = 0.18 + np.exp(-100.0 / 63.0) * 0.82
    assert tr38901.los_probability(100.0, scenario="umi") == pytest.approx(umi)
    assert tr38901.los_probability(100.0, scenario="uma") == pytest.approx(uma)
    tall = uma * (1.0 + 1.25 * np.exp(-100.0 / 150.0))
    found = tr38901.los_probability(100.0, scenario="uma", rx_height_m=23.0)
    assert found == pytest.approx(min(tall, 1.0))
    assert tr38901.los_probability(1010.0, scenario="rma") == pytest.approx(np.exp(-1.0))
    for scenario, near_m in (("uma", 18.0), ("umi", 18.0), ("rma", 10.0)):
        assert tr38901.los_probability(near_m, scenario=scenario) == 1.0


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SCENARIOS), st.floats(1.5, 22.0), st.floats(0.5, 30.0))
def test_laws(scenario, rx_height_m, frequency_ghz):
    d = np.geomspace(10.0, 5000.0, 150)
    arguments = {
        "frequency_ghz": frequency_ghz,
        "scenario": scenario,
        "rx_height_m": min(rx_height_m, 9.0) if scenario != "uma" else rx_height_m,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelRangeWarning)
        los = tr38901.path_loss(d, condition="los", **arguments)
        nlos = tr38901.path_loss(d, condition="nlos", **arguments)
        mean = tr38901.path_loss(d, condition="mean", **arguments)
    p = tr38901.los_probability(d, scenario=scenario, rx_height_m=arguments["rx_height_m"])
    for loss in (los, nlos, mean):
        assert np.isfinite(loss).all()
    assert ((p >= 0.0) & (p <= 1.0)).all()
    assert (nlos >= los).all()
    assert ((mean >= los - 1e-9) & (mean <= nlos + 1e-9)).all()
    # the published pieces do not quite meet at the break point (UMa and UMi lose up to 0.1 dB)
    assert (np.diff(los) > -0.1).all()
    sigma = tr38901.shadow_fading_sigma_db(d, condition="mean", **arguments)
    assert (sigma >= tr38901.SIGMA_DB[scenario]["los"] - 1e-9).all()


def test_sigma_of_the_mixture_by_simulation():
    arguments = {"frequency_ghz": 2.0, "scenario": "uma"}
    rng = np.random.default_rng(1)
    p = float(tr38901.los_probability(150.0, scenario="uma"))
    clear = rng.random(400_000) < p
    los, nlos = (
        float(tr38901.path_loss(150.0, condition=condition, **arguments))
        for condition in ("los", "nlos")
    )
    sample = np.where(clear, rng.normal(los, 4.0, clear.size), rng.normal(nlos, 6.0, clear.size))
    mean = tr38901.path_loss(150.0, condition="mean", **arguments)
    sigma = tr38901.shadow_fading_sigma_db(150.0, condition="mean", **arguments)
    assert sample.mean() == pytest.approx(float(mean), abs=0.05)
    assert sample.std() == pytest.approx(float(sigma), abs=0.05)


def test_sigma_of_the_table():
    arguments = {"frequency_ghz": 0.7, "scenario": "rma"}
    # break point 2 pi 35 1.5 0.7e9 / c = 770 m
    sigma = tr38901.shadow_fading_sigma_db([700.0, 800.0], condition="los", **arguments)
    np.testing.assert_array_equal(sigma, [4.0, 6.0])
    assert tr38901.shadow_fading_sigma_db(700.0, **arguments) == 8.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distance_m": 5.0}, "distance_m is 5, outside 10 to 5000"),
        ({"distance_m": [100.0, 6000.0]}, "distance_m is 6000"),
        ({"frequency_ghz": 0.45}, "frequency_ghz is 0.45"),
        ({"tx_height_m": 40.0}, "tx_height_m is 40, outside 25 to 25"),
        ({"rx_height_m": 1.0}, "rx_height_m is 1, outside 1.5 to 22.5"),
        ({"scenario": "rma", "building_height_m": 60.0}, "building_height_m is 60"),
        ({"scenario": "rma", "distance_m": 7000.0}, "distance_m is 7000, outside 10 to 5000"),
    ],
)
def test_leaving_the_range_warns(changes, message):
    arguments = {"distance_m": 500.0, "frequency_ghz": 2.0, "scenario": "uma", **changes}
    distance_m = arguments.pop("distance_m")
    with pytest.warns(ModelRangeWarning, match=re.escape(message)) as caught:
        loss = tr38901.path_loss(distance_m, **arguments)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert np.isfinite(loss).all()


def test_rural_line_of_sight_reaches_farther():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tr38901.path_loss(9000.0, frequency_ghz=0.7, scenario="rma", condition="los")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"distance_m": 0.0}, InputError, "distance_m is 0.0"),
        ({"distance_m": float("nan")}, InputError, "distance_m is nan"),
        ({"frequency_ghz": 900.0}, OutsideModelRange, "frequency_ghz is 900.0"),
        ({"tx_height_m": 0.0}, OutsideModelRange, "tx_height_m is 0.0"),
        ({"rx_height_m": 0.5}, OutsideModelRange, "rx_height_m is 0.5"),
        ({"scenario": "inh"}, InputError, "scenario is inh"),
        ({"condition": "maybe"}, InputError, "condition is maybe"),
        ({"street_width_m": 0.0}, InputError, "street_width_m is 0.0"),
    ],
)
def test_meaningless_values_are_errors(changes, error, message):
    arguments = {"distance_m": 500.0, "frequency_ghz": 2.0, "scenario": "uma", **changes}
    distance_m = arguments.pop("distance_m")
    with pytest.raises(error, match=re.escape(message)):
        tr38901.path_loss(distance_m, **arguments)


def test_unknown_scenario_has_no_probability():
    with pytest.raises(InputError, match="scenario is inh"):
        tr38901.los_probability(100.0, scenario="inh")
