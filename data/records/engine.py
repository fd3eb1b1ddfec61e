"""The records database: an SQLite file (a GeoPackage) or PostgreSQL with PostGIS.

SQLite is the default: `records.gpkg` in the folder that holds the workspaces, in WAL
mode, so that readers never wait. ``$PHUSONG_DATABASE_URL`` names a PostgreSQL
database instead; the tables are then in its schema `phusong`. Either is brought to
the newest form when it is opened.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import filelock
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from data.errors import InputError, PhuSongError
from data.records import geopackage, migrations
from data.records.base import Versioned

#: Name of the SQLite file.
FILE = "records.gpkg"

#: Name of the folder beside it with files that records refer to.
ATTACHMENTS = "attachments"

#: Schema of the tables in PostgreSQL.
SCHEMA = "phusong"

#: How long a writer waits for another one. [s]
_PATIENCE_S = 60

#: Number of the advisory lock under which a PostgreSQL database is brought up to date.
_MIGRATION_LOCK = 0x5048_5553


class StaleError(PhuSongError):
    """A row was changed by somebody else since it was read."""

    def __init__(self) -> None:
        super().__init__(
            "Somebody else has changed this in the meantime; look at it again and then repeat "
            "your change"
        )


class RecordsError(PhuSongError):
    """The records database cannot be used."""


def expect(row: Versioned, version: int | None) -> None:
    """Raise unless a row is still as it was when the user looked at it.

    Parameters
    ----------
    row
        The row, just read.
    version
        Its `version` at that time; None accepts any.

    Raises
    ------
    StaleError
        If it has changed.
    """
    if version is not None and row.version != version:
        raise StaleError


class Records:
    """A records database; get one with `open`.

    Parameters
    ----------
    engine
        Engine of SQLAlchemy.
    home
        Folder that holds the workspaces.

    Attributes
    ----------
    engine
        Engine of SQLAlchemy.
    home
        Folder that holds the workspaces.
    """

    def __init__(self, engine: sa.Engine, home: Path) -> None:
        self.engine = engine
        self.home = home

    def __repr__(self) -> str:
        return f"Records({self.engine.url!r})"

    @classmethod
    def open(cls, home: Path | str, *, url: str | None = None) -> Records:
        """Open the records database; make it or bring it up to date where needed.

        Costs next to nothing when this process has opened it before.

        Parameters
        ----------
        home
            Folder that holds the workspaces.
        url
            URL of a PostgreSQL database; by default $PHUSONG_DATABASE_URL, and where
            that is not set, the SQLite file in `home`.

        Returns
        -------
        Records
            The database.

        Raises
        ------
        InputError
            If the URL is not one of a PostgreSQL database.
        RecordsError
            If the database cannot be reached or made, or is of a newer program.
        """
        home = Path(home)
        address = _address(home, url)
        key = (os.getpid(), address.render_as_string(hide_password=False), str(home))
        with _LOCK:
            known = _OPEN.get(key)
            if known is not None:
                records, identity = known
                if identity == _identity(address):
                    return records
                records.engine.dispose()
            records = cls(_engine(address), home)
            with _readable(address):
                _bring_up_to_date(records)
            _OPEN[key] = (records, _identity(address))
            return records

    @staticmethod
    def exists(home: Path | str, *, url: str | None = None) -> bool:
        """Return whether there is a database, without making one.

        Parameters
        ----------
        home, url
            See `open`.

        Returns
        -------
        bool
            Whether the SQLite file exists; True for a URL.
        """
        address = _address(Path(home), url)
        return address.drivername != "sqlite" or Path(str(address.database)).is_file()

    def close(self) -> None:
        """Let go of all connections; `open` makes new ones."""
        with _LOCK:
            for key, (records, _identity_then) in list(_OPEN.items()):
                if records is self:
                    del _OPEN[key]
        self.engine.dispose()

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the SQLite file."""
        return self.engine.dialect.name == "sqlite"

    @property
    def attachments(self) -> Path:
        """Folder with files that records refer to; may not exist yet.

        A file in it is written before the record that names it and is never changed,
        so that a backup made at any moment is whole.
        """
        return self.home / ATTACHMENTS

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Give a session that is one transaction: kept at the end, undone on an error.

        In SQLite writers wait for each other from the start, so nothing that was
        read in it changes before the end. Never open one inside another.

        Yields
        ------
        Session
            For reading and writing.

        Raises
        ------
        StaleError
            If somebody else changed a row first.
        RecordsError
            If the database cannot be reached.
        """
        with self._transaction(write=True) as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that only reads; in SQLite it never waits for writers.

        Yields
        ------
        Session
            What it reads is as of one moment.
        """
        with self._transaction(write=False) as session:
            yield session

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Session]:
        with _readable(self.engine.url), Session(self.engine, expire_on_commit=False) as session:
            options: dict[str, Any] = {"phusong_write": write}
            if not write and not self.is_sqlite:
                options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            session.connection(execution_options=options)
            try:
                yield session
                if write:
                    session.commit()
            except StaleDataError as error:
                raise StaleError from error


