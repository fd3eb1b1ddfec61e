"""`data build` from end to end: a name, sources in their true formats, a workspace."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import geopandas as gpd
import numpy as np
import pytest
import shapely

from data.sources import addresses
from data.store import Workspace
from planning import __main__ as command_line
from tests.data import build_sources, osm_files, raster_tiles, samples
from tests.data.source_server import Asked, SourceServer, no_network, source_server
from tests.vectors import ROOT, shared_path

__all__ = ["no_network", "source_server"]

Outcome = tuple[int, str, str]
Cli = Callable[..., Outcome]

#: The town that the sources describe.
WEST, SOUTH, EAST, NORTH = 105.86, 20.46, 105.94, 20.56


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Run a command in this process: exit code, output, standard error."""
    monkeypatch.setenv("PHUSONG_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setattr(command_line._Progress, "QUIET_S", float("inf"))

    def execute(*words: object) -> Outcome:
        try:
            code = command_line.main([str(word) for word in words])
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return execute


def assert_refused(outcome: Outcome, *said: str) -> None:
    code, _, err = outcome
    assert code == 2, outcome
    assert err.count("\n") == 1, err
    assert err.startswith("Error: ")
    for part in said:
        assert part in err


def world() -> osm_files.World:
    made = osm_files.World()
    x, y = 0.5 * (WEST + EAST), 0.5 * (SOUTH + NORTH)
    made.square(WEST, SOUTH, EAST, NORTH, 1, name="Tỉnh Thử", admin_level="4", ref="99")
    parts = {
        2: ("Phường Một", (WEST, SOUTH, x, y)),
        3: ("Phường Hai", (x, SOUTH, EAST, y)),
        4: ("Xã Ba", (WEST, y, x, NORTH)),
        5: ("Xã Bốn", (x, y, EAST, NORTH)),
    }
    for number, (name, box) in parts.items():
        made.square(*box, number, name=name, admin_level="6")
    made.way([(WEST - 0.5, y), (x, y + 0.01), (EAST + 0.5, y)], highway="trunk", ref="QL.1A")
    made.way([(x, SOUTH - 0.5), (x + 0.01, NORTH + 0.5)], railway="rail", name="Đường sắt")
    made.node(x, y + 0.02, place="village", name="Thôn Đoài", population="1200")
    made.node(WEST - 0.05, y, place="village", name="Thôn ngoài")
    return made


@pytest.fixture
def internet(source_server: SourceServer, monkeypatch: pytest.MonkeyPatch) -> SourceServer:
    """A server that stands for all of them."""
    made = world()
    ring = [[WEST, SOUTH], [EAST, SOUTH], [EAST, NORTH], [WEST, NORTH], [WEST, SOUTH]]
    found = {
        "osm_type": "relation",
        "osm_id": 1,
        "name": "Tỉnh Thử",
        "display_name": "Tỉnh Thử, Việt Nam",
        "category": "boundary",
        "type": "administrative",
        "importance": 0.5,
        "boundingbox": [str(SOUTH), str(NORTH), str(WEST), str(EAST)],
        "address": {"country_code": "vn"},
        "extratags": {"admin_level": "4"},
        "geojson": {"type": "Polygon", "coordinates": [ring]},
    }

    def search(asked: Asked) -> bytes:
        words = parse_qs(urlsplit(asked.path).query)["q"][0]
        return json.dumps([found] if "Thử" in words or "Hà Nam" in words else []).encode()

    def ask(asked: Asked) -> bytes:
        query = parse_qs(urlsplit(asked.path).query)["data"][0]
        if "out tags bb" in query:
            return osm_files.answer(made.boxes())
        numbers = re.search(r"relation\(id:([\d,]+)\)", query)
        if numbers:
            wanted = {("r", int(number)) for number in numbers[1].split(",")}
            return osm_files.answer(made.with_geometry(wanted))
        others = {key for key in made.tags if key[0] != "r"}
        return osm_files.answer(made.with_geometry(others))

    source_server.answer("/nominatim/search", search)
    source_server.answer("/overpass", ask)
    tile = "Copernicus_DSM_COG_10_N20_00_E105_00_DEM"
    source_server.put(f"/dem/{tile}/{tile}.tif", raster_tiles.copernicus(105, 20), "image/tiff")
    source_server.put(
        "/worldcover/v200/2021/map/ESA_WorldCover_10m_2021_v200_N18E105_Map.tif",
        raster_tiles.world_cover(105, 18),
        "image/tiff",
    )
    people = build_sources.raster((104.9, 20.0, 106.9, 21.4), 0.01, 0.0, 100.0)
    source_server.put(
        "/worldpop/Global_2000_2020/2020/VNM/vnm_ppp_2020_UNadj.tif", people, "image/tiff"
    )
    servers = {
        "nominatim": "/nominatim",
        "overpass": "/overpass",
        "overpass_2": "/overpass",
        "overpass_3": "/overpass",
        "copernicus_dem_30": "/dem",
        "copernicus_dem_90": "/dem90",
        "worldcover": "/worldcover",
        "worldpop": "/worldpop",
    }
    monkeypatch.setenv(
        addresses.ENVIRONMENT_VARIABLE,
        " ".join(f"{name}={source_server.url}{path}" for name, path in servers.items()),
    )
    return source_server


def test_a_place_is_built_by_its_name(cli: Cli, internet: SourceServer, tmp_path: Path) -> None:
    code, out, err = cli("data", "build", "--area", "Tỉnh Thử, Vietnam")
    assert code == 0, err
    # The plan comes first: what, how large, under which terms.
    plan, _, rest = out.partition("to carry in")
    assert "Copernicus DEM GLO-30" in plan
    assert "CC BY 4.0" in plan
    assert "ODbL" in plan
    assert re.search(r"[\d.]+ [kM]B", plan)
    assert "masts: generated and marked illustrative" in rest
    assert "Data quality:" in rest
    workspace = Workspace.open(tmp_path / "workspace")
    assert workspace.area.name == "tinh-thu-vietnam"
    assert workspace.area.title_en == "Tỉnh Thử"
    zones = workspace.read("zones")
    assert set(zones["name"]) == {"Tỉnh Thử", "Phường Một", "Phường Hai", "Xã Ba", "Xã Bốn"}
    finest = zones[zones["name"] != "Tỉnh Thử"]
    # 80 pixels of 100 people.
    assert finest["population"].sum() == pytest.approx(8_000, rel=0.01)
    assert set(workspace.layers()) >= {"zones", "masts", "cells", "villages", "roads", "railways"}
    assert workspace.read("villages")["name"].tolist() == ["Thôn Đoài"]
    assert workspace.read("villages")["zone_code"].notna().all()
    provenance = workspace.provenance()
    assert provenance["clutter"].licence.startswith("CC BY 4.0")
    assert "ODbL" in provenance["roads"].licence
    assert not provenance["terrain"].illustrative
    info = workspace.raster_info("terrain")
    assert info.grid.resolution_m == 30.0
    # The true heights, by the formula of the tile.
    points = gpd.GeoSeries.from_xy([105.88, 105.91], [20.49, 20.53], crs=4326)
    grid = info.grid
    values = workspace.read_raster("terrain").values
    for place, at in zip(points, points.to_crs(grid.crs), strict=True):
        row = int((grid.y_max - at.y) // grid.resolution_m)
        column = int((at.x - grid.x_min) // grid.resolution_m)
        expected = raster_tiles.height_at(np.array(place.x), np.array(place.y))
        assert values[row, column] == pytest.approx(float(expected), abs=1.6)


def test_a_second_build_carries_nothing(cli: Cli, internet: SourceServer, tmp_path: Path) -> None:
    words = ("data", "build", "--area", "Tỉnh Thử, Vietnam")
    assert cli(*words)[0] == 0
    carried = internet.sent_bytes()
    first = Workspace.open(tmp_path / "workspace").content_hash()
    code, out, _ = cli(*words)
    assert code == 0
    assert "0 B to carry in 0 files" in out, out[:3000]
    assert internet.sent_bytes() <= carried + 2_000
    assert Workspace.open(tmp_path / "workspace").content_hash() == first
    count = len(internet.requests)
    code, _, err = cli(*words, "--offline")
    assert (code, err) == (0, "")
    assert len(internet.requests) == count


def test_a_dry_run_carries_and_changes_nothing(
    cli: Cli, internet: SourceServer, tmp_path: Path
) -> None:
    code, out, err = cli("data", "build", "--area", "Tỉnh Thử", "--dry-run")
    assert (code, err) == (0, "")
    assert "to carry in" in out
    assert "WorldPop" in out
    assert not (tmp_path / "workspace").exists()
    assert internet.sent_bytes("/dem") < 100_000


def test_hanam_without_a_folder_is_searched_for(
    cli: Cli, internet: SourceServer, tmp_path: Path
) -> None:
    code, out, err = cli("data", "build", "--area", "hanam", "--dry-run")
    assert (code, err) == (0, "")
    assert out.startswith("Hà Nam (hanam)")


def test_boxes_and_boundaries(cli: Cli, internet: SourceServer, tmp_path: Path) -> None:
    box = f"{WEST},{SOUTH},{EAST},{NORTH}"
    words = ("data", "build", "--bbox", box, "--country", "vnm", "--area", "Ô vuông")
    code, _, err = cli(*words, "--source", "roads=none", "--no-generated-masts")
    assert code == 0, err
    workspace = Workspace.open(tmp_path / "workspace")
    assert workspace.area.name == "o-vuong"
    assert not workspace.has("roads")
    assert not workspace.has("masts")
    boundary = tmp_path / "vung.geojson"
    shape = shapely.box(WEST, SOUTH, 0.5 * (WEST + EAST), NORTH)
    gpd.GeoDataFrame({"a": [1]}, geometry=[shape], crs=4326).to_file(boundary)
    words = ("data", "build", "--boundary", boundary, "--country", "VNM", "--title", "Phía tây")
    code, _, err = cli(*words, "--workspace", tmp_path / "b")
    assert code == 0, err
    workspace = Workspace.open(tmp_path / "b")
    assert workspace.area.title_vi == "Phía tây"
    names = set(workspace.read("zones")["name"])
    assert {"Phường Một", "Xã Ba"} <= names
    assert not {"Phường Hai", "Xã Bốn"} & names


def test_a_box_west_of_greenwich_is_no_option(cli: Cli) -> None:
    outcome = cli("data", "build", "--bbox", "-70.9,-33.6,-71.4,-33.7")
    assert_refused(outcome, "no box on Earth")


def test_own_files_need_no_server(cli: Cli, tmp_path: Path, source_server: SourceServer) -> None:
    bounds = build_sources.HANAM
    for name, body in build_sources.files(bounds).items():
        (tmp_path / name).write_bytes(body)
    box = ",".join(str(value) for value in bounds)
    files = [
        *("--file", f"zones={tmp_path / 'zones.geojson'}"),
        *("--file", f"terrain={tmp_path / 'terrain.tif'}"),
        *("--file", f"population={tmp_path / 'population.tif'}"),
    ]
    off = [
        word
        for part in ("clutter", "roads", "railways", "villages")
        for word in ("--source", f"{part}=none")
    ]
    code, out, err = cli("data", "build", "--bbox", box, *files, *off, "--offline")
    assert code == 0, err
    assert "own file" in out
    workspace = Workspace.open(tmp_path / "workspace")
    assert workspace.read("zones")["code"].tolist() == ["P", "1", "2", "3", "4"]
    assert source_server.requests == []


def test_hanam_from_its_folder_with_the_report(cli: Cli, tmp_path: Path) -> None:
    folder = shared_path("data")
    code, out, err = cli("data", "build", "--area", "hanam", "--from", folder)
    assert code == 0, err
    assert "differ by 10.6 km²" in out
    assert "has 852,800 people" in out
    assert "up to 1.78 km²" in out
    assert "No void in the terrain had to be filled" in out
    about = json.loads((tmp_path / "workspace" / "quality.json").read_text("utf-8"))
    assert about["tilings"][2]["zones"] == 33
    # The check says the same again.
    code, checked, _ = cli("data", "check")
    assert code == 0
    assert checked.partition("Data quality:")[2] == out.partition("Data quality:")[2]


def test_real_masts_are_kept_and_it_is_said(
    cli: Cli, internet: SourceServer, tmp_path: Path
) -> None:
    words = ("data", "build", "--area", "Tỉnh Thử, Vietnam")
    assert cli(*words)[0] == 0
    workspace = Workspace.open(tmp_path / "workspace")
    masts = samples.masts(3).set_geometry(workspace.read("masts").geometry[:3].to_numpy())
    masts = masts.set_crs(workspace.area.crs, allow_override=True)
    both = {"masts": masts, "cells": samples.cells()}
    workspace.write(both, dict.fromkeys(both, samples.REAL))
    code, out, _ = cli(*words)
    assert code == 0
    assert "Kept of the workspace that was there: masts, cells" in out
    assert len(Workspace.open(tmp_path / "workspace").read("masts")) == 3
    code, out, _ = cli(*words, "--keep", "none")
    assert "Kept of the workspace" not in out
    assert len(Workspace.open(tmp_path / "workspace").read("masts")) > 3


# Faults


def test_a_server_that_is_down_stops_the_build_or_is_left_out(
    cli: Cli, internet: SourceServer, tmp_path: Path
) -> None:
    internet.fail("/worldpop/Global_2000_2020/2020/VNM/vnm_ppp_2020_UNadj.tif", 404, times=99)
    words = ("data", "build", "--area", "Tỉnh Thử, Vietnam")
    outcome = cli(*words)
    assert_refused(outcome, "population", "--skip-unavailable")
    assert "not available" in outcome[1]
    assert not (tmp_path / "workspace").exists()
    code, out, err = cli(*words, "--skip-unavailable")
    assert code == 0, err
    assert "population: left out, as" in out
    assert not Workspace.open(tmp_path / "workspace").has("population")


def test_a_large_build_is_not_begun_unasked(
    cli: Cli, internet: SourceServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_line, "_UNASKED_BYTES", 1000)
    words = ("data", "build", "--area", "Tỉnh Thử, Vietnam")
    assert_refused(cli(*words), "--yes", "without being asked")
    assert not (tmp_path / "workspace").exists()
    assert cli(*words, "--yes")[0] == 0


@pytest.mark.parametrize(("answer", "goes"), [("n", False), ("", False), ("y", True)])
def test_at_a_terminal_somebody_is_asked(
    cli: Cli,
    internet: SourceServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    goes: bool,
) -> None:
    asked: list[str] = []

    def reply(question: str) -> str:
        asked.append(question)
        return answer

    monkeypatch.setattr("builtins.input", reply)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, _, err = cli("data", "build", "--area", "Tỉnh Thử, Vietnam")
    assert len(asked) == 1
    assert asked[0].startswith("Carry ")
    assert code == (0 if goes else command_line.STOPPED)
    assert goes or err == "Stopped; nothing was changed\n"
    assert (tmp_path / "workspace").exists() == goes


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--area", "Atlantis"), "Nothing is found for Atlantis"),
        (("--area", "Tỉnh Thử", "--source", "terrain=moon"), "There is no source moon"),
        (("--area", "Tỉnh Thử", "--source", "moon=osm"), "There is no part moon"),
        (("--area", "Tỉnh Thử", "--source", "terrain=osm"), "does not give terrain"),
        (("--area", "Tỉnh Thử", "--file", "terrain=nowhere.tif"), "There is no file nowhere.tif"),
        (("--area", "Tỉnh Thử", "--source", "terrain"), "is not of the form PART="),
        (("--area", "Tỉnh Thử", "--from", "."), "--from is for the files of the area hanam"),
        (("--bbox", "1,2,3"), "is not W,S,E,N in degrees"),
        (("--bbox", "1,2,3,x"), "'x' is not a number"),
        (("--bbox", "1,2,3,4", "--boundary", "a.gpkg"), "either --bbox or --boundary"),
        (("--boundary", "nowhere.gpkg"), "There is no file nowhere.gpkg"),
        (("--source", "terrain=srtm"), "The area demo is generated and takes no --source"),
        (("--keep", "some"), "invalid choice: 'some'"),
    ],
)
def test_bad_input_is_one_line(
    cli: Cli, internet: SourceServer, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    assert_refused(cli("data", "build", *words), said)
    assert not (tmp_path / "workspace").exists()


def test_without_a_network_it_says_what_to_do(
    cli: Cli, internet: SourceServer, tmp_path: Path
) -> None:
    internet.stop()
    assert_refused(cli("data", "build", "--area", "Tỉnh Thử"), "nominatim", "cannot be reached")
    assert_refused(cli("data", "build", "--area", "Tỉnh Thử", "--offline"), "not in the cache")


def test_no_token_is_ever_shown(internet: SourceServer, tmp_path: Path) -> None:
    extra = ("--source", "masts=opencellid", "--dry-run")
    done = subprocess.run(
        [sys.executable, "-m", "planning", "data", "build", "--area", "Tỉnh Thử", *extra],
        cwd=ROOT,
        env=os.environ
        | {
            "PYTHONUTF8": "1",
            "PHUSONG_WORKSPACE": str(tmp_path / "w"),
            "OPENCELLID_TOKEN": "pk.verysecret123",
            addresses.ENVIRONMENT_VARIABLE: os.environ[addresses.ENVIRONMENT_VARIABLE]
            + f" opencellid={internet.url}/ocid",
        },
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert "verysecret" not in done.stdout + done.stderr
    assert "opencellid" in (done.stdout + done.stderr).lower()
