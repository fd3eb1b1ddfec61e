"""Read the real Hà Nam from a folder of open-data files."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
import pyogrio.errors
import shapely

from data import rasters
from data.area import Provenance
from data.errors import InputError
from data.sources.ingredients import Ingredients, RasterSource, VectorSource, sha256_of

BOUNDARIES_FILE = "hanam_admin.gpkg"
TERRAIN_FILE = "hanam_srtm3_90m.tif"
POPULATION_FILE = "hanam_worldpop_2020_1km_unadj.tif"
LAND_COVER_FILE = "hanam_landcover_mcd12c1_2019_0p05deg.tif"
ROADS_FILE = "hanam_main_roads_rail_coarse.gpkg"

#: Files without which the area cannot be built.
REQUIRED_FILES = (BOUNDARIES_FILE, TERRAIN_FILE, POPULATION_FILE)

_COMMUNE_LAYER = "adm3_hanam_2025"
_DISTRICT_LAYER = "adm2_hanam_2020"

#: Code of the province of Hà Nam until 30 June 2025.
PROVINCE_CODE = "35"

#: Last day of the districts and of the province: Resolution 202/2025/QH15.
_LAST_DAY = "2025-06-30"
_FIRST_DAY_OF_COMMUNES = "2025-07-01"
_FIRST_DAY_OF_DISTRICTS = "2020-01-01"


def read_folder(folder: Path) -> Ingredients:
    """Read the files of a folder.

    Parameters
    ----------
    folder
        Holds `REQUIRED_FILES` and may hold `ROADS_FILE`.

    Returns
    -------
    Ingredients
        Layers and rasters with their provenance.

    Raises
    ------
    InputError
        If the folder or a required file is missing, or a file is not what its
        name says; the message names the file and what was expected.
    """
    if not folder.is_dir():
        raise InputError("There is no folder {folder} to build the area from", folder=folder)
    for name in REQUIRED_FILES:
        if not (folder / name).is_file():
            raise InputError(
                "{folder} holds no file {file}; to build Hà Nam it needs {expected}",
                folder=folder,
                file=name,
                expected=", ".join(REQUIRED_FILES),
            )
    notes = []
    if (folder / LAND_COVER_FILE).is_file():
        notes.append(
            f"{LAND_COVER_FILE} (MODIS MCD12C1) is not used: its pixels of 5.5 km would cut hills "
            "in half and put forest on fields"
        )
    roads = _roads(folder / ROADS_FILE) if (folder / ROADS_FILE).is_file() else None
    return Ingredients(
        zones=_zones(folder / BOUNDARIES_FILE),
        terrain=_terrain(folder / TERRAIN_FILE),
        population=_population(folder / POPULATION_FILE),
        roads=roads,
        notes=tuple(notes),
    )


def _read_layer(path: Path, layer: str | None, columns: tuple[str, ...]) -> gpd.GeoDataFrame:
    try:
        known = [str(name) for name, _ in pyogrio.list_layers(path)]
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise InputError(
            "{file} is not a GeoPackage or is damaged (expected a GeoPackage)", file=path.name
        ) from error
    if layer is None:
        layer = known[0] if known else ""
    if layer not in known:
        raise InputError(
            "{file} holds no layer {layer}; it holds {known}",
            file=path.name,
            layer=layer or "at all",
            known=", ".join(known) or "none",
        )
    try:
        frame = gpd.read_file(path, layer=layer)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise InputError("{file}, layer {layer}: damaged", file=path.name, layer=layer) from error
    for column in columns:
        if column not in frame.columns:
            raise InputError(
                "{file}, layer {layer}: column {column} is missing (expected {expected})",
                file=path.name,
                layer=layer,
                column=column,
                expected=", ".join(columns),
            )
    if frame.crs is None:
        raise InputError("{file}, layer {layer}: it has no CRS", file=path.name, layer=layer)
    if len(frame) == 0:
        raise InputError("{file}, layer {layer}: it holds no row", file=path.name, layer=layer)
    return frame


def _english(name: str, plain: str) -> str:
    kind = "ward" if name.startswith("Phường") else "commune"
    return f"{plain} {kind}"


def _zones(path: Path) -> VectorSource:
    communes = _read_layer(
        path,
        _COMMUNE_LAYER,
        ("adm3_code", "adm3_name", "nameEn", "adm2_2020_code", "area_km2_published"),
    ).sort_values("adm3_code", ignore_index=True)
    districts = _read_layer(path, _DISTRICT_LAYER, ("adm2_code", "adm2_name"))
    districts = districts.sort_values("adm2_code", ignore_index=True).to_crs(communes.crs)
    # The finest zones decide: their union is the province, so that figures add up.
    province = gpd.GeoDataFrame(
        {
            "code": [PROVINCE_CODE],
            "name": ["Tỉnh Hà Nam"],
            "name_en": ["Hà Nam province"],
            "level": ["province"],
            "parent_code": [None],
            "valid_from": [None],
            "valid_to": [_LAST_DAY],
        },
        geometry=[_polygons(shapely.union_all(communes.geometry.to_numpy()))],
        crs=communes.crs,
    )
    district_rows = gpd.GeoDataFrame(
        {
            "code": districts["adm2_code"].astype(str),
            "name": districts["adm2_name"],
            "name_en": None,
            "level": "district",
            "parent_code": PROVINCE_CODE,
            "valid_from": _FIRST_DAY_OF_DISTRICTS,
            "valid_to": _LAST_DAY,
        },
        geometry=districts.geometry,
        crs=communes.crs,
    )
    commune_rows = gpd.GeoDataFrame(
        {
            "code": communes["adm3_code"].astype(str),
            "name": communes["adm3_name"],
            "name_en": [
                _english(name, plain)
                for name, plain in zip(communes["adm3_name"], communes["nameEn"], strict=True)
            ],
            "level": "commune",
            "parent_code": PROVINCE_CODE,
            "valid_from": _FIRST_DAY_OF_COMMUNES,
            "valid_to": None,
            "district_2020": communes["adm2_2020_code"].astype(str),
            "area_km2_published": communes["area_km2_published"].astype(float),
        },
        geometry=communes.geometry,
        crs=communes.crs,
    )
    frame = gpd.GeoDataFrame(
        pd.concat([province, district_rows, commune_rows], ignore_index=True), crs=communes.crs
    )
    return VectorSource(
        frame,
        Provenance(
            source="Communes: thanglequoc/vietnamese-provinces-database, commit cd58063 (from "
            "sapnhap.bando.com.vn); districts: daohoangson/dvhcvn, commit 06b2321 (from "
            "gis.chinhphu.vn)",
            licence="Communes: MIT (repository); districts: GPL-3.0 (repository); the upstream "
            "government maps state no licence",
            vintage="33 communes and wards since 1 July 2025; 6 districts of 1 January 2020",
            url_or_file=path.name,
            sha256=sha256_of(path),
            method="The province is the union of the communes, so that figures of communes add "
            "up to it; the districts come from an older map that differs from it by about "
            "10 km2. Codes are re-used with other extents over the years: a code holds only "
            "together with valid_from and valid_to. The communes now belong to Ninh Bình (37); "
            "their parent here is the study area, the former Hà Nam (35)",
        ),
    )


def _polygons(geometry: shapely.Geometry) -> shapely.MultiPolygon:
    parts = shapely.get_parts(geometry)
    return shapely.MultiPolygon([part for part in parts if part.geom_type == "Polygon"])


def _check_raster(path: Path) -> None:
    with rasters.opened(path) as dataset:
        if dataset.crs is None:
            raise InputError("{file}: the raster has no CRS", file=path.name)
        if dataset.count != 1:
            raise InputError(
                "{file}: the raster has {count} bands (expected one)",
                file=path.name,
                count=dataset.count,
            )


def _terrain(path: Path) -> RasterSource:
    _check_raster(path)
    return RasterSource(
        path,
        Provenance(
            source="NASA SRTM 3 arc-seconds, void-filled tiles N20E105 and N20E106 (repository "
            "CerMany/UAV-Path-Planning-Software, commit 50af474)",
            licence="Public domain (NASA SRTM); repository MIT",
            vintage="February 2000",
            url_or_file=path.name,
            sha256=sha256_of(path),
        ),
    )


def _population(path: Path) -> RasterSource:
    _check_raster(path)
    return RasterSource(
        path,
        Provenance(
            source="WorldPop, people per 30 arc-seconds, 2020, adjusted to UN totals, "
            "DOI 10.5258/SOTON/WP00671",
            licence="CC BY 4.0",
            vintage="2020",
            url_or_file=path.name,
            sha256=sha256_of(path),
        ),
    )


_ROAD_CLASSES = {"Quốc Gia": "national", "Cấp Tỉnh": "provincial", "Cấp Huyện": "district"}


def _roads(path: Path) -> VectorSource:
    lines = _read_layer(path, None, ("gid", "ten", "loai_duong", "cap_duong"))
    lines = lines[lines["loai_duong"] != "Đường sắt"].reset_index(drop=True)
    number = lines.groupby("gid").cumcount() + 1
    name = lines["ten"].where(lines["ten"] != "Không biết", None)
    frame = gpd.GeoDataFrame(
        {
            "road_id": [f"gt_{gid}-{k}" for gid, k in zip(lines["gid"], number, strict=True)],
            "name": name,
            "road_class": lines["cap_duong"].map(_ROAD_CLASSES).fillna("other"),
            "surface": None,
        },
        geometry=lines.geometry,
        crs=lines.crs,
    )
    return VectorSource(
        frame,
        Provenance(
            source="CTU-SematX/LegoCity, opendata/giaothong, commit a1aabc7; origin of the lines "
            "not stated",
            licence="CC BY-SA 4.0 by the LICENSE file, CC BY 4.0 by its README",
            vintage="not stated",
            url_or_file=path.name,
            sha256=sha256_of(path),
            method="Roads only, the railway left out. Coarse: in Hà Nam only QL1A; not a network "
            "for routing",
        ),
    )
