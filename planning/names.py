"""What the codes of figures, layers and indicators are called, in the app and in reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from data.errors import Message, message

#: Unions of technologies, and what counts as broadband; technologies are their own names.
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

#: Services in the order in which they are read.
SERVICE_ORDER = ("2G", "3G", "4G", "5G", *SERVICES)

#: What coverage is a share of.
MEASURES = {
    "area": message("Area"),
    "population": message("Population"),
    "village": message("Villages"),
    "household": message("Households"),
}

#: Administrative levels and that of central agencies, the widest first.
LEVELS = {
    "central": message("Central"),
    "province": message("Province"),
    "district": message("District"),
    "commune": message("Commune"),
}

#: Layers and rasters of a workspace.
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

#: Threshold profiles; a user's own keeps its name.
PROFILES = {
    "outdoor": message("Outdoors, street level"),
    "in-car": message("In a vehicle"),
    "indoor-suburban": message("Indoors, suburbs and villages"),
    "indoor-urban": message("Indoors, dense towns"),
    "ofcom": message("Ofcom (United Kingdom)"),
    "bnetza": message("BNetzA (Germany)"),
}

#: Stages of a mast's life.
STATUSES = {
    "existing": message("in operation"),
    "planned": message("planned"),
    "removed": message("out of service"),
}

#: Whether a site of the dedicated network is connected.
SITE_STATUSES = {
    "connected": message("connected"),
    "planned": message("planned to be connected"),
    "none": message("not connected"),
}

#: What is counted of the sites of the dedicated network.
NETWORK_MEASURES = {
    "connected": message("Connected"),
    "planned": message("Planned"),
    "lan": message("Local network (LAN)"),
    "video_conference": message("Conference endpoint"),
    "reachable": message("Reaches a data centre"),
    "bandwidth_met": message("Has the bandwidth it needs"),
    "zones_with_conference": message("Units with a conference endpoint"),
}

#: What can fail in the dedicated network.
FAILURES = {
    "link": message("Link"),
    "site": message("Site"),
    "segment": message("Cable or duct section"),
    "trench": message("Common trench"),
    "provider": message("Provider"),
}

ANY_OPERATOR = message("Any operator")

#: Groups of a provincial report, in its order.
INDICATOR_GROUPS = {
    "mobile": message("Mobile coverage"),
    "broadband": message("Broadband"),
    "service_points": message("Service points, radio and television"),
    "network": message("Dedicated data network"),
    "equipment": message("LAN and computers"),
    "conference": message("Video conference"),
    "egovernment": message("Electronic government"),
    "operations_centre": message("Operations centre"),
    "documents": message("Planning documents"),
    "goals": message("Sharing, rural and security goals"),
}

#: Units; a user's own keeps its name.
UNITS = {
    "masts": message("masts"),
    "people": message("people"),
    "points": message("points"),
    "stations": message("stations"),
    "units": message("units"),
    "endpoints": message("endpoints"),
    "procedures": message("procedures"),
    "dossiers": message("dossiers"),
    "standards": message("standards"),
    "bodies": message("bodies"),
    "certificates": message("certificates"),
    "screens": message("screens"),
    "computers": message("computers"),
    "systems": message("systems"),
    "VND": message("VND"),
    "Mbit/s": message("Mbit/s"),
}

#: What shares are of; a user's own keeps its name.
DENOMINATORS = {
    "area": message("area"),
    "population": message("population"),
    "village": message("villages"),
    "household": message("households"),
    "commune": message("communes"),
    "district": message("district units"),
    "department": message("departments"),
    "agency": message("agencies"),
    "connected_site": message("connected sites"),
    "official_upper": message("officials, district level and above"),
    "per_official_upper": message("officials, district level and above"),
    "per_official_commune": message("officials of communes"),
    "procedure": message("procedures"),
    "dossier": message("dossiers"),
    "mast": message("masts"),
}

#: Where a carrier's proposal is.
PROPOSAL_STATUSES = {
    "draft": message("Draft"),
    "submitted": message("Submitted"),
    "changes_requested": message("Changes requested"),
    "withdrawn": message("Withdrawn"),
    "refused": message("Refused"),
    "approved": message("Consent given"),
    "permit": message("Building permit issued"),
    "emf_certificate": message("EMF certificate issued"),
    "on_air": message("On air"),
}

#: What can be done with a proposal, as its buttons say it.
PROPOSAL_ACTIONS = {
    "edit": message("Edit"),
    "submit": message("Submit"),
    "withdraw": message("Withdraw"),
    "request_changes": message("Ask for changes"),
    "refuse": message("Refuse"),
    "approve": message("Give consent"),
    "permit": message("Record the building permit"),
    "emf_certificate": message("Record the EMF certificate"),
    "renew": message("Record a renewed EMF certificate"),
    "on_air": message("Record going on air"),
    "plan": message("Plan in a scenario"),
}

#: Documents on the way of a proposal.
DOCUMENTS = {
    "consent": message("Letter of consent"),
    "permit": message("Building permit"),
    "emf_certificate": message("EMF certificate"),
    "on_air": message("On air"),
}


def either(choices: Sequence[Message]) -> Message:
    """Return several choices as one: "A or B or C"."""
    said = choices[0]
    for choice in choices[1:]:
        said = message("{first} or {second}", first=said, second=choice)
    return said


def ordered(services: Iterable[str]) -> list[str]:
    """Sort services as they are read; unknown ones come last."""
    place = {name: k for k, name in enumerate(SERVICE_ORDER)}
    return sorted(set(services), key=lambda name: (place.get(name, len(place)), name))
