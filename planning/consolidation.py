"""The fewest or cheapest masts that keep what every operator covers.

The choice is made by a model of what each mast and each moved antenna covers alone
(`planning.consolidation_problem`), by a search and by HiGHS, with a proven bound. The chosen
network is then computed anew by the coverage engine, and the gains and losses of every
operator are taken from there.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.sparse
import shapely
from numpy.typing import NDArray

from data import csv_file
from data.errors import InputError, Message, message
from data.store import Workspace
from planning import (
    consolidation_problem,
    mast_coverage,
    network_coverage,
    sharing,
    sharing_money,
    sharing_moves,
)
from planning.consolidation_problem import Flags, Problem
from planning.consolidation_search import Search
from planning.mast_coverage import MastCoverage, Service
from planning.network_design import records
from planning.sharing_money import Saving
from planning.sharing_moves import Inventory, Move, Moves, SharingRequest

Progress = Callable[[float], None]

Objective = Literal["masts", "money"]
Measure = Literal["area", "people"]

#: About how many entries the tables have from which bounds are computed, small ones first.
_BOUND_ENTRIES = (15_000, 60_000)


@dataclass(frozen=True)
class ConsolidationRequest:
    """What is to be kept, and what is to be saved.

    Parameters
    ----------
    sharing
        Distance and what counts as covered.
    keep_percent
        How much of what each operator covers with each technology today must stay covered. [%]
    measure
        Whether that is counted by area or by people.
    objective
        ``"masts"``: the fewest masts; ``"money"``: the greatest saving at typical prices.
    allow_moves
        Whether operators may move to others' masts; otherwise masts only go.
    time_limit_s
        Time for the choice; predicting coverage is not counted. [s]
    """

    sharing: SharingRequest = field(default_factory=SharingRequest)
    keep_percent: float = 99.0
    measure: Measure = "area"
    objective: Objective = "masts"
    allow_moves: bool = True
    time_limit_s: float = 60.0


@dataclass(frozen=True)
class Choice:
    """Columns of a problem.

    Parameters
    ----------
    chosen
        Flags of masts that stay, then of moves.
    cost
        Of the choice.
    bound
        Proven: no choice costs less.
    """

    chosen: Flags
    cost: float
    bound: float


@dataclass(frozen=True, eq=False)
class Consolidation:
    """Masts that stay and go, and what follows.

    Parameters
    ----------
    inventory
        The masts before.
    removed
        Which masts go.
    moves
        Who moves, with its cells there.
    masts, cells
        The network afterwards.
    fewest
        Proven: no choice leaves fewer masts (objective "masts").
    saving
        What it saves.
    operators
        By operator and technology, from the engine: covered area and people before and after,
        lost and gained, and kept_area, kept_people (shares of what was covered before).
    communes
        Shares of area and people by commune, operator and technology before and after.
    parties
        Worth of the change to each owner and operator.
    rates_before, rates_after
        Shares of shared masts.
    notes
        What a reader should know.
    summary
        Content of `consolidation.json`.
    """

    inventory: Inventory
    removed: Flags
    moves: tuple[tuple[Move, pd.DataFrame], ...]
    masts: gpd.GeoDataFrame
    cells: pd.DataFrame
    fewest: int | None
    saving: Saving
    operators: pd.DataFrame
    communes: pd.DataFrame
    parties: pd.DataFrame
    rates_before: pd.DataFrame
    rates_after: pd.DataFrame
    notes: tuple[Message, ...]
    summary: dict[str, Any]


def consolidate(
    workspace: Workspace,
    request: ConsolidationRequest | None = None,
    *,
    threads: int | None = None,
    on_progress: Progress = lambda _: None,
) -> Consolidation:
    """Choose the masts that may go, and compute what the network covers without them.

    Parameters
    ----------
    workspace
        The study area.
    request
        What is wanted; the defaults if None.
    threads
        Masts computed at once; all processors if None.
    on_progress
        Called with the finished share; may raise `CancelledError`.

    Returns
    -------
    Consolidation
        The choice, verified by the engine.

    Raises
    ------
    InputError
        If something asked for cannot be used.
    """
    request = request or ConsolidationRequest()
    _check(request)
    about = sharing_moves.read(workspace, request.sharing)
    coverage = request.sharing.coverage
    base = mast_coverage.compute(
        workspace, coverage, about.masts, threads=threads,
        on_progress=lambda share: on_progress(0.15 * share),
    )  # fmt: skip
    moves = sharing_moves.moves_of(
        workspace, request.sharing, about, threads=threads,
        on_progress=lambda share: on_progress(0.15 + 0.15 * share),
    )  # fmt: skip
    problem = problem_of(about, base, moves, request)
    xy = np.column_stack([about.masts.geometry.x, about.masts.geometry.y])
    choice = choose(
        problem, xy, time_limit_s=request.time_limit_s,
        on_progress=lambda share: on_progress(0.3 + 0.4 * share),
    )  # fmt: skip
    stays = choice.chosen[: problem.masts]
    made = [
        (moves.moves[v], moves.cells[v]) for v in np.flatnonzero(choice.chosen[problem.masts :])
    ]
    masts, cells = sharing_moves.changed_network(about, ~stays, made)
    before = network_coverage.compute(
        workspace, coverage, about.masts, about.cells, threads=threads,
        on_progress=lambda share: on_progress(0.7 + 0.1 * share),
    )  # fmt: skip
    after = network_coverage.compute(
        workspace, coverage, masts, cells, threads=threads,
        on_progress=lambda share: on_progress(0.8 + 0.2 * share),
    )  # fmt: skip
    operators = _operators(base, before.covered, after.covered)
    found = sharing_money.saving(about, ~stays, [move for move, part in made if len(part)])
    fewest = None
    if request.objective == "masts":
        # The moves together cost less than half a mast.
        fewest = max(0, math.ceil(choice.bound - 0.5 - 1e-6))
    notes = _notes(workspace, about, request, operators)
    rates = _rates(base, about), _rates(base, _after(about, masts, cells))
    parties = pd.DataFrame(
        [
            {"party": party, "low": amount.low, "typical": amount.typical, "high": amount.high}
            for party, amount in found.by_party.items()
        ],
        columns=["party", "low", "typical", "high"],
    )
    summary = _summary(
        workspace, request, about, stays, made, choice, fewest, found, operators, parties, rates,
        notes,
    )  # fmt: skip
    on_progress(1.0)
    return Consolidation(
        about, ~stays, tuple(made), masts, cells, fewest, found, operators,
        _communes(before.figures, after.figures), parties, *rates, notes, summary,
    )  # fmt: skip


def _check(request: ConsolidationRequest) -> None:
    if not 50.0 <= request.keep_percent <= 100.0:
        raise InputError(
            "The coverage to keep is {value} % (expected a number from 50 to 100)",
            value=f"{request.keep_percent:g}",
        )
    for value, expected in (
        (request.measure, ("area", "people")),
        (request.objective, ("masts", "money")),
    ):
        if value not in expected:
            raise InputError(
                "{value} is not known (expected one of {expected})",
                value=value,
                expected=", ".join(expected),
            )
    if not request.time_limit_s > 0.0:
        raise InputError(
            "The time for the choice is {value} s (expected more than 0)",
            value=request.time_limit_s,
        )


def problem_of(
    about: Inventory, base: MastCoverage, moves: Moves, request: ConsolidationRequest
) -> Problem:
    """Write a consolidation as numbers.

    Parameters
    ----------
    about
        The masts.
    base, moves
        What masts and moved cells cover.
    request
        What is to be kept and saved.

    Returns
    -------
    Problem
        Rows of one service that the same columns cover are one.
    """
    weight = base.area_m2 / 1e6 if request.measure == "area" else base.people
    used = range(len(moves.moves)) if request.allow_moves else range(0)
    chosen = [moves.moves[v] for v in used]
    tables, weights, kinds, blocks = [], [], [], []
    place = _blocks(base)
    for kind, service in enumerate(base.services):
        rows = np.flatnonzero(base.covered(service) & (weight > 0.0))
        own = base.membership[service][rows]
        come = moves.coverage.membership[service][rows][:, list(used)]
        tables.append(scipy.sparse.hstack([own, come], format="csr"))
        weights.append(weight[rows])
        kinds.append(np.full(len(rows), kind))
        blocks.append(place[rows])
    service_of = np.concatenate(kinds)
    heavy = np.concatenate(weights)
    total = np.bincount(service_of, weights=heavy, minlength=len(base.services))
    mast_cost, move_cost = _costs(about, moves, chosen, request.objective)
    operators = sorted({name for own in about.tenants for name in own})
    return consolidation_problem.merged(
        Problem(
            scipy.sparse.vstack(tables, format="csr"),
            heavy,
            service_of,
            np.concatenate(blocks),
            np.asarray(total * (request.keep_percent / 100.0), np.float64),
            mast_cost,
            move_cost,
            np.array([move.guest for move in chosen], np.int64),
            np.array([move.host for move in chosen], np.int64),
            np.array([operators.index(move.operator) for move in chosen], np.int64),
            np.array([move.is_new for move in chosen], np.bool_),
            about.places - np.array([len(own) for own in about.tenants], np.int64),
        )
    )


def _blocks(base: MastCoverage) -> NDArray[np.int64]:
    """Return the block of each pixel: about a thousand blocks have area."""
    size = max(1, round(math.sqrt(np.count_nonzero(base.area_m2) / 1000.0)))
    row, column = np.divmod(np.arange(len(base.area_m2)), base.grid.width)
    return (row // size) * (base.grid.width // size + 1) + column // size


def _costs(
    about: Inventory, moves: Moves, chosen: list[Move], objective: Objective
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if objective == "masts":
        small = 0.5 / (len(chosen) + 1)
        return np.ones(len(about.masts)), np.full(len(chosen), small)
    factor = about.prices.present_factor()
    masts = np.empty(len(about.masts))
    for number in range(len(about.masts)):
        kind, height = about.mast_class(number), about.height_m(number)
        down = about.prices.dismantling(kind, height)
        masts[number] = about.prices.yearly(kind, height).typical * factor - down.typical
    costs = np.zeros(len(chosen))
    for v, move in enumerate(chosen):
        if not len(moves.cells[v]):
            continue
        costs[v] = about.prices.typical("move_equipment")
        if move.is_new:
            kind, height = about.mast_class(move.host), about.height_m(move.host)
            costs[v] += about.prices.strengthening(kind, height).typical
    return masts, costs


def choose(
    problem: Problem,
    xy_m: NDArray[np.float64],
    *,
    time_limit_s: float,
    on_progress: Progress = lambda _: None,
) -> Choice:
    """Choose columns: by HiGHS where the problem is small, else by a search beside a bound.

    Parameters
    ----------
    problem
        Rows merged.
    xy_m
        Where the masts stand, shape (masts, 2). [m]
    time_limit_s
        Time for search and bound together. [s]
    on_progress
        Called with the finished share; may raise `CancelledError`.

    Returns
    -------
    Choice
        It keeps the targets, and nothing costs less than its bound.
    """
    start = time.monotonic()
    small = problem.rows.nnz <= consolidation_problem.MOST_EXACT

    def left(share: float) -> Callable[[], float]:
        return lambda: share * time_limit_s - (time.monotonic() - start)

    search = Search(problem, xy_m)
    search.run(
        left(0.15 if small else 0.6),
        time_limit_s,
        lambda share: on_progress((0.15 if small else 0.6) * share),
    )
    best, cost, bound = search.chosen, search.cost, -math.inf
    if small:
        found = consolidation_problem.solve_exactly(
            problem,
            best,
            time_limit_s=max(left(1.0)(), 0.1),
            on_progress=lambda share: on_progress(0.15 + 0.85 * share),
        )
        bound = found.bound
        if found.values is not None:
            chosen = found.values[: len(best)] > 0.5
            if problem.allows(chosen) and float(problem.cost[chosen].sum()) < cost:
                best, cost = chosen, float(problem.cost[chosen].sum())
    else:
        for share, entries in zip((0.7, 1.0), _BOUND_ENTRIES, strict=True):
            proven = consolidation_problem.bound(
                problem,
                entries,
                time_limit_s=max(left(share)(), 0.1),
                on_progress=lambda share: on_progress(0.6 + 0.4 * share),
            )
            bound = max(bound, proven)
    least = float(np.minimum(problem.cost, 0.0).sum())
    return Choice(best, cost, min(max(bound, least), cost))


# ----------------------------------------------------------------------------------------
# What follows


def _operators(
    base: MastCoverage,
    before: dict[Service, NDArray[np.bool_]],
    after: dict[Service, NDArray[np.bool_]],
) -> pd.DataFrame:
    """Return what every operator covers before and after, by technology."""
    rows = []
    for technology, operator in base.services:
        was, now = before[technology, operator], after[technology, operator]
        row: dict[str, Any] = {"operator": operator, "technology": technology}
        for name, weight in (("km2", base.area_m2 / 1e6), ("people", base.people)):
            total = float(weight[was].sum())
            lost = float(weight[was & ~now].sum())
            row |= {
                f"{name}_before": total,
                f"{name}_after": float(weight[now].sum()),
                f"{name}_lost": lost,
                f"{name}_gained": float(weight[now & ~was].sum()),
                f"{name}_kept": 1.0 - lost / total if total > 0.0 else 1.0,
            }
        rows.append(row)
    return pd.DataFrame(rows).sort_values(["operator", "technology"], ignore_index=True)


def _communes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return the shares of every zone before and after."""
    keys = ["zone", "code", "name", "level", "service", "operator", "measure"]
    both = before[[*keys, "share", "weight"]].merge(
        after[[*keys, "share"]], on=keys, suffixes=("_before", "_after"), validate="one_to_one"
    )
    both = both[both["measure"] != "village"]
    both["change"] = (both["share_after"] - both["share_before"]) * both["weight"]
    return both.reset_index(drop=True)


