"""Synthetic villages, towns, roads, land cover and people, consistent with each other.

People live where the land cover has houses; each village is the sum of the
pixels nearest to it, each commune the sum of its villages, and the area the sum
of its communes, all in whole people.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from scipy.spatial import Delaunay, QhullError, cKDTree
from shapely.geometry import LineString, MultiPolygon, Polygon

from data import clutter_classes as cover
from data.demo.areas import AreaSpec
from data.demo.landscape import Landscape, burn, smooth_line
from data.demo.noise import NoiseField, pixel_noise
from data.demo.placing import share_out, spread, weighted_order
from data.grid import Grid

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

#: People per km2 of each kind of settlement relative to a village; the rule by
#: which people are spread, made by the project (no source).
SETTLED_WEIGHT = {cover.VILLAGE: 1.0, cover.TOWN: 1.6, cover.DENSE_URBAN: 2.6}

#: Radius of the dense core and of the town around it. [m]
_CITY_RADII_M = (900.0, 2100.0)
_TOWN_RADII_M = (250.0, 700.0)

#: Land of one person in a village: house, garden and lane. [m2]
_VILLAGE_M2_PER_PERSON = 190.0


@dataclass(frozen=True)
class Town:
    """A built-up centre.

    Parameters
    ----------
    x_m, y_m
        Where it is. [m]
    core_m, town_m
        Radius of the dense core and of the town. [m]
    """

    x_m: float
    y_m: float
    core_m: float
    town_m: float


@dataclass(frozen=True)
class Places:
    """Points where people live, before people are counted.

    Parameters
    ----------
    xy
        Coordinates, of shape (n, 2); those inside the area come first. [m]
    zone
        Index of the commune, or -1 beyond the area.
    radius_m
        Size of the village. [m]
    towns
        Built-up centres.
    """

    xy: FloatArray
    zone: NDArray[np.intp]
    radius_m: FloatArray
    towns: tuple[Town, ...]


def zone_index(zones: Sequence[Polygon | MultiPolygon], grid: Grid) -> NDArray[np.int32]:
    """Return the index of the zone at each pixel centre, -1 where there is none.

    Parameters
    ----------
    zones
        Polygons without overlaps.
    grid
        The frame.

    Returns
    -------
    NDArray
        int32 array of shape ``grid.shape``.
    """
    burnt = rasterize(
        [(zone, k + 1) for k, zone in enumerate(zones)],
        out_shape=grid.shape,
        transform=grid.transform,
        dtype="int32",
    )
    return np.asarray(burnt, dtype=np.int32) - 1


def make_towns(spec: AreaSpec, land: Landscape) -> tuple[Town, ...]:
    """Return the built-up centres of the communes that have one, on dry and level ground.

    Parameters
    ----------
    spec
        What is asked for.
    land
        Terrain and water.

    Returns
    -------
    tuple of Town
        The centres.
    """
    grid = land.grid
    rows, columns = np.nonzero(~land.water & (land.hill <= 0.0))
    level = cKDTree(np.column_stack([grid.x_centres()[columns], grid.y_centres()[rows]]))
    towns = []
    radii = {"city": _CITY_RADII_M, "town": _TOWN_RADII_M}
    for commune in spec.communes[spec.communes["settlement"] != ""].itertuples():
        _, nearest = level.query((commune.x_m, commune.y_m))
        x, y = level.data[nearest]
        core_m, town_m = radii[str(commune.settlement)]
        towns.append(Town(float(x), float(y), core_m, town_m))
    return tuple(towns)


def make_places(
    spec: AreaSpec,
    zones: Sequence[Polygon | MultiPolygon],
    land: Landscape,
    towns: tuple[Town, ...],
    rng: np.random.Generator,
) -> Places:
    """Place the villages: on dry and level ground, denser near rivers and towns.

    Parameters
    ----------
    spec
        What is asked for.
    zones
        The communes.
    land
        Terrain and water.
    towns
        Built-up centres.
    rng
        Source of randomness.

    Returns
    -------
    Places
        `spec.n_villages` points inside the area and others beyond it; at least
        one in every commune.
    """
    grid = land.grid
    commune = zone_index(zones, grid)
    usable = ~land.water & (land.hill <= 0.0)
    near_river = burn([line.buffer(0.5 * width + 900.0) for _, width, line in land.rivers], grid)
    weight = np.where(near_river, 1.6, 1.0) * np.exp(
        0.5 * NoiseField(rng, grid.bounds, 2000.0).on_grid(grid)
    )
    x_town = np.array([town.x_m for town in towns])
    y_town = np.array([town.y_m for town in towns])
    x, y = np.meshgrid(grid.x_centres(), grid.y_centres())
    for k, town in enumerate(towns):
        away = np.hypot(x - x_town[k], y - y_town[k])
        weight = np.where(away < town.town_m + 1500.0, 1.8 * weight, weight)
        weight = np.where(away < town.town_m, 3.0 * weight, weight)
    candidates = weighted_order(np.where(usable, weight, 0.0).ravel(), rng)
    # One pixel in three is choice enough and a third of the work.
    candidates = candidates[: max(len(candidates) // 3, 50)]
    xy = np.column_stack([x.ravel()[candidates], y.ravel()[candidates]])
    own = commune.ravel()[candidates]
    level_inside = max(float(np.count_nonzero(usable & (commune >= 0))), 1.0)
    spacing = 0.72 * np.sqrt(level_inside * grid.resolution_m**2 / max(spec.n_villages, 1))
    radius = spacing / np.sqrt(weight.ravel()[candidates] / weight[usable].mean())
    radius = np.clip(radius, 0.4 * spacing, 1.4 * spacing)

    inside = np.flatnonzero(own >= 0)
    # The first candidate of each commune is served first, so that none stays without.
    _, first = np.unique(own[inside], return_index=True)
    order = np.concatenate([inside[first], np.delete(inside, first)])
    chosen = order[spread(xy[order], radius[order], spec.n_villages)]
    missing = sorted(set(range(len(zones))) - set(own[chosen].tolist()))
    points = [xy[chosen]]
    owners = [own[chosen]]
    for k in missing:
        point = zones[k].representative_point()
        points.append(np.array([[point.x, point.y]]))
        owners.append(np.array([k]))
    outside = np.flatnonzero(own < 0)
    share = 1.0 - float((commune[usable] >= 0).mean())
    wanted = round(spec.n_villages * share / max(1.0 - share, 0.05))
    others = outside[spread(xy[outside], radius[outside], wanted)]
    points.append(xy[others])
    owners.append(own[others])
    all_xy = np.round(np.vstack(points), 1)
    size = rng.lognormal(0.0, 0.35, len(all_xy))
    n_inside = max(spec.n_villages, 1)
    people = spec.population / n_inside * size
    radius_m = np.sqrt(people * _VILLAGE_M2_PER_PERSON / np.pi)
    return Places(
        all_xy,
        np.concatenate(owners).astype(np.intp),
        np.clip(radius_m, 120.0, 600.0),
        towns,
    )


def _crossing(first: LineString, others: shapely.STRtree, lines: list[LineString]) -> bool:
    return any(bool(first.crosses(lines[k])) for k in others.query(first))


def make_roads(
    spec: AreaSpec,
    outline: Polygon,
    land: Landscape,
    places: Places,
    rng: np.random.Generator,
) -> gpd.GeoDataFrame:
    """Connect the villages by a road network of three classes.

    Stretches meet only at their ends, at villages and junctions, whose
    coordinates agree exactly, so that the layer is a network as it stands.

    Parameters
    ----------
    spec
        What is asked for; its trunk road is followed.
    outline
        The area.
    land
        Terrain and water.
    places
        The villages.
    rng
        Source of randomness.

    Returns
    -------
    GeoDataFrame
        Layer `roads`: classes national, provincial, commune.
    """
    nodes = places.xy[places.zone >= 0]
    trunk_nodes = np.zeros((0, 2))
    if len(spec.trunk) >= 2:
        curve = smooth_line(spec.trunk).intersection(outline.buffer(-200.0))
        if not curve.is_empty:
            parts = shapely.get_parts(curve)
            main = parts[int(np.argmax(shapely.length(parts)))]
            steps = max(1, round(main.length / 1200.0))
            at = np.linspace(0.0, main.length, steps + 1)
            trunk_nodes = shapely.get_coordinates(shapely.line_interpolate_point(main, at))
            # A junction takes the place of a village that would lie on the road.
            far = cKDTree(trunk_nodes).query(nodes)[0] > 250.0
            nodes = nodes[far] if far.any() else nodes
    nodes = np.asarray(np.round(np.vstack([trunk_nodes, nodes]), 1), dtype=float)
    n_trunk = len(trunk_nodes)
    trunk_edges = [(k, k + 1) for k in range(n_trunk - 1)]
    graph = nx.Graph()
    graph.add_nodes_from(range(len(nodes)))
    graph.add_edges_from(trunk_edges, road_class="national")

    def line(i: int, j: int) -> LineString:
        return LineString([nodes[i], nodes[j]])

    trunk_lines = [line(i, j) for i, j in trunk_edges]
    trunk_tree = shapely.STRtree(trunk_lines)
    candidates = sorted(_neighbour_edges(nodes) - set(trunk_edges))
    heights = _highest(land, nodes, candidates)
    lengths = {}
    for (i, j), height in zip(candidates, heights, strict=True):
        stretch = line(i, j)
        if trunk_lines and _crossing(stretch, trunk_tree, trunk_lines):
            continue
        # A road over the hills counts as ten times as long: it is taken only if need be.
        lengths[i, j] = float(stretch.length) * (10.0 if height > 40.0 else 1.0)
    full = nx.Graph()
    full.add_nodes_from(range(len(nodes)))
    full.add_weighted_edges_from((i, j, length) for (i, j), length in lengths.items())
    full.add_weighted_edges_from((i, j, line(i, j).length) for i, j in trunk_edges)
    graph.add_edges_from(nx.minimum_spanning_edges(full, data=False))
    for i, j in _gabriel(nodes, sorted(lengths)):
        if lengths[i, j] < 10.0 * line(i, j).length or full.degree[i] == 1:
            graph.add_edge(i, j)
    for i, j in graph.edges:
        graph.edges[i, j]["length_m"] = full.edges[i, j]["weight"]
        graph.edges[i, j].setdefault("road_class", "commune")
    _mark_provincial(spec, graph, nodes)
    return _road_frame(spec, graph, nodes, rng)


def _neighbour_edges(nodes: FloatArray) -> set[tuple[int, int]]:
    """Return the edges of the Delaunay triangulation; a chain if there is none."""
    try:
        triangles = Delaunay(nodes).simplices
    except (QhullError, ValueError):
        order = np.lexsort((nodes[:, 1], nodes[:, 0]))
        return {(min(i, j), max(i, j)) for i, j in itertools.pairwise(order.tolist())}
    edges = set()
    for triangle in triangles.tolist():
        for i, j in ((0, 1), (1, 2), (0, 2)):
            a, b = triangle[i], triangle[j]
            edges.add((min(a, b), max(a, b)))
    return edges


def _highest(
    land: Landscape, nodes: FloatArray, edges: list[tuple[int, int]]
) -> NDArray[np.float64]:
    """Return the highest terrain on the way of each edge. [m]."""
    if not edges:
        return np.zeros(0)
    pairs = np.asarray(edges)
    t = np.linspace(0.0, 1.0, 9)[None, :, None]
    points = nodes[pairs[:, 0], None, :] * (1.0 - t) + nodes[pairs[:, 1], None, :] * t
    grid = land.grid
    column = ((points[..., 0] - grid.x_min) / grid.resolution_m).astype(int)
    row = ((grid.y_max - points[..., 1]) / grid.resolution_m).astype(int)
    column = np.clip(column, 0, grid.width - 1)
    row = np.clip(row, 0, grid.height - 1)
    return np.asarray(land.height_m[row, column].max(axis=1), dtype=float)


def _gabriel(nodes: FloatArray, edges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Keep the edges whose circle (the edge as diameter) holds no other node."""
    if not edges:
        return []
    pairs = np.asarray(edges)
    middle = 0.5 * (nodes[pairs[:, 0]] + nodes[pairs[:, 1]])
    half = 0.5 * np.hypot(*(nodes[pairs[:, 0]] - nodes[pairs[:, 1]]).T)
    nearest = cKDTree(nodes).query(middle)[0]
    return [edge for edge, free in zip(edges, nearest >= 0.999 * half, strict=True) if free]


