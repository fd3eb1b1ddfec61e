"""Bring a file into a layer of a workspace: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from data import schema
from data.errors import InputError, Message, Problem, ValidationError, message
from data.faults import shown
from data.geometry import CoordinateColumns
from data.importers import table as tables
from data.store import Provenance, Workspace


def _no_progress(fraction: float) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Parameters
    ----------
    layer
        Layer that was written.
    rows_read
        Rows of the file.
    rows_written
        Rows of them that are now in the workspace.
    problems
        What was wrong or doubtful; errors are rows left out.
    """

    layer: str
    rows_read: int
    rows_written: int
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Preview:
    """What an import would do.

    Parameters
    ----------
    layer
        Layer that the file is for.
    frame
        The usable rows in their stored form.
    rows_read
        Rows of the file.
    problems
        What is wrong or doubtful, by row.
    table
        The file's content and hash.
    """

    layer: str
    frame: pd.DataFrame
    rows_read: int
    problems: list[Problem]
    table: tables.Table

    @property
    def errors(self) -> list[Problem]:
        """Problems that forbid use of a row or the file."""
        return [problem for problem in self.problems if problem.severity == "error"]


def preview(
    workspace: Workspace,
    layer: str,
    source: Path | bytes,
    *,
    file_name: str | None = None,
    sheet: str | None = None,
    table: str | None = None,
    coordinates: CoordinateColumns | None = None,
    mapping: Mapping[str, str] | None = None,
    replace: bool = True,
) -> Preview:
    """Read and check a file without changing the workspace.

    Parameters
    ----------
    workspace, layer, source, file_name, sheet, table, coordinates, mapping, replace
        See `import_layer`.

    Returns
    -------
    Preview
        Usable rows and every problem.

    Raises
    ------
    InputError
        If the file cannot be read at all.
    """
    found = tables.read(
        source, layer, file_name=file_name, sheet=sheet, table=table, mapping=mapping
    )
    if schema.layer_named(layer).geometry is None and isinstance(found.frame, gpd.GeoDataFrame):
        found_frame = pd.DataFrame(found.frame.drop(columns=found.frame.active_geometry_name))
    else:
        found_frame = found.frame
    context = {
        name: workspace.read(name)
        for name in ("zones", "masts")
        if name != layer and workspace.has(name)
    }
    if layer == "cells" and "masts" not in context:
        raise InputError(
            "{file}: cells need the masts that carry them; import the masts first", file=found.file
        )
    examined = schema.examine(
        layer,
        found_frame,
        crs=workspace.area.crs,
        file=found.file,
        context=context,
        coordinates=coordinates,
        reproject=True,
    )
    problems = [*found.problems, *examined.problems]
    rows = found.frame.index.to_numpy()
    faulty = examined.faulty | np.isin(rows, [problem.row or 0 for problem in found.problems])
    frame = examined.frame
    if not replace and workspace.has(layer) and not workspace.provenance()[layer].illustrative:
        repeated, again = _already_there(workspace, layer, frame, rows, found.file)
        problems += repeated
        faulty |= again
    problems.sort(key=lambda problem: -1 if problem.row is None else problem.row)
    usable = frame.loc[~faulty].reset_index(drop=True)
    return Preview(layer, usable, len(frame), problems, found)


