"""Build a study area: say where, see what has to be carried, agree, watch it."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import streamlit as st
from babel import Locale

from app import areas, formats, identity, jobs, labels
from app.components import progress, quality, style
from app.i18n import _, language, mark, translate
from data import build, plan
from data.build import BuildReport
from data.errors import InputError
from data.plan import BuildPlan
from data.sources import place_search, registry
from data.sources.source import Place

#: Ways to say where.
WAYS = {
    "name": mark("By name"),
    "box": mark("By coordinates"),
    "file": mark("By a boundary file"),
}

#: Layers and rasters for which a file of one's own may be given.
OWN_FILES = ("zones", "terrain", "clutter", "population", "roads", "villages")

_PLACE = "new_area.place"
_PLAN = "new_area.plan"
_DONE = "new_area.done"


def show() -> None:
    """Show the form, the plan or the progress of a build."""
    if not identity.may_change_data():
        style.only_planners()
        return
    _show_done()
    # Drawn while a job runs, too: Streamlit forgets inputs that a run leaves out, and their files.
    place = _place()
    if place is not None:
        _where(place)
        asked = _asked(place)
    under_way = st.session_state.get("new_area.job")
    if under_way is not None:
        _watch(*under_way)
    elif place is not None:
        _offer(place, asked)


def _offer(place: Place, asked: tuple[object, ...]) -> None:
    """Offer to plan what is asked, and to build what is planned."""
    if st.button(_("Show what has to be downloaded"), icon=":material/checklist:"):
        st.session_state["new_area.job"] = ("plan", asked)
        jobs.JOBS.start(_key("plan"), _plan_work(place, asked), watcher=progress.session())
        st.rerun()
    made = st.session_state.get(_PLAN)
    if made is not None and made[0] == asked:
        _agree(made[1])


# Where


def _place() -> Place | None:
    """Ask where, and return the place once it is known."""
    way = st.segmented_control(
        _("Where is the study area?"),
        list(WAYS),
        format_func=lambda key: _(WAYS[key]),
        default="name",
        key="new_area.way",
        required=True,
    )
    try:
        if way == "box":
            return _box()
        if way == "file":
            return _boundary_file()
        return _search()
    except InputError as error:
        st.error(translate(error), icon=":material/error:")
        return None


def _search() -> Place | None:
    with st.form("search", border=False):
        field, button = st.columns([4, 1], vertical_alignment="bottom")
        text = field.text_input(
            _("Name of the place, as exactly as possible"), placeholder="Hà Nam, Vietnam"
        )
        asked = button.form_submit_button(_("Search"), icon=":material/search:")
    if asked and text.strip():
        with st.spinner(_("Searching…")):
            st.session_state["new_area.found"] = place_search.search(text.strip())
    found: Sequence[place_search.Found] = st.session_state.get("new_area.found", ())
    if not found:
        st.caption(
            _(
                "The name is looked up in OpenStreetMap over the internet. Without the internet, "
                "give coordinates or a boundary file and files of your own."
            )
        )
        return None
    chosen = st.selectbox(_("Found"), list(found), format_func=str) if len(found) > 1 else found[0]
    return chosen.place()


def _box() -> Place | None:
    columns = st.columns(4)
    west = columns[0].number_input(_("West (°)"), -180.0, 180.0, None, format="%.4f")
    south = columns[1].number_input(_("South (°)"), -90.0, 90.0, None, format="%.4f")
    east = columns[2].number_input(_("East (°)"), -180.0, 180.0, None, format="%.4f")
    north = columns[3].number_input(_("North (°)"), -90.0, 90.0, None, format="%.4f")
    if west is None or south is None or east is None or north is None:
        return None
    return _with_country(place_search.place_of_bbox(west, south, east, north))


def _boundary_file() -> Place | None:
    style.uploader_text(_("Choose a file"))
    given = st.file_uploader(
        _("GeoPackage, GeoJSON, KML or zipped Shapefile with the outline"), key="new_area.boundary"
    )
    return None if given is None else _with_country(place_search.place_of_file(_stored(given)))


def _with_country(place: Place) -> Place:
    """Ask for the country, by which some sources part their files."""
    names = Locale.parse(language()).territories
    codes = {
        alpha_3: names.get(alpha_2, alpha_3)
        for alpha_2, alpha_3 in place_search.countries().items()
    }
    ordered = sorted(codes, key=lambda code: formats.sort_key(codes[code]))
    chosen = st.selectbox(
        _("Country"), ordered, index=None, format_func=codes.get, key="new_area.country"
    )
    if chosen is None:
        st.caption(_("Without the country, WorldPop and geoBoundaries cannot be asked."))
        return place
    return replace(place, country=chosen)


def _stored(given: st.runtime.uploaded_file_manager.UploadedFile) -> Path:
    """Put an upload into a folder of the session; its name is made safe."""
    content = given.getvalue()
    folder = Path(tempfile.gettempdir()) / "phusong-uploads" / hashlib.sha256(content).hexdigest()
    path = folder / Path(given.name.replace("\\", "/")).name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return path


def _where(place: Place) -> None:
    west, south, east, north = place.bounds
    style.facts(
        [
            (_("Place"), place.name),
            (
                _("Longitude"),
                _("{a}° to {b}°", a=formats.number(west, 3), b=formats.number(east, 3)),
            ),
            (
                _("Latitude"),
                _("{a}° to {b}°", a=formats.number(south, 3), b=formats.number(north, 3)),
            ),
        ]
    )


# What from where


def _asked(place: Place) -> tuple[object, ...]:
    """Ask for sources, files and options; return them as a key."""
    sources: dict[str, str] = {}
    files: dict[str, Path] = {}
    with st.expander(_("Sources and own files"), icon=":material/tune:"):
        st.caption(
            _(
                "Every layer comes from an open source unless you give a file or leave it out. "
                "Licence and date of each are noted in the study area."
            )
        )
        for part in plan.PARTS:
            names = [
                source.name
                for source in registry.SOURCES.values()
                if set(plan.PARTS[part]) & set(source.gives)
            ]
            offered = [*names, plan.NOWHERE]
            default = plan.DEFAULT_SOURCES.get(part, plan.NOWHERE)
            left, right = st.columns([1, 1], vertical_alignment="bottom")
            sources[part] = left.selectbox(
                labels.layer(part),
                offered,
                index=offered.index(default) if default in offered else len(names),
                format_func=_source_title,
                key=f"new_area.source.{part}",
            )
            if part in OWN_FILES:
                given = right.file_uploader(
                    _("Own file: {layer}", layer=labels.layer(part)), key=f"new_area.file.{part}"
                )
                if given is not None:
                    files[part] = _stored(given)
                    sources.pop(part)
    masts = st.checkbox(
        _("Generate masts and cells until real ones are imported (marked as illustrative)"),
        value=True,
        key="new_area.masts",
    )
    skip = st.checkbox(
        _("Go on without a source that cannot be reached"), value=False, key="new_area.skip"
    )
    return (
        place.name,
        place.bounds,
        place.country,
        tuple(sorted(sources.items())),
        tuple(sorted((name, str(path)) for name, path in files.items())),
        masts,
        skip,
    )


def _source_title(name: str) -> str:
    return _("leave out") if name == plan.NOWHERE else registry.SOURCES[name].title


# Plan and build


def _key(step: str) -> tuple[str, str]:
    return (f"new area: {step}", progress.session())


def _plan_work(place: Place, asked: tuple[object, ...]) -> jobs.Work:
    *_where, sources, files, masts, _skip = asked

    def work(on_progress: Callable[[float], None]) -> object:
        return plan.make_plan(
            place,
            sources=dict(sources),  # type: ignore[call-overload]
            own_files={name: Path(path) for name, path in files},  # type: ignore[attr-defined]
            generate_masts=bool(masts),
            on_progress=on_progress,
        )

    return work


def _build_work(made: BuildPlan, asked: tuple[object, ...]) -> jobs.Work:
    folder = areas.home() / made.area.name
    allowed = identity.data_change(folder, "built")

    def work(on_progress: Callable[[float], None]) -> object:
        with allowed:
            return build.build_from(
                made,
                folder,
                generate_masts=bool(asked[-2]),
                skip_unavailable=bool(asked[-1]),
                on_progress=on_progress,
            )

    return work


def _agree(made: BuildPlan) -> None:
    """Show the plan and start the build when the user agrees."""
    rows = [
        {
            _("Layer"): ", ".join(labels.layer(part) for part in supply.parts),
            _("Source"): supply.title,
            _("To download"): translate(supply.size),
            _("Describes"): supply.vintage,
            _("Licence"): supply.licence,
        }
        for supply in made.supplies
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")
    for said in made.summary():
        st.caption(translate(said))
    folder = areas.home() / made.area.name
    if folder.name in areas.known():
        st.warning(
            _(
                "The study area {name} is there already; building it again replaces it. Masts and "
                "cells that were imported are kept.",
                name=folder.name,
            ),
            icon=":material/sync:",
        )
    if st.button(_("Build the study area"), type="primary", icon=":material/construction:"):
        asked = st.session_state[_PLAN][0]
        st.session_state["new_area.job"] = ("build", asked)
        jobs.JOBS.start(_key("build"), _build_work(made, asked), watcher=progress.session())
        st.rerun()


def _watch(step: str, asked: tuple[object, ...]) -> None:
    """Show a job of this session until it has ended, and take its result."""
    key = _key(step)
    job = jobs.JOBS.get(key)
    if job is not None and job.active:
        label = _("Asking the sources") if step == "plan" else _("Building the study area")
        progress.watch(key, label)
        return
    del st.session_state["new_area.job"]
    if job is None:
        st.rerun()
    if job.state is jobs.State.FAILED and job.error is not None:
        st.session_state[_DONE] = ("failed", job.error)
    elif job.state is jobs.State.CANCELLED:
        st.session_state[_DONE] = ("cancelled", None)
    elif isinstance(job.result, BuildPlan):
        st.session_state[_PLAN] = (asked, job.result)
    elif isinstance(job.result, BuildReport):
        st.session_state[_DONE] = ("built", job.result)
        st.session_state.pop(_PLAN, None)
        areas.choose(job.result.workspace.folder)
    jobs.JOBS.forget(key)
    st.rerun()


def _show_done() -> None:
    """Say how the last build ended."""
    how, what = st.session_state.pop(_DONE, ("", None))
    if how == "failed":
        st.error(translate(what), icon=":material/error:")
        st.caption(_("Nothing was changed. What was downloaded is kept for the next try."))
    elif how == "cancelled":
        st.info(
            _("Cancelled; nothing was changed. What was downloaded is kept for the next try."),
            icon=":material/cancel:",
        )
    elif how == "built":
        _show_report(what)


def _show_report(report: BuildReport) -> None:
    area = report.workspace.area
    st.success(
        _("The study area {name} has been built.", name=areas.title(area)),
        icon=":material/check_circle:",
    )
    for said in (*report.skipped, *report.instead):
        st.warning(translate(said), icon=":material/info:")
    if report.kept:
        kept = ", ".join(labels.layer(name).lower() for name in report.kept)
        st.info(_("Kept from before: {layers}", layers=kept), icon=":material/inventory_2:")
    quality.show_report(report.quality)
