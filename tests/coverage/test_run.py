"""From a workspace to figures: add-up, repeatability, awkward areas."""

import dataclasses
import json
import sqlite3
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import scipy.special

from coverage import percentages, products, results, run, technology
from coverage.request import read_clutter_height
from data.area import Provenance
from data.demo import generator
from data.errors import CancelledError, InputError
from data.grid import Raster
from data.store import Workspace
from tests.areas import small_area, write_area

REQUEST = run.CoverageRequest(radius_m=3000.0)


@pytest.fixture(scope="module")
def area() -> generator.GeneratedArea:
    return small_area()


@pytest.fixture(scope="module")
def workspace(area, tmp_path_factory) -> Workspace:
    return write_area(tmp_path_factory.mktemp("run") / "w", area)


@pytest.fixture(scope="module")
def result(workspace) -> results.CoverageResult:
    return run.compute(workspace, REQUEST)


def figure(result, level: str, service: str, measure: str, operator: str = "any"):
    table = result.figures
    return table[
        (table["level"] == level)
        & (table["service"] == service)
        & (table["measure"] == measure)
        & (table["operator"] == operator)
    ]


def test_communes_add_up_to_the_province(result) -> None:
    for service in ("2G", "3G", "4G", "3G_or_4G", "any"):
        for measure in ("area", "population", "village"):
            parts = figure(result, "commune", service, measure)
            whole = figure(result, "province", service, measure).iloc[0]
            assert parts["weight"].sum() == pytest.approx(whole["weight"], rel=1e-4)
            covered = (parts["weight"] * parts["share"]).sum()
            assert covered == pytest.approx(whole["weight"] * whole["share"], rel=1e-4, abs=1e-6)


def test_people_of_all_communes_are_those_of_the_raster(result, area) -> None:
    people = figure(result, "commune", "2G", "population")["weight"].sum()
    assert people == pytest.approx(np.nansum(area.population.values), rel=1e-3)


def test_the_share_is_that_of_the_pixels_over_the_threshold(result, workspace) -> None:
    """The covered area of the province by a plain sum over pixels whose centre lies in it."""
    threshold = technology.threshold_profiles()["outdoor"]["4G"]
    level = result.level("4G").values
    sigma = result.summary["provenance"]["uncertainty"]["location_sigma_db"]
    needed = threshold.threshold_dbm + scipy.special.ndtri(0.95) * np.mean(list(sigma.values()))
    zones = workspace.read("zones")
    outline = zones[zones["level"] == "province"].geometry.iloc[0]
    x, y = np.meshgrid(result.grid.x_centres(), result.grid.y_centres())
    inside = gpd.GeoSeries.from_xy(x.ravel(), y.ravel(), crs=zones.crs).within(outline)
    share = np.mean(np.nan_to_num(level, nan=-999.0).ravel()[inside.to_numpy()] >= needed)
    found = figure(result, "province", "4G", "area").iloc[0]["share"]
    assert 0.05 < share < 0.999  # a figure that could be wrong
    assert found == pytest.approx(share, abs=0.01)


def test_every_figure_lies_in_its_interval_and_unions_are_larger(result) -> None:
    table = result.figures.dropna(subset=["share"])
    assert (table["interval_low"] <= table["share"] + 1e-12).all()
    assert (table["share"] <= table["interval_high"] + 1e-12).all()
    assert table["share"].between(0, 1).all()
    for measure in ("area", "population"):
        union = figure(result, "commune", "3G_or_4G", measure)["share"].to_numpy()
        for member in ("3G", "4G"):
            assert (union >= figure(result, "commune", member, measure)["share"].to_numpy()).all()
        anyone = figure(result, "commune", "4G", measure)["share"].to_numpy()
        for operator in "ABC":
            own = figure(result, "commune", "4G", measure, operator)["share"].to_numpy()
            assert (anyone >= own).all()


def test_coverage_json_has_the_agreed_form(result, area) -> None:
    summary = json.loads((result.folder / "coverage.json").read_text(encoding="utf-8"))
    assert summary["area"] == "test"
    assert summary["model"] == "p1812"
    assert summary["resolution_m"] == 100.0
    assert summary["illustrative"] is True
    assert len(summary["zones"]) == len(area.zones)
    for zone in summary["zones"]:
        assert {"code", "name", "level", "2G", "3G", "4G"} <= set(zone)
        four_g = zone["4G"]
        assert four_g["threshold_dbm"] == -105.0
        assert four_g["probability"] == 0.95
        for measure in ("area", "population", "village"):
            low, high = four_g[f"{measure}_interval"]
            assert low <= four_g[f"{measure}_percent"] <= high
    provenance = summary["provenance"]
    assert set(provenance["inputs"]) >= {"zones", "masts", "cells", "terrain", "population"}
    assert provenance["thresholds"]["2G"]["source"]
    assert "Illustrative data" in provenance["notes"][0]["text"]


