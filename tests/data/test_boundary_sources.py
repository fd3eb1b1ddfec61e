"""Places by name, and administrative areas from OpenStreetMap, geoBoundaries and GADM."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import rotate, scale, translate
from shapely.geometry import Polygon, box, mapping

from data import schema
from data.errors import InputError
from data.sources import (
    addresses,
    boundary_check,
    download,
    geoboundaries,
    osm_boundaries,
    place_search,
    zone_levels,
)
from data.sources.gadm import Gadm
from data.sources.osm_elements import Member, assemble, from_overpass
from data.sources.source import Place, Reading
from tests.data.osm_files import STAMP, World, answer
from tests.data.source_server import Asked, SourceServer
from tests.vectors import shared_path

HANAM = box(105.75, 20.35, 106.20, 20.70)
PLACE = Place("Hà Nam", HANAM.bounds, "VNM", HANAM)


@contextmanager
def servers(server: SourceServer) -> Iterator[None]:
    """Point all servers to the local one."""
    names = {
        "nominatim": server.url,
        "geoboundaries": f"{server.url}/api/current",
        "overpass": f"{server.url}/one",
        "overpass_2": f"{server.url}/two",
        "overpass_3": f"{server.url}/three",
    }
    with addresses.using(names):
        yield


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place_search, "INTERVAL_S", 0.0)


# Search by name


def nominatim(
    name: str,
    shape: Any = HANAM,
    *,
    number: int = 1901019,
    country: str = "vn",
    kind: tuple[str, str] = ("boundary", "administrative"),
    importance: float = 0.6,
    within: str = "Việt Nam",
    **tags: str,
) -> dict[str, Any]:
    """Return a row as Nominatim answers in jsonv2."""
    west, south, east, north = shape.bounds
    return {
        "place_id": 1,
        "licence": "Data © OpenStreetMap contributors, ODbL 1.0. http://osm.org/copyright",
        "osm_type": "relation",
        "osm_id": number,
        "lat": str((south + north) / 2),
        "lon": str((west + east) / 2),
        "category": kind[0],
        "type": kind[1],
        "place_rank": 8,
        "importance": importance,
        "addresstype": "state",
        "name": name,
        "display_name": f"{name}, {within}",
        "address": {"state": name, "country": within, "country_code": country},
        "boundingbox": [str(south), str(north), str(west), str(east)],
        "geojson": mapping(shape),
        "extratags": tags or None,
    }


def put_search(server: SourceServer, rows: Sequence[Mapping[str, Any]]) -> None:
    server.put("/search", json.dumps(rows).encode(), "application/json")


def test_search_asks_politely_and_finds(source_server):
    put_search(source_server, [nominatim("Tỉnh Hà Nam", admin_level="4")])
    with servers(source_server):
        found = place_search.search("  Hà Nam,  Vietnam ")
        place_search.search("Hà Nam, Vietnam")
    assert len(source_server.requests) == 1  # the second time it lay in the cache
    asked = source_server.requests[0]
    query = parse_qs(urlsplit(asked.path).query)
    assert query["q"] == ["Hà Nam, Vietnam"]
    assert query["format"] == ["jsonv2"]
    assert query["polygon_geojson"] == query["addressdetails"] == query["extratags"] == ["1"]
    assert "PhuSong" in asked.headers["User-Agent"]
    one = found[0]
    assert (one.name, one.country, one.level, one.osm_id) == ("Tỉnh Hà Nam", "VNM", 4, "r1901019")
    assert one.bounds == pytest.approx(HANAM.bounds)
    assert str(one) == "Tỉnh Hà Nam, Việt Nam (administrative, r1901019)"


@pytest.mark.parametrize("text", ["Hà Nam, Vietnam", "Ha Nam, Vietnam", "ha nam", "tỉnh hà nam"])
def test_name_with_and_without_marks_is_one_place(source_server, text):
    rows = [
        nominatim("Hà Nam", translate(HANAM, 3.0), number=7, kind=("place", "hamlet")),
        nominatim("Tỉnh Hà Nam"),
        nominatim("Hà Nam Ninh", translate(HANAM, 1.0), number=8, importance=0.9),
    ]
    put_search(source_server, rows)
    with servers(source_server):
        place = place_search.find(text)
    assert place.name == "Tỉnh Hà Nam"
    assert place.country == "VNM"
    assert place.outline.equals(HANAM)
    assert place.bounds == pytest.approx(HANAM.bounds)


def test_several_places_of_a_name_are_all_named(source_server):
    rows = [
        nominatim("Springfield", translate(HANAM, -190.0), number=11, country="us"),
        nominatim("Springfield", translate(HANAM, -195.0), number=12, country="us"),
    ]
    put_search(source_server, rows)
    put_lookup = json.dumps(rows[1:]).encode()
    source_server.put("/lookup", put_lookup, "application/json")
    with servers(source_server):
        with pytest.raises(InputError, match=r"may be 2 places.*r11.*r12"):
            place_search.find("Springfield")
        assert len(place_search.search("Springfield")) == 2
        place = place_search.find("r12")
    assert place.country == "USA"
    assert place.bounds[0] == pytest.approx(105.75 - 195.0)
    assert "osm_ids=R12" in source_server.requests[-1].path


def test_one_place_mapped_twice_is_one(source_server):
    rows = [nominatim("Hà Nam"), nominatim("Hà Nam", scale(HANAM, 0.99, 0.99), number=2)]
    put_search(source_server, rows)
    with servers(source_server):
        assert place_search.find("Hà Nam").outline.equals(HANAM)


def test_nothing_found_says_so(source_server):
    put_search(source_server, [])
    with servers(source_server), pytest.raises(InputError, match="Nothing is found for Xyzzy"):
        place_search.find("Xyzzy")
    with pytest.raises(InputError, match="is empty"):
        place_search.search("  ")


def test_place_without_an_outline_is_told_how_to_go_on(source_server):
    row = nominatim("Hố Nai", kind=("place", "village"))
    row["geojson"] = {"type": "Point", "coordinates": [106.0, 20.5]}
    put_search(source_server, [row])
    with servers(source_server), pytest.raises(InputError, match=r"without an outline.*box"):
        place_search.find("Hố Nai")


def test_place_across_the_antimeridian_is_in_one_piece(source_server):
    shape = shapely.MultiPolygon(
        [box(177.0, -19.0, 180.0, -16.0), box(-180.0, -19.0, -178.0, -16.0)]
    )
    put_search(source_server, [nominatim("Fiji", shape, country="fj", within="Fiji")])
    with servers(source_server):
        place = place_search.find("Fiji")
    assert place.bounds == pytest.approx((177.0, -19.0, 182.0, -16.0))
    assert place.outline.geom_type == "Polygon"
    assert place.outline.bounds == pytest.approx((177.0, -19.0, 182.0, -16.0))
    assert place.country == "FJI"


def test_requests_keep_their_distance(source_server, monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr(place_search, "INTERVAL_S", 1.0)
    monkeypatch.setattr(place_search.time, "sleep", slept.append)
    monkeypatch.setattr(place_search, "_last_asked", [-10.0])
    put_search(source_server, [nominatim("A")])
    with servers(source_server):
        place_search.search("first")
        assert slept == []
        place_search.search("second")
        place_search.search("second")
    assert len(slept) == 1
    assert 0.5 < slept[0] <= 1.0


def test_search_that_is_answered_with_a_page_or_not_at_all(source_server):
    source_server.fail("/search", "html", times=9)
    with servers(source_server):
        with pytest.raises(InputError, match="web page"):
            place_search.search("Hà Nam")
        with download.offline(), pytest.raises(InputError, match="offline"):
            place_search.search("Hà Nam")


def test_search_engine_that_is_busy_or_refuses(source_server):
    source_server.fail("/search", 429, times=9)
    with servers(source_server), pytest.raises(InputError, match="429"):
        place_search.search("Nam Định")
    fault = b'{"error": {"code": 400, "message": "Nothing to search for."}}'
    source_server.put("/search", fault, "application/json")
    with servers(source_server), pytest.raises(InputError):
        place_search.search("Hà Nội")


def test_box_and_file(tmp_path):
    assert place_search.place_of_bbox(177, -19, -178, -16).bounds == (177.0, -19.0, 182.0, -16.0)
    with pytest.raises(InputError, match="south less than north"):
        place_search.place_of_bbox(105, 21, 106, 20)
    path = tmp_path / "ranh giới.gpkg"
    halves = gpd.GeoSeries([box(105.75, 20.35, 106.0, 20.70), box(106.0, 20.35, 106.20, 20.70)])
    gpd.GeoDataFrame(geometry=halves, crs=4326).to_crs(32648).to_file(path)
    place = place_search.place_of_file(path)
    assert place.name == "ranh giới"
    assert place.bounds == pytest.approx(HANAM.bounds, abs=1e-6)
    assert boundary_check.compare(place.outline, HANAM).iou > 0.9999


# Comparing boundaries


def moved_km(shape: Polygon, east_km: float, north_km: float) -> Polygon:
    """Move a shape over the ellipsoid, by its centre."""
    geod = pyproj.Geod(ellps="WGS84")
    middle = shape.centroid
    lon, _, _ = geod.fwd(middle.x, middle.y, 90.0, east_km * 1000)
    _, lat, _ = geod.fwd(middle.x, middle.y, 0.0, north_km * 1000)
    return translate(shape, lon - middle.x, lat - middle.y)


def test_same_boundary_agrees_fully():
    found = boundary_check.compare(HANAM, HANAM)
    assert found.iou == pytest.approx(1.0)
    assert (found.displacement_km, found.edge_km) == pytest.approx((0.0, 0.0), abs=1e-9)
    assert found.greatest_edge_km == pytest.approx(0.0, abs=1e-9)
    assert found.area_ratio == 1.0
    assert found.agrees


@pytest.mark.parametrize("east_km", [0.4, 0.9, 1.1, 4.9, 20.0])
def test_displacement_is_told_in_kilometres(east_km):
    square = box(105.9, 20.4, 106.1, 20.6)
    found = boundary_check.compare(square, moved_km(square, east_km, 0.0))
    assert found.displacement_km == pytest.approx(east_km, rel=0.005)
    assert found.greatest_edge_km == pytest.approx(east_km, rel=0.02)
    width_km = pyproj.Geod(ellps="WGS84").line_length([105.9, 106.1], [20.5, 20.5]) / 1000
    common = width_km - east_km
    assert found.iou == pytest.approx(common / (width_km + east_km), rel=0.01)
    assert found.agrees == (east_km <= 1.0)


def test_one_corner_shows_at_the_edge_but_not_in_the_centre():
    dented = HANAM.difference(box(105.75, 20.35, 105.78, 20.38))
    found = boundary_check.compare(HANAM, dented)
    assert found.agrees
    assert found.edge_km < found.greatest_edge_km
    corner_km = pyproj.Geod(ellps="WGS84").line_length([105.75, 105.75], [20.35, 20.38]) / 1000
    assert found.greatest_edge_km == pytest.approx(corner_km, rel=0.1)
    assert found.area_ratio == pytest.approx(HANAM.area / dented.area, rel=0.002)


@pytest.mark.parametrize(
    ("lon", "lat"), [(105.9, 20.5), (18.95, 69.65), (179.99, -16.5), (-70.0, -52.0)]
)
def test_agreement_is_as_a_raster_counts_it(lon, lat):
    rng = np.random.default_rng(int(abs(lon) * 10))
    shapes = []
    for _ in range(2):
        angle = np.sort(rng.uniform(0.0, 2 * np.pi, 24))
        radius = rng.uniform(0.05, 0.1, 24)
        x = lon + radius * np.cos(angle) / np.cos(np.radians(lat))
        shapes.append(Polygon(np.column_stack([x, lat + radius * np.sin(angle)])))
    found = boundary_check.compare(*shapes)
    west, south, east, north = shapely.union_all(shapes).bounds
    x, y = np.meshgrid(np.linspace(west, east, 1200), np.linspace(south, north, 1200))
    weight = np.cos(np.radians(y))
    a, b = (shapely.contains_xy(shape, x, y) for shape in shapes)
    iou = weight[a & b].sum() / weight[a | b].sum()
    assert found.iou == pytest.approx(iou, rel=0.01)
    assert found.area_ratio == pytest.approx(weight[a].sum() / weight[b].sum(), rel=0.01)
    centre = [
        (np.average(x[m], weights=weight[m]), np.average(y[m], weights=weight[m])) for m in (a, b)
    ]
    _, _, metres = pyproj.Geod(ellps="WGS84").inv(*centre[0], *centre[1])
    assert found.displacement_km == pytest.approx(metres / 1000, rel=0.02, abs=0.02)


@settings(max_examples=25, deadline=None)
@given(
    st.floats(-0.2, 0.2),
    st.floats(-0.2, 0.2),
    st.floats(0.5, 1.5),
    st.floats(0.0, 360.0),
    st.sampled_from([-360.0, 0.0, 360.0]),
)
def test_comparing_does_not_depend_on_order_or_turn(dx, dy, size, angle, turn):
    first = box(179.7, -17.0, 180.2, -16.6)
    second = translate(rotate(scale(first, size, size), angle), dx, dy)
    one = boundary_check.compare(first, second)
    other = boundary_check.compare(second, first)
    turned = boundary_check.compare(first, translate(second, turn))
    assert 0.0 <= one.iou <= 1.0
    assert one.edge_km <= one.greatest_edge_km
    assert one.area_ratio == pytest.approx(1.0 / other.area_ratio, rel=1e-6)
    for a in (other, turned):
        assert a.iou == pytest.approx(one.iou, abs=1e-6)
        assert a.displacement_km == pytest.approx(one.displacement_km, abs=1e-3)
        assert a.greatest_edge_km == pytest.approx(one.greatest_edge_km, rel=0.01, abs=1e-3)


def test_real_hanam_of_two_maps_agrees_and_a_displaced_one_does_not():
    path = shared_path("data/hanam_admin.gpkg")
    old = gpd.read_file(path, layer="adm1_hanam_2020").to_crs(4326).geometry.union_all()
    new = gpd.read_file(path, layer="adm3_hanam_2025").to_crs(4326).geometry.union_all()
    found = boundary_check.compare(old, new)
    assert found.agrees
    assert found.iou > 0.98
    assert found.displacement_km < 0.2
    # geoBoundaries' Hà Nam lies 4.9 km off.
    off = boundary_check.compare(moved_km(old, 4.0, 2.83), new)
    assert not off.agrees
    assert off.displacement_km == pytest.approx(4.9, abs=0.2)
    assert 0.6 < off.iou < 0.85
    said, problem = boundary_check.verdict("Hà Nam", "geoBoundaries", "OSM", off, "OSM")
    assert "4.9" in str(said)
    assert "taken: OSM" in str(said)
    assert problem is not None
    assert problem.severity == "warning"
    assert "1 km" in str(problem)
    assert boundary_check.verdict("Hà Nam", "a", "b", found, "a")[1] is None


def test_nothing_cannot_be_compared():
    with pytest.raises(ValueError, match="no area"):
        boundary_check.compare(HANAM, Polygon())
    with pytest.raises(ValueError, match="no area"):
        boundary_check.compare(HANAM, shapely.LineString([(0, 0), (1, 1)]))


# Rings of relations


def cut_into_ways(
    polygon: Polygon, rng: random.Random, start: int = 1, *, shuffle: bool = True
) -> list[Member]:
    """Cut the rings of a polygon into ways, in any order and direction."""
    members = []
    rings = [(polygon.exterior, "outer"), *[(ring, "inner") for ring in polygon.interiors]]
    number = start
    for ring, role in rings:
        points = np.asarray(ring.coords)[:-1]
        points = np.roll(points, rng.randrange(len(points)), axis=0)
        closed = np.vstack([points, points[:1]])
        inner = sorted(rng.sample(range(1, len(points)), rng.randrange(0, min(5, len(points) - 1))))
        for a, b in zip([0, *inner], [*inner, len(points)], strict=True):
            line = closed[a : b + 1]
            if shuffle and rng.random() < 0.5:
                line = line[::-1]
            members.append(Member(number, role, line.copy()))
            number += 1
    if shuffle:
        rng.shuffle(members)
    return members


def star(rng: random.Random, x: float, y: float, low: float, high: float, count: int) -> Polygon:
    """Return a star-shaped polygon with coordinates as precise as OpenStreetMap's."""
    angles = [2 * np.pi * (k + rng.random() * 0.8) / count for k in range(count)]
    points = [
        (round(x + r * np.cos(a), 7), round(y + r * np.sin(a), 7))
        for a, r in ((a, rng.uniform(low, high)) for a in angles)
    ]
    return Polygon(points)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_order_and_direction_of_ways_do_not_matter(seed):
    rng = random.Random(seed)
    outer = star(rng, 105.9, 20.5, 0.10, 0.15, rng.randrange(5, 40))
    holes = [star(rng, 105.87, 20.5, 0.005, 0.02, 7), star(rng, 105.93, 20.5, 0.005, 0.02, 9)]
    polygon = outer.difference(shapely.union_all(holes[: rng.randrange(0, 3)]))
    expected = polygon if polygon.geom_type == "Polygon" else outer
    for _ in range(3):
        made = assemble(cut_into_ways(expected, rng))
        assert made.gap_at is None
        assert made.area.symmetric_difference(expected).area == pytest.approx(0.0, abs=1e-12)
        assert made.area.equals(expected)


