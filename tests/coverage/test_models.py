"""The table of models: every entry sweeps an area, and gives what its path function gives."""

import re

import numpy as np
import pytest

from coverage import models, sweep
from coverage.propagation import hata, itm, tr38901
from coverage.propagation.free_space import free_space_loss
from coverage.propagation.ranges import ModelRangeWarning, OutsideModelRange
from data.errors import InputError
from data.grid import Grid, Raster

quiet = pytest.mark.filterwarnings("ignore::coverage.propagation.ranges.ModelRangeWarning")
STEP_M = 50.0
HEIGHT_M = 40.0


def radial(model, height_m, frequencies_mhz=(900.0,), antenna_height_m=HEIGHT_M, **changes):
    """Losses along one radial."""
    return sweep.radial_loss(
        height_m,
        step_m=STEP_M,
        antenna_height_m=antenna_height_m,
        frequencies_mhz=frequencies_mhz,
        settings=sweep.SweepSettings(model=model, **changes),
        latitude_deg=20.5,
    )


def hills(points=161):
    rng = np.random.default_rng(3)
    h = np.cumsum(rng.normal(size=points))
    return 80.0 * (h - h.min()) / np.ptp(h)


@quiet
@pytest.mark.parametrize("model", sorted(models.MODELS))
def test_every_model_predicts_an_area(model):
    grid = Grid("EPSG:32648", 0.0, 4000.0, STEP_M, 80, 80)
    x, y = np.meshgrid(np.arange(80), np.arange(80))
    terrain = Raster(grid, (20.0 + 15.0 * np.sin(x / 7.0) * np.cos(y / 9.0)).astype(np.float32))
    settings = sweep.SweepSettings(model=model, radius_m=1500.0)
    arguments = {
        "x_m": 2010.0,
        "y_m": 1980.0,
        "antenna_height_m": 25.0,
        "frequencies_mhz": [900.0, 1800.0],
        "grid": grid,
        "settings": settings,
    }
    window = sweep.predict_loss(terrain, None, **arguments)
    inside = np.isfinite(window.loss_db)
    assert 0.7 < inside.mean() < 0.85  # a disc in its square
    assert (window.loss_db[1][inside[1]] > window.loss_db[0][inside[0]] - 1e-3).mean() > 0.9
    again = sweep.predict_loss(terrain, None, **arguments, threads=2)
    np.testing.assert_array_equal(window.loss_db, again.loss_db)


@pytest.mark.parametrize("model", sorted(models.MODELS))
def test_every_model_states_range_reference_and_sigma(model):
    entry = models.get_model(model)
    assert entry.name == model
    assert entry.reference
    assert {"frequency_mhz", "distance_km"} <= set(entry.valid_range)
    for low, high, unit in entry.valid_range.values():
        assert low <= high
        assert unit
    assert 0.0 <= entry.sigma_db(1800.0, 50.0) < 12.0


@quiet
@pytest.mark.parametrize("model", sorted(models.MODELS))
def test_limits_are_where_results_end(model):
    entry = models.get_model(model)
    for name, (low, high, _) in entry.limits.items():
        assert low <= entry.valid_range[name][0] <= entry.valid_range[name][1] <= high
        for value in (low, high, 0.99 * low, 1.01 * high):
            given = {"frequencies_mhz": (900.0,), "antenna_height_m": 40.0}
            if name == "frequency_mhz":
                given["frequencies_mhz"] = (value,)
            else:
                given[name] = value
            if low <= value <= high:
                assert np.isfinite(radial(model, hills(5), **given)).all()
            else:
                with pytest.raises(OutsideModelRange):
                    radial(model, hills(5), **given)


def test_empirical_models_spread_more_than_the_terrain_model():
    sigma = {name: entry.sigma_db(900.0, 50.0) for name, entry in models.MODELS.items()}
    assert sigma["p1812"] < 3.0
    for name in ("okumura_hata", "cost231_hata", "extended_hata", "tr38901_uma", "itm"):
        assert sigma[name] > 5.0


def test_itm_sweep_equals_its_path_function():
    height = hills()
    loss = radial("itm", height, (900.0, 2600.0), time_percent=90.0, n0=320.0)
    for i in (1, 2, 17, 80, 160):
        for k, frequency_mhz in enumerate((900.0, 2600.0)):
            path = itm.point_to_point(
                height[: i + 1],
                STEP_M,
                frequency_mhz=frequency_mhz,
                tx_height_m=HEIGHT_M,
                rx_height_m=1.5,
                time_percent=90.0,
                n0=320.0,
            )
            assert loss[k, i] == pytest.approx(path.loss_db, abs=1e-3)


