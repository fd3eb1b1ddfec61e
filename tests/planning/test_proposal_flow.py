"""The way of proposals: sent late or again, with a code in use, off the map, out of order."""

from __future__ import annotations

import datetime as dt
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from data.errors import InputError, Message
from data.records.engine import Records
from data.store import Workspace
from planning import (
    accounts,
    names,
    proposal_area,
    proposal_decisions,
    proposal_news,
    proposals,
    site_plans,
)
from planning import proposal_workflow as workflow
from planning.accounts import ForbiddenError, Role
from planning.proposal_decisions import NewScenario
from planning.proposal_workflow import Action, Document, Status
from tests.areas import small_area, write_area
from tests.planning.test_proposals import (
    ADMINISTRATOR,
    ALPHA,
    AREA,
    BETA,
    CONSENT,
    PLANNER,
    VIEWER,
    submitted,
    wish,
)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Workspace:
    return write_area(tmp_path_factory.mktemp("flow") / "area", small_area())


@pytest.fixture
def beside(records: Records, written: Workspace) -> Workspace:
    """A study area beside the records."""
    shutil.copytree(written.folder, records.home / AREA)
    return Workspace.open(records.home / AREA)


def inside(workspace: Workspace) -> dict[str, float]:
    point = workspace.read("zones").geometry.to_crs("EPSG:4326").union_all().centroid
    return {"lon": point.x, "lat": point.y}


# -- Sent later, sent again -----------------------------------------------------------------


def test_a_draft_that_is_sent_again_to_be_submitted_is_submitted(records) -> None:
    draft = proposals.create(records, ALPHA, AREA, wish(), request_id="r")
    for _ in range(2):
        sent = proposals.create(records, ALPHA, AREA, wish(), request_id="r", submit=True)
        assert (sent.id, sent.status) == (draft.id, Status.SUBMITTED)
    # What was given back or withdrawn is not sent by chance.
    proposals.request_changes(records, PLANNER, draft.id, "more")
    kept = proposals.create(records, ALPHA, AREA, wish(), request_id="r", submit=True)
    assert kept.status is Status.CHANGES_REQUESTED
    assert [e.action for e in proposals.history(records, ALPHA, draft.id)] == [
        "created", "submitted", "changes_requested",
    ]  # fmt: skip


# -- One open proposal of a code ------------------------------------------------------------


def test_a_code_has_one_open_proposal_of_a_carrier(records) -> None:
    first = submitted(records)
    for actor, organisation in ((ALPHA, None), (ADMINISTRATOR, "Alpha")):
        with pytest.raises(InputError, match=f"HNM-001 .proposal {first.id} has this code"):
            proposals.create(records, actor, AREA, wish(height_m=30), organisation=organisation)
    # Other carriers and other areas have codes of their own.
    submitted(records, BETA)
    proposals.create(records, ALPHA, "elsewhere", wish())
    other = submitted(records, reference="HNM-002")
    proposals.request_changes(records, PLANNER, other.id, "more")
    with pytest.raises(InputError, match=f"proposal {first.id} has this code"):
        proposals.edit(records, ALPHA, other.id, wish())
    assert proposals.edit(records, ALPHA, other.id, wish(reference="HNM-002", height_m=30))
    # Once it is decided or withdrawn the code may be used again.
    proposals.withdraw(records, ALPHA, first.id)
    second = submitted(records)
    proposals.refuse(records, PLANNER, second.id, "no")
    third = submitted(records)
    proposal_decisions.approve(records, PLANNER, third.id, CONSENT)
    assert submitted(records).id not in {first.id, second.id, third.id}


def test_of_several_with_one_code_at_once_one_is_made(records) -> None:
    gate = threading.Barrier(6)

    def send(number: int) -> bool:
        gate.wait()
        try:
            proposals.create(records, ALPHA, AREA, wish(), request_id=f"r{number}")
        except InputError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(send, range(6))) == [False] * 5 + [True]
    with pytest.raises(InputError, match="has this code"):
        proposals.create_many(
            records, ALPHA, AREA, [wish(reference="x"), wish(reference="x", height_m=9)]
        )
    assert len(proposals.list_of(records, ALPHA, AREA)) == 1


# -- Within the area ------------------------------------------------------------------------


