"""A proposed site on the map: what it gains, how far exposure reaches, masts around."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import folium
import geopandas as gpd
import numpy as np
import shapely
import streamlit as st

from app import formats, labels, overlays
from app.components import fibre_map, map_layers, web_map
from app.i18n import _, language
from app.legend import Entry
from data.store import Workspace
from planning.proposal_figures import gained

GAIN_COLOUR = "#d1495b"
SITE_COLOUR = "#e07b00"
ALTERNATIVE_COLOUR = "#1d7f8c"
EXPOSURE_COLOUR = "#b3261e"

#: Half the side of the map around one site. [km]
AROUND_KM = 3.5

_KM_PER_DEGREE = 111.32

Bounds = tuple[tuple[float, float], tuple[float, float]]


def around(lon: float, lat: float) -> Bounds:
    """Return ((south, west), (north, east)) around a place. [deg]."""
    high = AROUND_KM / _KM_PER_DEGREE
    wide = high / max(0.1, math.cos(math.radians(lat)))
    return (lat - high, lon - wide), (lat + high, lon + wide)


@st.cache_data(max_entries=4, show_spinner=False)
def _dots(place: str, content: str, speech: str) -> list[web_map.Dot]:
    del content, speech  # only parts of the key
    masts = Workspace.open(place).read("masts")
    masts = masts[masts["status"] != "removed"]
    degrees = masts.geometry.to_crs("EPSG:4326")
    return [
        web_map.Dot(point.y, point.x, (f"{row.mast_id} – {row.name_}", _mast_line(row)))
        for point, row in zip(
            degrees, masts.rename(columns={"name": "name_"}).itertuples(), strict=True
        )
    ]


def _mast_line(row: Any) -> str:
    parts = (
        fibre_map.owner(row.owner),
        row.mast_class if isinstance(row.mast_class, str) else "",
        formats.quantity(row.height_m, "m"),
        labels.status(row.status),
    )
    return " · ".join(part for part in parts if part)


def layers(
    area: Workspace,
    site: tuple[float, float] | None,
    title: str,
    result: Mapping[str, Any] | None,
    service: str,
    operator: str,
) -> tuple[list[folium.FeatureGroup], list[Entry]]:
    """Return the layers of the map, lowest first, and its legend.

    Parameters
    ----------
    area
        The study area.
    site
        Longitude and latitude of the site; None where none is chosen yet. [deg]
    title
        What the site is called.
    result
        Of its evaluation; None without one.
    service, operator
        Whose gain is shown.
    """
    groups = [fibre_map.outlines(area)]
    entries: list[Entry] = []
    new = None if result is None else gained(result, service, operator)
    if new is not None:
        grid, flags = new
        classes = np.where(flags, 0, overlays.TRANSPARENT).astype(np.uint8)
        picture = overlays.paint(classes, grid, [GAIN_COLOUR])
        name = _("Newly covered")
        groups.append(web_map.overlay_group(name, picture, 0.75))
        entries.append(Entry(GAIN_COLOUR, name))
    if area.has("masts"):
        dots = _dots(str(area.folder), area.content_hash("masts"), language())
        groups.append(web_map.dots_group(_("Masts"), dots))
        entries.append(Entry("#12303d", _("Masts")))
    if result is not None:
        _add_alternatives(groups, entries, result)
        _add_exposure(groups, entries, result)
    if site is not None:
        dot = web_map.Dot(site[1], site[0], (title or _("Proposed site"),))
        groups.append(web_map.dots_group(_("Proposed site"), [dot], SITE_COLOUR))
        entries.append(Entry(SITE_COLOUR, _("Proposed site")))
    return groups, entries


def _add_alternatives(
    groups: list[folium.FeatureGroup], entries: list[Entry], result: Mapping[str, Any]
) -> None:
    dots = [
        web_map.Dot(other["lat"], other["lon"], (f"{other['mast_id']} – {other['name']}",))
        for other in result["alternatives"]
    ]
    if dots:
        name = _("Masts to share instead")
        groups.append(web_map.dots_group(name, dots, ALTERNATIVE_COLOUR))
        entries.append(Entry(ALTERNATIVE_COLOUR, name))


def _add_exposure(
    groups: list[folium.FeatureGroup], entries: list[Entry], result: Mapping[str, Any]
) -> None:
    exposure = result["exposure"]
    if not exposure or not exposure["distance_m"]:
        return
    place = result["place"]
    point = gpd.GeoSeries([shapely.Point(place["lon"], place["lat"])], crs="EPSG:4326")
    metric = point.to_crs(point.estimate_utm_crs())
    circle = metric.buffer(exposure["distance_m"]).to_crs("EPSG:4326").iloc[0]
    name = _(
        "EMF: up to {distance} at antenna height",
        distance=formats.quantity(exposure["distance_m"], "m", 1),
    )
    zone = web_map.Zone(shapely.geometry.mapping(circle), (name,), EXPOSURE_COLOUR)
    groups.append(web_map.zones_group(_("EMF compliance zone"), [zone], 0.45))
    entries.append(Entry(EXPOSURE_COLOUR, name))


def show(
    area: Workspace, groups: list[folium.FeatureGroup], *, key: str, bounds: Bounds | None = None
) -> tuple[float, float] | None:
    """Show the map; return latitude and longitude of the place that was clicked last."""
    return web_map.show(
        bounds or map_layers.bounds(area),
        groups,
        key=f"{key}-{language()}",
        language=language(),
        texts=fibre_map.texts(_("Map of the proposed site")),
        background=map_layers.relief(area),
    )
