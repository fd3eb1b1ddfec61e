"""The records database: rows, versions, history, and what other programs see of it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pyogrio
import pytest
import sqlalchemy as sa

from data.errors import InputError
from data.records import engine, geopackage, tables
from data.records.account_tables import Account, HistoryEntry
from data.records.base import Base
from data.records.column_types import Json, Place, UtcDateTime
from data.records.engine import Records, RecordsError, StaleError
from planning.accounts import COMMAND_LINE

ROOT = Path(__file__).parent.parent.parent.parent


def _account(login: str = "an") -> Account:
    return Account(login=login, login_key=login, name="An", role="planner")


def _note(records: Records, text: str) -> None:
    with records.session() as session:
        tables.append_history(
            session, area="", kind="x", subject_id=text, actor=COMMAND_LINE, action="y"
        )


def test_a_row_comes_back_as_it_was_written(records) -> None:
    with records.session() as session:
        row = _account()
        session.add(row)
    with records.reading() as session:
        back = session.get_one(Account, row.id)
        assert (back.name, back.created_at, back.version) == ("An", row.created_at, 1)


def test_values_are_alike_in_both_databases(records) -> None:
    table = sa.Table(
        "sample",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("place", Place),
        sa.Column("at", UtcDateTime),
        sa.Column("facts", Json),
    )
    time = tables.account_tables.now()
    row = {"place": (105.912345, 20.54), "at": time, "facts": {"tên": ["é", 1.5, None, True]}}
    with records.engine.begin() as connection:
        table.create(connection)
        geopackage.register(connection, "sample", place="place")
        connection.execute(sa.insert(table), [row, dict.fromkeys(row)])
        first, second = connection.execute(sa.select(table).order_by(table.c.id))
        table.drop(connection)
    assert dict(first._mapping) == {"id": 1, **row}
    assert dict(second._mapping) == {"id": 2, **dict.fromkeys(row)}


def test_an_error_undoes_the_whole_transaction(records) -> None:
    def fail() -> None:
        with records.session() as session:
            session.add(_account())
            session.flush()
            raise InputError("no")

    with pytest.raises(InputError, match="no"):
        fail()
    with records.reading() as session:
        assert session.scalars(sa.select(Account)).all() == []


def test_an_older_version_is_refused(records) -> None:
    with records.session() as session:
        session.add(_account())
    with records.reading() as session:
        mine = session.scalars(sa.select(Account)).one()
    with records.session() as session:
        session.scalars(sa.select(Account)).one().name = "Bình"

    def write() -> None:
        with records.session() as session:
            session.add(mine)
            mine.name = "Chi"

    with pytest.raises(StaleError):
        write()
    with pytest.raises(StaleError), records.reading() as session:
        engine.expect(session.scalars(sa.select(Account)).one(), 1)
    with records.reading() as session:
        row = session.scalars(sa.select(Account)).one()
        engine.expect(row, 2)
        assert row.name == "Bình"


def test_many_writers_at_once_lose_nothing(records) -> None:
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda number: _note(records, str(number)), range(100)))
    with records.reading() as session:
        found = session.scalars(sa.select(HistoryEntry.subject_id)).all()
    assert sorted(found, key=int) == [str(number) for number in range(100)]


EDITS = {
    "sqlite": [
        "UPDATE history SET action = 'z'",
        "DELETE FROM history",
        "DELETE FROM history WHERE id = 1",
        "INSERT OR REPLACE INTO history SELECT * FROM history",
        "REPLACE INTO history SELECT * FROM history",
    ],
    "postgresql": [
        "UPDATE history SET action = 'z'",
        "DELETE FROM history",
        "DELETE FROM history WHERE id = 1",
        "TRUNCATE history",
        "TRUNCATE history CASCADE",
    ],
}


def test_the_history_cannot_be_edited(records) -> None:
    _note(records, "1")

    def edit(statement: str) -> None:
        if records.is_sqlite:
            # Any program with the file, without the settings of ours.
            with closing(sqlite3.connect(records.path)) as connection, connection:
                connection.execute(statement)
        else:
            with records.engine.begin() as connection:
                connection.execute(sa.text(statement))

    for statement in EDITS[records.engine.dialect.name]:
        with pytest.raises((sa.exc.DBAPIError, sqlite3.Error), match="cannot be edited"):
            edit(statement)
    with records.reading() as session:
        assert session.scalars(sa.select(HistoryEntry.action)).all() == ["y"]


def test_the_file_is_a_geopackage(tmp_path) -> None:
    records = Records.open(tmp_path)
    _note(records, "1")
    listed = dict(pyogrio.list_layers(records.path))
    assert set(listed) == set(Base.metadata.tables)
    assert listed["proposals"] == "Point"
    assert pyogrio.read_info(records.path, layer="proposals")["crs"] == "EPSG:4326"
    entry = pyogrio.read_dataframe(records.path, layer="history")
    assert entry["subject_id"].tolist() == ["1"]
    assert str(entry["at"].dtype).startswith("datetime64")
    records.close()


def test_two_threads_read_while_one_writes(tmp_path) -> None:
    records = Records.open(tmp_path)
    with records.session() as writing:
        writing.add(_account())
        writing.flush()
        with records.reading() as session:
            assert session.scalars(sa.select(Account)).all() == []
    records.close()


_WRITER = """
import sys
from pathlib import Path
from types import SimpleNamespace
from data.records import tables
from data.records.engine import Records
actor = SimpleNamespace(account_id=None, name="writer", role="planner", organisation="")
records = Records.open(Path(sys.argv[1]), url=sys.argv[2] or None)
number = 0
while True:
    with records.session() as session:
        for half in ("a", "b"):
            tables.append_history(session, area="", kind="x", subject_id=f"{number}{half}",
                                  actor=actor, action="y")
            session.flush()
    print(number, flush=True)
    number += 1
