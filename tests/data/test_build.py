"""Building study areas: the generated default, and the real Hà Nam from files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely

from data import build, clutter_classes, schema, vintages, warp, zonal
from data.errors import CancelledError, InputError
from data.grid import Grid, Raster
from data.sources import hanam_files
from data.store import Provenance, StudyAreaInfo, Workspace
from data.study_area import area_outline, crs_options, finest_level, metric_crs
from tests.vectors import shared_path

LAYERS_OF_DEMO = ["zones", "masts", "cells", "villages", "roads"]


#: Files of which each must be what its name says.
SOURCE_FILES = (
    *hanam_files.REQUIRED_FILES,
    hanam_files.ROADS_FILE,
    hanam_files.EARLIER_POPULATION_FILE,
    hanam_files.OFFICES_FILE,
    hanam_files.PLACES_FILE,
    hanam_files.FORMER_COMMUNES_FILE,
)

PROGRESS: list[float] = []


@pytest.fixture(scope="module")
def demo_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    # Into an empty folder that is there already.
    return build.build("demo", tmp_path_factory.mktemp("demo"), on_progress=PROGRESS.append)


@pytest.fixture(scope="module")
def hanam_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("build") / "hanam"
    return build.build("hanam", folder, source_folder=shared_path("data"))


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of the files of Hà Nam that a test may spoil."""
    folder = tmp_path / "sources"
    folder.mkdir()
    for name in SOURCE_FILES:
        shutil.copyfile(shared_path(f"data/{name}"), folder / name)
    return folder


def state_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def test_demo_holds_every_layer_and_says_it_is_illustrative(demo_workspace: Workspace) -> None:
    area = demo_workspace.area
    assert (area.name, area.title_vi) == ("demo", "Hà Nam – minh họa")
    assert area.illustrative
    assert set(LAYERS_OF_DEMO) <= set(demo_workspace.layers())
    assert set(demo_workspace.rasters()) == {"terrain", "clutter", "population"}
    for name, provenance in demo_workspace.provenance().items():
        assert provenance.illustrative, name
        assert "seed" in provenance.method, name
    size = sum(path.stat().st_size for path in demo_workspace.folder.rglob("*") if path.is_file())
    assert size < 50e6


def test_demo_is_the_same_wherever_it_is_built(demo_workspace: Workspace, tmp_path: Path) -> None:
    again = build.build("demo", tmp_path / "again")
    assert again.content_hash() == demo_workspace.content_hash()
    other = build.build("demo", tmp_path / "other", seed=5)
    assert other.content_hash() != again.content_hash()


def test_demo_takes_a_population_total(tmp_path: Path) -> None:
    workspace = build.build("demo", tmp_path / "demo", population_total=900_000)
    zones = workspace.read("zones")
    assert zones.loc[zones["level"] == "commune", "population"].sum() == 900_000


def test_hanam_zones_are_those_of_the_sources(hanam_workspace: Workspace) -> None:
    zones = hanam_workspace.read("zones")
    assert zones["level"].value_counts().to_dict() == {"commune": 33, "district": 6, "province": 1}
    assert not hanam_workspace.area.illustrative
    assert zones.crs == "EPSG:32648"
    communes = zones[zones["level"] == "commune"]
    published = communes["area_km2_published"].to_numpy(float)
    assert np.abs(communes["area_km2"].to_numpy(float) - published).max() < 2.0
    assert communes["area_km2"].sum() == pytest.approx(861.93, rel=0.001)
    assert communes["valid_from"].eq("2025-07-01").all()
    districts = zones[zones["level"] == "district"]
    assert districts["valid_to"].eq("2025-06-30").all()
    assert districts["area_km2"].sum() == pytest.approx(862.38, rel=0.001)


