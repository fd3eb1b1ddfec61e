"""Losses of masts kept on disk under a key of all that they depend on.

The key is made of the terrain and clutter around the mast, its place, heights
and frequencies, the grid and the settings. Power, azimuth, tilt and pattern are
not in it: to turn an antenna needs no new propagation.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from coverage.mast import Losses, MastJob
from coverage.sweep import SweepSettings
from data.grid import Grid, Raster

#: Changes whenever the losses of the same inputs would change.
LOSS_VERSION = "1"

#: Most that a workspace's cache may hold before the oldest entries go. [bytes]
DEFAULT_LIMIT_BYTES = 4_000_000_000


class LossCache:
    """A folder of losses.

    Parameters
    ----------
    folder
        The folder; made when the first entry is written.
    limit_bytes
        Size to which `trim` brings it down.
    """

    def __init__(self, folder: Path, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes

    def key(
        self,
        job: MastJob,
        elevation: Raster,
        clutter_height: Raster | None,
        grid: Grid,
        settings: SweepSettings,
    ) -> str:
        """Return the name of a mast's losses.

        Parameters
        ----------
        job
            The mast.
        elevation, clutter_height
            Terrain and clutter; only what lies within the radius counts.
        grid
            The analysis grid.
        settings
            Model, radius and its conditions.

        Returns
        -------
        str
            A hash of all of them.
        """
        digest = hashlib.blake2b(digest_size=20)
        described = {
            "version": LOSS_VERSION,
            "place": (job.x_m, job.y_m),
            "heights": job.antenna_heights_m,
            "frequencies": job.frequencies_mhz,
            "grid": grid.to_dict(),
            "settings": dataclasses.asdict(settings),
        }
        digest.update(json.dumps(described, sort_keys=True).encode())
        for raster in (elevation, clutter_height):
            near = raster and raster.around(job.x_m, job.y_m, settings.radius_m)
            if near is not None:
                digest.update(json.dumps(near.grid.to_dict(), sort_keys=True).encode())
                digest.update(np.ascontiguousarray(near.values).tobytes())
            digest.update(b"|")
        return digest.hexdigest()

    def get(self, key: str, grid: Grid) -> Losses | None:
        """Return kept losses.

        Parameters
        ----------
        key
            Their name.
        grid
            The analysis grid.

        Returns
        -------
        Losses or None
            None if they are not there or cannot be read.
        """
        path = self._folder / f"{key}.npy"
        try:
            with path.open("rb") as file:
                row, column = (int(number) for number in np.load(file))
                packed = np.load(file)
            path.touch()
        except (OSError, ValueError, EOFError):
            return None
        return Losses(grid.window(row, column, *packed.shape[1:]), packed)

    def put(self, key: str, grid: Grid, losses: Losses) -> None:
        """Keep losses; a full or read-only disk only means that they are not kept.

        Parameters
        ----------
        key
            Their name.
        grid
            The analysis grid.
        losses
            The losses.
        """
        row = round((grid.y_max - losses.grid.y_max) / grid.resolution_m)
        column = round((losses.grid.x_min - grid.x_min) / grid.resolution_m)
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
            try:
                with os.fdopen(handle, "wb") as file:
                    np.save(file, np.array([row, column]))
                    np.save(file, losses.packed)
                Path(name).replace(self._folder / f"{key}.npy")
            finally:
                Path(name).unlink(missing_ok=True)

    def trim(self) -> None:
        """Remove the entries used longest ago until the folder is within its limit."""
        entries = []
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                with contextlib.suppress(OSError):
                    found = path.stat()
                    entries.append((found.st_mtime_ns, found.st_size, path))
        excess = sum(size for _, size, _ in entries) - self._limit_bytes
        for _, size, path in sorted(entries):
            if excess <= 0:
                return
            path.unlink(missing_ok=True)
            excess -= size


def kept_losses(
    cache: LossCache,
    compute: Callable[[MastJob], Losses],
    elevation: Raster,
    clutter_height: Raster | None,
    grid: Grid,
    settings: SweepSettings,
) -> Callable[[MastJob], Losses]:
    """Return a function that takes a mast's losses from the cache or computes and keeps them.

    Parameters
    ----------
    cache
        Where they are kept.
    compute
        What to do where they are not.
    elevation, clutter_height, grid, settings
        What they depend on beside the mast.

    Returns
    -------
    Callable
        For `composite.compose`.
    """

    @functools.cache
    def key_of(job: MastJob) -> str:
        return cache.key(job, elevation, clutter_height, grid, settings)

    def losses(job: MastJob) -> Losses:
        key = key_of(job)
        found = cache.get(key, grid)
        if found is None:
            found = compute(job)
            cache.put(key, grid, found)
        return found

    return losses
