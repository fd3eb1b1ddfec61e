"""Raster files into a workspace, and those that are refused."""

import dataclasses

import numpy as np
import pytest
import rasterio

from data import importers
from data.errors import InputError
from data.grid import Grid, Raster
from tests.areas import small_area, write_area


@pytest.fixture(scope="module")
def area():
    return small_area()


def write(path, raster: Raster, **changes) -> None:
    profile = {
        "driver": "GTiff",
        "width": raster.grid.width,
        "height": raster.grid.height,
        "count": 1,
        "dtype": raster.values.dtype,
        "crs": raster.grid.crs,
        "transform": raster.grid.transform,
    } | changes
    with rasterio.open(path, "w", **profile) as target:
        for band in range(1, profile["count"] + 1):
            target.write(raster.values, band)


def test_building_heights_come_in_with_their_provenance(area, tmp_path) -> None:
    workspace = write_area(tmp_path / "w", area)
    grid = area.terrain.grid
    values = np.full(grid.shape, 7.5, np.float32)
    write(tmp_path / "houses.tif", Raster(grid, values))
    problems = importers.import_raster(
        workspace, "building_height", tmp_path / "houses.tif", licence="CC BY 4.0"
    )
    assert problems == []
    assert np.array_equal(workspace.read_raster("building_height").values, values)
    provenance = workspace.provenance()["building_height"]
    assert provenance.url_or_file == "houses.tif"
    assert provenance.licence == "CC BY 4.0"
    assert len(provenance.sha256) == 64
    assert not provenance.illustrative


def test_a_raster_over_part_of_the_area_is_said(area, tmp_path) -> None:
    workspace = write_area(tmp_path / "w", area)
    half = area.terrain.grid.window(0, 0, area.terrain.grid.height, area.terrain.grid.width // 2)
    write(tmp_path / "half.tif", Raster(half, area.terrain.values[:, : half.width]))
    problems = importers.import_raster(workspace, "terrain", tmp_path / "half.tif")
    assert len(problems) == 1
    assert "lies beyond the raster" in str(problems[0])


def elsewhere(grid: Grid) -> Grid:
    return dataclasses.replace(grid, x_min=grid.x_min + 200_000.0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path, r: None, "There is no file"),
        (lambda path, r: path.write_bytes(b"not a raster" * 100), r"new\.tif"),
        (lambda path, r: path.write_bytes(b""), r"new\.tif"),
        (lambda path, r: write(path, Raster(elsewhere(r.grid), r.values)), "wholly outside"),
        (lambda path, r: write(path, r, crs=None), "CRS"),
        (lambda path, r: write(path, r, count=3), "band"),
        (lambda path, r: write(path, Raster(r.grid, r.values + 20_000.0)), "expected -500 to 9000"),
    ],
)
def test_a_bad_file_is_refused_and_the_old_raster_stays(area, tmp_path, make, said) -> None:
    workspace = write_area(tmp_path / "w", area)
    before = workspace.content_hash()
    path = tmp_path / "new.tif"
    make(path, area.terrain)
    with pytest.raises(InputError, match=said):
        importers.import_raster(workspace, "terrain", path)
    assert workspace.content_hash() == before


def test_an_unknown_raster_is_named_with_the_known_ones(area, tmp_path) -> None:
    workspace = write_area(tmp_path / "w", area)
    with pytest.raises(InputError, match="building_height"):
        importers.import_raster(workspace, "trees", tmp_path / "x.tif")
