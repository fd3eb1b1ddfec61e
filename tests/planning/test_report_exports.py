"""What reports export as data, the commands for it, and reports that are kept."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import openpyxl
import pyogrio
import pyproj
import pytest
import rasterio
from PIL import Image
from rio_cogeo import cog_validate
from scipy import ndimage

from coverage.run import CoverageRequest
from data.errors import CancelledError, InputError
from data.grid import Grid
from data.store import Workspace
from planning import __main__ as command_line
from planning.reports import build, exports, files, inputs, kept, kmz_file
from planning.reports.language import Language
from planning.reports.map_sheet import COVERED, NOT_COVERED, rgba
from tests.areas import small_area, write_area

VI = Language("vi")
KML = "{http://www.opengis.net/kml/2.2}"

EVIL = '<script>alert("1")</script> & =1+1'


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A small area with one hostile name; not to be changed."""
    area = small_area()
    masts = area.layers["masts"].copy()
    masts.loc[0, "name"] = EVIL
    return write_area(tmp_path_factory.mktemp("exports") / "w", area, masts=masts)


@pytest.fixture(scope="module")
def known(workspace: Workspace) -> inputs.Inputs:
    return inputs.gather(workspace)


@pytest.fixture(scope="module")
def out(known: inputs.Inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    written = exports.save(known, build.build(known), folder, language=VI)
    assert {path.name for path in written} == {path.name for path in folder.iterdir()}
    return folder


def test_the_geopackage_has_all_layers_and_the_figures(known, out) -> None:
    layers = {name for name, _ in pyogrio.list_layers(out / "infrastructure.gpkg")}
    assert set(known.workspace.layers()) <= layers
    assert {"zones_figures", "communes_figures", "figures", "holes_any"} <= layers
    communes = gpd.read_file(out / "infrastructure.gpkg", layer="communes_figures")
    zones = {entry["code"]: entry for entry in known.coverage.summary["zones"]}
    assert len(communes) == 3
    for row in communes.to_dict("records"):
        entry = zones[row["code"]]["4G"]
        assert row["4G_area_percent"] == entry["area_percent"]
        assert [row["4G_area_low"], row["4G_area_high"]] == entry["area_interval"]
    assert "broadband_household_percent" in communes
    masts = gpd.read_file(out / "infrastructure.gpkg", layer="masts")
    assert masts.loc[0, "name"] == EVIL


def test_rasters_are_cogs_of_what_is_covered(known, out) -> None:
    for service in ("2G", "4G", "any"):
        path = out / f"covered_{service}.tif"
        valid, errors, _ = cog_validate(path)
        assert valid, errors
        with rasterio.open(path) as source:
            values = source.read(1)
            assert source.crs == known.coverage.grid.crs
        inside = kmz_file.inside_area(known, known.coverage.grid)
        assert (values[~inside] == 255).all()
        assert (values[inside] == known.coverage.covered(service).values[inside]).all()


def test_tables_are_csv_with_all_digits(known, out) -> None:
    with (out / "coverage_total.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    figures = known.coverage.figures
    whole = figures[
        (figures["zone"] == known.whole)
        & (figures["operator"] == "any")
        & (figures["measure"] == "area")
    ].set_index("service")
    assert [float(row["area"]) for row in rows] == whole.loc[
        ["2G", "3G", "4G", "3G_or_4G", "any"], "share"
    ].tolist()
    assert float(rows[0]["area_low"]) == whole.loc["2G", "interval_low"]


def test_files_say_that_figures_come_from_generated_data(known, out, cli, tmp_path) -> None:
    names = {path.name for path in out.iterdir()}
    assert {"covered_any.tif", "level_4G.tif", "rate_4G.tif", "masts.csv"} <= names
    for name in names:
        if name.endswith(".tif"):
            assert cog_validate(out / name)[0], name
            with rasterio.open(out / name) as source:
                assert source.tags()["TIFFTAG_IMAGEDESCRIPTION"] == "data_kind: illustrative"
        if name.endswith(".csv"):
            with (out / name).open(encoding="utf-8-sig", newline="") as stream:
                kinds = {row.get("data_kind") for row in csv.DictReader(stream)}
            only_text = name.startswith(("documents_", "statements_", "method_", "data"))
            assert kinds <= {None if only_text else "illustrative"}, name
    # The mark changes nothing of what is in the raster.
    with (
        rasterio.open(out / "level_4G.tif") as marked,
        rasterio.open(known.coverage.folder / "4G.tif") as own,
    ):
        assert marked.descriptions == own.descriptions
        assert str(marked.profile) == str(own.profile)
        assert np.array_equal(marked.read(), own.read(), equal_nan=True)
    # A table with the mark can be read in again.
    own = tmp_path / "own"
    shutil.copytree(known.workspace.folder, own)
    code, _, err = cli("data", "import", "masts", out / "masts.csv", "--workspace", own)
    assert (code, err) == (0, "")
    assert Workspace.open(own).read("masts")["data_kind"].unique().tolist() == ["illustrative"]


def test_files_name_the_generated_layers_where_others_are_observed(known) -> None:
    area = dataclasses.replace(known.workspace.area, illustrative=False)
    workspace = SimpleNamespace(area=area, provenance=known.workspace.provenance)
    said = exports.data_kind(dataclasses.replace(known, workspace=workspace))
    assert said.startswith("illustrative: cells, ")
    observed = {
        name: dataclasses.replace(item, illustrative=False)
        for name, item in known.workspace.provenance().items()
    }
    workspace = SimpleNamespace(area=area, provenance=lambda: observed)
    assert exports.data_kind(dataclasses.replace(known, workspace=workspace)) is None


def root_of(path: Path) -> tuple[ET.Element, dict[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist()[0] == "doc.kml"
        parts = {name: archive.read(name) for name in archive.namelist()}
    return ET.fromstring(parts["doc.kml"]), parts


def test_pictures_for_google_earth_lie_where_the_coverage_is(known, out) -> None:
    root, parts = root_of(out / "infrastructure.kmz")
    overlays = list(root.iter(f"{KML}GroundOverlay"))
    assert len(overlays) == 5
    grid = known.coverage.grid
    inside = kmz_file.inside_area(known, grid)
    to_degrees = pyproj.Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    checked = 0
    for found, service in zip(overlays, ("2G", "3G", "4G", "3G_or_4G", "any"), strict=True):
        box = {name: float(found.find(f".//{KML}{name}").text) for name in
               ("north", "south", "east", "west")}  # fmt: skip
        picture = Image.open(io.BytesIO(parts[found.find(f".//{KML}href").text])).convert("RGBA")
        covered = known.coverage.covered(service).values
        for wanted, colour in ((covered, COVERED), (~covered, NOT_COVERED)):
            # Control points: middles of pixels whose neighbours are all alike.
            sure = ndimage.binary_erosion(wanted & inside, np.ones((3, 3)))
            rows, columns = np.nonzero(sure)
            for row, column in list(zip(rows, columns, strict=True))[:: max(1, len(rows) // 40)]:
                x = grid.x_min + (column + 0.5) * grid.resolution_m
                y = grid.y_max - (row + 0.5) * grid.resolution_m
                lon, lat = to_degrees.transform(x, y)
                at = (
                    int((lon - box["west"]) / (box["east"] - box["west"]) * picture.width),
                    int((box["north"] - lat) / (box["north"] - box["south"]) * picture.height),
                )
                assert picture.getpixel(at) == rgba(colour)
                checked += 1
        assert picture.getpixel((0, 0))[3] == 0
    assert checked > 100


def test_a_picture_lies_right_to_half_a_pixel() -> None:
    """One covered pixel far from the central meridian, where grid north is not north."""
    grid = Grid("EPSG:32648", 300_000.0, 2_300_000.0, 100.0, 200, 200)
    covered = np.zeros(grid.shape, bool)
    covered[70, 130] = True
    found = kmz_file.overlay(covered, np.ones(grid.shape, bool), grid)
    rows, columns = np.nonzero(found.classes == 1)
    height, width = found.classes.shape
    lon = found.west + (columns.mean() + 0.5) * (found.east - found.west) / width
    lat = found.north - (rows.mean() + 0.5) * (found.north - found.south) / height
    x, y = pyproj.Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True).transform(lon, lat)
    assert abs(x - (grid.x_min + 130.5 * 100.0)) <= 75.0
    assert abs(y - (grid.y_max - 70.5 * 100.0)) <= 75.0


def test_names_for_google_earth_are_text(known, out) -> None:
    root, _ = root_of(out / "infrastructure.kmz")
    marks = {mark.find(f"{KML}name").text: mark for mark in root.iter(f"{KML}Placemark")}
    assert EVIL in marks
    assert len(marks) == len(known.communes) + len(known.workspace.read("masts"))
    for mark in marks.values():
        balloon = mark.find(f"{KML}description").text
        assert balloon.startswith("<table>")
        assert "<script" not in balloon
    place = marks[EVIL].find(f".//{KML}coordinates").text.split(",")
    own = known.workspace.read("masts").geometry.to_crs("EPSG:4326").iloc[0]
    assert [float(part) for part in place] == pytest.approx([own.x, own.y], abs=1e-6)
    styles = {style.get("id") for style in root.iter(f"{KML}Style")}
    used = {mark.find(f"{KML}styleUrl").text[1:] for mark in marks.values()}
    assert used <= styles


def test_the_same_data_are_the_same_bytes(known, out, tmp_path) -> None:
    exports.save(known, build.build(known), tmp_path, formats=("kmz", "csv", "cog"), language=VI)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (out / path.name).read_bytes(), path.name


def test_formats_are_checked(known, tmp_path) -> None:
    with pytest.raises(InputError, match="There is no format dwg"):
        files.checked_formats(("dwg",), exports.FORMATS)
    with pytest.raises(InputError, match="No format"):
        files.checked_formats((), exports.FORMATS)


# Commands

Outcome = tuple[int, str, str]


@pytest.fixture
def cli(capsys, monkeypatch) -> Callable[..., Outcome]:
    monkeypatch.setattr(command_line._Progress, "QUIET_S", float("inf"))

    def execute(*words: object) -> Outcome:
        try:
            code = command_line.main([str(word) for word in words])
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return execute


def test_the_report_command_writes_what_is_asked_for(cli, workspace, tmp_path) -> None:
    words = ("report", "--workspace", workspace.folder, "--format", "xlsx", "--language", "en")
    words += ("--parts", "summary,coverage,changes", "--out", tmp_path)
    code, said, err = cli(*words)
    assert (code, err) == (0, "")
    assert "Illustrative data" in said
    assert str(tmp_path / "report_en.xlsx") in said
    content = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert content["previous"] is None
    book = openpyxl.load_workbook(tmp_path / "report_en.xlsx")
    (sheet,) = [each for each in book if "whole area by technology" in each["A1"].value
                or each.title.startswith("2 Coverage of the whole area")]  # fmt: skip
    assert [sheet.cell(row, 1).value for row in range(2, 5)] == ["2G", "3G", "4G"]
    # The next report finds this one and compares itself with it.
    content["figures"]["coverage/4G/area/"]["value"] -= 0.01
    (tmp_path / "report.json").write_text(json.dumps(content), encoding="utf-8")
    assert cli(*words)[0] == 0
    content = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert content["previous"] is not None
    assert "changes_shares" in content["tables"]


def test_the_export_command_writes_what_is_asked_for(cli, workspace, tmp_path) -> None:
    code, said, err = cli(
        "export", "--workspace", workspace.folder, "--format", "kmz,csv", "--out", tmp_path,
        "--parts", "coverage", "--technology", "4g",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert str(tmp_path / "infrastructure.kmz") in said
    names = {path.name for path in tmp_path.iterdir()}
    assert "coverage_commune_area.csv" in names
    assert not [name for name in names if name.endswith((".gpkg", ".tif"))]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("report", "--format", "odt"), "There is no format odt"),
        (("report", "--language", "fr"), "There is no language fr"),
        (("report", "--parts", "sums"), "There is no part sums"),
        (("report", "--previous", "nowhere.json"), "There is no file nowhere.json"),
        (("report", "--thresholds", "none"), "Threshold profile none is not known"),
        (("export", "--format", "dwg"), "There is no format dwg"),
        (("export", "--language", "vi,en"), "one language"),
    ],
)
def test_bad_input_is_one_line(cli, workspace, tmp_path, words, said) -> None:
    code, _, err = cli(*words, "--workspace", workspace.folder, "--out", tmp_path / "o")
    assert code == 2
    assert err.startswith("Error: ")
    assert said in err
    assert err.count("\n") == 1


def test_a_file_in_place_of_the_folder_is_refused(cli, workspace, tmp_path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for command in ("report", "export"):
        code, _, err = cli(command, "--workspace", workspace.folder, "--out", tmp_path / "file")
        assert code == 2
        assert "expected a folder" in err


# Reports that are kept


def wish(**changes) -> kept.Wish:
    usual = {"request": CoverageRequest(), "parts": ("coverage", "changes"), "formats": ("xlsx",)}
    return kept.Wish(**(usual | changes))


@pytest.fixture
def own(workspace: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(workspace.folder, tmp_path / "own")
    return Workspace.open(tmp_path / "own")


def test_a_report_is_kept_with_its_files_and_what_is_shown_of_it(own) -> None:
    asked = wish(codes=("vi", "en"), data=("csv", "kmz", "cog"))
    assert kept.find(own, asked) is None
    shares: list[float] = []
    made = kept.make(own, asked, on_progress=shares.append)
    assert shares == sorted(shares)
    assert made.current
    assert made.names == (
        "infrastructure.kmz", "rasters_cog.zip", "report_en.xlsx", "report_vi.xlsx",
        "tables_csv.zip",
    )  # fmt: skip
    assert kept.find(own, asked) == made
    for code in ("vi", "en"):
        shown = made.previews[code]
        assert len(shown["tables"]) == 5
        assert all((made.folder / item["file"]).is_file() for item in shown["pictures"])
    assert made.previews["vi"]["tables"][0]["caption"].startswith("Bảng 1. ")
    # Other parts are another report; what has been made stays.
    assert kept.find(own, wish()) is None
    assert json.loads((own.folder / "reports" / "last.json").read_text("utf-8"))["figures"]


def test_a_cancelled_report_leaves_nothing(own) -> None:
    def cancel(share: float) -> None:
        if share > 0.9:
            raise CancelledError

    with pytest.raises(CancelledError):
        kept.make(own, wish(), on_progress=cancel)
    assert list((own.folder / "reports").iterdir()) == []


def test_only_the_newest_reports_are_kept(own, monkeypatch) -> None:
    monkeypatch.setattr(kept, "MOST", 1)
    kept.make(own, wish(parts=("method",)))
    kept.make(own, wish(parts=("data",)))
    assert kept.find(own, wish(parts=("method",))) is None
    assert kept.find(own, wish(parts=("data",))) is not None
    with pytest.raises(InputError, match="No format"):
        kept.make(own, wish(formats=()))