def _mark_provincial(spec: AreaSpec, graph: nx.Graph, nodes: FloatArray) -> None:
    """Raise the shortest ways between neighbouring commune centres to provincial roads."""
    centres = spec.communes[["x_m", "y_m"]].to_numpy()
    at = cKDTree(nodes).query(centres)[1]
    for i, j in _gabriel(centres, sorted(_neighbour_edges(centres))):
        if at[i] == at[j]:
            continue
        way = nx.shortest_path(graph, int(at[i]), int(at[j]), weight="length_m")
        for a, b in itertools.pairwise(way):
            if graph.edges[a, b]["road_class"] == "commune":
                graph.edges[a, b]["road_class"] = "provincial"
                # The next road rather joins this one than runs beside it.
                graph.edges[a, b]["length_m"] *= 0.7


def _road_frame(
    spec: AreaSpec, graph: nx.Graph, nodes: FloatArray, rng: np.random.Generator
) -> gpd.GeoDataFrame:
    rank = {"national": 0, "provincial": 1, "commune": 2}
    edges = sorted(
        ((min(i, j), max(i, j), graph.edges[i, j]["road_class"]) for i, j in graph.edges),
        key=lambda edge: (rank[edge[2]], edge[0], edge[1]),
    )
    bends = rng.normal(0.0, 0.05, (len(edges), 2))
    lines = []
    for (i, j, road_class), bend in zip(edges, bends, strict=True):
        start, end = nodes[i], nodes[j]
        across = np.array([start[1] - end[1], end[0] - start[0]])
        amount = np.clip(bend, -0.08, 0.08) * (0.3 if road_class == "national" else 1.0)
        inner = [
            start + t * (end - start) + a * across
            for t, a in zip((0.33, 0.67), amount, strict=True)
        ]
        lines.append(LineString([start, *np.round(inner, 1), end]))
    classes = [road_class for _, _, road_class in edges]
    names = {"national": "Quốc lộ minh họa", "provincial": "Đường tỉnh minh họa"}
    surfaces = {"national": "asphalt", "provincial": "asphalt", "commune": "concrete"}
    return gpd.GeoDataFrame(
        {
            "road_id": [f"R{k + 1:05d}" for k in range(len(edges))],
            "name": [names.get(road_class) for road_class in classes],
            "road_class": classes,
            "surface": [surfaces[road_class] for road_class in classes],
        },
        geometry=lines,
        crs=spec.crs,
    )


