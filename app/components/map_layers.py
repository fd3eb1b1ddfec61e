"""What the coverage map shows: the choice, its layers and its legend."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import folium
import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import streamlit as st
from numpy.typing import NDArray

from app import formats, labels, overlays, study
from app import legend as legends
from app.components import figures, vintage, web_map
from app.components.kept import keep
from app.i18n import _, language, mark
from coverage import technology
from coverage.results import ANY_OPERATOR, CoverageResult
from data.grid import Grid
from data.store import Workspace
from data.study_area import finest_level
from planning import names

#: Longest side of the relief, in pixels: a background needs no more.
RELIEF_PIXELS = 900

#: How far borders may move on a map of the whole area (a pixel and a half of the
#: screen at zoom 11) and from `web_map.DETAIL_ZOOM` on. [m]
FAR_TOLERANCE_M = 100.0
NEAR_TOLERANCE_M = 10.0

SUBJECTS = {
    "covered": mark("Covered or not"),
    "level": mark("Signal level"),
    "zones": mark("Share by unit"),
}

#: Sections of the help page by subject.
METHODS = {"covered": "covered", "level": "level", "zones": "shares"}

BACKGROUNDS = {
    "relief": mark("Relief"),
    "tiles": mark("OpenStreetMap (needs the Internet)"),
    "none": mark("None"),
}


@dataclass(frozen=True)
class View:
    """What the user wants to see.

    Parameters
    ----------
    service
        Technology or union of several.
    operator
        Operator, or "any".
    subject
        Key of `SUBJECTS`.
    measure
        What shares by zone are of.
    opacity
        Of the overlay, 0 to 1.
    background
        Key of `BACKGROUNDS`.
    zones
        Rows of the units in layer `zones`.
    """

    service: str
    operator: str
    subject: str
    measure: str
    opacity: float
    background: str
    zones: tuple[int, ...]


def choose(area: Workspace, result: CoverageResult) -> View:
    """Show the choice of layers.

    Parameters
    ----------
    area
        The workspace.
    result
        Its coverage.

    Returns
    -------
    View
        What was chosen.
    """
    services = names.ordered(result.figures["service"])
    operators = [ANY_OPERATOR, *result.summary["provenance"]["operators"]]
    keep("service", "4G" if "4G" in services else services[0], services)
    keep("operator", ANY_OPERATOR, operators)
    keep("background", "relief", list(BACKGROUNDS))
    keep("opacity", 70)
    first, second, third = st.columns([3, 1.2, 1.2])
    service = first.segmented_control(
        _("Technology"),
        services,
        format_func=labels.service,
        key="keep.service",
        required=True,
        wrap=True,
    )
    operator = second.selectbox(
        _("Operator"), operators, format_func=labels.operator, key="keep.operator"
    )
    background = third.selectbox(
        _("Background"),
        list(BACKGROUNDS),
        format_func=lambda name: _(BACKGROUNDS[name]),
        key="keep.background",
    )
    # A union of technologies has no level of its own: their metrics differ.
    subjects = [name for name in SUBJECTS if name != "level" or service in technology.METRICS]
    keep("subject", subjects[0], subjects)
    first, second, third = st.columns([3, 1.2, 1.2])
    subject = first.segmented_control(
        _("Show"),
        subjects,
        format_func=lambda name: _(SUBJECTS[name]),
        key="keep.subject",
        required=True,
        wrap=True,
    )
    measures = figures.measures_of(result.figures)
    measure = st.session_state.get("keep.measure")
    if subject == "zones":
        keep("measure", measures[0], measures)
        measure = second.selectbox(
            _("Share of"), measures, format_func=labels.measure, key="keep.measure"
        )
    opacity = third.slider(_("Opacity, %"), 10, 100, step=10, key="keep.opacity")
    if measure not in measures:
        measure = measures[0]
    zones = study.layer(area, "zones")
    rows = vintage.choose(zones, finest_level(zones), second)
    return View(service, operator, subject, measure, opacity / 100.0, background, tuple(rows))


def legend(view: View) -> tuple[list[legends.Entry], str]:
    """Return the lines and the title of the legend.

    Parameters
    ----------
    view
        What is shown.

    Returns
    -------
    tuple of list and str
        For `style.legend`.
    """
    name = labels.service(view.service)
    if view.subject == "level":
        metric = technology.METRICS[view.service]
        return legends.level_legend(view.service), f"{name} · {metric}"
    if view.subject == "zones":
        title = _("{service}: share of {what}", service=name, what=_in_words(view.measure))
        return legends.share_legend(), title
    return legends.covered_legend(), name


def _in_words(measure: str) -> str:
    return labels.measure(measure).lower()


@st.cache_data(max_entries=4, show_spinner=False)
def _bounds(place: str, content: str) -> tuple[tuple[float, float], tuple[float, float]]:
    del content  # only part of the key
    zones = Workspace.open(place).read("zones").to_crs("EPSG:4326")
    west, south, east, north = (float(value) for value in zones.total_bounds)
    return (south, west), (north, east)


def bounds(area: Workspace) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return ((south, west), (north, east)) of the zones. [deg]."""
    return _bounds(str(area.folder), area.content_hash("zones"))


