"""Ask for a site: where, what kind of mast, which technologies; its evaluation at once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from app import evaluators, formats, identity, study
from app import proposal_labels as words
from app.components import fibre_map, proposal_evaluation, proposal_map, style
from app.i18n import _, translate
from data import schema
from data.errors import InputError, PhuSongError
from data.importers import vn2000
from data.store import Workspace
from planning import proposal_transfer, proposals, site_antennas, site_plans, site_request
from planning.accounts import Actor, Role
from planning.proposal_evaluation import inputs_of
from planning.proposal_figures import Evaluation, key_of
from planning.proposals import Proposal
from planning.scenario_workspace import area_name
from planning.site_request import SiteRequest

_CELL_COLUMNS = (
    "operator", "technology", "band", "frequency_mhz", "bandwidth_mhz", "power_dbm",
    "antenna_gain_dbi", "feeder_loss_db", "azimuth_deg", "tilt_deg", "antenna_height_m",
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What the form holds.

    Parameters
    ----------
    site
        The request; None while something is missing.
    organisation
        Carrier whose it is.
    plan_id
        Its plan that the site is part of.
    fault
        What is missing.
    """

    site: SiteRequest | None
    organisation: str
    plan_id: int | None
    fault: PhuSongError | None = None


def show(area: Workspace, actor: Actor, present: Proposal | None = None) -> None:
    """Show the form for a new proposal, or for one that may be edited.

    Parameters
    ----------
    area
        The study area's own workspace.
    actor
        Who acts.
    present
        The proposal that is edited; None for a new one.
    """
    evaluators.begin(area)
    name = "new" if present is None else f"edit-{present.id}"
    key = f"proposal-{name}-{st.session_state.get(f'{name}.turn', 0)}"
    organisation = _organisation(area, actor, present, key)
    asked = _asked(area, actor, present, organisation, key)
    found = _evaluation(area, asked)
    if found is not None and asked.site is not None:
        st.subheader(_("What the site brings"))
        proposal_evaluation.show(area, found, asked.site.reference, key=key)
    if asked.fault is not None:
        st.info(translate(asked.fault), icon=":material/edit:")
    _buttons(area, actor, present, asked, found, name)


def _organisation(area: Workspace, actor: Actor, present: Proposal | None, key: str) -> str:
    if present is not None:
        return present.organisation
    if actor.role is Role.CARRIER:
        return actor.organisation
    known = study.operators(area)
    return str(st.selectbox(_("Carrier"), known, key=f"{key}-organisation") or "")


def _asked(
    area: Workspace, actor: Actor, present: Proposal | None, organisation: str, key: str
) -> Asked:
    wish = None if present is None else present.request
    given: dict[str, Any] = {}
    first, second = st.columns(2)
    given["reference"] = first.text_input(
        _("Code of the site"), value=wish.reference if wish else "", key=f"{key}-reference"
    )
    given["name"] = second.text_input(
        _("Name or address"), value=wish.name if wish else "", key=f"{key}-name"
    )
    kinds = list(schema.PROPOSAL_KINDS)
    given["kind"] = st.segmented_control(
        _("What is proposed"),
        kinds,
        format_func=lambda code: words.said(words.KINDS, code),
        default=wish.kind if wish else kinds[0],
        key=f"{key}-kind",
        required=True,
    )
    try:
        if given["kind"] == "share":
            given |= _mast_to_share(area, wish, key)
        else:
            given |= _place(area, wish, key)
    except InputError as error:
        return Asked(None, organisation, None, error)
    given |= _structure(wish, key) if given["kind"] == "new" else {}
    given |= _radio(wish, key)
    plan_id = _plan(area, actor, organisation, present, key)
    given["note"] = st.text_area(_("Note"), value=wish.note if wish else "", key=f"{key}-note")
    try:
        site = site_request.checked(given)
    except InputError as error:
        return Asked(None, organisation, plan_id, error)
    mine = actor.role is Role.CARRIER
    return Asked(_with_cells(area, site, organisation, key, mine=mine), organisation, plan_id)


def _mast_to_share(area: Workspace, wish: SiteRequest | None, key: str) -> dict[str, Any]:
    if not area.has("masts"):
        raise InputError("There are no masts yet")
    masts = study.layer(area, "masts")
    masts = masts[masts["status"] == "existing"].sort_values("mast_id")
    titles = {
        row.mast_id: f"{row.mast_id} – {row.place} "
        f"({fibre_map.owner(row.owner)}, {formats.quantity(row.height_m, 'm')})"
        for row in masts.rename(columns={"name": "place"}).itertuples()
    }
    options = list(titles)
    first = wish.mast_id if wish and wish.mast_id in titles else None
    chosen = st.selectbox(
        _("Mast"),
        options,
        index=None if first is None else options.index(first),
        format_func=titles.get,
        key=f"{key}-mast",
        placeholder=_("Choose a mast"),
    )
    if chosen is None:
        raise InputError("Choose the mast that is to carry the antennas")
    point = masts[masts["mast_id"] == chosen].geometry.to_crs("EPSG:4326").iloc[0]
    return {"mast_id": chosen, "lon": float(point.x), "lat": float(point.y)}


