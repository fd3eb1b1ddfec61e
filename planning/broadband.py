"""Broadband coverage: which homes the fibre that is there can serve, and mobile beside it.

A home is *served* if it lies within the drop length of a live access point, measured
along the routes, if the optical budget from the exchange through that access point to
the home closes, and if a port is left for it. Each of these conditions is also
counted alone. Mobile broadband is a separate figure, and "fixed or mobile" a third.

Figures are shares of households and of people by zone. Their range comes from what is
doubtful: the drop length, ports that are not in the data, and the optical losses.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.special
import shapely
from numpy.typing import NDArray

from coverage import run
from coverage.percentages import NORMAL_95
from coverage.request import default_technologies
from coverage.results import ANY_OPERATOR, CoverageResult, write_zones
from data.errors import InputError, Message, message
from data.store import Workspace
from data.study_area import finest_zones
from planning import homes as homes_module
from planning import optical, route_graph
from planning.access_reach import Pairs, assign, find_pairs, ranks
from planning.cost import unit_costs
from planning.homes import Homes
from planning.light_paths import LightPaths, light_paths

#: Changes whenever the figures of the same inputs would change.
ENGINE_VERSION = "1"

#: Name of the figure that is compared with reported ones: homes served by fibre.
SERVED = "broadband"

#: Figures and what each counts.
SERVICES = {
    "broadband_reach": "within the drop length of a live access point",
    "broadband_port": "within reach, and a port in use or free for it",
    "broadband_free_port": "within reach, and a free port for it",
    "broadband_budget": "within reach, and the optical budget back to the exchange closes",
    SERVED: "within reach, budget closes, and a port for it",
    "mobile_broadband": "mobile broadband at the rate asked for",
    "broadband_or_mobile": "served by fibre or mobile broadband",
}

#: Kinds of nodes that give access even if the data do not say how many ports they have.
ACCESS_TYPES = ("cabinet", "splitter")

FloatArray = NDArray[np.float64]
Progress = Callable[[float], None]

_LAYERS = (
    "zones",
    "roads",
    "fibre_segments",
    "fibre_nodes",
    "population",
    "villages",
    "clutter",
)
_RATED = ("3G", "4G", "5G")
_ADVICE = "python -m planning data import {layer} FILE"


def _silent(_: float) -> None:
    return None


@dataclass(frozen=True)
class BroadbandRequest:
    """What to compute.

    Parameters
    ----------
    drop_m
        Longest drop: from the home to the route, along it, and to the access point.
        A planning assumption. [m]
    access_reach_m
        How far a home, an access point or an exchange may stand off the nearest route. [m]
    ports
        ``"all"``: a port in use counts, because it serves a home already; ``"free"``:
        only homes that could be newly connected count as served.
    homes
        ``"auto"``, ``"population"`` or ``"villages"``; see `planning.homes.find`.
    household_size
        People of one household where the zones do not say.
    spacing_m
        Distance between homes made of the population raster. [m]
    drop_uncertainty
        By what share the drop length may be wrong, for the range.
    assumed_ports
        Ports of an access point that has none in the data; for the range 0 and no limit.
    assumed_pon_class
        Budget class where neither access point nor exchange has one.
    assumed_split_ratio
        Outputs of the splitters where the data do not say.
    rate_mbps
        Least rate of mobile broadband. [Mbit/s]
    mobile_technologies
        Technologies that count, where the coverage has them.
    mobile_coverage
        Coverage that mobile broadband is read from; the default one if None.
    """

    drop_m: float = 300.0
    access_reach_m: float = 300.0
    ports: Literal["all", "free"] = "all"
    homes: homes_module.Source = "auto"
    household_size: float = homes_module.HOUSEHOLD_SIZE
    spacing_m: float = homes_module.SPACING_M
    drop_uncertainty: float = 0.2
    assumed_ports: int = 8
    assumed_pon_class: str = "B+"
    assumed_split_ratio: int = 64
    rate_mbps: float = 10.0
    mobile_technologies: tuple[str, ...] = ("4G", "5G")
    mobile_coverage: run.CoverageRequest | None = None


@dataclass(frozen=True, eq=False)
class BroadbandResult:
    """A computed broadband coverage, read from its folder.

    Parameters
    ----------
    folder
        Where its files are.
    summary
        The content of `broadband.json`.
    figures
        One row for each zone, service and measure ("household", "population"): share,
        interval_low, interval_high, count (what the share is of `weight`), weight, after
        zone (row in the layer `zones`), code, name, level, valid_from, service, operator
        ("any") and measure.
    """

    folder: Path
    summary: dict[str, Any]
    figures: pd.DataFrame

    @cached_property
    def homes(self) -> gpd.GeoDataFrame:
        """The homes: households, people, distance, nearest access point, shares and state."""
        return gpd.read_file(self.folder / "homes.gpkg", layer="homes")

    @cached_property
    def access_points(self) -> gpd.GeoDataFrame:
        """The access points: ports, homes given, way to the exchange, loss and state."""
        return gpd.read_file(self.folder / "homes.gpkg", layer="access_points")


def checked(request: BroadbandRequest) -> BroadbandRequest:
    """Return a request whose numbers are usable.

    Parameters
    ----------
    request
        What is wanted.

    Returns
    -------
    BroadbandRequest
        The same.

    Raises
    ------
    InputError
        If a number is out of range or a word is not known.
    """
    ranges: dict[str, tuple[float, float]] = {
        "drop_m": (1.0, 20_000.0),
        "access_reach_m": (1.0, 20_000.0),
        "drop_uncertainty": (0.0, 0.9),
        "assumed_ports": (0, 10_000),
        "rate_mbps": (0.01, 100_000.0),
    }
    for name, (low, high) in ranges.items():
        value = getattr(request, name)
        if not low <= value <= high:
            raise InputError(
                "{what} is {value} (expected a number from {low} to {high})",
                what=name,
                value=value,
                low=f"{low:g}",
                high=f"{high:g}",
            )
    choices: dict[str, tuple[str, ...]] = {
        "ports": ("all", "free"),
        "homes": ("auto", "population", "villages"),
    }
    for name, options in choices.items():
        value = getattr(request, name)
        if value not in options:
            raise InputError(
                "{what} is {value} (expected one of {expected})",
                what=name,
                value=value,
                expected=", ".join(options),
            )
    for technology in request.mobile_technologies:
        if technology not in _RATED:
            raise InputError(
                "{what} is {value} (expected one of {expected})",
                what="mobile_technologies",
                value=technology,
                expected=", ".join(_RATED),
            )
    return request


def coverage(
    workspace: Workspace,
    request: BroadbandRequest | None = None,
    *,
    homes: gpd.GeoDataFrame | None = None,
    compute_mobile: bool = True,
    threads: int | None = None,
    on_progress: Progress = _silent,
) -> BroadbandResult:
    """Compute the broadband coverage of a study area, or read it if it was computed before.

    Parameters
    ----------
    workspace
        The study area with zones, fibre_nodes, roads or fibre_segments, and population or
        villages.
    request
        What to compute; the defaults if None.
    homes
        Homes of the user's own; see `planning.homes.find`.
    compute_mobile
        Whether to compute the mobile coverage where it is not kept; otherwise there are
        no mobile figures in that case.
    threads
        For the mobile coverage.
    on_progress
        Called with the finished share from the caller's thread; may raise
        `CancelledError`, which leaves nothing behind.

    Returns
    -------
    BroadbandResult
        Figures, homes and access points.

    Raises
    ------
    InputError
        If the request or a layer cannot be used.
    """
    request = checked(request or BroadbandRequest())
    table = optical.optical_table(workspace.folder)
    table.named(request.assumed_pon_class)
    table.splitter_loss_db(request.assumed_split_ratio)
    _check_layers(workspace)
    mobile = _mobile_request(workspace, request)
    mobile_result = None
    if mobile is not None:
        mobile_result = run.lookup(workspace, mobile)
        if mobile_result is None and compute_mobile:
            mobile_result = run.compute(
                workspace, mobile, threads=threads, on_progress=lambda x: on_progress(0.6 * x)
            )
    done = 0.6 if mobile_result is not None and compute_mobile else 0.0
    key = _key(workspace, request, table, homes, mobile_result)
    folder = workspace.folder / "results" / f"broadband-{key}"
    if folder.exists():
        on_progress(1.0)
        return load(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".part-"))
    try:
        _compute_into(
            part,
            workspace,
            request,
            table,
            homes,
            mobile_result,
            key,
            lambda share: on_progress(done + (1.0 - done) * share),
        )
        try:
            part.rename(folder)
        except OSError:
            # Somebody else finished the same result first; theirs is as good.
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return load(folder)


def load(folder: Path) -> BroadbandResult:
    """Read a result that `coverage` or `save` wrote.

    Parameters
    ----------
    folder
        The folder with `broadband.json`.

    Returns
    -------
    BroadbandResult
        The result.

    Raises
    ------
    InputError
        If there is none.
    """
    try:
        summary = json.loads((folder / "broadband.json").read_text(encoding="utf-8"))
        names = ("code", "name", "level", "valid_from", "service", "operator", "measure")
        figures = pd.read_csv(
            folder / "broadband_figures.csv",
            dtype=dict.fromkeys(names, str),
            keep_default_na=False,
            na_values=[""],
        )
    except (OSError, ValueError) as error:
        raise InputError(
            "{folder} holds no broadband result that can be read (expected broadband.json and "
            "broadband_figures.csv)",
            folder=folder,
        ) from error
    return BroadbandResult(folder, summary, figures)


def save(result: BroadbandResult, out: Path) -> Path:
    """Copy a result's files into a folder of the user's.

    Parameters
    ----------
    result
        The result.
    out
        The folder; made if absent, its files of the same names are replaced.

    Returns
    -------
    Path
        The folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    for source in sorted(result.folder.iterdir()):
        handle, name = tempfile.mkstemp(dir=out, prefix=f".{source.name}.")
        os.close(handle)
        shutil.copyfile(source, name)
        Path(name).chmod(0o644)
        Path(name).replace(out / source.name)
    return out


