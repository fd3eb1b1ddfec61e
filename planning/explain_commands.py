"""The command that says why a place gets the level it gets."""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from coverage.path_explanation import CellExplanation
    from coverage.request import CoverageRequest
    from coverage.technology import Threshold
    from data.grid import Grid
    from data.store import Workspace

    Progress = Callable[[float], None]

#: Share of the first Fresnel zone that must be clear for diffraction not to matter
#: (ITU-R P.530, section 2.2.2).
CLEAR_SHARE = 0.6

_PARTS = {
    "free_space": "free space",
    "focusing": "multipath focusing",
    "terrain": "diffraction over the ground",
    "clutter": "buildings and trees on the way",
    "anomalous": "ducting and scatter",
    "location": "share of locations",
    "model": "added by the model",
    "calibration": "calibration",
}


def place(text: str) -> tuple[float, float]:
    """Read a place of the command line: longitude and latitude. [°]."""
    try:
        lon, lat = (float(word) for word in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not LON,LAT in degrees") from None
    if not (-180.0 <= lon <= 180.0 and -90.0 <= lat <= 90.0):
        raise argparse.ArgumentTypeError(f"{text!r} is no place: expected LON,LAT in degrees")
    return lon, lat


def add_options(command: argparse.ArgumentParser) -> None:
    """Declare what `explain` takes beside the options of `coverage`."""
    command.add_argument(
        "--at", type=place, required=True, metavar="LON,LAT", help="the place, degrees, WGS 84"
    )


def explain(
    workspace: Workspace,
    arguments: argparse.Namespace,
    request: CoverageRequest,
    on_progress: Progress,
) -> None:
    """Say what is received at a place, from where, and what is lost on the way."""
    from coverage import path_explanation, run
    from coverage import request as asked

    if arguments.out is not None:
        _check_out(arguments.out)
    plan = asked.make_plan(workspace, request)
    lon, lat = arguments.at
    row, column = _pixel(plan.grid, lon, lat)
    result = run.compute(
        workspace,
        request,
        threads=arguments.threads,
        scheduler=arguments.scheduler,
        on_progress=on_progress,
    )
    table = result.at(row, column)
    x_m, y_m = float(plan.grid.x_centres()[column]), float(plan.grid.y_centres()[row])
    paths: dict[int, CellExplanation] = {}
    reasons: dict[int, str] = {}
    for server in sorted(set(table["server"].tolist()) - {-1}):
        try:
            paths[server] = path_explanation.explain_cell(plan, server, x_m, y_m)
        except InputError as error:
            reasons[server] = str(error)
    content = {
        "area": workspace.area.name,
        "longitude_deg": lon,
        "latitude_deg": lat,
        "pixel_centre_m": {"x": x_m, "y": y_m, "crs": str(plan.grid.crs)},
        "receptions": [
            _reception(each, plan.thresholds[str(each["technology"])]) for each in _records(table)
        ],
        "servers": [_server(number, found) for number, found in paths.items()]
        + [{"server": number, "reason": said} for number, said in reasons.items()],
        "provenance": result.summary["provenance"],
    }
    _print(content)
    if arguments.out is not None:
        _save(content, paths, arguments.out)
        print(f"Written to {arguments.out}")


def _check_out(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError("{folder} is a file; expected a folder for results", folder=folder)
    folder.mkdir(parents=True, exist_ok=True)


def _pixel(grid: Grid, lon: float, lat: float) -> tuple[int, int]:
    """Return row and column of a place on the analysis grid."""
    import pyproj

    to_grid = pyproj.Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    x_m, y_m = to_grid.transform(lon, lat)
    west, south, east, north = grid.bounds
    if not (west <= x_m < east and south < y_m <= north):
        raise InputError("The place lies outside the study area")
    return (
        math.floor((grid.y_max - y_m) / grid.resolution_m),
        math.floor((x_m - grid.x_min) / grid.resolution_m),
    )


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _reception(row: dict[str, Any], threshold: Threshold) -> dict[str, Any]:
    level = _finite(row["level_dbm"])
    return {
        "technology": row["technology"],
        "operator": row["operator"],
        "metric": threshold.metric,
        "level_dbm": level,
        "threshold_dbm": threshold.threshold_dbm,
        "covered": bool(row["covered"]),
        "server": None if row["server"] < 0 else int(row["server"]),
    }


def _server(number: int, found: CellExplanation) -> dict[str, Any]:
    path, worst = found.path, found.path.worst
    clearance = float(path.clearance[worst])
    return {
        "server": number,
        "cell_id": str(found.cell["cell_id"]),
        "mast_id": str(found.cell["mast_id"]),
        "operator": str(found.cell["operator"]),
        "technology": str(found.cell["technology"]),
        "frequency_mhz": path.frequency_mhz,
        "antenna_height_m": path.antenna_height_m,
        "rx_height_m": path.rx_height_m,
        "distance_m": 1000.0 * float(path.distance_km[-1]),
        "bearing_deg": found.bearing_deg,
        "line_of_sight": clearance >= 0.0,
        "fresnel_clear": clearance >= CLEAR_SHARE,
        "least_clearance": clearance,
        "least_clearance_at_m": 1000.0 * float(path.distance_km[worst]),
        "eirp_dbm": found.eirp_dbm,
        "antenna_attenuation_db": found.attenuation_db,
        "loss_by_part_db": {str(part): float(value) for part, value in path.parts.items()},
        "loss_db": path.loss_db,
        "level_dbm": found.level_dbm,
    }


def _print(content: dict[str, Any]) -> None:
    print(f"{content['longitude_deg']:.6f}, {content['latitude_deg']:.6f}: what is received")
    cells = {each["server"]: each for each in content["servers"]}
    for row in content["receptions"]:
        start = f"  {row['technology']} {row['operator']}: "
        if row["level_dbm"] is None:
            print(f"{start}no signal")
            continue
        reached = "covered" if row["covered"] else "not covered"
        cell = cells[row["server"]]
        print(
            f"{start}{row['metric']} {row['level_dbm']:.1f} dBm (threshold "
            f"{row['threshold_dbm']:.1f}), {reached}, from {cell.get('cell_id', 'a cell')}"
        )
    for cell in content["servers"]:
        if "reason" in cell:
            print(f"Best server {cell['server']}: {cell['reason']}")
            continue
        _print_server(cell)
    if content["servers"]:
        print("The paths end at the middle of the pixel; levels next to obstacles may differ")


def _print_server(cell: dict[str, Any]) -> None:
    print(
        f"{cell['cell_id']} on {cell['mast_id']}: {cell['distance_m']:.0f} m away, "
        f"{cell['frequency_mhz']:.1f} MHz, antenna {cell['antenna_height_m']:.0f} m above ground"
    )
    where = f"{cell['least_clearance_at_m']:.0f} m from the mast"
    share = f"{cell['least_clearance']:.2f} of the first Fresnel zone clear {where}"
    if cell["fresnel_clear"]:
        print(f"  line of sight free, Fresnel zone free ({share})")
    elif cell["line_of_sight"]:
        print(f"  line of sight free, Fresnel zone not ({share})")
    else:
        print(f"  line of sight blocked ({share})")
    print(
        f"  {cell['eirp_dbm']:.1f} dBm radiated, {cell['antenna_attenuation_db']:.1f} dB less "
        "towards the place"
    )
    for part, value in cell["loss_by_part_db"].items():
        print(f"  {round(value, 1) + 0.0:7.1f} dB {_PARTS[part]}")
    print(f"  {cell['loss_db']:7.1f} dB loss in all: {cell['level_dbm']:.1f} dBm")


def _save(content: dict[str, Any], paths: dict[int, CellExplanation], folder: Path) -> None:
    import pandas as pd

    from data import csv_file

    columns = ["distance_km", "height_m", "clutter_height_m", "bulge_m", "sight_m", "fresnel_m"]
    tables = [
        pd.DataFrame(
            {"server": number, "cell_id": str(found.cell["cell_id"])}
            | {name: getattr(found.path, name) for name in columns}
            # Without bound at the two ends: no value.
            | {"clearance": pd.Series(found.path.clearance).where(lambda v: v < math.inf)}
        )
        for number, found in paths.items()
    ]
    empty = pd.DataFrame(columns=["server", "cell_id", *columns, "clearance"])
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tmp-") as scratch:
        made = Path(scratch)
        text = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)
        (made / "explanation.json").write_text(text + "\n", encoding="utf-8")
        whole = pd.concat(tables, ignore_index=True) if tables else empty
        csv_file.write(whole, made / "profiles.csv")
        for path in sorted(made.iterdir()):
            path.replace(folder / path.name)