@st.cache_data(max_entries=4, show_spinner=False)
def _relief(place: str, content: str) -> overlays.Overlay | None:
    del content  # only part of the key
    area = Workspace.open(place)
    own = area.raster_info("terrain").grid
    step = max(1.0, max(own.width, own.height) / RELIEF_PIXELS)
    coarse = Grid.covering(own.bounds, own.resolution_m * step, own.crs)
    return overlays.relief(area.read_raster("terrain", coarse, resampling="average"))


def relief(area: Workspace) -> overlays.Overlay | None:
    """Return the background made of the study area's own terrain."""
    if not area.has("terrain"):
        return None
    return _relief(str(area.folder), area.content_hash("terrain"))


def groups(area: Workspace, result: CoverageResult, view: View) -> list[folium.FeatureGroup]:
    """Return the layers of the map, lowest first.

    Parameters
    ----------
    area
        The workspace.
    result
        Its coverage.
    view
        What is shown.

    Returns
    -------
    list of folium.FeatureGroup
        Coverage, zones, sectors and masts.
    """
    found = []
    if view.subject != "zones":
        key = result.summary["provenance"]["key"]
        if view.subject == "level":
            picture = _level_overlay(key, result, view.service, view.operator)
        else:
            picture = _covered_overlay(key, area, result, view.service, view.operator)
        found.append(web_map.overlay_group(_("Coverage"), picture, view.opacity))
    outlines = _outlines(str(area.folder), area.content_hash("zones"), view.zones)
    found.append(
        web_map.zones_group(
            _("Administrative units"), _zones(area, result, view), view.opacity, outlines
        )
    )
    sectors, dots = _sectors_and_dots(
        str(area.folder),
        area.content_hash("masts", "cells"),
        language(),
        view.service,
        view.operator,
    )
    found.append(web_map.sectors_group(_("Sectors (when zoomed in)"), sectors))
    found.append(web_map.dots_group(_("Masts"), dots))
    return found


def covered_classes(
    area: Workspace, result: CoverageResult, service: str, operator: str
) -> NDArray[np.uint8]:
    """Tell covered from uncovered pixels of the study area.

    Parameters
    ----------
    area
        The workspace.
    result
        Its coverage.
    service
        Technology or union.
    operator
        Operator, or "any".

    Returns
    -------
    numpy.ndarray
        0 covered, 1 not covered, transparent outside the study area.
    """
    covered = study.covered(result, service, operator).values
    classes = np.where(covered, 0, 1).astype(np.uint8)
    classes[~_inside(area, result.grid)] = overlays.TRANSPARENT
    return classes


def _inside(area: Workspace, grid: Grid) -> NDArray[np.bool_]:
    return _inside_zones(str(area.folder), area.content_hash("zones"), grid)


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs={Grid: Grid.to_dict})
def _inside_zones(place: str, content: str, grid: Grid) -> NDArray[np.bool_]:
    from rasterio.features import rasterize

    del content  # only part of the key
    zones = Workspace.open(place).read("zones")
    return rasterize(
        [(shape, 1) for shape in zones.geometry],
        out_shape=grid.shape,
        transform=grid.transform,
        all_touched=True,
        dtype="uint8",
    ).astype(bool)


@st.cache_data(max_entries=48, show_spinner=False)
def _level_overlay(
    key: str, _result: CoverageResult, service: str, operator: str
) -> overlays.Overlay:
    del key  # only part of the cache's key
    level = study.level(_result, service, operator)
    classes = legends.level_classes(level.values, service)
    return overlays.paint(classes, level.grid, legends.LEVEL_COLOURS)


