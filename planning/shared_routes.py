"""Routes of several carriers built apart or together: what each saves, split fairly.

A coalition builds one trench where its members need one each, and its members open
their own ducts and cables to each other. What a coalition costs is found with
`planning.steiner` for every coalition, as a tree and a proven bound; members that gain
nothing by joining the others stay apart, so building together is never dearer.

What is shared are the routes: that a cable for several carriers has more cores is not
part of the comparison.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from data.errors import InputError, Message, message
from planning.cost import UnitCost
from planning.route_graph import RouteGraph
from planning.steiner import SteinerTree, relative_gap, steiner_tree

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Split = Literal["shapley", "proportional"]

#: Beyond this many carriers the 2^n coalitions take too long to design.
MOST_CARRIERS = 8

#: Sums of money that differ by less than this share are one sum.
_ROUND = 1e-9


@dataclass(frozen=True, eq=False)
class Carrier:
    """A carrier with places to connect.

    Parameters
    ----------
    name
        Its name.
    terminals
        Nodes to connect with each other, its exchange among them, at least one.
    cost
        What each edge costs this carrier alone, shape (edges,): little where it has a duct,
        infinite where it may not go, e.g. in another one's cable.
    """

    name: str
    terminals: tuple[int, ...]
    cost: Floats


@dataclass(frozen=True)
class Coalition:
    """Carriers that build together.

    Parameters
    ----------
    members
        Positions of the carriers.
    cost
        Of the best routes found.
    lower_bound
        No routes of these carriers cost less (proven).
    blocks
        Members that share one connected design; between blocks nothing is shared.
    """

    members: tuple[int, ...]
    cost: float
    lower_bound: float
    blocks: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class SharedRoutes:
    """A joint design beside separate ones.

    Parameters
    ----------
    carriers
        Per carrier: name, alone and alone_bound (cost of its own design and the proven
        bound of that), pays, pays_low and pays_high (its part of the joint cost, and
        where it lies if all designs were the cheapest ones), saving, better_off (pays no
        more than alone) and surely_better_off (pays no more than the proven bound of
        its own design).
    stretches
        Edges of any of the designs: edge, alone (names of the carriers whose separate
        designs use it), together (whose part of the joint design it is), cost_alone
        (of all separate designs), cost_once (of the cheapest of them), cost_together.
    coalitions
        All that were designed.
    separate_cost, joint_cost
        Of all separate designs, and of the joint one.
    joint_bound, gap
        Proven bound of the joint cost, and how much dearer than it the design may be.
    split
        How the cost was split.
    dissatisfied
        Coalitions that would pay less by themselves than they do here.
    notes
        What a reader should know.
    """

    carriers: pd.DataFrame
    stretches: pd.DataFrame
    coalitions: tuple[Coalition, ...]
    separate_cost: float
    joint_cost: float
    joint_bound: float
    gap: float
    split: Split
    dissatisfied: tuple[Coalition, ...]
    notes: tuple[Message, ...]


def share_routes(
    tail: ArrayLike,
    head: ArrayLike,
    carriers: Sequence[Carrier],
    *,
    split: Split = "shapley",
    time_limit_s: float = 60.0,
    on_progress: Callable[[float], None] = lambda _: None,
) -> SharedRoutes:
    """Compare separate designs of several carriers with one joint design.

    Parameters
    ----------
    tail, head
        Ends of the edges, as for `steiner_tree`.
    carriers
        At least one and at most `MOST_CARRIERS`, of different names.
    split
        ``"shapley"``: each pays what it adds to the cost, averaged over all orders in
        which the carriers could join. ``"proportional"``: by the cost of its own design.
    time_limit_s
        For all designs together; small networks take less. [s]
    on_progress
        Called with the share done; it may raise `CancelledError`.

    Returns
    -------
    SharedRoutes
        Costs, savings, stretches.

    Raises
    ------
    InputError
        If names are not different, sizes do not fit, there are too many carriers, or a
        carrier's places cannot be connected.

    References
    ----------
    L. S. Shapley, A value for n-person games, in: Contributions to the Theory of Games
    II, Princeton 1953.

    Examples
    --------
    Two carriers need the same line of 10, and a branch of 1 each:

    >>> cost = np.array([10.0, 1.0, 1.0])
    >>> both = [Carrier("A", (0, 2), cost), Carrier("B", (0, 3), cost)]
    >>> shared = share_routes([0, 1, 1], [1, 2, 3], both)
    >>> shared.separate_cost, shared.joint_cost, shared.carriers["pays"].tolist()
    (22.0, 12.0, [6.0, 6.0])
    """
    ends = np.asarray(tail), np.asarray(head)
    _check(carriers, len(ends[0]), split)
    count = len(carriers)
    groups = _subsets(count)
    until_s = time.monotonic() + time_limit_s
    trees: dict[tuple[int, ...], tuple[SteinerTree, Ints]] = {}
    for number, members in enumerate(groups):
        done, part = number / len(groups), 1.0 / len(groups)
        trees[members] = _tree(
            ends,
            [carriers[i] for i in members],
            max(until_s - time.monotonic(), 0.0) / (len(groups) - number),
            lambda share, done=done, part=part: on_progress(done + part * share),  # type: ignore[misc]
        )
    coalitions = _coalitions(trees)
    whole = coalitions[tuple(range(count))]
    alone = np.array([coalitions[(i,)].cost for i in range(count)])
    alone_bound = np.array([coalitions[(i,)].lower_bound for i in range(count)])
    if split == "shapley":
        pays, low, high = _shapley(count, coalitions)
    else:
        pays, low, high = _proportional(alone, alone_bound, whole)
    room = _ROUND * max(float(alone.sum()), 0.0)
    table = pd.DataFrame(
        {
            "carrier": [carrier.name for carrier in carriers],
            "alone": alone,
            "alone_bound": alone_bound,
            "pays": pays,
            "pays_low": low,
            "pays_high": high,
            "saving": alone - pays,
            "better_off": pays <= alone + room,
            "surely_better_off": pays <= alone_bound + room,
        }
    )
    unhappy = tuple(
        coalition
        for members, coalition in sorted(coalitions.items())
        if len(members) < count and pays[list(members)].sum() > coalition.cost + room
    )
    separate = math.fsum(alone.tolist())
    on_progress(1.0)
    return SharedRoutes(
        table,
        _stretches(ends, carriers, trees, whole),
        tuple(coalitions[members] for members in sorted(coalitions, key=lambda m: (len(m), m))),
        separate,
        whole.cost,
        whole.lower_bound,
        relative_gap(whole.cost, whole.lower_bound),
        split,
        unhappy,
        _notes(split, coalitions),
    )


def overlap(shared: SharedRoutes) -> pd.DataFrame:
    """Return the stretches where two or more separate designs would dig side by side.

    Parameters
    ----------
    shared
        From `share_routes`.

    Returns
    -------
    DataFrame
        Rows of `shared.stretches` with two or more names in `alone`, and `saved`: what
        building there once saves, the routes being as they are.
    """
    several = shared.stretches["alone"].map(len) > 1
    found = shared.stretches[several].copy()
    found["saved"] = found["cost_alone"] - found["cost_once"]
    return found.reset_index(drop=True)


def carriers_on(
    graph: RouteGraph,
    segments: gpd.GeoDataFrame | None,
    terminals: Mapping[str, Sequence[int]],
    costs: Mapping[str, UnitCost],
    *,
    cores: int = 1,
) -> list[Carrier]:
    """Return carriers on a graph of routes, with what each edge costs each of them.

    One's own duct costs the cable, another one's duct the cable and the rent, free cores
    of one's own cable their splicing; another one's cable cannot be used alone.

    Parameters
    ----------
    graph
        From `planning.route_graph.build` with ``owner=None``.
    segments
        Layer `fibre_segments` that the graph was made of, or None.
    terminals
        Name, as in the segments' `owner`, -> nodes to connect.
    costs
        From `planning.cost.unit_costs`.
    cores
        Fibres needed.

    Returns
    -------
    list of Carrier
        In the order of `terminals`.
    """
    of_segment = np.flatnonzero((graph.layer == "fibre_segments") & (graph.row >= 0))
    row = graph.row[of_segment]
    # Crossings stay as they are: only the metres have another price.
    unit = np.array([costs[str(item)].cost.typical for item in graph.item])
    crossings = graph.cost - unit * graph.length_m
    carriers = []
    for name, nodes in terminals.items():
        price = graph.cost.astype(np.float64).copy()
        if segments is not None and len(of_segment):
            part = segments.iloc[row]
            mine = (part["owner"] == name).fillna(False).to_numpy(dtype=bool)
            kind = part["segment_type"].to_numpy(dtype=object)
            free = pd.to_numeric(part["cores"]) - pd.to_numeric(part["cores_used"]).fillna(0)
            spare = (free >= cores).fillna(False).to_numpy(dtype=bool) & mine
            per_m = np.full(len(part), np.inf)
            for where, item in (
                (kind == "aerial", "aerial_existing_poles"),
                ((kind == "duct") & ~mine, "cable_in_rented_duct"),
                ((kind == "duct") & mine, "cable_in_own_duct"),
                (spare, "spare_cores"),
            ):
                per_m = np.where(where, np.minimum(per_m, costs[item].cost.typical), per_m)
            price[of_segment] = per_m * graph.length_m[of_segment] + np.maximum(
                crossings[of_segment], 0.0
            )
        carriers.append(Carrier(name, tuple(int(node) for node in nodes), price))
    return carriers


# ----------------------------------------------------------------------------------------
# Designs


def _check(carriers: Sequence[Carrier], edges: int, split: str) -> None:
    if split not in ("shapley", "proportional"):
        raise InputError(
            "There is no way to split costs called {value} (expected one of {expected})",
            value=split,
            expected="shapley, proportional",
        )
    if not carriers:
        raise InputError("There is no carrier to compare routes for")
    if len(carriers) > MOST_CARRIERS:
        raise InputError(
            "There are {count} carriers, but at most {most} can be compared: every group of them "
            "is designed",
            count=len(carriers),
            most=MOST_CARRIERS,
        )
    names = [carrier.name for carrier in carriers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError("The carrier {value} is there twice", value=twice[0])
    for carrier in carriers:
        price = np.asarray(carrier.cost, dtype=np.float64)
        if price.shape != (edges,):
            raise InputError(
                "Carrier {carrier} has {found} costs, expected one for each of {count} edges",
                carrier=carrier.name,
                found=price.size,
                count=edges,
            )
        wrong = np.flatnonzero(~(price >= 0.0))
        if len(wrong):
            raise InputError(
                "Carrier {carrier}, edge {index}: the cost is {value}, expected a number from 0, "
                "or infinite where it may not go",
                carrier=carrier.name,
                index=int(wrong[0]),
                value=float(price[wrong[0]]),
            )
        if not carrier.terminals:
            raise InputError("Carrier {carrier} has no place to connect", carrier=carrier.name)


def _subsets(count: int) -> list[tuple[int, ...]]:
    sizes = range(1, count + 1)
    return [members for size in sizes for members in itertools.combinations(range(count), size)]


def _tree(
    ends: tuple[NDArray[np.generic], NDArray[np.generic]],
    members: Sequence[Carrier],
    time_limit_s: float,
    on_progress: Callable[[float], None],
) -> tuple[SteinerTree, Ints]:
    """Return the tree of members that share one design, and its edges in the given arrays."""
    price = np.min([member.cost for member in members], axis=0)
    usable = np.flatnonzero(np.isfinite(price))
    terminals = sorted({node for member in members for node in member.terminals})
    if len(terminals) == 1:
        return SteinerTree(np.zeros(0, np.int64), 0.0, 0.0, 0.0), np.zeros(0, np.int64)
    try:
        tree = steiner_tree(
            ends[0][usable],
            ends[1][usable],
            price[usable],
            terminals,
            time_limit_s=time_limit_s,
            on_progress=on_progress,
        )
    except InputError as error:
        if len(members) > 1:
            # Carriers on parts of the network that do not meet stay apart.
            return SteinerTree(np.zeros(0, np.int64), math.inf, math.inf, 0.0), np.zeros(
                0, np.int64
            )
        raise InputError(
            "Carrier {carrier}: {reason}", carrier=members[0].name, reason=error.message
        ) from error
    return tree, usable[tree.edges]


def _coalitions(
    trees: Mapping[tuple[int, ...], tuple[SteinerTree, Ints]],
) -> dict[tuple[int, ...], Coalition]:
    """Return each coalition's best division into blocks that share a design."""
    found: dict[tuple[int, ...], Coalition] = {}
    for members in sorted(trees, key=lambda group: (len(group), group)):
        tree = trees[members][0]
        cost, lower = tree.cost, tree.lower_bound
        blocks: tuple[tuple[int, ...], ...] = (members,)
        # The block of the first member, and the best division of the others.
        first, others = members[0], members[1:]
        for size in range(len(others)):
            for beside in itertools.combinations(others, size):
                rest = found[tuple(i for i in others if i not in beside)]
                block = (first, *beside)
                lower = min(lower, trees[block][0].lower_bound + rest.lower_bound)
                # At equal cost they stay apart.
                if trees[block][0].cost + rest.cost <= cost:
                    cost = trees[block][0].cost + rest.cost
                    blocks = (block, *rest.blocks)
        found[members] = Coalition(members, cost, min(lower, cost), blocks)
    return found


