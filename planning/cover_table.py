"""Tables of who covers what: rows and columns, merged rows, sums, and the time they may take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from data.errors import InputError
from planning.kernels import cover as kernels

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Two sums of money or weight are one within this share, for rounding.
ROUND = 1e-9

Progress = Callable[[float], None]


def total(values: Floats) -> float:
    """Return the sum, rounded once, so that it does not depend on the order."""
    return math.fsum(values.tolist())


def add_up(place: NDArray[np.int32], values: Floats, count: int) -> Floats:
    """Return the sum of the values at each place."""
    return np.bincount(place, weights=values, minlength=count).astype(np.float64)


@dataclass(frozen=True)
class Table:
    """Rows and columns as the kernels want them, and which ones they are in the table above.

    Parameters
    ----------
    row_first, row_items, col_first, col_items
        As in `planning.kernels.cover`.
    """

    row_first: Ints
    row_items: NDArray[np.int32]
    col_first: Ints
    col_items: NDArray[np.int32]

    @staticmethod
    def of(table: scipy.sparse.csr_array) -> Table:
        """Return the table of a membership by rows, with ascending columns."""
        by_column = scipy.sparse.csc_array(
            (np.ones(table.nnz, np.int8), table.indices, table.indptr), shape=table.shape[::-1]
        ).tocsr()
        by_column.sort_indices()
        return Table(
            table.indptr.astype(np.int64),
            table.indices.astype(np.int32, copy=False),
            by_column.indptr.astype(np.int64),
            by_column.indices.astype(np.int32, copy=False),
        )

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.row_first) - 1

    @property
    def columns(self) -> int:
        """How many columns there are."""
        return len(self.col_first) - 1

    @property
    def parts(self) -> tuple[Ints, NDArray[np.int32], Ints, NDArray[np.int32]]:
        """What the kernels take."""
        return self.row_first, self.row_items, self.col_first, self.col_items

    def rows_of(self, column: int) -> NDArray[np.int32]:
        """Return the rows of a column, ascending."""
        return self.col_items[self.col_first[column] : self.col_first[column + 1]]

    def matrix(self) -> scipy.sparse.csr_array:
        """Return the table as a matrix of ones."""
        ones = np.ones(len(self.row_items), np.int8)
        return scipy.sparse.csr_array(
            (ones, self.row_items, self.row_first), shape=(self.rows, self.columns)
        )

    def kept(self, rows: Flags, columns: Flags) -> Table:
        """Return the table of some rows and columns, in the same order."""
        part = self.matrix()[np.flatnonzero(rows)][:, np.flatnonzero(columns)]
        part.sort_indices()
        return Table.of(part)

    def covered(self, columns: Flags) -> Flags:
        """Return which rows have one of the columns."""
        hit = np.zeros(self.rows, dtype=bool)
        for j in np.flatnonzero(columns).tolist():
            hit[self.rows_of(j)] = True
        return hit

    def sums(self, values: Floats) -> Floats:
        """Return for each column the sum of a figure over its rows."""
        ones = np.ones(len(self.col_items), np.int8)
        by_column = scipy.sparse.csr_array(
            (ones, self.col_items, self.col_first), shape=(self.columns, self.rows)
        )
        return by_column @ values

    def steps_at_once(self, most: int) -> int:
        """Return how many passes over the table to make between two looks at the clock."""
        return int(np.clip(200_000_000 // (len(self.row_items) + 1), 1, most))

    def weaker_columns(self, cost: Floats, clock: Clock) -> Flags:
        """Return the columns that another one replaces, as far as time allows."""
        removed = np.zeros(self.columns, np.uint8)
        for start in range(0, self.columns, 64):
            end = min(start + 64, self.columns)
            kernels.drop_weaker_columns(*self.parts, cost, removed, start, end)
            clock.tick()
            if clock.left_s <= 0.0:
                break
        return removed != 0


def merge(table: scipy.sparse.csr_array) -> tuple[NDArray[np.int32], Table]:
    """Merge equal rows: the group of each row, -1 for empty ones, and the table of groups."""
    rows = table.shape[0]
    size = 4
    while size < 2 * rows + 2:
        size *= 2
    slots = np.full(size, -1, np.int32)
    group = np.empty(rows, np.int32)
    sample = np.empty(rows, np.int32)
    first = table.indptr.astype(np.int64)
    items = table.indices.astype(np.int32, copy=False)
    count = kernels.merge_rows(first, items, slots, group, sample)
    chosen = sample[:count]
    length = first[chosen + 1] - first[chosen]
    start = np.concatenate([np.zeros(1, np.int64), np.cumsum(length)])
    take = np.repeat(first[chosen] - start[:-1], length) + np.arange(start[-1])
    ones = np.ones(len(take), np.int8)
    merged = scipy.sparse.csr_array((ones, items[take], start), shape=(count, table.shape[1]))
    return group, Table.of(merged)


class Clock:
    """Time limit and progress."""

    def __init__(self, limit_s: float, on_progress: Progress) -> None:
        if not limit_s >= 0.0:
            raise InputError(
                "time_limit_s is {value}, expected a number of seconds from 0", value=limit_s
            )
        self._start_s = time.monotonic()
        self._limit_s = limit_s
        self._on_progress = on_progress
        self._done = 0.0

    @property
    def spent_s(self) -> float:
        """Time since the start [s]."""
        return time.monotonic() - self._start_s

    @property
    def left_s(self) -> float:
        """Time until the limit, below 0 after it [s]."""
        return self._limit_s - self.spent_s

    @property
    def limit_s(self) -> float:
        """Time that is allowed in all [s]."""
        return self._limit_s

    def tick(self, done: float = 0.0) -> None:
        """Report progress: what is done, or the share of the time spent if that is more."""
        by_time = self.spent_s / self._limit_s if self._limit_s > 0.0 else 0.0
        self._done = min(max(self._done, done, by_time), 0.999)
        self._on_progress(self._done)

    def finish(self) -> None:
        """Report that all is done."""
        self._on_progress(1.0)


def whole_step(values: Floats) -> float:
    """Return the whole step that all sums of the values are multiples of, 0 for none."""
    if len(values) and bool(np.all(values == np.floor(values))) and values.sum() < 2.0**53:
        return float(np.gcd.reduce(values.astype(np.int64)))
    return 0.0
