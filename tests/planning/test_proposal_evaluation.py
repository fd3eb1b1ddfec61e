"""What a site brings, against the same network computed from scratch."""

from __future__ import annotations

import json
from dataclasses import asdict

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from coverage import whatif
from data.errors import InputError
from planning import proposal_evaluation as evaluation
from planning import (
    scenario_costs,
    scenario_network,
    sharing_costs,
    site_antennas,
    site_checks,
    site_request,
    siting_backhaul,
)
from planning.proposal_costs import SiteCosts
from planning.proposal_figures import gained, key_of, sentence
from planning.scenario_network import Change
from tests.areas import small_area, write_area

OPERATOR = "A"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    area = small_area(n_masts=4)
    zones = area.layers["zones"]
    x, y = zones.geometry.union_all().centroid.coords[0]
    places = gpd.GeoDataFrame(
        {
            "poi_id": ["s1", "s2"],
            "kind": ["school", "hospital"],
            "name": ["Trường <b>A</b>", None],
            "operator": [None, None],
        },
        geometry=[shapely.Point(x + 100.0, y), shapely.Point(x, y + 250.0)],
        crs=zones.crs,
    )
    return write_area(tmp_path_factory.mktemp("evaluation") / "w", area, points_of_interest=places)


@pytest.fixture(scope="module")
def evaluator(workspace):
    return evaluation.Evaluator(workspace)


@pytest.fixture(scope="module")
def place(workspace) -> tuple[float, float]:
    centre = workspace.read("zones").geometry.union_all().centroid
    point = gpd.GeoSeries([centre], crs=workspace.area.crs).to_crs("EPSG:4326").iloc[0]
    return point.x, point.y


def site(place, **changes):
    given = {
        "reference": "P1",
        "lon": place[0],
        "lat": place[1],
        "mast_class": "A2b",
        "height_m": 42.0,
        "technologies": "2G;4G",
    }
    return site_request.checked(given | changes)


@pytest.fixture(scope="module")
def found(evaluator, place):
    return evaluator.evaluate(site(place), OPERATOR)


def from_scratch(workspace, made, change: Change, tmp_path):
    """Return the figures of the present and of the changed network, each computed anew."""
    masts, cells = scenario_network.network(workspace, [change])
    area = small_area(n_masts=4)
    fresh = write_area(tmp_path / "fresh", area, masts=masts, cells=cells)
    request = evaluation.default_request(workspace, site_request.checked(made.inputs["site"]))
    return [whatif.LiveNetwork(each, request) for each in (workspace, fresh)]


def test_the_gain_is_that_of_a_computation_from_scratch(workspace, found, place, tmp_path) -> None:
    change = site_request.change(site(place), "X", OPERATOR, found.result["cells"])
    before, after = from_scratch(workspace, found, change, tmp_path)
    keys = ["code", "service", "operator", "measure"]
    both = after.figures().merge(before.figures(), on=keys, suffixes=("", "_before"))
    both["gain"] = both["weight"] * (both["share"] - both["share_before"])
    told = {(r["code"], r["service"], r["operator"]): r for r in found.result["gains"]}
    assert told
    checked = 0
    for row in both[both["level"] == "commune"].itertuples():
        names = {"area": "area_km2", "population": "people"}
        if row.measure not in names:
            continue
        said = told.get((row.code, row.service, row.operator), {}).get(names[row.measure], 0.0)
        assert said == pytest.approx(row.gain, abs=1e-5)
        checked += 1
    assert checked > 20
    # The sums are those of the communes, and somebody gains.
    for total in found.result["totals"]:
        rows = [
            row for key, row in told.items() if key[1:] == (total["service"], total["operator"])
        ]
        assert total["area_km2"] == pytest.approx(sum(row["area_km2"] for row in rows), abs=1e-5)
    own = [r for r in found.result["totals"] if (r["service"], r["operator"]) == ("4G", OPERATOR)]
    assert own[0]["area_km2"] > 0.5
    # Where: the pixels that the two networks differ in.
    old, new = before.covered(), after.covered()
    grid = before.levels.grid
    for service, operator in (("2G", OPERATOR), ("4G", OPERATOR), ("4G", "any")):
        difference = new[service, operator] & ~old[service, operator]
        where = gained(found.result, service, operator)
        assert (where is None) == (not difference.any())
        if where is not None:
            part, flags = where
            assert flags.sum() == difference.sum()
            row = round((grid.y_max - part.y_max) / grid.resolution_m)
            column = round((part.x_min - grid.x_min) / grid.resolution_m)
            window = difference[row : row + part.height, column : column + part.width]
            assert np.array_equal(window, flags)