def _after(about: Inventory, masts: gpd.GeoDataFrame, cells: pd.DataFrame) -> Inventory:
    return sharing_moves.inventory(masts, cells, about.prices, about.distance_m)


def _rates(base: MastCoverage, about: Inventory) -> pd.DataFrame:
    return sharing.sharing_rates(sharing.mast_table(about, base.zones))


def _notes(
    workspace: Workspace,
    about: Inventory,
    request: ConsolidationRequest,
    operators: pd.DataFrame,
) -> tuple[Message, ...]:
    notes = list(sharing.common_notes(workspace, about))
    column = "km2_kept" if request.measure == "area" else "people_kept"
    notes += [
        message(
            "Computed anew, {operator} keeps {kept} % of its {technology} coverage, less than "
            "the {wanted} % asked for: the model counts each mast alone, and the engine judges "
            "a place by its strongest cell.",
            operator=row["operator"],
            technology=row["technology"],
            kept=f"{100.0 * row[column]:.3f}",
            wanted=f"{request.keep_percent:g}",
        )
        for row in operators.to_dict("records")
        if 100.0 * row[column] < request.keep_percent - 1e-6
    ]
    notes.append(
        message(
            "Capacity is counted in operators on a mast, not in traffic: whether the cells that "
            "stay can carry the load of those that go has to be checked."
        )
    )
    return tuple(notes)


