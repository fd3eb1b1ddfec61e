"""Figures brought to other zones: against sums over unit squares, and on the real units."""

from __future__ import annotations

import random
import tempfile
from fractions import Fraction
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, box

from data import transfer
from data.area import Provenance, StudyAreaInfo
from data.errors import InputError, ValidationError
from data.store import Workspace
from tests.data import hanam_vintages
from tests.vectors import shared_path

CRS = "EPSG:32648"
X, Y = 600_000.0, 2_260_000.0
SIDE = 4
KM = 1000.0

labels = st.lists(st.integers(0, 3), min_size=SIDE**2, max_size=SIDE**2)
gaps = st.lists(st.integers(-1, 3), min_size=SIDE**2, max_size=SIDE**2)
counts = st.lists(st.integers(0, 50), min_size=SIDE**2, max_size=SIDE**2)


def square(cell: int) -> shapely.Polygon:
    row, column = divmod(cell, SIDE)
    x, y = X + KM * column, Y + KM * (SIDE - 1 - row)
    return box(x, y, x + KM, y + KM)


def zones(label: list[int], prefix: str) -> gpd.GeoDataFrame:
    """Zones made of the unit squares with the same label; -1 is outside of all."""
    names = sorted({item for item in label if item >= 0})
    shapes = [
        shapely.union_all([square(k) for k, item in enumerate(label) if item == name])
        for name in names
    ]
    return gpd.GeoDataFrame({"code": [f"{prefix}{k}" for k in names]}, geometry=shapes, crs=CRS)


def raster(values: list[int], folder: str, *, coarse: bool = False) -> Path:
    """People per unit square, or per block of four squares."""
    people = np.array(values, float).reshape(SIDE, SIDE)
    if coarse:
        people = people.reshape(SIDE // 2, 2, SIDE // 2, 2).sum(axis=(1, 3))
    size = SIDE * KM / people.shape[0]
    path = Path(folder) / "people.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=people.shape[1],
        height=people.shape[0],
        count=1,
        dtype="float64",
        crs=CRS,
        transform=Affine(size, 0, X, 0, -size, Y + SIDE * KM),
    ) as out:
        out.write(people, 1)
    return path


def points(values: list[int]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"population": values}, geometry=[square(k).centroid for k in range(SIDE**2)], crs=CRS
    )


def table(label: list[int], other: list[int], weight: list[Fraction]) -> dict:
    """Weight in common of each pair, by plain sums over the squares."""
    found: dict[tuple[str, str], Fraction] = {}
    for one, two, value in zip(label, other, weight, strict=True):
        pair = f"S{one}", f"T{two}" if two >= 0 else ""
        found[pair] = found.get(pair, Fraction(0)) + value
    return found


def shares(label: list[int], other: list[int], weight: list[int] | list[Fraction]) -> dict:
    """Share of each source in each target; by area where a source weighs nothing."""
    heavy = table(label, other, [Fraction(value) for value in weight])
    plain = table(label, other, [Fraction(1)] * SIDE**2)
    found = {}
    for source, target in plain:
        inside = [pair for pair in plain if pair[0] == source and pair[1]]
        by_weight = sum(heavy[pair] for pair in inside) > 0
        used = heavy if by_weight else plain
        total = sum(value for pair, value in used.items() if pair[0] == source)
        if target:
            found[source, target] = used[source, target] / total
    return found


def as_dict(walk: transfer.Crosswalk) -> dict:
    frame = walk.frame
    return dict(
        zip(zip(frame["source"], frame["target"], strict=True), frame["share"], strict=True)
    )


