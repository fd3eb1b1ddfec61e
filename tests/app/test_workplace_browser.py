"""The workplace as a whole in a real Chromium: every page, for everybody, by its address."""

import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from app import i18n
from app.navigation import SECTIONS
from data.records.engine import Records
from data.store import Workspace
from planning import accounts, indicator_values
from tests.app.server import serving
from tests.app.test_browser import leaflet

pytestmark = pytest.mark.browser

PAGES = [entry.address for entries in SECTIONS.values() for entry in entries]


@pytest.fixture(scope="module")
def served(computed: Workspace, tmp_path_factory) -> Iterator[tuple[str, Workspace]]:
    """A server of its own: other tests change the layers of theirs."""
    folder = tmp_path_factory.mktemp("workplace") / "workspace"
    shutil.copytree(computed.folder, folder)
    with serving(folder, tmp_path_factory.mktemp("log") / "server.log") as address:
        yield address, Workspace.open(folder)


def settled(page: Page) -> None:
    """Wait until the page has been run to its end and shows nothing of an earlier run."""
    # What was done last takes a moment to start a run; it is the browser's clock that counts.
    page.evaluate(
        """() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(
             () => setTimeout(done, 100))))"""
    )
    page.wait_for_function(
        """() => document.querySelector("[data-testid=stApp]")?.dataset.testScriptState
                 === "notRunning" && document.querySelector("h1")
                 && !document.querySelector("[data-stale=true]")""",
        timeout=90_000,
    )


