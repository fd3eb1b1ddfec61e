"""Measure what a pixel loses by taking its value from radials.

For masts drawn at random over real hills, pixels drawn at random within the
radius are compared with the path function on the profile from the mast to the
pixel's centre. Prints one JSON object:

    python -m benchmarks.raster_error ../shared/data/hanam_srtm3_90m.tif --east-limit-deg 105.85
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import pyproj

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a file
    sys.path.insert(0, str(ROOT))

from benchmarks.propagation import file_terrain  # noqa: E402
from coverage import sweep, terrain  # noqa: E402
from coverage.propagation import p1812  # noqa: E402
from data.grid import Grid, Raster  # noqa: E402

TX_HEIGHT_M = 40.0


def profile_loss(
    ground: Raster,
    start_m: tuple[float, float],
    end_m: tuple[float, float],
    step_m: float,
    frequencies_mhz: list[float],
) -> list[float]:
    """Return the path function's losses on the profile between two points."""
    profile = terrain.profile_between(ground, None, start_m=start_m, end_m=end_m, step_m=step_m)
    return [
        p1812.basic_transmission_loss(
            profile.distance_km,
            profile.height_m,
            frequency_ghz=frequency / 1000.0,
            tx_height_m=TX_HEIGHT_M,
            rx_height_m=1.5,
            tx_lat=20.5,
            tx_lon=105.9,
            rx_lat=20.5,
            rx_lon=105.91,
        )
        for frequency in frequencies_mhz
    ]


def summary(errors: np.ndarray, frequencies_mhz: list[float]) -> dict[str, dict[str, float]]:
    """Return RMS, 99th percentile, greatest and mean error for every frequency."""
    return {
        f"{frequency:g} MHz": {
            "rms_db": round(float(np.sqrt(np.mean(errors[:, k] ** 2))), 3),
            "p99_db": round(float(np.quantile(np.abs(errors[:, k]), 0.99)), 2),
            "max_db": round(float(np.abs(errors[:, k]).max()), 1),
            "mean_db": round(float(errors[:, k].mean()), 3),
        }
        for k, frequency in enumerate(frequencies_mhz)
    }


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("terrain", type=Path)
    parser.add_argument("--resolution-m", type=float, default=30.0)
    parser.add_argument("--radius-km", type=float, default=10.0)
    parser.add_argument("--east-limit-deg", type=float, help="masts only west of this longitude")
    parser.add_argument("--masts", type=int, default=10)
    parser.add_argument("--pixels", type=int, default=300, help="for each mast")
    parser.add_argument("--frequencies", default="900,1800,2600")
    defaults = sweep.SweepSettings()
    parser.add_argument("--density", type=float, default=defaults.radials_per_boundary_pixel)
    parser.add_argument("--step-m", type=float, help="of the radials; default as in the product")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    frequencies = [float(text) for text in options.frequencies.split(",")]
    ground = file_terrain(options.terrain)
    radius_m = options.radius_km * 1000.0
    resolution = options.resolution_m
    x_min, y_min, x_max, y_max = ground.grid.bounds
    # Stay inside: the frame of a reprojected raster has corners without data.
    margin = radius_m + 600.0
    east = x_max - margin
    if options.east_limit_deg is not None:
        to_metres = pyproj.Transformer.from_crs("EPSG:4326", ground.grid.crs, always_xy=True)
        latitude = pyproj.Transformer.from_crs(ground.grid.crs, "EPSG:4326", always_xy=True)
        middle = latitude.transform(0.5 * (x_min + x_max), 0.5 * (y_min + y_max))[1]
        east = min(east, to_metres.transform(options.east_limit_deg, middle)[0])

    rng = np.random.default_rng(options.seed)
    size = 2 * math.ceil(radius_m / resolution)
    found = []
    same_step = []
    fine_step = []
    seconds = 0.0
    for _ in range(options.masts):
        mast = (rng.uniform(x_min + margin, east), rng.uniform(y_min + margin, y_max - margin))
        grid = Grid(
            ground.grid.crs,
            math.floor(mast[0] / resolution) * resolution - size // 2 * resolution,
            math.ceil(mast[1] / resolution) * resolution + size // 2 * resolution,
            resolution,
            size,
            size,
        )
        settings = sweep.SweepSettings(
            radius_m=radius_m,
            radials_per_boundary_pixel=options.density,
            profile_step_m=options.step_m,
        )
        start = time.perf_counter()
        window = sweep.predict_loss(
            ground,
            None,
            x_m=mast[0],
            y_m=mast[1],
            antenna_height_m=TX_HEIGHT_M,
            frequencies_mhz=frequencies,
            grid=grid,
            settings=settings,
        )
        seconds += time.perf_counter() - start
        xs, ys = np.meshgrid(window.grid.x_centres(), window.grid.y_centres())
        distance = np.hypot(xs - mast[0], ys - mast[1])
        inside = np.argwhere(np.isfinite(window.loss_db[0]) & (distance > 250.0))
        for row, column in inside[rng.integers(0, len(inside), options.pixels)]:
            end = (float(xs[row, column]), float(ys[row, column]))
            found.append(window.loss_db[:, row, column])
            same_step.append(profile_loss(ground, mast, end, resolution, frequencies))
            fine_step.append(profile_loss(ground, mast, end, 0.5 * resolution, frequencies))
    predicted = np.array(found, dtype=np.float64)
    same = np.array(same_step)
    fine = np.array(fine_step)
    result = {
        "terrain": options.terrain.name,
        "resolution_m": resolution,
        "radius_km": options.radius_km,
        "density": options.density,
        "step_m": options.step_m,
        "masts": options.masts,
        "pixels": len(found),
        "against_profile_at_half_pixel_step": summary(predicted - fine, frequencies),
        "against_profile_at_pixel_step": summary(predicted - same, frequencies),
        "profile_at_pixel_step_against_half": summary(same - fine, frequencies),
        "seconds_per_mast": round(seconds / options.masts, 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
