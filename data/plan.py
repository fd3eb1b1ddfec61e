"""What a build will take: from where, under which terms, how much has to be carried.

A plan is made before anything large is carried, so that it can be shown and
agreed to. Every layer and raster of a study area may come from an open source,
from the user's own file, or from nowhere; the plan says what is done instead.
"""

from __future__ import annotations

import math
import re
import shutil
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from data import schema
from data.errors import InputError, Message, PhuSongError, message
from data.sources import download
from data.sources.source import Item, Place, Progress, Reading, Source

#: What a build can ask a source for, and the layers and rasters that come with it.
PARTS: dict[str, tuple[str, ...]] = {
    "zones": ("zones",),
    "terrain": ("terrain",),
    "clutter": ("clutter",),
    "population": ("population",),
    "roads": ("roads",),
    "railways": ("railways",),
    "villages": ("villages",),
    "masts": ("masts", "cells"),
    "points_of_interest": ("points_of_interest",),
    "speed_tests": ("speed_tests",),
}

#: Sources that are taken where the user names none.
DEFAULT_SOURCES: dict[str, str] = {
    "zones": "osm",
    "terrain": "copernicus_dem",
    "clutter": "worldcover",
    "population": "worldpop",
    "roads": "overpass",
    "railways": "overpass",
    "villages": "overpass",
}

#: What stands for "from nowhere".
NOWHERE = "none"

#: What is done where no source gives a part.
FALLBACKS: dict[str, Message] = {
    "zones": message("zones: the outline of the area becomes one zone"),
    "terrain": message("terrain: left out; coverage cannot be computed without it"),
    "clutter": message("clutter: derived from terrain and population by a plain rule"),
    "population": message("population: left out; there are shares of area only"),
    "roads": message("roads: left out"),
    "villages": message("villages: left out"),
    "masts": message("masts: generated and marked illustrative until real ones are imported"),
}

#: How far beyond the place rasters are wanted. [m]
_MARGIN_M = 12_500.0

#: Room that a file needs when it is unpacked, warped and written, as a multiple of it.
_ROOM = 4.0


@dataclass(frozen=True)
class AreaName:
    """What a study area is called.

    Parameters
    ----------
    name
        Short name, usable as a folder.
    title_vi, title_en
        Title in both languages.
    """

    name: str
    title_vi: str
    title_en: str


@dataclass(frozen=True)
class Supply:
    """Where some layers and rasters come from.

    Parameters
    ----------
    source
        Name of the source, or ``"file"``.
    title
        What it is.
    parts
        Layers and rasters that are taken from it.
    licence
        Terms of use.
    items
        What has to be fetched.
    here
        For each item, whether it lies in the cache.
    path
        The user's own file.
    fault
        Why the source cannot be used now, None where it can.
    """

    source: str
    title: str
    parts: tuple[str, ...]
    licence: str = ""
    items: tuple[Item, ...] = ()
    here: tuple[bool, ...] = ()
    path: Path | None = None
    fault: Message | None = None

    @property
    def to_carry(self) -> tuple[Item, ...]:
        """Items that are not in the cache, without those that are empty, such as tiles at sea."""
        return tuple(
            item
            for item, here in zip(self.items, self.here, strict=True)
            if not here and item.size_bytes != 0
        )

    @property
    def bytes_to_carry(self) -> int:
        """Sum of the known sizes of what is not in the cache."""
        return sum(item.size_bytes or 0 for item in self.to_carry)

    @property
    def unknown_sizes(self) -> int:
        """Number of items to be carried whose size is not known."""
        return sum(item.size_bytes is None for item in self.to_carry)

    @property
    def vintage(self) -> str:
        """The times that its items describe."""
        return "; ".join(dict.fromkeys(item.vintage for item in self.items if item.vintage))

    @property
    def size(self) -> Message:
        """What has to be carried, for people."""
        if self.path is not None:
            return message("own file")
        if self.fault is not None:
            return message("not available")
        if not self.to_carry:
            return message("in the cache") if any(self.here) else message("nothing to carry")
        known = size_text(self.bytes_to_carry)
        if not self.unknown_sizes:
            return message("{size}", size=known)
        if self.unknown_sizes == len(self.to_carry):
            return message("size not known")
        return message("{size} and {count} of unknown size", size=known, count=self.unknown_sizes)