def make_land_cover(
    land: Landscape,
    places: Places,
    roads: gpd.GeoDataFrame,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Return the class of every pixel: water, fields, forest, villages, towns.

    Parameters
    ----------
    land
        Terrain and water.
    places
        Villages and towns.
    roads
        Layer `roads`.
    rng
        Source of randomness.

    Returns
    -------
    NDArray
        Codes of `data.clutter_classes`, of the shape of the terrain grid.
    """
    grid = land.grid
    codes = np.full(grid.shape, cover.CROP, dtype=np.uint8)
    patches = NoiseField(rng, grid.bounds, 350.0).on_grid(grid)
    patches += 0.4 * pixel_noise(rng, grid.shape)
    above = land.height_m
    on_hill = land.hill > 0.1
    codes[on_hill] = cover.TREE
    codes[on_hill & (above < 45.0) & (patches > -0.2)] = cover.SHRUB
    codes[on_hill & (above >= 45.0) & (patches > 1.4)] = cover.SHRUB
    codes[on_hill & (above < 25.0) & (patches < -1.3)] = cover.GRASS
    # Quarries of the cement works, at the edge of the hills.
    quarry = NoiseField(rng, grid.bounds, 450.0).on_grid(grid)
    codes[(land.hill > 0.3) & (land.hill < 0.95) & (quarry > 2.1)] = cover.BARE

    x, y = np.meshgrid(grid.x_centres(), grid.y_centres())
    dry = ~land.water & (land.hill < 0.2)
    main_roads = roads[roads["road_class"] != "commune"]
    ribbon = burn([line.buffer(90.0) for line in main_roads.geometry], grid)
    rough = 0.30 * NoiseField(rng, grid.bounds, 260.0).on_grid(grid)
    rough += 0.12 * pixel_noise(rng, grid.shape)
    if len(places.xy):
        reach, nearest = cKDTree(places.xy).query(np.column_stack([x.ravel(), y.ravel()]))
        relative = (reach / places.radius_m[nearest]).reshape(grid.shape)
        # Houses line the main roads well beyond the village.
        village = relative * np.where(ribbon, 0.6, 1.0) + rough < 1.0
        codes[dry & village] = cover.VILLAGE
    for town in places.towns:
        away = np.hypot(x - town.x_m, y - town.y_m)
        codes[dry & (away / town.town_m + 0.7 * rough < 1.0)] = cover.TOWN
        codes[dry & (away / town.core_m + 0.7 * rough < 1.0)] = cover.DENSE_URBAN
    codes[land.water] = cover.WATER
    return codes


def _settled_weight(codes: NDArray[np.uint8]) -> FloatArray:
    weight = np.zeros(256)
    for code, value in SETTLED_WEIGHT.items():
        weight[code] = value
    return np.asarray(weight[codes], dtype=float)


def make_people(
    spec: AreaSpec,
    zones: Sequence[Polygon | MultiPolygon],
    places: Places,
    codes: NDArray[np.uint8],
    cover_grid: Grid,
    grid: Grid,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.int64], gpd.GeoDataFrame]:
    """Spread the area's people over the pixels that have houses.

    People are put only into pixels that lie wholly in one commune, so that the
    sum over a commune is a whole number however its border cuts pixels.

    Parameters
    ----------
    spec
        What is asked for.
    zones
        The communes.
    places
        Villages and towns.
    codes
        Land cover on `cover_grid`, whose pixels divide those of `grid`.
    cover_grid, grid
        Frames of the land cover and of the population raster.
    rng
        Source of randomness.

    Returns
    -------
    tuple
        People per pixel (whole numbers, float32), people per commune, layer `villages`.
    """
    factor = round(grid.resolution_m / cover_grid.resolution_m)
    column_0 = round((grid.x_min - cover_grid.x_min) / cover_grid.resolution_m)
    row_0 = round((cover_grid.y_max - grid.y_max) / cover_grid.resolution_m)
    part = codes[row_0 : row_0 + grid.height * factor, column_0 : column_0 + grid.width * factor]
    houses = _settled_weight(part).reshape(grid.height, factor, grid.width, factor)
    weight = houses.mean(axis=(1, 3))
    commune = zone_index(zones, grid)
    borders = burn([zone.boundary for zone in zones], grid, all_touched=True)
    weight = np.where((commune >= 0) & ~borders, weight, 0.0)
    weight *= np.exp(0.35 * NoiseField(rng, grid.bounds, 500.0).on_grid(grid))
    # A house or two stand everywhere on dry land, so that no commune stays empty.
    somewhere = (commune >= 0) & ~borders
    for k in range(len(zones)):
        if not (weight[commune == k] > 0.0).any():
            own = somewhere & (commune == k)
            weight[own if own.any() else commune == k] = 1e-3

    kind = spec.communes["kind"].to_numpy()
    urban = np.where(kind == "ward", 1.25, 1.0)
    settled = np.array([weight[commune == k].sum() for k in range(len(zones))])
    per_commune = share_out(spec.population, settled * urban)
    people = np.zeros(grid.shape, dtype=np.float32)
    rows, columns = np.nonzero(weight > 0.0)
    at = np.column_stack([grid.x_centres()[columns], grid.y_centres()[rows]])
    pixel_zone = commune[rows, columns]
    pixel_people = np.zeros(len(rows), dtype=np.int64)
    pixel_place = np.zeros(len(rows), dtype=np.intp)
    for k in range(len(zones)):
        mine = np.flatnonzero(pixel_zone == k)
        pixel_people[mine] = share_out(int(per_commune[k]), weight[rows[mine], columns[mine]])
        near = np.flatnonzero(places.zone == k)
        pixel_place[mine] = near[cKDTree(places.xy[near]).query(at[mine])[1]]
    people[rows, columns] = pixel_people
    own = np.flatnonzero(places.zone >= 0)
    per_place = np.bincount(
        pixel_place, weights=pixel_people.astype(float), minlength=len(places.xy)
    )[own].astype(float)
    return people, per_commune, _village_frame(spec, places, own, per_place)


def _village_frame(
    spec: AreaSpec, places: Places, own: NDArray[np.intp], people: FloatArray
) -> gpd.GeoDataFrame:
    # A place on whose pixels nobody lives (all of them on a border) is no village.
    own, people = own[people > 0], people[people > 0]
    zone = places.zone[own]
    frame = gpd.GeoDataFrame(
        {"zone": zone, "population": people},
        geometry=gpd.points_from_xy(places.xy[own, 0], places.xy[own, 1]),
        crs=spec.crs,
    ).sort_values("zone", kind="stable", ignore_index=True)
    number = frame.groupby("zone").cumcount() + 1
    communes = spec.communes
    code = communes["code"].to_numpy()[frame["zone"]]
    ward = (communes["kind"] == "ward").to_numpy()[frame["zone"]]
    word = np.where(ward, "Tổ dân phố ", "Thôn ")
    names = communes["name"].str.replace(r"^(Phường|Xã) ", "", regex=True).to_numpy()
    texts = [
        f"{kind}{k}, {name}"
        for kind, k, name in zip(word, number, names[frame["zone"]], strict=True)
    ]
    columns = {
        "village_id": [f"{c}-{k:03d}" for c, k in zip(code, number, strict=True)],
        "name": texts,
        "zone_code": code,
        "population": frame["population"].astype(float),
    }
    return gpd.GeoDataFrame(pd.DataFrame(columns), geometry=frame.geometry, crs=spec.crs)
