"""Scenarios: the network that changes lead to, who may see them, and two people at once."""

from __future__ import annotations

import shutil
import threading

import numpy as np
import pytest

from data.database import frame_hash
from data.errors import InputError, ValidationError
from data.records.account_tables import HistoryEntry
from data.records.engine import StaleError
from planning import scenarios
from planning.accounts import COMMAND_LINE, VISITOR, Actor, ForbiddenError, Role
from planning.scenarios import Change, network
from tests.areas import small_area, write_area

PLANNER = Actor(1, "planner", Role.PLANNER)
CARRIER = Actor(2, "carrier", Role.CARRIER, "A")
OTHER = Actor(3, "other", Role.CARRIER, "B")

CELL = {
    "operator": "A",
    "technology": "4G",
    "frequency_mhz": 1842.5,
    "bandwidth_mhz": 20,
    "power_dbm": 46,
    "antenna_gain_dbi": 17,
    "azimuth_deg": None,
    "antenna_height_m": 30,
}


@pytest.fixture(scope="module")
def area(tmp_path_factory):
    """A small area; not to be changed."""
    return write_area(tmp_path_factory.mktemp("scenarios") / "area", small_area())


def place(area, row: int = 0) -> dict[str, float]:
    point = area.read("masts").to_crs("EPSG:4326").geometry.iloc[row]
    return {"lon": point.x + 0.002, "lat": point.y}


def new_mast(area, name: str = "N1", **values) -> Change:
    return Change("add", {"mast_id": name, "height_m": 36, **place(area), **values}, (CELL,))


def problems(area, *changes: Change) -> list[tuple[int | None, str | None]]:
    with pytest.raises(ValidationError) as raised:
        network(area, changes)
    return [(problem.row, problem.column) for problem in raised.value.problems]


def test_without_changes_the_network_is_the_same(area) -> None:
    masts, cells = network(area, ())
    assert frame_hash(masts) == frame_hash(area.read("masts"))
    assert frame_hash(cells) == frame_hash(area.read("cells"))


def test_each_kind_of_change(area) -> None:
    before, hung = area.read("masts"), area.read("cells")
    gone, moved, edited, shared = before["mast_id"].iloc[:4]
    come = {**CELL, "operator": "D"}
    masts, cells = network(
        area,
        [
            Change("remove", {"mast_id": gone}),
            Change("move", {"mast_id": moved, **place(area, 1)}),
            Change("edit", {"mast_id": edited, "height_m": 55.5}),
            Change("edit", {"mast_id": shared, "shareable": True, "max_tenants": 9}),
            Change("share", {"mast_id": shared}, (come,)),
            new_mast(area, owner="A"),
        ],
    )
    by_id = masts.set_index("mast_id")
    assert gone not in by_id.index
    assert not (cells["mast_id"] == gone).any()
    was = before.set_index("mast_id")
    assert by_id.loc[moved].geometry.distance(was.loc[moved].geometry) == pytest.approx(208, abs=3)
    assert by_id.loc[edited, "height_m"] == 55.5
    assert by_id.loc[edited].geometry.equals(was.loc[edited].geometry)
    assert set(cells.loc[cells["mast_id"] == shared, "operator"]) >= {"D"}
    assert by_id.loc["N1", "status"] == "existing"
    assert masts["mast_id"].iloc[-1] == "N1"
    assert len(cells) == len(hung) - (hung["mast_id"] == gone).sum() + 2


def test_nobody_is_made_up(area) -> None:
    masts, _ = network(area, [new_mast(area)])
    assert np.all(masts.loc[masts["mast_id"] == "N1", "owner"].isna())
    nameless = {name: value for name, value in CELL.items() if name != "operator"}
    change = Change("add", {"mast_id": "N1", "height_m": 36, **place(area)}, (nameless,))
    assert problems(area, change) == [(1, "operator")]


def test_cells_move_to_another_mast_and_single_ones_go(area) -> None:
    first, second = area.read("masts")["mast_id"].iloc[:2]
    own = area.read("cells").query("mast_id == @first")["cell_id"]
    opened = Change("edit", {"mast_id": second, "shareable": True, "max_tenants": 9})
    moved = Change("share", {"mast_id": second}, ({"cell_id": own.iloc[0]},))
    fewer = Change("remove", {"mast_id": first}, ({"cell_id": own.iloc[1]},))
    masts, cells = network(area, [opened, moved, fewer])
    at = cells.set_index("cell_id")["mast_id"]
    assert at[own.iloc[0]] == second
    assert own.iloc[1] not in at.index
    assert first in set(masts["mast_id"])


