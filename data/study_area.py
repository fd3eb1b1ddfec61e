"""From boundaries to a study area: metric CRS and outline."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import pyproj
import shapely
from shapely.geometry import MultiPolygon

from data.errors import InputError
from data.schema import LEVELS

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


def _centre(boundaries: gpd.GeoDataFrame | gpd.GeoSeries) -> tuple[float, float]:
    if boundaries.crs is None:
        raise InputError("The boundaries have no CRS, so no place on Earth")
    if len(boundaries) == 0:
        raise InputError("There are no boundaries, so there is no area")
    x_min, y_min, x_max, y_max = boundaries.to_crs("EPSG:4326").total_bounds
    return 0.5 * (x_min + x_max), 0.5 * (y_min + y_max)


def metric_crs(boundaries: gpd.GeoDataFrame | gpd.GeoSeries) -> str:
    """Return the UTM zone in which an area is computed by default.

    Parameters
    ----------
    boundaries
        Zones in any CRS.

    Returns
    -------
    str
        UTM zone of the middle of the boundaries' extent.

    Raises
    ------
    InputError
        If there are no boundaries or they have no CRS.
    """
    return utm_crs(*_centre(boundaries))


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

    options = [option(utm_crs(lon, lat), "local UTM zone; the default")]
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


def area_outline(zones: gpd.GeoDataFrame) -> MultiPolygon:
    """Return the outline of an area: the union of its finest zones.

    Figures of the finest zones then add up to those of the whole, which they do
    not if the outline comes from another source.

    Parameters
    ----------
    zones
        Layer `zones`.

    Returns
    -------
    shapely.MultiPolygon
        The outline in the CRS of the zones.
    """
    finest = zones.loc[zones["level"] == finest_level(zones)]
    union = shapely.union_all(finest.geometry.to_numpy())
    parts = [part for part in shapely.get_parts(union) if part.geom_type == "Polygon"]
    return MultiPolygon(parts)
