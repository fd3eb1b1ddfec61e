"""Types of columns that SQLite (as a GeoPackage) and PostgreSQL (with PostGIS) write differently.

Python's side is the same in both: aware times in UTC, JSON values, and places as
``(longitude, latitude)`` in WGS 84.
"""

from __future__ import annotations

import datetime as dt
import json
import struct
from collections.abc import Callable
from typing import Any

import shapely
from sqlalchemy import DateTime, Dialect, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

#: Start of a geometry in a GeoPackage: magic, version 0, little endian without envelope, WGS 84.
_GEOPACKAGE_HEADER = b"GP\x00\x01" + struct.pack("<i", 4326)


class _GeoPackageDateTime(UserDefinedType[dt.datetime]):
    """DATETIME as the GeoPackage standard has it: ISO 8601 in UTC with milliseconds."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "DATETIME"


class UtcDateTime(TypeDecorator[dt.datetime]):
    """A time in UTC, to the millisecond."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type of the database."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(_GeoPackageDateTime())
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> Any:
        """Return a time as the database takes it."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be kept")
        value = value.astimezone(dt.UTC)
        value = value.replace(microsecond=value.microsecond // 1000 * 1000)
        if dialect.name == "sqlite":
            return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.datetime | None:
        """Return a time of the database in UTC."""
        if isinstance(value, str):
            value = dt.datetime.fromisoformat(value)
        return None if value is None else value.astimezone(dt.UTC)


class Json(TypeDecorator[Any]):
    """A JSON value; a change inside it is not noticed, so put a new value in its place."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type of the database."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(JSONB(none_as_null=True))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Return a value as the database takes it."""
        if value is None or dialect.name == "postgresql":
            return value
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Return a value of the database."""
        return json.loads(value) if isinstance(value, str) and dialect.name == "sqlite" else value


class Place(UserDefinedType[tuple[float, float]]):
    """A point as ``(longitude, latitude)`` in WGS 84 that QGIS draws; never null."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the type of a GeoPackage; `geopackage.register` tells it the rest."""
        return "POINT"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """Return what turns a place into the database's form."""

        def process(value: tuple[float, float] | None) -> bytes | str | None:
            if value is None:
                return None
            point = shapely.Point(*value)
            if dialect.name == "sqlite":
                return _GEOPACKAGE_HEADER + shapely.to_wkb(point, byte_order=1)
            return str(shapely.to_wkb(shapely.set_srid(point, 4326), hex=True, include_srid=True))

        return process

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """Return what turns the database's form into a place."""

        def process(value: bytes | str | None) -> tuple[float, float] | None:
            if value is None:
                return None
            if dialect.name == "sqlite":
                value = bytes(value)[len(_GEOPACKAGE_HEADER) :]  # type: ignore[arg-type]
            ((lon, lat),) = shapely.get_coordinates(shapely.from_wkb(value))
            return float(lon), float(lat)

        return process


@compiles(Place, "postgresql")
def _postgis_place(*_: object, **__: object) -> str:
    return "geometry(Point,4326)"
