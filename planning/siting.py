"""Which sites bring most people or area into coverage for the money, and in which year.

Candidates come from the layers (`planning.siting_candidates`), what each would cover alone
from the propagation engine (`planning.mast_coverage`), the choice from
`planning.sites.maximal_cover` under a budget or `planning.target_cover.partial_cover` for a
target, both with a proven bound. What the plan claims is then computed once more from
scratch, on the scenario in which its sites stand.
"""

from __future__ import annotations

import dataclasses
import json
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray

from coverage import run
from coverage.request import CoverageRequest, cells_of, default_technologies
from coverage.results import ANY_OPERATOR, CoverageResult
from data import csv_file
from data.errors import InputError, Message, message
from data.grid import Grid
from data.store import Workspace
from planning import (
    mast_coverage,
    scenario_costs,
    scenario_workspace,
    sharing_costs,
    sites,
    siting_assumptions,
    siting_backhaul,
    siting_candidates,
    siting_choice,
    siting_options,
    target_cover,
)
from planning.cost import CostRange
from planning.mast_coverage import Demand, MastCoverage, Service
from planning.scenario_network import Change
from planning.scenario_workspace import materialise
from planning.sites import SiteChoice
from planning.siting_choice import Years
from planning.siting_options import Option

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Progress = Callable[[float], None]

Measure = Literal["population", "area"]
Goal = Literal["any", "each"]

_FROM_CANDIDATE = ("candidate_id", "kind", "name", "owner", "mast_id", "height_m")
_CHOSEN = (
    "operators", "technologies", "gain", "alone", "cost_low", "cost_typical", "cost_high",
    "fibre_cost", "year", "per_money", "reason",
)  # fmt: skip

#: Budgets of the cost curve, besides the plan's own.
_CURVE = 8


@dataclass(frozen=True)
class SitingRequest:
    """What is to be covered, and with what.

    Parameters
    ----------
    coverage
        Technologies, operators (None: all), thresholds, model and grid.
    measure
        Whether people or area count; weights are people or km².
    goal
        ``"any"``: a place counts as covered if one operator covers it; ``"each"``: for
        each operator by itself.
    budget
        What may be spent, in the currency of the unit costs; None with a target.
    target_percent
        Percentage of all people or area to reach, of several technologies or operators
        the mean; None with a budget.
    years
        Length of the plan; the money is spread evenly and may be saved up.
    kinds
        Kinds of candidates, see `planning.siting_candidates`.
    most_candidates
        How many candidates are looked at.
    time_limit_s
        For the choice. [s]
    """

    coverage: CoverageRequest = dataclasses.field(
        default_factory=lambda: CoverageRequest(technologies=("4G",))
    )
    measure: Measure = "population"
    goal: Goal = "any"
    budget: float | None = None
    target_percent: float | None = None
    years: int = 1
    kinds: tuple[str, ...] = siting_candidates.KINDS
    most_candidates: int = 300
    time_limit_s: float = 60.0

    def __post_init__(self) -> None:
        if (self.budget is None) == (self.target_percent is None):
            raise InputError("Siting needs either a budget or a target")
        if self.budget is not None and not (math.isfinite(self.budget) and self.budget >= 0.0):
            raise InputError(
                "The budget is {value}, but it must be a number of at least 0", value=self.budget
            )
        if self.target_percent is not None and not 0.0 <= self.target_percent <= 100.0:
            raise InputError(
                "The target is {value} % (expected a number from 0 to 100)",
                value=self.target_percent,
            )
        if not 1 <= self.years <= 30:
            raise InputError(
                "The plan has {value} years (expected a whole number from 1 to 30)",
                value=self.years,
            )
        unknown = [kind for kind in self.kinds if kind not in siting_candidates.KINDS]
        if unknown or not self.kinds:
            raise InputError(
                "There are no candidates called {value} (expected one of {expected})",
                value=", ".join(unknown) or "none",
                expected=", ".join(siting_candidates.KINDS),
            )
        if self.measure not in ("population", "area") or self.goal not in ("any", "each"):
            raise InputError("Siting counts population or area, for any or for each operator")
        if self.most_candidates < 1:
            raise InputError("Siting needs at least one candidate")


