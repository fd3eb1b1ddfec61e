"""What many proposals bring, one after the other: one that cannot be judged stops no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from data.errors import CancelledError, Message, PhuSongError
from data.records.engine import Records
from planning import proposals
from planning.accounts import Actor
from planning.proposal_evaluation import Evaluator
from planning.proposal_figures import Evaluation
from planning.proposal_workflow import OPEN
from planning.proposals import Proposal


def outstanding(records: Records, actor: Actor, found: Sequence[Proposal]) -> list[int]:
    """Return which proposals are not decided and were never evaluated as they are asked for.

    Parameters
    ----------
    records, actor
        See `planning.proposals.get`.
    found
        Proposals.

    Returns
    -------
    list of int
        Their numbers.
    """
    missing = []
    for item in found:
        if item.status in OPEN:
            kept = proposals.evaluation(records, actor, item.id)
            if kept is None or kept.evaluation.inputs["site"] != item.request.to_dict():
                missing.append(item.id)
    return missing


def evaluate(
    records: Records,
    actor: Actor,
    evaluator: Evaluator,
    numbers: Sequence[int],
    *,
    on_progress: Callable[[float], None] = lambda _: None,
    on_made: Callable[[Proposal, Evaluation], None] = lambda item, made: None,
) -> dict[int, Message]:
    """Find out what proposals bring, and keep it.

    Parameters
    ----------
    records, actor
        See `planning.proposals.keep_evaluation`.
    evaluator
        The network of the proposals' area.
    numbers
        Numbers of the proposals.
    on_progress
        Called with the finished share; may raise `CancelledError`. What is finished then
        stays.
    on_made
        Called with each proposal and what it brings.

    Returns
    -------
    dict of int to Message
        For each proposal that could not be evaluated, why.
    """
    failed: dict[int, Message] = {}
    for done, number in enumerate(numbers):
        on_progress(done / len(numbers))
        try:
            # Somebody may have changed it since it was listed.
            item = proposals.get(records, actor, number)
            made = evaluator.evaluate(item.request, item.organisation)
            proposals.keep_evaluation(records, actor, number, made)
        except CancelledError:
            raise
        except PhuSongError as error:
            failed[number] = error.message
        else:
            on_made(item, made)
    on_progress(1.0)
    return failed
