"""The page of the dedicated network: status, failures and design, in both languages."""

from __future__ import annotations

import io
import re
import time
import zipfile
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from app import formats, i18n, labels, money
from app.components import (
    failure_facts,
    network_data,
    network_design,
    network_diagram,
    network_map,
    network_phases,
)
from data.errors import message
from data.store import Workspace
from planning import compliance, cost, dedicated_network, network_failures
from planning import network_design as planner
from tests.app.how_buttons import explained, turned
from tests.app.test_pages import healthy, texts, wait_for
from tests.areas import small_area, write_area
from tests.planning import networks

TITLES = {"vi": "Mạng truyền số liệu chuyên dùng · Thử", "en": "Dedicated network · Test"}


def part(app, title: str):
    """Look at another part of the page."""
    app.session_state["network.part"] = i18n.translate(message(title))
    return app.run()


def table_with(app, column: str):
    return next(item.value for item in app.dataframe if column in item.value.columns)


def button(app, label: str):
    (found,) = [item for item in app.button if item.label == label]
    return found


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("title", ["Status", "Failures", "Design"])
def test_every_part_shows_and_shows_again(start, bare, language, title) -> None:
    app = part(start(bare, "network", language), title)
    healthy(app)
    assert app.title[0].value == TITLES[language]
    app.run()
    healthy(app)


def test_without_a_network_the_page_says_what_to_do(start, tmp_path) -> None:
    area = small_area()
    layers = ("network_sites", "network_links")
    workspace = write_area(tmp_path / "none", area, without=layers)
    app = start(workspace, "network", "en")
    healthy(app)
    assert "There is no dedicated network yet" in app.info[0].value
    assert not app.tabs


def test_without_a_data_centre_nobody_can_be_cut_off(start, tmp_path) -> None:
    area = small_area()
    sites = area.network_sites.assign(role="access")
    workspace = write_area(tmp_path / "none", area, network_sites=sites)
    app = part(start(workspace, "network", "en"), "Failures")
    healthy(app)
    assert "No connected site is a data centre" in app.info[0].value
    part(app, "Design")
    healthy(app)
    assert "nothing to lead to" in app.info[0].value


def test_every_share_has_its_denominator(start, bare) -> None:
    state = dedicated_network.status(bare)
    app = start(bare, "network", "en")
    said = texts(app)
    for level in ("all", "province", "commune"):
        count, of = state.figure("connected", level)
        assert f"{100 * count / of:.1f}% {count} of {of}" in re.sub(r"\s+", " ", said)
    zones = table_with(app, "Unit")
    rows = state.figures
    rows = rows[(rows["zone_level"] == "commune") & (rows["level"] == "all")]
    assert zones["Sites"].sum() == rows.loc[rows["measure"] == "connected", "of"].sum()


def test_on_a_planned_day_more_sites_are_connected(start, bare) -> None:
    sites = bare.read("network_sites")
    later = dedicated_network.status(bare, "2030-01-01").figure("connected")
    now = dedicated_network.status(bare).figure("connected")
    assert later > now
    app = start(bare, "network", "en")
    app.button_group(key="keep.network_way").set_value("day").run()
    app.date_input(key="keep.network_day").set_value("2030-01-01").run()
    healthy(app)
    assert f"{later[0]} of {later[1]}" in texts(app)
    assert sites["status"].eq("planned").any()


def test_requirements_have_their_results_and_evidence(start, bare) -> None:
    state = dedicated_network.status(bare)
    found = compliance.check_workspace(bare, state)
    app = start(bare, "network", "en")
    said = texts(app)
    for result in ("met", "not met", "cannot be checked"):
        assert f"{result}: {sum(item.result == result for item in found)}" in said
    for item in found:
        assert str(item.evidence) in said
    app = start(bare, "network", "vi")
    said = texts(app)
    assert "không kiểm tra được" in said
    for item in found:
        assert str(item.norm.requirement) not in said, "a requirement is not translated"


def test_evidence_is_said_in_vietnamese(speak) -> None:
    speak("vi")
    for count, unknown in ((1, 1), (2, 3)):
        said = i18n.translate(compliance._evidence(count, ("X",), unknown))
        total = count + 1 + unknown
        assert said == (
            f"{count} trong {total} điểm đáp ứng, {unknown} điểm thiếu số liệu; không đáp ứng: X"
        )


