"""Kept losses: hit only where nothing that matters changed; never a reason to fail."""

import dataclasses
import os

import numpy as np
import pytest

from coverage import clutter, mast, sweep
from coverage.loss_cache import LossCache
from data.grid import Grid, Raster
from tests.areas import small_area


@pytest.fixture(scope="module")
def case():
    area = small_area()
    grid = Grid.covering(tuple(area.zones.total_bounds), 200.0, area.terrain.grid.crs)
    cells = area.cells.reset_index(drop=True)
    jobs, _ = mast.mast_jobs(area.terrain, area.masts, cells, mast.carriers(cells))
    heights = clutter.clutter_height(area.clutter)
    settings = sweep.SweepSettings(radius_m=1500.0)
    return area.terrain, heights, grid, jobs[0], settings


def test_what_is_kept_comes_back(case, tmp_path) -> None:
    terrain, heights, grid, job, settings = case
    cache = LossCache(tmp_path / "cache")
    key = cache.key(job, terrain, heights, grid, settings)
    assert cache.get(key, grid) is None
    losses = mast.predict_losses(job, terrain, heights, grid, settings)
    cache.put(key, grid, losses)
    found = cache.get(key, grid)
    assert found is not None
    assert found.grid == losses.grid
    assert np.array_equal(found.packed, losses.packed)


def test_the_key_changes_with_what_matters_and_only_with_that(case) -> None:
    terrain, heights, grid, job, settings = case
    cache = LossCache.__new__(LossCache)

    def key(job=job, terrain=terrain, heights=heights, grid=grid, settings=settings):
        return cache.key(job, terrain, heights, grid, settings)

    base = key()
    values = terrain.values.copy()
    row = int((terrain.grid.y_max - job.y_m) // terrain.grid.resolution_m)
    column = int((job.x_m - terrain.grid.x_min) // terrain.grid.resolution_m)
    values[row + 3, column] += 1.0
    assert key(terrain=Raster(terrain.grid, values)) != base
    far = terrain.values.copy()
    far[0, 0] += 100.0
    distance = np.hypot(job.x_m - terrain.grid.x_min, job.y_m - terrain.grid.y_max)
    assert distance > 2000.0
    assert key(terrain=Raster(terrain.grid, far)) == base
    assert key(heights=None) != base
    assert key(settings=dataclasses.replace(settings, time_percent=10.0)) != base
    assert key(job=dataclasses.replace(job, x_m=job.x_m + 1.0)) != base
    assert key(job=dataclasses.replace(job, eirp_dbm=job.eirp_dbm + 3.0)) == base
    assert key(job=dataclasses.replace(job, azimuth_deg=job.azimuth_deg + 3.0)) == base


def test_a_damaged_entry_is_computed_anew(case, tmp_path) -> None:
    terrain, heights, grid, job, settings = case
    cache = LossCache(tmp_path)
    cache.put("a", grid, mast.predict_losses(job, terrain, heights, grid, settings))
    path = tmp_path / "a.npy"
    path.write_bytes(path.read_bytes()[:200])
    assert cache.get("a", grid) is None
    path.write_bytes(b"rubbish")
    assert cache.get("a", grid) is None


def test_the_oldest_entries_go_first(case, tmp_path) -> None:
    terrain, heights, grid, job, settings = case
    losses = mast.predict_losses(job, terrain, heights, grid, settings)
    cache = LossCache(tmp_path)
    for age, name in enumerate("abc"):
        cache.put(name, grid, losses)
        os.utime(tmp_path / f"{name}.npy", (1000 - age, 1000 - age))
    size = (tmp_path / "a.npy").stat().st_size
    LossCache(tmp_path, limit_bytes=2 * size).trim()
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_folder_that_cannot_be_written_is_no_error(case, tmp_path) -> None:
    terrain, heights, grid, job, settings = case
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    cache = LossCache(blocked)
    cache.put("a", grid, mast.predict_losses(job, terrain, heights, grid, settings))
    assert cache.get("a", grid) is None
    cache.trim()
