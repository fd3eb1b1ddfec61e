"""Signing in: attempts are counted, sessions end, and nothing tells who has an account."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from data.errors import InputError
from data.records.account_tables import Account, HistoryEntry, SignInSession
from data.records.engine import Records
from planning import accounts, passwords, sign_in
from planning.account_rules import rules
from planning.accounts import COMMAND_LINE, VISITOR, Role

PASSWORD = "mưa rào tháng sáu"
OTHER = "nắng hạ bến sông"


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch):
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", lambda: weak)


@pytest.fixture
def clock(monkeypatch):
    """A clock that is moved by hand."""

    class Clock:
        time = dt.datetime(2026, 1, 1, 8, tzinfo=dt.UTC)

        def __call__(self) -> dt.datetime:
            return self.time

        def forward(self, **span: float) -> None:
            self.time += dt.timedelta(**span)

    moved = Clock()
    monkeypatch.setattr(sign_in, "now", moved)
    monkeypatch.setattr(accounts, "now", moved)
    return moved


@pytest.fixture
def lan(records) -> int:
    return accounts.add(
        records,
        COMMAND_LINE,
        login="lan",
        name="Lan",
        role="planner",
        password=PASSWORD,
        must_change=False,
    )


def _fail(records: Records, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(sign_in.SignInError):
            sign_in.sign_in(records, "lan", "wrong password")


def test_the_first_administrator_is_made_once(records) -> None:
    sign_in.set_up(records, login="first", name="A", password=PASSWORD)
    with pytest.raises(InputError, match="already"):
        sign_in.set_up(records, login="second", name="B", password=OTHER)
    found = sign_in.who(records, sign_in.sign_in(records, "FIRST", PASSWORD))
    assert found is not None
    assert found.actor.role is Role.ADMINISTRATOR
    assert not found.must_change


def test_two_first_administrators_at_once(records) -> None:
    def set_up(number: int) -> bool:
        try:
            sign_in.set_up(records, login=f"user{number}", name="A", password=PASSWORD)
        except InputError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(set_up, range(8))) == 1


def test_failures_in_a_row_lock_for_a_time(records, lan, clock) -> None:
    limits = rules()
    _fail(records, limits.failures_before_lock)
    with pytest.raises(sign_in.SignInError):
        sign_in.sign_in(records, "lan", PASSWORD)
    (listed,) = accounts.list_of(records, COMMAND_LINE)
    assert listed.locked_until == clock.time + limits.lock
    clock.forward(seconds=limits.lock.total_seconds() + 1)
    assert sign_in.who(records, sign_in.sign_in(records, "lan", PASSWORD)) is not None
    with records.reading() as session:
        assert session.scalars(sa.select(HistoryEntry.action)).all() == ["added", "locked"]


def test_success_starts_the_count_anew(records, lan) -> None:
    limit = rules().failures_before_lock
    for _ in range(3):
        _fail(records, limit - 1)
        sign_in.sign_in(records, "lan", PASSWORD)


def test_an_administrator_unlocks(records, lan) -> None:
    _fail(records, rules().failures_before_lock)
    accounts.unlock(records, COMMAND_LINE, lan)
    sign_in.sign_in(records, "lan", PASSWORD)


def test_many_attempts_at_once_are_counted_one_by_one(records, lan, monkeypatch) -> None:
    looked_at = []
    fits = passwords.fits

    def watched(password: str, kept: str | None) -> bool:
        looked_at.append(kept)
        return fits(password, kept)

    monkeypatch.setattr(passwords, "fits", watched)
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: _fail(records), range(40)))
    assert sum(kept is not None for kept in looked_at) == rules().failures_before_lock


def test_the_sentence_does_not_tell_who_has_an_account(records, lan) -> None:
    said = set()
    _fail(records, rules().failures_before_lock)
    for login in ("lan", "nobody", ""):
        with pytest.raises(sign_in.SignInError) as error:
            sign_in.sign_in(records, login, PASSWORD)
        said.add(str(error.value))
    assert len(said) == 1


def test_a_session_ends_when_it_is_idle(records, lan, clock) -> None:
    token = sign_in.sign_in(records, "lan", PASSWORD)
    idle = rules().idle.total_seconds()
    for _ in range(3):
        clock.forward(seconds=idle - 1)
        assert sign_in.who(records, token) is not None
    clock.forward(seconds=idle + 61)
    assert sign_in.who(records, token) is None


def test_a_session_ends_at_last(records, lan, clock) -> None:
    token = sign_in.sign_in(records, "lan", PASSWORD)
    step = rules().idle / 2
    spent = dt.timedelta(0)
    while spent + step < rules().session:
        clock.forward(seconds=step.total_seconds())
        spent += step
        assert sign_in.who(records, token) is not None
    clock.forward(seconds=step.total_seconds())
    assert sign_in.who(records, token) is None


def test_ended_sessions_are_swept_away(records, lan, clock) -> None:
    sign_in.sign_in(records, "lan", PASSWORD)
    clock.forward(days=1)
    sign_in.sign_in(records, "lan", PASSWORD)
    with records.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(SignInSession)) == 1


def test_signing_out_ends_this_session_only(records, lan) -> None:
    here, there = (sign_in.sign_in(records, "lan", PASSWORD) for _ in range(2))
    sign_in.sign_out(records, here)
    assert sign_in.who(records, here) is None
    assert sign_in.who(records, there) is not None
    assert accounts.sign_out_everywhere(records, COMMAND_LINE, lan) == 1
    assert sign_in.who(records, there) is None


def test_other_tokens_open_nothing(records, lan) -> None:
    sign_in.sign_in(records, "lan", PASSWORD)
    for token in (None, "", "x", "' OR 1=1 --"):
        assert sign_in.who(records, token) is None


def test_neither_password_nor_token_is_in_the_database(records, lan) -> None:
    token = sign_in.sign_in(records, "lan", PASSWORD)
    with records.reading() as session:
        account = session.get_one(Account, lan)
        kept = session.scalars(sa.select(SignInSession)).one()
    assert account.password_hash is not None
    assert account.password_hash.startswith("$argon2id$")
    assert token not in kept.token_hash


def test_a_password_set_by_others_must_be_changed(records, lan) -> None:
    before = sign_in.sign_in(records, "lan", PASSWORD)
    accounts.set_password(records, COMMAND_LINE, lan, OTHER)
    assert sign_in.who(records, before) is None
    token = sign_in.sign_in(records, "lan", OTHER)
    found = sign_in.who(records, token)
    assert found is not None
    assert (found.must_change, found.actor.role) == (True, Role.VIEWER)
    with pytest.raises(InputError, match="old one"):
        sign_in.change_password(records, token, OTHER, OTHER)
    found = sign_in.who(records, sign_in.change_password(records, token, OTHER, PASSWORD))
    assert found is not None
    assert (found.must_change, found.actor.role) == (False, Role.PLANNER)


def test_ones_own_password_needs_the_old_one(records, lan) -> None:
    token = sign_in.sign_in(records, "lan", PASSWORD)
    elsewhere = sign_in.sign_in(records, "lan", PASSWORD)
    with pytest.raises(sign_in.SignInError):
        sign_in.change_password(records, token, "wrong password", OTHER)
    with pytest.raises(InputError, match="characters"):
        sign_in.change_password(records, token, PASSWORD, "short")
    new = sign_in.change_password(records, token, PASSWORD, OTHER)
    assert sign_in.who(records, new) is not None
    assert sign_in.who(records, elsewhere) is None
    _fail(records)
    sign_in.sign_in(records, "lan", OTHER)


ISSUER = "https://id.example.org/"


CLAIMS = [
    ({"iss": ISSUER, "email": "Lan@Example.org"}, Role.PLANNER),
    ({"iss": ISSUER, "email": "lan@example.org", "email_verified": True}, Role.PLANNER),
    ({"iss": ISSUER, "email": "lan@example.org", "email_verified": False}, Role.VIEWER),
    ({"iss": "https://other.example.org/", "email": "lan@example.org"}, Role.VIEWER),
    ({"iss": ISSUER, "email": "binh@example.org"}, Role.VIEWER),
    ({"iss": ISSUER}, Role.VIEWER),
    ({}, Role.VIEWER),
]


def test_an_identity_provider_names_the_account(records) -> None:
    number = accounts.add(
        records,
        COMMAND_LINE,
        name="Lan",
        role="planner",
        email="lan@example.org",
        issuer=ISSUER,
    )
    found = [sign_in.who_claims(records, claims) for claims, _ in CLAIMS]
    assert [actor.role for actor in found] == [role for _, role in CLAIMS]
    assert {actor for actor in found if actor.role is Role.VIEWER} == {VISITOR}
    accounts.change(records, COMMAND_LINE, number, active=False)
    assert sign_in.who_claims(records, CLAIMS[0][0]) == VISITOR
