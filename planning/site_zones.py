"""Which local rules a place is under, for many places at once.

A place is urban or rural by the name of its commune or by the workspace's
``site_zones.geojson``, and may lie in areas for camouflaged masts; from that follow how
far masts keep apart and which classes may stand there (`planning.site_rules`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import scipy.spatial
import shapely
from numpy.typing import NDArray

from data.errors import Message, message
from data.store import Workspace
from data.study_area import finest_zones
from planning import site_rules
from planning.site_rules import Rule, Zone


@dataclass(frozen=True)
class SiteZone:
    """What kind of place a site is.

    Parameters
    ----------
    zone
        urban or rural.
    camouflaged_areas
        Names of the areas for camouflaged masts that it lies in.
    """

    zone: Zone
    camouflaged_areas: tuple[str, ...] = ()


def zones_at(
    workspace: Workspace, places: gpd.GeoSeries, in_force: Sequence[Rule]
) -> list[SiteZone | None]:
    """Return what kind each place is.

    Parameters
    ----------
    workspace
        The study area.
    places
        Points, in any CRS.
    in_force
        The rules.

    Returns
    -------
    list of SiteZone or None
        In the order of the places; None outside the study area.

    Raises
    ------
    InputError
        If ``site_zones.geojson`` cannot be used.
    """
    zones = finest_zones(workspace.read("zones"))
    points = places.to_crs(zones.crs).to_numpy()
    zone, place = shapely.STRtree(points).query(zones.geometry.to_numpy(), predicate="intersects")
    # A place on a border belongs to the zone that comes first.
    commune: dict[int, int] = {}
    for row, number in zip(zone.tolist(), place.tolist(), strict=True):
        commune[number] = min(row, commune.get(number, row))
    names = zones["name"].astype(str).tolist()
    own = own_areas(workspace, places)
    return [
        site_zone(names[commune[number]], own.get(number, ()), in_force)
        if number in commune
        else None
        for number in range(len(points))
    ]


def site_zone(commune: str, areas: Sequence[tuple[str, str]], in_force: Sequence[Rule]) -> SiteZone:
    """Return what kind a place is.

    Parameters
    ----------
    commune
        Name of its commune.
    areas
        Its own areas, from `own_areas`; urban goes before rural, both before the name.
    in_force
        The rules.
    """
    kind: Zone = "urban" if site_rules.is_urban_name(commune, tuple(in_force)) else "rural"
    kinds = {name for name, _ in areas}
    if "urban" in kinds:
        kind = "urban"
    elif "rural" in kinds:
        kind = "rural"
    return SiteZone(kind, tuple(area for name, area in areas if name == "camouflaged"))


def own_areas(workspace: Workspace, places: gpd.GeoSeries) -> dict[int, list[tuple[str, str]]]:
    """Return the workspace's own areas at places.

    Parameters
    ----------
    workspace
        The study area.
    places
        Points, in any CRS.

    Returns
    -------
    dict
        Position of a place -> kind and name of the areas that it lies in, in the file's order.

    Raises
    ------
    InputError
        If ``site_zones.geojson`` cannot be used.
    """
    areas = site_rules.read_zones(workspace.folder)
    if areas is None:
        return {}
    points = places.to_crs(areas.crs).to_numpy()
    area, place = shapely.STRtree(points).query(areas.geometry.to_numpy(), predicate="intersects")
    found: dict[int, list[tuple[str, str]]] = {}
    for row, number in sorted(zip(area.tolist(), place.tolist(), strict=True)):
        name = str(areas["name"].iloc[row]) or site_rules.ZONES_FILE
        found.setdefault(number, []).append((str(areas["zone"].iloc[row]), name))
    return found


def spacing_m(in_force: Sequence[Rule], zone: Zone, mast_class: str, own_height_m: float) -> float:
    """Return how far a new mast has to keep from others.

    Parameters
    ----------
    in_force
        The rules.
    zone
        urban or rural.
    mast_class
        One of `data.schema.MAST_CLASSES`.
    own_height_m
        Height of the structure without the building below it. [m]

    Returns
    -------
    float
        0 where no rule is about it. [m]
    """
    values = [
        rule.value
        for rule in in_force
        if rule.rule == "spacing" and rule.holds(zone, mast_class, own_height_m)
    ]
    return max(values, default=0.0)


def classes_allowed(in_force: Sequence[Rule], site: SiteZone) -> frozenset[str] | None:
    """Return the classes of masts that may stand in the camouflaged areas of a site.

    Parameters
    ----------
    in_force
        The rules.
    site
        From `zones_at`.

    Returns
    -------
    frozenset or None
        None where no rule says anything.
    """
    if not site.camouflaged_areas:
        return None
    classes = [
        frozenset(rule.mast_class)
        for rule in in_force
        if rule.rule == "allowed_in_zone" and rule.zone in ("any", site.zone)
    ]
    return frozenset.intersection(*classes) if classes else None


def standing_masts(workspace: Workspace) -> gpd.GeoDataFrame:
    """Return the masts that new ones keep their distance from.

    Parameters
    ----------
    workspace
        The study area.

    Returns
    -------
    GeoDataFrame
        Layer `masts` without those that were removed; planned ones count.
    """
    if not workspace.has("masts"):
        return gpd.GeoDataFrame({"mast_id": []}, geometry=[], crs=workspace.area.crs)
    masts = workspace.read("masts")
    return masts[masts["status"] != "removed"].reset_index(drop=True)


def breaches(
    workspace: Workspace, places: gpd.GeoSeries, mast_class: str, height_m: float
) -> list[tuple[Message, ...]]:
    """Say what the local rules have against new masts on the ground.

    Parameters
    ----------
    workspace
        The study area.
    places
        Where they would stand, in the CRS of the area.
    mast_class
        Their class.
    height_m
        Their height. [m]

    Returns
    -------
    list of tuple of Message
        Of each place: distance to the nearest mast, and areas for camouflaged masts; empty
        where nothing is broken.

    Raises
    ------
    InputError
        If the rules or ``site_zones.geojson`` cannot be used.
    """
    in_force = site_rules.rules(workspace.folder)
    masts = standing_masts(workspace)
    away, nearest = _nearest(masts, places)
    found = []
    for number, site in enumerate(zones_at(workspace, places, in_force)):
        said: list[Message] = []
        if site is not None:
            least = spacing_m(in_force, site.zone, mast_class, height_m)
            if away[number] < least:
                said.append(
                    message(
                        "mast {mast} is {distance} m away, but the local rules ask for {limit} m",
                        mast=str(masts["mast_id"].iloc[nearest[number]]),
                        distance=f"{away[number]:.0f}",
                        limit=f"{least:g}",
                    )
                )
            allowed = classes_allowed(in_force, site)
            if allowed is not None and mast_class not in allowed:
                said.append(
                    message(
                        "in {area} the local rules allow only masts of class {classes}",
                        area=", ".join(site.camouflaged_areas),
                        classes=", ".join(sorted(allowed)),
                    )
                )
        found.append(tuple(said))
    return found


def _nearest(
    masts: gpd.GeoDataFrame, places: gpd.GeoSeries
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return distance [m] and row of the mast nearest to each place."""
    if masts.empty:
        return np.full(len(places), np.inf), np.full(len(places), -1)
    tree = scipy.spatial.cKDTree(np.c_[masts.geometry.x, masts.geometry.y])
    away, nearest = tree.query(np.c_[places.x, places.y])
    return away, nearest