@dataclass(frozen=True, eq=False)
class SitingPlan:
    """The chosen sites, what they bring, and how much better another choice could be.

    Parameters
    ----------
    request
        What was asked.
    candidates
        All candidates, with `reason` as a `Message`.
    chosen
        The chosen ones, best first: candidate_id, kind, name, owner, mast_id, height_m,
        operators, technologies, gain (added to those before), alone (by itself), cost
        (low, typical, high), fibre_cost, year (from 1; missing: beyond the budgets),
        per_money (gain per thousand million), reason, geometry.
    services
        A row per technology and operator (or any): total, before, claimed and
        recomputed amount, and percentages.
    choice
        Of the solver; value and bound are weights under a budget, costs for a target.
    gain
        Weight added, of all services together.
    reachable
        Weight that all candidates together would add.
    cost
        Of the chosen sites, sites that were chosen twice counted once.
    order, curve, years
        See `planning.siting_choice`.
    changes
        The chosen sites as changes of the network, after those of the scenario that the
        plan was made on, if it was.
    notes
        What a reader should know.
    currency
        ISO 4217 code.
    provenance
        Inputs and settings.
    """

    request: SitingRequest
    candidates: gpd.GeoDataFrame
    chosen: gpd.GeoDataFrame
    services: pd.DataFrame
    choice: SiteChoice
    gain: float
    reachable: float
    cost: CostRange
    order: pd.DataFrame
    curve: pd.DataFrame
    years: Years
    changes: tuple[Change, ...]
    notes: tuple[Message, ...]
    currency: str
    provenance: dict[str, Any]


@dataclass(frozen=True, eq=False)
class _Ground:
    """What is there before anything is chosen."""

    grid: Grid
    demand: Demand
    weight: Floats
    services: tuple[Service, ...]
    covered: dict[Service, Flags]

    @property
    def total(self) -> float:
        """Weight of all services."""
        return len(self.services) * math.fsum(self.weight.tolist())

    def open_weight(self) -> Floats:
        """Return the weight per pixel that services lack, summed over them."""
        lacking = np.zeros(len(self.weight))
        for flags in self.covered.values():
            lacking += np.where(flags, 0.0, self.weight)
        return lacking

    def amount(self, covered: dict[Service, Flags]) -> dict[Service, float]:
        return {key: math.fsum(self.weight[flags].tolist()) for key, flags in covered.items()}


