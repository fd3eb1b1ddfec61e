"""Kontur population: people in hexagons of the H3 grid, brought onto pixels.

One GeoPackage for each country, packed by gzip, with hexagons of H3 resolution 8
(about 0.7 km²) in Web Mercator that hold people; where nobody lives there is none.
Each hexagon's people are spread evenly over it and summed over pixels of 400 m, each
pixel getting the share of the hexagon's area that lies in it, so that no one is lost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import h3  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
import pyogrio
import pyogrio.errors
import pyproj
import rasterio
import shapely
from numpy.typing import NDArray

from data.area import Provenance
from data.errors import InputError
from data.grid import Grid, Raster
from data.sources import archives, download, mobile_networks
from data.sources.addresses import ADDRESSES
from data.sources.ingredients import RasterSource
from data.sources.source import Fetched, Item, Place, Progress, Reading
from data.study_area import utm_crs

#: The edition that is asked for, by the date in the names of its files.
EDITION = "20231101"

LICENCE = "CC BY 4.0"

#: Size of the pixels; a hexagon is about four of them. [m]
PIXEL_M = 400.0

#: Half the width of the world in Web Mercator. [m]
_HALF_WORLD_M = 20_037_508.342789244

#: Web Mercator ends here. [degrees]
_MAX_LAT_DEG = 85.06

_H3_RESOLUTION = 8

#: Hexagons read beyond the place, so that the pixels at its edge are whole. [degrees]
_MARGIN_DEG = 0.02

_MAX_UNPACKED_BYTES = 8_000_000_000


def _ignore(_share: float) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Kontur:
    """Kontur population as a source of the raster `population`.

    Parameters
    ----------
    edition
        Date in the names of the files.
    """

    edition: str = EDITION
    name: str = "kontur"
    title: str = "Kontur population, H3 hexagons of 400 m (Kontur, from GHSL, Meta, Microsoft, OSM)"
    gives: tuple[str, ...] = ("population",)
    licence: str = LICENCE

    def find(self, place: Place) -> list[Item]:
        """Return the file of the place's country.

        Parameters
        ----------
        place
            Where; its country must be known.

        Returns
        -------
        list of Item
            One.
        """
        name = f"kontur_population_{mobile_networks.alpha_2(place.country)}_{self.edition}.gpkg.gz"
        return [
            Item(
                self.name,
                name,
                f"{ADDRESSES['kontur']}/{name}",
                licence=self.licence,
                vintage=vintage_of(name),
            )
        ]

    def size_up(self, items: Sequence[Item]) -> list[Item]:
        """Return the items with their sizes."""
        return [
            replace(item, size_bytes=download.size_of(item.url, source=item.source))
            for item in items
        ]

    def fetch(
        self, items: Sequence[Item], place: Place, *, on_progress: Progress = _ignore
    ) -> list[Fetched]:
        """Bring the files here.

        Parameters
        ----------
        items
            From `find`.
        place
            Not used: a file is a whole country.
        on_progress
            Called with the share done.

        Returns
        -------
        list of Fetched
            The files.
        """
        del place
        fetched = []
        for number, item in enumerate(items):

            def step(share: float, number: int = number) -> None:
                on_progress((number + share) / len(items))

            fetched.append(download.fetch(item, kind=download.Kind.GZIP, on_progress=step))
        return fetched

    def read(self, fetched: Sequence[Fetched], place: Place, folder: Path) -> Reading:
        """Spread the people of the hexagons over pixels.

        Parameters
        ----------
        fetched
            From `fetch`.
        place
            Where.
        folder
            For the raster.

        Returns
        -------
        Reading
            Raster `population` in the place's UTM zone, zero where no hexagon is.

        Raises
        ------
        InputError
            If a file is damaged, is something else, or is of another country.
        """
        frames, notes = [], []
        folder.mkdir(parents=True, exist_ok=True)
        for one in fetched:
            frame, said = read_hexagons(one.path, place, folder)
            frames.append(frame)
            notes += said
        hexagons = gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), crs="EPSG:4326")
        hexagons = hexagons.drop_duplicates("h3", ignore_index=True)
        if len(hexagons) == 0:
            notes.append(f"Kontur knows nobody in {place.name}: its population is 0 everywhere")
        raster = rasterise(hexagons, place)
        path = folder / "kontur_population.tif"
        _write(path, raster)
        first = fetched[0]
        provenance = Provenance(
            source="Kontur Population: Global Population Density for 400 m H3 Hexagons",
            licence=self.licence,
            vintage=first.item.vintage or vintage_of(first.item.key),
            url_or_file=", ".join(one.item.url for one in fetched),
            sha256=first.sha256 if len(fetched) == 1 else "",
            retrieved_at=max(one.retrieved_at for one in fetched),
            method=f"{len(hexagons)} hexagons of H3 resolution {_H3_RESOLUTION} with "
            f"{hexagons['population'].sum():.0f} people over the place; the people of each are "
            f"spread evenly over it and summed over pixels of {PIXEL_M:g} m by the share of its "
            "area in each. No hexagon: nobody lives there by Kontur",
        )
        return Reading(rasters={"population": RasterSource(path, provenance)}, notes=tuple(notes))


def vintage_of(name: str) -> str:
    """Return the date in a file's name.

    Parameters
    ----------
    name
        Name of a file.

    Returns
    -------
    str
        ISO date, empty where there is none.

    Examples
    --------
    >>> vintage_of("kontur_population_VN_20231101.gpkg.gz")
    '2023-11-01'
    """
    found = re.search(r"(20\d{2})([01]\d)([0-3]\d)", name)
    return "-".join(found.groups()) if found else ""


def read_hexagons(
    path: Path, place: Place, folder: Path, *, on_progress: Progress = _ignore
) -> tuple[gpd.GeoDataFrame, list[str]]:
    """Read the hexagons over a place.

    Parameters
    ----------
    path
        The GeoPackage, packed by gzip or not.
    place
        Where.
    folder
        For the unpacked file, which is removed again.
    on_progress
        Called with the share done.

    Returns
    -------
    tuple
        Columns h3 and population, in WGS 84 with longitudes like those of the place,
        and notes.

    Raises
    ------
    InputError
        If the file is damaged, is something else, or is of another country.
    """
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    plain = path
    if packed:
        plain = folder / f"unpacked-{path.name.removesuffix('.gz')}"
        archives.gunzip(path, plain, max_bytes=_MAX_UNPACKED_BYTES, on_progress=on_progress)
    try:
        return _read_plain(plain, path.name, place)
    finally:
        if packed:
            plain.unlink(missing_ok=True)


def rasterise(hexagons: gpd.GeoDataFrame, place: Place) -> Raster:
    """Spread the people of hexagons over pixels.

    Parameters
    ----------
    hexagons
        Column population, in WGS 84.
    place
        The pixels cover it, and all of the hexagons.

    Returns
    -------
    Raster
        People per pixel in the place's UTM zone; the sum is that of the hexagons.
    """
    west, south, east, north = place.bounds
    crs = utm_crs((0.5 * (west + east) + 180.0) % 360.0 - 180.0, 0.5 * (south + north))
    to_metres = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)

    def metres(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(to_metres.transform(lonlat[:, 0], lonlat[:, 1]))

    outline = shapely.segmentize(shapely.box(west, south, east, north), 0.1)
    shapes = shapely.transform(hexagons.geometry.to_numpy(), metres)
    extent = shapely.total_bounds([*shapes, shapely.transform(outline, metres)])
    grid = Grid.covering(tuple(extent), PIXEL_M, crs)
    values = np.zeros(grid.shape)
    _spread(values, grid, shapes, hexagons["population"].to_numpy(np.float64))
    return Raster(grid, values.astype(np.float32))


def _spread(
    values: NDArray[np.float64],
    grid: Grid,
    shapes: NDArray[Any],
    people: NDArray[np.float64],
) -> None:
    """Add the people of each shape to the pixels under it, by their share of its area."""
    for first in range(0, len(shapes), 20_000):
        part = shapes[first : first + 20_000]
        x_0, y_0, x_1, y_1 = shapely.bounds(part).T
        column = np.floor((x_0 - grid.x_min) / grid.resolution_m).astype(int)
        row = np.floor((grid.y_max - y_1) / grid.resolution_m).astype(int)
        wide = np.floor((x_1 - grid.x_min) / grid.resolution_m).astype(int) - column + 1
        high = np.floor((grid.y_max - y_0) / grid.resolution_m).astype(int) - row + 1
        shape = np.repeat(np.arange(len(part)), wide * high)
        within = np.arange(len(shape)) - np.repeat(
            np.cumsum(wide * high) - wide * high, wide * high
        )
        columns = column[shape] + within % wide[shape]
        rows = row[shape] + within // wide[shape]
        left = grid.x_min + columns * grid.resolution_m
        top = grid.y_max - rows * grid.resolution_m
        pixel = shapely.box(left, top - grid.resolution_m, left + grid.resolution_m, top)
        area = shapely.area(shapely.intersection(part[shape], pixel))
        # The shares of a shape add up to one, whatever rounding does to its area.
        share = area / np.bincount(shape, area)[shape]
        rows, columns = np.clip(rows, 0, grid.height - 1), np.clip(columns, 0, grid.width - 1)
        np.add.at(values, (rows, columns), people[first : first + 20_000][shape] * share)


def _read_plain(path: Path, name: str, place: Place) -> tuple[gpd.GeoDataFrame, list[str]]:
    info = _checked(path, name)
    boxes = _boxes(place)
    extent = info["total_bounds"]
    if info["features"] and not any(
        box[0] <= extent[2] and box[2] >= extent[0] and box[1] <= extent[3] and box[3] >= extent[1]
        for box in boxes
    ):
        raise InputError(
            "{file} has nobody near {place}; it may be of another country",
            file=name,
            place=place.name,
        )
    parts = []
    for box in boxes:
        try:
            # Errors of SQLite in the middle of a damaged file come out as either.
            parts.append(pyogrio.read_dataframe(path, columns=["h3", "population"], bbox=box))
        except (pyogrio.errors.DataSourceError, pyogrio.errors.FeatureError, RuntimeError) as error:
            raise _damaged(name) from error
    frame = gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), crs="EPSG:3857")
    frame = frame.drop_duplicates("h3", ignore_index=True)
    return _placed(frame, name, place)


def _checked(path: Path, name: str) -> dict[str, Any]:
    try:
        info = dict(pyogrio.read_info(path, force_feature_count=True, force_total_bounds=True))
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, RuntimeError) as error:
        raise _damaged(name) from error
    missing = {"h3", "population"} - set(info["fields"])
    if missing:
        raise InputError(
            "{file}: the columns are {found} (expected {expected})",
            file=name,
            found=", ".join(info["fields"]) or "none",
            expected="h3, population",
        )
    if info["features"] == 0:
        raise InputError("{file} holds no hexagon", file=name)
    crs = info["crs"]
    if crs is None or not pyproj.CRS(crs).equals(pyproj.CRS("EPSG:3857"), ignore_axis_order=True):
        raise InputError(
            "{file}: the CRS is {found} (expected {expected})",
            file=name,
            found=crs or "none",
            expected="EPSG:3857",
        )
    return info


def _boxes(place: Place) -> list[tuple[float, float, float, float]]:
    """Return the place in Web Mercator, in two where it crosses the antimeridian."""
    west, south, east, north = place.bounds
    west, east = west - _MARGIN_DEG, east + _MARGIN_DEG
    parts = [(west, east)]
    if east > 180.0:
        parts = [(west, 180.0), (-180.0, east - 360.0)]
    elif west < -180.0:
        parts = [(west + 360.0, 180.0), (-180.0, east)]
    to_mercator = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True)
    bottom, top = (
        float(np.clip(lat, -_MAX_LAT_DEG, _MAX_LAT_DEG))
        for lat in (south - _MARGIN_DEG, north + _MARGIN_DEG)
    )
    return [to_mercator.transform_bounds(left, bottom, right, top) for left, right in parts]


def _placed(frame: gpd.GeoDataFrame, name: str, place: Place) -> tuple[gpd.GeoDataFrame, list[str]]:
    """Bring hexagons to longitudes like those of the place, and check them against their ids."""
    notes = []
    west, south, east, north = place.bounds
    people = pd.to_numeric(frame["population"], errors="coerce").to_numpy(np.float64)
    ids = frame["h3"].astype(str).to_numpy(dtype=object)
    valid = np.array([h3.is_valid_cell(one) for one in ids], bool)
    bad = ~np.isfinite(people) | (people < 0)
    if bad.any():
        notes.append(f"{name}: {int(bad.sum())} hexagons without a number of people left out")
    bounds = shapely.bounds(frame.geometry.to_numpy())
    broken = (bounds[:, 2] - bounds[:, 0] > _HALF_WORLD_M) | shapely.is_missing(
        frame.geometry.to_numpy()
    )
    lost = broken & ~valid
    if lost.any():
        notes.append(f"{name}: {int(lost.sum())} hexagons without a usable shape or H3 id left out")
    shapes = shapely.transform(
        frame.geometry.to_numpy(),
        lambda xy: np.column_stack(
            pyproj.Transformer.from_crs("EPSG:3857", "EPSG:4326", always_xy=True).transform(
                xy[:, 0], xy[:, 1]
            )
        ),
    )
    for index in np.flatnonzero(broken & valid):
        shapes[index] = _from_id(ids[index])
    if (broken & valid).any():
        notes.append(
            f"{name}: {int((broken & valid).sum())} hexagons across the antimeridian were rebuilt "
            "from their H3 ids"
        )
    keep = ~bad & ~lost
    shapes, ids, people, valid = shapes[keep], ids[keep], people[keep], valid[keep]
    centre = shapely.centroid(shapes)
    lon, lat = shapely.get_x(centre), shapely.get_y(centre)
    wrong = sum(
        not ok or h3.latlng_to_cell(y, x, h3.get_resolution(one)) != one
        for ok, one, x, y in zip(valid, ids, lon, lat, strict=True)
    )
    if wrong:
        notes.append(
            f"{name}: the H3 ids of {wrong} of {len(ids)} hexagons are not those of where they "
            "lie; their shapes were used"
        )
    # Whole turns bring each hexagon next to the middle of the place.
    turns = np.round((0.5 * (west + east) - lon) / 360.0) * 360.0
    moved = np.repeat(turns, shapely.get_num_coordinates(shapes))
    coordinates = shapely.get_coordinates(shapes)
    coordinates[:, 0] += moved
    shapes = shapely.set_coordinates(shapes.copy(), coordinates)
    over = shapely.intersects(shapes, shapely.box(west, south, east, north))
    return (
        gpd.GeoDataFrame(
            {"h3": ids[over], "population": people[over]},
            geometry=gpd.GeoSeries(list(shapes[over]), crs="EPSG:4326"),
            crs="EPSG:4326",
        ),
        notes,
    )


def _from_id(one: str) -> shapely.Polygon:
    """Return a hexagon by its id, its longitudes running on beyond 180."""
    ring = np.array([(lon, lat) for lat, lon in h3.cell_to_boundary(one)])
    ring[:, 0] = ring[0, 0] + (ring[:, 0] - ring[0, 0] + 180.0) % 360.0 - 180.0
    return shapely.Polygon(ring)


def _write(path: Path, raster: Raster) -> None:
    part = path.with_name(f".{path.name}")
    with rasterio.open(
        part,
        "w",
        driver="GTiff",
        width=raster.grid.width,
        height=raster.grid.height,
        count=1,
        dtype="float32",
        crs=raster.grid.crs,
        transform=raster.grid.transform,
        compress="deflate",
    ) as dataset:
        dataset.write(raster.values, 1)
    part.replace(path)


def _damaged(name: str) -> InputError:
    return InputError("{file} is not a GeoPackage or is damaged (expected a GeoPackage)", file=name)
