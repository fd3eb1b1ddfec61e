"""Choosing sites end to end: value, proven gap, time and memory.

Generated candidates in a plane, each covering the demand pixels within a radius; from the
table of who covers what to the choice, the order of gains, the cost curve and the years.
Prints one JSON object:

    python -m benchmarks.siting [--sites 1000] [--rows 1000000] [--years 5] [--only NAME …]
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a file
    sys.path.insert(0, str(ROOT))

from benchmarks.sites import plane  # noqa: E402
from planning import sites, siting_choice, target_cover  # noqa: E402

#: Name, sites that cover a pixel on average, share of all costs as budget or of the demand
#: as target, whether all sites cost the same.
CASES = (
    ("budget", 10.0, ("budget", 0.05), False),
    ("budget_few_overlap", 4.0, ("budget", 0.05), False),
    ("budget_large_discs", 30.0, ("budget", 0.01), False),
    ("target_half", 10.0, ("target", 0.5), False),
    ("target_95_percent", 10.0, ("target", 0.95), False),
    ("target_half_same_cost", 10.0, ("target", 0.5), True),
)


def measure(case: tuple[str, float, tuple[str, float], bool], given: argparse.Namespace) -> Any:
    """Run one case and return its figures."""
    _, cover, (aim, share), same_cost = case
    table, weight, cost = plane(given.sites, given.rows, cover, same_cost=same_cost)
    start_s = time.perf_counter()
    patterns, load = sites.merged_demand(table, weight)
    merged_s = time.perf_counter() - start_s
    limit_s = given.time_limit_s
    if aim == "budget":
        money = share * float(cost.sum())
        choice = sites.maximal_cover(patterns, load, cost, money, time_limit_s=0.6 * limit_s)
    else:
        target = share * float(load.sum())
        choice = target_cover.partial_cover(
            patterns, load, cost, target, time_limit_s=0.6 * limit_s
        )
        money = choice.cost
    chosen_s = time.perf_counter() - start_s
    order = siting_choice.in_order(patterns, load, cost, choice.columns)
    budgets = [2.0 * money * k / 8 for k in range(1, 9)]
    curve = siting_choice.curve(patterns, load, cost, budgets, time_limit_s=0.25 * limit_s)
    columns = order["column"].to_numpy(np.int64)
    years = siting_choice.by_year(
        patterns,
        load,
        cost,
        columns,
        np.full(given.years, money / given.years),
        time_limit_s=0.15 * limit_s,
    )
    return {
        "rows": table.shape[0],
        "entries": int(table.nnz),
        "patterns": patterns.shape[0],
        "sites_chosen": len(choice.columns),
        "value": choice.value,
        "bound": choice.bound,
        "gap_percent": round(100.0 * choice.gap, 4),
        "curve_worst_gap_percent": round(100.0 * float(curve["gap"].max()), 4),
        "years_gap_percent": round(100.0 * years.gap, 4),
        "seconds_merging": round(merged_s, 2),
        "seconds_choice": round(chosen_s, 2),
        "seconds": round(time.perf_counter() - start_s, 2),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    """Run the benchmark of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=1_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--years", type=int, default=5)
    parser.add_argument("--time-limit-s", type=float, default=55.0)
    parser.add_argument("--only", nargs="*", help="names of cases")
    given = parser.parse_args()
    sites.set_cover([[1, 0], [0, 1]], [1.0, 1.0])
    result = {
        case[0]: measure(case, given) for case in CASES if not given.only or case[0] in given.only
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