# What is asked


def _check_layers(workspace: Workspace) -> None:
    for layer in ("zones", "fibre_nodes"):
        if not workspace.has(layer):
            raise InputError(
                "The workspace has no {layer}, which broadband coverage needs: import it with "
                "`{command}`",
                layer=layer,
                command=_ADVICE.format(layer=layer),
            )
    if not workspace.has("roads") and not workspace.has("fibre_segments"):
        raise InputError(
            "The workspace has neither roads nor fibre_segments, so there is no way from homes to "
            "access points: import one of them with `{command}`",
            command=_ADVICE.format(layer="roads"),
        )


def _mobile_request(workspace: Workspace, request: BroadbandRequest) -> run.CoverageRequest | None:
    """Return the coverage that mobile broadband is read from, None where there can be none."""
    if not all(workspace.has(name) for name in ("cells", "masts", "terrain")):
        return None
    asked = request.mobile_coverage
    if asked is None:
        asked = run.CoverageRequest(technologies=default_technologies(workspace))
    return asked if set(asked.technologies) & set(request.mobile_technologies) else None


def _key(
    workspace: Workspace,
    request: BroadbandRequest,
    table: optical.OpticalTable,
    homes: gpd.GeoDataFrame | None,
    mobile: CoverageResult | None,
) -> str:
    depends_on = {
        "engine": ENGINE_VERSION,
        "inputs": workspace.content_hash(*(name for name in _LAYERS if workspace.has(name))),
        "request": dataclasses.asdict(request),
        "optical": repr(table),
        "homes": None if homes is None else _frame_hash(homes),
        "mobile": None if mobile is None else mobile.summary["provenance"]["key"],
    }
    return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()[:32]


