"""The section about what changed since the last report, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from data.errors import message
from planning import names
from planning.reports import figures, words
from planning.reports.inputs import PARTS, Inputs
from planning.reports.model import (
    Block,
    Column,
    Day,
    Note,
    Paragraph,
    Section,
    Table,
    Value,
)

#: Communes with the largest changes that are listed.
MOVERS = 20

#: Changes smaller than this are rounding. [share]
LEAST = 0.0005


def section(inputs: Inputs, fresh: Mapping[str, Any], origin: Mapping[str, Any]) -> Section:
    """Return the section about changes.

    Parameters
    ----------
    inputs
        What is known, with the earlier report.
    fresh
        Figures of this report.
    origin
        What this report was computed from.

    Returns
    -------
    Section
        Figures then and now, the communes that moved, data and settings that differ, and
        the imports into the workspace.
    """
    before = inputs.previous
    blocks: list[Block] = []
    if before is None:
        blocks.append(
            Note(
                message(
                    "There is no earlier report to compare with. The figures of this one are "
                    "kept in report.json; the next report is compared with them."
                )
            )
        )
    else:
        blocks.append(
            Paragraph(
                message(
                    "Compared with the report on data as of {before}; this one is on data as of "
                    "{now}.",
                    before=Day(str(before["day"])),
                    now=Day(inputs.day),
                )
            )
        )
        blocks += _compared(before, fresh, origin)
    steps = _history(inputs)
    if steps is not None:
        blocks.append(steps)
    return Section("changes", PARTS["changes"], tuple(blocks))


def _compared(
    before: Mapping[str, Any], fresh: Mapping[str, Any], origin: Mapping[str, Any]
) -> list[Block]:
    old = before["figures"]
    whole = [key for key in fresh if not fresh[key]["zone"] and key in old]
    blocks: list[Block] = []
    shares = [key for key in whole if fresh[key]["kind"] == "share"]
    if shares:
        blocks.append(_shares(old, fresh, shares))
    numbers = [key for key in whole if fresh[key]["kind"] == "number"]
    if numbers:
        blocks.append(_numbers(old, fresh, numbers))
    moved = _movers(old, fresh)
    if moved is not None:
        blocks.append(moved)
    lost = sorted(key for key in old if not old[key]["zone"] and key not in fresh)
    if lost:
        blocks.append(
            Note(
                message(
                    "The earlier report has {count} figures of the whole area that this one lacks.",
                    count=len(lost),
                )
            )
        )
    causes = _causes(before["provenance"], origin)
    if causes.rows:
        blocks.append(causes)
    else:
        blocks.append(Paragraph(message("Data and settings are those of the earlier report.")))
    return blocks


def _shares(old: Mapping[str, Any], fresh: Mapping[str, Any], keys: list[str]) -> Table:
    rows = tuple(
        (
            figures.subject(fresh[key]),
            old[key]["value"],
            (fresh[key]["value"], fresh[key]["low"], fresh[key]["high"]),
            100.0 * (fresh[key]["value"] - old[key]["value"]),
        )
        for key in keys
    )
    return Table(
        "changes_shares",
        message("Shares of the whole area, then and now"),
        (
            Column("figure", message("Figure"), width=2.6),
            Column("before", message("Earlier report"), "share"),
            Column("now", message("This report"), "estimate", width=1.4),
            Column("change", message("Change, percentage points"), "number", 2, width=1.2),
        ),
        rows,
        message(
            "A change smaller than the interval may come from what is doubtful in the inputs "
            "rather than from the network."
        ),
    )


def _numbers(old: Mapping[str, Any], fresh: Mapping[str, Any], keys: list[str]) -> Table:
    rows = tuple(
        (
            figures.subject(fresh[key]),
            float(old[key]["value"]),
            float(fresh[key]["value"]),
            float(fresh[key]["value"]) - float(old[key]["value"]),
        )
        for key in keys
    )
    return Table(
        "changes_numbers",
        message("Numbers, then and now"),
        (
            Column("figure", message("Figure"), width=2.6),
            Column("before", message("Earlier report"), "number", 0),
            Column("now", message("This report"), "number", 0),
            Column("change", message("Change"), "number", 0),
        ),
        rows,
    )


def _movers(old: Mapping[str, Any], fresh: Mapping[str, Any]) -> Table | None:
    moved = [
        (abs(fresh[key]["value"] - old[key]["value"]), key)
        for key in fresh
        if fresh[key]["zone"]
        and key in old
        and fresh[key]["measure"] in ("area", "household")
        and abs(fresh[key]["value"] - old[key]["value"]) >= LEAST
    ]
    if not moved:
        return None
    moved.sort(key=lambda each: (-each[0], each[1]))
    rows = tuple(
        (
            fresh[key]["name"],
            figures.subject(fresh[key]),
            old[key]["value"],
            fresh[key]["value"],
            100.0 * (fresh[key]["value"] - old[key]["value"]),
        )
        for _, key in moved[:MOVERS]
    )
    return Table(
        "changes_communes",
        message("Communes with the largest changes"),
        (
            Column("commune", message("Commune or ward"), width=1.8),
            Column("figure", message("Figure"), width=2.4),
            Column("before", message("Earlier report"), "share"),
            Column("now", message("This report"), "share"),
            Column("change", message("Change, percentage points"), "number", 2, width=1.2),
        ),
        rows,
    )


_SETTINGS = {
    "model": message("Propagation model"),
    "resolution_m": message("Pixel size, m"),
    "threshold_profile": message("Conditions"),
    "calibration": message("Calibration"),
    "model_mean_error_db": message("Mean error of the model, dB"),
    "engine_version": message("Version of the computation"),
}


def _causes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Table:
    """List the data and the settings that differ."""
    rows: list[tuple[Value, ...]] = []
    old, new = before.get("inputs", {}), now.get("inputs", {})
    for name in [*new, *(name for name in old if name not in new)]:
        then, here = old.get(name), new.get(name)
        if then == here:
            continue
        rows.append((words.named(names.LAYERS, name), _origin(then), _origin(here)))
    old, new = before.get("settings", {}), now.get("settings", {})
    for name, title in _SETTINGS.items():
        if old.get(name) != new.get(name):
            rows.append((title, _setting(old.get(name)), _setting(new.get(name))))
    for name in sorted({*old.get("thresholds", {}), *new.get("thresholds", {})}):
        then, here = (each.get("thresholds", {}).get(name) for each in (old, new))
        if then != here:
            title = message("Threshold of {technology}", technology=name)
            rows.append((title, _threshold(then), _threshold(here)))
    return Table(
        "changes_causes",
        message("Data and settings that differ"),
        (
            Column("what", message("Item"), width=1.4),
            Column("before", message("Earlier report"), width=2.4),
            Column("now", message("This report"), width=2.4),
        ),
        tuple(rows),
    )


def _origin(item: Mapping[str, Any] | None) -> Value:
    if item is None:
        return None
    parts = (item["source"], item["vintage"], item["retrieved_at"][:10], item["sha256"][:8])
    return "; ".join(part for part in parts if part)


def _setting(value: Any) -> Value:
    return None if value is None else str(value)


def _threshold(value: Any) -> Value:
    if value is None:
        return None
    return f"{value['threshold_dbm']:g} dBm, {100.0 * value['probability']:g} %"


def _history(inputs: Inputs) -> Table | None:
    steps = inputs.workspace.history()
    if not steps:
        return None
    rows = tuple(
        (
            step.when[:10],
            step.what,
            step.file or None,
            ", ".join(step.names),
        )
        for step in steps
    )
    return Table(
        "history",
        message("Imports into the study area that can be undone"),
        (
            Column("when", message("Day"), "day"),
            Column("what", message("What was done"), width=1.6),
            Column("file", message("File"), width=2.0),
            Column("layers", message("Layers"), width=2.0),
        ),
        rows,
    )
