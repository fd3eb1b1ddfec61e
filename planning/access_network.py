"""The fibre network as broadband coverage sees it: access points, exchanges, routes of drops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from data.errors import InputError, Message, message
from data.store import Workspace
from planning import optical, route_graph
from planning.broadband_request import ACCESS_TYPES, BroadbandRequest, FloatArray
from planning.cost import unit_costs
from planning.light_paths import LightPaths, light_paths


@dataclass(frozen=True, eq=False)
class Network:
    """Access points and exchanges with what the data say, and what is assumed.

    Parameters
    ----------
    access
        Rows of `fibre_nodes` that are live access points, numbered from 0.
    exchanges
        Rows that are live exchanges.
    budget_checked
        Whether there are cables and exchanges to check the optical budget with.
    paths
        Ways back to the exchanges.
    pon_class, split_ratio
        Of each access point, assumed ones filled in.
    notes
        What a reader must know.
    """

    access: gpd.GeoDataFrame
    exchanges: gpd.GeoDataFrame
    budget_checked: bool
    paths: LightPaths
    pon_class: list[str]
    split_ratio: FloatArray
    notes: list[Message]

    def capacity(self, count: str, unknown: float, free_unknown: float) -> FloatArray:
        """Return the ports that serve homes: all or only free ones.

        Parameters
        ----------
        count
            ``"all"`` or ``"free"``.
        unknown
            Ports of access points that have none in the data.
        free_unknown
            Share of the ports that is free where the data do not say.

        Returns
        -------
        NDArray
            Shape (n_access,).
        """
        ports = self.access["ports"].to_numpy(dtype=float)
        used = self.access["ports_used"].to_numpy(dtype=float)
        total = np.where(np.isnan(ports), unknown, ports)
        if count == "all":
            return total
        free = np.where(np.isnan(used), total * free_unknown, np.maximum(total - used, 0.0))
        return np.where(np.isnan(ports), unknown * free_unknown if unknown else 0.0, free)

    def budget_m(self, table: optical.OpticalTable, case: optical.Case) -> FloatArray:
        """Return the longest drop for which each access point's budget closes.

        Parameters
        ----------
        table
            Classes and losses.
        case
            Which values of the table.

        Returns
        -------
        NDArray
            Negative where not even a drop of no length will do; infinite where budgets
            are not checked. [m]
        """
        if not self.budget_checked:
            return np.full(len(self.access), np.inf)
        largest = max(table.splitters)
        known: dict[tuple[str, float], float] = {}
        reach = np.empty(len(self.access))
        for k, pair in enumerate(zip(self.pon_class, self.split_ratio.tolist(), strict=True)):
            if pair not in known:
                name, ratio = pair
                fits = ratio <= largest and bool(
                    optical.closes(name, 0.0, int(ratio), case=case, table=table)
                )
                known[pair] = (
                    optical.reach_m(name, int(ratio), case=case, table=table) if fits else -1.0
                )
            reach[k] = known[pair]
        return np.where(reach < 0.0, -1.0, reach - self.paths.length_m)


def drop_routes(
    roads: gpd.GeoDataFrame | None, segments: gpd.GeoDataFrame | None
) -> route_graph.BuiltGraph:
    """Return the routes that drop cables follow: roads, and ducts and poles away from them.

    What runs beside a road is left out, because a drop may cross the road anywhere,
    while two lines side by side would be joined at their ends only.

    Parameters
    ----------
    roads, segments
        Layers `roads` and `fibre_segments`, or None.

    Returns
    -------
    route_graph.BuiltGraph
        The routes, and what was doubtful about the lines.

    Raises
    ------
    InputError
        If there are neither.
    """
    if roads is not None and segments is not None and len(segments):
        open_ = roads[~roads["road_class"].astype(str).str.lower().isin(route_graph.CLOSED_ROADS)]
        segments = _away_from(segments, open_.geometry.to_numpy())
    return route_graph.build(
        roads=roads,
        fibre_segments=segments,
        costs=unit_costs(),
        link_m=route_graph.LINK_M + 1.0,
    )


def _away_from(segments: gpd.GeoDataFrame, roads: NDArray[np.object_]) -> gpd.GeoDataFrame:
    """Return the parts of segments that do not run beside a road."""
    lines = segments.geometry.to_numpy()
    one, other = shapely.STRtree(roads).query(
        lines, predicate="dwithin", distance=route_graph.LINK_M
    )
    around = shapely.buffer(roads[other], route_graph.LINK_M)
    left = lines.copy()
    beside = np.zeros(len(lines), dtype=bool)
    beside[one[shapely.covered_by(lines[one], around)]] = True
    order = np.argsort(one, kind="stable")
    for segment, where in _runs(one[order]):
        if not beside[segment]:
            near = shapely.union_all(around[order[where]])
            left[segment] = shapely.difference(lines[segment], near)
    keep = ~beside & (shapely.length(left) > 1.0)
    return segments[keep].set_geometry(left[keep], crs=segments.crs)


def _runs(values: NDArray[np.int64]) -> Iterator[tuple[int, slice]]:
    """Yield each value of a sorted array and where it stands."""
    change = np.r_[True, values[1:] != values[:-1]] if len(values) else np.zeros(0, dtype=bool)
    starts = np.flatnonzero(change)
    for first, last in zip(starts, [*starts[1:], len(values)], strict=True):
        yield int(values[first]), slice(int(first), int(last))


def read_network(
    workspace: Workspace, request: BroadbandRequest, table: optical.OpticalTable
) -> Network:
    """Read the access points of a study area and find their ways back to the exchanges.

    Parameters
    ----------
    workspace
        The study area.
    request
        What is assumed where data are missing.
    table
        Classes of optical budgets.

    Returns
    -------
    Network
        The network.

    Raises
    ------
    InputError
        If there is no live access point.
    """
    nodes = workspace.read("fibre_nodes").reset_index(drop=True)
    segments = workspace.read("fibre_segments") if workspace.has("fibre_segments") else None
    live = (nodes["status"] == "existing").to_numpy()
    ports = nodes["ports"].to_numpy(dtype=float)
    kind = nodes["node_type"].isin(ACCESS_TYPES).to_numpy()
    gives = (ports > 0.0) | (kind & np.isnan(ports))
    access = nodes[live & gives].reset_index(drop=True)
    exchanges = nodes[live & (nodes["node_type"] == "olt")].reset_index(drop=True)
    if not len(access):
        raise InputError(
            "None of the {count} rows of fibre_nodes is a live access point (expected cabinets or "
            "splitters, or other nodes with ports, of status existing)",
            count=f"{len(nodes):,}",
        )
    paths = light_paths(segments, access, exchanges, tolerance_m=request.access_reach_m)
    notes = []
    planned = int((~live & gives).sum())
    if planned:
        notes.append(
            message("Access points not yet or no longer live: {count}.", count=f"{planned:,}")
        )
    checked_budget = segments is not None and len(exchanges) > 0
    if not checked_budget:
        notes.append(
            message(
                "The optical budget was not checked, because there are no exchanges (node type "
                "olt) or no fibre_segments in the workspace."
            )
        )
    else:
        lost = int((~np.isfinite(paths.length_m)).sum())
        if lost:
            notes.append(
                message(
                    "Access points without a way along existing cables to an exchange of their "
                    "owner: {count} ({examples}).",
                    count=f"{lost:,}",
                    examples=examples(access["node_id"], ~np.isfinite(paths.length_m)),
                )
            )
        if paths.leased.any():
            notes.append(
                message(
                    "Access points whose way to the exchange uses cables of other owners: {count}.",
                    count=f"{int(paths.leased.sum()):,}",
                )
            )
    missing = int(access["ports"].isna().sum())
    if missing:
        notes.append(
            message(
                "Access points without a number of ports: {count}; {assumed} were assumed, and for "
                "the range none and no limit.",
                count=f"{missing:,}",
                assumed=request.assumed_ports,
            )
        )
    names = _classes(access, exchanges, paths, request, table, notes)
    ratio = access["split_ratio"].to_numpy(dtype=float)
    if checked_budget and np.isnan(ratio).any():
        notes.append(
            message(
                "Access points without a split ratio: {count}; 1:{assumed} was assumed.",
                count=f"{int(np.isnan(ratio).sum()):,}",
                assumed=request.assumed_split_ratio,
            )
        )
    ratio = np.where(np.isnan(ratio), request.assumed_split_ratio, ratio)
    return Network(access, exchanges, checked_budget, paths, names, ratio, notes)


def examples(names: pd.Series, where: NDArray[np.bool_]) -> str:
    """Return a few names for a note.

    Parameters
    ----------
    names
        All names.
    where
        Those to choose from.

    Returns
    -------
    str
        The first five in order, with commas between them.
    """
    found = sorted(names[where].astype(str))
    return ", ".join(found[:5]) + (", …" if len(found) > 5 else "")


def _classes(
    access: gpd.GeoDataFrame,
    exchanges: gpd.GeoDataFrame,
    paths: LightPaths,
    request: BroadbandRequest,
    table: optical.OpticalTable,
    notes: list[Message],
) -> list[str]:
    """Return the budget class of each access point: its own, the exchange's or the assumed one."""
    own = access["pon_class"].astype(object).where(access["pon_class"].notna(), "").tolist()
    theirs = exchanges["pon_class"].astype(object).where(exchanges["pon_class"].notna(), "")
    theirs = [*theirs.tolist(), ""]
    strange: set[str] = set()
    names, assumed = [], 0
    for mine, exchange in zip(own, paths.exchange.tolist(), strict=True):
        name = str(mine or theirs[exchange]).strip().upper()
        if name and name not in table.classes:
            strange.add(name)
            name = ""
        assumed += not name
        names.append(name or request.assumed_pon_class.upper())
    if strange:
        notes.append(
            message(
                "Optical budget classes that are not known, taken as {assumed}: {names} (expected "
                "some of {expected}).",
                assumed=request.assumed_pon_class,
                names=", ".join(sorted(strange)),
                expected=", ".join(table.classes),
            )
        )
    if assumed:
        notes.append(
            message(
                "Access points without an optical budget class: {count}; {assumed} was assumed.",
                count=assumed,
                assumed=request.assumed_pon_class,
            )
        )
    return names
