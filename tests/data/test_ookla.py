"""Speed tests of Ookla: parts of large files, tiles, shares below a speed."""

from __future__ import annotations

import datetime as dt
import io
import itertools
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from data import schema
from data.errors import InputError
from data.sources import addresses, download, ookla
from data.sources.ookla import Ookla, columns_and_rows, shares_below, tile_of, tile_polygons
from data.sources.source import Fetched, Item, Place
from tests.data.source_server import SourceServer

HA_NAM = Place("Hà Nam, Vietnam", (105.77, 20.36, 106.19, 20.70), country="VNM")
NAME = "2024-10-01_performance_fixed_tiles.parquet"
PATH = f"/parquet/performance/type=fixed/year=2024/quarter=4/{NAME}"
TODAY = dt.date(2025, 2, 3)
FIXED = Ookla(networks=("fixed",), today=TODAY)


def quadkey(column: int, row: int) -> str:
    """Return the quadkey by its definition, digit by digit."""
    return "".join(
        str((column >> level & 1) + 2 * (row >> level & 1)) for level in range(15, -1, -1)
    )


def world(seed: int = 1, around: Place = HA_NAM, count: int = 4000) -> pd.DataFrame:
    """Return tiles all over the world, and many over a place, as Ookla has them."""
    rng = np.random.default_rng(seed)
    west, south, east, north = around.bounds
    lon = np.r_[rng.uniform(-180, 180, count), rng.uniform(west - 0.3, east + 0.3, count // 2)]
    lat = np.r_[rng.uniform(-60, 75, count), rng.uniform(south - 0.3, north + 0.3, count // 2)]
    lon = (lon + 180.0) % 360.0 - 180.0
    tiles = sorted({quadkey(*tile_of(x, y)) for x, y in zip(lon, lat, strict=True)})
    column, row = columns_and_rows(np.array(tiles))
    shapes = tile_polygons(column, row)
    centre = shapely.centroid(shapes)
    number = len(tiles)
    return pd.DataFrame(
        {
            "quadkey": tiles,
            "tile": shapely.to_wkt(shapes, rounding_precision=12),
            "tile_x": shapely.get_x(centre),
            "tile_y": shapely.get_y(centre),
            "avg_d_kbps": rng.integers(500, 400_000, number),
            "avg_u_kbps": rng.integers(200, 300_000, number),
            "avg_lat_ms": rng.integers(1, 200, number),
            "avg_lat_down_ms": rng.integers(1, 900, number).astype("float64"),
            "avg_lat_up_ms": rng.integers(1, 900, number).astype("float64"),
            "tests": rng.integers(1, 500, number),
            "devices": rng.integers(1, 60, number),
        }
    )


def parquet(frame: pd.DataFrame, *, group: int = 200, statistics: bool = True) -> bytes:
    stream = io.BytesIO()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table, stream, row_group_size=group, write_statistics=statistics)
    return stream.getvalue()


@pytest.fixture
def asked(source_server: SourceServer):
    with addresses.using({"ookla": source_server.url}):
        yield source_server


def wanted_bytes(server: SourceServer, since: int) -> int:
    """Return how many bytes were asked for since a number of requests."""
    total = 0
    for asked in server.requests[since:]:
        if asked.method == "GET":
            first, last = asked.headers["Range"].removeprefix("bytes=").split("-")
            total += int(last) - int(first) + 1
    return total


def over(frame: pd.DataFrame, place: Place) -> pd.DataFrame:
    """Return the tiles that touch a place, by their outlines."""
    shapes = shapely.from_wkt(frame["tile"].to_numpy())
    west, south, east, north = place.bounds
    boxes = [
        shapely.box(west, south, east, north),
        shapely.box(west - 360, south, east - 360, north),
    ]
    near = np.any([shapely.intersects(shapes, box) for box in boxes], axis=0)
    return frame[near]


def whole(source: Ookla, place: Place, folder: Path):
    items = source.find(place)
    return source.read(source.fetch(items, place), place, folder)


# ------------------------------------------------------------------------------------------
# From the server


def test_only_the_rows_over_the_place_are_carried(asked: SourceServer, tmp_path: Path) -> None:
    frame = world()
    body = parquet(frame)
    asked.put(PATH, body)
    items = FIXED.find(HA_NAM)
    assert [item.vintage for item in items] == ["2024Q4"]
    assert items[0].windowed
    (sized,) = FIXED.size_up(items)
    before = len(asked.requests)
    shares: list[float] = []
    fetched = FIXED.fetch([sized], HA_NAM, on_progress=shares.append)
    carried = wanted_bytes(asked, before)
    assert sized.size_bytes is not None
    assert carried == pytest.approx(sized.size_bytes, rel=0.02)
    assert carried < 0.5 * len(body)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    reading = FIXED.read(fetched, HA_NAM, tmp_path)
    layer = reading.layers["speed_tests"]
    expected = over(frame, HA_NAM)
    assert layer.frame["quadkey"].tolist() == expected["quadkey"].tolist()
    assert len(expected) > 100
    np.testing.assert_allclose(layer.frame["avg_d_mbps"], expected["avg_d_kbps"] / 1000.0)
    np.testing.assert_allclose(layer.frame["avg_u_mbps"], expected["avg_u_kbps"] / 1000.0)
    assert layer.frame["tests"].tolist() == expected["tests"].tolist()
    published = shapely.from_wkt(expected["tile"].to_numpy())
    apart = shapely.hausdorff_distance(published, layer.frame.geometry.to_numpy())
    assert apart.max() < 1e-9
    schema.validate("speed_tests", layer.frame, crs="EPSG:4326")
    assert "CC BY-NC-SA 4.0" in layer.provenance.licence
    assert "non-commercial" in layer.provenance.licence
    assert any("may not be used commercially" in note for note in reading.notes)
    assert layer.provenance.vintage == "2024Q4"
    # The next build asks for nothing but whether there is a newer quarter.
    count = len(asked.asked(PATH))
    FIXED.fetch(FIXED.find(HA_NAM), HA_NAM)
    assert len(asked.asked(PATH)) == count


@pytest.mark.parametrize(
    "change",
    [
        {"drop": ["tile_x", "tile_y", "avg_lat_down_ms", "avg_lat_up_ms"]},
        {"shuffle": True},
        {"statistics": False},
        {"group": 10**9},
    ],
)
def test_older_and_unsorted_files_give_the_same(
    asked: SourceServer, tmp_path: Path, change: dict
) -> None:
    frame = world()
    made = frame.drop(columns=change.get("drop", []))
    if change.get("shuffle"):
        made = made.sample(frac=1.0, random_state=1)
    body = parquet(made, group=change.get("group", 200), statistics=change.get("statistics", True))
    asked.put(PATH, body)
    (sized,) = FIXED.size_up(FIXED.find(HA_NAM))
    before = len(asked.requests)
    fetched = FIXED.fetch([sized], HA_NAM)
    # Also where nearly everything has to be carried, that was said before.
    assert wanted_bytes(asked, before) == pytest.approx(sized.size_bytes, rel=0.02)
    tiles = FIXED.read(fetched, HA_NAM, tmp_path).layers["speed_tests"].frame
    assert tiles["quadkey"].tolist() == over(frame, HA_NAM)["quadkey"].tolist()


def test_a_server_without_ranges_gives_the_whole_file(asked: SourceServer, tmp_path: Path) -> None:
    frame = world(count=500)
    body = parquet(frame)
    asked.put(PATH, body, ranges=False)
    (sized,) = FIXED.size_up(FIXED.find(HA_NAM))
    assert (sized.windowed, sized.size_bytes) == (False, len(body))
    tiles = FIXED.read(FIXED.fetch([sized], HA_NAM), HA_NAM, tmp_path).layers["speed_tests"]
    assert tiles.frame["quadkey"].tolist() == over(frame, HA_NAM)["quadkey"].tolist()


def test_the_newest_quarter_is_found_for_each_network(asked: SourceServer, tmp_path: Path) -> None:
    asked.put(PATH, parquet(world(1, count=300)))
    mobile = PATH.replace("fixed", "mobile").replace("quarter=4", "quarter=3")
    mobile = mobile.replace("2024-10-01", "2024-07-01")
    asked.put(mobile, parquet(world(2, count=300)))
    source = Ookla(today=TODAY)
    assert [item.vintage for item in source.find(HA_NAM)] == ["2024Q4", "2024Q3"]
    tiles = whole(source, HA_NAM, tmp_path).layers["speed_tests"].frame
    assert set(zip(tiles["network"], tiles["quarter"], strict=True)) == {
        ("fixed", "2024Q4"),
        ("mobile", "2024Q3"),
    }
    schema.validate("speed_tests", tiles)


def test_a_quarter_may_be_chosen(asked: SourceServer) -> None:
    asked.put(PATH, parquet(world(count=100)))
    assert Ookla(("fixed",), "2024Q4").find(HA_NAM)[0].vintage == "2024Q4"
    with pytest.raises(InputError, match=r"there is no file .*year=2023/quarter=1"):
        Ookla(("fixed",), "2023Q1").find(HA_NAM)
    for wrong in ("2024", "2024Q5", "2018Q4", "Q1"):
        with pytest.raises(InputError, match="expected a year and a quarter since 2019Q1"):
            Ookla(("fixed",), wrong).find(HA_NAM)


def test_no_quarter_at_all(asked: SourceServer) -> None:
    with pytest.raises(InputError, match="none of the last 8 quarters of fixed tests is there"):
        FIXED.find(HA_NAM)
    assert len(asked.requests) == 8


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"what": 429, "retry_after": "3600"}, "wants fewer requests"),
        ({"what": 500}, "fault of its own"),
        ({"what": 403}, "there is no file"),
        ({"what": "html"}, "broke off"),
        ({"what": "drop"}, "broke off"),
    ],
)
def test_faults_on_the_way_are_sentences(asked: SourceServer, fault, said: str) -> None:
    asked.put(PATH, parquet(world(count=300)))
    items = FIXED.find(HA_NAM)
    asked.fail(PATH, times=99, methods=("GET",), **fault)
    with pytest.raises(InputError, match=said):
        FIXED.fetch(items, HA_NAM)
    assert not list(download.cache_folder().rglob("*.parquet"))