def test_real_communes_come_out_of_their_ways_unchanged():
    path = shared_path("data/hanam_admin.gpkg")
    communes = gpd.read_file(path, layer="adm3_hanam_2025").to_crs(4326).geometry.explode()
    rng = random.Random(35)
    assert len(communes) >= 33
    for shape in communes:
        made = assemble(cut_into_ways(shape, rng))
        assert made.gap_at is None
        assert made.area.equals(shape)


def test_island_in_a_lake_is_land():
    land, lake, island = box(0, 0, 10, 10), box(2, 2, 8, 8), box(4, 4, 6, 6)
    members = [
        Member(1, "outer", np.asarray(island.exterior.coords)),
        Member(2, "inner", np.asarray(lake.exterior.coords)),
        Member(3, "", np.asarray(land.exterior.coords)),
    ]
    made = assemble(members).area
    assert made.area == pytest.approx(100 - 36 + 4)
    assert not made.contains(shapely.Point(3, 3))
    assert made.contains(shapely.Point(5, 5))


def test_exclave_and_ways_listed_twice():
    rng = random.Random(4)
    members = cut_into_ways(box(0, 0, 2, 2), rng) + cut_into_ways(box(5, 5, 6, 6), rng, 50)
    made = assemble([*members, *members])
    assert made.gap_at is None
    assert made.area.equals(shapely.union_all([box(0, 0, 2, 2), box(5, 5, 6, 6)]))


