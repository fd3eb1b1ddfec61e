"""Bring files here over HTTP: cached, resumed, checked, retried, and with readable faults.

A file is written to ``<name>.part`` and takes its name only when it is whole and
has been checked, so that what lies in the cache can be trusted. What is known of
it stands beside it in ``<name>.json``. A part that was left behind is continued
where the server still has the same file, and begun again where it has not.

Nothing here ever shows, logs or keeps the query of an address: it may hold the
user's token.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import errno
import gzip
import hashlib
import json
import logging
import os
import random
import re
import shutil
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace
from enum import Enum
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import platformdirs
import requests
import urllib3.exceptions
from filelock import FileLock, Timeout

from data.errors import InputError, message
from data.sources.ingredients import sha256_of
from data.sources.source import Fetched, Item, Progress

VERSION = "0.1"

#: Who asks, so that those who run a server can tell us from others.
USER_AGENT = f"PhuSong/{VERSION} (mobile coverage planning; Python requests/{version('requests')})"

CACHE_VARIABLE = "PHUSONG_CACHE"
"""Environment variable with the folder of the cache."""

_T = TypeVar("_T")

_CHUNK_BYTES = 1 << 18

#: Answers after which another try may help.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_MISSING = frozenset({403, 404, 410})

_SECRET = re.compile(r"(?i)((?:token|key|apikey|api_key|access_token|password)=)[^&\s\"']+")


@dataclass(frozen=True)
class Settings:
    """How patiently servers are asked.

    Parameters
    ----------
    connect_timeout_s, read_timeout_s
        Without an answer or a byte for longer than this, a connection counts as broken. [s]
    attempts
        Tries without any progress before giving up.
    first_wait_s
        Before the second try; it doubles each time. [s]
    longest_wait_s
        Where a server asks to wait longer than this, we give up at once. [s]
    slowest_bytes_s
        A connection that is slower over `read_timeout_s` counts as broken. [bytes/s]
    """

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    attempts: int = 5
    first_wait_s: float = 1.0
    longest_wait_s: float = 120.0
    slowest_bytes_s: float = 100.0


_settings: list[Settings] = [Settings()]


def settings() -> Settings:
    """Return the settings in force."""
    return _settings[-1]


@contextmanager
def using(**changes: Any) -> Iterator[None]:
    """Ask with other settings for a while, in all threads.

    Parameters
    ----------
    **changes
        Fields of `Settings`.
    """
    changed = replace(settings(), **changes)
    _settings.append(changed)
    try:
        yield
    finally:
        _settings.remove(changed)


_offline: ContextVar[bool] = ContextVar("offline", default=False)


@contextmanager
def offline(active: bool = True) -> Iterator[None]:
    """Use only what lies in the cache, of whatever age; ask no server.

    Parameters
    ----------
    active
        False changes nothing, so that a user's choice can be handed on.
    """
    token = _offline.set(active or _offline.get())
    try:
        yield
    finally:
        _offline.reset(token)


def is_offline() -> bool:
    """Whether no server may be asked."""
    return _offline.get()


class SourceError(InputError):
    """A source did not give what was asked for.

    Parameters
    ----------
    template
        English text with ``{field}`` marks.
    **values
        The fields of the template; `status` is that of the server's answer.

    Attributes
    ----------
    status
        Status of the server's answer, None where there was none.
    """

    def __init__(self, template: str, **values: object) -> None:
        super().__init__(template, **values)
        status = values.get("status")
        self.status = status if isinstance(status, int) else None


class MissingError(SourceError):
    """The server has no such file, or does not give it to us (404, 410, 403)."""


class OfflineError(SourceError):
    """The server cannot be reached, or must not be asked."""


class Kind(Enum):
    """What a file has to be; checked by its first bytes, and by its last where that is cheap."""

    ANY = "a file"
    JSON = "JSON"
    ZIP = "a zip archive"
    GZIP = "a gzip file"
    GEOTIFF = "a GeoTIFF"
    GPKG = "a GeoPackage"
    PARQUET = "a Parquet file"
    PBF = "an OSM PBF file"
    CSV = "a table of text"


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


def cached(item: Item, *, data: Mapping[str, str] | bytes | None = None) -> Fetched | None:
    """Return the copy in the cache, of whatever age, or None; no server is asked.

    Parameters
    ----------
    item
        What is wanted.
    data
        Body of the request, where there is one.

    Returns
    -------
    Fetched or None
        The copy.
    """
    return _Slot.of(item, data).fetched()


def fetch(
    item: Item,
    *,
    url: str | None = None,
    method: str = "GET",
    data: Mapping[str, str] | bytes | None = None,
    headers: Mapping[str, str] | None = None,
    kind: Kind | None = None,
    max_age_s: float | None = None,
    max_bytes: int | None = None,
    on_progress: Progress = lambda _share: None,
) -> Fetched:
    """Bring an item here, or find it in the cache.

    Parameters
    ----------
    item
        What is wanted. `source` and `key` name it in the cache, together with
        `data`; a copy that came for another `url` is not used.
    url
        Address to ask where it differs from ``item.url``: with the user's
        token, or of a mirror. It is never shown, logged or kept.
    method
        ``"GET"`` or ``"POST"``.
    data
        Body: fields of a form, or bytes.
    headers
        More headers.
    kind
        What the file has to be.
    max_age_s
        A copy in the cache that is older is asked for again (and kept where the
        server says that it has not changed); None takes a copy of any age. [s]
    max_bytes
        A larger file is refused.
    on_progress
        Called with the share done from the caller's thread, also while waiting.
        What it raises leaves the part that is here for the next run.

    Returns
    -------
    Fetched
        The file.

    Raises
    ------
    MissingError
        If the server has no such file.
    OfflineError
        If the server cannot be reached.
    SourceError
        If it sent something else, too much, or nothing after several tries.
    InputError
        If the cache cannot be written.
    """
    wanted = _wanted_kind(item, kind)
    slot = _Slot.of(item, data)
    have = slot.fetched()
    if have is not None and (is_offline() or slot.younger_than(max_age_s)):
        on_progress(1.0)
        return have
    if is_offline():
        raise OfflineError(
            "{source}: {file} is not in the cache, and no server may be asked (--offline); run "
            "once without --offline, or give a file of your own",
            source=item.source,
            file=item.key,
        )
    with slot.locked(on_progress):
        have = slot.fetched()  # another process may have brought it in the meantime
        if have is not None and slot.younger_than(max_age_s):
            on_progress(1.0)
            return have
        ask = _Ask(
            item, url or item.url, method, data, dict(headers or {}), wanted, max_bytes, on_progress
        )
        try:
            return _carry(ask, slot)
        except OfflineError as error:
            if have is None:
                raise
            raise OfflineError(
                "{fault}; a copy of {date} lies in {folder} and is used with --offline",
                fault=error.message,
                date=have.retrieved_at[:10],
                folder=str(slot.folder),
            ) from None


def json_from(
    item: Item,
    *,
    url: str | None = None,
    method: str = "GET",
    data: Mapping[str, str] | bytes | None = None,
    headers: Mapping[str, str] | None = None,
    max_age_s: float | None = None,
    max_bytes: int | None = 500_000_000,
    on_progress: Progress = lambda _share: None,
) -> Any:
    """Bring a JSON answer here, or find it in the cache, and read it.

    Parameters
    ----------
    item, url, method, data, headers, max_age_s, max_bytes, on_progress
        As in `fetch`.

    Returns
    -------
    object
        The parsed JSON.
    """
    fetched = fetch(
        item,
        url=url,
        method=method,
        data=data,
        headers=headers,
        kind=Kind.JSON,
        max_age_s=max_age_s,
        max_bytes=max_bytes,
        on_progress=on_progress,
    )
    return json.loads(fetched.path.read_bytes())


@dataclass(frozen=True)
class Description:
    """What a server says of a file.

    Parameters
    ----------
    size_bytes
        Size, None where it does not say.
    ranges
        Whether parts of it can be asked for.
    etag, last_modified
        By which a changed file is known; empty where it does not say.
    """

    size_bytes: int | None
    ranges: bool
    etag: str
    last_modified: str


def describe(
    url: str, *, source: str = "", on_progress: Progress = lambda _share: None
) -> Description:
    """Ask what a file is, without carrying it.

    Parameters
    ----------
    url
        Address; its query is never shown.
    source
        Name of the source, for messages.
    on_progress
        Called while waiting.

    Returns
    -------
    Description
        What the answer to HEAD says, or to a request for one byte where the
        server does not answer HEAD or leaves the size out.

    Raises
    ------
    MissingError
        If the server has no such file.
    OfflineError
        If the server cannot be reached.
    SourceError
        If it gives no sensible answer after several tries.
    """
    name = source or _server(url)
    if is_offline():
        raise OfflineError(
            "{source}: {server} may not be asked (--offline)", source=name, server=_server(url)
        )
    plain = {"Accept-Encoding": "identity"}

    def attempt() -> Description:
        with _sent("HEAD", url, plain, None, name) as answer:
            size = _whole_number(answer.headers.get("Content-Length"))
            if answer.status_code == 200 and size is not None:
                return _description(
                    answer, size, "bytes" in answer.headers.get("Accept-Ranges", "")
                )
            if answer.status_code in _PASSING or answer.status_code in {404, 410}:
                _refuse(answer, url, name)
        with _sent("GET", url, {**plain, "Range": "bytes=0-0"}, None, name) as answer:
            if answer.status_code == 206:
                return _description(answer, _total_of_range(answer), True)
            if answer.status_code == 416:  # an empty file has no first byte
                return _description(answer, _total_of_range(answer), True)
            if answer.status_code == 200:
                size = _whole_number(answer.headers.get("Content-Length"))
                return _description(answer, size, False)
            _refuse(answer, url, name)

    return _persist(attempt, on_progress)


def size_of(url: str, *, source: str = "") -> int | None:
    """Ask for the size of a file, without carrying it.

    Parameters
    ----------
    url
        Address; its query is never shown.
    source
        Name of the source, for messages.

    Returns
    -------
    int or None
        Bytes; None where the server does not say.

    Raises
    ------
    MissingError, OfflineError, SourceError
        As `describe`.
    """
    return describe(url, source=source).size_bytes


def gunzip(
    path: Path,
    target: Path,
    *,
    max_bytes: int = 20_000_000_000,
    on_progress: Progress = lambda _share: None,
) -> Path:
    """Unpack a gzip file.

    Parameters
    ----------
    path
        The gzip file.
    target
        Where to; takes its name only when it is whole.
    max_bytes
        A larger result is refused: a small file can unpack to more than the disk holds.
    on_progress
        Called with the share done.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    SourceError
        If the file is damaged or cut off, or unpacks to more than `max_bytes`.
    """
    total = max(1, path.stat().st_size)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with _writable(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
        with _writable(target.parent), path.open("rb") as packed, part.open("wb") as out:

            def on_bytes(_done: int) -> None:
                on_progress(min(1.0, packed.tell() / total))

            with gzip.GzipFile(fileobj=packed) as stream:
                _copied(stream.read, out, max_bytes, path.name, on_bytes)
            out.flush()
            os.fsync(out.fileno())
        with _writable(target.parent):
            part.replace(target)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise SourceError(
            "{file} is damaged or cut off (expected a gzip file)", file=path.name
        ) from None
    finally:
        part.unlink(missing_ok=True)
    return target


def unzip(
    path: Path,
    folder: Path,
    *,
    only: Callable[[str], bool] = lambda _name: True,
    max_bytes: int = 20_000_000_000,
    max_files: int = 10_000,
    on_progress: Progress = lambda _share: None,
) -> list[Path]:
    """Unpack a zip archive.

    Parameters
    ----------
    path
        The archive.
    folder
        Where to; made if it is not there.
    only
        Whether a member, by its name, is wanted.
    max_bytes
        More than this in all is refused, whatever the archive says of itself.
    max_files
        More members than this are refused.
    on_progress
        Called with the share done.

    Returns
    -------
    list of Path
        The files, in the order of the archive.

    Raises
    ------
    SourceError
        If it is damaged, protected by a password, too large, or has a member
        that would lie outside `folder`.
    """
    made: list[Path] = []
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir() and only(m.filename)]
            announced = sum(member.file_size for member in members)
            if announced > max_bytes or len(members) > max_files:
                raise _too_large(path.name, max_bytes)
            root = folder.resolve()
            done = 0

            def on_bytes(count: int) -> None:
                on_progress(min(1.0, (done + count) / max(1, announced)))

            for member in members:
                # An absolute name, a drive or ".." must not reach beyond the folder.
                name = member.filename.replace("\\", "/")
                target = (root / name).resolve()
                if ":" in name or name.startswith("/") or not target.is_relative_to(root):
                    raise SourceError(
                        "{file} holds a member with the name {name}, which lies outside the "
                        "archive; it was not unpacked",
                        file=path.name,
                        name=name,
                    )
                with _writable(folder):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(member) as stream, target.open("wb") as out:
                        done += _copied(stream.read, out, max_bytes - done, path.name, on_bytes)
                made.append(target)
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError):
        raise SourceError(
            "{file} is damaged or cut off (expected a zip archive)", file=path.name
        ) from None
    except RuntimeError as error:
        if "password" not in str(error):
            raise
        raise SourceError("{file} is protected by a password", file=path.name) from None
    return made


def _too_large(file: str, max_bytes: int) -> SourceError:
    return SourceError(
        "{file} unpacks to more than {limit} MB and was not unpacked",
        file=file,
        limit=round(max_bytes / 1e6),
    )


def _copied(
    read: Callable[[int], bytes],
    out: Any,
    max_bytes: int,
    file: str,
    on_bytes: Callable[[int], object],
) -> int:
    done = 0
    while chunk := read(_CHUNK_BYTES):
        done += len(chunk)
        if done > max_bytes:
            raise _too_large(file, max_bytes)
        out.write(chunk)
        on_bytes(done)
    return done


# ---------------------------------------------------------------------------------------------
# The cache


@dataclass(frozen=True)
class _Known:
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


def _body(data: Mapping[str, str] | bytes | None) -> bytes | None:
    if data is None or isinstance(data, bytes):
        return data
    return urlencode(data).encode()


class _Slot:
    """The place of an item in the cache."""

    def __init__(self, item: Item, folder: Path, name: str) -> None:
        self.item = item
        self.folder = folder
        self.path = folder / name
        self.about = folder / f"{name}.json"
        self.part = folder / f"{name}.part"
        self.part_about = folder / f"{name}.part.json"
        self._lock = folder / f"{name}.lock"

    @classmethod
    def of(cls, item: Item, data: Mapping[str, str] | bytes | None) -> _Slot:
        name = _usable(item.key)
        body = _body(data)
        if body is not None:
            stem, dot, suffix = name.partition(".")
            name = f"{stem}-{hashlib.sha256(body).hexdigest()[:16]}{dot}{suffix}"
        return cls(item, cache_folder() / _usable(item.source), name)

    def _read(self, path: Path) -> _Known | None:
        try:
            known = _Known(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return known if known.url == self.item.url else None

    def known(self) -> _Known | None:
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
        with _writable(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._lock)
        while True:
            try:
                with _writable(self.folder):
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

    def begin(self, known: _Known) -> None:
        """Note which file the part belongs to."""
        _write_json(self.part_about, known)

    def discard(self) -> None:
        """Remove the part."""
        with _writable(self.folder):
            self.part.unlink(missing_ok=True)
            self.part_about.unlink(missing_ok=True)

    def finish(self, known: _Known) -> Fetched:
        """Give the part its name."""
        with _writable(self.folder):
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


def _write_json(path: Path, known: _Known) -> None:
    with _writable(path.parent):
        part = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        part.write_text(json.dumps(asdict(known), indent=1), encoding="utf-8")
        part.replace(path)


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
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


# ---------------------------------------------------------------------------------------------
# Carrying


@dataclass(frozen=True, eq=False)
class _Ask:
    """One request of a caller."""

    item: Item
    url: str
    method: str
    data: Mapping[str, str] | bytes | None
    headers: dict[str, str]
    kind: Kind
    max_bytes: int | None
    on_progress: Progress

    @property
    def whole_only(self) -> bool:
        """Whether the answer is made for this request, so that no part of it can be asked for."""
        return self.method != "GET" or self.data is not None


class _Again(Exception):  # noqa: N818 - no error, but a request for another try
    """Another try may help."""

    def __init__(
        self,
        error: SourceError,
        *,
        wait_s: float | None = None,
        moved: bool = False,
        most: int | None = None,
    ) -> None:
        super().__init__()
        self.error = error
        self.wait_s = wait_s
        self.moved = moved
        self.most = most


def _persist(attempt: Callable[[], _T], on_wait: Progress) -> _T:
    """Try until it succeeds, or until there is no hope."""
    patience = settings()
    failures = 0
    while True:
        try:
            return attempt()
        except _Again as again:
            failures = 1 if again.moved else failures + 1
            if failures >= min(patience.attempts, again.most or patience.attempts):
                raise again.error from None
            wait_s = min(patience.first_wait_s * 2 ** (failures - 1), patience.longest_wait_s)
            # Many who were cut off at the same moment must not come back at the same moment.
            wait_s *= random.uniform(0.75, 1.25)  # noqa: S311 - no secret
            if again.wait_s is not None:
                if again.wait_s > patience.longest_wait_s:
                    raise again.error from None
                wait_s = max(wait_s, again.wait_s)
        _wait(wait_s, on_wait)


def _wait(seconds: float, on_wait: Progress) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        on_wait(0.0)
        time.sleep(min(left, 0.25))


def _carry(ask: _Ask, slot: _Slot) -> Fetched:
    """Bring the file into the cache; the slot is locked."""
    resumed = slot.begun()[0] > 0
    if ask.whole_only:
        slot.discard()
        resumed = False
    furthest = 0.0

    def on_wait(_share: float) -> None:
        ask.on_progress(furthest)

    def on_progress(share: float) -> None:
        nonlocal furthest
        furthest = share
        ask.on_progress(share)

    while True:
        known = _persist(lambda: _attempt(ask, slot, on_progress), on_wait)
        if known is None:
            confirmed = slot.confirm()
            if confirmed is not None:
                ask.on_progress(1.0)
                return confirmed
            continue
        fault = _fault_of(ask, slot.part)
        with _writable(slot.folder):
            found = sha256_of(slot.part)
        if fault is None and ask.item.sha256 not in ("", found):
            fault = SourceError(
                "{source}: {file} has the SHA-256 {found}, but {expected} is published; it was "
                "removed: fetch it again, or give a file of your own",
                source=ask.item.source,
                file=ask.item.key,
                found=found,
                expected=ask.item.sha256,
            )
        if fault is None:
            ask.on_progress(1.0)
            return slot.finish(replace(known, sha256=found))
        slot.discard()
        if not resumed:
            raise fault
        resumed = False  # the part of an earlier run may have been the fault


def _attempt(ask: _Ask, slot: _Slot, on_progress: Progress) -> _Known | None:
    """Bring as much as this connection gives; None if the copy here is up to date."""
    item = ask.item
    start, mark = slot.begun()
    headers = dict(ask.headers)
    headers["Accept-Encoding"] = "gzip" if ask.whole_only else "identity"
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": mark}
    elif slot.fetched() is not None and not ask.whole_only:
        known = slot.known()
        if known is not None and known.etag:
            headers["If-None-Match"] = known.etag
        elif known is not None and known.last_modified:
            headers["If-Modified-Since"] = known.last_modified
    with _sent(ask.method, ask.url, headers, ask.data, item.source) as answer:
        status = answer.status_code
        if status == 304:
            return None
        if status == 416 or (status == 206 and _first_of_range(answer) != start):
            # The part is longer than the file, or the server counts otherwise.
            slot.discard()
            raise _Again(_broken(ask.url, item.source), wait_s=0.0)
        if status not in (200, 206):
            _refuse(answer, ask.url, item.source)
        if status == 200:
            start = 0
        length = _whole_number(answer.headers.get("Content-Length"))
        encoded = answer.headers.get("Content-Encoding", "identity") not in ("identity", "")
        decode = encoded and ask.kind is not Kind.GZIP
        total = None if length is None or decode else start + length
        _check_room(ask, slot, total, start)
        known = _Known(
            item.url,
            etag="" if decode else answer.headers.get("ETag", ""),
            last_modified="" if decode else answer.headers.get("Last-Modified", ""),
            retrieved_at=_now(),
            checked_at=time.time(),
        )
        if start == 0:
            slot.discard()
            if not ask.whole_only and answer.headers.get("Accept-Ranges") != "none":
                slot.begin(known)
        _receive(ask, slot, answer, start, total, decode=decode, on_progress=on_progress)
        return known


def _receive(
    ask: _Ask,
    slot: _Slot,
    answer: requests.Response,
    start: int,
    total: int | None,
    *,
    decode: bool,
    on_progress: Progress,
) -> None:
    """Append an answer to the part."""
    patience = settings()
    expected = total or ask.item.size_bytes
    done, shown, checked = start, -1.0, start >= 512
    since, before = time.monotonic(), start
    with _writable(slot.folder):
        out = slot.part.open("r+b" if start else "wb")
    with out:
        out.seek(start)
        while True:
            try:
                chunk = answer.raw.read1(_CHUNK_BYTES, decode_content=decode)
            except (urllib3.exceptions.HTTPError, OSError):
                raise _Again(_broken(ask.url, ask.item.source), moved=done > start) from None
            if not chunk:
                break
            with _writable(slot.folder):
                out.write(chunk)
                done += len(chunk)
                if not checked and done >= 512:
                    out.flush()
            if not checked and done >= 512:
                checked = True
                _check_start(ask, slot, answer)
            if ask.max_bytes is not None and done > ask.max_bytes:
                out.close()
                slot.discard()
                raise _larger(ask)
            now = time.monotonic()
            if now - since > patience.read_timeout_s:
                if (done - before) / (now - since) < patience.slowest_bytes_s:
                    raise _Again(_silent(ask.url, ask.item.source), moved=done > start)
                since, before = now, done
            share = min(1.0, done / expected) if expected else 0.0
            if share - shown >= 0.01 or shown < 0:
                shown = share
                on_progress(share)
        with _writable(slot.folder):
            out.flush()
            os.fsync(out.fileno())
    if total is not None and done != total:
        raise _Again(_broken(ask.url, ask.item.source), moved=done > start)
    if not checked:
        _check_start(ask, slot, answer)


def _check_room(ask: _Ask, slot: _Slot, total: int | None, start: int) -> None:
    if total is None:
        return
    if ask.max_bytes is not None and total > ask.max_bytes:
        raise _larger(ask)
    free = shutil.disk_usage(slot.folder).free
    if total - start > free:
        raise InputError(
            "{source}: {file} needs {size} MB, but the disk of {folder} has {free} MB free; set "
            "{variable} to a folder on another disk",
            source=ask.item.source,
            file=ask.item.key,
            size=round((total - start) / 1e6),
            free=round(free / 1e6),
            folder=str(slot.folder),
            variable=CACHE_VARIABLE,
        )


def _larger(ask: _Ask) -> SourceError:
    return SourceError(
        "{source}: {file} is larger than {limit} MB, more than is expected of it",
        source=ask.item.source,
        file=ask.item.key,
        limit=round((ask.max_bytes or 0) / 1e6, 1),
    )


# ---------------------------------------------------------------------------------------------
# What came


_MAGIC: dict[Kind, tuple[bytes, ...]] = {
    Kind.ZIP: (b"PK\x03\x04", b"PK\x05\x06"),
    Kind.GZIP: (b"\x1f\x8b",),
    Kind.GEOTIFF: (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    Kind.GPKG: (b"SQLite format 3\0",),
    Kind.PARQUET: (b"PAR1",),
}

_SUFFIXES = {
    ".json": Kind.JSON,
    ".geojson": Kind.JSON,
    ".zip": Kind.ZIP,
    ".kmz": Kind.ZIP,
    ".gz": Kind.GZIP,
    ".tif": Kind.GEOTIFF,
    ".tiff": Kind.GEOTIFF,
    ".gpkg": Kind.GPKG,
    ".parquet": Kind.PARQUET,
    ".pbf": Kind.PBF,
    ".csv": Kind.CSV,
}

_HTML = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)",
    re.IGNORECASE | re.DOTALL,
)


def _wanted_kind(item: Item, kind: Kind | None) -> Kind:
    return kind or _SUFFIXES.get(Path(item.key).suffix.lower(), Kind.ANY)


def _starts_as(kind: Kind, start: bytes) -> bool:
    if kind is Kind.ANY:
        return True
    if kind is Kind.JSON:
        return start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")
    if kind is Kind.CSV:
        return b"\0" not in start and start.lstrip()[:1] not in (b"{", b"<")
    if kind is Kind.PBF:
        return start[5:15] == b"\x09OSMHeader"
    return start.startswith(_MAGIC[kind])


def _check_start(ask: _Ask, slot: _Slot, answer: requests.Response) -> None:
    """Refuse early what is not what was asked for, such as the page of a hotel's Wi-Fi."""
    with slot.part.open("rb") as stream:
        start = stream.read(4096)
    is_page = _HTML.match(start) is not None
    if _starts_as(ask.kind, start) and not (is_page and not ask.item.key.endswith(".html")):
        return
    fault = _unexpected(ask, start, answer.headers.get("Content-Type", ""), is_page=is_page)
    slot.discard()
    raise fault