def test_what_breaks_off_now_and_then_is_asked_for_again(
    asked: SourceServer, tmp_path: Path
) -> None:
    frame = world()
    asked.put(PATH, parquet(frame))
    items = FIXED.find(HA_NAM)
    asked.fail(PATH, "cut", times=2, methods=("GET",))
    asked.fail(PATH, 503, times=1, methods=("GET",))
    tiles = FIXED.read(FIXED.fetch(items, HA_NAM), HA_NAM, tmp_path).layers["speed_tests"].frame
    assert tiles["quadkey"].tolist() == over(frame, HA_NAM)["quadkey"].tolist()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<!doctype html><html>sign in</html>" * 40, "sent something else than a Parquet file"),
        (b'{"status":"error"}' + b" " * 600, "sent something else than a Parquet file"),
        (b"PAR1" + b"\0" * 5000 + b"PAR1", "damaged or cut off"),
    ],
)
def test_what_is_no_parquet_is_refused(asked: SourceServer, body: bytes, said: str) -> None:
    asked.put(PATH, body)
    with pytest.raises(InputError, match=said):
        FIXED.fetch(FIXED.find(HA_NAM), HA_NAM)


def test_a_cut_off_and_a_corrupt_file_are_refused(asked: SourceServer) -> None:
    body = parquet(world(count=2000))
    asked.put(PATH, body[: len(body) // 2])
    with pytest.raises(InputError, match=r"2024-10-01_.*damaged or cut off"):
        FIXED.fetch(FIXED.find(HA_NAM), HA_NAM)
    asked.put(PATH, body[:40] + b"\xff" * (len(body) - 20_000) + body[len(body) - 19_960 :])
    with pytest.raises(InputError, match="damaged or cut off"):
        FIXED.fetch(FIXED.find(HA_NAM), HA_NAM)


def test_a_file_that_changes_on_the_way_is_not_mixed(asked: SourceServer) -> None:
    asked.put(PATH, parquet(world(1, count=300)))
    items = FIXED.find(HA_NAM)
    about = ookla.servers.describe(items[0].url, source="ookla")
    asked.put(PATH, parquet(world(2, count=300)))
    with pytest.raises(InputError, match="broke off"):
        ookla.RemoteFile(items[0], about).read(100)


def test_offline_the_copy_in_the_cache_is_used(asked: SourceServer) -> None:
    asked.put(PATH, parquet(world(count=300)))
    first = FIXED.fetch(FIXED.find(HA_NAM), HA_NAM)
    asked.stop()
    with download.offline():
        assert FIXED.fetch(FIXED.find(HA_NAM), HA_NAM)[0].sha256 == first[0].sha256
        elsewhere = Place("Huế", (107.5, 16.4, 107.7, 16.5))
        with pytest.raises(InputError, match="not in the cache"):
            FIXED.find(elsewhere)
    with pytest.raises(InputError, match="cannot be reached"):
        FIXED.find(HA_NAM)


def test_cancelling_leaves_nothing_behind(asked: SourceServer) -> None:
    asked.put(PATH, parquet(world()))
    items = FIXED.find(HA_NAM)

    def stop(share: float) -> None:
        if share > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FIXED.fetch(items, HA_NAM, on_progress=stop)
    assert not [p for p in download.cache_folder().rglob("*") if p.suffix in (".parquet", ".part")]


# ------------------------------------------------------------------------------------------
# Files and tiles


def test_a_file_of_ones_own_and_rows_that_say_nothing(tmp_path: Path) -> None:
    frame = world(count=500)
    here = over(frame, HA_NAM).index
    frame.loc[here[0], "tests"] = 0
    frame.loc[here[1], "avg_d_kbps"] = -1
    frame.loc[here[2], "quadkey"] = frame.loc[here[2], "quadkey"][:-1] + "7"
    path = tmp_path / NAME
    path.write_bytes(parquet(frame))
    fetched = Fetched(Item("ookla", NAME, NAME), path, "", "2026-11-24T00:00:00+00:00")
    reading = FIXED.read([fetched], HA_NAM, tmp_path)
    tiles = reading.layers["speed_tests"].frame
    assert len(tiles) == len(here) - 3
    assert f"{NAME}: 2 tiles without usable figures left out" in reading.notes
    other = tmp_path / "tiles.parquet"
    other.write_bytes(path.read_bytes())
    with pytest.raises(InputError, match="does not say which quarter and network"):
        ookla.read_tiles(other, HA_NAM)
    other = tmp_path / "2020-04-01_performance_mobile_tiles.parquet"
    other.write_bytes(parquet(frame[["quadkey", "tests"]]))
    with pytest.raises(InputError, match=r"the columns are quadkey, tests \(expected quadkey, avg"):
        ookla.read_tiles(other, HA_NAM)


def test_a_place_without_tests(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(parquet(world(count=300)))
    fetched = Fetched(Item("ookla", NAME, NAME), path, "", "2026-11-24T00:00:00+00:00")
    nowhere = Place("Ocean", (-30.01, -75.01, -30.0, -75.0))
    reading = FIXED.read([fetched], nowhere, tmp_path)
    assert not reading.layers
    assert reading.notes == ("Ookla has no speed test in Ocean",)


def test_across_the_antimeridian(asked: SourceServer, tmp_path: Path) -> None:
    taveuni = Place("Taveuni", (179.7, -17.1, 180.3, -16.6), country="FJI")
    frame = world(around=taveuni)
    asked.put(PATH, parquet(frame))
    items = FIXED.find(taveuni)
    (sized,) = FIXED.size_up(items)
    tiles = whole(FIXED, taveuni, tmp_path).layers["speed_tests"].frame
    assert tiles["quadkey"].tolist() == over(frame, taveuni)["quadkey"].tolist()
    assert (tiles.total_bounds[0] < -179.6, tiles.total_bounds[2] > 179.6) == (True, True)
    assert sized.size_bytes is not None
    assert sized.size_bytes < 0.5 * len(parquet(frame))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 65535), st.integers(0, 65535))
def test_quadkeys_and_tiles_are_the_same(column: int, row: int) -> None:
    columns, rows = columns_and_rows(np.array([quadkey(column, row), "012", "4" * 16, "0" * 17]))
    assert (columns[0], rows[0]) == (column, row)
    assert columns[1:].tolist() == rows[1:].tolist() == [-1, -1, -1]
    centre = shapely.centroid(tile_polygons(columns[:1], rows[:1]))[0]
    assert tile_of(centre.x, centre.y) == (column, row)


def test_the_example_of_bings_tile_system() -> None:
    # Tile (3, 5) of zoom 3 is quadkey 213; its first tile of zoom 16 follows.
    columns, rows = columns_and_rows(np.array(["213" + "0" * 13]))
    assert (columns[0] >> 13, rows[0] >> 13) == (3, 5)


@settings(max_examples=50, deadline=None)
@given(
    st.floats(-180.0, 179.9),
    st.floats(-80.0, 80.0),
    st.floats(0.001, 30.0),
    st.floats(0.001, 5.0),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
)
def test_stretches_of_quadkeys_hold_every_tile(lon, lat, wide, high, x, y) -> None:
    place = Place("x", (lon, lat, lon + wide, lat + high))
    point = ((lon + x * wide + 180.0) % 360.0 - 180.0, lat + y * high)
    key = quadkey(*tile_of(*point))
    spans = ookla._spans(ookla._boxes(place.bounds))
    assert any(first <= key <= last for first, last in spans)


# ------------------------------------------------------------------------------------------
# Shares below a speed


def tiled(rows: list[tuple[float, float, float, int]]) -> gpd.GeoDataFrame:
    """Return tiles of 600 m, each with x, y, speed and number of tests."""
    shapes = [shapely.box(x, y, x + 600, y + 600) for x, y, _, _ in rows]
    return gpd.GeoDataFrame(
        {
            "tile_id": [f"t{k}" for k in range(len(rows))],
            "network": "fixed",
            "quarter": "2024Q4",
            "avg_d_mbps": [row[2] for row in rows],
            "avg_u_mbps": [row[2] / 2 for row in rows],
            "tests": [float(row[3]) for row in rows],
        },
        geometry=shapes,
        crs="EPSG:32648",
    )


def zones_of(*edges: float) -> gpd.GeoDataFrame:
    shapes = [shapely.box(a, 0, b, 10_000) for a, b in itertools.pairwise(edges)]
    codes = [f"z{k}" for k in range(len(shapes))]
    return gpd.GeoDataFrame({"code": codes}, geometry=shapes, crs="EPSG:32648")


def test_shares_below_a_speed_by_zone() -> None:
    tests = tiled([(0, 0, 10.0, 30), (600, 0, 50.0, 10), (1200, 0, 100.0, 60), (5000, 0, 1.0, 9)])
    table = shares_below(tests, zones_of(0, 1500, 3000), [10.0, 60.0, 200.0])
    first = table[table["zone"] == "z0"].set_index("threshold_mbps")
    # Half of the third tile lies in z0: 30 tests. 10 Mbit/s is not below 10 Mbit/s.
    assert first["tests"].tolist() == [70.0] * 3
    assert first["tiles"].tolist() == [2.5] * 3
    assert first["share_of_tests"].tolist() == pytest.approx([0.0, 40 / 70, 1.0])
    assert first["share_of_tiles"].tolist() == pytest.approx([0.0, 2 / 2.5, 1.0])
    assert first["mean_mbps"].iloc[0] == pytest.approx((300 + 500 + 3000) / 70)
    second = table[table["zone"] == "z1"].set_index("threshold_mbps")
    assert second["share_of_tests"].tolist() == [0.0, 0.0, 1.0]
    assert second["tests"].tolist() == [30.0] * 3
    upload = shares_below(tests, zones_of(0, 1500), [30.0], measure="avg_u_mbps")
    assert upload["share_of_tests"].tolist() == pytest.approx([40 / 70])


def test_zones_without_tests_and_no_thresholds_give_no_rows() -> None:
    tests = tiled([(0, 0, 10.0, 30)])
    assert len(shares_below(tests, zones_of(9000, 9900), [10.0])) == 0
    assert len(shares_below(tests, zones_of(0, 900), [])) == 0
    # A zone that only touches the tile has none of its tests.
    assert len(shares_below(tests, zones_of(600, 900), [10.0])) == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_tests_are_neither_lost_nor_counted_twice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [
        (
            600.0 * k,
            float(rng.uniform(0, 9000)),
            float(rng.uniform(0, 200)),
            int(rng.integers(1, 99)),
        )
        for k in range(12)
    ]
    edges = np.sort(rng.uniform(0, 7200, 4))
    table = shares_below(tiled(rows), zones_of(0, *edges, 7200), [25.0, 100.0])
    for threshold, part in table.groupby("threshold_mbps"):
        assert part["tests"].sum() == pytest.approx(sum(row[3] for row in rows))
        slow = (part["tests"] * part["share_of_tests"]).sum()
        assert slow == pytest.approx(sum(row[3] for row in rows if row[2] < threshold), abs=1e-6)
    wide = table.pivot(index="zone", columns="threshold_mbps", values="share_of_tests")
    assert (wide[25.0] <= wide[100.0]).all()
    mixed = tiled([rows[k] for k in rng.permutation(12)])
    again = shares_below(mixed, zones_of(0, *edges, 7200), [25.0, 100.0])
    pd.testing.assert_frame_equal(table, again)
