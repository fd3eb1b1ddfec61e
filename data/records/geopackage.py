"""What makes an SQLite file of records a GeoPackage, which QGIS opens.

The functions are for the steps of `migrations`; in PostgreSQL they do nothing.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy import Connection, text

_TABLES = (
    """CREATE TABLE gpkg_spatial_ref_sys (
        srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY,
        organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL,
        definition TEXT NOT NULL, description TEXT)""",
    """CREATE TABLE gpkg_contents (
        table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
        description TEXT DEFAULT '',
        last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
        min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
        CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id))""",
    """CREATE TABLE gpkg_geometry_columns (
        table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL,
        srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,
        CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
        CONSTRAINT uk_gc_table_name UNIQUE (table_name),
        CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
        CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id))""",
)

#: WGS 84 as OGC GeoPackage 1.3, requirement 11, asks for it.
_WGS84 = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,'
    'AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,'
    'AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],'
    'AXIS["Latitude",NORTH],AXIS["Longitude",EAST],AUTHORITY["EPSG","4326"]]'
)

_SYSTEMS = (
    ("Undefined cartesian SRS", -1, "NONE", -1, "undefined"),
    ("Undefined geographic SRS", 0, "NONE", 0, "undefined"),
    ("WGS 84 geodetic", 4326, "EPSG", 4326, _WGS84),
)


def mark(connection: sqlite3.Connection) -> None:
    """Write into the head of an SQLite file that it is a GeoPackage.

    Other programs read the head from the file itself, so this is done before the
    file is in WAL mode, where changes go to another file first.

    Parameters
    ----------
    connection
        The file.
    """
    # "GPKG" and version 1.3, OGC 12-128r18, requirement 2.
    if connection.execute("PRAGMA application_id").fetchone()[0] == 0:
        connection.execute("PRAGMA application_id = 1196444487")
        connection.execute("PRAGMA user_version = 10300")


def create(connection: Connection) -> None:
    """Make the tables that every GeoPackage has.

    Parameters
    ----------
    connection
        Connection of a migration.
    """
    if connection.dialect.name != "sqlite":
        return
    for statement in _TABLES:
        connection.execute(text(statement))
    for name, number, organisation, code, definition in _SYSTEMS:
        connection.execute(
            text(
                "INSERT INTO gpkg_spatial_ref_sys (srs_name, srs_id, organization, "
                "organization_coordsys_id, definition) VALUES (:name, :number, :organisation, "
                ":code, :definition)"
            ),
            {
                "name": name,
                "number": number,
                "organisation": organisation,
                "code": code,
                "definition": definition,
            },
        )


def register(connection: Connection, *tables: str, place: str | None = None) -> None:
    """Tell the GeoPackage of new tables, so that QGIS lists them.

    Parameters
    ----------
    connection
        Connection of a migration: ``op.get_bind()``.
    *tables
        Names of tables that the migration has made.
    place
        Name of their column of type `column_types.Place`, where they have one.
    """
    if connection.dialect.name != "sqlite":
        return
    for table in tables:
        connection.execute(
            text(
                "INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) "
                "VALUES (:table, :kind, :table, :srs)"
            ),
            {
                "table": table,
                "kind": "attributes" if place is None else "features",
                "srs": 0 if place is None else 4326,
            },
        )
        if place is not None:
            connection.execute(
                text(
                    "INSERT INTO gpkg_geometry_columns VALUES (:table, :place, 'POINT', 4326, 0, 0)"
                ),
                {"table": table, "place": place},
            )