@settings(max_examples=60, deadline=None)
@given(
    source=labels,
    target=gaps,
    people=counts,
    how=st.sampled_from(["area", "raster", "coarse", "points"]),
)
def test_shares_are_those_of_the_unit_squares(source, target, people, how: str) -> None:
    assume(max(target) >= 0)
    with tempfile.TemporaryDirectory() as folder:
        weight = {
            "area": lambda: None,
            "raster": lambda: raster(people, folder),
            "coarse": lambda: raster(people, folder, coarse=True),
            "points": lambda: points(people),
        }[how]()
        walk = transfer.crosswalk(zones(source, "S"), zones(target, "T"), weight)
    per_square: list = people
    if how == "area":
        per_square = [1] * SIDE**2
    elif how == "coarse":
        blocks = np.array(people).reshape(SIDE // 2, 2, SIDE // 2, 2).sum(axis=(1, 3))
        spread = np.repeat(np.repeat(blocks, 2, 0), 2, 1).ravel().tolist()
        per_square = [Fraction(value, 4) for value in spread]
    expected = shares(source, target, per_square)
    found = as_dict(walk)
    assert set(found) == set(expected)
    for pair, share in expected.items():
        assert found[pair] == pytest.approx(float(share), abs=1e-9)
    values = pd.Series({code: 7.0 + 3 * k for k, code in enumerate(sorted(walk.sources.index))})
    moved = transfer.transfer(values, walk, "extensive")["value"]
    for code, value in moved.items():
        wanted = sum(
            share * Fraction(values[one]) for (one, two), share in expected.items() if two == code
        )
        assert value == pytest.approx(float(wanted), rel=1e-9, abs=1e-9)
    lost = sum(values * walk.sources["lost"])
    assert np.nansum(moved) + lost == pytest.approx(values.sum(), rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(source=labels, target=labels, value=st.lists(st.floats(-1e9, 1e9), min_size=4, max_size=4))
def test_totals_are_kept_where_targets_cover_the_sources(source, target, value) -> None:
    walk = transfer.crosswalk(zones(source, "S"), zones(target, "T"))
    values = pd.Series(value[: len(walk.sources)], index=walk.sources.index)
    found = transfer.transfer(values, walk, "extensive")
    scale = values.abs().sum()
    assert found["value"].sum() == pytest.approx(values.sum(), rel=1e-9, abs=1e-12 * scale)
    assert (walk.sources["lost"] == 0.0).all()
    assert walk.matrix().sum(axis=0) == pytest.approx(1.0, abs=1e-12)
    assert (found["low"] <= found["value"]).all()
    assert (found["value"] <= found["high"]).all()


@settings(max_examples=20, deadline=None)
@given(labels, st.sampled_from(["extensive", "intensive"]))
def test_zones_brought_to_themselves_stay_as_they_are(label, kind) -> None:
    walk = transfer.crosswalk(zones(label, "S"), zones(label, "S"))
    values = pd.Series(np.linspace(0.1, 0.9, len(walk.sources)), index=walk.sources.index)
    found = transfer.transfer(values, walk, kind, limits=(0, 1))
    for column in ("value", "low", "high"):
        np.testing.assert_allclose(found[column], values, rtol=1e-12)
    assert set(found["quality"]) == {"exact"}
    assert walk.split == []
    assert walk.exact.all()
    assert walk.notes() == []


@settings(max_examples=20, deadline=None)
@given(labels, labels, st.randoms(use_true_random=False))
def test_the_order_of_zones_does_not_matter(source, target, chance: random.Random) -> None:
    one, other = zones(source, "S"), zones(target, "T")
    values = pd.Series(np.arange(len(one)) + 0.3, index=one["code"])
    walk = transfer.crosswalk(one, other)
    mixed = transfer.crosswalk(
        one.iloc[chance.sample(range(len(one)), len(one))],
        other.iloc[chance.sample(range(len(other)), len(other))],
    )
    for kind in ("extensive", "intensive"):
        before = transfer.transfer(values, walk, kind)
        after = transfer.transfer(values[::-1], mixed, kind).loc[before.index]
        pd.testing.assert_frame_equal(before, after)


@settings(max_examples=20, deadline=None)
@given(labels, labels)
def test_by_way_of_all_pieces_is_the_same_as_straight(source, target) -> None:
    """From S to its pieces with T, and from these, which are whole, to T."""
    pieces = [4 * one + two for one, two in zip(source, target, strict=True)]
    one, middle, other = zones(source, "S"), zones(pieces, "M"), zones(target, "T")
    values = pd.Series(np.arange(len(one)) + 1.0, index=one["code"])
    for kind in ("extensive", "intensive"):
        straight = transfer.transfer(values, transfer.crosswalk(one, other), kind)["value"]
        first = transfer.transfer(values, transfer.crosswalk(one, middle), kind)["value"]
        second = transfer.transfer(first, transfer.crosswalk(middle, other), kind)
        np.testing.assert_allclose(second["value"], straight, rtol=1e-12)
        assert set(second["quality"]) == {"exact"}


@settings(max_examples=20, deadline=None)
@given(labels)
def test_there_and_back_over_finer_zones_changes_nothing(label) -> None:
    one, fine = zones(label, "S"), zones(list(range(SIDE**2)), "F")
    values = pd.Series(np.arange(len(one)) + 1.0, index=one["code"])
    there = transfer.transfer(values, transfer.crosswalk(one, fine), "extensive")["value"]
    back = transfer.transfer(there, transfer.crosswalk(fine, one), "extensive")["value"]
    np.testing.assert_allclose(back, values, rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(source=labels, target=labels, people=counts, part=st.lists(st.floats(0, 1), min_size=16))
def test_the_truth_lies_within_the_bounds(source, target, people, part) -> None:
    """Counts and shares known for every square: their sums by target are never out of bounds."""
    having = np.array(people) * np.array(part[: SIDE**2])
    one, other = zones(source, "S"), zones(target, "T")
    by_source, by_target = ([f"{p}{k}" for k in item] for p, item in (("S", source), ("T", target)))
    total = pd.Series(people, dtype=float)
    held = pd.Series(having)
    walk = transfer.crosswalk(one, other)
    found = transfer.transfer(held.groupby(by_source).sum(), walk, "extensive")
    truth = held.groupby(by_target).sum()
    assert (found["low"] <= truth + 1e-9).all()
    assert (truth <= found["high"] + 1e-9).all()
    exact = found["quality"] == "exact"
    np.testing.assert_allclose(found["value"][exact], truth[exact], rtol=1e-9, atol=1e-9)
    # Shares, weighed with the people of each square.
    percent = 100.0 * held.groupby(by_source).sum() / total.groupby(by_source).sum()
    truth = 100.0 * truth / total.groupby(by_target).sum()
    weighed = transfer.crosswalk(one, other, points(people))
    assume(not weighed.sources["by_area"].any())
    found = transfer.transfer(
        percent.clip(0, 100),
        weighed,
        "intensive",
        denominator=total.groupby(by_source).sum(),
        limits=(0, 100),
    )
    known = truth.notna()
    assert (found["low"][known] <= truth[known] + 1e-6).all()
    assert (truth[known] <= found["high"][known] + 1e-6).all()
    assert found["value"].dropna().between(0, 100).all()
    exact = known & (found["quality"] == "exact")
    np.testing.assert_allclose(found["value"][exact], truth[exact], rtol=1e-9, atol=1e-9)


# Cases by hand: S0 is the left half, S1 the right half of a strip of four squares.

HALVES = [0, 0, 1, 1] * SIDE
THIRDS = [0, 1, 1, 2] * SIDE


def test_a_share_is_weighed_by_the_people_it_is_a_share_of() -> None:
    people = [30, 10, 60, 0] * SIDE
    walk = transfer.crosswalk(zones(HALVES, "S"), zones(THIRDS, "T"), points(people))
    found = transfer.transfer(pd.Series({"S0": 0.5, "S1": 1.0}), walk, "intensive", limits=(0, 1))
    # In T1 there are 10 of the 40 of S0 and all 60 of S1.
    assert found["value"]["T1"] == pytest.approx((0.5 * 10 + 1.0 * 60) / 70)
    assert found["value"]["T0"] == 0.5
    # 20 of the 40 have it; at most 10 of them are among the 30 of T0.
    assert found["low"]["T0"] == pytest.approx(1 / 3)
    assert found["high"]["T0"] == pytest.approx(2 / 3)
    assert found["quality"].tolist() == ["estimated"] * 3
    # The mean by households instead: 5 of the 20 of S0, 90 of S1.
    households = pd.Series({"S0": 20.0, "S1": 90.0})
    found = transfer.transfer(
        pd.Series({"S0": 0.5, "S1": 1.0}), walk, "intensive", denominator=households
    )
    assert found["value"]["T1"] == pytest.approx((0.5 * 5 + 1.0 * 90) / 95)


def test_a_mean_of_whole_sources_is_exact_only_with_its_denominator() -> None:
    one, whole = zones(HALVES, "S"), zones([0] * SIDE**2, "T")
    values = pd.Series({"S0": 40.0, "S1": 80.0})
    by_people = transfer.crosswalk(one, whole, points([1, 1, 3, 3] * SIDE))
    found = transfer.transfer(values, by_people, "intensive").loc["T0"]
    assert (found["value"], found["quality"]) == (pytest.approx(70.0), "estimated")
    assert (found["low"], found["high"]) == (40.0, 80.0)
    told = pd.Series({"S0": 100.0, "S1": 100.0})
    found = transfer.transfer(values, by_people, "intensive", denominator=told).loc["T0"]
    assert (found["value"], found["quality"]) == (pytest.approx(60.0), "exact")
    assert (found["low"], found["high"]) == (pytest.approx(60.0), pytest.approx(60.0))
    by_area = transfer.crosswalk(one, whole)
    assert transfer.transfer(values, by_area, "intensive")["quality"].tolist() == ["exact"]


def test_a_mean_without_range_has_no_bounds_where_sources_are_split() -> None:
    walk = transfer.crosswalk(zones(HALVES, "S"), zones(THIRDS, "T"))
    found = transfer.transfer(pd.Series({"S0": 12.0, "S1": 20.0}), walk, "intensive")
    assert found["value"].tolist() == pytest.approx([12.0, 16.0, 20.0])
    assert found[["low", "high"]].isna().all(axis=None)


def test_missing_values_are_told_and_not_taken_for_nothing() -> None:
    walk = transfer.crosswalk(zones(HALVES, "S"), zones(THIRDS, "T"))
    values = pd.Series({"S0": 12.0, "S1": np.nan})
    found = transfer.transfer(values, walk, "extensive")
    assert found["quality"].tolist() == ["estimated", "partial", "missing"]
    assert found["known"].tolist() == pytest.approx([1.0, 0.5, 0.0])
    assert found["value"].tolist() == pytest.approx([6.0, 6.0, np.nan], nan_ok=True)
    assert np.isnan(found["high"]["T1"])
    found = transfer.transfer(values.dropna(), walk, "intensive", limits=(0, 100))
    assert found["quality"].tolist() == ["estimated", "partial", "missing"]
    assert found["value"].tolist() == pytest.approx([12.0, 12.0, np.nan], nan_ok=True)
    assert np.isnan(found["low"]["T1"])


def test_what_lies_outside_is_lost_and_said() -> None:
    walk = transfer.crosswalk(zones(HALVES, "S"), zones([0, 0, 0, -1] * SIDE, "T"))
    assert walk.sources["lost"].to_dict() == {"S0": 0.0, "S1": pytest.approx(0.5)}
    found = transfer.transfer(pd.Series({"S0": 10.0, "S1": 10.0}), walk, "extensive")
    assert found["value"].tolist() == pytest.approx([15.0])
    assert (found["low"].iloc[0], found["high"].iloc[0]) == (
        pytest.approx(10.0),
        pytest.approx(20.0),
    )
    assert found["quality"].tolist() == ["estimated"]
    said = " ".join(str(note) for note in walk.notes())
    assert "greatest for S1: 50 %" in said
    assert "4 km² lie only in the first, 0 km² only in the second" in said


def test_a_target_beyond_the_sources_is_partial() -> None:
    walk = transfer.crosswalk(zones([0, 0, -1, -1] * SIDE, "S"), zones([0, 0, 0, 0] * SIDE, "T"))
    found = transfer.transfer(pd.Series({"S0": 10.0}), walk, "extensive").loc["T0"]
    assert (found["value"], found["quality"]) == (10.0, "partial")
    assert found["known"] == pytest.approx(0.5)


def test_differences_of_drawing_are_no_splits() -> None:
    """The same two zones, whose common border the other map draws 20 m further east."""
    one = zones(HALVES, "S")
    middle, end = X + 2 * KM + 20.0, X + 4 * KM - 20.0
    top = Y + SIDE * KM
    other = gpd.GeoDataFrame(
        {"code": ["T0", "T1"]},
        geometry=[box(X, Y, middle, top), box(middle, Y, end, top)],
        crs=CRS,
    )
    values = pd.Series({"S0": 100.0, "S1": 200.0})
    strict = transfer.transfer(values, transfer.crosswalk(one, other), "extensive")
    assert strict["value"].tolist() == pytest.approx([102.0, 196.0])
    assert set(strict["quality"]) == {"estimated"}
    walk = transfer.crosswalk(one, other, tolerance=0.02)
    drawn = transfer.transfer(values, walk, "extensive")
    assert drawn["value"].tolist() == [100.0, 200.0]
    assert set(drawn["quality"]) == {"exact"}
    # What was decided away is still told.
    assert walk.sources["outside"]["S1"] == pytest.approx(0.01)
    assert walk.sources["lost"].tolist() == [0.0, 0.0]
    assert "lie only in the first" in str(walk.notes()[-1])


def test_a_small_target_within_a_large_source_is_no_sliver() -> None:
    label = [1] + [0] * (SIDE**2 - 1)
    walk = transfer.crosswalk(zones([0] * SIDE**2, "S"), zones(label, "T"), tolerance=0.5)
    found = transfer.transfer(pd.Series({"S0": 16.0}), walk, "extensive")["value"]
    assert found.to_dict() == {"T0": pytest.approx(15.0), "T1": pytest.approx(1.0)}


def test_a_source_of_slivers_only_keeps_them() -> None:
    walk = transfer.crosswalk(
        zones([0] * SIDE**2, "S"), zones(list(range(SIDE**2)), "T").iloc[:16], tolerance=0.05
    )
    assert walk.frame["share"].tolist() == pytest.approx([1 / 16] * 16)


def test_where_nobody_lives_area_decides_and_it_is_said() -> None:
    walk = transfer.crosswalk(zones(HALVES, "S"), zones(THIRDS, "T"), points([0, 0, 1, 3] * SIDE))
    assert as_dict(walk) == {
        ("S0", "T0"): pytest.approx(0.5),
        ("S0", "T1"): pytest.approx(0.5),
        ("S1", "T1"): pytest.approx(0.25),
        ("S1", "T2"): pytest.approx(0.75),
    }
    assert "such as S0, there is nobody; they are split by area" in str(walk.notes()[-1])


def test_a_part_without_people_does_not_make_a_source_whole() -> None:
    walk = transfer.crosswalk(zones(HALVES, "S"), zones(THIRDS, "T"), points([5, 0, 1, 1] * SIDE))
    found = transfer.transfer(pd.Series({"S0": 10.0, "S1": 0.0}), walk, "extensive")
    assert found["value"].tolist() == pytest.approx([10.0, 0.0, 0.0])
    assert (found["low"]["T0"], found["high"]["T1"]) == (0.0, 10.0)
    assert set(found["quality"]) == {"estimated"}


def test_a_point_on_a_border_counts_half_on_either_side() -> None:
    edge = gpd.GeoDataFrame(
        {"population": [8.0, np.nan]},
        geometry=[Point(X + KM, Y + 500.0), Point(X + 10.0, Y + 10.0)],
        crs=CRS,
    )
    walk = transfer.crosswalk(zones(HALVES, "S"), zones(THIRDS, "T"), edge)
    assert walk.targets["weight"].tolist() == [4.0, 4.0, 0.0]
    assert as_dict(walk)["S0", "T0"] == 0.5


def test_coordinates_in_degrees_are_made_metres() -> None:
    one, other = zones(HALVES, "S"), zones(THIRDS, "T")
    there = transfer.crosswalk(one.to_crs("EPSG:4326"), other.to_crs("EPSG:3405"))
    for pair, share in as_dict(transfer.crosswalk(one, other)).items():
        assert as_dict(there)[pair] == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: one.assign(code="S0"), "code S0 is that of several zones"),
        (lambda one: one.iloc[:0], "no zones to transfer"),
        (lambda one: one.set_crs(None, allow_override=True), "have no CRS"),
        (
            lambda one: pd.concat([one, zones([0] * 16, "P")], ignore_index=True),
            "in common with zones that should lie side by side",
        ),
    ],
)
def test_sets_that_are_not_side_by_side_are_refused(change, said: str) -> None:
    one, other = zones(HALVES, "S"), zones(THIRDS, "T")
    with pytest.raises(InputError, match=said):
        transfer.crosswalk(change(one), other)
    with pytest.raises(InputError, match=said):
        transfer.crosswalk(other, change(one))


