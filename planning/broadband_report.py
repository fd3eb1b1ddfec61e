"""Figures, notes, layers and summary of a broadband coverage."""

from __future__ import annotations

import dataclasses
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from coverage.results import ANY_OPERATOR, CoverageResult
from data.errors import Message, message
from data.store import Workspace
from data.study_area import finest_zones
from planning import optical, route_graph
from planning.access_network import Network, examples
from planning.access_reach import Pairs
from planning.broadband_request import (
    ENGINE_VERSION,
    LAYERS,
    SERVED,
    SERVICES,
    BroadbandRequest,
    FloatArray,
    Range,
)
from planning.homes import Homes

#: Share of the homes far from all routes beyond which the roads are doubted.
_MOST_AWAY = 0.2


def figures(zones: gpd.GeoDataFrame, homes: Homes, shares: dict[str, Range]) -> pd.DataFrame:
    """Return the shares of households and people by zone.

    Parameters
    ----------
    zones
        Layer `zones`.
    homes
        Homes in them.
    shares
        Service -> share of each home.

    Returns
    -------
    DataFrame
        As in `planning.broadband.BroadbandResult`.
    """
    frames = []
    for service, values in shares.items():
        for measure, weight in (("household", homes.households), ("population", homes.people)):
            total = homes.belongs @ weight
            with np.errstate(invalid="ignore", divide="ignore"):
                central, low, high = (homes.belongs @ (weight * value) / total for value in values)
            frame = zones[["code", "name", "level", "valid_from"]].copy()
            frame.insert(0, "zone", np.arange(len(zones)))
            frame["service"] = service
            frame["operator"] = ANY_OPERATOR
            frame["measure"] = measure
            frame["share"] = np.clip(central, 0.0, 1.0)
            # One home fewer can, rarely, take a port that another one then lacks.
            frame["interval_low"] = np.clip(np.minimum(low, central), 0.0, 1.0)
            frame["interval_high"] = np.clip(np.maximum(high, central), 0.0, 1.0)
            frame["count"] = homes.belongs @ (weight * values[0])
            frame["weight"] = total
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def notes(
    workspace: Workspace,
    request: BroadbandRequest,
    homes: Homes,
    network: Network,
    pairs: Pairs,
    built: route_graph.BuiltGraph,
    mobile: CoverageResult | None,
) -> list[Message]:
    """Return what a reader must know of a result.

    Parameters
    ----------
    workspace
        The study area.
    request
        What was asked.
    homes, network, pairs, built
        What it was computed from.
    mobile
        The mobile coverage, or None.

    Returns
    -------
    list of Message
        Sentences.
    """
    said = []
    generated = sorted(
        name
        for name, item in workspace.provenance().items()
        if item.illustrative and name in (*LAYERS, "masts", "cells")
    )
    if workspace.area.illustrative:
        said.append(message("Illustrative data: the study area is generated, not measured."))
    elif generated:
        said.append(
            message("Illustrative data in the layers: {layers}.", layers=", ".join(generated))
        )
    said += homes.notes + network.notes
    off = ~np.isfinite(pairs.access_offset_m)
    if off.any():
        said.append(
            message(
                "Access points farther than {distance} m from any route, not counted: {count} "
                "({examples}).",
                distance=f"{request.access_reach_m:g}",
                count=f"{int(off.sum()):,}",
                examples=examples(network.access["node_id"], off),
            )
        )
    away = ~np.isfinite(pairs.home_offset_m)
    if away.any():
        said.append(
            message(
                "Homes farther than {distance} m from any route, counted as not served: {count} "
                "households.",
                distance=f"{request.access_reach_m:g}",
                count=f"{homes.households[away].sum():,.0f}",
            )
        )
        share = float(homes.households[away].sum() / homes.households.sum())
        if share > _MOST_AWAY:
            said.append(
                message(
                    "That is {percent} % of all households: the roads are probably not complete, "
                    "and the figures are too low. Import roads down to village lanes.",
                    percent=round(100.0 * share),
                )
            )
    if not workspace.has("roads"):
        said.append(message("There are no roads: drops were measured along fibre_segments only."))
    if homes.spacing_m > 0.5 * request.drop_m:
        said.append(
            message(
                "Homes are known to about {spacing} m only, which is much for a drop of {drop} m.",
                spacing=f"{homes.spacing_m:,.0f}",
                drop=f"{request.drop_m:g}",
            )
        )
    parts = int(built.graph.components().max(initial=0)) + 1
    if parts > 1:
        said.append(
            message(
                "The routes are in {count} parts that are not connected; {problems} places of the "
                "lines are doubtful.",
                count=f"{parts:,}",
                problems=f"{len(built.problems):,}",
            )
        )
    if mobile is None:
        said.append(
            message(
                "There are no mobile figures, because the mobile coverage was not computed or has "
                "no technology with a rate."
            )
        )
    else:
        said.append(
            message(
                "The mobile rate is that of a user alone in the cell; it is less in busy hours."
            )
        )
    return said