def test_two_rings_that_meet_in_a_point():
    lines = [[(0, 0), (1, 1), (0, 1), (0, 0)], [(0, 0), (-1, -1), (0, -1), (0, 0)]]
    made = assemble([Member(k, "outer", np.array(line, float)) for k, line in enumerate(lines)])
    assert made.area.area == pytest.approx(1.0)
    assert made.gap_at is None


def test_gap_is_measured():
    ring = np.asarray(box(105.9, 20.5, 106.0, 20.6).exterior.coords)
    west = Member(1, "outer", ring[:3])
    east = Member(2, "outer", np.vstack([ring[2:], ring[:1] + np.array([0.0, 0.001])])[:-2])
    made = assemble([west, east])
    assert made.area is None
    _, _, expected = pyproj.Geod(ellps="WGS84").inv(*ring[0], *east.line[-1])
    assert made.gap_m == pytest.approx(expected, rel=1e-6)
    whole = assemble([west, east, Member(3, "outer", np.array([east.line[-1], ring[0]]))])
    assert whole.gap_at is None
    assert whole.area is not None


def test_closed_rings_are_kept_beside_a_loose_end():
    ring = Member(1, "outer", np.asarray(box(0, 0, 1, 1).exterior.coords))
    loose = Member(2, "outer", np.array([(1.0, 1.0), (2.0, 2.0)]))
    made = assemble([ring, loose])
    assert made.area.equals(box(0, 0, 1, 1))
    assert made.gap_at is not None
    assert assemble([]).area is None