@dataclass(frozen=True, eq=False)
class BuildPlan:
    """What a build will take.

    Parameters
    ----------
    place
        Where.
    area
        What the study area is called.
    supplies
        Where layers and rasters come from.
    instead
        What is done about those that nothing gives.
    free_bytes
        Room on the disk of the cache.
    base
        What was read already from a folder of files, under which `supplies` go.
    n_masts
        Number of masts to generate, None for one that fits the population.
    known
        The sources by name.
    """

    place: Place
    area: AreaName
    supplies: tuple[Supply, ...]
    instead: tuple[Message, ...] = ()
    free_bytes: int = 0
    base: Reading | None = None
    n_masts: int | None = None
    known: Mapping[str, Source] = field(default_factory=dict, repr=False)

    @property
    def bytes_to_carry(self) -> int:
        """Sum of the known sizes of what is not in the cache."""
        return sum(supply.bytes_to_carry for supply in self.supplies)

    @property
    def bytes_here(self) -> int:
        """Sum of the known sizes of what is in the cache."""
        return sum(
            item.size_bytes or 0
            for supply in self.supplies
            for item, here in zip(supply.items, supply.here, strict=True)
            if here
        )

    @property
    def unknown_sizes(self) -> int:
        """Number of items to be carried whose size is not known."""
        return sum(supply.unknown_sizes for supply in self.supplies)

    @property
    def faults(self) -> tuple[Supply, ...]:
        """Supplies that cannot be used now."""
        return tuple(supply for supply in self.supplies if supply.fault is not None)

    def summary(self) -> list[Message]:
        """Return the plan's totals and what is done instead, in sentences."""
        said = []
        if self.base is not None:
            names = ", ".join([*self.base.layers, *self.base.rasters])
            said.append(message("Read from the folder: {parts}", parts=names))
        said += [
            message(
                "{size} to carry in {count} files, {here} in the cache, {free} free on the disk",
                size=size_text(self.bytes_to_carry),
                count=sum(len(supply.to_carry) for supply in self.supplies),
                here=size_text(self.bytes_here),
                free=size_text(self.free_bytes),
            )
        ]
        if self.unknown_sizes:
            said.append(message("The size of {count} files is not known", count=self.unknown_sizes))
        said += self.instead
        said += [supply.fault for supply in self.faults if supply.fault is not None]
        return said

    def __str__(self) -> str:
        west, south, east, north = self.place.bounds
        box = f"{west:.3f}, {south:.3f}, {east:.3f}, {north:.3f}"
        lines = [f"{self.area.title_en} ({self.area.name}): {box}"]
        for supply in self.supplies:
            lines.append(f"  {', '.join(supply.parts):24s} {supply.title}; {supply.size}")
            about = "; ".join(text for text in (supply.vintage, supply.licence) if text)
            if about:
                lines.append(f"  {'':24s} {about}")
        lines += [f"  {said}" for said in self.summary()]
        return "\n".join(lines)

    def check_space(self) -> None:
        """Refuse a build for which the disk has no room.

        Raises
        ------
        InputError
            With the room needed and the room there is.
        """
        needed = int(_ROOM * self.bytes_to_carry)
        if needed > self.free_bytes:
            raise InputError(
                "The build needs about {needed} on the disk, but {free} are free in {folder}; make "
                "room, or put the cache elsewhere with {variable}",
                needed=size_text(needed),
                free=size_text(self.free_bytes),
                folder=str(download.cache_folder()),
                variable=download.CACHE_VARIABLE,
            )


