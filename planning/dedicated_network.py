"""The dedicated data network: what is live on a day, who is connected, and since when.

The layers `network_sites` and `network_links` are an inventory with days. `network`
takes out of it what is live on a day, as a graph in arrays; `status` counts, with the
denominator of every share; `timeline` does so for the end of every month or quarter.

A site exists from `valid_from` to `valid_to`. It is connected from `connected_on` on if
its status is connected, from `planned_on` on if it is planned. A link is live from
`connected_on` to the day before `removed_on`. Without a day, what the inventory calls
connected and existing counts, of the sites that have not ended: this does not depend on
when it is asked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import scipy.sparse
import shapely
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from data import schema, vintages
from data.errors import InputError
from data.store import Workspace
from data.study_area import finest_zones

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Step = Literal["month", "quarter", "year"]

#: All levels together, where a figure is by level.
ALL = "all"

#: The provider of links that do not name one, where all must be listed.
UNKNOWN = "not known"

#: The layers of the network.
SITES, LINKS = "network_sites", "network_links"

#: How near two segments run in one trench, on one line of poles. [m]
TRENCH_M = 10.0

#: Share of the shorter of two segments that must run so near.
_TRENCH_SHARE = 0.5

#: Shares that `status` counts: measure -> what it is a share of.
SHARES = {
    "connected": "sites",
    "planned": "sites",
    "lan": "sites",
    "video_conference": "sites",
    "reachable": "connected sites",
    "bandwidth_met": "connected sites whose need and capacity are known",
}


@dataclass(frozen=True, eq=False)
class Inventory:
    """The layers that a network is made of.

    Parameters
    ----------
    sites, links
        Layers `network_sites` and `network_links`.
    zones
        Layer `zones`, None where shares by zone are not wanted.
    segments
        Layer `fibre_segments`, None where there is none.
    """

    sites: gpd.GeoDataFrame
    links: pd.DataFrame
    zones: gpd.GeoDataFrame | None = None
    segments: gpd.GeoDataFrame | None = None


@dataclass(frozen=True, eq=False)
class Network:
    """What is live on a day.

    Parameters
    ----------
    day
        ISO date, None for the state as recorded.
    sites
        Connected sites, rows numbered from 0.
    links
        Live links between them, rows numbered from 0.
    tail, head
        Positions in `sites` of the ends of each link.
    hub
        Which sites are data centres.
    risk_groups
        Links that one event can cut together, by ``"segment:<id>"`` (one duct or cable),
        ``"trench:<id>"`` (segments side by side, named after the first) and
        ``"provider:<name>"``; positions in `links`, ascending. A link of several
        providers fails with each of them.
    trenches
        The segment_id of the segments side by side, by the first of them.
    """

    day: str | None
    sites: gpd.GeoDataFrame
    links: pd.DataFrame
    tail: IntArray
    head: IntArray
    hub: BoolArray
    risk_groups: dict[str, IntArray] = field(default_factory=dict)
    trenches: dict[str, list[str]] = field(default_factory=dict)

    @cached_property
    def parts(self) -> IntArray:
        """Number of the part of each site; sites with a live path between them are in one."""
        count = len(self.sites)
        if not count:
            return np.zeros(0, np.int64)
        ones = np.ones(len(self.tail))
        matrix = scipy.sparse.coo_array((ones, (self.tail, self.head)), shape=(count, count))
        return connected_components(matrix, directed=False)[1].astype(np.int64)

    @property
    def reachable(self) -> BoolArray:
        """Which sites have a live path to a data centre; none where there is no centre."""
        return np.isin(self.parts, self.parts[self.hub])

    def to_networkx(self) -> nx.MultiGraph:
        """Return the network as a graph whose nodes are the site_id.

        Returns
        -------
        networkx.MultiGraph
            Nodes and edges have the columns of the layers; the key of an edge is its
            link_id.
        """
        graph = nx.MultiGraph(day=self.day)
        names = self.sites["site_id"].tolist()
        others = self.sites.drop(columns="site_id")
        for name, values in zip(names, _records(others), strict=True):
            graph.add_node(name, **values)
        for values in _records(self.links):
            graph.add_edge(values["from_site"], values["to_site"], key=values["link_id"], **values)
        return graph


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def read(workspace: Workspace) -> Inventory:
    """Read the layers of a study area's network.

    Parameters
    ----------
    workspace
        The study area.

    Returns
    -------
    Inventory
        The layers; without links where there is no such layer.

    Raises
    ------
    InputError
        If there is no layer `network_sites`.
    """
    if not workspace.has(SITES):
        raise InputError(
            "The study area has no dedicated data network; import the layers network_sites and "
            "network_links"
        )

    def layer(name: str) -> gpd.GeoDataFrame | None:
        return workspace.read(name) if workspace.has(name) else None

    links = workspace.read(LINKS) if workspace.has(LINKS) else schema.empty_frame(LINKS)
    return Inventory(workspace.read(SITES), links, layer("zones"), layer("fibre_segments"))


def as_inventory(source: Workspace | Inventory) -> Inventory:
    """Return the inventory of a study area, or the inventory itself."""
    return source if isinstance(source, Inventory) else read(source)


def as_day(on: str | dt.date | None) -> str | None:
    """Return a day as ISO text, None for the state as recorded.

    Raises
    ------
    InputError
        If the text is no date.
    """
    return None if on is None else vintages.iso(on)


# What is there on a day


class _Days:
    """Days of a column as numbers that compare fast; missing ones before or after all."""

    FIRST = np.iinfo(np.int64).min
    LAST = np.iinfo(np.int64).max

    @staticmethod
    def of(frame: pd.DataFrame, column: str, missing: int) -> IntArray:
        given = frame[column].notna().to_numpy(bool)
        found = np.full(len(frame), missing, dtype=np.int64)
        text = frame[column].to_numpy(dtype=object)[given].astype("datetime64[D]")
        found[given] = text.astype(np.int64)
        return found

    @staticmethod
    def one(day: str) -> int:
        return int(np.datetime64(day, "D").astype(np.int64))


class _SiteDays:
    """When the sites of an inventory exist and are connected."""

    def __init__(self, sites: pd.DataFrame) -> None:
        self.start = _Days.of(sites, "valid_from", _Days.FIRST)
        self.end = _Days.of(sites, "valid_to", _Days.LAST)
        status = sites["status"].to_numpy(dtype=object)
        self.connected = status == "connected"
        self.planned = status == "planned"
        self.since = np.full(len(sites), _Days.LAST, dtype=np.int64)
        done = _Days.of(sites, "connected_on", _Days.FIRST)
        due = _Days.of(sites, "planned_on", _Days.LAST)
        self.since[self.connected] = done[self.connected]
        self.since[self.planned] = due[self.planned]

    def on(self, day: str | None) -> tuple[BoolArray, BoolArray]:
        """Return which sites exist on a day, and which of them are connected."""
        if day is None:
            exists = self.end == _Days.LAST
            return exists, exists & self.connected
        number = _Days.one(day)
        exists = (self.start <= number) & (number <= self.end)
        never = self.since == _Days.LAST
        return exists, exists & (self.since <= number) & ~never


def live_links(links: pd.DataFrame, on: str | dt.date | None = None) -> BoolArray:
    """Return which links are in service on a day.

    Parameters
    ----------
    links
        Layer `network_links`.
    on
        The day; None for those called existing.

    Returns
    -------
    NDArray of bool
        One per link.
    """
    status = links["status"].to_numpy(dtype=object)
    day = as_day(on)
    if day is None:
        return np.asarray(status == "existing", dtype=bool)
    number = _Days.one(day)
    unknown_start = np.where(status == "planned", _Days.LAST, _Days.FIRST)
    start = _Days.of(links, "connected_on", _Days.FIRST)
    start = np.where(links["connected_on"].isna().to_numpy(bool), unknown_start, start)
    end = _Days.of(links, "removed_on", _Days.LAST)
    # Removed, nobody knows when: it is in service on no day.
    gone = (status == "removed") & links["removed_on"].isna().to_numpy(bool)
    return np.asarray((start <= number) & (number < end) & ~gone, dtype=bool)


def network(source: Workspace | Inventory, on: str | dt.date | None = None) -> Network:
    """Return the network that is live on a day.

    Parameters
    ----------
    source
        The study area, or its layers.
    on
        The day; None for the state as recorded.

    Returns
    -------
    Network
        Connected sites and the live links between them.

    Raises
    ------
    InputError
        If there is no layer `network_sites`, or the text is no date.
    """
    inventory, day = as_inventory(source), as_day(on)
    _, connected = _SiteDays(inventory.sites).on(day)
    sites = inventory.sites.loc[connected].reset_index(drop=True)
    position = pd.Series(np.arange(len(sites)), index=sites["site_id"])
    live = inventory.links.loc[live_links(inventory.links, day)]
    both = live["from_site"].isin(position.index) & live["to_site"].isin(position.index)
    links = live.loc[both].reset_index(drop=True)
    trenches = _trenches(links, inventory.segments, TRENCH_M)
    return Network(
        day,
        sites,
        links,
        position.reindex(links["from_site"]).to_numpy(np.int64),
        position.reindex(links["to_site"]).to_numpy(np.int64),
        (sites["role"] == "hub").to_numpy(bool),
        _risk_groups(links, trenches),
        trenches,
    )


def risk_groups(
    links: pd.DataFrame,
    segments: gpd.GeoDataFrame | None = None,
    *,
    trench_m: float = TRENCH_M,
) -> dict[str, IntArray]:
    """Return the links that one event can cut together.

    Parameters
    ----------
    links
        Layer `network_links`, or rows of it.
    segments
        Layer `fibre_segments`, to find cables of several owners side by side; None
        leaves such groups out.
    trench_m
        How near they run. [m]

    Returns
    -------
    dict
        ``"segment:<id>"``, ``"trench:<id>"``, ``"provider:<name>"`` -> positions in
        `links`, ascending. A trench has at least two segments.
    """
    return _risk_groups(links, _trenches(links, segments, trench_m))


def _risk_groups(links: pd.DataFrame, trenches: Mapping[str, list[str]]) -> dict[str, IntArray]:
    through = _rows_by(links["route"])
    groups = {f"segment:{name}": rows for name, rows in sorted(through.items())}
    for first, names in trenches.items():
        groups[f"trench:{first}"] = sorted({row for name in names for row in through[name]})
    providers = _rows_by(links["provider"])
    groups |= {f"provider:{name}": rows for name, rows in sorted(providers.items())}
    return {name: np.array(rows, dtype=np.int64) for name, rows in groups.items()}


def _rows_by(cells: pd.Series) -> dict[str, list[int]]:
    """Return the positions of the lists that name something, ascending."""
    found: dict[str, list[int]] = {}
    for position, cell in enumerate(cells.tolist()):
        for name in schema.listed(cell):
            found.setdefault(name, []).append(position)
    return found


def side_by_side(
    segments: gpd.GeoDataFrame, trenches: Mapping[str, list[str]], *, trench_m: float = TRENCH_M
) -> dict[str, float]:
    """Return how much of each segment runs beside others of its trench.

    Parameters
    ----------
    segments
        Layer `fibre_segments`.
    trenches
        As in `Network`.
    trench_m
        How near they run. [m]

    Returns
    -------
    dict
        segment_id of every segment in a trench -> length. [m]
    """
    number = {name: k for k, names in enumerate(trenches.values()) for name in names}
    rows = segments[segments["segment_id"].isin(number)]
    lines, names = rows.geometry.to_numpy(), rows["segment_id"].tolist()
    group = np.array([number[name] for name in names], np.int64)
    a, b = shapely.STRtree(lines).query(lines, predicate="dwithin", distance=trench_m)
    beside = (a != b) & (group[a] == group[b])
    a, b = a[beside], b[beside]
    # Beyond its ends nothing runs beside a segment.
    strip = shapely.buffer(lines, trench_m, cap_style="flat")
    found = dict.fromkeys(names, 0.0)
    for at in np.unique(a).tolist():
        near = shapely.union_all(strip[b[a == at]])
        found[names[at]] = float(shapely.length(shapely.intersection(lines[at], near)))
    return found


def _trenches(
    links: pd.DataFrame, segments: gpd.GeoDataFrame | None, trench_m: float
) -> dict[str, list[str]]:
    """Return segments that links run through side by side, by the first of each group."""
    if segments is None:
        return {}
    used = {name for route in links["route"].tolist() for name in schema.route_segments(route)}
    rows = segments[segments["segment_id"].isin(used)].sort_values("segment_id")
    lines, names = rows.geometry.to_numpy(), rows["segment_id"].tolist()
    if len(lines) < 2:
        return {}
    tree = shapely.STRtree(lines)
    a, b = tree.query(lines, predicate="dwithin", distance=trench_m)
    a, b = a[a < b], b[a < b]
    length = shapely.length(lines)
    # The shorter one lies in the strip along the longer one; cables that only meet do not.
    short, long = np.where(length[a] <= length[b], a, b), np.where(length[a] <= length[b], b, a)
    # Most lines are the longer one of several pairs.
    wide, which = np.unique(long, return_inverse=True)
    strip = shapely.buffer(lines[wide], trench_m)
    beside = shapely.length(shapely.intersection(lines[short], strip[which]))
    together = beside >= np.maximum(_TRENCH_SHARE * length[short], 3.0 * trench_m)
    matrix = scipy.sparse.coo_array(
        (np.ones(int(together.sum())), (a[together], b[together])), shape=(len(lines), len(lines))
    )
    part = connected_components(matrix, directed=False)[1]
    found: dict[int, list[str]] = {}
    for name, number in zip(names, part.tolist(), strict=True):
        found.setdefault(number, []).append(name)
    return {group[0]: group for group in found.values() if len(group) > 1}


# Counts


@dataclass(frozen=True, eq=False)
class NetworkStatus:
    """The state of a network on a day.

    Parameters
    ----------
    day
        ISO date, None for the state as recorded.
    figures
        One row for each figure: measure, zone (row in the layer `zones`, -1 for the whole
        area), code, name, zone_level, valid_from, level (of the sites), group (provider
        or medium, or which value), count, of, share, value, unit. Of the price of leased
        links (measure ``"lease"``), count of the links have one, and value is their sum.
    sites
        The sites that exist on the day, with `connected`, `reachable`, `providers`,
        `links` (how many are live) and `best_mbps` (of the largest live link).
    network
        What is live.
    ending
        As recorded, the last days of the sites that are left out because they have one;
        on a day none.
    """

    day: str | None
    figures: pd.DataFrame
    sites: gpd.GeoDataFrame
    network: Network
    ending: tuple[str, ...] = ()

    def figure(
        self, measure: str, level: str = ALL, *, group: str | None = None
    ) -> tuple[int, int]:
        """Return count and denominator of a figure of the whole area, (0, 0) if there is none."""
        rows = self.figures
        rows = rows[(rows["measure"] == measure) & (rows["level"] == level) & (rows["zone"] == -1)]
        if group is not None:
            rows = rows[rows["group"] == group]
        return (int(rows["count"].iloc[0]), int(rows["of"].iloc[0])) if len(rows) else (0, 0)


_FIGURE_COLUMNS = (
    "measure", "zone", "code", "name", "zone_level", "valid_from", "level", "group", "count",
    "of", "share", "value", "unit",
)  # fmt: skip


def status(source: Workspace | Inventory, on: str | dt.date | None = None) -> NetworkStatus:
    """Return the state of a network on a day.

    Parameters
    ----------
    source
        The study area, or its layers.
    on
        The day, past or to come; None for the state as recorded.

    Returns
    -------
    NetworkStatus
        Figures of the whole area and of every zone that is valid on the day. A site
        belongs to the zone that its code names and to those which that lies in;
        where it has no valid code, to the zones in which it stands.

    Raises
    ------
    InputError
        If there is no layer `network_sites`, or the text is no date.
    """
    inventory, day = as_inventory(source), as_day(on)
    exists, connected = _SiteDays(inventory.sites).on(day)
    live = network(inventory, day)
    sites = inventory.sites.assign(connected=connected).loc[exists].reset_index(drop=True)
    sites = _with_links(sites, live)
    counted = pd.DataFrame(
        {
            "connected": sites["connected"],
            "planned": (sites["status"] == "planned") & ~sites["connected"],
            "lan": sites["lan"],
            "video_conference": sites["video_conference"],
            "reachable": sites["reachable"],
            "bandwidth_met": sites["best_mbps"] >= sites["bandwidth_mbps"],
        }
    )
    base = pd.DataFrame(
        {
            "connected": True,
            "planned": True,
            "lan": True,
            "video_conference": True,
            "reachable": sites["connected"],
            "bandwidth_met": sites["connected"]
            & sites["best_mbps"].notna()
            & sites["bandwidth_mbps"].notna(),
        },
        index=sites.index,
    )
    zones = zones_on(inventory.zones, day)
    member = zone_members(sites, zones)
    whole = pd.DataFrame({"site": np.arange(len(sites)), "zone": -1})
    parts = [
        _shares(counted & base, base, sites["level"], pd.concat([whole, member])),
        _groups(sites, live),
        _bandwidth(sites),
        _leases(live),
        _zones_with_rooms(sites, member, zones),
    ]
    # The first part has the columns even without a row.
    figures = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    ending = inventory.sites["valid_to"].dropna() if day is None else ()
    return NetworkStatus(day, _named(figures, inventory.zones), sites, live, tuple(ending))


def _with_links(sites: gpd.GeoDataFrame, live: Network) -> gpd.GeoDataFrame:
    """Add what the live links say of each site."""
    ends = pd.DataFrame(
        {
            "site_id": np.r_[live.links["from_site"], live.links["to_site"]].astype(object),
            "provider": np.r_[live.links["provider"], live.links["provider"]].astype(object),
            "capacity": np.r_[live.links["capacity_mbps"], live.links["capacity_mbps"]].astype(
                float
            ),
        }
    )
    by_site = ends.groupby("site_id")
    by_name = {
        str(one): "; ".join(sorted({name for cell in cells for name in schema.listed(cell)}))
        for one, cells in by_site["provider"]
    }
    reached = set(live.sites.loc[live.reachable, "site_id"])
    name = sites["site_id"]
    return sites.assign(
        reachable=name.isin(reached).to_numpy(bool),
        providers=np.array([by_name.get(one, "") for one in name], dtype=object),
        links=name.map(by_site.size()).fillna(0).astype(int),
        best_mbps=name.map(by_site["capacity"].max()).astype(float),
    )


def zones_on(zones: gpd.GeoDataFrame | None, day: str | None) -> gpd.GeoDataFrame | None:
    """Return the zones that figures are given for, with their index.

    Parameters
    ----------
    zones
        Layer `zones`.
    day
        ISO date; None for the zones that have not ended, or the newest finest ones if
        all have.

    Returns
    -------
    GeoDataFrame or None
        Rows of `zones`.
    """
    if zones is None or not len(zones):
        return None
    if day is not None:
        return vintages.on(zones, day)
    lasting = zones[zones["valid_to"].isna()]
    return lasting if len(lasting) else finest_zones(zones)


def zone_members(sites: gpd.GeoDataFrame, zones: gpd.GeoDataFrame | None) -> pd.DataFrame:
    """Return which sites belong to which zones.

    Parameters
    ----------
    sites
        Sites, rows numbered from 0.
    zones
        Zones that are valid on one day, with their index in the layer.

    Returns
    -------
    DataFrame
        Columns site (position) and zone (index); a site is in at most one zone of a
        level.
    """
    if zones is None or not len(zones) or not len(sites):
        return pd.DataFrame({"site": np.zeros(0, np.int64), "zone": np.zeros(0, np.int64)})
    where = dict(zip(zones["code"], range(len(zones)), strict=True))
    parents = vintages.parents(zones)
    levels = zones["level"].to_numpy(dtype=object)
    found: dict[tuple[int, str], int] = {}
    for site, code in enumerate(sites["zone_code"].tolist()):
        zone = where.get(code, -1)
        while zone >= 0 and (site, levels[zone]) not in found:
            found[site, levels[zone]] = zone
            zone = int(parents[zone])
    tree = shapely.STRtree(zones.geometry.to_numpy())
    at, inside = tree.query(sites.geometry.to_numpy(), predicate="intersects")
    for k in np.lexsort((inside, at)).tolist():
        found.setdefault((int(at[k]), levels[inside[k]]), int(inside[k]))
    pairs = sorted((site, zone) for (site, _), zone in found.items())
    index = zones.index.to_numpy()
    return pd.DataFrame(
        {
            "site": np.array([site for site, _ in pairs], dtype=np.int64),
            "zone": np.array([index[zone] for _, zone in pairs], dtype=np.int64),
        }
    )


def _shares(
    counted: pd.DataFrame, base: pd.DataFrame, level: pd.Series, member: pd.DataFrame
) -> pd.DataFrame:
    """Count every share by zone and by level of the sites, and for all levels together."""
    site = member["site"].to_numpy(np.int64)
    parts = []
    for name in counted.columns:
        rows = pd.DataFrame(
            {
                "zone": member["zone"].to_numpy(np.int64),
                "level": level.to_numpy(dtype=object)[site],
                "count": counted[name].to_numpy(np.int64)[site],
                "of": base[name].to_numpy(np.int64)[site],
            }
        )
        by_level = rows.groupby(["zone", "level"], as_index=False)[["count", "of"]].sum()
        together = rows.groupby("zone", as_index=False)[["count", "of"]].sum().assign(level=ALL)
        parts.append(pd.concat([together, by_level]).assign(measure=name))
    return pd.concat(parts, ignore_index=True)


def _levels_in(level: pd.Series) -> list[str]:
    """Return all levels together, and those that are there, the highest first."""
    there = set(level)
    return [ALL, *(name for name in schema.SITE_LEVELS if name in there)]


def _groups(sites: gpd.GeoDataFrame, live: Network) -> pd.DataFrame:
    """Count connected sites by provider and by equipment, and live links by medium."""
    rows: list[dict[str, Any]] = []
    connected = sites[sites["connected"]]
    named = connected["providers"].str.split("; ")
    for level in _levels_in(connected["level"]):
        mine = named if level == ALL else named[connected["level"] == level]
        counts = mine.explode().replace("", np.nan).dropna().value_counts()
        rows += [
            {"measure": "provider", "level": level, "group": name, "count": n, "of": len(mine)}
            for name, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        ]
    pieces = connected["equipment"].map(schema.listed).explode().dropna().value_counts()
    rows += [
        {"measure": "equipment", "level": ALL, "group": name, "count": n, "of": len(connected)}
        for name, n in sorted(pieces.items(), key=lambda item: (-item[1], item[0]))
    ]
    media = live.links["medium"].value_counts()
    rows += [
        {"measure": "links", "level": ALL, "group": name, "count": n, "of": len(live.links)}
        for name, n in sorted(media.items(), key=lambda item: (-item[1], item[0]))
    ]
    return pd.DataFrame(rows).assign(zone=-1) if rows else pd.DataFrame()


def _bandwidth(sites: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return least, middle and greatest bandwidth of the connected sites of each level."""
    rows: list[dict[str, Any]] = []
    connected = sites[sites["connected"]]
    for level in _levels_in(connected["level"]):
        mine = connected if level == ALL else connected[connected["level"] == level]
        for measure, column in (("bandwidth", "best_mbps"), ("bandwidth_need", "bandwidth_mbps")):
            known = mine[column].dropna()
            if not len(known):
                continue
            rows += [
                {
                    "measure": measure,
                    "level": level,
                    "group": group,
                    "count": len(known),
                    "of": len(mine),
                    "value": float(known.agg(group)),
                    "unit": "Mbit/s",
                }
                for group in ("min", "median", "max", "sum")
            ]
    return pd.DataFrame(rows).assign(zone=-1) if rows else pd.DataFrame()


