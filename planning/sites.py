"""Choice of sites: cover every demand at least cost, or the most within a budget.

Demand rows that the same sites cover are merged, rows and sites that cannot matter
are dropped, and bounds and a local search close in from both sides (`set_covering`,
`maximal_covering`). The bound returned is proven.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike

from data.errors import InputError, Message, message
from planning.cover_table import Clock, Floats, Ints, Progress, add_up, merge, total
from planning.kernels import cover as kernels
from planning.maximal_covering import MaximalCover
from planning.set_covering import SetCover


@dataclass(frozen=True)
class SiteChoice:
    """Sites, and how much better any other choice could be.

    Parameters
    ----------
    columns
        The chosen sites: columns of the membership table, ascending.
    value
        What is optimised: the cost of a set cover, the weight that a maximal cover reaches.
    bound
        Proven: no set cover costs less, no choice within the budget reaches more. Exact
        up to rounding and to the tolerance of the solver, one in a million.
    gap
        |value - bound| / bound; 0 where they are equal.
    cost
        Cost of the chosen sites.
    uncovered_rows
        How many demand rows no site covers (always 0 in a set cover).
    note
        What a reader should know about the result, or None.
    """

    columns: Ints
    value: float
    bound: float
    gap: float
    cost: float
    uncovered_rows: int = 0
    note: Message | None = None


def set_cover(
    membership: scipy.sparse.sparray | scipy.sparse.spmatrix | ArrayLike,
    cost: ArrayLike,
    *,
    time_limit_s: float = 60.0,
    on_progress: Progress = lambda _: None,
) -> SiteChoice:
    """Choose sites of least total cost that cover every demand row.

    Minimise ``sum(cost[j] for chosen j)`` such that each row i has a chosen column j
    with ``membership[i, j] != 0``.

    Parameters
    ----------
    membership
        Demand rows × site columns; every entry other than 0 means "covers".
    cost
        Cost of each site, finite and not negative; any unit.
    time_limit_s
        Time after which the best choice so far is returned. Merging and a first choice
        are always made; compiling, once per computer, does not count. [s]
    on_progress
        Called with the fraction done, from the caller's thread, between units of work;
        it may raise `CancelledError`.

    Returns
    -------
    SiteChoice
        `value` is the cost, `bound` at most the least cost.

    Raises
    ------
    InputError
        If sizes do not fit, a cost is negative or not finite, or rows have no column.

    References
    ----------
    A. Caprara, M. Fischetti, P. Toth, A heuristic method for the set covering problem,
    Operations Research 47, 1999.

    Examples
    --------
    >>> choice = set_cover([[1, 0, 1], [0, 1, 1]], [2.0, 2.0, 3.0])
    >>> choice.columns.tolist(), choice.value, choice.bound
    ([2], 3.0, 3.0)
    """
    _warm_up()
    clock = Clock(time_limit_s, on_progress)
    table = _membership(membership)
    prices = _figures(cost, table.shape[1], "cost")
    group, patterns = merge(table)
    without = int(np.count_nonzero(group < 0))
    if without:
        raise InputError(
            "{count} of {total} demand rows are covered by no site (the first is row {first}): a "
            "set cover needs a site for every row",
            count=without,
            total=table.shape[0],
            first=int(np.argmax(group < 0)),
        )
    clock.tick(0.02)
    cover = SetCover(patterns, prices, clock)
    columns, bound = cover.solve()
    value = total(prices[columns])
    bound = min(bound, value)
    clock.finish()
    return SiteChoice(columns, value, bound, _share(value - bound, bound), value)


def maximal_cover(
    membership: scipy.sparse.sparray | scipy.sparse.spmatrix | ArrayLike,
    weight: ArrayLike,
    cost: ArrayLike,
    budget: float,
    *,
    time_limit_s: float = 60.0,
    goal: float | None = None,
    on_progress: Progress = lambda _: None,
) -> SiteChoice:
    """Choose sites within a budget that cover the most weight.

    Maximise ``sum(weight[i] for rows i with a chosen column)`` such that
    ``sum(cost[j] for chosen j) <= budget``.

    Parameters
    ----------
    membership
        Demand rows × site columns; every entry other than 0 means "covers". Rows without
        a column are counted in the result and otherwise left aside.
    weight
        Weight of each row, e.g. people, finite and not negative.
    cost
        Cost of each site, finite and not negative.
    budget
        In the unit of the costs, not negative; may be infinite. The cost may exceed it by
        one in a thousand million, for rounding.
    time_limit_s, on_progress
        As for `set_cover`.
    goal
        Weight with which the search ends: as soon as a choice reaches it, or none is
        proven to. None to look for the most.

    Returns
    -------
    SiteChoice
        `value` is the weight covered, `bound` at least the most that the budget can cover.

    Raises
    ------
    InputError
        If sizes do not fit, or a weight, a cost or the budget is negative or not a number.

    References
    ----------
    R. Church, C. ReVelle, The maximal covering location problem, Papers of the Regional
    Science Association 32, 1974.

    Examples
    --------
    >>> choice = maximal_cover([[1, 0], [1, 0], [0, 1]], [5.0, 5.0, 8.0], [2.0, 1.0], 2.0)
    >>> choice.columns.tolist(), choice.value, choice.bound
    ([0], 10.0, 10.0)
    """
    _warm_up()
    clock = Clock(time_limit_s, on_progress)
    table = _membership(membership)
    prices = _figures(cost, table.shape[1], "cost")
    people = _figures(weight, table.shape[0], "weight")
    money = float(budget)
    if math.isnan(money) or money < 0.0:
        raise InputError("The budget is {value}, expected a number of at least 0", value=budget)
    group, patterns = merge(table)
    has_site = group >= 0
    without = int(len(group) - np.count_nonzero(has_site))
    clock.tick(0.02)
    load = add_up(group[has_site], people[has_site], patterns.rows)
    cover = MaximalCover(patterns, load, prices, money, clock, goal)
    columns, bound = cover.solve()
    served = np.zeros(patterns.rows, dtype=bool)
    for j in columns.tolist():
        served[patterns.rows_of(j)] = True
    # One value for one answer, whatever the order of the rows.
    value = total(people[has_site][served[group[has_site]]])
    bound = max(bound, value)
    note = None
    if without:
        note = message(
            "{count} of {total} demand rows are covered by no site", count=without, total=len(group)
        )
    if table.shape[1] and money < float(prices.min()):
        note = message(
            "The budget of {budget} is smaller than the cost of the cheapest site, {cheapest}",
            budget=money,
            cheapest=float(prices.min()),
        )
    clock.finish()
    return SiteChoice(
        columns,
        value,
        bound,
        _share(bound - value, bound),
        total(prices[columns]),
        without,
        note,
    )


def merged_demand(
    membership: scipy.sparse.sparray | scipy.sparse.spmatrix | ArrayLike, weight: ArrayLike
) -> tuple[scipy.sparse.csr_array, Floats]:
    """Merge the demand rows that the same sites cover, for more than one question about them.

    Parameters
    ----------
    membership, weight
        As for `maximal_cover`.

    Returns
    -------
    patterns : csr_array
        A row for each set of sites that covers any demand.
    weight : numpy.ndarray
        Sum of the weights of each; demand without a site is left out.
    """
    table = _membership(membership)
    people = _figures(weight, table.shape[0], "weight")
    group, patterns = merge(table)
    some = group >= 0
    return patterns.matrix(), add_up(group[some], people[some], patterns.rows)


# ----------------------------------------------------------------------------------------
# Input


def _membership(given: object) -> scipy.sparse.csr_array:
    """Return the table by rows, with ascending columns and no stored 0; never the caller's."""
    if not scipy.sparse.issparse(given):
        dense = np.asarray(given)
        if dense.ndim != 2 or dense.dtype.kind not in "biuf":
            raise InputError(
                "The membership has {count} dimensions of kind {kind}, expected a table of numbers "
                "with a row per demand and a column per site",
                count=dense.ndim,
                kind=str(dense.dtype),
            )
        given = scipy.sparse.csr_array(dense)
    if given.ndim != 2:  # type: ignore[attr-defined]
        raise InputError(
            "The membership has {count} dimensions of kind {kind}, expected a table of numbers "
            "with a row per demand and a column per site",
            count=given.ndim,  # type: ignore[attr-defined]
            kind=str(given.dtype),  # type: ignore[attr-defined]
        )
    table = scipy.sparse.csr_array(given)
    if table.dtype.kind == "f" and not bool(np.all(np.isfinite(table.data))):
        raise InputError("The membership holds values that are not numbers")
    clean = table.has_canonical_format and (
        table.dtype.kind == "b" or bool(np.all(table.data != 0))
    )
    if not clean or not table.has_sorted_indices:
        table = table.copy()
        table.sum_duplicates()
        table.eliminate_zeros()
    return table


