"""Best servers against a plain loop over cells, whatever the order and the threads."""

import dataclasses

import numpy as np
import pandas as pd
import pyproj
import pytest

from coverage import antenna, clutter, composite, sweep, terrain
from coverage import mast as masts_of
from data.demo import generator
from data.grid import Grid, Raster
from tests.areas import small_area

SETTINGS = sweep.SweepSettings(radius_m=3000.0)


@pytest.fixture(scope="module")
def area() -> generator.GeneratedArea:
    return small_area()


@pytest.fixture(scope="module")
def heights(area: generator.GeneratedArea) -> Raster:
    return clutter.clutter_height(area.clutter)


@pytest.fixture(scope="module")
def grid(area: generator.GeneratedArea) -> Grid:
    return Grid.covering(tuple(area.zones.total_bounds), 100.0, area.terrain.grid.crs)


def compose(area, heights, grid, **changes):
    wanted = {
        "masts": area.masts,
        "cells": area.cells.reset_index(drop=True),
        "settings": SETTINGS,
        "threads": 1,
    } | changes
    masts, cells = wanted.pop("masts"), wanted.pop("cells")
    return composite.compose(
        area.terrain,
        heights,
        masts,
        cells,
        grid,
        wanted=masts_of.carriers(area.cells),
        **wanted,
    )


def test_levels_equal_a_loop_over_cells_in_plain_numpy(area, heights, grid) -> None:
    found = compose(area, heights, grid)
    cells = area.cells.reset_index(drop=True)
    eirp = masts_of.reference_eirp_dbm(cells)
    x, y = np.meshgrid(grid.x_centres(), grid.y_centres())
    receiver = terrain.sample(area.terrain, x, y) + SETTINGS.rx_height_m
    position = area.masts.set_index("mast_id").geometry
    best = np.full((len(found.carriers), *grid.shape), -np.inf)
    power = np.zeros_like(best)
    for number, cell in cells.iterrows():
        mast = position[cell["mast_id"]]
        window = sweep.predict_loss(
            area.terrain,
            heights,
            x_m=mast.x,
            y_m=mast.y,
            antenna_height_m=cell["antenna_height_m"],
            frequencies_mhz=[cell["frequency_mhz"]],
            grid=grid,
            settings=SETTINGS,
        )
        loss = np.full(grid.shape, np.nan)
        row = round((grid.y_max - window.grid.y_max) / grid.resolution_m)
        column = round((window.grid.x_min - grid.x_min) / grid.resolution_m)
        loss[row : row + window.grid.height, column : column + window.grid.width] = window.loss_db[
            0
        ]
        antenna_amsl = terrain.sample(area.terrain, mast.x, mast.y) + cell["antenna_height_m"]
        convergence = masts_of.north_offset_deg(np.array([mast.x]), np.array([mast.y]), grid.crs)[0]
        bearing = np.degrees(np.arctan2(x - mast.x, y - mast.y)) + convergence
        below = np.degrees(np.arctan2(antenna_amsl - receiver, np.hypot(x - mast.x, y - mast.y)))
        pattern = antenna.pattern_by_name(None, has_azimuth=pd.notna(cell["azimuth_deg"]))
        offset = bearing - (0.0 if pd.isna(cell["azimuth_deg"]) else cell["azimuth_deg"])
        level = (
            eirp[number] - loss - antenna.attenuation_db(pattern, offset, below - cell["tilt_deg"])
        )
        carrier = found.carriers.index(
            (cell["technology"], cell["operator"], cell["frequency_mhz"])
        )
        level = np.where(np.isnan(level), -np.inf, level)
        best[carrier] = np.maximum(best[carrier], level)
        power[carrier] += cell["load"] * 10.0 ** (level / 10.0)
    assert np.isfinite(best).mean() > 0.3
    assert np.array_equal(np.isfinite(best), np.isfinite(found.best_dbm))
    seen = np.isfinite(best)
    assert np.abs(best[seen] - found.best_dbm[seen]).max() < 0.006  # losses are kept to 0.01 dB
    assert found.total_mw[seen] == pytest.approx(power[seen], rel=2e-3)
    assert found.second_dbm[seen].max() <= found.best_dbm[seen].max()
    assert (found.second_dbm <= found.best_dbm).all()