"""


def test_a_killed_writer_leaves_a_whole_database(records, database_url) -> None:
    """What it said was kept is there, and nothing is there by half."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(records.home), database_url or ""],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(20)]
    process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    said += process.stdout.readlines()
    process.wait()
    kept = int([line for line in said if line.endswith("\n")][-1])
    _note(records, "after")
    with records.reading() as session:
        found = session.scalars(sa.select(HistoryEntry.subject_id)).all()
        if records.is_sqlite:
            assert session.scalar(sa.text("PRAGMA integrity_check")) == "ok"
    assert {f"{number}{half}" for number in range(kept + 1) for half in "ab"} <= set(found)
    assert len(found) % 2 == 1
    assert len(found) == len(set(found))


def test_opening_again_is_cheap_and_notices_another_file(tmp_path) -> None:
    first = Records.open(tmp_path)
    assert Records.open(tmp_path) is first
    _note(first, "1")
    first.close()
    for path in tmp_path.iterdir():
        path.unlink()
    second = Records.open(tmp_path)
    with second.reading() as session:
        assert session.scalars(sa.select(HistoryEntry)).all() == []
    second.close()


def test_nothing_is_made_by_asking(tmp_path) -> None:
    assert not Records.exists(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("not a url", "no URL"),
        ("mysql://user:secret@host/db", "mysql"),
        ("postgresql://user:secret@127.0.0.1:1/db", "cannot be used"),
    ],
)
def test_other_addresses_are_refused_without_their_password(tmp_path, url, reason) -> None:
    with pytest.raises((InputError, RecordsError), match=reason) as error:
        Records.open(tmp_path, url=url)
    assert "secret" not in str(error.value)


def test_a_file_that_is_no_database_is_refused(tmp_path) -> None:
    (tmp_path / engine.FILE).write_bytes(b"something else entirely" * 100)
    with pytest.raises(RecordsError, match=r"records\.gpkg cannot be used"):
        Records.open(tmp_path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_named(tmp_path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(RecordsError, match="cannot be used"):
        Records.open(tmp_path)
