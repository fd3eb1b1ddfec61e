"""Rasters of the open sources, read in parts from a local server."""

import gzip
import io
import zipfile

import numpy as np
import pyproj
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from data import rasters, schema
from data.errors import CancelledError, InputError
from data.grid import Grid
from data.sources import addresses, copernicus_dem, download, srtm, windows, worldcover, worldpop
from data.sources.download import MissingError, OfflineError, SourceError
from data.sources.source import Item, Place
from tests.data import raster_tiles
from tests.data.raster_tiles import centres, height_at, hgt
from tests.vectors import shared_path

HANAM = Place("Hà Nam", (105.93, 20.90, 106.04, 21.03), "VNM")  # four tiles meet in it
FIJI = Place("Taveuni", (179.9, -16.9, 180.1, -16.7), "FJI")
TROMSO = Place("Tromsø", (18.9, 69.6, 19.1, 69.7), "NOR")
GULF = Place("Gulf of Guinea", (-0.1, -0.1, 0.1, 0.1))


@pytest.fixture
def dem(source_server):
    with addresses.using(
        {
            "copernicus_dem_30": source_server.url + "/glo30",
            "copernicus_dem_90": source_server.url + "/glo90",
        }
    ):
        yield copernicus_dem.CopernicusDem()


def dem_path(lon: int, lat: int, metres: int = 30) -> str:
    name = copernicus_dem.tile_name(lon, lat, metres)
    return f"/glo{metres}/{name}/{name}.tif"


def put_dem(server, *corners, metres: int = 30) -> None:
    for lon, lat in corners:
        body = raster_tiles.copernicus(lon, lat, metres)
        server.put(dem_path(lon, lat, metres), body, "image/tiff")


def brought(source, place, folder, **more):
    return source.read(source.fetch(source.find(place), place, **more), place, folder)


def heights(reading, name: str = "terrain"):
    with rasterio.open(reading.rasters[name].path) as dataset:
        lon, lat = centres(dataset.transform, dataset.width, dataset.height)
        return dataset.read(1), lon, lat, dataset.profile | {"bounds": dataset.bounds}


def covers(bounds, place) -> bool:
    tiny = 1e-9
    west, south, east, north = place.bounds
    return (
        bounds.left <= west + tiny
        and bounds.bottom <= south + tiny
        and bounds.right >= east - tiny
        and bounds.top >= north - tiny
    )


# Copernicus DEM -------------------------------------------------------------------------------


def test_four_tiles_are_read_in_parts_and_fit_without_a_seam(dem, source_server, tmp_path) -> None:
    corners = [(105, 20), (106, 20), (105, 21), (106, 21)]
    put_dem(source_server, *corners)
    items = dem.size_up(dem.find(HANAM))
    whole = sum(len(raster_tiles.copernicus(*corner)) for corner in corners)
    assert len(items) == 4
    assert all(item.windowed for item in items)
    announced = sum(item.size_bytes for item in items)
    assert 0 < announced < 0.5 * whole
    before = source_server.sent_bytes()
    reading = dem.read(dem.fetch(items, HANAM), HANAM, tmp_path)
    carried = source_server.sent_bytes() - before
    # One block of each tile, and its header.
    assert carried < announced + 4 * 60_000
    values, lon, lat, about = heights(reading)
    assert covers(about["bounds"], HANAM)
    assert about["dtype"] == "float32"
    assert about["crs"] == "EPSG:4326"
    assert np.array_equal(values, height_at(lon, lat))
    assert abs(lon[0, 0] * 3600 - round(lon[0, 0] * 3600)) < 1e-6  # pixel centres on the second


def test_a_part_equals_what_the_tile_holds_there(dem, source_server, tmp_path) -> None:
    put_dem(source_server, (105, 20))
    place = Place("here", (105.3, 20.3, 105.31, 20.32))
    (got,) = dem.fetch(dem.find(place), place)
    with MemoryFile(raster_tiles.copernicus(105, 20)) as file, file.open() as tile:
        window = windows.window_over(tile, place.bounds)
        direct = tile.read(1, window=window)
        transform = tile.window_transform(window)
    with rasterio.open(got.path) as part:
        assert np.array_equal(part.read(1), direct)
        assert part.transform == transform
        assert window.width == 39  # 37 pixels and one more on each side
    assert got.sha256 == windows.sha256_of(got.path)


def test_a_second_build_carries_nothing(dem, source_server, tmp_path) -> None:
    put_dem(source_server, (105, 20), (106, 20), (105, 21))  # the fourth is missing: sea
    first = brought(dem, HANAM, tmp_path / "1")
    asked = len(source_server.requests)
    assert any(item.size_bytes == 0 for item in dem.size_up(dem.find(HANAM)))
    second = brought(dem, HANAM, tmp_path / "2")
    assert len(source_server.requests) == asked
    assert np.array_equal(heights(first)[0], heights(second)[0])
    source_server.stop()
    with download.offline():
        third = brought(dem, HANAM, tmp_path / "3")
    assert third.rasters["terrain"].provenance == first.rasters["terrain"].provenance


