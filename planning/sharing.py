"""Masts of different owners that serve the same place: which could become one, and what it gives.

For every two masts of different owners within a distance, each is tried as the one that
stays: may and can it take the other one's operators (`planning.sharing_moves`), what do they
cover from there, and what does it save (`planning.sharing_money`)? Coverage before and after
is that of all masts together, by the engine's own losses at the new place and height. The
pairs are alternatives: what one saves does not add to what another one saves. Which of them
to take together is worked out by `planning.consolidation`.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import scipy.sparse
import shapely
from numpy.typing import NDArray

from coverage.request import INPUTS
from data import csv_file
from data.errors import Message, message
from data.store import Workspace
from data.study_area import finest_zones
from planning import mast_coverage, sharing_money, sharing_moves
from planning.cost import CostRange
from planning.mast_coverage import MastCoverage, Service
from planning.network_design import records
from planning.sharing_moves import Inventory, Moves, SharingRequest

Progress = Callable[[float], None]

#: Columns of the table of pairs.
PAIR_COLUMNS = (
    "group", "host", "guest", "host_owner", "guest_owner", "distance_m", "possible", "reason",
    "operators", "operators_after", "places", "people_losing", "people_gaining", "lost_km2",
    "gained_km2", "least_kept", "saving_low", "saving_typical", "saving_high", "reference_low",
    "reference_high", "once_typical", "yearly_typical",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Analysis:
    """What sharing there is and could be.

    Parameters
    ----------
    inventory
        The masts.
    moves
        All possible moves.
    pairs
        One row a direction of a pair, columns `PAIR_COLUMNS`, in order of distance; figures are
        NaN where it is not possible. `least_kept` is the smallest share, over operators and
        technologies, of the area covered before that still is.
    services
        What each possible pair changes: host, guest, technology, operator, lost_km2,
        gained_km2, people_losing, people_gaining, kept.
    communes
        The same people and areas by commune: host, guest, operator, technology, code, name, ….
    parties
        What each possible pair gives to whom: host, guest, party, low, typical, high.
    masts
        The masts with owner, operators, places, commune and group (0: no partner).
    rates
        Masts and shared masts by commune, by owner and as a whole.
    notes
        What a reader should know.
    summary
        Content of `sharing.json`.
    """

    inventory: Inventory
    moves: Moves
    pairs: pd.DataFrame
    services: pd.DataFrame
    communes: pd.DataFrame
    parties: pd.DataFrame
    masts: gpd.GeoDataFrame
    rates: pd.DataFrame
    notes: tuple[Message, ...]
    summary: dict[str, Any]


class Columns:
    """Coverage by mast and by move, ready to ask for what a change loses and gains."""

    def __init__(self, base: MastCoverage, moves: Moves) -> None:
        self.base = base
        self.moves = moves
        self.count = {
            service: np.diff(base.membership[service].indptr) for service in base.services
        }
        self._masts = {service: base.membership[service].tocsc() for service in base.services}
        self._moves = {
            service: moves.coverage.membership[service].tocsc() for service in base.services
        }
        self._mark = np.zeros(base.grid.width * base.grid.height, np.bool_)

    def mast(self, service: Service, number: int) -> NDArray[np.int32]:
        """Return the pixels that a mast covers."""
        return _column(self._masts[service], number)

    def move(self, service: Service, number: int) -> NDArray[np.int32]:
        """Return the pixels that moved cells cover."""
        return _column(self._moves[service], number)

    def change(
        self, service: Service, guest: int, come: list[int]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the pixels that are lost and gained if a mast goes and some moves are made."""
        count = self.count[service]
        own = self.mast(service, guest)
        only = own[count[own] == 1]
        parts = [self.move(service, number) for number in come]
        for part in parts:
            self._mark[part] = True
        lost = only[~self._mark[only]]
        for part in parts:
            self._mark[part] = False
        gained = [part[count[part] == 0] for part in parts]
        return lost, np.unique(np.concatenate([np.zeros(0, np.int32), *gained]))


