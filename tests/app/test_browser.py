"""The app in a real Chromium, without the Internet: both languages, no console errors."""

import re
import sqlite3
from pathlib import Path

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from data.records.engine import Records
from planning import accounts, indicator_values

pytestmark = pytest.mark.browser

TITLES = {
    ("", "vi"): "Tổng quan · Thử",
    ("", "en"): "Overview · Test",
    ("map", "vi"): "Bản đồ vùng phủ · Thử",
    ("map", "en"): "Coverage map · Test",
    ("broadband", "vi"): "Băng rộng · Thử",
    ("broadband", "en"): "Broadband · Test",
    ("network", "vi"): "Mạng truyền số liệu chuyên dùng · Thử",
    ("network", "en"): "Dedicated network · Test",
    ("data", "vi"): "Dữ liệu · Thử",
    ("data", "en"): "Data · Test",
}


def leaflet(page: Page) -> FrameLocator:
    frame = page.frame_locator("iframe[title*='st_folium']")
    frame.locator(".leaflet-container").wait_for()
    return frame


@pytest.mark.parametrize(("where", "language"), TITLES)
def test_every_page_opens(served, page, where, language) -> None:
    page.goto(f"{served[0]}/{where}?lang={language}")
    expect(page.locator("h1")).to_have_text(TITLES[where, language])
    illustrative = {"vi": "Dữ liệu minh họa", "en": "Illustrative data"}[language]
    expect(page.get_by_text(illustrative, exact=True)).to_be_visible()
    expect(page.locator("[data-testid=stException]")).to_have_count(0)


def test_the_overview_shows_tables_and_a_chart(served, page) -> None:
    records = Records.open(served[1].folder.parent)
    for day, percent in (("2023-12-31", 20), ("2024-12-31", 30)):
        value = {"indicator": "masts_shared", "value": percent, "as_of": day}
        indicator_values.write(records, accounts.LOCAL, served[1], value)
    page.goto(f"{served[0]}/?lang=vi")
    # Services, and the further figures of the report in a part that is folded up.
    expect(page.locator(".ps-table")).to_have_count(2)
    expect(page.locator(".ps-table >> visible=true").locator("tbody tr")).to_have_count(5)
    expect(page.locator(".ps-tile").first).to_be_visible()
    expect(page.locator("[data-testid=stDataFrame] >> visible=true")).to_have_count(1)
    expect(page.locator("[data-testid=stVegaLiteChart]")).to_be_visible()
    assert re.search(r"\d+,\d\s%", page.locator(".ps-big").first.inner_text())
    page.get_by_text("Các số liệu khác của báo cáo", exact=True).click()
    trend = page.get_by_alt_text("từ 20\u00a0% ngày 31/12/2023 đến 30\u00a0% ngày 31/12/2024")
    expect(trend).to_be_visible()
    # A picture that the browser has drawn, not a frame around its text.
    expect(trend).to_have_js_property("complete", True)
    expect(trend).to_have_js_property("naturalWidth", 88)


def test_the_language_is_changed_by_a_click(served, page) -> None:
    page.goto(served[0])
    expect(page.locator("h1")).to_have_text(TITLES["", "vi"])
    page.get_by_text("English", exact=True).click()
    expect(page.locator("h1")).to_have_text(TITLES["", "en"])
    expect(page).to_have_url(re.compile("lang=en"))
    page.get_by_role("link", name="Coverage map").click()
    expect(page.locator("h1")).to_have_text(TITLES["map", "en"])
    # The browser keeps it for the next visit.
    page.goto(f"{served[0]}/help")
    expect(page.locator("h1")).to_have_text("Help and method")


def test_the_map_is_drawn_and_answers_a_click(served, page) -> None:
    page.goto(f"{served[0]}/map?lang=en")
    frame = leaflet(page)
    # Background and coverage, drawn at some size.
    expect(frame.locator("img.leaflet-image-layer")).to_have_count(2)
    for number in range(2):
        box = frame.locator("img.leaflet-image-layer").nth(number).bounding_box()
        assert box is not None
        assert box["width"] > 200
    painted = frame.locator("canvas").evaluate(
        """canvas => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
                           .data.some(value => value > 0)"""
    )
    assert painted
    area = frame.locator("#map_div").bounding_box()
    assert area is not None
    centre = {"x": area["width"] / 2 + 15, "y": area["height"] / 2 + 10}
    frame.locator("#map_div").click(position=centre)
    expect(page.locator(".ps-card")).to_have_count(3)
    expect(page.get_by_text("Ground height")).to_be_visible()
    assert re.search(r"−\d+\sdBm", page.locator(".ps-card").first.inner_text())


