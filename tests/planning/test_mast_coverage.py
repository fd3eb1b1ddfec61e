"""What each mast covers alone, against the engine's coverage of all masts together."""

import geopandas as gpd
import numpy as np
import pytest

from coverage import run
from coverage.request import services, sigma_by_cell
from coverage.whatif import LiveNetwork
from data.errors import CancelledError, InputError
from data.store import Workspace
from planning import mast_coverage
from tests.areas import small_area, write_area

REQUEST = run.CoverageRequest(radius_m=3000.0)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    return write_area(tmp_path_factory.mktemp("mast-coverage") / "w", small_area(n_masts=9))


@pytest.fixture(scope="module")
def found(workspace) -> mast_coverage.MastCoverage:
    return mast_coverage.compute(workspace, REQUEST)


@pytest.fixture(scope="module")
def live(workspace) -> LiveNetwork:
    return LiveNetwork(workspace, REQUEST)


def engine(live: LiveNetwork):
    """What the engine compares, from its levels."""
    return services(live._plan, live.levels, sigma_by_cell(live._plan, live._all_cells))


def frequencies(live: LiveNetwork, service) -> int:
    return len({item.frequency_mhz for item in live._plan.carriers if item[:2] == service})


def test_the_masts_together_cover_what_the_engine_finds_covered(found, live) -> None:
    exact = 0
    for service, where in engine(live).items():
        if service not in found.services:
            continue
        union = found.covered(service).reshape(found.grid.shape)
        assert union.any()
        assert (union | ~where.covered).all()  # never less
        if frequencies(live, service) == 1:
            assert np.array_equal(union, where.covered)
            exact += 1
    assert exact >= 3


def test_one_mast_alone_covers_its_column(workspace, found) -> None:
    alone = LiveNetwork(workspace, REQUEST)
    alone.change(alone.masts.iloc[[3]], alone.cells)
    flags = np.arange(len(found.masts)) == 3
    for service, where in engine(alone).items():
        if service in found.services:
            own = found.covered(service, flags).reshape(found.grid.shape)
            assert np.array_equal(own, where.covered)


def test_people_and_area_are_those_of_the_figures(workspace, found, live) -> None:
    table = live.figures()
    whole = table[(table["level"] == "province") & (table["operator"] != "any")]
    for row in whole.itertuples():
        service = (row.service, row.operator)
        if service not in found.services or row.measure == "village":
            continue
        if frequencies(live, service) > 1:
            continue
        weight = found.people if row.measure == "population" else found.area_m2 / 1e6
        assert weight.sum() == pytest.approx(row.weight, rel=1e-3)
        covered = weight[found.covered(service)].sum()
        assert covered == pytest.approx(row.share * row.weight, rel=1e-3, abs=1e-6)


def test_every_pixel_with_area_has_a_commune(workspace, found) -> None:
    zones = workspace.read("zones")
    inside = found.area_m2 > 0.0
    assert (found.commune[~inside] == -1).all()
    levels = set(zones["level"].iloc[np.unique(found.commune[inside])])
    assert levels == {"commune"}


def test_threads_and_order_of_masts_do_not_matter(workspace, found) -> None:
    order = np.arange(len(found.masts))[::-1]
    again = mast_coverage.compute(workspace, REQUEST, found.masts.iloc[order], threads=1)
    for service in found.services:
        assert (found.membership[service][:, order] != again.membership[service]).nnz == 0


def test_tiles_do_not_matter(workspace, found, monkeypatch) -> None:
    monkeypatch.setattr(run, "TILE_PIXELS", 17)
    again = mast_coverage.compute(workspace, REQUEST)
    for service in found.services:
        assert (found.membership[service] != again.membership[service]).nnz == 0


def test_a_candidate_is_predicted_like_a_mast(workspace, found) -> None:
    """A planned copy of a mast covers what the mast covers; an operator of its own, too."""
    mast = found.masts.iloc[[2]].assign(mast_id="new", status="planned")
    cells = workspace.read("cells")
    own = cells[cells["mast_id"] == found.masts["mast_id"].iloc[2]]
    copies = own.assign(mast_id="new", cell_id="new-" + own["cell_id"], operator="Z")
    alone = mast_coverage.compute(workspace, REQUEST, mast, copies)
    services = {(item.technology, item.operator) for item in own.itertuples()}
    for technology, operator in services:
        before = found.membership[technology, operator][:, [2]]
        assert (before != alone.membership[technology, "Z"]).nnz == 0


def test_a_mast_far_away_covers_nothing(workspace, found) -> None:
    far = found.masts.iloc[[0]].copy()
    far.geometry = gpd.GeoSeries(far.geometry).translate(500_000.0, 0.0)
    nothing = mast_coverage.compute(workspace, REQUEST, far)
    assert all(table.nnz == 0 and table.shape[1] == 1 for table in nothing.membership.values())


def test_cancelling_stops_at_once(workspace) -> None:
    calls = []

    def stop(share: float) -> None:
        calls.append(share)
        raise CancelledError

    with pytest.raises(CancelledError):
        mast_coverage.compute(workspace, REQUEST, on_progress=stop)
    assert len(calls) == 1


def test_an_unknown_operator_is_refused(workspace) -> None:
    request = run.CoverageRequest(operators=("Nobody",), radius_m=3000.0)
    with pytest.raises(InputError, match="Nobody"):
        mast_coverage.compute(workspace, request)