def _column(table: scipy.sparse.csc_array, number: int) -> NDArray[np.int32]:
    found: NDArray[np.int32] = table.indices[table.indptr[number] : table.indptr[number + 1]]
    return found


def analyse(
    workspace: Workspace,
    request: SharingRequest | None = None,
    *,
    threads: int | None = None,
    on_progress: Progress = lambda _: None,
) -> Analysis:
    """Find masts that could become one, and say what each pair gives.

    Parameters
    ----------
    workspace
        The study area.
    request
        Distance and what counts as covered; the defaults if None.
    threads
        Masts computed at once; all processors if None.
    on_progress
        Called with the finished share; may raise `CancelledError`.

    Returns
    -------
    Analysis
        Pairs, groups, rates and sums.

    Raises
    ------
    InputError
        If there are no masts, or something asked for cannot be used.
    """
    request = request or SharingRequest()
    about = sharing_moves.read(workspace, request)
    base = mast_coverage.compute(
        workspace,
        request.coverage,
        about.masts,
        threads=threads,
        on_progress=lambda share: on_progress(0.5 * share),
    )
    moves = sharing_moves.moves_of(
        workspace,
        request,
        about,
        threads=threads,
        on_progress=lambda share: on_progress(0.5 + 0.4 * share),
    )
    columns = Columns(base, moves)
    tables = _Tables(about, columns)
    near = sharing_moves.neighbours(about)
    for done, (a, b, distance) in enumerate(near, start=1):
        tables.add(a, b, distance)
        tables.add(b, a, distance)
        if done % 20 == 0:
            on_progress(0.9 + 0.1 * done / len(near))
    pairs = pd.DataFrame(tables.pairs, columns=list(PAIR_COLUMNS))
    group = _groups(len(about.masts), tables.tried)
    pairs["group"] = [int(group[host]) if possible else 0 for _, host, possible in tables.tried]
    masts = mast_table(about, base.zones, group)
    rates = sharing_rates(masts)
    notes = common_notes(workspace, about)
    if not near:
        notes += (
            message(
                "No two masts of different owners stand within {distance} m of each other.",
                distance=f"{about.distance_m:g}",
            ),
        )
    summary = _summary(workspace, request, about, pairs, rates, notes)
    on_progress(1.0)
    return Analysis(
        about,
        moves,
        pairs,
        pd.DataFrame(tables.services, columns=list(_SERVICE_COLUMNS)),
        pd.DataFrame(tables.communes, columns=list(_COMMUNE_COLUMNS)),
        pd.DataFrame(tables.parties, columns=["host", "guest", "party", "low", "typical", "high"]),
        masts,
        rates,
        notes,
        summary,
    )


_SERVICE_COLUMNS = (
    "host", "guest", "technology", "operator", "lost_km2", "gained_km2", "people_losing",
    "people_gaining", "kept",
)  # fmt: skip
_COMMUNE_COLUMNS = (
    "host", "guest", "technology", "operator", "code", "name", "lost_km2", "gained_km2",
    "people_losing", "people_gaining",
)  # fmt: skip


