"""The commands of the dedicated network's planning: files, words, and one line for bad input."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from types import SimpleNamespace

import geopandas as gpd
import pandas as pd
import pytest

from data.store import Workspace
from planning import __main__ as command_line
from planning import network_design, network_failures, network_phases, network_plan_commands
from tests.areas import small_area, write_area

Outcome = tuple[int, str, str]

SITES, LINKS, SEGMENTS = "network_sites", "network_links", "fibre_segments"
Cli = Callable[..., Outcome]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command of `network` in this process: exit code, output, standard error."""
    monkeypatch.setattr(command_line._Progress, "QUIET_S", float("inf"))

    def execute(*words: object) -> Outcome:
        try:
            code = command_line.main(["network", *(str(word) for word in words)])
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return execute


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A small area with its illustrative network; not to be changed."""
    return write_area(tmp_path_factory.mktemp("cli_network") / "w", small_area())


def refused(outcome: Outcome, *said: str) -> None:
    """Check exit code 2 and one readable line."""
    code, _, err = outcome
    assert code == 2
    assert err.count("\n") == 1, err
    assert err.startswith("Error: ")
    for part in said:
        assert part in err


def test_failures_are_told_and_written(cli, workspace, tmp_path) -> None:
    code, out, err = cli("failures", "--workspace", workspace.folder, "--out", tmp_path / "o")
    assert (code, err) == (0, "")
    report = network_failures.analyse(workspace)
    written = json.loads((tmp_path / "o" / "failures.json").read_text("utf-8"))
    assert written["single_failures"] == json.loads(json.dumps(report.summary["single_failures"]))
    links = written["single_failures"]["link"]
    assert f"Single failures, link: {links['cutting']} of {links['of']} cut off a site" in out
    tight = written["bottlenecks"]
    assert f"{len(tight['now'])} links now, {len(tight['later'])} in 5 years" in out
    talk = written["conference"]
    new, all_of_them = len(talk["newly_overloaded"]), len(talk["overloaded"])
    assert f"over the bridge at {talk['bridge']} takes {new} links above 80 %, besides " in out
    assert f"besides {all_of_them - new} that are above it anyway" in out
    assert ("so there is no rate that fits" in out) == (talk["greatest_mbps"] == 0.0)
    for row in written["served_together"]:
        assert f"All {row['sites']} " in out
        assert f"at once {row['availability_percent']:.3f} % of the time" in out
    assert "Illustrative data" in out
    assert out.endswith(f"Written to {tmp_path / 'o'}\n")
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == [
        "availability.csv",
        "cut.csv",
        "failures.csv",
        "failures.gpkg",
        "failures.json",
        "links.csv",
    ]


def test_a_design_is_told_and_written(cli, workspace, tmp_path) -> None:
    words = ("--protect", "province,all", "--time-limit", 2, "--points", 2)
    words += ("--cores", 4, "--allow", "trench", "--reach-m", 3000, "--owner", "A")
    code, out, err = cli("design", "--workspace", workspace.folder, "--out", tmp_path, *words)
    assert (code, err) == (0, "")
    written = json.loads((tmp_path / "network_design.json").read_text("utf-8"))
    asked = written["provenance"]["request"]
    assert asked == {
        "protect": ["province", "all"],
        "on": None,
        "zones": None,
        "budget": None,
        "owner": "A",
        "cores_per_site": 4,
        "road_items": ["trench_unpaved", "trench_paved"],
        "reach_m": 3000.0,
        "time_limit_s": 2.0,
        "points": 2,
    }
    assert f"with the design {written['connected']}, by {written['links']} new links" in out
    assert f"cuts off {written['protected']} of {written['to_protect']} sites to protect" in out
    assert f"Cost: {written['cost']['typical']:,.0f} VND" in out
    dearer = 100.0 * (written["route_cost"] / written["bound"] - 1.0)
    assert f"VND, at most {dearer:.1f} % dearer than the cheapest possible; none that do " in out
    assert f"cost less than {written['bound']:,.0f} (proven)" in out
    assert (
        f"Not protected: {len(written['unprotected'])} site" in out or not (written["unprotected"])
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "bill.csv",
        "bill.xlsx",
        "design.gpkg",
        "fibre_segments.gpkg",
        "links.csv",
        "network_design.json",
        "network_links.csv",
        "tradeoff.csv",
    ]
    table = pd.read_csv(tmp_path / "tradeoff.csv")
    assert f"{table['cost'].iloc[-1]:,.0f}: " in out
    sites = gpd.read_file(tmp_path / "design.gpkg", layer="sites")
    assert int(sites["connected"].sum()) == written["connected"]


def test_a_design_that_is_imported_protects_what_it_says(workspace, tmp_path) -> None:
    made = network_design.design(
        workspace,
        network_design.NetworkDesignRequest(protect=("all",), points=0, time_limit_s=1.0),
    )
    out = tmp_path / "out"
    network_design.save(made, out)
    new = made.links["link_id"].tolist()

    def built(name: str, file: str, *more: str) -> set[str]:
        """Import links once they are built; return the sites that no cut takes off."""
        there = Workspace.open(shutil.copytree(workspace.folder, tmp_path / name))
        links = pd.read_csv(out / file)
        links["status"] = links["status"].where(~links["link_id"].isin(new), "existing")
        links.to_csv(out / "built.csv", index=False)
        sites = there.read("network_sites")
        done = sites["site_id"].isin(made.sites.loc[made.sites["connected"], "site_id"])
        sites["status"] = sites["status"].mask(done, "connected")
        sites["connected_on"] = sites["connected_on"].mask(done)
        there.write({"network_sites": sites}, {"network_sites": there.provenance()[SITES]})
        for layer, path in ((SEGMENTS, "fibre_segments.gpkg"), (LINKS, "built.csv")):
            if layer == LINKS or not more:
                words = ["data", "import", layer, str(out / path), *more]
                assert command_line.main([*words, "--workspace", str(there.folder)]) == 0
        after = Workspace.open(there.folder)
        found = network_failures.analyse(after, states=500, loads=False).sites
        return set(found.loc[found["safe_link"] & found["safe_duct"], "site_id"])

    said = set(made.sites.loc[made.sites["protected"], "site_id"])
    assert len(said) > made.summary["protected_before"] + 1
    assert any("/" in name for route in made.links["route"] for name in route.split(";"))
    assert built("together", "network_links.csv") == said
    # The new links alone name whole segments, which more links seem to share.
    alone = pd.read_csv(out / "links.csv")["route"].str.cat(sep=";")
    assert "/" not in alone
    assert built("alone", "links.csv", "--add") <= said


def test_a_budget_and_a_day_reach_the_design(cli, workspace, tmp_path) -> None:
    full = network_design.design(
        workspace, network_design.NetworkDesignRequest(points=0, time_limit_s=2.0)
    )
    budget = 0.6 * full.cost.typical
    words = ("--budget", budget, "--time-limit", 2, "--points", 0, "--on", "2025-07-01")
    code, out, _ = cli("design", "--workspace", workspace.folder, "--out", tmp_path, *words)
    assert code == 0
    written = json.loads((tmp_path / "network_design.json").read_text("utf-8"))
    assert written["day"] == "2025-07-01"
    assert written["cost"]["typical"] <= budget
    assert f"Within the budget of {budget:,.0f} VND" in out
    assert "What money brings" not in out


def test_a_plan_of_years_is_told_and_written(cli, workspace, tmp_path) -> None:
    words = ("--years", 3, "--budget-per-year", 2e8, "--first-year", 2027, "--time-limit", 2)
    code, out, err = cli("phase", "--workspace", workspace.folder, "--out", tmp_path, *words)
    assert (code, err) == (0, "")
    written = json.loads((tmp_path / "phases.json").read_text("utf-8"))
    assert [row["year"] for row in written["years"]] == [None, 2027, 2028, 2029]
    for row in written["years"][1:]:
        assert f"Year {row['year']}: {row['spent']:,.0f} spent" in out
    for each in written["projects"]:
        assert each["site_id"] in out
    for row in written["classes"]:
        assert f"Connect, criticality {row['criticality']}: {row['served']} of" in out
    mine = {(each["kind"], each["criticality"]) for each in written["projects"]}
    assert {(row["kind"], row["criticality"]) for row in written["classes"]} == mine
    # How good the design is says the search for it, not the order of its years.
    assert f"cost less than {written['design']['bound']:,.0f} (proven)" in out
    assert {"phases.json", "phases.csv", "years.csv", "phases.gpkg", "network_design.json"} <= {
        path.name for path in tmp_path.iterdir()
    }
    # Nothing is carried over.
    code, _, _ = cli(
        "phase", "--workspace", workspace.folder, "--out", tmp_path, *words, "--no-carry-over"
    )
    assert code == 0
    written = json.loads((tmp_path / "phases.json").read_text("utf-8"))
    assert all(row["spent"] <= 2e8 + 1e-3 for row in written["years"])


def test_bad_input_is_one_line(cli, workspace, tmp_path) -> None:
    here = ("--workspace", workspace.folder, "--out", tmp_path / "o")
    refused(cli("design", *here, "--protect", "towns"), "towns", "district")
    refused(cli("design", *here, "--on", "yesterday"), "yesterday")
    refused(cli("design", *here, "--budget", "-1"), "-1")
    refused(cli("design", *here, "--zone", "X9"), "There is no zone X9")
    refused(cli("phase", *here, "--years", "0", "--budget-per-year", "1"), "0 is not from 1 to 30")
    refused(cli("phase", *here, "--years", "2"), "--budget-per-year")
    refused(
        cli("phase", *here, "--years", "2", "--budget-per-year", "1", "--priority", "luck"),
        "There is no priority luck",
    )
    refused(cli("failures", *here, "--on", "2001-01-01"), "data centre")
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    for command in (("failures",), ("design",), ("phase", "--years", 1, "--budget-per-year", 1)):
        refused(cli(*command, "--workspace", workspace.folder, "--out", file), "expected a folder")
    bare = write_area(tmp_path / "bare", small_area(), without=("network_sites", "network_links"))
    for command in (("failures",), ("design",), ("phase", "--years", 1, "--budget-per-year", 1)):
        refused(
            cli(*command, "--workspace", bare.folder, "--out", tmp_path / "o"),
            "no dedicated data network",
        )


def test_what_a_conference_cannot_do_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    found = {
        "endpoints": 4, "bridge": "H", "rate_mbps": 4.0, "limit": 0.8, "overloaded": ["L1", "L2"],
        "newly_overloaded": ["L2"], "disturbed": ["S1"], "unreached": ["S2", "S3"],
        "greatest_mbps": 1.5,
    }  # fmt: skip
    network_plan_commands._print_conference(found)
    first, *rest = capsys.readouterr().out.splitlines()
    assert "takes 1 link above 80 %, besides 1 that are above it anyway" in first
    assert rest == [
        "  no way to the bridge: S2, S3",
        "  greatest rate that fits: 1.50 Mbit/s an endpoint",
    ]


@pytest.mark.parametrize(
    ("priority", "names"),
    [
        ("criticality", ["Connect, criticality 3", "Protect, criticality 5"]),
        ("level", ["Connect, level commune", "Protect, level province"]),
        ("none", ["Connect", "Protect"]),
    ],
)
def test_classes_of_years_are_called_by_what_they_are(priority, names) -> None:
    projects = [("connect", False, 0), ("protect", False, 1)]
    todo = pd.DataFrame({"criticality": [3.0, 5.0], "level": ["commune", "province"]})
    designer = SimpleNamespace(problem=SimpleNamespace(todo=todo))
    ranks = network_phases._classes(designer, projects, priority)
    table = network_phases._named_classes(pd.DataFrame({"priority": ranks}), priority)
    rows = network_design.records(table)
    assert [network_plan_commands._class_name(row) for row in rows] == names
