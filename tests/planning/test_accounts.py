"""Accounts: what may be done to them, by whom, and what becomes of the history."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from data.errors import InputError
from data.records.account_tables import Account, HistoryEntry
from data.records.engine import Records, StaleError
from planning import accounts, passwords, sign_in
from planning.account_rules import rules
from planning.accounts import COMMAND_LINE, Actor, ForbiddenError, Role

PASSWORD = "mưa rào tháng sáu"

#: What people and programs put into fields.
NASTY = [
    "'; DROP TABLE accounts; --",
    "<script>alert(1)</script>",
    "x' OR '1'='1",
    "{0.__class__}",
    "Nguyễn Văn “A” & con",
]


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch):
    """Hashes that cost nothing: what is tested here is what becomes of them."""
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", lambda: weak)


def _add(records: Records, login: str, role: Role = Role.PLANNER, **more: str) -> int:
    wanted = {"name": login.title(), "organisation": "Viettel", "password": PASSWORD, **more}
    return accounts.add(records, COMMAND_LINE, login=login, role=role, must_change=False, **wanted)


def _actor(records: Records, login: str) -> Actor:
    found = sign_in.who(records, sign_in.sign_in(records, login, PASSWORD))
    assert found is not None
    return found.actor


def test_accounts_are_listed_with_what_was_given(records) -> None:
    assert not accounts.exist(records)
    _add(records, "lan", Role.CARRIER)
    (only,) = accounts.list_of(records, COMMAND_LINE)
    assert (only.login, only.name, only.role, only.organisation) == (
        "lan",
        "Lan",
        Role.CARRIER,
        "Viettel",
    )
    assert accounts.exist(records)


@pytest.mark.parametrize("text", NASTY)
def test_names_are_kept_as_they_are(records, text) -> None:
    number = _add(records, "lan", name=text, organisation=text)
    accounts.change(records, COMMAND_LINE, number, name=text + "!")
    (only,) = accounts.list_of(records, COMMAND_LINE)
    assert (only.name, only.organisation) == (text + "!", text)
    with pytest.raises(sign_in.SignInError):
        sign_in.sign_in(records, text, text)
    assert accounts.exist(records)


@pytest.mark.parametrize("login", ["", "a", "a b", "x'--", "<b>", "a\nb", "a" * 65, "../../etc"])
def test_logins_are_plain(login) -> None:
    with pytest.raises(InputError):
        accounts.checked_login(login)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\u202eb", "x" * 201])
def test_names_are_one_line(name) -> None:
    with pytest.raises(InputError):
        accounts.checked_name(name)


def test_logins_differ_by_more_than_case(records) -> None:
    _add(records, "Lan")
    with pytest.raises(InputError, match="already"):
        _add(records, "lAN")


def test_a_carrier_belongs_to_an_organisation(records) -> None:
    with pytest.raises(InputError, match="organisation"):
        _add(records, "lan", Role.CARRIER, organisation="")
    number = _add(records, "lan", Role.PLANNER, organisation="")
    with pytest.raises(InputError, match="organisation"):
        accounts.change(records, COMMAND_LINE, number, role="carrier")


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "characters"),
        ("x" * 257, "characters"),
        ("aaaaaaaaaaaaaaaa", "different"),
        ("nguyenvana2026", "name"),
    ],
)
def test_weak_passwords_are_refused(password, reason) -> None:
    with pytest.raises(InputError, match=reason):
        passwords.check(password, rules(), "nguyenvana", "Nguyễn Văn A")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.CARRIER, Role.PLANNER])
def test_only_administrators_administrate(records, role) -> None:
    number = _add(records, "lan", role)
    lan = _actor(records, "lan")
    attempts = [
        lambda: accounts.change(records, lan, number, role="administrator"),
        lambda: accounts.add(
            records, lan, name="B", login="binh", password=PASSWORD, role="administrator"
        ),
        lambda: accounts.set_password(records, lan, number, PASSWORD),
        lambda: accounts.unlock(records, lan, number),
        lambda: accounts.erase(records, lan, number),
        lambda: accounts.sign_out_everywhere(records, lan, number),
        lambda: accounts.list_of(records, lan),
        lambda: accounts.find(records, lan, "lan"),
    ]
    for attempt in attempts:
        with pytest.raises(ForbiddenError):
            attempt()
    (only,) = accounts.list_of(records, COMMAND_LINE)
    assert only.role is role


def test_a_role_that_does_not_exist_is_refused(records) -> None:
    number = _add(records, "lan")
    with pytest.raises(InputError, match="no role"):
        accounts.change(records, COMMAND_LINE, number, role="root")


def test_a_changed_role_acts_at_once(records) -> None:
    number = _add(records, "lan")
    token = sign_in.sign_in(records, "lan", PASSWORD)
    accounts.change(records, COMMAND_LINE, number, role="viewer")
    found = sign_in.who(records, token)
    assert found is not None
    assert found.actor.role is Role.VIEWER


def test_a_deactivated_account_is_out_at_once(records) -> None:
    number = _add(records, "lan")
    token = sign_in.sign_in(records, "lan", PASSWORD)
    accounts.change(records, COMMAND_LINE, number, active=False)
    assert sign_in.who(records, token) is None
    with pytest.raises(sign_in.SignInError):
        sign_in.sign_in(records, "lan", PASSWORD)
    accounts.change(records, COMMAND_LINE, number, active=True)
    assert sign_in.who(records, token) is None
    assert _actor(records, "lan").account_id == number


def test_one_administrator_stays(records) -> None:
    first = _add(records, "lan", Role.ADMINISTRATOR)
    for change in ({"role": "viewer"}, {"active": False}):
        with pytest.raises(InputError, match="last active administrator"):
            accounts.change(records, COMMAND_LINE, first, **change)
    with pytest.raises(InputError, match="last active administrator"):
        accounts.erase(records, COMMAND_LINE, first)
    _add(records, "binh", Role.ADMINISTRATOR)
    accounts.change(records, COMMAND_LINE, first, role="viewer")


def test_two_administrators_cannot_remove_each_other(records) -> None:
    """Both see another administrator left; only one of the changes may be kept."""
    numbers = [_add(records, login, Role.ADMINISTRATOR) for login in ("lan", "binh")]
    start = threading.Barrier(2)
    refused = []

    def demote(number: int) -> None:
        start.wait()
        try:
            accounts.change(records, COMMAND_LINE, number, role="viewer")
        except (InputError, StaleError) as error:
            refused.append(error)

    threads = [threading.Thread(target=demote, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    left = [a for a in accounts.list_of(records, COMMAND_LINE) if a.role is Role.ADMINISTRATOR]
    assert len(left) == 1


def test_two_administrators_who_edit_the_same_account_lose_nothing(records) -> None:
    number = _add(records, "lan")
    (seen,) = accounts.list_of(records, COMMAND_LINE)
    accounts.change(records, COMMAND_LINE, number, name="One", expected_version=seen.version)
    with pytest.raises(StaleError):
        accounts.change(records, COMMAND_LINE, number, role="viewer", expected_version=seen.version)
    (left,) = accounts.list_of(records, COMMAND_LINE)
    assert (left.name, left.role) == ("One", Role.PLANNER)


def test_an_erased_account_leaves_a_number_only(records) -> None:
    _add(records, "chi", Role.ADMINISTRATOR)
    number = _add(records, "lan", Role.ADMINISTRATOR, name="Nguyễn Thị Lan")
    lan = _actor(records, "lan")
    accounts.unlock(records, lan, number)
    accounts.erase(records, COMMAND_LINE, number)
    with records.reading() as session:
        row = session.get_one(Account, number)
        assert (row.login, row.email, row.password_hash) == (None, None, None)
        entries = session.scalars(sa.select(HistoryEntry)).all()
    assert not [e for e in entries if "Lan" in f"{e.acting_as} {e.detail}"]
    assert number in {entry.account_id for entry in entries}
    assert accounts.names(records)[number] == f"account {number}"
    with pytest.raises(InputError, match="no account"):
        accounts.change(records, COMMAND_LINE, number, active=True)
    assert _add(records, "lan") != number


def test_what_was_done_is_in_the_history(records) -> None:
    number = _add(records, "lan")
    accounts.change(records, COMMAND_LINE, number, role="viewer")
    with records.reading() as session:
        entries = session.scalars(sa.select(HistoryEntry).order_by(HistoryEntry.id)).all()
    assert [(e.action, e.detail) for e in entries] == [
        ("added", {"role": "planner", "organisation": "Viettel"}),
        ("changed", {"role": "viewer"}),
    ]
    assert {(e.acting_as, e.subject_id) for e in entries} == {("command line", str(number))}


def test_rules_come_from_the_folder_of_the_workspaces(tmp_path) -> None:
    own = tmp_path / "account_rules.csv"
    own.write_text("name,value,unit,verified,source\nlock,1,min,yes,regulation\n")
    assert rules(tmp_path).lock.total_seconds() == 60
    assert rules(tmp_path).failures_before_lock == rules().failures_before_lock
    own.write_text("name,value,unit,verified,source\nlock,none,min,yes,regulation\n")
    with pytest.raises(InputError, match=r"account_rules.csv, row 2, column value: none"):
        rules(tmp_path)
    own.write_text("name,value,unit,verified,source\nlocks,1,min,yes,regulation\n")
    with pytest.raises(InputError, match="no rule locks"):
        rules(tmp_path)
