"""Which masts may go: the problem, its exact model and bounds on it.

Columns are masts that stay (y) and moves of an operator from a mast to another one (x); rows
are places with a service (a technology of an operator), each covered today. With the cost
c of keeping a mast and d of a move, the share of row i that counts z, and its weight w:

    minimise    sum c[m] y[m] + sum d[v] x[v]
    (1)  z[i] <= sum of the columns that cover row i,     0 <= z[i] <= 1
    (2)  sum over the rows of service s of w[i] z[i] >= target[s]
    (3)  sum over the moves of one operator from mast m of x <= 1 - y[m]
    (4)  x[v] <= y[host of v]
    (5)  sum over the moves of one operator to mast m of x <= 1
    (6)  sum over the moves to mast m of operators new there <= places left on m
    y, x in {0, 1}

An operator whose mast goes and that does not move just leaves (3). A place on a mast counts
as taken by those who are there today: nobody's place becomes free.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from planning.kernels import cover as cover_kernels
from planning.milp import MilpSolution, minimise

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Progress = Callable[[float], None]

#: Shares of the rows, those with fewest columns, that a bound looks at; the first that fits.
_HARDEST = (1.0, 0.7, 0.5, 0.35, 0.25, 0.15)

#: Entries of the table of rows up to which the exact model is given to HiGHS.
MOST_EXACT = 120_000


@dataclass(frozen=True, eq=False)
class Problem:
    """Places, masts and moves as numbers.

    Parameters
    ----------
    rows
        Places with a service × columns: first the masts, then the moves.
    weight, service
        Of each row.
    block
        Of each row: rows of one block and service lie close together.
    target
        Weight to be covered, by service.
    mast_cost
        Of keeping each mast; below 0 where it costs more to take it down than to keep it.
    move_cost
        Of each move.
    guest, host, operator
        Of each move: numbers of masts and of the operator.
    is_new
        Whether the operator is new on the receiving mast.
    rooms
        Places left on each mast.
    """

    rows: scipy.sparse.csr_array
    weight: Floats
    service: Ints
    block: Ints
    target: Floats
    mast_cost: Floats
    move_cost: Floats
    guest: Ints
    host: Ints
    operator: Ints
    is_new: Flags
    rooms: Ints

    @property
    def masts(self) -> int:
        """Number of masts."""
        return len(self.mast_cost)

    @property
    def moves(self) -> int:
        """Number of moves."""
        return len(self.move_cost)

    @property
    def cost(self) -> Floats:
        """Cost of each column."""
        return np.concatenate([self.mast_cost, self.move_cost])

    def covered(self, chosen: Flags) -> Floats:
        """Return the covered weight of each service for chosen columns."""
        hit = self.rows @ chosen.astype(np.int32) > 0
        return np.bincount(
            self.service[hit], weights=self.weight[hit], minlength=len(self.target)
        ).astype(np.float64)

    def allows(self, chosen: Flags) -> bool:
        """Return whether chosen columns fulfil (3) to (6), and (2) within rounding."""
        stays, made = chosen[: self.masts], chosen[self.masts :]
        guest, host = self.guest[made], self.host[made]
        if stays[guest].any() or not stays[host].all():
            return False
        leaving = set(zip(guest.tolist(), self.operator[made].tolist(), strict=True))
        coming = set(zip(host.tolist(), self.operator[made].tolist(), strict=True))
        if len(leaving) < made.sum() or len(coming) < made.sum():
            return False
        new = np.bincount(host[self.is_new[made]], minlength=self.masts)
        if (new > self.rooms).any():
            return False
        return bool((self.covered(chosen) >= self.target * (1.0 - 1e-9) - 1e-9).all())


def merged(problem: Problem) -> Problem:
    """Return the problem with rows of one service that the same columns cover put together."""
    kind = scipy.sparse.csr_array(
        (
            np.ones(len(problem.service), np.bool_),
            (np.arange(len(problem.service)), problem.service),
        ),
        shape=(len(problem.service), len(problem.target)),
    )
    table = scipy.sparse.hstack([problem.rows.astype(np.bool_), kind], format="csr")
    table.sort_indices()
    rows = table.shape[0]
    size = 4
    while size < 2 * rows + 2:
        size *= 2
    group, sample = np.empty(rows, np.int32), np.empty(rows, np.int32)
    count = cover_kernels.merge_rows(
        table.indptr.astype(np.int64),
        table.indices.astype(np.int32, copy=False),
        np.full(size, -1, np.int32),
        group,
        sample,
    )
    chosen = sample[:count]
    return Problem(
        problem.rows[chosen],
        np.bincount(group, weights=problem.weight, minlength=count).astype(np.float64),
        problem.service[chosen],
        problem.block[chosen],
        problem.target,
        problem.mast_cost,
        problem.move_cost,
        problem.guest,
        problem.host,
        problem.operator,
        problem.is_new,
        problem.rooms,
    )


def solve_exactly(
    problem: Problem, start: Flags | None, *, time_limit_s: float, on_progress: Progress
) -> MilpSolution:
    """Give the whole model to HiGHS.

    Parameters
    ----------
    problem
        With rows already merged.
    start
        Columns of a known solution.
    time_limit_s
        Time after which the best solution and bound so far are returned. [s]
    on_progress
        As for `planning.milp.minimise`.

    Returns
    -------
    MilpSolution
        Values of the columns first, then of the rows.
    """
    groups = np.arange(len(problem.weight))
    return _solve(problem, groups, start, time_limit_s, on_progress)


def bound(
    problem: Problem, most_entries: int, *, time_limit_s: float, on_progress: Progress
) -> float:
    """Return a proven lower bound from a smaller problem.

    Rows of a block and service are put together: the weight covered in a block is at most the
    sum of what the columns cover in it, and at most all of it. Rows with many columns count as
    covered. Every solution fulfils this, so that no solution is cheaper than the best of the
    smaller problem. Rows with the fewest columns stay alone, because they decide most.

    Parameters
    ----------
    problem
        With rows already merged.
    most_entries
        About how many entries the smaller table has.
    time_limit_s, on_progress
        As for `solve_exactly`.

    Returns
    -------
    float
        No solution costs less; -inf where time did not suffice.
    """
    degree = np.diff(problem.rows.indptr)
    order = np.argsort(degree, kind="stable")
    alone = np.zeros(len(degree), np.bool_)
    alone[order[np.cumsum(degree[order]) <= most_entries // 4]] = True
    for share in _HARDEST:
        used = np.zeros(len(degree), np.bool_)
        used[order[: max(1, round(share * len(order)))]] = True
        used |= alone
        part = _without(problem, ~used)
        groups = _groups(part, alone[used])
        if _entries(part, groups) <= most_entries:
            break
    return _solve(part, groups, None, time_limit_s, on_progress).bound


def _without(problem: Problem, free: Flags) -> Problem:
    """Return the problem in which some rows count as covered whatever is chosen."""
    given = np.bincount(
        problem.service[free], weights=problem.weight[free], minlength=len(problem.target)
    )
    return dataclasses.replace(
        problem,
        rows=problem.rows[~free],
        weight=problem.weight[~free],
        service=problem.service[~free],
        block=problem.block[~free],
        target=np.maximum(problem.target - given, 0.0),
    )


def _groups(problem: Problem, alone: Flags) -> Ints:
    """Give rows a number: those alone one each, the others one a block and service."""
    key = problem.block * len(problem.target) + problem.service
    _, together = np.unique(key[~alone], return_inverse=True)
    groups = np.empty(len(key), np.int64)
    count = int(np.count_nonzero(alone))
    groups[alone] = np.arange(count)
    groups[~alone] = count + together
    return groups


def _entries(problem: Problem, groups: Ints) -> int:
    """Return how many entries the table has once the rows of each group are one."""
    count = int(groups.max()) + 1 if len(groups) else 0
    gather = scipy.sparse.csr_array(
        (np.ones(len(groups), np.int32), (groups, np.arange(len(groups)))),
        shape=(count, len(groups)),
    )
    return int((gather @ problem.rows.astype(np.int32)).nnz)


def _solve(
    problem: Problem,
    groups: Ints,
    start: Flags | None,
    time_limit_s: float,
    on_progress: Progress,
) -> MilpSolution:
    """Solve the model in which the rows of a group are one."""
    count = int(groups.max()) + 1 if len(groups) else 0
    columns = problem.masts + problem.moves
    weight = np.bincount(groups, weights=problem.weight, minlength=count).astype(np.float64)
    service = np.zeros(count, np.int64)
    service[groups] = problem.service
    gather = scipy.sparse.csr_array(
        (problem.weight, (groups, np.arange(len(groups)))), shape=(count, len(groups))
    )
    # In shares of the group's weight, so that numbers stay near 1.
    held = scipy.sparse.diags_array(1.0 / np.maximum(weight, 1e-300)) @ (
        gather @ problem.rows.astype(np.float64)
    )
    # Where all of a service must stay, every row must be covered: no share is left to choose.
    total = np.bincount(problem.service, weights=problem.weight, minlength=len(problem.target))
    all_stays = (problem.target >= total * (1.0 - 1e-12))[service]
    cover = scipy.sparse.hstack([held, -scipy.sparse.diags_array(1.0 - all_stays)])
    scale = np.maximum(problem.target, 1e-300)
    sums = scipy.sparse.csr_array(
        (weight / scale[service], (service, np.arange(count))), shape=(len(problem.target), count)
    )
    targets = scipy.sparse.hstack([scipy.sparse.csr_array((len(problem.target), columns)), sums])
    rules, least, most = _rules(problem)
    rules = scipy.sparse.hstack([rules, scipy.sparse.csr_array((rules.shape[0], count))])
    wanted = np.where(problem.target > 0.0, 1.0 - 1e-9, 0.0)
    size = max(float(np.abs(problem.cost).max(initial=0.0)), 1e-300)
    whole = np.zeros(columns + count, np.bool_)
    whole[:columns] = True
    known = None
    if start is not None:
        reached = np.minimum(held @ start.astype(np.float64), 1.0)
        known = np.concatenate([start.astype(np.float64), reached])
    found = minimise(
        np.concatenate([problem.cost / size, np.zeros(count)]),
        scipy.sparse.vstack([cover, targets, rules], format="csr"),
        np.concatenate([all_stays.astype(np.float64), wanted, least]),
        np.concatenate([np.full(count, np.inf), np.full(len(wanted), np.inf), most]),
        upper=np.ones(columns + count),
        is_whole=whole,
        time_limit_s=time_limit_s,
        start=known,
        on_progress=on_progress,
    )
    return MilpSolution(found.values, found.bound * size)


def _rules(problem: Problem) -> tuple[scipy.sparse.csr_array, Floats, Floats]:
    """Return the rows (3) to (6) with their bounds."""
    entries: list[tuple[int, int, float]] = []
    upper: list[float] = []

    def row(columns: list[int], values: list[float], most: float) -> None:
        entries.extend((len(upper), j, v) for j, v in zip(columns, values, strict=True))
        upper.append(most)

    first = problem.masts
    for key, most_of in ((problem.guest, True), (problem.host, False)):
        groups: dict[tuple[int, int], list[int]] = {}
        for v in range(problem.moves):
            groups.setdefault((int(key[v]), int(problem.operator[v])), []).append(first + v)
        for (mast, _), moves in groups.items():
            extra = [mast] if most_of else []
            row(moves + extra, [1.0] * (len(moves) + len(extra)), 1.0)
    for v in range(problem.moves):
        row([first + v, int(problem.host[v])], [1.0, -1.0], 0.0)
    for mast in np.unique(problem.host[problem.is_new]).tolist():
        come = (first + np.flatnonzero((problem.host == mast) & problem.is_new)).tolist()
        if len(come) > problem.rooms[mast]:
            row(come, [1.0] * len(come), float(problem.rooms[mast]))
    at, column, value = (
        (np.array(part) for part in zip(*entries, strict=True))
        if entries
        else (
            np.zeros(0, np.int64),
            np.zeros(0, np.int64),
            np.zeros(0),
        )
    )
    table = scipy.sparse.csr_array(
        (value, (at, column)), shape=(len(upper), problem.masts + problem.moves)
    )
    return table, np.full(len(upper), -math.inf), np.array(upper, np.float64)
