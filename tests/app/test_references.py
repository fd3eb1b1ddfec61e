"""Reported figures are kept safely and compared honestly."""

import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from app import references
from app.components import figures
from data.errors import InputError
from data.store import Workspace
from planning import indicator_values


def named(folder: Path, name: str) -> Workspace:
    """A workspace that calls itself by a name; nothing else of it is looked at."""
    return SimpleNamespace(folder=folder, area=SimpleNamespace(name=name), base=None)


def test_ha_nam_starts_with_what_was_reported(tmp_path) -> None:
    found = {
        (item.subject, item.denominator): item.percent
        for item in references.read(named(tmp_path, "hanam"), None)
    }
    assert found["2G", "area"] == 99.0
    assert found["3G_or_4G", "area"] == 93.0
    assert found["broadband", ""] == 80.0
    assert references.read(named(tmp_path, "elsewhere"), None) == []


def test_figures_of_an_earlier_version_go_on(tmp_path) -> None:
    """They lay in a file of the workspace, which took the place of what is built in."""
    kept = {"subject": "4G", "denominator": "village", "percent": 88.5, "method": "đo kiểm",
            "source": "Sở", "date": "2024-01-31"}  # fmt: skip
    content = json.dumps({"figures": [kept]}, ensure_ascii=False)
    (tmp_path / indicator_values.FORMER_FILE).write_text(content, encoding="utf-8")
    found = references.read(named(tmp_path, "demo"), None)
    assert found == [
        references.ReportedFigure("4G", "village", 88.5, "đo kiểm", "Sở", "2024-01-31")
    ]


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"figures": [1]}', '{"figures": [{"subject": "2G"}]}', "\x00"]
)
def test_a_damaged_file_is_one_sentence(tmp_path, content) -> None:
    (tmp_path / indicator_values.FORMER_FILE).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"(?i)reported figure"):
        references.read(named(tmp_path, "demo"), None)


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
    reported = [
        references.ReportedFigure("2G", "area", 99.0),
        references.ReportedFigure("3G_or_4G", "area", 93.0),
        references.ReportedFigure("broadband", "", 80.0),
        references.ReportedFigure("2G", "population", 100.0),
    ]
    found = figures.compare(computed_figures, reported)
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
