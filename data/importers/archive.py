"""Zip archives, which workbooks and many layers come in, opened with care.

Nothing is unpacked to a path that an archive names, and no more than a set
number of bytes, whatever the archive says about its sizes.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from data.errors import InputError, message
from data.importers.source_file import SourceFile, not_a_table

MAX_UNPACKED_BYTES = 800_000_000
"""Most that an archive may unpack to; small files can hide endless ones."""

MAX_MEMBERS = 20_000

DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
)
"""What zipfile raises on damaged or encrypted archives."""

_BLOCK = 1 << 20


class Archive:
    """An open archive whose sizes have been checked.

    Parameters
    ----------
    archive
        The archive.
    name
        File name.
    """

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self._archive = archive
        self.name = name
        # The last of several members of one name counts, as in other programs.
        self.members = {
            member.filename: member for member in archive.infolist() if not member.is_dir()
        }
        unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > MAX_UNPACKED_BYTES or len(archive.infolist()) > MAX_MEMBERS:
            raise InputError(
                "{file} unpacks to {size} MB; the most is {limit} MB",
                file=name,
                size=round(unpacked / 1e6),
                limit=round(MAX_UNPACKED_BYTES / 1e6),
            )

    def with_suffix(self, *suffixes: str) -> list[str]:
        """Return the members whose names end in one of some ways.

        Parameters
        ----------
        *suffixes
            Endings in small letters.

        Returns
        -------
        list of str
            Names in order; what systems add for themselves is left out.
        """
        return sorted(
            name
            for name in self.members
            if name.lower().endswith(suffixes)
            and "__MACOSX" not in PurePosixPath(name).parts
            and not PurePosixPath(name).name.startswith(".")
        )

    def blocks(self, member: str) -> Iterator[bytes]:
        """Yield the content of a member.

        Parameters
        ----------
        member
            Its name.

        Yields
        ------
        bytes
            One block after the other, no more in all than the archive says.

        Raises
        ------
        InputError
            If it is damaged or has a password.
        """
        if self.members[member].flag_bits & 1:
            raise InputError("{file} has a password; save it without", file=self.name)
        try:
            with self._archive.open(self.members[member]) as stream:
                while block := stream.read(_BLOCK):
                    yield block
        except DAMAGE as error:
            raise _damaged(self.name) from error

    def read(self, member: str) -> bytes:
        """Return the content of a member; see `blocks`."""
        return b"".join(self.blocks(member))

    def extract(self, member: str, path: Path) -> None:
        """Write the content of a member to a path; see `blocks`."""
        with path.open("wb") as file:
            for block in self.blocks(member):
                file.write(block)


@contextmanager
def opened(source: SourceFile) -> Iterator[Archive]:
    """Open an archive.

    Parameters
    ----------
    source
        The file.

    Yields
    ------
    Archive
        The archive.

    Raises
    ------
    InputError
        If it is damaged or unpacks to too much.
    """
    with source.stream() as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except DAMAGE as error:
            raise _damaged(source.name) from error
        with archive:
            yield Archive(archive, source.name)


def chosen(
    groups: dict[str, list[str]], archive: Archive, wanted: str | None, layer: str
) -> list[str]:
    """Return the files of one of the layers of an archive.

    Parameters
    ----------
    groups
        Name of each layer to its files.
    archive
        The archive.
    wanted
        Name asked for, or None.
    layer
        Layer that it is for; a file of that name is the right one.

    Returns
    -------
    list of str
        Names of members.

    Raises
    ------
    InputError
        If there are several and nothing tells which.
    """
    if wanted is not None:
        if wanted not in groups:
            raise InputError(
                "{file} has no layer {wanted}; it has {layers}",
                file=archive.name,
                wanted=wanted,
                layers=", ".join(groups),
            )
        return groups[wanted]
    if len(groups) == 1:
        return next(iter(groups.values()))
    for name, members in groups.items():
        if name.lower() == layer:
            return members
    raise InputError(
        "{file} has the layers {layers}; say which one holds {layer}",
        file=archive.name,
        layers=", ".join(groups) or "-",
        layer=layer,
    )


def _damaged(name: str) -> InputError:
    return InputError(
        "{file} is damaged: it is a zip archive or Excel file that is cut off", file=name
    )


def nothing_inside(name: str) -> InputError:
    """Return the error for an archive without a file that can be imported."""
    return not_a_table(name, message("a zip archive without a table or layer in it"))
