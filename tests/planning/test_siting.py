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


def test_no_mast_carries_more_than_it_can(area) -> None:
    masts = area.read("masts").assign(shareable=True, max_tenants=2)
    crowded = write_area(area.folder.parent / "crowded", small_area(), masts=masts)
    found = siting.plan(crowded, asked(budget=1e11, goal="each", kinds=("mast",)))
    after = scenario_workspace.materialise(crowded, found.changes)
    tenants = after.read("cells").groupby("mast_id")["operator"].nunique()
    before = crowded.read("cells").groupby("mast_id")["operator"].nunique()
    assert (tenants <= np.maximum(2, before.reindex(tenants.index).fillna(0))).all()
    assert len(found.changes) > 0
    for row in found.services.to_dict("records"):
        assert row["claimed"] == pytest.approx(row["recomputed"], rel=1e-9)
    assert len(found.services) == crowded.read("cells")["operator"].nunique()


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
