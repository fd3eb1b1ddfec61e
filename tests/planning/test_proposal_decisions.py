"""Consent to a site, and the scenario in which it becomes a mast: both or neither."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from coverage.request import cells_of
from data.errors import InputError
from data.records.engine import Records
from data.records.failures import StaleError
from planning import proposal_decisions, proposals, scenarios, site_plans, site_request
from planning.accounts import Actor, ForbiddenError, Role
from planning.proposal_decisions import NewScenario
from planning.proposal_figures import Evaluation
from planning.proposal_workflow import Action, Document, Status
from tests.areas import small_area, write_area
from tests.planning.test_proposals import ALPHA, BETA, CONSENT, PLANNER, VIEWER, wish


@pytest.fixture(scope="module")
def area(tmp_path_factory):
    return write_area(tmp_path_factory.mktemp("decisions") / "area", small_area())


def ask(records: Records, area, number: int = 0, **changes):
    point = area.read("masts").geometry.to_crs("EPSG:4326").iloc[number]
    given = wish(lon=point.x + 0.002, lat=point.y, reference=f"R{number}", **changes)
    return proposals.create(records, ALPHA, area.folder.name, given, submit=True)


def test_a_consented_site_is_a_mast_of_the_scenario(records, area) -> None:
    made = ask(records, area)
    base = scenarios.create(records, PLANNER, area.folder.name, "Plan")
    done = proposal_decisions.approve(
        records, PLANNER, made.id, CONSENT, workspace=area, scenario=base.id
    )
    assert (done.status, done.scenario_id) == (Status.APPROVED, base.id)
    scenario = scenarios.get(records, PLANNER, base.id)
    changed = scenarios.materialise(area, scenario)
    masts = changed.read("masts").set_index("mast_id")
    mast = masts.loc[f"P{made.id}-R0"]
    assert (mast["owner"], mast["height_m"], mast["status"]) == ("Alpha", 42.0, "existing")
    cells = cells_of(changed)
    mine = cells[cells["mast_id"] == f"P{made.id}-R0"]
    assert set(mine["technology"]) == {"3G", "4G"}
    assert set(mine["operator"]) == {"Alpha"}
    assert len(masts) == len(area.read("masts")) + 1


def test_sharing_hangs_cells_on_the_mast_that_is_there(records, area) -> None:
    masts = area.read("masts")
    free = masts[masts["shareable"] & (masts["max_tenants"] > 1)].iloc[0]
    made = ask(records, area, kind="share", mast_id=free["mast_id"])
    done = proposal_decisions.approve(
        records, PLANNER, made.id, CONSENT, workspace=area, scenario=NewScenario("Shared")
    )
    scenario = scenarios.get(records, PLANNER, done.scenario_id)
    assert scenario.title == "Shared"
    cells = cells_of(scenarios.materialise(area, scenario))
    mine = cells[cells["operator"] == "Alpha"]
    assert set(mine["mast_id"]) == {free["mast_id"]}
    assert mine["antenna_height_m"].max() <= free["height_m"]


def test_what_does_not_fit_the_scenario_changes_neither(records, area) -> None:
    masts = area.read("masts")
    closed = masts[~masts["shareable"]].iloc[0]
    made = ask(records, area, kind="share", mast_id=closed["mast_id"])
    before = scenarios.create(records, PLANNER, area.folder.name, "Plan")
    with pytest.raises(InputError, match="others may use"):
        proposal_decisions.approve(
            records, PLANNER, made.id, CONSENT, workspace=area, scenario=before.id
        )
    with pytest.raises(InputError, match="others may use"):
        proposal_decisions.approve(
            records, PLANNER, made.id, CONSENT, workspace=area, scenario=NewScenario("x")
        )
    with pytest.raises(InputError, match="number of the document is missing"):
        proposal_decisions.approve(
            records, PLANNER, ask(records, area, 1).id, Document("", "2026-01-01"),
            workspace=area, scenario=NewScenario("x"),
        )  # fmt: skip
    assert scenarios.list_of(records, PLANNER, area.folder.name) == [before]
    assert proposals.get(records, PLANNER, made.id).status is Status.SUBMITTED


def test_two_planners_consenting_at_once_plan_it_once(records, area) -> None:
    made = ask(records, area)
    base = scenarios.create(records, PLANNER, area.folder.name, "Plan")
    gate = threading.Barrier(2)

    def consent(number: str) -> bool:
        gate.wait()
        try:
            proposal_decisions.approve(
                records,
                PLANNER,
                made.id,
                Document(number, "2024-07-28"),
                workspace=area,
                scenario=base.id,
                expected_version=made.version,
            )
        except StaleError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(consent, "12")) == [False, True]
    assert len(scenarios.get(records, PLANNER, base.id).changes) == 1
    assert len(proposals.steps(records, ALPHA, made.id)) == 1


def test_sites_consented_at_once_all_come_into_the_scenario(records, area) -> None:
    made = [ask(records, area, number) for number in range(4)]
    base = scenarios.create(records, PLANNER, area.folder.name, "Plan")

    def consent(item) -> int:
        return proposal_decisions.approve(
            records, PLANNER, item.id, CONSENT, workspace=area, scenario=base.id
        ).id

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(consent, made))
    names = {change.mast["mast_id"] for change in scenarios.get(records, PLANNER, base.id).changes}
    assert names == {f"P{item.id}-{item.request.reference}" for item in made}


def test_an_approved_site_can_be_planned_later(records, area) -> None:
    made = ask(records, area)
    with pytest.raises(InputError, match="not possible"):
        proposal_decisions.plan(records, PLANNER, made.id, area, NewScenario("early"))
    proposal_decisions.approve(records, PLANNER, made.id, CONSENT)
    done = proposal_decisions.plan(records, PLANNER, made.id, area, NewScenario("later"))
    assert done.scenario_id is not None
    with pytest.raises(ForbiddenError):
        proposal_decisions.plan(records, ALPHA, made.id, area, NewScenario("mine"))
    assert [s.title for s in scenarios.list_of(records, PLANNER, area.folder.name)] == ["later"]
    assert proposals.history(records, ALPHA, made.id)[-1].action == "planned"


def test_only_an_appraisal_of_this_very_site_exempts_from_the_permit(records, area) -> None:
    decision = Document("864/QĐ-UBND", "2016-06-20")
    own = site_plans.submit_own(records, ALPHA, area.folder.name, "Quy hoạch Alpha")
    plan = site_plans.decide(records, PLANNER, own.id, decision)

    def asked(reference: str, plan_id: int | None, **changes):
        point = area.read("masts").geometry.to_crs("EPSG:4326").iloc[0]
        given = wish(lon=point.x + 0.002, lat=point.y, reference=reference, **changes)
        site = site_request.checked(given)
        found = Evaluation(reference, {"site": site.to_dict()}, {"permit_required": False})
        return proposals.create(
            records, ALPHA, area.folder.name, given, submit=True, evaluation=found, plan_id=plan_id
        )

    def consented(item, number: str, **stated):
        document = Document(number, CONSENT.day)
        return proposal_decisions.approve(records, PLANNER, item.id, document, **stated)

    small = {"mast_class": "A1a", "height_m": 12.0}
    assert consented(asked("same", plan.id, **small), "1").permit_required is False
    # The exemption is for sites of a plan; a planner may still say that it holds.
    assert consented(asked("no plan", None, **small), "2").permit_required is True
    assert consented(asked("told", None, **small), "3", permit_required=False).permit_required is (
        False
    )
    # What was made of it afterwards was never appraised.
    item = asked("grown", plan.id, **small)
    proposals.request_changes(records, PLANNER, item.id, "elsewhere")
    bigger = {**item.request.to_dict(), "mast_class": "A2b", "height_m": 60.0}
    proposals.edit(records, ALPHA, item.id, bigger)
    item = proposals.submit(records, ALPHA, item.id)
    done = consented(item, "4")
    assert done.permit_required is True
    with pytest.raises(InputError, match="permit must be recorded first"):
        proposals.record(records, ALPHA, done.id, Action.EMF_CERTIFICATE, CONSENT)
    # Nothing is built for antennas on a mast that is there.
    mast = area.read("masts")["mast_id"].iloc[0]
    shared = asked("share", None, kind="share", mast_id=mast)
    assert consented(shared, "5").permit_required is False


def test_an_owner_adds_to_its_own_mast_that_nobody_shares(records, area) -> None:
    masts = area.read("masts")
    closed = masts[~masts["shareable"]].iloc[0]
    owner = Actor(None, "owner", Role.CARRIER, str(closed["owner"]))
    made = proposals.create(
        records,
        owner,
        area.folder.name,
        wish(kind="share", mast_id=closed["mast_id"], technologies="4G"),
        submit=True,
    )
    done = proposal_decisions.approve(
        records, PLANNER, made.id, CONSENT, workspace=area, scenario=NewScenario("Own")
    )
    scenario = scenarios.get(records, PLANNER, done.scenario_id)
    cells = cells_of(scenarios.materialise(area, scenario))
    assert len(cells) > len(cells_of(area))


def test_consented_masts_near_are_told_to_those_who_may_see_them(records, area) -> None:
    here = ask(records, area)
    point = here.request

    def beside(actor, east_deg: float, reference: str, **changes):
        given = wish(lon=point.lon + east_deg, lat=point.lat, reference=reference, **changes)
        return proposals.create(records, actor, area.folder.name, given, submit=True)

    near = beside(BETA, 0.0002, "near")
    mine = beside(ALPHA, 0.001, "mine")
    far = beside(BETA, 0.02, "far")
    beside(BETA, 0.0001, "undecided")
    mast = area.read("masts")["mast_id"].iloc[0]
    antennas = beside(BETA, 0.0001, "antennas", kind="share", mast_id=mast)
    for number, item in enumerate((near, mine, far, antennas)):
        proposal_decisions.approve(
            records, PLANNER, item.id, Document(str(number), CONSENT.day), permit_required=True
        )

    def told(actor):
        found = proposal_decisions.consented_near(records, actor, area, here)
        return [(other.request.reference, round(distance)) for other, distance in found]

    # 0.001 degrees of longitude are 104 m at 20.5 degrees north.
    assert told(PLANNER) == [("near", 21), ("mine", 104)]
    assert told(ALPHA) == [("mine", 104)]
    assert proposal_decisions.consented_near(records, PLANNER, area, antennas) == []


# -- The plans that sites are part of -------------------------------------------------------


def test_plans_of_province_and_carrier(records) -> None:
    decision = Document("125/QĐ-UBND", "2014-01-22", "UBND tỉnh", "2020-12-31")
    province = site_plans.record_provincial(records, PLANNER, "test", "Quy hoạch", decision)
    own = site_plans.submit_own(records, ALPHA, "test", "Quy hoạch Alpha", parent_id=province.id)
    assert own.status == "submitted"
    assert {plan.id for plan in site_plans.list_of(records, ALPHA, "test")} == {province.id, own.id}
    # Another carrier and the public see the province's only.
    for actor in (BETA, VIEWER):
        assert site_plans.list_of(records, actor, "test") == [province]
    with pytest.raises(ForbiddenError):
        site_plans.decide(records, ALPHA, own.id, decision)
    with pytest.raises(InputError, match="reason"):
        site_plans.decide(records, PLANNER, own.id, None)
    done = site_plans.decide(
        records, PLANNER, own.id, Document("864/QĐ-UBND", "2016-06-20"),
        expected_version=own.version,
    )  # fmt: skip
    assert done.status == "in_force"
    with pytest.raises(InputError, match="decided already"):
        site_plans.decide(records, PLANNER, own.id, None, reason="late")
    assert site_plans.in_force(province, "2020-01-01")
    assert not site_plans.in_force(province, "2021-01-01")
    assert site_plans.in_force(done)
    made = proposals.create(records, ALPHA, "test", wish(), plan_id=done.id)
    assert made.plan_id == done.id
    with pytest.raises(InputError, match="no plan"):
        proposals.create(records, BETA, "test", wish(), plan_id=done.id)
    with pytest.raises(InputError, match="no plan"):
        proposals.create(records, ALPHA, "test", wish(), plan_id=province.id)
    with pytest.raises(InputError, match="no plan"):
        site_plans.submit_own(records, ALPHA, "test", "x", parent_id=done.id)
