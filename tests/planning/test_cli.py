"""The command line from end to end: files and figures, and one line for every bad input."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from exactextract import exact_extract
from rio_cogeo.cogeo import cog_validate

from coverage import run
from coverage.request import INPUTS
from data import build as build_module
from data import importers
from data.store import Workspace
from planning import __main__ as command_line
from tests.areas import small_area, write_area
from tests.data import samples
from tests.vectors import ROOT, shared_path

Outcome = tuple[int, str, str]
Cli = Callable[..., Outcome]

#: Few large pixels: these tests are about the way through, not about the figures.
COARSE = ("--resolution", "300", "--radius-km", "3")


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command in this process: exit code, output, standard error."""
    # Set first, so that what the command itself sets is undone, too.
    monkeypatch.setenv("PHUSONG_WORKSPACE", "")
    monkeypatch.delenv("PHUSONG_WORKSPACE")
    # Progress comes with time, and a busy machine may take long.
    monkeypatch.setattr(command_line._Progress, "QUIET_S", float("inf"))

    def execute(*words: object) -> Outcome:
        try:
            code = command_line.main([str(word) for word in words])
        except SystemExit as stop:  # the parser's own
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return execute


def process(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as people do."""
    return subprocess.run(
        [sys.executable, "-m", "planning", *map(str, words)],
        cwd=ROOT,
        env=os.environ | {"PYTHONUTF8": "1"} | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def assert_refused(outcome: Outcome, *said: str) -> None:
    """Check exit code 2 and one readable line."""
    code, _, err = outcome
    assert code == 2
    assert err.count("\n") == 1, err
    assert err.startswith("Error: ")
    assert "Traceback" not in err
    assert len(err) < 600
    for part in said:
        assert part in err


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A small generated area; not to be changed."""
    return write_area(tmp_path_factory.mktemp("cli") / "generated", small_area())


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A tiny area whose data count as real, for input that must be refused."""
    return samples.workspace(tmp_path_factory.mktemp("cli") / "real")


@pytest.fixture
def own(real: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it that a test may change."""
    shutil.copytree(real.folder, tmp_path / "own")
    return Workspace.open(tmp_path / "own")


@pytest.fixture(scope="module")
def computed(generated: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `coverage` wrote, by a process of its own."""
    out = tmp_path_factory.mktemp("cli") / "new" / "out"
    done = process("coverage", "--workspace", generated.folder, "--out", out, *COARSE)
    assert done.returncode == 0, done.stderr
    assert "Illustrative data" in done.stdout
    assert "3G or 4G:" in done.stdout
    assert f"Written to {out}" in done.stdout
    return out


def summary_in(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "coverage.json").read_text(encoding="utf-8"))


def masts_csv(**columns: object) -> bytes:
    frame = samples.masts().to_crs(4326)
    table = pd.DataFrame(frame.drop(columns="geometry"))
    table = table.assign(**({"lon": frame.geometry.x, "lat": frame.geometry.y} | columns))
    return table.to_csv(index=False).encode()


def cells_csv(column: str, value: object) -> bytes:
    cells = samples.cells().astype({column: object})
    cells.loc[2, column] = value
    return cells.to_csv(index=False).encode()


# data


def test_a_missing_default_workspace_is_the_embedded_area(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_module.demo, "hanam_spec", lambda: small_area().spec)
    monkeypatch.setenv("PHUSONG_WORKSPACE", str(tmp_path / "new" / "workspace"))
    code, out, err = cli("data", "list")
    assert code == 0
    assert "Hà Nam – illustrative (demo)" in out
    assert err == f"Building the default study area in {tmp_path / 'new' / 'workspace'}\n"
    assert Workspace.open(tmp_path / "new" / "workspace").area.name == "demo"
    # The second time it is there.
    assert cli("data", "list") == (0, out, "")


def test_build_hands_every_option_on(
    cli: Cli, generated: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def build(area: str, folder: Path, **options: Any) -> Workspace:
        asked.update(options, area=area, folder=folder)
        return generated

    monkeypatch.setattr(build_module, "build", build)
    words = ["--area", "demo", "--population-total", "852800", "--crs", "EPSG:9210"]
    words += ["--seed", "7", "--from", "sources", "--keep"]
    code, out, _ = cli("data", "build", *words, "--workspace", tmp_path / "w")
    assert code == 0
    assert "masts" in out
    assert "No problem was found" in out
    asked.pop("on_progress")
    assert asked == {
        "area": "demo",
        "folder": tmp_path / "w",
        "population_total": 852_800.0,
        "crs": "EPSG:9210",
        "seed": 7,
        "source_folder": Path("sources"),
        "keep": "all",
    }


def test_list_shows_every_layer_with_its_provenance(cli: Cli, real: Workspace) -> None:
    code, out, err = cli("data", "list", "--workspace", real.folder)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    for name in (*real.layers(), *real.rasters()):
        assert any(line.startswith(name) for line in lines), name
    assert "masts       3 rows, EPSG:32648" in lines
    assert "Sở Thông tin" in out
    assert "CC BY 4.0" in out
    assert "illustrative" not in out
    assert max(map(len, lines)) <= 120


def test_check_says_what_is_wrong_row_by_row(cli: Cli, own: Workspace) -> None:
    code, _, err = cli("data", "check", "--workspace", own.folder)
    assert (code, err) == (0, "")
    # As another program could have left it.
    with closing(sqlite3.connect(own.folder / "workspace.gpkg")) as database:
        database.execute("update cells set antenna_height_m = -3 where cell_id = 'C2'")
        database.commit()
    outcome = cli("data", "check", "--workspace", own.folder)
    assert_refused(outcome, "the check found 1 errors")
    assert "error: cells, row 3, column antenna_height_m: -3" in outcome[1]


def test_import_replaces_a_layer_and_keeps_its_provenance(
    cli: Cli, own: Workspace, tmp_path: Path
) -> None:
    file = tmp_path / "cột.csv"
    file.write_bytes(masts_csv(height_m=[30, 31, 32]))
    words = ("--source", "Sở", "--licence", "nội bộ", "--vintage", "2026")
    code, out, err = cli("data", "import", "masts", file, *words, "--workspace", own.folder)
    assert (code, err) == (0, "")
    assert out == "masts: 3 of 3 rows imported\n"
    assert own.read("masts")["height_m"].tolist() == [30, 31, 32]
    origin = own.provenance()["masts"]
    assert (origin.source, origin.licence, origin.vintage) == ("Sở", "nội bộ", "2026")
    assert origin.url_or_file == "cột.csv"


def test_import_reads_sheets_tables_and_projected_columns(
    cli: Cli, own: Workspace, tmp_path: Path
) -> None:
    masts = samples.masts()
    plain = pd.DataFrame(masts.drop(columns="geometry"))
    book = tmp_path / "masts.xlsx"
    table = plain.assign(X=masts.geometry.x, Y=masts.geometry.y, height_m=20)
    with pd.ExcelWriter(book) as writer:
        table.to_excel(writer, sheet_name="first", index=False)
        table.assign(height_m=21).to_excel(writer, sheet_name="second", index=False)
    there = ("--workspace", own.folder)
    words = ("--sheet", "second", "--coordinates", f"X,Y,{samples.CRS}")
    assert cli("data", "import", "masts", book, *words, *there)[0] == 0
    assert set(own.read("masts")["height_m"]) == {21}
    assert own.read("masts").geometry.geom_equals_exact(masts.geometry, 0.01).all()

    package = tmp_path / "masts.gpkg"
    masts.assign(height_m=22).to_file(package, layer="a", driver="GPKG")
    masts.assign(height_m=23).to_file(package, layer="b", driver="GPKG")
    assert cli("data", "import", "masts", package, "--table", "b", *there)[0] == 0
    assert set(own.read("masts")["height_m"]) == {23}


def test_import_adds_rows_accepts_the_good_ones_and_drops_orphans(
    cli: Cli, own: Workspace, tmp_path: Path
) -> None:
    there = ("--workspace", own.folder)
    file = tmp_path / "masts.csv"
    file.write_bytes(masts_csv(mast_id=["N0", "N1", "N2"], height_m=[30, 0, 32]))
    code, out, err = cli("data", "import", "masts", file, "--add", "--accept-rows", *there)
    assert (code, err) == (0, "")
    assert "error: masts.csv, row 3, column height_m: 0" in out
    assert "masts: 2 of 3 rows imported" in out
    assert set(own.read("masts")["mast_id"]) == {"M0", "M1", "M2", "N0", "N2"}

    file.write_bytes(masts_csv(mast_id=["M0", "M1", "N2"]))
    before = own.content_hash()
    assert_refused(cli("data", "import", "masts", file, *there), "stand on masts")
    assert own.content_hash() == before
    code, out, _ = cli("data", "import", "masts", file, "--drop-orphans", *there)
    assert code == 0
    assert "2 cells without mast were removed" in out
    assert set(own.read("cells")["mast_id"]) == {"M0", "M1"}


def test_every_bad_row_is_listed_and_the_error_is_one_line(
    cli: Cli, real: Workspace, tmp_path: Path
) -> None:
    file = tmp_path / "masts.csv"
    file.write_bytes(masts_csv(height_m=[0, 30, -1]))
    outcome = cli("data", "import", "masts", file, "--workspace", real.folder)
    assert_refused(outcome, "masts.csv, row 2, column height_m: 0", "and 1 more problems")
    expected = "(expected a number greater than 0 and at most 1000 m)"
    assert outcome[1].splitlines() == [
        f"error: masts.csv, row 2, column height_m: 0 {expected}",
        f"error: masts.csv, row 4, column height_m: -1 {expected}",
    ]


def excel_bytes(folder: Path) -> bytes:
    """Return a workbook that is no table of masts."""
    pd.DataFrame({"a": [1]}).to_excel(folder / "book.xlsx", index=False)
    return (folder / "book.xlsx").read_bytes()


PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(999)

BAD_FILES: dict[str, tuple[str, str, Callable[[Path], bytes | None], str]] = {
    "missing file": ("masts", "masts.csv", lambda _: None, "There is no file"),
    "empty file": ("masts", "masts.csv", lambda _: b"", "masts.csv is empty"),
    "no rows": ("masts", "masts.csv", lambda _: b"mast_id,height_m,lon,lat\n", "has no rows"),
    "picture": ("masts", "masts.csv", lambda _: PICTURE, "masts.csv is a picture"),
    "excel of something else": ("masts", "masts.csv", excel_bytes, "none of the columns of masts"),
    "garbage": ("masts", "masts.xlsx", lambda _: os.urandom(99_999), "masts.xlsx is"),
    "missing column": (
        "masts",
        "masts.csv",
        lambda _: masts_csv().replace(b"height_m", b"zzz"),
        "column height_m: the column is missing",
    ),
    "misnamed column": (
        "masts",
        "masts.csv",
        lambda _: masts_csv().replace(b"height_m", b"Hieght"),
        "did you mean the column Hieght",
    ),
    "swapped coordinates": (
        "masts",
        "masts.csv",
        lambda _: masts_csv().replace(b"lon,lat", b"lat,lon"),
        "look swapped",
    ),
    "out of range": ("masts", "masts.csv", lambda _: masts_csv(lat=[20, 95, 20]), "row 3, column"),
    "duplicate id": (
        "masts",
        "masts.csv",
        lambda _: masts_csv(mast_id=["A", "B", "A"]),
        "row 4, column mast_id: 'A'",
    ),
    "height 0": ("masts", "masts.csv", lambda _: masts_csv(height_m=[1, 0, 1]), "greater than 0"),
    "NaN": (
        "masts",
        "masts.csv",
        lambda _: masts_csv(height_m=[1, np.nan, 3]),
        "row 3, column height_m: no value",
    ),
    "wrong CRS": (
        "masts",
        "masts.geojson",
        lambda _: (
            samples.masts().set_crs(32633, allow_override=True).to_crs(4326).to_json().encode()
        ),
        "check the coordinate reference system",
    ),
    "cell without its mast": (
        "cells",
        "cells.csv",
        lambda _: cells_csv("mast_id", "M77"),
        "row 4, column mast_id: 'M77' (expected a mast_id of the layer masts",
    ),
    "unknown technology": (
        "cells",
        "cells.csv",
        lambda _: cells_csv("technology", "6G"),
        "row 4, column technology: '6G' (expected one of 2G, 3G, 4G, 5G)",
    ),
    "antenna height": ("cells", "c.csv", lambda _: cells_csv("antenna_height_m", 0), "row 4"),
    "unknown layer": ("antennas", "masts.csv", lambda _: masts_csv(), "antennas"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_refused_in_a_line_and_changes_nothing(
    cli: Cli, real: Workspace, tmp_path: Path, case: str
) -> None:
    layer, name, make, said = BAD_FILES[case]
    content = make(tmp_path)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    before = real.content_hash()
    outcome = cli("data", "import", layer, tmp_path / name, "--workspace", real.folder)
    assert_refused(outcome, said)
    assert Workspace.open(real.folder).content_hash() == before


def test_a_bad_file_in_a_process_of_its_own(real: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "Cột ăng ten.csv"
    file.write_bytes(masts_csv(height_m=["cao", 30, 31]))
    before = real.content_hash()
    done = process("data", "import", "masts", file, "--workspace", real.folder)
    assert_refused((done.returncode, done.stdout, done.stderr), "Cột ăng ten.csv, row 2", "'cao'")
    assert real.content_hash() == before


def test_the_workspace_must_be_one(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    out = ("--out", tmp_path / "out")
    for words in (("data", "list"), ("data", "check"), ("coverage", *out), ("app",)):
        assert_refused(cli(*words, "--workspace", tmp_path / "no"), "There is no folder")
        assert_refused(cli(*words, "--workspace", tmp_path), str(tmp_path))
    assert_refused(cli("data", "build", "--workspace", tmp_path), "is not empty")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--area", "atlantis", "--offline"), "is not in the cache"),
        (("--area", "hanam", "--offline"), "is not in the cache"),
        (("--area", "hanam", "--from", "no/such/folder"), "no/such/folder"),
        (("--area", "demo", "--from", "."), "takes no files"),
        (("--crs", "EPSG:3857"), "EPSG:3857"),
        (("--population-total", "0"), "--population-total: 0 is not greater than 0"),
        (("--population-total", "many"), "'many' is not a number"),
        (("--seed", "-1"), "--seed: -1 is not 0 or more"),
        (("--seed", "one"), "'one' is not a whole number"),
    ],
)
def test_a_build_that_cannot_be_leaves_the_older_workspace(
    cli: Cli, own: Workspace, words: tuple[str, ...], said: str
) -> None:
    before = own.content_hash()
    assert_refused(cli("data", "build", *words, "--workspace", own.folder), said)
    assert own.content_hash() == before


# coverage


def test_coverage_writes_all_its_files(computed: Path, generated: Workspace) -> None:
    assert not [path.name for path in computed.iterdir() if path.name.startswith(".")]
    summary = summary_in(computed)
    zones = generated.read("zones")
    assert [zone["code"] for zone in summary["zones"]] == zones["code"].tolist()
    assert {zone["level"] for zone in summary["zones"]} == set(zones["level"])
    assert (summary["area"], summary["model"]) == ("test", "p1812")
    assert summary["resolution_m"] == 300.0
    # What coverage does not depend on, such as roads and fibre, is no input of it.
    there = {*generated.layers(), *generated.rasters()}
    assert set(summary["provenance"]["inputs"]) == there & set(INPUTS)
    assert "roads" in there
    for zone in summary["zones"]:
        for name in ("2G", "3G", "4G", "3G_or_4G", "any"):
            for measure in ("area", "population"):
                low, high = zone[name][f"{measure}_interval"]
                assert 0 <= low <= zone[name][f"{measure}_percent"] <= high <= 100
        for name in ("2G", "3G", "4G"):
            assert zone[name]["threshold_dbm"] < 0
            assert zone[name]["probability"] == 0.95

    for name in ("2G", "3G", "4G"):
        valid, errors, warnings = cog_validate(computed / f"{name}.tif", strict=True)
        assert valid, (errors, warnings)
        with rasterio.open(computed / f"{name}.tif") as raster:
            assert raster.crs == generated.area.crs
            assert raster.res == (300.0, 300.0)
            assert raster.descriptions == ("any", "A", "B", "C")


def test_the_files_of_a_coverage_agree(computed: Path) -> None:
    communes = [zone for zone in summary_in(computed)["zones"] if zone["level"] == "commune"]
    table = pd.read_csv(computed / "communes.csv", dtype={"code": str})
    layer = gpd.read_file(computed / "communes.gpkg", layer="communes")
    assert table["code"].tolist() == layer["code"].tolist() == [zone["code"] for zone in communes]
    assert len(gpd.read_file(computed / "communes.gpkg", layer="zones")) > len(layer)
    assert layer.geometry.is_valid.all()
    for service in ("2G", "3G", "4G", "3G_or_4G", "any"):
        for measure in ("area", "population", "village"):
            column = f"{service}_{measure}_percent"
            wanted = [zone[service][f"{measure}_percent"] for zone in communes]
            assert table[column].tolist() == wanted
            assert layer[column].tolist() == wanted
    assert len(set(table["4G_area_percent"])) > 1  # figures that could be wrong


def test_the_command_and_the_function_give_the_same_and_again(
    cli: Cli, computed: Path, generated: Workspace, tmp_path: Path
) -> None:
    shutil.copytree(generated.folder, tmp_path / "w")
    for name in ("results", "cache"):
        shutil.rmtree(tmp_path / "w" / name)
    request = run.CoverageRequest(resolution_m=300.0, radius_m=3000.0)
    result = run.compute(Workspace.open(tmp_path / "w"), request, threads=1)
    assert result.summary["zones"] == summary_in(computed)["zones"]

    words = ("coverage", "--workspace", generated.folder, *COARSE)
    assert cli(*words, "--out", tmp_path / "again")[0] == 0
    for name in ("coverage.json", "communes.csv", "4G.tif"):
        assert (tmp_path / "again" / name).read_bytes() == (computed / name).read_bytes()


def test_coverage_of_chosen_technologies_operators_and_thresholds(
    cli: Cli, computed: Path, generated: Workspace, tmp_path: Path
) -> None:
    code, out, _ = cli(
        *("coverage", "--workspace", generated.folder, *COARSE, "--out", tmp_path / "o"),
        *("--technology", "4g,2g,4g", "--operator", "B", "--model", "free_space"),
        *("--thresholds", "in-car", "--probability", "0.5", "--threads", "1"),
    )
    assert code == 0
    summary = summary_in(tmp_path / "o")
    assert summary["model"] == "free_space"
    assert summary["provenance"]["operators"] == ["B"]
    assert summary["provenance"]["threshold_profile"] == "in-car"
    assert {path.stem for path in (tmp_path / "o").glob("?G.tif")} == {"2G", "4G"}
    zone = summary["zones"][0]
    assert "3G" not in zone
    assert (zone["4G"]["threshold_dbm"], zone["4G"]["probability"]) == (-100.0, 0.5)
    assert f"4G: {zone['4G']['area_percent']:.1f} % of area" in out
    assert summary["zones"] != summary_in(computed)["zones"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--model", "crystal_ball"), "'crystal_ball', but it must be one of"),
        (("--operator", "Z"), "Operator Z has no cells here (expected one of A, B, C)"),
        (("--thresholds", "martian"), "Threshold profile martian is not known (expected one of"),
        (("--technology", "6g"), "Technology 6G is not known (expected one of 2G, 3G, 4G, 5G)"),
        (("--technology", ","), "No technology was asked for"),
        (("--probability", "1.5"), "The coverage probability is 1.5"),
        (("--probability", "high"), "--probability: 'high' is not a number"),
        (("--resolution", "0"), "--resolution: 0 is not greater than 0"),
        (("--resolution", "nan"), "--resolution: nan is not greater than 0"),
        (("--resolution", "inf"), "inf"),
        (("--resolution", "0.001"), "0.001"),
        (("--radius-km", "-1"), "--radius-km: -1 is not greater than 0"),
        (("--threads", "0"), "--threads: 0 is not 1 or more"),
        (("--colour", "red"), "unrecognized arguments: --colour red"),
    ],
)
def test_a_coverage_that_cannot_be_is_refused(
    cli: Cli, generated: Workspace, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    before = generated.content_hash()
    out = ("--workspace", generated.folder, "--out", tmp_path / "out")
    assert_refused(cli("coverage", *out, *words), said)
    assert generated.content_hash() == before
    assert not (tmp_path / "out" / "coverage.json").exists()


def test_where_results_cannot_be_written(cli: Cli, generated: Workspace, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    there = ("coverage", "--workspace", generated.folder, *COARSE)
    assert_refused(cli(*there, "--out", tmp_path / "file"), "is a file; expected a folder")
    assert_refused(cli(*there, "--out", tmp_path / "file" / "out"), str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "mine"
    assert_refused(cli(*there), "required: --out")


def test_no_masts_is_no_coverage_and_no_error(cli: Cli, tmp_path: Path) -> None:
    area = small_area()
    empty = write_area(tmp_path / "w", area, masts=area.masts.iloc[:0], cells=area.cells.iloc[:0])
    words = ("coverage", "--workspace", empty.folder, *COARSE, "--out", tmp_path / "out")
    code, out, _ = cli(*words)
    assert code == 0
    assert "4G: 0.0 % of area (0.0 to 0.0), 0.0 % of population" in out
    assert {zone["any"]["area_percent"] for zone in summary_in(tmp_path / "out")["zones"]} == {0.0}


def test_terrain_beside_the_area_is_refused(cli: Cli, tmp_path: Path) -> None:
    area = small_area()
    grid = area.terrain.grid
    away = type(area.terrain)(
        type(grid)(
            grid.crs, grid.x_min + 1e6, grid.y_max, grid.resolution_m, grid.width, grid.height
        ),
        area.terrain.values,
    )
    workspace = write_area(tmp_path / "w", area, terrain=away)
    there = ("--workspace", workspace.folder)
    assert_refused(
        cli("coverage", *there, *COARSE, "--out", tmp_path / "out"), "does not cover the study area"
    )
    outcome = cli("data", "check", *there)
    assert_refused(outcome, "errors")
    assert "terrain: the raster lies wholly outside the study area" in outcome[1]


# the real area


@pytest.fixture(scope="module")
def hanam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the real area, built by the command."""
    folder = tmp_path_factory.mktemp("cli") / "hanam"
    words = ["data", "build", "--area", "hanam", "--from", str(shared_path("data"))]
    assert command_line.main([*words, "--workspace", str(folder)]) == 0
    return folder


def test_the_real_area_from_files_to_figures(cli: Cli, hanam: Path, tmp_path: Path) -> None:
    words = ("coverage", "--workspace", hanam, "--resolution", "500", "--radius-km", "4")
    code, out, _ = cli(*words, "--out", tmp_path / "out")
    assert code == 0
    assert "Illustrative data in the layers: cells, masts." in out
    summary = summary_in(tmp_path / "out")
    levels = pd.Series([zone["level"] for zone in summary["zones"]]).value_counts()
    assert levels.to_dict() == {"commune": 33, "district": 6, "province": 1}
    for zone in summary["zones"]:
        assert 0.0 <= zone["4G"]["area_percent"] <= 100.0
        assert zone["population"] > 0.0

    workspace = Workspace.open(hanam)
    zones = workspace.read("zones")
    people = sum(zone["population"] for zone in summary["zones"] if zone["level"] == "commune")
    communes = zones[zones["level"] == "commune"]
    whole = gpd.GeoSeries([shapely.segmentize(communes.union_all(), 200.0)], crs=zones.crs)
    file = shared_path("data/hanam_worldpop_2020_1km_unadj.tif")
    with rasterio.open(file) as raster:
        there = gpd.GeoDataFrame(geometry=whole.to_crs(raster.crs))
    total = exact_extract(str(file), there, "sum", output="pandas")["sum"].iloc[0]
    assert people == pytest.approx(total, rel=1e-3)

    # What was kept is forgotten, and the same figures come again.
    shutil.rmtree(hanam / "results")
    shutil.rmtree(hanam / "cache")
    assert cli(*words, "--out", tmp_path / "again")[0] == 0
    first, second = tmp_path / "out" / "coverage.json", tmp_path / "again" / "coverage.json"
    assert first.read_bytes() == second.read_bytes()


# app and the rest


def test_the_app_starts_on_a_workspace_and_stops_with_the_command(generated: Workspace) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["app", "--headless", "--port", str(port), "--workspace", str(generated.folder)]
    server = subprocess.Popen(
        [sys.executable, "-m", "planning", *words],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}/_stcore/health"
        answer = ""
        for _ in range(150):
            assert server.poll() is None, "the app ended"
            try:
                with urllib.request.urlopen(address, timeout=1) as reply:
                    answer = reply.read().decode()
                break
            except OSError:
                time.sleep(0.2)
        assert answer == "ok"
        server.terminate()
        server.wait(timeout=20)
        with pytest.raises(OSError, match=r".+"):
            urllib.request.urlopen(address, timeout=1)
    finally:
        server.kill()
        server.wait()


def test_the_app_gets_the_port_the_workspace_and_a_browser_where_there_is_a_screen(
    cli: Cli, generated: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamlit.web import cli as streamlit

    calls: list[list[str]] = []
    monkeypatch.setattr(streamlit, "main", lambda words, **_: calls.append(words))
    monkeypatch.chdir(generated.folder.parent)
    monkeypatch.setenv("DISPLAY", ":0")
    assert cli("app", "--port", "8600", "--workspace", generated.folder.name)[0] == 0
    assert os.environ["PHUSONG_WORKSPACE"] == str(generated.folder)
    assert Path.cwd() == ROOT
    assert calls[0][1] == str(ROOT / "streamlit_app.py")
    assert calls[0][2:4] == ["--server.port", "8600"]
    assert calls[0][4:6] == ["--server.headless", "false"]
    assert cli("app", "--headless", "--workspace", generated.folder)[0] == 0
    assert calls[1][2:] == []
    assert_refused(cli("app", "--port", "99999"), "--port: 99999 is not from 1 to 65535")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "required: COMMAND"),
        (("dance",), "invalid choice: 'dance'"),
        (("data",), "required: ACTION"),
        (("data", "import", "masts"), "required: file"),
        (("data", "import", "masts", "f.csv", "--coordinates", "X,Y"), "'X,Y' is not the column"),
    ],
)
def test_a_command_that_is_none(cli: Cli, words: tuple[str, ...], said: str) -> None:
    assert_refused(cli(*words), said)