def test_the_order_of_masts_and_the_threads_do_not_matter(area, heights, grid) -> None:
    once = compose(area, heights, grid)
    for changes in (
        {"threads": 2},
        {"masts": area.masts.iloc[::-1]},
    ):
        again = compose(area, heights, grid, **changes)
        for name in ("best_dbm", "best_cell", "second_dbm", "second_cell"):
            assert np.array_equal(getattr(once, name), getattr(again, name)), (changes, name)


def test_the_second_best_is_what_remains_without_the_best_mast(area, heights, grid) -> None:
    whole = compose(area, heights, grid)
    cells = area.cells.reset_index(drop=True)
    gone = area.masts["mast_id"].iloc[0]
    rest = compose(area, heights, grid, masts=area.masts.iloc[1:])
    served = np.isin(whole.best_cell, np.flatnonzero(cells["mast_id"] == gone))
    assert served.any()
    assert np.array_equal(whole.second_dbm[served], rest.best_dbm[served])
    assert np.array_equal(whole.best_dbm[~served], rest.best_dbm[~served])


def test_the_second_server_is_the_best_of_all_other_masts(area, heights, grid) -> None:
    whole = compose(area, heights, grid)
    cells = area.cells.reset_index(drop=True)
    mast_of_cell = pd.factorize(cells["mast_id"])[0]
    compared = 0
    for number, name in enumerate(pd.factorize(cells["mast_id"])[1]):
        rest = compose(area, heights, grid, masts=area.masts[area.masts["mast_id"] != name])
        for service in {carrier[:2] for carrier in whole.carriers}:
            found = composite.second_strongest(whole, *service, mast_of_cell)
            _, server = composite.strongest(whole, *service)
            expected, _ = composite.strongest(rest, *service)
            here = (server >= 0) & (mast_of_cell[server] == number)
            assert np.array_equal(found[here], expected[here])
            compared += np.isfinite(expected[here]).sum()
    assert compared > 0


def test_a_mast_outside_the_grid_still_serves_it(area, heights, grid) -> None:
    part = grid.window(0, grid.width // 2, grid.height, grid.width - grid.width // 2)
    west = area.masts[area.masts.geometry.x < part.x_min - 100.0]
    assert len(west) > 0
    found = compose(area, heights, part, masts=west)
    whole = compose(area, heights, grid, masts=west)
    assert np.isfinite(found.best_dbm).any()
    assert np.array_equal(found.best_dbm, whole.best_dbm[:, :, grid.width // 2 :])


def test_no_masts_give_no_signal(area, heights, grid) -> None:
    found = compose(area, heights, grid, masts=area.masts.iloc[:0])
    assert not np.isfinite(found.best_dbm).any()
    assert (found.best_cell == -1).all()


def test_a_mast_without_terrain_is_left_out_and_named(area, heights, grid) -> None:
    values = area.terrain.values.copy()
    mast = area.masts.iloc[0]
    hole = Raster(area.terrain.grid, values)
    row = int((hole.grid.y_max - mast.geometry.y) // hole.grid.resolution_m)
    column = int((mast.geometry.x - hole.grid.x_min) // hole.grid.resolution_m)
    values[row - 2 : row + 3, column - 2 : column + 3] = np.nan
    found = compose(dataclasses.replace(area, terrain=hole), heights, grid)
    assert found.masts_without_terrain == (mast["mast_id"],)


def test_grid_north_is_turned_from_true_north_as_the_geodesic_says() -> None:
    x, y, crs = 640_000.0, 2_270_000.0, "EPSG:32648"
    to_geographic = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    (lon_1, lat_1), (lon_2, lat_2) = (to_geographic.transform(x, y + d) for d in (0.0, 500.0))
    azimuth, _, _ = pyproj.Geod(ellps="WGS84").inv(lon_1, lat_1, lon_2, lat_2)
    found = masts_of.north_offset_deg(np.array([x]), np.array([y]), crs)[0]
    assert found == pytest.approx(azimuth, abs=0.001)
    assert abs(found) > 0.3


def test_progress_reaches_one_and_a_cancel_comes_through(area, heights, grid) -> None:
    seen: list[float] = []
    compose(area, heights, grid, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    def cancel(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compose(area, heights, grid, on_progress=cancel)
