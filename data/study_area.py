"""From boundaries to a study area: metric CRS and outline."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon

from data.errors import InputError
from data.schema import LEVELS
from data.vintages import newest

#: EPSG codes of VN-2000 / TM-3 by central meridian in degrees east.
VN2000_TM3_EPSG: dict[float, int] = {
    102.0: 5896,
    103.0: 9205,
    104.0: 9206,
    104.5: 9207,
    104.75: 9208,
    105.0: 5897,
    105.5: 9209,
    105.75: 9210,
    106.0: 9211,
    106.25: 9212,
    106.5: 9213,
    107.0: 9214,
    107.25: 9215,
    107.5: 9216,
    107.75: 5899,
    108.0: 5898,
    108.25: 9217,
    108.5: 9218,
}

#: Central meridian that a province works in, by its code before 2025. From
#: general knowledge and not verified: a default to be checked with the
#: province's land office, never chosen without asking.
VN2000_PROVINCE_MERIDIAN_DEG: dict[str, float] = {
    "01": 105.0,  # Hà Nội
    "17": 106.0,  # Hòa Bình
    "33": 105.5,  # Hưng Yên
    "34": 105.5,  # Thái Bình
    "35": 105.0,  # Hà Nam
    "36": 105.5,  # Nam Định
    "37": 105.0,  # Ninh Bình
}

#: Vietnam's mainland, roughly: where VN-2000 is offered. [deg]
_VIETNAM_BOX = (102.0, 8.0, 110.0, 23.6)


@dataclass(frozen=True)
class CrsOption:
    """A CRS that a planner can choose for an area.

    Parameters
    ----------
    crs
        E.g. ``"EPSG:32648"``.
    name
        Its name in the EPSG register.
    note
        Why it is offered.
    """

    crs: str
    name: str
    note: str


def utm_crs(lon: float, lat: float) -> str:
    """Return the UTM zone of a place.

    Parameters
    ----------
    lon, lat
        Coordinates, WGS 84. [deg]

    Returns
    -------
    str
        E.g. ``"EPSG:32648"``.

    Raises
    ------
    InputError
        If the place lies beyond the reach of UTM (80°S to 84°N).

    Examples
    --------
    >>> utm_crs(105.9, 20.5), utm_crs(-70.6, -33.4)
    ('EPSG:32648', 'EPSG:32719')
    """
    if not (-180.0 <= lon <= 180.0 and -80.0 <= lat <= 84.0):
        raise InputError(
            "Longitude {lon}, latitude {lat} is not a place in a UTM zone (expected longitude "
            "from -180 to 180 and latitude from -80 to 84 degrees)",
            lon=lon,
            lat=lat,
        )
    zone = min(60, int((lon + 180.0) // 6.0) + 1)
    return f"EPSG:{(32600 if lat >= 0.0 else 32700) + zone}"


def lonlat_bounds(
    boundaries: gpd.GeoDataFrame | gpd.GeoSeries,
) -> tuple[float, float, float, float]:
    """Return the extent of boundaries in degrees, also where they cross the antimeridian.

    Parameters
    ----------
    boundaries
        In any CRS. In degrees, longitudes may run on beyond 180 or start again at -180.

    Returns
    -------
    tuple
        West, south, east, north in WGS 84, of all ways round the Earth the
        shortest; west is from -180 to 180 and east is greater, so that it exceeds
        180 where the area crosses the antimeridian. [deg]

    Raises
    ------
    InputError
        If there are no boundaries or they have no CRS.

    Examples
    --------
    >>> fiji = gpd.GeoSeries([shapely.box(177, -19, 180, -16), shapely.box(-180, -19, -178, -16)])
    >>> lonlat_bounds(fiji.set_crs(4326))
    (177.0, -19.0, 182.0, -16.0)
    """
    if boundaries.crs is None:
        raise InputError("The boundaries have no CRS, so no place on Earth")
    shapes = boundaries.geometry.to_crs("EPSG:4326").to_numpy()
    parts = shapely.get_parts(shapes[~shapely.is_missing(shapes) & ~shapely.is_empty(shapes)])
    if len(parts) == 0:
        raise InputError("There are no boundaries, so there is no area")
    wide = np.flatnonzero(np.ptp(shapely.bounds(parts)[:, [0, 2]], axis=1) > 180.0)
    for k in wide:  # from metres back to degrees, a part jumps from 180 to -180
        parts[k] = shapely.transform(parts[k], _eastwards)
    box = shapely.bounds(parts)
    order = np.argsort(box[:, 0] % 360.0, kind="stable")
    west = box[order, 0] % 360.0
    reach = np.maximum.accumulate(west + (box[order, 2] - box[order, 0]))
    gap = np.append(west[1:], west[0] + 360.0) - reach
    after = int(np.argmax(gap))
    if gap[after] <= 0.0:
        return -180.0, float(box[:, 1].min()), 180.0, float(box[:, 3].max())
    start = float(west[(after + 1) % len(west)])
    width = 360.0 - float(gap[after])
    start = start - 360.0 if start >= 180.0 else start
    return (
        round(start, 9),
        float(box[:, 1].min()),
        round(start + width, 9),
        float(box[:, 3].max()),
    )


def _eastwards(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([coordinates[:, 0] % 360.0, coordinates[:, 1]])


def _centre(boundaries: gpd.GeoDataFrame | gpd.GeoSeries) -> tuple[float, float]:
    west, south, east, north = lonlat_bounds(boundaries)
    middle = 0.5 * (west + east)
    return middle - 360.0 if middle > 180.0 else middle, 0.5 * (south + north)


#: Latitudes beyond which the polar CRSs take over from UTM. [deg]
_UTM_NORTH, _UTM_SOUTH = 84.0, -80.0


def metric_crs(boundaries: gpd.GeoDataFrame | gpd.GeoSeries) -> str:
    """Return the CRS in which an area is computed by default.

    Parameters
    ----------
    boundaries
        Zones in any CRS.

    Returns
    -------
    str
        UTM zone of the middle of the boundaries' extent; UPS (polar stereographic)
        where the middle lies beyond 84°N or 80°S.

    Raises
    ------
    InputError
        If there are no boundaries or they have no CRS.
    """
    return _crs_at(*_centre(boundaries))


def _crs_at(lon: float, lat: float) -> str:
    if lat > _UTM_NORTH:
        return "EPSG:5041"
    if lat < _UTM_SOUTH:
        return "EPSG:5042"
    return utm_crs(lon, lat)


def crs_options(
    boundaries: gpd.GeoDataFrame | gpd.GeoSeries, province_code: str | None = None
) -> list[CrsOption]:
    """Return the CRSs offered for an area, the default first.

    Parameters
    ----------
    boundaries
        Zones in any CRS.
    province_code
        Code of a Vietnamese province, to offer the zone it is known to use.

    Returns
    -------
    list of CrsOption
        UTM; in Vietnam also VN-2000 / UTM, the province's VN-2000 / TM-3 zone
        (from a table that is not verified) or the one with the nearest meridian.
    """
    lon, lat = _centre(boundaries)

    def option(crs: str, note: str) -> CrsOption:
        return CrsOption(crs, pyproj.CRS(crs).name, note)

    options = [option(_crs_at(lon, lat), "local UTM zone; the default")]
    west, south, east, north = _VIETNAM_BOX
    if not (west <= lon <= east and south <= lat <= north):
        return options
    options.append(
        option("EPSG:3405" if lon < 108.0 else "EPSG:3406", "national system VN-2000, 6° zone")
    )
    known = VN2000_PROVINCE_MERIDIAN_DEG.get(province_code or "")
    if known is not None:
        note = "VN-2000, 3° zone of the province; not verified, ask the land office"
        options.append(option(f"EPSG:{VN2000_TM3_EPSG[known]}", note))
    nearest = min(VN2000_TM3_EPSG, key=lambda meridian: abs(meridian - lon))
    if nearest != known:
        note = "VN-2000, 3° zone with the nearest central meridian"
        options.append(option(f"EPSG:{VN2000_TM3_EPSG[nearest]}", note))
    return options


def finest_level(zones: gpd.GeoDataFrame) -> str:
    """Return the finest administrative level that is there.

    Parameters
    ----------
    zones
        Layer `zones`.

    Returns
    -------
    str
        ``"commune"``, ``"district"`` or ``"province"``.

    Raises
    ------
    InputError
        If there are no zones.
    """
    present = set(zones["level"])
    for level in reversed(LEVELS):
        if level in present:
            return level
    raise InputError("There are no zones, so there is no area")


def finest_zones(zones: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the finest zones, in their newest vintage: the zones of a level that lie side by side.

    Parameters
    ----------
    zones
        Layer `zones`.

    Returns
    -------
    GeoDataFrame
        Rows of `zones` with their index.

    Raises
    ------
    InputError
        If there are no zones.
    """
    return newest(zones, finest_level(zones))


def area_outline(zones: gpd.GeoDataFrame) -> MultiPolygon:
    """Return the outline of an area: the union of its finest zones.

    Figures of the finest zones then add up to those of the whole, which they do
    not if the outline comes from another source. Of several vintages the newest
    counts.

    Parameters
    ----------
    zones
        Layer `zones`.

    Returns
    -------
    shapely.MultiPolygon
        The outline in the CRS of the zones.
    """
    union = shapely.union_all(finest_zones(zones).geometry.to_numpy())
    parts = [part for part in shapely.get_parts(union) if part.geom_type == "Polygon"]
    return MultiPolygon(parts)
