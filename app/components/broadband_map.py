"""The map of broadband coverage: homes served or not and why, units, fibre and access points."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import folium
import geopandas as gpd
import numpy as np
import pandas as pd
import streamlit as st

from app import formats, labels, overlays, study
from app import legend as legends
from app.components import broadband_figures, fibre_map, map_layers, style, vintage, web_map
from app.components.kept import keep
from app.errors import readable
from app.i18n import _, language, mark
from app.legend import Entry
from coverage.results import ANY_OPERATOR
from data.grid import Grid
from data.store import Workspace
from data.study_area import finest_level, finest_zones
from planning.broadband import SERVED, BroadbandResult, load

SUBJECTS = {
    "fixed": mark("Fixed broadband, and why not"),
    "either": mark("Fixed or mobile"),
    "zones": mark("Share by unit"),
}

#: Colours of `labels.HOME_STATES`, told apart by lightness, too.
STATE_COLOURS = {
    "served": "#1d7f8c",
    "partly_served": "#8ccf86",
    "no_port": "#f3b562",
    "no_budget": "#7a1f5c",
    "too_far": "#e4572e",
    "off_network": "#6b4a3a",
}

#: Whether a home has fixed broadband, only mobile broadband, or neither.
EITHER = {
    "fixed": mark("fixed broadband"),
    "mobile": mark("mobile broadband only"),
    "none": mark("neither"),
}
EITHER_COLOURS = {"fixed": "#1d7f8c", "mobile": "#f3c94f", "none": "#e4572e"}

#: Up to this many homes are drawn one by one, more as a picture.
MOST_DOTS = 3_000

#: Finest pixel of that picture. [m]
FINEST_M = 25.0


@dataclass(frozen=True)
class _View:
    subject: str
    service: str
    measure: str
    opacity: float
    background: str
    zones: tuple[int, ...]


@st.fragment
@readable
def show(area: Workspace, result: BroadbandResult) -> None:
    """Show the choice of what is drawn, the legend and the map.

    Parameters
    ----------
    area
        The workspace.
    result
        Its broadband coverage.
    """
    # The map keeps its place whatever is shown above it: moved, it would be empty.
    choice, legend, place = st.container(), st.container(), st.container()
    with choice:
        view = _choose(area, result)
    found = _homes_or_zones(area, result, view)
    routes, route_entries = fibre_map.network(area)
    key = str(result.folder)
    found += routes
    found.append(
        web_map.near_dots_group(
            _("Access points (when zoomed in)"),
            _access_points(key, language()),
            fibre_map.ACCESS_COLOUR,
            zoom=fibre_map.ACCESS_ZOOM,
        )
    )
    with legend:
        style.legend(*_legend(result, view))
        style.legend(
            [*route_entries, Entry(fibre_map.ACCESS_COLOUR, _("Access points (when zoomed in)"))],
            _("Fibre network"),
        )
    with place:
        web_map.show(
            map_layers.bounds(area),
            found,
            key=f"broadband-map-{language()}",
            language=language(),
            texts=fibre_map.texts(_("Map of homes and fibre")),
            background=map_layers.relief(area) if view.background == "relief" else None,
            tiles=view.background == "tiles",
        )


def _choose(area: Workspace, result: BroadbandResult) -> _View:
    services = [
        name
        for name in (*broadband_figures.HEADLINES, *broadband_figures.STEPS)
        if name in set(result.figures["service"])
    ]
    subjects = [name for name in SUBJECTS if name != "either" or "broadband_or_mobile" in services]
    first, second, third = st.columns([3, 1.2, 1.2])
    subject = first.segmented_control(
        _("Show"),
        subjects,
        format_func=lambda name: _(SUBJECTS[name]),
        key=keep("broadband_subject", subjects[0], subjects),
        required=True,
        wrap=True,
    )
    backgrounds = list(map_layers.BACKGROUNDS)
    background = second.selectbox(
        _("Background"),
        backgrounds,
        format_func=lambda name: _(map_layers.BACKGROUNDS[name]),
        key=keep("background", "relief", backgrounds),
    )
    opacity = third.slider(_("Opacity, %"), 10, 100, step=10, key=keep("opacity", 70))
    service, measure = SERVED, broadband_figures.MEASURES[0]
    zones = study.layer(area, "zones")
    if subject == "zones":
        first, second, third = st.columns([3, 1.2, 1.2])
        service = first.selectbox(
            _("Figure"),
            services,
            format_func=labels.service,
            key=keep("broadband_service", SERVED, services),
        )
        measure = second.selectbox(
            _("Share of"),
            list(broadband_figures.MEASURES),
            format_func=labels.measure,
            key=keep("broadband_map_measure", measure, broadband_figures.MEASURES),
        )
        rows = vintage.choose(zones, finest_level(zones), third)
    else:
        rows = list(finest_zones(zones.reset_index(drop=True)).index)
    return _View(subject, service, measure, opacity / 100.0, background, tuple(rows))


def _legend(result: BroadbandResult, view: _View) -> tuple[list[Entry], str]:
    if view.subject == "zones":
        title = _(
            "{service}: share of {what}",
            service=labels.service(view.service),
            what=labels.measure(view.measure).lower(),
        )
        return legends.share_legend(), title
    there = set(_classes(result.homes, view.subject))
    if view.subject == "either":
        entries = [
            Entry(EITHER_COLOURS[name], _(text)) for name, text in EITHER.items() if name in there
        ]
        return entries, labels.service("broadband_or_mobile")
    entries = [
        Entry(STATE_COLOURS[name], labels.home_state(name))
        for name in labels.HOME_STATES
        if name in there
    ]
    return entries, labels.service(SERVED)


def _homes_or_zones(
    area: Workspace, result: BroadbandResult, view: _View
) -> list[folium.FeatureGroup]:
    zones = web_map.zones_group(_("Administrative units"), _zones(area, result, view), view.opacity)
    if view.subject == "zones":
        return [zones]
    homes = result.homes
    if len(homes) > MOST_DOTS:
        spacing_m = float(result.summary["homes"]["spacing_m"])
        picture = _picture(str(result.folder), view.subject, spacing_m)
        return [web_map.overlay_group(_("Homes"), picture, view.opacity), zones]
    found = [zones]
    classes = _classes(homes, view.subject)
    colours = STATE_COLOURS if view.subject == "fixed" else EITHER_COLOURS
    for name, colour in colours.items():
        chosen = homes[classes == name]
        if len(chosen):
            dots = fibre_map.dots_of(chosen, [_home_tip(row) for row in chosen.itertuples()])
            found.append(web_map.dots_group(_class_name(name, view.subject), dots, colour))
    return found


def _class_name(name: str, subject: str) -> str:
    text = labels.home_state(name) if subject == "fixed" else _(EITHER[name])
    return _("Homes: {state}", state=text)


def _home_tip(row: Any) -> tuple[str, ...]:
    lines = (
        labels.home_state(row.state),
        _("{count} households", count=formats.number(row.households)),
        _("To the access point: {distance}", distance=formats.distance(row.distance_m)),
    )
    return lines if not pd.isna(row.distance_m) else lines[:2]


def _classes(homes: gpd.GeoDataFrame, subject: str) -> np.ndarray[Any, np.dtype[np.object_]]:
    """Return the class of each home: its state, or whether it has fixed or mobile broadband."""
    state = homes["state"].to_numpy(dtype=object)
    if subject == "fixed":
        return state
    fixed = np.isin(state.astype(str), ("served", "partly_served"))
    return np.where(fixed, "fixed", np.where(homes["mobile"], "mobile", "none")).astype(object)


@st.cache_data(max_entries=12, show_spinner=False)
def _picture(folder: str, subject: str, spacing_m: float) -> overlays.Overlay:
    """Paint homes as pixels, each in the colour of the class of most of its households."""
    homes = load(Path(folder)).homes
    colours = STATE_COLOURS if subject == "fixed" else EITHER_COLOURS
    x, y = homes.geometry.x.to_numpy(), homes.geometry.y.to_numpy()
    longest_m = max(np.ptp(x), np.ptp(y))
    pixel_m = max(spacing_m, FINEST_M, longest_m / overlays.LONGEST_SIDE)
    half = pixel_m / 2.0
    bounds = (x.min() - half, y.min() - half, x.max() + half, y.max() + half)
    grid = Grid.covering(bounds, pixel_m, str(homes.crs.to_string()))
    column = np.floor((x - grid.x_min) / pixel_m).astype(np.int64)
    row = np.floor((grid.y_max - y) / pixel_m).astype(np.int64)
    code = pd.Categorical(_classes(homes, subject), categories=list(colours)).codes
    people = pd.DataFrame(
        {"pixel": row * grid.width + column, "code": code, "households": homes["households"]}
    )
    largest = (
        people.groupby(["pixel", "code"])[["households"]]
        .sum()
        .reset_index()
        .sort_values(["pixel", "households", "code"])
        .drop_duplicates("pixel", keep="last")
    )
    classes = np.full(grid.width * grid.height, overlays.TRANSPARENT, np.uint8)
    classes[largest["pixel"].to_numpy()] = largest["code"].to_numpy(dtype=np.uint8)
    return overlays.paint(classes.reshape(grid.shape), grid, list(colours.values()))


def _zones(area: Workspace, result: BroadbandResult, view: _View) -> list[web_map.Zone]:
    shapes = study.zones_wgs84(area, view.zones)
    table = result.figures[result.figures["operator"] == ANY_OPERATOR]
    own = table[table["measure"] == view.measure]
    share = {name: rows.set_index("zone")["share"] for name, rows in own.groupby("service")}
    shown = [name for name in broadband_figures.HEADLINES if name in share]
    found = []
    for number, name, geometry in zip(
        shapes.index, shapes["name"], fibre_map.geojson(shapes), strict=True
    ):
        lines = [name] + [
            f"{labels.service(service)}: {formats.percent(share[service].get(number))}"
            for service in dict.fromkeys((view.service, *shown))
        ]
        value = float(share[view.service].get(number, np.nan))
        fill = legends.share_colour(value) if view.subject == "zones" else None
        found.append(web_map.Zone(geometry, tuple(lines), fill))
    return found


@st.cache_resource(max_entries=6, show_spinner=False)
def _access_points(folder: str, written_in: str) -> list[web_map.Dot]:
    """Describe the access points; kept, because writing thousands of them takes time."""
    del written_in  # only part of the key
    points = load(Path(folder)).access_points
    return fibre_map.dots_of(points, [_access_tip(row) for row in points.itertuples()])


def _access_tip(row: Any) -> tuple[str, ...]:
    lines = [
        row.node_id,
        f"{labels.node_type(row.node_type)} · {labels.access_state(row.state)}",
        fibre_map.owner(row.owner),
    ]
    if not pd.isna(row.ports):
        used = 0 if pd.isna(row.ports_used) else int(row.ports_used)
        lines.append(
            _(
                "Ports: {ports}, {used} in use",
                ports=formats.number(int(row.ports)),
                used=formats.number(used),
            )
        )
    if not pd.isna(row.loss_db):
        lines.append(
            _(
                "Loss {loss} of {most} ({class_name})",
                loss=formats.number(row.loss_db, 1),
                most=formats.quantity(row.greatest_loss_db, "dB", 1),
                class_name=row.pon_class,
            )
        )
    return tuple(line for line in lines if line)
