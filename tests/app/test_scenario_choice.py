"""Looking at a scenario: by its address, from the sidebar, and back."""

import pytest

from app import areas
from data.records.engine import Records
from planning import scenarios
from planning.accounts import LOCAL, VISITOR
from planning.scenarios import Change
from tests.app.test_pages import healthy, texts


@pytest.fixture
def made(own):
    """A scenario that takes a mast away from the area of the session."""
    records = Records.open(own.folder.parent)
    mast = own.read("masts")["mast_id"].iloc[0]
    change = Change("remove", {"mast_id": mast})
    title = "Bớt *một* trạm"
    yield scenarios.create(records, LOCAL, own.folder.name, title, [change])
    records.close()


def test_an_address_opens_a_scenario_and_the_banner_leads_back(start, own, made) -> None:
    app = start(own, language="en")
    app.query_params["scenario"] = str(made.id)
    app.session_state["scenario.chosen"] = made.id
    app.run()
    healthy(app)
    assert "Bớt" in app.info[0].value
    # A star in a title is a star, no mark of Markdown.
    assert r"\*một\*" in app.info[0].value
    # Its coverage is one of its own, so it is not computed yet.
    assert "has not been computed" in texts(app)
    (back,) = [item for item in app.button if item.label == "Back to the network of today"]
    back.click().run()
    healthy(app)
    assert "Share covered" in texts(app)
    assert "scenario" not in app.query_params


def test_a_new_session_reads_the_address(start, own, made, monkeypatch) -> None:
    from streamlit.testing.v1 import AppTest

    from tests.app.conftest import ENTRY

    monkeypatch.setenv("PHUSONG_WORKSPACE", str(own.folder))
    app = AppTest.from_file(ENTRY, default_timeout=60)
    app.query_params["lang"] = "vi"
    app.query_params["scenario"] = str(made.id)
    app.run()
    healthy(app)
    assert "Phương án" in app.info[0].value
    app.switch_page("app/pages/data.py").run()
    healthy(app)
    assert "không làm thay đổi" in app.info[0].value
    # The choice outlives the change of page, and is in the address again.
    assert app.query_params["scenario"] == [str(made.id)] or app.query_params["scenario"] == str(
        made.id
    )


@pytest.mark.parametrize("number", ["999", "-1", "1e9", "7; drop table", "²", "9" * 10, "9" * 5000])
def test_an_unknown_scenario_is_one_sentence_and_the_base(start, own, made, number) -> None:
    app = start(own, language="en")
    app.query_params["scenario"] = number
    del app.session_state["scenario.chosen"]
    app.run()
    healthy(app)
    assert "Share covered" in texts(app)
    if number == "999":
        assert "no scenario 999" in texts(app)


def test_the_sidebar_offers_what_the_user_may_see(start, own, made, monkeypatch) -> None:
    app = start(own, language="en")
    choice = app.selectbox(key="scenario.switch")
    assert choice.options == ["Network of today", "Bớt *một* trạm"]
    choice.set_value(made.id).run()
    healthy(app)
    assert "Scenario" in app.info[0].value
    # A visitor is not told of what is not published.
    monkeypatch.setattr("app.identity.actor", lambda: VISITOR)
    app.run()
    assert not app.exception
    assert "Scenario" not in "".join(item.value for item in app.info)
    assert not [item for item in app.selectbox if item.key == "scenario.switch"]
    assert areas.KEY in app.session_state
