"""What is received at the place that was clicked on the map."""

from __future__ import annotations

from html import escape

import streamlit as st

from app import address, formats, places
from app.components import style
from app.i18n import _
from coverage.results import CoverageResult
from data.store import Workspace

_TYPED = "place.typed"
_NOW = "place.now"


def choose(area: Workspace, clicked: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return the place that is asked about: clicked, typed, or of the address.

    Parameters
    ----------
    area
        The workspace.
    clicked
        Latitude and longitude of the last click, or None. [deg]

    Returns
    -------
    tuple of float or None
        Latitude and longitude. [deg]
    """
    # Remembered with the area: a click on another area's map says nothing here.
    known = st.session_state.get(_NOW, (None, None, None))
    place, last = (known[1], known[2]) if known[0] == area.area.name else (address.place(), None)
    if clicked is not None and clicked != last:
        place, last = clicked, clicked
    typed = st.text_input(
        _("Latitude, longitude"),
        key=_TYPED,
        placeholder=formats.coordinates(20.5412, 105.9229),
        help=_("In degrees, or in degrees, minutes and seconds; or click on the map."),
        on_change=_take,
    )
    found = address.degrees(typed)
    if typed.strip() and found is None:
        st.caption(_(":orange[This is no latitude and longitude.]"))
    if st.session_state.pop("place.taken", False) and found is not None:
        place = found
    st.session_state[_NOW] = (area.area.name, place, last)
    if place is not None:
        address.note_place(*place)
    return place


def _take() -> None:
    st.session_state["place.taken"] = True


def show(
    area: Workspace,
    result: CoverageResult,
    where: tuple[float, float] | None,
    operator: str,
) -> places.Place | None:
    """Show the place, or how to choose one.

    Parameters
    ----------
    area
        The workspace.
    result
        Its coverage.
    where
        Latitude and longitude, or None. [deg]
    operator
        Operator, or "any".

    Returns
    -------
    places.Place or None
        What is received there; None where nothing was computed.
    """
    if where is None:
        st.caption(_("Click a place on the map to see what is received there, and from where."))
        return None
    place = places.explain(area, result, *where, operator)
    style.facts(
        [
            (_("Administrative unit"), " › ".join(place.zones) or _("outside the study area")),
            (_("Latitude; longitude"), formats.coordinates(*where)),
            (_("Ground height"), formats.quantity(place.ground_m, "m")),
        ]
    )
    if not place.inside:
        st.info(_("Nothing was computed here: the place lies outside the study area."))
        return None
    st.caption(
        _("Best server of any operator")
        if operator == "any"
        else _("Best server of {operator}", operator=operator)
    )
    st.html("".join(_card(reception) for reception in place.receptions))
    return place


def show_operators(place: places.Place) -> None:
    """Show the level of every technology and operator at the place.

    Parameters
    ----------
    place
        What is received where.
    """
    operators = list(dict.fromkeys(item.asked for item in place.by_operator))
    found = {(item.technology, item.asked): item for item in place.by_operator}
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in operators)
    rows = []
    for technology in dict.fromkeys(item.technology for item in place.by_operator):
        cells = "".join(_level_cell(name, found.get((technology, name))) for name in operators)
        metric = next(item.metric for item in place.by_operator if item.technology == technology)
        rows.append(
            f'<tr><th scope="row">{escape(technology)}'
            f'<span class="ps-small">{escape(metric)}</span></th>{cells}</tr>'
        )
    caption = _("Level by technology and operator")
    st.html(
        style.region(
            caption,
            f'<table class="ps-table ps-stack"><caption>{escape(caption)}</caption>'
            f'<thead><tr><th scope="col">{escape(_("Technology"))}</th>{head}</tr></thead>'
            f"<tbody>{''.join(rows)}</tbody></table>",
        )
    )


def _level_cell(operator: str, reception: places.Reception | None) -> str:
    if reception is None or reception.level_dbm is None:
        return style.cell(operator, f'<span class="ps-small">{escape(_("no signal"))}</span>')
    kind, verdict = ("yes", _("covered")) if reception.covered else ("no", _("not covered"))
    return style.cell(
        operator,
        f'<span class="ps-main">{escape(formats.quantity(reception.level_dbm, "dBm"))}</span>'
        f'<span class="ps-small"><span class="ps-badge ps-{kind}">{escape(verdict)}</span></span>'
        f'<span class="ps-small">{escape(reception.mast_id)} · '
        f"{escape(formats.distance(reception.distance_m))}</span>",
    )


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
