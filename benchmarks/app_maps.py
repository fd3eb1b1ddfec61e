"""The map in a real browser: the first one, a change of layer, a click.

    python -m benchmarks.app_maps --from ../shared/data --workspace /tmp/maps

Builds a province of 1,000 masts and 9,000 cells (`benchmarks.province`), splits
its communes into 109, computes the coverage at 50 m, serves it, drives
Chromium without the Internet, and prints one JSON object. A workspace that is
there already is used as it is.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely
from playwright.sync_api import Browser, Frame, Page, sync_playwright

from benchmarks.province import network
from coverage import run
from data import build
from data.store import Workspace
from data.study_area import finest_level
from tests.app.server import LAUNCH_ARGUMENTS, browser_path, serving

#: As many communes as the province had in the report.
COMMUNES = 109

RESOLUTION_M = 50.0


def split(zones: gpd.GeoDataFrame, count: int) -> gpd.GeoDataFrame:
    """Return the zones with the largest of the finest level halved until there are `count`."""
    level = finest_level(zones)
    others = zones[zones["level"] != level]
    parts = [dict(row) for _, row in zones[zones["level"] == level].iterrows()]
    while len(parts) < count:
        parts.sort(key=lambda row: row["geometry"].area)
        whole = parts.pop()
        west, south, east, north = whole["geometry"].bounds
        if east - west > north - south:
            first = shapely.box(west, south, (west + east) / 2, north)
        else:
            first = shapely.box(west, south, east, (south + north) / 2)
        pieces = (whole["geometry"].intersection(first), whole["geometry"].difference(first))
        for number, piece in enumerate(pieces):
            parts.append(
                {
                    **whole,
                    "geometry": _polygons(piece),
                    "code": f"{whole['code']}{number}",
                    "population": None,
                    "households": None,
                    "area_km2": piece.area / 1e6,
                }
            )
    finest = gpd.GeoDataFrame(parts, crs=zones.crs)
    return gpd.GeoDataFrame(pd.concat([others, finest], ignore_index=True), crs=zones.crs)


def _polygons(shape: shapely.Geometry) -> shapely.Geometry:
    found = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    return shapely.MultiPolygon(found)


def prepare(folder: Path, source: Path | None) -> Workspace:
    """Build the area of the measurement with its coverage."""
    workspace = build.build("demo" if source is None else "hanam", folder, source_folder=source)
    masts, cells = network(workspace, 1000)
    layers: dict[str, pd.DataFrame] = {
        "masts": masts,
        "cells": cells,
        "zones": split(workspace.read("zones"), COMMUNES),
    }
    origin = workspace.provenance()
    workspace = Workspace.replace(
        folder,
        # The app offers no finer pixels than the area's own.
        dataclasses.replace(workspace.area, resolution_m=RESOLUTION_M),
        layers,
        {name: origin[name] for name in layers},
        keep=set(origin) - set(layers),
    )
    run.compute(workspace, run.CoverageRequest(resolution_m=RESOLUTION_M))
    return workspace


#: Whether the coverage is on the map: a loaded picture besides the background that was
#: not there before, and something drawn on the canvas.
_DRAWN = """() => {
  const pictures = [...document.querySelectorAll("img.leaflet-image-layer")];
  const last = pictures[pictures.length - 1];
  if (!last || pictures.length < 2 || !last.complete || last.dataset.seen) { return false; }
  return [...document.querySelectorAll("canvas")].some(canvas => canvas.width > 0 &&
    canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
      .data.some(value => value > 0));
}"""

_MARK = """() => document.querySelectorAll("img.leaflet-image-layer")
  .forEach(picture => { picture.dataset.seen = "1"; })"""

#: Four places around the middle of the map on which no number of masts stands.
_FREE = """() => {
  const found = [];
  for (let step = 0; found.length < 4; step += 1) {
    const x = innerWidth / 2 + 9 * step, y = innerHeight / 2 + 7 * (step % 5);
    if (document.elementFromPoint(x, y).tagName === "CANVAS") { found.push([x, y]); }
  }
  return found;
}"""


def map_frame(page: Page) -> Frame:
    """Return the frame of the map, waiting for it."""
    handle = page.wait_for_selector("iframe[title*='st_folium']", timeout=30_000)
    frame = handle.content_frame() if handle is not None else None
    if frame is None:
        raise RuntimeError("the map has no frame")
    return frame


def first_map(browser: Browser, address: str) -> tuple[float, Page]:
    """Return the seconds until a new visitor sees the coverage, and the page."""
    page = browser.new_context(viewport={"width": 1440, "height": 1100}).new_page()
    start = time.perf_counter()
    page.goto(f"{address}/map?lang=en")
    map_frame(page).wait_for_function(_DRAWN, timeout=30_000, polling=20)
    return time.perf_counter() - start, page


def timed(act: Callable[[], object], seen: Callable[[], object]) -> float:
    """Return the seconds from an act until something is seen."""
    start = time.perf_counter()
    act()
    seen()
    return time.perf_counter() - start


def changes(page: Page) -> dict[str, list[float]]:
    """Change what the map shows, and click on it."""
    frame = map_frame(page)
    found: dict[str, list[float]] = {}
    for kind, label in (
        ("technology", "2G"),
        ("technology", "3G"),
        ("union", "Any technology"),
        ("technology", "4G"),
        ("level", "Signal level"),
        ("covered", "Covered or not"),
        # Again: now all of it was looked at before.
        ("again", "2G"),
        ("again", "Any technology"),
        ("again", "4G"),
    ):
        frame.evaluate(_MARK)
        button = page.get_by_role("radio", name=label, exact=True)
        seconds = timed(
            button.click, lambda: frame.wait_for_function(_DRAWN, timeout=60_000, polling=20)
        )
        found.setdefault(kind, []).append(seconds)
        page.wait_for_timeout(500)
    area = page.locator("iframe[title*='st_folium']").bounding_box()
    if area is None:
        raise RuntimeError("the map has no size")
    cards = page.locator(".ps-card")
    for number, (x, y) in enumerate(frame.evaluate(_FREE)):
        facts = page.locator(".ps-facts").first
        said = facts.inner_text() if number else ""

        def seen(said: str = said) -> None:
            cards.first.wait_for(timeout=60_000)
            page.wait_for_function(
                "said => document.querySelector('.ps-facts').innerText !== said",
                arg=said,
                polling=20,
            )

        seconds = timed(
            lambda x=x, y=y: page.mouse.click(area["x"] + x, area["y"] + y),
            seen,
        )
        found.setdefault("click", []).append(seconds)
        page.wait_for_timeout(700)
    return found


def measure(workspace: Workspace, visitors: int, log: Path) -> dict[str, Any]:
    """Serve the area and measure."""
    path = browser_path()
    if path is None:
        raise SystemExit("There is no Chromium on the path")
    with serving(workspace.folder, log) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(LAUNCH_ARGUMENTS))
        first = []
        for number in range(visitors):
            seconds, page = first_map(browser, address)
            first.append(seconds)
            if number == visitors - 1:
                found = changes(page)
            page.context.close()
        browser.close()
    return {
        "masts": len(workspace.read("masts")),
        "cells": len(workspace.read("cells")),
        "zones": len(workspace.read("zones")),
        "resolution_m": RESOLUTION_M,
        "first_map_of_a_fresh_server_seconds": round(first[0], 2),
        "first_map_seconds": [round(seconds, 2) for seconds in first[1:]],
        **{
            f"{kind}_seconds": [round(seconds, 2) for seconds in values]
            for kind, values in found.items()
        },
        "change_of_layer_seconds_median": round(
            statistics.median(
                seconds for kind, values in found.items() if kind != "click" for seconds in values
            ),
            2,
        ),
    }


def main() -> None:
    """Read the options and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--from", dest="source", type=Path, help="folder of the real area's files")
    parser.add_argument("--workspace", type=Path, help="kept there, and used if it exists")
    parser.add_argument("--visitors", type=int, default=4)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.workspace or Path(scratch) / "maps"
        there = Workspace.exists(folder)
        workspace = Workspace.open(folder) if there else prepare(folder, arguments.source)
        print(
            json.dumps(
                measure(workspace, arguments.visitors, Path(scratch) / "server.log"), indent=1
            )
        )


if __name__ == "__main__":
    main()