def _frame_hash(frame: gpd.GeoDataFrame) -> str:
    digest = hashlib.sha256(str(frame.crs).encode())
    for name in ("households", "population"):
        if name in frame:
            digest.update(f"{name} {frame[name].tolist()}".encode())
    digest.update(b"".join(frame.geometry.to_wkb().fillna(b"")))
    return digest.hexdigest()


# Computing


@dataclass(frozen=True, eq=False)
class Network:
    """Access points and exchanges with what the data say, and what is assumed.

    Parameters
    ----------
    access
        Rows of `fibre_nodes` that are live access points, numbered from 0.
    exchanges
        Rows that are live exchanges.
    budget_checked
        Whether there are cables and exchanges to check the optical budget with.
    paths
        Ways back to the exchanges.
    pon_class, split_ratio
        Of each access point, assumed ones filled in.
    notes
        What a reader must know.
    """

    access: gpd.GeoDataFrame
    exchanges: gpd.GeoDataFrame
    budget_checked: bool
    paths: LightPaths
    pon_class: list[str]
    split_ratio: FloatArray
    notes: list[Message]

    def capacity(self, count: str, unknown: float, free_unknown: float) -> FloatArray:
        """Return the ports that serve homes: all or only free ones.

        Parameters
        ----------
        count
            ``"all"`` or ``"free"``.
        unknown
            Ports of access points that have none in the data.
        free_unknown
            Share of the ports that is free where the data do not say.

        Returns
        -------
        NDArray
            Shape (n_access,).
        """
        ports = self.access["ports"].to_numpy(dtype=float)
        used = self.access["ports_used"].to_numpy(dtype=float)
        total = np.where(np.isnan(ports), unknown, ports)
        if count == "all":
            return total
        free = np.where(np.isnan(used), total * free_unknown, np.maximum(total - used, 0.0))
        return np.where(np.isnan(ports), unknown * free_unknown if unknown else 0.0, free)

    def budget_m(self, table: optical.OpticalTable, case: optical.Case) -> FloatArray:
        """Return the longest drop for which each access point's budget closes.

        Parameters
        ----------
        table
            Classes and losses.
        case
            Which values of the table.

        Returns
        -------
        NDArray
            Negative where not even a drop of no length will do; infinite where budgets
            are not checked. [m]
        """
        if not self.budget_checked:
            return np.full(len(self.access), np.inf)
        largest = max(table.splitters)
        known: dict[tuple[str, float], float] = {}
        reach = np.empty(len(self.access))
        for k, pair in enumerate(zip(self.pon_class, self.split_ratio.tolist(), strict=True)):
            if pair not in known:
                name, ratio = pair
                fits = ratio <= largest and bool(
                    optical.closes(name, 0.0, int(ratio), case=case, table=table)
                )
                known[pair] = (
                    optical.reach_m(name, int(ratio), case=case, table=table) if fits else -1.0
                )
            reach[k] = known[pair]
        return np.where(reach < 0.0, -1.0, reach - self.paths.length_m)


