"""The broadband page: coverage and route design, in both languages, used as people use it."""

from __future__ import annotations

import io
import math
import re
import time
import zipfile

import pytest

from app import i18n, labels, money
from app.components import fibre_design, fibre_jobs, fibre_request, fibre_result
from data.errors import InputError, message
from data.records.engine import Records
from data.store import Workspace
from planning import accounts, broadband, cost, fibre, indicator_values
from planning.fibre import DesignRequest
from tests.app.how_buttons import explained, turned
from tests.app.test_pages import healthy, texts, wait_for

TITLES = {"vi": "Băng rộng · Thử", "en": "Broadband · Test"}


def part(app, title: str):
    """Look at another part of the page."""
    app.session_state["broadband.part"] = i18n.translate(message(title))
    return app.run()


def button(app, label: str):
    (found,) = [item for item in app.button if item.label == label]
    return found


def has_button(app, label: str) -> bool:
    return any(item.label == label for item in app.button)


def table_with(app, column: str):
    return next(item.value for item in app.dataframe if column in item.value.columns)


def computed_coverage(app):
    button(app, "Compute broadband coverage").click().run()
    wait_for(app, lambda a: "Share served" in texts(a))
    healthy(app)
    return app


def designed(app):
    button(app, "Design routes").click().run()
    wait_for(app, lambda a: bool(a.metric))
    healthy(app)
    return app


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("name", ["Broadband coverage", "Route design"])
def test_both_parts_show_and_show_again(start, computed, language, name) -> None:
    app = part(start(computed, "broadband", language), name)
    healthy(app)
    assert app.title[0].value == TITLES[language]
    app.run()
    healthy(app)


def test_the_coverage_is_computed_and_shown(start, own) -> None:
    app = computed_coverage(start(own, "broadband", "en"))
    (folder,) = (own.folder / "results").glob("broadband-*")
    table = broadband.load(folder).figures
    share = table[
        (table["level"] == "province")
        & (table["service"] == "broadband")
        & (table["measure"] == "household")
    ]["share"].item()
    assert f"{100 * share:.1f}%" in texts(app)
    zones = table_with(app, "Fixed broadband")
    assert len(zones) == 3
    assert {"Mobile broadband", "Within reach, with a port"} <= set(zones.columns)
    assert "not as the crow flies" not in texts(app)  # a help text, not on the page itself
    for choice, value in (
        ("keep.broadband_measure", "population"),
        ("keep.broadband_chart", "broadband_reach"),
        ("keep.level", "province"),
    ):
        app.selectbox(key=choice).set_value(value).run()
        healthy(app)
    assert len(table_with(app, "Fixed broadband")) == 1
    for subject in ("either", "zones", "fixed"):
        app.button_group(key="keep.broadband_subject").set_value(subject).run()
        healthy(app)
    # Another question is another computation.
    app.number_input(key="keep.broadband_drop").set_value(500.0).run()
    healthy(app)
    assert has_button(app, "Compute broadband coverage")


def test_few_homes_are_drawn_one_by_one(start, own) -> None:
    app = start(own, "broadband", "en")
    app.selectbox(key="keep.broadband_homes").set_value("villages").run()
    computed_coverage(app)
    for subject in ("either", "zones"):
        app.button_group(key="keep.broadband_subject").set_value(subject).run()
        healthy(app)


def test_a_figure_without_denominator_is_set_beside_households(start, own) -> None:
    records = Records.open(own.folder.parent)
    for code, percent, what in (
        ("broadband_unstated", 80.0, ""),
        ("mobile_4g_area", 12.5, "area"),
    ):
        value = {"indicator": code, "value": percent, "denominator": what}
        indicator_values.write(records, accounts.LOCAL, own, value)
    app = computed_coverage(start(own, "broadband", "en"))
    said = texts(app)
    assert "80%" in said
    assert "Share of what is not stated." in said
    assert "12.5%" not in said


def test_mobile_broadband_can_be_left_away(start, bare, tmp_path) -> None:
    import shutil

    folder = tmp_path / "w"
    shutil.copytree(bare.folder, folder)
    app = start(folder, "broadband", "en")
    app.checkbox(key="keep.broadband_mobile").uncheck().run()
    computed_coverage(app)
    assert "no figures for mobile broadband" in texts(app)
    assert "either" not in app.button_group(key="keep.broadband_subject").options


@pytest.mark.parametrize("language", ["vi", "en"])
def test_without_fibre_the_page_says_what_to_import(start, own, language) -> None:
    own.write({}, {}, drop=["fibre_nodes"])
    app = start(own, "broadband", language)
    healthy(app)
    wanted = {"vi": "Điểm mạng cáp quang", "en": "Fibre network points"}[language]
    assert wanted in app.info[0].value
    assert not has_button(app, i18n.translate(message("Compute broadband coverage")))
    # Sites can still be connected with each other.
    app = part(app, "Route design")
    healthy(app)
    assert has_button(app, i18n.translate(message("Design routes")))


