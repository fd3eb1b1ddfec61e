"""Time, memory and proof of sharing analyses on a workspace.

Prints one JSON object. The losses are kept in the workspace, so the first run of a fresh
workspace also predicts them; run it twice to measure the rest:

    python -m benchmarks.sharing --workspace DIR [--distance-m 500] [--keep-percent 99]
        [--time-limit-s 60] [--spots 40]
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

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a file
    sys.path.insert(0, str(ROOT))

from coverage.request import CoverageRequest, default_technologies  # noqa: E402
from data.store import Workspace  # noqa: E402
from planning import (  # noqa: E402
    consolidation,
    mast_coverage,
    network_coverage,
    sharing,
    white_spot_remedies,
)
from planning.consolidation import ConsolidationRequest  # noqa: E402
from planning.sharing_moves import SharingRequest  # noqa: E402
from planning.white_spots import WhiteSpotRequest  # noqa: E402


def timed(compute: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Return a result with the time it took and the most memory used so far."""
    start = time.monotonic()
    result = compute()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes, on macOS bytes.
    megabytes = peak / (1e6 if sys.platform == "darwin" else 1e3)
    return result, {
        "seconds": round(time.monotonic() - start, 2),
        "peak_memory_mb": round(megabytes),
    }


def measure(
    workspace: Workspace, distance_m: float, keep_percent: float, time_limit_s: float, spots: int
) -> dict[str, Any]:
    """Run everything once.

    Parameters
    ----------
    workspace
        The study area.
    distance_m
        Between masts that may become one. [m]
    keep_percent
        Of every operator's coverage. [%]
    time_limit_s
        For the choice of masts. [s]
    spots
        White spots that are looked into.

    Returns
    -------
    dict
        Figures by step.
    """
    coverage = CoverageRequest(technologies=default_technologies(workspace))
    request = SharingRequest(coverage, distance_m)
    alone, mast_figures = timed(lambda: mast_coverage.compute(workspace, coverage))
    engine, engine_figures = timed(
        lambda: network_coverage.compute(workspace, coverage, alone.masts, workspace.read("cells"))
    )
    mast_figures |= {
        "masts": len(alone.masts),
        "entries": int(sum(table.nnz for table in alone.membership.values())),
        "pixels": len(alone.people) * len(alone.services),
        "pixels_unlike_engine": int(
            sum(np.sum(alone.covered(key) != engine.covered[key]) for key in alone.services)
        ),
    }
    pairs, pair_figures = timed(lambda: sharing.analyse(workspace, request))
    pair_figures |= {name: pairs.summary[name] for name in ("pairs", "pairs_possible", "groups")}
    pair_figures["moves"] = len(pairs.moves.moves)
    asked = ConsolidationRequest(request, keep_percent=keep_percent, time_limit_s=time_limit_s)
    fewest, fewest_figures = timed(lambda: consolidation.consolidate(workspace, asked))
    fewest_figures |= {
        name: fewest.summary[name]
        for name in ("masts_before", "masts_after", "bound", "gap", "moves")
    }
    fewest_figures["least_kept_percent"] = round(100.0 * fewest.operators["km2_kept"].min(), 4)
    white, white_figures = timed(
        lambda: white_spot_remedies.analyse(workspace, WhiteSpotRequest(coverage, most_spots=spots))
    )
    best = white.remedies[white.remedies["best"].astype(bool)]
    white_figures |= {
        "spots": len(white.spots),
        "remedies": len(white.remedies),
        "closed_by_one": int((best["closes"] >= white_spot_remedies.CLOSES).sum()),
    }
    return {
        "mast_coverage": mast_figures,
        "network_coverage": engine_figures,
        "analyse": pair_figures,
        "consolidate": fewest_figures,
        "white_spots": white_figures,
    }


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--distance-m", type=float, default=500.0)
    parser.add_argument("--keep-percent", type=float, default=99.0)
    parser.add_argument("--time-limit-s", type=float, default=60.0)
    parser.add_argument("--spots", type=int, default=40)
    given = parser.parse_args()
    figures = measure(
        Workspace.open(given.workspace),
        given.distance_m,
        given.keep_percent,
        given.time_limit_s,
        given.spots,
    )
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
