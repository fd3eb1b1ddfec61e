"""Build a study area: read or generate it, complete it, write it in one step."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import filelock
import geopandas as gpd
import numpy as np
import pandas as pd

from data import demo, quality
from data.area import Provenance, StudyAreaInfo
from data.assemble import (
    NETWORK_METHOD,
    RESOLUTION_M,
    Contents,
    Options,
    assemble,
    merged,
    zone_of_outline,
    zones_in,
)
from data.demo.areas import COMMUNES_TABLE, HANAM_MASTS
from data.errors import CancelledError, InputError, Message, PhuSongError, message
from data.plan import AreaName, BuildPlan, Supply, make_plan, wants_margin, wide
from data.quality_report import QualityReport
from data.sources import download, hanam_files, own_files
from data.sources.ingredients import sha256_of
from data.sources.source import Place, Reading
from data.store import Workspace
from data.study_area import area_outline, lonlat_bounds, metric_crs

__all__ = ["AREAS", "BuildReport", "build", "build_from", "plan_hanam"]

Progress = Callable[[float], None]

#: Which layers of an older workspace of the same area are kept.
Keep = Literal["masts", "all", "none"]

#: What a user wants to keep when an area is built again: what was imported by hand. The
#: first of each is what the others refer to, so that all of them are kept, or none.
_HAND_MADE = (
    ("masts", "cells"),
    ("network_sites", "network_links"),
    ("fibre_segments",),
    ("fibre_nodes",),
)


@dataclass(frozen=True, eq=False)
class BuildReport:
    """What a build did.

    Parameters
    ----------
    workspace
        The workspace.
    skipped
        What could not be had and was left out, with the reason.
    instead
        What was done about it and about what nobody gave.
    kept
        Layers and rasters of the older workspace that were kept.
    notes
        What the sources say of their data.
    quality
        The data-quality report.
    """

    workspace: Workspace
    skipped: tuple[Message, ...]
    instead: tuple[Message, ...]
    kept: tuple[str, ...]
    notes: tuple[str, ...]
    quality: QualityReport


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Parameters
    ----------
    source_folder
        Folder of files to build from.
    seed
        Seed of what is generated.
    population_total
        People that the area is rescaled to, or None.
    crs
        Metric CRS, or None for the local UTM zone.
    scratch
        Folder for files that are needed until the area is written.
    on_progress
        Called with the share done.
    """

    source_folder: Path | None
    seed: int
    population_total: float | None
    crs: str | None
    scratch: Path
    on_progress: Progress


@dataclass(frozen=True)
class Area:
    """A study area that can be built by its name.

    Parameters
    ----------
    name
        Short name.
    title_vi, title_en
        Title in both languages.
    prepare
        Makes its contents.
    search
        What to search for where no files are given; empty if it is generated.
    """

    name: str
    title_vi: str
    title_en: str
    prepare: Callable[[Area, Request], Contents]
    search: str = field(default="")


def _silent(_: float) -> None:
    return None


def build(
    area: str,
    folder: Path | str,
    *,
    source_folder: Path | str | None = None,
    seed: int = demo.DEFAULT_SEED,
    population_total: float | None = None,
    crs: str | None = None,
    keep: Keep = "masts",
    on_progress: Progress = _silent,
) -> Workspace:
    """Build a study area that is known by its name into a workspace.

    Nothing is written until all of it is ready; then it takes the place of an
    older workspace in one step, so a fault, a cancel or a power cut leaves the
    older one whole.

    Parameters
    ----------
    area
        One of `AREAS`.
    folder
        Of the workspace; must not exist, be empty or hold a workspace.
    source_folder
        Folder of files to build from.
    seed
        Seed of what is generated.
    population_total
        Rescale the population raster so that the area has this many people,
        e.g. a census figure; None keeps the source's figures.
    crs
        Metric CRS of the workspace; None for the local UTM zone.
    keep
        See `build_from`.
    on_progress
        Called with the share done, from the caller's thread.

    Returns
    -------
    Workspace
        The workspace.

    Raises
    ------
    InputError
        If the area is not known, the folder holds something else, or a source
        file is missing or not usable.
    """
    if area not in AREAS:
        raise InputError(
            "There is no study area {area}; known areas: {known}",
            area=area,
            known=", ".join(sorted(AREAS)),
        )
    _check_total(population_total)
    folder = Path(folder)
    _check_target(folder)
    definition = AREAS[area]
    with _scratch_folder() as scratch:
        request = Request(
            None if source_folder is None else Path(source_folder),
            seed,
            population_total,
            crs,
            scratch,
            lambda share: on_progress(0.85 * share),
        )
        contents = definition.prepare(definition, request)
        workspace, _, _ = _write(
            folder, contents, keep, lambda share: on_progress(0.85 + 0.15 * share)
        )
    return workspace