_LOCK = threading.RLock()
_OPEN: dict[tuple[int, str, str], tuple[Records, object]] = {}


def _address(home: Path, url: str | None) -> sa.URL:
    """Return the URL that counts."""
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


def _identity(address: sa.URL) -> object:
    """Return what changes when another file takes the place of the SQLite file."""
    if address.drivername != "sqlite":
        return None
    try:
        status = Path(str(address.database)).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _engine(address: sa.URL) -> sa.Engine:
    if address.drivername == "sqlite":
        engine = sa.create_engine(
            address,
            pool_size=10,
            max_overflow=90,
            pool_timeout=_PATIENCE_S,
            # The driver begins no transaction of its own: `_begin` does.
            connect_args={"timeout": _PATIENCE_S, "isolation_level": None},
        )
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin)
        return engine
    return sa.create_engine(
        address,
        pool_size=5,
        max_overflow=15,
        pool_timeout=_PATIENCE_S,
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


@contextmanager
def _readable(address: sa.URL) -> Iterator[None]:
    """Turn failures of the database itself into sentences without a password in them."""
    try:
        yield
    except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
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


def _bring_up_to_date(records: Records) -> None:
    if records.is_sqlite:
        _bring_sqlite_up_to_date(records)
        return
    with records.engine.connect() as connection:
        if _revision(connection) == migrations.HEAD:
            return
    with records.engine.begin() as connection:
        # The second one waits here and then finds everything done.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        prepare_postgresql(connection)
        migrate(connection)


def _bring_sqlite_up_to_date(records: Records) -> None:
    path = Path(str(records.engine.url.database))
    if path.is_file() and path.stat().st_size:
        with records.engine.connect().execution_options(phusong_write=False) as connection:
            if _revision(connection) == migrations.HEAD:
                return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.with_name(f".{path.name}.lock"), timeout=_PATIENCE_S):
            with closing(sqlite3.connect(path, timeout=_PATIENCE_S)) as connection:
                geopackage.mark(connection)
                connection.execute("PRAGMA journal_mode = WAL")
            with records.engine.begin() as connection:
                migrate(connection)
    except (OSError, sqlite3.Error, filelock.Timeout) as error:
        raise RecordsError(
            "The records database {database} cannot be used: {reason}",
            database=path,
            reason=getattr(error, "strerror", None) or str(error),
        ) from error


def prepare_postgresql(connection: sa.Connection, schema: str = SCHEMA) -> None:
    """Make the schema, and PostGIS where it is missing.

    Parameters
    ----------
    connection
        Connection in a transaction.
    schema
        Schema of the tables.

    Raises
    ------
    RecordsError
        If PostGIS is missing and cannot be made.
    """
    connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
    there = connection.scalar(sa.text("SELECT 1 FROM pg_extension WHERE extname = 'postgis'"))
    if there:
        return
    try:
        connection.execute(sa.text("CREATE EXTENSION postgis SCHEMA public"))
    except exc.DBAPIError as error:
        raise RecordsError(
            "The database has no PostGIS and it could not be added: {reason}; have its "
            "administrator run CREATE EXTENSION postgis",
            reason=str(error.orig).strip().splitlines()[0],
        ) from error


def _revision(connection: sa.Connection) -> str | None:
    """Return the revision of a database, None for an empty one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    value = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return None if value is None else str(value)


def migrate(connection: sa.Connection, revision: str = "head") -> None:
    """Bring a database to a form, all in the transaction of the connection.

    Parameters
    ----------
    connection
        Connection in a transaction.
    revision
        The form wanted.

    Raises
    ------
    RecordsError
        If the database is of a newer program.
    """
    from alembic import command
    from alembic.util.exc import CommandError

    config = alembic_config(connection)
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        if _revision(connection) is None:
            raise
        raise RecordsError(
            "The records database {database} was written by a newer version of the program",
            database=described(connection.engine.url),
        ) from error


def alembic_config(connection: sa.Connection) -> Any:
    """Return the settings of Alembic for a connection; there is no file of them.

    Parameters
    ----------
    connection
        Connection in a transaction.

    Returns
    -------
    alembic.config.Config
        With the steps of `migrations`.
    """
    from alembic.config import Config

    config = Config()
    folder = str(Path(migrations.__file__).parent)
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
