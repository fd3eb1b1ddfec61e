"""Generate a whole study area from a seed: zones, rasters, roads, villages, masts and networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry import MultiPolygon, Polygon

from data.demo.areas import AreaSpec, hanam_spec, plain_spec
from data.demo.boundaries import partition_by_area
from data.demo.dedicated_network import make_dedicated_network
from data.demo.fibre import make_fibre
from data.demo.landscape import make_landscape
from data.demo.network import make_cells, make_masts
from data.demo.settlements import (
    make_land_cover,
    make_people,
    make_places,
    make_roads,
    make_towns,
)
from data.grid import Grid, Raster

#: Seed of the area that everybody gets.
DEFAULT_SEED = 20_250_701

#: Pixel size of terrain and clutter, and of the population raster. [m]
TERRAIN_RESOLUTION_M = 50.0
POPULATION_RESOLUTION_M = 100.0

#: How far terrain and clutter reach beyond the outline. [m]
MARGIN_M = 6_000.0


@dataclass(frozen=True, eq=False)
class GeneratedArea:
    """A generated study area; nothing in it is observed.

    Parameters
    ----------
    spec
        What was asked for.
    seed
        Seed of all its randomness.
    zones, masts, villages, roads
        Layers as `data.schema` declares them.
    cells
        Layer `cells`.
    fibre_segments, fibre_nodes
        Layers of the fibre network.
    network_sites, network_links
        Layers of the dedicated data network.
    terrain, clutter, population
        Rasters: heights [m], class codes (0 = no data), people per pixel.
    """

    spec: AreaSpec
    seed: int
    zones: gpd.GeoDataFrame
    masts: gpd.GeoDataFrame
    cells: pd.DataFrame
    villages: gpd.GeoDataFrame
    roads: gpd.GeoDataFrame
    fibre_segments: gpd.GeoDataFrame
    fibre_nodes: gpd.GeoDataFrame
    network_sites: gpd.GeoDataFrame
    network_links: pd.DataFrame
    terrain: Raster
    clutter: Raster
    population: Raster

    @property
    def layers(self) -> dict[str, pd.DataFrame]:
        """The layers by name, in an order in which they can be written."""
        return {
            "zones": self.zones,
            "masts": self.masts,
            "cells": self.cells,
            "villages": self.villages,
            "roads": self.roads,
            "fibre_segments": self.fibre_segments,
            "fibre_nodes": self.fibre_nodes,
            "network_sites": self.network_sites,
            "network_links": self.network_links,
        }

    @property
    def rasters(self) -> dict[str, Raster]:
        """The rasters by name."""
        return {
            "terrain": self.terrain,
            "clutter": self.clutter,
            "population": self.population,
        }


def _silent(_: float) -> None:
    return None


def generate(
    seed: int = DEFAULT_SEED,
    *,
    spec: AreaSpec | None = None,
    n_communes: int | None = None,
    extent_km: float = 10.0,
    n_masts: int | None = None,
    lon: float = 105.9,
    lat: float = 20.5,
    share_above_50_m: float = 0.1,
    resolution_m: float = TERRAIN_RESOLUTION_M,
    margin_m: float = MARGIN_M,
    on_progress: Callable[[float], None] = _silent,
) -> GeneratedArea:
    """Generate an area; the same arguments give the same area.

    Without `spec` and `n_communes` it is the illustrative Hà Nam; with
    `n_communes` a plain area of any size for tests and benchmarks.

    Parameters
    ----------
    seed
        Seed of all randomness.
    spec
        A full specification; the other numbers are then not used, except `n_masts`.
    n_communes
        Number of communes of a plain area.
    extent_km
        Side of a square of the same area as the plain area. [km]
    n_masts
        Number of masts; by default that of the spec, or 0.6 per km2.
    lon, lat
        Centre of the plain area, WGS 84. [deg]
    share_above_50_m
        Share of the plain area above 50 m.
    resolution_m
        Pixel size of terrain and clutter; must divide that of the population
        raster (100 m). [m]
    margin_m
        How far terrain and clutter reach beyond the outline. [m]
    on_progress
        Called with the share done, from the caller's thread.

    Returns
    -------
    GeneratedArea
        Layers and rasters in the spec's CRS.

    Examples
    --------
    >>> area = generate(1, n_communes=3, extent_km=6.0, n_masts=4)
    >>> len(area.masts), int(area.zones["population"].max())
    (4, 35640)
    """
    # One stream for each part, so that a change in one leaves the others as they are.
    streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(11)]
    if spec is None:
        if n_communes is None:
            spec = hanam_spec()
        else:
            spec = plain_spec(
                streams[0],
                n_communes=n_communes,
                extent_km=extent_km,
                n_masts=round(0.6 * extent_km**2) if n_masts is None else n_masts,
                share_above_50_m=share_above_50_m,
                lon=lon,
                lat=lat,
            )
    factor = max(1, round(POPULATION_RESOLUTION_M / resolution_m))
    population_resolution_m = factor * resolution_m

    communes = spec.communes
    polygons = partition_by_area(
        communes[["x_m", "y_m"]].to_numpy(float),
        communes["area_km2"].to_numpy(float) * 1e6,
        streams[1],
    )
    outline = Polygon(shapely.get_parts(shapely.coverage_union_all(polygons))[0].exterior)
    on_progress(0.1)

    x_min, y_min, x_max, y_max = outline.bounds
    frame = (x_min - margin_m, y_min - margin_m, x_max + margin_m, y_max + margin_m)
    # Aligned with the coarser grid, so that fine pixels divide coarse ones.
    outer = Grid.covering(frame, population_resolution_m, spec.crs)
    grid = Grid(
        spec.crs,
        outer.x_min,
        outer.y_max,
        float(resolution_m),
        outer.width * factor,
        outer.height * factor,
    )
    land = make_landscape(spec, outline, grid, streams[2])
    on_progress(0.3)
    towns = make_towns(spec, land)
    places = make_places(spec, polygons, land, towns, streams[3])
    on_progress(0.45)
    roads = make_roads(spec, outline, land, places, streams[4])
    on_progress(0.6)
    codes = make_land_cover(land, places, roads, streams[5])
    people_grid = Grid.covering(outline.bounds, population_resolution_m, spec.crs)
    people, per_commune, villages = make_people(
        spec, polygons, places, codes, grid, people_grid, streams[6]
    )
    on_progress(0.75)
    terrain = Raster(grid, land.height_m.astype(np.float32))
    clutter = Raster(grid, codes)
    population = Raster(people_grid, people)
    zones = _zones(spec, polygons, per_commune.astype(float))
    masts = make_masts(
        outline,
        terrain,
        population,
        clutter,
        count=spec.n_masts if n_masts is None else n_masts,
        crs=spec.crs,
        rng=streams[7],
        prefix=spec.mast_prefix,
        zones=zones[zones["level"] == "commune"].reset_index(drop=True),
    )
    cells = make_cells(masts, clutter, rng=streams[8])
    communes_drawn = zones[zones["level"] == "commune"].reset_index(drop=True)
    fibre = make_fibre(spec, communes_drawn, roads, villages, population, streams[9])
    network = make_dedicated_network(zones, streams[10], fibre_segments=fibre.segments)
    on_progress(1.0)
    return GeneratedArea(
        spec,
        seed,
        zones,
        masts,
        cells,
        villages,
        roads,
        fibre.segments,
        fibre.nodes,
        network.sites,
        network.links,
        terrain,
        clutter,
        population,
    )


def _zones(spec: AreaSpec, polygons: list[MultiPolygon], people: np.ndarray) -> gpd.GeoDataFrame:
    """Return the communes and, first, the province as their union."""
    union = shapely.coverage_union_all(polygons)
    shapes = [MultiPolygon(shapely.get_parts(union)), *polygons]
    communes = spec.communes
    count = len(communes)
    return gpd.GeoDataFrame(
        {
            "code": [spec.province_code, *communes["code"]],
            "name": [spec.province_vi, *communes["name"]],
            "name_en": [spec.province_en, *communes["name_en"]],
            "level": ["province", *["commune"] * count],
            "parent_code": [None, *[spec.province_code] * count],
            "population": [float(people.sum()), *people.tolist()],
            "households": [np.nan] * (count + 1),
            "area_km2": np.round(shapely.area(shapes) / 1e6, 6),
            "valid_from": [spec.valid_from] * (count + 1),
            "valid_to": [None] * (count + 1),
        },
        geometry=shapes,
        crs=spec.crs,
    )
