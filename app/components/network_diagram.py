"""A one-line diagram of the dedicated network: centres, gathering nodes, ends.

Ends are small squares beside the node that they hang from, so that a
province of some hundred sites fits on a page; where too many hang from one node, they
are only counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app import formats
from app.i18n import _
from planning.dedicated_network import Network

#: Ends that a box shows one by one.
MOST_SQUARES = 72

#: Boxes beside each other.
_PER_ROW = 7

_WIDTH = 1120
_BOX_HEIGHT = 34
_SQUARE = 13
_GAP = 4
_TIER_GAP = 96
_GREY, _DARK, _FAULT = "#9fb3bd", "#33444d", "#d1352b"


@dataclass(frozen=True)
class Tiers:
    """Which site hangs from which node.

    Parameters
    ----------
    centres, nodes
        Positions of data centres and of gathering nodes, the latter so that those
        with a link between them lie side by side.
    members
        Positions of the ends by the position of the node that they hang from; -1: from
        none.
    """

    centres: list[int]
    nodes: list[int]
    members: dict[int, list[int]]


def tiers(live: Network) -> Tiers:
    """Sort the sites of a network into tiers.

    Parameters
    ----------
    live
        The network.

    Returns
    -------
    Tiers
        Every end below the node that is the fewest links away.
    """
    around = _neighbours(live)
    role = live.sites["role"].to_numpy(dtype=object)
    centres = np.flatnonzero(role == "hub").tolist()
    nodes = _in_order(np.flatnonzero(role == "aggregation").tolist(), around)
    owner = np.full(len(role), -1, dtype=np.int64)
    heads = [*nodes, *centres]
    owner[heads] = heads
    waiting = deque(heads)
    while waiting:
        site = waiting.popleft()
        for other in around[site]:
            if owner[other] < 0:
                owner[other] = owner[site]
                waiting.append(other)
    members: dict[int, list[int]] = {}
    for site in np.flatnonzero(role == "access").tolist():
        members.setdefault(int(owner[site]), []).append(site)
    return Tiers(centres, nodes, members)


def _neighbours(live: Network) -> list[list[int]]:
    around: list[list[int]] = [[] for _site in range(len(live.sites))]
    for a, b in zip(live.tail.tolist(), live.head.tolist(), strict=True):
        around[a].append(b)
        around[b].append(a)
    return around


def _in_order(nodes: list[int], around: list[list[int]]) -> list[int]:
    """Walk along the links between nodes, so that a ring becomes a row."""
    left, found = dict.fromkeys(nodes), []
    while left:
        site: int | None = next(iter(left))
        while site is not None:
            del left[site]
            found.append(site)
            site = next((other for other in around[site] if other in left), None)
    return found


def show(
    live: Network,
    colours: Sequence[str],
    *,
    failed_links: NDArray[np.int64],
    title: str,
) -> None:
    """Show the diagram.

    Parameters
    ----------
    live
        The network.
    colours
        Colour of each site, as ``#rrggbb``.
    failed_links
        Positions of the links that are down.
    title
        For screen readers.
    """
    # Named, so that it keeps a width on phones at which its texts can be read.
    with st.container(key="network-diagram"):
        st.altair_chart(
            chart(live, colours, failed_links=failed_links), width="stretch", theme=None, alt=title
        )
    st.caption(
        _(
            "Top: data centres; below: gathering nodes; squares: ends beside the node that they "
            "hang from, with a dark frame if they have several links. Red lines and frames: "
            "links that are down."
        )
    )


def chart(
    live: Network, colours: Sequence[str], *, failed_links: NDArray[np.int64]
) -> alt.LayerChart:
    """Return the diagram; parameters as for `show`."""
    drawing = _Drawing(live, colours, set(failed_links.tolist()))
    drawing.draw(tiers(live))
    x = {"scale": alt.Scale(domain=[0, _WIDTH], nice=False), "axis": None}
    y = {"scale": alt.Scale(domain=[drawing.height, 0], nice=False), "axis": None}
    tip = alt.Tooltip("tip:N", title="")
    layers = []
    for down in (False, True):
        points = [point for point in drawing.points if point["down"] == down]
        if points:
            look = (
                {"color": _FAULT, "strokeWidth": 3, "strokeDash": [6, 4]}
                if down
                else {"color": _GREY, "strokeWidth": 1.8}
            )
            layers.append(
                alt.Chart(pd.DataFrame(points))
                .mark_line(**look)
                .encode(
                    x=alt.X("x:Q", **x),
                    y=alt.Y("y:Q", **y),
                    detail="link:N",
                    order="step:Q",
                    tooltip=tip,
                )
            )
    layers.append(
        alt.Chart(pd.DataFrame(drawing.boxes))
        .mark_rect(cornerRadius=2)
        .encode(
            x=alt.X("x:Q", **x),
            x2="x2:Q",
            y=alt.Y("y:Q", **y),
            y2="y2:Q",
            color=alt.Color("colour:N", scale=None),
            stroke=alt.Stroke("frame:N", scale=None),
            strokeWidth=alt.StrokeWidth("thickness:Q", scale=None),
            tooltip=tip,
        )
    )
    for align in ("center", "left"):
        texts = [text for text in drawing.texts if text["align"] == align]
        if texts:
            layers.append(
                alt.Chart(pd.DataFrame(texts))
                .mark_text(align=align, baseline="middle", fontSize=12, fontWeight=600)
                .encode(
                    x=alt.X("x:Q", **x),
                    y=alt.Y("y:Q", **y),
                    text="text:N",
                    color=alt.Color("colour:N", scale=None),
                    tooltip=tip,
                )
            )
    return (
        alt.layer(*layers)
        .properties(height=drawing.height)
        .configure_view(stroke=None)
        .configure(font="Source Sans, Noto Sans, system-ui, sans-serif")
    )


class _Drawing:
    """Puts boxes into rows, then lines between them; all in pixels of a wide screen."""

    def __init__(self, live: Network, colours: Sequence[str], failed: set[int]) -> None:
        self.live = live
        self.colours = colours
        self.failed = failed
        self.points: list[dict[str, object]] = []
        self.boxes: list[dict[str, object]] = []
        self.texts: list[dict[str, object]] = []
        self.height = 0.0
        self.at: dict[int, tuple[float, float]] = {}
        self.ids = live.sites["site_id"].tolist()
        names = live.sites["name"].tolist()
        self.names = [
            str(code) if pd.isna(name) else str(name)
            for code, name in zip(self.ids, names, strict=True)
        ]
        self.degree = np.bincount(np.concatenate([live.tail, live.head]), minlength=len(names))
        broken = sorted(failed)
        self.at_failed = {*live.tail[broken].tolist(), *live.head[broken].tolist()}

    def draw(self, sorted_sites: Tiers) -> None:
        """Draw all tiers, from top to bottom."""
        members = sorted_sites.members
        top = 8.0
        for row in _rows(sorted_sites.centres):
            top = self._row(row, members, top, centre=True) + 22.0
        if sorted_sites.nodes:
            top += _TIER_GAP - 22.0
        for row in _rows(sorted_sites.nodes):
            top = self._row(row, members, top) + 30.0
        lost = members.get(-1, [])
        if lost:
            self._text(8.0, top + 8.0, _("Without a link to any node"))
            top = self._squares(lost, 8.0, top + 20.0, _WIDTH - 16.0)
        self.height = top + 8.0
        self._links()

    def _row(
        self, sites: list[int], members: dict[int, list[int]], top: float, *, centre: bool = False
    ) -> float:
        """Draw nodes side by side with their ends; return where that ends.

        Ends lie below their node, but above a data centre, whose links leave it below.
        """
        room = _WIDTH / len(sites)
        width = min(room - 14.0, 420.0 if centre else 250.0)
        lefts = [room * (number + 0.5) - width / 2 for number in range(len(sites))]
        bottom = top
        if centre:
            for site, left in zip(sites, lefts, strict=True):
                if site in members:
                    bottom = max(bottom, self._squares(members[site], left, top, width) + 4.0)
            top = bottom
        for site, left in zip(sites, lefts, strict=True):
            self.at[site] = (left + width / 2, top)
            self._node(site, left, top, width)
            below = top + _BOX_HEIGHT + 6.0
            if not centre and site in members:
                below = self._squares(members[site], left, below, width)
            bottom = max(bottom, below)
        return bottom

    def _node(self, site: int, left: float, top: float, width: float) -> None:
        colour, name = self.colours[site], self.names[site]
        most = max(6, int(width / 7.2))
        self._box(left, top, width, _BOX_HEIGHT, colour, self._tip(site))
        self.texts.append(
            {
                "x": left + width / 2,
                "y": top + _BOX_HEIGHT / 2,
                "text": name if len(name) <= most else name[: most - 1] + "…",
                "colour": _on(colour),
                "align": "center",
                "tip": self._tip(site),
            }
        )

    def _box(
        self,
        left: float,
        top: float,
        width: float,
        height: float,
        colour: str,
        tip: str,
        frame: str = "#ffffff",
        thickness: float = 0.6,
    ) -> None:
        self.boxes.append(
            {
                "x": left,
                "x2": left + width,
                "y": top,
                "y2": top + height,
                "colour": colour,
                "tip": tip,
                "frame": frame,
                "thickness": thickness,
            }
        )

    def _tip(self, site: int) -> str:
        return f"{self.names[site]} ({self.ids[site]})"

    def _squares(self, sites: list[int], left: float, top: float, width: float) -> float:
        """Draw ends as squares, or count them; return where they end."""
        if len(sites) > MOST_SQUARES:
            return self._counted(sites, left, top)
        step = _SQUARE + _GAP
        across = max(1, int((width + _GAP) // step))
        for number, site in enumerate(sites):
            x, y = left + step * (number % across), top + step * (number // across)
            frame, thickness = (_DARK, 2.2) if self.degree[site] > 1 else ("#ffffff", 0.6)
            if site in self.at_failed:
                frame, thickness = _FAULT, 2.6
            side = _SQUARE - 2
            tip = self._tip(site)
            self._box(x + 1, y + 1, side, side, self.colours[site], tip, frame, thickness)
        return top + step * (1 + (len(sites) - 1) // across)

    def _counted(self, sites: list[int], left: float, top: float) -> float:
        """Write how many ends have which colour."""
        counts: dict[str, int] = {}
        for site in sites:
            counts[self.colours[site]] = counts.get(self.colours[site], 0) + 1
        x = left
        for colour, count in sorted(counts.items(), key=lambda item: -item[1]):
            text = f"× {formats.number(count)}"
            self._box(x, top, _SQUARE, _SQUARE, colour, text)
            self._text(x + _SQUARE + 4, top + _SQUARE / 2, text)
            x += _SQUARE + 14 + 7.5 * len(text)
        return top + _SQUARE + _GAP

    def _text(self, x: float, y: float, text: str) -> None:
        self.texts.append(
            {"x": x, "y": y, "text": text, "colour": _DARK, "align": "left", "tip": text}
        )

    def _links(self) -> None:
        """Draw the links between nodes; several between two are drawn side by side."""
        beside: dict[tuple[int, int], int] = {}
        links = self.live.links
        ends = zip(self.live.tail.tolist(), self.live.head.tolist(), strict=True)
        for link, (a, b) in enumerate(ends):
            if a == b or a not in self.at or b not in self.at:
                continue
            pair = (min(a, b), max(a, b))
            number = beside[pair] = beside.get(pair, -1) + 1
            tip = f"{links['link_id'].iloc[link]}: {self.names[a]} – {self.names[b]}"
            for step, (x, y) in enumerate(self._way(a, b, 5.0 * number)):
                self.points.append(
                    {
                        "link": link,
                        "step": step,
                        "x": x,
                        "y": y,
                        "down": link in self.failed,
                        "tip": tip,
                    }
                )

    def _way(self, a: int, b: int, shift: float) -> list[tuple[float, float]]:
        (x1, y1), (x2, y2) = sorted((self.at[a], self.at[b]), key=lambda place: place[1])
        if abs(y1 - y2) >= 1.0:
            return [(x1 + shift, y1 + _BOX_HEIGHT), (x2 + shift, y2)]
        # Side by side: an arc above the boxes, the higher the farther.
        x1, x2 = min(x1, x2) + 12.0 + shift, max(x1, x2) - 12.0 - shift
        rise = min(_TIER_GAP - 30.0, 14.0 + 0.08 * (x2 - x1)) + shift
        turns = np.linspace(0.0, np.pi, 15).tolist()
        middle, half = (x1 + x2) / 2, (x2 - x1) / 2
        return [(middle - half * np.cos(turn), y1 - rise * np.sin(turn)) for turn in turns]


def _rows(sites: list[int]) -> list[list[int]]:
    """Part nodes into rows of about the same length."""
    if not sites:
        return []
    count = -(-len(sites) // _PER_ROW)
    return [part.tolist() for part in np.array_split(np.array(sites), count)]


def _on(colour: str) -> str:
    """Return black or white, whichever is read better on a colour."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#111111" if 0.299 * red + 0.587 * green + 0.114 * blue > 150 else "#ffffff"
