"""Units of several times in one layer: which are valid when, and what became of the old ones."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from data import schema, vintages
from data.errors import InputError
from data.study_area import area_outline, finest_level, finest_zones
from tests.data import hanam_vintages, samples

DAYS = [f"20{year}-0{month}-01" for year in (20, 25) for month in (1, 7)]


def layer(*rows: tuple[str, str, str | None, str | None]) -> gpd.GeoDataFrame:
    """Zones of 1 km², one beside the other, from (code, level, first day, last day)."""
    return gpd.GeoDataFrame(
        [(code, code.lower(), level, None, start, end) for code, level, start, end in rows],
        columns=["code", "name", "level", "parent_code", "valid_from", "valid_to"],
        geometry=[box(1000 * k, 0, 1000 * k + 1000, 1000) for k in range(len(rows))],
        crs=samples.CRS,
    )


REFORM = layer(
    ("P", "province", None, None),
    ("D", "district", "2020-01-01", "2025-06-30"),
    ("A", "commune", "2020-01-01", "2024-12-31"),
    ("B", "commune", "2020-01-01", "2025-06-30"),
    ("C", "commune", "2025-01-01", "2025-06-30"),
    ("A", "commune", "2025-07-01", None),
)


def test_vintages_are_the_sets_valid_together() -> None:
    found = [
        (item.level, item.valid_from, item.valid_to, item.count, item.area_km2)
        for item in vintages.vintages(REFORM)
    ]
    assert found == [
        ("province", None, None, 1, 1.0),
        ("district", "2020-01-01", "2025-06-30", 1, 1.0),
        ("commune", "2020-01-01", "2024-12-31", 2, 2.0),
        ("commune", "2025-01-01", "2025-06-30", 2, 2.0),
        ("commune", "2025-07-01", None, 1, 1.0),
    ]


@pytest.mark.parametrize(
    ("day", "rows"),
    [
        ("2019-12-31", [0]),
        ("2020-01-01", [0, 1, 2, 3]),
        ("2024-12-31", [0, 1, 2, 3]),
        (dt.date(2025, 1, 1), [0, 1, 3, 4]),
        ("2025-06-30", [0, 1, 3, 4]),
        (dt.datetime(2025, 7, 1, 12, tzinfo=dt.UTC), [0, 5]),
    ],
)
def test_first_and_last_day_belong_to_a_zone(day, rows: list[int]) -> None:
    assert vintages.on(REFORM, day).index.tolist() == rows


@pytest.mark.parametrize("day", ["1/7/2025", "2025-13-01", ""])
def test_what_is_no_day_is_refused(day: str) -> None:
    with pytest.raises(InputError, match="expected YYYY-MM-DD"):
        vintages.on(REFORM, day)


periods = st.tuples(
    st.one_of(st.none(), st.sampled_from(DAYS)),
    st.one_of(st.none(), st.sampled_from(["2020-03-31", "2025-02-28", "2030-12-31"])),
).filter(lambda item: item[0] is None or item[1] is None or item[0] <= item[1])


@given(st.lists(periods, min_size=1, max_size=6))
def test_every_day_has_the_zones_of_the_vintage_it_lies_in(found: list[tuple]) -> None:
    zones = layer(*((f"Z{k}", "commune", start, end) for k, (start, end) in enumerate(found)))
    sets = vintages.vintages(zones)
    # Days around every change, and far ones.
    days = [dt.date.fromisoformat(day) for pair in found for day in pair if day]
    days = [day + dt.timedelta(days=step) for day in days for step in (-1, 0, 1)]
    for day in [dt.date(1900, 1, 1), dt.date(2100, 1, 1), *days]:
        valid = vintages.on(zones, day)
        at = [item for item in sets if item.valid_on(day)]
        assert len(at) == (1 if len(valid) else 0)
        if at:
            assert vintages.of(zones, at[0])["code"].tolist() == valid["code"].tolist()
            assert (at[0].count, at[0].area_km2) == (len(valid), pytest.approx(len(valid)))
    for one, other in itertools.pairwise(sets):
        assert (
            vintages.of(zones, one)["code"].tolist() != vintages.of(zones, other)["code"].tolist()
        )


@pytest.mark.parametrize(
    ("day", "first"),
    [("2022-05-05", "2020-01-01"), ("2025-03-01", "2025-01-01"), ("2031-01-01", "2025-07-01")],
)
def test_the_vintage_to_show_is_that_of_the_day(day: str, first: str) -> None:
    communes = [item for item in vintages.vintages(REFORM) if item.level == "commune"]
    found = vintages.current(communes, day)
    assert found is not None
    assert found.valid_from == first


def test_without_a_valid_vintage_the_latest_is_shown() -> None:
    ended = [item for item in vintages.vintages(REFORM) if item.valid_to is not None]
    assert vintages.current(ended, "2030-01-01") == ended[-1]
    assert vintages.current([]) is None


def test_labels_name_units_and_time() -> None:
    labels = [str(item.label(lambda day: f"<{day}>")) for item in vintages.vintages(REFORM)]
    assert labels[0] == "Provinces (1)"
    assert labels[2] == "Communes and wards (2), from <2020-01-01> to <2024-12-31>"
    assert labels[4] == "Communes and wards (1), from <2025-07-01>"
    until = vintages.Vintage("district", None, "2025-06-30", 6, 1.0)
    assert str(until.label()) == "Districts (6), until 2025-06-30"


def test_the_outline_is_that_of_the_newest_communes() -> None:
    assert finest_level(REFORM) == "commune"
    assert finest_zones(REFORM).index.tolist() == [5]
    assert area_outline(REFORM).equals(REFORM.geometry[5])
    assert vintages.newest(REFORM, "district").index.tolist() == [1]


def test_parents_are_those_of_the_same_time() -> None:
    zones = layer(
        ("35", "province", "2010-01-01", "2025-06-30"),
        ("35", "province", "2025-07-01", None),
        ("101", "commune", "2020-01-01", "2025-06-30"),
        ("101", "commune", "2025-07-01", None),
        ("102", "commune", "2026-01-01", None),
        ("103", "commune", None, None),
        ("36", "province", None, "2024-12-31"),
        ("104", "commune", "2025-01-01", None),
        ("105", "commune", None, None),
    )
    zones["parent_code"] = [None, None, "35", "35", "35", "35", None, "36", "99"]
    # 103 has both; the earlier one comes first. 104 is left to a province that has ended.
    assert vintages.parents(zones).tolist() == [-1, -1, 0, 1, 1, 0, -1, 6, -1]


def test_a_zone_is_not_its_own_parent() -> None:
    zones = layer(("1", "province", None, None), ("2", "commune", None, None))
    zones["parent_code"] = ["1", "2"]
    assert vintages.parents(zones).tolist() == [-1, -1]


# Names


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Phường Đồng Hoá", "Xã Đồng Hóa"),
        ("Xã Thuỵ Lôi", "xã  Thụy Lôi"),
        ("Xã Thanh Sơn (thị xã Kim Bảng)", "Thanh Sơn"),
        ("TT. Quế", "Thị trấn Quế"),
        ("Thành phố Phủ Lý", "TP Phủ Lý"),
        ("Xã Tiên Nội", "Xã Tiên Nội"),  # decomposed letters
        ("huyện Bình Lục", "Bình Lục"),
    ],
)
def test_names_are_the_same_however_they_are_typed(one: str, other: str) -> None:
    assert vintages.plain_name(one) == vintages.plain_name(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Xã Tiên Tân", "Xã Tiền Tân"),
        ("Xã An Lão", "Xã An Lao"),
        ("Xã Liêm Cần", "Xã Liêm Căn"),
        ("Phường Xã Đàn", "Phường Đàn"),
        ("Xã Đại", "Xã Dại"),
    ],
)
def test_marks_make_other_names(one: str, other: str) -> None:
    assert vintages.plain_name(one) != vintages.plain_name(other)


def test_a_name_that_is_only_a_kind_is_kept() -> None:
    assert vintages.plain_name("Xã") == "xa\u0303"


# Successors


def small(former: dict[str, tuple[str, str]], merged: dict[str, tuple[str, str]]) -> pd.DataFrame:
    old = pd.DataFrame(
        {
            "code": list(former),
            "name": [name for name, _ in former.values()],
            "parent_code": [district for _, district in former.values()],
        }
    )
    new = layer(*((code, "commune", None, None) for code in merged))
    new["merged_from"] = [names for names, _ in merged.values()]
    new["district_2020"] = [district for _, district in merged.values()]
    return vintages.successors(old, new, districts={"D1": "Huyện Một", "D2": "Thị xã Hai"})


def rows(found: pd.DataFrame) -> set[tuple]:
    plain = found.astype(object).where(found.notna(), None)
    return set(plain.itertuples(index=False, name=None))


def test_the_same_name_is_taken_from_the_own_district_or_the_remark() -> None:
    former = {"a": ("Xã Minh", "D1"), "b": ("Phường Minh", "D2"), "c": ("Xã Lan", "D2")}
    own = {"X": ("Xã Minh", "D1"), "Y": ("Xã Minh, Xã Lan", "D2")}
    named = {("a", "X", "named"), ("b", "Y", "named"), ("c", "Y", "named")}
    assert rows(small(former, own)) == named
    remark = {"X": ("Xã Minh (huyện Một)", "D2"), "Y": ("Xã Minh (thị xã Hai), Lan", "D1")}
    assert rows(small(former, remark)) == named


def test_a_name_of_two_other_districts_is_left_open() -> None:
    former = {"a": ("Xã Minh", "D1"), "b": ("Xã Minh", "D2")}
    assert rows(small(former, {"X": ("Xã Minh", "D3")})) == {
        ("a", None, "unknown"),
        ("b", None, "unknown"),
    }


def test_split_units_and_those_that_earlier_mergers_hid() -> None:
    former = {
        "a": ("Xã An", "D1"),
        "b": ("Xã Bình", "D1"),
        "c": ("Xã Cao", "D1"),
        "d": ("Xã Danh", "D2"),
        "e": ("Xã Em", "D2"),
        "f": ("Xã Giang", "D3"),
    }
    merged = {"X": ("Xã An, Xã Bình Cao", "D1"), "Y": ("Xã An", "D1"), "Z": ("Xã Danh", "D2")}
    assert rows(small(former, merged)) == {
        ("a", "X", "split"),
        ("a", "Y", "split"),
        ("b", "X", "elimination"),
        ("b", "Y", "possible"),
        ("c", "X", "elimination"),
        ("c", "Y", "possible"),
        ("d", "Z", "named"),
        ("e", "Z", "elimination"),
        ("f", None, "unknown"),
    }


def test_known_new_names_settle_what_the_list_leaves_open() -> None:
    former = pd.DataFrame({"code": ["a", "b"], "name": ["An", "Bình"], "parent_code": ["D", "D"]})
    new = layer(("X", "commune", None, None), ("Y", "commune", None, None))
    new["merged_from"], new["district_2020"] = ["Xã Hợp Nhất", "Xã Khác"], "D"
    assert set(vintages.successors(former, new)["basis"]) == {"ambiguous"}
    renamed = {"a": "Xã Hợp Nhất", "b": "Xã Hợp Nhất"}
    found = vintages.successors(former, new, renamed=renamed)
    assert rows(found) == {("a", "X", "named"), ("b", "X", "named")}


def test_every_commune_of_2020_is_found_in_the_mergers_of_2025() -> None:
    """What the real lists hold, counted by hand in them.

    Of the 98 names in `merged_from` 92 are those of communes of 2020, 5 of these in
    two of the new communes; 6 names are of units made on 1 January 2025 out of 17 that
    are therefore not named: Mộc Hoàn, Tân Tựu and Bình An in a district each, and
    Châu Cầu, Tân Hiệp and Tân Liêm all three in Phủ Lý.
    """
    former, zones = hanam_vintages.former_zones(), hanam_vintages.zones()
    assert len(former) == 109
    found = vintages.successors(former, zones)
    likely = found[found["basis"] != "possible"]
    by_unit = likely.drop_duplicates("former")
    assert by_unit["basis"].value_counts().to_dict() == {
        "named": 87,
        "split": 5,
        "elimination": 7,
        "ambiguous": 10,
    }
    assert set(by_unit["former"]) == set(former["code"])
    assert not likely.duplicated(["former", "successor"]).any()
    name = former.set_index("code")["name"]
    split = likely[likely["basis"] == "split"].groupby("former")["successor"].agg(set)
    assert {name[code]: heirs for code, heirs in split.items()} == {
        "Phường Quang Trung": {"13285", "13366"},
        "Phường Hòa Mạc": {"13324", "13330"},
        "Phường Tiên Nội": {"13363", "13366"},
        "Phường Hoàng Đông": {"13336", "13366"},
        "Xã Tiên Ngoại": {"13363", "13366"},
    }
    guessed = likely[likely["basis"] == "elimination"].set_index("former")["successor"]
    assert {name[code]: heir for code, heir in guessed.items()} == {
        "Xã Mộc Bắc": "13330",
        "Xã Mộc Nam": "13330",
        "Xã Nhật Tựu": "13402",
        "Xã Nhật Tân": "13402",
        "Xã Hưng Công": "13540",
        "Xã Bối Cầu": "13540",
        "Xã An Nội": "13540",
    }
    open_ = likely[likely["basis"] == "ambiguous"]
    assert set(open_["successor"]) == {"13285", "13366", "13444"}
    assert set(former.set_index("code")["parent_code"][open_["former"]]) == {"347"}
    # Trần Hưng Đạo is a ward of Phủ Lý and a commune of Lý Nhân, and only the latter is named.
    heir = likely.set_index("former")
    assert heir.loc["13594", "successor"] == "13594"
    assert set(heir.loc[["13300"], "basis"]) == {"ambiguous"}
    # 33 new communes, each made of at least two old ones.
    assert likely.groupby("successor")["former"].nunique().ge(2).all()
    assert likely["successor"].nunique() == 33


def test_the_list_of_2020_is_a_layer() -> None:
    former = hanam_vintages.former_zones()
    stored = schema.validate("former_zones", former)
    assert stored["type"].value_counts().to_dict() == {"Xã": 83, "Phường": 20, "Thị trấn": 6}
    assert vintages.on(stored, "2020-11-01").shape[0] == 109
    assert vintages.on(stored, "2025-01-01").empty
    successor = stored.set_index("code")["successor_codes"]
    assert successor["13285"] == "13285;13366"
    assert successor["13399"] == "13402"
    # The codes of 2025 are used again: 13366 was Tiên Tân and is the ward Hà Nam.
    again = set(stored["code"]) & set(hanam_vintages.zones()["code"])
    assert len(again) == 33


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"adm2_code,adm3_code\n1,2\n", "column adm3_name is missing"),
        (b"\xff\xfe\x00", "cannot be read as a list"),
        (None, "cannot be read as a list"),
    ],
)
def test_a_wrong_list_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "list.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        vintages.former_zones_from_list(path)


def test_the_vintages_of_hanam() -> None:
    found = {item.level: item for item in vintages.vintages(hanam_vintages.zones())}
    assert (found["district"].count, found["commune"].count) == (6, 33)
    assert found["district"].area_km2 == pytest.approx(862.38, abs=0.01)
    assert found["commune"].area_km2 == pytest.approx(861.80, abs=0.01)
    assert str(found["commune"].label()) == "Communes and wards (33), from 2025-07-01"
