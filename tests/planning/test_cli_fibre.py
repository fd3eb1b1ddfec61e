"""The command `fibre design`, from end to end: files, words, and one line for bad input."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest

from data.store import Workspace
from planning import __main__ as command_line
from planning import fibre
from tests.areas import small_area, write_area
from tests.vectors import ROOT

Outcome = tuple[int, str, str]
Cli = Callable[..., Outcome]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run `fibre design` in this process: exit code, output, standard error."""
    monkeypatch.setattr(command_line._Progress, "QUIET_S", float("inf"))

    def execute(*words: object) -> Outcome:
        try:
            code = command_line.main(["fibre", "design", *(str(word) for word in words)])
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return execute


def refused(outcome: Outcome, *said: str) -> None:
    """Check exit code 2 and one readable line."""
    code, _, err = outcome
    assert code == 2
    assert err.count("\n") == 1, err
    assert err.startswith("Error: ")
    assert len(err) < 600
    for part in said:
        assert part in err


def exchange(area) -> gpd.GeoDataFrame:
    """Return one exchange at the first mast."""
    return gpd.GeoDataFrame(
        {"node_id": ["OLT1"], "node_type": ["olt"], "owner": ["A"], "status": ["existing"]},
        geometry=area.roads.geometry.iloc[:1].interpolate(0.0).to_numpy(),
        crs=area.zones.crs,
    )


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """An area with one exchange and no other fibre; not to be changed."""
    area = small_area()
    folder = tmp_path_factory.mktemp("cli_fibre") / "live"
    return write_area(folder, area, without=("fibre_segments",), fibre_nodes=exchange(area))