def test_what_was_brought_before_a_cancel_stays(dem, source_server, tmp_path) -> None:
    put_dem(source_server, (105, 20), (106, 20), (105, 21), (106, 21))
    shares: list[float] = []

    def cancel(share: float) -> None:
        shares.append(share)
        if share > 0.6:
            raise CancelledError

    with pytest.raises(CancelledError):
        dem.fetch(dem.find(HANAM), HANAM, on_progress=cancel)
    source_server.requests.clear()
    shares.clear()
    dem.fetch(dem.find(HANAM), HANAM, on_progress=shares.append)
    asked = {request.path for request in source_server.requests}
    assert len(asked) == 2  # the tile that was broken off, and the last
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_where_there_is_no_tile_there_is_sea_and_it_is_said(dem, source_server, tmp_path) -> None:
    put_dem(source_server, (105, 20), (106, 20), (105, 21))
    source_server.fail(dem_path(106, 21), 403, times=9)  # as S3 says it of what is not there
    reading = brought(dem, HANAM, tmp_path)
    values, lon, lat, _ = heights(reading)
    at_sea = (lon > 106 - 1e-5) & (lat > 21 + 1e-5)
    assert np.array_equal(values, np.where(at_sea, 0.0, height_at(lon, lat)))
    assert "no tile N21E106: taken for sea" in " ".join(reading.notes)
    origin = reading.rasters["terrain"].provenance
    assert "taken for sea" in origin.method
    assert origin.url_or_file.split() == [
        source_server.url + dem_path(*corner) for corner in ((105, 20), (106, 20), (105, 21))
    ]
    assert "Airbus" in origin.licence
    assert len(origin.sha256) == 64


def test_where_glo30_is_not_public_glo90_is_taken(dem, source_server, tmp_path) -> None:
    put_dem(source_server, (105, 20), (106, 20), (105, 21))
    put_dem(source_server, (106, 21), metres=90)
    items = dem.size_up(dem.find(HANAM))
    assert "_COG_30_N21_00_E106" in items[3].key
    reading = dem.read(dem.fetch(items, HANAM), HANAM, tmp_path)
    values, lon, lat, _ = heights(reading)
    assert "GLO-30 is not public for N21E106: GLO-90" in " ".join(reading.notes)
    coarse = (lon > 106 - 1e-5) & (lat > 21 + 1e-5)
    error = np.abs(values - height_at(lon, lat))
    assert not np.isnan(values).any()
    assert error[~coarse].max() == 0
    assert 0 < error[coarse].max() < 1.5  # resampled to every 30 m
    assert [one.item.key for one in dem.fetch(dem.find(HANAM), HANAM)] == [i.key for i in items]


def test_nothing_but_sea_is_taken_for_a_fault(dem, source_server) -> None:
    with pytest.raises(InputError, match=r"no tile over Hà Nam: either all of it is sea, or"):
        dem.fetch(dem.find(HANAM), HANAM)


def test_across_the_antimeridian_longitudes_run_on(dem, source_server, tmp_path) -> None:
    put_dem(source_server, (179, -17), (-180, -17))
    reading = brought(dem, FIJI, tmp_path)
    values, lon, lat, about = heights(reading)
    assert covers(about["bounds"], FIJI)
    assert np.array_equal(values, height_at(lon, lat))
    assert len(reading.notes) == 1
    # And from there into metres.
    grid = Grid.covering((810_000, 8_128_000, 812_000, 8_130_000), 100.0, "EPSG:32760")
    crs = pyproj.Transformer.from_crs("EPSG:32760", "EPSG:4326", always_xy=True)
    east, _ = crs.transform(810_000, 8_128_000)
    assert 179.85 < east < 180.1
    place = Place("there", (179.85, -16.95, 180.1, -16.8))
    with rasterio.open(brought(dem, place, tmp_path / "2").rasters["terrain"].path) as dataset:
        path = dataset.name
    read = rasters.read(windows.Path(path), grid, "bilinear")
    assert not np.isnan(read.values).any()
    x, y = np.meshgrid(grid.x_centres(), grid.y_centres())
    there_lon, there_lat = crs.transform(x, y)
    assert np.abs(read.values - height_at(there_lon, there_lat)).max() < 1.5


def test_a_place_east_of_180_is_found_too(dem, source_server, tmp_path) -> None:
    put_dem(source_server, (-180, -17))
    place = Place("east", (180.2, -16.9, 180.3, -16.8))
    values, lon, lat, about = heights(brought(dem, place, tmp_path))
    assert covers(about["bounds"], place)
    assert np.array_equal(values, height_at(lon, lat))


def test_far_north_pixels_are_wider(dem, source_server, tmp_path) -> None:
    put_dem(source_server, (18, 69), (19, 69))
    values, lon, lat, about = heights(brought(dem, TROMSO, tmp_path))
    assert covers(about["bounds"], TROMSO)
    assert about["transform"].a == pytest.approx(2 / 3600)
    assert -about["transform"].e == pytest.approx(1 / 3600)
    assert np.array_equal(values, height_at(lon, lat))


