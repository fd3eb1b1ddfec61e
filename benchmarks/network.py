"""Speed of failure analysis and ring design, and their gaps on known instances.

Prints one JSON object: a generated province of 150 sites and a country of 11,000, the
whole design of a province with roads, cables and a network in part, and the
survivable-network instances of SNDlib by length of the links, every node protected.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.steiner import road_network
from data.area import Provenance, StudyAreaInfo
from data.demo import generator
from data.store import Workspace
from planning import network_design, phases, resilience, ring_design, traffic

ROOT = Path(__file__).resolve().parent.parent

_EARTH_RADIUS_KM = 6371.0

#: Communes of a generated province whose dedicated network has 150 sites.
_COMMUNES = 130


@dataclass(frozen=True)
class Instance:
    """A network of SNDlib.

    Parameters
    ----------
    nodes
        Names.
    tail, head
        Ends of the links, as positions in `nodes`.
    length_km
        Great-circle distance of the ends. [km]
    """

    nodes: list[str]
    tail: NDArray[np.int64]
    head: NDArray[np.int64]
    length_km: NDArray[np.float64]


def read_sndlib(path: Path) -> Instance:
    """Read nodes and links of a file in the native format of SNDlib.

    Links that are listed in both directions count once.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    places = {
        name: (float(x), float(y))
        for name, x, y in re.findall(
            r"^\s*(\S+)\s*\(\s*(-?[\d.]+)\s+(-?[\d.]+)\s*\)\s*$",
            _section(text, "NODES"),
            re.MULTILINE,
        )
    }
    nodes = list(places)
    number = {name: index for index, name in enumerate(nodes)}
    ends = re.findall(r"^\s*\S+\s*\(\s*(\S+)\s+(\S+)\s*\)", _section(text, "LINKS"), re.MULTILINE)
    ends = list({frozenset(pair): pair for pair in reversed(ends)}.values())[::-1]
    length = [_great_circle_km(*places[a], *places[b]) for a, b in ends]
    return Instance(
        nodes,
        np.array([number[a] for a, _ in ends], np.int64),
        np.array([number[b] for _, b in ends], np.int64),
        np.array(length),
    )


def _section(text: str, name: str) -> str:
    start = re.search(rf"^{name} \(\s*$", text, re.MULTILINE)
    if start is None:
        raise ValueError(f"no section {name}")
    return text[start.end() : text.index("\n)", start.end()) + 1]


def _great_circle_km(lon: float, lat: float, other_lon: float, other_lat: float) -> float:
    a, b = math.radians(lat), math.radians(other_lat)
    half = math.radians(other_lon - lon) / 2.0
    chord = math.sin((b - a) / 2.0) ** 2 + math.cos(a) * math.cos(b) * math.sin(half) ** 2
    return 2.0 * _EARTH_RADIUS_KM * math.asin(math.sqrt(chord))


