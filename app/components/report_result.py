"""A report that was made: its files to take along, its tables and maps to look at."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from app import formats, i18n, labels
from app.components import figure_facts, how
from app.components.kept import PREFIX
from app.i18n import _, mark, translate
from coverage import models
from data.store import Workspace
from planning.reports import inputs
from planning.reports.kept import Kept, Wish

_MIME = {
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".pdf": "application/pdf",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".gpkg": "application/geopackage+sqlite3",
    ".kmz": "application/vnd.google-earth.kmz",
    ".zip": "application/zip",
}

_ICONS = {
    ".docx": ":material/description:",
    ".pdf": ":material/picture_as_pdf:",
    ".xlsx": ":material/table:",
    ".gpkg": ":material/database:",
    ".kmz": ":material/public:",
    ".zip": ":material/folder_zip:",
}

_DATA = {
    "infrastructure.gpkg": mark("All layers and figures (GeoPackage)"),
    "infrastructure.kmz": mark("Google Earth (KMZ)"),
    "tables_csv.zip": mark("Tables (CSV, zipped)"),
    "rasters_cog.zip": mark("Rasters (GeoTIFF, zipped)"),
}


def show(area: Workspace, kept: Kept, wish: Wish) -> None:
    """Show a report.

    Parameters
    ----------
    area
        The workspace.
    kept
        The report.
    wish
        What it was made for.
    """
    st.subheader(_("The report"))
    made = formats.date(kept.made_at)
    if kept.current:
        st.caption(_("Made on {date} from the data as they are now.", date=made))
    else:
        st.warning(
            _("Made on {date}; the data have changed since. Make it anew.", date=made),
            icon=":material/update:",
        )
    _downloads(area, kept)
    code = i18n.language()
    spoken = code if code in kept.previews else next(iter(kept.previews))
    if spoken != code:
        st.caption(_("The report was not made in this language; it is shown in the other one."))
    shown = kept.previews[spoken]
    how.show(
        _("How was this computed?"),
        _facts(area, kept, wish),
        section="indicators",
        note=_("The report has settings, thresholds and limits in its part Method and limits.")
        if "method" in wish.parts
        else "",
    )
    _maps(kept.folder, shown["pictures"])
    _tables(shown["tables"])


def _facts(area: Workspace, kept: Kept, wish: Wish) -> list[tuple[str, str]]:
    """Return when and of which parts a report was made, by what coverage, and from which data."""
    request = wish.request
    # What the data were when they have changed since is said in the report itself.
    origins = figure_facts.coverage_data(area.provenance()) if kept.current else []
    return [
        (_("Made"), formats.moment(dt.datetime.fromisoformat(kept.made_at))),
        (_("Parts"), ", ".join(translate(inputs.PARTS[part]) for part in wish.parts)),
        (_("Propagation model"), models.get_model(request.model).reference),
        (_("Calibrated model"), request.calibration or ""),
        (_("Threshold profile"), labels.profile(request.threshold_profile)),
        *origins,
        figure_facts.function("planning.reports.build.build"),
    ]


def _downloads(area: Workspace, kept: Kept) -> None:
    columns = st.columns(3)
    # Another user may just be making the same report anew.
    there = [name for name in kept.names if (kept.folder / name).is_file()]
    for number, name in enumerate(there):
        path = kept.folder / name
        columns[number % 3].download_button(
            _label(path),
            # Read when it is wanted, so that a page holds no files in memory.
            path.read_bytes,
            file_name=f"{area.area.name}_{name}",
            mime=_MIME.get(path.suffix, "application/octet-stream"),
            icon=_ICONS.get(path.suffix, ":material/download:"),
            key=f"report-file-{name}",
            on_click="ignore",
            width="stretch",
        )


def _label(path: Path) -> str:
    if path.name in _DATA:
        title = _(_DATA[path.name])
    else:
        code = path.stem.rpartition("_")[2]
        title = f"{path.suffix[1:].upper()} · {i18n.LANGUAGES.get(code, code)}"
    size = formats.quantity(max(path.stat().st_size / 1e6, 0.1), "MB", 1)
    return f"{title} ({size})"


def _maps(folder: Path, pictures: list[dict[str, str]]) -> None:
    if not pictures:
        return
    st.subheader(_("Maps and charts"))
    captions = [item["caption"] for item in pictures]
    chosen = st.selectbox(_("Figure to look at"), captions, key=PREFIX + "report_picture_" + _tag())
    item = pictures[captions.index(chosen)] if chosen in captions else pictures[0]
    path = folder / item["file"]
    if path.is_file():
        # On a phone the columns stand below each other, and the picture is as wide as it.
        st.columns([3, 1])[0].image(path.read_bytes(), caption=item["alternative"], width="stretch")


def _tables(tables: list[dict[str, Any]]) -> None:
    if not tables:
        return
    st.subheader(_("Tables"))
    captions = [item["caption"] for item in tables]
    chosen = st.selectbox(_("Table to look at"), captions, key=PREFIX + "report_table_" + _tag())
    item = tables[captions.index(chosen)] if chosen in captions else tables[0]
    frame = pd.DataFrame(item["rows"], columns=_distinct(item["columns"]))
    st.dataframe(frame, hide_index=True, width="stretch", height=min(38 + 35 * len(frame), 520))
    if item["note"]:
        st.caption(item["note"])


def _tag() -> str:
    """Return what keeps the choices of languages apart: captions differ."""
    return i18n.language()


def _distinct(names: list[str]) -> list[str]:
    """Return headings that a table can hold, each once."""
    found: list[str] = []
    for name in names:
        found.append(name if name not in found else f"{name} ({len(found) + 1})")
    return found
