"""Covering a share at least cost, order, curve and years: against enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.sites import plane
from data.errors import CancelledError, InputError
from planning import sites, siting_choice
from planning.target_cover import partial_cover


def problem(seed: int, whole: bool = False):
    rng = np.random.default_rng(seed)
    columns, rows = int(rng.integers(1, 8)), int(rng.integers(2, 25))
    table = rng.random((rows, columns)) < 0.35
    weight = rng.integers(1, 10, rows).astype(float)
    cost = (rng.integers(0, 4, columns) if whole else rng.uniform(1, 5, columns)).astype(float)
    return table, weight, cost, rng


def reached(table, weight, chosen) -> float:
    return float(weight[table[:, list(chosen)].any(axis=1)].sum())


def subsets(count: int):
    return itertools.chain.from_iterable(
        itertools.combinations(range(count), size) for size in range(count + 1)
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.floats(0.01, 1.0))
def test_a_share_at_least_cost_equals_enumeration(seed, whole, part) -> None:
    table, weight, cost, _ = problem(seed, whole)
    target = part * reached(table, weight, range(len(cost)))
    best = min(
        cost[list(chosen)].sum()
        for chosen in subsets(len(cost))
        if reached(table, weight, chosen) >= target * (1.0 - 1e-9)
    )
    found = partial_cover(table, weight, cost, target, time_limit_s=5.0)
    assert found.value == pytest.approx(best)
    assert found.bound == pytest.approx(best)
    assert found.gap == 0.0
    assert reached(table, weight, found.columns) >= target * (1.0 - 1e-9)
    assert cost[found.columns].sum() == pytest.approx(found.cost)


@pytest.mark.parametrize("unit", [1.0, 7.0])
def test_whole_costs_ask_about_each_sum_once(unit: float, monkeypatch: pytest.MonkeyPatch) -> None:
    table, weight, cost = plane(60, 4_000, 8.0, same_cost=True, seed=2)
    asked = []
    question = sites.maximal_cover

    def noted(*given, **named):
        asked.append(given[3])
        return question(*given, **named)

    monkeypatch.setattr(sites, "maximal_cover", noted)
    found = partial_cover(table, weight, unit * cost, 0.5 * weight.sum())
    assert found.gap == 0.0
    assert found.value - unit in asked
    assert [money % unit for money in asked] == [0.0] * len(asked)
    assert len(set(asked)) == len(asked)


def test_without_time_the_bound_still_holds() -> None:
    table, weight, cost, _ = problem(3)
    target = 0.7 * reached(table, weight, range(len(cost)))
    best = partial_cover(table, weight, cost, target).value
    quick = partial_cover(table, weight, cost, target, time_limit_s=0.0)
    assert reached(table, weight, quick.columns) >= target * (1.0 - 1e-9)
    assert quick.bound <= best <= quick.value


def test_what_cannot_be_reached_is_said() -> None:
    with pytest.raises(InputError, match="less than the target"):
        partial_cover([[1, 0], [0, 1]], [2.0, 3.0], [1.0, 1.0], 5.1)
    for wrong in (-1.0, math.nan, math.inf):
        with pytest.raises(InputError):
            partial_cover([[1]], [1.0], [1.0], wrong)
    assert partial_cover([[1]], [1.0], [1.0], 0.0).columns.tolist() == []
    # What costs nothing is enough at once.
    assert partial_cover([[1]], [1.0], [0.0], 1.0, time_limit_s=1e9).gap == 0.0


def test_it_can_be_cancelled() -> None:
    def stop(_: float) -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        partial_cover([[1, 0], [0, 1]], [2.0, 3.0], [1.0, 1.5], 2.5, on_progress=stop)


def test_gains_in_order_add_up() -> None:
    table, weight, cost, _ = problem(5)
    patterns, load = sites.merged_demand(table, weight)
    order = siting_choice.in_order(patterns, load, cost, np.arange(len(cost)))
    assert sorted(order["column"]) == list(range(len(cost)))
    for step in range(1, len(order) + 1):
        first = order["column"][:step]
        assert order["total_gain"][step - 1] == pytest.approx(reached(table, weight, first))
    assert order["total_cost"].iloc[-1] == pytest.approx(cost.sum())
    for row in order.itertuples():
        assert row.alone == pytest.approx(reached(table, weight, [row.column]))
        assert row.gain <= row.alone + 1e-9


def test_the_curve_is_what_each_budget_reaches() -> None:
    table, weight, cost, _ = problem(7)
    patterns, load = sites.merged_demand(table, weight)
    budgets = [0.0, 0.4 * cost.sum(), cost.sum()]
    curve = siting_choice.curve(patterns, load, cost, budgets)
    for row in curve.itertuples():
        best = max(
            reached(table, weight, chosen)
            for chosen in subsets(len(cost))
            if cost[list(chosen)].sum() <= row.budget * (1.0 + 1e-9)
        )
        assert row.gain == pytest.approx(best)
        assert row.bound == pytest.approx(best)
    assert curve["gain"].is_monotonic_increasing


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_years_equal_enumeration(seed) -> None:
    table, weight, cost, rng = problem(seed)
    table, cost = table[:, :5], cost[:5]
    years = int(rng.integers(1, 4))
    budgets = rng.uniform(0.0, 5.0, years)
    until = np.cumsum(budgets)
    best = 0.0
    for plan in itertools.product(range(-1, years), repeat=len(cost)):
        when = np.array(plan)
        by = [(when >= 0) & (when <= year) for year in range(years)]
        if all(cost[built].sum() <= most for built, most in zip(by, until, strict=True)):
            best = max(best, sum(reached(table, weight, np.flatnonzero(built)) for built in by))
    patterns, load = sites.merged_demand(table, weight)
    found = siting_choice.by_year(patterns, load, cost, np.arange(len(cost)), budgets)
    assert found.value == pytest.approx(best)
    assert found.gap == 0.0
    assert np.all(np.cumsum(found.spent) <= until * (1.0 + 1e-9))
    assert np.all(np.diff(found.covered) >= 0.0)


@pytest.mark.parametrize("budgets", [[], [-1.0], [math.nan], [[1.0]]])
def test_years_need_budgets(budgets) -> None:
    patterns, load = sites.merged_demand([[1]], [1.0])
    with pytest.raises(InputError):
        siting_choice.by_year(patterns, load, np.ones(1), [0], budgets)
