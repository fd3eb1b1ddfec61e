"""Calibration: known truth is found again, noise is not fitted, bad input is named."""

import json
import warnings
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import scipy.ndimage

from coverage import (
    antenna,
    calibrated_model,
    calibration,
    composite,
    models,
    point_prediction,
    sweep,
    terrain,
)
from coverage.mast import carriers, reference_eirp_dbm
from coverage.propagation import p1812
from coverage.propagation.ranges import ModelRangeWarning
from data.errors import CancelledError, InputError
from data.grid import Grid, Raster
from data.importers import measurements

CRS = "EPSG:32648"
OFFSET, SLOPE = -4.0, -9.0
CLUTTER = {40: 0.0, 50: -6.0, 10: -11.0, 80: 5.0}


def drive_test(
    *,
    count: int = 4000,
    seed: int = 1,
    offset: float = OFFSET,
    slope: float = SLOPE,
    clutter: dict[int, float] | None = None,
    outliers: float = 0.08,
    side_m: float = 16_000.0,
    frequencies: tuple[float, ...] = (1800.0,),
    frequency_slope: float = 0.0,
) -> pd.DataFrame:
    """Measured and predicted levels with correlated shadow fading and outliers."""
    rng = np.random.default_rng(seed)
    by_class = CLUTTER if clutter is None else clutter
    pixels = int(side_m / 50.0)
    fading = scipy.ndimage.gaussian_filter(rng.normal(size=(pixels, pixels)), 2.0)
    fading *= 5.0 / fading.std()
    land = scipy.ndimage.gaussian_filter(rng.normal(size=(pixels, pixels)), 12.0)
    ranks = np.searchsorted(np.quantile(land, [0.4, 0.7, 0.9]), land)
    codes = np.array([40, 50, 10, 80])[ranks]
    masts = rng.uniform(0.0, side_m, (6, 2))
    row, column = rng.integers(0, pixels, (2, count))
    x, y = 50.0 * (column + 0.5), 50.0 * (row + 0.5)
    cell = rng.integers(0, 6, count)
    distance = np.hypot(x - masts[cell, 0], y - masts[cell, 1])
    frequency = np.asarray(frequencies)[rng.integers(0, len(frequencies), count)]
    predicted = -60.0 - 35.0 * np.log10(np.maximum(distance, 50.0) / 1000.0)
    code = codes[row, column]
    truth = (
        offset
        + slope * np.log10(np.maximum(distance, 50.0) / 3000.0)
        + np.array([by_class[item] for item in code.tolist()])
        + frequency_slope * np.log10(frequency / 1800.0)
    )
    level = predicted + truth + fading[row, column] + rng.normal(0.0, 1.5, count)
    wrong = rng.random(count) < outliers
    level[wrong] -= rng.uniform(20.0, 45.0, wrong.sum())
    return pd.DataFrame(
        {
            "x_m": 600_000.0 + x,
            "y_m": 2_260_000.0 + y,
            "cell_id": np.array([f"C{item}" for item in cell.tolist()], dtype=object),
            "level_dbm": level,
            "predicted_dbm": predicted,
            "distance_m": distance,
            "frequency_mhz": frequency,
            "clutter_class": code.astype(float),
        }
    )


