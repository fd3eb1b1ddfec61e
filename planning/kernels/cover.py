"""Set covering: merging, reductions, Lagrangian bounds, greedy choice and local search.

A table of demand rows and columns (sites) is given twice: the columns of row i are
``row_items[row_first[i]:row_first[i + 1]]``, ascending, and the rows of column j are
``col_items[col_first[j]:col_first[j + 1]]``.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Short = NDArray[np.int32]
Floats = NDArray[np.float64]
Mask = NDArray[np.uint8]


# ----------------------------------------------------------------------------------------
# Merging and reductions


@njit(cache=True, nogil=True)
def merge_rows(first: Ints, items: Short, slots: Short, group: Short, sample: Short) -> int:
    """Give equal rows one number, in order of first appearance; return how many there are.

    `slots` is filled with -1 and its length is a power of two above twice the number
    of rows. Empty rows get the number -1. ``sample[k]`` is a row of group k.
    """
    mask = np.uint64(slots.shape[0] - 1)
    groups = 0
    for i in range(first.shape[0] - 1):
        start, end = first[i], first[i + 1]
        if start == end:
            group[i] = -1
            continue
        code = np.uint64(end - start)
        for p in range(start, end):
            code = (code ^ np.uint64(items[p])) * np.uint64(0x9E3779B97F4A7C15)
            code ^= code >> np.uint64(29)
        at = code & mask
        while True:
            k = slots[np.int64(at)]
            if k < 0:
                slots[np.int64(at)] = groups
                sample[groups] = i
                group[i] = groups
                groups += 1
                break
            other = np.int64(first[sample[k]])
            same = np.int64(first[sample[k] + 1]) - other == end - start
            p = start
            while same and p < end:
                same = items[p] == items[other + p - start]
                p += 1
            if same:
                group[i] = k
                break
            at = (at + np.uint64(1)) & mask
    return groups


@njit(cache=True, nogil=True)
def _within(small: Short, large: Short) -> bool:
    """Return whether all of one ascending list stand in the other."""
    at = 0
    size = large.shape[0]
    if small.shape[0] > size:
        return False
    for value in small:
        while at < size and large[at] < value:
            at += 1
        if at == size or large[at] != value:
            return False
        at += 1
    return True


@njit(cache=True, nogil=True)
def drop_harder_rows(
    row_first: Ints,
    row_items: Short,
    col_first: Ints,
    col_items: Short,
    code: NDArray[np.uint64],
    removed: Mask,
    start: int,
    end: int,
) -> None:
    """Remove rows that are covered whenever one of the rows from `start` to `end` is.

    No two rows are equal. ``code[i]`` has a bit set for every column of row i (several
    columns may share a bit).
    """
    for i in range(start, end):
        if removed[i]:
            continue
        mine = row_items[row_first[i] : row_first[i + 1]]
        rare = mine[0]
        for j in mine:
            if col_first[j + 1] - col_first[j] < col_first[rare + 1] - col_first[rare]:
                rare = j
        for p in range(col_first[rare], col_first[rare + 1]):
            other = col_items[p]
            if other == i or removed[other] or (code[i] & ~code[other]) != 0:
                continue
            if _within(mine, row_items[row_first[other] : row_first[other + 1]]):
                removed[other] = 1


@njit(cache=True, nogil=True)
def drop_weaker_columns(
    row_first: Ints,
    row_items: Short,
    col_first: Ints,
    col_items: Short,
    cost: Floats,
    removed: Mask,
    start: int,
    end: int,
) -> None:
    """Remove those of the columns from `start` to `end` that another one replaces.

    That is, it covers the same rows or more, and is not dearer.
    """
    for j in range(start, end):
        mine = col_items[col_first[j] : col_first[j + 1]]
        if mine.shape[0] == 0:
            removed[j] = 1
            continue
        rare = mine[0]
        for i in mine:
            if row_first[i + 1] - row_first[i] < row_first[rare + 1] - row_first[rare]:
                rare = i
        for p in range(row_first[rare], row_first[rare + 1]):
            k = row_items[p]
            if k == j or removed[k] or cost[k] > cost[j]:
                continue
            theirs = col_items[col_first[k] : col_first[k + 1]]
            if _within(mine, theirs):
                twin = theirs.shape[0] == mine.shape[0] and cost[k] == cost[j]
                if not twin or k < j:
                    removed[j] = 1
                    break


# ----------------------------------------------------------------------------------------
# Covering everything


@njit(cache=True, nogil=True)
def ascend_cover(
    row_first: Ints,
    row_items: Short,
    col_first: Ints,
    col_items: Short,
    cost: Floats,
    price: Floats,
    best_price: Floats,
    best: float,
    target: float,
    pace: float,
    stale: int,
    steps: int,
) -> tuple[float, float, int]:
    """Raise the Lagrangian bound of covering all rows by subgradient steps.

    Row i pays ``price[i]`` for being covered; the bound is what the rows pay less what
    columns would earn beyond their cost. `price` moves, `best_price` keeps the prices of
    the best bound. Returns the best bound, and the pace and the number of steps without
    gain to go on with.
    """
    rows, columns = row_first.shape[0] - 1, col_first.shape[0] - 1
    direction = np.zeros(rows)
    want = np.empty(rows)
    for _ in range(steps):
        bound = 0.0
        for i in range(rows):
            bound += price[i]
            want[i] = 1.0
        for j in range(columns):
            left = cost[j]
            for p in range(col_first[j], col_first[j + 1]):
                left -= price[col_items[p]]
            if left < 0.0:
                bound += left
                for p in range(col_first[j], col_first[j + 1]):
                    want[col_items[p]] -= 1.0
        if bound - best > 1e-9 * abs(bound):
            best = bound
            best_price[:] = price
            stale = 0
        else:
            stale += 1
            if stale >= 15:
                stale = 0
                pace *= 0.7
                price[:] = best_price
                direction[:] = 0.0
        norm = 0.0
        for i in range(rows):
            # A price of nothing cannot fall.
            if want[i] < 0.0 and price[i] <= 0.0:
                want[i] = 0.0
            direction[i] = 0.7 * want[i] + 0.3 * direction[i]
            norm += direction[i] * direction[i]
        if norm < 1e-12 or pace < 1e-4:
            break
        step = pace * max(target - bound, 1e-6 * abs(target)) / norm
        for i in range(rows):
            price[i] = max(0.0, price[i] + step * direction[i])
    return best, pace, stale


@njit(cache=True, nogil=True)
def greedy_cover(
    row_first: Ints,
    row_items: Short,
    col_first: Ints,
    col_items: Short,
    cost: Floats,
    chosen: Mask,
) -> None:
    """Add the column of least cost per newly covered row until all are, then drop spare ones.

    `cost` may be below 0: such columns come first.
    """
    rows, columns = row_first.shape[0] - 1, col_first.shape[0] - 1
    times = np.zeros(rows, np.int64)
    gain = np.zeros(columns, np.int64)
    for j in range(columns):
        gain[j] = col_first[j + 1] - col_first[j]
    open_rows = rows
    for j in range(columns):
        if chosen[j]:
            for p in range(col_first[j], col_first[j + 1]):
                i = col_items[p]
                if times[i] == 0:
                    open_rows -= 1
                    for q in range(row_first[i], row_first[i + 1]):
                        gain[row_items[q]] -= 1
                times[i] += 1
    while open_rows > 0:
        pick = -1
        least = np.inf
        for j in range(columns):
            if gain[j] > 0 and not chosen[j]:
                ratio = cost[j] / gain[j] if cost[j] > 0.0 else cost[j] * gain[j]
                if ratio < least:
                    least, pick = ratio, j
        chosen[pick] = 1
        for p in range(col_first[pick], col_first[pick + 1]):
            i = col_items[p]
            if times[i] == 0:
                open_rows -= 1
                for q in range(row_first[i], row_first[i + 1]):
                    gain[row_items[q]] -= 1
            times[i] += 1
    order = np.argsort(-cost, kind="mergesort")
    for j in order:
        if not chosen[j]:
            continue
        spare = True
        for p in range(col_first[j], col_first[j + 1]):
            if times[col_items[p]] == 1:
                spare = False
                break
        if spare:
            chosen[j] = 0
            for p in range(col_first[j], col_first[j + 1]):
                times[col_items[p]] -= 1


@njit(cache=True, nogil=True)
def _least_loss(inside: Mask, score: Ints, cost: Floats, since: Ints, tabu: int) -> int:
    """Return the chosen column that covers the least alone per cost, of several the oldest."""
    drop = -1
    least = np.inf
    for j in range(inside.shape[0]):
        if inside[j] and j != tabu:
            ratio = score[j] / cost[j]
            if ratio < least or (ratio == least and since[j] < since[drop]):
                least, drop = ratio, j
    return drop


@njit(cache=True, nogil=True)
def search_cover(
    row_first: Ints,
    row_items: Short,
    col_first: Ints,
    col_items: Short,
    cost: Floats,
    chosen: Mask,
    best: float,
    seed: int,
    steps: int,
) -> float:
    """Improve a cover by weighting rows that are hard to cover; return its cost.

    In the manner of C. Gao et al., An efficient local search heuristic with row
    weighting for the unicost set covering problem, European Journal of Operational
    Research 246, 2015; here with costs, all above 0. `chosen` is replaced by the best
    cover found.
    """
    rows, columns = row_first.shape[0] - 1, col_first.shape[0] - 1
    inside = chosen.copy()
    times = np.zeros(rows, np.int64)
    weight = np.ones(rows, np.int64)
    score = np.zeros(columns, np.int64)
    since = np.zeros(columns, np.int64)
    waiting = np.empty(rows, np.int64)
    place = np.full(rows, -1, np.int64)
    count = 0
    total = 0.0
    dice = np.uint64(seed)
    for j in range(columns):
        if inside[j]:
            total += cost[j]
            for p in range(col_first[j], col_first[j + 1]):
                times[col_items[p]] += 1
    for i in range(rows):
        if times[i] == 0:
            place[i] = count
            waiting[count] = i
            count += 1
    for j in range(columns):
        for p in range(col_first[j], col_first[j + 1]):
            if times[col_items[p]] == (1 if inside[j] else 0):
                score[j] += 1
    tabu = -1
    now = 0
    for _ in range(steps):
        now += 1
        # As long as everything is covered, one column goes, and then one more.
        more = 1
        while count == 0 or more > 0:
            if count == 0 and total < best - 1e-9 * abs(best):
                best = total
                chosen[:] = inside
            if count > 0:
                more -= 1
            drop = _least_loss(inside, score, cost, since, tabu)
            if drop < 0:
                return best
            inside[drop] = 0
            total -= cost[drop]
            since[drop] = now
            for p in range(col_first[drop], col_first[drop + 1]):
                i = col_items[p]
                times[i] -= 1
                if times[i] == 0:
                    place[i] = count
                    waiting[count] = i
                    count += 1
                    for q in range(row_first[i], row_first[i + 1]):
                        if row_items[q] != drop:
                            score[row_items[q]] += weight[i]
                elif times[i] == 1:
                    for q in range(row_first[i], row_first[i + 1]):
                        if inside[row_items[q]]:
                            score[row_items[q]] += weight[i]
                            break
        while count > 0:
            dice = dice * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
            i = waiting[np.int64((dice >> np.uint64(33)) % np.uint64(count))]
            pick = -1
            most = -1.0
            for q in range(row_first[i], row_first[i + 1]):
                j = row_items[q]
                if since[j] == now and row_first[i + 1] - row_first[i] > 1:
                    continue
                ratio = score[j] / cost[j]
                if ratio > most or (ratio == most and since[j] < since[pick]):
                    most, pick = ratio, j
            if pick < 0 or total + cost[pick] >= best - 1e-9 * abs(best):
                break
            inside[pick] = 1
            total += cost[pick]
            since[pick] = now
            tabu = pick
            for p in range(col_first[pick], col_first[pick + 1]):
                i = col_items[p]
                times[i] += 1
                if times[i] == 1:
                    count -= 1
                    last = waiting[count]
                    waiting[place[i]] = last
                    place[last] = place[i]
                    place[i] = -1
                    for q in range(row_first[i], row_first[i + 1]):
                        if row_items[q] != pick:
                            score[row_items[q]] -= weight[i]
                elif times[i] == 2:
                    for q in range(row_first[i], row_first[i + 1]):
                        if inside[row_items[q]] and row_items[q] != pick:
                            score[row_items[q]] -= weight[i]
                            break
        for k in range(count):
            i = waiting[k]
            weight[i] += 1
            for q in range(row_first[i], row_first[i + 1]):
                score[row_items[q]] += 1
    return best


# ----------------------------------------------------------------------------------------
# Covering the most within a budget


@njit(cache=True, nogil=True)
def price_budget(
    row_first: Ints,
    row_items: Short,
    col_first: Ints,
    col_items: Short,
    weight: Floats,
    cost: Floats,
    budget: float,
    price: Floats,
    best_price: Floats,
    best: float,
    target: float,
    pace: float,
    stale: int,
    steps: int,
) -> tuple[float, float, int]:
    """Lower the Lagrangian bound on the weight that a budget can cover.

    Row i sells ``price[i]``, at most its weight, to the columns; the bound is what rows
    keep plus what the best columns collect within the budget, the last one in part.
    `price` moves, `best_price` keeps the prices of the best bound. Returns the best
    bound, and the pace and the number of steps without gain to go on with.
    """
    rows, columns = row_first.shape[0] - 1, col_first.shape[0] - 1
    direction = np.zeros(rows)
    profit = np.empty(columns)
    times = np.empty(rows)
    for _ in range(steps):
        bound = 0.0
        for i in range(rows):
            bound += weight[i] - price[i]
            times[i] = 0.0
        for j in range(columns):
            sold = 0.0
            for p in range(col_first[j], col_first[j + 1]):
                sold += price[col_items[p]]
            profit[j] = sold
        money = budget
        for j in np.argsort(-profit / cost):
            if money <= 0.0 or profit[j] <= 0.0:
                break
            share = min(1.0, money / cost[j])
            money -= share * cost[j]
            bound += share * profit[j]
            for p in range(col_first[j], col_first[j + 1]):
                times[col_items[p]] += share
        if best - bound > 1e-9 * abs(bound):
            best = bound
            best_price[:] = price
            stale = 0
        else:
            stale += 1
            if stale >= 15:
                stale = 0
                pace *= 0.7
                price[:] = best_price
                direction[:] = 0.0
        norm = 0.0
        for i in range(rows):
            want = 1.0 - times[i]
            if (want < 0.0 and price[i] <= 0.0) or (want > 0.0 and price[i] >= weight[i]):
                want = 0.0
            direction[i] = 0.7 * want + 0.3 * direction[i]
            norm += direction[i] * direction[i]
        if norm < 1e-12 or pace < 1e-4:
            break
        step = pace * max(bound - target, 1e-6 * abs(target)) / norm
        for i in range(rows):
            price[i] = min(weight[i], max(0.0, price[i] + step * direction[i]))
    return best, pace, stale


@njit(cache=True, nogil=True)
def fill_budget(
    row_first: Ints,
    row_items: Short,
    col_first: Ints,
    col_items: Short,
    weight: Floats,
    cost: Floats,
    budget: float,
    favour: Floats,
    chosen: Mask,
) -> float:
    """Add columns of most new weight per cost while money is left; return the weight covered.

    Gains count times ``favour[j]``.
    """
    rows, columns = row_first.shape[0] - 1, col_first.shape[0] - 1
    gain = np.zeros(columns)
    covered = np.zeros(rows, np.uint8)
    money = budget
    for j in range(columns):
        if chosen[j]:
            money -= cost[j]
            for p in range(col_first[j], col_first[j + 1]):
                covered[col_items[p]] = 1
    for j in range(columns):
        for p in range(col_first[j], col_first[j + 1]):
            if not covered[col_items[p]]:
                gain[j] += weight[col_items[p]]
    # What is less is a rounding of differences.
    least = 1e-13 * weight.sum()
    while True:
        pick = -1
        most = 0.0
        for j in range(columns):
            if not chosen[j] and cost[j] <= money and gain[j] > least:
                ratio = favour[j] * gain[j] / cost[j]
                if ratio > most:
                    most, pick = ratio, j
        if pick < 0:
            break
        chosen[pick] = 1
        money -= cost[pick]
        for p in range(col_first[pick], col_first[pick + 1]):
            i = col_items[p]
            if not covered[i]:
                covered[i] = 1
                for q in range(row_first[i], row_first[i + 1]):
                    gain[row_items[q]] -= weight[i]
    total = 0.0
    for i in range(rows):
        if covered[i]:
            total += weight[i]
    return total


@njit(cache=True, nogil=True)
def swap_columns(
    row_first: Ints,
    row_items: Short,
    col_first: Ints,
    col_items: Short,
    weight: Floats,
    cost: Floats,
    budget: float,
    chosen: Mask,
    rounds: int,
) -> None:
    """Exchange one chosen column for another while that covers more and fits the budget."""
    rows, columns = row_first.shape[0] - 1, col_first.shape[0] - 1
    times = np.zeros(rows, np.int64)
    spent = 0.0
    # The sum of the chosen columns of a row: the one column where there is one.
    owners = np.zeros(rows, np.int64)
    loss = np.zeros(columns)
    saved = np.zeros(columns)
    for j in range(columns):
        if chosen[j]:
            spent += cost[j]
            for p in range(col_first[j], col_first[j + 1]):
                times[col_items[p]] += 1
                owners[col_items[p]] += j
    for i in range(rows):
        if times[i] == 1:
            loss[owners[i]] += weight[i]
    for _ in range(rounds):
        improved = False
        for j in range(columns):
            if chosen[j]:
                continue
            gain = 0.0
            for p in range(col_first[j], col_first[j + 1]):
                i = col_items[p]
                if times[i] == 0:
                    gain += weight[i]
                elif times[i] == 1:
                    saved[owners[i]] += weight[i]
            leave = -1
            most = 1e-9 * (gain + 1e-300)
            for k in range(columns):
                if chosen[k] and spent - cost[k] + cost[j] <= budget:
                    change = gain + saved[k] - loss[k]
                    if change > most:
                        most, leave = change, k
            for p in range(col_first[j], col_first[j + 1]):
                if times[col_items[p]] == 1:
                    saved[owners[col_items[p]]] = 0.0
            if leave < 0:
                continue
            improved = True
            spent += cost[j] - cost[leave]
            for come in (0, 1):
                moved = j if come else leave
                for p in range(col_first[moved], col_first[moved + 1]):
                    i = col_items[p]
                    if times[i] == 1:
                        loss[owners[i]] -= weight[i]
                    if come:
                        times[i] += 1
                        owners[i] += moved
                    else:
                        times[i] -= 1
                        owners[i] -= moved
                    if times[i] == 1:
                        loss[owners[i]] += weight[i]
                if come:
                    chosen[moved] = 1
                else:
                    chosen[moved] = 0
                    loss[moved] = 0.0
        if not improved:
            break
