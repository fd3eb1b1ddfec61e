"""Local rules at many places at once: against single sites, and what siting makes of them."""

from __future__ import annotations

import json
import shutil

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from data.errors import InputError
from data.grid import Raster
from data.store import Provenance, Workspace
from planning import (
    sharing_costs,
    site_rules,
    site_zones,
    siting_assumptions,
    siting_candidates,
)
from planning.proposal_surroundings import look_around
from planning.site_request import SiteRequest
from planning.site_zones import SiteZone
from tests.areas import small_area, write_area


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Workspace:
    """A small area without areas of its own; not to be changed."""
    return write_area(tmp_path_factory.mktemp("zones") / "area", small_area())


@pytest.fixture
def area(plain, tmp_path) -> Workspace:
    """A copy."""
    shutil.copytree(plain.folder, tmp_path / "area")
    return Workspace.open(tmp_path / "area")


def put_areas(area: Workspace, *areas: tuple[str, str, shapely.Geometry]) -> None:
    """Write areas (zone, name, shape in the CRS of the area) as site_zones.geojson."""
    frame = gpd.GeoDataFrame(
        {"zone": [zone for zone, _, _ in areas], "name": [name for _, name, _ in areas]},
        geometry=[shape for _, _, shape in areas],
        crs=area.area.crs,
    )
    frame.to_crs("EPSG:4326").to_file(area.folder / "site_zones.geojson", driver="GeoJSON")


def everywhere(area: Workspace) -> shapely.Geometry:
    return shapely.box(*area.read("zones").total_bounds).buffer(500.0)


def half(area: Workspace) -> shapely.Geometry:
    """The western half."""
    x_min, y_min, x_max, y_max = area.read("zones").total_bounds
    return shapely.box(x_min - 500.0, y_min - 500.0, (x_min + x_max) / 2.0, y_max + 500.0)


def candidates(area: Workspace, **values):
    grid = area.analysis_grid(100.0)
    return siting_candidates.find(
        area,
        sharing_costs.prices(area.folder),
        siting_assumptions.assumptions(area.folder),
        np.ones(grid.width * grid.height),
        grid,
        **{"most": 5000} | values,
    )


def spacing_of(points: gpd.GeoSeries, masts: gpd.GeoDataFrame) -> float:
    """Return the least distance of points from each other and from masts."""
    xy = np.column_stack([points.x, points.y])
    apart = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    np.fill_diagonal(apart, np.inf)
    from_masts = min(masts.distance(point).min() for point in points)
    return min(float(apart.min()), float(from_masts))


def test_many_places_are_what_each_is_by_itself(area) -> None:
    x_min, y_min, x_max, y_max = area.read("zones").total_bounds
    middle = (y_min + y_max) / 2.0
    put_areas(
        area,
        ("urban", "Khu mới", half(area)),
        ("rural", "", shapely.box(x_min, y_min, x_max, middle)),
        ("camouflaged", "Hồ", shapely.box(x_min, middle, (x_min + 2.0 * x_max) / 3.0, y_max)),
        ("camouflaged", "", half(area)),
    )
    rng = np.random.default_rng(4)
    x, y = rng.uniform(x_min - 200.0, x_max, 60), rng.uniform(y_min, y_max, 60)
    places = gpd.GeoSeries(gpd.points_from_xy(x, y), crs=area.area.crs)
    found = site_zones.zones_at(area, places, site_rules.rules(area.folder))
    seen = set()
    for point, here in zip(places.to_crs("EPSG:4326"), found, strict=True):
        site = SiteRequest("S", point.x, point.y, height_m=30.0)
        if here is None:
            with pytest.raises(InputError, match="outside"):
                look_around(area, site)
            continue
        around = look_around(area, site).around
        assert here == SiteZone(around.zone, around.camouflaged_areas)
        seen.add((here.zone, here.camouflaged_areas))
    assert len(seen) >= 4
    assert None in found


def test_areas_of_the_workspace_change_the_distance(area) -> None:
    masts = area.read("masts")
    by_name = candidates(area, kinds=("land", "high_point")).sites
    put_areas(area, ("rural", "", everywhere(area)))
    rural = candidates(area, kinds=("land", "high_point")).sites
    put_areas(area, ("urban", "", everywhere(area)))
    urban = candidates(area, kinds=("land", "high_point")).sites
    assert spacing_of(rural.geometry, masts) >= 400.0
    assert 400.0 > spacing_of(urban.geometry, masts) >= 100.0
    assert len(rural) <= len(by_name) <= len(urban)
    assert len(rural) < len(urban)


