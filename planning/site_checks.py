"""A proposed mast against the local rules: pure, rule by rule, with the figures compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from data.errors import Message, message
from planning.site_rules import (
    Finding,
    Neighbour,
    Result,
    Rule,
    Structure,
    Surroundings,
    compliance_distance_m,
)

_Answer = tuple[Result, Message, float | None, float | None]


def check(
    structure: Structure, around: Surroundings, in_force: Sequence[Rule]
) -> tuple[Finding, ...]:
    """Check a proposed mast against every rule that is about it.

    Parameters
    ----------
    structure
        The mast.
    around
        What is near it.
    in_force
        The rules.

    Returns
    -------
    tuple of Finding
        What is not met first, the gravest before the others, then what cannot be
        checked, notes and what is met.
    """
    findings = []
    for rule in in_force:
        if not _is_about(rule, structure, around):
            continue
        answer = _CHECKS[rule.rule](rule, structure, around, in_force)
        if answer is None:
            continue
        result, text, measured, limit = answer
        findings.append(
            Finding(
                rule.rule,
                result,
                rule.severity,
                text,
                measured,
                limit,
                rule.unit,
                rule.source,
                rule.verified,
            )
        )
    if not structure.mast_class:
        findings.insert(0, _class_unknown())
    return tuple(sorted(findings, key=_gravity))


def permit_required(structure: Structure, around: Surroundings, in_force: Sequence[Rule]) -> bool:
    """Return whether the rules ask for a building permit.

    Parameters
    ----------
    structure, around, in_force
        See `check`.

    Returns
    -------
    bool
        Whether a rule ``permit_required`` is about the mast.
    """
    return any(
        rule.rule == "permit_required" and _is_about(rule, structure, around) for rule in in_force
    )


def _gravity(finding: Finding) -> tuple[int, int]:
    results: tuple[Result, ...] = ("not met", "cannot be checked", "note", "met")
    return results.index(finding.result), ("error", "warning", "note").index(finding.severity)


def _class_unknown() -> Finding:
    text = message("The class of the mast is not stated, so that rules for classes do not count")
    return Finding(
        "mast_class", "cannot be checked", "warning", text, None, None, "", "", verified=True
    )


def _is_about(rule: Rule, structure: Structure, around: Surroundings) -> bool:
    if rule.rule not in _CHECKS or (rule.rule in _ONLY_NEW and not structure.new):
        return False
    if rule.rule in ("allowed_near", "allowed_in_zone"):
        # Their classes are those that may stand there, not those that they are about.
        return rule.zone in ("any", around.zone) and structure.mast_class != ""
    return rule.holds(around.zone, structure.mast_class, structure.own_height_m)


def _at_most(text: Message, measured: float, limit: float) -> _Answer:
    values = {"measured": f"{measured:.1f}", "limit": f"{limit:g}"}
    result: Result = "met" if measured <= limit else "not met"
    return result, message(text.template, **values), measured, limit


def _own_height(
    rule: Rule, structure: Structure, around: Surroundings, in_force: Sequence[Rule]
) -> _Answer:
    if structure.building_height_m is None:
        return _unknown(message("The height of the building is not stated"))
    return _at_most(
        message("The mast rises {measured} m above the building (at most {limit} m)"),
        structure.own_height_m,
        rule.value,
    )


def _share_of_building(
    rule: Rule, structure: Structure, around: Surroundings, in_force: Sequence[Rule]
) -> _Answer:
    if not structure.building_height_m:
        return _unknown(message("The height of the building is not stated"))
    return _at_most(
        message("The mast rises by {measured} % of the building's height (at most {limit} %)"),
        100.0 * structure.own_height_m / structure.building_height_m,
        rule.value,
    )


def _radius(
    rule: Rule, structure: Structure, around: Surroundings, in_force: Sequence[Rule]
) -> _Answer:
    if structure.radius_m is None:
        return _unknown(message("The distance from the axis to the outermost point is not stated"))
    return _at_most(
        message("The outermost point is {measured} m from the axis (at most {limit} m)"),
        structure.radius_m,
        rule.value,
    )


def _on_building(
    rule: Rule, structure: Structure, around: Surroundings, in_force: Sequence[Rule]
) -> _Answer:
    if structure.building_height_m is None:
        return (
            "not met",
            message(
                "A mast of class {mast_class} stands on a building, but no building is stated",
                mast_class=structure.mast_class,
            ),
            None,
            None,
        )
    return "met", message("The mast stands on a building, as its class says"), None, None


def _on_ground(
    rule: Rule, structure: Structure, around: Surroundings, in_force: Sequence[Rule]
) -> _Answer:
    if structure.building_height_m is not None:
        return (
            "not met",
            message(
                "A mast of class {mast_class} stands on the ground, but a building is stated",
                mast_class=structure.mast_class,
            ),
            None,
            None,
        )
    return "met", message("The mast stands on the ground, as its class says"), None, None


def _unusual_class(
    rule: Rule, structure: Structure, around: Surroundings, in_force: Sequence[Rule]
) -> _Answer:
    return (
        "not met",
        message("Masts of class {mast_class} are not usual here", mast_class=structure.mast_class),
        None,
        None,
    )


def _spacing(
    rule: Rule, structure: Structure, around: Surroundings, in_force: Sequence[Rule]
) -> _Answer:
    if not around.masts:
        return "met", message("There is no other mast"), None, rule.value
    nearest = around.masts[0]
    return (
        "met" if nearest.distance_m >= rule.value else "not met",
        message(
            "The nearest mast, {name}, is {measured} m away (at least {limit} m, otherwise share)",
            name=nearest.name,
            measured=f"{nearest.distance_m:.0f}",
            limit=f"{rule.value:g}",
        ),
        nearest.distance_m,
        rule.value,
    )


def _allowed_near(
    rule: Rule, structure: Structure, around: Surroundings, in_force: Sequence[Rule]
) -> _Answer:
    nearest = next((place for place in around.places if place.kind in rule.near), None)
    if nearest is None or nearest.distance_m > rule.value:
        text = message("No place of the protected kinds within {limit} m", limit=f"{rule.value:g}")
        return "met", text, None if nearest is None else nearest.distance_m, rule.value
    return (
        "met" if structure.mast_class in rule.mast_class else "not met",
        message(
            "{name} is {measured} m away; within {limit} m only masts of class {classes} may stand",
            name=nearest.name,
            measured=f"{nearest.distance_m:.0f}",
            limit=f"{rule.value:g}",
            classes=", ".join(rule.mast_class),
        ),
        nearest.distance_m,
        rule.value,
    )


def _allowed_in_zone(
    rule: Rule, structure: Structure, around: Surroundings, in_force: Sequence[Rule]
) -> _Answer | None:
    if not around.camouflaged_areas:
        return None
    return (
        "met" if structure.mast_class in rule.mast_class else "not met",
        message(
            "The site lies in {name}, where only masts of class {classes} may stand",
            name=", ".join(around.camouflaged_areas),
            classes=", ".join(rule.mast_class),
        ),
        None,
        None,
    )


def _tenants_min(
    rule: Rule, structure: Structure, around: Surroundings, in_force: Sequence[Rule]
) -> _Answer:
    if structure.max_tenants is None:
        return _unknown(message("It is not stated how many operators the mast can carry"))
    return (
        "met" if structure.max_tenants >= rule.value else "not met",
        message(
            "The mast can carry {measured} operators (at least {limit})",
            measured=structure.max_tenants,
            limit=f"{rule.value:g}",
        ),
        float(structure.max_tenants),
        rule.value,
    )


def _tenants_max(
    rule: Rule, structure: Structure, around: Surroundings, in_force: Sequence[Rule]
) -> _Answer | None:
    if structure.max_tenants is None:
        return None
    return (
        "met" if structure.max_tenants <= rule.value else "not met",
        message(
            "The mast can carry {measured} operators (at most {limit})",
            measured=structure.max_tenants,
            limit=f"{rule.value:g}",
        ),
        float(structure.max_tenants),
        rule.value,
    )


def _permit(
    rule: Rule, structure: Structure, around: Surroundings, in_force: Sequence[Rule]
) -> _Answer:
    return "note", message("A building permit is required"), None, None


def _exposure(
    rule: Rule, structure: Structure, around: Surroundings, in_force: Sequence[Rule]
) -> _Answer:
    if not structure.eirp_dbm or not math.isfinite(structure.lowest_antenna_m):
        return _unknown(message("No cells are stated, so that the exposure cannot be worked out"))
    head = max((each.value for each in in_force if each.rule == "head_height"), default=0.0)
    distance = compliance_distance_m(structure.eirp_dbm, rule.value)
    room = structure.lowest_antenna_m - head
    values = {
        "measured": f"{distance:.1f}",
        "limit": f"{room:.1f}",
        "density": f"{rule.value:g}",
    }
    if distance <= room:
        text = message(
            "The power density may exceed {density} W/m² up to {measured} m from the antennas; "
            "people on the ground stay {limit} m below them",
            **values,
        )
        return "met", text, distance, room
    text = message(
        "The power density may exceed {density} W/m² up to {measured} m from the antennas, but "
        "people on the ground come within {limit} m",
        **values,
    )
    return "not met", text, distance, room


def _sensitive(
    rule: Rule, structure: Structure, around: Surroundings, in_force: Sequence[Rule]
) -> _Answer | None:
    near = [
        place
        for place in around.places
        if place.kind in rule.near and place.distance_m <= rule.value
    ]
    if not near:
        return None
    return (
        "note",
        message(
            "Public places within {limit} m: {count}; the nearest, {name}, is {measured} m away",
            limit=f"{rule.value:g}",
            count=len(near),
            name=near[0].name,
            measured=f"{near[0].distance_m:.0f}",
        ),
        near[0].distance_m,
        rule.value,
    )


def _unknown(text: Message) -> _Answer:
    return "cannot be checked", text, None, None


_Check = Callable[[Rule, Structure, Surroundings, Sequence[Rule]], _Answer | None]

_CHECKS: dict[str, _Check] = {
    "own_height_max": _own_height,
    "share_of_building_max": _share_of_building,
    "radius_max": _radius,
    "on_building": _on_building,
    "on_ground": _on_ground,
    "unusual_class": _unusual_class,
    "spacing": _spacing,
    "allowed_near": _allowed_near,
    "allowed_in_zone": _allowed_in_zone,
    "tenants_min": _tenants_min,
    "tenants_max": _tenants_max,
    "permit_required": _permit,
    "exposure": _exposure,
    "sensitive": _sensitive,
}

#: Rules about building a mast; antennas on a mast that stands there do not touch them.
_ONLY_NEW = (
    "own_height_max", "share_of_building_max", "radius_max", "on_building", "on_ground",
    "unusual_class", "spacing", "allowed_near", "allowed_in_zone", "tenants_min", "tenants_max",
    "permit_required",
)  # fmt: skip


def check_shared(
    mast: Mapping[str, Any], organisation: str, there: set[str], come: set[str]
) -> tuple[Finding, ...]:
    """Check whether a mast that is there can take further operators.

    Parameters
    ----------
    mast
        Row of the layer `masts`.
    organisation
        Who asks.
    there, come
        Operators on it now, and those that would come.

    Returns
    -------
    tuple of Finding
        Whether it may be shared, and whether it has room.
    """
    free = bool(mast["shareable"]) or mast["owner"] == organisation
    name = mast["mast_id"]
    texts = {
        True: message("Mast {mast} may be shared", mast=name),
        False: message("Mast {mast} is not offered for sharing", mast=name),
    }
    findings = [_of_inventory("shareable", free, texts[free])]
    most = mast["max_tenants"]
    if not isinstance(most, int | float) or math.isnan(most):
        unknown = message("It is not known how many operators mast {mast} can carry", mast=name)
        return (*findings, _of_inventory("room", None, unknown))
    count = len(there | come)
    text = message(
        "Mast {mast} would carry {measured} operators (at most {limit})",
        mast=name,
        measured=count,
        limit=f"{most:g}",
    )
    return (*findings, _of_inventory("room", count <= most, text, float(count), float(most)))


def _of_inventory(
    rule: str,
    met: bool | None,
    text: Message,
    measured: float | None = None,
    limit: float | None = None,
) -> Finding:
    result: Result = "cannot be checked" if met is None else "met" if met else "not met"
    return Finding(rule, result, "error", text, measured, limit, "", "layer masts", verified=True)


def nearest(neighbours: Sequence[Neighbour]) -> tuple[Neighbour, ...]:
    """Return neighbours in order of their distance."""
    return tuple(sorted(neighbours, key=lambda each: (each.distance_m, each.kind, each.name)))
