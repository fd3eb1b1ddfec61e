"""The open sources of data, by the names that the command line and the app know them by."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator, Mapping

from data.errors import InputError
from data.sources.source import Source

#: Name -> where it is: module and, in it, a source or a class of one without arguments.
#: A module is loaded when its source is asked for: some take a second. Sources that are
#: nothing without a file of the user's (GADM, antenna patterns) are made where it is given.
_PLACES: dict[str, tuple[str, str]] = {
    "osm": ("osm_boundaries", "SOURCE"),
    "geoboundaries": ("geoboundaries", "SOURCE"),
    "copernicus_dem": ("copernicus_dem", "SOURCE"),
    "srtm": ("srtm", "SOURCE"),
    "srtm3": ("srtm", "SOURCE_3"),
    "worldcover": ("worldcover", "SOURCE"),
    "worldpop": ("worldpop", "SOURCE"),
    "worldpop_1km": ("worldpop", "SOURCE_1KM"),
    "worldpop_2024": ("worldpop", "SOURCE_2024"),
    "kontur": ("kontur", "Kontur"),
    "overpass": ("overpass", "Overpass"),
    "geofabrik": ("geofabrik", "Geofabrik"),
    "opencellid": ("opencellid", "OpenCellId"),
    "ookla": ("ookla", "Ookla"),
}


@functools.cache
def _load(name: str) -> Source:
    module, attribute = _PLACES[name]
    found = getattr(importlib.import_module(f"data.sources.{module}"), attribute)
    made: Source = found() if isinstance(found, type) else found
    return made


class _Sources(Mapping[str, Source]):
    def __getitem__(self, name: str) -> Source:
        if name not in _PLACES:
            raise KeyError(name)
        return _load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)

    def __contains__(self, name: object) -> bool:
        return name in _PLACES


#: Every open source by its name.
SOURCES: Mapping[str, Source] = _Sources()


def named(name: str) -> Source:
    """Return a source.

    Parameters
    ----------
    name
        Its name.

    Returns
    -------
    Source
        The source.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    if name not in SOURCES:
        raise InputError(
            "There is no source {name}; known sources: {known}",
            name=name,
            known=", ".join(SOURCES),
        )
    return SOURCES[name]


def giving(what: str) -> tuple[str, ...]:
    """Return the sources of a layer or raster.

    Parameters
    ----------
    what
        Name of the layer or raster.

    Returns
    -------
    tuple of str
        Names of sources.
    """
    return tuple(name for name, source in SOURCES.items() if what in source.gives)