def test_the_same_question_gets_the_same_answer(evaluator, found, place) -> None:
    evaluator.evaluate(site(place, technologies="4G", height_m=30.0), OPERATOR)
    again = evaluator.evaluate(site(place), OPERATOR)
    assert again == found
    assert json.loads(json.dumps(again.result)) == again.result
    assert key_of(again.inputs) == again.key


def test_another_input_makes_it_out_of_date(workspace, found, place) -> None:
    def key(**changes) -> str:
        return key_of(evaluation.inputs_of(workspace, site(place, **changes), OPERATOR))

    assert key() == found.key
    assert key(height_m=43.0) != found.key
    assert key_of(evaluation.inputs_of(workspace, site(place), "B")) != found.key
    rules = workspace.folder / "site_rules.csv"
    costs = workspace.folder / "unit_costs.csv"
    for path in (rules, costs):
        path.write_text("x", "utf-8")
        assert key() != found.key
        path.unlink()
    assert key() == found.key


def test_an_operator_without_cells_gets_typical_ones(evaluator, place) -> None:
    made = evaluator.evaluate(site(place, technologies="5G"), "New")
    assert {cell["technology"] for cell in made.result["cells"]} == {"5G"}
    total = {(r["service"], r["operator"]): r["area_km2"] for r in made.result["totals"]}
    assert total["5G", "New"] > 0.0
    assert total["5G", "New"] == total["5G", "any"]
    assert total["4G", "any"] == 0.0


def test_own_cells_count_in_place_of_typical_ones(evaluator, found, place) -> None:
    cells = [dict(cell, power_dbm=10.0) for cell in found.result["cells"]]
    weak = evaluator.evaluate(site(place, cells=cells), OPERATOR)
    area = [
        sum(row["area_km2"] for row in made.result["totals"] if row["service"] == "4G")
        for made in (weak, found)
    ]
    assert area[0] < area[1]
    assert weak.result["exposure"]["distance_m"] < 0.1 * found.result["exposure"]["distance_m"]


def test_typical_cells_are_like_the_operators_others(workspace, found) -> None:
    cells = workspace.read("cells")
    own = cells[(cells["operator"] == OPERATOR) & (cells["technology"] == "4G")]
    made = [cell for cell in found.result["cells"] if cell["technology"] == "4G"]
    assert {cell["frequency_mhz"] for cell in made} == {own["frequency_mhz"].mode().iloc[0]}
    azimuths = [cell["azimuth_deg"] for cell in made]
    assert azimuths == sorted(azimuths)
    assert {cell["antenna_height_m"] for cell in made} == {41.0}


def test_masts_to_share_are_compared_with_the_site(workspace, evaluator, found, tmp_path) -> None:
    others = found.result["alternatives"]
    assert others
    assert [o["distance_m"] for o in others] == sorted(o["distance_m"] for o in others)
    masts = workspace.read("masts").set_index("mast_id")
    for other in others:
        mast = masts.loc[other["mast_id"]]
        assert mast["shareable"] or mast["owner"] == OPERATOR
        assert (other["saving"] is not None) == other["has_room"]
    # What the nearest one gives, and saves, is what proposing to share it gives and costs.
    first = next(other for other in others if other["has_room"])
    made = evaluator.evaluate(share(first), OPERATOR)
    assert made.result["totals"] == first["totals"]
    assert made.result["alternatives"] == []
    assert "mast" not in made.result["cost"]["items"]
    whole, part = found.result["cost"], made.result["cost"]
    assert first["saving"]["typical"] == pytest.approx(
        whole["total"]["typical"] - part["total"]["typical"]
    )
    # The price of the equipment is not known, but it is the same on both masts.
    nothing = {"low": 0.0, "typical": 0.0, "high": 0.0}
    mine, theirs = (each["items"].get("equipment", nothing) for each in (whole, part))
    for level, worst in (("low", "high"), ("high", "low")):
        assert first["saving"][level] == pytest.approx(
            (whole["total"][level] - mine[level])
            - (part["total"][worst] - theirs[worst])
            + (mine[level] - theirs[level])
        )
    rules = {finding["rule"] for finding in made.result["findings"]}
    assert {"shareable", "room", "exposure"} <= rules
    assert "spacing" not in rules


