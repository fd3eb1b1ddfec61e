"""Losses computed by the workers of a Dask cluster.

A mast's losses are a pure function of the workspace's rasters around it, so
only the mast travels to the worker and only its losses travel back, straight
from the worker. A worker reads the rasters by window from the workspace's COGs,
which it must see under the same path (a shared folder). When a worker is lost,
Dask gives its masts to another.

Scheduler and workers run this program's code: start them in its folder or with
it on PYTHONPATH, with the same packages.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from coverage import mast
from coverage.request import Plan, read_clutter_height, read_within
from coverage.sweep import SweepSettings
from data.errors import InputError
from data.grid import Grid
from data.store import Workspace

#: How long to wait for the scheduler and its first worker. [s]
CONNECT_TIMEOUT_S = 20.0

#: Loggers that report every lost connection; what matters is raised.
_CHATTY = ("distributed", "distributed.client", "tornado.application")


def predict_on_worker(
    folder: str,
    job: mast.MastJob,
    grid: Grid,
    settings: SweepSettings,
    clutter_heights: pd.DataFrame,
) -> mast.Losses:
    """Predict the losses of one mast from a workspace's rasters.

    Parameters
    ----------
    folder
        The workspace.
    job
        The mast.
    grid
        The analysis grid.
    settings
        Model, radius and its conditions.
    clutter_heights
        Heights of the clutter classes.

    Returns
    -------
    mast.Losses
        The same bits as a prediction from rasters in memory.

    Raises
    ------
    InputError
        If the worker does not see the workspace, or it has no terrain there.
    """
    if not Workspace.exists(folder):
        raise InputError(
            "A worker of the cluster does not see the workspace {folder} (expected a shared "
            "folder, under the same path on every machine)",
            folder=folder,
        )
    workspace = Workspace.open(folder)
    reach = settings.radius_m
    bounds = (job.x_m - reach, job.y_m - reach, job.x_m + reach, job.y_m + reach)
    elevation = read_within(workspace, "terrain", bounds)
    if elevation is None:
        raise InputError("The terrain does not reach mast {mast}", mast=job.mast_id)
    clutter_height = read_clutter_height(workspace, bounds, clutter_heights)
    return mast.predict_losses(job, elevation, clutter_height, grid, settings)


@contextmanager
def connect(address: str) -> Iterator[Any]:
    """Connect to a Dask scheduler.

    Parameters
    ----------
    address
        E.g. ``"tcp://10.0.0.1:8786"``.

    Yields
    ------
    distributed.Client
        The connection, with at least one worker.

    Raises
    ------
    InputError
        If Dask is not installed, the scheduler does not answer or has no worker.
    """
    try:
        import distributed
    except ImportError as error:
        raise InputError(
            "A Dask scheduler was asked for, but the package distributed is not installed "
            "(pip install distributed)"
        ) from error
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        client = distributed.Client(
            address, timeout=CONNECT_TIMEOUT_S, direct_to_workers=True, set_as_default=False
        )
    except (OSError, ValueError, TypeError) as error:
        raise InputError("The Dask scheduler {address} does not answer", address=address) from error
    try:
        try:
            client.wait_for_workers(1, timeout=CONNECT_TIMEOUT_S)
        except TimeoutError as error:
            raise InputError("The Dask scheduler {address} has no workers", address=address) from (
                error
            )
        yield client
    finally:
        client.close()


def losses_from(client: Any, plan: Plan) -> Callable[[mast.MastJob], mast.Losses]:
    """Return a function that has a mast's losses computed by the cluster.

    Parameters
    ----------
    client
        Connection from `connect`.
    plan
        The question.

    Returns
    -------
    Callable
        For `composite.compose`; waits for the worker. Raises `InputError` if the
        worker cannot do it.
    """
    import distributed
    from distributed.client import FutureCancelledError

    folder = str(Path(plan.workspace.folder).resolve())

    def losses(job: mast.MastJob) -> mast.Losses:
        future = client.submit(
            predict_on_worker,
            folder,
            job,
            plan.grid,
            plan.settings,
            plan.own.clutter_heights,
            pure=False,
        )
        try:
            return _outcome(client, future)
        except InputError:
            raise
        except (FutureCancelledError, OSError) as error:
            raise InputError("The connection to the Dask scheduler was lost") from error
        except distributed.KilledWorker as error:
            raise InputError(
                "Mast {mast} was given up after several workers of the cluster were lost with it "
                "(their memory may be too small)",
                mast=job.mast_id,
            ) from error
        except (ImportError, AttributeError, RuntimeError) as error:
            raise InputError(
                "The cluster cannot run this program: {reason} (start the scheduler and its "
                "workers in the program's folder, or with it on PYTHONPATH)",
                reason=" ".join(str(error).split())[:200],
            ) from error

    return losses


def _outcome(client: Any, future: Any) -> mast.Losses:
    """Wait for a worker's losses, but not for workers that will not come back."""
    while True:
        try:
            found: mast.Losses = future.result(timeout=CONNECT_TIMEOUT_S)
        except TimeoutError:
            try:
                client.wait_for_workers(1, timeout=CONNECT_TIMEOUT_S)
            except TimeoutError as error:
                raise InputError(
                    "The cluster has lost all its workers (they end if they cannot import this "
                    "program: start them in its folder, or with it on PYTHONPATH)"
                ) from error
        else:
            return found


def threads_for(client: Any) -> int:
    """Return how many masts to have under way so that no worker waits.

    Parameters
    ----------
    client
        Connection from `connect`.

    Returns
    -------
    int
        At least 2.
    """
    return max(2, 2 * sum(client.nthreads().values()))
