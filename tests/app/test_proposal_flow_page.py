"""The page of proposals: many from a file, evaluated beside the page; news read one by one."""

from __future__ import annotations

import threading

import pytest

from app import evaluators, jobs
from planning import proposal_news, proposals, site_plans
from planning.proposal_workflow import Document
from tests.app.test_pages import healthy, texts, wait_for
from tests.app.test_proposals_page import (
    CARRIER,
    PLANNER,
    make,
    middle,
    opened,
    press,
)
from tests.app.test_proposals_page import acting as acting
from tests.app.test_proposals_page import records as records

HEADER = "reference,lon,lat,mast_class,height_m,technologies\n"


def upload(app, text: str):
    app.get("file_uploader")[0].upload("sites.csv", text.encode(), "text/csv").run()


@pytest.fixture
def busy():
    """Another computation under way, which ends when the test says so."""
    end = threading.Event()
    jobs.JOBS.start("another", lambda _: end.wait(60))
    yield end
    end.set()


def test_a_file_of_two_hundred_sites_does_not_hold_the_page(
    start, own, records, acting, busy
) -> None:
    acting(CARRIER)
    lon, lat = middle(own)
    rows = [f"P{k},{lon + 1e-5 * k:.6f},{lat:.6f},A2b,42,4G\n" for k in range(200)]
    app = opened(start, own, "en", "import")
    upload(app, HEADER + "".join(rows))
    press(app, "Make 200 proposals")
    healthy(app)
    found = proposals.list_of(records, CARRIER, own.folder.name)
    assert len(found) == 200
    # The page is here and nothing is worked out yet: the work waits for its turn.
    (bar,) = app.get("progress")
    assert bar.proto.text.startswith("Working out what 200 proposals bring: waiting")
    assert not any(proposals.evaluation(records, CARRIER, item.id) for item in found)
    press(app, "Cancel")
    busy.set()
    wait_for(app, lambda app: "What is worked out is kept" in texts(app))
    app.run()
    assert "What is worked out is kept" not in texts(app)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_what_a_file_brings_is_worked_out_and_kept(start, own, records, acting, language) -> None:
    acting(CARRIER)
    lon, lat = middle(own)
    app = opened(start, own, language, "import")
    upload(app, f"{HEADER}P1,{lon},{lat},A2b,42,4G\nP2,{lon + 0.002},{lat},A2b,30,4G\n")
    press(app, {"en": "Make 2 proposals", "vi": "Tạo 2 đề xuất"}[language])
    said = {"en": "What 2 proposals bring is worked out", "vi": "Đã tính xong"}[language]
    wait_for(app, lambda app: said in texts(app))
    found = proposals.list_of(records, CARRIER, own.folder.name)
    for item in found:
        kept = proposals.evaluation(records, CARRIER, item.id)
        assert kept is not None
        assert kept.evaluation.inputs["site"] == item.request.to_dict()
    app.run()
    healthy(app)
    assert said not in texts(app)


def test_a_file_with_a_code_in_use_or_a_place_elsewhere_makes_nothing(
    start, own, records, acting
) -> None:
    there = make(records, own)
    acting(CARRIER)
    lon, lat = middle(own)
    app = opened(start, own, "en", "import")
    rows = [f"P1,{lon},{lat},A2b,42,4G", f"HNM-1,{lon},{lat},A2b,30,4G"]
    upload(app, HEADER + "\n".join(rows))
    table = app.dataframe[-1].value
    assert table["Row"].tolist() == ["3"]
    assert f"proposal {there.id} has this code" in " ".join(map(str, table.iloc[0]))
    assert not [item for item in app.button if item.label.startswith("Make")]
    upload(app, f"{HEADER}{rows[0]}\nP2,{lon + 1.0},{lat},A2b,42,4G\n")
    table = app.dataframe[-1].value
    assert "expected a place within" in " ".join(map(str, table.iloc[0]))
    assert len(proposals.list_of(records, CARRIER, own.folder.name)) == 1


def test_opening_one_piece_of_news_leaves_the_others(start, own, records, acting) -> None:
    for number in range(3):
        make(records, own, reference=f"HNM-{number}")
    acting(PLANNER)
    app = opened(start, own, "en", "news")
    newest = proposal_news.list_of(records, PLANNER, own.folder.name)[0]
    next(item for item in app.button if item.key == f"news-{newest.id}").click().run()
    healthy(app)
    assert any("HNM-2" in item.value.replace("\\", "") for item in app.get("subheader"))
    assert proposal_news.unread_count(records, PLANNER, own.folder.name) == 2


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_plan_that_is_over_is_shown_as_that_and_not_offered(
    start, own, records, acting, monkeypatch, language
) -> None:
    # The form is looked at, not what the site brings.
    monkeypatch.setattr(evaluators, "begin", lambda area: None)
    monkeypatch.setattr(evaluators, "obtained", lambda area: None)
    name = own.folder.name
    for title, until in (("Old", "2020-12-31"), ("Good", None)):
        plan = site_plans.submit_own(records, CARRIER, name, title)
        decision = Document(title, "2020-01-01", valid_to=until)
        site_plans.decide(records, PLANNER, plan.id, decision)
    acting(CARRIER)
    app = opened(start, own, language, "plans")
    healthy(app)
    states = app.dataframe[0].value.iloc[:, 2].tolist()
    assert (
        states == {"en": ["Expired", "In force"], "vi": ["Hết hiệu lực", "Có hiệu lực"]}[language]
    )
    lon, lat = middle(own)
    app = opened(start, own, language, "new")
    stem = next(item.key for item in app.text_input if item.key.endswith("-reference"))
    stem = stem.removesuffix("-reference")
    app.session_state[f"{stem}.place"] = (lon, lat)
    app.run()
    (offered,) = [item for item in app.selectbox if item.key == f"{stem}-plan"]
    assert "Good" in offered.options
    assert "Old" not in offered.options
