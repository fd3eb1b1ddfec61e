"""Value, proven bound, time and memory of the choice of sites.

Prints one JSON object: set-cover instances with known optima (OR-Library format), and
generated sites in a plane that cover demand within a radius:

    python -m benchmarks.sites [--instances ../shared/vectors/opt/setcover] [--time-limit-s 60]
        [--rows 1000000] [--sites 1000]
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.spatial import cKDTree

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a file
    sys.path.insert(0, str(ROOT))

from planning import sites  # noqa: E402

#: Published optima (OR-Library).
OPTIMA = {"scp41": 429, "scpa1": 253, "scpd1": 60, "scpclr10": 25}

#: Generated problems: name, sites that cover a demand on average, share of all costs that
#: is the budget (None: cover everything), whether all sites cost the same.
PLANES = (
    ("maximal_few", 4.0, 0.05, False),
    ("maximal_middle", 10.0, 0.03, False),
    ("maximal_many", 10.0, 0.10, False),
    ("maximal_large_discs", 30.0, 0.01, False),
    ("maximal_same_cost", 10.0, 0.05, True),
    ("maximal_large_discs_same_cost", 30.0, 0.02, True),
    ("cover_all", 10.0, None, False),
    ("cover_all_same_cost", 10.0, None, True),
    ("cover_all_large_discs", 30.0, None, False),
)


def read_or_library(path: Path) -> tuple[scipy.sparse.csr_array, NDArray]:
    """Return membership and costs of a file in the OR-Library format."""
    words = [int(word) for word in path.read_text(encoding="ascii").split()]
    rows, columns = words[:2]
    cost = np.array(words[2 : 2 + columns], dtype=float)
    at = 2 + columns
    row, column = [], []
    for i in range(rows):
        count = words[at]
        column += [word - 1 for word in words[at + 1 : at + 1 + count]]
        row += [i] * count
        at += 1 + count
    ones = np.ones(len(row), np.int8)
    return scipy.sparse.csr_array((ones, (row, column)), shape=(rows, columns)), cost


def plane(
    count: int, rows: int, cover: float, *, same_cost: bool = False, seed: int = 1
) -> tuple[scipy.sparse.csr_array, NDArray, NDArray]:
    """Return membership, weights and costs of generated sites with discs of various sizes.

    Parameters
    ----------
    count, rows
        Sites and demand rows, both spread evenly over a square.
    cover
        How many sites cover a row on average.
    same_cost
        Whether all sites cost 1 rather than 100 to 1000.
    seed
        For the random places.
    """
    rng = np.random.default_rng(seed)
    side_m = 50_000.0
    place = rng.uniform(0.0, side_m, (count, 2))
    demand = rng.uniform(0.0, side_m, (rows, 2))
    radius_m = rng.uniform(0.7, 1.3, count) * side_m * np.sqrt(cover / (np.pi * count))
    inside = cKDTree(demand).query_ball_point(place, radius_m)
    first = np.concatenate([[0], np.cumsum([len(one) for one in inside])])
    items = np.concatenate([np.asarray(one, dtype=np.int32) for one in inside])
    del inside
    ones = np.ones(len(items), np.int8)
    table = scipy.sparse.csc_array((ones, items, first), shape=(rows, count)).tocsr()
    weight = rng.integers(0, 10, rows).astype(float)
    cost = np.ones(count) if same_cost else rng.uniform(100.0, 1000.0, count)
    return table, weight, cost


def measure(solve: Callable[[], sites.SiteChoice], optimum: float | None = None) -> dict[str, Any]:
    """Run once and return the figures."""
    start_s = time.perf_counter()
    choice = solve()
    result = {
        "sites": len(choice.columns),
        "value": choice.value,
        "bound": choice.bound,
        "gap_percent": round(100.0 * choice.gap, 5),
        "seconds": round(time.perf_counter() - start_s, 2),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    if optimum is not None:
        result["optimum"] = optimum
    return result


def main() -> None:
    """Run the benchmark of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--instances", type=Path, default=ROOT.parent / "shared/vectors/opt/setcover"
    )
    parser.add_argument("--time-limit-s", type=float, default=60.0)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--sites", type=int, default=1_000)
    parser.add_argument("--only", nargs="*", help="names of problems")
    arguments = parser.parse_args()
    limit_s = arguments.time_limit_s
    start_s = time.perf_counter()
    sites.set_cover([[1, 0], [0, 1]], [1.0, 1.0])
    result: dict[str, Any] = {"compile_seconds": round(time.perf_counter() - start_s, 1)}
    for path in sorted(arguments.instances.glob("*.txt")):
        if arguments.only and path.stem not in arguments.only:
            continue
        table, cost = read_or_library(path)
        result[path.stem] = measure(
            lambda t=table, c=cost: sites.set_cover(t, c, time_limit_s=limit_s),
            OPTIMA.get(path.stem),
        )
    for name, cover, share, same_cost in PLANES:
        if arguments.only and name not in arguments.only:
            continue
        table, weight, cost = plane(arguments.sites, arguments.rows, cover, same_cost=same_cost)
        if share is None:
            table = table[np.diff(table.indptr) > 0]
            figures = measure(lambda t=table, c=cost: sites.set_cover(t, c, time_limit_s=limit_s))
        else:
            money = share * float(cost.sum())
            figures = measure(
                lambda t=table, w=weight, c=cost, m=money: sites.maximal_cover(
                    t, w, c, m, time_limit_s=limit_s
                )
            )
        result[name] = {"rows": table.shape[0], "entries": int(table.nnz), **figures}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