def _notes(split: Split, coalitions: Mapping[tuple[int, ...], Coalition]) -> tuple[Message, ...]:
    notes = [
        message(
            "Shared are trenches, ducts and pole lines; additional cores for several carriers are "
            "not counted"
        )
    ]
    if split == "shapley":
        notes.append(
            message(
                "The joint cost is split by the Shapley value: each carrier pays what it adds, "
                "averaged over all orders of joining"
            )
        )
    else:
        notes.append(
            message("The joint cost is split in proportion to the costs of the separate designs")
        )
    gaps = [relative_gap(one.cost, one.lower_bound) for one in coalitions.values()]
    if max(gaps) > _ROUND:
        notes.append(
            message(
                "Designs cost up to {percent} % more than the least that is proven, so the parts "
                "are given with the range in which they lie",
                percent=f"{100.0 * max(gaps):.2g}",
            )
        )
    return tuple(notes)


# ----------------------------------------------------------------------------------------
# Splitting


def _shapley(
    count: int, coalitions: Mapping[tuple[int, ...], Coalition]
) -> tuple[Floats, Floats, Floats]:
    """Return the Shapley value of each carrier and the range in which the true one lies."""
    pays, low, high = np.zeros(count), np.zeros(count), np.zeros(count)
    nobody = Coalition((), 0.0, 0.0, ())
    for i in range(count):
        others = [k for k in range(count) if k != i]
        terms: list[tuple[float, float, float]] = []
        for size in range(count):
            share = 1.0 / (count * math.comb(count - 1, size))
            for before in itertools.combinations(others, size):
                without = coalitions.get(before, nobody)
                joined = coalitions[tuple(sorted((*before, i)))]
                terms.append(
                    (
                        share * (joined.cost - without.cost),
                        share * (joined.lower_bound - without.cost),
                        share * (joined.cost - without.lower_bound),
                    )
                )
        pays[i], low[i], high[i] = (math.fsum(column) for column in zip(*terms, strict=True))
    return pays, low, high