def plan(
    workspace: Workspace,
    request: SitingRequest,
    *,
    threads: int | None = None,
    on_progress: Progress = lambda _: None,
) -> SitingPlan:
    """Choose sites, and compute what they bring.

    Parameters
    ----------
    workspace
        The study area, with masts, cells and what coverage needs.
    request
        What is asked.
    threads
        Masts computed at once; all processors if None.
    on_progress
        Called with the share done; may raise `CancelledError`.

    Returns
    -------
    SitingPlan
        The plan.

    Raises
    ------
    InputError
        If a layer is missing, nothing can be asked of it, or the target cannot be reached.
    """
    whole = _with_all_technologies(workspace, request.coverage)
    before = run.compute(
        workspace, whole, threads=threads, on_progress=lambda share: on_progress(0.25 * share)
    )
    ground = _ground(workspace, before, request)
    prices = sharing_costs.prices(workspace.folder)
    numbers = siting_assumptions.assumptions(workspace.folder)
    found = siting_candidates.find(
        workspace,
        prices,
        numbers,
        ground.open_weight(),
        ground.grid,
        kinds=request.kinds,
        most=request.most_candidates,
    )
    on_progress(0.27)
    cells = cells_of(workspace)
    operators = request.coverage.operators or tuple(sorted(cells["operator"].unique()))
    equipment = siting_options.typical(cells, operators, request.coverage.technologies)
    hung = siting_options.antennas(found.sites, cells, equipment, prices, numbers)
    fibre, notes = _backhaul(workspace, found.sites, lambda x: on_progress(0.27 + 0.08 * x))
    ways = siting_options.options(
        found.sites, cells, hung, fibre, prices, each=request.goal == "each"
    )
    alone = _coverage(
        workspace, request, found.sites, hung, threads, lambda x: on_progress(0.35 + 0.35 * x)
    )
    task = _Task(ground, found.sites, tuple(ways), alone)
    task.keep_within_places(found.sites, cells)
    solved = _solve(task, request, lambda x: on_progress(0.7 + 0.15 * x))
    changes = changes_of(workspace, found.sites, task.options, solved.choice.columns, hung, prices)
    after = run.compute(
        materialise(workspace, changes),
        whole,
        threads=threads,
        on_progress=lambda share: on_progress(0.85 + 0.14 * share),
    )
    services = _services(task, solved.choice.columns, ground, after)
    cost = _true_cost(workspace, changes, prices, task, solved.choice.columns)
    chosen = _chosen(task, found.sites, cells, solved)
    on_progress(1.0)
    return SitingPlan(
        request,
        found.sites,
        chosen,
        services,
        solved.choice,
        float(services["claimed"].sum() - services["before"].sum()),
        math.fsum(task.load.tolist()),
        cost,
        solved.order,
        solved.curve,
        solved.years,
        (*scenario_workspace.changes_of(workspace), *changes),
        (*found.notes, *notes, *_absent(equipment, operators, request)),
        prices.currency,
        _provenance(workspace, request, found.sites, equipment, before, after),
    )


def _with_all_technologies(workspace: Workspace, request: CoverageRequest) -> CoverageRequest:
    """Ask for all technologies of the area, so that losses kept from other pages fit."""
    names = (*default_technologies(workspace), *request.technologies)
    return dataclasses.replace(request, technologies=tuple(dict.fromkeys(names)))


def _ground(workspace: Workspace, before: CoverageResult, request: SitingRequest) -> _Ground:
    demand = mast_coverage.demand(workspace, before.grid)
    weight = demand.people if request.measure == "population" else demand.area_m2 / 1e6
    if not float(weight.sum()) > 0.0:
        raise InputError("There are no people to cover: the study area has no population raster")
    services, covered = [], {}
    for technology in request.coverage.technologies:
        for operator in _counted(before, request.goal):
            services.append((technology, operator))
            covered[technology, operator] = before.covered(technology, operator).values.ravel()
    return _Ground(before.grid, demand, weight, tuple(services), covered)


def _counted(result: CoverageResult, goal: Goal) -> tuple[str, ...]:
    if goal == "any":
        return (ANY_OPERATOR,)
    return tuple(result.summary["provenance"]["operators"])


def _backhaul(
    workspace: Workspace, found: gpd.GeoDataFrame, on_progress: Progress
) -> tuple[Floats, list[Message]]:
    """Return the cost of backhaul; masts in use have theirs."""
    new = (found["kind"] != "mast").to_numpy(bool)
    price = np.zeros(len(found))
    price[new], notes = siting_backhaul.costs(workspace, found[new], on_progress=on_progress)
    cut_off = int((~np.isfinite(price)).sum())
    if cut_off:
        notes.append(
            message(
                "{count} candidates were left out because no way leads from them to live fibre",
                count=cut_off,
            )
        )
    return price, notes


def _absent(
    equipment: dict[tuple[str, str], siting_options.Equipment],
    operators: Sequence[str],
    request: SitingRequest,
) -> list[Message]:
    return [
        message(
            "{operator} has no {technology} in the area, so it is not given any",
            operator=operator,
            technology=technology,
        )
        for technology in request.coverage.technologies
        for operator in operators
        if (operator, technology) not in equipment
    ]