def drop_routes(
    roads: gpd.GeoDataFrame | None, segments: gpd.GeoDataFrame | None
) -> route_graph.BuiltGraph:
    """Return the routes that drop cables follow: roads, and ducts and poles away from them.

    What runs beside a road is left out, because a drop may cross the road anywhere,
    while two lines side by side would be joined at their ends only.

    Parameters
    ----------
    roads, segments
        Layers `roads` and `fibre_segments`, or None.

    Returns
    -------
    route_graph.BuiltGraph
        The routes, and what was doubtful about the lines.

    Raises
    ------
    InputError
        If there are neither.
    """
    if roads is not None and segments is not None and len(segments):
        open_ = roads[~roads["road_class"].astype(str).str.lower().isin(route_graph.CLOSED_ROADS)]
        segments = _away_from(segments, open_.geometry.to_numpy())
    return route_graph.build(
        roads=roads,
        fibre_segments=segments,
        costs=unit_costs(),
        link_m=route_graph.LINK_M + 1.0,
    )


def _away_from(segments: gpd.GeoDataFrame, roads: NDArray[np.object_]) -> gpd.GeoDataFrame:
    """Return the parts of segments that do not run beside a road."""
    lines = segments.geometry.to_numpy()
    one, other = shapely.STRtree(roads).query(
        lines, predicate="dwithin", distance=route_graph.LINK_M
    )
    around = shapely.buffer(roads[other], route_graph.LINK_M)
    left = lines.copy()
    beside = np.zeros(len(lines), dtype=bool)
    beside[one[shapely.covered_by(lines[one], around)]] = True
    order = np.argsort(one, kind="stable")
    for segment, where in _runs(one[order]):
        if not beside[segment]:
            near = shapely.union_all(around[order[where]])
            left[segment] = shapely.difference(lines[segment], near)
    keep = ~beside & (shapely.length(left) > 1.0)
    return segments[keep].set_geometry(left[keep], crs=segments.crs)


def _runs(values: NDArray[np.int64]) -> Iterator[tuple[int, slice]]:
    """Yield each value of a sorted array and where it stands."""
    change = np.r_[True, values[1:] != values[:-1]] if len(values) else np.zeros(0, dtype=bool)
    starts = np.flatnonzero(change)
    for first, last in zip(starts, [*starts[1:], len(values)], strict=True):
        yield int(values[first]), slice(int(first), int(last))


def read_network(
    workspace: Workspace, request: BroadbandRequest, table: optical.OpticalTable
) -> Network:
    """Read the access points of a study area and find their ways back to the exchanges.

    Parameters
    ----------
    workspace
        The study area.
    request
        What is assumed where data are missing.
    table
        Classes of optical budgets.

    Returns
    -------
    Network
        The network.

    Raises
    ------
    InputError
        If there is no live access point.
    """
    nodes = workspace.read("fibre_nodes").reset_index(drop=True)
    segments = workspace.read("fibre_segments") if workspace.has("fibre_segments") else None
    live = (nodes["status"] == "existing").to_numpy()
    ports = nodes["ports"].to_numpy(dtype=float)
    kind = nodes["node_type"].isin(ACCESS_TYPES).to_numpy()
    gives = (ports > 0.0) | (kind & np.isnan(ports))
    access = nodes[live & gives].reset_index(drop=True)
    exchanges = nodes[live & (nodes["node_type"] == "olt")].reset_index(drop=True)
    if not len(access):
        raise InputError(
            "None of the {count} rows of fibre_nodes is a live access point (expected cabinets or "
            "splitters, or other nodes with ports, of status existing)",
            count=len(nodes),
        )
    paths = light_paths(segments, access, exchanges, tolerance_m=request.access_reach_m)
    notes = []
    planned = int((~live & gives).sum())
    if planned:
        notes.append(message("Access points not yet or no longer live: {count}.", count=planned))
    checked_budget = segments is not None and len(exchanges) > 0
    if not checked_budget:
        notes.append(
            message(
                "The optical budget was not checked, because there are no exchanges (node type "
                "olt) or no fibre_segments in the workspace."
            )
        )
    else:
        lost = int((~np.isfinite(paths.length_m)).sum())
        if lost:
            notes.append(
                message(
                    "Access points without a way along existing cables to an exchange of their "
                    "owner: {count} ({examples}).",
                    count=lost,
                    examples=_examples(access["node_id"], ~np.isfinite(paths.length_m)),
                )
            )
        if paths.leased.any():
            notes.append(
                message(
                    "Access points whose way to the exchange uses cables of other owners: {count}.",
                    count=int(paths.leased.sum()),
                )
            )
    missing = int(access["ports"].isna().sum())
    if missing:
        notes.append(
            message(
                "Access points without a number of ports: {count}; {assumed} were assumed, and for "
                "the range none and no limit.",
                count=missing,
                assumed=request.assumed_ports,
            )
        )
    names = _classes(access, exchanges, paths, request, table, notes)
    ratio = access["split_ratio"].to_numpy(dtype=float)
    if checked_budget and np.isnan(ratio).any():
        notes.append(
            message(
                "Access points without a split ratio: {count}; 1:{assumed} was assumed.",
                count=int(np.isnan(ratio).sum()),
                assumed=request.assumed_split_ratio,
            )
        )
    ratio = np.where(np.isnan(ratio), request.assumed_split_ratio, ratio)
    return Network(access, exchanges, checked_budget, paths, names, ratio, notes)


