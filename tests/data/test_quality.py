"""The data-quality report: right about faults put in on purpose, and about the real Hà Nam."""

from __future__ import annotations

import json
import math
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import Point, box

from data import build, clutter_classes, quality
from data.grid import Raster
from data.quality_report import QualityReport, Tiling
from data.store import Provenance, Workspace
from tests.data import samples
from tests.data.samples import CRS, REAL, X, Y
from tests.vectors import shared_path


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return samples.workspace(tmp_path / "w")


def said(report: QualityReport) -> str:
    return str(report)


def tiling(report: QualityReport, level: str) -> Tiling:
    (found,) = (one for one in report.tilings if one.level == level)
    return found


# A sound area


def test_a_sound_area_is_said_to_be_sound(workspace: Workspace) -> None:
    seen: list[float] = []
    report = quality.assess(workspace, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert report.problems() == []
    assert [one.level for one in report.tilings] == ["province", "commune"]
    assert tiling(report, "commune").area_km2 == 50.0
    assert report.outlines == ()
    assert report.people_raster == (3000.0, 3000.0)
    text = said(report)
    assert "Communes and wards (2): 50.00 km², without gaps or overlaps" in text
    assert "No geometry is invalid" in text
    assert "Every raster covers the whole area" in text
    assert "Terrain in the area: 5 to 5 m, 0 pixels without a height, 0 below -5 m" in text


def test_an_empty_workspace_has_a_report(tmp_path: Path) -> None:
    report = quality.assess(Workspace.create(tmp_path / "w", samples.AREA))
    assert report.tilings == ()
    assert report.problems() == []
    assert said(report) == ""


def test_a_report_is_kept_until_the_content_changes(workspace: Workspace) -> None:
    assert quality.load(workspace) is None
    report = quality.assess(workspace, build={"notes": ["Tiếng Việt"], "kept": []})
    path = quality.save(workspace, report)
    assert path.name == "quality.json"
    assert quality.load(workspace) == report
    about = json.loads(path.read_text(encoding="utf-8"))
    assert about["tilings"][1]["zones"] == 2
    assert any("(2)" in line for line in about["said"])
    workspace.write({"villages": samples.villages().iloc[:1]}, {"villages": REAL})
    assert quality.load(workspace) is None
    # What the build did is still known.
    assert quality.assess(workspace).build == {"notes": ["Tiếng Việt"], "kept": []}
    path.write_text("{", encoding="utf-8")
    assert quality.load(workspace, current=False) is None


# Zones


def test_gaps_overlaps_and_slivers_are_measured(workspace: Workspace) -> None:
    whole = samples.zones().iloc[:1]
    communes = gpd.GeoDataFrame(
        {"code": list("abcd"), "name": list("abcd"), "level": "commune", "parent_code": "35"},
        geometry=[
            box(X, Y, X + 5_010, Y + 2_500),  # 10 m into b: a sliver of 2.5 km
            box(X + 5_000, Y, X + 10_000, Y + 2_500),
            box(X, Y + 2_500, X + 5_000, Y + 5_000),
            box(X + 5_000, Y + 2_500, X + 10_000, Y + 5_000).difference(
                box(X + 7_000, Y + 3_000, X + 8_000, Y + 4_000)  # a lake of nobody
            ),
        ],
        crs=CRS,
    )
    zones = gpd.GeoDataFrame(pd.concat([whole, communes], ignore_index=True), crs=CRS)
    workspace.write({"zones": zones}, {"zones": REAL})
    report = quality.assess(workspace)
    found = tiling(report, "commune")
    (gap,) = found.gaps
    assert gap.area_km2 == pytest.approx(1.0)
    assert gap.width_m == pytest.approx(500.0)
    assert not gap.sliver
    lon_lat = gpd.GeoSeries([Point(X + 7_500, Y + 3_500)], crs=CRS).to_crs(4326).iloc[0]
    assert (gap.lon, gap.lat) == pytest.approx((lon_lat.x, lon_lat.y), abs=0.006)
    (overlap,) = found.overlaps
    assert overlap.codes == ("a", "b")
    assert overlap.area_km2 == pytest.approx(0.025)
    assert overlap.width_m == pytest.approx(10.0, rel=0.01)
    assert overlap.sliver
    assert found.slivers == 1
    assert found.gap_km2 == pytest.approx(1.0)
    assert tiling(report, "province").gaps == ()
    text = said(report)
    assert "1 gaps of 1 km² and 1 overlaps of 0.025 km², 1 of them slivers" in text
    assert "a – b overlap by 0.025 km²" in text
    assert any("1 slivers between the zones" in str(one) for one in report.problems())


def test_zones_of_other_years_do_not_overlap(workspace: Workspace) -> None:
    zones = samples.zones()
    old = zones.iloc[1:].assign(
        code=["o1", "o2"],
        valid_from="2000-01-01",
        valid_to="2019-12-31",
        geometry=[
            box(X, Y, X + 3_000, Y + 5_000),
            box(X + 3_000, Y, X + 9_900, Y + 5_000),
        ],
    )
    new = zones.assign(valid_from=[None, "2020-01-01", "2020-01-01"])
    both = gpd.GeoDataFrame(pd.concat([new, old], ignore_index=True), crs=CRS)
    workspace.write({"zones": both}, {"zones": REAL})
    report = quality.assess(workspace)
    communes = [one for one in report.tilings if one.level == "commune"]
    assert len(communes) == 2
    assert all(one.gaps == () and one.overlaps == () for one in communes)
    # They do differ in their outline: a strip of 100 m by 5 km.
    assert {round(pair.difference_km2, 3) for pair in report.outlines} == {0.5}


def test_published_areas_are_compared(workspace: Workspace) -> None:
    zones = samples.zones().assign(area_km2_published=[50.0, 26.75, np.nan])
    workspace.write({"zones": zones}, {"zones": REAL})
    report = quality.assess(workspace)
    (column,) = report.areas
    assert (column.name, column.zones, column.code) == ("area_km2_published", 2, "101")
    assert column.largest_km2 == pytest.approx(1.75)
    assert "up to 1.75 km² (zone 101)" in said(report)


# People


def land_cover(water: object) -> Raster:
    frame = samples.grid(100.0)
    codes = np.full(frame.shape, clutter_classes.CROP, np.uint8)
    x, y = np.meshgrid(frame.x_centres(), frame.y_centres())
    codes[water(x, y)] = clutter_classes.WATER  # type: ignore[operator]
    return Raster(frame, codes)


def test_people_on_water_by_zone(workspace: Workspace) -> None:
    # A fifth of the eastern commune is a lake.
    cover = land_cover(lambda x, _y: x > X + 9_000)
    workspace.write_raster("clutter", cover, REAL)
    report = quality.assess(workspace)
    assert report.water is not None
    assert report.water.share == pytest.approx(0.1, abs=1e-6)
    assert report.water.people == pytest.approx(300.0, abs=0.1)
    (zone,) = report.water.zones
    assert zone.code == "102"
    assert zone.share == pytest.approx(0.2, abs=1e-6)
    assert "10.00 % of the people (300) live on water" in said(report)
    (problem,) = (one for one in report.problems() if one.layer == "population")
    assert "20.0 % of the people of the zone 102" in str(problem)


def test_land_cover_without_water_is_said_not_to_tell(workspace: Workspace) -> None:
    report = quality.assess(workspace)
    assert report.water is None
    assert "does not tell water apart" in said(report)


def test_zones_without_people_and_people_without_zones(workspace: Workspace) -> None:
    frame = samples.grid(100.0, 1_000.0)
    values = np.zeros(frame.shape, np.float32)
    x, _ = np.meshgrid(frame.x_centres(), frame.y_centres())
    values[x < X + 5_000] = 1.0
    workspace.write_raster("population", Raster(frame, values), REAL)
    report = quality.assess(workspace)
    assert report.empty_zones == ("102",)
    assert report.people_raster == (2500.0, 60.0 * 70.0)
    assert "2,500 people in the area and 1,700 outside all zones" in said(report)
    assert any("nobody lives in the zone 102" in str(one) for one in report.problems())


def test_totals_are_compared_with_the_raster(workspace: Workspace) -> None:
    zones = samples.zones().assign(population_census_2019=[3600.0, np.nan, np.nan])
    workspace.write(
        {"zones": zones, "offices": samples.offices()}, {"zones": REAL, "offices": REAL}
    )
    report = quality.assess(workspace)
    totals = {total.name: total for total in report.people}
    census = totals["zones.population_census_2019 (province)"]
    assert (census.people, census.raster) == (3600.0, pytest.approx(3000.0))
    assert census.ratio == pytest.approx(5 / 6)
    registered = totals["offices.population_registered"]
    assert (registered.zones, registered.people) == (1, 1200.0)
    assert registered.raster == pytest.approx(1500.0)
    assert "has 3,600 people, the raster 3,000 in the same zones (83.3 %)" in said(report)


# Masts


def test_masts_off_their_commune(workspace: Workspace) -> None:
    masts = samples.masts(6).assign(
        commune=["101", "Thi Sơn", "phường  Lê Hồng Phong", "Xã Thi Sơn", "Xã Cũ", None],
        geometry=[
            Point(X + 1_000, Y + 100),  # right
            Point(X + 4_000, Y + 100),  # 1 km off Thi Sơn
            Point(X + 1_500, Y + 100),  # right, by name
            Point(X - 500, Y + 100),  # outside all zones
            Point(X + 1_000, Y + 900),  # a name that is no zone's
            Point(X + 1_000, Y + 950),
        ],
    )
    workspace.write({"masts": masts}, {"masts": REAL})
    report = quality.assess(workspace)
    assert [(one.mast_id, one.said, one.found) for one in report.strayed] == [
        ("M3", "102", ""),
        ("M1", "102", "101"),
    ]
    assert report.strayed[1].distance_m == pytest.approx(1_000.0)
    assert report.masts_outside == 1
    text = said(report)
    assert "1 masts stand outside all zones" in text
    assert "mast M1 says 102 and lies in 101, 1,000 m away" in text
    assert sum(one.layer == "masts" for one in report.problems()) == 2


# Rasters


def test_heights_that_cannot_be(workspace: Workspace) -> None:
    frame = samples.grid(100.0, 2_000.0)
    values = np.full(frame.shape, 10.0, np.float32)
    inside = np.zeros(frame.shape, bool)
    inside[30:40, 30:40] = True
    values[inside] = -6.0
    values[50, 50:53] = 8_900.0
    values[55, 50:54] = np.nan
    workspace.write_raster("terrain", Raster(frame, values), REAL)
    report = quality.assess(workspace)
    assert report.heights is not None
    assert report.heights.lowest_m == -6.0
    assert report.heights.highest_m == 8_900.0
    assert (report.heights.below, report.heights.impossible, report.heights.holes) == (100, 3, 4)
    problems = [str(one) for one in report.problems()]
    assert any("3 pixels are higher or deeper than any ground on Earth" in one for one in problems)
    assert any("100 pixels lie below -5 m" in one for one in problems)


def test_a_raster_that_covers_the_area_in_part(workspace: Workspace) -> None:
    frame = samples.grid().window(0, 0, 50, 75)
    workspace.write_raster("population", Raster(frame, np.ones(frame.shape, np.float32)), REAL)
    report = quality.assess(workspace)
    cover = {one.name: one for one in report.covers}
    assert cover["population"].beyond == pytest.approx(0.25, abs=1e-3)
    assert cover["terrain"].beyond == 0.0
    assert "population: 25 % of the area lies beyond it, 0 % has no data" in said(report)


def test_data_of_far_apart_years_are_named(tmp_path: Path) -> None:
    old = Provenance("SRTM", "public domain", "February 2000", "x.tif", "00")
    workspace = samples.workspace(tmp_path / "w")
    workspace.write_raster("terrain", samples.raster(5.0, 100.0, 2_000.0), old)
    report = quality.assess(workspace)
    assert report.years["terrain"] == 2000
    assert report.years["zones"] == 2026
    assert "Data of 2000 (terrain) stand beside data of 2026" in said(report)
    (problem,) = report.problems()
    assert problem.layer == "terrain"
    assert problem.severity == "warning"


def test_generated_layers_have_no_year(tmp_path: Path) -> None:
    made = Provenance("generator", vintage="1990", illustrative=True)
    report = quality.assess(samples.workspace(tmp_path / "w", source=made))
    assert report.years == {}


# The real area


@pytest.fixture(scope="module")
def hanam(tmp_path_factory: pytest.TempPathFactory) -> QualityReport:
    folder = tmp_path_factory.mktemp("quality") / "hanam"
    workspace = build.build("hanam", folder, source_folder=shared_path("data"))
    report = quality.load(workspace)
    assert report is not None
    return report


def test_hanam_districts_tile_the_province_and_communes_leave_no_gap(hanam: QualityReport) -> None:
    districts = tiling(hanam, "district")
    assert (districts.zones, districts.valid_to) == (6, "2025-06-30")
    assert districts.area_km2 == pytest.approx(862.38, abs=0.3)
    communes = tiling(hanam, "commune")
    assert (communes.zones, communes.valid_from) == (33, "2025-07-01")
    assert communes.area_km2 == pytest.approx(861.80, abs=0.3)
    for one in (districts, communes):
        assert one.gap_km2 < 0.01
        assert one.overlap_km2 < 0.01
    assert all(count == 0 for count in hanam.invalid.values())


def test_hanam_outlines_of_2020_and_2025_differ(hanam: QualityReport) -> None:
    pairs = {(pair.first.split()[0], pair.second.split()[0]): pair for pair in hanam.outlines}
    assert pairs["district", "commune"].difference_km2 == pytest.approx(10.6, abs=0.1)
    assert ("province", "commune") not in pairs  # the province is their union


def test_hanam_published_areas_differ(hanam: QualityReport) -> None:
    (column,) = hanam.areas
    assert column.name == "area_km2_published"
    assert column.largest_km2 == pytest.approx(1.8, abs=0.1)


def test_hanam_population_is_low(hanam: QualityReport) -> None:
    assert hanam.people_raster is not None
    # 756,948 by the outline of 2020, which differs by 10.6 km².
    assert hanam.people_raster[0] == pytest.approx(756_948, rel=0.002)
    totals = {total.name: total for total in hanam.people}
    census = totals["zones.population_census_2019 (province)"]
    assert census.people == 852_800
    assert census.ratio == pytest.approx(0.888, abs=0.002)
    assert totals["offices.population_registered"].people == 1_019_377
    assert any("852,800" in str(problem) for problem in hanam.problems())
    assert hanam.empty_zones == ()


def test_hanam_terrain_has_no_voids_and_few_pits(hanam: QualityReport) -> None:
    terrain = hanam.build["terrain"]
    assert terrain["void_pixels_filled"] == 0
    assert terrain["voids_filled"] == []
    assert terrain["void_pixels_left"] == 0
    assert 0 < terrain["low_pixels_raised"] < 1000
    assert -65.0 <= terrain["lowest_m"] < -13.0  # the whole frame; Hà Nam has -13 m
    assert terrain["resolution_m"] == 90.0
    assert hanam.heights is not None
    assert hanam.heights.lowest_m == -5.0
    assert 400.0 < hanam.heights.highest_m <= 438.0
    assert (hanam.heights.holes, hanam.heights.below) == (0, 0)
    assert "No void in the terrain had to be filled" in said(hanam)


def test_hanam_rasters_cover_it_and_years_are_far_apart(hanam: QualityReport) -> None:
    assert all(one.beyond <= 1e-4 and one.holes == 0.0 for one in hanam.covers)
    assert {one.name for one in hanam.covers} >= {"terrain", "population", "population_earlier"}
    assert hanam.years["terrain"] == 2000
    assert hanam.years["population"] == 2020
    assert hanam.masts_outside == 0
    assert hanam.water is None
    assert any("is not used" in note for note in hanam.build["notes"])
    assert not math.isnan(hanam.people[0].ratio)