def test_layers_change_without_moving_the_map(served, page) -> None:
    page.goto(f"{served[0]}/map?lang=vi")
    frame = leaflet(page)
    expect(frame.locator("img.leaflet-image-layer")).to_have_count(2)
    frame.locator(".leaflet-control-zoom-in").click()
    page.wait_for_timeout(500)
    scale = frame.locator(".leaflet-control-scale-line").inner_text()
    page.get_by_text("Mức thu", exact=True).click()
    expect(page.get_by_text("RSRP", exact=False).first).to_be_visible()
    page.get_by_text("Tỷ lệ theo đơn vị hành chính", exact=True).click()
    expect(page.get_by_text("không có số liệu")).to_be_visible()
    expect(frame.locator("img.leaflet-image-layer")).to_have_count(1)
    assert frame.locator(".leaflet-control-scale-line").inner_text() == scale


def test_routes_are_designed_around_the_map(served, page) -> None:
    page.goto(f"{served[0]}/broadband?lang=en")
    page.get_by_role("tab", name="Route design").click()
    frame = leaflet(page)
    page.get_by_role("button", name="Design routes").click()
    expect(page.locator("[data-testid=stMetric]")).to_have_count(3)
    expect(page.get_by_text("Newly built")).to_be_visible()
    # What appears above the map must not empty it.
    expect(frame.locator(".leaflet-container")).to_be_visible()
    expect(page.get_by_role("button", name="Bill of quantities (Excel)")).to_be_visible()


def test_a_click_lets_a_site_fail(served, page) -> None:
    # All of the map in view: scrolling would move the place under the pointer.
    page.set_viewport_size({"width": 1440, "height": 1700})
    page.goto(f"{served[0]}/network?lang=en")
    page.get_by_role("tab", name="Failures").click()
    expect(page.get_by_text("One-line diagram", exact=True)).to_be_visible()
    # Until the page has been run to its end, the map of the other part is there, too.
    expect(page.get_by_text("All figures (JSON)")).to_be_visible()
    expect(page.locator("iframe[title*='st_folium']")).to_have_count(1)
    frame = leaflet(page)
    site = served[1].read("network_sites").to_crs("EPSG:4326").geometry.iloc[4]
    where = frame.locator("#map_div").evaluate(
        """(div, at) => {
          const map = Object.values(window).findLast(each => each instanceof L.Map);
          const point = map.latLngToContainerPoint(at);
          return [point.x, point.y];
        }""",
        [site.y, site.x],
    )
    frame.locator("#map_div").click(position={"x": where[0], "y": where[1]})
    chosen = page.get_by_role("combobox", name="Site", exact=True)
    expect(chosen).to_have_value(re.compile("NS0005"))


def choose_file(page: Page, path: Path) -> None:
    page.get_by_role("tab", name="Upload a file").click()
    page.locator("input[type=file]").set_input_files(path)


def test_a_useless_file_is_one_sentence(served, page, tmp_path) -> None:
    path = tmp_path / "noise.csv"
    path.write_bytes(bytes(range(256)) * 2000)
    before = served[1].content_hash()
    page.goto(f"{served[0]}/data?lang=en")
    choose_file(page, path)
    expect(page.locator("[data-testid=stAlertContentError]")).to_contain_text("noise.csv")
    assert served[1].content_hash() == before


def test_a_file_is_looked_at_then_kept(served, page, tmp_path) -> None:
    address, workspace = served
    path = tmp_path / "masts.csv"
    path.write_text(
        "mast_id,lon,lat,height_m\nN1,105.9,20.5,30\nN2,105.91,20.5,-4\n", encoding="utf-8"
    )
    before = len(workspace.read("masts"))
    page.goto(f"{address}/data?lang=en")
    choose_file(page, path)
    expect(page.get_by_text("1 of 2 rows can be used.")).to_be_visible()
    expect(page.locator("[data-testid=stAlertContentError]")).to_contain_text("1 error")
    assert len(workspace.read("masts")) == before
    page.get_by_role("button", name="Keep the 1 usable row").click()
    expect(page.get_by_text("1 row was kept in the layer Masts.")).to_be_visible()
    # Read anew, as another program would.
    with sqlite3.connect(workspace.folder / "workspace.gpkg") as database:
        assert database.execute("select mast_id from masts").fetchall() == [("N1",)]
