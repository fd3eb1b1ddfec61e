"""The way of the light: from each access point back to the exchange that feeds it, along cables."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from planning.cost import unit_costs
from planning.route_graph import build

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LightPaths:
    """Ways back to an exchange.

    Parameters
    ----------
    length_m
        Length of each access point's way, infinite where there is none. [m]
    exchange
        Position of its exchange, -1 for none.
    leased
        Whether it uses cables of other owners.
    """

    length_m: FloatArray
    exchange: IntArray
    leased: NDArray[np.bool_]


def cables(segments: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the stretches that carry fibre today.

    Parameters
    ----------
    segments
        Layer `fibre_segments`.

    Returns
    -------
    GeoDataFrame
        Existing ones, without ducts that have no cable.
    """
    empty = (segments["segment_type"] == "duct") & segments["cores"].isna()
    return segments[(segments["status"] == "existing") & ~empty]


def light_paths(
    segments: gpd.GeoDataFrame | None,
    access: gpd.GeoDataFrame,
    exchanges: gpd.GeoDataFrame,
    *,
    tolerance_m: float,
) -> LightPaths:
    """Find the shortest way along cables from each access point to an exchange of its owner.

    Its owner's own cables come first, and those without an owner; where they lead to no
    exchange, cables of others count too, as rented fibres do. An access point or an
    exchange without an owner goes with any.

    Parameters
    ----------
    segments
        Layer `fibre_segments`, or None.
    access, exchanges
        Rows of the layer `fibre_nodes`.
    tolerance_m
        How far a node may stand off its cable. [m]

    Returns
    -------
    LightPaths
        In the order of `access`.
    """
    count = len(access)
    length = np.full(count, np.inf)
    exchange = np.full(count, -1, dtype=np.int64)
    leased = np.zeros(count, dtype=bool)
    lit = None if segments is None else cables(segments)
    if lit is None or not len(lit) or not len(exchanges):
        return LightPaths(length, exchange, leased)
    owner = access["owner"].astype(object).where(access["owner"].notna(), None)
    for name in dict.fromkeys(owner.tolist()):
        mine = np.flatnonzero([one == name for one in owner])
        feeding, own = np.arange(len(exchanges)), lit
        if name is not None:
            feeding = np.flatnonzero(_of(exchanges, name))
            own = lit[_of(lit, name)]
        for cable, rented in ((own, False), (lit, True)):
            # Whoever has a way on own cables needs no others.
            open_ = mine[~np.isfinite(length[mine])]
            if not len(open_) or not len(feeding) or not len(cable):
                continue
            if rented and len(own) == len(lit):
                continue
            far, which = _along(cable, access.iloc[open_], exchanges.iloc[feeding], tolerance_m)
            good = np.isfinite(far)
            length[open_[good]] = far[good]
            exchange[open_[good]] = feeding[which[good]]
            leased[open_[good]] = rented
    return LightPaths(length, exchange, leased)


def _of(frame: gpd.GeoDataFrame, name: object) -> NDArray[np.bool_]:
    return np.asarray((frame["owner"] == name).fillna(False) | frame["owner"].isna(), dtype=bool)


def _along(
    cable: gpd.GeoDataFrame,
    access: gpd.GeoDataFrame,
    exchanges: gpd.GeoDataFrame,
    tolerance_m: float,
) -> tuple[FloatArray, IntArray]:
    # Light goes through full cables too, so here every cable is as good as a duct.
    graph = build(
        roads=None,
        fibre_segments=cable.assign(segment_type="duct"),
        costs=unit_costs(),
        link_m=0.0,
    ).graph
    x = np.r_[access.geometry.x.to_numpy(), exchanges.geometry.x.to_numpy()]
    y = np.r_[access.geometry.y.to_numpy(), exchanges.geometry.y.to_numpy()]
    graph, node, offset = graph.attach(x, y, tolerance_m=tolerance_m)
    mine, theirs = node[: len(access)], node[len(access) :]
    there = np.flatnonzero(theirs >= 0)
    distance, source = graph.distances(theirs[there], offsets=offset[len(access) :][there])
    on = mine >= 0
    length = np.full(len(access), np.inf)
    which = np.full(len(access), -1, dtype=np.int64)
    length[on] = distance[mine[on]] + offset[: len(access)][on]
    good = on & np.isfinite(length)
    which[good] = there[source[mine[good]]]
    return length, which
