"""Choose what a report holds, in which languages and as which files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from app import i18n
from app.components.kept import PREFIX
from app.i18n import _, mark, translate
from coverage.run import CoverageRequest
from planning.reports import exports, inputs, write
from planning.reports.kept import Wish

DOCUMENTS = {
    "docx": mark("Word (DOCX)"),
    "pdf": mark("PDF"),
    "xlsx": mark("Excel (XLSX)"),
}

DATA = {
    "gpkg": mark("GeoPackage, all layers and figures"),
    "kmz": mark("Google Earth (KMZ)"),
    "cog": mark("Rasters (GeoTIFF)"),
    "csv": mark("Tables (CSV)"),
}


def show(request: CoverageRequest) -> Wish | None:
    """Show the choices.

    Parameters
    ----------
    request
        The coverage that is reported.

    Returns
    -------
    Wish or None
        None where nothing is left to write.
    """
    parts = st.pills(
        _("Parts"),
        list(inputs.PARTS),
        selection_mode="multi",
        format_func=lambda part: translate(inputs.PARTS[part]),
        key=_first("report_parts", inputs.DEFAULT_PARTS),
        help=_("A plan for sharing masts takes minutes to compute; the others take seconds."),
    )
    left, right = st.columns(2)
    with left:
        codes = _pills(
            _("Languages"),
            list(i18n.LANGUAGES),
            lambda code: i18n.LANGUAGES[code],
            "report_languages",
            (i18n.language(),),
        )
    with right:
        formats = _pills(
            _("Documents"),
            list(write.FORMATS),
            lambda name: _(DOCUMENTS[name]),
            "report_formats",
            write.FORMATS,
        )
    data = _pills(
        _("Data of what is shown"),
        list(exports.FORMATS),
        lambda name: _(DATA[name]),
        "report_data",
        (),
    )
    faults = [
        text
        for found, text in (
            (parts, _("Choose at least one part.")),
            (codes, _("Choose at least one language.")),
            ((*formats, *data), _("Choose at least one document or kind of data.")),
        )
        if not found
    ]
    for text in faults:
        st.info(text, icon=":material/check_box:")
    if faults:
        return None
    return Wish(
        request,
        inputs.checked_parts(tuple(parts)),
        tuple(code for code in i18n.LANGUAGES if code in codes),
        tuple(name for name in write.FORMATS if name in formats),
        tuple(name for name in exports.FORMATS if name in data),
    )


def _pills(
    label: str,
    options: list[str],
    written: Callable[[str], str],
    name: str,
    first: Sequence[str],
) -> Sequence[str]:
    return st.pills(
        label, options, selection_mode="multi", format_func=written, key=_first(name, first)
    )


def _first(name: str, value: Sequence[str]) -> str:
    """Give a choice of several its first value, and return its key."""
    key = PREFIX + name
    if key not in st.session_state:
        st.session_state[key] = list(value)
    return key
