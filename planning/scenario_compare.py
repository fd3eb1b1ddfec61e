"""Scenarios beside the present network: coverage by commune, cost, people for the money."""

from __future__ import annotations

import dataclasses
import json
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from coverage import run
from coverage.request import CoverageRequest, cells_of
from coverage.results import CoverageResult
from data import csv_file, schema
from data.errors import Message, message
from data.store import Workspace
from data.study_area import finest_zones
from planning import scenario_costs, sharing_costs, siting_backhaul
from planning.scenarios import Scenario, materialise

#: Number that stands for the present network.
PRESENT = 0

#: People are counted per this much money.
MONEY = 1e9

#: Columns of a comparison's table that tell its rows apart.
KEYS = ("scenario", "code", "name", "level", "zone", "service", "operator")


@dataclass(frozen=True, eq=False)
class Comparison:
    """Scenarios beside the present network.

    Parameters
    ----------
    table
        A row for each scenario (0: the present network), zone, service and operator:
        `KEYS`, and for area and population percent, low and high (95 % interval) and the
        amount covered (``area_km2``, ``people``); ``area_more`` and ``people_more`` than at
        present.
    summary
        A row for each scenario and service, any operator, over the whole area: scenario,
        title, changes, masts, cells, service, percentages, people, people_more, cost (low,
        typical, high), yearly cost, and people_more per `MONEY` (least, typical, most;
        missing where nothing is spent or people lose service).
    bill
        What the scenarios consist of: scenario, and the columns of
        `planning.scenario_costs`.
    results
        Coverage by scenario.
    currency
        ISO 4217 code.
    provenance
        Request, inputs and changes.
    zones
        The zones of the finest level.
    notes
        What a reader should know of the costs.
    """

    table: pd.DataFrame
    summary: pd.DataFrame
    bill: pd.DataFrame
    results: dict[int, CoverageResult]
    currency: str
    provenance: dict[str, Any]
    zones: gpd.GeoDataFrame
    notes: tuple[Message, ...] = ()


