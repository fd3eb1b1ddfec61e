"""Gather the computed results that a report speaks of; what is missing is known as missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd

from coverage import products, run
from coverage.request import default_technologies, make_plan
from coverage.results import CoverageResult
from data import quality, vintages
from data.errors import InputError, Message, message
from data.quality_report import QualityReport
from data.records.engine import Records
from data.store import Workspace
from data.study_area import finest_level, finest_zones
from planning import broadband, consolidation, indicators, network_report, sharing_moves
from planning import dedicated_network as network
from planning.broadband import BroadbandResult
from planning.consolidation import Consolidation
from planning.dedicated_network import NetworkStatus

Progress = Callable[[float], None]

_T = TypeVar("_T")

#: Parts of a report in the order in which they are read.
PARTS: dict[str, Message] = {
    "summary": message("Summary"),
    "indicators": message("Indicators: reported, computed and target"),
    "coverage": message("Mobile coverage"),
    "holes": message("Places without coverage"),
    "broadband": message("Fixed and mobile broadband"),
    "network": message("Dedicated data network"),
    "annexes": message("Passive infrastructure: planning annexes"),
    "sharing": message("Sharing plan"),
    "changes": message("Changes since the last report"),
    "method": message("Method and limits"),
    "data": message("Data and licences"),
}

#: Parts that a report has where nobody chooses; a sharing plan takes minutes.
DEFAULT_PARTS = tuple(part for part in PARTS if part != "sharing")

#: Without these there is no coverage.
COVERAGE_LAYERS = ("masts", "cells", "terrain")

#: Indicator whose values a report also shows by unit.
SERVICE_POINTS = "service_points_count"

#: Smallest place without coverage that is listed. [km²]
LEAST_HOLE_KM2 = 0.05


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a report is built from.

    Parameters
    ----------
    workspace
        The study area.
    parts
        Keys of `PARTS` that are wanted.
    coverage, broadband, network, failures, holes, quality
        Results, or None where they were not computed.
    sharing
        A sharing plan, or None.
    indicators
        Table of `planning.indicators`, or None.
    service_points
        Post and telecom service points by unit (`planning.indicators.by_zone`), or None.
    missing
        Part -> why its result is not there.
    previous
        `report.json` of the last report, or None.
    """

    workspace: Workspace
    parts: tuple[str, ...] = DEFAULT_PARTS
    coverage: CoverageResult | None = None
    broadband: BroadbandResult | None = None
    network: NetworkStatus | None = None
    failures: Mapping[str, Any] | None = None
    holes: Mapping[str, gpd.GeoDataFrame] | None = None
    quality: QualityReport | None = None
    sharing: Consolidation | None = None
    indicators: pd.DataFrame | None = None
    service_points: pd.DataFrame | None = None
    missing: Mapping[str, Message] = field(default_factory=dict)
    previous: dict[str, Any] | None = None

    @cached_property
    def zones(self) -> gpd.GeoDataFrame:
        """Layer `zones`, numbered from 0 as the figures number it."""
        return self.workspace.read("zones").reset_index(drop=True)

    @cached_property
    def communes(self) -> gpd.GeoDataFrame:
        """The finest zones, in their newest vintage."""
        return finest_zones(self.zones)

    @cached_property
    def whole(self) -> int:
        """Row in `zones` of the zone that the report's totals are of: the widest, largest one."""
        level = next(name for name in ("province", "district", "commune") if len(self.of(name)))
        rows = self.of(level)
        return int(rows.index[int(np.argmax(rows.geometry.area.to_numpy()))])

    def of(self, level: str) -> gpd.GeoDataFrame:
        """Return the zones of a level in their newest vintage."""
        if level not in set(self.zones["level"]):
            return self.zones.iloc[:0]
        return vintages.newest(self.zones, level)

    @cached_property
    def levels(self) -> list[str]:
        """Levels below the whole that have zones, the widest first."""
        own = self.zones.loc[self.whole, "level"]
        names = ["province", "district", "commune"]
        return [name for name in names[names.index(own) + 1 :] if len(self.of(name))]

    def vintage(self, level: str) -> Message:
        """Say which units of a level are shown, such as "Districts (6), until 2025-06-30"."""
        return vintages.vintages(self.of(level))[-1].label()

    @property
    def wider(self) -> gpd.GeoDataFrame | None:
        """Units above the finest ones, where they are of the same time."""
        if len(self.levels) < 2:
            return None
        units = self.of(self.levels[-2])
        start, end = vintages.periods(self.communes)
        first, last = vintages.periods(units)
        together = first.max() <= end.min() and start.max() <= last.min()
        return units if together else None

    def commune_names(self, points: gpd.GeoSeries) -> list[str | None]:
        """Return the name of the finest zone that each point lies in, None outside."""
        joined = gpd.sjoin(
            gpd.GeoDataFrame(geometry=points.reset_index(drop=True), crs=points.crs),
            self.communes[["name", "geometry"]],
            predicate="intersects",
        )
        first = joined[~joined.index.duplicated()]["name"]
        return [first.get(k) for k in range(len(points))]

    def layer(self, name: str) -> pd.DataFrame | None:
        """Return a layer, None where there is none or it has no rows."""
        if not self.workspace.has(name):
            return None
        frame = self.workspace.read(name).reset_index(drop=True)
        return frame if len(frame) else None

    @property
    def generated(self) -> list[str]:
        """Names of the layers and rasters that are generated."""
        return sorted(
            name for name, item in self.workspace.provenance().items() if item.illustrative
        )

    @property
    def day(self) -> str:
        """The newest day on which a layer was read."""
        return max(
            (item.retrieved_at[:10] for item in self.workspace.provenance().values()), default=""
        )