def test_without_routes_there_is_nothing_to_design(start, own) -> None:
    own.write({}, {}, drop=["roads", "fibre_segments"])
    app = part(start(own, "broadband", "en"), "Route design")
    healthy(app)
    assert "Routes need" in app.info[0].value


def endless(*_args, on_progress, **_options):
    while True:
        on_progress(0.1)
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("module", "function", "name", "label"),
    [
        (broadband, "coverage", "Broadband coverage", "Compute broadband coverage"),
        (fibre, "prepare", "Route design", "Design routes"),
    ],
)
def test_computations_can_be_cancelled_and_can_fail(
    start, own, monkeypatch, module, function, name, label
) -> None:
    monkeypatch.setattr(module, function, endless)
    app = part(start(own, "broadband", "en"), name)
    button(app, label).click().run()
    wait_for(app, lambda a: has_button(a, "Cancel"))
    button(app, "Cancel").click().run()
    wait_for(app, lambda a: any("Cancelled" in item.value for item in a.info))
    healthy(app)

    def failing(*_args, **_options):
        raise InputError("None of the {count} sites can be reached: {first}", count=3, first="x")

    monkeypatch.setattr(module, function, failing)
    button(app, label).click().run()
    wait_for(app, lambda a: bool(a.error))
    assert not app.exception
    assert app.error[0].value == "None of the 3 sites can be reached: x"


def test_routes_are_designed_and_budgets_tried(start, own) -> None:
    app = designed(part(start(own, "broadband", "en"), "Route design"))
    plan = app.session_state["fibre.plan"]
    design = plan.made.design
    assert app.metric[0].value == f"{design.summary['connected']} of 3"
    assert "proven" in texts(app)
    facts = dict(explained(app, "en")["routes"])
    assert facts["Computed by"] == "planning.fibre.design"
    assert facts["Proven bound"].endswith(money.written(design.bound, "VND"))
    assert {f"Price: {labels.cost_item(item).lower()}" for item in design.bill["item"]} <= set(
        facts
    )
    assert facts["Roads"].startswith("illustrative")
    part(turned(app, "vi"), "Route design")
    healthy(app)
    spoken = dict(explained(app, "vi")["routes"])
    assert len(spoken) == len(facts)
    assert spoken["Cận đã chứng minh"].startswith("các tuyến tốn ít nhất")
    part(turned(app, "en"), "Route design")
    total = re.escape(money.written(design.cost.typical, "VND"))
    assert re.search(rf"Total\s+{total}", texts(app))
    assert design.bill["typical"].sum() == pytest.approx(design.cost.typical)
    labels_ = {item.proto.label for item in app.get("download_button")}
    assert labels_ >= {"Bill of quantities (Excel)", "Routes and sites (GeoPackage)"}
    assert "xl/workbook.xml" in zipfile.ZipFile(io.BytesIO(plan.made.workbook)).namelist()
    assert plan.made.package.startswith(b"SQLite format 3")
    assert plan.curve is not None
    assert plan.curve["value"].is_monotonic_increasing
    # Too little for the cheapest site: that is said, and nothing is built.
    slider = app.select_slider(key="keep.fibre_budget")
    budget = fibre_design.steps_up_to(design.route_cost)[0]
    slider.set_value(budget).run()
    wait_for(app, lambda a: budget in a.session_state["fibre.budgets"])
    app.run()
    healthy(app)
    poor = app.session_state["fibre.budgets"][budget].design
    assert poor.route_cost <= budget
    assert len(table_with(app, "Why not")) == 3 - poor.summary["connected"]
    facts = dict(explained(app, "en")["routes"])
    assert facts["Budget"] == money.written(budget, "VND")
    assert "by weight" in facts["Proven bound"]
    assert app.metric[0].value == f"{poor.summary['connected']} of 3"
    # Back without a new computation.
    app.select_slider(key="keep.fibre_budget").set_value(fibre_design.NO_LIMIT).run()
    healthy(app)
    assert app.metric[0].value == f"{design.summary['connected']} of 3"
    # Prices of one's own make it another design.
    assert not has_button(app, "Design routes")
    rows = cost.TABLE.read_text(encoding="utf-8").splitlines()[:2]
    (own.folder / cost.OWN_FILE).write_text("\n".join(rows) + "\n", encoding="utf-8")
    app.run()
    healthy(app)
    assert has_button(app, "Design routes")


def test_a_budget_below_the_cheapest_site_is_said(computed) -> None:
    request = DesignRequest()
    sites = fibre.sites_of(computed, "communes")
    asked = fibre_jobs.Asked((str(computed.folder),), request, ())
    plan = fibre_jobs.plan_work(computed, asked, sites)(lambda _share: None)
    made = fibre_jobs.budget_work(computed, plan, 1.0)(lambda _share: None)
    assert made.design.summary["connected"] < 3
    assert any("smaller than the cost" in str(note) for note in made.design.notes)


