"""What proposals must fit in their study area: the place, the mast, the carrier."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from data.errors import InputError, message
from data.records.engine import Records
from data.store import Workspace
from data.study_area import finest_zones
from planning import accounts, site_zones
from planning.accounts import Actor, Role
from planning.site_request import SiteRequest

#: Most names that an error lists.
_MOST_NAMES = 12


def workspace_of(records: Records, area: str) -> Workspace | None:
    """Return the workspace of an area, None where it does not lie beside the records.

    Parameters
    ----------
    records
        The records database.
    area
        Name of the workspace's folder.
    """
    folder = records.home / area
    inside = folder.parent == records.home and area not in ("", ".", "..")
    return Workspace.open(folder) if inside and Workspace.exists(folder) else None


def faults(workspace: Workspace, sites: Sequence[SiteRequest]) -> list[InputError | None]:
    """Return what is wrong with the places of sites.

    Parameters
    ----------
    workspace
        The study area.
    sites
        Requests.

    Returns
    -------
    list of InputError or None
        For each site: that it lies outside the area, or that the mast to be shared is not
        there; None if neither.
    """
    masts = site_zones.standing_masts(workspace)
    standing = dict(zip(masts["mast_id"].astype(str), masts.geometry, strict=True))
    x, y = _positions(workspace, sites, standing)
    within = _within(workspace, x, y)
    return [_fault(workspace, *each) for each in zip(sites, x, within, strict=True)]


def _positions(
    workspace: Workspace, sites: Sequence[SiteRequest], standing: dict[str, shapely.Point]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where sites are, in the area's CRS [m]; no numbers where the mast is not there."""
    asked = gpd.GeoSeries.from_xy(
        [site.lon for site in sites], [site.lat for site in sites], crs="EPSG:4326"
    ).to_crs(workspace.area.crs)
    x, y = asked.x.to_numpy(copy=True), asked.y.to_numpy(copy=True)
    for row, site in enumerate(sites):
        if site.kind == "share":
            mast = standing.get(site.mast_id)
            x[row], y[row] = (np.nan, np.nan) if mast is None else (mast.x, mast.y)
    return x, y


def _within(
    workspace: Workspace, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.bool_]:
    if not workspace.has("zones"):
        return np.ones(len(x), bool)
    inside = np.zeros(len(x), bool)
    for zone in finest_zones(workspace.read("zones")).geometry:
        shapely.prepare(zone)
        inside |= shapely.intersects_xy(zone, x, y)
    return inside


def _fault(workspace: Workspace, site: SiteRequest, x: float, within: bool) -> InputError | None:
    if np.isnan(x) and site.kind == "share":
        return InputError(
            "{column}: {value} ({expected})",
            column="mast_id",
            value=site.mast_id,
            expected=message("expected a mast of the study area"),
        )
    if within:
        return None
    mast = site.kind == "share"
    return InputError(
        "{column}: {value} ({expected})",
        column="mast_id" if mast else "lon",
        value=site.mast_id if mast else f"{site.lon:.6f}; {site.lat:.6f}",
        expected=message("expected a place within {area}", area=workspace.area.title_vi),
    )


def check_sites(records: Records, area: str, sites: Sequence[SiteRequest]) -> None:
    """Raise what is wrong with the place of a site, where the workspace is there to compare.

    Parameters
    ----------
    records, area
        See `workspace_of`.
    sites
        Requests.

    Raises
    ------
    InputError
        For the first that lies outside the area or names a mast that is not there.
    """
    workspace = workspace_of(records, area)
    for error in [] if workspace is None else faults(workspace, sites):
        if error is not None:
            raise error


def check_carrier(records: Records, actor: Actor, area: str, organisation: str) -> None:
    """Raise unless a name for which an administrator acts is a carrier's.

    Parameters
    ----------
    records, area
        See `workspace_of`.
    actor
        Who acts; a carrier's own name was given by an administrator and is not asked again.
    organisation
        The name.

    Raises
    ------
    InputError
        If it is neither an operator or owner in the layers nor a carrier with an account.
    """
    workspace = None if actor.role is Role.CARRIER else workspace_of(records, area)
    if workspace is None:
        return
    known: set[str] = set()
    for layer, column in (("cells", "operator"), ("masts", "owner")):
        if workspace.has(layer):
            known |= set(workspace.read(layer)[column].dropna().astype(str))
    # A carrier that is about to build its first mast is in no layer yet.
    there = accounts.list_of(records, actor)
    known |= {each.organisation for each in there if each.role is Role.CARRIER}
    if known and organisation not in known:
        listed = sorted(known)
        more = ", …" if len(listed) > _MOST_NAMES else ""
        raise InputError(
            "There is no carrier {name} (expected an operator or owner of the layers or a "
            "carrier with an account: {known})",
            name=organisation,
            known=", ".join(listed[:_MOST_NAMES]) + more,
        )
