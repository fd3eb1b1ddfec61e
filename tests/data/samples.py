"""Small valid layers, rasters and workspaces for the tests of `data`."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely.geometry import LineString, Point, box

from data.grid import Grid, Raster
from data.store import Provenance, StudyAreaInfo, Workspace

CRS = "EPSG:32648"
X, Y = 600_000.0, 2_260_000.0
AREA = StudyAreaInfo("thu", "Vùng thử", "Test area", CRS, False, 100.0)
MADE_UP = Provenance("generator", "CC0", "2026", method="generated", illustrative=True)
REAL = Provenance("Sở Thông tin", "CC BY 4.0", "2026", "tệp.gpkg", "00", "2026-01-01T00:00:00Z")


def zones() -> gpd.GeoDataFrame:
    """Return a province of two communes, 10 km x 5 km."""
    return gpd.GeoDataFrame(
        {
            "code": ["35", "101", "102"],
            "name": ["Hà Nam", "Phường Lê Hồng Phong", "Xã Thi Sơn"],
            "level": ["province", "commune", "commune"],
            "parent_code": [None, "35", "35"],
            "population": [3000.0, 1000.0, 2000.0],
        },
        geometry=[
            box(X, Y, X + 10_000, Y + 5_000),
            box(X, Y, X + 5_000, Y + 5_000),
            box(X + 5_000, Y, X + 10_000, Y + 5_000),
        ],
        crs=CRS,
    )


def masts(count: int = 3) -> gpd.GeoDataFrame:
    """Return masts in a row through the area."""
    return gpd.GeoDataFrame(
        {
            "mast_id": [f"M{k}" for k in range(count)],
            "name": [f"Cột số {k} – Đồng Văn" for k in range(count)],
            "owner": "Viettel",
            "mast_class": "A2b",
            "height_m": 42.0,
            "status": "existing",
            "shareable": True,
            "max_tenants": 3,
        },
        geometry=[Point(X + 9_000 * (k + 1) / (count + 1), Y + 2_500) for k in range(count)],
        crs=CRS,
    )


def cells(count: int = 6, mast_count: int = 3) -> pd.DataFrame:
    """Return three-sector 4G cells."""
    k = np.arange(count)
    return pd.DataFrame(
        {
            "cell_id": [f"C{i}" for i in k],
            "mast_id": [f"M{i % mast_count}" for i in k],
            "operator": "Viettel",
            "technology": "4G",
            "band": "LTE 1800",
            "frequency_mhz": 1850.0,
            "bandwidth_mhz": 20.0,
            "power_dbm": 46.0,
            "antenna_gain_dbi": 17.5,
            "feeder_loss_db": 1.5,
            "azimuth_deg": (k * 120.0) % 360,
            "tilt_deg": 4.0,
            "antenna_height_m": 36.0,
            "pattern": None,
            "load": 0.5,
        }
    )


def villages() -> gpd.GeoDataFrame:
    """Return one village in each commune."""
    return gpd.GeoDataFrame(
        {
            "village_id": ["V1", "V2"],
            "name": ["Thôn Đoài", "Thôn Thượng"],
            "zone_code": ["101", "102"],
            "population": [300.0, np.nan],
        },
        geometry=[Point(X + 1_000, Y + 1_000), Point(X + 8_000, Y + 4_000)],
        crs=CRS,
    )


def roads() -> gpd.GeoDataFrame:
    """Return one road."""
    line = LineString([(X, Y + 2_000), (X + 9_000, Y + 2_500)])
    return gpd.GeoDataFrame(
        {"road_id": ["R1"], "name": ["Quốc lộ 1A"], "road_class": ["trunk"], "surface": [None]},
        geometry=[line],
        crs=CRS,
    )


def former_zones() -> pd.DataFrame:
    """Return two communes that the communes of today were made of; one code is used again."""
    return pd.DataFrame(
        {
            "code": ["101", "103"],
            "name": ["Xã Phù Vân", "Thị trấn Quế"],
            "type": ["Xã", "Thị trấn"],
            "parent_code": ["35", "35"],
            "valid_from": "2020-01-01",
            "valid_to": "2025-06-30",
            "successor_codes": ["101;102", "102"],
        }
    )


def railways() -> gpd.GeoDataFrame:
    """Return one railway."""
    line = LineString([(X + 500, Y), (X + 900, Y + 4_500)])
    return gpd.GeoDataFrame(
        {"railway_id": ["S1"], "name": ["Đường sắt Bắc Nam"], "railway_class": [None]},
        geometry=[line],
        crs=CRS,
    )


def offices() -> gpd.GeoDataFrame:
    """Return the seats of both communes."""
    return gpd.GeoDataFrame(
        {
            "office_id": ["U1", "U2"],
            "name": ["UBND phường Lê Hồng Phong", None],
            "zone_code": ["101", "102"],
            "population_registered": [1200.0, np.nan],
        },
        geometry=[Point(X + 1_000, Y + 1_500), Point(X + 8_000, Y + 4_500)],
        crs=CRS,
    )


def neighbours() -> gpd.GeoDataFrame:
    """Return a district beside the area."""
    return gpd.GeoDataFrame(
        {
            "code": ["278"],
            "name": ["Huyện Thanh Oai"],
            "level": ["district"],
            "parent_code": ["01"],
        },
        geometry=[box(X, Y + 5_000, X + 10_000, Y + 9_000)],
        crs=CRS,
    )


def speed_tests() -> gpd.GeoDataFrame:
    """Return tests of fixed networks in one tile."""
    return gpd.GeoDataFrame(
        {
            "tile_id": ["fixed-2024Q4-1321100123210321"],
            "network": ["fixed"],
            "quarter": ["2024Q4"],
            "avg_d_mbps": [91.2],
            "avg_u_mbps": [80.5],
            "avg_lat_ms": [np.nan],
            "tests": [12],
            "devices": [7],
        },
        geometry=[box(X + 1_000, Y + 1_000, X + 1_600, Y + 1_600)],
        crs=CRS,
    )


def points_of_interest() -> gpd.GeoDataFrame:
    """Return a post office and a school without a name."""
    return gpd.GeoDataFrame(
        {
            "poi_id": ["n1", "w2"],
            "kind": ["post_office", "school"],
            "name": ["Bưu điện Phủ Lý", None],
            "operator": ["VNPost", None],
        },
        geometry=[Point(X + 1_000, Y + 1_000), Point(X + 2_000, Y + 1_500)],
        crs=CRS,
    )


def fibre_segments() -> gpd.GeoDataFrame:
    """Return a cable and a duct without one."""
    return gpd.GeoDataFrame(
        {
            "segment_id": ["F1", "F2"],
            "name": ["Tuyến cáp trục", None],
            "segment_type": ["aerial", "duct"],
            "owner": "VNPT",
            "status": "existing",
            "cores": [48.0, np.nan],
            "cores_used": [12.0, np.nan],
        },
        geometry=[
            LineString([(X + 500, Y + 2_030), (X + 4_000, Y + 2_225)]),
            LineString([(X + 4_000, Y + 2_225), (X + 8_000, Y + 2_447)]),
        ],
        crs=CRS,
    )


def fibre_nodes() -> gpd.GeoDataFrame:
    """Return an exchange and a splitter."""
    return gpd.GeoDataFrame(
        {
            "node_id": ["N1", "N2"],
            "name": ["Tổng đài Phủ Lý", None],
            "node_type": ["olt", "splitter"],
            "owner": "VNPT",
            "status": "existing",
            "ports": [np.nan, 16.0],
            "ports_used": [np.nan, 5.0],
            "pon_class": ["B+", None],
            "split_ratio": [np.nan, 32.0],
        },
        geometry=[Point(X + 500, Y + 2_030), Point(X + 4_000, Y + 2_225)],
        crs=CRS,
    )


def network_sites() -> gpd.GeoDataFrame:
    """Return a data centre, the seat of a commune and one to be connected."""
    return gpd.GeoDataFrame(
        {
            "site_id": ["S1", "S2", "S3"],
            "name": ["Trung tâm dữ liệu tỉnh", "UBND phường Lê Hồng Phong", "UBND xã Thi Sơn"],
            "agency": ["Sở Khoa học và Công nghệ", "UBND phường Lê Hồng Phong", None],
            "level": ["province", "commune", "commune"],
            "zone_code": ["35", "101", "102"],
            "address": [None, "Số 1 đường Lê Lợi", None],
            "role": ["hub", "access", "access"],
            "status": ["connected", "connected", "planned"],
            "connected_on": ["2019-05-01", "2021-03-15", None],
            "planned_on": [None, "2021-03-01", "2026-06-30"],
            "valid_from": [None, "2020-01-01", None],
            "valid_to": None,
            "lan": [True, True, False],
            "video_conference": [True, False, False],
            "bandwidth_mbps": [1000.0, 100.0, np.nan],
            "criticality": [5.0, 3.0, 2.0],
        },
        geometry=[Point(X + 700, Y + 2_000), Point(X + 1_000, Y + 1_500), Point(X + 8e3, Y + 4e3)],
        crs=CRS,
    )


def network_links() -> pd.DataFrame:
    """Return the two links of a seat and a planned one."""
    return pd.DataFrame(
        {
            "link_id": ["L1", "L2", "L3"],
            "from_site": ["S1", "S1", "S1"],
            "to_site": ["S2", "S2", "S3"],
            "provider": ["VNPT", "Viettel", None],
            "medium": ["fibre", "microwave", "fibre"],
            "ownership": ["leased", "own", None],
            "capacity_mbps": [200.0, 50.0, np.nan],
            "availability_percent": [99.9, 99.5, np.nan],
            "delay_ms": [2.0, 0.5, np.nan],
            "loss_percent": [0.01, np.nan, np.nan],
            "cost_month": [3_500_000.0, np.nan, np.nan],
            "status": ["existing", "existing", "planned"],
            "connected_on": ["2021-03-15", None, "2026-06-30"],
            "removed_on": [None, "2027-12-31", None],
            "route": ["F1;F2", None, "F1"],
        }
    )


LAYERS = {
    "zones": zones,
    "masts": masts,
    "cells": cells,
    "villages": villages,
    "roads": roads,
    "former_zones": former_zones,
    "railways": railways,
    "offices": offices,
    "neighbours": neighbours,
    "speed_tests": speed_tests,
    "points_of_interest": points_of_interest,
    "fibre_segments": fibre_segments,
    "fibre_nodes": fibre_nodes,
    "network_sites": network_sites,
    "network_links": network_links,
}

#: Layers of the sample workspace.
IN_WORKSPACE = ("zones", "masts", "cells", "villages", "roads")


def grid(resolution_m: float = 100.0, margin_m: float = 0.0) -> Grid:
    """Return a grid over the area."""
    bounds = (X - margin_m, Y - margin_m, X + 10_000 + margin_m, Y + 5_000 + margin_m)
    return Grid.covering(bounds, resolution_m, CRS)


def raster(value: float = 5.0, resolution_m: float = 100.0, margin_m: float = 0.0) -> Raster:
    """Return a raster of one value over the area."""
    frame = grid(resolution_m, margin_m)
    return Raster(frame, np.full(frame.shape, value, np.float32))


def workspace(folder: Path, *, source: Provenance = REAL) -> Workspace:
    """Return a workspace in which nothing is wrong."""
    return Workspace.replace(
        folder,
        AREA,
        {name: LAYERS[name]() for name in IN_WORKSPACE},
        dict.fromkeys([*IN_WORKSPACE, "terrain", "clutter", "population"], source),
        rasters={
            "terrain": raster(5.0, 100.0, 2_000.0),
            "clutter": raster(2.0),
            "population": raster(3000 / 5000, 100.0),
        },
    )
