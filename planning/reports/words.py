"""Names that people read for the codes in figures and layers, as the app names them."""

from __future__ import annotations

from collections.abc import Mapping

from data.errors import Message, message
from planning import names
from planning.reports.model import Number, Text

LEVELS = {"all": message("All levels"), **names.LEVELS}

#: What a measure's whole is counted in.
WEIGHTS = {**names.MEASURES, "area": message("Area, km²")}

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

ALL = message("Total")
NOT_STATED = message("not stated")


def named(names: Mapping[str, Message], code: object) -> Text:
    """Return what a code is called; one that has no name stands for itself."""
    return names.get(str(code), str(code))


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
