"""Places in all their spellings: degrees, hemispheres of two languages, grids of Vietnam."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj.transformer import TransformerGroup

from data import importers
from data.errors import InputError, ValidationError
from data.importers import coordinates, vn2000
from data.store import Workspace
from tests.data import samples

LAT, LON = 20.546, 105.912
GEOD = pyproj.Geod(ellps="WGS84")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace.create(tmp_path_factory.mktemp("places") / "w", samples.AREA)
    workspace.write({"zones": samples.zones()}, {"zones": samples.REAL})
    return workspace


def inside(workspace: Workspace) -> tuple[float, float]:
    """Return longitude and latitude of the middle of the area."""
    middle = workspace.read("zones").to_crs(4326).union_all().centroid
    return middle.x, middle.y


@pytest.mark.parametrize(
    "text",
    [
        "20°32'45.6\"N",
        "20° 32' 45.6\" N",
        "20º32´45.6´´N",
        "20°32′45.6″N",
        "20°32’45.6”N",
        "20°32'45,6''B",
        "20 32 45.6",
        "20-32-45.6N",
        "20:32:45.6",
        "20d32m45.6s",
        "20D32M45.6N",
        "20 độ 32 phút 45,6 giây Bắc",
        "20 deg 32 min 45.6 sec north",
        "N20.546",
        "N 20° 32.76'",
        "20,546",
        "20.546°",
        "20.546 B",
        "+20.546",
        "B20°32'45.6\"",
    ],
)
def test_latitudes(text: str) -> None:
    found = coordinates.parse(text)
    assert found is not None
    assert found.value_deg == pytest.approx(LAT, abs=1e-9)
    assert found.hemisphere in ("", "N", "B")


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("105°54'43.2\"E", "E"),
        ("105°54'43,2\"Đ", "Đ"),
        ("105°54'43.2\" Đông", "Đ"),
        ("105°54'43.2\" D", "Đ"),
        ("E105.912", "E"),
        ("105 54 43.2 Tây", "T"),
        ("105 54 43.2W", "W"),
        ("20 32 45S", "S"),
        ("20 32 45 Nam", "Nam"),
    ],
)
def test_hemispheres(text: str, letter: str) -> None:
    found = coordinates.parse(text)
    assert found is not None
    assert found.hemisphere == letter


@pytest.mark.parametrize(
    "text",
    [
        *["", "Hà Nam", "N", "20°60'00\"", "20°32'60.5\"", "20.5°32'", "20°32.5'10\"", "NN20"],
        *["-20N", "1 2 3 4", "20°32'45\"NE", "20..5", "M1", "105.9, 20.5", "−"],
    ],
)
def test_what_is_no_angle(text: str) -> None:
    assert coordinates.parse(text) is None


@given(
    value=st.floats(-180, 180, allow_nan=False),
    digits=st.integers(0, 6),
    axis=st.sampled_from(["lat", "lon"]),
)
def test_degrees_minutes_and_seconds_go_there_and_back(value, digits, axis) -> None:
    text = coordinates.to_dms(value, axis, digits=digits)
    found = coordinates.parse(text)
    assert found is not None
    sign = -1 if found.hemisphere in ("S", "W") else 1
    assert sign * found.value_deg == pytest.approx(value, abs=0.51 * 10**-digits / 3600 + 1e-9)


FORMS = [
    "{d}°{m:02d}'{s:05.2f}\"{h}",
    "{h}{d} {m} {s:.2f}",
    "{d}-{m:02d}-{s:05.2f}{h}",
    "{d}:{m:02d}:{s:05.2f} {h}",
    "{d}d{m}m{s:.2f}s {h}",
    "{d}º {m}´ {s:.2f}´´ {h}",
]


@given(
    d=st.integers(0, 179),
    m=st.integers(0, 59),
    hundredths=st.integers(0, 5999),
    form=st.sampled_from(FORMS),
    h=st.sampled_from(["N", "S", "E", "W", "B", "Đ", "T", ""]),
    comma=st.booleans(),
)
def test_every_form_of_an_angle(d, m, hundredths, form, h, comma) -> None:
    text = form.format(d=d, m=m, s=hundredths / 100, h=h).strip()
    found = coordinates.parse(text.replace(".", ",") if comma else text)
    assert found is not None, text
    assert found.value_deg == pytest.approx(d + m / 60 + hundredths / 360_000, abs=1e-9)
    assert found.hemisphere == h


def read(lon: list[object], lat: list[object], area: bool = True) -> coordinates.Degrees:
    box = (105.0, 20.0, 106.5, 21.0) if area else None
    return coordinates.degrees(pd.Series(lon, dtype=object), pd.Series(lat, dtype=object), box)


def said(found: coordinates.Degrees) -> str:
    return "; ".join(f"{text} ({expected})" for _, text, expected in found.notes)


def test_mixed_forms_in_one_column() -> None:
    found = read(
        ["105,912", 105.912, "105°54'43.2\"E", None, "x"], ["20.546", "20 32 45.6", 20.546, "", "y"]
    )
    assert [float(value) for value in found.lon[1:3]] == pytest.approx([LON, LON])
    assert float(found.lon[0]) == pytest.approx(LON)
    assert float(found.lat[1]) == pytest.approx(LAT)
    assert (found.lon[4], found.lat[4]) == ("x", "y")
    assert "1 values are in degrees, minutes and seconds" in said(found)


def test_vietnamese_letters() -> None:
    found = read(["105°54'43.2\"Đ", "105,912 T"], ["20°32'45.6\"B", "20,546 Nam"], area=False)
    assert found.lon.tolist() == pytest.approx([LON, -LON])
    assert found.lat.tolist() == pytest.approx([LAT, -LAT])


@pytest.mark.parametrize(
    ("lon", "lat", "area", "north", "text"),
    [
        # English files are plain.
        ("105.912 E", "20.546 N", True, True, ""),
        ("105.912 E", "20.546 N", False, True, ""),
        ("105.912", "20.546 N", True, True, ""),
        # Nothing tells without an area: it is said.
        ("105.912", "20.546 N", False, True, "taken as north, as nothing else tells"),
        # A Vietnamese file: the area has the last word.
        ("105.912 Đ", "20.546 N", True, True, "taken as north, where the study area lies"),
    ],
)
def test_the_letter_n(lon: str, lat: str, area: bool, north: bool, text: str) -> None:
    found = read([lon], [lat], area=area)
    assert float(found.lat[0]) == pytest.approx(LAT if north else -LAT)
    assert text in said(found)
    assert bool(text) == ("N can mean" in said(found))


def test_n_is_south_among_letters_of_the_north() -> None:
    found = read(["105.9 Đ", "105.9 Đ"], ["20.5 B", "20.5 N"], area=False)
    assert found.lat.tolist() == [20.5, -20.5]
    assert "taken as south, by the other letters of the file" in said(found)


def test_letters_of_the_other_direction_are_said() -> None:
    assert "look swapped" in said(read(["20.5 N"], ["105.9 E"]))


# VN-2000


def test_every_province_has_its_zone_in_epsg() -> None:
    assert len(vn2000.provinces()) == 64
    for province, meridian in vn2000.provinces().items():
        code = vn2000.crs(province)
        assert code == vn2000.crs(province.replace(" ", "").lower())
        assert code == f"EPSG:{vn2000.ZONES_3_DEG[meridian]}"


@pytest.mark.parametrize(
    ("zones", "scale"), [(vn2000.ZONES_3_DEG, 0.9999), (vn2000.ZONES_6_DEG, 0.9996)]
)
def test_the_zones_are_those_of_the_circular(zones: dict[float, int], scale: float) -> None:
    for meridian, code in zones.items():
        found = pyproj.CRS.from_epsg(code)
        assert "VN-2000" in found.name
        values = {param.name: param.value for param in found.coordinate_operation.params}
        assert values["Longitude of natural origin"] == pytest.approx(meridian)
        assert values["Scale factor at natural origin"] == scale
        assert values["False easting"] == 500_000


def test_provinces_agree_with_the_areas_of_use_in_epsg() -> None:
    # EPSG names the provinces of most zones; those of 102, 105 and 108 have several areas.
    for province, meridian in vn2000.provinces().items():
        area = pyproj.CRS.from_epsg(vn2000.ZONES_3_DEG[meridian]).area_of_use
        assert area is not None
        if meridian not in (105.0, 108.0):
            plain = vn2000.bare(province).replace(" ", "")
            assert plain[:8] in vn2000.bare(area.name).replace(" ", ""), (province, area.name)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("vn2000:hanam", "EPSG:5897"),
        ("VN-2000: Hà Nam", "EPSG:5897"),
        ("vn2000:tỉnh Nam Định", "EPSG:9209"),
        ("vn2000:105-45", "EPSG:9210"),
        ("vn2000:105.75", "EPSG:9210"),
        ("vn2000:105°45'", "EPSG:9210"),
        ("vn2000:TP. Hồ Chí Minh", "EPSG:9210"),
        ("vn2000:brvt".replace("brvt", "ba ria vung tau"), "EPSG:5899"),
        ("vn2000:48N", "EPSG:3405"),
        ("vn2000:utm 49", "EPSG:3406"),
        ("EPSG:32648", "EPSG:32648"),
        ("4326", "EPSG:4326"),
    ],
)
def test_grids_by_name(text: str, code: str) -> None:
    assert vn2000.parsed(text) == code


@pytest.mark.parametrize(
    "text", ["vn2000:atlantis", "vn2000:95-00", "vn2000:105-75", "EPSG:0", "x"]
)
def test_grids_that_are_not_known(text: str) -> None:
    with pytest.raises(InputError, match=r"no zone|not a coordinate reference system"):
        vn2000.parsed(text)


def test_the_official_parameters_are_taken_everywhere() -> None:
    best = TransformerGroup("EPSG:4756", "EPSG:4326").transformers[0]
    assert "VN-2000 to WGS 84 (2)" in best.description
    assert best.accuracy == 1.0
    for code in ("EPSG:9210", "EPSG:3405", "EPSG:4756"):
        bound = pyproj.CRS(vn2000.official(code, "EPSG:32648"))
        there = pyproj.Transformer.from_crs(bound, "EPSG:4326", always_xy=True)
        usual = pyproj.Transformer.from_crs(code, "EPSG:4326", always_xy=True)
        north, south = ((520_000, 2_270_000), (560_000, 1_200_000))
        if code == "EPSG:4756":
            north, south = (105.9, 20.5), (106.5, 10.5)
        assert GEOD.inv(*there.transform(*north), *usual.transform(*north))[2] < 0.001
        # Here PROJ takes the older parameters.
        assert GEOD.inv(*there.transform(*south), *usual.transform(*south))[2] < 1.0
    assert vn2000.official("EPSG:9210", "EPSG:5897") == "EPSG:9210"
    assert vn2000.official("EPSG:32648", "EPSG:4326") == "EPSG:32648"


def test_a_point_by_hand() -> None:
    """The seven parameters applied step by step, without PROJ's own pipeline."""
    x, y = 520_123.456, 2_270_654.321
    flat = pyproj.Proj(proj="tmerc", lon_0=105.0, k=0.9999, x_0=500_000, ellps="WGS84")
    lon, lat = flat(x, y, inverse=True)
    a, e2 = GEOD.a, GEOD.es
    phi, lam = math.radians(lat), math.radians(lon)
    n = a / math.sqrt(1 - e2 * math.sin(phi) ** 2)
    p = np.array(
        [
            n * math.cos(phi) * math.cos(lam),
            n * math.cos(phi) * math.sin(lam),
            n * (1 - e2) * math.sin(phi),
        ]
    )
    dx, dy, dz, rx, ry, rz, ppm = vn2000.TO_WGS84
    rx, ry, rz = (math.radians(angle / 3600) for angle in (rx, ry, rz))
    turn = np.array([[1, -rz, ry], [rz, 1, -rx], [-ry, rx, 1]])
    q = np.array([dx, dy, dz]) + (1 + ppm * 1e-6) * turn @ p
    found = pyproj.Transformer.from_crs("EPSG:4978", "EPSG:4326", always_xy=True).transform(*q)
    official = vn2000.official(vn2000.crs("hanam"), "EPSG:4326")
    expected = pyproj.Transformer.from_crs(official, "EPSG:4326", always_xy=True)
    assert GEOD.inv(*found[:2], *expected.transform(x, y))[2] < 0.001
    # The datums are apart by some 200 m: whoever leaves the parameters out is found out.
    assert 100 < GEOD.inv(lon, lat, *found[:2])[2] < 400


