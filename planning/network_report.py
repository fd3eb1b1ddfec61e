"""What a network's state is reported as: beside what others reported, and in files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from coverage.own_table import read_own_table
from data import csv_file, vintages
from data.errors import InputError, Message, message
from data.store import Workspace
from planning import cost, resilience
from planning.dedicated_network import (
    LINKS,
    SHARES,
    SITES,
    Inventory,
    Network,
    NetworkStatus,
    as_inventory,
    status,
)

#: What was reported about the network, with its denominators.
REPORTED = Path(__file__).parent / "tables" / "network_reported.csv"

#: Name of the table of reported figures that a workspace may bring in place of it.
OWN_REPORTED = "network_reported.csv"

#: Areas that the built-in reported figures are about.
_REPORTED_AREAS = ("demo", "hanam")

#: How many of the worst single failures are listed.
_WORST = 20

# Reported figures


_REPORTED_COLUMNS = (
    "claim", "measure", "level", "count", "of", "percent", "day", "source", "quote"
)  # fmt: skip


def reported(workspace: Workspace) -> pd.DataFrame:
    """Return what was reported about a network.

    Parameters
    ----------
    workspace
        The study area; a file `OWN_REPORTED` in its folder goes before the built-in
        figures, which are about Hà Nam.

    Returns
    -------
    DataFrame
        Columns claim, measure, level, count, of, percent (numbers, NaN where not
        stated), day, source, quote.

    Raises
    ------
    InputError
        If the file cannot be read or a figure is no number.
    """
    own = workspace.folder / OWN_REPORTED
    if own.exists():
        return _read_reported(own)
    table = _read_reported(REPORTED)
    return table if workspace.area.name in _REPORTED_AREAS else table.iloc[:0]


def _read_reported(path: Path) -> pd.DataFrame:
    table = read_own_table(path, _REPORTED_COLUMNS)
    for column in ("count", "of", "percent"):
        numbers = pd.to_numeric(table[column].replace("", np.nan), errors="coerce")
        wrong = numbers.isna() & (table[column] != "")
        wrong |= (numbers < 0) | ~np.isfinite(numbers.fillna(0.0).astype(float))
        if wrong.any():
            row = table.index[wrong][0]
            raise InputError(
                "{file}, row {row}, column {column}: {value} (expected a number of at least 0)",
                file=path.name,
                row=row,
                column=column,
                value=table.loc[row, column],
            )
        table[column] = numbers.astype(float)
    for day in table["day"]:
        if day:
            vintages.iso(day)
    return table.reset_index(drop=True)


def compare(
    source: Workspace | Inventory, claims: pd.DataFrame, now: NetworkStatus
) -> pd.DataFrame:
    """Put reported figures beside computed ones.

    Parameters
    ----------
    source
        The study area, or its layers.
    claims
        From `reported`.
    now
        The state on the day that is looked at.

    Returns
    -------
    DataFrame
        The columns of `claims`, with then_count, then_of, then_percent (computed for
        the day of the report) and now_count, now_of, now_percent; a percentage is empty
        where its denominator is 0, which means that the inventory has no such site.
    """
    inventory = as_inventory(source)
    known: dict[str, NetworkStatus] = {}
    rows = []
    for claim in claims.to_dict("records"):
        day = claim["day"]
        if day and day not in known:
            known[day] = status(inventory, day)
        row: dict[str, Any] = {}
        for name, state in (("then", known.get(day)), ("now", now)):
            count, of = (0, 0) if state is None else state.figure(claim["measure"], claim["level"])
            row |= {
                f"{name}_count": count,
                f"{name}_of": of,
                f"{name}_percent": 100.0 * count / of if of else np.nan,
            }
        rows.append(claim | row)
    columns = [*_REPORTED_COLUMNS, *(f"{a}_{b}" for a in ("then", "now") for b in _THREE)]
    return pd.DataFrame(rows, columns=columns)


_THREE = ("count", "of", "percent")


# Results in files


def notes(state: NetworkStatus) -> list[Message]:
    """Return what a reader of the figures must know.

    Parameters
    ----------
    state
        From `status`.

    Returns
    -------
    list of Message
        Doubts about the inventory on that day.
    """
    found = []
    connected = int(state.sites["connected"].sum())
    if connected and not state.network.hub.any():
        found.append(
            message("No connected site is a data centre (role hub), so none can be reached")
        )
    lost = state.sites[state.sites["connected"] & ~state.sites["reachable"]]
    if len(lost) and state.network.hub.any():
        found.append(
            message(
                "{count} of {total} connected sites, such as {site}, have no live path to a data "
                "centre",
                count=len(lost),
                total=connected,
                site=str(lost["site_id"].iloc[0]),
            )
        )
    undated = state.sites["connected"] & state.sites["connected_on"].isna()
    undated &= state.sites["status"] == "connected"
    if undated.any() and state.day is not None:
        found.append(
            message(
                "{count} connected sites have no day of connection; they count as connected on "
                "every day",
                count=int(undated.sum()),
            )
        )
    if state.day is not None and len(state.sites):
        found.append(
            message(
                "The inventory has no days for local networks and endpoints of conferences: "
                "they are counted as recorded, at the sites that exist on the day"
            )
        )
    if not len(state.sites):
        found.append(message("The inventory has no site on that day"))
    if state.day is None:
        found += _ends(state)
    return found


def _ends(state: NetworkStatus) -> list[Message]:
    """Say which days the state as recorded takes no notice of."""
    found = []
    if state.ending:
        found.append(
            message(
                "As recorded, sites that have a last day (valid_to) do not count, whether it is "
                "over or not: {count}, the latest {day}. On a chosen day they count by their days",
                count=len(state.ending),
                day=max(state.ending),
            )
        )
    removed = state.network.links["removed_on"].dropna()
    if len(removed):
        found.append(
            message(
                "As recorded, links that have a day of removal (removed_on) count as long as "
                "their status is existing: {count}, the first {day}",
                count=len(removed),
                day=min(removed),
            )
        )
    return found


def failures(live: Network) -> dict[str, Any]:
    """Return what single failures do, for JSON.

    Parameters
    ----------
    live
        What is live.

    Returns
    -------
    dict
        By kind (link, site, segment, trench, provider): how many there are, how many
        cut off a site, and the worst of them with the sites that they cut off. Empty
        where no data centre is live.
    """
    roots = np.flatnonzero(live.hub)
    if not len(roots):
        return {}
    found = resilience.single_failures(
        len(live.sites), live.tail, live.head, roots, groups=live.risk_groups
    )
    names = live.sites["site_id"].to_numpy(dtype=object)

    def kind(of: int, cut: list[tuple[int, str, Any]]) -> dict[str, Any]:
        worst = sorted(cut, key=lambda one: (-one[0], one[1]))[:_WORST]
        return {
            "of": of,
            "cutting": len(cut),
            "worst": [
                {"name": name, "count": count, "sites": sorted(names[lost()].tolist())}
                for count, name, lost in worst
            ],
        }

    links = live.links["link_id"].tolist()
    result = {
        "link": kind(
            len(links),
            [
                (int(n), links[k], lambda k=k: found.lost_by_edge(k))
                for k, n in enumerate(found.edge_count)
                if n
            ],
        ),
        "site": kind(
            len(names),
            [
                (int(n), str(names[k]), lambda k=k: found.lost_by_node(k))
                for k, n in enumerate(found.node_count)
                if n
            ],
        ),
    }
    for group in ("segment", "trench", "provider"):
        mine = [name for name in live.risk_groups if name.startswith(f"{group}:")]
        result[group] = kind(
            len(mine),
            [
                (n, name.partition(":")[2], lambda name=name: found.lost_by_group(name))
                for name in mine
                if (n := found.group_count[name])
            ],
        )
    return result


def summary(
    workspace: Workspace,
    state: NetworkStatus,
    *,
    claims: pd.DataFrame | None = None,
    line: pd.DataFrame | None = None,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a state for JSON, with the provenance of what it was counted from.

    Parameters
    ----------
    workspace
        The study area.
    state
        From `status`.
    claims
        From `compare`.
    line
        From `timeline`.
    more
        Further entries, such as failures and compliance.

    Returns
    -------
    dict
        Content of `network.json`.
    """
    whole = state.figures[state.figures["zone"] == -1]
    shares = whole[whole["measure"].isin(SHARES)]
    levels = [
        {
            "level": level,
            **{str(row["measure"]): _share(row) for row in rows.to_dict("records")},
        }
        for level, rows in shares.groupby("level", sort=False)
    ]
    zones = [
        _zone(rows)
        for _, rows in state.figures[state.figures["zone"] >= 0].groupby("zone", sort=True)
    ]
    origin = workspace.provenance()
    used = [name for name in (SITES, LINKS, "zones", "fibre_segments") if workspace.has(name)]
    return {
        "area": workspace.area.name,
        "day": state.day,
        "state": "as recorded" if state.day is None else "on the day",
        "sites": len(state.sites),
        "links": len(state.network.links),
        "levels": levels,
        "zones": zones,
        "providers": _listed(whole, "provider"),
        "equipment": _listed(whole, "equipment"),
        "media": _listed(whole, "links"),
        "bandwidth": _listed(whole, "bandwidth") + _listed(whole, "bandwidth_need"),
        "leased": _listed(whole, "leased"),
        "leases": _listed(whole, "lease"),
        "currency": currency(workspace),
        "zones_with_conference": _listed(whole, "zones_with_conference"),
        "risk_groups": {
            kind: sum(name.startswith(f"{kind}:") for name in state.network.risk_groups)
            for kind in ("segment", "trench", "provider")
        },
        "timeline": [] if line is None else records(line),
        "reported": [] if claims is None else records(claims),
        "notes": [str(note) for note in notes(state)],
        **(more or {}),
        "provenance": {
            "illustrative": any(origin[name].illustrative for name in used),
            "content_hash": workspace.content_hash(*used),
            "layers": {name: asdict(origin[name]) for name in used},
            "definitions": {name: f"count of {base}" for name, base in SHARES.items()},
        },
    }


