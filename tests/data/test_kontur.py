"""People of Kontur's hexagons: true format, totals, the antimeridian, faults."""

from __future__ import annotations

import gzip
from pathlib import Path

import geopandas as gpd
import h3
import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from data import rasters, schema
from data.errors import InputError
from data.grid import Grid
from data.sources import addresses, download, kontur
from data.sources.kontur import Kontur, rasterise
from data.sources.source import Place
from tests.data.source_server import SourceServer

HA_NAM = Place("Hà Nam, Vietnam", (105.90, 20.50, 106.00, 20.58), country="VNM")
NAME = "kontur_population_VN_20231101.gpkg.gz"


def mercator(lonlat: np.ndarray) -> np.ndarray:
    lon, lat = lonlat[:, 0], lonlat[:, 1]
    radius = 6_378_137.0
    return np.column_stack([radius * np.radians(lon), radius * np.arcsinh(np.tan(np.radians(lat)))])


def hexagons(west, south, east, north, people=None) -> gpd.GeoDataFrame:
    """Return the hexagons over a box as Kontur has them; across 180 they are torn apart."""
    box = h3.LatLngPoly([(south, west), (south, east), (north, east), (north, west)])
    ids = sorted(h3.h3shape_to_cells(box, 8))
    shapes = [
        shapely.Polygon(mercator(np.array([(lon, lat) for lat, lon in h3.cell_to_boundary(one)])))
        for one in ids
    ]
    rng = np.random.default_rng(len(ids))
    numbers = rng.integers(1, 9000, len(ids)).astype(float) if people is None else people
    return gpd.GeoDataFrame({"h3": ids, "population": numbers}, geometry=shapes, crs="EPSG:3857")


def packed(frame: gpd.GeoDataFrame, folder: Path) -> bytes:
    path = folder / "made.gpkg"
    path.unlink(missing_ok=True)
    frame.to_file(path, layer="population", driver="GPKG")
    return gzip.compress(path.read_bytes(), 1)


@pytest.fixture
def asked(source_server: SourceServer):
    with addresses.using({"kontur": source_server.url}):
        yield source_server


def whole(place: Place, folder: Path, **changes):
    source = Kontur(**changes)
    items = source.find(place)
    return source.read(source.fetch(items, place), place, folder / "made")


def test_the_people_of_a_place_are_all_there(asked: SourceServer, tmp_path: Path) -> None:
    frame = hexagons(105.8, 20.4, 106.1, 20.7)
    asked.put(f"/{NAME}", packed(frame, tmp_path), "application/gzip")
    reading = whole(HA_NAM, tmp_path)
    source = reading.rasters["population"]
    assert reading.notes == ()
    with rasterio.open(source.path) as dataset:
        values = dataset.read(1).astype(float)
        assert dataset.crs.to_epsg() == 32648
        assert dataset.res == (400.0, 400.0)
    over = shapely.intersects(
        frame.to_crs("EPSG:4326").geometry.to_numpy(), shapely.box(*HA_NAM.bounds)
    )
    assert values.sum() == pytest.approx(frame["population"][over].sum(), rel=1e-6)
    assert 0 < over.sum() < len(frame)
    assert source.provenance.licence == "CC BY 4.0"
    assert source.provenance.vintage == "2023-11-01"
    assert f"{over.sum()} hexagons of H3 resolution 8" in source.provenance.method
    assert not list((tmp_path / "made").glob("*.gpkg"))
    rasters.write(tmp_path / "stored.tif", schema.RASTERS["population"], source.path)
    grid = Grid("EPSG:32648", 590_000.0, 2_280_000.0, 100.0, 160, 160)
    stored = rasters.read(tmp_path / "stored.tif", grid, "sum").values
    assert 0 < np.nansum(stored) < values.sum()


def test_each_pixel_gets_its_share_of_the_area() -> None:
    frame = hexagons(105.93, 20.53, 105.95, 20.55, None).iloc[:1].to_crs("EPSG:4326")
    frame = frame.assign(population=1000.0)
    raster = rasterise(frame, HA_NAM)
    shape = frame.to_crs(raster.grid.crs).geometry.iloc[0]
    for row, column in np.argwhere(raster.values > 0):
        x, y = raster.grid.x_centres()[column], raster.grid.y_centres()[row]
        part = shape.intersection(shapely.box(x - 200, y - 200, x + 200, y + 200)).area
        expected = 1000.0 * part / shape.area
        assert raster.values[row, column] == pytest.approx(expected, abs=0.5)
    assert raster.values.sum() == pytest.approx(1000.0, rel=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.floats(-179.0, 179.0), st.floats(-70.0, 78.0), st.lists(st.floats(0.0, 1e6), min_size=1))
