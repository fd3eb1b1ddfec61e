"""Scenarios: copies of the network with changes, kept as records and read as workspaces.

A carrier sees and changes the scenarios of its organisation and sees those that planners
have published; planners and administrators see and change all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import delete as sql_delete
from sqlalchemy import select
from sqlalchemy.orm import Session

from data.errors import InputError
from data.records import engine, tables
from data.records.account_tables import now
from data.records.engine import Records
from data.records.scenario_tables import Scenario as Row
from data.records.scenario_tables import ScenarioChange
from data.store import Workspace
from planning import scenario_workspace
from planning.accounts import Actor, Role, require
from planning.scenario_network import Change as Change
from planning.scenario_network import network as network
from planning.scenario_workspace import area_name as area_name
from planning.scenario_workspace import changes_of as changes_of
from planning.scenario_workspace import described as described

#: Most changes of a scenario.
MOST_CHANGES = 5_000

_TITLE_LENGTH = 200
_NOTE_LENGTH = 5_000
_ALL = (Role.PLANNER, Role.ADMINISTRATOR)

#: How often a change is tried again that met another one.
_TRIES = 6

T = TypeVar("T")


@dataclass(frozen=True)
class Scenario:
    """A scenario as it was when it was read.

    Parameters
    ----------
    id
        Its number.
    area
        Name of the workspace's folder that it belongs to.
    title, note
        What it is called, and what it is about.
    organisation
        The carrier whose it is; empty for the planners'.
    published
        Whether everybody sees it.
    created_at, changed_at
        In UTC.
    version
        For `expected_version`.
    changes
        What is changed, in order.
    """

    id: int
    area: str
    title: str
    note: str
    organisation: str
    published: bool
    created_at: dt.datetime
    changed_at: dt.datetime
    version: int
    changes: tuple[Change, ...]


def materialise(workspace: Workspace, scenario: Scenario | Sequence[Change]) -> Workspace:
    """Return a workspace in which the network of a scenario is the network.

    Parameters
    ----------
    workspace
        The study area.
    scenario
        The scenario, or changes.

    Returns
    -------
    Workspace
        See `planning.scenario_workspace.materialise`.
    """
    changes = scenario.changes if isinstance(scenario, Scenario) else scenario
    return scenario_workspace.materialise(workspace, changes)


def create(
    records: Records,
    actor: Actor,
    area: str,
    title: str,
    changes: Iterable[Change] = (),
    *,
    note: str = "",
) -> Scenario:
    """Make a scenario.

    Parameters
    ----------
    records
        The records database.
    actor
        Who acts: a carrier, planner or administrator.
    area
        Name of the workspace's folder (`area_name`).
    title, note
        What it is called, and what it is about.
    changes
        What is changed.

    Returns
    -------
    Scenario
        As it is kept.

    Raises
    ------
    ForbiddenError
        If the actor may not.
    InputError
        If the title is missing or too long, or the changes do not fit the workspace.
    """
    require(actor, Role.CARRIER, *_ALL)
    given = tuple(changes)
    title, note = _texts(title, note)
    _check(records, area, given)
    with records.session() as session:
        return create_in(session, actor, area, title, given, note=note)


def create_in(
    session: Session,
    actor: Actor,
    area: str,
    title: str,
    changes: Sequence[Change] = (),
    *,
    note: str = "",
) -> Scenario:
    """Make a scenario within a transaction; changes are not compared with the workspace.

    Parameters
    ----------
    session
        The transaction.
    actor, area, title, changes, note
        See `create`.
    """
    require(actor, Role.CARRIER, *_ALL)
    title, note = _texts(title, note)
    row = Row(
        area=area,
        title=title,
        note=note,
        organisation=actor.organisation if actor.role is Role.CARRIER else "",
        account_id=actor.account_id,
    )
    session.add(row)
    session.flush()
    _append(session, actor, row, changes)
    _remember(session, actor, row, "created", title=title, changes=_plain(changes))
    session.flush()
    return _scenario(session, row)


def get(records: Records, actor: Actor, scenario_id: int) -> Scenario:
    """Return a scenario.

    Parameters
    ----------
    records, actor
        See `create`; everybody may ask.
    scenario_id
        Its number.

    Raises
    ------
    InputError
        If there is none of this number that the actor may see.
    """
    with records.reading() as session:
        return _scenario(session, _seen(session, actor, scenario_id))


def list_of(records: Records, actor: Actor, area: str) -> list[Scenario]:
    """Return the scenarios of an area that somebody may see, the latest change first.

    Parameters
    ----------
    records, actor, area
        See `create`; everybody may ask.
    """
    with records.reading() as session:
        rows = session.scalars(
            select(Row).where(Row.area == area).order_by(Row.changed_at.desc(), Row.id.desc())
        )
        return [_scenario(session, row) for row in rows if _may_see(actor, row)]


def rename(
    records: Records,
    actor: Actor,
    scenario_id: int,
    title: str,
    *,
    note: str | None = None,
    expected_version: int | None = None,
) -> Scenario:
    """Give a scenario another title and, where it is given, another note.

    Parameters
    ----------
    records, actor, scenario_id, title, note
        See `create` and `get`.
    expected_version
        `Scenario.version` when the user looked at it; None accepts any.

    Raises
    ------
    ForbiddenError
        If the actor may see, but not change it.
    StaleError
        If somebody else has changed it.
    """
    title, _ = _texts(title, note or "")
    with records.session() as session:
        row = _owned(session, actor, scenario_id, expected_version)
        row.title = title
        row.note = row.note if note is None else _texts(title, note)[1]
        return _touched(session, actor, row, "renamed", title=title)


def publish(
    records: Records,
    actor: Actor,
    scenario_id: int,
    published: bool = True,
    *,
    expected_version: int | None = None,
) -> Scenario:
    """Let everybody see a scenario, or no longer; planners and administrators only.

    Parameters
    ----------
    records, actor, scenario_id, expected_version
        See `rename`.
    published
        Whether everybody shall see it.
    """
    require(actor, *_ALL)
    with records.session() as session:
        row = _owned(session, actor, scenario_id, expected_version)
        row.published = published
        return _touched(session, actor, row, "published" if published else "withdrawn")


def delete(
    records: Records, actor: Actor, scenario_id: int, *, expected_version: int | None = None
) -> None:
    """Delete a scenario; the history keeps its changes.

    Parameters
    ----------
    records, actor, scenario_id, expected_version
        See `rename`.
    """
    with records.session() as session:
        row = _owned(session, actor, scenario_id, expected_version)
        plain = [item.change for item in _rows(session, row)]
        _remember(session, actor, row, "deleted", title=row.title, changes=plain)
        session.execute(sql_delete(ScenarioChange).where(ScenarioChange.scenario_id == row.id))
        session.delete(row)


def add_changes(
    records: Records,
    actor: Actor,
    scenario_id: int,
    changes: Iterable[Change],
    *,
    expected_version: int | None = None,
) -> Scenario:
    """Add changes to those of a scenario.

    Parameters
    ----------
    records, actor, scenario_id, expected_version
        See `rename`.
    changes
        What else is changed, after all that is.

    Returns
    -------
    Scenario
        As it is kept now. Without `expected_version`, what others add at the same time
        is kept, too.

    Raises
    ------
    InputError
        If the changes do not fit the network of the scenario; nothing is kept then.
    """
    given = tuple(changes)

    def step() -> Scenario:
        before = get(records, actor, scenario_id)
        _check(records, before.area, (*before.changes, *given))
        with records.session() as session:
            # What was checked is what the changes are added to.
            version = before.version if expected_version is None else expected_version
            return add_changes_in(session, actor, scenario_id, given, expected_version=version)

    return _again(step) if expected_version is None else step()


def add_changes_in(
    session: Session,
    actor: Actor,
    scenario_id: int,
    changes: Sequence[Change],
    *,
    expected_version: int | None = None,
) -> Scenario:
    """Add changes within a transaction; they are not compared with the workspace.

    Parameters
    ----------
    session
        The transaction, such as that in which a proposal is approved.
    actor, scenario_id, changes, expected_version
        See `add_changes`.
    """
    row = _owned(session, actor, scenario_id, expected_version)
    _append(session, actor, row, changes)
    return _touched(session, actor, row, "changed", changes=_plain(changes))


def replace_changes(
    records: Records,
    actor: Actor,
    scenario_id: int,
    changes: Iterable[Change],
    *,
    expected_version: int,
) -> Scenario:
    """Put other changes in the place of those of a scenario.

    Parameters
    ----------
    records, actor, scenario_id, expected_version
        See `rename`.
    changes
        All that is to be changed from now on.
    """
    given = tuple(changes)
    _check(records, get(records, actor, scenario_id).area, given)
    with records.session() as session:
        row = _owned(session, actor, scenario_id, expected_version)
        session.execute(sql_delete(ScenarioChange).where(ScenarioChange.scenario_id == row.id))
        _append(session, actor, row, given)
        return _touched(session, actor, row, "replaced", changes=_plain(given))


def _again(step: Callable[[], T]) -> T:
    """Try a step again that met somebody else's."""
    for _ in range(_TRIES - 1):
        try:
            return step()
        except engine.StaleError:
            continue
    return step()


