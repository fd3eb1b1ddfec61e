"""Bring what the sources gave into the form of a study area.

Boundaries are reprojected, terrain is warped window by window so that memory
does not grow with the area, people are counted by zone, and what no source gave
is derived, generated and marked illustrative, or left out; what was done is said
in the provenance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import rasterio
import rasterio.features
import rasterio.warp
import shapely
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from data import clutter_classes as cover
from data import rasters, schema
from data.area import Provenance, StudyAreaInfo
from data.demo.dedicated_network import make_dedicated_network
from data.demo.network import make_cells, make_masts
from data.errors import InputError
from data.grid import Grid, Raster
from data.sources.ingredients import RasterSource, VectorSource
from data.sources.source import Reading
from data.study_area import area_outline, finest_level, finest_zones
from data.warp import MARGIN_M, tiff_profile, warp_terrain, windows
from data.zonal import people_by_zone, pixel_area_km2, to_raster

Progress = Callable[[float], None]

#: Default pixel size of results. [m]
RESOLUTION_M = 100.0

#: Density from which a square kilometre counts as settled, as town, as dense town. [1/km2]
SETTLED_DENSITY_KM2 = (1_200.0, 4_000.0, 8_000.0)

#: Height from which land counts as wooded hill, and as scrub below it. [m]
WOODED_M = 50.0
SCRUB_M = 20.0

#: People for whom one mast is generated: 860 positions are reported for the 852,800 of Hà Nam.
PEOPLE_PER_MAST = 1_000.0
_MOST_MASTS = 5_000

#: Pixels of the frame on which generated masts are placed.
_PLACING_PX = 4_000_000

#: How a generated dedicated data network is made.
NETWORK_METHOD = (
    "Invented in place of the real network until that is imported: a data centre and agencies in "
    "the densest zone, a site for every seat of a zone, at its office where one is known; who is "
    "connected, when, by whom and with which contract is drawn. Which districts have rooms for "
    "conferences is an assumption. The providers A and B stand for no real company"
)

#: Layers whose features beyond the frame of terrain are left out.
_CUT_TO_FRAME = ("roads", "railways", "speed_tests", "neighbours")
_CUT_TO_AREA = ("villages", "points_of_interest")


@dataclass(frozen=True, eq=False)
class Contents:
    """A study area, complete and ready to be written.

    Parameters
    ----------
    area
        Its name and frame.
    layers
        Layers in its CRS.
    rasters
        Rasters, as values or as files in any CRS.
    provenance
        Where each layer and raster came from.
    facts
        What was found and done on the way, for the data-quality report.
    """

    area: StudyAreaInfo
    layers: dict[str, pd.DataFrame]
    rasters: dict[str, Raster | Path]
    provenance: dict[str, Provenance]
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    """How an area is to be made.

    Parameters
    ----------
    scratch
        Folder for files that are needed until the area is written.
    seed
        Seed of what is generated.
    population_total
        People that the area is rescaled to, or None.
    generate_masts
        Whether masts and cells are generated where no source gives any.
    n_masts
        How many; None for about one for `PEOPLE_PER_MAST` people.
    generate_network
        Whether a dedicated data network is generated where no source gives one.
    sea_terrain
        Whether ground without a height within the terrain's frame is sea, at 0 m.
    clutter_notes
        What else has to be said of land cover that is derived.
    on_progress
        Called with the share done.
    """

    scratch: Path
    seed: int
    population_total: float | None = None
    generate_masts: bool = True
    n_masts: int | None = None
    generate_network: bool = False
    sea_terrain: bool = False
    clutter_notes: tuple[str, ...] = ()
    on_progress: Progress = lambda _share: None


def assemble(reading: Reading, area: StudyAreaInfo, options: Options) -> Contents:
    """Make a study area of what was read.

    Parameters
    ----------
    reading
        Layers and rasters; `zones` must be there, all others are optional.
    area
        Name and frame.
    options
        How.

    Returns
    -------
    Contents
        Ready to be written.

    Raises
    ------
    InputError
        If a raster lies beside the area or holds nothing there.
    """
    work = _Work(reading, area, options)
    work.terrain()
    options.on_progress(0.35)
    work.population()
    work.zones()
    options.on_progress(0.5)
    work.clutter()
    options.on_progress(0.75)
    work.other_rasters()
    work.other_layers()
    options.on_progress(0.85)
    work.masts()
    work.network()
    options.on_progress(1.0)
    return Contents(area, work.layers, work.rasters, work.provenance, work.facts)


class _Work:
    """A study area while it is made."""

    def __init__(self, reading: Reading, area: StudyAreaInfo, options: Options) -> None:
        self.reading = reading
        self.crs = area.crs
        self.options = options
        self.frame_zones = reading.layers["zones"].frame.to_crs(area.crs)
        self.outline = area_outline(self.frame_zones)
        self.layers: dict[str, pd.DataFrame] = {}
        self.rasters: dict[str, Raster | Path] = {}
        self.provenance: dict[str, Provenance] = {}
        self.facts: dict[str, Any] = {}
        x_min, y_min, x_max, y_max = self.outline.bounds
        self.bounds = (x_min - MARGIN_M, y_min - MARGIN_M, x_max + MARGIN_M, y_max + MARGIN_M)

    def terrain(self) -> None:
        source = self.reading.rasters.get("terrain")
        if source is None:
            return
        path, method, facts = warp_terrain(
            source.path,
            self.outline,
            self.crs,
            self.options.scratch / "terrain.tif",
            sea=self.options.sea_terrain,
            on_progress=lambda share: self.options.on_progress(0.35 * share),
        )
        self.rasters["terrain"] = path
        self.provenance["terrain"] = _with_method(source.provenance, method)
        self.facts["terrain"] = facts
        with rasters.opened(path) as dataset:
            self.bounds = tuple(dataset.bounds)

    def population(self) -> None:
        source = self.reading.rasters.get("population")
        if source is None:
            return
        path = cropped(
            source.path, self.bounds, self.crs, self.options.scratch / "population-part.tif"
        )
        path, method = _scaled_population(
            path, self.frame_zones, self.options.population_total, self.options.scratch
        )
        self.rasters["population"] = path
        self.provenance["population"] = _with_method(source.provenance, method)

    def zones(self) -> None:
        source = self.reading.layers["zones"]
        zones = self.frame_zones
        said = f"Area computed in {self.crs}"
        given = zones["population"] if "population" in zones else pd.Series(np.nan, zones.index)
        given = pd.to_numeric(given, errors="coerce")
        if self.options.population_total is not None:
            given = given * np.nan
        path = self.rasters.get("population")
        if isinstance(path, Path) and given.isna().any():
            counted = np.round(people_by_zone(path, zones), 1)
            if given.isna().all():
                said += "; population: sum of the population raster over the zone"
            else:
                said += (
                    "; population: as given, and where it was not the sum of the population "
                    "raster over the zone"
                )
            given = given.fillna(pd.Series(counted, zones.index))
        if "households" not in zones:
            zones = zones.assign(households=np.nan)
        self.layers["zones"] = zones.assign(
            population=given,
            area_km2=np.round(zones.geometry.area.to_numpy() / 1e6, 6),
        )
        self.provenance["zones"] = _with_method(source.provenance, said)

    def clutter(self) -> None:
        source = self.reading.rasters.get("clutter")
        if source is not None:
            path = cropped(
                source.path, self.bounds, self.crs, self.options.scratch / "clutter-part.tif"
            )
            _check_classes(path, source.path.name)
            self.rasters["clutter"] = path
            self.provenance["clutter"] = _with_method(
                source.provenance, "Kept as classes on its own grid"
            )
            return
        terrain, people = self.rasters.get("terrain"), self.rasters.get("population")
        if not isinstance(terrain, Path) and not isinstance(people, Path):
            return
        path, rule = derive_clutter(
            terrain if isinstance(terrain, Path) else None,
            people if isinstance(people, Path) else None,
            self.frame(),
            self.options.scratch / "clutter.tif",
        )
        used = [
            self.reading.rasters[name].provenance
            for name in ("terrain", "population")
            if name in self.rasters
        ]
        self.rasters["clutter"] = path
        self.provenance["clutter"] = Provenance(
            source="Derived by Phủ Sóng from: " + "; ".join(item.source for item in used),
            licence="; ".join(item.licence for item in used),
            vintage="; ".join(item.vintage for item in used),
            url_or_file=", ".join(item.url_or_file for item in used),
            sha256=" ".join(item.sha256 for item in used),
            method=". ".join([rule, *self.options.clutter_notes]),
        )
        self.facts["clutter_derived"] = True

    def frame(self, resolution_m: float = RESOLUTION_M) -> Grid:
        """Return the grid over the area and its margin."""
        return Grid.covering(self.bounds, resolution_m, self.crs)

    def other_rasters(self) -> None:
        for name, source in self.reading.rasters.items():
            if name in self.rasters or name not in schema.RASTERS:
                continue
            target = self.options.scratch / f"{name}-part.tif"
            self.rasters[name] = cropped(source.path, self.bounds, self.crs, target)
            self.provenance[name] = _with_method(source.provenance, "Kept on its own grid")

    def other_layers(self) -> None:
        for name, source in self.reading.layers.items():
            if name in self.layers or name not in schema.LAYERS:
                continue
            frame, cut = self._placed(name, source)
            if name == "villages":
                frame = _with_zone_codes(frame, self.layers["zones"])
            self.layers[name] = frame
            self.provenance[name] = (
                _with_method(source.provenance, cut) if cut else source.provenance
            )

    def _placed(self, name: str, source: VectorSource) -> tuple[pd.DataFrame, str]:
        """Return a layer in the area's CRS, cut to where it is of use, and what was cut."""
        frame = source.frame
        if schema.LAYERS[name].geometry is None or not isinstance(frame, gpd.GeoDataFrame):
            return frame.reset_index(drop=True), ""
        frame = frame.to_crs(self.crs)
        if schema.LAYERS[name].geometry == "LineString":
            return _lines_within(frame, shapely.box(*self.bounds)), ""
        region: BaseGeometry | None = None
        if name in _CUT_TO_FRAME:
            region = shapely.box(*self.bounds)
        elif name in _CUT_TO_AREA:
            region = self.outline
        if region is None:
            return frame.reset_index(drop=True), ""
        shapely.prepare(region)
        inside = shapely.intersects(region, frame.geometry.to_numpy())
        out = int((~inside).sum())
        where = "the area" if name in _CUT_TO_AREA else "the area and its margin"
        return (
            frame[inside].reset_index(drop=True),
            f"{out:,} outside {where} left out" if out else "",
        )

    def masts(self) -> None:
        options = self.options
        if "masts" in self.layers or not options.generate_masts:
            return
        if "terrain" not in self.rasters and "population" not in self.rasters:
            return
        count = options.n_masts
        x_min, y_min, x_max, y_max = self.bounds
        resolution = max(
            RESOLUTION_M,
            RESOLUTION_M
            * math.ceil(((x_max - x_min) * (y_max - y_min) / _PLACING_PX) ** 0.5 / 100),
        )
        frame = self.frame(resolution)
        people, terrain, clutter = (
            self._on_frame(name, frame, kind, otherwise)
            for name, kind, otherwise in (
                ("population", "sum", 1.0),
                ("terrain", "bilinear", 0.0),
                ("clutter", "nearest", float(cover.CROP)),
            )
        )
        zones = self.layers["zones"]
        if count is None:
            finest = finest_zones(zones)
            living = float(np.nansum(finest["population"].to_numpy(float)))
            count = round(living / PEOPLE_PER_MAST) if living else round(self.outline.area / 4e6)
            count = int(np.clip(count, 3, _MOST_MASTS))
        rng = [np.random.default_rng(k) for k in np.random.SeedSequence(options.seed).spawn(2)]
        masts = make_masts(
            self.outline,
            terrain,
            people,
            clutter,
            count=count,
            crs=self.crs,
            rng=rng[0],
            prefix="MH",
            zones=finest_zones(zones).reset_index(drop=True),
        )
        self.layers["masts"] = masts
        self.layers["cells"] = make_cells(masts, clutter, rng=rng[1])
        self.provenance["masts"] = self.provenance["cells"] = Provenance(
            source="Phủ Sóng generator",
            licence="Apache-2.0",
            vintage="not observed",
            method=f"Generated with seed {options.seed} where people live, in place of real masts "
            "and cells until these are imported; the owners A, B and C stand for no real company",
            illustrative=True,
        )

    def network(self) -> None:
        """Generate a dedicated data network where none is given."""
        if "network_sites" in self.layers or not self.options.generate_network:
            return
        # A stream of its own, so that masts stay as they are.
        rng = np.random.default_rng(np.random.SeedSequence(self.options.seed).spawn(3)[2])
        made = make_dedicated_network(
            self.layers["zones"],
            rng,
            offices=self.layers.get("offices"),
            fibre_segments=self.layers.get("fibre_segments"),
        )
        self.layers["network_sites"], self.layers["network_links"] = made.sites, made.links
        generated = Provenance(
            source="Phủ Sóng generator",
            licence="Apache-2.0",
            vintage="not observed",
            method=f"Generated with seed {self.options.seed}. {NETWORK_METHOD}",
            illustrative=True,
        )
        self.provenance["network_sites"] = self.provenance["network_links"] = generated
        if "offices" in self.layers:
            seats = self.provenance["offices"]
            self.provenance["network_sites"] = replace(
                generated,
                source=f"{generated.source}; positions of seats: {seats.source}",
                licence=f"{generated.licence} (generated); positions of seats: {seats.licence}",
            )

    def _on_frame(self, name: str, frame: Grid, kind: str, otherwise: float) -> Raster:
        path = self.rasters.get(name)
        if not isinstance(path, Path):
            return Raster(frame, np.full(frame.shape, otherwise, np.float32))
        return rasters.read(path, frame, kind)


