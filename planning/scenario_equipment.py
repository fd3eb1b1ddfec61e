"""Help with changes: typical equipment as cells, and identifiers that are free."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from coverage.request import cells_of
from data.errors import InputError
from data.store import Workspace
from planning import siting_options
from planning.scenario_network import Change


def typical_cells(
    workspace: Workspace, operator: str, technologies: Sequence[str], height_m: float
) -> tuple[dict[str, Any], ...]:
    """Return the cells that an operator typically hangs on a mast.

    Parameters
    ----------
    workspace
        The study area, whose cells say what is typical (`planning.siting_options`).
    operator
        Whose.
    technologies
        Which.
    height_m
        Antenna height. [m]

    Returns
    -------
    tuple of dict
        For `Change.cells`.

    Raises
    ------
    InputError
        If the operator has no cell of a technology here.
    """
    known = siting_options.typical(cells_of(workspace), [operator], technologies)
    found = []
    for technology in technologies:
        if (operator, technology) not in known:
            raise InputError(
                "{operator} has no {technology} in the area, so its equipment is not known",
                operator=operator,
                technology=technology,
            )
        cells = known[operator, technology].cells_at("", height_m)
        found += [
            {name: value for name, value in cell.items() if name not in ("cell_id", "mast_id")}
            for cell in cells
        ]
    return tuple(found)


def free_mast_id(workspace: Workspace, changes: Iterable[Change]) -> str:
    """Return an identifier that no mast has.

    Parameters
    ----------
    workspace
        The study area.
    changes
        Those made already.

    Returns
    -------
    str
        ``NEW001`` or the next one that is free.
    """
    taken = {str(change.mast.get("mast_id")) for change in changes}
    if workspace.has("masts"):
        taken |= set(workspace.read("masts")["mast_id"])
    number = 1
    while f"NEW{number:03d}" in taken:
        number += 1
    return f"NEW{number:03d}"
