"""Requirements are met, not met or cannot be checked, and say on what evidence."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import InputError
from planning import compliance
from planning import dedicated_network as network
from planning.compliance import Finding, Norm
from planning.dedicated_network import Inventory
from tests.planning.networks import DAYS, inventories, links, sites

HEAD = "norm,kind,sites,value,unit,valid_from,valid_to,instrument,article,source,verified,note\n"


def norm(kind: str, value: float = 100.0, about: str = "all", **more: object) -> Norm:
    unit = compliance.KINDS[kind]
    fields = {"valid_from": None, "valid_to": None, "instrument": "", "article": "",
              "source": "", "verified": False, "note": ""}  # fmt: skip
    return Norm(kind, kind, about, value, unit, **(fields | more))  # type: ignore[arg-type]


def found(inventory: Inventory, *asked: Norm, on: str | None = None) -> list[Finding]:
    return compliance.check(network.status(inventory, on), list(asked))


def said(inventory: Inventory, *asked: Norm) -> tuple[str, int, int, int, tuple[str, ...]]:
    (one,) = found(inventory, *asked)
    return one.result, one.count, one.of, one.unknown, one.failing


@pytest.fixture
def inventory() -> Inventory:
    """Return a data centre, a node with two ways to it, seats behind it, and one not connected."""
    frame = sites(
        [
            {"site_id": "H", "role": "hub", "level": "province", "criticality": 5.0},
            {"site_id": "N", "role": "aggregation", "criticality": 4.0, "video_conference": True},
            {"site_id": "M", "role": "aggregation"},
            {"site_id": "A", "video_conference": True},
            {"site_id": "B", "lan": False},
            {"site_id": "X", "status": "none", "connected_on": None, "lan": False},
        ]
    )
    sla = {"availability_percent": 99.9, "delay_ms": 5.0, "loss_percent": 0.05}
    lines = links(
        [
            {"link_id": "HN", "from_site": "H", "to_site": "N", "route": "F1", **sla},
            {"link_id": "HM", "from_site": "M", "to_site": "H", "route": "F2", **sla},
            {"link_id": "NM", "from_site": "N", "to_site": "M", "route": "F3", **sla},
            {"link_id": "NA", "from_site": "N", "to_site": "A", "capacity_mbps": 20.0, **sla},
            {"link_id": "MB", "from_site": "M", "to_site": "B", "medium": "microwave",
             "capacity_mbps": np.nan},
        ]
    )  # fmt: skip
    return Inventory(frame, lines)


def test_shares_name_those_that_are_missing(inventory: Inventory) -> None:
    assert said(inventory, norm("connected_share")) == ("not met", 5, 6, 0, ("X",))
    assert said(inventory, norm("connected_share", 80.0)) == ("met", 5, 6, 0, ("X",))
    assert said(inventory, norm("connected_share", about="province")) == ("met", 1, 1, 0, ())
    assert said(inventory, norm("lan_share")) == ("not met", 4, 6, 0, ("B", "X"))
    assert said(inventory, norm("reachable_share")) == ("met", 5, 5, 0, ())
    assert said(inventory, norm("video_conference_share", 50.0))[:3] == ("not met", 2, 6)
    (one,) = found(inventory, norm("connected_share"))
    assert str(one.evidence) == "5 of 6 sites meet it; not X"
    assert str(one.norm.requirement) == "at least 100 % connected"


@pytest.mark.parametrize(
    ("count", "failing", "unknown", "said"),
    [
        (1, (), 0, "1 of 1 sites meets it"),
        (1, ("X",), 1, "1 of 3 sites meets it, 1 lacks figures; not X"),
        (0, (), 1, "0 of 1 sites meet it, 1 lacks figures"),
        (2, (), 3, "2 of 5 sites meet it, 3 lack figures"),
        (0, ("X", "Y"), 0, "0 of 2 sites meet it; not X, Y"),
    ],
)
def test_evidence_speaks_of_one_site_as_of_one(count, failing, unknown, said) -> None:
    assert str(compliance._evidence(count, failing, unknown)) == said


def test_what_is_not_there_cannot_be_checked(inventory: Inventory) -> None:
    (one,) = found(inventory, norm("bandwidth", 50.0, "district"))
    assert (one.result, str(one.evidence)) == (
        "cannot be checked",
        "there is no such site on that day",
    )
    for kind in ("addressing", "security_level"):
        (one,) = found(inventory, norm(kind))
        assert (one.result, one.unknown) == ("cannot be checked", 5)
        assert str(one.evidence) == "0 of 5 sites meet it, 5 lack figures"
    without = Inventory(
        inventory.sites.assign(role=inventory.sites["role"].replace("hub", "access")),
        inventory.links,
    )
    for kind in ("protected", "availability", "delay", "loss", "wired_share", "reachable_share"):
        (one,) = found(without, norm(kind, 1.0))
        assert one.result == "cannot be checked"
        assert "no connected site is a data centre" in str(one.evidence)


def test_addresses_and_security_levels_are_checked_where_they_are_known(
    inventory: Inventory,
) -> None:
    connected = inventory.sites["status"] == "connected"
    ranges = [f"10.1.{k}.0/24" if here else None for k, here in enumerate(connected)]
    sites = inventory.sites.assign(addresses=ranges, security_level=3.0)
    known = Inventory(sites, inventory.links)
    assert said(known, norm("addressing"))[:2] == ("met", 5)
    assert said(known, norm("security_level", 3.0))[:2] == ("met", 5)
    # The second one lies in a range of the first, and has a lower level.
    first, second = np.flatnonzero(connected)[:2]
    sites.loc[sites.index[first], "addresses"] = "10.1.0.0/16; fd00::/48"
    sites.loc[sites.index[second], "security_level"] = 2.0
    (one,) = found(known, norm("addressing"))
    assert one.result == "not met"
    assert one.failing == tuple(sites.loc[connected, "site_id"])
    (one,) = found(known, norm("security_level", 3.0))
    assert (one.result, one.failing) == ("not met", (sites["site_id"].iloc[second],))


def test_bandwidth_is_that_of_the_largest_link(inventory: Inventory) -> None:
    asked = norm("bandwidth", 100.0)
    # The link of B has no figure: nobody can tell.
    assert said(inventory, asked) == ("not met", 3, 4, 1, ("A",))
    assert said(inventory, norm("bandwidth", 20.0)) == ("cannot be checked", 4, 4, 1, ())
    known = inventory.links.assign(capacity_mbps=inventory.links["capacity_mbps"].fillna(100.0))
    assert said(Inventory(inventory.sites, known), norm("bandwidth", 20.0))[0] == "met"


def test_protection_asks_for_apart_ways(inventory: Inventory) -> None:
    assert said(inventory, norm("protected", about="aggregation"))[:2] == ("met", 2)
    assert said(inventory, norm("protected")) == ("not met", 3, 5, 0, ("A", "B"))
    # The ways of N and M in one duct are no two ways.
    shared = inventory.links.assign(route=["F1", "F1", "F3", None, None])
    assert said(Inventory(inventory.sites, shared), norm("protected", about="aggregation")) == (
        "not met", 0, 2, 0, ("N", "M"),
    )  # fmt: skip


def test_wires_must_lead_all_the_way(inventory: Inventory) -> None:
    assert said(inventory, norm("wired_share")) == ("not met", 4, 5, 0, ("B",))
    radio = inventory.links.assign(medium=["microwave", "microwave", "fibre", "fibre", "fibre"])
    assert said(Inventory(inventory.sites, radio), norm("wired_share"))[1] == 1


def test_what_contracts_leave_open_counts_neither_way(inventory: Inventory) -> None:
    facts = compliance._Facts(network.status(inventory))
    low, high = facts.availability
    ring = 1.0 - 0.001 * (1.0 - 0.999**2)
    assert low == pytest.approx([100, 100 * ring, 100 * ring, 99.9 * ring, 0.0])
    assert high == pytest.approx([100, 100 * ring, 100 * ring, 99.9 * ring, 100 * ring])
    assert said(inventory, norm("availability", 99.95)) == ("not met", 3, 4, 1, ("A",))
    assert said(inventory, norm("availability", 99.5))[:4] == ("cannot be checked", 4, 4, 1)
    # Five milliseconds on each of the two links of A, unknown ones on the second of B.
    assert said(inventory, norm("delay", 10.0)) == ("cannot be checked", 4, 4, 1, ())
    assert said(inventory, norm("delay", 9.0)) == ("not met", 3, 4, 1, ("A",))
    assert said(inventory, norm("delay", 4.0))[4] == ("N", "M", "A", "B")
    assert facts.loss[1][3] == pytest.approx(100 * (1 - 0.9995**2))
    assert said(inventory, norm("loss", 0.05))[:3] == ("not met", 3, 4)
    assert said(inventory, norm("loss", 0.1, "endpoint")) == ("met", 2, 2, 0, ())


def test_sites_without_a_way_fail(inventory: Inventory) -> None:
    cut = Inventory(inventory.sites, inventory.links.iloc[:3].reset_index(drop=True))
    for kind, value in (("availability", 1.0), ("delay", 1e6), ("loss", 99.9)):
        assert said(cut, norm(kind, value)) == ("not met", 3, 5, 0, ("A", "B")), kind


def test_requirements_hold_for_their_time(inventory: Inventory) -> None:
    old = norm("connected_share", valid_to="2022-12-31")
    new = norm("connected_share", valid_from="2023-01-01")
    assert [one.norm for one in found(inventory, old, new)] == [new]
    assert [one.norm for one in found(inventory, old, new, on="2022-12-31")] == [old]
    assert [one.norm for one in found(inventory, old, new, on="2023-01-01")] == [new]


@settings(max_examples=40, deadline=None)
@given(inventories(), st.sampled_from([None, *DAYS]), st.floats(0.0, 100.0))
def test_results_agree_with_counting(inventory: Inventory, day: str | None, share: float) -> None:
    state = network.status(inventory, day)
    for kind in ("connected_share", "lan_share", "reachable_share"):
        (one,) = compliance.check(state, [norm(kind, share)])
        count, of = state.figure(kind.removesuffix("_share"))
        if one.result == "cannot be checked":
            assert of == 0 or not state.network.hub.any()
        else:
            assert (one.count, one.of) == (count, of)
            assert (one.result == "met") == (100.0 * count >= share * of - 1e-6)
            assert len(one.failing) == of - count


@settings(max_examples=30, deadline=None)
@given(inventories(with_ends=False))
def test_protected_are_those_that_no_removal_cuts_off(inventory: Inventory) -> None:
    state = network.status(inventory)
    live = state.network
    (one,) = compliance.check(state, [norm("protected")])
    if one.result == "cannot be checked":
        return
    names = live.sites["site_id"].tolist()
    hubs = [name for name, hub in zip(names, live.hub, strict=True) if hub]
    ends = list(zip(live.links["from_site"], live.links["to_site"], strict=True))

    def reached(without: set[int], gone: str | None = None) -> set[str]:
        graph = nx.Graph()
        graph.add_nodes_from(name for name in names if name != gone)
        graph.add_edges_from(
            pair for k, pair in enumerate(ends) if k not in without and gone not in pair
        )
        seen: set[str] = set()
        for hub in hubs:
            if hub != gone:
                seen |= nx.node_connected_component(graph, hub)
        return seen

    safe = reached(set())
    for k in range(len(ends)):
        safe &= reached({k})
    for group, rows in live.risk_groups.items():
        if not group.startswith("provider:"):
            safe &= reached(set(rows.tolist()))
    for name in set(names) - set(hubs):
        safe &= reached(set(), name) | {name}
    assert set(names) - safe == set(one.failing)


def test_the_built_in_table_says_where_it_comes_from() -> None:
    table = compliance.norms()
    assert {each.kind for each in table} >= {
        "connected_share", "bandwidth", "protected", "availability", "delay", "loss", "addressing",
    }  # fmt: skip
    assert all(each.source for each in table)
    assert not any(each.verified for each in table if not each.instrument)
    for each in table:
        assert "{" not in str(each.requirement)
        assert each.instrument or "assumption" in each.source or "press report" in each.source
    # At most one bandwidth for the communes of a day.
    for day in ("2020-11-16", "2025-06-28", "2025-06-29", "2026-01-01"):
        of_communes = [n for n in table if (n.kind, n.sites) == ("bandwidth", "commune")]
        assert sum(each.holds_on(day) for each in of_communes) == 1


def test_requirements_that_end_are_told_where_they_are_not_checked(
    tmp_path: Path, inventory: Inventory
) -> None:
    row = "later,connected_share,all,100,%,,2099-12-31,,,me,no,\n"
    (tmp_path / compliance.OWN_FILE).write_text(HEAD + row, encoding="utf-8")
    asked = compliance.norms(tmp_path)
    recorded = network.status(inventory)
    assert compliance.check(recorded, asked) == []
    (note,) = compliance.notes(recorded, asked)
    assert "are not checked, whether it is over or not: 1, the latest 2099-12-31" in str(note)
    on_a_day = network.status(inventory, "2026-11-29")
    assert len(compliance.check(on_a_day, asked)) == 1
    assert compliance.notes(on_a_day, asked) == []


def test_a_workspace_brings_its_own_table(tmp_path: Path, inventory: Inventory) -> None:
    own = tmp_path / compliance.OWN_FILE
    own.write_text(
        HEAD + "link,bandwidth,commune,30,Mbit/s,,,Verordnung 7,§ 3,gazette,yes,\n", "utf-8"
    )
    (only,) = compliance.norms(tmp_path)
    assert (only.value, only.instrument, only.article, only.verified) == (
        30.0, "Verordnung 7", "§ 3", True,
    )  # fmt: skip
    table = compliance.table(found(inventory, only))
    assert table.loc[0, ["result", "failing", "verified"]].tolist() == ["not met", "A", "yes"]
    assert table.loc[0, "requirement"] == "a link of at least 30 Mbit/s"
    own.unlink()
    assert compliance.norms(tmp_path) == compliance.norms()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,speed,all,1,%,,,,,s,no,", "column kind: speed .expected one of connected_share"),
        ("a,lan_share,towns,1,%,,,,,s,no,", "column sites: towns .expected one of all"),
        ("a,lan_share,all,101,%,,,,,s,no,", "column value: 101 .expected a number from 0 to 100"),
        ("a,lan_share,all,viel,%,,,,,s,no,", "column value: viel"),
        ("a,lan_share,all,1,Mbit/s,,,,,s,no,", "column unit: Mbit/s .expected %"),
        ("a,lan_share,all,1,%,,,,,s,maybe,", "column verified: maybe .expected yes or no"),
        ("a,lan_share,all,1,%,2020-02-30,,,,s,no,", "column valid_from: 2020-02-30"),
        ("a,lan_share,all,1,%,2020-02-03,2020-02-01,,,s,no,", "column valid_to: 2020-02-01"),
        (",lan_share,all,1,%,,,,,s,no,", "column norm: –"),
    ],
)
def test_a_faulty_row_is_named(tmp_path: Path, row: str, reason: str) -> None:
    (tmp_path / compliance.OWN_FILE).write_text(HEAD + row + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=f"network_norms.csv, row 2, {reason}"):
        compliance.norms(tmp_path)


def test_a_name_is_there_once(tmp_path: Path) -> None:
    row = "a,lan_share,all,1,%,,,,,s,no,\n"
    (tmp_path / compliance.OWN_FILE).write_text(HEAD + row + row, encoding="utf-8")
    with pytest.raises(InputError, match="row 3, column norm: a"):
        compliance.norms(tmp_path)
