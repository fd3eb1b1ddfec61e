"""Terrain from the Shuttle Radar Topography Mission: tiles of one degree, as ``.hgt``.

A tile is named by its south-west corner and holds rows of big-endian 16-bit
integers from north to south, 1201 or 3601 each way; its outer rows and columns
lie on the edges of its square, so that neighbours share them. -32768 marks a
void: radar sees no ground in shadows and on water.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.fill
import scipy.ndimage
from numpy.typing import NDArray

from data.errors import InputError
from data.sources import download, mosaics, windows
from data.sources.addresses import ADDRESSES
from data.sources.ingredients import RasterSource, sha256_of
from data.sources.mosaics import Filled, Part
from data.sources.servers import now
from data.sources.source import Fetched, Item, Place, Progress, Reading

VOID = -32768

#: Rows and columns of a tile -> arc-seconds between them.
SIZES = {3601: 1, 1201: 3}

#: Larger voids stay without data: nothing is known of the ground in their middle. [km2]
LARGEST_FILLED_KM2 = 10.0

#: The shore of the Dead Sea; what lies lower is the bottom of the sea. [m]
LOWEST_LAND_M = -440.0

VINTAGE = "February 2000"

_LICENCES = {
    1: "Mapzen terrain tiles on AWS: SRTM (NASA, USGS: public domain) and other open sources, with "
    "attribution: https://github.com/tilezen/joerd/blob/master/docs/attribution.md",
    3: "SRTM (NASA, USGS): public domain",
}

_NAME = re.compile(r"([NS])(\d{2})([EW])(\d{3})", re.IGNORECASE)

#: Folders of the 3 arc-second tiles: name and rough bounds of its continent. [degrees]
_CONTINENTS = (
    ("Eurasia", (-12.0, 0.0, 180.0, 61.0)),
    ("Africa", (-25.0, -35.0, 60.0, 38.0)),
    ("North_America", (-170.0, 7.0, -50.0, 61.0)),
    ("South_America", (-93.0, -56.0, -33.0, 15.0)),
    ("Australia", (110.0, -45.0, 180.0, 0.0)),
    ("Islands", (-180.0, -56.0, 180.0, 61.0)),
)

_KEPT_BYTES = 60_000_000


def corner_of(name: str) -> tuple[int, int]:
    """Return the south-west corner that the name of a file tells.

    Parameters
    ----------
    name
        Such as ``"N20E105.hgt.gz"`` or ``"s09w001.SRTMGL1.hgt.zip"``.

    Returns
    -------
    tuple
        Longitude and latitude. [degrees]

    Raises
    ------
    InputError
        If there is none in it.

    Examples
    --------
    >>> corner_of("S09W001.hgt")
    (-1, -9)
    """
    match = _NAME.match(name)
    if match is None or not (int(match[2]) <= 90 and int(match[4]) <= 180):
        raise InputError(
            "{file} does not tell which tile it is (expected a name with the south-west corner, "
            "such as N20E105.hgt)",
            file=name,
        )
    lat = int(match[2]) * (-1 if match[1].upper() == "S" else 1)
    lon = int(match[4]) * (-1 if match[3].upper() == "W" else 1)
    return lon, lat


@dataclass(frozen=True)
class Srtm:
    """SRTM as a source of the raster `terrain`.

    Parameters
    ----------
    arc_seconds
        1 or 3.
    """

    arc_seconds: int = 1
    name: str = "srtm"
    title: str = "SRTM 1 arc-second, heights every 30 m (NASA, USGS; Mapzen terrain tiles)"
    gives: tuple[str, ...] = ("terrain",)

    @property
    def licence(self) -> str:
        """Terms of use."""
        return _LICENCES[self.arc_seconds]

    def find(self, place: Place) -> list[Item]:
        """Return the tiles under a place, whether there is land or not.

        Parameters
        ----------
        place
            Where.

        Returns
        -------
        list of Item
            Whole tiles.

        Raises
        ------
        InputError
            If the place lies beyond what the shuttle saw.
        """
        _, south, _, north = place.bounds
        if self.arc_seconds == 3 and (north > 60.0 or south < -56.0):
            raise InputError(
                "{source} reaches from 56° south to 60° north, but {place} reaches from {south} "
                "to {north}; use copernicus_dem",
                source=self.title,
                place=place.name,
                south=f"{south:g}",
                north=f"{north:g}",
            )
        return [self._items(lon, lat)[0] for lon, lat in dict.fromkeys(_corners(place))]

    def _items(self, lon: int, lat: int) -> list[Item]:
        """Return where a tile may lie, the likely place first."""
        corner = windows.corner_name(lon, lat)
        if self.arc_seconds == 1:
            paths = [f"{ADDRESSES['srtm_1']}/{corner[:3]}/{corner}.hgt.gz"]
        else:
            likely = [
                name
                for name, (west, south, east, north) in _CONTINENTS
                if west <= lon < east and south <= lat < north
            ]
            paths = [f"{ADDRESSES['srtm_3']}/{name}/{corner}.hgt.zip" for name in likely]
        return [
            Item(self.name, url.rpartition("/")[2], url, licence=self.licence, vintage=VINTAGE)
            for url in paths
        ]

    def size_up(self, items: Sequence[Item]) -> list[Item]:
        """Return the items with their sizes; 0 at sea, where there is no tile.

        Parameters
        ----------
        items
            From `find`.

        Returns
        -------
        list of Item
            With the addresses where they are.
        """
        sized = []
        for item in items:
            found = replace(item, size_bytes=0)
            for candidate in self._items(*corner_of(item.key)):
                have = download.cached(candidate)
                if have is not None:
                    found = replace(candidate, size_bytes=have.path.stat().st_size)
                    break
                if windows.is_missing(candidate):
                    continue
                try:
                    size = download.size_of(candidate.url, source=self.name)
                except download.MissingError:
                    windows.note_missing(candidate)
                    continue
                found = replace(candidate, size_bytes=size)
                break
            sized.append(found)
        return sized

    def fetch(
        self, items: Sequence[Item], place: Place, *, on_progress: Progress = windows.silent
    ) -> list[Fetched]:
        """Bring the tiles here, or find them in the cache.

        Parameters
        ----------
        items
            From `find` or `size_up`.
        place
            Where.
        on_progress
            Called with the share done.

        Returns
        -------
        list of Fetched
            Those that there are; at sea there are none.

        Raises
        ------
        InputError
            If there is no tile at all.
        """
        fetched = []
        for number, item in enumerate(items):
            one = windows.share_of(on_progress, number, len(items))
            for candidate in self._items(*corner_of(item.key)):
                if windows.is_missing(candidate):
                    continue
                try:
                    got = download.fetch(candidate, max_bytes=_KEPT_BYTES, on_progress=one)
                except download.MissingError:
                    windows.note_missing(candidate)
                    continue
                fetched.append(got)
                break
            one(1.0)
        if not fetched:
            raise windows.nothing(self.title, place)
        return fetched

    def read(self, fetched: Sequence[Fetched], place: Place, folder: Path) -> Reading:
        """Put the tiles together, and fill their voids; where there is no tile, there is sea.

        Parameters
        ----------
        fetched
            From `fetch`.
        place
            Where.
        folder
            For the GeoTIFF.

        Returns
        -------
        Reading
            The raster `terrain`. [m above EGM96]
        """
        here = {corner_of(one.item.key) for one in fetched}
        sea = [corner for corner in dict.fromkeys(_corners(place)) if corner not in here]
        notes = []
        if sea:
            names = ", ".join(windows.corner_name(*corner) for corner in sea)
            notes.append(f"{self.title} has no tile {names}: taken for sea, height 0 m")
        return _read(
            [(one.path, one.item.key) for one in fetched],
            fetched,
            place,
            folder,
            source=self.title,
            licence=self.licence,
            sea=sea,
            notes=notes,
        )


def from_files(files: Iterable[Path], place: Place, folder: Path, *, licence: str = "") -> Reading:
    """Read tiles of one's own.

    Parameters
    ----------
    files
        ``.hgt``, ``.hgt.gz`` or ``.hgt.zip`` with names such as ``N20E105.hgt``, of
        1 and 3 arc-seconds in any mixture; tiles beyond the place are left out.
    place
        Where.
    folder
        For the GeoTIFF.
    licence
        Terms of use; those of SRTM if it is not given.

    Returns
    -------
    Reading
        The raster `terrain` [m above EGM96], without data where no tile is given.

    Raises
    ------
    InputError
        If a file is no tile, or none lies under the place.
    """
    wanted = set(_corners(place))
    used = [path for path in files if corner_of(path.name) in wanted]
    if not used:
        raise InputError(
            "No tile lies under {place} (expected {tiles})",
            place=place.name,
            tiles=", ".join(sorted(windows.corner_name(*corner) for corner in wanted)),
        )
    for path in used:
        if not path.is_file():
            raise InputError("There is no file {file}", file=str(path))
    time = now()
    fetched = [
        Fetched(Item("srtm", path.name, path.name), path, sha256_of(path), time) for path in used
    ]
    absent = sorted(
        windows.corner_name(*corner) for corner in wanted - {corner_of(path.name) for path in used}
    )
    notes = []
    if absent:
        notes.append(f"No file was given for {', '.join(absent)}: there are no heights there")
    return _read(
        [(path, path.name) for path in used],
        fetched,
        place,
        folder,
        source="SRTM (NASA, USGS)",
        licence=licence or _LICENCES[3],
        sea=[],
        notes=notes,
    )


def _corners(place: Place) -> list[tuple[int, int]]:
    """Return the corners of the tiles under a place."""
    return [(lon, lat) for lon, lat, _, _ in windows.tiles(place.bounds, 1) if lat < 90]


def _read(
    files: Sequence[tuple[Path, str]],
    fetched: Sequence[Fetched],
    place: Place,
    folder: Path,
    *,
    source: str,
    licence: str,
    sea: Sequence[tuple[int, int]],
    notes: list[str],
) -> Reading:
    shifts = {(lon, lat): shift for lon, lat, _, shift in windows.tiles(place.bounds, 1)}
    parts = []
    for path, name in files:
        corner = corner_of(name)
        parts.append(Part(_unpacked(path, name, folder), shifts.get(corner, 0.0)))
    half = 0.5 / 1200
    fills = [
        Filled(
            (
                lon + shifts[lon, lat] - half,
                lat - half,
                lon + shifts[lon, lat] + 1 + half,
                lat + 1 + half,
            ),
            0.0,
        )
        for lon, lat in sea
    ]
    target = mosaics.mosaic(
        parts, place.bounds, folder / "srtm.tif", resampling="bilinear", fills=fills
    )
    notes = [*notes, *_mend(target)]
    origin = mosaics.provenance(
        fetched,
        source=source,
        licence=licence,
        vintage=VINTAGE,
        method=". ".join(["Tiles under the place, put together", *notes]),
    )
    return Reading(rasters={"terrain": RasterSource(target, origin)}, notes=tuple(notes))


def _unpacked(path: Path, name: str, folder: Path) -> Path:
    """Return a tile as a file that GDAL knows: size and name of an ``.hgt``."""
    lon, lat = corner_of(name)
    corner = windows.corner_name(lon, lat)
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("rb") as stream:
        start = stream.read(4)
    limit = 2 * 3601 * 3601
    if start.startswith(b"\x1f\x8b"):
        raw = download.gunzip(path, folder / f"{corner}.hgt", max_bytes=limit)
    elif start.startswith(b"PK"):
        inside = download.unzip(
            path,
            folder / corner,
            only=lambda member: member.lower().endswith(".hgt"),
            max_bytes=limit,
        )
        if len(inside) != 1 or corner_of(inside[0].name) != (lon, lat):
            raise InputError(
                "{file} holds {found} (expected one file {expected})",
                file=name,
                found=", ".join(one.name for one in inside) or "no .hgt",
                expected=f"{corner}.hgt",
            )
        raw = inside[0]
    else:
        raw = path
    size = math.isqrt(raw.stat().st_size // 2)
    if size not in SIZES or 2 * size * size != raw.stat().st_size:
        raise InputError(
            "{file} has {size} bytes, but a tile has {small} (3 arc-seconds) or {large} "
            "(1 arc-second)",
            file=name,
            size=raw.stat().st_size,
            small=2 * 1201 * 1201,
            large=2 * 3601 * 3601,
        )
    return _as_geotiff(raw, folder / f"{corner}.tif", lon, lat, size)


def _as_geotiff(raw: Path, target: Path, lon: int, lat: int, size: int) -> Path:
    heights = np.fromfile(raw, ">i2").reshape(size, size).astype(np.int16)
    step = 1.0 / (size - 1)
    profile = {
        "driver": "GTiff",
        "width": size,
        "height": size,
        "count": 1,
        "dtype": "int16",
        "crs": windows.WGS84,
        "transform": rasterio.Affine(step, 0.0, lon - step / 2, 0.0, -step, lat + 1 + step / 2),
        "nodata": VOID,
    }
    with rasterio.open(target, "w", **profile) as out:
        out.write(heights, 1)
    return target


def _mend(path: Path) -> list[str]:
    """Fill small voids from their edges, and take the sea's bottom for its surface."""
    notes = []
    with rasterio.open(path, "r+") as dataset:
        heights: NDArray[np.float32] = dataset.read(1)
        deep = heights < LOWEST_LAND_M
        if deep.any():
            heights[deep] = 0.0
            notes.append(
                f"{int(deep.sum())} pixels lay below {LOWEST_LAND_M:g} m, the lowest land on "
                "Earth: sea, set to 0 m"
            )
        below = int((heights < 0).sum())
        if deep.any() and below:
            notes.append(
                f"{below} more pixels lie below 0 m; where they are sea, their depth is in the "
                "tiles: near a coast use copernicus_dem"
            )
        void = np.isnan(heights)
        if void.any():
            heights, said = _filled(heights, void, dataset)
            notes.append(said)
        if deep.any() or void.any():
            dataset.write(heights, 1)
    return notes


