"""The changes of a scenario, and a form for one more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import pandas as pd
import streamlit as st

from app import formats, identity, labels, study
from app.components import fibre_map, map_layers, scenario_list, scenario_texts, web_map
from app.components.kept import keep
from app.i18n import _, language
from data.schema import MAST_CLASSES
from data.store import Workspace
from planning import scenario_equipment, scenarios
from planning.scenarios import Change, Scenario

_PLACE = "scenario.place"

#: Colours of masts on the map: as they are, and those that a scenario changes.
_AS_IT_IS, _CHANGED = "#12303d", "#c2410c"


def show(area: Workspace, item: Scenario) -> None:
    """Show the changes of a scenario and, to who may change it, the form.

    Parameters
    ----------
    area
        The study area's own workspace.
    item
        The scenario.
    """
    _changes(item)
    if not scenario_list.may_change(identity.actor(), item):
        return
    st.subheader(_("One more change"))
    kind = st.segmented_control(
        _("What is changed"),
        list(scenario_texts.KINDS),
        format_func=lambda name: _(scenario_texts.KINDS[name]),
        key=keep("scenario_kind", "add", list(scenario_texts.KINDS)),
        required=True,
    )
    masts, cells = scenarios.network(area, item.changes)
    wide, narrow = st.columns([1.4, 1], gap="medium")
    with narrow:
        change = _form(area, item, str(kind), masts, cells)
    with wide:
        _map(area, item, masts)
    if change is not None:
        scenarios.add_changes(
            identity.records(), identity.actor(), item.id, [change], expected_version=item.version
        )
        st.session_state.pop(_PLACE, None)
        st.rerun()


def _changes(item: Scenario) -> None:
    st.subheader(_("Changes"))
    if not item.changes:
        st.caption(_("Nothing is changed yet: the scenario is the network of today."))
        return
    table = pd.DataFrame(
        {
            _("No."): range(1, len(item.changes) + 1),
            _("Kind"): [_(scenario_texts.KINDS[change.kind]) for change in item.changes],
            _("Change"): [scenario_texts.said(change) for change in item.changes],
        }
    )
    picked = st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(table), 320),
        on_select="rerun",
        selection_mode="multi-row",
        key=f"scenario.changes.{item.id}.{item.version}",
    )
    rows = set(picked.selection.rows)
    if not rows or not scenario_list.may_change(identity.actor(), item):
        return
    if st.button(_("Take the marked changes back"), icon=":material/undo:"):
        left = [change for row, change in enumerate(item.changes) if row not in rows]
        scenarios.replace_changes(
            identity.records(), identity.actor(), item.id, left, expected_version=item.version
        )
        st.rerun()


def _form(
    area: Workspace, item: Scenario, kind: str, masts: gpd.GeoDataFrame, cells: pd.DataFrame
) -> Change | None:
    """Show the form of a kind of change; return the change when it is sent off."""
    if kind != "add" and not len(masts):
        st.caption(_("There is no mast to change."))
        return None
    name = None
    if kind != "add":
        # Outside the form, which would not show the values of another mast before it is sent.
        name = st.selectbox(_("Mast"), _named(masts, kind, cells), key=f"scenario.mast.{kind}")
        if name is None:
            st.caption(_("No mast has a free place that others may use."))
            return None
    with st.form(f"scenario.form.{kind}"):
        if name is None:
            change = _add(area, item, masts)
        else:
            change = _about(area, kind, name, masts[masts["mast_id"] == name], cells)
        sent = st.form_submit_button(_("Add the change"), type="primary")
    return change if sent else None


def _named(masts: gpd.GeoDataFrame, kind: str, cells: pd.DataFrame) -> list[str]:
    if kind != "share":
        return sorted(masts["mast_id"])
    tenants = cells.groupby("mast_id")["operator"].nunique()
    there = masts["mast_id"].map(tenants).fillna(0)
    room = masts["max_tenants"].isna() | (there < masts["max_tenants"])
    return sorted(masts.loc[masts["shareable"].astype(bool) & room, "mast_id"])


def _about(
    area: Workspace, kind: str, name: str, row: gpd.GeoDataFrame, cells: pd.DataFrame
) -> Change:
    if kind == "move":
        return Change("move", {"mast_id": name, **_place(row)})
    if kind == "remove":
        return Change("remove", {"mast_id": name})
    if kind == "share":
        own = cells.loc[cells["mast_id"] == name, "antenna_height_m"]
        height = float(own.min() if len(own) else row["height_m"].iloc[0])
        return Change("share", {"mast_id": name}, _equipment(area, height, f"share.{name}"))
    return Change("edit", {"mast_id": name, **_values(row.iloc[0], f"edit.{name}")})


def _add(area: Workspace, item: Scenario, masts: gpd.GeoDataFrame) -> Change:
    free = scenario_equipment.free_mast_id(area, item.changes)
    first, second = st.columns(2)
    name = first.text_input(_("Identifier"), free, key=f"scenario.id.{free}")
    owners = sorted(masts["owner"].dropna().unique())
    owner = second.selectbox(
        _("Owner"), [None, *owners], format_func=_or_none, key="scenario.owner"
    )
    place = _place(None)
    values = _values(None, "add")
    height = float(values["height_m"] or 0.0)
    cells = _equipment(area, max(1.0, height - 1.0), "add")
    return Change("add", {"mast_id": name, "owner": owner, **place, **values}, cells)


def _or_none(value: str | None) -> str:
    return _("not known") if value is None else value


def _place(row: gpd.GeoDataFrame | None) -> dict[str, float | None]:
    """Ask for a place: the one clicked on the map, or coordinates."""
    place = st.session_state.get(_PLACE)
    if place is None and row is not None:
        point = row.to_crs("EPSG:4326").geometry.iloc[0]
        place = (point.y, point.x)
    st.caption(_("Click the map, or give the coordinates."))
    key = "none" if place is None else f"{place[0]:.6f},{place[1]:.6f}"
    left, right = st.columns(2)
    lat = left.number_input(
        _("Latitude"),
        value=place and place[0],
        format="%.6f",
        step=0.001,
        key=f"scenario.lat.{key}",
    )
    lon = right.number_input(
        _("Longitude"),
        value=place and place[1],
        format="%.6f",
        step=0.001,
        key=f"scenario.lon.{key}",
    )
    return {"lon": lon, "lat": lat}


def _values(row: Mapping[str, Any] | None, key: str) -> dict[str, Any]:
    """Ask for height, class and sharing of a mast."""
    first, second = st.columns(2)
    height = first.number_input(
        _("Height, m"),
        min_value=1.0,
        max_value=1000.0,
        value=36.0 if row is None else float(row["height_m"]),
        step=1.0,
        key=f"scenario.height.{key}",
    )
    known = None if row is None or pd.isna(row["mast_class"]) else str(row["mast_class"])
    classes = [None, *MAST_CLASSES]
    mast_class = second.selectbox(
        _("Class"),
        classes,
        index=classes.index("A2b" if row is None else known),
        format_func=_or_none,
        key=f"scenario.class.{key}",
    )
    most = 3 if row is None or pd.isna(row["max_tenants"]) else int(row["max_tenants"])
    tenants = first.number_input(
        _("Operators it can carry"), 1, 100, most, key=f"scenario.tenants.{key}"
    )
    shareable = second.checkbox(
        _("Others may use it"),
        value=True if row is None else bool(row["shareable"]),
        key=f"scenario.shareable.{key}",
    )
    return {
        "height_m": height,
        "mast_class": mast_class,
        "max_tenants": tenants,
        "shareable": shareable,
    }


def _equipment(area: Workspace, height_m: float, key: str) -> tuple[dict[str, Any], ...]:
    """Ask whose antennas come; they are those that the operator typically has."""
    first, second = st.columns(2)
    operator = first.selectbox(_("Operator"), study.operators(area), key=f"scenario.operator.{key}")
    technologies = second.multiselect(
        _("Technologies"),
        study.technologies(area),
        default=[name for name in ("4G",) if name in study.technologies(area)],
        format_func=labels.service,
        key=f"scenario.technologies.{key}",
    )
    antenna = st.number_input(
        _("Antenna height, m"),
        min_value=1.0,
        max_value=1000.0,
        value=height_m,
        step=1.0,
        key=f"scenario.antenna.{key}.{height_m:g}",
        help=_("Power, gain, tilt and carrier are those that the operator has most often here."),
    )
    if operator is None or not technologies:
        return ()
    return scenario_equipment.typical_cells(area, operator, technologies, antenna)


def _map(area: Workspace, item: Scenario, masts: gpd.GeoDataFrame) -> None:
    """Show the masts; a click chooses the place of the next change."""
    changed = {str(change.mast.get("mast_id")) for change in item.changes}
    places = masts.to_crs("EPSG:4326")
    touched = places["mast_id"].isin(changed)
    groups = [
        fibre_map.outlines(area),
        web_map.dots_group(_("Masts"), _dots(places[~touched]), _AS_IT_IS),
        web_map.dots_group(_("Changed masts"), _dots(places[touched]), _CHANGED),
    ]
    place = st.session_state.get(_PLACE)
    if place is not None:
        dot = web_map.Dot(*place, (_("Chosen place"), formats.coordinates(*place)))
        groups.append(web_map.dots_group(_("Chosen place"), [dot], "#0b6280"))
    clicked = web_map.show(
        map_layers.bounds(area),
        groups,
        key=f"scenario-map-{language()}",
        language=language(),
        texts=texts(),
        background=map_layers.relief(area),
    )
    if clicked is not None and clicked != st.session_state.get("scenario.clicked"):
        st.session_state["scenario.clicked"] = clicked
        st.session_state[_PLACE] = clicked
        st.rerun()


def texts() -> dict[str, str]:
    """Return what the page's maps say themselves."""
    return {
        "title": _("Scenario map"),
        "zoom_in": _("Zoom in"),
        "zoom_out": _("Zoom out"),
        "layers": _("Layers"),
    }


def _dots(masts: gpd.GeoDataFrame) -> list[web_map.Dot]:
    found = []
    for mast, (lat, lon) in zip(masts.itertuples(), web_map.positions(masts.geometry), strict=True):
        owner = "" if pd.isna(mast.owner) else _("Owner: {owner}", owner=mast.owner)
        height = _("Height: {height}", height=formats.quantity(mast.height_m, "m"))
        lines = [str(mast.mast_id), owner, height]
        found.append(web_map.Dot(lat, lon, tuple(line for line in lines if line)))
    return found
