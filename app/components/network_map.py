"""Sites of the dedicated network and the links between them on a map."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import folium
import geopandas as gpd
import numpy as np
import pandas as pd
from folium.map import Layer
from folium.template import Template

from app import formats, labels
from app.components import fibre_map, map_layers, web_map
from app.i18n import _, language
from data.store import Workspace
from planning import network_report
from planning.dedicated_network import Network

#: Media that hang in the air or run through others' networks, drawn dashed.
DASHED = ("microwave", "satellite", "mobile")

LINK_COLOUR = "#33444d"

#: Share of the map's height within which a click means a site, or a link.
_REACH = 0.015


class _Sites(Layer):
    """Dots of several colours, larger for the nodes that others hang from."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = new (L.LayerGroup.extend({
          getEvents: function () { return {zoomend: this.refresh}; },
          onAdd: function (map) { this.refresh(); L.LayerGroup.prototype.onAdd.call(this, map); },
          refresh: function () {
            var zoom = this._map ? this._map.getZoom() : 10;
            var base = zoom <= 8 ? 3 : zoom < 11 ? 4.5 : 6;
            this.eachLayer(function (dot) { dot.setRadius(base * dot.options.size); });
          }
        }))({{ this.data|tojson }}.map(function (dot) {
          return L.circleMarker([dot[0], dot[1]], {color: "#ffffff", weight: 1, size: dot[3],
            fillColor: dot[2], fillOpacity: 0.95}).bindTooltip(dot[4]);
        }));
        {% endmacro %}
        """
    )

    def __init__(self, name: str, data: list[list[object]]) -> None:
        super().__init__(name=name, overlay=True, control=True, show=True)
        self._name = "Sites"
        self.data = data


class _Lines(Layer):
    """Lines that may be dashed."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = L.featureGroup({{ this.data|tojson }}.map(function (line) {
          return L.polyline(line[0], {color: {{ this.colour|tojson }}, opacity: 0.9,
            weight: {{ this.weight }}, dashArray: {{ this.dash|tojson }}})
            .bindTooltip(line[1], {sticky: true});
        }));
        {% endmacro %}
        """
    )

    def __init__(
        self, name: str, data: list[list[object]], colour: str, weight: float, dash: str | None
    ) -> None:
        super().__init__(name=name, overlay=True, control=True, show=True)
        self._name = "Lines"
        self.data = data
        self.colour = colour
        self.weight = weight
        self.dash = dash


@dataclass(frozen=True)
class Mark:
    """How a site is drawn.

    Parameters
    ----------
    colour
        As ``#rrggbb``.
    tip
        Lines of its tooltip; the first is the heading.
    """

    colour: str
    tip: tuple[str, ...]


#: Size of the dots by the role of the site.
_SIZES = {"hub": 1.8, "aggregation": 1.35}


def sites_group(name: str, sites: gpd.GeoDataFrame, marks: Sequence[Mark]) -> folium.FeatureGroup:
    """Return sites as a layer.

    Parameters
    ----------
    name
        Of the layer.
    sites
        Rows of the layer `network_sites`.
    marks
        One for each.

    Returns
    -------
    folium.FeatureGroup
        For `show`.
    """
    where = web_map.positions(sites.geometry.to_crs("EPSG:4326"))
    data = []
    for (latitude, longitude), role, mark in zip(where, sites["role"], marks, strict=True):
        place = [round(latitude, 6), round(longitude, 6)]
        data.append([*place, mark.colour, _SIZES.get(role, 1.0), _tip(mark.tip)])
    # What hangs from others lies on top: the nodes are larger and stay visible below.
    data.sort(key=lambda item: -float(item[3]))
    group = folium.FeatureGroup(name=name)
    _Sites(name, data).add_to(group)
    return group


def _tip(lines: Sequence[str]) -> str:
    first, *others = (escape(line) for line in lines if line)
    return "<br>".join([f"<b>{first}</b>", *others])


def lines_group(
    name: str,
    lines: Sequence[web_map.Line],
    colour: str,
    *,
    weight: float,
    dash: str | None = None,
) -> folium.FeatureGroup:
    """Return lines as a layer.

    Parameters
    ----------
    name
        Of the layer.
    lines
        The lines.
    colour
        As ``#rrggbb``.
    weight
        Width of the lines. [px]
    dash
        Lengths of dashes and gaps as in SVG, None for whole lines.

    Returns
    -------
    folium.FeatureGroup
        For `show`.
    """
    data = [[[list(part) for part in line.points], _tip(line.tip)] for line in lines]
    group = folium.FeatureGroup(name=name)
    _Lines(name, data, colour, weight, dash).add_to(group)
    return group


def link_groups(
    live: Network, *, colour: str = LINK_COLOUR, weight: float = 1.6
) -> list[folium.FeatureGroup]:
    """Return live links as layers: those by wire, and dashed the others.

    Parameters
    ----------
    live
        The network.
    colour, weight
        Of the lines. [px]
    """
    lines = network_report.link_lines(live)
    dashed = lines["medium"].isin(DASHED).to_numpy(bool)
    groups = []
    for chosen, dash, name in (
        (~dashed, None, _("Links by wire")),
        (dashed, "6 5", _("Links by radio")),
    ):
        if chosen.any():
            part = lines[chosen]
            drawn = fibre_map.lines_of(part, link_tips(part))
            groups.append(lines_group(name, drawn, colour, weight=weight, dash=dash))
    return groups


def link_tips(links: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return the lines of the tooltips of links.

    Parameters
    ----------
    links
        Rows of the layer `network_links`.
    """
    tips = []
    for row in links.to_dict("records"):
        facts = [labels.link_medium(row["medium"])]
        if row["capacity_mbps"] == row["capacity_mbps"]:
            facts.append(formats.quantity(row["capacity_mbps"], "Mbit/s"))
        provider = row["provider"]
        owner = "" if pd.isna(provider) else _("Provider: {name}", name=provider)
        ends = f"{row['from_site']} – {row['to_site']}"
        tips.append(
            tuple(part for part in (row["link_id"], ends, " · ".join(facts), owner) if part)
        )
    return tips


