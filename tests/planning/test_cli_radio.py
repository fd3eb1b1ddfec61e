"""The commands around coverage: calibration, products and antenna patterns, from end to end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest

from coverage import clutter, point_prediction
from coverage.sweep import SweepSettings
from data.store import Workspace
from planning import __main__ as command_line
from tests.areas import small_area, write_area

Outcome = tuple[int, str, str]
Cli = Callable[..., Outcome]

COARSE = ("--resolution", "200", "--radius-km", "2")
OFFSET_DB = -9.0


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command in this process: exit code, output, standard error."""
    monkeypatch.setattr(command_line._Progress, "QUIET_S", float("inf"))

    def execute(*words: object) -> Outcome:
        try:
            code = command_line.main([str(word) for word in words])
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return execute


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A small generated area; not to be changed."""
    return write_area(tmp_path_factory.mktemp("cli_radio") / "w", small_area())


@pytest.fixture
def own(generated: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it that a test may change."""
    return Workspace.open(shutil.copytree(generated.folder, tmp_path / "own"))


@pytest.fixture(scope="module")
def drive_test(generated: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Levels that are 9 dB below the prediction, with fading, at 500 places."""
    rng = np.random.default_rng(5)
    masts, cells = generated.read("masts"), generated.read("cells").reset_index(drop=True)
    chosen = cells[cells["technology"] == "4G"].sample(500, replace=True, random_state=1)
    place = masts.set_index("mast_id").geometry.loc[chosen["mast_id"]]
    distance = rng.uniform(300.0, 2500.0, 500)
    bearing = rng.uniform(0.0, 2.0 * np.pi, 500)
    points = pd.DataFrame(
        {
            "x_m": place.x.to_numpy() + distance * np.sin(bearing),
            "y_m": place.y.to_numpy() + distance * np.cos(bearing),
            "cell_id": chosen["cell_id"].to_numpy(),
        }
    )
    predicted = point_prediction.predict_points(
        generated.read_raster("terrain"),
        clutter.clutter_height(generated.read_raster("clutter")),
        masts,
        cells,
        points,
        settings=SweepSettings(),
    )
    level = predicted["predicted_dbm"] + OFFSET_DB + rng.normal(0.0, 4.0, 500)
    table = points.assign(level_dbm=level.round(1)).dropna()
    table = table[table["level_dbm"].between(-140.0, -20.0)]
    assert len(table) > 300
    file = tmp_path_factory.mktemp("drive") / "đo kiểm.csv"
    table.to_csv(file, index=False)
    return file


def assert_refused(outcome: Outcome, *said: str) -> None:
    code, _, err = outcome
    assert code == 2
    assert err.count("\n") == 1, err
    assert err.startswith("Error: ")
    for part in said:
        assert part in err


# calibrate


def test_a_drive_test_becomes_a_model_that_coverage_uses(
    cli: Cli, own: Workspace, drive_test: Path, tmp_path: Path
) -> None:
    there = ("--workspace", own.folder)
    code, out, err = cli("calibrate", drive_test, "--name", "ha-nam", *there)
    assert (code, err) == (0, "")
    before, after = (line for line in out.splitlines() if line.startswith("Error "))
    assert "Error before, on blocks held out: mean +9." in before or "mean +8." in before
    assert "standard deviation 4." in after or "standard deviation 3." in after
    assert f"Saved as ha-nam in {own.folder / 'models' / 'ha-nam.json'}" in out
    model = json.loads((own.folder / "models" / "ha-nam.json").read_text(encoding="utf-8"))
    assert model["offset_db"] == pytest.approx(OFFSET_DB, abs=1.0)
    assert model["held_out_after"]["rmse_db"] < 0.6 * model["held_out_before"]["rmse_db"]

    words = ("coverage", *there, *COARSE, "--out", tmp_path / "out", "--technology", "4g")
    code, _, err = cli(*words, "--calibration", "ha-nam")
    assert (code, err) == (0, "")
    calibrated = json.loads((tmp_path / "out" / "coverage.json").read_text(encoding="utf-8"))
    assert calibrated["provenance"]["calibration"]["name"] == "ha-nam"
    assert cli(*words)[0] == 0
    plain = json.loads((tmp_path / "out" / "coverage.json").read_text(encoding="utf-8"))
    shares = [item["zones"][0]["4G"]["area_percent"] for item in (calibrated, plain)]
    assert shares[0] < shares[1] - 1.0

    # A name is not taken twice by accident.
    assert_refused(cli("calibrate", drive_test, "--name", "ha-nam", *there), "ha-nam already")
    assert cli("calibrate", drive_test, "--name", "ha-nam", "--replace", *there)[0] == 0
    assert_refused(cli(*words, "--calibration", "hanam"), "(expected one of ha-nam)")
    assert_refused(
        cli(*words, "--calibration", "ha-nam", "--model", "itm"), "corrects p1812", "itm"
    )


def test_bad_rows_of_a_drive_test_are_named_and_left_out(
    cli: Cli, own: Workspace, drive_test: Path, tmp_path: Path
) -> None:
    table = pd.read_csv(drive_test).astype(object)
    table.loc[0, "level_dbm"] = "loud"
    table.loc[1, "cell_id"] = "nobody"
    file = tmp_path / "d.csv"
    table.to_csv(file, index=False)
    code, out, _ = cli("calibrate", file, "--name", "a", "--workspace", own.folder)
    assert code == 0
    assert "error: d.csv, row 2, column level_dbm: 'loud'" in out
    assert "error: d.csv, row 3, column cell_id: 'nobody'" in out
    assert f"{len(table) - 2} of {len(table)} rows used" in out


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        (None, (), "cannot be read"),
        (b"", (), "is empty"),
        (b"lat,lon\n1,2\n", (), "column level_dbm is missing"),
        (b"x_m,y_m,level_dbm,cell_id\n1,2,loud,none\n", (), "no row can be used"),
        ("few", (), "calibration needs at least 60"),
        ("few", ("--name", "../x"), "The name of a model is ../x"),
        ("few", ("--model", "crystal_ball"), "'crystal_ball', but it must be one of"),
        ("few", ("--floor", "low"), "'low' is not a number"),
    ],
)
def test_a_drive_test_that_cannot_be_used(
    cli: Cli, generated: Workspace, drive_test: Path, tmp_path: Path, content, words, said: str
) -> None:
    file = tmp_path / "m.csv"
    if content == "few":
        pd.read_csv(drive_test).head(20).to_csv(file, index=False)
    elif content is not None:
        file.write_bytes(content)
    command = ("calibrate", file, "--workspace", generated.folder, "--name", "x", *words)
    assert_refused(cli(*command), said)
    assert not (generated.folder / "models").exists()


# products


def test_products_are_written_with_a_summary(
    cli: Cli, generated: Workspace, tmp_path: Path
) -> None:
    words = ("products", "--workspace", generated.folder, *COARSE)
    code, out, err = cli(*words, "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    assert "Illustrative data" in out
    assert "Without 4G: " in out
    assert "Lost if 2G is switched off and 3G or 4G stays: " in out
    layers = pyogrio.list_layers(tmp_path / "out" / "service_zones.gpkg")[:, 0].tolist()
    assert {"service_zones", "holes_2G", "holes_any", "switch_off"} <= set(layers)
    summary = json.loads((tmp_path / "out" / "service_zones.json").read_text(encoding="utf-8"))
    assert summary["illustrative"] is True
    holes = gpd.read_file(tmp_path / "out" / "service_zones.gpkg", layer="holes_4G")
    assert f"Without 4G: {len(holes)} areas, {holes['area_km2'].sum():.1f} km²" in out
    assert holes["rank"].tolist() == list(range(1, len(holes) + 1))
    assert holes["people"].is_monotonic_decreasing

    code, out, _ = cli(
        *(*words, "--out", tmp_path / "own", "--operator", "B", "--technology", "3g,4g"),
        *("--going", "3g", "--staying", "4g", "--minimum-area", "0.1", "--simplify", "50"),
    )
    assert code == 0
    assert "Lost if 3G is switched off and 4G stays" in out
    mine = json.loads((tmp_path / "own" / "service_zones.json").read_text(encoding="utf-8"))
    assert mine["operator"] == "B"
    assert mine["holes"]["4G"]["area_km2"] > summary["holes"]["4G"]["area_km2"]
    code, out, _ = cli(*words, "--out", tmp_path / "one", "--technology", "4g")
    assert code == 0
    assert "Lost if" not in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--operator", "Z"), "Operator Z is not in the coverage (expected one of any, A, B, C)"),
        (("--going", "5g"), "is about 5G, which is not among the technologies asked for"),
        (("--going", "4g", "--staying", "4g"), "4G cannot be switched off and stay"),
        (("--minimum-area", "-1"), "-1 is not 0 or more"),
        (("--simplify", "far"), "'far' is not a number"),
        (("--technology", "6g"), "Technology 6G is not known"),
    ],
)
def test_products_that_cannot_be(
    cli: Cli, generated: Workspace, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    command = ("products", "--workspace", generated.folder, *COARSE, "--out", tmp_path / "out")
    assert_refused(cli(*command, *words), said)
    assert not (tmp_path / "out" / "service_zones.json").exists()


# data pattern


def pattern_text(name: str, *, count: int = 360, gain: str = "17 dBi") -> str:
    angle = (np.arange(360) + 180.0) % 360.0 - 180.0
    lines = [f"NAME {name}", f"GAIN {gain}"]
    for cut, width, floor in (("HORIZONTAL", 65.0, 25.0), ("VERTICAL", 7.0, 30.0)):
        values = np.minimum(12.0 * (angle / width) ** 2, floor)
        lines += [f"{cut} 360", *(f"{i} {value:.3f}" for i, value in enumerate(values[:count]))]
    return "\n".join(lines) + "\n"


def test_pattern_files_are_checked_and_kept(cli: Cli, own: Workspace, tmp_path: Path) -> None:
    first, second = tmp_path / "a.msi", tmp_path / "b.txt"
    first.write_text(pattern_text("X65"))
    second.write_text(pattern_text("Y65", gain="15.35"))
    words = ("data", "pattern", first, second, "--workspace", own.folder)
    code, out, err = cli(*words)
    assert (code, err) == (0, "")
    assert "X65: 17.0 dBi, main lobe 0° below the horizon" in out
    assert "Y65: 17.5 dBi" in out  # without a unit it is in dBd, and that is said
    assert "dBd" in out
    kept = own.folder / "patterns"
    assert sorted(path.name for path in kept.iterdir()) == ["a.msi", "b.msi"]
    assert (kept / "a.msi").read_bytes() == first.read_bytes()
    first.write_text(pattern_text("X65", gain="16 dBi"))
    assert cli(*words)[0] == 0  # again, with other content
    assert (kept / "a.msi").read_bytes() == first.read_bytes()

    cells = own.read("cells")
    cells["pattern"] = "X65"
    own.write({"cells": cells}, {"cells": own.provenance()["cells"]})
    command = ("coverage", "--workspace", own.folder, *COARSE, "--out", tmp_path / "out")
    assert cli(*command, "--technology", "4g")[0] == 0


def test_a_bad_pattern_file_changes_nothing(cli: Cli, own: Workspace, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.msi", tmp_path / "bad.msi"
    good.write_text(pattern_text("X65"))
    words = ("data", "pattern", "--workspace", own.folder)
    kept = own.folder / "patterns"

    bad.write_text(pattern_text("Y65", count=300))
    assert_refused(cli(*words, good, bad), "bad.msi, line", "expected 360 lines")
    assert list(kept.iterdir()) == []
    assert_refused(cli(*words, good, tmp_path / "none.msi"), "none.msi", "cannot be read")
    bad.write_text(pattern_text("X65"))
    assert_refused(cli(*words, good, bad), "antenna name X65 is also that of")
    assert list(kept.iterdir()) == []

    assert cli(*words, good)[0] == 0
    assert_refused(cli(*words, bad), "antenna name X65 is also that of")
    (tmp_path / "twin").mkdir()
    (tmp_path / "twin" / "good.msi").write_text(pattern_text("Z65"))
    assert_refused(cli(*words, good, tmp_path / "twin" / "good.msi"), "two files of this name")
    assert [path.name for path in kept.iterdir()] == ["good.msi"]
    assert kept.joinpath("good.msi").read_bytes() == good.read_bytes()