def build_from(
    plan: BuildPlan,
    folder: Path | str,
    *,
    seed: int = demo.DEFAULT_SEED,
    population_total: float | None = None,
    crs: str | None = None,
    generate_masts: bool = True,
    sea_terrain: bool = False,
    skip_unavailable: bool = False,
    keep: Keep = "masts",
    on_progress: Progress = _silent,
) -> BuildReport:
    """Build a study area by a plan.

    What is fetched stays in the cache, so a build that was cut off, by whatever,
    carries only the rest when it is run again. The workspace is written in one
    step at the end.

    Parameters
    ----------
    plan
        From `data.plan.make_plan`.
    folder
        Of the workspace; must not exist, be empty or hold a workspace.
    seed, population_total, crs
        See `build`.
    generate_masts
        Whether masts and cells are generated, and marked illustrative, where
        nobody gives any.
    sea_terrain
        Whether terrain without a height is sea, at 0 m.
    skip_unavailable
        Whether to go on without a source that cannot be had; otherwise it stops
        the build.
    keep
        Of an older workspace of the same area in the folder: ``"masts"`` keeps
        masts, cells, fibre and the dedicated network that were observed rather
        than generated, if the build has none; ``"all"`` keeps every layer and
        raster that was not generated and that the build does not make;
        ``"none"`` keeps nothing.
    on_progress
        Called with the share done, from the caller's thread.

    Returns
    -------
    BuildReport
        With the workspace.

    Raises
    ------
    InputError
        If a source cannot be had, a file is not usable, the disk is full or the
        folder holds something else.
    """
    _check_total(population_total)
    folder = Path(folder)
    _check_target(folder)
    plan.check_space()
    skipped: list[Message] = []
    with _scratch_folder() as scratch:
        reading = _gathered(
            plan, scratch, skipped, skip_unavailable, lambda share: on_progress(0.6 * share)
        )
        zones = reading.layers["zones"]
        area = StudyAreaInfo(
            name=plan.area.name,
            title_vi=plan.area.title_vi,
            title_en=plan.area.title_en,
            crs=crs or metric_crs(zones.frame),
            illustrative=False,
            resolution_m=RESOLUTION_M,
        )
        contents = assemble(
            reading,
            area,
            Options(
                scratch,
                seed,
                population_total=population_total,
                generate_masts=generate_masts,
                n_masts=plan.n_masts,
                generate_network=generate_masts and plan.area.name in AREAS,
                sea_terrain=sea_terrain,
                clutter_notes=_clutter_notes(reading),
                on_progress=lambda share: on_progress(0.6 + 0.25 * share),
            ),
        )
        contents.facts["skipped"] = [str(said) for said in skipped]
        contents.facts["instead"] = [str(said) for said in plan.instead]
        contents.facts["notes"] = list(reading.notes)
        workspace, kept, report = _write(
            folder, contents, keep, lambda share: on_progress(0.85 + 0.15 * share)
        )
    return BuildReport(workspace, tuple(skipped), plan.instead, kept, reading.notes, report)


def plan_hanam(
    source_folder: Path,
    *,
    sources: dict[str, str] | None = None,
    files: dict[str, Path] | None = None,
    generate_masts: bool = True,
    on_progress: Progress = _silent,
) -> BuildPlan:
    """Plan to build the real Hà Nam from a folder, with other sources for single parts.

    Parameters
    ----------
    source_folder
        See `data.sources.hanam_files`.
    sources, files
        See `data.plan.make_plan`.
    generate_masts
        Whether masts are generated where none are given.
    on_progress
        Called with the share done.

    Returns
    -------
    BuildPlan
        The plan.
    """
    reading = hanam_files.read_folder(source_folder)
    definition = AREAS["hanam"]
    zones = reading.layers["zones"].frame
    outline = area_outline(zones.to_crs("EPSG:4326"))
    return make_plan(
        Place(definition.search, lonlat_bounds(zones), "VNM", outline),
        area=AreaName(definition.name, definition.title_vi, definition.title_en),
        sources=sources,
        own_files=files,
        base=reading,
        n_masts=HANAM_MASTS,
        generate_masts=generate_masts,
        on_progress=on_progress,
    )