# Relations of OpenStreetMap


def province(*, communes: bool = True, districts: bool = True) -> World:
    """Return a province of two districts of two communes each, in a state, with neighbours."""
    world = World()
    world.square(100.0, 8.0, 110.0, 24.0, 49915, admin_level="2", name="Việt Nam")
    world.square(
        105.75,
        20.35,
        106.20,
        20.70,
        1901019,
        admin_level="4",
        name="Tỉnh Hà Nam",
        name__en="Hà Nam Province",
        ISO3166_2="VN-63",
        population="861800",
        population__date="2019-04-01",
    )
    world.tags["r", 1901019] = {
        k.replace("ISO3166_2", "ISO3166-2"): v for k, v in world.tags["r", 1901019].items()
    }
    world.square(106.20, 20.35, 106.60, 20.70, 1901020, admin_level="4", name="Tỉnh Thái Bình")
    if districts:
        world.square(105.75, 20.35, 106.00, 20.70, 11, admin_level="6", name="Kim Bảng", ref="350")
        world.square(106.00, 20.35, 106.20, 20.70, 12, admin_level="6", name="Lý Nhân", ref="353")
        world.square(106.20, 20.35, 106.60, 20.70, 13, admin_level="6", name="Hưng Hà", ref="339")
    if communes:
        names = iter(["Xã Ba Sao", "Xã Tượng Lĩnh", "Phường Duy Tiên", "Thị trấn Vĩnh Trụ"])
        number = 101
        for west, east in ((105.75, 106.00), (106.00, 106.20)):
            for south, north in ((20.35, 20.50), (20.50, 20.70)):
                world.square(
                    west,
                    south,
                    east,
                    north,
                    number,
                    admin_level="8",
                    name=next(names),
                    start_date="2025-07-01",
                )
                number += 1
    # A part of a town, on a level that does not cover the province.
    world.square(105.90, 20.50, 105.95, 20.55, 900, admin_level="10", name="Tổ 3")
    return world


def serve_relations(server: SourceServer, world: World, path: str = "/one") -> None:
    """Answer queries for boxes and for rings, as Overpass does."""

    def reply(asked: Asked) -> bytes:
        query = parse_qs(urlsplit(asked.path).query)["data"][0]
        ids = re.search(r"relation\(id:([\d,]+)\)", query)
        if ids is None:
            assert "out tags bb" in query
            return answer(world.boxes())
        wanted = {("r", int(number)) for number in ids[1].split(",")}
        return answer(world.with_geometry(wanted))

    server.answer(path, reply)