def _summary(
    workspace: Workspace,
    request: ConsolidationRequest,
    about: Inventory,
    stays: Flags,
    made: list[tuple[Move, pd.DataFrame]],
    choice: Choice,
    fewest: int | None,
    saving: Saving,
    operators: pd.DataFrame,
    parties: pd.DataFrame,
    rates: tuple[pd.DataFrame, pd.DataFrame],
    notes: tuple[Message, ...],
) -> dict[str, Any]:
    value = float(stays.sum()) if fewest is not None else choice.cost
    proven = float(fewest) if fewest is not None else choice.bound
    gap = 0.0 if value <= proven else (value - proven) / proven if proven > 0.0 else None
    return {
        "area": workspace.area.name,
        "keep_percent": request.keep_percent,
        "measure": request.measure,
        "objective": request.objective,
        "masts_before": len(stays),
        "masts_after": int(stays.sum()),
        "removed": int((~stays).sum()),
        "moves": len(made),
        "value": value,
        "bound": proven,
        "gap": gap,
        "currency": about.prices.currency,
        "saving": sharing.money(saving.total),
        "saving_yearly": sharing.money(saving.yearly),
        "once": sharing.money(saving.once),
        "reference": sharing.money(saving.reference),
        "sharing_percent_before": round(100.0 * float(rates[0]["share"].iloc[0]), 2),
        "sharing_percent_after": round(100.0 * float(rates[1]["share"].iloc[0]), 2),
        "operators": records(operators),
        "parties": records(parties),
        "notes": [str(note) for note in notes],
        "provenance": sharing.provenance(workspace, request.sharing, about),
    }