def _check_total(population_total: float | None) -> None:
    if population_total is not None and not (
        np.isfinite(population_total) and population_total > 0
    ):
        raise InputError(
            "The population total is {value}, but it must be greater than 0",
            value=population_total,
        )


def _check_target(folder: Path) -> None:
    if not folder.exists() or Workspace.exists(folder):
        return
    if not folder.is_dir():
        raise InputError("{folder} is a file; expected a folder for the workspace", folder=folder)
    if any(folder.iterdir()):
        raise InputError(
            "{folder} is not empty and holds no workspace; choose another folder, so that nothing "
            "in it is lost",
            folder=folder,
        )


@contextmanager
def _scratch_folder() -> Iterator[Path]:
    """Make a folder in the cache, and remove those of builds that were killed."""
    home = download.cache_folder() / ".build"
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError:
        home = Path(tempfile.gettempdir()) / "phusong-build"
        home.mkdir(parents=True, exist_ok=True)
    for old in home.glob("*.lock"):
        with suppress(filelock.Timeout, OSError), filelock.FileLock(old, timeout=0):
            shutil.rmtree(old.with_suffix(""), ignore_errors=True)
            old.unlink()
    folder = home / f"{os.getpid()}-{os.urandom(4).hex()}"
    lock = filelock.FileLock(folder.with_suffix(".lock"))
    with lock:
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.with_suffix(".lock").unlink()


# Gather


def _gathered(
    plan: BuildPlan,
    scratch: Path,
    skipped: list[Message],
    skip_unavailable: bool,
    on_progress: Progress,
) -> Reading:
    """Fetch and read everything; all is fetched before anything is read."""
    fetched: dict[int, Any] = {}
    total = max(1, len(plan.supplies))
    for number, supply in enumerate(plan.supplies):

        def step(share: float, number: int = number) -> None:
            on_progress(0.85 * (number + share) / total)

        with _may_fail(supply, skipped, skip_unavailable):
            if supply.fault is not None:
                raise InputError("{fault}", fault=supply.fault)
            if supply.path is None:
                source = plan.known[supply.source]
                place = _place_for(plan, supply)
                fetched[number] = source.fetch(supply.items, place, on_progress=step)
        step(1.0)
    readings: list[tuple[Reading, tuple[str, ...]]] = []
    if plan.base is not None:
        readings.append((plan.base, (*plan.base.layers, *plan.base.rasters)))
    for number, supply in enumerate(plan.supplies):
        with _may_fail(supply, skipped, skip_unavailable):
            reading = _read(plan, supply, fetched.get(number), scratch / f"source-{number}")
            if reading is not None:
                readings.append((reading, supply.parts))
        on_progress(0.85 + 0.15 * (number + 1) / total)
    reading = merged(readings)
    return _with_zones(reading, plan)


def _place_for(plan: BuildPlan, supply: Supply) -> Place:
    return wide(plan.place) if wants_margin(supply.parts) else plan.place


def _read(plan: BuildPlan, supply: Supply, fetched: Any, folder: Path) -> Reading | None:
    folder.mkdir()
    place = _place_for(plan, supply)
    if supply.path is not None:
        return own_files.read(supply.parts[0], supply.path, place, folder)
    if fetched is None:
        return None
    return plan.known[supply.source].read(fetched, place, folder)


@contextmanager
def _may_fail(supply: Supply, skipped: list[Message], skip_unavailable: bool) -> Iterator[None]:
    """Go on without a source that cannot be had, or say how to."""
    try:
        yield
    except InputError as error:
        # A fault of the user's own file is the user's to mend.
        if supply.path is not None:
            raise
        values = {"parts": ", ".join(supply.parts), "fault": error.message}
        if not skip_unavailable:
            raise InputError(
                "{parts}: {fault}. What was fetched is kept; run the same again later, choose "
                "another source, or leave it out with --skip-unavailable",
                **values,
            ) from error
        skipped.append(message("{parts}: left out, as {fault}", **values))


def _with_zones(reading: Reading, plan: BuildPlan) -> Reading:
    """Keep the zones of the place; without zones the place is one."""
    layers = dict(reading.layers)
    own = any(supply.path is not None and "zones" in supply.parts for supply in plan.supplies)
    outline = plan.place.outline
    if "zones" not in layers:
        if outline is None:
            raise InputError(
                "There are neither zones nor an outline of {place}; give a source of zones or a "
                "file with them",
                place=plan.place.name,
            )
        layers["zones"] = zone_of_outline(outline, plan.area.title_vi)
    elif plan.base is None and outline is not None and not own:
        layers["zones"] = zones_in(layers["zones"], outline)
    return Reading(layers, reading.rasters, reading.notes)