def test_no_mast_is_built_where_its_class_may_not_stand(area) -> None:
    before = candidates(area)
    put_areas(area, ("camouflaged", "Hồ", half(area)))
    found = candidates(area)
    new = found.sites[found.sites["kind"] != "mast"]
    assert len(new) > 0
    assert not new.geometry.intersects(half(area)).any()
    assert (before.sites["kind"] == "mast").sum() == (found.sites["kind"] == "mast").sum()
    assert any("masts of other classes" in str(note) for note in found.notes)
    assert not any("masts of other classes" in str(note) for note in before.notes)
    # Where the rule names the class, the mast is built.
    table = site_rules.TABLE.read_text(encoding="utf-8")
    rules = area.folder / "site_rules.csv"
    rules.write_text(
        table.replace("allowed_in_zone,default,any,A1a;A1b", "allowed_in_zone,default,any,A2b"),
        encoding="utf-8",
    )
    assert candidates(area).sites["candidate_id"].tolist() == (
        before.sites["candidate_id"].tolist()
    )


def test_new_sites_keep_their_distance_from_planned_masts(area) -> None:
    found = candidates(area, kinds=("land", "high_point")).sites
    masts = area.read("masts")
    for status, stays in (("planned", False), ("removed", True)):
        more = masts.iloc[[0]].assign(mast_id="PLAN1", status=status)
        more.geometry = [found.geometry.iloc[0]]
        both = gpd.GeoDataFrame(pd.concat([masts, more], ignore_index=True), crs=masts.crs)
        area.write({"masts": both}, {"masts": Provenance("test")})
        again = candidates(area, kinds=("land", "high_point")).sites
        assert (found["candidate_id"].iloc[0] in set(again["candidate_id"])) is stays


def test_the_distance_of_a_roof_is_that_of_its_mast_alone(area) -> None:
    """Rules for heights are about the structure, not about the building below it."""
    (area.folder / "site_rules.csv").write_text(
        "rule,province,zone,mast_class,height_from_m,height_to_m,near,value,unit,severity,"
        "verified,source\n"
        "spacing,default,any,A2a,0,15,,200,m,error,no,test\n"
        "spacing,default,any,A2a,15,,,1500,m,error,no,test\n",
        encoding="utf-8",
    )
    grid = area.analysis_grid(100.0)
    heights = np.zeros(grid.shape, np.float32)
    heights[5::10, 5::10] = 30.0
    area.write_raster("building_height", Raster(grid, heights), Provenance("test"))
    found = candidates(area, kinds=("roof",)).sites
    assert len(found) > 1
    assert 1500.0 > spacing_of(found.geometry, area.read("masts")) >= 200.0


def test_what_rules_have_against_a_mast_is_said_with_figures(area) -> None:
    mast = area.read("masts").iloc[0]
    x, y = mast.geometry.x, mast.geometry.y
    put_areas(
        area, ("rural", "", everywhere(area)), ("camouflaged", "Hồ", mast.geometry.buffer(350.0))
    )
    masts = area.read("masts")
    far = max(
        (shapely.Point(*xy) for xy in np.random.default_rng(1).normal((x, y), 1500.0, (200, 2))),
        key=lambda point: masts.distance(point).min(),
    )
    places = [shapely.Point(x + 60.0, y), shapely.Point(x, y + 390.0), far]
    at = gpd.GeoSeries(places, crs=masts.crs)
    near, middle, none = site_zones.breaches(area, at, "A2b", 36.0)
    nearest = masts["mast_id"].iloc[int(np.argmin(masts.distance(places[0])))]
    assert str(near[0]) == (
        f"mast {nearest} is {masts.distance(places[0]).min():.0f} m away, but the local rules ask "
        "for 400 m"
    )
    assert str(near[1]) == "in Hồ the local rules allow only masts of class A1a, A1b"
    assert len(middle) == 1
    assert none == ()
    assert len(site_zones.breaches(area, at, "A1b", 3.0)[0]) == 1
    assert site_zones.breaches(area, at.iloc[:0], "A2b", 36.0) == []


def test_zones_that_cannot_be_read_are_said(area) -> None:
    wrong = {"type": "FeatureCollection", "features": []}
    (area.folder / "site_zones.geojson").write_text(json.dumps(wrong), encoding="utf-8")
    with pytest.raises(InputError, match=r"site_zones\.geojson"):
        candidates(area)