def _leases(live: Network) -> pd.DataFrame:
    """Count leased links and add up their price of a month, by provider and level.

    A link counts at the lower level of its two ends: it is there to connect that one. Who
    runs a link together with others is paid together with them.
    """
    if not len(live.links):
        return pd.DataFrame()
    order = live.sites["level"].map(schema.SITE_LEVELS.index).to_numpy(np.int64)
    lower = np.maximum(order[live.tail], order[live.head])
    level = pd.Series([schema.SITE_LEVELS[k] for k in lower.tolist()], index=live.links.index)
    links = live.links.assign(
        level=level,
        group=["; ".join(schema.listed(name)) or UNKNOWN for name in live.links["provider"]],
    )
    leased = links[links["ownership"] == "leased"]
    rows: list[dict[str, Any]] = []
    for name in _levels_in(level):
        known = links["ownership"].notna() & ((level == name) | (name == ALL))
        mine = leased if name == ALL else leased[leased["level"] == name]
        row = {"measure": "leased", "level": name, "group": ""}
        rows.append(row | {"count": len(mine), "of": int(known.sum())})
        for group in ("", *sorted(set(mine["group"]))):
            prices = (mine if not group else mine[mine["group"] == group])["cost_month"]
            if len(prices):
                rows.append(
                    row
                    | {
                        "measure": "lease",
                        "group": group,
                        "count": int(prices.notna().sum()),
                        "of": len(prices),
                        # Without any price it is not known, rather than nothing.
                        "value": float(prices.sum(min_count=1)),
                        "unit": "a month",
                    }
                )
    return pd.DataFrame(rows).assign(zone=-1)


