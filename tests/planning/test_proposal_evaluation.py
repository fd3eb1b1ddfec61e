"""What a site brings, against the same network computed from scratch."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from coverage import whatif
from data.errors import InputError
from planning import proposal_evaluation as evaluation
from planning import scenario_network, site_request
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
        assert other["has_room"] == (len({*other["operators"], OPERATOR}) <= other["max_tenants"])
        assert other["saving"]["low"] <= other["saving"]["high"]
    # What the nearest one gives is what sharing it gives.
    first = others[0]
    shared = site_request.checked(
        {
            "reference": "S",
            "kind": "share",
            "mast_id": first["mast_id"],
            "lon": first["lon"],
            "lat": first["lat"],
            "cells": [
                {
                    **cell,
                    "antenna_height_m": min(cell["antenna_height_m"], first["height_m"] - 1.0),
                }
                for cell in found.result["cells"]
            ],
        }
    )
    made = evaluator.evaluate(shared, OPERATOR)
    assert made.result["totals"] == first["totals"]
    assert made.result["alternatives"] == []
    assert made.result["cost"]["mast"]["high"] == 0.0
    rules = {finding["rule"] for finding in made.result["findings"]}
    assert {"shareable", "room", "exposure"} <= rules
    assert "spacing" not in rules


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
