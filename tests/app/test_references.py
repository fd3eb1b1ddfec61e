"""Reported figures are kept safely and compared honestly."""

import json

import pandas as pd
import pytest

from app import references
from app.components import figures
from data.errors import InputError


def test_ha_nam_starts_with_what_was_reported(tmp_path) -> None:
    found = {
        (item.subject, item.denominator): item.percent
        for item in references.read(tmp_path, "hanam")
    }
    assert found["2G", "area"] == 99.0
    assert found["3G_or_4G", "area"] == 93.0
    assert found["broadband", ""] == 80.0
    assert references.read(tmp_path, "elsewhere") == []


def test_figures_are_kept(tmp_path) -> None:
    mine = [references.ReportedFigure("4G", "village", 88.5, "đo kiểm", "Sở", "2024-01-31")]
    references.write(tmp_path, mine)
    assert references.read(tmp_path, "demo") == mine
    references.write(tmp_path, [])
    assert references.read(tmp_path, "demo") == []
    assert {path.name for path in tmp_path.iterdir()} <= {
        references.FILE,
        f".{references.FILE}.lock",
    }


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch) -> None:
    mine = [references.ReportedFigure("2G", "area", 99.0)]
    references.write(tmp_path, mine)

    def full(*_args) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="disk full"):
        references.write(tmp_path, [])
    monkeypatch.undo()
    assert references.read(tmp_path, "demo") == mine


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"figures": [1]}', '{"figures": [{"subject": "2G"}]}', "\x00"]
)
def test_a_damaged_file_is_one_sentence(tmp_path, content) -> None:
    (tmp_path / references.FILE).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"(?i)reported figure"):
        references.read(tmp_path, "demo")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"subject": "", "percent": 5}, "choose what the figure is about"),
        ({"subject": "2G", "percent": 101}, "the value is 101"),
        ({"subject": "2G", "percent": None}, "the value is –"),
        ({"subject": "2G", "percent": "many"}, "the value is many"),
        ({"subject": "2G", "percent": 5, "denominator": "cats"}, "cats is not a denominator"),
    ],
)
def test_what_cannot_be_a_figure_is_refused(fields, said) -> None:
    with pytest.raises(InputError, match=said):
        references.checked(fields, 1)


def test_files_are_plain_json(tmp_path) -> None:
    references.write(tmp_path, list(references.HA_NAM))
    kept = json.loads((tmp_path / references.FILE).read_text(encoding="utf-8"))
    assert kept["figures"][0]["percent"] == 99.0


@pytest.fixture
def computed_figures() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "service": ["2G", "3G_or_4G", "2G"],
            "operator": ["any", "any", "A"],
            "measure": ["area", "area", "area"],
            "share": [0.97, 0.955, 0.5],
            "interval_low": [0.957, 0.948, 0.4],
            "interval_high": [0.988, 0.967, 0.6],
        }
    )


def test_comparison_states_the_difference_and_what_is_unknown(computed_figures, speak) -> None:
    speak("en")
    found = figures.compare(computed_figures, references.HA_NAM)
    assert found[0].difference == pytest.approx(-0.02)
    assert figures.remark(found[0]) == (
        "Method not stated. Agrees with the computed interval but for its rounding."
    )
    inside = references.ReportedFigure("2G", "area", 98.0, method="measured")
    (within,) = figures.compare(computed_figures, [inside])
    assert figures.remark(within) == "Agrees with the computed interval."
    assert figures.remark(found[1]) == "Method not stated. Lower than the computed interval."
    assert found[2].share is None
    assert figures.remark(found[2]) == "Share of what is not stated. Method not stated."
    assert figures.remark(found[3]) == "Method not stated. Not computed here."
    high = references.ReportedFigure("3G_or_4G", "area", 99.0, method="measured")
    (one,) = figures.compare(computed_figures, [high])
    assert figures.remark(one) == "Higher than the computed interval."


def test_one_row_a_zone_and_one_column_a_service() -> None:
    table = pd.DataFrame(
        {
            "zone": [1, 1, 2, 2],
            "code": ["b", "b", "a", "a"],
            "name": ["Xã Đông", "Xã Đông", "Xã Bắc", "Xã Bắc"],
            "weight": [2.0, 2.0, 0.0, 0.0],
            "service": ["4G", "2G", "4G", "2G"],
            "operator": "any",
            "measure": "population",
            "share": [0.4, 0.9, float("nan"), float("nan")],
        }
    )
    wide = figures.by_zone(table, "population", "any")
    assert wide.columns.tolist() == ["code", "name", "weight", "2G", "4G"]
    assert wide["name"].tolist() == ["Xã Bắc", "Xã Đông"]
    assert wide.loc[1, "2G"] == 0.9
    assert pd.isna(wide.loc[0, "4G"])
