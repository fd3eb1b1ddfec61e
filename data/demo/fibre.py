"""A synthetic fibre network of three invented owners: exchanges, cables along roads, cabinets.

No real network is described. Owners "A", "B" and "C" are the invented ones of the
masts. Cables follow roads, a few metres beside them, from exchanges in the towns to
access points where people live; some communes and some hamlets are left out, some
data are missing, as they are in inventories.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from data.demo.areas import AreaSpec
from data.grid import Raster

FloatArray = NDArray[np.float64]

#: Distance between access points along a road. [m]
SPACING_M = 300.0

#: How far from a road people count towards an access point. [m]
_NEAR_M = 350.0

#: People of one household, as in the census of 2019. From general knowledge.
_HOUSEHOLD = 3.6

#: Share of the communes of villages that have no fibre at all, and of the hamlets of the others.
_COMMUNES_WITHOUT = 0.08
_HAMLETS_WITHOUT = 0.07

#: Where each owner's cables run beside the road. [m]
_BESIDE_M = {"A": (2.4, -1.8), "B": (-2.4, 1.8), "C": (3.6, -2.7)}

#: Sizes of cables. Fibres.
_CABLES = (12, 24, 48, 96, 144, 288)


@dataclass(frozen=True, eq=False)
class FibreNetwork:
    """A fibre network.

    Parameters
    ----------
    segments, nodes
        Layers `fibre_segments` and `fibre_nodes`.
    """

    segments: gpd.GeoDataFrame
    nodes: gpd.GeoDataFrame


@dataclass(frozen=True, eq=False)
class _Slots:
    """Places for access points along the roads."""

    edge: NDArray[np.int64]
    along_m: FloatArray
    homes: FloatArray
    zone: NDArray[np.int64]


def make_fibre(
    spec: AreaSpec,
    communes: gpd.GeoDataFrame,
    roads: gpd.GeoDataFrame,
    villages: gpd.GeoDataFrame,
    population: Raster,
    rng: np.random.Generator,
) -> FibreNetwork:
    """Return a synthetic fibre network.

    Parameters
    ----------
    spec
        What was asked for; exchanges stand in its towns.
    communes
        The communes, in the order of the spec.
    roads, villages
        Layers, roads meeting at their ends.
    population
        People per pixel.
    rng
        Source of randomness.

    Returns
    -------
    FibreNetwork
        Layers; without rows where there are no roads or nobody lives.
    """
    ends = np.array([[line.coords[0], line.coords[-1]] for line in roads.geometry])
    if not len(ends) or not (population.values > 0.0).any():
        return _layers([], [], spec.crs)
    places, at = np.unique(ends.reshape(-1, ends.shape[-1])[:, :2], axis=0, return_inverse=True)
    at = at.reshape(-1, 2)
    slots = _make_slots(communes, roads, population)
    served = _served(spec, slots, roads, villages, rng)
    owner = _owners(spec, slots, rng)
    graph = nx.Graph()
    preferred = {"national": 0.7, "provincial": 0.8}
    for edge, (road_class, length) in enumerate(
        zip(roads["road_class"], roads.length, strict=True)
    ):
        a, b = (int(node) for node in at[edge])
        weight = float(length) * preferred.get(str(road_class), 1.0)
        if a != b and weight < graph.get_edge_data(a, b, {"weight": math.inf})["weight"]:
            graph.add_edge(a, b, weight=weight, edge=edge)
    towns = _town_nodes(spec, places)
    segments: list[dict[str, object]] = []
    nodes: list[dict[str, object]] = []
    taken: set[int] = set()
    for name in ("A", "B", "C"):
        mine = np.flatnonzero(served & (owner == name))
        exchanges = _exchanges(name, towns)
        if not len(mine) or not exchanges:
            continue
        used = _lay(name, graph, at, slots, mine, exchanges, roads, towns, segments, rng)
        taken |= used
        _stand(name, at, slots, mine, exchanges, places, roads, used, nodes, graph, rng)
    _reserve_ducts(roads, taken, segments)
    return _layers(segments, nodes, spec.crs)


def _make_slots(communes: gpd.GeoDataFrame, roads: gpd.GeoDataFrame, population: Raster) -> _Slots:
    """Divide the roads into stretches and give each the homes nearest to its middle."""
    length = roads.length.to_numpy()
    count = np.maximum(1, np.round(length / SPACING_M).astype(int))
    edge = np.repeat(np.arange(len(roads)), count)
    number = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    along = (number + 0.5) / count[edge] * length[edge]
    points = shapely.line_interpolate_point(roads.geometry.to_numpy()[edge], along)
    xy = shapely.get_coordinates(points)
    grid = population.grid
    rows, columns = np.nonzero(population.values > 0.0)
    homes_at = np.column_stack([grid.x_centres()[columns], grid.y_centres()[rows]])
    far, nearest = cKDTree(xy).query(homes_at)
    near = far <= _NEAR_M
    people = population.values[rows, columns].astype(float)
    homes = np.bincount(nearest[near], people[near], minlength=len(xy)) / _HOUSEHOLD
    zone = np.full(len(xy), -1, dtype=np.int64)
    hit, inside = communes.sindex.query(points, predicate="intersects")
    zone[hit[::-1]] = inside[::-1]
    return _Slots(edge, along, homes, zone)


def _served(
    spec: AreaSpec,
    slots: _Slots,
    roads: gpd.GeoDataFrame,
    villages: gpd.GeoDataFrame,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Choose the stretches that get an access point."""
    rural = np.flatnonzero((spec.communes["settlement"] == "").to_numpy())
    without = round(_COMMUNES_WITHOUT * len(spec.communes)) if len(spec.communes) > 3 else 0
    left_out = rng.permutation(rural)[:without]
    hamlet_out = rng.random(max(1, len(villages))) < _HAMLETS_WITHOUT
    served = (slots.homes >= 6.0) & (slots.zone >= 0) & ~np.isin(slots.zone, left_out)
    if len(villages):
        points = shapely.line_interpolate_point(
            roads.geometry.to_numpy()[slots.edge], slots.along_m
        )
        tree = cKDTree(np.column_stack([villages.geometry.x, villages.geometry.y]))
        hamlet = tree.query(shapely.get_coordinates(points))[1]
        in_town = np.isin(slots.zone, np.flatnonzero(spec.communes["settlement"] != ""))
        served &= ~hamlet_out[hamlet] | in_town
    return np.asarray(served)


