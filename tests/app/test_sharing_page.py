"""The page on sharing: masts to share, fewest masts and white spots, in both languages."""

import io
import zipfile

import pytest

from app import i18n
from app.components import white_spots as components
from data.errors import message
from data.store import Workspace
from planning import white_spot_remedies, white_spots
from tests.app.test_pages import healthy, wait_for
from tests.areas import small_area, write_area
from tests.planning import sharing_areas

TITLES = {"vi": "Dùng chung hạ tầng · Thử", "en": "Infrastructure sharing · Test"}

PARTS = ("Masts to share", "Fewest masts", "White spots")

BUTTONS = {
    "Masts to share": "Find masts to share",
    "Fewest masts": "Find the masts that can go",
    "White spots": "Look into white spots",
}


@pytest.fixture(scope="module")
def area(tmp_path_factory) -> Workspace:
    """Eight masts near each other; only its caches change."""
    return sharing_areas.workspace(tmp_path_factory.mktemp("sharing-page") / "w", masts=8)


def test_every_reason_and_remedy_has_a_name() -> None:
    assert tuple(components.CAUSES) == white_spots.CAUSES
    assert tuple(components.KINDS) == white_spot_remedies.KINDS


def part(app, title: str):
    """Look at another part of the page."""
    app.session_state["sharing.part"] = i18n.translate(message(title))
    return app.run()


def press(app, title: str):
    """Press the button that starts a part's computation, and wait for its figures."""
    label = i18n.translate(message(BUTTONS[title]))
    (button,) = [item for item in app.button if item.label == label]
    button.click().run()
    return wait_for(app, lambda a: a.metric)


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("title", PARTS)
def test_every_part_computes_shows_and_shows_again(start, area, language, title) -> None:
    app = start(area, "sharing", language)
    healthy(app)
    assert app.title[0].value == TITLES[language]
    app.session_state["keep.sharing_distance"] = 1500.0
    app.session_state["keep.consolidation_time"] = 15.0
    app.session_state["keep.white_most"] = 10
    press(part(app, title), title)
    healthy(app)
    assert len(app.metric) == 3
    app.run()
    healthy(app)
    assert len(app.metric) == 3
    # Another question asks for another computation.
    if title == "White spots":
        app.session_state["keep.white_order"] = "area"
    else:
        app.session_state["keep.sharing_distance"] = 1000.0
    app.run()
    healthy(app)
    assert not app.metric


def test_an_area_without_near_masts_is_shown_without_pairs(start, area) -> None:
    app = start(area, "sharing", "en")
    app.session_state["keep.sharing_distance"] = 100.0
    press(part(app, "Masts to share"), "Masts to share")
    healthy(app)
    assert app.metric[1].value == "0"
    assert "No two masts could become one." in [item.value for item in app.info]


def test_the_tables_say_what_the_analysis_says(start, area) -> None:
    app = start(area, "sharing", "en")
    app.session_state["keep.sharing_distance"] = 1500.0
    press(part(app, "Masts to share"), "Masts to share")
    made = app.session_state["sharing.pairs"][1]
    possible = made.result.pairs[made.result.pairs["possible"].astype(bool)]
    table = next(item.value for item in app.dataframe if "Goes" in item.value.columns)
    assert sorted(zip(table["Goes"], table["Takes its antennas"], strict=True)) == sorted(
        zip(possible["guest"], possible["host"], strict=True)
    )
    assert app.metric[1].value == str(made.result.summary["pairs_possible"])
    names = zipfile.ZipFile(io.BytesIO(made.files)).namelist()
    assert {"sharing.json", "sharing.gpkg", "pairs.csv"} <= set(names)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_without_masts_the_page_says_what_to_do(start, tmp_path, language) -> None:
    workspace = write_area(tmp_path / "none", small_area(), without=("masts", "cells"))
    app = start(workspace, "sharing", language)
    healthy(app)
    said = i18n.translate(
        message(
            "Sharing needs masts in operation with their cells, and terrain heights. Upload "
            "them on the page Data."
        )
    )
    assert app.info[0].value == said
    assert not app.tabs


def test_a_fault_in_the_numbers_is_one_sentence(start, area, tmp_path) -> None:
    workspace = sharing_areas.workspace(tmp_path / "w", masts=5)
    (workspace.folder / "sharing_assumptions.csv").write_text(
        "name,low,typical,high,unit,verified,source\ndistance,far,1,1,m,no,x\n", encoding="utf-8"
    )
    app = start(workspace, "sharing", "en")
    assert not app.exception
    assert any("row 2, column low: far" in item.value for item in app.error)
