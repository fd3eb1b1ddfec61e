"""A workspace: one database of layers, rasters and where all of it came from.

A workspace is a folder::

    workspace.gpkg    layers, tables, the study area and provenance; opens in QGIS
    rasters/*.tif     Cloud-Optimised GeoTIFF, named by their content
    manifest.json     the provenance once more, for people
    history/*.gpkg    the database as it was before each of the last imports
    cache/            what can be computed again
    scenarios/*/      workspaces derived from this one, with another network

Every change is made on a copy of the database, which then takes the place of
the old one in a single step. Rasters are written beside it under new names
first, and the database says which of them count, so layers, rasters and
provenance change together or not at all, even if the program is killed.
Readers never wait; writers wait for each other.

A change that can be undone leaves the replaced database in ``history``; the new
database holds the list of these steps, so a step is there if and only if its
change is. Undoing takes the layers and rasters of the step from there and leaves
all others as they are.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

import filelock
import numpy as np
import pandas as pd
import platformdirs

from data import rasters as raster_files
from data import schema
from data.area import Provenance as Provenance
from data.area import StudyAreaInfo as StudyAreaInfo
from data.database import CACHE, FORMAT, Entry, GeoPackage, signature, sync, sync_folder
from data.database import Step as Step
from data.errors import InputError, Problem, ValidationError
from data.grid import Grid, Raster
from data.rasters import RasterInfo

DATABASE = "workspace.gpkg"

HISTORY_STEPS = 10
"""Most changes that can be undone."""

HISTORY_BYTES = 2_000_000_000
"""Disk space above which older changes can no longer be undone; the last one always can."""

DERIVED = "scenarios"
"""Folder of a workspace in which workspaces derived from it lie."""

_HISTORY = "history"
_TEMPORARY = ".tmp-"
_LOCK_TIMEOUT_S = 60.0


def default_workspace(area: str = "demo") -> Path:
    """Return the folder used where none is given.

    Parameters
    ----------
    area
        Name of the study area.

    Returns
    -------
    Path
        $PHUSONG_WORKSPACE, else a folder of the area in the user's data folder.
    """
    given = os.environ.get("PHUSONG_WORKSPACE")
    if given:
        return Path(given)
    return Path(platformdirs.user_data_dir("phusong", appauthor=False)) / "workspaces" / area


class Workspace:
    """The data of one study area; open it with `open` or make it with `create`.

    Parameters
    ----------
    folder
        The folder.

    Attributes
    ----------
    folder
        The folder.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._database = GeoPackage(self.folder / DATABASE)

    def __repr__(self) -> str:
        return f"Workspace({str(self.folder)!r})"

    @classmethod
    def exists(cls, folder: Path | str) -> bool:
        """Return whether a folder holds a workspace, sound or not."""
        return (Path(folder) / DATABASE).is_file()

    @classmethod
    def open(cls, folder: Path | str) -> Workspace:
        """Open a workspace.

        Parameters
        ----------
        folder
            The folder.

        Returns
        -------
        Workspace
            The workspace.

        Raises
        ------
        InputError
            If the folder does not exist, is no workspace, or is damaged.
        """
        workspace = cls(folder)
        if not workspace.folder.is_dir():
            raise InputError(
                "There is no folder {folder}; make a workspace with `data build`", folder=folder
            )
        workspace._database.check()
        return workspace

    @classmethod
    def create(cls, folder: Path | str, area: StudyAreaInfo) -> Workspace:
        """Make an empty workspace.

        Parameters
        ----------
        folder
            The folder; made if it does not exist.
        area
            The study area.

        Returns
        -------
        Workspace
            The workspace.

        Raises
        ------
        InputError
            If there is a workspace already.
        """
        if cls.exists(folder):
            raise InputError("There is a workspace in {folder} already", folder=folder)
        return cls.replace(folder, area)

    @classmethod
    def replace(
        cls,
        folder: Path | str,
        area: StudyAreaInfo,
        layers: Mapping[str, pd.DataFrame] | None = None,
        provenance: Mapping[str, Provenance] | None = None,
        *,
        rasters: Mapping[str, Raster | Path] | None = None,
        keep: Iterable[str] = (),
    ) -> Workspace:
        """Make a workspace with all its content in one step, in place of an older one.

        Parameters
        ----------
        folder
            The folder; made if it does not exist.
        area
            The study area.
        layers, provenance, rasters
            See `write`.
        keep
            Layers and rasters of the older workspace to leave as they are.

        Returns
        -------
        Workspace
            The workspace.
        """
        workspace = cls(folder)
        path = workspace.folder
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                "The folder {folder} cannot be made: {reason}",
                folder=folder,
                reason=error.strerror or str(error),
            ) from error
        workspace._commit(
            dict(layers or {}),
            dict(provenance or {}),
            dict(rasters or {}),
            area=area,
            keep=set(keep),
        )
        return workspace

    @property
    def area(self) -> StudyAreaInfo:
        """The study area."""
        return self._database.area()

    @property
    def base(self) -> Workspace | None:
        """The workspace that this one is derived from, or None."""
        around = self.folder.absolute().parent
        if around.name != DERIVED or not self.exists(around.parent):
            return None
        return Workspace(around.parent)

    @property
    def cache_folder(self) -> Path:
        """Folder of what can be computed again; a derived workspace uses that of its base."""
        return (self.base or self).folder / "cache"

    def derive(
        self, folder: Path, layers: Mapping[str, pd.DataFrame], provenance: Mapping[str, Provenance]
    ) -> Workspace:
        """Make another workspace with the same content but for some layers.

        Rasters are not copied where the file system can refer to the same file twice.

        Parameters
        ----------
        folder
            An empty folder.
        layers
            Content of the layers that are to differ; geometry in the area's CRS.
        provenance
            Where it came from.

        Returns
        -------
        Workspace
            The new one; it has no history.

        Raises
        ------
        ValidationError
            With every fault of every layer.
        """
        index = self._database.index()
        frames, _ = self._examined(dict(layers), self.area.crs, set(), set(index))
        index |= {name: Entry("", provenance[name]) for name in layers}
        for entry in index.values():
            if entry.file:
                _link_or_copy(self.folder / "rasters" / entry.file, folder / "rasters" / entry.file)
        target = folder / DATABASE
        self._database.write_copy(target, self.area, frames, set(), index, [])
        workspace = Workspace(folder)
        workspace._write_manifest()
        return workspace

    def layers(self) -> list[str]:
        """Return the names of the layers and tables, in the registry's order."""
        there = self._database.index()
        return [name for name in schema.LAYERS if name in there]

    def rasters(self) -> list[str]:
        """Return the names of the rasters, in the registry's order."""
        there = self._database.index()
        return [name for name in schema.RASTERS if name in there]

    def has(self, name: str) -> bool:
        """Return whether there is a layer or raster of this name.

        Parameters
        ----------
        name
            Layer or raster.

        Returns
        -------
        bool
            Whether it is there; a layer without rows is there.
        """
        return name in self._database.index()

    def provenance(self) -> dict[str, Provenance]:
        """Return where each layer and raster came from."""
        index = self._database.index()
        names = [*schema.LAYERS, *schema.RASTERS]
        return {name: index[name].provenance for name in names if name in index}

    def read(self, layer: str) -> pd.DataFrame:
        """Return a layer.

        Parameters
        ----------
        layer
            Layer name.

        Returns
        -------
        DataFrame or GeoDataFrame
            A copy, with every declared column in its declared type.

        Raises
        ------
        InputError
            If the workspace has no such layer.
        """
        schema.layer_named(layer)
        if not self.has(layer):
            raise InputError("The workspace has no {layer}", layer=layer)
        return self._database.read(layer).copy()

    def read_raw(self, layer: str) -> pd.DataFrame:
        """Return a layer as it stands in the database, where other programs may have edited it.

        Parameters
        ----------
        layer
            Layer name.

        Returns
        -------
        DataFrame or GeoDataFrame
            The index, named ``"row"``, is the feature number that QGIS shows.
        """
        schema.layer_named(layer)
        if not self.has(layer):
            raise InputError("The workspace has no {layer}", layer=layer)
        return self._database.read_raw(layer)

    def write(
        self,
        layers: Mapping[str, pd.DataFrame],
        provenance: Mapping[str, Provenance],
        *,
        rasters: Mapping[str, Raster | Path] | None = None,
        drop: Iterable[str] = (),
        undoable: tuple[str, str] | None = None,
    ) -> list[Problem]:
        """Replace layers and rasters, all at once or, if anything is wrong, none.

        Parameters
        ----------
        layers
            New content by layer; geometry in the area's CRS.
        provenance
            Where each of `layers` and `rasters` came from.
        rasters
            New content by raster: values, or a file in any CRS.
        drop
            Layers and rasters to remove.
        undoable
            What is done, and the file that it is done with, where `undo` shall
            be able to take it back.

        Returns
        -------
        list of Problem
            What is doubtful but was kept.

        Raises
        ------
        ValidationError
            With every fault of every layer.
        InputError
            If a raster is not usable or provenance is missing.
        """
        return self._commit(
            dict(layers),
            dict(provenance),
            dict(rasters or {}),
            area=None,
            drop=set(drop),
            undoable=undoable,
        )

    def history(self) -> list[Step]:
        """Return the changes that `undo` can take back, the last one first."""
        return self._database.history()[::-1]

    def undo(self) -> Step:
        """Take the last undoable change back.

        The layers and rasters that it changed become what they were, with their
        provenance; what others were since then is kept.

        Returns
        -------
        Step
            What was undone.

        Raises
        ------
        InputError
            If there is nothing to undo, or one of these layers or rasters was
            changed since then, or does not fit the others any more; then
            nothing is changed.
        """
        with self.locked():
            self._clean()
            steps = self._database.history()
            if not steps:
                raise InputError("There is no import to undo in {folder}", folder=self.folder)
            step = steps[-1]
            index = self._database.index()
            for name in step.names:
                if self._database.state(name, index) != step.after.get(name):
                    raise InputError(
                        "{name} was changed after the import of {time} ({what}); undoing it would "
                        "lose that change",
                        name=name,
                        time=step.when,
                        what=step.what,
                    )
            old = GeoPackage(self._kept(step))
            old.check()
            before = old.index()
            kept = {name: entry for name, entry in index.items() if name not in step.names}
            kept |= {name: before[name] for name in step.names if name in before}
            frames = {
                name: old.read(name)
                for name in step.names
                if name in before and name in schema.LAYERS
            }
            if {"masts", "cells"} & set(step.names):
                self._check_restored(frames, kept)
            if {"network_sites", "network_links"} & set(step.names):
                self._check_restored_links(frames, kept)
            gone = {name for name in step.names if name in index and name not in before}
            self._replace_database(self.area, frames, gone, kept, steps[:-1])
        return step

    def _kept(self, step: Step) -> Path:
        return self.folder / _HISTORY / f"{step.number:06d}.gpkg"

    def _check_restored(
        self, frames: Mapping[str, pd.DataFrame], kept: Mapping[str, Entry]
    ) -> None:
        """Refuse to undo what would leave cells without their masts."""
        if "cells" not in kept:
            return
        now = {
            name: frames[name] if name in frames else self._database.read(name)
            for name in ("cells", "masts")
            if name in kept
        }
        known = set(now["masts"]["mast_id"]) if "masts" in now else set()
        orphans = int((~now["cells"]["mast_id"].isin(known)).sum())
        if orphans:
            raise InputError(
                "Undoing would leave {count} cells without their masts; undo or replace the later "
                "change of masts or cells first",
                count=orphans,
            )

    def _check_restored_links(
        self, frames: Mapping[str, pd.DataFrame], kept: Mapping[str, Entry]
    ) -> None:
        """Refuse to undo what would leave links without their sites."""
        if "network_links" not in kept:
            return
        now = {
            name: frames[name] if name in frames else self._database.read(name)
            for name in ("network_links", "network_sites")
            if name in kept
        }
        orphans = int(_without_site(now["network_links"], now.get("network_sites")).sum())
        if orphans:
            raise InputError(
                "Undoing would leave {count} links without their sites; undo or replace the later "
                "change of sites or links first",
                count=orphans,
            )

    def write_text(self, name: str, text: str) -> None:
        """Write a text file into the folder in one step.

        Parameters
        ----------
        name
            File name.
        text
            Content.
        """
        temporary = self.folder / f"{_TEMPORARY}{os.getpid()}-{name}"
        temporary.write_text(text, encoding="utf-8")
        sync(temporary)
        temporary.replace(self.folder / name)

    def write_raster(
        self,
        name: str,
        raster: Raster | Path,
        provenance: Provenance,
        *,
        undoable: tuple[str, str] | None = None,
    ) -> None:
        """Replace a raster.

        Parameters
        ----------
        name
            Raster name.
        raster
            Values, or a file that GDAL reads, in any CRS, which is kept.
        provenance
            Where it came from.
        undoable
            See `write`.
        """
        self.write({}, {name: provenance}, rasters={name: raster}, undoable=undoable)

    def raster_path(self, name: str) -> Path:
        """Return the GeoTIFF of a raster.

        Parameters
        ----------
        name
            Raster name.

        Returns
        -------
        Path
            The file.
        """
        schema.raster_named(name)
        entry = self._database.index().get(name)
        if entry is None:
            raise InputError("The workspace has no {layer}", layer=name)
        return self.folder / "rasters" / entry.file

    def raster_info(self, name: str) -> RasterInfo:
        """Return what a raster is, without its values.

        Parameters
        ----------
        name
            Raster name.

        Returns
        -------
        RasterInfo
            CRS, size, its own grid and more.
        """
        layer = schema.raster_named(name)
        for path in self._raster_paths(name):
            with contextlib.suppress(FileNotFoundError):
                return raster_files.describe(path, layer, self.area.crs)
        raise self._lost(name)

    def read_raster(
        self, name: str, grid: Grid | None = None, resampling: str | None = None
    ) -> Raster:
        """Return a raster, whole or on a grid.

        Parameters
        ----------
        name
            Raster name.
        grid
            Target; only what lies under it is read, and pixels beyond the
            raster are NaN. None for the grid of `raster_info`.
        resampling
            See `data.rasters.read`; None for the layer's own kind. ``"sum"``
            keeps totals.

        Returns
        -------
        Raster
            float32, NaN where there is no data.
        """
        layer = schema.raster_named(name)
        if grid is None:
            grid = self.raster_info(name).grid
        for path in self._raster_paths(name):
            with contextlib.suppress(FileNotFoundError):
                return raster_files.read(path, grid, resampling or layer.resampling)
        raise self._lost(name)

    def analysis_grid(self, resolution_m: float | None = None) -> Grid:
        """Return the grid of results over the study area.

        Parameters
        ----------
        resolution_m
            Pixel size; None for the area's default. [m]

        Returns
        -------
        Grid
            Covers the zones, or the area's bounds where there are no zones.
        """
        area = self.area
        bounds = area.bounds
        if self.has("zones"):
            zones = self._database.read("zones")
            if len(zones):
                x_min, y_min, x_max, y_max = (float(value) for value in zones.total_bounds)
                bounds = (x_min, y_min, x_max, y_max)
        if bounds is None:
            raise InputError("The workspace has no zones, so its extent is not known")
        resolution = area.resolution_m if resolution_m is None else resolution_m
        if not (resolution > 0 and np.isfinite(resolution)):
            raise InputError(
                "The grid resolution is {value} m, but it must be greater than 0",
                value=resolution,
            )
        return Grid.covering(bounds, resolution, area.crs)

    def content_hash(self, *names: str) -> str:
        """Return a hash of the content of layers and rasters, for cache keys.

        Parameters
        ----------
        *names
            Layers and rasters; none for all. One that is not there counts as
            absent.

        Returns
        -------
        str
            SHA-256 in hexadecimal; the same for the same content, whenever and
            wherever it was written.
        """
        digest = hashlib.sha256(self.area.crs.encode())
        for name in sorted(set(names) or {*self.layers(), *self.rasters()}):
            digest.update(f"\n{name} {self._hash_of(name)}".encode())
        return digest.hexdigest()

    def _hash_of(self, name: str) -> str:
        if not self.has(name):
            return "absent"
        if name in schema.LAYERS:
            return self._database.hash_of(name)
        for path in self._raster_paths(name):
            with contextlib.suppress(FileNotFoundError):
                key = (str(path), "raster", signature(path))
                return str(CACHE.get(key, partial(raster_files.content_hash, path)))
        raise self._lost(name)

    def _raster_paths(self, name: str) -> Iterator[Path]:
        """Yield the raster's path, and once more after a writer has replaced it."""
        first = self.raster_path(name)
        yield first
        second = self.raster_path(name)
        if second != first:
            yield second

    def _lost(self, name: str) -> InputError:
        return InputError(
            "The workspace {folder} is damaged: the raster {name} is missing",
            folder=self.folder,
            name=name,
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other writers out; not for use around the writes of this class."""
        lock = filelock.FileLock(self.folder / ".lock")
        try:
            with lock.acquire(timeout=_LOCK_TIMEOUT_S):
                yield
        except filelock.Timeout as error:
            raise InputError(
                "Another program is writing to {folder}; try again when it is done",
                folder=self.folder,
            ) from error
        except PermissionError as error:
            raise InputError("{folder} cannot be written to", folder=self.folder) from error

    def _commit(
        self,
        layers: dict[str, pd.DataFrame],
        provenance: dict[str, Provenance],
        rasters: dict[str, Raster | Path],
        *,
        area: StudyAreaInfo | None,
        drop: set[str] | None = None,
        keep: set[str] | None = None,
        undoable: tuple[str, str] | None = None,
    ) -> list[Problem]:
        if self.base is not None:
            raise InputError(
                "{folder} is derived from another workspace and cannot be written to; change that "
                "one, or the scenario",
                folder=self.folder,
            )
        for name in (*layers, *rasters):
            if name not in provenance:
                raise InputError("There is no provenance for {layer}", layer=name)
        for name in rasters:
            schema.raster_named(name)
        with self.locked():
            self._clean()
            index = self._database.index() if self._database.path.exists() else {}
            if area is not None:
                drop = set(index) - (keep or set())
                if set(index) - drop and self.area.crs != area.crs:
                    raise InputError(
                        "Layers in {old} cannot be kept in a study area in {new}",
                        old=self.area.crs,
                        new=area.crs,
                    )
            target = area or self.area
            gone = (drop or set()) - set(layers) - set(rasters)
            frames, warnings = self._examined(layers, target.crs, gone, set(index))
            kept = {name: entry for name, entry in index.items() if name not in gone}
            for name in layers:
                kept[name] = Entry("", provenance[name])
            written: list[Path] = []
            try:
                for name, source in rasters.items():
                    path = self._write_raster(name, source)
                    written.append(path)
                    kept[name] = Entry(path.name, provenance[name])
                history: list[Step] | None = None if area is None else []
                if undoable is not None and index:
                    changed = {*layers, *rasters, *(gone & set(index))}
                    history = self._history_with(changed, undoable, kept)
                self._replace_database(target, frames, gone, kept, history, undoable is not None)
            except BaseException:
                used = self._used_rasters()
                for path in written:
                    if path.name not in used:
                        path.unlink(missing_ok=True)
                raise
        return warnings

    def _replace_database(
        self,
        area: StudyAreaInfo,
        frames: Mapping[str, pd.DataFrame],
        gone: set[str],
        index: Mapping[str, Entry],
        history: list[Step] | None,
        keep_old: bool = False,
    ) -> None:
        """Put a changed copy in the database's place, which `keep_old` moves to the history."""
        temporary = self.folder / f"{_TEMPORARY}{os.getpid()}.gpkg"
        try:
            self._database.write_copy(temporary, area, frames, gone, index, history)
            if keep_old and history:
                # Until the new database says that it counts, the next writer removes it.
                _keep(self._database.path, self._kept(history[-1]))
            temporary.replace(self._database.path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(self.folder)
        self._clean()
        self._write_manifest()

    def _history_with(
        self, changed: set[str], undoable: tuple[str, str], index: Mapping[str, Entry]
    ) -> list[Step]:
        """Return the steps with a new one, without those for which there is no room."""
        steps = self._database.history()
        number = 1 + max((step.number for step in steps), default=0)
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        names = tuple(name for name in (*schema.LAYERS, *schema.RASTERS) if name in changed)
        steps = steps[1 - HISTORY_STEPS :] if HISTORY_STEPS > 1 else []
        current = {entry.file for entry in index.values()}
        room = HISTORY_BYTES - self._database.path.stat().st_size
        kept: list[Step] = []
        for step in reversed(steps):
            room -= self._bytes_of(step, current)
            if room < 0:
                break
            kept.insert(0, step)
        return [*kept, Step(number, *undoable, names, now, {})]

    def _bytes_of(self, step: Step, current: set[str]) -> int:
        """Return the disk space that only a step of the history uses, rasters included."""
        with contextlib.suppress(OSError, InputError):
            path = self._kept(step)
            files = {entry.file for entry in GeoPackage(path).index().values()} - current - {""}
            rasters = [self.folder / "rasters" / file for file in files]
            return sum(each.stat().st_size for each in (path, *rasters) if each.exists())
        return 0

    def _used_rasters(self) -> set[str]:
        """Return the files of rasters that the workspace or its history needs."""
        if not self._database.path.exists():
            return set()
        used = {entry.file for entry in self._database.index().values()}
        for step in self._database.history():
            # A damaged file of the history must not hinder work on the workspace.
            with contextlib.suppress(InputError):
                used |= {entry.file for entry in GeoPackage(self._kept(step)).index().values()}
        return used

    def _examined(
        self, layers: dict[str, pd.DataFrame], crs: str, gone: set[str], index: set[str]
    ) -> tuple[dict[str, pd.DataFrame], list[Problem]]:
        """Return the layers in their stored form, or raise everything that is wrong."""
        problems: list[Problem] = []
        frames: dict[str, pd.DataFrame] = {}
        for name in schema.LAYERS:
            if name not in layers:
                if name in index - gone:
                    frames[name] = self._database.read(name)
                continue
            found = schema.examine(name, layers[name], crs=crs, row_offset=1, context=frames)
            problems += found.problems
            frames[name] = found.frame
        for name in layers:
            schema.layer_named(name)
        if "cells" in frames and "cells" not in layers and ("masts" in layers or "masts" in gone):
            _check_left_cells(frames["cells"], frames.get("masts"))
        if (
            "network_links" in frames
            and "network_links" not in layers
            and ("network_sites" in layers or "network_sites" in gone)
        ):
            _check_left_links(frames["network_links"], frames.get("network_sites"))
        errors = [problem for problem in problems if problem.severity == "error"]
        if errors:
            raise ValidationError(errors)
        return {name: frames[name] for name in layers}, problems

    def _write_raster(self, name: str, source: Raster | Path) -> Path:
        folder = self.folder / "rasters"
        folder.mkdir(exist_ok=True)
        temporary = folder / f"{_TEMPORARY}{os.getpid()}-{name}.tif"
        try:
            raster_files.write(temporary, schema.RASTERS[name], source)
            sync(temporary)
            path = folder / f"{name}-{raster_files.content_hash(temporary)[:12]}.tif"
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        return path

    def _clean(self) -> None:
        """Remove what a killed writer left, and rasters that no longer count."""
        for path in [
            *self.folder.glob(f"{_TEMPORARY}*"),
            *self.folder.glob(f"rasters/{_TEMPORARY}*"),
        ]:
            path.unlink(missing_ok=True)
        if self._database.path.exists():
            steps = {self._kept(step).name for step in self._database.history()}
            for path in self.folder.glob(f"{_HISTORY}/*"):
                if path.name not in steps:
                    path.unlink(missing_ok=True)
            used = self._used_rasters()
            for path in self.folder.glob("rasters/*.tif"):
                if path.name not in used:
                    path.unlink(missing_ok=True)

    def _write_manifest(self) -> None:
        index = self._database.index()
        inputs = {
            name: {
                **asdict(entry.provenance),
                **({"file": f"rasters/{entry.file}"} if entry.file else {}),
            }
            for name, entry in index.items()
        }
        text = json.dumps(
            {"format": FORMAT, "area": asdict(self.area), "inputs": inputs},
            ensure_ascii=False,
            indent=2,
        )
        self.write_text("manifest.json", text + "\n")


def _keep(database: Path, target: Path) -> None:
    """Keep a database that is about to be replaced."""
    target.unlink(missing_ok=True)
    _link_or_copy(database, target)
    sync_folder(target.parent)


def _link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, which costs no time and no space, or copy it."""
    target.parent.mkdir(exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
        sync(target)


def _check_left_cells(cells: pd.DataFrame, masts: pd.DataFrame | None) -> None:
    """Refuse to take masts away from under the cells on them."""
    known = set() if masts is None else set(masts["mast_id"])
    orphans = cells.loc[~cells["mast_id"].isin(known), "cell_id"]
    if len(orphans):
        raise InputError(
            "{count} cells of the workspace, such as {cell}, stand on masts that the new layer "
            "masts does not have; replace or drop the cells in the same step",
            count=len(orphans),
            cell=orphans.iloc[0],
        )


def _check_left_links(links: pd.DataFrame, sites: pd.DataFrame | None) -> None:
    """Refuse to take sites away from the links between them."""
    orphans = links.loc[_without_site(links, sites), "link_id"]
    if len(orphans):
        raise InputError(
            "{count} links of the workspace, such as {link}, end at sites that the new layer "
            "network_sites does not have; replace or drop the links in the same step",
            count=len(orphans),
            link=orphans.iloc[0],
        )


def _without_site(links: pd.DataFrame, sites: pd.DataFrame | None) -> pd.Series:
    known = set() if sites is None else set(sites["site_id"])
    return ~(links["from_site"].isin(known) & links["to_site"].isin(known))
