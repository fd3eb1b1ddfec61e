"""What a planner does from day to day, in a real browser and in both languages."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pypdf
import pytest
from playwright.sync_api import Locator, Page, expect

from app import i18n
from coverage import run
from data.errors import message
from planning.reports import inputs
from tests.app.conftest import DEFAULT
from tests.app.server import serving
from tests.app.test_workplace_browser import settled
from tests.planning import sharing_areas

pytestmark = pytest.mark.browser

Say = Callable[..., str]


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    """A server on an area whose masts stand near each other."""
    home = tmp_path_factory.mktemp("planner")
    area = sharing_areas.workspace(home / "area", masts=6)
    run.compute(area, DEFAULT)
    with serving(area.folder, home / "server.log") as where:
        yield where


@pytest.fixture(params=["vi", "en"])
def language(request, speak) -> str:
    speak(request.param)
    return str(request.param)


@pytest.fixture
def say(language) -> Say:
    """What the app calls something in the language of the test."""
    return lambda text, **values: i18n.translate(message(text, **values))


def tab(page: Page, name: str) -> Locator:
    """Open a part of a page; return what it shows."""
    page.get_by_role("tab", name=name, exact=True).click()
    settled(page)
    return page.get_by_role("tabpanel", name=name)


def pick(page: Page, within: Locator, label: str, option: str) -> None:
    """Choose in a list."""
    within.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option, exact=True).click()
    settled(page)


def method(page: Page, within: Page | Locator, say: Say) -> None:
    """Look up how the figures were computed, as far as its link to the method."""
    within.get_by_role("button", name=say("How was this computed?")).first.click()
    link = page.get_by_role("link", name=say("Method, formulas and limits"))
    expect(link).to_have_attribute("href", re.compile(r"section="))
    page.keyboard.press("Escape")


def test_a_reported_value_and_a_target_stand_beside_the_computed_one(
    address, page, language, say
) -> None:
    page.goto(f"{address}/indicators?lang={language}")
    settled(page)
    one = tab(page, say("One indicator"))
    title = {"vi": "Tỷ lệ diện tích được phủ sóng 4G", "en": "Area with 4G coverage"}[language]
    pick(page, one, say("Indicator"), f"{say('Mobile coverage')}: {title}")

    one.get_by_text(say("Enter or change a value")).click()
    one.get_by_label(say("Value, {unit}", unit="%")).fill("61.5")
    one.get_by_role("textbox", name=say("Source"), exact=True).first.fill("Báo cáo số 12")
    one.get_by_role("button", name=say("Save")).first.click()
    expect(page.get_by_text(say("The value was kept."))).to_be_visible()
    one.get_by_text(say("Change the definition or the target")).click()
    one.get_by_role("spinbutton", name=say("Target"), exact=True).fill("97")
    one.get_by_role("spinbutton", name=say("Target year")).fill("2030")
    one.get_by_role("button", name=say("Save")).last.click()
    expect(page.get_by_text(say("The definition was kept."))).to_be_visible()
    settled(page)
    one.get_by_text(say("Who changed it")).click()
    history = one.get_by_test_id("stDataFrame").last.locator("[role=gridcell]")
    expect(history.filter(has_text=re.compile(r"61[.,]5")).first).to_be_attached()

    table = tab(page, say("Table"))
    row = table.locator("tr").filter(has_text=title).first
    number, percent = ("61,5", "\u00a0%") if language == "vi" else ("61.5", "%")
    expect(row.locator("td").nth(0)).to_contain_text(f"{number}{percent}")
    expect(row.locator("td").nth(1)).to_contain_text(re.compile(r"\d"))
    expect(row.locator("td").nth(2)).to_contain_text("97")
    expect(row).to_contain_text("Báo cáo số 12")
    method(page, table, say)


def test_an_audit_says_in_a_chart_and_in_words_what_makes_a_share_true(
    address, page, language, say
) -> None:
    page.goto(f"{address}/indicators?lang={language}")
    settled(page)
    audit = tab(page, say("Audit"))
    audit.get_by_label(say("Share, %")).fill("80")
    audit.get_by_label(say("Share, %")).press("Enter")
    settled(page)
    chart = audit.get_by_test_id("stVegaLiteChart").locator("svg.marks, canvas")
    expect(chart.first).to_be_visible()
    words = audit.get_by_role("listitem")
    expect(words.first).to_contain_text("80")
    expect(words.filter(has_text="dBm").first).to_be_visible()


def test_a_report_is_written_and_taken_along_as_pdf(address, page, language, say) -> None:
    page.goto(f"{address}/reports?lang={language}")
    settled(page)
    # A short one: some parts and one kind of document.
    parts = [i18n.translate(inputs.PARTS[part]) for part in ("indicators", "network", "annexes")]
    for name in (*parts, "Word (DOCX)", "Excel (XLSX)"):
        page.get_by_role("button", name=name, exact=True).click()
    settled(page)
    page.get_by_role("button", name=say("Write the report")).click()
    # That of the choice of documents is called PDF alone.
    file = page.get_by_role("button", name=re.compile("PDF · "))
    expect(file).to_be_visible()
    settled(page)
    with page.expect_download() as taken:
        file.click()
    content = Path(taken.value.path()).read_bytes()
    document = pypdf.PdfReader(io.BytesIO(content))
    assert len(document.pages) > 2
    assert {"vi": "Thử", "en": "Test"}[language] in document.pages[0].extract_text()


def test_masts_to_share_and_white_spots_are_found(address, page, language, say) -> None:
    page.goto(f"{address}/sharing?lang={language}")
    settled(page)
    pairs = tab(page, say("Masts to share"))
    pairs.get_by_role("slider").press("End")
    settled(page)
    pairs.get_by_role("button", name=say("Find masts to share")).click()
    expect(pairs.get_by_test_id("stMetric")).to_have_count(3)
    expect(pairs.locator("iframe[title*='st_folium']")).to_be_visible()
    settled(page)
    method(page, pairs, say)
    spots = tab(page, say("White spots"))
    spots.get_by_role("slider").press("Home")
    settled(page)
    spots.get_by_role("button", name=say("Look into white spots")).click()
    heading = spots.get_by_role("heading", name=say("All white spots by commune"))
    expect(heading).to_be_visible()
    expect(spots.get_by_test_id("stMetric")).to_have_count(3)
    settled(page)
    method(page, spots, say)


def test_sites_for_a_budget_become_a_scenario_whose_figures_differ(
    address, page, language, say
) -> None:
    page.goto(f"{address}/siting?lang={language}")
    settled(page)
    page.get_by_role("button", name=say("Choose sites")).click()
    heading = page.get_by_role("heading", name=say("Chosen sites, best for the money first"))
    expect(heading).to_be_visible()
    settled(page)
    method(page, page, say)
    title = f"Mười tỷ {language}"
    page.get_by_label(say("Name of the scenario")).fill(title)
    page.get_by_role("button", name=say("Make a scenario of it")).click()
    expect(page.get_by_text(title).first).to_be_visible()

    page.get_by_role("link", name=say("Scenarios"), exact=True).click()
    settled(page)
    compared = tab(page, say("Comparison"))
    compared.get_by_role("button", name=say("Compare the scenarios")).click()
    heading = compared.get_by_role("heading", name=say("Side by side"))
    expect(heading).to_be_visible()
    settled(page)
    method(page, compared, say)
    # Cells of the grid: column and row; covered of the area, today and in the scenario.
    table = compared.get_by_test_id("stDataFrame").first
    expect(table.locator("#glide-cell-0-1")).to_have_text(title)
    today, planned = (
        float((table.locator(f"#glide-cell-3-{row}").text_content() or "").strip(" %\u00a0")
              .replace(",", "."))
        for row in (0, 1)
    )  # fmt: skip
    assert planned > today
