"""What a workspace holds and where it came from."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import formats, labels
from app.components import style
from app.components.kept import keep
from app.i18n import _
from data import schema
from data.store import Provenance, Workspace


def show(area: Workspace) -> None:
    """Show layers and rasters with their provenance.

    Parameters
    ----------
    area
        The workspace.
    """
    frame, origins = _table(str(area.folder), area.content_hash())
    if frame.empty:
        st.info(_("Nothing is loaded yet."), icon=":material/database_off:")
        return
    shown = pd.DataFrame(
        {
            _("Layer"): [labels.layer(name) for name in frame["name"]],
            _("Content"): [
                formats.number(rows)
                if wide == 0
                else _(
                    "{width} × {height} pixels",
                    width=formats.number(wide),
                    height=formats.number(high),
                )
                for rows, wide, high in zip(
                    frame["rows"], frame["width"], frame["height"], strict=True
                )
            ],
            _("CRS"): frame["crs"],
            _("State"): [
                _("illustrative") if origins[name].illustrative else _("observed")
                for name in frame["name"]
            ],
            _("Source"): [_(origins[name].source) for name in frame["name"]],
            _("Describes"): [_(origins[name].vintage) for name in frame["name"]],
            _("Licence"): [_(origins[name].licence) for name in frame["name"]],
            _("Read on"): [formats.date(origins[name].retrieved_at) for name in frame["name"]],
        }
    )
    st.dataframe(shown, hide_index=True, width="stretch")
    names = list(frame["name"])
    name = st.selectbox(
        _("Details of"),
        names,
        format_func=labels.layer,
        key=keep("data_layer", names[0], names),
    )
    _details(name, origins[name])


@st.cache_data(max_entries=4, show_spinner=False)
def _table(place: str, content: str) -> tuple[pd.DataFrame, dict[str, Provenance]]:
    del content  # only part of the key
    area = Workspace.open(place)
    rows = []
    for name in area.layers():
        crs = area.area.crs if schema.LAYERS[name].geometry is not None else ""
        rows.append((name, len(area.read(name)), 0, 0, crs))
    for name in area.rasters():
        info = area.raster_info(name)
        rows.append((name, 0, info.width, info.height, info.crs))
    return pd.DataFrame(rows, columns=["name", "rows", "width", "height", "crs"]), area.provenance()


def _details(name: str, origin: Provenance) -> None:
    style.facts(
        [
            (_("Method, in the words of the source"), origin.method),
            (_("File or address"), origin.url_or_file),
            (_("SHA-256"), origin.sha256),
        ]
    )
    if name in schema.LAYERS:
        columns(name)


def columns(layer: str) -> None:
    """Show the columns that a layer has or a file for it needs.

    Parameters
    ----------
    layer
        Layer name.
    """
    declared = schema.layer_named(layer)
    rows = []
    for name, column in declared.table.columns.items():
        kind = str((column.metadata or {}).get("kind", ""))
        rows.append(
            {
                _("Column"): name,
                _("Meaning"): _(str(column.description)),
                _("Kind"): _(labels.KINDS.get(kind, kind)),
                _("Unit"): declared.unit(name),
                _("Required"): _("yes") if column.required else _("no"),
            }
        )
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")