def test_what_lies_elsewhere_is_a_draft_at_most(records, beside) -> None:
    here = inside(beside)
    far = wish(reference="F", lon=here["lon"] + 1.0, lat=here["lat"])
    lost = wish(reference="L", kind="share", mast_id="NOPE", **here)
    for given, column in ((far, "lon"), (lost, "mast_id")):
        with pytest.raises(InputError, match=f"^{column}: "):
            proposals.create(records, ALPHA, AREA, given, submit=True)
        draft = proposals.create(records, ALPHA, AREA, given)
        with pytest.raises(InputError, match=f"^{column}: "):
            proposals.submit(records, ALPHA, draft.id)
        assert proposals.get(records, ALPHA, draft.id).status is Status.DRAFT
    proposals.edit(records, ALPHA, draft.id, wish(reference="L", **here))
    assert proposals.submit(records, ALPHA, draft.id).status is Status.SUBMITTED


def test_the_place_of_antennas_on_a_mast_is_the_masts(written) -> None:
    from planning.site_request import checked

    masts = written.read("masts")
    shared = wish(kind="share", mast_id=masts["mast_id"].iloc[0], lon=0.0, lat=0.0)
    here = inside(written)
    found = proposal_area.faults(
        written, [checked(each) for each in (wish(**here), shared, wish(lon=0.0, lat=0.0))]
    )
    assert [error is None for error in found] == [True, True, False]


def test_an_administrator_acts_for_a_carrier_that_there_is(records, beside) -> None:
    here = inside(beside)
    with pytest.raises(InputError, match=r"no carrier Nobody .*A, B"):
        proposals.create(records, ADMINISTRATOR, AREA, wish(**here), organisation="Nobody")
    with pytest.raises(InputError, match="no carrier Nobody"):
        site_plans.submit_own(records, ADMINISTRATOR, AREA, "Plan", organisation="Nobody")
    made = proposals.create(records, ADMINISTRATOR, AREA, wish(**here), organisation="A")
    assert made.organisation == "A"
    # A carrier that has an account, but no mast yet.
    accounts.add(
        records, ADMINISTRATOR, login="new", password="a long enough one 1", name="New",
        role=Role.CARRIER, organisation="Newcomer",
    )  # fmt: skip
    assert proposals.create(records, ADMINISTRATOR, AREA, wish(**here), organisation="Newcomer")


def test_an_owner_is_consented_to_on_its_own_mast(records, beside) -> None:
    masts = beside.read("masts")
    closed = masts[~masts["shareable"]].iloc[0]
    owner = accounts.Actor(None, "owner", Role.CARRIER, str(closed["owner"]))
    there = beside.read("cells").query("mast_id == @closed.mast_id")["operator"]
    assert set(there) == {owner.organisation}
    given = wish(kind="share", mast_id=closed["mast_id"], technologies="5G", **inside(beside))
    made = proposals.create(records, owner, AREA, given, submit=True)
    done = proposal_decisions.approve(
        records, PLANNER, made.id, CONSENT, workspace=beside, scenario=NewScenario("Own")
    )
    assert (done.status, done.scenario_id is None) == (Status.APPROVED, False)


# -- Plans ----------------------------------------------------------------------------------

DECISION = Document("1/QĐ-UBND", "2020-01-01", "UBND tỉnh")


def test_a_site_is_part_of_a_plan_that_is_in_force(records) -> None:
    def plan(decision: Document | None, *, decide: bool = True) -> site_plans.SitePlan:
        made = site_plans.submit_own(records, ALPHA, AREA, "Plan")
        if not decide:
            return made
        return site_plans.decide(records, PLANNER, made.id, decision, reason="no")

    over = plan(Document("2", "2020-01-01", valid_to="2020-12-31"))
    plans = {
        "submitted": plan(None, decide=False),
        "refused": plan(None),
        "expired": over,
    }
    assert {name: each.status for name, each in plans.items()} == {name: name for name in plans}
    assert site_plans.in_force(over, "2020-06-01")
    for each in plans.values():
        with pytest.raises(InputError, match="Plan is not in force today"):
            proposals.create(records, ALPHA, AREA, wish(), plan_id=each.id)
    for number in (0, -1, 2**40, 10**30, 999):
        with pytest.raises(InputError, match=f"no plan {number}"):
            proposals.create(records, ALPHA, AREA, wish(), plan_id=number)
    good = plan(DECISION)
    assert proposals.create(records, ALPHA, AREA, wish(), plan_id=good.id).plan_id == good.id


def test_a_plan_that_ended_meanwhile_keeps_a_draft_from_being_sent(records, monkeypatch) -> None:
    made = site_plans.submit_own(records, ALPHA, AREA, "Plan")
    good = Document("2", "2020-01-01", valid_to="2020-12-31")
    site_plans.decide(records, PLANNER, made.id, good)
    monkeypatch.setattr(site_plans, "_today", lambda: "2020-06-01")
    draft = proposals.create(records, ALPHA, AREA, wish(), plan_id=made.id)
    sent = proposals.create(records, ALPHA, AREA, wish(reference="2"), plan_id=made.id, submit=True)
    proposals.request_changes(records, PLANNER, sent.id, "more")
    monkeypatch.setattr(site_plans, "_today", lambda: "2021-06-01")
    with pytest.raises(InputError, match="not in force today"):
        proposals.submit(records, ALPHA, draft.id)
    # What was sent in time is not lost by the time that others take.
    assert proposals.submit(records, ALPHA, sent.id).status is Status.SUBMITTED


