"""Hata's family: published formulas, worked values, the planning table, laws and bad input."""

import math
import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from coverage.propagation import hata
from coverage.propagation.free_space import free_space_loss
from coverage.propagation.ranges import ModelRangeWarning, OutsideModelRange
from data.errors import InputError

quiet = pytest.mark.filterwarnings("ignore::coverage.propagation.ranges.ModelRangeWarning")
MODELS = [hata.okumura_hata, hata.cost231_hata, hata.extended_hata]


def test_worked_example_of_a_large_city():
    # T. S. Rappaport, Wireless Communications, eq. 3.82-3.83 for 900 MHz, 100 m, 2 m, 4 km,
    # evaluated term by term: 69.55 + 77.283 - 27.64 - 1.049 + 31.8 * 0.60206 = 137.289
    loss = hata.okumura_hata(
        4.0, frequency_mhz=900.0, tx_height_m=100.0, rx_height_m=2.0, environment="urban_large"
    )
    assert loss == pytest.approx(137.29, abs=0.005)


@pytest.mark.parametrize("environment", ["urban", "suburban", "open"])
@pytest.mark.parametrize("frequency_mhz", [150.0, 900.0, 1500.0])
def test_formula_terms(environment, frequency_mhz):
    # Hata 1980 eq. 14-17 written out for 10 km, where the distance term is its own coefficient
    log_f = math.log10(frequency_mhz)
    log_h = math.log10(50.0)
    a = (1.1 * log_f - 0.7) * 1.5 - (1.56 * log_f - 0.8)
    urban = 69.55 + 26.16 * log_f - 13.82 * log_h - a + 44.9 - 6.55 * log_h
    gain = {
        "urban": 0.0,
        "suburban": 2.0 * math.log10(frequency_mhz / 28.0) ** 2 + 5.4,
        "open": 4.78 * log_f**2 - 18.33 * log_f + 40.94,
    }[environment]
    loss = hata.okumura_hata(
        10.0, frequency_mhz=frequency_mhz, tx_height_m=50.0, environment=environment
    )
    assert loss == pytest.approx(urban - gain, abs=1e-9)


# Link budgets and radii of the planning table (urban, suburban, open), margin 6.5 dB included.
PLANNING = [
    (hata.okumura_hata, 900.0, 145.5, 30.0, (3.48, 6.67, 22.5)),
    (hata.okumura_hata, 900.0, 145.5, 42.0, (4.13, 8.06, 28.1)),
    (hata.okumura_hata, 900.0, 132.5, 30.0, (1.49, 2.85, 9.60)),
    (hata.cost231_hata, 2100.0, 143.5, 30.0, (1.39, 3.13, 11.9)),
    (hata.cost231_hata, 1800.0, 131.2, 30.0, (0.72, 1.57, 5.81)),
    (hata.cost231_hata, 1800.0, 121.2, 30.0, (0.38, 0.82, 3.02)),
    (hata.okumura_hata, 900.0, 129.2, 30.0, (1.20, 2.30, 7.74)),
]


@quiet
@pytest.mark.parametrize(("model", "frequency_mhz", "allowed_db", "height_m", "radii_km"), PLANNING)
def test_cell_radii_of_the_planning_table(model, frequency_mhz, allowed_db, height_m, radii_km):
    for environment, radius_km in zip(("urban", "suburban", "open"), radii_km, strict=True):
        found = brentq(
            lambda d, environment=environment: (
                float(
                    model(
                        d,
                        frequency_mhz=frequency_mhz,
                        tx_height_m=height_m,
                        environment=environment,
                    )
                )
                - allowed_db
            ),
            0.05,
            90.0,
        )
        # the table has two or three digits, its budgets one decimal
        assert found == pytest.approx(radius_km, rel=0.006, abs=0.0051)


