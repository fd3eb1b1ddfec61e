"""Tell by its bytes whether a file is what was asked for."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path

from data.errors import Message, message
from data.sources.source import Item


class Kind(Enum):
    """What a file has to be; checked by its first bytes, and by its last where that is cheap."""

    ANY = "a file"
    JSON = "JSON"
    ZIP = "a zip archive"
    GZIP = "a gzip file"
    GEOTIFF = "a GeoTIFF"
    GPKG = "a GeoPackage"
    PARQUET = "a Parquet file"
    PBF = "an OSM PBF file"
    CSV = "a table of text"

    @property
    def said(self) -> Message:
        """The value as a message, so that it is translated."""
        return _SAID[self]


_SAID = {
    Kind.ANY: message("a file"),
    Kind.JSON: message("JSON"),
    Kind.ZIP: message("a zip archive"),
    Kind.GZIP: message("a gzip file"),
    Kind.GEOTIFF: message("a GeoTIFF"),
    Kind.GPKG: message("a GeoPackage"),
    Kind.PARQUET: message("a Parquet file"),
    Kind.PBF: message("an OSM PBF file"),
    Kind.CSV: message("a table of text"),
}

_MAGIC: dict[Kind, tuple[bytes, ...]] = {
    Kind.ZIP: (b"PK\x03\x04", b"PK\x05\x06"),
    Kind.GZIP: (b"\x1f\x8b",),
    Kind.GEOTIFF: (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    Kind.GPKG: (b"SQLite format 3\0",),
    Kind.PARQUET: (b"PAR1",),
}

_SUFFIXES = {
    ".json": Kind.JSON,
    ".geojson": Kind.JSON,
    ".zip": Kind.ZIP,
    ".kmz": Kind.ZIP,
    ".gz": Kind.GZIP,
    ".tif": Kind.GEOTIFF,
    ".tiff": Kind.GEOTIFF,
    ".gpkg": Kind.GPKG,
    ".parquet": Kind.PARQUET,
    ".pbf": Kind.PBF,
    ".csv": Kind.CSV,
}

PAGE = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)",
    re.IGNORECASE | re.DOTALL,
)


def wanted_kind(item: Item, kind: Kind | None) -> Kind:
    """Return the given kind, or the one that the name of the item tells."""
    return kind or _SUFFIXES.get(Path(item.key).suffix.lower(), Kind.ANY)


def starts_as(kind: Kind, start: bytes) -> bool:
    """Whether the first bytes of a file, 512 or more if it has so many, are of this kind."""
    if kind is Kind.ANY:
        return True
    if kind is Kind.JSON:
        return start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")
    if kind is Kind.CSV:
        return b"\0" not in start and start.lstrip()[:1] not in (b"{", b"<")
    if kind is Kind.PBF:
        return start[5:15] == b"\x09OSMHeader"
    return start.startswith(_MAGIC[kind])
