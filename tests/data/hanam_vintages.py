"""The units of the real Hà Nam: districts of 2020, communes of 2020 (names) and of 2025."""

from __future__ import annotations

from functools import cache

import geopandas as gpd
import pandas as pd

from data import vintages
from tests.vectors import shared_path


@cache
def _zones() -> gpd.GeoDataFrame:
    file = shared_path("data/hanam_admin.gpkg")
    old = gpd.read_file(file, layer="adm2_hanam_2020").to_crs("EPSG:32648")
    new = gpd.read_file(file, layer="adm3_hanam_2025").to_crs("EPSG:32648")
    districts = old[["geometry"]].assign(
        code=old["adm2_code"],
        name=old["adm2_name"],
        level="district",
        parent_code=None,
        valid_from="2020-01-01",
        valid_to="2025-06-30",
    )
    communes = new[["geometry"]].assign(
        code=new["adm3_code"],
        name=new["adm3_name"],
        level="commune",
        parent_code=None,
        valid_from="2025-07-01",
        valid_to=None,
        district_2020=new["adm2_2020_code"],
        merged_from=new["merged_from"],
    )
    return gpd.GeoDataFrame(pd.concat([districts, communes], ignore_index=True), crs=old.crs)


def zones() -> gpd.GeoDataFrame:
    """Return 6 districts until 30 June 2025 and the 33 communes since, as layer `zones`."""
    return _zones().copy()


def former_zones() -> pd.DataFrame:
    """Return the 109 communes of 2020, as layer `former_zones`."""
    path = shared_path("data/hanam_communes_2020_list.csv")
    return vintages.former_zones_from_list(path, zones=zones())
