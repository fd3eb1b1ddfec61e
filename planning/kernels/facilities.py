"""Capacitated location: Lagrangian bound and annealing.

Homes with a demand (ports) are assigned to places. The places that home i may use are
``place[first[i]:first[i + 1]]`` at ``price[...]`` each, cheapest first; the homes of place
j are ``home[place_first[j]:place_first[j + 1]]`` at ``home_price[...]``. An open place costs
``fixed[j]``, and ``per_box`` for every box of ``ports`` ports, at most ``boxes``.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.uint8]


@njit(cache=True, nogil=True)
def lower_places(
    demand: Ints,
    place_first: Ints,
    home: Ints,
    home_price: Floats,
    fixed: Floats,
    per_box: float,
    ports: int,
    boxes: int,
    penalty: float,
    paid: Floats,
    best_paid: Floats,
    worth: Floats,
    best: float,
    target: float,
    pace: float,
    stale: int,
    steps: int,
) -> tuple[float, float, int]:
    """Raise the Lagrangian bound by subgradient steps.

    Home i offers ``paid[i]`` for being served, at most `penalty` per port, which is what
    it costs to leave it out. Each place takes the best offers into as many boxes as pay
    for themselves, the last one in part; ``worth[j]`` is what it then costs (below 0: it
    opens). The bound is the sum of the offers and of the worths below 0. `paid` moves;
    `best_paid` and `worth` belong to the best bound. Returns the best bound, and the
    pace and the number of steps without gain to go on with.
    """
    homes, places = demand.shape[0], fixed.shape[0]
    direction = np.zeros(homes)
    want = np.empty(homes)
    now = np.empty(places)
    room = 0
    for j in range(places):
        room = max(room, place_first[j + 1] - place_first[j])
    ratio = np.empty(room)
    for _ in range(steps):
        bound = 0.0
        for i in range(homes):
            bound += paid[i]
            want[i] = 1.0
        for j in range(places):
            start = place_first[j]
            count = 0
            for p in range(start, place_first[j + 1]):
                gain = home_price[p] - paid[home[p]]
                ratio[p - start] = gain / demand[home[p]]
                if gain < 0.0:
                    count += 1
            now[j] = fixed[j]
            if count == 0:
                continue
            order = np.argsort(ratio[: place_first[j + 1] - start])
            # As many boxes as pay: each further one takes worse offers.
            total = 0.0
            least = 0.0
            most = 0
            left = 0.0
            used = 0
            k = 0
            part = 0.0
            while used < boxes and k < count:
                used += 1
                left = float(ports)
                total += per_box
                while left > 1e-12 and k < count:
                    i = home[start + order[k]]
                    share = min(demand[i] * (1.0 - part), left)
                    total += ratio[order[k]] * share
                    left -= share
                    part += share / demand[i]
                    if part >= 1.0 - 1e-12:
                        part = 0.0
                        k += 1
                if total < least:
                    least, most = total, used
            now[j] += least
            if now[j] < 0.0:
                bound += now[j]
                left = float(ports) * most
                k = 0
                while left > 1e-12 and k < count:
                    i = home[start + order[k]]
                    share = min(float(demand[i]), left)
                    want[i] -= share / demand[i]
                    left -= share
                    k += 1
        if bound - best > 1e-9 * abs(bound):
            best = bound
            best_paid[:] = paid
            worth[:] = now
            stale = 0
        else:
            stale += 1
            if stale >= 15:
                stale = 0
                pace *= 0.7
                paid[:] = best_paid
                direction[:] = 0.0
        norm = 0.0
        for i in range(homes):
            if want[i] > 0.0 and paid[i] >= penalty * demand[i]:
                want[i] = 0.0
            direction[i] = 0.7 * want[i] + 0.3 * direction[i]
            norm += direction[i] * direction[i]
        if norm < 1e-12 or pace < 1e-4:
            break
        step = pace * max(target - bound, 1e-6 * abs(target)) / norm
        for i in range(homes):
            paid[i] = min(penalty * demand[i], max(0.0, paid[i] + step * direction[i]))
    return best, pace, stale


@njit(cache=True, nogil=True)
def _boxes(load: int, ports: int) -> int:
    return (load + ports - 1) // ports


@njit(cache=True, nogil=True)
def _place_cost(
    load: int, open_: int, fixed: float, per_box: float, ports: int, boxes: int, penalty: float
) -> float:
    """Return what a place costs; what does not fit costs twice what leaving it out does."""
    if not open_ and load == 0:
        return 0.0
    return fixed + per_box * _boxes(load, ports) + 2.0 * penalty * max(0, load - ports * boxes)


@njit(cache=True, nogil=True)
def anneal_places(
    demand: Ints,
    first: Ints,
    place: Ints,
    price: Floats,
    place_first: Ints,
    home: Ints,
    home_slot: Ints,
    fixed: Floats,
    per_box: float,
    ports: int,
    boxes: int,
    penalty: float,
    chosen: Ints,
    hot: float,
    cold: float,
    moves: int,
    seed: int,
) -> float:
    """Improve an assignment by annealing; return its cost.

    ``chosen[i]`` is the slot in `place` that home i uses, or -1; it is replaced by the
    best assignment found that overfills no place. ``home_slot[p]`` is the slot of the
    home ``home[p]`` at the place whose list p is in. Moves: open a place, close one,
    replace one by another, move a single home.
    """
    homes, places = demand.shape[0], fixed.shape[0]
    slot = chosen.copy()
    open_ = np.zeros(places, np.uint8)
    load = np.zeros(places, np.int64)
    cost = 0.0
    for i in range(homes):
        if slot[i] >= 0:
            open_[place[slot[i]]] = 1
            load[place[slot[i]]] += demand[i]
            cost += price[slot[i]]
        else:
            cost += penalty * demand[i]
    over = 0
    for j in range(places):
        cost += _place_cost(load[j], open_[j], fixed[j], per_box, ports, boxes, penalty)
        over += max(0, load[j] - ports * boxes)
    best = np.inf
    if over == 0:
        best = cost
    # What the last move changed, to take it back.
    moved = np.empty(2 * homes + 2, np.int64)
    before = np.empty(2 * homes + 2, np.int64)
    dice = np.uint64(seed)
    scale = 1.0 / 9007199254740992.0
    for move in range(moves):
        heat = hot * (cold / hot) ** (move / moves)
        dice = dice * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        kind = np.int64((dice >> np.uint64(33)) % np.uint64(10))
        dice = dice * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        one = np.int64((dice >> np.uint64(33)) % np.uint64(homes))
        dice = dice * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        width = first[one + 1] - first[one]
        if width == 0:
            continue
        target = first[one] + np.int64((dice >> np.uint64(33)) % np.uint64(width))
        comes = leaves = first[0] - 1
        if kind < 4:
            # A single home moves to an open place.
            if target == slot[one] or not open_[place[target]]:
                continue
        elif kind < 6:
            comes = place[target]
            if open_[comes]:
                continue
        elif kind < 8:
            if slot[one] < 0:
                continue
            leaves = place[slot[one]]
        else:
            comes = place[target]
            if open_[comes] or slot[one] < 0:
                continue
            leaves = place[slot[one]]
        count = 0
        change = 0.0
        opened = 0
        if comes >= 0:
            open_[comes] = 1
            opened = 1
            change += fixed[comes]
        if kind < 4:
            moved[0], before[0] = one, slot[one]
            count = 1
            old = slot[one]
            j = place[target]
            change += price[target]
            change -= _place_cost(load[j], 1, fixed[j], per_box, ports, boxes, penalty)
            load[j] += demand[one]
            change += _place_cost(load[j], 1, fixed[j], per_box, ports, boxes, penalty)
            if old >= 0:
                k = place[old]
                change -= price[old]
                change -= _place_cost(load[k], 1, fixed[k], per_box, ports, boxes, penalty)
                load[k] -= demand[one]
                change += _place_cost(load[k], 1, fixed[k], per_box, ports, boxes, penalty)
            else:
                change -= penalty * demand[one]
            slot[one] = target
        if comes >= 0:
            # Homes that are nearer to it, or left out, come over while there is room.
            for p in range(place_first[comes], place_first[comes + 1]):
                h = home[p]
                new = home_slot[p]
                old = slot[h]
                if old >= 0 and place[old] != leaves and price[old] <= price[new]:
                    continue
                if load[comes] + demand[h] > ports * boxes:
                    continue
                moved[count], before[count] = h, old
                count += 1
                change += price[new]
                change -= per_box * _boxes(load[comes], ports)
                load[comes] += demand[h]
                change += per_box * _boxes(load[comes], ports)
                if old >= 0:
                    k = place[old]
                    change -= price[old]
                    change -= _place_cost(load[k], 1, fixed[k], per_box, ports, boxes, penalty)
                    load[k] -= demand[h]
                    change += _place_cost(load[k], 1, fixed[k], per_box, ports, boxes, penalty)
                else:
                    change -= penalty * demand[h]
                slot[h] = new
        if leaves >= 0:
            open_[leaves] = 0
            for p in range(place_first[leaves], place_first[leaves + 1]):
                h = home[p]
                if slot[h] < 0 or place[slot[h]] != leaves:
                    continue
                # The cheapest open place with room; a box more may make another better.
                pick = -1
                least = penalty * demand[h]
                for q in range(first[h], first[h + 1]):
                    if price[q] >= least:
                        break
                    k = place[q]
                    if open_[k] and load[k] + demand[h] <= ports * boxes:
                        total = price[q] + per_box * (
                            _boxes(load[k] + demand[h], ports) - _boxes(load[k], ports)
                        )
                        if total < least:
                            least, pick = total, q
                moved[count], before[count] = h, slot[h]
                count += 1
                change -= price[slot[h]]
                change -= _place_cost(
                    load[leaves], 1, fixed[leaves], per_box, ports, boxes, penalty
                )
                load[leaves] -= demand[h]
                change += _place_cost(
                    load[leaves], 1, fixed[leaves], per_box, ports, boxes, penalty
                )
                change += least
                if pick >= 0:
                    load[place[pick]] += demand[h]
                slot[h] = pick
            change -= fixed[leaves]
        dice = dice * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        luck = np.float64(dice >> np.uint64(11)) * scale
        if change <= 0.0 or luck < np.exp(-change / heat):
            cost += change
            if cost < best - 1e-9 * abs(cost):
                over = 0
                for j in range(places):
                    over += max(0, load[j] - ports * boxes)
                if over == 0:
                    best = cost
                    chosen[:] = slot
            continue
        for back in range(count - 1, -1, -1):
            h = moved[back]
            if slot[h] >= 0:
                load[place[slot[h]]] -= demand[h]
            slot[h] = before[back]
            if slot[h] >= 0:
                load[place[slot[h]]] += demand[h]
        if opened:
            open_[comes] = 0
        if leaves >= 0:
            open_[leaves] = 1
    return best