def site_tip(row: dict[str, object], *more: str) -> tuple[str, ...]:
    """Return the lines of the tooltip of a site.

    Parameters
    ----------
    row
        Of the layer `network_sites`.
    *more
        Further lines; empty ones are left out.
    """
    facts = f"{row['site_id']} · {labels.level(str(row['level']))}"
    return tuple(line for line in (site_name(row), facts, *more) if line)


def site_name(row: dict[str, object]) -> str:
    """Return what a site is called."""
    name = row["name"]
    return str(row["site_id"]) if pd.isna(name) else str(name)


def rows_of(frame: pd.DataFrame) -> Iterable[dict[str, object]]:
    """Return the rows of a table as dictionaries."""
    return ({str(name): value for name, value in row.items()} for row in frame.to_dict("records"))


def show(
    area: Workspace, groups: Sequence[folium.FeatureGroup], *, name: str, title: str
) -> tuple[float, float] | None:
    """Show a map of the study area.

    Parameters
    ----------
    area
        The workspace.
    groups
        Layers, lowest first.
    name
        What tells several maps apart.
    title
        For screen readers.

    Returns
    -------
    tuple of float or None
        Latitude and longitude of the place that was clicked last. [deg]
    """
    return web_map.show(
        map_layers.bounds(area),
        [fibre_map.outlines(area), *groups],
        key=f"network-{name}-{language()}",
        language=language(),
        texts=fibre_map.texts(title),
        background=map_layers.relief(area),
    )


def clicked_on(
    area: Workspace, live: Network, clicked: tuple[float, float]
) -> tuple[str, int] | None:
    """Return the site or the link that a click means.

    Parameters
    ----------
    area
        The workspace.
    live
        The network.
    clicked
        Latitude and longitude. [deg]

    Returns
    -------
    tuple of str and int, or None
        "site" or "link" and its position; None where nothing is near.
    """
    (south, _west), (north, _east) = map_layers.bounds(area)
    reach_m = _REACH * (north - south) * 111_320.0
    latitude, longitude = clicked
    spot = gpd.GeoSeries.from_xy([longitude], [latitude], crs="EPSG:4326")
    spot_m = spot.to_crs(live.sites.crs).iloc[0]
    for kind, shapes in (("site", live.sites), ("link", network_report.link_lines(live))):
        if len(shapes):
            distance_m = shapes.geometry.distance(spot_m).to_numpy(np.float64)
            nearest = int(np.argmin(distance_m))
            if math.isfinite(distance_m[nearest]) and distance_m[nearest] <= reach_m:
                return kind, nearest
    return None
