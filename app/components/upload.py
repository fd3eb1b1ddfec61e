"""Upload a file for a layer or raster: look at it, then keep it or not; take it back."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from app import formats, identity, labels
from app.components import findings, inventory, style
from app.components.kept import keep
from app.i18n import _, ngettext, translate
from data import importers, schema
from data.errors import InputError, ValidationError
from data.importers import Preview
from data.store import Provenance, Workspace

#: Layers that are asked for first; the others follow in the order of the schema.
FIRST = ("masts", "cells")

#: Encodings that can be stated where they are not recognised.
ENCODINGS = ("tcvn3", "vni", "viscii", "cp1258", "utf-8", "utf-16")

#: What a column is taken for where it is none of the layer's.
_OWN_NAME = ""

_GENERATED = Provenance("", illustrative=True)

#: Rows of a file that are shown before it is kept.
ROWS_SHOWN = 20


@dataclass(frozen=True)
class Reading:
    """How a file is to be read, where the user says so.

    Parameters
    ----------
    sheet, crs, encoding
        See `data.importers.import_layer`.
    mapping, units
        Pairs, as this is a part of a key.
    replace
        Whether the file takes the place of the layer.
    """

    sheet: str | None = None
    crs: str | None = None
    encoding: str | None = None
    mapping: tuple[tuple[str, str], ...] = ()
    units: tuple[tuple[str, str], ...] = ()
    replace: bool = True

    def options(self) -> dict[str, Any]:
        """Return it as arguments of `data.importers.preview`."""
        return {
            "sheet": self.sheet,
            "crs": self.crs,
            "encoding": self.encoding,
            "mapping": dict(self.mapping),
            "units": dict(self.units),
            "replace": self.replace,
        }


def show(area: Workspace) -> None:
    """Show the form.

    Parameters
    ----------
    area
        The workspace; changed only when the user accepts a file.
    """
    said, remarks = st.session_state.pop("upload.done", ("", []))
    if said:
        st.success(said, icon=":material/check_circle:")
    for remark in remarks:
        st.warning(remark, icon=":material/info:")
    if not identity.may_change_data():
        style.only_planners()
        return
    _undo(area)
    names = [*FIRST, *(n for n in schema.LAYERS if n not in FIRST), *schema.RASTERS]
    layer = st.selectbox(
        _("What does the file hold?"),
        names,
        format_func=labels.layer,
        key=keep("upload_layer", names[0], names),
    )
    turn = st.session_state.get("upload.turn", 0)
    style.uploader_text(_("Choose a file"))
    # Files of every kind are let in: what is wrong with them is said in the user's language.
    given = st.file_uploader(_formats(layer), key=f"upload-{layer}-{turn}")
    if layer in schema.RASTERS:
        if given is not None:
            _raster(area, layer, given.getvalue(), given.name)
        return
    with st.expander(_("Columns that the file needs"), icon=":material/table:"):
        if schema.LAYERS[layer].geometry == "Point":
            st.caption(
                _(
                    "Positions as columns lon and lat in degrees (WGS 84), as degrees, minutes and "
                    "seconds, as x and y in VN-2000 or another CRS, or as the geometry of a file "
                    "in any CRS. Vietnamese and English names of columns are recognised."
                )
            )
        inventory.columns(layer)
    if given is None:
        return
    content = given.getvalue()
    reading = _reading(area, layer)
    try:
        preview = _preview(area, layer, content, given.name, reading)
    except InputError as error:
        st.error(translate(error), icon=":material/error:")
        st.caption(_("Nothing was changed; the data loaded before are still there."))
        return
    _columns(preview, reading)
    _show_preview(preview)
    _accept(area, preview, content, given.name, reading)


def _formats(layer: str) -> str:
    size = formats.number(st.get_option("server.maxUploadSize"))
    if layer in schema.RASTERS:
        return _("GeoTIFF or another raster file, at most {size} MB", size=size)
    return _(
        "CSV, Excel, GeoPackage, GeoJSON, KML, KMZ or zipped Shapefile, at most {size} MB",
        size=size,
    )


def _undo(area: Workspace) -> None:
    """Offer to take the last import back."""
    steps = importers.history(area)
    if not steps:
        return
    last = steps[0]
    text, button = st.columns([4, 1], vertical_alignment="center")
    text.caption(
        _(
            "Last import: {file} into {layers}, {date}",
            file=last.file or last.what,
            layers=", ".join(labels.layer(name).lower() for name in last.names),
            date=formats.date(last.when),
        )
    )
    if button.button(_("Undo"), icon=":material/undo:"):
        try:
            with identity.data_change(area, "import undone"):
                undone = importers.undo(area)
        except InputError as error:
            st.error(translate(error), icon=":material/error:")
            return
        names = ", ".join(labels.layer(name).lower() for name in undone.names)
        said = _("Undone: {layers} are as they were before.", layers=names)
        st.session_state["upload.done"] = (said, [])
        st.rerun()


def _reading(area: Workspace, layer: str) -> Reading:
    """Ask how the file is to be read, where it does not say so itself."""
    kept = st.session_state.get("upload.columns", {}).get(layer, ((), ()))
    with st.expander(_("If the file is not recognised"), icon=":material/tune:"):
        left, middle, right = st.columns(3)
        sheet = left.text_input(_("Sheet of the workbook"), key=f"upload-sheet-{layer}")
        crs = middle.text_input(
            _("CRS of the positions"),
            placeholder="EPSG:4326, vn2000:hanam",
            key=f"upload-crs-{layer}",
        )
        encoding = right.selectbox(
            _("Encoding of the text"),
            ENCODINGS,
            index=None,
            placeholder=_("recognised"),
            format_func=str.upper,
            key=f"upload-encoding-{layer}",
        )
    replace = True
    if area.has(layer) and not area.provenance()[layer].illustrative:
        replace = not st.checkbox(
            _("Add the rows to those that are there"), key=f"upload-add-{layer}"
        )
    return Reading(sheet.strip() or None, crs.strip() or None, encoding, *kept, replace=replace)


def _preview(area: Workspace, layer: str, content: bytes, name: str, reading: Reading) -> Preview:
    """Read the file once for all runs of the page that show it."""
    version = area.content_hash(*(n for n in {"masts", "zones", layer} if area.has(n)))
    key = (layer, name, hashlib.sha256(content).hexdigest(), version, reading)
    kept = st.session_state.get("upload.preview")
    if kept is not None and kept[0] == key:
        return kept[1]
    with st.spinner(_("Reading the file…")):
        found = importers.preview(area, layer, content, file_name=name, **reading.options())
    st.session_state["upload.preview"] = (key, found)
    return found


def _columns(preview: Preview, reading: Reading) -> None:
    """Show what each column is taken for, and let the user change it."""
    if not preview.columns:
        return
    open_ = any(use.maybe for use in preview.columns)
    with st.expander(_("How the columns are read"), expanded=open_, icon=":material/view_column:"):
        if preview.remembered:
            st.caption(_("Read as a file with the same columns was read before."))
        if preview.crs:
            st.caption(_("Positions in {crs}", crs=preview.crs))
        declared = list(schema.layer_named(preview.layer).columns)
        places = ["lon", "lat", "x", "y"]
        shown = pd.DataFrame(
            {
                "theirs": [use.theirs for use in preview.columns],
                "ours": [use.ours or _OWN_NAME for use in preview.columns],
                "unit": [", ".join(use.units) for use in preview.columns],
                "maybe": [", ".join(use.maybe) for use in preview.columns],
            }
        )
        with st.form("columns", border=False):
            edited = st.data_editor(
                shown,
                hide_index=True,
                width="stretch",
                disabled=["theirs", "maybe"],
                column_config={
                    "theirs": st.column_config.TextColumn(_("Column in the file")),
                    "ours": st.column_config.SelectboxColumn(
                        _("Taken for"), options=[_OWN_NAME, *declared, *places]
                    ),
                    "unit": st.column_config.TextColumn(_("Unit")),
                    "maybe": st.column_config.TextColumn(_("May also be")),
                },
                key=f"columns-{preview.layer}-{preview.table.sha256}",
            )
            applied = st.form_submit_button(_("Read again like this"), icon=":material/refresh:")
    if applied:
        st.session_state.setdefault("upload.columns", {})[preview.layer] = _changes(
            shown, edited, reading
        )
        st.rerun()


def _changes(
    shown: pd.DataFrame, edited: pd.DataFrame, reading: Reading
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Return the names and units that the user gave, with those given before."""
    mapping, units = dict(reading.mapping), dict(reading.units)
    for before, after in zip(shown.itertuples(), edited.itertuples(), strict=True):
        ours = after.ours or _OWN_NAME
        if ours != before.ours:
            mapping.pop(before.theirs, None)
            if ours:
                mapping[str(before.theirs)] = str(ours)
        unit = (after.unit or "").strip()
        if ours and unit and unit != before.unit:
            units[str(ours)] = unit
    return tuple(sorted(mapping.items())), tuple(sorted(units.items()))


