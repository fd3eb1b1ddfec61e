"""Every page in both languages, used twice; empty, failing and long-running cases."""

import os
import re
import shutil
import time
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest

from app import areas, i18n, jobs, places, references
from coverage import run
from data.errors import message
from data.records.engine import Records
from data.store import Workspace
from planning import accounts, indicator_values
from tests.app.conftest import DEFAULT

PAGES = ["overview", "coverage_map", "data"]
TITLES = {
    ("overview", "vi"): "Tổng quan · Thử",
    ("overview", "en"): "Overview · Test",
    ("coverage_map", "vi"): "Bản đồ vùng phủ · Thử",
    ("coverage_map", "en"): "Coverage map · Test",
    ("data", "vi"): "Dữ liệu · Thử",
    ("data", "en"): "Data · Test",
}


def healthy(app) -> None:
    assert not app.exception
    assert not [item.value for item in app.error]


def texts(app) -> str:
    """All that the page says, without the marks of HTML."""
    kinds = ("html", "markdown", "caption", "info", "warning", "error", "success", "title")
    parts = [str(getattr(item, "value", "")) for kind in kinds for item in app.get(kind)]
    parts += [str(getattr(item.proto, "body", "")) for item in app.get("html")]
    return re.sub(r"<[^>]+>", " ", " ".join(parts))


def wait_for(app, condition, seconds: float = 120.0):
    """Run the page again and again until it is as it should be."""
    end = time.monotonic() + seconds
    while not condition(app):
        assert time.monotonic() < end, texts(app)
        time.sleep(0.2)
        app.run()
    return app


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("page", PAGES)
def test_pages_show_and_show_again(start, computed, page, language) -> None:
    app = start(computed, page, language)
    healthy(app)
    assert app.title[0].value == TITLES[page, language]
    app.run()
    healthy(app)
    illustrative = {"vi": "Dữ liệu minh họa", "en": "Illustrative data"}[language]
    assert illustrative in app.warning[0].value


def test_the_language_switch_changes_the_page_and_the_address(start, computed, speak) -> None:
    app = start(computed)
    assert app.title[0].value.startswith("Tổng quan")
    app.get("button_group")[0].set_value("en").run()
    speak("en")
    healthy(app)
    assert app.title[0].value.startswith("Overview")
    assert app.query_params["lang"] == "en"
    app.get("button_group")[0].set_value("vi").run()
    speak("vi")
    assert app.title[0].value.startswith("Tổng quan")


def test_a_switch_without_a_value_keeps_the_language_of_the_address(start, computed) -> None:
    app = start(computed, language="en")
    app.session_state["language"] = None
    app.run()
    healthy(app)
    assert app.title[0].value.startswith("Overview")
    assert app.query_params["lang"] == "en"


def test_the_overview_has_the_computed_figures(start, computed) -> None:
    result = run.lookup(computed, DEFAULT)
    table = result.figures
    share = table[
        (table["level"] == "province")
        & (table["service"] == "4G")
        & (table["operator"] == "any")
        & (table["measure"] == "area")
    ]["share"].item()
    app = start(computed, language="en")
    assert f"{100 * share:.1f}%" in texts(app)
    zones = app.dataframe[-1].value
    assert len(zones) == 3
    for choice, value in (("keep.measure", "village"), ("keep.operator", "A")):
        app.selectbox(key=choice).set_value(value).run()
        healthy(app)
    app.selectbox(key="keep.level").set_value("province").run()
    healthy(app)
    assert len(app.dataframe[-1].value) == 1


def test_units_of_several_times_are_chosen_from(start, own) -> None:
    """The three communes of today were two, one of them under a code that is used again."""
    today = own.read("zones")
    communes = today[today["level"] == "commune"]
    ended = {"valid_from": "2020-01-01", "valid_to": "2025-06-30"}
    first = communes.iloc[:1].assign(name="Xã Cũ", **ended)
    first.geometry = [communes.geometry.iloc[:2].union_all()]
    last = communes.iloc[2:].assign(code="OLD", name="Xã Xưa", **ended)
    zones = gpd.GeoDataFrame(pd.concat([today, first, last], ignore_index=True), crs=today.crs)
    provenance = own.provenance()["zones"]
    own.write({"zones": zones}, {"zones": provenance})
    result = run.compute(own, DEFAULT)
    app = start(own)
    healthy(app)
    choice = app.selectbox(key="keep.vintage_commune")
    assert len(choice.options) == 2
    assert "01/01/2020" in choice.options[0]
    assert choice.value == "2025-07-01"
    assert app.dataframe[-1].value.iloc[:, 0].tolist() == communes["code"].tolist()
    choice.set_value("2020-01-01").run()
    healthy(app)
    assert set(app.dataframe[-1].value.iloc[:, 1]) == {"Xã Cũ", "Xã Xưa"}
    app.switch_page("app/pages/coverage_map.py").run()
    healthy(app)
    assert app.selectbox(key="keep.vintage_commune").value == "2020-01-01"
    # A place is named by the units of today.
    middle = first.to_crs("EPSG:4326").geometry.iloc[0].representative_point()
    named = places.explain(own, result, middle.y, middle.x).zones
    assert "Xã Cũ" not in named
    assert len(named) == 2


