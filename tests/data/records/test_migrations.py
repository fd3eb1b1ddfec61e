"""From every form of the records database to the newest one, in both databases."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from data.records import connections, migrations, upgrade
from data.records.base import Base
from data.records.column_types import Place
from data.records.engine import Records, RecordsError

ROOT = Path(__file__).parent.parent.parent.parent


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request, tmp_path) -> Iterator[tuple[Path, str | None]]:
    """A folder and the URL of a database with nothing in it."""
    if request.param == "sqlite":
        return tmp_path, None
    return tmp_path, request.getfixturevalue("postgres").new_database(form="template0")


def _at(home: Path, url: str | None, revision: str) -> None:
    """Make a database in an older form."""
    engine = connections.engine_for(connections.address_of(home, url))
    if url is None:
        upgrade.make_sqlite(engine, revision)
    else:
        with engine.begin() as connection:
            upgrade.prepare_postgresql(connection)
            upgrade.migrate(connection, revision)
    engine.dispose()


def test_the_head_is_the_last_of_the_chain() -> None:
    assert upgrade.revisions()[-1] == migrations.HEAD
    assert list(upgrade.revisions()) == sorted(upgrade.revisions())


@pytest.mark.filterwarnings("ignore:Did not recognize type 'geometry'")
@pytest.mark.parametrize("revision", upgrade.revisions())
def test_every_form_becomes_the_newest(empty, revision) -> None:
    home, url = empty
    _at(home, url, revision)
    records = Records.open(home, url=url)
    with records.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "include_name": _ours},
        )
        found = compare_metadata(context, Base.metadata)
        assert [difference for difference in found if not _is_of_place(difference)] == []
    records.close()


def _is_of_place(difference: object) -> bool:
    # What a place is in a GeoPackage, SQLAlchemy does not know.
    return isinstance(difference, list) and isinstance(difference[0][-1], Place)


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    # Tables of the GeoPackage and of PostGIS are none of the program's.
    return not (kind == "table" and (name or "").startswith(("gpkg_", "spatial_ref_sys")))


def test_rows_stay_through_the_steps(empty) -> None:
    home, url = empty
    _at(home, url, "0001")
    engine = connections.engine_for(connections.address_of(home, url))
    with engine.begin() as connection:
        connection.execute(
            sa.insert(Base.metadata.tables["accounts"]).values(
                login="an", login_key="an", name="An", role="viewer", active=True, version=1
            )
        )
    engine.dispose()
    records = Records.open(home, url=url)
    with records.reading() as session:
        assert session.scalar(sa.select(Base.metadata.tables["accounts"].c.name)) == "An"
    records.close()


def test_a_newer_database_is_refused(empty) -> None:
    home, url = empty
    records = Records.open(home, url=url)
    with records.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    records.close()
    with pytest.raises(RecordsError, match="newer version"):
        Records.open(home, url=url)


_OPENER = """
import sys
from pathlib import Path
from data.records.engine import Records
print("ready", flush=True)
sys.stdin.readline()
Records.open(Path(sys.argv[1]), url=sys.argv[2] or None)
"""


def test_programs_that_open_a_new_database_at_once(empty) -> None:
    home, url = empty
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", _OPENER, str(home), url or ""],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for program in programs:
        assert program.stdout is not None
        program.stdout.readline()
    for program in programs:
        assert program.stdin is not None
        program.stdin.write("go\n")
        program.stdin.flush()
    for program in programs:
        _, said = program.communicate(timeout=60)
        assert (program.returncode, said) == (0, "")
    records = Records.open(home, url=url)
    with records.reading() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM alembic_version")) == 1
    records.close()
