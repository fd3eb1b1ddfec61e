"""Build a report's content from what is known, once for all languages and formats."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from data.errors import Message, message
from planning import names
from planning.reports import (
    annexes,
    changes,
    figures,
    fixed,
    indicators,
    method,
    radio,
    sharing,
    summary,
    words,
)
from planning.reports.inputs import Inputs
from planning.reports.model import Bilingual, Day, Document, Section, Text


def build(inputs: Inputs) -> Document:
    """Return the provincial report.

    Parameters
    ----------
    inputs
        What is known; `inputs.parts` says which sections are wanted.

    Returns
    -------
    Document
        The report. A part whose result is missing says so.
    """
    found = figures.of(inputs)
    origin = _origin(inputs)
    kept = {
        "area": inputs.workspace.area.name,
        "day": inputs.day,
        "figures": found,
        "provenance": origin,
    }
    inputs = dataclasses.replace(inputs, previous=figures.earlier(inputs.previous, kept))
    sections: dict[str, Callable[[Inputs], Section]] = {
        "summary": summary.section,
        "indicators": indicators.section,
        "coverage": radio.section,
        "holes": radio.holes_section,
        "broadband": fixed.broadband_section,
        "network": fixed.network_section,
        "annexes": annexes.section,
        "sharing": sharing.section,
        "changes": lambda known: changes.section(known, found, origin),
        "method": method.section,
        "data": method.data_section,
    }
    area = inputs.workspace.area
    title = Bilingual(area.title_vi, area.title_en)
    return Document(
        title=message("Report on telecommunications infrastructure: {area}", area=title),
        subtitle=_subtitle(inputs),
        area=area.name,
        day=inputs.day,
        banner=_banner(inputs),
        sections=tuple(sections[part](inputs) for part in inputs.parts),
        figures=found,
        origin=origin,
        previous=inputs.previous,
    )


def _subtitle(inputs: Inputs) -> tuple[Text, ...]:
    said: list[Text] = [message("Data as of {day}", day=Day(inputs.day))]
    if inputs.coverage is not None:
        said.append(
            message(
                "Computed figures with their intervals, beside reported ones; conditions of the "
                "coverage: {profile}",
                profile=words.named(
                    names.PROFILES,
                    inputs.coverage.summary["provenance"]["threshold_profile"],
                ),
            )
        )
    return tuple(said)


def _banner(inputs: Inputs) -> Message | None:
    """Return the warning of generated data."""
    if inputs.workspace.area.illustrative:
        return message(
            "Illustrative data: this study area is generated. The figures say nothing about a "
            "real network and must not be quoted as such."
        )
    if inputs.generated:
        return message(
            "Illustrative data in the layers {layers}: they are generated, not observed. Figures "
            "that depend on them say nothing about a real network.",
            layers=_listed([words.named(names.LAYERS, name) for name in inputs.generated]),
        )
    return None


def _listed(texts: list[Text]) -> Message:
    names = {f"part{k}": text for k, text in enumerate(texts)}
    return Message(", ".join(f"{{{name}}}" for name in names), names)


def _origin(inputs: Inputs) -> dict[str, Any]:
    """Return what the figures were computed from, for JSON and for the next report."""
    workspace = inputs.workspace
    settings: dict[str, Any] = {}
    keys: dict[str, str] = {}
    if inputs.coverage is not None:
        about: Mapping[str, Any] = inputs.coverage.summary
        origin = about["provenance"]
        calibration = origin["calibration"]
        settings = {
            "model": origin["model_reference"],
            "resolution_m": about["resolution_m"],
            "threshold_profile": origin["threshold_profile"],
            "calibration": None if calibration is None else calibration["model_sha256"],
            "model_mean_error_db": origin["uncertainty"]["model_mean_error_db"],
            "engine_version": origin["engine_version"],
            "thresholds": {
                name: {
                    "threshold_dbm": item["threshold_dbm"],
                    "probability": item["probability"],
                }
                for name, item in origin["thresholds"].items()
            },
        }
        keys["coverage"] = origin["key"]
    if inputs.broadband is not None:
        keys["broadband"] = inputs.broadband.summary["provenance"]["key"]
    return {
        "inputs": {name: dataclasses.asdict(item) for name, item in workspace.provenance().items()},
        "content": workspace.content_hash(),
        "settings": settings,
        "results": keys,
    }
