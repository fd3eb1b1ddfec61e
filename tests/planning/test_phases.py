"""Phases against all plans of small cases, and laws on larger ones."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import CancelledError, InputError
from planning import phases as planning_phases
from planning.phases import Phases, phases


def keeps(problem: dict[str, Any], site_year: Any, edge_year: Any) -> bool:
    """Say whether a plan keeps budgets, ways and orders."""
    years = len(problem["budget"])
    spent = [0.0] * years
    for cost, year in zip(problem["site_cost"], site_year, strict=True):
        if year >= 0:
            spent[year] += cost
    for cost, year in zip(problem["edge_cost"], edge_year, strict=True):
        if year >= 0:
            spent[year] += cost
    room = 1e-9 * sum(problem["budget"])
    if problem["carry_over"]:
        sums = zip(
            itertools.accumulate(spent), itertools.accumulate(problem["budget"]), strict=True
        )
        affordable = all(a <= b + room for a, b in sums)
    else:
        affordable = all(a <= b + room for a, b in zip(spent, problem["budget"], strict=True))
    ways = all(
        year < 0 or all(0 <= edge_year[e] <= year for e in way)
        for way, year in zip(problem["ways"], site_year, strict=True)
    )
    late = [year if year >= 0 else years for year in site_year]
    return affordable and ways and all(late[a] <= late[b] for a, b in problem["before"])


def values(problem: dict[str, Any], site_year: Any) -> tuple[float, ...]:
    """Return weight times years of service, per class in order."""
    years = len(problem["budget"])
    return tuple(
        sum(
            w * (years - year)
            for w, p, year in zip(problem["weight"], problem["priority"], site_year, strict=True)
            if p == rank and year >= 0
        )
        for rank in sorted(set(problem["priority"]))
    )


def best_values(problem: dict[str, Any]) -> tuple[float, ...]:
    """Return the best of all plans."""
    years, edges = len(problem["budget"]), len(problem["edge_cost"])
    best = values(problem, [-1] * len(problem["site_cost"]))
    for site_year in itertools.product(range(-1, years), repeat=len(problem["site_cost"])):
        if values(problem, site_year) <= best:
            continue
        first = [
            min(
                (y for w, y in zip(problem["ways"], site_year, strict=True) if e in w and y >= 0),
                default=-1,
            )
            for e in range(edges)
        ]
        choices = [[y] if problem["carry_over"] or y < 0 else range(y + 1) for y in first]
        if any(keeps(problem, site_year, built) for built in itertools.product(*choices)):
            best = values(problem, site_year)
    return best


def planned(problem: dict[str, Any], **options: Any) -> Phases:
    return phases(
        problem["site_cost"],
        problem["edge_cost"],
        problem["ways"],
        problem["budget"],
        weight=problem["weight"],
        priority=problem["priority"],
        before=problem["before"],
        carry_over=problem["carry_over"],
        **options,
    )


@st.composite
def problems(draw: st.DrawFn) -> dict[str, Any]:
    """Few sites and years, with shared edges, orders and classes."""
    sites = draw(st.integers(1, 4))
    edges = draw(st.integers(0, 3))
    years = draw(st.integers(1, 3))
    site = st.integers(0, sites - 1)
    way = st.lists(st.integers(0, edges - 1), max_size=3) if edges else st.just([])
    return {
        "site_cost": [float(draw(st.integers(0, 6))) for _ in range(sites)],
        "edge_cost": [float(draw(st.integers(0, 9))) for _ in range(edges)],
        "ways": [draw(way) for _ in range(sites)],
        "budget": [float(draw(st.integers(0, 12))) for _ in range(years)],
        "weight": [float(draw(st.integers(0, 5))) for _ in range(sites)],
        "priority": [draw(st.integers(1, 3)) for _ in range(sites)],
        "before": draw(st.lists(st.tuples(site, site), max_size=2)),
        "carry_over": draw(st.booleans()),
    }


@settings(max_examples=80, deadline=None)
@given(problems())
def test_small_cases_against_all_plans(problem: dict[str, Any]) -> None:
    plan = planned(problem)
    assert keeps(problem, plan.site_year, plan.edge_year)
    found = values(problem, plan.site_year.tolist())
    assert found == pytest.approx(best_values(problem))
    assert plan.classes["value"].tolist() == pytest.approx(list(found))
    assert (plan.classes["bound"] >= plan.classes["value"]).all()
    assert plan.gap == plan.classes["gap"].max() == 0.0
    assert plan.spent.sum() <= sum(problem["budget"]) * (1.0 + 1e-9)


def tree(sites: int, seed: int = 3) -> dict[str, Any]:
    """A tree of sites with a hub at node 0, five years and three classes."""
    rng = np.random.default_rng(seed)
    head = np.arange(1, sites + 1)
    tail = np.array([rng.integers(max(0, i - 12), i) for i in head])
    cost = rng.uniform(5.0, 40.0, sites).round(2)
    ways: dict[int, list[int]] = {0: []}
    for edge, (near, far) in enumerate(zip(tail.tolist(), head.tolist(), strict=True)):
        ways[far] = [*ways[near], edge]
    site_cost = rng.uniform(1.0, 5.0, sites).round(2)
    return {
        "site_cost": site_cost,
        "edge_cost": cost,
        "ways": [ways[node] for node in head.tolist()],
        "budget": np.full(5, 0.15 * (cost.sum() + site_cost.sum())),
        "weight": rng.integers(1, 20, sites).astype(float),
        "priority": rng.integers(1, 4, sites),
        "before": [],
        "carry_over": True,
    }


def test_a_province_in_five_years() -> None:
    problem = tree(60)
    plan = planned(problem, time_limit_s=10.0)
    assert keeps(problem, plan.site_year, plan.edge_year)
    assert plan.gap < 0.02
    assert (plan.classes["kept_bound"] <= plan.classes["bound"]).all()
    assert plan.classes["sites"].sum() == 60
    # No class could have had more before the next one got anything.
    first = np.flatnonzero(problem["priority"] == 1)
    alone = phases(
        problem["site_cost"][first],
        problem["edge_cost"],
        [problem["ways"][i] for i in first],
        problem["budget"],
        weight=problem["weight"][first],
        time_limit_s=10.0,
    )
    assert plan.classes["value"].iloc[0] <= alone.classes["bound"].iloc[0] * (1.0 + 1e-6)
    assert alone.classes["value"].iloc[0] <= plan.classes["bound"].iloc[0] * (1.0 + 1e-6)


def test_no_time_still_gives_a_plan_that_keeps_the_rules() -> None:
    problem = tree(40, seed=9)
    problem["before"] = [(5, 2), (7, 3)]
    plan = planned(problem, time_limit_s=0.0)
    assert keeps(problem, plan.site_year, plan.edge_year)
    assert plan.value > 0.0
    assert plan.gap >= 0.0


def test_money_that_may_not_be_kept_is_spent_ahead() -> None:
    question: dict[str, Any] = {"weight": 1.0, "time_limit_s": 5.0}
    kept = phases([0.0], [4.0, 4.0], [[0, 1]], [5.0, 5.0], **question)
    assert kept.site_year.tolist() == [1]
    assert kept.edge_year.tolist() == [1, 1]
    # No year has money for both edges: one is built ahead.
    lost = phases([0.0], [4.0, 4.0], [[0, 1]], [5.0, 5.0], carry_over=False, **question)
    assert lost.site_year.tolist() == [1]
    assert sorted(lost.edge_year.tolist()) == [0, 1]


def test_a_class_is_never_delayed_by_a_later_one() -> None:
    # The second class is worth a thousand times more, and still has to wait.
    plan = phases([5.0, 5.0], [], [[], []], [5.0, 5.0], weight=[1.0, 1000.0], priority=[1, 2])
    assert plan.site_year.tolist() == [0, 1]
    free = phases([5.0, 5.0], [], [[], []], [5.0, 5.0], weight=[1.0, 1000.0])
    assert free.site_year.tolist() == [1, 0]


def test_what_no_budget_pays_for_is_said() -> None:
    plan = phases([1.0, 50.0], [3.0], [[0], [0]], [2.0, 3.0])
    assert plan.too_dear.tolist() == [1]
    assert plan.site_year.tolist() == [1, -1]
    assert plan.classes["served"].tolist() == [1]
    assert phases([], [], [], [1.0]).gap == 0.0


def test_progress_and_cancelling() -> None:
    seen: list[float] = []
    planned(tree(40), time_limit_s=2.0, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    def cancel(_: float) -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        planned(tree(60), on_progress=cancel)


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        (([-1.0], [], [[]], [1.0]), {}, r"site_cost, entry 0: -1.0"),
        (([1.0], [-2.0], [[0]], [1.0]), {}, r"edge_cost, entry 0: -2.0"),
        (([1.0], [], [[]], [5.0, -1.0]), {}, r"budget, entry 1: -1.0"),
        (([1.0], [], [[]], [math.inf]), {}, "budget, entry 0: inf"),
        (([1.0], [1.0], [[1]], [1.0]), {}, "Site 0 needs edge 1, expected 0 to 0"),
        (([1.0], [1.0], [], [1.0]), {}, "ways has 0 entries, expected 1"),
        (([1.0], [], [[]], [1.0]), {"weight": -1.0}, r"weight, entry 0: -1.0"),
        (([1.0], [], [[]], [1.0]), {"priority": [1, 2]}, "priority has 2 entries"),
        (([1.0], [], [[]], [1.0]), {"priority": [1.5]}, "priority holds values that are not whole"),
        (([1.0], [], [[]], [1.0]), {"before": [(0, 1)]}, "before holds the pair 0, 1"),
        (([1.0], [], [[]], [1.0]), {"time_limit_s": -1.0}, r"time_limit_s is -1.0"),
    ],
)
def test_faults_are_named(arguments: Any, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        planning_phases.phases(*arguments, **options)
