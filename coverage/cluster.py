"""Losses computed by the workers of a Dask cluster.

A mast's losses are a pure function of the workspace's rasters around it, so
only the mast travels to the worker and only its losses travel back, straight
from the worker. A worker reads the rasters by window from the workspace's COGs,
which it must see under the same path (a shared folder). When a worker is lost,
Dask gives its masts to another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coverage import mast
from coverage.request import read_clutter_height, read_within
from coverage.sweep import SweepSettings
from data.errors import InputError
from data.grid import Grid
from data.store import Workspace

#: How long to wait for the scheduler. [s]
CONNECT_TIMEOUT_S = 20.0


def predict_on_worker(
    folder: str, job: mast.MastJob, grid: Grid, settings: SweepSettings
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

    Returns
    -------
    mast.Losses
        The same bits as a prediction from rasters in memory.

    Raises
    ------
    InputError
        If the workspace cannot be read or has no terrain there.
    """
    workspace = Workspace.open(folder)
    reach = settings.radius_m
    bounds = (job.x_m - reach, job.y_m - reach, job.x_m + reach, job.y_m + reach)
    elevation = read_within(workspace, "terrain", bounds)
    if elevation is None:
        raise InputError("The terrain does not reach mast {mast}", mast=job.mast_id)
    return mast.predict_losses(
        job, elevation, read_clutter_height(workspace, bounds), grid, settings
    )


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
        The connection.

    Raises
    ------
    InputError
        If Dask is not installed or the scheduler does not answer.
    """
    try:
        import distributed
    except ImportError as error:
        raise InputError(
            "A Dask scheduler was asked for, but the package distributed is not installed "
            "(pip install distributed)"
        ) from error
    try:
        client = distributed.Client(address, timeout=CONNECT_TIMEOUT_S)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError("The Dask scheduler {address} does not answer", address=address) from error
    try:
        yield client
    finally:
        client.close()


def losses_from(
    client: Any, workspace: Workspace, grid: Grid, settings: SweepSettings
) -> Callable[[mast.MastJob], mast.Losses]:
    """Return a function that has a mast's losses computed by the cluster.

    Parameters
    ----------
    client
        Connection from `connect`.
    workspace
        The study area.
    grid
        The analysis grid.
    settings
        Model, radius and its conditions.

    Returns
    -------
    Callable
        For `composite.compose`; waits for the worker.
    """
    folder = str(Path(workspace.folder).resolve())

    def losses(job: mast.MastJob) -> mast.Losses:
        future = client.submit(predict_on_worker, folder, job, grid, settings, pure=False)
        found: mast.Losses = future.result()
        return found

    return losses


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
