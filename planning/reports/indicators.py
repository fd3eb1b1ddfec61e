"""The section of indicators: what was reported, what is computed, and what is aimed at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from data.errors import Message, message
from planning import names
from planning.reports import words
from planning.reports.inputs import PARTS, Inputs
from planning.reports.model import (
    Bilingual,
    Block,
    Column,
    Note,
    Number,
    Section,
    Table,
    Text,
    Value,
)

#: Groups of what this program computes, which the summary sets side by side.
COMPUTED_GROUPS = ("mobile", "broadband", "network", "equipment", "conference")


def missing(inputs: Inputs) -> Note:
    """Say why there is no table of indicators."""
    reason = inputs.missing.get(
        "indicators", message("the table of indicators is not part of this report")
    )
    return Note(words.not_computed(reason))


def section(inputs: Inputs) -> Section:
    """Return the section with all indicators by group.

    Parameters
    ----------
    inputs
        What is known.

    Returns
    -------
    Section
        Figures, statements and documents of each group; or why there are none.
    """
    if inputs.indicators is None:
        return Section("indicators", PARTS["indicators"], (missing(inputs),))
    frame = inputs.indicators
    others = [str(name) for name in frame["group"].unique() if name not in names.INDICATOR_GROUPS]
    parts = []
    for name in (*names.INDICATOR_GROUPS, *others):
        own = frame[frame["group"] == name]
        if len(own):
            title = names.INDICATOR_GROUPS.get(name, Message("{name}", {"name": name}))
            blocks = _blocks(name, title, own)
            if name == "service_points":
                blocks += _points(inputs)
            parts.append(Section(f"indicators_{name}", title, tuple(blocks)))
    return Section("indicators", PARTS["indicators"], (), tuple(parts))


def _blocks(name: str, title: Message, own: pd.DataFrame) -> list[Block]:
    blocks: list[Block] = []
    figures = own[own["kind"] == "figure"]
    if len(figures):
        blocks.append(
            _figures(f"indicators_{name}", message("Indicators: {group}", group=title), figures)
        )
    said = own[own["kind"] == "statement"]
    if len(said):
        blocks.append(
            _statements(
                f"statements_{name}", message("Statements without a number: {group}", group=title),
                said,
            )
        )  # fmt: skip
    documents = own[own["kind"] == "document"]
    if len(documents):
        blocks.append(
            _documents(f"documents_{name}", message("Documents: {group}", group=title), documents)
        )
    return blocks


def _points(inputs: Inputs) -> list[Block]:
    """Return the table of post and telecom service points by finest unit, where there is one."""
    frame = inputs.service_points
    if frame is None:
        return []
    finest = inputs.communes
    # A former unit may have had the code of one that is there now.
    here = frame[frame["name"].isin(finest["name"]) & frame["level"].isin(finest["level"])]
    here = here[here["code"].isin(finest["code"].astype(str))]
    rows = tuple(
        (
            str(row["code"]),
            str(row["name"]),
            _number(row["reported"]),
            _text(row["as_of"]) or None,
            _number(row["computed"]),
        )
        for row in here.to_dict("records")
    )
    if not rows:
        return []
    table = Table(
        "service_points_by_unit",
        message("Post and telecom service points by unit"),
        (
            Column("code", message("Code"), width=0.8),
            Column("name", message("Name"), width=2.4),
            Column("reported", message("Reported"), "number", 0),
            Column("as_of", message("As of"), "day", width=1.2),
            Column("computed", message("Computed"), "number", 0),
        ),
        rows,
        message("Computed: points in the layer of public places. A dash: not known."),
    )
    return [table]


def beside(frame: pd.DataFrame) -> Table:
    """Return the figures that are both reported and computed, or have a target.

    Parameters
    ----------
    frame
        Table of `planning.indicators`.

    Returns
    -------
    Table
        Of the groups that this program computes.
    """
    chosen = frame[
        frame["group"].isin(COMPUTED_GROUPS)
        & (frame["kind"] == "figure")
        & frame["computed"].notna()
        & (frame["reported"].notna() | frame["target"].notna())
    ]
    rows = tuple(_row(row) for row in chosen.to_dict("records"))
    columns = _columns()
    kept = [k for k, column in enumerate(columns) if column.key not in ("denominator", "remarks")]
    return Table(
        "summary_reported",
        message("Reported beside computed, with targets"),
        tuple(columns[k] for k in kept),
        tuple(tuple(row[k] for k in kept) for row in rows),
        message("The section on indicators has all of them, with remarks."),
    )


def _columns() -> tuple[Column, ...]:
    return (
        Column("indicator", message("Indicator"), width=2.7),
        Column("unit", message("Unit"), width=0.8),
        Column("denominator", message("Share of"), width=1.1),
        Column("reported", message("Reported"), "number", width=0.9),
        Column("as_of", message("As of"), "day", width=1.1),
        Column("computed", message("Computed"), "number", width=0.9),
        Column("low", message("Interval from"), "number", width=0.9),
        Column("high", message("Interval to"), "number", width=0.9),
        Column("target", message("Target"), "number", width=0.8),
        Column("target_year", message("Target year"), width=0.8),
        Column("remarks", message("Remarks"), width=2.6),
    )


def _figures(key: str, title: Message, frame: pd.DataFrame) -> Table:
    return Table(
        key,
        title,
        _columns(),
        tuple(_row(row) for row in frame.to_dict("records")),
        message(
            "A dash: not reported, not computed or no target. A figure whose denominator or "
            "method is not stated is shown as it was reported."
        ),
        wide=True,
    )


def _row(row: Mapping[Any, Any]) -> tuple[Value, ...]:
    unit = _text(row["unit"])
    # A share of which the report does not say of what: its denominator is that it stated.
    of: Text | None = None
    if unit == "%":
        of = _share_of(_text(row["denominator"]))
    year = _float(row["target_year"])
    return (
        Bilingual(_text(row["title_vi"]), _text(row["title_en"])),
        words.named(names.UNITS, unit) if unit else None,
        of,
        _number(row["reported"]),
        _text(row["as_of"]) or None,
        _number(row["computed"]),
        _number(row["interval_low"]),
        _number(row["interval_high"]),
        _number(row["target"]),
        None if year is None else str(int(year)),
        _remarks(row),
    )


def _share_of(code: str) -> Text:
    return words.named(names.DENOMINATORS, code) if code else words.NOT_STATED


def _sentence(note: object) -> str:
    """Return a note with the capital and the stop that some are written without."""
    text = _text(note).strip()
    text = text[:1].upper() + text[1:]
    return text if not text or text[-1] in ".!?…" else f"{text}."


def _remarks(row: Mapping[Any, Any]) -> Value:
    """Join the warnings about a reported value, its note, and why nothing was computed."""
    said: list[Text] = list(row["warnings"] or ())
    if _text(row["note_vi"]) or _text(row["note"]):
        said.append(Bilingual(_sentence(row["note_vi"]), _sentence(row["note"])))
    if isinstance(row["missing"], Message):
        said.append(row["missing"])
    if not said:
        return None
    names = {f"part{k}": text for k, text in enumerate(said)}
    return Message(" ".join(f"{{{name}}}" for name in names), names)


def _statements(key: str, title: Message, frame: pd.DataFrame) -> Table:
    rows = tuple(
        (
            Bilingual(_text(row["title_vi"]), _text(row["title_en"])),
            _text(row["as_of"]) or None,
            _text(row["source"]) or None,
            _remarks(row),
        )
        for row in frame.to_dict("records")
    )
    return Table(
        key,
        title,
        (
            Column("statement", message("Statement"), width=2.6),
            Column("as_of", message("As of"), "day", width=0.9),
            Column("source", message("Source"), width=1.8),
            Column("remarks", message("Remarks"), width=1.8),
        ),
        rows,
        wide=True,
    )


def _documents(key: str, title: Message, frame: pd.DataFrame) -> Table:
    rows = tuple(
        (
            _text(row["number"]) or None,
            Bilingual(_text(row["title_vi"]), _text(row["title_en"])),
            _text(row["issued_on"]) or None,
            _text(row["issuer"]) or None,
        )
        for row in frame.to_dict("records")
    )
    return Table(
        key,
        title,
        (
            Column("number", message("Document number"), width=1.2),
            Column("title", message("Title"), width=3.0),
            Column("issued_on", message("Issued on"), "day", width=1.0),
            Column("issuer", message("Issued by"), width=1.4),
        ),
        rows,
        wide=True,
    )


def _text(value: Any) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value)


def _float(value: Any) -> float | None:
    if value is None or value is pd.NA:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _number(value: Any) -> Number | None:
    """Return a value with the decimals that it needs, one at most for what is computed."""
    number = _float(value)
    if number is None:
        return None
    return Number(number, 0 if math.isclose(number, round(number), abs_tol=1e-9) else 1)
