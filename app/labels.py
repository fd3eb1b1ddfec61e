"""Names that people read for the codes in figures, layers and settings."""

from __future__ import annotations

from collections.abc import Mapping

from app.i18n import _, mark, translate
from data import schema
from data.errors import Message
from planning import names

#: Administrative levels, the widest first.
LEVELS = tuple(names.LEVELS)

#: Roles of accounts.
ROLES = {
    "viewer": mark("Viewer"),
    "carrier": mark("Carrier"),
    "planner": mark("Planner"),
    "administrator": mark("Administrator"),
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

#: Whether a requirement is met.
RESULTS = {
    "met": mark("met"),
    "not met": mark("not met"),
    "cannot be checked": mark("cannot be checked"),
}

#: Sites that a requirement is about.
NORM_SITES = {
    "all": mark("all sites"),
    "central": mark("central sites"),
    "province": mark("sites of the province"),
    "district": mark("sites of districts"),
    "commune": mark("sites of communes"),
    "hub": mark("data centres"),
    "aggregation": mark("gathering nodes"),
    "access": mark("ends"),
    "critical": mark("sites of criticality 4 or 5"),
    "endpoint": mark("conference endpoints"),
}

#: Kinds of values in the layers, for the table of expected columns.
KINDS = {
    "text": mark("text"),
    "number": mark("number"),
    "whole": mark("whole number"),
    "flag": mark("yes or no"),
    "date": mark("date"),
}

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


def named(known: Mapping[str, str] | Mapping[str, Message], code: str) -> str:
    """Name a code; one that has no name stands for itself."""
    if code not in known:
        return code
    name = known[code]
    return _(name) if isinstance(name, str) else translate(name)


def service(code: str) -> str:
    """Name a technology, or a union of several."""
    return named(names.SERVICES, code)


def measure(code: str) -> str:
    """Name what a share is of."""
    return named(names.MEASURES, code)


def operator(code: str) -> str:
    """Name an operator; "any" is the union."""
    return translate(names.ANY_OPERATOR) if code == "any" else code


def level(code: str) -> str:
    """Name an administrative level."""
    return named(names.LEVELS, code)


def layer(code: str) -> str:
    """Name a layer or raster."""
    return named(names.LAYERS, code)


def profile(code: str) -> str:
    """Name a threshold profile; a user's own keeps its name."""
    return named(names.PROFILES, code)


def status(code: str) -> str:
    """Name the stage of a mast's life."""
    return named(names.STATUSES, code)


def cost_item(code: str) -> str:
    """Name an item of a bill of quantities."""
    return named(COST_ITEMS, code)


def site_kind(code: str) -> str:
    """Name a kind of sites that fibre is led to."""
    return named(SITE_KINDS, code)


def segment_type(code: str) -> str:
    """Name how a stretch of fibre is laid."""
    return named(SEGMENT_TYPES, code)


def node_type(code: str) -> str:
    """Name a kind of point of the fibre network."""
    return named(NODE_TYPES, code)


def home_state(code: str) -> str:
    """Name why a home is served by fibre, or not."""
    return named(HOME_STATES, code)


def access_state(code: str) -> str:
    """Name whether an access point works, or why not."""
    return named(ACCESS_STATES, code)


def site_status(code: str) -> str:
    """Name whether a site of the dedicated network is connected."""
    return named(names.SITE_STATUSES, code)


def site_role(code: str) -> str:
    """Name a site's place in the dedicated network."""
    return named(SITE_ROLES, code)


def link_medium(code: str) -> str:
    """Name what carries a link of the dedicated network."""
    return named(LINK_MEDIA, code)


def network_measure(code: str) -> str:
    """Name what is counted of the dedicated network's sites."""
    return named(names.NETWORK_MEASURES, code)


def result(code: str) -> str:
    """Name whether a requirement is met."""
    return named(RESULTS, code)


def norm_sites(code: str) -> str:
    """Name the sites that a requirement is about."""
    return named(NORM_SITES, code)


def failure(code: str) -> str:
    """Name a kind of thing that can fail in the dedicated network."""
    return named(names.FAILURES, code)


def declared_texts() -> list[str]:
    """Return the texts of declarations and tables that users see, for translators.

    Returns
    -------
    list of str
        Descriptions of layers, columns and rasters; instruments, sources and notes of
        the built-in requirements of dedicated networks.
    """
    # Needed here only, and slow to import.
    from planning import compliance, sharing_costs, site_rules

    texts: list[str] = []
    for item in (*schema.LAYERS.values(), *schema.RECORD_LAYERS.values()):
        texts.append(item.description)
        texts.extend(str(column.description) for column in item.table.columns.values())
    texts.extend(raster.description for raster in schema.RASTERS.values())
    for norm in compliance.norms():
        texts.extend([norm.instrument, norm.article, norm.source, norm.note])
    for province in site_rules.provinces():
        texts.extend(rule.source for rule in site_rules.rules(None, province))
    texts.append(sharing_costs.prices().assumptions["antenna_spacing"].source)
    return [text for text in dict.fromkeys(texts) if text]
