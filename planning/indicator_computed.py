"""Indicators that the program computes: by which function, from what, on which day.

A definition names its function with arguments, such as ``"coverage 4G area"``. Functions
read results that are kept and layers that are there; none of them computes coverage, so
that a table of all indicators costs little. Where a result is missing, the answer says
what has to be computed first.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from coverage import models, run
from coverage.request import CoverageRequest, cells_of, default_technologies, masts_on_air
from coverage.results import ANY_OPERATOR, CoverageResult
from data import schema
from data.errors import Message, PhuSongError, message
from data.store import Workspace
from planning import broadband, dedicated_network, resilience
from planning.dedicated_network import NetworkStatus
from planning.indicator_definitions import Definition, parsed
from planning.indicator_values import Value


@dataclass(frozen=True)
class Computed:
    """What a function says of an indicator.

    Parameters
    ----------
    value
        In the unit of the definition; None where it cannot be said.
    low, high
        Its interval, where there is one.
    count, of
        The count behind a share, and what it is a share of.
    as_of
        ISO date that the value describes.
    method
        Function, inputs and what else it depends on.
    missing
        Why there is no value.
    zones
        Code of a zone -> value there.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    count: float | None = None
    of: float | None = None
    as_of: str = ""
    method: Message | None = None
    missing: Message | None = None
    zones: Mapping[str, float] = field(default_factory=dict)


class Sources:
    """What functions read, each once.

    Parameters
    ----------
    workspace
        The study area.
    on
        ISO date, None for the present state.
    reported
        Reported values up to the day.
    request
        The coverage whose figures count; the defaults if None.
    titles
        Code -> definition, to name counts in sentences; codes stand for those that are
        not there.
    """

    def __init__(
        self,
        workspace: Workspace,
        on: str | None = None,
        reported: Iterable[Value] = (),
        request: CoverageRequest | None = None,
        titles: Mapping[str, Definition] | None = None,
    ) -> None:
        self.workspace = workspace
        self.on = on
        self._reported = [
            item for item in reported if not item.zone_code and item.value is not None
        ]
        self._request = request
        self._titles = titles or {}

    def named(self, code: str) -> Definition | str:
        """Return what has the name of an indicator in both languages."""
        return self._titles.get(code, code)

    def counts(self, *codes: str) -> tuple[str, list[float]] | None:
        """Return the newest day on which all of some counts are reported, and the counts."""
        by_day: dict[str, dict[str, float]] = {}
        for item in self._reported:
            if item.indicator in codes and item.value is not None:
                by_day.setdefault(item.as_of, {})[item.indicator] = item.value
        days = [day for day, found in by_day.items() if len(found) == len(set(codes))]
        if not days:
            return None
        day = max(days)
        return day, [by_day[day][code] for code in codes]

    @cached_property
    def zones(self) -> gpd.GeoDataFrame:
        """The zones that are valid on the day, with their row in the layer as index."""
        if not self.workspace.has("zones"):
            return schema.empty_frame("zones", self.workspace.area.crs)
        zones = self.workspace.read("zones").reset_index(drop=True)
        found = dedicated_network.zones_on(zones, self.on)
        return zones if found is None else found

    def of_level(self, *, finest: bool) -> gpd.GeoDataFrame:
        """Return the zones of the widest, or of the finest level."""
        there = [name for name in schema.LEVELS if name in set(self.zones["level"])]
        return self.zones[self.zones["level"] == there[-1 if finest else 0]] if there else (
            self.zones
        )  # fmt: skip

    @cached_property
    def past(self) -> bool:
        """Whether the day is before today: layers without days do not describe it."""
        return self.on is not None and self.on < dt.datetime.now(dt.UTC).date().isoformat()

    @cached_property
    def coverage(self) -> CoverageResult | None:
        """The kept coverage, None where there is none."""
        if not all(self.workspace.has(name) for name in ("masts", "cells", "terrain")):
            return None
        request = self._request or CoverageRequest(
            technologies=default_technologies(self.workspace)
        )
        return run.lookup(self.workspace, request)

    @cached_property
    def broadband(self) -> broadband.BroadbandResult | None:
        """The kept broadband coverage, None where there is none."""
        return broadband.lookup(self.workspace)

    @cached_property
    def network(self) -> NetworkStatus | None:
        """The state of the dedicated network on the day, None where there is none."""
        if not self.workspace.has(dedicated_network.SITES):
            return None
        return dedicated_network.status(self.workspace, self.on)

    def date_of(self, *layers: str) -> str:
        """Return the day on which the newest of some layers was read."""
        origins = self.workspace.provenance()
        return max((origins[name].retrieved_at[:10] for name in layers if name in origins),
                   default="")  # fmt: skip


