"""The cache of downloads: what lies in it is whole and was checked.

A file is written to ``<name>~part`` and takes its name only when it is whole.
What is known of it stands beside it in ``<name>~about``; no name of an item
holds such a mark.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from data.errors import InputError
from data.sources.ingredients import sha256_of
from data.sources.servers import body_of
from data.sources.source import Fetched, Item, Progress

CACHE_VARIABLE = "PHUSONG_CACHE"
"""Environment variable with the folder of the cache."""


def cache_folder() -> Path:
    """Return the folder of downloads: $PHUSONG_CACHE, or the user's cache folder.

    Returns
    -------
    Path
        It need not exist yet.
    """
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        return Path(given)
    return Path(platformdirs.user_cache_dir("phusong", appauthor=False)) / "downloads"


@dataclass(frozen=True)
class Known:
    """What is kept beside a file, or beside a part of one."""

    url: str
    etag: str = ""
    last_modified: str = ""
    retrieved_at: str = ""
    checked_at: float = 0.0
    sha256: str = ""
    size_bytes: int = -1
    mtime_ns: int = -1


def _usable(text: str) -> str:
    """Return a file name without anything that a file system could mind."""
    clean = re.sub(r"[^\w.\-]+", "_", text).strip("._") or "item"
    if clean == text and len(clean) <= 100:
        return clean
    stem, dot, suffix = clean[-100:].partition(".")
    return f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:8]}{dot}{suffix}"


class Slot:
    """The place of an item in the cache."""

    def __init__(self, item: Item, folder: Path, name: str) -> None:
        self.item = item
        self.folder = folder
        self.path = folder / name
        self.about = folder / f"{name}~about"
        self.part = folder / f"{name}~part"
        self.part_about = folder / f"{name}~part~about"
        self._lock = folder / f"{name}~lock"

    @classmethod
    def of(cls, item: Item, data: Mapping[str, str] | bytes | None) -> Slot:
        """Return the place of an item; answers to different bodies have different ones."""
        name = _usable(item.key)
        body = body_of(data)
        if body is not None:
            stem, dot, suffix = name.partition(".")
            name = f"{stem}-{hashlib.sha256(body).hexdigest()[:16]}{dot}{suffix}"
        return cls(item, cache_folder() / _usable(item.source), name)

    def _read(self, path: Path) -> Known | None:
        try:
            known = Known(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return known if known.url == self.item.url else None

    def known(self) -> Known | None:
        """Return what is known of the whole file, if it came from the item's address."""
        return self._read(self.about)

    def fetched(self) -> Fetched | None:
        """Return the file if it is there and is what was written."""
        known = self.known()
        if known is None or self.item.sha256 not in ("", known.sha256):
            return None
        try:
            state = self.path.stat()
            if state.st_size != known.size_bytes:
                return None
            if state.st_mtime_ns != known.mtime_ns and sha256_of(self.path) != known.sha256:
                return None
        except OSError:
            return None
        return Fetched(self.item, self.path, known.sha256, known.retrieved_at)

    def younger_than(self, max_age_s: float | None) -> bool:
        """Whether the file is known to have been up to date within this time."""
        known = self.known()
        return known is not None and (
            max_age_s is None or 0 <= time.time() - known.checked_at <= max_age_s
        )

    @contextmanager
    def locked(self, on_progress: Progress) -> Iterator[None]:
        """Keep other processes and threads away from this item."""
        with writable(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._lock)
        while True:
            try:
                with writable(self.folder):
                    lock.acquire(timeout=0.3)
                break
            except Timeout:
                on_progress(0.0)
        try:
            yield
        finally:
            lock.release()

    def begun(self) -> tuple[int, str]:
        """Return the length of the part and by what the rest is asked for, or (0, "")."""
        known = self._read(self.part_about)
        # A weak ETag does not promise the same bytes.
        mark = ""
        if known is not None:
            strong = known.etag and not known.etag.startswith("W/")
            mark = known.etag if strong else known.last_modified
        if not mark or not self.part.exists():
            return 0, ""
        length = self.part.stat().st_size
        return (length, mark) if length else (0, "")

    def begin(self, known: Known) -> None:
        """Note which file the part belongs to."""
        _write_json(self.part_about, known)

    def note(self, known: Known) -> None:
        """Keep what is known where there is no file."""
        with writable(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        _write_json(self.about, known)

    def discard(self) -> None:
        """Remove the part."""
        with writable(self.folder):
            self.part.unlink(missing_ok=True)
            self.part_about.unlink(missing_ok=True)

    def finish(self, known: Known) -> Fetched:
        """Give the part its name."""
        with writable(self.folder):
            state = self.part.stat()
            complete = replace(known, size_bytes=state.st_size, mtime_ns=state.st_mtime_ns)
            self.part.replace(self.path)
            _write_json(self.about, complete)
            self.part_about.unlink(missing_ok=True)
        return Fetched(self.item, self.path, complete.sha256, complete.retrieved_at)

    def confirm(self) -> Fetched | None:
        """Note that the server still has the same file."""
        known = self.known()
        if known is not None:
            _write_json(self.about, replace(known, checked_at=time.time()))
        return self.fetched()


def _write_json(path: Path, known: Known) -> None:
    with writable(path.parent):
        part = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        part.write_text(json.dumps(asdict(known), indent=1), encoding="utf-8")
        part.replace(path)


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Turn a full disk and a folder that cannot be written into a sentence."""
    try:
        yield
    except (Timeout, gzip.BadGzipFile):  # both count as OSError
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(
                "There is no space left on the disk of {folder}; free some, or set {variable} to "
                "a folder on another disk",
                folder=str(folder),
                variable=CACHE_VARIABLE,
            ) from error
        raise InputError(
            "{folder} cannot be written ({reason}); set {variable} to a folder that can",
            folder=str(folder),
            reason=error.strerror or str(error),
            variable=CACHE_VARIABLE,
        ) from error
