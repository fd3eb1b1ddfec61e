"""Population from WorldPop: people per pixel, one GeoTIFF for each country."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio

from data import rasters
from data.errors import InputError
from data.sources import mosaics, windows
from data.sources.addresses import ADDRESSES
from data.sources.ingredients import RasterSource
from data.sources.source import Fetched, Item, Place, Progress, Reading
from data.sources.windows import WindowItem

LICENCE = "CC BY 4.0, with attribution: WorldPop (www.worldpop.org), University of Southampton"


@dataclass(frozen=True)
class WorldPop:
    """WorldPop as a source of the raster `population`.

    Parameters
    ----------
    path
        Of the files under the server's folder, with ``{ISO}`` and ``{iso}`` for the
        code of the country.
    vintage
        Year.
    doi
        Of the data set.
    """

    path: str = "Global_2000_2020/2020/{ISO}/{iso}_ppp_2020_UNadj.tif"
    vintage: str = "2020"
    doi: str = "10.5258/SOTON/WP00660"
    name: str = "worldpop"
    title: str = "WorldPop 2020, people every 100 m, adjusted to the United Nations' estimate"
    gives: tuple[str, ...] = ("population",)
    licence: str = LICENCE

    def find(self, place: Place) -> list[Item]:
        """Return the part of the country's file over a place.

        Parameters
        ----------
        place
            Where; its country must be known.

        Returns
        -------
        list of Item
            One, or two where the place crosses the antimeridian.

        Raises
        ------
        InputError
            If the country is not known.
        """
        code = place.country
        if not (len(code) == 3 and code.isascii() and code.isalpha()):
            raise InputError(
                "{source} has one file for each country, but the country of {place} is not known; "
                "give its code of three letters, such as VNM",
                source=self.title,
                place=place.name,
            )
        file = self.path.format(ISO=code.upper(), iso=code.lower())
        stem = file.rpartition("/")[2].removesuffix(".tif")
        return [
            WindowItem(
                self.name,
                windows.window_key(stem, bounds),
                f"{ADDRESSES['worldpop']}/{file}",
                windowed=True,
                licence=self.licence,
                vintage=self.vintage,
                bounds=bounds,
                shift_deg=shift_deg,
            )
            for bounds, shift_deg in windows.split(place.bounds)
        ]

    def size_up(self, items: Sequence[Item]) -> list[Item]:
        """Return the items with their sizes.

        Parameters
        ----------
        items
            From `find`.

        Returns
        -------
        list of Item
            With the share of the file under the place, or the size of the whole file
            (and not `windowed`) where the server gives no parts.
        """
        return windows.size_up(items, sea=False)

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
            The parts.

        Raises
        ------
        InputError
            If there is no file of the country, or it does not reach the place.
        """
        fetched = windows.fetch(items, sea=False, on_progress=on_progress)
        if not fetched:
            raise InputError(
                "{source}: the file of {country} does not reach {place}; check the code of the "
                "country",
                source=self.title,
                country=place.country,
                place=place.name,
            )
        return fetched

    def read(self, fetched: Sequence[Fetched], place: Place, folder: Path) -> Reading:
        """Cut the parts to the place, and put them together.

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
            The raster `population`. [people per pixel]
        """
        target = mosaics.mosaic(
            mosaics.parts_of(fetched),
            place.bounds,
            folder / f"{self.name}.tif",
            resampling="nearest",
        )
        total = 0.0
        with rasterio.open(target) as dataset:
            for _, values in rasters.strips(dataset):
                total += float(np.nansum(values, dtype=np.float64))
        notes = (
            f"{self.title}: {total:,.0f} people in the box around the place; modelled, not counted",
            f"People beyond the border of {place.country.upper()} are not in its file",
        )
        origin = mosaics.provenance(
            fetched,
            source=f"{self.title}, DOI {self.doi}" if self.doi else self.title,
            licence=self.licence,
            vintage=self.vintage,
            method="The pixels over the place, as they are; nodata (sea, other countries) is no "
            "data",
        )
        return Reading(rasters={"population": RasterSource(target, origin)}, notes=notes)


SOURCE = WorldPop()

SOURCE_1KM = WorldPop(
    path="Global_2000_2020_1km_UNadj/2020/{ISO}/{iso}_ppp_2020_1km_Aggregated_UNadj.tif",
    doi="10.5258/SOTON/WP00671",
    name="worldpop_1km",
    title="WorldPop 2020, people every 1 km, adjusted to the United Nations' estimate",
)

SOURCE_2024 = WorldPop(
    path="Global_2015_2030/R2025A/2024/{ISO}/v1/100m/constrained/"
    "{iso}_pop_2024_CN_100m_R2025A_v1.tif",
    vintage="2024 (release R2025A)",
    doi="",
    name="worldpop_2024",
    title="WorldPop 2024 R2025A, people every 100 m, only where there are buildings",
)
