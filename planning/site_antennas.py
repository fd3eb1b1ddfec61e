"""The antennas that come to a proposed site, and where they hang on a mast that is there.

On a mast that others use antennas need a height of their own (`sharing_moves`): the
highest free one that is not above what was asked for. Operators that hang there already
hang their further antennas where their present ones are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from coverage.request import cells_of
from data.errors import InputError
from data.store import Workspace
from planning import sharing_costs, sharing_moves, site_request
from planning.sharing_costs import Prices
from planning.site_request import SiteRequest


def cells_of_site(
    workspace: Workspace, request: SiteRequest, operator: str
) -> list[dict[str, Any]]:
    """Return the cells that come to a site.

    Parameters
    ----------
    workspace
        The study area.
    request
        The site.
    operator
        Whose typical cells they are where none are stated.

    Returns
    -------
    list of dict
        Columns of the layer `cells` but `cell_id` and `mast_id`. Typical ones on a mast
        that is there hang at a free height; where there is none, below its top.

    Raises
    ------
    InputError
        If there is no such mast, or neither a cell nor a typical one of a technology.
    """
    present = cells_of(workspace)
    templates = site_request.cell_table(workspace.folder)
    if request.kind == "new":
        return site_request.typical_cells(request, operator, present, templates)
    mast = mast_of(workspace, request.mast_id)
    height_m = float(mast["height_m"])
    there = replace(request, height_m=height_m)
    cells = site_request.typical_cells(there, operator, present, templates)
    if request.cells:
        return cells
    on_mast = present[present["mast_id"] == request.mast_id]
    hung = hung_on(height_m, on_mast, cells, sharing_costs.prices(workspace.folder))
    return cells if hung is None else hung


def mast_of(workspace: Workspace, mast_id: str) -> dict[str, Any]:
    """Return the row of a mast.

    Parameters
    ----------
    workspace
        The study area.
    mast_id
        Its code.

    Raises
    ------
    InputError
        If there is none.
    """
    masts = workspace.read("masts") if workspace.has("masts") else None
    found = None if masts is None else masts[masts["mast_id"] == mast_id]
    if found is None or found.empty:
        raise InputError("There is no mast {mast}", mast=mast_id)
    return {str(name): value for name, value in found.iloc[0].items()}


def hung_on(
    height_m: float, there: pd.DataFrame, cells: Sequence[Mapping[str, Any]], prices: Prices
) -> list[dict[str, Any]] | None:
    """Return cells as they would hang on a mast that is there.

    Parameters
    ----------
    height_m
        Top of the mast. [m]
    there
        Layer `cells`, those on the mast.
    cells
        With operator and antenna_height_m.
    prices
        For the height that the antennas of an operator take.

    Returns
    -------
    list of dict or None
        The cells, each operator's at one height; None if one of them finds none.
    """
    taken = there["antenna_height_m"].dropna().astype(float).tolist()
    heights: dict[str, float] = {}
    for operator in sorted({str(cell["operator"]) for cell in cells}):
        own = there.loc[there["operator"] == operator, "antenna_height_m"].dropna()
        if len(own):
            heights[operator] = float(own.median())
            continue
        free = sharing_moves.heights_between_m(height_m, np.array(taken, float), prices)
        if not free:
            return None
        asked = max(
            float(cell.get("antenna_height_m") or 0.0)
            for cell in cells
            if cell["operator"] == operator
        )
        heights[operator] = max((each for each in free if each <= asked), default=min(free))
        taken.append(heights[operator])
    return [{**cell, "antenna_height_m": heights[str(cell["operator"])]} for cell in cells]


def nearest_to_others_m(there: pd.DataFrame, cells: Sequence[Mapping[str, Any]]) -> float | None:
    """Return how near antennas hang to those of other operators on a mast.

    Parameters
    ----------
    there
        Layer `cells`, those on the mast.
    cells
        Those that come; further ones of an operator that is there do not count.

    Returns
    -------
    float or None
        Least difference of heights; None where there is nothing to compare. [m]
    """
    present = set(there["operator"])
    come = [
        float(cell["antenna_height_m"])
        for cell in cells
        if cell["operator"] not in present and cell.get("antenna_height_m") is not None
    ]
    taken = there["antenna_height_m"].dropna().astype(float)
    return min((abs(one - two) for one in come for two in taken), default=None)
