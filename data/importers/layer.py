"""Bring a file into a layer of a workspace: all of it, or nothing.

A file goes through these steps, and the report says what each of them did:
text typed in old Vietnamese fonts becomes Unicode, columns get their names here,
values their units and names here, and places become points. What the user says
goes before what was decided for a file with the same columns before, and that
before what the names of the columns suggest.
"""

from __future__ import annotations

import dataclasses
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
from data.importers import mapping as names
from data.importers import prepare, text_encodings, vn2000
from data.importers import table as tables
from data.importers.prepare import ColumnUse as ColumnUse
from data.store import Provenance, Step, Workspace


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
    columns
        What each column of the file was taken for.
    """

    layer: str
    rows_read: int
    rows_written: int
    problems: list[Problem] = field(default_factory=list)
    columns: tuple[ColumnUse, ...] = ()


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
    columns
        What each column of the file is taken for, and in which unit.
    settings
        Names, units and CRS that the file is read with.
    remembered
        Whether any of it was decided for such a file before.
    crs
        CRS of the places in the file, as it was given or found; empty where
        there are none.
    first_rows
        The first rows as they stand in the file.
    """

    layer: str
    frame: pd.DataFrame
    rows_read: int
    problems: list[Problem]
    table: tables.Table
    columns: tuple[ColumnUse, ...] = ()
    settings: names.Settings = field(default_factory=names.Settings)
    remembered: bool = False
    crs: str = ""
    first_rows: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def errors(self) -> list[Problem]:
        """Problems that forbid use of a row or the file."""
        return [problem for problem in self.problems if problem.severity == "error"]


#: Rows of the file that a preview shows.
_FIRST_ROWS = 20