def _proportional(
    alone: Floats, alone_bound: Floats, whole: Coalition
) -> tuple[Floats, Floats, Floats]:
    """Return the parts in proportion to the cost alone, and the range of the true ones."""
    if alone.sum() == 0.0:
        nothing = np.zeros(len(alone))
        return nothing, nothing.copy(), nothing.copy()
    pays = whole.cost * alone / alone.sum()
    others_high, others_low = alone.sum() - alone, alone_bound.sum() - alone_bound
    with np.errstate(invalid="ignore", divide="ignore"):
        least = np.where(alone_bound > 0.0, alone_bound / (alone_bound + others_high), 0.0)
        greatest = np.where(alone > 0.0, alone / (alone + others_low), 0.0)
    return pays, whole.lower_bound * least, whole.cost * greatest


# ----------------------------------------------------------------------------------------
# Stretches


def _stretches(
    ends: tuple[NDArray[np.generic], NDArray[np.generic]],
    carriers: Sequence[Carrier],
    trees: Mapping[tuple[int, ...], tuple[SteinerTree, Ints]],
    whole: Coalition,
) -> pd.DataFrame:
    """Return who uses which edge in the separate designs and in the joint one."""
    alone: dict[int, list[int]] = {}
    for i in range(len(carriers)):
        for edge in trees[(i,)][1].tolist():
            alone.setdefault(edge, []).append(i)
    together: dict[int, list[int]] = {}
    price: dict[int, float] = {}
    for block in whole.blocks:
        edges = trees[block][1]
        least = np.min([carriers[i].cost for i in block], axis=0)
        for i in block:
            for edge in _used(ends, edges, set(carriers[i].terminals)):
                together.setdefault(edge, []).append(i)
        for edge in edges.tolist():
            price[edge] = price.get(edge, 0.0) + float(least[edge])
    rows = []
    for edge in sorted({*alone, *price}):
        users = alone.get(edge, [])
        each = [float(carriers[i].cost[edge]) for i in users]
        rows.append(
            {
                "edge": edge,
                "alone": tuple(carriers[i].name for i in users),
                "together": tuple(carriers[i].name for i in sorted(set(together.get(edge, [])))),
                "cost_alone": math.fsum(each),
                "cost_once": min(each, default=0.0),
                "cost_together": price.get(edge, 0.0),
            }
        )
    columns = ["edge", "alone", "together", "cost_alone", "cost_once", "cost_together"]
    return pd.DataFrame(rows, columns=columns)


def _used(
    ends: tuple[NDArray[np.generic], NDArray[np.generic]], edges: Ints, wanted: set[int]
) -> list[int]:
    """Return the edges of a tree that lie between some of its nodes."""
    links: dict[int, dict[int, int]] = {}
    for edge in edges.tolist():
        a, b = int(ends[0][edge]), int(ends[1][edge])
        links.setdefault(a, {})[b] = edge
        links.setdefault(b, {})[a] = edge
    leaves = [node for node, near in links.items() if len(near) == 1 and node not in wanted]
    while leaves:
        node = leaves.pop()
        other = next(iter(links[node]))
        del links[other][node], links[node]
        if len(links[other]) == 1 and other not in wanted:
            leaves.append(other)
    return sorted({edge for near in links.values() for edge in near.values()})