def _zones_with_rooms(
    sites: gpd.GeoDataFrame, member: pd.DataFrame, zones: gpd.GeoDataFrame | None
) -> pd.DataFrame:
    """Count the zones of each level that have an endpoint of their own agencies."""
    if zones is None or not len(zones):
        return pd.DataFrame()
    rows = []
    order = {name: number for number, name in enumerate(schema.SITE_LEVELS)}
    zone_level = zones["level"].map(order)
    site_level = sites["level"].map(order).to_numpy(np.int64)[member["site"]]
    with_room = sites["video_conference"].to_numpy(bool)[member["site"]]
    own = site_level >= zone_level.loc[member["zone"]].to_numpy(np.int64)
    equipped = set(member.loc[with_room & own, "zone"])
    for level in schema.LEVELS:
        mine = zones.index[zones["level"] == level]
        if len(mine):
            rows.append(
                {
                    "measure": "zones_with_conference",
                    "level": level,
                    "count": len(equipped & set(mine)),
                    "of": len(mine),
                    "zone": -1,
                }
            )
    return pd.DataFrame(rows)


def _named(figures: pd.DataFrame, zones: gpd.GeoDataFrame | None) -> pd.DataFrame:
    """Add names of zones and shares, and bring the rows into an order that is always the same."""
    for name in ("group", "unit"):
        given = figures[name].astype(object) if name in figures else pd.Series(dtype=object)
        figures[name] = given.reindex(figures.index).fillna("")
    if "value" not in figures:
        figures["value"] = np.nan
    some = figures["of"] > 0
    figures["share"] = (figures["count"] / figures["of"].where(some)).astype(float)
    for ours, theirs in (
        ("code", "code"), ("name", "name"), ("zone_level", "level"), ("valid_from", "valid_from")
    ):  # fmt: skip
        texts = np.full(len(figures), None, dtype=object)
        if zones is not None:
            inside = (figures["zone"] >= 0).to_numpy(bool)
            found = zones[theirs].astype(object).loc[figures.loc[inside, "zone"]]
            texts[inside] = found.where(found.notna(), None).to_numpy()
        figures[ours] = pd.Series(texts, index=figures.index, dtype=object)
    order = {name: number for number, name in enumerate((ALL, *schema.SITE_LEVELS))}
    rank = figures["level"].map(order)
    figures = figures.assign(_rank=rank, _row=range(len(figures)))
    figures["_measure"] = pd.factorize(figures["measure"])[0]
    figures = figures.sort_values(["_measure", "zone", "_rank", "_row"], kind="stable")
    return figures.reset_index(drop=True)[list(_FIGURE_COLUMNS)]


