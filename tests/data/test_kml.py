"""KML as Google Earth, ArcGIS and people write it."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path

import geopandas as gpd
import pytest

from data.errors import InputError
from data.importers import import_layer, read_table
from data.importers import table as tables
from data.store import Workspace
from tests.data import samples

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
)
TAIL = "</Document></kml>"


def kml(*parts: str) -> bytes:
    return (HEAD + "".join(parts) + TAIL).encode()


def placemark(
    data: str = "", shape: str = "<Point><coordinates>105.99,20.45</coordinates></Point>"
):
    return f"<Placemark>{data}{shape}</Placemark>"


def extended(**values: object) -> str:
    items = "".join(
        f'<Data name="{name}"><value>{value}</value></Data>' for name, value in values.items()
    )
    return f"<ExtendedData>{items}</ExtendedData>"


def kmz(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"{name}.kml", data)
        archive.writestr("files/icon.png", b"\x89PNG")
    return content.getvalue()


def test_folders_names_and_attributes_become_columns() -> None:
    content = kml(
        "<name>Tệp</name><Folder><name>Hà Nam</name><Folder><name>Lý Nhân</name>",
        placemark("<name>Cột số 1</name>" + extended(mast_id="013", height_m=42.5)),
        "</Folder>",
        placemark("<name>Cột &amp; 2</name><description>cạnh chợ</description>"),
        "</Folder>",
        placemark(extended(mast_id="C")),
    )
    frame = read_table(content, "masts")
    assert frame.index.tolist() == [1, 2, 3]
    assert frame["folder"].tolist() == ["Hà Nam / Lý Nhân", "Hà Nam", None]
    assert frame["name"].tolist() == ["Cột số 1", "Cột & 2", None]
    assert frame["description"].tolist() == [None, "cạnh chợ", None]
    assert frame["mast_id"].tolist() == ["013", None, "C"]
    assert frame["height_m"].dropna().tolist() == ["42.5"]
    assert frame.geometry.iloc[0].coords[0] == (105.99, 20.45)
    assert frame.crs == "EPSG:4326"


def test_the_table_that_arcgis_puts_into_a_description() -> None:
    def html(*pairs: tuple[str, str]) -> str:
        rows = "".join(f"<tr bgcolor='#D4E4F3'><td>{k}</td>\n<td>{v}</td></tr>" for k, v in pairs)
        return (
            "<description><![CDATA[<html><body><table><tr><td>Cột 1</td></tr><tr><td><table>"
            f"{rows}</table></td></tr></table></body></html>]]></description>"
        )

    content = kml(
        placemark(html(("mast_id", "A1"), ("height_m", "42"), ("owner", "Viettel &amp; VNPT"))),
        placemark(html(("mast_id", "A2"), ("height_m", "&lt;Null&gt;"))),
    )
    frame = read_table(content, "masts")
    assert frame["mast_id"].tolist() == ["A1", "A2"]
    assert frame["owner"].tolist() == ["Viettel & VNPT", None]
    assert frame["height_m"].tolist() == ["42", None]
    assert "description" not in frame


def test_a_description_of_another_form_stays_text() -> None:
    wide = "<table><tr><td>a</td><td>b</td><td>c</td></tr></table>"
    frame = read_table(
        kml(placemark(f"<description><![CDATA[{wide}]]></description>" + extended(mast_id="A"))),
        "masts",
    )
    assert frame["description"].tolist() == [wide]


def test_attributes_with_a_schema_have_its_types() -> None:
    schema = (
        '<Schema name="s" id="s"><SimpleField name="mast_id" type="string"/>'
        '<SimpleField name="lượt" type="int"/><SimpleField name="tỷ lệ" type="double"/>'
        '<SimpleField name="đã xem" type="bool"/><SimpleField name="lỗi" type="int"/></Schema>'
    )

    def row(*values: str) -> str:
        names = ("mast_id", "lượt", "tỷ lệ", "đã xem", "lỗi")
        data = "".join(
            f'<SimpleData name="{n}">{v}</SimpleData>' for n, v in zip(names, values, strict=True)
        )
        return f'<ExtendedData><SchemaData schemaUrl="#s">{data}</SchemaData></ExtendedData>'

    content = kml(
        schema,
        placemark(row("01", "3", "0.5", "1", "x")),
        placemark(row("2", "4", "1e3", "0", "5")),
    )
    frame = read_table(content, "masts")
    assert frame["mast_id"].tolist() == ["01", "2"]
    assert frame["lượt"].tolist() == [3, 4]
    assert frame["tỷ lệ"].tolist() == [0.5, 1000.0]
    assert frame["đã xem"].tolist() == [True, False]
    assert frame["lỗi"].tolist() == ["x", "5"]


@pytest.mark.parametrize(
    ("layer", "shape", "kind"),
    [
        (
            "roads",
            "<LineString><coordinates>105,20,3 105,21,4\n 106,20.1</coordinates></LineString>",
            "LineString",
        ),
        (
            "zones",
            (
                "<Polygon><outerBoundaryIs><LinearRing><coordinates>105,20 106,20 106,21 105,20"
                "</coordinates></LinearRing></outerBoundaryIs><innerBoundaryIs><LinearRing>"
                "<coordinates>105.5,20.1 105.6,20.1 105.6,20.2 105.5,20</coordinates></LinearRing>"
                "</innerBoundaryIs></Polygon>"
            ),
            "Polygon",
        ),
        (
            "zones",
            (
                "<MultiGeometry><Polygon><outerBoundaryIs><LinearRing><coordinates>1,2 2,2 2,3 1,2"
                "</coordinates></LinearRing></outerBoundaryIs></Polygon><MultiGeometry><Polygon>"
                "<outerBoundaryIs><LinearRing><coordinates>4,2 5,2 5,3</coordinates></LinearRing>"
                "</outerBoundaryIs></Polygon></MultiGeometry></MultiGeometry>"
            ),
            "MultiPolygon",
        ),
        (
            "masts",
            "<MultiGeometry><Point><coordinates>105 , 20 , 7</coordinates></Point></MultiGeometry>",
            "Point",
        ),
    ],
)
def test_every_kind_of_geometry(layer: str, shape: str, kind: str) -> None:
    found = tables.read(kml(placemark(extended(code=1), shape)), layer)
    assert isinstance(found.frame, gpd.GeoDataFrame)
    assert found.frame.geom_type.tolist() == [kind]
    assert not found.frame.has_z.any()
    if kind == "Polygon":
        assert len(found.frame.geometry.iloc[0].interiors) == 1
    said = [str(p) for p in found.problems]
    assert any("heights of the places are not read" in text for text in said) == (
        kind in ("LineString", "Point")
    )


def test_bad_places_are_told_by_row(tmp_path: Path) -> None:
    workspace = samples.workspace(tmp_path / "w")
    rows = [
        "<Point><coordinates>105.99,20.45,0</coordinates></Point>",
        "<Point><coordinates>105.99;20.45</coordinates></Point>",
        "<Point><coordinates></coordinates></Point>",
        "<Point><coordinates>20.45,105.99</coordinates></Point>",
        "<Track/>",
        "",
    ]
    content = kml(
        *(placemark(extended(mast_id=f"K{k}", height_m=30), shape) for k, shape in enumerate(rows))
    )
    report = import_layer(workspace, "masts", content, accept_rows=True, drop_orphans=True)
    assert report.rows_written == 1
    said = {k: [str(p) for p in report.problems if p.row == k] for k in range(1, 7)}
    assert said[1] == []
    assert "'105.99;20.45' (expected coordinates as longitude,latitude)" in said[2][0]
    assert "no coordinates" in said[3][0]
    assert any("look swapped" in text for text in said[4])
    assert "a geometry of kind Track, which is not read" in said[5][0]
    assert "expected a geometry of kind Point" in said[6][0]


def test_a_prefix_that_nobody_declared_is_no_fault() -> None:
    content = kml(placemark("<gx:balloonVisibility>1</gx:balloonVisibility>" + extended(mast_id=7)))
    assert read_table(content, "masts")["mast_id"].tolist() == ["7"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_other_forms_of_unicode(encoding: str) -> None:
    text = kml(placemark("<name>Đồng Văn</name>" + extended(mast_id=1))).decode()
    content = text.replace("UTF-8", "UTF-16" if encoding == "utf-16" else "UTF-8").encode(encoding)
    assert read_table(content, "masts")["name"].tolist() == ["Đồng Văn"]


def test_kmz_with_one_and_with_several_files() -> None:
    one = kml(placemark(extended(mast_id="A")))
    two = kml(placemark(extended(mast_id="B")))
    assert read_table(kmz(doc=one, thêm=two), "masts")["mast_id"].tolist() == ["A"]
    assert read_table(kmz(doc=one, thêm=two), "masts", table="thêm")["mast_id"].tolist() == ["B"]
    assert read_table(kmz(masts=two, zones=one), "masts")["mast_id"].tolist() == ["B"]
    with pytest.raises(InputError, match="has the layers a, b; say which one holds masts"):
        read_table(kmz(a=one, b=two), "masts")
    with pytest.raises(InputError, match="no layer c; it has a, b"):
        read_table(kmz(a=one, b=two), "masts", table="c")


BOMB = (
    "<!DOCTYPE kml ["
    + "".join(f'<!ENTITY a{k} "{f"&a{k - 1};" * 10 if k else "x" * 10}">' for k in range(9))
    + "]><kml><Document><Placemark><name>&a8;</name></Placemark></Document></kml>"
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (BOMB, "a document type or entities of its own"),
        (
            (
                '<!DOCTYPE kml [<!ENTITY x SYSTEM "file:///etc/passwd">]><kml><Placemark><name>&x;'
                "</name></Placemark></kml>"
            ),
            "a document type or entities of its own",
        ),
        ("<kml><Document><Placemark>", "is damaged or is not KML"),
        ("<kml>" + "<Folder>" * 5_000, "is damaged or is not KML"),
        ("<kml><Document/></kml>", "has no rows"),
        (
            "<kml><Placemark>"
            + extended(**{f"c{k}": 1 for k in range(400)})
            + "</Placemark></kml>",
            "400 columns; the most is 300",
        ),
    ],
)
def test_bad_files_are_refused_at_once(content: str, said: str) -> None:
    start = time.perf_counter()
    with pytest.raises(InputError, match=said) as caught:
        read_table(content.encode(), "masts", file_name="cột.kml")
    assert str(caught.value).startswith("cột.kml")
    assert time.perf_counter() - start < 5


def test_a_layer_without_geometry(tmp_path: Path) -> None:
    workspace: Workspace = samples.workspace(tmp_path / "w")
    cells = samples.cells(2).drop(columns="pattern").to_dict("records")
    content = kml(*(placemark(extended(**cell)) for cell in cells))
    assert import_layer(workspace, "cells", content).rows_written == 2
