"""A folium map that needs nothing from the Internet.

folium loads Leaflet and other libraries from content networks; streamlit-folium
passes those addresses on. This map names the Leaflet that the app serves itself
(`app/leaflet`), and its layers are drawn by short scripts on plain JSON, on a
canvas, so a thousand masts and some thousand sectors stay quick.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import folium
import streamlit.components.v1 as components
from folium.map import Layer
from folium.template import Template
from streamlit_folium import st_folium

from app.overlays import Overlay

HEIGHT_PX = 600

#: Sectors appear from this zoom on. About 1:70,000.
SECTOR_ZOOM = 13

_OPEN_STREET_MAP = "https://tile.openstreetmap.org/{z}/{x}/{y}.png"
_OPEN_STREET_MAP_CREDIT = (
    '&copy; <a href="https://www.openstreetmap.org/copyright">OpenStreetMap</a>'
)

# Declaring a component makes Streamlit serve its folder; it is never called.
_FILES = components.declare_component(
    "leaflet_files", path=str(Path(__file__).parent.parent / "leaflet")
)


class WebMap(folium.Map):
    """A folium map whose only library is the app's own Leaflet."""

    # Relative to the folder from which streamlit-folium's frame is served.
    default_js = [("leaflet", f"../{_FILES.name}/leaflet.js")]  # noqa: RUF012 - as in folium
    default_css = [("leaflet_css", f"../{_FILES.name}/leaflet.css")]  # noqa: RUF012 - as in folium


class _Options(folium.MacroElement):
    """Set what folium has no option for."""

    _template = Template(
        """
        {% macro header(this, kwargs) %}
        <style>
          .leaflet-container { background: #d9ddd4;
            font: 13px/1.4 "Source Sans", "Noto Sans", system-ui, sans-serif; }
          .leaflet-tooltip { font-size: 13px; }
        </style>
        {% endmacro %}
        {% macro script(this, kwargs) %}
        {{ this._parent.get_name() }}.attributionControl.setPrefix("Leaflet");
        L.control.scale({imperial: false}).addTo({{ this._parent.get_name() }});
        {{ this._parent.get_name() }}.fitBounds({{ this.bounds|tojson }});
        document.documentElement.lang = {{ this.language|tojson }};
        document.getElementById("map_div").setAttribute("aria-label", {{ this.title|tojson }});
        (function (map) {
          // Mark the place that was clicked last, without asking the server.
          var ring = L.circleMarker([0, 0], {radius: 9, color: "#111111", weight: 3,
            fillColor: "#ffffff", fillOpacity: 0.6, interactive: false});
          map.on("click", function (event) { ring.setLatLng(event.latlng).addTo(map); });
          var first = L.Control.Layers.prototype._initLayout;
          L.Control.Layers.prototype._initLayout = function () {
            first.call(this);
            this._layersLink.title = {{ this.layers|tojson }};
          };
        })({{ this._parent.get_name() }});
        document.querySelector(".leaflet-control-zoom-in").title = {{ this.zoom_in|tojson }};
        document.querySelector(".leaflet-control-zoom-out").title = {{ this.zoom_out|tojson }};
        {% endmacro %}
        """
    )

    def __init__(
        self, bounds: Sequence[Sequence[float]], language: str, texts: Mapping[str, str]
    ) -> None:
        super().__init__()
        self._name = "Options"
        self.bounds = bounds
        self.language = language
        self.title = texts["title"]
        self.zoom_in = texts["zoom_in"]
        self.zoom_out = texts["zoom_out"]
        self.layers = texts["layers"]


class _Drawn(Layer):
    """A layer drawn by a script from JSON."""

    def __init__(self, name: str, data: object, *, show: bool = True, **options: object) -> None:
        super().__init__(name=name, overlay=True, control=True, show=show)
        self._name = type(self).__name__.strip("_")
        self.data = data
        self.options = options