def test_no_one_is_lost_anywhere(lon: float, lat: float, numbers: list[float]) -> None:
    middle = h3.latlng_to_cell(lat, lon, 8)
    ids = sorted(h3.grid_disk(middle, 2))[: len(numbers)]
    shapes = [kontur._from_id(one) for one in ids]
    people = np.array(numbers[: len(ids)])
    frame = gpd.GeoDataFrame({"population": people}, geometry=shapes, crs="EPSG:4326")
    west = shapely.bounds(shapes)[:, 0].min()
    place = Place("x", (west, lat - 0.01, west + 0.05, lat + 0.01))
    raster = rasterise(frame, place)
    assert raster.values.sum(dtype=float) == pytest.approx(people.sum(), rel=1e-5, abs=1e-6)
    assert (raster.values >= 0).all()


@pytest.mark.parametrize("bounds", [(179.9, -16.9, 180.1, -16.7), (179.95, -16.9, 180.0, -16.8)])
def test_hexagons_torn_by_the_antimeridian_are_made_whole(
    asked: SourceServer, tmp_path: Path, bounds
) -> None:
    taveuni = Place("Taveuni", bounds, country="FJI")
    middle = h3.latlng_to_cell(-16.8, 180.0, 8)
    ids = sorted(h3.grid_disk(middle, 30))
    rings = [np.array([(lon, lat) for lat, lon in h3.cell_to_boundary(one)]) for one in ids]
    shapes = [shapely.Polygon(mercator(ring)) for ring in rings]
    torn = np.array([np.ptp(ring[:, 0]) > 180 for ring in rings])
    assert torn.any()
    frame = gpd.GeoDataFrame(
        {"h3": ids, "population": np.arange(1.0, len(ids) + 1)}, geometry=shapes, crs="EPSG:3857"
    )
    asked.put("/kontur_population_FJ_20231101.gpkg.gz", packed(frame, tmp_path))
    reading = whole(taveuni, tmp_path)
    place = shapely.box(*bounds)
    expected = 0.0
    for one, number in zip(ids, frame["population"], strict=True):
        shape = kontur._from_id(one)
        turned = [shapely.affinity.translate(shape, turn) for turn in (-360.0, 0.0, 360.0)]
        expected += number * any(copy.intersects(place) for copy in turned)
    with rasterio.open(reading.rasters["population"].path) as dataset:
        assert dataset.width < 80
        assert dataset.read(1).sum(dtype=float) == pytest.approx(expected, rel=1e-5)
    assert any("rebuilt from their H3 ids" in note for note in reading.notes)


def test_far_north_pixels_are_400_m_on_the_ground(asked: SourceServer, tmp_path: Path) -> None:
    tromso = Place("Tromsø", (18.9, 69.62, 19.0, 69.68), country="NOR")
    frame = hexagons(18.8, 69.55, 19.1, 69.75)
    asked.put("/kontur_population_NO_20231101.gpkg.gz", packed(frame, tmp_path))
    with rasterio.open(whole(tromso, tmp_path).rasters["population"].path) as dataset:
        # 0.1 degrees of longitude are 3.9 km there, and a hexagon reaches 0.6 km beyond.
        assert 10 <= dataset.width <= 18


