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
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.special
from numpy.typing import NDArray

from coverage import run
from coverage.percentages import NORMAL_95
from coverage.request import default_technologies
from coverage.results import CoverageResult, write_zones
from data import csv_file
from data.errors import InputError
from data.store import Workspace
from planning import broadband_report as report
from planning import homes as homes_module
from planning import optical
from planning.access_network import Network, drop_routes, read_network
from planning.access_reach import Pairs, assign, find_pairs, ranks
from planning.broadband_request import (
    ENGINE_VERSION,
    LAYERS,
    SERVED,
    SERVICES,
    BroadbandRequest,
    FloatArray,
    Range,
    checked,
)
from planning.homes import Homes

__all__ = [
    "SERVED",
    "SERVICES",
    "BroadbandRequest",
    "BroadbandResult",
    "checked",
    "coverage",
    "fixed_shares",
    "load",
    "lookup",
    "save",
]

_ADVICE = "python -m planning data import {layer} FILE"

Progress = Callable[[float], None]


def _silent(_: float) -> None:
    return None


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


def lookup(workspace: Workspace) -> BroadbandResult | None:
    """Return the newest kept result for the present layers, without computing anything.

    Parameters
    ----------
    workspace
        The study area.

    Returns
    -------
    BroadbandResult or None
        Whatever its request was, which its summary tells; None if there is none.
    """
    there = {name: workspace.content_hash(name) for name in LAYERS if workspace.has(name)}
    folders = (workspace.folder / "results").glob("broadband-*")
    for folder in sorted(folders, key=lambda item: item.stat().st_mtime, reverse=True):
        try:
            result = load(folder)
        except InputError:
            continue  # removed while it was looked at
        provenance = result.summary["provenance"]
        if provenance["engine_version"] == ENGINE_VERSION and provenance["content_sha256"] == there:
            return result
    return None


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
        figures = csv_file.read(
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
        "inputs": workspace.content_hash(*(name for name in LAYERS if workspace.has(name))),
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
            count=f"{len(network.access):,}",
            distance=f"{request.access_reach_m:g}",
        )
    shares = fixed_shares(pairs, found, network, request, table)
    on_progress(0.8)
    rate = np.full(len(found), np.nan)
    if mobile is not None:
        shares["mobile_broadband"], rate = _mobile_shares(found, mobile, request)
        shares["broadband_or_mobile"] = _either(shares[SERVED], shares["mobile_broadband"])
    figures = report.figures(zones, found, shares)
    notes = report.notes(workspace, request, found, network, pairs, built, mobile)
    homes_layer = report.homes_layer(workspace, zones, found, network, pairs, shares, rate)
    access_layer = report.access_layer(network, pairs, table, found, request, shares)
    homes_layer.to_file(folder / "homes.gpkg", layer="homes", driver="GPKG")
    access_layer.to_file(folder / "homes.gpkg", layer="access_points", driver="GPKG")
    on_progress(0.9)
    csv_file.write(figures, folder / "broadband_figures.csv")
    write_zones(folder, zones, figures)
    summary = report.summary(
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