def _coverage(
    workspace: Workspace,
    request: SitingRequest,
    found: gpd.GeoDataFrame,
    hung: Sequence[dict[str, list[dict[str, Any]]]],
    threads: int | None,
    on_progress: Progress,
) -> MastCoverage | None:
    """Return what each candidate covers alone, with all that could hang on it."""
    rows = [cell for own in hung for cells in own.values() for cell in cells]
    if not rows:
        return None
    cells = pd.DataFrame(rows).reindex(columns=cells_of(workspace).columns)
    masts = gpd.GeoDataFrame(
        {
            "mast_id": found["candidate_id"].to_numpy(),
            "height_m": found["height_m"].to_numpy(np.float64),
            "status": "existing",
        },
        geometry=found.geometry.to_numpy(),
        crs=found.crs,
    )
    return mast_coverage.compute(
        workspace, request.coverage, masts, cells, threads=threads, on_progress=on_progress
    )


class _Task:
    """Options as columns and demand without service as rows."""

    def __init__(
        self,
        ground: _Ground,
        found: gpd.GeoDataFrame,
        ways: tuple[Option, ...],
        alone: MastCoverage | None,
    ) -> None:
        self.ground, self.count, self.alone = ground, len(found), alone
        self.options = ways
        self._build()

    def _build(self) -> None:
        tables = {service: self._of(service) for service in self.ground.services}
        parts, weights = [], []
        for service, table in tables.items():
            open_ = ~self.ground.covered[service] & (self.ground.weight > 0.0)
            parts.append(table[np.flatnonzero(open_)])
            weights.append(self.ground.weight[open_])
        table = scipy.sparse.vstack(parts, format="csr")
        self.patterns, self.load = sites.merged_demand(table, np.concatenate(weights))
        self.tables = tables
        self.cost = np.array([option.cost.typical for option in self.options])

    def _of(self, service: Service) -> scipy.sparse.csr_array:
        """Return which pixels each option covers for a service."""
        technology, wanted = service
        pixels = len(self.ground.weight)
        table = scipy.sparse.csr_array((pixels, len(self.options)), dtype=np.int32)
        if self.alone is None:
            return table
        for name, operator in self.alone.services:
            if name != technology or wanted not in (operator, ANY_OPERATOR):
                continue
            uses = [
                (option.candidate, column)
                for column, option in enumerate(self.options)
                if operator in option.operators
            ]
            if uses:
                at = np.array(uses)
                select = scipy.sparse.csr_array(
                    (np.ones(len(at), np.int32), (at[:, 0], at[:, 1])),
                    shape=(self.count, len(self.options)),
                )
                table = table + self.alone.membership[name, operator].astype(np.int32) @ select
        return scipy.sparse.csr_array(table)

    def keep_within_places(self, found: gpd.GeoDataFrame, cells: pd.DataFrame) -> None:
        """Leave out operators for whom a mast has no place; those who gain most stay."""
        gain = np.asarray(self.patterns.T @ self.load)
        tenants = {str(name): set(part["operator"]) for name, part in cells.groupby("mast_id")}
        coming: dict[int, list[int]] = {}
        for column, option in enumerate(self.options):
            site = found.iloc[option.candidate]
            if site["kind"] != "mast":
                continue
            if not set(option.operators) <= tenants.get(str(site["mast_id"]), set()):
                coming.setdefault(option.candidate, []).append(column)
        gone: set[int] = set()
        for candidate, columns in coming.items():
            places = int(found["places"].iloc[candidate])
            ranked = sorted(columns, key=lambda column: (-gain[column], column))
            gone.update(ranked[places:])
        gone.update(np.flatnonzero(gain <= 0.0).tolist())
        if gone:
            self.options = tuple(o for k, o in enumerate(self.options) if k not in gone)
            self._build()

    def covered(self, service: Service, columns: Sequence[int]) -> Flags:
        """Return what is covered when options are built."""
        built = np.zeros(len(self.options), np.int32)
        built[list(columns)] = 1
        more: Flags = self.tables[service] @ built > 0
        return self.ground.covered[service] | more