def _examples(names: pd.Series, where: NDArray[np.bool_]) -> str:
    found = sorted(names[where].astype(str))
    return ", ".join(found[:5]) + (", …" if len(found) > 5 else "")


def _classes(
    access: gpd.GeoDataFrame,
    exchanges: gpd.GeoDataFrame,
    paths: LightPaths,
    request: BroadbandRequest,
    table: optical.OpticalTable,
    notes: list[Message],
) -> list[str]:
    """Return the budget class of each access point: its own, the exchange's or the assumed one."""
    own = access["pon_class"].astype(object).where(access["pon_class"].notna(), "").tolist()
    theirs = exchanges["pon_class"].astype(object).where(exchanges["pon_class"].notna(), "")
    theirs = [*theirs.tolist(), ""]
    strange: set[str] = set()
    names, assumed = [], 0
    for mine, exchange in zip(own, paths.exchange.tolist(), strict=True):
        name = str(mine or theirs[exchange]).strip().upper()
        if name and name not in table.classes:
            strange.add(name)
            name = ""
        assumed += not name
        names.append(name or request.assumed_pon_class.upper())
    if strange:
        notes.append(
            message(
                "Optical budget classes that are not known, taken as {assumed}: {names} (expected "
                "some of {expected}).",
                assumed=request.assumed_pon_class,
                names=", ".join(sorted(strange)),
                expected=", ".join(table.classes),
            )
        )
    if assumed:
        notes.append(
            message(
                "Access points without an optical budget class: {count}; {assumed} was assumed.",
                count=assumed,
                assumed=request.assumed_pon_class,
            )
        )
    return names


#: Central value, low and high of a share, each of shape (n_homes,).
Range = tuple[FloatArray, FloatArray, FloatArray]


def fixed_shares(
    pairs: Pairs,
    homes: Homes,
    network: Network,
    request: BroadbandRequest,
    table: optical.OpticalTable,
) -> dict[str, Range]:
    """Return what share of each home has each step of fixed broadband.

    Parameters
    ----------
    pairs
        Homes and access points within the greatest doubtful drop length of each other.
    homes, network
        Where they come from.
    request
        What is asked.
    table
        Classes and losses.

    Returns
    -------
    dict
        Service -> its share, lowest and highest share of each home, 0 to 1.
    """
    places = network.access.geometry
    orders: dict[str, Any] = {
        "home_rank": ranks(homes.x_m, homes.y_m, homes.households),
        "access_rank": ranks(
            places.x.to_numpy(),
            places.y.to_numpy(),
            network.access["node_id"].astype(str).to_numpy(),
        ),
    }
    free_share = _free_share(network.access)
    cases: tuple[tuple[float, float, float, optical.Case], ...] = (
        (1.0, request.assumed_ports, free_share, "usual"),
        (1.0 - request.drop_uncertainty, 0.0, 0.0, "greatest"),
        (1.0 + request.drop_uncertainty, np.inf, 1.0, "least"),
    )
    found: dict[str, list[FloatArray]] = {
        name: [] for name in SERVICES if name.startswith(SERVED) and "mobile" not in name
    }
    weight = np.where(homes.households > 0.0, homes.households, 1.0)
    for factor, unknown, free_unknown, case in cases:
        near = pairs.within(round(request.drop_m * factor, 6))
        lit = near & pairs.within(network.budget_m(table, case))

        def given(count: str, use: NDArray[np.bool_], *unknowns: float) -> FloatArray:
            ports = network.capacity(count, *unknowns)
            got = assign(pairs, weight, ports, use=use, **orders)
            return np.clip(got / weight, 0.0, 1.0)

        unknowns = (unknown, free_unknown)
        found["broadband_reach"].append(_any(pairs, near, len(homes)))
        found["broadband_port"].append(given("all", near, *unknowns))
        found["broadband_free_port"].append(given("free", near, *unknowns))
        found["broadband_budget"].append(_any(pairs, lit, len(homes)))
        found[SERVED].append(given(request.ports, lit, *unknowns))
    return {name: (values[0], values[1], values[2]) for name, values in found.items()}


def _any(pairs: Pairs, use: NDArray[np.bool_], count: int) -> FloatArray:
    found = np.zeros(count)
    found[pairs.home[use]] = 1.0
    return found


def _free_share(access: gpd.GeoDataFrame) -> float:
    """Return the share of ports that is free where the data say."""
    known = access[access["ports"].notna() & access["ports_used"].notna()]
    total = float(known["ports"].sum())
    return 1.0 - float(known["ports_used"].sum()) / total if total > 0.0 else 0.5