def test_where_the_width_of_pixels_changes_the_finer_one_counts(
    dem, source_server, tmp_path
) -> None:
    put_dem(source_server, (10, 49), (10, 50))
    place = Place("on 50° north", (10.4, 49.95, 10.5, 50.05))
    values, lon, lat, about = heights(brought(dem, place, tmp_path))
    assert about["transform"].a == pytest.approx(1 / 3600)
    assert not np.isnan(values).any()
    error = np.abs(values - height_at(lon, lat))
    assert error[(lat < 50 + 1e-5)[:, 0]].max() == 0
    assert error.max() <= 1.0


def test_across_equator_and_greenwich(dem, source_server, tmp_path) -> None:
    corners = [(-1, -1), (0, -1), (-1, 0), (0, 0)]
    put_dem(source_server, *corners)
    values, lon, lat, _ = heights(brought(dem, GULF, tmp_path))
    assert np.array_equal(values, height_at(lon, lat))
    names = [
        path.rpartition("COG_10_")[2][:14] for path in map(dem_path, *zip(*corners, strict=True))
    ]
    assert names == ["S01_00_W001_00", "S01_00_E000_00", "N00_00_W001_00", "N00_00_E000_00"]


def test_the_half_pixel_of_a_tile_counts(dem) -> None:
    # 105.9999 lies in the first pixel of the tile to the east, 20.0001 in that to the south.
    place = Place("edge", (105.9998, 20.00005, 105.9999, 20.0001))
    assert [item.url.rpartition("/")[2][22:36] for item in dem.find(place)] == [
        "N19_00_E106_00"
    ] or [item.url.rpartition("/")[2][22:36] for item in dem.find(place)] == [
        "N19_00_E105_00",
        "N19_00_E106_00",
    ]


@given(
    st.floats(-180, 179.99),
    st.floats(-89.9, 89.8),
    st.floats(0.0005, 2.5),
    st.floats(0.0005, 0.09),
)
def test_tiles_cover_every_place(west, south, width, height) -> None:
    bounds = (west, south, west + width, south + height)
    place = Place("any", bounds)
    area = 0.0
    for item in copernicus_dem.CopernicusDem().find(place):
        part = item.bounds
        assert -180.001 <= part[0] < part[2] <= 180.001
        area += (part[2] - part[0]) * (part[3] - part[1])
    # Where the width of pixels changes, tiles overlap or part by less than a pixel.
    assert area == pytest.approx(width * height, rel=1e-6, abs=3e-3 * height)
    for size in (1, 3):
        found = list(windows.tiles(bounds, size))
        covered = sum((p[2] - p[0]) * (p[3] - p[1]) for _, _, p, _ in found)
        assert covered == pytest.approx(width * height, rel=1e-6)
        assert all(-180 <= lon < 180 and -90 <= lat < 90 for lon, lat, _, _ in found)
        assert len({(lon, lat) for lon, lat, _, _ in found}) == len(found)


@pytest.mark.parametrize(
    ("lat", "factor"),
    [(0, 1), (49, 1), (50, 1.5), (69, 2), (70, 3), (84, 5), (85, 10), (-50, 1), (-51, 1.5)],
)
def test_widths_of_pixels(lat, factor) -> None:
    assert copernicus_dem.pixel_deg(lat) == (pytest.approx(factor / 3600), 1 / 3600)
    assert copernicus_dem.pixel_deg(lat, 90)[0] == pytest.approx(factor / 1200)


# Faults on the way ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"what": 500, "times": 2},
        {"what": 503, "times": 2, "methods": ("GET",)},
        {"what": 429, "retry_after": "1", "methods": ("GET",)},
        {"what": "drop", "times": 2, "methods": ("GET",)},
        {"what": "cut", "times": 2, "after_bytes": 1000, "methods": ("GET",)},
        {"what": "cut", "times": 3, "methods": ("GET",)},
        {"what": "slow", "delay_s": 2.5, "methods": ("GET",)},
    ],
    ids=lambda fault: f"{fault['what']}",
)
def test_faults_that_pass_leave_no_trace(dem, source_server, tmp_path, fault) -> None:
    put_dem(source_server, (105, 20))
    source_server.fail(dem_path(105, 20), **fault)
    place = Place("here", (105.2, 20.2, 105.9, 20.9))
    with download.using(read_timeout_s=1.0):
        values, lon, lat, _ = heights(brought(dem, place, tmp_path))
    assert np.array_equal(values, height_at(lon, lat))


@pytest.mark.parametrize(
    ("fault", "match"),
    [
        ({"what": 500}, r"fault of its own \(status 500\)|broke off"),
        ({"what": 500, "methods": ("GET",)}, r"fault of its own \(status 500\)|broke off"),
        ({"what": 429, "retry_after": "3600"}, "try again in 3600 s"),
        ({"what": "cut", "after_bytes": 100, "methods": ("GET",)}, "broke off again and again"),
        ({"what": "html"}, "sent a web page instead of a GeoTIFF"),
        ({"what": "json", "body": b'{"a": 1}'}, "something else than a GeoTIFF"),
    ],
    ids=lambda value: f"{value.get('what')}" if isinstance(value, dict) else "",
)
def test_faults_that_stay_are_told(dem, source_server, download_cache, fault, match) -> None:
    put_dem(source_server, (105, 20))
    source_server.fail(dem_path(105, 20), times=999, **fault)
    place = Place("here", (105.2, 20.2, 105.3, 20.3))
    with download.using(read_timeout_s=1.0), pytest.raises(SourceError, match=match):
        dem.fetch(dem.find(place), place)
    assert not list(download_cache.rglob("*.tif"))