def read_osm(place: Place, tmp_path: Path) -> Reading:
    source = osm_boundaries.SOURCE
    shares: list[float] = []
    items = source.size_up(source.find(place))
    fetched = source.fetch(items, place, on_progress=shares.append)
    assert shares[-1] == 1.0
    return source.read(fetched, place, tmp_path)


def test_province_with_districts_and_communes(source_server, tmp_path):
    serve_relations(source_server, province())
    with servers(source_server):
        reading = read_osm(PLACE, tmp_path)
    zones = reading.layers["zones"].frame.set_index("code")
    assert zones["level"].tolist() == ["province", "district", "district", *["commune"] * 4]
    assert zones.loc["VN-63", ["name", "name_en"]].tolist() == ["Tỉnh Hà Nam", "Hà Nam Province"]
    assert zones.loc["350", "parent_code"] == "VN-63"
    assert zones.loc["r101", ["parent_code", "name"]].tolist() == ["350", "Xã Ba Sao"]
    assert zones.loc["r103", "parent_code"] == "353"
    assert zones.loc["r101", "valid_from"] == "2025-07-01"
    assert zones["admin_level"].tolist() == [4, 6, 6, 8, 8, 8, 8]
    assert zones.loc["VN-63", "osm_population"] == 861_800.0
    assert zones.loc["VN-63", "osm_population_date"] == "2019-04-01"
    origin = reading.layers["zones"].provenance
    assert origin.vintage == STAMP
    assert "ODbL" in origin.licence
    notes = "\n".join(reading.notes)
    assert STAMP in notes
    assert "1 areas of level 10 cover only" in notes
    found = schema.examine("zones", zones.reset_index().to_crs(32648), crs="EPSG:32648")
    assert found.problems == []
    # The state and the neighbours were looked at by their boxes only.
    rings = [a for a in source_server.requests if "relation%28id" in a.path]
    assert "49915" not in rings[0].path
    assert "1901020" not in rings[0].path


def test_communes_without_districts_are_communes(source_server, tmp_path):
    serve_relations(source_server, province(districts=False))
    with servers(source_server):
        zones = read_osm(PLACE, tmp_path).layers["zones"].frame
    assert zones["level"].tolist() == ["province", *["commune"] * 4]
    assert set(zones["parent_code"].dropna()) == {"VN-63"}


def test_box_that_is_no_area_gets_a_whole_of_its_zones(source_server, tmp_path):
    serve_relations(source_server, province())
    west = Place("west", (105.74, 20.34, 106.01, 20.71))
    with servers(source_server):
        zones = read_osm(west, tmp_path).layers["zones"].frame
    assert zones["name"].tolist()[0] == "Kim Bảng"  # the district is what the box is about
    both = Place("wide", (105.70, 20.30, 106.65, 20.75))
    with servers(source_server):
        reading = read_osm(both, tmp_path)
    zones = reading.layers["zones"].frame
    assert zones.loc[0, ["code", "name", "level"]].tolist() == ["area", "wide", "province"]
    assert set(zones["name"][zones["level"] == "district"]) == {"Tỉnh Hà Nam", "Tỉnh Thái Bình"}
    assert "union of the areas" in " ".join(reading.notes)


def test_unclosed_ring_is_reported_with_its_gap(source_server, tmp_path):
    world = province()
    # The last corner of a commune is missing.
    way = world.relations[104][0][1]
    world.ways[way] = world.ways[way][:-1]
    serve_relations(source_server, world)
    with servers(source_server):
        reading = read_osm(PLACE, tmp_path)
    assert "Relation 104 (Thị trấn Vĩnh Trụ) is not closed: a gap of 22," in " ".join(reading.notes)
    assert "r104" not in set(reading.layers["zones"].frame["code"])


def test_relations_from_pieces_are_the_same():
    world = province()
    whole, _ = osm_boundaries.areas_of(from_overpass([{"elements": world.with_geometry()}]), PLACE)
    pieces, _ = osm_boundaries.areas_of(from_overpass([{"elements": world.in_pieces()}]), PLACE)
    assert len(whole) > 10
    assert shapely.equals_identical(whole.geometry.to_numpy(), pieces.geometry.to_numpy()).all()


def test_nothing_mapped_says_so(source_server, tmp_path):
    serve_relations(source_server, World())
    with servers(source_server), pytest.raises(InputError, match="no administrative area"):
        read_osm(PLACE, tmp_path)
    broken = World()
    broken.square(105.75, 20.35, 106.20, 20.70, admin_level="4", name="Hà Nam")
    broken.ways[1] = broken.ways[1][:-1]
    serve_relations(source_server, broken, "/open")
    with (
        addresses.using({"overpass": f"{source_server.url}/open"}),
        pytest.raises(InputError, match="closed rings"),
    ):
        read_osm(PLACE, tmp_path)


@pytest.mark.parametrize("fault", [504, 429, "html"])
def test_second_server_is_asked_for_boundaries(source_server, tmp_path, fault):
    source_server.fail("/one", fault, times=99)
    serve_relations(source_server, province(), "/two")
    with servers(source_server):
        assert len(read_osm(PLACE, tmp_path).layers["zones"].frame) == 7


def test_many_relations_are_asked_in_turns(source_server, tmp_path, monkeypatch):
    monkeypatch.setattr(osm_boundaries, "RELATIONS_AT_ONCE", 3)
    serve_relations(source_server, province())
    with servers(source_server):
        assert len(read_osm(PLACE, tmp_path).layers["zones"].frame) == 7
    assert len(source_server.requests) == 1 + 3  # of 8 relations


