"""Places where antennas could hang: what the layers of a study area offer.

=============  =========================================================================
`mast`         a mast in use: of others with a free place, or one on which an operator
               lacks a technology
`land`         an office of the administration or a site of its data network: public
               land with power
`roof`         a building that is high enough, where its height is known
`high_point`   the highest ground around with a road and people, so power, near
=============  =========================================================================

New sites keep the distance that the local rules ask for from masts, planned ones too, and
from each other; where it is not kept, the mast that is there is the candidate. Where only
masts of other classes may stand, none is built.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.ndimage
import scipy.spatial
import shapely
from numpy.typing import NDArray

from data.errors import Message, message
from data.grid import Grid, Raster
from data.store import Workspace
from planning import site_rules, site_zones
from planning.sharing_costs import Prices

#: Kinds of candidates, those preferred first where two are too near each other.
KINDS = ("mast", "land", "roof", "high_point")

#: Columns of a table of candidates.
COLUMNS = (
    "candidate_id", "kind", "name", "owner", "mast_id", "mast_class", "height_m", "layer",
    "row", "places", "shareable", "reason",
)  # fmt: skip

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidate sites.

    Parameters
    ----------
    sites
        `COLUMNS` and geometry; `places` is how many operators can still come (only the owner
        where it is not shareable), `reason` a `Message` that says why it is one; layer and
        row say where it is from.
    notes
        What a reader should know.
    """

    sites: gpd.GeoDataFrame
    notes: tuple[Message, ...]


def find(
    workspace: Workspace,
    prices: Prices,
    numbers: dict[str, float],
    demand: Floats,
    grid: Grid,
    *,
    kinds: Iterable[str] = KINDS,
    most: int = 300,
) -> Candidates:
    """Return candidate sites near demand without service.

    Parameters
    ----------
    workspace
        The study area.
    prices
        For the capacity of masts whose own is not known.
    numbers
        From `planning.siting_assumptions`.
    demand
        Demand without service per pixel of the grid, in row order.
    grid
        The analysis grid.
    kinds
        Which kinds to look for.
    most
        How many at most: those with the most demand near are kept.

    Returns
    -------
    Candidates
        Masts first.
    """
    wanted = tuple(kinds)
    masts = _masts(workspace, prices)
    frames, notes = [masts] if "mast" in wanted else [], []
    new = []
    for kind, make in (("land", _land), ("roof", _roofs), ("high_point", _high_points)):
        if kind in wanted:
            found, said = make(workspace, numbers, grid)
            new.append(found)
            notes += said
    if new:
        fresh, said = _spaced(workspace, pd.concat(new, ignore_index=True), numbers)
        frames.append(fresh)
        notes += said
    if not frames:
        frames = [masts.iloc[:0]]
    sites = gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), crs=workspace.area.crs)
    near = demand_near(sites, demand, grid, numbers["demand_near"])
    order = np.argsort(-near, kind="stable")
    keep = np.sort(order[near[order] > 0.0][:most])
    if int((near > 0.0).sum()) > most:
        notes.append(
            message(
                "Of {count} candidates the {most} with the most demand near were looked at",
                count=int((near > 0.0).sum()),
                most=most,
            )
        )
    return Candidates(sites.iloc[keep].reset_index(drop=True), tuple(notes))


def demand_near(sites: gpd.GeoDataFrame, demand: Floats, grid: Grid, distance_m: float) -> Floats:
    """Return the demand within a distance of each site.

    Parameters
    ----------
    sites
        Points in the CRS of the grid.
    demand
        Per pixel, in row order.
    grid
        The pixels.
    distance_m
        How far. [m]

    Returns
    -------
    numpy.ndarray
        Shape (sites,).
    """
    at = np.flatnonzero(demand > 0.0)
    if not len(at) or not len(sites):
        return np.zeros(len(sites))
    row, column = np.divmod(at, grid.width)
    x, y = grid.x_centres()[column], grid.y_centres()[row]
    tree = scipy.spatial.cKDTree(np.c_[x, y])
    places = np.c_[sites.geometry.x, sites.geometry.y]
    weight = demand[at]
    return np.array([weight[near].sum() for near in tree.query_ball_point(places, distance_m)])


def _frame(
    rows: list[dict[str, object]], points: NDArray[np.object_], crs: str
) -> gpd.GeoDataFrame:
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return gpd.GeoDataFrame(table, geometry=gpd.GeoSeries(points, crs=crs))