def serious_faults(page: Page) -> list[str]:
    """Return what axe-core finds serious or critical."""
    answer = Axe().run(page, options={"resultTypes": ["violations"]}).response
    return [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in answer["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def sentences() -> list[str]:
    """Return the English texts of three words or more that are another text in Vietnamese."""
    found = []
    for entry in i18n.catalogue("vi"):
        texts = entry.id if isinstance(entry.id, tuple) else (entry.id,)
        said = entry.string if isinstance(entry.string, tuple) else (entry.string,)
        found += [
            text
            for text in texts
            if "{" not in text and len(text.split()) >= 3 and text not in said
        ]
    return found


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_page_can_be_used_by_everybody(served, page, language) -> None:
    english = sentences()
    assert len(english) > 500
    page.goto(f"{served[0]}/?lang={language}")
    settled(page)
    faults = []
    for number, where in enumerate(PAGES):
        if number:
            page.locator("[data-testid=stSidebarNavLink]").nth(number).click()
            page.wait_for_url(re.compile(rf"/{where}(\?|$)"))
            settled(page)
        faults += [f"{where}: {fault}" for fault in serious_faults(page)]
        expect(page.locator("html")).to_have_attribute("lang", language)
        if page.locator("[data-testid=stException]").count():
            faults.append(f"{where}: a traceback")
        if page.locator("[data-testid=stAlertContentError]").count():
            faults.append(
                f"{where}: {page.locator('[data-testid=stAlertContentError]').inner_text()}"
            )
        if language == "vi":
            said = page.locator("body").inner_text()
            faults += [f"{where}: not translated: {text}" for text in english if text in said]
    assert not faults


def test_every_page_fits_a_phone(served, browser) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    too_wide = []
    for where in PAGES:
        page.goto(f"{served[0]}/{where}?lang=vi")
        settled(page)
        overhang = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if overhang > 0:
            too_wide.append((where, overhang))
    context.close()
    assert not too_wide


def test_tables_are_read_downwards_on_a_phone_and_reached_by_the_keyboard(served, browser) -> None:
    workspace = served[1]
    records = Records.open(workspace.folder.parent)
    for code, value in (("procedures_level4", 610.0), ("procedures_total", 1980.0),
                        ("procedures_level4_share", 30.8)):  # fmt: skip
        fields = {"indicator": code, "value": value, "as_of": "2020-11-16"}
        indicator_values.write(records, accounts.LOCAL, workspace, fields)
    records.close()
    unit = workspace.read("zones").to_crs("EPSG:4326").geometry.iloc[-1].representative_point()
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    faults = []
    for where in (f"map?at={unit.y:.5f},{unit.x:.5f}&", "network?", "indicators?part=arithmetic&"):
        page.goto(f"{served[0]}/{where}lang=en")
        regions = page.locator(".ps-table-wrap")
        expect(regions.first).to_be_visible()
        settled(page)
        faults += [f"{where}: {fault}" for fault in serious_faults(page)]
        cut = "tables => tables.filter(each => each.scrollWidth > each.clientWidth)"
        names = regions.evaluate_all(f"{cut}.map(each => each.innerText)")
        faults += [f"{where}: cut: {name}" for name in names]
    context.close()
    assert not faults


def test_an_address_restores_what_was_looked_at_and_nobody_else_sees_it(
    served, page, browser
) -> None:
    page.goto(f"{served[0]}/map?lang=en&technology=2G&show=level&background=none")
    frame = leaflet(page)
    expect(page.get_by_text("2G · RxLev")).to_be_visible()
    frame.locator(".leaflet-control-zoom-in").click()
    expect(page).to_have_url(re.compile(r"view="))
    box = frame.locator("#map_div").bounding_box()
    assert box is not None
    frame.locator("#map_div").click(
        position={"x": box["width"] / 2 + 60, "y": box["height"] / 2 + 40}
    )
    expect(page.locator(".ps-card")).to_have_count(3)
    expect(page).to_have_url(re.compile(r"at=.*view=|view=.*at="))
    position = "map => { const m = Object.values(window).findLast(x => x instanceof L.Map);"
    position += "return [m.getZoom(), m.getCenter().lat, m.getCenter().lng]; }"
    left = frame.locator("#map_div").evaluate(position)
    facts = page.locator(".ps-facts").first.inner_text()

    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    other = context.new_page()
    other.goto(f"{served[0]}/map?lang=en")
    expect(other.get_by_text("Click a place on the map to see")).to_be_visible()
    expect(other.locator(".ps-card")).to_have_count(0)
    other.goto(page.url)
    expect(other.locator(".ps-card")).to_have_count(3)
    expect(other.get_by_text("2G · RxLev")).to_be_visible()
    assert other.locator(".ps-facts").first.inner_text() == facts
    again = leaflet(other).locator("#map_div").evaluate(position)
    assert again == pytest.approx(left, abs=1e-3)
    # What no page offers is left out.
    other.goto(f"{served[0]}/map?lang=en&technology=9G&at=1;alert(1)&view=0,0,99&operator=%27")
    expect(other.get_by_role("radio", name="4G", exact=True).first).to_be_checked()
    expect(other.locator(".ps-card")).to_have_count(0)
    context.close()


def test_a_map_remembers_a_zoom_as_quick_as_the_map_itself(served, page) -> None:
    page.add_init_script(
        """(function zoom() {
             const frame = document.querySelector("iframe[title*=st_folium]");
             const button = frame?.contentDocument?.querySelector(".leaflet-control-zoom-in");
             if (button) { button.click(); } else { requestAnimationFrame(zoom); }
           })();"""
    )
    page.goto(f"{served[0]}/map?lang=en&background=none")
    expect(page).to_have_url(re.compile(r"view="))


def test_a_map_that_nobody_moved_leaves_the_address_alone(served, page) -> None:
    page.goto(f"{served[0]}/map?lang=en&background=none")
    leaflet(page)
    settled(page)
    # Streamlit gives the frame another height, and with it the map another size.
    page.set_viewport_size({"width": 1100, "height": 800})
    settled(page)
    page.wait_for_timeout(700)
    assert "view=" not in page.url


def test_the_keyboard_asks_about_a_place_and_the_path_is_explained(served, page) -> None:
    page.goto(f"{served[0]}/map?lang=en")
    box = leaflet(page).locator("#map_div")
    box.focus()
    box.press("ArrowRight")
    box.press("Enter")
    expect(page.locator(".ps-card")).to_have_count(3)
    expect(page.get_by_text("Why this level? The path from the mast")).to_be_visible()
    expect(page.get_by_text("Free space", exact=True)).to_be_visible()
    chart = page.locator("[data-testid=stVegaLiteChart]").last
    expect(chart).to_be_visible()
    # A typed place takes the place of the one that was asked about.
    before = page.locator(".ps-facts").first.inner_text()
    page.get_by_role("textbox", name="Latitude, longitude").fill("20.5, 105.9")
    page.get_by_role("textbox", name="Latitude, longitude").press("Enter")
    expect(page.locator(".ps-facts").first).not_to_have_text(before)
    expect(page.get_by_text("20.50000°")).to_be_visible()


def test_the_coverage_lies_where_it_belongs(served, page) -> None:
    """The picture's corners are, to half a pixel of the screen, where its bounds are."""
    page.goto(f"{served[0]}/map?lang=en")
    frame = leaflet(page)
    expect(frame.locator("img.leaflet-image-layer")).to_have_count(2)
    off = frame.locator("#map_div").evaluate(
        """box => {
          const map = Object.values(window).findLast(each => each instanceof L.Map);
          const shift = box.getBoundingClientRect(), found = [];
          map.eachLayer(layer => {
            if (!(layer instanceof L.ImageOverlay)) { return; }
            const bounds = layer.getBounds(), seen = layer.getElement().getBoundingClientRect();
            const northWest = map.latLngToContainerPoint(bounds.getNorthWest());
            const southEast = map.latLngToContainerPoint(bounds.getSouthEast());
            found.push(northWest.x - seen.left + shift.left, northWest.y - seen.top + shift.top,
                       southEast.x - seen.right + shift.left,
                       southEast.y - seen.bottom + shift.top);
          });
          return found.map(Math.abs);
        }"""
    )
    assert len(off) == 8
    # Leaflet sets pictures on whole pixels of the screen.
    assert max(off) <= 1.0


def test_a_part_of_a_page_has_an_address_and_stays_open_in_another_language(served, page) -> None:
    page.goto(f"{served[0]}/data?lang=vi")
    settled(page)
    page.get_by_role("tab", name="Kiểm tra", exact=True).click()
    expect(page).to_have_url(re.compile(r"part=check"))
    settled(page)
    page.get_by_role("radio", name="English").click()
    shown = page.get_by_role("tab", name="Check", exact=True)
    expect(shown).to_have_attribute("aria-selected", "true")
    settled(page)
    expect(page.get_by_role("tabpanel", name="Check")).to_contain_text("No problem was found.")
    page.get_by_role("tab", name="Export", exact=True).click()
    settled(page)
    page.get_by_role("link", name="Help", exact=True).click()
    expect(page.locator("h1")).to_have_text("Help and method")
    settled(page)
    page.get_by_role("link", name="Data", exact=True).click()
    expect(page.get_by_role("tab", name="Export", exact=True)).to_have_attribute(
        "aria-selected", "true"
    )
    expect(page).to_have_url(re.compile(r"part=export"))
    for asked, opened in (("area", "New study area"), ("nothing", "What is loaded")):
        page.goto(f"{served[0]}/data?lang=en&part={asked}")
        settled(page)
        expect(page.get_by_role("tab", name=opened, exact=True)).to_have_attribute(
            "aria-selected", "true"
        )
    expect(page).not_to_have_url(re.compile(r"part="))


def test_a_killed_server_loses_no_saved_work(computed, browser, tmp_path: Path) -> None:
    folder = tmp_path / "workspaces" / "own"
    shutil.copytree(computed.folder, folder)
    upload = tmp_path / "masts.csv"
    upload.write_text("mast_id,lon,lat,height_m\nKEPT1,105.9,20.5,30\n", encoding="utf-8")
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    with serving(folder, tmp_path / "first.log") as address:
        page.goto(f"{address}/data?lang=en")
        page.get_by_role("tab", name="Upload a file").click()
        page.locator("input[type=file]").set_input_files(upload)
        page.get_by_role("button", name="Keep this file").click()
        expect(page.get_by_text("1 row was kept in the layer Masts.")).to_be_visible()
        for process in psutil.Process().children():
            if str(folder) in process.environ().get("PHUSONG_WORKSPACE", ""):
                process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
                process.wait(20)
    assert Workspace.open(folder).read("masts")["mast_id"].tolist() == ["KEPT1"]
    with serving(folder, tmp_path / "second.log") as address:
        page.goto(f"{address}/data?lang=en")
        expect(page.locator("h1")).to_have_text("Data · Test")
        expect(page.get_by_text("Export", exact=True)).to_be_visible()
    page.close()