def test_itm_takes_its_own_options():
    options = (("climate", 5), ("mdvar", 3), ("epsilon", 4.0), ("sigma", 0.001))
    found = radial("itm", hills(), options=(*options, ("situation_percent", 80.0)))[0, 120]
    path = itm.point_to_point(
        hills()[:121],
        STEP_M,
        frequency_mhz=900.0,
        tx_height_m=HEIGHT_M,
        rx_height_m=1.5,
        n0=sweep.SweepSettings().n0,
        climate=5,
        mdvar=3,
        epsilon=4.0,
        sigma=0.001,
        situation_percent=80.0,
    )
    assert found == pytest.approx(path.loss_db, abs=1e-3)


EMPIRICAL = {
    "okumura_hata": lambda d: hata.okumura_hata(d, frequency_mhz=900.0, tx_height_m=HEIGHT_M),
    "cost231_hata": lambda d: hata.cost231_hata(d, frequency_mhz=900.0, tx_height_m=HEIGHT_M),
    "extended_hata": lambda d: hata.extended_hata(d, frequency_mhz=900.0, tx_height_m=HEIGHT_M),
    **{
        f"tr38901_{scenario}": lambda d, scenario=scenario: tr38901.path_loss(
            1000.0 * d,
            frequency_ghz=0.9,
            scenario=scenario,
            condition="mean",
            tx_height_m=HEIGHT_M,
        )
        for scenario in ("uma", "umi", "rma")
    },
}


@quiet
@pytest.mark.parametrize("model", EMPIRICAL)
def test_empirical_sweep_is_the_formula_but_not_below_free_space(model):
    loss = radial(model, hills())[0]
    distance_km = np.arange(1, 161) * STEP_M / 1000.0
    floor = free_space_loss(np.hypot(distance_km, 0.0385), frequency_ghz=0.9)
    expected = np.maximum(EMPIRICAL[model](distance_km), floor)
    np.testing.assert_allclose(loss[1:], expected, atol=1e-3)
    assert np.isfinite(loss[0])
    height = hills()
    height[70] = np.nan
    holed = radial(model, height)[0]
    assert np.isfinite(holed[:70]).all()
    assert np.isnan(holed[70:]).all()


@quiet
def test_environment_and_condition_are_options():
    urban = radial("okumura_hata", hills())
    suburb = radial("okumura_hata", hills(), options=(("environment", "suburban"),))
    gain = 2.0 * np.log10(900.0 / 28.0) ** 2 + 5.4
    assert urban[0, 100] - suburb[0, 100] == pytest.approx(gain, abs=1e-3)
    los = radial("tr38901_uma", hills(), options=(("condition", "los"),))
    nlos = radial("tr38901_uma", hills(), options=(("condition", "nlos"),))
    assert (los[0, 2:] < nlos[0, 2:]).all()
    with pytest.raises(InputError, match="environment is swamp"):
        radial("okumura_hata", hills(), options=(("environment", "swamp"),))


@quiet
@pytest.mark.parametrize("model", ["itm", "okumura_hata", "tr38901_rma"])
def test_share_of_locations_moves_the_median(model):
    median = radial(model, hills())
    moved = radial(model, hills(), location_percent=90.0, sigma_location_db=8.0)
    np.testing.assert_allclose(moved - median, 1.2816 * 8.0, atol=5e-3)


@pytest.mark.parametrize(
    ("model", "frequency_mhz", "antenna_height_m", "message"),
    [
        ("okumura_hata", 1800.0, 40.0, "frequency_mhz is 1800, outside 150 to 1500"),
        ("okumura_hata", 900.0, 12.0, "tx_height_m is 12, outside 30 to 200"),
        ("tr38901_umi", 2000.0, 30.0, "tx_height_m is 30, outside 10 to 10"),
        ("itm", 30.0, 40.0, "the frequency is below 40 MHz"),
    ],
)
def test_leaving_a_range_is_told(model, frequency_mhz, antenna_height_m, message):
    with pytest.warns(ModelRangeWarning, match=re.escape(message)):
        radial(model, hills(), (frequency_mhz,), antenna_height_m)


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        ("itm", {"n0": 420.0}, "n0 is 420"),
        ("itm", {"time_percent": 0.0}, "time_percent is 0"),
    ],
)
def test_values_a_model_excludes(model, changes, message):
    with pytest.raises(InputError, match=re.escape(message)):
        radial(model, hills(), **changes)
    with pytest.raises(OutsideModelRange, match=r"frequency_mhz is 10\.0"):
        radial(model, hills(), (10.0,))
