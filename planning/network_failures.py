"""What fails in a dedicated network when one thing fails, how often, and where it is tight.

`planning.dedicated_network` says what is live, `planning.resilience` computes on arrays;
here both meet, and results carry the names of sites, links, duct sections and providers.
Loads are those of `planning.network_load`.

What contracts do not say is taken from ``planning/tables/network_assumptions.csv``, for
which a workspace may bring a file ``network_assumptions.csv`` of its own.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from coverage.own_table import read_own_table, with_own_rows
from data import csv_file, schema
from data.errors import InputError, Message, message
from data.store import Workspace
from planning import network_load, resilience
from planning.compliance import SITES as CHOICES
from planning.dedicated_network import (
    LINKS,
    SITES,
    Inventory,
    Network,
    as_inventory,
    network,
    side_by_side,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Progress = Callable[[float], None]

#: The built-in table of assumptions.
TABLE = Path(__file__).parent / "tables" / "network_assumptions.csv"

#: Name of the table that a workspace may bring; it need not have every row.
OWN_FILE = "network_assumptions.csv"

#: Kinds of things whose single failure is looked at.
ELEMENTS = ("link", "site", "segment", "trench", "provider")

#: Sites that matter together, of `planning.compliance.SITES`: whose service at the same
#: time is asked for.
TOGETHER = ("aggregation", "critical", "endpoint")

#: States tried for the exact chance that sites are served together, before it is sampled.
_STATES = 1_000

#: Failures of each kind that a summary lists.
_WORST = 20

_COLUMNS = ("name", "value", "unit", "verified", "source")


def _silent(_: float) -> None:
    return None


# ----------------------------------------------------------------------------------------
# Assumptions


def assumptions(folder: Path | None = None) -> dict[str, float]:
    """Return what is assumed where the inventory has no figure.

    Parameters
    ----------
    folder
        Folder of a workspace that may hold `OWN_FILE`.

    Returns
    -------
    dict
        Name -> value, in the unit of the table.

    Raises
    ------
    InputError
        If the workspace's table cannot be read, names something unknown, or a value
        is not a number of at least 0, or beyond what its unit allows.
    """
    return {name: row.value for name, row in _rows(folder).items()}


def verified(folder: Path | None = None) -> set[str]:
    """Return which assumptions are marked as verified.

    Parameters
    ----------
    folder
        As for `assumptions`.

    Returns
    -------
    set of str
        Their names.

    Raises
    ------
    InputError
        As `assumptions` does.
    """
    return {name for name, row in _rows(folder).items() if row.verified}


@dataclass(frozen=True)
class _Assumption:
    value: float
    verified: bool


def _rows(folder: Path | None) -> dict[str, _Assumption]:
    own = None if folder is None else folder / OWN_FILE
    return with_own_rows(_built_in(), own, _read)


@cache
def _built_in() -> dict[str, _Assumption]:
    return _read(TABLE)


#: Units in which a value has a greatest one.
_MOST = {"%": 100.0, "share": 1.0, "years": 100.0}

#: Assumptions that mean nothing if they are 0.
_ABOVE_0 = ("busy_limit", "conference_rate")


def _read(path: Path) -> dict[str, _Assumption]:
    table = read_own_table(path, _COLUMNS)
    found: dict[str, _Assumption] = {}
    for row, line in table.iterrows():
        try:
            value = float(line["value"])
        except ValueError:
            value = math.nan
        most = _MOST.get(line["unit"], math.inf)
        is_usable = value > 0.0 if line["name"] in _ABOVE_0 else value >= 0.0
        if not (is_usable and math.isfinite(value) and value <= most):
            raise InputError(
                "{file}, row {row}, column {column}: {value} (expected {expected})",
                file=path.name,
                row=row,
                column="value",
                value=line["value"] or message("empty"),
                expected=_expected(line["name"], most),
            )
        found[line["name"]] = _Assumption(value, line["verified"].lower() == "yes")
    return found


def _expected(name: str, most: float) -> Message:
    if name in _ABOVE_0:
        if math.isfinite(most):
            return message("a number above 0 and at most {most}", most=f"{most:g}")
        return message("a number above 0")
    if math.isfinite(most):
        return message("a number from 0 to {most}", most=f"{most:g}")
    return message("a number of at least 0")


# ----------------------------------------------------------------------------------------
# Result


@dataclass(frozen=True, eq=False)
class FailureReport:
    """What single failures do, how available sites are, and where links are tight.

    Parameters
    ----------
    network
        What is live.
    failures
        A row for each link, site, duct section, trench and provider whose failure cuts
        off other sites, what to protect first on top: element (one of `ELEMENTS`),
        name, title, lost_sites, lost_criticality, hours_down (a year), expected_loss
        (criticality times hours a year) and sites (site_id with semicolons between).
    cut
        The same in long form: element, name, site_id.
    sites
        Live sites with served, safe_link, safe_site, safe_duct, safe_provider (no single
        failure of the kind cuts it off), availability_percent with low_percent and
        high_percent, method (``"exact"`` or ``"monte carlo"``) and hours_down a year.
    together
        A row for each of `TOGETHER` with at least two served sites: choice, sites,
        availability_percent (of the time in which all of them are served at once), with
        low_percent, high_percent, method and hours_down a year.
    links
        Live links as straight lines with forward_mbps, backward_mbps, utilisation,
        utilisation_later (after the years of the assumptions), years_until_limit,
        conference_utilisation, assumed (whether the availability is).
    reroutes
        Links whose failure overloads others; see `planning.network_load.Loads`.
    conference
        What a conference of all endpoints does: endpoints, bridge (site_id), rate_mbps,
        overloaded and newly_overloaded (link_id), disturbed and unreached (site_id),
        greatest_mbps.
        None where there are not two endpoints.
    notes
        What a reader must know.
    assumed
        From `assumptions`.
    summary
        All of it in figures, for JSON.
    """

    network: Network
    failures: pd.DataFrame
    cut: pd.DataFrame
    sites: gpd.GeoDataFrame
    together: pd.DataFrame
    links: gpd.GeoDataFrame
    reroutes: pd.DataFrame | None
    conference: dict[str, Any] | None
    notes: tuple[Message, ...]
    assumed: Mapping[str, float]
    summary: dict[str, Any]


def analyse(
    source: Workspace | Inventory,
    on: str | dt.date | None = None,
    *,
    assumed: Mapping[str, float] | None = None,
    samples: int = 20_000,
    seed: int = 0,
    states: int = 20_000,
    loads: bool = True,
    on_progress: Progress = _silent,
) -> FailureReport:
    """Analyse the single failures, the availability and the load of a network.

    Parameters
    ----------
    source
        The study area, or its layers.
    on
        The day; None for the state as recorded.
    assumed
        From `assumptions`; None for those of the study area, or the built-in ones.
    samples, seed
        Of availabilities that are too much work to compute.
    states
        Limit of that work, as `planning.resilience.availability` counts it.
    loads
        Whether traffic is routed, too; otherwise loads are empty and there is no
        conference.
    on_progress
        Called with the share done; may raise `CancelledError`.

    Returns
    -------
    FailureReport
        Figures with names.

    Raises
    ------
    InputError
        If there is no network, no connected data centre, or the text is no date.
    """
    if assumed is None:
        assumed = assumptions(source.folder if isinstance(source, Workspace) else None)
    inventory = as_inventory(source)
    live = network(inventory, on)
    roots = _roots(live)
    on_progress(0.05)
    found = resilience.single_failures(
        len(live.sites), live.tail, live.head, roots, groups=live.risk_groups
    )
    up = _Up(live, inventory.segments, assumed)
    failures, cut = _failures(live, found, up)
    on_progress(0.2)
    sites = _sites(
        live,
        roots,
        up,
        samples,
        seed,
        states,
        on_progress=lambda share: on_progress(0.2 + 0.5 * share),
    )
    together = _together(live, roots, sites, up, samples, seed, states)
    on_progress(0.8)
    notes = _notes(live, sites, up)
    found_loads = network_load.Loads(network_load.lines(live), None, None)
    if loads:
        found_loads = network_load.loads(live, roots, sites["served"].to_numpy(bool), assumed)
        notes += network_load.notes(live, found_loads.conference, assumed)
    report = FailureReport(
        live,
        failures,
        cut,
        sites,
        together,
        found_loads.links.assign(assumed=up.is_assumed),
        found_loads.reroutes,
        found_loads.conference,
        notes,
        assumed,
        {},
    )
    on_progress(1.0)
    return replace(report, summary=_summary(report))


def _roots(live: Network) -> Ints:
    roots = np.flatnonzero(live.hub).astype(np.int64)
    if not len(roots):
        raise InputError(
            "No connected site is a data centre (role hub), so it cannot be said who is cut off "
            "from it"
        )
    return roots


# ----------------------------------------------------------------------------------------
# How often things are up


class _Up:
    """Chances of links, sites and duct sections to be up.

    What a contract agrees counts for the link as a whole. The part of it that is due to
    the duct sections on its way is shared with the other links in them: the link's own
    chance is what is left.
    """

    def __init__(
        self, live: Network, segments: gpd.GeoDataFrame | None, assumed: Mapping[str, float]
    ) -> None:
        agreed = live.links["availability_percent"].to_numpy(np.float64, na_value=np.nan)
        self.is_assumed = np.isnan(agreed)
        usual = np.array([assumed[f"link_{name}"] for name in live.links["medium"]], np.float64)
        self.link = np.where(self.is_assumed, usual, agreed) / 100.0
        self.site = (
            np.array([assumed[f"site_{name}"] for name in live.sites["role"]], np.float64) / 100.0
        )
        self.group = _group_chances(live, segments, assumed)
        through = np.ones(len(self.link))
        for name, chance in self.group.items():
            through[live.risk_groups[name]] *= chance
        #: Links whose duct sections fail more often than the link may.
        self.worse = through < self.link - 1e-12
        self.own = np.minimum(
            1.0, np.divide(self.link, through, out=np.ones_like(through), where=through > 0.0)
        )
        self.merged, self.merged_chance = _merged(live, self.group)


def _group_chances(
    live: Network, segments: gpd.GeoDataFrame | None, assumed: Mapping[str, float]
) -> dict[str, float]:
    """Return the chance of every duct section and trench to be whole, by its length.

    Where sections run side by side, the assumed share of the cuts takes all of them: it
    counts for the trench, and is no cut of a section alone.
    """
    if segments is None:
        return {}
    metres = dict(
        zip(segments["segment_id"], shapely.length(segments.geometry).tolist(), strict=True)
    )
    share = assumed["trench_share"]
    beside = side_by_side(segments, live.trenches) if live.trenches else {}
    alone_m = {
        f"segment:{name}": length - share * beside.get(name, 0.0) for name, length in metres.items()
    }
    # As long as the longest stretch on which one of its sections has others beside it.
    common_m = {
        f"trench:{first}": share * max(beside[name] for name in names)
        for first, names in live.trenches.items()
    }
    per_m = assumed["cuts_per_100_km"] / 1e5 * assumed["repair_time"] / resilience.HOURS_PER_YEAR
    cut_m = alone_m | common_m
    return {name: max(0.0, 1.0 - per_m * cut_m[name]) for name in live.risk_groups if name in cut_m}


def _merged(live: Network, chance: Mapping[str, float]) -> tuple[dict[str, Ints], dict[str, float]]:
    """Return groups of the same links as one: they do the same, and are less work."""
    rows: dict[bytes, str] = {}
    groups: dict[str, Ints] = {}
    up: dict[str, float] = {}
    for name, value in chance.items():
        links = live.risk_groups[name]
        first = rows.setdefault(links.tobytes(), name)
        groups[first] = links
        up[first] = up.get(first, 1.0) * value
    return groups, up


# ----------------------------------------------------------------------------------------
# Tables


def _failures(
    live: Network, found: resilience.Failures, up: _Up
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what cuts off anything, what to protect first on top, and which sites."""
    weight = live.sites["criticality"].to_numpy(np.float64)
    table = resilience.ranking(
        found,
        edge_availability=up.link,
        node_availability=up.site,
        group_availability=up.group,
        weight=weight,
    )
    site_id = live.sites["site_id"].to_numpy(dtype=object)
    title = _titles(live)
    rows: list[dict[str, Any]] = []
    long: dict[str, list[str]] = {name: [] for name in _CUT}
    for row in table.to_dict("records"):
        position = int(row["position"])
        if row["element"] == "edge":
            kind, name = "link", str(live.links["link_id"].iloc[position])
            lost = found.lost_by_edge(position)
        elif row["element"] == "node":
            kind, name = "site", str(site_id[position])
            lost = found.lost_by_node(position)
        else:
            kind, _, name = str(row["name"]).partition(":")
            lost = found.lost_by_group(str(row["name"]))
        names = site_id[lost]
        # A provider without a figure is not said to fail never.
        known = kind != "provider" and not (
            kind in ("segment", "trench") and row["name"] not in up.group
        )
        rows.append(
            {
                "element": kind,
                "name": name,
                "title": title.get((kind, name), name),
                "lost_sites": int(row["lost_nodes"]),
                "lost_criticality": float(row["lost_weight"]),
                "hours_down": float(row["hours_down"]) if known else math.nan,
                "expected_loss": float(row["expected_loss"]) if known else math.nan,
                "sites": schema.LIST_SEPARATOR.join(names),
            }
        )
        long["element"] += [kind] * len(names)
        long["name"] += [name] * len(names)
        long["site_id"] += names.tolist()
    columns = [
        "element", "name", "title", "lost_sites", "lost_criticality", "hours_down",
        "expected_loss", "sites",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns), pd.DataFrame(long, dtype=object)


