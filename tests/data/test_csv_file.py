"""CSV files that spreadsheets open safely."""

import io
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import csv_file
from data.errors import message

ROOT = Path(__file__).parent.parent.parent

NASTY = [
    "=1+1",
    "+84 912",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "'=1",
    "''=1",
    "Đồng Văn",
    "'a'",
    "",
]

#: Where a table becomes CSV without going to a person.
OTHERS = {"data/csv_file.py", "planning/fibre.py"}


def test_no_text_begins_like_a_formula(tmp_path) -> None:
    table = pd.DataFrame(
        {
            "=name": NASTY,
            "kind": pd.Categorical(NASTY),
            "said": [message("{value} is no operator", value=value) for value in NASTY],
            "level_dbm": [-100.5] * len(NASTY),
        }
    )
    path = tmp_path / "table.csv"
    csv_file.write(table, path)
    found = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    texts = [*found.columns, *found["'=name"], *found["kind"], *found["said"]]
    assert not [text for text in texts if text[:1] in ("=", "+", "-", "@", "\t", "\r")]
    # Numbers stay numbers.
    assert set(found["level_dbm"]) == {"-100.5"}


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
def test_what_is_read_is_what_was_written(values) -> None:
    table = pd.DataFrame({"name": pd.Series(values, dtype=object), "n": range(len(values))})
    written = io.BytesIO(csv_file.content(table))
    found = csv_file.read(written, dtype={"name": str}, keep_default_na=False)
    assert found["name"].tolist() == values
    assert found["n"].tolist() == table["n"].tolist()


def test_what_cannot_be_written_leaves_the_older_file(tmp_path, monkeypatch) -> None:
    path = tmp_path / "table.csv"
    csv_file.write(pd.DataFrame({"a": [1]}), path)
    before = path.read_bytes()

    def full(self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        csv_file.write(pd.DataFrame({"a": [2]}), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_all_tables_are_written_here() -> None:
    found = {
        str(path.relative_to(ROOT).as_posix())
        for package in ("data", "coverage", "planning", "app")
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"\.to_csv\(", path.read_text(encoding="utf-8"))
    }
    assert found == OTHERS