def homes_layer(
    workspace: Workspace,
    zones: gpd.GeoDataFrame,
    homes: Homes,
    network: Network,
    pairs: Pairs,
    shares: dict[str, Range],
    rate: FloatArray,
) -> gpd.GeoDataFrame:
    """Return the homes with what each of them has.

    Parameters
    ----------
    workspace, zones
        The study area and its zones.
    homes, network, pairs
        What it was computed from.
    shares
        Service -> share of each home.
    rate
        Mobile rate at each home. [Mbit/s]

    Returns
    -------
    GeoDataFrame
        One row a home.
    """
    finest = np.asarray(finest_zones(zones).index, dtype=np.int64)
    inside = homes.belongs[finest].tocoo()
    code = np.full(len(homes), None, dtype=object)
    code[inside.col] = zones["code"].to_numpy(dtype=object)[finest[inside.row]]
    access = network.access["node_id"].to_numpy(dtype=object)
    nearest = np.where(pairs.nearest >= 0, access[pairs.nearest], None)
    off = ~np.isfinite(pairs.home_offset_m)
    reach, budget = shares["broadband_reach"][0] > 0.0, shares["broadband_budget"][0] > 0.0
    served = shares[SERVED][0]
    state = np.select(
        [off, ~reach, ~budget, served <= 1e-6, served < 1.0 - 1e-6],
        ["off_network", "too_far", "no_budget", "no_port", "partly_served"],
        "served",
    )
    columns = {
        "home_id": [f"H{k + 1:07d}" for k in range(len(homes))],
        "zone_code": code,
        "households": np.round(homes.households, 3),
        "people": np.round(homes.people, 3),
        "offset_m": np.where(off, np.nan, pairs.home_offset_m).round(1),
        "distance_m": np.where(np.isfinite(pairs.nearest_m), pairs.nearest_m, np.nan).round(1),
        "access_id": nearest,
        "reach": reach,
        "port_share": shares["broadband_port"][0].round(4),
        "free_port_share": shares["broadband_free_port"][0].round(4),
        "budget": budget,
        "served_share": served.round(4),
        "state": state,
        "rate_mbps": rate.round(2),
    }
    if "mobile_broadband" in shares:
        columns["mobile"] = shares["mobile_broadband"][0] > 0.0
    return gpd.GeoDataFrame(
        columns,
        geometry=gpd.points_from_xy(homes.x_m, homes.y_m),
        crs=workspace.area.crs,
    )


def access_layer(
    network: Network,
    pairs: Pairs,
    table: optical.OpticalTable,
    homes: Homes,
    request: BroadbandRequest,
    shares: dict[str, Range],
) -> gpd.GeoDataFrame:
    """Return the access points with their state, and the households whose nearest one each is.

    Parameters
    ----------
    network, pairs, homes
        What it was computed from.
    table
        Classes and losses.
    request
        What was asked.
    shares
        Service -> share of each home.

    Returns
    -------
    GeoDataFrame
        One row an access point.
    """
    count = len(network.access)
    close = pairs.nearest_m <= request.drop_m
    around = np.bincount(pairs.nearest[close], weights=homes.households[close], minlength=count)
    served = np.bincount(
        pairs.nearest[close],
        weights=(homes.households * shares[SERVED][0])[close],
        minlength=count,
    )
    budget = network.budget_m(table, "usual")
    length = network.paths.length_m
    loss = np.full(count, np.nan)
    largest = max(table.splitters)
    for k in np.flatnonzero(np.isfinite(length) & (network.split_ratio <= largest)):
        loss[k] = optical.path_loss_db(
            network.pon_class[k], length[k], int(network.split_ratio[k]), table=table
        )
    off = ~np.isfinite(pairs.access_offset_m)
    checked_ = network.budget_checked
    state = np.select(
        [off, checked_ & ~np.isfinite(length), checked_ & (budget < 0.0)],
        ["off_network", "no_way_to_exchange", "budget_does_not_close"],
        "live",
    )
    ids = np.array([*network.exchanges["node_id"], None], dtype=object)
    exchange = network.paths.exchange
    greatest = np.array([table.named(name).greatest_db for name in network.pon_class])
    columns = ["node_id", "name", "node_type", "owner", "ports", "ports_used"]
    layer = network.access[[*columns, "geometry"]].copy()
    layer["pon_class"] = network.pon_class
    layer["split_ratio"] = network.split_ratio
    layer["exchange_id"] = ids[exchange]
    layer["path_m"] = np.where(np.isfinite(length), length, np.nan).round(1)
    layer["loss_db"] = loss.round(2)
    layer["greatest_loss_db"] = greatest
    layer["rented_cable"] = network.paths.leased
    layer["households_nearest"] = around.round(2)
    layer["households_nearest_served"] = served.round(2)
    layer["state"] = state
    return layer


