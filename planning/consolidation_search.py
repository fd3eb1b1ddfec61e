"""A good choice of masts that go: all are taken away that may, then parts are chosen anew.

First every mast stays. One after another the mast goes on which least depends for the money
it saves, with its operators moving where that keeps more. Then, again and again, some masts
that went near each other come back, and others go in their place; what saves more is kept.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planning.consolidation_problem import Flags, Floats, Problem
from planning.kernels import sharing as kernels

Progress = Callable[[float], None]

#: Random choices are the same in every run.
_SEED = 1954

#: Masts near each other that are chosen anew together.
_NEIGHBOURS = 24


@dataclass
class _State:
    """Which masts stay and which moves are made, with the coverage that follows."""

    stays: Flags
    made: Flags
    rooms: NDArray[np.int64]
    count: NDArray[np.int32]
    covered: Floats
    cost: float


class Search:
    """A choice of masts that is improved in place.

    Parameters
    ----------
    problem
        The problem.
    xy_m
        Where the masts stand, shape (masts, 2). [m]
    """

    def __init__(self, problem: Problem, xy_m: Floats) -> None:
        self._problem = problem
        self._xy = xy_m
        table = problem.rows.tocsc()
        self._first = table.indptr.astype(np.int64)
        self._items = table.indices.astype(np.int32, copy=False)
        self._kind = problem.service.astype(np.int32)
        self._weight = problem.weight
        self._random = np.random.default_rng(_SEED)
        self._moves_of: list[dict[int, list[int]]] = [{} for _ in range(problem.masts)]
        self._moves_to: list[list[int]] = [[] for _ in range(problem.masts)]
        for v in range(problem.moves):
            own = self._moves_of[int(problem.guest[v])]
            own.setdefault(int(problem.operator[v]), []).append(v)
            self._moves_to[int(problem.host[v])].append(v)
        stays = np.ones(problem.masts, np.bool_)
        none = np.zeros(problem.moves, np.bool_)
        everything = np.concatenate([stays, none])
        count = (problem.rows[:, : problem.masts] @ np.ones(problem.masts, np.int32)).astype(
            np.int32
        )
        covered = problem.covered(everything)
        self._slack_0 = covered - problem.target
        self._scale = 1.0 / np.maximum(self._slack_0, 1e-3 * np.maximum(covered, 1e-9))
        self._state = _State(
            stays, none, problem.rooms.copy(), count, covered, float(problem.mast_cost.sum())
        )
        self._lost = np.zeros(len(problem.target))

    @property
    def cost(self) -> float:
        """Cost of the present choice."""
        return self._state.cost

    @property
    def chosen(self) -> Flags:
        """The present choice: flags of masts, then of moves."""
        return np.concatenate([self._state.stays, self._state.made])

    def run(self, time_left: Callable[[], float], limit_s: float, on_progress: Progress) -> None:
        """Take masts away, then improve until the time is over.

        Parameters
        ----------
        time_left
            Returns how much time is left. [s]
        limit_s
            All of it. [s]
        on_progress
            Called with the finished share; may raise `CancelledError`.
        """
        masts = list(range(self._problem.masts))
        self._take_away(masts, noise=0.0, on_progress=lambda share: on_progress(0.3 * share))
        began = max(time_left(), 1e-9)
        stale, most_stale = 0, 40 * max(1, self._problem.masts)
        while time_left() > 0.0 and stale < most_stale:
            before = self.cost
            if not self._choose_anew():
                break
            stale = 0 if self.cost < before - 1e-9 * abs(before) else stale + 1
            on_progress(0.3 + 0.7 * (1.0 - max(time_left(), 0.0) / began))

    # ------------------------------------------------------------------------------------

    def _add(self, column: int) -> None:
        kernels.add(
            self._first, self._items, self._kind, self._weight, column, self._state.count,
            self._state.covered,
        )  # fmt: skip

    def _remove(self, column: int) -> None:
        kernels.remove(
            self._first, self._items, self._kind, self._weight, column, self._state.count,
            self._state.covered,
        )  # fmt: skip

    def _worth(self, column: int) -> float:
        return float(
            kernels.worth(
                self._first, self._items, self._kind, self._weight, self._scale, column,
                self._state.count, self._lost,
            )
        )  # fmt: skip

    def _may_go(self, mast: int) -> bool:
        """Return whether the mast stays and nobody has moved to it."""
        state = self._state
        return bool(state.stays[mast]) and not any(state.made[v] for v in self._moves_to[mast])

    def _may_come(self, move: int) -> bool:
        state, problem = self._state, self._problem
        host = int(problem.host[move])
        if not state.stays[host] or (problem.is_new[move] and state.rooms[host] <= 0):
            return False
        return not any(
            state.made[v] and problem.operator[v] == problem.operator[move]
            for v in self._moves_to[host]
        )

    def _make(self, move: int) -> None:
        self._state.made[move] = True
        self._state.cost += float(self._problem.move_cost[move])
        if self._problem.is_new[move]:
            self._state.rooms[self._problem.host[move]] -= 1
        self._add(self._problem.masts + move)

    def _unmake(self, move: int) -> None:
        self._state.made[move] = False
        self._state.cost -= float(self._problem.move_cost[move])
        if self._problem.is_new[move]:
            self._state.rooms[self._problem.host[move]] += 1
        self._remove(self._problem.masts + move)

    def _leave(self, mast: int) -> None:
        self._state.stays[mast] = False
        self._state.cost -= float(self._problem.mast_cost[mast])
        self._remove(mast)

    def _return(self, mast: int) -> None:
        """Put a mast back; its operators come back to it."""
        for moves in self._moves_of[mast].values():
            for v in moves:
                if self._state.made[v]:
                    self._unmake(v)
        self._state.stays[mast] = True
        self._state.cost += float(self._problem.mast_cost[mast])
        self._add(mast)

    def _keeps_targets(self) -> bool:
        target = self._problem.target
        return bool((self._state.covered >= target - 1e-9 * np.maximum(target, 1e-3)).all())

    # ------------------------------------------------------------------------------------

    def _options(self, mast: int) -> list[list[int]]:
        """Return the ways in which a mast's operators can move; at first, that none does."""
        found: list[list[int]] = [[]]
        for moves in self._moves_of[mast].values():
            possible = [v for v in moves if self._may_come(v)]
            found += [[*way, v] for way in found for v in possible if self._fits([*way, v])][:12]
        return found

    def _fits(self, way: list[int]) -> bool:
        """Return whether the receiving masts have places for all that come together."""
        problem = self._problem
        come: dict[int, int] = {}
        for v in way:
            host = int(problem.host[v])
            come[host] = come.get(host, 0) + int(problem.is_new[v])
        return all(count <= max(0, self._state.rooms[host]) for host, count in come.items())

    def _score(self, mast: int, way: list[int]) -> float:
        """Return what depends on a mast for the money that it saves; inf if it must stay."""
        saves = float(self._problem.mast_cost[mast]) - float(self._problem.move_cost[way].sum())
        if saves <= 0.0:
            return np.inf
        for v in way:
            self._add(self._problem.masts + v)
        worth = self._worth(mast)
        short = self._state.covered - self._lost < self._problem.target - 1e-9 * np.maximum(
            self._problem.target, 1e-3
        )
        for v in way:
            self._remove(self._problem.masts + v)
        return np.inf if short.any() else worth / saves

    def _best_way(self, mast: int) -> tuple[float, list[int]]:
        if not self._may_go(mast):
            return np.inf, []
        ways = [(self._score(mast, way), way) for way in self._options(mast)]
        return min(ways, key=lambda item: item[0])

    def _take_away(
        self, masts: list[int], *, noise: float, on_progress: Progress = lambda _: None
    ) -> None:
        """Take away those masts that may go, least depended on first."""
        heap: list[tuple[float, int]] = []
        spread = np.exp(noise * self._random.standard_normal(len(masts)))
        factor = dict(zip(masts, spread.tolist(), strict=True))
        for mast in masts:
            score, _ = self._best_way(mast)
            if np.isfinite(score):
                heap.append((score * factor[mast], mast))
        heapq.heapify(heap)
        total = max(1, len(heap))
        while heap:
            _, mast = heapq.heappop(heap)
            score, way = self._best_way(mast)
            if not np.isfinite(score):
                on_progress(1.0 - len(heap) / total)
                continue
            score *= factor[mast]
            if heap and score > heap[0][0] * (1.0 + 1e-12):
                heapq.heappush(heap, (score, mast))
                continue
            for v in way:
                self._make(v)
            self._leave(mast)
            on_progress(1.0 - len(heap) / total)

    def _choose_anew(self) -> bool:
        """Choose a part anew and keep it where it costs no more; False if nothing is away."""
        gone = np.flatnonzero(~self._state.stays)
        if not len(gone):
            return False
        centre = self._xy[gone[self._random.integers(len(gone))]]
        distance = np.hypot(*(self._xy - centre).T)
        near = np.argsort(distance, kind="stable")[:_NEIGHBOURS]
        away = near[~self._state.stays[near]]
        back = self._random.permutation(away)[: int(self._random.integers(1, 7))]
        stays, made = self._state.stays.copy(), self._state.made.copy()
        before = self.cost
        for mast in back.tolist():
            self._return(mast)
        self._take_away(self._random.permutation(near).tolist(), noise=0.5)
        if self.cost <= before + 1e-9 * abs(before) and self._keeps_targets():
            return True
        self._restore(stays, made)
        return True

    def _restore(self, stays: Flags, made: Flags) -> None:
        """Go back to an earlier choice."""
        state = self._state
        for v in np.flatnonzero(state.made & ~made).tolist():
            self._unmake(v)
        for mast in np.flatnonzero(stays & ~state.stays).tolist():
            self._return(mast)
        for v in np.flatnonzero(made & ~state.made).tolist():
            self._make(v)
        for mast in np.flatnonzero(~stays & state.stays).tolist():
            self._leave(mast)
