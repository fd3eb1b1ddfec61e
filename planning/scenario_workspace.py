"""Workspaces in which a changed network is the network.

They lie in the folder `scenarios` of the workspace that they are derived from, one for
each content of it and each list of changes, and may be deleted at any time::

    scenarios/<key>/workspace.gpkg, rasters/ (shared), manifest.json, *.csv
    scenarios/<key>/scenario.json      what it was derived from, and the changes
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import filelock

from coverage import calibrated_model, own_numbers
from data.area import Provenance
from data.database import signature
from data.errors import InputError
from data.store import DERIVED, Workspace
from planning.scenario_network import Change, network, to_json

#: File that says what a derived workspace is.
FILE = "scenario.json"

#: Most derived workspaces that are kept; those used longest ago go first.
MOST = 30

#: A derived workspace used within this time is left alone, whatever has changed. [s]
IN_USE_S = 3600.0

_FOLDERS = (own_numbers.PATTERNS, calibrated_model.FOLDER)
_PART = ".part-"
_LOCK_TIMEOUT_S = 300.0


def materialise(workspace: Workspace, changes: Sequence[Change]) -> Workspace:
    """Return a workspace in which a changed network is the network.

    Parameters
    ----------
    workspace
        The study area, or one derived from it, whose changes come first then.
    changes
        What is changed.

    Returns
    -------
    Workspace
        A folder of its own, made when it is first asked for. It can be read like any
        other and not be written to. Losses are shared with `workspace`, so that only
        masts that changed are predicted anew.

    Raises
    ------
    ValidationError
        With every fault of every change.
    """
    base = workspace.base or workspace
    changes = (*changes_of(workspace), *changes)
    content = base.content_hash()
    files = _own_files(base.folder)
    key = _key(content, files, changes)
    folder = base.folder / DERIVED / key
    if not _usable(folder):
        _make(base, folder, content, files, changes)
    with contextlib.suppress(OSError):
        (folder / FILE).touch()
    return Workspace.open(folder)


def described(workspace: Workspace) -> dict[str, Any] | None:
    """Return what a derived workspace is, None for any other.

    Parameters
    ----------
    workspace
        Any workspace.

    Returns
    -------
    dict or None
        Keys base (its folder's name), content (hash of the base) and changes.
    """
    if workspace.base is None:
        return None
    try:
        found = json.loads((workspace.folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def changes_of(workspace: Workspace) -> tuple[Change, ...]:
    """Return the changes of a derived workspace, none for any other.

    Parameters
    ----------
    workspace
        Any workspace.

    Returns
    -------
    tuple of Change
        In their order.
    """
    about = described(workspace) or {}
    return tuple(Change.from_dict(item) for item in about.get("changes", ()))


def area_name(workspace: Workspace) -> str:
    """Return the name under which records of a workspace are kept.

    Parameters
    ----------
    workspace
        A workspace or one derived from it.

    Returns
    -------
    str
        Name of its folder, or of the folder of what it is derived from.
    """
    return (workspace.base or workspace).folder.absolute().name


def _key(content: str, files: Iterable[tuple[str, str]], changes: Sequence[Change]) -> str:
    digest = hashlib.sha256(content.encode())
    for name, value in files:
        digest.update(f"\n{name} {value}".encode())
    digest.update(b"\n" + to_json(changes).encode())
    return digest.hexdigest()[:24]


def _own_files(folder: Path) -> list[tuple[str, str]]:
    """Return the tables, patterns and models of a workspace, with hashes of their content."""
    patterns = ("*.csv", "*.geojson", *(f"{name}/*" for name in _FOLDERS))
    paths = [path for pattern in patterns for path in folder.glob(pattern)]
    names = sorted(path.relative_to(folder).as_posix() for path in paths if path.is_file())
    return [(name, _hash(folder / name, signature(folder / name))) for name in names]


@lru_cache(maxsize=1000)
def _hash(path: Path, version: tuple[int, int, int]) -> str:
    del version  # only part of the key
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _usable(folder: Path) -> bool:
    return (folder / FILE).is_file() and Workspace.exists(folder)


def _make(
    base: Workspace,
    folder: Path,
    content: str,
    files: Sequence[tuple[str, str]],
    changes: Sequence[Change],
) -> None:
    """Make a derived workspace in a folder beside it, which then takes its name."""
    masts, cells = network(base, changes)
    around = folder.parent
    around.mkdir(exist_ok=True)
    lock = filelock.FileLock(around / ".lock")
    try:
        with lock.acquire(timeout=_LOCK_TIMEOUT_S):
            _clean(around, content)
            if _usable(folder):
                return
            part = Path(tempfile.mkdtemp(dir=around, prefix=_PART))
            try:
                _fill(base, part, masts, cells, content, files, changes)
                shutil.rmtree(folder, ignore_errors=True)
                part.rename(folder)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    except filelock.Timeout as error:
        raise InputError(
            "Another program is writing to {folder}; try again when it is done", folder=around
        ) from error
    except PermissionError as error:
        raise InputError("{folder} cannot be written to", folder=around) from error


def _fill(
    base: Workspace,
    part: Path,
    masts: Any,
    cells: Any,
    content: str,
    files: Sequence[tuple[str, str]],
    changes: Sequence[Change],
) -> None:
    origins = base.provenance()
    said = f"with {len(changes)} changes of a scenario"
    provenance: dict[str, Provenance] = {}
    for name in ("masts", "cells"):
        if name in origins:
            method = "; ".join(text for text in (origins[name].method, said) if text)
            provenance[name] = replace(origins[name], method=method)
    layers = {
        name: frame for name, frame in (("masts", masts), ("cells", cells)) if name in origins
    }
    made = base.derive(part, layers, provenance)
    for name, _ in files:
        target = part / name
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(base.folder / name, target)
    about = {
        "base": base.folder.absolute().name,
        "content": content,
        "changes": [change.to_dict() for change in changes],
    }
    manifest = json.loads((part / "manifest.json").read_text(encoding="utf-8"))
    text = json.dumps({"scenario": about, **manifest}, ensure_ascii=False, indent=2)
    made.write_text("manifest.json", text + "\n")
    made.write_text(FILE, json.dumps(about, ensure_ascii=False, indent=2) + "\n")


def _clean(around: Path, content: str) -> None:
    """Remove what killed runs left, and what nobody has used for long.

    Called by the one who holds the lock, so that nobody is at work on a part.
    """
    for path in around.glob(f"{_PART}*"):
        shutil.rmtree(path, ignore_errors=True)
    known: list[tuple[float, Path]] = []
    for path in around.iterdir():
        if not path.is_dir():
            continue
        used = _last_use(path)
        if time.time() - used < IN_USE_S:
            known.append((used, path))
        elif _content_of(path) != content:
            shutil.rmtree(path, ignore_errors=True)
        else:
            known.append((used, path))
    for used, path in sorted(known)[: max(0, len(known) - MOST + 1)]:
        if time.time() - used >= IN_USE_S:
            shutil.rmtree(path, ignore_errors=True)


def _last_use(folder: Path) -> float:
    with contextlib.suppress(OSError):
        return (folder / FILE).stat().st_mtime
    return 0.0


def _content_of(folder: Path) -> str | None:
    with contextlib.suppress(OSError, ValueError):
        about = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return str(about.get("content"))
    return None
