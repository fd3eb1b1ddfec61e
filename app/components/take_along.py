"""Take a layer along as a file that other programs open."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st

from app import formats, labels
from app.components.kept import keep
from app.errors import readable
from app.i18n import _, translate
from data import exporters
from data.store import Workspace

#: Formats by the names that people know.
FORMATS = {
    "geopackage": "GeoPackage (QGIS)",
    "shapefile": "Shapefile (ZIP)",
    "kml": "KML (Google Earth)",
    "kmz": "KMZ (Google Earth)",
    "csv": "CSV",
    "excel": "Excel",
    "geojson": "GeoJSON",
}


@st.fragment
@readable
def show(area: Workspace) -> None:
    """Show the choice of layer and format, and the file.

    Parameters
    ----------
    area
        The workspace.
    """
    layers = area.layers()
    if not layers:
        st.info(_("Nothing is loaded yet."), icon=":material/database_off:")
        return
    left, right = st.columns(2)
    layer = left.selectbox(
        _("Layer"), layers, format_func=labels.layer, key=keep("export_layer", layers[0], layers)
    )
    kind = right.selectbox(
        _("Format"), list(FORMATS), format_func=FORMATS.get, key=keep("export_format", "geopackage")
    )
    if not st.button(_("Prepare the file"), icon=":material/output:"):
        return
    with st.spinner(_("Writing the file…")), tempfile.TemporaryDirectory() as scratch:
        name = f"{area.area.name}_{layer}{exporters.FORMATS[kind][0]}"
        report = exporters.export_layer(area, layer, Path(scratch) / name, format=kind)
        content = report.path.read_bytes()
    for note in report.notes:
        st.caption(translate(note))
    st.download_button(
        _("Download {file} ({rows} rows)", file=name, rows=formats.number(report.rows)),
        content,
        file_name=name,
        icon=":material/download:",
        on_click="ignore",
    )
