"""What would bring coverage to white spots, what it costs, and what the engine says it gives.

For each spot these are tried: to hang the antennas of a mast near it higher, to turn or lift
a sector towards it, to add the technology or an operator on a mast near it, a new mast in it,
and a repeater at the nearest covered place. Each is predicted by the coverage engine. Gained
is what no cell of the network covers and the remedy does; lost is what only the changed
antennas covered and no longer do. The same is counted for the operator alone, because a
sector that turns away from its customers is no remedy where others still cover them. A
remedy that brings nothing to its spot, or loses as much as it gains, is not shown. A new
mast that the local rules do not allow there is shown with what they say.

Costs are what has to be invested, without what a site costs a year and without its link to
the network.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from coverage.mast import north_offset_deg
from coverage.results import ANY_OPERATOR
from data import csv_file
from data.errors import Message, message
from data.store import Workspace
from planning import mast_coverage, sharing, sharing_moves, site_zones, white_spots
from planning.cost import CostRange
from planning.mast_coverage import MastCoverage
from planning.network_design import records
from planning.sharing_moves import Inventory, SharingRequest
from planning.white_spots import Found, Spot, WhiteSpotRequest

Progress = Callable[[float], None]

KINDS = ("raise", "re-aim", "add", "new mast", "repeater")

#: Class of a new mast, which stands on the ground.
_NEW_CLASS = "A2b"

#: Share of a spot's people (or area) from which a remedy is taken to close it.
CLOSES = 0.8

#: Masts near a spot that are asked about.
_NEAR_MASTS = 3

#: How far a mast may stand from a spot. [m]
_FARTHEST_M = 8_000.0

#: How far a repeater may stand from the place that it serves. [m]
_REPEATER_M = 1_500.0

#: Antennas are hung higher, or a sector turned, by at least this much, or lifted by this much.
_LEAST_RAISE_M = 1.0
_LEAST_TURN_DEG = 1.0
_LIFT_DEG = 2.0

REMEDY_COLUMNS = (
    "spot", "rank", "best", "kind", "mast_id", "operator", "detail", "closes", "people_gained",
    "people_lost", "km2_gained", "km2_lost", "people_net", "own_people_lost", "cost_low",
    "cost_typical", "cost_high",
    "people_per_billion", "against_rules", "lon", "lat",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Trial:
    """One remedy before it is predicted."""

    spot: Spot
    kind: str
    operator: str
    mast: int
    x_m: float
    y_m: float
    cells: pd.DataFrame
    cost: CostRange
    detail: Message


@dataclass(frozen=True, eq=False)
class WhiteSpots:
    """White spots, their reasons and remedies.

    Parameters
    ----------
    found
        The spots.
    spots
        See `white_spots.spot_table`.
    remedies
        Columns `REMEDY_COLUMNS`, one row a remedy, by spot and rank: best first is the cheapest
        that closes the spot (`CLOSES`), or else that which closes most, of those that no local
        rule speaks against, if there are any; then by people gained for the money.
    details
        What each remedy does, in the order of `remedies`.
    against
        What the local rules have against each, in the same order.
    notes
        What a reader should know.
    summary
        Content of `white_spots.json`.
    """

    found: Found
    spots: gpd.GeoDataFrame
    remedies: gpd.GeoDataFrame
    details: tuple[Message, ...]
    against: tuple[tuple[Message, ...], ...]
    notes: tuple[Message, ...]
    summary: dict[str, Any]


def analyse(
    workspace: Workspace,
    request: WhiteSpotRequest | None = None,
    *,
    threads: int | None = None,
    on_progress: Progress = lambda _: None,
) -> WhiteSpots:
    """Find white spots, why they are there and what helps.

    Parameters
    ----------
    workspace
        The study area.
    request
        Which spots; the defaults if None.
    threads
        Masts computed at once; all processors if None.
    on_progress
        Called with the finished share; may raise `CancelledError`.

    Returns
    -------
    WhiteSpots
        Every remedy in it is confirmed by the engine.

    Raises
    ------
    InputError
        If something asked for cannot be used.
    """
    request = request or WhiteSpotRequest()
    found = white_spots.find(
        workspace, request, threads=threads, on_progress=lambda share: on_progress(0.3 * share)
    )
    about = sharing_moves.read(workspace, SharingRequest(request.coverage))
    base = mast_coverage.compute(
        workspace, request.coverage, about.masts, threads=threads,
        on_progress=lambda share: on_progress(0.3 + 0.2 * share),
    )  # fmt: skip
    finder = _Finder(about, base, found, request)
    trials = [trial for spot in found.spots for trial in finder.trials(spot)]
    gains = _predict(workspace, request, trials, threads, lambda p: on_progress(0.5 + 0.5 * p))
    against = _against(workspace, trials, about)
    remedies, details, against = _table(trials, gains, against, finder, found)
    notes = _notes(workspace, about, found)
    spots = white_spots.spot_table(found)
    on_progress(1.0)
    return WhiteSpots(
        found, spots, remedies, details, against, notes,
        _summary(workspace, request, about, found, spots, remedies, notes),
    )  # fmt: skip


def _predict(
    workspace: Workspace,
    request: WhiteSpotRequest,
    trials: list[_Trial],
    threads: int | None,
    on_progress: Progress,
) -> list[NDArray[np.int64]]:
    """Return the pixels that the cells of each trial cover."""
    if not trials:
        return []
    names = [f"trial {k}" for k in range(len(trials))]
    masts = gpd.GeoDataFrame(
        {"mast_id": names},
        geometry=[shapely.Point(trial.x_m, trial.y_m) for trial in trials],
        crs=workspace.area.crs,
    )
    cells = pd.concat(
        [
            trial.cells.assign(
                mast_id=name, cell_id=[f"{name}-{i}" for i in range(len(trial.cells))]
            )
            for name, trial in zip(names, trials, strict=True)
        ],
        ignore_index=True,
    )
    covered = mast_coverage.compute(
        workspace, request.coverage, masts, cells, threads=threads, on_progress=on_progress
    )
    tables = {
        operator: covered.membership[request.technology, operator].tocsc()
        for operator in {trial.operator for trial in trials}
    }
    found = []
    for k, trial in enumerate(trials):
        table = tables[trial.operator]
        found.append(table.indices[table.indptr[k] : table.indptr[k + 1]].astype(np.int64))
    return found


def _against(
    workspace: Workspace, trials: list[_Trial], about: Inventory
) -> tuple[tuple[Message, ...], ...]:
    """Return what the local rules have against each trial: only new masts are asked about."""
    new = [k for k, trial in enumerate(trials) if trial.kind == "new mast"]
    places = gpd.GeoSeries(
        [shapely.Point(trials[k].x_m, trials[k].y_m) for k in new], crs=workspace.area.crs
    )
    height = about.prices.typical("new_mast_height")
    said = dict(zip(new, site_zones.breaches(workspace, places, _NEW_CLASS, height), strict=True))
    return tuple(said.get(k, ()) for k in range(len(trials)))


class _Finder:
    """Thinks of what could help a spot."""

    def __init__(
        self, about: Inventory, base: MastCoverage, found: Found, request: WhiteSpotRequest
    ) -> None:
        self._about = about
        self._prices = about.prices
        self._technology = request.technology
        self.base = base
        self.operators = (
            found.plan.operators if request.operator == ANY_OPERATOR else (request.operator,)
        )
        pixels = base.grid.width * base.grid.height
        self.count = np.zeros(pixels, np.int64)
        self._own = {}
        self.own_count = {}
        for operator in self.operators:
            table = base.membership[request.technology, operator]
            self.count += np.diff(table.indptr)
            self._own[operator] = table.tocsc()
            self.own_count[operator] = np.diff(table.indptr)
        cells = about.cells[about.cells["technology"] == request.technology]
        self._cells = cells[cells["operator"].isin(self.operators)]
        self._by_mast: dict[str, pd.DataFrame] = {
            str(name): rows for name, rows in self._cells.groupby("mast_id")
        }
        self._xy = np.column_stack([about.masts.geometry.x, about.masts.geometry.y])
        self._found = found
        y, x = base.grid.y_centres(), base.grid.x_centres()
        row, column = np.divmod(np.flatnonzero(self.count > 0), base.grid.width)
        self._covered_xy = np.column_stack([x[column], y[row]])

    def old(self, operator: str, mast: int) -> NDArray[np.int64]:
        """Return the pixels that an operator covers from a mast today."""
        table = self._own[operator]
        return table.indices[table.indptr[mast] : table.indptr[mast + 1]].astype(np.int64)

    def trials(self, spot: Spot) -> Iterator[_Trial]:
        """Yield what could help."""
        if self._cells.empty:
            return
        distance = np.hypot(*(self._xy - [spot.x_m, spot.y_m]).T)
        near = [int(k) for k in np.argsort(distance, kind="stable") if distance[k] <= _FARTHEST_M]
        serving = [k for k in near if self._name(k) in self._by_mast][:_NEAR_MASTS]
        reason = self._found.reasons[spot.number - 1]
        if reason.cell >= 0:
            best = str(self._found.cells["mast_id"].iloc[reason.cell])
            serving += [k for k in near if self._name(k) == best and k not in serving]
        for mast in serving:
            for operator in sorted(set(self._by_mast[self._name(mast)]["operator"])):
                yield from self._changes(spot, mast, operator)
        yield from self._additions(spot, near)
        yield self._new_mast(spot)
        yield from self._repeater(spot)

    def _name(self, mast: int) -> str:
        return str(self._about.masts["mast_id"].iloc[mast])

    def _changes(self, spot: Spot, mast: int, operator: str) -> Iterator[_Trial]:
        cells = self._by_mast[self._name(mast)]
        cells = cells[cells["operator"] == operator]
        x, y = self._xy[mast]
        height = float(cells["antenna_height_m"].max())
        free = sharing_moves.free_heights_m(self._about, mast, operator)
        if free and free[0] >= height + _LEAST_RAISE_M:
            yield _Trial(
                spot, "raise", operator, mast, x, y,
                cells.assign(antenna_height_m=free[0]),
                self._prices.range_of("raise_cell"),
                message(
                    "antennas from {before} m to {after} m", before=f"{height:g}",
                    after=f"{free[0]:g}",
                ),
            )  # fmt: skip
        if cells["azimuth_deg"].isna().all():
            return
        bearing = self._bearing(mast, spot)
        azimuth = cells["azimuth_deg"].to_numpy(np.float64, na_value=np.nan)
        off = np.abs((azimuth - bearing + 180.0) % 360.0 - 180.0)
        nearest = azimuth[int(np.nanargmin(off))]
        turned = azimuth == nearest
        tilt = cells["tilt_deg"].to_numpy(np.float64)
        lowest = float(tilt[turned].min())
        ways = [(nearest, _LIFT_DEG)]
        if float(np.nanmin(off)) >= _LEAST_TURN_DEG:
            ways = [(bearing, 0.0), *ways, (bearing, _LIFT_DEG)]
        for new_azimuth, lift in ways:
            if lift and lowest - lift < 0.0:
                continue
            yield _Trial(
                spot, "re-aim", operator, mast, x, y,
                cells.assign(
                    azimuth_deg=np.where(turned, round(new_azimuth, 1), azimuth),
                    tilt_deg=np.where(turned, tilt - lift, tilt),
                ),
                self._prices.range_of("re_aim"),
                _aimed(nearest, new_azimuth, lowest, lift),
            )  # fmt: skip

    def _bearing(self, mast: int, spot: Spot) -> float:
        x, y = self._xy[mast]
        north = north_offset_deg(np.array([x]), np.array([y]), self.base.grid.crs)[0]
        return float(math.degrees(math.atan2(spot.x_m - x, spot.y_m - y)) + north) % 360.0

    def _sectors(self, operator: str, height: float) -> pd.DataFrame:
        """Return three usual cells of an operator."""
        cells = self._cells
        own = cells[cells["operator"] == operator]
        model = own if len(own) else cells
        usual = model[model["frequency_mhz"] == model["frequency_mhz"].mode().iloc[0]]
        row = usual.iloc[[0]].assign(operator=operator, antenna_height_m=height, pattern=None)
        for column in ("power_dbm", "antenna_gain_dbi", "feeder_loss_db", "tilt_deg", "load"):
            row[column] = float(usual[column].median())
        if "mechanical_tilt_deg" in row:
            row["mechanical_tilt_deg"] = 0.0
        return pd.concat([row.assign(azimuth_deg=azimuth) for azimuth in (0.0, 120.0, 240.0)])

    def _additions(self, spot: Spot, near: list[int]) -> Iterator[_Trial]:
        """Yield what more could hang on masts near the spot."""
        made = 0
        for mast in near:
            if made >= _NEAR_MASTS:
                return
            tenants = self._about.tenants[mast]
            there = self._by_mast.get(self._name(mast))
            has = set() if there is None else set(there["operator"])
            free = sharing_moves.free_heights_m(self._about, mast)
            may = self._about.masts["shareable"].iloc[mast] and (
                len(tenants) < self._about.places[mast] and free
            )
            cost = self._prices.units["base_station"].cost
            for operator in sorted(set(self.operators) - has, key=lambda name: name not in tenants):
                if operator in tenants:
                    own = self._about.cells["operator"] == operator
                    own &= self._about.cells["mast_id"] == self._name(mast)
                    height = float(self._about.cells.loc[own, "antenna_height_m"].max())
                    detail = message(
                        "{technology} of {operator}, which is on the mast already",
                        technology=self._technology, operator=operator,
                    )  # fmt: skip
                elif may:
                    height = free[0]
                    cost = cost + self._prices.strengthening(
                        self._about.mast_class(mast), self._about.height_m(mast)
                    )
                    detail = message(
                        "{technology} of {operator}, new on the mast, at {height} m",
                        technology=self._technology, operator=operator, height=f"{height:g}",
                    )  # fmt: skip
                else:
                    continue
                x, y = self._xy[mast]
                cells = self._sectors(operator, height)
                yield _Trial(spot, "add", operator, mast, x, y, cells, cost, detail)
                made += 1
                break

    def _new_mast(self, spot: Spot) -> _Trial:
        operator = str(self._cells["operator"].mode().iloc[0])
        height = self._prices.typical("new_mast_height")
        cost = self._prices.site(_NEW_CLASS, height) + self._prices.units["base_station"].cost
        detail = message(
            "mast of {height} m with {technology} of {operator}",
            height=f"{height:g}", technology=self._technology, operator=operator,
        )  # fmt: skip
        cells = self._sectors(operator, height - 1.5)
        return _Trial(spot, "new mast", operator, -1, spot.x_m, spot.y_m, cells, cost, detail)

    def _repeater(self, spot: Spot) -> Iterator[_Trial]:
        """Yield a repeater at the nearest place that is covered: the engine confirms its input."""
        if not len(self._covered_xy):
            return
        away = np.hypot(*(self._covered_xy - [spot.x_m, spot.y_m]).T)
        k = int(np.argmin(away))
        if away[k] > _REPEATER_M or away[k] == 0.0:
            return
        x, y = self._covered_xy[k].tolist()
        grid = self.base.grid
        column = int((x - grid.x_min) // grid.resolution_m)
        row = int((grid.y_max - y) // grid.resolution_m)
        pixel = row * grid.width + column
        operator = next(name for name in self.operators if self.own_count[name][pixel])
        towards = math.degrees(math.atan2(spot.x_m - x, spot.y_m - y)) % 360.0
        cell = self._sectors(operator, self._prices.typical("repeater_height")).iloc[[0]]
        cell = cell.assign(
            azimuth_deg=round(towards, 1),
            tilt_deg=0.0,
            power_dbm=self._prices.typical("repeater_power"),
            antenna_gain_dbi=self._prices.typical("repeater_gain"),
            feeder_loss_db=0.0,
        )
        detail = message(
            "repeater of {operator}, {distance} m from the place",
            operator=operator, distance=f"{away[k]:.0f}",
        )  # fmt: skip
        cost = self._prices.range_of("repeater")
        yield _Trial(spot, "repeater", operator, -1, x, y, cell, cost, detail)


def _aimed(before_deg: float, after_deg: float, tilt_deg: float, lift_deg: float) -> Message:
    """Say how a sector is turned and lifted: only what changes."""
    before, after = f"{before_deg:.0f}", f"{after_deg:.0f}"
    if not lift_deg:
        return message("sector from {before}° to {after}°", before=before, after=after)
    tilts = {"tilt_before": f"{tilt_deg:g}", "tilt_after": f"{tilt_deg - lift_deg:g}"}
    if before_deg == after_deg:
        return message(
            "sector at {azimuth}°, tilt from {tilt_before}° to {tilt_after}°",
            azimuth=before, **tilts,
        )  # fmt: skip
    return message(
        "sector from {before}° to {after}°, tilt from {tilt_before}° to {tilt_after}°",
        before=before, after=after, **tilts,
    )  # fmt: skip


def _table(
    trials: list[_Trial],
    covered: list[NDArray[np.int64]],
    against: tuple[tuple[Message, ...], ...],
    finder: _Finder,
    found: Found,
) -> tuple[gpd.GeoDataFrame, tuple[Message, ...], tuple[tuple[Message, ...], ...]]:
    """Measure all trials, leave out those that do not help, and rank the others."""
    base = finder.base
    to_degrees = pyproj.Transformer.from_crs(base.grid.crs, "EPSG:4326", always_xy=True)
    rows: list[dict[str, Any]] = []
    inside = np.zeros(len(base.people), np.bool_)
    for number, (trial, now) in enumerate(zip(trials, covered, strict=True)):
        gained = now[finder.count[now] == 0]
        lost, own_lost = np.zeros(0, np.int64), np.zeros(0, np.int64)
        own_count = finder.own_count[trial.operator]
        own_gained = now[own_count[now] == 0]
        if trial.kind in ("raise", "re-aim"):
            gone = np.setdiff1d(finder.old(trial.operator, trial.mast), now, assume_unique=True)
            lost, own_lost = gone[finder.count[gone] == 1], gone[own_count[gone] == 1]
        inside[trial.spot.pixels] = True
        own = gained[inside[gained]]
        inside[trial.spot.pixels] = False
        weight = base.people if trial.spot.people >= 0.5 else base.area_m2
        closes = float(weight[own].sum() / weight[trial.spot.pixels].sum())
        people = float(base.people[gained].sum()), float(base.people[lost].sum())
        area = float(base.area_m2[gained].sum()) / 1e6, float(base.area_m2[lost].sum()) / 1e6
        net = people[0] - people[1]
        own_net = float(base.people[own_gained].sum() - base.people[own_lost].sum())
        if closes <= 0.0 or min(net, own_net) < 0.0 or (net == 0.0 and area[0] <= area[1]):
            continue
        lon, lat = to_degrees.transform(trial.x_m, trial.y_m)
        name = None if trial.mast < 0 else str(found.masts["mast_id"].iloc[trial.mast])
        rows.append(
            {
                "spot": trial.spot.number,
                "kind": trial.kind,
                "mast_id": name,
                "operator": trial.operator,
                "detail": str(trial.detail),
                "closes": closes,
                "people_gained": people[0],
                "people_lost": people[1],
                "km2_gained": area[0],
                "km2_lost": area[1],
                "people_net": net,
                "own_people_lost": float(base.people[own_lost].sum()),
                "cost_low": trial.cost.low,
                "cost_typical": trial.cost.typical,
                "cost_high": trial.cost.high,
                "people_per_billion": 1e9 * net / trial.cost.typical,
                "against_rules": "; ".join(map(str, against[number])),
                "lon": lon,
                "lat": lat,
                "geometry": shapely.Point(trial.x_m, trial.y_m),
                "trial": number,
            }
        )
    columns = [*REMEDY_COLUMNS, "geometry", "trial"]
    table = _ranked(pd.DataFrame(rows, columns=columns))
    kept = table["trial"].tolist()
    frame = gpd.GeoDataFrame(table.drop(columns="trial"), geometry="geometry", crs=base.grid.crs)
    return frame, tuple(trials[k].detail for k in kept), tuple(against[k] for k in kept)


def _ranked(table: pd.DataFrame) -> pd.DataFrame:
    """Put the remedies of each spot in order: the best, then by people for the money."""
    parts = []
    for _, rows in table.groupby("spot", sort=True):
        allowed = rows[rows["against_rules"] == ""]
        asked = allowed if len(allowed) else rows
        closing = asked[asked["closes"] >= CLOSES]
        if len(closing):
            order = ["cost_typical", "people_net", "km2_gained"]
            best = closing.sort_values(order, ascending=[True, False, False]).index[0]
        else:
            best = asked.sort_values(["closes", "cost_typical"], ascending=[False, True]).index[0]
        rows = rows.assign(best=rows.index == best)
        keys = ["best", "people_per_billion", "km2_gained", "cost_typical"]
        rows = rows.sort_values(keys, ascending=[False, False, False, True])
        parts.append(rows.assign(rank=np.arange(1, len(rows) + 1)))
    if not parts:
        return table
    return pd.concat(parts, ignore_index=True)


def _notes(workspace: Workspace, about: Inventory, found: Found) -> tuple[Message, ...]:
    notes = list(sharing.common_notes(workspace, about))
    count, people, area = found.left_out
    if count:
        notes.append(
            message(
                "{count} smaller white spots with {people} people and {area} km² were not looked "
                "into.",
                count=count,
                people=f"{people:.0f}",
                area=f"{area:.1f}",
            )
        )
    notes.append(
        message(
            "Costs are what has to be invested, without yearly costs and without the link of a "
            "new mast to the network."
        )
    )
    return tuple(notes)


def _summary(
    workspace: Workspace,
    request: WhiteSpotRequest,
    about: Inventory,
    found: Found,
    spots: gpd.GeoDataFrame,
    remedies: gpd.GeoDataFrame,
    notes: tuple[Message, ...],
) -> dict[str, Any]:
    best = remedies[remedies["best"].astype(bool)]
    return {
        "area": workspace.area.name,
        "technology": request.technology,
        "operator": request.operator,
        "currency": about.prices.currency,
        "communes": records(found.totals.drop(columns="zone")),
        "spots": records(pd.DataFrame(spots.drop(columns="geometry"))),
        "remedies": records(pd.DataFrame(remedies.drop(columns="geometry"))),
        "causes": {str(name): int(n) for name, n in spots["cause"].value_counts().items()},
        "best_remedies": {str(name): int(n) for name, n in best["kind"].value_counts().items()},
        "spots_without_remedy": len(spots) - len(best),
        "left_out": dict(zip(("spots", "people", "area_km2"), found.left_out, strict=True)),
        "notes": [str(note) for note in notes],
        "provenance": sharing.provenance(workspace, SharingRequest(request.coverage), about),
    }


def save(found: WhiteSpots, folder: Path) -> None:
    """Write white spots and remedies.

    Parameters
    ----------
    found
        The white spots.
    folder
        Where to; made if it is missing: white_spots.json, white_spots.gpkg (spots, remedies),
        white_spots.csv, remedies.csv and white_spot_communes.csv.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tmp-") as scratch:
        made = Path(scratch)
        text = json.dumps(found.summary, ensure_ascii=False, indent=2, allow_nan=False)
        (made / "white_spots.json").write_text(text + "\n", encoding="utf-8")
        for name, frame, kind in (
            ("spots", found.spots, "MultiPolygon"),
            ("remedies", found.remedies, "Point"),
        ):
            frame.to_file(made / "white_spots.gpkg", layer=name, driver="GPKG", geometry_type=kind)
        csv_file.write(pd.DataFrame(found.spots.drop(columns="geometry")), made / "white_spots.csv")
        csv_file.write(pd.DataFrame(found.remedies.drop(columns="geometry")), made / "remedies.csv")
        csv_file.write(found.found.totals.drop(columns="zone"), made / "white_spot_communes.csv")
        for path in sorted(made.iterdir()):
            path.replace(folder / path.name)
