"""The pages of scenarios and of new sites, in both languages."""

from __future__ import annotations

import pytest

from planning import scenarios
from planning.accounts import LOCAL
from planning.scenarios import Change
from tests.app.test_pages import healthy, wait_for

TITLES = {
    "scenarios": {"vi": "Phương án · Thử", "en": "Scenarios · Test"},
    "siting": {"vi": "Vị trí mới · Thử", "en": "New sites · Test"},
}


def button(app, label: str):
    (found,) = [item for item in app.button if item.label == label]
    return found


def kept(own, *changes: Change, title: str = "Một"):
    from app import identity

    return scenarios.create(identity.records(), LOCAL, scenarios.area_name(own), title, changes)


def removed(own, row: int = 0) -> Change:
    return Change("remove", {"mast_id": own.read("masts")["mast_id"].iloc[row]})


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("page", ["scenarios", "siting"])
def test_the_pages_show_and_show_again(start, own, page, language) -> None:
    app = start(own, page, language)
    healthy(app)
    assert app.title[0].value == TITLES[page][language]
    app.run()
    healthy(app)


def test_a_scenario_is_made_renamed_published_and_deleted(start, own) -> None:
    app = start(own, "scenarios", "en")
    assert "no scenario yet" in app.info[0].value
    app.text_input[0].set_value("<b>First</b>")
    button(app, "Make the scenario").click().run()
    healthy(app)
    assert app.dataframe[0].value["Name"].tolist() == ["<b>First</b>"]
    from app import identity

    (made,) = scenarios.list_of(identity.records(), LOCAL, "own")
    app.text_input(key=f"scenario.title.{made.id}").set_value("Second")
    button(app, "Save").click().run()
    button(app, "Publish").click().run()
    healthy(app)
    (made,) = scenarios.list_of(identity.records(), LOCAL, "own")
    assert (made.title, made.published) == ("Second", True)
    button(app, "Delete the scenario").click().run()
    healthy(app)
    assert scenarios.list_of(identity.records(), LOCAL, "own") == []


@pytest.mark.parametrize("kind", ["add", "move", "remove", "share", "edit"])
def test_each_kind_of_change_is_added_by_its_form(start, own, kind) -> None:
    from app import identity

    app = start(own, "scenarios", "en")
    name = own.read("masts")["mast_id"].iloc[0]
    opened = Change("edit", {"mast_id": name, "shareable": True, "max_tenants": 9})
    made = kept(own, opened)
    app.run()
    app.button_group(key="keep.scenario_kind").set_value(kind).run()
    healthy(app)
    if kind == "add":
        point = own.read("masts").to_crs("EPSG:4326").geometry.iloc[0]
        app.number_input(key="scenario.lat.none").set_value(point.y)
        app.number_input(key="scenario.lon.none").set_value(point.x)
    button(app, "Add the change").click().run()
    healthy(app)
    now = scenarios.get(identity.records(), LOCAL, made.id)
    assert [change.kind for change in now.changes] == ["edit", kind]
    if kind in ("add", "share"):
        assert now.changes[1].cells


def test_the_map_of_masts_has_the_borders_of_the_units(start, own, monkeypatch) -> None:
    from app.components import web_map

    drawn: list[list[str]] = []
    monkeypatch.setattr(
        web_map, "show", lambda _bounds, groups, **_: drawn.append([g.layer_name for g in groups])
    )
    app = start(own, "scenarios", "en")
    kept(own)
    app.run()
    healthy(app)
    assert drawn[-1][:2] == ["Administrative units", "Masts"]


def test_a_faulty_change_is_explained_and_not_kept(start, own) -> None:
    from app import identity

    app = start(own, "scenarios", "en")
    made = kept(own)
    app.run()
    # No place was given.
    button(app, "Add the change").click().run()
    assert not app.exception
    assert "column lon" in " ".join(item.value for item in app.error)
    assert scenarios.get(identity.records(), LOCAL, made.id).changes == ()


@pytest.mark.parametrize("language", ["vi", "en"])
def test_scenarios_are_compared(start, own, language) -> None:
    app = start(own, "scenarios", language)
    kept(own, removed(own))
    # Names need not differ.
    kept(own, removed(own, 1))
    app.session_state["keep.scenarios_compared"] = [1, 2]
    app.session_state["scenarios.part"] = {"vi": "So sánh", "en": "Comparison"}[language]
    app.run()
    healthy(app)
    words = {"vi": "So sánh các phương án", "en": "Compare the scenarios"}
    button(app, words[language]).click().run()
    wait_for(app, lambda a: len(a.dataframe) >= 2)
    healthy(app)
    summary = app.dataframe[0].value
    assert len(summary) == 3
    assert set(summary.iloc[1:, 0]) == {"Một (1)", "Một (2)"}
    app.run()
    healthy(app)


def test_sites_are_chosen_and_become_a_scenario(start, own) -> None:
    from app import identity

    app = start(own, "siting", "en")
    app.select_slider(key="keep.siting_most").set_value(50).run()
    button(app, "Choose sites").click().run()
    wait_for(app, lambda a: len(a.metric) > 0)
    healthy(app)
    assert "Chosen sites, best for the money first" in [item.value for item in app.subheader]
    services = app.dataframe[0].value
    assert services["With the plan"].tolist() == services["Computed anew with the sites"].tolist()
    button(app, "Make a scenario of it").click().run()
    healthy(app)
    (made,) = scenarios.list_of(identity.records(), LOCAL, "own")
    assert made.changes


def test_without_masts_siting_says_what_to_do(start, tmp_path) -> None:
    from tests.areas import small_area, write_area

    bare = write_area(tmp_path / "bare", small_area(), without=("masts", "cells"))
    app = start(bare, "siting", "en")
    healthy(app)
    assert "no masts or no cells" in app.info[0].value
