"""Sites that fibre is led to: layers of the study area, homes without service, own files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from data import schema
from data.errors import InputError, Problem, ValidationError
from data.importers import mapping, prepare, text_encodings
from data.importers.text_forms import bare
from data.store import Workspace
from data.study_area import finest_zones

#: Sites that can be connected, by name.
SITE_KINDS = ("communes", "offices", "masts", "villages", "unserved")

#: Width of the squares in which homes without service are one site. [m]
CLUSTER_M = 1_000.0

#: People without service that make a site. Fewer are left out.
CLUSTER_PEOPLE = 25.0

#: Layer whose columns are the nearest to those of a list of sites.
_LIKE = "villages"

#: Names that the columns of a list of sites go by, besides those of villages; plain.
_NAMES = {
    "village_id": ("site id", "site", "ma diem", "ma tram", "ma cot", "stt", "no"),
    "name": ("name", "ten", "ten diem", "site name", "dia diem", "label"),
    "population": ("weight", "people", "trong so", "so nguoi", "prize", "value"),
}

Progress = Callable[[float], None]


def _silent(_: float) -> None:
    return None


def sites_of(
    workspace: Workspace,
    kind: str,
    zones: Sequence[str] | None = None,
    *,
    on_progress: Progress = _silent,
) -> gpd.GeoDataFrame:
    """Return sites that can be connected.

    Parameters
    ----------
    workspace
        The study area.
    kind
        ``"communes"``: the seat of each of the finest zones, or a point inside where no
        office is known; ``"offices"``, ``"masts"``, ``"villages"``: the layer's rows;
        ``"unserved"``: clusters of homes without fixed broadband, see
        `planning.broadband`.
    zones
        Codes of zones in which the sites lie; None for all.
    on_progress
        Called with the share done.

    Returns
    -------
    GeoDataFrame
        Columns site_id, name, weight (people, or 1) and geometry.

    Raises
    ------
    InputError
        If a layer is missing, a zone is not known, or no site is left.
    """
    if kind == "communes":
        frame = _seats(workspace)
    elif kind == "unserved":
        frame = _unserved(workspace, on_progress)
    elif kind in SITE_KINDS:
        frame = _rows(workspace, kind)
    else:
        raise InputError(
            "There are no sites called {value} (expected one of {expected})",
            value=kind,
            expected=", ".join(SITE_KINDS),
        )
    frame = within(workspace, frame, zones)
    if not len(frame):
        raise InputError("There is no site to connect among the {kind} asked for", kind=kind)
    return frame


def within(
    workspace: Workspace, sites: gpd.GeoDataFrame, zones: Sequence[str] | None
) -> gpd.GeoDataFrame:
    """Return the sites that lie in zones.

    Parameters
    ----------
    workspace
        The study area.
    sites
        Sites; those with a column `zone` lie in it, wherever their point is.
    zones
        Codes; None for all sites.

    Returns
    -------
    GeoDataFrame
        Columns site_id, name, weight and geometry.

    Raises
    ------
    InputError
        If a zone is not known.
    """
    places = sites.get("zone", sites.geometry)
    if zones is not None:
        known = workspace.read("zones")
        unknown = sorted(set(zones) - set(known["code"]))
        if unknown:
            raise InputError("There is no zone {value}", value=", ".join(unknown))
        inside = shapely.union_all(known[known["code"].isin(zones)].geometry.to_numpy())
        shapely.prepare(inside)
        sites = sites[shapely.intersects(inside, places.to_numpy())]
    kept = ["site_id", "name", "weight", sites.geometry.name]
    return sites[kept].reset_index(drop=True)


def _weight(values: pd.Series) -> NDArray[np.float64]:
    """Return people, 0 where they are not known; 1 each where they never are."""
    weight = pd.to_numeric(values).fillna(0.0).to_numpy(dtype=float)
    return weight if weight.any() else np.ones(len(weight))


def _rows(workspace: Workspace, kind: str) -> gpd.GeoDataFrame:
    if not workspace.has(kind):
        raise InputError(
            "The study area has no layer {layer}; import it, or connect other sites", layer=kind
        )
    rows = workspace.read(kind)
    if kind == "masts":
        rows = rows[rows["status"] != "removed"]
    weight = np.ones(len(rows))
    if kind == "villages":
        weight = _weight(rows["population"])
    return gpd.GeoDataFrame(
        {
            "site_id": rows[schema.layer_named(kind).key].to_numpy(),
            "name": rows["name"].to_numpy(),
            "weight": weight,
        },
        geometry=rows.geometry.to_numpy(),
        crs=rows.crs,
    )


def _seats(workspace: Workspace) -> gpd.GeoDataFrame:
    """Return a point for every zone: its office where one is known, else one inside it."""
    area = finest_zones(workspace.read("zones"))
    inside = area.representative_point()
    points = list(inside)
    if workspace.has("offices"):
        offices = workspace.read("offices").dropna(subset=["zone_code"])
        offices = offices.sort_values("office_id", ascending=False)
        seat = dict(zip(offices["zone_code"], offices.geometry, strict=True))
        points = [seat.get(code, point) for code, point in zip(area["code"], points, strict=True)]
    return gpd.GeoDataFrame(
        {
            "site_id": area["code"].to_numpy(),
            "name": area["name"].to_numpy(),
            "weight": _weight(area["population"]),
            "zone": inside.to_numpy(),
        },
        geometry=points,
        crs=area.crs,
    )


def _unserved(workspace: Workspace, on_progress: Progress) -> gpd.GeoDataFrame:
    """Return homes without fixed broadband, square by square."""
    from planning import broadband  # which few designs need

    found = broadband.coverage(workspace, compute_mobile=False, on_progress=on_progress)
    homes = found.homes
    people = homes["people"].to_numpy(dtype=float)
    people = people * (1.0 - homes["served_share"].to_numpy(dtype=float))
    x, y = homes.geometry.x.to_numpy(), homes.geometry.y.to_numpy()
    square = np.column_stack([np.floor(x / CLUSTER_M), np.floor(y / CLUSTER_M)]).astype(np.int64)
    squares, which = np.unique(square, axis=0, return_inverse=True)
    which = which.ravel()
    total = np.bincount(which, weights=people)
    large = total >= CLUSTER_PEOPLE
    # The site is the home nearest to the middle, so that it stands where people live.
    share = np.maximum(total, 1e-9)
    middle_x = np.bincount(which, weights=people * x) / share
    middle_y = np.bincount(which, weights=people * y) / share
    far = np.hypot(x - middle_x[which], y - middle_y[which])
    far[people <= 0.0] = np.inf
    order = np.lexsort((y, x, far, which))
    first = order[np.r_[True, which[order][1:] != which[order][:-1]]]
    home = first[large]
    names = [f"U{a}-{b}" for a, b in squares[large].tolist()]
    return gpd.GeoDataFrame(
        {"site_id": names, "name": homes["zone_code"].to_numpy()[home], "weight": total[large]},
        geometry=homes.geometry.to_numpy()[home],
        crs=homes.crs,
    )


def checked(workspace: Workspace, sites: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return sites of one's own in the form that a design needs.

    Parameters
    ----------
    workspace
        The study area.
    sites
        Points in any CRS; site_id, name and weight are filled in where they are missing.

    Returns
    -------
    GeoDataFrame
        Columns site_id, name, weight and geometry in the area's CRS.

    Raises
    ------
    InputError
        If there is no site or no CRS, something is not a point, an identifier is there
        twice, or a weight is not a number of at least 0.
    """
    if not len(sites):
        raise InputError("The list of sites is empty")
    if sites.crs is None:
        raise InputError("The sites do not say their coordinate reference system")
    shapes = sites.to_crs(workspace.area.crs).geometry.to_numpy()
    wrong = ~((shapely.get_type_id(shapes) == 0) & ~shapely.is_empty(shapes))
    wrong |= ~np.isfinite(shapely.get_x(shapes)) | ~np.isfinite(shapely.get_y(shapes))
    if wrong.any():
        raise InputError("Site {number} is not a point", number=int(np.argmax(wrong)) + 1)
    numbers = [str(k + 1) for k in range(len(sites))]
    ids = sites["site_id"].astype(str).tolist() if "site_id" in sites else numbers
    double = pd.Series(ids)[pd.Series(ids).duplicated()]
    if len(double):
        raise InputError("The site {site} is there twice", site=double.iloc[0])
    weight = np.ones(len(sites))
    if "weight" in sites:
        weight = pd.to_numeric(sites["weight"], errors="coerce").to_numpy(dtype=float)
    bad = ~(np.isfinite(weight) & (weight >= 0.0))
    if bad.any():
        raise InputError(
            "The site {site} has the weight {value} (expected a number of at least 0)",
            site=ids[int(np.argmax(bad))],
            value=str(sites["weight"].iloc[int(np.argmax(bad))]),
        )
    return gpd.GeoDataFrame(
        {
            "site_id": ids,
            "name": sites["name"].to_numpy() if "name" in sites else ids,
            "weight": weight,
        },
        geometry=shapes,
        crs=workspace.area.crs,
    )