def present(result: _T | None) -> _T:
    """Return a result that a section has found to be there."""
    if result is None:
        raise ValueError("the result was not computed")
    return result


def default_request(workspace: Workspace) -> run.CoverageRequest:
    """Return the coverage that a report shows where nobody asks for another.

    Parameters
    ----------
    workspace
        The study area.

    Returns
    -------
    CoverageRequest
        All technologies, other settings at their defaults.
    """
    return run.CoverageRequest(technologies=default_technologies(workspace))


def checked_parts(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return parts in the order in which they are read.

    Parameters
    ----------
    parts
        Keys of `PARTS`.

    Returns
    -------
    tuple of str
        Each once.

    Raises
    ------
    InputError
        If one is not known, or there is none.
    """
    for part in parts:
        if part not in PARTS:
            raise InputError(
                "There is no part {value} of a report (expected one of {expected})",
                value=part,
                expected=", ".join(PARTS),
            )
    if not parts:
        raise InputError("No part of the report was asked for")
    return tuple(part for part in PARTS if part in parts)


def gather(
    workspace: Workspace,
    request: run.CoverageRequest | None = None,
    *,
    records: Records | None = None,
    parts: tuple[str, ...] = DEFAULT_PARTS,
    previous: dict[str, Any] | None = None,
    threads: int | None = None,
    scheduler: str | None = None,
    on_progress: Progress = lambda _share: None,
) -> Inputs:
    """Compute or read everything that a report speaks of.

    Parameters
    ----------
    workspace
        The study area.
    request
        The coverage that is reported; `default_request` if None.
    records
        Records database with what users entered about indicators; None for the
        built-in ones alone.
    parts
        Keys of `PARTS` that are wanted.
    previous
        `report.json` of the last report.
    threads
        Masts computed at once; all processors if None.
    scheduler
        Address of a Dask scheduler whose workers predict the masts, or None.
    on_progress
        Called with the finished share; may raise `CancelledError`.

    Returns
    -------
    Inputs
        What could be computed; what could not is in `missing` with the reason.

    Raises
    ------
    InputError
        If the workspace has no zones, or the coverage asked for does not exist.
    """
    finest_level(workspace.read("zones"))
    parts = checked_parts(parts)
    request = request or default_request(workspace)
    if all(workspace.has(layer) for layer in COVERAGE_LAYERS):
        # A setting that does not exist is no gap in the data.
        make_plan(workspace, request)
    missing: dict[str, Message] = {}

    def attempt(part: str, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except InputError as error:
            missing[part] = error.message
            return None

    most = 0.4 if "sharing" in parts else 1.0

    def tell(low: float, high: float) -> Progress:
        return lambda share: on_progress(most * (low + (high - low) * share))

    coverage = attempt(
        "coverage", lambda: _coverage(workspace, request, threads, scheduler, tell(0.0, 0.6))
    )
    homes = None
    if {"summary", "broadband", "changes"} & set(parts):
        homes = attempt(
            "broadband", lambda: _broadband(workspace, request, threads, tell(0.6, 0.85))
        )
    state, failures = None, None
    if {"summary", "network", "changes"} & set(parts):
        state = attempt("network", lambda: network.status(workspace))
    if state is not None and "network" in parts:
        failures = network_report.failures(state.network)
    tell(0.0, 1.0)(0.9)
    holes = None
    if coverage is not None and "holes" in parts:
        holes = products.make(workspace, coverage, minimum_area_km2=LEAST_HOLE_KM2).holes
    table, points = None, None
    if {"summary", "indicators"} & set(parts):
        table = attempt("indicators", lambda: indicators.table(workspace, records, request=request))
    if table is not None and "indicators" in parts:
        points = indicators.by_zone(workspace, records, SERVICE_POINTS)
    tell(0.0, 1.0)(0.97)
    report = quality.load(workspace, current=True) if "data" in parts else None
    plan = None
    if "sharing" in parts:
        plan = attempt("sharing", lambda: _sharing(workspace, request, threads, on_progress))
    on_progress(1.0)
    return Inputs(
        workspace=workspace,
        parts=parts,
        coverage=coverage,
        broadband=homes,
        network=state,
        failures=failures,
        holes=holes,
        quality=report,
        sharing=plan,
        indicators=table,
        service_points=points,
        missing=missing,
        previous=previous,
    )


def _coverage(
    workspace: Workspace,
    request: run.CoverageRequest,
    threads: int | None,
    scheduler: str | None,
    on_progress: Progress,
) -> CoverageResult:
    for layer in COVERAGE_LAYERS:
        if not workspace.has(layer):
            raise InputError("The workspace has no {layer}", layer=layer)
    return run.compute(
        workspace, request, threads=threads, scheduler=scheduler, on_progress=on_progress
    )


def _broadband(
    workspace: Workspace, request: run.CoverageRequest, threads: int | None, on_progress: Progress
) -> BroadbandResult:
    # The mobile rates come from the coverage that is reported, unless it has none of them.
    asked = broadband.BroadbandRequest(
        mobile_coverage=request
        if {"4G", "5G"} & set(request.technologies) and request.operators is None
        else None
    )
    return broadband.coverage(
        workspace,
        asked,
        threads=threads,
        compute_mobile=False,
        on_progress=on_progress,
    )


def _sharing(
    workspace: Workspace, request: run.CoverageRequest, threads: int | None, on_progress: Progress
) -> Consolidation:
    asked = consolidation.ConsolidationRequest(
        sharing=sharing_moves.SharingRequest(coverage=request)
    )
    return consolidation.consolidate(
        workspace,
        asked,
        threads=threads,
        on_progress=lambda share: on_progress(0.4 + 0.6 * share),
    )


def folder_of(path: Path) -> Path:
    """Return a folder for results, made if it is missing.

    Parameters
    ----------
    path
        The folder.

    Returns
    -------
    Path
        The same.

    Raises
    ------
    InputError
        If it is a file or cannot be made.
    """
    if path.exists() and not path.is_dir():
        raise InputError("{folder} is a file; expected a folder for results", folder=path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            "The folder {folder} cannot be made: {reason}",
            folder=path,
            reason=error.strerror or str(error),
        ) from error
    return path