def _mobile_shares(
    homes: Homes, result: CoverageResult, request: BroadbandRequest
) -> tuple[Range, FloatArray]:
    """Return whether mobile broadband reaches each home, and its rate there. [-, Mbit/s]."""
    provenance = result.summary["provenance"]
    grid = result.grid
    column = np.floor((homes.x_m - grid.x_min) / grid.resolution_m).astype(np.int64)
    row = np.floor((grid.y_max - homes.y_m) / grid.resolution_m).astype(np.int64)
    inside = (row >= 0) & (row < grid.height) & (column >= 0) & (column < grid.width)
    at = (row[inside], column[inside])
    sigma = list(provenance["uncertainty"]["location_sigma_db"].values()) or [1.0]
    error = NORMAL_95 * provenance["uncertainty"]["model_mean_error_db"] / float(np.mean(sigma))
    best = np.full(len(homes), np.nan)
    got = np.zeros((3, len(homes)), dtype=bool)
    for name in request.mobile_technologies:
        if name not in provenance["thresholds"]:
            continue
        rate = np.full(len(homes), np.nan)
        margin = np.full(len(homes), np.nan)
        rate[inside] = result.rate(name).values[at]
        margin[inside] = result.fade_margin(name).values[at]
        wanted = scipy.special.ndtri(provenance["thresholds"][name]["probability"])
        for k, shift in enumerate((0.0, -error, error)):
            covered = margin + shift >= wanted - 1e-6
            got[k] |= covered & (rate >= request.rate_mbps)
            if k == 0:
                best = np.fmax(best, np.where(covered, rate, np.nan))
    central, low, high = got.astype(np.float64)
    return (central, low, high), best


def _compute_into(
    folder: Path,
    workspace: Workspace,
    request: BroadbandRequest,
    table: optical.OpticalTable,
    given: gpd.GeoDataFrame | None,
    mobile: CoverageResult | None,
    key: str,
    on_progress: Progress,
) -> None:
    zones = workspace.read("zones").reset_index(drop=True)
    network = read_network(workspace, request, table)
    on_progress(0.15)
    found = homes_module.find(
        workspace,
        given=given,
        source=request.homes,
        household_size=request.household_size,
        spacing_m=request.spacing_m,
    )
    on_progress(0.25)
    built = drop_routes(
        workspace.read("roads") if workspace.has("roads") else None,
        workspace.read("fibre_segments") if workspace.has("fibre_segments") else None,
    )
    on_progress(0.4)
    places = network.access.geometry
    pairs = find_pairs(
        built.graph,
        found.x_m,
        found.y_m,
        places.x.to_numpy(),
        places.y.to_numpy(),
        drop_m=request.drop_m * (1.0 + request.drop_uncertainty),
        access_reach_m=request.access_reach_m,
        on_progress=partial(_between, on_progress, 0.4, 0.7),
    )
    if not np.isfinite(pairs.access_offset_m).any():
        raise InputError(
            "None of the {count} live access points stands within {distance} m of a road or of a "
            "stretch of fibre; check the coordinates, or raise --access-reach-m",
            count=len(network.access),
            distance=f"{request.access_reach_m:g}",
        )
    shares = fixed_shares(pairs, found, network, request, table)
    on_progress(0.8)
    rate = np.full(len(found), np.nan)
    if mobile is not None:
        shares["mobile_broadband"], rate = _mobile_shares(found, mobile, request)
        shares["broadband_or_mobile"] = _either(shares[SERVED], shares["mobile_broadband"])
    figures = _figures(zones, found, shares)
    notes = _notes(workspace, request, found, network, pairs, built, mobile)
    homes_layer = _homes_layer(workspace, zones, found, network, pairs, shares, rate, request)
    access_layer = _access_layer(network, pairs, table, found, request, shares)
    homes_layer.to_file(folder / "homes.gpkg", layer="homes", driver="GPKG")
    access_layer.to_file(folder / "homes.gpkg", layer="access_points", driver="GPKG")
    on_progress(0.9)
    figures.to_csv(folder / "broadband_figures.csv", index=False)
    write_zones(folder, zones, figures)
    summary = _summary(
        workspace, request, table, zones, found, network, pairs, access_layer, figures, notes
    )
    summary["provenance"]["mobile_coverage"] = (
        None if mobile is None else mobile.summary["provenance"]["key"]
    )
    summary["provenance"]["key"] = key
    (folder / "broadband.json").write_text(
        json.dumps(summary, ensure_ascii=False, indent=1), encoding="utf-8"
    )
    on_progress(1.0)


def _between(on_progress: Progress, low: float, high: float, share: float) -> None:
    on_progress(low + (high - low) * share)


def _either(fixed: Range, mobile: Range) -> Range:
    central, low, high = (a + b - a * b for a, b in zip(fixed, mobile, strict=True))
    return central, low, high


