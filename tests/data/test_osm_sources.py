"""Layers of OpenStreetMap from Overpass and from PBF files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import geopandas as gpd
import numpy as np
import osmium
import pytest
import shapely

from data import schema
from data.errors import InputError
from data.sources import addresses, download, geofabrik, osm_tags, overpass
from data.sources.osm_elements import from_overpass
from data.sources.source import Place
from tests.data.osm_files import STAMP, World, answer
from tests.data.source_server import SourceServer
from tests.vectors import shared_path

PLACE = Place("Phủ Lý", (105.85, 20.45, 105.95, 20.60), "VNM")


def town() -> World:
    """Return a small town with one of everything, and with what is to be left out."""
    world = World()
    a, b = world.node(105.88, 20.50), world.node(105.90, 20.52)
    c = world.node(105.92, 20.54)
    world.way([a, b], highway="primary", name="Quốc lộ 1A", ref="QL.1A", surface="Asphalt")
    world.way([b, c], highway="primary_link", bridge="yes", layer="1")
    world.way([a, c], highway="residential", surface="concrete;asphalt", tunnel="no")
    world.way([b, c], highway="footway")
    world.way([b, c], highway="construction")
    square = [(105.90, 20.50), (105.901, 20.50), (105.901, 20.501), (105.90, 20.50)]
    world.way(square, highway="service", area="yes")
    world.way([a, c], railway="rail", name="Đường sắt Thống Nhất")
    world.way([a, b], railway="abandoned")
    world.node(105.89, 20.53, place="village", name="Thôn Đoài", population="1,200")
    world.node(105.87, 20.53, place="locality", name="Cánh đồng")
    world.node(105.91, 20.53, amenity="post_office", name="Bưu điện", operator="VNPost")
    world.node(105.91, 20.531, amenity="restaurant", name="Phở")
    block = [(105.93, 20.51), (105.932, 20.51), (105.932, 20.514), (105.93, 20.514)]
    world.way([*block, block[0]], amenity="hospital", name="Bệnh viện")
    # A school whose ground has a hole just where its centre of gravity lies.
    outer = world.way(
        [(105.86, 20.55), (105.87, 20.55), (105.87, 20.56), (105.86, 20.56), (105.86, 20.55)]
    )
    inner = world.way(
        [
            (105.862, 20.552),
            (105.868, 20.552),
            (105.868, 20.558),
            (105.862, 20.558),
            (105.862, 20.552),
        ]
    )
    world.relation(
        [("w", outer, "outer"), ("w", inner, "inner")], type="multipolygon", amenity="school"
    )
    world.node(
        105.88,
        20.56,
        man_made="mast",
        tower__type="communication",
        height="42 m",
        operator="Viettel",
    )
    world.node(105.88, 20.57, man_made="tower", communication__mobile_phone="yes")
    world.node(105.88, 20.571, man_made="mast", tower__type="lighting", height="20")
    world.node(105.88, 20.572, man_made="tower", name="Đài nước")
    world.node(105.881, 20.572, telecom="exchange", name="Tổng đài")
    world.node(105.882, 20.572, amenity="townhall", name="UBND thành phố")
    return world


@contextmanager
def servers(server: SourceServer) -> Iterator[None]:
    """Point all servers of OpenStreetMap to the local one."""
    names = {
        "overpass": f"{server.url}/one",
        "overpass_2": f"{server.url}/two",
        "overpass_3": f"{server.url}/three",
        "geofabrik": f"{server.url}/geofabrik",
    }
    with addresses.using(names):
        yield


def queries(server: SourceServer) -> list[str]:
    """Return the queries that Overpass was asked."""
    return [
        parse_qs(urlsplit(asked.path).query)["data"][0]
        for asked in server.requests
        if "data=" in asked.path
    ]


def read_overpass(place: Place, tmp_path: Path):
    source = overpass.SOURCE
    fetched = source.fetch(source.size_up(source.find(place)), place)
    return source.read(fetched, place, tmp_path)


def same(one: gpd.GeoDataFrame, other: gpd.GeoDataFrame) -> bool:
    """Whether two layers are equal to the last digit, columns and order included."""
    return (
        list(one.columns) == list(other.columns)
        and one.drop(columns="geometry").equals(other.drop(columns="geometry"))
        and bool(shapely.equals_identical(one.geometry.to_numpy(), other.geometry.to_numpy()).all())
    )


# What tags mean


def test_tags_become_layers():
    made, notes = osm_tags.layers(from_overpass([{"elements": town().with_geometry()}]))
    roads = made["roads"].set_index("road_id")
    assert roads["road_class"].to_dict() == {"w1": "primary", "w2": "primary", "w3": "residential"}
    assert roads.loc["w1", ["name", "ref", "surface"]].tolist() == [
        "Quốc lộ 1A",
        "QL.1A",
        "asphalt",
    ]
    assert roads.loc["w2", ["bridge", "layer"]].tolist() == ["yes", "1"]
    assert roads.loc["w3", "surface"] == "concrete"
    assert roads["tunnel"].isna().all()
    assert made["railways"]["railway_id"].tolist() == ["w7"]
    villages = made["villages"]
    assert villages[["name", "population", "place"]].to_numpy().tolist() == [
        ["Thôn Đoài", 1200.0, "village"]
    ]
    points = made["points_of_interest"].set_index("poi_id")
    assert sorted(points["kind"]) == [
        "hospital",
        "post_office",
        "school",
        "telephone_exchange",
        "town_hall",
    ]
    hospital = points[points["kind"] == "hospital"].geometry.iloc[0]
    assert (hospital.x, hospital.y) == (105.931, 20.512)
    masts = made["masts"]
    assert masts["height_m"].tolist() == [42.0, 30.0]
    assert masts["assumed"].tolist() == ["", "height_m"]
    assert masts["owner"].fillna("").tolist() == ["Viettel", ""]
    assert "1 of 2" in notes[0]


def test_point_of_an_area_lies_on_it():
    elements = from_overpass([{"elements": town().with_geometry()}])
    school = next(e for e in elements if e.tags.get("amenity") == "school")
    assert not school.shape().intersects(school.shape().centroid)
    assert school.shape().distance(school.point()) < 1e-6


def test_layers_fit_their_schemas():
    made, _ = osm_tags.layers(from_overpass([{"elements": town().with_geometry()}]))
    assert set(made) == set(osm_tags.LAYERS)
    for name, frame in made.items():
        found = schema.examine(name, frame.to_crs("EPSG:32648"), crs="EPSG:32648")
        assert not found.errors, name
        assert len(found.frame) == len(frame)


@pytest.mark.parametrize(
    ("text", "metres"),
    [
        ("30", 30.0),
        ("30.5m", 30.5),
        ("100'", 30.48),
        ("12 feet", 3.6576),
        ("1,5", 1.5),
        ("", None),
        ("-3", None),
        ("0", None),
        ("tall", None),
        ("5000", None),
        ("30-40", None),
    ],
)
def test_lengths(text, metres):
    found = osm_tags.length_m(text)
    assert np.isnan(found) if metres is None else found == pytest.approx(metres)


def test_every_wanted_tag_is_in_the_query():
    query = overpass.layers_query((105.0, 20.0, 106.0, 21.0))
    for key, values in osm_tags.wanted().items():
        found = re.search(rf'(way|nwr)\["{key}"~"\^\(([^)]*)\)\$"\]\(([^)]*)\)', query)
        assert found is not None, key
        assert tuple(found[2].split("|")) == values
        assert found[3] == "20.0,105.0,21.0,106.0"  # south, west, north, east
        assert (found[1] == "way") == (key in ("highway", "railway"))
    assert re.match(r"\[out:json\]\[timeout:\d+\]\[maxsize:\d+\];", query)


# Overpass


def test_overpass_to_layers(source_server, tmp_path):
    source_server.put("/one", answer(town().with_geometry()), "application/json")
    with servers(source_server):
        reading = read_overpass(PLACE, tmp_path)
        again = read_overpass(PLACE, tmp_path)
    assert len(source_server.requests) == 1  # the second time it lay in the cache
    agent = source_server.requests[0].headers["User-Agent"]
    assert "PhuSong" in agent
    assert set(reading.layers) == set(osm_tags.LAYERS)
    assert same(reading.layers["roads"].frame, again.layers["roads"].frame)
    origin = reading.layers["roads"].provenance
    assert "ODbL" in origin.licence
    assert "OpenStreetMap" in origin.licence
    assert origin.vintage == STAMP
    assert not origin.illustrative
    assert "data=" not in origin.url_or_file


def test_body_and_skeleton_give_the_same_as_geometry():
    whole, _ = osm_tags.layers(from_overpass([{"elements": town().with_geometry()}]))
    pieces, _ = osm_tags.layers(from_overpass([{"elements": town().in_pieces()}]))
    for name in osm_tags.LAYERS:
        assert same(whole[name], pieces[name]), name


def test_large_place_is_asked_in_tiles_and_objects_come_once(source_server, tmp_path):
    source_server.put("/one", answer(town().with_geometry()), "application/json")
    place = Place("wide", (105.0, 20.0, 107.5, 21.5))
    with servers(source_server):
        reading = read_overpass(place, tmp_path)
    assert len(source_server.requests) == 6
    corners = [re.search(r"\(([\d.,-]+)\);\)", q)[1].split(",") for q in queries(source_server)]
    tiles = [shapely.box(float(w), float(s), float(e), float(n)) for s, w, n, e in corners]
    assert shapely.union_all(tiles).equals(shapely.box(*place.bounds))
    assert sum(tile.area for tile in tiles) == pytest.approx(2.5 * 1.5)
    assert reading.layers["roads"].frame["road_id"].is_unique


def test_country_is_too_much_for_overpass(source_server):
    with servers(source_server), pytest.raises(InputError, match="geofabrik"):
        overpass.SOURCE.find(Place("Vietnam", (102.1, 8.4, 109.5, 23.4)))
    assert source_server.requests == []


def test_antimeridian_is_asked_in_two_halves(source_server, tmp_path):
    world = World()
    world.way([(179.9, -16.5), (180.0, -16.5)], highway="primary")
    world.way([(-180.0, -16.5), (-179.9, -16.5)], highway="primary")
    source_server.put("/one", answer(world.with_geometry()), "application/json")
    place = Place("Taveuni", (179.5, -17.0, 180.5, -16.0), "FJI")
    with servers(source_server):
        reading = read_overpass(place, tmp_path)
    boxes = [re.search(r"\(([\d.,-]+)\);", q)[1] for q in queries(source_server)]
    assert boxes == ["-17.0,179.5,-16.0,180.0", "-17.0,-180.0,-16.0,-179.5"]
    # In metres the halves meet: both are about 11 km, side by side.
    flat = reading.layers["roads"].frame.to_crs("EPSG:32760")
    assert flat.length.between(10_000, 11_500).all()
    assert flat.geometry.iloc[0].distance(flat.geometry.iloc[1]) < 1.0


def test_high_latitude(source_server, tmp_path):
    world = World()
    world.way([(18.95, 69.65), (18.96, 69.65)], highway="tertiary")
    source_server.put("/one", answer(world.with_geometry()), "application/json")
    with servers(source_server):
        reading = read_overpass(Place("Tromsø", (18.7, 69.5, 19.2, 69.8), "NOR"), tmp_path)
    roads = reading.layers["roads"].frame.to_crs("EPSG:32634")
    assert roads.length.iloc[0] == pytest.approx(388.0, abs=2.0)  # 0.01° at 69.65°N
    assert "nothing is mapped here for railways, villages" in reading.notes[0]


@pytest.mark.parametrize("status", [429, 504])
def test_busy_server_is_asked_again_then_a_mirror(source_server, tmp_path, status):
    good = answer(town().with_geometry())
    source_server.put("/one", good, "application/json")
    source_server.put("/two", good, "application/json")
    source_server.fail("/one", status, times=2)
    with servers(source_server):
        read_overpass(PLACE, tmp_path)
    assert len(source_server.asked("/one")) == 3
    source_server.fail("/one", status, times=9)
    elsewhere = Place("Duy Tiên", (105.9, 20.6, 106.0, 20.7))
    with servers(source_server):
        reading = read_overpass(elsewhere, tmp_path)
    assert len(source_server.asked("/two")) == 1
    assert len(reading.layers["roads"].frame) == 3


def test_all_servers_busy_says_which_and_why(source_server):
    for path in ("/one", "/two", "/three"):
        source_server.fail(path, 504, times=9)
    with servers(source_server), pytest.raises(InputError, match=r"three.*504.*later"):
        overpass.SOURCE.fetch(overpass.SOURCE.find(PLACE), PLACE)


@pytest.mark.parametrize("fault", ["html", "truncated", "odd"])
def test_answer_that_is_none_goes_to_the_mirror(source_server, tmp_path, fault):
    good = answer(town().with_geometry())
    source_server.put("/two", good, "application/json")
    if fault == "html":
        source_server.fail("/one", "html")
    elif fault == "truncated":
        source_server.put("/one", good[: len(good) // 2], "application/json")
    else:
        source_server.put("/one", b'{"hello": 1}', "application/json")
    with servers(source_server):
        reading = read_overpass(PLACE, tmp_path)
    assert len(reading.layers["roads"].frame) == 3
    assert len(source_server.asked("/two")) == 1


REMARK = 'runtime error: Query timed out in "query" at line 1 after 181 seconds.'


def test_remark_is_an_error_and_is_not_kept(source_server, tmp_path):
    broken = answer(town().with_geometry()[:2], remark=REMARK)
    for path in ("/one", "/two", "/three"):
        source_server.put(path, broken, "application/json")
    with servers(source_server):
        items = overpass.SOURCE.find(PLACE)
        with pytest.raises(InputError, match="Query timed out"):
            overpass.SOURCE.fetch(items, PLACE)
        assert download.cached(items[0]) is None
        source_server.put("/one", answer(town().with_geometry()), "application/json")
        reading = read_overpass(PLACE, tmp_path)
    assert len(reading.layers["roads"].frame) == 3


def test_remark_without_an_error_is_none(source_server, tmp_path):
    kind = answer(town().with_geometry(), remark="Please note: this server moves next week")
    source_server.put("/one", kind, "application/json")
    with servers(source_server):
        assert len(read_overpass(PLACE, tmp_path).layers["roads"].frame) == 3


def test_out_of_memory_at_one_server_is_asked_of_the_next(source_server, tmp_path):
    said = "runtime error: Query run out of memory using about 600 MB of RAM."
    source_server.put("/one", answer([], remark=said), "application/json")
    source_server.put("/two", answer(town().with_geometry()), "application/json")
    with servers(source_server):
        assert len(read_overpass(PLACE, tmp_path).layers["roads"].frame) == 3


def test_offline_uses_the_cache_or_says_so(source_server, tmp_path):
    source_server.put("/one", answer(town().with_geometry()), "application/json")
    with servers(source_server):
        with download.offline(), pytest.raises(InputError, match="not in the cache"):
            read_overpass(PLACE, tmp_path)
        read_overpass(PLACE, tmp_path)
        with download.offline():
            assert read_overpass(PLACE, tmp_path).layers


# PBF files


def test_pbf_and_overpass_give_the_same_layers(source_server, tmp_path):
    world = town()
    source_server.put("/one", answer(world.with_geometry()), "application/json")
    with servers(source_server):
        asked = read_overpass(PLACE, tmp_path)
    read = geofabrik.read_file(world.write_pbf(tmp_path / "town.osm.pbf"), PLACE)
    assert set(asked.layers) == set(read.layers) == set(osm_tags.LAYERS)
    for name in osm_tags.LAYERS:
        assert same(asked.layers[name].frame, read.layers[name].frame), name
    assert read.layers["roads"].provenance.vintage == STAMP


def test_pbf_is_cut_to_the_bounds(tmp_path):
    world = town()
    far = world.way([(106.5, 20.5), (106.6, 20.5)], highway="primary")
    # No node of it lies in the bounds, but the line crosses them.
    through = world.way([(105.80, 20.58), (106.00, 20.58)], highway="trunk")
    beside = world.way([(105.84, 20.44), (105.86, 20.40)], highway="trunk")
    corner = world.relation(
        [("w", world.way([(106.3, 20.5), (106.31, 20.5), (106.3, 20.51), (106.3, 20.5)]), "outer")],
        type="multipolygon",
        amenity="school",
    )
    path = world.write_pbf(tmp_path / "w.osm.pbf")
    here = geofabrik.read_file(path, PLACE).layers
    keys = set(here["roads"].frame["road_id"])
    assert f"w{through}" in keys
    assert not {f"w{far}", f"w{beside}"} & keys
    assert f"r{corner}" not in set(here["points_of_interest"].frame["poi_id"])
    whole = geofabrik.read_file(path).layers
    assert {f"w{far}", f"w{beside}"} <= set(whole["roads"].frame["road_id"])
    assert f"r{corner}" in set(whole["points_of_interest"].frame["poi_id"])


def test_pbf_across_the_antimeridian(tmp_path):
    world = World()
    world.way([(179.9, -16.5), (180.0, -16.5)], highway="primary")
    world.way([(-180.0, -16.5), (-179.9, -16.5)], highway="primary")
    world.way([(0.0, -16.5), (0.1, -16.5)], highway="primary")
    path = world.write_pbf(tmp_path / "fiji.osm.pbf", stamp="")
    reading = geofabrik.read_file(path, Place("Taveuni", (179.5, -17.0, 180.5, -16.0)))
    assert reading.layers["roads"].frame["road_id"].tolist() == ["w1", "w2"]
    assert reading.layers["roads"].provenance.vintage == "not stated in the file"


def test_large_pbf_keeps_its_index_on_the_disk(tmp_path, monkeypatch):
    path = town().write_pbf(tmp_path / "town.osm.pbf")
    small = geofabrik.read_file(path, PLACE)
    monkeypatch.setattr(geofabrik, "_MOST_IN_MEMORY_BYTES", 1)
    large = geofabrik.read_file(path, PLACE, folder=tmp_path)
    for name in osm_tags.LAYERS:
        assert same(small.layers[name].frame, large.layers[name].frame)
    assert [p.name for p in tmp_path.iterdir()] == ["town.osm.pbf"]


def test_nodes_that_an_extract_lacks_are_left_out(tmp_path):
    world = World()
    way = world.way([(105.88, 20.5), (105.89, 20.5), (105.90, 20.5)], highway="primary")
    lone = world.way([(105.88, 20.51), (105.89, 20.51)], highway="primary")
    del world.nodes[world.ways[way][2]], world.nodes[world.ways[lone][0]]
    roads = geofabrik.read_file(world.write_pbf(tmp_path / "cut.osm.pbf")).layers["roads"].frame
    assert roads["road_id"].tolist() == [f"w{way}"]
    assert list(roads.geometry.iloc[0].coords) == [(105.88, 20.5), (105.89, 20.5)]


@pytest.mark.parametrize("damage", ["missing", "text", "cut"])
def test_damaged_pbf_is_said_to_be_so(tmp_path, damage):
    path = tmp_path / "x.osm.pbf"
    if damage == "text":
        path.write_text("not a map")
    elif damage == "cut":
        body = town().write_pbf(path).read_bytes()
        path.write_bytes(body[: len(body) - 20])
    with pytest.raises(InputError, match=r"x\.osm\.pbf"):
        geofabrik.read_file(path)


def test_own_extract_is_a_source(tmp_path):
    source = geofabrik.OwnExtract(town().write_pbf(tmp_path / "own.osm.pbf"))
    items = source.size_up(source.find(PLACE))
    assert items[0].size_bytes == source.path.stat().st_size
    reading = source.read(source.fetch(items, PLACE), PLACE, tmp_path)
    assert len(reading.layers["roads"].frame) == 3
    assert len(reading.layers["roads"].provenance.sha256) == 64


# Geofabrik


def index(server: SourceServer) -> bytes:
    """Return an index in the true form, with a continent, a country and another region."""

    def feature(key: str, parent: str, box: tuple[float, float, float, float], pbf: str) -> dict:
        return {
            "type": "Feature",
            "properties": {
                "id": key,
                "parent": parent,
                "iso3166-1:alpha2": ["VN"],
                "name": key.title(),
                "urls": {"pbf": pbf, "shp": f"{pbf}.zip"},
            },
            "geometry": {
                "type": "MultiPolygon",
                "coordinates": [[[list(p) for p in shapely.box(*box).exterior.coords]]],
            },
        }

    base = "https://download.geofabrik.de"
    features = [
        feature("asia", "", (25.0, -12.0, 180.0, 80.0), f"{base}/asia-latest.osm.pbf"),
        feature(
            "vietnam", "asia", (101.0, 6.0, 112.0, 24.0), f"{base}/asia/vietnam-latest.osm.pbf"
        ),
        feature("laos", "asia", (99.0, 13.0, 105.9, 23.0), f"{base}/asia/laos-latest.osm.pbf"),
        feature("fiji", "oceania", (176.0, -22.0, 180.0, -11.0), f"{base}/fiji-latest.osm.pbf"),
    ]
    ring = [list(p) for p in shapely.box(-180.0, -22.0, -177.0, -11.0).exterior.coords]
    features[3]["geometry"]["coordinates"].append([ring])
    features.append({"type": "Feature", "properties": {"id": "nowhere"}, "geometry": None})
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def test_smallest_extract_is_found_sized_up_and_read(source_server, tmp_path):
    body = town().write_pbf(tmp_path / "v.osm.pbf").read_bytes()
    source_server.put("/geofabrik/index-v1.json", index(source_server), "application/json")
    source_server.put("/geofabrik/asia/vietnam-latest.osm.pbf", body)
    source = geofabrik.SOURCE
    with servers(source_server):
        items = source.size_up(source.find(PLACE))
        assert [item.key for item in items] == ["vietnam-latest.osm.pbf"]
        assert items[0].size_bytes == len(body)
        shares: list[float] = []
        fetched = source.fetch(items, PLACE, on_progress=shares.append)
        reading = source.read(fetched, PLACE, tmp_path)
    assert shares[-1] == 1.0
    assert len(reading.layers["roads"].frame) == 3
    origin = reading.layers["roads"].provenance
    assert origin.vintage == STAMP
    assert origin.url_or_file.endswith("/asia/vietnam-latest.osm.pbf")


def test_extract_of_a_place_across_the_antimeridian(source_server):
    source_server.put("/geofabrik/index-v1.json", index(source_server), "application/json")
    outline = shapely.box(177.0, -19.0, 182.0, -16.0)
    place = Place("Fiji", outline.bounds, "FJI", outline)
    with servers(source_server):
        assert geofabrik.SOURCE.find(place)[0].key == "fiji-latest.osm.pbf"


def test_place_without_an_extract(source_server):
    source_server.put("/geofabrik/index-v1.json", index(source_server), "application/json")
    with servers(source_server), pytest.raises(InputError, match="no extract covers Tromsø"):
        geofabrik.SOURCE.find(Place("Tromsø", (18.7, 69.5, 19.2, 69.8)))


def test_index_that_is_a_web_page(source_server):
    source_server.fail("/geofabrik/index-v1.json", "html", times=9)
    with servers(source_server), pytest.raises(InputError, match="web page"):
        geofabrik.SOURCE.find(PLACE)


def test_extract_that_breaks_off_is_resumed(source_server, tmp_path):
    body = town().write_pbf(tmp_path / "v.osm.pbf").read_bytes()
    source_server.put("/geofabrik/index-v1.json", index(source_server), "application/json")
    path = "/geofabrik/asia/vietnam-latest.osm.pbf"
    source_server.put(path, body)
    source_server.fail(path, "cut", after_bytes=700, methods=("GET",))
    with servers(source_server):
        fetched = geofabrik.SOURCE.fetch(geofabrik.SOURCE.find(PLACE), PLACE)
    assert fetched[0].path.read_bytes() == body
    assert source_server.asked(path)[-1].headers["Range"] == "bytes=700-"


# A real extract


@pytest.fixture(scope="module")
def helsinki() -> tuple[Path, dict]:
    path = shared_path("data/helsinki_sample.osm.pbf")
    return path, geofabrik.read_file(path).layers


def counted(path: Path, fits) -> int:
    """Count objects by a plain loop, without filters, tables or geometry of ours."""
    return sum(1 for one in osmium.FileProcessor(str(path)).with_locations() if fits(one))


def test_helsinki_has_the_roads_that_a_plain_count_gives(helsinki):
    path, layers = helsinki

    def places(one) -> int:
        return len({(n.lon, n.lat) for n in one.nodes if n.location.valid()})

    def is_road(one) -> bool:
        return (
            one.is_way()
            and one.tags.get("highway") in osm_tags.ROAD_CLASSES
            and one.tags.get("area") != "yes"
            and places(one) > 1
        )

    def is_driven(one) -> bool:
        return (
            is_road(one)
            and one.tags["highway"] not in ("service", "track")
            and one.tags.get("motor_vehicle") != "no"
            and one.tags.get("motorcar") != "no"
        )

    assert len(layers["roads"].frame) == counted(path, is_road)
    # 725 ways for driving were read with pyrosm, which leaves service roads out.
    assert counted(path, is_driven) == 725
    total_km = layers["roads"].frame.to_crs("EPSG:32635").length.sum() / 1000
    assert 20.0 < total_km < 60.0
    assert set(layers["roads"].frame["road_class"]) <= set(osm_tags.ROAD_CLASSES.values())


def test_helsinki_has_the_points_that_a_plain_count_gives(helsinki):
    path, layers = helsinki
    kinds = layers["points_of_interest"].frame["kind"].value_counts().to_dict()
    for (key, value), kind in {
        ("amenity", "post_office"): "post_office",
        ("amenity", "school"): "school",
        ("amenity", "clinic"): "clinic",
        ("amenity", "townhall"): "town_hall",
    }.items():
        number = counted(path, lambda one, k=key, v=value: one.tags.get(k) == v)
        assert number > 0
        assert kinds[kind] == number
    villages = layers["villages"].frame
    assert villages["place"].value_counts().to_dict() == {
        "suburb": 5,
        "city": 1,
        "neighbourhood": 1,
    }
    city = villages[villages["place"] == "city"]
    assert city["name"].tolist() == ["Helsinki"]
    assert len(layers["masts"].frame) == 1


def test_helsinki_fits_the_schemas(helsinki):
    for name, source in helsinki[1].items():
        found = schema.examine(name, source.frame.to_crs("EPSG:32635"), crs="EPSG:32635")
        assert not found.errors, name


def test_part_of_helsinki_is_what_touches_its_box(helsinki):
    path, layers = helsinki
    box = (24.940, 60.168, 24.945, 60.172)
    part = geofabrik.read_file(path, Place("Kluuvi", box)).layers["roads"].frame
    every = layers["roads"].frame
    touching = every[every.intersects(shapely.box(*box))]
    assert 0 < len(part) < len(every)
    assert set(part["road_id"]) == set(touching["road_id"])