_NO_COVERAGE = message("Compute the coverage first (page Coverage map, or `planning coverage`)")
_NO_BROADBAND = message(
    "Compute broadband coverage first (page Broadband, or `planning broadband`)"
)
_NO_NETWORK = message("There is no dedicated network: import the layers of the network")
_PAST = message("Known for the present state only; earlier values are those that were kept")


def _share_of_zones(table: pd.DataFrame, sources: Sources, service: str, measure: str) -> Computed:
    """Return a share of the whole area from figures by zone, and those of the zones."""
    rows = table[
        (table["service"] == service)
        & (table["measure"] == measure)
        & (table["operator"] == ANY_OPERATOR)
        & table["zone"].isin(sources.zones.index)
        & (table["weight"] > 0.0)
    ].dropna(subset=["share"])
    whole = rows[rows["zone"].isin(sources.of_level(finest=False).index)]
    if whole.empty:
        return Computed(missing=message("The result has no such figure"))
    weight = whole["weight"].to_numpy(float)
    # Bounds of several zones are added up, as if all errors went one way.
    value, low, high = (
        100.0 * float(np.average(whole[name], weights=weight))
        for name in ("share", "interval_low", "interval_high")
    )
    of = float(weight.sum())
    zones = {
        str(code): 100.0 * float(share)
        for code, share in zip(rows["code"], rows["share"], strict=True)
    }
    return Computed(value, low, high, count=value / 100.0 * of, of=of, zones=zones)


def _coverage(sources: Sources, service: str, measure: str) -> Computed:
    if sources.past:
        return Computed(missing=_PAST)
    result = sources.coverage
    if result is None:
        return Computed(missing=_NO_COVERAGE)
    found = _share_of_zones(result.figures, sources, service, measure)
    if found.value is None:
        return found
    thresholds = result.summary["provenance"]["thresholds"]
    named = [
        f"{thresholds[name]['threshold_dbm']:g} dBm ({name}, "
        f"{100 * thresholds[name]['probability']:g} %)"
        for name in thresholds
        if service in (name, "any") or (service == "3G_or_4G" and name in ("3G", "4G"))
    ]
    return _dated(
        found,
        sources.date_of("masts", "cells"),
        message(
            "coverage, model {model}, {resolution} m, thresholds {thresholds}",
            model=models.title_of(result.summary["model"]),
            resolution=f"{result.summary['resolution_m']:g}",
            thresholds=", ".join(named),
        ),
    )


def _outside(sources: Sources, service: str, measure: str) -> Computed:
    found = _coverage(sources, service, measure)
    if found.value is None or found.of is None or found.low is None or found.high is None:
        return found
    part = found.of / 100.0
    return Computed(
        part * (100.0 - found.value),
        part * (100.0 - found.high),
        part * (100.0 - found.low),
        as_of=found.as_of,
        method=found.method,
    )


def _broadband(sources: Sources, service: str, measure: str) -> Computed:
    if sources.past:
        return Computed(missing=_PAST)
    result = sources.broadband
    if result is None:
        return Computed(missing=_NO_BROADBAND)
    request = result.summary["provenance"]["request"]
    return _dated(
        _share_of_zones(result.figures, sources, service, measure),
        sources.date_of("fibre_nodes", "fibre_segments"),
        message("broadband, longest drop {drop} m", drop=f"{request['drop_m']:g}"),
    )


