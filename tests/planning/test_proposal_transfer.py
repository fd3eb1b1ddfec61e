"""Proposals from files and into files: all or none, row by row, and nothing that runs."""

from __future__ import annotations

import csv
import zipfile

import geopandas as gpd
import pandas as pd
import pytest

from data.errors import InputError, ValidationError
from data.importers import archive
from planning import proposal_decisions, proposal_transfer, proposals
from planning.proposal_workflow import Status
from tests.areas import small_area, write_area
from tests.planning.test_proposals import ALPHA, BETA, CONSENT, PLANNER

HEADER = "Mã đề xuất;Tên trạm;Kinh độ;Vĩ độ;Loại cột;Chiều cao cột (ft);Công nghệ;Ghi chú\n"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return write_area(tmp_path_factory.mktemp("transfer") / "w", small_area())


@pytest.fixture(scope="module")
def places(workspace) -> list[tuple[float, float]]:
    masts = workspace.read("masts").geometry.to_crs("EPSG:4326")
    return [(point.x, point.y) for point in masts]


def rows(places, *changes: dict[str, str]) -> bytes:
    lines = []
    for number, change in enumerate(changes):
        lon, lat = places[number]
        values = {
            "reference": f"P{number}",
            "name": "Trạm",
            "lon": f"{lon:.6f}".replace(".", ","),
            "lat": f"{lat:.6f}".replace(".", ","),
            "class": "A2b",
            "height": "137,8",
            "technologies": "4G; 3G",
            "note": "",
        } | change
        lines.append(";".join(f'"{value}"' for value in values.values()))
    return (HEADER + "\n".join(lines) + "\n").encode()


def test_a_carriers_own_table_is_understood(records, workspace, places) -> None:
    made = proposal_transfer.import_file(
        records, ALPHA, workspace, rows(places, {}, {"technologies": "2G,4G"}), file_name="p.csv"
    )
    assert [item.request.reference for item in made] == ["P0", "P1"]
    assert {item.status for item in made} == {Status.DRAFT}
    assert {item.organisation for item in made} == {"Alpha"}
    assert made[0].request.height_m == pytest.approx(42.0, abs=0.01)
    assert made[1].request.technologies == ("2G", "4G")
    assert made[0].request.lon == pytest.approx(places[0][0], abs=1e-5)


def test_one_bad_row_keeps_all_out_and_every_fault_is_named(records, workspace, places) -> None:
    content = rows(
        places, {}, {"class": "A9"}, {"height": "-1"}, {"lat": "x"}, {"technologies": "6G"}
    )
    with pytest.raises(ValidationError) as caught:
        proposal_transfer.import_file(records, ALPHA, workspace, content, file_name="p.csv")
    assert {(p.row, p.column) for p in caught.value.problems if p.severity == "error"} == {
        (3, "mast_class"),
        (4, "height_m"),
        (5, "lat"),
    }
    content = rows(places, {}, {"technologies": "6G"}, {"height": ""})
    with pytest.raises(ValidationError) as caught:
        proposal_transfer.import_file(records, ALPHA, workspace, content, file_name="p.csv")
    assert [(p.row, p.column, p.file) for p in caught.value.problems] == [
        (3, "technologies", "p.csv"),
        (4, "height_m", "p.csv"),
    ]
    assert proposals.list_of(records, ALPHA, workspace.folder.name) == []


def test_the_same_file_makes_its_proposals_once(records, workspace, places) -> None:
    content = rows(places, {}, {})
    first = proposal_transfer.import_file(records, ALPHA, workspace, content, submit=True)
    again = proposal_transfer.import_file(records, ALPHA, workspace, content, submit=True)
    assert [item.id for item in again] == [item.id for item in first]
    proposal_transfer.import_file(records, BETA, workspace, content)
    assert len(proposals.list_of(records, ALPHA, workspace.folder.name)) == 2


@pytest.mark.parametrize("ending", ["csv", "xlsx", "kml", "gpkg", "geojson"])
def test_what_is_written_is_read_again(records, workspace, places, tmp_path, ending) -> None:
    content = rows(places, {"note": "=1+1"}, {"name": "Đề xuất <b>2</b>"})
    made = proposal_transfer.import_file(records, ALPHA, workspace, content)
    path = tmp_path / f"out.{ending}"
    report = proposal_transfer.export(records, ALPHA, made, path)
    assert report.rows == 2
    for item in made:
        proposals.withdraw(records, ALPHA, item.id)
    again = proposal_transfer.import_file(
        records, ALPHA, workspace, path, request_id=f"again {ending}"
    )
    for old, new in zip(made, again, strict=True):
        before, after = old.request.to_dict(), new.request.to_dict()
        for name in ("lon", "lat", "height_m"):
            assert after.pop(name) == pytest.approx(before.pop(name), abs=1e-6)
        assert after == before


@pytest.mark.parametrize("height", ["", "0"])
def test_antennas_on_a_mast_come_from_files_and_go_into_them(
    records, workspace, places, tmp_path, height
) -> None:
    mast = workspace.read("masts")["mast_id"].iloc[0]
    lon, lat = places[0]
    content = (
        "reference,lon,lat,kind,mast_id,height_m,technologies\n"
        f"M2,{lon},{lat},share,{mast},{height},4G\n"
    ).encode()
    made = proposal_transfer.import_file(records, ALPHA, workspace, content, submit=True)
    (item,) = made
    assert (item.request.kind, item.request.mast_id) == ("share", mast)
    # It can be given back, changed and sent again.
    proposals.request_changes(records, PLANNER, item.id, "3G too")
    proposals.edit(
        records, ALPHA, item.id, {**item.request.to_dict(), "technologies": ["3G", "4G"]}
    )
    edited = proposals.submit(records, ALPHA, item.id)
    assert edited.request.technologies == ("3G", "4G")
    for ending in ("csv", "xlsx", "kml", "gpkg", "geojson"):
        path = tmp_path / f"out.{ending}"
        proposal_transfer.export(records, ALPHA, [edited], path)
        if ending == "csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                assert [row["height_m"] for row in csv.DictReader(file)] == [""]
        found, requests = proposal_transfer.preview(workspace, path)
        assert not found.errors
        (again,) = requests
        assert (again.kind, again.mast_id, again.technologies) == ("share", mast, ("3G", "4G"))