def test_hanam_province_is_the_union_of_the_communes(hanam_workspace: Workspace) -> None:
    zones = hanam_workspace.read("zones").set_index("code")
    province = zones.loc["35"]
    communes = zones[zones["level"] == "commune"]
    assert province["area_km2"] == pytest.approx(communes["area_km2"].sum(), rel=1e-5)
    assert province["population"] == pytest.approx(communes["population"].sum(), rel=1e-5)
    assert communes["parent_code"].eq("35").all()
    union = shapely.union_all(communes.geometry.to_numpy())
    assert union.symmetric_difference(province.geometry).area < 10.0


def test_hanam_population_by_commune_sums_to_the_raster(hanam_workspace: Workspace) -> None:
    zones = hanam_workspace.read("zones")
    communes = zones[zones["level"] == "commune"]
    # The raster's total by an independent way: its cells cut with the outline one by one.
    with rasterio.open(hanam_workspace.raster_path("population")) as raster:
        values = raster.read(1)
        outline = gpd.GeoSeries([area_outline(zones)], crs=zones.crs).segmentize(200.0)
        shape = outline.to_crs(raster.crs).iloc[0]
        transform = raster.transform
    shapely.prepare(shape)
    rows, columns = np.indices(values.shape)
    x, y = transform.c + transform.a * columns.ravel(), transform.f + transform.e * rows.ravel()
    cells = shapely.box(x, y + transform.e, x + transform.a, y)
    share = shapely.area(shapely.intersection(cells, shape)) / shapely.area(cells)
    total = float((share * values.ravel()).sum())
    assert communes["population"].sum() == pytest.approx(total, rel=0.001)
    assert total == pytest.approx(756_900, rel=0.002)
    assert "Not rescaled" in hanam_workspace.provenance()["population"].method


def test_hanam_population_can_be_rescaled_to_a_census(tmp_path: Path) -> None:
    workspace = build.build(
        "hanam",
        tmp_path / "hanam",
        source_folder=shared_path("data"),
        population_total=852_800,
    )
    zones = workspace.read("zones")
    assert zones.loc[zones["level"] == "commune", "population"].sum() == pytest.approx(
        852_800, rel=1e-5
    )
    grid = workspace.analysis_grid(100.0)
    assert np.nansum(workspace.read_raster("population", grid).values) > 852_800
    assert "852,800 asked for" in workspace.provenance()["population"].method


def test_hanam_terrain_covers_the_area_with_a_margin(hanam_workspace: Workspace) -> None:
    terrain = hanam_workspace.read_raster("terrain")
    zones = hanam_workspace.read("zones")
    x_min, y_min, x_max, y_max = zones.total_bounds
    left, bottom, right, top = terrain.grid.bounds
    assert min(x_min - left, y_min - bottom, right - x_max, top - y_max) > 5000.0
    grid = hanam_workspace.analysis_grid(100.0)
    heights = hanam_workspace.read_raster("terrain", grid).values
    x, y = np.meshgrid(grid.x_centres(), grid.y_centres())
    inside = shapely.contains_xy(area_outline(zones), x, y)
    assert np.isfinite(heights[inside]).all()
    assert (heights[inside] > 50.0).mean() == pytest.approx(0.105, abs=0.01)
    assert 400.0 < heights[inside].max() <= 445.0
    assert heights[inside].min() >= warp.LOWEST_GROUND_M
    assert "raised to -5 m" in hanam_workspace.provenance()["terrain"].method


