"""Read text with values between commas, semicolons, tabs or bars."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
import pandas as pd

from data.errors import InputError, message
from data.importers import rows as tables
from data.importers.header import SEARCHED_ROWS, Wanted
from data.importers.numbers import objects, read_numbers
from data.importers.source_file import SAMPLE, SourceFile, not_a_table
from data.interchange import unguarded

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}

MAX_VALUE = 20_000_000
"""Longest value; boundaries as text are long."""

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")


def encoding_of(sample: bytes, name: str) -> str:
    """Return which form of Unicode a text has, by its mark or its zeros.

    Parameters
    ----------
    sample
        First bytes of the file.
    name
        File name.

    Returns
    -------
    str
        Name of a codec; UTF-8 where nothing tells.

    Raises
    ------
    InputError
        If it is no text.
    """
    if sample.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    zeros = np.frombuffer(sample, np.uint8) == 0
    if zeros.any():
        # UTF-16 without a mark: every other byte of plain characters is zero.
        even, odd = zeros[::2].mean(), zeros[1::2].mean()
        if max(even, odd) > 0.3 and min(even, odd) < 0.01:
            return "utf-16-le" if odd > even else "utf-16-be"
        raise not_a_table(name, message("a binary file of unknown kind"))
    return "utf-8"


def decoded(sample: bytes, encoding: str, name: str) -> str:
    """Return the first bytes as text; refuse what is none.

    Parameters
    ----------
    sample
        First bytes of the file; they may end within a character.
    encoding
        Name of a codec.
    name
        File name.

    Returns
    -------
    str
        The text.

    Raises
    ------
    UnicodeDecodeError
        If it is text in another encoding.
    InputError
        If it is no text.
    """
    text = codecs.getincrementaldecoder(encoding)("strict").decode(sample, final=False)
    if _CONTROL.search(text):
        raise not_a_table(name, message("a binary file of unknown kind"))
    return text


def not_unicode(name: str, error: UnicodeDecodeError) -> InputError:
    """Return the error for text whose encoding is not known.

    Parameters
    ----------
    name
        File name.
    error
        Where it stopped.

    Returns
    -------
    InputError
        To be raised.
    """
    return InputError(
        "{file} is not text in UTF-8 or UTF-16, nor in a Vietnamese encoding that is known (byte "
        "{byte} at position {position}); expected a table: CSV saved as UTF-8, Excel, GeoPackage "
        "or GeoJSON",
        file=name,
        byte=f"0x{error.object[error.start]:02x}",
        position=error.start,
    )


class NotUnicodeError(InputError):
    """Text turned out to be in another encoding after its first bytes.

    Parameters
    ----------
    name
        File name.
    cause
        Where it stopped.
    """

    def __init__(self, name: str, cause: UnicodeDecodeError) -> None:
        said = not_unicode(name, cause).message
        super().__init__(said.template, **said.values)
        self.cause = cause


def is_binary(text: str) -> bool:
    """Return whether a text holds characters that no text has.

    Parameters
    ----------
    text
        Decoded bytes.

    Returns
    -------
    bool
        Whether it does.
    """
    return bool(_CONTROL.search(text))


def legacy_text(source: SourceFile) -> tuple[str, str] | None:
    """Return a file in a Vietnamese encoding from before Unicode, and its name, or None.

    Parameters
    ----------
    source
        The file.

    Returns
    -------
    tuple or None
        Text and name of the encoding.
    """
    from data.importers import legacy_vietnamese  # its tables are large, and few files need them

    return legacy_vietnamese.decoded_text(source.bytes())


def read(source: SourceFile, wanted: Wanted, encoding: str, text: str | None) -> tables.Rows:
    """Read a table.

    Parameters
    ----------
    source
        The file.
    wanted
        What it is for.
    encoding
        Name of its codec.
    text
        Its content, where it is decoded already.

    Returns
    -------
    Rows
        The table.

    Raises
    ------
    InputError
        If it is not a table, or not for this layer.
    """
    with _opened(source, encoding, text) as stream:
        try:
            delimiter = _delimiter(_first_lines(stream, wanted.name), wanted)
            stream.seek(0)
            found = tables.build(_numbered(stream, delimiter, wanted.name), wanted)
        except UnicodeDecodeError as error:
            raise NotUnicodeError(wanted.name, error) from error
    _unguard(found.frame)
    found.decimal = "," if delimiter == ";" else None
    found.problems += read_numbers(found.frame, wanted, found.decimal)
    return found


@contextmanager
def _opened(source: SourceFile, encoding: str, text: str | None) -> Iterator[IO[str]]:
    if text is not None:
        yield io.StringIO(text, newline="")
        return
    with (
        source.stream() as stream,
        io.TextIOWrapper(stream, encoding=encoding, newline="") as wrapped,
    ):
        yield wrapped


def _numbered(text: IO[str], delimiter: str, name: str) -> Iterator[tables.Row]:
    """Yield the rows with their number, which counts blank ones as spreadsheets do."""
    number = 0
    csv.field_size_limit(MAX_VALUE)
    try:
        for row in csv.reader(text, delimiter=delimiter, strict=True):
            number += 1
            yield number, row
    except csv.Error as error:
        raise InputError(
            "{file}, row {row}: the line cannot be split into values ({reason}); expected values "
            "separated by {delimiter}, and every quotation mark closed",
            file=name,
            row=number + 1,
            reason=str(error),
            delimiter=DELIMITERS[delimiter],
        ) from error


def _first_lines(text: IO[str], name: str) -> list[str]:
    """Return the first lines that are not blank, long ones cut."""
    lines: list[str] = []
    for _ in range(10_000):
        line = text.readline(SAMPLE)
        if not line or len(lines) == SEARCHED_ROWS:
            break
        if line.strip("\ufeff \t\r\n,;|"):
            lines.append(line)
    if not lines:
        raise InputError("{file} is empty", file=name)
    if len(lines[0]) >= SAMPLE:
        raise not_a_table(name, message("text without lines"))
    return lines


def _delimiter(lines: list[str], wanted: Wanted) -> str:
    """Return the delimiter that finds most of the columns in one line.

    Where none finds any, the one that parts most lines into as many values.
    """

    def score(delimiter: str) -> tuple[int, int, int]:
        parts = [_split(line, delimiter) for line in lines]
        counts = Counter(len(values) for values in parts)
        alike = max((count for width, count in counts.items() if width > 1), default=0)
        first = max(parts, key=wanted.score)
        return wanted.score(first), alike, len(first)

    return max(DELIMITERS, key=score)


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _unguard(frame: pd.DataFrame) -> None:
    """Take off the quotes that an export puts before text that looks like a formula."""
    for position in range(frame.shape[1]):
        values = frame.iloc[:, position].tolist()
        if any(value is not None and value.startswith("'") for value in values):
            done = [None if value is None else unguarded(value) for value in values]
            frame.isetitem(position, objects(done))
    frame.columns = pd.Index([unguarded(str(name)) for name in frame.columns], dtype=object)