def _clutter_notes(reading: Reading) -> tuple[str, ...]:
    return tuple(note for note in reading.notes if note == hanam_files.LAND_COVER_NOTE)


# Write


def _write(
    folder: Path, contents: Contents, keep: Keep, on_progress: Progress
) -> tuple[Workspace, tuple[str, ...], QualityReport]:
    """Write the workspace in one step, then its data-quality report."""
    layers, images = dict(contents.layers), dict(contents.rasters)
    provenance = dict(contents.provenance)
    kept: list[str] = []
    stay: list[str] = []
    old = _older(folder, contents.area)
    if old is not None:
        for name in _to_keep(old, contents, keep):
            kept.append(name)
            layers.pop(name, None)
            images.pop(name, None)
            origin = old.provenance()[name]
            if old.area.crs == contents.area.crs:
                provenance.pop(name, None)
                stay.append(name)
            elif name in old.rasters():
                images[name], provenance[name] = old.raster_path(name), origin
            else:
                frame: pd.DataFrame = old.read(name)
                if isinstance(frame, gpd.GeoDataFrame):
                    frame = frame.to_crs(contents.area.crs)
                layers[name], provenance[name] = frame, origin
    for first, *others in _HAND_MADE:
        # What was generated on other masts or sites has no place beside those kept.
        for name in others:
            if first in kept and name not in kept:
                layers.pop(name, None)
                provenance.pop(name, None)
    on_progress(0.0)
    workspace = Workspace.replace(
        folder, contents.area, layers, provenance, rasters=images, keep=stay
    )

    def told(share: float) -> None:
        # What is written is written: it is too late to cancel.
        with suppress(CancelledError):
            on_progress(0.6 + 0.4 * share)

    told(0.0)
    report = quality.assess(workspace, build=contents.facts | {"kept": kept}, on_progress=told)
    quality.save(workspace, report)
    told(1.0)
    return workspace, tuple(kept), report


def _older(folder: Path, area: StudyAreaInfo) -> Workspace | None:
    """Return the workspace of the same area that lies in a folder, if it is sound."""
    if not Workspace.exists(folder):
        return None
    with suppress(PhuSongError):
        old = Workspace.open(folder)
        if old.area.name == area.name:
            return old
    return None


def _to_keep(old: Workspace, contents: Contents, keep: Keep) -> list[str]:
    """Return what of an older workspace goes before, or beside, what was made."""
    if keep == "none":
        return []
    origins = old.provenance()

    def made(name: str) -> bool:
        """Whether the new content was observed, not generated or derived."""
        if name not in contents.provenance:
            return False
        if name == "clutter" and contents.facts.get("clutter_derived"):
            return False
        return not contents.provenance[name].illustrative

    def observed(name: str) -> bool:
        origin = origins.get(name)
        if origin is None or origin.illustrative:
            return False
        return not origin.source.startswith("Derived by")

    names = []
    for group in _HAND_MADE:
        if observed(group[0]) and not made(group[0]):
            names += [name for name in group if name in origins]
    if keep == "all":
        grouped = {name for group in _HAND_MADE for name in group}
        names += [
            name for name in origins if name not in grouped and observed(name) and not made(name)
        ]
    return names


# The areas known by name


def _prepare_demo(area: Area, request: Request) -> Contents:
    if request.source_folder is not None:
        raise InputError(
            "The area {area} is generated and takes no files (leave out {folder})",
            area=area.name,
            folder=request.source_folder,
        )
    spec = demo.hanam_spec()
    if request.crs is not None and request.crs != spec.crs:
        raise InputError(
            "The area {area} is generated in {known}, not in {crs}",
            area=area.name,
            known=spec.crs,
            crs=request.crs,
        )
    if request.population_total is not None:
        spec = replace(spec, population=round(request.population_total))
    generated = demo.generate(request.seed, spec=spec, on_progress=request.on_progress)
    return Contents(
        StudyAreaInfo(
            name=area.name,
            title_vi=area.title_vi,
            title_en=area.title_en,
            crs=spec.crs,
            illustrative=True,
            resolution_m=RESOLUTION_M,
        ),
        generated.layers,
        dict(generated.rasters),
        generated_provenance(generated),
    )


