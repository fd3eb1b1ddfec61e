"""The databases of records that tests run on: SQLite and a real PostgreSQL with PostGIS.

Loaded by the root conftest.py, so every test may ask for these fixtures:

- `records`: an empty records database, once of each kind;
- `database_url`: what `Records.open` and $PHUSONG_DATABASE_URL take, once of each kind
  (None for SQLite); for tests that start processes of their own;
- `postgres`: the server, for tests of PostgreSQL alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from data.records.engine import Records

#: Where packages put the server's programs.
_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)


def _programs() -> Path | None:
    """Return the folder of the newest PostgreSQL with PostGIS, or None."""
    found = [path for place in _PLACES for path in Path("/").glob(place[1:])]
    on_path = shutil.which("postgres")
    if on_path:
        found.append(Path(on_path).parent)
    found = [path for path in found if (path / "initdb").exists() and _has_postgis(path)]
    return max(found, key=lambda path: [int(n) for n in path.parts if n.isdigit()], default=None)


def _has_postgis(programs: Path) -> bool:
    config = programs / "pg_config"
    if not config.exists():
        return False
    shared = subprocess.run([config, "--sharedir"], capture_output=True, text=True, check=True)
    return (Path(shared.stdout.strip()) / "extension" / "postgis.control").exists()


class PostgreSQL:
    """A server of our own on a free port, gone after the tests."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        # Not under pytest's own folder, which nobody but its owner may enter.
        self._folder = Path(tempfile.mkdtemp(prefix="phusong-postgres-"))
        self._as: dict[str, object] = {}
        if os.name == "posix" and os.geteuid() == 0:
            # The server refuses to run as root.
            user = _ordinary_user()
            shutil.chown(self._folder, user)
            self._as = {"user": user, "extra_groups": []}
        self._count = 0
        self._cleared: str | None = None
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self._port = int(listener.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make an empty cluster and start the server."""
        data = self._folder / "data"
        settings = ["--no-sync", "--auth=trust", "--username=phusong", "--encoding=UTF8"]
        made = subprocess.run(
            [self._programs / "initdb", "-D", data, "--locale=C", *settings],
            capture_output=True,
            text=True,
            cwd=self._folder,
            **self._as,  # type: ignore[call-overload]
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed:\n{made.stdout}{made.stderr}")
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self._port,
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": 200,
        }
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    self._programs / "postgres",
                    *("-D", data),
                    *(part for key, value in options.items() for part in ("-c", f"{key}={value}")),
                ],
                cwd=self._folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                **self._as,  # type: ignore[call-overload]
            )
        self._wait()
        self.execute("CREATE DATABASE form")
        Records.open(self._folder, url=self.url("form")).close()

    def _wait(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            with contextlib.suppress(psycopg.OperationalError):
                self.execute("SELECT 1")
                return
            time.sleep(0.05)
        log = (self._folder / "log").read_text(errors="replace")
        raise RuntimeError(f"PostgreSQL did not start:\n{log}")

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://phusong@127.0.0.1:{self._port}/{database}"

    def execute(self, statement: str) -> None:
        """Run a statement in the database of the administrator."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def new_database(self, *, form: str = "form") -> str:
        """Make a database in the newest form, or with form="template0" an empty one."""
        self._count += 1
        name = f"test_{self._count}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {form}")
        return self.url(name)

    def cleared_database(self) -> str:
        """Return a database in the newest form without a row, the same for every test."""
        if self._cleared is None:
            self._cleared = self.new_database()
        with psycopg.connect(self._cleared, autocommit=True) as connection:
            # What an earlier test has left open would hold its tables.
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            names = connection.execute(
                "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'phusong' "
                "AND tablename <> 'alembic_version'"
            ).fetchall()
            # The history's triggers refuse to be emptied; a superuser's session may pass them.
            connection.execute("SET session_replication_role = replica")
            connection.execute("SET search_path = phusong")
            tables = ", ".join(name for (name,) in names)
            connection.execute(f"TRUNCATE {tables} RESTART IDENTITY".encode())
        return self._cleared

    def stop(self) -> None:
        """Stop the server and remove all it has."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def _ordinary_user() -> str:
    import pwd

    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise RuntimeError("there is no user postgres or nobody to run PostgreSQL as")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    """A PostgreSQL server with PostGIS."""
    programs = _programs()
    if programs is None:
        reason = "no PostgreSQL with PostGIS on this machine (install postgresql and postgis)"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"{reason}, but CI must run these tests")
        pytest.skip(reason)
    server = PostgreSQL(programs)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """None for SQLite, else the URL of an empty records database in PostgreSQL."""
    if request.param == "sqlite":
        return None
    return request.getfixturevalue("postgres").cleared_database()


@pytest.fixture
def records(
    database_url: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Records]:
    """An empty records database of each kind."""
    monkeypatch.delenv("PHUSONG_DATABASE_URL", raising=False)
    opened = Records.open(tmp_path / "home", url=database_url)
    yield opened
    opened.close()