def test_the_prices_of_leased_links_are_shown_and_missing_ones_counted(start, own) -> None:
    links = own.read("network_links")
    leased = links.index[links["ownership"] == "leased"]
    price = links["cost_month"].where(links.index != leased[0])
    changed = links.assign(
        cost_month=price, ownership=links["ownership"].where(links["ownership"] != "own")
    )
    own.write({"network_links": changed}, {"network_links": own.provenance()["network_links"]})
    state = dedicated_network.status(own)
    row = state.figures[state.figures["measure"] == "lease"].iloc[0]
    assert (row["group"], row["of"] - row["count"]) == ("", 1)
    app = start(own, "network", "en")
    healthy(app)
    said = re.sub(r"\s+", " ", texts(app).replace("\u00a0", " "))
    paid = money.written(row["value"], "VND").replace("\u00a0", " ")
    assert f"{paid} {row['count']} of {row['of']} links have a price" in said
    silent = len(state.network.links) - row["of"]
    assert silent > 0
    assert f"own or leased, and are not in the table: {silent}." in said
    said = texts(start(own, "network", "vi"))
    assert "Mọi nhà cung cấp" in said


def test_requirements_that_end_are_told_on_the_page(start, bare) -> None:
    app = start(bare, "network", "vi")
    assert any("muộn nhất 30/06/2025" in item.value for item in app.caption)


def test_an_own_table_of_requirements_counts_at_once(start, own) -> None:
    app = start(own, "network", "en")
    assert "an approved security level" in texts(app)
    rows = compliance.TABLE.read_text(encoding="utf-8").splitlines()
    (own.folder / compliance.OWN_FILE).write_text("\n".join(rows[:2]) + "\n", encoding="utf-8")
    app.run()
    healthy(app)
    assert "an approved security level" not in texts(app)


def test_another_failure_changes_who_is_cut_off(start, bare) -> None:
    report = network_failures.analyse(bare)
    lost = report.cut.groupby(["element", "name"])["site_id"].agg(set)
    app = part(start(bare, "network", "en"), "Failures")
    app.button_group(key="keep.network_kind").set_value("site").run()
    listed = []
    for site in ("NS0001", "NS0005", "NS0002"):
        app.selectbox(key="keep.network_site").set_value(site).run()
        healthy(app)
        shown = table_with(app, "Cut off")
        assert set(shown["Site"]) == lost.get(("site", site), set())
        listed.append(len(shown))
    assert listed[0] > listed[1] > listed[2] == 0
    # NS0002 hangs from one site and nothing hangs from it; of two links one is enough.
    assert "no other served site is reached through it" in app.success[0].value
    spare = sorted(set(report.network.links["link_id"]) - {name for _, name in lost.index})
    app.button_group(key="keep.network_kind").set_value("link").run()
    app.selectbox(key="keep.network_link").set_value(spare[0]).run()
    assert "there is another way" in app.success[0].value
    app.button_group(key="keep.network_kind").set_value("provider").run()
    healthy(app)
    name = app.selectbox(key="keep.network_provider").value
    assert set(table_with(app, "Cut off")["Site"]) == lost["provider", name]


def test_the_page_says_what_a_conference_does_by_itself(start, own) -> None:
    found = network_failures.analyse(own).conference
    app = part(start(own, "network", "en"), "Failures")
    new = len(found["newly_overloaded"])
    others = len(found["overloaded"]) - new
    assert f"overloads {new} links, besides {others} that are overloaded anyway" in texts(app)
    # An endpoint that has links, but none that leads to the bridge.
    sites, links = own.read("network_sites"), own.read("network_links")
    origin = own.provenance()
    first = sites.index[sites["site_id"] == found["bridge"]][0]
    far = sites.loc[[first]].assign(site_id="FAR", name="Trung tâm hai")
    own.write(
        {"network_sites": pd.concat([sites, far], ignore_index=True), "network_links": links},
        {name: origin[name] for name in ("network_sites", "network_links")},
    )
    app.run()
    healthy(app)
    assert "Endpoints without a way to the bridge: Trung tâm hai" in texts(app)


def test_a_click_on_the_map_lets_a_site_or_a_link_fail(start, bare) -> None:
    live = dedicated_network.network(bare)
    here = live.sites.geometry.to_crs("EPSG:4326").iloc[4]
    assert network_map.clicked_on(bare, live, (here.y, here.x)) == ("site", 4)
    link = int(np.flatnonzero((live.tail == 4) | (live.head == 4))[-1])
    ends = live.sites.geometry.iloc[[live.tail[link], live.head[link]]]
    middle = ends.iloc[:1].translate(
        0.5 * (ends.iloc[1].x - ends.iloc[0].x), 0.5 * (ends.iloc[1].y - ends.iloc[0].y)
    )
    middle = middle.to_crs("EPSG:4326").iloc[0]
    kind, position = network_map.clicked_on(bare, live, (middle.y, middle.x))
    assert kind == "link"
    assert {live.tail[position], live.head[position]} == {live.tail[link], live.head[link]}
    assert network_map.clicked_on(bare, live, (0.0, 0.0)) is None
    app = part(start(bare, "network", "en"), "Failures")
    app.session_state["network.pick"] = ("site", "NS0005")
    app.run()
    healthy(app)
    assert app.button_group(key="keep.network_kind").value == "site"
    assert app.selectbox(key="keep.network_site").value == "NS0005"