def _figures(values: ArrayLike, count: int, name: str) -> Floats:
    try:
        figures = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("{name} holds values that are not numbers", name=name) from error
    if figures.shape != (count,):
        raise InputError(
            "{name} has {found} entries, expected {count}, as in the membership",
            name=name,
            found="×".join(str(size) for size in figures.shape) or "no",
            count=count,
        )
    wrong = np.flatnonzero(~(np.isfinite(figures) & (figures >= 0.0)))
    if len(wrong):
        raise InputError(
            "{name}, entry {index}: {value} (expected a finite number of at least 0)",
            name=name,
            index=int(wrong[0]),
            value=float(figures[wrong[0]]),
        )
    with np.errstate(over="ignore"):
        if not math.isfinite(float(figures.sum())):
            raise InputError("The values of {name} are too large to be added", name=name)
    return figures


def _share(difference: float, bound: float) -> float:
    if difference <= 0.0:
        return 0.0
    return difference / bound if bound > 0.0 else math.inf


_warm = False


def _warm_up() -> None:
    """Compile the kernels, so that this does not count against a time limit."""
    global _warm
    if _warm:
        return
    _warm = True
    table = scipy.sparse.csr_array(np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]]))
    price = np.array([1.0, 1.0, 1.0])
    _, patterns = merge(table)
    quiet = Clock(10.0, lambda _: None)
    cover = SetCover(patterns, price, quiet)
    cover.solve()
    cover.table, cover.columns, cover.cost = patterns, np.arange(3), price
    cover.taken = np.zeros(3, dtype=bool)
    cover.chosen = np.ones(3, np.uint8)
    cover.best_price = price.copy()
    cover.bound = 0.0
    cover.improve_from_greedy()
    kernels.ascend_cover(*patterns.parts, price, price.copy(), price.copy(), 0.0, 2.0, 0.5, 0, 1)
    kernels.search_cover(*patterns.parts, price, np.ones(3, np.uint8), 3.0, 1, 1)
    kernels.price_budget(
        *patterns.parts, price, price, 1.0, price.copy(), price.copy(), 9.0, 1.0, 0.5, 0, 1
    )
    kernels.fill_budget(*patterns.parts, price, price, 1.0, price, np.zeros(3, np.uint8))
    kernels.swap_columns(*patterns.parts, price, price, 2.0, np.array([1, 0, 0], np.uint8), 1)
