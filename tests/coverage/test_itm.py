"""ITM against NTIA's results, its sweep against its path function, and bad input."""

import csv
import re
import warnings

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coverage.kernels import itm as kernel
from coverage.propagation import itm
from coverage.propagation.ranges import ModelRangeWarning, OutsideModelRange
from data.errors import InputError
from tests.vectors import load_json, shared_path

POLARIZATION = {0: "horizontal", 1: "vertical"}
SITING = {0: "random", 1: "careful", 2: "very careful"}
# without the compiler (line coverage runs so) the same checks on fewer points
COMPILED = not numba.config.DISABLE_JIT

HEIGHTS = {"tx_height_m": 30.0, "rx_height_m": 1.5}
USUAL = {"frequency_mhz": 900.0, **HEIGHTS}


def case_result(case):
    """Result of one case of itm_sweep.json."""
    return itm.point_to_point(
        case["height_m"],
        case["spacing_m"],
        frequency_mhz=case["f_mhz"],
        tx_height_m=case["h_tx_m"],
        rx_height_m=case["h_rx_m"],
        climate=case["climate"],
        n0=case["N_0"],
        polarization=POLARIZATION[case["pol"]],
        epsilon=case["epsilon"],
        sigma=case["sigma"],
        mdvar=case["mdvar"],
        time_percent=case["time"],
        location_percent=case["location"],
        situation_percent=case["situation"],
    )


def test_reference_cases_with_intermediate_values():
    cases = load_json("itm/itm_sweep.json")
    assert len(cases) == 300
    modes = set()
    for case in cases:
        if case["rc"] > 1:
            with pytest.raises(InputError):
                case_result(case)
            continue
        result = case_result(case)
        modes.add(result.mode)
        assert result.loss_db == pytest.approx(case["A_db"], abs=1e-4)
        assert int(result.warnings) == case["warnings"]
        assert result.mode == case["mode"]
        assert result.reference_attenuation_db == pytest.approx(case["A_ref_db"], abs=1e-4)
        assert result.free_space_db == pytest.approx(case["A_fs_db"], abs=1e-9)
        assert result.theta_horizon_rad == pytest.approx(
            (case["theta_hzn_tx_rad"], case["theta_hzn_rx_rad"]), abs=1e-8
        )
        assert result.horizon_distance_m == pytest.approx(
            (case["d_hzn_tx_m"], case["d_hzn_rx_m"]), abs=1e-3
        )
        assert result.effective_height_m == pytest.approx(
            (case["h_e_tx_m"], case["h_e_rx_m"]), abs=1e-6
        )
        assert result.delta_h_m == pytest.approx(case["delta_h_m"], abs=1e-4)
        assert result.surface_refractivity == pytest.approx(case["N_s"], abs=1e-6)
    assert modes == set(itm.PropagationMode)


def test_cellular_paths():
    paths = load_json("hanam_paths.json")
    assert len(paths) == 80
    for path in paths:
        case = path["itm"]
        result = itm.point_to_point(
            path["profile"]["height_m"],
            case["spacing_m"],
            frequency_mhz=1000.0 * path["frequency_ghz"],
            tx_height_m=path["tx_height_m"],
            rx_height_m=path["rx_height_m"],
            climate=case["climate"],
            n0=path["n0"],
            polarization=path["polarization"],
            epsilon=case["epsilon"],
            sigma=case["sigma"],
            mdvar=case["mdvar"],
            time_percent=case["time"],
            location_percent=case["location"],
            situation_percent=case["situation"],
        )
        assert result.loss_db == pytest.approx(case["loss_db"], abs=1e-4)
        assert int(result.warnings) == case["warnings"]


def rows(name):
    """Rows of a CSV file of NTIA's examples, as numbers."""
    text = shared_path(f"vectors/itm/{name}").read_text(encoding="utf-8")
    return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(text.splitlines())]


def common(row):
    """Arguments that the examples of both modes share."""
    return {
        "frequency_mhz": row["f__mhz"],
        "tx_height_m": row["h_tx__meter"],
        "rx_height_m": row["h_rx__meter"],
        "climate": int(row["climate"]),
        "n0": row["N_0"],
        "polarization": POLARIZATION[int(row["pol"])],
        "epsilon": row["epsilon"],
        "sigma": row["sigma"],
        "mdvar": int(row["mdvar"]),
    }


