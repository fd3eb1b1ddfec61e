"""Builds by a plan: any mix, anywhere on Earth, cut off at any moment and finished later."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import rasterio
import shapely

from data import build, check, quality, schema, warp, zonal
from data.build import build_from
from data.errors import CancelledError, InputError
from data.plan import BuildPlan, make_plan
from data.sources import download, own_files
from data.store import Provenance, Workspace
from tests.data import build_sources, samples
from tests.data.build_sources import FIJI, HANAM, POLE, SOURCES, TROMSO, known, place_of
from tests.data.source_server import SourceServer
from tests.vectors import ROOT, shared_path

REAL = Provenance("Sở Thông tin", "the ministry's", "2026", "cot.csv", "00")


@pytest.fixture
def served(source_server: SourceServer) -> SourceServer:
    serve(source_server, HANAM)
    return source_server


def serve(server: SourceServer, bounds: build_sources.Bounds) -> None:
    for name, body in build_sources.files(bounds).items():
        server.put(f"/{name}", body)


def plan_of(server: SourceServer, bounds: build_sources.Bounds = HANAM, **options) -> BuildPlan:
    options = {"sources": SOURCES, "known": known(server.url)} | options
    return make_plan(place_of(bounds), **options)


def test_a_build_from_sources_has_every_layer(served: SourceServer, tmp_path: Path) -> None:
    seen: list[float] = []
    report = build_from(plan_of(served), tmp_path / "w", on_progress=seen.append)
    workspace = report.workspace
    assert workspace.layers() == ["zones", "masts", "cells", "roads"]
    assert workspace.rasters() == ["terrain", "clutter", "population"]
    assert (workspace.area.name, workspace.area.crs) == ("thu", "EPSG:32648")
    assert not workspace.area.illustrative
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    provenance = workspace.provenance()
    assert provenance["terrain"].licence == "CC BY 4.0"
    assert provenance["terrain"].url_or_file == f"{served.url}/terrain.tif"
    assert "90 m, bilinear" in provenance["terrain"].method
    assert {name for name, one in provenance.items() if one.illustrative} == {"masts", "cells"}
    assert build_sources.heights_match(workspace.raster_path("terrain"), tolerance_m=0.2)
    zones = workspace.read("zones").set_index("code")
    # 0.1 by 0.1 degrees, 100 people in each pixel of 0.01 degrees.
    assert zones.loc["P", "population"] == pytest.approx(10_000, rel=1e-3)
    assert zones.loc[["1", "2", "3", "4"], "population"].sum() == pytest.approx(10_000, rel=1e-3)
    # The road is cut to the area and its margin.
    length_km = workspace.read("roads").length.sum() / 1000.0
    assert 20.0 < length_km < 40.0
    assert len(workspace.read("masts")) == 10
    assert report.skipped == ()
    assert "zones was read" in report.notes
    kept = quality.load(workspace)
    assert kept == report.quality
    assert kept.tilings[1].gaps == ()


@pytest.mark.parametrize(
    ("bounds", "crs"),
    [(FIJI, "EPSG:32760"), (TROMSO, "EPSG:32634"), (POLE, "EPSG:5041")],
    ids=["antimeridian", "high latitude", "beyond UTM"],
)
def test_builds_anywhere_on_earth(
    source_server: SourceServer, tmp_path: Path, bounds: build_sources.Bounds, crs: str
) -> None:
    serve(source_server, bounds)
    plan = plan_of(source_server, bounds)
    workspace = build_from(plan, tmp_path / "w").workspace
    assert workspace.area.crs == crs
    zones = workspace.read("zones").set_index("code")
    west, south, east, north = bounds
    # Area on the ellipsoid, by an independent way.
    edge = shapely.get_coordinates(shapely.segmentize(shapely.box(*bounds), 0.01))
    true_m2, _ = pyproj.Geod(ellps="WGS84").polygon_area_perimeter(edge[:, 0], edge[:, 1])
    # UTM and UPS are not equal-area: scale 0.9996 to about 1.001, UPS 0.994 to 0.998.
    assert zones.loc["P", "area_km2"] == pytest.approx(abs(true_m2) / 1e6, rel=0.013)
    pixels = round((east - west) / 0.01) * round((north - south) / 0.01)
    assert zones.loc["P", "population"] == pytest.approx(pixels * 100.0, rel=5e-3)
    assert build_sources.heights_match(workspace.raster_path("terrain"), tolerance_m=0.5)
    grid = workspace.analysis_grid(200.0)
    heights = workspace.read_raster("terrain", grid).values
    x, y = np.meshgrid(grid.x_centres(), grid.y_centres())
    inside = shapely.contains_xy(zones.geometry["P"], x, y)
    assert np.isfinite(heights[inside]).all()
    x_min, _, x_max, _ = zones.total_bounds
    assert x_max - x_min < 60_000.0  # and not once round the Earth
    people = workspace.read_raster("population", grid, "sum").values
    assert np.nansum(people[inside]) == pytest.approx(pixels * 100.0, rel=0.02)
    assert [p for p in check.check(workspace) if p.severity == "error"] == []


def test_zones_of_a_place_are_kept_whole_or_cut(served: SourceServer, tmp_path: Path) -> None:
    west, south, _east, north = HANAM
    sources = {"sources": SOURCES, "known": known(served.url)}
    # The western two communes and a strip of the others.
    box = own_files.place_of_bounds((west, south, west + 0.06, north), "Phía tây")
    report = build_from(make_plan(box, **sources), tmp_path / "a")
    zones = report.workspace.read("zones").set_index("code")
    assert set(zones.index) == {"P", "1", "3"}
    assert report.workspace.area.name == "phia-tay"
    assert zones.to_crs(4326).geometry["1"].bounds[2] == pytest.approx(west + 0.05, abs=1e-9)
    assert zones["population"]["1"] == pytest.approx(2500, rel=1e-3)
    assert "more than half of their area" in report.workspace.provenance()["zones"].method
    # A box inside one commune.
    box = own_files.place_of_bounds((west + 0.01, south + 0.01, west + 0.03, south + 0.03))
    zones = build_from(make_plan(box, **sources), tmp_path / "b").workspace.read("zones")
    assert set(zones["code"]) == {"P", "1"}
    assert zones["population"].to_numpy() == pytest.approx(400.0, rel=0.01)
    # Beside all of them.
    box = own_files.place_of_bounds((west + 1, south, west + 1.1, north))
    with pytest.raises(InputError, match="None of the zones of A source for tests lies in"):
        build_from(make_plan(box, **sources), tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_every_part_is_optional(served: SourceServer, tmp_path: Path) -> None:
    nothing = dict.fromkeys(("zones", "terrain", "population", "roads"), "none")
    report = build_from(plan_of(served, sources=nothing), tmp_path / "none")
    assert report.workspace.layers() == ["zones"]
    assert report.workspace.rasters() == []
    zones = report.workspace.read("zones")
    assert zones["name"].tolist() == ["Thử"]
    assert zones["level"].tolist() == ["province"]
    assert {str(said).split(":")[0] for said in report.instead} == {
        "zones", "terrain", "clutter", "population", "roads", "villages", "masts",
    }  # fmt: skip
    # Terrain alone: land cover by its heights, masts by area.
    alone = nothing | {"terrain": "terrain"}
    workspace = build_from(plan_of(served, sources=alone), tmp_path / "t").workspace
    assert workspace.rasters() == ["terrain", "clutter"]
    assert workspace.has("masts")
    assert "people" not in workspace.provenance()["clutter"].method.split("Import")[0]
    # Population alone.
    alone = nothing | {"population": "people"}
    workspace = build_from(plan_of(served, sources=alone), tmp_path / "p").workspace
    assert workspace.rasters() == ["clutter", "population"]
    assert workspace.has("masts")
    assert "terrain" not in workspace.provenance()["clutter"].method
    plan = plan_of(served, generate_masts=False)
    workspace = build_from(plan, tmp_path / "m", generate_masts=False).workspace
    assert not workspace.has("masts")
    assert not workspace.has("cells")


def test_own_files_and_sources_mix(served: SourceServer, tmp_path: Path) -> None:
    zones = build_sources.squares(HANAM).query("level == 'commune'")
    zones = zones.drop(columns=["code", "level", "parent_code"])
    zones["population"] = [1.0, 2.0, 3.0, np.nan]
    zones.to_file(tmp_path / "xa.gpkg")
    cover = tmp_path / "cover.tif"
    cover.write_bytes(
        build_sources.tiff(np.full((400, 400), 80, np.uint8), HANAM[0] - 0.5, 21.1, 0.003, 0)
    )
    masts = samples.masts(2).assign(geometry=gpd.points_from_xy([105.95, 105.96], [20.55, 20.56]))
    masts = masts.set_crs(4326, allow_override=True)
    masts.to_file(tmp_path / "cot.gpkg")
    own = {
        "zones": tmp_path / "xa.gpkg",
        "clutter": cover,
        "masts": tmp_path / "cot.gpkg",
    }
    report = build_from(plan_of(served, own_files=own), tmp_path / "w")
    workspace = report.workspace
    assert workspace.read("zones")["code"].tolist() == ["1", "2", "3", "4"]
    assert workspace.read("zones")["name"].tolist() == ["Một", "Hai", "Ba", "Bốn"]
    # Given figures stay, the missing one comes from the raster.
    people = workspace.read("zones")["population"].tolist()
    assert people[:3] == [1.0, 2.0, 3.0]
    assert people[3] == pytest.approx(2500, rel=1e-3)
    assert workspace.read("masts")["mast_id"].tolist() == ["M0", "M1"]
    assert not workspace.has("cells")
    assert not workspace.provenance()["masts"].illustrative
    assert (workspace.read_raster("clutter").values == 80).any()
    # The file is larger than the area; only the part under it and its margin is kept.
    info = workspace.raster_info("clutter")
    assert info.width * info.height < 0.5 * 400 * 400
    assert report.quality.water is not None
    assert report.quality.water.share == pytest.approx(1.0)
    assert "codes are the numbers" in workspace.provenance()["zones"].method.lower()


def test_land_cover_with_other_classes_is_refused(served: SourceServer, tmp_path: Path) -> None:
    cover = tmp_path / "igbp.tif"
    cover.write_bytes(
        build_sources.tiff(np.full((200, 200), 12, np.uint8), HANAM[0] - 0.2, 20.8, 0.003, 0)
    )
    with pytest.raises(InputError, match=r"igbp\.tif: 12 is no class of land cover"):
        build_from(plan_of(served, own_files={"clutter": cover}), tmp_path / "w")


def test_tiles_in_a_folder_are_put_together(served: SourceServer, tmp_path: Path) -> None:
    tiles = tmp_path / "tiles"
    tiles.mkdir()
    west, south, _east, north = HANAM
    for k, start in enumerate((west - 0.2, west + 0.05, west + 2.0)):
        box = (start, south - 0.2, start + 0.25, north + 0.2)
        (tiles / f"tile{k}.tif").write_bytes(build_sources.raster(box, 1 / 1200, 0.0))
    plan = plan_of(served, own_files={"terrain": tiles})
    workspace = build_from(plan, tmp_path / "w").workspace
    assert build_sources.heights_match(workspace.raster_path("terrain"), tolerance_m=0.2)
    assert workspace.read_raster("terrain").values.size > 40_000
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no tiles"):
        build_from(plan_of(served, own_files={"terrain": tmp_path / "empty"}), tmp_path / "v")


def test_hgt_tiles_give_the_heights_of_the_tif(tmp_path: Path) -> None:
    folder = shared_path("data")
    tif = build_from(build.plan_hanam(folder), tmp_path / "tif").workspace
    hgt = build_from(
        build.plan_hanam(folder, files={"terrain": folder / "srtm3_hgt"}), tmp_path / "hgt"
    ).workspace
    grid = tif.analysis_grid(100.0)
    first, second = (one.read_raster("terrain", grid).values for one in (tif, hgt))
    np.testing.assert_allclose(first, second, atol=1e-3)
    assert "N20E105.hgt, N20E106.hgt" in hgt.provenance()["terrain"].source


def test_hanam_takes_single_parts_from_elsewhere(served: SourceServer, tmp_path: Path) -> None:
    cover = tmp_path / "cover.tif"
    cover.write_bytes(build_sources.tiff(np.full((300, 300), 40, np.uint8), 105.4, 21.1, 0.004, 0))
    plan = build.plan_hanam(
        shared_path("data"), sources={"roads": "none"}, files={"clutter": cover}
    )
    assert "roads: left out" in str(plan)
    report = build_from(plan, tmp_path / "w")
    assert not report.workspace.has("roads")
    assert report.workspace.has("railways")
    assert report.workspace.provenance()["clutter"].source == "The user's file cover.tif"
    assert len(report.workspace.read("masts")) == 860


# Faults


def test_a_source_that_fails_stops_the_build_or_is_left_out(
    served: SourceServer, tmp_path: Path
) -> None:
    plan = plan_of(served)
    served.fail("/roads.geojson", 404, times=99)
    with pytest.raises(InputError) as caught:
        build_from(plan, tmp_path / "w")
    said = str(caught.value)
    assert "there is no file" in said
    assert "--skip-unavailable" in said
    assert "\n" not in said
    assert not (tmp_path / "w").exists()
    before = served.sent_bytes("/terrain.tif")
    report = build_from(plan, tmp_path / "w", skip_unavailable=True)
    assert served.sent_bytes("/terrain.tif") == before
    assert not report.workspace.has("roads")
    (skipped,) = report.skipped
    assert str(skipped).startswith("roads: left out, as")
    assert report.quality.build["skipped"] == [str(skipped)]


def test_a_source_that_failed_in_the_plan_can_be_left_out(
    served: SourceServer, tmp_path: Path
) -> None:
    served.remove("/terrain.tif")
    plan = plan_of(served)
    with pytest.raises(InputError, match=r"terrain: .*there is no file"):
        build_from(plan, tmp_path / "w")
    report = build_from(plan, tmp_path / "w", skip_unavailable=True)
    assert not report.workspace.has("terrain")
    assert report.workspace.has("population")


def test_a_bad_own_file_is_not_skipped(served: SourceServer, tmp_path: Path) -> None:
    bad = tmp_path / "dem.tif"
    bad.write_bytes(b"no raster")
    with pytest.raises(InputError, match=r"dem\.tif is damaged or is not a raster"):
        build_from(
            plan_of(served, own_files={"terrain": bad}), tmp_path / "w", skip_unavailable=True
        )


def test_offline_builds_from_the_cache(served: SourceServer, tmp_path: Path) -> None:
    with download.offline(), pytest.raises(InputError, match="not in the cache"):
        build_from(plan_of(served), tmp_path / "a")
    build_from(plan_of(served), tmp_path / "b")
    count = len(served.requests)
    with download.offline():
        workspace = build_from(plan_of(served), tmp_path / "a").workspace
    assert len(served.requests) == count
    assert workspace.content_hash() == Workspace.open(tmp_path / "b").content_hash()


# Building again


def test_real_masts_outlive_a_rebuild(served: SourceServer, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    workspace = build_from(plan_of(served), folder).workspace
    masts = samples.masts(3).assign(geometry=workspace.read("masts").geometry[:3])
    masts = masts.set_crs(workspace.area.crs, allow_override=True)
    workspace.write({"masts": masts, "cells": samples.cells()}, {"masts": REAL, "cells": REAL})
    villages = gpd.GeoDataFrame(
        {"village_id": ["V1"], "name": ["Thôn Đoài"]},
        geometry=[workspace.read("zones").geometry.iloc[1].centroid],
        crs=workspace.area.crs,
    )
    workspace.write({"villages": villages}, {"villages": REAL})
    report = build_from(plan_of(served), folder)
    assert report.kept == ("masts", "cells")
    assert report.workspace.read("masts")["mast_id"].tolist() == ["M0", "M1", "M2"]
    assert len(report.workspace.read("cells")) == 6
    assert report.workspace.provenance()["masts"] == REAL
    assert not report.workspace.has("villages")

    report.workspace.write({"villages": villages}, {"villages": REAL})
    report = build_from(plan_of(served), folder, keep="all")
    assert set(report.kept) == {"masts", "cells", "villages"}
    # In another CRS they are moved along.
    report = build_from(plan_of(served), folder, keep="all", crs="EPSG:9210")
    assert set(report.kept) == {"masts", "cells", "villages"}
    moved = report.workspace.read("masts").to_crs(masts.crs)
    assert moved.distance(masts).max() < 0.01
    assert report.workspace.provenance()["villages"] == REAL

    report = build_from(plan_of(served), folder, keep="none")
    assert report.kept == ()
    assert report.workspace.provenance()["masts"].illustrative


def test_generated_masts_and_those_of_another_area_are_not_kept(
    served: SourceServer, tmp_path: Path
) -> None:
    folder = tmp_path / "w"
    build_from(plan_of(served), folder)
    assert build_from(plan_of(served), folder).kept == ()
    workspace = Workspace.open(folder)
    workspace.write({"masts": workspace.read("masts")}, {"masts": REAL})
    other = plan_of(served, name="other")
    assert build_from(other, folder).kept == ()


def test_cancelling_keeps_the_older_workspace(served: SourceServer, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    old = samples.workspace(folder)
    content = old.content_hash()
    for stop in (0.0, 0.2, 0.58, 0.7, 0.85):

        def cancel(share: float, stop: float = stop) -> None:
            if share >= stop:
                raise CancelledError

        with pytest.raises(CancelledError):
            build_from(plan_of(served), folder, on_progress=cancel)
        assert Workspace.open(folder).content_hash() == content


CHILD = """
import os, signal, sys
from pathlib import Path
from data import store, quality
from data.build import build_from
from data.plan import make_plan
from data.sources import download
from data import rasters
from tests.data.build_sources import HANAM, SOURCES, known, place_of

