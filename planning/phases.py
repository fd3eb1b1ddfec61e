"""Which sites are connected in which year under a yearly budget.

For sites i, years y and pieces of the network p (edges that the same sites need), with
x[i, y] = 1 if site i is served in year y and z[p, y] = 1 if piece p is built by then:

    maximise    sum of weight[i] * x[i, y]                       (years of service)
    subject to  x[i, y] <= z[p, y]              for every piece p on the way of site i,
                x[i, y] <= x[i, y + 1],  z[p, y] <= z[p, y + 1]
                x[b, y] <= x[a, y]              where a is to come no later than b,
                what is built in year y costs no more than its budget (with what earlier
                years have left, if that may be carried over).

Priorities are kept strictly: first the years of service of the first class are as many as
possible, then those of the second without any loss to the first, and so on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from data.errors import InputError
from planning import milp, resilience
from planning.steiner import whole_numbers

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Budgets are kept to this share of them; sums of decimals are not exact.
_EXACT = 1e-9

#: A class keeps what it has reached to this share when later ones are planned.
_KEPT = 1e-9


@dataclass(frozen=True)
class Phases:
    """A plan: what is built when.

    Parameters
    ----------
    site_year
        Year in which each site is served first, counted from 0; -1: not in the plan.
    edge_year
        Year in which each edge is built; -1: not built.
    spent
        Cost per year.
    classes
        A row per priority, first to last: priority, sites, served (by the end), value
        (weight times years of service); kept_bound and kept_gap (proven: no plan that
        leaves the classes before as they are has more); bound and gap (proven: nor has
        any other plan that does as well for the classes before). A gap is
        (bound - value) / value.
    too_dear
        Sites that cost more, with all that they need, than all budgets together.
    """

    site_year: Ints
    edge_year: Ints
    spent: Floats
    classes: pd.DataFrame
    too_dear: Ints

    @property
    def value(self) -> float:
        """Weight times years of service, all classes together."""
        return math.fsum(self.classes["value"].tolist())

    @property
    def gap(self) -> float:
        """Greatest gap of any class, the classes before it left as they are."""
        return float(self.classes["kept_gap"].max()) if len(self.classes) else 0.0


def phases(
    site_cost: ArrayLike,
    edge_cost: ArrayLike,
    ways: Sequence[ArrayLike],
    budget: ArrayLike,
    *,
    weight: ArrayLike = 1.0,
    priority: ArrayLike = 1,
    before: Sequence[tuple[int, int]] = (),
    carry_over: bool = True,
    time_limit_s: float = 20.0,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Phases:
    """Plan the years in which sites are connected.

    Parameters
    ----------
    site_cost
        Cost at each site itself, from 0, shape (sites,).
    edge_cost
        Cost of each edge, from 0, shape (edges,); 0 for those that exist.
    ways
        Edges (positions) that each site needs; shared ones are paid once, when first
        needed.
    budget
        Money for each year, from 0, shape (years,).
    weight
        What a year of service of each site is worth, from 0.
    priority
        Class of each site, whole numbers; the lowest comes first.
    before
        Pairs (a, b) of sites: b is served no sooner than a.
    carry_over
        Whether money left in a year may be spent later. If not, pieces may be built
        ahead of the sites that need them.
    time_limit_s
        Time after which the best plan and bounds so far are returned. [s]
    on_progress
        Called with the fraction done; may raise `CancelledError`.

    Returns
    -------
    Phases
        The plan, checked, with its gap per class.

    Raises
    ------
    InputError
        If an array does not fit, an edge or site is not there, or a cost, weight or
        budget is negative or not finite.

    Examples
    --------
    Two sites share edge 0; there is money for one of them and the edge in the first year:

    >>> plan = phases([1.0, 2.0], [4.0], [[0], [0]], [5.0, 2.0])
    >>> plan.site_year.tolist(), plan.edge_year.tolist(), plan.spent.tolist()
    ([0, 1], [0], [5.0, 2.0])
    """
    price = _finite(site_cost, np.asarray(site_cost).size, "site_cost")
    edge_price = _finite(edge_cost, np.asarray(edge_cost).size, "edge_cost")
    money = _finite(budget, np.asarray(budget).size, "budget")
    sites = price.size
    if len(ways) != sites:
        raise InputError(
            "{name} has {found} entries, expected {count}",
            name="ways",
            found=len(ways),
            count=sites,
        )
    needed = [_edges_of(way, site, edge_price.size) for site, way in enumerate(ways)]
    worth = _finite(weight, sites, "weight")
    rank = _ranks(priority, sites)
    pairs = [(int(a), int(b)) for a, b in before]
    for pair in pairs:
        if min(pair) < 0 or max(pair) >= sites:
            raise InputError(
                "before holds the pair {first}, {second}, expected sites from 0 to {last}",
                first=pair[0],
                second=pair[1],
                last=sites - 1,
            )
    if not (time_limit_s >= 0.0):
        raise InputError(
            "time_limit_s is {value}, expected a number of seconds from 0", value=time_limit_s
        )
    plan = _Plan(price, edge_price, needed, money, worth, rank, pairs, carry_over)
    plan.solve(time_limit_s, on_progress)
    on_progress(1.0)
    return plan.result()


def _finite(values: ArrayLike, count: int, name: str) -> Floats:
    numbers = resilience.per_item(values, count, name)
    if not bool(np.isfinite(numbers).all()):
        raise InputError(
            "{name}, entry {index}: {value}, expected a number from 0",
            name=name,
            index=int(np.argmin(np.isfinite(numbers))),
            value=math.inf,
        )
    return numbers


def _edges_of(way: ArrayLike, site: int, edges: int) -> Ints:
    numbers = np.unique(whole_numbers(way, "ways"))
    if numbers.size and numbers[-1] >= edges:
        raise InputError(
            "Site {site} needs edge {value}, expected 0 to {last}",
            site=site,
            value=int(numbers[-1]),
            last=edges - 1,
        )
    return numbers


def _ranks(priority: ArrayLike, sites: int) -> Ints:
    given = np.asarray(priority)
    if given.ndim == 0:
        given = np.full(sites, given)
    return whole_numbers(given, "priority") if given.size == sites else _wrong_count(given, sites)


def _wrong_count(given: NDArray[np.generic], sites: int) -> Ints:
    raise InputError(
        "{name} has {found} entries, expected {count}",
        name="priority",
        found=given.size,
        count=sites,
    )


def _gap(value: float, bound: float) -> float:
    # Bounds are proven to one in a million: what is closer counts as equal.
    if bound <= value * (1.0 + 4e-6):
        return 0.0
    return (bound - value) / value if value > 0.0 else math.inf


def _served_from(year: Ints, years: int) -> NDArray[np.bool_]:
    """Return a table of items and years: whether the year has come."""
    return (year[:, np.newaxis] >= 0) & (np.arange(years) >= year[:, np.newaxis])


class _Plan:
    """A question and the best plan so far."""

    def __init__(
        self,
        price: Floats,
        edge_price: Floats,
        needed: list[Ints],
        money: Floats,
        worth: Floats,
        rank: Ints,
        before: list[tuple[int, int]],
        carry_over: bool,
    ) -> None:
        self.price = price
        self.edge_price = edge_price
        self.money = money
        self.worth = worth
        self.rank = rank
        self.before = before
        self.carry_over = carry_over
        self.sites, self.years = price.size, money.size
        self.alone = np.array(
            [c + math.fsum(edge_price[e].tolist()) for c, e in zip(price, needed, strict=True)]
        )
        total = float(money.sum())
        self.too_dear = np.flatnonzero(self.alone > total * (1.0 + _EXACT)).astype(np.int64)
        self._find_pieces(needed)
        self.site_year = np.full(self.sites, -1, np.int64)
        self.piece_year = np.full(self.piece_price.size, -1, np.int64)
        self.rows: list[dict[str, float]] = []

    def _find_pieces(self, needed: list[Ints]) -> None:
        """Join edges that the same sites need, unless each may have to be built ahead."""
        users: list[list[int]] = [[] for _ in range(self.edge_price.size)]
        for site, edges in enumerate(needed):
            for edge in edges.tolist():
                users[edge].append(site)
        number: dict[tuple[tuple[int, ...], int], int] = {}
        self.piece_of = np.full(self.edge_price.size, -1, np.int64)
        for edge, sites in enumerate(users):
            if sites:
                key = tuple(sites), -1 if self.carry_over else edge
                self.piece_of[edge] = number.setdefault(key, len(number))
        self.users = [np.array(sites, np.int64) for sites, _ in number]
        used = self.piece_of >= 0
        self.piece_price = np.bincount(
            self.piece_of[used], self.edge_price[used], minlength=len(number)
        )
        self.pieces_of: list[list[int]] = [[] for _ in range(self.sites)]
        for piece, (members, _) in enumerate(number):
            for site in members:
                self.pieces_of[site].append(piece)

    # -- figures of a plan

    def value_of(self, members: Ints, site_year: Ints) -> float:
        """Return weight times years of service of some sites."""
        served = members[site_year[members] >= 0]
        return math.fsum((self.worth[served] * (self.years - site_year[served])).tolist())

    def spent(self, site_year: Ints, piece_year: Ints) -> Floats:
        """Return the cost per year."""
        result = np.zeros(self.years)
        for year, price in ((site_year, self.price), (piece_year, self.piece_price)):
            built = year >= 0
            np.add.at(result, year[built], price[built])
        return result

    def affordable(self, spent: Floats) -> bool:
        """Say whether the budgets are kept."""
        room = _EXACT * max(float(self.money.sum()), 1e-300)
        if self.carry_over:
            return bool(np.all(np.cumsum(spent) <= np.cumsum(self.money) + room))
        return bool(np.all(spent <= self.money + room))

    def needed_years(self, site_year: Ints) -> Ints:
        """Return when each piece is needed first."""
        result = np.full(self.piece_price.size, -1, np.int64)
        for piece, users in enumerate(self.users):
            years = site_year[users]
            if np.any(years >= 0):
                result[piece] = years[years >= 0].min()
        return result

    # -- search

    def solve(self, time_limit_s: float, on_progress: Callable[[float], None]) -> None:
        """Plan class after class."""
        start_s = time.monotonic()
        ranks = np.unique(self.rank).tolist()
        floors: list[tuple[Ints, float]] = []
        for done, rank in enumerate(ranks):
            members = np.flatnonzero(self.rank == rank)
            self._greedy(members)
            left_s = time_limit_s - (time.monotonic() - start_s)
            begin = done / len(ranks)

            def report(share: float, begin: float = begin) -> None:
                on_progress(min(begin + share / len(ranks), 0.999))

            kept, bound = self._improve(members, floors, left_s / (len(ranks) - done), report)
            value = self.value_of(members, self.site_year)
            bound = max(bound, value)
            # Another plan of the classes before may have let this one have more.
            kept = max(min(kept, bound), value)
            floors.append((members, value))
            self.rows.append(
                {
                    "priority": rank,
                    "sites": members.size,
                    "served": int(np.count_nonzero(self.site_year[members] >= 0)),
                    "value": value,
                    "kept_bound": kept,
                    "kept_gap": _gap(value, kept),
                    "bound": bound,
                    "gap": _gap(value, bound),
                }
            )

    def _greedy(self, members: Ints) -> None:
        """Add sites to the plan in the order of worth per cost, as early as they fit."""
        rest = set(members.tolist()) - set(self.too_dear.tolist())
        while rest:
            best, best_worth = -1, -1.0
            for site in sorted(rest):
                cost = self.price[site] + sum(
                    self.piece_price[p] for p in self.pieces_of[site] if self.piece_year[p] < 0
                )
                per_cost = self.worth[site] / cost if cost > 0.0 else math.inf
                if per_cost > best_worth:
                    best, best_worth = site, per_cost
            rest.discard(best)
            for year in range(self.years):
                trial = self.site_year.copy()
                trial[best] = year
                if self._respects_order(trial) and self._take(trial):
                    break

    def _respects_order(self, site_year: Ints) -> bool:
        late = np.where(site_year < 0, self.years, site_year)
        return all(late[a] <= late[b] for a, b in self.before)

    def _take(self, site_year: Ints) -> bool:
        """Make these years the plan, unless that costs too much."""
        pieces = self.needed_years(site_year)
        known = self.piece_year
        # What is built ahead stays so.
        pieces = np.where((known >= 0) & (pieces >= 0), np.minimum(known, pieces), pieces)
        if not self.affordable(self.spent(site_year, pieces)):
            return False
        self.site_year, self.piece_year = site_year, pieces
        return True

    def _improve(
        self,
        members: Ints,
        floors: list[tuple[Ints, float]],
        limit_s: float,
        on_progress: Callable[[float], None],
    ) -> tuple[float, float]:
        """Solve the programme of one class.

        Returns
        -------
        tuple
            Bounds of its value: with the classes before as they are, and otherwise.
        """
        kept = math.inf
        if floors:
            # First with the classes before as they are: far fewer choices, good plans soon.
            begin_s = time.monotonic()
            solution = self._programme(
                members,
                floors,
                0.0,
                0.4 * limit_s,
                on_progress=lambda s: on_progress(0.4 * s),
                fixed=True,
            )
            kept = self._bound_of(solution, members)
            if solution.values is not None:
                self._accept(solution.values, members, floors)
            limit_s -= time.monotonic() - begin_s
        bound = math.inf
        before = self.site_year.copy()
        # Rounding may let a budget be exceeded by a hair: then once more with a hair less.
        for short in (0.0, 2e-6):
            solution = self._programme(
                members,
                floors,
                short,
                limit_s,
                on_progress=lambda s: on_progress(0.4 + 0.6 * s if floors else s),
            )
            if short == 0.0:
                bound = self._bound_of(solution, members)
            if solution.values is None or self._accept(solution.values, members, floors):
                break
        moved = [np.any(before[group] != self.site_year[group]) for group, _ in floors]
        # The first bound holds for the classes before as they were.
        return (bound if any(moved) or not floors else kept), bound

    def _bound_of(self, solution: milp.MilpSolution, members: Ints) -> float:
        """Return what no plan exceeds, from the bound that the solver found."""
        most = math.fsum((self.worth[members] * self.years).tolist())
        bound = -solution.bound if math.isfinite(solution.bound) else math.inf
        # The solver proves to one in a million.
        bound = min(bound + 2e-6 * abs(bound), most) if math.isfinite(bound) else most
        whole = bool(np.all(self.worth[members] == np.floor(self.worth[members])))
        return float(math.floor(bound + 1e-9)) if whole and most < 2.0**50 else bound

    def _accept(self, values: Floats, members: Ints, floors: list[tuple[Ints, float]]) -> bool:
        """Take a solution over if it keeps all rules and gains; say whether it keeps them."""
        served = values[: self.sites * self.years].reshape(self.sites, self.years) > 0.5
        site_year = np.where(served.any(axis=1), served.argmax(axis=1), -1)
        pieces = self.needed_years(site_year)
        if not self.carry_over:
            count = self.piece_price.size
            built = values[self.sites * self.years :].reshape(count, self.years) > 0.5
            ahead = np.where(built.any(axis=1), built.argmax(axis=1), -1)
            pieces = np.where((pieces >= 0) & (ahead >= 0), np.minimum(ahead, pieces), pieces)
        if not (self.affordable(self.spent(site_year, pieces)) and self._respects_order(site_year)):
            return False
        kept = all(
            self.value_of(group, site_year) >= value * (1.0 - 2.0 * _KEPT)
            for group, value in floors
        )
        gains = self.value_of(members, site_year) > self.value_of(members, self.site_year)
        if kept and gains:
            self.site_year, self.piece_year = site_year, pieces
        return kept

    def _programme(
        self,
        members: Ints,
        floors: list[tuple[Ints, float]],
        short: float,
        limit_s: float,
        *,
        on_progress: Callable[[float], None],
        fixed: bool = False,
    ) -> milp.MilpSolution:
        """Solve the programme of a class, its earlier ones as good as now or `fixed`."""
        sites, years, pieces = self.sites, self.years, self.piece_price.size
        x = np.arange(sites * years).reshape(sites, years)
        z = sites * years + np.arange(pieces * years).reshape(pieces, years)
        columns = (sites + pieces) * years
        entries: list[tuple[Ints, Ints, Floats]] = []
        low: list[Floats] = []
        high: list[Floats] = []
        count = 0

        def less(smaller: Ints, larger: Ints) -> None:
            """Add the rows smaller - larger <= 0."""
            nonlocal count
            row = count + np.arange(smaller.size)
            one = np.ones(smaller.size)
            entries.append((row, smaller.ravel(), one))
            entries.append((row, larger.ravel(), -one))
            low.append(np.full(smaller.size, -np.inf))
            high.append(np.zeros(smaller.size))
            count += smaller.size

        less(x[:, :-1], x[:, 1:])
        less(z[:, :-1], z[:, 1:])
        for piece, users in enumerate(self.users):
            less(x[users], np.broadcast_to(z[piece], (users.size, years)))
        for a, b in self.before:
            less(x[b], x[a])
        scale = max(float(self.money.sum()), 1e-300)
        price = np.concatenate([self.price, self.piece_price]) / scale
        built = np.concatenate([x, z])
        money = (np.cumsum(self.money) if self.carry_over else self.money) / scale
        for year in range(years):
            entries.append((np.full(price.size, count), built[:, year], price))
            if not self.carry_over and year > 0:
                entries.append((np.full(price.size, count), built[:, year - 1], -price))
            low.append(np.array([-np.inf]))
            high.append(np.array([money[year] * (1.0 - short)]))
            count += 1
        upper = np.ones(columns)
        upper[x[self.too_dear].ravel()] = 0.0
        served = _served_from(self.site_year, years)
        for group, value in floors:
            if fixed:
                upper[x[group]] = served[group]
                at = x[group][served[group]]
                if at.size:
                    entries.append((np.full(at.size, count), at, np.ones(at.size)))
                    low.append(np.array([float(at.size)]))
                    high.append(np.array([np.inf]))
                    count += 1
                continue
            if value <= 0.0:
                continue
            at = x[group].ravel()
            each = np.repeat(self.worth[group], years) / value
            entries.append((np.full(at.size, count), at, each))
            low.append(np.array([1.0 - _KEPT]))
            high.append(np.array([np.inf]))
            count += 1
        matrix = scipy.sparse.csr_array(
            (
                np.concatenate([e[2] for e in entries]),
                (np.concatenate([e[0] for e in entries]), np.concatenate([e[1] for e in entries])),
            ),
            shape=(count, columns),
        )
        gain = np.zeros(columns)
        gain[x[members].ravel()] = np.repeat(self.worth[members], years)
        unit = max(float(gain.max(initial=0.0)), 1e-300)
        is_whole = np.ones(columns, bool)
        if self.carry_over:
            # A piece is never worth building in part: it is whole by itself.
            is_whole[z.ravel()] = False
        start = np.zeros(columns)
        start[x] = served
        start[z] = _served_from(self.piece_year, years)
        solution = milp.minimise(
            -gain / unit,
            matrix,
            np.concatenate(low),
            np.concatenate(high),
            upper=upper,
            is_whole=is_whole,
            time_limit_s=limit_s,
            start=start,
            on_progress=on_progress,
        )
        bound = solution.bound * unit if math.isfinite(solution.bound) else solution.bound
        return milp.MilpSolution(solution.values, bound)

    def result(self) -> Phases:
        """Return the plan after a last check."""
        spent = self.spent(self.site_year, self.piece_year)
        if not (self.affordable(spent) and self._respects_order(self.site_year)):
            raise RuntimeError("the plan breaks a budget or an order")
        edge_year = np.full(self.edge_price.size, -1, np.int64)
        used = self.piece_of >= 0
        edge_year[used] = self.piece_year[self.piece_of[used]]
        columns = ["priority", "sites", "served", "value"]
        columns += ["kept_bound", "kept_gap", "bound", "gap"]
        return Phases(
            self.site_year,
            edge_year,
            spent,
            pd.DataFrame(self.rows, columns=columns),
            self.too_dear,
        )