def _with_method(provenance: Provenance, said: str) -> Provenance:
    """Add what was done to what the source says was done before."""
    before = provenance.method.rstrip(". ")
    return replace(provenance, method=f"{before}. {said}" if before else said)


def _with_zone_codes(villages: pd.DataFrame, zones: pd.DataFrame) -> pd.DataFrame:
    """Fill in the zones of villages by where they lie."""
    finest = finest_zones(zones)
    known = (
        villages["zone_code"].astype(object)
        if "zone_code" in villages
        else pd.Series([None] * len(villages), index=villages.index, dtype=object)
    )
    points = villages.geometry.to_numpy()
    at, zone = shapely.STRtree(finest.geometry.to_numpy()).query(points, predicate="intersects")
    codes = finest["code"].to_numpy(dtype=object)
    found = known.to_numpy(copy=True)
    for k, z in zip(at, zone, strict=True):
        if found[k] is None or pd.isna(found[k]):
            found[k] = codes[z]
    return villages.assign(zone_code=found)


def _lines_within(lines: gpd.GeoDataFrame, box: BaseGeometry) -> gpd.GeoDataFrame:
    """Return the parts of lines inside a box."""
    inside = lines[lines.geometry.intersects(box)]
    inside = inside.assign(geometry=inside.geometry.intersection(box))
    return inside[inside.geometry.length > 0.0].reset_index(drop=True)