def _network(sources: Sources, measure: str, level: str) -> Computed:
    """Count sites; a share where a definition asks for "%", which `compute` decides."""
    state = sources.network
    if state is None:
        return Computed(missing=_NO_NETWORK)
    count, of = state.figure(measure, level)
    if not of:
        return Computed(missing=message("The inventory has no such site on that day"))
    rows = state.figures
    rows = rows[(rows["measure"] == measure) & (rows["zone"] >= 0) & (rows["level"] == level)]
    zones = dict(zip(rows["code"].astype(str), rows["count"].astype(float), strict=True))
    return Computed(
        float(count),
        count=float(count),
        of=float(of),
        as_of=state.day or sources.date_of(dedicated_network.SITES),
        method=message("dedicated network, counted in its inventory"),
        zones=zones,
    )


def _network_share(sources: Sources, measure: str, level: str) -> Computed:
    found = _network(sources, measure, level)
    if found.count is None or not found.of:
        return found
    share = 100.0 * found.count / found.of
    return Computed(share, count=found.count, of=found.of, as_of=found.as_of, method=found.method)


def _protected(sources: Sources) -> Computed:
    state = sources.network
    if state is None:
        return Computed(missing=_NO_NETWORK)
    live = state.network
    roots = np.flatnonzero(live.hub)
    if not len(roots) or not len(live.sites):
        return Computed(missing=message("No connected site is a data centre"))
    found = resilience.single_failures(len(live.sites), live.tail, live.head, roots)
    safe = live.reachable.copy()
    for edge in np.flatnonzero(found.edge_count):
        safe[found.lost_by_edge(int(edge))] = False
    return Computed(
        100.0 * float(safe.sum()) / len(safe),
        count=float(safe.sum()),
        of=float(len(safe)),
        as_of=state.day or sources.date_of(dedicated_network.LINKS),
        method=message("dedicated network, every single failure of a link"),
    )


def _points(sources: Sources, what: str, kinds: str) -> Computed:
    if sources.past:
        return Computed(missing=_PAST)
    layer = "points_of_interest"
    if not sources.workspace.has(layer):
        return Computed(
            missing=message("There are no public places: import the layer points_of_interest")
        )
    points = sources.workspace.read(layer)
    points = points[points["kind"].isin(kinds.split(";"))]
    if points.empty:
        # A layer without any of a kind is more likely incomplete than a province without.
        return Computed(missing=message("The layer of public places has no such point"))
    counts = _per_zone(points, sources.of_level(finest=True))
    of = len(counts)
    method = message("public places of the kinds {kinds}", kinds=kinds.replace(";", ", "))
    zones = {code: float(count) for code, count in counts.items()}
    if what == "count":
        return Computed(
            float(sum(counts.values())), as_of=sources.date_of(layer), method=method, zones=zones
        )
    some = sum(count > 0 for count in counts.values())
    return Computed(
        100.0 * some / of,
        count=float(some),
        of=float(of),
        as_of=sources.date_of(layer),
        method=method,
        zones={code: 100.0 * (count > 0) for code, count in counts.items()},
    )


def _per_zone(points: gpd.GeoDataFrame, zones: gpd.GeoDataFrame) -> dict[str, int]:
    """Count points by zone of one level; one on a border belongs to the first."""
    tree = shapely.STRtree(zones.geometry.to_numpy())
    at, zone = tree.query(points.geometry.to_numpy(), predicate="intersects")
    first = pd.DataFrame({"point": at, "zone": zone}).groupby("point")["zone"].min()
    found = np.bincount(first.to_numpy(np.int64), minlength=len(zones))
    return dict(zip(zones["code"].astype(str), found.tolist(), strict=True))


def _masts(sources: Sources) -> Computed:
    if sources.past:
        return Computed(missing=_PAST)
    masts = _masts_here(sources)
    if masts is None:
        return Computed(missing=message("There are no masts: import the layer masts"))
    counts = _per_zone(masts, sources.of_level(finest=True))
    return Computed(
        float(sum(counts.values())),
        as_of=sources.date_of("masts"),
        method=message("masts in operation within the area"),
        zones={code: float(count) for code, count in counts.items()},
    )