def _raster(area: Workspace, layer: str, content: bytes, name: str) -> None:
    """Ask for the origin of a raster and keep it."""
    with st.form("raster"):
        origin = _origin()
        if not st.form_submit_button(_("Keep this file"), type="primary", icon=":material/save:"):
            return
    with tempfile.TemporaryDirectory(prefix="phusong-") as scratch:
        path = Path(scratch) / Path(name.replace("\\", "/")).name
        path.write_bytes(content)
        try:
            with identity.data_change(area, "imported", layer=layer, file=path.name):
                problems = importers.import_raster(area, layer, path, **origin)
        except InputError as error:
            st.error(translate(error), icon=":material/error:")
            st.caption(_("Nothing was changed; the data loaded before are still there."))
            return
    said = _("The raster {layer} was kept.", layer=labels.layer(layer))
    st.session_state["upload.done"] = (said, [translate(item.message) for item in problems])
    st.session_state["upload.turn"] = st.session_state.get("upload.turn", 0) + 1
    st.rerun()


def _origin() -> dict[str, str]:
    """Ask who made the data, of what time and under which terms."""
    first, second, third = st.columns(3)
    return {
        "source_name": first.text_input(_("Source: who made the data")),
        "vintage": second.text_input(_("As of: the time that they describe")),
        "licence": third.text_input(_("Licence or terms of use")),
    }


