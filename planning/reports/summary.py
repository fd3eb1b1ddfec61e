"""The first section: every figure of the whole area at a glance, beside reported ones."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from data.errors import message
from planning.broadband_request import SERVED
from planning.reports import radio, words
from planning.reports.inputs import PARTS, Inputs
from planning.reports.model import (
    Bilingual,
    Block,
    Column,
    Note,
    Number,
    Paragraph,
    Section,
    Share,
    Table,
    Value,
)

#: Groups of indicators in the order in which they are read.
GROUPS = {
    "mobile": message("Mobile coverage"),
    "broadband": message("Broadband"),
    "service_points": message("Post, telecom points, radio and television"),
    "network": message("Dedicated data network"),
    "equipment": message("Local networks and computers"),
    "conference": message("Video conference"),
    "egovernment": message("E-government"),
    "operations_centre": message("Operations centre"),
    "documents": message("Planning documents"),
    "goals": message("Goals"),
}


def section(inputs: Inputs) -> Section:
    """Return the summary.

    Parameters
    ----------
    inputs
        What is known.

    Returns
    -------
    Section
        Sentences, and the table of reported, computed and target figures where there is one.
    """
    blocks: list[Block] = []
    if inputs.coverage is None:
        blocks.append(Note(words.not_computed(inputs.missing.get("coverage"))))
    else:
        blocks += radio.sentences(inputs)
    blocks += _broadband(inputs)
    blocks += _network(inputs)
    if inputs.indicators is None:
        reason = inputs.missing.get(
            "indicators", message("the table of indicators is not part of this report")
        )
        blocks.append(Note(words.not_computed(reason)))
    else:
        blocks.append(_beside(inputs.indicators))
    return Section("summary", PARTS["summary"], tuple(blocks))


def _broadband(inputs: Inputs) -> list[Block]:
    if inputs.broadband is None:
        return [Note(words.not_computed(inputs.missing.get("broadband")))]
    rows = inputs.broadband.figures
    own = rows[
        (rows["zone"] == inputs.whole)
        & (rows["service"] == SERVED)
        & (rows["measure"] == "household")
    ].iloc[0]
    return [
        Paragraph(
            message(
                "Fixed broadband: fibre can serve {share} of the households (range {low} to "
                "{high}).",
                share=Share(float(own["share"])),
                low=Share(float(own["interval_low"])),
                high=Share(float(own["interval_high"])),
            )
        )
    ]


def _network(inputs: Inputs) -> list[Block]:
    if inputs.network is None:
        return [Note(words.not_computed(inputs.missing.get("network")))]
    count, of = inputs.network.figure("connected")
    return [
        Paragraph(
            message(
                "Dedicated data network: {count} of {of} sites are connected ({share}).",
                count=Number(count),
                of=Number(of),
                share=Share(count / of if of else None),
            )
        )
    ]


def indicators_section(inputs: Inputs) -> Section:
    """Return the section with all indicators by group.

    Parameters
    ----------
    inputs
        What is known.

    Returns
    -------
    Section
        A table for each group; or why there is none.
    """
    if inputs.indicators is None:
        reason = inputs.missing.get(
            "indicators", message("the table of indicators is not part of this report")
        )
        return Section("indicators", PARTS["indicators"], (Note(words.not_computed(reason)),))
    frame = inputs.indicators
    known = [name for name in GROUPS if name in set(frame["group"])]
    others = [name for name in frame["group"].unique() if name not in GROUPS]
    blocks = [
        _table(
            f"indicators_{name}",
            message("Indicators: {group}", group=GROUPS.get(name, str(name))),
            frame[frame["group"] == name],
        )
        for name in (*known, *others)
    ]
    return Section("indicators", PARTS["indicators"], tuple(blocks))


def _beside(frame: pd.DataFrame) -> Table:
    """Return the figures of mobile coverage, broadband and network that can be set side by side."""
    chosen = frame[
        frame["group"].isin(("mobile", "broadband", "network"))
        & frame["reported"].notna()
        & frame["computed"].notna()
    ]
    return _table(
        "summary_reported",
        message("Reported beside computed, with targets"),
        chosen,
    )


def _table(key: str, title: Any, frame: pd.DataFrame) -> Table:
    rows = tuple(_row(row) for row in frame.to_dict("records"))
    return Table(
        key,
        title,
        (
            Column("indicator", message("Indicator"), width=2.6),
            Column("unit", message("Unit"), width=0.7),
            Column("denominator", message("Share of"), width=1.0),
            Column("reported", message("Reported"), "number", 1),
            Column("as_of", message("As of"), "day", width=1.1),
            Column("computed", message("Computed"), "number", 1),
            Column("low", message("Interval from"), "number", 1),
            Column("high", message("Interval to"), "number", 1),
            Column("target", message("Target"), "number", 1),
            Column("target_year", message("Year"), width=0.7),
            Column("remarks", message("Remarks"), width=2.2),
        ),
        rows,
        message(
            "A dash: not reported, not computed or no target. A figure whose denominator or "
            "method is not stated is shown as it was reported."
        ),
        wide=True,
    )


def _row(row: dict[Any, Any]) -> tuple[Value, ...]:
    year = row.get("target_year")
    return (
        Bilingual(_text(row["title_vi"]), _text(row["title_en"])),
        _text(row["unit"]) or None,
        words.named({**words.MEASURES, "": words.NOT_STATED}, _text(row["denominator"])),
        _number(row["reported"]),
        _text(row["as_of"]) or None,
        _number(row["computed"]),
        _number(row["interval_low"]),
        _number(row["interval_high"]),
        _number(row["target"]),
        None if _number(year) is None else str(int(float(year))),
        _remarks(row),
    )


def _remarks(row: dict[Any, Any]) -> Value:
    found = row.get("warnings")
    if isinstance(found, (list, tuple)):
        return "; ".join(str(each) for each in found) or _text(row.get("note")) or None
    return _text(found) or _text(row.get("note")) or None


def _text(value: Any) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
