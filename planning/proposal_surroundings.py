"""What is around a proposed site: its commune, other masts, offices and public places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from coverage.request import cells_of
from data.errors import InputError
from data.store import Workspace
from data.study_area import finest_zones
from planning import site_checks, site_rules, site_zones
from planning.site_request import SiteRequest
from planning.site_rules import Neighbour, Surroundings

#: How far masts and places are looked for; rules reach less far. [m]
REACH_M = 10_000.0

#: Most neighbours of each kind that are kept.
MOST = 50


@dataclass(frozen=True, eq=False)
class Place:
    """Where a site is.

    Parameters
    ----------
    x_m, y_m
        In the area's CRS. [m]
    lon, lat
        WGS 84. [deg]
    code, name
        Of the zone of the finest level.
    around
        What the rules look at.
    mast
        Row of the layer `masts` for antennas on a mast that is there, else None.
    present_cells
        Cells that hang on it already.
    """

    x_m: float
    y_m: float
    lon: float
    lat: float
    code: str
    name: str
    around: Surroundings
    mast: dict[str, Any] | None = None
    present_cells: tuple[dict[str, Any], ...] = ()

    def described(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "lon": self.lon,
            "lat": self.lat,
            "code": self.code,
            "name": self.name,
            "zone": self.around.zone,
            "masts": [_described(each) for each in self.around.masts[:5]],
            "places": [_described(each) for each in self.around.places[:10]],
        }


def _described(each: Neighbour) -> dict[str, Any]:
    return {"kind": each.kind, "name": each.name, "distance_m": each.distance_m}


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as dictionaries by column."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def look_around(workspace: Workspace, site: SiteRequest) -> Place:
    """Find out what is around a site.

    Parameters
    ----------
    workspace
        The study area.
    site
        The site.

    Returns
    -------
    Place
        For antennas on a mast, the place of the mast.

    Raises
    ------
    InputError
        If it lies outside the area, or there is no such mast.
    """
    masts = workspace.read("masts") if workspace.has("masts") else None
    mast = _mast(masts, site.mast_id) if site.kind == "share" else None
    lon, lat, x, y = _position(workspace, site, mast)
    zone = _zone_at(workspace, x, y)
    in_force = site_rules.rules(workspace.folder)
    here = gpd.GeoSeries.from_xy([lon], [lat], crs="EPSG:4326")
    own = site_zones.own_areas(workspace, here).get(0, ())
    kind = site_zones.site_zone(str(zone["name"]), own, in_force)
    cells = cells_of(workspace)
    present = () if mast is None else rows_of(cells[cells["mast_id"] == site.mast_id])
    others = [] if masts is None else _masts_near(masts, x, y, site.mast_id)
    places, known = _places_near(workspace, x, y)
    around = Surroundings(
        kind.zone, kind.camouflaged_areas, site_checks.nearest(others), places, known
    )
    row = None if mast is None else {str(name): value for name, value in mast.items()}
    return Place(x, y, lon, lat, str(zone["code"]), str(zone["name"]), around, row, tuple(present))


def _mast(masts: gpd.GeoDataFrame | None, mast_id: str) -> pd.Series:
    found = None if masts is None else masts[masts["mast_id"] == mast_id]
    if found is None or found.empty:
        raise InputError("There is no mast {mast}", mast=mast_id)
    return found.iloc[0]


def _position(
    workspace: Workspace, site: SiteRequest, mast: pd.Series | None
) -> tuple[float, float, float, float]:
    crs = workspace.area.crs
    if mast is not None:
        x, y = float(mast.geometry.x), float(mast.geometry.y)
        back = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
        lon, lat = back.transform(x, y)
        return float(lon), float(lat), x, y
    there = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = there.transform(site.lon, site.lat)
    return site.lon, site.lat, float(x), float(y)


def _zone_at(workspace: Workspace, x: float, y: float) -> pd.Series:
    zones = finest_zones(workspace.read("zones"))
    hits = zones[zones.geometry.intersects(shapely.Point(x, y))]
    if hits.empty:
        raise InputError(
            "The site lies outside the study area (expected a place within {area})",
            area=workspace.area.title_vi,
        )
    return hits.iloc[0]


def _masts_near(masts: gpd.GeoDataFrame, x: float, y: float, own: str) -> list[Neighbour]:
    near = masts_by_distance(masts[(masts["status"] != "removed")], x, y)
    near = near[(near["mast_id"] != own) & (near["distance_m"] <= REACH_M)].head(MOST)
    return [
        Neighbour("mast", _named(row, "mast_id"), float(row["distance_m"])) for row in rows_of(near)
    ]


def masts_by_distance(masts: gpd.GeoDataFrame, x: float, y: float) -> pd.DataFrame:
    """Return masts in order of their distance from a place.

    Parameters
    ----------
    masts
        Layer `masts`.
    x, y
        The place, in its CRS. [m]

    Returns
    -------
    pandas.DataFrame
        Without geometry, with columns distance_m [m], lon and lat [deg].
    """
    distance = np.hypot(masts.geometry.x - x, masts.geometry.y - y)
    order = np.argsort(distance.to_numpy(), kind="stable")
    degrees = masts.geometry.to_crs("EPSG:4326")
    plain = pd.DataFrame(masts.drop(columns=masts.active_geometry_name))
    plain = plain.assign(distance_m=distance, lon=degrees.x, lat=degrees.y)
    return plain.iloc[order].reset_index(drop=True)


def _places_near(
    workspace: Workspace, x: float, y: float
) -> tuple[tuple[Neighbour, ...], frozenset[str]]:
    """Return the places around, nearest first, and the kinds that the area's data have."""
    found: list[Neighbour] = []
    known: set[str] = set()
    for layer, key in (("offices", "office_id"), ("points_of_interest", "poi_id")):
        if not workspace.has(layer):
            continue
        places = workspace.read(layer)
        kinds = (
            places["kind"]
            if layer == "points_of_interest"
            else pd.Series(layer, index=places.index)
        )
        known |= set(kinds.dropna())
        near = masts_by_distance(places.assign(_kind=kinds), x, y)
        found += [
            Neighbour(str(row["_kind"]), _named(row, key), float(row["distance_m"]))
            for row in rows_of(near[near["distance_m"] <= REACH_M].head(MOST))
        ]
    return site_checks.nearest(found), frozenset(known)


def _named(row: dict[str, Any], key: str) -> str:
    name = row.get("name")
    return str(row[key]) if not isinstance(name, str) or not name else name