def share(mast, **changes):
    given = {
        "reference": "S",
        "kind": "share",
        "mast_id": mast["mast_id"],
        "lon": mast["lon"],
        "lat": mast["lat"],
        "technologies": "2G;4G",
    }
    return site_request.checked(given | changes)


@pytest.mark.parametrize("technologies", ["4G", "2G;3G;4G"])
def test_a_site_costs_what_the_scenario_with_it_costs(
    workspace, evaluator, place, technologies
) -> None:
    wish = site(place, technologies=technologies)
    made = evaluator.evaluate(wish, OPERATOR).result
    change = site_request.change(wish, "X", OPERATOR, made["cells"])
    masts, cells = scenario_network.network(workspace, [change])
    prices = sharing_costs.prices(workspace.folder)
    before = (workspace.read("masts"), workspace.read("cells"))
    new = scenario_costs.newly_placed(before[0], masts)
    fibre, _ = siting_backhaul.costs(workspace, new.assign(candidate_id=new["mast_id"]))
    assert fibre[0] > 0.0
    expected = scenario_costs.between(before, (masts, cells), prices, {"X": float(fibre[0])})
    assert made["cost"]["total"] == pytest.approx(asdict(expected.once))
    assert made["cost"]["yearly"] == pytest.approx(asdict(expected.yearly))
    stations = technologies.count("G") * prices.units["base_station"].cost.typical
    assert made["cost"]["items"]["equipment"]["typical"] == pytest.approx(stations)
    assert made["cost"]["items"]["backhaul"]["typical"] == pytest.approx(float(fibre[0]))


def test_where_no_fibre_is_known_the_cost_says_so(place, tmp_path) -> None:
    bare = write_area(tmp_path / "bare", small_area(n_masts=2), without=("fibre_nodes",))
    change = site_request.change(site(place), "X", OPERATOR, [])
    cost = SiteCosts(bare).described(scenario_network.network(bare, [change]), [])["cost"]
    assert "backhaul" not in cost["items"]
    (note,) = cost["notes"]
    assert "Backhaul is not counted" in str(sentence(note))


def test_a_full_mast_saves_nothing_and_a_newcomer_strengthens(workspace, evaluator, place) -> None:
    wish = site(place, technologies="4G")
    result = evaluator.evaluate(wish, "Newcomer").result
    prices = sharing_costs.prices(workspace.folder)
    assert result["alternatives"]
    for other in result["alternatives"]:
        if not other["has_room"]:
            assert other["saving"] is None
            continue
        strength = prices.strengthening(other["mast_class"], other["height_m"])
        station = prices.units["base_station"].cost
        whole = result["cost"]["total"]["typical"]
        assert other["saving"]["typical"] == pytest.approx(
            whole - station.typical - strength.typical
        )


