"""The command line takes data out: layers to files, figures to other zones."""

import pandas as pd
import pytest

from data.store import Workspace
from planning.__main__ import main
from tests.areas import small_area, write_area


@pytest.fixture(scope="module")
def area(tmp_path_factory) -> Workspace:
    return write_area(tmp_path_factory.mktemp("out") / "w", small_area())


def test_an_exported_layer_is_imported_again(area, tmp_path, capsys) -> None:
    file = tmp_path / "cột.xlsx"
    assert main(["data", "export", "masts", str(file), "--workspace", str(area.folder)]) == 0
    masts = area.read("masts")
    assert f"masts: {len(masts)} rows written" in capsys.readouterr().out
    other = write_area(tmp_path / "other", small_area())
    assert main(["data", "import", "masts", str(file), "--workspace", str(other.folder)]) == 0
    again = Workspace.open(other.folder).read("masts")
    assert again["mast_id"].tolist() == masts["mast_id"].tolist()
    assert (again.distance(masts) < 0.01).all()


def test_figures_go_from_communes_to_their_province(area, tmp_path, capsys) -> None:
    zones = area.read("zones")
    communes = zones[zones["level"] == "commune"]
    day = communes["valid_from"].iloc[0] or "2026-01-01"
    table = pd.DataFrame({"code": communes["code"], "houses": 7.0})
    table.to_csv(tmp_path / "figures.csv", index=False)
    words = ["data", "transfer", str(tmp_path / "figures.csv"), "--from", day, "--to", day]
    words += ["--level", "province", "--workspace", str(area.folder)]
    out = tmp_path / "out.csv"
    assert main([*words, "--out", str(out), "--count", "houses"]) == 0
    assert "1 units written" in capsys.readouterr().out
    assert pd.read_csv(out)["houses"].item() == pytest.approx(7.0 * len(communes), rel=1e-3)
    assert main([*words, "--out", str(out)]) == 2
    assert "no column to transfer was named" in capsys.readouterr().err
    missing = tmp_path / "no" / "out.csv"
    assert main([*words, "--out", str(missing), "--count", "houses"]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_an_ending_that_says_nothing_is_one_sentence(area, tmp_path, capsys) -> None:
    file = tmp_path / "masts.doc"
    assert main(["data", "export", "masts", str(file), "--workspace", str(area.folder)]) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    assert not file.exists()
