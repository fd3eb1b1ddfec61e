"""Build a study area: read or generate it, complete it, write it in one step."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import rasterio
import rasterio.warp
import shapely
from exactextract import exact_extract
from numpy.typing import NDArray
from rasterio.enums import Resampling
from shapely.geometry.base import BaseGeometry

from data import clutter_classes as cover
from data import demo, rasters
from data.area import Provenance, StudyAreaInfo
from data.demo.areas import COMMUNES_TABLE, HANAM_MASTS
from data.demo.network import make_cells, make_masts
from data.errors import InputError
from data.grid import Grid, Raster
from data.sources import hanam_files
from data.sources.ingredients import Ingredients, sha256_of
from data.store import Workspace
from data.study_area import area_outline, finest_level, metric_crs

#: Default pixel size of results. [m]
RESOLUTION_M = 100.0

#: Pixel size of terrain made from 3 arc-second heights (about 90 m). [m]
TERRAIN_RESOLUTION_M = 90.0

#: How far terrain and land cover of a real area reach beyond it, where the source does. [m]
MARGIN_M = 12_000.0

#: Heights below this are voids, noise or pits in SRTM on a delta. [m]
LOWEST_GROUND_M = -5.0

#: Density from which a square kilometre counts as settled, as town, as dense town. [1/km2]
SETTLED_DENSITY_KM2 = (1_200.0, 4_000.0, 8_000.0)

#: Height from which land counts as wooded hill, and as scrub below it. [m]
WOODED_M = 50.0
SCRUB_M = 20.0

Progress = Callable[[float], None]


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
    """

    area: StudyAreaInfo
    layers: dict[str, pd.DataFrame]
    rasters: dict[str, Raster | Path]
    provenance: dict[str, Provenance]


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Parameters
    ----------
    source_folder
        Folder of files to build from.
    seed
        Seed of what is generated.
    population_total
        People that the area is rescaled to, or None.
    crs
        Metric CRS, or None for the local UTM zone.
    scratch
        Folder for files that are needed until the area is written.
    on_progress
        Called with the share done.
    """

    source_folder: Path | None
    seed: int
    population_total: float | None
    crs: str | None
    scratch: Path
    on_progress: Progress


@dataclass(frozen=True)
class Area:
    """A study area that can be built by its name.

    Parameters
    ----------
    name
        Short name.
    title_vi, title_en
        Title in both languages.
    prepare
        Makes its contents.
    """

    name: str
    title_vi: str
    title_en: str
    prepare: Callable[[Area, Request], Contents]


def _silent(_: float) -> None:
    return None


def build(
    area: str,
    folder: Path | str,
    *,
    source_folder: Path | str | None = None,
    seed: int = demo.DEFAULT_SEED,
    population_total: float | None = None,
    crs: str | None = None,
    on_progress: Progress = _silent,
) -> Workspace:
    """Build a study area into a workspace.

    Nothing is written until all of it is ready; then it takes the place of an
    older workspace in one step, so a fault, a cancel or a power cut leaves the
    older one whole.

    Parameters
    ----------
    area
        One of `AREAS`.
    folder
        Of the workspace; must not exist, be empty or hold a workspace.
    source_folder
        Folder of files to build from.
    seed
        Seed of what is generated.
    population_total
        Rescale the population raster so that the area has this many people,
        e.g. a census figure; None keeps the source's figures.
    crs
        Metric CRS of the workspace; None for the local UTM zone.
    on_progress
        Called with the share done, from the caller's thread.

    Returns
    -------
    Workspace
        The workspace.

    Raises
    ------
    InputError
        If the area is not known, the folder holds something else, or a source
        file is missing or not usable.
    """
    if area not in AREAS:
        raise InputError(
            "There is no study area {area}; known areas: {known}",
            area=area,
            known=", ".join(sorted(AREAS)),
        )
    if population_total is not None and not (
        np.isfinite(population_total) and population_total > 0
    ):
        raise InputError(
            "The population total is {value}, but it must be greater than 0",
            value=population_total,
        )
    folder = Path(folder)
    _check_target(folder)
    definition = AREAS[area]
    with tempfile.TemporaryDirectory(prefix="phusong-") as scratch:
        request = Request(
            None if source_folder is None else Path(source_folder),
            seed,
            population_total,
            crs,
            Path(scratch),
            lambda share: on_progress(0.85 * share),
        )
        contents = definition.prepare(definition, request)
        on_progress(0.85)
        workspace = Workspace.replace(
            folder,
            contents.area,
            contents.layers,
            contents.provenance,
            rasters=contents.rasters,
        )
    on_progress(1.0)
    return workspace


def _check_target(folder: Path) -> None:
    if not folder.exists() or Workspace.exists(folder):
        return
    if not folder.is_dir():
        raise InputError("{folder} is a file; expected a folder for the workspace", folder=folder)
    if any(folder.iterdir()):
        raise InputError(
            "{folder} is not empty and holds no workspace; choose another folder, so that nothing "
            "in it is lost",
            folder=folder,
        )


def _prepare_demo(area: Area, request: Request) -> Contents:
    if request.source_folder is not None:
        raise InputError(
            "The area {area} is generated and takes no files (leave out {folder})",
            area=area.name,
            folder=request.source_folder,
        )
    spec = demo.hanam_spec()
    if request.crs is not None and request.crs != spec.crs:
        raise InputError(
            "The area {area} is generated in {known}, not in {crs}",
            area=area.name,
            known=spec.crs,
            crs=request.crs,
        )
    if request.population_total is not None:
        spec = replace(spec, population=round(request.population_total))
    generated = demo.generate(request.seed, spec=spec, on_progress=request.on_progress)
    return Contents(
        StudyAreaInfo(
            name=area.name,
            title_vi=area.title_vi,
            title_en=area.title_en,
            crs=spec.crs,
            illustrative=True,
            resolution_m=RESOLUTION_M,
        ),
        generated.layers,
        dict(generated.rasters),
        generated_provenance(generated),
    )


def generated_provenance(generated: demo.GeneratedArea) -> dict[str, Provenance]:
    """Say of each layer and raster of a generated area how it was made.

    Parameters
    ----------
    generated
        The area.

    Returns
    -------
    dict
        Layer or raster -> provenance, all marked illustrative.
    """
    spec = generated.spec
    table = Provenance(
        source="Phủ Sóng generator; names, codes, areas and rounded points of the communes: "
        "Resolution 1674/NQ-UBTVQH15, Decision 19/2025/QĐ-TTg, sapnhap.bando.com.vn",
        licence="Apache-2.0 (generated); published facts",
        vintage="communes and wards since 1 July 2025",
        url_or_file=f"data/demo/{COMMUNES_TABLE.name}",
        sha256=sha256_of(COMMUNES_TABLE),
        illustrative=True,
    )
    made = Provenance(
        source="Phủ Sóng generator", licence="Apache-2.0", vintage="not observed", illustrative=True
    )
    seed = f"Generated with seed {generated.seed}. "
    people = (
        f"A total of {spec.population:,} people is spread by a rule of the project: over pixels "
        "with houses, towns 1.6 and dense towns 2.6 times as densely as villages, wards 1.25 "
        "times as densely as communes"
    )
    census = "; the total for Hà Nam is that of the census of 1 April 2019 (852,800)"
    return {
        "zones": replace(
            table,
            method=seed + "Borders are cells of a power diagram of the points, with the published "
            "areas, bent at random: not the real borders. " + people + census,
        ),
        "villages": replace(made, method=seed + "Places and names are invented. " + people),
        "population": replace(made, method=seed + people + census),
        "terrain": replace(
            made,
            method=seed + "Synthetic heights: a delta of 1 to 6 m, dykes, karst towers where the "
            "real hills roughly are, scaled to the share above 50 m and the highest point "
            "of SRTM",
        ),
        "clutter": replace(
            made,
            method=seed + "Synthetic land cover consistent with terrain, rivers, villages and "
            "roads; codes of ESA WorldCover, 51 village, 52 town, 53 dense town",
        ),
        "roads": replace(made, method=seed + "A connected network between the villages; invented"),
        "masts": replace(
            made,
            method=seed + "Invented positions where people live; the number of positions is the "
            "reported one, the owners A, B and C stand for no real company",
        ),
        "cells": replace(
            made,
            method=seed + "Invented; powers, gains and losses are common planning values, not any "
            "operator's",
        ),
    }


def _prepare_hanam(area: Area, request: Request) -> Contents:
    if request.source_folder is None:
        raise InputError(
            "The area {area} is built from files: give the folder that holds {files}",
            area=area.name,
            files=", ".join(hanam_files.REQUIRED_FILES),
        )
    ingredients = hanam_files.read_folder(request.source_folder)
    request.on_progress(0.1)
    return assemble(
        ingredients,
        StudyAreaInfo(
            name=area.name,
            title_vi=area.title_vi,
            title_en=area.title_en,
            crs=request.crs or metric_crs(ingredients.zones.frame),
            illustrative=False,
            resolution_m=RESOLUTION_M,
        ),
        request,
        n_masts=HANAM_MASTS,
    )


def assemble(
    ingredients: Ingredients, area: StudyAreaInfo, request: Request, *, n_masts: int
) -> Contents:
    """Bring what a source gave into the form of a study area.

    Boundaries and roads are reprojected, terrain is warped, people are counted
    by zone, land cover is derived and, until real ones are imported,
    masts and cells are generated and marked illustrative.

    Parameters
    ----------
    ingredients
        What was read.
    area
        Name and frame.
    request
        What the user asked for.
    n_masts
        Number of masts to generate.

    Returns
    -------
    Contents
        Ready to be written.
    """
    rng = [np.random.default_rng(k) for k in np.random.SeedSequence(request.seed).spawn(2)]
    zones = ingredients.zones.frame.to_crs(area.crs)
    outline = area_outline(zones)
    provenance = {"zones": ingredients.zones.provenance}
    terrain, method = _warped_terrain(ingredients.terrain.path, outline, area.crs)
    provenance["terrain"] = replace(ingredients.terrain.provenance, method=method)
    request.on_progress(0.3)

    population_file, method = _population(
        ingredients.population.path, zones, request.population_total, request.scratch
    )
    provenance["population"] = replace(ingredients.population.provenance, method=method)
    zones = zones.assign(
        population=np.round(people_by_zone(population_file, zones), 1),
        households=np.nan,
        area_km2=np.round(zones.geometry.area.to_numpy() / 1e6, 6),
    )
    provenance["zones"] = replace(
        provenance["zones"],
        method=f"{provenance['zones'].method}. Area computed in {area.crs}; population: sum of "
        "the population raster over the zone",
    )
    request.on_progress(0.5)

    frame = Grid.covering(terrain.grid.bounds, RESOLUTION_M, area.crs)
    people = rasters.read(population_file, frame, "sum")
    clutter, method = _clutter(terrain, population_file, frame)
    used = [ingredients.terrain.provenance, ingredients.population.provenance]
    provenance["clutter"] = Provenance(
        source="Derived by Phủ Sóng from: " + "; ".join(item.source for item in used),
        licence="; ".join(item.licence for item in used),
        vintage="; ".join(item.vintage for item in used),
        url_or_file=", ".join(item.url_or_file for item in used),
        sha256=" ".join(item.sha256 for item in used),
        method=". ".join([method, *ingredients.notes]),
    )
    request.on_progress(0.7)

    layers: dict[str, pd.DataFrame] = {"zones": zones}
    if ingredients.roads is not None:
        layers["roads"] = _roads_within(ingredients.roads.frame, area.crs, frame)
        provenance["roads"] = ingredients.roads.provenance
    masts = make_masts(
        outline,
        terrain,
        people,
        clutter,
        count=n_masts,
        crs=area.crs,
        rng=rng[0],
        prefix="MH",
        zones=zones[zones["level"] == finest_level(zones)].reset_index(drop=True),
    )
    layers["masts"] = masts
    layers["cells"] = make_cells(masts, clutter, rng=rng[1])
    invented = Provenance(
        source="Phủ Sóng generator",
        licence="Apache-2.0",
        vintage="not observed",
        method=f"Generated with seed {request.seed} where people live, in place of real masts and "
        "cells until these are imported; the owners A, B and C stand for no real company",
        illustrative=True,
    )
    provenance["masts"] = provenance["cells"] = invented
    request.on_progress(1.0)
    return Contents(
        area,
        layers,
        {"terrain": terrain, "clutter": clutter, "population": population_file},
        provenance,
    )


def _source_bounds(path: Path, crs: str) -> tuple[float, float, float, float]:
    with rasters.opened(path) as dataset:
        bounds = rasterio.warp.transform_bounds(dataset.crs, crs, *dataset.bounds)
    left, bottom, right, top = (float(value) for value in bounds)
    return left, bottom, right, top


def _warped_terrain(path: Path, outline: BaseGeometry, crs: str) -> tuple[Raster, str]:
    """Return the terrain around an area in its CRS, and what was done to it."""
    left, bottom, right, top = _source_bounds(path, crs)
    x_min, y_min, x_max, y_max = outline.bounds
    if left >= x_max or right <= x_min or bottom >= y_max or top <= y_min:
        raise InputError(
            "{file}: the terrain lies beside the area and covers none of it", file=path.name
        )
    frame = (
        max(left, x_min - MARGIN_M),
        max(bottom, y_min - MARGIN_M),
        min(right, x_max + MARGIN_M),
        min(top, y_max + MARGIN_M),
    )
    grid = Grid.covering(frame, TERRAIN_RESOLUTION_M, crs)
    values = rasters.read(path, grid, "bilinear").values
    low = values < LOWEST_GROUND_M
    method = (
        f"Warped to {crs}, {TERRAIN_RESOLUTION_M:g} m, bilinear, with a margin of up to "
        f"{MARGIN_M / 1000:g} km"
    )
    if low.any():
        method += (
            f"; {int(low.sum())} pixels below {LOWEST_GROUND_M:g} m (lowest "
            f"{float(values[low].min()):.0f} m: pits, voids or noise) were raised to "
            f"{LOWEST_GROUND_M:g} m"
        )
        values = np.where(low, np.float32(LOWEST_GROUND_M), values)
    if np.isnan(values).all():
        raise InputError("{file}: the terrain holds no height in the area", file=path.name)
    return Raster(grid, values.astype(np.float32)), method


def people_by_zone(path: Path, zones: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Return the people in each zone; a pixel on a border counts by the share of its area.

    Parameters
    ----------
    path
        Raster of people per pixel, in any CRS.
    zones
        Zones in any CRS.

    Returns
    -------
    NDArray
        People, in the order of `zones`.
    """
    with rasters.opened(path) as dataset:
        # Borders are straight in the CRS of the zones: more corners keep them so in the other.
        dense = zones.geometry.segmentize(500.0) if zones.crs.is_projected else zones.geometry
        there = gpd.GeoDataFrame(geometry=dense, crs=zones.crs).to_crs(dataset.crs)
        sums = exact_extract(dataset, there, "sum", output="pandas")["sum"]
    return np.nan_to_num(sums.to_numpy(dtype=float))


