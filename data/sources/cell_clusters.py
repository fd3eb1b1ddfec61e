"""Masts from estimated positions of single radio cells.

A crowd-sourced position of a cell is about the middle of where its signal was
heard, so it lies in front of the antenna, not at the mast; few samples make it
worse, and some positions are grossly wrong. The cells of one mast surround it,
though, and their identities tell which belong together:

1. Cells of an operator whose identities share the site part (`site_parts`) are one
   site, as far as they lie together. Its centre is the geometric median, which half
   of the weight being elsewhere cannot pull away.
2. Sites of an operator that are each other's nearest and lie close are one mast:
   the networks of several generations on it, or sites whose numbering says nothing.
3. Masts of different operators that are each other's nearest and lie very close are
   one mast that they share, or may share.

The result depends only on the cells, not on their order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Neighbours looked at for each site; a bound on time where thousands stand at one point.
_NEIGHBOURS = 8

#: Within this distance a geometric median treats distances alike. [m]
_SOFT_M = 10.0
_MEDIAN_ROUNDS = 40

#: Cells nearer to the mast than this show no direction. [m]
MIN_OFFSET_M = 30.0

#: Directions of a mast's cells must differ by this to be those of sectors. [degrees]
MIN_SPREAD_DEG = 60.0

#: How far a position may be wrong although nothing shows it. [m]
MIN_ERROR_M = 25.0

#: A cell with this many samples counts half as much as one with any number of them:
#: the middle of few samples errs by chance, the middle of many still lies in front of
#: the antenna.
HALF_SAMPLES = 4.0

#: What a position counts that the operator gave.
_EXACT_WEIGHT = 100.0

#: Radios whose identities have a site part, with the number of cells that share it.
LTE_CELLS_PER_SITE = 256
NR_CELLS_PER_SITE = 4096
GSM_CELLS_PER_SITE = 10


@dataclass(frozen=True)
class Distances:
    """Which positions are taken for one mast.

    Parameters
    ----------
    site_m
        Cells with one site part that lie farther than this from the middle of the
        others are not of that site. [m]
    generations_m
        Sites of one operator and different generations, at most. [m]
    operator_m
        Sites of one operator that have a generation in common. [m]
    shared_m
        Masts of different operators, at most. [m]
    errors
        Sites are joined up to this many times the combined error of their positions,
        so that where cells are small and sites dense, less is joined.
    """

    site_m: float = 4000.0
    generations_m: float = 700.0
    operator_m: float = 120.0
    shared_m: float = 150.0
    errors: float = 1.5


@dataclass(frozen=True, eq=False)
class Masts:
    """Masts and the cells that belong to them.

    Parameters
    ----------
    mast
        For each cell, the index of its mast.
    x_m, y_m
        For each mast, its position. [m]
    error_m
        For each mast, how far it may stand from there, about one standard
        deviation. [m]
    """

    mast: IntArray
    x_m: FloatArray
    y_m: FloatArray
    error_m: FloatArray


def site_parts(radio: NDArray[np.str_], area: IntArray, cell: IntArray) -> IntArray:
    """Return the part of each cell's identity that the cells of one site share.

    LTE: the eNodeB number, the identity without its last 8 bits, by 3GPP TS 36.413.
    The others are conventions, kept by most operators and not by all: GSM and UMTS,
    the area and the identity (of UMTS its last 16 bits, and the controller's number
    in the bits above) without the last decimal digit; NR, the identity without its
    last 12 bits (3GPP leaves the operator to choose 4 to 14). CDMA has none.

    Parameters
    ----------
    radio
        "GSM", "UMTS", "LTE", "NR" or "CDMA", of shape (n,).
    area
        Location or tracking area.
    cell
        Cell identity.

    Returns
    -------
    NDArray of int64
        Two numbers a cell, of shape (n, 2), that together with radio and network tell
        the site; -1 where the identity does not.
    """
    parts = np.full((len(cell), 2), -1, np.int64)
    lte, nr, gsm, umts = (radio == name for name in ("LTE", "NR", "GSM", "UMTS"))
    parts[lte] = np.column_stack([np.zeros(lte.sum(), np.int64), cell[lte] // LTE_CELLS_PER_SITE])
    parts[nr] = np.column_stack([np.zeros(nr.sum(), np.int64), cell[nr] // NR_CELLS_PER_SITE])
    parts[gsm] = np.column_stack([area[gsm], cell[gsm] // GSM_CELLS_PER_SITE])
    controller, number = cell[umts] >> 16, cell[umts] & 0xFFFF
    parts[umts] = np.column_stack([area[umts], controller * 65536 + number // GSM_CELLS_PER_SITE])
    return parts


def weights(samples: IntArray, exact: NDArray[np.bool_]) -> FloatArray:
    """Return how much the position of each cell counts.

    Parameters
    ----------
    samples
        Measurements that the position was estimated from.
    exact
        Whether the operator gave it.

    Returns
    -------
    NDArray of float64
        From 0.2 for one sample towards 1 for many; 100 where it is exact.
    """
    counted = np.maximum(samples, 1).astype(np.float64)
    return np.where(exact, _EXACT_WEIGHT, counted / (counted + HALF_SAMPLES))


def geometric_medians(
    group: IntArray, x_m: FloatArray, y_m: FloatArray, weight: FloatArray, count: int
) -> tuple[FloatArray, FloatArray]:
    """Return the point of least weighted distance to the members of each group.

    Parameters
    ----------
    group
        Group of each member, 0 to count - 1, each with a member.
    x_m, y_m
        Positions. [m]
    weight
        Greater than 0.
    count
        Number of groups.

    Returns
    -------
    tuple of NDArray
        Coordinates of shape (count,), to about a metre. [m]
    """
    total = np.bincount(group, weight, count)
    centre_x = np.bincount(group, weight * x_m, count) / total
    centre_y = np.bincount(group, weight * y_m, count) / total
    # One or two members: the mean is as good, and no point between two is better.
    large = np.bincount(group, minlength=count) > 2
    members = large[group]
    if not members.any():
        return centre_x, centre_y
    number = np.cumsum(large) - 1
    part, x, y, w = number[group[members]], x_m[members], y_m[members], weight[members]
    size = int(large.sum())
    px, py = centre_x[large], centre_y[large]
    for _ in range(_MEDIAN_ROUNDS):
        pull = w / np.sqrt((x - px[part]) ** 2 + (y - py[part]) ** 2 + _SOFT_M**2)
        sums = np.bincount(part, pull, size)
        new_x = np.bincount(part, pull * x, size) / sums
        new_y = np.bincount(part, pull * y, size) / sums
        moved = np.hypot(new_x - px, new_y - py).max()
        px, py = new_x, new_y
        if moved < 0.5:
            break
    centre_x[large], centre_y[large] = px, py
    return centre_x, centre_y


def find_masts(
    x_m: FloatArray,
    y_m: FloatArray,
    *,
    operator: IntArray,
    generation: IntArray,
    site: IntArray,
    weight: FloatArray,
    reach_m: FloatArray,
    distances: Distances | None = None,
) -> Masts:
    """Gather cells into masts.

    Parameters
    ----------
    x_m, y_m
        Estimated positions of the cells, of shape (n,). [m]
    operator
        Number of the operator, 0 or greater.
    generation
        Number of the generation, 0 to 61.
    site
        Number of the site by the cell's identity, unique over operators and radios;
        negative where the identity does not tell.
    weight
        How much each position counts, see `weights`.
    reach_m
        How far each cell was heard from its position. [m]
    distances
        What is taken for one mast.

    Returns
    -------
    Masts
        Sorted by position, from west to east, then from south to north.
    """
    limits = distances or Distances()
    order = np.lexsort((reach_m, weight, y_m, x_m, generation, site, operator))
    x, y, w, reach = x_m[order], y_m[order], weight[order], reach_m[order]
    who, kind, key = operator[order], generation[order], site[order]
    if len(x) == 0:
        nothing = np.empty(0)
        return Masts(np.empty(0, np.int64), nothing, nothing, nothing)
    group = _sites(x, y, who, key, w, limits.site_m)
    cells = _Cells(x, y, w, reach)
    generations = np.left_shift(1, kind % 62)
    group = _joined(
        group, cells, who, generations, limits.generations_m, limits.operator_m, limits.errors
    )
    operators = np.left_shift(1, who % 62)
    group = _joined(
        group, cells, np.zeros_like(who), operators, limits.shared_m, 0.0, limits.errors
    )
    count = int(group.max()) + 1
    mast_x, mast_y, error = cells.centres(group, count)
    rank = np.lexsort((np.arange(count), mast_y, mast_x))
    place = np.empty(count, np.int64)
    place[rank] = np.arange(count)
    mast = np.empty(len(x), np.int64)
    mast[order] = place[group]
    return Masts(mast, mast_x[rank], mast_y[rank], error[rank])


def sector_azimuths(
    masts: Masts, x_m: FloatArray, y_m: FloatArray, carrier: IntArray
) -> FloatArray:
    """Estimate where antennas point from where their cells were heard.

    Parameters
    ----------
    masts
        The masts of the cells.
    x_m, y_m
        Positions of the cells. [m]
    carrier
        Number of what is sectored together: an operator's network of one generation.

    Returns
    -------
    NDArray of float64
        Direction from the mast to the cell, clockwise from grid north, in whole
        degrees; NaN where the cells of the mast do not differ in direction, or a
        cell lies at the mast. [degrees]
    """
    east, north = x_m - masts.x_m[masts.mast], y_m - masts.y_m[masts.mast]
    angle = np.degrees(np.arctan2(east, north)) % 360.0
    known = np.hypot(east, north) >= MIN_OFFSET_M
    out = np.full(len(x_m), np.nan)
    if not known.any():
        return out
    span = int(carrier.max()) + 1
    _, group = np.unique(masts.mast[known] * span + carrier[known], return_inverse=True)
    order = np.lexsort((angle[known], group))
    ranked, around = group[order], angle[known][order]
    first = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    last = np.r_[first[1:], len(ranked)] - 1
    gap = np.diff(around, append=0.0)
    gap[last] = around[first] + 360.0 - around[last]
    spread = 360.0 - np.maximum.reduceat(gap, first)
    out[known] = np.where((spread >= MIN_SPREAD_DEG)[group], np.round(angle[known]) % 360.0, np.nan)
    return out


def _sites(
    x: FloatArray, y: FloatArray, who: IntArray, key: IntArray, w: FloatArray, site_m: float
) -> IntArray:
    """Group the cells by site; those far from the others of theirs stand alone."""
    loose = key < 0
    _, group = np.unique(key, return_inverse=True)
    group = group.astype(np.int64)
    count = int(group.max()) + 1
    centre_x, centre_y = geometric_medians(group, x, y, w, count)
    far = loose | (np.hypot(x - centre_x[group], y - centre_y[group]) > site_m)
    # What stands alone is told apart by operator and place: equal ones stay together.
    place = np.stack([who[far], *(np.round(v[far]).astype(np.int64) for v in (x, y))], axis=1)
    _, single = np.unique(place, axis=0, return_inverse=True)
    group[far] = count + single.ravel()
    return _renumbered(group)


def _renumbered(group: IntArray) -> IntArray:
    """Return groups numbered by their first member."""
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return rank[inverse]


@dataclass(frozen=True, eq=False)
class _Cells:
    """Positions of cells with their weight and reach."""

    x: FloatArray
    y: FloatArray
    w: FloatArray
    reach: FloatArray

    def centres(self, group: IntArray, count: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return centre and error of each group."""
        x, y = geometric_medians(group, self.x, self.y, self.w, count)
        error = _errors(group, self.x - x[group], self.y - y[group], self.w, self.reach, count)
        return x, y, error


