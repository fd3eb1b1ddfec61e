"""The sections about broadband and the dedicated data network."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from data.errors import Message, message
from planning import names, network_report
from planning.broadband_request import SERVED
from planning.reports import maps, words
from planning.reports.inputs import PARTS, Inputs, present
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
from planning.reports.radio import estimate

_BY_COMMUNE = (SERVED, "mobile_broadband", "broadband_or_mobile")

#: Measures of the dedicated network that a report shows.
_SITE_MEASURES = ("connected", "planned", "lan", "video_conference", "reachable")


def restored(notes: list[dict[str, Any]]) -> tuple[Message, ...]:
    """Return the notes of a result as they were before they became JSON."""
    return tuple(Message(note["template"], note["values"]) for note in notes)


def broadband_section(inputs: Inputs) -> Section:
    """Return the section about broadband.

    Parameters
    ----------
    inputs
        What is known.

    Returns
    -------
    Section
        Totals, a map and a table by commune.
    """
    result = inputs.broadband
    if result is None:
        reason = inputs.missing.get("broadband")
        return Section("broadband", PARTS["broadband"], (Note(words.not_computed(reason)),))
    request = result.summary["provenance"]["request"]
    said = Paragraph(
        message(
            "A home counts as served by fibre if it lies within {drop} of an access point in "
            "service along roads and routes, if the light from the exchange suffices and if a "
            "port is there for it. Mobile broadband needs at least {rate} for a user alone in "
            "the cell.",
            drop=Number(float(request["drop_m"]), unit="m"),
            rate=Number(float(request["rate_mbps"]), unit="Mbit/s"),
        )
    )
    blocks: list[Block] = [
        said,
        _broadband_total(inputs),
        maps.broadband(inputs),
        *(_broadband_by_zone(inputs, level) for level in inputs.levels),
        Bullets(restored(result.summary["provenance"]["notes"])),
    ]
    return Section("broadband", PARTS["broadband"], tuple(blocks))


def _broadband_total(inputs: Inputs) -> Table:
    figures = present(inputs.broadband).figures
    whole = figures[figures["zone"] == inputs.whole]
    rows = []
    for service in names.ordered(whole["service"]):
        own = whole[whole["service"] == service]
        home = own[own["measure"] == "household"].iloc[0]
        people = own[own["measure"] == "population"].iloc[0]
        rows.append(
            (
                words.named(names.SERVICES, service),
                estimate(home),
                float(home["count"]),
                estimate(people),
                float(people["count"]),
            )
        )
    weight = whole[whole["measure"] == "household"]["weight"].iloc[0]
    return Table(
        "broadband_total",
        message("Broadband in the whole area"),
        (
            Column("service", message("Service"), width=2.2),
            Column("household", message("Share of households"), "estimate", width=1.4),
            Column("households", message("Households"), "number", 0),
            Column("population", message("Share of population"), "estimate", width=1.4),
            Column("people", message("People"), "number", 0),
        ),
        tuple(rows),
        message(
            "Of {households} households. Second line: range of what is doubtful in drop length, "
            "ports and optical losses; it is no probability.",
            households=Number(float(weight)),
        ),
    )


_BROADBAND_TITLES = {
    "district": message("Share of households with broadband, by district"),
    "commune": message("Share of households with broadband, by commune"),
}


def _broadband_by_zone(inputs: Inputs, level: str) -> Table:
    figures = present(inputs.broadband).figures
    figures = figures[figures["measure"] == "household"]
    services = [name for name in _BY_COMMUNE if name in set(figures["service"])]
    found = {
        (int(row["zone"]), str(row["service"])): row
        for _, row in figures[figures["service"].isin(services)].iterrows()
    }
    zones = inputs.of(level)
    rows = tuple(
        (
            str(zones.loc[zone, "code"]),
            str(zones.loc[zone, "name"]),
            _weight(found.get((int(zone), SERVED))),
            *(estimate(found.get((int(zone), service))) for service in services),
        )
        for zone in zones.index
    )
    return Table(
        f"broadband_{level}",
        _BROADBAND_TITLES[level],
        (
            Column("code", message("Code"), width=0.8),
            Column("name", message("Name"), width=2.0),
            Column("weight", words.WEIGHTS["household"], "number", 0),
            *(
                Column(name, words.named(names.SERVICES, name), "estimate", width=1.6)
                for name in services
            ),
        ),
        rows,
        inputs.vintage(level),
    )


def _weight(row: pd.Series | None) -> float | None:
    return None if row is None else float(row["weight"])


# The dedicated network


def network_section(inputs: Inputs) -> Section:
    """Return the section about the dedicated data network.

    Parameters
    ----------
    inputs
        What is known.

    Returns
    -------
    Section
        Figures by level and unit, beside reported ones; what single failures cut off.
    """
    state = inputs.network
    if state is None:
        reason = inputs.missing.get("network")
        return Section("network", PARTS["network"], (Note(words.not_computed(reason)),))
    count, of = state.figure("connected")
    blocks: list[Block] = [
        Paragraph(
            message(
                "{count} of {of} sites ({share}) are connected to the dedicated data network, by "
                "{links} live links.",
                count=Number(count),
                of=Number(of),
                share=Share(count / of if of else None),
                links=Number(len(state.network.links)),
            )
        ),
        _by_level(inputs),
        maps.network(inputs),
    ]
    claims = network_report.compare(
        inputs.workspace, network_report.reported(inputs.workspace), state
    )
    if len(claims):
        blocks.append(_claims(claims))
    by_zone = (_sites_by_zone(inputs, level) for level in inputs.levels)
    blocks += [table for table in by_zone if table.rows]
    if inputs.failures:
        blocks.append(_failures(inputs.failures))
    notes = tuple(network_report.notes(state))
    if notes:
        blocks.append(Bullets(notes))
    return Section("network", PARTS["network"], tuple(blocks))


def _by_level(inputs: Inputs) -> Table:
    state = present(inputs.network)
    whole = state.figures[state.figures["zone"] == -1]
    levels = [name for name in words.LEVELS if name in set(whole["level"])]
    rows: list[tuple[Value, ...]] = []
    for level in [*(name for name in levels if name != "all"), "all"]:
        for measure in _SITE_MEASURES:
            count, of = state.figure(measure, level)
            rows.append(
                (
                    words.LEVELS[level],
                    names.NETWORK_MEASURES[measure],
                    count,
                    of,
                    count / of if of else None,
                )
            )
    return Table(
        "network_levels",
        message("Sites of the dedicated data network by level"),
        (
            Column("level", message("Level"), width=1.3),
            Column("measure", message("Measure"), width=2.0),
            Column("count", message("Sites"), "number", 0),
            Column("of", message("Of"), "number", 0),
            Column("share", message("Share"), "share"),
        ),
        tuple(rows),
        message("Only connected sites can reach a data centre; they are the whole of that share."),
        totals=len(_SITE_MEASURES),
    )


def _claims(claims: pd.DataFrame) -> Table:
    rows = tuple(
        (
            str(claim["claim"]),
            words.named(names.NETWORK_MEASURES, claim["measure"]),
            words.named(words.LEVELS, claim["level"]),
            _share(claim["percent"]),
            _count(claim["count"]),
            str(claim["day"]) or None,
            _share(claim["then_percent"]),
            _share(claim["now_percent"]),
            _count(claim["now_count"]),
        )
        for claim in claims.to_dict("records")
    )
    return Table(
        "network_claims",
        message("Dedicated network: reported beside computed"),
        (
            Column("claim", message("Code"), width=0.8),
            Column("measure", message("Measure"), width=1.6),
            Column("level", message("Level")),
            Column("reported", message("Reported"), "share"),
            Column("reported_count", message("Reported, number"), "number", 0),
            Column("day", message("As of"), "day", width=1.2),
            Column("then", message("Inventory on that day"), "share", width=1.2),
            Column("now", message("Inventory now"), "share", width=1.1),
            Column("now_count", message("Inventory now, number"), "number", 0, width=1.2),
        ),
        rows,
        message(
            "A dash: the report or the inventory has no such figure. Levels that no longer exist "
            "have no sites."
        ),
    )


def _share(percent: float) -> float | None:
    return percent / 100.0 if math.isfinite(percent) else None


def _count(value: float) -> int | None:
    return int(value) if math.isfinite(value) else None


_SITES_TITLES = {
    "district": message("Sites of the dedicated data network by district"),
    "commune": message("Sites of the dedicated data network by commune"),
}


def _sites_by_zone(inputs: Inputs, level: str) -> Table:
    state = present(inputs.network)
    figures = state.figures[(state.figures["level"] == "all") & (state.figures["zone"] >= 0)]
    found = {
        (int(row["zone"]), str(row["measure"])): row
        for _, row in figures[figures["measure"].isin(_SITE_MEASURES)].iterrows()
    }
    zones = inputs.of(level)
    rows: list[tuple[Value, ...]] = []
    for zone in zones.index:
        cells = [found.get((int(zone), measure)) for measure in _SITE_MEASURES]
        if all(cell is None for cell in cells):
            continue
        of = next((int(cell["of"]) for cell in cells if cell is not None), None)
        rows.append(
            (
                str(zones.loc[zone, "code"]),
                str(zones.loc[zone, "name"]),
                of,
                *(None if cell is None else int(cell["count"]) for cell in cells),
            )
        )
    return Table(
        f"network_{level}",
        _SITES_TITLES[level],
        (
            Column("code", message("Code"), width=0.8),
            Column("name", message("Name"), width=2.0),
            Column("sites", message("Sites"), "number", 0),
            *(
                Column(name, names.NETWORK_MEASURES[name], "number", 0, width=1.2)
                for name in _SITE_MEASURES
            ),
        ),
        tuple(rows),
        inputs.vintage(level),
    )


def _failures(failures: Any) -> Table:
    rows: list[tuple[Value, ...]] = []
    for kind, entry in failures.items():
        worst = entry["worst"][0] if entry["worst"] else None
        rows.append(
            (
                words.named(names.FAILURES, kind),
                int(entry["of"]),
                int(entry["cutting"]),
                None if worst is None else str(worst["name"]),
                None if worst is None else int(worst["count"]),
            )
        )
    return Table(
        "network_failures",
        message("What single failures cut off"),
        (
            Column("kind", message("What fails"), width=1.5),
            Column("of", message("Number"), "number", 0),
            Column("cutting", message("Of these cut off a site"), "number", 0, width=1.3),
            Column("worst", message("The worst"), width=2.0),
            Column("sites", message("Sites it cuts off"), "number", 0, width=1.3),
        ),
        tuple(rows),
    )