def _population(
    path: Path, zones: gpd.GeoDataFrame, total: float | None, scratch: Path
) -> tuple[Path, str]:
    """Return the raster of people, rescaled if asked for, and what was done to it."""
    level = finest_level(zones)
    found = float(people_by_zone(path, zones[zones["level"] == level]).sum())
    kept = "Kept as people per pixel on its own grid"
    if found <= 0.0:
        raise InputError("{file}: nobody lives in the area by this raster", file=path.name)
    if total is None:
        return path, f"{kept}; {found:,.0f} people in the area. Not rescaled to any census"
    factor = total / found
    scaled = scratch / "population.tif"
    with rasters.opened(path) as dataset:
        profile = dataset.profile
        values = dataset.read(1, masked=True).astype("float64") * factor
        nodata = -1.0
        profile.update(driver="GTiff", dtype="float64", nodata=nodata, count=1)
        for option in ("blockxsize", "blockysize", "tiled", "interleave"):
            profile.pop(option, None)
        with rasterio.open(scaled, "w", **profile) as out:
            out.write(values.filled(nodata), 1)
    return scaled, (
        f"{kept}; {found:,.0f} people in the area, all multiplied by {factor:.6g} to meet the "
        f"total of {total:,.0f} asked for"
    )


def _clutter(terrain: Raster, population_file: Path, grid: Grid) -> tuple[Raster, str]:
    """Return land cover classes derived from terrain and population, and the rule.

    Neither resolves a village, so the rule is kept plain: it tells settled land,
    open land and wooded hills apart and nothing finer.
    """
    heights = _resampled(terrain, grid)
    with rasters.opened(population_file) as dataset:
        pixel_km2 = _pixel_area_km2(dataset)
    density = rasters.read(population_file, grid, "nearest").values / pixel_km2
    codes = np.full(grid.shape, cover.CROP, dtype=np.uint8)
    codes[heights >= SCRUB_M] = cover.SHRUB
    settled, town, dense = SETTLED_DENSITY_KM2
    codes[density >= settled] = cover.VILLAGE
    codes[density >= town] = cover.TOWN
    codes[density >= dense] = cover.DENSE_URBAN
    codes[heights >= WOODED_M] = cover.TREE
    codes[np.isnan(heights)] = cover.NO_DATA
    rule = (
        f"Rule: open fields; scrub from {SCRUB_M:g} m and forest from {WOODED_M:g} m of terrain; "
        f"below that village, town, dense town from {settled:,.0f}, {town:,.0f} and {dense:,.0f} "
        "people per km2 of the population raster. Limits: villages smaller than its pixels (1 km) "
        "are not placed one by one, water is not told apart. The lowest density is set so that "
        "about a sixth of the plain counts as settled, the land its people take at 190 m2 each. "
        "Import a finer land cover (such as ESA WorldCover) before drawing conclusions about "
        "single places"
    )
    return Raster(grid, codes), rule