def test_wrong_figures_are_refused() -> None:
    walk = transfer.crosswalk(zones(HALVES, "S"), zones(THIRDS, "T"))
    with pytest.raises(InputError, match="no zone X9"):
        transfer.transfer(pd.Series({"X9": 1.0}), walk, "extensive")
    with pytest.raises(InputError, match=r"120 is out of range \(expected 0 to 100\)"):
        transfer.transfer(pd.Series({"S0": 120.0}), walk, "intensive", limits=(0, 100))
    with pytest.raises(InputError, match="no column households"):
        transfer.crosswalk(
            zones(HALVES, "S"), zones(THIRDS, "T"), points([1] * 16), column="households"
        )


# Lists of mergers


def test_the_communes_of_2020_make_up_those_of_2025() -> None:
    former, new = hanam_vintages.former_zones(), hanam_vintages.zones()
    communes = new[new["level"] == "commune"]
    districts = new[new["level"] == "district"].set_index("code")["name"].to_dict()
    walk = transfer.crosswalk_by_merger(former, communes, districts=districts)
    one_each = pd.Series(1.0, index=former["code"])
    found = transfer.transfer(one_each, walk, "extensive")
    assert found["value"].sum() == pytest.approx(109.0, abs=1e-9)
    assert (walk.sources["lost"] == 0.0).all()
    assert len(walk.split) == 22
    # Thanh Liêm and Lý Nhân: nothing was split or merged before, so every figure is known.
    exact = found.index[found["quality"] == "exact"]
    home = communes.set_index("code")["district_2020"]
    assert home[exact].value_counts().to_dict() == {"351": 5, "353": 7}
    assert found["value"][exact].eq(3.0).all()
    assert found.loc["13324", ["value", "low", "high"]].tolist() == [3.5, 3.0, 6.0]
    assert set(found["quality"]) == {"exact", "estimated"}
    mean = transfer.transfer(one_each * 60.0, walk, "intensive", limits=(0, 100))
    assert mean["value"].tolist() == pytest.approx([60.0] * 33)
    assert mean["quality"].eq("exact").sum() == 0  # nobody said what to weigh with