def test_fiji_across_the_antimeridian(source_server, tmp_path):
    world = World()
    for number, (west, east), level, name in (
        (1, (177.0, 182.0), "3", "Northern"),
        (2, (177.0, 179.5), "6", "Bua"),
        (3, (179.5, 182.0), "6", "Cakaudrove"),
    ):
        ways = []
        for left, right in ((west, min(east, 180.0)), (180.0, east)):
            if left < right:
                turn = 360.0 if left >= 180.0 else 0.0
                shape = box(left - turn, -19.0, right - turn, -16.0)
                ways.append(("w", world.way(list(shape.exterior.coords)), "outer"))
        world.relation(ways, number, boundary="administrative", admin_level=level, name=name)
    serve_relations(source_server, world)
    outline = box(177.0, -19.0, 182.0, -16.0)
    with servers(source_server):
        zones = read_osm(Place("Northern", outline.bounds, "FJI", outline), tmp_path)
    frame = zones.layers["zones"].frame
    assert frame["name"].tolist() == ["Northern", "Bua", "Cakaudrove"]
    assert frame["parent_code"].tolist()[1:] == ["r1", "r1"]
    assert frame.geometry.iloc[0].equals(outline)
    assert frame.geometry.iloc[2].equals(box(179.5, -19.0, 182.0, -16.0))
    metric = frame.to_crs("EPSG:3460")  # Fiji's own grid
    assert metric.area.iloc[0] == pytest.approx(metric.area.iloc[1:].sum(), rel=1e-3)


def test_high_latitude(source_server, tmp_path):
    world = World()
    world.square(18.6, 69.5, 19.4, 69.8, 1, admin_level="7", name="Tromsø", ref="5501")
    world.square(18.6, 69.5, 19.0, 69.8, 2, admin_level="9", name="Vest")
    world.square(19.0, 69.5, 19.4, 69.8, 3, admin_level="9", name="Øst")
    serve_relations(source_server, world)
    outline = box(18.6, 69.5, 19.4, 69.8)
    with servers(source_server):
        frame = read_osm(Place("Tromsø", outline.bounds, "NOR", outline), tmp_path)
    zones = frame.layers["zones"].frame
    assert zones["code"].tolist() == ["5501", "r2", "r3"]
    assert zones["level"].tolist() == ["province", "district", "district"]


# Levels of any country


def grid_of_levels(counts: Sequence[int], first_rank: int = 4) -> gpd.GeoDataFrame:
    """Return areas that cut the same square into so many strips, level by level."""
    rows = []
    for depth, count in enumerate(counts):
        edges = np.linspace(0.0, 1.0, count + 1)
        rows += [
            {
                "rank": first_rank + 2 * depth,
                "code": f"{depth}-{k}",
                "name": f"N{depth}.{k}",
                "name_en": None,
                "geometry": box(a, 0.0, b, 1.0),
            }
            for k, (a, b) in enumerate(itertools.pairwise(edges))
        ]
    return gpd.GeoDataFrame(rows, crs=4326)


@pytest.mark.parametrize(
    ("counts", "levels"),
    [
        ([1], {"province": 1}),
        ([1, 4], {"province": 1, "district": 4}),
        ([1, 4, 8], {"province": 1, "district": 4, "commune": 8}),
        ([1, 2, 4, 8, 16], {"province": 1, "district": 2, "commune": 4}),
    ],
)
def test_any_number_of_levels(counts, levels):
    square = box(0, 0, 1, 1)
    areas = grid_of_levels(counts).sample(frac=1.0, random_state=3)
    zones, notes = zone_levels.arrange(areas, Place("square", square.bounds, "", square))
    assert zones["level"].value_counts().to_dict() == levels
    assert len(notes) == max(0, len(counts) - 3)
    codes = set(zones["code"])
    wider = zones.set_index("code")["geometry"]
    for row in zones.itertuples():
        if row.level == "province":
            assert row.parent_code is None
        else:
            assert row.parent_code in codes
            assert wider[row.parent_code].contains(row.geometry.centroid)


def test_same_code_on_two_levels_stays_apart():
    areas = grid_of_levels([1, 2])
    areas["code"] = "7"
    zones, _ = zone_levels.arrange(areas, Place("square", (0, 0, 1, 1)))
    assert zones["code"].tolist() == ["7", "7-2", "7-3"]
    assert zones["parent_code"].tolist() == [None, "7", "7"]


def test_no_area_in_the_place():
    zones, notes = zone_levels.arrange(grid_of_levels([1, 2]), Place("far", (50, 50, 51, 51)))
    assert len(zones) == 0
    assert notes == ()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Tỉnh Hà Nam", "Ha Nam", True),
        ("Đồng Văn", "DONG VAN", True),
        ("Troms county", "Troms", True),
        ("Hà Nam", "Nam Định", False),
        ("Xã Hà", "Hà", True),
        ("Xanh", "Nh", False),
    ],
)
def test_names_compare_without_marks_and_kinds(one, other, same):
    assert (zone_levels.plain_name(one) == zone_levels.plain_name(other)) is same


# geoBoundaries


def geojson(shapes: Mapping[str, Polygon], level: str) -> bytes:
    """Return a file of geoBoundaries."""
    features = [
        {
            "type": "Feature",
            "properties": {
                "shapeName": name,
                "shapeISO": f"VN-{number}" if level == "ADM1" else "",
                "shapeID": f"{level}-{number}B123",
                "shapeGroup": "VNM",
                "shapeType": level,
            },
            "geometry": mapping(shape),
        }
        for number, (name, shape) in enumerate(shapes.items())
    ]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    return json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}).encode()