class _Tables:
    """Rows of the tables of an analysis, pair by pair."""

    def __init__(self, about: Inventory, columns: Columns) -> None:
        self._about = about
        self._columns = columns
        self._numbers: dict[tuple[int, int], list[int]] = {}
        for number, move in enumerate(columns.moves.moves):
            self._numbers.setdefault((move.guest, move.host), []).append(number)
        base = columns.base
        self._before_m2 = {
            service: float(base.area_m2[base.covered(service)].sum()) for service in base.services
        }
        self.pairs: list[dict[str, Any]] = []
        self.tried: list[tuple[int, int, bool]] = []
        self.services: list[dict[str, Any]] = []
        self.communes: list[dict[str, Any]] = []
        self.parties: list[dict[str, Any]] = []

    def add(self, guest: int, host: int, distance: float) -> None:
        """Try one mast as the one that takes the other one's operators."""
        about = self._about
        names = about.masts["mast_id"]
        pair = {"host": str(names.iloc[host]), "guest": str(names.iloc[guest])}
        reason = self._columns.moves.refused.get((guest, host))
        row: dict[str, Any] = {
            **pair,
            "host_owner": about.owner[host],
            "guest_owner": about.owner[guest],
            "distance_m": distance,
            "possible": reason is None,
            "reason": "" if reason is None else str(reason),
            "operators": ", ".join(sorted(about.tenants[guest])),
            "operators_after": len(about.tenants[host] | about.tenants[guest]),
            "places": int(about.places[host]),
        }
        if reason is None:
            come = self._numbers.get((guest, host), [])
            row |= self._coverage(pair, guest, come) | self._money(pair, guest, come)
        self.pairs.append(row)
        self.tried.append((guest, host, reason is None))

    def _coverage(self, pair: dict[str, str], guest: int, come: list[int]) -> dict[str, float]:
        base, moves = self._columns.base, self._columns.moves.moves
        losing, gaining, kept = [], [], [1.0]
        for service in base.services:
            technology, operator = service
            if operator not in self._about.tenants[guest]:
                continue
            own = [number for number in come if moves[number].operator == operator]
            lost, gained = self._columns.change(service, guest, own)
            before = self._before_m2[service]
            lost_m2 = float(base.area_m2[lost].sum())
            row = {**pair, "technology": technology, "operator": operator}
            self.services.append(
                row
                | {
                    "lost_km2": lost_m2 / 1e6,
                    "gained_km2": float(base.area_m2[gained].sum()) / 1e6,
                    "people_losing": float(base.people[lost].sum()),
                    "people_gaining": float(base.people[gained].sum()),
                    "kept": 1.0 - lost_m2 / before if before > 0.0 else 1.0,
                }
            )
            kept.append(self.services[-1]["kept"])
            losing.append(lost)
            gaining.append(gained)
            self._by_commune(row, lost, gained)
        lost_any = np.unique(np.concatenate([np.zeros(0, np.int32), *losing]))
        gained_any = np.unique(np.concatenate([np.zeros(0, np.int32), *gaining]))
        return {
            "people_losing": float(base.people[lost_any].sum()),
            "people_gaining": float(base.people[gained_any].sum()),
            "lost_km2": float(base.area_m2[lost_any].sum()) / 1e6,
            "gained_km2": float(base.area_m2[gained_any].sum()) / 1e6,
            "least_kept": min(kept),
        }

    def _by_commune(
        self, row: dict[str, str], lost: NDArray[np.int32], gained: NDArray[np.int32]
    ) -> None:
        base = self._columns.base
        for zone in np.unique(base.commune[np.concatenate([lost, gained])]).tolist():
            if zone < 0:
                continue
            less = lost[base.commune[lost] == zone]
            more = gained[base.commune[gained] == zone]
            self.communes.append(
                row
                | {
                    "code": base.zones["code"].iloc[zone],
                    "name": base.zones["name"].iloc[zone],
                    "lost_km2": float(base.area_m2[less].sum()) / 1e6,
                    "gained_km2": float(base.area_m2[more].sum()) / 1e6,
                    "people_losing": float(base.people[less].sum()),
                    "people_gaining": float(base.people[more].sum()),
                }
            )

    def _money(self, pair: dict[str, str], guest: int, come: list[int]) -> dict[str, float]:
        removed = np.zeros(len(self._about.masts), np.bool_)
        removed[guest] = True
        moves = [
            self._columns.moves.moves[number]
            for number in come
            if len(self._columns.moves.cells[number])
        ]
        found = sharing_money.saving(self._about, removed, moves)
        for party, amount in found.by_party.items():
            self.parties.append(pair | {"party": party} | dataclasses.asdict(amount))
        return {
            "saving_low": found.total.low,
            "saving_typical": found.total.typical,
            "saving_high": found.total.high,
            "reference_low": found.reference.low,
            "reference_high": found.reference.high,
            "once_typical": found.once.typical,
            "yearly_typical": found.yearly.typical,
        }


