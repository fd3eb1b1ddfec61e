"""Time, proven gap and memory of fibre design, from layers of lines to the bill.

Prints one JSON object: the communes of study areas, and generated road networks with
many sites:

    python -m benchmarks.fibre [--from ../shared/data] [--workspace DIR] [--time-limit-s 30]
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a file
    sys.path.insert(0, str(ROOT))

from data import build  # noqa: E402
from data.area import Provenance, StudyAreaInfo  # noqa: E402
from data.store import Workspace  # noqa: E402
from planning import fibre, steiner  # noqa: E402

CRS = "EPSG:32648"

#: Sites and edges of the generated road networks.
ROADS = ((109, 20_000), (1_000, 200_000))

#: Between junctions of the generated roads. [m]
SPACING_M = 500.0

#: Share of the possible links between neighbouring junctions that are there.
KEPT = 0.66


def generated_roads(edges: int, seed: int = 7) -> gpd.GeoDataFrame:
    """Return roads whose graph has about so many edges.

    Junctions on a shaken lattice, a third of the links missing, each link bent once.
    A road runs through all junctions up to the next missing link, so that the graph
    has to find its junctions on it.
    """
    rng = np.random.default_rng(seed)
    # A junction without a turning is a bend: about a tenth of the links are joined.
    side = round((edges / (0.906 * 2 * KEPT)) ** 0.5) + 1
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    place = np.column_stack([x.ravel(), y.ravel()]) + rng.uniform(-0.4, 0.4, (side**2, 2))
    place = 600_000.0 + SPACING_M * place
    node = np.arange(side**2).reshape(side, side)
    a = np.concatenate([node[:, :-1].ravel(), node[:-1].T.ravel()])
    b = np.concatenate([node[:, 1:].ravel(), node[1:].T.ravel()])
    # A random tree keeps the network in one piece.
    links = coo_array((rng.random(a.size) + 1.0, (a, b)), shape=(side**2, side**2))
    tree = minimum_spanning_tree(links).tocoo()
    in_tree = np.isin(a * side**2 + b, tree.row.astype(np.int64) * side**2 + tree.col)
    chosen = in_tree | (rng.random(a.size) < (KEPT - 0.5) / 0.5)
    lines = []
    bend = 0.5 * (place[a] + place[b]) + rng.normal(0.0, 0.1 * SPACING_M, (a.size, 2))
    points: list[Any] = []
    for k in range(a.size):
        if not chosen[k] or (points and a[k] != b[k - 1]):
            if points:
                lines.append(points)
            points = []
        if chosen[k]:
            points = points or [place[a[k]]]
            points += [bend[k], place[b[k]]]
    if points:
        lines.append(points)
    return gpd.GeoDataFrame(
        {
            "road_id": [f"R{k}" for k in range(len(lines))],
            "road_class": "tertiary",
            "surface": rng.choice(["asphalt", "gravel"], len(lines)),
        },
        geometry=[shapely.LineString(line) for line in lines],
        crs=CRS,
    )


def generated_workspace(folder: Path, edges: int) -> Workspace:
    """Return a workspace of one zone with generated roads."""
    roads = generated_roads(edges)
    zones = gpd.GeoDataFrame(
        {"code": ["1"], "name": ["area"], "level": ["commune"], "population": [1e6]},
        geometry=[shapely.box(*roads.total_bounds)],
        crs=CRS,
    )
    layers = {"zones": zones, "roads": roads}
    provenance = {name: Provenance("generated", illustrative=True) for name in layers}
    area = StudyAreaInfo("roads", "Đường", "Roads", CRS, True, 100.0)
    return Workspace.replace(folder, area, layers, provenance)


def generated_sites(workspace: Workspace, count: int, seed: int = 11) -> gpd.GeoDataFrame:
    """Return sites a little beside random roads."""
    rng = np.random.default_rng(seed)
    roads = workspace.read("roads")
    lines = roads.geometry.to_numpy()[rng.choice(len(roads), count, replace=False)]
    on = shapely.get_coordinates(
        shapely.line_interpolate_point(lines, rng.random(count), normalized=True)
    )
    return gpd.GeoDataFrame(
        {
            "site_id": [f"S{k}" for k in range(count)],
            "name": "",
            "weight": rng.integers(100, 10_000, count).astype(float),
        },
        geometry=gpd.points_from_xy(*(on + rng.normal(0.0, 30.0, on.shape)).T),
        crs=roads.crs,
    )


def measure(
    workspace: Workspace, request: fibre.DesignRequest, sites: gpd.GeoDataFrame | None
) -> dict[str, Any]:
    """Design once and return the figures."""
    start_s = time.perf_counter()
    built = fibre.graph_of(workspace, request)
    graph_s = time.perf_counter() - start_s
    start_s = time.perf_counter()
    found = fibre.design(workspace, request, sites=sites)
    seconds = time.perf_counter() - start_s
    return {
        "edges": built.graph.n_edges,
        "nodes": built.graph.n_nodes,
        "sites": len(found.sites),
        "connected": found.summary["connected"],
        "length_km": round(found.summary["length_m"] / 1000.0, 1),
        "route_cost": round(found.route_cost),
        "bound": round(found.bound),
        "gap_percent": round(100.0 * found.gap, 3),
        "graph_seconds": round(graph_s, 2),
        "design_seconds_with_graph": round(seconds, 2),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0),
    }


def main() -> None:
    """Run the benchmark of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--from", dest="folder", type=Path, help="files of the real area to build it from"
    )
    parser.add_argument("--workspace", type=Path, help="one more workspace")
    parser.add_argument("--time-limit-s", type=float, help="default: as the design chooses")
    parser.add_argument("--roads", type=int, nargs="*", default=[0, 1], help="0: small, 1: large")
    parser.add_argument("--no-demo", action="store_true", help="generated roads only")
    arguments = parser.parse_args()
    start_s = time.perf_counter()
    steiner.warm_up()
    result: dict[str, Any] = {"compile_seconds": round(time.perf_counter() - start_s, 1)}
    request = fibre.DesignRequest(time_limit_s=arguments.time_limit_s)
    with tempfile.TemporaryDirectory() as scratch:
        areas: dict[str, Workspace] = {}
        if not arguments.no_demo:
            areas["demo_communes"] = build.build("demo", Path(scratch) / "demo")
        if arguments.folder is not None:
            areas["hanam_communes"] = build.build(
                "hanam", Path(scratch) / "hanam", source_folder=arguments.folder
            )
        if arguments.workspace is not None:
            areas[arguments.workspace.name] = Workspace.open(arguments.workspace)
        for name, workspace in areas.items():
            result[name] = measure(workspace, request, None)
        for index in arguments.roads:
            count, edges = ROADS[index]
            workspace = generated_workspace(Path(scratch) / f"roads_{edges}", edges)
            sites = generated_sites(workspace, count)
            result[f"road_{count}_{edges}"] = measure(workspace, request, sites)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