def _joined(
    group: IntArray,
    cells: _Cells,
    layer: IntArray,
    mask: IntArray,
    apart_m: float,
    alike_m: float,
    errors: float,
) -> IntArray:
    """Join groups of a layer that are each other's nearest, again and again.

    Two groups may be joined within `apart_m` and `errors` times their combined error
    if their masks have no bit in common, within `alike_m` otherwise.
    """
    count = int(group.max()) + 1
    px, py, error = cells.centres(group, count)
    # Groups on one spot first, however many: their neighbours would all be alike.
    floor = np.zeros(count)
    floor[group] = layer
    spot = np.column_stack([floor, np.round(px), np.round(py)])
    _, same = np.unique(spot, axis=0, return_inverse=True)
    if same.max() + 1 < count:
        group = _renumbered(same.ravel()[group].astype(np.int64))
        count = int(group.max()) + 1
        px, py, error = cells.centres(group, count)
    total = np.bincount(group, cells.w, count)
    bits = np.zeros(count, np.int64)
    np.bitwise_or.at(bits, group, mask)
    floor = np.zeros(count)
    floor[group] = layer
    reach_m = max(apart_m, alike_m)
    # Layers lie above each other, too far apart to be neighbours.
    points = np.column_stack([px, py, floor * 10.0 * reach_m])
    parent = np.arange(count)
    alive = np.arange(count)
    while len(alive) > 1:
        one, other, distance = _neighbours(points[alive], reach_m)
        combined = np.hypot(error[alive[one]], error[alive[other]])
        alike = (bits[alive[one]] & bits[alive[other]]) != 0
        limit = np.where(alike, alike_m, np.minimum(apart_m, errors * combined))
        allowed = distance <= limit
        pairs = _mutual(one[allowed], other[allowed], distance[allowed])
        if len(pairs) == 0:
            break
        keep, drop = alive[pairs[:, 0]], alive[pairs[:, 1]]
        both = total[keep] + total[drop]
        for axis in (0, 1):
            points[keep, axis] = (
                points[keep, axis] * total[keep] + points[drop, axis] * total[drop]
            ) / both
        total[keep] = both
        bits[keep] |= bits[drop]
        error[keep] = 1.0 / np.hypot(1.0 / error[keep], 1.0 / error[drop])
        parent[drop] = keep
        gone = np.zeros(count, bool)
        gone[drop] = True
        alive = alive[~gone[alive]]
    while True:
        above = parent[parent]
        if np.array_equal(above, parent):
            return _renumbered(parent[group])
        parent = above


