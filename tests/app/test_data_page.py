"""The data page: import with foreign columns, undo, export, other times, new areas."""

from __future__ import annotations

import io
import json
import threading
import time

import numpy as np
import pandas as pd
import pytest
import shapely

from app import areas, i18n
from data import build, plan
from data.errors import InputError, message
from data.grid import Grid, Raster
from data.sources import place_search
from data.sources.source import Place
from data.store import Workspace
from tests.app.test_pages import healthy, part, texts, wait_for

FOREIGN = "Mã trạm;Kinh độ;Vĩ độ;Chiều cao cột (ft)\nT1;105°54'00\"E;20°30'00\"N;100\n"


def give(app, key: str, name: str, content: bytes):
    (field,) = [item for item in app.get("file_uploader") if item.key == key]
    field.set_value((name, content, "application/octet-stream")).run()
    return app


def button(app, label: str):
    (found,) = [item for item in app.button if item.label == label]
    return found


def test_foreign_columns_are_recognised_and_the_import_can_be_undone(start, own) -> None:
    before = own.read("masts")
    app = part(start(own, "data", "en"), "Upload a file")
    give(app, "upload-masts-0", "trạm.csv", FOREIGN.encode())
    healthy(app)
    used = next(f.value for f in app.dataframe if "theirs" in f.value.columns)
    assert dict(zip(used["theirs"], used["ours"], strict=True))["Mã trạm"] == "mast_id"
    button(app, "Keep this file").click().run()
    healthy(app)
    masts = Workspace.open(own.folder).read("masts")
    assert masts["height_m"].tolist() == pytest.approx([30.48])
    assert "Last import: trạm.csv" in texts(app)
    button(app, "Undo").click().run()
    healthy(app)
    assert "are as they were before" in app.success[0].value
    again = Workspace.open(own.folder).read("masts")
    assert again["mast_id"].tolist() == before["mast_id"].tolist()


def test_a_raster_is_imported_with_its_origin(start, own, tmp_path) -> None:
    grid = Grid.covering(own.read("zones").total_bounds.tolist(), 500.0, own.area.crs)
    from data import rasters, schema

    path = tmp_path / "people.tif"
    values = np.full(grid.shape, 25.0, np.float32)
    rasters.write(path, schema.RASTERS["population"], Raster(grid, values))
    app = part(start(own, "data", "en"), "Upload a file")
    app.selectbox(key="keep.upload_layer").set_value("population").run()
    give(app, "upload-population-0", "people.tif", path.read_bytes())
    app.text_input[0].set_value("Statistics office")
    button(app, "Keep this file").click().run()
    healthy(app)
    about = Workspace.open(own.folder).provenance()["population"]
    assert about.source == "Statistics office"
    assert not about.illustrative


@pytest.mark.parametrize("kind", ["geopackage", "shapefile", "kml", "csv", "excel", "geojson"])
def test_a_layer_is_taken_along(start, computed, kind) -> None:
    app = part(start(computed, "data", "en"), "Export")
    app.selectbox(key="keep.export_layer").set_value("villages").run()
    app.selectbox(key="keep.export_format").set_value(kind).run()
    button(app, "Prepare the file").click().run()
    healthy(app)
    (download,) = [item for item in app.get("download_button") if "villages" in item.proto.label]
    assert f"({len(computed.read('villages'))} rows)" in download.proto.label


def test_the_quality_of_the_data_is_said(start, computed) -> None:
    app = part(start(computed, "data", "en"), "Check")
    healthy(app)
    assert "without gaps or overlaps" in " ".join(item.value for item in app.markdown)


def test_units_of_one_time_leave_nothing_to_carry_over(start, computed) -> None:
    zones = computed.read("zones")
    app = part(start(computed, "data", "en"), "Units of another time")
    healthy(app)
    table = pd.DataFrame({"code": zones.loc[zones["level"] == "commune", "code"], "houses": 10.0})
    give(app, "carry.file", "figures.csv", table.to_csv(index=False).encode())
    app.selectbox(key="carry.new").set_value(0).run()
    healthy(app)
    result = app.dataframe[-1].value
    assert len(result) == 1
    assert result["houses"].item() == pytest.approx(10.0 * len(table), rel=1e-3)


def small_place(area: Workspace) -> Place:
    zones = area.read("zones").to_crs("EPSG:4326")
    west, south, east, north = zones.total_bounds
    return Place("Somewhere", (west, south, east, north), "VNM", shapely.box(*zones.total_bounds))