def test_antennas_of_a_newcomer_hang_at_a_free_height(workspace, evaluator) -> None:
    masts, cells = workspace.read("masts"), workspace.read("cells")
    mast = masts.loc[masts["height_m"].idxmax()]
    there = cells.loc[cells["mast_id"] == mast["mast_id"], "antenna_height_m"]
    assert len(there)
    point = {"mast_id": mast["mast_id"], "lon": 0.0, "lat": 0.0}
    made = evaluator.evaluate(share(point, technologies="4G"), "Newcomer").result
    space = sharing_costs.prices(workspace.folder).typical("antenna_spacing")
    for cell in made["cells"]:
        assert (there - cell["antenna_height_m"]).abs().min() >= space
        assert cell["antenna_height_m"] <= mast["height_m"]
    (finding,) = [f for f in made["findings"] if f["rule"] == "antenna_space"]
    assert finding["result"] == "met"
    # Where the carrier says where, it is compared.
    stated = [dict(cell, antenna_height_m=float(there.max()) + 0.5) for cell in made["cells"]]
    wish = share(point, cells=stated)
    kept = site_antennas.cells_of_site(workspace, wish, "Newcomer")
    assert {cell["antenna_height_m"] for cell in kept} == {there.max() + 0.5}
    assumed = sharing_costs.prices().assumptions["antenna_spacing"]
    on_mast = cells[cells["mast_id"] == mast["mast_id"]]
    near = site_antennas.nearest_to_others_m(on_mast, kept)
    (finding,) = site_checks.check_space(near, assumed)
    assert (finding.result, finding.measured, finding.limit) == ("not met", near, space)
    assert near == pytest.approx(0.5)
    # Further antennas of those who are there are nobody's concern.
    own = [dict(cell, operator=on_mast["operator"].iloc[0]) for cell in kept]
    assert site_checks.check_space(site_antennas.nearest_to_others_m(on_mast, own), assumed) == ()


HEIGHTS = st.lists(st.floats(0.0, 60.0), max_size=8)


@given(st.floats(5.0, 80.0), HEIGHTS, st.lists(st.floats(5.0, 80.0), min_size=1, max_size=3))
def test_nobody_hangs_in_anothers_way(height_m, taken, asked) -> None:
    prices = sharing_costs.prices()
    space = prices.typical("antenna_spacing")
    there = pd.DataFrame({"operator": "A", "antenna_height_m": taken})
    cells = [{"operator": f"N{k}", "antenna_height_m": each} for k, each in enumerate(asked)]
    hung = site_antennas.hung_on(height_m, there, cells, prices)
    if hung is None:
        return
    new = [cell["antenna_height_m"] for cell in hung]
    for number, one in enumerate(new):
        assert prices.typical("lowest_antenna") <= one <= height_m
        assert all(abs(one - other) >= space - 1e-3 for other in [*taken, *new[:number]])
    # Those who are there stay at their own height.
    if taken:
        own = {"operator": "A", "antenna_height_m": 1.0}
        (cell,) = site_antennas.hung_on(height_m, there, [own], prices)
        assert cell["antenna_height_m"] == pytest.approx(float(np.median(taken)))


def test_exposure_of_a_shared_mast_counts_what_hangs_there(workspace, evaluator) -> None:
    masts, cells = workspace.read("masts"), workspace.read("cells")
    name = masts["mast_id"].iloc[0]
    there = cells[cells["mast_id"] == name]
    request = site_request.checked(
        {"reference": "S", "kind": "share", "mast_id": name, "lon": 0, "lat": 0,
         "technologies": "4G"}
    )  # fmt: skip
    made = evaluator.evaluate(request, OPERATOR)
    new = pd.DataFrame(made.result["cells"])
    both = pd.concat([there, new])
    eirp_dbm = both["power_dbm"] + both["antenna_gain_dbi"] - both["feeder_loss_db"]
    watts = (10.0 ** (eirp_dbm / 10.0 - 3.0)).sum()
    assert made.result["exposure"]["distance_m"] == pytest.approx(
        float(np.sqrt(watts / (4 * np.pi * 2.0)))
    )


def test_public_places_near_are_named(found) -> None:
    (finding,) = [f for f in found.result["findings"] if f["rule"] == "sensitive"]
    text = str(sentence(finding["text"]))
    assert "Trường <b>A</b>, is 100 m away" in text
    assert "s2" in {each["name"] for each in found.result["place"]["places"]}


def test_what_cannot_be_is_said_and_the_network_stays_whole(evaluator, found, place) -> None:
    cell = {"technology": "4G", "frequency_mhz": 1800}
    for changes, said in (
        ({"lon": 100.0}, "lies outside the study area"),
        ({"kind": "share", "mast_id": "nowhere"}, "There is no mast nowhere"),
        ({"cells": [{"technology": "4G"}]}, "frequency_mhz"),
        ({"cells": [cell | {"colour": "red"}]}, "colour"),
    ):
        with pytest.raises(InputError, match=said):
            evaluator.evaluate(site(place, **changes), OPERATOR)
    assert evaluator.evaluate(site(place), OPERATOR) == found
