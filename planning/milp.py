"""Mixed-integer programmes solved with HiGHS: time limit, start, cancelling, proven bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import highspy
import numpy as np
import scipy.sparse
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MilpSolution:
    """What HiGHS found.

    Parameters
    ----------
    values
        The best solution, shape (columns,), or None where none was found.
    bound
        No solution costs less, within the solver's tolerance of one in a million;
        infinite where there is no solution at all.
    row_prices
        Where no column must be whole and the least cost was found: by how much it rises with
        each row's bound, shape (rows,). Otherwise None.
    """

    values: Floats | None
    bound: float
    row_prices: Floats | None = None


class _QuietHighs(highspy.Highs):
    """HiGHS that prints no banner, which it otherwise does as soon as it is made."""

    def enableCallbacks(self) -> None:  # noqa: N802
        """Silence the solver before the callbacks wake it."""
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()


def minimise(
    cost: Floats,
    matrix: scipy.sparse.sparray,
    row_lower: Floats,
    row_upper: Floats,
    *,
    upper: Floats,
    is_whole: NDArray[np.bool_],
    time_limit_s: float,
    start: Floats | None = None,
    presolve: bool = True,
    on_progress: Callable[[float], None] = lambda _: None,
) -> MilpSolution:
    """Minimise ``cost @ x`` with ``row_lower <= matrix @ x <= row_upper``, ``0 <= x <= upper``.

    Parameters
    ----------
    cost, upper
        Cost and upper bound of each column.
    matrix
        Shape (rows, columns).
    row_lower, row_upper
        Bounds of each row; may be infinite.
    is_whole
        Which columns must be whole numbers.
    time_limit_s
        Time after which the best solution and bound so far are returned. [s]
    start
        A solution known beforehand.
    presolve
        Whether to look for rows and columns to drop before.
    on_progress
        Called with the share of the time that is used up, from the caller's thread; it
        may raise `CancelledError`.

    Returns
    -------
    MilpSolution
        Solution and proven bound.
    """
    columns = len(cost)
    if columns == 0:
        feasible = bool(np.all(row_lower <= 0.0) and np.all(row_upper >= 0.0))
        return MilpSolution(np.zeros(0) if feasible else None, 0.0 if feasible else math.inf)
    solver = _QuietHighs()
    solver.setOptionValue("time_limit", max(time_limit_s, 0.05))
    # One thread and no parallel search: the same steps in every run.
    solver.setOptionValue("parallel", "off")
    solver.setOptionValue("presolve", "choose" if presolve else "off")
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.setOptionValue("mip_abs_gap", 1e-6)
    by_column = scipy.sparse.csc_array(matrix)
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = columns, len(row_lower)
    model.col_cost_ = np.asarray(cost, dtype=np.float64)
    model.col_lower_, model.col_upper_ = np.zeros(columns), np.asarray(upper, dtype=np.float64)
    model.row_lower_ = np.asarray(row_lower, dtype=np.float64)
    model.row_upper_ = np.asarray(row_upper, dtype=np.float64)
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = by_column.indptr.astype(np.int32)
    model.a_matrix_.index_ = by_column.indices.astype(np.int32)
    model.a_matrix_.value_ = by_column.data.astype(np.float64)
    kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
    model.integrality_ = [kinds[int(whole)] for whole in is_whole]
    solver.passModel(model)
    if start is not None:
        known = highspy.HighsSolution()
        known.col_value = [float(value) for value in start]
        solver.setSolution(known)
    # An exception must not pass through the solver: it is kept and raised afterwards.
    raised: list[BaseException] = []

    def look(event: highspy.highs.HighsCallbackEvent) -> None:
        if raised:
            event.interrupt()
            return
        try:
            spent_s = float(event.data_out.running_time)
            on_progress(min(0.999, spent_s / max(time_limit_s, 1e-9)))
        except BaseException as error:  # noqa: BLE001
            raised.append(error)
            event.interrupt()

    solver.cbMipInterrupt.subscribe(look)
    solver.cbSimplexInterrupt.subscribe(look)
    solver.run()
    solver.cbMipInterrupt.clear()
    solver.cbSimplexInterrupt.clear()
    if raised:
        raise raised[0]
    status, info = solver.getModelStatus(), solver.getInfo()
    if status == highspy.HighsModelStatus.kInfeasible:
        return MilpSolution(None, math.inf)
    found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    values = np.asarray(solver.getSolution().col_value) if found else None
    if status == highspy.HighsModelStatus.kOptimal and not np.any(is_whole):
        row_prices = np.asarray(solver.getSolution().row_dual)
        return MilpSolution(values, float(info.objective_function_value), row_prices)
    bound = float(info.mip_dual_bound) if np.any(is_whole) else -math.inf
    return MilpSolution(values, bound)
