"""The commands about indicators, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from data.store import Workspace
from planning.__main__ import main
from tests.areas import small_area, write_area


@pytest.fixture(scope="module")
def area(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A small area; what the commands keep lies beside it."""
    return write_area(tmp_path_factory.mktemp("cli") / "test", small_area())


def run(area: Workspace, *words: str) -> int:
    return main(["indicators", *words, "--workspace", str(area.folder)])


def test_values_are_set_listed_checked_and_taken_back(area, tmp_path, capsys) -> None:
    for code, value in (("procedures_total", "10"), ("procedures_level4", "4"),
                        ("procedures_level3", "3"), ("procedures_level2", "2")):  # fmt: skip
        words = ("set", code, "--value", value, "--as-of", "2024-12-31", "--source", "Sở")
        assert run(area, *words) == 0
    assert run(area, "set", "procedures_level4", "--target", "10", "--target-year", "2030") == 0
    assert run(area, "list", "--group", "egovernment", "--out", str(tmp_path)) == 0
    said = capsys.readouterr().out
    assert (
        "procedures_total: Administrative procedures: reported 10 procedures (2024-12-31)" in said
    )
    assert "target 10 procedures in 2030" in said
    content = json.loads((tmp_path / "indicators.json").read_text(encoding="utf-8"))
    shown = {item["id"]: item for item in content["indicators"]}
    assert shown["procedures_level4_share"]["computed"] == 40.0
    assert run(area, "check", "--out", str(tmp_path)) == 0
    said = capsys.readouterr().out
    assert "✗ 2024-12-31 procedures_by_level: 4 + 3 + 2 = 9; reported 10" in said
    assert "1 does not agree" in said
    findings = pd.read_csv(tmp_path / "findings.csv")
    assert (findings["agrees"].astype(str) == "False").sum() == 1
    assert run(area, "set", "procedures_level4", "--value", "5", "--as-of", "2024-12-31") == 0
    assert run(area, "check") == 0
    assert "0 do not agree" in capsys.readouterr().out
    assert run(area, "list", "--history", "procedures_level4") == 0
    told = capsys.readouterr().out.splitlines()
    assert "value changed: 4.0 -> 5.0" in told[0]
    assert run(area, "set", "procedures_level4", "--as-of", "2024-12-31", "--remove") == 0
    assert run(area, "list", "--group", "egovernment") == 0
    assert "procedures_level4: Online public services of level 4: target 10" in (
        capsys.readouterr().out
    )


def test_numbers_are_written_out(area, capsys) -> None:
    words = ("set", "centre_cost", "--value", "1e10", "--target", "12345678.5")
    assert run(area, *words, "--as-of", "2024-12-31") == 0
    assert run(area, "list", "--group", "operations_centre") == 0
    said = capsys.readouterr().out
    assert "reported 10,000,000,000 VND (2024-12-31); target 12,345,678.5 VND" in said


def test_a_share_is_of_what_is_defined_unless_its_source_does_not_say(area, capsys) -> None:
    words = ("set", "mobile_5g_area", "--value", "93", "--as-of", "2024-12-31")
    for more, unsaid in (((), False), (("--denominator", ""), True)):
        assert run(area, *words, *more) == 0
        assert run(area, "list", "--group", "mobile") == 0
        said = capsys.readouterr().out.splitlines()
        line = next(text for text in said if text.startswith("  mobile_5g_area:"))
        assert ("Share of what is not stated." in line) is unsaid


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_a_table_goes_out_and_in(area, tmp_path, capsys, ending) -> None:
    assert run(area, "set", "email_use", "--value", "95", "--as-of", "2024-12-31") == 0
    path = tmp_path / f"table.{ending}"
    assert run(area, "export", str(path)) == 0
    assert run(area, "import", str(path)) == 0
    assert "0 definitions, 0 values added, 0 changed" in capsys.readouterr().out


def test_a_share_is_audited(area, tmp_path, capsys) -> None:
    words = ("audit", "mobile_4g_area", "--percent", "50", "--density", "--heights",
             "--technology", "3g,4g", "--models", "free_space", "--out", str(tmp_path))  # fmt: skip
    assert run(area, *words) == 0
    said = capsys.readouterr().out
    assert "4G: 50 % of the area is reached at" in said
    assert "Model free_space:" in said
    assert "per 100 km²" in said
    assert "antenna +10 m, 4G:" in said
    content = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert content["percent"] == 50.0
    assert content["settings"]["model"] == "p1812"
    assert {row["what"] for row in content["heights"]} == {"antenna", "receiver"}
    grid = pd.read_csv(tmp_path / "audit_grid.csv")
    assert {"reading", "probability", "offset_db", "percent"} <= set(grid.columns)
    assert run(area, "keep") == 0
    assert "computed values kept" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("list", "--group", "cats"), "no group cats"),
        (("list", "--on", "soon"), "soon"),
        (("set", "cats", "--value", "1"), "no indicator cats"),
        (("set", "email_use"), "Nothing to set"),
        (("set", "email_use", "--value", "many"), "many"),
        (("set", "email_use", "--value", "120"), "from 0 to 100"),
        (("set", "email_use", "--remove", "--as-of", "1999-01-01"), "no value of email_use"),
        (("set", "mobile_masts", "--value", "900.5"), "900.5 is no count"),
        (("set", "email_use", "--value", "95", "--zone", "99999"), "99999"),
        (("import", "nowhere.csv"), "nowhere.csv"),
        (("export", "out.doc"), "out.doc"),
        (("audit", "broadband_unstated", "--percent", "80", "--out", "OUT"), "of what it is"),
        (("audit", "mobile_2g_area", "--out", "OUT"), "give --percent"),
        (("audit", "cats", "--out", "OUT"), "no indicator cats"),
    ],
)
def test_bad_input_is_one_line(area, tmp_path: Path, capsys, words, said) -> None:
    given = [str(tmp_path / "out") if word == "OUT" else word for word in words]
    assert run(area, *given) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert said in error[0]