class _Polygons(_Drawn):
    _template = Template(
        """
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = L.geoJSON({{ this.data|tojson }}, {
          style: function (feature) { return feature.properties.style; },
          onEachFeature: function (feature, layer) {
            layer.bindTooltip(feature.properties.tip, {sticky: true});
          }
        });
        {% endmacro %}
        """
    )


class _Dots(_Drawn):
    # Smaller from afar, so that a thousand of them do not hide what lies below.
    _template = Template(
        """
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = new (L.LayerGroup.extend({
          getEvents: function () { return {zoomend: this.refresh}; },
          onAdd: function (map) { this.refresh(); L.LayerGroup.prototype.onAdd.call(this, map); },
          refresh: function () {
            var zoom = this._map ? this._map.getZoom() : 10;
            var radius = zoom <= 9.5 ? 2 : zoom < 12 ? 3.5 : 5;
            this.eachLayer(function (dot) {
              dot.setStyle({radius: radius, weight: radius < 3 ? 0.5 : 1});
              dot.setRadius(radius);
            });
          }
        }))({{ this.data|tojson }}.map(function (dot) {
          return L.circleMarker([dot[0], dot[1]], {color: "#ffffff", weight: 1,
            fillColor: {{ this.options.colour|tojson }}, fillOpacity: 0.95}).bindTooltip(dot[2]);
        }));
        {% endmacro %}
        """
    )


class _NearDots(_Drawn):
    # Thousands of them: made when they can first be seen, and shown only from a zoom on.
    _template = Template(
        """
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = new (L.LayerGroup.extend({
          getEvents: function () { return {zoomend: this.refresh}; },
          onAdd: function (map) { L.LayerGroup.prototype.onAdd.call(this, map); this.refresh(); },
          refresh: function () {
            var near = this._map && this._map.getZoom() >= {{ this.options.zoom }};
            if (!near) { this.clearLayers(); return; }
            if (this.getLayers().length) { return; }
            var self = this;
            {{ this.data|tojson }}.forEach(function (dot) {
              L.circleMarker([dot[0], dot[1]], {radius: 4, color: "#ffffff", weight: 1,
                fillColor: {{ this.options.colour|tojson }}, fillOpacity: 0.95})
                .bindTooltip(dot[2]).addTo(self);
            });
          }
        }))();
        {% endmacro %}
        """
    )


class _Lines(_Drawn):
    # Thinner from afar, so that thousands of them do not hide what lies below.
    _template = Template(
        """
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = new (L.LayerGroup.extend({
          getEvents: function () { return {zoomend: this.refresh}; },
          onAdd: function (map) { this.refresh(); L.LayerGroup.prototype.onAdd.call(this, map); },
          refresh: function () {
            var near = this._map && this._map.getZoom() >= {{ this.options.zoom }};
            var weight = near ? {{ this.options.weight }} : {{ this.options.far_weight }};
            this.eachLayer(function (line) { line.setStyle({weight: weight}); });
          }
        }))({{ this.data|tojson }}.map(function (line) {
          return L.polyline(line[0], {color: {{ this.options.colour|tojson }}, opacity: 0.9})
            .bindTooltip(line[1], {sticky: true});
        }));
        {% endmacro %}
        """
    )


class _Sectors(_Drawn):
    # Wedges are made when they can first be seen, and shown only from a zoom on.
    _template = Template(
        """
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = new (L.LayerGroup.extend({
          getEvents: function () { return {zoomend: this.refresh}; },
          onAdd: function (map) { L.LayerGroup.prototype.onAdd.call(this, map); this.refresh(); },
          refresh: function () {
            var near = this._map && this._map.getZoom() >= {{ this.options.zoom }};
            if (!near) { this.clearLayers(); return; }
            if (this.getLayers().length) { return; }
            var self = this;
            {{ this.data|tojson }}.forEach(function (sector) {
              var lat = sector[0], lng = sector[1], points = [], radius = {{ this.options.radius }};
              var metre = 1 / 111320, stretch = Math.cos(lat * Math.PI / 180);
              var from = sector[2] === null ? 0 : sector[2] - {{ this.options.half_angle }};
              var to = sector[2] === null ? 360 : sector[2] + {{ this.options.half_angle }};
              if (sector[2] !== null) { points.push([lat, lng]); }
              for (var angle = from; angle <= to; angle += 10) {
                var turn = angle * Math.PI / 180;
                points.push([lat + radius * metre * Math.cos(turn),
                             lng + radius * metre * Math.sin(turn) / stretch]);
              }
              L.polygon(points, {color: {{ this.options.colour|tojson }}, weight: 1,
                fillColor: {{ this.options.colour|tojson }}, fillOpacity: 0.35})
                .bindTooltip(sector[3]).addTo(self);
            });
          }
        }))();
        {% endmacro %}
        """
    )