def generated_provenance(generated: demo.GeneratedArea) -> dict[str, Provenance]:
    """Say of each layer and raster of a generated area how it was made.

    Parameters
    ----------
    generated
        The area.

    Returns
    -------
    dict
        Layer or raster -> provenance, all marked illustrative.
    """
    spec = generated.spec
    table = Provenance(
        source="Phủ Sóng generator; names, codes, areas and rounded points of the communes: "
        "Resolution 1674/NQ-UBTVQH15, Decision 19/2025/QĐ-TTg, sapnhap.bando.com.vn",
        licence="Apache-2.0 (generated); published facts",
        vintage="communes and wards since 1 July 2025",
        url_or_file=f"data/demo/{COMMUNES_TABLE.name}",
        sha256=sha256_of(COMMUNES_TABLE),
        illustrative=True,
    )
    made = Provenance(
        source="Phủ Sóng generator", licence="Apache-2.0", vintage="not observed", illustrative=True
    )
    seed = f"Generated with seed {generated.seed}. "
    people = (
        f"A total of {spec.population:,} people is spread by a rule of the project: over pixels "
        "with houses, towns 1.6 and dense towns 2.6 times as densely as villages, wards 1.25 "
        "times as densely as communes"
    )
    census = "; the total for Hà Nam is that of the census of 1 April 2019 (852,800)"
    return {
        "zones": replace(
            table,
            method=seed + "Borders are cells of a power diagram of the points, with the published "
            "areas, bent at random: not the real borders. " + people + census,
        ),
        "villages": replace(made, method=seed + "Places and names are invented. " + people),
        "population": replace(made, method=seed + people + census),
        "terrain": replace(
            made,
            method=seed + "Synthetic heights: a delta of 1 to 6 m, dykes, karst towers where the "
            "real hills roughly are, scaled to the share above 50 m and the highest point "
            "of SRTM",
        ),
        "clutter": replace(
            made,
            method=seed + "Synthetic land cover consistent with terrain, rivers, villages and "
            "roads; codes of ESA WorldCover, 51 village, 52 town, 53 dense town",
        ),
        "roads": replace(made, method=seed + "A connected network between the villages; invented"),
        "masts": replace(
            made,
            method=seed + "Invented positions where people live; the number of positions is the "
            "reported one, the owners A, B and C stand for no real company",
        ),
        "cells": replace(
            made,
            method=seed + "Invented; powers, gains and losses are common planning values, not any "
            "operator's",
        ),
        "fibre_segments": replace(
            made,
            method=seed + "Invented cables and ducts along the generated roads, from exchanges in "
            "the towns to access points; the owners A, B and C stand for no real company",
        ),
        "fibre_nodes": replace(
            made,
            method=seed + "Invented exchanges, access points where people live and closures; one "
            "commune in twelve and one hamlet in fourteen are left without, ports by the homes "
            "around, so that about the reported four fifths of the homes are served",
        ),
        "network_sites": replace(made, method=seed + NETWORK_METHOD),
        "network_links": replace(
            made,
            method=seed + NETWORK_METHOD + ". Routes are shortest ways through the invented fibre "
            "of the provider",
        ),
    }


def _prepare_hanam(area: Area, request: Request) -> Contents:
    if request.source_folder is None:
        raise InputError(
            "The area {area} is built from files: give the folder that holds {files}",
            area=area.name,
            files=", ".join(hanam_files.REQUIRED_FILES),
        )
    reading = hanam_files.read_folder(request.source_folder)
    request.on_progress(0.1)
    contents = assemble(
        reading,
        StudyAreaInfo(
            name=area.name,
            title_vi=area.title_vi,
            title_en=area.title_en,
            crs=request.crs or metric_crs(reading.layers["zones"].frame),
            illustrative=False,
            resolution_m=RESOLUTION_M,
        ),
        Options(
            request.scratch,
            request.seed,
            population_total=request.population_total,
            n_masts=HANAM_MASTS,
            generate_network=True,
            clutter_notes=_clutter_notes(reading),
            on_progress=lambda share: request.on_progress(0.1 + 0.9 * share),
        ),
    )
    contents.facts["notes"] = list(reading.notes)
    return contents


#: The study areas that can be built, by name.
AREAS: dict[str, Area] = {
    area.name: area
    for area in (
        Area("demo", "Hà Nam – minh họa", "Hà Nam – illustrative", _prepare_demo),
        Area("hanam", "Hà Nam", "Hà Nam", _prepare_hanam, "Hà Nam, Vietnam"),
    )
}
