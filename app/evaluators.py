"""Networks held in memory to judge proposed sites: one for each study area and content."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from app import jobs, study
from app.components import progress
from app.i18n import _
from data.store import Workspace
from planning.proposal_evaluation import Evaluator

#: Networks that are held; those not used for longest go first.
MOST = 2

_HELD: OrderedDict[tuple[object, ...], Evaluator] = OrderedDict()
_LOCK = threading.Lock()


def held(area: Workspace) -> Evaluator | None:
    """Return the network of an area if it is held."""
    key = study.inputs(area)
    with _LOCK:
        found = _HELD.get(key)
        if found is not None:
            _HELD.move_to_end(key)
        return found


def begin(area: Workspace) -> None:
    """Begin to load the network of an area, while the user is still writing."""
    key = ("evaluator", *study.inputs(area))
    if held(area) is None and jobs.JOBS.get(key) is None and area.has("cells"):
        jobs.JOBS.start(key, _load(area), watcher=progress.session())


def obtained(area: Workspace) -> Evaluator | None:
    """Return the network of an area; show how far it is while it is loaded.

    Parameters
    ----------
    area
        The study area's own workspace.

    Returns
    -------
    Evaluator or None
        None while it is being loaded.
    """
    found = held(area)
    if found is not None:
        return found
    key = ("evaluator", *study.inputs(area))
    job = jobs.JOBS.get(key)
    if job is None or job.state is jobs.State.DONE:
        jobs.JOBS.start(key, _load(area), watcher=progress.session())
    progress.show(key, _("Loading the network"), start=_load(area))
    return None


def _load(area: Workspace) -> jobs.Work:
    def work(on_progress: Callable[[float], None]) -> None:
        # Not the job's result: jobs are kept for longer than networks.
        loaded(area, on_progress)

    return work


def loaded(area: Workspace, on_progress: Callable[[float], None]) -> Evaluator:
    """Return the network of an area within a job; load it there if it is not held.

    Parameters
    ----------
    area
        The study area's own workspace.
    on_progress
        Called with the finished share; may raise `CancelledError`.
    """
    found = held(area)
    if found is not None:
        return found
    key = study.inputs(area)
    made = Evaluator(area, on_progress=on_progress)
    with _LOCK:
        _HELD[key] = made
        while len(_HELD) > MOST:
            _HELD.popitem(last=False)
    return made