@given(lon=st.floats(103, 109), lat=st.floats(8.5, 23.3))
def test_grids_go_there_and_back_within_a_centimetre(lon: float, lat: float) -> None:
    meridian = min(vn2000.ZONES_3_DEG, key=lambda value: abs(value - lon))
    there = pyproj.Transformer.from_crs("EPSG:4326", vn2000.crs(f"{meridian}"), always_xy=True)
    x, y = there.transform(lon, lat)
    back = there.transform(x, y, direction="INVERSE")
    assert GEOD.inv(lon, lat, *back)[2] < 0.01


def test_a_meridian_without_a_code() -> None:
    code = vn2000.crs("105-20")
    assert code.startswith("+proj=tmerc")
    there = pyproj.Transformer.from_crs(code, vn2000.crs("105-30"), always_xy=True)
    x, y = there.transform(500_000, 2_270_000)
    assert 480_000 < x < 485_000
    assert y == pytest.approx(2_270_000, abs=200)


# Importing


def table(header: str, *rows: str) -> bytes:
    return "\n".join([f"mast_id;height_m;{header}", *rows, ""]).encode()


def placed(workspace: Workspace, content: bytes, **options: object) -> list[tuple[float, float]]:
    seen = importers.preview(workspace, "masts", content, **options)
    assert not seen.errors, seen.errors
    points = seen.frame.to_crs(4326).geometry
    return [(point.x, point.y) for point in points]


