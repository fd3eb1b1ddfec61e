"""Shapefiles and other layers in archives, as GIS programs and offices hand them over."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest

from data.errors import InputError, ValidationError
from data.importers import import_layer, read_table
from data.importers import table as tables
from data.importers.legacy_vietnamese import in_unicode
from tests.data import samples
from tests.data.samples import CRS

#: What an ABC font shows as "Xã Thi Sơn" and "Thị trấn Vĩnh Trụ".
TCVN3_TEXT = ["X· Thi S¬n", "ThÞ trÊn VÜnh Trô", "Ph­êng Lª Hång Phong", "Hµ Nam"]


def parts(
    folder: Path, frame: pd.DataFrame, name: str = "cot", encoding: str = "UTF-8", **options: object
) -> dict[str, bytes]:
    """Return the files of a Shapefile as GDAL writes it, by their names."""
    target = folder / "parts"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    pyogrio.write_dataframe(
        frame, target / f"{name}.shp", driver="ESRI Shapefile", encoding=encoding, **options
    )
    return {path.name: path.read_bytes() for path in sorted(target.iterdir())}


def packed(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def without(files: dict[str, bytes], *suffixes: str) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if not name.endswith(suffixes)}


@pytest.mark.filterwarnings("ignore:Normalized/laundered")
def test_names_cut_to_ten_characters_are_found_again(tmp_path: Path) -> None:
    workspace = samples.workspace(tmp_path / "w")
    files = parts(tmp_path, samples.masts())
    content = packed({f"dữ liệu/{name}": data for name, data in files.items()})
    frame = read_table(content, "masts")
    assert {"mast_class", "max_tenants", "height_m"} <= set(frame.columns)
    assert import_layer(workspace, "masts", content).rows_written == 3
    cells = samples.cells().drop(columns="pattern")
    dbf = without(parts(tmp_path, cells), ".cpg")
    assert list(dbf) == ["cot.dbf"]
    for source in (packed(dbf), dbf["cot.dbf"]):
        frame = read_table(source, "cells")
        assert {"antenna_gain_dbi", "antenna_height_m", "frequency_mhz"} <= set(frame.columns)
        assert import_layer(workspace, "cells", source).rows_written == 6


def test_several_shapefiles_in_one_archive(tmp_path: Path) -> None:
    files = parts(tmp_path, samples.villages(), "làng") | parts(tmp_path, samples.roads(), "đường")
    with pytest.raises(InputError, match="has the layers làng, đường; say which one holds masts"):
        read_table(packed(files), "masts")
    assert len(read_table(packed(files), "villages", table="làng")) == 2
    renamed = parts(tmp_path, samples.villages(), "Villages") | parts(
        tmp_path, samples.roads(), "x"
    )
    assert len(read_table(packed(renamed), "villages")) == 2


def test_without_prj_the_crs_is_asked_for(tmp_path: Path) -> None:
    content = packed(without(parts(tmp_path, samples.villages()), ".prj"))
    with pytest.raises(InputError, match=r"cot\.shp has no \.prj file .* give the CRS"):
        read_table(content, "villages")
    frame = read_table(content, "villages", crs=CRS)
    assert frame.crs == CRS


def test_a_shapefile_beside_its_parts_and_alone(tmp_path: Path) -> None:
    files = parts(tmp_path, samples.villages(), "làng")
    folder = tmp_path / "parts"
    assert len(read_table(folder / "làng.shp", "villages")) == 2
    (folder / "làng.dbf").rename(folder / "LÀNG.DBF")
    assert len(read_table(folder / "làng.shp", "villages")) == 2
    with pytest.raises(InputError, match=r"upload is not complete: \.shx, \.dbf is missing"):
        read_table(files["làng.shp"], "villages")
    with pytest.raises(InputError, match=r"làng\.shp is not complete: \.dbf is missing"):
        read_table(packed(without(files, ".dbf")), "villages")


@pytest.mark.parametrize(
    ("encoding", "page"),
    [("UTF-8", b"UTF-8"), ("UTF-8", b""), ("CP1258", b"1258"), ("CP1252", b"ANSI 1252")],
)
def test_the_encoding_that_a_file_names(tmp_path: Path, encoding: str, page: bytes) -> None:
    text = "Hà Nam" if encoding == "CP1252" else "Lê Hồng Phong Đ"
    if encoding == "CP1258":
        text = "Lê Hông Phong Đ"
    files = parts(tmp_path, samples.villages().assign(name=text), encoding=encoding)
    files["cot.cpg"] = page
    assert read_table(packed(files), "villages")["name"].tolist() == [text, text]


def test_an_encoding_from_before_unicode_is_recognised(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {"village_id": ["1", "2", "3", "4"], "name": TCVN3_TEXT},
        geometry=samples.masts(4).geometry,
        crs=CRS,
    )
    files = without(parts(tmp_path, frame, encoding="ISO-8859-1"), ".cpg")
    found = tables.read(packed(files), "villages")
    encoding = next(
        p.value.values["encoding"] for p in found.problems if "is read as" in str(p.value)
    )
    assert found.frame["name"].tolist() == [
        "Xã Thi Sơn",
        "Thị trấn Vĩnh Trụ",
        *found.frame["name"][2:],
    ]
    assert encoding.startswith("TCVN3")
    assert in_unicode(TCVN3_TEXT[3], encoding) == "Hà Nam" == found.frame["name"].iloc[3]


def test_numbers_that_are_text_and_empty_values(tmp_path: Path) -> None:
    villages = samples.villages().assign(population=["1.234,5", None])
    frame = read_table(packed(parts(tmp_path, villages)), "villages")
    assert frame["population"].fillna("-").tolist() == ["1234.5", "-"]
    assert frame.index.tolist() == [1, 2]


def test_mapinfo_layers(tmp_path: Path) -> None:
    folder = tmp_path / "mi"
    folder.mkdir()
    masts = samples.masts().to_crs(4326)
    pyogrio.write_dataframe(masts, folder / "cot.tab", driver="MapInfo File")
    pyogrio.write_dataframe(masts, folder / "cot2.mif", driver="MapInfo File")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name in ("cot", "cot2"):
        found = tables.read(packed(files), "masts", table=name)
        assert found.kind == "mapinfo"
        assert found.frame["mast_id"].tolist() == ["M0", "M1", "M2"]
        places = found.frame.to_crs(CRS).geometry.reset_index(drop=True)
        assert places.distance(samples.masts().geometry).max() < 0.1
    with pytest.raises(InputError, match=r"cot\.tab is not complete: \.dat is missing"):
        read_table(packed({"cot.tab": files["cot.tab"]}), "masts")


def test_flatgeobuf_and_gpx(tmp_path: Path) -> None:
    workspace = samples.workspace(tmp_path / "w")
    path = tmp_path / "a.fgb"
    pyogrio.write_dataframe(samples.masts(), path, driver="FlatGeobuf", SPATIAL_INDEX="NO")
    assert import_layer(workspace, "masts", path.read_bytes()).rows_written == 3
    gpx = (
        b'<?xml version="1.0"?><gpx version="1.1" creator="x" '
        b'xmlns="http://www.topografix.com/GPX/1/1">'
        b'<wpt lat="20.45" lon="105.99"><name>Th\xc3\xb4n</name></wpt></gpx>'
    )
    frame = read_table(gpx, "villages")
    assert frame["name"].tolist() == ["Thôn"]
    assert frame.geometry.iloc[0].x == 105.99
    with pytest.raises(InputError, match="is an XML document"):
        read_table(gpx.replace(b"<gpx", b"<!DOCTYPE gpx []><gpx", 1), "villages")


def test_one_file_of_another_kind_in_an_archive(tmp_path: Path) -> None:
    csv = b"village_id,name,lon,lat\n1,a,105.9,20.4\n"
    assert len(read_table(packed({"thư mục/làng.csv": csv, "đọc.txt": b"x"}), "villages")) == 1
    inner = packed({"a.csv": csv})
    with pytest.raises(InputError, match="without a table or layer"):
        read_table(packed({"a.zip": inner}), "villages")
    with pytest.raises(InputError, match=r"has the layers a\.csv, b\.csv"):
        read_table(packed({"a.csv": csv, "b.csv": csv}), "villages")


def test_names_that_lead_out_of_an_archive_lead_nowhere(tmp_path: Path) -> None:
    files = parts(tmp_path, samples.villages())
    evil = {f"../../../../tmp/evil/{name}": data for name, data in files.items()}
    assert len(read_table(packed(evil), "villages")) == 2
    assert not Path("/tmp/evil").exists()


@pytest.mark.parametrize("suffix", [".shp", ".shx", ".dbf", ".prj", ".cpg", ".columns.json"])
def test_damaged_parts_are_refused_or_read(tmp_path: Path, suffix: str) -> None:
    files = parts(tmp_path, samples.villages())
    for damage in (b"", b"\xff" * 50, files.get(f"cot{suffix}", b"{}")[:40]):
        content = packed(files | {f"cot{suffix}": damage})
        try:
            frame = read_table(content, "villages", file_name="làng.zip")
        except (InputError, ValidationError) as error:
            assert str(error).startswith("làng.zip")  # noqa: PT017
        else:
            assert len(frame) <= 2


def test_an_archive_with_a_password(tmp_path: Path) -> None:
    content = bytearray(packed(parts(tmp_path, samples.villages())))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := content.find(mark, start)) >= 0:
            content[start + offset] |= 1
            start += 4
    with pytest.raises(InputError, match="has a password; save it without"):
        read_table(bytes(content), "villages")
