"""The exact chance that given nodes of a small network are up and connected.

Series, parallel and mandatory parts are reduced; what is left is split at cut nodes
and factored: a shared risk, a node or an edge is taken as up and as down, and both
networks are reduced again. The work grows exponentially with how meshed a network
is, so that every call has a limit of states.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

#: tail, head, chance that it is up, shared risks that must be up too.
Edge = tuple[int, int, float, frozenset[int]]

_NONE: frozenset[int] = frozenset()


#: Edges, doubtful nodes and risks that are left when nothing simplifies any more, up to
#: which one after the other is taken as up and as down. Each is a step of recursion.
MOST_LEFT = 300


class TooLargeError(Exception):
    """The limit of states is reached, or too much is left to try."""


@dataclass
class Budget:
    """How many more states may be looked at, and what those looked at came to."""

    states: int
    known: dict[object, float] = field(default_factory=dict)

    def spend(self) -> None:
        """Count one state; raise `TooLargeError` at the limit."""
        if self.states <= 0:
            raise TooLargeError
        self.states -= 1


def chance_connected(
    edges: Iterable[Edge],
    node_up: Mapping[int, float],
    group_up: Mapping[int, float],
    terminals: Iterable[int],
    budget: Budget,
) -> float:
    """Return the chance that all terminals are up and connected by what is up.

    Parameters
    ----------
    edges
        Edges of the undirected network, loops and parallel ones allowed.
    node_up, group_up
        Chance that a node or a shared risk is up; 1 where not given. All are
        independent of each other.
    terminals
        Nodes to connect.
    budget
        Limit of states.

    Returns
    -------
    float
        Chance from 0 to 1, exact but for rounding.

    Raises
    ------
    TooLargeError
        If the limit is reached, or more than `MOST_LEFT` cannot be simplified.

    Examples
    --------
    A ring of three, every edge up nine times in ten: directly, or the other way round.

    >>> ring = [(0, 1, 0.9, frozenset()), (1, 2, 0.9, frozenset()), (2, 0, 0.9, frozenset())]
    >>> round(chance_connected(ring, {}, {}, [0, 1], Budget(100)), 6)
    0.981
    """
    ends = set(terminals)
    own = math.prod(node_up.get(node, 1.0) for node in ends)
    state = _State({}, dict(node_up), dict(group_up), ends)
    for tail, head, chance, risks in edges:
        state.add(tail, head, chance, frozenset(r for r in risks if group_up.get(r, 1.0) < 1.0))
    return own * _solve(state, budget) if own > 0.0 else 0.0


@dataclass
class _State:
    """A network in the course of reduction.

    Parameters
    ----------
    at
        Edges at each node: number of the edge to its record.
    node_up, group_up
        As for `chance_connected`; terminals count as up.
    terminals
        Nodes to connect.
    """

    at: dict[int, dict[int, Edge]]
    node_up: dict[int, float]
    group_up: dict[int, float]
    terminals: set[int]
    next_number: int = 0

    def copy(self) -> _State:
        """Return a copy that can be changed on its own."""
        at = {node: dict(edges) for node, edges in self.at.items()}
        return _State(at, dict(self.node_up), self.group_up, set(self.terminals), self.next_number)

    def add(self, tail: int, head: int, chance: float, risks: frozenset[int]) -> None:
        """Put an edge in, unless it is of no use."""
        if tail == head or chance <= 0.0:
            return
        record = (tail, head, chance, risks)
        self.at.setdefault(tail, {})[self.next_number] = record
        self.at.setdefault(head, {})[self.next_number] = record
        self.next_number += 1

    def remove(self, number: int, edge: Edge) -> None:
        """Take an edge out."""
        self.at[edge[0]].pop(number, None)
        self.at[edge[1]].pop(number, None)

    def remove_node(self, node: int) -> None:
        """Take a node out with its edges."""
        for number, edge in list(self.at.get(node, {}).items()):
            self.remove(number, edge)
        self.at.pop(node, None)

    def edges(self) -> dict[int, Edge]:
        """Return all edges by number."""
        return {number: edge for edges in self.at.values() for number, edge in edges.items()}

    def key(self) -> object:
        """Return what the chance depends on: different orders of factoring meet again."""
        edges = self.edges().values()
        ends = frozenset((min(e[:2]), max(e[:2]), *e[2:]) for e in edges)
        doubtful = frozenset((node, self.up(node)) for node in self.at if self.up(node) < 1.0)
        risks = frozenset((risk, self.group_up[risk]) for e in edges for risk in e[3])
        return ends, doubtful, risks, frozenset(self.terminals)

    def up(self, node: int) -> float:
        """Return the chance that a node is up, given that the terminals are."""
        return 1.0 if node in self.terminals else self.node_up.get(node, 1.0)

    def merge(self, gone: int, kept: int) -> None:
        """Make two nodes one."""
        for number, (tail, head, chance, risks) in list(self.at.get(gone, {}).items()):
            self.remove(number, (tail, head, chance, risks))
            self.add(kept if tail == gone else tail, kept if head == gone else head, chance, risks)
        self.at.pop(gone, None)
        self.at.setdefault(kept, {})
        if gone in self.terminals:
            self.terminals.discard(gone)
            self.terminals.add(kept)

    def change_risks(self, renamed: Mapping[int, int | None]) -> None:
        """Rename shared risks everywhere, or take them off the edges (None)."""
        for number, (tail, head, chance, risks) in self.edges().items():
            if risks.isdisjoint(renamed):
                continue
            names = (renamed.get(r, r) for r in risks)
            changed = (tail, head, chance, frozenset(r for r in names if r is not None))
            self.at[tail][number] = changed
            self.at[head][number] = changed

    def without_risk(self, risk: int, *, is_up: bool) -> _State:
        """Return the network in which a shared risk is up, or down with its edges."""
        other = self.copy()
        if is_up:
            other.change_risks({risk: None})
        else:
            for number, edge in other.edges().items():
                if risk in edge[3]:
                    other.remove(number, edge)
        return other


def _solve(state: _State, budget: Budget) -> float:
    """Return the chance that the terminals, all up, are connected."""
    budget.spend()
    factor = _reduce(state)
    if factor == 0.0 or len(state.terminals) == 1:
        return factor
    blocks = _blocks(state)
    if blocks is None:
        return 0.0
    kept, cut_nodes = blocks
    for node in cut_nodes:
        factor *= state.up(node)
        state.terminals.add(node)
    spanning = _spanning(kept)
    if spanning is None and len(kept) > 1:
        for part in kept:
            factor *= _solve(_part(state, part), budget)
        return factor
    used = {number: edge for part in kept for number, edge in part.items()}
    state = _part(state, used)
    if _left(state) > MOST_LEFT:
        raise TooLargeError
    key = state.key()
    if key not in budget.known:
        budget.known[key] = _factor(state, spanning, budget)
    return factor * budget.known[key]


def _left(state: _State) -> int:
    """Return how many edges, doubtful nodes and risks a state has."""
    edges = state.edges()
    risks = {name for edge in edges.values() for name in edge[3]}
    return len(edges) + len(risks) + sum(state.up(node) < 1.0 for node in state.at)


def _part(state: _State, edges: dict[int, Edge]) -> _State:
    part = _State({}, dict(state.node_up), state.group_up, set(), state.next_number)
    for number, edge in edges.items():
        for node in edge[:2]:
            part.at.setdefault(node, {})[number] = edge
    part.terminals = state.terminals & part.at.keys()
    return part


def _factor(state: _State, risk: int | None, budget: Budget) -> float:
    """Take one thing as up and as down."""
    if risk is None:
        uses: dict[int, int] = {}
        for edge in state.edges().values():
            for name in edge[3]:
                uses[name] = uses.get(name, 0) + 1
        if uses:
            risk = max(uses, key=lambda name: (uses[name], -name))
    if risk is not None:
        chance = state.group_up[risk]
        result = chance * _solve(state.without_risk(risk, is_up=True), budget)
        if chance < 1.0:
            result += (1.0 - chance) * _solve(state.without_risk(risk, is_up=False), budget)
        return result
    # Always growing from one terminal, so that different orders meet in the same state.
    start = min(state.terminals)
    beside = {e[0] + e[1] - start for e in state.at[start].values()}
    doubtful = [node for node in beside if state.up(node) < 1.0]
    if doubtful:
        node = max(doubtful, key=lambda other: (len(state.at[other]), -other))
        chance = state.up(node)
        down = state.copy()
        down.remove_node(node)
        state.node_up[node] = 1.0
        return chance * _solve(state, budget) + (1.0 - chance) * _solve(down, budget)
    number, edge = min(state.at[start].items(), key=lambda item: item[1][0] + item[1][1])
    down = state.copy()
    down.remove(number, edge)
    state.remove(number, edge)
    state.merge(edge[0] + edge[1] - start, start)
    return edge[2] * _solve(state, budget) + (1.0 - edge[2]) * _solve(down, budget)


# ----------------------------------------------------------------------------------------
# Reductions


def _reduce(state: _State) -> float:
    """Reduce series, parallel, dangling and mandatory parts; return what they multiply by."""
    factor = 1.0
    while True:
        waiting = set(state.at) | state.terminals
        while waiting:
            node = waiting.pop()
            if node not in state.at and node not in state.terminals:
                continue
            if len(state.terminals) == 1:
                return factor
            step = _reduce_at(state, node, waiting)
            factor *= step
            if factor == 0.0:
                return 0.0
        if not _simplify_risks(state):
            return factor


def _reduce_at(state: _State, node: int, waiting: set[int]) -> float:
    """Reduce around one node; note the nodes to look at again; return the factor."""
    edges = state.at.setdefault(node, {})
    _merge_parallel(state, node)
    if node in state.terminals:
        if not edges:
            return 0.0
        if len(edges) == 1:
            return _take_mandatory(state, node, waiting)
    elif len(edges) <= 1:
        waiting.update(e[0] + e[1] - node for e in edges.values())
        state.remove_node(node)
        return 1.0
    elif len(edges) == 2:
        (_, one), (_, two) = edges.items()
        ends = one[0] + one[1] - node, two[0] + two[1] - node
        chance = one[2] * two[2] * state.up(node)
        state.remove_node(node)
        state.add(*ends, chance, one[3] | two[3])
        waiting.update(ends)
        return 1.0
    if state.up(node) >= 1.0:
        for number, edge in list(edges.items()):
            other = edge[0] + edge[1] - node
            if edge[2] >= 1.0 and not edge[3] and state.up(other) >= 1.0:
                state.remove(number, edge)
                state.merge(other, node)
                waiting.update([node, *(e[0] + e[1] - node for e in state.at[node].values())])
                return 1.0
    return 1.0


def _merge_parallel(state: _State, node: int) -> None:
    by_way: dict[tuple[int, frozenset[int]], tuple[int, Edge]] = {}
    for number, edge in list(state.at[node].items()):
        way = edge[0] + edge[1] - node, edge[3]
        if way not in by_way:
            by_way[way] = number, edge
            continue
        first, known = by_way[way]
        both = 1.0 - (1.0 - known[2]) * (1.0 - edge[2])
        state.remove(number, edge)
        merged = (known[0], known[1], both, known[3])
        state.at[known[0]][first] = merged
        state.at[known[1]][first] = merged
        by_way[way] = first, merged


def _take_mandatory(state: _State, node: int, waiting: set[int]) -> float:
    """Contract the only edge of a terminal: it must be up, with all that it needs."""
    ((number, edge),) = state.at[node].items()
    other = edge[0] + edge[1] - node
    factor = edge[2] * state.up(other)
    for risk in edge[3]:
        factor *= state.group_up[risk]
    state.remove(number, edge)
    state.terminals.add(other)
    state.merge(node, other)
    if edge[3]:
        state.change_risks(dict.fromkeys(edge[3]))
        waiting.update(state.at)
    waiting.add(other)
    return factor


def _simplify_risks(state: _State) -> bool:
    """Join risks that the same edges share, and put those of one edge into it."""
    users: dict[int, list[int]] = {}
    edges = state.edges()
    for number, edge in edges.items():
        for risk in edge[3]:
            users.setdefault(risk, []).append(number)
    if not users:
        return False
    changed = False
    same: dict[tuple[int, ...], int] = {}
    renamed: dict[int, int | None] = {}
    group_up = dict(state.group_up)
    for risk in sorted(users):
        numbers = tuple(sorted(users[risk]))
        if numbers in same:
            group_up[same[numbers]] *= group_up[risk]
            renamed[risk] = None
        else:
            same[numbers] = risk
    state.group_up = group_up
    if renamed:
        state.change_risks(renamed)
        edges = state.edges()
    for numbers, risk in same.items():
        if len(numbers) == 1:
            tail, head, chance, risks = edges[numbers[0]]
            single = (tail, head, chance * group_up[risk], risks - {risk})
            state.at[tail][numbers[0]] = single
            state.at[head][numbers[0]] = single
            edges[numbers[0]] = single
            changed = True
    return changed or bool(renamed)


# ----------------------------------------------------------------------------------------
# Blocks


def _blocks(state: _State) -> tuple[list[dict[int, Edge]], set[int]] | None:
    """Return the two-connected parts between the terminals and the cut nodes among them.

    Returns
    -------
    tuple
        Edges of each part by number, and the nodes that every connection of the
        terminals passes; None if the terminals are not connected.
    """
    start = min(state.terminals)
    place = {start: 0}
    low = {start: 0}
    behind: dict[int, int] = {}
    # A part counts if a terminal lies in it or behind it, seen from the start.
    parts: list[dict[int, Edge]] = []
    cut_nodes: set[int] = set()
    open_edges: list[tuple[int, Edge]] = []
    stack = [(start, -1, iter(list(state.at[start].items())))]
    behind[start] = 0
    while stack:
        node, via, rest = stack[-1]
        for number, edge in rest:
            if number == via:
                continue
            other = edge[0] + edge[1] - node
            if other not in place:
                open_edges.append((number, edge))
                place[other] = low[other] = len(place)
                behind[other] = int(other in state.terminals)
                stack.append((other, number, iter(list(state.at[other].items()))))
                break
            if place[other] < place[node]:
                open_edges.append((number, edge))
                low[node] = min(low[node], place[other])
        else:
            stack.pop()
            if not stack:
                break
            above = stack[-1][0]
            behind[above] += behind[node]
            low[above] = min(low[above], low[node])
            if low[node] >= place[above]:
                part: dict[int, Edge] = {}
                while True:
                    number, edge = open_edges.pop()
                    part[number] = edge
                    if number == via:
                        break
                if behind[node]:
                    parts.append(part)
                    cut_nodes.add(above)
    if not state.terminals <= place.keys():
        return None
    return parts, cut_nodes - state.terminals


def _spanning(parts: list[dict[int, Edge]]) -> int | None:
    """Return a shared risk of more than one part, if there is one."""
    home: dict[int, int] = {}
    for index, part in enumerate(parts):
        for edge in part.values():
            for risk in edge[3]:
                if home.setdefault(risk, index) != index:
                    return risk
    return None
