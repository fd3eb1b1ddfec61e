"""Design of a dedicated network: connect the rest, protect what matters, over the years.

Sites that are not connected are led to the data centres and gathering nodes of the live
network along the routes of fibre design, at least cost. Sites of chosen levels get a
second way, so that no link and no duct section cuts them off; where only one way exists
this is said. Costs beside the availability that they bring make the trade-off.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data import csv_file
from data.errors import Message, Problem, message
from data.store import Workspace
from planning import (
    bill_workbook,
    cost,
    dedicated_network,
    fibre,
    network_failures,
    network_layers,
)
from planning import network_problem as numbers
from planning.cost import CostRange
from planning.dedicated_network import Inventory
from planning.network_designer import STEPS, TREE_BESIDE, Choice, Designer
from planning.network_designer import NetworkDesignRequest as NetworkDesignRequest
from planning.network_failures import FailureReport
from planning.network_problem import PROTECT as PROTECT
from planning.resilience import HOURS_PER_YEAR
from planning.ring_design import Exposure
from planning.steiner import relative_gap

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Progress = Callable[[float], None]

#: Work on the exact availability of a point of the trade-off; beyond it is sampled.
_STATES = 500

#: Doubts about lines that a summary lists, and sites that a note names.
_MOST_PROBLEMS, _MOST_NAMES = 50, 10


def _silent(_: float) -> None:
    return None


def _rising(on_progress: Progress) -> Progress:
    """Return a progress that never falls, whichever search begins anew."""
    most = 0.0

    def report(share: float) -> None:
        nonlocal most
        most = max(most, share)
        on_progress(most)

    return report


@dataclass(frozen=True, eq=False)
class NetworkDesign:
    """What to build, what it costs, what it brings, and how near the cheapest it is.

    Parameters
    ----------
    request
        What was asked.
    sites
        Sites of the day with before and connected (whether), served (with a way to a data
        centre), protect (asked), protected (no single link or duct section cuts it off),
        availability_before_percent and availability_percent, and reason (why not).
    reasons
        The same reasons, to be translated; None where there is none.
    routes
        Stretches to build or to use (columns as in `planning.fibre.RouteDesign`), with
        stretch_id.
    links
        New links, as rows of the layer `network_links`.
    lines
        The new links with the lines that they take.
    bill
        Bill of quantities, equipment included.
    cost
        Its sum.
    route_cost
        Typical cost that was minimised: routes without equipment and large cables.
    bound
        Proven, of the choice's objective: no routes that do the same cost less; or, where
        a budget does not connect all, no choice of sites within it is worth more (sum of
        criticality).
    gap
        Share by which the design may miss the best one.
    before, after
        What single failures do without and with it.
    inventory
        The layers as they will be.
    tradeoff
        What each of several costs brings: kind (``"today"``, ``"connect"``,
        ``"protect"``), cost (typical, of everything), gap, connected, protected,
        availability_percent (mean of all sites, 0 for those not connected),
        protected_percent (mean of those to protect), lost_hours (criticality times
        hours a year without service, all sites).
    designer, choice
        What it was made with, for `planning.network_phases`.
    notes
        What a reader should know.
    problems
        What is doubtful about the lines and points.
    summary
        All of it in figures, for JSON.
    """

    request: NetworkDesignRequest
    sites: gpd.GeoDataFrame
    reasons: tuple[Message | None, ...]
    routes: gpd.GeoDataFrame
    links: pd.DataFrame
    lines: gpd.GeoDataFrame
    bill: pd.DataFrame
    cost: CostRange
    route_cost: float
    bound: float
    gap: float
    before: FailureReport
    after: FailureReport
    inventory: Inventory
    tradeoff: pd.DataFrame
    designer: Designer
    choice: Choice
    notes: tuple[Message, ...] = ()
    problems: tuple[Problem, ...] = ()
    summary: dict[str, Any] = field(default_factory=dict)


# ----------------------------------------------------------------------------------------
# The design


def design(
    workspace: Workspace,
    request: NetworkDesignRequest,
    *,
    problem: numbers.Problem | None = None,
    on_progress: Progress = _silent,
) -> NetworkDesign:
    """Design the extension of a dedicated network, and rings for the sites to protect.

    Parameters
    ----------
    workspace
        The study area, with the layers network_sites and network_links, and roads or
        fibre_segments.
    request
        What is asked.
    problem
        From `prepare`, where several designs of the same sites share it.
    on_progress
        Called with the share done; may raise `CancelledError`.

    Returns
    -------
    NetworkDesign
        Routes, links, bill, proof and what they bring.

    Raises
    ------
    InputError
        If there is no network, no live data centre, nothing to connect or to protect,
        no route, or no site can be reached.
    """
    on_progress = _rising(on_progress)
    if problem is None:
        problem = prepare(workspace, request, on_progress=lambda s: on_progress(0.2 * s))
    designer = Designer(problem, request)
    assumed = network_failures.assumptions(workspace.folder)
    before = network_failures.analyse(problem.inventory, request.on, assumed=assumed)
    choice, full, notes = _best(designer, request, before, lambda s: on_progress(0.2 + 0.5 * s))
    inventory = designer.inventory(choice)
    after = network_failures.analyse(inventory, assumed=assumed)
    result = _result(workspace, designer, choice, before, after, inventory, notes)
    if request.points:
        rows = _tradeoff(
            designer, choice, full, before, after, assumed, lambda s: on_progress(0.7 + 0.3 * s)
        )
        result = replace(result, tradeoff=rows)
    result = replace(result, summary=_summary(workspace, designer, result))
    on_progress(1.0)
    return result


def prepare(
    workspace: Workspace, request: NetworkDesignRequest, *, on_progress: Progress = _silent
) -> numbers.Problem:
    """Bring a design problem into numbers; see `planning.network_problem.prepare`."""
    return numbers.prepare(
        workspace,
        request.routes(),
        on=dedicated_network.as_day(request.on),
        protect=request.protect,
        on_progress=on_progress,
    )


def _best(
    designer: Designer,
    request: NetworkDesignRequest,
    before: FailureReport,
    on_progress: Progress,
) -> tuple[Choice, Choice | None, list[Message]]:
    """Return the design: all sites, the best for a budget, or as much protection as it pays.

    Beside it the design with all protection, where one was made, and what is to be said.
    """
    problem = designer.problem
    wanted = bool(problem.guarded_todo.any() or len(problem.guarded))
    if not wanted:
        if request.budget is None:
            return designer.tree(on_progress), None, []
        return designer.for_budget(request.budget, on_progress), None, []
    tree = designer.tree(lambda share: on_progress(0.2 * share), share=TREE_BESIDE)
    best = tree
    if request.budget is not None and designer.price(tree) > request.budget:
        best = designer.for_budget(request.budget, on_progress)
        if (problem.node[~best.connected] >= 0).any():
            said = message(
                "No way was found to connect all sites within the budget, so none is protected by "
                "rings"
            )
            return best, None, [said]
    full = designer.ring(
        problem.guarded_todo,
        problem.guarded,
        on_progress=lambda share: on_progress(0.2 + 0.8 * share),
    )
    # Rings connect all sites, too: what no tree costs less than, none of them does.
    proven = max(full.bound, min(tree.bound, full.cost))
    full = replace(full, bound=proven, gap=relative_gap(full.cost, proven))
    if request.budget is None or designer.price(full) <= request.budget:
        return full, full, []
    order = _by_need(problem, before)
    few, many = 0, len(order)
    share = STEPS / max(len(order).bit_length(), 1)
    while many - few > 1:
        middle = (few + many) // 2
        todo, live = _first_of(problem, order, middle)
        trial = designer.ring_or_less(full, todo, live, share=share)
        if designer.price(trial) <= request.budget:
            best, few = trial, middle
        else:
            many = middle
    said = message(
        "The budget protects {count} of {total} sites, those with the most to lose first",
        count=few,
        total=len(order),
    )
    return best, full, [said]


def _by_need(problem: numbers.Problem, before: FailureReport) -> list[tuple[bool, int]]:
    """Return the sites to protect, those that lose most first: (is live, position)."""
    hours = before.sites.set_index("site_id")["hours_down"]
    found: list[tuple[float, str, bool, int]] = []
    for live in problem.guarded.tolist():
        row = problem.live.sites.iloc[live]
        found.append((row["criticality"] * hours[row["site_id"]], row["site_id"], True, live))
    for site in np.flatnonzero(problem.guarded_todo & (problem.node >= 0)).tolist():
        row = problem.todo.iloc[site]
        found.append((row["criticality"] * HOURS_PER_YEAR, row["site_id"], False, site))
    found.sort(key=lambda each: (-each[0], each[1]))
    return [(is_live, position) for _, _, is_live, position in found]


def _first_of(
    problem: numbers.Problem, order: Sequence[tuple[bool, int]], count: int
) -> tuple[Bools, Ints]:
    todo = np.zeros(len(problem.todo), dtype=bool)
    live = []
    for is_live, position in order[:count]:
        if is_live:
            live.append(position)
        else:
            todo[position] = True
    return todo, np.array(live, dtype=np.int64)


# Results


def _result(
    workspace: Workspace,
    designer: Designer,
    choice: Choice,
    before: FailureReport,
    after: FailureReport,
    inventory: Inventory,
    notes: Sequence[Message],
) -> NetworkDesign:
    problem, request = designer.problem, designer.request
    sites, reasons = _sites(designer, choice, before, after)
    bill = designer.bill(choice)
    links = designer.links(choice)
    said = [*_notes(designer, choice), *notes]
    return NetworkDesign(
        request,
        sites,
        reasons,
        designer.routes(choice),
        links,
        designer.link_lines(choice, links),
        bill,
        cost.total(bill),
        choice.cost,
        choice.bound,
        choice.gap,
        before,
        after,
        inventory,
        pd.DataFrame(columns=list(_TRADEOFF)),
        designer,
        choice,
        tuple(said),
        problem.task.problems,
    )


def _notes(designer: Designer, choice: Choice) -> list[Message]:
    problem, request = designer.problem, designer.request
    every = pd.concat([problem.todo, problem.live.sites])
    found = [
        message("There is no site of {level} on that day to be protected", level=name)
        for name in request.protect
        if not PROTECT[name](every).fillna(False).any()
    ]
    cut_off = problem.live.sites["site_id"].to_numpy(dtype=object)[~problem.served]
    if len(cut_off):
        found.append(
            message(
                "{count} connected sites have no live path to a data centre, and the design leaves "
                "them as they are: {names}",
                count=len(cut_off),
                names=", ".join(cut_off[:_MOST_NAMES])
                + (", …" if len(cut_off) > _MOST_NAMES else ""),
            )
        )
    doubled = choice.whole.stretch[choice.chosen]
    twice = len(doubled) - len(np.unique(doubled))
    if twice:
        found.append(
            message(
                "{count} protected sites get a second lead-in, which must enter the building "
                "elsewhere",
                count=twice,
            )
        )
    unlike = [note for note in problem.task.notes if "exchange" not in note.template]
    return [*found, *unlike]


def _sites(
    designer: Designer, choice: Choice, before: FailureReport, after: FailureReport
) -> tuple[gpd.GeoDataFrame, tuple[Message | None, ...]]:
    problem = designer.problem
    kept = ["site_id", "name", "level", "role", "zone_code", "criticality", "status"]
    geometry = problem.live.sites.geometry.name
    todo = problem.todo[[*kept, geometry]]
    live = problem.live.sites[[*kept, geometry]]
    sites = pd.concat([live, todo], ignore_index=True)
    n_live = len(live)
    protect = np.r_[problem.asked, problem.guarded_todo]
    later = after.sites.set_index("site_id")
    earlier = before.sites.set_index("site_id")
    name = sites["site_id"]
    safe = (later["safe_link"] & later["safe_duct"]).reindex(name, fill_value=False)
    node = np.r_[problem.live_node, problem.node]
    reasons: list[Message | None] = []
    served = np.r_[problem.served, choice.connected]
    for k, site in enumerate(name.tolist()):
        reached = k < n_live or bool(choice.connected[k - n_live])
        if reached and not served[k]:
            reasons.append(
                message("has no live path to a data centre; the design leaves it as it is")
            )
        elif not reached and problem.reason[k - n_live] is not None:
            reasons.append(problem.reason[k - n_live])
        elif not reached:
            reasons.append(message("not within the budget"))
        elif protect[k] and not safe.iloc[k]:
            reasons.append(_exposure(designer, choice, site, choice.exposed.get(int(node[k]), [])))
        else:
            reasons.append(None)
    frame = sites.assign(
        before=np.r_[np.ones(n_live, bool), np.zeros(len(todo), bool)],
        connected=np.r_[np.ones(n_live, bool), choice.connected],
        served=served,
        protect=protect,
        protected=safe.to_numpy(bool),
        availability_before_percent=earlier["availability_percent"]
        .reindex(name, fill_value=0.0)
        .to_numpy(float),
        availability_percent=later["availability_percent"]
        .reindex(name, fill_value=0.0)
        .to_numpy(float),
        reason=["" if why is None else str(why) for why in reasons],
    )
    return gpd.GeoDataFrame(frame, geometry=geometry, crs=live.crs), tuple(reasons)


def _exposure(
    designer: Designer, choice: Choice, site: str, exposures: Sequence[Exposure]
) -> Message:
    """Say what cuts off a site that was to be protected."""
    named = []
    for each in exposures[:3]:
        if each.kind == "group":
            named.append(each.name.partition(":")[2])
        elif choice.whole.link[each.position] >= 0:
            link = int(choice.whole.link[each.position])
            named.append(str(designer.problem.live.links["link_id"].iloc[link]))
        else:
            names = designer.sections(choice, each.position)
            named.append(names[0] if names else "lead-in")
    if not named and designer.request.budget is not None:
        return message("the budget does not protect the site {site}", site=site)
    if not named:
        return message("several ways of the site {site} share a duct", site=site)
    return message(
        "no second way leads round {what} for the site {site}",
        what=", ".join(named) + (", …" if len(exposures) > 3 else ""),
        site=site,
    )


_TRADEOFF = (
    "kind", "cost", "gap", "connected", "protected", "availability_percent",
    "protected_percent", "lost_hours",
)  # fmt: skip


def _tradeoff(
    designer: Designer,
    choice: Choice,
    full: Choice | None,
    before: FailureReport,
    after: FailureReport,
    assumed: Mapping[str, float],
    on_progress: Progress,
) -> pd.DataFrame:
    """Return what each of several costs brings, from today to the design."""
    problem, request = designer.problem, designer.request
    rows = [_point(designer, "today", 0.0, 0.0, before)]
    tree = choice
    if choice.exposed or problem.guarded.size or problem.guarded_todo.any():
        tree = designer.tree(lambda share: on_progress(0.1 * share), share=TREE_BESIDE)
    whole = designer.price(tree)
    if len(problem.todo) and (problem.node >= 0).any():
        steps = np.linspace(whole / request.points, whole, request.points)[:-1]
        known = [c for c in designer.budgets(steps.tolist()) if c.connected.any()]
        connected = {tuple(c.connected.tolist()): c for c in known}
        rows += [_measured(designer, "connect", some, assumed) for some in connected.values()]
        if tree is not choice or request.budget is None:
            rows.append(_measured(designer, "connect", tree, assumed))
    order = _by_need(problem, before)
    last = "protect" if order else "connect"
    end = _point(designer, last, designer.price(choice), choice.gap, after)
    counts = np.unique(np.linspace(0, len(order), request.points + 1).round().astype(int))
    proven = tree.bound if tree is not choice else 0.0
    for number, count in enumerate(counts[1:-1].tolist()):
        if full is not None:
            on_progress(0.3 + 0.7 * number / max(len(counts), 1))
            todo, live = _first_of(problem, order, count)
            some = designer.ring_or_less(full, todo, live, share=STEPS / max(len(counts) - 2, 1))
            # What holds with fewer sites to protect holds with more.
            proven = max(proven, some.bound)
            some = replace(some, bound=proven, gap=relative_gap(some.cost, proven))
            rows.append(_measured(designer, "protect", some, assumed))
            if full is choice and all(rows[-1][x] == end[x] for x in ("connected", "protected")):
                # It does all that the design does, and no less than that costs.
                rows[-1]["gap"] = relative_gap(some.cost, max(proven, full.bound))
    rows.append(end)
    frame = pd.DataFrame(rows, columns=list(_TRADEOFF))
    if request.budget is not None:
        frame = frame[frame["cost"] <= max(request.budget, rows[-1]["cost"])]
    return _undominated(frame).sort_values("cost", kind="stable", ignore_index=True)


def _undominated(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out what costs as much as another design, or more, and brings no more."""
    cost_of, lost = frame["cost"].to_numpy(float), frame["lost_hours"].to_numpy(float)
    done = frame[["connected", "protected"]].to_numpy(float)
    keep = []
    for k in range(len(frame)):
        better = (cost_of <= cost_of[k]) & (done >= done[k]).all(axis=1)
        better &= (cost_of < cost_of[k]) | (done > done[k]).any(axis=1) | (lost < lost[k])
        better |= (np.arange(len(frame)) > k) & (cost_of == cost_of[k]) & (lost == lost[k])
        keep.append(not better.any())
    return frame[keep]