def test_point_to_point_examples():
    text = shared_path("vectors/itm/pfls.csv").read_text(encoding="utf-8")
    profiles = [[float(v) for v in line.split(",")] for line in text.split()]
    for profile, row in zip(profiles, rows("p2p.csv"), strict=True):
        assert len(profile) == profile[0] + 3
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ModelRangeWarning)
            loss = itm.point_to_point_loss(
                profile[2:],
                profile[1],
                **common(row),
                time_percent=row["time"],
                location_percent=row["location"],
                situation_percent=row["situation"],
            )
        # printed with two digits
        assert loss == pytest.approx(row["A__db"], abs=0.005)


def test_area_examples():
    for row in rows("area.csv"):
        result = itm.area(
            row["d__km"],
            **common(row),
            delta_h_m=row["delta_h__meter"],
            tx_siting=SITING[int(row["tx_siting_criteria"])],
            rx_siting=SITING[int(row["rx_siting_criteria"])],
            time_percent=row["time"],
            location_percent=row["location"],
            situation_percent=row["situation"],
        )
        # printed with one digit
        assert result.loss_db == pytest.approx(row["A__db"], abs=0.0501)


def hills(points=201, seed=1, height_m=60.0):
    rng = np.random.default_rng(seed)
    h = np.cumsum(rng.normal(size=points))
    return height_m * (h - h.min()) / np.ptp(h)


@pytest.mark.filterwarnings("ignore::coverage.propagation.ranges.ModelRangeWarning")
def test_confidence_and_reliability_stand_for_situation_and_time():
    expected = itm.point_to_point_loss(
        hills(), 50.0, **USUAL, time_percent=95.0, situation_percent=80.0
    )
    found = itm.point_to_point_loss_cr(
        hills(), 50.0, **USUAL, reliability_percent=95.0, confidence_percent=80.0
    )
    assert found == expected


def test_plain_functions_warn_once_and_name_the_reasons():
    with pytest.warns(ModelRangeWarning, match=r"shorter than 1 km") as caught:
        loss = itm.point_to_point_loss(np.zeros(20), 30.0, **USUAL)
    assert len(caught) == 1
    assert loss == itm.point_to_point(np.zeros(20), 30.0, **USUAL).loss_db
    with pytest.warns(ModelRangeWarning, match="1000 km") as caught:
        itm.area_loss(1500.0, **USUAL, delta_h_m=90.0)
    assert len(caught) == 1


def test_no_warning_on_an_ordinary_path():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        itm.point_to_point_loss(np.zeros(601), 30.0, **USUAL)


def test_every_warning_bit_has_a_text():
    assert set(itm.WARNING_TEXTS) == set(itm.ItmWarning)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frequency_mhz": 19.9}, "frequency_mhz is 19.9, but the model is valid from 20 to 20000"),
        ({"frequency_mhz": 20_001.0}, "valid from 20 to 20000"),
        ({"frequency_mhz": float("nan")}, "frequency_mhz is nan"),
        ({"tx_height_m": 0.4}, "tx_height_m is 0.4"),
        ({"rx_height_m": 3001.0}, "rx_height_m is 3001.0"),
        ({"n0": 249.0}, "n0 is 249.0"),
        ({"epsilon": 0.5}, "epsilon is 0.5"),
    ],
)
def test_values_outside_the_model(changes, message):
    with pytest.raises(OutsideModelRange, match=re.escape(message)):
        itm.point_to_point_loss(np.zeros(101), 50.0, **(USUAL | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"climate": 0}, "climate is 0, but it must be a whole number from 1 to 7"),
        ({"climate": 8}, "climate is 8"),
        ({"polarization": "circular"}, "polarization is circular"),
        ({"sigma": 0.0}, "sigma is 0.0 S/m"),
        ({"mdvar": 4}, "mdvar is 4"),
        ({"mdvar": 14}, "mdvar is 14"),
        ({"time_percent": 0.0}, "time_percent is 0.0"),
        ({"location_percent": 100.0}, "location_percent is 100.0"),
        ({"situation_percent": float("nan")}, "situation_percent is nan"),
        ({"epsilon": 1.0, "polarization": "horizontal"}, "ground constants epsilon 1.0"),
    ],
)
def test_bad_choices(changes, message):
    with pytest.raises(InputError, match=re.escape(message)):
        itm.point_to_point_loss(np.zeros(101), 50.0, **(USUAL | changes))


