"""`python -m planning records …`: accounts, backups and layers for other programs."""

from __future__ import annotations

import io
import sys

import geopandas as gpd
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from data.records.engine import Records
from planning import accounts, history, passwords, sign_in
from planning.__main__ import BAD_INPUT, main
from planning.accounts import COMMAND_LINE, Role
from tests.areas import small_area, write_area

PASSWORD = "mưa rào tháng sáu"


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch):
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", lambda: weak)


@pytest.fixture
def command(tmp_path, database_url, monkeypatch, capsys):
    """Run a command beside a workspace; return its exit code and what it said."""
    if database_url is None:
        monkeypatch.delenv("PHUSONG_DATABASE_URL", raising=False)
    else:
        monkeypatch.setenv("PHUSONG_DATABASE_URL", database_url)

    def run(*words: str, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        code = main(["records", *words, "--workspace", str(tmp_path / "area")])
        said = capsys.readouterr()
        return code, said.out, said.err

    yield run
    Records.open(tmp_path).close()


@pytest.fixture
def records(tmp_path, command) -> Records:
    command("init")
    return Records.open(tmp_path)


def test_an_account_from_its_making_to_its_end(command, records) -> None:
    code, said, _ = command(
        *("account", "add", "lan", "--name", "Lan", "--role", "carrier"),
        *("--organisation", "Viettel"),
        typed=PASSWORD + "\n",
    )
    assert (code, said) == (0, "Account lan added as carrier\n")
    assert "carrier, Lan, Viettel" in command("account", "list")[1]
    assert command("account", "role", "lan", "planner")[0] == 0
    found = sign_in.who(records, sign_in.sign_in(records, "lan", PASSWORD))
    assert found is not None
    assert found.must_change
    assert command("account", "password", "lan", typed="nắng hạ bến sông\n")[0] == 0
    sign_in.sign_in(records, "lan", "nắng hạ bến sông")
    assert command("account", "deactivate", "lan")[0] == 0
    (left,) = accounts.list_of(records, COMMAND_LINE)
    assert (left.role, left.active) == (Role.PLANNER, False)
    done = [entry.action for entry in history.entries(records, COMMAND_LINE)]
    assert done == ["changed", "password set", "changed", "added"]


def test_bad_input_is_one_line_and_exit_code_2(command) -> None:
    add = ("account", "add", "lan", "--name", "Lan", "--role", "planner")
    for words, typed in (
        (add, "short\n"),
        (("account", "role", "nobody", "planner"), ""),
        (("restore", "none.zip"), ""),
        (("publish",), ""),
    ):
        code, _, said = command(*words, typed=typed)
        assert code == BAD_INPUT
        assert said.startswith("Error: ")
        assert said.count("\n") == 1


def test_a_password_is_no_argument(command, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        command("account", "add", "lan", "--name", "Lan", "--role", "planner", "--password", "x")
    assert stop.value.code == BAD_INPUT


def test_an_account_of_an_identity_provider(command, records) -> None:
    code, _, _ = command(
        *("account", "add", "lan@example.org", "--name", "Lan", "--role", "planner"),
        *("--issuer", "https://id.example.org"),
    )
    assert code == 0
    claims = {"iss": "https://id.example.org", "email": "lan@example.org"}
    assert sign_in.who_claims(records, claims).role is Role.PLANNER


def test_backup_and_restore(command, records, tmp_path) -> None:
    write_area(tmp_path / "area", small_area())
    command("account", "add", "lan", "--name", "Lan", "--role", "planner", typed=PASSWORD)
    file = tmp_path / "b.zip"
    code, said, _ = command("backup", str(file), "--with-workspace")
    assert (code, "1 accounts" in said, "the workspace area" in said) == (0, True, True)
    command("account", "role", "lan", "viewer")
    assert command("restore", str(file))[0] == BAD_INPUT
    assert command("restore", str(file), "--force", "--with-workspace")[0] == 0
    (only,) = accounts.list_of(records, COMMAND_LINE)
    assert only.role is Role.PLANNER
    assert history.entries(records, COMMAND_LINE)[0].action == "restored"


def test_layers_are_published_to_postgis(postgres, tmp_path, monkeypatch, capsys) -> None:
    url = postgres.new_database()
    monkeypatch.setenv("PHUSONG_DATABASE_URL", url)
    workspace = write_area(tmp_path / "Hà Nam", small_area())
    for _ in range(2):  # the second time in place of the first
        assert main(["records", "publish", "--workspace", str(workspace.folder)]) == 0
    assert "ha_nam.masts: 5 rows" in capsys.readouterr().out
    records = Records.open(tmp_path)
    with records.engine.connect() as connection:
        masts = gpd.read_postgis("SELECT * FROM ha_nam.masts", connection, geom_col="geometry")
        about = connection.scalar(sa.text("SELECT obj_description('ha_nam.masts'::regclass)"))
        keys = connection.scalar(
            sa.text(
                "SELECT count(*) FROM pg_index WHERE indisprimary AND indrelid = "
                "'ha_nam.masts'::regclass"
            )
        )
    kept = workspace.read("masts")
    assert masts["mast_id"].tolist() == kept["mast_id"].tolist()
    assert masts.crs == kept.crs
    assert masts.geometry.geom_equals_exact(kept.geometry, 1e-9).all()
    assert about == "illustrative data; test"
    assert keys == 1
    records.close()
