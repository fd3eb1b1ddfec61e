"""The sheet of a printed map: frame, units with names that do not overlap, legend, scale, north."""

from __future__ import annotations

import io
import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path as Outline
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from data.errors import message
from data.grid import Grid
from planning.reports.language import Language, clean

#: Resolution of printed pictures. [dots per inch]
DPI = 220

WIDTH_INCH = 6.7
_MOST_INCH = 7.2
_FOOT_INCH = 0.95

_LINE = "#54636b"
_INK = "#16262e"

#: Kinds of unit, which a label on a map can do without.
_KIND = re.compile(r"^(Phường|Xã|Thị trấn|Huyện|Thị xã|Thành phố|Tỉnh)\s+")

COVERED = "#1d7f8c"
NOT_COVERED = "#e4572e"

#: Lower ends of the classes of shares by unit, highest first, and their colours.
SHARE_BREAKS = (0.99, 0.95, 0.90, 0.80, 0.60)
SHARE_COLOURS = ("#0b3c5d", "#1d6f8f", "#3fa39b", "#8ccf86", "#e0e37a", "#f3b562")
NO_VALUE = "#c9d1d6"


@dataclass(frozen=True)
class Entry:
    """A line of a legend.

    Parameters
    ----------
    text
        What is shown.
    colour
        As ``#rrggbb``.
    kind
        ``area``, ``line`` or ``point``.
    style
        Line style, or the marker of a point.
    """

    text: str
    colour: str
    kind: str = "area"
    style: str = ""


