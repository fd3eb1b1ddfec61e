"""Signing in, and the page Administration, in both languages."""

from __future__ import annotations

import pytest
import streamlit as st
from argon2 import PasswordHasher
from streamlit.testing.v1 import AppTest

from app import areas, identity
from data.records.engine import Records
from data.store import Workspace
from planning import accounts, history, passwords
from planning.accounts import COMMAND_LINE, Actor, Role
from tests.app.conftest import ROOT
from tests.app.test_data_page import FOREIGN, give
from tests.app.test_pages import healthy, part, texts

PASSWORD = "mưa rào tháng sáu"
OTHER = "nắng hạ bến sông"


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch):
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", lambda: weak)
    monkeypatch.delenv("PHUSONG_DATABASE_URL", raising=False)


@pytest.fixture
def records(own: Workspace) -> Records:
    return Records.open(own.folder.parent)


@pytest.fixture
def people(records) -> dict[str, int]:
    """One account of each role; the login is the role."""
    return {
        role.value: accounts.add(
            records,
            COMMAND_LINE,
            login=role.value,
            name=f"Người {role.value}",
            role=role,
            organisation="Viettel",
            password=PASSWORD,
            must_change=False,
        )
        for role in Role
    }


def field(app, key: str):
    return next(item for item in app.text_input if item.key == key)


def press(app, label: str):
    next(item for item in app.button if item.label == label).click().run()
    return app


def enter(app, login: str, password: str = PASSWORD):
    field(app, "sign-in.login").set_value(login)
    field(app, "sign-in.password").set_value(password)
    return press(app, "Sign in" if "en" in app.query_params["lang"] else "Đăng nhập")


def test_alone_on_the_machine_nobody_signs_in(start, own) -> None:
    app = start(own, "data", "en")
    healthy(app)
    assert not [item for item in app.text_input if item.key == "sign-in.login"]
    assert not Records.exists(own.folder.parent)
    part(app, "Upload a file")
    assert "Only planners" not in texts(app)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_first_administrator_is_made_in_the_app(start, own, language) -> None:
    app = start(own, "administration", language)
    healthy(app)
    field(app, "set-up.login").set_value("lan")
    field(app, "set-up.name").set_value("<b>Lan</b> **x**")
    field(app, "set-up.password").set_value(PASSWORD)
    field(app, "set-up.again").set_value(OTHER)
    make = {"vi": "Tạo quản trị viên", "en": "Make the administrator"}[language]
    press(app, make)
    assert (
        app.error[0].value
        == {
            "vi": "Hai mật khẩu không giống nhau.",
            "en": "The two passwords differ.",
        }[language]
    )
    field(app, "set-up.again").set_value(PASSWORD)
    press(app, make)
    healthy(app)
    users = [str(item.proto.body) for item in app.get("html") if '"ps-user"' in item.proto.body]
    assert "&lt;b&gt;Lan&lt;/b&gt; **x**" in users[-1]
    (only,) = accounts.list_of(Records.open(own.folder.parent), COMMAND_LINE)
    assert only.role is Role.ADMINISTRATOR
    # Once more, with what is there by now.
    app.run()
    healthy(app)
    assert len(app.dataframe[0].value) == 1


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_visitor_looks_and_signs_in_and_out(start, own, people, language) -> None:
    app = start(own, "data", language)
    part(app, "Upload a file")
    healthy(app)
    only = {
        "vi": "Chỉ cán bộ quy hoạch và quản trị viên được thay đổi dữ liệu",
        "en": "Only planners and administrators change data",
    }[language]
    assert only in texts(app)
    enter(app, "planner", "not the password")
    assert "5" in app.error[0].value
    enter(app, "planner")
    healthy(app)
    assert only not in texts(app)
    assert "Người planner" in texts(app)
    press(app, {"vi": "Đăng xuất", "en": "Sign out"}[language])
    healthy(app)
    assert "Người planner" not in texts(app)
    assert identity._TOKEN not in app.session_state


