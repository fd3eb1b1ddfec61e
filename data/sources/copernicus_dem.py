"""Terrain from the Copernicus DEM: GLO-30, and GLO-90 where GLO-30 is not public.

The public copies are Cloud-Optimised GeoTIFFs of one degree, named by their
south-west corner, without the last row and column that neighbours share: the
centre of the first pixel lies on the corner, so that a tile reaches half a pixel
to the west and to the north of its square. Towards the poles pixels become wider
in degrees. At sea there is no tile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data.sources import download, mosaics, windows
from data.sources.addresses import ADDRESSES
from data.sources.ingredients import RasterSource
from data.sources.mosaics import Filled
from data.sources.source import Fetched, Item, Place, Progress, Reading
from data.sources.windows import Bounds, WindowItem

LICENCE = (
    "Copernicus DEM licence: free of charge, with attribution: © DLR e.V. 2010-2014 and © Airbus "
    "Defence and Space GmbH 2014-2018, provided under COPERNICUS by the European Union and ESA; "
    "all rights reserved"
)

VINTAGE = "2011-2015 (TanDEM-X), release 2021"

_SURFACE = (
    "The Copernicus DEM is a model of the surface: roofs and tree tops are in its heights, so that "
    "clutter on top of it counts in part twice"
)

#: Metres between rows -> token in the names of the files.
_TOKENS = {30: "10", 90: "30"}

#: Latitude up to which a pixel is so many times as wide as it is high, in degrees.
_WIDTHS = ((50, 1.0), (60, 1.5), (70, 2.0), (80, 3.0), (85, 5.0), (90, 10.0))


def tile_name(lon: int, lat: int, metres: int = 30) -> str:
    """Return the name of a tile.

    Parameters
    ----------
    lon, lat
        Its south-west corner. [degrees]
    metres
        30 or 90.

    Returns
    -------
    str
        Of the file, without its suffix, and of its folder.

    Examples
    --------
    >>> tile_name(105, 20)
    'Copernicus_DSM_COG_10_N20_00_E105_00_DEM'
    >>> tile_name(-1, -18, 90)
    'Copernicus_DSM_COG_30_S18_00_W001_00_DEM'
    """
    corner = windows.corner_name(lon, lat)
    return f"Copernicus_DSM_COG_{_TOKENS[metres]}_{corner[:3]}_00_{corner[3:]}_00_DEM"


def pixel_deg(lat: int, metres: int = 30) -> tuple[float, float]:
    """Return the size of the pixels of a tile.

    Parameters
    ----------
    lat
        Latitude of its south-west corner. [degrees]
    metres
        30 or 90.

    Returns
    -------
    tuple
        Width and height. [degrees]
    """
    height = metres / 30 / 3600
    nearest = lat if lat >= 0 else -lat - 1
    return height * next(width for limit, width in _WIDTHS if nearest < limit), height


def tile_bounds(lon: int, lat: int) -> Bounds:
    """Return what the pixels of a GLO-30 tile cover.

    Parameters
    ----------
    lon, lat
        Its south-west corner. [degrees]

    Returns
    -------
    tuple
        West, south, east, north; half a pixel off the corners. [degrees]
    """
    width, height = pixel_deg(lat)
    return lon - width / 2, lat + height / 2, lon + 1 - width / 2, lat + 1 + height / 2


@dataclass(frozen=True)
class CopernicusDem:
    """The Copernicus DEM as a source of the raster `terrain`."""

    name: str = "copernicus_dem"
    title: str = "Copernicus DEM GLO-30, heights of the surface every 30 m (ESA, Airbus, DLR)"
    gives: tuple[str, ...] = ("terrain",)
    licence: str = LICENCE

    def find(self, place: Place) -> list[Item]:
        """Return a part of each tile under a place, whether there is land or not.

        Parameters
        ----------
        place
            Where.

        Returns
        -------
        list of Item
            Parts of GLO-30.
        """
        return [
            self._item(lon, lat, bounds, shift_deg) for lon, lat, bounds, shift_deg in _under(place)
        ]

    def _item(
        self, lon: int, lat: int, bounds: Bounds, shift_deg: float, metres: int = 30
    ) -> WindowItem:
        name = tile_name(lon, lat, metres)
        return WindowItem(
            self.name,
            windows.window_key(name, bounds),
            f"{ADDRESSES[f'copernicus_dem_{metres}']}/{name}/{name}.tif",
            windowed=True,
            licence=self.licence,
            vintage=VINTAGE,
            bounds=bounds,
            shift_deg=shift_deg,
        )

    def _coarser(self, item: WindowItem) -> WindowItem:
        """Return the same part of GLO-90."""
        name = item.url.rpartition("/")[2]
        coarse = name.replace("_COG_10_", "_COG_30_").removesuffix(".tif")
        return replace(
            item,
            key=windows.window_key(coarse, item.bounds),
            url=f"{ADDRESSES['copernicus_dem_90']}/{coarse}/{coarse}.tif",
        )

    def size_up(self, items: Sequence[Item]) -> list[Item]:
        """Return the items with their sizes; 0 at sea, where there is no tile.

        Parameters
        ----------
        items
            From `find`.

        Returns
        -------
        list of Item
            Those that are not public as GLO-30 become parts of GLO-90.
        """
        sized: list[Item] = []
        for item in windows.own(items):
            found = None
            for candidate in (item, self._coarser(item)):
                if windows.is_missing(candidate):
                    continue
                try:
                    found = windows.estimate(candidate)
                    break
                except download.MissingError:
                    windows.note_missing(candidate)
            sized.append(found or replace(item, size_bytes=0))
        return sized

    def fetch(
        self, items: Sequence[Item], place: Place, *, on_progress: Progress = windows.silent
    ) -> list[Fetched]:
        """Bring the parts here, or find them in the cache.

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
        fetched: list[Fetched] = []
        for number, item in enumerate(windows.own(items)):
            got = self._fetch(item, windows.share_of(on_progress, number, len(items)))
            if got is not None:
                fetched.append(got)
            on_progress((number + 1) / len(items))
        if not fetched:
            raise windows.nothing(self.title, place)
        return fetched

    def _fetch(self, item: WindowItem, on_progress: Progress) -> Fetched | None:
        candidates = [item]
        if "_COG_10_" in item.key:
            candidates.append(self._coarser(item))
        for candidate in candidates:
            if windows.is_missing(candidate):
                continue
            try:
                return windows.carry(candidate, on_progress=on_progress)
            except download.MissingError:
                windows.note_missing(candidate)
        return None

    def read(self, fetched: Sequence[Fetched], place: Place, folder: Path) -> Reading:
        """Put the parts together; where there is no tile, there is sea.

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
            The raster `terrain`. [m above EGM2008]
        """
        here = {(one.item.url.rpartition("/")[2].partition("_COG_")[2][3:]): one for one in fetched}
        sea, coarse = [], []
        fills = []
        for lon, lat, _, shift_deg in _under(place):
            corner = windows.corner_name(lon, lat)
            name = tile_name(lon, lat).partition("_COG_")[2][3:] + ".tif"
            if name not in here:
                sea.append(corner)
                west, south, east, north = tile_bounds(lon, lat)
                fills.append(Filled((west + shift_deg, south, east + shift_deg, north), 0.0))
            elif "_COG_30_" in here[name].item.url:
                coarse.append(corner)
        target = mosaics.mosaic(
            mosaics.parts_of(fetched),
            place.bounds,
            folder / "copernicus_dem.tif",
            resampling="bilinear",
            fills=fills,
        )
        if coarse:
            # A tile of GLO-90 ends up to a pixel of its own before the next tile of GLO-30.
            mosaics.close_gaps(target, 5.0)
        notes = [_SURFACE]
        if sea:
            notes.append(
                f"The Copernicus DEM has no tile {', '.join(sea)}: taken for sea, height 0 m"
            )
        if coarse:
            notes.append(
                f"GLO-30 is not public for {', '.join(coarse)}: GLO-90 (every 90 m) is used there"
            )
        origin = mosaics.provenance(
            fetched,
            source=self.title,
            licence=self.licence,
            vintage=VINTAGE,
            method=". ".join(["Parts of the tiles under the place, put together", *notes]),
        )
        return Reading(rasters={"terrain": RasterSource(target, origin)}, notes=tuple(notes))


def _under(place: Place) -> list[tuple[int, int, Bounds, float]]:
    """Return the tiles under a place, each with the part of the place in it."""
    found = []
    west, south, east, north = place.bounds
    # A tile reaches to the west and north of its square, at most by half a wide pixel.
    margin = 10 / 3600
    wide = (west - margin, max(south - margin, -90.0), east + margin, min(north + margin, 90.0))
    for lon, lat, _, shift_deg in windows.tiles(wide, 1):
        tile = tile_bounds(lon, lat)
        part = (
            max(west - shift_deg, tile[0]),
            max(south, tile[1]),
            min(east - shift_deg, tile[2]),
            min(north, tile[3]),
        )
        if part[0] < part[2] and part[1] < part[3]:
            found.append((lon, lat, part, shift_deg))
    return found


SOURCE = CopernicusDem()
