"""What is live on a day, who is connected, and since when: counted twice."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString

from data import schema
from data.errors import InputError
from data.store import Workspace
from planning import __main__ as command_line
from planning import compliance, network_report
from planning import dedicated_network as network
from planning.dedicated_network import Inventory
from tests.data import samples
from tests.planning.networks import DAYS, inventories, links, sites, zones

ANY_DAY = st.sampled_from([None, *DAYS, "1990-01-01", "2099-12-31"])


def exists(site: pd.Series, day: str | None) -> bool:
    if day is None:
        return not isinstance(site["valid_to"], str)
    start = site["valid_from"] if isinstance(site["valid_from"], str) else ""
    end = site["valid_to"] if isinstance(site["valid_to"], str) else "9999"
    return start <= day <= end


def connected(site: pd.Series, day: str | None) -> bool:
    if not exists(site, day):
        return False
    if day is None or site["status"] == "none":
        return site["status"] == "connected"
    since = site["connected_on"] if site["status"] == "connected" else site["planned_on"]
    if not isinstance(since, str):
        return site["status"] == "connected"
    return since <= day


def live(link: pd.Series, day: str | None) -> bool:
    if day is None:
        return link["status"] == "existing"
    start, end = link["connected_on"], link["removed_on"]
    begun = start <= day if isinstance(start, str) else link["status"] != "planned"
    if isinstance(end, str):
        return begun and day < end
    return begun and link["status"] != "removed"


@settings(max_examples=80, deadline=None)
@given(inventories(), ANY_DAY)
def test_figures_are_what_counting_one_by_one_gives(inventory: Inventory, day: str | None) -> None:
    state = network.status(inventory, day)
    there = [row for _, row in inventory.sites.iterrows() if exists(row, day)]
    on = {row["site_id"] for row in there if connected(row, day)}
    graph = nx.Graph()
    graph.add_nodes_from(on)
    best: dict[str, float] = {}
    for _, link in inventory.links.iterrows():
        ends = {link["from_site"], link["to_site"]}
        if live(link, day) and ends <= on:
            graph.add_edge(*ends)
            for end in ends:
                capacity = link["capacity_mbps"]
                if not math.isnan(capacity):
                    best[end] = max(best.get(end, 0.0), capacity)
    hubs = {row["site_id"] for row in there if row["role"] == "hub"} & on
    reached = set().union(*(nx.node_connected_component(graph, hub) for hub in hubs))
    for level in ("all", *schema.SITE_LEVELS):
        mine = [row for row in there if level in ("all", row["level"])]
        with_need = [
            row
            for row in mine
            if row["site_id"] in on
            and row["site_id"] in best
            and not math.isnan(row["bandwidth_mbps"])
        ]
        connected_here = [row for row in mine if row["site_id"] in on]
        expected = {
            "connected": (len(connected_here), len(mine)),
            "planned": (
                sum(row["status"] == "planned" and row["site_id"] not in on for row in mine),
                len(mine),
            ),
            "lan": (sum(row["lan"] for row in mine), len(mine)),
            "video_conference": (sum(row["video_conference"] for row in mine), len(mine)),
            "reachable": (sum(row["site_id"] in reached for row in mine), len(connected_here)),
            "bandwidth_met": (
                sum(best[row["site_id"]] >= row["bandwidth_mbps"] for row in with_need),
                len(with_need),
            ),
        }
        for measure, figures in expected.items():
            assert state.figure(measure, level) == figures, (measure, level)
    assert set(state.network.sites["site_id"]) == on
    assert (state.figures["count"] <= state.figures["of"]).all()
    some = state.figures["of"] > 0
    share = state.figures["count"] / state.figures["of"]
    assert np.allclose(state.figures.loc[some, "share"], share[some])
    assert state.figures.loc[~some, "share"].isna().all()


@settings(max_examples=30, deadline=None)
@given(inventories(), ANY_DAY, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(inventory: Inventory, day: str | None, random) -> None:
    order = list(range(len(inventory.sites)))
    lines = list(range(len(inventory.links)))
    random.shuffle(order)
    random.shuffle(lines)
    shuffled = Inventory(
        inventory.sites.iloc[order].reset_index(drop=True),
        inventory.links.iloc[lines].reset_index(drop=True),
        inventory.zones,
    )
    first, second = network.status(inventory, day), network.status(shuffled, day)
    pd.testing.assert_frame_equal(first.figures, second.figures)
    named = [
        {
            name: sorted(state.network.links["link_id"].iloc[rows])
            for name, rows in state.network.risk_groups.items()
        }
        for state in (first, second)
    ]
    assert named[0] == named[1]


@settings(max_examples=30, deadline=None)
@given(inventories(with_ends=False))
def test_without_an_end_of_sites_no_share_ever_falls(inventory: Inventory) -> None:
    line = network.timeline(inventory, step="month", start=DAYS[0], end=DAYS[-1])
    for _, rows in line.groupby("level"):
        assert (np.diff(rows["count"]) >= 0).all()
        assert (rows["of"] == rows["of"].iloc[0]).all()
        assert rows["day"].is_monotonic_increasing


@settings(max_examples=30, deadline=None)
@given(inventories(), st.sampled_from(["month", "quarter", "year"]))
def test_the_time_line_is_the_state_at_the_end_of_each_period(inventory, step) -> None:
    line = network.timeline(inventory, step=step, start="2020-02-10", end="2021-11-03")
    assert list(line["day"].unique())[:1] == [
        {"month": "2020-02-29", "quarter": "2020-03-31", "year": "2020-12-31"}[step]
    ]
    assert line["day"].nunique() == {"month": 22, "quarter": 8, "year": 2}[step]
    rows = [row for _, row in inventory.sites.iterrows()]
    for day, level, count, of, share in line.itertuples(index=False):
        mine = [row for row in rows if level in ("all", row["level"])]
        assert of == sum(exists(row, day) for row in mine)
        assert count == sum(connected(row, day) for row in mine)
        assert (math.isnan(share) and not of) or share == count / of


def test_days_of_a_site_and_of_a_link_belong_to_them() -> None:
    frame = sites(
        [
            {"role": "hub", "valid_from": "2020-01-01", "connected_on": "2020-06-01"},
            {"status": "planned", "connected_on": None, "planned_on": "2026-03-31"},
            {"valid_to": "2024-12-31", "connected_on": "2021-01-01"},
            {"status": "none", "connected_on": None},
        ]
    )
    lines = links(
        [
            {"from_site": "S0", "to_site": "S1", "status": "planned", "connected_on": "2026-03-31"},
            {"from_site": "S0", "to_site": "S2", "removed_on": "2024-06-01"},
            {"from_site": "S2", "to_site": "S0", "status": "removed"},
        ]
    )
    inventory = Inventory(frame, lines)

    def seen(day: str | None) -> tuple[list[str], list[str]]:
        found = network.network(inventory, day)
        return found.sites["site_id"].tolist(), found.links["link_id"].tolist()

    assert seen("2020-05-31") == ([], [])
    assert seen("2020-06-01") == (["S0"], [])
    assert seen("2024-05-31") == (["S0", "S2"], ["L1"])
    assert seen("2024-06-01") == (["S0", "S2"], [])
    assert seen("2024-12-31") == (["S0", "S2"], [])
    assert seen("2025-01-01") == (["S0"], [])
    assert seen("2026-03-31") == (["S0", "S1"], ["L0"])
    assert seen(None) == (["S0"], [])
    with pytest.raises(InputError, match="2026-02-30 is not a day"):
        network.network(inventory, "2026-02-30")


def test_figures_by_zone_follow_the_map_of_the_day() -> None:
    frame = sites(
        [
            {"level": "province", "zone_code": "P", "role": "hub", "at": (500, 500)},
            {"level": "district", "zone_code": "D2", "valid_to": "2024-12-31", "at": (2500, 100)},
            # The seat stands in another commune than the one that it governs.
            {"zone_code": "C1", "valid_from": "2025-01-01", "connected_on": None, "at": (1100, 1),
             "status": "none"},
            {"zone_code": None, "valid_from": "2025-01-01", "connected_on": "2025-02-01",
             "at": (2100, 1), "video_conference": True},
            {"zone_code": None, "at": (9999, 1)},
        ]
    )  # fmt: skip
    inventory = Inventory(frame, links([]), zones())

    def counts(rows: pd.DataFrame) -> dict[str, tuple[int, int]]:
        rows = rows[(rows["measure"] == "connected") & (rows["level"] == "all")]
        rows = rows[rows["zone"] >= 0]
        return dict(zip(rows["code"], zip(rows["count"], rows["of"], strict=True), strict=True))

    before = counts(network.status(inventory, "2024-12-31").figures)
    assert before == {"P": (2, 2), "D1": (1, 1), "D2": (1, 1)}
    after = counts(network.status(inventory, "2025-06-30").figures)
    assert after == {"P": (2, 3), "C1": (1, 2), "C3": (1, 1)}
    state = network.status(inventory, "2025-06-30")
    assert state.figure("connected") == (3, 4)
    assert state.figure("zones_with_conference", "commune") == (1, 3)
    assert state.figure("zones_with_conference", "district") == (0, 0)


def test_providers_are_counted_by_their_live_links() -> None:
    frame = sites([{"role": "hub", "level": "province"}, {}, {}, {"status": "none",
                  "connected_on": None}])  # fmt: skip
    lines = links(
        [
            {"from_site": "S0", "to_site": "S1"},
            {"from_site": "S1", "to_site": "S0", "provider": "B", "capacity_mbps": 20.0},
            {"from_site": "S0", "to_site": "S2", "provider": None, "medium": "copper"},
            {"from_site": "S0", "to_site": "S3", "provider": "C"},
        ]
    )
    state = network.status(Inventory(frame, lines))
    assert state.sites["providers"].tolist() == ["A; B", "A; B", "", ""]
    assert state.sites["links"].tolist() == [3, 2, 1, 0]
    assert state.sites["best_mbps"].tolist()[:3] == [100.0, 100.0, 100.0]
    assert state.figure("provider", group="A") == (2, 3)
    assert state.figure("provider", "commune", group="B") == (1, 2)
    assert state.figure("provider", group="C") == (0, 0)
    assert state.figure("links", group="copper") == (1, 3)


def test_days_that_the_state_as_recorded_takes_no_notice_of_are_told() -> None:
    frame = sites([{"role": "hub"}, {"valid_to": "2090-12-31"}, {"valid_to": "2022-01-31"}, {}])
    lines = links(
        [
            {"from_site": "S0", "to_site": "S3", "removed_on": "2021-05-01"},
            {"from_site": "S0", "to_site": "S1"},
        ]
    )
    state = network.status(Inventory(frame, lines))
    assert state.figure("connected") == (2, 2)
    assert len(state.network.links) == 1
    said = " ".join(str(note) for note in network_report.notes(state))
    assert "sites that have a last day (valid_to) do not count" in said
    assert "whether it is over or not: 2, the latest 2090-12-31" in said
    assert "removal (removed_on) count as long as their status is existing: 1, the first 20" in said
    later = network.status(Inventory(frame, lines), "2026-11-29")
    assert later.figure("connected") == (3, 3)
    assert not any("last day" in str(note) for note in network_report.notes(later))


def test_sites_of_central_agencies_are_a_level_of_their_own() -> None:
    frame = sites(
        [
            {"role": "hub", "level": "central", "at": (10.0, 10.0), "video_conference": True},
            {"level": "province", "at": (20.0, 10.0)},
            {"level": "commune", "at": (30.0, 10.0)},
        ]
    )
    state = network.status(Inventory(frame, links([]), zones()))
    rows = state.figures[(state.figures["measure"] == "connected") & (state.figures["zone"] == -1)]
    assert rows["level"].tolist() == ["all", "central", "province", "commune"]
    # It stands in a province, and is no endpoint of the province's own agencies.
    assert state.figure("zones_with_conference", "province") == (0, 1)
    found = {each.norm.norm: each for each in compliance.check(state, compliance.norms())}
    assert (found["connected-central"].count, found["connected-central"].of) == (1, 1)
    assert found["availability-central"].result == "met"


def test_prices_of_leased_links_are_added_up_and_missing_ones_counted() -> None:
    frame = sites([{"role": "hub", "level": "province"}, {"level": "province"}, {}, {}])
    ends = [
        ("S0", "S1", "A", "leased", 5.0),
        ("S0", "S2", "A", "leased", 3.0),
        ("S0", "S2", "B; A", "leased", np.nan),
        ("S1", "S3", None, "leased", 2.0),
        ("S2", "S3", "A", "own", 100.0),
        ("S1", "S2", "A", None, 50.0),
    ]
    names = ("from_site", "to_site", "provider", "ownership", "cost_month")
    lines = links([dict(zip(names, row, strict=True)) for row in ends])
    state = network.status(Inventory(frame, lines))
    rows = state.figures[state.figures["measure"] == "lease"]
    found = {
        (row.level, row.group): (row.count, row.of, row.value)
        for row in rows.drop(columns="name").itertuples(index=False)
    }
    nothing = found.pop(("commune", "B; A"))
    assert nothing[:2] == (0, 1)
    assert math.isnan(nothing[2])
    assert math.isnan(found.pop(("all", "B; A"))[2])
    # A link counts at the lower level of its ends.
    assert found == {
        ("all", ""): (3, 4, 10.0),
        ("all", "A"): (2, 2, 8.0),
        ("all", "not known"): (1, 1, 2.0),
        ("province", ""): (1, 1, 5.0),
        ("province", "A"): (1, 1, 5.0),
        ("commune", ""): (2, 3, 5.0),
        ("commune", "A"): (1, 1, 3.0),
        ("commune", "not known"): (1, 1, 2.0),
    }
    assert state.figure("leased") == (4, 5)
    assert state.figure("leased", "commune") == (3, 4)


def test_equipment_is_counted_by_the_connected_sites_that_have_it() -> None:
    at = sites(
        [
            {"role": "hub", "equipment": "Router; Firewall; Router"},
            {"equipment": "Router"},
            {"status": "planned", "connected_on": None, "equipment": "Router"},
            {},
        ]
    )
    state = network.status(Inventory(at, links([])))
    assert state.figure("equipment", group="Router") == (2, 3)
    assert state.figure("equipment", group="Firewall") == (1, 3)
    graph = state.network.to_networkx()
    assert graph.nodes["S0"]["equipment"] == "Router; Firewall; Router"


def test_links_in_one_duct_or_trench_are_one_risk() -> None:
    segments = gpd.GeoDataFrame(
        {
            "segment_id": ["F1", "F2", "F3", "F4"],
            "segment_type": "duct",
            "owner": ["A", "B", "A", "B"],
        },
        geometry=[
            LineString([(0, 0), (1000, 0)]),
            LineString([(0, 5), (1000, 5)]),  # beside F1
            LineString([(1000, 0), (1000, 900)]),  # goes on from F1
            LineString([(0, 300), (1000, 300)]),
        ],
        crs=samples.CRS,
    )
    lines = links(
        [
            {"from_site": "S0", "to_site": "S1", "route": "F1;F3"},
            {"from_site": "S0", "to_site": "S1", "route": "F2", "provider": "B"},
            {"from_site": "S0", "to_site": "S1", "route": "F4;F3", "provider": "B"},
            {"from_site": "S0", "to_site": "S1", "provider": None},
        ]
    )
    groups = {name: rows.tolist() for name, rows in network.risk_groups(lines, segments).items()}
    assert groups == {
        "segment:F1": [0],
        "segment:F2": [1],
        "segment:F3": [0, 2],
        "segment:F4": [2],
        "trench:F1": [0, 1],
        "provider:A": [0],
        "provider:B": [1, 2],
    }
    apart = network.risk_groups(lines, segments, trench_m=4.0)
    assert not [name for name in apart if name.startswith("trench:")]


def test_the_graph_has_what_the_layers_say() -> None:
    frame = sites([{"role": "hub"}, {}, {}])
    lines = links([{"from_site": "S0", "to_site": "S1"}, {"from_site": "S1", "to_site": "S0"}])
    found = network.network(Inventory(frame, lines))
    graph = found.to_networkx()
    assert sorted(graph.edges(keys=True)) == [("S0", "S1", "L0"), ("S0", "S1", "L1")]
    assert graph.nodes["S0"]["role"] == "hub"
    assert graph.edges["S0", "S1", "L1"]["capacity_mbps"] == 100.0
    assert found.reachable.tolist() == [True, True, False]
    assert (found.tail.tolist(), found.head.tolist()) == ([0, 1], [1, 0])


def test_a_time_line_needs_days_in_order() -> None:
    inventory = Inventory(sites([{"connected_on": None}]), links([]))
    assert network.timeline(inventory).empty
    line = network.timeline(inventory, start="2020-01-01", end="2020-06-30")
    assert line["day"].unique().tolist() == ["2020-03-31", "2020-06-30"]
    with pytest.raises(InputError, match="ends on 2019-01-01, before its start 2020-01-01"):
        network.timeline(inventory, start="2020-01-01", end="2019-01-01")
    with pytest.raises(InputError, match="week is not a step"):
        network.timeline(inventory, step="week")  # type: ignore[arg-type]
    last = network.timeline(inventory, step="year", start="9999-01-01", end="9999-12-31")
    assert last["day"].tolist()[-1] == "9999-12-31"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = samples.workspace(tmp_path / "w")
    frames = {
        name: samples.LAYERS[name]()
        for name in ("fibre_segments", "network_sites", "network_links")
    }
    workspace.write(frames, dict.fromkeys(frames, samples.MADE_UP))
    return workspace


def test_reported_figures_stand_beside_computed_ones(workspace: Workspace) -> None:
    state = network.status(workspace)
    assert network_report.reported(workspace).empty  # what is built in is about Hà Nam
    own = workspace.folder / network_report.OWN_REPORTED
    head = "claim,measure,level,count,of,percent,day,source,quote\n"
    own.write_text(
        head
        + "A,connected,commune,2,2,100,2021-03-14,Sở,\n"
        + "B,connected,district,,,100,2021-03-15,Sở,\n"
        + "C,video_conference,all,1,,,,Sở,\n",
        encoding="utf-8",
    )
    table = network_report.compare(workspace, network_report.reported(workspace), state)
    said = table[["then_count", "then_of", "now_count", "now_of"]].to_numpy().tolist()
    assert said == [[0, 2, 1, 2], [0, 0, 0, 0], [0, 0, 1, 3]]
    assert table["now_percent"].iloc[0] == 50.0
    assert table[["then_percent", "now_percent"]].iloc[1].isna().all()
    own.write_text(head + "A,connected,commune,viele,2,100,2021-03-14,Sở,\n", encoding="utf-8")
    with pytest.raises(InputError, match="row 2, column count: viele"):
        network_report.reported(workspace)


def test_built_in_reports_are_about_what_is_counted() -> None:
    table = network_report._read_reported(network_report.REPORTED)
    assert set(table["measure"]) <= {*network.SHARES, "zones_with_conference"}
    assert set(table["level"]) <= {"all", *schema.LEVELS}
    full = table.dropna(subset=["count", "of", "percent"])
    assert len(full)
    assert (100.0 * full["count"] / full["of"] - full["percent"]).abs().max() < 0.05


def test_what_single_failures_do_is_said_by_kind(workspace: Workspace) -> None:
    found = network_report.failures(network.network(workspace, "2026-07-01"))
    # S3 hangs on one link, S2 on two of which the first and the link of S3 share a duct.
    assert {kind: (entry["cutting"], entry["of"]) for kind, entry in found.items()} == {
        "link": (1, 3), "site": (1, 3), "segment": (1, 2), "trench": (0, 0), "provider": (0, 2),
    }  # fmt: skip
    assert found["link"]["worst"] == [{"name": "L3", "count": 1, "sites": ["S3"]}]
    assert found["segment"]["worst"] == [{"name": "F1", "count": 1, "sites": ["S3"]}]
    assert found["site"]["worst"][0]["sites"] == ["S2", "S3"]
    assert network_report.failures(network.network(workspace, "2000-01-01")) == {}


def test_the_command_writes_the_state_of_a_day(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["network", "status", "--workspace", str(workspace.folder), "--out", str(out)]
    assert command_line.main([*words, "--on", "2026-07-01"]) == 0
    said = capsys.readouterr().out
    assert "on 2026-07-01, illustrative: 3 live links" in said
    assert "commune: connected 2 of 2 (100.0 %)" in said
    assert "cannot be checked: all: address ranges of their own" in said
    content = json.loads((out / "network.json").read_text("utf-8"))
    assert content["day"] == "2026-07-01"
    assert content["levels"][0]["connected"] == {"count": 3, "of": 3, "percent": 100.0}
    assert content["provenance"]["layers"]["network_sites"]["illustrative"]
    assert content["failures"]["link"]["cutting"] == 1
    assert {zone["code"] for zone in content["zones"]} == {"35", "101", "102"}
    assert len(content["timeline"]) == len(pd.read_csv(out / "timeline.csv"))
    assert len(gpd.read_file(out / "sites.gpkg", layer="sites")) == 3
    drawn = gpd.read_file(out / "sites.gpkg", layer="links")
    assert (drawn.geom_type == "LineString").all()
    figures = pd.read_csv(out / "status.csv", dtype={"code": str})
    expected = network.status(workspace, "2026-07-01").figures
    assert figures["count"].tolist() == expected["count"].tolist()
    assert figures["code"].fillna("").tolist() == expected["code"].fillna("").tolist()
    assert len(pd.read_csv(out / "compliance.csv")) == len(content["compliance"])
    # Nothing was connected on that day: still files, and no crash.
    assert command_line.main([*words, "--on", "2000-01-01"]) == 0
    assert "connected 0 of" in capsys.readouterr().out
    assert not list(out.glob(".tmp-*"))
    # No site and no zone is there yet.
    later = {"valid_from": "2018-01-01", "valid_to": None}
    layers = {name: workspace.read(name).assign(**later) for name in ("zones", "network_sites")}
    workspace.write(layers, {name: workspace.provenance()[name] for name in layers})
    assert command_line.main([*words, "--on", "1900-01-01"]) == 0
    assert "The inventory has no site on that day" in capsys.readouterr().out
    assert pd.read_csv(out / "status.csv").empty


def test_the_command_says_what_it_cannot_use(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["network", "status", "--workspace", str(workspace.folder)]
    assert command_line.main([*words, "--out", str(tmp_path / "o"), "--on", "tomorrow"]) == 2
    assert "tomorrow is not a day (expected YYYY-MM-DD)" in capsys.readouterr().err
    bare = samples.workspace(tmp_path / "bare")
    words = ["network", "status", "--workspace", str(bare.folder), "--out", str(tmp_path / "o")]
    assert command_line.main(words) == 2
    assert "has no dedicated data network; import the layers" in capsys.readouterr().err
    taken = tmp_path / "file"
    taken.touch()
    words = ["network", "status", "--workspace", str(workspace.folder), "--out", str(taken)]
    assert command_line.main(words) == 2
    assert "is a file; expected a folder" in capsys.readouterr().err


def test_a_network_of_a_country_is_counted_in_seconds() -> None:
    count = 11_000
    rng = np.random.default_rng(1)
    xy = rng.uniform(0, 3000, (count, 2)) * [1, 1 / 3]
    frame = gpd.GeoDataFrame(
        {
            "site_id": [f"S{k}" for k in range(count)],
            "level": "commune",
            "role": ["hub", *["access"] * (count - 1)],
            "status": "connected",
            "connected_on": rng.choice(DAYS, count),
        },
        geometry=gpd.points_from_xy(xy[:, 0], xy[:, 1]),
        crs=samples.CRS,
    )
    lines = pd.DataFrame(
        {
            "link_id": [f"L{k}" for k in range(1, count)],
            "from_site": [f"S{k // 2}" for k in range(1, count)],
            "to_site": [f"S{k}" for k in range(1, count)],
            "medium": "fibre",
        }
    )
    inventory = Inventory(
        schema.validate("network_sites", frame),
        schema.validate("network_links", lines, context={"network_sites": frame}),
        zones(),
    )
    start = time.perf_counter()
    state = network.status(inventory, DAYS[-1])
    network.timeline(inventory, step="month")
    seconds = time.perf_counter() - start
    assert state.figure("reachable") == (count, count)
    assert seconds < 10.0
