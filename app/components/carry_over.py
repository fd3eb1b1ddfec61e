"""Bring figures by zone from the units of one time to those of another."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
import streamlit as st

from app import formats, labels
from app.components import download, style
from app.i18n import _, mark, translate
from data import transfer, vintages
from data.store import Workspace
from data.vintages import Vintage

WEIGHTS = {"area": mark("by area"), "population": mark("by population")}

KINDS = {
    "count": mark("a count (people, houses, km)"),
    "share": mark("a share or mean"),
    "": mark("leave out"),
}


def choices(area: Workspace) -> list[Vintage]:
    """Return the units of different times that a workspace holds, of all levels."""
    return vintages.vintages(area.read("zones")) if area.has("zones") else []


def show(area: Workspace) -> None:
    """Show the form and the figures.

    Parameters
    ----------
    area
        The workspace, with zones of at least two times or levels.
    """
    found = choices(area)
    st.caption(
        _(
            "A file with a column “code” and figures of the old units gives the figures of the new "
            "ones. Each says whether it is exact or estimated, and between which bounds it lies."
        )
    )
    if len(found) < 2:
        st.info(_("This study area has the units of one time only."), icon=":material/event:")
        return

    def said(place: int) -> str:
        item = found[place]
        return f"{labels.level(item.level)}: {translate(item.label(formats.date))}"

    every = list(range(len(found)))
    left, middle, right = st.columns(3)
    old = left.selectbox(_("Units of the file"), every, format_func=said, key="carry.old")
    new = middle.selectbox(
        _("Units wanted"), every, index=len(every) - 1, format_func=said, key="carry.new"
    )
    weights = [name for name in WEIGHTS if name == "area" or area.has("population")]
    weight = right.selectbox(
        _("Split units are divided"),
        weights,
        index=len(weights) - 1,
        format_func=lambda name: _(WEIGHTS[name]),
        key="carry.weight",
    )
    style.uploader_text(_("Choose a file"))
    given = st.file_uploader(_("CSV or Excel file with a column “code”"), key="carry.file")
    if given is None:
        return
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / Path(given.name.replace("\\", "/")).name
        path.write_bytes(given.getvalue())
        table = transfer.read_figures(path)
    kinds = _kinds([str(name) for name in table.columns])
    extensive = [name for name, kind in kinds.items() if kind == "count"]
    intensive = [name for name, kind in kinds.items() if kind == "share"]
    if not extensive and not intensive:
        return
    result = transfer.transfer_table(
        area,
        table,
        from_date=found[old].day,
        to_date=found[new].day,
        to_level=found[new].level,
        weight=weight,  # type: ignore[arg-type]
        extensive=extensive,
        intensive=intensive,
    )
    _show_result(result, [*extensive, *intensive])


def _kinds(columns: list[str]) -> dict[str, str]:
    names = [name for name in columns if name.strip().lower() != "code"]
    places = st.columns(min(4, max(1, len(names))))
    return {
        name: places[number % len(places)].selectbox(
            name,
            list(KINDS),
            index=1 if name.lower().endswith(("percent", "share")) else 0,
            format_func=lambda kind: _(KINDS[kind]),
            key=f"carry.kind.{name}",
        )
        for number, name in enumerate(names)
    }


def _show_result(result: pd.DataFrame, columns: list[str]) -> None:
    for note in result.attrs.get("notes", ()):
        st.caption(translate(note))
    quality = {
        "exact": _("exact"),
        "estimated": _("estimated"),
        "partial": _("partial"),
        "missing": _("missing"),
    }
    shown = result.rename(columns={"code": _("Code"), "name": _("Name")}).drop(
        columns=["level", "valid_from"]
    )
    for name in columns:
        shown[f"{name}_quality"] = [quality.get(v, v) for v in shown[f"{name}_quality"]]
    st.dataframe(shown, hide_index=True, width="stretch")
    download.table(_("Download the figures (CSV)"), result, "figures.csv")