def _measured(
    designer: Designer, kind: str, choice: Choice, assumed: Mapping[str, float]
) -> dict[str, Any]:
    inventory = designer.inventory(choice)
    report = network_failures.analyse(inventory, assumed=assumed, states=_STATES, loads=False)
    return _point(designer, kind, designer.price(choice), choice.gap, report)


def _point(
    designer: Designer, kind: str, price: float, gap: float, report: FailureReport
) -> dict[str, Any]:
    problem = designer.problem
    every = pd.concat([problem.live.sites, problem.todo], ignore_index=True)
    state = report.sites.set_index("site_id")
    name = every["site_id"]
    share = state["availability_percent"].reindex(name, fill_value=0.0).to_numpy(float)
    safe = (state["safe_link"] & state["safe_duct"]).reindex(name, fill_value=False)
    asked = np.r_[problem.asked, problem.guarded_todo]
    weight = every["criticality"].to_numpy(float)
    return {
        "kind": kind,
        "cost": price,
        "gap": gap,
        "connected": int(name.isin(state.index).sum()),
        "protected": int((safe.to_numpy(bool) & asked).sum()),
        "availability_percent": float(share.mean()),
        "protected_percent": float(share[asked].mean()) if asked.any() else np.nan,
        "lost_hours": float((weight * (1.0 - share / 100.0)).sum() * HOURS_PER_YEAR),
    }


