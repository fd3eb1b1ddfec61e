"""The same figures from a cluster, with a worker lost on the way; faults in one line."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from coverage import cluster, mast, request, results, run
from data.errors import InputError
from data.store import Workspace
from planning import __main__ as command_line
from tests.areas import small_area, write_area
from tests.coverage.calibrations import save_correction

distributed = pytest.importorskip("distributed")

REQUEST = run.CoverageRequest(radius_m=3000.0, resolution_m=100.0)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return write_area(tmp_path_factory.mktemp("cluster") / "w", small_area(n_masts=40))


@pytest.fixture(scope="module")
def local(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> results.CoverageResult:
    """The figures of this process."""
    return run.compute(copy_of(workspace, tmp_path_factory.mktemp("local")), REQUEST)


@pytest.fixture(scope="module")
def dask_cluster():
    """Two worker processes that find our `coverage` as people would have them find it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        with distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            host="127.0.0.1",
            silence_logs=logging.CRITICAL,
        ) as running:
            yield running


def copy_of(workspace: Workspace, folder: Path) -> Workspace:
    """The same inputs, with nothing computed yet."""
    return Workspace.open(
        shutil.copytree(
            workspace.folder, folder / "w", ignore=shutil.ignore_patterns("results", "cache")
        )
    )


def pids(dask_cluster) -> set[int]:
    with distributed.Client(dask_cluster, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=30)
        return set(client.run(os.getpid).values())


def assert_same(found: results.CoverageResult, expected: results.CoverageResult) -> None:
    assert found.figures.equals(expected.figures)
    for name in ("2G", "3G", "4G"):
        for kind in ("level", "server"):
            here = getattr(expected, kind)(name).values
            assert np.array_equal(getattr(found, kind)(name).values, here, equal_nan=True)
    assert found.summary["zones"] == expected.summary["zones"]


def test_the_workers_are_two_other_processes(dask_cluster) -> None:
    assert len(pids(dask_cluster) - {os.getpid()}) == 2


def test_a_cluster_gives_the_same_bits(dask_cluster, workspace, local, tmp_path) -> None:
    # Only the workers may predict: this process would find out by failing.
    fresh = copy_of(workspace, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "predict_losses", refuse)
        found = run.compute(fresh, REQUEST, scheduler=dask_cluster.scheduler_address)
    assert_same(found, local)
    kept = list((fresh.folder / "cache" / "loss").glob("*.npy"))
    assert len(kept) == 40


def refuse(*_: object) -> mast.Losses:
    raise AssertionError("predicted here")


def test_a_lost_workers_masts_are_computed_by_the_other(
    dask_cluster, workspace, local, tmp_path
) -> None:
    before = pids(dask_cluster)
    killed: list[int] = []

    def kill_one(share: float) -> None:
        if share > 0.1 and not killed:
            killed.append(min(before))
            os.kill(killed[0], signal.SIGKILL)

    fresh = copy_of(workspace, tmp_path)
    address = dask_cluster.scheduler_address
    found = run.compute(fresh, REQUEST, scheduler=address, on_progress=kill_one)
    assert len(killed) == 1
    assert_same(found, local)
    assert killed[0] not in pids(dask_cluster)  # its keeper started another


def test_a_calibration_is_the_same_from_a_cluster(dask_cluster, workspace, tmp_path) -> None:
    request_ = run.CoverageRequest(
        radius_m=2000.0, resolution_m=200.0, technologies=("4G",), calibration="test"
    )
    answers = []
    for name, scheduler in (("here", None), ("there", dask_cluster.scheduler_address)):
        fresh = copy_of(workspace, tmp_path / name)
        save_correction(fresh)
        answers.append(run.compute(fresh, request_, scheduler=scheduler))
    levels = [answer.level("4G").values for answer in answers]
    assert np.isfinite(levels[0]).any()
    assert np.array_equal(*levels, equal_nan=True)
    assert answers[0].figures.equals(answers[1].figures)


def test_a_worker_that_does_not_see_the_workspace_says_so(dask_cluster, workspace) -> None:
    plan = request.make_plan(workspace, REQUEST)
    elsewhere = SimpleNamespace(
        workspace=SimpleNamespace(folder=Path("/nowhere/{shared}")),
        grid=plan.grid,
        settings=plan.settings,
        own=plan.own,
    )
    around = request.surroundings(plan, plan.grid)
    jobs, _ = mast.mast_jobs(
        around.elevation, workspace.read("masts"), workspace.read("cells"), plan.carriers
    )
    with (
        cluster.connect(dask_cluster.scheduler_address) as client,
        pytest.raises(InputError, match=r"does not see the workspace /nowhere/\{shared\}"),
    ):
        cluster.losses_from(client, elsewhere)(jobs[0])


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x", "tcp://", ""])
def test_a_wrong_address_is_one_readable_line(
    workspace, tmp_path, address, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_TIMEOUT_S", 1.0)
    threads = threading.active_count()
    fresh = copy_of(workspace, tmp_path)
    words = ["coverage", "--workspace", str(fresh.folder), "--out", str(tmp_path / "out")]
    assert command_line.main([*words, "--scheduler", address]) == 2
    said = capsys.readouterr().err
    assert said == f"Error: The Dask scheduler {address} does not answer\n"
    assert not list((fresh.folder / "results").iterdir())
    assert threading.active_count() <= threads + 4


def test_workers_that_cannot_import_the_program_are_said(workspace, tmp_path, monkeypatch) -> None:
    """A worker started elsewhere, as people would by mistake: it ends with its first mast."""
    monkeypatch.setattr(cluster, "CONNECT_TIMEOUT_S", 1.5)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    words = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny", "--nthreads", "1"]
    with distributed.LocalCluster(
        n_workers=0, processes=False, dashboard_address=":0", protocol="tcp://"
    ) as lonely:
        worker = subprocess.Popen(
            [*words, "--no-dashboard", lonely.scheduler_address],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with distributed.Client(lonely, set_as_default=False) as client:
                client.wait_for_workers(1, timeout=30)
            fresh = copy_of(workspace, tmp_path)
            with pytest.raises(InputError, match=r"on PYTHONPATH"):
                run.compute(fresh, REQUEST, scheduler=lonely.scheduler_address)
        finally:
            worker.kill()
            worker.wait()


def test_a_scheduler_that_is_lost_on_the_way_is_said(workspace, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_TIMEOUT_S", 2.0)
    running = distributed.LocalCluster(
        n_workers=1, processes=False, dashboard_address=":0", protocol="tcp://"
    )
    closed = []

    def close(_: float) -> None:
        if not closed:
            closed.append(True)
            running.close()

    fresh = copy_of(workspace, tmp_path)
    with pytest.raises(InputError, match=r"lost"):
        run.compute(fresh, REQUEST, scheduler=running.scheduler_address, on_progress=close)
    assert list((fresh.folder / "results").iterdir()) == []


def test_a_scheduler_without_workers_is_one_readable_line(workspace, monkeypatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_TIMEOUT_S", 1.0)
    with (
        distributed.LocalCluster(
            n_workers=0, processes=False, dashboard_address=":0", protocol="tcp://"
        ) as empty,
        pytest.raises(InputError, match=r"The Dask scheduler tcp://.* has no workers"),
    ):
        run.compute(workspace, REQUEST, scheduler=empty.scheduler_address)