_CUT = ("element", "name", "site_id")


def _titles(live: Network) -> dict[tuple[str, str], str]:
    """Return what people call links and sites."""
    names = dict(zip(live.sites["site_id"], live.sites["name"], strict=True))
    called = {key: str(name) if isinstance(name, str) else str(key) for key, name in names.items()}
    found = {("site", key): name for key, name in called.items()}
    ends = live.links[["link_id", "from_site", "to_site"]]
    for link, start, stop in ends.itertuples(index=False):
        found["link", link] = f"{called[start]} – {called[stop]}"
    return found


def _sites(
    live: Network,
    roots: Ints,
    up: _Up,
    samples: int,
    seed: int,
    states: int,
    *,
    on_progress: Progress,
) -> gpd.GeoDataFrame:
    """Return the live sites with what they survive and how often they are served."""
    count = len(live.sites)
    ducts = {k: v for k, v in live.risk_groups.items() if not k.startswith("provider:")}
    providers = {k: v for k, v in live.risk_groups.items() if k.startswith("provider:")}
    by_duct = resilience.protected(count, live.tail, live.head, roots, groups=ducts)
    by_provider = resilience.protected(count, live.tail, live.head, roots, groups=providers)
    how_often = resilience.availability(
        count,
        live.tail,
        live.head,
        roots,
        edge_availability=up.own,
        node_availability=up.site,
        groups=up.merged,
        group_availability=up.merged_chance,
        samples=samples,
        seed=seed,
        state_limit=states,
        on_progress=on_progress,
    )
    kept = ["site_id", "name", "level", "zone_code", "role", "criticality", "video_conference"]
    return live.sites[[*kept, live.sites.geometry.name]].assign(
        served=by_duct.served,
        safe_link=by_duct.edge,
        safe_site=by_duct.node,
        safe_duct=by_duct.group,
        safe_provider=by_provider.group,
        availability_percent=100.0 * how_often.value,
        low_percent=100.0 * how_often.low,
        high_percent=100.0 * how_often.high,
        method=np.where(how_often.exact, "exact", "monte carlo").astype(object),
        hours_down=resilience.HOURS_PER_YEAR * (1.0 - how_often.value),
    )