def test_a_break_in_the_middle_carries_no_strip_twice(source_server, tmp_path) -> None:
    # Noise, so that blocks are large and each strip takes a request of its own.
    noise = np.random.default_rng(3).random((4096, 1024)).astype(np.float32)
    body = raster_tiles.cog(noise, Affine(1 / 3600, 0, 10, 0, -1 / 3600, 20), blocksize=512)
    url = source_server.put("/noise.tif", body)
    bounds = (10.0, 20 - 4096 / 3600, 10 + 1024 / 3600, 20.0)
    item = windows.WindowItem("test", "noise.tif", url, bounds=bounds)
    broken: list[float] = []

    def on_progress(share: float) -> None:
        if share > 0.5 and not broken:
            broken.append(share)
            source_server.fail("/noise.tif", "drop", times=4, methods=("GET",))

    got = windows.carry(item, on_progress=on_progress)
    assert broken
    with rasterio.open(got.path) as part:
        assert np.array_equal(part.read(1), noise)
    assert source_server.sent_bytes() < 1.35 * noise.nbytes


def test_the_server_is_down(dem, source_server) -> None:
    items = dem.find(HANAM)
    source_server.stop()
    with pytest.raises(OfflineError, match=r"127\.0\.0\.1 cannot be reached"):
        dem.size_up(items)
    with pytest.raises(OfflineError, match=r"127\.0\.0\.1 cannot be reached"):
        dem.fetch(items, HANAM)
    with download.offline(), pytest.raises(OfflineError, match="is not in the cache"):
        dem.fetch(items, HANAM)


def test_a_server_that_gives_no_parts_is_asked_for_the_whole(dem, source_server, tmp_path) -> None:
    body = raster_tiles.copernicus(105, 20)
    source_server.put(dem_path(105, 20), body, ranges=False)
    place = Place("here", (105.2, 20.2, 105.3, 20.3))
    (item,) = dem.size_up(dem.find(place))
    assert (item.windowed, item.size_bytes) == (False, len(body))
    values, lon, lat, about = heights(brought(dem, place, tmp_path))
    assert np.array_equal(values, height_at(lon, lat))
    assert about["width"] < 400
    with download.offline():
        brought(dem, place, tmp_path / "2")
    assert len(source_server.asked(dem_path(105, 20))) <= 2


def test_a_tile_that_appears_later_is_found(dem, source_server, monkeypatch) -> None:
    place = Place("here", (105.2, 20.2, 105.3, 20.3))
    with pytest.raises(InputError):
        dem.fetch(dem.find(place), place)
    put_dem(source_server, (105, 20))
    with pytest.raises(InputError):  # it is believed for a while
        dem.fetch(dem.find(place), place)
    monkeypatch.setattr(windows, "_MISSING_FOR_S", 0.0)
    assert len(dem.fetch(dem.find(place), place)) == 1


# SRTM -----------------------------------------------------------------------------------------


@pytest.fixture
def srtm_servers(source_server):
    with addresses.using(
        {"srtm_1": source_server.url + "/skadi", "srtm_3": source_server.url + "/SRTM3"}
    ):
        yield source_server


def zipped(name: str, body: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, body)
    return out.getvalue()


def test_tiles_of_one_second_come_from_their_server(srtm_servers, tmp_path) -> None:
    for lon, lat in ((105, 20), (105, 21)):
        name = windows.corner_name(lon, lat)
        body = gzip.compress(hgt(lon, lat, 3601), 1)
        srtm_servers.put(f"/skadi/{name[:3]}/{name}.hgt.gz", body)
    place = Place("here", (105.5, 20.98, 105.6, 21.02))
    sized = srtm.SOURCE.size_up(srtm.SOURCE.find(place))
    assert [item.key for item in sized] == ["N20E105.hgt.gz", "N21E105.hgt.gz"]
    assert all(item.size_bytes > 1000 and not item.windowed for item in sized)
    reading = brought(srtm.SOURCE, place, tmp_path)
    values, lon, lat, about = heights(reading)
    assert np.array_equal(values, height_at(lon, lat))
    assert about["transform"].a == pytest.approx(1 / 3600)
    assert reading.notes == ()
    assert "public domain" in reading.rasters["terrain"].provenance.licence


def test_tiles_of_three_seconds_lie_in_folders_by_continent(srtm_servers, tmp_path) -> None:
    body = zipped("S19W065.hgt", hgt(-65, -19))
    srtm_servers.put("/SRTM3/Islands/S19W065.hgt.zip", body)  # not where it is likely
    place = Place("Bolivia", (-64.9, -18.9, -64.1, -18.1))
    (item,) = srtm.SOURCE_3.size_up(srtm.SOURCE_3.find(place))
    assert "/Islands/" in item.url
    values, lon, lat, _ = heights(brought(srtm.SOURCE_3, place, tmp_path))
    assert np.array_equal(values, height_at(lon, lat))
    assert len(srtm_servers.asked("/SRTM3/South_America/S19W065.hgt.zip", "HEAD")) == 1
    found = srtm.SOURCE_3.find(Place("x", (105.1, 20.1, 105.2, 20.2)))
    assert "/Eurasia/N20E105.hgt.zip" in found[0].url


