"""Backups of the records: one file that fits either kind of database.

A backup is a ZIP file::

    manifest.json          revision of the tables, kinds of their columns, SHA-256 of every file
    records/<table>.jsonl  the rows, one JSON array a line
    attachments/…          the files that records refer to
    workspace/…            a workspace, where one was asked for, without what can be computed again

It is made in one transaction that only reads, so the server may go on meanwhile.
Sessions of users are left out: whoever gets hold of a backup shall not get into them.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import sqlalchemy as sa

from data.database import signature, sync, sync_folder
from data.errors import InputError, Message, message
from data.records import migrations, upgrade
from data.records.account_tables import SignInSession
from data.records.base import Base
from data.records.column_types import Json, Place, UtcDateTime
from data.records.engine import Records, RecordsError
from data.store import DATABASE, Workspace

FORMAT = 1
"""Version of the file's layout; a newer one is refused."""

MANIFEST = "manifest.json"

#: Tables whose rows are not taken along.
LEFT_OUT = (SignInSession.__tablename__,)

#: Folders of a workspace that can be computed again.
_COMPUTED = ("cache", "results", "scenarios")

_TEMPORARY = ".tmp-"
_CHUNK = 1 << 20
_ROWS_AT_ONCE = 1000
_TRIES = 5


@dataclass(frozen=True)
class Contents:
    """What a backup holds.

    Parameters
    ----------
    revision
        Revision of the tables.
    created_at
        Time in UTC, ISO 8601.
    rows
        Table -> number of rows.
    attachments
        Number of attached files.
    workspace
        Name of the workspace's folder; empty where there is none.
    """

    revision: str
    created_at: str
    rows: dict[str, int]
    attachments: int
    workspace: str


# Column values as JSON


def _kind(column: sa.Column[Any]) -> str:
    kinds = ((UtcDateTime, "time"), (Json, "json"), (Place, "place"), (sa.LargeBinary, "bytes"))
    return next((name for of, name in kinds if isinstance(column.type, of)), "plain")


#: Kind -> the type by which its values are written back.
_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "time": UtcDateTime(),
    "json": Json(),
    "place": Place(),
    "bytes": sa.LargeBinary(),
    "plain": sa.types.NullType(),
}