def grid_of(workspace: Workspace, code: str) -> tuple[float, float, float, float]:
    lon, lat = inside(workspace)
    x, y = pyproj.Transformer.from_crs(4326, code, always_xy=True).transform(lon, lat)
    return lon, lat, x, y


def test_degrees_in_files(workspace: Workspace) -> None:
    lon, lat = inside(workspace)
    parts = [coordinates.to_dms(lat, "lat", digits=4), coordinates.to_dms(lon, "lon", digits=4)]
    content = table(
        "Vĩ độ;Kinh độ",
        f"A;42;{';'.join(parts)}".replace('"', "''"),
        f"B;42;{str(lat).replace('.', ',')};{str(lon).replace('.', ',')}",
        f"C;42;{lat};{lon} Đ",
    )
    for point in placed(workspace, content):
        assert GEOD.inv(*point, lon, lat)[2] < 0.01


@pytest.mark.parametrize("swap", [False, True])
def test_survey_lists_have_the_northing_in_x(workspace: Workspace, swap: bool) -> None:
    lon, lat, x, y = grid_of(workspace, vn2000.crs("hanam"))
    first, second = (y, x) if swap else (x, y)
    content = table("X;Y", *(f"{name};42;{first:.3f};{second:.3f}" for name in "ABC"))
    for point in placed(workspace, content, crs="vn2000:hanam"):
        assert GEOD.inv(*point, lon, lat)[2] < 0.01
    seen = importers.preview(workspace, "masts", content, crs="vn2000:hanam")
    told = [str(problem) for problem in seen.problems if "northings" in str(problem)]
    assert bool(told) == swap
    assert seen.crs == "EPSG:5897"


