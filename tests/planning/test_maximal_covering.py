"""Bounds and branching of the most within a budget against enumeration and another solver."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.sites import plane
from planning import maximal_covering, sites
from planning.cover_table import Clock, merge
from planning.maximal_covering import MaximalCover


def problem(
    seed: int, *, columns: int = 9, rows: int = 40, cost: NDArray | None = None, share: float = 0.4
) -> MaximalCover:
    """Return a random question, none of whose columns is decided at once."""
    rng = np.random.default_rng(seed)
    table = rng.random((rows, columns)) < 0.3
    table[np.arange(rows), rng.integers(0, columns, rows)] = True
    group, merged = merge(scipy.sparse.csr_array(table))
    weight = np.bincount(group, rng.integers(1, 50, rows), merged.rows).astype(float)
    prices = rng.uniform(1.0, 9.0, columns) if cost is None else cost
    return MaximalCover(merged, weight, prices, share * prices.sum(), Clock(20.0, lambda _: None))


def choices(asked: MaximalCover) -> list[tuple[NDArray, float]]:
    """Return all choices within the budget, with the weight that each covers."""
    table = asked.full.matrix().toarray().astype(bool)
    found = []
    for bits in itertools.product([False, True], repeat=table.shape[1]):
        chosen = np.array(bits)
        if asked.full_cost[chosen].sum() <= asked.full_budget:
            found.append((chosen, asked.full_weight[table[:, chosen].any(axis=1)].sum()))
    return found


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 1.0))
def test_any_prices_prove_a_bound_and_what_is_decided(seed: int, share: float) -> None:
    asked = problem(seed)
    part = asked.open
    price = part.weight * np.random.default_rng(seed).random(part.table.rows)
    everything = choices(asked)
    most = max(weight for _, weight in everything)
    assert part.bound(price)[0] >= most - 1e-9
    below = share * most
    take, drop = part.decided(price, below)
    for chosen, weight in everything:
        if weight > below:
            assert chosen[take].all()
            assert not chosen[drop].any()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_prices_of_the_relaxation_prove_its_value(seed: int) -> None:
    part = problem(seed, columns=20, rows=80).open
    found = part.relaxed(10.0, Clock(10.0, lambda _: None))
    assert found is not None
    price, share = found
    rows, columns = part.table.rows, part.table.columns
    # The usual form: shares of columns, and of rows up to those of their columns.
    cover = scipy.sparse.hstack([-part.table.matrix(), scipy.sparse.eye_array(rows)])
    money = scipy.sparse.csr_array(np.concatenate([part.cost, np.zeros(rows)])[np.newaxis])
    usual = scipy.optimize.linprog(
        -np.concatenate([np.zeros(columns), part.weight]),
        scipy.sparse.vstack([cover, money]),
        np.append(np.zeros(rows), part.budget),
        bounds=(0.0, 1.0),
    )
    assert part.bound(price)[0] == pytest.approx(-usual.fun, rel=1e-7)
    assert share @ part.cost <= part.budget * (1.0 + 1e-7)
    reached = part.weight @ np.minimum(part.table.matrix() @ share, 1.0)
    assert reached == pytest.approx(-usual.fun, rel=1e-7)


@pytest.mark.parametrize("seed", range(4))
def test_branching_equals_enumeration(seed: int) -> None:
    asked = problem(seed, columns=13, rows=300, cost=np.ones(13) if seed % 2 else None)
    most = max(weight for _, weight in choices(asked))
    # Neither descent nor search nor fixing: all is left to the branching.
    asked.prepare()
    asked.branch()
    assert asked.best_weight == asked.bound == most


@pytest.mark.parametrize("limit_s", [0.0, 0.02, 0.2, 3.0])
def test_a_bound_holds_whenever_time_runs_out(limit_s: float) -> None:
    table, weight, cost = plane(24, 4_000, 4.0, same_cost=True, seed=8)
    table = table.toarray().astype(bool)
    most = max(
        weight[table[:, list(chosen)].any(axis=1)].sum()
        for chosen in itertools.combinations(range(24), 4)
    )
    choice = sites.maximal_cover(table, weight, cost, 4.0, time_limit_s=limit_s)
    assert choice.value <= most <= choice.bound
    if limit_s >= 3.0:
        assert choice.value == choice.bound == most


def test_a_goal_ends_the_branching_with_a_true_bound() -> None:
    table, weight, cost = plane(60, 6_000, 8.0, same_cost=True, seed=2)
    best = sites.maximal_cover(table, weight, cost, 6.0)
    assert best.gap == 0.0
    for goal in (best.value, best.value + 1.0, 1.002 * best.value):
        choice = sites.maximal_cover(table, weight, cost, 6.0, goal=goal)
        assert choice.value <= best.value <= choice.bound
        assert (choice.value >= goal) == (goal <= best.value)
        assert choice.value >= goal or choice.bound < goal


def test_large_discs_of_one_cost_are_decided() -> None:
    """The relaxation alone leaves a gap here: nothing is proven without branching."""
    table, weight, cost = plane(250, 30_000, 15.0, same_cost=True, seed=3)
    choice = sites.maximal_cover(table, weight, cost, 10.0, time_limit_s=20.0)
    assert choice.gap == 0.0
    group, merged = merge(table)
    some = group >= 0
    load = np.bincount(group[some], weight[some], merged.rows)
    asked = MaximalCover(merged, load, cost, 10.0, Clock(20.0, lambda _: None))
    found = asked.open.relaxed(20.0, asked.clock)
    assert found is not None
    assert asked.open.bound(found[0])[0] > 1.009 * choice.value


def test_whole_costs_use_whole_money() -> None:
    table, weight, cost = plane(60, 6_000, 8.0, same_cost=True, seed=2)
    whole = sites.maximal_cover(table, weight, 3.0 * cost, 18.0)
    more = sites.maximal_cover(table, weight, 3.0 * cost, 20.9)
    assert (more.value, more.bound) == (whole.value, whole.bound)
    assert more.columns.tolist() == whole.columns.tolist()
    everything = sites.maximal_cover(table, weight, cost, math.inf)
    assert everything.value == everything.bound


def test_a_table_too_large_for_the_relaxation_keeps_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, weight, cost = plane(60, 6_000, 8.0, same_cost=True, seed=2)
    best = sites.maximal_cover(table, weight, cost, 6.0)
    monkeypatch.setattr(maximal_covering, "_MOST_ENTRIES", 0)
    choice = sites.maximal_cover(table, weight, cost, 6.0, time_limit_s=3.0)
    assert 0.97 * best.value <= choice.value <= best.value <= choice.bound
    assert choice.gap <= 0.1
