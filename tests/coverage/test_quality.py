"""SINR and rate against the definition, pixel by pixel."""

import numpy as np
import pytest

from coverage import clutter, composite, mast, quality, sweep, throughput
from data.grid import Grid
from tests.areas import small_area


@pytest.fixture(scope="module")
def network():
    area = small_area()
    grid = Grid.covering(tuple(area.zones.total_bounds), 200.0, area.terrain.grid.crs)
    cells = area.cells.reset_index(drop=True)
    levels = composite.compose(
        area.terrain,
        clutter.clutter_height(area.clutter),
        area.masts,
        cells,
        grid,
        wanted=mast.carriers(cells),
        settings=sweep.SweepSettings(radius_m=4000.0),
    )
    return levels, cells


def test_the_rate_is_that_of_the_best_carrier_worked_out_by_hand(network) -> None:
    levels, cells = network
    operator = "A"
    sinr, rate = quality.best_rate(levels, cells, "4G", operator)
    rows = [i for i, c in enumerate(levels.carriers) if c[:2] == ("4G", operator)]
    assert rows
    seen = 0
    for pixel in np.ndindex(levels.grid.shape):
        best = (-1.0, np.nan)
        for row in rows:
            server = levels.best_cell[row][pixel]
            if server < 0:
                continue
            cell = cells.iloc[server]
            signal = 10.0 ** (levels.best_dbm[row][pixel] / 10.0)
            others = levels.total_mw[row][pixel] - cell["load"] * signal
            noise = 10.0 ** (throughput.metric_noise_dbm("4G", cell["bandwidth_mhz"]) / 10.0)
            ratio = 10.0 * np.log10(signal / (max(others, 0.0) + noise))
            got = throughput.downlink_rate_mbps("4G", ratio, cell["bandwidth_mhz"])
            best = max(best, (float(got), ratio))
        if best[0] < 0.0:
            assert np.isnan(rate[pixel])
        else:
            seen += 1
            assert rate[pixel] == pytest.approx(best[0], rel=0.02, abs=0.05)
            assert sinr[pixel] == pytest.approx(best[1], abs=0.1)
    assert seen > 100


def test_more_load_elsewhere_never_raises_the_rate(network) -> None:
    levels, cells = network
    area = small_area()
    idle = cells.assign(load=0.0)
    alone = composite.compose(
        area.terrain,
        clutter.clutter_height(area.clutter),
        area.masts,
        idle,
        levels.grid,
        wanted=levels.carriers,
        settings=sweep.SweepSettings(radius_m=4000.0),
    )
    _, busy_rate = quality.best_rate(levels, cells, "4G", "A")
    _, idle_rate = quality.best_rate(alone, idle, "4G", "A")
    served = np.isfinite(busy_rate)
    assert (idle_rate[served] >= busy_rate[served] - 1e-3).all()
    assert (idle_rate[served] > busy_rate[served] + 1.0).any()
