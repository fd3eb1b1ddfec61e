"""Access design and shared routes for places of a study area, by the layers that are there."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from data import csv_file
from data.errors import InputError
from data.store import Workspace
from planning import broadband, cost, fibre, optical, shared_routes
from planning.access_design import AccessDesign, AccessRequest, design_access
from planning.route_graph import RouteGraph
from planning.shared_routes import SharedRoutes, Split

#: Optical budget class that the reach of a new access network is taken from.
PON_CLASS = "B+"

#: More fibres than any cable has free: cables of one carrier are no way for another, so
#: that joint routes are ducts, poles and trenches that all can use.
_NO_SPARE_CORES = 10_000

Progress = Callable[[float], None]


def _silent(_: float) -> None:
    return None


def _zone(workspace: Workspace, codes: Sequence[str]) -> Any:
    zones = workspace.read("zones")
    unknown = sorted(set(codes) - set(zones["code"]))
    if unknown or not codes:
        raise InputError("There is no zone {value}", value=", ".join(unknown) or "none")
    return shapely.union_all(zones[zones["code"].isin(codes)].geometry.to_numpy())


def _exchanges(workspace: Workspace, graph: RouteGraph) -> tuple[RouteGraph, gpd.GeoDataFrame]:
    """Return the graph with a node for every live exchange, and the exchanges with it."""
    nodes = workspace.read("fibre_nodes") if workspace.has("fibre_nodes") else None
    if nodes is not None:
        nodes = nodes[(nodes["node_type"] == "olt") & (nodes["status"] == "existing")]
    if nodes is None or not len(nodes):
        raise InputError(
            "There is no exchange in service: import fibre_nodes with at least one existing olt"
        )
    x, y = nodes.geometry.x.to_numpy(), nodes.geometry.y.to_numpy()
    graph, at, _ = graph.attach(x, y, tolerance_m=fibre.EXCHANGE_M)
    nodes = nodes.assign(graph_node=at)
    return graph, nodes[nodes["graph_node"] >= 0]


def access(
    workspace: Workspace,
    zones: Sequence[str],
    request: AccessRequest | None = None,
    *,
    on_progress: Progress = _silent,
) -> AccessDesign:
    """Place cabinets and splitters for the homes of zones that have no fixed broadband.

    Parameters
    ----------
    workspace
        The study area, with what `planning.broadband` needs.
    zones
        Codes of the zones.
    request
        Lengths and splitters; by default the reach is what class B+ leaves behind the
        splitter.
    on_progress
        Called with the share done.

    Returns
    -------
    AccessDesign
        See `planning.access_design`.

    Raises
    ------
    InputError
        If a zone is not known, no home in them is without broadband, or there is no
        exchange.
    """
    inside = _zone(workspace, zones)
    if request is None:
        request = AccessRequest()
        request = replace(request, reach_m=optical.reach_m(PON_CLASS, request.split))
    found = broadband.coverage(
        workspace, compute_mobile=False, on_progress=lambda share: on_progress(0.4 * share)
    )
    homes = found.homes
    open_ = homes["households"] * (1.0 - homes["served_share"])
    use = (open_ > 1e-6).to_numpy() & shapely.intersects(inside, homes.geometry.to_numpy())
    if not use.any():
        raise InputError(
            "No home in {zones} is without fixed broadband", zones=", ".join(sorted(zones))
        )
    homes = homes[use].assign(households=open_[use]).reset_index(drop=True)
    graph = fibre.graph_of(workspace, fibre.DesignRequest()).graph
    graph, exchanges = _exchanges(workspace, graph)
    return design_access(
        graph,
        homes,
        np.unique(exchanges["graph_node"].to_numpy()),
        cost.unit_costs(workspace.folder),
        request,
        on_progress=lambda share: on_progress(0.4 + 0.6 * share),
    )


def _masts_by_owner(workspace: Workspace) -> dict[str, gpd.GeoDataFrame]:
    if not workspace.has("masts"):
        raise InputError(
            "The study area has no layer {layer}; import it, or connect other sites", layer="masts"
        )
    masts = workspace.read("masts")
    masts = masts[(masts["status"] != "removed") & masts["owner"].notna()]
    return {str(name): frame for name, frame in masts.groupby("owner", sort=True)}


def share(
    workspace: Workspace,
    sites: Mapping[str, gpd.GeoDataFrame] | None = None,
    *,
    zones: Sequence[str] | None = None,
    split: Split = "shapley",
    reach_m: float = 2_000.0,
    time_limit_s: float = 60.0,
    on_progress: Progress = _silent,
) -> tuple[SharedRoutes, gpd.GeoDataFrame]:
    """Compare carriers' separate routes with joint ones.

    Every carrier connects its sites with the exchange nearest to their middle: one of
    its own where it has any. Ducts and poles are used, free cores of cables are not.

    Parameters
    ----------
    workspace
        The study area.
    sites
        Carrier -> its sites (points); by default the masts in use, by owner.
    zones
        Codes of the zones in which sites count; None for all.
    split, time_limit_s, on_progress
        See `planning.shared_routes.share_routes`.
    reach_m
        How far from a route a site may stand. [m]

    Returns
    -------
    shared
        See `planning.shared_routes`.
    stretches
        Its stretches with their lines; `alone` and `together` as text.

    Raises
    ------
    InputError
        If there is no exchange, fewer than two carriers have sites, or a site lies beyond
        reach.
    """
    graph = fibre.graph_of(workspace, fibre.DesignRequest(cores_per_site=_NO_SPARE_CORES)).graph
    graph, exchanges = _exchanges(workspace, graph)
    if sites is None:
        sites = _masts_by_owner(workspace)
    inside = None if zones is None else _zone(workspace, zones)
    terminals: dict[str, list[int]] = {}
    for name, frame in sites.items():
        if inside is not None:
            frame = frame[shapely.intersects(inside, frame.geometry.to_numpy())]
        if not len(frame):
            continue
        x, y = frame.geometry.x.to_numpy(), frame.geometry.y.to_numpy()
        graph, at, _ = graph.attach(x, y, tolerance_m=reach_m)
        if (at < 0).any():
            raise InputError(
                "{count} of the {total} sites of {carrier} lie more than {reach} m from every "
                "route",
                count=int((at < 0).sum()),
                total=len(at),
                carrier=name,
                reach=f"{reach_m:g}",
            )
        own = exchanges[exchanges["owner"] == name]
        near = own if len(own) else exchanges
        far = np.hypot(near.geometry.x - x.mean(), near.geometry.y - y.mean()).to_numpy()
        terminals[name] = [*at.tolist(), int(near["graph_node"].iloc[int(np.argmin(far))])]
    if len(terminals) < 2:
        raise InputError(
            "Routes can be shared by two carriers or more, but {count} have sites there",
            count=len(terminals),
        )
    segments = workspace.read("fibre_segments") if workspace.has("fibre_segments") else None
    costs = cost.unit_costs(workspace.folder)
    shared = shared_routes.share_routes(
        graph.tail,
        graph.head,
        shared_routes.carriers_on(graph, segments, terminals, costs),
        split=split,
        time_limit_s=time_limit_s,
        on_progress=on_progress,
    )
    rows = shared.stretches
    stretches = gpd.GeoDataFrame(
        rows.assign(
            alone=[", ".join(names) for names in rows["alone"]],
            together=[", ".join(names) for names in rows["together"]],
        ),
        geometry=graph.line[rows["edge"].to_numpy(dtype=np.int64)],
        crs=graph.crs,
    )
    return shared, stretches


def save_access(design: AccessDesign, folder: Path) -> None:
    """Write an access design: access.json, access.gpkg and bill.csv.

    Parameters
    ----------
    design
        From `access`.
    folder
        Where to; made if it is missing.
    """
    summary = {
        "cabinets": len(design.cabinets),
        "homes": len(design.homes),
        "served": int(design.homes["reason"].isna().sum()),
        "cost": asdict(design.cost),
        "design_cost": design.design_cost,
        "lower_bound": design.lower_bound,
        "gap": design.gap,
        "parts": design.parts,
        "notes": [str(note) for note in design.notes],
    }
    layers = {
        "cabinets": design.cabinets,
        "homes": design.homes,
        "drops": design.drops,
        "feeders": design.feeders,
    }
    _save(folder, "access", summary, layers, {"bill.csv": design.bill})


def save_shared(shared: SharedRoutes, stretches: gpd.GeoDataFrame, folder: Path) -> None:
    """Write shared routes: shared.json, shared.gpkg and carriers.csv.

    Parameters
    ----------
    shared, stretches
        From `share`.
    folder
        Where to; made if it is missing.
    """
    summary = {
        "separate_cost": shared.separate_cost,
        "joint_cost": shared.joint_cost,
        "joint_bound": shared.joint_bound,
        "gap": shared.gap,
        "split": shared.split,
        "carriers": shared.carriers.to_dict("records"),
        "notes": [str(note) for note in shared.notes],
    }
    _save(folder, "shared", summary, {"stretches": stretches}, {"carriers.csv": shared.carriers})


def _save(
    folder: Path,
    name: str,
    summary: dict[str, Any],
    layers: Mapping[str, gpd.GeoDataFrame],
    tables: Mapping[str, pd.DataFrame],
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tmp-") as scratch:
        made = Path(scratch)
        text = json.dumps(summary, ensure_ascii=False, indent=2, default=float)
        (made / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        for layer, frame in layers.items():
            frame.to_file(made / f"{name}.gpkg", layer=layer, driver="GPKG")
        for file, table in tables.items():
            csv_file.write(table, made / file)
        for path in sorted(made.iterdir()):
            path.replace(folder / path.name)
