"""A small area whose masts stand near each other, for tests of sharing."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from coverage.request import CoverageRequest
from data.store import Workspace
from tests.areas import small_area, write_area

#: Quick to compute.
REQUEST = CoverageRequest(technologies=("3G", "4G"), radius_m=3000.0)


def workspace(folder: Path, masts: int = 12) -> Workspace:
    """Write an area in which neighbours of other owners are less than a kilometre away."""
    area = small_area(n_masts=masts)
    layers = {
        "masts": area.layers["masts"].assign(
            shareable=np.arange(masts) % 4 != 3, max_tenants=2 + np.arange(masts) % 2
        )
    }
    return write_area(folder, area, **layers)


def mast(mast_id: str, x: float, y: float, **columns: object) -> dict[str, object]:
    """Return a mast on the ground of 40 m."""
    return {
        "mast_id": mast_id,
        "name": mast_id,
        "owner": "A",
        "mast_class": "A2b",
        "height_m": 40.0,
        "status": "existing",
        "shareable": True,
        "max_tenants": 3.0,
        "x": x,
        "y": y,
    } | columns


def frame(masts: list[dict[str, object]], crs: str = "EPSG:32648") -> gpd.GeoDataFrame:
    """Return masts as a layer."""
    table = pd.DataFrame(masts)
    points = gpd.points_from_xy(table.pop("x"), table.pop("y"))
    return gpd.GeoDataFrame(table, geometry=points, crs=crs)


def cell(mast_id: str, operator: str, height: float = 39.0, **columns: object) -> dict[str, object]:
    """Return a cell of 4G, all round."""
    return {
        "cell_id": f"{mast_id}-{operator}",
        "mast_id": mast_id,
        "operator": operator,
        "technology": "4G",
        "band": "LTE 1800",
        "frequency_mhz": 1842.5,
        "bandwidth_mhz": 20.0,
        "power_dbm": 46.0,
        "antenna_gain_dbi": 16.0,
        "feeder_loss_db": 1.0,
        "azimuth_deg": None,
        "tilt_deg": 0.0,
        "antenna_height_m": height,
        "pattern": None,
        "load": 0.5,
    } | columns