def test_every_fault_of_every_change_is_named(area) -> None:
    known = area.read("masts")["mast_id"].iloc[0]
    assert problems(
        area,
        Change("remove", {"mast_id": "nowhere"}),
        new_mast(area, known),
        new_mast(area, "N2", heigth_m=3),
        new_mast(area, "N3", height_m=-1),
        Change("add", {"mast_id": "N4", "height_m": 30, "lon": "x", "lat": 20.5}),
        Change("edit", {}),
        Change("remove", {"mast_id": known}, ({"cell_id": "none"},)),
    ) == [
        (1, "mast_id"),
        (2, "mast_id"),
        (3, "heigth_m"),
        (4, "height_m"),
        (5, "lon"),
        (6, "mast_id"),
        (7, "cell_id"),
    ]


def test_a_mast_is_shared_only_as_far_as_it_may_be(area) -> None:
    name = area.read("masts")["mast_id"].iloc[0]
    come = tuple({**CELL, "operator": f"new {k}"} for k in range(9))
    closed = Change("edit", {"mast_id": name, "shareable": False, "max_tenants": 100})
    assert problems(area, closed, Change("share", {"mast_id": name}, come)) == [(2, "shareable")]
    full = Change("edit", {"mast_id": name, "shareable": True, "max_tenants": 2})
    assert problems(area, full, Change("share", {"mast_id": name}, come)) == [(2, "max_tenants")]


def test_an_owner_and_those_who_are_there_are_no_others(area) -> None:
    before, hung = area.read("masts"), area.read("cells")
    name = before["mast_id"].iloc[0]
    there = sorted(set(hung.loc[hung["mast_id"] == name, "operator"]))
    closed = Change(
        "edit", {"mast_id": name, "owner": "D", "shareable": False, "max_tenants": len(there) + 1}
    )
    own = Change("share", {"mast_id": name}, ({**CELL, "operator": "D"},))
    present = Change("share", {"mast_id": name}, ({**CELL, "operator": there[0]},))
    _, cells = network(area, [closed, own, present])
    assert len(cells) == len(hung) + 2
    stranger = Change("share", {"mast_id": name}, ({**CELL, "operator": "E"},))
    assert problems(area, closed, own, stranger) == [(3, "shareable"), (3, "max_tenants")]
    # An owner needs a place like everybody; who has one keeps it.
    full = Change("edit", {"mast_id": name, "owner": "D", "max_tenants": len(there)})
    assert problems(area, full, own) == [(2, "max_tenants")]
    assert len(network(area, [full, present])[1]) == len(hung) + 1


@pytest.mark.parametrize("cells", [5, "A", {"operator": "A"}, True, 0, [5]])
def test_cells_of_a_change_are_a_list(cells) -> None:
    with pytest.raises(InputError):
        Change.from_dict({"kind": "edit", "mast": {"mast_id": "M"}, "cells": cells})


@pytest.mark.parametrize("number", [0, -1, 2**31, 99999999999999999999])
def test_there_is_no_scenario_of_a_number_that_no_database_has(records, number) -> None:
    for ask in (
        lambda: scenarios.get(records, PLANNER, number),
        lambda: scenarios.rename(records, PLANNER, number, "x"),
        lambda: scenarios.delete(records, PLANNER, number),
    ):
        with pytest.raises(InputError, match=f"There is no scenario {number}"):
            ask()


@pytest.mark.parametrize("value", [[1], {"a": 1}, object(), 10**400])
def test_values_are_plain(value) -> None:
    with pytest.raises(InputError):
        Change("edit", {"mast_id": "M", "name": value})


def test_changes_survive_the_database(records) -> None:
    made = Change("add", {"mast_id": "N", "height_m": 36, "name": "<b>'; --"}, (CELL,))
    kept = scenarios.create(records, PLANNER, "hanam", " Kịch bản ", [made], note="x")
    assert kept == scenarios.get(records, PLANNER, kept.id)
    assert (kept.title, kept.note, kept.changes) == ("Kịch bản", "x", (made,))
    more = scenarios.add_changes(records, PLANNER, kept.id, [Change("remove", {"mast_id": "N"})])
    assert [change.kind for change in more.changes] == ["add", "remove"]
    assert more.version > kept.version
    assert [item.id for item in scenarios.list_of(records, PLANNER, "hanam")] == [kept.id]
    assert scenarios.list_of(records, PLANNER, "elsewhere") == []


@pytest.mark.parametrize("title", ["", "   ", "x" * 201, "a\x00b"])
def test_a_title_can_be_shown(records, title) -> None:
    with pytest.raises(InputError):
        scenarios.create(records, PLANNER, "hanam", title)


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "a\\b"])
def test_an_area_is_no_path(records, name) -> None:
    with pytest.raises(InputError):
        scenarios.create(records, PLANNER, name, "title")


