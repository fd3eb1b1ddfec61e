"""The records database: one form in both databases, whole under concurrency."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from data.records import engine, tables
from data.records.account_tables import Account


def _account(login: str = "an") -> Account:
    return Account(login=login, login_key=login, name="An", role="planner")


def test_a_row_comes_back_as_it_was_written(records) -> None:
    with records.session() as session:
        row = _account()
        session.add(row)
    with records.reading() as session:
        back = session.get_one(Account, row.id)
        assert (back.name, back.created_at, back.version) == ("An", row.created_at, 1)


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

    with pytest.raises(engine.StaleError):
        write()
    with records.reading() as session:
        assert session.scalars(sa.select(Account)).one().name == "Bình"


def test_history(records) -> None:
    class Who:
        account_id, name, role, organisation = 1, "x", "planner", ""

    with records.session() as session:
        tables.append_history(
            session,
            area="demo",
            kind="account",
            subject_id=1,
            actor=Who(),
            action="made",
            detail={"role": "planner"},
        )
    for statement in ("UPDATE history SET action = 'x'", "DELETE FROM history"):
        with pytest.raises(sa.exc.DBAPIError, match="cannot be edited"), records.session() as s:
            s.execute(sa.text(statement))
