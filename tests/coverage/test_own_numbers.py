"""A workspace's own patterns, tables and calibrations count; models say where they are strained."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from coverage import models, own_numbers, products, results, run, terrain, validity, whatif
from coverage.sweep import SweepSettings
from data.demo import generator
from data.errors import InputError
from data.importers import antenna_pattern
from data.store import Workspace
from tests.areas import small_area, write_area
from tests.coverage.calibrations import CORRECTION, save_correction

quiet = pytest.mark.filterwarnings("ignore::coverage.propagation.ranges.ModelRangeWarning")
REQUEST = run.CoverageRequest(radius_m=2000.0, resolution_m=200.0)
CALIBRATED = dataclasses.replace(REQUEST, calibration="test")


@pytest.fixture(scope="module")
def area() -> generator.GeneratedArea:
    return small_area()


@pytest.fixture(scope="module")
def unchanged(area, tmp_path_factory) -> Workspace:
    """A workspace for tests that change nothing in it."""
    return write_area(tmp_path_factory.mktemp("own") / "unchanged", area)


@pytest.fixture(scope="module")
def plain(unchanged) -> results.CoverageResult:
    return run.compute(unchanged, REQUEST)


@pytest.fixture
def workspace(area, tmp_path) -> Workspace:
    return write_area(tmp_path / "w", area)


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("predicted again")


def numbers(figures: pd.DataFrame) -> np.ndarray:
    keys = ["zone", "service", "operator", "measure"]
    return figures.sort_values(keys)[["share", "expected", "weight"]].to_numpy(float)


def notes_of(result: results.CoverageResult) -> list[str]:
    return [note["text"] for note in result.summary["provenance"]["notes"]]


# antenna patterns


def pattern_file(folder: Path, name: str, back_db: float) -> Path:
    """A beam of 20 degrees; the vertical cut is that of nothing at all."""
    folder.mkdir(exist_ok=True)
    angle = (np.arange(360) + 180.0) % 360.0 - 180.0
    horizontal = np.minimum(12.0 * (angle / 20.0) ** 2, back_db)
    pattern = antenna_pattern.PatternFile(name, 17.0, horizontal, np.minimum(abs(angle), 30.0))
    antenna_pattern.write(pattern, folder / f"{name}.msi")
    return folder / f"{name}.msi"


def with_pattern(workspace: Workspace, name: str) -> None:
    cells = workspace.read("cells")
    cells["pattern"] = cells["pattern"].where(cells["technology"] != "4G", name)
    workspace.write({"cells": cells}, {"cells": workspace.provenance()["cells"]})


def test_cells_use_the_patterns_of_the_workspace(workspace, plain) -> None:
    with_pattern(workspace, "narrow")
    with pytest.raises(InputError, match=r"Antenna pattern narrow is not known \(expected"):
        run.compute(workspace, REQUEST)
    pattern_file(workspace.folder / own_numbers.PATTERNS, "narrow", 40.0)
    first = run.compute(workspace, REQUEST)
    assert np.array_equal(first.level("2G").values, plain.level("2G").values, equal_nan=True)
    behind = plain.level("4G").values - first.level("4G").values
    assert np.nanmax(behind) > 5.0
    described = first.summary["provenance"]["own"]["patterns"]
    assert set(described) == {"narrow"}

    # Another content of the same file is another question.
    pattern_file(workspace.folder / own_numbers.PATTERNS, "narrow", 10.0)
    assert run.lookup(workspace, REQUEST) is None
    second = run.compute(workspace, REQUEST)
    assert second.summary["provenance"]["own"]["patterns"] != described
    assert np.nanmin(second.level("4G").values - first.level("4G").values) > -0.1
    assert np.nanmax(second.level("4G").values - first.level("4G").values) > 5.0


def test_a_changed_network_knows_the_patterns_too(workspace) -> None:
    pattern_file(workspace.folder / own_numbers.PATTERNS, "narrow", 40.0)
    with_pattern(workspace, "narrow")
    live = whatif.LiveNetwork(workspace, REQUEST)
    computed = run.compute(workspace, REQUEST)
    assert np.allclose(numbers(live.figures()), numbers(computed.figures), equal_nan=True)
    masts, cells = live.masts, live.cells
    turned = cells.assign(azimuth_deg=(cells["azimuth_deg"] + 30.0) % 360.0)
    live.change(masts, turned)
    live.change(masts, cells)
    assert np.allclose(numbers(live.figures()), numbers(computed.figures), equal_nan=True)


def test_a_bad_pattern_in_the_folder_is_named(workspace) -> None:
    path = pattern_file(workspace.folder / own_numbers.PATTERNS, "narrow", 40.0)
    path.write_text(path.read_text()[:2000])
    with pytest.raises(InputError, match=r"narrow\.msi, line \d+.*cut short"):
        run.compute(workspace, REQUEST)


# tables


def test_own_clutter_heights_count_and_are_part_of_the_key(workspace, plain) -> None:
    table = workspace.folder / "clutter_heights.csv"
    table.write_text("code,name,category,height_m,source\n40,cropland,open,25,mine\n")
    found = run.compute(workspace, REQUEST)
    assert found.summary["provenance"]["key"] != plain.summary["provenance"]["key"]
    assert found.summary["provenance"]["own"]["clutter_heights_m"]["40"] == 25.0
    lower = plain.level("4G").values - found.level("4G").values
    assert np.nanmedian(lower) > 1.0
    table.unlink()
    again = run.compute(workspace, REQUEST)
    assert again.summary["provenance"]["key"] == plain.summary["provenance"]["key"]


def test_own_rates_count_and_are_part_of_the_key(workspace, plain) -> None:
    head = "technology,attenuation,sinr_min_db,max_efficiency_bps_hz,overhead,mimo_factor,"
    (workspace.folder / "throughput.csv").write_text(
        f"{head}tdd_downlink_share,verified,source\n4G,0.6,-10,4.4,0.25,3,0.75,no,mine\n"
    )
    found = run.compute(workspace, REQUEST)
    built_in = own_numbers.read(Path("nowhere")).rate_models["4G"]
    assert found.summary["provenance"]["key"] != plain.summary["provenance"]["key"]
    assert found.figures.equals(plain.figures)
    with np.errstate(invalid="ignore"):
        ratio = found.rate("4G").values / plain.rate("4G").values
    highest = np.nanargmax(plain.rate("4G").values)
    changed = 0.75 * 3 / ((1.0 - built_in.overhead) * built_in.mimo_factor)
    assert ratio.ravel()[highest] == pytest.approx(changed, rel=0.3)
    assert np.array_equal(found.rate("3G").values, plain.rate("3G").values, equal_nan=True)


@pytest.mark.parametrize("name", ["clutter_heights.csv", "throughput.csv", "thresholds.csv"])
def test_a_bad_table_is_one_line_that_names_it(workspace, name) -> None:
    for content in (
        b"",
        b"\xff\xfe\x00",
        b"a,b\n1\n",
        b"\x00",
        b"x" * 200_000,
        b'"',
        b"a;b\n1;2;3",
    ):
        (workspace.folder / name).write_bytes(content)
        with pytest.raises(InputError, match=f"^{name}: ") as caught:
            run.lookup(workspace, REQUEST)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 300


def test_a_row_with_another_number_of_values_is_named(workspace) -> None:
    table = workspace.folder / "clutter_heights.csv"
    table.write_text("code;name;category;height_m;source\n40;a;b;3;c\n50;a;b;7\n")
    with pytest.raises(InputError, match=r"clutter_heights\.csv, row 3: 4 values \(expected 5"):
        run.lookup(workspace, REQUEST)
    table.write_text("code;name;category;height_m;source\n40;a;b;high;c\n")
    with pytest.raises(InputError, match=r"row 2: class 40 with height high m"):
        run.lookup(workspace, REQUEST)


# calibration


def test_a_calibration_moves_every_level_by_its_correction(workspace, plain, area) -> None:
    run.compute(workspace, REQUEST)
    save_correction(workspace)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "predict_losses", refuse)  # kept losses serve with any calibration
        found = run.compute(workspace, CALIBRATED)
    before, after = plain.level("4G").values, found.level("4G").values
    server = plain.server("4G").values
    same = (server >= 0) & (server == found.server("4G").values)
    assert same.mean() > 0.3
    cells = workspace.read("cells")
    masts = workspace.read("masts").set_index("mast_id").geometry
    place = masts.loc[cells["mast_id"]]
    x, y = np.meshgrid(found.grid.x_centres(), found.grid.y_centres())
    near = server[same].astype(int)
    distance = np.hypot(x[same] - place.x.to_numpy()[near], y[same] - place.y.to_numpy()[near])
    codes = terrain.sample(area.clutter, x, y, nearest=True)[same]
    expected = CORRECTION.correction_db(distance, codes, 1800.0)
    assert np.ptp(expected) > 5.0
    assert after[same] - before[same] == pytest.approx(expected, abs=0.011)


def test_a_calibration_brings_its_sigma_error_and_name(workspace, plain) -> None:
    save_correction(workspace)
    found = run.compute(workspace, CALIBRATED)
    origin = found.summary["provenance"]
    assert set(origin["uncertainty"]["location_sigma_db"].values()) == {6.5}
    assert origin["uncertainty"]["model_mean_error_db"] == 0.8
    assert origin["calibration"]["name"] == "test"
    assert origin["calibration"]["held_out_error_db"]["before"]["rmse_db"] == 9.4
    assert origin["calibration"]["held_out_error_db"]["after"]["rmse_db"] == 7.6
    assert plain.summary["provenance"]["calibration"] is None
    asked = run.compute(workspace, dataclasses.replace(CALIBRATED, model_error_db=2.0))
    assert asked.summary["provenance"]["uncertainty"]["model_mean_error_db"] == 2.0

    save_correction(workspace, offset_db=-5.0)  # another fit under the same name
    assert run.lookup(workspace, CALIBRATED) is None


def test_a_changed_network_and_products_follow_the_calibration(workspace) -> None:
    save_correction(workspace)
    found = run.compute(workspace, CALIBRATED)
    live = whatif.LiveNetwork(workspace, CALIBRATED)
    assert np.allclose(numbers(live.figures()), numbers(found.figures), equal_nan=True)
    made = products.make(workspace, found)
    table = found.figures
    rows = table[
        (table["level"] == "commune")
        & (table["service"] == "4G")
        & (table["operator"] == "any")
        & (table["measure"] == "area")
    ]
    missing = (rows["weight"] * (1.0 - rows["share"])).sum()
    assert made.holes["4G"]["area_km2"].sum() == pytest.approx(
        missing, abs=0.02 * rows["weight"].sum()
    )


def test_a_calibration_that_cannot_be_used_says_why(workspace) -> None:
    with pytest.raises(InputError, match=r"no calibrated model test \(expected one of none\)"):
        run.lookup(workspace, CALIBRATED)
    save_correction(workspace)
    save_correction(workspace, name="other", base_model="itm")
    with pytest.raises(InputError, match=r"no calibrated model x \(expected one of other, test\)"):
        run.lookup(workspace, dataclasses.replace(REQUEST, calibration="x"))
    with pytest.raises(InputError, match=r"other corrects itm, but .* p1812 .*of it: test\)"):
        run.lookup(workspace, dataclasses.replace(REQUEST, calibration="other"))
    for name in ("../secret", "", "a/b", "."):
        with pytest.raises(InputError, match="The name of a model is"):
            run.lookup(workspace, dataclasses.replace(REQUEST, calibration=name))
    (workspace.folder / "models" / "test.json").write_text("{}")
    with pytest.raises(InputError, match=r"test\.json holds no calibrated model"):
        run.lookup(workspace, CALIBRATED)


def test_a_calibration_far_from_its_frequencies_is_said(workspace) -> None:
    save_correction(workspace, frequency_range_mhz=(700.0, 760.0))
    found = run.compute(workspace, CALIBRATED)
    cells = workspace.read("cells")
    far = (cells["frequency_mhz"].astype(float) > 1.2 * 760.0).sum()
    said = [note for note in notes_of(found) if "measured at 700 to 760 MHz" in note]
    assert len(said) == 1
    assert f"{far} of {len(cells)} cells" in said[0]


# validity


@quiet
@pytest.mark.parametrize("name", sorted(models.MODELS))
def test_every_model_gives_figures_and_says_where_it_is_strained(unchanged, plain, name) -> None:
    workspace = unchanged
    model = models.get_model(name)
    result = run.compute(workspace, dataclasses.replace(REQUEST, model=name))
    shares = result.figures["share"].dropna()
    assert len(shares) == len(plain.figures["share"].dropna())
    assert (shares > 0.0).any()
    cells = workspace.read("cells")
    expected = []
    for column, unit in (("frequency_mhz", "MHz"), ("antenna_height_m", "m above ground")):
        low, high, _ = model.valid_range.get(column, (0.0, np.inf, ""))
        outside = ~cells[column].astype(float).between(low, high)
        if outside.any():
            text = f"{low:g} to {high:g} {unit}; outside it results are extrapolations: "
            expected.append((f"{text}{outside.sum()} of {len(cells)} cells", cells[outside]))
    said = [note for note in notes_of(result) if "extrapolations" in note]
    assert len(said) == len(expected)
    for (text, outside), note in zip(expected, said, strict=True):
        assert note.startswith(model.title)
        assert text in note
        assert str(outside["cell_id"].iloc[0]) in note
    if name in ("cost231_hata", "tr38901_umi"):
        assert said  # a case that could fail
    stored = json.loads((result.folder / "coverage.json").read_text(encoding="utf-8"))
    assert [note["text"] for note in stored["provenance"]["notes"]] == notes_of(result)


def test_a_cell_beyond_the_models_limits_is_left_out_and_named(workspace, area, tmp_path) -> None:
    cells = workspace.read("cells")
    number = int(np.flatnonzero(cells["technology"] == "4G")[0])
    name = cells["cell_id"].iloc[number]
    strange = cells.copy()
    strange["frequency_mhz"] = strange["frequency_mhz"].astype(float)
    strange.loc[strange.index[number], "frequency_mhz"] = 7000.0
    workspace.write({"cells": strange}, {"cells": workspace.provenance()["cells"]})
    result = run.compute(workspace, REQUEST)
    said = [note for note in notes_of(result) if note.startswith("Cells left out")]
    assert len(said) == 1
    assert f": 1 ({name})." in said[0]
    without = write_area(tmp_path / "less", area, cells=cells.drop(cells.index[number]))
    rest = run.compute(without, REQUEST)
    assert np.array_equal(numbers(result.figures), numbers(rest.figures), equal_nan=True)
    assert not (result.server("4G").values == number).any()
    live = whatif.LiveNetwork(workspace, REQUEST)
    assert np.allclose(numbers(live.figures()), numbers(rest.figures), equal_nan=True)


def test_a_technology_that_a_model_cannot_predict_at_all_is_refused(workspace) -> None:
    cells = workspace.read("cells")
    high = cells["technology"] == "4G"
    cells["frequency_mhz"] = cells["frequency_mhz"].astype(float).where(~high, 7000.0)
    workspace.write({"cells": cells}, {"cells": workspace.provenance()["cells"]})
    expected = r"ITU-R P\.1812 gives no result for any cell of 4G: .*frequency_mhz 30 to 6000"
    for compute in (run.compute, whatif.LiveNetwork):
        with pytest.raises(InputError, match=expected):
            compute(workspace, REQUEST)
    result = run.compute(workspace, dataclasses.replace(REQUEST, technologies=("2G", "3G")))
    assert not [note for note in notes_of(result) if note.startswith("Cells left out")]


def test_what_a_model_does_not_know_is_said(area) -> None:
    model = models.get_model("okumura_hata")
    settings = SweepSettings(model=model.name, radius_m=30_000.0, time_percent=10.0)
    said = " ".join(map(str, validity.notes(model, area.cells.iloc[:0], settings)))
    assert "distances up to 20 km; beyond it, up to the radius of 30 km" in said
    assert "does not tell shares of time apart: 10 %" in said
    assert not validity.notes(models.get_model("p1812"), area.cells, SweepSettings())


def test_no_terrain_at_all_is_an_error(area, tmp_path) -> None:
    bare = write_area(tmp_path / "w", area, without=("terrain",))
    with pytest.raises(InputError, match="The workspace has no terrain"):
        run.compute(bare, REQUEST)
    assert list((bare.folder / "results").iterdir()) == []