def test_a_grid_that_is_not_stated_is_asked_for(workspace: Workspace) -> None:
    _, _, x, y = grid_of(workspace, vn2000.crs("hanam"))
    content = table("X (m);Y (m)", f"A;42;{y:.2f};{x:.2f}")
    with pytest.raises(ValidationError, match="a grid that is not stated") as caught:
        importers.import_layer(workspace, "masts", content)
    assert "VN-2000 3° 105°00' (EPSG:5897)" in str(caught.value)
    assert not workspace.has("masts")


def test_x_and_y_may_be_degrees(workspace: Workspace) -> None:
    lon, lat = inside(workspace)
    found = placed(workspace, table("X;Y", f"A;42;{lon};{lat}"))
    assert found == [pytest.approx((lon, lat))]


def test_columns_and_grid_given_together(workspace: Workspace) -> None:
    lon, lat, x, y = grid_of(workspace, "EPSG:9210")
    content = table("Cột 1;Cột 2;lon;lat", f"A;42;{y:.3f};{x:.3f};1;2")
    found = placed(workspace, content, coordinates=("Cột 2", "Cột 1", "vn2000:105-45"))
    assert GEOD.inv(*found[0], lon, lat)[2] < 0.01


def test_degrees_of_vn2000_are_not_those_of_wgs84(workspace: Workspace) -> None:
    lon, lat = inside(workspace)
    content = table("lon;lat", f"A;42;{lon};{lat}")
    found = placed(workspace, content, crs="EPSG:4756")
    assert 100 < GEOD.inv(*found[0], lon, lat)[2] < 400