def test_help_names_every_command(cli: Cli) -> None:
    code, out, _ = cli("--help")
    assert code == 0
    assert all(name in out for name in ("data", "coverage", "app"))
    code, out, _ = cli("data", "--help")
    assert code == 0
    assert all(name in out for name in ("build", "import", "check", "list"))


def test_an_interrupt_is_no_traceback(
    cli: Cli, real: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importers, "import_layer", interrupted)
    code, _, err = cli("data", "import", "masts", tmp_path / "f.csv", "--workspace", real.folder)
    assert (code, err) == (130, "Stopped; nothing was changed\n")


def test_output_may_be_cut_short(real: Workspace) -> None:
    done = subprocess.run(
        f'"{sys.executable}" -m planning data list --workspace "{real.folder}" | true',
        shell=True,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        check=False,
    )
    assert done.stderr == b""


def test_progress_is_quiet_at_first_and_then_every_tenth(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(command_line.time, "monotonic", lambda: now[0])
    with command_line._Progress("work") as progress:
        progress(0.5)
        assert capsys.readouterr().err == ""
        now[0] = 60.0
        for percent in range(51, 101):
            progress(percent / 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"work: {n} %" for n in (51, 60, 70, 80, 90, 100)]


def test_progress_on_a_terminal_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with command_line._Progress("work") as progress:
        progress(0.0)
        progress(0.25)
        progress(0.25)
        progress(1.0)
    assert capsys.readouterr().err == "\rwork: 25 %\rwork: 100 %\n"
