"""What is wrong across the layers of a workspace is found; what is right is left alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import Point, box

from data import check
from data.errors import Problem
from data.grid import Grid, Raster
from data.store import Workspace
from tests.data import samples
from tests.data.samples import CRS, REAL, X, Y


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return samples.workspace(tmp_path / "w")


def only(workspace: Workspace) -> Problem:
    problems = check.check(workspace)
    assert len(problems) == 1, [str(problem) for problem in problems]
    return problems[0]


def test_nothing_is_wrong_with_a_sound_workspace(workspace: Workspace) -> None:
    seen: list[float] = []
    assert check.check(workspace, on_progress=seen.append) == []
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_an_empty_workspace_lacks_everything(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "w", samples.AREA)
    problems = check.check(workspace)
    severity = {problem.layer: problem.severity for problem in problems}
    assert severity == {
        "zones": "error",
        "terrain": "error",
        "masts": "warning",
        "cells": "warning",
        "population": "warning",
        "clutter": "warning",
    }
    assert [problem.severity for problem in problems[:2]] == ["error", "error"]


def test_no_masts_at_all_is_a_warning(workspace: Workspace) -> None:
    masts, cells = samples.masts().iloc[:0], samples.cells().iloc[:0]
    workspace.write({"masts": masts, "cells": cells}, {"masts": REAL, "cells": REAL})
    problems = check.check(workspace)
    assert [(problem.layer, problem.severity) for problem in problems] == [
        ("masts", "warning"),
        ("cells", "warning"),
    ]
    assert "the layer has no rows" in str(problems[0])


def test_edits_made_elsewhere_are_checked_row_by_row(workspace: Workspace) -> None:
    with sqlite3.connect(workspace.folder / "workspace.gpkg") as connection:
        connection.execute("UPDATE cells SET technology = '6G' WHERE cell_id = 'C4'")
        connection.execute("UPDATE cells SET mast_id = 'M8' WHERE cell_id = 'C1'")
    connection.close()
    problems = check.check(workspace)
    assert [(p.layer, p.row, p.column, p.severity) for p in problems] == [
        ("cells", 2, "mast_id", "error"),
        ("cells", 5, "technology", "error"),
    ]


def test_a_mast_outside_and_one_without_cells(workspace: Workspace) -> None:
    masts = pd.concat([samples.masts(), samples.masts(4).iloc[3:]], ignore_index=True)
    masts.loc[3, "geometry"] = Point(X - 2_000, Y)
    workspace.write({"masts": gpd.GeoDataFrame(masts, crs=CRS)}, {"masts": REAL})
    outside, idle = check.check(workspace)
    assert (outside.row, outside.severity) == (4, "warning")
    assert "1 existing masts, such as M3, carry no cell" in str(idle)


def test_gaps_between_zones(workspace: Workspace) -> None:
    zones = samples.zones()
    zones.loc[2, "geometry"] = box(X + 5_500, Y, X + 10_000, Y + 5_000)
    workspace.write({"zones": zones}, {"zones": REAL})
    problems = [p for p in check.check(workspace) if p.layer == "zones"]
    assert len(problems) == 1
    assert "2.5 km² of the zone 35 is in none of the 2 zones in it" in str(problems[0])
    assert problems[0].severity == "warning"


def test_a_hole_between_zones_without_a_parent(workspace: Workspace) -> None:
    zones = samples.zones().iloc[1:].assign(parent_code=None, population=[1500.0, 1500.0])
    hole = box(X + 4_000, Y + 1_000, X + 5_000, Y + 2_000)
    zones["geometry"] = zones.geometry.difference(hole)
    assert zones.geometry.area.sum() == 49e6
    workspace.write({"zones": zones}, {"zones": REAL})
    said = [str(p) for p in check.check(workspace) if p.layer == "zones"]
    assert said == [
        "zones: there are holes of 1 km² between the zones (expected zones without gaps)"
    ]


def test_zones_of_other_times_do_not_fill_gaps_nor_count_twice(workspace: Workspace) -> None:
    zones = samples.zones().assign(valid_from=None, valid_to=None)
    old = zones.iloc[1:].assign(valid_from="2020-01-01", valid_to="2025-06-30")
    new = zones.iloc[1:].assign(valid_from="2025-07-01")
    both = gpd.GeoDataFrame(pd.concat([zones.iloc[:1], old, new], ignore_index=True), crs=CRS)
    workspace.write({"zones": both}, {"zones": REAL})
    assert check.check(workspace) == []
    both.loc[4, "geometry"] = box(X + 5_500, Y, X + 10_000, Y + 5_000)
    workspace.write({"zones": both}, {"zones": REAL})
    said = [str(p) for p in check.check(workspace) if p.layer == "zones"]
    assert len(said) == 1
    assert "2.5 km² of the zone 35 is in none of the 2 zones in it" in said[0]


def test_a_zone_that_leaves_the_one_it_belongs_to(workspace: Workspace) -> None:
    zones = samples.zones()
    zones.loc[2, "geometry"] = box(X + 5_000, Y, X + 12_500, Y + 5_000)
    workspace.write({"zones": zones}, {"zones": REAL})
    said = [str(p) for p in check.check(workspace) if p.layer == "zones"]
    assert len(said) == 1
    assert "row 3" in said[0]
    assert "33.3 % of the zone 102 is outside the zone 35" in said[0]


def test_overlapping_zones(workspace: Workspace) -> None:
    zones = samples.zones()
    zones.loc[2, "geometry"] = box(X + 4_000, Y, X + 10_000, Y + 5_000)
    workspace.write({"zones": zones}, {"zones": REAL})
    said = [str(p) for p in check.check(workspace) if p.layer == "zones"]
    assert len(said) == 1
    assert "overlaps 101 by 5 km²" in said[0]


def test_communes_without_population(workspace: Workspace) -> None:
    zones = samples.zones()
    zones.loc[2, "population"] = np.nan
    workspace.write({"zones": zones}, {"zones": REAL})
    problem = only(workspace)
    assert (problem.row, problem.column, problem.severity) == (3, "population", "warning")
    zones["population"] = np.nan
    workspace.write({"zones": zones}, {"zones": REAL})
    assert only(workspace).row is None


def test_population_raster_and_table_differ(workspace: Workspace) -> None:
    workspace.write_raster("population", samples.raster(0.5), REAL)
    problems = check.check(workspace)
    assert [problem.layer for problem in problems] == ["population", "population"]
    assert "the raster has 2,500 people in the zones of level province, their table 3,000" in str(
        problems[0]
    )


def test_villages_in_the_wrong_place(workspace: Workspace) -> None:
    villages = samples.villages()
    villages.loc[0, "geometry"] = Point(X - 10, Y)
    villages.loc[1, "zone_code"] = "999"
    workspace.write({"villages": villages}, {"villages": REAL})
    found = [(p.layer, p.row, p.column) for p in check.check(workspace)]
    assert found == [("villages", 2, "zone_code"), ("villages", 1, "geometry")]


def terrain(x_min: float, width: int, hole: bool = False) -> Raster:
    frame = Grid(CRS, x_min, Y + 6_000, 50.0, width, 140)
    values = np.ones(frame.shape, np.float32)
    if hole:
        values[40:60, 40:90] = np.nan
    return Raster(frame, values)


def test_terrain_that_covers_the_area_partly_or_not_at_all(workspace: Workspace) -> None:
    workspace.write_raster("terrain", terrain(X, 150), REAL)
    problem = only(workspace)
    assert (problem.layer, problem.severity) == ("terrain", "warning")
    assert "25 % of the study area lies beyond the raster" in str(problem)
    workspace.write_raster("terrain", terrain(X + 90_000, 150), REAL)
    problem = only(workspace)
    assert problem.severity == "error"
    assert "lies wholly outside the study area" in str(problem)


def test_terrain_with_a_hole(workspace: Workspace) -> None:
    # 2.5 km x 1 km of 50 km²
    workspace.write_raster("terrain", terrain(X - 500, 300, hole=True), REAL)
    problem = only(workspace)
    assert problem.severity == "warning"
    share = float(str(problem).split("terrain: ")[1].split(" %")[0])
    assert share == pytest.approx(5.0, abs=0.15)
    assert "holes in the raster" in str(problem)


def test_terrain_without_data_in_the_area(workspace: Workspace) -> None:
    frame = samples.grid(100.0, 2_000.0)
    values = np.full(frame.shape, np.nan, np.float32)
    values[:5, :5] = 1.0
    workspace.write_raster("terrain", Raster(frame, values), REAL)
    problem = only(workspace)
    assert problem.severity == "error"
    assert "no data in the study area" in str(problem)


def test_describe_lists_everything_with_its_source(workspace: Workspace) -> None:
    found = {info.name: info for info in check.describe(workspace)}
    assert list(found) == [*workspace.layers(), *workspace.rasters()]
    assert (found["cells"].kind, found["cells"].size, found["cells"].crs) == ("table", "6", "")
    assert (found["masts"].kind, found["masts"].crs) == ("layer", CRS)
    assert found["population"].size == "100 x 50"
    assert "Sở Thông tin; 2026; CC BY 4.0" in str(found["masts"])
    workspace.write({"roads": samples.roads()}, {"roads": samples.MADE_UP})
    assert "[illustrative]" in str(check.describe(workspace)[4])