def _owners(spec: AreaSpec, slots: _Slots, rng: np.random.Generator) -> NDArray[np.object_]:
    """Give each stretch an owner: one for a commune of villages, several in towns."""
    count = len(spec.communes)
    of_commune = np.where(rng.random(count) < 0.62, "A", "B").astype(object)
    owner = of_commune[np.clip(slots.zone, 0, count - 1)]
    draw = rng.random(len(owner))
    settlement = spec.communes["settlement"].to_numpy()[np.clip(slots.zone, 0, count - 1)]
    town = np.select([draw < 0.55, draw < 0.85], ["A", "B"], "C").astype(object)
    owner = np.where(settlement == "city", town, owner)
    small = np.where(draw < 0.6, "A", "B").astype(object)
    return np.asarray(np.where(settlement == "town", small, owner), dtype=object)


def _town_nodes(spec: AreaSpec, places: FloatArray) -> list[tuple[int, str, str]]:
    """Return junction, kind and name of each town; of the first commune if there is none."""
    table = spec.communes[spec.communes["settlement"] != ""]
    if not len(table):
        table = spec.communes.iloc[:1]
    near = cKDTree(places).query(table[["x_m", "y_m"]].to_numpy())[1]
    return list(
        zip((int(k) for k in near), table["settlement"], table["name"].astype(str), strict=True)
    )


def _exchanges(owner: str, towns: list[tuple[int, str, str]]) -> list[tuple[int, str]]:
    """Return the exchanges of an owner: junction and name."""
    if owner == "A":
        chosen = towns
    elif owner == "B":
        chosen = [town for k, town in enumerate(towns) if town[1] == "city" or k % 2 == 0]
    else:
        chosen = [town for town in towns if town[1] == "city"]
    return list({node: (node, name) for node, _, name in chosen}.values())


