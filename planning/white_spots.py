"""Places without coverage: where, why, and for whom.

A white spot is a set of neighbouring pixels of one commune that a technology (of one
operator, or of any) does not cover. Why is found by asking the engine what would be received
if one thing were otherwise, on the very path from the best server to the place:

- *terrain*: the ground between is as flat as the line between the two ends;
- *clutter*: nothing stands on the ground;
- *direction*: the antenna has its greatest gain towards the place;
- *power*: the cell radiates as much as the strongest one of its technology in the area.

The cause is the change that alone lifts the place over what is needed, the greatest if there
are several. If none does alone but terrain and clutter together do, both are named; if only
all changes together do, the one that brings most is; if all of them together do not, or no
cell is received at all, the place is too far: *distance*.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import scipy.ndimage
import scipy.special
import shapely
from numpy.typing import NDArray

from coverage import point_prediction, run, sweep, terrain
from coverage.mast import reference_eirp_dbm
from coverage.request import (
    CoverageRequest,
    Plan,
    Surroundings,
    cells_of,
    location_sigma_db,
    make_plan,
    masts_on_air,
    surroundings,
)
from coverage.results import ANY_OPERATOR, CoverageResult
from data.errors import InputError
from data.grid import Grid
from data.store import Workspace
from planning import mast_coverage
from planning.mast_coverage import Demand

Progress = Callable[[float], None]

CAUSES = ("distance", "terrain", "clutter", "terrain and clutter", "direction", "power")

_SINGLE = ("terrain", "clutter", "direction", "power")

#: Places of a spot that are asked why.
_SAMPLES = 5

# Radius of the Earth. [m]
_EARTH_M = 6_371_000.0

#: Columns of the table of spots.
SPOT_COLUMNS = (
    "spot", "code", "commune", "area_km2", "people", "cause", "alone", "short_db", "terrain_db",
    "clutter_db", "direction_db", "power_db", "distance_m", "mast_id", "cell_id", "operator",
    "obstacle", "obstacle_distance_m", "obstacle_above_m", "obstacle_lon", "obstacle_lat",
    "lon", "lat",
)  # fmt: skip


@dataclass(frozen=True)
class WhiteSpotRequest:
    """Which places are looked for.

    Parameters
    ----------
    coverage
        What counts as covered; it must ask for the technology.
    technology
        Which technology is missing.
    operator
        Of one operator, or "any".
    communes
        Codes of communes, or None for all.
    least_km2
        Smaller spots are left out unless people live there. [km²]
    most_spots
        How many spots are looked into.
    order
        Which come first: those with most ``"people"``, or those of most ``"area"``.
    """

    coverage: CoverageRequest = field(default_factory=CoverageRequest)
    technology: str = "4G"
    operator: str = ANY_OPERATOR
    communes: tuple[str, ...] | None = None
    least_km2: float = 0.1
    most_spots: int = 40
    order: str = "people"


@dataclass(frozen=True, eq=False)
class Spot:
    """One white spot.

    Parameters
    ----------
    number
        From 1.
    zone
        Row of its commune in the layer `zones`.
    pixels
        Numbers of its pixels in the grid.
    people, area_km2
        In it.
    x_m, y_m
        The place to be served first: the pixel with most people, else the one farthest
        inside. [m]
    """

    number: int
    zone: int
    pixels: NDArray[np.int64]
    people: float
    area_km2: float
    x_m: float
    y_m: float


class Obstacle(NamedTuple):
    """What stands in the way."""

    kind: str
    x_m: float
    y_m: float
    distance_m: float
    above_m: float


@dataclass(frozen=True)
class Reason:
    """Why a place is not covered.

    Parameters
    ----------
    cause
        One of `CAUSES`.
    alone
        All changes that alone suffice, the greatest first.
    short_db
        What is missing at the place. [dB]
    terrain_db, clutter_db, direction_db, power_db
        What each change alone would bring. [dB]
    distance_m
        To the best server; NaN without one in reach. [m]
    cell
        Row of the best server in the layer `cells`, -1 without one.
    obstacle
        What stands highest in the way, or None where the way is free.
    """

    cause: str
    alone: tuple[str, ...]
    short_db: float
    terrain_db: float
    clutter_db: float
    direction_db: float
    power_db: float
    distance_m: float
    cell: int
    obstacle: Obstacle | None


@dataclass(frozen=True, eq=False)
class Found:
    """The white spots of an area, before remedies.

    Parameters
    ----------
    plan
        The question.
    result
        The coverage in which they were found.
    under
        People and area.
    spots
        In the order asked for.
    reasons
        Of each spot.
    left_out
        How many spots beyond `most_spots` there are, with their people and area (km²).
    totals
        By commune: code, name, spots, people, area_km2, of all white spots.
    masts, cells
        The network.
    """

    plan: Plan
    result: CoverageResult
    under: Demand
    spots: tuple[Spot, ...]
    reasons: tuple[Reason, ...]
    left_out: tuple[int, float, float]
    totals: pd.DataFrame
    masts: gpd.GeoDataFrame
    cells: pd.DataFrame


def find(
    workspace: Workspace,
    request: WhiteSpotRequest,
    *,
    threads: int | None = None,
    on_progress: Progress = lambda _: None,
) -> Found:
    """Find white spots and why they are there.

    Parameters
    ----------
    workspace
        The study area.
    request
        Which ones.
    threads
        Masts computed at once; all processors if None.
    on_progress
        Called with the finished share; may raise `CancelledError`.

    Returns
    -------
    Found
        Spots with their reasons.

    Raises
    ------
    InputError
        If technology, operator or commune is not known.
    """
    plan = make_plan(workspace, request.coverage)
    _check(request, plan)
    result = run.compute(
        workspace, request.coverage, threads=threads,
        on_progress=lambda share: on_progress(0.7 * share),
    )  # fmt: skip
    under = mast_coverage.demand(workspace, plan.grid)
    rows = _communes(request, under.zones)
    covered = result.covered(request.technology, request.operator).values.ravel()
    spots = _spots(
        ~covered & (under.area_m2 > 0.0), under, plan.grid, rows, request.order == "area"
    )
    worth = [spot for spot in spots if spot.people >= 0.5 or spot.area_km2 >= request.least_km2]
    chosen = [
        Spot(number, spot.zone, spot.pixels, spot.people, spot.area_km2, spot.x_m, spot.y_m)
        for number, spot in enumerate(worth[: max(0, request.most_spots)], start=1)
    ]
    rest = spots[len(chosen) :] if len(worth) == len(spots) else _others(spots, len(chosen), worth)
    masts, cells = masts_on_air(workspace).reset_index(drop=True), cells_of(workspace)
    judge = _Judge(workspace, plan, result, request, under, masts, cells)
    reasons = []
    for done, spot in enumerate(chosen, start=1):
        reasons.append(judge.reason(spot))
        on_progress(0.7 + 0.3 * done / len(chosen))
    on_progress(1.0)
    left_out = (
        len(rest), sum(spot.people for spot in rest), sum(spot.area_km2 for spot in rest)
    )  # fmt: skip
    return Found(
        plan, result, under, tuple(chosen), tuple(reasons), left_out,
        _totals(spots, under.zones, rows), masts, cells,
    )  # fmt: skip


def _check(request: WhiteSpotRequest, plan: Plan) -> None:
    if request.technology not in plan.thresholds:
        raise InputError(
            "Technology {value} was not computed (expected one of {expected})",
            value=request.technology,
            expected=", ".join(plan.thresholds),
        )
    if request.operator not in (*plan.operators, ANY_OPERATOR):
        raise InputError(
            "Operator {value} has no cells here (expected one of {expected})",
            value=request.operator,
            expected=", ".join((*plan.operators, ANY_OPERATOR)),
        )
    if request.order not in ("people", "area"):
        raise InputError(
            "{value} is not known (expected one of {expected})",
            value=request.order,
            expected="people, area",
        )
    if request.least_km2 < 0.0 or not math.isfinite(request.least_km2):
        raise InputError(
            "The least area is {value} km² (expected a number of at least 0)",
            value=request.least_km2,
        )


def _communes(request: WhiteSpotRequest, zones: gpd.GeoDataFrame) -> set[int] | None:
    if request.communes is None:
        return None
    rows = set()
    for code in request.communes:
        found = np.flatnonzero(zones["code"].astype(str) == code)
        if not len(found):
            raise InputError(
                "There is no commune with the code {value} (codes stand in the layer zones)",
                value=code,
            )
        rows.update(found.tolist())
    return rows


def _spots(
    missing: NDArray[np.bool_], under: Demand, grid: Grid, rows: set[int] | None, by_area: bool
) -> list[Spot]:
    """Return the connected sets of missing pixels of each commune, in order."""
    shape = grid.shape
    number, _ = scipy.ndimage.label(missing.reshape(shape), np.ones((3, 3), int))
    pixels = np.flatnonzero(missing & (under.commune >= 0))
    if rows is not None:
        pixels = pixels[np.isin(under.commune[pixels], sorted(rows))]
    inside = scipy.ndimage.distance_transform_edt(np.pad(missing.reshape(shape), 1))[1:-1, 1:-1]
    key = pd.DataFrame({"set": number.ravel()[pixels], "zone": under.commune[pixels]})
    x, y = grid.x_centres(), grid.y_centres()
    found = []
    groups = key.groupby(["set", "zone"], sort=True)
    for members in groups.indices.values():
        own = pixels[members]
        people = under.people[own]
        deep = inside.ravel()[own]
        centre = int(own[np.lexsort((-deep, -people))[0]])
        row, column = divmod(centre, grid.width)
        area = float(under.area_m2[own].sum()) / 1e6
        found.append(
            Spot(
                0,
                int(under.commune[own[0]]),
                own,
                float(people.sum()),
                area,
                float(x[column]),
                float(y[row]),
            )
        )
    if by_area:
        return sorted(found, key=lambda spot: (-spot.area_km2, -spot.people, int(spot.pixels[0])))
    return sorted(found, key=lambda spot: (-spot.people, -spot.area_km2, int(spot.pixels[0])))


def _others(spots: list[Spot], chosen: int, worth: list[Spot]) -> list[Spot]:
    taken = {id(spot) for spot in worth[:chosen]}
    return [spot for spot in spots if id(spot) not in taken]


def _totals(spots: list[Spot], zones: gpd.GeoDataFrame, rows: set[int] | None) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "zone": [spot.zone for spot in spots],
            "people": [spot.people for spot in spots],
            "area_km2": [spot.area_km2 for spot in spots],
            "spots": 1,
        }
    )
    sums = table.groupby("zone", as_index=False).sum()
    if rows is not None:
        sums = sums[sums["zone"].isin(rows)]
    sums.insert(1, "code", zones["code"].iloc[sums["zone"]].to_numpy())
    sums.insert(2, "commune", zones["name"].iloc[sums["zone"]].to_numpy())
    return sums.sort_values(["people", "area_km2"], ascending=False, ignore_index=True)


# ----------------------------------------------------------------------------------------
# Why


class _Judge:
    """Finds out why places are not covered."""

    def __init__(
        self,
        workspace: Workspace,
        plan: Plan,
        result: CoverageResult,
        request: WhiteSpotRequest,
        under: Demand,
        masts: gpd.GeoDataFrame,
        cells: pd.DataFrame,
    ) -> None:
        self._plan = plan
        self._under = under
        self._masts = masts
        self._cells = cells
        self._server = result.server(request.technology, request.operator).values.ravel()
        self._around: Surroundings = surroundings(plan, plan.grid)
        self._threshold = plan.thresholds[request.technology]
        self._eirp = reference_eirp_dbm(cells) if len(cells) else np.zeros(0)
        own = (cells["technology"] == request.technology).to_numpy()
        if request.operator != ANY_OPERATOR:
            own &= (cells["operator"] == request.operator).to_numpy()
        self._own = own
        self._most_eirp = float(self._eirp[own].max()) if own.any() else math.nan
        self._mast_row = pd.Series(
            np.arange(len(masts)), index=masts["mast_id"].astype(str).to_numpy()
        )

    def reason(self, spot: Spot) -> Reason:
        """Ask some places of a spot, and return what most of their people (or area) say."""
        people = self._under.people[spot.pixels]
        order = np.argsort(-people, kind="stable")
        step = max(1, len(order) // _SAMPLES)
        asked = spot.pixels[order[::step][:_SAMPLES]]
        weight = self._under.people[asked] + 1e-6
        found = [self._at(int(pixel)) for pixel in asked]
        votes: dict[str, float] = {}
        for reason, heavy in zip(found, weight, strict=True):
            votes[reason.cause] = votes.get(reason.cause, 0.0) + float(heavy)
        cause = max(votes, key=lambda name: votes[name])
        return next(reason for reason in found if reason.cause == cause)

    def _at(self, pixel: int) -> Reason:
        grid = self._plan.grid
        row, column = divmod(pixel, grid.width)
        place = (float(grid.x_centres()[column]), float(grid.y_centres()[row]))
        cell = int(self._server[pixel])
        known = 0 <= cell < len(self._cells)
        mast = self._mast_row.get(str(self._cells["mast_id"].iloc[cell])) if known else None
        if mast is None:
            return _too_far()
        start = self._masts.geometry.iloc[int(mast)]
        return self._counterfactual(cell, (float(start.x), float(start.y)), place)

    def _counterfactual(
        self, cell: int, start: tuple[float, float], place: tuple[float, float]
    ) -> Reason:
        distance = math.hypot(place[0] - start[0], place[1] - start[1])
        frequency = float(self._cells["frequency_mhz"].iloc[cell])
        height = float(self._cells["antenna_height_m"].iloc[cell])
        table = point_prediction.predict_points(
            self._around.elevation,
            self._around.clutter_height,
            self._masts,
            self._cells.iloc[[cell]],
            pd.DataFrame(
                {"x_m": [place[0]], "y_m": [place[1]], "cell_id": self._cells["cell_id"].iloc[cell]}
            ),
            settings=self._plan.settings,
            own_patterns=self._plan.own.patterns,
        )
        loss = float(table["loss_db"].iloc[0])
        level = float(table["predicted_dbm"].iloc[0])
        if not math.isfinite(loss):
            return _too_far(cell, distance)
        needed = self._threshold.threshold_dbm + float(
            scipy.special.ndtri(self._threshold.probability)
        ) * location_sigma_db(self._plan, frequency)
        path = terrain.profile_between(
            self._around.elevation,
            self._around.clutter_height,
            start_m=start,
            end_m=place,
            step_m=self._plan.settings.profile_step_m,
        )
        flat = np.linspace(path.height_m[0], path.height_m[-1], len(path.height_m))
        none = np.zeros(len(path.height_m))
        gains = {
            name: loss - self._loss(heights, clutter, path, height, frequency, start, place)
            for name, heights, clutter in (
                ("terrain", flat, path.clutter_height_m),
                ("clutter", path.height_m, none),
                ("terrain and clutter", flat, none),
            )
        }
        gains["direction"] = float(self._eirp[cell]) - loss - level
        gains["power"] = self._most_eirp - float(self._eirp[cell])
        short = max(0.0, needed - level)
        return Reason(
            *cause_of(gains, short),
            short,
            gains["terrain"],
            gains["clutter"],
            gains["direction"],
            gains["power"],
            distance,
            cell,
            self._obstacle(path, height, frequency),
        )

    def _loss(
        self,
        heights: NDArray[np.float64],
        clutter: NDArray[np.float64],
        path: terrain.Profile,
        antenna_height_m: float,
        frequency_mhz: float,
        start: tuple[float, float],
        place: tuple[float, float],
    ) -> float:
        """Return the loss at the end of a path over other heights. [dB]."""
        length_km = float(path.distance_km[-1])
        project = pyproj.Transformer.from_crs(self._plan.grid.crs, "EPSG:4326", always_xy=True)
        (_, _), latitudes = project.transform([start[0], place[0]], [start[1], place[1]])
        found = sweep.radial_loss(
            heights,
            step_m=1000.0 * length_km / (len(heights) - 1),
            antenna_height_m=antenna_height_m,
            frequencies_mhz=[frequency_mhz],
            settings=self._plan.settings,
            latitude_deg=latitudes[0],
            latitude_per_km_deg=(latitudes[1] - latitudes[0]) / length_km,
            clutter_height_m=clutter,
        )
        return float(found[0, -1])

    def _obstacle(
        self, path: terrain.Profile, antenna_height_m: float, frequency_mhz: float
    ) -> Obstacle | None:
        """Return the point with the greatest diffraction parameter, if it reaches the line."""
        distance = 1000.0 * path.distance_km
        length = distance[-1]
        d1, d2 = distance[1:-1], length - distance[1:-1]
        # ITU-R P.1812: 157 N-units/km is the gradient at which rays follow the Earth.
        earth = _EARTH_M * 157.0 / (157.0 - min(self._plan.settings.delta_n, 156.0))
        top = path.height_m[0] + antenna_height_m
        low = path.height_m[-1] + self._plan.settings.rx_height_m
        line = top + (low - top) * d1 / length
        bulge = d1 * d2 / (2.0 * earth)
        ground = path.height_m[1:-1] + bulge - line
        above = ground + path.clutter_height_m[1:-1]
        wavelength = 299.792458 / frequency_mhz
        parameter = above * np.sqrt(2.0 * length / (wavelength * d1 * d2))
        at = int(np.argmax(parameter))
        if above[at] <= 0.0:
            return None
        kind = "terrain" if ground[at] > 0.0 else "clutter"
        return Obstacle(
            kind, float(path.x_m[at + 1]), float(path.y_m[at + 1]), float(d1[at]), float(above[at])
        )


def _too_far(cell: int = -1, distance: float = math.nan) -> Reason:
    nothing = math.nan
    return Reason("distance", (), nothing, nothing, nothing, nothing, nothing, distance, cell, None)


def cause_of(gains: Mapping[str, float], short_db: float) -> tuple[str, tuple[str, ...]]:
    """Decide why a place is not covered.

    Parameters
    ----------
    gains
        What each change brings: terrain, clutter, direction, power and "terrain and clutter". [dB]
    short_db
        What is missing. [dB]

    Returns
    -------
    cause
        One of `CAUSES`: the greatest change that suffices alone, else terrain and clutter if
        both together do, else the greatest change if all together do, else distance.
    alone
        All changes that alone suffice, the greatest first.
    """
    single = sorted(_SINGLE, key=lambda name: -gains[name])
    alone = tuple(name for name in single if gains[name] >= short_db)
    if alone:
        return alone[0], alone
    together = gains["terrain and clutter"]
    if together >= short_db:
        return "terrain and clutter", ()
    if together + gains["direction"] + gains["power"] >= short_db:
        return single[0], ()
    return "distance", ()


def spot_table(found: Found) -> gpd.GeoDataFrame:
    """Return the spots with their reasons as areas.

    Parameters
    ----------
    found
        The spots.

    Returns
    -------
    geopandas.GeoDataFrame
        Columns `SPOT_COLUMNS` and the outline, in the CRS of the area.
    """
    grid = found.plan.grid
    to_degrees = pyproj.Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    zones = found.under.zones
    rows, shapes = [], []
    for spot, reason in zip(found.spots, found.reasons, strict=True):
        cell = found.cells.iloc[reason.cell] if reason.cell >= 0 else None
        block = reason.obstacle
        lon, lat = to_degrees.transform(spot.x_m, spot.y_m)
        far_lon, far_lat = to_degrees.transform(block.x_m, block.y_m) if block else (None, None)
        rows.append(
            {
                "spot": spot.number,
                "code": zones["code"].iloc[spot.zone],
                "commune": zones["name"].iloc[spot.zone],
                "area_km2": spot.area_km2,
                "people": spot.people,
                "cause": reason.cause,
                "alone": ", ".join(reason.alone),
                "short_db": reason.short_db,
                "terrain_db": reason.terrain_db,
                "clutter_db": reason.clutter_db,
                "direction_db": reason.direction_db,
                "power_db": reason.power_db,
                "distance_m": reason.distance_m,
                "mast_id": None if cell is None else str(cell["mast_id"]),
                "cell_id": None if cell is None else str(cell["cell_id"]),
                "operator": None if cell is None else str(cell["operator"]),
                "obstacle": block.kind if block else None,
                "obstacle_distance_m": block.distance_m if block else math.nan,
                "obstacle_above_m": block.above_m if block else math.nan,
                "obstacle_lon": far_lon,
                "obstacle_lat": far_lat,
                "lon": lon,
                "lat": lat,
            }
        )
        shapes.append(outline(grid, spot.pixels))
    table = pd.DataFrame(rows, columns=list(SPOT_COLUMNS))
    return gpd.GeoDataFrame(table, geometry=shapes, crs=grid.crs)


def outline(grid: Grid, pixels: NDArray[np.int64]) -> shapely.Geometry:
    """Return the area of some pixels as one shape."""
    row, column = np.divmod(pixels, grid.width)
    x = grid.x_min + column * grid.resolution_m
    y = grid.y_max - row * grid.resolution_m
    boxes = shapely.box(x, y - grid.resolution_m, x + grid.resolution_m, y)
    return shapely.union_all(boxes)
