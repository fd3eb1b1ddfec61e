"""The whole story of a site in a real browser, on both databases."""

from __future__ import annotations

import re
import shutil

import pytest
from playwright.sync_api import Page, expect

from app.components import proposal_map
from coverage import run
from data.records.engine import Records
from data.store import Workspace
from planning import accounts, proposals, scenarios
from planning.accounts import COMMAND_LINE, Actor, Role
from planning.proposal_workflow import Status
from tests.app.conftest import DEFAULT
from tests.app.server import serving
from tests.app.test_workplace_browser import settled

pytestmark = pytest.mark.browser

PASSWORD = "mưa rào tháng sáu"
#: What a carrier calls its site; it must be seen as it is and do nothing.
CODE = "HN-1 <img src=x onerror=alert(1)> '; DROP TABLE proposals;"


@pytest.fixture
def home(computed: Workspace, tmp_path, database_url, monkeypatch):
    """A folder with one computed area, and records with a carrier and a planner."""
    monkeypatch.delenv("PHUSONG_DATABASE_URL", raising=False)
    if database_url is not None:
        monkeypatch.setenv("PHUSONG_DATABASE_URL", database_url)
    shutil.copytree(computed.folder, tmp_path / "home" / "area")
    records = Records.open(tmp_path / "home")
    for login, role, organisation in (
        ("admin", Role.ADMINISTRATOR, ""),
        ("carrier", Role.CARRIER, "A"),
        ("planner", Role.PLANNER, "Sở KH&CN"),
    ):
        accounts.add(
            records,
            COMMAND_LINE,
            login=login,
            name=f"Người {login}",
            role=role,
            organisation=organisation,
            password=PASSWORD,
            must_change=False,
        )
    yield tmp_path / "home"
    records.close()


def sign_in(page: Page, login: str) -> None:
    page.get_by_test_id("stPopover").get_by_role("button", name="Sign in").click()
    page.get_by_label("Login name").fill(login)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_test_id("stFormSubmitButton").get_by_role("button", name="Sign in").click()
    expect(page.locator(".ps-user")).to_contain_text(f"Người {login}")


def choose(page: Page, text: str | re.Pattern[str]) -> None:
    """Press one of several buttons that stand in a row."""
    page.get_by_test_id("stButtonGroup").get_by_text(text, exact=isinstance(text, str)).click()


def drawn(page: Page, part: str = "") -> None:
    """Wait until a map has its pictures."""
    within = page.get_by_role("tabpanel", name=part) if part else page
    maps = within.locator("iframe[title*='st_folium']")
    # That of the part before is there for a moment longer.
    expect(maps).to_have_count(1)
    maps.content_frame.locator("img.leaflet-image-layer").first.wait_for()


#: The masts are drawn, and above them all the site, though their data come later.
SITE_ABOVE_MASTS = """([site, mast]) => {
  const canvas = window.map && window.map._renderer, drawn = [];
  for (let each = canvas && canvas._drawLast; each; each = each.prev) {
    drawn.push(each.layer.options.fillColor);
  }
  return drawn.includes(mast) && drawn[0] === site;
}"""


def site_is_seen(page: Page, part: str) -> None:
    """Wait until the site lies above the masts of a map."""
    within = page.get_by_role("tabpanel", name=part)
    frame = within.locator("iframe[title*='st_folium']").element_handle().content_frame()
    frame.wait_for_function(SITE_ABOVE_MASTS, arg=[proposal_map.SITE_COLOUR, "#12303d"])


def covered(page: Page, before: float = 0.0) -> float:
    """Return the share of the area that 4G covers once it is another than before. [%]."""
    header = page.get_by_role("rowheader", name="4G", exact=True)
    share = page.locator(".ps-table tbody tr").filter(has=header).first.locator(".ps-main").first
    expect(share).to_have_text(re.compile(rf"^(?!{before}%)\d+\.\d%$"), timeout=180_000)
    return float((share.text_content() or "").rstrip("%"))


