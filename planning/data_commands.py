"""Commands that take data out of a study area: export a layer, carry figures over."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from data.store import Workspace


def add_export_options(command: argparse.ArgumentParser) -> None:
    """Declare what `export` takes."""
    command.add_argument("layer", help="masts, cells, zones, …")
    command.add_argument(
        "file",
        type=Path,
        help="ends with .gpkg, .zip (Shapefile), .kml, .kmz, .csv, .xlsx or .geojson",
    )
    command.add_argument(
        "--crs", help="CRS of the file, e.g. EPSG:4326 (default: the layer's for .gpkg and .zip)"
    )


def export(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Write a layer to a file."""
    from data import exporters

    report = exporters.export_layer(workspace, arguments.layer, arguments.file, crs=arguments.crs)
    for note in report.notes:
        print(note)
    place = f" in {report.crs}" if report.crs else ""
    print(f"{report.layer}: {report.rows} rows written to {report.path}{place}")


def add_transfer_options(command: argparse.ArgumentParser) -> None:
    """Declare what `transfer` takes."""
    command.add_argument("file", type=Path, help="CSV or Excel with a column code")
    command.add_argument(
        "--from", dest="from_date", required=True, metavar="DATE", help="day of the file's units"
    )
    command.add_argument(
        "--to", dest="to_date", required=True, metavar="DATE", help="day of the units wanted"
    )
    command.add_argument("--level", help="level wanted (default: the finest of that day)")
    command.add_argument(
        "--weight",
        choices=("area", "population"),
        default="population",
        help="how split units are divided (default: population)",
    )
    command.add_argument(
        "--count", nargs="+", default=[], metavar="COLUMN", help="columns that are counts"
    )
    command.add_argument(
        "--share", nargs="+", default=[], metavar="COLUMN", help="columns that are shares or means"
    )
    command.add_argument("--out", type=Path, required=True, metavar="FILE", help="CSV")


def transfer(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Bring figures by zone to the zones of another day."""
    from data import transfer as transfers

    if not arguments.count and not arguments.share:
        raise InputError(
            "{file}: no column to transfer was named; give counts with --count and shares with "
            "--share",
            file=arguments.file.name,
        )
    figures = transfers.transfer_file(
        workspace,
        arguments.file,
        from_date=arguments.from_date,
        to_date=arguments.to_date,
        to_level=arguments.level,
        weight=arguments.weight,
        extensive=arguments.count,
        intensive=arguments.share,
    )
    for note in figures.attrs["notes"]:
        print(note)
    _write(figures, arguments.out)
    for name in (*arguments.count, *arguments.share):
        kinds = figures[f"{name}_quality"].value_counts()
        print(f"{name}: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items()))
    print(f"{len(figures)} units written to {arguments.out}")


def _write(figures: pd.DataFrame, path: Path) -> None:
    from data import csv_file

    try:
        csv_file.write(figures, path)
    except OSError as error:
        raise InputError(
            "{file} cannot be written: {reason}",
            file=path,
            reason=error.strerror or str(error),
        ) from error