def put_geoboundaries(server: SourceServer, east_km: float = 0.0) -> None:
    """Serve provinces and districts, displaced; the third level is not there."""
    levels = {
        "ADM1": {"Ha Nam": HANAM, "Thai Binh": box(106.20, 20.35, 106.60, 20.70)},
        "ADM2": {
            "Kim Bang": box(105.75, 20.35, 106.00, 20.70),
            "Ly Nhan": box(106.00, 20.35, 106.20, 20.70),
            "Hung Ha": box(106.20, 20.35, 106.60, 20.70),
        },
    }
    for level, shapes in levels.items():
        off = {name: moved_km(shape, east_km, 0.0) for name, shape in shapes.items()}
        url = server.put(f"/raw/{level}.geojson", geojson(off, level), "text/plain")
        about = {
            "boundaryID": f"VNM-{level}-1234",
            "boundaryName": "Viet Nam",
            "boundaryISO": "VNM",
            "boundaryYearRepresented": "2016" if level == "ADM2" else "2020",
            "boundaryType": level,
            "boundaryLicense": f"CC BY-SA 4.0 ({level})",
            "gjDownloadURL": url,
            "tjDownloadURL": url.replace("geojson", "topojson"),
            "simplifiedGeometryGeoJSON": url.replace(".geojson", "_simplified.geojson"),
        }
        body = json.dumps(about).encode()
        server.put(f"/api/current/gbOpen/VNM/{level}/", body, "application/json")


def read_geoboundaries(tmp_path: Path, place: Place = PLACE, **options: Any) -> Reading:
    source = geoboundaries.GeoBoundaries(**options)
    items = source.size_up(source.find(place))
    assert all(item.size_bytes for item in items if item.source == "geoboundaries")
    return source.read(source.fetch(items, place), place, tmp_path)


def test_geoboundaries_that_agree_are_taken(source_server, tmp_path):
    put_geoboundaries(source_server)
    serve_relations(source_server, province())
    with servers(source_server):
        reading = read_geoboundaries(tmp_path)
    zones = reading.layers["zones"].frame
    assert zones["name"].tolist() == ["Ha Nam", "Kim Bang", "Ly Nhan"]
    assert zones["level"].tolist() == ["province", "district", "district"]
    assert zones["parent_code"].tolist() == [None, "VN-0", "VN-0"]
    origin = reading.layers["zones"].provenance
    assert origin.licence == "ADM1: CC BY-SA 4.0 (ADM1); ADM2: CC BY-SA 4.0 (ADM2)"
    assert origin.vintage == "ADM1: 2020; ADM2: 2016"
    assert "agree: centres 0.00 km apart, 1.000" in " ".join(reading.notes)
    assert not any("simplified" in asked.path for asked in source_server.requests)
    found = schema.examine("zones", zones.to_crs(32648), crs="EPSG:32648")
    assert found.problems == []


def test_displaced_geoboundaries_give_way_to_openstreetmap(source_server, tmp_path):
    put_geoboundaries(source_server, east_km=4.9)
    serve_relations(source_server, province())
    with servers(source_server):
        reading = read_geoboundaries(tmp_path)
        kept = read_geoboundaries(tmp_path, where_they_differ="keep")
    notes = " ".join(reading.notes)
    assert "do not agree: centres 4.90 km apart" in notes
    assert "taken: OpenStreetMap" in notes
    zones = reading.layers["zones"].frame
    assert zones["name"].tolist()[0] == "Tỉnh Hà Nam"
    assert zones.geometry.iloc[0].equals(HANAM)
    assert "OpenStreetMap" in reading.layers["zones"].provenance.source
    assert kept.layers["zones"].frame["name"].tolist()[0] == "Ha Nam"
    assert "taken: geoBoundaries" in " ".join(kept.notes)
    assert "2 of 2 areas of level 2" in " ".join(kept.notes)


def test_geoboundaries_without_a_second_source_say_so(source_server, tmp_path):
    put_geoboundaries(source_server, east_km=4.9)
    for path in ("/one", "/two", "/three"):
        source_server.fail(path, 504, times=99)
    with servers(source_server):
        reading = read_geoboundaries(tmp_path)
    notes = " ".join(reading.notes)
    assert "could not be checked against OpenStreetMap" in notes
    assert "geoBoundaries and the outline of the place do not agree: centres 4.90 km" in notes
    assert reading.layers["zones"].frame["name"].tolist()[0] == "Ha Nam"


def test_geoboundaries_needs_a_country_that_it_has(source_server):
    with pytest.raises(InputError, match=r"country of Hà Nam is not known.*VNM"):
        geoboundaries.SOURCE.find(Place("Hà Nam", HANAM.bounds))
    with (
        servers(source_server),
        pytest.raises(InputError, match="no level below the state for VNM"),
    ):
        geoboundaries.SOURCE.find(PLACE)


def test_geoboundaries_that_answers_with_something_else(source_server):
    path = "/api/current/gbOpen/VNM/ADM1/"
    source_server.fail(path, "html")
    with servers(source_server), pytest.raises(InputError, match="web page"):
        geoboundaries.SOURCE.find(PLACE)
    source_server.put(path, b"{}", "application/json")
    with servers(source_server), pytest.raises(InputError, match="names no file"):
        geoboundaries.SOURCE.find(PLACE)


def test_geoboundaries_that_sends_a_pointer_instead_of_the_file(source_server, tmp_path):
    put_geoboundaries(source_server)
    serve_relations(source_server, province())
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    source_server.put("/raw/ADM2.geojson", pointer, "text/plain")
    with servers(source_server), pytest.raises(InputError, match="something else than JSON"):
        read_geoboundaries(tmp_path)


def test_geoboundaries_of_another_country_has_nothing_there(source_server, tmp_path):
    put_geoboundaries(source_server)
    far = Place("Sahara", (10.0, 20.0, 11.0, 21.0), "VNM")
    with (
        servers(source_server),
        pytest.raises(InputError, match="none of its areas lies in Sahara"),
    ):
        read_geoboundaries(tmp_path, far)