def test_cost231_adds_three_decibels_in_metropolitan_centres():
    arguments = {"frequency_mhz": 1800.0, "tx_height_m": 40.0}
    urban = hata.cost231_hata(5.0, **arguments)
    centre = hata.cost231_hata(5.0, **arguments, environment="urban_large")
    assert centre - urban == pytest.approx(3.0)


@quiet
@pytest.mark.parametrize(
    ("frequency_mhz", "distance_km", "environment", "expected"),
    [
        # the deterministic part printed in the tests of pysim5g (E. Oughton), an independent
        # implementation of Report ITU-R SM.2028; heights 20 and 1.5 m
        (800.0, 0.02, "urban", 59.17),
        (100.0, 0.2, "urban", 81.65),
        (800.0, 0.2, "urban", 104.14),
        (1800.0, 0.2, "urban", 115.10),
        (2100.0, 0.2, "urban", 116.85),
        (800.0, 0.2, "suburban", 94.50),
        (800.0, 0.5, "suburban", 108.51),
        (1800.0, 0.5, "urban", 129.12),
        (1800.0, 5.0, "urban", 164.34),
        (1800.0, 5.0, "open", 132.42),
        (700.0, 20.0, "urban", 173.07),
        (700.0, 20.0, "open", 145.59),
        (700.0, 21.0, "urban", 173.99),
        (700.0, 25.0, "urban", 177.24),
        (700.0, 50.0, "urban", 191.69),
        (700.0, 50.0, "open", 164.21),
    ],
)
def test_extended_hata_values(frequency_mhz, distance_km, environment, expected):
    loss = hata.extended_hata(
        distance_km,
        frequency_mhz=frequency_mhz,
        tx_height_m=20.0,
        environment=environment,
    )
    assert loss == pytest.approx(expected, abs=0.006)


@quiet
@pytest.mark.parametrize("environment", ["urban", "suburban", "open"])
def test_extended_hata_joins_its_pieces(environment):
    def loss(d, f):
        return hata.extended_hata(d, frequency_mhz=f, tx_height_m=40.0, environment=environment)

    for d in (0.04, 0.1, 20.0):
        assert loss(d * (1 + 1e-9), 900.0) == pytest.approx(loss(d * (1 - 1e-9), 900.0), abs=1e-3)
    for f in (150.0, 2000.0):
        assert loss(5.0, f * (1 + 1e-9)) == pytest.approx(loss(5.0, f * (1 - 1e-9)), abs=1e-3)
    # Hata and COST 231 do not quite meet at 1500 MHz
    assert loss(5.0, 1500.001) == pytest.approx(loss(5.0, 1500.0), abs=1.2)


@quiet
def test_extended_hata_is_reciprocal_and_equals_hata_in_hatas_range():
    one = hata.extended_hata(5.0, frequency_mhz=900.0, tx_height_m=50.0, rx_height_m=2.0)
    other = hata.extended_hata(5.0, frequency_mhz=900.0, tx_height_m=2.0, rx_height_m=50.0)
    assert one == other
    # SM.2028 rounds 69.55 to 69.6 and 26.16 to 26.2
    classic = hata.okumura_hata(5.0, frequency_mhz=900.0, tx_height_m=50.0, rx_height_m=2.0)
    assert one - classic == pytest.approx(0.05 + 0.04 * math.log10(900.0), abs=1e-9)


@quiet
@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(MODELS),
    st.sampled_from(hata.ENVIRONMENTS),
    st.floats(150.0, 3000.0),
    st.floats(10.0, 200.0),
    st.floats(1.0, 9.0),
)
def test_loss_is_finite_and_grows_with_distance(model, environment, frequency_mhz, tx_m, rx_m):
    d = np.geomspace(0.01, 60.0, 200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelRangeWarning)
        loss = model(
            d,
            frequency_mhz=frequency_mhz,
            tx_height_m=tx_m,
            rx_height_m=rx_m,
            environment=environment,
        )
    assert np.isfinite(loss).all()
    if model is hata.extended_hata:
        assert (loss >= free_space_loss(d, frequency_ghz=frequency_mhz / 1000.0) - 0.05).all()
    else:
        assert (np.diff(loss) > 0.0).all()