# Rasters on their own grid


def cropped(path: Path, bounds: tuple[float, float, float, float], crs: str, target: Path) -> Path:
    """Return the part of a raster over an area, on its own grid.

    Parameters
    ----------
    path
        Raster in any CRS.
    bounds
        x_min, y_min, x_max, y_max of what is wanted, in `crs`.
    crs
        CRS of `bounds`.
    target
        File for the part.

    Returns
    -------
    Path
        `target`, or `path` itself where most of it is wanted.

    Raises
    ------
    InputError
        If the raster does not touch the area.
    """
    with rasters.opened(path) as dataset:
        if dataset.crs is None:
            return path  # the store says what is wrong with it
        edge = shapely.get_coordinates(
            shapely.segmentize(shapely.box(*bounds), (bounds[2] - bounds[0]) / 20)
        )
        x, y = to_raster(crs, dataset, edge[:, 0], edge[:, 1])
        column, row = ~dataset.transform @ (x, y)
        column_0, column_1 = math.floor(column.min()), math.ceil(column.max())
        row_0, row_1 = math.floor(row.min()), math.ceil(row.max())
        column_0, column_1 = max(0, column_0), min(dataset.width, column_1)
        row_0, row_1 = max(0, row_0), min(dataset.height, row_1)
        if column_0 >= column_1 or row_0 >= row_1:
            raise InputError(
                "{file}: the raster lies beside the area and covers none of it", file=path.name
            )
        width, height = column_1 - column_0, row_1 - row_0
        if width * height > 0.5 * dataset.width * dataset.height:
            return path
        profile = {
            "driver": "GTiff",
            "width": width,
            "height": height,
            "count": 1,
            "dtype": dataset.dtypes[0],
            "crs": dataset.crs,
            "transform": dataset.window_transform(Window(column_0, row_0, width, height)),
            "nodata": dataset.nodata,
            "tiled": True,
            "blockxsize": 512,
            "blockysize": 512,
            "compress": "deflate",
            "zlevel": 1,
            "BIGTIFF": "IF_SAFER",
        }
        with rasterio.open(target, "w", **profile) as out:
            for row in range(0, height, 512):
                for column in range(0, width, 4096):
                    size = (min(4096, width - column), min(512, height - row))
                    part = dataset.read(1, window=Window(column_0 + column, row_0 + row, *size))
                    out.write(part, 1, window=Window(column, row, *size))
    return target


