"""Take the pictures of docs/screenshots: ``python -m tests.app.make_screenshots``.

Builds the embedded area and its coverage in a temporary folder, or copies the
workspace that is given there, has a carrier propose two masts and a planner
consent to one, and drives the real app in Chromium.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from coverage import run
from data import build
from data.records.engine import Records
from data.store import Workspace
from planning import broadband, proposal_decisions, proposals
from planning.accounts import LOCAL, Actor, Role
from planning.proposal_evaluation import Evaluator
from planning.proposal_workflow import Document
from planning.scenario_workspace import area_name
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


def settled(page: Page) -> None:
    """Wait until the page has been run to its end and its maps and charts are drawn."""
    page.wait_for_function(
        """() => document.querySelector("[data-testid=stApp]")?.dataset.testScriptState
                 === "notRunning" && document.querySelector("h1")
                 && !document.querySelector("[data-stale=true]")""",
        timeout=180_000,
    )
    page.wait_for_timeout(2500)


def show_map(page: Page) -> None:
    """Wait for the map, and for the place in the hills that the address asks about."""
    frame = page.frame_locator("iframe[title*='st_folium']")
    expect(frame.locator("img.leaflet-image-layer")).to_have_count(2, timeout=60_000)
    expect(page.locator(".ps-card").first).to_be_visible()
    expect(page.locator("[data-testid=stVegaLiteChart]")).to_be_visible()


def propose(area: Workspace) -> None:
    """Have a carrier propose two masts where people lack 4G, and a planner consent to one."""
    carrier = Actor(None, "A", Role.CARRIER, "A")
    evaluator = Evaluator(area)
    with contextlib.closing(Records.open(area.folder.parent)) as records:
        for reference, (lat, lon), technologies in (
            ("HNM-0101", (20.6505, 105.9441), ("3G", "4G")),
            ("HNM-0102", (20.6331, 105.8096), ("4G",)),
        ):
            wish = {
                "reference": reference, "lat": lat, "lon": lon, "height_m": 42.0,
                "mast_class": "A2b", "technologies": technologies, "shareable": True,
                "max_tenants": 3,
            }  # fmt: skip
            made = proposals.create(records, carrier, area_name(area), wish, submit=True)
            found = evaluator.evaluate(made.request, made.organisation)
            proposals.keep_evaluation(records, LOCAL, made.id, found)
        proposal_decisions.approve(
            records,
            LOCAL,
            made.id,
            Document("12/SKHCN-VT", "2026-11-20", "Sở KH&CN"),
            workspace=area,
            scenario=proposal_decisions.NewScenario(reference),
        )


#: A place in the hills. [deg]
HILLS = (20.4715, 105.8600)

#: Address and height of the picture of each page.
PAGES = {
    "overview": ("", 1700),
    "map": (f"map?at={HILLS[0]},{HILLS[1]}", 2000),
    "broadband": ("broadband", 1900),
    "network": ("network", 1700),
    "sharing": ("sharing", 1500),
    "siting": ("siting", 1900),
    "proposals": ("proposals?proposal=1", 2300),
    "scenarios": ("scenarios?part=comparison", 1900),
    "indicators": ("indicators", 1700),
    "reports": ("reports", 1100),
    "data": ("data", 1060),
    "administration": ("administration", 1000),
    "help": ("help?section=level", 1500),
}

#: Those that compute something when they are told to.
TOLD = ("sharing", "siting", "scenarios")

#: Those that have a map.
MAPS = ("map", "broadband", "network", "siting", "proposals")


def take(browser: Browser, address: str) -> None:
    """Take all pictures in both languages."""
    for language in ("vi", "en"):
        page = browser.new_page()
        for name, (where, height) in PAGES.items():
            page.set_viewport_size({"width": 1440, "height": height})
            page.goto(f"{address}/{where}{'&' if '?' in where else '?'}lang={language}")
            settled(page)
            if name == "map":
                show_map(page)
            if name in TOLD:
                page.get_by_test_id("stBaseButton-primary").first.click()
                page.wait_for_timeout(1000)
                expect(page.get_by_test_id("stProgress")).to_have_count(0, timeout=300_000)
                settled(page)
            if name in MAPS:
                frame = page.frame_locator("iframe[title*='st_folium']").first
                frame.locator("canvas").first.wait_for(timeout=180_000)
                settled(page)
            save(page, f"{name}_{language}")
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
        folder = Path(scratch) / "areas" / "demo"
        if arguments.workspace:
            shutil.copytree(arguments.workspace, folder)
        area = Workspace.open(folder) if arguments.workspace else build.build("demo", folder)
        run.compute(area)
        broadband.coverage(area)
        propose(area)
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