def _cable(need: float) -> int:
    return next((size for size in _CABLES if size >= need), _CABLES[-1])


def _beside(line: shapely.LineString, owner: str) -> shapely.LineString:
    """Move a road's line beside it; all of an owner by the same way, so that joints stay joints."""
    xy = shapely.get_coordinates(line) + np.array(_BESIDE_M[owner])
    return shapely.LineString(np.round(xy, 1))


def _lay(
    owner: str,
    graph: nx.Graph,
    at: NDArray[np.int64],
    slots: _Slots,
    mine: NDArray[np.intp],
    exchanges: list[tuple[int, str]],
    roads: gpd.GeoDataFrame,
    towns: list[tuple[int, str, str]],
    segments: list[dict[str, object]],
    rng: np.random.Generator,
) -> set[int]:
    """Lay cables from the exchanges to all stretches of an owner; return the roads used."""
    sources = {node for node, _ in exchanges}
    _, ways = nx.multi_source_dijkstra(graph, sources, weight="weight")
    homes: dict[int, float] = {}
    for slot in mine:
        edge = int(slots.edge[slot])
        a, b = (int(node) for node in at[edge])
        reached = [node for node in (a, b) if node in ways]
        if not reached:
            continue
        way = ways[min(reached, key=lambda node: (len(ways[node]), node))]
        need = float(slots.homes[slot])
        for i, j in itertools.pairwise(way):
            trunk = int(graph.edges[i, j]["edge"])
            homes[trunk] = homes.get(trunk, 0.0) + need
        if a != b:
            homes[edge] = homes.get(edge, 0.0) + 0.5 * need
    middles = {edge: roads.geometry.iloc[edge].interpolate(0.5, normalized=True) for edge in homes}
    kinds = {"city": 2500.0, "town": 1000.0}
    ends = roads.geometry
    centres = [
        (shapely.Point(ends.iloc[int(np.flatnonzero((at == node).any(axis=1))[0])].coords[0]), kind)
        for node, kind, _ in towns
    ]
    draw = rng.random(len(roads))
    for edge in sorted(homes):
        road_class = str(roads["road_class"].iloc[edge])
        central = any(
            middles[edge].distance(point) <= kinds.get(kind, 0.0) for point, kind in centres
        )
        if central or road_class == "national":
            kind = "duct"
        elif road_class == "provincial":
            kind = "buried" if draw[edge] < 0.55 else "aerial"
        else:
            kind = "aerial" if draw[edge] < 0.85 else "buried"
        # One fibre for 32 homes and as many again in reserve.
        need = max(2.0, homes[edge] / 32.0)
        cores = _cable(1.6 * need)
        # Where the inventory says nothing about the fibres in use, that is as it is.
        unknown = draw[edge] > 0.985
        segments.append(
            {
                "segment_type": kind,
                "owner": owner,
                "cores": float(cores),
                "cores_used": math.nan if unknown else float(min(cores, math.ceil(need))),
                "geometry": _beside(roads.geometry.iloc[edge], owner),
            }
        )
    return set(homes)


