"""What a build says that it will take, before it takes anything."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import shapely

from data import plan as planning
from data.errors import InputError
from data.plan import make_plan, short_name, size_text, wide
from data.sources import download, own_files
from data.sources.source import Item, Place
from tests.data import build_sources
from tests.data.build_sources import HANAM, SOURCES, known, place_of
from tests.data.source_server import SourceServer


@pytest.fixture
def served(source_server: SourceServer) -> SourceServer:
    for name, body in build_sources.files(HANAM).items():
        source_server.put(f"/{name}", body)
    return source_server


def test_a_plan_names_every_part_with_size_and_licence(served: SourceServer) -> None:
    plan = make_plan(place_of(HANAM), sources=SOURCES, known=known(served.url))
    sizes = {name: len(body) for name, body in build_sources.files(HANAM).items()}
    assert plan.bytes_to_carry == sum(sizes.values())
    assert plan.bytes_here == 0
    assert plan.unknown_sizes == 0
    assert [supply.parts for supply in plan.supplies] == [
        ("zones",), ("terrain",), ("population",), ("roads",),
    ]  # fmt: skip
    assert all(supply.licence == "CC BY 4.0" for supply in plan.supplies)
    said = str(plan)
    assert size_text(sizes["terrain.tif"]) in said
    assert "CC BY 4.0" in said
    assert "2024" in said
    instead = {str(text).split(":")[0] for text in plan.instead}
    assert instead == {"clutter", "villages", "masts"}
    # Nothing but sizes was asked for.
    assert not [asked for asked in served.requests if asked.method == "GET"]


def test_what_is_in_the_cache_is_not_carried_again(served: SourceServer) -> None:
    sources = known(served.url)
    first = make_plan(place_of(HANAM), sources=SOURCES, known=sources)
    terrain = next(supply for supply in first.supplies if supply.parts == ("terrain",))
    sources["terrain"].fetch(terrain.items, place_of(HANAM))
    again = make_plan(place_of(HANAM), sources=SOURCES, known=sources)
    (supply,) = (supply for supply in again.supplies if supply.parts == ("terrain",))
    assert supply.here == (True,)
    assert supply.bytes_to_carry == 0
    assert str(supply.size) == "in the cache"
    size = len(build_sources.files(HANAM)["terrain.tif"])
    assert again.bytes_here == size
    assert again.bytes_to_carry == first.bytes_to_carry - size


def test_a_size_that_no_server_says_is_unknown(served: SourceServer) -> None:
    served.put("/terrain.tif", b"II*\0" * 50, announce=False, ranges=False, head=False)
    plan = make_plan(place_of(HANAM), sources={"terrain": "terrain"}, known=known(served.url))
    (supply,) = plan.supplies
    assert supply.unknown_sizes == 1
    assert str(supply.size) == "size not known"
    assert "The size of 1 files is not known" in str(plan)


def test_a_source_that_does_not_answer_is_noted(served: SourceServer) -> None:
    served.remove("/roads.geojson")
    plan = make_plan(place_of(HANAM), sources=SOURCES, known=known(served.url))
    (supply,) = plan.faults
    assert supply.parts == ("roads",)
    assert "there is no file" in str(supply.fault)
    assert "there is no file" in str(plan)
    assert str(supply.size) == "not available"


def test_own_files_go_before_sources(served: SourceServer, tmp_path: Path) -> None:
    own = tmp_path / "dem.tif"
    own.write_bytes(build_sources.files(HANAM)["terrain.tif"])
    plan = make_plan(
        place_of(HANAM), sources=SOURCES, own_files={"terrain": own}, known=known(served.url)
    )
    by_part = {part: supply for supply in plan.supplies for part in supply.parts}
    assert by_part["terrain"].path == own
    assert len(plan.supplies) == 4
    assert not served.asked("/terrain.tif", "HEAD")


def test_rasters_are_wanted_with_a_margin(served: SourceServer) -> None:
    sources = known(served.url)
    make_plan(place_of(HANAM), sources=SOURCES, known=sources)
    (asked,) = sources["terrain"].asked
    west, _, _, north = asked.bounds
    # 12 km at this latitude.
    assert HANAM[0] - west == pytest.approx(12_000 / (111_320 * 0.936), rel=0.1)
    assert north - HANAM[3] == pytest.approx(12_000 / 110_600, rel=0.1)
    (asked,) = sources["zones"].asked
    assert asked.bounds == HANAM
    assert asked.outline is not None


@pytest.mark.parametrize("bounds", [(179.5, -17.0, 179.99, -16.0), (-180.0, -17.0, -179.0, -16.0)])
def test_a_margin_crosses_the_antimeridian(bounds: tuple[float, float, float, float]) -> None:
    west, _, east, _ = wide(Place("Fiji", bounds)).bounds
    assert -180.0 <= west < 180.0
    assert east > 180.0
    assert east - west == pytest.approx(bounds[2] - bounds[0] + 0.236, abs=0.01)


def test_a_margin_ends_at_the_pole() -> None:
    west, south, east, north = wide(Place("Pole", (0.0, 89.0, 90.0, 89.99))).bounds
    assert north == 90.0
    assert (west, east) == (-180.0, 180.0) or east - west < 360.0
    assert south < 89.0


def test_parts_and_sources_that_there_are_not(served: SourceServer, tmp_path: Path) -> None:
    sources = known(served.url)
    place = place_of(HANAM)
    with pytest.raises(InputError, match="no part rivers of a study area; known parts: zones, te"):
        make_plan(place, sources={"rivers": "osm"}, known=sources)
    with pytest.raises(InputError, match="no source moon; terrain can come from: terrain, none"):
        make_plan(place, sources={"terrain": "moon"}, known=sources)
    with pytest.raises(InputError, match="roads does not give terrain"):
        make_plan(place, sources={"terrain": "roads"}, known=sources)
    with pytest.raises(InputError, match=r"There is no file .*nowhere"):
        make_plan(place, sources={}, own_files={"terrain": tmp_path / "nowhere"}, known=sources)
    with pytest.raises(InputError, match="no layer or raster moon for the file"):
        make_plan(place, sources={}, own_files={"moon": tmp_path}, known=sources)


def test_a_part_can_be_turned_off(served: SourceServer) -> None:
    sources = SOURCES | {"roads": "none"}
    plan = make_plan(place_of(HANAM), sources=sources, known=known(served.url))
    assert "roads" not in {part for supply in plan.supplies for part in supply.parts}
    assert "roads: left out" in [str(text) for text in plan.instead]


def test_masts_bring_their_cells(served: SourceServer) -> None:
    sources = known(served.url)
    sources["ocid"] = build_sources.Served(
        served.url, "ocid", {"masts": "masts.geojson", "cells": "cells.geojson"}
    )
    served.put("/masts.geojson", b"{}")
    served.put("/cells.geojson", b"{}")
    plan = make_plan(place_of(HANAM), sources={"masts": "ocid"}, known=sources)
    (supply,) = plan.supplies
    assert supply.parts == ("masts", "cells")
    assert not any(str(text).startswith("masts") for text in plan.instead)


def test_a_full_disk_is_said_before_anything_is_carried(
    served: SourceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)
    plan = make_plan(place_of(HANAM), sources=SOURCES, known=known(served.url))
    assert plan.free_bytes == 1000
    with pytest.raises(InputError, match=r"needs about .* on the disk, but 1\.0 kB are free"):
        plan.check_space()


def test_offline_asks_no_server(served: SourceServer) -> None:
    with download.offline():
        plan = make_plan(place_of(HANAM), sources=SOURCES, known=known(served.url))
    assert served.requests == []
    assert plan.unknown_sizes == 4


def test_names_and_sizes() -> None:
    assert short_name("Hà Nam, Vietnam") == "ha-nam-vietnam"
    assert short_name("../../etc") == "etc"
    assert short_name("///") == "area"
    assert short_name("x" * 100) == "x" * 60
    assert [size_text(n) for n in (0, 999, 1000, 99_900, 123_456_789, 5 * 10**12)] == [
        "0 B", "999 B", "1.0 kB", "100 kB", "123 MB", "5000 GB",
    ]  # fmt: skip
    item = Item("s", "k", "u", size_bytes=None)
    supply = planning.Supply("s", "t", ("terrain",), items=(item, item), here=(False, True))
    assert supply.to_carry == (item,)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((105.7, 20.3, 106.2, 20.7), (105.7, 20.3, 106.2, 20.7)),
        ((177, -19, -178, -16), (177.0, -19.0, 182.0, -16.0)),
        ((177, -19, 182, -16), (177.0, -19.0, 182.0, -16.0)),
        ((-70.9, -33.6, -70.4, -33.3), (-70.9, -33.6, -70.4, -33.3)),
    ],
)
def test_boxes(bounds: tuple[float, ...], expected: tuple[float, ...]) -> None:
    place = own_files.place_of_bounds(bounds)
    assert place.bounds == expected
    assert place.outline is not None
    assert place.outline.bounds == expected


@pytest.mark.parametrize(
    "bounds",
    [
        (105, 21, 106, 20),
        (105, 20, 105, 21),
        (-200, 0, 10, 10),
        (0, -95, 10, 10),
        (0, 0, float("nan"), 10),
        (-170, 0, 170, 10),
    ],
)
def test_boxes_that_are_none(bounds: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="box"):
        own_files.place_of_bounds(bounds)


def test_a_boundary_across_the_antimeridian(tmp_path: Path) -> None:
    import geopandas as gpd

    halves = [shapely.box(178, -18, 180, -16), shapely.box(-180, -18, -179, -16)]
    path = tmp_path / "fiji.geojson"
    gpd.GeoDataFrame({"a": [1, 2]}, geometry=halves, crs=4326).to_file(path)
    place = own_files.place_of_boundary(path)
    assert place.name == "fiji"
    assert place.bounds == (178.0, -18.0, 181.0, -16.0)
    assert place.outline is not None
    assert place.outline.area == pytest.approx(6.0)
    assert place.outline.geom_type == "Polygon"


def test_a_boundary_that_is_none(tmp_path: Path) -> None:
    import geopandas as gpd

    with pytest.raises(InputError, match="There is no file"):
        own_files.place_of_boundary(tmp_path / "nowhere.gpkg")
    text = tmp_path / "notes.txt"
    text.write_text("no map")
    with pytest.raises(InputError, match=r"notes\.txt cannot be read as a map"):
        own_files.place_of_boundary(text)
    points = tmp_path / "points.geojson"
    gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.Point(1, 1)], crs=4326).to_file(points)
    with pytest.raises(InputError, match="holds no polygon"):
        own_files.place_of_boundary(points)