def _together(
    live: Network,
    roots: Ints,
    sites: gpd.GeoDataFrame,
    up: _Up,
    samples: int,
    seed: int,
    states: int,
) -> pd.DataFrame:
    """Return how often all sites of a choice are served at the same time."""
    rows = []
    for choice in TOGETHER:
        chosen = np.flatnonzero(CHOICES[choice](sites).to_numpy(bool) & sites["served"])
        if len(chosen) < 2:
            continue
        found = resilience.joint_availability(
            len(live.sites),
            live.tail,
            live.head,
            roots,
            chosen,
            edge_availability=up.own,
            node_availability=up.site,
            groups=up.merged,
            group_availability=up.merged_chance,
            samples=samples,
            seed=seed,
            state_limit=min(_STATES, states),
        )
        rows.append(
            {
                "choice": choice,
                "sites": len(chosen),
                "availability_percent": 100.0 * found.value,
                "low_percent": 100.0 * found.low,
                "high_percent": 100.0 * found.high,
                "method": "exact" if found.exact else "monte carlo",
                "hours_down": resilience.HOURS_PER_YEAR * (1.0 - found.value),
            }
        )
    return pd.DataFrame(rows, columns=list(_TOGETHER_COLUMNS))


_TOGETHER_COLUMNS = (
    "choice", "sites", "availability_percent", "low_percent", "high_percent", "method",
    "hours_down",
)  # fmt: skip


