"""The whole province: all cells of about a thousand masts, then one mast moved.

    python -m benchmarks.province --from ../shared/data --resolution-m 50

Builds the area in a temporary workspace (the real Hà Nam with `--from`, else the
embedded area), places masts where people live, each with three sectors of 2G,
3G and 4G, and prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import psutil

from coverage import run, whatif
from data import build
from data.demo.network import make_masts
from data.store import Workspace
from data.study_area import area_outline

#: Technology, band, frequency, bandwidth, power, gain and feeder loss of each sector.
SERVICES = [
    ("2G", "GSM 900", 947.5, 0.2, 43.0, 16.0, 3.0),
    ("3G", "UMTS 2100", 2140.0, 5.0, 43.0, 17.5, 1.0),
    ("4G", "LTE 1800", 1842.5, 20.0, 46.0, 17.5, 0.5),
]
SECTORS_DEG = (0.0, 120.0, 240.0)


def network(workspace: Workspace, count: int) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Return masts where people live, and three sectors of three technologies on each."""
    rng = np.random.default_rng(1)
    zones = workspace.read("zones")
    masts = make_masts(
        area_outline(zones),
        workspace.read_raster("terrain"),
        workspace.read_raster("population"),
        workspace.read_raster("clutter"),
        count=count,
        crs=workspace.area.crs,
        rng=rng,
    )
    cells = [
        {
            "cell_id": f"{mast.mast_id}-{name}-{number}",
            "mast_id": mast.mast_id,
            "operator": mast.owner,
            "technology": name,
            "band": band,
            "frequency_mhz": frequency,
            "bandwidth_mhz": bandwidth,
            "power_dbm": power,
            "antenna_gain_dbi": gain,
            "feeder_loss_db": feeder,
            "azimuth_deg": azimuth,
            "tilt_deg": 4.0,
            "antenna_height_m": mast.height_m,
            "pattern": None,
            "load": 0.5,
        }
        for mast in masts.itertuples()
        for name, band, frequency, bandwidth, power, gain, feeder in SERVICES
        for number, azimuth in enumerate(SECTORS_DEG)
    ]
    return masts, pd.DataFrame(cells)


def moved(masts: gpd.GeoDataFrame, number: int) -> gpd.GeoDataFrame:
    """Return the masts with one of them 300 m further east."""
    changed = masts.copy()
    point = changed.geometry.iloc[number]
    changed.loc[changed.index[number], "geometry"] = type(point)(point.x + 300.0, point.y)
    return changed


def peak_memory_mb() -> float:
    """Return the largest resident size of this process so far."""
    memory = psutil.Process().memory_info()
    if hasattr(memory, "peak_wset"):  # Windows
        return memory.peak_wset / 1e6
    import resource

    unit = 1e-6 if platform.system() == "Darwin" else 1e-3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Build, compute, move a mast, and say how long each took."""
    area = "demo" if arguments.source is None else "hanam"
    workspace = build.build(area, folder, source_folder=arguments.source)
    masts, cells = network(workspace, arguments.masts)
    provenance = workspace.provenance()
    workspace.write(
        {"masts": masts, "cells": cells},
        {"masts": provenance["masts"], "cells": provenance["cells"]},
    )
    # The first call of each compiled function is not part of the figure.
    warm = run.CoverageRequest(resolution_m=1000.0, radius_m=3000.0)
    start = time.perf_counter()
    run.compute(workspace, warm, threads=arguments.threads)
    compile_seconds = time.perf_counter() - start

    request = run.CoverageRequest(
        resolution_m=arguments.resolution_m, radius_m=1000.0 * arguments.radius_km
    )
    start = time.perf_counter()
    result = run.compute(workspace, request, threads=arguments.threads)
    seconds = time.perf_counter() - start
    computing_memory_mb = peak_memory_mb()

    start = time.perf_counter()
    live = whatif.LiveNetwork(workspace, request, threads=arguments.threads)
    load_seconds = time.perf_counter() - start
    moves = []
    for number in np.linspace(0, len(masts) - 1, arguments.moves).astype(int):
        start = time.perf_counter()
        live.change(moved(live.masts, int(number)), live.cells)
        live.figures()
        moves.append(time.perf_counter() - start)
    province = result.summary["zones"][0]
    return {
        "area": area,
        "masts": len(masts),
        "cells": len(cells),
        "resolution_m": arguments.resolution_m,
        "radius_km": arguments.radius_km,
        "pixels": result.grid.width * result.grid.height,
        "threads": arguments.threads,
        "compile_and_warm_seconds": round(compile_seconds, 2),
        "seconds": round(seconds, 2),
        "peak_memory_mb": round(computing_memory_mb),
        "load_from_kept_losses_seconds": round(load_seconds, 2),
        "move_one_mast_seconds_median": round(float(np.median(moves)), 3),
        "move_one_mast_seconds": [round(seconds, 3) for seconds in moves],
        "peak_memory_with_live_network_mb": round(peak_memory_mb()),
        "area_percent": {name: province[name]["area_percent"] for name in ("2G", "3G", "4G")},
    }


def main() -> None:
    """Read the options and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="source", type=Path, help="folder of the real area's files")
    parser.add_argument("--masts", type=int, default=1000)
    parser.add_argument("--resolution-m", type=float, default=50.0)
    parser.add_argument("--radius-km", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--moves", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(arguments, Path(folder) / "workspace"), indent=1))


if __name__ == "__main__":
    main()
