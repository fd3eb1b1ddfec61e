"""Proposals from files and into files, through the importers and exporters of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from data import importers
from data.errors import InputError, Message, Problem, ValidationError, message
from data.exporters.export import ExportReport, export_layer
from data.importers import Preview
from data.records.engine import Records
from data.schema import PROPOSALS
from data.store import Workspace
from planning import proposal_area, proposal_codes, proposals
from planning.accounts import Actor
from planning.proposal_surroundings import rows_of
from planning.scenario_workspace import area_name
from planning.site_request import SiteRequest, checked

LAYER = PROPOSALS.name

#: What stands in files besides the columns of the layer.
_MORE = ("number", "organisation", "status", "submitted", "consent", "consent_day", "scenario")


def preview(
    workspace: Workspace,
    source: Path | bytes,
    *,
    file_name: str | None = None,
    mapping: Mapping[str, str] | None = None,
    crs: str | None = None,
    sheet: str | None = None,
    encoding: str | None = None,
) -> tuple[Preview, list[SiteRequest]]:
    """Read and check a file of proposals; nothing is kept.

    Parameters
    ----------
    workspace
        The study area.
    source
        File, or its content: CSV, Excel, KML, KMZ, GeoPackage, GeoJSON or Shapefile.
    file_name, mapping, crs, sheet, encoding
        See `data.importers.import_layer`.

    Returns
    -------
    preview : Preview
        How the file is read, with every problem by row.
    requests : list of SiteRequest
        One for each row; empty if any row has an error, also because it lies outside the
        area or names a mast that is not there.

    Raises
    ------
    InputError
        If the file cannot be read at all.
    """
    found = importers.preview(
        workspace,
        LAYER,
        source,
        file_name=file_name,
        mapping=mapping,
        crs=crs,
        sheet=sheet,
        encoding=encoding,
        # A carrier's choices are not to be another's.
        use_remembered=False,
    )
    if found.errors or not len(found.frame):
        return found, []
    assert isinstance(found.frame, gpd.GeoDataFrame)  # noqa: S101 - told to the type checker
    degrees = found.frame.geometry.to_crs("EPSG:4326")
    numbers = [int(row) for row in found.table.frame.index]
    requests: dict[int, SiteRequest] = {}
    for row, point, number in zip(rows_of(found.frame), degrees, numbers, strict=True):
        values = {name: row[name] for name in PROPOSALS.columns}
        plain = {name: None if pd.isna(value) else value for name, value in values.items()}
        try:
            requests[number] = checked({**plain, "lon": float(point.x), "lat": float(point.y)})
        except InputError as error:
            found.problems.append(_problem(number, error, found.table.file))
    elsewhere = proposal_area.faults(workspace, list(requests.values()))
    for number, fault in zip(requests, elsewhere, strict=True):
        if fault is not None:
            found.problems.append(_problem(number, fault, found.table.file))
    found.problems.sort(key=lambda problem: problem.row or 0)
    return found, [] if found.errors else list(requests.values())


def examine(
    records: Records,
    actor: Actor,
    workspace: Workspace,
    source: Path | bytes,
    *,
    organisation: str | None = None,
    request_id: str | None = None,
    file_name: str | None = None,
    mapping: Mapping[str, str] | None = None,
    crs: str | None = None,
    sheet: str | None = None,
    encoding: str | None = None,
) -> tuple[Preview, list[SiteRequest], list[str]]:
    """Read and check a file of proposals, also against the carrier's; nothing is kept.

    Parameters
    ----------
    records, actor, workspace, source, organisation, request_id
        See `import_file`.
    file_name, mapping, crs, sheet, encoding
        See `preview`.

    Returns
    -------
    preview, requests
        See `preview`; also a code that an open proposal of the carrier has is an error,
        unless the proposal was made of this row when the file was sent before.
    request_ids : list of str
        For `planning.proposals.create_many`.
    """
    found, wishes = preview(
        workspace,
        source,
        file_name=file_name,
        mapping=mapping,
        crs=crs,
        sheet=sheet,
        encoding=encoding,
    )
    stem = request_id or found.table.sha256
    names = [f"{stem} {number}" for number in range(1, len(wishes) + 1)]
    owner = proposals.owner_of(actor, organisation)
    codes = proposal_codes.in_use(records, actor, area_name(workspace), owner, but=names)
    for row, wish in zip(found.table.frame.index, wishes, strict=False):
        if wish.reference in codes:
            fault = proposal_codes.taken(wish.reference, codes[wish.reference])
            found.problems.append(_problem(int(row), fault, found.table.file))
    return found, [] if found.errors else wishes, names


def _problem(row: int, error: InputError, file: str) -> Problem:
    values = error.message.values
    expected = values.get("expected", "")
    return Problem(
        LAYER,
        row,
        str(values["column"]) if "column" in values else None,
        _said(values["value"]) if "value" in values else error.message,
        expected if isinstance(expected, Message) else message("expected what can be proposed"),
        file,
    )


def _said(value: object) -> str | Message:
    return value if isinstance(value, Message) else str(value)


def import_file(
    records: Records,
    actor: Actor,
    workspace: Workspace,
    source: Path | bytes,
    *,
    organisation: str | None = None,
    submit: bool = False,
    request_id: str | None = None,
    file_name: str | None = None,
    mapping: Mapping[str, str] | None = None,
    crs: str | None = None,
    sheet: str | None = None,
    encoding: str | None = None,
) -> list[proposals.Proposal]:
    """Make proposals of the rows of a file, all or none.

    Parameters
    ----------
    records, actor, organisation, submit
        See `planning.proposals.create`.
    workspace, source, file_name, mapping, crs, sheet, encoding
        See `preview`.
    request_id
        The same if the file is sent again; its hash if None, so that one file makes its
        proposals once.

    Raises
    ------
    ValidationError
        With every problem of every row.
    InputError
        If the file cannot be read or has no rows.
    """
    proposal_area.check_carrier(
        records, actor, area_name(workspace), proposals.owner_of(actor, organisation)
    )
    found, wishes, names = examine(
        records,
        actor,
        workspace,
        source,
        organisation=organisation,
        request_id=request_id,
        file_name=file_name,
        mapping=mapping,
        crs=crs,
        sheet=sheet,
        encoding=encoding,
    )
    if found.errors:
        raise ValidationError(found.errors)
    if not wishes:
        raise InputError("{file} has no rows", file=found.table.file)
    return proposals.create_many(
        records,
        actor,
        area_name(workspace),
        wishes,
        request_ids=names,
        organisation=organisation,
        submit=submit,
    )


def place_of(
    workspace: Workspace, first: str, second: str, *, crs: str | None = None
) -> tuple[float, float]:
    """Read a place as people write it: degrees, minutes and seconds, or a grid.

    Parameters
    ----------
    workspace
        The study area.
    first, second
        Longitude and latitude in degrees (in either order where a letter tells), or x
        and y in a grid.
    crs
        Grid of x and y: EPSG code or ``vn2000:PROVINCE``; None for degrees.

    Returns
    -------
    lon, lat : float
        WGS 84. [deg]

    Raises
    ------
    InputError
        If it is no place of the study area.
    """
    names = ("lon", "lat") if crs is None else ("x", "y")
    cells = [text.strip().replace('"', "″").replace("\n", " ") for text in (first, second)]
    content = f'reference;{names[0]};{names[1]};technologies\n1;"{cells[0]}";"{cells[1]}";4G\n'
    found = importers.preview(
        workspace,
        LAYER,
        content.encode(),
        file_name="coordinates.csv",
        crs=crs,
        use_remembered=False,
    )
    nowhere = InputError(
        "{first}; {second} is no place of the study area",
        first=cells[0] or message("empty"),
        second=cells[1] or message("empty"),
    )
    if any(each.row is not None for each in found.problems) or not len(found.frame):
        raise nowhere
    assert isinstance(found.frame, gpd.GeoDataFrame)  # noqa: S101 - told to the type checker
    there = found.frame.geometry.iloc[0]
    west, south, east, north = workspace.read("zones").total_bounds
    if not (west <= there.x <= east and south <= there.y <= north):
        raise nowhere
    point = found.frame.geometry.to_crs("EPSG:4326").iloc[0]
    return float(point.x), float(point.y)


def table(records: Records, actor: Actor, found: Sequence[proposals.Proposal]) -> gpd.GeoDataFrame:
    """Return proposals as a layer, with what became of them.

    Parameters
    ----------
    records, actor
        See `planning.proposals.get`.
    found
        Proposals that the actor may see.

    Returns
    -------
    GeoDataFrame
        Columns of the layer `proposals` and number, organisation, status, submitted,
        consent, consent_day and scenario; WGS 84.
    """
    consents = proposals.consents(records, actor, [item.id for item in found])
    rows: list[dict[str, Any]] = []
    for item in found:
        wish = item.request.to_dict()
        consent = consents.get(item.id)
        rows.append(
            {
                **{name: wish[name] for name in PROPOSALS.columns},
                # A mast that is there has the height that it has.
                "height_m": wish["height_m"] if item.request.kind == "new" else None,
                "technologies": ";".join(item.request.technologies),
                "number": item.id,
                "organisation": item.organisation,
                "status": item.status.value,
                "submitted": None if item.submitted_at is None else item.submitted_at.date(),
                "consent": None if consent is None else consent.number,
                "consent_day": None if consent is None else consent.day,
                "scenario": item.scenario_id,
            }
        )
    frame = pd.DataFrame(rows, columns=[*PROPOSALS.columns, *_MORE], dtype=object)
    return gpd.GeoDataFrame(
        frame,
        geometry=gpd.points_from_xy(
            [item.request.lon for item in found], [item.request.lat for item in found]
        ),
        crs="EPSG:4326",
    )


def export(
    records: Records, actor: Actor, found: Sequence[proposals.Proposal], path: Path
) -> ExportReport:
    """Write proposals to a file; texts that a spreadsheet would run are made plain.

    Parameters
    ----------
    records, actor, found
        See `table`.
    path
        The file; its ending says the format: .csv, .xlsx, .kml, .gpkg or .geojson.
    """
    return export_layer(table(records, actor, found), LAYER, path)
