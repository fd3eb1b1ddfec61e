"""Choice of sites against enumeration, known optima and laws."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.sites import OPTIMA, plane, read_or_library
from data.errors import CancelledError, InputError
from planning.sites import SiteChoice, maximal_cover, set_cover
from tests.vectors import shared_path


def subsets(count: int) -> itertools.chain[tuple[int, ...]]:
    return itertools.chain.from_iterable(
        itertools.combinations(range(count), size) for size in range(count + 1)
    )


def cheapest(table: NDArray, cost: NDArray) -> float:
    """Return the least cost of a set cover by trying all choices."""
    return min(
        sum(cost[list(chosen)])
        for chosen in subsets(table.shape[1])
        if table[:, list(chosen)].any(axis=1).all()
    )


def most(table: NDArray, weight: NDArray, cost: NDArray, budget: float) -> float:
    """Return the most weight within the budget by trying all choices."""
    return max(
        weight[table[:, list(chosen)].any(axis=1)].sum()
        for chosen in subsets(table.shape[1])
        if sum(cost[list(chosen)]) <= budget * (1.0 + 1e-9)
    )


FIGURES = st.sampled_from(
    [
        st.just(1.0),
        st.integers(0, 5).map(float),
        st.floats(0.0, 100.0),
        st.floats(0.0, 1e-6),
        st.integers(0, 10**9).map(float),
    ]
)


@st.composite
def tables(draw: st.DrawFn, *, full: bool) -> tuple[NDArray, NDArray, NDArray]:
    """Membership, weights and costs; with `full`, every row has a column."""
    rows, columns = draw(st.integers(0, 14)), draw(st.integers(1, 7))
    share = draw(st.sampled_from([0.15, 0.3, 0.6]))
    table = np.array(
        [[draw(st.floats(0.0, 1.0)) < share for _ in range(columns)] for _ in range(rows)],
        dtype=bool,
    ).reshape(rows, columns)
    if full:
        for row in table:
            row[draw(st.integers(0, columns - 1))] = True
    one, other = draw(FIGURES), draw(FIGURES)
    weight = np.array([draw(one) for _ in range(rows)])
    return table, weight, np.array([draw(other) for _ in range(columns)])


def check_set_cover(choice: SiteChoice, table: Any, cost: NDArray) -> None:
    """Assert that all rows are covered and that the figures are those of the columns."""
    chosen = np.zeros(table.shape[1], bool)
    chosen[choice.columns] = True
    assert np.all(table @ chosen.astype(float) > 0)
    assert choice.value == choice.cost == math.fsum(cost[chosen])
    assert 0.0 <= choice.bound <= choice.value
    assert sorted(set(choice.columns.tolist())) == choice.columns.tolist()


@settings(max_examples=150, deadline=None)
@given(tables(full=True))
def test_set_cover_equals_enumeration(problem: tuple[NDArray, NDArray, NDArray]) -> None:
    table, _, cost = problem
    choice = set_cover(scipy.sparse.csr_array(table), cost)
    check_set_cover(choice, table, cost)
    optimum = cheapest(table, cost)
    assert choice.value == pytest.approx(optimum, rel=1e-6)
    assert choice.bound <= optimum * (1.0 + 1e-6)
    assert choice.gap <= 1e-6


@settings(max_examples=150, deadline=None)
@given(tables(full=False), st.floats(0.0, 1.2))
def test_maximal_cover_equals_enumeration(
    problem: tuple[NDArray, NDArray, NDArray], share: float
) -> None:
    table, weight, cost = problem
    budget = share * float(cost.sum())
    choice = maximal_cover(scipy.sparse.csc_array(table), weight, cost, budget)
    optimum = most(table, weight, cost, budget)
    served = table[:, choice.columns].any(axis=1)
    assert choice.value == math.fsum(weight[served])
    assert choice.cost == math.fsum(cost[choice.columns])
    assert choice.cost <= budget * (1.0 + 1e-8)
    assert choice.value == pytest.approx(optimum, rel=1e-6)
    assert choice.bound >= optimum * (1.0 - 1e-6)
    assert choice.value <= choice.bound
    assert choice.gap <= 1e-6
    assert choice.uncovered_rows == np.count_nonzero(~table.any(axis=1))


@pytest.mark.parametrize("name", OPTIMA)
def test_known_optima(name: str) -> None:
    table, cost = read_or_library(Path(shared_path(f"vectors/opt/setcover/{name}.txt")))
    limit_s = 20.0 if name == "scp41" else 4.0
    choice = set_cover(table, cost, time_limit_s=limit_s)
    check_set_cover(choice, table, cost)
    assert choice.bound <= OPTIMA[name] <= choice.value
    # A busy machine may not finish; the answer itself is found early.
    assert choice.value <= 1.01 * OPTIMA[name]
    assert choice.bound >= 0.8 * OPTIMA[name]


@pytest.mark.parametrize(("cover", "share"), [(4.0, 0.05), (10.0, 0.03)])
def test_many_rows_are_merged_and_decided(cover: float, share: float) -> None:
    table, weight, cost = plane(1000, 150_000, cover)
    budget = share * cost.sum()
    choice = maximal_cover(table, weight, cost, budget, time_limit_s=10.0)
    served = (table[:, choice.columns].sum(axis=1)) > 0
    assert choice.value == weight[served].sum()
    assert choice.cost <= budget
    assert choice.gap <= 0.01


def test_many_rows_are_all_covered_at_nearly_least_cost() -> None:
    table, _, cost = plane(1000, 150_000, 10.0)
    table = table[np.diff(table.indptr) > 0]
    choice = set_cover(table, cost, time_limit_s=10.0)
    check_set_cover(choice, table, cost)
    assert choice.gap <= 0.01


def test_order_of_rows_and_columns_changes_no_value() -> None:
    table, weight, cost = plane(40, 2_000, 5.0, seed=3)
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(2_000), rng.permutation(40)
    one = maximal_cover(table, weight, cost, 0.2 * cost.sum())
    other = maximal_cover(table[rows][:, columns], weight[rows], cost[columns], 0.2 * cost.sum())
    assert one.value == other.value
    assert sorted(columns[other.columns].tolist()) == one.columns.tolist()
    table = table[np.diff(table.indptr) > 0]
    rows = rng.permutation(table.shape[0])
    assert set_cover(table, cost).value == pytest.approx(
        set_cover(table[rows][:, columns], cost[columns]).value, rel=1e-12
    )


def test_more_money_never_covers_less() -> None:
    table, weight, cost = plane(40, 2_000, 5.0, seed=4)
    values = [
        maximal_cover(table, weight, cost, share * cost.sum()).value
        for share in np.linspace(0.0, 1.0, 12)
    ]
    assert values[0] == 0.0
    assert values == sorted(values)
    assert values[-1] == weight[np.diff(table.indptr) > 0].sum()


def test_doubled_rows_and_stored_zeros_change_nothing() -> None:
    table, weight, cost = plane(30, 500, 4.0, seed=5)
    once = maximal_cover(table, 2.0 * weight, cost, 2_000.0)
    doubled = scipy.sparse.vstack([table, table], format="csc")
    twice = maximal_cover(doubled, np.tile(weight, 2), cost, 2_000.0)
    assert (once.value, once.columns.tolist()) == (twice.value, twice.columns.tolist())
    padded = scipy.sparse.coo_array(table)
    entries = np.concatenate([padded.data, np.zeros(200), padded.data[:50]])
    at = np.concatenate([padded.row, np.arange(200), padded.row[:50]])
    to = np.concatenate([padded.col, np.arange(200) % 30, padded.col[:50]])
    padded = scipy.sparse.coo_array((entries, (at, to)), shape=table.shape)
    same = maximal_cover(padded, 2.0 * weight, cost, 2_000.0)
    assert (once.value, once.columns.tolist()) == (same.value, same.columns.tolist())


def test_the_given_table_is_not_changed() -> None:
    table = scipy.sparse.csr_array(
        (np.array([1.0, 0.0, 2.0]), np.array([1, 0, 1]), np.array([0, 2, 3])), shape=(2, 2)
    )
    before = table.data.copy(), table.indices.copy()
    set_cover(table, [1.0, 1.0])
    assert np.array_equal(table.data, before[0])
    assert np.array_equal(table.indices, before[1])


def test_a_budget_below_the_cheapest_site_buys_nothing() -> None:
    choice = maximal_cover([[1, 0], [0, 1]], [3.0, 4.0], [10.0, 20.0], 9.0)
    assert choice.columns.tolist() == []
    assert (choice.value, choice.bound, choice.gap, choice.cost) == (0.0, 0.0, 0.0, 0.0)
    assert str(choice.note) == (
        "The budget of 9.0 is smaller than the cost of the cheapest site, 10.0"
    )


def test_rows_without_a_site_are_stated() -> None:
    choice = maximal_cover([[1], [0], [0]], [3.0, 4.0, 0.0], [1.0], math.inf)
    assert (choice.columns.tolist(), choice.value, choice.bound) == ([0], 3.0, 3.0)
    assert choice.uncovered_rows == 2
    assert str(choice.note) == "2 of 3 demand rows are covered by no site"
    with pytest.raises(InputError, match=r"^2 of 3 demand rows are covered by no site \(the first"):
        set_cover([[1], [0], [0]], [1.0])


def test_nothing_to_cover_and_no_site() -> None:
    assert set_cover(np.zeros((0, 3)), np.ones(3)).columns.tolist() == []
    assert maximal_cover(np.zeros((2, 0)), [1.0, 1.0], [], 5.0).value == 0.0
    assert maximal_cover(np.zeros((0, 0)), [], [], 5.0).columns.tolist() == []
    assert maximal_cover([[1, 1]], [0.0], [1.0, 1.0], 1.0).bound == 0.0


def test_free_sites_are_used_first() -> None:
    choice = set_cover([[1, 1], [0, 1]], [5.0, 0.0])
    assert (choice.columns.tolist(), choice.value) == ([1], 0.0)
    choice = maximal_cover([[1, 0], [0, 1]], [1.0, 1.0], [0.0, 1.0], 0.0)
    assert (choice.columns.tolist(), choice.value) == ([0], 1.0)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"cost": [1.0, -1.0]}, "cost, entry 1: -1.0 (expected a finite number of at least 0)"),
        ({"cost": [math.nan, 1.0]}, "cost, entry 0: nan"),
        ({"cost": [math.inf, 1.0]}, "cost, entry 0: inf"),
        ({"cost": [1e308, 1e308]}, "The values of cost are too large to be added"),
        ({"cost": [1.0]}, "cost has 1 entries, expected 2, as in the membership"),
        ({"cost": "dear"}, "cost holds values that are not numbers"),
        ({"membership": [1, 2]}, "The membership has 1 dimensions"),
        ({"membership": [["a"], ["b"]]}, "The membership has 2 dimensions of kind <U1"),
        ({"membership": [[1.0, math.nan]]}, "The membership holds values that are not numbers"),
        ({"time_limit_s": -1.0}, "time_limit_s is -1.0"),
        ({"time_limit_s": math.nan}, "time_limit_s is nan"),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], text: str) -> None:
    values: dict[str, Any] = {"membership": [[1, 0], [0, 1]], "cost": [1.0, 1.0], **change}
    with pytest.raises(InputError) as caught:
        set_cover(**values)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("weight", "budget", "text"),
    [
        ([1.0, -2.0], 1.0, "weight, entry 1: -2.0 (expected a finite number of at least 0)"),
        ([1.0, math.nan], 1.0, "weight, entry 1: nan"),
        ([1.0], 1.0, "weight has 1 entries, expected 2"),
        ([1.0, 1.0], -1.0, "The budget is -1.0, expected a number of at least 0"),
        ([1.0, 1.0], math.nan, "The budget is nan"),
    ],
)
def test_bad_weights_and_budgets_are_named(weight: Any, budget: float, text: str) -> None:
    with pytest.raises(InputError) as caught:
        maximal_cover([[1, 0], [0, 1]], weight, [1.0, 1.0], budget)
    assert text in str(caught.value)


def test_without_time_the_answer_is_still_a_cover() -> None:
    table, weight, cost = plane(200, 5_000, 8.0)
    table = table[np.diff(table.indptr) > 0]
    choice = set_cover(table, cost, time_limit_s=0.0)
    check_set_cover(choice, table, cost)
    assert choice.bound > 0.0
    choice = maximal_cover(table, weight[: table.shape[0]], cost, 10_000.0, time_limit_s=0.0)
    assert 0.0 < choice.value <= choice.bound
    assert choice.gap < 0.5


def test_progress_rises_and_can_cancel() -> None:
    table, weight, cost = plane(150, 20_000, 20.0, same_cost=True)
    seen: list[float] = []
    maximal_cover(table, weight, cost, 10.0, time_limit_s=3.0, on_progress=seen.append)
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    # Cancelling works at every moment, also inside the solver.
    for moment in (0.0, 0.2, 0.5):

        def stop(done: float, moment: float = moment) -> None:
            if done >= moment * seen[-2]:
                raise CancelledError

        with pytest.raises(CancelledError):
            maximal_cover(table, weight, cost, 10.0, time_limit_s=3.0, on_progress=stop)
