"""What a study area is made from, whatever source it was read from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd

from data.area import Provenance


@dataclass(frozen=True, eq=False)
class VectorSource:
    """A layer as read, in the source's CRS.

    Parameters
    ----------
    frame
        The layer with the columns of its schema.
    provenance
        Where it came from.
    """

    frame: gpd.GeoDataFrame
    provenance: Provenance


@dataclass(frozen=True)
class RasterSource:
    """A raster file that GDAL reads, in any CRS.

    Parameters
    ----------
    path
        The file.
    provenance
        Where it came from.
    """

    path: Path
    provenance: Provenance


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    str
        In hexadecimal.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
