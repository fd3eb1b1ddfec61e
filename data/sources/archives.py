"""Unpack archives that may be damaged, or made to do harm."""

from __future__ import annotations

import gzip
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data.sources.download_cache import writable
from data.sources.servers import SourceError
from data.sources.source import Progress

_CHUNK_BYTES = 1 << 18


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
        with writable(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
        with writable(target.parent), path.open("rb") as packed, part.open("wb") as out:

            def on_bytes(_done: int) -> None:
                on_progress(min(1.0, packed.tell() / total))

            with gzip.GzipFile(fileobj=packed) as stream:
                _copied(stream.read, out, max_bytes, path.name, on_bytes)
            out.flush()
            os.fsync(out.fileno())
        with writable(target.parent):
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
                with writable(folder):
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
