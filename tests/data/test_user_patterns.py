"""Antenna patterns of one's own, as a source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.errors import InputError
from data.importers import antenna_pattern
from data.importers.antenna_pattern import PatternFile
from data.sources.ingredients import sha256_of
from data.sources.source import Place, Source
from data.sources.user_patterns import FOLDER, UserPatterns

ANYWHERE = Place("?", (0.0, 0.0, 1.0, 1.0))


def pattern(folder: Path, name: str, file: str, gain_dbi: float = 15.0) -> Path:
    angle = np.arange(360.0)
    off = np.minimum(angle, 360.0 - angle)
    made = PatternFile(
        name,
        gain_dbi,
        np.minimum(12.0 * (off / 65.0) ** 2, 30.0),
        np.minimum(12.0 * (off / 10.0) ** 2, 30.0),
        frequency_mhz=1800.0,
        make="Maker",
    )
    folder.mkdir(exist_ok=True)
    antenna_pattern.write(made, folder / file)
    return folder / file


def test_patterns_go_the_way_of_every_source(tmp_path: Path) -> None:
    given = tmp_path / "given"
    first = pattern(given, "A 65", "a.msi")
    pattern(given, "B 65", "b.PLN", 16.0)
    (given / "readme.txt").write_text("no pattern", encoding="utf-8")
    source: Source = UserPatterns((given,))
    items = source.find(ANYWHERE)
    assert [item.key for item in items] == ["a.msi", "b.PLN"]
    assert source.size_up(items)[0].size_bytes == first.stat().st_size
    shares: list[float] = []
    fetched = source.fetch(items, ANYWHERE, on_progress=shares.append)
    assert shares == [0.5, 1.0]
    assert fetched[0].sha256 == sha256_of(first)
    reading = source.read(fetched, ANYWHERE, tmp_path / "work")
    assert not reading.layers
    assert any(note.startswith("A 65: 15.0 dBi, main lobe 0 degrees") for note in reading.notes)
    kept = antenna_pattern.read_folder(tmp_path / "work" / FOLDER)
    assert {"A 65", "B 65", "a", "b"} <= set(kept)
    came = UserPatterns((given,)).provenance(fetched)["A 65"]
    assert (came.source, came.url_or_file, came.sha256) == ("Maker", "a.msi", sha256_of(first))


def test_what_is_wrong_is_said_and_nothing_is_kept(tmp_path: Path) -> None:
    good = pattern(tmp_path / "one", "A", "a.msi")
    bad = tmp_path / "b.msi"
    bad.write_text("HORIZONTAL 3\n0 0\n", encoding="utf-8")
    source = UserPatterns((good, bad))
    with pytest.raises(InputError, match=r"b\.msi"):
        source.read(source.fetch(source.find(ANYWHERE), ANYWHERE), ANYWHERE, tmp_path / "work")
    assert not list((tmp_path / "work" / FOLDER).iterdir())
    with pytest.raises(InputError, match="There is no file"):
        UserPatterns((tmp_path / "none.msi",)).find(ANYWHERE)
    other = pattern(tmp_path / "two", "C", "a.msi")
    with pytest.raises(InputError, match=r"a\.msi: there are two files of this name"):
        UserPatterns((good, other)).find(ANYWHERE)
    with pytest.raises(InputError, match="No antenna pattern file was given"):
        UserPatterns(()).find(ANYWHERE)
