"""Names that people read for the codes in figures, layers and settings."""

from __future__ import annotations

from collections.abc import Iterable

from app.i18n import _, mark
from data import schema

SERVICES = {
    "3G_or_4G": mark("3G or 4G"),
    "any": mark("Any technology"),
    "broadband": mark("Fixed broadband"),
    "mobile_broadband": mark("Mobile broadband"),
    "broadband_or_mobile": mark("Fixed or mobile broadband"),
    "broadband_reach": mark("Within reach of an access point"),
    "broadband_budget": mark("Within reach, optical budget closes"),
    "broadband_port": mark("Within reach, with a port"),
    "broadband_free_port": mark("Within reach, with a free port"),
}

MEASURES = {
    "area": mark("Area"),
    "population": mark("Population"),
    "village": mark("Villages"),
    "household": mark("Households"),
}

#: Roles of accounts.
ROLES = {
    "viewer": mark("Viewer"),
    "carrier": mark("Carrier"),
    "planner": mark("Planner"),
    "administrator": mark("Administrator"),
}

LEVELS = {
    "province": mark("Province"),
    "district": mark("District"),
    "commune": mark("Commune"),
}

LAYERS = {
    "zones": mark("Administrative units"),
    "former_zones": mark("Former administrative units"),
    "masts": mark("Masts"),
    "cells": mark("Cells"),
    "villages": mark("Villages and hamlets"),
    "roads": mark("Roads"),
    "railways": mark("Railways"),
    "offices": mark("Offices of People's Committees"),
    "neighbours": mark("Neighbouring units"),
    "points_of_interest": mark("Public places"),
    "speed_tests": mark("Speed tests"),
    "fibre_segments": mark("Fibre routes"),
    "fibre_nodes": mark("Fibre network points"),
    "network_sites": mark("Dedicated network sites"),
    "network_links": mark("Dedicated network links"),
    "terrain": mark("Terrain height"),
    "clutter": mark("Land cover"),
    "population": mark("Population grid"),
    "population_earlier": mark("Earlier population grid"),
    "building_height": mark("Building heights"),
}

PROFILES = {
    "outdoor": mark("Outdoors, street level"),
    "in-car": mark("In a vehicle"),
    "indoor-suburban": mark("Indoors, suburbs and villages"),
    "indoor-urban": mark("Indoors, dense towns"),
    "ofcom": mark("Ofcom (United Kingdom)"),
    "bnetza": mark("BNetzA (Germany)"),
}

STATUSES = {
    "existing": mark("in operation"),
    "planned": mark("planned"),
    "removed": mark("out of service"),
}

#: Ways to lay cable, crossings and what else is counted in a bill of quantities.
COST_ITEMS = {
    "spare_cores": mark("Free fibres of an existing cable"),
    "cable_in_own_duct": mark("Cable in an own duct"),
    "cable_in_rented_duct": mark("Cable in a rented duct"),
    "aerial_existing_poles": mark("Cable on existing poles"),
    "aerial_new_poles": mark("Cable on new poles"),
    "trench_unpaved": mark("Buried cable, unpaved ground"),
    "trench_paved": mark("Buried cable, paved ground"),
    "river_crossing": mark("River crossing"),
    "railway_crossing": mark("Railway crossing"),
    "bridge_crossing": mark("Crossing on a bridge"),
    "cable_per_core": mark("Fibres beyond 24 in a cable"),
    "router_access": mark("Router and firewall of a site"),
    "optical_module": mark("Optical module at the end of a link"),
}

#: Sites that fibre can be led to.
SITE_KINDS = {
    "communes": mark("Seats of communes and wards"),
    "offices": mark("Offices of People's Committees"),
    "masts": mark("Masts"),
    "villages": mark("Villages and hamlets"),
    "unserved": mark("Homes without fixed broadband"),
}

SEGMENT_TYPES = {
    "duct": mark("in a duct"),
    "buried": mark("buried"),
    "aerial": mark("on poles"),
}

NODE_TYPES = {
    "olt": mark("Exchange"),
    "cabinet": mark("Cabinet"),
    "splitter": mark("Splitter"),
    "closure": mark("Closure"),
    "manhole": mark("Manhole"),
    "pole": mark("Pole"),
}

#: Why homes are served by fibre, or not.
HOME_STATES = {
    "served": mark("served"),
    "partly_served": mark("served in part, too few ports"),
    "no_port": mark("no port left"),
    "no_budget": mark("optical budget does not close"),
    "too_far": mark("too far from an access point"),
    "off_network": mark("far from every road and route"),
}

ACCESS_STATES = {
    "live": mark("in service"),
    "budget_does_not_close": mark("optical budget does not close"),
    "no_way_to_exchange": mark("no cable to an exchange"),
    "off_network": mark("far from every road and route"),
}

#: Whether a site of the dedicated network is connected.
SITE_STATUSES = {
    "connected": mark("connected"),
    "planned": mark("planned to be connected"),
    "none": mark("not connected"),
}

SITE_ROLES = {
    "hub": mark("data centre"),
    "aggregation": mark("gathering node"),
    "access": mark("end"),
}

LINK_MEDIA = {
    "fibre": mark("fibre"),
    "microwave": mark("microwave"),
    "copper": mark("copper"),
    "satellite": mark("satellite"),
    "mobile": mark("mobile network"),
}

#: What is counted of the sites of the dedicated network.
NETWORK_MEASURES = {
    "connected": mark("Connected"),
    "planned": mark("Planned"),
    "lan": mark("Local network (LAN)"),
    "video_conference": mark("Conference endpoint"),
    "reachable": mark("Reaches a data centre"),
    "bandwidth_met": mark("Has the bandwidth it needs"),
    "zones_with_conference": mark("Units with a conference endpoint"),
}