def _figures(zones: gpd.GeoDataFrame, homes: Homes, shares: dict[str, Range]) -> pd.DataFrame:
    frames = []
    for service, values in shares.items():
        for measure, weight in (("household", homes.households), ("population", homes.people)):
            total = homes.belongs @ weight
            with np.errstate(invalid="ignore", divide="ignore"):
                central, low, high = (homes.belongs @ (weight * value) / total for value in values)
            frame = zones[["code", "name", "level", "valid_from"]].copy()
            frame.insert(0, "zone", np.arange(len(zones)))
            frame["service"] = service
            frame["operator"] = ANY_OPERATOR
            frame["measure"] = measure
            frame["share"] = np.clip(central, 0.0, 1.0)
            # One home fewer can, rarely, take a port that another one then lacks.
            frame["interval_low"] = np.clip(np.minimum(low, central), 0.0, 1.0)
            frame["interval_high"] = np.clip(np.maximum(high, central), 0.0, 1.0)
            frame["count"] = homes.belongs @ (weight * values[0])
            frame["weight"] = total
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _notes(
    workspace: Workspace,
    request: BroadbandRequest,
    homes: Homes,
    network: Network,
    pairs: Pairs,
    built: route_graph.BuiltGraph,
    mobile: CoverageResult | None,
) -> list[Message]:
    notes = []
    generated = sorted(
        name
        for name, item in workspace.provenance().items()
        if item.illustrative and name in (*_LAYERS, "masts", "cells")
    )
    if workspace.area.illustrative:
        notes.append(message("Illustrative data: the study area is generated, not measured."))
    elif generated:
        notes.append(
            message("Illustrative data in the layers: {layers}.", layers=", ".join(generated))
        )
    notes += homes.notes + network.notes
    off = ~np.isfinite(pairs.access_offset_m)
    if off.any():
        notes.append(
            message(
                "Access points farther than {distance} m from any route, not counted: {count} "
                "({examples}).",
                distance=f"{request.access_reach_m:g}",
                count=int(off.sum()),
                examples=_examples(network.access["node_id"], off),
            )
        )
    away = ~np.isfinite(pairs.home_offset_m)
    if away.any():
        notes.append(
            message(
                "Homes farther than {distance} m from any route, counted as not served: {count} "
                "households.",
                distance=f"{request.access_reach_m:g}",
                count=round(float(homes.households[away].sum())),
            )
        )
    if not workspace.has("roads"):
        notes.append(message("There are no roads: drops were measured along fibre_segments only."))
    if homes.spacing_m > 0.5 * request.drop_m:
        notes.append(
            message(
                "Homes are known to about {spacing} m only, which is much for a drop of {drop} m.",
                spacing=round(homes.spacing_m),
                drop=f"{request.drop_m:g}",
            )
        )
    parts = int(built.graph.components().max(initial=0)) + 1
    if parts > 1:
        notes.append(
            message(
                "The routes are in {count} parts that are not connected; {problems} places of the "
                "lines are doubtful.",
                count=parts,
                problems=len(built.problems),
            )
        )
    if mobile is None:
        notes.append(
            message(
                "There are no mobile figures, because the mobile coverage was not computed or has "
                "no technology with a rate."
            )
        )
    else:
        notes.append(
            message(
                "The mobile rate is that of a user alone in the cell; it is less in busy hours."
            )
        )
    return notes


def _homes_layer(
    workspace: Workspace,
    zones: gpd.GeoDataFrame,
    homes: Homes,
    network: Network,
    pairs: Pairs,
    shares: dict[str, Range],
    rate: FloatArray,
    request: BroadbandRequest,
) -> gpd.GeoDataFrame:
    finest = np.asarray(finest_zones(zones).index, dtype=np.int64)
    inside = homes.belongs[finest].tocoo()
    code = np.full(len(homes), None, dtype=object)
    code[inside.col] = zones["code"].to_numpy(dtype=object)[finest[inside.row]]
    access = network.access["node_id"].to_numpy(dtype=object)
    nearest = np.where(pairs.nearest >= 0, access[pairs.nearest], None)
    off = ~np.isfinite(pairs.home_offset_m)
    reach, budget = shares["broadband_reach"][0] > 0.0, shares["broadband_budget"][0] > 0.0
    served = shares[SERVED][0]
    state = np.select(
        [off, ~reach, ~budget, served <= 1e-6, served < 1.0 - 1e-6],
        ["off_network", "too_far", "no_budget", "no_port", "partly_served"],
        "served",
    )
    columns = {
        "home_id": [f"H{k + 1:07d}" for k in range(len(homes))],
        "zone_code": code,
        "households": np.round(homes.households, 3),
        "people": np.round(homes.people, 3),
        "offset_m": np.where(off, np.nan, pairs.home_offset_m).round(1),
        "distance_m": np.where(np.isfinite(pairs.nearest_m), pairs.nearest_m, np.nan).round(1),
        "access_id": nearest,
        "reach": reach,
        "port_share": shares["broadband_port"][0].round(4),
        "free_port_share": shares["broadband_free_port"][0].round(4),
        "budget": budget,
        "served_share": served.round(4),
        "state": state,
        "rate_mbps": rate.round(2),
    }
    if "mobile_broadband" in shares:
        columns["mobile"] = shares["mobile_broadband"][0] > 0.0
    return gpd.GeoDataFrame(
        columns,
        geometry=gpd.points_from_xy(homes.x_m, homes.y_m),
        crs=workspace.area.crs,
    )


