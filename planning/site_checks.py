"""A proposed mast against the local rules: pure, rule by rule, with the figures compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from data.errors import Message, message
from planning.sharing_costs import Assumption
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
    if structure.new and not structure.mast_class:
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
        Whether a rule ``permit_required`` is about the mast, or may be as long as its
        class is not stated.
    """
    return structure.new and any(
        rule.rule == "permit_required"
        and rule.may_hold(around.zone, structure.mast_class, structure.own_height_m)
        for rule in in_force
    )


def _gravity(finding: Finding) -> tuple[int, int]:
    results: tuple[Result, ...] = ("not met", "cannot be checked", "note", "met")
    return results.index(finding.result), ("error", "warning", "note").index(finding.severity)


def _class_unknown() -> Finding:
    text = message(
        "The class of the mast is not stated, so that rules for single classes cannot be checked"
    )
    return Finding(
        "mast_class", "cannot be checked", "warning", text, None, None, "", "", verified=True
    )


def _is_about(rule: Rule, structure: Structure, around: Surroundings) -> bool:
    if rule.rule not in _CHECKS or (rule.rule in _ONLY_NEW and not structure.new):
        return False
    if rule.rule in ("allowed_near", "allowed_in_zone"):
        # Their classes are those that may stand there, not those that they are about.
        return rule.zone in ("any", around.zone)
    if rule.rule in ("spacing", "permit_required"):
        # Without a class they say what they would ask for.
        return rule.may_hold(around.zone, structure.mast_class, structure.own_height_m)
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
    if not _class_fits(rule, structure) and nearest.distance_m < rule.value:
        text = message(
            "The nearest mast, {name}, is {measured} m away; masts of class {classes} keep "
            "{limit} m, and the class is not stated",
            name=nearest.name,
            measured=f"{nearest.distance_m:.0f}",
            classes=", ".join(rule.mast_class),
            limit=f"{rule.value:g}",
        )
        return "cannot be checked", text, nearest.distance_m, rule.value
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
        if not around.known_places & set(rule.near):
            return _unknown(
                message(
                    "The data have no places of the protected kinds, so that it is not known "
                    "whether one is within {limit} m",
                    limit=f"{rule.value:g}",
                )
            )
        text = message("No place of the protected kinds within {limit} m", limit=f"{rule.value:g}")
        return "met", text, None if nearest is None else nearest.distance_m, rule.value
    return (
        _one_of(rule, structure),
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
        _one_of(rule, structure),
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
    if _class_fits(rule, structure):
        return "note", message("A building permit is required"), None, None
    text = message(
        "Masts of class {classes} need a building permit; as the class is not stated, it counts "
        "as required",
        classes=", ".join(rule.mast_class),
    )
    return _unknown(text)


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
        if around.known_places & set(rule.near):
            return None
        return _unknown(
            message(
                "The data have no schools or hospitals, so that it is not known whether one is "
                "within {limit} m",
                limit=f"{rule.value:g}",
            )
        )
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


def _class_fits(rule: Rule, structure: Structure) -> bool:
    """Return whether a rule that may hold is surely about the mast."""
    return bool(structure.mast_class) or rule.of_every_class


def _one_of(rule: Rule, structure: Structure) -> Result:
    """Return whether a mast is of a class that may stand there."""
    if not structure.mast_class:
        return "cannot be checked"
    return "met" if structure.mast_class in rule.mast_class else "not met"


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


def check_shared(mast: Mapping[str, Any], there: set[str], come: set[str]) -> tuple[Finding, ...]:
    """Check whether a mast that is there can take further operators.

    Parameters
    ----------
    mast
        Row of the layer `masts`.
    there, come
        Operators on it now, and those that would come.

    Returns
    -------
    tuple of Finding
        Whether it may be shared, and whether it has room.
    """
    name = mast["mast_id"]
    if come <= there:
        free, text = True, message("The operators are on mast {mast} already", mast=name)
    elif come <= {*there, mast["owner"]}:
        free, text = True, message("Mast {mast} is the owner's own", mast=name)
    elif mast["shareable"]:
        free, text = True, message("Mast {mast} may be shared", mast=name)
    else:
        free, text = False, message("Mast {mast} is not offered for sharing", mast=name)
    findings = [_of_inventory("shareable", free, text)]
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


def check_space(distance_m: float | None, space: Assumption) -> tuple[Finding, ...]:
    """Check whether antennas have a height of their own on a mast that is there.

    Parameters
    ----------
    distance_m
        From `site_antennas.nearest_to_others_m`.
    space
        Height that the antennas of an operator take. [m]

    Returns
    -------
    tuple of Finding
        Empty where there is nothing to compare.
    """
    if distance_m is None:
        return ()
    limit = space.value.typical
    text = message(
        "The antennas hang {measured} m above or below those of another operator (at least "
        "{limit} m)",
        measured=f"{distance_m:.1f}",
        limit=f"{limit:g}",
    )
    result: Result = "met" if distance_m >= limit else "not met"
    return (
        Finding(
            "antenna_space", result, "warning", text, distance_m, limit, "m", space.source,
            space.verified,
        ),
    )  # fmt: skip


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
