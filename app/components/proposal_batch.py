"""Proposals of a file that are evaluated beside the page: how far, and which could not be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from app import evaluators, identity, jobs
from app.components import progress
from app.i18n import _, ngettext, translate
from app.markdown import plain
from data.errors import Message
from data.records.engine import Records
from data.store import Workspace
from planning import proposal_batch
from planning.accounts import Actor

#: Key of the session state that holds the key of the job, and how many are evaluated.
BATCH = "proposal.batch"

#: Most proposals that are named one by one.
NAMED = 10


def begin(area: Workspace, actor: Actor, numbers: Sequence[int]) -> None:
    """Begin to evaluate proposals; the session watches it.

    Parameters
    ----------
    area
        The study area's own workspace.
    actor
        Who acts.
    numbers
        Numbers of the proposals.
    """
    if numbers and area.has("masts") and area.has("cells"):
        key = ("proposals", str(area.folder), tuple(numbers))
        work = _work(area, identity.records(), actor, numbers)
        jobs.JOBS.start(key, work, watcher=progress.session())
        st.session_state[BATCH] = (key, len(numbers))


def show() -> None:
    """Show how far it is, and once it has ended what came of it."""
    if BATCH not in st.session_state:
        return
    key, count = st.session_state[BATCH]
    job = jobs.JOBS.get(key)
    if job is not None and job.active:
        progress.watch(
            key,
            ngettext(
                "Working out what {n} proposal brings",
                "Working out what {n} proposals bring",
                count,
                n=count,
            ),
        )
        return
    # What has ended is said once; each proposal says what it lacks.
    del st.session_state[BATCH]
    jobs.JOBS.forget(key)
    if job is None or job.state is jobs.State.CANCELLED:
        st.info(
            _("Stopped. What is worked out is kept; the rest can be worked out at each proposal."),
            icon=":material/cancel:",
        )
    elif job.error is not None:
        st.error(translate(job.error), icon=":material/error:")
    elif isinstance(job.result, Mapping):
        _ended(count, job.result)


def _ended(count: int, failed: Mapping[int, Message]) -> None:
    if count > len(failed):
        done = count - len(failed)
        st.success(
            ngettext(
                "What {n} proposal brings is worked out.",
                "What {n} proposals bring is worked out.",
                done,
                n=done,
            ),
            icon=":material/check_circle:",
        )
    if failed:
        said = [
            f"- {number}: {plain(translate(why))}" for number, why in list(failed.items())[:NAMED]
        ]
        said += ["- …"] if len(failed) > NAMED else []
        head = ngettext(
            "What {n} proposal brings could not be worked out:",
            "What {n} proposals bring could not be worked out:",
            len(failed),
            n=len(failed),
        )
        st.warning("\n".join([head, "", *said]), icon=":material/warning:")


def _work(area: Workspace, records: Records, actor: Actor, numbers: Sequence[int]) -> jobs.Work:
    def work(on_progress: Callable[[float], None]) -> dict[int, Message]:
        evaluator = evaluators.loaded(area, lambda share: on_progress(0.5 * share))
        return proposal_batch.evaluate(
            records,
            actor,
            evaluator,
            numbers,
            on_progress=lambda share: on_progress(0.5 + 0.5 * share),
        )

    return work
