"""The sections about how figures were computed, from what, and how far they can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from data.errors import Message, message
from planning import names
from planning.reports import words
from planning.reports.fixed import restored
from planning.reports.inputs import PARTS, Inputs
from planning.reports.model import (
    Block,
    Bullets,
    Column,
    Note,
    Number,
    Paragraph,
    Section,
    Share,
    Table,
    Text,
)


def section(inputs: Inputs) -> Section:
    """Return the section about the method.

    Parameters
    ----------
    inputs
        What is known.

    Returns
    -------
    Section
        Model, thresholds, uncertainty in words, limits.
    """
    if inputs.coverage is None:
        reason = inputs.missing.get("coverage")
        return Section("method", PARTS["method"], (Note(words.not_computed(reason)),))
    summary = inputs.coverage.summary
    origin = summary["provenance"]
    doubt = origin["uncertainty"]
    blocks: list[Block] = [
        Paragraph(
            message(
                "The level of every cell is predicted at every pixel from the profile of terrain "
                "and land cover between mast and pixel. Where the level varies with the location "
                "around its median, the probability that the threshold is reached follows from "
                "the distance of the median to the threshold; a pixel counts as covered if this "
                "probability is at least the one asked for. A figure of any operator counts a "
                "place that at least one of them serves."
            )
        ),
        Paragraph(
            message(
                "Area is covered area over the unit's area; population is covered people over "
                "the unit's people, from a population grid whose total is kept; villages are "
                "points that are covered. A figure of one is no figure of another."
            )
        ),
        _settings(summary),
        _thresholds(origin["thresholds"]),
        Paragraph(
            message(
                "The 95% interval joins two doubts as independent: shadow fading, correlated "
                "over {distance}, which mostly averages out over a unit, and the mean error of "
                "the model over the area, {error} (standard deviation), which moves all levels "
                "together.",
                distance=Number(float(doubt["decorrelation_distance_m"]), unit="m"),
                error=Number(float(doubt["model_mean_error_db"]), 1, "dB"),
            )
        ),
        limits(summary),
    ]
    notes = restored(origin["notes"])
    if notes:
        blocks.append(Bullets(notes))
    return Section("method", PARTS["method"], tuple(blocks))


def limits(summary: Mapping[str, Any]) -> Bullets:
    """Return what the figures do not say."""
    items: list[Text] = [
        message(
            "The interval does not hold errors of the inputs: a mast that is missing, a wrong "
            "azimuth, a coarse land cover."
        ),
        message(
            "Coverage is computed for a receiver at {height} above ground under the conditions "
            "named; inside buildings it is less.",
            height=Number(float(summary["provenance"]["settings"]["rx_height_m"]), 1, "m"),
        ),
        message(
            "A figure that was reported without its denominator and method cannot be confirmed "
            "or refuted; it is shown beside the computed one as it is."
        ),
    ]
    if summary["provenance"]["calibration"] is None:
        items.append(
            message(
                "The model has not been calibrated with measurements of this area; its mean error "
                "is a planning assumption."
            )
        )
    if not all(item["verified"] for item in summary["provenance"]["thresholds"].values()):
        items.append(message("The thresholds are planning practice, not taken from a regulation."))
    return Bullets(tuple(items))


def _settings(summary: Mapping[str, Any]) -> Table:
    origin = summary["provenance"]
    settings = origin["settings"]
    calibration = origin["calibration"]
    rows: list[tuple[Text, Text]] = [
        (message("Propagation model"), origin["model_reference"]),
        (
            message("Calibration"),
            message("none") if calibration is None else str(calibration["name"]),
        ),
        (message("Pixel size"), _said(Number(float(summary["resolution_m"]), unit="m"))),
        (
            message("Radius of a cell"),
            _said(Number(float(settings["radius_m"]) / 1000.0, 1, "km")),
        ),
        (message("Receiver height"), _said(Number(float(settings["rx_height_m"]), 1, "m"))),
        (message("Share of time"), _said(Share(float(settings["time_percent"]) / 100.0, 0))),
        (message("Conditions"), words.named(names.PROFILES, origin["threshold_profile"])),
        (message("Operators"), ", ".join(origin["operators"])),
        (message("Version of the computation"), str(origin["engine_version"])),
        (message("Key of the result"), str(origin["key"])),
    ]
    return Table(
        "method_settings",
        message("Settings"),
        (
            Column("what", message("Item"), width=1.0),
            Column("value", message("Value"), width=2.0),
        ),
        tuple(rows),
    )


def _said(value: Number | Share) -> Message:
    return Message("{value}", {"value": value})


def _thresholds(thresholds: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = tuple(
        (
            name,
            str(item["metric"]),
            float(item["threshold_dbm"]),
            float(item["probability"]),
            message("yes") if item["verified"] else message("no"),
            str(item["source"]),
        )
        for name, item in thresholds.items()
    )
    return Table(
        "method_thresholds",
        message("Thresholds"),
        (
            Column("technology", message("Technology"), width=0.9),
            Column("metric", message("Measured quantity"), width=0.8),
            Column("threshold_dbm", message("Threshold, dBm"), "number", 0),
            Column("probability", message("Probability"), "share", 0),
            Column("verified", message("Checked against its source"), width=1.1),
            Column("source", message("Source"), width=3.0),
        ),
        rows,
    )


# Data


def data_section(inputs: Inputs) -> Section:
    """Return the section about data, their licences and their quality.

    Parameters
    ----------
    inputs
        What is known.

    Returns
    -------
    Section
        A row for each layer and raster; the report on their quality.
    """
    provenance = inputs.workspace.provenance()
    rows = tuple(
        (
            words.named(names.LAYERS, name),
            _known(item.source),
            _known(item.vintage) if item.vintage else None,
            _known(item.licence) if item.licence else None,
            item.retrieved_at[:10] or None,
            message("yes") if item.illustrative else message("no"),
        )
        for name, item in provenance.items()
    )
    table = Table(
        "data",
        message("Layers and rasters, their origin and terms of use"),
        (
            Column("layer", message("Layer"), width=1.4),
            Column("source", message("Source"), width=2.8),
            Column("vintage", message("State of"), width=1.4),
            Column("licence", message("Licence"), width=1.4),
            Column("read", message("Read on"), "day", width=1.0),
            Column("illustrative", message("Generated"), width=0.9),
        ),
        rows,
    )
    blocks: list[Block] = [table]
    if inputs.quality is None:
        reason = message("the quality of the data has not been assessed since they last changed")
        quality: tuple[Block, ...] = (Note(words.not_computed(reason)),)
    else:
        quality = (Bullets(tuple(inputs.quality.lines())),)
    return Section(
        "data",
        PARTS["data"],
        tuple(blocks),
        (Section("quality", message("Quality of the data"), quality),),
    )


def _known(text: str) -> Message:
    """Return what a layer says of itself; the project's own words have a translation."""
    return Message(text.replace("{", "{{").replace("}", "}}"))