#: Whether a requirement is met.
RESULTS = {
    "met": mark("met"),
    "not met": mark("not met"),
    "cannot be checked": mark("cannot be checked"),
}

#: Sites that a requirement is about.
NORM_SITES = {
    "all": mark("all sites"),
    "province": mark("sites of the province"),
    "district": mark("sites of districts"),
    "commune": mark("sites of communes"),
    "hub": mark("data centres"),
    "aggregation": mark("gathering nodes"),
    "access": mark("ends"),
    "critical": mark("sites of criticality 4 or 5"),
    "endpoint": mark("conference endpoints"),
}

#: What can fail in the dedicated network.
FAILURES = {
    "link": mark("Link"),
    "site": mark("Site"),
    "segment": mark("Cable or duct section"),
    "trench": mark("Common trench"),
    "provider": mark("Provider"),
}

#: Kinds of values in the layers, for the table of expected columns.
KINDS = {
    "text": mark("text"),
    "number": mark("number"),
    "whole": mark("whole number"),
    "flag": mark("yes or no"),
    "date": mark("date"),
}

ANY_OPERATOR = mark("Any operator")

#: What the project's own data say about themselves; other sources keep their words.
OWN_SOURCES = (
    mark("Phủ Sóng generator"),
    mark(
        "Phủ Sóng generator; names, codes, areas and rounded points of the communes: Resolution "
        "1674/NQ-UBTVQH15, Decision 19/2025/QĐ-TTg, sapnhap.bando.com.vn"
    ),
    mark("not observed"),
    mark("communes and wards since 1 July 2025"),
    mark("Apache-2.0 (generated); published facts"),
)

#: Services in the order in which they are shown.
SERVICE_ORDER = (
    "2G",
    "3G",
    "4G",
    "5G",
    "3G_or_4G",
    "any",
    "broadband",
    "mobile_broadband",
    "broadband_or_mobile",
    "broadband_reach",
    "broadband_budget",
    "broadband_port",
    "broadband_free_port",
)


def _named(names: dict[str, str], code: str) -> str:
    return _(names[code]) if code in names else code


def service(code: str) -> str:
    """Name a technology, or a union of several."""
    return _named(SERVICES, code)


def services_in_order(codes: Iterable[str]) -> list[str]:
    """Sort services as they are shown; unknown ones come last."""
    known = {code: place for place, code in enumerate(SERVICE_ORDER)}
    return sorted(set(codes), key=lambda code: (known.get(code, len(known)), code))


def measure(code: str) -> str:
    """Name what a share is of."""
    return _named(MEASURES, code)


def operator(code: str) -> str:
    """Name an operator; "any" is the union."""
    return _(ANY_OPERATOR) if code == "any" else code


def level(code: str) -> str:
    """Name an administrative level."""
    return _named(LEVELS, code)


def layer(code: str) -> str:
    """Name a layer or raster."""
    return _named(LAYERS, code)


def profile(code: str) -> str:
    """Name a threshold profile; a user's own keeps its name."""
    return _named(PROFILES, code)


def status(code: str) -> str:
    """Name the stage of a mast's life."""
    return _named(STATUSES, code)


def cost_item(code: str) -> str:
    """Name an item of a bill of quantities."""
    return _named(COST_ITEMS, code)


def site_kind(code: str) -> str:
    """Name a kind of sites that fibre is led to."""
    return _named(SITE_KINDS, code)


def segment_type(code: str) -> str:
    """Name how a stretch of fibre is laid."""
    return _named(SEGMENT_TYPES, code)


def node_type(code: str) -> str:
    """Name a kind of point of the fibre network."""
    return _named(NODE_TYPES, code)


def home_state(code: str) -> str:
    """Name why a home is served by fibre, or not."""
    return _named(HOME_STATES, code)


def access_state(code: str) -> str:
    """Name whether an access point works, or why not."""
    return _named(ACCESS_STATES, code)


def site_status(code: str) -> str:
    """Name whether a site of the dedicated network is connected."""
    return _named(SITE_STATUSES, code)


def site_role(code: str) -> str:
    """Name a site's place in the dedicated network."""
    return _named(SITE_ROLES, code)


def link_medium(code: str) -> str:
    """Name what carries a link of the dedicated network."""
    return _named(LINK_MEDIA, code)


def network_measure(code: str) -> str:
    """Name what is counted of the dedicated network's sites."""
    return _named(NETWORK_MEASURES, code)


def result(code: str) -> str:
    """Name whether a requirement is met."""
    return _named(RESULTS, code)


def norm_sites(code: str) -> str:
    """Name the sites that a requirement is about."""
    return _named(NORM_SITES, code)


def failure(code: str) -> str:
    """Name a kind of thing that can fail in the dedicated network."""
    return _named(FAILURES, code)


def declared_texts() -> list[str]:
    """Return the texts of declarations and tables that users see, for translators.

    Returns
    -------
    list of str
        Descriptions of layers, columns and rasters; instruments, sources and notes of
        the built-in requirements of dedicated networks.
    """
    # Needed here only, and slow to import.
    from planning import compliance, site_rules

    texts: list[str] = []
    for item in (*schema.LAYERS.values(), *schema.RECORD_LAYERS.values()):
        texts.append(item.description)
        texts.extend(str(column.description) for column in item.table.columns.values())
    texts.extend(raster.description for raster in schema.RASTERS.values())
    for norm in compliance.norms():
        texts.extend([norm.instrument, norm.article, norm.source, norm.note])
    for province in site_rules.provinces():
        texts.extend(rule.source for rule in site_rules.rules(None, province))
    return [text for text in dict.fromkeys(texts) if text]