def _unexpected(ask: _Ask, start: bytes, content_type: str, *, is_page: bool) -> SourceError:
    values = {
        "source": ask.item.source,
        "address": _shown(ask.url),
        "expected": message(ask.kind.value),
    }
    if is_page:
        return SourceError(
            "{source}: {address} sent a web page instead of {expected}; the address may have "
            "moved, or the network asks to sign in first",
            **values,
        )
    said = _said(start, ask.url)
    if said:
        return SourceError("{source}: {address} says: {said}", said=said, **values)
    return SourceError(
        "{source}: {address} sent something else than {expected} (content type {found})",
        found=content_type.partition(";")[0] or "?",
        **values,
    )


def _fault_of(ask: _Ask, path: Path) -> SourceError | None:
    """Look at the end of a file, for servers that do not say how long it is."""
    values = {"source": ask.item.source, "file": ask.item.key, "expected": message(ask.kind.value)}
    damaged = SourceError("{source}: {file} is damaged or cut off (expected {expected})", **values)
    size = path.stat().st_size
    if size == 0 and ask.kind is not Kind.ANY:
        return SourceError("{source}: {file} is empty (expected {expected})", **values)
    if ask.kind is Kind.ZIP and not zipfile.is_zipfile(path):
        return damaged
    if ask.kind is Kind.PARQUET:
        with path.open("rb") as stream:
            stream.seek(-4, os.SEEK_END)
            return None if stream.read() == b"PAR1" else damaged
    if ask.kind is Kind.JSON and size <= 100_000_000:
        try:
            document = json.loads(path.read_bytes())
        except ValueError:
            return damaged
        said = _error_in(document)
        if said:
            return SourceError(
                "{source}: {address} says: {said}",
                source=ask.item.source,
                address=_shown(ask.url),
                said=_hidden(said, ask.url),
            )
    return None


