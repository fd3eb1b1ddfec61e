"""Fibre on the map: routes, exchanges and access points of the study area, and units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import folium
import geopandas as gpd
import pandas as pd
import shapely
import streamlit as st

from app import formats, labels, study
from app.components import web_map
from app.i18n import _, language
from app.legend import Entry
from data.store import Workspace
from data.study_area import finest_zones

#: How far a drawn line may lie off the true one. [m]
TOLERANCE_M = 3.0

#: From this zoom on access points are shown. About 1:140,000.
ACCESS_ZOOM = 12

ROUTE_COLOURS = {"duct": "#0b3c5d", "buried": "#6b4c9a", "aerial": "#3f8fa8"}
EXCHANGE_COLOUR = "#c2185b"
ACCESS_COLOUR = "#12303d"


def texts(title: str) -> dict[str, str]:
    """Return what a map says itself.

    Parameters
    ----------
    title
        For screen readers.

    Returns
    -------
    dict
        For `web_map.show`.
    """
    return {
        "title": title,
        "zoom_in": _("Zoom in"),
        "zoom_out": _("Zoom out"),
        "layers": _("Layers"),
    }


def lines_of(routes: gpd.GeoDataFrame, tips: Sequence[tuple[str, ...]]) -> list[web_map.Line]:
    """Return routes for a web map.

    Parameters
    ----------
    routes
        Lines in a metric CRS.
    tips
        Lines of the tooltip of each.

    Returns
    -------
    list of Line
        Simplified, in WGS 84; empty geometries are left out.
    """
    simple = routes.geometry.simplify(TOLERANCE_M).to_crs("EPSG:4326")
    found = []
    for shape, tip in zip(simple, tips, strict=True):
        parts = tuple(
            # Five decimals are about a metre; more would only make the page heavier.
            tuple((round(y, 5), round(x, 5)) for x, y in shapely.get_coordinates(part).tolist())
            for part in shapely.get_parts(shape)
            if not part.is_empty
        )
        if parts:
            found.append(web_map.Line(parts, tip))
    return found


def dots_of(places: gpd.GeoDataFrame, tips: Sequence[tuple[str, ...]]) -> list[web_map.Dot]:
    """Return places for a web map.

    Parameters
    ----------
    places
        Points.
    tips
        Lines of the tooltip of each.

    Returns
    -------
    list of Dot
        In WGS 84.
    """
    where = web_map.positions(places.geometry.to_crs("EPSG:4326"))
    return [web_map.Dot(*place, tip) for place, tip in zip(where, tips, strict=True)]


def network(
    area: Workspace, *, with_routes: bool = True
) -> tuple[list[folium.FeatureGroup], list[Entry]]:
    """Return the existing routes and the exchanges as layers, with their legend.

    Parameters
    ----------
    area
        The workspace.
    with_routes
        Whether the routes are among them, not only the exchanges.

    Returns
    -------
    tuple of list
        Layers, lowest first, and lines of the legend.
    """
    names = [name for name in ("fibre_segments", "fibre_nodes") if area.has(name)]
    routes, exchanges = _network(str(area.folder), area.content_hash(*names), language())
    groups: list[folium.FeatureGroup] = []
    entries: list[Entry] = []
    for kind, lines in routes.items() if with_routes else ():
        name = _("Fibre {how}", how=labels.segment_type(kind))
        groups.append(
            web_map.lines_group(
                name, lines, ROUTE_COLOURS[kind], weight=2.5, far_weight=0.7, zoom=ACCESS_ZOOM
            )
        )
        entries.append(Entry(ROUTE_COLOURS[kind], name))
    if exchanges:
        groups.append(web_map.dots_group(_("Exchanges"), exchanges, EXCHANGE_COLOUR))
        entries.append(Entry(EXCHANGE_COLOUR, _("Exchanges")))
    return groups, entries


@st.cache_resource(max_entries=8, show_spinner=False)
def _network(
    place: str, content: str, written_in: str
) -> tuple[dict[str, list[web_map.Line]], list[web_map.Dot]]:
    """Describe routes and exchanges; kept, because writing thousands of them takes time."""
    del content, written_in  # only parts of the key
    area = Workspace.open(place)
    routes: dict[str, list[web_map.Line]] = {}
    if area.has("fibre_segments"):
        segments = area.read("fibre_segments")
        segments = segments[segments["status"] == "existing"]
        for kind in ROUTE_COLOURS:
            chosen = segments[segments["segment_type"] == kind]
            if len(chosen):
                routes[kind] = lines_of(chosen, [_segment_tip(row) for row in _rows(chosen)])
    exchanges: list[web_map.Dot] = []
    if area.has("fibre_nodes"):
        nodes = area.read("fibre_nodes")
        live = nodes[(nodes["node_type"] == "olt") & (nodes["status"] == "existing")]
        exchanges = dots_of(live, [_exchange_tip(row) for row in _rows(live)])
    return routes, exchanges


def _rows(frame: pd.DataFrame) -> Iterable[Any]:
    return frame.itertuples()


def _segment_tip(row: Any) -> tuple[str, ...]:
    cores = ""
    if not pd.isna(row.cores):
        used = 0 if pd.isna(row.cores_used) else int(row.cores_used)
        cores = _(
            "{cores} fibres, {used} in use",
            cores=formats.number(int(row.cores)),
            used=formats.number(used),
        )
    lines = (
        row.segment_id,
        _("Fibre {how}", how=labels.segment_type(row.segment_type)),
        owner(row.owner),
        cores,
    )
    return tuple(line for line in lines if line)


def owner(name: object) -> str:
    """Return a line that names the owner, or nothing."""
    return "" if pd.isna(name) else _("Owner: {owner}", owner=name)


def _exchange_tip(row: Any) -> tuple[str, ...]:
    lines = (row.node_id if pd.isna(row.name) else row.name, _("Exchange"), owner(row.owner))
    return tuple(line for line in lines if line)


def outlines(area: Workspace) -> folium.FeatureGroup:
    """Return the finest units of today as outlines with their names."""
    rows = tuple(finest_zones(study.layer(area, "zones").reset_index(drop=True)).index)
    shapes = study.zones_wgs84(area, rows)
    found = [
        web_map.Zone(geometry, (name,))
        for name, geometry in zip(shapes["name"], geojson(shapes), strict=True)
    ]
    return web_map.zones_group(_("Administrative units"), found, 0.0)


def geojson(shapes: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    """Return the geometries as GeoJSON.

    Parameters
    ----------
    shapes
        In WGS 84.

    Returns
    -------
    list of dict
        With five decimals, about a metre.
    """
    rounded = shapely.set_precision(shapes.geometry.to_numpy(), 1e-5, mode="pointwise")
    return [shapely.geometry.mapping(shape) for shape in rounded]