@quiet
@pytest.mark.parametrize("model", MODELS)
def test_areas_are_ordered(model):
    losses = [
        model(5.0, frequency_mhz=1500.0, tx_height_m=40.0, environment=environment)
        for environment in ("open", "suburban", "urban")
    ]
    assert losses == sorted(losses)


def test_parameters_broadcast():
    loss = hata.okumura_hata(
        np.array([[1.0], [2.0]]), frequency_mhz=[450.0, 900.0, 1400.0], tx_height_m=30.0
    )
    assert loss.shape == (2, 3)
    assert loss[1, 2] == hata.okumura_hata(2.0, frequency_mhz=1400.0, tx_height_m=30.0)


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        (hata.okumura_hata, (0.5, 900.0, 30.0), "distance_km is 0.5, outside 1 to 20"),
        (hata.okumura_hata, (5.0, 1800.0, 30.0), "frequency_mhz is 1800, outside 150 to 1500"),
        (hata.okumura_hata, (5.0, 900.0, 15.0), "tx_height_m is 15, outside 30 to 200"),
        (hata.cost231_hata, (5.0, 2100.0, 30.0), "frequency_mhz is 2100, outside 1500 to 2000"),
        (hata.extended_hata, (50.0, 900.0, 30.0), "distance_km is 50, outside 0 to 40"),
        (hata.extended_hata, (5.0, 3500.0, 30.0), "frequency_mhz is 3500, outside 30 to 3000"),
    ],
)
def test_leaving_the_range_warns(model, arguments, message):
    d, f, h = arguments
    with pytest.warns(ModelRangeWarning, match=re.escape(message)) as caught:
        model(d, frequency_mhz=f, tx_height_m=h)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("model", MODELS)
def test_no_warning_inside_the_range(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model([1.0, 20.0], frequency_mhz=1500.0, tx_height_m=[30.0, 200.0], rx_height_m=1.0)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distance_km": 0.0}, "distance_km is 0.0"),
        ({"distance_km": [1.0, float("nan")]}, "distance_km is nan"),
        ({"distance_km": 200.0}, "distance_km is 200.0"),
        ({"frequency_mhz": 10.0}, "frequency_mhz is 10.0"),
        ({"frequency_mhz": 28_000.0}, "valid from 30 to 4000"),
        ({"tx_height_m": 0.0}, "height_m is 0.0"),
        ({"rx_height_m": float("inf")}, "height_m is inf"),
    ],
)
def test_meaningless_values_are_errors(model, changes, message):
    arguments = {"distance_km": 5.0, "frequency_mhz": 900.0, "tx_height_m": 30.0, **changes}
    distance_km = arguments.pop("distance_km")
    with pytest.raises(OutsideModelRange, match=re.escape(message)):
        model(distance_km, **arguments)


def test_unknown_environment():
    with pytest.raises(InputError, match="environment is forest"):
        hata.okumura_hata(5.0, frequency_mhz=900.0, tx_height_m=30.0, environment="forest")
    with pytest.raises(InputError, match="environment is forest"):
        hata.shadow_fading_sigma_db(900.0, "forest")


def test_shadow_fading():
    # 0.65 log^2 f - 1.3 log f + A, evaluated by hand at 100 and 1000 MHz
    assert hata.shadow_fading_sigma_db(100.0) == pytest.approx(2.6 - 2.6 + 5.2)
    assert hata.shadow_fading_sigma_db(1000.0, "suburban") == pytest.approx(5.85 - 3.9 + 6.6)
    np.testing.assert_allclose(
        hata.extended_sigma_db([0.02, 0.07, 0.1, 0.2, 0.4, 1.0]), [3.5, 7.75, 12, 12, 10.5, 9]
    )
    assert hata.extended_sigma_db(0.15, above_roof=False) == 17.0