def test_bad_changes_are_not_kept(records, area) -> None:
    shutil.copytree(area.folder, records.home / "area")
    kept = scenarios.create(records, PLANNER, "area", "title", [new_mast(area)])
    with pytest.raises(ValidationError):
        scenarios.add_changes(records, PLANNER, kept.id, [new_mast(area)])
    assert scenarios.get(records, PLANNER, kept.id) == kept


def test_a_carrier_sees_its_own_and_published_ones(records) -> None:
    own = scenarios.create(records, CARRIER, "hanam", "own")
    theirs = scenarios.create(records, OTHER, "hanam", "theirs")
    official = scenarios.create(records, PLANNER, "hanam", "official")
    assert own.organisation == "A"

    def seen(actor: Actor) -> set[str]:
        return {item.title for item in scenarios.list_of(records, actor, "hanam")}

    assert seen(PLANNER) == {"own", "theirs", "official"}
    assert seen(CARRIER) == {"own"}
    assert seen(VISITOR) == set()
    with pytest.raises(InputError, match="There is no scenario"):
        scenarios.get(records, CARRIER, theirs.id)
    scenarios.publish(records, PLANNER, official.id)
    assert seen(CARRIER) == {"own", "official"}
    assert seen(VISITOR) == {"official"}
    # Who has no organisation owns nothing, not even what belongs to no organisation.
    assert seen(Actor(9, "none", Role.CARRIER)) == {"official"}


def test_nobody_changes_what_is_not_his(records) -> None:
    official = scenarios.create(records, PLANNER, "hanam", "official")
    scenarios.publish(records, PLANNER, official.id)
    own = scenarios.create(records, CARRIER, "hanam", "own")
    change = [Change("remove", {"mast_id": "M"})]
    for actor in (CARRIER, VISITOR):
        for attempt in (
            lambda a: scenarios.add_changes(records, a, official.id, change),
            lambda a: scenarios.rename(records, a, official.id, "mine"),
            lambda a: scenarios.delete(records, a, official.id),
            lambda a: scenarios.replace_changes(
                records, a, official.id, change, expected_version=official.version
            ),
            lambda a: scenarios.publish(records, a, own.id),
        ):
            with pytest.raises(ForbiddenError):
                attempt(actor)
    with pytest.raises(ForbiddenError):
        scenarios.create(records, VISITOR, "hanam", "title")
    assert scenarios.get(records, PLANNER, official.id).title == "official"


def test_a_change_of_what_others_changed_is_refused(records) -> None:
    first = scenarios.create(records, PLANNER, "hanam", "title")
    change = Change("remove", {"mast_id": "M"})
    scenarios.rename(records, PLANNER, first.id, "other", expected_version=first.version)
    for attempt in (
        lambda: scenarios.rename(
            records, PLANNER, first.id, "mine", expected_version=first.version
        ),
        lambda: scenarios.add_changes(
            records, PLANNER, first.id, [change], expected_version=first.version
        ),
        lambda: scenarios.delete(records, PLANNER, first.id, expected_version=first.version),
    ):
        with pytest.raises(StaleError):
            attempt()
    now = scenarios.get(records, PLANNER, first.id)
    assert (now.title, now.changes) == ("other", ())


def test_what_many_add_at_once_is_all_there(records) -> None:
    made = scenarios.create(records, PLANNER, "hanam", "title")
    failures: list[BaseException] = []

    def add(number: int) -> None:
        try:
            change = Change("remove", {"mast_id": f"M{number}"})
            scenarios.add_changes(records, PLANNER, made.id, [change])
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    kept = scenarios.get(records, PLANNER, made.id)
    assert {change.mast["mast_id"] for change in kept.changes} == {f"M{k}" for k in range(4)}


def test_what_is_deleted_stays_in_the_history(records) -> None:
    made = scenarios.create(
        records, CARRIER, "hanam", "title", [Change("remove", {"mast_id": "M"})]
    )
    scenarios.delete(records, COMMAND_LINE, made.id)
    with pytest.raises(InputError):
        scenarios.get(records, COMMAND_LINE, made.id)
    with records.reading() as session:
        entries = [item for item in session.query(HistoryEntry) if item.kind == "scenario"]
        assert [item.action for item in entries] == ["created", "deleted"]
        assert entries[1].detail["changes"][0]["mast"] == {"mast_id": "M"}
        assert [item.organisation for item in entries] == ["A", ""]