def _check_classes(path: Path, name: str) -> None:
    """Refuse land cover whose codes are not ours, before a map of it misleads."""
    known = np.array(cover.CLASS_CODES, dtype=np.float32)
    with rasters.opened(path) as dataset:
        for _, values in rasters.strips(dataset):
            codes = np.unique(values[~np.isnan(values)])
            other = codes[~np.isin(codes, known)]
            if len(other):
                raise InputError(
                    "{file}: {code} is no class of land cover (expected the codes of ESA "
                    "WorldCover: {known})",
                    file=name,
                    code=f"{float(other[0]):g}",
                    known=", ".join(str(code) for code in cover.CLASS_CODES),
                )


# People


def _scaled_population(
    path: Path, zones: gpd.GeoDataFrame, total: float | None, scratch: Path
) -> tuple[Path, str]:
    """Return the raster of people, rescaled if asked for, and what was done to it."""
    found = float(people_by_zone(path, finest_zones(zones)).sum())
    kept = "Kept as people per pixel on its own grid"
    if found <= 0.0:
        raise InputError("{file}: nobody lives in the area by this raster", file=path.name)
    if total is None:
        return path, f"{kept}; {found:,.0f} people in the area. Not rescaled to any census"
    factor = total / found
    scaled = scratch / "population.tif"
    with rasters.opened(path) as dataset:
        profile = dataset.profile
        nodata = -1.0
        profile.update(driver="GTiff", dtype="float64", nodata=nodata, count=1)
        for option in ("blockxsize", "blockysize", "tiled", "interleave"):
            profile.pop(option, None)
        with rasterio.open(scaled, "w", **profile) as out:
            for row in range(0, dataset.height, 512):
                window = Window(0, row, dataset.width, min(512, dataset.height - row))
                part = dataset.read(1, window=window, masked=True).astype("float64") * factor
                out.write(part.filled(nodata), 1, window=window)
    return scaled, (
        f"{kept}; {found:,.0f} people in the area, all multiplied by {factor:.6g} to meet the "
        f"total of {total:,.0f} asked for"
    )


