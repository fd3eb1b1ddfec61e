"""The study area that the app shows: opened, or built where there is none yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import geopandas as gpd
import pandas as pd
import streamlit as st

from app import areas, jobs, scenario
from app.components import progress
from app.i18n import _
from coverage import results, run
from coverage.request import default_technologies
from coverage.results import ANY_OPERATOR, CoverageResult
from data import build
from data.grid import Raster
from data.store import Provenance, Workspace

#: Files of a workspace that its users may write themselves.
_OWN_FILES = ("*.csv", "*.geojson", "reported.json", "patterns/*", "models/*")


def workspace() -> Workspace:
    """Open the workspace that the session looks at: the study area's, or a scenario's.

    Returns
    -------
    Workspace
        That of a scenario can be read, but not written to; see `base`.

    Raises
    ------
    InputError
        If the folder holds no workspace that can be read, or the changes of the
        scenario no longer fit its network.
    """
    return scenario.workspace(base())


def base() -> Workspace:
    """Open the study area's own workspace, whichever scenario the session looks at.

    Raises
    ------
    InputError
        If the folder holds no workspace that can be read.
    """
    return Workspace.open(areas.folder())


def ready() -> bool:
    """Return whether there is a study area; build the embedded one where there is not.

    Returns
    -------
    bool
        False while it is being built, which is shown instead of the page.
    """
    place = areas.folder()
    if Workspace.exists(place):
        return True
    key = ("build", str(place))
    job = jobs.JOBS.get(key)
    if job is None:
        job = jobs.JOBS.start(key, _build(place), watcher=progress.session())
    st.title("Phủ Sóng")
    st.write(_("The illustrative study area is being built; this is done once."))
    progress.show(key, _("Building the study area"), start=_build(place))
    return False


def _build(place: Path) -> jobs.Work:
    def work(on_progress: Callable[[float], None]) -> None:
        build.build(areas.EMBEDDED, place, on_progress=on_progress)

    return work


def illustrative_layers(provenance: dict[str, Provenance]) -> list[str]:
    """Return the names of the generated layers and rasters."""
    return [name for name, item in provenance.items() if item.illustrative]


@st.cache_data(max_entries=32, show_spinner=False)
def _layer(place: str, name: str, content: str) -> pd.DataFrame:
    del content  # only part of the key
    return Workspace.open(place).read(name)


def layer(area: Workspace, name: str) -> pd.DataFrame:
    """Read a layer, from memory where its content has not changed.

    Parameters
    ----------
    area
        The workspace.
    name
        Layer name.

    Returns
    -------
    DataFrame or GeoDataFrame
        A copy.
    """
    return _layer(str(area.folder), name, area.content_hash(name))


def operators(area: Workspace) -> list[str]:
    """Return the operators that have cells, in alphabetical order."""
    if not area.has("cells"):
        return []
    return sorted(layer(area, "cells")["operator"].unique())


def technologies(area: Workspace) -> tuple[str, ...]:
    """Return the technologies to compute: those of the cells, or 2G to 4G where there are none."""
    return default_technologies(area)


def zones_wgs84(
    area: Workspace, rows: Sequence[int], tolerance_m: float = 30.0
) -> gpd.GeoDataFrame:
    """Return zones for a web map, simplified without gaps between them.

    Parameters
    ----------
    area
        The workspace.
    rows
        Rows in layer `zones`, of zones that lie side by side.
    tolerance_m
        How far a border may move. [m]

    Returns
    -------
    GeoDataFrame
        In WGS 84; the index is the row in layer `zones`.
    """
    content = area.content_hash("zones")
    return _zones_wgs84(str(area.folder), content, tolerance_m, tuple(rows))


@st.cache_data(max_entries=8, show_spinner=False)
def _zones_wgs84(
    place: str, content: str, tolerance_m: float, rows: tuple[int, ...]
) -> gpd.GeoDataFrame:
    del content  # only part of the key
    zones = Workspace.open(place).read("zones").reset_index(drop=True).loc[list(rows)]
    simple = zones.copy()
    simple.geometry = zones.geometry.simplify_coverage(tolerance_m)
    return simple.to_crs("EPSG:4326")


def lookup(area: Workspace, request: run.CoverageRequest) -> CoverageResult | None:
    """Return the kept coverage of a request, or None; never computes.

    Parameters
    ----------
    area
        The workspace.
    request
        What is wanted.

    Returns
    -------
    CoverageResult or None
        Shared between sessions, so not to be changed.
    """
    folder = Path(_result_folder(*inputs(area), request))
    return _result(str(folder)) if folder.exists() else None


def state(area: Workspace) -> tuple[object, ...]:
    """Return what everything that is computed for a workspace depends on, as a key.

    Parameters
    ----------
    area
        The workspace.

    Returns
    -------
    tuple
        Its content, the files that users may write themselves, and which results are
        kept.
    """
    folder = area.folder / "results"
    kept = tuple(sorted(path.name for path in folder.iterdir())) if folder.is_dir() else ()
    return area.content_hash(), own_files(area.folder), kept


OwnFiles = tuple[tuple[str, int, int], ...]
"""Path, time of the last change [ns] and size [bytes] of files."""


def inputs(area: Workspace) -> tuple[str, str, OwnFiles]:
    """Return what is computed from a workspace depends on, as part of a key.

    Parameters
    ----------
    area
        The workspace.

    Returns
    -------
    tuple
        Its folder, its content, and the files that users may write themselves.
    """
    return str(area.folder), area.content_hash(), own_files(area.folder)


def own_files(place: Path, patterns: Sequence[str] = _OWN_FILES) -> OwnFiles:
    """Return the files in a workspace that users may write themselves, as part of a key.

    Parameters
    ----------
    place
        Folder of the workspace.
    patterns
        Names of the files that count, as for `Path.glob`.

    Returns
    -------
    tuple
        Of each that is there.
    """
    found = []
    for path in sorted(path for pattern in patterns for path in place.glob(pattern)):
        about = path.stat()
        found.append((str(path), about.st_mtime_ns, about.st_size))
    return tuple(found)


@st.cache_data(max_entries=200, show_spinner=False)
def _result_folder(
    place: str,
    content: str,
    own_files: OwnFiles,
    request: run.CoverageRequest,
) -> str:
    del content, own_files  # only parts of the key
    return str(run.result_folder(Workspace.open(place), request))


@st.cache_resource(max_entries=24, show_spinner=False)
def _result(result_folder: str) -> CoverageResult:
    return results.load(Path(result_folder))


@st.cache_resource(max_entries=24, show_spinner=False)
def _band(result_folder: str, kind: str, technology: str, operator: str) -> Raster:
    return getattr(_result(result_folder), kind)(technology, operator)


def level(result: CoverageResult, technology: str, operator: str = ANY_OPERATOR) -> Raster:
    """Return the best server's level, from memory if it was read before. [dBm]."""
    return _band(str(result.folder), "level", technology, operator)


def covered(result: CoverageResult, service: str, operator: str = ANY_OPERATOR) -> Raster:
    """Return where a service counts as covered, from memory if it was read before."""
    return _band(str(result.folder), "covered", service, operator)