def test_the_page_ranks_and_says_how_often_sites_are_served(start, bare) -> None:
    report = network_failures.analyse(bare)
    app = part(start(bare, "network", "vi"), "Failures")
    healthy(app)
    assert len(table_with(app, "Tổn thất dự kiến")) == len(report.failures)
    served = table_with(app, "Độ sẵn sàng")
    assert len(served) == len(report.sites)
    least = report.sites["availability_percent"].min()
    assert served["Độ sẵn sàng"].iloc[0] == f"{least:.3f}".replace(".", ",") + "\u00a0%"
    busiest = report.links["utilisation_later"].max()
    shown = table_with(app, "Sau 5 năm")["Sau 5 năm"].iloc[0]
    assert shown == f"{100 * busiest:.1f}".replace(".", ",") + "\u00a0%"
    found = explained(app, "vi")
    assert len(found["failures"]) > len(found["load"]) > 5
    assert ("Tính bằng", "planning.network_load.loads") in found["load"]


def test_every_assumption_has_a_name() -> None:
    assert set(network_failures.assumptions()) == set(failure_facts.ASSUMED)


def test_the_page_says_how_many_assumptions_are_verified(start, own) -> None:
    app = part(start(own, "network", "en"), "Failures")
    assert "None of these is verified." in texts(app)
    path = own.folder / network_failures.OWN_FILE
    path.write_text("name,value,unit,verified,source\nrepair_time,6,h,yes,x\n", encoding="utf-8")
    app.run()
    healthy(app)
    assert "None of these is verified." not in texts(app)
    assert f"1 of {len(network_failures.assumptions())} are marked as verified." in texts(app)


def test_a_wrong_own_assumption_is_one_sentence(start, own) -> None:
    path = own.folder / network_failures.OWN_FILE
    path.write_text("name,value,unit,verified,source\nrepair_time,-3,h,no,x\n", encoding="utf-8")
    app = part(start(own, "network", "en"), "Failures")
    assert not app.exception
    assert "repair_time" in app.error[0].value or "-3" in app.error[0].value


# The diagram


def network_of(rows, links):
    sites = networks.sites(rows)
    return dedicated_network.network(
        dedicated_network.Inventory(sites, networks.links(links, sites))
    )


def test_ends_hang_from_the_node_that_is_fewest_links_away() -> None:
    live = network_of(
        [{"role": "hub"}, {"role": "aggregation"}, {"role": "aggregation"}, {}, {}, {}, {}],
        [
            {"from_site": "S0", "to_site": "S1"},
            {"from_site": "S1", "to_site": "S2"},
            {"from_site": "S2", "to_site": "S3"},
            {"from_site": "S3", "to_site": "S4"},
            {"from_site": "S0", "to_site": "S5"},
        ],
    )
    found = network_diagram.tiers(live)
    assert found.centres == [0]
    assert found.nodes == [1, 2]
    assert found.members == {2: [3, 4], 0: [5], -1: [6]}


@pytest.mark.parametrize("ends", [0, 1, 150])
def test_the_diagram_draws_every_site_once(ends) -> None:
    rows = [{"role": "hub"}, {"role": "aggregation"}, {"role": "aggregation"}, *[{}] * ends]
    links = [{"from_site": "S0", "to_site": "S1"}, {"from_site": "S0", "to_site": "S2"}]
    links += [{"from_site": f"S{1 + k % 2}", "to_site": f"S{3 + k}"} for k in range(ends)]
    live = network_of(rows, links)
    failed = np.array([0], np.int64)
    drawn = network_diagram.chart(live, ["#1d7f8c"] * len(rows), failed_links=failed).to_dict()
    data = [values for values in drawn["datasets"].values() if values]
    boxes = next(values for values in data if "x2" in values[0])
    # More ends than fit are counted, one box for each node.
    shown = ends if ends / 2 <= network_diagram.MOST_SQUARES else 2
    assert len(boxes) == 3 + shown
    down = [point for values in data if "link" in values[0] for point in values if point["down"]]
    assert {point["link"] for point in down} == {0}


# Design