def _masts(workspace: Workspace, prices: Prices) -> gpd.GeoDataFrame:
    """Return the masts in use with what is free on them."""
    crs = workspace.area.crs
    if not workspace.has("masts"):
        return _frame([], np.zeros(0, object), crs)
    masts = workspace.read("masts").reset_index(drop=True)
    masts = masts[masts["status"] == "existing"]
    cells = workspace.read("cells") if workspace.has("cells") else None
    tenants = {} if cells is None else cells.groupby("mast_id")["operator"].nunique().to_dict()
    rows = []
    mast: Any
    for row, mast in zip(masts.index, masts.itertuples(), strict=True):
        there = int(tenants.get(mast.mast_id, 0))
        most = mast.max_tenants
        room = prices.tenants(mast.mast_class) if pd.isna(most) else int(most)
        reason = message(
            "mast of {owner}, {height} m, {count} of {most} places taken",
            owner=message("an unknown owner") if pd.isna(mast.owner) else mast.owner,
            height=f"{mast.height_m:g}",
            count=there,
            most=room,
        )
        rows.append(
            {
                "candidate_id": f"mast:{mast.mast_id}",
                "kind": "mast",
                "name": mast.mast_id if pd.isna(mast.name) else mast.name,
                "owner": None if pd.isna(mast.owner) else mast.owner,
                "mast_id": mast.mast_id,
                "mast_class": None if pd.isna(mast.mast_class) else mast.mast_class,
                "height_m": float(mast.height_m),
                "layer": "masts",
                "row": row,
                "places": max(0, room - there),
                "shareable": bool(mast.shareable),
                "reason": reason,
            }
        )
    return _frame(rows, masts.geometry.to_numpy(), crs)


_Found = tuple[gpd.GeoDataFrame, list[Message]]


def _land(workspace: Workspace, numbers: dict[str, float], grid: Grid) -> _Found:
    """Return offices and sites of the administration's network."""
    del grid
    rows: list[dict[str, object]] = []
    points: list[shapely.Point] = []
    for layer, key in (("offices", "office_id"), ("network_sites", "site_id")):
        if not workspace.has(layer):
            continue
        frame = workspace.read(layer).reset_index(drop=True)
        for row, item in frame.iterrows():
            name = item.get("name")
            called = str(item[key]) if pd.isna(name) else str(name)
            rows.append(
                _new_site(
                    f"{layer}:{item[key]}",
                    "land",
                    called,
                    layer,
                    row,
                    numbers["new_mast_height"],
                    message("public land with power: {name}", name=called),
                )
            )
            points.append(item["geometry"])
    notes = [] if rows else [message("There is no layer of offices, so no public land is known")]
    return _frame(rows, np.array(points, object), workspace.area.crs), notes


def _new_site(
    key: str,
    kind: str,
    name: str,
    layer: str,
    row: object,
    height_m: float,
    reason: Message,
    mast_class: str = "A2b",
) -> dict[str, object]:
    return {
        "candidate_id": key,
        "kind": kind,
        "name": name,
        "owner": None,
        "mast_id": None,
        "mast_class": mast_class,
        "height_m": height_m,
        "layer": layer,
        "row": row,
        "places": 0,
        "shareable": True,
        "reason": reason,
    }


def _roofs(workspace: Workspace, numbers: dict[str, float], grid: Grid) -> _Found:
    """Return the highest building of every square, where one is high enough."""
    crs = workspace.area.crs
    if not workspace.has("building_height"):
        said = message("There is no raster of building heights, so no roofs are known")
        return _frame([], np.zeros(0, object), crs), [said]
    fine = Grid.covering(grid.bounds, max(10.0, grid.resolution_m / 4.0), grid.crs)
    heights = workspace.read_raster("building_height", fine, resampling="max")
    rows: list[dict[str, object]] = []
    points = []
    for x, y, height in _tops(heights, numbers["high_point_window"]):
        if height < numbers["building_height"]:
            continue
        top = height + numbers["roof_mast_height"]
        rows.append(
            _new_site(
                f"roof:{x:.0f},{y:.0f}",
                "roof",
                "",
                "building_height",
                -1,
                top,
                message("roof of a building of {height} m", height=f"{height:.0f}"),
                "A2a",
            )
        )
        points.append(shapely.Point(x, y))
    return _frame(rows, np.array(points, object), crs), []