def _access_layer(
    network: Network,
    pairs: Pairs,
    table: optical.OpticalTable,
    homes: Homes,
    request: BroadbandRequest,
    shares: dict[str, Range],
) -> gpd.GeoDataFrame:
    """Return the access points with their state, and the households whose nearest one each is."""
    count = len(network.access)
    close = pairs.nearest_m <= request.drop_m
    around = np.bincount(pairs.nearest[close], weights=homes.households[close], minlength=count)
    served = np.bincount(
        pairs.nearest[close],
        weights=(homes.households * shares[SERVED][0])[close],
        minlength=count,
    )
    budget = network.budget_m(table, "usual")
    length = network.paths.length_m
    loss = np.full(count, np.nan)
    largest = max(table.splitters)
    for k in np.flatnonzero(np.isfinite(length) & (network.split_ratio <= largest)):
        loss[k] = optical.path_loss_db(
            network.pon_class[k], length[k], int(network.split_ratio[k]), table=table
        )
    off = ~np.isfinite(pairs.access_offset_m)
    checked_ = network.budget_checked
    state = np.select(
        [off, checked_ & ~np.isfinite(length), checked_ & (budget < 0.0)],
        ["off_network", "no_way_to_exchange", "budget_does_not_close"],
        "live",
    )
    ids = np.array([*network.exchanges["node_id"], None], dtype=object)
    exchange = network.paths.exchange
    greatest = np.array([table.named(name).greatest_db for name in network.pon_class])
    columns = ["node_id", "name", "node_type", "owner", "ports", "ports_used"]
    layer = network.access[[*columns, "geometry"]].copy()
    layer["pon_class"] = network.pon_class
    layer["split_ratio"] = network.split_ratio
    layer["exchange_id"] = ids[exchange]
    layer["path_m"] = np.where(np.isfinite(length), length, np.nan).round(1)
    layer["loss_db"] = loss.round(2)
    layer["greatest_loss_db"] = greatest
    layer["rented_cable"] = network.paths.leased
    layer["households_nearest"] = around.round(2)
    layer["households_nearest_served"] = served.round(2)
    layer["state"] = state
    return layer


def _percent(value: float) -> float | None:
    return None if np.isnan(value) else round(100.0 * float(value), 3)


def _summary(
    workspace: Workspace,
    request: BroadbandRequest,
    table: optical.OpticalTable,
    zones: gpd.GeoDataFrame,
    homes: Homes,
    network: Network,
    pairs: Pairs,
    access_layer: gpd.GeoDataFrame,
    figures: pd.DataFrame,
    notes: list[Message],
) -> dict[str, Any]:
    entries: list[dict[str, Any]] = [
        {
            "code": row.code,
            "name": row.name,
            "level": row.level,
            "valid_from": None if pd.isna(row.valid_from) else row.valid_from,
        }
        for row in zones.itertuples()
    ]
    item: Any
    for item in figures.itertuples():
        entry = entries[item.zone]
        entry[f"{item.measure}s" if item.measure == "household" else item.measure] = round(
            item.weight, 2
        )
        place = entry.setdefault(item.service, {})
        place[f"{item.measure}_percent"] = _percent(item.share)
        place[f"{item.measure}_interval"] = [
            _percent(item.interval_low),
            _percent(item.interval_high),
        ]
        place[f"{item.measure}_count"] = round(item.count, 2)
    provenance = workspace.provenance()
    states = access_layer["state"].value_counts()
    return {
        "area": workspace.area.name,
        "title": {"vi": workspace.area.title_vi, "en": workspace.area.title_en},
        "illustrative": any(item.illustrative for item in provenance.values()),
        "services": {name: text for name, text in SERVICES.items() if name in set(figures.service)},
        "homes": {
            "source": homes.source,
            "points": len(homes),
            "households": round(float(homes.households.sum()), 1),
            "people": round(float(homes.people.sum()), 1),
            "spacing_m": homes.spacing_m,
            "off_network_households": round(
                float(homes.households[~np.isfinite(pairs.home_offset_m)].sum()), 1
            ),
        },
        "access_points": {
            "count": len(network.access),
            "exchanges": len(network.exchanges),
            "ports": float(np.nansum(network.access["ports"].to_numpy(dtype=float))),
            "ports_used": float(np.nansum(network.access["ports_used"].to_numpy(dtype=float))),
            "states": {str(name): int(count) for name, count in states.items()},
        },
        "budget_checked": network.budget_checked,
        "zones": entries,
        "provenance": {
            "inputs": {name: dataclasses.asdict(item) for name, item in provenance.items()},
            "content_sha256": {
                name: workspace.content_hash(name) for name in _LAYERS if workspace.has(name)
            },
            "request": dataclasses.asdict(request),
            "optical": {
                name: dataclasses.asdict(table.classes[name])
                for name in sorted(set(network.pon_class))
            },
            "optical_own_table": (workspace.folder / optical.OWN_FILE).exists(),
            "assignment": "pairs of home and access point by increasing length of the drop; at "
            "equal length by place; a home takes what is left of the ports",
            "uncertainty": {
                "interval": "low: drop length shorter, unknown ports none, greatest losses; high: "
                "drop length longer, unknown ports without limit, least losses; mobile: mean "
                "error of the propagation model",
                "drop_m": [
                    request.drop_m * (1.0 - request.drop_uncertainty),
                    request.drop_m * (1.0 + request.drop_uncertainty),
                ],
            },
            "notes": [
                {"text": str(note), "template": note.template, "values": dict(note.values)}
                for note in notes
            ],
            "engine_version": ENGINE_VERSION,
        },
    }