def size_text(count: int) -> str:
    """Return a number of bytes for people.

    Parameters
    ----------
    count
        Bytes.

    Returns
    -------
    str
        With a unit.

    Examples
    --------
    >>> size_text(999), size_text(1_234_567), size_text(34_500_000_000)
    ('999 B', '1.2 MB', '34.5 GB')
    """
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5 or unit == "GB":
            break
        value /= 1000.0
    return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.1f} {unit}"


def short_name(title: str) -> str:
    """Return a name for a folder.

    Parameters
    ----------
    title
        E.g. of a place that was searched for.

    Returns
    -------
    str
        Small letters and digits without marks, with hyphens between words.

    Examples
    --------
    >>> short_name("Hà Nam, Vietnam"), short_name("Đồng Văn"), short_name("東京")
    ('ha-nam-vietnam', 'dong-van', '東京')
    """
    text = title.replace("đ", "d").replace("Đ", "D")
    text = unicodedata.normalize("NFD", text)
    text = "".join(letter for letter in text if not unicodedata.combining(letter)).casefold()
    text = unicodedata.normalize("NFC", text)
    return re.sub(r"[\W_]+", "-", text).strip("-")[:60] or "area"


def wide(place: Place, margin_m: float = _MARGIN_M) -> Place:
    """Return a place with a margin around it, for rasters.

    Parameters
    ----------
    place
        The place.
    margin_m
        On each side. [m]

    Returns
    -------
    Place
        A box, without outline.
    """
    west, south, east, north = place.bounds
    up = margin_m / 111_000.0
    south, north = max(-90.0, south - up), min(90.0, north + up)
    across = up / max(0.02, math.cos(math.radians(max(abs(south), abs(north)))))
    west, east = west - across, east + across
    if east - west >= 360.0:
        west, east = -180.0, 180.0
    elif west < -180.0:
        west, east = west + 360.0, east + 360.0
    return replace(place, bounds=(west, south, east, north), outline=None)


def wants_margin(parts: Sequence[str]) -> bool:
    """Return whether a source is asked for more than the place: for rasters."""
    return any(part in schema.RASTERS for part in parts)


def make_plan(
    place: Place,
    *,
    name: str = "",
    title: str = "",
    sources: Mapping[str, str] | None = None,
    own_files: Mapping[str, Path] | None = None,
    base: Reading | None = None,
    defaults: bool = True,
    area: AreaName | None = None,
    n_masts: int | None = None,
    generate_masts: bool = True,
    known: Mapping[str, Source] | None = None,
    on_progress: Progress = lambda _share: None,
) -> BuildPlan:
    """Plan a build: what comes from where, and how much has to be carried.

    Nothing large is carried, but servers are asked for names and sizes. A source
    that does not answer is noted in its supply and no error.

    Parameters
    ----------
    place
        Where.
    name, title
        What the study area is called; made of the place's name if empty.
    sources
        Part (see `PARTS`) -> name of a source, or ``"none"``; the parts that are not
        named come from `DEFAULT_SOURCES`.
    own_files
        Layer or raster -> the user's file, which goes before any source.
    base
        Layers and rasters that were read already; sources are asked for a part of
        them only where `sources` names one.
    defaults
        Whether parts that are not named come from `DEFAULT_SOURCES`.
    area
        In place of `name` and `title`.
    n_masts
        Number of masts to generate, None for one that fits the population.
    generate_masts
        Whether masts are generated where none are given; only for what is said.
    known
        Sources by name; all that there are if None.
    on_progress
        Called with the share done.

    Returns
    -------
    BuildPlan
        The plan.

    Raises
    ------
    InputError
        If a part, source or file is not known.
    """
    own_files = dict(own_files or {})
    wanted = dict(sources or {})
    if known is None:
        known = _every_source() if wanted or (defaults and base is None) else {}
    for part in wanted:
        if part not in PARTS:
            raise InputError(
                "There is no part {part} of a study area; known parts: {known}",
                part=part,
                known=", ".join(PARTS),
            )
    have = set(own_files)
    if base is not None:
        have |= set(base.layers) | set(base.rasters)
    if defaults and base is None:
        for part, source in DEFAULT_SOURCES.items():
            if part not in wanted and not have & set(PARTS[part]) and source in known:
                wanted[part] = source
    supplies = [_own(part, Path(path)) for part, path in own_files.items()]
    asked: dict[str, list[str]] = {}
    for part, source in wanted.items():
        if source != NOWHERE:
            _check_gives(source, part, known)
            gives = set(known[source].gives)
            names = [one for one in PARTS[part] if one in gives and one not in own_files]
            asked.setdefault(source, []).extend(names)
    for number, (source, parts) in enumerate(asked.items()):
        if parts:
            supplies.append(_supply(known[source], tuple(parts), place))
        on_progress((number + 1) / len(asked))
    given = have | {part for supply in supplies for part in supply.parts}
    if base is not None:
        # What the user turns off is not taken from the folder either.
        given -= {one for part in wanted if wanted[part] == NOWHERE for one in PARTS[part]}
    instead = [
        said
        for part, said in FALLBACKS.items()
        if part not in given and (part != "masts" or generate_masts)
    ]
    said = title or place.name
    return BuildPlan(
        place,
        area or AreaName(name or short_name(said), said, said),
        tuple(supplies),
        tuple(instead),
        _free_bytes(),
        _without(base, wanted),
        n_masts,
        known,
    )


