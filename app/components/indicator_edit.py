"""Forms for values and definitions of indicators, and the table as a file."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import formats, identity, indicator_labels, labels
from app.components import indicator_data, style
from app.i18n import _, language, translate
from data.errors import Message, PhuSongError
from data.schema import LEVELS
from data.store import Workspace
from planning import (
    indicator_definitions,
    indicator_files,
    indicator_values,
    indicator_zones,
    indicators,
    names,
)
from planning.indicator_definitions import Definition
from planning.indicator_values import Value
from planning.indicator_zones import Units

_NEW = ""


def show(area: Workspace, definition: Definition, values: Sequence[Value]) -> None:
    """Show the forms of one indicator.

    Parameters
    ----------
    area
        The workspace.
    definition
        Of the indicator.
    values
        Its values.
    """
    with st.expander(_("Enter or change a value"), icon=":material/edit:"):
        _value(area, definition, [item for item in values if item.kind == "reported"])
    with st.expander(_("Change the definition or the target"), icon=":material/tune:"):
        _definition(area, definition)


def _seen(name: str, version: int) -> int:
    """Return the version that the user looked at when the form was drawn first."""
    seen: int = st.session_state.setdefault(f"indicators.seen.{name}", version)
    return seen


def _forget(form: str, name: str = "") -> None:
    """Take a form's fields anew from what is kept; others stay as somebody has filled them."""
    st.session_state.pop(f"indicators.seen.{name or form}", None)
    st.session_state[f"indicators.generation.{form}"] = _generation(form) + 1


def _generation(form: str) -> int:
    generation: int = st.session_state.get(f"indicators.generation.{form}", 0)
    return generation


def _value(area: Workspace, definition: Definition, values: list[Value]) -> None:
    known = {item.key: item for item in reversed(values)}
    units = indicator_zones.read(area)
    form = f"value.{definition.indicator}"
    key: str = st.selectbox(
        _("Value"),
        [_NEW, *known],
        format_func=lambda key: _value_name(known.get(key), definition, units),
        key=f"indicators.{form}.{_generation(form)}",
    )
    old = known.get(key)
    name = f"{form}.{key}"
    version = _seen(name, 0 if old is None else old.version)
    shown = f"indicators.{name}.{_generation(form)}"
    with st.form(shown, border=False):
        fields = _value_fields(shown, definition, old, units)
        buttons = st.container(horizontal=True)
        save = buttons.form_submit_button(_("Save"), type="primary", icon=":material/save:")
        remove = old is not None and buttons.form_submit_button(
            _("Remove the value"), icon=":material/delete:"
        )
    if save:
        done = indicator_data.attempt(
            lambda: (
                indicator_values.write(
                    identity.records(),
                    identity.actor(),
                    area,
                    fields,
                    key=key or None,
                    expected_version=None if old is None else version,
                ),
                _forget(form, name),
            ),
            _("The value was kept."),
        )
        if not done and old is not None and old.version != version:
            _forget(form, name)
    if remove:
        indicator_data.attempt(
            lambda: (
                indicator_values.remove(
                    identity.records(), identity.actor(), area, key, expected_version=version
                ),
                _forget(form, name),
            ),
            _("The value was removed; the history keeps it."),
        )


def _value_name(item: Value | None, definition: Definition, units: Units) -> str:
    if item is None:
        return _("New value")
    day = formats.date(item.as_of) if item.as_of else _("undated")
    number = (
        _("no number")
        if item.value is None
        else indicator_labels.value(item.value, definition.unit)
    )
    row = units.row(item.zone_code, item.as_of)
    zone = item.zone_code if row is None else str(units.table.loc[row, "name"])
    return " · ".join(part for part in (day, zone, number) if part)


def _zone_name(code: str, units: Units) -> str:
    """Name the units of a code, of which there may have been several one after the other."""
    if not code:
        return _("The whole area")
    said = []
    for row in reversed(units.codes.get(code, [])):
        unit = units.table.loc[row]
        end = unit["valid_to"]
        said.append(
            _("{name} until {day}", name=unit["name"], day=formats.date(end))
            if end
            else str(unit["name"])
        )
    return " · ".join([*said, code])


def _zones(units: Units, old: Value | None) -> list[str]:
    """Return the codes to choose from: those of today first, by name."""
    last = {code: units.table.loc[rows[-1]] for code, rows in units.codes.items()}
    order = {
        code: (unit["valid_to"] is not None, LEVELS.index(unit["level"]),
               formats.sort_key(str(unit["name"])))
        for code, unit in last.items()
    }  # fmt: skip
    found = ["", *sorted(order, key=lambda code: order[code])]
    return found if old is None or old.zone_code in found else [*found, old.zone_code]


def _named(
    place: DeltaGenerator, label: str, code: str, known: Mapping[str, Message], key: str,
    hint: str | None = None,
) -> str:  # fmt: skip
    """Ask for a unit or denominator by its name in the language in use; return its code."""
    name = labels.named(known, code)
    said = place.text_input(label, name, help=hint, key=f"{key}.{language()}")
    return code if said == name else indicator_labels.code(said, known)


