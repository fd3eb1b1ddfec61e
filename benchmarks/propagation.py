"""Time the area sweep of a propagation model and check it against the path function.

Prints one JSON object. Every radial of the disc is evaluated at every point,
terrain sampling included:

    python -m benchmarks.propagation --model p1812 --radius-km 20 --spacing-m 30 --threads 1
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a file
    sys.path.insert(0, str(ROOT))

from coverage import models, sweep  # noqa: E402
from coverage.kernels import sampling  # noqa: E402
from coverage.propagation import itm, p1812  # noqa: E402
from data.grid import Grid, Raster  # noqa: E402

LATITUDE = 20.5
LONGITUDE = 105.9
KM_PER_DEGREE = 6371.0 * math.pi / 180.0
TX_HEIGHT_M = 40.0
BLOCK = 32


def hilly_terrain(half_width_m: float, resolution_m: float = 60.0, seed: int = 20) -> Raster:
    """Return generated hills about 0 to 400 m high around (0, 0), the same for a seed."""
    size = 2 * math.ceil(half_width_m / resolution_m)
    rng = np.random.default_rng(seed)
    frequency = np.hypot(
        np.fft.fftfreq(size, resolution_m)[:, np.newaxis],
        np.fft.rfftfreq(size, resolution_m)[np.newaxis, :],
    )
    # Hills of a few kilometres, falling off towards detail.
    amplitude = (frequency**2 + 3000.0**-2) ** -1.1
    field = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(size, size))) * amplitude, (size, size))
    field = 80.0 * field / field.std()
    heights = np.maximum(field, 0.0).astype(np.float32)
    grid = Grid("EPSG:32648", -half_width_m, half_width_m, resolution_m, size, size)
    return Raster(grid, heights)


def file_terrain(path: Path) -> Raster:
    """Return the terrain of a raster file, in the UTM zone of its centre if it is in degrees."""
    import rasterio
    from rasterio.warp import Resampling, calculate_default_transform, reproject

    with rasterio.open(path) as source:
        bounds = source.bounds
        crs = source.crs
        if not source.crs.is_projected:
            zone = int((0.5 * (bounds.left + bounds.right) + 180.0) // 6.0) + 1
            crs = rasterio.crs.CRS.from_epsg(32600 + zone)
        transform, width, height = calculate_default_transform(
            source.crs, crs, source.width, source.height, *bounds
        )
        resolution = transform.a
        values = np.full((height, width), np.nan, np.float32)
        reproject(
            source.read(1).astype(np.float32),
            values,
            src_transform=source.transform,
            src_crs=source.crs,
            src_nodata=source.nodata,
            dst_transform=transform,
            dst_crs=crs,
            dst_nodata=np.nan,
            resampling=Resampling.bilinear,
        )
    grid = Grid(crs.to_string(), transform.c, transform.f, resolution, width, height)
    return Raster(grid, values)


def p1812_path_loss(
    height_m: NDArray[np.float64],
    step_m: float,
    frequency_mhz: float,
    settings: sweep.SweepSettings,
    latitude_per_km: float,
) -> float:
    """Return the path function's loss on a radial cut at its last point."""
    distance_km = np.arange(height_m.size) * step_m / 1000.0
    north_deg = latitude_per_km * distance_km[-1]
    east_deg = math.sqrt(max((distance_km[-1] / KM_PER_DEGREE) ** 2 - north_deg**2, 0.0))
    return p1812.basic_transmission_loss(
        distance_km,
        height_m,
        frequency_ghz=frequency_mhz / 1000.0,
        tx_height_m=TX_HEIGHT_M,
        rx_height_m=settings.rx_height_m,
        time_percent=settings.time_percent,
        polarization=settings.polarization,
        delta_n=settings.delta_n,
        n0=settings.n0,
        tx_lat=LATITUDE,
        tx_lon=LONGITUDE,
        rx_lat=LATITUDE + north_deg,
        rx_lon=LONGITUDE + east_deg / math.cos(math.radians(LATITUDE + 0.5 * north_deg)),
    )


def itm_path_loss(
    height_m: NDArray[np.float64],
    step_m: float,
    frequency_mhz: float,
    settings: sweep.SweepSettings,
    latitude_per_km: float,
) -> float:
    """Return the path function's loss on a radial cut at its last point."""
    return itm.point_to_point(
        height_m,
        step_m,
        frequency_mhz=frequency_mhz,
        tx_height_m=TX_HEIGHT_M,
        rx_height_m=settings.rx_height_m,
        n0=settings.n0,
        polarization=settings.polarization,  # type: ignore[arg-type]
        time_percent=settings.time_percent,
    ).loss_db


#: The path function that a model's sweep is checked against. Another model is another entry.
PATH_FUNCTIONS: dict[
    str, Callable[[NDArray[np.float64], float, float, sweep.SweepSettings, float], float]
] = {"p1812": p1812_path_loss, "itm": itm_path_loss}

#: Shortest path to compare at, where the path functions state a validity. [m]
LEAST_DISTANCE_M = 250.0


