"""The indicators of the area that the session looks at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import streamlit as st

from app import areas, identity, study
from app.i18n import translate
from coverage.request import CoverageRequest
from data.errors import PhuSongError
from data.records.engine import Records
from data.store import Workspace
from planning import history, indicators


def records() -> Records | None:
    """Return the records database for reading, None where there is none yet."""
    return identity.records() if Records.exists(areas.home()) else None


def table(
    area: Workspace, on: str | None = None, request: CoverageRequest | None = None
) -> pd.DataFrame:
    """Return the indicators of an area, from memory where nothing has changed.

    Parameters
    ----------
    area
        The workspace.
    on
        ISO date, None for the present state.
    request
        The coverage whose figures count; the defaults if None.

    Returns
    -------
    DataFrame
        See `planning.indicators.table`; a copy.
    """
    kept = records()
    state = 0 if kept is None else history.newest(kept)
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    return _table(str(area.folder), study.state(area), state, today, on, request).copy()


@st.cache_resource(max_entries=32, show_spinner=False)
def _table(
    place: str,
    content: tuple[object, ...],
    state: int,
    today: str,
    on: str | None,
    request: CoverageRequest | None,
) -> pd.DataFrame:
    del content, state, today  # only parts of the key
    return indicators.table(Workspace.open(Path(place)), records(), on=on, request=request)


def attempt(change: Callable[[], object], done: str) -> bool:
    """Make a change, say what came of it, and draw the page anew.

    Parameters
    ----------
    change
        Writes to the records.
    done
        What to say when it went well.

    Returns
    -------
    bool
        False after an error, which is shown; otherwise the page is run again.
    """
    try:
        change()
    except PhuSongError as error:
        st.error(translate(error), icon=":material/error:")
        return False
    st.toast(done, icon=":material/check:")
    st.rerun()
    return True