def _sharing(sources: Sources) -> Computed:
    if sources.past:
        return Computed(missing=_PAST)
    masts = _masts_here(sources)
    cells = cells_of(sources.workspace)
    if masts is None or cells.empty:
        return Computed(missing=message("There are no masts or no cells"))
    operators = cells.groupby("mast_id")["operator"].nunique()
    tenants = masts["mast_id"].map(operators).fillna(0)
    used = int((tenants > 0).sum())
    if not used:
        return Computed(missing=message("There are no masts or no cells"))
    shared = int((tenants > 1).sum())
    return Computed(
        100.0 * shared / used,
        count=float(shared),
        of=float(used),
        as_of=sources.date_of("masts", "cells"),
        method=message("masts with cells of two or more operators"),
    )


def _masts_here(sources: Sources) -> gpd.GeoDataFrame | None:
    """Return the masts in operation within the area, None where there are none."""
    masts = masts_on_air(sources.workspace)
    zones = sources.of_level(finest=True)
    if masts.empty or zones.empty:
        return None
    at, _ = shapely.STRtree(zones.geometry.to_numpy()).query(
        masts.geometry.to_numpy(), predicate="intersects"
    )
    return masts.iloc[np.unique(at)]


_NO_COUNTS = message("The counts that it is made of are not entered for one and the same day")


def _percent(sources: Sources, part: str, whole: str) -> Computed:
    """Compute a share from two reported counts of one day."""
    found = sources.counts(part, whole)
    if found is None or not found[1][1]:
        return Computed(missing=_NO_COUNTS)
    day, (count, of) = found
    return Computed(
        100.0 * count / of,
        count=count,
        of=of,
        as_of=day,
        method=message(
            "from the entered counts “{part}” and “{whole}”",
            part=sources.named(part),
            whole=sources.named(whole),
        ),
    )


def _sum(sources: Sources, *parts: str) -> Computed:
    found = sources.counts(*parts)
    if found is None:
        return Computed(missing=_NO_COUNTS)
    day, counts = found
    named = {f"part{number}": sources.named(code) for number, code in enumerate(parts)}
    terms = Message(", ".join(f"“{{{name}}}”" for name in named), named)
    return Computed(
        sum(counts), as_of=day, method=message("sum of the entered counts {parts}", parts=terms)
    )


def _dated(found: Computed, as_of: str, method: Message) -> Computed:
    if found.value is None:
        return found
    return Computed(
        found.value, found.low, found.high, found.count, found.of, as_of, method, None, found.zones
    )


#: The functions of `indicator_definitions.ARGUMENTS`.
FUNCTIONS: dict[str, Callable[..., Computed]] = {
    "coverage": _coverage,
    "outside": _outside,
    "broadband": _broadband,
    "network": _network,
    "network_share": _network_share,
    "protected": _protected,
    "points": _points,
    "count_masts": _masts,
    "sharing": _sharing,
    "percent": _percent,
    "sum": _sum,
}


def compute(computed_by: str, sources: Sources) -> Computed | None:
    """Return what a definition's function says.

    Parameters
    ----------
    computed_by
        Of the definition.
    sources
        What functions read.

    Returns
    -------
    Computed or None
        None where values are entered. A fault in a layer or result becomes the reason
        why there is no value, so that one figure never takes a table down.

    Raises
    ------
    InputError
        If there is no such function.
    """
    asked = parsed(computed_by)
    if asked is None:
        return None
    name, arguments = asked
    try:
        found = FUNCTIONS[name](sources, *arguments)
    except PhuSongError as error:
        return Computed(missing=error.message)
    if found.value is not None and not math.isfinite(found.value):
        return Computed(missing=message("The result has no such figure"))
    return found


def as_values(code: str, found: Computed, denominator: str) -> list[Value]:
    """Return a computed figure and those of zones as values, to be kept.

    Parameters
    ----------
    code
        Of the indicator.
    found
        What was computed.
    denominator
        Of the definition.

    Returns
    -------
    list of Value
        The whole area first; none where there is no value.
    """
    if found.value is None:
        return []
    common: dict[str, Any] = {
        "indicator": code,
        "kind": "computed",
        "as_of": found.as_of,
        "denominator": denominator,
        "method": str(found.method or ""),
    }
    whole = Value("", value=found.value, count=found.count, of=found.of, low=found.low,
                  high=found.high, **common)  # fmt: skip
    return [whole] + [
        Value("", value=value, zone_code=zone, **common) for zone, value in found.zones.items()
    ]
