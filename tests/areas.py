"""Small generated study areas for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data.area import Provenance, StudyAreaInfo
from data.demo import generator
from data.store import Workspace


def small_area(**changes: Any) -> generator.GeneratedArea:
    """Return an area of 6 km x 6 km with 3 communes and 5 masts."""
    wanted: dict[str, Any] = {
        "n_communes": 3,
        "extent_km": 6.0,
        "n_masts": 5,
        "margin_m": 2000.0,
        "share_above_50_m": 0.2,
    }
    return generator.generate(11, **(wanted | changes))


def write_area(
    folder: Path, area: generator.GeneratedArea, *, without: tuple[str, ...] = (), **layers: Any
) -> Workspace:
    """Write an area as a workspace, without some layers or with others in their place."""
    content = {k: v for k, v in (area.layers | layers).items() if k not in without}
    rasters = {k: v for k, v in area.rasters.items() if k not in without}
    rasters |= {k: content.pop(k) for k in list(content) if k in area.rasters}
    provenance = {name: Provenance("test", illustrative=True) for name in (*content, *rasters)}
    info = StudyAreaInfo("test", "Thử", "Test", area.zones.crs.to_string(), True, 100.0)
    return Workspace.replace(folder, info, content, provenance, rasters=rasters)
