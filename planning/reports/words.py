"""Names that people read for the codes in figures and layers, as the app names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from data.errors import Message, message
from planning.reports.model import Number, Text

SERVICES = {
    "3G_or_4G": message("3G or 4G"),
    "any": message("Any technology"),
    "broadband": message("Fixed broadband"),
    "mobile_broadband": message("Mobile broadband"),
    "broadband_or_mobile": message("Fixed or mobile broadband"),
    "broadband_reach": message("Within reach of an access point"),
    "broadband_budget": message("Within reach, optical budget closes"),
    "broadband_port": message("Within reach, with a port"),
    "broadband_free_port": message("Within reach, with a free port"),
}

#: In the order in which they are read.
SERVICE_ORDER = ("2G", "3G", "4G", "5G", "3G_or_4G", "any", *tuple(SERVICES)[2:])

MEASURES = {
    "area": message("Area"),
    "population": message("Population"),
    "village": message("Villages"),
    "household": message("Households"),
}

#: What a measure's whole is counted in.
WEIGHTS = {
    "area": message("Area, km²"),
    "population": message("Population"),
    "village": message("Villages"),
    "household": message("Households"),
}

LEVELS = {
    "all": message("All levels"),
    "province": message("Province"),
    "district": message("District"),
    "commune": message("Commune"),
}

LAYERS = {
    "zones": message("Administrative units"),
    "former_zones": message("Former administrative units"),
    "masts": message("Masts"),
    "cells": message("Cells"),
    "villages": message("Villages and hamlets"),
    "roads": message("Roads"),
    "railways": message("Railways"),
    "offices": message("Offices of People's Committees"),
    "neighbours": message("Neighbouring units"),
    "points_of_interest": message("Public places"),
    "speed_tests": message("Speed tests"),
    "fibre_segments": message("Fibre routes"),
    "fibre_nodes": message("Fibre network points"),
    "network_sites": message("Dedicated network sites"),
    "network_links": message("Dedicated network links"),
    "terrain": message("Terrain height"),
    "clutter": message("Land cover"),
    "population": message("Population grid"),
    "population_earlier": message("Earlier population grid"),
    "building_height": message("Building heights"),
}

PROFILES = {
    "outdoor": message("Outdoors, street level"),
    "in-car": message("In a vehicle"),
    "indoor-suburban": message("Indoors, suburbs and villages"),
    "indoor-urban": message("Indoors, dense towns"),
    "ofcom": message("Ofcom (United Kingdom)"),
    "bnetza": message("BNetzA (Germany)"),
}

STATUSES = {
    "existing": message("in operation"),
    "planned": message("planned"),
    "removed": message("out of service"),
}

SITE_STATUSES = {
    "connected": message("connected"),
    "planned": message("planned to be connected"),
    "none": message("not connected"),
}

NETWORK_MEASURES = {
    "connected": message("Connected"),
    "planned": message("Planned"),
    "lan": message("Local network (LAN)"),
    "video_conference": message("Conference endpoint"),
    "reachable": message("Reaches a data centre"),
    "bandwidth_met": message("Has the bandwidth it needs"),
    "zones_with_conference": message("Units with a conference endpoint"),
}

FAILURES = {
    "link": message("Link"),
    "site": message("Site"),
    "segment": message("Cable or duct section"),
    "trench": message("Common trench"),
    "provider": message("Provider"),
}

#: How a stretch of cable is laid. Whether poles and ducts are shared with other
#: sectors (C2, N2) stands in the layer only where it has a column `route_class`.
SEGMENT_TYPES = {
    "aerial": message("Aerial, on poles (C)"),
    "duct": message("Underground, in ducts (N)"),
    "buried": message("Underground, buried (N)"),
}

ROAD_CLASSES = {
    "motorway": message("motorway"),
    "national": message("national road"),
    "provincial": message("provincial road"),
    "district": message("district road"),
    "commune": message("commune road"),
}

ANY_OPERATOR = message("Any operator")
ALL = message("Total")
NOT_STATED = message("not stated")


def named(names: Mapping[str, Message], code: object) -> Text:
    """Return what a code is called; one that has no name stands for itself."""
    return names.get(str(code), str(code))


def ordered(services: Iterable[str]) -> list[str]:
    """Sort services as they are read; unknown ones come last."""
    place = {name: k for k, name in enumerate(SERVICE_ORDER)}
    return sorted(set(services), key=lambda name: (place.get(name, len(place)), name))


def whole(measure: str, weight: float) -> Message:
    """Say what a share of a whole is of, such as "of 862 km²"."""
    amount = Number(weight)
    if measure == "area":
        return message("of {amount} km²", amount=amount)
    if measure == "population":
        return message("of {amount} people", amount=amount)
    if measure == "village":
        return message("of {amount} villages", amount=amount)
    return message("of {amount} households", amount=amount)


def not_computed(reason: Text | None) -> Message:
    """Say that a part of the report is not there, and why."""
    if reason is None:
        return message("Not computed: this figure is not available in the data of this report.")
    return message("Not computed: {reason}", reason=reason)
