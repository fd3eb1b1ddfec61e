"""What it costs to lead fibre to new sites, each for itself.

The cheapest way from the live network along roads, ducts, poles and cables, from the graph
of fibre design (`planning.fibre`). Ways that several new sites would share are counted for
each of them, so the sum is never too low.
"""

from __future__ import annotations

from collections.abc import Callable

import geopandas as gpd
import numpy as np
import scipy.sparse
import scipy.sparse.csgraph
from numpy.typing import NDArray

from data.errors import InputError, Message, message
from data.store import Workspace
from planning import fibre

Floats = NDArray[np.float64]


def costs(
    workspace: Workspace,
    places: gpd.GeoDataFrame,
    *,
    on_progress: Callable[[float], None] = lambda _: None,
) -> tuple[Floats, list[Message]]:
    """Return the typical cost of each place's own way to the live fibre network.

    Parameters
    ----------
    workspace
        The study area.
    places
        Points with a column candidate_id.
    on_progress
        Called with the share done.

    Returns
    -------
    cost : numpy.ndarray
        Infinite where no way leads; 0 everywhere where the area has no fibre network to
        start from, which a note says.
    notes : list of Message
        What a reader should know.
    """
    none = np.zeros(len(places))
    if not len(places):
        return none, []
    sites = gpd.GeoDataFrame(
        {"site_id": places["candidate_id"].to_numpy(), "name": "", "weight": 1.0},
        geometry=places.geometry.to_numpy(),
        crs=places.crs,
    )
    try:
        task = fibre.prepare(
            workspace, fibre.DesignRequest(sites="masts"), sites=sites, on_progress=on_progress
        )
    except InputError as error:
        return none, [message("Backhaul is not counted: {reason}", reason=error.message)]
    if task.root is None:
        said = message("Backhaul is not counted: there is no exchange in service")
        return none, [said]
    distance = _from_root(task)
    found = np.where(task.node >= 0, distance[np.maximum(task.node, 0)], np.inf)
    said = message(
        "Backhaul is counted for each new site by itself; ways that several share are counted "
        "for each of them"
    )
    return found, [said]


def _from_root(task: fibre.Task) -> Floats:
    """Return the least cost from the live network to every node."""
    edges = task.edges
    nodes = int(max(edges.tail.max(), edges.head.max(), task.node.max(), task.root or 0)) + 1
    low, high = np.minimum(edges.tail, edges.head), np.maximum(edges.tail, edges.head)
    order = np.lexsort((edges.cost, high, low))
    low, high, price = low[order], high[order], edges.cost[order]
    first = np.ones(len(low), bool)
    first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    # A way that costs nothing must not read as no way.
    price = np.maximum(price[first], 1e-9)
    graph = scipy.sparse.csr_array((price, (low[first], high[first])), shape=(nodes, nodes))
    found: Floats = scipy.sparse.csgraph.dijkstra(graph, directed=False, indices=task.root)
    return found
