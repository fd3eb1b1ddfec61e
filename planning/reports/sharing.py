"""The annex with a plan for sharing masts."""

from __future__ import annotations

import math
from typing import Any

from data.errors import Message, message
from planning import consolidation, names
from planning.consolidation import Consolidation
from planning.reports import words
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
    Value,
)

#: Money is written in millions of the currency.
MILLION = 1e6

_STATES = {
    "stays": message("stays"),
    "goes": message("goes"),
    "receives": message("receives operators"),
}


def section(inputs: Inputs) -> Section:
    """Return the section about sharing.

    Parameters
    ----------
    inputs
        What is known.

    Returns
    -------
    Section
        What may go, who moves, what it costs and saves; or why there is no plan.
    """
    found: Consolidation | None = inputs.sharing
    if found is None:
        reason = inputs.missing.get("sharing")
        return Section("sharing", PARTS["sharing"], (Note(words.not_computed(reason)),))
    blocks: list[Block] = [*_said(found.summary), _operators(found), _parties(found)]
    blocks += [_changes(found, inputs), _moves(found)]
    blocks.append(Bullets(found.notes))
    return Section("sharing", PARTS["sharing"], tuple(blocks))


def _said(summary: dict[str, Any]) -> list[Paragraph]:
    saving = summary["saving"]
    kept = message(
        "If every operator keeps at least {percent} of what it covers today with each technology, "
        "{removed} of {before} masts could go and operators would move {moves} times to masts of "
        "others.",
        percent=Share(float(summary["keep_percent"]) / 100.0, 0),
        removed=Number(int(summary["removed"])),
        before=Number(int(summary["masts_before"])),
        moves=Number(int(summary["moves"])),
    )
    proof = message("A choice that saves more has not been excluded.")
    if summary["objective"] == "masts" and summary["bound"] >= 1:
        proof = message(
            "It is proven that no choice leaves fewer than {bound} masts; this one leaves {after}.",
            bound=Number(float(summary["bound"])),
            after=Number(int(summary["masts_after"])),
        )
    elif summary["objective"] == "masts":
        proof = message(
            "This choice leaves {after} masts; how far that is from the fewest possible could not "
            "be proven in the time given.",
            after=Number(int(summary["masts_after"])),
        )
    money = message(
        "It would save {typical} million {currency} ({low} to {high}); the share of masts with two "
        "operators or more goes from {share_before} to {share_after}.",
        typical=_millions(saving["typical"]),
        low=_millions(saving["low"]),
        high=_millions(saving["high"]),
        currency=words.named(names.UNITS, summary["currency"]),
        share_before=Share(float(summary["sharing_percent_before"]) / 100.0),
        share_after=Share(float(summary["sharing_percent_after"]) / 100.0),
    )
    return [Paragraph(kept), Paragraph(proof), Paragraph(money)]


def _millions(amount: float) -> Number:
    return Number(float(amount) / MILLION)


def _operators(found: Consolidation) -> Table:
    rows = tuple(
        (
            str(row["operator"]),
            str(row["technology"]),
            float(row["km2_before"]),
            float(row["km2_after"]),
            _finite(row["km2_kept"]),
            float(row["people_before"]),
            float(row["people_after"]),
            _finite(row["people_kept"]),
        )
        for row in found.operators.to_dict("records")
    )
    return Table(
        "sharing_operators",
        message("Coverage of each operator before and after sharing"),
        (
            Column("operator", message("Operator")),
            Column("technology", message("Technology")),
            Column("km2_before", message("Area before, km²"), "number", 1),
            Column("km2_after", message("Area after, km²"), "number", 1),
            Column("km2_kept", message("Area kept"), "share"),
            Column("people_before", message("People before"), "number", 0),
            Column("people_after", message("People after"), "number", 0),
            Column("people_kept", message("People kept"), "share"),
        ),
        rows,
    )


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _parties(found: Consolidation) -> Table:
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (
            str(row["party"]),
            float(row["low"]) / MILLION,
            float(row["typical"]) / MILLION,
            float(row["high"]) / MILLION,
        )
        for row in found.parties.to_dict("records")
    )
    return Table(
        "sharing_parties",
        message(
            "Worth of the plan to each owner and operator, million {currency}",
            currency=words.named(names.UNITS, found.summary["currency"]),
        ),
        (
            Column("party", message("Owner or operator"), width=1.6),
            Column("low", message("Low"), "number", 0),
            Column("typical", message("Typical"), "number", 0),
            Column("high", message("High"), "number", 0),
        ),
        rows,
    )


def _changes(found: Consolidation, inputs: Inputs) -> Table:
    table = consolidation.mast_changes(found)
    table = table.assign(commune=inputs.commune_names(table.geometry))
    table = table[table["state"] != "stays"]
    rows = tuple(
        (
            str(row["mast_id"]),
            row["commune"] if isinstance(row["commune"], str) else None,
            str(row["owner"]),
            str(row["operators"]) or None,
            words.named(_STATES, row["state"]),
            str(row["receives"]) or None,
        )
        for row in table.drop(columns="geometry").to_dict("records")
    )
    return Table(
        "sharing_masts",
        message("Masts that go or receive operators"),
        (
            Column("mast_id", message("Mast")),
            Column("commune", message("Commune or ward"), width=1.8),
            Column("owner", message("Owner")),
            Column("operators", message("Operators on it"), width=1.2),
            Column("state", message("In the plan"), width=1.4),
            Column("receives", message("Receives"), width=1.0),
        ),
        rows,
    )


def _moves(found: Consolidation) -> Table:
    lines = consolidation.move_lines(found)
    rows = tuple(
        (
            str(row["operator"]),
            str(row["guest"]),
            str(row["host"]),
            float(length),
            float(row["height_m"]),
            int(row["cells"]),
        )
        for row, length in zip(
            lines.drop(columns="geometry").to_dict("records"), lines.length, strict=True
        )
    )
    return Table(
        "sharing_moves",
        message("Operators that move to another mast"),
        (
            Column("operator", message("Operator")),
            Column("guest", message("From mast")),
            Column("host", message("To mast")),
            Column("distance_m", message("Distance, m"), "number", 0),
            Column("height_m", message("Height there, m"), "number", 1),
            Column("cells", message("Cells"), "number", 0),
        ),
        rows,
    )


#: Said in the annexes of a report without a plan.
NOT_ASKED: Message = message("the sharing plan was not asked for; it takes minutes to compute")