def test_choices_outlive_a_change_of_page(start, computed) -> None:
    app = start(computed, language="en")
    app.selectbox(key="keep.operator").set_value("B").run()
    app.switch_page("app/pages/data.py").run()
    app.switch_page("app/pages/coverage_map.py").run()
    healthy(app)
    assert app.selectbox(key="keep.operator").value == "B"
    assert app.session_state["language"] == "en"


def test_map_layers_can_be_changed(start, computed) -> None:
    app = start(computed, "coverage_map", "en")
    for _ in range(2):
        for key, value in (
            ("keep.subject", "level"),
            ("keep.service", "any"),  # has no level: shown as covered or not
            ("keep.subject", "zones"),
            ("keep.service", "2G"),
        ):
            app.button_group(key=key).set_value(value).run()
            healthy(app)
        app.selectbox(key="keep.background").set_value("none").run()
        app.slider(key="keep.opacity").set_value(40).run()
        healthy(app)


def test_the_data_page_lists_what_is_loaded(start, computed) -> None:
    app = start(computed, "data", "en")
    loaded = app.dataframe[0].value
    assert set(loaded["Layer"]) >= {"Masts", "Cells", "Terrain height"}
    assert (loaded["State"] == "illustrative").all()
    app.selectbox(key="keep.data_layer").set_value("cells").run()
    healthy(app)
    assert "azimuth_deg" in set(app.dataframe[1].value["Column"])


def test_uncomputed_coverage_is_computed_when_asked_for(start, bare, tmp_path) -> None:
    folder = tmp_path / "w"
    shutil.copytree(bare.folder, folder)
    app = start(folder, language="en")
    assert "has not been computed" in app.info[0].value
    (button,) = [item for item in app.button if item.label == "Compute coverage"]
    button.click().run()
    wait_for(app, lambda a: "Share covered" in texts(a))
    healthy(app)
    assert run.lookup(Workspace.open(folder), DEFAULT) is not None