#: Layer -> other layers whose keys its rows name, besides masts.
_CHECKED_AGAINST = {"network_links": ("network_sites", "fibre_segments")}


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
    units: Mapping[str, str] | None = None,
    crs: str | None = None,
    encoding: str | None = None,
    use_remembered: bool = True,
    replace: bool = True,
) -> Preview:
    """Read and check a file without changing the workspace.

    Parameters
    ----------
    workspace, layer, source, file_name, sheet, table, coordinates, mapping, units, crs
        See `import_layer`.
    encoding, use_remembered, replace
        See `import_layer`.

    Returns
    -------
    Preview
        Usable rows, every problem, and how the file is read.

    Raises
    ------
    InputError
        If the file cannot be read at all.
    """
    given = prepare.Given(
        dict(mapping or {}),
        dict(units or {}),
        coordinates,
        None if crs is None else vn2000.parsed(crs),
    )
    declared = schema.layer_named(layer)
    found, old = text_encodings.read(
        source,
        layer,
        encoding,
        file_name=file_name,
        sheet=sheet,
        table=table,
        crs=given.crs,
        any_header=bool(given.mapping or given.coordinates),
    )
    if declared.geometry is None and isinstance(found.frame, gpd.GeoDataFrame):
        plain = pd.DataFrame(found.frame.drop(columns=found.frame.active_geometry_name))
        found = dataclasses.replace(found, frame=plain)
    first_rows = _first_rows(found.frame)
    context = {
        name: workspace.read(name)
        for name in ("zones", "masts", *_CHECKED_AGAINST.get(layer, ()))
        if name != layer and workspace.has(name)
    }
    if layer == "cells" and "masts" not in context:
        raise InputError(
            "{file}: cells need the masts that carry them; import the masts first", file=found.file
        )
    if layer == "network_links" and "network_sites" not in context:
        raise InputError(
            "{file}: links need the sites that they join; import the layer network_sites first",
            file=found.file,
        )
    remembered = None
    if use_remembered:
        remembered = names.remembered(workspace, layer, prepare.column_names(found.frame))
    ready = prepare.prepare(layer, found, given, remembered, workspace.area.crs, context)
    examined = schema.examine(
        layer,
        ready.frame,
        crs=workspace.area.crs,
        file=found.file,
        context=context,
        coordinates=ready.coordinates,
        reproject=True,
    )
    early = [*found.problems, *old, *ready.problems]
    known = {(each.row, each.column) for each in early if each.severity == "error" and each.row}
    problems = early + [each for each in examined.problems if (each.row, each.column) not in known]
    rows = found.frame.index.to_numpy()
    wrong = [each.row for each in early if each.severity == "error" and each.row is not None]
    faulty = examined.faulty | np.isin(rows, wrong)
    frame = examined.frame
    if not replace and workspace.has(layer) and not workspace.provenance()[layer].illustrative:
        repeated, again = _already_there(workspace, layer, frame, rows, found.file)
        problems += repeated
        faulty |= again
    problems.sort(key=lambda problem: -1 if problem.row is None else problem.row)
    usable = frame.loc[~faulty].reset_index(drop=True)
    return Preview(
        layer,
        usable,
        len(frame),
        problems,
        found,
        ready.columns,
        ready.settings,
        ready.remembered,
        ready.crs,
        first_rows,
    )


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
    units: Mapping[str, str] | None = None,
    crs: str | None = None,
    encoding: str | None = None,
    use_remembered: bool = True,
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
    them; the report says so. `undo` takes the import back.

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
        Columns of x and y and their CRS, where their names do not tell them.
    mapping
        The file's name of a column to the layer's, where they differ; empty for
        a column that shall keep its own. Names that `data.importers.mapping`
        knows need not be given. What is given is kept for files with the same
        columns.
    units
        The layer's name of a column to the unit of its values in the file, where
        neither the column's name nor the values say it.
    crs
        CRS of the places, where the file does not say it: EPSG code or
        ``vn2000:PROVINCE``.
    encoding
        Encoding of the text, where it is not recognised; see
        `data.importers.text_encodings`.
    use_remembered
        Whether what was decided for a file with the same columns holds again.
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
        Rows, problems and how the columns were read.

    Raises
    ------
    InputError
        If the file cannot be read, or no row is usable.
    ValidationError
        With every problem, if there is an error and rows are not accepted one
        by one, or if an error is not about single rows.
    """
    if layer in schema.RECORD_LAYERS:
        raise InputError(
            "{layer} belong to no workspace; import them with the command {layer} import",
            layer=layer,
        )
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
        units=units,
        crs=crs,
        encoding=encoding,
        use_remembered=use_remembered,
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
            method=_method(checked),
        )
    }
    drop, notes = _consequences(workspace, layer, frame, frames, provenance, drop_orphans)
    on_progress(0.7)
    workspace.write(
        frames, provenance, drop=drop, undoable=(f"import of {layer}", checked.table.file)
    )
    if mapping or units or crs or coordinates:
        names.remember(
            workspace, layer, [column.theirs for column in checked.columns], checked.settings
        )
    on_progress(1.0)
    problems = [*notes, *checked.problems]
    return ImportReport(layer, checked.rows_read, len(checked.frame), problems, checked.columns)


def undo(workspace: Workspace) -> Step:
    """Take the last import back.

    The layers and rasters that it changed become what they were, with their
    provenance. Up to ten imports can be taken back, the last one first.

    Parameters
    ----------
    workspace
        The study area.

    Returns
    -------
    Step
        What was undone.

    Raises
    ------
    InputError
        If there is nothing to undo, or a later change of these layers would be
        lost; then nothing is changed.
    """
    return workspace.undo()


def history(workspace: Workspace) -> list[Step]:
    """Return the imports that `undo` can take back, the last one first.

    Parameters
    ----------
    workspace
        The study area.

    Returns
    -------
    list of Step
        What was imported, when, and which layers it changed.
    """
    return workspace.history()


def forget(
    workspace: Workspace,
    layer: str,
    source: Path | bytes,
    *,
    file_name: str | None = None,
    sheet: str | None = None,
    table: str | None = None,
) -> bool:
    """Forget how files with the columns of this one are read.

    Parameters
    ----------
    workspace, layer, source, file_name, sheet, table
        See `import_layer`.

    Returns
    -------
    bool
        Whether there was something to forget.
    """
    found, _ = text_encodings.read(
        source, layer, None, file_name=file_name, sheet=sheet, table=table, any_header=True
    )
    return names.forget(workspace, layer, prepare.column_names(found.frame)) > 0


def _first_rows(frame: pd.DataFrame) -> pd.DataFrame:
    head = frame.head(_FIRST_ROWS)
    if isinstance(head, gpd.GeoDataFrame) and head.active_geometry_name is not None:
        return pd.DataFrame(head.drop(columns=head.active_geometry_name))
    return pd.DataFrame(head).copy()


def _method(checked: Preview) -> str:
    """Say for the provenance how the file was read."""
    parts = [f"import from {checked.table.kind}"]
    renamed = [
        f"{column.ours} = {column.theirs}"
        for column in checked.columns
        if column.ours is not None and column.ours != column.theirs
    ]
    if renamed:
        parts.append(f"columns: {', '.join(renamed)}")
    converted = [
        f"{column.ours} from {', '.join(column.units)}"
        for column in checked.columns
        if column.converted
    ]
    if converted:
        parts.append(f"units: {', '.join(converted)}")
    if checked.crs:
        parts.append(f"places in {vn2000.named(checked.crs)}")
    return "; ".join(parts)


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
    if layer == "network_sites" and "network_links" in there:
        return _links_left(workspace, frame, frames, provenance, drop_orphans, notes)
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


def _links_left(
    workspace: Workspace,
    sites: pd.DataFrame,
    frames: dict[str, pd.DataFrame],
    provenance: dict[str, Provenance],
    drop_orphans: bool,
    notes: list[Problem],
) -> tuple[list[str], list[Problem]]:
    """Return whether the links of the workspace go with their sites, and notes that say so."""
    links, origin = workspace.read("network_links"), workspace.provenance()["network_links"]
    if origin.illustrative:
        removed = message("{count} generated links were removed with their sites", count=len(links))
        notes.append(_note("network_links", removed, message("import the links next")))
        return ["network_links"], notes
    orphans = ~(links["from_site"].isin(sites["site_id"]) & links["to_site"].isin(sites["site_id"]))
    if orphans.any() and drop_orphans:
        frames["network_links"] = links.loc[~orphans].reset_index(drop=True)
        provenance["network_links"] = origin
        removed = message("{count} links without site were removed", count=int(orphans.sum()))
        notes.append(_note("network_links", removed, message("asked for")))
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