def site_network(
    sites: int, seed: int = 7
) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[str, NDArray[np.int64]]]:
    """Return links of a network of sites, and the ducts that links share.

    Every site hangs on an earlier one, one in three has a second link; a duct for each
    link, which one to five others lie in too.
    """
    rng = np.random.default_rng(seed)
    first = np.arange(1, sites)
    parent = rng.integers(np.maximum(first - 60, 0), first)
    again = rng.choice(sites, sites // 3, replace=False)
    tail = np.concatenate([first, again])
    head = np.concatenate([parent, rng.integers(0, sites, again.size)])
    ducts = {
        f"segment:{i}": rng.integers(0, tail.size, rng.integers(2, 7)) for i in range(tail.size)
    }
    return tail, head, ducts


def failures(sites: int) -> dict[str, Any]:
    """Time the analysis of single failures, and of traffic where the network is small."""
    tail, head, ducts = site_network(sites)
    start_s = time.perf_counter()
    result = resilience.single_failures(sites, tail, head, [0, 1], groups=ducts)
    found_s = time.perf_counter()
    result.weights(np.arange(sites, dtype=float))
    weighed_s = time.perf_counter()
    figures = {
        "links": int(tail.size),
        "ducts": len(ducts),
        "links_that_cut_sites_off": int(np.count_nonzero(result.edge_count)),
        "seconds": round(found_s - start_s, 3),
        "seconds_weights": round(weighed_s - found_s, 3),
    }
    if sites <= 1000:
        demands = traffic.site_demands(np.arange(sites), 5.0)
        start_s = time.perf_counter()
        traffic.after_failures(sites, tail, head, 1000.0, demands)
        figures["seconds_reroute_every_link_all_to_all"] = round(time.perf_counter() - start_s, 2)
    start_s = time.perf_counter()
    available = resilience.availability(
        sites, tail, head, [0, 1], edge_availability=0.998, node_availability=0.9995, samples=5000
    )
    figures["seconds_availability"] = round(time.perf_counter() - start_s, 2)
    figures["share_exact"] = round(float(available.exact.mean()), 3)
    return figures


def rings(
    tail: Any, head: Any, cost: Any, sites: Any, protected: int, time_limit_s: float
) -> dict[str, Any]:
    """Design one network and return its figures."""
    start_s = time.perf_counter()
    design = ring_design.ring_design(
        int(max(np.max(tail), np.max(head))) + 1,
        tail,
        head,
        cost,
        sites[:1],
        sites[1:],
        protect=sites[1 : 1 + protected],
        time_limit_s=time_limit_s,
    )
    return {
        "edges": len(tail),
        "sites": len(sites),
        "protected": protected,
        "cost": round(design.cost, 1),
        "lower_bound": round(design.lower_bound, 1),
        "gap_percent": round(100.0 * design.gap, 3),
        "sites_exposed": len(design.exposed),
        "seconds": round(time.perf_counter() - start_s, 2),
    }


def province(folder: Path, communes: int, seed: int = 7) -> Workspace:
    """Generate a study area the size of a province, with a dedicated network in part."""
    made = generator.generate(
        seed, n_communes=communes, extent_km=29.0, n_masts=20, resolution_m=100.0
    )
    origin = {name: Provenance("generated", illustrative=True) for name in made.layers}
    origin |= {name: Provenance("generated", illustrative=True) for name in made.rasters}
    area = StudyAreaInfo("province", "Tỉnh", "Province", str(made.zones.crs), True, 100.0)
    return Workspace.replace(folder, area, made.layers, origin, rasters=made.rasters)


def whole_design(workspace: Workspace) -> dict[str, Any]:
    """Time `network design --protect all` with its trade-off; return the figures."""
    start_s = time.perf_counter()
    request = network_design.NetworkDesignRequest(protect=("all",))
    made = network_design.design(workspace, request)
    seconds = time.perf_counter() - start_s
    summary = made.summary
    return {
        "sites": summary["sites"],
        "to_connect": summary["to_connect"],
        "to_protect": summary["to_protect"],
        "protected": summary["protected"],
        "edges": len(made.choice.whole.tail),
        "points_of_the_trade_off": len(made.tradeoff),
        "route_cost_million": round(made.route_cost / 1e6, 1),
        "bound_million": round(made.bound / 1e6, 1),
        "gap_percent": round(100.0 * made.gap, 2),
        "seconds": round(seconds, 2),
    }


def yearly(sites: int, time_limit_s: float, seed: int = 3) -> dict[str, Any]:
    """Plan the sites of a tree in five years and three classes; return the figures."""
    rng = np.random.default_rng(seed)
    head = np.arange(1, sites + 1)
    tail = np.array([rng.integers(max(0, i - 12), i) for i in head])
    cost = rng.uniform(5.0, 40.0, sites)
    ways: dict[int, list[int]] = {0: []}
    for edge, (near, far) in enumerate(zip(tail.tolist(), head.tolist(), strict=True)):
        ways[far] = [*ways[near], edge]
    start_s = time.perf_counter()
    plan = phases.phases(
        rng.uniform(1.0, 5.0, sites),
        cost,
        [ways[node] for node in head.tolist()],
        np.full(5, 0.15 * cost.sum()),
        weight=rng.integers(1, 20, sites),
        priority=rng.integers(1, 4, sites),
        time_limit_s=time_limit_s,
    )
    return {
        "sites": sites,
        "gap_percent_by_class_the_ones_before_kept": [
            round(100.0 * gap, 4) for gap in plan.classes["kept_gap"]
        ],
        "gap_percent_first_class": round(100.0 * plan.classes["gap"].iloc[0], 4),
        "seconds": round(time.perf_counter() - start_s, 2),
    }


def main() -> None:
    """Run the benchmark of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=Path, default=ROOT.parent / "shared/vectors/opt/sndlib")
    parser.add_argument("--time-limit-s", type=float, default=20.0)
    parser.add_argument("--edges", type=int, nargs="*", default=[5_000, 20_000])
    parser.add_argument(
        "--workspace", type=Path, nargs="*", default=[], help="study areas to design for as well"
    )
    parser.add_argument("--protected", type=int, nargs="*", default=[40, 149])
    arguments = parser.parse_args()
    start_s = time.perf_counter()
    resilience.single_failures(2, [0], [1], [0], groups={"duct": [0]})
    resilience.availability(3, [0, 1, 2], [1, 2, 0], [0], edge_availability=0.9, state_limit=0)
    traffic.route(2, [0], [1], traffic.Demands([0], [1], [1.0]))
    ring_design.warm_up()
    result: dict[str, Any] = {"compile_seconds": round(time.perf_counter() - start_s, 1)}
    for sites in (150, 11_000):
        result[f"failures_{sites}"] = failures(sites)
    result["phases_150"] = yearly(150, arguments.time_limit_s)
    with tempfile.TemporaryDirectory() as scratch:
        made = province(Path(scratch) / "province", _COMMUNES)
        result["design_of_a_province"] = whole_design(made)
    for folder in arguments.workspace:
        result[f"design_of_{folder.name}"] = whole_design(Workspace.open(folder))
    for edges in arguments.edges:
        problem = road_network(150, edges)
        for protected in arguments.protected:
            name = f"rings_150_{edges}_{protected}"
            result[name] = rings(*problem, protected, arguments.time_limit_s)
    for path in sorted(arguments.instances.glob("*.txt")):
        instance = read_sndlib(path)
        count = len(instance.nodes)
        result[f"sndlib_{path.stem}"] = rings(
            instance.tail,
            instance.head,
            instance.length_km,
            np.arange(count),
            count - 1,
            arguments.time_limit_s,
        )
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
