"""The commands about proposals: files, words, and one line for bad input; in both databases."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from planning import __main__ as command_line
from tests.areas import small_area, write_area

HEADER = "Mã đề xuất,Tên trạm,Kinh độ,Vĩ độ,Loại cột,Chiều cao cột (m),Công nghệ\n"


@pytest.fixture
def cli(capsys, monkeypatch, database_url, tmp_path):
    """Run a command of `proposals` on an area of its own: exit code, output, standard error."""
    monkeypatch.setattr(command_line._Progress, "QUIET_S", float("inf"))
    monkeypatch.delenv("PHUSONG_DATABASE_URL", raising=False)
    if database_url is not None:
        monkeypatch.setenv("PHUSONG_DATABASE_URL", database_url)
    workspace = write_area(tmp_path / "home" / "area", small_area())

    def execute(*words: object) -> tuple[int, str, str]:
        given = ["proposals", *map(str, words), "--workspace", str(workspace.folder)]
        try:
            code = command_line.main(given)
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    execute.workspace = workspace
    return execute


def test_the_whole_way_by_commands(cli, tmp_path) -> None:
    point = cli.workspace.read("zones").geometry.to_crs("EPSG:4326").union_all().centroid
    path = tmp_path / "sites.csv"
    path.write_text(
        HEADER
        + f'=P1,Trạm,{point.x:.6f},{point.y:.6f},A2b,42,"4G,3G"\n'
        + f"P2,Trạm,{point.x + 0.01:.6f},{point.y:.6f},A2b,30,4G\n",
        "utf-8",
    )
    code, out, _ = cli("import", path, "--organisation", "A", "--submit")
    assert (code, out.count("submitted")) == (0, 2)
    # The same file again makes nothing new, and nothing is left to be evaluated.
    assert out.endswith("2 evaluated\n")
    again = cli("import", path, "--organisation", "A", "--submit")[1]
    assert again == out.removesuffix("2 evaluated\n")

    code, out, _ = cli("evaluate", 1, "--out", tmp_path / "out")
    assert code == 0
    assert "4G, A: " in out
    content = json.loads((tmp_path / "out" / "proposal_1.json").read_text("utf-8"))
    assert {"provenance", "gains", "findings", "alternatives", "cost"} <= set(content)
    assert content["provenance"]["organisation"] == "A"
    table = pd.read_csv(tmp_path / "out" / "proposal_1_communes.csv")
    assert table["area_km2"].sum() > 0.0

    code, out, _ = cli("decide", 1, "approve", "--number", "1/SKHCN", "--day", "2024-07-28")
    assert (code, out.strip().endswith("approved")) == (0, True)
    code, out, _ = cli("decide", 2, "refuse", "--reason", "Quá gần")
    assert (code, out.strip().endswith("refused")) == (0, True)
    code, out, _ = cli("record", 1, "permit", "--number", "2", "--day", "2024-08-01")
    assert (code, out.strip().endswith("permit")) == (0, True)
    # The site of no plan needed one; a planner may say that another does not.
    path.write_text(HEADER + f"P3,Trạm,{point.x:.6f},{point.y + 0.01:.6f},A2b,42,4G\n", "utf-8")
    assert cli("import", path, "--organisation", "A", "--submit", "--no-evaluation")[0] == 0
    words = ("decide", 3, "approve", "--permit", "exempt", "--number", "3", "--day", "2024-07-28")
    assert cli(*words)[0] == 0
    code, out, _ = cli("record", 3, "emf_certificate", "--number", "4", "--day", "2024-08-01")
    assert (code, out.strip().endswith("emf_certificate")) == (0, True)
    assert cli("list", "--status", "refused")[1].count("\n") == 1

    code, out, _ = cli("export", "--out", tmp_path / "out", "--format", "csv", "xlsx", "kml")
    assert code == 0
    table = pd.read_csv(tmp_path / "out" / "proposals.csv", dtype=str)
    assert set(table["reference"]) == {"'=P1", "P2", "P3"}
    assert set(table["consent"].dropna()) == {"1/SKHCN", "3"}
    assert (tmp_path / "out" / "proposals.kml").is_file()

    code, out, _ = cli("rules", "ha-noi")
    assert code == 0
    assert (cli.workspace.folder / "site_rules.csv").is_file()


def test_bad_input_is_one_line(cli, tmp_path) -> None:
    path = tmp_path / "sites.csv"
    path.write_text(HEADER + "P1,Trạm,105.9,20.5,A9,42,4G\n", "utf-8")
    for words in (
        ("import", path, "--organisation", "A"),
        ("import", tmp_path / "none.csv", "--organisation", "A"),
        ("decide", 7, "refuse", "--reason", "x"),
        ("decide", 7, "approve", "--number", "1", "--day", "2026-01-01"),
        ("record", 7, "permit", "--number", "1", "--day", "2026-01-01"),
        ("export", "--out", tmp_path / "out"),
        ("evaluate", 7),
        ("rules", "atlantis"),
    ):
        code, _, err = cli(*words)
        assert code == 2, words
        assert err.startswith("Error: ")
        assert err.count("\n") == 1, err
    assert cli("list")[1] == "No proposals\n"
    assert cli("evaluate")[1] == "No proposals to evaluate\n"