def run(
    model: str,
    *,
    radius_km: float,
    spacing_m: float,
    threads: int,
    frequencies_mhz: list[float],
    terrain: Raster,
    centre: tuple[float, float],
    time_percent: float,
    samples: int,
    repeats: int,
) -> dict[str, object]:
    """Sweep a disc, time it, and compare a random sample with the path function."""
    settings = sweep.SweepSettings(
        model=model, radius_m=radius_km * 1000.0, time_percent=time_percent
    )
    frequencies = np.array(frequencies_mhz)
    count = math.floor(radius_km * 1000.0 / spacing_m + 1e-9) + 1
    total = math.ceil(2.0 * math.pi * radius_km * 1000.0 / spacing_m)
    grid = terrain.grid

    start = time.perf_counter()
    warm_up = np.zeros(12)
    sweep.radial_loss(
        warm_up,
        step_m=spacing_m,
        antenna_height_m=TX_HEIGHT_M,
        frequencies_mhz=frequencies_mhz,
        settings=settings,
        latitude_deg=LATITUDE,
    )
    one = np.zeros(1, np.int32)
    _rays_of(terrain, centre, spacing_m, one, total, one, np.zeros((1, 1)))
    compile_seconds = time.perf_counter() - start

    rng = np.random.default_rng(1)
    least = max(2, math.ceil(LEAST_DISTANCE_M / spacing_m))
    picks = np.column_stack(
        [
            rng.integers(0, total, samples),
            rng.integers(0, frequencies.size, samples),
            rng.integers(least, count, samples),
        ]
    )
    blocks = [np.arange(k, min(k + BLOCK, total), dtype=np.int32) for k in range(0, total, BLOCK)]
    setup = models.RadialSetup(
        settings, frequencies, TX_HEIGHT_M, spacing_m / 1000.0, count, LATITUDE
    )
    found = np.full(samples, np.nan)

    def work(thread: int) -> None:
        worker = models.MODELS[model].worker(setup)
        heights = np.empty((BLOCK, count))
        out = np.empty((BLOCK, frequencies.size, count), np.float32)
        no_clutter = np.empty((0, 0))
        no_zone = np.empty((0, 0), np.int8)
        for rays in blocks[thread::threads]:
            size = rays.size
            last = np.full(size, count - 1, np.int32)
            _rays_of(terrain, centre, spacing_m, rays, total, last, heights[:size])
            per_point = np.sin(2.0 * np.pi * rays / total) * spacing_m / 1000.0 / KM_PER_DEGREE
            first = np.zeros(size, np.int32)
            worker(heights[:size], no_clutter, no_zone, first, last, per_point, out[:size])
            for i in np.flatnonzero((picks[:, 0] >= rays[0]) & (picks[:, 0] <= rays[-1])):
                ray, k, n = picks[i]
                found[i] = out[ray - rays[0], k, n]

    seconds = math.inf
    cpu_seconds = math.inf
    for _ in range(repeats):
        start = time.perf_counter()
        cpu_start = time.process_time()
        if threads == 1:
            work(0)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(work, range(threads)))
        seconds = min(seconds, time.perf_counter() - start)
        cpu_seconds = min(cpu_seconds, time.process_time() - cpu_start)
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    expected = np.full(samples, np.nan)
    heights = np.empty((1, count))
    last = np.full(1, count - 1, np.int32)
    for i, (ray, k, n) in enumerate(picks):
        rays = np.array([ray], np.int32)
        _rays_of(terrain, centre, spacing_m, rays, total, last, heights)
        profile = heights[0, : n + 1]
        if np.isfinite(profile).all():
            per_km = math.sin(2.0 * math.pi * ray / total) / KM_PER_DEGREE
            expected[i] = PATH_FUNCTIONS[model](
                profile, spacing_m, frequencies_mhz[k], settings, per_km
            )
    known = np.isfinite(expected)
    errors = np.abs(found - expected)[known]
    points = total * count
    return {
        "model": model,
        "radius_km": radius_km,
        "spacing_m": spacing_m,
        "frequencies_mhz": frequencies_mhz,
        "time_percent": time_percent,
        "threads": threads,
        "radials": total,
        "points": points,
        "seconds": round(seconds, 4),
        "us_per_point_per_thread": round(seconds * threads / points * 1e6, 4),
        "cpu_us_per_point": round(cpu_seconds / points * 1e6, 4),
        "peak_memory_mb": round(peak_kb / 1024.0, 1),
        "max_abs_error_db": float(f"{errors.max():.3g}") if errors.size else None,
        "compared_points": int(known.sum()),
        "compile_seconds": round(compile_seconds, 2),
        "grid_m": grid.resolution_m,
    }


def _rays_of(
    terrain: Raster,
    centre: tuple[float, float],
    spacing_m: float,
    rays: NDArray[np.int32],
    total: int,
    last: NDArray[np.int32],
    out: NDArray[np.float64],
) -> None:
    grid = terrain.grid
    sampling.sample_rays(
        terrain.values,
        grid.x_min,
        grid.y_max,
        grid.resolution_m,
        centre[0],
        centre[1],
        spacing_m,
        rays,
        total,
        last,
        False,
        out,
    )


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=sorted(PATH_FUNCTIONS), default="p1812")
    parser.add_argument("--radius-km", type=float, default=20.0)
    parser.add_argument("--spacing-m", type=float, default=30.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--frequencies", default="900", help="MHz, separated by commas; all in one pass"
    )
    parser.add_argument("--time-percent", type=float, default=50.0)
    parser.add_argument("--terrain", type=Path, help="raster file; generated hills without it")
    parser.add_argument("--samples", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=3, help="the fastest one counts")
    options = parser.parse_args(arguments)
    frequencies = [float(text) for text in options.frequencies.split(",")]
    if options.terrain is None:
        terrain = hilly_terrain(options.radius_km * 1000.0 + 200.0)
        centre = (0.0, 0.0)
    else:
        terrain = file_terrain(options.terrain)
        x_min, y_min, x_max, y_max = terrain.grid.bounds
        centre = (0.5 * (x_min + x_max), 0.5 * (y_min + y_max))
    result = run(
        options.model,
        radius_km=options.radius_km,
        spacing_m=options.spacing_m,
        threads=options.threads,
        frequencies_mhz=frequencies,
        terrain=terrain,
        centre=centre,
        time_percent=options.time_percent,
        samples=options.samples,
        repeats=options.repeats,
    )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
