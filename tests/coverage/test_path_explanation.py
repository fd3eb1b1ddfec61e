"""The parts of a loss add up to the model's own loss, and the geometry is the textbook's."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coverage import models, results, run, sweep
from coverage.path_explanation import Part, explain, explain_cell
from coverage.propagation import p1812
from coverage.request import CoverageRequest, make_plan
from coverage.terrain import Profile
from data.errors import InputError
from data.store import Workspace
from tests.areas import small_area, write_area
from tests.coverage.calibrations import save_correction

#: Latitude and longitude of both ends, as far as the Recommendation asks for them. [°]
WHERE = (20.5, 105.9, 20.6, 105.9)

REQUEST = CoverageRequest(radius_m=4000.0)


def profile(height_m, clutter_m=None, length_km: float = 10.0) -> Profile:
    height = np.asarray(height_m, float)
    distance = np.linspace(0.0, length_km, height.size)
    clutter = np.zeros(height.size) if clutter_m is None else np.asarray(clutter_m, float)
    return Profile(1000.0 * distance, np.zeros(height.size), distance, height, clutter)


def explained(path: Profile, frequency_mhz: float = 900.0, **changes):
    asked = models.SweepSettings(**changes)
    return explain(
        path,
        frequency_mhz=frequency_mhz,
        antenna_height_m=40.0,
        settings=asked,
        latitude_deg=p1812.path_centre_latitude(*WHERE, float(path.distance_km[-1])),
    )


def test_the_fresnel_zone_and_the_bulge_are_the_textbook_s() -> None:
    found = explained(profile(np.zeros(101)))
    middle = 50
    wavelength_m = 299.8 / 900.0
    assert found.fresnel_m[middle] == pytest.approx(math.sqrt(wavelength_m * 10_000.0 / 4.0))
    # delta N = 45: 157/112 of the Earth's radius.
    assert found.effective_radius_km == pytest.approx(6371.0 * 157.0 / 112.0)
    assert found.bulge_m[middle] == pytest.approx(10_000.0**2 / 8 / (8931e3), rel=1e-3)
    assert found.fresnel_m[[0, -1]].tolist() == [0.0, 0.0]
    assert found.sight_m[[0, -1]].tolist() == [40.0, 1.5]
    # Close to the receiver the line runs lowest over the ground.
    assert found.worst > 90


def test_a_ridge_is_found_and_clutter_counts_only_between_the_ends() -> None:
    height = np.zeros(101)
    height[60] = 80.0
    ridge = explained(profile(height))
    assert ridge.worst == 60
    assert ridge.clearance[60] < -1.0
    assert ridge.parts[Part.TERRAIN] > 15.0
    # A plain with houses: the same ground, and all of the difference is clutter's.
    clutter = np.full(101, 12.0)
    houses = explained(profile(np.zeros(101), clutter))
    open_land = explained(profile(np.zeros(101)))
    assert houses.parts[Part.CLUTTER] > 5.0
    assert open_land.parts[Part.CLUTTER] == 0.0
    assert houses.parts[Part.TERRAIN] == open_land.parts[Part.TERRAIN]
    ends = np.zeros(101)
    ends[[0, -1]] = 12.0
    assert explained(profile(np.zeros(101), ends)).loss_db == open_land.loss_db


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    length_km=st.floats(0.3, 60.0),
    frequency_mhz=st.sampled_from([450.0, 947.5, 1842.5, 3500.0]),
    time_percent=st.sampled_from([1.0, 10.0, 50.0]),
    location_percent=st.sampled_from([50.0, 95.0]),
)
def test_the_parts_add_up_to_the_recommendation_s_loss(
    seed, length_km, frequency_mhz, time_percent, location_percent
) -> None:
    rng = np.random.default_rng(seed)
    path = profile(
        np.cumsum(rng.normal(0.0, 8.0, 120)), rng.choice([0.0, 4.0, 15.0], 120), length_km
    )
    asked = {
        "time_percent": time_percent,
        "location_percent": location_percent,
        "sigma_location_db": 5.0,
    }
    found = explained(path, frequency_mhz, **asked)
    whole = p1812.basic_transmission_loss(
        path.distance_km,
        path.height_m,
        frequency_ghz=frequency_mhz / 1000.0,
        tx_height_m=40.0,
        rx_height_m=1.5,
        clutter_height_m=path.clutter_height_m,
        tx_lat=WHERE[0],
        tx_lon=WHERE[1],
        rx_lat=WHERE[2],
        rx_lon=WHERE[3],
        **asked,
    )
    assert found.loss_db == pytest.approx(whole, abs=1e-9)
    assert found.parts[Part.TERRAIN] >= 0.0


@pytest.mark.filterwarnings("ignore::coverage.propagation.ranges.ModelRangeWarning")
@pytest.mark.parametrize("model", sorted(models.MODELS))
def test_every_model_s_parts_add_up_to_its_loss(model) -> None:
    rng = np.random.default_rng(3)
    path = profile(np.cumsum(rng.normal(0.0, 5.0, 90)), np.full(90, 3.0), 3.0)
    asked = models.SweepSettings(model=model)
    found = explain(
        path, frequency_mhz=1842.5, antenna_height_m=35.0, settings=asked, latitude_deg=20.5
    )
    whole = sweep.radial_loss(
        path.height_m,
        step_m=3000.0 / 89,
        antenna_height_m=35.0,
        frequencies_mhz=[1842.5],
        settings=asked,
        latitude_deg=20.5,
        clutter_height_m=path.clutter_height_m,
    )[0, -1]
    assert found.loss_db == pytest.approx(float(whole), abs=0.05)
    assert found.parts[Part.FREE_SPACE] == pytest.approx(107.4, abs=0.5)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    return write_area(tmp_path_factory.mktemp("explain") / "w", small_area())


@pytest.fixture(scope="module")
def result(workspace) -> results.CoverageResult:
    return run.compute(workspace, REQUEST)


def pixels(result, count: int):
    """Some pixels with their centres."""
    rng = np.random.default_rng(1)
    grid = result.grid
    for _ in range(count):
        row, column = int(rng.integers(grid.height)), int(rng.integers(grid.width))
        yield row, column, grid.x_centres()[column], grid.y_centres()[row]


def test_a_pixel_is_read_as_in_the_rasters(result) -> None:
    for row, column, _, _ in pixels(result, 2):
        table = result.at(row, column).set_index(["technology", "operator"])
        for technology, operator in table.index:
            here = table.loc[(technology, operator)]
            level = result.level(technology, operator).values[row, column]
            np.testing.assert_equal(np.float32(here["level_dbm"]), level)
            assert here["server"] == result.server(technology, operator).values[row, column]
            assert here["covered"] == result.covered(technology, operator).values[row, column]
    with pytest.raises(InputError, match="outside"):
        result.at(-1, 0)


def test_a_cell_is_explained_as_the_map_has_it(workspace, result) -> None:
    plan = make_plan(workspace, REQUEST)
    differences = []
    for row, column, x, y in pixels(result, 12):
        table = result.at(row, column)
        for item in table[(table["operator"] == "any") & (table["server"] >= 0)].itertuples():
            found = explain_cell(plan, int(item.server), x, y)
            assert found.cell["technology"] == item.technology
            assert found.attenuation_db >= 0.0
            differences.append(found.level_dbm - item.level_dbm)
    assert len(differences) > 20
    # The map's radials pass beside the pixel's centre: alike, not the same.
    assert abs(np.median(differences)) < 0.3
    assert np.percentile(np.abs(differences), 80) < 3.0


def test_a_calibration_is_a_part_of_its_own(workspace) -> None:
    save_correction(workspace)
    plain = make_plan(workspace, REQUEST)
    corrected = make_plan(workspace, dataclasses.replace(REQUEST, calibration="test"))
    mast = workspace.read("masts").geometry.iloc[0]
    number = int(
        np.flatnonzero(
            workspace.read("cells")["mast_id"] == workspace.read("masts")["mast_id"].iloc[0]
        )[0]
    )
    before = explain_cell(plain, number, mast.x + 900.0, mast.y)
    after = explain_cell(corrected, number, mast.x + 900.0, mast.y)
    assert Part.CALIBRATION not in before.path.parts
    added = after.path.parts[Part.CALIBRATION]
    # 6 dB and the slope at 900 m (nearer than the reference by a factor of 0.6), and one of
    # the classes' corrections or none.
    slope = -8.0 * math.log10(900.0 / 1500.0)
    assert any(added == pytest.approx(6.0 - slope - clutter, abs=0.01) for clutter in (-5, 0, 2))
    assert after.level_dbm == pytest.approx(before.level_dbm - added, abs=1e-6)


def test_what_cannot_be_explained_is_one_sentence(workspace) -> None:
    plan = make_plan(workspace, REQUEST)
    mast = workspace.read("masts").geometry.iloc[0]
    number = int(
        np.flatnonzero(
            workspace.read("cells")["mast_id"] == workspace.read("masts")["mast_id"].iloc[0]
        )[0]
    )
    with pytest.raises(InputError, match="different points"):
        explain_cell(plan, number, mast.x, mast.y)
    with pytest.raises(InputError, match="no cell"):
        explain_cell(plan, -1, mast.x + 100.0, mast.y)
    with pytest.raises(InputError, match="no height"):
        explain_cell(plan, number, mast.x + 200_000.0, mast.y)