@dataclass(frozen=True, eq=False)
class _Solved:
    choice: SiteChoice
    order: pd.DataFrame
    curve: pd.DataFrame
    years: Years


def _solve(task: _Task, request: SitingRequest, on_progress: Progress) -> _Solved:
    limit = request.time_limit_s
    parts = (task.patterns, task.load, task.cost)
    if request.budget is not None:
        choice = sites.maximal_cover(
            *parts,
            request.budget,
            time_limit_s=0.6 * limit,
            on_progress=lambda x: on_progress(0.6 * x),
        )
        money = request.budget
    else:
        choice = target_cover.partial_cover(
            *parts,
            _missing(task, request),
            time_limit_s=0.6 * limit,
            on_progress=lambda x: on_progress(0.6 * x),
        )
        money = choice.cost
    order = siting_choice.in_order(*parts, choice.columns)
    top = max(2.0 * choice.cost, money)
    budgets = sorted({top * k / _CURVE for k in range(1, _CURVE + 1)} | {money})
    curve = siting_choice.curve(
        *parts,
        budgets,
        time_limit_s=0.25 * limit,
        on_progress=lambda x: on_progress(0.6 + 0.25 * x),
    )
    years = siting_choice.by_year(
        *parts,
        order["column"].to_numpy(np.int64),
        np.full(request.years, money / request.years),
        time_limit_s=0.15 * limit,
        on_progress=lambda x: on_progress(0.85 + 0.15 * x),
    )
    return _Solved(choice, order, curve, years)


def _missing(task: _Task, request: SitingRequest) -> float:
    """Return the weight that a target lacks."""
    assert request.target_percent is not None  # noqa: S101 - for the type checker
    ground = task.ground
    there = math.fsum(ground.amount(ground.covered).values())
    wanted = request.target_percent / 100.0 * ground.total
    most = there + math.fsum(task.load.tolist())
    if wanted > most * (1.0 + 1e-9):
        raise InputError(
            "The target of {target} % cannot be reached: the {count} candidates together reach "
            "{most} %",
            target=f"{request.target_percent:g}",
            count=task.count,
            most=f"{100.0 * most / ground.total:.2f}",
        )
    return max(0.0, wanted - there)


def changes_of(
    workspace: Workspace,
    found: gpd.GeoDataFrame,
    ways: Sequence[Option],
    columns: Sequence[int] | NDArray[np.int64],
    hung: Sequence[dict[str, list[dict[str, Any]]]],
    prices: sharing_costs.Prices,
) -> list[Change]:
    """Return chosen options as changes of the network.

    Parameters
    ----------
    workspace
        The study area.
    found
        The candidates.
    ways, columns
        Options, and which of them are chosen.
    hung
        Cells by candidate and operator.
    prices
        For the capacity of new masts.

    Returns
    -------
    list of Change
        One a site, new masts with identifiers of their own and without an owner unless
        one operator alone uses them.
    """
    masts = workspace.read("masts")
    shareable = dict(zip(masts["mast_id"], masts["shareable"], strict=True))
    taken = set(masts["mast_id"])
    present = {str(k): set(part["operator"]) for k, part in cells_of(workspace).groupby("mast_id")}
    using: dict[int, list[str]] = {}
    for column in columns:
        option = ways[int(column)]
        names = using.setdefault(option.candidate, [])
        names += [name for name in option.operators if name not in names]
    places = found.to_crs("EPSG:4326").geometry
    changes = []
    for candidate, operators in using.items():
        site = found.iloc[candidate]
        cells = [
            {key: value for key, value in cell.items() if key not in ("cell_id", "mast_id")}
            for operator in operators
            for cell in hung[candidate][operator]
        ]
        if site["kind"] == "mast":
            name = str(site["mast_id"])
            comes = set(operators) - present.get(name, set())
            kind: Literal["share", "edit"] = "share" if comes and shareable[name] else "edit"
            changes.append(Change(kind, {"mast_id": name}, tuple(cells)))
            continue
        name = _free_name(taken)
        mast = {
            "mast_id": name,
            "name": site["name"] or None,
            "owner": operators[0] if len(operators) == 1 else None,
            "mast_class": site["mast_class"],
            "height_m": float(site["height_m"]),
            "shareable": True,
            "max_tenants": max(prices.tenants(site["mast_class"]), len(operators)),
            "lon": float(places.iloc[candidate].x),
            "lat": float(places.iloc[candidate].y),
        }
        changes.append(Change("add", mast, tuple(cells)))
    return changes