# GADM


def gadm_frames() -> dict[int, gpd.GeoDataFrame]:
    """Return the levels of a country as GADM 4.1 has them."""
    communes = []
    for d, (district, west, east) in enumerate(
        [("Kim Bảng", 105.75, 106.00), ("Lý Nhân", 106.00, 106.20), ("Hưng Hà", 106.2, 106.6)], 1
    ):
        p, province_name = (1, "Hà Nam") if d < 3 else (2, "Thái Bình")
        for c, (south, north) in enumerate([(20.35, 20.50), (20.50, 20.70)], 1):
            communes.append(
                {
                    "GID_0": "VNM",
                    "COUNTRY": "Vietnam",
                    "GID_1": f"VNM.{p}_1",
                    "NAME_1": province_name,
                    "VARNAME_1": "Ha Nam|Hanam",
                    "NL_NAME_1": "NA",
                    "TYPE_1": "Tỉnh",
                    "ENGTYPE_1": "Province",
                    "CC_1": "NA",
                    "HASC_1": "VN.HM",
                    "GID_2": f"VNM.{p}.{d}_1",
                    "NAME_2": district,
                    "VARNAME_2": "NA",
                    "TYPE_2": "Huyện",
                    "ENGTYPE_2": "District",
                    "CC_2": "NA",
                    "GID_3": f"VNM.{p}.{d}.{c}_1",
                    "NAME_3": f"Xã {d}{c}",
                    "VARNAME_3": f"Xa {d}{c}",
                    "TYPE_3": "Xã",
                    "ENGTYPE_3": "Commune",
                    "CC_3": f"13{d}{c}0",
                    "geometry": box(west, south, east, north),
                }
            )
    finest = gpd.GeoDataFrame(communes, crs=4326)
    levels = {3: finest}
    for level in (2, 1, 0):
        drop = [name for name in finest.columns if re.search(rf"_[{level + 1}-9]$", name)]
        frame = finest.drop(columns=drop).dissolve(f"GID_{level}", as_index=False)
        levels[level] = gpd.GeoDataFrame(frame, crs=4326)
    return levels


def read_gadm(path: Path, tmp_path: Path) -> Reading:
    source = Gadm(path)
    return source.read(source.fetch(source.find(PLACE), PLACE), PLACE, tmp_path)


@pytest.mark.parametrize("form", ["levels.gpkg", "world.gpkg", "shp.zip", "level3.json"])
def test_gadm_files_of_every_form(tmp_path, form):
    levels = gadm_frames()
    path = tmp_path / f"gadm41_{form}"
    if form == "levels.gpkg":
        for level, frame in levels.items():
            frame.to_file(path, layer=f"ADM_ADM_{level}", engine="pyogrio")
    elif form == "shp.zip":
        import zipfile

        with zipfile.ZipFile(path, "w") as archive:
            for level, frame in levels.items():
                folder = tmp_path / f"shp{level}"
                folder.mkdir()
                frame.to_file(folder / f"gadm41_VNM_{level}.shp", encoding="utf-8")
                for one in folder.iterdir():
                    archive.write(one, one.name)
    else:
        levels[3].to_file(path, layer="gadm_410") if "gpkg" in form else levels[3].to_file(
            path, driver="GeoJSON"
        )
    reading = read_gadm(path, tmp_path)
    zones = reading.layers["zones"].frame.set_index("code")
    assert zones["level"].tolist() == ["province", "district", "district", *["commune"] * 4]
    assert zones.loc["VNM.1_1", ["name", "name_en"]].tolist() == ["Hà Nam", "Ha Nam Province"]
    assert zones.loc["VNM.1.2_1", ["name", "name_en", "parent_code"]].tolist() == [
        "Lý Nhân",
        "Lý Nhân District",
        "VNM.1_1",
    ]
    assert zones.loc["13120", "parent_code"] == "VNM.1.1_1"
    assert zones.loc["VNM.1_1"].geometry.equals(HANAM)
    origin = reading.layers["zones"].provenance
    assert "redistribution" in origin.licence
    assert "not allowed" in origin.licence
    assert origin.vintage == "GADM 4.1"
    assert "must not be passed on" in reading.notes[0]
    found = schema.examine("zones", zones.reset_index().to_crs(32648), crs="EPSG:32648")
    assert found.problems == []


def test_gadm_is_never_fetched(tmp_path, source_server):
    path = tmp_path / "gadm41_VNM.gpkg"
    gadm_frames()[3].to_file(path, layer="gadm")
    item = Gadm(path).find(PLACE)[0]
    assert item.url == ""
    assert item.size_bytes == path.stat().st_size
    read_gadm(path, tmp_path)
    assert source_server.requests == []


def test_what_is_no_gadm_is_refused(tmp_path):
    with pytest.raises(InputError, match="no file"):
        Gadm(tmp_path / "gadm.gpkg").find(PLACE)
    other = tmp_path / "other.gpkg"
    gpd.GeoDataFrame({"ten": ["x"]}, geometry=[HANAM], crs=4326).to_file(other)
    with pytest.raises(InputError, match=r"other\.gpkg is no file of GADM.*columns ten"):
        read_gadm(other, tmp_path)
    text = tmp_path / "text.gpkg"
    text.write_text("nothing")
    with pytest.raises(InputError, match="cannot be read as a map"):
        read_gadm(text, tmp_path)
    far = gadm_frames()[3]
    far["geometry"] = far.geometry.translate(20.0)
    far.to_file(tmp_path / "far.gpkg")
    with pytest.raises(InputError, match="none of its areas lies in Hà Nam"):
        read_gadm(tmp_path / "far.gpkg", tmp_path)
