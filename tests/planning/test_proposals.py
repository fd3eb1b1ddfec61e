"""Proposals in both databases: who may do what, what follows on what, and what is kept."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from data.errors import InputError, PhuSongError
from data.records import tables
from data.records.engine import Records
from data.records.failures import StaleError
from data.records.proposal_tables import Proposal as Row
from planning import proposal_news, proposal_workflow, proposals
from planning.accounts import Actor, ForbiddenError, Role
from planning.proposal_workflow import Action, Document, Status

AREA = "test"
ALPHA = Actor(None, "alpha", Role.CARRIER, "Alpha")
BETA = Actor(None, "beta", Role.CARRIER, "Beta")
PLANNER = Actor(None, "planner", Role.PLANNER)
VIEWER = Actor(None, "viewer", Role.VIEWER)
ADMINISTRATOR = Actor(None, "local", Role.ADMINISTRATOR)
CONSENT = Document("369/STTTT-BCVT", "2024-07-28", "Sở KH&CN")

HOSTILE = (
    "'; DROP TABLE proposals; --",
    '<script>alert("x")</script>',
    "<img src=x onerror=alert(1)>",
    "=cmd|' /C calc'!A0",
    "../../etc/passwd",
    "{template} %s ${7*7}",
    "Đề xuất “trạm” 🗼",
)


def wish(**changes):
    return {
        "reference": "HNM-001",
        "lon": 105.9,
        "lat": 20.5,
        "mast_class": "A2b",
        "height_m": 42.0,
        "technologies": "4G;3G",
    } | changes


def submitted(records: Records, actor: Actor = ALPHA, **changes):
    return proposals.create(records, actor, AREA, wish(**changes), submit=True)


def approved(records: Records, *, permit_required: bool = True, **changes):
    from planning import proposal_decisions

    made = submitted(records, **changes)
    return proposal_decisions.approve(
        records, PLANNER, made.id, CONSENT, permit_required=permit_required
    )


def test_a_proposal_is_kept_as_it_was_asked_for(records) -> None:
    cells = [{"operator": "Alpha", "technology": "4G", "frequency_mhz": 1842.5}]
    made = proposals.create(
        records,
        ALPHA,
        AREA,
        wish(building_height_m=20, radius_m=0.5, max_tenants=3, shareable=True, cells=cells),
    )
    again = proposals.get(records, ALPHA, made.id)
    assert again == made
    assert again.status is Status.DRAFT
    assert again.organisation == "Alpha"
    assert again.request.technologies == ("3G", "4G")
    assert again.request.cells == tuple(cells)
    assert (again.request.lon, again.request.lat) == (105.9, 20.5)


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_is_typed_is_kept_and_given_back_as_it_is(records, text) -> None:
    made = submitted(records, reference=text, name=text, note=text)
    proposals.comment(records, ALPHA, made.id, text)
    proposals.request_changes(records, PLANNER, made.id, text)
    again = proposals.get(records, ALPHA, made.id)
    assert (again.request.reference, again.request.name, again.request.note) == (text,) * 3
    assert [said.text for said in proposals.comments(records, ALPHA, made.id)] == [text]
    assert proposals.history(records, ALPHA, made.id)[-1].detail["reason"] == text
    with records.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Row)) == 1


@pytest.mark.parametrize("text", ["a\x00b", "a\x1bb", "\ud800"])
def test_characters_that_no_database_keeps_are_refused(records, text) -> None:
    with pytest.raises(InputError, match="cannot be kept"):
        proposals.create(records, ALPHA, AREA, wish(name=text))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lon": 200.0}, "lon"),
        ({"lat": "north"}, "lat"),
        ({"lat": float("nan")}, "lat"),
        ({"height_m": 0}, "height_m"),
        ({"height_m": True}, "height_m"),
        ({"mast_class": "A9"}, "mast_class"),
        ({"technologies": "6G"}, "technologies"),
        ({"technologies": ""}, "at least one technology"),
        ({"reference": " "}, "code of the site"),
        ({"kind": "share"}, "mast that is to be shared"),
        ({"building_height_m": 50}, "less than the height"),
        ({"max_tenants": 2.5}, "max_tenants"),
        ({"note": "x" * 4001}, "at most 4000"),
        ({"cells": "all"}, "list of cells"),
        ({"cells": [{"power_dbm": [1]}]}, "power_dbm"),
        ({"cells": [{}] * 61}, "at most 60"),
        ({"status": "approved"}, "no field status"),
        ({"organisation": "Beta"}, "no field organisation"),
        ({"role": "planner"}, "no field role"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_kept(records, change, said) -> None:
    with pytest.raises(InputError, match=said):
        proposals.create(records, ALPHA, AREA, wish(**change))
    assert proposals.list_of(records, ADMINISTRATOR, AREA) == []


def test_another_operators_antennas_are_not_a_carriers_to_propose(records) -> None:
    cell = {
        "technology": "4G", "frequency_mhz": 1842.5, "bandwidth_mhz": 20.0, "power_dbm": 46.0,
        "antenna_height_m": 40.0, "antenna_gain_dbi": 17.0, "azimuth_deg": 0.0, "tilt_deg": 4.0,
        "feeder_loss_db": 0.5, "load": 0.5, "band": "B3",
    }  # fmt: skip
    for bad, said in (
        ({**cell, "operator": "Beta"}, "row 2, column operator: Beta .*Alpha"),
        ({**cell, "power_dbm": 1e9}, "row 2, column power_dbm"),
        ({"technology": "4G"}, "row 2, column .*no value"),
    ):
        with pytest.raises(PhuSongError, match=said):
            submitted(records, cells=[cell, bad])
        draft = proposals.create(records, ALPHA, AREA, wish(cells=[cell, bad]))
        with pytest.raises(PhuSongError, match=said):
            proposals.submit(records, ALPHA, draft.id)
        assert proposals.get(records, ALPHA, draft.id).status is Status.DRAFT
        # What is in order again goes.
        proposals.edit(records, ALPHA, draft.id, wish(cells=[cell, {**cell, "operator": "Alpha"}]))
        assert proposals.submit(records, ALPHA, draft.id).status is Status.SUBMITTED
        proposals.withdraw(records, ALPHA, draft.id)
    # An administrator acts for several.
    made = proposals.create(
        records, ADMINISTRATOR, AREA, wish(cells=[{**cell, "operator": "Beta"}]),
        organisation="Alpha", submit=True,
    )  # fmt: skip
    assert made.status is Status.SUBMITTED


# -- Who may do what ------------------------------------------------------------------------


def test_another_carriers_draft_cannot_be_told_from_none(records) -> None:
    draft = proposals.create(records, ALPHA, AREA, wish())
    news = proposals.create(records, ALPHA, AREA, wish(reference="2"), submit=True)
    for number in (draft.id, news.id, 999_999, 0, -1, 2**40):
        for ask in (
            lambda k: proposals.get(records, BETA, k),
            lambda k: proposals.edit(records, BETA, k, wish(name="mine")),
            lambda k: proposals.submit(records, BETA, k),
            lambda k: proposals.withdraw(records, BETA, k),
            lambda k: proposals.comment(records, BETA, k, "hello"),
            lambda k: proposals.comments(records, BETA, k),
            lambda k: proposals.history(records, BETA, k),
            lambda k: proposals.steps(records, BETA, k),
            lambda k: proposals.evaluation(records, BETA, k),
            lambda k: proposals.refuse(records, BETA, k, "no"),
            lambda k: proposals.record(records, BETA, k, Action.PERMIT, CONSENT),
        ):
            with pytest.raises(InputError, match=f"^There is no proposal {number}$") as caught:
                ask(number)
            assert type(caught.value) is InputError
    assert proposals.list_of(records, BETA, AREA) == []
    assert proposal_news.list_of(records, BETA, AREA) == []
    assert proposals.get(records, ALPHA, draft.id) == draft


def test_planners_see_what_was_submitted_and_viewers_nothing(records) -> None:
    draft = proposals.create(records, ALPHA, AREA, wish())
    sent = submitted(records, reference="2")
    assert [item.id for item in proposals.list_of(records, PLANNER, AREA)] == [sent.id]
    with pytest.raises(InputError, match="There is no proposal"):
        proposals.get(records, PLANNER, draft.id)
    proposals.withdraw(records, ALPHA, draft.id)
    with pytest.raises(InputError, match="There is no proposal"):
        proposals.get(records, PLANNER, draft.id)
    assert proposals.list_of(records, VIEWER, AREA) == []
    with pytest.raises(InputError, match="There is no proposal"):
        proposals.get(records, VIEWER, sent.id)
    with pytest.raises(ForbiddenError):
        proposals.create(records, VIEWER, AREA, wish())
    with pytest.raises(ForbiddenError):
        proposals.create(records, PLANNER, AREA, wish())


def test_a_carrier_decides_nothing_and_proposes_for_itself_only(records) -> None:
    from planning import proposal_decisions

    made = submitted(records)
    for decide in (
        lambda: proposals.refuse(records, ALPHA, made.id, "no"),
        lambda: proposals.request_changes(records, ALPHA, made.id, "more"),
        lambda: proposal_decisions.approve(records, ALPHA, made.id, CONSENT),
    ):
        with pytest.raises(ForbiddenError):
            decide()
    with pytest.raises(InputError, match="for itself only"):
        proposals.create(records, ALPHA, AREA, wish(), organisation="Beta")
    with pytest.raises(InputError, match="for which carrier"):
        proposals.create(records, Actor(1, "x", Role.CARRIER, ""), AREA, wish())
    assert proposals.get(records, ALPHA, made.id).status is Status.SUBMITTED


def test_a_carrier_without_organisation_sees_nothing(records) -> None:
    submitted(records)
    nobody = Actor(1, "x", Role.CARRIER, "")
    assert proposals.list_of(records, nobody, AREA) == []
    assert proposal_news.unread_count(records, nobody, AREA) == 0


def test_proposals_belong_to_their_area(records) -> None:
    submitted(records)
    assert proposals.list_of(records, PLANNER, "elsewhere") == []
    assert proposal_news.unread_count(records, PLANNER, "elsewhere") == 0


# -- What follows on what -------------------------------------------------------------------


def test_the_whole_way_of_a_site(records) -> None:
    made = approved(records)
    assert made.status is Status.APPROVED
    with pytest.raises(InputError, match="building permit must be recorded first"):
        proposals.record(records, ALPHA, made.id, Action.EMF_CERTIFICATE, CONSENT)
    for action, actor in (
        (Action.PERMIT, PLANNER),
        (Action.EMF_CERTIFICATE, ALPHA),
        (Action.RENEW, ALPHA),
        (Action.ON_AIR, ALPHA),
    ):
        document = Document(f"{action.value}/1", "2024-09-01", "UBND", "2031-09-01")
        made = proposals.record(records, actor, made.id, action, document)
    assert made.status is Status.ON_AIR
    kept = proposals.steps(records, ALPHA, made.id)
    assert [step.kind for step in kept] == [
        "consent", "permit", "emf_certificate", "emf_certificate", "on_air",
    ]  # fmt: skip
    assert kept[0].document == CONSENT
    assert [event.action for event in proposals.history(records, ALPHA, made.id)] == [
        "created", "submitted", "approved", "permit", "emf_certificate", "renewed", "on_air",
    ]  # fmt: skip


def test_a_site_exempt_from_the_permit_goes_on_without(records) -> None:
    made = approved(records, permit_required=False)
    assert Action.EMF_CERTIFICATE in made.actions
    done = proposals.record(records, ALPHA, made.id, Action.EMF_CERTIFICATE, CONSENT)
    assert done.status is Status.EMF_CERTIFICATE


def test_reasons_must_be_given(records) -> None:
    made = submitted(records)
    for decide in (proposals.refuse, proposals.request_changes):
        with pytest.raises(InputError, match="reason must be given"):
            decide(records, PLANNER, made.id, "  ")
    given_back = proposals.request_changes(records, PLANNER, made.id, "Move it")
    assert given_back.status is Status.CHANGES_REQUESTED
    changed = proposals.edit(records, ALPHA, made.id, wish(lat=20.51))
    assert proposals.submit(records, ALPHA, made.id).status is Status.SUBMITTED
    (edited,) = [e for e in proposals.history(records, ALPHA, made.id) if e.action == "edited"]
    assert edited.detail["changed"] == {"lat": [20.5, 20.51]}
    assert changed.version > given_back.version
    refused = proposals.refuse(records, PLANNER, made.id, "Too near to MH0001")
    assert refused.actions == ()
    assert proposals.get(records, ALPHA, made.id).actions == ()


@pytest.mark.parametrize("status", list(Status))
def test_only_what_the_table_allows_happens(status) -> None:
    for actor in (ALPHA, BETA, PLANNER, VIEWER, ADMINISTRATOR):
        for required in (True, False, None):
            allowed = proposal_workflow.possible(actor, "Alpha", status, required)
            for action in Action:
                try:
                    proposal_workflow.step(
                        action, actor, "Alpha", status, permit_required=required, reason="x"
                    )
                except (InputError, ForbiddenError):
                    assert action not in allowed
                else:
                    assert action in allowed
        if actor in (BETA, VIEWER):
            assert proposal_workflow.possible(actor, "Alpha", status, False) == ()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (Document("", "2026-01-01"), "number of the document is missing"),
        (Document("1", "yesterday"), "not a day"),
        (Document("1", "2026-01-02", valid_to="2026-01-01"), "before its day"),
        (Document("1\n2", "2026-01-02"), "lines of at most"),
    ],
)
def test_documents_have_a_number_and_days(records, document, said) -> None:
    from planning import proposal_decisions

    made = submitted(records)
    with pytest.raises(InputError, match=said):
        proposal_decisions.approve(records, PLANNER, made.id, document)
    assert proposals.get(records, PLANNER, made.id).status is Status.SUBMITTED
    assert proposals.steps(records, ALPHA, made.id) == []


def test_a_document_is_recorded_once(records) -> None:
    made = approved(records, permit_required=False)
    proposals.record(records, ALPHA, made.id, Action.EMF_CERTIFICATE, CONSENT)
    with pytest.raises(InputError, match="recorded already"):
        proposals.record(records, ALPHA, made.id, Action.RENEW, CONSENT)


# -- Several at once ------------------------------------------------------------------------


def test_who_looked_at_an_older_version_changes_nothing(records) -> None:
    made = submitted(records)
    proposals.request_changes(records, PLANNER, made.id, "one", expected_version=made.version)
    with pytest.raises(StaleError):
        proposals.withdraw(records, ALPHA, made.id, expected_version=made.version)
    assert proposals.get(records, ALPHA, made.id).status is Status.CHANGES_REQUESTED


def test_of_two_planners_deciding_at_once_one_is_told(records) -> None:
    made = submitted(records)
    gate = threading.Barrier(2)

    def decide(reason: str) -> bool:
        gate.wait()
        try:
            proposals.refuse(records, PLANNER, made.id, reason, expected_version=made.version)
        except StaleError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(decide, ["one", "two"]))
    assert sorted(done) == [False, True]
    reasons = [e.detail["reason"] for e in proposals.history(records, ALPHA, made.id)[2:]]
    assert reasons == [("one", "two")[done.index(True)]]


def test_a_request_that_comes_again_makes_nothing_new(records) -> None:
    first = proposals.create(records, ALPHA, AREA, wish(), request_id="r1", submit=True)
    again = proposals.create(records, ALPHA, AREA, wish(), request_id="r1", submit=True)
    assert again == first
    assert len(proposals.history(records, ALPHA, first.id)) == 2
    with pytest.raises(InputError, match="used for another proposal"):
        proposals.create(records, ALPHA, AREA, wish(name="other"), request_id="r1")
    # The number is the carrier's own: another's tells nothing.
    other = proposals.create(records, BETA, AREA, wish(name="other"), request_id="r1")
    assert other.id != first.id


def test_the_same_request_at_the_same_time_is_made_once(records) -> None:
    gate = threading.Barrier(6)

    def send(_: int) -> int:
        gate.wait()
        return proposals.create(records, ALPHA, AREA, wish(), request_id="r", submit=True).id

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(send, range(6)))) == 1
    (only,) = proposals.list_of(records, ALPHA, AREA)
    assert [e.action for e in proposals.history(records, ALPHA, only.id)] == [
        "created", "submitted",
    ]  # fmt: skip


def test_many_are_made_all_or_none(records) -> None:
    with pytest.raises(InputError, match="height_m"):
        proposals.create_many(records, ALPHA, AREA, [wish(), wish(height_m=-1)])
    assert proposals.list_of(records, ALPHA, AREA) == []
    made = proposals.create_many(
        records, ALPHA, AREA, [wish(reference=str(k)) for k in range(3)], submit=True
    )
    assert [item.request.reference for item in made] == ["0", "1", "2"]


# -- History and news -----------------------------------------------------------------------


def test_nobody_edits_the_history(records) -> None:
    made = submitted(records)
    entry = tables.HistoryEntry.__table__
    for change in (sa.update(entry).values(action="x"), sa.delete(entry)):
        with pytest.raises(sa.exc.DatabaseError), records.session() as session:
            session.execute(change)
    assert len(proposals.history(records, ALPHA, made.id)) == 2


def test_news_reach_the_other_side_and_are_read_once(records) -> None:
    made = submitted(records)
    other = Actor(None, "second planner", Role.PLANNER)
    assert proposal_news.unread_count(records, PLANNER, AREA) == 1
    (item,) = proposal_news.list_of(records, PLANNER, AREA)
    assert (item.action, item.reference, item.organisation) == ("submitted", "HNM-001", "Alpha")
    proposal_news.mark_read(records, PLANNER, AREA, item.id)
    proposal_news.mark_read(records, PLANNER, AREA, item.id)
    assert proposal_news.unread_count(records, PLANNER, AREA) == 0
    assert proposal_news.unread_count(records, other, AREA) == 1
    assert proposal_news.unread_count(records, ALPHA, AREA) == 0
    proposals.comment(records, PLANNER, made.id, "Please attach the drawing")
    proposals.refuse(records, PLANNER, made.id, "no")
    assert [n.action for n in proposal_news.list_of(records, ALPHA, AREA, unread=True)] == [
        "refused", "commented",
    ]  # fmt: skip
    # Another carrier's reading does not touch it.
    proposal_news.mark_read(records, BETA, AREA, 10**6)
    assert proposal_news.unread_count(records, ALPHA, AREA) == 2
    assert proposal_news.list_of(records, VIEWER, AREA) == []


def test_a_draft_is_no_news(records) -> None:
    made = proposals.create(records, ALPHA, AREA, wish())
    proposals.comment(records, ALPHA, made.id, "for us")
    proposals.withdraw(records, ALPHA, made.id)
    assert proposal_news.unread_count(records, PLANNER, AREA) == 0