@pytest.mark.parametrize("role", ["viewer", "carrier", "planner"])
def test_the_administration_is_for_administrators(start, own, people, role, monkeypatch) -> None:
    app = enter(start(own, "overview", "en"), role)
    page = "app/pages/administration.py"
    app.switch_page(page).run()
    healthy(app)
    assert "This page is for people with the role administrator." in texts(app)
    assert "signed in (in the sidebar)" not in texts(app)
    assert not app.main.dataframe
    assert not app.main.text_input
    # Reached all the same, it shows nothing.
    monkeypatch.setattr(identity, "actor", lambda: Actor(people[role], "Lan", Role(role)))
    alone = AppTest.from_file(str(ROOT / page)).run()
    assert len(alone.exception) == 1
    assert not alone.dataframe
    assert not alone.text_input


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_link_to_a_closed_page_opens_after_signing_in(start, own, people, language) -> None:
    app = start(own, "proposals", language)
    healthy(app)
    closed = {
        "vi": "Trang này dành cho người có vai trò doanh nghiệp",
        "en": "This page is for people with the role carrier or planner or administrator. It opens",
    }[language]
    assert closed in texts(app)
    enter(app, "carrier")
    healthy(app)
    assert closed not in texts(app)
    assert {"vi": "Đề xuất · ", "en": "Proposals · "}[language] in texts(app)


def test_a_session_that_ended_is_noticed(start, own, records, people) -> None:
    app = enter(start(own, "overview", "en"), "planner")
    assert "Người planner" in texts(app)
    accounts.sign_out_everywhere(records, COMMAND_LINE, people["planner"])
    app.run()
    healthy(app)
    assert "Your session has ended" in texts(app)
    assert "Người planner" not in texts(app)


def test_a_role_acts_on_the_next_step(start, own, records, people) -> None:
    app = enter(start(own, "data", "en"), "planner")
    accounts.change(records, COMMAND_LINE, people["planner"], role="viewer")
    part(app, "Upload a file")
    assert "Only planners" in texts(app)


def test_a_password_of_others_is_changed_first(start, own, records, people) -> None:
    accounts.set_password(records, COMMAND_LINE, people["planner"], OTHER)
    app = enter(start(own, "data", "en"), "planner", OTHER)
    part(app, "Upload a file")
    assert "Only planners" in texts(app)
    field(app, "own-password.old").set_value(OTHER)
    field(app, "own-password.new").set_value(PASSWORD)
    field(app, "own-password.again").set_value(PASSWORD)
    press(app, "Change the password")
    healthy(app)
    assert "Your password was changed" in texts(app)
    assert "Only planners" not in texts(app)


def _administrate(start, own, language="en"):
    app = enter(start(own, "overview", language), "administrator")
    return app.switch_page("app/pages/administration.py").run()


def _choose(app, number: int):
    next(i for i in app.selectbox if i.key == "administration.account").set_value(number).run()
    return app


def test_accounts_are_added_and_changed(start, own, records, people) -> None:
    app = _administrate(start, own)
    healthy(app)
    assert len(app.dataframe[0].value) == 4
    for key, value in {
        "name": "Bình",
        "organisation": "",
        "login": "binh",
        "password": PASSWORD,
    }.items():
        field(app, f"account.new.{key}").set_value(value)
    press(app, "Add")
    healthy(app)
    number = accounts.find(records, COMMAND_LINE, "binh")
    _choose(app, number)
    field(app, f"account.{number}.1.name").set_value("Bình Minh")
    press(app, "Save")
    healthy(app)
    assert "The account was changed" in texts(app)
    next(i for i in app.checkbox if i.key == f"account.{number}.sure").check().run()
    press(app, "Erase")
    healthy(app)
    assert accounts.names(records)[number] == f"account {number}"


def test_two_administrators_change_the_same_account(start, own, records, people) -> None:
    app = _choose(_administrate(start, own), people["planner"])
    accounts.change(records, COMMAND_LINE, people["planner"], name="From elsewhere")
    field(app, f"account.{people['planner']}.1.organisation").set_value("VNPT")
    press(app, "Save")
    assert "Somebody else has changed this" in app.error[0].value
    assert "From elsewhere" in accounts.names(records).values()
    press(app, "Show it as it is now")
    healthy(app)
    assert field(app, f"account.{people['planner']}.2.name").value == "From elsewhere"


@pytest.mark.parametrize("language", ["vi", "en"])
def test_history_and_database_are_shown(start, own, people, language) -> None:
    app = _administrate(start, own, language)
    app.session_state["administration.part"] = {"vi": "Lịch sử", "en": "History"}[language]
    app.run()
    healthy(app)
    done = {"vi": "đã thêm", "en": "added"}[language]
    assert [list(f.value.iloc[:, 3]) for f in app.dataframe] == [[done] * 4]
    database = {"vi": "Cơ sở dữ liệu", "en": "Database"}[language]
    app.session_state["administration.part"] = database
    app.run()
    healthy(app)
    assert "records.gpkg" in texts(app)


