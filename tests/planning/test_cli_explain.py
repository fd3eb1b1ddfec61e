"""The command that explains a level says what the functions behind the map say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyproj
import pytest

from coverage import run
from coverage.path_explanation import explain_cell
from coverage.request import CoverageRequest, make_plan
from data.store import Workspace
from planning import __main__ as command_line
from tests.areas import small_area, write_area

Outcome = tuple[int, str, str]
Cli = Callable[..., Outcome]

COARSE = ("--resolution", "200", "--radius-km", "2")
REQUEST = CoverageRequest(resolution_m=200.0, radius_m=2000.0)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run the command in this process: exit code, output, standard error."""
    monkeypatch.setattr(command_line._Progress, "QUIET_S", float("inf"))

    def execute(*words: object) -> Outcome:
        try:
            code = command_line.main(["explain", *(str(word) for word in words)])
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return execute


@pytest.fixture(scope="module")
def area(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A small generated area; not to be changed."""
    return write_area(tmp_path_factory.mktemp("cli_explain") / "w", small_area())


def degrees(area: Workspace, x_m: float, y_m: float) -> str:
    to_degrees = pyproj.Transformer.from_crs(area.area.crs, "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(x_m, y_m)
    return f"{lon:.8f},{lat:.8f}"


def test_the_command_says_what_the_functions_say(cli: Cli, area: Workspace, tmp_path: Path) -> None:
    plan = make_plan(area, REQUEST)
    result = run.compute(area, REQUEST)
    mast = area.read("masts").geometry.iloc[0]
    column = int(np.argmin(np.abs(plan.grid.x_centres() - mast.x - 700.0)))
    row = int(np.argmin(np.abs(plan.grid.y_centres() - mast.y)))
    x_m, y_m = plan.grid.x_centres()[column], plan.grid.y_centres()[row]
    # Anywhere in the pixel.
    at = degrees(area, x_m + 60.0, y_m - 70.0)
    code, out, err = cli(f"--at={at}", *COARSE, "--workspace", area.folder, "--out", tmp_path / "o")
    assert (code, err) == (0, "")
    written = json.loads((tmp_path / "o" / "explanation.json").read_text("utf-8"))
    table = result.at(row, column)
    received = pd.DataFrame(written["receptions"])
    assert received["technology"].tolist() == table["technology"].tolist()
    assert received["operator"].tolist() == table["operator"].tolist()
    np.testing.assert_equal(
        received["level_dbm"].to_numpy(float), table["level_dbm"].to_numpy(float)
    )
    assert received["covered"].tolist() == table["covered"].tolist()
    servers = sorted(set(table["server"]) - {-1})
    assert [each["server"] for each in written["servers"]] == servers
    assert len(servers) >= 3
    profiles = pd.read_csv(tmp_path / "o" / "profiles.csv")
    for each in written["servers"]:
        found = explain_cell(plan, each["server"], x_m, y_m)
        path = found.path
        assert each["level_dbm"] == found.level_dbm
        assert each["loss_by_part_db"] == {str(k): v for k, v in path.parts.items()}
        assert sum(each["loss_by_part_db"].values()) == pytest.approx(each["loss_db"])
        assert each["distance_m"] == 1000.0 * path.distance_km[-1]
        assert each["least_clearance"] == path.clearance.min()
        assert each["line_of_sight"] == bool((path.sight_m - path.obstacle_m)[1:-1].min() >= 0.0)
        lines = profiles[profiles["server"] == each["server"]]
        np.testing.assert_allclose(lines["height_m"], path.height_m)
        np.testing.assert_allclose(lines["clearance"].to_numpy()[1:-1], path.clearance[1:-1])
        assert each["cell_id"] in out
        assert f"{each['loss_db']:7.1f} dB loss in all: {each['level_dbm']:.1f} dBm" in out
    for row_said in written["receptions"]:
        if row_said["level_dbm"] is not None:
            start = f"{row_said['technology']} {row_said['operator']}: {row_said['metric']}"
            assert f"{start} {row_said['level_dbm']:.1f} dBm" in out


def test_only_what_is_asked_for_is_said(cli: Cli, area: Workspace) -> None:
    mast = area.read("masts").geometry.iloc[0]
    at = degrees(area, mast.x + 700.0, mast.y)
    code, out, _ = cli(f"--at={at}", *COARSE, "--technology", "4g", "--workspace", area.folder)
    assert code == 0
    assert "4G any: RSRP" in out
    assert "2G" not in out


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (("--at", "-3.7,40.4"), "The place lies outside the study area"),
        (("--at", "105.9"), "'105.9' is not LON,LAT in degrees"),
        (("--at", "a,b"), "'a,b' is not LON,LAT in degrees"),
        (("--at", "105.9,95"), "expected LON,LAT in degrees"),
        (("--at", "nan,20"), "expected LON,LAT in degrees"),
        ((), "required: --at"),
    ],
)
def test_a_wrong_place_is_one_sentence(
    cli: Cli, area: Workspace, at: tuple[str, ...], said: str
) -> None:
    code, out, err = cli(*at, *COARSE, "--workspace", area.folder)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_a_file_is_no_folder(cli: Cli, area: Workspace, tmp_path: Path) -> None:
    there = tmp_path / "file"
    there.write_text("kept")
    code, _, err = cli("--at", "105.9,20.5", "--workspace", area.folder, "--out", there)
    assert code == 2
    assert "is a file; expected a folder" in err
    assert there.read_text() == "kept"
