"""Coverage of any masts and cells, computed by the engine from nothing but them.

Where `coverage.whatif` follows small changes at once, this takes a network in which much has
changed, and says for every pixel what is covered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from coverage import composite, mast, percentages, run
from coverage.request import (
    ON_AIR,
    CoverageRequest,
    figure_table,
    make_plan,
    people_per_pixel,
    predictable_cells,
    services,
    sigma_by_cell,
    surroundings,
)
from data.store import Workspace
from planning.mast_coverage import Service


@dataclass(frozen=True, eq=False)
class NetworkCoverage:
    """What a network covers.

    Parameters
    ----------
    covered
        (technology or union of them, operator or "any") -> flags of the pixels in row order.
    figures
        The table of `coverage.results.CoverageResult`.
    """

    covered: dict[Service, NDArray[np.bool_]]
    figures: pd.DataFrame


def compute(
    workspace: Workspace,
    request: CoverageRequest,
    masts: gpd.GeoDataFrame,
    cells: pd.DataFrame,
    *,
    threads: int | None = None,
    on_progress: Callable[[float], None] = lambda _: None,
) -> NetworkCoverage:
    """Compute the coverage of a network that need not be the workspace's.

    Parameters
    ----------
    workspace
        The study area with everything but the network. The area must fit into memory.
    request
        What to compute.
    masts
        The masts, in the CRS of the area; those on air count.
    cells
        Their cells.
    threads
        Masts computed at once; all processors if None.
    on_progress
        Called with the finished share; may raise `CancelledError`.

    Returns
    -------
    NetworkCoverage
        The same figures as `coverage.run.compute` for a workspace with this network.
    """
    plan = make_plan(workspace, request)
    threads = threads or run.default_threads()
    masts = masts[masts["status"].isin(ON_AIR)]
    cells = cells.reset_index(drop=True)
    around = surroundings(plan, plan.grid)
    cache = run.loss_cache(workspace)
    levels = composite.compose(
        around.elevation,
        around.clutter_height,
        masts,
        predictable_cells(plan, cells),
        plan.grid,
        wanted=[
            item
            for item in mast.carriers(cells)
            if item.technology in plan.thresholds and item.operator in plan.operators
        ],
        settings=plan.settings,
        own_patterns=plan.own.patterns,
        losses=run.losses_of(plan, around, cache),
        threads=threads,
        on_progress=lambda share: on_progress(0.8 * share),
    )
    cache.trim()
    found = services(plan, levels, sigma_by_cell(plan, cells))
    zones = workspace.read("zones")
    villages = workspace.read("villages") if workspace.has("villages") else None
    weights = percentages.zone_weights(zones, plan.grid)
    people = people_per_pixel(workspace, plan.grid)
    tallies: dict[tuple[str, str, str], percentages.Tally] = {}
    for done, ((name, operator), where) in enumerate(found.items(), start=1):
        parts = percentages.tally_all(zones, weights, where, people, villages)
        tallies |= {(name, operator, measure): tally for measure, tally in parts.items()}
        on_progress(0.8 + 0.2 * done / len(found))
    return NetworkCoverage(
        {key: where.covered.ravel() for key, where in found.items()},
        figure_table(zones, tallies, plan.grid.resolution_m),
    )
