"""The area sweep against the path function, point by point, and rasters from radials."""

import json
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks import propagation
from coverage import models, sweep, terrain
from coverage.propagation import p1812
from data.errors import InputError
from data.grid import Grid, Raster

CRS = "EPSG:32648"
KM_PER_DEGREE = 6371.0 * math.pi / 180.0


def walk(rng, count):
    return np.cumsum(rng.normal(size=count)) * rng.choice([0.2, 1.0, 5.0])


def ridge(rng, count):
    heights = np.zeros(count)
    heights[rng.integers(1, count)] = rng.uniform(5.0, 300.0)
    return heights


def cliff_at_first_step(rng, count):
    heights = np.full(count, rng.uniform(-200.0, 200.0))
    heights[0] = 0.0
    return heights


def cliff_at_last_step(rng, count):
    heights = np.zeros(count)
    heights[-1] = rng.uniform(-200.0, 200.0)
    return heights


def plateaus(rng, count):
    return np.repeat(rng.integers(0, 5, size=count // 4 + 1) * 10.0, 5)[:count]


TERRAIN = {
    "walk": walk,
    "flat": lambda rng, count: np.full(count, rng.uniform(-5.0, 50.0)),
    "ridge": ridge,
    "cliff at the first step": cliff_at_first_step,
    "cliff at the last step": cliff_at_last_step,
    "plateaus with ties": plateaus,
    "below sea level": lambda rng, count: -60.0 + np.cumsum(rng.normal(size=count)),
    "rough": lambda rng, count: rng.normal(size=count) * 40.0,
    "valley": lambda rng, count: 0.02 * (np.arange(count) - count / rng.uniform(1, 3)) ** 2,
    "slope": lambda rng, count: np.arange(count) * rng.uniform(-3.0, 3.0),
}


def path_losses(height, clutter, zone, step_m, latitude, latitude_per_km, points, case):
    """Loss of the path function on the radial cut at the given points."""
    losses = []
    for n in points:
        d = np.arange(n + 1) * step_m / 1000.0
        # The path's centre lies on a meridian, as far north as the radial says.
        losses.append(
            p1812.basic_transmission_loss(
                d,
                height[: n + 1],
                clutter_height_m=None if clutter is None else clutter[: n + 1],
                zone=None if zone is None else zone[: n + 1],
                tx_lat=latitude,
                tx_lon=105.0,
                rx_lat=latitude + latitude_per_km * d[-1],
                rx_lon=105.0,
                **case,
            )
        )
    return np.array(losses)


@st.composite
def radials(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    count = draw(st.sampled_from([5, 6, 9, 40, 150, 400, 667]))
    step_m = draw(st.sampled_from([10.0, 30.0, 50.0, 90.0, 150.0]))
    height = TERRAIN[draw(st.sampled_from(sorted(TERRAIN)))](rng, count)
    clutter = None
    if draw(st.booleans()):
        clutter = np.where(rng.random(count) < 0.3, rng.choice([2.0, 10.0, 25.0], size=count), 0.0)
    zone = None
    if draw(st.booleans()):
        length = draw(st.integers(1, 60))
        zone = np.repeat(rng.choice([1, 3, 4], size=count // length + 1), length)[:count]
    case = {
        "tx_height_m": draw(st.sampled_from([3.0, 15.0, 40.0, 200.0])),
        "rx_height_m": draw(st.sampled_from([1.5, 10.0, 30.0])),
        "time_percent": draw(st.sampled_from([1.0, 1.0, 4.0, 10.0, 30.0, 49.9, 50.0, 50.0])),
        "location_percent": draw(st.sampled_from([1.0, 50.0, 50.0, 80.0, 99.0])),
        "sigma_location_db": draw(st.sampled_from([0.0, 5.5])),
        "polarization": draw(st.sampled_from(["vertical", "horizontal"])),
        "delta_n": draw(st.floats(20.0, 90.0)),
        "n0": draw(st.floats(280.0, 400.0)),
    }
    frequencies = draw(st.lists(st.floats(0.03, 6.0), min_size=1, max_size=3))
    latitude = draw(st.sampled_from([-75.0, -34.0, 0.0, 20.5, 60.0]))
    return rng, height, clutter, zone, step_m, case, frequencies, latitude


def settings_of(case, **changes):
    fields = {name: value for name, value in case.items() if name != "tx_height_m"}
    return sweep.SweepSettings(**{**fields, **changes})


@pytest.mark.filterwarnings("ignore::coverage.propagation.ranges.ModelRangeWarning")
@given(radials())
@settings(max_examples=250, deadline=None)
def test_every_point_of_a_radial_equals_the_path_function(radial):
    rng, height, clutter, zone, step_m, case, frequencies, latitude = radial
    count = height.size
    found = sweep.radial_loss(
        height,
        step_m=step_m,
        antenna_height_m=case["tx_height_m"],
        frequencies_mhz=[1000.0 * f for f in frequencies],
        settings=settings_of(case),
        latitude_deg=latitude,
        latitude_per_km_deg=1.0 / KM_PER_DEGREE,
        clutter_height_m=clutter,
        zone=zone,
    )
    assert found.shape == (len(frequencies), count)
    points = sorted({*range(2, min(count, 12)), count - 1, *rng.integers(2, count, size=8)})
    for frequency, losses in zip(frequencies, found, strict=True):
        expected = path_losses(
            height,
            clutter,
            zone,
            step_m,
            latitude,
            1.0 / KM_PER_DEGREE,
            points,
            {**case, "frequency_ghz": frequency},
        )
        np.testing.assert_allclose(losses[points], expected, rtol=0, atol=0.01)
    rise_km = 0.001 * (height[1] + case["rx_height_m"] - height[0] - case["tx_height_m"])
    slant = math.hypot(step_m / 1000.0, rise_km)
    free = 92.4 + 20.0 * math.log10(frequencies[0]) + 20.0 * math.log10(slant)
    assert found[0, 1] == pytest.approx(free, abs=1e-3)


@pytest.mark.parametrize("time_percent", [1.0, 50.0])
@pytest.mark.parametrize("kind", sorted(TERRAIN))
def test_radials_of_100_km(kind, time_percent):
    rng = np.random.default_rng(7)
    count = 3334
    height = TERRAIN[kind](rng, count)
    if kind == "valley":
        height /= 100.0
    case = {
        "tx_height_m": 60.0,
        "rx_height_m": 1.5,
        "time_percent": time_percent,
        "polarization": "vertical",
        "frequency_ghz": 1.8,
    }
    fields = {name: value for name, value in case.items() if name != "frequency_ghz"}
    found = sweep.radial_loss(
        height,
        step_m=30.0,
        antenna_height_m=60.0,
        frequencies_mhz=[1800.0],
        settings=settings_of(fields),
        latitude_deg=20.5,
        latitude_per_km_deg=1.0 / KM_PER_DEGREE,
    )[0]
    points = np.append(rng.integers(9, count, size=30), count - 1)
    expected = path_losses(height, None, None, 30.0, 20.5, 1.0 / KM_PER_DEGREE, points, case)
    np.testing.assert_allclose(found[points], expected, rtol=0, atol=0.01)


@pytest.mark.parametrize("zone_code", [1, 4])
@pytest.mark.parametrize("bumps_m", [0.0, 20.0])
def test_ducting_on_paths_with_a_clear_horizon(bumps_m, zone_code):
    """Clutter obstructs, terrain does not, and ducting is the weakest mechanism."""
    rng = np.random.default_rng(11)
    count = 601
    height = bumps_m * np.sin(np.arange(count) / 17.0) + 0.1 * bumps_m * rng.normal(size=count)
    clutter = np.where(rng.random(count) < 0.5, 20.0, 0.0)
    zone = np.full(count, zone_code)
    case = {
        "tx_height_m": 200.0,
        "rx_height_m": 10.0,
        "time_percent": 1.0,
        "polarization": "vertical",
    }
    frequencies = [0.1, 0.6, 2.0]
    found = sweep.radial_loss(
        height,
        step_m=100.0,
        antenna_height_m=200.0,
        frequencies_mhz=[1000.0 * f for f in frequencies],
        settings=settings_of(case),
        latitude_deg=20.0,
        clutter_height_m=clutter,
        zone=zone,
    )
    points = rng.integers(3, count, size=40)
    for frequency, losses in zip(frequencies, found, strict=True):
        # A path along a parallel keeps its latitude.
        expected = [
            p1812.basic_transmission_loss(
                np.arange(n + 1) * 0.1,
                height[: n + 1],
                clutter_height_m=clutter[: n + 1],
                zone=zone[: n + 1],
                frequency_ghz=frequency,
                tx_lat=20.0,
                tx_lon=105.0,
                rx_lat=20.0,
                rx_lon=105.0 + n * 0.1 / KM_PER_DEGREE / math.cos(math.radians(20.0)),
                **case,
            )
            for n in points
        ]
        np.testing.assert_allclose(losses[points], expected, rtol=0, atol=0.01)


def hilly(size=240, resolution_m=50.0, seed=3, x_min=600_000.0, y_max=2_300_000.0):
    """Smooth random hills, deterministic."""
    rng = np.random.default_rng(seed)
    frequencies = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    spectrum = np.where(frequencies > 0, np.maximum(frequencies, 1e-9) ** -1.6, 0.0)
    noise = np.fft.fft2(rng.normal(size=(size, size)))
    field = np.real(np.fft.ifft2(noise * spectrum * np.exp(-((frequencies * 8) ** 2))))
    field = 60.0 * field / field.std()
    grid = Grid(CRS, x_min, y_max, resolution_m, size, size)
    return Raster(grid, np.maximum(field, 0.0).astype(np.float32))


HILLS = hilly()
MAST = {"x_m": 606_010.0, "y_m": 2_293_970.0, "antenna_height_m": 35.0}


def predict(terrain_raster=HILLS, clutter=None, grid=None, settings=None, **changes):
    arguments = {**MAST, "frequencies_mhz": [900.0, 2600.0], **changes}
    return sweep.predict_loss(
        terrain_raster,
        clutter,
        grid=grid or HILLS.grid,
        settings=settings or sweep.SweepSettings(radius_m=4000.0),
        **arguments,
    )


def test_pixels_on_a_radial_hold_the_path_function():
    """North, east, south and west of a mast on a pixel centre no interpolation is at work."""
    clutter = Raster(HILLS.grid, np.where(HILLS.values > 30.0, 8.0, 0.0).astype(np.float32))
    x = HILLS.grid.x_centres()[120]
    y = HILLS.grid.y_centres()[120]
    settings = sweep.SweepSettings(radius_m=4000.0, profile_step_m=50.0)
    window = predict(clutter=clutter, x_m=x, y_m=y, settings=settings)
    centre = window.loss_db.shape[1] // 2
    for row, column in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        for n in (5, 6, 17, 40, 79):
            end = (x + 50.0 * n * column, y - 50.0 * n * row)
            profile = terrain.profile_between(
                HILLS, clutter, start_m=(x, y), end_m=end, step_m=50.0
            )
            for k, frequency in enumerate((0.9, 2.6)):
                expected = p1812.basic_transmission_loss(
                    profile.distance_km,
                    profile.height_m,
                    frequency_ghz=frequency,
                    tx_height_m=35.0,
                    rx_height_m=1.5,
                    clutter_height_m=profile.clutter_height_m,
                    tx_lat=20.7,
                    tx_lon=105.0,
                    rx_lat=20.7,
                    rx_lon=105.1,
                )
                found = window.loss_db[k, centre + n * row, centre + n * column]
                assert found == pytest.approx(expected, abs=0.01)


def test_pixels_are_near_the_profile_to_their_centre():
    window = predict()
    rng = np.random.default_rng(0)
    pixels = np.argwhere(np.isfinite(window.loss_db[0]))
    errors = []
    for row, column in pixels[rng.integers(0, len(pixels), 400)]:
        end = (window.grid.x_centres()[column], window.grid.y_centres()[row])
        if math.dist(end, (MAST["x_m"], MAST["y_m"])) < 250.0:
            continue
        profile = terrain.profile_between(
            HILLS, None, start_m=(MAST["x_m"], MAST["y_m"]), end_m=end, step_m=50.0
        )
        expected = p1812.basic_transmission_loss(
            profile.distance_km,
            profile.height_m,
            frequency_ghz=0.9,
            tx_height_m=35.0,
            rx_height_m=1.5,
            tx_lat=20.7,
            tx_lon=105.0,
            rx_lat=20.7,
            rx_lon=105.1,
        )
        errors.append(window.loss_db[0, row, column] - expected)
    assert np.sqrt(np.mean(np.square(errors))) < 0.6
    assert np.quantile(np.abs(errors), 0.99) < 3.0


def test_the_window_is_the_disc_within_the_grid():
    window = predict()
    x, y = np.meshgrid(window.grid.x_centres(), window.grid.y_centres())
    inside = np.hypot(x - MAST["x_m"], y - MAST["y_m"]) <= 4000.0
    assert (np.isfinite(window.loss_db) == inside).all()
    assert window.loss_db.dtype == np.float32
    assert window.grid.resolution_m == HILLS.grid.resolution_m
    shift = (window.grid.x_min - HILLS.grid.x_min) / 50.0
    assert shift == round(shift)
    assert window.loss_db[:, inside].min() > 45.0


@given(
    x=st.floats(600_100.0, 611_900.0),
    y=st.floats(2_288_100.0, 2_299_900.0),
    radius=st.floats(60.0, 9000.0),
    resolution=st.sampled_from([40.0, 75.0, 333.0]),
)
@settings(max_examples=40, deadline=None)
@example(x=600_100.0, y=2_299_900.0, radius=30.0, resolution=333.0)
def test_every_pixel_within_reach_has_a_value(x, y, radius, resolution):
    grid = Grid.covering((603_000.0, 2_291_000.0, 609_000.0, 2_297_000.0), resolution, CRS)
    window = predict(
        x_m=x,
        y_m=y,
        grid=grid,
        settings=sweep.SweepSettings(radius_m=radius),
        frequencies_mhz=[1800.0],
    )
    xs, ys = np.meshgrid(window.grid.x_centres(), window.grid.y_centres())
    inside = np.hypot(xs - x, ys - y) <= radius
    assert (np.isfinite(window.loss_db[0]) == inside).all()
    all_x, all_y = np.meshgrid(grid.x_centres(), grid.y_centres())
    assert inside.sum() == (np.hypot(all_x - x, all_y - y) <= radius).sum()


def test_threads_do_not_change_a_bit():
    one = predict(threads=1)
    two = predict(threads=2)
    three = predict(threads=3)
    np.testing.assert_array_equal(one.loss_db, two.loss_db)
    np.testing.assert_array_equal(one.loss_db, three.loss_db)


def test_a_part_of_the_grid_gives_the_same_values():
    whole = predict()
    part = HILLS.grid.window(100, 100, 30, 25)
    window = predict(grid=part)
    row = round((whole.grid.y_max - window.grid.y_max) / 50.0)
    column = round((window.grid.x_min - whole.grid.x_min) / 50.0)
    cut = whole.loss_db[:, row : row + 30, column : column + 25]
    # Another farthest pixel means another number of radials.
    np.testing.assert_allclose(window.loss_db, cut, atol=6.0)
    assert np.abs(window.loss_db - cut).mean() < 0.2


def test_frequencies_together_equal_frequencies_alone():
    both = predict()
    alone = predict(frequencies_mhz=[2600.0])
    np.testing.assert_array_equal(both.loss_db[1], alone.loss_db[0])


def test_a_mast_outside_the_grid_serves_pixels_inside():
    east = HILLS.grid.window(60, 130, 100, 60)
    window = predict(grid=east)
    assert MAST["x_m"] < east.x_min
    assert np.isfinite(window.loss_db).any()


def test_a_mast_too_far_away_gives_no_value():
    corner = HILLS.grid.window(0, 0, 10, 10)
    window = predict(grid=corner, settings=sweep.SweepSettings(radius_m=1000.0))
    assert not np.isfinite(window.loss_db).any()


def test_no_value_beyond_a_hole():
    values = HILLS.values.copy()
    values[110:130, 140:150] = np.nan  # east of the mast
    window = predict(Raster(HILLS.grid, values), grid=HILLS.grid)
    free = predict()
    row = round((window.grid.y_max - MAST["y_m"]) / 50.0)
    mast_column = round((MAST["x_m"] - window.grid.x_min) / 50.0)
    losses = window.loss_db[0, row]
    assert np.isnan(losses[mast_column + 22 :]).all()
    np.testing.assert_array_equal(
        losses[: mast_column + 17], free.loss_db[0, row][: mast_column + 17]
    )


def test_missing_clutter_counts_as_none():
    nothing = Raster(HILLS.grid, np.full(HILLS.grid.shape, np.nan, np.float32))
    np.testing.assert_array_equal(predict(clutter=nothing).loss_db, predict().loss_db)


def test_a_sea_zone_changes_a_coastal_path():
    sea = Raster(HILLS.grid, np.ones(HILLS.grid.shape, np.float32))
    quiet = sweep.SweepSettings(radius_m=4000.0, time_percent=5.0)
    assert (predict(zone=sea, settings=quiet).loss_db != predict(settings=quiet).loss_db).any()


def test_free_space_model_is_the_formula():
    window = predict(settings=sweep.SweepSettings(model="free_space", radius_m=2000.0))
    xs, ys = np.meshgrid(window.grid.x_centres(), window.grid.y_centres())
    x, y = MAST["x_m"], MAST["y_m"]
    ground = terrain.sample(HILLS, x, y) + 35.0
    slant = np.hypot(np.hypot(xs - x, ys - y), terrain.sample(HILLS, xs, ys) + 1.5 - ground)
    far = np.isfinite(window.loss_db[0]) & (np.hypot(xs - x, ys - y) > 300.0)
    expected = 92.4 + 20 * np.log10(0.9) + 20 * np.log10(slant[far] / 1000.0)
    np.testing.assert_allclose(window.loss_db[0][far], expected, atol=0.05)


def test_models_table_is_complete():
    for name, model in models.MODELS.items():
        assert model.name == name
        assert model.reference
        assert all(low <= high for low, high, _ in model.valid_range.values())
        assert model.sigma_db(900.0, 50.0) >= 0.0


MISTAKES = [
    ({"x_m": 700_000.0}, "The terrain has no height at the mast"),
    ({"antenna_height_m": 0.0}, "tx_height_m is 0.0"),
    ({"frequencies_mhz": []}, "at least one frequency"),
    ({"frequencies_mhz": [900.0, 9000.0]}, "frequency_ghz is 9.0"),
    ({"settings": sweep.SweepSettings(model="magic")}, "model is 'magic'"),
    ({"settings": sweep.SweepSettings(radius_m=0.0)}, "radius_m is 0.0"),
    ({"settings": sweep.SweepSettings(profile_step_m=-1.0)}, "profile_step_m is -1.0"),
    ({"settings": sweep.SweepSettings(time_percent=60.0)}, "time_percent is 60.0"),
    ({"settings": sweep.SweepSettings(polarization="left")}, "polarization is 'left'"),
    ({"threads": 0}, "threads is 0"),
    ({"grid": Grid("EPSG:32649", 0.0, 100.0, 10.0, 5, 5)}, "The CRS of the grid is EPSG:32649"),
]


@pytest.mark.parametrize(("change", "text"), MISTAKES)
def test_mistakes_are_named(change, text):
    with pytest.raises(InputError, match=text):
        predict(**change)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"height_m": [1.0, 2.0]}, "at least 3"),
        ({"height_m": np.array([1.0, np.inf, 2.0])}, "infinite"),
        ({"step_m": 0.0}, "step_m is 0.0"),
        ({"clutter_height_m": np.ones(4)}, r"clutter_height_m has shape \(4,\)"),
        ({"zone": np.full(5, 9)}, "zone of profile point 0 is 9"),
        ({"frequencies_mhz": [np.nan]}, "frequency_ghz is nan"),
    ],
)
def test_bad_radials_are_named(change, text):
    arguments = {
        "height_m": np.zeros(5),
        "step_m": 30.0,
        "antenna_height_m": 30.0,
        "frequencies_mhz": [900.0],
        "settings": sweep.SweepSettings(),
        "latitude_deg": 20.0,
        **change,
    }
    with pytest.raises(InputError, match=text):
        sweep.radial_loss(arguments.pop("height_m"), **arguments)


def test_a_radial_ends_at_its_first_hole():
    heights = np.zeros(20)
    heights[7] = np.nan
    losses = sweep.radial_loss(
        heights,
        step_m=50.0,
        antenna_height_m=30.0,
        frequencies_mhz=[900.0],
        settings=sweep.SweepSettings(),
        latitude_deg=20.0,
    )[0]
    assert np.isfinite(losses[:7]).all()
    assert np.isnan(losses[7:]).all()


def test_bilinear_samples_a_plane_exactly():
    grid = Grid(CRS, 0.0, 100.0, 10.0, 10, 10)
    xs, ys = np.meshgrid(grid.x_centres(), grid.y_centres())
    plane = Raster(grid, (2.0 * xs - 3.0 * ys + 5.0).astype(np.float32))
    x = np.array([5.0, 50.0, 33.3, 95.0])
    y = np.array([5.0, 50.0, 71.2, 95.0])
    np.testing.assert_allclose(terrain.sample(plane, x, y), 2.0 * x - 3.0 * y + 5.0, atol=1e-4)
    assert terrain.sample(plane, 0.0, 95.0) == plane.values[0, 0]
    assert np.isnan(terrain.sample(plane, [-1.0, 50.0, 101.0], [50.0, 101.0, 50.0])).all()
    assert terrain.sample(plane, 19.9, 90.1, nearest=True) == plane.values[0, 1]


def test_profile_between_says_what_is_wrong():
    with pytest.raises(InputError, match="must be different points"):
        terrain.profile_between(HILLS, None, start_m=(6e5, 2.295e6), end_m=(6e5, 2.295e6))
    with pytest.raises(InputError, match="has no height at x"):
        terrain.profile_between(HILLS, None, start_m=(606e3, 2.295e6), end_m=(700e3, 2.295e6))
    with pytest.raises(InputError, match="step_m is 0"):
        terrain.profile_between(
            HILLS, None, start_m=(606e3, 2.295e6), end_m=(607e3, 2.295e6), step_m=0.0
        )
    profile = terrain.profile_between(
        HILLS, None, start_m=(606e3, 2.295e6), end_m=(607e3, 2.295e6), step_m=30.0
    )
    assert profile.distance_km[-1] == pytest.approx(1.0)
    assert np.diff(profile.distance_km).max() <= 0.030001


def test_the_benchmark_reports_its_own_error(capsys):
    propagation.main(["--radius-km", "1.5", "--spacing-m", "50", "--frequencies", "900,2600"])
    result = json.loads(capsys.readouterr().out)
    assert result["points"] == result["radials"] * 31
    assert result["compared_points"] >= 500
    assert result["max_abs_error_db"] < 0.01
    for key in ("seconds", "us_per_point_per_thread", "peak_memory_mb"):
        assert result[key] > 0.0
    assert result["compile_seconds"] >= 0.0