def sites_from_file(workspace: Workspace, path: Path) -> gpd.GeoDataFrame:
    """Read sites from a file: CSV, Excel, GeoPackage, KML and whatever else is imported.

    Parameters
    ----------
    workspace
        The study area.
    path
        File with points; columns for identifier, name and weight are taken where their
        names tell, and are not needed.

    Returns
    -------
    GeoDataFrame
        Columns site_id, name, weight (1 where the file has none) and geometry.

    Raises
    ------
    InputError
        If the file cannot be read.
    ValidationError
        With every row that cannot be used.
    """
    if not path.is_file():
        raise InputError("There is no file {file}", file=path)
    found, old = text_encodings.read(path, _LIKE, None, any_header=True)
    names = prepare.column_names(found.frame)
    given = _given_names(names)
    if "village_id" not in {*given.values(), *mapping.suggest(_LIKE, names).mapping.values()}:
        numbered = found.frame.assign(village_id=[str(k + 1) for k in range(len(found.frame))])
        found = dataclasses.replace(found, frame=numbered)
    context = {"zones": workspace.read("zones")}
    crs = workspace.area.crs
    ready = prepare.prepare(_LIKE, found, prepare.Given(given), None, crs, context)
    examined = schema.examine(
        _LIKE,
        ready.frame,
        crs=crs,
        file=found.file,
        context=context,
        coordinates=ready.coordinates,
        reproject=True,
    )
    problems = [*found.problems, *old, *ready.problems, *examined.problems]
    errors = [_in_terms_of_sites(each) for each in problems if each.severity == "error"]
    if errors:
        raise ValidationError(errors)
    frame = examined.frame
    weight = pd.to_numeric(frame["population"]).to_numpy(dtype=float)
    return gpd.GeoDataFrame(
        {
            "site_id": frame["village_id"].to_numpy(),
            "name": frame["name"].to_numpy(),
            "weight": np.where(np.isfinite(weight), weight, 1.0),
        },
        geometry=frame.geometry.to_numpy(),
        crs=frame.crs,
    )


def _given_names(names: Sequence[str]) -> dict[str, str]:
    """Return the columns of a list of sites that villages do not have."""
    taken = set(mapping.suggest(_LIKE, names).mapping.values())
    given = {}
    for ours, words in _NAMES.items():
        if ours in taken:
            continue
        plain = {bare(name): name for name in reversed(list(names))}
        theirs = next((plain[word] for word in words if word in plain), None)
        if theirs is not None:
            given[theirs] = ours
    return given


def _in_terms_of_sites(problem: Problem) -> Problem:
    ours = {"village_id": "site_id", "population": "weight"}
    return dataclasses.replace(
        problem, layer="sites", column=ours.get(problem.column or "", problem.column)
    )