def _summary(workspace: Workspace, designer: Designer, result: NetworkDesign) -> dict[str, Any]:
    problem, request = designer.problem, designer.request
    sites = result.sites
    length = result.routes["length_m"].to_numpy(float)
    there = result.routes["item"].isin(fibre.EXISTING_ITEMS).to_numpy(dtype=bool)
    origin = workspace.provenance()
    names = ["network_sites", "network_links", "zones", "roads", "fibre_segments", "railways"]
    used = [name for name in [*names, "clutter"] if workspace.has(name)]
    asked = sites[sites["protect"]]
    todo = sites[~sites["before"]]
    return {
        "area": workspace.area.name,
        "day": problem.live.day,
        "illustrative": any(origin[name].illustrative for name in used),
        "sites": len(sites),
        "connected_before": int(sites["before"].sum()),
        "connected": int(sites["connected"].sum()),
        "to_connect": len(todo),
        "newly_connected": int(todo["connected"].sum()),
        "to_protect": len(asked),
        "protected": int(asked["protected"].sum()),
        "protected_before": int(
            (result.before.sites["safe_link"] & result.before.sites["safe_duct"])[
                result.before.sites["site_id"].isin(asked["site_id"])
            ].sum()
        ),
        "links": len(result.links),
        "length_m": float(length.sum()),
        "new_m": float(length[~there].sum()),
        "existing_m": float(length[there].sum()),
        "cost": {**asdict(result.cost), "currency": _currency(designer)},
        "route_cost": result.route_cost,
        "budget": request.budget,
        "objective": result.choice.objective,
        "value": float(todo.loc[todo["connected"], "criticality"].sum()),
        "bound": result.bound,
        "gap": result.gap if np.isfinite(result.gap) else None,
        "availability": _availability(result),
        "tradeoff": records(result.tradeoff),
        "unreachable": [
            {"site": row["site_id"], "reason": row["reason"]}
            for row in todo[~todo["connected"]].drop(columns=todo.geometry.name).to_dict("records")
        ],
        "unprotected": [
            {"site": row["site_id"], "reason": row["reason"]}
            for row in asked[asked["connected"] & ~asked["protected"]]
            .drop(columns=asked.geometry.name)
            .to_dict("records")
        ],
        "notes": [str(note) for note in result.notes],
        "problems": {
            "count": len(result.problems),
            "first": [str(problem) for problem in result.problems[:_MOST_PROBLEMS]],
        },
        "provenance": {
            "request": asdict(request),
            "inputs": {name: asdict(origin[name]) for name in used},
            "content": workspace.content_hash(*used),
            "assumptions": dict(result.after.assumed),
            "unit_costs": {
                item: {**asdict(designer.costs[item].cost), "unit": designer.costs[item].unit}
                for item in result.bill["item"]
            },
        },
    }