def test_srtm_knows_the_sea_and_its_limits(srtm_servers, tmp_path) -> None:
    body = zipped("N20E106.hgt", hgt(106, 20))
    srtm_servers.put("/SRTM3/Eurasia/N20E106.hgt.zip", body)
    place = Place("coast", (106.9, 20.4, 107.1, 20.5))
    reading = brought(srtm.SOURCE_3, place, tmp_path)
    values, lon, lat, _ = heights(reading)
    sea = np.broadcast_to(lon > 107 + 1e-5, values.shape)
    assert np.array_equal(values, np.where(sea, 0.0, height_at(lon, lat)))
    assert "no tile N20E107: taken for sea" in reading.notes[0]
    with pytest.raises(InputError, match="reaches from 56° south to 60° north"):
        srtm.SOURCE_3.find(TROMSO)
    nowhere = Place("sea", (150.1, 10.1, 150.2, 10.2))
    with pytest.raises(InputError, match="no tile over sea"):
        srtm.SOURCE_3.fetch(srtm.SOURCE_3.find(nowhere), nowhere)


def test_srtm_across_the_antimeridian(srtm_servers, tmp_path) -> None:
    for lon in (179, -180):
        name = windows.corner_name(lon, -17)
        body = gzip.compress(hgt(lon, -17, 1201), 1)
        srtm_servers.put(f"/skadi/{name[:3]}/{name}.hgt.gz", body)
    values, lon, lat, about = heights(brought(srtm.SOURCE, FIJI, tmp_path))
    assert covers(about["bounds"], FIJI)
    assert np.array_equal(values, height_at(lon, lat))


def write_tiles(folder, *corners, size: int = 1201) -> list:
    folder.mkdir(exist_ok=True)
    paths = []
    for lon, lat in corners:
        paths.append(folder / f"{windows.corner_name(lon, lat)}.hgt")
        paths[-1].write_bytes(hgt(lon, lat, size))
    return paths


def test_own_tiles_in_any_wrapping_fit_together(tmp_path) -> None:
    folder = tmp_path / "own"
    (plain, _) = write_tiles(folder, (105, 20), (90, 0))
    packed = folder / "n20e106.SRTMGL3.hgt.zip"
    packed.write_bytes(zipped("N20E106.hgt", hgt(106, 20)))
    gz = folder / "N21E105.hgt.gz"
    gz.write_bytes(gzip.compress(hgt(105, 21)))
    reading = srtm.from_files([*folder.iterdir()], HANAM, tmp_path / "out")
    values, lon, lat, about = heights(reading)
    # The row and the column that neighbours share are there once.
    assert about["transform"].a == pytest.approx(1 / 1200)
    given = (lon < 106 + 1e-5) | (lat < 21 + 1e-5)
    assert np.array_equal(values[given], height_at(lon, lat)[given])
    assert np.isnan(values[~given]).all()
    assert "No file was given for N21E106" in reading.notes[0]
    assert sorted(reading.rasters["terrain"].provenance.url_or_file.split()) == sorted(
        [plain.name, packed.name, gz.name]
    )


def test_tiles_of_one_and_three_seconds_mix(tmp_path) -> None:
    fine = write_tiles(tmp_path / "1", (105, 20), size=3601)
    coarse = write_tiles(tmp_path / "3", (106, 20))
    place = Place("both", (105.95, 20.4, 106.05, 20.5))
    values, lon, lat, about = heights(srtm.from_files(fine + coarse, place, tmp_path / "out"))
    assert about["transform"].a == pytest.approx(1 / 3600)
    error = np.abs(values - height_at(lon, lat))
    assert error[np.broadcast_to(lon < 106 + 1e-5, error.shape)].max() == 0
    assert error.max() <= 1.5


def test_the_real_tiles_are_read_as_they_are(tmp_path) -> None:
    files = sorted(shared_path("data/srtm3_hgt").glob("*.hgt"))
    place = Place("Hà Nam", (105.6, 20.4, 106.3, 20.8))
    reading = srtm.from_files(files, place, tmp_path)
    values, lon, lat, _ = heights(reading)
    for path in files[:2]:
        corner = srtm.corner_of(path.name)
        raw = np.fromfile(path, ">i2").reshape(1201, 1201)
        inside = (lon >= corner[0] - 1e-6) & (lon <= corner[0] + 1 + 1e-6)
        columns = np.rint((lon[inside] - corner[0]) * 1200).astype(int)
        rows = np.rint((corner[1] + 1 - lat[:, 0]) * 1200).astype(int)
        assert np.array_equal(values[:, inside[0]], raw[np.ix_(rows, columns)])
    with rasterio.open(shared_path("data/hanam_srtm3_90m.tif")) as other:
        window = rasterio.windows.from_bounds(*place.bounds, other.transform)
        same = other.read(1, window=window.round_offsets().round_lengths(), out_dtype="float32")
    assert np.abs(values[1:-1, 1:-1].mean() - same.mean()) < 1.0
    assert reading.notes == ()


