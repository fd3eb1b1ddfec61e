"""The page of proposals: by role, in both languages, used twice; and what others have typed."""

from __future__ import annotations

import pyarrow as pa
import pytest

from app import formats, identity
from app.markdown import plain
from data.records.engine import Records
from data.store import Workspace
from planning import proposal_files, proposal_news, proposals
from planning.accounts import Actor, Role
from planning.proposal_workflow import Status
from tests.app.how_buttons import explained
from tests.app.test_pages import healthy, texts, wait_for

CARRIER = Actor(None, "carrier", Role.CARRIER, "A")
OTHER = Actor(None, "other", Role.CARRIER, "B")
PLANNER = Actor(None, "planner", Role.PLANNER)
ADMINISTRATOR = Actor(None, "local", Role.ADMINISTRATOR)
TITLES = {"vi": "Đề xuất · Thử", "en": "Proposals · Test"}
HOSTILE = "<script>alert(1)</script> **x** :red[y] <img src=x onerror=alert(2)>"


@pytest.fixture
def records(own: Workspace, monkeypatch) -> Records:
    monkeypatch.delenv("PHUSONG_DATABASE_URL", raising=False)
    return Records.open(own.folder.parent)


@pytest.fixture
def acting(monkeypatch):
    """Choose who uses the session."""

    def use(actor: Actor) -> Actor:
        monkeypatch.setattr(identity, "actor", lambda: actor)
        return actor

    return use


def middle(area: Workspace) -> tuple[float, float]:
    point = area.read("zones").geometry.to_crs("EPSG:4326").union_all().centroid
    return point.x, point.y


def make(records: Records, area: Workspace, actor: Actor = CARRIER, **changes):
    lon, lat = middle(area)
    wish = {
        "reference": "HNM-1", "lon": lon, "lat": lat, "height_m": 42.0,
        "mast_class": "A2b", "technologies": "4G",
    } | changes  # fmt: skip
    return proposals.create(records, actor, area.folder.name, wish, submit=True)


def opened(start, own, language: str, part: str = "proposals"):
    app = start(own, "proposals", language)
    if part != "proposals":
        app.session_state["keep.proposals.part"] = part
        app.run()
    return app


def named(app, kind: str, key: str):
    return next(item for item in app.get(kind) if item.key and item.key.endswith(key))


def press(app, label: str):
    next(item for item in app.button if item.label == label).click().run()
    return app


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("actor", [CARRIER, PLANNER, ADMINISTRATOR], ids=lambda a: a.role.value)
def test_every_part_shows_and_shows_again(start, own, acting, language, actor) -> None:
    acting(actor)
    parts = ["proposals", "plans", "news"]
    if actor is not PLANNER:
        parts += ["import"]
    app = opened(start, own, language)
    assert app.title[0].value == TITLES[language]
    for part in parts:
        app.session_state["keep.proposals.part"] = part
        for _ in range(2):
            app.run()
            healthy(app)
    assert len(app.info) > 0 or actor is not PLANNER


def test_a_visitor_finds_the_page_closed(start, own, records, acting) -> None:
    make(records, own, name="secret")
    acting(Actor(None, "visitor", Role.VIEWER))
    app = start(own, "overview", "en")
    app.switch_page("app/pages/proposals.py").run()
    healthy(app)
    assert "This page is for people with the role" in texts(app)
    assert "secret" not in texts(app)
    assert not app.main.dataframe


@pytest.mark.parametrize("language", ["vi", "en"])
def test_what_others_typed_is_shown_as_it_is(start, own, records, acting, language) -> None:
    made = make(records, own, reference=HOSTILE, name=HOSTILE, note=HOSTILE)
    proposals.comment(records, CARRIER, made.id, HOSTILE)
    proposal_files.attach(records, CARRIER, made.id, HOSTILE, b"%PDF-1.7\n")
    acting(PLANNER)
    app = opened(start, own, language)
    app.session_state["proposal.chosen"] = made.id
    app.run()
    tabs = [tab.label for tab in app.tabs]
    for label in tabs:
        app.session_state[f"proposal.{made.id}.tab"] = label
        app.run()
        healthy(app)
        for item in app.get("html"):
            assert "<script>alert" not in item.proto.body
            assert "<img src=x" not in item.proto.body
        for item in app.markdown:
            assert "<script>" not in item.value.replace(plain("<script>"), "")
            assert HOSTILE not in item.value
            assert not item.allow_html or "alert(1)" not in item.value
    assert any(plain(HOSTILE) in item.value for item in app.get("subheader"))
    app.session_state["keep.proposals.part"] = "news"
    app.run()
    healthy(app)
    assert not any(HOSTILE in item.value for item in app.markdown)
    assert any(plain(HOSTILE) in item.value for item in app.markdown)