@pytest.fixture
def found(computed, monkeypatch) -> Place:
    """A search that finds one place without asking a server."""
    place = small_place(computed)

    class Found:
        def place(self) -> Place:
            return place

    monkeypatch.setattr(place_search, "search", lambda _text: [Found()])
    return place


def has_button(app, label: str) -> bool:
    return any(item.label == label for item in app.button)


def new_area(app):
    part(app, "New study area")
    app.text_input[0].set_value("Somewhere")
    button(app, "Search").click().run()
    healthy(app)
    return app


def without_sources(monkeypatch) -> None:
    monkeypatch.setattr(plan, "DEFAULT_SOURCES", {})


def test_an_area_is_planned_built_and_shown(start, own, found, monkeypatch) -> None:
    without_sources(monkeypatch)
    app = new_area(start(own, "data", "en"))
    terrain = own.raster_path("terrain").read_bytes()
    people = own.raster_path("population").read_bytes()
    give(app, "new_area.file.terrain", "terrain.tif", terrain)
    give(app, "new_area.file.population", "people.tif", people)
    released, make_plan = threading.Event(), plan.make_plan

    def slow(*args, **options):
        released.wait(60)
        return make_plan(*args, **options)

    monkeypatch.setattr(plan, "make_plan", slow)
    button(app, "Show what has to be downloaded").click().run()
    # However long the sources take, what was given is kept.
    app.run()
    assert "Asking the sources" in app.get("progress")[0].proto.text
    released.set()
    wait_for(app, lambda a: has_button(a, "Build the study area"))
    healthy(app)
    planned = app.dataframe[-1].value
    assert set(planned["To download"]) == {"own file"}
    button(app, "Build the study area").click().run()
    wait_for(app, lambda a: any("has been built" in item.value for item in a.success))
    healthy(app)
    assert app.title[0].value == "Data · Somewhere"
    assert app.query_params[areas.KEY] == "somewhere"
    made = Workspace.open(own.folder.parent / "somewhere")
    assert made.has("terrain")
    assert len(made.read("zones")) == 1


def test_a_build_that_fails_or_is_cancelled_says_so(start, own, found, monkeypatch) -> None:
    without_sources(monkeypatch)

    def failing(*_args, **_options):
        raise InputError("The server {name} cannot be reached", name="example")

    monkeypatch.setattr(build, "build_from", failing)
    app = new_area(start(own, "data", "en"))
    button(app, "Show what has to be downloaded").click().run()
    wait_for(app, lambda a: has_button(a, "Build the study area"))
    button(app, "Build the study area").click().run()
    wait_for(app, lambda a: bool(a.error))
    assert "example" in app.error[0].value
    assert not (own.folder.parent / "somewhere").exists()

    def endless(*_args, on_progress, **_options):
        while True:
            on_progress(0.1)
            time.sleep(0.01)

    monkeypatch.setattr(build, "build_from", endless)
    wait_for(app, lambda a: has_button(a, "Build the study area"))
    button(app, "Build the study area").click().run()
    wait_for(app, lambda a: has_button(a, "Cancel"))
    button(app, "Cancel").click().run()
    wait_for(app, lambda a: any("Cancelled" in item.value for item in a.info))


def test_a_place_that_cannot_be_found_is_one_sentence(start, computed, monkeypatch) -> None:
    def offline(_text):
        raise InputError("No server can be reached")

    monkeypatch.setattr(place_search, "search", offline)
    app = part(start(computed, "data", "vi"), "New study area")
    app.text_input[0].set_value("X")
    button(app, i18n.translate(message("Search"))).click().run()
    assert not app.exception
    assert len(app.error) == 1


def test_a_box_and_a_boundary_file_say_where(start, computed) -> None:
    app = part(start(computed, "data", "en"), "New study area")
    app.button_group(key="new_area.way").set_value("box").run()
    for field, value in zip(app.number_input, (105.8, 20.4, 105.9, 20.3), strict=True):
        field.set_value(value)
    app.run()
    assert len(app.error) == 1
    app.number_input[3].set_value(20.5).run()
    healthy(app)
    country = app.selectbox(key="new_area.country")
    assert "Vietnam" in country.options
    country.set_value("VNM").run()
    healthy(app)
    assert has_button(app, "Show what has to be downloaded")
    app.button_group(key="new_area.way").set_value("file").run()
    outline = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {},
                "geometry": shapely.box(105.8, 20.4, 105.9, 20.5).__geo_interface__,
            }
        ],
    }
    stream = io.BytesIO(json.dumps(outline).encode())
    give(app, "new_area.boundary", "../outline.geojson", stream.getvalue())
    healthy(app)
    assert has_button(app, "Show what has to be downloaded")
