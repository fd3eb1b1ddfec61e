"""Upload a file of masts or cells: look at it, then keep it or not."""

from __future__ import annotations

import hashlib

import streamlit as st

from app import formats, labels
from app.components import findings, inventory, style
from app.components.kept import keep
from app.i18n import _, ngettext, translate
from data import importers
from data.errors import InputError, ValidationError
from data.importers import Preview
from data.store import Provenance, Workspace

#: Layers that can be uploaded here, in the order in which they are needed.
LAYERS = ("masts", "cells")

_GENERATED = Provenance("", illustrative=True)

#: Rows of a file that are shown before it is kept.
ROWS_SHOWN = 20


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
    layer = st.segmented_control(
        _("What does the file hold?"),
        LAYERS,
        format_func=labels.layer,
        key=keep("upload_layer", LAYERS[0], LAYERS),
        required=True,
        wrap=True,
    )
    turn = st.session_state.get("upload.turn", 0)
    style.uploader_text(_("Choose a file"))
    # Files of every kind are let in: what is wrong with them is said in the user's language.
    given = st.file_uploader(
        _("CSV, Excel or GeoPackage file, at most 50 MB"), key=f"upload-{layer}-{turn}"
    )
    with st.expander(_("Columns that the file needs"), icon=":material/table:"):
        if layer == "masts":
            st.caption(
                _(
                    "Positions as columns lon and lat in degrees (WGS 84), or as the geometry of a "
                    "GeoPackage in any CRS."
                )
            )
        inventory.columns(layer)
    if given is None:
        return
    content = given.getvalue()
    try:
        preview = _preview(area, layer, content, given.name)
    except InputError as error:
        st.error(translate(error), icon=":material/error:")
        st.caption(_("Nothing was changed; the data loaded before are still there."))
        return
    _show_preview(preview)
    _accept(area, preview, content, given.name)


def _preview(area: Workspace, layer: str, content: bytes, name: str) -> Preview:
    """Read the file once for all runs of the page that show it."""
    key = (layer, name, hashlib.sha256(content).hexdigest(), area.content_hash("masts", "zones"))
    kept = st.session_state.get("upload.preview")
    if kept is not None and kept[0] == key:
        return kept[1]
    with st.spinner(_("Reading the file…")):
        found = importers.preview(area, layer, content, file_name=name)
    st.session_state["upload.preview"] = (key, found)
    return found


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
            head = head.drop(columns="geometry").assign(
                lon=where.x.round(6).to_numpy(), lat=where.y.round(6).to_numpy()
            )
        st.dataframe(head, hide_index=True, width="stretch", placeholder="")


def _accept(area: Workspace, preview: Preview, content: bytes, name: str) -> None:
    if not len(preview.frame):
        st.caption(_("Nothing was changed; the data loaded before are still there."))
        return
    replaces = area.has(preview.layer)
    with st.form("accept"):
        first, second, third = st.columns(3)
        source = first.text_input(_("Source: who made the data"))
        vintage = second.text_input(_("As of: the time that they describe"))
        licence = third.text_input(_("Licence or terms of use"))
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
        report = importers.import_layer(
            area,
            preview.layer,
            content,
            file_name=name,
            accept_rows=bool(preview.errors),
            drop_orphans=drop_orphans,
            source_name=source,
            licence=licence,
            vintage=vintage,
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
    st.rerun()
