"""Siting from the layers: candidates, equipment, the claim against a computation from scratch."""

from __future__ import annotations

import itertools
import json
import math

import geopandas as gpd
import numpy as np
import pytest

from coverage import run
from data.errors import InputError
from data.grid import Grid, Raster
from data.store import Provenance, Workspace
from planning import (
    mast_coverage,
    scenario_compare,
    scenario_equipment,
    scenario_workspace,
    sharing_costs,
    sharing_moves,
    siting,
    siting_assumptions,
    siting_candidates,
    siting_options,
)
from planning.__main__ import main
from planning.scenarios import Change
from planning.siting import SitingRequest
from tests.areas import small_area, write_area
from tests.planning.scenario_samples import kept

COVERAGE = run.CoverageRequest(technologies=("4G",), resolution_m=100.0, radius_m=4000.0)


def asked(**values) -> SitingRequest:
    return SitingRequest(
        **{"coverage": COVERAGE, "most_candidates": 12, "time_limit_s": 20.0, **values}
    )


@pytest.fixture(scope="module")
def area(tmp_path_factory):
    """A small area; not to be changed but by what computing keeps."""
    return write_area(tmp_path_factory.mktemp("siting") / "area", small_area())


@pytest.fixture(scope="module")
def plan(area):
    shares: list[float] = []
    found = siting.plan(area, asked(budget=3.5e9, years=3), on_progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    return found


def candidates(area, **values):
    grid = area.analysis_grid(100.0)
    everywhere = np.ones(grid.width * grid.height)
    return siting_candidates.find(
        area,
        sharing_costs.prices(area.folder),
        siting_assumptions.assumptions(area.folder),
        everywhere,
        grid,
        **values,
    )


def test_candidates_come_from_the_layers_and_keep_their_distance(area) -> None:
    found = candidates(area, most=1000).sites
    assert set(found["kind"]) == {"mast", "land", "high_point"}
    masts = area.read("masts")
    assert set(found.loc[found["kind"] == "mast", "mast_id"]) == set(masts["mast_id"])
    assert found["candidate_id"].is_unique
    new = found[found["kind"] != "mast"]
    # Rural spacing of the built-in rules is 400 m, urban 100 m.
    for one, other in itertools.combinations(new.geometry, 2):
        assert one.distance(other) >= 100.0
    for point in new.geometry:
        assert masts.distance(point).min() >= 100.0
    high = new[new["kind"] == "high_point"]
    roads = area.read("roads")
    assert max(roads.distance(point).min() for point in high.geometry) <= 300.0 + 150.0
    for row in found.to_dict("records"):
        assert str(row["reason"])
        assert row["layer"] in ("masts", "network_sites", "offices", "terrain")


def test_only_the_most_useful_candidates_are_kept(area) -> None:
    few = candidates(area, most=5)
    assert len(few.sites) == 5
    assert any("most demand near" in str(note) for note in few.notes)
    grid = area.analysis_grid(100.0)
    nothing = siting_candidates.find(
        area,
        sharing_costs.prices(),
        siting_assumptions.assumptions(),
        np.zeros(grid.width * grid.height),
        grid,
    )
    assert len(nothing.sites) == 0


def test_high_roofs_are_candidates(tmp_path) -> None:
    generated = small_area()
    workspace = write_area(tmp_path / "area", generated)
    grid = workspace.analysis_grid(100.0)
    zones = workspace.read("zones")
    middle = zones[zones["level"] == "commune"].geometry.iloc[0].representative_point()
    heights = np.zeros(grid.shape, np.float32)
    row = int((grid.y_max - middle.y) // 100.0)
    column = int((middle.x - grid.x_min) // 100.0)
    heights[row, column], heights[row + 1, column] = 30.0, 5.0
    workspace.write_raster("building_height", Raster(grid, heights), Provenance("test"))
    found = candidates(workspace, kinds=("roof",)).sites
    assert len(found) == 1
    assert found["height_m"].iloc[0] == pytest.approx(30.0 + 9.0)
    assert found.geometry.iloc[0].distance(middle) < 200.0


def test_equipment_is_what_the_operator_has(area) -> None:
    cells = area.read("cells")
    operator = cells["operator"].iloc[0]
    known = siting_options.typical(cells, [operator, "nobody"], ["4G", "5G"])
    assert set(known) == {(operator, "4G")}
    own = cells[(cells["operator"] == operator) & (cells["technology"] == "4G")]
    item = known[operator, "4G"]
    same = own[own["frequency_mhz"] == item.values["frequency_mhz"]]
    assert len(same) == own.groupby("frequency_mhz").size().max()
    assert item.values["power_dbm"] == same["power_dbm"].median()
    hung = item.cells_at("M", 20.0)
    assert [cell["azimuth_deg"] for cell in hung] == [
        360.0 / item.sectors * number for number in range(item.sectors)
    ]
    cells_again = scenario_equipment.typical_cells(area, operator, ["4G"], 20.0)
    assert len(cells_again) == len(hung)
    with pytest.raises(InputError, match="has no 5G"):
        scenario_equipment.typical_cells(area, operator, ["5G"], 20.0)
    add = Change("add", {"mast_id": "NEW001"})
    assert scenario_equipment.free_mast_id(area, [add]) == "NEW002"


def test_the_claim_equals_a_computation_from_scratch(area, plan) -> None:
    row = plan.services.iloc[0]
    assert row["claimed"] == pytest.approx(row["recomputed"], rel=1e-9)
    assert plan.gain == pytest.approx(row["claimed"] - row["before"])
    assert plan.gain == pytest.approx(plan.choice.value)
    assert plan.gain > 0.0
    # Once more, in a workspace that shares nothing with the plan's.
    scenario = scenario_workspace.materialise(area, plan.changes)
    alone = area.folder.parent / "alone"
    layers = {"masts": scenario.read("masts"), "cells": scenario.read("cells")}
    result = run.compute(write_area(alone, small_area(), **layers), COVERAGE)
    demand = mast_coverage.demand(area, result.grid)
    covered = result.covered("4G").values.ravel()
    assert math.fsum(demand.people[covered]) == pytest.approx(row["claimed"], rel=1e-9)


def test_money_is_kept_and_counted_once(area, plan) -> None:
    assert plan.cost.typical <= 3.5e9
    assert plan.cost.typical == pytest.approx(plan.choice.cost)
    assert plan.cost.low <= plan.cost.typical <= plan.cost.high
    assert plan.choice.gap <= 0.01
    assert plan.chosen["cost_typical"].sum() == pytest.approx(plan.choice.cost)
    assert plan.chosen["gain"].sum() == pytest.approx(plan.gain)
    assert np.all(np.cumsum(plan.years.spent) <= 3.5e9 * np.arange(1, 4) / 3 * (1 + 1e-9))
    assert plan.curve["gain"].max() <= plan.reachable * (1 + 1e-9)
    new = plan.chosen["kind"] != "mast"
    assert (plan.chosen.loc[new, "fibre_cost"] > 0.0).all()
    assert (plan.chosen.loc[~new, "fibre_cost"] == 0.0).all()


def test_a_comparison_costs_what_the_plan_does(area, plan) -> None:
    assert (plan.chosen["fibre_cost"] > 0.0).any()
    found = scenario_compare.compare(area, [kept(1, list(plan.changes))], plan.request.coverage)
    costs = found.summary.loc[found.summary["scenario"] == 1, "cost_typical"]
    assert costs.to_numpy() == pytest.approx(plan.cost.typical)


def test_a_new_mast_is_nobodys_or_its_only_users(plan) -> None:
    for change in plan.changes:
        users = {cell["operator"] for cell in change.cells}
        if change.kind == "add":
            assert change.mast["owner"] == (users.pop() if len(users) == 1 else None)


def test_no_mast_carries_more_than_it_can_and_antennas_hang_apart(area) -> None:
    masts = area.read("masts").assign(shareable=True, max_tenants=2)
    crowded = write_area(area.folder.parent / "crowded", small_area(), masts=masts)
    found = siting.plan(crowded, asked(budget=1e11, goal="each"))
    after = scenario_workspace.materialise(crowded, found.changes).read("cells")
    cells = crowded.read("cells")
    before = cells.groupby("mast_id")["operator"].nunique()
    tenants = after.groupby("mast_id")["operator"].nunique()
    assert (tenants[before.index] <= np.maximum(2, before)).all()
    assert set(tenants.index) > set(before.index)
    for row in found.services.to_dict("records"):
        assert row["claimed"] == pytest.approx(row["recomputed"], rel=1e-9)
    assert len(found.services) == cells["operator"].nunique()
    there = set(zip(cells["mast_id"], cells["operator"], strict=True))
    beside = 0
    for (mast, operator), own in after.groupby(["mast_id", "operator"]):
        others = after[(after["mast_id"] == mast) & (after["operator"] != operator)]
        if (mast, operator) in there or others.empty:
            continue
        beside += 1
        gaps = own["antenna_height_m"].to_numpy()[:, None] - others["antenna_height_m"].to_numpy()
        assert np.abs(gaps).min() >= 3.0 - 1e-9
    assert beside > 1


def hung_on(area, sites, operators=("A", "B", "C", "D")):
    """Return what operators could hang on candidates: a 4G sector each, C's twice as many."""
    own = area.read("cells").query("technology == '4G'").iloc[:1]
    model = siting_options.typical(own, [own["operator"].iloc[0]], ["4G"])
    (item,) = model.values()
    equipment = {
        (name, "4G"): siting_options.Equipment(name, "4G", item.values, 1 + (name == "C"), 1)
        for name in operators
    }
    prices, numbers = sharing_costs.prices(), siting_assumptions.assumptions()
    return siting_options.antennas(sites, area.read("cells"), equipment, prices, numbers)


def heights(own) -> dict[str, float]:
    found = {name: {cell["antenna_height_m"] for cell in cells} for name, cells in own.items()}
    assert all(len(values) == 1 for values in found.values())
    return {name: values.pop() for name, values in found.items()}


def test_who_is_new_on_a_mast_has_a_free_height_of_its_own(area) -> None:
    """As sharing counts free heights, by operator from the top; no two in each other's way."""
    masts = area.read("masts").assign(shareable=True, max_tenants=4, height_m=33.0)
    sites = candidates(area, most=1000).sites
    sites = sites[sites["kind"] == "mast"].assign(height_m=33.0, places=3, shareable=True)
    about = sharing_moves.inventory(masts, area.read("cells"), sharing_costs.prices(), 500.0)
    several = 0
    for site, own in zip(sites.itertuples(), hung_on(area, sites), strict=True):
        row = int(np.flatnonzero(masts["mast_id"] == site.mast_id)[0])
        come = sorted({"A", "B", "C", "D"} - about.tenants[row])
        at = heights(own)
        free = sharing_moves.free_heights_m(about, row)
        assert [at[name] for name in come if name in at] == free[: len(come)]
        several += len(come) > 1
    assert several == len(sites) > 0


def test_who_is_new_on_a_new_site_has_a_height_of_its_own(area) -> None:
    sites = candidates(area, most=1000).sites
    new = sites[sites["kind"] == "high_point"].iloc[[0, 0, 0]].assign(
        height_m=[36.0, 15.5, 8.0]
    )  # fmt: skip
    tall, low, tiny = (heights(own) for own in hung_on(area, new))
    assert tall == {"A": 35.0, "B": 32.0, "C": 29.0, "D": 26.0}
    # Antennas below 10 m are of no use; the first ones always find their place.
    assert low == {"A": 14.5, "B": 11.5}
    assert tiny == {"A": 7.0}
    # On a roof of 30 m stands a mast of 9 m: no antenna hangs within the building.
    (roof,) = hung_on(area, new.iloc[:1].assign(kind="roof", height_m=39.0))
    assert heights(roof) == {"A": 38.0, "B": 35.0, "C": 32.0}


def test_a_target_is_reached_at_least_cost(area, plan) -> None:
    wanted = float(plan.services["before_percent"].iloc[0]) + 10.0
    found = siting.plan(area, asked(target_percent=wanted))
    assert found.services["recomputed_percent"].iloc[0] >= wanted - 1e-6
    assert found.choice.bound <= found.choice.value
    assert found.cost.typical == pytest.approx(found.choice.value)
    cheaper = siting.plan(area, asked(budget=0.98 * found.choice.value))
    assert cheaper.services["claimed_percent"].iloc[0] < wanted


def test_what_cannot_be_asked_is_said(area) -> None:
    for wrong in (
        {},
        {"budget": 1.0, "target_percent": 5.0},
        {"budget": -1.0},
        {"target_percent": 101.0},
        {"budget": 1.0, "years": 0},
        {"budget": 1.0, "kinds": ("moon",)},
        {"budget": 1.0, "kinds": ()},
        {"budget": 1.0, "measure": "luck"},
        {"budget": 1.0, "most_candidates": 0},
    ):
        with pytest.raises(InputError):
            asked(**wrong)
    with pytest.raises(InputError, match="cannot be reached"):
        siting.plan(area, asked(target_percent=100.0, kinds=("mast",)))


def test_a_plan_on_a_scenario_builds_on_it(area) -> None:
    first = Change("remove", {"mast_id": area.read("masts")["mast_id"].iloc[0]})
    scenario = scenario_workspace.materialise(area, [first])
    found = siting.plan(scenario, asked(budget=2e9))
    assert found.changes[0] == first
    row = found.services.iloc[0]
    assert row["claimed"] == pytest.approx(row["recomputed"], rel=1e-9)


def test_without_fibre_backhaul_is_not_counted_and_said(tmp_path) -> None:
    layers = ("fibre_segments", "fibre_nodes", "roads")
    bare = write_area(tmp_path / "area", small_area(), without=layers)
    found = siting.plan(bare, asked(budget=2e9, kinds=("land",)))
    assert any("Backhaul is not counted" in str(note) for note in found.notes)
    assert (found.chosen["fibre_cost"] == 0.0).all()


def test_own_numbers_replace_single_rows(tmp_path) -> None:
    head = "name,low,typical,high,unit,verified,source\n"
    (tmp_path / "siting_assumptions.csv").write_text(
        head + "new_mast_height,50,50,50,m,yes,measured\n", encoding="utf-8"
    )
    found = siting_assumptions.assumptions(tmp_path)
    assert found["new_mast_height"] == 50.0
    assert found["road_near"] == siting_assumptions.assumptions()["road_near"]
    for row in ("moon,1,1,1,m,no,x", "road_near,0,0,0,m,no,x", "road_near,1,a,1,m,no,x"):
        (tmp_path / "siting_assumptions.csv").write_text(head + row + "\n", encoding="utf-8")
        with pytest.raises(InputError, match=r"siting_assumptions\.csv"):
            siting_assumptions.assumptions(tmp_path)


def test_demand_near_is_within_the_distance() -> None:
    grid = Grid("EPSG:32648", 0.0, 1000.0, 100.0, 10, 10)
    demand = np.zeros(100)
    demand[[0, 5]] = 3.0, 4.0
    sites = gpd.GeoDataFrame(geometry=gpd.points_from_xy([50.0, 560.0], [950.0, 950.0]))
    assert siting_candidates.demand_near(sites, demand, grid, 100.0).tolist() == [3.0, 4.0]
    assert siting_candidates.demand_near(sites, demand, grid, 600.0).tolist() == [7.0, 7.0]


def test_the_command_line(area, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    words = ["share", "optimise", "--workspace", str(area.folder), "--technology", "4g"]
    words += ["--radius-km", "4", "--candidates", "12", "--out", str(out)]
    assert main([*words, "--budget", "2e9", "--years", "2", "--scenario", "Trạm mới"]) == 0
    said = capsys.readouterr().out
    assert "computed anew" in said
    assert "Scenario 1: Trạm mới" in said
    assert {path.name for path in out.iterdir()} == {
        "siting.json",
        "siting.gpkg",
        "sites.csv",
        "curve.csv",
        "changes.json",
    }
    content = json.loads((out / "siting.json").read_text(encoding="utf-8"))
    assert content["services"][0]["claimed"] == pytest.approx(content["services"][0]["recomputed"])
    assert content["provenance"]["equipment"]
    assert len(gpd.read_file(out / "siting.gpkg", layer="sites")) == content["sites"]
    create = ["scenario", "create", "--workspace", str(area.folder), "--title", "again"]
    assert main([*create, "--changes", str(out / "changes.json")]) == 0
    assert main([*words, "--target-percent", "101"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert Workspace.open(area.folder).has("masts")
