"""What every open source of data has in common: find, size up, fetch, read, provenance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from shapely.geometry.base import BaseGeometry

from data.sources.ingredients import RasterSource, VectorSource

Progress = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Place:
    """The part of the world that data is wanted for.

    Parameters
    ----------
    name
        What the user calls it, e.g. ``"Hà Nam, Vietnam"``.
    bounds
        West, south, east, north in WGS 84. [degrees] West is in -180..180; east is
        greater than west, so that it exceeds 180 where the place crosses the
        antimeridian.
    country
        ISO 3166-1 alpha-3 code, or empty where it is not known.
    outline
        Polygon in WGS 84, or None where only the bounds are known. Longitudes
        run on beyond 180 like those of `bounds`.
    """

    name: str
    bounds: tuple[float, float, float, float]
    country: str = ""
    outline: BaseGeometry | None = None


@dataclass(frozen=True)
class Item:
    """Something that can be fetched.

    Parameters
    ----------
    source
        Name of the source.
    key
        Name of the item among those of its source, usable as a file name.
    url
        Address, without the user's token.
    size_bytes
        What has to be carried, None where the server does not say.
    windowed
        Whether only the part over the place is carried, by requests for byte ranges.
    sha256
        Of the whole file, where the source publishes it.
    licence
        Terms of use.
    vintage
        The time that it describes.
    """

    source: str
    key: str
    url: str
    size_bytes: int | None = None
    windowed: bool = False
    sha256: str = ""
    licence: str = ""
    vintage: str = ""


@dataclass(frozen=True, eq=False)
class Fetched:
    """An item that lies on this machine.

    Parameters
    ----------
    item
        What was asked for.
    path
        The file.
    sha256
        Of the file.
    retrieved_at
        When it was fetched, not when it was read again from the cache; ISO 8601, UTC.
    """

    item: Item
    path: Path
    sha256: str
    retrieved_at: str


@dataclass(frozen=True, eq=False)
class Reading:
    """What a source gives for a place.

    Parameters
    ----------
    layers
        Layer name -> rows in any CRS, with the columns of the layer's schema.
    rasters
        Raster name -> file that GDAL reads, in any CRS.
    notes
        What the reader should know, in English: what was left out, estimated, or
        doubtful.
    """

    layers: dict[str, VectorSource] = field(default_factory=dict)
    rasters: dict[str, RasterSource] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Source(Protocol):
    """One open source of data."""

    @property
    def name(self) -> str:
        """Short name for the command line, e.g. ``"worldcover"``."""

    @property
    def title(self) -> str:
        """What it is, with who makes it."""

    @property
    def gives(self) -> tuple[str, ...]:
        """Layers and rasters that it can fill."""

    @property
    def licence(self) -> str:
        """Terms of use."""

    def find(self, place: Place) -> list[Item]:
        """Return what the source has for a place; nothing large is carried."""

    def size_up(self, items: Sequence[Item]) -> list[Item]:
        """Return the items with their sizes, as far as the server tells them."""

    def fetch(
        self, items: Sequence[Item], place: Place, *, on_progress: Progress = ...
    ) -> list[Fetched]:
        """Bring the items here, or find them in the cache; cut-off ones are resumed."""

    def read(self, fetched: Sequence[Fetched], place: Place, folder: Path) -> Reading:
        """Read what was fetched; files that have to be made go into `folder`."""
