"""The commands about shared masts, as a user types them."""

import json
from pathlib import Path

import pandas as pd
import pytest

from data.store import Workspace
from planning import __main__ as command_line
from tests.planning import sharing_areas


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    return sharing_areas.workspace(tmp_path_factory.mktemp("cli-share") / "w")


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep progress off standard error, however slow the machine is."""
    monkeypatch.setattr(command_line._Progress, "QUIET_S", float("inf"))


def run(workspace: Workspace, out: Path, *words: str) -> int:
    common = ["--technology", "3g,4g", "--radius-km", "3", "--out", str(out)]
    return command_line.main(["share", *words, *common, "--workspace", str(workspace.folder)])


def test_analyse(workspace, tmp_path, capsys) -> None:
    assert run(workspace, tmp_path / "out", "analyse", "--distance-m", "2500") == 0
    said = capsys.readouterr().out
    about = json.loads((tmp_path / "out" / "sharing.json").read_text(encoding="utf-8"))
    assert f"{about['shared_masts']} of 12 masts carry several operators" in said
    assert f"{about['pairs_possible']} could become one" in said
    assert about["provenance"]["distance_m"] == 2500.0
    assert len(pd.read_csv(tmp_path / "out" / "pairs.csv")) == 2 * about["pairs"]


def test_consolidate(workspace, tmp_path, capsys) -> None:
    words = ("consolidate", "--distance-m", "2500", "--keep-percent", "97", "--time-limit", "10")
    assert run(workspace, tmp_path / "out", *words) == 0
    said = capsys.readouterr().out
    about = json.loads((tmp_path / "out" / "consolidation.json").read_text(encoding="utf-8"))
    assert about["keep_percent"] == 97.0
    assert f"{about['masts_after']} of 12 masts stay" in said
    assert "0.00 % gap" in said
    assert (pd.read_csv(tmp_path / "out" / "operators.csv")["km2_kept"] >= 0.9698).all()


def test_white_spots_of_a_commune(workspace, tmp_path, capsys) -> None:
    zones = workspace.read("zones")
    code = str(zones.loc[zones["level"] == "commune", "code"].iloc[0])
    words = ("white-spots", "--commune", code, "--least-km2", "0", "--most", "5")
    assert run(workspace, tmp_path / "out", *words) == 0
    assert "white spots of 4G" in capsys.readouterr().out
    spots = pd.read_csv(tmp_path / "out" / "white_spots.csv", dtype={"code": str})
    assert 0 < len(spots) <= 5
    assert set(spots["code"]) == {code}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("analyse", "--distance-m", "99999"), "99999"),
        (("white-spots", "--missing", "5g"), "5G"),
        (("white-spots", "--operator", "Nobody"), "Nobody"),
        (("white-spots", "--commune", "nowhere"), "nowhere"),
    ],
)
def test_bad_input_is_one_line(workspace, tmp_path, capsys, words, said) -> None:
    assert run(workspace, tmp_path / "out", *words) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("Error: ")
    assert said in error
    assert "\n" not in error


def test_a_file_in_place_of_the_folder_is_refused(workspace, tmp_path, capsys) -> None:
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    assert run(workspace, tmp_path / "out", "analyse") == 2
    assert "expected a folder" in capsys.readouterr().err
    assert (tmp_path / "out").read_text(encoding="utf-8") == "a file"


@pytest.mark.parametrize("value", ["20", "101", "all"])
def test_a_share_out_of_range_is_refused_at_once(workspace, tmp_path, value) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(workspace, tmp_path / "out", "consolidate", "--keep-percent", value)
    assert stopped.value.code == 2
