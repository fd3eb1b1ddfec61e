"""What a route design is asked for: sites, units, owner, fibres and ways to lay cable."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import streamlit as st

from app import formats, labels, study
from app.components.kept import PREFIX, keep
from app.i18n import _
from data.store import Workspace
from data.study_area import finest_zones
from planning import fibre, route_graph
from planning.fibre import DesignRequest

#: Layer that a kind of sites needs.
_NEEDS = {
    "communes": "zones",
    "offices": "offices",
    "masts": "masts",
    "villages": "villages",
    "unserved": "fibre_nodes",
}

#: Key of the sites that are left out, in the session.
LEFT_OUT = PREFIX + "fibre_left_out"

#: Stands for the fibre of all owners.
ALL_OWNERS = ""


def show(area: Workspace) -> DesignRequest | None:
    """Ask what is to be designed.

    Parameters
    ----------
    area
        The workspace, with zones and roads or fibre.

    Returns
    -------
    DesignRequest
        Without a budget; None if a way to lay cable is still to be chosen.
    """
    usual = DesignRequest()
    kinds = [name for name in fibre.SITE_KINDS if area.has(_NEEDS[name])]
    first, second, third = st.columns([1.2, 1.6, 1.0])
    kind = first.selectbox(
        _("Sites to connect"),
        kinds,
        format_func=labels.site_kind,
        key=keep("fibre_sites", kinds[0], kinds),
    )
    names = _zone_names(area)
    zones = second.multiselect(
        _("Only in these units"),
        list(names),
        format_func=names.get,
        key=_several("fibre_zones", (), list(names)),
        placeholder=_("in all units"),
    )
    owners = [ALL_OWNERS, *_owners(area)]
    owner = third.selectbox(
        _("Fibre and ducts of"),
        owners,
        format_func=lambda name: name or _("all owners"),
        key=keep("fibre_owner", ALL_OWNERS, owners),
        help=_("Whose exchanges, cables and ducts may be used as one's own."),
    )
    first, second, third = st.columns([2.0, 0.9, 0.9])
    ways = first.multiselect(
        _("Ways to lay new cable along roads"),
        list(route_graph.ROAD_ITEMS),
        format_func=labels.cost_item,
        key=_several("fibre_ways", route_graph.ROAD_ITEMS, list(route_graph.ROAD_ITEMS)),
        placeholder=_("choose at least one"),
        wrap=True,
    )
    keep("fibre_cores", usual.cores_per_site)
    keep("fibre_reach", usual.reach_m)
    cores = second.number_input(
        _("Fibres per site"), min_value=1, max_value=288, step=1, key=PREFIX + "fibre_cores"
    )
    reach_m = third.number_input(
        _("Farthest from a route, m"),
        min_value=10.0,
        max_value=50_000.0,
        step=500.0,
        format="%.0f",
        key=PREFIX + "fibre_reach",
        help=_("A site farther from every road and route is not connected."),
    )
    if not ways:
        st.warning(
            _("Choose at least one way to lay new cable along roads."), icon=":material/rule:"
        )
        return None
    return DesignRequest(
        sites=kind,
        zones=tuple(sorted(zones)) or None,
        owner=owner or None,
        cores_per_site=int(cores),
        road_items=tuple(ways),
        reach_m=float(reach_m),
    )


def left_out(sites: gpd.GeoDataFrame) -> tuple[str, ...]:
    """Ask which sites are left out.

    Parameters
    ----------
    sites
        All sites of the request.

    Returns
    -------
    tuple of str
        Their identifiers, in order.
    """
    titles = {
        str(number): site_title(number, name)
        for number, name in zip(sites["site_id"], sites["name"], strict=True)
    }
    chosen = st.multiselect(
        _("Sites left out ({count} sites in all)", count=formats.number(len(sites))),
        list(titles),
        format_func=titles.get,
        key=_several(LEFT_OUT.removeprefix(PREFIX), (), list(titles)),
        placeholder=_("none; click a site on the map to leave it out, or to take it in again"),
    )
    return tuple(sorted(chosen))


def site_title(number: object, name: object) -> str:
    """Return how a site is called.

    Parameters
    ----------
    number
        Its identifier.
    name
        Its name, if it has one.

    Returns
    -------
    str
        Name and identifier.
    """
    return f"{name} ({number})" if isinstance(name, str) and name else str(number)


def _several(name: str, default: Sequence[object], options: Sequence[object]) -> str:
    """Give the state of a choice of several a valid value before it is drawn."""
    key = PREFIX + name
    value = st.session_state.get(key)
    if value is None:
        st.session_state[key] = list(default)
    elif any(item not in options for item in value):
        st.session_state[key] = [item for item in value if item in options]
    return key


def _zone_names(area: Workspace) -> dict[str, str]:
    zones = finest_zones(study.layer(area, "zones"))
    pairs = zip(zones["code"], zones["name"], strict=True)
    return dict(sorted(pairs, key=lambda pair: formats.sort_key(pair[1])))


def _owners(area: Workspace) -> list[str]:
    found: set[str] = set()
    for name in ("fibre_segments", "fibre_nodes"):
        if area.has(name):
            found |= set(study.layer(area, name)["owner"].dropna())
    return sorted(found, key=formats.sort_key)
