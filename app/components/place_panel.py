"""What is received at the place that was clicked on the map."""

from __future__ import annotations

from html import escape

import streamlit as st

from app import formats, places
from app.components import style
from app.i18n import _
from coverage.results import CoverageResult
from data.store import Workspace


def show(
    area: Workspace,
    result: CoverageResult,
    clicked: tuple[float, float] | None,
    operator: str,
) -> None:
    """Show the place, or how to choose one.

    Parameters
    ----------
    area
        The workspace.
    result
        Its coverage.
    clicked
        Latitude and longitude, or None. [deg]
    operator
        Operator, or "any".
    """
    st.subheader(_("At this place"))
    if clicked is None:
        st.caption(_("Click a place on the map to see what is received there, and from where."))
        return
    place = places.explain(area, result, *clicked, operator)
    style.facts(
        [
            (_("Administrative unit"), " › ".join(place.zones) or _("outside the study area")),
            (_("Latitude; longitude"), formats.coordinates(*clicked)),
            (_("Ground height"), formats.quantity(place.ground_m, "m")),
        ]
    )
    if not place.inside:
        st.info(_("Nothing was computed here: the place lies outside the study area."))
        return
    st.caption(
        _("Best server of any operator")
        if operator == "any"
        else _("Best server of {operator}", operator=operator)
    )
    st.html("".join(_card(reception) for reception in place.receptions))


def _card(reception: places.Reception) -> str:
    if reception.level_dbm is None:
        verdict, level = _("no signal"), formats.NOTHING
    else:
        verdict = _("covered") if reception.covered else _("not covered")
        level = formats.quantity(reception.level_dbm, "dBm")
    kind = "yes" if reception.covered else "no"
    heading = (
        f'<div class="ps-card-head"><strong>{escape(reception.technology)}</strong>'
        f'<span class="ps-badge ps-{kind}">{escape(verdict)}</span></div>'
    )
    facts = [
        (
            reception.metric,
            _(
                "{level} (threshold {threshold})",
                level=level,
                threshold=formats.quantity(reception.threshold_dbm, "dBm"),
            ),
        )
    ]
    if reception.level_dbm is not None:
        cell = (reception.operator, reception.band, reception.cell_id)
        mast = reception.mast_id
        if reception.mast_name and reception.mast_name != mast:
            mast += f" – {reception.mast_name}"
        facts += [
            (_("Probability"), formats.percent(reception.probability)),
            (_("Cell"), " · ".join(part for part in cell if part)),
            (_("Mast"), f"{mast} · {formats.distance(reception.distance_m)}"),
        ]
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return f'<div class="ps-card">{heading}<dl class="ps-facts">{rows}</dl></div>'