def test_hanam_terrain_lies_where_the_source_has_it(hanam_workspace: Workspace) -> None:
    terrain = hanam_workspace.read_raster("terrain")
    places = gpd.GeoSeries.from_xy([105.85, 106.05, 105.90], [20.50, 20.55, 20.42], crs=4326)
    metric = places.to_crs(terrain.grid.crs)
    with rasterio.open(shared_path("data/hanam_srtm3_90m.tif")) as source:
        for place, at in zip(places, metric, strict=True):
            row, column = source.index(place.x, place.y)
            window = source.read(1)[row - 1 : row + 2, column - 1 : column + 2]
            i = int((terrain.grid.y_max - at.y) // terrain.grid.resolution_m)
            j = int((at.x - terrain.grid.x_min) // terrain.grid.resolution_m)
            assert window.min() - 3.0 <= terrain.values[i, j] <= window.max() + 3.0


def test_hanam_clutter_is_coarse_and_says_so(hanam_workspace: Workspace) -> None:
    zones = hanam_workspace.read("zones")
    grid = hanam_workspace.raster_info("clutter").grid
    codes = hanam_workspace.read_raster("clutter").values
    x, y = np.meshgrid(grid.x_centres(), grid.y_centres())
    inside = codes[shapely.contains_xy(area_outline(zones), x, y)]
    assert set(np.unique(inside).tolist()) <= set(clutter_classes.CLASS_CODES) - {0}
    settled = np.isin(inside, clutter_classes.SETTLED).mean()
    assert 0.12 < settled < 0.20
    assert 0.08 < (inside == clutter_classes.TREE).mean() < 0.12
    method = hanam_workspace.provenance()["clutter"].method
    assert "1,200" in method
    assert "Limits" in method


def test_hanam_provenance_is_complete(hanam_workspace: Workspace) -> None:
    provenance = hanam_workspace.provenance()
    assert set(provenance) == {
        "zones", "masts", "cells", "roads", "terrain", "clutter", "population",
        "villages", "railways", "offices", "neighbours", "former_zones", "population_earlier",
        "network_sites", "network_links",
    }  # fmt: skip
    for name, entry in provenance.items():
        assert entry.source, name
        assert entry.licence, name
        assert entry.vintage, name
        assert entry.method, name
        assert entry.retrieved_at, name
        generated = ("masts", "cells", "network_sites", "network_links")
        assert entry.illustrative == (name in generated), name
        if not entry.illustrative:
            assert entry.url_or_file, name
            assert len(entry.sha256) >= 64, name
    manifest = json.loads((hanam_workspace.folder / "manifest.json").read_text("utf-8"))
    assert manifest["inputs"]["terrain"]["sha256"] == provenance["terrain"].sha256
    assert str(shared_path("data")) not in json.dumps(manifest)


def test_hanam_masts_follow_the_real_people_and_terrain(hanam_workspace: Workspace) -> None:
    masts = hanam_workspace.read("masts")
    zones = hanam_workspace.read("zones")
    assert len(masts) == 860
    assert shapely.contains(area_outline(zones), masts.geometry.to_numpy()).all()
    terrain = hanam_workspace.read_raster("terrain")
    grid = terrain.grid
    column = ((masts.geometry.x - grid.x_min) // grid.resolution_m).astype(int)
    row = ((grid.y_max - masts.geometry.y) // grid.resolution_m).astype(int)
    assert (terrain.values[row, column] > 60.0).mean() < 0.03
    for name in ("masts", "cells"):
        context = {"zones": zones, "masts": masts}
        found = schema.examine(name, hanam_workspace.read(name), crs="EPSG:32648", context=context)
        assert found.problems == []


def test_hanam_takes_everything_that_the_folder_holds(hanam_workspace: Workspace) -> None:
    villages = hanam_workspace.read("villages")
    assert set(villages["name"]) >= {"Phủ Lý", "Bình Mỹ"}
    assert villages["zone_code"].notna().all()
    assert villages.loc[villages["name"] == "Phủ Lý", "population"].item() == 136_654
    railways = hanam_workspace.read("railways")
    province = hanam_workspace.read("zones").set_index("code").geometry["35"]
    inside_km = railways.intersection(province).length.sum() / 1000.0
    assert inside_km == pytest.approx(31.0, abs=1.0)
    former = hanam_workspace.read("former_zones")
    assert len(former) == 109
    assert former["type"].value_counts().to_dict() == {"Xã": 83, "Phường": 20, "Thị trấn": 6}
    earlier = hanam_workspace.raster_path("population_earlier")
    communes = vintages.newest(hanam_workspace.read("zones"), "commune")
    assert zonal.people_by_zone(earlier, communes).sum() == pytest.approx(804_963, rel=0.002)
    neighbours = hanam_workspace.read("neighbours")
    # Six provinces, and of the districts those within the margin.
    assert (neighbours["level"] == "province").sum() == 6
    assert 30 <= (neighbours["level"] == "district").sum() <= 37
    frame = shapely.box(*hanam_workspace.raster_info("terrain").bounds)
    assert shapely.intersects(frame, neighbours.geometry.to_numpy()).all()
    assert not neighbours["code"].isin(["35", "347", "353"]).any()
    assert neighbours.loc[neighbours["name"] == "Thành phố Hà Nội", "level"].item() == "province"


def test_hanam_offices_keep_their_licence_to_themselves(hanam_workspace: Workspace) -> None:
    offices = hanam_workspace.read("offices")
    zones = hanam_workspace.read("zones")
    assert len(offices) == 33
    assert offices["population_registered"].sum() == 1_019_377
    fixed = offices["population_fixed"].astype(str).str.lower() == "true"
    assert fixed.sum() == 3
    factor = offices["population_registered"] / offices["population_registered_raw"].astype(float)
    assert factor[fixed].eq(10.0).all()
    assert factor[~fixed].eq(1.0).all()
    shapes = zones.set_index("code").geometry.loc[offices["zone_code"]]
    assert shapely.contains(shapes.to_numpy(), offices.geometry.to_numpy()).all()
    provenance = hanam_workspace.provenance()
    assert "BY-NC" in provenance["offices"].licence
    # The sites of the generated network stand at the offices, so they say so too.
    for name, entry in provenance.items():
        assert ("NC" in entry.licence) == (name in ("offices", "network_sites")), name
    assert not any(column.startswith("population_registered") for column in zones)


def test_hanam_roads_leave_the_railway_out(hanam_workspace: Workspace) -> None:
    roads = hanam_workspace.read("roads")
    assert "Quốc lộ 1A" in set(roads["name"])
    assert not roads["name"].str.contains("Hồ Chí Minh", na=False).any()
    province = hanam_workspace.read("zones").set_index("code").geometry["35"]
    highway = roads[roads["name"] == "Quốc lộ 1A"]
    assert highway.intersection(province).length.sum() / 1000.0 == pytest.approx(50.6, abs=1.0)


def test_hanam_can_be_built_in_vn2000(tmp_path: Path) -> None:
    workspace = build.build(
        "hanam", tmp_path / "hanam", source_folder=shared_path("data"), crs="EPSG:5897"
    )
    zones = workspace.read("zones")
    assert zones.crs == "EPSG:5897"
    assert workspace.raster_info("terrain").crs == "EPSG:5897"
    assert zones.set_index("code")["area_km2"]["35"] == pytest.approx(861.9, rel=0.002)


def test_unknown_area_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no study area hanoi; known areas: demo, hanam"):
        build.build("hanoi", tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_hanam_without_files_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=hanam_files.TERRAIN_FILE):
        build.build("hanam", tmp_path / "w")


def test_demo_refuses_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="takes no files"):
        build.build("demo", tmp_path / "w", source_folder=tmp_path)


@pytest.mark.parametrize("total", [0.0, -5.0, float("nan")])
def test_unusable_population_total(tmp_path: Path, total: float) -> None:
    with pytest.raises(InputError, match="must be greater than 0"):
        build.build("demo", tmp_path / "w", population_total=total)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no folder .*nowhere"):
        build.build("hanam", tmp_path / "w", source_folder=tmp_path / "nowhere")


@pytest.mark.parametrize("name", hanam_files.REQUIRED_FILES)
def test_missing_file_is_named(tmp_path: Path, sources: Path, name: str) -> None:
    (sources / name).unlink()
    with pytest.raises(InputError, match=f"holds no file {name}"):
        build.build("hanam", tmp_path / "w", source_folder=sources)


@pytest.mark.parametrize("name", SOURCE_FILES)
def test_file_that_is_not_what_its_name_says(tmp_path: Path, sources: Path, name: str) -> None:
    (sources / name).write_bytes(b"not what the name says " * 1000)
    with pytest.raises(InputError, match=name):
        build.build("hanam", tmp_path / "w", source_folder=sources)
    assert not (tmp_path / "w").exists()


def test_boundaries_without_the_communes(tmp_path: Path, sources: Path) -> None:
    path = sources / hanam_files.BOUNDARIES_FILE
    districts = gpd.read_file(path, layer="adm2_hanam_2020")
    path.unlink()
    districts.to_file(path, layer="adm2_hanam_2020", driver="GPKG")
    with pytest.raises(InputError, match="no layer adm3_hanam_2025; it holds adm2_hanam_2020"):
        build.build("hanam", tmp_path / "w", source_folder=sources)


def test_boundaries_without_a_column(tmp_path: Path, sources: Path) -> None:
    path = sources / hanam_files.BOUNDARIES_FILE
    communes = gpd.read_file(path, layer="adm3_hanam_2025")
    communes.drop(columns="adm3_code").to_file(path, layer="adm3_hanam_2025", driver="GPKG")
    with pytest.raises(InputError, match="column adm3_code is missing"):
        build.build("hanam", tmp_path / "w", source_folder=sources)


def test_roads_are_optional(tmp_path: Path, sources: Path) -> None:
    (sources / hanam_files.ROADS_FILE).unlink()
    workspace = build.build("hanam", tmp_path / "w", source_folder=sources)
    assert not workspace.has("roads")


def crop_terrain(sources: Path, west: float, east: float) -> None:
    path = sources / hanam_files.TERRAIN_FILE
    with rasterio.open(path) as raster:
        window = raster.window(west, raster.bounds.bottom, east, raster.bounds.top)
        window = window.round_offsets().round_lengths()
        values = raster.read(1, window=window)
        profile = raster.profile | {
            "width": values.shape[1],
            "height": values.shape[0],
            "transform": raster.window_transform(window),
        }
    path.unlink()
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(values, 1)


def test_terrain_that_covers_part_of_the_area_is_used(tmp_path: Path, sources: Path) -> None:
    crop_terrain(sources, 105.55, 106.0)
    workspace = build.build("hanam", tmp_path / "w", source_folder=sources)
    grid = workspace.analysis_grid(200.0)
    heights = workspace.read_raster("terrain", grid).values
    assert 0.3 < np.isfinite(heights).mean() < 0.8
    masts = workspace.read("masts").to_crs(4326)
    assert len(masts) == 860
    assert masts.geometry.x.max() < 106.01


def test_terrain_beside_the_area_is_refused(tmp_path: Path, sources: Path) -> None:
    crop_terrain(sources, 105.55, 105.70)
    with pytest.raises(InputError, match="covers none of it"):
        build.build("hanam", tmp_path / "w", source_folder=sources)


def test_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "holiday"
    folder.mkdir()
    (folder / "photo.jpg").write_bytes(b"dear")
    with pytest.raises(InputError, match="is not empty and holds no workspace"):
        build.build("demo", folder)
    assert [path.name for path in folder.iterdir()] == ["photo.jpg"]
    with pytest.raises(InputError, match=r"photo\.jpg is a file"):
        build.build("demo", folder / "photo.jpg")


def test_a_build_takes_the_place_of_an_older_one(demo_workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    shutil.copytree(demo_workspace.folder, folder)
    workspace = build.build("hanam", folder, source_folder=shared_path("data"))
    assert workspace.area.name == "hanam"
    assert len(workspace.read("villages")) == 7  # of the demo there are far more
    assert len(list((folder / "rasters").glob("*.tif"))) == 4


@pytest.mark.parametrize("stop_at", [0.0, 0.3, 0.84])
def test_cancelling_keeps_the_older_workspace(
    demo_workspace: Workspace, tmp_path: Path, stop_at: float
) -> None:
    folder = tmp_path / "w"
    shutil.copytree(demo_workspace.folder, folder)
    before = state_of(folder)

    def cancel(share: float) -> None:
        if share >= stop_at:
            raise CancelledError

    with pytest.raises(CancelledError):
        build.build("hanam", folder, source_folder=shared_path("data"), on_progress=cancel)
    assert state_of(folder) == before


def test_fault_while_writing_keeps_the_older_workspace(
    demo_workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "w"
    shutil.copytree(demo_workspace.folder, folder)
    hash_before = Workspace.open(folder).content_hash()

    def broken(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("data.rasters.rasterio.shutil.copy", broken)
    with pytest.raises(OSError, match="No space left"):
        build.build("hanam", folder, source_folder=shared_path("data"))
    monkeypatch.undo()
    workspace = Workspace.open(folder)
    assert workspace.area.name == "demo"
    assert workspace.content_hash() == hash_before


def test_progress_of_a_build_rises_to_one(demo_workspace: Workspace) -> None:
    assert demo_workspace.has("zones")
    assert sorted(PROGRESS) == PROGRESS
    assert PROGRESS[-1] == 1.0


def test_no_temporary_files_are_left(hanam_workspace: Workspace) -> None:
    names = {path.name for path in hanam_workspace.folder.iterdir()}
    assert names <= {"workspace.gpkg", "manifest.json", "quality.json", "rasters", ".lock"}


def test_metric_crs_follows_the_place() -> None:
    square = shapely.box(105.8, 20.4, 106.2, 20.7)
    boundaries = gpd.GeoSeries([square], crs=4326)
    assert metric_crs(boundaries) == "EPSG:32648"
    assert metric_crs(boundaries.to_crs(3857)) == "EPSG:32648"
    assert metric_crs(gpd.GeoSeries([shapely.box(179.0, -41, 179.9, -40)], crs=4326)) == (
        "EPSG:32760"
    )
    with pytest.raises(InputError, match="no CRS"):
        metric_crs(gpd.GeoSeries([square]))
    with pytest.raises(InputError, match="no boundaries"):
        metric_crs(gpd.GeoSeries([], crs=4326))


def test_vn2000_is_offered_in_vietnam_only() -> None:
    vietnam = gpd.GeoSeries([shapely.box(105.8, 20.4, 106.2, 20.7)], crs=4326)
    options = [option.crs for option in crs_options(vietnam, province_code="35")]
    assert options == ["EPSG:32648", "EPSG:3405", "EPSG:5897", "EPSG:9211"]
    assert "not verified" in crs_options(vietnam, province_code="35")[2].note
    abroad = gpd.GeoSeries([shapely.box(9.0, 47.0, 9.5, 47.5)], crs=4326)
    assert [option.crs for option in crs_options(abroad)] == ["EPSG:32632"]


def test_outline_is_made_of_the_finest_zones(demo_workspace: Workspace) -> None:
    zones = demo_workspace.read("zones")
    assert finest_level(zones) == "commune"
    province = zones[zones["level"] == "province"]
    assert finest_level(province) == "province"
    assert area_outline(zones).area == pytest.approx(area_outline(province).area, rel=1e-9)
    with pytest.raises(InputError, match="no zones"):
        area_outline(zones.iloc[:0])


def test_people_by_zone_splits_a_pixel_by_area(tmp_path: Path) -> None:
    grid = Grid("EPSG:32648", 600_000.0, 2_270_000.0, 1000.0, 2, 1)
    area = StudyAreaInfo("t", "t", "t", grid.crs, True, 100.0)
    workspace = Workspace.create(tmp_path / "w", area)
    raster = Raster(grid, np.array([[100.0, 300.0]], dtype=np.float32))
    workspace.write_raster("population", raster, Provenance("test"))
    x, y = grid.x_min, grid.y_max
    zones = gpd.GeoDataFrame(
        geometry=[
            shapely.box(x, y - 1000, x + 250, y),
            shapely.box(x + 250, y - 1000, x + 2000, y),
        ],
        crs=grid.crs,
    )
    people = zonal.people_by_zone(workspace.raster_path("population"), zones)
    np.testing.assert_allclose(people, [25.0, 375.0], rtol=1e-6)
