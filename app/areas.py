"""The study areas on this machine, and which of them the session looks at.

An area is a workspace in the folder that holds the default one. The address
names it (``?area=hanam``), so that a page can be shared; only names of that
list are taken from there, never a path.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app import i18n
from app.i18n import _
from data import database
from data.errors import PhuSongError
from data.store import DATABASE, StudyAreaInfo, Workspace, default_workspace

#: The area that needs no file and no network.
EMBEDDED = "demo"

#: Key of the choice in the session and in the address.
KEY = "area"


def home() -> Path:
    """Return the folder that holds the study areas."""
    return default_workspace(EMBEDDED).parent


def default() -> Path:
    """Return the workspace shown first: $PHUSONG_WORKSPACE or the embedded area's."""
    return default_workspace(EMBEDDED)


def known() -> dict[str, Path]:
    """Return the workspaces by the names of their folders, the default one first.

    Returns
    -------
    dict
        Name -> folder; also holds the default one where it is not built yet.
    """
    found = {default().name: default()}
    if home().is_dir():
        for folder in sorted(home().iterdir()):
            if Workspace.exists(folder):
                found.setdefault(folder.name, folder)
    return found


def folder() -> Path:
    """Return the folder of the workspace that the session looks at."""
    chosen = st.session_state.get(KEY, st.query_params.get(KEY))
    return known().get(str(chosen), default())


def choose(place: Path) -> None:
    """Make the session look at a workspace from its next run on.

    Parameters
    ----------
    place
        Folder of a known workspace.
    """
    st.session_state["area.next"] = place.name


def title(area: StudyAreaInfo) -> str:
    """Return the title of an area in the language in use."""
    return area.title_vi if i18n.language() == "vi" else area.title_en


def switch() -> None:
    """Show the choice where there is one, and note it in the address."""
    folders = known()
    wanted = st.session_state.pop("area.next", None)
    current = st.session_state.get(KEY, st.query_params.get(KEY))
    names = list(folders)
    first = next((name for name in (wanted, current) if name in folders), names[0])
    if st.session_state.get(KEY) != first:
        st.session_state[KEY] = first
    if len(names) > 1:
        st.selectbox(_("Study area"), names, format_func=_titles(folders).get, key=KEY)
    else:
        # Without a widget to hold it, the choice stays as it was set.
        st.session_state[KEY] = names[0]
    chosen = st.session_state[KEY]
    if chosen == default().name:
        st.query_params.pop(KEY, None)
    elif st.query_params.get(KEY) != chosen:
        st.query_params[KEY] = chosen


def _titles(folders: dict[str, Path]) -> dict[str, str]:
    """Return a title for every area, told apart by the folder's name where two are alike."""
    titles = {}
    for name, place in folders.items():
        info = _info(str(place), _version(place))
        titles[name] = name if info is None else title(info)
    said = list(titles.values())
    return {
        name: text if said.count(text) == 1 else f"{text} ({name})" for name, text in titles.items()
    }


def _version(place: Path) -> tuple[int, ...]:
    path = place / DATABASE
    return database.signature(path) if path.is_file() else ()


@st.cache_data(max_entries=200, show_spinner=False)
def _info(place: str, version: tuple[int, ...]) -> StudyAreaInfo | None:
    del version  # only part of the key
    try:
        return Workspace.open(place).area
    except PhuSongError:
        return None
