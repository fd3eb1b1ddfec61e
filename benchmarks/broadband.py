"""Time, memory and figures of broadband coverage.

Prints one JSON object for the area `demo`, generated into a temporary folder, or for
a workspace that is given, to which a generated fibre network is added if it has none:

    python -m benchmarks.broadband [--workspace DIR] [--drop-m 300] [--spacing-m 100]
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a file
    sys.path.insert(0, str(ROOT))

from data import build, demo  # noqa: E402
from data.area import Provenance  # noqa: E402
from data.demo.fibre import make_fibre  # noqa: E402
from data.store import Workspace  # noqa: E402
from data.study_area import finest_zones  # noqa: E402
from planning import broadband  # noqa: E402


def with_fibre(source: Path, folder: Path) -> Workspace:
    """Copy a workspace and add a generated fibre network along its roads."""
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("results", "cache", "history"))
    workspace = Workspace.open(folder)
    if workspace.has("fibre_nodes"):
        return workspace
    communes = finest_zones(workspace.read("zones")).reset_index(drop=True)
    inside = communes.geometry.representative_point()
    spec = demo.hanam_spec()
    known = spec.communes.set_index("code")["settlement"]
    table = communes[["code", "name"]].assign(
        settlement=communes["code"].map(known).fillna(""), x_m=inside.x, y_m=inside.y
    )
    roads = workspace.read("roads").explode(ignore_index=True)
    villages = workspace.read("villages")
    people = workspace.read_raster("population", workspace.analysis_grid(100.0))
    people.values[~np.isfinite(people.values)] = 0.0
    made = make_fibre(
        demo.AreaSpec(**{**vars(spec), "communes": table, "crs": workspace.area.crs}),
        communes,
        roads,
        villages,
        people,
        np.random.default_rng(0),
    )
    about = Provenance("Phủ Sóng generator", illustrative=True)
    workspace.write(
        {"fibre_segments": made.segments, "fibre_nodes": made.nodes},
        {"fibre_segments": about, "fibre_nodes": about},
    )
    return workspace


def measure(workspace: Workspace, request: broadband.BroadbandRequest) -> dict[str, Any]:
    """Compute the fixed figures once and return them with time and memory."""
    start = time.perf_counter()
    result = broadband.coverage(workspace, request, compute_mobile=False)
    seconds = time.perf_counter() - start
    widest = result.figures[result.figures["zone"] == 0]
    homes = widest[widest["measure"] == "household"].set_index("service")
    return {
        "area": workspace.area.name,
        "seconds": round(seconds, 2),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0),
        "homes": result.summary["homes"],
        "access_points": result.summary["access_points"],
        "drop_m": request.drop_m,
        "household_percent": {
            name: {
                "value": round(100.0 * row["share"], 2),
                "interval": [
                    round(100.0 * row["interval_low"], 2),
                    round(100.0 * row["interval_high"], 2),
                ],
            }
            for name, row in homes.to_dict("index").items()
        },
    }


def main() -> None:
    """Read the options and print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--drop-m", type=float, default=300.0)
    parser.add_argument("--spacing-m", type=float, default=100.0)
    options = parser.parse_args()
    request = broadband.BroadbandRequest(drop_m=options.drop_m, spacing_m=options.spacing_m)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "workspace"
        if options.workspace is None:
            workspace = build.build("demo", target)
        else:
            workspace = with_fibre(options.workspace, target)
        print(json.dumps(measure(workspace, request), ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
