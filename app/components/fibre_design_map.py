"""Sites and designed routes as layers of a map."""

from __future__ import annotations

from typing import Any

import folium
import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from app import formats, labels, money
from app.components import fibre_map, fibre_request, web_map
from app.components.fibre_jobs import Made
from app.i18n import _, translate
from app.legend import Entry
from data.errors import Message
from data.store import Workspace
from planning.fibre import EXISTING_ITEMS

REUSE_COLOUR = "#1d7f8c"
NEW_COLOUR = "#e4572e"
CONNECTED_COLOUR = "#12303d"
NOT_CONNECTED_COLOUR = "#e0a100"
LEFT_OUT_COLOUR = "#8d9aa1"


def texts() -> dict[str, str]:
    """Return what the map says itself."""
    return fibre_map.texts(_("Map of sites and routes"))


def layers(
    area: Workspace, sites: gpd.GeoDataFrame, is_out: NDArray[np.bool_], made: Made | None
) -> tuple[list[folium.FeatureGroup], list[Entry]]:
    """Return units, routes and sites, with their legend.

    Parameters
    ----------
    area
        The workspace.
    sites
        All sites of the request.
    is_out
        Which of them are left out.
    made
        The design; None where there is none yet.

    Returns
    -------
    tuple of list
        Layers, lowest first, and lines of the legend.
    """
    groups = [fibre_map.outlines(area)]
    entries: list[Entry] = []
    if made is None:
        network, about = fibre_map.network(area)
        groups += network
        entries += about
        _add_sites(groups, entries, sites[~is_out], _("Sites to connect"), CONNECTED_COLOUR)
    else:
        _add_routes(groups, entries, made)
        exchanges, about = fibre_map.network(area, with_routes=False)
        groups += exchanges
        entries += about
        connected = made.design.sites["connected"].to_numpy(dtype=bool)
        of_design = made.design.sites
        _add_sites(groups, entries, of_design[connected], _("Connected"), CONNECTED_COLOUR)
        reasons = [why for why in made.design.reasons if why is not None]
        _add_sites(
            groups,
            entries,
            of_design[~connected],
            _("Not connected"),
            NOT_CONNECTED_COLOUR,
            reasons,
        )
    _add_sites(groups, entries, sites[is_out], _("Left out"), LEFT_OUT_COLOUR)
    return groups, entries


def _add_routes(groups: list[folium.FeatureGroup], entries: list[Entry], made: Made) -> None:
    routes = made.design.routes
    currency = made.design.summary["cost"]["currency"]
    reuse = routes["item"].isin(EXISTING_ITEMS).to_numpy(dtype=bool)
    for chosen, name, colour, weight in (
        (reuse, _("In or on what is there"), REUSE_COLOUR, 3.5),
        (~reuse, _("Newly built"), NEW_COLOUR, 4.5),
    ):
        own = routes[chosen]
        if not len(own):
            continue
        tips = [_route_tip(row, currency) for row in own.itertuples()]
        lines = fibre_map.lines_of(own, tips)
        groups.append(web_map.lines_group(name, lines, colour, weight=weight))
        entries.append(Entry(colour, name))


def _route_tip(row: Any, currency: str) -> tuple[str, ...]:
    return (
        labels.cost_item(row.item),
        f"{formats.distance(row.length_m)} · {money.written(row.cost, currency)}",
        _(
            "{cores} fibres for {sites} sites; cable with {size}",
            cores=formats.number(row.cores),
            sites=formats.number(row.sites),
            size=formats.number(row.cable),
        ),
    )


def _add_sites(
    groups: list[folium.FeatureGroup],
    entries: list[Entry],
    sites: gpd.GeoDataFrame,
    name: str,
    colour: str,
    reasons: list[Message] | None = None,
) -> None:
    if not len(sites):
        return
    tips = []
    for position, row in enumerate(sites.itertuples()):
        lines = [fibre_request.site_title(row.site_id, row.name), name]
        if row.weight != 1.0:
            lines.append(_("Weight: {weight}", weight=formats.number(row.weight)))
        if reasons is not None:
            lines.append(translate(reasons[position]))
        tips.append(tuple(lines))
    groups.append(web_map.dots_group(name, fibre_map.dots_of(sites, tips), colour))
    entries.append(Entry(colour, f"{name} ({formats.number(len(sites))})"))