# Land cover


def derive_clutter(
    terrain: Path | None, population: Path | None, grid: Grid, target: Path
) -> tuple[Path, str]:
    """Derive classes of land cover from terrain and population.

    Neither resolves a village, so the rule is kept plain: it tells settled land,
    open land and wooded hills apart and nothing finer.

    Parameters
    ----------
    terrain, population
        Files, or None where there is none.
    grid
        Frame of the result.
    target
        File for the result.

    Returns
    -------
    tuple
        The file and the rule.
    """
    with rasterio.open(target, "w", **tiff_profile(grid, "uint8", None)) as out:
        for row, column, part in windows(grid):
            codes = np.full(part.shape, cover.CROP, dtype=np.uint8)
            heights = None
            if terrain is not None:
                heights = rasters.read(terrain, part, "bilinear").values
                codes[heights >= SCRUB_M] = cover.SHRUB
            if population is not None:
                settle = rasters.read(population, part, "nearest").values
                density = settle / _ground_area_km2(population, part)
                for limit, code in zip(
                    SETTLED_DENSITY_KM2,
                    (cover.VILLAGE, cover.TOWN, cover.DENSE_URBAN),
                    strict=True,
                ):
                    codes[density >= limit] = code
            if heights is not None:
                codes[heights >= WOODED_M] = cover.TREE
                codes[np.isnan(heights)] = cover.NO_DATA
            out.write(codes, 1, window=Window(column, row, part.width, part.height))
    settled, town, dense = SETTLED_DENSITY_KM2
    rule = "Rule: open fields"
    if terrain is not None:
        rule += f"; scrub from {SCRUB_M:g} m and forest from {WOODED_M:g} m of terrain"
    if population is not None:
        below = "below that " if terrain is not None else ""
        rule += (
            f"; {below}village, town, dense town from {settled:,.0f}, {town:,.0f} and "
            f"{dense:,.0f} people per km2 of the population raster. Limits: villages smaller than "
            "its pixels are not placed one by one, water is not told apart. The lowest density is "
            "set so that in Hà Nam about a sixth of the plain counts as settled, the land its "
            "people take at 190 m2 each"
        )
    return target, (
        f"{rule}. Import a finer land cover (such as ESA WorldCover) before drawing conclusions "
        "about single places"
    )


