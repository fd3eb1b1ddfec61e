"""Backups: whole, checked, and at home in either kind of database."""

from __future__ import annotations

import itertools
import json
import threading
import zipfile

import pytest
import sqlalchemy as sa

from data.errors import InputError
from data.records import backup, tables
from data.records.account_tables import Account, HistoryEntry, SignInSession
from data.records.base import Base
from data.records.engine import Records
from planning.accounts import COMMAND_LINE
from tests.areas import small_area, write_area


def fill(records: Records, rows: int = 3) -> None:
    with records.session() as session:
        for number in range(rows):
            session.add(
                Account(
                    login=f"u{number}", login_key=f"u{number}", name="Lan “x”\\n", role="planner"
                )
            )
            tables.append_history(
                session,
                area="demo",
                kind="proposal",
                subject_id=number,
                actor=COMMAND_LINE,
                action="created",
                detail={"chữ": ["é", None, 1.5, {"a": True}]},
            )
        session.flush()
        session.add(
            tables.account_tables.SignInAttempts(account_id=1, failures=2, locked_until=None)
        )
    records.attachments.mkdir(parents=True)
    (records.attachments / "abc").write_bytes(b"\0\1file")
    (records.attachments / ".tmp-half").write_bytes(b"half")


def everything(records: Records) -> dict[str, list[tuple]]:
    with records.reading() as session:
        return {
            table.name: [
                tuple(row)
                for row in session.execute(sa.select(table).order_by(*table.primary_key.columns))
            ]
            for table in Base.metadata.sorted_tables
        }


def other(records: Records, request, tmp_path) -> Records:
    """Return an empty database of the other kind."""
    if records.is_sqlite:
        url = request.getfixturevalue("postgres").new_database()
        return Records.open(tmp_path / "other", url=url)
    return Records.open(tmp_path / "other")


def test_a_backup_moves_to_the_other_database_and_back(records, request, tmp_path) -> None:
    fill(records)
    there = other(records, request, tmp_path)
    back = Records.open(tmp_path / "back")
    contents = backup.write(records, tmp_path / "first.zip")
    assert contents.rows["accounts"] == contents.rows["history"] == 3
    assert contents.attachments == 1
    backup.restore(tmp_path / "first.zip", there)
    backup.write(there, tmp_path / "second.zip")
    backup.restore(tmp_path / "second.zip", back)
    assert everything(records) == everything(there) == everything(back)
    assert (back.attachments / "abc").read_bytes() == b"\0\1file"
    # Numbers go on where they were, and the history is still protected.
    with there.session() as session:
        session.add(Account(login="new", login_key="new", name="New", role="viewer"))
        session.flush()
        numbers = session.scalars(sa.select(Account.id)).all()
    assert len(set(numbers)) == 4
    for restored in (there, back):
        with pytest.raises(sa.exc.DBAPIError, match="cannot be edited"):
            _delete_history(restored)
        restored.close()


def _delete_history(records: Records) -> None:
    with records.session() as session:
        session.execute(sa.delete(HistoryEntry))


def test_what_is_there_is_replaced_only_on_demand(records, tmp_path) -> None:
    fill(records)
    backup.write(records, tmp_path / "b.zip")
    before = everything(records)
    with records.session() as session:
        session.get_one(Account, 1).name = "changed since"
    with pytest.raises(InputError, match="--force"):
        backup.restore(tmp_path / "b.zip", records)
    backup.restore(tmp_path / "b.zip", records, force=True)
    assert everything(records) == before
    # A server that has been running goes on with what is there now.
    with records.session() as session:
        session.get_one(Account, 1).name = "once more"