@pytest.mark.parametrize(
    ("height_m", "spacing_m", "message"),
    [
        ([10.0], 30.0, "at least two heights"),
        ([[1.0, 2.0], [3.0, 4.0]], 30.0, "at least two heights"),
        ([1.0, 2.0, 3.0], 0.0, "spacing_m is 0.0"),
        ([1.0, 2.0, 3.0], float("nan"), "spacing_m is nan"),
        ([1.0, float("nan"), 3.0], 30.0, "height 1 of the profile is nan"),
        ([1.0, 2.0, float("inf")], 30.0, "height 2 of the profile is inf"),
    ],
)
def test_bad_profiles(height_m, spacing_m, message):
    with pytest.raises(InputError, match=re.escape(message)):
        itm.point_to_point_loss(height_m, spacing_m, **USUAL)


def test_confidence_is_named_in_its_error():
    with pytest.raises(InputError, match="confidence_percent is 100"):
        itm.point_to_point_loss_cr(np.zeros(101), 50.0, **USUAL, confidence_percent=100.0)
    with pytest.raises(InputError, match="reliability_percent is 0"):
        itm.point_to_point_loss_cr(np.zeros(101), 50.0, **USUAL, reliability_percent=0.0)


def test_terrain_so_deep_or_high_that_the_refractivity_leaves_the_model():
    with pytest.raises(OutsideModelRange, match="surface refractivity"):
        itm.point_to_point_loss(np.full(101, -400.0), 50.0, **USUAL, n0=395.0)
    with pytest.raises(OutsideModelRange, match="surface refractivity"):
        itm.point_to_point_loss(np.full(101, 8000.0), 50.0, **USUAL)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distance_km": 0.0}, "distance_km is 0.0"),
        ({"delta_h_m": -1.0}, "delta_h_m is -1.0"),
        ({"tx_siting": "lucky"}, "tx_siting is lucky"),
    ],
)
def test_bad_area_input(changes, message):
    arguments = {"distance_km": 10.0, "delta_h_m": 90.0, **USUAL, **changes}
    with pytest.raises(InputError, match=re.escape(message)):
        itm.area_loss(arguments.pop("distance_km"), **arguments)


def compare(height_m, spacing_m, points, frequencies_mhz=(900.0,), **changes):
    """Assert that the sweep equals the path function at some points of a radial."""
    arguments = {"tx_height_m": 30.0, "rx_height_m": 1.5, **changes}
    swept, flags = itm.radial_loss(
        height_m, spacing_m, frequencies_mhz=frequencies_mhz, **arguments
    )
    assert swept.shape == (len(frequencies_mhz), len(height_m) - 1)
    seen = itm.ItmWarning(0)
    for i in points:
        for k, frequency_mhz in enumerate(frequencies_mhz):
            try:
                result = itm.point_to_point(
                    height_m[: i + 1], spacing_m, frequency_mhz=frequency_mhz, **arguments
                )
            except InputError:
                assert np.isnan(swept[k, i - 1])
                continue
            assert swept[k, i - 1] == pytest.approx(result.loss_db, abs=1e-6), (i, frequency_mhz)
            seen |= result.warnings
    assert seen & flags == seen
    return swept