@dataclass(frozen=True)
class Zone:
    """A polygon of the map.

    Parameters
    ----------
    geometry
        GeoJSON geometry, WGS 84.
    tip
        Lines of its tooltip; the first is the heading.
    fill
        Its colour, or None for an outline only.
    """

    geometry: Mapping[str, Any]
    tip: tuple[str, ...]
    fill: str | None = None


@dataclass(frozen=True)
class Dot:
    """A mast on the map; see `Zone`. Coordinates WGS 84. [deg]."""

    latitude_deg: float
    longitude_deg: float
    tip: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """A route on the map.

    Parameters
    ----------
    points
        Latitude and longitude of its points, WGS 84; one tuple for each part. [deg]
    tip
        Lines of its tooltip; the first is the heading.
    """

    points: tuple[tuple[tuple[float, float], ...], ...]
    tip: tuple[str, ...]


@dataclass(frozen=True)
class Sector:
    """A cell on the map; azimuth None for all round. [deg]."""

    latitude_deg: float
    longitude_deg: float
    azimuth_deg: float | None
    tip: tuple[str, ...]


def _tip(lines: Sequence[str]) -> str:
    first, *others = (escape(line) for line in lines)
    return "<br>".join([f"<b>{first}</b>", *others])


def overlay_group(
    name: str, overlay: Overlay, opacity: float, *, control: bool = True
) -> folium.FeatureGroup:
    """Return a picture as a layer."""
    group = folium.FeatureGroup(name=name, control=control)
    folium.raster_layers.ImageOverlay(
        overlay.url, [list(corner) for corner in overlay.bounds], opacity=opacity
    ).add_to(group)
    return group


def zones_group(name: str, zones: Sequence[Zone], opacity: float) -> folium.FeatureGroup:
    """Return polygons with tooltips as a layer."""
    features = [
        {
            "type": "Feature",
            "geometry": zone.geometry,
            "properties": {
                "tip": _tip(zone.tip),
                "style": {
                    "color": "#33444d",
                    "weight": 1,
                    "opacity": 0.75,
                    "fillColor": zone.fill or "#ffffff",
                    # Nothing to see, but the tooltip needs something to point at.
                    "fillOpacity": opacity if zone.fill else 0.0,
                },
            },
        }
        for zone in zones
    ]
    group = folium.FeatureGroup(name=name)
    _Polygons(name, {"type": "FeatureCollection", "features": features}).add_to(group)
    return group


def dots_group(name: str, dots: Sequence[Dot], colour: str = "#12303d") -> folium.FeatureGroup:
    """Return masts as a layer."""
    data = [
        [round(dot.latitude_deg, 6), round(dot.longitude_deg, 6), _tip(dot.tip)] for dot in dots
    ]
    group = folium.FeatureGroup(name=name)
    _Dots(name, data, colour=colour).add_to(group)
    return group


def near_dots_group(
    name: str, dots: Sequence[Dot], colour: str, *, zoom: int = SECTOR_ZOOM
) -> folium.FeatureGroup:
    """Return places as a layer that shows from a zoom on."""
    data = [
        [round(dot.latitude_deg, 6), round(dot.longitude_deg, 6), _tip(dot.tip)] for dot in dots
    ]
    group = folium.FeatureGroup(name=name)
    _NearDots(name, data, colour=colour, zoom=zoom).add_to(group)
    return group