def _groups(count: int, tried: list[tuple[int, int, bool]]) -> NDArray[np.int64]:
    """Give the sets of masts that possible pairs connect numbers from 1; 0 to all others."""
    graph = nx.Graph((guest, host) for guest, host, possible in tried if possible)
    group = np.zeros(count, np.int64)
    sets = sorted(nx.connected_components(graph), key=lambda part: (-len(part), min(part)))
    for number, part in enumerate(sets, start=1):
        group[list(part)] = number
    return group


def mast_table(
    about: Inventory, all_zones: gpd.GeoDataFrame, group: NDArray[np.int64] | None = None
) -> gpd.GeoDataFrame:
    """Return the masts with what sharing knows of them.

    Parameters
    ----------
    about
        The masts.
    all_zones
        Layer `zones`, numbered from 0.
    group
        Number of each mast's group; 0 for all if None.

    Returns
    -------
    geopandas.GeoDataFrame
        See `Analysis.masts`.
    """
    zones = finest_zones(all_zones)
    at, zone = zones.sindex.query(about.masts.geometry, predicate="intersects")
    row = np.full(len(about.masts), -1, np.int64)
    row[at[::-1]] = zones.index.to_numpy()[zone[::-1]]  # on a border the first zone counts
    inside = row >= 0
    names = {
        column: np.where(inside, all_zones[column].to_numpy(object)[row], None)
        for column in ("code", "name")
    }
    return gpd.GeoDataFrame(
        {
            "mast_id": about.masts["mast_id"].astype(str),
            "name": about.masts["name"],
            "owner": list(about.owner),
            "mast_class": about.masts["mast_class"],
            "height_m": about.masts["height_m"].astype(float),
            "operators": [", ".join(sorted(own)) for own in about.tenants],
            "tenants": [len(own) for own in about.tenants],
            "places": about.places,
            "shareable": about.masts["shareable"].astype(bool),
            "commune_code": names["code"],
            "commune": names["name"],
            "group": np.zeros(len(row), np.int64) if group is None else group,
        },
        geometry=about.masts.geometry.to_numpy(),
        crs=about.masts.crs,
    )