def _high_points(workspace: Workspace, numbers: dict[str, float], grid: Grid) -> _Found:
    """Return the highest ground of every square that has a road and people near."""
    crs = workspace.area.crs
    none = _frame([], np.zeros(0, object), crs)
    if not workspace.has("roads"):
        return none, [
            message("There is no layer of roads, so no high points beside them are known")
        ]
    fine = Grid.covering(grid.bounds, min(100.0, max(30.0, grid.resolution_m)), grid.crs)
    terrain = workspace.read_raster("terrain", fine)
    allowed = _beside_roads(workspace, fine, numbers["road_near"])
    notes = []
    if workspace.has("population"):
        people = workspace.read_raster("population", fine, resampling="sum").values
        allowed &= _within(np.nan_to_num(people) > 0.0, numbers["people_near"], fine)
        notes.append(
            message(
                "There is no layer of power lines: power is taken to be where people live within "
                "{distance} m",
                distance=f"{numbers['people_near']:g}",
            )
        )
    reachable = Raster(fine, np.where(allowed, terrain.values, np.nan))
    rows: list[dict[str, object]] = []
    points = []
    for x, y, height in _tops(reachable, numbers["high_point_window"]):
        rows.append(
            _new_site(
                f"high:{x:.0f},{y:.0f}",
                "high_point",
                "",
                "terrain",
                -1,
                numbers["new_mast_height"],
                message(
                    "highest ground around ({height} m) within {distance} m of a road",
                    height=f"{height:.0f}",
                    distance=f"{numbers['road_near']:g}",
                ),
            )
        )
        points.append(shapely.Point(x, y))
    return _frame(rows, np.array(points, object), crs), notes


def _beside_roads(workspace: Workspace, grid: Grid, distance_m: float) -> NDArray[np.bool_]:
    from rasterio.features import rasterize

    roads = workspace.read("roads")
    shapes = [(shape, 1) for shape in roads.geometry if shape is not None and not shape.is_empty]
    if not shapes:
        return np.zeros(grid.shape, bool)
    on_road = rasterize(
        shapes, out_shape=grid.shape, transform=grid.transform, all_touched=True, dtype="uint8"
    )
    return _within(on_road > 0, distance_m, grid)


def _within(mask: NDArray[np.bool_], distance_m: float, grid: Grid) -> NDArray[np.bool_]:
    """Return the pixels within a distance of true ones."""
    if not mask.any():
        return np.zeros(mask.shape, bool)
    away = scipy.ndimage.distance_transform_edt(~mask, sampling=grid.resolution_m)
    near: NDArray[np.bool_] = away <= distance_m
    return near


def _tops(raster: Raster, window_m: float) -> list[tuple[float, float, float]]:
    """Return place and value of the greatest pixel of every square that has any."""
    grid, values = raster.grid, raster.values
    size = max(1, round(window_m / grid.resolution_m))
    found = []
    for top in range(0, grid.height, size):
        for left in range(0, grid.width, size):
            part = values[top : top + size, left : left + size]
            if not np.isfinite(part).any():
                continue
            row, column = np.unravel_index(int(np.nanargmax(part)), part.shape)
            x = float(grid.x_centres()[left + column])
            y = float(grid.y_centres()[top + row])
            found.append((x, y, float(part[row, column])))
    return found


def _spaced(workspace: Workspace, sites: gpd.GeoDataFrame, numbers: dict[str, float]) -> _Found:
    """Keep the new sites that the local rules allow within the area, the preferred first."""
    in_force = site_rules.rules(workspace.folder)
    zones = site_zones.zones_at(workspace, sites.geometry, in_force)
    least, forbidden = np.full(len(sites), np.nan), 0
    for k, zone in enumerate(zones):
        if zone is None:
            continue
        site = sites.iloc[k]
        allowed = site_zones.classes_allowed(in_force, zone)
        if allowed is not None and site["mast_class"] not in allowed:
            forbidden += 1
            continue
        on_roof = site["kind"] == "roof"
        own_height = numbers["roof_mast_height"] if on_roof else float(site["height_m"])
        least[k] = site_zones.spacing_m(in_force, zone.zone, site["mast_class"], own_height)
    notes = []
    if forbidden:
        notes.append(
            message(
                "{count} places for new masts were left out because they lie in areas where the "
                "local rules allow only masts of other classes",
                count=forbidden,
            )
        )
    rank = np.array([KINDS.index(kind) for kind in sites["kind"]], np.int64)
    order = np.argsort(rank, kind="stable")
    kept = _apart(
        _xy(sites),
        least,
        order[np.isfinite(least[order])],
        _xy(site_zones.standing_masts(workspace)),
    )
    return sites.iloc[kept], notes


def _xy(sites: gpd.GeoDataFrame) -> Floats:
    return np.column_stack([sites.geometry.x, sites.geometry.y]).astype(np.float64)


def _apart(
    places: Floats, least: Floats, order: NDArray[np.int64], standing: Floats
) -> NDArray[np.int64]:
    """Return the places, taken in order, that keep their distance from all before."""
    if len(standing) and len(order):
        away, _ = scipy.spatial.cKDTree(standing).query(places[order])
        order = order[away >= least[order]]
    if not len(order):
        return order
    near = scipy.spatial.cKDTree(places).query_ball_point(places[order], least[order])
    kept = np.zeros(len(places), np.bool_)
    for k, others in zip(order.tolist(), near, strict=True):
        others = [other for other in others if kept[other]]
        away = np.hypot(*(places[others] - places[k]).T)
        kept[k] = not np.any(away < least[k])
    return np.flatnonzero(kept)