def fit(points: pd.DataFrame, **options: object) -> calibrated_model.CalibratedModel:
    return calibration.fit(points, name="test", base_model="p1812", created="2026-01-31", **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def calibrated() -> calibrated_model.CalibratedModel:
    return fit(drive_test())


def test_offset_slope_and_clutter_are_found_in_spite_of_outliers(
    calibrated: calibrated_model.CalibratedModel,
) -> None:
    assert calibrated.terms == ("offset", "slope", "clutter")
    assert calibrated.slope_db_per_decade == pytest.approx(SLOPE, abs=1.5)
    for code, effect in CLUTTER.items():
        for distance in (1000.0, 3000.0, 8000.0):
            expected = OFFSET + SLOPE * np.log10(distance / 3000.0) + effect
            found = calibrated.correction_db(distance, code, 1800.0)
            assert found == pytest.approx(expected, abs=1.5)


def test_the_held_out_error_improves_and_is_honest(
    calibrated: calibrated_model.CalibratedModel,
) -> None:
    before, after = calibrated.held_out_before, calibrated.held_out_after
    assert before.count == after.count == calibrated.bins
    assert after.rmse_db < before.rmse_db
    assert after.mae_db < 0.7 * before.mae_db
    assert abs(before.median_db) > 5.0
    assert abs(after.median_db) < 0.8  # a tenth of the places are outliers, all on one side
    # Fading of 5 dB and noise of 1.5 dB cannot be predicted: neither less nor much more is left.
    assert after.robust_std_db == pytest.approx(np.hypot(5.0, 1.5), abs=0.6)
    assert calibrated.sigma_db == after.robust_std_db
    fresh = drive_test(seed=7, outliers=0.0)
    left = (
        fresh["predicted_dbm"]
        - fresh["level_dbm"]
        + calibrated.correction_db(fresh["distance_m"], fresh["clutter_class"], 1800.0)
    )
    used = fresh["distance_m"] >= 250.0
    assert np.std(left[used]) == pytest.approx(after.robust_std_db, abs=0.6)
    assert abs(np.mean(left[used])) < 4.0 * calibrated.mean_error_db + 0.5


def test_outliers_move_a_plain_fit_but_not_this_one() -> None:
    clean, dirty = fit(drive_test(outliers=0.0)), fit(drive_test(outliers=0.2))
    assert dirty.correction_db(3000.0, 40, 1800.0) == pytest.approx(
        clean.correction_db(3000.0, 40, 1800.0), abs=0.7
    )


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_noise_is_not_fitted(seed: int) -> None:
    nothing = dict.fromkeys(CLUTTER, 0.0)
    model = fit(
        drive_test(count=300, seed=seed, offset=0.0, slope=0.0, clutter=nothing, outliers=0.05)
    )
    assert "clutter" not in model.terms
    for code in CLUTTER:
        assert abs(model.correction_db(3000.0, code, 1800.0)) < 1.5
    assert model.held_out_after.mae_db < 1.05 * model.held_out_before.mae_db


def test_a_slope_that_is_zero_at_the_mean_distance_is_found_without_offset_to_help() -> None:
    nothing = dict.fromkeys(CLUTTER, 0.0)
    points = drive_test(offset=0.0, slope=12.0, clutter=nothing, outliers=0.0)
    used = points[points["distance_m"] >= 250.0]
    points["level_dbm"] -= np.median(used["level_dbm"] - used["predicted_dbm"])
    model = fit(points)
    assert model.slope_db_per_decade == pytest.approx(12.0, abs=1.5)


def test_two_bands_give_a_frequency_term() -> None:
    points = drive_test(frequencies=(900.0, 1800.0), frequency_slope=-15.0)
    model = fit(points)
    assert "frequency" in model.terms
    assert model.frequency_slope_db_per_decade == pytest.approx(-15.0, abs=2.5)
    assert "frequency" not in fit(drive_test()).terms


def test_a_class_with_few_places_keeps_the_corrections_of_the_others() -> None:
    points = drive_test()
    rare = points.index[:8]
    points.loc[rare, "clutter_class"] = 90.0
    points.loc[rare, "level_dbm"] -= 40.0
    model = fit(points)
    assert model.clutter_bins[90] == 8
    assert 90 not in model.clutter_db
    at = (3000.0, 1800.0)
    assert model.correction_db(at[0], 90, at[1]) == model.correction_db(at[0], np.nan, at[1])
    assert model.correction_db(at[0], 90, at[1]) == model.correction_db(at[0], 999, at[1])


def test_a_class_seen_in_few_blocks_is_shrunk() -> None:
    points = drive_test(outliers=0.0, clutter=dict.fromkeys(CLUTTER, 0.0), slope=0.0, offset=0.0)
    block = (points["x_m"] // 1000) * 10_000 + points["y_m"] // 1000
    few = block.isin(block.value_counts().index[:3])
    points.loc[few, "clutter_class"] = 60.0
    points.loc[few, "level_dbm"] += 10.0
    bins = calibration._bins(*_usable(points))
    offset, *value = calibration._fit(bins, ("offset", "clutter")).tolist()
    by_class = dict(zip(bins.classes.tolist(), value, strict=True))
    own = bins.clutter == bins.classes.tolist().index(60)
    plain = bins.residual_db[own].mean()
    assert 0.7 * plain < offset + by_class[60] < 0.97 * plain
    assert abs(offset) < 0.5
    assert abs(by_class[40]) < 1.0


def _usable(points: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    usable, _ = calibration._usable(points, 250.0)
    return usable, calibration._blocks(usable, 1000.0)[0]


def test_a_receivers_floor_biases_less_if_it_is_given() -> None:
    points = drive_test(outliers=0.0, clutter=dict.fromkeys(CLUTTER, 0.0), slope=0.0)
    floor = float(points["predicted_dbm"].quantile(0.4))
    heard = points[points["level_dbm"] > floor].reset_index(drop=True)
    careless, careful = fit(heard), fit(heard, floor_dbm=floor)
    truth = OFFSET
    far = (6000.0, 40, 1800.0)
    assert abs(careful.correction_db(*far) - truth) < abs(careless.correction_db(*far) - truth)


def test_the_result_does_not_depend_on_the_order_of_the_rows() -> None:
    points = drive_test(count=600)
    shuffled = points.sample(frac=1.0, random_state=1).reset_index(drop=True)
    one, other = fit(points), fit(shuffled)
    assert one.data_sha256 == other.data_sha256
    assert one.terms == other.terms
    assert one.offset_db == pytest.approx(other.offset_db, abs=1e-3)


def test_too_few_measurements_say_how_many_are_needed() -> None:
    points = drive_test(count=50)
    points.loc[:9, "predicted_dbm"] = np.nan
    with pytest.raises(InputError) as caught:
        fit(points)
    said = str(caught.value)
    assert said.startswith("There are 40 usable measurements (10 of unknown cells")
    assert "needs at least 60" in said


def test_measurements_in_one_place_are_refused() -> None:
    points = drive_test(side_m=400.0)
    points["distance_m"] += 1000.0
    with pytest.raises(InputError, match=r"lie in 4 squares of 250 m, .* at least 8"):
        fit(points)


def test_smaller_blocks_are_used_where_the_area_is_small() -> None:
    points = drive_test(side_m=2400.0, count=800)
    points["distance_m"] += 300.0
    model = fit(points)
    assert model.blocks >= calibration.MINIMUM_BLOCKS
    assert model.settings["block_m"] in (1000.0, 500.0, 250.0)


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a b", "ổ", "-x", "x" * 65])
def test_names_that_are_no_file_names(name: str) -> None:
    with pytest.raises(InputError, match="name of a model"):
        calibration.fit(drive_test(count=10), name=name, base_model="p1812", created="")


def test_distances_and_frequencies_outside_the_measured_ones(
    calibrated: calibrated_model.CalibratedModel,
) -> None:
    far = calibrated.distance_range_m[1]
    assert calibrated.correction_db(10 * far, 40, 1800.0) == calibrated.correction_db(
        far, 40, 1800.0
    )
    with pytest.warns(ModelRangeWarning, match="1800 to 1800 MHz, used at 700"):
        calibrated.correction_db(1000.0, 40, 700.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calibrated.correction_db(1000.0, 40, 2000.0)


def test_a_saved_model_is_read_back_the_same(
    calibrated: calibrated_model.CalibratedModel, tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    assert calibrated_model.saved(folder) == {}
    path = calibrated_model.save(calibrated, folder)
    assert calibrated_model.load(path) == calibrated
    with pytest.raises(InputError, match="There is a calibrated model test already"):
        calibrated_model.save(calibrated, folder)
    calibrated_model.save(calibrated, folder, replace=True)
    assert list(calibrated_model.saved(folder)) == ["test"]
    assert [item.name for item in folder.iterdir()] == ["test.json"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content | {"format": "other"},
        lambda content: content | {"version": 9},
        lambda content: {key: value for key, value in content.items() if key != "offset_db"},
        lambda content: content | {"offset_db": "high"},
        lambda content: content | {"offset_db": 1e6},
        lambda content: content | {"clutter_db": {"400": 1.0}},
        lambda content: content | {"distance_range_m": [5.0, 1.0]},
        lambda content: content | {"surplus": 1},
        lambda content: content | {"name": "../x"},
        lambda content: [content],
    ],
)
def test_a_damaged_file_is_refused(
    calibrated: calibrated_model.CalibratedModel, tmp_path: Path, damage: object
) -> None:
    path = calibrated_model.save(calibrated, tmp_path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(damage(content)))  # type: ignore[operator]
    with pytest.raises(InputError, match=r"test\.json holds no calibrated model"):
        calibrated_model.load(path)
    path.write_bytes(b"\x00\xff{")
    with pytest.raises(InputError, match="holds no calibrated model"):
        calibrated_model.load(path)


def test_a_held_window_is_corrected_like_its_points(
    calibrated: calibrated_model.CalibratedModel,
) -> None:
    grid = Grid(CRS, 600_000.0, 2_270_000.0, 100.0, 30, 20)
    loss = np.full((2, 20, 30), 120.0, np.float32)
    loss[0, 3, 4] = np.nan
    codes = np.full(grid.shape, 40.0)
    codes[:, 15:] = 50.0
    window = calibrated.correct_loss(
        sweep.LossWindow(grid, loss),
        x_m=601_000.0,
        y_m=2_269_000.0,
        frequencies_mhz=[1800.0, 1900.0],
        clutter_class=codes,
    )
    assert window.loss_db.dtype == np.float32
    assert np.isnan(window.loss_db[0, 3, 4])
    x, y = grid.x_centres()[20], grid.y_centres()[5]
    distance = np.hypot(x - 601_000.0, y - 2_269_000.0)
    expected = 120.0 - calibrated.correction_db(distance, 50, 1900.0)
    assert window.loss_db[1, 5, 20] == pytest.approx(expected, abs=1e-4)


def test_thinning_takes_the_median_of_each_cell_and_square() -> None:
    frame = pd.DataFrame(
        {
            "x_m": [10.0, 20.0, 30.0, 60.0, 10.0],
            "y_m": [10.0, 10.0, 40.0, 10.0, 10.0],
            "level_dbm": [-90.0, -92.0, -60.0, -80.0, -70.0],
            "cell_id": ["A", "A", "A", "A", "B"],
        }
    )
    thinned = point_prediction.thin(frame)
    assert thinned["cell_id"].tolist() == ["A", "A", "B"]
    assert thinned["level_dbm"].tolist() == [-90.0, -80.0, -70.0]
    assert thinned["samples"].tolist() == [3, 1, 1]
    assert thinned["x_m"].tolist() == [20.0, 60.0, 10.0]


GRID = Grid(CRS, 600_000.0, 2_275_000.0, 90.0, 120, 110)


def area() -> tuple[Raster, Raster, gpd.GeoDataFrame, pd.DataFrame]:
    rng = np.random.default_rng(2)
    hills = scipy.ndimage.gaussian_filter(rng.normal(size=GRID.shape), 6.0)
    ground = Raster(GRID, (30.0 + 40.0 * hills / hills.std()).astype(np.float32))
    land = scipy.ndimage.gaussian_filter(rng.normal(size=GRID.shape), 5.0)
    codes = np.array([40, 50, 10])[np.searchsorted(np.quantile(land, [0.5, 0.8]), land)]
    masts = gpd.GeoDataFrame(
        {"mast_id": ["M1", "M2"]},
        geometry=gpd.points_from_xy([603_000.0, 607_000.0], [2_272_000.0, 2_268_500.0]),
        crs=CRS,
    )
    cells = pd.DataFrame(
        {
            "cell_id": ["A", "B", "C", "D"],
            "mast_id": ["M1", "M1", "M2", "M2"],
            "operator": ["X"] * 4,
            "technology": ["4G", "2G", "4G", "4G"],
            "frequency_mhz": [1800.0, 900.0, 1800.0, 1800.0],
            "bandwidth_mhz": [20.0, 0.2, 20.0, 10.0],
            "power_dbm": [46.0, 43.0, 46.0, 43.0],
            "antenna_gain_dbi": [17.5, 16.0, 17.5, 17.0],
            "feeder_loss_db": [0.5, 3.0, 0.5, 0.5],
            "azimuth_deg": [120.0, 120.0, np.nan, 330.0],
            "tilt_deg": [4.0, 2.0, 0.0, 3.0],
            "mechanical_tilt_deg": [0.0, 2.0, np.nan, 1.0],
            "antenna_height_m": [36.0, 36.0, 42.0, 42.0],
            "pattern": [None, "3gpp-65", None, None],
            "load": [0.5] * 4,
        }
    )
    return ground, Raster(GRID, codes.astype(np.float32)), masts, cells


def places(count: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "x_m": rng.uniform(601_000.0, 609_500.0, count),
            "y_m": rng.uniform(2_266_000.0, 2_274_000.0, count),
            "cell_id": rng.choice(["A", "B", "C", "D"], count),
        }
    )


def test_points_get_the_loss_of_the_path_function_and_the_antenna() -> None:
    ground, codes, masts, cells = area()
    heights = Raster(GRID, np.where(codes.values == 50, 10.0, 0.0).astype(np.float32))
    points = places()
    found = point_prediction.predict_points(
        ground, heights, masts, cells, points,
        settings=sweep.SweepSettings(), clutter_class=codes,
    )  # fmt: skip
    for row in found.itertuples():
        cell = cells.set_index("cell_id").loc[row.cell_id]
        mast = masts.set_index("mast_id").geometry[cell.mast_id]
        profile = terrain.profile_between(
            ground, heights, start_m=(mast.x, mast.y), end_m=(row.x_m, row.y_m)
        )
        loss = p1812.basic_transmission_loss(
            profile.distance_km,
            profile.height_m,
            clutter_height_m=profile.clutter_height_m,
            frequency_ghz=cell.frequency_mhz / 1000.0,
            tx_height_m=cell.antenna_height_m,
            rx_height_m=1.5,
            tx_lat=20.5,
            tx_lon=106.0,
            rx_lat=20.5,
            rx_lon=106.0,
        )
        assert row.loss_db == pytest.approx(loss, abs=0.02)
        attenuation = (
            reference_eirp_dbm(cells[cells["cell_id"] == row.cell_id])[0]
            - row.loss_db
            - row.predicted_dbm
        )
        assert -1e-6 <= attenuation <= 30.0
    omni = found[found["cell_id"] == "C"]
    eirp = reference_eirp_dbm(cells)[2]
    below = np.degrees(np.arctan2(30.0, omni["distance_m"]))
    assert (eirp - omni["loss_db"] - omni["predicted_dbm"] < 0.12 * (below + 3.0) ** 2 + 1).all()
    assert set(found["clutter_class"].unique()) <= {10.0, 40.0, 50.0}


def test_points_agree_with_the_area_prediction() -> None:
    ground, _, masts, cells = area()
    cells = cells[cells["cell_id"] == "D"].reset_index(drop=True)
    rng = np.random.default_rng(8)
    row, column = rng.integers(5, 105, (2, 60))
    points = pd.DataFrame(
        {"x_m": GRID.x_centres()[column], "y_m": GRID.y_centres()[row], "cell_id": "D"}
    )
    settings = sweep.SweepSettings(radius_m=20_000.0)
    found = point_prediction.predict_points(ground, None, masts, cells, points, settings=settings)
    levels = composite.compose(
        ground, None, masts, cells, GRID,
        wanted=carriers(cells), settings=settings, threads=1,
    )  # fmt: skip
    difference = found["predicted_dbm"] - levels.best_dbm[0, row, column]
    assert np.median(np.abs(difference)) < 0.5
    assert np.mean(difference) == pytest.approx(0.0, abs=0.5)


def test_points_that_cannot_be_predicted_are_empty() -> None:
    ground, _, masts, cells = area()
    points = pd.DataFrame(
        {
            "x_m": [604_000.0, 604_000.0, 640_000.0, 603_000.0],
            "y_m": [2_270_000.0, 2_270_000.0, 2_270_000.0, 2_272_000.0],
            "cell_id": ["A", "unknown", "A", "A"],
        }
    )
    found = point_prediction.predict_points(
        ground, None, masts, cells, points, settings=sweep.SweepSettings()
    )
    assert np.isfinite(found["predicted_dbm"]).tolist() == [True, False, False, False]
    nowhere = points.assign(cell_id="unknown")
    found = point_prediction.predict_points(
        ground, None, masts, cells, nowhere, settings=sweep.SweepSettings()
    )
    assert found["predicted_dbm"].isna().all()


def test_own_patterns_change_the_prediction() -> None:
    ground, _, masts, cells = area()
    cells["pattern"] = "mine"
    flat = antenna.Pattern("mine", np.zeros(360), np.zeros(360), 0.0, "test")
    found = point_prediction.predict_points(
        ground, None, masts, cells, places(), settings=sweep.SweepSettings(),
        own_patterns={"mine": flat},
    )  # fmt: skip
    eirp = reference_eirp_dbm(cells)[
        [["A", "B", "C", "D"].index(item) for item in found["cell_id"]]
    ]
    assert found["predicted_dbm"].to_numpy() == pytest.approx(eirp - found["loss_db"].to_numpy())


def test_from_a_file_of_measurements_to_a_saved_model(tmp_path: Path) -> None:
    ground, codes, masts, cells = area()
    settings = sweep.SweepSettings(model="p1812")
    rng = np.random.default_rng(11)
    points = places(700)
    truth = point_prediction.predict_points(
        ground, None, masts, cells, points, settings=settings, clutter_class=codes
    )
    level = (
        truth["predicted_dbm"] - 5.0 - 8.0 * (truth["clutter_class"] == 10) + rng.normal(0, 4, 700)
    )
    table = pd.DataFrame(
        {"x_m": points.x_m, "y_m": points.y_m, "level_dbm": level, "cell_id": points.cell_id}
    )
    table["level_dbm"] = table["level_dbm"].clip(-149.0)
    table.loc[3, "level_dbm"] = 7.0
    path = tmp_path / "drive.csv"
    table.to_csv(path, index=False)
    read = measurements.read(path, crs=CRS, cell_ids=cells["cell_id"])
    assert len(read.problems) == 1
    progress: list[float] = []
    model = calibration.calibrate(
        read.frame, ground, None, codes, masts, cells,
        name="test-2026", created="2026-01-31", settings=settings, on_progress=progress.append,
    )  # fmt: skip
    assert progress == sorted(progress)
    assert progress[-1] == pytest.approx(1.0)
    assert model.base_model in models.MODELS
    assert model.settings["rx_height_m"] == 1.5
    assert model.cells == 4
    at = (4000.0, 1800.0)
    assert model.correction_db(at[0], 40, at[1]) == pytest.approx(-5.0, abs=1.2)
    assert model.correction_db(at[0], 10, at[1]) == pytest.approx(-13.0, abs=2.0)
    assert model.held_out_after.rmse_db < 0.6 * model.held_out_before.rmse_db
    assert calibrated_model.load(calibrated_model.save(model, tmp_path / "models")) == model


def test_a_calibration_can_be_cancelled() -> None:
    def stop(_: float) -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        fit(drive_test(count=500), on_progress=stop)
