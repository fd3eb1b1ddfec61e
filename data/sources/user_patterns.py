"""Antenna patterns of the user's own (MSI, Planet) as a source like the others.

Makers publish patterns on pages that want a login, so there is no address to ask:
files and folders are given. Patterns are no layer; `read` brings them, checked, into a
folder, from where `antenna_pattern.add_to_folder` takes them into a workspace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.area import Provenance
from data.errors import InputError
from data.importers import antenna_pattern
from data.importers.antenna_pattern import PatternFile
from data.sources.local_files import at_hand
from data.sources.source import Fetched, Item, Place, Progress, Reading

#: Folder below that of `read` into which the patterns go.
FOLDER = "patterns"


def _ignore(_share: float) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class UserPatterns:
    """Antenna pattern files that lie on this machine.

    Parameters
    ----------
    files
        Pattern files, and folders of which all `.msi` and `.pln` files are taken.
    licence
        Terms of use, as the user knows them.
    """

    files: tuple[Path, ...]
    licence: str = "as the maker of the antennas states"
    name: str = "patterns"
    title: str = "Antenna patterns of one's own (MSI, Planet)"
    gives: tuple[str, ...] = ()

    def find(self, place: Place) -> list[Item]:
        """Return the pattern files.

        Parameters
        ----------
        place
            Not used: antennas are the same everywhere.

        Returns
        -------
        list of Item
            By name.

        Raises
        ------
        InputError
            If there is none, or two have the same name.
        """
        del place
        items = [
            Item(self.name, name, name, path.stat().st_size, licence=self.licence)
            for name, path in sorted(self._paths().items())
        ]
        if not items:
            raise InputError("No antenna pattern file was given")
        return items

    def _paths(self) -> dict[str, Path]:
        paths: dict[str, Path] = {}
        for given in self.files:
            inside = sorted(given.iterdir()) if given.is_dir() else [given]
            for path in inside:
                if given.is_dir() and path.suffix.lower() not in antenna_pattern.SUFFIXES:
                    continue
                if not path.is_file():
                    raise InputError("There is no file {file}", file=str(path))
                if paths.setdefault(path.name, path) != path:
                    raise InputError("{file}: there are two files of this name", file=path.name)
        return paths

    def size_up(self, items: Sequence[Item]) -> list[Item]:
        """Return the items; nothing is carried."""
        return list(items)

    def fetch(
        self, items: Sequence[Item], place: Place, *, on_progress: Progress = _ignore
    ) -> list[Fetched]:
        """Return the files as they lie.

        Parameters
        ----------
        items
            From `find`.
        place
            Not used.
        on_progress
            Called with the share done.

        Returns
        -------
        list of Fetched
            The files.
        """
        del place
        paths = self._paths()
        fetched = []
        for number, item in enumerate(items):
            fetched.append(at_hand(item, paths[item.key]))
            on_progress((number + 1) / len(items))
        return fetched

    def read(self, fetched: Sequence[Fetched], place: Place, folder: Path) -> Reading:
        """Check the patterns and copy them, all of them or none.

        Parameters
        ----------
        fetched
            From `fetch`.
        place
            Not used.
        folder
            They go into `FOLDER` below it.

        Returns
        -------
        Reading
            Notes only: what each file is, and what was assumed in reading it.

        Raises
        ------
        InputError
            If a file is no pattern, or two give the same antenna.
        """
        del place
        target = folder / FOLDER
        target.parent.mkdir(parents=True, exist_ok=True)
        patterns = antenna_pattern.add_to_folder([one.path for one in fetched], target)
        notes = []
        for pattern in patterns:
            notes.append(
                f"{pattern.name}: {pattern.gain_dbi:.1f} dBi, main lobe "
                f"{pattern.main_lobe_deg:g} degrees below the horizon"
            )
            notes += [str(note) for note in pattern.notes]
        return Reading(notes=tuple(notes))

    def provenance(self, fetched: Sequence[Fetched]) -> Mapping[str, Provenance]:
        """Return where each pattern came from.

        Parameters
        ----------
        fetched
            From `fetch`.

        Returns
        -------
        Mapping
            By the name of the antenna.
        """
        found = {}
        for one in fetched:
            pattern: PatternFile = antenna_pattern.read(one.path)
            found[pattern.name] = Provenance(
                source=pattern.make or "maker not stated in the file",
                licence=self.licence,
                url_or_file=one.item.key,
                sha256=one.sha256,
                retrieved_at=one.retrieved_at,
                method="; ".join(str(note) for note in pattern.notes),
            )
        return found
