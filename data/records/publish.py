"""A workspace's layers as tables of PostGIS, for QGIS and other programs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

import geopandas as gpd
import pandas as pd
import sqlalchemy as sa
from sqlalchemy import exc

from data.errors import InputError
from data.records.connections import SCHEMA
from data.records.engine import Records, RecordsError
from data.store import Provenance, Workspace

#: Column with the number of a row, which programs such as QGIS need.
_KEY = "fid"


def schema_name(area: str) -> str:
    """Return the schema of an area's tables.

    Parameters
    ----------
    area
        Name of the workspace's folder.

    Returns
    -------
    str
        Lower-case letters, digits and underscores.

    Examples
    --------
    >>> schema_name("Hà Nam 2025"), schema_name("2025"), schema_name("public")
    ('ha_nam_2025', 'area_2025', 'area_public')
    """
    plain = unicodedata.normalize("NFD", area.lower().replace("đ", "d"))
    name = re.sub(r"[^a-z0-9]+", "_", plain.encode("ascii", "ignore").decode()).strip("_")
    reserved = not name or name[0].isdigit() or name.startswith(("pg_", SCHEMA))
    if reserved or name in ("public", "information_schema", "topology", "tiger"):
        name = f"area_{name}".rstrip("_")
    return name[:63]


def publish(
    workspace: Workspace,
    records: Records,
    *,
    on_progress: Callable[[float], None] = lambda _share: None,
) -> tuple[str, dict[str, int]]:
    """Write all layers and tables of a workspace, in place of those published before.

    It is one transaction: readers see the tables of before or all new ones. Rasters
    stay the files they are.

    Parameters
    ----------
    workspace
        The workspace.
    records
        A PostgreSQL database.
    on_progress
        Called with the finished share.

    Returns
    -------
    str
        Schema of the tables.
    dict
        Table -> number of rows.

    Raises
    ------
    InputError
        If the records are not in PostgreSQL.
    RecordsError
        If the tables cannot be replaced, as when views depend on them.
    """
    if records.is_sqlite:
        raise InputError(
            "Layers are published to PostgreSQL; set PHUSONG_DATABASE_URL to its address"
        )
    schema = schema_name(workspace.folder.name)
    provenance = workspace.provenance()
    rows: dict[str, int] = {}
    layers = workspace.layers()
    try:
        with records.engine.begin() as connection:
            connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
            for count, name in enumerate(layers):
                on_progress(count / len(layers))
                rows[name] = _write(connection, schema, name, workspace.read(name))
                _describe(connection, schema, name, provenance[name])
    except exc.DBAPIError as error:
        raise RecordsError(
            "The layers cannot be published: {reason}",
            reason=str(error.orig).strip().splitlines()[0],
        ) from error
    on_progress(1.0)
    return schema, rows


def _write(connection: sa.Connection, schema: str, name: str, frame: pd.DataFrame) -> int:
    frame = frame.reset_index(drop=True)
    frame.index = frame.index + 1
    wanted: dict[str, Any] = {
        "if_exists": "replace",
        "index": True,
        "index_label": _KEY,
        "chunksize": 10_000,
    }
    if isinstance(frame, gpd.GeoDataFrame):
        frame.to_postgis(name, connection, schema=schema, **wanted)
    else:
        frame.to_sql(name, connection, schema=schema, method="multi", **wanted)
    quoted = connection.dialect.identifier_preparer
    table = f"{quoted.quote_schema(schema)}.{quoted.quote(name)}"
    connection.execute(sa.text(f"ALTER TABLE {table} ADD PRIMARY KEY ({_KEY})"))
    return len(frame)


def _describe(connection: sa.Connection, schema: str, name: str, origin: Provenance) -> None:
    """Say at the table where its content came from."""
    facts = ("illustrative data" if origin.illustrative else "", origin.source, origin.vintage)
    comment = "; ".join(fact for fact in (*facts, origin.licence) if fact)
    table = sa.Table(name, sa.MetaData(), schema=schema, comment=comment)
    connection.execute(sa.schema.SetTableComment(table))