url, folder, moment = sys.argv[1:]

def die(*_args, **_options):
    os.kill(os.getpid(), signal.SIGKILL)

def progress(share):
    if moment.startswith("at ") and share >= float(moment[3:]):
        die()

if moment == "raster":
    rasters.content_hash = die          # the first raster is written, but has no name yet
elif moment == "database":
    write_copy = store.GeoPackage.write_copy
    def written(*args, **options):
        write_copy(*args, **options)
        die()
    store.GeoPackage.write_copy = written
elif moment == "replaced":
    store.sync_folder = die             # the new database has just taken its place
elif moment == "report":
    quality.assess = die

with download.using(first_wait_s=0.01):
    plan = make_plan(place_of(HANAM), sources=SOURCES, known=known(url))
    report = build_from(plan, Path(folder), on_progress=progress)
print(report.workspace.content_hash())
"""


def child(server: SourceServer, folder: Path, moment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, server.url, str(folder), moment],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


#: Moment of the kill -> whether the new workspace is in place by then.
MOMENTS = {
    "at 0.0": False,
    "at 0.2": False,
    "at 0.7": False,
    "raster": False,
    "database": False,
    "replaced": True,
    "report": True,
}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_build_killed_at_any_moment_leaves_a_whole_workspace_and_finishes_later(
    served: SourceServer, tmp_path: Path
) -> None:
    folder = tmp_path / "w"
    old = samples.workspace(folder)
    before = old.content_hash()
    samples.workspace(tmp_path / "expected")
    expected = build_from(plan_of(served), tmp_path / "expected").workspace.content_hash()
    shutil.rmtree(download.cache_folder())
    sizes = {name: len(body) for name, body in build_sources.files(HANAM).items()}
    served.requests.clear()
    for moment, in_place in MOMENTS.items():
        run = child(served, folder, moment)
        _, err = run.communicate(timeout=60)
        assert run.returncode == -signal.SIGKILL, err
        content = Workspace.open(folder).content_hash()
        assert content == (expected if in_place else before), moment
        if in_place:  # back to the old one for the next
            shutil.rmtree(folder)
            samples.workspace(folder)
    run = child(served, folder, "never")
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    assert out.strip() == expected
    assert Workspace.open(folder).content_hash() == expected
    # Each file came over once, but for what was on its way when two of the runs were killed.
    assert served.sent_bytes() <= 1.6 * sum(sizes.values())
    assert served.sent_bytes("/roads.geojson") <= sizes["roads.geojson"]
    # Nothing is left of the killed ones.
    assert not list(folder.glob(".tmp-*"))
    assert not list((folder / "rasters").glob(".tmp-*"))
    assert not list((download.cache_folder() / ".build").iterdir())


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_build_killed_in_the_middle_of_a_file_carries_only_the_rest(
    served: SourceServer, tmp_path: Path
) -> None:
    size = len(build_sources.files(HANAM)["terrain.tif"])
    half = size // 2
    served.fail("/terrain.tif", "stall", after_bytes=half, delay_s=30.0, methods=("GET",))
    run = child(served, tmp_path / "w", "never")
    deadline = time.monotonic() + 30.0
    here = 0
    while here < 0.5 * half and time.monotonic() < deadline:
        time.sleep(0.05)
        parts = download.cache_folder().rglob("*~part")
        here = max((part.stat().st_size for part in parts), default=0)
    run.kill()
    run.communicate(timeout=30)
    assert not (tmp_path / "w").exists()
    assert here > 0
    first = served.sent_bytes("/terrain.tif")
    run = child(served, tmp_path / "w", "never")
    _, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    rest = served.sent_bytes("/terrain.tif") - first
    assert rest <= size - here + 1000
    assert Workspace.open(tmp_path / "w").has("terrain")


# Terrain


def dem(path: Path, values: np.ndarray, west: float = 105.7, north: float = 20.8) -> Path:
    path.write_bytes(build_sources.tiff(values.astype(np.float32), west, north, 1 / 1200, -9999.0))
    return path


AREA_OF_TERRAIN = gpd.GeoSeries([shapely.box(*HANAM)], crs=4326).to_crs(32648).iloc[0]


def test_small_voids_are_filled_and_large_ones_are_not(tmp_path: Path) -> None:
    values = np.full((480, 600), 10.0)
    values[200:210, 280:300] = -9999.0  # 0.9 km x 1.7 km
    values[300:400, 300:420] = -9999.0  # 9 km x 10 km
    path, method, facts = warp.warp_terrain(
        dem(tmp_path / "dem.tif", values), AREA_OF_TERRAIN, "EPSG:32648", tmp_path / "out.tif"
    )
    with rasterio.open(path) as raster:
        heights = raster.read(1)
    assert set(np.unique(heights[np.isfinite(heights)])) == {10.0}
    (void,) = facts["voids_filled"]
    assert void["area_km2"] == pytest.approx(10 * 20 * 0.0926 * 0.0868, rel=0.25)
    assert void["lon"] == pytest.approx(105.7 + 290 / 1200, abs=0.002)
    assert void["lat"] == pytest.approx(20.8 - 205 / 1200, abs=0.002)
    assert facts["void_pixels_left"] > 8000
    assert "were filled from the heights of their rim" in method
    assert "left empty" in method


def test_a_void_on_a_slope_is_filled_with_the_slope(tmp_path: Path) -> None:
    values = np.broadcast_to(np.arange(600.0), (480, 600)).copy()
    values[200:210, 280:300] = -9999.0
    path, _, facts = warp.warp_terrain(
        dem(tmp_path / "dem.tif", values), AREA_OF_TERRAIN, "EPSG:32648", tmp_path / "out.tif"
    )
    x, y = pyproj.Transformer.from_crs(4326, 32648, always_xy=True).transform(
        105.7 + 290.5 / 1200, 20.8 - 205 / 1200
    )
    with rasterio.open(path) as raster:
        (height,) = next(raster.sample([(x, y)]))
    assert height == pytest.approx(290.0, abs=1.0)
    assert facts["void_pixels_filled"] > 100


def test_terrain_does_not_depend_on_how_it_is_cut_into_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(3.0, 6.0, (480, 600)).round()
    for row, column in rng.integers(0, 480, (60, 2)):
        values[row : row + 7, column : column + 9] = -9999.0
    values[:, 560:] = -9999.0
    source = dem(tmp_path / "dem.tif", values)
    results = []
    for size in (4096, 130):
        monkeypatch.setattr(warp, "_WINDOW_PX", size)
        made, method, facts = warp.warp_terrain(
            source, AREA_OF_TERRAIN, "EPSG:32648", tmp_path / f"{size}.tif"
        )
        with rasterio.open(made) as raster:
            results.append((raster.read(1), method, facts))
    (whole, said, figures), (cut, said_cut, figures_cut) = results
    np.testing.assert_array_equal(whole, cut)
    assert said == said_cut
    assert figures == figures_cut
    assert figures["void_pixels_filled"] > 500
    assert figures["low_pixels_raised"] > 100


def test_low_ground_is_kept_and_pits_are_raised(tmp_path: Path) -> None:
    values = np.full((480, 600), 2.0)
    values[160:163, 200:203] = -60.0
    values[250:400, 300:450] = -7.0  # a polder of 14 km x 13 km
    path, method, facts = warp.warp_terrain(
        dem(tmp_path / "dem.tif", values), AREA_OF_TERRAIN, "EPSG:32648", tmp_path / "out.tif"
    )
    with rasterio.open(path) as raster:
        heights = raster.read(1)
    assert np.nanmin(heights) == -7.0
    assert facts["lowest_m"] < -50.0
    assert facts["low_pixels_kept"] > 15_000
    assert 4 <= facts["low_pixels_raised"] < 500  # the pit, and the corners of the polder
    assert "were raised to -5 m" in method
    assert "were kept" in method


def test_terrain_without_a_height_may_be_sea(served: SourceServer, tmp_path: Path) -> None:
    values = np.full((720, 720), 3.0)
    values[:, 320:] = -9999.0
    own = {"terrain": dem(tmp_path / "dem.tif", values, HANAM[0] - 0.25, HANAM[3] + 0.25)}
    dry = build_from(plan_of(served, own_files=own), tmp_path / "dry")
    assert dry.quality.heights is not None
    assert dry.quality.heights.holes > 1000
    wet = build_from(plan_of(served, own_files=own), tmp_path / "wet", sea_terrain=True)
    heights = wet.workspace.read_raster("terrain").values
    assert np.isin(heights[np.isfinite(heights)].round(3), [0.0, 3.0]).mean() > 0.99
    assert wet.quality.heights is not None
    assert wet.quality.heights.holes == 0
    assert wet.quality.build["terrain"]["sea_pixels"] > 1000
    assert "sea, at 0 m" in wet.workspace.provenance()["terrain"].method


@pytest.mark.parametrize(
    ("bounds", "arc_seconds", "expected"),
    [(HANAM, 1.0, 30.0), (HANAM, 3.0, 90.0), (TROMSO, 1.0, 20.0), (HANAM, 0.35, 10.0)],
)
def test_terrain_keeps_the_resolution_of_its_source(
    tmp_path: Path, bounds: build_sources.Bounds, arc_seconds: float, expected: float
) -> None:
    path = tmp_path / "dem.tif"
    west, south, _east, _north = bounds
    box = (west, south, west + 0.02, south + 0.02)
    path.write_bytes(build_sources.raster(box, arc_seconds / 3600, 0.0))
    crs = "EPSG:32634" if bounds is TROMSO else "EPSG:32648"
    outline = gpd.GeoSeries([shapely.box(*box)], crs=4326).to_crs(crs).iloc[0]
    assert warp.terrain_resolution_m(path, crs, outline) == expected


def test_people_are_counted_across_the_antimeridian(tmp_path: Path) -> None:
    path = tmp_path / "people.tif"
    path.write_bytes(build_sources.raster(FIJI, 0.01, 0.1, 100.0))
    zones = build_sources.squares(FIJI)
    in_metres = zones.to_crs(32760)
    split = zones.assign(
        geometry=[
            shapely.union_all(
                [
                    shapely.intersection(shape, shapely.box(0, -90, 180, 90)),
                    shapely.transform(
                        shapely.intersection(shape, shapely.box(180, -90, 360, 90)),
                        lambda xy: xy - [360.0, 0.0],
                    ),
                ]
            )
            for shape in zones.geometry
        ]
    )
    for frame in (zones, in_metres, split):
        people = zonal.people_by_zone(path, frame)
        np.testing.assert_allclose(people, [20_000, *[5_000] * 4], rtol=2e-3)


def test_layers_of_a_source_that_are_tables_are_taken(served: SourceServer, tmp_path: Path) -> None:
    table = tmp_path / "former.csv"
    table.write_text("code,name,parent_code\n1,Xã Cũ,P\n", encoding="utf-8")
    plan = plan_of(served, own_files={"former_zones": table})
    workspace = build_from(plan, tmp_path / "w").workspace
    frame = workspace.read("former_zones")
    assert isinstance(frame, pd.DataFrame)
    assert frame["name"].tolist() == ["Xã Cũ"]
    assert "former_zones" in schema.LAYERS
