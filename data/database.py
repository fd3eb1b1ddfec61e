"""The database of a workspace: a GeoPackage that QGIS opens.

All SQL and GeoPackage access is in the class here. Other modules know frames.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyogrio.errors
import shapely

from data import schema
from data.area import Provenance, StudyAreaInfo
from data.errors import InputError

FORMAT = 1
"""Version of the workspace's layout; a newer one is refused."""

_AREA_TABLE = "study_area"
_PROVENANCE_TABLE = "provenance"
_HISTORY_TABLE = "history"
_RESERVED = {"fid", "geom"}
_CACHED = 64


@dataclass(frozen=True)
class Entry:
    """A layer or raster of the workspace.

    Parameters
    ----------
    file
        File name of a raster, empty for a layer.
    provenance
        Where it came from.
    """

    file: str
    provenance: Provenance


@dataclass(frozen=True)
class Step:
    """A change that can be undone.

    Parameters
    ----------
    number
        Number of the step, rising.
    what
        What was done, in English.
    file
        File that it was done with; may be empty.
    names
        Layers and rasters that it changed.
    when
        Time in UTC, ISO 8601.
    after
        What says the content of each of `names` after the step.
    """

    number: int
    what: str
    file: str
    names: tuple[str, ...]
    when: str
    after: Mapping[str, str]