def test_a_new_mast_without_height_is_a_fault_of_its_row(workspace, places) -> None:
    for height in ("", "0"):
        found, requests = proposal_transfer.preview(
            workspace, rows(places, {}, {"height": height}), file_name="p.csv"
        )
        assert not requests
        assert [(p.row, p.column, p.file) for p in found.errors] == [(3, "height_m", "p.csv")]


FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", '=HYPERLINK("http://x")')


def test_no_formula_runs_in_a_spreadsheet(records, workspace, places, tmp_path) -> None:
    made = [
        proposals.create(
            records,
            ALPHA,
            workspace.folder.name,
            {"reference": f"x{text}" if text.startswith("\t") else text, "name": text,
             "note": text, "lon": places[0][0], "lat": places[0][1], "height_m": 30,
             "technologies": "4G"},
        )
        for text in FORMULAS
    ]  # fmt: skip
    proposal_transfer.export(records, ALPHA, made, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            for name in ("reference", "name", "note"):
                assert row[name][0] not in "=+-@\t\r"
    proposal_transfer.export(records, ALPHA, made, tmp_path / "out.xlsx")
    with zipfile.ZipFile(tmp_path / "out.xlsx") as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    frame = pd.read_excel(tmp_path / "out.xlsx", dtype=str, engine="openpyxl")
    assert frame["note"].tolist() == [text.strip() for text in FORMULAS]


def test_exports_say_what_became_of_a_proposal(records, workspace, places, tmp_path) -> None:
    (made,) = proposal_transfer.import_file(
        records, ALPHA, workspace, rows(places, {}), submit=True
    )
    done = proposal_decisions.approve(records, PLANNER, made.id, CONSENT)
    proposal_transfer.export(records, PLANNER, [done], tmp_path / "out.gpkg")
    frame = gpd.read_file(tmp_path / "out.gpkg")
    row = frame.iloc[0]
    assert (row["status"], row["consent"], row["organisation"]) == (
        "approved", CONSENT.number, "Alpha",
    )  # fmt: skip


BOMBS = {
    "entity": b'<?xml version="1.0"?><!DOCTYPE k [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b'<kml xmlns="http://www.opengis.net/kml/2.2"><Placemark><name>&x;</name><Point>'
    b"<coordinates>105.9,20.5</coordinates></Point></Placemark></kml>",
    "billion laughs": b'<?xml version="1.0"?><!DOCTYPE k [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(f'<!ENTITY {chr(98 + k)} "{f"&{chr(97 + k)};" * 10}">'.encode() for k in range(9))
    + b']><kml xmlns="http://www.opengis.net/kml/2.2"><Placemark><name>&j;</name><Point>'
    b"<coordinates>105.9,20.5</coordinates></Point></Placemark></kml>",
    "remote": b'<?xml version="1.0"?><!DOCTYPE k SYSTEM "http://127.0.0.1:9/x.dtd">'
    b'<kml xmlns="http://www.opengis.net/kml/2.2"><Placemark><name>x</name><Point>'
    b"<coordinates>105.9,20.5</coordinates></Point></Placemark></kml>",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_kml_reaches_for_nothing_outside_itself(workspace, name) -> None:
    with pytest.raises(InputError) as caught:
        proposal_transfer.preview(workspace, BOMBS[name], file_name="p.kml")
    assert "root:" not in str(caught.value)


def test_an_archive_that_unpacks_without_end_is_refused(workspace, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 5_000_000)
    path = tmp_path / "p.kmz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("doc.kml", b"\0" * 9_000_000)
    assert path.stat().st_size < 20_000
    with pytest.raises(InputError, match="unpacks to 9 MB"):
        proposal_transfer.preview(workspace, path)


def test_places_are_read_as_people_write_them(workspace, places) -> None:
    lon, lat = places[0]
    x, y = (
        gpd.GeoSeries.from_xy([lon], [lat], crs="EPSG:4326").to_crs(workspace.area.crs)
        .get_coordinates().iloc[0]
    )  # fmt: skip

    def parts(value: float) -> str:
        minutes = (value % 1) * 60
        return f"{int(value)}°{int(minutes)}'{(minutes % 1) * 60:.3f}\""

    for first, second, crs in (
        (f"{lon:.7f}", f"{lat:.7f}", None),
        (f"{lon:.7f}".replace(".", ","), f"{lat:.7f}".replace(".", ","), None),
        (parts(lon) + "Đ", parts(lat) + "B", None),
        (f"{x:.2f}", f"{y:.2f}", workspace.area.crs),
    ):
        found = proposal_transfer.place_of(workspace, first, second, crs=crs)
        assert found == pytest.approx((lon, lat), abs=1e-6)


@pytest.mark.parametrize(
    ("first", "second"),
    [("1", "2"), ("", ""), ("x", "y"), ('1"; =1', "2"), ("105.9\n;x", "20.5"), ("999", "999")],
)
def test_what_is_no_place_of_the_area_is_said(workspace, first, second) -> None:
    with pytest.raises(InputError, match="no place of the study area"):
        proposal_transfer.place_of(workspace, first, second)