def _to_json(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "time":
        return value.isoformat(timespec="milliseconds")
    if kind == "bytes":
        return base64.b64encode(value).decode()
    return value


def _from_json(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "time":
        return dt.datetime.fromisoformat(value)
    if kind == "bytes":
        return base64.b64decode(value)
    if kind == "place":
        return tuple(value)
    return value


# Writing


def write(records: Records, path: Path, *, workspace: Workspace | None = None) -> Contents:
    """Write a backup; a file of this name is replaced in one step when it is whole.

    Parameters
    ----------
    records
        The database; other programs may go on writing to it.
    path
        The file.
    workspace
        A workspace to take along.

    Returns
    -------
    Contents
        What the backup holds.

    Raises
    ------
    InputError
        If the file cannot be written, or the workspace is being changed all the time.
    """
    part = path.with_name(f"{_TEMPORARY}{path.name}")
    records.home.mkdir(parents=True, exist_ok=True)
    try:
        with (
            tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=records.home) as scratch,
            zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            manifest = _write_parts(records, archive, Path(scratch), workspace)
            text = json.dumps(manifest, ensure_ascii=False, indent=1)
            archive.writestr(MANIFEST, text)
        sync(part)
        part.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise InputError(
            "{file} cannot be written: {reason}",
            file=path,
            reason=error.strerror or str(error),
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return _contents(manifest)


def _write_parts(
    records: Records, archive: zipfile.ZipFile, scratch: Path, workspace: Workspace | None
) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    files: dict[str, str] = {}
    with records.reading() as session:
        for table in Base.metadata.sorted_tables:
            if table.name in LEFT_OUT:
                continue
            member = f"records/{table.name}.jsonl"
            kinds = {column.name: _kind(column) for column in table.columns}
            rows, digest = 0, hashlib.sha256()
            asked = sa.select(table).order_by(*table.primary_key.columns)
            with archive.open(member, "w", force_zip64=True) as target:
                for row in session.execute(asked).yield_per(_ROWS_AT_ONCE):
                    values = [_to_json(k, v) for k, v in zip(kinds.values(), row, strict=True)]
                    line = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
                    line_bytes = f"{line}\n".encode()
                    digest.update(line_bytes)
                    target.write(line_bytes)
                    rows += 1
            tables[table.name] = {"columns": kinds, "rows": rows}
            files[member] = digest.hexdigest()
        # After the rows: what they name is there before they are.
        files |= _write_files(archive, records.attachments, "attachments")
    if workspace is not None:
        staged = _staged(workspace, scratch)
        files |= _write_files(archive, staged, "workspace")
    return {
        "format": FORMAT,
        "revision": migrations.HEAD,
        "created_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "tables": tables,
        "workspace": "" if workspace is None else workspace.folder.name,
        "files": files,
    }


def _write_files(archive: zipfile.ZipFile, folder: Path, prefix: str) -> dict[str, str]:
    files = {}
    for path in _files(folder):
        member = f"{prefix}/{path.relative_to(folder).as_posix()}"
        digest = hashlib.sha256()
        with path.open("rb") as source, archive.open(member, "w", force_zip64=True) as target:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                target.write(chunk)
        files[member] = digest.hexdigest()
    return files


def _files(folder: Path, without: Iterable[str] = ()) -> Iterator[Path]:
    """Yield the finished files below a folder."""
    if not folder.is_dir():
        return
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(_TEMPORARY) for part in parts) or parts[-1] == ".lock"
        if path.is_file() and not path.is_symlink() and not hidden and parts[0] not in without:
            yield path


def _staged(workspace: Workspace, scratch: Path) -> Path:
    """Return a folder with the files of a workspace as of one moment; links cost no space."""
    database = workspace.folder / DATABASE
    for number in range(_TRIES):
        staged = scratch / f"workspace-{number}"
        before = signature(database)
        try:
            for path in _files(workspace.folder, _COMPUTED):
                target = staged / path.relative_to(workspace.folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                if path == database:
                    _copy_sqlite(path, target)
                else:
                    _link(path, target)
        except FileNotFoundError:
            continue
        # Rasters that a database names stay as long as it is the one that counts.
        if signature(database) == before:
            return staged
    raise InputError(
        "Another program is writing to {folder}; try again when it is done",
        folder=workspace.folder,
    )


def _link(path: Path, target: Path) -> None:
    try:
        target.hardlink_to(path)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(path, target)


def _copy_sqlite(path: Path, target: Path) -> None:
    """Copy with SQLite's own means, so that changes open in QGIS are whole or absent."""
    with (
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)


# Reading


def look(path: Path) -> Contents:
    """Return what a backup holds.

    Raises
    ------
    InputError
        If it is no backup, or one of a newer program.
    """
    with _opened(path) as archive:
        return _contents(_manifest(archive, path))


def _contents(manifest: dict[str, Any]) -> Contents:
    return Contents(
        revision=manifest["revision"],
        created_at=manifest["created_at"],
        rows={name: table["rows"] for name, table in manifest["tables"].items()},
        attachments=sum(name.startswith("attachments/") for name in manifest["files"]),
        workspace=manifest["workspace"],
    )


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except OSError as error:
        raise InputError(
            "{file} cannot be read: {reason}", file=path, reason=error.strerror or str(error)
        ) from error
    except zipfile.BadZipFile as error:
        raise _damaged(path, message("it is no ZIP file or it is cut off")) from error


def _manifest(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(archive.read(MANIFEST))
        newer = int(manifest["format"]) > FORMAT
        revision = str(manifest["revision"])
        _contents(manifest)
    except (KeyError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise _damaged(path, message("its manifest is missing or not complete")) from error
    if newer or revision not in upgrade.revisions():
        raise InputError("{file} was written by a newer version of the program", file=path)
    return manifest


def _damaged(path: Path, reason: Message) -> InputError:
    return InputError("{file} is no sound backup: {reason}", file=path, reason=reason)


def restore(
    path: Path,
    records: Records,
    *,
    force: bool = False,
    workspace_folder: Path | None = None,
) -> Contents:
    """Put a backup in the place of what a database holds, whole or not at all.

    Parameters
    ----------
    path
        The backup.
    records
        The database; running servers see the new content from their next step on.
    force
        Whether records and a workspace that are there may be replaced.
    workspace_folder
        Where the backup's workspace goes; None leaves it in the backup.

    Returns
    -------
    Contents
        What was restored.

    Raises
    ------
    InputError
        If the backup is not sound, or there is something already and `force` is not set.
    """
    records.home.mkdir(parents=True, exist_ok=True)
    if not force and not _is_empty(records):
        raise InputError(
            "There are records already; --force puts the backup in their place for good"
        )
    if workspace_folder is not None and not force and Workspace.exists(workspace_folder):
        raise InputError("There is a workspace in {folder} already", folder=workspace_folder)
    with (
        _opened(path) as archive,
        tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=records.home) as scratch,
    ):
        manifest = _manifest(archive, path)
        if workspace_folder is not None and not manifest["workspace"]:
            raise InputError("{file} holds no workspace", file=path)
        folder = Path(scratch)
        _extract(archive, manifest, folder, path)
        _put_attachments(folder / "attachments", records.attachments)
        try:
            if records.is_sqlite:
                _restore_sqlite(records, manifest, folder)
            else:
                _restore_postgresql(records, manifest, folder)
        except (ValueError, TypeError, KeyError, sa.exc.IntegrityError) as error:
            raise _damaged(path, message("its rows do not fit the tables")) from error
        if workspace_folder is not None:
            _put_workspace(folder / "workspace", workspace_folder)
    return _contents(manifest)


def _is_empty(records: Records) -> bool:
    with records.reading() as session:
        return not any(
            session.scalar(sa.select(sa.literal(1)).select_from(table).limit(1))
            for table in Base.metadata.sorted_tables
        )


def _extract(archive: zipfile.ZipFile, manifest: dict[str, Any], folder: Path, path: Path) -> None:
    """Write the files of a backup into a folder and hold them against their hashes."""
    for member, expected in manifest["files"].items():
        parts = PurePosixPath(member).parts
        if (
            parts[0] not in ("records", "attachments", "workspace")
            or ".." in parts
            or any(sign in member for sign in "\\:\0")
        ):
            raise _damaged(path, message("it holds a file {member}", member=repr(member)))
        target = folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        try:
            with archive.open(member) as source, target.open("wb") as file:
                while chunk := source.read(_CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
        except (KeyError, zipfile.BadZipFile, EOFError) as error:
            raise _damaged(
                path, message("{member} is missing or damaged", member=member)
            ) from error
        if digest.hexdigest() != expected:
            raise _damaged(path, message("{member} was changed", member=member))


def _put_attachments(source: Path, target: Path) -> None:
    """Add files before the rows that name them; names never stand for two contents."""
    for path in _files(source):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)


def _put_workspace(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f"{_TEMPORARY}before-{target.name}")
    if target.exists():
        target.rename(aside)
    try:
        shutil.move(source, target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _insert(connection: sa.Connection, manifest: dict[str, Any], folder: Path) -> None:
    """Insert the rows of a backup into empty tables of its revision."""
    for name, about in manifest["tables"].items():
        kinds: dict[str, str] = about["columns"]
        table = sa.table(name, *(sa.column(c, _TYPES[kind]) for c, kind in kinds.items()))
        rows = 0
        with (folder / "records" / f"{name}.jsonl").open(encoding="utf-8") as lines:
            batch: list[dict[str, Any]] = []
            for line in lines:
                values = zip(kinds.items(), json.loads(line), strict=True)
                batch.append({column: _from_json(kind, v) for (column, kind), v in values})
                rows += 1
                if len(batch) == _ROWS_AT_ONCE:
                    connection.execute(sa.insert(table), batch)
                    batch = []
            if batch:
                connection.execute(sa.insert(table), batch)
        if rows != about["rows"]:
            raise ValueError(f"{name} has {rows} rows instead of {about['rows']}")


def _restore_sqlite(records: Records, manifest: dict[str, Any], folder: Path) -> None:
    made = folder / "made"
    made.mkdir()
    fresh = Records.create(made, revision=manifest["revision"])
    try:
        with fresh.engine.begin() as connection:
            _insert(connection, manifest, folder)
        upgrade.bring_up_to_date(fresh.engine)
        with closing(sqlite3.connect(made / records.path.name)) as source:
            source.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            with closing(sqlite3.connect(records.path, timeout=60)) as target:
                # In one transaction of the target, so that readers see the one or the other.
                source.backup(target)
    except sqlite3.Error as error:
        raise RecordsError(
            "The records database {database} cannot be used: {reason}",
            database=records.path,
            reason=str(error),
        ) from error
    finally:
        fresh.close()


def _restore_postgresql(records: Records, manifest: dict[str, Any], folder: Path) -> None:
    with upgrade.replaced_schema(records.engine, manifest["revision"]) as connection:
        _insert(connection, manifest, folder)