def compare(
    workspace: Workspace,
    scenarios: Sequence[Scenario],
    request: CoverageRequest | None = None,
    *,
    threads: int | None = None,
    scheduler: str | None = None,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Comparison:
    """Compare scenarios with the present network and with each other.

    Parameters
    ----------
    workspace
        The study area.
    scenarios
        The scenarios.
    request
        What to compute, the same for all; the defaults if None.
    threads
        Masts computed at once; all processors if None.
    scheduler
        See `coverage.run.compute`.
    on_progress
        Called with the finished share; may raise `CancelledError`.

    Returns
    -------
    Comparison
        The present network first.

    Raises
    ------
    InputError
        If the request, a layer or a change cannot be used.
    """
    request = request or CoverageRequest()
    base = workspace.base or workspace
    # A scenario that is named twice is one.
    chosen = {scenario.id: scenario for scenario in scenarios}
    places = {PRESENT: base} | {key: materialise(base, item) for key, item in chosen.items()}
    found: dict[int, CoverageResult] = {}
    for step, (key, place) in enumerate(places.items()):
        found[key] = run.compute(
            place,
            request,
            threads=threads,
            scheduler=scheduler,
            on_progress=partial(_report, on_progress, step, len(places)),
        )
    zones = finest_zones(base.read("zones").reset_index(drop=True))
    table = _table(found)
    costs, notes = _costs(base, places)
    bill = pd.concat(
        [cost.bill.assign(scenario=key) for key, cost in costs.items()], ignore_index=True
    )
    summary = _summary(table, set(zones.index), chosen, places, costs)
    currency = costs[PRESENT].currency
    provenance = {
        "base": base.area.name,
        "content": base.content_hash(),
        "inputs": {name: dataclasses.asdict(item) for name, item in base.provenance().items()},
        "request": dataclasses.asdict(request),
        "scenarios": [
            {
                "id": item.id,
                "title": item.title,
                "version": item.version,
                "changes": [change.to_dict() for change in item.changes],
                "coverage": found[key].summary["provenance"]["key"],
            }
            for key, item in chosen.items()
        ],
        "cost": "unit_costs.csv, sharing_assumptions.csv: planning assumptions where unverified",
    }
    on_progress(1.0)
    return Comparison(table, summary, bill, found, currency, provenance, zones, notes)


def _report(on_progress: Callable[[float], None], done: int, count: int, part: float) -> None:
    on_progress(0.99 * (done + part) / count)


def _table(found: dict[int, CoverageResult]) -> pd.DataFrame:
    """Put the figures of all results below each other, and what is more than at present."""
    frames = [_figures(result).assign(scenario=key) for key, result in found.items()]
    table = pd.concat(frames, ignore_index=True)
    same = ["zone", "service", "operator"]
    present = table[table["scenario"] == PRESENT].set_index(same)[["area_km2", "people"]]
    # An operator that has no cells at present covers nothing.
    before = present.reindex(pd.MultiIndex.from_frame(table[same])).fillna(0.0).to_numpy()
    table["area_more"] = table["area_km2"].to_numpy() - before[:, 0]
    table["people_more"] = table["people"].to_numpy() - before[:, 1]
    others = [name for name in table.columns if name not in KEYS]
    return table[[*KEYS, *others]]


def _figures(result: CoverageResult) -> pd.DataFrame:
    keys = ["zone", "code", "name", "level", "service", "operator"]
    parts = []
    for measure, amount in (("area", "area_km2"), ("population", "people")):
        rows = result.figures[result.figures["measure"] == measure]
        part = rows[keys].copy()
        for name, column in (
            ("percent", "share"),
            ("low", "interval_low"),
            ("high", "interval_high"),
        ):
            part[f"{measure}_{name}"] = 100.0 * rows[column]
        part[amount] = (rows["share"] * rows["weight"]).fillna(0.0)
        part[f"{measure}_weight"] = rows["weight"]
        parts.append(part.set_index(keys))
    return parts[0].join(parts[1]).reset_index()


def _costs(
    base: Workspace, places: dict[int, Workspace]
) -> tuple[dict[int, scenario_costs.NetworkCost], tuple[Message, ...]]:
    prices = sharing_costs.prices(base.folder)
    before = _network(base)
    found: dict[int, scenario_costs.NetworkCost] = {}
    notes: list[Message] = []
    for key, place in places.items():
        after = _network(place)
        new = scenario_costs.newly_placed(before[0], after[0])
        fibre, said = siting_backhaul.costs(base, new.assign(candidate_id=new["mast_id"]))
        notes += said
        ways = dict(zip(new["mast_id"].astype(str), fibre.tolist(), strict=True))
        cut_off = sorted(mast for mast, cost in ways.items() if not math.isfinite(cost))
        if cut_off:
            notes.append(
                message(
                    "No way leads from live fibre to {masts}: what it would cost is not counted",
                    masts=", ".join(cut_off),
                )
            )
        counted = {mast: cost for mast, cost in ways.items() if math.isfinite(cost) and cost > 0.0}
        found[key] = scenario_costs.between(before, after, prices, counted)
    once = [said for place, said in enumerate(notes) if said not in notes[:place]]
    return found, tuple(once)


def _network(workspace: Workspace) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    has = workspace.has("masts")
    masts = workspace.read("masts") if has else schema.empty_frame("masts", workspace.area.crs)
    return masts, cells_of(workspace)


def _summary(
    table: pd.DataFrame,
    communes: set[int],
    chosen: dict[int, Scenario],
    places: dict[int, Workspace],
    costs: dict[int, scenario_costs.NetworkCost],
) -> pd.DataFrame:
    """Sum the finest zones, which cover the area once."""
    whole = table[(table["operator"] == "any") & table["zone"].isin(communes)]
    rows = []
    keys: Any
    for keys, part in whole.groupby(["scenario", "service"], sort=False):
        key, service = int(keys[0]), str(keys[1])
        masts, cells = _network(places[key])
        once, yearly = costs[key].once, costs[key].yearly
        more = float(part["people_more"].sum())
        rows.append(
            {
                "scenario": key,
                "title": chosen[key].title if key in chosen else "",
                "changes": len(chosen[key].changes) if key in chosen else 0,
                "masts": int((masts["status"] == "existing").sum()),
                "cells": len(cells),
                "service": service,
                "area_percent": _percent(part["area_km2"], part["area_weight"]),
                "population_percent": _percent(part["people"], part["population_weight"]),
                "people": float(part["people"].sum()),
                "people_more": more,
                **{f"cost_{name}": getattr(once, name) for name in ("low", "typical", "high")},
                **{f"yearly_{name}": getattr(yearly, name) for name in ("low", "typical", "high")},
                "per_money_least": _per(more, once.high),
                "per_money_typical": _per(more, once.typical),
                "per_money_most": _per(more, once.low),
            }
        )
    return pd.DataFrame(rows)


def _percent(part: pd.Series, whole: pd.Series) -> float:
    total = float(whole.sum())
    return 100.0 * float(part.sum()) / total if total > 0.0 else math.nan


def _per(people: float, money: float) -> float:
    return people / (money / MONEY) if money > 0.0 and people >= 0.0 else math.nan


def save(comparison: Comparison, folder: Path) -> None:
    """Write a comparison: comparison.json, comparison.csv, costs.csv and communes.gpkg.

    Parameters
    ----------
    comparison
        From `compare`.
    folder
        Where to; made if it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tmp-") as scratch:
        made = Path(scratch)
        content = {
            "currency": comparison.currency,
            "summary": _records(comparison.summary),
            "provenance": comparison.provenance,
        }
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (made / "comparison.json").write_text(text + "\n", encoding="utf-8")
        plain = comparison.table.drop(columns="zone").round(4)
        csv_file.write(plain, made / "comparison.csv")
        csv_file.write(comparison.bill, made / "costs.csv")
        shapes(comparison).to_file(made / "communes.gpkg", layer="communes", driver="GPKG")
        for path in sorted(made.iterdir()):
            path.replace(folder / path.name)


def shapes(comparison: Comparison) -> gpd.GeoDataFrame:
    """Return the communes with the percentages of all scenarios, any operator.

    Parameters
    ----------
    comparison
        From `compare`.

    Returns
    -------
    GeoDataFrame
        Columns code, name and, as ``s<scenario>_<service>_<measure>``, percentages.
    """
    rows = comparison.table[comparison.table["operator"] == "any"]
    found = comparison.zones[["code", "name", "geometry"]].copy()
    for (key, service), part in rows.groupby(["scenario", "service"], sort=False):
        by_zone = part.set_index("zone")
        for measure in ("area", "population"):
            name = f"s{key}_{service}_{measure}"
            found[name] = by_zone[f"{measure}_percent"].reindex(found.index)
    return found


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    plain = frame.astype(object).where(frame.notna(), None)
    return [
        {
            str(key): value.item() if isinstance(value, np.generic) else value
            for key, value in row.items()
        }
        for row in plain.to_dict("records")
    ]