def test_voids_are_filled_from_their_edges_and_counted(tmp_path) -> None:
    (path,) = write_tiles(tmp_path / "own", (105, 20))
    raw = np.full((1201, 1201), 100, ">i2")
    raw[:, 600:] = 200
    raw[300:304, 300:305] = srtm.VOID  # 20 pixels, 0.16 km²
    raw[500, 700] = srtm.VOID
    raw[700:780, 700:780] = srtm.VOID  # 6,400 pixels, 51 km²
    path.write_bytes(raw.tobytes())
    reading = srtm.from_files([path], Place("x", (105.1, 20.1, 105.9, 20.9)), tmp_path / "out")
    values, *_ = heights(reading)
    assert np.isnan(values).sum() == 6400
    known = values[~np.isnan(values)]
    assert set(np.unique(known)) == {100.0, 200.0}
    (note,) = reading.notes
    assert note.startswith(
        "6421 pixels (0.69 %) in 3 voids; the largest has 51 km². Voids up to 10"
    )
    assert note.endswith("; 1 larger ones stay without heights")
    assert note in reading.rasters["terrain"].provenance.method


def test_a_void_is_not_filled_from_nowhere(tmp_path) -> None:
    (path,) = write_tiles(tmp_path / "own", (105, 20))
    path.write_bytes(np.full((1201, 1201), srtm.VOID, ">i2").tobytes())
    place = Place("x", (105.1, 20.1, 105.11, 20.11))
    values, *_ = heights(srtm.from_files([path], place, tmp_path / "out"))
    assert np.isnan(values).all()


def test_the_bottom_of_the_sea_is_no_ground(tmp_path) -> None:
    (path,) = write_tiles(tmp_path / "own", (105, 20))
    raw = np.full((1201, 1201), 5, ">i2")
    raw[:600] = -4000
    raw[600:700] = -30
    path.write_bytes(raw.tobytes())
    reading = srtm.from_files([path], Place("x", (105.1, 20.1, 105.9, 20.9)), tmp_path / "out")
    values, *_ = heights(reading)
    assert set(np.unique(values)) == {-30.0, 0.0, 5.0}
    assert "set to 0 m" in reading.notes[0]
    assert "use copernicus_dem" in reading.notes[1]
    layer = schema.RASTERS["terrain"]
    rasters.write(tmp_path / "terrain.tif", layer, reading.rasters["terrain"].path)


@pytest.mark.parametrize(
    ("name", "body", "match"),
    [
        ("heights.hgt", b"", r"heights\.hgt does not tell which tile it is"),
        ("N20E105.hgt", b"x" * 1000, r"N20E105\.hgt has 1000 bytes, but a tile has 2884802"),
        ("N20E105.hgt.gz", gzip.compress(bytes(30_000_000)), "unpacks to more than 26 MB"),
        ("N20E105.hgt.gz", gzip.compress(bytes(2884802))[:-20], "damaged or cut off"),
        ("N20E105.hgt.zip", zipped("N21E105.hgt", bytes(10)), r"holds N21E105\.hgt \(expected one"),
        ("N20E105.hgt.zip", zipped("readme.txt", b""), r"holds no \.hgt"),
        ("N50E005.hgt", b"", "No tile lies under x"),
    ],
)
def test_files_that_are_no_tiles_are_named(tmp_path, name, body, match) -> None:
    (tmp_path / name).write_bytes(body)
    place = Place("x", (105.1, 20.1, 105.9, 20.9))
    with pytest.raises(InputError, match=match):
        srtm.from_files([tmp_path / name], place, tmp_path / "out")
    with pytest.raises(InputError, match="There is no file"):
        srtm.from_files([tmp_path / "none" / "N20E105.hgt"], place, tmp_path / "out2")


# WorldCover -----------------------------------------------------------------------------------


@pytest.fixture
def cover(source_server):
    with addresses.using({"worldcover": source_server.url + "/wc"}):
        yield worldcover.WorldCover()


def cover_path(corner: str) -> str:
    return f"/wc/v200/2021/map/ESA_WorldCover_10m_2021_v200_{corner}_Map.tif"


def classes_at(lon, lat):
    classes = np.array([10, 20, 30, 40, 50, 60, 80, 90], np.uint8)
    index = (np.floor(np.mod(lon, 360) * 50) + np.floor(lat * 50)).astype(int) % len(classes)
    return classes[index]