def _show_preview(preview: Preview) -> None:
    usable = len(preview.frame)
    st.write(
        ngettext(
            "{usable} of {n} row can be used.",
            "{usable} of {n} rows can be used.",
            preview.rows_read,
            n=formats.number(preview.rows_read),
            usable=formats.number(usable),
        )
    )
    if preview.problems:
        findings.table(preview.problems, preview.layer)
    else:
        st.success(_("No problem was found."), icon=":material/check_circle:")
    if usable:
        st.caption(_("The first usable rows, as they will be kept:"))
        head = preview.frame.head(ROWS_SHOWN)
        if "geometry" in head:
            where = head.geometry.to_crs("EPSG:4326")
            head = pd.DataFrame(head.drop(columns="geometry"))
            if (where.geom_type == "Point").all():
                head = head.assign(lon=where.x.round(6).to_numpy(), lat=where.y.round(6).to_numpy())
        st.dataframe(head, hide_index=True, width="stretch", placeholder="")


def _accept(area: Workspace, preview: Preview, content: bytes, name: str, reading: Reading) -> None:
    if not len(preview.frame):
        st.caption(_("Nothing was changed; the data loaded before are still there."))
        return
    replaces = area.has(preview.layer) and reading.replace
    with st.form("accept"):
        origin = _origin()
        drop_orphans = False
        # Generated cells go with their generated masts without being asked for.
        if preview.layer == "masts" and not area.provenance().get("cells", _GENERATED).illustrative:
            drop_orphans = st.checkbox(_("Remove cells whose mast is not in the new file"))
        if preview.errors:
            text = ngettext(
                "Keep the {n} usable row, leave out the rest",
                "Keep the {n} usable rows, leave out the rest",
                len(preview.frame),
                n=formats.number(len(preview.frame)),
            )
        else:
            text = _("Keep this file")
        if replaces:
            st.caption(
                _("This takes the place of the layer {layer}.", layer=labels.layer(preview.layer))
            )
        accepted = st.form_submit_button(text, type="primary", icon=":material/save:")
    if not accepted:
        return
    try:
        with identity.data_change(area, "imported", layer=preview.layer, file=Path(name).name):
            report = importers.import_layer(
                area,
                preview.layer,
                content,
                file_name=name,
                accept_rows=bool(preview.errors),
                drop_orphans=drop_orphans,
                **origin,
                **reading.options(),
            )
    except ValidationError as error:
        findings.table(error.problems, preview.layer)
        st.caption(_("Nothing was changed; the data loaded before are still there."))
        return
    except InputError as error:
        st.error(translate(error), icon=":material/error:")
        st.caption(_("Nothing was changed; the data loaded before are still there."))
        return
    said = ngettext(
        "{n} row was kept in the layer {layer}.",
        "{n} rows were kept in the layer {layer}.",
        report.rows_written,
        n=formats.number(report.rows_written),
        layer=labels.layer(report.layer),
    )
    # Rows were shown before; what concerns the whole import is new.
    remarks = [translate(item.message) for item in report.problems if item.row is None]
    st.session_state["upload.done"] = (said, remarks)
    st.session_state["upload.turn"] = st.session_state.get("upload.turn", 0) + 1
    st.session_state.pop("upload.preview", None)
    st.session_state.pop("upload.columns", None)
    st.rerun()