def _filled(
    heights: NDArray[np.float32], void: NDArray[np.bool_], dataset: Any
) -> tuple[NDArray[np.float32], str]:
    labels, count = scipy.ndimage.label(void, structure=np.ones((3, 3)))
    middle = 0.5 * (dataset.bounds.bottom + dataset.bounds.top)
    pixel_km2 = (
        dataset.transform.a
        * -dataset.transform.e
        * 111.2**2
        * max(0.01, math.cos(math.radians(middle)))
    )
    areas_km2 = np.bincount(labels.ravel(), minlength=count + 1)[1:] * pixel_km2
    large = np.concatenate([[False], areas_km2 > LARGEST_FILLED_KM2])
    small = void & ~large[labels]
    if small.any() and not void.all():
        filled = rasterio.fill.fillnodata(
            np.where(void, VOID, heights).astype(np.float32),
            mask=(~void).astype(np.uint8),
            max_search_distance=2.0 * math.sqrt(LARGEST_FILLED_KM2 / pixel_km2),
        )
        heights = np.where(small & (filled != VOID), filled, heights).astype(np.float32)
    share = 100.0 * float(void.sum()) / void.size
    said = (
        f"{int(void.sum())} pixels ({share:.2g} %) in {count} voids; the largest has "
        f"{areas_km2.max():.2g} km². Voids up to {LARGEST_FILLED_KM2:g} km² were filled by "
        "interpolation from their edges"
    )
    if large.any():
        said += f"; {int(large.sum())} larger ones stay without heights"
    return heights, said


#: One arc-second, and three.
SOURCE = Srtm()
SOURCE_3 = Srtm(
    3, name="srtm3", title="SRTM 3 arc-seconds, heights every 90 m (NASA, USGS; srtm.kurviger.de)"
)