def _pixel_area_km2(dataset: rasterio.DatasetReader) -> float:
    """Return the area on the ground of a pixel in the middle of a raster."""
    width, height = dataset.res
    left, bottom, right, top = dataset.bounds
    x, y = 0.5 * (left + right), 0.5 * (bottom + top)
    corners = shapely.get_coordinates(shapely.box(x, y, x + width, y + height))
    to_degrees = pyproj.Transformer.from_crs(dataset.crs, "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(corners[:, 0], corners[:, 1])
    area_m2, _ = pyproj.Geod(ellps="WGS84").polygon_area_perimeter(lon, lat)
    return abs(float(area_m2)) / 1e6


def _resampled(raster: Raster, grid: Grid) -> NDArray[np.float32]:
    values = np.full(grid.shape, np.nan, np.float32)
    rasterio.warp.reproject(
        raster.values,
        values,
        src_transform=raster.grid.transform,
        src_crs=raster.grid.crs,
        src_nodata=np.nan,
        dst_transform=grid.transform,
        dst_crs=grid.crs,
        dst_nodata=np.nan,
        resampling=Resampling.bilinear,
    )
    return values


def _roads_within(roads: gpd.GeoDataFrame, crs: str, grid: Grid) -> gpd.GeoDataFrame:
    """Return the parts of roads inside a frame."""
    inside = roads.to_crs(crs)
    inside = inside[inside.geometry.intersects(shapely.box(*grid.bounds))]
    inside = inside.assign(geometry=inside.geometry.intersection(shapely.box(*grid.bounds)))
    return inside[inside.geometry.length > 0.0].reset_index(drop=True)


#: The study areas that can be built, by name.
AREAS: dict[str, Area] = {
    area.name: area
    for area in (
        Area("demo", "Hà Nam – minh họa", "Hà Nam – illustrative", _prepare_demo),
        Area("hanam", "Hà Nam", "Hà Nam", _prepare_hanam),
    )
}