def _currency(designer: Designer) -> str:
    return next(iter(designer.costs.values())).currency


def _availability(result: NetworkDesign) -> dict[str, Any]:
    sites = result.sites
    found = {}
    for name, rows in (("all", sites), ("to_connect", sites[~sites["before"]]),
                       ("to_protect", sites[sites["protect"]])):  # fmt: skip
        if len(rows):
            found[name] = {
                "before_percent": float(rows["availability_before_percent"].mean()),
                "after_percent": float(rows["availability_percent"].mean()),
            }
    return found


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table for JSON, without a value where there is none."""
    values = frame.astype(object).where(frame.notna() & (frame != np.inf), None)
    return [{str(name): value for name, value in row.items()} for row in values.to_dict("records")]


def save(result: NetworkDesign, folder: Path) -> None:
    """Write a design: JSON, GeoPackage, the bill, the new links and the trade-off.

    Parameters
    ----------
    result
        The design.
    folder
        Where to; made if it is missing: network_design.json, design.gpkg (routes, links,
        sites), bill.csv, bill.xlsx, tradeoff.csv, fibre_segments.gpkg and network_links.csv
        (to be imported together) and links.csv (the new links alone).
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tmp-") as scratch:
        made = Path(scratch)
        text = json.dumps(result.summary, ensure_ascii=False, indent=2, allow_nan=False)
        (made / "network_design.json").write_text(text + "\n", encoding="utf-8")
        for name, frame, kind in (
            ("routes", result.routes, "LineString"),
            ("links", result.lines, "MultiLineString"),
            ("sites", result.sites, "Point"),
        ):
            frame.to_file(made / "design.gpkg", layer=name, driver="GPKG", geometry_type=kind)
        csv_file.write(result.bill, made / "bill.csv")
        parts = network_layers.segments(result.designer, result.choice)
        parts.to_file(
            made / "fibre_segments.gpkg",
            layer="fibre_segments",
            driver="GPKG",
            geometry_type="MultiLineString",
        )
        every = network_layers.links(result.designer, result.choice)
        csv_file.write(every, made / "network_links.csv")
        alone = network_layers.new_links(result.designer, result.choice)
        csv_file.write(alone, made / "links.csv")
        listed = result.sites.assign(weight=result.sites["criticality"])
        bill_workbook.write(result.bill, listed, made / "bill.xlsx")
        csv_file.write(result.tradeoff, made / "tradeoff.csv")
        for path in sorted(made.iterdir()):
            path.replace(folder / path.name)
