"""Trees under a budget against all choices on small networks."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.steiner import road_network
from data.errors import CancelledError, InputError
from planning.prize_collecting import BudgetTree, budget_tree, cost_benefit_curve
from tests.planning.test_steiner import exact_cost

Problem = tuple[list[int], list[int], list[float], dict[int, float], list[int], float]


def most(
    tail: Any, head: Any, cost: Any, prizes: dict[int, float], roots: Any, budget: float
) -> float:
    """Return the most prizes, by the exact cost of every choice of sites."""
    # The existing network is joined for nothing.
    tail = [*tail, *([roots[0]] * len(roots))]
    head = [*head, *roots]
    cost = [*cost, *([0.0] * len(roots))]
    best = 0.0
    for count in range(len(prizes) + 1):
        for chosen in itertools.combinations(sorted(prizes), count):
            prize = math.fsum(prizes[node] for node in chosen)
            if prize > best and exact_cost(tail, head, cost, [*chosen, roots[0]]) <= budget:
                best = prize
    return best


def check(
    plan: BudgetTree,
    tail: Any,
    head: Any,
    cost: Any,
    prizes: dict[int, float],
    roots: Any,
    budget: float,
) -> None:
    """Assert that a plan is what it says: a forest from the roots, within the budget."""
    links: dict[int, set[int]] = {}
    for e in plan.edges:
        links.setdefault(int(tail[e]), set()).add(int(head[e]))
        links.setdefault(int(head[e]), set()).add(int(tail[e]))
    old = {int(node) for node in roots}
    reached: set[int] = set()
    waiting = list(old)
    while waiting:
        node = waiting.pop()
        if node not in reached:
            reached.add(node)
            waiting += links.get(node, ())
    assert set(links) <= reached
    assert len(set(plan.edges.tolist())) == len(reached - old)  # no cycle
    assert plan.cost == math.fsum(float(cost[e]) for e in plan.edges)
    assert plan.cost <= budget * (1.0 + 1e-9)
    assert plan.sites.tolist() == sorted(v for v in reached if prizes.get(v, 0.0) > 0.0)
    assert plan.prize == pytest.approx(math.fsum(prizes[int(v)] for v in plan.sites))
    assert plan.prize <= plan.upper_bound
    assert 0.0 <= plan.gap <= 1.0


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    count = draw(st.integers(2, 10))
    node = st.integers(0, count - 1)
    links = [(i, draw(st.integers(0, i - 1))) for i in range(1, count)]
    links += draw(st.lists(st.tuples(node, node), max_size=12))
    price = draw(st.sampled_from([st.integers(0, 6).map(float), st.floats(0.01, 100.0)]))
    cost = [draw(price) for _ in links]
    prizes = draw(st.dictionaries(node, st.integers(0, 50).map(float), max_size=5))
    roots = draw(st.lists(node, min_size=1, max_size=3))
    budget = draw(st.floats(0.0, 1.0)) * sum(cost)
    return [a for a, _ in links], [b for _, b in links], cost, prizes, roots, budget


@settings(max_examples=150, deadline=None)
@given(problems())
def test_small_networks_against_all_choices(problem: Problem) -> None:
    plan = budget_tree(*problem)
    check(plan, *problem)
    *network, budget = problem
    # Just beside the budget, so that the last digit of a sum decides nothing.
    assert plan.prize <= most(*network, budget * (1.0 + 1e-9)) + 1e-9
    assert plan.upper_bound >= most(*network, budget * (1.0 - 1e-9)) - 1e-9


def test_the_best_choice_is_nearly_always_found() -> None:
    found = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        tail = [*range(1, 12), *rng.integers(0, 12, 10).tolist()]
        head = [*(int(rng.integers(0, i)) for i in range(1, 12)), *rng.integers(0, 12, 10).tolist()]
        cost = rng.integers(1, 30, 21).astype(float).tolist()
        prizes = {int(v): float(rng.integers(1, 100)) for v in rng.choice(12, 6, replace=False)}
        problem = (tail, head, cost, prizes, [0], float(rng.integers(5, 60)))
        plan = budget_tree(*problem)
        check(plan, *problem)
        found += plan.prize == most(*problem)
    assert found >= 59


def road_problem(sites: int = 60, edges: int = 4000) -> tuple[Any, Any, Any, Any, Any]:
    tail, head, cost, nodes = road_network(sites, edges)
    rng = np.random.default_rng(0)
    prizes = {int(v): float(rng.integers(50, 3000)) for v in nodes[3:]}
    return tail, head, cost, prizes, nodes[:3]


def test_a_network_of_roads_is_near_the_best_at_every_budget() -> None:
    problem = road_problem()
    everything = budget_tree(*problem, budget=1e12)
    assert everything.prize == everything.upper_bound == sum(problem[3].values())
    budgets = [everything.cost * share for share in (0.2, 0.4, 0.6, 0.8)]
    plans = cost_benefit_curve(*problem, budgets)
    for plan, budget in zip(plans, budgets, strict=True):
        check(plan, *problem, budget)
        assert plan.gap < 0.08
    assert plans[-1].gap < 0.03


def test_a_larger_budget_never_brings_less() -> None:
    problem = road_problem(30, 1500)
    top = budget_tree(*problem, budget=1e12).cost
    budgets = [top * share for share in (0.7, 0.0, 0.3, 0.5, 0.1, 0.3)]
    plans = cost_benefit_curve(*problem, budgets)
    assert [plan.budget for plan in plans] == budgets
    ordered = sorted(plans, key=lambda plan: plan.budget)
    for less, more in itertools.pairwise(ordered):
        assert less.prize <= more.prize
        assert less.upper_bound <= more.upper_bound
    assert plans[2].edges.tolist() == plans[5].edges.tolist()


def test_the_same_input_gives_the_same_plan() -> None:
    problem = road_problem(30, 1500)
    one, other = (budget_tree(*problem, budget=30_000.0) for _ in range(2))
    assert one.edges.tolist() == other.edges.tolist()
    assert one.upper_bound == other.upper_bound


def test_a_budget_too_small_for_any_site_says_what_the_cheapest_costs() -> None:
    plan = budget_tree([0, 0, 1], [1, 2, 3], [5.0, 4.5, 1.0], {2: 10.0, 3: 90.0}, [0], 4.0)
    assert (plan.edges.size, plan.cost, plan.prize, plan.upper_bound) == (0, 0.0, 0.0, 0.0)
    assert str(plan.message) == (
        "The budget of 4.0 is smaller than the cost of the cheapest site, 4.5"
    )


def test_sites_on_the_existing_network_count_and_cost_nothing() -> None:
    plan = budget_tree([0, 1], [1, 2], [3.0, 4.0], {0: 7.0, 1: 2.0, 2: 9.0}, [0, 1], 0.0)
    assert (plan.sites.tolist(), plan.prize, plan.cost) == ([0, 1], 9.0, 0.0)
    assert plan.upper_bound == 9.0
    assert plan.message is not None


def test_separate_parts_of_the_existing_network_both_serve() -> None:
    plan = budget_tree([0, 3, 1], [1, 2, 2], [1.0, 1.0, 50.0], {1: 5.0, 2: 5.0}, [0, 3], 2.0)
    assert (plan.edges.tolist(), plan.prize, plan.gap) == ([0, 1], 10.0, 0.0)


def test_sites_that_no_path_reaches_are_listed() -> None:
    plan = budget_tree([0, 5, 7], [1, 6, 7], [1.0, 1.0, 1.0], {1: 1.0, 6: 5.0, 7: 2.0}, [0], 9.0)
    assert plan.unreachable.tolist() == [6, 7]
    assert (plan.prize, plan.upper_bound) == (1.0, 1.0)


def test_a_plan_is_made_even_without_time() -> None:
    problem = road_problem(30, 1500)
    plan = budget_tree(*problem, budget=60_000.0, time_limit_s=0.0)
    check(plan, *problem, 60_000.0)
    assert plan.prize > 0.0
    assert plan.upper_bound < sum(problem[3].values())


def test_without_sites_or_budgets_there_is_nothing_to_do() -> None:
    assert cost_benefit_curve([0], [1], [1.0], {1: 1.0}, [0], []) == []
    plan = budget_tree([0], [1], [1.0], {}, [0], 5.0)
    assert (plan.edges.size, plan.prize, plan.upper_bound, plan.gap) == (0, 0.0, 0.0, 0.0)
    assert plan.message is None


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"budget": -1.0}, "The budget is -1.0, expected a number from 0"),
        ({"budget": math.nan}, "The budget is nan"),
        ({"roots": []}, "At least one node of the existing network is needed"),
        ({"roots": [1, 8]}, "1 of 2 nodes of the existing network are not in the network of"),
        ({"prize_by_node": {2: -5.0}}, "Node 2 has a prize of -5.0, expected a finite number"),
        ({"prize_by_node": {2: math.inf}}, "Node 2 has a prize of inf"),
        ({"prize_by_node": {9: 1.0}}, "1 of 1 nodes to connect are not in the network: 9"),
        ({"cost": [1.0, -1.0]}, "Edge 1 from node 2 to node 3 costs -1.0"),
        ({"head": [2]}, "tail, head and cost have 2, 1 and 2 entries"),
        ({"tail": [1.5, 2]}, "tail holds values that are not whole numbers"),
        ({"time_limit_s": -2.0}, "time_limit_s is -2.0"),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], text: str) -> None:
    values: dict[str, Any] = {
        "tail": [1, 2],
        "head": [2, 3],
        "cost": [1.0, 1.0],
        "prize_by_node": {3: 4.0},
        "roots": [1],
        "budget": 5.0,
        **change,
    }
    with pytest.raises(InputError) as caught:
        budget_tree(**values)
    assert text in str(caught.value)


def test_progress_rises_and_can_cancel() -> None:
    problem = road_problem(20, 1000)
    seen: list[float] = []
    cost_benefit_curve(*problem, [20_000.0, 40_000.0], on_progress=seen.append)
    assert len(seen) > 10
    assert all(0.0 <= a <= b <= 1.0 for a, b in itertools.pairwise(seen))
    assert seen[-1] == 1.0

    def stop(_: float) -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        budget_tree(*problem, budget=20_000.0, on_progress=stop)
