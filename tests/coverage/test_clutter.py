"""Clutter classes to heights."""

from pathlib import Path

import numpy as np
import pytest

from coverage import clutter
from data.errors import InputError
from data.grid import Grid, Raster


def classes(*codes: float) -> Raster:
    return Raster(Grid("EPSG:32648", 0, 10, 10, len(codes), 1), np.array([codes], np.float32))


def test_classes_become_the_heights_of_the_table() -> None:
    found = clutter.clutter_height(classes(10, 40, 51, 52, 53, 80, np.nan))
    assert found.values.tolist() == [[15.0, 0.0, 10.0, 15.0, 20.0, 0.0, 0.0]]


def test_an_unknown_class_is_named() -> None:
    with pytest.raises(InputError, match="class 77, which is not in the table"):
        clutter.clutter_height(classes(40, 77))


def test_values_that_are_no_codes_are_refused() -> None:
    with pytest.raises(InputError, match="not class codes"):
        clutter.clutter_height(classes(1.5))


def test_a_users_table_replaces_the_heights(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("code,name,category,height_m,source\n0,none,open,0,x\n40,crop,open,2,x\n")
    found = clutter.clutter_height(classes(40), clutter.read_clutter_table(path))
    assert found.values.tolist() == [[2.0]]


@pytest.mark.parametrize("row", ["40,a,b,-3,s", "300,a,b,3,s", "0,a,b,3,s"])
def test_a_bad_row_is_named(tmp_path: Path, row: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(f"code,name,category,height_m,source\n0,none,open,0,x\n{row}\n")
    with pytest.raises(InputError, match=r"own\.csv, row 3"):
        clutter.read_clutter_table(path)
