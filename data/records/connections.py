"""How to reach the records database: its address, and connections set up for it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc

from data.errors import InputError
from data.records.failures import RecordsError

#: Name of the SQLite file.
FILE = "records.gpkg"

#: Schema of the tables in PostgreSQL.
SCHEMA = "phusong"

#: How long a writer waits for another one. [s]
PATIENCE_S = 60


def address_of(home: Path, url: str | None) -> sa.URL:
    """Return the URL that counts: the one given, $PHUSONG_DATABASE_URL or the SQLite file's.

    Parameters
    ----------
    home, url
        See `data.records.engine.Records.open`.

    Returns
    -------
    sqlalchemy.URL
        Of SQLite, or of PostgreSQL by psycopg.

    Raises
    ------
    InputError
        If it is not one of a PostgreSQL database.
    """
    url = url or os.environ.get("PHUSONG_DATABASE_URL")
    if not url:
        return sa.URL.create("sqlite", database=str(home.absolute() / FILE))
    try:
        address = sa.make_url(url)
    except exc.ArgumentError as error:
        # The text of the URL is not repeated: it holds a password.
        raise InputError(
            "The address of the database is no URL (expected postgresql://user:password@host/name)"
        ) from error
    if address.get_backend_name() != "postgresql":
        raise InputError(
            "The address of the database is for {value}; expected "
            "postgresql://user:password@host/name",
            value=address.get_backend_name(),
        )
    return address.set(drivername="postgresql+psycopg")


def identity(address: sa.URL) -> object:
    """Return what changes when another file takes the place of the SQLite file."""
    if address.drivername != "sqlite":
        return None
    try:
        status = Path(str(address.database)).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def engine_for(address: sa.URL) -> sa.Engine:
    """Return an engine whose transactions begin as `Records.session` says."""
    if address.drivername == "sqlite":
        engine = sa.create_engine(
            address,
            pool_size=10,
            max_overflow=90,
            pool_timeout=PATIENCE_S,
            # The driver begins no transaction of its own: `_begin` does.
            connect_args={"timeout": PATIENCE_S, "isolation_level": None},
        )
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin)
        return engine
    return sa.create_engine(
        address,
        pool_size=5,
        max_overflow=15,
        pool_timeout=PATIENCE_S,
        pool_pre_ping=True,
        connect_args={
            "options": f"-c search_path={SCHEMA},public -c timezone=UTC",
            "connect_timeout": 10,
            "application_name": "phusong",
            # A restored backup brings new tables of the same names.
            "prepare_threshold": None,
        },
    )


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in ("foreign_keys = ON", "synchronous = FULL", "recursive_triggers = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get("phusong_write", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


#: What a statement does wrong, rather than the database.
_OF_THE_CALLER = (exc.DataError, exc.IntegrityError, exc.InternalError, exc.ProgrammingError)


@contextmanager
def readable(address: sa.URL) -> Iterator[None]:
    """Turn failures of the database itself into sentences without a password in them."""
    try:
        yield
    except (exc.DatabaseError, exc.InterfaceError, exc.TimeoutError) as error:
        if isinstance(error, _OF_THE_CALLER):
            raise
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise RecordsError(
            "The records database {database} cannot be used: {reason}",
            database=described(address),
            reason=reason,
        ) from error


def described(address: sa.URL) -> str:
    """Return where a database is, for people.

    Parameters
    ----------
    address
        Its URL.

    Returns
    -------
    str
        Path of the SQLite file, or host and name of a PostgreSQL database.
    """
    if address.get_backend_name() == "sqlite":
        return str(address.database)
    return f"{address.database or ''} ({address.host or 'localhost'})"
