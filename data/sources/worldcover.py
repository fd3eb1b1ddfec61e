"""Land cover from ESA WorldCover: 10 m, tiles of 3 x 3 degrees named by their south-west corner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio

from data import clutter_classes
from data.sources import download, mosaics, windows
from data.sources.addresses import ADDRESSES
from data.sources.ingredients import RasterSource
from data.sources.mosaics import Filled
from data.sources.source import Fetched, Item, Place, Progress, Reading
from data.sources.windows import WindowItem

LICENCE = (
    "CC BY 4.0, with attribution: © ESA WorldCover project 2021 / Contains modified Copernicus "
    "Sentinel data (2021) processed by ESA WorldCover consortium"
)

#: Pixels of a degree.
_PIXELS_PER_DEG = 12_000


@dataclass(frozen=True)
class WorldCover:
    """ESA WorldCover as a source of the raster `clutter`.

    Parameters
    ----------
    resolution_m
        The coarsest pixel that will do; 10 takes all there is, more takes an overview
        with pixels up to this size, which is much less to carry. [m]
    """

    resolution_m: float = 10.0
    name: str = "worldcover"
    title: str = "ESA WorldCover 2021 v200, land cover every 10 m (ESA, VITO)"
    gives: tuple[str, ...] = ("clutter",)
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
            Parts of tiles.
        """
        base = f"{ADDRESSES['worldcover']}/v200/2021/map"
        # Of an overview, the pixels are whole multiples of these.
        coarsest = max(10.0, self.resolution_m) / 10.0 / _PIXELS_PER_DEG
        level = "" if self.resolution_m < 20.0 else f"_{self.resolution_m:g}m"
        items: list[Item] = []
        for lon, lat, bounds, shift_deg in windows.tiles(place.bounds, 3):
            name = f"ESA_WorldCover_10m_2021_v200_{windows.corner_name(lon, lat)}_Map"
            items.append(
                WindowItem(
                    self.name,
                    windows.window_key(name, bounds, level),
                    f"{base}/{name}.tif",
                    windowed=True,
                    licence=self.licence,
                    vintage="2021",
                    bounds=bounds,
                    shift_deg=shift_deg,
                    resolution_deg=coarsest,
                )
            )
        return items

    def size_up(self, items: Sequence[Item]) -> list[Item]:
        """Return the items with their sizes; 0 at sea, where there is no tile.

        Parameters
        ----------
        items
            From `find`.

        Returns
        -------
        list of Item
            The same.
        """
        return windows.size_up(items)

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
            Those that there are; on the open sea there are none.

        Raises
        ------
        InputError
            If there is no tile at all.
        """
        fetched = windows.fetch(items, on_progress=on_progress)
        if not fetched:
            raise windows.nothing(self.title, place)
        return fetched

    def read(self, fetched: Sequence[Fetched], place: Place, folder: Path) -> Reading:
        """Put the parts together; where there is no tile, there is water.

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
            The raster `clutter`, of the classes of `data.clutter_classes`.
        """
        here = {one.item.url.rpartition("/")[2] for one in fetched}
        sea, fills = [], []
        for lon, lat, _, shift_deg in windows.tiles(place.bounds, 3):
            corner = windows.corner_name(lon, lat)
            if f"ESA_WorldCover_10m_2021_v200_{corner}_Map.tif" not in here:
                sea.append(corner)
                box = (lon + shift_deg, lat, lon + shift_deg + 3, lat + 3)
                fills.append(Filled(box, clutter_classes.WATER))
        target = mosaics.mosaic(
            mosaics.parts_of(fetched),
            place.bounds,
            folder / "worldcover.tif",
            resampling="nearest",
            dtype="uint8",
            nodata=clutter_classes.NO_DATA,
            fills=fills,
        )
        _check_classes(target, self.title)
        notes = []
        if sea:
            notes.append(f"WorldCover has no tile {', '.join(sea)}: taken for open water")
        if self.resolution_m >= 20.0:
            notes.append(
                f"WorldCover was read from an overview with pixels of up to {self.resolution_m:g} "
                "m: small villages and narrow woods may be lost"
            )
        origin = mosaics.provenance(
            fetched,
            source=self.title,
            licence=self.licence,
            vintage="2021",
            method=". ".join(["Parts of the tiles under the place, put together", *notes]),
        )
        return Reading(rasters={"clutter": RasterSource(target, origin)}, notes=tuple(notes))


def _check_classes(path: Path, title: str) -> None:
    known = np.zeros(256, bool)
    known[list(clutter_classes.CLASS_CODES)] = True
    with rasterio.open(path) as dataset:
        for _, window in dataset.block_windows(1):
            values = dataset.read(1, window=window)
            if not known[values].all():
                raise download.SourceError(
                    "{source}: there is no class {value} (expected {expected})",
                    source=title,
                    value=int(values[~known[values]][0]),
                    expected=", ".join(map(str, clutter_classes.CLASS_CODES)),
                )


SOURCE = WorldCover()