def test_tooltips_of_the_map_are_escaped(own, speak, monkeypatch) -> None:
    from app.components import proposal_map, web_map

    speak("en")
    drawn: list[web_map.Dot] = []
    monkeypatch.setattr(
        web_map, "dots_group", lambda name, dots, colour="": drawn.extend(dots) or name
    )
    proposal_map.layers(own, middle(own), HOSTILE, None, "", "")
    (site,) = [dot for dot in drawn if dot.tip[0] == HOSTILE]
    assert "&lt;script&gt;" in web_map._tip(site.tip)
    assert "<script>" not in web_map._tip(site.tip)
    assert "<img" not in web_map._tip(site.tip)


def test_another_carriers_number_shows_nothing(start, own, records, acting) -> None:
    made = make(records, own, name="secret")
    mine = make(records, own, OTHER, reference="MINE")
    acting(OTHER)
    app = opened(start, own, "en")
    app.session_state["proposal.chosen"] = made.id
    app.run()
    healthy(app)
    assert "secret" not in texts(app)
    assert "HNM-1" not in texts(app)
    app.session_state["proposal.chosen"] = mine.id
    app.run()
    assert any("MINE" in item.value for item in app.get("subheader"))


def test_a_proposal_has_an_address_for_those_who_may_see_it(start, own, records, acting) -> None:
    theirs = make(records, own, name="secret")
    mine = make(records, own, OTHER, reference="MINE")

    def asked(number: str):
        app = opened(start, own, "en")
        del app.session_state["proposal.chosen"]
        app.query_params["proposal"] = number
        app.run()
        healthy(app)
        return app, [item.value for item in app.get("subheader")]

    acting(OTHER)
    app, titles = asked(str(mine.id))
    assert any("MINE" in title for title in titles)
    assert app.query_params["proposal"] in (str(mine.id), [str(mine.id)])
    for number in (str(theirs.id), "99", "-1", "9" * 10, "9" * 5000, "1; drop table"):
        app, titles = asked(number)
        assert not titles
        assert "secret" not in texts(app)
        assert "proposal" not in app.query_params
    acting(PLANNER)
    app, titles = asked(str(theirs.id))
    assert any(plain("HNM-1") in title for title in titles)
    # Other parts of the page are not about one.
    app.session_state["keep.proposals.part"] = "news"
    app.run()
    assert "proposal" not in app.query_params


def test_a_planner_gives_a_proposal_back_and_consents(start, own, records, acting) -> None:
    made = make(records, own)
    acting(PLANNER)
    app = opened(start, own, "en")
    app.session_state["proposal.chosen"] = made.id
    app.run()
    app.session_state[f"decide-{made.id}-{made.version}"] = "Ask for changes"
    app.run()
    press(app, "Ask for changes")
    assert "A reason must be given" in app.error[0].value
    app.text_area[0].set_value("Move it north")
    press(app, "Ask for changes")
    healthy(app)
    now = proposals.get(records, PLANNER, made.id)
    assert now.status is Status.CHANGES_REQUESTED
    again = proposals.submit(records, CARRIER, made.id)
    app.run()
    app.session_state[f"decide-{again.id}-{again.version}"] = "Give consent"
    app.run()
    named(app, "text_input", "-number").set_value("369/SKHCN")
    press(app, "Give consent")
    healthy(app)
    done = proposals.get(records, PLANNER, made.id)
    assert done.status is Status.APPROVED
    assert done.scenario_id is not None
    assert proposals.steps(records, CARRIER, made.id)[0].document.number == "369/SKHCN"
    # What somebody else did in the meantime is said, not overwritten.
    assert "Consent is recorded." in app.success[0].value


def test_news_are_counted_and_read(start, own, records, acting) -> None:
    make(records, own)
    acting(PLANNER)
    app = opened(start, own, "en", "news")
    healthy(app)
    assert proposal_news.unread_count(records, PLANNER, own.folder.name) == 1
    assert "A has submitted HNM" in texts(app).replace("\\", "")
    press(app, "Mark all as read")
    healthy(app)
    assert proposal_news.unread_count(records, PLANNER, own.folder.name) == 0
    press(app, "Open")
    healthy(app)
    assert any("HNM" in item.value for item in app.get("subheader"))


