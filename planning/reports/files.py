"""What the writers share: numbered captions, files in one step, archives of the same bytes."""

from __future__ import annotations

import datetime as dt
import io
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from data.errors import InputError, message
from planning.reports.language import Language
from planning.reports.model import Document, Number, Picture, Table

_DATES = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*(</dcterms:\2>)")


def checked_formats(formats: Iterable[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return formats, each once.

    Parameters
    ----------
    formats
        Names.
    known
        Those that there are.

    Returns
    -------
    tuple of str
        The same.

    Raises
    ------
    InputError
        If one is not known, or there is none.
    """
    found = tuple(dict.fromkeys(formats))
    for each in found:
        if each not in known:
            raise InputError(
                "There is no format {format}; known formats: {known}",
                format=each,
                known=", ".join(known),
            )
    if not found:
        raise InputError("No format was asked for")
    return found


def captions(document: Document, language: Language) -> dict[str, str]:
    """Return the numbered captions of tables and pictures by key.

    Parameters
    ----------
    document
        The report.
    language
        Language of the texts.

    Returns
    -------
    dict
        E.g. "Bảng 3. …" and "Hình 2. …".
    """
    found, tables, pictures = {}, 0, 0
    for block in document.blocks():
        if isinstance(block, Table):
            tables += 1
            label = message("Table {number}. {title}", number=Number(tables), title=block.title)
        elif isinstance(block, Picture):
            pictures += 1
            label = message("Figure {number}. {title}", number=Number(pictures), title=block.title)
        else:
            continue
        found[block.key] = language.say(label)
    return found


def heading(number: tuple[int, ...], title: str) -> str:
    """Return a heading with its number, such as "3.1. Coverage maps"."""
    return f"{'.'.join(map(str, number))}. {title}"


def moment(document: Document) -> dt.datetime:
    """Return the time that files of a report carry, so that the same content is the same bytes.

    Parameters
    ----------
    document
        The report.

    Returns
    -------
    datetime.datetime
        $SOURCE_DATE_EPOCH, else midnight (UTC) of the day of the data.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "").strip()
    if epoch.isdigit():
        return dt.datetime.fromtimestamp(int(epoch), dt.UTC)
    try:
        day = dt.date.fromisoformat(document.day)
    except ValueError:
        day = dt.date(2000, 1, 1)
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def same_bytes(archive: bytes, when: dt.datetime) -> bytes:
    """Write an Office file anew with one time in place of the clock's.

    Parameters
    ----------
    archive
        The file.
    when
        The time.

    Returns
    -------
    bytes
        The same parts in the same order.
    """
    stamp = when.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    written = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as source,
        zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for info in source.infolist():
            content = source.read(info)
            if info.filename == "docProps/core.xml":
                content = _DATES.sub(rb"\g<1>" + stamp + rb"\g<3>", content)
            part = zipfile.ZipInfo(info.filename, (1980, 1, 1, 0, 0, 0))
            part.compress_type = zipfile.ZIP_DEFLATED
            part.external_attr = 0o644 << 16
            target.writestr(part, content)
    return written.getvalue()


def replace(path: Path, write: Callable[[Path], None]) -> Path:
    """Write a file beside its place and put it there in one step.

    Parameters
    ----------
    path
        Where it shall be; a file that is there is replaced.
    write
        Writes it to the path that it is given, which has the same ending.

    Returns
    -------
    Path
        The place.

    Raises
    ------
    InputError
        If it cannot be written; what was there stays.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=".tmp-", dir=path.parent) as folder:
            temporary = Path(folder) / f"new{path.suffix}"
            write(temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    except OSError as error:
        raise InputError(
            "{file} cannot be written: {reason}", file=path, reason=error.strerror or str(error)
        ) from error
    return path


def replace_bytes(path: Path, content: bytes) -> Path:
    """Write bytes to a file in one step."""
    return replace(path, lambda temporary: _write(temporary, content))


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