def _free_name(taken: set[str]) -> str:
    number = 1
    while f"NEW{number:03d}" in taken:
        number += 1
    taken.add(f"NEW{number:03d}")
    return f"NEW{number:03d}"


def _services(
    task: _Task, columns: NDArray[np.int64], ground: _Ground, after: CoverageResult
) -> pd.DataFrame:
    """Return what is covered before, by the plan's claim, and by computing it anew."""
    rows = []
    whole = math.fsum(ground.weight.tolist())
    for service in ground.services:
        flags = {
            "before": ground.covered[service],
            "claimed": task.covered(service, columns.tolist()),
            "recomputed": after.covered(*service).values.ravel(),
        }
        amounts = {name: math.fsum(ground.weight[item].tolist()) for name, item in flags.items()}
        shares = {f"{name}_percent": 100.0 * value / whole for name, value in amounts.items()}
        rows.append(
            {"technology": service[0], "operator": service[1], "total": whole, **amounts, **shares}
        )
    return pd.DataFrame(rows)


def _true_cost(
    workspace: Workspace,
    changes: Sequence[Change],
    prices: sharing_costs.Prices,
    task: _Task,
    columns: NDArray[np.int64],
) -> CostRange:
    """Return the cost of the network's change, and of the backhaul of each new site once."""
    after = materialise(workspace, changes)
    cost = scenario_costs.between(
        (workspace.read("masts"), cells_of(workspace)),
        (after.read("masts"), cells_of(after)),
        prices,
    ).once
    way = {task.options[k].candidate: task.options[k].fibre_cost for k in columns.tolist()}
    fibre = math.fsum(way.values())
    return cost + CostRange(fibre, fibre, fibre)


def _chosen(
    task: _Task, found: gpd.GeoDataFrame, cells: pd.DataFrame, solved: _Solved
) -> gpd.GeoDataFrame:
    """Return the chosen sites in the order of what they add for their cost."""
    tenants = {str(name): set(part["operator"]) for name, part in cells.groupby("mast_id")}
    rows, points = [], []
    for year, line in zip(solved.years.year.tolist(), solved.order.to_dict("records"), strict=True):
        option = task.options[int(line["column"])]
        site = found.iloc[option.candidate]
        technologies = ", ".join(dict.fromkeys(name for _, name in option.equipment))
        reason = site["reason"]
        if set(option.operators) <= tenants.get(str(site["mast_id"]), set()):
            reason = message(
                "mast of {owner}, {height} m, on which {operator} has no {technology} yet",
                owner=site["owner"] or message("an unknown owner"),
                height=f"{site['height_m']:g}",
                operator=", ".join(option.operators),
                technology=technologies,
            )
        rows.append(
            {
                **{name: site[name] for name in _FROM_CANDIDATE},
                "operators": ", ".join(option.operators),
                "technologies": technologies,
                "gain": line["gain"],
                "alone": line["alone"],
                "cost_low": option.cost.low,
                "cost_typical": option.cost.typical,
                "cost_high": option.cost.high,
                "fibre_cost": option.fibre_cost,
                "year": None if year < 0 else year + 1,
                "per_money": line["gain"] / max(option.cost.typical / 1e9, 1e-12),
                "reason": reason,
            }
        )
        points.append(site.geometry)
    frame = pd.DataFrame(rows, columns=[*_FROM_CANDIDATE, *_CHOSEN])
    return gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(points, crs=found.crs))


