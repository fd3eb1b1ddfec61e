"""The first section: every figure of the whole area at a glance, beside reported ones."""

from __future__ import annotations

from data.errors import message
from planning.broadband_request import SERVED
from planning.reports import indicators, radio, words
from planning.reports.inputs import PARTS, Inputs
from planning.reports.model import Block, Note, Number, Paragraph, Section, Share


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
        blocks.append(indicators.missing(inputs))
    else:
        blocks.append(indicators.beside(inputs.indicators))
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