def currency(workspace: Workspace) -> str:
    """Return the currency of the unit costs, in which the prices of links are.

    Parameters
    ----------
    workspace
        The study area.

    Returns
    -------
    str
        ISO 4217 code.

    Raises
    ------
    InputError
        As `planning.cost.unit_costs` does.
    """
    return next(iter(cost.unit_costs(workspace.folder).values())).currency


def _share(row: Mapping[Any, Any]) -> dict[str, Any]:
    count, of = int(row["count"]), int(row["of"])
    return {"count": count, "of": of, "percent": round(100.0 * count / of, 3) if of else None}


def _zone(rows: pd.DataFrame) -> dict[str, Any]:
    head = rows.iloc[0]
    return {
        "code": head["code"],
        "name": head["name"],
        "level": head["zone_level"],
        "valid_from": head["valid_from"],
        "sites": [
            {
                "level": level,
                **{str(row["measure"]): _share(row) for row in part.to_dict("records")},
            }
            for level, part in rows.groupby("level", sort=False)
        ],
    }


def _listed(figures: pd.DataFrame, measure: str) -> list[dict[str, Any]]:
    rows = figures[figures["measure"] == measure]
    found = []
    for row in rows.to_dict("records"):
        entry = {"measure": measure, "level": row["level"]}
        if row["group"]:
            entry["group"] = row["group"]
        if np.isfinite(row["value"]):
            entry |= {"value": row["value"], "unit": row["unit"]}
        found.append(entry | _share(row))
    return found


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table for JSON; missing values are None."""
    values = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in values.to_dict("records")]


def link_lines(live: Network) -> gpd.GeoDataFrame:
    """Return live links as straight lines between their sites, for a map.

    Parameters
    ----------
    live
        From `network`.

    Returns
    -------
    GeoDataFrame
        The columns of the links, with geometry.
    """
    xy = shapely.get_coordinates(live.sites.geometry.to_numpy())
    lines: Any = shapely.linestrings(np.stack([xy[live.tail], xy[live.head]], axis=1))
    return gpd.GeoDataFrame(live.links, geometry=np.atleast_1d(lines), crs=live.sites.crs)


def save(
    state: NetworkStatus,
    content: Mapping[str, Any],
    folder: Path,
    *,
    tables: Mapping[str, pd.DataFrame] | None = None,
) -> None:
    """Write a state: network.json, status.csv, sites.gpkg (sites, links) and further tables.

    Parameters
    ----------
    state
        From `status`.
    content
        From `summary`.
    folder
        Where to; made if it is missing.
    tables
        Name of a file without its end -> table, written as CSV.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tmp-") as scratch:
        made = Path(scratch)
        text = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)
        (made / "network.json").write_text(text + "\n", encoding="utf-8")
        csv_file.write(state.figures, made / "status.csv")
        state.sites.to_file(made / "sites.gpkg", layer="sites", driver="GPKG")
        link_lines(state.network).to_file(made / "sites.gpkg", layer="links", driver="GPKG")
        for name, table in (tables or {}).items():
            csv_file.write(table, made / f"{name}.csv")
        for path in sorted(made.iterdir()):
            path.replace(folder / path.name)