def _every_source() -> Mapping[str, Source]:
    from data.sources import registry  # its modules are slow to import

    return registry.SOURCES


def _without(base: Reading | None, wanted: Mapping[str, str]) -> Reading | None:
    if base is None:
        return None
    gone = {one for part in wanted if wanted[part] == NOWHERE for one in PARTS[part]}
    return Reading(
        {name: source for name, source in base.layers.items() if name not in gone},
        {name: source for name, source in base.rasters.items() if name not in gone},
        base.notes,
    )


def _free_bytes() -> int:
    folder = download.cache_folder().absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _own(part: str, path: Path) -> Supply:
    if part not in schema.LAYERS and part not in schema.RASTERS:
        raise InputError(
            "There is no layer or raster {part} for the file {file}; known: {known}",
            part=part,
            file=path.name,
            known=", ".join([*schema.LAYERS, *schema.RASTERS]),
        )
    if not path.exists():
        raise InputError("There is no file {file}", file=path)
    return Supply("file", str(path), (part,), path=path)


def _check_gives(name: str, part: str, known: Mapping[str, Source]) -> None:
    able = [source.name for source in known.values() if set(PARTS[part]) & set(source.gives)]
    if name not in known:
        raise InputError(
            "There is no source {source}; {part} can come from: {known}",
            source=name,
            part=part,
            known=", ".join([*able, NOWHERE]),
        )
    if not set(PARTS[part]) & set(known[name].gives):
        raise InputError(
            "The source {source} does not give {part}; it can come from: {known}",
            source=name,
            part=part,
            known=", ".join([*able, NOWHERE]),
        )


def _supply(source: Source, parts: tuple[str, ...], place: Place) -> Supply:
    where = wide(place) if wants_margin(parts) else place
    bare = Supply(source.name, source.title, parts, source.licence)
    try:
        items = list(source.find(where))
        here = [download.cached(item) is not None for item in items]
        missing = [item for item, there in zip(items, here, strict=True) if not there]
        if missing and not download.is_offline():
            sized = list(source.size_up(missing))
            items = [item for item, there in zip(items, here, strict=True) if there] + sized
            here = [True] * (len(items) - len(sized)) + [
                download.cached(item) is not None for item in sized
            ]
        items = [
            replace(item, size_bytes=_size_here(item))
            if there and item.size_bytes is None
            else item
            for item, there in zip(items, here, strict=True)
        ]
    except PhuSongError as error:
        return replace(bare, fault=error.message)
    return replace(bare, items=tuple(items), here=tuple(here))


def _size_here(item: Item) -> int | None:
    copy = download.cached(item)
    return copy.path.stat().st_size if copy is not None and copy.path.is_file() else None