def _provenance(
    workspace: Workspace,
    request: SitingRequest,
    found: gpd.GeoDataFrame,
    equipment: dict[tuple[str, str], siting_options.Equipment],
    before: CoverageResult,
    after: CoverageResult,
) -> dict[str, Any]:
    return {
        "area": workspace.area.name,
        "content": workspace.content_hash(),
        "inputs": {name: dataclasses.asdict(item) for name, item in workspace.provenance().items()},
        "request": dataclasses.asdict(request),
        "candidates": {str(k): int(v) for k, v in found["kind"].value_counts().items()},
        "equipment": [dataclasses.asdict(item) for item in equipment.values()],
        "coverage_before": before.summary["provenance"]["key"],
        "coverage_after": after.summary["provenance"]["key"],
        "numbers": [
            "unit_costs.csv",
            "sharing_assumptions.csv",
            "siting_assumptions.csv",
            "site_rules.csv",
        ],
    }


def save(found: SitingPlan, folder: Path) -> None:
    """Write a plan: siting.json, siting.gpkg, sites.csv, curve.csv and changes.json.

    Parameters
    ----------
    found
        From `plan`.
    folder
        Where to; made if it is missing. The layers of siting.gpkg are sites and
        candidates; changes.json is what `scenario create` takes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tmp-") as scratch:
        made = Path(scratch)
        changes = [change.to_dict() for change in found.changes]
        for name, content in (("siting", summary(found)), ("changes", changes)):
            text = json.dumps(content, ensure_ascii=False, indent=1)
            (made / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        chosen = _plain(found.chosen)
        for layer, frame in (("sites", chosen), ("candidates", _plain(found.candidates))):
            frame.to_file(made / "siting.gpkg", layer=layer, driver="GPKG")
        table = pd.DataFrame(chosen.drop(columns="geometry"))
        places = chosen.to_crs("EPSG:4326").geometry
        table = table.assign(lon=places.x.round(6), lat=places.y.round(6))
        csv_file.write(table, made / "sites.csv")
        csv_file.write(found.curve, made / "curve.csv")
        for path in sorted(made.iterdir()):
            path.replace(folder / path.name)


def _plain(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a table with reasons as text."""
    plain = frame.copy()
    plain["reason"] = [str(reason) for reason in frame["reason"]]
    return plain


def summary(found: SitingPlan) -> dict[str, Any]:
    """Return a plan in figures, for JSON.

    Parameters
    ----------
    found
        From `plan`.

    Returns
    -------
    dict
        Result, services, years, curve and provenance.
    """
    choice, years = found.choice, found.years
    return {
        "measure": found.request.measure,
        "unit": "people" if found.request.measure == "population" else "km²",
        "goal": found.request.goal,
        "sites": len(found.chosen),
        "candidates": len(found.candidates),
        "gain": found.gain,
        "reachable": found.reachable,
        "value": choice.value,
        "bound": choice.bound,
        "gap": choice.gap,
        "cost": dataclasses.asdict(found.cost),
        "currency": found.currency,
        "services": found.services.to_dict("records"),
        "phases": {
            "spent": years.spent.tolist(),
            "covered": years.covered.tolist(),
            "gap": years.gap,
        },
        "curve": found.curve.to_dict("records"),
        "notes": [str(note) for note in found.notes],
        "provenance": found.provenance,
    }