def test_ids_that_do_not_fit_and_rows_that_say_nothing_are_noted(
    asked: SourceServer, tmp_path: Path
) -> None:
    frame = hexagons(105.8, 20.4, 106.1, 20.7)
    frame.loc[:, "h3"] = [*frame["h3"][1:], frame["h3"][0]]
    frame.loc[len(frame) // 2, "population"] = np.nan
    asked.put(f"/{NAME}", packed(frame, tmp_path))
    notes = whole(HA_NAM, tmp_path).notes
    assert any("H3 ids of" in note and "their shapes were used" in note for note in notes)


def test_where_nobody_lives_the_population_is_zero(asked: SourceServer, tmp_path: Path) -> None:
    around = hexagons(105.7, 20.3, 106.2, 20.8)
    centres = shapely.centroid(around.to_crs("EPSG:4326").geometry.to_numpy())
    empty = shapely.intersects(centres, shapely.box(*HA_NAM.bounds).buffer(0.05))
    asked.put(f"/{NAME}", packed(around[~empty], tmp_path))
    reading = whole(HA_NAM, tmp_path)
    with rasterio.open(reading.rasters["population"].path) as dataset:
        assert not dataset.read(1).any()
    assert reading.notes == (
        "Kontur knows nobody in Hà Nam, Vietnam: its population is 0 everywhere",
    )


def test_the_file_of_another_country_and_an_empty_one_are_refused(
    asked: SourceServer, tmp_path: Path
) -> None:
    asked.put(f"/{NAME}", packed(hexagons(2.0, 48.0, 2.1, 48.1), tmp_path))
    with pytest.raises(InputError, match=r"has nobody near Hà Nam.*another country"):
        whole(HA_NAM, tmp_path)
    empty = hexagons(105.9, 20.5, 105.95, 20.55).iloc[:0]
    asked.put("/kontur_population_VN_20220630.gpkg.gz", packed(empty, tmp_path))
    with pytest.raises(InputError, match="holds no hexagon"):
        whole(HA_NAM, tmp_path, edition="20220630")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda body: body[: len(body) // 2], "damaged or cut off"),
        (lambda body: body[:200] + b"\0" * 200 + body[400:], "damaged"),
        (lambda _: gzip.compress(b"no database at all" * 50), "is not a GeoPackage"),
        (lambda body: gzip.compress(gzip.decompress(body)[:5000]), "damaged"),
    ],
)
def test_damaged_files_are_refused(asked: SourceServer, tmp_path: Path, damage, said: str) -> None:
    body = packed(hexagons(105.8, 20.4, 106.1, 20.7), tmp_path)
    asked.put(f"/{NAME}", damage(body))
    with pytest.raises(InputError, match=said):
        whole(HA_NAM, tmp_path)


def test_other_columns_and_another_crs_are_refused(asked: SourceServer, tmp_path: Path) -> None:
    frame = hexagons(105.8, 20.4, 106.1, 20.7)
    asked.put(f"/{NAME}", packed(frame.rename(columns={"population": "pop"}), tmp_path))
    with pytest.raises(InputError, match=r"the columns are h3, pop \(expected h3, population\)"):
        whole(HA_NAM, tmp_path)
    asked.put("/kontur_population_VN_20220630.gpkg.gz", packed(frame.to_crs(4326), tmp_path))
    with pytest.raises(InputError, match=r"the CRS is EPSG:4326 \(expected EPSG:3857\)"):
        whole(HA_NAM, tmp_path, edition="20220630")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"what": 404}, "there is no file"),
        ({"what": 429, "retry_after": "3600"}, "wants fewer requests"),
        ({"what": "html"}, "sent a web page instead of a gzip file"),
        ({"what": "drop"}, "broke off"),
    ],
)
def test_faults_of_the_server_are_sentences(asked: SourceServer, fault, said: str) -> None:
    asked.put(f"/{NAME}", b"\x1f\x8b")
    asked.fail(f"/{NAME}", times=99, methods=("GET",), **fault)
    source = Kontur()
    with pytest.raises(InputError, match=said):
        source.fetch(source.find(HA_NAM), HA_NAM)


def test_a_cut_off_download_goes_on_where_it_was(asked: SourceServer, tmp_path: Path) -> None:
    body = packed(hexagons(105.8, 20.4, 106.1, 20.7), tmp_path)
    asked.put(f"/{NAME}", body)
    asked.fail(f"/{NAME}", "cut", methods=("GET",))
    source = Kontur()
    (sized,) = source.size_up(source.find(HA_NAM))
    assert sized.size_bytes == len(body)
    shares: list[float] = []
    (fetched,) = source.fetch([sized], HA_NAM, on_progress=shares.append)
    assert fetched.path.read_bytes() == body
    assert asked.asked(f"/{NAME}")[-1].headers["Range"] == f"bytes={len(body) // 2}-"
    assert shares[-1] == 1.0
    with download.offline():
        assert source.fetch([sized], HA_NAM)[0].sha256 == fetched.sha256


def test_the_country_must_be_known() -> None:
    with pytest.raises(InputError, match="country of the place is not known"):
        Kontur().find(Place("?", (0.0, 0.0, 1.0, 1.0)))
