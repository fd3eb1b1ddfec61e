"""VN-2000, the national grid of Vietnam: a zone for every province.

Surveys of a province use a Transverse Mercator zone of 3 degrees with the
central meridian that Circular 973/2001/TT-TCĐC (annex) and its successor
25/2014/TT-BTNMT give the province; maps of the whole country use zones of 6
degrees. EPSG has a code for each of these zones. The two kinds differ in the
scale on the central meridian, 0.9999 and 0.9996; false easting 500 km in both.

The provinces are those from before the mergers of July 2025, as surveys made
until then name them.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Sequence
from pathlib import Path

import pyproj
import pyproj.exceptions
from pyproj.crs import BoundCRS
from pyproj.crs.coordinate_operation import ToWGS84Transformation

from data.errors import InputError
from data.importers.text_forms import bare

_TABLE = Path(__file__).with_name("vn2000_provinces.csv")

#: EPSG codes of the zones of 3 degrees by central meridian. [degrees]
ZONES_3_DEG = {
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

#: EPSG codes of the zones of 6 degrees by central meridian. [degrees]
ZONES_6_DEG = {105.0: 3405, 111.0: 3406}

#: Official seven parameters from VN-2000 to WGS 84 (decision 05/2007/QĐ-BTNMT; EPSG:6960):
#: shifts [m], rotations [arc seconds] in the position vector convention of PROJ's
#: ``towgs84``, scale [ppm].
TO_WGS84 = (
    -191.90441429,
    -39.30318279,
    -111.45032835,
    0.00928836,
    -0.01975479,
    0.00427372,
    0.252906278,
)

_DATUM = 4756
"""EPSG code of VN-2000 in degrees."""

_OTHER_NAMES = {
    "tp ho chi minh": "ho chi minh",
    "tphcm": "ho chi minh",
    "hcm": "ho chi minh",
    "sai gon": "ho chi minh",
    "ba ria vung tau": "ba ria vung tau",
    "vung tau": "ba ria vung tau",
    "hue": "thua thien hue",
    "dac lac": "dak lak",
    "daklak": "dak lak",
    "daknong": "dak nong",
}


@functools.cache
def provinces() -> dict[str, float]:
    """Return the central meridian of each province.

    Returns
    -------
    dict
        Province to longitude. [degrees]
    """
    with _TABLE.open(encoding="utf-8", newline="") as table:
        return {row["province"]: _degrees(row["central_meridian"]) for row in csv.DictReader(table)}


def crs(zone: str) -> str:
    """Return the CRS of a zone of VN-2000.

    Parameters
    ----------
    zone
        A province ("Hà Nam", "hanam"), a central meridian ("105-30", "105.5",
        "105°30'"), or a zone of 6 degrees ("48N", "49N").

    Returns
    -------
    str
        EPSG code, or a PROJ string where EPSG has none for the meridian.

    Raises
    ------
    InputError
        If there is no such zone.

    Examples
    --------
    >>> crs("Hà Nam"), crs("105-30"), crs("48N")
    ('EPSG:5897', 'EPSG:9209', 'EPSG:3405')
    """
    utm = re.fullmatch(r"(?:utm\s*)?(48|49)\s*n?", zone.strip(), re.IGNORECASE)
    if utm:
        return f"EPSG:{ZONES_6_DEG[105.0 if utm.group(1) == '48' else 111.0]}"
    meridian = _degrees(zone) if re.match(r"\s*\d{3}", zone) else _of_province(zone)
    if meridian in ZONES_3_DEG:
        return f"EPSG:{ZONES_3_DEG[meridian]}"
    if not 101.0 <= meridian <= 112.0:
        raise _unknown(zone)
    shifts = ",".join(str(value) for value in TO_WGS84)
    return (
        f"+proj=tmerc +lat_0=0 +lon_0={meridian:.10g} +k=0.9999 +x_0=500000 +y_0=0 +ellps=WGS84 "
        f"+towgs84={shifts} +units=m +no_defs +type=crs"
    )


def parsed(text: str) -> str:
    """Return a CRS that a user names, which may be a zone of VN-2000.

    Parameters
    ----------
    text
        ``vn2000:ZONE`` (see `crs`), or what PROJ knows, such as EPSG:4326.

    Returns
    -------
    str
        Text that PROJ knows.

    Raises
    ------
    InputError
        If it is not known.
    """
    start, colon, zone = text.partition(":")
    if colon and bare(start).replace(" ", "") == "vn2000":
        return crs(zone)
    try:
        found = pyproj.CRS(text)
    except pyproj.exceptions.CRSError as error:
        raise InputError(
            "{crs} is not a coordinate reference system that is known (expected e.g. EPSG:4326 or "
            "vn2000:hanam)",
            crs=text,
        ) from error
    authority = found.to_authority()
    return ":".join(authority) if authority else text


def official(code: str, target: str) -> str:
    """Return a CRS on the datum of VN-2000 with the official way to WGS 84.

    PROJ knows two sets of parameters, with the same stated accuracy of 1 m, and
    takes one or the other by place; in the south they differ by 0.8 m.

    Parameters
    ----------
    code
        CRS of the places.
    target
        CRS that they are transformed to.

    Returns
    -------
    str
        The CRS with `TO_WGS84`; `code` where it is on another datum, or the
        target is on the same.
    """
    source = pyproj.CRS(code)
    on_vn2000 = [
        crs.geodetic_crs is not None and crs.geodetic_crs.to_epsg() == _DATUM
        for crs in (source, pyproj.CRS(target))
    ]
    if on_vn2000 != [True, False] or source.geodetic_crs is None:
        return code
    way = ToWGS84Transformation(source.geodetic_crs, *TO_WGS84)
    return str(BoundCRS(source, "EPSG:4326", way).to_wkt())


def named(code: str) -> str:
    """Return a short name of a CRS, for people.

    Parameters
    ----------
    code
        As `crs` returns it, or any other.

    Returns
    -------
    str
        E.g. ``"VN-2000 105°30' (EPSG:9209)"``.
    """
    for width, zones in ((3, ZONES_3_DEG), (6, ZONES_6_DEG)):
        for meridian, number in zones.items():
            if code == f"EPSG:{number}":
                minutes = round((meridian % 1) * 60)
                return f"VN-2000 {width}° {int(meridian)}°{minutes:02d}' ({code})"
    return code if len(code) < 60 else str(pyproj.CRS(code).name)


def candidates() -> Sequence[str]:
    """Return the CRSs of all zones, those of 3 degrees first."""
    codes = (*ZONES_3_DEG.values(), *ZONES_6_DEG.values())
    return [f"EPSG:{code}" for code in codes]


def _degrees(text: str) -> float:
    parts = re.fullmatch(
        r"\s*(\d{3}(?:[.,]\d+)?)(?:\s*[-°d:\s]\s*(\d{1,2})\s*['′]?)?\s*", text.strip(" E°")
    )
    if not parts or (parts.group(2) and int(parts.group(2)) >= 60):
        raise _unknown(text)
    return float(parts.group(1).replace(",", ".")) + int(parts.group(2) or 0) / 60


def _of_province(name: str) -> float:
    plain = re.sub(r"^(tinh|thanh pho|tp|province of|city of)\s+", "", bare(name))
    plain = _OTHER_NAMES.get(plain, plain)
    for province, meridian in provinces().items():
        if plain.replace(" ", "") == bare(province).replace(" ", ""):
            return meridian
    raise _unknown(name)


def _unknown(zone: str) -> InputError:
    return InputError(
        "There is no zone {zone} of VN-2000 (expected a province such as hanam, a central meridian "
        "such as 105-30, or 48N or 49N)",
        zone=zone,
    )