def _value_fields(
    key: str, definition: Definition, old: Value | None, units: Units
) -> dict[str, Any]:
    first, second, third, fourth = st.columns(4)
    unit = "%" if definition.unit == "%" else indicator_labels.unit(definition.unit)
    fields: dict[str, Any] = {
        "indicator": definition.indicator,
        "value": first.number_input(
            _("Value, {unit}", unit=unit) if unit else _("Value"),
            value=None if old is None else old.value,
            format="%g",
            key=f"{key}.value",
        ),
        "count": second.number_input(
            _("Count behind it"),
            value=None if old is None else old.count,
            format="%g",
            key=f"{key}.count",
        ),
        "of": third.number_input(
            _("Out of"), value=None if old is None else old.of, format="%g", key=f"{key}.of"
        ),
    }
    day = fourth.date_input(
        _("As of"),
        value=None if old is None or not old.as_of else dt.date.fromisoformat(old.as_of),
        min_value=dt.date(1990, 1, 1),
        format="DD/MM/YYYY",
        key=f"{key}.as_of",
    )
    fields["as_of"] = "" if day is None else day.isoformat()
    places = itertools.cycle(st.columns(2))
    share = definition.unit == "%"
    if share:
        fields["denominator"] = _named(
            next(places),
            _("Share of what, as the source says"),
            definition.denominator if old is None else old.denominator,
            names.DENOMINATORS,
            f"{key}.denominator",
            _("Leave it empty if the source does not say."),
        )
    zones = _zones(units, old)
    fields["zone_code"] = next(places).selectbox(
        _("Administrative unit"),
        zones,
        index=0 if old is None else zones.index(old.zone_code),
        format_func=lambda code: _zone_name(code, units),
        key=f"{key}.zone",
    )
    fields["source"] = next(places).text_input(
        _("Source"), value="" if old is None else old.source, key=f"{key}.source"
    )
    fields["method"] = next(places).text_input(
        _("Method"),
        value="" if old is None else old.method,
        help=_("Model, level and probability, or measurement; empty if not stated."),
        key=f"{key}.method",
    )
    # With the denominator the columns are full; the note has the row below to itself.
    note = (st if share else next(places)).text_input(
        _("Note"), value="" if old is None else old.note(language()), key=f"{key}.note"
    )
    if old is None or note != old.note(language()):
        fields["note"] = note
    return fields


def _definition(area: Workspace, definition: Definition) -> None:
    name = f"definition.{definition.indicator}"
    shown = f"indicators.{name}.{_generation(name)}"
    version = _seen(name, definition.version)
    with st.form(shown, border=False):
        fields = _definition_fields(shown, definition)
        buttons = st.container(horizontal=True)
        save = buttons.form_submit_button(_("Save"), type="primary", icon=":material/save:")
        remove = buttons.form_submit_button(_("Remove the indicator"), icon=":material/delete:")
    if save:
        indicator_data.attempt(
            lambda: (
                indicator_definitions.write(
                    identity.records(),
                    identity.actor(),
                    area,
                    {"indicator": definition.indicator, **fields},
                    expected_version=version,
                ),
                _forget(name),
            ),
            _("The definition was kept."),
        )
        if definition.version != version:
            _forget(name)
    if remove:
        indicator_data.attempt(
            lambda: (
                indicator_definitions.remove(
                    identity.records(),
                    identity.actor(),
                    area,
                    definition.indicator,
                    expected_version=version,
                ),
                _forget(name),
            ),
            _("The indicator was removed; the history keeps it."),
        )


def _definition_fields(key: str, old: Definition | None) -> dict[str, Any]:
    item = old or Definition("", "goals")
    left, right = st.columns(2)
    fields: dict[str, Any] = {
        "title_vi": left.text_input(_("Name in Vietnamese"), item.title_vi, key=f"{key}.vi"),
        "title_en": right.text_input(_("Name in English"), item.title_en, key=f"{key}.en"),
        "definition_vi": left.text_area(
            _("Definition in Vietnamese"), item.definition_vi, height=80, key=f"{key}.dvi"
        ),
        "definition_en": right.text_area(
            _("Definition in English"), item.definition_en, height=80, key=f"{key}.den"
        ),
    }
    if item.kind == "document":
        fields |= _document_fields(key, item)
        return fields
    first, second, third, fourth = st.columns(4)
    fields |= {
        "unit": _named(first, _("Measured in"), item.unit, names.UNITS, f"{key}.unit"),
        "denominator": _named(
            second, _("Share of"), item.denominator, names.DENOMINATORS, f"{key}.of"
        ),
        "target": third.number_input(
            _("Target"), value=item.target, format="%g", key=f"{key}.target"
        ),
        "target_year": fourth.number_input(
            _("Target year"),
            value=item.target_year,
            min_value=1900,
            max_value=2200,
            key=f"{key}.year",
        ),
        "target_source": left.text_input(
            _("Who asks for the target"), item.target_source, key=f"{key}.by"
        ),
        "computed_by": right.text_input(
            _("Computed by"),
            item.computed_by,
            help=_(
                "Empty for entered values; otherwise a function with its arguments: {functions}.",
                functions=", ".join(indicator_definitions.ARGUMENTS),
            ),
            key=f"{key}.computed",
        ),
    }
    return fields