def lines_group(
    name: str,
    lines: Sequence[Line],
    colour: str,
    *,
    weight: float = 3.0,
    far_weight: float | None = None,
    zoom: int = SECTOR_ZOOM,
) -> folium.FeatureGroup:
    """Return routes with tooltips as a layer.

    Parameters
    ----------
    name
        Of the layer.
    lines
        The routes.
    colour
        As ``#rrggbb``.
    weight
        Width of the lines. [px]
    far_weight
        Width at smaller zooms than `zoom`; the same if None. [px]
    zoom
        From which zoom on `weight` is used.
    """
    data = [[[list(part) for part in line.points], _tip(line.tip)] for line in lines]
    group = folium.FeatureGroup(name=name)
    far = weight if far_weight is None else far_weight
    _Lines(name, data, colour=colour, weight=weight, far_weight=far, zoom=zoom).add_to(group)
    return group


def sectors_group(
    name: str, sectors: Sequence[Sector], colour: str = "#7a1f5c"
) -> folium.FeatureGroup:
    """Return cells as wedges, a layer that shows from `SECTOR_ZOOM` on."""
    data = [
        [
            round(sector.latitude_deg, 6),
            round(sector.longitude_deg, 6),
            sector.azimuth_deg,
            _tip(sector.tip),
        ]
        for sector in sectors
    ]
    group = folium.FeatureGroup(name=name)
    _Sectors(name, data, zoom=SECTOR_ZOOM, radius=260, half_angle=30, colour=colour).add_to(group)
    return group


def show(
    bounds: tuple[tuple[float, float], tuple[float, float]],
    groups: Sequence[folium.FeatureGroup],
    *,
    key: str,
    language: str,
    texts: Mapping[str, str],
    background: Overlay | None = None,
    tiles: bool = False,
) -> tuple[float, float] | None:
    """Show a map.

    Changing `groups` redraws them on the map that is there, with its position
    and zoom; only `background` and `tiles` make a new one.

    Parameters
    ----------
    bounds
        ((south, west), (north, east)) to show first. [deg]
    groups
        Layers, lowest first.
    key
        Key of the component.
    language
        Code of the language, for screen readers.
    texts
        What the map says itself: ``title``, ``zoom_in``, ``zoom_out``,
        ``layers``.
    background
        Picture below all layers.
    tiles
        Whether to load OpenStreetMap from the Internet.

    Returns
    -------
    tuple of float or None
        Latitude and longitude of the place that was clicked last. [deg]
    """
    (south, west), (north, east) = bounds
    canvas = WebMap(
        location=[(south + north) / 2, (west + east) / 2],
        zoom_start=10,
        tiles=None,
        prefer_canvas=True,
        zoom_snap=0.5,
        max_zoom=17,
    )
    if tiles:
        folium.TileLayer(
            _OPEN_STREET_MAP, attr=_OPEN_STREET_MAP_CREDIT, name="OpenStreetMap", control=False
        ).add_to(canvas)
    elif background is not None:
        overlay_group("background", background, 1.0, control=False).add_to(canvas)
    _Options([list(corner) for corner in bounds], language, texts).add_to(canvas)
    answer = st_folium(
        canvas,
        key=key,
        height=HEIGHT_PX,
        use_container_width=True,
        returned_objects=["last_clicked"],
        feature_group_to_add=list(groups),
        layer_control=folium.LayerControl(collapsed=True),
        pixelated=True,
    )
    clicked = (answer or {}).get("last_clicked")
    return (float(clicked["lat"]), float(clicked["lng"])) if clicked else None


def positions(geometry: Any) -> Iterator[tuple[float, float]]:
    """Yield latitude and longitude of points in WGS 84. [deg]."""
    yield from zip(geometry.y.tolist(), geometry.x.tolist(), strict=True)