# -- Days -----------------------------------------------------------------------------------


def test_no_document_is_of_a_day_to_come(records) -> None:
    made = submitted(records)
    today = dt.datetime.now(dt.UTC).date()
    for day in ("9999-12-31", (today + dt.timedelta(days=2)).isoformat()):
        with pytest.raises(InputError, match="a day that has not come yet"):
            proposal_decisions.approve(records, PLANNER, made.id, Document("1", day))
        with pytest.raises(InputError, match="a day that has not come yet"):
            site_plans.record_provincial(records, PLANNER, AREA, "Plan", Document("1", day))
    assert proposals.get(records, PLANNER, made.id).status is Status.SUBMITTED
    document = Document("1", today.isoformat(), valid_to="9999-12-31")
    assert proposal_decisions.approve(records, PLANNER, made.id, document)


def test_documents_follow_on_each_other(records) -> None:
    made = submitted(records)
    proposal_decisions.approve(records, PLANNER, made.id, Document("1", "2020-03-01"))

    def record(action: Action, day: str) -> None:
        proposals.record(records, ALPHA, made.id, action, Document(f"{action}/{day}", day))

    for action, early, day, named in (
        (Action.PERMIT, "2020-02-29", "2020-03-01", "Letter of consent: 2020-03-01"),
        (Action.EMF_CERTIFICATE, "2020-02-01", "2020-05-01", "Letter of consent"),
        (Action.RENEW, "2020-04-30", "2025-05-01", "EMF certificate: 2020-05-01"),
        # It went on air before the certificate was renewed.
        (Action.ON_AIR, "2020-04-30", "2020-06-01", "EMF certificate: 2020-05-01"),
        (Action.RENEW, "2025-04-30", "2025-05-02", "EMF certificate: 2025-05-01"),
    ):
        with pytest.raises(InputError, match=named):
            record(action, early)
        record(action, day)
    assert len(proposals.steps(records, ALPHA, made.id)) == 6


# -- Sentences ------------------------------------------------------------------------------


def _parts(text: Message) -> list[str]:
    found = [text.template]
    for value in text.values.values():
        found += _parts(value) if isinstance(value, Message) else [str(value)]
    return found


def test_sentences_hold_names_and_no_codes() -> None:
    codes = {*Status, *Action, *Role}
    assert set(names.PROPOSAL_STATUSES) == set(Status)
    assert set(names.PROPOSAL_ACTIONS) == set(Action)
    for actor in (ALPHA, PLANNER, VIEWER):
        for action in Action:
            for status in Status:
                try:
                    workflow.step(action, actor, "Alpha", status, reason="x")
                except (InputError, ForbiddenError) as error:
                    parts = _parts(error.message)
                    named = {each.template for each in accounts.ROLE_NAMES.values()}
                    assert not (set(parts) - named) & codes, parts
    with pytest.raises(InputError) as caught:
        workflow.step(Action.APPROVE, PLANNER, "Alpha", Status.DRAFT)
    assert str(caught.value) == (
        '"Give consent" is not possible: the state of the proposal is "Draft" (expected Submitted)'
    )


# -- News -----------------------------------------------------------------------------------


def test_one_piece_of_news_is_read_by_itself(records) -> None:
    for number in range(3):
        submitted(records, reference=str(number))
    newest, middle, oldest = proposal_news.list_of(records, PLANNER, AREA)
    proposal_news.mark_one_read(records, PLANNER, AREA, middle.id)
    proposal_news.mark_one_read(records, PLANNER, AREA, middle.id)
    assert [item.read for item in proposal_news.list_of(records, PLANNER, AREA)] == [
        False, True, False,
    ]  # fmt: skip
    # What is another's is not touched.
    proposal_news.mark_one_read(records, ALPHA, AREA, newest.id)
    proposal_news.mark_one_read(records, PLANNER, "elsewhere", newest.id)
    assert proposal_news.unread_count(records, PLANNER, AREA) == 2
    proposal_news.mark_read(records, PLANNER, AREA, newest.id)
    assert proposal_news.unread_count(records, PLANNER, AREA) == 0
    assert oldest.id < middle.id < newest.id