def _place(area: Workspace, wish: SiteRequest | None, key: str) -> dict[str, Any]:
    """Ask where, by a click on the map or by coordinates."""
    held = f"{key}.place"
    if wish is not None and held not in st.session_state:
        st.session_state[held] = (wish.lon, wish.lat)
    ways: dict[str, Callable[[Workspace, str, str], None]] = {
        _("On the map"): _click,
        _("By coordinates"): _coordinates,
    }
    chosen = st.segmented_control(
        _("Place"), list(ways), default=next(iter(ways)), key=f"{key}-way", required=True
    )
    ways[str(chosen or next(iter(ways)))](area, held, key)
    place = st.session_state.get(held)
    if place is None:
        raise InputError("Choose a place: click it on the map, or give its coordinates")
    lon, lat = place
    st.caption(_("Chosen: {place}", place=formats.coordinates(lat, lon)))
    return {"lon": lon, "lat": lat}


def _click(area: Workspace, held: str, key: str) -> None:
    site = st.session_state.get(held)
    groups, entries = proposal_map.layers(area, site, "", None, "", "")
    style.legend(entries, _("Click the place of the site"))
    clicked = proposal_map.show(area, groups, key=f"{key}-choose")
    # The map tells again what was clicked long ago; a place typed later counts.
    if clicked is not None and st.session_state.get(f"{held}.clicked") != clicked:
        st.session_state[f"{held}.clicked"] = clicked
        st.session_state[held] = (clicked[1], clicked[0])
        st.rerun()


def _coordinates(area: Workspace, held: str, key: str) -> None:
    zones = ["", *sorted(vn2000.provinces())]
    zone = st.selectbox(
        _("Coordinate system"),
        zones,
        format_func=lambda code: f"VN-2000 · {code}" if code else _("Degrees, WGS 84"),
        key=f"{key}-crs",
    )
    first, second = st.columns(2)
    names = (_("Longitude"), _("Latitude")) if not zone else ("X", "Y")
    one = first.text_input(names[0], key=f"{key}-first", placeholder="105°55'12\"Đ")
    two = second.text_input(names[1], key=f"{key}-second", placeholder="20°32'45\"B")
    if not (one and two):
        st.caption(_("Decimal degrees, degrees with minutes and seconds, or X and Y in VN-2000."))
        return
    place = proposal_transfer.place_of(area, one, two, crs=f"vn2000:{zone}" if zone else None)
    st.session_state[held] = place


def _structure(wish: SiteRequest | None, key: str) -> dict[str, Any]:
    first, second, third = st.columns(3)
    classes = list(words.CLASSES)
    mast_class = first.selectbox(
        _("Mast class"),
        classes,
        index=classes.index(wish.mast_class if wish else "A2b"),
        format_func=words.masts_class,
        key=f"{key}-class",
    )
    height = second.number_input(
        _("Height above ground, m"),
        min_value=1.0,
        max_value=300.0,
        value=wish.height_m if wish and wish.height_m else 42.0,
        step=1.0,
        format="%.1f",
        key=f"{key}-height",
    )
    building = third.number_input(
        _("Height of the building, m (empty: on the ground)"),
        min_value=0.0,
        max_value=300.0,
        value=wish.building_height_m if wish else None,
        step=1.0,
        format="%.1f",
        key=f"{key}-building",
    )
    first, second, third = st.columns(3, vertical_alignment="bottom")
    tenants = first.number_input(
        _("Operators it can carry"),
        min_value=1,
        max_value=20,
        value=wish.max_tenants if wish else 3,
        key=f"{key}-tenants",
    )
    radius = second.number_input(
        _("Axis to the outermost point, m"),
        min_value=0.0,
        max_value=100.0,
        value=wish.radius_m if wish else None,
        format="%.2f",
        key=f"{key}-radius",
        help=_("Limited for masts of class A1."),
    )
    shareable = third.checkbox(
        _("Others may share it"),
        value=wish.shareable if wish else True,
        key=f"{key}-shareable",
    )
    return {
        "mast_class": mast_class,
        "height_m": height,
        "building_height_m": building or None,
        "max_tenants": tenants,
        "radius_m": radius or None,
        "shareable": shareable,
    }