def mast_changes(found: Consolidation) -> gpd.GeoDataFrame:
    """Return the masts before, with what becomes of each: stays, goes or receives operators."""
    hosts = {move.host for move, _ in found.moves}
    about = found.inventory
    state = [
        "goes" if found.removed[number] else "receives" if number in hosts else "stays"
        for number in range(len(about.masts))
    ]
    come: dict[int, set[str]] = {}
    for move, part in found.moves:
        if len(part):
            come.setdefault(move.host, set()).add(move.operator)
    return gpd.GeoDataFrame(
        {
            "mast_id": about.masts["mast_id"].astype(str),
            "owner": list(about.owner),
            "operators": [", ".join(sorted(own)) for own in about.tenants],
            "receives": [", ".join(sorted(come.get(k, ()))) for k in range(len(state))],
            "state": state,
        },
        geometry=about.masts.geometry.to_numpy(),
        crs=about.masts.crs,
    )


def move_lines(found: Consolidation) -> gpd.GeoDataFrame:
    """Return the moves as lines from the mast that goes to the one that receives."""
    masts = found.inventory.masts
    rows = [
        {
            "guest": str(masts["mast_id"].iloc[move.guest]),
            "host": str(masts["mast_id"].iloc[move.host]),
            "operator": move.operator,
            "new_on_host": move.is_new,
            "height_m": move.height_m,
            "cells": len(part),
            "geometry": shapely.LineString(
                [masts.geometry.iloc[move.guest], masts.geometry.iloc[move.host]]
            ),
        }
        for move, part in found.moves
    ]
    columns = ["guest", "host", "operator", "new_on_host", "height_m", "cells", "geometry"]
    return gpd.GeoDataFrame(pd.DataFrame(rows, columns=columns), geometry="geometry", crs=masts.crs)


