"""What a proposed site brings: coverage, rules, masts to share instead, cost; recomputable.

The network is loaded once (`Evaluator`); a site then costs a fraction of a second, and
its figures equal those of a computation from scratch (see `coverage.whatif`). A stored
evaluation names everything that it depends on, so that it can be told when it is out of
date and be computed again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from coverage import whatif
from coverage.request import CoverageRequest, cells_of, default_technologies, make_plan
from coverage.results import ANY_OPERATOR
from data.schema import TECHNOLOGIES
from data.store import Workspace
from data.study_area import finest_zones
from planning import (
    scenario_network,
    sharing_costs,
    site_antennas,
    site_checks,
    site_request,
    site_rules,
)
from planning.proposal_costs import SiteCosts
from planning.proposal_figures import Covered, as_json, key_of, packed
from planning.proposal_figures import Evaluation as Evaluation
from planning.proposal_surroundings import Place, look_around, masts_by_distance, rows_of
from planning.scenario_network import Change
from planning.site_request import SiteRequest

#: Raised when figures change for the same inputs.
VERSION = "2"

#: Identifier of a mast that has none yet.
PROPOSED = "proposed"

#: Masts to share that are tried, and how far they may be. [m]
ALTERNATIVES = 3
ALTERNATIVES_WITHIN_M = 3000.0

#: Layers that an evaluation looks at besides those of coverage.
LAYERS = ("offices", "points_of_interest", "villages")

#: Layers that the fibre to a new mast is led by.
_FIBRE = ("roads", "fibre_segments", "fibre_nodes", "railways")

_TABLES = ("unit_costs.csv", "sharing_assumptions.csv", site_request.OWN_FILE)
_LEAST = 1e-9
_DECIMALS = 6

#: Measures of the figures -> what their gain is called.
_MEASURES = {"area": "area_km2", "population": "people"}


def default_request(workspace: Workspace, site: SiteRequest | None = None) -> CoverageRequest:
    """Return the coverage that a site is judged by: what the area's pages show.

    Parameters
    ----------
    workspace
        The study area.
    site
        The site; technologies that no cell of the area has yet are added.

    Returns
    -------
    CoverageRequest
        The request.
    """
    usual = default_technologies(workspace)
    wanted = {*usual}
    if site is not None:
        wanted |= {*site.technologies, *(str(cell.get("technology")) for cell in site.cells)}
    return CoverageRequest(
        technologies=tuple(name for name in TECHNOLOGIES if name in wanted),
        resolution_m=workspace.area.resolution_m,
    )


def inputs_of(
    workspace: Workspace,
    site: SiteRequest,
    organisation: str,
    request: CoverageRequest | None = None,
) -> dict[str, Any]:
    """Return everything that the evaluation of a site depends on.

    Parameters
    ----------
    workspace
        The study area.
    site
        The site.
    organisation
        Whose it is.
    request
        The coverage; that of `default_request` if None.

    Returns
    -------
    dict
        For JSON.
    """
    wanted = request or default_request(workspace, site)
    names = (*LAYERS, *_FIBRE) if site.kind == "new" else LAYERS
    there = [name for name in names if workspace.has(name)]
    return {
        "version": VERSION,
        "site": site.to_dict(),
        "organisation": organisation,
        "coverage": {**asdict(wanted), "technologies": list(wanted.technologies)},
        "coverage_key": make_plan(workspace, wanted).key,
        "layers": {name: workspace.content_hash(name) for name in there},
        "rules": site_rules.digest(workspace.folder),
        "tables": {name: _file_hash(workspace.folder / name) for name in _TABLES},
    }


def _file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


class Evaluator:
    """The network of a study area, held to judge sites one after the other.

    Safe to be used by several threads; they wait for each other.

    Parameters
    ----------
    workspace
        The study area.
    threads
        Masts computed at once; all processors if None.
    on_progress
        Called with the finished share while the network is loaded.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        threads: int | None = None,
        on_progress: Callable[[float], None] = lambda _: None,
    ) -> None:
        self.workspace = workspace
        self._threads = threads
        self._lock = threading.Lock()
        zones = workspace.read("zones").reset_index(drop=True)
        self._finest: list[int] = finest_zones(zones).index.tolist()
        self._costs = SiteCosts(workspace)
        self._live = self._load(default_request(workspace), None, on_progress)

    def _load(
        self,
        request: CoverageRequest,
        also: pd.DataFrame | None,
        on_progress: Callable[[float], None] = lambda _: None,
    ) -> whatif.LiveNetwork:
        return whatif.LiveNetwork(
            self.workspace, request, threads=self._threads, on_progress=on_progress, also=also
        )

    def evaluate(
        self,
        site: SiteRequest,
        organisation: str,
        *,
        on_progress: Callable[[float], None] = lambda _: None,
    ) -> Evaluation:
        """Find out what a site brings.

        Parameters
        ----------
        site
            The site.
        organisation
            Whose it is; the operator of typical cells.
        on_progress
            Called with the finished share.

        Returns
        -------
        Evaluation
            The figures and what they depend on.

        Raises
        ------
        InputError
            If the site lies outside the area, or its mast or cells cannot be.
        """
        request = default_request(self.workspace, site)
        inputs = inputs_of(self.workspace, site, organisation, request)
        place = look_around(self.workspace, site)
        cells = site_antennas.cells_of_site(self.workspace, site, organisation)
        site = _on_its_mast(site, place)
        # Whatever is wrong with the mast or its cells is said here.
        changed = scenario_network.network(self.workspace, [_hung(site, organisation, cells)])
        with self._lock:
            live = self._network_for(request, cells)
            before = _State(live)
            try:
                live.change(*changed)
                proposed = _Gain(before, live, self._finest)
                on_progress(0.4)
                alternatives = self._alternatives(
                    live, before, site, organisation, place, cells, proposed
                )
            finally:
                live.change(before.masts, before.cells)
        on_progress(0.95)
        result = {
            "place": place.described(),
            "gains": proposed.rows,
            "totals": proposed.totals,
            "gained": proposed.where,
            "cells": cells,
            "operators": sorted({str(cell["operator"]) for cell in cells}),
            **self._rules(site, organisation, place, cells),
            **self._costs.described(changed, alternatives),
            "illustrative": sorted(
                name for name, origin in self.workspace.provenance().items() if origin.illustrative
            ),
        }
        return Evaluation(key_of(inputs), inputs, _plain(result))

    def _network_for(
        self, request: CoverageRequest, cells: list[dict[str, Any]]
    ) -> whatif.LiveNetwork:
        """Return the network that is held, or one that knows the site's new carriers."""
        known = cells_of(self.workspace)
        new = pd.DataFrame(cells)[["operator", "technology", "frequency_mhz"]]
        columns = list(new.columns)
        pairs = set(known[columns].itertuples(index=False, name=None))
        if request.technologies == default_request(self.workspace).technologies and all(
            pair in pairs for pair in new.itertuples(index=False, name=None)
        ):
            return self._live
        return self._load(request, new)

    def _alternatives(
        self,
        live: whatif.LiveNetwork,
        before: _State,
        site: SiteRequest,
        organisation: str,
        place: Place,
        cells: list[dict[str, Any]],
        proposed: _Gain,
    ) -> list[dict[str, Any]]:
        """Return masts that could be shared instead, nearest first, with what they would give."""
        if site.kind == "share":
            return []
        near = masts_by_distance(before.masts, place.x_m, place.y_m)
        near = near[near["shareable"] | (near["owner"] == organisation)]
        near = near[near["distance_m"] <= ALTERNATIVES_WITHIN_M].head(ALTERNATIVES)
        known = cells_of(self.workspace)
        prices = sharing_costs.prices(self.workspace.folder)
        found = []
        for mast in rows_of(near):
            on_mast = known[known["mast_id"] == mast["mast_id"]]
            height = float(mast["height_m"])
            moved = site_antennas.hung_on(height, on_mast, cells, prices)
            fits = moved is not None
            hung = Change(
                "edit",
                {"mast_id": mast["mast_id"]},
                tuple(moved if moved is not None else _below(cells, height)),
            )
            network = scenario_network.network(self.workspace, [hung])
            live.change(*network)
            gain = _Gain(before, live, self._finest)
            there = sorted(set(on_mast["operator"]))
            room = mast["max_tenants"]
            if pd.isna(room):
                room = prices.tenants(mast["mast_class"])
            come = {*there, *(str(cell["operator"]) for cell in cells)}
            found.append(
                {
                    "mast_id": mast["mast_id"],
                    "name": mast["name"],
                    "owner": mast["owner"],
                    "mast_class": mast["mast_class"],
                    "height_m": mast["height_m"],
                    "distance_m": mast["distance_m"],
                    "operators": there,
                    "tenants": len(there),
                    "max_tenants": int(room),
                    "has_room": len(come) <= int(room) and fits,
                    "once": self._costs.between(network),
                    "lon": mast["lon"],
                    "lat": mast["lat"],
                    "totals": gain.totals,
                    "share_of_people": _relative(gain, proposed, "people"),
                    "share_of_area": _relative(gain, proposed, "area_km2"),
                }
            )
        return found

    def _rules(
        self, site: SiteRequest, organisation: str, place: Place, cells: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Return what the local rules say."""
        in_force = site_rules.rules(self.workspace.folder)
        structure = structure_of(site, place, cells)
        findings = site_checks.check(structure, place.around, in_force)
        if place.mast is not None:
            there = pd.DataFrame(place.present_cells, columns=["operator", "antenna_height_m"])
            shared = site_checks.check_shared(
                place.mast, _operators(place.present_cells), _operators(cells)
            )
            space = site_checks.check_space(
                site_antennas.nearest_to_others_m(there, cells),
                sharing_costs.prices(self.workspace.folder).assumptions["antenna_spacing"],
            )
            findings = (*shared, *space, *findings)
        limit = next((rule.value for rule in in_force if rule.rule == "exposure"), None)
        return {
            "findings": [{**asdict(each), "text": as_json(each.text)} for each in findings],
            "permit_required": site_checks.permit_required(structure, place.around, in_force),
            "exposure": None
            if limit is None
            else {
                "limit_w_per_m2": limit,
                "distance_m": site_rules.compliance_distance_m(structure.eirp_dbm, limit),
            },
        }


def structure_of(
    site: SiteRequest, place: Place, cells: list[dict[str, Any]]
) -> site_rules.Structure:
    """Return what the rules need to know of a site.

    Parameters
    ----------
    site
        The site; of a shared mast with the mast's height.
    place
        Where it is.
    cells
        Its cells; those that hang on the mast already are added.

    Returns
    -------
    site_rules.Structure
        With the cells of the whole mast.
    """
    everything = [*cells, *place.present_cells]
    return site_rules.Structure(
        new=site.kind == "new",
        mast_class=site.mast_class,
        height_m=site.height_m,
        building_height_m=site.building_height_m,
        radius_m=site.radius_m,
        max_tenants=site.max_tenants,
        eirp_dbm=tuple(
            float(cell["power_dbm"])
            + float(cell["antenna_gain_dbi"])
            - float(cell.get("feeder_loss_db") or 0.0)
            for cell in everything
        ),
        lowest_antenna_m=min(
            (float(cell["antenna_height_m"]) for cell in everything), default=float("nan")
        ),
    )


def _below(cells: list[dict[str, Any]], height_m: float) -> list[dict[str, Any]]:
    """Return cells below the top of a mast, whatever hangs there."""
    top = max(1.0, height_m - site_request.BELOW_TOP_M)
    return [
        {**cell, "antenna_height_m": min(float(cell["antenna_height_m"]), top)} for cell in cells
    ]


def _operators(cells: Iterable[Mapping[str, Any]]) -> set[str]:
    return {str(cell["operator"]) for cell in cells}


class _State:
    """A network before a change: its masts and cells, where it covers and its figures."""

    def __init__(self, live: whatif.LiveNetwork) -> None:
        self.masts: gpd.GeoDataFrame = live.masts
        self.cells: pd.DataFrame = live.cells
        self.covered: Covered = live.covered()
        self.figures = live.figures()


class _Gain:
    """What a change brings: by zone and service, in sum, and where."""

    def __init__(self, before: _State, live: whatif.LiveNetwork, finest: list[int]) -> None:
        keys = ["zone", "service", "operator", "measure"]
        both = live.figures().merge(
            before.figures[[*keys, "share"]], on=keys, suffixes=("", "_before")
        )
        both = both[both["zone"].isin(finest) & both["measure"].isin(_MEASURES)]
        gain = both["weight"] * (both["share"] - both["share_before"])
        # Sums that grew and shrank again differ in their last digits.
        both["gain"] = gain.fillna(0.0).round(_DECIMALS)
        wide = both.pivot_table(
            index=["code", "name", "service", "operator"],
            columns="measure",
            values="gain",
            aggfunc="sum",
        )
        table = wide.reindex(columns=list(_MEASURES), fill_value=0.0)
        table = table.rename(columns=_MEASURES).reset_index()
        some = table[list(_MEASURES.values())].abs().gt(_LEAST).any(axis=1)
        self.rows: list[dict[str, Any]] = rows_of(table[some])
        sums = table.groupby(["service", "operator"])[list(_MEASURES.values())].sum()
        self.totals: list[dict[str, Any]] = rows_of(sums.reset_index())
        self.where = packed(before.covered, live.covered(), live.levels.grid)

    def total(self, what: str) -> float:
        """Return the sum over operators and technologies."""
        return sum(
            float(row[what])
            for row in self.totals
            if row["operator"] != ANY_OPERATOR and row["service"] in TECHNOLOGIES
        )


def _relative(gain: _Gain, proposed: _Gain, what: str) -> float | None:
    """Return what a mast gives of what the proposed place gives; None if that is nothing."""
    whole = proposed.total(what)
    return gain.total(what) / whole if whole > _LEAST else None


def _on_its_mast(site: SiteRequest, place: Place) -> SiteRequest:
    """Return a site on a mast that is there with the mast's own place, height and class."""
    if place.mast is None:
        return site
    mast = place.mast
    most = mast["max_tenants"]
    return dataclasses.replace(
        site,
        lon=place.lon,
        lat=place.lat,
        height_m=site.height_m or float(mast["height_m"]),
        mast_class=str(mast["mast_class"]) if isinstance(mast["mast_class"], str) else "",
        max_tenants=None if pd.isna(most) else int(most),
    )


def _hung(site: SiteRequest, owner: str, cells: list[dict[str, Any]]) -> Change:
    """Return the change of the network; whether the mast may be shared is a finding, no fault."""
    if site.kind == "share":
        return Change("edit", {"mast_id": site.mast_id}, tuple(cells))
    return site_request.change(site, PROPOSED, owner, cells)


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it: missing numbers as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
