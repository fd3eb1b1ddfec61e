"""Bringing a records database to its newest form, or an empty one to an older one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import filelock
import sqlalchemy as sa
from sqlalchemy import exc

from data.records import geopackage, migrations
from data.records.connections import PATIENCE_S, SCHEMA, described
from data.records.failures import RecordsError

#: Number of the advisory lock under which a PostgreSQL database is brought up to date.
_MIGRATION_LOCK = 0x5048_5553


def bring_up_to_date(engine: sa.Engine) -> None:
    """Bring a database to the newest form; many programs may do so at once.

    Parameters
    ----------
    engine
        Engine of `connections.engine_for`.

    Raises
    ------
    RecordsError
        If the database cannot be made or is of a newer program.
    """
    if engine.dialect.name == "sqlite":
        _bring_sqlite_up_to_date(engine)
        return
    with engine.connect() as connection:
        if revision_of(connection) == migrations.HEAD:
            return
    with engine.begin() as connection:
        # The second one waits here and then finds everything done.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        prepare_postgresql(connection)
        migrate(connection)


def _bring_sqlite_up_to_date(engine: sa.Engine) -> None:
    path = Path(str(engine.url.database))
    if path.is_file() and path.stat().st_size:
        with engine.connect().execution_options(phusong_write=False) as connection:
            if revision_of(connection) == migrations.HEAD:
                return
    make_sqlite(engine)


def make_sqlite(engine: sa.Engine, revision: str = "head") -> None:
    """Make the SQLite file where it is missing, and bring it to a form.

    Parameters
    ----------
    engine
        Engine of `connections.engine_for`.
    revision
        The form wanted.

    Raises
    ------
    RecordsError
        If that is not possible.
    """
    path = Path(str(engine.url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.with_name(f".{path.name}.lock"), timeout=PATIENCE_S):
            with closing(sqlite3.connect(path, timeout=PATIENCE_S)) as file:
                geopackage.mark(file)
                file.execute("PRAGMA journal_mode = WAL")
            with engine.begin() as connection:
                migrate(connection, revision)
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


def revision_of(connection: sa.Connection) -> str | None:
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
        if revision_of(connection) is None:
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
    config.set_main_option("script_location", _folder())
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@contextmanager
def replaced_schema(engine: sa.Engine, revision: str) -> Iterator[sa.Connection]:
    """Give empty tables in PostgreSQL that take the place of those there in one step.

    Parameters
    ----------
    engine
        Engine of a PostgreSQL database.
    revision
        Form of the empty tables; they are brought to the newest one at the end.

    Yields
    ------
    sqlalchemy.Connection
        For filling them; an error leaves the database as it was.
    """
    fresh, aside = f"{SCHEMA}_restored", f"{SCHEMA}_before"
    with engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        prepare_postgresql(connection, fresh)
        connection.execute(sa.text(f"SET LOCAL search_path = {fresh}, public"))
        migrate(connection, revision)
        yield connection
        migrate(connection)
        _continue_numbers(connection, fresh)
        for statement in (
            f"ALTER SCHEMA {SCHEMA} RENAME TO {aside}",
            f"ALTER SCHEMA {fresh} RENAME TO {SCHEMA}",
            f"DROP SCHEMA {aside} CASCADE",
        ):
            connection.execute(sa.text(statement))


def _continue_numbers(connection: sa.Connection, schema: str) -> None:
    """Let new rows be numbered after those that came with their numbers."""
    columns = connection.execute(
        sa.text(
            "SELECT table_name, column_name, pg_get_serial_sequence(quote_ident(table_schema) "
            "|| '.' || quote_ident(table_name), column_name) "
            "FROM information_schema.columns WHERE table_schema = :schema "
            "AND column_default LIKE 'nextval%'"
        ),
        {"schema": schema},
    ).all()
    for table, column, sequence in columns:
        greatest = connection.scalar(
            sa.select(sa.func.max(sa.column(column))).select_from(sa.table(table))
        )
        if greatest is not None:
            connection.execute(sa.select(sa.func.setval(sequence, greatest)))


@cache
def revisions() -> tuple[str, ...]:
    """Return the revisions that this program knows, the oldest first."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", _folder())
    script = ScriptDirectory.from_config(config)
    return tuple(step.revision for step in script.walk_revisions())[::-1]


def _folder() -> str:
    return str(Path(migrations.__file__).parent).replace("%", "%%")
