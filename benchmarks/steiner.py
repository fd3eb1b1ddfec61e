"""Cost, proven bound and time of the Steiner tree solver.

Prints one JSON object: the instances with known optima (PACE 2018 format) and
generated road networks:

    python -m benchmarks.steiner [--instances ../shared/vectors/opt/steiner] [--time-limit-s 30]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a file
    sys.path.insert(0, str(ROOT))

from planning import steiner  # noqa: E402

#: Published optima (SteinLib; the same in the papers of the PACE 2018 challenge).
OPTIMA = {
    "instance001": 2_256,
    "instance016": 14_171_206,
    "instance098": 80_628_079,
    "instance140": 232_790_758,
    "instance147": 6_849_423,
}

#: Terminals and edges of the generated road networks.
ROADS = ((109, 20_000), (1_000, 200_000))


def read_pace(path: Path) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Return tail, head, cost and terminals of a file in the PACE 2018 format."""
    edges = []
    terminals = []
    for line in path.read_text(encoding="ascii").splitlines():
        words = line.split()
        if words[:1] == ["E"]:
            edges.append([int(word) for word in words[1:4]])
        elif words[:1] == ["T"]:
            terminals.append(int(words[1]))
    table = np.array(edges)
    return table[:, 0], table[:, 1], table[:, 2].astype(float), np.array(terminals)


def road_network(
    terminals: int, edges: int, seed: int = 7
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Return a generated road network: tail, head, cost and terminals.

    Junctions on a shaken lattice, joined to their neighbours with a third of the
    links missing, each link bent at one or two points in three of four cases; cost is
    length by one of three prices per metre.
    """
    rng = np.random.default_rng(seed)
    # A junction gives about 2 · 0.66 links, and a link about 2.1 edges.
    side = round((edges / (2 * 0.66 * 2.1)) ** 0.5) + 1
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    place = 500.0 * (np.column_stack([x.ravel(), y.ravel()]) + rng.uniform(-0.4, 0.4, (side**2, 2)))
    node = np.arange(side**2).reshape(side, side)
    a = np.concatenate([node[:, :-1].ravel(), node[:-1].ravel()])
    b = np.concatenate([node[:, 1:].ravel(), node[1:].ravel()])
    # A random tree keeps the network in one piece.
    weight = rng.random(a.size)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import minimum_spanning_tree

    tree = minimum_spanning_tree(coo_array((weight + 1.0, (a, b)), shape=(side**2, side**2)))
    kept = set(zip(*(part.tolist() for part in tree.nonzero()), strict=True))
    chosen = (rng.random(a.size) < 0.32) | [
        pair in kept for pair in zip(a.tolist(), b.tolist(), strict=True)
    ]
    a, b = a[chosen], b[chosen]
    length = np.hypot(*(place[a] - place[b]).T) * rng.uniform(1.0, 1.3, a.size)
    price = rng.choice([8.0, 12.0, 20.0], a.size, p=[0.5, 0.3, 0.2])
    bends = rng.choice([0, 1, 2], a.size, p=[0.25, 0.4, 0.35])
    tail, head, cost = [], [], []
    following = side**2
    for i in range(a.size):
        stops = [a[i], *range(following, following + bends[i]), b[i]]
        following += bends[i]
        share = rng.dirichlet(np.full(bends[i] + 1, 4.0))
        tail += stops[:-1]
        head += stops[1:]
        cost += (share * length[i] * price[i]).tolist()
    sites = rng.choice(following, terminals, replace=False)
    return np.array(tail), np.array(head), np.array(cost), sites


def measure(
    problem: tuple[NDArray, NDArray, NDArray, NDArray], time_limit_s: float, optimum: float | None
) -> dict[str, Any]:
    """Solve one problem and return its figures."""
    start_s = time.perf_counter()
    tree = steiner.steiner_tree(*problem, time_limit_s=time_limit_s)
    seconds = time.perf_counter() - start_s
    result = {
        "edges": len(problem[0]),
        "terminals": len(problem[3]),
        "cost": tree.cost,
        "lower_bound": tree.lower_bound,
        "certified_gap_percent": round(100.0 * tree.gap, 4),
        "seconds": round(seconds, 2),
    }
    if optimum is not None:
        result["optimum"] = optimum
        result["gap_to_optimum_percent"] = round(100.0 * (tree.cost / optimum - 1.0), 4)
        result["bound_below_optimum_percent"] = round(100.0 * (1.0 - tree.lower_bound / optimum), 4)
    return result


def main() -> None:
    """Run the benchmark of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--instances", type=Path, default=ROOT.parent / "shared/vectors/opt/steiner"
    )
    parser.add_argument("--time-limit-s", type=float, default=30.0)
    parser.add_argument("--roads", type=int, nargs="*", default=[0, 1], help="0: small, 1: large")
    arguments = parser.parse_args()
    start_s = time.perf_counter()
    steiner.warm_up()
    result: dict[str, Any] = {"compile_seconds": round(time.perf_counter() - start_s, 1)}
    for path in sorted(arguments.instances.glob("*.gr")):
        optimum = OPTIMA.get(path.stem)
        result[path.stem] = measure(read_pace(path), arguments.time_limit_s, optimum)
    for index in arguments.roads:
        terminals, edges = ROADS[index]
        name = f"road_{terminals}_{edges}"
        result[name] = measure(road_network(terminals, edges), arguments.time_limit_s, None)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