def test_the_json_and_the_table_say_the_same(result) -> None:
    for zone, entry in enumerate(result.summary["zones"]):
        rows = result.figures[
            (result.figures["zone"] == zone) & (result.figures["operator"] == "any")
        ]
        for row in rows.itertuples():
            assert entry[row.service][f"{row.measure}_percent"] == pytest.approx(
                100.0 * row.share, abs=0.001
            )


def test_computing_again_elsewhere_gives_identical_files(area, result, tmp_path) -> None:
    other = write_area(tmp_path / "other", area)
    again = run.compute(other, REQUEST, threads=1)
    assert again.figures.equals(result.figures)
    for name in ("2G", "4G"):
        assert np.array_equal(again.level(name).values, result.level(name).values, equal_nan=True)
    assert again.summary["zones"] == result.summary["zones"]
    assert again.summary["provenance"]["key"] == result.summary["provenance"]["key"]


def test_tiles_do_not_change_the_figures(area, result, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(run, "TILE_PIXELS", 25)
    tiled = run.compute(write_area(tmp_path / "tiled", area), REQUEST)
    numbers = ["share", "expected", "model_low", "model_high", "weight"]
    assert np.allclose(tiled.figures[numbers], result.figures[numbers], rtol=1e-6, equal_nan=True)
    # Neighbours across a tile's edge are not counted, so fading may differ a little.
    wide = ["interval_low", "interval_high"]
    assert np.allclose(tiled.figures[wide], result.figures[wide], atol=0.02, equal_nan=True)
    assert np.array_equal(tiled.level("3G").values, result.level("3G").values, equal_nan=True)


def test_a_second_question_is_answered_from_disk(workspace, result, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(run, "_compute_into", refuse)
    assert run.compute(workspace, REQUEST).folder == result.folder
    found = run.lookup(workspace, REQUEST)
    assert found is not None
    assert found.folder == result.folder
    assert run.lookup(workspace, run.CoverageRequest(radius_m=2500.0)) is None


def test_changed_inputs_make_a_new_result(area, tmp_path) -> None:
    workspace = write_area(tmp_path / "w", area)
    before = run.compute(workspace, REQUEST)
    cells = workspace.read("cells")
    cells["power_dbm"] -= 20.0
    workspace.write({"cells": cells}, {"cells": workspace.provenance()["cells"]})
    assert run.lookup(workspace, REQUEST) is None
    after = run.compute(workspace, REQUEST)
    worse = figure(after, "province", "4G", "area").iloc[0]["share"]
    assert worse < figure(before, "province", "4G", "area").iloc[0]["share"]


def test_a_cancel_leaves_nothing_behind(area, tmp_path) -> None:
    workspace = write_area(tmp_path / "w", area)

    def cancel(share: float) -> None:
        if share > 0.3:
            raise CancelledError

    with pytest.raises(CancelledError):
        run.compute(workspace, REQUEST, on_progress=cancel)
    assert list((workspace.folder / "results").iterdir()) == []


def test_the_covered_raster_gives_the_figures(result, workspace) -> None:
    zones = workspace.read("zones")
    weights = percentages.zone_weights(zones, result.grid)
    for service in ("2G", "4G", "3G_or_4G", "any"):
        for operator in ("any", "B"):
            covered = result.covered(service, operator).values
            share = (weights.fraction @ covered.ravel()) / weights.fraction.sum(axis=1)
            expected = result.figures[
                (result.figures["service"] == service)
                & (result.figures["operator"] == operator)
                & (result.figures["measure"] == "area")
            ]["share"]
            assert share == pytest.approx(expected.to_numpy(), abs=1e-9), (service, operator)


def test_rasters_are_cloud_optimised_and_lie_on_the_grid(result) -> None:
    with rasterio.open(result.folder / "4G.tif") as source:
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert source.descriptions == ("any", "A", "B", "C")
        assert source.transform == result.grid.transform
    level, server = result.level("4G").values, result.server("4G").values
    assert np.array_equal(np.isnan(level), server == -1)


def test_the_files_for_other_programs_hold_the_figures(result, tmp_path) -> None:
    out = results.save(result, tmp_path / "out")
    table = pd.read_csv(out / "communes.csv", dtype={"code": str})
    communes = gpd.read_file(out / "communes.gpkg", layer="communes")
    wanted = figure(result, "commune", "2G", "area")["share"].to_numpy() * 100.0
    assert table["2G_area_percent"].to_numpy() == pytest.approx(wanted, abs=0.001)
    assert communes["2G_area_percent"].to_numpy() == pytest.approx(wanted, abs=0.001)
    assert communes.crs.to_epsg() == 32648
    for name, kind in (("low", "interval_low"), ("high", "interval_high")):
        bound = figure(result, "commune", "2G", "area")[kind].to_numpy() * 100.0
        assert table[f"2G_area_{name}"].to_numpy() == pytest.approx(bound, abs=0.001)
    assert results.load(out).figures.equals(result.figures)


def test_zones_of_several_years_are_told_apart_by_their_first_day(area, tmp_path) -> None:
    """The communes once more as one older commune, under a code that is used again."""
    communes = area.zones[area.zones["level"] == "commune"]
    old = communes.iloc[:1].assign(
        name="Xã Cũ", valid_from="2020-01-01", valid_to="2025-06-30", geometry=communes.union_all()
    )
    zones = gpd.GeoDataFrame(pd.concat([old, area.zones], ignore_index=True), crs=area.zones.crs)
    workspace = write_area(tmp_path / "w", area, zones=zones)
    found = run.compute(workspace, REQUEST)
    code = old["code"].iloc[0]
    same = [entry for entry in found.summary["zones"] if entry["code"] == code]
    assert [entry["valid_from"] for entry in same] == ["2020-01-01", "2025-07-01"]
    assert same[0]["2G"]["area_percent"] != same[1]["2G"]["area_percent"]
    rows = found.figures[(found.figures["code"] == code) & (found.figures["measure"] == "area")]
    assert set(rows.groupby("zone")["valid_from"].first()) == {"2020-01-01", "2025-07-01"}
    # The whole is counted alike from either.
    whole = figure(found, "province", "2G", "area").iloc[0]
    older = rows[(rows["valid_from"] == "2020-01-01") & (rows["service"] == "2G")]
    assert older[older["operator"] == "any"]["share"].item() == pytest.approx(
        whole["share"], abs=1e-6
    )
    # Other programs get the communes of one time, and all zones in another layer.
    table = pd.read_csv(found.folder / "communes.csv", dtype={"code": str})
    assert table["code"].tolist() == communes["code"].tolist()
    assert len(gpd.read_file(found.folder / "communes.gpkg", layer="zones")) == len(zones)
    made = products.make(workspace, found)
    assert set(made.switch_off.by_zone["valid_from"]) == {"2020-01-01", "2025-07-01"}
    regions = made.switch_off.regions
    assert "Xã Cũ" not in set(regions["zone_name"])


def test_no_masts_are_nought_percent_and_not_an_error(area, tmp_path) -> None:
    workspace = write_area(
        tmp_path / "w", area, masts=area.masts.iloc[:0], cells=area.cells.iloc[:0]
    )
    result = run.compute(workspace, REQUEST)
    assert set(result.figures["share"].dropna()) == {0.0}
    assert np.isnan(result.level("4G").values).all()
    zone = result.summary["zones"][0]
    assert zone["2G"]["area_percent"] == 0.0
    assert zone["2G"]["area_interval"] == [0.0, 0.0]


def test_layers_of_masts_and_cells_that_are_absent_are_nought_percent(area, tmp_path) -> None:
    for name, without in (("a", ("masts", "cells")), ("b", ("cells",))):
        result = run.compute(write_area(tmp_path / name, area, without=without), REQUEST)
        assert set(result.figures["share"].dropna()) == {0.0}


def test_the_profile_is_as_fine_as_the_data_whatever_the_pixels(workspace) -> None:
    steps = {
        pixel: run.make_plan(
            workspace, run.CoverageRequest(resolution_m=pixel)
        ).settings.profile_step_m
        for pixel in (30.0, 60.0, 100.0, 400.0)
    }
    # The rasters of the area have pixels of 50 m.
    assert steps == pytest.approx({30.0: 20.0, 60.0: 40.0, 100.0: 50.0, 400.0: 50.0})


def test_a_commune_without_people_has_an_area_figure_only(area, tmp_path) -> None:
    people = area.population.values.copy()
    zones = area.zones
    empty = zones[zones["level"] == "commune"].iloc[0]
    x, y = np.meshgrid(area.population.grid.x_centres(), area.population.grid.y_centres())
    near = gpd.GeoSeries.from_xy(x.ravel(), y.ravel(), crs=zones.crs).within(
        empty.geometry.buffer(300.0)
    )
    people[near.to_numpy().reshape(people.shape)] = 0.0
    workspace = write_area(tmp_path / "w", area, population=Raster(area.population.grid, people))
    result = run.compute(workspace, REQUEST)
    entry = next(zone for zone in result.summary["zones"] if zone["code"] == empty["code"])
    assert entry["2G"]["population_percent"] is None
    assert entry["2G"]["area_percent"] is not None


def test_without_population_and_villages_only_area_is_claimed(area, tmp_path) -> None:
    workspace = write_area(tmp_path / "w", area, without=("population", "villages", "clutter"))
    result = run.compute(workspace, REQUEST)
    zone = result.summary["zones"][0]
    assert zone["2G"]["population_percent"] is None
    assert "village_percent" not in zone["2G"]
    said = " ".join(note["text"] for note in result.summary["provenance"]["notes"])
    assert "no population raster" in said
    assert "no clutter raster" in said


def test_building_heights_count_in_place_of_the_class(area, workspace, result, tmp_path) -> None:
    whole = run.make_plan(workspace, REQUEST)
    grid = area.clutter.grid
    tall = np.full(grid.shape, np.nan, np.float32)
    tall[10:20, 10:20] = 40.0
    tall[30:40, 30:40] = 0.0
    built = write_area(tmp_path / "w", area)
    built.write_raster("building_height", Raster(grid, tall), Provenance("test"))
    before = read_clutter_height(workspace, grid.bounds)
    after = read_clutter_height(built, grid.bounds)
    assert before is not None
    assert after is not None
    assert (after.values[10:20, 10:20] == 40.0).all()
    expected = before.values.copy()
    expected[10:20, 10:20] = 40.0
    assert np.array_equal(after.values, expected)
    assert run.make_plan(built, REQUEST).key != whole.key


def hole(raster: Raster, share: float) -> Raster:
    values = raster.values.copy()
    values[:, : int(values.shape[1] * share)] = np.nan
    return Raster(raster.grid, values)


def test_terrain_over_part_of_the_area_is_said_and_not_guessed(area, result, tmp_path) -> None:
    workspace = write_area(tmp_path / "w", area, terrain=hole(area.terrain, 0.5))
    partial = run.compute(workspace, REQUEST)
    said = " ".join(note["text"] for note in partial.summary["provenance"]["notes"])
    assert "Terrain is unknown on" in said
    assert "Masts left out because the terrain does not cover them" in said
    columns = partial.grid.width // 4
    assert np.isnan(partial.level("2G").values[:, :columns]).all()
    whole = figure(result, "province", "2G", "area").iloc[0]["share"]
    assert figure(partial, "province", "2G", "area").iloc[0]["share"] < whole


def test_terrain_that_misses_the_area_is_an_error(area, tmp_path) -> None:
    grid = dataclasses.replace(area.terrain.grid, x_min=area.terrain.grid.x_min + 100_000.0)
    workspace = write_area(tmp_path / "w", area, terrain=Raster(grid, area.terrain.values))
    with pytest.raises(InputError, match="does not cover the study area"):
        run.compute(workspace, REQUEST)
    assert list((workspace.folder / "results").iterdir()) == []


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (run.CoverageRequest(technologies=("6G",)), "Technology 6G is not known"),
        (run.CoverageRequest(technologies=()), "No technology"),
        (run.CoverageRequest(model="magic"), "magic"),
        (run.CoverageRequest(operators=("Z",)), "Operator Z has no cells here"),
        (run.CoverageRequest(threshold_profile="mars"), "Threshold profile mars is not known"),
        (run.CoverageRequest(probability=95.0), "probability is 95"),
        (run.CoverageRequest(resolution_m=-5.0), "resolution is -5"),
        (run.CoverageRequest(radius_m=0.0), "radius_m is 0"),
        (run.CoverageRequest(time_percent=80.0), "time_percent is 80"),
        (run.CoverageRequest(threshold_profile="bnetza", technologies=("5G",)), "no threshold"),
    ],
)
def test_a_request_that_cannot_be_met_says_why(workspace, request_, said) -> None:
    with pytest.raises(InputError, match=said):
        run.compute(workspace, request_)


def test_one_operator_alone_is_its_own_union(workspace, result) -> None:
    alone = run.compute(workspace, run.CoverageRequest(radius_m=3000.0, operators=("B",)))
    own = figure(result, "commune", "3G", "area", "B")["share"].to_numpy()
    assert figure(alone, "commune", "3G", "area")["share"].to_numpy() == pytest.approx(own)


def test_the_database_is_not_changed_by_computing(workspace, result) -> None:
    database = next(Path(workspace.folder).glob("*.gpkg"))
    before = database.read_bytes()
    run.compute(workspace, run.CoverageRequest(radius_m=1500.0, technologies=("2G",)))
    assert database.read_bytes() == before
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
