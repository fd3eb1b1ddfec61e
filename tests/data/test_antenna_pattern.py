"""Antenna pattern files: what is read, what is written back, what is refused and why."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coverage import antenna
from data.errors import InputError
from data.importers import antenna_pattern
from data.importers.antenna_pattern import PatternFile


def lobe(width_deg: float, floor_db: float, at_deg: float = 0.0, steps: int = 360) -> np.ndarray:
    """A parabolic lobe with a floor, as the 3GPP pattern has it."""
    angle = np.arange(steps) * 360.0 / steps
    offset = (angle - at_deg + 180.0) % 360.0 - 180.0
    return np.minimum(12.0 * (offset / width_deg) ** 2, floor_db)


def sector_file(
    *,
    head: str = "NAME X65\nMAKE Maker\nFREQUENCY 1800\nGAIN 17.5 dBi\nTILT ELECTRICAL 4\n",
    horizontal: np.ndarray | None = None,
    vertical: np.ndarray | None = None,
    mark: str = ".",
    gap: str = " ",
    line_end: str = "\n",
) -> str:
    across = lobe(65.0, 25.0) if horizontal is None else horizontal
    down = lobe(7.0, 30.0, 4.0) if vertical is None else vertical
    lines = head.splitlines()
    for name, cut in (("HORIZONTAL", across), ("VERTICAL", down)):
        lines.append(f"{name} {len(cut)}")
        step = 360.0 / len(cut)
        lines += [f"{i * step:g}{gap}{value:.4f}" for i, value in enumerate(cut)]
    return (line_end.join(lines) + line_end).replace(".", mark)


def refused(text: str | bytes, file: str = "x.msi") -> str:
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(InputError) as caught:
        antenna_pattern.read(content, file=file)
    said = str(caught.value)
    assert said.startswith("x.msi")
    assert "\n" not in said
    return said


def test_a_usual_file_is_read() -> None:
    text = sector_file(
        head="NAME 742215\nMAKE Kathrein\nFREQUENCY 1855\nH_WIDTH 65\n"
        "GAIN 15.35 dBd\nTILT ELECTRICAL 4\nCOMMENT two words\n"
    )
    pattern = antenna_pattern.read(text.encode())
    assert pattern.name == "742215"
    assert pattern.make == "Kathrein"
    assert pattern.frequency_mhz == 1855.0
    assert pattern.gain_dbi == pytest.approx(17.5)
    assert pattern.electrical_tilt_deg == 4.0
    assert pattern.other == {"H_WIDTH": "65", "COMMENT": "two words"}
    assert pattern.horizontal_db == pytest.approx(lobe(65.0, 25.0), abs=1e-4)
    assert pattern.main_lobe_deg == pytest.approx(4.0)
    assert pattern.notes == ()


@pytest.mark.parametrize(
    ("mark", "gap", "line_end", "encoding"),
    [
        (",", "\t", "\r\n", "utf-8"),
        (".", "   ", "\r", "utf-8-sig"),
        (".", ";", "\n", "utf-16"),
        (",", " ", "\n", "cp1252"),
    ],
)
def test_the_same_file_in_other_clothes(mark: str, gap: str, line_end: str, encoding: str) -> None:
    plain = antenna_pattern.read(sector_file().encode())
    text = sector_file(mark=mark, gap=gap, line_end=line_end).replace("Maker", "Bệch")
    if encoding == "cp1252":
        text = text.replace("Bệch", "Größe")
    other = antenna_pattern.read(text.encode(encoding))
    assert other.gain_dbi == plain.gain_dbi
    assert np.array_equal(other.horizontal_db, plain.horizontal_db)
    assert np.array_equal(other.vertical_db, plain.vertical_db)
    assert other.make in ("Bệch", "Größe")


@pytest.mark.parametrize(
    ("line", "gain_dbi", "notes"),
    [
        ("GAIN 15", 17.15, 1),
        ("GAIN 15 dBd", 17.15, 0),
        ("GAIN 15,5 DBI", 15.5, 0),
        ("GAIN 15(dBi)", 15.0, 0),
    ],
)
def test_a_gain_without_unit_is_taken_as_dbd_and_said(
    line: str, gain_dbi: float, notes: int
) -> None:
    pattern = antenna_pattern.read(sector_file(head=f"NAME a\n{line}\n").encode())
    assert pattern.gain_dbi == pytest.approx(gain_dbi)
    assert len(pattern.notes) == notes


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("FREQUENCY 1800 MHz", 1800.0),
        ("FREQUENCY 1.8 GHz", 1800.0),
        ("FREQUENCY 1710-1880", 1795.0),
        ("FREQUENCY 1710 - 1880 MHz", 1795.0),
        ("FREQUENCY", None),
    ],
)
def test_frequencies(line: str, expected: float | None) -> None:
    pattern = antenna_pattern.read(sector_file(head=f"NAME a\nGAIN 17 dBi\n{line}\n").encode())
    assert pattern.frequency_mhz == expected


def test_the_name_may_stand_without_its_keyword(tmp_path: Path) -> None:
    for first in ("K742215", "742 215", "APX 206515 T0"):
        pattern = antenna_pattern.read(sector_file(head=f"{first}\nGAIN 17 dBi\n").encode())
        assert pattern.name == first
    path = tmp_path / "panel.msi"
    path.write_text(sector_file(head="GAIN 17 dBi\n"))
    assert antenna_pattern.read(path).name == "panel"


def test_relative_gains_with_minus_signs_are_attenuations_and_said() -> None:
    text = sector_file(horizontal=-lobe(65.0, 25.0), vertical=-lobe(7.0, 30.0, 4.0))
    pattern = antenna_pattern.read(text.encode())
    assert pattern.horizontal_db == pytest.approx(lobe(65.0, 25.0), abs=1e-4)
    assert [note.values["cut"] for note in pattern.notes] == ["HORIZONTAL", "VERTICAL"]


def test_vertical_angles_that_run_upwards_are_turned_round_and_said() -> None:
    upwards = np.roll(lobe(7.0, 30.0, 6.0)[::-1], 1)
    head = "NAME a\nGAIN 17 dBi\nTILT ELECTRICAL 6\n"
    pattern = antenna_pattern.read(sector_file(head=head, vertical=upwards).encode())
    assert pattern.main_lobe_deg == pytest.approx(6.0)
    assert "run upwards" in str(pattern.notes[0])


def test_angles_from_minus_180_and_a_closing_360_are_the_same_circle() -> None:
    cut = lobe(65.0, 25.0)
    head = "NAME a\nGAIN 17 dBi\nHORIZONTAL 361\n"
    closed = [f"{i} {cut[i % 360]:.4f}" for i in range(361)]
    signed = [f"{i} {lobe(7.0, 30.0)[i % 360]:.4f}" for i in range(-180, 180)]
    text = head + "\n".join(closed) + "\nVERTICAL 360\n" + "\n".join(signed)
    pattern = antenna_pattern.read(text.encode())
    assert pattern.horizontal_db == pytest.approx(cut, abs=1e-4)
    assert pattern.vertical_db == pytest.approx(lobe(7.0, 30.0), abs=1e-4)


def test_a_truncated_file_names_the_line() -> None:
    lines = sector_file().splitlines()
    said = refused("\n".join(lines[:500]))
    assert said == (
        "x.msi, line 500: end of the file (expected 360 lines of angle and attenuation after "
        "VERTICAL, found 133; the file is cut short or lines are missing)"
    )
    assert "no line VERTICAL 360" in refused("\n".join(lines[:366]))
    assert "found 100" in refused("\n".join(lines[:106] + lines[366:]))


def test_a_missing_angle_is_named() -> None:
    lines = [line for line in sector_file().splitlines() if not line.startswith("37 ")]
    text = "\n".join(lines).replace("HORIZONTAL 360", "HORIZONTAL 359")
    said = refused(text.replace("VERTICAL 360", "VERTICAL 359"))
    assert "line 6: angle 37 of the cut HORIZONTAL is missing" in said
    half = lobe(65.0, 25.0)[:181]
    text = "NAME a\nGAIN 17 dBi\nHORIZONTAL 181\n" + "\n".join(
        f"{i} {value:.3f}" for i, value in enumerate(half)
    )
    down = "\nVERTICAL 360\n" + "\n".join(f"{i} {v:.2f}" for i, v in enumerate(lobe(7.0, 30.0)))
    assert "angle 181 of the cut HORIZONTAL is missing" in refused(text + down)


def test_an_angle_that_is_there_twice_names_both_lines() -> None:
    said = refused(sector_file().replace("\n38 ", "\n37 ", 1))
    assert said == (
        "x.msi, line 45: angle 37 is there twice (expected each angle once; line 44 has it too)"
    )


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("NAME a\nGAIN 17 dB\n", "line 2: GAIN 17 dB (expected a number with the unit dBd or dBi)"),
        ("NAME a\nGAIN 56 lin\n", "dBd or dBi"),
        ("NAME a\nGAIN high dBi\n", "dBd or dBi"),
        ("NAME a\nGAIN 5600 dBi\n", "from -30 to 60 dB"),
        ("NAME a\nGAIN 42 dBi\n", "expected at most about 19 dBi for lobes this wide"),
        ("NAME a\n", "no line GAIN"),
        ("NAME a\nGAIN 17 dBi\nFREQUENCY soon\n", "line 3: FREQUENCY soon"),
        ("NAME a\nGAIN 17 dBi\nFREQUENCY 1800000000\n", "10 to 300000 MHz"),
        ("NAME a\nGAIN 17 dBi\nTILT ELECTRICAL 60\n", "-45 to 45"),
        ("NAME a\nGAIN 17 dBi\nTILT ELECTRICAL 20\n", "near the stated electrical tilt of 20"),
    ],
)
def test_wrong_units_and_fields(head: str, expected: str) -> None:
    assert expected in refused(sector_file(head=head))


def test_absolute_gains_are_refused_with_the_reason() -> None:
    head = "NAME a\nGAIN 17 dBi\n"
    falling = 17.0 - lobe(65.0, 25.0), 17.0 - lobe(7.0, 30.0)
    said = refused(sector_file(head=head, horizontal=falling[0], vertical=falling[1]))
    assert "the file seems to hold gains" in said
    positive = 25.0 - lobe(65.0, 25.0), 30.0 - lobe(7.0, 30.0)
    said = refused(sector_file(head=head, horizontal=positive[0], vertical=positive[1]))
    assert "HORIZONTAL attenuates 25 dB in direction 0" in said
    said = refused(sector_file(head=head, vertical=positive[1]))
    assert "VERTICAL attenuates most near the horizon" in said


def test_linear_values_are_refused_because_such_a_shape_has_no_such_gain() -> None:
    linear = 1.0 - 10 ** (-lobe(65.0, 25.0) / 10), 1.0 - 10 ** (-lobe(7.0, 30.0) / 10)
    text = sector_file(head="NAME a\nGAIN 17 dBi\n", horizontal=linear[0], vertical=linear[1])
    assert "the gain or the attenuations are not in dB" in refused(text)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"   \n\n",
        bytes(range(256)) * 40,
        b"\x89PNG\r\n\x1a\n" + b"\x00" * 500,
        b"PK\x03\x04 something",
        b"cell_id,mast_id\n1,2\n",
        b"Dear colleague,\nplease find the antenna attached.\n",
        b"HORIZONTAL 360\n",
        b"HORIZONTAL many\n0 0\n",
        b"HORIZONTAL 360\n0 nan\n",
        b"HORIZONTAL 360\n0 1e999\n",
        b"HORIZONTAL 360\n0 0 0\n",
        b"\xff\xfeN\x00A",
    ],
)
def test_what_is_no_pattern_file_is_said_in_one_sentence(content: bytes) -> None:
    assert refused(content)


def test_a_file_that_is_not_there_or_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.msi"):
        with pytest.raises(InputError, match="cannot be read"):
            antenna_pattern.read(path)


@given(st.binary(max_size=400))
def test_random_bytes_are_refused_in_one_sentence(content: bytes) -> None:
    said = ""
    try:
        antenna_pattern.read(content, file="x.msi")
    except InputError as error:
        said = str(error)
    assert said.startswith("x.msi")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_is_never_read_as_another_pattern(data: st.DataObject) -> None:
    lines = sector_file().splitlines()
    whole = antenna_pattern.read("\n".join(lines).encode())
    at = data.draw(st.integers(5, len(lines) - 1))
    kind = data.draw(st.sampled_from(["drop", "double", "cut", "garble"]))
    damaged = {
        "drop": lines[:at] + lines[at + 1 :],
        "double": [*lines[:at], lines[at], *lines[at:]],
        "cut": lines[:at],
        "garble": [*lines[:at], lines[at].replace(" ", " x"), *lines[at + 1 :]],
    }[kind]
    with pytest.raises(InputError, match=r"x\.msi"):
        antenna_pattern.read("\n".join(damaged).encode(), file="x.msi")
    assert len(whole.horizontal_db) == 360


patterns = st.builds(
    PatternFile,
    name=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20),
    gain_dbi=st.floats(-5.0, 6.0),
    horizontal_db=st.lists(st.floats(0.0, 40.0), min_size=36, max_size=72).map(
        lambda values: np.array([0.0, *values])
    ),
    vertical_db=st.lists(st.floats(10.0, 60.0), min_size=36, max_size=72).map(
        lambda values: np.array([0.0, *values])
    ),
    frequency_mhz=st.none() | st.floats(30.0, 6000.0),
    electrical_tilt_deg=st.just(0.0) | st.none(),
    make=st.just("") | st.just("A maker"),
    other=st.just({}) | st.just({"COMMENT": "as measured", "H_WIDTH": "65"}),
)


@settings(max_examples=60, deadline=None)
@given(patterns)
def test_what_is_written_is_read_back(pattern: PatternFile) -> None:
    again = antenna_pattern.read(antenna_pattern.to_text(pattern).encode(), file="x.msi")
    assert again.name == pattern.name
    assert again.make == pattern.make
    assert again.gain_dbi == pytest.approx(pattern.gain_dbi, abs=1e-4)
    assert again.electrical_tilt_deg == pattern.electrical_tilt_deg
    assert again.frequency_mhz == pytest.approx(pattern.frequency_mhz, abs=1e-4)
    assert dict(again.other) == dict(pattern.other)
    assert again.horizontal_db == pytest.approx(pattern.horizontal_db, abs=1e-4)
    assert again.vertical_db == pytest.approx(pattern.vertical_db, abs=1e-4)


def test_files_of_a_folder_are_found_by_both_names(tmp_path: Path) -> None:
    assert antenna_pattern.read_folder(tmp_path / "absent") == {}
    pattern = antenna_pattern.read(sector_file().encode())
    antenna_pattern.write(pattern, tmp_path / "panel.msi")
    (tmp_path / "readme.txt").write_text("no pattern")
    found = antenna_pattern.read_folder(tmp_path)
    assert set(found) == {"X65", "panel"}
    own = antenna.patterns_of_folder(tmp_path)
    assert antenna.pattern_by_name("panel", has_azimuth=True, own=own).name == "X65"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["panel.msi", "readme.txt"]
    antenna_pattern.write(pattern, tmp_path / "second.pln")
    with pytest.raises(InputError, match=r"second\.pln: antenna name X65 is also that of panel"):
        antenna_pattern.read_folder(tmp_path)


def test_the_directivity_of_known_shapes() -> None:
    # A lobe of beam widths a and b has about 41253 / (a b) (Kraus), 1 to 2 dB less with k = 12.
    assert antenna_pattern.directivity_dbi(np.zeros(360), np.zeros(360)) == pytest.approx(0.0)
    narrow = antenna_pattern.directivity_dbi(lobe(65.0, 60.0), lobe(7.0, 60.0))
    assert narrow == pytest.approx(10.0 * math.log10(41253.0 / (65.0 * 7.0)), abs=2.0)


@given(st.integers(-10, 12))
def test_a_cell_points_where_its_tilt_says_whatever_the_files_own_tilt(tilt: int) -> None:
    file = PatternFile("a", 17.5, lobe(65.0, 25.0), lobe(7.0, 30.0, tilt))
    pattern = antenna.from_file_pattern(file)
    for offset, below in ((0.0, 0.0), (20.0, 3.0), (100.0, -8.0)):
        expected = lobe(65.0, 25.0)[int(offset)] + min(12.0 * (below / 7.0) ** 2, 30.0)
        found = antenna.attenuation_db(pattern, np.array([offset]), np.array([below]))
        assert found[0] == pytest.approx(min(expected, 30.0), abs=0.05)


def test_a_horizontal_cut_measured_below_the_lobe_is_not_counted_twice() -> None:
    file = PatternFile("a", 17.5, lobe(65.0, 25.0) + 3.0, lobe(7.0, 30.0, 4.0))
    pattern = antenna.from_file_pattern(file)
    assert antenna.attenuation_db(pattern, np.zeros(1), np.zeros(1))[0] == pytest.approx(0.0)