def test_sessions_are_left_out(records, tmp_path) -> None:
    fill(records)
    with records.session() as session:
        now = tables.account_tables.now()
        session.add(SignInSession(account_id=1, token_hash="x", ends_at=now))
    backup.write(records, tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert not [name for name in archive.namelist() if "session" in name]
    backup.restore(tmp_path / "b.zip", records, force=True)
    assert everything(records)["sign_in_sessions"] == []


def test_a_backup_is_of_one_moment(records, tmp_path) -> None:
    """Accounts and history are written in pairs; a backup never parts them."""
    stop = threading.Event()

    def write() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            with records.session() as session:
                login = f"w{number}"
                session.add(Account(login=login, login_key=login, name="W", role="viewer"))
                tables.append_history(
                    session, area="", kind="x", subject_id=login, actor=COMMAND_LINE, action="y"
                )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            rows = backup.write(records, tmp_path / f"{number}.zip").rows
            assert rows["accounts"] == rows["history"]
    finally:
        stop.set()
        writer.join()
    assert rows["accounts"] > 0


def _damage(path, change) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _manifest(members: dict[str, bytes], **changes: object) -> None:
    manifest = json.loads(members["manifest.json"])
    members["manifest.json"] = json.dumps(manifest | changes).encode()


def _with_file(members: dict[str, bytes], name: str) -> None:
    manifest = json.loads(members["manifest.json"])
    manifest["files"][name] = "0" * 64
    members["manifest.json"] = json.dumps(manifest).encode()
    members[name] = b"x"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m.update({"records/accounts.jsonl": b"[]\n"}), "was changed"),
        (lambda m: m.pop("records/history.jsonl"), "missing or damaged"),
        (lambda m: m.pop("manifest.json"), "manifest"),
        (lambda m: _manifest(m, format=99), "newer version"),
        (lambda m: _manifest(m, revision="9999"), "newer version"),
        (lambda m: _with_file(m, "../evil"), "it holds a file"),
        (lambda m: _with_file(m, "attachments/../../evil"), "it holds a file"),
        (lambda m: _with_file(m, "attachments/C:\\evil"), "it holds a file"),
        (lambda m: _with_file(m, "/etc/evil"), "it holds a file"),
    ],
)
def test_a_damaged_backup_changes_nothing(tmp_path, change, reason) -> None:
    records = Records.open(tmp_path / "home")
    fill(records)
    path = tmp_path / "b.zip"
    backup.write(records, path)
    before = everything(records)
    _damage(path, change)
    with pytest.raises(InputError, match=reason):
        backup.restore(path, records, force=True)
    assert everything(records) == before
    assert not (tmp_path / "evil").exists()
    records.close()


def test_rows_that_do_not_fit_change_nothing(records, tmp_path) -> None:
    fill(records)
    path = tmp_path / "b.zip"
    backup.write(records, path)
    before = everything(records)

    def no_name(members: dict[str, bytes]) -> None:
        import hashlib

        rows = [json.loads(line) for line in members["records/accounts.jsonl"].splitlines()]
        name = "records/accounts.jsonl"
        manifest = json.loads(members["manifest.json"])
        at = list(manifest["tables"]["accounts"]["columns"]).index("name")
        rows[1][at] = None
        members[name] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        manifest["files"][name] = hashlib.sha256(members[name]).hexdigest()
        members["manifest.json"] = json.dumps(manifest).encode()

    _damage(path, no_name)
    with pytest.raises(InputError, match="do not fit"):
        backup.restore(path, records, force=True)
    assert everything(records) == before


def test_other_files_are_no_backups(tmp_path) -> None:
    records = Records.open(tmp_path / "home")
    (tmp_path / "b.zip").write_bytes(b"PK\3\4 nothing")
    with pytest.raises(InputError, match="no sound backup"):
        backup.restore(tmp_path / "b.zip", records)
    with pytest.raises(InputError, match="cannot be read"):
        backup.look(tmp_path / "none.zip")
    records.close()


def test_a_workspace_comes_along(tmp_path) -> None:
    records = Records.open(tmp_path / "home")
    workspace = write_area(tmp_path / "home" / "area", small_area())
    (workspace.folder / "cache").mkdir()
    (workspace.folder / "cache" / "big").write_bytes(b"x")
    (workspace.folder / "thresholds.csv").write_text("a\n")
    contents = backup.write(records, tmp_path / "b.zip", workspace=workspace)
    assert contents.workspace == "area"
    with pytest.raises(InputError, match="already"):
        backup.restore(tmp_path / "b.zip", records, workspace_folder=workspace.folder)
    target = tmp_path / "elsewhere" / "area"
    backup.restore(tmp_path / "b.zip", records, workspace_folder=target)
    from data.store import Workspace

    restored = Workspace.open(target)
    assert restored.content_hash("masts", "terrain") == workspace.content_hash("masts", "terrain")
    assert (target / "thresholds.csv").exists()
    assert not (target / "cache").exists()
    backup.restore(tmp_path / "b.zip", records, workspace_folder=target, force=True)
    assert Workspace.open(target).has("masts")
    records.close()