def _neighbours(points: FloatArray, reach_m: float) -> tuple[IntArray, IntArray, FloatArray]:
    """Return pairs of neighbours, each from both ends where both count the other, and distances."""
    count = len(points)
    near = min(_NEIGHBOURS + 1, count)
    limit = np.nextafter(reach_m, np.inf)
    distance, other = cKDTree(points).query(points, k=near, distance_upper_bound=limit)
    one = np.repeat(np.arange(count), near)
    distance, other = distance.ravel(), other.ravel().astype(np.int64)
    real = np.isfinite(distance) & (other != one)
    return one[real], other[real], distance[real]


def _mutual(one: IntArray, other: IntArray, distance: FloatArray) -> IntArray:
    """Return the pairs that are each other's nearest; the first index is the lesser."""
    # Both ends must see a pair alike, whatever ties there are, so that one is always found.
    low, high = np.minimum(one, other), np.maximum(one, other)
    order = np.lexsort((high, low, distance, one))
    one, low, high = one[order], low[order], high[order]
    best = np.r_[True, one[1:] != one[:-1]] if len(one) else np.zeros(0, bool)
    unique, seen = np.unique(np.column_stack([low[best], high[best]]), axis=0, return_counts=True)
    return unique[seen == 2]


def _errors(
    group: IntArray,
    dx: FloatArray,
    dy: FloatArray,
    w: FloatArray,
    reach: FloatArray,
    count: int,
) -> FloatArray:
    """Estimate the standard error of the masts' positions.

    Two parts: the scatter of the cells over the root of their effective number, and
    the bias of cells that are all heard on one side. A cell is heard in front of its
    antenna, about half its reach away; directions that cancel out take that away.
    """
    total = np.bincount(group, w, count)
    effective = total**2 / np.bincount(group, w**2, count)
    scatter2 = np.bincount(group, w * (dx**2 + dy**2), count) / total
    offset = np.bincount(group, w * 0.5 * reach, count) / total
    chance2 = scatter2 / np.maximum(effective - 1.0, 1.0)
    best = np.zeros(count)
    np.maximum.at(best, group, w)
    exact = best >= _EXACT_WEIGHT
    error = np.sqrt(chance2 + (offset / effective) ** 2)
    return np.maximum(np.where(exact, MIN_ERROR_M, error), MIN_ERROR_M)