def _texts(title: str, note: str) -> tuple[str, str]:
    title, note = title.strip(), note.strip()
    if not title:
        raise InputError("A scenario needs a title")
    for name, text, most in (("title", title, _TITLE_LENGTH), ("note", note, _NOTE_LENGTH)):
        if len(text) > most:
            raise InputError(
                "The {name} has {count} characters (expected at most {most})",
                name=name,
                count=len(text),
                most=most,
            )
    if not title.isprintable():
        raise InputError("The title holds characters that cannot be shown")
    return title, note


def _check(records: Records, area: str, changes: Sequence[Change]) -> None:
    """Raise what is wrong with changes, where the workspace is there to compare with."""
    if len(changes) > MOST_CHANGES:
        raise InputError(
            "The scenario would have {count} changes (expected at most {most})",
            count=len(changes),
            most=MOST_CHANGES,
        )
    if area in ("", ".", "..") or any(sign in area for sign in "/\\"):
        raise InputError("There is no study area {value}", value=area)
    folder = records.home / area
    if Workspace.exists(folder):
        network(Workspace.open(folder), changes)


def _plain(changes: Iterable[Change]) -> list[dict[str, object]]:
    return [change.to_dict() for change in changes]


def _append(session: Session, actor: Actor, row: Row, changes: Sequence[Change]) -> None:
    first = 1 + max((item.position for item in _rows(session, row)), default=0)
    for position, change in enumerate(_plain(changes), first):
        session.add(
            ScenarioChange(
                scenario_id=row.id, position=position, change=change, account_id=actor.account_id
            )
        )


