"""The indicators of the area that the session looks at."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from app import areas, identity
from app.i18n import translate
from data.errors import PhuSongError
from data.records.engine import Records
from data.store import Workspace
from planning import indicators


def records() -> Records | None:
    """Return the records database for reading, None where there is none yet."""
    return identity.records() if Records.exists(areas.home()) else None


def table(area: Workspace, on: str | None = None) -> pd.DataFrame:
    """Return the indicators of an area.

    Parameters
    ----------
    area
        The workspace.
    on
        ISO date, None for the present state.

    Returns
    -------
    DataFrame
        See `planning.indicators.table`.
    """
    return indicators.table(area, records(), on=on)


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