TERRAINS = {
    "flat": lambda n: np.zeros(n),
    "flat, not at sea level": lambda n: np.full(n, 7.3),
    "slope": lambda n: 0.4 * np.arange(n),
    "ridge": lambda n: np.where(np.arange(n) == n // 2, 300.0, 0.0),
    "cliff at the first step": lambda n: np.where(np.arange(n) >= 1, 200.0, 0.0),
    "cliff at the last step": lambda n: np.where(np.arange(n) == n - 1, 200.0, 0.0),
    "pit": lambda n: np.where(np.arange(n) == 0, 0.0, 200.0),
    "terraces": lambda n: np.round(hills(n, 2) / 20.0) * 20.0,
    "hills": lambda n: hills(n, 3, 400.0),
    "noise": lambda n: np.random.default_rng(4).normal(0.0, 30.0, n),
    "ties": lambda n: np.random.default_rng(5).integers(0, 4, n).astype(float),
    "below sea level": lambda n: -50.0 - hills(n, 6),
    "comb": lambda n: np.where(np.arange(n) % 10 == 0, 40.0, 0.0),
    "falling mountain": lambda n: 3000.0 - 5.0 * np.arange(n),
}


@pytest.mark.parametrize("name", TERRAINS)
@pytest.mark.parametrize("spacing_m", [30.0, 27.31])
def test_sweep_equals_path_on_adversarial_terrain(name, spacing_m):
    for points in (5, 40, 400) if COMPILED else (5, 40):
        height = TERRAINS[name](points)
        every = range(1, points) if points < 50 else range(7, points, 37)
        compare(height, spacing_m, every)
        compare(height, spacing_m, every, tx_height_m=5.0, rx_height_m=10.0)


@settings(max_examples=100 if COMPILED else 3, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 300),
    st.floats(1.0, 200.0),
    st.floats(0.0, 500.0),
    st.floats(1.0, 300.0),
    st.floats(0.5, 50.0),
    st.sampled_from([0, 1, 2, 3, 10, 12, 20, 23, 33]),
    st.integers(1, 7),
    st.floats(1.0, 99.0),
    st.sampled_from(["vertical", "horizontal"]),
)
def test_sweep_equals_path_on_random_terrain(
    seed, points, spacing_m, relief_m, tx_height_m, rx_height_m, mdvar, climate, percent, pol
):
    height = np.append(0.0, hills(max(points, 2), seed, relief_m))
    compare(
        height,
        spacing_m,
        np.unique(np.linspace(1, height.size - 1, 12).astype(int)),
        frequencies_mhz=(150.0, 2600.0),
        tx_height_m=tx_height_m,
        rx_height_m=rx_height_m,
        mdvar=mdvar,
        climate=climate,
        time_percent=percent,
        location_percent=100.0 - percent,
        situation_percent=percent,
        polarization=pol,
        n0=340.0,
    )


@pytest.mark.skipif(not COMPILED, reason="long radials take minutes without the compiler")
def test_sweep_on_a_long_radial_reaches_diffraction_and_troposcatter():
    height = hills(2001, 7, 300.0)
    compare(height, 50.0, range(50, 2001, 61), tx_height_m=60.0)
    modes = {itm.point_to_point(height[: i + 1], 50.0, **USUAL).mode for i in (40, 400, 1000, 2000)}
    assert len(modes) > 1
    far = hills(1501, 8, 300.0)
    swept = compare(far, 200.0, [900, 1500])
    assert itm.point_to_point(far, 200.0, **USUAL).mode == itm.PropagationMode.TROPOSCATTER
    assert np.isfinite(swept).all()


