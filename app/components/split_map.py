"""Two pictures on one map with a line between them that can be moved.

Both lie at the same place, each in a pane of its own that is cut off at the line; so
position and zoom are the same by nature. The line is moved with the mouse, a finger or
the arrow keys, and nothing is loaded from elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import folium
from folium.template import Template
from streamlit_folium import st_folium

from app.components import web_map
from app.overlays import Overlay

HEIGHT_PX = 520


@dataclass(frozen=True)
class Side:
    """What one side shows.

    Parameters
    ----------
    title
        What it is.
    overlay
        Its picture.
    dots
        Masts to point out: latitude, longitude, colour, tooltip. [deg]
    """

    title: str
    overlay: Overlay
    dots: Sequence[tuple[float, float, str, str]] = ()


class _Split(folium.MacroElement):
    _template = Template(
        """
        {% macro header(this, kwargs) %}
        <style>
          .ps-split-line { position: absolute; top: 0; bottom: 0; width: 4px; z-index: 999;
            margin-left: -2px; background: #ffffff; box-shadow: 0 0 3px #000000aa;
            pointer-events: none; }
          .ps-split-range { position: absolute; left: 0; width: 100%; top: 50%; z-index: 1000;
            margin: -14px 0 0; height: 28px; background: transparent; pointer-events: none;
            appearance: none; -webkit-appearance: none; }
          .ps-split-range::-webkit-slider-thumb { appearance: none; -webkit-appearance: none;
            pointer-events: auto; cursor: ew-resize; width: 28px; height: 28px;
            border-radius: 50%; background: #ffffff; border: 3px solid #0b6280;
            box-shadow: 0 0 4px #00000088; }
          .ps-split-range::-moz-range-thumb { pointer-events: auto; cursor: ew-resize;
            width: 22px; height: 22px; border-radius: 50%; background: #ffffff;
            border: 3px solid #0b6280; }
          .ps-split-range:focus-visible { outline: none; }
          .ps-split-range:focus-visible::-webkit-slider-thumb { outline: 3px solid #ffb000; }
          .ps-split-title { position: absolute; top: 10px; z-index: 998; max-width: 38%;
            background: #ffffffe6; padding: 2px 8px; border-radius: 4px; font-weight: 600;
            pointer-events: none; overflow-wrap: anywhere; }
        </style>
        {% endmacro %}
        {% macro script(this, kwargs) %}
        (function (map, options) {
          var box = map.getContainer(), sides = [];
          options.sides.forEach(function (side, number) {
            var name = "split" + number, pane = map.createPane(name);
            pane.style.zIndex = 410;
            L.imageOverlay(side.url, side.bounds, {opacity: 0.75, pane: name,
              alt: side.title}).addTo(map);
            var brush = L.canvas({pane: name});
            side.dots.forEach(function (dot) {
              L.circleMarker([dot[0], dot[1]], {pane: name, renderer: brush, radius: 7,
                color: "#ffffff", weight: 2, fillColor: dot[2], fillOpacity: 1})
                .bindTooltip(dot[3]).addTo(map);
            });
            var title = L.DomUtil.create("div", "ps-split-title", box);
            title.textContent = side.title;
            title.style[number ? "right" : "left"] = number ? "10px" : "54px";
            sides.push(pane);
          });
          var line = L.DomUtil.create("div", "ps-split-line", box);
          var range = L.DomUtil.create("input", "ps-split-range", box);
          range.type = "range"; range.min = 0; range.max = 1000; range.value = 500;
          range.setAttribute("aria-label", options.label);
          L.DomEvent.disableClickPropagation(range);
          L.DomEvent.on(range, "keydown", L.DomEvent.stopPropagation);
          L.DomEvent.on(range, "pointerdown touchstart", function () { map.dragging.disable(); });
          L.DomEvent.on(window, "pointerup touchend", function () { map.dragging.enable(); });
          function cut() {
            var size = map.getSize(), at = range.value / 1000 * (size.x - 28) + 14;
            var first = map.containerPointToLayerPoint([0, 0]);
            var last = map.containerPointToLayerPoint(size), x = first.x + at;
            line.style.left = at + "px";
            sides[0].style.clip = "rect(" + [first.y, x, last.y, first.x].join("px,") + "px)";
            sides[1].style.clip = "rect(" + [first.y, last.x, last.y, x].join("px,") + "px)";
          }
          L.DomEvent.on(range, "input change", cut);
          map.on("move zoom resize viewreset", cut);
          cut();
        })({{ this._parent.get_name() }}, {{ this.options|tojson }});
        {% endmacro %}
        """
    )

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__()
        self._name = "Split"
        self.options = dict(options)


def show(
    bounds: tuple[tuple[float, float], tuple[float, float]],
    left: Side,
    right: Side,
    *,
    key: str,
    language: str,
    texts: Mapping[str, str],
    background: Overlay | None = None,
) -> None:
    """Show two pictures on one map, cut apart at a line.

    Parameters
    ----------
    bounds
        ((south, west), (north, east)) to show first. [deg]
    left, right
        What the sides show.
    key
        Key of the component.
    language
        Code of the language, for screen readers.
    texts
        As for `web_map.show`, and ``divider``: what the line is called.
    background
        Picture below both.
    """
    sides = [
        {
            "title": side.title,
            "url": side.overlay.url,
            "bounds": [list(corner) for corner in side.overlay.bounds],
            "dots": [list(dot) for dot in side.dots],
        }
        for side in (left, right)
    ]
    canvas = web_map.canvas(bounds, language=language, texts=texts, name=key, background=background)
    _Split({"sides": sides, "label": texts["divider"]}).add_to(canvas)
    st_folium(
        canvas,
        key=key,
        height=HEIGHT_PX,
        use_container_width=True,
        returned_objects=[],
        pixelated=True,
    )
