"""Bring files here over HTTP: cached, resumed, checked, retried, and with readable faults.

A part that was left behind is continued where the server still has the same
file, and begun again where it has not. No message, log or name of a file shows
the query of an address: it may hold the user's token.

This module has all that a source needs; the parts are in `servers` (asking),
`download_cache`, `file_kinds` and `archives`.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests
import urllib3.exceptions

from data.errors import InputError
from data.sources.archives import gunzip, unzip
from data.sources.download_cache import CACHE_VARIABLE, Known, Slot, cache_folder, writable
from data.sources.file_kinds import PAGE, Kind, starts_as, wanted_kind
from data.sources.ingredients import sha256_of
from data.sources.servers import (
    USER_AGENT,
    Again,
    Description,
    MissingError,
    OfflineError,
    Settings,
    SourceError,
    broken,
    describe,
    error_in,
    first_of_range,
    hidden,
    is_offline,
    now,
    offline,
    persist,
    refuse,
    said_in,
    sent,
    settings,
    shown,
    silent,
    size_of,
    using,
    whole_number,
)
from data.sources.source import Fetched, Item, Progress

__all__ = [
    "CACHE_VARIABLE",
    "USER_AGENT",
    "Description",
    "Kind",
    "MissingError",
    "OfflineError",
    "Settings",
    "SourceError",
    "cache_folder",
    "cached",
    "describe",
    "fetch",
    "gunzip",
    "is_offline",
    "json_from",
    "offline",
    "settings",
    "size_of",
    "unzip",
    "using",
]

_CHUNK_BYTES = 1 << 18


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
    return Slot.of(item, data).fetched()


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
    wanted = wanted_kind(item, kind)
    slot = Slot.of(item, data)
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


def _carry(ask: _Ask, slot: Slot) -> Fetched:
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
        known = persist(lambda: _attempt(ask, slot, on_progress), on_wait)
        if known is None:
            confirmed = slot.confirm()
            if confirmed is not None:
                ask.on_progress(1.0)
                return confirmed
            continue
        fault = _fault_of(ask, slot.part)
        with writable(slot.folder):
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


def _attempt(ask: _Ask, slot: Slot, on_progress: Progress) -> Known | None:
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
    with sent(ask.method, ask.url, headers, ask.data, item.source) as answer:
        status = answer.status_code
        if status == 304:
            return None
        if status == 416 or (status == 206 and first_of_range(answer) != start):
            # The part is longer than the file, or the server counts otherwise.
            slot.discard()
            raise Again(broken(ask.url, item.source), wait_s=0.0)
        if status not in (200, 206):
            refuse(answer, ask.url, item.source)
        if status == 200:
            start = 0
        length = whole_number(answer.headers.get("Content-Length"))
        encoded = answer.headers.get("Content-Encoding", "identity") not in ("identity", "")
        decode = encoded and ask.kind is not Kind.GZIP
        total = None if length is None or decode else start + length
        _check_room(ask, slot, total, start)
        known = Known(
            item.url,
            etag="" if decode else answer.headers.get("ETag", ""),
            last_modified="" if decode else answer.headers.get("Last-Modified", ""),
            retrieved_at=now(),
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
    slot: Slot,
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
    with writable(slot.folder):
        out = slot.part.open("r+b" if start else "wb")
    with out:
        out.seek(start)
        while True:
            try:
                chunk = answer.raw.read1(_CHUNK_BYTES, decode_content=decode)
            except urllib3.exceptions.ReadTimeoutError:
                raise Again(silent(ask.url, ask.item.source), moved=done > start) from None
            except (urllib3.exceptions.HTTPError, OSError):
                raise Again(broken(ask.url, ask.item.source), moved=done > start) from None
            if not chunk:
                break
            with writable(slot.folder):
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
                    raise Again(silent(ask.url, ask.item.source), moved=done > start)
                since, before = now, done
            share = min(1.0, done / expected) if expected else 0.0
            if share - shown >= 0.01 or shown < 0:
                shown = share
                on_progress(share)
        with writable(slot.folder):
            out.flush()
            os.fsync(out.fileno())
    if total is not None and done != total:
        raise Again(broken(ask.url, ask.item.source), moved=done > start)
    if not checked:
        _check_start(ask, slot, answer)


def _check_room(ask: _Ask, slot: Slot, total: int | None, start: int) -> None:
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


def _check_start(ask: _Ask, slot: Slot, answer: requests.Response) -> None:
    """Refuse early what is not what was asked for, such as the page of a hotel's Wi-Fi."""
    with slot.part.open("rb") as stream:
        start = stream.read(4096)
    is_page = PAGE.match(start) is not None
    if starts_as(ask.kind, start) and not (is_page and not ask.item.key.endswith(".html")):
        return
    fault = _unexpected(ask, start, answer.headers.get("Content-Type", ""), is_page=is_page)
    slot.discard()
    raise fault


def _unexpected(ask: _Ask, start: bytes, content_type: str, *, is_page: bool) -> SourceError:
    values = {
        "source": ask.item.source,
        "address": shown(ask.url),
        "expected": ask.kind.said,
    }
    if is_page:
        return SourceError(
            "{source}: {address} sent a web page instead of {expected}; the address may have "
            "moved, or the network asks to sign in first",
            **values,
        )
    said = said_in(start, ask.url)
    if said:
        return SourceError("{source}: {address} says: {said}", said=said, **values)
    return SourceError(
        "{source}: {address} sent something else than {expected} (content type {found})",
        found=content_type.partition(";")[0] or "?",
        **values,
    )


def _fault_of(ask: _Ask, path: Path) -> SourceError | None:
    """Look at the end of a file, for servers that do not say how long it is."""
    values = {"source": ask.item.source, "file": ask.item.key, "expected": ask.kind.said}
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
        said = error_in(document)
        if said:
            return SourceError(
                "{source}: {address} says: {said}",
                source=ask.item.source,
                address=shown(ask.url),
                said=hidden(said, ask.url),
            )
    return None
