"""Several study areas beside each other, and the one that a session looks at."""

import shutil
from pathlib import Path

import pytest

from app import areas
from data.store import Workspace
from tests.areas import small_area, write_area


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A folder with two areas, the second one renamed."""
    first = write_area(tmp_path / "first", small_area())
    shutil.copytree(first.folder, tmp_path / "second")
    other = Workspace.open(tmp_path / "second")
    layers = {name: other.read(name) for name in other.layers()}
    rasters = {name: other.raster_path(name) for name in other.rasters()}
    area = other.area
    named = type(area)(
        "second", "Vùng hai", "Second area", area.crs, area.illustrative, area.resolution_m
    )
    Workspace.replace(tmp_path / "third", named, layers, other.provenance(), rasters=rasters)
    shutil.rmtree(tmp_path / "second")
    (tmp_path / "no-workspace").mkdir()
    return tmp_path


def titles(app) -> list[str]:
    return next(item.options for item in app.selectbox if item.key == areas.KEY)


def test_a_session_changes_its_area_and_the_address_says_so(start, two) -> None:
    app = start(two / "first", language="en")
    assert titles(app) == ["Test", "Second area"]
    assert app.title[0].value == "Overview · Test"
    app.selectbox(key=areas.KEY).set_value("third").run()
    assert not app.exception
    assert app.title[0].value == "Overview · Second area"
    assert app.query_params[areas.KEY] == "third"
    app.switch_page("app/pages/data.py").run()
    assert app.title[0].value == "Data · Second area"
    app.selectbox(key=areas.KEY).set_value("first").run()
    assert app.title[0].value == "Data · Test"
    assert areas.KEY not in app.query_params


@pytest.mark.parametrize(
    ("asked", "shown"), [("third", "Second area"), ("../first", "Test"), ("no-workspace", "Test")]
)
def test_the_address_names_known_areas_only(start, two, monkeypatch, asked, shown) -> None:
    from streamlit.testing.v1 import AppTest

    from tests.app.conftest import ENTRY

    monkeypatch.setenv("PHUSONG_WORKSPACE", str(two / "first"))
    app = AppTest.from_file(ENTRY, default_timeout=60)
    app.query_params["lang"] = "en"
    app.query_params[areas.KEY] = asked
    app.run()
    assert not app.exception
    assert app.title[0].value == f"Overview · {shown}"


def test_one_area_needs_no_choice(start, own) -> None:
    app = start(own)
    assert [item for item in app.selectbox if item.key == areas.KEY] == []