def _ground_area_km2(path: Path, part: Grid) -> float:
    x_min, y_min, x_max, y_max = part.bounds
    with rasters.opened(path) as dataset:
        x, y = to_raster(part.crs, dataset, [0.5 * (x_min + x_max)], [0.5 * (y_min + y_max)])
        return pixel_area_km2(dataset, float(x[0]), float(y[0]))


# Zones of a place


def zone_of_outline(outline: BaseGeometry, name: str, crs: str = "EPSG:4326") -> VectorSource:
    """Make one zone of an outline, where no source gives zones.

    Parameters
    ----------
    outline
        Polygon.
    name
        Name of the place.
    crs
        CRS of `outline`.

    Returns
    -------
    VectorSource
        Layer `zones` with one row of level "province".
    """
    frame = gpd.GeoDataFrame(
        {"code": ["1"], "name": [name], "level": ["province"], "parent_code": [None]},
        geometry=[outline],
        crs=crs,
    )
    return VectorSource(
        frame,
        Provenance(
            source="The user's outline",
            licence="the user's own",
            vintage="not stated",
            method="One zone made of the outline asked for, as no source of zones was given",
        ),
    )


def zones_in(source: VectorSource, outline: BaseGeometry) -> VectorSource:
    """Return the zones that belong to a place.

    Parameters
    ----------
    source
        Zones in any CRS, of any levels.
    outline
        The place in WGS 84; longitudes may run on beyond 180.

    Returns
    -------
    VectorSource
        Zones with more than half of their area in it, whole, and those of wider
        levels that they lie in, cut to it. If no zone of the finest level lies in
        it by more than half, the zones are cut to it.

    Raises
    ------
    InputError
        If no zone touches the place.
    """
    crs = pyproj.CRS.from_user_input("EPSG:6933")  # equal areas, so that shares are right
    west, _, east, _ = outline.bounds
    if east > 180.0:
        crs = pyproj.CRS.from_proj4(f"+proj=cea +lat_ts=30 +lon_0={(west + east) / 2:.4f}")
    flat = source.frame.geometry.to_crs(crs).to_numpy()
    flat = np.where(shapely.is_valid(flat), flat, shapely.make_valid(flat))
    place = gpd.GeoSeries([outline], crs="EPSG:4326").segmentize(0.05).to_crs(crs).iloc[0]
    if not place.is_valid:
        place = place.buffer(0)
    common = shapely.area(shapely.intersection(flat, place))
    share = common / np.maximum(shapely.area(flat), 1e-9)
    level = source.frame["level"].to_numpy(dtype=object)
    finest = level == finest_level(source.frame)
    touched = common > 1.0
    if not (touched & finest).any():
        raise InputError(
            "None of the zones of {source} lies in the area", source=source.provenance.source
        )
    if (share[finest] > 0.5).any():
        inside = share > 0.5
        note = "zones with more than half of their area in the area asked for"
        wider = touched & ~inside & ~finest
    else:
        inside = np.zeros(len(level), bool)
        wider = touched
        note = "zones cut to the area asked for, as none lies in it by more than half"
    if inside.all():
        return source
    cut = shapely.intersection(flat, place)
    shape = flat.copy()
    shape[wider] = cut[wider]
    keep = inside | wider
    frame = source.frame[keep].copy()
    frame = frame.set_geometry(gpd.GeoSeries(shape[keep], index=frame.index, crs=crs))
    frame = frame.set_geometry([_polygons(geometry) for geometry in frame.geometry], crs=crs)
    exact = inside[keep]
    back = frame.geometry.to_crs(source.frame.crs).to_numpy()
    back[exact] = source.frame.geometry.to_numpy()[keep][exact]  # untouched to the last digit
    frame = frame.set_geometry(gpd.GeoSeries(back, index=frame.index, crs=source.frame.crs))
    left_out = int((~keep).sum())
    said = f"Kept: {note}" + (f"; {left_out} others left out" if left_out else "")
    if wider.any() and inside.any():
        said += f"; {int(wider.sum())} zones of wider levels were cut to the area"
    return VectorSource(frame.reset_index(drop=True), _with_method(source.provenance, said))


def _polygons(geometry: BaseGeometry) -> BaseGeometry:
    parts = []
    for part in shapely.get_parts(geometry):
        parts += list(shapely.get_parts(part)) if part.geom_type == "MultiPolygon" else [part]
    return shapely.MultiPolygon([part for part in parts if part.geom_type == "Polygon"])


def merged(readings: list[tuple[Reading, tuple[str, ...]]]) -> Reading:
    """Put readings together.

    Parameters
    ----------
    readings
        Each with the layers and rasters that are wanted of it; nothing else of it
        is taken.

    Returns
    -------
    Reading
        All of them; where two give the same, the later one.
    """
    layers: dict[str, VectorSource] = {}
    images: dict[str, RasterSource] = {}
    notes: list[str] = []
    for reading, parts in readings:
        layers.update({name: reading.layers[name] for name in parts if name in reading.layers})
        images.update({name: reading.rasters[name] for name in parts if name in reading.rasters})
        notes += [note for note in reading.notes if note not in notes]
    return Reading(layers, images, tuple(notes))