def sharing_rates(masts: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return the share of masts that carry two operators or more.

    Parameters
    ----------
    masts
        Columns tenants, owner, commune_code and commune, as `Analysis.masts` has them.

    Returns
    -------
    pandas.DataFrame
        Columns by ("all", "owner", "commune"), code, name, masts, shared, share (NaN without
        masts).
    """
    parts = [("all", "", "", masts)]
    parts += [("owner", name, name, rows) for name, rows in masts.groupby("owner", sort=True)]
    parts += [
        ("commune", code, rows["commune"].iloc[0], rows)
        for code, rows in masts.groupby("commune_code", sort=True)
    ]
    return pd.DataFrame(
        [
            {
                "by": by,
                "code": code,
                "name": name,
                "masts": len(rows),
                "shared": int((rows["tenants"] >= 2).sum()),
                "share": float((rows["tenants"] >= 2).mean()) if len(rows) else np.nan,
            }
            for by, code, name, rows in parts
        ]
    )


def common_notes(workspace: Workspace, about: Inventory) -> tuple[Message, ...]:
    """Return what a reader should know of data and assumptions."""
    notes = []
    origins = workspace.provenance()
    generated = sorted(name for name in INPUTS if name in origins and origins[name].illustrative)
    if generated:
        notes.append(
            message("Illustrative data in the layers: {layers}.", layers=", ".join(generated))
        )
    doubtful = sum(not item.verified for item in about.prices.assumptions.values())
    if doubtful:
        notes.append(
            message(
                "{count} of {total} assumptions and costs of sharing are not verified; replace "
                "them by a file {file} in the workspace.",
                count=doubtful,
                total=len(about.prices.assumptions),
                file="sharing_assumptions.csv",
            )
        )
    unknown = int(about.masts["max_tenants"].isna().sum())
    if unknown:
        notes.append(
            message(
                "The capacity of {count} masts is not known; it was taken from their class.",
                count=unknown,
            )
        )
    return tuple(notes)


def assumptions(about: Inventory) -> list[dict[str, Any]]:
    """Return the numbers that were planned with, for JSON."""
    return [
        {
            "name": item.name,
            "low": item.value.low,
            "typical": item.value.typical,
            "high": item.value.high,
            "unit": item.unit,
            "verified": item.verified,
            "source": item.source,
        }
        for item in about.prices.assumptions.values()
    ] + [
        {
            "name": item.item,
            "low": item.cost.low,
            "typical": item.cost.typical,
            "high": item.cost.high,
            "unit": item.currency,
            "verified": item.verified,
            "source": item.source,
        }
        for item in about.prices.units.values()
        if item.group == "mast"
    ]


def provenance(workspace: Workspace, request: SharingRequest, about: Inventory) -> dict[str, Any]:
    """Return where a result comes from, for JSON."""
    origins = workspace.provenance()
    return {
        "inputs": {
            name: dataclasses.asdict(item) for name, item in origins.items() if name in INPUTS
        },
        "coverage": dataclasses.asdict(request.coverage),
        "distance_m": about.distance_m,
        "assumptions": assumptions(about),
    }


def money(amount: CostRange) -> dict[str, float]:
    """Return a range of money for JSON, in whole units."""
    return {name: float(round(value)) for name, value in dataclasses.asdict(amount).items()}


def _summary(
    workspace: Workspace,
    request: SharingRequest,
    about: Inventory,
    pairs: pd.DataFrame,
    rates: pd.DataFrame,
    notes: tuple[Message, ...],
) -> dict[str, Any]:
    whole = rates.iloc[0]
    possible = pairs[pairs["possible"].astype(bool)]
    return {
        "area": workspace.area.name,
        "currency": about.prices.currency,
        "masts": int(whole["masts"]),
        "shared_masts": int(whole["shared"]),
        "sharing_percent": round(100.0 * float(whole["share"]), 2),
        "pairs": len(pairs) // 2,
        "pairs_possible": len(
            {frozenset(pair) for pair in zip(possible["host"], possible["guest"], strict=True)}
        ),
        "groups": int(pairs["group"].max()) if len(pairs) else 0,
        "reasons": {
            str(reason): int(count)
            for reason, count in pairs.loc[pairs["reason"] != "", "reason"].value_counts().items()
        },
        "rates": records(rates),
        "notes": [str(note) for note in notes],
        "provenance": provenance(workspace, request, about),
    }


def save(found: Analysis, folder: Path) -> None:
    """Write an analysis.

    Parameters
    ----------
    found
        The analysis.
    folder
        Where to; made if it is missing: sharing.json, sharing.gpkg (masts, pairs), pairs.csv,
        pair_services.csv, pair_communes.csv, pair_parties.csv and sharing_rates.csv.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tmp-") as scratch:
        made = Path(scratch)
        text = json.dumps(found.summary, ensure_ascii=False, indent=2, allow_nan=False)
        (made / "sharing.json").write_text(text + "\n", encoding="utf-8")
        found.masts.to_file(made / "sharing.gpkg", layer="masts", driver="GPKG")
        pair_lines(found).to_file(
            made / "sharing.gpkg", layer="pairs", driver="GPKG", geometry_type="LineString"
        )
        csv_file.write(found.pairs, made / "pairs.csv")
        csv_file.write(found.services, made / "pair_services.csv")
        csv_file.write(found.communes, made / "pair_communes.csv")
        csv_file.write(found.parties, made / "pair_parties.csv")
        csv_file.write(found.rates, made / "sharing_rates.csv")
        for path in sorted(made.iterdir()):
            path.replace(folder / path.name)


def pair_lines(found: Analysis) -> gpd.GeoDataFrame:
    """Return the pairs as lines from the mast that would go to the one that stays."""
    place = dict(zip(found.masts["mast_id"], found.masts.geometry, strict=True))
    lines = [
        shapely.LineString([place[row.guest], place[row.host]]) for row in found.pairs.itertuples()
    ]
    return gpd.GeoDataFrame(found.pairs.copy(), geometry=lines, crs=found.masts.crs)