def _error_in(document: object) -> str:
    """Return what a JSON answer says of a fault, or an empty text."""
    if not isinstance(document, dict):
        return ""
    error = document.get("error")
    failed = str(document.get("status", "")).lower() in ("error", "fail", "failed")
    if not failed and document.get("success") is not False and not error:
        return ""
    if document.keys() & {"features", "elements", "type"} and not failed:
        return ""
    for found in (document.get("message"), document.get("detail"), error):
        if isinstance(found, dict):
            found = found.get("message") or found.get("detail")
        if isinstance(found, str) and found.strip():
            return " ".join(found.split())[:300]
    return "error"


def _said(body: bytes, url: str) -> str:
    """Return the message of a JSON body, or an empty text."""
    try:
        return _hidden(_error_in(json.loads(body)), url)
    except ValueError:
        return ""


# ---------------------------------------------------------------------------------------------
# Asking


@contextmanager
def _sent(
    method: str,
    url: str,
    headers: Mapping[str, str],
    data: Mapping[str, str] | bytes | None,
    source: str,
) -> Iterator[requests.Response]:
    """Send a request; faults of the connection come out as `_Again` or `SourceError`."""
    patience = settings()
    body = _body(data)
    merged = {"User-Agent": USER_AGENT, **headers}
    if isinstance(data, Mapping):
        merged.setdefault("Content-Type", "application/x-www-form-urlencoded")
    # What requests raises carries the address with its query: it must not go on as a cause.
    try:
        answer = requests.request(
            method,
            url,
            headers=merged,
            data=body,
            stream=True,
            allow_redirects=True,
            timeout=(patience.connect_timeout_s, patience.read_timeout_s),
        )
    except requests.exceptions.SSLError:
        raise OfflineError(
            "{source}: the certificate of {server} is not trusted; check the clock of this "
            "computer and the network",
            source=source,
            server=_server(url),
        ) from None
    except requests.exceptions.ReadTimeout:
        raise _Again(_silent(url, source)) from None
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
        if _unreachable(error):
            raise _Again(_unreached(url, source), most=2) from None
        raise _Again(_broken(url, source)) from None
    except requests.exceptions.ChunkedEncodingError:
        raise _Again(_broken(url, source)) from None
    except (requests.exceptions.RequestException, ValueError):
        raise SourceError(
            "{source}: {address} is no address that can be asked",
            source=source,
            address=_shown(url),
        ) from None
    try:
        yield answer
    finally:
        answer.close()