# Over time


def timeline(
    source: Workspace | Inventory,
    *,
    step: Step = "quarter",
    start: str | dt.date | None = None,
    end: str | dt.date | None = None,
) -> pd.DataFrame:
    """Return the share of connected sites at the end of every month, quarter or year.

    Parameters
    ----------
    source
        The study area, or its layers.
    step
        Length of a period.
    start, end
        Days in the first and the last period; by default those of the first and the
        last day in the inventory.

    Returns
    -------
    DataFrame
        Columns day (last of the period), level (`ALL` and those of the sites), count,
        of and share, the share empty where no site exists. Without any day in the
        inventory and none given it has no rows.

    Raises
    ------
    InputError
        If the step is not known, a text is no date, or the end is before the start.
    """
    months = {"month": 1, "quarter": 3, "year": 12}
    if step not in months:
        raise InputError(
            "{value} is not a step of a time line (expected one of {expected})",
            value=step,
            expected=", ".join(months),
        )
    sites = as_inventory(source).sites
    columns = ["valid_from", "valid_to", "connected_on", "planned_on"]
    days = sorted({day for name in columns for day in sites[name].dropna()})
    first = as_day(start) or (days[0] if days else as_day(end))
    last = as_day(end) or (days[-1] if days else first)
    result = ["day", "level", "count", "of", "share"]
    if first is None or last is None:
        return pd.DataFrame(columns=result)
    if last < first:
        raise InputError(
            "The time line ends on {end}, before its start {start}", end=last, start=first
        )
    spans = _SiteDays(sites)
    level = sites["level"].to_numpy(dtype=object)
    known = _levels_in(sites["level"])
    rows = []
    for day in _ends(first, last, months[step]):
        exists, connected = spans.on(day)
        for name in known:
            mine = np.ones(len(level), bool) if name == ALL else level == name
            count, of = int((connected & mine).sum()), int((exists & mine).sum())
            rows.append((day, name, count, of, count / of if of else np.nan))
    return pd.DataFrame(rows, columns=result)


def _ends(first: str, last: str, months: int) -> list[str]:
    """Return the last days of the periods from that of the first to that of the last day."""
    begin, stop = dt.date.fromisoformat(first), dt.date.fromisoformat(last)
    month = (begin.year * 12 + begin.month - 1) // months * months
    found: list[str] = []
    while not found or found[-1] < stop.isoformat():
        month += months
        year, number = divmod(month, 12)
        if year > dt.MAXYEAR:
            return [*found, dt.date.max.isoformat()]
        found.append((dt.date(year, number + 1, 1) - dt.timedelta(days=1)).isoformat())
    return found
