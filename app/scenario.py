"""Which network the session looks at: that of today, or that of a scenario.

The address names a scenario by its number (``?scenario=7``), so that its pages can
be shared; whoever opens such an address must be allowed to see it.
"""

from __future__ import annotations

import streamlit as st

from app import address, areas, identity
from app.components import scenario_texts
from app.components.style import plain
from app.i18n import _, translate
from data.errors import PhuSongError
from data.records.engine import Records
from data.store import Workspace
from planning import scenarios
from planning.scenarios import Scenario

#: Parameter of the address.
PARAMETER = "scenario"

_CHOSEN = "scenario.chosen"
_FAULT = "scenario.fault"
_SWITCH = "scenario.switch"

#: Stands for today's network.
TODAY = 0


def number() -> int:
    """Return the number of the chosen scenario, `TODAY` for none."""
    if _CHOSEN not in st.session_state:
        st.session_state[_CHOSEN] = address.number(PARAMETER)
    return int(st.session_state[_CHOSEN])


def choose(scenario_id: int) -> None:
    """Look at a scenario on all pages from the next run on.

    Parameters
    ----------
    scenario_id
        Its number, `TODAY` for today's network.
    """
    st.session_state[_CHOSEN] = int(scenario_id)
    st.session_state.pop(_SWITCH, None)
    address.put(PARAMETER, str(scenario_id) if scenario_id else "")


def chosen() -> Scenario | None:
    """Return the scenario that the session looks at, None for today's network.

    One that does not exist, that the user may not see or that belongs to another
    study area is left, and the user is told.
    """
    wanted = number()
    if wanted == TODAY:
        return None
    try:
        found = scenarios.get(identity.records(), identity.actor(), wanted)
    except PhuSongError as error:
        st.session_state[_FAULT] = translate(error)
        choose(TODAY)
        return None
    if found.area != areas.folder().absolute().name:
        choose(TODAY)
        return None
    return found


def workspace(base: Workspace) -> Workspace:
    """Return the workspace of the chosen scenario, or the base itself.

    Parameters
    ----------
    base
        The study area.
    """
    found = chosen()
    if found is None:
        return base
    with st.spinner(_("Putting the scenario's network together…")):
        return scenarios.materialise(base, found)


def switch() -> None:
    """Show the choice in the sidebar where there is any, and note it in the address."""
    if not Records.exists(areas.home()):
        return
    found = scenarios.list_of(identity.records(), identity.actor(), areas.folder().absolute().name)
    wanted = number()
    titles = {TODAY: _("Network of today"), **scenario_texts.titles(found)}
    if len(titles) > 1:
        if st.session_state.get(_SWITCH) not in titles:
            st.session_state[_SWITCH] = wanted if wanted in titles else TODAY
        st.selectbox(
            _("Network shown"), list(titles), format_func=titles.get, key=_SWITCH, on_change=_take
        )
    wanted = number()
    address.put(PARAMETER, str(wanted) if wanted else "")


def _take() -> None:
    st.session_state[_CHOSEN] = int(st.session_state.get(_SWITCH, TODAY))


def banner(area: Workspace) -> None:
    """Say which scenario is shown, with the way back.

    Parameters
    ----------
    area
        What the page shows: the scenario's workspace, or the study area's own.
    """
    fault = st.session_state.pop(_FAULT, None)
    if fault:
        st.warning(fault, icon=":material/alt_route:")
    found = chosen()
    if found is None:
        return
    title = plain(found.title)
    left, right = st.columns([5, 2], vertical_alignment="center")
    left.info(
        _("**Scenario: {title}** – this page shows the changed network.", title=title)
        if area.base is not None
        else _("**Scenario: {title}** – it changes nothing on this page.", title=title),
        icon=":material/alt_route:",
    )
    if right.button(_("Back to the network of today"), icon=":material/undo:", width="stretch"):
        choose(TODAY)
        st.rerun()