@pytest.mark.parametrize(
    ("address", "headers", "alone"),
    [
        ("localhost", {"Host": "localhost:8501"}, True),
        ("127.0.0.1", {"Host": "[::1]:8501"}, True),
        ("localhost", {"Host": "phusong.example.org"}, False),
        ("localhost", {"Host": "localhost:8501", "X-Forwarded-For": "192.0.2.1"}, False),
        ("0.0.0.0", {"Host": "localhost:8501"}, False),
        (None, {"Host": "localhost:8501"}, False),
    ],
)
def test_who_is_at_the_machine(monkeypatch, own, address, headers, alone) -> None:
    class Context:
        pass

    context = Context()
    context.headers = headers  # type: ignore[attr-defined]
    monkeypatch.setenv("PHUSONG_WORKSPACE", str(own.folder))
    monkeypatch.setattr(st, "get_option", lambda _name: address)
    monkeypatch.setattr(st, "context", context)
    assert identity.on_this_machine() is alone
    assert identity.actor().role is (Role.ADMINISTRATOR if alone else Role.VIEWER)


def test_an_open_server_wants_the_code_of_its_console(start, own, monkeypatch, capfd) -> None:
    monkeypatch.setattr(identity, "on_this_machine", lambda: False)
    identity._print_set_up_code.cache_clear()
    app = start(own, "data", "en")
    part(app, "Upload a file")
    assert "Only planners" in texts(app)
    printed = capfd.readouterr().err
    code = printed.strip().split()[-1]
    app.run()
    assert code not in capfd.readouterr().err
    for given in ("", "wrong"):
        field(app, "set-up.code").set_value(given)
        field(app, "set-up.login").set_value("lan")
        field(app, "set-up.name").set_value("Lan")
        field(app, "set-up.password").set_value(PASSWORD)
        field(app, "set-up.again").set_value(PASSWORD)
        press(app, "Make the administrator")
        assert app.error[0].value == "This is not the code that the server has printed"
    assert not accounts.exist(Records.open(own.folder.parent))
    field(app, "set-up.code").set_value(code)
    press(app, "Make the administrator")
    healthy(app)
    assert "Only planners" not in texts(app)


def test_an_identity_provider_brings_its_users(start, own, records, people, monkeypatch) -> None:
    accounts.add(
        records,
        COMMAND_LINE,
        name="Chi",
        role="planner",
        email="chi@example.org",
        issuer="https://id.example.org",
    )
    told = {"is_logged_in": True, "iss": "https://id.example.org", "email": "x@example.org"}
    monkeypatch.setattr(identity, "claims", lambda: told)
    app = start(own, "data", "en")
    assert "has no account here" in texts(app)
    told["email"] = "chi@example.org"
    app.run()
    part(app, "Upload a file")
    healthy(app)
    assert "Only planners" not in texts(app)


def test_who_changed_data_is_in_the_history(start, own, records, people) -> None:
    app = part(enter(start(own, "data", "en"), "planner"), "Upload a file")
    give(app, "upload-masts-0", "trạm.csv", FOREIGN.encode())
    press(app, "Keep this file")
    press(app, "Undo")
    healthy(app)
    done = history.entries(records, COMMAND_LINE, kind="data")
    assert [(e.action, e.account_id, e.area) for e in done] == [
        ("import undone", people["planner"], "own"),
        ("imported", people["planner"], "own"),
    ]


def test_a_role_that_was_taken_away_keeps_nothing(start, own, records, people, monkeypatch) -> None:
    """The form was there when the role was; the function refuses all the same."""
    app = part(enter(start(own, "data", "en"), "planner"), "Upload a file")
    give(app, "upload-masts-0", "trạm.csv", FOREIGN.encode())
    before = own.content_hash("masts")
    monkeypatch.setattr(identity, "may_change_data", lambda: True)
    accounts.change(records, COMMAND_LINE, people["planner"], role="viewer")
    press(app, "Keep this file")
    assert "This needs the role planner or administrator; yours is viewer" in app.error[0].value
    assert Workspace.open(own.folder).content_hash("masts") == before


def test_a_database_that_is_away_is_one_sentence(start, own, monkeypatch) -> None:
    monkeypatch.setenv("PHUSONG_DATABASE_URL", "postgresql://phusong:secret@127.0.0.1:1/phusong")
    app = start(own, "overview", "en")
    assert not app.exception
    assert "phusong (127.0.0.1) cannot be used" in app.error[0].value
    assert "secret" not in app.error[0].value


def test_the_names_of_areas_survive_signing_in(start, own, people) -> None:
    app = start(own, "overview", "en")
    chosen = app.session_state[areas.KEY]
    enter(app, "planner")
    assert app.session_state[areas.KEY] == chosen
    assert app.session_state["language"] == "en"