def test_sweep_of_cellular_paths():
    for path in load_json("hanam_paths.json")[:: 8 if COMPILED else 40]:
        height = np.asarray(path["profile"]["height_m"])
        last = height.size - 1
        compare(
            height,
            path["itm"]["spacing_m"],
            sorted({last // 3, last // 2, last}),
            tx_height_m=path["tx_height_m"],
            rx_height_m=path["rx_height_m"],
            n0=path["n0"],
        )


def test_a_hole_ends_the_radial():
    height = hills()
    height[120] = np.nan
    swept, _ = itm.radial_loss(height, 30.0, frequencies_mhz=[900.0], **HEIGHTS)
    assert np.isfinite(swept[0, :119]).all()
    assert np.isnan(swept[0, 119:]).all()
    height[0] = np.nan
    swept, _ = itm.radial_loss(height, 30.0, frequencies_mhz=[900.0], **HEIGHTS)
    assert np.isnan(swept).all()


def test_sweep_gives_no_number_where_the_path_function_raises():
    height = np.linspace(0.0, -2000.0, 101)
    arguments = {**HEIGHTS, "n0": 395.0}
    swept, _ = itm.radial_loss(height, 50.0, frequencies_mhz=[900.0], **arguments)
    assert np.isfinite(swept[0, 1])
    assert np.isnan(swept[0, -1])
    with pytest.raises(OutsideModelRange):
        itm.point_to_point(height, 50.0, frequency_mhz=900.0, **arguments)


def test_a_path_too_steep_for_the_model_is_an_error():
    height = [0.0, 1.03, 0.0, 4.99, 5.81, 1.63]
    with pytest.raises(InputError, match="too short and steep"):
        itm.point_to_point_loss(height, 1.0, frequency_mhz=150.0, tx_height_m=20.0, rx_height_m=0.5)


def test_block_gives_wanted_points_of_each_radial():
    prepared = itm.prepare(
        frequencies_mhz=[900.0, 1800.0],
        **HEIGHTS,
        climate=1,
        n0=301.0,
        polarization="vertical",
        epsilon=15.0,
        sigma=0.005,
        mdvar=12,
        time_percent=50.0,
        location_percent=50.0,
        situation_percent=50.0,
    )
    heights = np.stack([hills(seed=seed) for seed in range(3)])
    out = np.zeros((3, 2, 201), np.float32)
    first = np.array([0, 1, 60], np.int32)
    last = np.array([200, 100, 200], np.int32)
    kernel.itm_block(
        prepared.frequencies, prepared.statistics, heights, first, last, 30.0, 30.0, 1.5, 301.0,
        2.0, out,
    )  # fmt: skip
    for r in range(3):
        alone, _ = itm.radial_loss(heights[r], 30.0, frequencies_mhz=[900.0, 1800.0], **HEIGHTS)
        wanted = slice(max(first[r], 1), last[r] + 1)
        from_mast = np.column_stack([np.full(2, np.nan), alone])
        np.testing.assert_allclose(out[r, :, wanted], from_mast[:, wanted] + 2.0, rtol=1e-6)
        assert np.isnan(out[r, :, : first[r]]).all()
        assert np.isnan(out[r, :, last[r] + 1 :]).all()
    # the mast itself: free space over the slant path to half a step
    slant_km = np.hypot(0.015, 0.0285)
    assert out[0, 0, 0] == pytest.approx(32.45 + 20.0 * np.log10(900.0 * slant_km) + 2.0, abs=1e-4)


def test_one_frequency_does_not_depend_on_the_others():
    both, _ = itm.radial_loss(hills(), 30.0, frequencies_mhz=[900.0, 3500.0], **HEIGHTS)
    alone, _ = itm.radial_loss(hills(), 30.0, frequencies_mhz=[3500.0], **HEIGHTS)
    np.testing.assert_array_equal(both[1], alone[0])


@settings(max_examples=300 if COMPILED else 20, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["normal", "ties", "zeros", "scaled"]),
    st.sampled_from([35, 45, 245]),
    st.floats(-1e4, 1e4),
    st.sampled_from([0.0, 1e-15, 1e-3, 1.0, 1e6]),
)
def test_selection_equals_sorting(seed, kind, count, guess, rank_step):
    rng = np.random.default_rng(seed)
    values = {
        "normal": rng.normal(size=count),
        "ties": rng.integers(-2, 3, count) * 1e-14,
        "zeros": np.zeros(count),
        "scaled": rng.normal(size=count) * 10.0 ** rng.integers(-14, 4),
    }[kind]
    residuals = np.empty(245, np.float32)
    keys = np.empty(245, np.int32)
    kernel._detrend(values, count, 0.0, 0.0, residuals, residuals.view(np.int32), keys)
    k = int(rng.integers(1, count + 1))
    expected = np.sort(values.astype(np.float32))[::-1][k - 1]
    assert kernel._kth_largest(keys, count, k, guess, rank_step) == expected


@settings(max_examples=40, deadline=None)
@given(st.floats(1.0, 100.0), st.floats(1.0, 40.0), st.floats(100.0, 10_000.0))
def test_area_loss_grows_with_distance(tx_height_m, step_km, frequency_mhz):
    losses = [
        itm.area(
            step_km * n,
            frequency_mhz=frequency_mhz,
            tx_height_m=tx_height_m,
            rx_height_m=2.0,
            delta_h_m=90.0,
        ).loss_db
        for n in range(1, 12)
    ]
    assert np.isfinite(losses).all()
    # the median of the climate may take back a few tenths in the line of sight
    assert (np.diff(losses) > -0.5).all()


def test_more_time_more_loss():
    losses = [
        itm.point_to_point(hills(), 200.0, **USUAL, time_percent=percent).loss_db
        for percent in (1.0, 10.0, 50.0, 90.0, 99.0)
    ]
    assert (np.diff(losses) > 0.0).all()


def test_location_sigma_is_what_the_variability_uses():
    # broadcast mode, no situation variability: the loss grows by sigma_L z and the rest is small
    result = itm.point_to_point(hills(), 200.0, **USUAL, mdvar=23)
    more = itm.point_to_point(hills(), 200.0, **USUAL, mdvar=23, location_percent=84.1345)
    sigma = itm.location_sigma_db(40.0, frequency_mhz=900.0, delta_h_m=result.delta_h_m)
    assert more.loss_db - result.loss_db == pytest.approx(sigma, abs=0.01)
    assert (
        pytest.approx(itm.location_sigma_db(10.0, frequency_mhz=900.0, delta_h_m=30.0), abs=0.05)
        == itm.SIGMA_DB
    )