def test_a_computation_can_be_cancelled(start, bare, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "w"
    shutil.copytree(bare.folder, folder)

    def endless(_area, _request, *, on_progress):
        step = 0
        while True:
            step += 1
            on_progress(min(0.5, step / 1000))
            time.sleep(0.005)

    monkeypatch.setattr(run, "compute", endless)
    app = start(folder, language="en")
    next(item for item in app.button if item.label == "Compute coverage").click().run()
    next(item for item in app.button if item.label == "Cancel").click().run()
    (job,) = [item for key, item in jobs.JOBS._jobs.items() if key[1] == str(folder)]
    end = time.monotonic() + 60
    while job.active and time.monotonic() < end:
        time.sleep(0.02)
    assert job.state is jobs.State.CANCELLED
    app.run()
    healthy(app)
    assert "Cancelled" in texts(app)
    assert [item for item in app.button if item.label == "Compute coverage"]


def test_a_computation_that_cannot_succeed_says_why(start, own, monkeypatch) -> None:
    own.write({}, {}, drop=["terrain"])
    app = start(own, language="vi")
    next(item for item in app.button if item.label == "Tính vùng phủ").click().run()
    wait_for(app, lambda a: a.error)
    assert not app.exception
    assert app.error[0].value == (
        "Thư mục làm việc chưa có dữ liệu địa hình mà mô hình truyền sóng cần"
    )


def test_without_cells_the_pages_say_what_to_do(start, own) -> None:
    own.write({}, {}, drop=["cells"])
    for page in ("overview", "coverage_map"):
        app = start(own, page, "en")
        healthy(app)
        assert "no cells yet" in app.info[0].value


def test_reported_figures_come_from_the_indicators(start, own) -> None:
    records = Records.open(own.folder.parent)
    value = {"indicator": "mobile_4g_area", "value": 91.0, "denominator": "area"}
    indicator_values.write(records, accounts.LOCAL, own, value)
    app = start(own, language="en")
    healthy(app)
    assert "91%" in texts(app)
    assert references.read(own, records) == [references.ReportedFigure("4G", "area", 91.0)]


def test_a_damaged_file_of_reported_figures_stops_one_page_only(start, own) -> None:
    (own.folder / indicator_values.FORMER_FILE).write_text("{", encoding="utf-8")
    app = start(own, language="vi")
    assert not app.exception
    assert app.error[0].value.startswith(f"Không đọc được {indicator_values.FORMER_FILE}")
    app.switch_page("app/pages/data.py").run()
    healthy(app)


def test_a_failing_page_shows_a_sentence_and_no_traceback(start, computed, monkeypatch) -> None:
    def fail(*_args):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("app.components.settings.show", fail)
    app = start(computed, language="en")
    assert not app.exception
    assert "could not be shown" in app.error[0].value
    assert "secret" not in texts(app)
    app.switch_page("app/pages/data.py").run()
    healthy(app)


def test_a_failing_part_of_the_map_shows_a_sentence(start, computed, monkeypatch) -> None:
    def fail(*_args):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("app.components.map_layers.groups", fail)
    app = start(computed, "coverage_map", "en")
    assert not app.exception
    assert "could not be shown" in app.error[0].value


def test_a_damaged_workspace_is_one_sentence(start, tmp_path) -> None:
    (tmp_path / "workspace.gpkg").write_bytes(b"not a database")
    app = start(tmp_path, language="en")
    assert not app.exception
    assert len(app.error) == 1
    assert "Traceback" not in app.error[0].value


def test_the_embedded_area_is_built_where_there_is_none(start, tmp_path, monkeypatch) -> None:
    built = []

    def build(area, folder, *, on_progress):
        on_progress(0.5)
        built.append((area, Path(folder)))

    monkeypatch.setattr("data.build.build", build)
    app = start(tmp_path / "new", language="en")
    assert not app.exception
    end = time.monotonic() + 60
    while not built and time.monotonic() < end:
        time.sleep(0.02)
    assert built == [("demo", tmp_path / "new")]
    assert "being built" in texts(app)


def test_the_folder_comes_from_the_environment(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PHUSONG_WORKSPACE", str(tmp_path))
    assert areas.folder() == tmp_path
    monkeypatch.delenv("PHUSONG_WORKSPACE")
    assert areas.folder().name == "demo"
    assert os.environ.get("PHUSONG_WORKSPACE") is None


MASTS = "mast_id,lon,lat,height_m,name\nT1,105.9,20.5,30,Một\nT2,105.91,20.5,-4,Hai\n"


def part(app, title: str):
    """Look at another part of the data page."""
    app.session_state["data.part"] = i18n.translate(message(title))
    return app.run()


def upload(app, layer: str, name: str, content: bytes):
    part(app, "Upload a file")
    if layer != "masts":
        app.selectbox(key="keep.upload_layer").set_value(layer).run()
    app.get("file_uploader")[0].set_value((name, content, "text/csv")).run()
    return app


def test_a_bad_row_is_named_and_the_rest_can_be_kept(start, own) -> None:
    before = own.read("masts")
    app = upload(start(own, "data", "en"), "masts", "new.csv", MASTS.encode())
    assert not app.exception
    rows = [
        frame.value
        for frame in app.dataframe
        if {"Row", "Column", "Expected"} <= set(frame.value.columns)
    ][-1]
    assert rows.loc[rows["Row"] == "3", ["Column", "Found"]].values.tolist() == [["height_m", "-4"]]
    assert len(own.read("masts")) == len(before)
    (keep,) = [item for item in app.button if "Keep" in item.label]
    keep.click().run()
    assert not app.exception
    assert "1 row was kept" in app.success[0].value
    assert own.read("masts")["mast_id"].tolist() == ["T1"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("words.csv", b"one two three\nfour\n"),
        ("picture.xlsx", b"\x89PNG\r\n\x1a\n" + bytes(500)),
        ("damaged.gpkg", b"SQLite format 3\x00" + bytes(2000)),
        ("noise.csv", bytes(range(256)) * 400),
    ],
)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_useless_file_is_one_sentence(start, computed, name, content, language) -> None:
    before = computed.content_hash()
    app = upload(start(computed, "data", language), "masts", name, content)
    assert not app.exception
    assert len(app.error) == 1
    assert "\n" not in app.error[0].value
    assert not [item for item in app.button if item.label in ("Keep this file", "Lưu tệp này")]
    assert computed.content_hash() == before
