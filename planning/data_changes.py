"""Changes of layers, rasters and reported figures: who may make them, and that they were made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from data.records import tables
from data.records.engine import Records
from planning.accounts import Actor, Role, require


@contextmanager
def change(
    records: Records | None,
    actor: Actor,
    *,
    area: str,
    action: str,
    detail: Mapping[str, object] | None = None,
) -> Iterator[None]:
    """Let planners and administrators change the data of an area, and note it.

    Parameters
    ----------
    records
        The database; None as long as there is none, when nothing can be noted.
    actor
        Who acts.
    area
        Name of the workspace's folder.
    action
        What is done, such as ``"imported"``.
    detail
        JSON values that say it exactly.

    Yields
    ------
    None
        For the change itself; an error in it leaves no note.

    Raises
    ------
    ForbiddenError
        If the actor may not change data.
    """
    require(actor, Role.PLANNER, Role.ADMINISTRATOR)
    yield
    if records is None:
        return
    with records.session() as session:
        tables.append_history(
            session,
            area=area,
            kind="data",
            subject_id=area,
            actor=actor,
            action=action,
            detail=detail,
        )
