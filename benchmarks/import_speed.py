"""Time the import of many rows of cells, sound ones and such with faults in every row.

Prints one JSON object: for each format and kind of fault the rows, the seconds
that `import_layer` took, the errors that it listed and the greatest memory of
its process. Every case runs in a process of its own:

    python -m benchmarks.import_speed --rows 100000
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a file
    sys.path.insert(0, str(ROOT))

import geopandas as gpd  # noqa: E402
import numpy as np  # noqa: E402
import openpyxl  # noqa: E402
import pandas as pd  # noqa: E402
from shapely.geometry import Point, box  # noqa: E402

from data.errors import ValidationError  # noqa: E402
from data.importers import import_layer  # noqa: E402
from data.store import Provenance, StudyAreaInfo, Workspace  # noqa: E402

CRS = "EPSG:32648"
X, Y = 600_000.0, 2_260_000.0
MASTS = 1_000

FAULTS: dict[str, dict[str, object]] = {
    "none": {},
    "one column": {"frequency_mhz": "GSM"},
    "six columns": {
        "cell_id": "C1",
        "mast_id": "M",
        "technology": "6G",
        "frequency_mhz": "GSM",
        "power_dbm": 900,
        "load": 7,
    },
}
"""What stands in every row of some columns."""


def cells(rows: int) -> pd.DataFrame:
    """Return three-sector cells, with a name in Vietnamese that no layer declares."""
    k = np.arange(rows)
    return pd.DataFrame(
        {
            "cell_id": [f"C{i}" for i in k],
            "mast_id": [f"M{i % MASTS}" for i in k],
            "operator": "Viettel",
            "technology": "4G",
            "band": "LTE 1800",
            "frequency_mhz": 1805.0 + (k % 750) / 10,
            "bandwidth_mhz": 20.0,
            "power_dbm": 40.0 + (k % 60) / 10,
            "antenna_gain_dbi": 17.5,
            "feeder_loss_db": 1.5,
            "azimuth_deg": (k * 120.0) % 360,
            "tilt_deg": (k % 12) / 2,
            "antenna_height_m": 20.0 + (k % 200) / 10,
            "pattern": None,
            "load": (k % 100) / 100,
            "ghi chú": [f"Trạm số {i} – Đồng Văn" for i in k],
        }
    )


def workspace(folder: Path) -> Workspace:
    """Return a workspace with one zone and the masts."""
    made = Workspace.create(folder, StudyAreaInfo("a", "Vùng", "Area", CRS, False, 100.0))
    zones = gpd.GeoDataFrame(
        {"code": ["35"], "name": ["Hà Nam"], "level": ["province"]},
        geometry=[box(X, Y, X + 50_000, Y + 50_000)],
        crs=CRS,
    )
    masts = gpd.GeoDataFrame(
        {"mast_id": [f"M{k}" for k in range(MASTS)], "height_m": 42.0},
        geometry=[Point(X + 40 * k, Y + 30 * k) for k in range(MASTS)],
        crs=CRS,
    )
    source = Provenance("benchmark", "CC0", "2026")
    made.write({"zones": zones, "masts": masts}, {"zones": source, "masts": source})
    return made


def write_file(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as a person's program would."""
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
        return
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("cells")
    sheet.append(list(frame.columns))
    for row in frame.astype(object).to_numpy().tolist():
        sheet.append(row)
    book.save(path)


def one_import(folder: Path, path: Path) -> dict[str, object]:
    """Import a file in this process and return what it took."""
    target = Workspace.open(folder)
    start = time.perf_counter()
    errors = 0
    try:
        written = import_layer(target, "cells", path).rows_written
    except ValidationError as error:
        written, errors = 0, len(error.problems)
    seconds = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {
        "rows_written": written,
        "seconds": round(seconds, 2),
        "errors_listed": errors,
        "peak_memory_mb": round(memory / 1e6),
    }


def main(arguments: list[str] | None = None) -> int:
    """Run every case and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--one", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        print(json.dumps(one_import(*given.one)))
        return 0
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        for suffix in (".csv", ".xlsx"):
            for name, values in FAULTS.items():
                folder = Path(temporary) / f"{suffix[1:]}-{len(values)}"
                workspace(folder)
                path = folder.with_suffix(suffix)
                write_file(cells(given.rows).assign(**values), path)
                command = [sys.executable, __file__, "--one", str(folder), str(path)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                figures = json.loads(done.stdout.splitlines()[-1])
                case = {"format": suffix[1:], "faults": name, "rows": given.rows}
                results.append({**case, **figures})
                print(json.dumps(results[-1]), file=sys.stderr)
    print(json.dumps({"cases": results}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
