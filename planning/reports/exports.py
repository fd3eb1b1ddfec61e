"""Export everything that a report shows as data: GeoPackage, KMZ, COG and CSV."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyogrio.errors
import rasterio
import rasterio.shutil

from coverage.results import ANY_OPERATOR, CoverageResult
from data import schema
from data.errors import InputError
from data.interchange import distinct_names, guarded
from data.study_area import finest_zones
from planning import names, network_report
from planning.reports import files, inputs, kmz_file
from planning.reports.inputs import Inputs
from planning.reports.language import Language, clean
from planning.reports.model import Document, Number, Table, plain

#: Formats of exports.
FORMATS = ("gpkg", "kmz", "cog", "csv")

Progress = Callable[[float], None]

#: Last column of CSV tables, there where figures come from generated data.
DATA_KIND = "data_kind"

#: Beginnings of the keys of tables that hold nothing computed or observed.
_ONLY_TEXT = ("documents_", "statements_", "method_", "data")

_RESERVED = ("fid", "geom", "ogc_fid")

_OUTSIDE = 255


def save(
    known: Inputs,
    document: Document,
    folder: Path,
    *,
    formats: Iterable[str] = FORMATS,
    language: Language,
    on_progress: Progress = lambda _share: None,
) -> list[Path]:
    """Export what a report shows.

    Parameters
    ----------
    known
        What the report was built from.
    document
        The report.
    folder
        Where to; made if it is missing. Files of the same names are replaced, each in
        one step.
    formats
        Of `FORMATS`.
    language
        Language of the texts in the KMZ and of the headings in CSV.
    on_progress
        Called with the finished share; may raise `CancelledError`.

    Returns
    -------
    list of Path
        The files.
    """
    chosen = files.checked_formats(formats, FORMATS)
    inputs.folder_of(folder)
    written: list[Path] = []
    for number, each in enumerate(chosen, start=1):
        if each == "gpkg":
            path = folder / "infrastructure.gpkg"
            written.append(files.replace(path, lambda path: write_geopackage(known, path)))
        elif each == "kmz":
            path = folder / "infrastructure.kmz"
            written.append(files.replace(path, lambda path: kmz_file.write(known, language, path)))
        elif each == "cog":
            written += _rasters(known, folder)
        else:
            written += [_csv(table, folder, language, known) for table in document.tables()]
        on_progress(number / len(chosen))
    return written


def data_kind(known: Inputs) -> str | None:
    """Return the mark of figures that come from generated data.

    Parameters
    ----------
    known
        What is known.

    Returns
    -------
    str or None
        "illustrative", with the generated layers where others are not; None without any.
    """
    if known.workspace.area.illustrative:
        return "illustrative"
    return f"illustrative: {', '.join(known.generated)}" if known.generated else None


# GeoPackage


def write_geopackage(known: Inputs, path: Path) -> None:
    """Write all layers of the area, and the figures by unit, into one GeoPackage.

    Layers of figures: `zones_figures` (all units with shares and intervals in percent) and
    `communes_figures` (the finest ones), `holes_SERVICE`, `dedicated_links`; table
    `figures` (one row a figure).

    Parameters
    ----------
    known
        What is known.
    path
        File to make.
    """
    for name in known.workspace.layers():
        declared = schema.layer_named(name)
        frame = schema.conform(name, known.workspace.read(name))
        kind: str | None = declared.geometry
        if kind is not None and kind != "Point":
            kind = f"Multi{kind}"
        _append(frame, path, name, kind)
    wide = figures_by_zone(known)
    if wide is not None:
        _append(wide, path, "zones_figures", "MultiPolygon")
        _append(finest_zones(wide), path, "communes_figures", "MultiPolygon")
        _append(_long(known), path, "figures", None)
    for service, regions in (known.holes or {}).items():
        _append(regions, path, f"holes_{service}", "MultiPolygon")
    if known.network is not None:
        links = network_report.link_lines(known.network.network)
        if len(links):
            _append(links, path, "dedicated_links", "LineString")


def _append(frame: pd.DataFrame, path: Path, layer: str, kind: str | None) -> None:
    geometry = frame.active_geometry_name if isinstance(frame, gpd.GeoDataFrame) else None
    names = distinct_names([str(name) for name in frame.columns if name != geometry], _RESERVED)
    options: dict[str, Any] = {"layer": layer, "driver": "GPKG"}
    if geometry is not None and kind is not None:
        options |= {
            "geometry_type": kind,
            "layer_options": {"GEOMETRY_NAME": "geom"},
            "promote_to_multi": kind.startswith("Multi"),
        }
    try:
        pyogrio.write_dataframe(frame.rename(columns=names), path, **options)
    except (
        pyogrio.errors.DataSourceError,
        pyogrio.errors.DataLayerError,
        pyogrio.errors.FeatureError,
        pyogrio.errors.FieldError,
        pyogrio.errors.GeometryError,
    ) as error:
        raise InputError(
            "{file} cannot be written: {reason}", file=path.name, reason=str(error)
        ) from error


def _long(known: Inputs) -> pd.DataFrame:
    frames = [each.figures for each in (known.coverage, known.broadband) if each is not None]
    table = pd.concat(frames, ignore_index=True)
    return table.rename(columns={"zone": "zone_row"})


def figures_by_zone(known: Inputs) -> gpd.GeoDataFrame | None:
    """Return the units with every share and interval of any operator, in percent.

    Parameters
    ----------
    known
        What is known.

    Returns
    -------
    GeoDataFrame or None
        Columns SERVICE_MEASURE_percent, …_low, …_high; None without figures.
    """
    if known.coverage is None and known.broadband is None:
        return None
    table = _long(known)
    table = table[table["operator"] == ANY_OPERATOR]
    kinds = (("percent", "share"), ("low", "interval_low"), ("high", "interval_high"))
    columns = [
        pd.DataFrame(
            {
                "zone": table["zone_row"],
                "column": table["service"] + "_" + table["measure"] + "_" + kind,
                "value": (100.0 * table[value]).round(3),
            }
        )
        for kind, value in kinds
    ]
    wide = pd.concat(columns).pivot_table(
        index="zone", columns="column", values="value", aggfunc="first"
    )
    return gpd.GeoDataFrame(known.zones.join(wide))


# Rasters


def _rasters(known: Inputs, folder: Path) -> list[Path]:
    result = known.coverage
    if result is None:
        return []
    inside = kmz_file.inside_area(known, result.grid)
    kind = data_kind(known)
    written = []
    for service in names.ordered(result.figures["service"]):
        path = folder / f"covered_{service}.tif"
        covered = np.where(
            inside, result.covered(service).values.astype(np.uint8), np.uint8(_OUTSIDE)
        )
        written.append(files.replace(path, partial(_cog, covered, result, kind)))
    for name in result.summary["provenance"]["thresholds"]:
        for source, target in ((f"{name}.tif", f"level_{name}.tif"),
                               (f"{name}_rate.tif", f"rate_{name}.tif")):  # fmt: skip
            file = result.folder / source
            if file.exists():
                written.append(files.replace(folder / target, partial(_copy, file, kind)))
    return written


def _copy(source: Path, kind: str | None, path: Path) -> None:
    if kind is None:
        shutil.copyfile(source, path)
        return
    # A tag set on a finished COG would spoil the order of its parts.
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder) / "part.tif"
        rasterio.shutil.copy(source, part, driver="GTiff", tiled=True, bigtiff="IF_SAFER")
        with rasterio.open(part, "r+") as target:
            target.update_tags(**_tags(kind))
        rasterio.shutil.copy(part, path, driver="COG", compress="deflate")


def _tags(kind: str | None) -> dict[str, str]:
    """Return the description that programs show with a TIFF file."""
    return {} if kind is None else {"TIFFTAG_IMAGEDESCRIPTION": f"{DATA_KIND}: {kind}"}


def _cog(
    covered: np.ndarray[Any, Any], result: CoverageResult, kind: str | None, path: Path
) -> None:
    grid = result.grid
    with rasterio.MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            width=grid.width,
            height=grid.height,
            count=1,
            dtype="uint8",
            crs=grid.crs,
            transform=grid.transform,
            nodata=_OUTSIDE,
        ) as target:
            target.write(covered, 1)
            target.update_tags(**_tags(kind))
            target.set_band_description(1, "1 covered, 0 not covered, 255 outside")
        rasterio.shutil.copy(memory.name, path, driver="COG", compress="deflate")


# Tables


def _csv(table: Table, folder: Path, language: Language, known: Inputs) -> Path:
    """Write a table with all digits; text that starts like a formula gets a quote before it."""
    kind = None if table.key.startswith(_ONLY_TEXT) else data_kind(known)
    last = () if kind is None else (kind,)

    def content(path: Path) -> None:
        with path.open("w", encoding="utf-8-sig", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\r\n")
            writer.writerow([*_heads(table), *(DATA_KIND for _ in last)])
            for row in table.rows:
                writer.writerow(
                    [
                        _text(each, language)
                        for column, value in zip(table.columns, row, strict=True)
                        for each in _parts(column.kind, value)
                    ]
                    + list(last)
                )

    return files.replace(folder / f"{table.key}.csv", content)


def _heads(table: Table) -> Iterable[str]:
    for column in table.columns:
        yield column.key
        if column.kind == "estimate":
            yield f"{column.key}_low"
            yield f"{column.key}_high"


def _parts(kind: str, value: Any) -> list[Any]:
    if kind != "estimate":
        return [value]
    return list(value) if isinstance(value, tuple) else [value, None, None]


def _text(value: Any, language: Language) -> str:
    if isinstance(value, (int, float, Number)) or value is None:
        number = plain(value)
        return "" if number is None else repr(number)
    return guarded(clean(value) if isinstance(value, str) else language.say(value))