class _Cache:
    """What was read from files lately, for as long as they do not change."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        value = make()
        self.put(key, value)
        return value

    def put(self, key: tuple[Any, ...], value: Any) -> None:
        with self._lock:
            self._kept[key] = value
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)


CACHE = _Cache(_CACHED)


def signature(path: Path) -> tuple[int, int, int]:
    """Return what changes when a file does.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    tuple of int
        Time of change, size and inode.
    """
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def sync(path: Path) -> None:
    """Wait until a file is on the disk.

    Parameters
    ----------
    path
        The file.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can.

    Parameters
    ----------
    folder
        The folder.
    """
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class GeoPackage:
    """Access to one GeoPackage file.

    Parameters
    ----------
    path
        The file; need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """Raise a readable error unless the file is a sound workspace database."""
        if not self.path.is_file():
            raise InputError(
                "{folder} is not a workspace: it has no {file}",
                folder=self.path.parent,
                file=self.path.name,
            )
        with self.path.open("rb") as file:
            header = file.read(100)
        if not header.startswith(b"SQLite format 3\0") or len(header) < 100:
            raise self._damaged("it is not a GeoPackage")
        page = int.from_bytes(header[16:18], "big")
        pages = int.from_bytes(header[28:32], "big")
        expected = (65536 if page == 1 else page) * pages
        if self.path.stat().st_size < expected:
            raise self._damaged("it is cut off")
        self.area()
        self.index()

    def area(self) -> StudyAreaInfo:
        """Return the study area."""
        area: StudyAreaInfo = CACHE.get(self._key(_AREA_TABLE), self._read_area)
        return area

    def index(self) -> dict[str, Entry]:
        """Return the layers and rasters that count."""
        index: dict[str, Entry] = CACHE.get(self._key(_PROVENANCE_TABLE), self._read_index)
        return dict(index)

    def history(self) -> list[Step]:
        """Return the steps that can be undone, the oldest first."""
        steps: list[Step] = CACHE.get(self._key(_HISTORY_TABLE), self._read_history)
        return list(steps)

    def read(self, layer: str) -> pd.DataFrame:
        """Return a layer in its declared types; the caller must not change it."""
        frame: pd.DataFrame = CACHE.get(
            self._key(layer), lambda: schema.conform(layer, self.read_raw(layer))
        )
        return frame

    def read_raw(self, layer: str) -> pd.DataFrame:
        """Return a layer as it stands in the file, with its row numbers."""
        with self._readable():
            frame = pyogrio.read_dataframe(self.path, layer=layer, fid_as_index=True)
        frame.index.name = "row"
        return frame

    def hash_of(self, layer: str) -> str:
        """Return a hash of a layer's content."""
        value: str = CACHE.get((*self._key(layer), "hash"), lambda: frame_hash(self.read(layer)))
        return value

    def write_copy(
        self,
        target: Path,
        area: StudyAreaInfo,
        frames: Mapping[str, pd.DataFrame],
        gone: set[str],
        index: Mapping[str, Entry],
        history: Sequence[Step] | None = None,
    ) -> None:
        """Write a copy of the database with changes to another file, down to the disk.

        Parameters
        ----------
        target
            The new file.
        area
            Study area.
        frames
            Layers to replace.
        gone
            Layers to remove.
        index
            All layers and rasters that count in the copy.
        history
            Steps that can be undone; None leaves them as they are. The content
            after the last one is taken from the copy.
        """
        if self.path.exists():
            self._copy(target)
        for name, frame in frames.items():
            _write_layer(target, name, frame, schema.LAYERS[name].geometry)
        facts = {"format": FORMAT, **asdict(area)}
        facts["bounds"] = "" if area.bounds is None else " ".join(map(repr, area.bounds))
        table = pd.DataFrame({"key": list(facts), "value": [str(v) for v in facts.values()]})
        _write_layer(target, _AREA_TABLE, table, None)
        rows = [
            {"name": name, "file": entry.file, **asdict(entry.provenance)}
            for name, entry in index.items()
        ]
        columns = ["name", "file", *(field.name for field in fields(Provenance))]
        sources = pd.DataFrame(rows, columns=columns).astype({"illustrative": bool})
        _write_layer(target, _PROVENANCE_TABLE, sources, None)
        with closing(sqlite3.connect(target)) as connection:
            there = {row[0] for row in connection.execute("SELECT table_name FROM gpkg_contents")}
        for name in gone & there:
            _drop_layer(target, name)
        read: dict[str, pd.DataFrame] = {}
        if history:
            table = self._history_table(target, history, index, read)
            _write_layer(target, _HISTORY_TABLE, table, None)
        elif history is not None and _HISTORY_TABLE in there:
            _drop_layer(target, _HISTORY_TABLE)
        sync(target)
        # The copy is going to be this database, file and all: what was read need not be again.
        for name, frame in read.items():
            CACHE.put((str(self.path), name, signature(target)), frame)

    def state(self, name: str, index: Mapping[str, Entry]) -> str:
        """Return what says the content of a layer or raster.

        Parameters
        ----------
        name
            Its name.
        index
            All that there are.

        Returns
        -------
        str
            The same as long as the content is the same.
        """
        entry = index.get(name)
        if entry is None:
            return "absent"
        return entry.file or self.hash_of(name)

    def _history_table(
        self,
        target: Path,
        history: Sequence[Step],
        index: Mapping[str, Entry],
        read: dict[str, pd.DataFrame],
    ) -> pd.DataFrame:
        """Return the steps as they are stored; what is read for it goes into `read`."""
        copy = GeoPackage(target)
        rows = []
        for step in history:
            after = dict(step.after)
            for name in step.names:
                if name in after:
                    continue
                if name in index and not index[name].file:
                    read[name] = schema.conform(name, copy.read_raw(name))
                    after[name] = frame_hash(read[name])
                else:
                    after[name] = self.state(name, index)
            facts = {"names": " ".join(step.names), "after": json.dumps(after)}
            rows.append({**asdict(step), **facts})
        return pd.DataFrame(rows)

    def _read_history(self) -> list[Step]:
        with self._readable():
            if _HISTORY_TABLE not in pyogrio.list_layers(self.path)[:, 0]:
                return []
        table = self._read_table(_HISTORY_TABLE).fillna("")
        try:
            return [
                Step(
                    int(row["number"]),
                    row["what"],
                    row["file"],
                    tuple(row["names"].split()),
                    row["when"],
                    json.loads(row["after"]),
                )
                for row in table.sort_values("number").to_dict("records")
            ]
        except (KeyError, ValueError) as error:
            raise self._damaged("the table history is not complete") from error

    def _copy(self, target: Path) -> None:
        """Copy with SQLite's own means, so that another program's open changes are whole."""
        with self._readable(), closing(sqlite3.connect(self.path, timeout=5)) as source:
            # QGIS keeps changes in a file beside the database. Replacing the database
            # under it would mix the two.
            try:
                mode = source.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
            except sqlite3.OperationalError:
                mode = "locked"
            if mode != "delete":
                raise InputError(
                    "{file} is open for writing in another program, such as QGIS; close it there "
                    "first",
                    file=self.path,
                )
            with closing(sqlite3.connect(target)) as copy:
                source.backup(copy)

    def _key(self, name: str) -> tuple[Any, ...]:
        try:
            return str(self.path), name, signature(self.path)
        except FileNotFoundError as error:
            raise InputError(
                "{folder} is not a workspace: it has no {file}",
                folder=self.path.parent,
                file=self.path.name,
            ) from error

    def _read_area(self) -> StudyAreaInfo:
        table = self._read_table(_AREA_TABLE)
        facts = dict(zip(table["key"], table["value"].fillna(""), strict=True))
        try:
            version = int(facts["format"])
            bounds = tuple(float(value) for value in facts["bounds"].split())
            area = StudyAreaInfo(
                facts["name"],
                facts["title_vi"],
                facts["title_en"],
                facts["crs"],
                facts["illustrative"] == "True",
                float(facts["resolution_m"]),
                (bounds[0], bounds[1], bounds[2], bounds[3]) if bounds else None,
            )
        except (KeyError, ValueError, IndexError) as error:
            raise self._damaged("the table study_area is not complete") from error
        if version > FORMAT:
            raise InputError(
                "The workspace {folder} was written by a newer version of the program",
                folder=self.path.parent,
            )
        return area

    def _read_index(self) -> dict[str, Entry]:
        table = self._read_table(_PROVENANCE_TABLE).fillna("")
        names = [field.name for field in fields(Provenance)]
        try:
            return {
                row["name"]: Entry(
                    row["file"],
                    Provenance(
                        **{**{k: row[k] for k in names}, "illustrative": bool(row["illustrative"])}
                    ),
                )
                for row in table.to_dict("records")
            }
        except KeyError as error:
            raise self._damaged("the table provenance is not complete") from error

    def _read_table(self, name: str) -> pd.DataFrame:
        with self._readable():
            return pyogrio.read_dataframe(self.path, layer=name, read_geometry=False)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except pyogrio.errors.DataLayerError as error:
            raise self._damaged("a layer or table is missing") from error
        except (
            pyogrio.errors.DataSourceError,
            pyogrio.errors.FeatureError,
            pyogrio.errors.FieldError,
            sqlite3.DatabaseError,
        ) as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, reason: str) -> InputError:
        return InputError(
            "The workspace {folder} is damaged: {file}: {reason}",
            folder=self.path.parent,
            file=self.path.name,
            reason=reason,
        )