def test_swapped_degrees_are_reported_and_not_put_right(workspace: Workspace) -> None:
    lon, lat = inside(workspace)
    content = table("lon;lat", f"A;42;{lat};{lon}", f"B;42;{lat};{lon}")
    with pytest.raises(ValidationError, match="longitude and latitude look swapped") as caught:
        importers.import_layer(workspace, "masts", content)
    assert [problem.row for problem in caught.value.problems] == [2, 3]


def test_an_angle_that_cannot_be_read_names_its_row(workspace: Workspace) -> None:
    lon, lat = inside(workspace)
    content = table("lon;lat", f"A;42;{lon};{lat}", f"B;42;{lon};20°99'")
    with pytest.raises(
        ValidationError, match=r"row 3, column lat: '20°99'' .*20°32'45.6"
    ) as caught:
        importers.import_layer(workspace, "masts", content)
    assert len(caught.value.problems) == 1


def test_the_grid_is_kept_for_the_next_file(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "w", samples.AREA)
    workspace.write({"zones": samples.zones()}, {"zones": samples.REAL})
    lon, lat, x, y = grid_of(workspace, "EPSG:5897")
    content = table("X;Y", f"A;42;{y:.3f};{x:.3f}")
    importers.import_layer(workspace, "masts", content, crs="vn2000:hanam")
    assert "places in VN-2000 3° 105°00'" in workspace.provenance()["masts"].method
    importers.import_layer(workspace, "masts", content.replace(b"A;", b"B;"))
    masts = workspace.read("masts")
    assert masts["mast_id"].tolist() == ["B"]
    point = masts.to_crs(4326).geometry.iloc[0]
    assert GEOD.inv(point.x, point.y, lon, lat)[2] < 0.01


def test_the_table_of_provinces_is_sorted_by_meridian() -> None:
    path = Path(vn2000.__file__).with_name("vn2000_provinces.csv")
    with path.open(encoding="utf-8") as stream:
        meridians = [row["central_meridian"] for row in csv.DictReader(stream)]
    assert meridians == sorted(meridians)