@st.cache_data(max_entries=48, show_spinner=False)
def _covered_overlay(
    key: str, _area: Workspace, _result: CoverageResult, service: str, operator: str
) -> overlays.Overlay:
    del key  # only part of the cache's key
    classes = covered_classes(_area, _result, service, operator)
    colours = (legends.COVERED_COLOUR, legends.NOT_COVERED_COLOUR)
    return overlays.paint(classes, _result.grid, colours)


def _zones(area: Workspace, result: CoverageResult, view: View) -> list[web_map.Zone]:
    shapes = study.zones_wgs84(area, view.zones)
    table = result.figures
    chosen = table[(table["service"] == view.service) & (table["operator"] == view.operator)]
    share = {
        measure: rows.set_index("zone")["share"].to_dict()
        for measure, rows in chosen.groupby("measure")
    }
    found = []
    for number, name in zip(shapes.index, shapes["name"], strict=True):
        lines = [name] + [
            f"{labels.measure(measure)}: {formats.percent(share[measure].get(number))}"
            for measure in figures.MEASURES
            if measure in share
        ]
        value = share.get(view.measure, {}).get(number, math.nan)
        fill = legends.share_colour(value) if view.subject == "zones" else None
        found.append(web_map.Zone(None, tuple(lines), fill))
    return found


@st.cache_data(max_entries=8, show_spinner=False)
def _outlines(place: str, content: str, rows: tuple[int, ...]) -> tuple[bytes, bytes]:
    """Return the zones' shapes for a map of the whole area and for a closer look."""
    del content  # only part of the key
    area = Workspace.open(place)
    far, near = (
        web_map.packed(_geojson(study.zones_wgs84(area, rows, tolerance_m)))
        for tolerance_m in (FAR_TOLERANCE_M, NEAR_TOLERANCE_M)
    )
    return far, near


def _geojson(shapes: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    # Five decimals are about a metre; more would only make the page heavier.
    rounded = shapely.set_precision(shapes.geometry.to_numpy(), 1e-5, mode="pointwise")
    return [shapely.geometry.mapping(shape) for shape in rounded]


@st.cache_resource(max_entries=48, show_spinner=False)
def _sectors_and_dots(
    place: str, content: str, written_in: str, service: str, operator: str
) -> tuple[bytes, bytes]:
    """Describe cells and masts; kept, because writing thousands of numbers takes time."""
    del content, written_in  # only parts of the key
    area = Workspace.open(place)
    cells = area.read("cells")
    chosen = cells["technology"].isin(technology.COMBINATIONS.get(service, (service,)))
    if operator != ANY_OPERATOR:
        chosen &= cells["operator"] == operator
    cells = cells[chosen]
    masts = area.read("masts")
    masts = masts[masts["mast_id"].isin(cells["mast_id"])].to_crs("EPSG:4326")
    where = dict(
        zip(masts["mast_id"], web_map.positions(masts.geometry), strict=True),
    )
    counted = cells.groupby("mast_id").size()
    dots = []
    for row in masts.itertuples():
        lines = [
            row.mast_id if pd.isna(row.name) else f"{row.mast_id} – {row.name}",
            "" if pd.isna(row.owner) else _("Owner: {owner}", owner=row.owner),
            _("Height: {height}", height=formats.quantity(row.height_m, "m")),
            _("State: {state}", state=labels.status(row.status)),
            _("Cells shown: {count}", count=formats.number(counted.get(row.mast_id, 0))),
        ]
        dots.append(web_map.Dot(*where[row.mast_id], tuple(line for line in lines if line)))
    sectors = [
        web_map.Sector(
            *where[row.mast_id],
            None if pd.isna(row.azimuth_deg) else float(row.azimuth_deg),
            (
                row.cell_id,
                f"{row.operator} · {row.technology}"
                + ("" if pd.isna(row.band) else f" · {row.band}"),
                _("Azimuth: {azimuth}", azimuth=_azimuth(row.azimuth_deg)),
                _("Antenna height: {height}", height=formats.quantity(row.antenna_height_m, "m")),
            ),
        )
        for row in cells.itertuples()
        if row.mast_id in where
    ]
    return web_map.pack_sectors(sectors), web_map.pack_dots(dots)


def _azimuth(azimuth_deg: float) -> str:
    return _("all round") if pd.isna(azimuth_deg) else f"{formats.number(azimuth_deg)}°"
