"""The indicator table goes out and in as a file; bad files change nothing."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pandas as pd
import pytest

from data.errors import InputError, ValidationError
from data.records.engine import Records
from data.store import Workspace
from planning import accounts, indicator_definitions, indicator_files, indicator_values, indicators
from planning.accounts import Actor, ForbiddenError, Role
from tests.areas import small_area, write_area


@pytest.fixture(scope="module")
def area(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return write_area(tmp_path_factory.mktemp("files") / "test", small_area())


@pytest.fixture
def kept(tmp_path: Path) -> Records:
    return Records.open(tmp_path)


@pytest.fixture(autouse=True)
def _ha_nam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indicator_definitions, "HA_NAM", ("test",))


def load(kept, area, text: str):
    return indicator_files.load(
        kept, accounts.COMMAND_LINE, area, text.encode("utf-8"), file_name="in.csv"
    )


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_what_goes_out_comes_in_unchanged(kept, area, tmp_path, ending) -> None:
    path = tmp_path / f"out{ending}"
    rows = indicator_files.export(area, kept, path)
    assert rows >= len(indicator_definitions.built_in(area))
    done = indicator_files.load(kept, accounts.COMMAND_LINE, area, path)
    assert (done.definitions, done.added, done.changed) == (0, 0, 0)
    assert done.unchanged == sum(
        item.kind == "reported" for item in indicator_values.read(area, kept)
    )
    # Into an area that knows nothing of it, all of it.
    other = Records.open(tmp_path / "other")
    for item in list(indicator_values.read(area, other)):
        indicator_values.remove(other, accounts.COMMAND_LINE, area, item.key)
    done = indicator_files.load(other, accounts.COMMAND_LINE, area, path)
    assert done.added == len(indicator_values.read(area, kept)) > 40
    one, two = (
        indicators.table(area, records)[["id", "reported", "as_of", "source"]]
        for records in (kept, other)
    )
    pd.testing.assert_frame_equal(one, two)


def test_text_never_runs_as_a_formula(kept, area, tmp_path) -> None:
    nasty = '=HYPERLINK("http://x","y")'
    value = {"indicator": "email_use", "value": 95, "as_of": "2022-01-01", "source": nasty}
    indicator_values.write(kept, accounts.COMMAND_LINE, area, value)
    indicator_files.export(area, kept, tmp_path / "out.csv")
    text = (tmp_path / "out.csv").read_text(encoding="utf-8-sig")
    assert "\"'=HYPERLINK" in text
    indicator_files.export(area, kept, tmp_path / "out.xlsx")
    with zipfile.ZipFile(tmp_path / "out.xlsx") as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")
    for ending in (".csv", ".xlsx"):
        done = indicator_files.load(kept, accounts.COMMAND_LINE, area, tmp_path / f"out{ending}")
        assert done.changed == done.added == 0


def test_a_table_as_people_write_it(kept, area) -> None:
    text = (
        "indicator;as_of;value;source;note\n"
        "dossiers_received;2021-12-31;240.100;Báo cáo;\n"
        "email_use;2021-12-31;96,5;Báo cáo;\n"
        "radio_stations_commune;2021-12-31;;Báo cáo;có, không nêu số\n"
    )
    done = load(kept, area, text)
    assert (done.added, done.changed, done.definitions) == (3, 0, 0)
    table = indicators.table(area, kept).set_index("id")
    assert table.loc["dossiers_received", "reported"] == 240_100.0
    assert table.loc["email_use", "reported"] == 96.5
    assert table.loc["radio_stations_commune", "note"] == "có, không nêu số"
    changed = load(kept, area, "indicator,as_of,value\nemail_use,2021-12-31,97\n")
    assert (changed.added, changed.changed) == (0, 1)
    now = indicator_values.latest(indicator_values.read(area, kept, "email_use"))
    assert now["email_use", ""].source == "Báo cáo"
    # A table without the column does not say of what its shares are.
    assert now["email_use", ""].denominator == ""


def test_new_indicators_come_with_their_definition(kept, area) -> None:
    text = "indicator,group,title_vi,unit,target,as_of,value\npoles,goals,Cột treo,points,9,,7\n"
    done = load(kept, area, text)
    assert (done.definitions, done.added) == (1, 1)
    shown = indicators.table(area, kept).set_index("id").loc["poles"]
    assert (shown["reported"], shown["target"], shown["title_en"]) == (7.0, 9.0, "Cột treo")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,value\nx,1\n", "column"),
        ("indicator,value\nemail_use,96\nnothing,1\n", "row 3: There is no indicator nothing"),
        ("indicator,value\nemail_use,96\nemail_use,-3\n", "row 3: .*from 0 to 100"),
        ("indicator,as_of,value\nemail_use,2021-01-01,9\nemail_use,2021-01-01,8\n", "also in row"),
        ("indicator,as_of,value\nemail_use,2021-13-01,9\n", "YYYY-MM-DD"),
        ("indicator,value\nemail_use,many\n", "many"),
        (
            "indicator,title_en,zone_code,value\nemail_use,E-mail,,96\nemail_use,,99999,96\n",
            "row 3: There is no unit with the code 99999",
        ),
        ("%PDF-1.4", "PDF"),
    ],
)
def test_a_bad_file_changes_nothing(kept, area, text, said) -> None:
    before = indicator_values.read(area, kept), indicator_definitions.read(area, kept)
    with pytest.raises((InputError, ValidationError), match=said):
        load(kept, area, text)
    assert (indicator_values.read(area, kept), indicator_definitions.read(area, kept)) == before


def test_only_planners_import(kept, area) -> None:
    with pytest.raises(ForbiddenError):
        indicator_files.load(kept, Actor(None, "visitor", Role.VIEWER), area, b"indicator\nx\n")


def test_a_file_of_another_kind_is_not_written(kept, area, tmp_path) -> None:
    with pytest.raises(InputError, match=r"\.csv, \.xlsx"):
        indicator_files.export(area, kept, tmp_path / "out.doc")
    with pytest.raises(InputError, match="no folder"):
        indicator_files.export(area, kept, tmp_path / "nowhere" / "out.csv")
