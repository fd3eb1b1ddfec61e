"""Take the pictures of docs/screenshots: ``python -m tests.app.make_screenshots``.

Builds the embedded area and its coverage in a temporary folder, unless a
workspace is given, and drives the real app in Chromium.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from coverage import run
from data import build
from data.store import Workspace
from planning import broadband
from tests.app.server import LAUNCH_ARGUMENTS, ROOT, browser_path, serving

OUT = ROOT / "docs" / "screenshots"

#: Largest file that belongs in the repository. [bytes]
LIMIT = 400_000


def save(page: Page, name: str) -> None:
    """Save what the page shows, with few enough colours to be small."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for colours in (256, 128, 64):
        small = picture.quantize(colours, dither=Image.Dither.NONE)
        written = io.BytesIO()
        small.save(written, "PNG", optimize=True)
        if written.tell() < LIMIT:
            break
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}.png").write_bytes(written.getvalue())
    print(f"{name}.png: {written.tell() // 1000} kB")


def show_map(page: Page) -> None:
    """Wait for the map and click a place in the hills, where something is to be explained."""
    frame = page.frame_locator("iframe[title*='st_folium']")
    expect(frame.locator("img.leaflet-image-layer")).to_have_count(2)
    page.wait_for_timeout(1500)
    area = frame.locator("#map_div").bounding_box()
    if area is None:
        raise RuntimeError("the map has no size")
    frame.locator("#map_div").click(
        position={"x": 0.29 * area["width"], "y": 0.755 * area["height"]}
    )
    expect(page.locator(".ps-card").first).to_be_visible()
    page.mouse.move(5, 5)
    page.wait_for_timeout(1000)


def take(browser: Browser, address: str) -> None:
    """Take all pictures in both languages."""
    for language in ("vi", "en"):
        page = browser.new_page(viewport={"width": 1440, "height": 2330})
        page.goto(f"{address}/?lang={language}")
        expect(page.locator(".ps-table")).to_have_count(2, timeout=30_000)
        expect(page.locator("[data-testid=stVegaLiteChart]")).to_be_visible()
        page.wait_for_timeout(2000)
        save(page, f"overview_{language}")
        page.set_viewport_size({"width": 1440, "height": 1060})
        page.goto(f"{address}/map?lang={language}")
        show_map(page)
        save(page, f"map_{language}")
        page.goto(f"{address}/data?lang={language}")
        expect(page.locator("[data-testid=stDataFrame]").first).to_be_visible()
        page.wait_for_timeout(1500)
        save(page, f"data_{language}")
        page.set_viewport_size({"width": 1440, "height": 1900})
        page.goto(f"{address}/broadband?lang={language}")
        frame = page.frame_locator("iframe[title*='st_folium']")
        frame.locator(".leaflet-container").wait_for(timeout=120_000)
        page.wait_for_timeout(4000)
        save(page, f"broadband_{language}")
        page.close()


def main() -> int:
    """Run the script."""
    parser = argparse.ArgumentParser(description=re.split(r"\n\n", __doc__ or "")[0])
    parser.add_argument("--workspace", type=Path, help="a study area; built where not given")
    arguments = parser.parse_args()
    browser = browser_path()
    if browser is None:
        print("There is no Chromium on the path", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.workspace or Path(scratch) / "demo"
        area = Workspace.open(folder) if Workspace.exists(folder) else build.build("demo", folder)
        run.compute(area)
        broadband.coverage(area)
        log = Path(scratch) / "server.log"
        with serving(folder, log) as address, sync_playwright() as playwright:
            running = playwright.chromium.launch(
                executable_path=browser, args=list(LAUNCH_ARGUMENTS)
            )
            take(running, address)
            running.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