def save(found: Consolidation, folder: Path) -> None:
    """Write a consolidation.

    Parameters
    ----------
    found
        The consolidation.
    folder
        Where to; made if it is missing: consolidation.json, consolidation.gpkg (masts, moves),
        masts.csv, moves.csv, cells.csv (the cells afterwards, to be imported), operators.csv,
        communes.csv, parties.csv.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tmp-") as scratch:
        made = Path(scratch)
        text = json.dumps(found.summary, ensure_ascii=False, indent=2, allow_nan=False)
        (made / "consolidation.json").write_text(text + "\n", encoding="utf-8")
        masts, lines = mast_changes(found), move_lines(found)
        masts.to_file(made / "consolidation.gpkg", layer="masts", driver="GPKG")
        lines.to_file(
            made / "consolidation.gpkg", layer="moves", driver="GPKG", geometry_type="LineString"
        )
        csv_file.write(pd.DataFrame(masts.drop(columns="geometry")), made / "masts.csv")
        csv_file.write(pd.DataFrame(lines.drop(columns="geometry")), made / "moves.csv")
        csv_file.write(found.cells, made / "cells.csv")
        csv_file.write(found.operators, made / "operators.csv")
        csv_file.write(found.communes, made / "communes.csv")
        csv_file.write(found.parties, made / "parties.csv")
        for path in sorted(made.iterdir()):
            path.replace(folder / path.name)
