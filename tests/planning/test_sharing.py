"""Masts that could become one: who may, what it gives, what it saves."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from coverage.whatif import LiveNetwork
from data.errors import CancelledError, InputError
from data.store import Workspace
from planning import consolidation, sharing, sharing_costs, sharing_money, sharing_moves
from planning.consolidation import ConsolidationRequest
from planning.sharing_moves import Move, SharingRequest
from tests.areas import small_area, write_area
from tests.planning import sharing_areas
from tests.planning.sharing_areas import REQUEST, cell, frame, mast

NEAR = SharingRequest(REQUEST, distance_m=2500.0)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    return sharing_areas.workspace(tmp_path_factory.mktemp("sharing") / "w")


@pytest.fixture(scope="module")
def found(workspace) -> sharing.Analysis:
    return sharing.analyse(workspace, NEAR)


@pytest.fixture(scope="module")
def fewest(workspace) -> consolidation.Consolidation:
    request = ConsolidationRequest(NEAR, keep_percent=95.0, time_limit_s=20.0)
    return consolidation.consolidate(workspace, request)


def inventory(masts, cells) -> sharing_moves.Inventory:
    return sharing_moves.inventory(frame(masts), pd.DataFrame(cells), sharing_costs.prices(), 500.0)


# Who may


def test_only_other_owners_within_the_distance_are_neighbours() -> None:
    masts = [mast("1", 0, 0), mast("2", 300, 0, owner="B"), mast("3", 0, 400)]
    masts.append(mast("4", 900, 0, owner="B"))
    about = inventory(masts, [cell(str(k), "AB"[k % 2 == 0]) for k in (1, 2, 3, 4)])
    assert sharing_moves.neighbours(about) == [(0, 1, 300.0), (1, 2, 500.0)]


def test_a_host_needs_consent_places_and_height() -> None:
    masts = [
        mast("1", 0, 0),
        mast("2", 100, 0, owner="B", shareable=False),
        mast("3", 0, 100, owner="B", max_tenants=1.0),
        mast("4", 100, 100, owner="C", height_m=12.0),
    ]
    cells = [cell("1", "A"), cell("2", "B"), cell("3", "B"), cell("4", "C", 11.0)]
    moves, refused = sharing_moves.possible(inventory(masts, cells))
    assert refused[0, 1] == sharing_moves.NOT_SHAREABLE
    assert refused[0, 2] == sharing_moves.NO_PLACE
    assert refused[0, 3] == sharing_moves.NO_HEIGHT
    to_first = [(move.guest, move.operator, move.is_new) for move in moves if move.host == 0]
    assert to_first == [(1, "B", True), (2, "B", True), (3, "C", True)]


def test_every_operator_has_a_height_of_its_own_on_a_host() -> None:
    masts = [mast("1", 0, 0), mast("2", 100, 0, owner="B"), mast("3", 0, 100, owner="C")]
    about = inventory(masts, [cell("1", "A", 38.5), cell("2", "B"), cell("3", "C")])
    free = sharing_moves.free_heights_m(about, 0)
    assert free[0] == 35.5  # 38.5 is taken, and 3 m below it is the next
    assert np.all(np.diff(free) <= -3.0)
    assert free[-1] >= 10.0
    assert sharing_moves.free_heights_m(about, 0, "A")[0] == 38.5
    moves, _ = sharing_moves.possible(about)
    heights = {move.operator: move.height_m for move in moves if move.host == 0}
    assert heights == {"B": free[0], "C": free[1]}


def test_bands_that_are_there_already_are_not_hung_twice() -> None:
    masts = [mast("1", 0, 0), mast("2", 100, 0, owner="B")]
    cells = [cell("1", "A"), cell("1", "B", 30.0, cell_id="1-B"), cell("2", "B", cell_id="2-B")]
    more = cell("2", "B", cell_id="2-B-2100", frequency_mhz=2140.0)
    about = inventory(masts, [*cells, more])
    moves, _ = sharing_moves.possible(about)
    move = next(item for item in moves if item.host == 0)
    assert not move.is_new
    moved = sharing_moves.moved_cells(about, move)
    assert moved["frequency_mhz"].tolist() == [2140.0]
    assert moved["antenna_height_m"].tolist() == [30.0]
    assert moved["mast_id"].tolist() == ["1"]


def test_unknown_owner_and_capacity_are_taken_from_operators_and_class() -> None:
    masts = [
        mast("1", 0, 0, owner=None, max_tenants=None),
        mast("2", 9, 0, mast_class="A1b", max_tenants=np.nan),
    ]
    about = inventory(masts, [cell("1", "B"), cell("1", "A", cell_id="x"), cell("2", "A")])
    assert about.owner == ("A+B", "A")
    assert about.places.tolist() == [3, 1]


def test_no_masts_is_said(tmp_path) -> None:
    area = small_area(n_masts=3)
    empty = write_area(tmp_path / "w", area, masts=area.layers["masts"].assign(status="planned"))
    with pytest.raises(InputError, match="nothing to share"):
        sharing.analyse(empty, NEAR)


# What it saves


def test_the_saving_by_hand() -> None:
    """One mast of A moves to one of B: all sums from the tables."""
    about = inventory(
        [mast("1", 0, 0), mast("2", 100, 0, owner="B")], [cell("1", "A"), cell("2", "B")]
    )
    prices = about.prices
    found = sharing_money.saving(about, np.array([True, False]), [Move(0, 1, "A", True, 35.0)])
    built = prices.units["mast_a2b_guyed"].cost.typical
    shelter = prices.units["shelter_and_power"].cost.typical
    yearly = 92_800_000 + 0.1 * (built + shelter)
    assert found.yearly.typical == pytest.approx(yearly)
    once = 0.1 * built + 116_000_000 + 0.1 * built
    assert found.once.typical == pytest.approx(once)
    factor = sum(1.035**-k for k in range(1, 11))
    assert found.total.typical == pytest.approx(yearly * factor - once)
    assert found.total.low < found.total.typical < found.total.high
    rent = 0.5 * yearly * factor
    assert found.by_party["A"].typical == pytest.approx(
        yearly * factor - 0.1 * built - 116_000_000 - rent
    )
    assert found.by_party["B"].typical == pytest.approx(rent - 0.1 * built)


def test_the_parties_add_up_to_the_whole(found) -> None:
    sums = found.parties.groupby(["host", "guest"])["typical"].sum()
    pairs = found.pairs[found.pairs["possible"].astype(bool)].set_index(["host", "guest"])
    assert len(sums) > 0
    for key, total in sums.items():
        assert total == pytest.approx(pairs.loc[key, "saving_typical"], rel=1e-6)


def test_own_assumptions_replace_rows_and_faults_are_named(tmp_path) -> None:
    table = tmp_path / "sharing_assumptions.csv"
    head = "name,low,typical,high,unit,verified,source\n"
    table.write_text(head + "distance,300,300,300,m,yes,rule of the province\n", encoding="utf-8")
    assert sharing_costs.prices(tmp_path).typical("distance") == 300.0
    assert sharing_costs.prices(tmp_path).typical("years") == 10.0
    table.write_text(head + "site_rent,2,1,3,VND,no,x\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"row 2.*site_rent.*ascending"):
        sharing_costs.prices(tmp_path)
    table.write_text(head + "site_rent,a lot,1,3,VND,no,x\n", encoding="utf-8")
    with pytest.raises(InputError, match="row 2, column low: a lot"):
        sharing_costs.prices(tmp_path)
    table.write_text(head + "nonsense,1,1,3,VND,no,x\n", encoding="utf-8")
    with pytest.raises(InputError, match="nonsense"):
        sharing_costs.prices(tmp_path)


# What it gives


def test_a_pair_gives_what_the_engine_computes(workspace, found) -> None:
    """Each possible pair, carried out in a live network, changes what the table says."""
    possible = found.pairs[found.pairs["possible"].astype(bool)]
    assert len(possible) >= 3
    live = LiveNetwork(workspace, REQUEST)
    before = live.figures()
    names = {str(name): k for k, name in enumerate(found.inventory.masts["mast_id"])}
    for row in possible.head(3).itertuples():
        guest, host = names[row.guest], names[row.host]
        made = [
            (move, part)
            for move, part in zip(found.moves.moves, found.moves.cells, strict=True)
            if (move.guest, move.host) == (guest, host)
        ]
        removed = np.arange(len(found.inventory.masts)) == guest
        live.change(*sharing_moves.changed_network(found.inventory, removed, made))
        change = difference(before, live.figures())
        own = found.services[
            (found.services["guest"] == row.guest) & (found.services["host"] == row.host)
        ]
        for item in own.itertuples():
            net = item.gained_km2 - item.lost_km2
            # Several bands differ by the pixels that the module names.
            assert change[item.technology, item.operator, "area"] == pytest.approx(net, abs=0.06)


def difference(before: pd.DataFrame, after: pd.DataFrame) -> dict[tuple[str, str, str], float]:
    keys = ["service", "operator", "measure"]
    whole = [
        (table[table["level"] == "province"].set_index(keys).eval("share * weight"))
        for table in (before, after)
    ]
    return (whole[1] - whole[0]).to_dict()


def test_the_communes_add_up_to_the_pair(found) -> None:
    keys = ["host", "guest", "technology", "operator"]
    by_commune = found.communes.groupby(keys)[["lost_km2", "people_losing"]].sum()
    pairs = found.services.set_index(keys)
    for key, row in by_commune.iterrows():
        assert row["lost_km2"] == pytest.approx(pairs.loc[key, "lost_km2"], abs=1e-6)
        assert row["people_losing"] == pytest.approx(pairs.loc[key, "people_losing"], abs=1e-6)


def test_groups_connect_pairs(found) -> None:
    possible = found.pairs[found.pairs["possible"].astype(bool)]
    group = found.masts.set_index("mast_id")["group"]
    for row in possible.itertuples():
        assert group[row.host] == group[row.guest] == row.group > 0


def test_rates_count_masts_with_several_operators(found) -> None:
    whole = found.rates.iloc[0]
    several = [len(own) >= 2 for own in found.inventory.tenants]
    assert (whole["masts"], whole["shared"]) == (12, sum(several))
    owners = found.rates[found.rates["by"] == "owner"]
    assert owners["masts"].sum() == 12
    assert owners["shared"].sum() == sum(several)


def test_cancelling_stops(workspace) -> None:
    def stop(share: float) -> None:
        if share > 0.1:
            raise CancelledError

    with pytest.raises(CancelledError):
        sharing.analyse(workspace, NEAR, on_progress=stop)


def test_the_files_hold_the_analysis(found, tmp_path) -> None:
    sharing.save(found, tmp_path / "out")
    about = json.loads((tmp_path / "out" / "sharing.json").read_text(encoding="utf-8"))
    assert about["masts"] == 12
    assert about["provenance"]["assumptions"][0]["source"]
    pairs = gpd.read_file(tmp_path / "out" / "sharing.gpkg", layer="pairs")
    assert len(pairs) == len(found.pairs) == len(pd.read_csv(tmp_path / "out" / "pairs.csv"))
    assert pairs.crs == found.masts.crs


# The whole network


def test_the_choice_keeps_what_was_asked_when_computed_anew(fewest) -> None:
    assert fewest.removed.any()
    assert (100.0 * fewest.operators["km2_kept"] >= 95.0 - 0.02).all()
    about = fewest.summary
    assert about["masts_after"] == len(fewest.masts)
    assert about["bound"] <= about["value"] == about["masts_after"]
    assert about["gap"] == 0.0


def test_the_new_network_is_what_a_live_network_computes(workspace, fewest) -> None:
    live = LiveNetwork(workspace, REQUEST)
    before = live.figures()
    live.change(fewest.masts, fewest.cells)
    change = difference(before, live.figures())
    for row in fewest.operators.itertuples():
        net = row.km2_after - row.km2_before
        assert change[row.technology, row.operator, "area"] == pytest.approx(net, abs=0.01)
        people = row.people_after - row.people_before
        assert change[row.technology, row.operator, "population"] == pytest.approx(people, abs=1.0)


def test_keeping_everything_loses_nothing(workspace) -> None:
    request = ConsolidationRequest(NEAR, keep_percent=100.0, time_limit_s=20.0)
    all_kept = consolidation.consolidate(workspace, request)
    model = all_kept.operators[["km2_lost", "people_lost"]].to_numpy()
    # The engine judges a place by its strongest cell alone: several bands may differ by a pixel.
    assert model[:, 0].max() <= 0.011
    fewer = ConsolidationRequest(NEAR, keep_percent=95.0, time_limit_s=20.0)
    assert (
        all_kept.summary["masts_after"]
        >= consolidation.consolidate(workspace, fewer).summary["masts_after"]
    )


def test_going_never_adds_coverage_and_moving_never_hurts(workspace, fewest) -> None:
    request = ConsolidationRequest(NEAR, keep_percent=95.0, allow_moves=False, time_limit_s=20.0)
    alone = consolidation.consolidate(workspace, request)
    assert not alone.moves
    assert alone.operators["km2_gained"].max() <= 0.011
    assert alone.summary["masts_after"] >= fewest.summary["masts_after"]


def test_money_counts_what_staying_costs(workspace) -> None:
    request = ConsolidationRequest(
        NEAR, keep_percent=95.0, measure="people", objective="money", time_limit_s=20.0
    )
    found = consolidation.consolidate(workspace, request)
    assert (100.0 * found.operators["people_kept"] >= 95.0 - 0.02).all()
    assert found.saving.total.typical > 0.0
    parties = found.parties["typical"].sum()
    assert parties == pytest.approx(found.saving.total.typical, rel=1e-6)


def test_the_files_hold_the_consolidation(fewest, tmp_path) -> None:
    consolidation.save(fewest, tmp_path / "out")
    about = json.loads((tmp_path / "out" / "consolidation.json").read_text(encoding="utf-8"))
    assert about["removed"] == int(fewest.removed.sum())
    masts = gpd.read_file(tmp_path / "out" / "consolidation.gpkg", layer="masts")
    assert (masts["state"] == "goes").sum() == about["removed"]
    cells = pd.read_csv(tmp_path / "out" / "cells.csv")
    assert set(cells["mast_id"].astype(str)) <= set(fewest.masts["mast_id"].astype(str))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"keep_percent": 20.0}, "20 %"),
        ({"measure": "volume"}, "volume"),
        ({"objective": "glory"}, "glory"),
        ({"time_limit_s": 0.0}, "more than 0"),
    ],
)
def test_bad_requests_are_refused(workspace, changes, said) -> None:
    with pytest.raises(InputError, match=said):
        consolidation.consolidate(workspace, ConsolidationRequest(NEAR, **changes))
