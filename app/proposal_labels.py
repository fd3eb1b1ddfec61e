"""What people read for the codes of proposals."""

from __future__ import annotations

from app.i18n import _, mark
from planning import names

STATUSES = {code: name.template for code, name in names.PROPOSAL_STATUSES.items()}

#: Statuses -> how they are shown: Streamlit's colours of badges.
COLOURS = {
    "draft": "gray",
    "submitted": "blue",
    "changes_requested": "orange",
    "withdrawn": "gray",
    "refused": "red",
    "approved": "green",
    "permit": "green",
    "emf_certificate": "green",
    "on_air": "green",
}

KINDS = {
    "new": mark("New mast"),
    "share": mark("Antennas on an existing mast"),
}

CLASSES = {
    "": mark("not known"),
    "A1a": mark("A1a – not bulky, free-standing on a building"),
    "A1b": mark("A1b – not bulky, camouflaged"),
    "A2a": mark("A2a – bulky, on a building"),
    "A2b": mark("A2b – bulky, on the ground"),
    "A2c": mark("A2c – bulky, of another kind"),
}

RULES = {
    "mast_class": mark("Mast class"),
    "own_height_max": mark("Height on the building"),
    "share_of_building_max": mark("Height against the building"),
    "radius_max": mark("Outermost point"),
    "on_building": mark("Stands on a building"),
    "on_ground": mark("Stands on the ground"),
    "unusual_class": mark("Class usual in the zone"),
    "spacing": mark("Spacing to other masts"),
    "allowed_near": mark("Distance to protected places"),
    "allowed_in_zone": mark("Zone for A1 masts only"),
    "tenants_min": mark("Operators, at least"),
    "tenants_max": mark("Operators, at most"),
    "permit_required": mark("Building permit"),
    "exposure": mark("EMF exposure"),
    "sensitive": mark("Public places nearby"),
    "shareable": mark("Offered for sharing"),
    "room": mark("Room for a further operator"),
    "antenna_space": mark("Height for the antennas"),
}

RESULTS = {
    "met": mark("met"),
    "not met": mark("not met"),
    "cannot be checked": mark("cannot be checked"),
    "note": mark("note"),
}

SEVERITIES = {"error": mark("error"), "warning": mark("warning"), "note": mark("note")}

ZONES = {"urban": mark("urban"), "rural": mark("rural")}

DOCUMENTS = {code: name.template for code, name in names.DOCUMENTS.items()}

#: What can be done -> text of its button.
ACTIONS = {code: name.template for code, name in names.PROPOSAL_ACTIONS.items()}

NEWS = {
    "submitted": mark("{organisation} has submitted {reference}"),
    "withdrawn": mark("{organisation} has withdrawn {reference}"),
    "commented": mark("There is a comment on {reference}"),
    "changes_requested": mark("Changes of {reference} are requested"),
    "refused": mark("{reference} was refused"),
    "approved": mark("{reference} has got consent"),
    "permit": mark("The building permit of {reference} is recorded"),
    "emf_certificate": mark("The EMF certificate of {reference} is recorded"),
    "renewed": mark("A renewed EMF certificate of {reference} is recorded"),
    "on_air": mark("{reference} is on air"),
}

PLACES = {
    "mast": mark("mast"),
    "offices": mark("office of a People's Committee"),
    "town_hall": mark("town hall"),
    "government_office": mark("government office"),
    "school": mark("school"),
    "college": mark("college"),
    "hospital": mark("hospital"),
    "clinic": mark("clinic"),
}

PLAN_STATUSES = {
    "submitted": mark("Submitted"),
    "in_force": mark("In force"),
    "expired": mark("Expired"),
    "refused": mark("Refused"),
}


def said(texts: dict[str, str], code: str) -> str:
    """Return what people read for a code; the code itself where it has no name."""
    return _(texts[code]) if code in texts else code


def status(code: str) -> str:
    """Name where a proposal is."""
    return said(STATUSES, code)


def badge(code: str) -> str:
    """Return a status as a badge, for Markdown."""
    return f":{COLOURS.get(code, 'gray')}-badge[{status(code)}]"


def masts_class(code: str) -> str:
    """Name a class of masts."""
    return said(CLASSES, code)
