"""`data import` and `data undo`: what is printed, kept, saved and taken back."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from data.importers import legacy_vietnamese
from data.store import Workspace
from planning import __main__ as command_line
from tests.data import samples

Outcome = tuple[int, str, str]
Cli = Callable[..., Outcome]

HEADER = "Ký tự;Tên trạm;Kinh độ;Vĩ độ;Cao\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace.create(tmp_path / "w", samples.AREA)
    workspace.write({"zones": samples.zones()}, {"zones": samples.REAL})
    return workspace


@pytest.fixture
def cli(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Run `data …` on the workspace: exit code, output, standard error."""
    monkeypatch.setattr(command_line._Progress, "QUIET_S", float("inf"))

    def execute(*words: object) -> Outcome:
        there = ("--workspace", workspace.folder)
        try:
            code = command_line.main(["data", *(str(word) for word in (*words, *there))])
        except SystemExit as stop:  # the parser's own
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return execute


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "trạm.csv"
    rows = "".join(f"K{k};Trạm {k};105,98;20,4{k};{100 + k}\n" for k in range(3))
    path.write_text(HEADER + rows, encoding="utf-8")
    return path


def test_a_preview_says_how_a_file_is_read_and_changes_nothing(
    cli: Cli, workspace: Workspace, file: Path
) -> None:
    words = ("--mapping", "mast_id=Ký tự", "--unit", "height=ft", "--preview")
    code, out, err = cli("import", "masts", file, *words)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert "mast_id = Ký tự (given)" in lines
    assert "name = Tên trạm" in lines
    assert "height_m = Cao (from ft)" in lines
    assert "Places in EPSG:4326" in lines
    assert "3 of 3 rows can be imported, the first of them:" in lines
    assert lines[-1] == "Nothing was changed"
    assert any("Trạm 0" in line and "30.48" in line for line in lines)
    assert not workspace.has("masts")
    assert not (workspace.folder / "import_settings.json").exists()


def test_what_is_said_once_is_remembered_and_can_be_forgotten(
    cli: Cli, workspace: Workspace, file: Path
) -> None:
    assert cli("import", "masts", file)[0] == 2
    words = ("--mapping", "mast_id=Ký tự", "--unit", "height=ft")
    code, out, _ = cli("import", "masts", file, *words)
    assert code == 0
    assert out.splitlines()[-1] == "masts: 3 of 3 rows imported"
    code, out, _ = cli("import", "masts", file)
    assert code == 0
    assert "mast_id = Ký tự (as before)" in out
    assert "read as a file with the same columns before: mast_id = Ký tự" in out
    assert workspace.read("masts")["height_m"].tolist()[0] == pytest.approx(30.48)
    code, out, err = cli("import", "masts", file, "--forget-mapping")
    assert code == 2
    assert "is forgotten" in out
    assert "mast_id: the column is missing" in err
    assert cli("import", "masts", file)[0] == 2


def test_many_problems_are_counted_and_saved(
    cli: Cli, workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "cột.csv"
    rows = [
        f"M{k},{'cao' if k % 2 else 42},105.98,{99 if k % 5 == 0 else 20.45}\n" for k in range(100)
    ]
    path.write_text("mast_id,height_m,lon,lat\n" + "".join(rows), encoding="utf-8")
    saved = tmp_path / "lỗi.csv"
    code, out, err = cli("import", "masts", path, "--problems", saved)
    assert code == 2
    assert "and 69 more problems" in err
    assert len([line for line in out.splitlines() if line.startswith("error:")]) == 20
    assert "70 problems in all" in out
    assert "50 × error: column height_m: expected a number greater than 0" in out
    assert "20 × error: column lat: expected a number from -90 to 90 deg" in out
    with saved.open(encoding="utf-8-sig", newline="") as stream:
        found = list(csv.DictReader(stream))
    assert len(found) == 70
    assert found[0] == {
        "severity": "error",
        "file": "cột.csv",
        "row": "2",
        "column": "lat",
        "value": "99",
        "expected": "expected a number from -90 to 90 deg",
    }
    assert not workspace.has("masts")
    code, out, _ = cli("import", "masts", path, "--accept-rows")
    assert code == 0
    assert "`--problems FILE.csv` saves all of them" in out
    assert out.splitlines()[-1] == "masts: 40 of 100 rows imported"


def test_a_grid_of_a_province(cli: Cli, workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "vn2000.csv"
    path.write_text("Mã trạm;X;Y;Cao\nA;2263000,5;602000,25;42\n", encoding="utf-8")
    code, out, err = cli("import", "masts", path, "--preview")
    assert code == 0
    assert "a grid that is not stated" in out
    code, out, err = cli("import", "masts", path, "--crs", "vn2000:hanam", "--preview")
    assert (code, err) == (0, "")
    assert "Places in VN-2000 3° 105°00' (EPSG:5897)" in out
    assert "holds northings" in out
    code, _, err = cli("import", "masts", path, "--crs", "vn2000:atlantis")
    assert code == 2
    assert "no zone atlantis" in err


def test_an_encoding_that_is_stated(cli: Cli, workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "cũ.csv"
    text = "mast_id,name,height_m,lon,lat\nA,Hà,42,105.98,20.45\n"
    path.write_bytes(legacy_vietnamese.as_typed(text, legacy_vietnamese.TCVN3).encode("cp1252"))
    assert cli("import", "masts", path, "--encoding", "tcvn3")[0] == 0
    assert workspace.read("masts")["name"].tolist() == ["Hà"]
    assert "no encoding" in cli("import", "masts", path, "--encoding", "elvish")[2]


def test_undo_takes_imports_back_one_by_one(cli: Cli, workspace: Workspace, tmp_path: Path) -> None:
    for name in ("A", "B"):
        path = tmp_path / f"{name}.csv"
        path.write_text(f"mast_id,height_m,lon,lat\n{name},42,105.98,20.45\n")
        assert cli("import", "masts", path)[0] == 0
    code, out, _ = cli("undo", "--list")
    assert code == 0
    assert [line.split("  ")[1:] for line in out.splitlines()] == [
        ["import of masts", "B.csv", "(masts)"],
        ["import of masts", "A.csv", "(masts)"],
    ]
    assert workspace.read("masts")["mast_id"].tolist() == ["B"]
    code, out, _ = cli("undo")
    assert code == 0
    assert out.startswith("Undone: import of masts from B.csv of ")
    assert workspace.read("masts")["mast_id"].tolist() == ["A"]
    assert cli("undo")[0] == 0
    assert not workspace.has("masts")
    assert cli("undo", "--list")[1] == "There is no import to undo\n"
    code, out, err = cli("undo")
    assert code == 2
    assert "no import to undo" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--unit", "height"), "is not of the form COLUMN=UNIT"),
        (("--unit", "height=parsec"), "parsec is not a unit of height_m"),
        (("--mapping", "height_m"), "is not of the form OURS=THEIRS"),
        (("--mapping", "height_m=Không"), "has no column Không"),
        (("--crs", "EPSG:0"), "is not a coordinate reference system"),
    ],
)
def test_bad_options_are_one_line(cli: Cli, file: Path, words: tuple[str, ...], said: str) -> None:
    code, out, err = cli("import", "masts", file, *words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