class Sheet:
    """A map that is being drawn.

    Parameters
    ----------
    zones
        Units whose borders and names are shown, in metres.
    language
        Language of its texts.
    """

    def __init__(self, zones: gpd.GeoDataFrame, language: Language) -> None:
        self.zones = zones
        self.language = language
        self.outline = shapely.union_all(zones.geometry.to_numpy())
        x_min, y_min, x_max, y_max = self.outline.bounds
        margin = 0.03 * max(x_max - x_min, y_max - y_min)
        self.extent = (x_min - margin, x_max + margin, y_min - margin, y_max + margin)
        aspect = (y_max - y_min + 2 * margin) / (x_max - x_min + 2 * margin)
        height = min(WIDTH_INCH * aspect, _MOST_INCH)
        self.figure = Figure(figsize=(WIDTH_INCH, height + _FOOT_INCH), dpi=DPI)
        self.canvas = FigureCanvasAgg(self.figure)
        foot = _FOOT_INCH / (height + _FOOT_INCH)
        self.axes: Axes = self.figure.add_axes((0.005, foot, 0.99, 0.995 - foot))
        self.axes.set_xlim(self.extent[0], self.extent[1])
        self.axes.set_ylim(self.extent[2], self.extent[3])
        self.axes.set_aspect("equal")
        self.axes.set_xticks([])
        self.axes.set_yticks([])
        self.axes.set_facecolor("#f4f6f7")
        for side in self.axes.spines.values():
            side.set_color(_LINE)
            side.set_linewidth(0.6)
        self._foot = foot
        self._taken: list[Any] = []

    # Content

    def picture(self, colours: NDArray[np.uint8], grid: Grid) -> None:
        """Show colours of a grid (height, width, 4) within the area."""
        x_min, y_min, x_max, y_max = grid.bounds
        image = self.axes.imshow(
            colours,
            extent=(x_min, x_max, y_min, y_max),
            origin="upper",
            interpolation="nearest",
            zorder=1,
            aspect="equal",
        )
        self.axes.set_xlim(self.extent[0], self.extent[1])
        self.axes.set_ylim(self.extent[2], self.extent[3])
        image.set_clip_path(
            PathPatch(_path(self.outline), transform=self.axes.transData, facecolor="none")
        )

    def fill(self, colours: Sequence[str]) -> None:
        """Fill the units with one colour each."""
        for shape, colour in zip(self.zones.geometry, colours, strict=True):
            self.axes.add_patch(PathPatch(_path(shape), facecolor=colour, edgecolor="none"))

    def area(self, shape: Any, colour: str) -> None:
        """Fill one polygon."""
        self.axes.add_patch(PathPatch(_path(shape), facecolor=colour, edgecolor="none", zorder=2))

    def borders(self, wider: gpd.GeoDataFrame | None = None) -> None:
        """Draw the borders of the units, those of wider units and of the area bolder."""
        self._lines(shapely.boundary(self.zones.geometry.to_numpy()), 0.45, 3)
        if wider is not None and len(wider):
            self._lines(shapely.boundary(wider.geometry.to_numpy()), 1.0, 4)
        self._lines([shapely.boundary(self.outline)], 1.3, 4)

    def _lines(self, shapes: Any, width: float, order: int, colour: str = _LINE) -> None:
        parts = [part for part in shapely.get_parts(shapes) if part.geom_type == "LineString"]
        segments = [shapely.get_coordinates(part) for part in parts]
        self.axes.add_collection(
            LineCollection(segments, colors=colour, linewidths=width, zorder=order)
        )

    def routes(self, lines: gpd.GeoSeries, colour: str, width: float, style: str = "-") -> None:
        """Draw lines."""
        parts = [part for part in shapely.get_parts(lines.to_numpy()) if not part.is_empty]
        self.axes.add_collection(
            LineCollection(
                [shapely.get_coordinates(part) for part in parts],
                colors=colour,
                linewidths=width,
                linestyles=style,
                zorder=5,
            )
        )

    def points(
        self,
        places: gpd.GeoSeries,
        colour: str,
        size: float,
        marker: str = "o",
        *,
        keep_clear: bool = False,
    ) -> None:
        """Draw points; size in points of type. Names leave room for those to be kept clear."""
        if keep_clear:
            half = 0.5 * size * DPI / 72.0
            for x, y in self.axes.transData.transform(np.stack([places.x, places.y], axis=1)):
                self._taken.append(Bbox.from_extents(x - half, y - half, x + half, y + half))
        self.axes.plot(
            places.x,
            places.y,
            linestyle="none",
            marker=marker,
            markersize=size,
            markerfacecolor=colour,
            markeredgecolor="white",
            markeredgewidth=0.12 * size,
            zorder=6,
        )

    def numbers(self, places: gpd.GeoSeries, texts: Sequence[str]) -> None:
        """Write numbers beside points."""
        for place, text in zip(places, texts, strict=True):
            said = self._text(place.x, place.y, text, 6.0, weight="bold", colour="#7a1405")
            self._taken.append(said.get_window_extent(self.canvas.get_renderer()))

    # Names and frame

    def names(self) -> int:
        """Write the names of the units where they find room; return how many do."""
        renderer = self.canvas.get_renderer()
        size = 5.6 if len(self.zones) <= 60 else 4.6
        written = 0
        order = np.argsort(-self.zones.geometry.area.to_numpy())
        inside = shapely.point_on_surface(self.zones.geometry.to_numpy())
        step = 0.018 * (self.extent[3] - self.extent[2])
        frame = self.axes.get_window_extent(renderer)
        for position in order.tolist():
            name = _KIND.sub("", clean(self.zones["name"].iloc[position]))[:40]
            place = inside[position]
            for up in (0.0, 1.0, -1.0, 2.0, -2.0):
                said = self._text(place.x, place.y + up * step, name, size)
                box = said.get_window_extent(renderer).padded(1.5)
                within = frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1)
                if within and not any(box.overlaps(other) for other in self._taken):
                    self._taken.append(box)
                    written += 1
                    break
                said.remove()
        return written

    def _text(
        self, x: float, y: float, text: str, size: float, weight: str = "normal", colour: str = _INK
    ) -> Any:
        return self.axes.text(
            x,
            y,
            text,
            fontsize=size,
            ha="center",
            va="center",
            color=colour,
            fontweight=weight,
            zorder=8,
            parse_math=False,
            path_effects=[patheffects.withStroke(linewidth=1.4, foreground="white", alpha=0.85)],
        )

    def legend(self, entries: Sequence[Entry]) -> None:
        """Write the legend below the map."""
        handles = [_handle(entry) for entry in entries]
        columns = 1 if len(entries) <= 3 else 2 if len(entries) <= 8 else 3
        legend = self.figure.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(0.0, self._foot - 0.004),
            ncols=columns,
            fontsize=6.8,
            frameon=False,
            handlelength=1.7,
            columnspacing=1.4,
            labelspacing=0.35,
            borderaxespad=0.3,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)

    def scale(self, about: str) -> None:
        """Draw scale bar, north arrow and a line about the map below it."""
        left, bottom, width, height = self.axes.get_position().bounds
        del bottom, height
        shown = self.axes.get_xlim()
        metres_per_unit = (shown[1] - shown[0]) / width
        length = _round_length(0.2 * (shown[1] - shown[0]))
        bar = length / metres_per_unit
        start, y = left + width - bar - 0.085, 0.62 * self._foot
        for k in range(4):
            self.figure.add_artist(
                Line2D(
                    [start + k * bar / 4, start + (k + 1) * bar / 4],
                    [y, y],
                    color=_INK if k % 2 == 0 else "#b9c3c8",
                    linewidth=3.0,
                    solid_capstyle="butt",
                )
            )
        say = self.language
        half, whole = length / 2000.0, length / 1000.0
        digits = 0 if half == int(half) else 1 if 10 * half == int(10 * half) else 2
        for at, text in (
            (start, "0"),
            (start + bar / 2, say.number(half, digits)),
            (start + bar, say.number(whole, 0 if whole == int(whole) else digits, "km")),
        ):
            self.figure.text(at, y + 0.07 * self._foot, text, fontsize=6.5, ha="center", color=_INK)
        arrow = left + width - 0.025
        self.figure.text(
            arrow,
            0.9 * self._foot,
            say.say(message("N")),
            fontsize=8,
            ha="center",
            va="center",
            fontweight="bold",
            color=_INK,
        )
        self.figure.add_artist(_arrow(arrow, 0.78 * self._foot, 0.5 * self._foot, self.figure))
        self.figure.text(
            left + width - 0.004,
            0.14 * self._foot,
            about,
            fontsize=5.8,
            ha="right",
            va="center",
            color=_LINE,
            parse_math=False,
        )

    def png(self) -> bytes:
        """Return the picture."""
        written = io.BytesIO()
        self.figure.savefig(written, format="png", dpi=DPI, metadata={"Software": None})
        return written.getvalue()