# ----------------------------------------------------------------------------------------
# Summary


def _notes(live: Network, sites: gpd.GeoDataFrame, up: _Up) -> tuple[Message, ...]:
    found = []
    lost = sites[~sites["served"]]
    if len(lost):
        found.append(
            message(
                "{count} of {total} connected sites, such as {site}, have no live path to a data "
                "centre",
                count=len(lost),
                total=len(sites),
                site=str(lost["site_id"].iloc[0]),
            )
        )
    if up.is_assumed.any():
        found.append(
            message(
                "{count} of {total} links have no agreed availability; one usual for their medium "
                "is assumed",
                count=int(up.is_assumed.sum()),
                total=len(live.links),
            )
        )
    if up.worse.any():
        found.append(
            message(
                "{count} links run through so many kilometres of cable that its cuts alone are "
                "more than was agreed; the cuts count",
                count=int(up.worse.sum()),
            )
        )
    known = live.links["route"].notna() | ~live.links["medium"].isin(["fibre", "copper"])
    if not known.all():
        found.append(
            message(
                "The way of {count} of {total} links by wire is not known, so ducts that they "
                "share are not found",
                count=int((~known).sum()),
                total=int(live.links["medium"].isin(["fibre", "copper"]).sum()),
            )
        )
    return tuple(found)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _summary(report: FailureReport) -> dict[str, Any]:
    live, failures, sites = report.network, report.failures, report.sites
    total = {
        "link": len(live.links),
        "site": len(live.sites),
        **{
            kind: sum(name.startswith(f"{kind}:") for name in live.risk_groups)
            for kind in ELEMENTS[2:]
        },
    }
    kinds = {}
    for kind in ELEMENTS:
        mine = failures[failures["element"] == kind]
        worst = mine.sort_values(["lost_sites", "name"], ascending=[False, True]).head(_WORST)
        kinds[kind] = {
            "of": total[kind],
            "cutting": len(mine),
            "worst": [_shown(row) for row in worst.to_dict("records")],
        }
    levels = []
    for level, rows in sites.groupby("level", sort=False):
        entry: dict[str, Any] = {"level": level, "sites": len(rows)}
        for name in ("served", "safe_link", "safe_site", "safe_duct", "safe_provider"):
            entry[name] = int(rows[name].sum())
        least = rows["availability_percent"]
        entry["availability_percent"] = {
            "least": float(least.min()),
            "mean": float(least.mean()),
            "greatest": float(least.max()),
        }
        levels.append(entry)
    busy = report.links[report.links["utilisation"].notna()]
    busy = busy.sort_values(["utilisation", "link_id"], ascending=[False, True]).head(_WORST)
    return {
        "day": live.day,
        "sites": len(sites),
        "links": len(live.links),
        "served": int(sites["served"].sum()),
        "single_failures": kinds,
        "protect_first": [_shown(row) for row in failures.head(_WORST).to_dict("records")],
        "levels": levels,
        "availability": [
            {
                "site": row["site_id"],
                "percent": row["availability_percent"],
                "interval": [row["low_percent"], row["high_percent"]],
                "method": row["method"],
            }
            for row in sites.drop(columns=sites.geometry.name).to_dict("records")
        ],
        "served_together": report.together.to_dict("records"),
        "overloads_after_a_cut": None
        if report.reroutes is None
        else report.reroutes.to_dict("records"),
        "bottlenecks": _bottlenecks(report),
        "busiest_links": [
            {
                "link": row["link_id"],
                "utilisation": _number(row["utilisation"]),
                "utilisation_later": _number(row["utilisation_later"]),
                "years_until_limit": _number(row["years_until_limit"]),
                "with_conference": _number(row["conference_utilisation"]),
            }
            for row in busy.drop(columns=busy.geometry.name).to_dict("records")
        ],
        "conference": report.conference,
        "assumptions": dict(report.assumed),
        "notes": [str(note) for note in report.notes],
    }