def frame_hash(frame: pd.DataFrame) -> str:
    """Return a hash of a frame's columns, values and CRS, in this row order.

    Parameters
    ----------
    frame
        DataFrame or GeoDataFrame.

    Returns
    -------
    str
        SHA-256 in hexadecimal; independent of the index and the versions of
        the libraries.
    """
    digest = hashlib.sha256()
    for name in frame.columns:
        column = frame[name]
        if isinstance(column, gpd.GeoSeries):
            crs = None if column.crs is None else column.crs.to_authority()
            digest.update(f"\n{name} geometry {crs} {len(column)}\n".encode())
            shapes = shapely.to_wkb(column.to_numpy())
            for shape in shapes:
                digest.update(shape or b"\0")
        elif pd.api.types.is_bool_dtype(column.dtype):
            digest.update(f"\n{name} flag\n".encode())
            digest.update(column.astype("Int8").fillna(2).to_numpy(np.int8).tobytes())
        elif pd.api.types.is_numeric_dtype(column.dtype):
            digest.update(f"\n{name} number\n".encode())
            values = column.to_numpy(np.float64, na_value=np.nan) + 0.0
            digest.update(np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes())
        else:
            digest.update(f"\n{name} text\n".encode())
            texts = column.map(str, na_action="ignore").astype(object)
            texts = texts.where(column.notna(), "\x01")
            digest.update("\x00".join(texts).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _write_layer(path: Path, name: str, frame: pd.DataFrame, geometry: str | None) -> None:
    """Replace a layer or table of a GeoPackage."""
    frame = _database_names(frame)
    options: dict[str, Any] = {"layer": name, "driver": "GPKG"}
    if geometry is not None:
        options["geometry_type"] = geometry if geometry == "Point" else f"Multi{geometry}"
        options["layer_options"] = {"GEOMETRY_NAME": "geom", "SPATIAL_INDEX": "YES"}
    pyogrio.write_dataframe(frame, path, **options)


def _drop_layer(path: Path, name: str) -> None:
    """Remove a layer; GDAL also removes its index and registration."""
    with closing(sqlite3.connect(path)) as connection:
        rtree = f"rtree_{name}_geom"
        connection.execute(f'DROP TABLE IF EXISTS "{rtree}"')
        for trigger in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (name,)
        ).fetchall():
            connection.execute(f'DROP TRIGGER "{trigger[0]}"')
        connection.execute(f'DROP TABLE IF EXISTS "{name}"')
        for table in ("gpkg_geometry_columns", "gpkg_extensions", "gpkg_ogr_contents"):
            with contextlib.suppress(sqlite3.OperationalError):
                connection.execute(f"DELETE FROM {table} WHERE table_name = ?", (name,))  # noqa: S608
        connection.execute("DELETE FROM gpkg_contents WHERE table_name = ?", (name,))
        connection.commit()


def _database_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Rename unknown columns that the database would confuse with its own or each other."""
    taken = set(_RESERVED)
    names = {}
    geometry = frame.active_geometry_name if isinstance(frame, gpd.GeoDataFrame) else None
    for column in frame.columns:
        if column == geometry:
            continue
        name, count = str(column), 1
        while name.lower() in taken or not name:
            count += 1
            name = f"{column}_{count}"
        taken.add(name.lower())
        names[column] = name
    return frame.rename(columns=names)
