"""A file, or its content, that somebody wants to import: size, hash, safe places for its parts."""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from data.errors import InputError, Message

SAMPLE = 65_536
"""Bytes from which the kind of a file is told."""

MAX_ROWS = 500_000
MAX_COLUMNS = 300


@dataclass(frozen=True, eq=False)
class SourceFile:
    """What is read.

    Parameters
    ----------
    content
        File, or its content.
    name
        Name to show.
    """

    content: Path | bytes
    name: str

    def check_size(self, limit: int) -> None:
        """Refuse a file that is not there, is empty or too large.

        Parameters
        ----------
        limit
            Most bytes.

        Raises
        ------
        InputError
            If it is refused.
        """
        if isinstance(self.content, Path) and not self.content.exists():
            raise InputError("There is no file {file}", file=self.content)
        if isinstance(self.content, Path) and not self.content.is_file():
            raise InputError("{file} is not a file", file=self.content)
        size = self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)
        if size == 0:
            raise InputError("{file} is empty", file=self.name)
        if size > limit:
            raise InputError(
                "{file} has {size} MB; the most is {limit} MB",
                file=self.name,
                size=round(size / 1e6),
                limit=round(limit / 1e6),
            )

    @contextmanager
    def readable(self) -> Iterator[None]:
        """Say in a sentence why the disk does not give the file."""
        try:
            yield
        except OSError as error:
            raise InputError(
                "{file} cannot be read: {reason}",
                file=self.name,
                reason=error.strerror or str(error),
            ) from error

    @contextmanager
    def stream(self) -> Iterator[IO[bytes]]:
        """Give the content as a stream."""
        with (
            self.content.open("rb")
            if isinstance(self.content, Path)
            else io.BytesIO(self.content) as stream
        ):
            yield stream

    def sample(self) -> tuple[bytes, str]:
        """Return the first bytes, and the SHA-256 of all."""
        with self.stream() as stream:
            sample = stream.read(SAMPLE)
            digest = hashlib.sha256(sample)
            while block := stream.read(1 << 20):
                digest.update(block)
        return sample, digest.hexdigest()

    def bytes(self) -> bytes:
        """Return the whole content."""
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content

    @contextmanager
    def path(self, suffix: str) -> Iterator[Path]:
        """Give a path that ends as GDAL and others want it, a copy if need be."""
        if isinstance(self.content, Path) and self.content.suffix.lower() == suffix:
            yield self.content
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"upload{suffix}"
            if isinstance(self.content, Path):
                shutil.copyfile(self.content, path)
            else:
                path.write_bytes(self.content)
            yield path


def not_a_table(name: str, what: Message) -> InputError:
    """Return the error for a file of a kind that holds no rows.

    Parameters
    ----------
    name
        File name.
    what
        What it is.

    Returns
    -------
    InputError
        To be raised.
    """
    return InputError(
        "{file} is {what}; expected a table or a layer: CSV, Excel, GeoPackage, Shapefile (zip), "
        "KML or GeoJSON",
        file=name,
        what=what,
    )


def check_count(count: int, name: str) -> None:
    """Refuse more rows than are looked at.

    Parameters
    ----------
    count
        Rows of the file.
    name
        File name.

    Raises
    ------
    InputError
        If there are too many.
    """
    if count > MAX_ROWS:
        raise InputError("{file} has more than {limit} rows", file=name, limit=MAX_ROWS)