def _percent(value: float) -> float | None:
    return None if np.isnan(value) else round(100.0 * float(value), 3)


def summary(
    workspace: Workspace,
    request: BroadbandRequest,
    table: optical.OpticalTable,
    zones: gpd.GeoDataFrame,
    homes: Homes,
    network: Network,
    pairs: Pairs,
    access: gpd.GeoDataFrame,
    table_of_figures: pd.DataFrame,
    said: list[Message],
) -> dict[str, Any]:
    """Return the content of `broadband.json`, but for the keys of the result.

    Parameters
    ----------
    workspace, zones
        The study area and its zones.
    request, table
        What was asked, classes and losses.
    homes, network, pairs
        What it was computed from.
    access
        From `access_layer`.
    table_of_figures
        From `figures`.
    said
        From `notes`.

    Returns
    -------
    dict
        For JSON.
    """
    entries: list[dict[str, Any]] = [
        {
            "code": row.code,
            "name": row.name,
            "level": row.level,
            "valid_from": None if pd.isna(row.valid_from) else row.valid_from,
        }
        for row in zones.itertuples()
    ]
    item: Any
    for item in table_of_figures.itertuples():
        entry = entries[item.zone]
        entry[f"{item.measure}s" if item.measure == "household" else item.measure] = round(
            item.weight, 2
        )
        place = entry.setdefault(item.service, {})
        place[f"{item.measure}_percent"] = _percent(item.share)
        place[f"{item.measure}_interval"] = [
            _percent(item.interval_low),
            _percent(item.interval_high),
        ]
        place[f"{item.measure}_count"] = round(item.count, 2)
    provenance = workspace.provenance()
    computed = set(table_of_figures["service"])
    states = access["state"].value_counts()
    return {
        "area": workspace.area.name,
        "title": {"vi": workspace.area.title_vi, "en": workspace.area.title_en},
        "illustrative": any(item.illustrative for item in provenance.values()),
        "services": {name: text for name, text in SERVICES.items() if name in computed},
        "homes": {
            "source": homes.source,
            "points": len(homes),
            "households": round(float(homes.households.sum()), 1),
            "people": round(float(homes.people.sum()), 1),
            "spacing_m": homes.spacing_m,
            "off_network_households": round(
                float(homes.households[~np.isfinite(pairs.home_offset_m)].sum()), 1
            ),
        },
        "access_points": {
            "count": len(network.access),
            "exchanges": len(network.exchanges),
            "ports": float(np.nansum(network.access["ports"].to_numpy(dtype=float))),
            "ports_used": float(np.nansum(network.access["ports_used"].to_numpy(dtype=float))),
            "states": {str(name): int(count) for name, count in states.items()},
        },
        "budget_checked": network.budget_checked,
        "zones": entries,
        "provenance": {
            "inputs": {name: dataclasses.asdict(item) for name, item in provenance.items()},
            "content_sha256": {
                name: workspace.content_hash(name) for name in LAYERS if workspace.has(name)
            },
            "request": dataclasses.asdict(request),
            "optical": {
                name: dataclasses.asdict(table.classes[name])
                for name in sorted(set(network.pon_class))
            },
            "optical_own_table": (workspace.folder / optical.OWN_FILE).exists(),
            "assignment": "pairs of home and access point by increasing length of the drop; at "
            "equal length by place; a home takes what is left of the ports",
            "uncertainty": {
                "interval": "low: drop length shorter, unknown ports none, greatest losses; high: "
                "drop length longer, unknown ports without limit, least losses; mobile: mean "
                "error of the propagation model",
                "drop_m": [
                    request.drop_m * (1.0 - request.drop_uncertainty),
                    request.drop_m * (1.0 + request.drop_uncertainty),
                ],
            },
            "notes": [
                {"text": str(note), "template": note.template, "values": dict(note.values)}
                for note in said
            ],
            "engine_version": ENGINE_VERSION,
        },
    }