def test_a_carrier_proposes_and_sees_at_once_what_it_brings(start, own, records, acting) -> None:
    acting(CARRIER)
    app = opened(start, own, "en", "new")
    healthy(app)
    assert "Choose a place" in texts(app)
    named(app, "text_input", "-reference").set_value("HNM-7").run()
    key = next(item.key for item in app.text_input if item.key.endswith("-reference"))
    stem = key.removesuffix("-reference")
    app.session_state[f"{stem}-way"] = "By coordinates"
    app.run()
    lon, lat = middle(own)
    named(app, "text_input", "-first").set_value("nowhere")
    named(app, "text_input", "-second").set_value(f"{lat:.5f}").run()
    assert "no place of the study area" in texts(app)
    named(app, "text_input", "-first").set_value(f"{lon:.5f}".replace(".", ",")).run()
    wait_for(app, lambda app: "What the site brings" in [s.value for s in app.get("subheader")])
    healthy(app)
    table = next(d.value for d in app.dataframe if "Area gained" in d.value.columns)
    assert set(table["Covered for"]) == {"A", "Any operator"}
    press(app, "Submit")
    healthy(app)
    (made,) = proposals.list_of(records, CARRIER, own.folder.name)
    assert (made.request.reference, made.status) == ("HNM-7", Status.SUBMITTED)
    kept = proposals.evaluation(records, CARRIER, made.id)
    assert kept.evaluation.result["totals"]
    assert "nothing has changed since" in texts(app)
    facts = dict(explained(app, "en")["proposals"])
    assert facts["Computed by"] == "planning.proposal_evaluation.Evaluator.evaluate"
    # Numbers are written as the language does, by their style.
    gains = [d for d in app.dataframe if "Area gained, km²" in d.value.columns]
    shown = (
        pa.ipc.open_stream(gains[0].proto.arrow_data.styler.display_values).read_all().to_pandas()
    )
    expected = [formats.number(value, 2) for value in gains[0].value["Area gained, km²"]]
    assert shown.iloc[:, 2].tolist() == expected
    # The form is empty again, and a second look changes nothing.
    app.session_state["keep.proposals.part"] = "new"
    app.run()
    healthy(app)
    assert named(app, "text_input", "-reference").value == ""
    assert len(proposals.list_of(records, CARRIER, own.folder.name)) == 1


def test_a_carrier_proposes_antennas_on_a_mast_and_changes_them(
    start, own, records, acting
) -> None:
    acting(CARRIER)
    app = opened(start, own, "en", "new")
    named(app, "text_input", "-reference").set_value("HNM-8").run()
    key = next(item.key for item in app.text_input if item.key.endswith("-reference"))
    stem = key.removesuffix("-reference")
    app.session_state[f"{stem}-kind"] = "share"
    app.run()
    healthy(app)
    masts = own.read("masts").set_index("mast_id")
    mast = masts["height_m"].idxmax()
    app.session_state[f"{stem}-mast"] = mast
    app.run()
    wait_for(app, lambda app: "What the site brings" in [s.value for s in app.get("subheader")])
    healthy(app)
    press(app, "Save as draft")
    healthy(app)
    (made,) = proposals.list_of(records, CARRIER, own.folder.name)
    assert (made.request.kind, made.request.mast_id) == ("share", mast)
    assert made.status is Status.DRAFT
    press(app, "Edit")
    healthy(app)
    stem = f"proposal-edit-{made.id}-0"
    app.session_state[f"{stem}-technologies"] = ["2G"]
    app.run()
    # Antennas of one's own, beginning with what is usual for the operator.
    app.session_state[f"{stem}-own-cells"] = True
    app.run()
    healthy(app)
    press(app, "Submit")
    healthy(app)
    again = proposals.get(records, CARRIER, made.id)
    assert again.status is Status.SUBMITTED
    assert again.request.kind == "share"
    height = masts["height_m"][mast]
    assert {cell["technology"] for cell in again.request.cells} == {"2G"}
    assert all(1.0 < cell["antenna_height_m"] <= height for cell in again.request.cells)
    facts = texts(app)
    assert "Height for the antennas" in facts or "The antennas hang" in facts
    # Nothing is built, so that no permit is needed, as long as the appraisal is of this wish.
    acting(PLANNER)
    app = consenting(start, own, again)
    assert named(app, "checkbox", "-permit").value is False
    proposals.request_changes(records, PLANNER, again.id, "4G too")
    changed = {**again.request.to_dict(), "technologies": ["2G", "4G"], "cells": []}
    proposals.edit(records, CARRIER, again.id, changed)
    app = consenting(start, own, proposals.submit(records, CARRIER, again.id))
    assert named(app, "checkbox", "-permit").value is True
    assert any("was changed after it was worked out" in item.value for item in app.warning)


def consenting(start, own, proposal):
    """Open a proposal where a planner is about to consent."""
    app = opened(start, own, "en")
    app.session_state["proposal.chosen"] = proposal.id
    app.run()
    app.session_state[f"decide-{proposal.id}-{proposal.version}"] = "Give consent"
    app.run()
    healthy(app)
    return app


def test_a_file_is_looked_at_before_it_is_kept(start, own, records, acting) -> None:
    acting(CARRIER)
    app = opened(start, own, "en", "import")
    lon, lat = middle(own)
    header = "reference,lon,lat,mast_class,height_m,technologies\n"
    bad = f"{header}P1,{lon},{lat},A9,42,4G\nP2,{lon},{lat},A2b,42,4G\n"
    app.get("file_uploader")[0].upload("sites.csv", bad.encode(), "text/csv").run()
    assert "1 error" in app.error[0].value
    assert not [item for item in app.button if item.label.startswith("Make")]
    app.get("file_uploader")[0].upload(
        "sites.csv", bad.replace("A9", "A2a").encode(), "text/csv"
    ).run()
    press(app, "Make 2 proposals")
    healthy(app)
    assert len(proposals.list_of(records, CARRIER, own.folder.name)) == 2