def import_layer(
    workspace: Workspace,
    layer: str,
    source: Path | bytes,
    *,
    file_name: str | None = None,
    sheet: str | None = None,
    table: str | None = None,
    coordinates: CoordinateColumns | None = None,
    mapping: Mapping[str, str] | None = None,
    replace: bool = True,
    accept_rows: bool = False,
    drop_orphans: bool = False,
    source_name: str = "",
    licence: str = "",
    vintage: str = "",
    on_progress: Callable[[float], None] = _no_progress,
) -> ImportReport:
    """Import a file into a layer; if it fails, the workspace stays as it was.

    Real masts take the place of generated ones, whose generated cells go with
    them; the report says so.

    Parameters
    ----------
    workspace
        Where to.
    layer
        Layer name.
    source
        File, or its content.
    file_name
        Name to show, where `source` is content.
    sheet, table
        Sheet of an Excel workbook, layer of a GeoPackage, where it has several.
    coordinates
        Columns of x and y and their CRS, where they are not lon and lat.
    mapping
        The file's name of a column to the layer's, where they differ.
    replace
        Whether the file takes the place of the layer, or is added to it.
        Generated content is always replaced.
    accept_rows
        Whether to import the sound rows of a file that also has faulty ones.
    drop_orphans
        Whether cells whose mast is not in the new masts may be removed.
    source_name, licence, vintage
        For the provenance: who made the data (default the file name), terms of
        use, time that it describes.
    on_progress
        Called with the fraction done; may raise `CancelledError`.

    Returns
    -------
    ImportReport
        Rows and problems.

    Raises
    ------
    InputError
        If the file cannot be read, or no row is usable.
    ValidationError
        With every problem, if there is an error and rows are not accepted one
        by one, or if an error is not about single rows.
    """
    on_progress(0.0)
    checked = preview(
        workspace,
        layer,
        source,
        file_name=file_name,
        sheet=sheet,
        table=table,
        coordinates=coordinates,
        mapping=mapping,
        replace=replace,
    )
    on_progress(0.5)
    of_all = [problem for problem in checked.errors if problem.row is None]
    if checked.errors and (of_all or not accept_rows):
        raise ValidationError(checked.errors)
    if not len(checked.frame):
        raise InputError(
            "{file}: none of the {count} rows is usable; the first problem is: {first}",
            file=checked.table.file,
            count=checked.rows_read,
            first=checked.errors[0].message,
        )
    frame = checked.frame
    there = workspace.provenance()
    if not replace and layer in there and not there[layer].illustrative:
        frame = _joined(workspace.read(layer), frame)
    frames: dict[str, pd.DataFrame] = {layer: frame}
    provenance = {
        layer: Provenance(
            source_name or checked.table.file,
            licence,
            vintage,
            checked.table.file,
            checked.table.sha256,
            method=f"import from {checked.table.kind}",
        )
    }
    drop, notes = _consequences(workspace, layer, frame, frames, provenance, drop_orphans)
    on_progress(0.7)
    workspace.write(frames, provenance, drop=drop)
    on_progress(1.0)
    return ImportReport(layer, checked.rows_read, len(checked.frame), [*notes, *checked.problems])


def _consequences(
    workspace: Workspace,
    layer: str,
    frame: pd.DataFrame,
    frames: dict[str, pd.DataFrame],
    provenance: dict[str, Provenance],
    drop_orphans: bool,
) -> tuple[list[str], list[Problem]]:
    """Return which layers go with the old content, and notes that say so."""
    there = workspace.provenance()
    notes: list[Problem] = []
    if layer in there and there[layer].illustrative:
        notes.append(
            _note(
                layer,
                message("{count} generated rows were removed", count=len(workspace.read(layer))),
                message("real and generated data are not mixed"),
            )
        )
    if layer == "cells" and "masts" in there and there["masts"].illustrative:
        notes.append(
            _note(
                layer,
                message("the cells stand on generated masts"),
                message("import the real masts first"),
            )
        )
    if layer != "masts" or "cells" not in there:
        return [], notes
    cells = workspace.read("cells")
    if there["cells"].illustrative:
        removed = message("{count} generated cells were removed with their masts", count=len(cells))
        notes.append(_note("cells", removed, message("import the cells next")))
        return ["cells"], notes
    orphans = ~cells["mast_id"].isin(frame["mast_id"])
    if orphans.any() and drop_orphans:
        frames["cells"] = cells.loc[~orphans].reset_index(drop=True)
        provenance["cells"] = there["cells"]
        removed = message("{count} cells without mast were removed", count=int(orphans.sum()))
        notes.append(_note("cells", removed, message("asked for")))
    return [], notes


def _note(layer: str, value: Message, expected: Message) -> Problem:
    return Problem(layer, None, None, value, expected, None, "warning")


def _already_there(
    workspace: Workspace, layer: str, frame: pd.DataFrame, rows: np.ndarray, file: str
) -> tuple[list[Problem], np.ndarray]:
    key = schema.layer_named(layer).key
    again = schema.repeated(layer, frame, workspace.read(layer))
    expected = message("expected a value that the workspace does not have yet")
    problems = [
        Problem(layer, int(rows[k]), key, shown(frame[key].iloc[k]), expected, file)
        for k in np.flatnonzero(again)
    ]
    return problems, again


def _joined(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    joined = pd.concat([old, new], ignore_index=True)
    if isinstance(old, gpd.GeoDataFrame):
        return gpd.GeoDataFrame(joined, geometry="geometry", crs=old.crs)
    return joined