def test_sites_are_left_out_by_choice_and_by_click(start, own) -> None:
    app = part(start(own, "broadband", "en"), "Route design")
    sites = fibre.sites_of(own, "communes")
    place = sites.to_crs("EPSG:4326").geometry.iloc[1]
    number = str(sites["site_id"].iloc[1])
    app.session_state[fibre_design._CLICK] = (place.y, place.x)
    app.run()
    healthy(app)
    assert app.session_state[fibre_request.LEFT_OUT] == [number]
    designed(app)
    design = app.session_state["fibre.plan"].made.design
    assert number not in set(design.sites["site_id"])
    assert len(design.sites) == 2
    # A second click takes it in again, and one far from all sites does nothing.
    for click, left in (((place.y, place.x), []), ((0.0, 0.0), [])):
        app.session_state[fibre_design._CLICK] = click
        app.run()
        healthy(app)
        assert app.session_state[fibre_request.LEFT_OUT] == left
    assert has_button(app, "Design routes")
    app.multiselect(key=fibre_request.LEFT_OUT).set_value(sites["site_id"].tolist()).run()
    healthy(app)
    assert "All sites are left out" in texts(app)


def test_rules_of_a_design_are_chosen(start, own) -> None:
    app = part(start(own, "broadband", "vi"), "Route design")
    app.multiselect(key="keep.fibre_ways").set_value([]).run()
    healthy(app)
    assert "ít nhất một cách" in app.warning[-1].value
    app.multiselect(key="keep.fibre_ways").set_value(["trench_unpaved"]).run()
    code = fibre.sites_of(own, "communes")["site_id"].iloc[0]
    app.multiselect(key="keep.fibre_zones").set_value([code]).run()
    for kind in ("masts", "villages", "offices", "communes"):
        if kind in app.selectbox(key="keep.fibre_sites").options or own.has(kind):
            app.selectbox(key="keep.fibre_sites").set_value(kind).run()
            assert not app.exception
    healthy(app)
    assert has_button(app, "Thiết kế tuyến")


def test_homes_without_service_are_sites(start, own) -> None:
    app = part(start(own, "broadband", "en"), "Route design")
    app.selectbox(key="keep.fibre_sites").set_value("unserved").run()
    wait_for(app, lambda a: has_button(a, "Design routes") or bool(a.error))
    assert not app.exception


def test_how_good_a_design_is_is_said_in_words(speak, computed) -> None:
    request = DesignRequest()
    sites = fibre.sites_of(computed, "communes")
    task = fibre.prepare(computed, request)
    found = fibre.design(computed, request, task=task)
    import dataclasses

    speak("en")
    near = dataclasses.replace(found, gap=0.014, bound=2.0e9)
    assert fibre_result.proof(near, people=True).startswith(
        "At most 1.4% dearer than the cheapest possible"
    )
    assert "2.00\u00a0billion VND" in fibre_result.proof(near, people=True)
    best = dataclasses.replace(found, gap=0.0)
    assert "is cheaper (proven)" in fibre_result.proof(best, people=True)
    unknown = dataclasses.replace(found, gap=math.inf)
    assert "could not be proven" in fibre_result.proof(unknown, people=True)
    speak("vi")
    assert "nhiều nhất 1,4\u00a0%" in fibre_result.proof(near, people=True)
    assert fibre_result.counts_people(request, sites)
    assert not fibre_result.counts_people(DesignRequest(sites="masts"), sites)


def test_money_is_written_in_either_language(speak) -> None:
    speak("en")
    assert money.written(1_390_195_453.0, "VND") == "1.39\u00a0billion VND"
    assert money.written(999_700_000.0, "VND") == "1.00\u00a0billion VND"
    assert money.written(38_800_000.0, "USD") == "38.8\u00a0million USD"
    assert money.written(0.0, "VND") == "0\u00a0VND"
    assert money.written_range(790e6, 2724e6, "VND") == "0.79–2.72\u00a0billion VND"
    speak("vi")
    assert money.written(1_390_195_453.0, "VND") == "1,39\u00a0tỷ đồng"
    assert money.written(12_500.0, "VND") == "12.500\u00a0đồng"


def test_steps_of_the_slider_are_round_and_below_the_whole() -> None:
    steps = fibre_design.steps_up_to(1_390_195_453.0)
    assert steps[0] == 1e8
    assert steps[-1] == pytest.approx(13e8)
    assert fibre_design.steps_up_to(0.0) == []


def test_a_workspace_without_an_exchange_has_no_budgets(start, own: Workspace) -> None:
    own.write({}, {}, drop=["fibre_nodes"])
    app = designed(part(start(own, "broadband", "en"), "Route design"))
    assert "A budget can be given" in texts(app)
    assert not app.get("select_slider")
