"""A folium map that needs nothing from the Internet.

folium loads Leaflet and other libraries from content networks; streamlit-folium
passes those addresses on. This map names the Leaflet that the app serves itself
(`app/leaflet`), and its layers are drawn by a script of the app
(`app/web_map/layers.js`) from plain JSON, on a canvas. Pictures and long data
are fetched by the browser and kept there, so that a change of layers sends
little and a thousand masts and some thousand sectors stay quick.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import folium
import streamlit.components.v1 as components
from folium.map import Layer
from folium.template import Template
from streamlit import runtime
from streamlit_folium import st_folium

from app.i18n import _
from app.overlays import Overlay

HEIGHT_PX = 600

#: Sectors appear from this zoom on. About 1:70,000.
SECTOR_ZOOM = 13

#: Places are drawn one by one from this zoom on, however many there are.
APART_ZOOM = 12

#: Polygons are drawn in more detail from this zoom on.
DETAIL_ZOOM = 12

#: Fewer places than these are never drawn as a number of them.
FEW_DOTS = 150

#: Side of the squares within which places are drawn as a number. [px]
CLUSTER_PX = 56

#: Longer data are fetched by the browser, once, instead of being sent at every change.
LONGEST_INLINE = 4000

_OPEN_STREET_MAP = "https://tile.openstreetmap.org/{z}/{x}/{y}.png"
_OPEN_STREET_MAP_CREDIT = (
    '&copy; <a href="https://www.openstreetmap.org/copyright">OpenStreetMap</a>'
)

_APP = Path(__file__).parent.parent

# Declaring a component makes Streamlit serve its folder; it is never called.
_FILES = components.declare_component("leaflet_files", path=str(_APP / "leaflet"))
_SCRIPTS = components.declare_component("web_map_files", path=str(_APP / "web_map"))

# Browsers keep the script; another one has another address.
_VERSION = hashlib.sha256((_APP / "web_map" / "layers.js").read_bytes()).hexdigest()[:12]


class WebMap(folium.Map):
    """A folium map whose only libraries are those that the app serves itself."""

    # Relative to the folder from which streamlit-folium's frame is served.
    default_js = [  # noqa: RUF012 - as in folium
        ("leaflet", f"../{_FILES.name}/leaflet.js"),
        ("layers", f"../{_SCRIPTS.name}/layers.js?{_VERSION}"),
    ]
    default_css = [("leaflet_css", f"../{_FILES.name}/leaflet.css")]  # noqa: RUF012 - as in folium


class _Options(folium.MacroElement):
    """Set what folium has no option for."""

    _template = Template(
        """
        {% macro header(this, kwargs) %}
        <style>
          .leaflet-container { background: #d9ddd4;
            font: 13px/1.4 "Source Sans", "Noto Sans", system-ui, sans-serif; }
          .leaflet-container:focus-visible { outline: 3px solid #0b6280; outline-offset: -3px; }
          .leaflet-tooltip { font-size: 13px; }
          .ps-number span { display: flex; width: 100%; height: 100%; border-radius: 50%;
            align-items: center; justify-content: center; color: #ffffff; opacity: 0.88;
            font: 600 11px/1 "Source Sans", "Noto Sans", system-ui, sans-serif;
            border: 1px solid #ffffff; box-sizing: border-box; }
        </style>
        {% endmacro %}
        {% macro script(this, kwargs) %}
        PhuSong.setUp({{ this._parent.get_name() }}, {{ this.options|tojson }});
        {% endmacro %}
        """
    )

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__()
        self._name = "Options"
        self.options = dict(options)


class _Drawn(Layer):
    """A layer that `layers.js` draws from JSON, by the class of the same name."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = new PhuSong.{{ this.kind }}({{ this.source }},
          {{ this.options|tojson }});
        {% endmacro %}
        """
    )

    def __init__(self, kind: str, name: str, source: str, **options: object) -> None:
        super().__init__(name=name, overlay=True, control=True, show=True)
        self._name = kind
        self.kind = kind
        self.source = source
        self.options = options


class _Picture(Layer):
    _template = Template(
        """
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = L.imageOverlay({{ this.url|tojson }},
          {{ this.corners|tojson }}, {opacity: {{ this.opacity }}, alt: {{ this.alt|tojson }}});
        {% endmacro %}
        """
    )

    def __init__(self, name: str, overlay: Overlay, opacity: float, *, control: bool) -> None:
        super().__init__(name=name, overlay=True, control=control, show=True)
        self._name = "Picture"
        self.url = _fetched(overlay.png, "image/png") or overlay.url
        self.corners = [list(corner) for corner in overlay.bounds]
        self.opacity = opacity
        self.alt = name if control else ""


def _fetched(content: bytes, mimetype: str) -> str | None:
    """Return where the map's frame finds a content; None where no server runs.

    Streamlit keeps it as long as a session shows it, under a name made of its
    hash: who has not been shown it cannot guess it.
    """
    if not runtime.exists():
        return None
    part = f"map-{hashlib.sha256(content).hexdigest()}"
    url = runtime.get_instance().media_file_mgr.add(content, mimetype, part)
    return f"../..{url}"


def packed(data: object) -> bytes:
    """Return the data of a layer as JSON.

    Parameters
    ----------
    data
        Lists, texts and numbers.

    Returns
    -------
    bytes
        UTF-8, for `_source`.
    """
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def _source(content: bytes) -> str:
    """Return JSON for a script: the address of long data, or short data themselves."""
    url = _fetched(content, "application/json") if len(content) > LONGEST_INLINE else None
    if url is not None:
        return json.dumps(url)
    # A closing tag in a text must not end the script.
    return content.decode().replace("<", "\\u003c")


@dataclass(frozen=True)
class Zone:
    """A polygon of the map.

    Parameters
    ----------
    geometry
        GeoJSON geometry, WGS 84; not needed where `zones_group` gets outlines.
    tip
        Lines of its tooltip; the first is the heading.
    fill
        Its colour, or None for an outline only.
    """

    geometry: Mapping[str, Any] | None
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
    _Picture(name, overlay, opacity, control=control).add_to(group)
    return group


def _layer(kind: str, name: str, content: bytes, **options: object) -> folium.FeatureGroup:
    group = folium.FeatureGroup(name=name)
    _Drawn(kind, name, _source(content), **options).add_to(group)
    return group


def zones_group(
    name: str,
    zones: Sequence[Zone],
    opacity: float,
    outlines: tuple[bytes, bytes] | None = None,
) -> folium.FeatureGroup:
    """Return polygons with tooltips as a layer.

    Parameters
    ----------
    name
        Of the layer.
    zones
        The polygons.
    opacity
        Of their colours, 0 to 1.
    outlines
        Their geometries as `packed`, for maps of the whole area and for a
        closer look; None takes those of `zones` for both.
    """
    far, near = outlines or (packed([zone.geometry for zone in zones]), None)
    return _layer(
        "Zones",
        name,
        far,
        near=None if near is None else _fetched(near, "application/json"),
        zoom=DETAIL_ZOOM,
        opacity=opacity,
        looks=[[_tip(zone.tip), zone.fill] for zone in zones],
    )


def pack_dots(dots: Sequence[Dot]) -> bytes:
    """Return the data of a layer of places, to be kept where there are many."""
    return packed(
        [[round(dot.latitude_deg, 6), round(dot.longitude_deg, 6), _tip(dot.tip)] for dot in dots]
    )


def dots_group(
    name: str, dots: Sequence[Dot] | bytes, colour: str = "#12303d", *, few: int = FEW_DOTS
) -> folium.FeatureGroup:
    """Return places as a layer; where many are close together, as a number of them.

    Parameters
    ----------
    name
        Of the layer.
    dots
        The places, or what `pack_dots` made of them.
    colour
        As ``#rrggbb``.
    few
        Fewer places than this are always drawn one by one.
    """
    return _layer(
        "Dots",
        name,
        dots if isinstance(dots, bytes) else pack_dots(dots),
        colour=colour,
        few=few,
        pixels=CLUSTER_PX,
        apart=APART_ZOOM,
        say=_("{count} close together; click to see them"),
    )


def near_dots_group(
    name: str, dots: Sequence[Dot], colour: str, *, zoom: int = SECTOR_ZOOM
) -> folium.FeatureGroup:
    """Return places as a layer that shows from a zoom on."""
    return _layer("NearDots", name, pack_dots(dots), colour=colour, zoom=zoom)


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
    far = weight if far_weight is None else far_weight
    return _layer(
        "Lines", name, packed(data), colour=colour, weight=weight, far_weight=far, zoom=zoom
    )


def pack_sectors(sectors: Sequence[Sector]) -> bytes:
    """Return the data of a layer of cells, to be kept where there are many."""
    return packed(
        [
            [
                round(sector.latitude_deg, 6),
                round(sector.longitude_deg, 6),
                sector.azimuth_deg,
                _tip(sector.tip),
            ]
            for sector in sectors
        ]
    )


def sectors_group(
    name: str, sectors: Sequence[Sector] | bytes, colour: str = "#7a1f5c"
) -> folium.FeatureGroup:
    """Return cells as wedges, a layer that shows from `SECTOR_ZOOM` on.

    Parameters
    ----------
    name
        Of the layer.
    sectors
        The cells, or what `pack_sectors` made of them.
    colour
        As ``#rrggbb``.
    """
    return _layer(
        "Sectors",
        name,
        sectors if isinstance(sectors, bytes) else pack_sectors(sectors),
        zoom=SECTOR_ZOOM,
        radius=260,
        half_angle=30,
        colour=colour,
    )


def canvas(
    bounds: tuple[tuple[float, float], tuple[float, float]],
    *,
    language: str,
    texts: Mapping[str, str],
    name: str,
    background: Overlay | None = None,
    tiles: bool = False,
    linked: bool = False,
) -> WebMap:
    """Return a map without layers of its own.

    Parameters
    ----------
    bounds, language, texts, background, tiles, linked
        See `show`.
    name
        Under which the browser keeps the position.

    Returns
    -------
    WebMap
        To be shown with streamlit-folium.
    """
    (south, west), (north, east) = bounds
    made = WebMap(
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
        ).add_to(made)
    elif background is not None:
        overlay_group("background", background, 1.0, control=False).add_to(made)
    options = {
        "bounds": [list(corner) for corner in bounds],
        "language": language,
        "name": name,
        "linked": linked,
        "keys": _("Arrow keys move the map, plus and minus zoom, Enter asks about its middle."),
        **texts,
    }
    _Options(options).add_to(made)
    return made


def show(
    bounds: tuple[tuple[float, float], tuple[float, float]],
    groups: Sequence[folium.FeatureGroup],
    *,
    key: str,
    language: str,
    texts: Mapping[str, str],
    background: Overlay | None = None,
    tiles: bool = False,
    linked: bool = False,
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
    linked
        Whether the page's address has the map's position (``view``, written by
        the map itself without asking the server) and the place (``at``).

    Returns
    -------
    tuple of float or None
        Latitude and longitude of the place that was clicked last. [deg]
    """
    made = canvas(
        bounds,
        language=language,
        texts=texts,
        name=f"map-position-{key}",
        background=background,
        tiles=tiles,
        linked=linked,
    )
    answer = st_folium(
        made,
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
