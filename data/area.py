"""Name and frame of a study area, and where its data came from."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import pyproj
import pyproj.exceptions

from data.errors import InputError


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class StudyAreaInfo:
    """Name and frame of a study area.

    Parameters
    ----------
    name
        Short name, e.g. ``"hanam"``.
    title_vi, title_en
        Title in Vietnamese and English.
    crs
        Metric CRS in which all layers are stored, e.g. ``"EPSG:32648"``.
    illustrative
        Whether the area is generated rather than real.
    resolution_m
        Default pixel size of results. [m]
    bounds
        x_min, y_min, x_max, y_max in `crs`; None to take the zones' bounds. [m]
    """

    name: str
    title_vi: str
    title_en: str
    crs: str
    illustrative: bool
    resolution_m: float
    bounds: tuple[float, float, float, float] | None = None

    def __post_init__(self) -> None:
        try:
            crs = pyproj.CRS(self.crs)
        except pyproj.exceptions.CRSError as error:
            raise InputError("There is no CRS {crs}", crs=self.crs) from error
        if not crs.is_projected or any(axis.unit_name != "metre" for axis in crs.axis_info[:2]):
            raise InputError(
                "The CRS {crs} is not in metres; a study area needs a projected CRS in metres, "
                "such as UTM",
                crs=self.crs,
            )
        if not self.resolution_m > 0:
            raise InputError(
                "The resolution is {value} m, but it must be greater than 0",
                value=self.resolution_m,
            )


@dataclass(frozen=True)
class Provenance:
    """Where a layer or raster came from.

    Parameters
    ----------
    source
        Who made it.
    licence
        Terms of use.
    vintage
        The time that it describes.
    url_or_file
        Address or file name.
    sha256
        Of that file.
    retrieved_at
        When it was read; ISO 8601, UTC.
    method
        What was done to it.
    illustrative
        Whether it is generated rather than observed.
    """

    source: str
    licence: str = ""
    vintage: str = ""
    url_or_file: str = ""
    sha256: str = ""
    retrieved_at: str = field(default_factory=_now)
    method: str = ""
    illustrative: bool = False
