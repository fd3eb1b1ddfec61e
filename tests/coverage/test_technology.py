"""Thresholds and link budgets: the tables are whole, and bad ones are refused."""

import math
from pathlib import Path

import pytest

from coverage import technology
from data.errors import InputError


def test_every_number_of_the_tables_names_its_source() -> None:
    for profile in technology.threshold_profiles().values():
        for name, threshold in profile.items():
            assert threshold.metric == technology.METRICS[name]
            assert len(threshold.source) > 10
    assert technology.link_budgets()["source"].str.len().min() > 10


def test_the_default_profile_covers_every_technology() -> None:
    assert set(technology.threshold_profiles()["outdoor"]) == set(technology.TECHNOLOGIES)


@pytest.mark.parametrize(
    ("bandwidth_mhz", "expected_db"),
    # 10 log10(12 N_RB), worked by hand from N_RB of TS 36.101 table 5.6-1
    [(1.4, 18.57), (3, 22.55), (5, 24.77), (10, 27.78), (15, 29.54), (20, 30.79)],
)
def test_rsrp_is_the_power_of_one_resource_element(
    bandwidth_mhz: float, expected_db: float
) -> None:
    found = technology.reference_power_offset_db("4G", bandwidth_mhz)
    assert found == pytest.approx(-expected_db, abs=0.005)


def test_the_pilot_has_a_tenth_of_the_power_and_rxlev_all_of_it() -> None:
    assert technology.reference_power_offset_db("3G", 5.0) == pytest.approx(-10.0)
    assert technology.reference_power_offset_db("2G", 0.2) == 0.0


def test_a_bandwidth_outside_the_standard_is_refused_with_the_possible_ones() -> None:
    with pytest.raises(InputError, match=r"carrier of 7 MHz.*1\.4, 3, 5, 10, 15, 20"):
        technology.resource_blocks("4G", 7.0)


def write(folder: Path, row: str) -> Path:
    path = folder / "thresholds.csv"
    head = "profile,technology,metric,threshold_dbm,probability,environment,verified,source"
    path.write_text(f"{head}\n{row}\n", encoding="utf-8")
    return path


def test_a_users_profile_is_added_to_the_built_in_ones(tmp_path: Path) -> None:
    path = write(tmp_path, "province,4G,RSRP,-108,0.9,outdoor,yes,provincial decision")
    profiles = technology.threshold_profiles(path)
    assert profiles["province"]["4G"].threshold_dbm == -108.0
    assert profiles["province"]["4G"].verified
    assert "outdoor" in profiles


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("p,6G,RSRP,-108,0.9,o,no,s", "row 2, column technology: 6G"),
        ("p,4G,RSRP,loud,0.9,o,no,s", "row 2, column threshold_dbm: loud"),
        ("p,4G,RSRP,-108,95,o,no,s", "row 2, column probability: 95"),
        ("p,4G,RSRP,,0.9,o,no,s", "row 2, column threshold_dbm: nothing"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        technology.read_thresholds(write(tmp_path, row))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("profile,technology\np,4G\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"t\.csv: column metric is missing"):
        technology.read_thresholds(path)


def test_full_power_and_resource_element_agree_with_the_reference_example() -> None:
    # 46 dBm over 20 MHz and 43 dBm over 10 MHz both give 15.2 dBm a resource element.
    for power, bandwidth in ((46.0, 20.0), (43.0, 10.0)):
        element = power + technology.reference_power_offset_db("4G", bandwidth)
        assert math.isclose(element, 15.21, abs_tol=0.02)
