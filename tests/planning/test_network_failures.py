"""Failures with names: the same as taking each thing out in turn."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from shapely.geometry import LineString

from data import schema
from data.area import Provenance, StudyAreaInfo
from data.errors import InputError
from data.store import Workspace
from planning import dedicated_network, network_failures
from planning.dedicated_network import Inventory, Network, network
from tests.planning import networks

SURE = {name: 100.0 for name in network_failures.assumptions() if name.startswith(("link", "site"))}


def inventory(*ends: dict[str, object], sites: int = 5, **first: object) -> Inventory:
    """Return a data centre S0 and sites S1, …, with links."""
    rows = [{"role": "hub" if k == 0 else "access", **(first if k else {})} for k in range(sites)]
    at = networks.sites(rows)
    return Inventory(at, networks.links(list(ends), at))


def link(start: int, end: int, **more: object) -> dict[str, object]:
    return {"from_site": f"S{start}", "to_site": f"S{end}", **more}


def cut_off(live: Network, *, links: set[str] = frozenset(), sites: set[str] = frozenset()) -> set:
    """Return who loses every data centre, the slow way."""
    graph = live.to_networkx()
    hubs = set(live.sites.loc[live.hub, "site_id"])

    def reach(these: nx.MultiGraph) -> set[str]:
        return {node for part in nx.connected_components(these) if part & hubs for node in part}

    before = reach(graph)
    graph.remove_edges_from([edge for edge in graph.edges(keys=True) if edge[2] in links])
    graph.remove_nodes_from(sites)
    return before - reach(graph) - set(sites)


def group_links(live: Network, kind: str, name: str) -> set[str]:
    return set(live.links["link_id"].to_numpy()[live.risk_groups[f"{kind}:{name}"]])


def assert_as_brute_force(live: Network, report: network_failures.FailureReport) -> None:
    found: dict[tuple[str, str], set[str]] = {}
    for row in report.cut.itertuples():
        found.setdefault((row.element, row.name), set()).add(row.site_id)
    expected = {("link", n): cut_off(live, links={n}) for n in live.links["link_id"]}
    expected |= {("site", n): cut_off(live, sites={n}) for n in live.sites["site_id"]}
    for group in live.risk_groups:
        kind, _, name = group.partition(":")
        expected[kind, name] = cut_off(live, links=group_links(live, kind, name))
    assert found == {key: lost for key, lost in expected.items() if lost}
    table = report.failures.set_index(["element", "name"])
    for key, lost in found.items():
        row = table.loc[key]
        assert row["lost_sites"] == len(lost)
        assert set(row["sites"].split(";")) == lost
    served = set(live.sites.loc[live.reachable, "site_id"])
    for row in report.sites.itertuples():
        assert row.served == (row.site_id in served)
        for column, kinds in (
            ("safe_link", ("link",)),
            ("safe_duct", ("segment", "trench")),
            ("safe_provider", ("provider",)),
        ):
            lost = any(row.site_id in found.get(key, ()) for key in expected if key[0] in kinds)
            assert getattr(row, column) == (row.served and not lost)


@settings(max_examples=60, deadline=None)
@given(networks.inventories())
def test_every_single_failure_is_that_of_taking_it_out(drawn: Inventory) -> None:
    live = network(drawn)
    if not live.hub.any():
        with pytest.raises(InputError, match="data centre"):
            network_failures.analyse(drawn)
        return
    assert_as_brute_force(live, network_failures.analyse(drawn, samples=200))


def chance(live: Network, report: network_failures.FailureReport, site: int, assumed) -> float:
    """Return the availability of a site by adding up all states of links and sites."""
    links = live.links["availability_percent"].to_numpy(float) / 100.0
    nodes = np.array([assumed[f"site_{role}"] for role in live.sites["role"]]) / 100.0
    total = 0.0
    for up in itertools.product([True, False], repeat=len(links) + len(nodes)):
        share = float(np.prod(np.where(up, np.r_[links, nodes], 1.0 - np.r_[links, nodes])))
        graph = nx.MultiGraph()
        graph.add_nodes_from(k for k in range(len(nodes)) if up[len(links) + k])
        for k, (a, b) in enumerate(zip(live.tail, live.head, strict=True)):
            if up[k] and a in graph and b in graph:
                graph.add_edge(int(a), int(b))
        if site in graph and 0 in graph and nx.has_path(graph, site, 0):
            total += share
    return total


def test_availability_is_that_of_adding_up_all_states() -> None:
    ends = [link(0, 1), link(1, 2), link(2, 0), link(2, 3), link(0, 3), link(3, 4)]
    ends = [each | {"availability_percent": 90.0 + k} for k, each in enumerate(ends)]
    drawn = inventory(*ends)
    assumed = network_failures.assumptions() | {"site_access": 97.0, "site_hub": 99.0}
    report = network_failures.analyse(drawn, assumed=assumed)
    assert (report.sites["method"] == "exact").all()
    for site in range(5):
        wanted = chance(report.network, report, site, assumed)
        assert report.sites["availability_percent"].iloc[site] == pytest.approx(100.0 * wanted)
        assert report.sites["hours_down"].iloc[site] == pytest.approx(8760.0 * (1.0 - wanted))
    assert (report.sites["low_percent"] == report.sites["high_percent"]).all()


def test_two_links_in_one_duct_are_one_risk_and_no_more_available_than_agreed() -> None:
    metres = 50_000.0
    segments = gpd.GeoDataFrame(
        {"segment_id": ["F1"]}, geometry=[LineString([(0, 0), (metres, 0)])], crs=networks.CRS
    )
    drawn = inventory(
        link(0, 1, route="F1", availability_percent=99.9),
        link(0, 1, route="F1", availability_percent=99.9),
        link(0, 2, route="F1", availability_percent=99.9),
        sites=3,
    )
    drawn = Inventory(drawn.sites, drawn.links, None, segments)
    assumed = network_failures.assumptions() | SURE
    report = network_failures.analyse(drawn, assumed=assumed)
    state = report.sites.set_index("site_id")
    assert not state.loc["S1", "safe_duct"]
    assert state.loc["S1", "safe_link"]
    duct = 1.0 - metres / 1e5 * assumed["cuts_per_100_km"] * assumed["repair_time"] / 8760.0
    own = 0.999 / duct
    # Each link as agreed, both together no better than the duct.
    assert state.loc["S2", "availability_percent"] == pytest.approx(99.9)
    both = duct * (1.0 - (1.0 - own) ** 2)
    assert state.loc["S1", "availability_percent"] == pytest.approx(100.0 * both)
    first = report.failures.set_index(["element", "name"]).loc[("segment", "F1")]
    assert first["hours_down"] == pytest.approx(8760.0 * (1.0 - duct))
    assert first["lost_sites"] == 2


@pytest.mark.parametrize("names", [("F1", "F2"), ("F2", "F1")])
def test_a_trench_fails_by_the_length_side_by_side_whatever_it_is_named(names) -> None:
    short, long = names
    segments = gpd.GeoDataFrame(
        {"segment_id": [short, long]},
        geometry=[LineString([(0, 0), (100, 0)]), LineString([(0, 5), (10_000, 5)])],
        crs=networks.CRS,
    )
    drawn = inventory(link(0, 1, route=short), link(0, 2, route=long, provider="B"), sites=3)
    drawn = Inventory(drawn.sites, drawn.links, None, segments)
    assumed = network_failures.assumptions() | SURE
    report = network_failures.analyse(drawn, assumed=assumed, loads=False)
    rows = report.failures.set_index(["element", "name"])["hours_down"]
    per_m = assumed["cuts_per_100_km"] * assumed["repair_time"] / 1e5
    common = assumed["trench_share"] * 100.0
    assert rows["trench", "F1"] == pytest.approx(per_m * common)
    assert rows["segment", short] == pytest.approx(per_m * (100.0 - common))
    assert rows["segment", long] == pytest.approx(per_m * (10_000.0 - common))
    # Together each cable has the cuts of its length, and not half of them again.
    down = report.sites.set_index("site_id")["hours_down"]
    assert down["S1"] == pytest.approx(per_m * 100.0, rel=1e-3)
    assert down["S2"] == pytest.approx(per_m * 10_000.0, rel=1e-3)


def test_a_link_of_two_providers_fails_with_each_of_them() -> None:
    drawn = inventory(link(0, 1, provider="VNPT; Viettel"), link(1, 2, provider="VNPT"), sites=3)
    report = network_failures.analyse(drawn)
    cut = report.cut[report.cut["element"] == "provider"]
    lost = cut.groupby("name")["site_id"].agg(list).to_dict()
    assert lost == {"VNPT": ["S1", "S2"], "Viettel": ["S1", "S2"]}
    state = dedicated_network.status(drawn)
    counted = state.figures[state.figures["measure"] == "provider"]
    assert sorted(set(counted["group"])) == sorted(lost)
    assert state.figure("provider", group="VNPT") == (3, 3)
    assert state.figure("provider", group="Viettel") == (2, 3)


def test_loads_bottlenecks_and_a_conference_of_all_endpoints() -> None:
    drawn = inventory(
        link(0, 1, capacity_mbps=10.0),
        link(1, 2, capacity_mbps=6.0),
        link(0, 3, capacity_mbps=100.0),
        link(0, 3, capacity_mbps=10.0),
        sites=4,
        bandwidth_mbps=10.0,
        video_conference=True,
    )
    assumed = network_failures.assumptions() | {
        "growth": 0.5, "growth_years": 2.0, "busy_limit": 0.9, "busy_share_between": 0.0,
    }  # fmt: skip
    report = network_failures.analyse(drawn, assumed=assumed)
    links = report.links.set_index("link_id")
    # 3 down and 1 up of each site; those of S2 pass S1.
    assert links.loc["L0", "utilisation"] == pytest.approx(0.6)
    assert links.loc["L1", "utilisation"] == pytest.approx(0.5)
    assert links.loc["L0", "years_until_limit"] == pytest.approx(np.log(1.5) / np.log(1.5))
    assert links.loc["L0", "utilisation_later"] == pytest.approx(0.6 * 1.5**2)
    tight = report.summary["bottlenecks"]
    assert (tight["now"], tight["later"]) == ([], ["L0", "L1"])
    # The larger of two links side by side takes all.
    assert links.loc["L2", "utilisation"] == pytest.approx(0.03)
    assert links.loc["L3", "utilisation"] == 0.0
    conference = report.conference
    assert conference["endpoints"] == 3
    assert conference["bridge"] == "S0"
    # 4 Mbit/s more for each: 6 + 8 of 10, 3 + 4 of 6.
    assert links.loc["L0", "conference_utilisation"] == pytest.approx(1.4)
    assert links.loc["L1", "conference_utilisation"] == pytest.approx(7 / 6)
    assert conference["overloaded"] == conference["newly_overloaded"] == ["L0", "L1"]
    assert conference["disturbed"] == ["S1", "S2"]
    # L0 has 3 left for two, L1 has 2.4 left for one.
    assert conference["greatest_mbps"] == pytest.approx(1.5)


def test_of_several_data_centres_the_nearest_one_carries_a_site() -> None:
    at = networks.sites([{"role": "hub"}, {}, {}, {"role": "hub"}])
    drawn = Inventory(at, networks.links([link(0, 1), link(1, 2), link(2, 3)], at))
    assumed = network_failures.assumptions() | {"busy_share_between": 0.0}
    report = network_failures.analyse(drawn, assumed=assumed)
    loads = report.links["utilisation"].tolist()
    assert loads == pytest.approx([0.3, 0.0, 0.3])
    # What S1 and S2 send to each other takes the way between them.
    report = network_failures.analyse(drawn)
    assert report.links["utilisation"].tolist() == pytest.approx([0.3, 0.05, 0.3])
    assert report.cut["element"].isin(["provider"]).all()


def two_centres(order: list[int]) -> Inventory:
    """Return a ring of two data centres and sites that are as near to one as to the other."""
    rows = [
        {"site_id": "H2", "role": "hub"}, {"site_id": "H1", "role": "hub"}, {"site_id": "A"},
        {"site_id": "B"}, {"site_id": "C"},
    ]  # fmt: skip
    ends = [("H1", "A"), ("A", "B"), ("B", "H2"), ("H1", "C"), ("C", "H2")]
    at = networks.sites([rows[k] | {"video_conference": True} for k in order])
    lines = [{"link_id": f"{a}-{b}", "from_site": a, "to_site": b} for a, b in ends]
    return Inventory(at, networks.links(lines, at))


def test_loads_and_conferences_do_not_depend_on_the_order_of_rows() -> None:
    found = []
    for order in ([0, 1, 2, 3, 4], [1, 4, 3, 0, 2]):
        report = network_failures.analyse(two_centres(order))
        loads = report.links.set_index("link_id")[["utilisation", "conference_utilisation"]]
        found.append(loads.sort_index())
        assert report.conference["bridge"] == "H1"
        # C is as near to both and takes the first: 30 of its 100 Mbit/s come from H1.
        assert loads.loc["H1-C", "utilisation"] >= 0.3 > loads.loc["C-H2", "utilisation"]
    pd.testing.assert_frame_equal(*found)


def test_the_conference_bridge_is_where_most_endpoints_reach_it() -> None:
    ends = [link(1, 2), link(2, 3), link(3, 4)]
    rows = [{"role": "hub" if k < 2 else "access", "video_conference": True} for k in range(5)]
    for order in ([0, 1, 2, 3, 4], [1, 0, 4, 3, 2]):
        at = networks.sites([{"site_id": f"S{k}"} | rows[k] for k in order])
        found = network_failures.analyse(Inventory(at, networks.links(ends, at))).conference
        assert (found["bridge"], found["unreached"]) == ("S1", ["S0"])
    # Where the inventory says which equipment a site has, the bridge is there.
    rows[3]["equipment"] = "Router; MCU 40 ports"
    at = networks.sites([{"site_id": f"S{k}"} | row for k, row in enumerate(rows)])
    found = network_failures.analyse(Inventory(at, networks.links(ends, at))).conference
    assert (found["bridge"], found["unreached"]) == ("S3", ["S0"])


def test_a_cut_that_sends_traffic_over_a_small_link_is_told() -> None:
    drawn = inventory(
        link(0, 1, capacity_mbps=100.0),
        link(1, 2, capacity_mbps=10.0),
        link(0, 2, capacity_mbps=100.0),
        sites=3,
        bandwidth_mbps=40.0,
    )
    assumed = network_failures.assumptions() | {"busy_share_between": 0.0}
    report = network_failures.analyse(drawn, assumed=assumed)
    assert report.links["utilisation"].tolist() == pytest.approx([0.12, 0.0, 0.12])
    # 12 Mbit/s of one site pass the link of 10 Mbit/s, whichever of the others is cut.
    told = report.reroutes.set_index("link_id")
    assert sorted(told.index) == ["L0", "L2"]
    assert told["busiest"].tolist() == ["L1", "L1"]
    assert told["utilisation"].tolist() == pytest.approx([1.2, 1.2])
    assert report.summary["overloads_after_a_cut"][0]["busiest"] == "L1"


def joint(live: Network, chosen: list[int], assumed: dict[str, float]) -> float:
    """Return the share of time in which all of these sites reach S0, over all states."""
    links = live.links["availability_percent"].to_numpy(float) / 100.0
    nodes = np.array([assumed[f"site_{role}"] for role in live.sites["role"]]) / 100.0
    total = 0.0
    for up in itertools.product([True, False], repeat=len(links) + len(nodes)):
        share = float(np.prod(np.where(up, np.r_[links, nodes], 1.0 - np.r_[links, nodes])))
        graph = nx.Graph([(k, k) for k in range(len(nodes)) if up[len(links) + k]])
        graph.add_edges_from(
            (int(a), int(b))
            for k, (a, b) in enumerate(zip(live.tail, live.head, strict=True))
            if up[k] and int(a) in graph and int(b) in graph
        )
        if all(site in graph and 0 in graph and nx.has_path(graph, site, 0) for site in chosen):
            total += share
    return total


def test_sites_that_matter_together_are_served_together() -> None:
    ends = [link(0, 1), link(1, 2), link(2, 0), link(2, 3), link(3, 4)]
    ends = [each | {"availability_percent": 90.0 + k} for k, each in enumerate(ends)]
    drawn = inventory(*ends)
    critical = drawn.sites.assign(criticality=[5.0, 3.0, 4.0, 5.0, 1.0])
    drawn = Inventory(critical, drawn.links, None, None)
    assumed = network_failures.assumptions() | {"site_access": 97.0, "site_hub": 99.0}
    report = network_failures.analyse(drawn, assumed=assumed)
    # There is no gathering node and no endpoint.
    assert report.together["choice"].tolist() == ["critical"]
    row = report.together.iloc[0]
    assert (row["sites"], row["method"]) == (3, "exact")
    wanted = joint(report.network, [0, 2, 3], assumed)
    assert row["availability_percent"] == pytest.approx(100.0 * wanted)
    assert row["hours_down"] == pytest.approx(8760.0 * (1.0 - wanted))
    assert report.summary["served_together"] == [dict(row)]


def test_the_notes_say_what_is_not_known() -> None:
    drawn = inventory(
        link(0, 1, availability_percent=99.0, route="F1"),
        link(1, 2, medium="mobile"),
        sites=4,
        bandwidth_mbps=np.nan,
    )
    notes = [str(note) for note in network_failures.analyse(drawn).notes]
    assert "1 of 4 connected sites, such as S3, have no live path to a data centre" in notes
    assert any(note.startswith("1 of 2 links have no agreed availability") for note in notes)
    assert any(note.startswith("3 sites do not say which bandwidth") for note in notes)
    assert any(note.startswith("There are not two endpoints") for note in notes)
    assert not any("way of" in note for note in notes)


def workspace(folder: Path, drawn: Inventory) -> Workspace:
    info = StudyAreaInfo("test", "Thử", "Test", networks.CRS, True, 100.0)
    layers = {"zones": networks.zones(), "network_sites": drawn.sites, "network_links": drawn.links}
    origin = {name: Provenance("test", illustrative=True) for name in layers}
    return Workspace.replace(folder, info, layers, origin)


def test_results_are_written_and_say_where_they_come_from(tmp_path: Path) -> None:
    drawn = inventory(link(0, 1), link(1, 2, provider="=A"), link(0, 3), sites=4)
    area = workspace(tmp_path / "w", drawn)
    report = network_failures.analyse(area)
    network_failures.save(report, network_failures.with_origin(report, area), tmp_path / "o")
    written = json.loads((tmp_path / "o" / "failures.json").read_text("utf-8"))
    assert written["area"] == "test"
    assert written["provenance"]["illustrative"]
    assert written["single_failures"]["link"]["of"] == 3
    assert written["single_failures"]["link"]["cutting"] == 3
    worst = written["single_failures"]["link"]["worst"][0]
    assert (worst["name"], worst["title"], worst["sites"]) == ("L0", "S0 – S1", ["S1", "S2"])
    cut = pd.read_csv(tmp_path / "o" / "cut.csv")
    assert len(cut) == len(report.cut)
    links = pd.read_csv(tmp_path / "o" / "links.csv")
    assert links["provider"].tolist() == ["A", "'=A", "A"]
    shown = gpd.read_file(tmp_path / "o" / "failures.gpkg", layer="sites")
    assert shown["availability_percent"].tolist() == pytest.approx(
        report.sites["availability_percent"].tolist()
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("link_glass,99,%,no,me", "there is no assumption link_glass"),
        ("link_fibre,101,%,no,me", "row 2, column value: 101 .expected a number from 0 to 100"),
        ("growth,-1,a year,no,me", "row 2, column value: -1 .expected a number of at least 0"),
        ("growth,,a year,no,me", "row 2, column value: empty"),
        ("conference_rate,0,Mbit/s,no,me", "row 2, column value: 0 .expected a number above 0"),
        ("busy_limit,0,share,no,me", "row 2, .*: 0 .expected a number above 0 and at most 1"),
    ],
)
def test_assumptions_of_ones_own(tmp_path: Path, row: str, said: str) -> None:
    own = tmp_path / network_failures.OWN_FILE
    own.write_text("name,value,unit,verified,source\nlink_fibre,99.5,%,no,me\n", encoding="utf-8")
    assumed = network_failures.assumptions(tmp_path)
    assert assumed["link_fibre"] == 99.5
    assert assumed["link_copper"] == network_failures.assumptions()["link_copper"]
    own.write_text(f"name,value,unit,verified,source\n{row}\n", encoding="utf-8")
    with pytest.raises(InputError, match=said):
        network_failures.assumptions(tmp_path)


def test_an_own_table_says_which_assumptions_are_verified(tmp_path: Path) -> None:
    assert network_failures.verified() == network_failures.verified(tmp_path) == set()
    own = tmp_path / network_failures.OWN_FILE
    rows = "link_fibre,99.5,%,yes,records\nrepair_time,6,h,no,me\n"
    own.write_text(f"name,value,unit,verified,source\n{rows}", encoding="utf-8")
    assert network_failures.verified(tmp_path) == {"link_fibre"}


def test_every_medium_and_role_has_an_assumption() -> None:
    known = network_failures.assumptions()
    assert {f"link_{name}" for name in schema.LINK_MEDIA} <= set(known)
    assert {f"site_{name}" for name in schema.SITE_ROLES} <= set(known)