def _rows(session: Session, row: Row) -> list[ScenarioChange]:
    query = select(ScenarioChange).where(ScenarioChange.scenario_id == row.id)
    return list(session.scalars(query.order_by(ScenarioChange.position)))


def _touched(session: Session, actor: Actor, row: Row, action: str, **detail: object) -> Scenario:
    """Note a change, which gives the row another version."""
    row.changed_at = max(now(), row.changed_at + dt.timedelta(milliseconds=1))
    _remember(session, actor, row, action, **detail)
    session.flush()
    return _scenario(session, row)


def _remember(session: Session, actor: Actor, row: Row, action: str, **detail: object) -> None:
    tables.append_history(
        session,
        area=row.area,
        kind="scenario",
        subject_id=row.id,
        actor=actor,
        action=action,
        detail=detail,
    )


def _scenario(session: Session, row: Row) -> Scenario:
    return Scenario(
        row.id,
        row.area,
        row.title,
        row.note,
        row.organisation,
        row.published,
        row.created_at,
        row.changed_at,
        row.version,
        tuple(Change.from_dict(item.change) for item in _rows(session, row)),
    )


def _may_change(actor: Actor, row: Row) -> bool:
    if actor.role in _ALL:
        return True
    own = actor.organisation != "" and actor.organisation == row.organisation
    return actor.role is Role.CARRIER and own


def _may_see(actor: Actor, row: Row) -> bool:
    return row.published or _may_change(actor, row)


def _seen(session: Session, actor: Actor, scenario_id: int) -> Row:
    row = session.get(Row, scenario_id) if 0 < scenario_id < 2**31 else None
    if row is None or not _may_see(actor, row):
        # Whether there is one that the actor must not see is not said.
        raise InputError("There is no scenario {value}", value=scenario_id)
    return row


def _owned(session: Session, actor: Actor, scenario_id: int, version: int | None) -> Row:
    require(actor, Role.CARRIER, *_ALL)
    row = _seen(session, actor, scenario_id)
    if not _may_change(actor, row):
        require(actor, *_ALL)
    engine.expect(row, version)
    return row
