"""Optical budgets: hand-worked losses, the limits of the classes, and tables that are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import InputError
from planning import optical

HEADER = "group,name,minimum,value,maximum,unit,wavelengths_nm,reach_km,verified,source\n"
CLASSES = st.sampled_from(list(optical.optical_table().classes))
RATIOS = st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128])


@pytest.mark.parametrize(
    ("name", "least", "greatest"),
    [
        ("A", 5, 20),
        ("B", 10, 25),
        ("B+", 13, 28),
        ("C", 15, 30),
        ("C+", 17, 32),
        ("N1", 14, 29),
        ("N2", 16, 31),
        ("E1", 18, 33),
        ("E2", 20, 35),
    ],
)
def test_classes_have_the_ranges_of_the_recommendations(name, least, greatest) -> None:
    found = optical.optical_table().named(name)
    assert (found.least_db, found.greatest_db) == (least, greatest)
    assert found.source.startswith("ITU-T G.")


def test_the_loss_is_the_sum_of_its_parts() -> None:
    # 5 km at 0.35, 1:32, three splices and one for each of two full drums, four connectors
    assert optical.loss_db(5_000.0, 32) == pytest.approx(5 * 0.35 + 17.0 + 5 * 0.1 + 4 * 0.3)
    assert optical.loss_db(
        [0.0, 1_000.0], 8, wavelength_nm=1490, splices=2, connectors=0
    ).tolist() == pytest.approx([10.7, 10.95])
    assert optical.loss_db(np.inf) == np.inf


def test_a_split_between_two_of_the_table_counts_as_the_larger() -> None:
    assert optical.loss_db(0.0, 24) == optical.loss_db(0.0, 32)
    assert optical.loss_db(0.0, 1) < optical.loss_db(0.0, 2)


def test_the_wavelength_that_loses_most_counts_with_the_margin() -> None:
    whole = optical.path_loss_db("B+", 10_000.0, 32)
    up = optical.loss_db(10_000.0, 32, wavelength_nm=1310)
    down = optical.loss_db(10_000.0, 32, wavelength_nm=1490)
    assert whole == pytest.approx(max(up, down) + 1.0)


def test_known_cases_close_or_do_not() -> None:
    assert optical.closes("B+", [1_000.0, 12_000.0, 14_000.0], 64).tolist() == [True, True, False]
    assert not optical.closes("A", 0.0, 64)
    # However little is lost, light comes too late from beyond the logical reach.
    assert optical.closes("E2", [20_000.0, 20_001.0], 1).tolist() == [True, False]
    assert optical.closes("b+", 1_000.0, 8)


@given(name=CLASSES, ratio=RATIOS, case=st.sampled_from(["least", "usual", "greatest"]))
def test_reach_is_where_the_budget_stops_closing(name, ratio, case) -> None:
    reach = optical.reach_m(name, ratio, case=case)
    limit = optical.optical_table().named(name).reach_m
    assert 0.0 <= reach <= limit
    if reach > 0.0:
        assert optical.closes(name, reach, ratio, case=case)
    if reach < limit:
        assert not optical.closes(name, reach + 0.01, ratio, case=case)


@given(
    name=CLASSES,
    ratio=RATIOS,
    length=st.floats(0.0, 60_000.0),
    more=st.floats(0.0, 10_000.0),
)
def test_more_of_anything_never_loses_less(name, ratio, length, more) -> None:
    base = optical.path_loss_db(name, length, ratio)
    assert optical.path_loss_db(name, length + more, ratio) >= base
    assert optical.path_loss_db(name, length, min(128, 2 * ratio)) >= base
    least, greatest = (
        optical.path_loss_db(name, length, ratio, case=case) for case in ("least", "greatest")
    )
    assert least <= base <= greatest


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: optical.loss_db(-1.0), "length of the fibre is -1.0 m"),
        (lambda: optical.loss_db([1.0, np.nan]), "length of the fibre is nan m"),
        (lambda: optical.loss_db(1.0, 0), "split ratio is 0"),
        (lambda: optical.loss_db(1.0, 256), "from 1 to 128"),
        (lambda: optical.loss_db(1.0, 2.5), "split ratio is 2.5"),
        (lambda: optical.loss_db(1.0, splices=-1), "number of splices is -1"),
        (lambda: optical.loss_db(1.0, connectors=-1), "number of connectors is -1"),
        (lambda: optical.loss_db(1.0, wavelength_nm=850), "no fibre loss for 850 nm"),
        (lambda: optical.closes("D", 1.0), "no optical budget class D"),
        (lambda: optical.reach_m("", 8), "no optical budget class"),
    ],
)
def test_unusable_values_are_named(call, said) -> None:
    with pytest.raises(InputError, match=said):
        call()


def test_a_workspace_replaces_single_rows_and_adds_classes(tmp_path: Path) -> None:
    own = HEADER + (
        "class,D,20,,35,dB,1310;1490,20,no,own\n"
        "splitter,64,19,20,21,dB,,,no,own\n"
        "margin,ageing,0,2,3,dB,,,no,own\n"
    )
    (tmp_path / optical.OWN_FILE).write_text(own, encoding="utf-8")
    table = optical.optical_table(tmp_path)
    assert table.named("d").greatest_db == 35.0
    assert table.splitter_loss_db(64) == 20.0
    assert table.splitter_loss_db(32) == optical.optical_table().splitter_loss_db(32)
    assert table.margin.usual == 2.0
    assert optical.optical_table(tmp_path / "none").margin.usual == 1.0


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("prism,1,1,1,1,dB,,,no,x", "row 2, column group: prism"),
        ("fibre,1310,0.3,,0.4,dB/km,,,no,x", "row 2, column value: empty"),
        ("fibre,1310,0.5,0.4,0.6,dB/km,,,no,x", "values of 1310 are 0.5, 0.4, 0.6"),
        ("class,B+,28,,13,dB,1310,20,no,x", "values of B\\+ are 28, 13"),
        ("class,B+,13,,28,dB,red,20,no,x", "column wavelengths_nm: red"),
        ("splitter,many,1,2,3,dB,,,no,x", "many"),
        ("margin,ageing,-1,0,3,dB,,,no,x", "column minimum: -1"),
        ("margin,ageing,0,1,3,dB,,,no,x\nmargin,ageing,0,1,3,dB,,,no,x", "there twice"),
    ],
)
def test_a_wrong_table_is_refused_by_row(tmp_path: Path, row: str, said: str) -> None:
    (tmp_path / optical.OWN_FILE).write_text(HEADER + row + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=said):
        optical.optical_table(tmp_path)