def _unreachable(error: Exception) -> bool:
    """Whether no connection was made at all: no such name, nobody there, no way there."""
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _refuse(answer: requests.Response, url: str, source: str) -> NoReturn:
    """Raise what an answer without data means."""
    status = answer.status_code
    values = {"source": source, "address": _shown(url), "status": status}
    said = ""
    with suppress(urllib3.exceptions.HTTPError, OSError):
        said = _said(answer.raw.read(4096, decode_content=True) or b"", url)
    if said:
        values["said"] = said
    if status in _PASSING:
        wait_s = _seconds(answer.headers.get("Retry-After"))
        if status == 429 or (wait_s is not None and wait_s > settings().longest_wait_s):
            error = SourceError(
                "{source}: {address} wants fewer requests (status {status}); try again in {wait} s",
                wait=round(wait_s or settings().longest_wait_s),
                **values,
            )
        else:
            error = SourceError(
                "{source}: {address} has a fault of its own (status {status}); try again later",
                **values,
            )
        raise _Again(error, wait_s=wait_s)
    if status in _MISSING and not said:
        raise MissingError("{source}: there is no file {address} (status {status})", **values)
    if said:
        kind = MissingError if status in _MISSING else SourceError
        raise kind("{source}: {address} says: {said} (status {status})", **values)
    raise SourceError("{source}: {address} refuses the request (status {status})", **values)


