"""Small study areas for fibre design that need no files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from data.area import Provenance, StudyAreaInfo

CRS = "EPSG:32648"
X, Y = 600_000.0, 2_260_000.0


class MemoryArea:
    """What a design reads of a workspace, from frames."""

    def __init__(self, folder: Path, **layers: gpd.GeoDataFrame) -> None:
        self.folder = folder
        self.layers = {name: frame for name, frame in layers.items() if frame is not None}
        self.layers.setdefault("zones", zones())
        self.area = StudyAreaInfo("small", "Nhỏ", "Small", CRS, True, 100.0)

    def has(self, name: str) -> bool:
        return name in self.layers

    def read(self, name: str) -> gpd.GeoDataFrame:
        return self.layers[name].copy()

    def provenance(self) -> dict[str, Provenance]:
        return {name: Provenance("test", illustrative=True) for name in self.layers}

    def content_hash(self, *names: str) -> str:
        return ",".join(names)


def at(x: float, y: float) -> tuple[float, float]:
    """Return a place of the area from metres off its corner."""
    return X + x, Y + y


def zones(size_m: float = 20_000.0) -> gpd.GeoDataFrame:
    """Return two communes side by side."""
    boxes = [
        shapely.box(X - size_m, Y - size_m, X + 250.0, Y + size_m),
        shapely.box(X + 250.0, Y - size_m, X + size_m, Y + size_m),
    ]
    return gpd.GeoDataFrame(
        {
            "code": ["W", "E"],
            "name": ["Tây", "Đông"],
            "name_en": ["West", "East"],
            "level": ["commune", "commune"],
            "parent_code": [None, None],
            "population": [1000.0, 2000.0],
            "households": [None, None],
            "area_km2": [None, None],
            "valid_from": [None, None],
            "valid_to": [None, None],
        },
        geometry=boxes,
        crs=CRS,
    )


def _lines(lines: list[list[tuple[float, float]]]) -> list[shapely.LineString]:
    return [shapely.LineString([at(*place) for place in line]) for line in lines]


def roads(*lines: list[tuple[float, float]], surface: Any = "dirt") -> gpd.GeoDataFrame:
    """Return roads along lines."""
    return gpd.GeoDataFrame(
        {
            "road_id": [f"R{k}" for k in range(len(lines))],
            "name": [None] * len(lines),
            "road_class": ["tertiary"] * len(lines),
            "surface": surface if isinstance(surface, list) else [surface] * len(lines),
        },
        geometry=_lines(list(lines)),
        crs=CRS,
    )


def segments(
    *lines: list[tuple[float, float]],
    kind: str = "duct",
    owner: str = "A",
    cores: int | None = None,
    used: int | None = None,
) -> gpd.GeoDataFrame:
    """Return stretches of fibre along lines."""
    count = len(lines)
    return gpd.GeoDataFrame(
        {
            "segment_id": [f"F{k}" for k in range(count)],
            "name": [None] * count,
            "segment_type": [kind] * count,
            "owner": [owner] * count,
            "status": ["existing"] * count,
            "cores": pd.array([cores] * count, dtype="Int64"),
            "cores_used": pd.array([used] * count, dtype="Int64"),
        },
        geometry=_lines(list(lines)),
        crs=CRS,
    )


def exchanges(*places: tuple[float, float], owner: str = "A") -> gpd.GeoDataFrame:
    """Return exchanges in service."""
    return gpd.GeoDataFrame(
        {
            "node_id": [f"N{k}" for k in range(len(places))],
            "node_type": ["olt"] * len(places),
            "owner": [owner] * len(places),
            "name": [None] * len(places),
            "status": ["existing"] * len(places),
        },
        geometry=gpd.points_from_xy(*zip(*(at(*place) for place in places), strict=True)),
        crs=CRS,
    )


def sites(*places: tuple[float, float], weight: list[float] | None = None) -> gpd.GeoDataFrame:
    """Return sites."""
    return gpd.GeoDataFrame(
        {
            "site_id": [f"S{k}" for k in range(len(places))],
            "name": [f"site {k}" for k in range(len(places))],
            "weight": weight or [1.0] * len(places),
        },
        geometry=gpd.points_from_xy(*zip(*(at(*place) for place in places), strict=True)),
        crs=CRS,
    )