def _bottlenecks(report: FailureReport) -> dict[str, Any]:
    """Return which links are above the limit in the busy hour, now and later."""
    limit = report.assumed["busy_limit"]
    return {
        "limit": limit,
        "years": report.assumed["growth_years"],
        "growth": report.assumed["growth"],
        "now": report.links.loc[report.links["utilisation"] > limit, "link_id"].tolist(),
        "later": report.links.loc[report.links["utilisation_later"] > limit, "link_id"].tolist(),
    }


def _shown(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "element": row["element"],
        "name": row["name"],
        "title": row["title"],
        "count": int(row["lost_sites"]),
        "hours_down": _number(row["hours_down"]),
        "expected_loss": _number(row["expected_loss"]),
        "sites": row["sites"].split(schema.LIST_SEPARATOR),
    }


def with_origin(report: FailureReport, workspace: Workspace) -> dict[str, Any]:
    """Return a summary with the area and the provenance of what it was computed from.

    Parameters
    ----------
    report
        From `analyse`.
    workspace
        The study area.

    Returns
    -------
    dict
        Content of `failures.json`.
    """
    origin = workspace.provenance()
    used = [name for name in (SITES, LINKS, "fibre_segments") if workspace.has(name)]
    return {
        "area": workspace.area.name,
        **report.summary,
        "provenance": {
            "illustrative": any(origin[name].illustrative for name in used),
            "content_hash": workspace.content_hash(*used),
            "layers": {name: asdict(origin[name]) for name in used},
        },
    }


def save(report: FailureReport, content: Mapping[str, Any], folder: Path) -> None:
    """Write failures.json, failures.csv, cut.csv, availability.csv, links.csv, failures.gpkg.

    Parameters
    ----------
    report
        From `analyse`.
    content
        From `with_origin`.
    folder
        Where to; made if it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tmp-") as scratch:
        made = Path(scratch)
        text = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)
        (made / "failures.json").write_text(text + "\n", encoding="utf-8")
        for name, table in (
            ("failures", report.failures),
            ("cut", report.cut),
            ("availability", report.sites.drop(columns=report.sites.geometry.name)),
            ("links", report.links.drop(columns=report.links.geometry.name)),
        ):
            csv_file.write(table, made / f"{name}.csv")
        report.sites.to_file(made / "failures.gpkg", layer="sites", driver="GPKG")
        report.links.to_file(
            made / "failures.gpkg", layer="links", driver="GPKG", geometry_type="LineString"
        )
        for path in sorted(made.iterdir()):
            path.replace(folder / path.name)
