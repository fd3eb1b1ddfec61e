"""Capacitated location: which places to open and who goes where, with a proven bound.

Minimise the cost of open places, of their boxes of ports and of the ways to them, such
that every home goes to one open place and no place has more homes than ports:

    min  Σ_j (f_j y_j + b s_j) + Σ_ij c_ij x_ij + P Σ_i d_i u_i
    s.t. Σ_j x_ij + u_i = 1,   x_ij ≤ y_j,   Σ_i d_i x_ij ≤ p s_j,   s_j ≤ S y_j

with y (open), x (assigned), u (left out) 0 or 1, s (boxes) whole, d the ports that a
home needs and P so large that nobody is left out who could be served. The bound relaxes
the first line (Lagrange); what is left falls apart by places and is solved exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from planning.kernels import facilities as kernels
from planning.milp import minimise

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Random choices are the same in every run.
_SEED = 1963

#: Pairs of home and place up to which HiGHS gets the whole problem.
MOST_PAIRS = 6_000


@dataclass(frozen=True, eq=False)
class Task:
    """Homes, places and what serving costs.

    Parameters
    ----------
    demand
        Ports that each home needs, at least 1, shape (homes,).
    first, place, price
        Home i may use the places ``place[first[i]:first[i + 1]]`` at those prices, cheapest
        first.
    fixed
        Cost of opening each place, shape (places,).
    per_box, ports, boxes
        Cost of a box, its ports, and how many a place holds.
    penalty
        Per port of a home that is left out.
    way
        The most that joining a place to the network may cost; the penalty is above it.
    """

    demand: Ints
    first: Ints
    place: Ints
    price: Floats
    fixed: Floats
    per_box: float
    ports: int
    boxes: int
    penalty: float
    way: float = 0.0

    @staticmethod
    def of(
        demand: Ints,
        pairs: tuple[Ints, Ints, Floats],
        fixed: Floats,
        *,
        per_box: float,
        ports: int,
        boxes: int,
        way: float = 0.0,
    ) -> Task:
        """Put pairs of home, place and price into order.

        Parameters
        ----------
        demand, fixed, per_box, ports, boxes, way
            As above.
        pairs
            Home, place and price of each pair.
        """
        home, place, price = pairs
        order = np.lexsort((place, price, home))
        home, place, price = home[order], place[order], price[order]
        first = np.searchsorted(home, np.arange(len(demand) + 1))
        dearest = float(fixed.max(initial=0.0)) + boxes * per_box + way
        dearest += float(price.max(initial=0.0))
        return Task(
            demand.astype(np.int64),
            first.astype(np.int64),
            place.astype(np.int64),
            price.astype(np.float64),
            fixed.astype(np.float64),
            float(per_box),
            int(ports),
            int(boxes),
            2.0 * dearest + 1.0,
            float(way),
        )

    def with_extra(self, extra: Floats) -> Task:
        """Return the task with places that cost more."""
        return replace(self, fixed=self.fixed + extra)

    def only(self, opened: NDArray[np.bool_]) -> tuple[Task, Ints]:
        """Return the task with some places only, and the slot that each of its slots was."""
        slots = np.flatnonzero(opened[self.place])
        first = np.searchsorted(slots, self.first)
        return replace(
            self, first=first.astype(np.int64), place=self.place[slots], price=self.price[slots]
        ), slots

    def relaxed(self) -> Task:
        """Return the task for bounds to which one of joining all homes is added.

        Such a bound counts the way to a home that is left out, for which its penalty pays.
        """
        return replace(self, penalty=self.penalty - self.way)

    @property
    def home(self) -> Ints:
        """Home of each pair."""
        return np.repeat(np.arange(len(self.demand)), np.diff(self.first))

    def by_place(self) -> tuple[Ints, Ints, Ints]:
        """Return where each place's pairs begin, their homes and their slots."""
        order = np.lexsort((self.home, self.place))
        begin = np.searchsorted(self.place[order], np.arange(len(self.fixed) + 1))
        return begin.astype(np.int64), self.home[order].astype(np.int64), order.astype(np.int64)

    def cost(self, chosen: Ints) -> float:
        """Return the cost of an assignment (a slot per home, -1: left out)."""
        served = chosen >= 0
        load = np.bincount(
            self.place[chosen[served]],
            weights=self.demand[served].astype(float),
            minlength=len(self.fixed),
        ).astype(np.int64)
        boxes = -(-load // self.ports)
        parts = [
            *self.price[chosen[served]].tolist(),
            *self.fixed[load > 0].tolist(),
            self.per_box * int(boxes.sum()),
            self.penalty * int(self.demand[~served].sum()),
        ]
        return math.fsum(parts)


@dataclass(frozen=True, eq=False)
class Location:
    """An assignment, and a proven bound of the cost of all assignments.

    Parameters
    ----------
    chosen
        Slot of each home in the task's `place`, -1 for homes left out.
    cost
        Its cost, with the penalty for homes left out.
    bound
        No assignment costs less.
    """

    chosen: Ints
    cost: float
    bound: float


def bound(
    task: Task,
    target: float,
    *,
    paid: Floats | None = None,
    steps: int = 2000,
    on_progress: Callable[[float], None] = lambda _: None,
    in_time: Callable[[], bool] = lambda: True,
) -> tuple[float, Floats, Floats]:
    """Return the Lagrangian bound, the prices that give it, and the worth of each place.

    Parameters
    ----------
    task
        The task.
    target
        Cost of a known assignment.
    paid
        Prices to start from.
    steps
        How many steps to make.
    on_progress
        Called with the share done.
    in_time
        Asked between steps whether to go on.

    Returns
    -------
    bound, paid, worth
        No assignment costs less than `bound`; a place of positive worth raises it by
        that much if it is open, one of negative worth if it is closed.
    """
    begin, home, slot = task.by_place()
    price = task.price[slot]
    if paid is None:
        # At first a home offers its cheapest way and its share of a full place.
        share = (task.fixed.mean() if len(task.fixed) else 0.0) / (task.ports * task.boxes)
        cheapest = np.full(len(task.demand), 0.0)
        some = np.diff(task.first) > 0
        cheapest[some] = task.price[task.first[:-1][some]]
        paid = cheapest + (share + task.per_box / task.ports) * task.demand
    paid = np.minimum(paid, task.penalty * task.demand)
    best_paid, worth = paid.copy(), np.zeros(len(task.fixed))
    best, pace, stale = -math.inf, 0.5, 0
    size = len(home) + len(paid) + 1
    at_once = int(np.clip(2_000_000 // size, 1, 100))
    for done in range(0, steps, at_once):
        best, pace, stale = kernels.lower_places(
            task.demand,
            begin,
            home,
            price,
            task.fixed,
            task.per_box,
            task.ports,
            task.boxes,
            task.penalty,
            paid,
            best_paid,
            worth,
            best,
            target * 1.002,
            pace,
            stale,
            at_once,
        )
        on_progress(done / steps)
        if pace < 1e-4 or best >= target or not in_time():
            break
    return best - 1e-9 * abs(best), best_paid, worth


def nearest(task: Task, opened: NDArray[np.bool_]) -> Ints:
    """Return an assignment to open places: big homes first, each to its cheapest with room."""
    chosen = np.full(len(task.demand), -1, dtype=np.int64)
    room = np.where(opened, task.ports * task.boxes, 0)
    width = np.diff(task.first)
    for i in np.lexsort((np.arange(len(width)), width, -task.demand)).tolist():
        for slot in range(int(task.first[i]), int(task.first[i + 1])):
            if room[task.place[slot]] >= task.demand[i]:
                chosen[i] = slot
                room[task.place[slot]] -= task.demand[i]
                break
    return chosen


def anneal(task: Task, start: Ints, *, moves: int, seed: int = _SEED, warm: bool = False) -> Ints:
    """Return a better assignment, found by annealing.

    Parameters
    ----------
    task
        The task.
    start
        Assignment to begin with.
    moves
        How many changes to try.
    seed
        For the random choices.
    warm
        Whether to begin with little heat, to refine what is good already.

    Returns
    -------
    NDArray
        A slot per home, never a dearer assignment.
    """
    if not len(task.demand) or not len(task.place):
        return start
    begin, home, slot = task.by_place()
    chosen = start.copy()
    size = float(np.median(task.fixed)) + task.per_box
    kernels.anneal_places(
        task.demand,
        task.first,
        task.place,
        task.price,
        begin,
        home,
        slot,
        task.fixed,
        task.per_box,
        task.ports,
        task.boxes,
        task.penalty,
        chosen,
        max((0.03 if warm else 0.3) * size, 1e-9),
        max(0.002 * size, 1e-10),
        moves,
        seed,
    )
    return chosen if task.cost(chosen) < task.cost(start) else start


def solve_exactly(
    task: Task,
    known: Location,
    *,
    time_limit_s: float,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Location:
    """Let HiGHS improve an assignment and its bound.

    Parameters
    ----------
    task
        The task.
    known
        Assignment and bound so far.
    time_limit_s
        Time for it. [s]
    on_progress
        Called with the share of the time used; may raise `CancelledError`.

    Returns
    -------
    Location
        The better of both, and the better bound.
    """
    homes, places, pairs = len(task.demand), len(task.fixed), len(task.place)
    home, place = task.home, task.place
    scale = max(task.per_box, float(task.fixed.mean()) if places else 0.0, 1e-9)
    # Columns: x (pairs), u (homes), y (places), s (places).
    width = pairs + homes + 2 * places
    at_y, at_s = pairs + homes, pairs + homes + places
    number = np.arange(pairs)
    demand = task.demand[home].astype(float)
    table = scipy.sparse.coo_array(
        (
            np.concatenate(
                [
                    np.ones(pairs + homes),
                    np.ones(pairs),
                    -np.ones(pairs),
                    demand,
                    np.full(places, -float(task.ports)),
                    np.ones(places),
                    np.full(places, -float(task.boxes)),
                ]
            ),
            (
                np.concatenate(
                    [
                        home,
                        np.arange(homes),
                        homes + number,
                        homes + number,
                        homes + pairs + place,
                        homes + pairs + np.arange(places),
                        homes + pairs + places + np.arange(places),
                        homes + pairs + places + np.arange(places),
                    ]
                ),
                np.concatenate(
                    [
                        number,
                        pairs + np.arange(homes),
                        number,
                        at_y + place,
                        number,
                        at_s + np.arange(places),
                        at_s + np.arange(places),
                        at_y + np.arange(places),
                    ]
                ),
            ),
        ),
        shape=(homes + pairs + 2 * places, width),
    )
    rows = table.shape[0]
    lower, upper = np.full(rows, -np.inf), np.zeros(rows)
    lower[:homes] = upper[:homes] = 1.0
    cost = np.concatenate(
        [
            task.price,
            task.penalty * task.demand,
            task.fixed,
            np.full(places, task.per_box),
        ]
    )
    start = np.zeros(width)
    served = np.flatnonzero(known.chosen >= 0)
    start[known.chosen[served]] = 1.0
    start[pairs + np.flatnonzero(known.chosen < 0)] = 1.0
    load = np.bincount(
        task.place[known.chosen[served]],
        weights=task.demand[served].astype(float),
        minlength=places,
    )
    start[at_y:at_s] = load > 0
    start[at_s:] = np.ceil(load / task.ports)
    most = np.concatenate([np.ones(at_s), np.full(places, float(task.boxes))])
    found = minimise(
        cost / scale,
        table.tocsr(),
        lower,
        upper,
        upper=most,
        is_whole=np.ones(width, dtype=bool),
        time_limit_s=time_limit_s,
        start=start,
        on_progress=on_progress,
    )
    chosen, total = known.chosen, known.cost
    if found.values is not None:
        mine = np.full(homes, -1, dtype=np.int64)
        taken = np.flatnonzero(found.values[:pairs] > 0.5)
        mine[home[taken]] = taken
        if _fits(task, mine) and task.cost(mine) < total:
            chosen, total = mine, task.cost(mine)
    lower_bound = known.bound
    if found.bound > -math.inf:
        lower_bound = max(lower_bound, found.bound * scale * (1.0 - 1e-7))
    return Location(chosen, total, min(lower_bound, total))


def _fits(task: Task, chosen: Ints) -> bool:
    served = chosen >= 0
    load = np.bincount(
        task.place[chosen[served]],
        weights=task.demand[served].astype(float),
        minlength=len(task.fixed),
    )
    return bool(np.all(load <= task.ports * task.boxes))