def test_a_site_from_the_carriers_wish_to_the_changed_figures(home, page, tmp_path) -> None:
    area = Workspace.open(home / "area")
    centre = area.read("zones").geometry.to_crs("EPSG:4326").union_all().centroid
    with serving(home / "area", tmp_path / "server.log") as address:
        page.goto(f"{address}/?lang=en")
        before = covered(page)

        # The carrier proposes a site and sees its gain.
        sign_in(page, "carrier")
        page.get_by_role("link", name="Proposals").click()
        expect(page.get_by_text("There are no proposals yet")).to_be_visible()
        choose(page, "New proposal")
        drawn(page)
        page.get_by_label("Code of the site").fill(CODE)
        choose(page, "By coordinates")
        page.get_by_label("Longitude").fill(f"{centre.x:.5f}".replace(".", ","))
        page.get_by_label("Latitude").fill(f"{centre.y:.5f}".replace(".", ","))
        page.get_by_label("Latitude").press("Enter")
        heading = page.get_by_role("heading", name="What the site brings")
        expect(heading).to_be_visible(timeout=120_000)
        expect(page.get_by_role("tab", name="Gain by commune")).to_be_visible()
        drawn(page)
        page.get_by_role("button", name="Submit").click()
        expect(page.get_by_text("Submitted.", exact=True)).to_be_visible()
        expect(page.get_by_role("heading", name=CODE)).to_be_visible()
        drawn(page, "Appraisal")
        site_is_seen(page, "Appraisal")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("link", name="Proposals")).to_have_count(0)

        # The planner is told, looks at it and consents.
        sign_in(page, "planner")
        page.get_by_role("link", name="Proposals").click()
        choose(page, re.compile(r"^News \(1\)$"))
        opened = page.get_by_role("button", name="Open", exact=True)
        expect(opened).to_be_visible()
        settled(page)
        opened.click()
        expect(page.get_by_role("heading", name=CODE)).to_be_visible()
        expect(page.get_by_text("nothing has changed since")).to_be_visible()
        drawn(page, "Appraisal")
        page.get_by_text("Decide and record").click()
        choose(page, "Give consent")
        page.get_by_label("Document number").fill("369/SKHCN")
        page.get_by_test_id("stFormSubmitButton").get_by_role("button").click()
        expect(page.get_by_text("Consent is recorded.")).to_be_visible()
        drawn(page, "Appraisal")
        page.get_by_role("tab", name="History").click()
        history = page.get_by_role("table", name="What was done with the proposal")
        history = history.locator("tbody tr")
        expect(history).to_have_count(4)
        for number, said in enumerate(("created", "evaluated", "submitted", "approved")):
            expect(history.nth(number).locator("td").first).to_have_text(said)
        expect(history.last).to_contain_text("369/SKHCN")
        expect(history.last).to_contain_text("Planner")

        # In the scenario the figures of the overview are others.
        page.get_by_role("link", name="Overview").click()
        page.get_by_test_id("stSidebar").get_by_label("Network shown").click()
        page.get_by_role("option", name=re.compile("Consented sites")).click()
        page.get_by_role("button", name="Compute coverage").click()
        after = covered(page, before)
        page.goto("about:blank")

    records = Records.open(home)
    planner = Actor(None, "test", Role.ADMINISTRATOR)
    (made,) = proposals.list_of(records, planner, "area")
    assert (made.request.reference, made.organisation) == (CODE, "A")
    assert made.status is Status.APPROVED
    # What the page shows is the present share and the gain that the carrier saw.
    (total,) = [
        row
        for row in proposals.evaluation(records, planner, made.id).evaluation.result["totals"]
        if (row["service"], row["operator"]) == ("4G", "any")
    ]
    figures = run.lookup(area, DEFAULT).figures
    own = figures[
        (figures["service"] == "4G")
        & (figures["operator"] == "any")
        & (figures["measure"] == "area")
        & (figures["level"] == "commune")
    ]
    present = 100.0 * (own["share"] * own["weight"]).sum() / own["weight"].sum()
    gain = 100.0 * total["area_km2"] / own["weight"].sum()
    assert gain > 1.0
    assert before == pytest.approx(present, abs=0.06)
    assert after == pytest.approx(present + gain, abs=0.06)
    # The history names every step and who took it.
    events = proposals.history(records, planner, made.id)
    assert [event.action for event in events] == ["created", "evaluated", "submitted", "approved"]
    assert [event.role for event in events] == ["carrier"] * 3 + ["planner"]
    scenario = scenarios.get(records, planner, made.scenario_id)
    assert len(scenario.changes) == 1