def test_land_cover_is_read_in_parts(cover, source_server, tmp_path) -> None:
    body = raster_tiles.world_cover(105, 18)
    source_server.put(cover_path("N18E105"), body, "image/tiff")
    place = Place("Hà Nam", (105.75, 20.35, 106.2, 20.71))
    (item,) = cover.size_up(cover.find(place))
    assert item.url.endswith(cover_path("N18E105"))
    assert 0 < item.size_bytes < len(body) / 4
    reading = brought(cover, place, tmp_path)
    values, lon, lat, about = heights(reading, "clutter")
    assert covers(about["bounds"], place)
    assert (about["dtype"], about["nodata"]) == ("uint8", 0)
    inner = (slice(2, -2), slice(2, -2))
    assert np.array_equal(values[inner], classes_at(lon, lat)[inner])
    origin = reading.rasters["clutter"].provenance
    assert "© ESA WorldCover project 2021" in origin.licence
    assert origin.vintage == "2021"
    rasters.write(
        tmp_path / "clutter.tif", schema.RASTERS["clutter"], reading.rasters["clutter"].path
    )


def test_an_overview_is_taken_where_it_will_do(source_server, cover, tmp_path) -> None:
    # In this tile pixels are ten times as large: 100 m, and its overviews 200 m and 400 m.
    source_server.put(cover_path("N18E105"), raster_tiles.world_cover(105, 18))
    place = Place("Hà Nam", (105.3, 18.3, 107.7, 20.7))
    (fine,) = cover.size_up(cover.find(place))
    whole = brought(cover, place, tmp_path / "1")
    coarse = worldcover.WorldCover(resolution_m=250.0)
    (item,) = coarse.size_up(coarse.find(place))
    assert item.size_bytes < 0.5 * fine.size_bytes
    assert item.key != fine.key
    reading = brought(coarse, place, tmp_path / "2")
    values, _, _, about = heights(reading, "clutter")
    assert about["transform"].a == pytest.approx(2 * 3 / 3600)
    assert heights(whole, "clutter")[3]["transform"].a == pytest.approx(3 / 3600)
    assert "overview with pixels of up to 250 m" in reading.notes[0]
    assert set(np.unique(values)) <= {0, 10, 20, 30, 40, 50, 60, 80, 90}


def test_land_cover_at_sea_and_across_180(cover, source_server, tmp_path) -> None:
    source_server.put(cover_path("S18E177"), raster_tiles.world_cover(177, -18))
    reading = brought(cover, FIJI, tmp_path)
    values, lon, lat, _ = heights(reading, "clutter")
    west = np.broadcast_to(lon < 180, values.shape)
    assert np.array_equal(values[west], classes_at(lon, lat)[west])
    assert (values[~west] == 80).all()
    assert "no tile S18W180: taken for open water" in reading.notes[0]
    source_server.put(cover_path("S18W180"), raster_tiles.world_cover(-180, -18))


def test_four_tiles_of_land_cover_meet(cover, source_server, tmp_path) -> None:
    for lon, lat in ((-3, -3), (0, -3), (-3, 0), (0, 0)):
        path = cover_path(windows.corner_name(lon, lat))
        source_server.put(path, raster_tiles.world_cover(lon, lat))
    values, lon, lat, _ = heights(brought(cover, GULF, tmp_path), "clutter")
    assert np.array_equal(values, classes_at(lon, lat))


def test_an_unknown_class_is_named(cover, source_server, tmp_path) -> None:
    values = np.full((64, 64), 40, np.uint8)
    values[30, 30] = 77
    body = raster_tiles.cog(values, Affine(3 / 64, 0, 105, 0, -3 / 64, 21), nodata=0, blocksize=64)
    source_server.put(cover_path("N18E105"), body)
    with pytest.raises(SourceError, match="there is no class 77"):
        brought(cover, Place("x", (105.1, 18.1, 107.9, 20.9)), tmp_path)


# WorldPop -------------------------------------------------------------------------------------


@pytest.fixture
def population(source_server):
    with addresses.using({"worldpop": source_server.url + "/pop"}):
        yield worldpop.SOURCE_1KM


def striped(values, transform, **more) -> bytes:
    with MemoryFile() as file:
        profile = {
            "driver": "GTiff",
            "width": values.shape[1],
            "height": values.shape[0],
            "count": 1,
            "dtype": "float32",
            "crs": "EPSG:4326",
            "transform": transform,
            "nodata": -99999.0,
            "compress": "lzw",
            "blockysize": 1,
        }
        with file.open(**(profile | more)) as dataset:
            dataset.write(values, 1)
        return file.read()


POPULATION_PATH = "/pop/Global_2000_2020_1km_UNadj/2020/{0}/{1}_ppp_2020_1km_Aggregated_UNadj.tif"