def _arrow(x: float, top: float, bottom: float, figure: Figure) -> PathPatch:
    """Return an arrow to the north, in shares of a figure."""
    wide = 0.008
    shape = Outline(
        [
            (x, top),
            (x + wide, bottom),
            (x, bottom + 0.25 * (top - bottom)),
            (x - wide, bottom),
            (x, top),
        ],
        closed=True,
    )
    return PathPatch(shape, facecolor=_INK, edgecolor="none", transform=figure.transFigure)


def _round_length(metres: float) -> float:
    """Return the roundest length not above one."""
    power = 10.0 ** math.floor(math.log10(metres))
    return next(factor * power for factor in (5.0, 2.0, 1.0) if factor * power <= metres)


def _handle(entry: Entry) -> Any:
    if entry.kind == "line":
        return Line2D(
            [], [], color=entry.colour, linewidth=1.6, linestyle="-",
            label=entry.text,
        )  # fmt: skip
    if entry.kind == "point":
        return Line2D(
            [], [], linestyle="none", marker=entry.style or "o", markersize=4.5,
            markerfacecolor=entry.colour, markeredgecolor="white", markeredgewidth=0.4,
            label=entry.text,
        )  # fmt: skip
    return Patch(facecolor=entry.colour, edgecolor=_LINE, linewidth=0.4, label=entry.text)


def _path(shape: Any) -> Outline:
    """Return a polygon, or several, with their holes as one path."""
    corners: list[NDArray[np.float64]] = []
    codes: list[NDArray[np.uint8]] = []
    for part in shapely.get_parts(shape):
        if part.geom_type != "Polygon":
            continue
        for ring in (part.exterior, *part.interiors):
            places = shapely.get_coordinates(ring)
            steps = np.full(len(places), Outline.LINETO, np.uint8)
            steps[0], steps[-1] = Outline.MOVETO, Outline.CLOSEPOLY
            corners.append(places)
            codes.append(steps)
    return Outline(np.concatenate(corners), np.concatenate(codes))


def rgba(colour: str) -> tuple[int, int, int, int]:
    """Return a colour as bytes, without transparency."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16), 255


def share_colour(share: float | None) -> str:
    """Return the colour of a share, 0 to 1; grey for none."""
    if share is None or not math.isfinite(share):
        return NO_VALUE
    for low, colour in zip(SHARE_BREAKS, SHARE_COLOURS, strict=False):
        if share >= low:
            return colour
    return SHARE_COLOURS[-1]


def share_entries(language: Language) -> list[Entry]:
    """Return the legend of `share_colour`."""
    written = [language.percent(value, 0) for value in SHARE_BREAKS]
    texts = [language.say(message("{share} or more", share=written[0]))]
    texts += [
        language.say(message("{low} to {high}", low=low, high=high))
        for high, low in itertools.pairwise(written)
    ]
    texts.append(language.say(message("less than {share}", share=written[-1])))
    entries = [Entry(text, colour) for text, colour in zip(texts, SHARE_COLOURS, strict=True)]
    return [*entries, Entry(language.say(message("no figure")), NO_VALUE)]