def test_without_lists_of_names_former_units_cannot_be_moved() -> None:
    former, new = hanam_vintages.former_zones(), hanam_vintages.zones()
    with pytest.raises(InputError, match="expected a column merged_from"):
        transfer.crosswalk_by_merger(former, new[new["level"] == "district"])


# The real units, by file


@pytest.fixture(scope="module")
def hanam(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    info = StudyAreaInfo("hanam", "Hà Nam", "Hà Nam", CRS, False, 100.0)
    names = ("zones", "former_zones", "population")
    return Workspace.replace(
        tmp_path_factory.mktemp("transfer") / "w",
        info,
        {"zones": hanam_vintages.zones(), "former_zones": hanam_vintages.former_zones()},
        dict.fromkeys(names, Provenance("test")),
        rasters={"population": shared_path("data/hanam_worldpop_2020_1km_unadj.tif")},
    )


#: Registered people of 2025 by old district, roughly.
PEOPLE = {
    "347": 198292,
    "349": 154112,
    "350": 150403,
    "351": 128891,
    "352": 164177,
    "353": 223502,
}


@pytest.mark.parametrize("weight", ["area", "population"])
def test_people_of_old_districts_go_to_new_communes_and_back(hanam, weight) -> None:
    old = pd.DataFrame({"code": list(PEOPLE), "people": PEOPLE.values()})
    there = transfer.transfer_table(
        hanam,
        old,
        extensive=["people"],
        from_date="2020-06-01",
        to_date="2025-07-01",
        weight=weight,
    )
    assert there["level"].eq("commune").all()
    assert len(there) == 33
    assert there["people"].sum() == pytest.approx(sum(PEOPLE.values()), rel=1e-9)
    assert there["people_quality"].eq("estimated").all()
    assert (there["people_low"] <= there["people"]).all()
    # The two maps differ by 10.6 km², 5.6 of them beyond the communes; nothing of it is lost.
    notes = [str(note) for note in there.attrs["notes"]]
    assert any("differ by 10.6 km²: 5.6 km² lie only in the first, 5.01" in note for note in notes)
    assert not any("lost" in note for note in notes)
    back = transfer.transfer_table(
        hanam,
        there[["code", "people"]],
        extensive=["people"],
        from_date="2025-07-01",
        to_date="2020-06-01",
        weight=weight,
    ).set_index("code")
    assert back["people"].sum() == pytest.approx(sum(PEOPLE.values()), rel=1e-9)
    # Only two communes cross the old borders: Châu Sơn and Hà Nam.
    exact = back[back["people_quality"] == "exact"]
    assert set(exact.index) == {"350", "352", "353"}
    for code in exact.index:
        assert exact["people"][code] == pytest.approx(PEOPLE[code], rel=1e-9)
    for code, value in PEOPLE.items():
        assert back["people"][code] == pytest.approx(value, rel=0.06)


def test_without_tolerance_the_strip_between_the_maps_is_lost_and_told(hanam) -> None:
    old = pd.DataFrame({"code": list(PEOPLE), "people": PEOPLE.values()})
    found = transfer.transfer_table(
        hanam,
        old,
        extensive=["people"],
        from_date="2020-06-01",
        to_date="2025-07-01",
        tolerance=0.0,
    )
    total = sum(PEOPLE.values())
    lost = 1.0 - found["people"].sum() / total
    assert lost == pytest.approx(5.596 / 862.38, rel=0.3)
    said = [str(note) for note in found.attrs["notes"]]
    assert any(f"{100 * lost:.3g} % are lost" in note for note in said)
    assert any("greatest for 353: 1.32 %" in note for note in said)


def test_people_of_the_raster_are_weighed_exactly(hanam) -> None:
    zones_ = hanam.read("zones")
    communes = zones_[zones_["level"] == "commune"]
    path = hanam.raster_path("population")
    whole = gpd.GeoSeries([communes.union_all()], crs=communes.crs)
    parts = transfer.people(path, communes.geometry)
    assert parts.sum() == pytest.approx(transfer.people(path, whole)[0], rel=1e-5)
    assert parts.sum() == pytest.approx(756_948, rel=2e-3)


FILES = {
    "comma.csv": "code,households,note,coverage_percent\n347,40000,x,97.5\n350,39000,y,80\n",
    "semicolon.csv": "\ufeffcode;households;coverage_percent\n347;40000;97,5\n350;39000;80\n",
    "tab.txt": "code\thouseholds\tnote\tcoverage_percent\n347\t40000\tx\t97,5\n350\t39000\ty\t80\n",
}


@pytest.mark.parametrize("name", [*FILES, "book.xlsx"])
def test_figures_come_from_files_of_several_kinds(hanam, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name in FILES:
        path.write_text(FILES[name], encoding="utf-8")
    else:
        frame = pd.DataFrame({"code": [347, 350], "households": [40000, 39000]})
        frame.assign(coverage_percent=[97.5, 80.0]).to_excel(path, index=False)
    found = transfer.transfer_file(
        hanam,
        path,
        from_date="2020-06-01",
        to_date="2025-07-01",
        weight="population",
        extensive=["households"],
        intensive=["coverage_percent"],
        denominators={"coverage_percent": "households"},
    ).set_index("code")
    assert found["households"].sum() == pytest.approx(79_000, rel=1e-9)
    assert found.loc["13384", "coverage_percent"] == pytest.approx(80.0)
    assert found.loc["13384", "coverage_percent_low"] >= 0.0
    assert found.loc["13597", "households_quality"] == "missing"
    # Châu Sơn is partly of Thanh Liêm, of which the file says nothing.
    assert found.loc["13318", "households_quality"] == "partial"


def test_figures_of_communes_without_boundaries_go_by_the_lists(hanam, tmp_path: Path) -> None:
    path = tmp_path / "communes.csv"
    former = hanam.read("former_zones")
    former[["code"]].assign(people=100).to_csv(path, index=False)
    found = transfer.transfer_file(
        hanam,
        path,
        from_date="2020-11-01",
        to_date="2025-07-01",
        weight="area",
        extensive=["people"],
    )
    assert found["people"].sum() == pytest.approx(10_900)
    assert found["people_quality"].value_counts().to_dict() == {"estimated": 21, "exact": 12}
    assert "22 of 109 zones are split" in str(found.attrs["notes"][0])


def moved(workspace: Workspace, path: Path, **changes: object) -> pd.DataFrame:
    asked: dict = {
        "from_date": "2020-06-01",
        "to_date": "2025-07-01",
        "weight": "area",
        "extensive": ["people"],
    }
    return transfer.transfer_file(workspace, path, **(asked | changes))


def test_every_faulty_row_of_a_file_is_named(hanam, tmp_path: Path) -> None:
    path = tmp_path / "huyện.csv"
    path.write_text("code,people\n347,1\n347,2\n,3\n349,many\n", encoding="utf-8")
    with pytest.raises(ValidationError) as caught:
        moved(hanam, path)
    assert [(item.file, item.row, item.column) for item in caught.value.problems] == [
        ("huyện.csv", 3, "code"),
        ("huyện.csv", 4, "code"),
        ("huyện.csv", 5, "people"),
    ]
    path.write_text("code,people\n347,1\n350,7\n35,9\n13384,2\n", encoding="utf-8")
    with pytest.raises(ValidationError, match=r"one of the 6 zones valid on 2020-06-01") as caught:
        moved(hanam, path)
    assert [item.row for item in caught.value.problems] == [4, 5]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"extensive": []}, "Say which columns are counts"),
        ({"intensive": ["people"]}, "cannot be both"),
        ({"extensive": ["homes"]}, "no column homes; it has code, people"),
        ({"from_date": "1/6/2020"}, "expected YYYY-MM-DD"),
        ({"from_date": "2010-01-01"}, "no zones that are valid on 2010-01-01"),
        ({"to_date": "2019-01-01"}, "it has: Districts .6., from 2020-01-01 to 2025-06-30"),
        ({"to_level": "province"}, "no zones with boundaries"),
    ],
)
def test_what_cannot_be_transferred_is_one_sentence(hanam, tmp_path, changes, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("code,people\n347,1\n", encoding="utf-8")
    with pytest.raises(InputError, match=said):
        moved(hanam, path, **changes)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00\x81", b"PK\x03\x04rest", b""])
def test_a_file_that_is_no_table_is_one_sentence(hanam, tmp_path, content) -> None:
    path = tmp_path / "a.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.csv cannot be read"):
        moved(hanam, path)


def test_without_a_raster_people_cannot_weigh(tmp_path: Path) -> None:
    info = StudyAreaInfo("hanam", "Hà Nam", "Hà Nam", CRS, False, 100.0)
    bare = Workspace.replace(
        tmp_path / "w", info, {"zones": hanam_vintages.zones()}, {"zones": Provenance("test")}
    )
    path = tmp_path / "a.csv"
    path.write_text("code,people\n347,1\n", encoding="utf-8")
    with pytest.raises(InputError, match="no population raster"):
        moved(bare, path, weight="population")