def _stand(
    owner: str,
    at: NDArray[np.int64],
    slots: _Slots,
    mine: NDArray[np.intp],
    exchanges: list[tuple[int, str]],
    places: FloatArray,
    roads: gpd.GeoDataFrame,
    used: set[int],
    nodes: list[dict[str, object]],
    graph: nx.Graph,
    rng: np.random.Generator,
) -> None:
    """Put up exchanges, access points and closures of an owner."""
    shift = np.array(_BESIDE_M[owner])
    modern = "N1" if owner == "A" else "B+"
    for node, name in exchanges:
        nodes.append(
            {
                "name": f"Tổng đài {name} ({owner})",
                "node_type": "olt",
                "owner": owner,
                "status": "existing",
                "pon_class": "B+",
                "xy": places[node] + shift,
            }
        )
    reach, _ = nx.multi_source_dijkstra(graph, {node for node, _ in exchanges}, weight="weight")
    draws = rng.random((len(mine), 4))
    for draw, slot in zip(draws, mine, strict=True):
        edge = int(slots.edge[slot])
        if edge not in used:
            continue
        line = _beside(roads.geometry.iloc[edge], owner)
        share = slots.along_m[slot] / roads.geometry.iloc[edge].length
        point = line.interpolate(share, normalized=True)
        homes = float(slots.homes[slot])
        # Planned with more or less foresight.
        ports = int(8 * max(1, math.ceil(homes * (0.8 + 0.6 * draw[0]) / 8.0)))
        way_m = min(reach.get(int(node), math.inf) for node in at[edge])
        # As much splitting as the way to the exchange allows; here and there too much.
        split = 64.0 if way_m < 2_000.0 or draw[2] < 0.03 else (32.0 if way_m < 7_000.0 else 16.0)
        missing = draw[2] > 0.98
        nodes.append(
            {
                "name": None,
                "node_type": "cabinet" if ports > 64 else "splitter",
                "owner": owner,
                "status": "planned" if draw[3] > 0.98 else "existing",
                "ports": math.nan if missing else float(ports),
                "ports_used": math.nan
                if missing
                else float(min(ports, round(homes * (0.45 + 0.4 * draw[1])))),
                "pon_class": modern if ports > 256 else (None if draw[1] < 0.03 else "B+"),
                "split_ratio": split,
                "xy": np.array([point.x, point.y]),
            }
        )
    degree: dict[int, int] = {}
    for edge in used:
        for node in at[edge]:
            degree[int(node)] = degree.get(int(node), 0) + 1
    stations = {node for node, _ in exchanges}
    nodes.extend(
        {
            "name": None,
            "node_type": "closure",
            "owner": owner,
            "status": "existing",
            "xy": places[node] + shift,
        }
        for node in sorted(degree)
        if degree[node] > 2 and node not in stations
    )


def _reserve_ducts(
    roads: gpd.GeoDataFrame, taken: set[int], segments: list[dict[str, object]]
) -> None:
    """Add ducts without cable along main roads that carry none."""
    main = np.flatnonzero(roads["road_class"].isin(["national", "provincial"]).to_numpy())
    segments.extend(
        {
            "segment_type": "duct",
            "owner": "A",
            "cores": math.nan,
            "cores_used": math.nan,
            "geometry": _beside(roads.geometry.iloc[edge], "A"),
        }
        for edge in main.tolist()
        if edge not in taken and edge % 3 == 0
    )


def _layers(
    segments: list[dict[str, object]], nodes: list[dict[str, object]], crs: str
) -> FibreNetwork:
    lines = pd.DataFrame(
        segments, columns=["segment_type", "owner", "cores", "cores_used", "geometry"]
    )
    points = pd.DataFrame(
        nodes,
        columns=[
            "name",
            "node_type",
            "owner",
            "status",
            "ports",
            "ports_used",
            "pon_class",
            "split_ratio",
            "xy",
        ],
    )
    xy = np.round(np.array(points["xy"].tolist(), dtype=float).reshape(-1, 2), 1)
    segment_layer = gpd.GeoDataFrame(
        {
            "segment_id": [f"F{k + 1:05d}" for k in range(len(lines))],
            "name": np.full(len(lines), None, dtype=object),
            "segment_type": lines["segment_type"].astype(object),
            "owner": lines["owner"].astype(object),
            "status": ["existing"] * len(lines),
            "cores": lines["cores"].astype(float),
            "cores_used": lines["cores_used"].astype(float),
        },
        geometry=lines["geometry"].tolist(),
        crs=crs,
    )
    node_layer = gpd.GeoDataFrame(
        {
            "node_id": [f"N{k + 1:05d}" for k in range(len(points))],
            "name": points["name"].astype(object),
            "node_type": points["node_type"].astype(object),
            "owner": points["owner"].astype(object),
            "status": points["status"].astype(object),
            "ports": points["ports"].astype(float),
            "ports_used": points["ports_used"].astype(float),
            "pon_class": points["pon_class"].astype(object),
            "split_ratio": points["split_ratio"].astype(float),
        },
        geometry=gpd.points_from_xy(xy[:, 0], xy[:, 1]),
        crs=crs,
    )
    return FibreNetwork(segment_layer, node_layer)
