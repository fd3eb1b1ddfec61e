"""Which masts may go, against all choices there are."""

import itertools
import math

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from planning import consolidation, consolidation_problem
from planning.consolidation_problem import Problem
from planning.consolidation_search import Search


def random_problem(seed: int, keep: float, masts: int = 5, moves: int = 4) -> Problem:
    """Return a small problem in which every row is covered by a mast."""
    random = np.random.default_rng(seed)
    rows, services = 24, 2
    table = random.random((rows, masts + moves)) < 0.35
    table[np.arange(rows), random.integers(0, masts, rows)] = True
    service = random.integers(0, services, rows)
    weight = random.integers(1, 9, rows).astype(float)
    guest = random.integers(0, masts, moves)
    host = (guest + random.integers(1, masts, moves)) % masts
    total = np.bincount(service, weights=weight, minlength=services)
    return Problem(
        scipy.sparse.csr_array(table),
        weight,
        service,
        random.integers(0, 4, rows),
        total * keep,
        random.integers(1, 9, masts).astype(float),
        random.integers(0, 4, moves).astype(float),
        guest,
        host,
        random.integers(0, 2, moves),
        random.random(moves) < 0.7,
        random.integers(0, 2, masts),
    )


def cheapest(problem: Problem) -> float:
    """Return the least cost by trying every choice."""
    best = math.inf
    count = problem.masts + problem.moves
    for bits in itertools.product((False, True), repeat=count):
        chosen = np.array(bits)
        cost = float(problem.cost[chosen].sum())
        if cost < best and problem.allows(chosen):
            best = cost
    return best


def places(problem: Problem) -> np.ndarray:
    return np.column_stack([np.arange(problem.masts) * 100.0, np.zeros(problem.masts)])


@pytest.mark.parametrize("keep", [1.0, 0.9, 0.6])
@pytest.mark.parametrize("seed", range(4))
def test_the_choice_is_the_best_of_all(seed, keep) -> None:
    problem = consolidation_problem.merged(random_problem(seed, keep))
    choice = consolidation.choose(problem, places(problem), time_limit_s=10.0)
    best = cheapest(problem)
    assert problem.allows(choice.chosen)
    assert choice.cost == pytest.approx(float(problem.cost[choice.chosen].sum()))
    assert choice.cost == pytest.approx(best)
    assert choice.bound == pytest.approx(best, rel=1e-5)


@given(seed=st.integers(0, 10_000), keep=st.sampled_from([1.0, 0.95, 0.7]))
@settings(max_examples=25, deadline=None)
def test_the_bound_of_blocks_is_below_every_choice(seed, keep) -> None:
    problem = consolidation_problem.merged(random_problem(seed, keep, masts=4, moves=3))
    best = cheapest(problem)
    for entries in (0, 12, 40):
        bound = consolidation_problem.bound(
            problem, entries, time_limit_s=5.0, on_progress=lambda _: None
        )
        assert bound <= best + 1e-6 * max(1.0, abs(best))


@given(seed=st.integers(0, 10_000), keep=st.sampled_from([1.0, 0.8]))
@settings(max_examples=25, deadline=None)
def test_the_search_alone_is_allowed_and_counts_right(seed, keep) -> None:
    problem = consolidation_problem.merged(random_problem(seed, keep))
    search = Search(problem, places(problem))
    calls = iter(range(60))
    search.run(lambda: 50.0 - next(calls, 60), 50.0, lambda _: None)
    assert problem.allows(search.chosen)
    assert search.cost == pytest.approx(float(problem.cost[search.chosen].sum()))
    assert search.cost <= problem.mast_cost.sum() + 1e-9
    assert np.allclose(search._state.covered, problem.covered(search.chosen))


def test_merging_rows_changes_nothing() -> None:
    problem = random_problem(3, 0.8)
    twice = Problem(
        scipy.sparse.vstack([problem.rows, problem.rows], format="csr"),
        np.concatenate([problem.weight, problem.weight]),
        np.concatenate([problem.service, problem.service]),
        np.concatenate([problem.block, problem.block]),
        2.0 * problem.target,
        problem.mast_cost,
        problem.move_cost,
        problem.guest,
        problem.host,
        problem.operator,
        problem.is_new,
        problem.rooms,
    )
    merged = consolidation_problem.merged(twice)
    assert len(merged.weight) <= len(problem.weight)
    for bits in itertools.product((False, True), repeat=5):
        chosen = np.array([*bits, False, False, False, False])
        assert np.allclose(merged.covered(chosen), twice.covered(chosen))


def test_a_large_problem_is_searched_beside_a_bound(monkeypatch) -> None:
    """With the exact model out of reach the choice is still allowed and the bound proven."""
    problem = consolidation_problem.merged(random_problem(5, 0.9))
    best = cheapest(problem)
    monkeypatch.setattr(consolidation_problem, "MOST_EXACT", 0)
    choice = consolidation.choose(problem, places(problem), time_limit_s=2.0)
    assert problem.allows(choice.chosen)
    assert choice.bound - 1e-6 <= best <= choice.cost + 1e-6