def test_a_network_is_designed_and_taken_along(start, bare) -> None:
    app = part(start(bare, "network", "en"), "Design")
    assert "Sites that are not connected: 1" in app.expander[0].label
    button(app, "Design the network").click().run()
    wait_for(app, lambda a: bool(a.metric))
    healthy(app)
    assert app.metric[0].value == "1 of 1"
    said = " ".join(item.value for item in app.markdown)
    assert "(proven)" in said
    facts = dict(explained(app, "en")["network_design"])
    design = app.session_state["network.design"][1].design
    assert facts["Computed by"] == "planning.network_design.design"
    assert facts["Protect from any single cut"] == labels.norm_sites("aggregation")
    assert facts["Time for the search"].endswith("12\u00a0s")
    assert facts["Proven bound"].endswith(money.written(design.bound, "VND"))
    assert facts["Gap to the bound"] == formats.percent(design.gap, 2)
    prices = [value for name, value in facts.items() if name.startswith("Price: ")]
    assert len(prices) == len(design.bill)
    assert all("planning assumption, not checked" in price for price in prices)
    assert facts["Dedicated network sites"].startswith("illustrative")
    bill = table_with(app, "Quantity")
    assert bill["Item"].iloc[-1] == "Total"
    made = app.session_state["network.design"][1]
    assert zipfile.is_zipfile(io.BytesIO(made.files["bill.xlsx"]))
    assert made.files["design.gpkg"].startswith(b"SQLite format 3")
    app.number_input(key="keep.network_years").set_value(2)
    app.number_input(key="keep.network_first_year").set_value(2031).run()
    button(app, "Plan the years").click().run()
    wait_for(app, lambda a: any("Spent" in item.value.columns for item in a.dataframe))
    healthy(app)
    years = table_with(app, "Spent")
    assert years["Year"].tolist() == ["today", "2031", "2032"]
    assert years["Sites connected"].tolist()[0] == "6"
    assert years["Sites connected"].tolist()[-1] == "7"
    assert table_with(app, "To do")["Why not"].eq("").all()
    facts = dict(explained(app, "en")["phases"])
    assert facts["Budgets"].startswith("2031: ")
    assert facts["Computed by"] == "planning.network_phases.plan"
    part(turned(app, "vi"), "Design")
    healthy(app)
    for section in ("network_design", "phases"):
        assert all(value for _, value in explained(app, "vi")[section])
    assert "giả định quy hoạch, chưa kiểm chứng" in str(explained(app, "vi")["network_design"])
    part(turned(app, "en"), "Design")
    # Other prices: the old answer is no longer shown, until they are taken back.
    prices = bare.folder / cost.OWN_FILE
    table = cost.TABLE.read_text("utf-8")
    prices.write_text(table.replace("25000000,45000000,", "25000000,70000000,"), "utf-8")
    app.run()
    healthy(app)
    assert not app.metric
    assert "made anew" in texts(app)
    prices.unlink()
    app.run()
    assert app.metric
    # Another question: the old answer is no longer shown.
    app.number_input(key="network.budget").set_value(1.0).run()
    healthy(app)
    assert not app.metric
    assert "made anew" in texts(app)


def test_a_design_can_be_cancelled(start, bare, monkeypatch) -> None:
    def endless(*_args, on_progress, **_options):
        while True:
            on_progress(0.1)
            time.sleep(0.01)

    monkeypatch.setattr(planner, "design", endless)
    app = part(start(bare, "network", "en"), "Design")
    button(app, "Design the network").click().run()
    wait_for(app, lambda a: any(item.label == "Cancel" for item in a.button))
    button(app, "Cancel").click().run()
    wait_for(app, lambda a: any("Cancelled" in item.value for item in a.info))


@pytest.mark.parametrize(("language", "said"), [("en", "keeps the priorities"), ("vi", "ưu tiên")])
@pytest.mark.parametrize("gap", [0.0, 0.25])
def test_the_years_are_proven_for_their_priorities_only(speak, language, said, gap) -> None:
    # With strict classes, another order may well bring more years of service in all.
    speak(language)
    sentence = network_phases.proof(SimpleNamespace(summary={"gap": gap}))
    assert said in sentence
    assert (formats.percent(gap) in sentence) == (gap > 0.0)


def test_the_gap_is_said_in_words(bare) -> None:
    made = planner.design(bare, planner.NetworkDesignRequest(points=0, time_limit_s=1.0))
    i18n.use("en")
    try:
        assert "(proven)" in network_design.proof(made)
    finally:
        i18n.use(i18n.DEFAULT)


def test_a_report_is_computed_once(start, own: Workspace, monkeypatch) -> None:
    calls = []
    analyse = network_failures.analyse

    def counted(*args, **options):
        calls.append(1)
        return analyse(*args, **options)

    monkeypatch.setattr(network_data.network_failures, "analyse", counted)
    links = own.read("network_links")
    provenance = {"network_links": own.provenance()["network_links"]}
    own.write({"network_links": links.assign(cost_month=1.0)}, provenance)
    app = part(start(own, "network", "en"), "Failures")
    app.run()
    healthy(app)
    assert len(calls) == 1