def _radio(wish: SiteRequest | None, key: str) -> dict[str, Any]:
    chosen = st.pills(
        _("Technologies"),
        list(schema.TECHNOLOGIES),
        selection_mode="multi",
        default=list(wish.technologies) if wish else ["4G"],
        key=f"{key}-technologies",
        help=_("The antennas are like the carrier's others unless you state your own."),
    )
    if wish is not None and wish.cells:
        return {"technologies": chosen, "cells": wish.cells}
    return {"technologies": chosen}


def _plan(
    area: Workspace, actor: Actor, organisation: str, present: Proposal | None, key: str
) -> int | None:
    if present is not None:
        return present.plan_id
    own = [
        plan
        for plan in site_plans.list_of(identity.records(), actor, area_name(area))
        if plan.level == "carrier"
        and plan.organisation == organisation
        and plan.status == "in_force"
    ]
    if not own:
        return None
    titles = {plan.id: plan.title for plan in own}
    chosen: int | None = st.selectbox(
        _("Plan that the site is part of"),
        [None, *titles],
        format_func=lambda number: _("none") if number is None else titles[number],
        key=f"{key}-plan",
    )
    return chosen


def _with_cells(
    area: Workspace, site: SiteRequest, organisation: str, key: str, *, mine: bool
) -> SiteRequest:
    """Let the user state antennas of his own, beginning with typical ones."""
    own = st.toggle(
        _("State the antennas one by one"), value=bool(site.cells), key=f"{key}-own-cells"
    )
    if not own:
        return site_request.checked({**site.to_dict(), "cells": ()})
    cells = site_antennas.cells_of_site(area, site, organisation)
    # A carrier's antennas are its own; an administrator may act for several operators.
    columns = [name for name in _CELL_COLUMNS if not mine or name != "operator"]
    start = pd.DataFrame(cells).reindex(columns=columns)
    edited = st.data_editor(
        start,
        num_rows="dynamic",
        hide_index=True,
        width="stretch",
        key=f"{key}-cells-{site.kind}-{'-'.join(site.technologies)}",
    )
    rows = [
        {name: None if pd.isna(value) else value for name, value in row.items()}
        for row in edited.to_dict("records")
    ]
    return site_request.checked({**site.to_dict(), "cells": rows})


def _evaluation(area: Workspace, asked: Asked) -> Evaluation | None:
    """Return what the site brings, from memory where nothing has changed."""
    if asked.site is None or not asked.organisation:
        return None
    evaluator = evaluators.obtained(area)
    if evaluator is None:
        return None
    wanted = key_of(inputs_of(area, asked.site, asked.organisation))
    kept: Evaluation | None = st.session_state.get("proposal.evaluation")
    if kept is not None and kept.key == wanted:
        return kept
    with st.spinner(_("Working out what the site brings…")):
        try:
            found = evaluator.evaluate(asked.site, asked.organisation)
        except PhuSongError as error:
            st.error(translate(error), icon=":material/error:")
            return None
    st.session_state["proposal.evaluation"] = found
    return found


def _buttons(
    area: Workspace,
    actor: Actor,
    present: Proposal | None,
    asked: Asked,
    found: Evaluation | None,
    name: str,
) -> None:
    left, right, _rest = st.columns([1, 1, 3])
    ready = asked.site is not None and bool(asked.organisation)
    save = left.button(
        _("Save as draft") if present is None else _("Save"),
        disabled=not ready,
        key=f"proposal-save-{name}",
        icon=":material/save:",
        width="stretch",
    )
    send = right.button(
        _("Submit"),
        type="primary",
        disabled=not ready,
        key=f"proposal-send-{name}",
        icon=":material/send:",
        width="stretch",
    )
    if not (save or send) or asked.site is None:
        return
    records = identity.records()
    # The same number until the proposal is kept: a click that is sent twice counts once.
    number = st.session_state.setdefault(f"{name}.request", uuid.uuid4().hex)
    if present is None:
        made = proposals.create(
            records,
            actor,
            area_name(area),
            asked.site,
            request_id=f"{number}-{asked.site.digest[:16]}",
            organisation=asked.organisation,
            plan_id=asked.plan_id,
            submit=send,
            evaluation=found,
        )
    else:
        made = proposals.edit(
            records,
            actor,
            present.id,
            asked.site,
            expected_version=present.version,
            evaluation=found,
        )
        if send:
            made = proposals.submit(records, actor, made.id, expected_version=made.version)
    st.session_state.pop(f"{name}.request", None)
    st.session_state[f"{name}.turn"] = st.session_state.get(f"{name}.turn", 0) + 1
    st.session_state["proposal.chosen"] = made.id
    st.session_state["proposal.editing"] = False
    st.session_state["proposal.said"] = _("Submitted.") if send else _("Saved.")
    st.session_state["proposal.go"] = True
    st.rerun()
