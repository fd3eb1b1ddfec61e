"""In which year a designed dedicated network is built, under a yearly budget.

The design is fixed (`planning.network_design`); what is planned is its order. A site is
connected once its equipment and all stretches on its way are paid, and protected once
those on its other ways are; stretches that several share are paid once. Classes of
priority are kept strictly, as `planning.phases` describes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data import csv_file, schema
from data.errors import InputError, Message, message
from data.store import Workspace
from planning import fibre, network_design, network_failures
from planning.network_design import NetworkDesign, NetworkDesignRequest
from planning.network_designer import Choice, Designer, Project
from planning.phases import Phases, phases
from planning.resilience import HOURS_PER_YEAR

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Progress = Callable[[float], None]

#: What decides which sites come first.
PRIORITIES = ("criticality", "level", "none")

#: What is added to the class of a site for its protection.
_SECOND_WAYS = 10

#: Time for the search. [s]
TIME_S = 15.0


def _silent(_: float) -> None:
    return None


@dataclass(frozen=True)
class PhaseRequest:
    """How the building of a network is spread over years.

    Parameters
    ----------
    budgets
        Money for each year, in the currency of the unit costs.
    priority
        One of `PRIORITIES`: sites of greater criticality, or of higher level, come
        first. Second ways come after all connections.
    first_year
        Of the plan; None counts years from 1.
    carry_over
        Whether money that is left may be spent in later years.
    time_limit_s
        For the search. [s]
    """

    budgets: tuple[float, ...]
    priority: str = "criticality"
    first_year: int | None = None
    carry_over: bool = True
    time_limit_s: float = TIME_S

    def __post_init__(self) -> None:
        if not self.budgets:
            raise InputError("A plan needs at least one year")
        for value in self.budgets:
            if not (np.isfinite(value) and value >= 0.0):
                raise InputError(
                    "The budget is {budget}, expected a number from 0", budget=float(value)
                )
        if self.priority not in PRIORITIES:
            raise InputError(
                "There is no priority {value} (expected one of {expected})",
                value=self.priority,
                expected=", ".join(PRIORITIES),
            )

    @property
    def years(self) -> list[int]:
        """The years of the plan."""
        first = 1 if self.first_year is None else self.first_year
        return list(range(first, first + len(self.budgets)))


@dataclass(frozen=True, eq=False)
class PhasePlan:
    """Who is connected and protected in which year.

    Parameters
    ----------
    request
        What was asked.
    design
        What is built in the end.
    projects
        A row for each connection and each protection: site_id, name, level, criticality,
        kind (``"connect"`` or ``"protect"``), priority (class, lowest first), year
        (missing where it is not in the plan), cost (of all that it needs, shared
        stretches in full), reason.
    reasons
        Why a project is not in the plan, to be translated; None where it is.
    years
        A row for each year, the state before first (year missing): budget, spent,
        connected, protected, availability_percent (mean of all sites, 0 for those not
        connected), lost_hours (criticality times hours a year without service).
    routes
        Stretches of the design with the year in which each is built.
    classes
        A row for each class: priority, kind (as in `projects`), criticality or level of
        its sites (missing where that decides nothing), sites, served, value, bound, gap.
    notes
        What a reader should know.
    summary
        All of it in figures, for JSON.
    """

    request: PhaseRequest
    design: NetworkDesign
    projects: pd.DataFrame
    reasons: tuple[Message | None, ...]
    years: pd.DataFrame
    routes: gpd.GeoDataFrame
    classes: pd.DataFrame
    notes: tuple[Message, ...]
    summary: dict[str, Any]


def plan(
    workspace: Workspace,
    request: PhaseRequest,
    asked: NetworkDesignRequest | None = None,
    *,
    design: NetworkDesign | None = None,
    on_progress: Progress = _silent,
) -> PhasePlan:
    """Plan in which years a dedicated network is extended.

    Parameters
    ----------
    workspace
        The study area.
    request
        Years and money.
    asked
        What is built in the end; None to connect all sites without rings.
    design
        Already made for it; None to make it.
    on_progress
        Called with the share done; may raise `CancelledError`.

    Returns
    -------
    PhasePlan
        Years of all projects, with the gap of the plan.

    Raises
    ------
    InputError
        As `planning.network_design.design` does.
    """
    if design is None:
        wanted = replace(asked or NetworkDesignRequest(), points=0)
        design = network_design.design(
            workspace, wanted, on_progress=lambda share: on_progress(0.6 * share)
        )
    designer, choice = design.designer, design.choice
    # A live site that nothing is built for is protected already.
    projects = [project for project, edges in choice.needs.items() if edges or not project[1]]
    own, edge_price = _prices(designer, choice, projects)
    found = phases(
        own,
        edge_price,
        [list(choice.needs[project]) for project in projects],
        list(request.budgets),
        weight=[_site(designer, project)["criticality"] for project in projects],
        priority=_classes(designer, projects, request.priority),
        before=_order(projects),
        carry_over=request.carry_over,
        time_limit_s=request.time_limit_s,
        on_progress=lambda share: on_progress(0.6 + 0.3 * share),
    )
    table, reasons = _projects(designer, choice, projects, found, request, own, edge_price)
    years = _years(workspace, design, projects, found, request)
    on_progress(1.0)
    made = PhasePlan(
        request,
        design,
        table,
        reasons,
        years,
        _routes(design, found, request),
        _named_classes(found.classes, request.priority),
        design.notes,
        {},
    )
    return replace(made, summary=_summary(made))


def _site(designer: Designer, project: Project) -> pd.Series:
    _, is_live, position = project
    problem = designer.problem
    return (problem.live.sites if is_live else problem.todo).iloc[position]


def _classes(designer: Designer, projects: Sequence[Project], priority: str) -> list[int]:
    """Return the class of each project; protection comes after all connections."""
    found = []
    for project in projects:
        site = _site(designer, project)
        rank = 1
        if priority == "criticality":
            rank = 6 - round(float(site["criticality"]))
        elif priority == "level":
            rank = 1 + schema.SITE_LEVELS.index(site["level"])
        found.append(rank + (_SECOND_WAYS if project[0] == "protect" else 0))
    return found


def _named_classes(classes: pd.DataFrame, priority: str) -> pd.DataFrame:
    """Say which projects are in each class of `_classes`."""
    number = classes["priority"].to_numpy(np.int64)
    rank = number % _SECOND_WAYS
    missing = [None] * len(classes)
    named, index = classes.copy(), classes.index
    numbers = 6 - rank if priority == "criticality" else missing
    levels = [schema.SITE_LEVELS[k - 1] for k in rank.tolist()] if priority == "level" else missing
    named.insert(1, "kind", np.where(number > _SECOND_WAYS, "protect", "connect").astype(object))
    named.insert(2, "criticality", pd.Series(numbers, index, "Int64"))
    named.insert(3, "level", pd.Series(levels, index, object))
    return named


def _order(projects: Sequence[Project]) -> list[tuple[int, int]]:
    """Return pairs of projects of which the first comes first."""
    where = {project: number for number, project in enumerate(projects)}
    return [
        (where["connect", is_live, position], number)
        for number, (kind, is_live, position) in enumerate(projects)
        if kind == "protect" and ("connect", is_live, position) in where
    ]


def _prices(
    designer: Designer, choice: Choice, projects: Sequence[Project]
) -> tuple[Floats, Floats]:
    """Return the typical cost of each project's equipment, and of each edge.

    All of them together cost what the bill of the design says.
    """
    module, router = (
        designer.costs[name].cost.typical for name in ("optical_module", "router_access")
    )
    links: dict[Project, int] = {}
    for link in choice.links:
        links[link.project] = links.get(link.project, 0) + 1
    own = np.array(
        [
            2.0 * module * links.get(project, 0) + (router if project[0] == "connect" else 0.0)
            for project in projects
        ]
    )
    price = np.zeros(len(choice.whole.tail))
    price[choice.chosen] = choice.whole.cost[choice.chosen]
    core = designer.costs["cable_per_core"].cost.typical
    for edge, count in designer.cores(choice).items():
        if choice.edges.item[choice.whole.stretch[edge]] != "spare_cores":
            beyond = max(fibre.cable_size(count) - fibre.INCLUDED_CORES, 0)
            price[edge] += beyond * core * float(choice.whole.length_m[edge])
    return own, price


def _projects(
    designer: Designer,
    choice: Choice,
    projects: Sequence[Project],
    found: Phases,
    request: PhaseRequest,
    own: Floats,
    edge_price: Floats,
) -> tuple[pd.DataFrame, tuple[Message | None, ...]]:
    rows: list[dict[str, Any]] = []
    reasons: list[Message | None] = []
    too_dear = set(found.too_dear.tolist())
    years = request.years
    classes = _classes(designer, projects, request.priority)
    for number, project in enumerate(projects):
        site = _site(designer, project)
        year = int(found.site_year[number])
        if year >= 0:
            reasons.append(None)
        elif number in too_dear:
            reasons.append(message("it costs more than all budgets together"))
        else:
            reasons.append(message("not within the budgets"))
        rows.append(
            {
                "site_id": site["site_id"],
                "name": site["name"],
                "level": site["level"],
                "criticality": float(site["criticality"]),
                "kind": project[0],
                "priority": classes[number],
                "year": years[year] if year >= 0 else None,
                "cost": float(own[number] + edge_price[list(choice.needs[project])].sum()),
                "reason": "" if reasons[-1] is None else str(reasons[-1]),
            }
        )
    problem = designer.problem
    for position in np.flatnonzero(~choice.connected).tolist():
        site = problem.todo.iloc[position]
        reasons.append(problem.reason[position] or message("not in the design"))
        rows.append(
            {
                "site_id": site["site_id"],
                "name": site["name"],
                "level": site["level"],
                "criticality": float(site["criticality"]),
                "kind": "connect",
                "priority": None,
                "year": None,
                "cost": np.nan,
                "reason": str(reasons[-1]),
            }
        )
    columns = [
        "site_id", "name", "level", "criticality", "kind", "priority", "year", "cost", "reason",
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=columns).astype({"priority": "Int64", "year": "Int64"})
    order = frame.sort_values(
        ["year", "priority", "kind", "criticality", "site_id"],
        ascending=[True, True, True, False, True],
        na_position="last",
    ).index
    return frame.loc[order].reset_index(drop=True), tuple(reasons[k] for k in order.tolist())


def _years(
    workspace: Workspace,
    design: NetworkDesign,
    projects: Sequence[Project],
    found: Phases,
    request: PhaseRequest,
) -> pd.DataFrame:
    designer, choice = design.designer, design.choice
    assumed = network_failures.assumptions(workspace.folder)
    rows: list[dict[str, Any]] = []
    asked = design.sites.loc[design.sites["protect"], "site_id"]
    n_todo = len(designer.problem.todo)
    for number in range(-1, len(request.budgets)):
        done = (found.site_year >= 0) & (found.site_year <= number)
        connected = np.zeros(n_todo, dtype=bool)
        for project, yes in zip(projects, done.tolist(), strict=True):
            if yes and project[0] == "connect":
                connected[project[2]] = True
        built = (found.edge_year >= 0) & (found.edge_year <= number)
        inventory = designer.inventory(choice, connected=connected, built=built)
        report = network_failures.analyse(inventory, assumed=assumed, loads=False)
        state = report.sites.set_index("site_id")
        share = state["availability_percent"].reindex(design.sites["site_id"], fill_value=0.0)
        weight = design.sites["criticality"].to_numpy(float)
        lost = weight * (1.0 - share.to_numpy(float) / 100.0) * HOURS_PER_YEAR
        safe = (state["safe_link"] & state["safe_duct"]).reindex(asked, fill_value=False)
        rows.append(
            {
                "year": request.years[number] if number >= 0 else None,
                "budget": request.budgets[number] if number >= 0 else 0.0,
                "spent": float(found.spent[number]) if number >= 0 else 0.0,
                "connected": int(design.sites["before"].sum() + connected.sum()),
                "protected": int(safe.sum()),
                "availability_percent": float(share.mean()),
                "lost_hours": float(lost.sum()),
            }
        )
    return pd.DataFrame(rows).astype({"year": "Int64"})


def _routes(design: NetworkDesign, found: Phases, request: PhaseRequest) -> gpd.GeoDataFrame:
    """Return the stretches of the design with their years."""
    routes = design.designer.routes(design.choice)
    edges = design.designer.built_edges(design.choice)
    year = found.edge_year[edges]
    named = [request.years[y] if y >= 0 else None for y in year.tolist()]
    return routes.assign(year=pd.array(named, dtype="Int64"))


def _summary(made: PhasePlan) -> dict[str, Any]:
    design, request = made.design, made.request
    projects = made.projects
    connect = projects[projects["kind"] == "connect"]
    protect = projects[projects["kind"] == "protect"]
    return {
        "area": design.summary["area"],
        "day": design.summary["day"],
        "illustrative": design.summary["illustrative"],
        "priority": request.priority,
        "carry_over": request.carry_over,
        "currency": design.summary["cost"]["currency"],
        "budgets": list(request.budgets),
        "cost_of_all": design.cost.typical,
        "sites": len(design.sites),
        "to_connect": len(connect),
        "connected": int(connect["year"].notna().sum()),
        "to_protect": len(protect),
        "protected": int(protect["year"].notna().sum()),
        "years": network_design.records(made.years),
        "projects": network_design.records(projects),
        "classes": network_design.records(made.classes),
        "gap": None if not np.isfinite(_gap(made.classes)) else _gap(made.classes),
        "notes": [str(note) for note in made.notes],
        "design": {k: v for k, v in design.summary.items() if k not in ("tradeoff", "provenance")},
        "provenance": design.summary["provenance"],
    }


def _gap(classes: pd.DataFrame) -> float:
    return float(classes["gap"].max()) if len(classes) else 0.0


def save(made: PhasePlan, folder: Path) -> None:
    """Write a plan: phases.json, phases.csv, years.csv and phases.gpkg (routes, sites).

    Parameters
    ----------
    made
        The plan.
    folder
        Where to; made if it is missing. The files of the design are written, too.
    """
    network_design.save(made.design, folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tmp-") as scratch:
        temporary = Path(scratch)
        text = json.dumps(made.summary, ensure_ascii=False, indent=2, allow_nan=False)
        (temporary / "phases.json").write_text(text + "\n", encoding="utf-8")
        csv_file.write(made.projects, temporary / "phases.csv")
        csv_file.write(made.years, temporary / "years.csv")
        made.routes.to_file(
            temporary / "phases.gpkg", layer="routes", driver="GPKG", geometry_type="LineString"
        )
        year = made.projects[made.projects["kind"] == "connect"].set_index("site_id")["year"]
        sites = made.design.sites.assign(
            year=made.design.sites["site_id"].map(year).astype("Int64")
        )
        sites.to_file(temporary / "phases.gpkg", layer="sites", driver="GPKG")
        for path in sorted(temporary.iterdir()):
            path.replace(folder / path.name)
