"""Small sources of a whole study area, served by the local server, for tests of builds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

from data.area import Provenance
from data.sources import download
from data.sources.ingredients import RasterSource, VectorSource, sha256_of
from data.sources.source import Fetched, Item, Place, Progress, Reading

Bounds = tuple[float, float, float, float]

HANAM: Bounds = (105.90, 20.50, 106.00, 20.60)
FIJI: Bounds = (179.86, -17.05, 180.06, -16.95)
TROMSO: Bounds = (18.80, 69.60, 19.20, 69.75)
POLE: Bounds = (20.0, 85.00, 22.0, 85.15)

#: What a pixel of population holds. [people]
PEOPLE = 100.0


def height_at(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Return gentle hills without a step at 180 degrees. [m]"""
    return 20.0 + 10.0 * np.sin(np.radians(lon) * 120) + 5.0 * np.cos(np.radians(lat) * 200)


def squares(bounds: Bounds) -> gpd.GeoDataFrame:
    """Return a province of four communes; longitudes run on beyond 180."""
    west, south, east, north = bounds
    x, y = 0.5 * (west + east), 0.5 * (south + north)
    parts = [
        (west, south, x, y),
        (x, south, east, y),
        (west, y, x, north),
        (x, y, east, north),
    ]
    return gpd.GeoDataFrame(
        {
            "code": ["P", "1", "2", "3", "4"],
            "name": ["Tỉnh", "Một", "Hai", "Ba", "Bốn"],
            "level": ["province"] + ["commune"] * 4,
            "parent_code": [None, "P", "P", "P", "P"],
        },
        geometry=[shapely.box(*bounds), *(shapely.box(*part) for part in parts)],
        crs="EPSG:4326",
    )


def tiff(values: np.ndarray, west: float, north: float, step: float, nodata: float) -> bytes:
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            width=values.shape[1],
            height=values.shape[0],
            count=1,
            dtype=values.dtype,
            crs="EPSG:4326",
            transform=from_origin(west, north, step, step),
            nodata=nodata,
        ) as dataset:
            dataset.write(values, 1)
        return memory.read()


def raster(bounds: Bounds, step: float, margin: float, values: object = None) -> bytes:
    """Return a raster over bounds and a margin; heights where no values are given."""
    west, south, east, north = bounds
    west, north = west - margin, north + margin
    width = round((east + margin - west) / step)
    height = round((north - (south - margin)) / step)
    lon = west + (np.arange(width) + 0.5) * step
    lat = north - (np.arange(height) + 0.5) * step
    if values is None:
        array = height_at(*np.meshgrid(lon, lat)).astype(np.float32)
    else:
        array = np.full((height, width), values, np.float32)
    return tiff(array, west, north, step, -9999.0)


def files(bounds: Bounds) -> dict[str, bytes]:
    """Return all files of a place."""
    across = 3.0 if abs(bounds[1]) < 60 else 10.0
    west, south, east, north = bounds
    middle = 0.5 * (south + north)
    road = gpd.GeoDataFrame(
        {"road_id": ["R1"], "name": ["QL1A"], "road_class": ["trunk"], "surface": [None]},
        geometry=[shapely.LineString([(west - 1.0, middle), (east + 1.0, middle)])],
        crs="EPSG:4326",
    )
    margin = 0.15 * across / 3.0
    return {
        "zones.geojson": squares(bounds).to_json(to_wgs84=False).encode(),
        "terrain.tif": raster(bounds, 1 / 1200, margin),
        "population.tif": raster(bounds, 0.01, 0.1, PEOPLE),
        "roads.geojson": road.to_json(to_wgs84=False).encode(),
    }


@dataclass
class Served:
    """A source whose files lie on a server, one for each layer or raster."""

    url: str
    name: str
    files: dict[str, str]
    title: str = "A source for tests"
    licence: str = "CC BY 4.0"
    vintage: str = "2024"
    asked: list[Place] = field(default_factory=list)

    @property
    def gives(self) -> tuple[str, ...]:
        return tuple(self.files)

    def find(self, place: Place) -> list[Item]:
        self.asked.append(place)
        return [
            Item(self.name, name, f"{self.url}/{name}", licence=self.licence, vintage=self.vintage)
            for name in self.files.values()
        ]

    def size_up(self, items: Sequence[Item]) -> list[Item]:
        return [
            replace(item, size_bytes=download.size_of(item.url, source=self.name)) for item in items
        ]

    def fetch(
        self, items: Sequence[Item], place: Place, *, on_progress: Progress = lambda _share: None
    ) -> list[Fetched]:
        return [download.fetch(item, on_progress=on_progress) for item in items]

    def read(self, fetched: Sequence[Fetched], place: Place, folder: Path) -> Reading:
        layers, rasters = {}, {}
        for part, name in self.files.items():
            path = next(one.path for one in fetched if one.item.key == name)
            origin = Provenance(
                self.title, self.licence, self.vintage, f"{self.url}/{name}", sha256_of(path)
            )
            if name.endswith(".tif"):
                rasters[part] = RasterSource(path, origin)
            else:
                document = json.loads(path.read_text("utf-8"))
                frame = gpd.GeoDataFrame.from_features(document, crs="EPSG:4326")
                layers[part] = VectorSource(frame, origin)
        return Reading(layers, rasters, (f"{self.name} was read",))


def known(url: str) -> dict[str, Served]:
    """Return the sources of all parts."""
    return {
        "zones": Served(url, "zones", {"zones": "zones.geojson"}),
        "terrain": Served(url, "terrain", {"terrain": "terrain.tif"}),
        "people": Served(url, "people", {"population": "population.tif"}),
        "roads": Served(url, "roads", {"roads": "roads.geojson"}),
    }


SOURCES = {"zones": "zones", "terrain": "terrain", "population": "people", "roads": "roads"}


def place_of(bounds: Bounds, name: str = "Thử") -> Place:
    return Place(name, bounds, "VNM", shapely.box(*bounds))


def heights_match(path: Path, *, tolerance_m: float) -> bool:
    """Return whether a terrain in metres has the heights of the formula, where it has any."""
    import pyproj

    with rasterio.open(path) as dataset:
        values = dataset.read(1)
        rows, columns = np.nonzero(np.isfinite(values))
        pick = np.random.default_rng(1).choice(len(rows), 500)
        x, y = dataset.transform @ (columns[pick] + 0.5, rows[pick] + 0.5)
        to_degrees = pyproj.Transformer.from_crs(dataset.crs, "EPSG:4326", always_xy=True)
        lon, lat = to_degrees.transform(x, y)
    off = np.abs(values[rows[pick], columns[pick]] - height_at(np.asarray(lon), np.asarray(lat)))
    return bool(off.max() < tolerance_m)