def _unreached(url: str, source: str) -> OfflineError:
    return OfflineError(
        "{source}: {server} cannot be reached; check the connection to the internet, give files "
        "of your own, or use --offline with what is in the cache",
        source=source,
        server=_server(url),
    )


def _silent(url: str, source: str) -> SourceError:
    return SourceError(
        "{source}: {server} does not answer within {seconds} s; try again later",
        source=source,
        server=_server(url),
        seconds=f"{settings().read_timeout_s:g}",
    )


def _broken(url: str, source: str) -> SourceError:
    return SourceError(
        "{source}: the connection to {server} broke off again and again; what is here already is "
        "kept, so try again later",
        source=source,
        server=_server(url),
    )


def _server(url: str) -> str:
    return urlsplit(url).hostname or "?"


def _shown(url: str) -> str:
    """Return an address as it may be shown: without user, query and fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _hidden(text: str, url: str) -> str:
    """Take out of a server's words what the query of the address holds."""
    for _, value in parse_qsl(urlsplit(url).query):
        if len(value) >= 6:
            text = text.replace(value, "***")
    return _SECRET.sub(r"\1***", text)


class _HideSecrets(logging.Filter):
    """Keep tokens out of the log of urllib3, which shows whole addresses at level DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        hidden = _SECRET.sub(r"\1***", text)
        if hidden != text:
            record.msg, record.args = hidden, ()
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_HideSecrets())


def _whole_number(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdecimal() else None


def _total_of_range(answer: requests.Response) -> int | None:
    return _whole_number(answer.headers.get("Content-Range", "").rpartition("/")[2])


def _first_of_range(answer: requests.Response) -> int | None:
    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _description(answer: requests.Response, size: int | None, ranges: bool) -> Description:
    return Description(
        size, ranges, answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", "")
    )


def _seconds(retry_after: str | None) -> float | None:
    """Return for how long a server asks to wait: a number of seconds or a date."""
    if not retry_after:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        when = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=dt.UTC)
    return max(0.0, (when - dt.datetime.now(dt.UTC)).total_seconds())


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