def _document_fields(key: str, item: Definition) -> dict[str, Any]:
    first, second, third = st.columns(3)
    relations = list(indicator_definitions.RELATIONS)
    return {
        "number": first.text_input(_("Number"), item.number, key=f"{key}.number"),
        "issued_on": second.text_input(
            _("Issued on"), item.issued_on, placeholder="YYYY-MM-DD", key=f"{key}.day"
        ),
        "issuer": third.text_input(_("Issued by"), item.issuer, key=f"{key}.issuer"),
        "relation": first.selectbox(
            _("Relation to another document"),
            relations,
            index=relations.index(item.relation),
            format_func=lambda code: indicator_labels.relation(code) if code else formats.NOTHING,
            key=f"{key}.relation",
        ),
        "related": second.text_input(
            _("Code of that document"), item.related, key=f"{key}.related"
        ),
    }


# The whole table


def add(area: Workspace) -> None:
    """Show the form that adds an indicator.

    Parameters
    ----------
    area
        The workspace.
    """
    with st.expander(_("Add an indicator"), icon=":material/add:"):
        key = f"indicators.new.{_generation('new')}"
        kind: str = st.segmented_control(
            _("Kind"),
            list(indicator_definitions.KINDS),
            format_func=lambda code: _(indicator_labels.KINDS[code]),
            default="figure",
            required=True,
            key=f"{key}.kind",
        )
        with st.form(key, border=False):
            left, right = st.columns(2)
            fields = {
                "kind": kind,
                "indicator": left.text_input(
                    _("Code"), help=_("Small letters, digits and _."), key=f"{key}.code"
                ),
                "group": right.selectbox(
                    _("Group"),
                    list(indicator_definitions.GROUPS),
                    format_func=indicator_labels.group,
                    index=indicator_definitions.GROUPS.index(
                        "documents" if kind == "document" else "goals"
                    ),
                    key=f"{key}.group.{kind}",
                ),
            }
            fields |= _definition_fields(f"{key}.{kind}", Definition("", "goals", kind))
            if not st.form_submit_button(_("Add"), type="primary", icon=":material/add:"):
                return
        indicator_data.attempt(
            lambda: (
                indicator_definitions.write(
                    identity.records(), identity.actor(), area, fields, expected_version=0
                ),
                _forget("new"),
            ),
            _("The indicator was added."),
        )


def files(area: Workspace) -> None:
    """Show how the table goes out and in as a file, and how computed values are kept.

    Parameters
    ----------
    area
        The workspace.
    """
    row = st.container(horizontal=True)
    for kind, label, mime in (
        (".xlsx", _("Download (Excel)"),
         "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (".csv", _("Download (CSV)"), "text/csv"),
    ):  # fmt: skip
        row.download_button(
            label,
            lambda kind=kind: indicator_files.content(area, indicator_data.records(), kind),
            file_name=f"indicators_{area.area.name}{kind}",
            mime=mime,
            icon=":material/download:",
            on_click="ignore",
        )
    if not identity.may_change_data():
        return
    if row.button(
        _("Keep today's computed values"),
        icon=":material/bookmark_add:",
        help=_("They become a series, so that a later report can say what has changed."),
    ):
        indicator_data.attempt(
            lambda: indicators.keep_computed(identity.records(), identity.actor(), area),
            _("The computed values were kept."),
        )
    add(area)
    with st.expander(_("Read values from a table"), icon=":material/upload:"):
        _upload(area)


def _upload(area: Workspace) -> None:
    st.caption(
        _(
            "CSV or Excel with the columns of the downloaded table. A row belongs to the value of "
            "the same indicator, unit and date; where there is none, one is added."
        )
    )
    style.uploader_text(_("Choose a file"))
    file = st.file_uploader(
        _("Table"), type=["csv", "xlsx"], key=f"indicators.upload.{_generation('upload')}"
    )
    if file is None or not st.button(_("Read the table"), type="primary", icon=":material/upload:"):
        return
    try:
        done = indicator_files.load(
            identity.records(), identity.actor(), area, file.getvalue(), file_name=file.name
        )
    except PhuSongError as error:
        st.error(translate(error), icon=":material/error:")
        return
    _forget("upload")
    st.toast(
        _(
            "Added: {added}, changed: {changed}, as before: {same}, definitions: {definitions}.",
            added=done.added,
            changed=done.changed,
            same=done.unchanged,
            definitions=done.definitions,
        ),
        icon=":material/check:",
    )
    st.rerun()
