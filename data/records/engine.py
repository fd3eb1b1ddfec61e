"""The records database: an SQLite file (a GeoPackage) or PostgreSQL with PostGIS.

SQLite is the default: `records.gpkg` in the folder that holds the workspaces, in WAL
mode, so that readers never wait. ``$PHUSONG_DATABASE_URL`` names a PostgreSQL
database instead; the tables are then in its schema `phusong`. Either is brought to
the newest form when it is opened.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from data.records import upgrade
from data.records.base import Versioned
from data.records.connections import FILE as FILE
from data.records.connections import address_of, engine_for, identity, readable
from data.records.connections import described as described
from data.records.failures import RecordsError as RecordsError
from data.records.failures import StaleError as StaleError

#: Name of the folder beside it with files that records refer to.
ATTACHMENTS = "attachments"


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
        address = address_of(home, url)
        key = (os.getpid(), address.render_as_string(hide_password=False), str(home))
        with _LOCK:
            known = _OPEN.get(key)
            if known is not None:
                records, file = known
                if file == identity(address):
                    return records
                records.engine.dispose()
            records = cls(engine_for(address), home)
            with readable(address):
                upgrade.bring_up_to_date(records.engine)
            _OPEN[key] = (records, identity(address))
            return records

    @classmethod
    def create(cls, home: Path, *, revision: str) -> Records:
        """Make an empty SQLite file in an older form, which `upgrade` brings to the newest.

        Parameters
        ----------
        home
            Folder for it, where there is none yet.
        revision
            The form.

        Returns
        -------
        Records
            The database; close it after use.
        """
        engine = engine_for(sa.URL.create("sqlite", database=str(home / FILE)))
        upgrade.make_sqlite(engine, revision)
        return cls(engine, home)

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
        address = address_of(Path(home), url)
        return address.drivername != "sqlite" or Path(str(address.database)).is_file()

    def close(self) -> None:
        """Let go of all connections; `open` makes new ones."""
        with _LOCK:
            for key, (records, _file) in list(_OPEN.items()):
                if records is self:
                    del _OPEN[key]
        self.engine.dispose()

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the SQLite file."""
        return self.engine.dialect.name == "sqlite"

    @property
    def path(self) -> Path:
        """The SQLite file."""
        if not self.is_sqlite:
            raise ValueError("a PostgreSQL database is no file")
        return Path(str(self.engine.url.database))

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
        with readable(self.engine.url), Session(self.engine, expire_on_commit=False) as session:
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