@pytest.fixture(scope="module")
def dark(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """An area without fibre."""
    folder = tmp_path_factory.mktemp("cli_fibre") / "dark"
    return write_area(folder, small_area(), without=("fibre_segments", "fibre_nodes"))


def number_after(text: str, words: str) -> float:
    found = re.search(re.escape(words) + r" ([\d,.]*\d)", text)
    assert found, (words, text)
    return float(found[1].replace(",", ""))


def test_the_communes_are_connected_and_it_is_said_how_well(cli, live, tmp_path) -> None:
    code, out, err = cli("--workspace", live.folder, "--out", tmp_path / "a" / "b")
    assert (code, err) == (0, "")
    folder = tmp_path / "a" / "b"
    written = json.loads((folder / "design.json").read_text("utf-8"))
    design = fibre.design(live, fibre.DesignRequest())
    assert written == json.loads(json.dumps(design.summary))
    assert "Illustrative data" in out
    assert f"Connected: {written['connected']} of 3 sites" in out
    assert number_after(out, "Cost:") == round(design.cost.typical)
    assert number_after(out, "no design for these sites costs less than") == round(design.bound)
    assert f"at most {100 * design.gap:.2f} % above the cheapest" in out
    assert out.endswith(f"Written to {folder}\n")
    assert sorted(path.name for path in folder.iterdir()) == [
        "bill.csv",
        "bill.xlsx",
        "design.gpkg",
        "design.json",
    ]
    bill = pd.read_csv(folder / "bill.csv")
    assert bill["typical"].sum() == pytest.approx(design.cost.typical)
    assert openpyxl.load_workbook(folder / "bill.xlsx").sheetnames == [
        "Bill of quantities",
        "Sites",
    ]


def test_options_reach_the_design(cli, live, tmp_path) -> None:
    zones = live.read("zones")
    codes = zones.loc[zones["level"] == "commune", "code"].tolist()
    words = ("--sites", "masts", "--zone", codes[0], codes[1], "--zone", codes[0])
    words += ("--owner", "A", "--cores", 30, "--reach-m", 900, "--allow", "trench")
    words += ("--time-limit", 9)
    code, out, _ = cli("--workspace", live.folder, "--out", tmp_path, *words)
    assert code == 0, out
    asked = json.loads((tmp_path / "design.json").read_text("utf-8"))["provenance"]["request"]
    assert asked == {
        "sites": "masts",
        "zones": [codes[0], codes[1]],
        "owner": "A",
        "cores_per_site": 30,
        "budget": None,
        "road_items": ["trench_unpaved", "trench_paved"],
        "reach_m": 900.0,
        "time_limit_s": 9.0,
    }
    routes = gpd.read_file(tmp_path / "design.gpkg", layer="routes")
    assert set(routes["item"]) <= {"trench_unpaved", "trench_paved"}
    assert (routes["cores"] % 30 == 0).all()


def test_a_budget_and_its_curve(cli, live, tmp_path) -> None:
    whole = fibre.design(live, fibre.DesignRequest(sites="villages"))
    budget = round(0.4 * whole.route_cost)
    code, out, _ = cli(
        *("--workspace", live.folder, "--sites", "villages", "--budget", budget),
        *("--curve", 4, "--time-limit", 10, "--out", tmp_path),
    )
    assert code == 0, out
    written = json.loads((tmp_path / "design.json").read_text("utf-8"))
    assert written["route_cost"] <= budget
    assert written["bound"] >= written["value"] > 0
    assert f"Of the budget of {budget:,.0f} VND" in out
    assert "no choice within it is worth more than" in out
    table = pd.read_csv(tmp_path / "curve.csv")
    assert table["budget"].tolist() == pytest.approx([budget * k / 4 for k in (1, 2, 3, 4)])
    assert table["value"].is_monotonic_increasing
    assert table["value"].iloc[-1] <= written["bound"]
    assert out.count(" possible\n") == 4


def test_sites_of_a_file_and_those_out_of_reach(cli, live, tmp_path) -> None:
    roads = live.read("roads").to_crs("EPSG:4326")
    near = [roads.geometry.iloc[k].interpolate(0.5, normalized=True) for k in (0, 5)]
    pd.DataFrame(
        {
            "id": ["a", "b", "far"],
            "name": ["A", "B", "Xa"],
            "lon": [near[0].x, near[1].x, roads.total_bounds[2] + 0.03],
            "lat": [near[0].y, near[1].y, roads.total_bounds[3] + 0.03],
        }
    ).to_csv(tmp_path / "sites.csv", index=False)
    code, out, err = cli(
        *("--workspace", live.folder, "--sites", tmp_path / "sites.csv"),
        *("--out", tmp_path / "out"),
    )
    assert (code, err) == (0, ""), out
    assert "Connected: 2 of 3 sites" in out
    assert "Not reached: 1 sites\n  the site far lies more than 2000 m from every route" in out
    sites = gpd.read_file(tmp_path / "out" / "design.gpkg", layer="sites")
    assert sites["connected"].tolist() == [True, True, False]


def test_without_an_exchange_it_says_so_and_a_budget_is_refused(cli, dark, tmp_path) -> None:
    code, out, _ = cli("--workspace", dark.folder, "--out", tmp_path)
    assert code == 0
    assert "There is no exchange in service, so the sites are connected with each other" in out
    for words in (("--budget", "1e9"), ("--curve", 3)):
        refused(
            cli("--workspace", dark.folder, "--out", tmp_path / "x", *words),
            "A budget needs a live network to start from",
        )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--sites", "shops"), "There are no sites called shops and no such file"),
        (("--sites", "offices"), "The study area has no layer offices"),
        (("--zone", "404"), "There is no zone 404"),
        (("--budget", "-5"), "-5 is not 0 or more"),
        (("--budget", "much"), "'much' is not a number"),
        (("--curve", "0"), "0 is not from 1 to 100"),
        (("--cores", "0"), "0 is not from 1 to 10000"),
        (("--reach-m", "0"), "0 is not greater than 0"),
        (("--allow", "rope"), "'rope' is not one of aerial, trench"),
        (("--allow", ","), "no way to lay cable"),
        (("--reach-m", "0.000001"), "None of the 3 sites can be reached"),
    ],
)
def test_bad_words_are_one_line(cli, live, tmp_path, words, said) -> None:
    refused(cli("--workspace", live.folder, "--out", tmp_path, *words), said)


def test_bad_files_are_one_line(cli, live, tmp_path) -> None:
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "file").write_text("x")
    words = ("--workspace", live.folder)
    refused(cli(*words, "--out", tmp_path, "--sites", tmp_path / "empty.csv"), "empty.csv")
    refused(cli(*words, "--out", tmp_path / "file"), "is a file; expected a folder")
    refused(cli(*words, "--sites", tmp_path, "--out", tmp_path / "out"), "There is no file")
    refused(cli(*words), "--out")


def test_a_negative_cost_in_the_area_is_one_line(cli, tmp_path) -> None:
    area = small_area()
    there = write_area(tmp_path / "w", area, without=("fibre_segments", "fibre_nodes"))
    (there.folder / "unit_costs.csv").write_text(
        "item,group,unit,low,typical,high,currency,year,verified,source\n"
        "aerial_new_poles,fibre,m,-3,-2,-1,VND,2026,no,mine\n"
    )
    refused(
        cli("--workspace", there.folder, "--out", tmp_path / "out"),
        "unit_costs.csv, row 2, column low: -3",
    )


def test_it_runs_as_people_run_it(live, tmp_path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "planning", "fibre", "design"),
            *("--workspace", str(live.folder), "--out", str(tmp_path)),
        ],
        cwd=ROOT,
        env=os.environ | {"PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "(proven)" in done.stdout
