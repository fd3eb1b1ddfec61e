"""A changed network against the same network computed from scratch."""

import numpy as np
import pandas as pd
import pytest

from coverage import run, whatif
from data.errors import InputError
from tests.areas import small_area, write_area

REQUEST = run.CoverageRequest(radius_m=2500.0)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return write_area(tmp_path_factory.mktemp("whatif") / "w", small_area(n_masts=9))


def moved(masts, number, east_m):
    changed = masts.copy()
    point = changed.geometry.iloc[number]
    changed.loc[changed.index[number], "geometry"] = type(point)(point.x + east_m, point.y - 70.0)
    return changed


def turned(cells, mast_id):
    changed = cells.copy()
    changed.loc[changed["mast_id"] == mast_id, "azimuth_deg"] += 40.0
    changed["azimuth_deg"] %= 360.0
    return changed


def numbers(figures: pd.DataFrame) -> np.ndarray:
    order = ["zone", "service", "operator", "measure"]
    columns = ["share", "expected", "interval_low", "interval_high", "weight"]
    return figures.sort_values(order)[columns].to_numpy(float)


def from_scratch(workspace, masts, cells, tmp_path):
    area = small_area(n_masts=9)
    present = masts["mast_id"]
    fresh = write_area(
        tmp_path / "fresh", area, masts=masts, cells=cells[cells["mast_id"].isin(present)]
    )
    return whatif.LiveNetwork(fresh, REQUEST)


def test_every_kind_of_change_equals_a_computation_from_scratch(workspace, tmp_path) -> None:
    live = whatif.LiveNetwork(workspace, REQUEST)
    masts, cells = live.masts, live.cells
    name = masts["mast_id"].iloc[3]
    other = masts["mast_id"].iloc[5]
    steps = {
        "move": (moved(masts, 3, 400.0), cells, {name}, {name}),
        "turn": (moved(masts, 3, 400.0), turned(cells, other), {other}, {other}),
        "remove": (
            moved(masts, 3, 400.0).drop(masts.index[3]),
            turned(cells, other),
            {name},
            set(),
        ),
        "back": (masts, cells, {other}, {name, other}),
    }
    for step, (new_masts, new_cells, removed, added) in steps.items():
        present = new_cells["mast_id"].isin(new_masts["mast_id"])
        change = live.change(new_masts, new_cells[present])
        assert set(change.removed) == removed, step
        assert set(change.added) == added, step
        fresh = from_scratch(workspace, new_masts, new_cells, tmp_path / step)
        # A carrier whose only mast went is no longer there from scratch.
        rows = [live.levels.carriers.index(carrier) for carrier in fresh.levels.carriers]
        for array in ("best_dbm", "second_dbm"):
            kept = getattr(live.levels, array)
            assert np.array_equal(kept[rows], getattr(fresh.levels, array)), step
            assert not np.isfinite(np.delete(kept, rows, axis=0)).any(), step
        assert live.levels.total_mw[rows] == pytest.approx(
            fresh.levels.total_mw, rel=1e-6, abs=1e-20
        )
        assert np.allclose(
            numbers(live.figures()), numbers(fresh.figures()), atol=1e-7, equal_nan=True
        ), step


def test_the_figures_are_those_of_a_run(workspace) -> None:
    live = whatif.LiveNetwork(workspace, REQUEST)
    computed = run.compute(workspace, REQUEST)
    assert np.allclose(
        numbers(live.figures()), numbers(computed.figures), atol=1e-9, equal_nan=True
    )


def test_no_change_recomputes_nothing(workspace) -> None:
    live = whatif.LiveNetwork(workspace, REQUEST)
    assert live.change(live.masts, live.cells) == whatif.Change((), ())


def test_a_band_nobody_used_is_refused(workspace) -> None:
    live = whatif.LiveNetwork(workspace, REQUEST)
    cells = live.cells.copy()
    cells.loc[0, "frequency_mhz"] = 758.0
    with pytest.raises(InputError, match="on 758 MHz when the network was loaded"):
        live.change(live.masts, cells)


def test_a_band_nobody_used_may_be_named_before(workspace, tmp_path) -> None:
    area = small_area(n_masts=9)
    known = area.layers["cells"]
    new = known[known["technology"] == "4G"].iloc[[0]]
    new = new.assign(cell_id="new", operator="D", frequency_mhz=758.0)
    live = whatif.LiveNetwork(workspace, REQUEST, also=new)
    cells = pd.concat([live.cells, new], ignore_index=True)
    before = live.covered()
    live.change(live.masts, cells)
    fresh = from_scratch(workspace, live.masts, cells, tmp_path)
    assert np.allclose(numbers(live.figures()), numbers(fresh.figures()), atol=1e-7, equal_nan=True)
    there, now = fresh.covered(), live.covered()
    assert set(there) == set(now)
    assert all(np.array_equal(there[key], now[key]) for key in there)
    assert not before["4G", "D"].any()
    assert now["4G", "D"].any()