def people(width: int, height: int):
    values = np.random.default_rng(1).random((height, width)).astype(np.float32) * 1000
    values[: height // 10] = -99999.0
    return values


def test_population_is_read_in_parts(population, source_server, tmp_path) -> None:
    step = 0.0083333333
    transform = Affine(step, 0, 102.14, 0, -step, 23.4)
    values = people(900, 1700)
    body = striped(values, transform)
    path = POPULATION_PATH.format("VNM", "vnm")
    source_server.put(path, body, "image/tiff")
    place = Place("Hà Nam", (105.77, 20.36, 106.19, 20.71), "VNM")
    (item,) = population.size_up(population.find(place))
    assert item.windowed
    assert 0.02 * len(body) < item.size_bytes < 0.04 * len(body)  # all columns of 44 rows
    before = source_server.sent_bytes()
    reading = brought(population, place, tmp_path)
    assert source_server.sent_bytes() - before < item.size_bytes + 120_000
    got, _, _, about = heights(reading, "population")
    column = round((about["transform"].c - 102.14) / step)
    row = round((23.4 - about["transform"].f) / step)
    expected = values[row : row + got.shape[0], column : column + got.shape[1]]
    assert np.array_equal(got, expected)
    assert about["transform"].a == step
    total = expected.sum(dtype=float)
    assert f"{total:,.0f} people" in reading.notes[0]
    origin = reading.rasters["population"].provenance
    assert "10.5258/SOTON/WP00671" in origin.source
    assert origin.licence.startswith("CC BY 4.0")


def test_nodata_is_no_data(population, source_server, tmp_path) -> None:
    transform = Affine(1 / 120, 0, 105, 0, -1 / 120, 21)
    values = people(120, 120)
    source_server.put(POPULATION_PATH.format("VNM", "vnm"), striped(values, transform))
    got, *_ = heights(
        brought(population, Place("x", (105, 20, 106, 21), "vnm"), tmp_path), "population"
    )
    inner = got[1:-1, 1:-1]
    assert np.isnan(inner[:12]).all()
    assert np.array_equal(inner[12:], values[12:])


def test_population_across_the_antimeridian(population, source_server, tmp_path) -> None:
    # The file of Fiji goes once around the world.
    step = 1 / 120
    values = np.arange(43200 * 60, dtype=np.float32).reshape(60, 43200)
    body = striped(values, Affine(step, 0, -180, 0, -step, -16.6))
    source_server.put(POPULATION_PATH.format("FJI", "fji"), body)
    items = population.size_up(population.find(FIJI))
    assert [item.shift_deg for item in items] == [0.0, 360.0]
    got, lon, lat, about = heights(brought(population, FIJI, tmp_path), "population")
    assert covers(about["bounds"], FIJI)
    columns = np.rint((np.mod(lon[0] + 180, 360)) / step - 0.5).astype(int)
    rows = np.rint((-16.6 - lat[:, 0]) / step - 0.5).astype(int)
    assert np.array_equal(got, values[np.ix_(rows, columns)])
    assert source_server.sent_bytes() < 1.2 * sum(item.size_bytes for item in items)


def test_a_country_has_to_be_known_and_right(population, source_server) -> None:
    with pytest.raises(InputError, match="the country of Gulf of Guinea is not known"):
        population.find(GULF)
    with pytest.raises(MissingError, match="there is no file"):
        population.fetch(population.find(HANAM), HANAM)
    body = striped(people(120, 120), Affine(1 / 120, 0, 10, 0, -1 / 120, 50))
    source_server.put(POPULATION_PATH.format("VNM", "vnm"), body)
    with pytest.raises(InputError, match="the file of VNM does not reach Hà Nam"):
        population.fetch(population.find(HANAM), HANAM)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (worldpop.SOURCE, "/Global_2000_2020/2020/VNM/vnm_ppp_2020_UNadj.tif"),
        (
            worldpop.SOURCE_1KM,
            "/Global_2000_2020_1km_UNadj/2020/VNM/vnm_ppp_2020_1km_Aggregated_UNadj.tif",
        ),
        (
            worldpop.SOURCE_2024,
            "/Global_2015_2030/R2025A/2024/VNM/v1/100m/constrained/vnm_pop_2024_CN_100m_R2025A_v1.tif",
        ),
    ],
)
def test_addresses_of_population(source, expected) -> None:
    (item,) = source.find(HANAM)
    assert item.url == "https://data.worldpop.org/GIS/Population" + expected


# Put together ---------------------------------------------------------------------------------


def test_names_of_parts_differ_by_bounds_and_level() -> None:
    names = {
        windows.window_key("a", (1.0, 2.0, 3.0, 4.0)),
        windows.window_key("a", (1.0, 2.0, 3.0, 4.00000001)),
        windows.window_key("a", (1.0, 2.0, 3.0, 4.0), "_30m"),
        windows.window_key("b", (1.0, 2.0, 3.0, 4.0)),
    }
    assert len(names) == 4


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 30), st.integers(1, 30))
def test_a_window_holds_the_bounds_and_one_more_pixel(column, row, width, height) -> None:
    profile = {"driver": "GTiff", "width": 80, "height": 80, "count": 1, "dtype": "uint8"}
    with MemoryFile() as file:
        transform = Affine(0.1, 0, 10, 0, -0.1, 50)
        with file.open(**profile, transform=transform, crs="EPSG:4326") as dataset:
            bounds = (
                10 + column * 0.1,
                50 - (row + height) * 0.1,
                10 + (column + width) * 0.1,
                50 - row * 0.1,
            )
            window = windows.window_over(dataset, bounds)
            assert window.col_off == max(0, column - 1)
            assert window.row_off == max(0, row - 1)
            assert window.col_off + window.width == min(80, column + width + 1)
            assert window.row_off + window.height == min(80, row + height + 1)
            assert windows.window_over(dataset, (30.0, 40.0, 31.0, 41.0)) is None


def test_what_is_not_an_own_item_is_left_alone() -> None:
    assert windows.own([Item("a", "b", "c")]) == []
