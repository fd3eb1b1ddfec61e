"""One indicator: its values over time and by unit, who changed them, and forms to do so."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from app import formats, history_labels, identity, indicator_labels, labels
from app.components import charts, indicator_data, indicator_edit, indicator_how, style
from app.components.kept import keep
from app.i18n import _, language
from data.schema import LEVELS
from data.store import Workspace
from planning import indicator_definitions, indicator_values, indicators
from planning.indicator_definitions import Definition
from planning.indicator_values import Value

_COLOURS = {"reported": "#b3541e", "computed": "#0b6280"}


def show(area: Workspace) -> None:
    """Show a choice of indicators, and all about the chosen one.

    Parameters
    ----------
    area
        The workspace.
    """
    known = indicator_definitions.read(area, indicator_data.records())
    code = choose(known)
    if code is None:
        return
    definition = known[code]
    meaning = definition.definition(language())
    if meaning:
        st.markdown(style.plain(meaning))
    values = indicator_values.read(area, indicator_data.records(), code)
    if definition.kind == "figure":
        _chart(area, definition)
    _values(values, definition)
    if definition.kind == "figure":
        _zones(area, definition)
    if identity.may_change_data():
        indicator_edit.show(area, definition, values)
    _history(area, code)
    if definition.kind == "figure":
        # Last, for the table of all indicators may have to be made anew.
        table = indicator_data.table(area)
        indicator_how.show(definition.group, table[table["id"] == code].to_dict("records"))


def choose(known: dict[str, Definition]) -> str | None:
    """Ask for an indicator; return its code, None where there is none.

    Parameters
    ----------
    known
        Code -> definition.

    Returns
    -------
    str or None
        The choice.
    """
    if not known:
        st.info(_("There are no indicators."), icon=":material/monitoring:")
        return None
    codes = list(known)
    chosen: str = st.selectbox(
        _("Indicator"),
        codes,
        format_func=lambda code: (
            f"{indicator_labels.group(known[code].group)}: {known[code].title(language())}"
        ),
        key=keep("indicator", codes[0], codes),
    )
    return chosen


def _chart(area: Workspace, definition: Definition) -> None:
    series = indicators.series(area, indicator_data.records(), definition.indicator)
    if len(series) < 2:
        return
    there = set(series["kind"])
    names = {code: _(indicator_labels.VALUE_KINDS[code]) for code in _COLOURS if code in there}
    table = pd.DataFrame(
        {
            "day": pd.to_datetime(series["as_of"]),
            "value": series["value"],
            "kind": series["kind"].map(names),
            "shown": [indicator_labels.value(v, definition.unit) for v in series["value"]],
            "date": [formats.date(day) for day in series["as_of"]],
        }
    )
    line = (
        alt.Chart(table)
        .mark_line(point=alt.OverlayMarkDef(size=60))
        .encode(
            x=alt.X("day:T", title=None, axis=alt.Axis(format="%m/%Y", tickCount=6)),
            y=alt.Y(
                "value:Q",
                title=None,
                scale=alt.Scale(zero=False),
                axis=alt.Axis(labelExpr=charts.number_labels(definition.unit), tickCount=5),
            ),
            color=alt.Color(
                "kind:N",
                title=None,
                scale=alt.Scale(domain=list(names.values()), range=[_COLOURS[i] for i in names]),
                legend=alt.Legend(orient="top"),
            ),
            tooltip=[
                alt.Tooltip("kind:N", title=" "),
                alt.Tooltip("date:N", title=_("As of")),
                alt.Tooltip("shown:N", title=_("Value")),
            ],
        )
    )
    layers = [line]
    if definition.target is not None:
        goal = pd.DataFrame({"target": [definition.target]})
        layers.append(
            alt.Chart(goal)
            .mark_rule(strokeDash=[5, 4], color="#5a6b75")
            .encode(y=alt.Y("target:Q"))
        )
    st.altair_chart(alt.layer(*layers).properties(height=220), width="stretch")


def _values(values: list[Value], definition: Definition) -> None:
    shown = [item for item in values if not item.zone_code]
    if not shown:
        st.caption(_("No value has been reported or entered."))
        return
    rows = [
        {
            _("As of"): formats.date(item.as_of) if item.as_of else _("undated"),
            _("Kind"): _(indicator_labels.VALUE_KINDS[item.kind]),
            _("Value"): (
                _("no number")
                if item.value is None
                else indicator_labels.value(
                    item.value, definition.unit, None if item.kind == "reported" else 1
                )
            ),
            _("Share of"): (
                indicator_labels.denominator(item.denominator) if definition.unit == "%" else ""
            ),
            _("Method"): item.method or _("not stated"),
            _("Source"): item.source,
            _("Note"): item.note(language()),
        }
        for item in reversed(shown)
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")


def _zones(area: Workspace, definition: Definition) -> None:
    table = indicators.by_zone(area, indicator_data.records(), definition.indicator)
    if table.empty:
        return
    with st.expander(_("By administrative unit"), icon=":material/map:"):
        table = table.sort_values("name", key=lambda names: names.map(formats.sort_key))
        table = table.sort_values("level", key=lambda level: level.map(LEVELS.index), kind="stable")
        shown = pd.DataFrame(
            {
                _("Code"): table["code"],
                _("Unit"): table["name"],
                _("Level"): [labels.level(level) for level in table["level"]],
                _("Reported"): [
                    indicator_labels.value(value, definition.unit) for value in table["reported"]
                ],
                _("As of"): [_day(row) for row in table.to_dict("records")],
                _("Computed"): [
                    indicator_labels.value(
                        value, definition.unit, 1 if definition.unit == "%" else None
                    )
                    for value in table["computed"]
                ],
            }
        )
        if (table["valid_to"] != "").any():
            # Units that are no more stand among those of today.
            shown.insert(3, _("Until"), [formats.date(day) for day in table["valid_to"]])
        if table["reported"].isna().all():
            shown = shown.drop(columns=[_("Reported"), _("As of")])
        st.dataframe(shown, hide_index=True, width="stretch")


def _day(row: dict[Hashable, Any]) -> str:
    if row["reported"] != row["reported"]:
        return ""
    return formats.date(row["as_of"]) if row["as_of"] else _("undated")


def _history(area: Workspace, code: str) -> None:
    records = indicator_data.records()
    table = None if records is None else indicators.history(records, identity.actor(), area, code)
    with st.expander(_("Who changed it"), icon=":material/history:"):
        if table is None or table.empty:
            st.caption(_("Nobody has changed this indicator or its values here."))
            return
        st.dataframe(
            pd.DataFrame(
                {
                    _("When"): [formats.moment(at) for at in table["at"]],
                    _("By whom"): [_(history_labels.ACTING.get(who, who)) for who in table["who"]],
                    _("Role"): [_(labels.ROLES.get(role, role)) for role in table["role"]],
                    _("What was done"): [
                        history_labels.action(action) for action in table["action"]
                    ],
                    _("Before and after"): [_change(detail) for detail in table["detail"]],
                }
            ),
            hide_index=True,
            width="stretch",
        )


def _change(detail: dict[str, object]) -> str:
    """Say what was changed: the fields that differ, old and new."""
    old, new = detail.get("old"), detail.get("new")
    if "key" in detail:
        before = old if isinstance(old, dict) else {}
        after = new if isinstance(new, dict) else {}
        changed = {
            name: (before.get(name), after.get(name))
            for name in {**before, **after}
            if before.get(name) != after.get(name) and name != "indicator"
        }
    else:
        changed = {
            name: (pair[0], pair[1])
            for name, pair in detail.items()
            if isinstance(pair, list) and len(pair) == 2
        }
    return "; ".join(
        f"{name}: {_shown(first)} → {_shown(second)}" for name, (first, second) in changed.items()
    )


def _shown(value: object) -> str:
    if isinstance(value, float):
        return formats.number(value, indicator_labels.decimals(value))
    return str(value) if value not in (None, "") else formats.NOTHING
