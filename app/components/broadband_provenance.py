"""How a broadband coverage was computed and from what."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app import formats, labels
from app.components import figure_facts, style
from app.i18n import _, translate
from data.errors import Message
from planning.broadband_request import LAYERS


def show(summary: dict[str, Any]) -> None:
    """Show rules, assumptions, data, doubts and notes of a result.

    Parameters
    ----------
    summary
        Content of `broadband.json`.
    """
    origin = summary["provenance"]
    with st.expander(_("How were these figures computed?"), icon=":material/info:"):
        style.facts(facts(summary))
        st.markdown(f"**{_('Data')}**")
        inputs = origin["inputs"]
        show_inputs({name: inputs[name] for name in LAYERS if name in inputs})
        show_notes([Message(note["template"], note["values"]) for note in origin["notes"]])


def show_inputs(inputs: dict[str, dict[str, Any]]) -> None:
    """Show where layers come from.

    Parameters
    ----------
    inputs
        Layer -> what is known of its origin.
    """
    style.facts([(labels.layer(name), figure_facts.origin(item)) for name, item in inputs.items()])


def show_notes(notes: list[Message]) -> None:
    """Show what a reader should know.

    Parameters
    ----------
    notes
        Sentences.
    """
    if notes:
        st.markdown(f"**{_('Notes')}**")
    for note in notes:
        st.markdown(f"- {translate(note)}")


def facts(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Return by which rules a coverage was computed, and from how much.

    Parameters
    ----------
    summary
        Content of `broadband.json`.

    Returns
    -------
    list of tuple of str
        Name and value.
    """
    origin = summary["provenance"]
    request = origin["request"]
    shortest_m, longest_m = origin["uncertainty"]["drop_m"]
    homes, access = summary["homes"], summary["access_points"]
    assigned = _(
        "a home takes what is left of the ports, nearest pairs of home and access point first"
    )
    found = [
        (
            _("Served"),
            _(
                "within {drop} of an access point in service along roads and routes; the light "
                "from the exchange suffices; a port is there: {ports}",
                drop=formats.distance(request["drop_m"]),
                ports=assigned,
            ),
        ),
        (
            _("Homes"),
            _(
                "{points} places, {households} households, {people} people; from: {source}",
                points=formats.number(homes["points"]),
                households=formats.number(homes["households"]),
                people=formats.number(homes["people"]),
                source=_homes_source(homes["source"]),
            ),
        ),
        (
            _("Access points"),
            _(
                "{count} with {ports} ports, {used} of them in use; {exchanges} exchanges",
                count=formats.number(access["count"]),
                ports=formats.number(access["ports"]),
                used=formats.number(access["ports_used"]),
                exchanges=formats.number(access["exchanges"]),
            ),
        ),
        (
            _("State of access points"),
            " · ".join(
                f"{labels.access_state(name)}: {formats.number(count)}"
                for name, count in access["states"].items()
            ),
        ),
        (
            _("Optical budget classes"),
            " · ".join(
                f"{name}: {formats.quantity(item['greatest_db'], 'dB', 1)}"
                for name, item in origin["optical"].items()
            )
            if summary["budget_checked"]
            else _("not checked"),
        ),
        (
            _("Range"),
            _(
                "low: drops up to {low} only, unknown ports missing, greatest losses; high: drops "
                "up to {high}, unknown ports without limit, least losses; mobile: mean error of "
                "the propagation model",
                low=formats.distance(shortest_m),
                high=formats.distance(longest_m),
            ),
        ),
    ]
    if origin["mobile_coverage"] is not None:
        found.append(
            (
                _("Mobile broadband"),
                _(
                    "{technologies} with at least {rate} Mbit/s, from the coverage {key}",
                    technologies=", ".join(request["mobile_technologies"]),
                    rate=formats.number(request["rate_mbps"], 1),
                    key=origin["mobile_coverage"],
                ),
            )
        )
    version = origin["engine_version"]
    return [*found, (_("Result"), f"{origin['key']} ({_('engine')} {version})")]


def _homes_source(source: str) -> str:
    return _("a file of homes") if source == "given" else labels.layer(source).lower()
